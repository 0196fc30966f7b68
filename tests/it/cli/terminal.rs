//! What is said on a terminal, and only there.

use fake_org::{Answer, Org, USER_ID};
use serde_json::json;

use super::TOKEN;
use crate::support::{Env, Run, TOKEN_PATH, a_terminal_can_be_had, host, kept_env, run, with};

const RECORDS: &str = "query 'SELECT Name FROM Account'";

#[test]
fn a_login_says_who_logged_in_and_where() {
    if !a_terminal_can_be_had() {
        return;
    }
    let org = Org::start();
    let said = |more: &str| format!("sf-login: {more}\r\n");
    let logged_in = said(&format!("logged in to {} as user {USER_ID}", host(&org)));
    let kept = [org.env(), kept_env(&org, "expired")].concat();
    let renewed = logged_in.replace("logged in", "the session had expired; logged in");
    let cases = [
        ("", org.env(), &logged_in),
        ("exec true", org.env(), &logged_in),
        ("get limits", org.env_for("client_credentials"), &logged_in),
        // Told, since every command would log in anew.
        ("get limits", kept, &renewed),
        ("get limits", kept_env(&org, &token(&org)), &String::new()),
    ];
    for (args, env, says) in cases {
        let run = on_terminal(&env, &format!("{args} >&3"));
        assert_eq!((run.code, &run.stderr), (Some(0), says), "{args}");
        assert!(!run.stdout.contains(['\r', '\u{1b}']), "{args}: {}", run.stdout);
    }
    let elsewhere = json!({ "access_token": TOKEN, "instance_url": "https://acme.my.salesforce.com", "token_type": "Bearer" });
    org.answer_to(TOKEN_PATH, Answer::json(200, elsewhere));
    let says = said("logged in to acme.my.salesforce.com");
    assert_eq!(on_terminal(&org.env(), ">&3").stderr, says, "a reply without the user's id");
}

#[test]
fn a_query_into_a_file_says_how_far_it_is() {
    if !a_terminal_can_be_had() {
        return;
    }
    let org = Org::start();
    org.setup(|setup| setup.page_size = 1000);
    org.seed_accounts(2500);
    let env = with(&kept_env(&org, &token(&org)), "FILE", concat!(env!("CARGO_TARGET_TMPDIR"), "/records"));
    let progress = "\r1,000 of 2,500 records\r2,000 of 2,500 records\r\u{1b}[K";
    for (args, says, lines) in [
        (&*format!("{RECORDS} >\"$FILE\"; cat \"$FILE\" >&3"), progress, 2500),
        ("query 'SELECT Name FROM Account LIMIT 1000' >\"$FILE\"; cat \"$FILE\" >&3", "", 1000),
        // What comes after the pipe may write to the terminal as well.
        (&*format!("{RECORDS} >&3"), "", 2500),
    ] {
        let run = on_terminal(&env, args);
        assert_eq!((run.code, &*run.stderr), (Some(0), says), "{args}");
        assert_eq!(run.stdout.trim_end().lines().count(), lines, "{args}");
    }
    // On the terminal, the records are the progress.
    let run = on_terminal(&env, RECORDS);
    assert!(!run.stderr.contains(" of 2,500") && run.stderr.lines().count() == 2500);
}

#[test]
fn a_password_is_not_asked_for() {
    if !a_terminal_can_be_had() {
        return;
    }
    let org = Org::start();
    // Typed, it would be seen.
    let run = on_terminal(&org.env(), "--password-stdin >&3");
    let refused = "sf-login: --password-stdin does not ask: pipe the password in, or set SF_PASSWORD by read -rs\r\n\
                   see sf-login --help\r\n";
    assert_eq!((run.stdout.trim(), &*run.stderr, org.logins()), ("", refused, 0));
}

fn token(org: &Org) -> String {
    crate::support::login(org).token().expect("the login is right").access_token().to_owned()
}

/// Runs the binary on a terminal, which is what `stderr` shows; descriptor 3 goes around it to `stdout`.
fn on_terminal(env: &[(&'static str, String)], args: &str) -> Run {
    let command = format!("'{}' {args}; code=$?; echo >&3; exit $code", env!("CARGO_BIN_EXE_sf-login"));
    let path = std::env::var("PATH").unwrap_or_default();
    let env: Env = with(&with(env, "COMMAND", &command), "PATH", &path);
    run(&env, "sh", &["-c", "exec 3>&1; script -qec \"$COMMAND\" /dev/null >&2"], b"")
}
