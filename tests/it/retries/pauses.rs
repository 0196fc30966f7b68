//! How long it takes until something is tried again.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fake_org::{Answer, Org};
use serde_json::Value;
use sf_login::Error;

use super::PAUSES;
use crate::support::{at_once, headline, kept, login};

#[test]
fn a_server_says_when_to_try_again() {
    let timeout = Duration::from_secs(5);
    let times = [("0", 3), (" 0 ", 3), ("5", 1), ("3600", 1), ("18446744073709551615", 1)];
    // As if it had said nothing.
    let nonsense = ["", "soon", "-1", "1.5", "18446744073709551616"].map(|nonsense| (nonsense, 3));
    at_once(times.into_iter().chain(nonsense), |(retry_after, tries)| {
        for (name, send) in [
            ("a read", (|org, timeout| kept(org).timeout(timeout).get::<Value>("x").map(drop)) as Timed),
            ("a login", |org, timeout| login(org).timeout(timeout).token().map(drop)),
        ] {
            let org = Org::start();
            org.always("/", Answer::new(503).header("Retry-After", retry_after));
            let started = Instant::now();
            let error = send(&org, timeout).unwrap_err();
            assert_eq!(headline(&error), "unexpected reply: empty (HTTP 503)", "{name}: {retry_after}");
            assert_eq!(org.requests().len(), tries, "{name}: {retry_after}");
            assert!(started.elapsed() < timeout, "{name}: {retry_after}: not waited for in vain");
            assert!(
                started.elapsed() >= PAUSES || times.iter().any(|(time, _)| *time == retry_after),
                "{name}: {retry_after}"
            );
        }
    });
}

#[test]
fn the_time_that_a_server_names_is_waited_for() {
    let org = Org::start();
    org.always("/", Answer::json(200, "1"));
    org.answer(Answer::new(429).header("Retry-After", "1"));
    let started = Instant::now();
    assert_eq!(kept(&org).post::<u8>("x", &1).unwrap(), 1);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(org.requests().len(), 2);
}

#[test]
fn pauses_grow() {
    let org = Org::start();
    let times = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&times);
    org.always_with("/", move |_| {
        noted.lock().unwrap().push(Instant::now());
        Answer::new(503)
    });
    kept(&org).get::<Value>("x").unwrap_err();
    let times = times.lock().unwrap();
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses.len(), 2);
    assert!(pauses[0] >= Duration::from_millis(240), "{pauses:?}");
    assert!(pauses[1] >= Duration::from_millis(740), "{pauses:?}");
}

type Timed = fn(&Org, Duration) -> Result<(), Error>;
