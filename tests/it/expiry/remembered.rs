//! What is remembered of a new login that brought no session, and for how long.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fake_org::{Answer, Org};
use serde_json::{Value, json};
use sf_login::{Session, ureq};

use super::{EXPIRED, expired_session, only_new_token};
use crate::support::{
    CALLS, OLD, TOKEN_PATH, agent, agent_by, at_once, expired, headline, host, logged, login, shown, token,
};

#[test]
fn a_refused_login_is_remembered() {
    let org = Org::start();
    let session = expired_session(&org, Answer::json(200, "1"));
    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    let first = session.get::<u8>("things").unwrap_err();
    assert_eq!(headline(&first), "login refused: authentication failure (invalid_grant, HTTP 400)");
    assert_eq!(
        shown(&first).lines().nth(1).unwrap(),
        format!("tried: password flow, user ada@example.com, host {}, security token set", host(&org))
    );
    assert_eq!(org.take_requests().len(), 2);

    // Not even when it would be taken now.
    org.behave();
    for (method, call) in CALLS {
        assert_eq!(shown(&call(&session).unwrap_err()), shown(&first), "{method}");
    }
    let records: Vec<_> = session.query::<Value>("SELECT Id FROM Account").collect();
    assert_eq!(records.len(), 1);
    assert_eq!(shown(records[0].as_ref().unwrap_err()), shown(&first));
    assert_eq!(org.requests().len(), 0, "nothing more was sent");
}

#[test]
fn a_new_token_that_is_rejected_at_once_is_remembered() {
    for (method, call) in CALLS {
        let org = Org::start();
        let session = expired_session(&org, Answer::json(200, "1"));
        org.always("/services/data/", expired());
        let first = call(&session).unwrap_err();
        assert_eq!(headline(&first), EXPIRED, "{method}");
        assert_eq!(first.hints().len(), 1, "{method}: {first}");
        assert_eq!(org.take_requests().len(), 3, "{method}: the request, a login, the request");

        for (again, call) in CALLS {
            assert_eq!(shown(&call(&session).unwrap_err()), shown(&first), "{again} after {method}");
        }
        assert_eq!(org.requests().len(), 0, "{method}: nothing more was sent");
    }
}

#[test]
fn a_new_token_is_not_accepted_by_an_edge_that_lost_its_way() {
    for answer in [Answer::html(420, "No route"), Answer::new(406).header("Server", "sfdcedge")] {
        let org = Org::start();
        let session = login(&org).resume(token(&org, OLD)).unwrap();
        org.always("/services/data/", expired());
        org.answer_to("/services/data/", expired());
        org.answer_to("/services/data/", answer);
        // A write, which is not sent again.
        assert!(session.post::<u8>("x", &1).unwrap_err().may_have_been_done());
        for _ in 0..2 {
            assert_eq!(headline(&session.get::<u8>("x").unwrap_err()), EXPIRED);
            assert_eq!(org.logins(), 1, "it is remembered that the new token is rejected");
        }
    }
}

#[test]
fn a_session_logs_in_anew_at_most_ten_times_a_minute_whatever_the_api_says_of_its_tokens() {
    let org = Org::start();
    let session = login(&org).resume(token(&org, OLD)).unwrap();
    // Rejects each token once, and then takes it.
    let seen = Mutex::new(HashSet::new());
    org.always_with("/services/data/", move |request| {
        let is_new = seen.lock().unwrap().insert(request.path.clone());
        if is_new { expired() } else { Answer::json(200, "1") }
    });
    for number in 1..=10 {
        assert_eq!(session.get::<u8>(&number.to_string()).unwrap(), 1);
        assert_eq!(org.logins(), number);
    }
    for number in 11..=12 {
        let error = session.clone().get::<u8>(&number.to_string()).unwrap_err();
        assert_eq!(headline(&error), EXPIRED);
        assert_eq!(org.logins(), 10, "the API's refusal is given");
    }
    assert_eq!(session.get::<u8>("1").unwrap(), 1, "what takes the token is not barred");
}

#[test]
fn a_new_login_that_failed_for_the_moment_is_tried_again_after_a_second() {
    let later = |answer: Answer| answer.header("Retry-After", "0");
    let passing = [
        ("a maintenance page", Answer::html(200, "Maintenance")),
        ("a portal", Answer::redirect(302, "https://portal.example/")),
        ("nothing", Answer::new(200)),
        ("408", Answer::new(408)),
        ("420", Answer::html(420, "No route")),
        ("500", Answer::html(500, "Oops")),
        ("503", later(Answer::new(503))),
        ("520", Answer::html(520, "Unknown error")),
        ("500 in JSON", Answer::json(500, json!({ "status": 500, "error": "Internal Server Error" }))),
        ("503 in JSON", later(Answer::json(503, json!({ "status": 503, "error": "Service Unavailable" })))),
        ("503 in a word", later(Answer::json(503, json!({ "error": "unavailable" })))),
        ("404 in JSON", Answer::json(404, json!({ "error": "Not Found" }))),
        ("a portal's JSON", Answer::json(200, json!({ "error": "portal" }))),
        ("a lost connection", Answer::close()),
        ("garbage", Answer::raw("SSH-2.0-OpenSSH_9.6\r\n")),
        ("rate_limit_exceeded", Answer::oauth_error("rate_limit_exceeded", "login rate exceeded")),
        ("temporarily_unavailable", Answer::oauth_error("temporarily_unavailable", "later")),
        ("unknown_error", Answer::oauth_error("unknown_error", "something else")),
    ];
    at_once(passing, |(name, answer)| {
        let org = Org::start();
        let session = expired_session(&org, Answer::json(200, "1"));
        org.always(TOKEN_PATH, answer);
        session.get::<u8>("x").expect_err(name);
        let logins = org.logins();

        // It is the time that is tested.
        thread::sleep(MORE_THAN_A_SECOND);
        org.behave();
        only_new_token(&org, Answer::json(200, "1"));
        assert_eq!(session.get::<u8>("x").unwrap_or_else(|error| panic!("{name}: {error}")), 1, "{name}");
        assert_eq!(org.logins(), logins + 1, "{name}");
    });
}

#[test]
fn the_wait_after_a_failed_login_grows_until_a_token_comes() {
    let waits = |session: &Session| {
        session.get::<u8>("x").unwrap_err();
        logged().pop().unwrap_or_default()
    };
    let wait = |seconds| format!("the new login failed: the next is tried after {seconds} s");
    let (org, other) = (Org::start(), Org::start());
    let (session, heals) =
        (expired_session(&org, Answer::new(500)), expired_session(&other, Answer::new(500)));
    for (org, session) in [(&org, &session), (&other, &heals)] {
        org.always(TOKEN_PATH, Answer::new(500));
        assert_eq!(waits(session), wait(1));
    }
    // It is the time that is tested.
    thread::sleep(MORE_THAN_A_SECOND);
    assert_eq!(waits(&session), wait(2));
    assert_eq!(waits(&session), "", "within the wait, nothing is tried");

    other.behave();
    only_new_token(&other, Answer::json(200, "1"));
    assert_eq!(heals.get::<u8>("x").unwrap(), 1);
    other.answer_to("/services/data/", expired());
    other.answer_to(TOKEN_PATH, Answer::new(500));
    assert_eq!(waits(&heals), wait(1), "a token starts it anew");
}

#[test]
fn a_new_login_that_tls_or_a_proxy_refused_for_the_moment_is_tried_again_after_a_second() {
    let alert =
        || io::Error::new(io::ErrorKind::InvalidData, "received fatal alert: HandshakeFailure").into();
    let wants_a_password = || ureq::Error::ConnectProxyFailed("proxy server responded 407/x".to_owned());
    let refusals = [("TLS", alert as fn() -> ureq::Error), ("a proxy", wants_a_password)];
    at_once(refusals, |(name, refusal)| {
        let org = Org::start();
        let url = org.url();
        org.setup(|setup| setup.instance_url = Some(url));
        let (addr, shut) = (org.addr(), Arc::new(AtomicBool::new(true)));
        let is_shut = Arc::clone(&shut);
        // Logins take another way than requests, by a door that is shut for a while.
        let agent = agent_by(&agent(&org), move |uri, _| {
            if uri.host() == Some("localhost") && is_shut.load(SeqCst) { Err(refusal()) } else { Ok(addr) }
        });
        let login = login(&org).login_url(format!("http://localhost:{}", addr.port())).agent(agent);
        let session = login.resume(token(&org, OLD)).unwrap();
        only_new_token(&org, Answer::json(200, "2"));

        session.get::<u8>("x").expect_err(name);
        assert_eq!(org.logins(), 0, "{name}");
        thread::sleep(MORE_THAN_A_SECOND);
        shut.store(false, SeqCst);
        assert_eq!(session.get::<u8>("x").unwrap_or_else(|error| panic!("{name}: {error}")), 2, "{name}");
        assert_eq!(org.logins(), 1, "{name}");
    });
}

#[test]
fn a_new_login_whose_credentials_are_refused_is_never_tried_again() {
    let truncated = |status| Answer::json(status, json!({ "error": "invalid_grant" })).cut_after(9);
    let refused = [
        ("invalid_grant", Answer::oauth_error("invalid_grant", "authentication failure")),
        ("invalid_client", Answer::oauth_error("invalid_client", "invalid client credentials")),
        ("inactive_user", Answer::oauth_error("inactive_user", "user is inactive")),
        ("inactive_org", Answer::oauth_error("inactive_org", "organization is inactive")),
        ("a code nobody knows", Answer::oauth_error("not_yet_documented", "")),
        ("beside no token", Answer::json(200, json!({ "access_token": null, "error": "invalid_grant" }))),
        (
            "beside an empty one",
            Answer::json(200, json!({ "access_token": "", "error": "not_yet_documented" })),
        ),
        (
            "beside what is none",
            Answer::json(200, json!({ "access_token": false, "error": "invalid_grant" })),
        ),
        ("in a fragment", Answer::redirect(302, "/error#error=invalid_grant&error_description=no")),
        ("401", Answer::json(401, json!({ "error": "invalid_grant" }))),
        ("a truncated 400", truncated(400)),
        ("a truncated 401", truncated(401)),
        ("a truncated 403", truncated(403)),
        ("an empty 400", Answer::new(400)),
        ("an empty 401", Answer::new(401)),
        ("a page with 403", Answer::html(403, "Forbidden")),
    ];
    at_once(refused, |(name, answer)| {
        let org = Org::start();
        let session = expired_session(&org, Answer::json(200, "1"));
        org.always(TOKEN_PATH, answer);
        let first = session.get::<u8>("x").expect_err(name);
        assert_eq!(org.logins(), 1, "{name}");
        drop(org.take_requests());

        // It is the time that is tested.
        thread::sleep(MORE_THAN_A_SECOND);
        org.behave();
        only_new_token(&org, Answer::json(200, "1"));
        assert_eq!(shown(&session.get::<u8>("x").expect_err(name)), shown(&first), "{name}");
        assert_eq!(org.requests().len(), 0, "{name}: nothing more was sent");
    });
}

/// For how long a failure that passes is shared, and a little more.
const MORE_THAN_A_SECOND: Duration = Duration::from_millis(1200);
