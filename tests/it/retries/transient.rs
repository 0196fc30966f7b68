//! What an error says of the same call, made again: `is_transient`, `may_have_been_done`, `retry_after`.

use std::time::Duration;

use fake_org::{Answer, Org};
use serde::Deserialize;
use serde_json::{Value, json};
use sf_login::{Error, Session};

use super::{API, run};
use crate::support::{CALLS, REVOKE_PATH, headline, kept, login};

#[test]
fn what_passes_by_its_code_is_transient_and_left_to_the_caller() {
    let org = Org::start();
    let session = kept(&org);
    for (status, error_code, message, transient) in [
        (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", true),
        (500, "SERVER_UNAVAILABLE", "later", true),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", true),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", false),
        (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "UNABLE_TO_LOCK_ROW", false),
        (500, "UNKNOWN_EXCEPTION", "Concurrent", false),
    ] {
        org.always(API, Answer::api_error(status, error_code, message));
        for (method, call) in CALLS {
            let error = call(&session).unwrap_err();
            assert_eq!(
                headline(&error),
                format!("request refused: {message} ({error_code}) (HTTP {status})")
            );
            assert_eq!((error.is_transient(), error.may_have_been_done()), (transient, false), "{method}");
            assert_eq!(org.take_requests().len(), 1, "{method}: {message}");
        }
    }
    // Beside a reason that stays, one that passes changes nothing.
    let both = json!([{ "errorCode": "UNABLE_TO_LOCK_ROW" }, { "errorCode": "INVALID_FIELD" }]);
    org.always(API, Answer::json(400, both));
    assert!(!session.get::<Value>("x").unwrap_err().is_transient());

    // The revoke endpoint has OAuth's words, and is asked again.
    let _ = org.take_requests();
    let later = Answer::oauth_error("unknown_error", "retry your request");
    org.always(REVOKE_PATH, later.header("Retry-After", "0"));
    assert!(session.revoke().unwrap_err().is_transient());
    assert_eq!(org.requests().len(), 3);
}

#[test]
fn what_is_written_but_not_understood_may_have_been_done() {
    let org = Org::start();
    let session = kept(&org);
    for answer in [
        Answer::json(201, r#"{"id":7}"#),
        Answer::json(201, r#"{"id":"001"#),
        Answer::html(200, "Portal"),
        Answer::new(201).body(&b"\xff"[..]),
        Answer::json(201, r#"{"id":"001"}"#).cut_after(5),
    ] {
        for send in [Session::post::<Created> as Write, Session::patch::<Created>] {
            org.answer(answer.clone());
            let error = send(&session, "x", &1).expect_err("it does not fit");
            assert_eq!((error.is_transient(), error.may_have_been_done()), (false, true), "{error}");
            assert!(error.hints()[0].contains("may have been done"), "{error}");
        }
        org.always(API, answer.clone().header("Retry-After", "0"));
        let error = session.get::<Created>("x").map(drop).unwrap_err();
        assert!(!error.may_have_been_done(), "a read does nothing: {error}");
        org.behave();
    }
}

#[test]
fn what_the_server_asked_for_is_told() {
    let org = Org::start();
    for (answer, asked) in [
        (Answer::new(503).header("Retry-After", "86400"), Some(86400)),
        (Answer::oauth_error("rate_limit_exceeded", "later").header("Retry-After", "7"), Some(7)),
        (Answer::new(429).header("Retry-After", "600").body("{").content_length(9).then_close(), Some(600)),
        (Answer::new(503).header("Retry-After", "soon"), None),
        (Answer::new(500), None),
    ] {
        let asked = asked.map(Duration::from_secs);
        org.answer(answer.clone());
        assert_eq!(login(&org).timeout(Duration::from_millis(200)).token().unwrap_err().retry_after(), asked);
        org.answer(answer);
        let error = kept(&org).timeout(Duration::from_millis(200)).get::<Value>("x").unwrap_err();
        assert_eq!(error.retry_after(), asked, "{error}");
        assert_eq!(org.take_requests().len(), 2, "a wait beyond the deadline is the caller's");
    }
}

#[test]
fn what_has_no_body_by_its_method_does_not_tell_that_the_edge_is_lost() {
    let org = Org::start();
    org.always(API, Answer::new(404).header("Server", "sfdcedge"));
    let error = run(&kept(&org), "HEAD", "").unwrap_err();
    assert_eq!(
        (headline(&error), org.requests().len()),
        ("unexpected reply: empty (HTTP 404)".to_owned(), 1)
    );
}

type Write = fn(&Session, &str, &u8) -> Result<Created, Error>;

#[derive(Debug, Deserialize)]
struct Created {
    #[serde(rename = "id")]
    _id: String,
}
