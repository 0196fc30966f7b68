//! What is said on a terminal, and only there.

use std::process::{Command, Stdio};

use fake_org::{Org, USERNAME};

use super::TOKEN;
use crate::support::{kept_env, login, run, with};

#[test]
fn a_terminal_sees_who_logged_in_where_and_how_far_a_query_is() {
    if !a_terminal_can_be_had() {
        return;
    }
    let org = Org::start();
    org.setup(|setup| {
        setup.token = Some(TOKEN.to_owned());
        setup.page_size = 1000;
    });
    org.seed_accounts(2500);
    let host = org.url().replace("http://", "");
    let who = format!("password flow, user {USERNAME}, host {host}, security token set");
    let who = format!("sf-login: logged in to {} ({who})\r\n", org.url());
    let progress = ["1,000", "2,000", "2,500"].map(|n| format!("\r{n} of 2,500 records")).concat();
    let token = login(&org).token().expect("the login is right");
    let kept = [org.env(), kept_env(&org, token.access_token())].concat();
    let cases = [
        ("", org.env(), who.clone(), 1),
        ("get limits", org.env(), who.clone(), 1),
        ("get limits", kept.clone(), String::new(), 1),
        ("query 'SELECT Name FROM Account'", org.env(), format!("{who}{progress}\r\u{1b}[K"), 2500),
        ("query 'SELECT COUNT() FROM Account'", kept.clone(), String::new(), 0),
    ];
    let on_terminal = |env: &[(&'static str, String)], args: &str| {
        let command = format!("'{}' {args}; echo >&3", env!("CARGO_BIN_EXE_sf-login"));
        let env =
            [&with(env, "COMMAND", &command)[..], &[("PATH", std::env::var("PATH").unwrap_or_default())]]
                .concat();
        run(&env, "sh", &["-c", "exec 3>&1; script -qec \"$COMMAND\" /dev/null >&2"], b"")
    };
    for (args, env, says, lines) in cases {
        // Standard output goes around the terminal, which standard error is left with.
        let run = on_terminal(&env, &format!("{args} >&3"));
        assert_eq!((run.code, &*run.stderr), (Some(0), &*says), "{args}");
        assert_eq!(run.stdout.trim_end().lines().count(), lines, "{args}: {}", run.stdout);
        assert!(!run.stdout.contains(['\r', '\u{1b}']), "{args}: {}", run.stdout);
    }
    // A kept token that is of no use any more is told, since every command would log in anew.
    let expired = with(&kept, "SF_ACCESS_TOKEN", "expired");
    let new_login = who.replace("logged in", "the session had expired; logged in");
    let run = on_terminal(&expired, "get limits >&3");
    assert_eq!((run.code, &*run.stderr), (Some(0), &*new_login));

    // A password that is typed would be seen, and nobody asked for it.
    let logins = org.logins();
    let run = on_terminal(&org.env(), "--password-stdin >&3");
    let refused = "sf-login: --password-stdin does not ask: pipe the password in, or set SF_PASSWORD by read -rs\r\n\
                   see sf-login --help\r\n";
    assert_eq!((run.stdout.trim(), &*run.stderr, org.logins()), ("", refused, logins));

    // Where the records go to the terminal as well, the progress has a line of its own and is wiped.
    let run = on_terminal(&kept, "query 'SELECT Name FROM Account LIMIT 1'");
    let record = r#"{"attributes":{"type":"Account","url":"/services/data/v66.0/sobjects/Account/0015g0000000001AAA"},"Name":"Account 00001"}"#;
    let progress = "\r1 of 1 records\r\u{1b}[K";
    assert_eq!((run.code, run.stderr), (Some(0), format!("{record}\r\n{progress}")));
}

/// The program that lends one may be missing or another system's, and a sandbox may have none to lend.
fn a_terminal_can_be_had() -> bool {
    let probe = Command::new("script").args(["-qec", "test -t 2", "/dev/null"]).stdin(Stdio::null()).output();
    let lent = probe.is_ok_and(|probe| probe.status.success());
    if !lent {
        println!("skipped: no terminal can be had here");
    }
    lent
}
