//! Queries: pages one at a time, records as they are, and an error rather than a shorter result.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::iter;
use std::time::Duration;

use fake_org::{Answer, Org};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sf_login::{Error, ErrorKind, Session, path_segment, soql_quote};

use crate::support::{OLD, QUERY, headline, kept, kept_env, only_request, paths, run, sf_login, shown};

const SOQL: &str = "SELECT Id FROM Account";

#[derive(Debug, Deserialize, PartialEq)]
struct Account {
    #[serde(rename = "Id")]
    id: String,
}

#[test]
fn a_page_is_asked_for_when_it_is_needed() {
    let org = Org::start();
    three_pages(&org);
    let session = kept(&org);
    let mut accounts = session.query::<Account>(SOQL);
    assert_eq!((accounts.total(), accounts.size_hint()), (None, (0, None)));
    assert_eq!(org.connections(), 0, "nothing is sent before the first is asked for");

    for (id, pages, left) in [("1", 1, 1), ("2", 1, 0), ("3", 2, 1), ("4", 2, 0), ("5", 3, 0)] {
        assert_eq!(accounts.next().unwrap().unwrap().id, id);
        assert_eq!(org.requests().len(), pages, "after record {id}");
        assert_eq!((accounts.total(), accounts.size_hint()), (Some(5), (left, None)), "after record {id}");
    }
    for _ in 0..3 {
        assert!(accounts.next().is_none());
        assert_eq!((accounts.total(), accounts.size_hint()), (Some(5), (0, None)));
    }
    let lines: Vec<_> = org.take_requests().into_iter().map(|r| (r.path, r.query)).collect();
    let page = |path: &str, query: &str| (path.to_owned(), query.to_owned());
    assert_eq!(
        lines,
        [
            page(QUERY, "q=SELECT%20Id%20FROM%20Account"),
            page("/services/data/v66.0/query/01g-2", ""),
            page("/services/data/v66.0/query/01g-4", ""),
        ]
    );
    assert_eq!(org.connections(), 1);
}

#[test]
fn records_come_typed_or_as_json() {
    let org = Org::start();
    three_pages(&org);
    let session = kept(&org);
    let ids = ["1", "2", "3", "4", "5"];
    let typed: Vec<Account> = all(&session);
    assert_eq!(typed, ids.map(|id| Account { id: id.to_owned() }));
    assert_eq!(all::<Value>(&session), ids.map(|id| json!({ "Id": id })));
    let raw: Vec<Box<RawValue>> = all(&session);
    assert_eq!(
        raw.iter().map(|record| record.get()).collect::<Vec<_>>(),
        ids.map(|id| format!("{{\"Id\":\"{id}\"}}"))
    );
}

#[test]
fn raw_records_keep_every_byte() {
    let org = Org::start();
    let records = [
        r#"{"Amount":1.10,"Big":12345678901234567890123,"Small":1e-7,"Minus":-0.0}"#,
        "{ \"Name\" : \"\\u00e4\\/ä\" ,\r\n\t\"Id\":\"1\" }",
        r#"{"b":1,"a":2,"b":3}"#,
        // What a Value cannot hold.
        r#"{"Name":"\ud800 x","Huge":1e400,"Contacts":{"done":true,"records":[{"Name":"\udc00"}]}}"#,
        "null",
    ];
    let page = format!("{{\"totalSize\":5,\"records\": [ {} ],\n\"done\" : true}}", records.join(" , "));
    org.always(QUERY, Answer::json(200, page));
    let session = kept(&org);
    let raw: Vec<Box<RawValue>> = all(&session);
    assert_eq!(raw.iter().map(|record| record.get()).collect::<Vec<_>>(), records);
}

#[test]
fn a_count_is_the_total_and_has_no_records() {
    let org = Org::start();
    org.always(QUERY, Answer::json(200, r#"{"totalSize":4711,"done":true,"records":[]}"#));
    let session = kept(&org);
    let mut count = session.query::<Value>("SELECT COUNT() FROM Account");
    assert!(count.next().is_none());
    assert_eq!(count.total(), Some(4711));
}

#[test]
fn a_total_that_is_not_known_is_none() {
    let org = Org::start();
    let session = kept(&org);
    for size in ["", r#""totalSize":-1,"#, r#""totalSize":null,"#] {
        org.answer(page(&format!(r#"{size}"done":false,"nextRecordsUrl":"{QUERY}/2""#), &["1"]));
        org.answer(page(&format!(r#"{size}"done":true"#), &["2"]));
        let mut accounts = session.query::<Account>(SOQL);
        let ids: Vec<_> = accounts.by_ref().map(|account| account.unwrap().id).collect();
        assert_eq!(ids, ["1", "2"], "{size}");
        assert_eq!(accounts.total(), None, "{size}");
    }
}

#[test]
fn records_that_are_deleted_meanwhile_are_no_error() {
    let org = Org::start();
    let first = format!(r#""totalSize":4,"done":false,"nextRecordsUrl":"{QUERY}/2""#);
    org.answer(page(&first, &["1", "2"]));
    org.answer(page(r#""totalSize":4,"done":true"#, &["3"]));
    let session = kept(&org);
    let mut accounts = session.query::<Account>(SOQL);
    assert_eq!(accounts.by_ref().map(|account| account.unwrap().id).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(accounts.total(), Some(4), "as Salesforce counted");
}

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
    let not_done = "the query is not done, but has no nextRecordsUrl";
    for (body, problem) in [
        ("", "not JSON at line 1 column 0".to_owned()),
        ("null", format!("{unfit}, expected a page of records (line 1 column 4)")),
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
            format!("{unfit} at records, expected a sequence (line 1 column 27)"),
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
    let number = std::sync::atomic::AtomicUsize::new(0);
    let total = |size: usize| format!(r#"{{"totalSize":{size},"done":false,"nextRecordsUrl":"{QUERY}/"#);
    org.always_with(QUERY, move |_| {
        let n = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
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
fn a_subquery_that_goes_on_elsewhere_is_an_error_where_nobody_would_see_it() {
    let rows = r#"{"totalSize":300,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-200","records":[{"Id":"c"}]}"#;
    let nested = format!(r#"{{"totalSize":1,"done":true,"records":[{{"Id":"c","Cases":{rows}}}]}}"#);
    let spaced = rows.replace(':', " :\n ").replace(',', " , ");
    let message = "unexpected reply: a subquery has more rows than the page holds (HTTP 200)";
    let org = Org::start();
    let session = kept(&org);
    for rows in [rows, &nested, &spaced] {
        let body = format!(
            r#"{{"totalSize":2,"done":true,"records":[{{"Id":"1","Contacts":null}},{{"Id":"2","Contacts":{rows}}}]}}"#
        );
        fails(&org, &body, message, || session.query::<Value>(SOQL).collect());
        fails(&org, &body, message, || session.query::<Box<RawValue>>(SOQL).collect());

        // A type of the caller's own says which fields it wants.
        org.answer(Answer::json(200, &body));
        let typed: Vec<Account> = all(&session);
        assert_eq!(typed.iter().map(|account| &*account.id).collect::<Vec<_>>(), ["1", "2"]);
    }
}

#[test]
fn an_unfinished_subquery_is_an_error_for_every_type_that_takes_all_columns() {
    let rows = r#"{"totalSize":300,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-200","records":[{"Id":"c"}]}"#;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let org = Org::start();
    let session = kept(&org);
    for beside in [
        r#""plain""#,
        r#""\ud800""#,
        r#""\udc00\ud800 x""#,
        "1e400",
        "-1e-400",
        "123456789012345678901234567890",
        &deep,
        r#"{"done":true}"#,
        r#"{"done":false}"#,
    ] {
        // In its place among the columns, and last.
        for record in [
            format!(r#"{{"Id":"1","Other":{beside},"Contacts":{rows}}}"#),
            format!(r#"{{"Id":"1","Contacts":{rows},"Other":{beside}}}"#),
            format!(
                r#"{{"Id":"1","Other":{beside},"Contacts":{{"totalSize":1,"done":true,"records":[{{"Cases":{rows}}}]}}}}"#
            ),
        ] {
            let page = format!(r#"{{"totalSize":1,"done":true,"records":[{record}]}}"#);
            never_whole::<Value>(&org, &session, &page);
            never_whole::<Box<RawValue>>(&org, &session, &page);
            never_whole::<Option<Value>>(&org, &session, &page);
            never_whole::<Map<String, Value>>(&org, &session, &page);
            never_whole::<BTreeMap<String, Value>>(&org, &session, &page);
            never_whole::<HashMap<String, Box<RawValue>>>(&org, &session, &page);
            never_whole::<BTreeMap<String, Option<Value>>>(&org, &session, &page);

            org.always(QUERY, Answer::json(200, &page));
            let run = sf_login(&kept_env(&org, OLD), &["query", SOQL]);
            assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{page}");
            org.behave();
        }
    }
}

#[test]
fn a_subquery_that_is_whole_is_no_error() {
    let org = Org::start();
    let session = kept(&org);
    for record in [
        r#"{"Contacts":{"totalSize":1,"done":true,"records":[{"Id":"c"}]}}"#,
        r#"{"Contacts":null}"#,
        // Fields and texts that look like it.
        r#"{"Name":"\"done\":false,\"records\":[]"}"#,
        r#"{"done":false}"#,
        r#"{"records":"x","done":"false"}"#,
    ] {
        let body = format!(r#"{{"totalSize":1,"done":true,"records":[{record}]}}"#);
        org.answer(Answer::json(200, &body));
        assert_eq!(all::<Value>(&session), [serde_json::from_str::<Value>(record).unwrap()]);
        org.answer(Answer::json(200, &body));
        assert_eq!(all::<Box<RawValue>>(&session)[0].get(), record);
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
    // In KiB: much more than the reply, and less than a step of the path for each level.
    let limited = format!("ulimit -v 250000; exec '{}' query '{SOQL}'", env!("CARGO_BIN_EXE_sf-login"));
    let ended = run(&kept_env(&org, OLD), "sh", &["-c", &limited], b"");
    let column = 2 * depth + 14;
    let problem = "JSON that does not fit the type asked for at done, expected a boolean";
    assert_eq!(
        (ended.code, ended.headline()),
        (Some(1), &*format!("sf-login: unexpected reply: {problem} (line 1 column {column}) (HTTP 200)"))
    );
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
fn soql_reaches_the_server_as_written() {
    let org = Org::start();
    org.always("/", page(r#""done":true"#, &[]));
    let session = kept(&org);
    let ascii: String = (0..=127u8).map(char::from).collect();
    for soql in [
        SOQL,
        "SELECT Id FROM Account WHERE Name = 'O\\'Hara & Söhne + 100% #1 = \"x\" ?/\\;<>[]{}|^`~'",
        "SELECT Id\r\n\tFROM Account -- 😀 \u{301}\u{fffd}",
        "%41%zz+%2B",
        " ",
        &ascii,
    ] {
        assert!(session.query::<Value>(soql).next().is_none(), "{soql:?}");
        let sent = only_request(&org);
        assert_eq!((&*sent.method, &*sent.path), ("GET", QUERY));
        assert_eq!(sent.param("q").as_deref(), Some(soql));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%=".contains(c);
        assert!(sent.query.chars().all(plain), "{}", sent.query);
    }
}

#[test]
fn queries_go_to_other_resources_too() {
    let org = Org::start();
    org.always("/", page(r#""done":true"#, &[]));
    let session = kept(&org);
    let absolute = format!("{}/services/data/v66.0/query", org.url());
    for (path, wanted) in [
        ("query", "/services/data/v66.0/query?q=a%20b"),
        ("queryAll", "/services/data/v66.0/queryAll?q=a%20b"),
        ("queryAll/", "/services/data/v66.0/queryAll/?q=a%20b"),
        ("tooling/query", "/services/data/v66.0/tooling/query?q=a%20b"),
        ("/services/data/v60.0/query", "/services/data/v60.0/query?q=a%20b"),
        ("query?columns=true", "/services/data/v66.0/query?columns=true&q=a%20b"),
        (&absolute, "/services/data/v66.0/query?q=a%20b"),
    ] {
        assert!(session.query_at::<Value>(path, "a b").next().is_none(), "{path}");
        let sent = only_request(&org);
        assert_eq!(format!("{}?{}", sent.path, sent.query), wanted);
    }
}

#[test]
fn a_path_that_cannot_be_used_is_told_by_the_first_record() {
    let org = Org::start();
    let session = kept(&org);
    let mut records = session.query_at::<Value>("tooling query", SOQL);
    let error = records.next().unwrap().unwrap_err();
    let message =
        "path holds ' ', which no URL can: percent-encode it (a space is %20), and send SOQL with query";
    assert_eq!(shown(&error), message);
    assert!(records.next().is_none());
    assert_eq!(org.connections(), 0);
}

#[test]
fn soql_that_is_too_long_says_so() {
    let org = Org::start();
    let session = kept(&org);
    let hint = "the URL or the headers are too long: shorten the SOQL, e.g. by fewer ids in IN (...) and several queries";
    let ids = |count: usize| {
        let ids: Vec<_> = iter::repeat_n("'001000000000001AAA'", count).collect();
        format!("SELECT Id FROM Account WHERE Id IN ({})", ids.join(","))
    };
    // More than Salesforce takes.
    let error = session.query::<Value>(&ids(1000)).next().unwrap().unwrap_err();
    assert_eq!(headline(&error), "unexpected reply: an HTML page titled \"URI Too Long\" (HTTP 414)");
    assert_eq!(error.hints(), [hint]);
    assert_eq!(only_request(&org).path, QUERY);

    // More than any URL.
    let soql = ids(10_000);
    let error = session.query::<Value>(&soql).next().unwrap().unwrap_err();
    let length =
        org.url().len() + QUERY.len() + 3 + soql.len() + 2 * soql.matches([' ', '\'', ',', '(', ')']).count();
    let message = format!(
        "path makes a URL of {length} bytes that cannot be sent: if it is long, shorten the SOQL, e.g. by fewer ids in IN (...) \
         and several queries"
    );
    assert_eq!(shown(&error), message);
    assert!(matches!(error.kind(), ErrorKind::Setting { name, .. } if name == "path"));
    assert_eq!(org.requests().len(), 0);
}

#[test]
fn a_query_is_only_as_slow_as_its_pages() {
    // Each page has the session's whole timeout.
    let org = Org::start();
    let pause = Duration::from_millis(300);
    for (next, id) in [("a", "1"), ("b", "2"), ("c", "3")] {
        org.answer(
            page(&format!(r#""totalSize":4,"done":false,"nextRecordsUrl":"{QUERY}/{next}""#), &[id])
                .delay(pause),
        );
    }
    org.answer(page(r#""done":true"#, &["4"]).delay(pause));
    let session = kept(&org).timeout(Duration::from_secs(1));
    assert_eq!(all::<Account>(&session).len(), 4);
}

#[test]
fn values_inside_soql_are_quoted() {
    for (value, quoted) in [
        ("", "''"),
        ("plain", "'plain'"),
        ("O'Hara", r"'O\'Hara'"),
        (r"\", r"'\\'"),
        (r"\'", r"'\\\''"),
        ("' OR Name != '", r"'\' OR Name != \''"),
        ("say \"x\"", r#"'say \"x\"'"#),
        ("a\nb\rc\td\u{8}e\u{c}f", r"'a\nb\rc\td\be\ff'"),
        ("100%_ä😀{}", "'100%_ä😀{}'"),
    ] {
        assert_eq!(soql_quote(value), quoted);
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
    let org = Org::start();
    org.always("/", Answer::json(200, "1"));
    let session = kept(&org);
    for id in ["A/7 #2?x=1", "..", "ä%\\"] {
        let path = format!("sobjects/Account/Id__c/{}", path_segment(id));
        session.get::<Value>(&path).unwrap();
        let wanted = format!("/services/data/v66.0/sobjects/Account/Id__c/{}", path_segment(id));
        assert_eq!(only_request(&org).path, wanted);
    }
}

type Cut = fn(Answer) -> Answer;

/// A page of accounts with these ids, the total left out.
fn page(rest: &str, ids: &[&str]) -> Answer {
    let records: Vec<_> = ids.iter().map(|id| format!("{{\"Id\":\"{id}\"}}")).collect();
    Answer::json(200, format!(r#"{{{rest},"records":[{}]}}"#, records.join(",")))
}

/// Five accounts on three pages.
fn three_pages(org: &Org) {
    let next = |rest: &str| format!(r#""totalSize":5,"done":false,"nextRecordsUrl":"{QUERY}/{rest}""#);
    org.always(QUERY, page(&next("01g-2"), &["1", "2"]));
    org.always(&format!("{QUERY}/01g-2"), page(&next("01g-4"), &["3", "4"]));
    org.always(&format!("{QUERY}/01g-4"), page(r#""totalSize":5,"done":true"#, &["5"]));
}

#[track_caller]
fn all<T: DeserializeOwned>(session: &Session) -> Vec<T> {
    let records: Result<Vec<T>, Error> = session.query(SOQL).collect();
    records.unwrap_or_else(|error| panic!("{error}"))
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

/// Answers one query with this page, which must be an error and nothing besides.
#[track_caller]
fn fails<T: Debug>(org: &Org, page: &str, message: &str, query: impl FnOnce() -> Vec<Result<T, Error>>) {
    drop(org.take_requests());
    org.answer(Answer::json(200, page));
    let [Err(error)] = &query()[..] else { panic!("not one error: {page}") };
    assert_eq!(headline(error), message, "{page}");
    assert!(!error.is_transient(), "{page}");
    assert_eq!(org.requests().len(), 1, "{page}");
    assert_eq!(org.requests()[0].header("authorization"), Some(&*format!("Bearer {OLD}")));
}

/// Such a page has no records of this type, only an error.
#[track_caller]
fn never_whole<T: DeserializeOwned>(org: &Org, session: &Session, page: &str) {
    org.answer(Answer::json(200, page));
    let records: Vec<_> = session.query::<T>(SOQL).collect();
    let [Err(error)] = &records[..] else {
        panic!("{} records as {}: {page}", records.len(), std::any::type_name::<T>())
    };
    assert!(matches!(error.kind(), ErrorKind::Unexpected { status: 200, .. }), "{error}");
    assert!(!error.is_transient(), "{error}");
}
