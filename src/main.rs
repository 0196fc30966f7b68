//! `sf-login`: logs in to Salesforce and prints the access token, or what it gives access to.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::value::RawValue;
use sf_login::ureq::http::Request;
use sf_login::{ErrorKind, Login, Session, Token};

const HELP: &str = "\
Log in to Salesforce and print the access token.

usage: sf-login [--format token|json|env|dotenv|header] [--password-stdin]
       sf-login get PATH       print one REST resource as it came
       sf-login query SOQL     print records, one JSON object a line
       sf-login revoke         log out the token in SF_ACCESS_TOKEN
       sf-login --help | --version

All but revoke log in, get and query only where SF_ACCESS_TOKEN is not set or
has expired.

formats
  token   the token alone (the default)
  json    the whole reply, on one line
  env     export SF_ACCESS_TOKEN='...' and SF_ORG_INSTANCE_URL='...', for eval
  dotenv  the same without export and quotes
  header  Authorization: Bearer ..., for curl -H @-

--password-stdin reads the password from one line of standard input, instead of
SF_PASSWORD. Secrets are never taken from the command line.

examples, to type or to paste into bash or zsh; the secrets are typed at the end
  username-password flow (being retired by Salesforce)
    export SF_CLIENT_ID=3MVG9... SF_USERNAME=ada@example.com
    read -rs SF_CLIENT_SECRET && read -rs SF_PASSWORD &&
    export SF_CLIENT_SECRET SF_PASSWORD &&
    sf-login
  client credentials flow
    export SF_FLOW=client_credentials
    export SF_LOGIN_URL=https://ACME.my.salesforce.com
    export SF_CLIENT_ID=3MVG9...
    read -rs SF_CLIENT_SECRET && export SF_CLIENT_SECRET &&
    out=$(sf-login --format env) && eval \"$out\"
  Experience Cloud users
    export SF_FLOW=code_credentials
    export SF_LOGIN_URL=https://ACME.my.site.com/customers
    export SF_CLIENT_ID=3MVG9...
    export SF_REDIRECT_URI=https://app.example.com/callback
    export SF_USERNAME=grace@example.com
    read -rs SF_CLIENT_SECRET && export SF_CLIENT_SECRET &&
    sf-login --password-stdin < password.txt
  with a token, or after any of these
    sf-login query 'SELECT Id, Name FROM Account' | jq -r .Name

variables (an empty one is unset)
  SF_FLOW              password (the default), client_credentials or
                       code_credentials
  SF_CLIENT_ID         the app's consumer key
  SF_CLIENT_SECRET     the app's consumer secret
  SF_USERNAME          the user, in the flows that have one
  SF_PASSWORD          the user's password
  SF_SECURITY_TOKEN    appended to the password, in the password flow
  SF_LOGIN_URL         default https://login.salesforce.com; for sandboxes
                       https://test.salesforce.com; else the org's My Domain, or
                       the site's address
  SF_REDIRECT_URI      one of the app's callback URLs, for code_credentials
  SF_ACCESS_TOKEN      a token to use instead of logging in; goes with the next
  SF_ORG_INSTANCE_URL  the instance that SF_ACCESS_TOKEN is for
  SF_ORG_API_VERSION   default 66.0
  SSL_CERT_FILE        PEM file of authorities that replace the built-in ones
  HTTPS_PROXY, ALL_PROXY, NO_PROXY

exit codes
  0  done
  1  not reached, connection lost, an unexpected reply, or \"try later\" to the
     end: the only one worth retrying
  2  usage or a setting
  3  login refused: do not repeat it, failed logins lock the user out
  4  request refused
";

/// What the command line asks for.
enum Command {
    LogIn { format: Format, password_stdin: bool },
    Get(String),
    Query(String),
    Revoke,
    Print(String),
}

#[derive(Clone, Copy)]
enum Format {
    Token,
    Json,
    Env,
    Dotenv,
    Header,
}

/// A command line that cannot be understood.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nsee sf-login --help", self.0)
    }
}

impl std::error::Error for Usage {}

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
        Command::Get(path) => quiet_at_closed_pipe(get(&path)),
        Command::Query(soql) => quiet_at_closed_pipe(query(&soql)),
        Command::Revoke => revoke(),
        Command::Print(text) => print(text.as_bytes()),
    }
}

fn log_in(format: Format, password_stdin: bool) -> anyhow::Result<()> {
    let login = if password_stdin { Login::from_env_with_password(password()?)? } else { Login::from_env()? };
    let token = login.token()?;
    announce("", &token, &login);
    print(formatted(&token, format)?.as_bytes())
}

fn formatted(token: &Token, format: Format) -> anyhow::Result<String> {
    // No quote can be in either: a token has RFC 6750's characters and !, a URL fewer.
    let (secret, instance) = (token.access_token(), token.instance_url());
    Ok(match format {
        Format::Token => format!("{secret}\n"),
        Format::Json => format!("{}\n", serde_json::to_string(token)?),
        Format::Env => {
            format!("export SF_ACCESS_TOKEN='{secret}'\nexport SF_ORG_INSTANCE_URL='{instance}'\n")
        }
        Format::Dotenv => format!("SF_ACCESS_TOKEN={secret}\nSF_ORG_INSTANCE_URL={instance}\n"),
        Format::Header => format!("Authorization: Bearer {secret}\n"),
    })
}

fn get(path: &str) -> anyhow::Result<()> {
    let (session, token) = session()?;
    let request = Request::get(session.url(path)?).header("Accept", "*/*").body("")?;
    let mut body = session.run(request)?.into_body().into_reader();
    let mut out = io::stdout().lock();
    let mut buffer = vec![0; 64 * 1024];
    let mut last = b'\n';
    loop {
        let n = body.read(&mut buffer).context("the reply did not arrive whole")?;
        if n == 0 {
            break;
        }
        last = buffer[n - 1];
        out.write_all(&buffer[..n]).context(STDOUT)?;
    }
    if out.is_terminal() && last != b'\n' {
        // The prompt belongs on a line of its own.
        out.write_all(b"\n").context(STDOUT)?;
    }
    out.flush().context(STDOUT)?;
    announce_new_login(&session, &token);
    Ok(())
}

fn query(soql: &str) -> anyhow::Result<()> {
    let (session, token) = session()?;
    let mut records = session.query::<Box<RawValue>>(soql);
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    // On the same terminal, the line must go before a record comes.
    let among_records = io::stdout().is_terminal();
    let mut progress = Progress { wanted: io::stderr().is_terminal(), given: 0, shown: false };
    loop {
        if records.size_hint().0 == 0 {
            // The next page may take a while, so what has come goes out.
            out.flush().context(STDOUT)?;
            progress.show(records.total());
        }
        let Some(record) = records.next() else {
            progress.wipe();
            announce_new_login(&session, &token);
            return Ok(());
        };
        if among_records {
            progress.wipe();
        }
        // Line ends can only be white space in JSON; inside a string they are written \n.
        for line in record?.get().lines() {
            out.write_all(line.as_bytes()).context(STDOUT)?;
        }
        out.write_all(b"\n").context(STDOUT)?;
        progress.given += 1;
    }
}

fn revoke() -> anyhow::Result<()> {
    if kept_token().is_none() {
        bail!(Usage("SF_ACCESS_TOKEN is not set: write the token that is to be logged out".to_owned()));
    }
    Ok(Session::from_env()?.revoke()?)
}

/// `12,000 of 250,000 records`, on a terminal, while a page is waited for.
struct Progress {
    wanted: bool,
    given: u64,
    shown: bool,
}

impl Progress {
    fn show(&mut self, total: Option<u64>) {
        if let (true, Some(total)) = (self.wanted, total) {
            let _ = write!(io::stderr(), "\r{} of {} records", grouped(self.given), grouped(total));
            self.shown = true;
        }
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.wipe();
    }
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

/// The session of the environment and its first token; a login says who and where.
fn session() -> anyhow::Result<(Session, Token)> {
    let session = Session::from_env()?;
    let token = session.token();
    if kept_token().is_none() {
        announce("", &token, &Login::from_env()?);
    }
    Ok((session, token))
}

fn kept_token() -> Option<OsString> {
    env::var_os("SF_ACCESS_TOKEN").filter(|token| !token.is_empty())
}

/// Tells that the token with which it began had expired.
fn announce_new_login(session: &Session, began_with: &Token) {
    let token = session.token();
    if let (true, Ok(login)) = (token.access_token() != began_with.access_token(), Login::from_env()) {
        announce("the session had expired; ", &token, &login);
    }
}

/// On a terminal only: who reads a file wants the results.
fn announce(why: &str, token: &Token, login: &Login) {
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr(), "sf-login: {why}logged in to {} ({login})", token.instance_url());
    }
}

/// The first line of standard input, without its line end and without a byte order mark.
fn password() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        let problem = "--password-stdin does not ask: pipe the password in, or set SF_PASSWORD by read -rs";
        bail!(Usage(problem.to_owned()));
    }
    /// Far more than any password.
    const LONGEST: usize = 64 * 1024;
    let mut line = Vec::new();
    for byte in io::stdin().lock().bytes() {
        match byte.context("standard input cannot be read")? {
            b'\n' => break,
            // Cut off, it would be a wrong one, and wrong ones lock the user out.
            _ if line.len() == LONGEST => {
                bail!(Usage("--password-stdin got more than a password".to_owned()));
            }
            byte => line.push(byte),
        }
    }
    let line = line.strip_suffix(b"\r").unwrap_or(&line);
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    match String::from_utf8(line.to_vec()) {
        Ok(password) if !password.is_empty() => Ok(password),
        Ok(_) => bail!(Usage("--password-stdin got no password on standard input".to_owned())),
        Err(_) => bail!(Usage("--password-stdin got a password that is not UTF-8".to_owned())),
    }
}

/// What a failed write to standard output is called.
const STDOUT: &str = "cannot write to standard output";

fn print(text: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).context(STDOUT)
}

fn parse() -> anyhow::Result<Command> {
    let mut arguments = Vec::new();
    for argument in env::args_os().skip(1) {
        match argument.into_string() {
            Ok(argument) => arguments.push(argument),
            Err(_) => bail!(Usage("an argument is not UTF-8".to_owned())),
        }
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Wherever it stands: who asks a command for help must not cause a login.
    if words.iter().any(|word| matches!(*word, "-h" | "--help")) {
        return Ok(Command::Print(HELP.to_owned()));
    }
    match words[..] {
        ["help", ..] => return Ok(Command::Print(HELP.to_owned())),
        ["-V" | "--version"] => {
            return Ok(Command::Print(concat!("sf-login ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));
        }
        ["get", path] => return Ok(Command::Get(path.to_owned())),
        ["query", soql] => return Ok(Command::Query(soql.to_owned())),
        ["revoke"] => return Ok(Command::Revoke),
        ["get", ..] => bail!(Usage("get takes one PATH".to_owned())),
        ["query", ..] => bail!(Usage("query takes one SOQL, in quotes".to_owned())),
        ["revoke", ..] => bail!(Usage("revoke takes no argument".to_owned())),
        _ => {}
    }
    let (mut format, mut password_stdin) = (Format::Token, false);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word, None),
        };
        match (option, value) {
            ("--format", value) => {
                format = match value.or_else(|| words.next()) {
                    Some("token") => Format::Token,
                    Some("json") => Format::Json,
                    Some("env") => Format::Env,
                    Some("dotenv") => Format::Dotenv,
                    Some("header") => Format::Header,
                    _ => bail!(Usage("--format takes token, json, env, dotenv or header".to_owned())),
                }
            }
            ("--password-stdin", None) => password_stdin = true,
            ("--password-stdin", Some(_)) => bail!(Usage("--password-stdin takes no value".to_owned())),
            // Only an option's own name is shown: what else stands here may be a secret.
            (option, _) if option.starts_with("--") => bail!(Usage(format!("no option {option}"))),
            (option, _) if option.starts_with('-') => {
                bail!(Usage(format!("no option {}", option.get(..2).unwrap_or("-"))))
            }
            _ => bail!(Usage("no such command: there are get, query, revoke and help".to_owned())),
        }
    }
    Ok(Command::LogIn { format, password_stdin })
}

/// Who reads no further has seen enough of a result; a token that nobody read is lost.
fn quiet_at_closed_pipe(outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    let is_closed_pipe = |error: &anyhow::Error| {
        let io = error.downcast_ref::<io::Error>();
        error.to_string() == STDOUT && io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    };
    outcome.or_else(|error| if is_closed_pipe(&error) { Ok(()) } else { Err(error) })
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() {
        return 2;
    }
    match error.downcast_ref::<sf_login::Error>() {
        Some(error) if error.is_transient() => 1,
        Some(error) => match error.kind() {
            ErrorKind::Setting { .. } => 2,
            ErrorKind::Refused { .. } => 3,
            ErrorKind::Api { .. } => 4,
            _ => 1,
        },
        None => 1,
    }
}
