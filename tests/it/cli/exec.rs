//! `sf-login exec`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use fake_org::{Answer, FLOWS, Org};

use super::{TOKEN, program, text};
use crate::support::{
    Env, LIMITS, TOKEN_PATH, done, failed, paths, sf_login, sf_login_with_input, with, without,
};

#[test]
fn a_command_has_the_token_and_no_secret_in_its_environment() {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(TOKEN.to_owned()));
    let files = ["SF_CLIENT_SECRET_FILE", "SF_PASSWORD_FILE", "SF_SECURITY_TOKEN_FILE", "SF_JWT_KEY_FILE"];
    let secrets = files.map(|file| file.trim_end_matches("_FILE"));
    for flow in FLOWS {
        // What a flow does not use goes as well, and a token is no reason not to log in.
        let mut env = with(&org.env_for(flow), "SF_ACCESS_TOKEN", "stale");
        env.push(("SF_ORG_INSTANCE_URL", "https://acme.my.salesforce.com".to_owned()));
        env.push(("PATH", "/usr/bin:/bin".to_owned()));
        let unused = if flow == "jwt_bearer" { 0..3 } else { 3..4 };
        for name in secrets[unused.clone()].iter().chain(&files[unused]) {
            env.push((name, "/dev/null".to_owned()));
        }
        let mut expected: Env =
            env.iter().filter(|(name, _)| ![secrets, files].concat().contains(name)).cloned().collect();
        expected = with(&with(&expected, "SF_ACCESS_TOKEN", TOKEN), "SF_ORG_INSTANCE_URL", &org.url());
        expected.sort();
        let run = sf_login(&env, &["exec", "env"]);
        let mut lines: Vec<_> = run.stdout.lines().collect();
        lines.sort_unstable();
        let expected: Vec<_> = expected.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!((run.code, lines.join("\n"), &*run.stderr), (Some(0), expected.join("\n"), ""));
    }
    assert_eq!(org.logins(), 4);
}

#[test]
fn what_follows_the_command_is_the_commands() {
    let org = Org::start();
    let print = "printf '[%s]' \"$0\" \"$@\"";
    let arguments = ["sh", "-c", print, "--help", "--", "-h", "--format", "", "a b", "exec"];
    for before in [&["exec"][..], &["exec", "--"]] {
        let printed = done("[--help][--][-h][--format][][a b][exec]");
        assert_eq!(sf_login(&org.env(), &[before, &arguments].concat()), printed);
    }
    let latin = OsStr::from_bytes(b"\xe4");
    let output = program(&org.env()).args(["exec", "printf", "%s"]).arg(latin).output().expect("it runs");
    assert_eq!((output.status.code(), &*output.stdout, text(&output.stderr)), (Some(0), &b"\xe4"[..], ""));
    assert_eq!(sf_login_with_input(&org.env(), &["exec", "cat"], b"input"), done("input"));
}

#[test]
fn the_exit_code_is_the_commands() {
    let org = Org::start();
    for code in [0, 1, 3, 127, 255] {
        let run = sf_login(&org.env(), &["exec", "sh", "-c", &format!("exit {code}")]);
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(code), "", ""));
    }
    // Rust ignores SIGPIPE, and a shell cannot undo what it was started with.
    let run = sf_login(&org.env(), &["exec", "sh", "-c", "kill -PIPE $$; echo still here"]);
    assert_eq!((run.code, &*run.stdout), (None, ""));
    let says = r#"cannot run "no\nsuch": No such file or directory (os error 2)"#;
    assert_eq!(sf_login(&org.env(), &["exec", "no\nsuch", "x"]), failed(127, says));
    let says = r#"cannot run "/": Permission denied (os error 13)"#;
    assert_eq!(sf_login(&org.env(), &["exec", "/"]), failed(126, says));
}

#[test]
fn a_command_is_not_started_without_a_login() {
    let org = Org::start();
    let unset = without(&org.env(), "SF_USERNAME");
    let wrong = with(&org.env(), "SF_PASSWORD", "wrong");
    for (env, code, logins) in [(unset, 2, 0), (wrong, 3, 1)] {
        let run = sf_login(&env, &["exec", "echo", "started"]);
        assert_eq!((run.code, &*run.stdout, org.logins()), (Some(code), "", logins), "{}", run.stderr);
        assert!(run.stderr.starts_with("sf-login: ") && run.stderr.contains("\ntried: ") == (code == 3));
    }
    org.always(TOKEN_PATH, Answer::new(200));
    assert_eq!(sf_login(&org.env(), &["exec", "echo", "started"]).code, Some(1));
}

#[test]
fn a_command_of_ours_uses_the_token() {
    let org = Org::start();
    let nested = [&["exec", env!("CARGO_BIN_EXE_sf-login")][..], &["get", "limits"]].concat();
    let run = sf_login(&org.env(), &nested);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(paths(&org.take_requests()), [TOKEN_PATH, LIMITS]);
}
