//! `sf-login get`.

use fake_org::{Answer, Org};

use super::{program, text};
use crate::support::{LIMITS, failed, kept_env, login, sf_login, with};

#[test]
fn get_prints_a_resource_byte_for_byte() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let cases: [(&str, Answer, &[u8]); 4] = [
        ("every byte, compressed", Answer::new(200).body(every_byte.clone()).gzip(), &every_byte),
        ("JSON as it is written", Answer::json(200, "{ \"a\":\r\n 1.10 }\n"), b"{ \"a\":\r\n 1.10 }\n"),
        ("no line end", Answer::text(200, "no line end"), b"no line end"),
        ("nothing", Answer::new(204), b""),
    ];
    let org = Org::start();
    for (case, answer, expected) in cases {
        org.answer_to("/services/data/v66.0/file", answer);
        let output = program(&org.env()).args(["get", "file"]).output().expect("it runs");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{case}");
        assert!(output.stdout == expected, "{case}: {} bytes", output.stdout.len());
    }
}

#[test]
fn get_goes_to_the_path_that_it_is_given() {
    let org = Org::start();
    let token = login(&org).token().expect("the login is right");
    let env = kept_env(&org, token.access_token());
    let _ = org.take_requests();
    let whole = format!("{}/services/apexrest/echo?a=1", org.url());
    let cases = [
        ("limits", "v66.0", LIMITS),
        ("limits", "60", "/services/data/v60.0/limits"),
        ("/services/data/", "66.0", "/services/data/"),
        (&whole, "v66.0", "/services/apexrest/echo"),
    ];
    for (path, version, arrived) in cases {
        let run = sf_login(&with(&env, "SF_ORG_API_VERSION", version), &["get", path]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{path}");
        let request = org.take_requests().remove(0);
        assert_eq!((&*request.method, &*request.path), ("GET", arrived));
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {}", token.access_token())));
    }
    let elsewhere = sf_login(&env, &["get", "https://x.example/limits"]);
    let says = format!("path is a URL of x.example, not of {}", org.url());
    assert_eq!(elsewhere, failed(2, &says));
    assert_eq!(org.requests().len(), 0);
}

#[test]
fn a_truncated_resource_is_printed_as_far_as_it_came() {
    let body = "0123456789".repeat(20_000);
    let org = Org::start();
    org.answer_to("/services/data/v66.0/file", Answer::text(200, &body).chunked().cut_after(100_005));
    let run = sf_login(&org.env(), &["get", "file"]);
    assert_eq!((run.code, &*run.stdout), (Some(1), &body[..100_005]));
    let headline = "sf-login: unexpected reply: truncated or corrupted (HTTP 200)";
    assert_eq!(run.headline(), headline, "{}", run.stderr);
    assert_eq!(org.take_requests().len(), 2, "what was printed is not asked for again");
}
