//! `sf-login`: logs in to Salesforce and prints the access token, or what it gives access to.

mod command_line;
mod get;
mod login;
mod output;
mod query;
mod session;

use std::io::{self, Write as _};
use std::process::ExitCode;

use sf_login::ErrorKind;

use crate::command_line::{Command, Usage, parse};
use crate::get::get;
use crate::login::log_in;
use crate::output::print;
use crate::query::query;
use crate::session::{revoke, with_session};

fn main() -> ExitCode {
    let Err(error) = parse().and_then(run) else {
        return ExitCode::SUCCESS;
    };
    // A terminal that has gone away is no reason to panic.
    let _ = writeln!(io::stderr(), "sf-login: {error:#}");
    ExitCode::from(exit_code(&error))
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::LogIn { format, password_stdin } => log_in(format, password_stdin),
        Command::Get(path) => with_session(|session| get(session, &path)),
        Command::Query(soql) => with_session(|session| query(session, &soql)),
        Command::Revoke => revoke(),
        Command::Print(text) => print(text),
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<sf_login::Error>() {
        None if error.is::<Usage>() => 2,
        Some(error) if !error.is_transient() => match error.kind() {
            ErrorKind::Setting { .. } => 2,
            ErrorKind::Refused { .. } => 3,
            ErrorKind::Api { .. } => 4,
            _ if error.is_refused_login() => 3,
            _ => 1,
        },
        _ => 1,
    }
}
