//! How a query is put, and where it goes.

use std::iter;

use fake_org::Org;
use serde_json::Value;
use sf_login::{ErrorKind, soql_quote};

use super::{SOQL, page};
use crate::support::{QUERY, headline, kept, only_request, shown};

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
fn soql_that_is_too_long_says_so() {
    let org = Org::start();
    let session = kept(&org);
    let hint = "the URL and headers may have 16,384 bytes: ask for fewer fields, or for fewer ids in IN (...) by several queries";
    let ids = |count: usize| {
        let ids: Vec<_> = iter::repeat_n("'001000000000001AAA'", count).collect();
        format!("SELECT Id FROM Account WHERE Id IN ({})", ids.join(","))
    };
    // More than Salesforce takes.
    let error = session.query::<Value>(&ids(1000)).next().unwrap().unwrap_err();
    assert_eq!(headline(&error), "request refused: URI Too Long (HTTP 414)");
    assert_eq!(error.hints(), [hint]);
    assert_eq!(only_request(&org).path, QUERY);

    // More than any URL.
    let soql = ids(10_000);
    let error = session.query::<Value>(&soql).next().unwrap().unwrap_err();
    let length =
        org.url().len() + QUERY.len() + 3 + soql.len() + 2 * soql.matches([' ', '\'', ',', '(', ')']).count();
    let message = format!(
        "path makes a URL of {length} bytes that cannot be sent: if it is long, ask for fewer fields, or for fewer ids in \
         IN (...) by several queries"
    );
    assert_eq!(shown(&error), message);
    assert!(matches!(error.kind(), ErrorKind::Setting { name, .. } if name == "path"));
    assert_eq!(org.requests().len(), 0);
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
