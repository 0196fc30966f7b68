//! Where the token goes: to the instance's own origin, and nowhere else.

use fake_org::{Answer, Org};
use serde_json::{Value, json};
use sf_login::ureq::http;
use sf_login::{Error, ErrorKind, Session, Token, path_segment};

use crate::support::{LIMITS, OLD, QUERY, headline, host, kept, only_request, shown};

const SOQL: &str = "SELECT Id FROM Account";

#[test]
fn paths_go_where_one_expects() {
    let org = Org::start();
    org.always("/", Answer::json(200, r#"{"done":true,"records":[]}"#));
    let session = kept(&org);
    let port = org.addr().port();
    for (path, wanted) in [
        ("limits".to_owned(), LIMITS),
        (
            "sobjects/Account/001?fields=Id,Name".to_owned(),
            "/services/data/v66.0/sobjects/Account/001?fields=Id,Name",
        ),
        (String::new(), "/services/data/v66.0/"),
        ("a:b@c".to_owned(), "/services/data/v66.0/a:b@c"),
        ("@elsewhere.example/".to_owned(), "/services/data/v66.0/@elsewhere.example/"),
        ("q?u=https://elsewhere.example/".to_owned(), "/services/data/v66.0/q?u=https://elsewhere.example/"),
        ("/".to_owned(), "/"),
        ("/services/apexrest/echo".to_owned(), "/services/apexrest/echo"),
        ("/@elsewhere.example/".to_owned(), "/@elsewhere.example/"),
        ("/a//b".to_owned(), "/a//b"),
        ("/r?u=https://elsewhere.example/".to_owned(), "/r?u=https://elsewhere.example/"),
        (format!("{}/services/data/", org.url()), "/services/data/"),
        (format!("HTTP://127.0.0.1:{port}/services/data/?x=1"), "/services/data/?x=1"),
    ] {
        assert_eq!(session.url(&path).unwrap(), format!("{}{wanted}", org.url()), "{path}");
        session.get::<Value>(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let sent = only_request(&org);
        let query = if sent.query.is_empty() { String::new() } else { format!("?{}", sent.query) };
        assert_eq!(format!("{}{query}", sent.path), wanted, "{path}");
        assert_eq!(
            (sent.host(), sent.header("authorization")),
            (&*host(&org), Some(&*format!("Bearer {OLD}")))
        );
    }
    for path in [org.url(), format!("{}?x=1", org.url())] {
        session.get::<Value>(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(only_request(&org).path, "/", "{path}");
    }
}

#[test]
fn a_usual_port_and_the_case_of_a_host_do_not_make_another_origin() {
    let session = Session::new(Token::new(OLD, "https://ACME.my.salesforce.com:443/").unwrap()).unwrap();
    assert_eq!(session.token().instance_url(), "https://acme.my.salesforce.com");
    for path in [
        "https://acme.my.salesforce.com/x",
        "https://acme.my.salesforce.com:443/x",
        "HTTPS://Acme.My.Salesforce.com/x",
        "/x",
    ] {
        assert_eq!(session.url(path).unwrap(), "https://acme.my.salesforce.com/x", "{path}");
    }
}

#[test]
fn values_inside_a_path_are_one_segment() {
    for (value, segment) in [
        ("", ""),
        ("001A", "001A"),
        ("a-b._~c", "a-b._~c"),
        ("A/7 #2?x=1&y", "A%2F7%20%232%3Fx%3D1%26y"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        (r"..\..", "..%5C.."),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "..."),
        ("../x", "..%2Fx"),
        ("ä😀\n", "%C3%A4%F0%9F%98%80%0A"),
        ("@:+'!*()", "%40%3A%2B%27%21%2A%28%29"),
    ] {
        assert_eq!(path_segment(value), segment, "{value:?}");
    }
}

#[test]
fn a_path_that_is_really_a_url_elsewhere_is_refused() {
    let org = Org::start();
    let elsewhere = Org::start();
    let (own, other) = (host(&org), host(&elsewhere));
    let port = elsewhere.addr().port();
    let not_own = format!("is a URL of {other}, not of http://{own}");
    let slash = "begins with //, which names another host".to_owned();
    let backslash =
        r"holds '\\', which no URL can: percent-encode it (a space is %20), and send SOQL with query";
    let user_info = "holds user info: leave out what is before the @".to_owned();
    let odd = |c: char| {
        format!("holds {c:?}, which no URL can: percent-encode it (a space is %20), and send SOQL with query")
    };
    let cases = [
        (format!("http://{other}/services/data/"), not_own.clone()),
        (format!("http://{other}"), not_own.clone()),
        (format!("http://{other}?{own}"), not_own.clone()),
        (format!("http://{other}#{own}"), not_own.clone()),
        (format!("http://{other}\\@{own}/"), not_own),
        (format!("http://localhost:{port}/"), format!("is a URL of localhost:{port}, not of http://{own}")),
        (format!("https://{own}/"), format!("is a URL of {own}, not of http://{own}")),
        (
            format!("http://localhost:{}/", org.addr().port()),
            format!("is a URL of localhost:{}, not of http://{own}", org.addr().port()),
        ),
        ("http://127.0.0.1/".to_owned(), format!("is a URL of 127.0.0.1, not of http://{own}")),
        (format!("http://{own}0/"), "holds a port that is not from 1 to 65535".to_owned()),
        (
            "https://elsewhere.example/".to_owned(),
            format!("is a URL of elsewhere.example, not of http://{own}"),
        ),
        (
            "http://elsewhere.example/".to_owned(),
            "is http, which would send secrets in clear: write https".to_owned(),
        ),
        (format!("ftp://{own}/"), "is neither https nor a host name alone".to_owned()),
        (format!("//{other}/"), slash.clone()),
        ("///".to_owned(), slash),
        (format!("/\\{other}/"), backslash.to_owned()),
        (format!("\\\\{other}/"), backslash.to_owned()),
        (format!("http://{own}@{other}/"), user_info.clone()),
        (format!("http://@{own}/"), user_info),
        (format!(" http://{other}/"), odd(' ')),
        (format!("\thttp://{other}/"), odd('\t')),
        ("limits\r\nHost: elsewhere.example".to_owned(), odd('\r')),
        ("limits\0".to_owned(), odd('\0')),
        ("limits#x".to_owned(), odd('#')),
        ("söbjects".to_owned(), odd('ö')),
        ("a<b".to_owned(), odd('<')),
    ];
    let session = kept(&org);
    for (path, problem) in cases {
        let wanted = ErrorKind::Setting { name: "path".to_owned(), problem: problem.clone() };
        let ways: [(&str, Result<(), Error>); 6] = [
            ("url", session.url(&path).map(drop)),
            ("get", session.get::<Value>(&path).map(drop)),
            ("post", session.post::<Value>(&path, &1).map(drop)),
            ("patch", session.patch::<Value>(&path, &1).map(drop)),
            ("delete", session.delete(&path)),
            ("query_at", session.query_at::<Value>(&path, SOQL).next().unwrap().map(drop)),
        ];
        for (way, outcome) in ways {
            let error = outcome.expect_err(&format!("{way} {path:?}"));
            assert_eq!(shown(&error), format!("path {problem}"), "{way} {path:?}");
            assert_eq!(error.kind(), &wanted, "{way} {path:?}");
        }
    }
    assert_eq!((org.requests().len(), elsewhere.connections()), (0, 0));
}

#[test]
fn run_does_not_leave_the_instance() {
    let org = Org::start();
    let elsewhere = Org::start();
    let (own, other) = (host(&org), host(&elsewhere));
    let session = kept(&org);
    for (uri, problem) in [
        (format!("http://{other}/"), format!("is a URL of {other}, not of http://{own}")),
        (format!("https://{own}/"), format!("is a URL of {own}, not of http://{own}")),
        (format!("http://{own}@{other}/"), "holds user info: leave out what is before the @".to_owned()),
        (format!("//{other}/"), "begins with //, which names another host".to_owned()),
    ] {
        let request = http::Request::post(&uri).body("x").unwrap();
        assert_eq!(shown(&session.run(request).unwrap_err()), format!("path {problem}"), "{uri}");
    }
    assert_eq!((org.connections(), elsewhere.connections()), (0, 0));
}

#[test]
fn next_records_url_does_not_leave_the_instance() {
    let org = Org::start();
    let elsewhere = Org::start();
    let (own, other) = (host(&org), host(&elsewhere));
    let message =
        "unexpected reply: nextRecordsUrl leads elsewhere than to the session's instance (HTTP 200)";
    for next in [
        format!("http://{other}/services/data/v66.0/query/01g-2000"),
        format!("https://{own}/services/data/v66.0/query/01g-2000"),
        "https://elsewhere.example/".to_owned(),
        format!("//{other}/services/data/"),
        format!("http://{own}@{other}/"),
        format!("http://{other}\\@{own}/"),
        format!("\\\\{other}/"),
        format!("/\\{other}/"),
    ] {
        org.answer(Answer::json(200, json!({ "done": false, "nextRecordsUrl": next, "records": [1] })));
        let session = kept(&org);
        let mut records = session.query::<Value>(SOQL);
        assert_eq!(headline(&records.next().unwrap().unwrap_err()), message, "{next:?}");
        assert!(records.next().is_none(), "{next:?}");
        assert_eq!(only_request(&org).path, QUERY, "{next:?}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn next_records_url_may_be_written_in_several_ways() {
    let org = Org::start();
    let session = kept(&org);
    for (next, path) in [
        ("/services/data/v60.0/query/01g-2000".to_owned(), "/services/data/v60.0/query/01g-2000"),
        (format!("{}/services/data/v66.0/query/01g-2000", org.url()), "/services/data/v66.0/query/01g-2000"),
        ("query/01g-2000".to_owned(), "/services/data/v66.0/query/01g-2000"),
        // Not another host, however odd: the instance itself is asked for it.
        (format!("@{}/", org.addr()), &*format!("/services/data/v66.0/@{}/", org.addr())),
    ] {
        org.answer(Answer::json(
            200,
            json!({ "totalSize": 2, "done": false, "nextRecordsUrl": next, "records": [1] }),
        ));
        org.answer(Answer::json(200, json!({ "done": true, "records": [2] })));
        let records: Result<Vec<u8>, Error> = session.query(SOQL).collect();
        assert_eq!(records.unwrap(), [1, 2], "{next}");
        assert_eq!(org.take_requests()[1].path, path);
    }
}

#[test]
fn redirects_are_not_followed() {
    let org = Org::start();
    let elsewhere = Org::start();
    let (own, other) = (host(&org), host(&elsewhere));
    let to_other = format!("a redirect to {other}, which was not followed");
    let within = "a redirect within the host, which was not followed".to_owned();
    for status in [301, 302, 303, 307, 308] {
        for (location, problem) in [
            (Some(format!("http://{other}/services/data/?sid={OLD}")), to_other.clone()),
            (Some(format!("http://{own}@{other}/")), to_other.clone()),
            (Some(format!("//{other}/")), to_other.clone()),
            (
                Some("https://login.salesforce.com".to_owned()),
                "a redirect to login.salesforce.com, which was not followed".to_owned(),
            ),
            (Some("/elsewhere".to_owned()), within.clone()),
            (Some("elsewhere".to_owned()), within.clone()),
            (None, "a redirect that names no place".to_owned()),
        ] {
            let answer = location.as_ref().map_or(Answer::new(status), |to| Answer::redirect(status, to));
            org.always("/services/", answer);
            let session = kept(&org);
            let request = http::Request::post(session.url("x").unwrap()).body("x").unwrap();
            let ways: [(&str, Result<(), Error>); 6] = [
                ("get", session.get::<Value>("x").map(drop)),
                ("post", session.post::<Value>("x", &1).map(drop)),
                ("delete", session.delete("x")),
                ("query", session.query::<Value>(SOQL).next().unwrap().map(drop)),
                ("run", session.run(request).map(drop)),
                ("revoke", session.revoke()),
            ];
            for (way, outcome) in ways {
                let error = outcome.unwrap_err();
                let message = format!("unexpected reply: {problem} (HTTP {status})");
                assert_eq!(headline(&error), message, "{way} {location:?}");
                assert_eq!(error.status(), Some(status), "{way} {location:?}");
                assert!(!error.is_transient(), "{way} {location:?}");
            }
            assert_eq!(org.take_requests().len(), 6, "{status} {location:?}: each once");
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn the_body_of_a_redirect_is_not_waited_for() {
    let org = Org::start();
    org.always("/", Answer::redirect(302, "/x").body("x".repeat(100)).by_close().stall_after(50));
    let session = kept(&org);
    let message = "unexpected reply: a redirect within the host, which was not followed (HTTP 302)";
    assert_eq!(headline(&session.get::<Value>("x").unwrap_err()), message);
}
