//! `sf-login`: logs in to Salesforce, and prints the access token or makes use of it.

mod command_line;
mod exec;
mod failure;
mod get;
mod login;
mod output;
mod query;
mod session;
mod why;

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::command_line::{Command, parse};
use crate::exec::exec;
use crate::failure::exit_code;
use crate::get::get;
use crate::login::print_login;
use crate::output::{print, result};
use crate::query::query;
use crate::session::{revoke, with_session};
use crate::why::why;

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
        Command::LogIn { format, password_stdin } => print_login(format, password_stdin),
        Command::Exec(name, arguments) => exec(&name, &arguments),
        Command::Get(path) => result(|| with_session(|session| get(session, &path))),
        Command::Query { path, soql } => result(|| with_session(|session| query(session, path, &soql))),
        Command::Why(username) => result(|| why(username)),
        Command::Revoke => revoke(),
        Command::Print(text) => result(|| print(text)),
    }
}
