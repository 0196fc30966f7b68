//! Queries: pages one at a time, records as they are, and an error rather than a shorter result.

mod broken_pages;
mod pages;
mod soql;
mod subqueries;

use std::fmt::Debug;

use fake_org::{Answer, Org};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sf_login::{Error, Session};

use crate::support::{OLD, QUERY, headline};

const SOQL: &str = "SELECT Id FROM Account";

#[derive(Debug, Deserialize, PartialEq)]
struct Account {
    #[serde(rename = "Id")]
    id: String,
}

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
