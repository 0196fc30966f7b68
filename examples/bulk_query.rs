//! Prints the records of a query as CSV, by way of Bulk API 2.0: for more records than paging is for.
//!
//! `bulk_query [SOQL]`: `SELECT Id, Name FROM Account` by default. It reads the variables that `sf-login
//! --help` lists (`SF_CLIENT_ID`, `SF_CLIENT_SECRET` and so on) to log in. However many the records are, it
//! holds a few kilobytes of them at a time.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use sf_login::ureq::http::Request;
use sf_login::{Session, path_segment};

fn main() -> anyhow::Result<()> {
    let soql = env::args().nth(1).unwrap_or_else(|| "SELECT Id, Name FROM Account".to_owned());
    let session = Session::from_env()?;
    let job: Value = session.post("jobs/query", &json!({ "operation": "query", "query": soql }))?;
    let job = format!("jobs/query/{}", path_segment(job["id"].as_str().context("the job has no id")?));
    let mut pause = Duration::from_millis(100);
    loop {
        let now: Value = session.get(&job)?;
        match now["state"].as_str().unwrap_or_default() {
            "JobComplete" => break,
            state @ ("Failed" | "Aborted") => {
                bail!("{job} is {state}: {}", now["errorMessage"].as_str().unwrap_or("no reason given"))
            }
            _ => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    }
    let mut out = io::stdout().lock();
    let mut next = Some(String::new());
    while let Some(locator) = next {
        let url = session.url(&format!("{job}/results?maxRecords=50000{locator}"))?;
        let reply = session.run(Request::get(url).header("Accept", "text/csv").body("")?)?;
        let goes_on = reply.headers().get("Sforce-Locator").context("no Sforce-Locator")?.to_str()?;
        next = (goes_on != "null").then(|| format!("&locator={}", path_segment(goes_on)));
        let mut csv = BufReader::new(reply.into_body().into_reader());
        if !locator.is_empty() {
            csv.skip_until(b'\n')?; // The names of the columns, which begin each page.
        }
        io::copy(&mut csv, &mut out).context("the results were not copied to their end")?;
    }
    Ok(out.flush()?)
}
