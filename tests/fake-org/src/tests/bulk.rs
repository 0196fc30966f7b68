//! Bulk API 2.0.

use serde_json::{Value, json};

use super::*;

#[test]
fn the_rows_of_a_bulk_job_are_upserted() {
    let org = Org::start();
    let session = log_in(&org);
    let call = |method: &str, path: &str, body: &str| api(&org, &session, method, path, body);
    let ended = |line_ending: &str, csv: &str| {
        let job = json!({
            "object": "Account", "operation": "upsert", "externalIdFieldName": "External_Id__c",
            "contentType": "CSV", "lineEnding": line_ending,
        });
        let job = call("POST", "jobs/ingest", &job.to_string()).json();
        let path = format!("jobs/ingest/{}", job["id"].as_str().expect("an id"));
        assert_eq!(
            (&job["state"], job["contentUrl"].as_str()),
            (&json!("Open"), Some(&*format!("services/data/v66.0/{path}/batches")))
        );
        let url = format!("/services/data/v66.0/{path}/batches");
        let put = || exchange(&org, "PUT", &url, &format!("{session}Content-Type: text/csv\r\n"), csv);
        assert_eq!((put().status, put().status), (201, 400));
        assert_eq!(call("PATCH", &path, r#"{"state":"UploadComplete"}"#).json()["state"], "UploadComplete");
        assert_api_error(&call("GET", &format!("{path}/failedResults"), ""), 400, "INVALIDJOBSTATE");
        assert_eq!(call("GET", &path, "").json()["state"], "InProgress");
        let job = call("GET", &path, "").json();
        (job, call("GET", &format!("{path}/failedResults/"), "").text().to_owned())
    };
    let csv = "External_Id__c,Name,NumberOfEmployees\ne,\"A, \"\"B\"\"\nC\",7\nf,,1\ng,D,x\nh,E,\ne,,#N/A\n";
    let (job, failed) = ended("LF", csv);
    assert_eq!(job["state"], "JobComplete");
    assert_eq!((&job["numberRecordsProcessed"], &job["numberRecordsFailed"]), (&json!(5), &json!(2)));
    let missing = "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --";
    let no_number = "INVALID_TYPE_ON_FIELD_IN_RECORD:NumberOfEmployees: value not of required type: x:NumberOfEmployees --";
    let header = r#""sf__Id","sf__Error","External_Id__c","Name","NumberOfEmployees""#;
    let rows = [format!(r#""","{missing}","f","","1""#), format!(r#""","{no_number}","g","D","x""#)];
    assert_eq!(failed, format!("{header}\n{}\n", rows.join("\n")));
    let first = org.records("Account")[0].clone();
    assert_eq!((&first["Name"], &first["NumberOfEmployees"]), (&json!("A, \"B\"\nC"), &Value::Null));

    assert_eq!(ended("CRLF", "External_Id__c,Name\r\ne,F\r\n").0["numberRecordsProcessed"], 1);
    let wrong_end = "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF";
    for (csv, problem) in
        [("Name\r\nx\r\n", wrong_end), ("Nome\nx\n", "InvalidBatch : Field name not found : Nome")]
    {
        let (job, _) = ended("LF", csv);
        assert_eq!((&job["state"], &job["errorMessage"]), (&json!("Failed"), &json!(problem)));
    }
    org.setup(|setup| setup.bulk_fails = true);
    assert_eq!(ended("LF", "External_Id__c,Name\ni,x\n").0["state"], "Failed");
    assert_eq!(org.records("Account").iter().map(|r| &r["Name"]).collect::<Vec<_>>(), ["F", "E"]);
}

#[test]
fn bulk_jobs_take_their_time_and_give_csv() {
    let org = Org::start();
    org.create("Account", json!({ "Name": "a \"b\", c" }));
    org.seed_accounts(2);
    let session = log_in(&org);
    let body = r#"{"operation":"query","query":"SELECT Name, External_Id__c FROM Account"}"#;
    let job = api(&org, &session, "POST", "jobs/query", body).json();
    let path = format!("jobs/query/{}", job["id"].as_str().expect("an id"));
    let get = |rest: &str| api(&org, &session, "GET", &format!("{path}{rest}"), "");
    assert_eq!(job["state"], "UploadComplete");
    assert_api_error(&get("/results"), 400, "INVALIDJOBSTATE");
    assert_eq!(get("").json()["state"], "InProgress");
    assert_eq!(get("").json()["numberRecordsProcessed"], 3);

    let first = get("/results?maxRecords=2");
    assert!(first.text().contains("\"Name\",\"External_Id__c\"\n\"a \"\"b\"\", c\",\"\"\n"));
    assert_eq!(first.header("Sforce-NumberOfRecords"), Some("2"));
    let locator = first.header("Sforce-Locator").expect("a locator");
    let last = get(&format!("/results?maxRecords=2&locator={locator}"));
    assert!(last.text().contains("\"Account 00003\",\"EXT-00003\"\n"));
    assert_eq!(last.header("Sforce-Locator"), Some("null"));

    org.setup(|setup| setup.bulk_fails = true);
    assert_eq!(get("").json()["state"], "Failed");
}
