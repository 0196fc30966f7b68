//! Generates Rust from the describe of Salesforce's Account: its fields' names as constants and the
//! picklist Industry as an enum.
//!
//! The describe is committed beside this file as `account.json`. Only `SF_REFRESH=1` makes the script
//! log in and fetch a new one, and nothing does when docs.rs builds the documentation.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde_json::{Value, json};

const DESCRIBE: &str = "account.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={DESCRIBE}");
    println!("cargo::rerun-if-env-changed=SF_REFRESH");
    // No secret is among these: cargo writes the values of what it watches into target/.
    for name in sf_login::ENV_VARS {
        println!("cargo::rerun-if-env-changed={name}");
    }

    let committed: Value = serde_json::from_str(&fs::read_to_string(DESCRIBE)?)?;
    let refresh = env::var_os("SF_REFRESH").is_some_and(|value| value == "1");
    let (describe, code) = if refresh && env::var_os("DOCS_RS").is_none() {
        match fetch() {
            Ok(describe) => (describe.clone(), generate(&describe)?),
            // A build script that fails is run again at every check, and the login with it. So it
            // succeeds, and what it generates does not compile, until a watched variable changes.
            Err(error) => {
                let message = format!("{error}\nto try again, build once without SF_REFRESH");
                (committed, format!("compile_error!({message:?});\n"))
            }
        }
    } else {
        (committed.clone(), generate(&committed)?)
    };

    // Never beside the sources: those are the developer's to change.
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("account.rs"), code)?;
    fs::write(Path::new(&out).join(DESCRIBE), format!("{describe:#}\n"))?;
    Ok(())
}

/// The describe, less all that `generate` does not use: the whole one has some hundred kilobytes.
fn fetch() -> Result<Value, sf_login::Error> {
    let session = sf_login::Session::from_env()?;
    let describe: Value = session.get("sobjects/Account/describe")?;
    let fields = describe["fields"].as_array().into_iter().flatten();
    let fields: Vec<Value> = fields
        .map(|field| {
            let values = field["picklistValues"].as_array().into_iter().flatten();
            let values: Vec<Value> = values.map(|v| json!({ "value": v["value"] })).collect();
            json!({ "name": field["name"], "type": field["type"], "picklistValues": values })
        })
        .collect();
    Ok(json!({ "name": describe["name"], "fields": fields }))
}

fn generate(describe: &Value) -> Result<String, Box<dyn Error>> {
    let fields = describe["fields"].as_array().ok_or("the describe has no fields")?;
    let mut code = String::from("/// The names of Account's fields.\npub mod fields {\n");
    for field in fields {
        let name = field["name"].as_str().ok_or("a field has no name")?;
        writeln!(code, "    /// `{name}`")?;
        writeln!(code, "    pub const {}: &str = {name:?};", constant(name))?;
    }
    code.push_str("}\n\n");

    let industry = fields.iter().find(|field| field["name"] == "Industry");
    let values = industry.and_then(|field| field["picklistValues"].as_array());
    let values: Vec<&str> = values.into_iter().flatten().filter_map(|v| v["value"].as_str()).collect();
    code.push_str("/// The picklist Industry.\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n");
    code.push_str("pub enum Industry {\n");
    for value in &values {
        writeln!(code, "    /// {value:?}\n    {},", variant(value))?;
    }
    code.push_str("}\n\nimpl Industry {\n    /// The value as Salesforce writes it.\n");
    code.push_str("    pub fn as_str(self) -> &'static str {\n        match self {\n");
    for value in &values {
        writeln!(code, "            Industry::{} => {value:?},", variant(value))?;
    }
    code.push_str("        }\n    }\n}\n");
    Ok(code)
}

/// `LastModifiedDate` becomes `LAST_MODIFIED_DATE`.
fn constant(name: &str) -> String {
    let mut constant = String::new();
    for (n, c) in name.char_indices() {
        let boundary = c.is_ascii_uppercase() && name[..n].ends_with(|c: char| c.is_ascii_lowercase());
        if boundary {
            constant.push('_');
        }
        constant.push(c.to_ascii_uppercase());
    }
    constant
}

/// `Not For Profit` becomes `NotForProfit`.
fn variant(value: &str) -> String {
    let words = value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let variant: String = words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        })
        .collect();
    if variant.starts_with(|c: char| c.is_ascii_alphabetic()) { variant } else { format!("V{variant}") }
}
