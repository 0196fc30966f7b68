//! The recipes that nobody types: for CI, cron, make, and what mounts secrets.

use std::fs;

use fake_org::{CLIENT_ID, CLIENT_SECRET, Org};

use super::place::{Place, TOKEN, exports, fail, is_here, org, settings};
use crate::support::{Env, Run, client_credentials_env, done, run, sf_login, with};

/// As runners start a script, with and without a trace, which `run` searches for secrets.
const RUNNERS: [[&str; 2]; 4] = [["sh", "-e"], ["sh", "-ex"], ["bash", "-e"], ["bash", "-ex"]];

#[test]
fn github_masks_the_token_and_gives_the_next_step_all_that_it_needs() {
    for [shell, options] in RUNNERS.into_iter().filter(|[shell, _]| is_here(shell)) {
        let org = org();
        let text = Place::new(&org).text("GitHub");
        let (env, rest) = text.split_once("    run: |\n").expect("it has a script");
        let (script, next) = rest.split_once("\n  - run: sf-login ").expect("it has another step");
        let env = with(&settings_of(env, ": "), "GITHUB_ENV", "github.env");
        let env = with(&with(&env, "SF_CLIENT_ID", CLIENT_ID), "SF_CLIENT_SECRET", CLIENT_SECRET);
        let (place, run) = start(&org, script, &[shell, options, "../script"], &env, 3);
        assert_eq!(run.stdout, format!("::add-mask::{TOKEN}\n"));
        let for_later = place.read("here/github.env");
        assert_eq!(for_later, format!("SF_ACCESS_TOKEN={TOKEN}\nSF_ORG_INSTANCE_URL={}\n", org.url()));
        let run = sf_login(&settings(&for_later), &next.split(' ').collect::<Vec<_>>());
        assert_eq!((run.code, org.logins()), (Some(0), 2), "{}", run.stderr);
    }
}

#[test]
fn gitlab_logs_in_inside_the_job_and_keeps_the_token_there() {
    let org = org();
    let text = Place::new(&org).text("GitLab");
    let (_, script) = text.split_once("script:\n    - ").expect("it has a script");
    for [shell, options] in RUNNERS.into_iter().filter(|[shell, _]| is_here(shell)) {
        let env = with_mounted_secret(&client_credentials_env(&org));
        let (place, _) = start(&org, script, &[shell, options, "../script"], &env, 3);
        place.assert_had_the_token_and_no_secret("deploy");
    }
}

#[test]
fn docker_kubernetes_and_systemd_give_the_secret_as_a_file() {
    let org = org();
    for (name, before, between, mounted) in [
        ("Docker", "command: ", ": ", "/run/secrets/sf_secret"),
        ("Kubernetes", "command: [", ", value: ", "/secrets/salesforce/secret"),
        ("systemd", "ExecStart=", "=", "%d/sf_secret"),
    ] {
        let text =
            Place::new(&org).text(name).replace("/usr/local/bin/sf", "sf").replace("/usr/local/bin", ".");
        let (_, command) = text.split_once(before).expect("it has a command");
        let command = command.lines().next().unwrap_or_default().replace([',', ']'], "");
        let env = settings_of(&text, between);
        assert_eq!((env.len(), &*env[3].1), (4, mounted), "{env:?}");
        let command: Vec<_> = command.split(' ').collect();
        let (place, _) = start(&org, "", &command, &with_mounted_secret(&env), 3);
        place.assert_had_the_token_and_no_secret("report");
    }
}

#[test]
fn systemd_understands_the_unit() {
    if is_here("systemd-analyze") {
        let place = Place::new(&org());
        let bin = place.folder.join("bin").display().to_string();
        let unit = place.text("systemd").replace("/usr/local/bin/sf-login", env!("CARGO_BIN_EXE_sf-login"));
        place.write("report.service", &unit.replace("/usr/local/bin", &bin));
        assert_eq!(place.start(&["systemd-analyze", "verify", "../report.service"], &[]), done(""));
    }
}

#[test]
fn make_keeps_no_half_file() {
    if is_here("make") {
        let org = org();
        let text = format!("{}\n", Place::new(&org).text("make"));
        let make = ["make", "-sf", "../script", "deploy"];
        let (place, _) = start(&org, &text, &make, &client_credentials_env(&org), 2);
        assert_eq!(place.read("here/accounts.jsonl").lines().count(), 2);
        assert_eq!(place.read("deploy.arguments"), format!("[{}]", org.url()));
        place.assert_had_the_token_and_no_secret("deploy");
    }
}

#[test]
fn cron_repeats_an_outage_but_not_a_refused_login() {
    let org = org();
    let place = Place::new(&org);
    place.write("home/sf/settings", &exports(&client_credentials_env(&org)));
    place.write("script", &place.text("cron"));
    // By another process: what a child of this one holds open for writing cannot be run.
    assert_eq!(place.start(&["sh", "-c", "cp ../script ~/sf/job && chmod 700 ~/sf/job"], &[]), done(""));
    // As cron starts it.
    let home = place.folder.join("home").display().to_string();
    let env = [("HOME", home), ("PATH", "/usr/bin:/bin".to_owned())];
    let assert_job = |code, says: &str, accounts, logins| {
        let run = run(&env, "/bin/sh", &["-c", "~/sf/job"], b"");
        assert_eq!((run.code, &*run.stdout), (Some(code), ""), "{}", run.stderr);
        assert!(run.stderr.starts_with(says) && run.stderr.is_empty() == (code == 0), "{}", run.stderr);
        assert_eq!(place.read("home/sf/accounts.jsonl").lines().count(), accounts);
        assert_eq!(org.logins(), logins);
    };
    assert_job(0, "", 2, 1);
    org.seed_accounts(1);
    fail(&org, Some(1));
    // An outage is three tries each time.
    assert_job(1, "sf-login: unexpected reply: ", 2, 4);
    assert_job(1, "sf-login: unexpected reply: ", 2, 7);
    fail(&org, Some(3));
    assert_job(3, "sf-login: login refused: authentication failure ", 2, 8);
    org.behave();
    assert_job(3, "sf-login: login refused: authentication failure ", 2, 8);
    fs::remove_file(place.folder.join("home/sf/refused")).expect("it remembers the refusal");
    assert_job(0, "", 3, 9);
}

/// The settings that a recipe has in its own form.
fn settings_of(text: &str, between: &str) -> Env {
    let names = ["SF_FLOW", "SF_LOGIN_URL", "SF_CLIENT_ID", "SF_CLIENT_SECRET_FILE"].into_iter();
    let find = |name| Some((name, text.split_once(&format!("{name}{between}"))?.1.trim_start_matches('"')));
    let end = |c: char| c.is_whitespace() || c == '"';
    names
        .filter_map(find)
        .map(|(name, rest)| (name, rest.split(end).next().unwrap_or(rest).to_owned()))
        .collect()
}

fn with_mounted_secret(env: &[(&'static str, String)]) -> Env {
    with(&with(env, "SF_CLIENT_SECRET", ""), "SF_CLIENT_SECRET_FILE", "../pass.secret")
}

/// Starts this with a login that is refused, and then with one that is not.
fn start(
    org: &Org,
    script: &str,
    command: &[&str],
    env: &[(&'static str, String)],
    refused: i32,
) -> (Place, Run) {
    let start = || {
        let place = Place::new(org);
        place.write("script", script);
        let run = place.start(command, env);
        (place, run)
    };
    fail(org, Some(3));
    let (place, run) = start();
    assert_eq!((run.code, &*run.stdout, &*place.left()), (Some(refused), "", ""), "{command:?}");
    assert!(run.stderr.contains("sf-login: login refused: "), "{command:?}: {}", run.stderr);
    org.behave();
    let (place, run) = start();
    assert_eq!(run.code, Some(0), "{command:?}: {}", run.stderr);
    (place, run)
}
