//! The recipes of README.md and examples/README.md as they stand there, in the shells that they are for: typed and
//! pasted in a terminal, in a script under `set -e`, and with a login that is refused.
#![cfg(unix)]

mod place;
mod terminal;
mod unattended;

use std::fs;

use fake_org::{Answer, CLIENT_ID, CLIENT_SECRET, Org, USERNAME};
use serde_json::json;

use self::place::{PAGES, Place, TOKEN, exports, fail, is_here, org, recipes, settings};
use self::terminal::{PROMPT, Terminal};
use crate::support::{
    Env, QUERY, a_terminal_can_be_had, at_once, client_credentials_env, done, sf_login, with, without,
};

/// How often a recipe logs in, what it prints, and what is written, by it or of how it called a program, with
/// <url> for the org's. The others are not for a shell, or have a test of their own.
type Expected = (usize, &'static [&'static str], &'static [(&'static str, &'static str)]);

fn expected(name: &str) -> Option<Expected> {
    const ASKED_SF: (&str, &str) =
        ("sf.arguments", "[org][auth][show-access-token][--target-org][ADMIN][--json]");
    const CURL_INPUT: (&str, &str) = ("curl.input", "Authorization: Bearer <token>\n");
    const IN_SHELL: &[(&str, &str)] =
        &[("environment", "\nSF_ACCESS_TOKEN=<token>\n"), ("environment", "\nSF_ORG_INSTANCE_URL=<url>\n")];
    const TABLE: &str = "\tSync\t0055g00000Ada01AAB\t127.0.0.1\nby password: 2 of 3 logins\n";
    Some(match name {
        "query and get" => {
            (3, &["\"Name\":\"Account 00002\"}\n", "\n2\n", "{\"DailyApiRequests\":{\"Max\":"], &[])
        }
        "sf" => {
            const CALL: &str =
                "[org][login][access-token][--instance-url][<url>][--set-default][--no-prompt]";
            (1, &[], &[("sf.arguments", CALL), ("sf.environment", "\nSF_ACCESS_TOKEN=<token>\n")])
        }
        "curl" => {
            const CALL: &str = "[--fail-with-body][-sS][-H][@-][-H][Content-Type: application/json]\
                        [--data][{\"Name\":\"Ada\"}][<url>/services/data/v66.0/sobjects/Account]";
            (1, &[], &[("curl.arguments", CALL), CURL_INPUT])
        }
        "describe" => (1, &[], &[("here/account.json", "\"name\":\"Account\"")]),
        "why" => (0, &["\n\nInvalid Password\n  means: the password is wrong"], &[ASKED_SF]),
        "who still uses it" => (0, &[TABLE], &[ASKED_SF]),
        "password manager" => {
            (0, &[], &[("pass.arguments", "[show][salesforce/secret]"), ("here/secret", CLIENT_SECRET)])
        }
        "password by standard input" => (1, &[TOKEN], &[("pass.arguments", "[show][salesforce/password]")]),
        "csv" => (1, &["\"0015g0000000001AAA\",\"Account 00001\"\n"], &[]),
        "several orgs" => (2, &["\"Remaining\":14999,", "\"Remaining\":14998,"], &[]),
        "header" => {
            const CALL: &str = "[--fail-with-body][-sS][-H][@-][<url>/services/data/v66.0/limits]";
            (1, &[], &[("curl.arguments", CALL), CURL_INPUT])
        }
        "env file" => (1, &[], &[("here/.env", "SF_ACCESS_TOKEN=<token>\nSF_ORG_INSTANCE_URL=<url>\n")]),
        "token in this shell" | "token in fish" => (1, &[], IN_SHELL),
        "keep a token" => (1, &[], &[("home/.sf-token", "export SF_ACCESS_TOKEN='<token>'\n")]),
        _ => return None,
    })
}

/// The folder and the variables that a recipe wants.
fn prepare(name: &str, org: &Org) -> (Place, Env) {
    let place = Place::new(org);
    let env = match name {
        "password by standard input" => without(&org.env(), "SF_PASSWORD"),
        "password manager" => vec![("SF_CLIENT_SECRET_FILE", "secret".to_owned())],
        "why" | "who still uses it" => {
            let wrong = with(&org.env(), "SF_PASSWORD", "wrong");
            for (env, code) in [(wrong, 3), (org.env(), 0), (client_credentials_env(org), 0)] {
                assert_eq!(sf_login(&env, &[]).code, Some(code));
            }
            with(&client_credentials_env(org), "ADMIN", &format!("\"{}\"", org.administrator_token()))
        }
        _ => client_credentials_env(org),
    };
    for file in ["here/production", "here/uat"] {
        place.write(file, &exports(&env));
    }
    (place, env)
}

/// The shells that are here; `sh` only where it is not dash's other name.
fn shells() -> impl Iterator<Item = &'static str> {
    let is_dash = fs::canonicalize("/bin/sh").is_ok_and(|file| file.ends_with("dash"));
    let shells = ["bash", "zsh", "fish", "dash", "sh"].into_iter();
    shells.filter(move |shell| is_here(shell) && !(*shell == "sh" && is_dash))
}

/// Follows each recipe in each of its shells: typed, or pasted where the login fails, or in a script.
fn follow(on_terminal: bool, fails: Option<i32>) {
    let (can_be_had, has_jq) = (!on_terminal || a_terminal_can_be_had(), is_here("jq"));
    at_once(shells().filter(|_| can_be_had), |shell| {
        for (name, text) in recipes() {
            let Some((logins, prints, writes)) = expected(name) else { continue };
            let not_its = if shell == "fish" { "token in this shell" } else { "token in fish" };
            if name == not_its || (!has_jq && text.contains("jq ")) || (fails.is_some() && logins == 0) {
                continue;
            }
            let org = org();
            let (place, env) = prepare(name, &org);
            let before = org.logins();
            fail(&org, fails);
            let run = if on_terminal {
                place.on_terminal(shell, name, fails.is_some(), &env)
            } else {
                place.in_script(shell, name, &env)
            };
            let case = format!("{shell}: {name}: {}{}", run.stdout, run.stderr);
            if fails.is_some() {
                // Typed, the first line of this one has the code.
                let code = if on_terminal && name == "token in this shell" { Some(0) } else { fails };
                assert!(run.code == code && case.contains("sf-login: "), "{code:?}: {case}");
                assert_eq!((place.left(), place.noted("SF_ACCESS_TOKEN=")), (String::new(), false), "{case}");
                // A script's next line is not run.
                assert!(on_terminal || !place.noted(""), "{case}");
            } else {
                assert_eq!((run.code, &*run.stderr, org.logins() - before), (Some(0), "", logins), "{case}");
                let full = |text: &str| text.replace("<token>", TOKEN).replace("<url>", &org.url());
                assert!(prints.iter().all(|text| run.stdout.contains(text)), "{case}");
                for (file, text) in writes {
                    assert!(place.read(file).contains(&full(text)), "{case}: {}", place.read(file));
                }
                assert_eq!(place.noted("SF_ACCESS_TOKEN="), name.starts_with("token in"), "{case}");
            }
        }
    });
}

#[test]
fn each_recipe_does_in_a_script_what_it_says() {
    follow(false, None);
}

#[test]
fn each_recipe_does_what_it_says_when_it_is_typed() {
    follow(true, None);
}

#[test]
fn a_refused_login_ends_a_script_with_its_exit_code_and_leaves_nothing() {
    follow(false, Some(3));
}

#[test]
fn an_outage_ends_a_script_with_its_exit_code_and_leaves_nothing() {
    follow(false, Some(1));
}

#[test]
fn a_refused_login_leaves_nothing_where_the_recipe_was_pasted() {
    follow(true, Some(3));
}

#[test]
fn what_is_missing_is_not_taken_for_an_answer() {
    let org = org();
    for (name, code, says) in [
        ("describe", 1, "sf-login: "),
        ("csv", 1, "sf-login: "),
        ("why", 2, "SF_ACCESS_TOKEN is not set"),
        ("who still uses it", 2, "SF_ACCESS_TOKEN is not set"),
    ] {
        let (place, env) = prepare(name, &org);
        if place.text(name).contains("jq ") && !is_here("jq") {
            continue;
        }
        place.write("here/account.json", "committed");
        let cut = Answer::json(200, json!({ "records": [], "fields": [] })).cut_after(5);
        for path in ["/services/data/v66.0/sobjects/Account/describe", QUERY] {
            org.always(path, cut.clone());
        }
        // Where `sf` has no such org, it says so in JSON.
        let run = place.in_script("sh", name, &with(&env, "ADMIN", "null"));
        let file = place.read("here/account.json");
        assert_eq!((run.code, &*run.stdout, &*file), (Some(code), "", "committed"), "{name}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{name}: {}", run.stderr);
    }
}

#[test]
fn who_still_uses_the_password_flow_is_told_by_both_its_names() {
    let org = org();
    let entry = |day: u8, flow: Option<&str>, application: &str| {
        json!({
            "LoginTime": format!("2026-11-{day}T09:12:03.000+0000"), "LoginSubType": flow,
            "Application": application, "UserId": "0055g", "SourceIp": "203.0.113.7",
        })
    };
    let old =
        [entry(26, Some("OAuth Username-Password"), "B"), entry(25, Some("OauthUsernamePassword"), "B")];
    let old = [&old[..], &[entry(24, Some("OauthUsernamePassword"), "A")]].concat();
    let new = vec![entry(26, Some("OauthClientCredentials"), "A"), entry(26, None, "A")];
    let rows = "1\t2026-11-24T09:12:03.000+0000\tA\t0055g\t203.0.113.7\n\
                2\t2026-11-26T09:12:03.000+0000\tB\t0055g\t203.0.113.7\n";
    let moved = (new.clone(), "by password: 0 of 2 logins\n".to_owned());
    let both = ([old, new].concat(), format!("{rows}by password: 3 of 5 logins\n"));
    for (records, table) in [moved, both].into_iter().filter(|_| is_here("jq")) {
        let (place, env) = prepare("who still uses it", &org);
        org.answer_to(QUERY, Answer::json(200, json!({ "done": true, "records": records })));
        assert_eq!(place.in_script("sh", "who still uses it", &env), done(&table));
    }
}

#[test]
fn a_secret_that_is_typed_goes_into_its_file_and_nowhere_else() {
    let org = org();
    let can_be_had = a_terminal_can_be_had();
    at_once(shells().filter(|_| can_be_had), |shell| {
        // Nothing and Ctrl-C write nothing.
        for (keys, code) in [(&*format!("{CLIENT_SECRET}\n"), 0), ("\n", 1), ("\u{3}", 130)] {
            let place = Place::new(&org);
            let mut terminal = Terminal::open(&place, shell, &[]);
            terminal.type_in(&format!("{}\n{}\n", place.text("settings"), place.text("secret")));
            terminal.wait_for("consumer secret: ");
            terminal.type_in(keys);
            terminal.wait_for(PROMPT);
            let run = terminal.note_and_exit(shell);
            assert_eq!(run.code, Some(code), "{shell}: {}", run.stdout);
            assert!(!run.stdout.contains(CLIENT_SECRET), "{shell}: {}", run.stdout);
            assert!(place.read("stty").contains(" echo "), "{shell}: what is typed is shown again");
            if code != 0 {
                assert_eq!(place.left(), "", "{shell}");
                continue;
            }
            let noted = place.read("environment");
            let run = sf_login(&settings(&noted), &["get", "limits"]);
            assert_eq!((run.code, settings(&noted).len()), (Some(0), 4), "{shell}: {}", run.stderr);
            assert_eq!(place.read("home/.sf-secret"), CLIENT_SECRET, "{shell}");
            let files_with = |text| place.start(&["grep", "-rlF", text, "../home", "."], &[]).stdout;
            assert_eq!(files_with(CLIENT_SECRET), "../home/.sf-secret\n", "{shell}");
            assert_eq!(files_with("read -r secret").is_empty(), ["dash", "sh"].contains(&shell), "{shell}");
        }
        // Where it would be seen, or nobody is there, it does not ask.
        let place = Place::new(&org);
        let run = place.in_script(shell, "secret", &[("SF_CLIENT_SECRET_FILE", "secret".to_owned())]);
        assert!(run.stdout.is_empty() && run.stderr.starts_with("stty: "), "{shell}: {run:?}");
        assert_eq!((place.left(), place.noted("")), (String::new(), false), "{shell}");
    });
}

#[test]
fn a_kept_token_needs_no_login() {
    let org = org();
    for shell in shells() {
        let (place, env) = prepare("keep a token", &org);
        assert_eq!(place.in_script(shell, "keep a token", &env), done(""), "{shell}");
        let _ = org.take_requests();
        let run = place.in_script(shell, "kept token", &[]);
        assert_eq!((run.code, org.requests().len()), (Some(0), 1), "{shell}: {}", run.stderr);
    }
}

#[test]
fn a_key_is_made_that_nobody_else_may_read() {
    let org = org();
    for shell in shells().filter(|_| is_here("openssl")) {
        let place = Place::new(&org);
        assert_eq!(place.in_script(shell, "key", &[]).code, Some(0), "{shell}");
        let key = place.read("here/server.key");
        let app = [("SF_FLOW", "jwt_bearer"), ("SF_CLIENT_ID", CLIENT_ID), ("SF_USERNAME", USERNAME)];
        let more = [("SF_JWT_KEY", &*key), ("SF_LOGIN_URL", &*org.url())];
        let env = [&app[..], &more].concat();
        let env: Vec<_> = env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        // The org has another certificate.
        let says = "sf-login: login refused: invalid assertion (invalid_grant, HTTP 400)";
        assert_eq!(sf_login(&env, &[]).headline(), says, "{shell}");
    }
}

#[test]
fn every_block_is_followed_here_and_has_no_comment() {
    let tests = concat!(include_str!("recipes.rs"), include_str!("recipes/unattended.rs"));
    let untested = recipes().find(|(name, _)| !tests.contains(&format!("\"{name}\"")));
    assert_eq!(untested, None);
    for block in PAGES.into_iter().flat_map(|page| page.split("\n\n```").skip(1)) {
        let others = ["rust", "text", "powershell", "sh\ncargo ", "sh\nrustup "];
        assert!(others.iter().any(|other| block.starts_with(other)), "it has no name: {block}");
    }
    for block in PAGES.into_iter().flat_map(|page| page.split("```sh\n").skip(1)) {
        // zsh would take it for a command.
        let mut lines = block.lines().take_while(|line| !line.starts_with("```"));
        assert!(!lines.any(|line| line.starts_with('#') || line.contains(" #")), "{block}");
    }
}
