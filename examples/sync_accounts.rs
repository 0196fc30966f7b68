//! Rates the accounts that have changed: reads them, derives a rating from their size, and upserts it by
//! external id. Prints how many have changed and how many it wrote.
//!
//! `sync_accounts [SINCE]`: a time such as `2026-11-23T00:00:00Z`, or SOQL's word for one, such as
//! `LAST_N_DAYS:7`; `YESTERDAY` by default. It reads the variables that `sf-login --help` lists
//! (`SF_CLIENT_ID`, `SF_CLIENT_SECRET` and so on) to log in, and to log in anew if the session expires.

use serde::Deserialize;
use serde_json::{Value, json};
use sf_login::{Session, path_segment};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    #[serde(rename = "External_Id__c")]
    external_id: String,
    number_of_employees: Option<u64>,
    rating: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let since = std::env::args().nth(1).unwrap_or_else(|| "YESTERDAY".to_owned());
    // A time stands in SOQL without quotes, so this must hold nothing that could be more than one.
    let is_time = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b":.+-_".contains(&b));
    anyhow::ensure!(is_time(&since), "SINCE is not a time: write e.g. 2026-11-23T00:00:00Z");
    let fields = "External_Id__c, NumberOfEmployees, Rating";
    let condition = format!("LastModifiedDate >= {since} AND External_Id__c != null");
    let session = Session::from_env()?;
    let (mut changed, mut rated) = (0, 0);
    for account in session.query(&format!("SELECT {fields} FROM Account WHERE {condition}")) {
        let account: Account = account?;
        let rating = match account.number_of_employees {
            Some(1000..) => "Hot",
            Some(100..) => "Warm",
            _ => "Cold",
        };
        changed += 1;
        // To write what is there already would be a change, for the next run to find.
        if account.rating.as_deref() != Some(rating) {
            let path = format!("sobjects/Account/External_Id__c/{}", path_segment(&account.external_id));
            let _: Value = session.patch(&path, &json!({ "Rating": rating }))?;
            rated += 1;
        }
    }
    println!("{changed} accounts changed since {since}, {rated} rated anew");
    Ok(())
}
