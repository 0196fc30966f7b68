//! `cargo run -p fake-org`: a Salesforce on this machine to try a program on.

use std::io::{self, Write as _};
use std::process::ExitCode;

use fake_org::refusal::{self, Refusal};
use fake_org::{FLOWS, Org, USERNAME};

const HELP: &str = "\
A Salesforce on this machine to try a program on, until Ctrl-C.

usage: fake-org [--flow FLOW] [--refuse WHY] [--accounts N] [--tls]

Prints the variables with which sf-login logs in here, as lines to paste into
another shell.

  --flow FLOW    password (the default), client_credentials, code_credentials or
                 jwt_bearer; SF_JWT_KEY_FILE then names a file with a private
                 key, which is gone when the org ends
  --refuse WHY   refuse whoever has the right credentials, for a reason below;
                 standard error tells how to ask Login History for it
  --accounts N   how many accounts there are (default: 25)
  --tls          speak TLS; SSL_CERT_FILE then names a file with the certificate
                 of the org's authority, gone when the org ends (Node.js looks
                 for its name in NODE_EXTRA_CA_CERTS, Python's requests in
                 REQUESTS_CA_BUNDLE)
  --help         print this
";

struct Options {
    flow: String,
    refusal: Option<&'static Refusal>,
    accounts: usize,
    tls: bool,
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}\nreasons to refuse:\n\n");
            for Refusal { name, means, .. } in &refusal::ALL {
                println!("  {name:23}{means}");
            }
            print!("\n{}", include_str!("../API.md"));
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("fake-org: {problem}; --help says what there is");
            return ExitCode::from(2);
        }
    };
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("fake-org: {problem}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    /// `None` when help is asked for.
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
        let mut options = Options { flow: "password".to_owned(), refusal: None, accounts: 25, tls: false };
        while let Some(option) = args.next() {
            match option.as_str() {
                "--help" | "-h" => return Ok(None),
                "--tls" => options.tls = true,
                "--flow" => {
                    let flow = args.next().unwrap_or_default();
                    if !FLOWS.contains(&flow.as_str()) {
                        return Err(format!("no flow {flow:?}"));
                    }
                    options.flow = flow;
                }
                "--refuse" => {
                    let name = args.next().unwrap_or_default();
                    options.refusal = Some(refusal::find(&name).ok_or(format!("no reason {name:?}"))?);
                }
                "--accounts" => {
                    let count = args.next().unwrap_or_default();
                    options.accounts = count.parse().map_err(|_| format!("{count:?} is not a number"))?;
                }
                _ => return Err(format!("no option {option}")),
            }
        }
        match options.refusal {
            Some(refusal) if !refusal.flows.contains(&options.flow.as_str()) => {
                Err(format!("{} concerns --flow {} alone", refusal.name, refusal.flows.join(" or ")))
            }
            _ => Ok(Some(options)),
        }
    }
}

fn serve(options: &Options) -> io::Result<()> {
    // Before there is a file that must not stay.
    let wait_for_end = end()?;
    let org = if options.tls { Org::start_tls() } else { Org::start() };
    org.seed_accounts(options.accounts);
    let env = org.env_for(&options.flow);
    if let Some(refusal) = options.refusal {
        org.setup(|setup| setup.refuse(refusal.name));
        let (token, url) = (quoted(&org.administrator_token()), quoted(&org.url()));
        // In the client credentials flow, the Run As user.
        let user = env.iter().find(|(name, _)| *name == "SF_USERNAME").map_or(USERNAME, |(_, user)| user);
        eprintln!("to learn why: SF_ACCESS_TOKEN={token} SF_ORG_INSTANCE_URL={url} sf-login why {user}");
    }
    let lines = env.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value)));
    // At once, for scripts that wait for a line of it.
    io::stdout().write_all(lines.collect::<Vec<_>>().concat().as_bytes())?;
    wait_for_end();
    Ok(())
}

/// One word to a shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// What waits for Ctrl-C or the system's request to end.
#[cfg(unix)]
fn end() -> io::Result<impl FnOnce()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    Ok(move || {
        signals.forever().next();
    })
}

/// Here, Ctrl-C ends the process right away.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn end() -> io::Result<impl FnOnce()> {
    Ok(|| {
        loop {
            std::thread::park();
        }
    })
}
