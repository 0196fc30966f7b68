//! Whatever comes in, nothing bad comes out: what holds for any bytes, any text, any URL.
//!
//! Each property is tried on 256 values; `PROPTEST_CASES=10000 cargo test properties` tries more.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, REDIRECT_URI, Request, SECURITY_TOKEN, USERNAME, gzip,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sf_login::ureq::{self, http};
use sf_login::{App, Error, ErrorKind, Login, Session, Token, path_segment};

use crate::support::{
    AUTHORIZE_PATH, TOKEN_PATH, agent, agent_by, assert_no_secret, code_credentials, forms, shown, watch_logs,
};

/// A token as long as Salesforce's, with the mark that all of a fake org's have.
const TOKEN: &str = "00D5g00000Fake!AQoAQProp.erties_Zk3vY8wLq1sD";

const OF_A_LOGIN: [&str; 3] = [CLIENT_SECRET, PASSWORD, SECURITY_TOKEN];
/// Those of which a run of letters and digits is long enough to be looked for.
const OF_A_SESSION: [&str; 2] = [SECURITY_TOKEN, TOKEN];

/// Too short for a second try, whose pause is 250 ms.
const ONE_TRY: Duration = Duration::from_millis(240);

/// Where the reply is good, and only this machine may be slow.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn any_reply_to_a_login_is_a_token_or_an_error_without_a_secret() {
    let trap = Trap::new();
    for_any(&(select(STATUSES), body(&OF_A_LOGIN), encoding()), |(status, body, encoding)| {
        trap.forget();
        trap.org.always("/", answer(status, &body, encoding));
        match trap.login().token() {
            Ok(token) => {
                assert!((200..300).contains(&status), "a token came with {status}");
                assert_no_secret(&format!("{token:?}"));
                let kept = serde_json::to_value(&token).unwrap();
                let again: Token = serde_json::from_value(kept.clone()).expect("what it wrote, it reads");
                assert_eq!(serde_json::to_value(&again).unwrap(), kept);
            }
            Err(error) => assert_silent(&error),
        }
        assert_eq!(trap.requests().len(), 1, "a login is one POST");
    });
}

#[test]
fn any_redirect_of_a_code_login_leaves_the_credentials_and_the_code_at_the_site() {
    let trap = Trap::new();
    let login = code_credentials(&trap.org).agent(trap.agent.clone());
    let site = trap.org.url();
    let site = path().prop_map(move |path| format!("{site}{path}"));
    let community = prop_oneof![url(), site, Just("https://evil.example/customers".to_owned())];
    let back = (text(), community).prop_map(|(code, url)| {
        let [code, url] = [&code, &url].map(|value| path_segment(value));
        format!("{REDIRECT_URI}?code={code}&sfdc_community_url={url}")
    });
    for_any(&prop_oneof![url(), text(), back], |location| {
        trap.forget();
        trap.org.always("/", Answer::oauth_error("invalid_grant", "no"));
        trap.org.answer_to(AUTHORIZE_PATH, Answer::redirect(302, &location));
        assert_silent(&login.token().expect_err("no token came"));
        let requests = trap.requests();
        assert!(matches!(requests.len(), 1 | 2), "{location:?} led to {requests:?}");
    });
}

#[test]
fn any_reply_of_the_api_is_a_result_or_an_error_without_a_secret() {
    #[derive(serde::Deserialize)]
    struct Row {
        #[serde(rename = "Name")]
        _name: Option<String>,
    }

    let asks: [fn(&Session) -> Option<Error>; 9] = [
        |session| session.get::<Value>("limits").err(),
        |session| session.get::<Row>("sobjects/Account/1").err(),
        |session| session.query::<Value>("SELECT Id FROM Account").take(20).find_map(Result::err),
        |session| session.query::<Box<RawValue>>("SELECT Id FROM Account").take(20).find_map(Result::err),
        |session| session.query::<Row>("SELECT Id FROM Account").take(20).find_map(Result::err),
        |session| session.post::<Value>("sobjects/Account", &json!({ "Name": "x" })).err(),
        |session| session.delete("sobjects/Account/1").err(),
        |session| session.run(http::Request::get("/services/apexrest/x").body("").unwrap()).err(),
        |session| session.get::<Value>("limits").err().or(session.get::<Value>("limits").err()),
    ];
    let trap = Trap::new();
    let reply = (0..asks.len(), select(STATUSES), body(&OF_A_SESSION), encoding());
    for_any(&reply, |(ask, status, body, encoding)| {
        trap.forget();
        trap.org.always("/", answer(status, &body, encoding));
        trap.org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "inactive user"));
        let logins = trap.org.logins();
        let session = trap.session();
        asks[ask](&session).iter().for_each(assert_silent);
        session.revoke().err().iter().for_each(assert_silent);
        trap.requests();
        assert!(trap.org.logins() <= logins + 1, "a refused login was repeated");
    });
}

#[test]
fn any_bytes_instead_of_http_are_an_error_without_a_secret() {
    #[rustfmt::skip]
    let line = select(&["HTTP/1.1 200 OK\r\n", "HTTP/1.0 302 \r\n", "HTTP/1.1 100 Continue\r\n", "HTTP/1.1 "]);
    #[rustfmt::skip]
    let header = select(&[
        "Content-Length: 5\r\n", "Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n", "Location: //evil.example\r\n",
        "Retry-After: 0\r\n", "Connection: close\r\n", "\r\n", "5\r\n{}   \r\n0\r\n\r\n",
    ]);
    let trap = Trap::new();
    let bodies = (body(&OF_A_LOGIN), body(&OF_A_SESSION));
    for_any(&(option::of(line), vec(header, 0..5), bodies), |(line, headers, (login, session))| {
        let head = [line.unwrap_or_default(), &headers.concat()].concat();
        let answer = |body: Body| Answer::raw([head.as_bytes(), &body.0].concat());
        trap.forget();
        trap.org.always("/", answer(login));
        if let Err(error) = trap.login().token() {
            assert_silent(&error);
        }
        assert_eq!(trap.requests().len(), 1, "a login whose connection was lost was repeated");
        trap.org.always("/", answer(session));
        if let Err(error) = trap.session().get::<Value>("limits") {
            assert_silent(&error);
        }
        trap.requests();
    });
}

#[test]
fn any_login_url_is_refused_or_leads_where_it_says() {
    let trap = Trap::new();
    let asked = |url: &str| {
        trap.forget();
        let error = trap.login().login_url(url).timeout(ONE_TRY).token().expect_err("nobody is there");
        assert_silent(&error);
        let asked = trap.asked();
        match error.kind() {
            ErrorKind::Setting { name, .. } => {
                assert_eq!((&**name, asked.len()), ("login_url", 0), "{url:?}");
            }
            _ => assert_eq!(asked.len(), 1, "{url:?} led to {asked:?}, and {error}"),
        }
        asked.into_iter().next()
    };
    for_any(&prop_oneof![text(), url(), url().prop_map(|url| format!(" {url}/ "))], |written| {
        let Some(url) = asked(&written) else { return };
        let parsed: http::Uri = url.parse().unwrap();
        let host = parsed.host().expect("a URL that was asked has a host");
        let local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        assert!(parsed.scheme_str() == Some("https") || local, "{written:?} led to {url}");
        let lower = written.trim().to_lowercase();
        let authority = lower.strip_prefix("https://").or(lower.strip_prefix("http://")).unwrap_or(&lower);
        let rest = authority.strip_prefix(host).unwrap_or_else(|| panic!("{written:?} led to {host}"));
        assert!(rest.is_empty() || rest.starts_with([':', '/']), "{written:?} led to {host}");
        assert_eq!(asked(&url), Some(url), "a URL that was asked leads to itself");
    });
}

#[test]
fn any_path_is_refused_or_stays_on_the_instance() {
    let trap = Trap::new();
    let instance = trap.org.url();
    let session = trap.session().timeout(PATIENCE);
    for_any(&prop_oneof![text(), path(), url(), path().prop_map(|p| format!("{instance}{p}"))], |path| {
        trap.forget();
        trap.org.always("/", Answer::json(200, "{}"));
        let got = session.get::<Value>(&path);
        let requests = trap.requests();
        match session.url(&path) {
            Ok(url) => {
                let rest = url.strip_prefix(&instance).unwrap_or_else(|| panic!("{path:?} led to {url}"));
                assert!(rest.is_empty() || rest.starts_with(['/', '?']), "{path:?} led to {url}");
                assert_eq!(session.url(&url).as_ref().ok(), Some(&url), "a URL leads to itself");
                let relative = !path.starts_with('/') && !path.starts_with(&instance);
                assert_eq!(
                    relative,
                    rest.starts_with("/services/data/v66.0/") && relative,
                    "{path:?} led to {url}"
                );
                assert_eq!(got.ok(), Some(json!({})), "{path:?} led to {url}");
                assert_eq!(requests.len(), 1);
            }
            Err(error) => {
                assert_silent(&error);
                assert!(matches!(error.kind(), ErrorKind::Setting { name, .. } if name == "path"), "{error}");
                assert_eq!(got.as_ref().err().map(Error::to_string), Some(error.to_string()));
                assert!(requests.is_empty(), "{requests:?}");
            }
        }
    });
}

/// Statuses after which nothing is tried again.
const STATUSES: &[u16] = &[200, 200, 200, 201, 204, 300, 302, 400, 401, 403, 404, 421, 500];

/// Any characters, the odd ones more often than in real life.
fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..24).prop_map(String::from_iter)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

/// One of these secrets, in one of its forms; those of a session only where its letters and digits stand
/// together, since what else the API says is shown.
fn form_of(secrets: &[&str]) -> impl Strategy<Value = String> + use<> {
    let shown =
        |form: &String| secrets == OF_A_SESSION && !OF_A_SESSION.iter().any(|s| form.contains(&s[..8]));
    select(secrets.iter().copied().flat_map(forms).filter(|form| !shown(form)).collect::<Vec<_>>())
}

/// Any text, often with one of these secrets in it.
fn words(secrets: &[&str]) -> impl Strategy<Value = String> + Clone + use<> {
    let secret = option::of(form_of(secrets)).boxed();
    let words = |(before, secret, after): (String, Option<String>, String)| {
        format!("{before} {} {after}", secret.unwrap_or_default())
    };
    (text().boxed(), secret, text().boxed()).prop_map(words)
}

/// A URL, more or less: of Salesforce, of this machine, of others, and of those who want to be
/// taken for them.
fn url() -> impl Strategy<Value = String> {
    let scheme =
        select(&["https://", "https://", "http://", "HTTPS://", "//", "ftp://", "javascript://", ""]);
    let user = select(&["", "", "", "", "ada@", "login.salesforce.com@", "a:b@"]);
    let host = prop_oneof![
        6 => select(&[
            "login.salesforce.com", "acme.my.salesforce.com", "ACME.my.site.com", "localhost", "127.0.0.1",
            "127.9.9.9", "[::1]", "evil.example", "acme.lightning.force.com", "localhost.evil.example",
            "127.0.0.1.evil.example", "[::1", "", "a..b", "xn--e1afmkfd.example",
        ]).prop_map(str::to_owned),
        1 => text(),
        1 => "[a-z0-9.-]{1,20}",
    ];
    let port = select(&["", "", "", ":443", ":80", ":8443", ":0", ":99999", ":+1", ":", ":x"]);
    (scheme, user, host, port, path()).prop_map(|(scheme, user, host, port, path)| {
        // A path that does not begin with a slash would make another host of this one.
        let slash = if path.is_empty() || path.starts_with(['/', '?', '#', '\\']) { "" } else { "/" };
        format!("{scheme}{user}{host}{port}{slash}{path}")
    })
}

/// A path, more or less.
fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => select(&[
            "/", "/", "//", "customers", "/services/oauth2/token", "/services/data/v66.0/limits", "sobjects",
            "..", ".", "\\", "@evil.example", "://evil.example", ":8443", "?", "#", "%2f", "%", " ", "&", "[", ";",
        ]).prop_map(str::to_owned),
        1 => text(),
    ];
    vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// What bodies of replies are made of.
#[rustfmt::skip]
const FRAGMENTS: &[&str] = &[
    r#"{"error":""#, r#"","error_description":""#, r#""}"#, r#"[{"message":""#, r#""}]"#, "<html", "<title>",
    "</title", ">", r#"{"records":["#, r#"],"done":"#, "[[[[[[[[", "\u{feff}", "\\u", "\\ud83d", "1e999",
];

/// The body of a reply.
#[derive(Clone)]
struct Body(Vec<u8>);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// What Salesforce could say, what it could not, and what nobody could, often with one of these
/// secrets in it.
fn body(secrets: &[&str]) -> impl Strategy<Value = Body> + use<> {
    let words = words(secrets);
    let known = select(&["INVALID_SESSION_ID", "invalid_grant", "unknown_error"]).prop_map(str::to_owned);
    let code = prop_oneof![words.clone(), known].boxed();
    let said = prop_oneof![
        (code.clone(), words.clone())
            .prop_map(|(code, text)| json!({ "error": code, "error_description": text }).to_string()),
        vec((code, words.clone(), words.clone()), 0..3).prop_map(|errors| {
            let error =
                |(code, text, field)| json!({ "errorCode": code, "message": text, "fields": [field] });
            Value::Array(errors.into_iter().map(error).collect()).to_string()
        }),
        (words.clone(), url())
            .prop_map(|(token, url)| json!({ "access_token": token, "instance_url": url }).to_string()),
        (words.clone(), words.clone())
            .prop_map(|(title, text)| format!("\n\n<!doctype html><title>{title}</title><p>{text}")),
        (any::<bool>(), words.clone(), words.clone()).prop_map(|(done, next, name)| {
            let records = json!([{ "Name": name, "Kids": { "done": done, "records": [] } }]);
            json!({ "done": done, "nextRecordsUrl": next, "records": records }).to_string()
        }),
        words.clone().prop_map(|words| json!(words).to_string()),
        words,
    ];
    let fragments = prop_oneof![
        bytes(),
        form_of(secrets).prop_map(String::into_bytes),
        select(FRAGMENTS).prop_map(|fragment| fragment.as_bytes().to_vec()),
    ];
    prop_oneof![
        4 => said.prop_map(|said| Body(said.into_bytes())),
        2 => vec(fragments, 0..8).prop_map(|fragments| Body(fragments.concat())),
        1 => vec(any::<u8>(), 0..300).prop_map(Body),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Plain,
    Gzip,
    /// It says that it is compressed.
    NotReallyGzip,
}

fn encoding() -> impl Strategy<Value = Encoding> {
    prop_oneof![6 => Just(Encoding::Plain), 1 => Just(Encoding::Gzip), 1 => Just(Encoding::NotReallyGzip)]
}

fn answer(status: u16, Body(body): &Body, encoding: Encoding) -> Answer {
    let answer = Answer::new(status);
    match encoding {
        // These have no body, and what followed them would be taken for the next reply.
        _ if status == 204 => answer,
        Encoding::Plain => answer.body(body.clone()),
        Encoding::Gzip => answer.header("Content-Encoding", "gzip").body(gzip(body)),
        Encoding::NotReallyGzip => answer.header("Content-Encoding", "gzip").body(body.clone()),
    }
}

/// An org, and an agent that cannot reach anything else, but notes what it was asked to.
struct Trap {
    org: Org,
    agent: ureq::Agent,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    fn new() -> Trap {
        watch_logs();
        let org = Org::start();
        let asked = Arc::default();
        let (addr, notes) = (org.addr(), Arc::<Mutex<Vec<String>>>::clone(&asked));
        let agent = agent_by(&agent(&org), move |uri, _| {
            notes.lock().unwrap().push(uri.to_string());
            let is_org = uri.authority().is_some_and(|authority| authority.as_str() == addr.to_string());
            if is_org { Ok(addr) } else { Err(io::Error::other("nobody is there").into()) }
        });
        Trap { org, agent, asked }
    }

    fn login(&self) -> Login {
        App::new(CLIENT_ID, CLIENT_SECRET)
            .password(USERNAME, PASSWORD)
            .security_token(SECURITY_TOKEN)
            .login_url(self.org.url())
            .agent(self.agent.clone())
    }

    /// A session that begins with `TOKEN`, and sends nothing twice.
    fn session(&self) -> Session {
        let token = Token::new(TOKEN, self.org.url()).unwrap();
        self.login().resume(token).unwrap().timeout(ONE_TRY)
    }

    /// Begins anew, also after a value that the property failed on.
    fn forget(&self) {
        self.org.behave();
        drop((self.org.take_requests(), self.asked()));
    }

    /// The URLs that were asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// The requests that came since the last time, once it is sure that none went elsewhere.
    #[track_caller]
    fn requests(&self) -> Vec<Request> {
        let (asked, ours) = (self.asked(), format!("{}/", self.org.url()));
        for url in asked {
            assert!(url.starts_with(&ours), "{url} was asked");
        }
        self.org.take_requests()
    }
}

/// Looks for every secret in all that an error says. `TOKEN` has one of them in it.
#[track_caller]
fn assert_silent(error: &Error) {
    shown(error);
    error.hints().iter().for_each(|hint| assert_no_secret(hint));
}

/// Tries `property` on as many values as proptest is set to, and tells a small one that it fails on.
#[track_caller]
fn for_any<S: Strategy>(values: &S, property: impl Fn(S::Value)) {
    let config = Config { failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let tried = TestRunner::new(config).run(values, |value| {
        property(value);
        Ok(())
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}
