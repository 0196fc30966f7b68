//! `sf-login`: logs in to Salesforce and prints the access token, or what it gives access to.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufWriter, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::str;

use anyhow::Context as _;
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
    IFS= read -rs SF_CLIENT_SECRET && IFS= read -rs SF_PASSWORD &&
    export SF_CLIENT_SECRET SF_PASSWORD &&
    sf-login
  client credentials flow
    export SF_FLOW=client_credentials
    export SF_LOGIN_URL=https://ACME.my.salesforce.com
    export SF_CLIENT_ID=3MVG9...
    IFS= read -rs SF_CLIENT_SECRET && export SF_CLIENT_SECRET &&
    out=$(sf-login --format env) && eval \"$out\"
  Experience Cloud users
    export SF_FLOW=code_credentials
    export SF_LOGIN_URL=https://ACME.my.site.com/customers
    export SF_CLIENT_ID=3MVG9...
    export SF_REDIRECT_URI=https://app.example.com/callback
    export SF_USERNAME=grace@example.com
    IFS= read -rs SF_CLIENT_SECRET && export SF_CLIENT_SECRET &&
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
    Print(&'static str),
}

/// A command line that cannot be understood.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nsee sf-login --help", self.0)
    }
}

fn usage<T>(problem: &str) -> anyhow::Result<T> {
    Err(anyhow::Error::msg(Usage(problem.to_owned())))
}

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

fn log_in(format: Format, password_stdin: bool) -> anyhow::Result<()> {
    let login = if password_stdin { Login::from_env_with_password(password()?)? } else { Login::from_env()? };
    let token = login.token()?;
    announce("", &token, &login);
    print(&format(&token)?)
}

/// What to print of a token.
type Format = fn(&Token) -> serde_json::Result<String>;

fn format_named(name: &str) -> anyhow::Result<Format> {
    // No quote can be in either: a token has RFC 6750's characters and !, a URL fewer.
    fn variables(export: &str, quote: &str, token: &Token) -> String {
        let (secret, instance) = (token.access_token(), token.instance_url());
        format!(
            "{export}SF_ACCESS_TOKEN={quote}{secret}{quote}\n{export}SF_ORG_INSTANCE_URL={quote}{instance}{quote}\n"
        )
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

fn get(session: &Session, path: &str) -> anyhow::Result<()> {
    let request = Request::get(session.url(path)?).header("Accept", "*/*").body("")?;
    let mut body = session.run(request)?.into_body().into_reader();
    let mut out = io::stdout().lock();
    let mut buffer = vec![0; 64 * 1024];
    let mut last = b'\n';
    while let n @ 1.. = body.read(&mut buffer).context("the reply did not arrive whole")? {
        out.write_all(&buffer[..n]).context(STDOUT)?;
        last = buffer[n - 1];
    }
    if out.is_terminal() && last != b'\n' {
        // The prompt belongs on a line of its own.
        out.write_all(b"\n").context(STDOUT)?;
    }
    out.flush().context(STDOUT)
}

fn query(session: &Session, soql: &str) -> anyhow::Result<()> {
    let mut records = session.query::<Box<RawValue>>(soql);
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    // On the same terminal, the line must go before a record comes.
    let among_records = io::stdout().is_terminal();
    let mut progress = Progress { given: 0, shown: false };
    loop {
        if records.size_hint().0 == 0 {
            // The next page may take a while, so what has come goes out.
            out.flush().context(STDOUT)?;
            progress.show(records.total());
        }
        let Some(record) = records.next() else {
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
    if !has_token() {
        return usage("SF_ACCESS_TOKEN is not set: write the token that is to be logged out");
    }
    Ok(Session::from_env()?.revoke()?)
}

/// `12,000 of 250,000 records`, on a terminal, while a page is waited for.
struct Progress {
    given: u64,
    shown: bool,
}

impl Progress {
    fn show(&mut self, total: Option<u64>) {
        if let (true, Some(total)) = (io::stderr().is_terminal(), total) {
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
    if n < 1000 { n.to_string() } else { format!("{},{:03}", grouped(n / 1000), n % 1000) }
}

/// Does `work` with the session of the environment. Each login says who and where.
fn with_session(work: impl FnOnce(&Session) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let session = Session::from_env()?;
    let first = session.token();
    if !has_token() {
        announce("", &first, &Login::from_env()?);
    }
    match work(&session) {
        // Who reads no further has seen enough of a result; a token that nobody read is lost.
        Err(error) if is_closed_pipe(&error) => return Ok(()),
        outcome => outcome?,
    }
    let last = session.token();
    if last.access_token() != first.access_token() {
        announce("the session had expired; ", &last, &Login::from_env()?);
    }
    Ok(())
}

fn has_token() -> bool {
    env::var_os("SF_ACCESS_TOKEN").is_some_and(|token| !token.is_empty())
}

/// On a terminal only: who reads a file wants the results.
fn announce(why: &str, token: &Token, login: &Login) {
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr(), "sf-login: {why}logged in to {} ({login})", token.instance_url());
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

/// What a failed write to standard output is called.
const STDOUT: &str = "cannot write to standard output";

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(STDOUT)
}

fn parse() -> anyhow::Result<Command> {
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

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    error.to_string() == STDOUT && io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
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
