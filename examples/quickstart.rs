//! Shows the three steps of a login as they happen: what was sent, what came back, and a request made with the
//! token. Secrets are masked.
//!
//! Where `SF_CLIENT_ID` is not set, it starts a small Salesforce on this machine and logs in to that one over
//! TLS: it needs no org and no network. Where it is set, it logs in with the variables that `sf-login --help`
//! lists.

use std::env;

use fake_org::{CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, SECURITY_TOKEN, USERNAME};
use serde_json::Value;
use sf_login::ureq::Agent;
use sf_login::ureq::tls::{Certificate, RootCerts, TlsConfig};
use sf_login::{App, Login, Session};

const MASK: &str = "********";

fn main() -> anyhow::Result<()> {
    if env::var_os("SF_CLIENT_ID").is_some_and(|id| !id.is_empty()) {
        let login = Login::from_env()?;
        println!("Logging in: {login}");
        return show(&login.session()?);
    }
    println!("SF_CLIENT_ID is not set, so this logs in to a small Salesforce on this machine:");
    let org = Org::start_tls();
    org.seed_accounts(25);
    let login = App::new(CLIENT_ID, CLIENT_SECRET)
        .password(USERNAME, PASSWORD)
        .security_token(SECURITY_TOKEN)
        .login_url(org.url())
        .agent(agent_that_trusts(org.ca_pem())?);
    println!("{login}\n\n1. What was sent\n");
    let session = login.session()?;
    let request = org.requests().remove(0);
    for line in String::from_utf8_lossy(&request.raw_head).lines() {
        println!("{}", format!("    {line}").trim_end());
    }
    for (name, value) in request.form() {
        let secret = matches!(&*name, "client_secret" | "password");
        println!("    {name}={}", if secret { MASK } else { &value });
    }
    show(&session)
}

fn show(session: &Session) -> anyhow::Result<()> {
    println!("\n2. What came back\n");
    let token = serde_json::to_value(session.token())?;
    for (name, value) in token.as_object().into_iter().flatten() {
        // What is not known to be harmless is masked.
        let harmless = ["id", "instance_url", "issued_at", "scope", "token_type"].contains(&&**name);
        println!("    {name}: {}", if harmless { value.as_str().unwrap_or_default() } else { MASK });
    }
    println!("\n3. A request made with the token: the names of some accounts\n");
    for account in session.query::<Value>("SELECT Name FROM Account LIMIT 3") {
        println!("    {}", account?["Name"].as_str().unwrap_or_default());
    }
    println!("\nWhat next: README.md, \"What you need in the org\"; cargo run -- --help; cargo doc --open");
    Ok(())
}

/// An agent that trusts this one authority and no other.
fn agent_that_trusts(pem: &str) -> anyhow::Result<Agent> {
    let authority = Certificate::from_pem(pem.as_bytes())?;
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build();
    Ok(Agent::config_builder().tls_config(tls).build().new_agent())
}
