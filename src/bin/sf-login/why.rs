//! `sf-login why`: why logins of a user were refused, out of Login History.

use std::env;

use serde_json::Value;
use sf_login::{LoginStatus, Session, Token, soql_quote};

use crate::failure::usage;
use crate::output::print;

/// What a line of a terminal holds.
const COLUMNS: usize = 80;

/// `LoginSubType`, by its API name or its label, which have the same letters, and the flow that it tells.
const FLOWS: [(&str, &str); 2] =
    [("OauthUsernamePassword", "password flow"), ("OauthClientCredentials", "client credentials flow")];

/// What Unicode counts as letters, though nobody sees them.
const FILLERS: [char; 4] = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}'];

/// Asks with the token of the environment alone: one more failed login could lock the user out.
pub fn why(username: Option<String>) -> anyhow::Result<()> {
    let username = username.or_else(|| env::var("SF_USERNAME").ok()).unwrap_or_default();
    let username = username.trim();
    if username.is_empty() {
        return usage("why takes a USERNAME, or the one in SF_USERNAME");
    }
    let session = Session::new(Token::from_env()?)?;
    let records = |soql: String| session.query(&soql).collect::<Result<Vec<Value>, _>>();
    let users = records(format!("SELECT Id FROM User WHERE Username = {}", soql_quote(username)))?;
    let username = shown(username, COLUMNS);
    let Some(id) = users.first().and_then(|user| user["Id"].as_str()) else {
        return print(&format!(
            "no user {username}, or none that the token's user may see, at\n{}\n\
             Check the org, and the username, to which a sandbox has added its name.\n",
            session.token().instance_url()
        ));
    };
    let entries = records(format!(
        "SELECT LoginTime, Status, LoginType, LoginSubType, Application, SourceIp, LoginUrl FROM LoginHistory \
         WHERE UserId = {} ORDER BY LoginTime DESC LIMIT 5",
        soql_quote(id)
    ))?;
    print(&answer(&username, &entries))
}

fn answer(username: &str, entries: &[Value]) -> String {
    let (mut answer, mut kinds) = (String::new(), vec![]);
    if entries.is_empty() {
        answer = format!(
            "no login of {username} in Login History, in six months\n\
             Another user's are shown only to the permission Manage Users or Monitor Login\nHistory.\n"
        );
    }
    for entry in entries {
        // No status is indented, as our own lines below it are.
        let text = |field, columns| shown(entry[field].as_str().unwrap_or("-"), columns).trim().to_owned();
        let (time, status) = (text("LoginTime", COLUMNS), text("Status", COLUMNS));
        let time = match time.get(..19) {
            Some(utc) if time.ends_with("+0000") => utc.replace('T', " ") + " UTC",
            _ => time,
        };
        let flow_field = if entry["LoginSubType"].is_string() { "LoginSubType" } else { "LoginType" };
        let (flow, application) = (flow(text(flow_field, 30)), text("Application", 30));
        let (address, url) = (text("SourceIp", 40), text("LoginUrl", COLUMNS));
        for line in [format!("{time}  {status}"), format!("  {flow}, {application}, {address}, {url}")] {
            answer.extend([&shown(&line, COLUMNS), "\n"]);
        }
        let kind = LoginStatus::find(&status).copied();
        let status = kind.map_or(status, |kind| kind.status.to_owned());
        let is_failure = status != "-" && !status.eq_ignore_ascii_case("Success");
        if is_failure && kinds.iter().all(|(other, _)| *other != status) {
            kinds.push((status, kind));
        }
    }
    let unknown = ("not known here; it may be in the language of the token's user", "ask Salesforce's help");
    for (status, kind) in kinds {
        let (means, change) = kind.map_or(unknown, |kind| (kind.means, kind.change));
        answer.extend(["\n", &status, "\n  means: ", means, "\n  to do: ", change, "\n"]);
    }
    answer
        + "\nA login that is missing here did not arrive at this org: check the login URL\n\
           (sandboxes have their own), the username and the consumer key.\n"
}

fn flow(sub_type: String) -> String {
    let letters: String = sub_type.chars().filter(char::is_ascii_alphabetic).collect();
    let known = FLOWS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&letters));
    known.map_or(sub_type, |(_, flow)| (*flow).to_owned())
}

/// As much as these columns hold: letters, digits, ASCII, and the dashes and quotation marks of other languages.
/// All else could be what a terminal obeys, hides or breaks a line at.
fn shown(text: &str, columns: usize) -> String {
    let plain = |c: char| match c {
        c if c.is_whitespace() || c.is_control() => Some(' '),
        '«' | '»' | '\u{2010}'..='\u{2027}' => Some(c),
        c => (c.is_ascii() || c.is_alphanumeric() && !FILLERS.contains(&c)).then_some(c),
    };
    let mut taken = 0;
    let fits = |c: &char| {
        // Wide characters begin there.
        taken += if *c < '\u{1100}' { 1 } else { 2 };
        taken <= columns
    };
    text.chars().filter_map(plain).take_while(fits).collect()
}
