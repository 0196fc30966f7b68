//! Creates or updates the records of a CSV file by an external id, by way of Bulk API 2.0: for more records
//! than single requests are for. Prints those that Salesforce refused, as CSV, each with the reason.
//!
//! `bulk_load OBJECT FIELD FILE`, e.g. `bulk_load Account External_Id__c accounts.csv`: the file's first line
//! names the fields, and it may have 100 MB. It reads the variables that `sf-login --help` lists
//! (`SF_CLIENT_ID`, `SF_CLIENT_SECRET` and so on) to log in.

use std::time::Duration;
use std::{env, fs, io, thread};

use anyhow::{Context as _, bail, ensure};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use sf_login::ureq::http::Request;
use sf_login::{Session, path_segment};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [object, field, file] = &arguments[..] else { bail!("usage: bulk_load OBJECT FIELD FILE") };
    let csv = fs::read(file).with_context(|| format!("{file} cannot be read"))?;
    let line_ending = if csv.windows(2).any(|end| end == b"\r\n") { "CRLF" } else { "LF" };
    let session = Session::from_env()?;
    let job = json!({
        "operation": "upsert", "object": object, "externalIdFieldName": field,
        "contentType": "CSV", "lineEnding": line_ending,
    });
    let job: Value = session.post("jobs/ingest", &job)?;
    let job = format!("jobs/ingest/{}", path_segment(job["id"].as_str().context("the job has no id")?));
    let batches = session.url(&format!("{job}/batches"))?;
    let upload = Request::put(batches).header("Content-Type", "text/csv").body(csv)?;
    session.clone().timeout(Duration::from_secs(600)).run(upload)?;
    let _: IgnoredAny = session.patch(&job, &json!({ "state": "UploadComplete" }))?;
    let mut pause = Duration::from_millis(100);
    let end = loop {
        let now: Value = session.get(&job)?;
        match now["state"].as_str().unwrap_or_default() {
            "JobComplete" => break now,
            state @ ("Failed" | "Aborted") => {
                bail!("{job} is {state}: {}", now["errorMessage"].as_str().unwrap_or("no reason given"))
            }
            _ => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    };
    let results = session.url(&format!("{job}/failedResults"))?;
    let reply = session.run(Request::get(results).header("Accept", "text/csv").body("")?)?;
    io::copy(&mut reply.into_body().into_reader(), &mut io::stdout())?;
    ensure!(end["numberRecordsFailed"] == 0, "{} records refused", end["numberRecordsFailed"]);
    Ok(())
}
