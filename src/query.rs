//! `Records`: what a query finds, page by page; and `soql_quote`.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::marker::PhantomData;
use std::{fmt, iter, mem, vec};

use percent_encoding::utf8_percent_encode;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use ureq::http::Method;

use crate::error::Error;
use crate::hints::case::Odd;
use crate::session::Session;
use crate::wire::reply::{Reading, json_tokens, read_json};
use crate::wire::url::UNRESERVED;

/// How many pages a query may have when Salesforce does not say how many records it has.
const MOST_UNCOUNTED_PAGES: usize = 10_000;

impl Session {
    /// Runs a SOQL query and gives its records, page by page as they are iterated.
    ///
    /// Nothing is sent before the first `next`. For values inside the SOQL see [`soql_quote`].
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # org.seed_accounts(3);
    /// # let session = include!("../tests/doc/login.rs")(&org).session()?;
    /// #[derive(serde::Deserialize)]
    /// #[serde(rename_all = "PascalCase")]
    /// struct Account { name: String }
    ///
    /// let accounts = session.query::<Account>("SELECT Name FROM Account");
    /// let names: Vec<String> = accounts.map(|account| Ok(account?.name)).collect::<Result<_, _>>()?;
    /// # assert_eq!(names.len(), 3);
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// **Datetimes** come as `2026-11-26T09:12:03.000+0000`, which is not RFC 3339: chrono and jiff read it by the
    /// format `%Y-%m-%dT%H:%M:%S%.f%z`. In SOQL they have no quotes: `LastModifiedDate > 2026-11-26T09:12:03Z`.
    #[must_use]
    pub fn query<T: DeserializeOwned>(&self, soql: &str) -> Records<'_, T> {
        self.query_at("query", soql)
    }

    /// As [`query`](Session::query), at another resource: `queryAll` (deleted records too) or
    /// `tooling/query`.
    #[must_use]
    pub fn query_at<T: DeserializeOwned>(&self, path: &str, soql: &str) -> Records<'_, T> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let soql = utf8_percent_encode(soql, UNRESERVED);
        let (next, page) = (Some(format!("{path}{separator}q={soql}")), Vec::new().into_iter());
        Records { session: self, next, page, total: None, given: 0, seen: HashSet::new() }
    }
}

/// The records of a [query](Session::query): an iterator that asks for a page when it needs one, and has one
/// page in memory.
///
/// It ends after its first error, so a result without an error is whole. A page that repeats, and a query that
/// never ends, are errors; so is a subquery with more rows than Salesforce put into the page: query the child
/// object itself, or read the page with `get("query?q=...")`, which checks none of this, and go on by hand.
///
/// It borrows its session. A function that makes the session itself returns the records collected; a thread
/// has a clone of the session, and queries there.
pub struct Records<'s, T> {
    session: &'s Session,
    /// Where the next page is; `None` when there is no more.
    next: Option<String>,
    page: vec::IntoIter<T>,
    total: Option<u64>,
    /// How many records the pages so far held, this one included.
    given: u64,
    /// Where these pages were, as hashes: the addresses of some thousand take more room than all else.
    seen: HashSet<u64>,
}

impl<T> Records<'_, T> {
    /// How many records the query has in all, once the first page has come; for `SELECT COUNT() FROM ...`,
    /// which has no records, the count.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}

impl<T: DeserializeOwned> Records<'_, T> {
    fn turn_page(&mut self, path: &str) -> Result<(), Error> {
        // What the last page took is given back before the next one comes.
        self.page = Vec::new().into_iter();
        let session = self.session;
        let mut request = session.request(Method::GET, path, None, Reading::Large, Vec::new())?;
        let reply = session.send(&mut request)?;
        let context = session.shared.context(&request);
        let broken = |odd, problem| context.unexpected(reply.status, odd, problem);
        let misfit = |misfit| context.misfit(&reply, misfit);
        let text = reply.text().map_err(misfit)?;
        let page: Page<T> = read_json(text).map_err(misfit)?;
        if has_unfinished_subquery(text) {
            return Err(broken(Odd::Subquery, "a subquery has more rows than the page holds"));
        }
        self.seen.insert(self.seen.hasher().hash_one(&request.path));
        self.total = self.total.or(page.total_size.and_then(|n| u64::try_from(n).ok()));
        self.given += page.records.len() as u64;
        self.next = self.path_after(&page).map_err(|problem| broken(Odd::Pages, problem))?;
        self.page = page.records.into_iter();
        Ok(())
    }

    /// Where the query goes on after `page`, if it does, or why that cannot be.
    fn path_after(&self, page: &Page<T>) -> Result<Option<String>, &'static str> {
        let next = match (page.done, &page.next_records_url) {
            (true, None) => return Ok(None),
            (true, Some(_)) => return Err("the query is done, but has a nextRecordsUrl"),
            (false, None) => return Err("the query is not done, but has no nextRecordsUrl"),
            (false, Some(next)) => self.session.path(next),
        };
        let next = next.map_err(|_| "nextRecordsUrl leads elsewhere than to the session's instance")?;
        if self.seen.contains(&self.seen.hasher().hash_one(&next)) {
            Err("the query repeats a page: nextRecordsUrl leads back")
        } else if page.records.is_empty() {
            Err("the query goes on with a page without records")
        } else if self.total.map_or(self.seen.len() > MOST_UNCOUNTED_PAGES, |total| self.given > total) {
            Err("the query goes on after all its records")
        } else {
            Ok(Some(next))
        }
    }
}

impl<T: DeserializeOwned> Iterator for Records<'_, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            let path = self.next.take()?;
            if let Err(error) = self.turn_page(&path) {
                return Some(Err(error));
            }
        }
    }

    /// At least what is left of this page.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.page.len(), None)
    }
}

impl<T: DeserializeOwned> iter::FusedIterator for Records<'_, T> {}

/// A page of a query, as Salesforce writes it.
struct Page<T> {
    // Salesforce counts some objects as -1.
    total_size: Option<i64>,
    done: bool,
    next_records_url: Option<String>,
    records: Vec<T>,
}

// By hand: serde's derive would double the time that the library takes to build.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Page<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Page<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a page of records")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page<T>, A::Error> {
                let (missing, twice) = (A::Error::missing_field, A::Error::duplicate_field);
                let (mut total_size, mut done, mut next, mut records) = (None, None, None, None);
                while let Some(name) = map.next_key::<String>()? {
                    match &*name {
                        "totalSize" => total_size = map.next_value()?,
                        // One of them would be passed over in silence.
                        "done" if done.is_some() => return Err(twice("done")),
                        "records" if records.is_some() => return Err(twice("records")),
                        "nextRecordsUrl" if next.is_some() => return Err(twice("nextRecordsUrl")),
                        "done" => done = Some(map.next_value()?),
                        "nextRecordsUrl" => next = Some(map.next_value()?),
                        "records" => records = Some(map.next_value()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let done = done.ok_or_else(|| missing("done"))?;
                let records = records.ok_or_else(|| missing("records"))?;
                Ok(Page { total_size, done, next_records_url: next.flatten(), records })
            }
        }

        // Not as a map: serde_json tells the place of an error in a struct only.
        deserializer.deserialize_struct("Page", &[], Fields(PhantomData))
    }
}

/// Whether an object within the page holds `records` that go on elsewhere, or tells twice what tells it.
//
// By its tokens, which all JSON has that serde_json lets pass: not all of it makes a `Value`.
fn has_unfinished_subquery(page: &str) -> bool {
    // A page has `records` of its own; only with others is it worth another look.
    if !page.split_once("\"records\"").is_some_and(|(_, rest)| rest.contains("\"records\"")) {
        return false;
    }
    const RECORDS: u8 = 1;
    const DONE: u8 = 2;
    const NEXT: u8 = 4;
    const GOES_ON: u8 = 8;
    let named = |name| match name {
        "\"records\"" => RECORDS,
        "\"done\"" => DONE,
        "\"nextRecordsUrl\"" => NEXT,
        _ => 0,
    };
    // For each object and array around, what it holds: a byte each, since some are as deep as they are long.
    let mut around: Vec<u8> = Vec::new();
    let (mut last, mut name) = ("", 0);
    for (token, _) in json_tokens(page) {
        let value_of = mem::take(&mut name);
        if let Some(holds) = around.last_mut() {
            if token == ":" {
                name = named(last);
                *holds |= if *holds & name == 0 { name } else { GOES_ON };
            } else if value_of == DONE && token == "false" || value_of == NEXT && token != "null" {
                *holds |= GOES_ON;
            }
        }
        match token {
            "{" | "[" => around.push(0),
            "}" | "]" => {
                let ended = around.pop().unwrap_or_default();
                if ended & (RECORDS | GOES_ON) == RECORDS | GOES_ON && !around.is_empty() {
                    return true;
                }
            }
            _ => {}
        }
        last = token;
    }
    false
}

/// Writes `value` as a SOQL string, quotes included.
///
/// ```
/// let soql = format!("SELECT Id FROM Account WHERE Name = {}", sf_login::soql_quote("O'Hara"));
/// assert_eq!(soql, r"SELECT Id FROM Account WHERE Name = 'O\'Hara'");
/// ```
///
/// Inside a `LIKE` pattern, `%` and `_` keep their meaning.
#[must_use]
pub fn soql_quote(value: &str) -> String {
    let mut quoted = String::from("'");
    for c in value.chars() {
        let escape = ESCAPES.iter().find(|(character, _)| *character == c);
        quoted.extend(escape.map(|_| '\\'));
        quoted.push(escape.map_or(c, |(_, letter)| *letter));
    }
    quoted + "'"
}

/// What stands in a SOQL string behind a backslash, and how it is written there.
#[rustfmt::skip]
const ESCAPES: [(char, char); 8] = [
    ('\'', '\''), ('"', '"'), ('\\', '\\'), ('\n', 'n'), ('\r', 'r'), ('\t', 't'), ('\u{8}', 'b'), ('\u{c}', 'f'),
];

impl<T> fmt::Debug for Records<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut records = f.debug_struct("Records");
        records.field("given", &self.given).field("total", &self.total).finish_non_exhaustive()
    }
}
