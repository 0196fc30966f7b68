//! `Session::open`: a reply as a stream, which tells why it breaks off.

use std::io::{self, Read as _};
use std::thread;
use std::time::Duration;

use fake_org::{Answer, Org, gzip};
use sf_login::{Error, ErrorKind};

use crate::support::{
    OLD, SOON, TOKEN_PATH, expired, headers_but_the_agents_name, headline, host, kept, login, only_request,
    paths, shown, token, within,
};

const FILE: &str = "/services/data/v66.0/sobjects/ContentVersion/068/VersionData";

#[test]
fn a_file_of_any_size_comes_as_it_is() {
    let org = Org::start();
    let bytes: Vec<u8> = (0..=255).collect();
    // More than a page of records may have.
    let large = gzip(&bytes.repeat(4096)).repeat(65);
    let large = Answer::new(200).header("Content-Encoding", "gzip").body(large);
    for (answer, size) in [(Answer::new(200).body(&*bytes).chunked(), 256), (large, 65 * 1024 * 1024)] {
        org.answer(answer);
        let mut came = kept(&org).open(FILE).unwrap();
        let mut first = [0; 256];
        came.read_exact(&mut first).unwrap();
        assert_eq!(first, *bytes);
        assert_eq!(io::copy(&mut came, &mut io::sink()).unwrap(), size - 256);
        let sent = only_request(&org);
        assert_eq!((&*sent.method, &*sent.path, sent.text()), ("GET", FILE, ""));
        let (bearer, host) = (format!("Bearer {OLD}"), host(&org));
        let headers =
            [("accept", "*/*"), ("accept-encoding", "gzip"), ("authorization", &*bearer), ("host", &*host)];
        assert_eq!(headers_but_the_agents_name(&sent), headers);
    }
}

#[test]
fn a_reader_outlives_its_session_and_what_it_was_made_of() {
    let org = Org::start();
    org.answer(Answer::text(200, "Id\n001\n"));
    let reader = kept(&org).open(&String::from("x")).unwrap();
    let text = thread::spawn(|| io::read_to_string(reader).unwrap()).join().unwrap();
    assert_eq!(text, "Id\n001\n");
}

#[test]
fn it_is_renewed_and_repeated_until_the_headers_are_there() {
    let org = Org::start();
    let session = login(&org).resume(token(&org, OLD)).unwrap();
    org.answer(Answer::html(503, "Maintenance").header("Retry-After", "0"));
    org.answer(expired());
    org.answer_to("/services/data/", Answer::text(200, "whole"));
    assert_eq!(io::read_to_string(session.open(FILE).unwrap()).unwrap(), "whole");
    assert_eq!(paths(&org.requests()), [FILE, FILE, TOKEN_PATH, FILE]);

    org.answer(Answer::api_error(404, "NOT_FOUND", "no such file"));
    let error = session.open(FILE).err().unwrap();
    assert_eq!(headline(&error), "request refused: no such file (NOT_FOUND) (HTTP 404)");
    assert!(shown(&error).contains(&format!("\ntried: GET {FILE}, host {}", host(&org))), "{error}");
}

#[test]
fn a_body_that_breaks_off_says_why_again_and_again() {
    let truncated = "unexpected reply: truncated or corrupted (HTTP 200)";
    let text = || Answer::text(200, "0123456789");
    let damaged = {
        let mut damaged = gzip(b"0123456789");
        // The sum of the content.
        let sum = damaged.len() - 8;
        damaged[sum] ^= 1;
        Answer::new(200).header("Content-Encoding", "gzip").body(damaged)
    };
    for (way, answer, came, transport) in [
        ("cut off", text().cut_after(5), "01234", false),
        ("cut off in a chunk", text().chunked().cut_after(8), "01234", false),
        ("a gzip member that lacks its end", text().gzip().cut_after(20), "", false),
        ("a damaged gzip member", damaged, "0123456789", false),
        ("stalled", text().stall_after(5), "01234", true),
    ] {
        let org = Org::start();
        org.answer(answer);
        let mut reader = kept(&org).timeout(Duration::from_millis(300)).open("x").unwrap();
        let (bytes, errors) = within(SOON, move || {
            let mut bytes = Vec::new();
            let mut fails = || reader.read_to_end(&mut bytes).unwrap_err().downcast::<Error>().unwrap();
            let errors = [fails(), fails()];
            (bytes, errors)
        });
        assert!(bytes.starts_with(came.as_bytes()) || came.is_empty(), "{way}: {bytes:?}");
        let slow = format!("no reply from {}: no complete reply within 0.3 s", host(&org));
        for error in errors {
            assert_eq!(headline(&error), if transport { &slow } else { truncated }, "{way}");
            let tried = format!("\ntried: GET /services/data/v66.0/x, host {}", host(&org));
            assert!(shown(&error).contains(&tried), "{way}: {error}");
            assert_eq!(matches!(error.kind(), ErrorKind::Transport { .. }), transport, "{way}");
            assert!(error.is_transient(), "{way}");
            assert!(!error.hints().is_empty(), "{way}");
        }
        assert_eq!(org.requests().len(), 1, "{way}: what was half read is not asked for again");
    }
}

#[test]
fn a_page_in_place_of_a_resource_is_an_error_and_a_file_may_be_one() {
    let org = Org::start();
    let page = "<!DOCTYPE html><title>Login</title>";
    let answer = |kind: &str| Answer::new(200).header("Content-Type", kind).body(page);
    for (path, kind, is_result) in [
        ("limits", "text/html;charset=UTF-8", false),
        ("limits?x=/Body", "TEXT/HTML", false),
        ("limits", "text/htm", true),
        (FILE, "text/html", true),
        ("sobjects/Attachment/00P/body?x", "text/html", true),
        ("/services/apexrest/page", "text/html", true),
        ("/index.html", "text/html", true),
    ] {
        for answer in [answer(kind), answer(kind).gzip()] {
            org.answer(answer);
            let opened = kept(&org).open(path);
            let opened = opened.map(|body| io::read_to_string(body).unwrap()).map_err(|e| headline(&e));
            let error = "unexpected reply: an HTML page titled \"Login\" (HTTP 200)".to_owned();
            assert_eq!(opened, if is_result { Ok(page.to_owned()) } else { Err(error) }, "{path} {kind}");
        }
    }
}
