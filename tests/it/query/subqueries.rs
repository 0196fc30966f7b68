//! Subqueries, whose rows may go on elsewhere.

use std::collections::{BTreeMap, HashMap};

use fake_org::{Answer, Org};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sf_login::Session;

use super::{Account, SOQL, all, fails};
use crate::support::{OLD, QUERY, headline, kept, kept_env, sf_login};

#[test]
fn a_subquery_that_goes_on_elsewhere_is_an_error() {
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
        // Even where the type has no place for it.
        fails(&org, &body, message, || session.query::<Account>(SOQL).collect());

        // Who goes on by hand reads the page itself.
        org.answer(Answer::json(200, &body));
        assert_eq!(session.get::<Value>("query?q=x").unwrap()["done"], true);
    }
}

#[test]
fn an_unfinished_subquery_is_an_error_for_every_type() {
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
            never_whole::<Account>(&org, &session, &page);
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
fn a_subquery_that_contradicts_itself_is_an_error() {
    let org = Org::start();
    let session = kept(&org);
    let next = r#""nextRecordsUrl":"/services/data/v66.0/query/01g-200""#;
    for rows in [
        format!(r#"{{"done":true,{next},"records":[{{"Id":"c"}}]}}"#),
        format!(r#"{{"records":[{{"Id":"c"}}],{next}}}"#),
        r#"{"done":false,"records":[{"Id":"c"}],"done":true}"#.to_owned(),
        r#"{"done":true,"records":[{"Id":"c"}],"records":[]}"#.to_owned(),
        format!(r#"{{"done":true,{next},"nextRecordsUrl":null,"records":[]}}"#),
    ] {
        let page = format!(r#"{{"totalSize":1,"done":true,"records":[{{"Id":"1","Contacts":{rows}}}]}}"#);
        never_whole::<Account>(&org, &session, &page);
        never_whole::<Value>(&org, &session, &page);
    }
    let whole = r#"{"totalSize":1,"done":true,"records":[{"Id":"1","Contacts":{"done":true,"nextRecordsUrl":null,"records":[]}}]}"#;
    org.answer(Answer::json(200, whole));
    assert_eq!(all::<Account>(&session).len(), 1);
}

/// Such a page has no records of this type, only an error.
#[track_caller]
fn never_whole<T: DeserializeOwned>(org: &Org, session: &Session, page: &str) {
    org.answer(Answer::json(200, page));
    let records: Vec<_> = session.query::<T>(SOQL).collect();
    let [Err(error)] = &records[..] else {
        panic!("{} records as {}: {page}", records.len(), std::any::type_name::<T>())
    };
    let headline = headline(error);
    let more_rows = "unexpected reply: a subquery has more rows than the page holds (HTTP 200)";
    // Some types do not get there.
    let unread = headline.starts_with("unexpected reply: not JSON at line 1 column ");
    assert!(headline == more_rows || unread, "{headline}");
    assert!(!error.is_transient(), "{error}");
}
