//! Creates or updates records by an external id, 200 a request. Prints how many were written, and says why the
//! others were not.
//!
//! `upsert_records OBJECT FIELD < records.jsonl`, e.g. `upsert_records Account External_Id__c`: one JSON object
//! a line, as `sf-login query` prints them, without their `Id`. After a lost connection it can be run again: a
//! record that was written already is only written once more. It reads the variables that `sf-login --help`
//! lists (`SF_CLIENT_ID`, `SF_CLIENT_SECRET` and so on) to log in.

use std::{env, io};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value, json};
use sf_login::{Session, path_segment};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [object, field] = &arguments[..] else {
        bail!("usage: upsert_records OBJECT FIELD < records.jsonl");
    };
    let path = format!("composite/sobjects/{}/{}", path_segment(object), path_segment(field));
    let session = Session::from_env()?;
    let mut records = io::stdin().lines().zip(1..).map(|(line, number)| {
        let record = serde_json::from_str::<Map<String, Value>>(&line?);
        let mut record = record.with_context(|| format!("line {number} is not a JSON object"))?;
        record.insert("attributes".to_owned(), json!({ "type": object }));
        anyhow::Ok(record)
    });
    let (mut line, mut refused) = (0, 0);
    loop {
        let batch: Vec<_> = records.by_ref().take(200).collect::<Result<_, _>>()?;
        if batch.is_empty() {
            break;
        }
        let outcomes: Vec<Value> = session.patch(&path, &json!({ "records": batch }))?;
        ensure!(outcomes.len() == batch.len(), "{} outcomes of {} records", outcomes.len(), batch.len());
        for outcome in outcomes {
            line += 1;
            // The HTTP status is 200 all the same.
            if outcome["success"] != true {
                refused += 1;
                eprintln!("line {line}: {}", outcome["errors"]);
            }
        }
    }
    println!("{} records written", line - refused);
    ensure!(refused == 0, "{refused} records refused");
    Ok(())
}
