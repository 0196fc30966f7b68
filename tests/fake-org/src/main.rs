//! `cargo run -p fake-org [-- --tls]`: a Salesforce on this machine to try a program on.
//!
//! Prints the lines to paste into another shell, and serves until it is stopped.

use std::process::ExitCode;

use fake_org::{Org, REDIRECT_URI, SITE_PASSWORD, SITE_USERNAME};

const USAGE: &str = "usage: fake-org [--tls]";

fn main() -> ExitCode {
    let options: Vec<String> = std::env::args().skip(1).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let org = match options[..] {
        [] => Org::start(),
        ["--tls"] => Org::start_tls(),
        ["--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    org.seed_accounts(25);
    println!("# paste into another shell; Ctrl-C here ends the org");
    for (name, value) in org.env() {
        println!("export {name}={}", quoted(&value));
    }
    println!("# for the client credentials flow, this as well: export SF_FLOW=client_credentials");
    println!("# for the Experience Cloud site, these as well:");
    let site = [
        ("SF_FLOW", "code_credentials"),
        ("SF_LOGIN_URL", &org.site_url()),
        ("SF_USERNAME", SITE_USERNAME),
        ("SF_PASSWORD", SITE_PASSWORD),
        ("SF_REDIRECT_URI", REDIRECT_URI),
    ];
    for (name, value) in site {
        println!("# export {name}={}", quoted(value));
    }
    loop {
        std::thread::park();
    }
}

/// One word to any POSIX shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}
