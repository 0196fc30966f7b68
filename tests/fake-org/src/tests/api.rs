//! The REST API: what it has beside records, and how it refuses.

use super::*;

#[test]
fn the_api_has_versions_users_and_limits() {
    let org = Org::start();
    let session = log_in(&org);
    let versions = exchange(&org, "GET", "/services/data/", "", "").json();
    let newest = json!({ "label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0" });
    assert_eq!((&versions[37], &versions[38]["url"]), (&newest, &json!("/services/data/latest")));
    let limits = api(&org, &session, "GET", "limits", "");
    assert_eq!(limits.json()["DailyApiRequests"]["Remaining"], 14_999);
    assert!(limits.head.contains("\r\nSforce-Limit-Info: api-usage=1/15000\r\n"), "{}", limits.head);
    for (id, username) in [(USER_ID, USERNAME), (&SITE_USER_ID[..15], SITE_USERNAME)] {
        let user = api(&org, &session, "GET", &format!("sobjects/User/{id}"), "").json();
        assert_eq!(user["Username"], username);
    }
    // As Salesforce's own CLI asks, which begins its paths with two slashes.
    let told = exchange(&org, "GET", "//services/oauth2/userinfo", &session, "").json();
    assert_eq!((&told["user_id"], &told["preferred_username"]), (&json!(USER_ID), &json!(USERNAME)));
    let refused = exchange(&org, "GET", "/services/oauth2/userinfo", "Authorization: Bearer x\r\n", "");
    assert_eq!((refused.status, &*refused.body), (403, "Bad_OAuth_Token"));
}

#[test]
fn the_api_refuses_with_salesforces_codes() {
    let org = Org::start();
    let session = log_in(&org);
    for _ in 0..2 {
        org.create("Account", json!({ "Name": "A", "External_Id__c": "twice" }));
    }
    let deleted = &*format!("sobjects/Account/{}", org.create("Account", json!({ "Name": "B" })));
    assert_eq!(api(&org, &session, "DELETE", deleted, "").status, 204);
    let many = json!({ "records": vec![json!({ "attributes": { "type": "Account" } }); 201] }).to_string();
    let (account, upsert, collection) =
        ("sobjects/Account", "sobjects/Account/External_Id__c", "composite/sobjects/Account/External_Id__c");
    for (method, path, body, status, code) in [
        ("GET", "nowhere", "", 404, "NOT_FOUND"),
        ("GET", "sobjects/Nothing/describe", "", 404, "NOT_FOUND"),
        ("GET", "sobjects/Account/1", "", 400, "MALFORMED_ID"),
        ("GET", deleted, "", 404, "NOT_FOUND"),
        ("DELETE", deleted, "", 404, "ENTITY_IS_DELETED"),
        ("PATCH", deleted, "{}", 404, "ENTITY_IS_DELETED"),
        ("POST", account, "{}", 400, "REQUIRED_FIELD_MISSING"),
        ("POST", account, r#"{"Name":"A","Nome":"B"}"#, 400, "INVALID_FIELD"),
        ("POST", account, r#"{"Name":"A","Id":"B"}"#, 400, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("POST", account, r#"{"Name":1}"#, 400, "JSON_PARSER_ERROR"),
        ("POST", account, "{", 400, "JSON_PARSER_ERROR"),
        ("POST", "sobjects/LoginHistory", "{}", 404, "NOT_FOUND"),
        ("PATCH", &format!("{upsert}/c"), r#"{"External_Id__c":"c"}"#, 400, "INVALID_FIELD"),
        ("PATCH", &format!("{upsert}/twice"), r#"{"Name":"D"}"#, 400, "DUPLICATE_EXTERNAL_ID"),
        ("PATCH", collection, r#"{"allOrNone":true,"records":[]}"#, 400, "JSON_PARSER_ERROR"),
        ("PATCH", collection, &many, 400, "EXCEEDED_ID_LIMIT"),
        ("GET", "query/01gX-2", "", 400, "INVALID_QUERY_LOCATOR"),
        ("GET", "tooling/query?q=SELECT+Id+FROM+LoginHistory", "", 400, "INVALID_TYPE"),
    ] {
        assert_api_error(&api(&org, &session, method, path, body), status, code);
    }
    assert_eq!(org.records("Account").len(), 2);
    let at_login = format!("{session}Host: login.salesforce.com\r\n");
    assert_api_error(&api(&org, &at_login, "GET", "limits", ""), 404, "URL_NOT_RESET");
    let basic = "Authorization: Basic eDp5\r\n";
    assert_api_error(&api(&org, basic, "GET", "limits", ""), 401, "INVALID_AUTH_HEADER");
    let old = exchange(&org, "GET", "/services/data/v30.0/limits", &session, "");
    assert_api_error(&old, 410, "GONE");
}

#[test]
fn rows_of_a_bulk_job_are_read_as_csv_and_by_the_types_of_their_fields() {
    let org = Org::start();
    let session = log_in(&org);
    let csv = "External_Id__c,Name,NumberOfEmployees\ne,\"A, \"\"B\"\"\nC\",7\ng,D,x\ne,,#N/A\n";
    let load = |line_ending: &str| {
        let job = json!({
            "object": "Account", "operation": "upsert", "externalIdFieldName": "External_Id__c",
            "lineEnding": line_ending,
        });
        let job = api(&org, &session, "POST", "jobs/ingest", &job.to_string()).json();
        let path = format!("jobs/ingest/{}", job["id"].as_str().expect("an id"));
        let url = format!("/services/data/v66.0/{path}/batches");
        let put = || exchange(&org, "PUT", &url, &format!("{session}Content-Type: text/csv\r\n"), csv);
        assert_eq!((put().status, put().status), (201, 400));
        api(&org, &session, "PATCH", &path, r#"{"state":"UploadComplete"}"#);
        let failed = || api(&org, &session, "GET", &format!("{path}/failedResults/"), "");
        assert_api_error(&failed(), 400, "INVALIDJOBSTATE");
        api(&org, &session, "GET", &path, "");
        (api(&org, &session, "GET", &path, "").json(), failed().body)
    };
    let (job, failed) = load("LF");
    assert_eq!((&job["numberRecordsProcessed"], &job["numberRecordsFailed"]), (&json!(3), &json!(1)));
    let problem = "INVALID_TYPE_ON_FIELD_IN_RECORD:NumberOfEmployees: value not of required type: x:NumberOfEmployees --";
    assert_eq!(failed.lines().nth(1), Some(&*format!(r#""","{problem}","g","D","x""#)));
    let [account] = &org.records("Account")[..] else { panic!("not one account") };
    assert_eq!((&account["Name"], &account["NumberOfEmployees"]), (&json!("A, \"B\"\nC"), &Value::Null));
    let wrong_end =
        "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF";
    assert_eq!(load("CRLF").0["errorMessage"], wrong_end);
}
