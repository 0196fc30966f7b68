//! What the command line asks for.

use std::env;
use std::ffi::OsString;

use crate::login::{Format, format_named};

const HELP: &str = include_str!("help.txt");

/// What the command line asks for.
pub enum Command {
    LogIn { format: Format, password_stdin: bool },
    Get(String),
    Query(String),
    Revoke,
    Print(&'static str),
}

/// A command line that cannot be understood.
#[derive(Debug)]
pub struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nsee sf-login --help", self.0)
    }
}

pub fn usage<T>(problem: &str) -> anyhow::Result<T> {
    Err(anyhow::Error::msg(Usage(problem.to_owned())))
}

pub fn parse() -> anyhow::Result<Command> {
    let arguments: Result<Vec<_>, _> = env::args_os().skip(1).map(OsString::into_string).collect();
    let Ok(arguments) = arguments else {
        return usage("an argument is not UTF-8");
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Wherever it stands: who asks a command for help must not cause a login.
    if words.iter().any(|word| matches!(*word, "-h" | "--help")) {
        return Ok(Command::Print(HELP));
    }
    match words[..] {
        ["help", ..] => Ok(Command::Print(HELP)),
        ["-V" | "--version"] => Ok(Command::Print(concat!("sf-login ", env!("CARGO_PKG_VERSION"), "\n"))),
        ["get", path] => Ok(Command::Get(path.to_owned())),
        ["query", soql] => Ok(Command::Query(soql.to_owned())),
        ["revoke"] => Ok(Command::Revoke),
        ["get", ..] => usage("get takes one PATH"),
        ["query", ..] => usage("query takes one SOQL, in quotes"),
        ["revoke", ..] => usage("revoke takes no argument"),
        _ => parse_options(words),
    }
}

fn parse_options(words: Vec<&str>) -> anyhow::Result<Command> {
    let (mut format, mut password_stdin) = (format_named("token")?, false);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value))) {
            ("--format", value) => format = format_named(value.or_else(|| words.next()).unwrap_or_default())?,
            ("--password-stdin", None) => password_stdin = true,
            ("--password-stdin", Some(_)) => return usage("--password-stdin takes no value"),
            // Only an option's own name is shown: what else stands here may be a secret.
            (option, _) if option.starts_with("--") => return usage(&format!("no option {option}")),
            (option, _) if option.starts_with('-') => {
                return usage(&format!("no option {}", option.get(..2).unwrap_or("-")));
            }
            _ => return usage("no such command: there are get, query, revoke and help"),
        }
    }
    Ok(Command::LogIn { format, password_stdin })
}
