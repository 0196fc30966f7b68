//! Shows the three steps of a login as they happen: what was sent, what came back, and a request made
//! with the token. Secrets are masked.
//!
//! Where `SF_CLIENT_ID` is not set, it starts a small Salesforce on this machine and logs in to that one
//! over TLS: it needs no org and no network. Where it is set, it logs in to that app's org, and reads
//! the other variables too that `sf-login --help` lists (`SF_CLIENT_SECRET`, `SF_USERNAME` and so on).

use std::env;

use fake_org::{CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, Request, SECURITY_TOKEN, USERNAME};
use serde_json::Value;
use sf_login::ureq::Agent;
use sf_login::ureq::tls::{Certificate, RootCerts, TlsConfig};
use sf_login::{App, Login, Token, path_segment};

const MASK: &str = "********";

const SOQL: &str = "SELECT Name FROM Account LIMIT 3";

fn main() -> anyhow::Result<()> {
    let has_settings = env::var_os("SF_CLIENT_ID").is_some_and(|id| !id.is_empty());
    let org = (!has_settings).then(Org::start_tls);
    let login = match &org {
        None => Login::from_env()?,
        Some(org) => App::new(CLIENT_ID, CLIENT_SECRET)
            .password(USERNAME, PASSWORD)
            .security_token(SECURITY_TOKEN)
            .login_url(org.url())
            .agent(agent_that_trusts(org.ca_pem())?),
    };
    if let Some(org) = &org {
        org.seed_accounts(25);
        println!("SF_CLIENT_ID is not set, so this logs in to a small Salesforce on this machine, started");
        println!("for the purpose: {login}");
    } else {
        println!("Logging in: {login}");
        section("1. What was sent", sent_by_settings());
    }
    let session = login.session()?;
    if let Some(request) = org.as_ref().and_then(|org| org.requests().pop()) {
        section("1. What was sent", received(&request));
    }
    section("2. What came back", came_back(&session.token())?);

    let url = session.url(&format!("query?q={}", path_segment(SOQL)))?;
    section(
        "3. A request made with the token",
        [format!("GET {url}"), format!("Authorization: Bearer {MASK}")],
    );
    let names = session
        .query::<Value>(SOQL)
        .map(|account| account.map(|account| account["Name"].as_str().unwrap_or_default().to_owned()));
    section("And its answer: the names of some accounts", names.collect::<Result<Vec<_>, _>>()?);

    print!("{WHAT_NEXT}{}", if org.is_some() { WITH_AN_ORG } else { "" });
    Ok(())
}

fn section(title: &str, lines: impl IntoIterator<Item = String>) {
    println!("\n{title}\n");
    for line in lines {
        println!("{}", format!("    {line}").trim_end());
    }
}

/// A login as it reached the org, one parameter of the form a line.
fn received(request: &Request) -> Vec<String> {
    let head = String::from_utf8_lossy(&request.raw_head);
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    for (name, value) in request.form() {
        let secret = matches!(&*name, "client_secret" | "password");
        lines.push(format!("{name}={}", if secret { MASK } else { &value }));
    }
    lines
}

/// What a login by these settings sends: to an org elsewhere, nobody here sees it arrive.
fn sent_by_settings() -> Vec<String> {
    let setting = |name| env::var(name).unwrap_or_default();
    let line = |name, value: &str| format!("{name}={value}");
    let mut lines = Vec::new();
    let mut form = vec![line("client_id", &setting("SF_CLIENT_ID"))];
    if !setting("SF_CLIENT_SECRET").is_empty() {
        form.push(line("client_secret", MASK));
    }
    let grant_type = match &*setting("SF_FLOW") {
        "client_credentials" => "client_credentials",
        "code_credentials" => {
            lines.push("POST /services/oauth2/authorize".to_owned());
            lines.push(format!("Authorization: Basic {MASK}"));
            lines.push(String::new());
            lines.push(line("response_type", "code_credentials"));
            lines.push(line("client_id", &setting("SF_CLIENT_ID")));
            lines.push(line("redirect_uri", &setting("SF_REDIRECT_URI")));
            lines.push(String::new());
            form.extend([line("code", MASK), line("redirect_uri", &setting("SF_REDIRECT_URI"))]);
            "authorization_code"
        }
        _ => {
            form.extend([line("username", &setting("SF_USERNAME")), line("password", MASK)]);
            "password"
        }
    };
    lines.push("POST /services/oauth2/token".to_owned());
    lines.push(String::new());
    lines.push(line("grant_type", grant_type));
    lines.extend(form);
    lines
}

/// The fields of the reply. Those that are not known to be harmless are masked.
fn came_back(token: &Token) -> anyhow::Result<Vec<String>> {
    const HARMLESS: [&str; 9] = [
        "api_instance_url",
        "id",
        "instance_url",
        "issued_at",
        "scope",
        "sfdc_community_id",
        "sfdc_community_url",
        "token_format",
        "token_type",
    ];
    let Value::Object(fields) = serde_json::to_value(token)? else {
        return Ok(Vec::new());
    };
    let line = |(name, value): (&String, &Value)| {
        let harmless = HARMLESS.contains(&&**name);
        format!("{name}: {}", if harmless { value.as_str().unwrap_or_default() } else { MASK })
    };
    Ok(fields.iter().map(line).collect())
}

/// An agent that trusts this one authority and no other.
fn agent_that_trusts(pem: &str) -> anyhow::Result<Agent> {
    let authority = Certificate::from_pem(pem.as_bytes())?;
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build();
    Ok(Agent::config_builder().tls_config(tls).build().new_agent())
}

const WHAT_NEXT: &str = "
What next

    From a program: README.md, \"From a program\", or cargo doc --open
    From a shell: cargo run -- --help
";

const WITH_AN_ORG: &str =
    "    With your org: set SF_CLIENT_ID, SF_CLIENT_SECRET, SF_USERNAME, SF_PASSWORD and, outside its
    trusted IP ranges, SF_SECURITY_TOKEN, then run this again
";
