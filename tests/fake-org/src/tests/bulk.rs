//! Bulk API 2.0.

use serde_json::{Value, json};

use super::*;

#[test]
fn the_rows_of_a_bulk_job_are_written() {
    let org = Org::start();
    let session = log_in(&org);
    let ended = |job: Value, csv: &str| {
        let call = |method: &str, path: &str, body: &str| api(&org, &session, method, path, body);
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
        let results = ["successfulResults/", "failedResults/", "unprocessedrecords/"];
        (job, results.map(|results| call("GET", &format!("{path}/{results}"), "").text().to_owned()))
    };
    let job = |operation: &str| json!({ "object": "Account", "operation": operation, "contentType": "CSV", "lineEnding": "LF" });
    let id = |number: u32| format!("0015g0{number:09}AAA");

    let (inserted, [successful, failed, unprocessed]) =
        ended(job("insert"), "Name,NumberOfEmployees\n\"A, \"\"B\"\"\nC\",7\n,1\nD,x\nE,");
    assert_eq!(inserted["state"], "JobComplete");
    assert_eq!(
        (&inserted["numberRecordsProcessed"], &inserted["numberRecordsFailed"]),
        (&json!(4), &json!(2))
    );
    let header = r#""Name","NumberOfEmployees""#;
    assert_eq!(
        successful,
        format!(
            "\"sf__Id\",\"sf__Created\",{header}\n\"{}\",\"true\",\"A, \"\"B\"\"\nC\",\"7\"\n\"{}\",\"true\",\"E\",\"\"\n",
            id(1),
            id(2)
        )
    );
    let missing = "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --";
    let no_number = "INVALID_TYPE_ON_FIELD_IN_RECORD:NumberOfEmployees: value not of required type: x:NumberOfEmployees --";
    assert_eq!(
        failed,
        format!(
            "\"sf__Id\",\"sf__Error\",{header}\n\"\",\"{missing}\",\"\",\"1\"\n\"\",\"{no_number}\",\"D\",\"x\"\n"
        )
    );
    assert_eq!(unprocessed, format!("{header}\n"));
    assert_eq!(org.records("Account")[0]["NumberOfEmployees"], 7);

    let (updated, [_, failed, _]) =
        ended(job("update"), &format!("Id,Name,NumberOfEmployees\n{},,#N/A\n{},F,2\n", id(1), id(9)));
    assert_eq!(updated["numberRecordsFailed"], 1);
    assert!(failed.contains("\",\"NOT_FOUND:The requested resource does not exist: --\",\""), "{failed}");
    let first = org.records("Account")[0].clone();
    assert_eq!((&first["Name"], &first["NumberOfEmployees"]), (&json!("A, \"B\"\nC"), &Value::Null));

    let mut upsert = job("upsert");
    upsert["externalIdFieldName"] = json!("External_Id__c");
    upsert["lineEnding"] = json!("CRLF");
    let csv = "External_Id__c,Name\r\ne,G\r\ne,H\r\n";
    let (_, [successful, ..]) = ended(upsert, csv);
    assert!(
        successful
            .ends_with(&format!("\"{0}\",\"true\",\"e\",\"G\"\n\"{0}\",\"false\",\"e\",\"H\"\n", id(3)))
    );
    ended(job("delete"), &format!("Id\n{}\n", id(1)));
    assert_eq!(org.records("Account").iter().map(|r| &r["Name"]).collect::<Vec<_>>(), ["E", "H"]);

    for (csv, problem) in [
        (
            "Name\r\nx\r\n",
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        ("Nome\nx\n", "InvalidBatch : Field name not found : Nome"),
    ] {
        let (failed, _) = ended(job("insert"), csv);
        assert_eq!((&failed["state"], &failed["errorMessage"]), (&json!("Failed"), &json!(problem)));
    }
    org.setup(|setup| setup.bulk_fails = true);
    assert_eq!(ended(job("insert"), "Name\nx\n").0["state"], "Failed");
    assert_eq!(org.records("Account").len(), 2);
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
