//! Secrets from files: what is taken off their content, what is wrong with them, and which are not looked at.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::{CLIENT_SECRET, JWT_KEY, Org, PASSWORD, SECURITY_TOKEN};

use crate::support::{Env, Run, failed, run, sf_login, sf_login_with_input, with, without};

/// Each secret, and where its file's path is.
const SECRETS: [(&str, &str); 3] = [
    ("SF_CLIENT_SECRET", "SF_CLIENT_SECRET_FILE"),
    ("SF_PASSWORD", "SF_PASSWORD_FILE"),
    ("SF_SECURITY_TOKEN", "SF_SECURITY_TOKEN_FILE"),
];

#[test]
fn each_secret_may_stand_in_a_file() {
    let org = Org::start();
    for mut env in [org.env(), org.env_for("client_credentials"), org.env_for("code_credentials")] {
        for (secret, file) in SECRETS {
            if let Some((_, value)) = env.iter().find(|(name, _)| *name == secret).cloned() {
                // An empty variable is unset.
                env = with(&with(&env, secret, ""), file, &written(value));
            }
        }
        assert_logged_in(&sf_login(&env, &[]));
    }
}

#[test]
fn a_byte_order_mark_and_one_line_end_are_taken_off_and_no_more() {
    let org = Org::start();
    let longest = "x".repeat(64 * 1024);
    for (content, password) in [
        ("\u{feff}pass word", "pass word"),
        (" \tpass word \n", " \tpass word "),
        ("\u{feff}\u{feff}pass word\u{feff}\r\n", "\u{feff}pass word\u{feff}"),
        ("pass word\r", "pass word"),
        (&longest, &longest),
    ] {
        let run = sf_login(&with_file(&org.env(), SECRETS[1], &written(content)), &[]);
        assert_eq!(run.code, Some(3), "another password: {}", run.stderr);
        let sent = org.take_requests().remove(0).param("password");
        assert_eq!(sent, Some(format!("{password}{SECURITY_TOKEN}")));
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_by_its_variable() {
    let org = Org::start();
    let unread = |why| format!("names a file that cannot be read: {why}");
    let alone = |problem| format!("names a file that {problem}: write the path of one with the secret alone");
    let line_end = "holds a line end or a NUL: write the value alone, on one line".to_owned();
    let cases = [
        ("/no/such/file".to_owned(), unread("No such file or directory (os error 2)")),
        ("/".to_owned(), unread("Is a directory (os error 21)")),
        (written(""), alone("is empty")),
        (written("\u{feff}\r\n"), alone("is empty")),
        (written(b"p\xe4ss\n"), alone("is not UTF-8")),
        (written(b"\xff\xfep\0a\0"), alone("is UTF-16, not UTF-8")),
        (written(b"\xfe\xff\0p\0a"), alone("is UTF-16, not UTF-8")),
        (written("password\n\n"), alone("has several lines")),
        (written("pass\rword\n"), alone("has several lines")),
        (written("x".repeat(64 * 1024 + 1)), alone("is larger than 64 KiB")),
        ("/dev/zero".to_owned(), alone("is larger than 64 KiB")),
        (written("pass\0word\n"), line_end),
    ];
    for secret in SECRETS {
        for (path, problem) in &cases {
            let run = sf_login(&with_file(&org.env(), secret, path), &[]);
            assert_eq!(run, failed(2, &format!("{} {problem}", secret.1)));
        }
        let both = with(&org.env(), secret.1, "/dev/null");
        let problem = format!("{} is set beside {}: unset one of the two", secret.1, secret.0);
        assert_eq!(sf_login(&both, &[]), failed(2, &problem));
    }
    // Spaces are no consumer secret, but may be a password.
    let run = sf_login(&with_file(&org.env(), SECRETS[0], &written(" \n")), &[]);
    assert_eq!(run, failed(2, "SF_CLIENT_SECRET_FILE is empty"));
    let key = ("SF_JWT_KEY", "SF_JWT_KEY_FILE");
    for (path, problem) in &cases[..7] {
        let run = sf_login(&with_file(&org.env_for("jwt_bearer"), key, path), &[]);
        assert_eq!(run, failed(2, &format!("SF_JWT_KEY_FILE {problem}")));
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_file_may_be_a_pipe() {
    let org = Org::start();
    let env = with_file(&org.env(), SECRETS[1], "/dev/stdin");
    assert_logged_in(&sf_login_with_input(&env, &[], format!("{PASSWORD}\n").as_bytes()));
    let key = with(&org.env_for("jwt_bearer"), "SF_JWT_KEY_FILE", "/dev/stdin");
    assert_logged_in(&sf_login_with_input(&key, &[], JWT_KEY.as_bytes()));

    let script =
        "SF_CLIENT_SECRET_FILE=<(printf %s \"$APP\") SF_PASSWORD_FILE=<(echo \"$WORD\") exec \"$0\" \"$@\"";
    let mut env = without(&without(&org.env(), "SF_CLIENT_SECRET"), "SF_PASSWORD");
    env.extend([("APP", CLIENT_SECRET.to_owned()), ("WORD", PASSWORD.to_owned())]);
    for args in [&[][..], &["get", "limits"]] {
        let args = [&["-c", script, env!("CARGO_BIN_EXE_sf-login")], args].concat();
        assert_logged_in(&run(&env, "bash", &args, b""));
    }
}

#[test]
fn a_file_whose_secret_is_not_used_is_not_opened() {
    let org = Org::start();
    let none = "/no/such/file";
    let app = org.env_for("client_credentials");
    for env in [with(&app, SECRETS[1].1, none), with(&org.env_for("code_credentials"), SECRETS[2].1, none)] {
        assert_logged_in(&sf_login(&env, &[]));
    }
    // The password of standard input stands for either form, and is none of a file where it cannot be used.
    let env = with_file(&org.env(), SECRETS[1], none);
    assert_logged_in(&sf_login_with_input(&env, &["--password-stdin"], PASSWORD.as_bytes()));
    let run = sf_login_with_input(&env, &["--password-stdin"], b"pass\0word");
    assert_eq!(run, failed(2, "SF_PASSWORD holds a line end or a NUL: write the value alone, on one line"));
}

/// The environment with a secret's file in place of the secret.
fn with_file(env: &Env, (secret, file): (&'static str, &'static str), path: &str) -> Env {
    with(&without(env, secret), file, path)
}

/// The path of a new file with this content.
fn written(content: impl AsRef<[u8]>) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("secret-{}", COUNT.fetch_add(1, SeqCst)));
    fs::write(&path, content).expect("there is room for a file");
    path.to_str().expect("the path is UTF-8").to_owned()
}

#[track_caller]
fn assert_logged_in(run: &Run) {
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
}
