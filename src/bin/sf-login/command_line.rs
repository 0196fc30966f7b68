//! The command line: its commands and options.

use std::env;
use std::ffi::OsString;

use crate::failure::usage;
use crate::login::{Format, format_named};

const HELP: &str = include_str!("help.txt");
const VERSION: &str = concat!("sf-login ", env!("CARGO_PKG_VERSION"), "\n");

/// What the command line asks for.
pub enum Command {
    LogIn { format: Format, password_stdin: bool },
    Exec(OsString, Vec<OsString>),
    Get(String),
    Query { path: &'static str, soql: String },
    Why(Option<String>),
    Revoke,
    Print(&'static str),
}

const COMMANDS: [&str; 5] = ["exec", "get", "query", "why", "revoke"];

/// Each option, the command that has it (the plain login has no name), and how it is written.
const OPTIONS: [(&str, &str, &str); 4] = [
    ("--format", "", "sf-login --format FORMAT"),
    ("--password-stdin", "", "sf-login --password-stdin"),
    ("--use-tooling-api", "query", "sf-login query --use-tooling-api SOQL"),
    ("--all-rows", "query", "sf-login query --all-rows SOQL"),
];

pub fn parse() -> anyhow::Result<Command> {
    let (mut words, mut options, mut started) = (vec![], vec![], None);
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if words == ["exec"] && (argument == "--" || !argument.as_encoded_bytes().starts_with(b"-")) {
            started = if argument == "--" { arguments.next() } else { Some(argument) };
            break;
        }
        let Ok(word) = argument.into_string() else {
            return usage("an argument is not UTF-8");
        };
        // Wherever it stands: who asks a command for help must not cause a login.
        match &*word {
            "-h" | "--help" => return Ok(Command::Print(HELP)),
            "-V" | "--version" => return Ok(Command::Print(VERSION)),
            "help" if words.is_empty() => return Ok(Command::Print(HELP)),
            _ if word.starts_with('-') => {
                let (name, value) = word.split_once('=').unzip();
                let name = name.unwrap_or(&word);
                let Some(option) = OPTIONS.iter().find(|(option, ..)| *option == name) else {
                    // Only an option's own name is shown: what else stands here may be a secret.
                    let shown = if name.starts_with("--") { name } else { name.get(..2).unwrap_or("-") };
                    return usage(&format!("no option {shown}"));
                };
                let value = match value {
                    None if name == "--format" => arguments.next().and_then(|value| value.into_string().ok()),
                    value => value.map(str::to_owned),
                };
                options.push((option, value));
            }
            _ if words.is_empty() && !COMMANDS.contains(&&*word) => {
                return usage("no such command: there are exec, get, query, why, revoke and help");
            }
            _ => words.push(word),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = words.first().copied().unwrap_or_default();
    let (mut format, mut password_stdin, mut path) = (format_named("token")?, false, "query");
    for ((name, owner, written), value) in options {
        match (*name, value) {
            // It may stand before its command, too.
            _ if *owner != command => {
                return usage(&format!("{name} does not belong here, but in: {written}"));
            }
            ("--format", value) => format = format_named(&value.unwrap_or_default())?,
            (_, Some(_)) => return usage(&format!("{name} takes no value")),
            ("--password-stdin", _) => password_stdin = true,
            _ if path != "query" => return usage("query takes one of --use-tooling-api and --all-rows"),
            ("--all-rows", _) => path = "queryAll",
            _ => path = "tooling/query",
        }
    }
    Ok(match (&*words, started) {
        ([], _) => Command::LogIn { format, password_stdin },
        (["exec"], Some(name)) => Command::Exec(name, arguments.collect()),
        (["exec", ..], _) => return usage("exec takes a COMMAND"),
        (["get", path], _) => Command::Get((*path).to_owned()),
        (["get", ..], _) => return usage("get takes one PATH"),
        (["query", soql], _) => Command::Query { path, soql: (*soql).to_owned() },
        (["query", ..], _) => return usage("query takes one SOQL, in quotes"),
        (["why"], _) => Command::Why(None),
        (["why", username], _) => Command::Why(Some((*username).to_owned())),
        (["why", ..], _) => return usage("why takes one USERNAME"),
        (["revoke"], _) => Command::Revoke,
        _ => return usage("revoke takes no argument"),
    })
}
