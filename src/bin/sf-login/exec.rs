//! `sf-login exec`: logs in, and becomes a command that has the token in its environment.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Command;

use sf_login::Login;

use crate::failure::failure;
use crate::login::log_in;

/// What the command is not to have, and neither what names a file with it.
const SECRETS: [&str; 4] = ["SF_CLIENT_SECRET", "SF_PASSWORD", "SF_SECURITY_TOKEN", "SF_JWT_KEY"];

/// Comes back only with an error: this process becomes the command, or where that cannot be ends as it does.
pub fn exec(name: &OsStr, arguments: &[OsString]) -> anyhow::Result<()> {
    // Whether the command exists is not looked at first: a search of ours would follow other rules than the
    // system's (PATH, permissions, interpreters), and all that a misspelt command costs is a login that works.
    let token = log_in(&Login::from_env()?)?;
    let mut command = Command::new(name);
    command.args(arguments);
    for secret in SECRETS {
        command.env_remove(secret).env_remove(format!("{secret}_FILE"));
    }
    command.env("SF_ACCESS_TOKEN", token.access_token()).env("SF_ORG_INSTANCE_URL", token.instance_url());
    let error = run(command);
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    Err(failure(code, format!("cannot run {name:?}: {error}")))
}

#[cfg(unix)]
fn run(mut command: Command) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    // It gives SIGPIPE back its default, which Rust's start has taken away from this process.
    command.exec()
}

#[cfg(not(unix))]
fn run(mut command: Command) -> io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}
