//! What is an error rather than a shorter result.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::{Answer, Org};
use serde_json::Value;
use serde_json::value::RawValue;
use sf_login::Session;

use super::{Account, SOQL, all, fails, page, three_pages};
use crate::support::{OLD, QUERY, Run, headline, kept, kept_env, paths, run};

#[test]
fn a_query_ends_after_its_first_error() {
    let org = Org::start();
    let first =
        page(r#""totalSize":4,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/2""#, &["1", "2"]);
    let cases = [
        (
            Answer::api_error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
            "request refused: invalid query locator (INVALID_QUERY_LOCATOR) (HTTP 400)",
        ),
        (Answer::html(200, "Login"), "unexpected reply: an HTML page titled \"Login\" (HTTP 200)"),
        (
            Answer::json(200, r#"{"totalSize":4,"done":true,"records":[{"Id":"3"},{"Name":"4"}]}"#),
            "unexpected reply: JSON without the field `Id` at records[1] (line 1 column 61) (HTTP 200)",
        ),
    ];
    for (second, message) in cases {
        for error_first in [false, true] {
            if !error_first {
                org.answer(first.clone());
            }
            org.answer(second.clone());
            let session = kept(&org);
            let mut accounts = session.query::<Account>(SOQL);
            if !error_first {
                assert_eq!(accounts.next().unwrap().unwrap().id, "1");
                assert_eq!(accounts.next().unwrap().unwrap().id, "2");
            }
            assert_eq!(headline(&accounts.next().unwrap().unwrap_err()), message);
            let sent = org.take_requests().len();
            assert_eq!(sent, if error_first { 1 } else { 2 }, "{message}");
            for _ in 0..3 {
                assert!(accounts.next().is_none(), "{message}");
            }
            assert_eq!(org.requests().len(), 0, "{message}: nothing more was sent");
        }
    }
}

#[test]
fn a_page_that_is_none_is_an_error_and_not_an_empty_result() {
    let org = Org::start();
    let session = kept(&org);
    let unfit = "JSON that does not fit the type asked for";
    let unfit_null = "JSON null that does not fit the type asked for";
    let not_done = "the query is not done, but has no nextRecordsUrl";
    for (body, problem) in [
        ("", "not JSON at line 1 column 0".to_owned()),
        ("null", format!("{unfit_null}, expected a page of records (line 1 column 4)")),
        ("[]", format!("{unfit}, expected a page of records (line 1 column 2)")),
        ("{}", "JSON without the field `done` (line 1 column 2)".to_owned()),
        (r#"{"done":true}"#, "JSON without the field `records` (line 1 column 13)".to_owned()),
        (r#"{"records":[]}"#, "JSON without the field `done` (line 1 column 14)".to_owned()),
        (
            r#"{"done":"true","records":[]}"#,
            format!("{unfit} at done, expected a boolean (line 1 column 14)"),
        ),
        (
            r#"{"done":true,"records":{}}"#,
            format!("{unfit} at records, expected a sequence (line 1 column 23)"),
        ),
        (
            r#"{"done":true,"records":null}"#,
            format!("{unfit_null} at records, expected a sequence (line 1 column 27)"),
        ),
        (r#"{"done":true,"records":[{"Id":"1"}"#, "not JSON at line 1 column 34".to_owned()),
        (r#"{"done":true,"records":[]}]"#, "not JSON at line 1 column 27".to_owned()),
        ("{\"done\":false,\n\"records\":[{\"Id\":\"1\"}]}", not_done.to_owned()),
        (r#"{"done":false,"records":[],"nextRecordsUrl":null}"#, not_done.to_owned()),
        (
            r#"{"done":false,"records":[{"Id":"1"}],"nextRecordsUrl":7}"#,
            format!("{unfit} at nextRecordsUrl, expected a string (line 1 column 55)"),
        ),
    ] {
        let message = format!("unexpected reply: {problem} (HTTP 200)");
        fails(&org, body, &message, || session.query::<Account>(SOQL).collect());
        fails(&org, body, &message, || session.query::<Value>(SOQL).collect());
        fails(&org, body, &message, || session.query::<Box<RawValue>>(SOQL).collect());
    }
    // A reply with a status that has no body is no page either.
    org.answer(Answer::new(204));
    let error = session.query::<Value>(SOQL).next().unwrap().unwrap_err();
    assert_eq!(headline(&error), "unexpected reply: not JSON at line 1 column 0 (HTTP 204)");
}

#[test]
fn a_page_that_comes_again_is_an_error() {
    let next = |url: &str| format!(r#""totalSize":9,"done":false,"nextRecordsUrl":"{url}""#);
    let message = "unexpected reply: the query repeats a page: nextRecordsUrl leads back (HTTP 200)";

    let org = Org::start();
    org.always(QUERY, page(&next("/services/data/v66.0/query?q=SELECT%20Id%20FROM%20Account"), &["1"]));
    assert_eq!(ids_until_error(&kept(&org)), (vec![], message.to_owned()));
    assert_eq!(org.requests().len(), 1, "to the query itself");

    let org = Org::start();
    org.always(QUERY, page(&next(&format!("{QUERY}/a")), &["1"]));
    assert_eq!(ids_until_error(&kept(&org)), (vec!["1".to_owned()], message.to_owned()));
    assert_eq!(org.requests().len(), 2, "to itself");

    let org = Org::start();
    org.always(QUERY, page(&next(&format!("{QUERY}/a")), &["1"]));
    org.always(&format!("{QUERY}/a"), page(&next(&format!("{QUERY}/b")), &["2"]));
    org.always(&format!("{QUERY}/b"), page(&next(&format!("{}{QUERY}/a", org.url())), &["3"]));
    let ids = vec!["1".to_owned(), "2".to_owned()];
    assert_eq!(ids_until_error(&kept(&org)), (ids, message.to_owned()));
    assert_eq!(org.requests().len(), 3, "by way of another");
}

#[test]
fn pages_without_an_end_are_an_error() {
    let org = Org::start();
    let number = AtomicUsize::new(0);
    let total = |size: usize| format!(r#"{{"totalSize":{size},"done":false,"nextRecordsUrl":"{QUERY}/"#);
    org.always_with(QUERY, move |_| {
        let n = number.fetch_add(1, SeqCst);
        Answer::json(200, format!(r#"{}{n}","records":[{{"Id":"{n}"}}]}}"#, total(3)))
    });
    let (ids, message) = ids_until_error(&kept(&org));
    assert_eq!(message, "unexpected reply: the query goes on after all its records (HTTP 200)");
    assert_eq!(ids, ["0", "1", "2"]);

    let org = Org::start();
    org.always(QUERY, page(&format!(r#""done":false,"nextRecordsUrl":"{QUERY}/2""#), &[]));
    let (ids, message) = ids_until_error(&kept(&org));
    assert_eq!(message, "unexpected reply: the query goes on with a page without records (HTTP 200)");
    assert_eq!((ids.len(), org.requests().len()), (0, 1));
}

#[test]
fn a_truncated_page_is_asked_for_again() {
    let ways: [(&str, Cut); 3] = [
        ("under its length", |answer| answer.cut_after(40)),
        ("under chunks", |answer| answer.chunked().cut_after(40)),
        ("under gzip", |answer| answer.gzip().cut_after(40)),
    ];
    for (name, cut) in ways {
        let org = Org::start();
        three_pages(&org);
        let second = page(&format!(r#""done":false,"nextRecordsUrl":"{QUERY}/01g-4""#), &["3", "4"]);
        org.answer_to(&format!("{QUERY}/01g-2"), cut(second.header("Retry-After", "0")));
        let typed: Vec<Account> = all(&kept(&org));
        assert_eq!(
            typed.iter().map(|account| &*account.id).collect::<Vec<_>>(),
            ["1", "2", "3", "4", "5"],
            "{name}"
        );
        let [first, second, third] = ["", "/01g-2", "/01g-4"].map(|rest| format!("{QUERY}{rest}"));
        assert_eq!(paths(&org.requests()), [&first, &second, &second, &third], "{name}");
    }
}

#[test]
fn the_place_of_a_mistake_behind_deep_nesting_takes_no_memory_of_its_own() {
    if !cfg!(target_os = "linux") {
        println!("skipped: other systems may not hold a process to its memory");
        return;
    }
    let org = Org::start();
    let depth = 8_000_000;
    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    org.always("/services/data/", Answer::json(200, format!("{{\"x\":{nested},\"done\":5}}")));
    // Much more than the reply, and less than a step of the path for each level.
    let ended = query_within(&org, 250_000);
    let column = 2 * depth + 14;
    let problem = "JSON that does not fit the type asked for at done, expected a boolean";
    assert_eq!(
        (ended.code, ended.headline()),
        (Some(1), &*format!("sf-login: unexpected reply: {problem} (line 1 column {column}) (HTTP 200)"))
    );
}

type Cut = fn(Answer) -> Answer;

#[test]
fn the_addresses_of_many_pages_take_no_memory() {
    if !cfg!(target_os = "linux") {
        println!("skipped: other systems may not hold a process to its memory");
        return;
    }
    let org = Org::start();
    let (long, number) = ("x".repeat(60_000), AtomicUsize::new(0));
    org.always_with(QUERY, move |_| match number.fetch_add(1, SeqCst) {
        1_200 => Answer::json(200, r#"{"done":true,"records":[1]}"#),
        n => Answer::json(
            200,
            format!(r#"{{"done":false,"nextRecordsUrl":"{QUERY}/{n}-{long}","records":[1]}}"#),
        ),
    });
    // Half of what the addresses are long.
    let ended = query_within(&org, 40_000);
    assert_eq!((ended.code, ended.stdout.lines().count(), &*ended.stderr), (Some(0), 1_201, ""));
}

#[test]
fn what_a_page_tells_twice_is_an_error() {
    let (org, next) = (Org::start(), format!(r#""nextRecordsUrl":"{QUERY}/2""#));
    let session = kept(&org);
    for (page, problem) in [
        (
            r#""done":true,"records":[{"Id":"1"}],"records":[]"#.to_owned(),
            "JSON with the field `records` twice",
        ),
        (r#""done":false,"done":true,"records":[{"Id":"1"}]"#.to_owned(), "JSON with the field `done` twice"),
        (
            format!(r#""done":false,{next},"nextRecordsUrl":null,"records":[{{"Id":"1"}}]"#),
            "JSON with the field `nextRecordsUrl` twice",
        ),
        (
            format!(r#""done":true,{next},"records":[{{"Id":"1"}}]"#),
            "the query is done, but has a nextRecordsUrl",
        ),
    ] {
        org.answer(Answer::json(200, format!("{{{page}}}")));
        let mut records = session.query::<Value>(SOQL);
        let error = records.next().expect("an error").unwrap_err();
        assert!(headline(&error).starts_with(&format!("unexpected reply: {problem}")), "{page}: {error}");
        assert!(records.next().is_none(), "{page}");
        assert_eq!(org.take_requests().len(), 1, "{page}");
    }
    org.answer(page(r#""done":true,"nextRecordsUrl":null"#, &["1"]));
    assert_eq!(all::<Account>(&session).len(), 1, "null is none");
}

/// Runs the binary in so many KiB of memory.
fn query_within(org: &Org, kib: u32) -> Run {
    let limited = format!("ulimit -v {kib}; exec '{}' query '{SOQL}'", env!("CARGO_BIN_EXE_sf-login"));
    run(&kept_env(org, OLD), "sh", &["-c", &limited], b"")
}

/// The ids that came, and the first line of the error that ended it.
#[track_caller]
fn ids_until_error(session: &Session) -> (Vec<String>, String) {
    let mut ids = Vec::new();
    let mut accounts = session.query::<Account>(SOQL);
    loop {
        match accounts.next().expect("it does not end without an error") {
            Ok(account) => ids.push(account.id),
            Err(error) => {
                assert!(accounts.next().is_none(), "it ends after its first error");
                return (ids, headline(&error));
            }
        }
    }
}
