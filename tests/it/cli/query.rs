//! `sf-login query`.

use fake_org::{Answer, Org};
use serde_json::json;

use super::{first_line, program, started};
use crate::support::{QUERY, done, failed, sf_login};

#[test]
fn query_prints_each_record_on_a_line_as_salesforce_wrote_it() {
    let org = Org::start();
    let page = |next: &str, records: &str| {
        Answer::json(200, format!("{{\n \"totalSize\" : 3, {next}\n \"records\" : [ {records} ]\n}}\n"))
    };
    let first = "{ \"attributes\": {\"type\":\"X\"},\r\n  \"Amount\" : 1.10,\n\t\"Big\":12345678901234567890.00,\
                 \"Text\":\"a\\nb\\u00e4\\/ \u{e4}\" }, {\r\r\"Exp\":1E5,\"Rate\":-0.0}";
    org.answer_to(QUERY, page(&format!("\"done\":false, \"nextRecordsUrl\":\"{QUERY}/01g-2\","), first));
    org.answer_to(QUERY, page("\"done\":true,", "\n{\n}\n").gzip());
    let run = sf_login(&org.env(), &["query", "SELECT X FROM Y WHERE Z = 'a+b & ä'"]);
    let lines = [
        "{ \"attributes\": {\"type\":\"X\"},  \"Amount\" : 1.10,\t\"Big\":12345678901234567890.00,\
         \"Text\":\"a\\nb\\u00e4\\/ \u{e4}\" }",
        "{\"Exp\":1E5,\"Rate\":-0.0}",
        "{}",
        "",
    ];
    assert_eq!(run, done(&lines.join("\n")));
    let requests = org.requests();
    assert_eq!(requests[1].param("q").as_deref(), Some("SELECT X FROM Y WHERE Z = 'a+b & ä'"));
    assert_eq!(requests[2].path, format!("{QUERY}/01g-2"));
}

#[test]
fn a_count_is_printed_as_a_number_and_no_record_as_nothing() {
    let org = Org::start();
    org.seed_accounts(5);
    for (soql, printed) in [
        ("SELECT COUNT() FROM Account", "5\n"),
        (" select\ncount ( )\tfrom Account", "5\n"),
        ("SELECT COUNT() FROM Account WHERE Name = 'nobody'", "0\n"),
        ("SELECT Id FROM Account WHERE Name = 'nobody'", ""),
    ] {
        assert_eq!(sf_login(&org.env(), &["query", soql]), done(printed), "{soql}");
    }
    org.answer_to(QUERY, Answer::json(200, json!({ "done": true, "records": [] })));
    let says = "unexpected reply: a count without totalSize";
    assert_eq!(sf_login(&org.env(), &["query", "SELECT COUNT() FROM Account"]), failed(1, says));
}

#[test]
fn a_query_may_go_to_the_tooling_api_or_to_deleted_records_too() {
    let org = Org::start();
    for (option, path) in [("--use-tooling-api", "tooling/query"), ("--all-rows", "queryAll")] {
        let path = format!("/services/data/v66.0/{path}");
        let soql = "SELECT Id FROM ApexClass";
        for args in [["query", option, soql], ["query", soql, option]] {
            org.answer_to(&path, Answer::json(200, json!({ "totalSize": 1, "done": true, "records": [{}] })));
            assert_eq!(sf_login(&org.env(), &args), done("{}\n"));
            let sent = org.take_requests().remove(1);
            assert_eq!((&*sent.path, sent.param("q").as_deref()), (&*path, Some(soql)));
        }
    }
}

#[test]
fn a_query_that_fails_later_has_printed_what_came_before() {
    let cases = [
        (
            "a refusal",
            Answer::api_error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
            4,
            "sf-login: request refused: invalid query locator (INVALID_QUERY_LOCATOR) (HTTP 400)",
        ),
        (
            "a page that is truncated",
            Answer::json(200, "{\"records\":[]}").cut_after(5).header("Retry-After", "0"),
            1,
            "sf-login: unexpected reply: truncated or corrupted (HTTP 200)",
        ),
    ];
    for (case, answer, code, says) in cases {
        let org = Org::start();
        org.answer_to(QUERY, first_page());
        org.always(&format!("{QUERY}/01g-1"), answer);
        let run = sf_login(&org.env(), &["query", "SELECT Id FROM Account"]);
        assert_eq!((run.code, &*run.stdout), (Some(code), "{\"Id\":\"1\"}\n"), "{case}: {}", run.stderr);
        assert_eq!(run.headline(), says, "{case}");
    }
}

#[test]
fn a_page_is_printed_before_the_next_one_is_asked_for() {
    let org = Org::start();
    org.answer_to(QUERY, first_page());
    org.always(&format!("{QUERY}/01g-1"), Answer::stall());
    let mut query = started(program(&org.env()).args(["query", "SELECT Id FROM Account"]));
    assert_eq!(first_line(&mut query), "{\"Id\":\"1\"}\n");
    drop(org);
    assert_eq!(query.wait().expect("it ends").code(), Some(1));
}

/// One record, and more to come.
fn first_page() -> Answer {
    let page = json!({ "totalSize": 2, "done": false, "nextRecordsUrl": format!("{QUERY}/01g-1"), "records": [{ "Id": "1" }] });
    Answer::json(200, page)
}
