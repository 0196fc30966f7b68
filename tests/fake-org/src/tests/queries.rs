//! SOQL: what it finds, in pages, and what is wrong with it.

use serde_json::json;

use super::*;

#[test]
fn queries_find_and_page() {
    let org = Org::start();
    org.seed_accounts(5);
    let session = log_in(&org);
    org.setup(|setup| setup.page_size = 2);
    let mut page = soql(&org, &session, "SELECT Name FROM Account").json();
    assert_eq!((&page["totalSize"], &page["done"]), (&json!(5), &json!(false)));
    let mut names = Vec::new();
    loop {
        let records = page["records"].as_array().expect("records").clone();
        names.extend(records.iter().map(|record| record["Name"].as_str().expect("a name").to_owned()));
        let Some(next) = page["nextRecordsUrl"].as_str() else {
            break;
        };
        assert!(next.starts_with("/services/data/v66.0/query/01g"), "{next}");
        page = exchange(&org, "GET", next, &session, "").json();
    }
    assert_eq!(page["done"], true);
    assert_eq!(names, (1..=5).map(|n| format!("Account {n:05}")).collect::<Vec<_>>());

    let total = |query: &str| soql(&org, &session, query).json()["totalSize"].clone();
    assert_eq!(total("SELECT Id FROM Account LIMIT 3"), 3);
    assert_eq!(total("SELECT Id FROM Account WHERE Name = 'Account 00002'"), 1);
    assert_eq!(total("SELECT Id FROM Account WHERE LastModifiedDate >= 2026-01-01T00:03:00Z"), 3);
    assert_eq!(total("SELECT Id FROM Account WHERE NumberOfEmployees > 1 AND Rating = null"), 4);
    let count = soql(&org, &session, "SELECT COUNT() FROM Account").json();
    assert_eq!(count, json!({ "totalSize": 5, "done": true, "records": [] }));
    let text = |query: &str| soql(&org, &session, query).text().to_owned();
    let one = |name: &str| {
        let record = format!(r#"{{"attributes":{{"type":"AggregateResult"}},"{name}":5}}"#);
        format!(r#"{{"totalSize":1,"done":true,"records":[{record}]}}"#)
    };
    assert_eq!(text("SELECT COUNT(Id) FROM Account"), one("expr0"));
    assert_eq!(text("SELECT MAX(NumberOfEmployees) most FROM Account"), one("most"));
    assert_eq!(text("SELECT COUNT(Industry) n FROM Account GROUP BY Rating"), one("n"));
    assert_eq!(total("SELECT NumberOfEmployees FROM Account GROUP BY NumberOfEmployees LIMIT 4"), 4);
    let names = |order: &str| {
        let query = format!("SELECT Name FROM Account ORDER BY {order} LIMIT 2");
        let page = soql(&org, &session, &query).json();
        [0, 1].map(|index| page["records"][index]["Name"].as_str().expect("a name").to_owned())
    };
    assert_eq!(names("Name DESC"), ["Account 00005", "Account 00004"]);
    assert_eq!(names("Rating, NumberOfEmployees"), ["Account 00001", "Account 00002"]);
    let id = org.records("Account")[0]["Id"].as_str().expect("an id").to_owned();
    api(&org, &session, "DELETE", &format!("sobjects/Account/{id}"), "");
    assert_eq!(total("SELECT COUNT() FROM Account"), 4);
    let all = api(&org, &session, "GET", "queryAll?q=SELECT+COUNT()+FROM+Account", "").json();
    assert_eq!(all["totalSize"], 5);

    let refused = |query: &str, code: &str| assert_api_error(&soql(&org, &session, query), 400, code);
    refused("SELECT FROM Account", "MALFORMED_QUERY");
    refused("SELECT Nome FROM Account", "INVALID_FIELD");
    refused("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY");
    let message = soql(&org, &session, "SELECT Id,\n  Nome\nFROM Account").json()[0]["message"].clone();
    let message = message.as_str().expect("a message");
    let start = "\n  Nome\n  ^\nERROR at Row:2:Column:3\nNo such column 'Nome' on entity 'Account'. ";
    assert!(message.starts_with(start), "{message}");
    refused("SELECT Id FROM Account WHERE LastModifiedDate = '2026'", "INVALID_FIELD");
    refused("SELECT Id FROM Nothing", "INVALID_TYPE");
    assert_api_error(&api(&org, &session, "GET", "query/01gX-2", ""), 400, "INVALID_QUERY_LOCATOR");
    org.create("ApexClass", json!({ "Name": "Hello" }));
    let tooling = api(&org, &session, "GET", "tooling/query?q=SELECT+Name+FROM+ApexClass", "").json();
    assert_eq!(tooling["records"][0]["Name"], "Hello");
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
    let found = |condition: &str| {
        let query = format!("SELECT Name FROM Account WHERE CreatedDate {condition}");
        let page = soql(&org, &session, &query).json();
        let records = page["records"].as_array().expect("records").clone();
        records.iter().map(|r| r["Name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("= LAST_N_DAYS:2"), "-2 -1 0");
    assert_eq!(found("> LAST_N_DAYS:2"), "1 2");
    assert_eq!(found(">= last_n_days:1"), "-1 0 1 2");
    assert_eq!(found("< YESTERDAY"), "-3 -2");
    assert_eq!(found("= YESTERDAY"), "-1");
}
