//! Logging in, and what is printed of a login.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::str;

use anyhow::Context as _;
use sf_login::{Login, Token};

use crate::failure::usage;
use crate::output::{check, print};

pub fn print_login(format: Format, password_stdin: bool) -> anyhow::Result<()> {
    // Before anything is sent: a token that nobody can read is lost.
    check()?;
    let login = if password_stdin { Login::from_env_with_password(password()?)? } else { Login::from_env()? };
    print(&format(&log_in(&login)?)?)
}

pub fn log_in(login: &Login) -> anyhow::Result<Token> {
    let token = login.token()?;
    announce("", &token);
    Ok(token)
}

/// What to print of a token.
pub type Format = fn(&Token) -> serde_json::Result<String>;

pub fn format_named(name: &str) -> anyhow::Result<Format> {
    // No quote can be in either: a token has RFC 6750's characters and !, a URL fewer.
    fn variables(export: &str, quote: &str, token: &Token) -> String {
        [("SF_ACCESS_TOKEN", token.access_token()), ("SF_ORG_INSTANCE_URL", token.instance_url())]
            .map(|(name, value)| format!("{export}{name}={quote}{value}{quote}\n"))
            .concat()
    }
    Ok(match name {
        "token" => |token| Ok(format!("{}\n", token.access_token())),
        "json" => |token| Ok(format!("{}\n", serde_json::to_string(token)?)),
        "env" => |token| Ok(variables("export ", "'", token)),
        "dotenv" => |token| Ok(variables("", "", token)),
        "header" => |token| Ok(format!("Authorization: Bearer {}\n", token.access_token())),
        _ => return usage("--format takes token, json, env, dotenv or header"),
    })
}

/// On a terminal only: who reads a file wants the results.
//
// Without the login's own words: to have them, its settings would be read again, and a pipe is empty by then.
pub fn announce(why: &str, token: &Token) {
    if io::stderr().is_terminal() {
        let host = token.instance_url().split("//").last().unwrap_or_default();
        let user = token.user_id().map(|id| format!(" as user {id}")).unwrap_or_default();
        let _ = writeln!(io::stderr(), "sf-login: {why}logged in to {host}{user}");
    }
}

/// The first line of standard input, without its line end and without a byte order mark.
fn password() -> anyhow::Result<String> {
    /// Far more than any password.
    const LONGEST: usize = 64 * 1024;
    if io::stdin().is_terminal() {
        return usage("--password-stdin does not ask: pipe the password in, or set SF_PASSWORD by read -rs");
    }
    let mut line = Vec::new();
    let mut input = io::stdin().lock().take(LONGEST as u64 + 1);
    input.read_until(b'\n', &mut line).context("standard input cannot be read")?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    // Truncated, it would be a wrong one, and wrong ones lock the user out.
    if line.len() > LONGEST {
        return usage("--password-stdin got more than a password");
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    match str::from_utf8(line) {
        Ok("") => usage("--password-stdin got no password on standard input"),
        Ok(password) => Ok(password.to_owned()),
        Err(_) => usage("--password-stdin got a password that is not UTF-8"),
    }
}
