//! `Session::header`: which requests have it, what wins over it, and what cannot be one.

use fake_org::{Answer, Org, Request};
use serde_json::Value;
use sf_login::ErrorKind;
use sf_login::ureq::http;

use crate::support::{CALLS, OLD, REVOKE_PATH, TOKEN_PATH, expired, kept, login, only_request, shown, token};

#[test]
fn every_request_of_the_session_has_it_and_the_last_one_of_a_name_counts() {
    let org = Org::start();
    org.always("/services/data/", Answer::json(200, r#"{"done":true,"records":[]}"#));
    let session = kept(&org).header("Sforce-Call-Options", "client=old").header("X-Other", "");
    let session = session.header("sforce-call-options", "client=new");
    for (name, call) in CALLS {
        call(&session).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    session.put::<Value>("x", &1).unwrap();
    session.open("x").map(drop).unwrap();
    assert!(session.query::<Value>("SELECT Id FROM A").next().is_none());
    let requests = org.take_requests();
    assert_eq!(requests.len(), CALLS.len() + 3);
    for sent in requests {
        assert_eq!(values(&sent, "sforce-call-options"), ["client=new"], "{}", sent.method);
        assert_eq!(values(&sent, "x-other"), [""], "{}", sent.method);
    }
}

#[test]
fn it_takes_the_place_of_the_usual_headers_and_a_request_of_ones_own_has_the_last_word() {
    let org = Org::start();
    org.always("/", Answer::json(200, "1"));
    let session = kept(&org).header("Accept", "application/xml").header("Content-Type", "text/x-json");
    session.post::<Value>("x", &1).unwrap();
    let sent = only_request(&org);
    assert_eq!(values(&sent, "accept"), ["application/xml"]);
    assert_eq!(values(&sent, "content-type"), ["text/x-json"]);

    let request = http::Request::get("/x").header("Accept", "text/csv").header("Accept", "text/plain");
    session.run(request.body("").unwrap()).unwrap();
    let sent = only_request(&org);
    assert_eq!(values(&sent, "accept"), ["text/csv", "text/plain"]);
    assert_eq!(values(&sent, "content-type"), ["text/x-json"]);
}

#[test]
fn clones_have_headers_of_their_own() {
    let org = Org::start();
    org.always("/", Answer::json(200, "1"));
    let session = kept(&org).header("X-All", "1");
    let clone = session.clone().header("X-All", "2").header("X-Clone", "3");
    for (session, headers) in [(&session, [Some("1"), None]), (&clone, [Some("2"), Some("3")])] {
        session.get::<Value>("x").unwrap();
        let sent = only_request(&org);
        assert_eq!([sent.header("x-all"), sent.header("x-clone")], headers);
    }
}

#[test]
fn neither_a_login_nor_revoke_has_it() {
    let org = Org::start();
    let session = login(&org).resume(token(&org, OLD)).unwrap().header("X-Mine", "1");
    org.answer(expired());
    org.answer_to("/services/data/", Answer::json(200, "1"));
    session.get::<Value>("x").unwrap();
    session.revoke().unwrap();
    let sent: Vec<_> =
        org.take_requests().into_iter().map(|r| (r.header("x-mine").is_some(), r.path)).collect();
    let x = "/services/data/v66.0/x";
    let expected = [(true, x), (false, TOKEN_PATH), (true, x), (false, REVOKE_PATH)];
    assert_eq!(sent, expected.map(|(has, path)| (has, path.to_owned())));
}

#[test]
fn one_that_cannot_be_sent_is_told_by_the_first_request_without_its_value() {
    let no_name = "has a name that no header can have: write e.g. Sforce-Query-Options";
    let ours = |name: &str| format!("sets {name}, which the session sets itself: leave it out");
    let control = "gives x-key a value with a line break or another control character";
    let cases = [
        ("", "4711", no_name.to_owned()),
        ("X-Key: 4711", "", no_name.to_owned()),
        ("X Key", "4711", no_name.to_owned()),
        ("Schlüssel", "4711", no_name.to_owned()),
        ("X-Key\r\nX-4711", "1", no_name.to_owned()),
        ("X-Key", "4711\r\nX-More: 1", control.to_owned()),
        ("X-Key", "4711\0", control.to_owned()),
        ("Authorization", "Bearer 4711", ours("authorization")),
        ("HOST", "4711.example", ours("host")),
        ("content-length", "4711", ours("content-length")),
        ("Transfer-Encoding", "chunked", ours("transfer-encoding")),
        ("Connection", "close", ours("connection")),
        ("Expect", "100-continue", ours("expect")),
    ];
    let org = Org::start();
    for (name, value, problem) in cases {
        let session = kept(&org).header(name, value).header("X-Good", "1");
        for error in [
            session.get::<Value>("x").unwrap_err(),
            session.query::<Value>("SELECT Id FROM A").next().unwrap().unwrap_err(),
            session.open("x").err().unwrap(),
            session.run(http::Request::get("/x").body("").unwrap()).unwrap_err(),
        ] {
            assert_eq!(shown(&error), format!("header {problem}"), "{name:?}");
            let kind = ErrorKind::Setting { name: "header".to_owned(), problem: problem.clone() };
            assert_eq!(error.kind(), &kind, "{name:?}");
        }
        assert!(!format!("{session:?}").contains("4711"), "{session:?}");
    }
    assert_eq!(org.connections(), 0);

    org.always("/", Answer::json(200, "1"));
    kept(&org).header("X-Key", "\n").header("x-key", "good").get::<Value>("x").unwrap();
    assert_eq!(only_request(&org).header("x-key"), Some("good"));
}

fn values<'a>(request: &'a Request, name: &str) -> Vec<&'a str> {
    let headers = request.headers.iter().filter(|(other, _)| other == name);
    headers.map(|(_, value)| &**value).collect()
}
