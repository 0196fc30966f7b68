//! Pages that are as they should be, and the records on them.

use std::time::Duration;

use fake_org::{Answer, Org};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Account, SOQL, all, page, three_pages};
use crate::support::{QUERY, kept};

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
