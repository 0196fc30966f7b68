//! What becomes of an expired session: when it is replaced, by what, and when it is not.

mod remembered;
mod threads;

use fake_org::{Answer, ORG_ID, Org, Request, USER_ID};
use serde_json::{Value, json};
use sf_login::{Session, Token};

use crate::support::{
    CALLS, LIMITS, NEW, OLD, TOKEN_PATH, expired, headline, kept, logged, login, nobody, only_request,
    session, shown, token,
};

const EXPIRED: &str = "request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 401)";

#[test]
fn an_expired_session_is_replaced_and_the_request_sent_again() {
    for (method, call) in CALLS {
        let org = Org::start();
        let session = expired_session(&org, Answer::json(200, r#"{"id":"001"}"#));
        call(&session).unwrap_or_else(|error| panic!("{method}: {error}"));

        let requests = org.take_requests();
        let bearer = |request: &Request| request.header("authorization").map(str::to_owned);
        let log: Vec<_> = requests.iter().map(|r| (r.method.as_str(), r.path.as_str(), bearer(r))).collect();
        let things = "/services/data/v66.0/things";
        assert_eq!(
            log,
            [
                (method, things, Some(format!("Bearer {OLD}"))),
                ("POST", TOKEN_PATH, None),
                (method, things, Some(format!("Bearer {NEW}"))),
            ],
            "{method}"
        );
        assert_eq!(requests[0].body, requests[2].body, "{method}");
        assert_eq!(requests[0].headers.len(), requests[2].headers.len(), "{method}: each header once");
        assert_eq!(session.token().access_token(), NEW);

        // And is not asked for again.
        call(&session).unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(only_request(&org).header("authorization"), Some(&*format!("Bearer {NEW}")), "{method}");
        assert_eq!(org.logins(), 1, "{method}");
    }
}

#[test]
fn a_session_without_a_login_tells_that_it_has_expired() {
    let org = Org::start();
    only_new_token(&org, Answer::json(200, "1"));
    let session = kept(&org);
    for (method, call) in CALLS {
        let error = call(&session).unwrap_err();
        assert_eq!(headline(&error), EXPIRED, "{method}");
        assert_eq!(error.hints().len(), 2, "{method}: {error}");
        assert_eq!(only_request(&org).method, method);
    }
}

#[test]
fn no_other_refusal_leads_to_a_login() {
    let org = Org::start();
    let session = session(&org);
    drop(org.take_requests());
    let (expired, policy) =
        ("Session expired or invalid", "This session is not valid for use with the REST API");
    let refused = [
        (401, "INVALID_SESSION_ID", policy),
        (401, "INVALID_SESSION_ID", &policy.to_uppercase()),
        (401, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "the password has expired"),
        (401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
        (403, "INVALID_SESSION_ID", expired),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        (403, "API_DISABLED_FOR_ORG", "The REST API is not enabled"),
        (500, "INVALID_SESSION_ID", expired),
    ];
    let refused = refused.map(|(status, code, message)| {
        let says = format!("request refused: {message} ({code}) (HTTP {status})");
        (Answer::api_error(status, code, message), says)
    });
    let unexpected = [
        (Answer::html(401, "Unauthorized"), "an HTML page titled \"Unauthorized\" (HTTP 401)"),
        (Answer::text(401, "INVALID_SESSION_ID"), "text that is not JSON: INVALID_SESSION_ID (HTTP 401)"),
        (Answer::text(403, "Bad_OAuth_Token"), "text that is not JSON: Bad_OAuth_Token (HTTP 403)"),
        (Answer::new(401), "empty (HTTP 401)"),
    ];
    let unexpected = unexpected.map(|(answer, says)| (answer, format!("unexpected reply: {says}")));
    for (answer, message) in refused.into_iter().chain(unexpected) {
        org.answer(answer);
        let error = session.get::<Value>("limits").unwrap_err();
        assert_eq!(headline(&error), message);
        assert_eq!(only_request(&org).path, LIMITS, "{message}");
    }
    assert_eq!(org.logins(), 1);
}

#[test]
fn an_expired_session_may_be_told_in_an_object_or_beside_other_errors() {
    let org = Org::start();
    org.always("/services/data/", Answer::json(200, "1"));
    let error = json!({ "errorCode": "INVALID_SESSION_ID", "message": "Sitzung abgelaufen" });
    let other = json!({ "errorCode": "OTHER", "message": "besides" });
    // A token that has aged.
    let aged = json!([{ "errorCode": "INVALID_AUTH_HEADER", "message": "INVALID_JWT_FORMAT" }]);
    for reply in [error.clone(), json!([other, error]), aged] {
        let session = session(&org);
        let logins = org.logins();
        org.answer(Answer::json(401, &reply));
        assert_eq!(session.get::<u8>("x").unwrap(), 1, "{reply}");
        assert_eq!(org.logins(), logins + 1, "{reply}");
    }
}

#[test]
fn a_new_login_that_arrives_elsewhere_is_an_error_and_remembered() {
    let org = Org::start();
    let elsewhere = Org::start();
    let id = |org_id: &str, user_id: &str| format!("https://login.salesforce.com/id/{org_id}/{user_id}");
    let theirs = id(ORG_ID, USER_ID);
    let (other_org, other_user) = ("00D5g00000OtherEAR", "0055g00000OtherAAB");
    let instances = format!("instance ({}) than the session's ({})", elsewhere.url(), org.url());
    let cases = [
        ("instance", elsewhere.url(), theirs.clone(), &*instances),
        ("organization", org.url(), id(other_org, USER_ID), "organization than the session's"),
        ("user", org.url(), id(ORG_ID, other_user), "user than the session's"),
    ];
    for (what, instance, new_id, told) in cases {
        org.behave();
        only_new_token(&org, Answer::json(200, "1"));
        org.setup(|setup| {
            setup.instance_url = Some(instance.clone());
            setup.reply_extra.insert("id".to_owned(), Value::from(new_id));
        });
        let kept = json!({ "access_token": OLD, "instance_url": org.url(), "id": theirs });
        let session = login(&org).resume(serde_json::from_value(kept).unwrap()).unwrap();
        drop(org.take_requests());

        let first = session.get::<u8>("x").unwrap_err();
        let message = format!("unexpected reply: the new login arrived at another {told} (HTTP 200)");
        assert_eq!(headline(&first), message);
        assert_eq!(first.hints().len(), 1, "{what}: {first}");
        assert!(!first.is_transient(), "{what}");
        assert_eq!(session.token().access_token(), OLD, "{what}");
        assert_eq!(org.take_requests().len(), 2, "{what}: the request and a login");

        assert_eq!(shown(&session.get::<u8>("x").unwrap_err()), shown(&first), "{what}");
        assert_eq!(org.requests().len(), 0, "{what}: nothing more was sent");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn an_id_is_the_same_with_and_without_its_checksum() {
    let org = Org::start();
    only_new_token(&org, Answer::json(200, "1"));
    let id = format!("https://test.salesforce.com/id/{}/{}", &ORG_ID[..15], &USER_ID[..15]);
    for id in [Value::from(id), Value::Null, Value::from("https://login.salesforce.com/id/odd")] {
        let kept = json!({ "access_token": OLD, "instance_url": format!("{}/", org.url()), "id": id });
        let session = login(&org).resume(serde_json::from_value(kept).unwrap()).unwrap();
        assert_eq!(session.get::<u8>("x").unwrap(), 1, "{id}");
    }
}

#[test]
fn what_happens_unseen_is_logged_in_our_own_words() {
    let org = Org::start();
    let session = expired_session(&org, Answer::json(200, "1"));
    org.answer_to(TOKEN_PATH, Answer::html(503, "their words").header("Retry-After", "0"));
    org.answer_to("/services/data/", Answer::close().header("Retry-After", "0"));
    assert_eq!(session.get::<u8>("x").unwrap(), 1);
    let told = [
        "GET is sent again in 250 ms: no whole reply came",
        "the access token is not valid any more: logging in anew",
        "POST is sent again in 0 ms: HTTP 503",
        "the new login brought a token",
    ];
    assert_eq!(logged(), told);

    for (answer, end) in [
        (Answer::new(500), "the new login failed: the next is tried after 1 s"),
        (Answer::oauth_error("invalid_grant", "their words"), "the new login failed, and no other is tried"),
    ] {
        let session = login(&org).resume(token(&org, OLD)).unwrap();
        org.answer_to(TOKEN_PATH, answer);
        session.get::<u8>("x").unwrap_err();
        assert_eq!(logged(), ["the access token is not valid any more: logging in anew", end]);
    }

    org.answer_to("/services/data/", Answer::json(200, "[]").cut_after(1).header("Retry-After", "0"));
    kept(&org).get::<Value>("x").unwrap_err();
    assert_eq!(logged()[0], "GET is sent again in 0 ms: HTTP 200, truncated");

    let (unused, _kept) = nobody();
    let session = Session::new(Token::new(OLD, format!("http://{unused}")).unwrap()).unwrap();
    session.get::<u8>("x").unwrap_err();
    assert_eq!(logged()[0], "GET is sent again in 250 ms: nothing was sent");
}

/// Takes for valid only the token of a new login, and answers this to requests that have it.
fn only_new_token(org: &Org, answer: Answer) {
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    org.always_with("/services/data/", move |request| {
        if request.header("authorization") == Some(&*format!("Bearer {NEW}")) {
            answer.clone()
        } else {
            expired()
        }
    });
}

/// A session whose token has expired, and which can log in again.
fn expired_session(org: &Org, answer: Answer) -> Session {
    only_new_token(org, answer);
    login(org).resume(token(org, OLD)).expect("good settings")
}
