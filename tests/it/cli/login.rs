//! Logging in: what each format prints, and the password from standard input.

use fake_org::{Org, PASSWORD, SECURITY_TOKEN};
use serde_json::json;

use super::TOKEN;
use crate::support::{done, failed, sf_login, sf_login_with_input, without};

#[test]
fn each_format_prints_the_login_exactly() {
    let org = Org::start();
    org.setup(|setup| {
        setup.token = Some(TOKEN.to_owned());
        setup.reply_without = ["id", "issued_at", "signature"].map(str::to_owned).to_vec();
        setup.reply_extra.insert("scope".to_owned(), json!("api \"web\"\n"));
        setup.reply_extra.insert("later".to_owned(), json!({ "list": [1, null] }));
    });
    let url = org.url();
    let json = format!(
        r#"{{"access_token":"{TOKEN}","instance_url":"{url}","later":{{"list":[1,null]}},"scope":"api \"web\"\n","token_type":"Bearer"}}"#
    );
    let cases = [
        ("token", TOKEN.to_owned()),
        ("json", json),
        ("env", format!("export SF_ACCESS_TOKEN='{TOKEN}'\nexport SF_ORG_INSTANCE_URL='{url}'")),
        ("dotenv", format!("SF_ACCESS_TOKEN={TOKEN}\nSF_ORG_INSTANCE_URL={url}")),
        ("header", format!("Authorization: Bearer {TOKEN}")),
    ];
    for (format, expected) in cases {
        let together = format!("--format={format}");
        for args in [&["--format", format][..], &[&together]] {
            assert_eq!(sf_login(&org.env(), args), done(&format!("{expected}\n")), "{args:?}");
        }
    }
    assert_eq!(sf_login(&org.env(), &[]), done(&format!("{TOKEN}\n")), "the default");
    let last_counts = ["--format", "json", "--format=header"];
    let header = format!("Authorization: Bearer {TOKEN}\n");
    assert_eq!(sf_login(&org.env(), &last_counts), done(&header), "the last one counts");
    assert_eq!(org.logins(), 12);
}

#[test]
fn the_password_is_the_first_line_of_standard_input() {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(TOKEN.to_owned()));
    let cases = [
        ("a newline", format!("{PASSWORD}\n")),
        ("a Windows line end", format!("{PASSWORD}\r\n")),
        ("no line end", PASSWORD.to_owned()),
        ("a byte order mark", format!("\u{feff}{PASSWORD}\r\n")),
        ("more lines", format!("{PASSWORD}\nuser: ada\n\0\n")),
    ];
    for (case, input) in cases {
        for password in [None, Some("wrong"), Some("")] {
            let mut env = without(&org.env(), "SF_PASSWORD");
            env.extend(password.map(|password| ("SF_PASSWORD", password.to_owned())));
            let run = sf_login_with_input(&env, &["--password-stdin"], input.as_bytes());
            assert_eq!(run, done(&format!("{TOKEN}\n")), "{case}, SF_PASSWORD {password:?}");
        }
    }
}

#[test]
fn nothing_else_is_taken_off_the_password() {
    let org = Org::start();
    for (line, sent) in [
        (" \tpass word \u{feff}", " \tpass word \u{feff}"),
        ("'quoted'\n", "'quoted'"),
        ("\u{feff}\u{feff}x\n", "\u{feff}x"),
    ] {
        let run = sf_login_with_input(&org.env(), &["--password-stdin"], line.as_bytes());
        assert_eq!(run.code, Some(3), "{line:?} is another password: {}", run.stderr);
        let request = org.take_requests().remove(0);
        assert_eq!(request.param("password"), Some(format!("{sent}{SECURITY_TOKEN}")), "{line:?}");
    }
}

#[test]
fn a_password_that_cannot_be_used_is_not_sent() {
    let org = Org::start();
    let none = "--password-stdin got no password on standard input\nsee sf-login --help";
    let nul = "SF_PASSWORD holds a line end or a NUL: write the value alone, on one line";
    let endless = vec![b'x'; 64 * 1024 + 1];
    let cases: [(&str, &[u8], &str); 9] = [
        ("nothing", b"", none),
        ("an empty line", b"\nsecond\n", none),
        ("an empty Windows line", b"\r\n", none),
        ("a byte order mark alone", b"\xef\xbb\xbf\n", none),
        ("Latin-1", b"p\xe4ss\n", "--password-stdin got a password that is not UTF-8\nsee sf-login --help"),
        ("a NUL", b"pa\0ss\n", nul),
        ("a carriage return within", b"pa\rss\n", nul),
        (
            "UTF-16",
            b"\xff\xfep\0a\0\n\0",
            "--password-stdin got a password that is not UTF-8\nsee sf-login --help",
        ),
        ("no password at all", &endless, "--password-stdin got more than a password\nsee sf-login --help"),
    ];
    for (case, input, says) in cases {
        let run = sf_login_with_input(&org.env(), &["--password-stdin"], input);
        assert_eq!(run, failed(2, says), "{case}");
    }
    assert_eq!(org.connections(), 0);
}
