//! Threads and clones that meet the same expired session.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use fake_org::{Answer, Org};
use serde_json::{Value, json};
use sf_login::Session;

use super::expired_session;
use crate::support::{
    LIMITS, NEW, OLD, SOON, TOKEN_PATH, agent, agent_by, at_once, expired, headline, host, login, paths,
    shown, token, within,
};

const THREADS: usize = 8;

#[test]
fn a_request_that_is_overtaken_by_a_new_login_uses_its_token() {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    let (release, held) = mpsc::channel();
    let held = Mutex::new(held);
    org.always_with("/services/data/", move |request| {
        let new = request.header("authorization") == Some(&*format!("Bearer {NEW}"));
        if new {
            return Answer::json(200, "1");
        }
        if request.path.ends_with("/slow") {
            held.lock().unwrap().recv().expect("the test goes on");
        }
        expired()
    });
    let session = login(&org).resume(token(&org, OLD)).unwrap();
    thread::scope(|scope| {
        let slow = scope.spawn(|| session.get::<u8>("slow"));
        org.wait_for_requests(1);
        assert_eq!(session.get::<u8>("quick").unwrap(), 1);
        release.send(()).expect("the answer waits");
        assert_eq!(slow.join().unwrap().unwrap(), 1);
    });
    assert_eq!(org.logins(), 1);
}

#[test]
fn threads_that_meet_the_same_expired_token_log_in_once() {
    let org = Org::start();
    let session = expired_for_threads(&org);
    let results = at_once(0..THREADS, |number| session.post::<Value>(&format!("things/{number}"), &number));
    for (number, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap(), json!(format!("/services/data/v66.0/things/{number}")));
    }
    assert_eq!(org.logins(), 1);
    let requests = org.requests();
    let with = |token: &str| {
        let bearer = format!("Bearer {token}");
        requests.iter().filter(|r| r.header("authorization") == Some(&*bearer)).count()
    };
    assert_eq!((with(OLD), with(NEW), requests.len()), (THREADS, THREADS, 2 * THREADS + 1));
}

#[test]
fn threads_share_a_login_that_fails() {
    let maintenance = Answer::html(503, "Maintenance");
    for (answer, message, tries) in [
        (Answer::oauth_error("invalid_grant", "no"), "login refused: no (invalid_grant, HTTP 400)", 1),
        (maintenance, "unexpected reply: an HTML page titled \"Maintenance\" (HTTP 503)", 3),
    ] {
        let org = Org::start();
        let session = expired_for_threads(&org);
        org.always(TOKEN_PATH, answer);
        for result in at_once(0..THREADS, |_| session.get::<Value>("x")) {
            let error = result.unwrap_err();
            assert_eq!((headline(&error), error.is_transient()), (message.to_owned(), tries > 1));
        }
        assert_eq!(org.logins(), tries, "{message}");
    }
}

#[test]
fn a_thread_gives_up_on_a_login_that_has_more_time_than_itself() {
    let org = Org::start();
    let session = expired_session(&org, Answer::json(200, "1"));
    let (release, held) = mpsc::channel();
    let (held, url) = (Mutex::new(held), org.url());
    org.always_with(TOKEN_PATH, move |_| {
        held.lock().unwrap().recv().expect("the test goes on");
        Answer::json(200, json!({ "access_token": NEW, "instance_url": url }))
    });
    let hasty = session.clone().timeout(Duration::from_millis(500));
    thread::scope(|scope| {
        let patient = scope.spawn(|| session.get::<u8>("x"));
        // Its request, and its login.
        org.wait_for_requests(2);
        let error = within(SOON, move || hasty.get::<u8>("x").unwrap_err());
        assert!(error.is_transient(), "{error}");
        let cause = "another thread's new login took longer than this request may";
        assert_eq!(headline(&error), format!("no reply from {}: {cause}", host(&org)));
        release.send(()).expect("the login waits");
        assert_eq!(patient.join().unwrap().unwrap(), 1);
    });
    assert_eq!(org.logins(), 1);

    // Nor has its own login more time than its request.
    let session = expired_session(&org, Answer::json(200, "1")).timeout(Duration::from_secs(1));
    org.always(TOKEN_PATH, Answer::stall());
    let error = within(SOON, move || session.get::<u8>("x").unwrap_err());
    assert_eq!(headline(&error), format!("no reply from {}: no complete reply within 1 s", host(&org)));
}

#[test]
fn a_login_that_panics_leaves_the_next_one_its_turn() {
    let org = Org::start();
    let (panics, addr) = (AtomicBool::new(true), org.addr());
    let agent = agent_by(&agent(&org), move |uri, _| {
        assert!(
            uri.host() != Some("127.0.0.9") || !panics.swap(false, SeqCst),
            "the caller's own resolver fails"
        );
        Ok(addr)
    });
    let elsewhere = format!("http://127.0.0.9:{}", addr.port());
    let session = expired_session(&org, Answer::json(200, "1"));
    let session = login(&org).login_url(elsewhere).agent(agent).resume(session.token()).unwrap();
    let panicking = session.clone();
    assert!(thread::spawn(move || panicking.get::<u8>("x")).join().is_err());
    assert_eq!(session.timeout(SOON).get::<u8>("x").unwrap(), 1);
    assert_eq!(org.logins(), 1);
}

#[test]
fn clones_share_the_token_and_the_login_and_have_settings_of_their_own() {
    let org = Org::start();
    let session = expired_session(&org, Answer::json(200, "1"));
    let clone = session.clone().api_version("61.0").timeout(Duration::from_secs(5));
    assert_eq!(clone.get::<u8>("limits").unwrap(), 1);
    let old = "/services/data/v61.0/limits";
    assert_eq!(paths(&org.take_requests()), [old, TOKEN_PATH, old]);
    // The other has the new token without asking for it.
    assert_eq!(session.token().access_token(), NEW);
    assert_eq!(session.get::<u8>("limits").unwrap(), 1);
    assert_eq!(paths(&org.take_requests()), [LIMITS]);

    // They share a refusal as well.
    let session = login(&org).resume(token(&org, OLD)).unwrap();
    let clone = session.clone();
    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    let first = session.get::<u8>("x").unwrap_err();
    assert_eq!(headline(&first), "login refused: authentication failure (invalid_grant, HTTP 400)");
    drop(org.take_requests());
    assert_eq!(shown(&clone.get::<u8>("x").unwrap_err()), shown(&first));
    assert_eq!(org.requests().len(), 0, "nothing more was sent");
}

/// As `expired_session`, for threads that all meet the old token before any has a new one.
fn expired_for_threads(org: &Org) -> Session {
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    let all = Barrier::new(THREADS);
    org.always_with("/services/data/", move |request| {
        if request.header("authorization") == Some(&*format!("Bearer {NEW}")) {
            Answer::json(200, json!(request.path))
        } else {
            all.wait();
            expired()
        }
    });
    login(org).resume(token(org, OLD)).expect("good settings").timeout(Duration::from_secs(20))
}
