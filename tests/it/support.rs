//! What all tests need: the usual login, the binary, and a watch for secrets in all that is said.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Once;

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use fake_org::{
    CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, Proxy, SECURITY_TOKEN, SITE_PASSWORD, SITE_USERNAME, USERNAME,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sf_login::ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use sf_login::{App, Error, Login, Session, ureq};

/// All that must not be said. Every token of a fake org has `!AQ` in it, as Salesforce's have.
pub const SECRETS: [&str; 5] = [CLIENT_SECRET, PASSWORD, SECURITY_TOKEN, SITE_PASSWORD, "!AQ"];

/// The password flow of the user whom the org knows.
pub fn login(org: &Org) -> Login {
    watch_logs();
    App::new(CLIENT_ID, CLIENT_SECRET)
        .password(USERNAME, PASSWORD)
        .security_token(SECURITY_TOKEN)
        .login_url(org.url())
        .agent(agent(org))
}

pub fn session(org: &Org) -> Session {
    login(org).session().expect("the fake org takes this login")
}

/// An agent that trusts the org's authority, whatever the environment says.
pub fn agent(org: &Org) -> ureq::Agent {
    agent_through(org, None)
}

/// An agent that reaches `org` by every name, through `proxy`.
pub fn agent_through(org: &Org, proxy: Option<&Proxy>) -> ureq::Agent {
    let roots = parse_pem(org.ca_pem().as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let proxy = proxy.map(|proxy| ureq::Proxy::new(&proxy.url()).expect("a proxy has a good URL"));
    ureq::Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build())
        .proxy(proxy)
        .build()
        .new_agent()
}

/// What a person would see of this error, once it is sure that there is no secret in it.
#[track_caller]
pub fn shown(error: &Error) -> String {
    let shown = error.to_string();
    assert_eq!(format!("{error:?}"), shown, "Debug says what Display says");
    assert!(std::error::Error::source(error).is_none(), "the cause is told once, in Display");
    assert_no_secret(&shown);
    assert_no_secret(&format!("{:?}", error.kind()));
    shown
}

/// The first line of what a person would see: what failed, why, and the HTTP status.
#[track_caller]
pub fn headline(error: &Error) -> String {
    shown(error).lines().next().unwrap_or_default().to_owned()
}

#[track_caller]
pub fn assert_no_secret(text: &str) {
    for secret in SECRETS {
        if let Some(form) = forms(secret).into_iter().find(|form| text.contains(form)) {
            panic!("{secret:?} is said, in the form {form:?}: {text}");
        }
    }
}

/// A secret, plain and form-, percent-, base64-, JSON- and HTML-encoded.
pub fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).expect("a string is JSON").trim_matches('"').to_owned();
    let ascii = |c: char| {
        if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }
    };
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let unreserved = percent.replace("%2D", "-").replace("%2E", ".").replace("%5F", "_").replace("%7E", "~");
    vec![
        secret.to_owned(),
        unreserved.replace("%20", "+"),
        percent.to_lowercase(),
        percent,
        unreserved,
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD_NO_PAD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        BASE64_STANDARD.encode(format!("{USERNAME}:{secret}")),
        BASE64_STANDARD.encode(format!("{SITE_USERNAME}:{secret}")),
        secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"),
        json.chars().map(ascii).collect(),
        json.replace('/', "\\/"),
        json,
    ]
}

/// Has every log record looked at as it is written, up to the level that the docs promise.
pub fn watch_logs() {
    struct Watch;

    impl log::Log for Watch {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            assert_no_secret(&record.args().to_string());
        }

        fn flush(&self) {}
    }

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Watch).expect("there is no other logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}

/// The environment with this variable set.
pub fn with(env: &[(&'static str, String)], name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut env = without(env, name);
    env.push((name, value.to_owned()));
    env
}

/// The environment without this variable.
pub fn without(env: &[(&'static str, String)], name: &str) -> Vec<(&'static str, String)> {
    env.iter().filter(|(other, _)| *other != name).cloned().collect()
}

/// How the binary ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary in an environment of these variables alone.
pub fn sf_login(env: &[(&str, String)], args: &[&str]) -> Run {
    sf_login_with_input(env, args, b"")
}

pub fn sf_login_with_input(env: &[(&str, String)], args: &[&str], input: &[u8]) -> Run {
    run(env, env!("CARGO_BIN_EXE_sf-login"), args, input)
}

/// Runs `program`, and looks for secrets in what it says on standard error.
pub fn run(env: &[(&str, String)], program: impl AsRef<OsStr>, args: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that reads nothing may have closed its end already.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    let run = Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert_no_secret(&run.stderr);
    run
}
