//! What errors and other values show of themselves, and what they are.

use fake_org::{Answer, CLIENT_ID, CLIENT_SECRET, Org, USERNAME};
use serde_json::{Value, json};
use sf_login::{ApiError, App, Error, ErrorKind, Login, Records, Session, Token};

use crate::retries::broken_off::dying_agent;
use crate::support::{assert_no_secret, kept, login, login_with, session, shown};

#[test]
fn both_forms_of_main_show_all_of_an_error() {
    let org = Org::start();
    let error = login(&org).security_token("").token().unwrap_err();
    let text = shown(&error);
    assert!(text.lines().count() > 3, "{text}");
    assert_eq!(
        text.lines().take(2).collect::<Vec<_>>(),
        [
            "login refused: authentication failure (invalid_grant, HTTP 400)",
            &format!("tried: password flow, user {USERNAME}, host {}, security token not set", org.addr()),
        ]
    );
    let hints: Vec<String> = text.lines().skip(2).map(str::to_owned).collect();
    assert_eq!(hints, error.hints().iter().map(|hint| format!("hint: {hint}")).collect::<Vec<_>>());

    // fn main() -> Result<(), sf_login::Error>
    assert_eq!(format!("{error:?}"), text);
    assert_eq!(format!("{error:#?}"), text);
    // fn main() -> Result<(), Box<dyn std::error::Error>>
    let boxed: Box<dyn std::error::Error> = Box::new(error.clone());
    assert_eq!(format!("{boxed:?}"), text);
    // fn main() -> anyhow::Result<()>, which may add a backtrace
    let carried = anyhow::Error::from(error);
    assert_eq!(format!("{carried:#}"), text);
    let debug = format!("{carried:?}");
    let rest = debug.strip_prefix(&text).unwrap_or_else(|| panic!("{debug}"));
    assert!(rest.is_empty() || rest.starts_with("\n\nStack backtrace:"), "{debug}");
    // With a word of the caller's own, as anyhow shows it.
    let debug = format!("{:?}", carried.context("could not sync"));
    for line in text.lines() {
        assert!(debug.contains(line), "{line:?} is not in {debug}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let org = Org::start();
    let url = org.url();
    let host = org.addr();
    let session = session(&org);
    let token = session.token();
    let records = session.query::<Value>("SELECT Id FROM Account WHERE Name = 'a secret'");
    let app = App::new(CLIENT_ID, CLIENT_SECRET);
    let alone = App::without_secret(CLIENT_ID);
    let login = login(&org);
    let cases = [
        (format!("{app:?}"), format!("App {{ client_id: \"{CLIENT_ID}\", .. }}")),
        (format!("{alone:?}"), format!("App {{ client_id: \"{CLIENT_ID}\", .. }}")),
        (format!("{token:?}"), format!("Token {{ instance_url: \"{url}\", .. }}")),
        (format!("{session:?}"), format!("Session {{ instance_url: \"{url}\", version: \"v66.0\", .. }}")),
        (format!("{records:?}"), "Records { given: 0, total: None, .. }".to_owned()),
        (
            format!("{app:#?}{login:#?}{token:#?}{session:#?}{records:#?}"),
            format!(
                "App {{\n    client_id: \"{CLIENT_ID}\",\n    ..\n}}\
                 Login {{\n    tries: password flow, user {USERNAME}, host {host}, security token set,\n    ..\n}}\
                 Token {{\n    instance_url: \"{url}\",\n    ..\n}}\
                 Session {{\n    instance_url: \"{url}\",\n    version: \"v66.0\",\n    ..\n}}\
                 Records {{\n    given: 0,\n    total: None,\n    ..\n}}"
            ),
        ),
    ];
    for (shown, expected) in cases {
        assert_no_secret(&shown);
        assert_eq!(shown, expected);
    }
}

#[test]
fn error_is_small_and_cheap_to_clone() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    let org = Org::start();
    let error = login(&org).security_token("stale").token().unwrap_err();
    // The same, not an equal one.
    assert!(std::ptr::eq(error.clone().kind(), error.kind()));
}

#[test]
fn public_types_can_be_sent_and_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<App>();
    shared::<Login>();
    shared::<Token>();
    shared::<Session>();
    shared::<Records<'_, Value>>();
    shared::<Error>();
    shared::<ErrorKind>();
    shared::<ApiError>();
}

#[test]
fn nobody_elses_words_begin_a_line_of_ours() {
    let org = Org::start();
    for end in ["\n", "\r", "\r\n", "\n\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
        let forged = format!("bad{end}hint: run this{end}tried: this{end}");
        let body = json!([{ "errorCode": forged, "message": forged, "fields": [forged] }]);
        let title = format!("<title>{forged}</title>");
        let session = || kept(&org);
        let failures: [(Answer, &dyn Fn() -> Error); 6] = [
            (Answer::json(400, body), &|| session().get::<Value>("x").unwrap_err()),
            (Answer::text(400, &forged), &|| session().get::<Value>("x").unwrap_err()),
            (Answer::text(200, &title), &|| session().get::<Value>("x").unwrap_err()),
            (Answer::oauth_error(&forged, &forged), &|| login(&org).token().unwrap_err()),
            (Answer::text(200, &title), &|| login(&org).token().unwrap_err()),
            (Answer::close(), &|| {
                let user = format!("ada{}", forged.replace(['\r', '\n'], "\u{2029}"));
                login_with(&org, "password", "username", &user).token().unwrap_err()
            }),
        ];
        for (answer, fail) in failures {
            org.answer(answer);
            assert_only_our_lines(&fail());
        }
        let words = Box::leak(forged.into_boxed_str());
        let (agent, _) = dying_agent(std::io::ErrorKind::Other, words);
        let login = login(&org).login_url("https://acme.my.salesforce.com");
        assert_only_our_lines(&login.agent(agent).token().unwrap_err());
        assert_only_our_lines(&session().get::<Value>(&format!("x{words}")).unwrap_err());
    }
    org.answer(Answer::api_error(400, "INVALID_FIELD", "bad\nhint: run this\r\ntried: this"));
    let error = kept(&org).get::<Value>("x").unwrap_err();
    let lines = ["request refused: tried: this (INVALID_FIELD) (HTTP 400)", "  bad", "  hint: run this"];
    assert_eq!(shown(&error).lines().take(3).collect::<Vec<_>>(), lines);
}

#[track_caller]
fn assert_only_our_lines(error: &Error) {
    let shown = shown(error);
    let ends = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let lines: Vec<_> = shown.split(ends).skip(1).filter(|line| !line.starts_with("  ")).collect();
    let (tried, hints) = lines.split_at(lines.len() - error.hints().len());
    assert!(hints.iter().all(|line| line.starts_with("hint: ")), "{shown}");
    assert!(!hints.contains(&"hint: run this"), "{shown}");
    let is_setting = matches!(error.kind(), ErrorKind::Setting { .. });
    assert_eq!(tried.len(), usize::from(!is_setting), "{shown}");
    assert!(tried.iter().all(|line| line.starts_with("tried: ") && *line != "tried: this"), "{shown}");
}

#[test]
fn characters_that_nobody_sees_are_taken_out() {
    // The first and the last of each range of Unicode's Default_Ignorable_Code_Point.
    let hidden = "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{180f}\u{200b}\u{200f}\u{202a}\
                  \u{202e}\u{2060}\u{206f}\u{3164}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff0}\u{fff8}\u{1bca0}\
                  \u{1bca3}\u{1d173}\u{1d17a}\u{e0000}\u{e0fff}";
    let beside = "\u{ae}\u{34e}\u{350}\u{61b}\u{61d}\u{115e}\u{1161}\u{17b3}\u{17b6}\u{180a}\u{1810}\u{2010}\
                  \u{2070}\u{3163}\u{3165}\u{fdff}\u{fe10}\u{ff9f}\u{ffa1}\u{1bc9f}\u{1d172}\u{1d17b}";
    let org = Org::start();
    for (message, said) in [
        (format!("a{hidden}b{beside}c"), format!("ab{beside}c")),
        (format!("SELECT{hidden} a\n  {hidden} ^"), "SELECT a\n   ^".to_owned()),
    ] {
        org.answer(Answer::api_error(400, "ODD", &message));
        let error = kept(&org).get::<Value>("x").unwrap_err();
        let ErrorKind::Api { errors, .. } = error.kind() else { panic!("{error}") };
        assert_eq!(errors[0].message, said);
    }
}
