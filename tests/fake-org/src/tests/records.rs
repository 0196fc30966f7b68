//! The REST API: what it has, and records one by one and in collections.

use std::io::Read;

use serde_json::{Value, json};

use super::*;

#[test]
fn the_api_has_versions_limits_and_descriptions() {
    let org = Org::start();
    let versions = exchange(&org, "GET", "/services/data/", "", "").json();
    let newest = json!({ "label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0" });
    assert_eq!(versions[37], newest);
    assert_eq!(versions[38]["url"], "/services/data/latest");
    let session = log_in(&org);
    let limits = api(&org, &session, "GET", "limits", "");
    assert_eq!(limits.json()["DailyApiRequests"]["Remaining"], 14_999);
    assert_eq!(limits.header("Sforce-Limit-Info"), Some("api-usage=1/15000"));
    let account = api(&org, &session, "GET", "sobjects/Account/describe", "").json();
    assert_eq!(account["fields"][3]["picklistValues"][2]["value"], "Food & Beverage");
    let old = exchange(&org, "GET", "/services/data/v30.0/limits", &session, "");
    assert_api_error(&old, 410, "GONE");
    assert_api_error(&api(&org, &session, "GET", "nowhere", ""), 404, "NOT_FOUND");
    let at_login = format!("{session}Host: login.salesforce.com\r\n");
    assert_api_error(&api(&org, &at_login, "GET", "limits", ""), 404, "URL_NOT_RESET");
    let echo = exchange(&org, "PUT", "/services/apexrest/echo?a=b", &session, "c").json();
    assert_eq!((&echo["method"], &echo["query"], &echo["body"]), (&json!("PUT"), &json!("a=b"), &json!("c")));
}

#[test]
fn replies_are_compressed_for_those_who_ask() {
    let org = Org::start();
    let headers = format!("{}Accept-Encoding: gzip\r\n", log_in(&org));
    let path = "/services/data/v66.0/sobjects/Account/describe";
    let compressed = exchange(&org, "GET", path, &headers, "");
    assert_eq!(compressed.header("Content-Encoding"), Some("gzip"));
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&compressed.body[..]);
    decoder.read_to_string(&mut text).expect("gzip");
    assert_eq!(exchange(&org, "GET", path, &log_in(&org), "").text(), text);
}

#[test]
fn records_are_made_read_changed_and_deleted() {
    let org = Org::start();
    let session = log_in(&org);
    let call = |method: &str, path: &str, body: &str| api(&org, &session, method, path, body);
    let made = call("POST", "sobjects/Account", r#"{"name":"A","Rating":null}"#);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!((made.status, made.json()), (201, json!({ "id": id, "success": true, "errors": [] })));
    let path = format!("sobjects/Account/{id}");
    assert_eq!(call("PATCH", &path, r#"{"Name":"B"}"#).status, 204);
    let read = call("GET", &format!("{path}?fields=Name,Rating"), "");
    let url = format!("/services/data/v66.0/{path}");
    assert_eq!(
        read.text(),
        format!(r#"{{"attributes":{{"type":"Account","url":"{url}"}},"Name":"B","Rating":null}}"#)
    );
    assert_eq!(call("DELETE", &path, "").status, 204);
    assert_api_error(&call("GET", &path, ""), 404, "NOT_FOUND");
    assert_api_error(&call("DELETE", &path, ""), 404, "ENTITY_IS_DELETED");
    assert_api_error(&call("PATCH", &path, "{}"), 404, "ENTITY_IS_DELETED");
    assert_api_error(&call("GET", "sobjects/Account/1", ""), 400, "MALFORMED_ID");
    assert_api_error(&call("GET", "sobjects/Nothing/describe", ""), 404, "NOT_FOUND");
    let refused = |body: &str, code: &str| {
        assert_api_error(&call("POST", "sobjects/Account", body), 400, code);
    };
    refused("{}", "REQUIRED_FIELD_MISSING");
    refused(r#"{"Name":"A","Nome":"B"}"#, "INVALID_FIELD");
    refused(r#"{"Name":"A","Id":"B"}"#, "INVALID_FIELD_FOR_INSERT_UPDATE");
    refused(r#"{"Name":1}"#, "JSON_PARSER_ERROR");
    refused("{", "JSON_PARSER_ERROR");
    assert_eq!(org.records("Account").len(), 0);
}

#[test]
fn records_are_upserted_by_their_external_id() {
    let org = Org::start();
    let session = log_in(&org);
    let upsert = |id: &str, body: &str| {
        api(&org, &session, "PATCH", &format!("sobjects/Account/External_Id__c/{}", escape(id)), body)
    };
    assert_eq!(upsert("a/b", r#"{"Name":"A"}"#).status, 201);
    let updated = upsert("a/b", r#"{"Name":"B"}"#);
    assert_eq!((updated.status, &updated.json()["created"]), (200, &json!(false)));
    let [account] = &org.records("Account")[..] else { panic!("not one account") };
    assert_eq!((&account["Name"], &account["External_Id__c"]), (&json!("B"), &json!("a/b")));
    org.create("Account", json!({ "Name": "C", "External_Id__c": "a/b" }));
    assert_api_error(&upsert("c", r#"{"External_Id__c":"c"}"#), 400, "INVALID_FIELD");
    assert_api_error(&upsert("a/b", r#"{"Name":"D"}"#), 400, "DUPLICATE_EXTERNAL_ID");
    let read = api(&org, &session, "GET", "sobjects/Account/External_Id__c/a%2Fb", "");
    assert_eq!(read.json()["Name"], "B");
}

#[test]
fn collections_have_a_result_for_each_record() {
    let org = Org::start();
    let session = log_in(&org);
    let send = |body: Value| {
        let path = "composite/sobjects/Account/External_Id__c";
        api(&org, &session, "PATCH", path, &body.to_string())
    };
    let record = |mut fields: Value| {
        fields["attributes"] = json!({ "type": "Account" });
        fields
    };
    let done = |number: u32, created: bool| json!({ "id": format!("0015g0{number:09}AAA"), "success": true, "errors": [], "created": created });
    let failed = |code: &str, message: &str, fields: &[&str]| {
        let error = json!({ "statusCode": code, "message": message, "fields": fields });
        json!({ "success": false, "errors": [error] })
    };
    let results = send(json!({ "records": [
        record(json!({ "External_Id__c": "e", "Name": "A" })),
        record(json!({ "External_Id__c": "f" })),
        record(json!({ "Name": "B" })),
        { "attributes": { "type": "Contact" } },
        record(json!({ "External_Id__c": "e", "Name": "C" })),
    ] }));
    let expected = json!([
        done(1, true),
        failed("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", &["Name"]),
        failed("MISSING_ARGUMENT", "External_Id__c not specified", &[]),
        failed("INVALID_TYPE", "sObject type 'Contact' is not supported.", &[]),
        done(1, false),
    ]);
    assert_eq!((results.status, results.json()), (200, expected));
    assert_eq!(org.records("Account").iter().map(|r| r["Name"].clone()).collect::<Vec<_>>(), ["C"]);
    let all_or_none = send(json!({ "allOrNone": true, "records": [] }));
    assert_api_error(&all_or_none, 400, "JSON_PARSER_ERROR");
    let many = send(json!({ "records": vec![record(json!({ "Name": "x" })); 201] }));
    assert_api_error(&many, 400, "EXCEEDED_ID_LIMIT");
}

#[test]
fn the_user_and_the_org_are_records() {
    let org = Org::start();
    let session = log_in(&org);
    let user = api(&org, &session, "GET", &format!("sobjects/User/{USER_ID}"), "").json();
    assert_eq!((&user["Username"], &user["Name"]), (&json!(USERNAME), &json!("Ada")));
    let short = api(&org, &session, "GET", &format!("sobjects/User/{}", &SITE_USER_ID[..15]), "").json();
    assert_eq!(short["Username"], SITE_USERNAME);
    let fields = "Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType";
    let found = soql(&org, &session, &format!("SELECT {fields} FROM Organization")).json();
    let record = &found["records"][0];
    assert_eq!((&record["Name"], &record["IsSandbox"]), (&json!("Fake Org"), &json!(false)));

    let userinfo = |session: &str| exchange(&org, "GET", "/services/oauth2/userinfo", session, "");
    let doubled = exchange(&org, "GET", "///services/oauth2/userinfo", &session, "");
    let told = userinfo(&session).json();
    assert_eq!(doubled.json(), told);
    assert_eq!((&told["user_id"], &told["organization_id"]), (&json!(USER_ID), &json!(ORG_ID)));
    assert_eq!(told["preferred_username"], USERNAME);
    let refused = userinfo("Authorization: Bearer x\r\n");
    assert_eq!((refused.status, refused.text()), (403, "Bad_OAuth_Token"));
}
