//! The binary: what is in its environment, and how it ends.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Stdio};

use fake_org::Org;

use super::assert_no_secret;

pub type Env = Vec<(&'static str, String)>;

/// The environment with this variable set.
pub fn with(env: &[(&'static str, String)], name: &'static str, value: &str) -> Env {
    let mut env = without(env, name);
    env.push((name, value.to_owned()));
    env
}

/// The environment without this variable.
pub fn without(env: &[(&'static str, String)], name: &str) -> Env {
    env.iter().filter(|(other, _)| *other != name).cloned().collect()
}

/// A kept token, and no login.
pub fn kept_env(org: &Org, token: &str) -> Env {
    vec![("SF_ACCESS_TOKEN", token.to_owned()), ("SF_ORG_INSTANCE_URL", org.url())]
}

pub fn client_credentials_env(org: &Org) -> Env {
    org.env_for("client_credentials")
}

/// How the binary ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The first line of what it said.
    pub fn headline(&self) -> &str {
        self.stderr.lines().next().unwrap_or_default()
    }
}

/// The binary did what it was asked, printed this and said nothing.
pub fn done(stdout: &str) -> Run {
    Run { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() }
}

/// The binary failed, said this and printed nothing.
pub fn failed(code: i32, message: &str) -> Run {
    Run { code: Some(code), stdout: String::new(), stderr: format!("sf-login: {message}\n") }
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

/// Whether `script` lends a terminal. It may be missing or another system's, and a sandbox may have none to lend.
pub fn a_terminal_can_be_had() -> bool {
    let probe = Command::new("script").args(["-qec", "test -t 2", "/dev/null"]).stdin(Stdio::null()).output();
    let lent = probe.is_ok_and(|probe| probe.status.success());
    if !lent {
        println!("skipped: no terminal can be had here");
    }
    lent
}
