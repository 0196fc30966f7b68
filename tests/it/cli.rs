//! The binary: what it prints for each command, what it says when it fails, and how it exits.

#[cfg(unix)]
mod exec;
mod failures;
mod get;
mod login;
mod output;
mod query;
mod revoke;
mod terminal;
mod usage;
mod why;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};

const TOKEN: &str = "00D5g00000FakeO!AQ.of_a-test~+/=";

fn program(env: &[(&'static str, String)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sf-login"));
    program.env_clear().envs(env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    program
}

fn started(program: &mut Command) -> Child {
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Reads one line and no more of what it prints; the pipe stays open as long as the child is held.
fn first_line(child: &mut Child) -> String {
    let mut stdout = BufReader::with_capacity(1024, child.stdout.as_mut().expect("stdout is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("it prints UTF-8");
    line
}

/// Closes the pipe from which nothing more is read, and waits.
fn ended(mut child: Child) -> Output {
    drop(child.stdout.take());
    let mut stderr = Vec::new();
    child.stderr.take().expect("stderr is piped").read_to_end(&mut stderr).expect("stderr can be read");
    let status = child.wait().expect("it ends");
    Output { status, stdout: Vec::new(), stderr }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it writes UTF-8")
}
