//! Secrets that a server repeats are not shown, wherever it puts them.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use fake_org::{
    Answer, CLIENT_SECRET, ORG_ID, Org, PASSWORD, REDIRECT_URI, Request, SECURITY_TOKEN, SITE_PASSWORD, gzip,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sf_login::{ErrorKind, Session};

use crate::retries::broken_off::dying_agent;
use crate::support::{
    AUTHORIZE_PATH, EXCHANGES, MINIMAL, MakeLogin, NEW, OLD, SITE_TOKEN_PATH, TOKEN_PATH, agent,
    code_credentials, expired, forms, headline, host, kept, login, login_with, refusal, session, shown,
    token,
};

const WITHHELD: &str = "(withheld: it could hold a secret)";

#[test]
fn secrets_that_a_refusal_repeats_are_withheld_in_every_exchange() {
    for exchange in EXCHANGES {
        let org = Org::start();
        (exchange.login)(&org).token().unwrap();
        let secrets = secrets_of(&org.take_requests()[exchange.requests - 1]).len();
        let one = ["client credentials", "JWT bearer"].contains(&exchange.name);
        assert_eq!(secrets, if one { 1 } else { 2 }, "{}", exchange.name);
        // Only the first half of the code flow is refused in redirects.
        let redirects = if exchange.path == AUTHORIZE_PATH { [false, true] } else { [false; 2] };
        for n in 0..secrets {
            for (form, in_redirect) in (0..forms("x").len()).flat_map(|form| redirects.map(|it| (form, it))) {
                org.always_with(exchange.path, move |request| {
                    let secret = &secrets_of(request)[n];
                    let told = format!("no user, {} was given", forms(secret)[form]);
                    if in_redirect {
                        let told = utf8_percent_encode(&told, NON_ALPHANUMERIC);
                        let query = format!("error=invalid_grant&error_description={told}");
                        Answer::redirect(302, format!("{REDIRECT_URI}?{query}"))
                    } else {
                        Answer::oauth_error("invalid_grant", &told)
                    }
                });
                let error = (exchange.login)(&org).token().unwrap_err();
                let status = if in_redirect { 302 } else { 400 };
                let told = format!("login refused: {WITHHELD} (invalid_grant, HTTP {status})");
                assert_eq!(headline(&error), told, "secret {n}, form {form}, in {}", exchange.name);
            }
        }
    }
}

#[test]
fn code_is_withheld_in_the_reply_that_brings_it_and_in_that_to_its_exchange() {
    let org = Org::start();
    let reply = json!({
        "code": "aPrx.secret", "error": "access_denied", "error_description": "aPrx.secret is not for you",
    });
    let query = "code=aPrx.secret&error=access_denied&error_description=aPrx.secret+is+not+for+you";
    let answers = [
        (Answer::json(403, &reply), 403),
        (Answer::json(200, &reply), 200),
        (Answer::redirect(302, format!("{REDIRECT_URI}?{query}")), 302),
    ];
    for (answer, status) in answers {
        org.answer(answer);
        let error = code_credentials(&org).token().unwrap_err();
        let told = format!("login refused: {WITHHELD} (access_denied, HTTP {status})");
        assert_eq!(headline(&error), told);
        assert!(!shown(&error).contains("aPrx"), "{error}");
    }
    assert_eq!(org.logins(), 0);

    // Nor is it said by the exchange, even where a code is as plain as a word.
    org.answer(Answer::redirect(302, format!("{REDIRECT_URI}?code=Quagga")));
    org.answer_to(SITE_TOKEN_PATH, Answer::oauth_error("invalid_grant", "no quagga here"));
    let told = format!("login refused: {WITHHELD} (invalid_grant, HTTP 400)");
    assert_eq!(headline(&code_credentials(&org).token().unwrap_err()), told);
}

#[test]
fn token_of_a_reply_that_is_also_a_refusal_is_not_used_and_not_shown() {
    let org = Org::start();
    for status in [400, 403] {
        let body = json!({
            "access_token": "00D!AQrefused",
            "instance_url": "https://acme.my.salesforce.com",
            "error": "invalid_grant",
            "error_description": "no use for 00D!AQrefused",
        });
        let got = refusal(&org, Answer::json(status, body));
        assert_eq!(headline(&got), format!("login refused: {WITHHELD} (invalid_grant, HTTP {status})"));
    }
    let got = refusal(&org, Answer::json(400, MINIMAL));
    let expected = "unexpected reply: JSON of another shape than documented (HTTP 400)";
    assert_eq!(headline(&got), expected);
}

#[test]
fn hints_are_chosen_from_what_was_said_and_guessed_where_nobody_sees_it() {
    let org = Org::start();
    for (said, as_if) in [("user is inactive, with", "user is inactive"), ("no use for", "")] {
        let error = refusal(&org, Answer::oauth_error("invalid_grant", &format!("{said} {PASSWORD}")));
        let kind = ErrorKind::Refused {
            status: 400,
            error: "invalid_grant".to_owned(),
            description: WITHHELD.to_owned(),
        };
        assert_eq!(*error.kind(), kind, "{said}");
        assert_eq!(
            error.hints(),
            refusal(&org, Answer::oauth_error("invalid_grant", as_if)).hints(),
            "{said}"
        );
    }
}

#[test]
fn what_is_done_about_a_refusal_does_not_hang_on_what_is_shown_of_it() {
    let org = Org::start();
    // Tokens that are part of the codes which say that they have expired.
    let session = login(&org).resume(token(&org, "E")).unwrap();
    let _: Value = session.get("limits").unwrap();
    assert_eq!(org.logins(), 1);
    Session::new(token(&org, "i")).unwrap().agent(agent(&org)).revoke().unwrap();
}

#[test]
fn secret_in_a_broken_head_is_not_shown() {
    let org = Org::start();
    for secret in forms(PASSWORD).into_iter().chain(forms(CLIENT_SECRET)) {
        for head in [
            secret.clone(),
            format!("HTTP/1.1 200 {secret}\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\n{secret}\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{secret}\r\n"),
            format!("HTTP/1.1 302 Found\r\nLocation: {secret}\r\nContent-Length: 0\r\n\r\n"),
            format!("HTTP/1.1 302 Found\r\nLocation: https://{secret}/\r\nContent-Length: 0\r\n\r\n"),
            format!("HTTP/1.1 503 Busy\r\nRetry-After: 0{secret}\r\nContent-Length: 0\r\n\r\n"),
        ] {
            org.answer(Answer::raw(head.as_bytes()));
            let error = login(&org).timeout(Duration::from_millis(240)).token();
            // Busy once, the org is itself again the second time.
            if let Err(error) = error {
                assert!(shown(&error).len() < 4000, "{head}");
            }
            org.behave();
        }
    }
}

#[test]
fn host_of_a_redirect_that_is_made_of_a_secret_is_withheld() {
    let org = Org::start();
    // Words of few letters and a few digits, as hosts may have them, and a port.
    let cases = [
        ("Ada.2024!", "ada.2024.example.com"),
        ("Ada12345", "ada:12345"),
        ("hunter2x", "hun.ter.2.x.example.com"),
        ("127.12.34.56", "127.12.34.56"),
    ];
    for (password, host) in cases {
        org.answer(Answer::redirect(302, format!("https://{host}/")));
        let error = login_with(&org, "password", "password", password).token().unwrap_err();
        let problem = format!("a redirect to {WITHHELD}, which was not followed");
        assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP 302)"), "{password}");
    }
    org.answer(Answer::redirect(302, "https://na139.example.com:8443/"));
    let error = login_with(&org, "password", "password", "Ada.2024!").token().unwrap_err();
    let problem = "a redirect to na139.example.com:8443, which was not followed";
    assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP 302)"));
}

#[test]
fn secrets_that_the_api_repeats_are_withheld() {
    let org = Org::start();
    let session = session(&org);
    let token = session.token();
    for secret in [CLIENT_SECRET, PASSWORD, SECURITY_TOKEN, token.access_token()] {
        org.answer(Answer::api_error(400, "ECHO", &format!("you said {secret}")));
        let error = session.get::<Value>("limits").unwrap_err();
        let message = format!("request refused: {WITHHELD} (ECHO) (HTTP 400)");
        assert_eq!(headline(&error), message, "{secret}");
    }
    // A token begins with the id of its org, which is none.
    org.answer(Answer::api_error(400, "ECHO", &format!("not in org {ORG_ID}")));
    let error = session.get::<Value>("limits").unwrap_err();
    assert_eq!(headline(&error), format!("request refused: not in org {ORG_ID} (ECHO) (HTTP 400)"));
}

#[test]
fn title_shows_no_part_of_a_secret_that_it_is_capped_in() {
    let org = Org::start();
    let session = session(&org);
    let token = session.token();
    let words = "so many words ".repeat(40);
    for padding in (470..510).step_by(3) {
        let page = |secret: &str| Answer::html(404, &format!("{}{secret}", &words[..padding]));
        let error = refusal(&org, page(SECURITY_TOKEN));
        assert!(!shown(&error).contains(&SECURITY_TOKEN[..4]), "{error}");
        org.answer(page(token.access_token()));
        let error = session.get::<Value>("limits").unwrap_err();
        assert!(!shown(&error).contains(&token.access_token()[..4]), "{error}");
    }
}

#[test]
fn in_whatever_encoding_a_login_host_echoes_a_secret_nothing_of_it_is_shown() {
    let org = Org::start();
    let sent = [
        (login as MakeLogin, CLIENT_SECRET),
        (login, PASSWORD),
        (login, SECURITY_TOKEN),
        (code_credentials, SITE_PASSWORD),
    ];
    for (login, secret) in sent {
        for (encoding, encode) in ENCODINGS {
            let encoded = encode(secret);
            let description = format!("quagga {encoded} zebra");
            for answer in [
                Answer::oauth_error("invalid_grant", &description),
                Answer::oauth_error(&description, "authentication failure"),
                Answer::json(200, json!({ "error": "invalid_grant", "error_description": description })),
                Answer::html(200, &description),
                Answer::html(404, &description),
            ] {
                org.answer(answer);
                let error = login(&org).token().expect_err("this is no token");
                let said = format!("{}\n{:?}", shown(&error), error.kind());
                for part in [&*encoded, "quagga", "zebra"] {
                    assert!(!said.contains(part), "{secret:?} as {encoding} is said: {said}");
                }
            }
        }
    }
    // What has no secret in it is said.
    let error = refusal(&org, Answer::oauth_error("invalid_grant", "quagga zebra"));
    assert_eq!(headline(&error), "login refused: quagga zebra (invalid_grant, HTTP 400)");
}

#[test]
fn secret_in_the_words_of_a_transport_is_withheld() {
    use std::io::ErrorKind::{InvalidData, NetworkUnreachable, Other};
    let words = format!("invalid peer certificate: certificate is only valid for {SECURITY_TOKEN}.example");
    let words = &*Box::leak(words.into_boxed_str());
    for kind in [InvalidData, NetworkUnreachable, Other] {
        let (agent, _) = dying_agent(kind, words);
        let login = login(&Org::start()).login_url("https://acme.my.salesforce.com").agent(agent);
        let expected = format!("no reply from acme.my.salesforce.com: {WITHHELD}");
        assert_eq!(headline(&login.token().unwrap_err()), expected, "{kind}");
    }
}

#[test]
fn token_in_the_path_of_a_next_page_is_withheld() {
    let org = Org::start();
    let next = format!("/services/data/v66.0/query/{OLD}?x={OLD}");
    let page = json!({ "totalSize": 2, "done": false, "nextRecordsUrl": next, "records": [1] });
    org.answer(Answer::json(200, page));
    org.answer(Answer::api_error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"));
    let session = kept(&org);
    let error = session.query::<Value>("SELECT Id FROM Account").nth(1).unwrap().unwrap_err();
    let tried = format!("tried: GET {WITHHELD}, host {}", host(&org));
    assert_eq!(shown(&error).lines().nth(1), Some(&*tried));
}

#[test]
fn every_token_that_a_session_has_had_is_withheld() {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    let session = login(&org).resume(token(&org, OLD)).unwrap();

    // The kept one, in the refusal of a new login that passes.
    org.answer_to("/services/data/", expired());
    org.answer_to(TOKEN_PATH, Answer::oauth_error("temporarily_unavailable", &format!("not {OLD}")));
    let error = session.get::<Value>("x").unwrap_err();
    assert!(!shown(&error).contains("old.Token"), "{error}");

    // And once it has been replaced, in a refusal by the API.
    let session = login(&org).resume(token(&org, OLD)).unwrap();
    org.always("/services/data/", Answer::api_error(400, "ECHO", &format!("not {OLD}, nor {NEW}")));
    org.answer_to("/services/data/", expired());
    let error = session.get::<Value>("x").unwrap_err();
    assert_eq!(session.token().access_token(), NEW);
    assert_eq!((error.status(), org.logins()), (Some(400), 2));
    for part in ["old.Token", "new.Token"] {
        assert!(!shown(&error).contains(part), "{error}");
    }
}

/// A secret, words, and whether a login host and the API are shown with them.
const PARTS: [(&str, &str, bool, bool); 34] = [
    // Six letters and digits in a row at a login host, twelve at the API.
    ("correcthorsebattery", "orrecthorseb is none", false, false),
    ("correcthorsebattery", "is it ecthorsebat", false, true),
    ("correcthorsebattery", "no horseb here", false, true),
    ("correcthorsebattery", "a horse is no battle", true, true),
    // In any case, and whatever stands between them, in the secret as in the words.
    ("correcthorsebattery", "CORRECT Horse: battery", false, false),
    ("correcthorsebattery", "c o r r e c t-horse_b", false, false),
    ("correcthorsebattery", "cor\u{200b}rec\u{3164}tho\u{ffa0}rse\u{e0061}bat", false, false),
    ("correcthorsebattery", "batteries for horses", false, true),
    ("Correct, Horse; Battery!", "correcthorsebattery", false, false),
    ("sträßchen.überall", "STRÄSSCHENÜB", false, false),
    ("sträßchen.überall", "sträß", false, true),
    ("aaaaaaaaaaaaaa", "aaaaaa", false, true),
    ("aaaaaaaaaaaaaa", "aaaaa aaaa", false, true),
    ("aaaaaaaaaaaaaa", "aaaaaaaaaaaa", false, false),
    // Of a shorter one, all of it.
    ("hunterhunter", "hunterhunter", false, false),
    ("hunterhunter", "hunterhunte", false, true),
    ("hunterx", "hunterx", false, false),
    ("hunterx", "he hunts errors", true, true),
    ("hunterx", "a hunter", false, true),
    ("horse", "whorses", false, false),
    ("horse", "ho rse", false, false),
    ("horse", "hors", true, true),
    ("user", "unknown user", false, false),
    // What is shorter still stands in ordinary words, and counts as words of its own.
    ("abc", "unknown abc", false, false),
    ("abc", "A-B, C", true, true),
    ("abc", "abcd", true, true),
    ("a-b!c", "an A-B!C", false, false),
    ("a-b!c", "an abc", false, false),
    ("a$$$", "authentication failure", true, true),
    ("a$$$", "such a failure", false, false),
    // And one of marks alone as it is.
    ("!!  !!", "oh!! !!", false, false),
    ("!!  !!", "oh!!!", true, true),
    ("   ", "some words", true, true),
    ("\u{200b}\u{202e}", "some words", true, true),
];

#[test]
fn part_of_a_secret_is_a_window_of_its_letters_and_digits() {
    let org = Org::start();
    for (secret, words, told, asked) in PARTS {
        let login = login_with(&org, "password", "password", secret);
        let shown_or_not = |is_shown: bool| if is_shown { words } else { WITHHELD };
        org.answer(Answer::oauth_error("invalid_grant", words));
        let error = login.token().unwrap_err();
        let message = format!("login refused: {} (invalid_grant, HTTP 400)", shown_or_not(told));
        assert_eq!(headline(&error), message, "{secret}: {words}");

        org.answer(Answer::api_error(400, "ECHO", words));
        let error = login.resume(token(&org, OLD)).unwrap().get::<Value>("x").unwrap_err();
        let message = format!("request refused: {} (ECHO) (HTTP 400)", shown_or_not(asked));
        assert_eq!(headline(&error), message, "{secret}: {words}");
    }
}

#[test]
fn part_of_a_token_is_withheld_wherever_it_is_cut() {
    let org = Org::start();
    let session = kept(&org);
    let (_, secret) = OLD.split_once('!').unwrap();
    for (begin, end) in (0..=secret.len() - 14).map(|n| (n, n + 14)).chain([(0, secret.len() - 1)]) {
        let part = &secret[begin..end];
        org.answer(Answer::api_error(400, "ECHO", &format!("you said {part}.")));
        let error = session.get::<Value>("x").unwrap_err();
        let message = format!("request refused: {WITHHELD} (ECHO) (HTTP 400)");
        assert_eq!(headline(&error), message, "{part}");
    }
    // What is before its exclamation mark is the org's id only where it is one.
    for (token, part) in [("SecretBefore!AndAfter", "SecretBefore"), ("00DSecretOfMine!", "SecretOfMine")] {
        let session = Session::new(self::token(&org, token)).unwrap().agent(agent(&org));
        org.answer(Answer::api_error(400, "ECHO", part));
        let message = format!("request refused: {WITHHELD} (ECHO) (HTTP 400)");
        assert_eq!(headline(&session.get::<Value>("x").unwrap_err()), message, "{token}");
    }
}

/// What a request has given away to the server.
fn secrets_of(request: &Request) -> Vec<String> {
    let form = request.form().into_iter();
    let secret = |name: &String| ["client_secret", "password", "code", "assertion"].contains(&&**name);
    let mut secrets: Vec<String> = form.filter(|(name, _)| secret(name)).map(|(_, value)| value).collect();
    if let Some(basic) = request.header("authorization").and_then(|value| value.strip_prefix("Basic ")) {
        secrets.push(basic.to_owned());
        let decoded = BASE64_STANDARD.decode(basic).expect("it is base64");
        let decoded = String::from_utf8(decoded).expect("it is UTF-8");
        secrets.push(decoded.split_once(':').expect("it has a colon").1.to_owned());
    }
    secrets
}

type Encode = fn(&str) -> String;

/// Ways to write a secret, by name.
const ENCODINGS: [(&str, Encode); 16] = [
    ("it is", str::to_owned),
    ("upper case", str::to_uppercase),
    ("lower case", str::to_lowercase),
    ("reversed", |text| text.chars().rev().collect()),
    ("percent-encoded", percent),
    ("a form", |text| percent(text).replace("%20", "+")),
    ("base64", |text| BASE64_STANDARD.encode(text)),
    ("base64 with more before it", |text| BASE64_STANDARD.encode(format!("Basic {text}"))),
    ("URL-safe base64", |text| BASE64_URL_SAFE_NO_PAD.encode(text)),
    ("compressed base64", |text| BASE64_STANDARD.encode(gzip(text.as_bytes()))),
    ("hex", |text| bytes(text, |byte| format!("{byte:02x}"))),
    ("code points", |text| each(text, |c| format!("{} ", u32::from(c)))),
    ("decimal entities", |text| each(text, |c| format!("&#{};", u32::from(c)))),
    ("UTF-8 taken for Latin-1", |text| bytes(text, |byte| char::from(byte).to_string())),
    ("hidden characters", |text| each(text, |c| format!("{c}\u{200b}\u{ad}"))),
    ("full width", |text| {
        each(text, |c| {
            char::from_u32(u32::from(c) + 0xfee0).filter(|_| c.is_ascii_graphic()).unwrap_or(c).to_string()
        })
    }),
];

fn each(text: &str, encode: impl Fn(char) -> String) -> String {
    text.chars().map(encode).collect()
}

fn bytes(text: &str, encode: impl Fn(u8) -> String) -> String {
    text.bytes().map(encode).collect()
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
