//! SOQL: what it finds, and what is wrong with it.

use super::*;

#[test]
fn queries_find_count_order_and_group() {
    let org = Org::start();
    org.seed_accounts(5);
    let session = log_in(&org);
    let total = |query: &str| soql(&org, &session, query).json()["totalSize"].clone();
    for (rest, found) in [
        ("LIMIT 3", 3),
        ("WHERE Name = 'Account 00002'", 1),
        ("WHERE LastModifiedDate >= 2026-01-01T00:03:00Z", 3),
        ("WHERE NumberOfEmployees > 1 AND Rating = null", 4),
    ] {
        assert_eq!(total(&format!("SELECT Id FROM Account {rest}")), found, "{rest}");
    }
    assert_eq!(total("SELECT NumberOfEmployees FROM Account GROUP BY NumberOfEmployees LIMIT 4"), 4);
    for (query, name) in [
        ("SELECT COUNT(Id) FROM Account", "expr0"),
        ("SELECT MAX(NumberOfEmployees) most FROM Account", "most"),
        ("SELECT COUNT(Industry) n FROM Account GROUP BY Rating", "n"),
    ] {
        let record = format!(r#"{{"attributes":{{"type":"AggregateResult"}},"{name}":5}}"#);
        let page = format!(r#"{{"totalSize":1,"done":true,"records":[{record}]}}"#);
        assert_eq!(soql(&org, &session, query).body, page);
    }
    org.create("Contact", json!({ "LastName": "O'Hara \\ \n\u{e4}" }));
    assert_eq!(total(r"select Id from Contact where LastName = 'O\'Hara \\ \n\u00e4'"), 1);
    for (order, names) in [
        ("Name DESC", ["Account 00005", "Account 00004"]),
        ("Rating, NumberOfEmployees", ["Account 00001", "Account 00002"]),
    ] {
        let query = format!("SELECT Name FROM Account ORDER BY {order} LIMIT 2");
        let page = soql(&org, &session, &query).json();
        assert_eq!([0, 1].map(|index| page["records"][index]["Name"].clone()), names);
    }
    let id = org.records("Account")[0]["Id"].as_str().expect("an id").to_owned();
    api(&org, &session, "DELETE", &format!("sobjects/Account/{id}"), "");
    assert_eq!(total("SELECT COUNT() FROM Account"), 4);
    let all = api(&org, &session, "GET", "queryAll?q=SELECT+COUNT()+FROM+Account", "").json();
    assert_eq!(all["totalSize"], 5);

    for (query, code) in [
        ("SELECT FROM Account", "MALFORMED_QUERY"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE LastModifiedDate = '2026'", "INVALID_FIELD"),
        ("SELECT ForwardedForIp FROM LoginHistory", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
    ] {
        assert_api_error(&soql(&org, &session, query), 400, code);
    }
    let message = soql(&org, &session, "SELECT Id,\n  Nome\nFROM Account").json()[0]["message"].clone();
    let message = message.as_str().expect("a message");
    let start = "\n  Nome\n  ^\nERROR at Row:2:Column:3\nNo such column 'Nome' on entity 'Account'. ";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn days_have_names_in_queries() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let org = Org::start();
    let session = log_in(&org);
    // Noon of today and of the days around it.
    for day in -3..=2 {
        let time = text::timestamp(text::now() / DAY * DAY + DAY / 2 + day * DAY);
        org.create("Account", json!({ "Name": day.to_string(), "CreatedDate": time }));
    }
    for (condition, found) in [
        ("= LAST_N_DAYS:2", &["-2", "-1", "0"][..]),
        ("> LAST_N_DAYS:2", &["1", "2"]),
        (">= last_n_days:1", &["-1", "0", "1", "2"]),
        ("< YESTERDAY", &["-3", "-2"]),
        ("= YESTERDAY", &["-1"]),
    ] {
        let query = format!("SELECT Name FROM Account WHERE CreatedDate {condition}");
        let page = soql(&org, &session, &query).json();
        let names: Vec<_> = page["records"].as_array().into_iter().flatten().map(|r| &r["Name"]).collect();
        assert_eq!(names, found, "{condition}");
    }
}
