//! The org as a client sees it that knows no more than sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::text::escape;

/// What came back.
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Reply {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("no head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("head");
        let status = head[9..12].parse().expect("status");
        Reply { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn send(to: &mut impl Write, method: &str, path: &str, headers: &str, body: &str) {
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    to.write_all(request.as_bytes()).expect("send");
}

/// One request on a connection of its own.
fn exchange(org: &Org, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    Reply::parse(&bytes(org, method, path, headers, body))
}

fn bytes(org: &Org, method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let host = if headers.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    send(&mut stream, method, path, &format!("{host}Connection: close\r\n{headers}"), body);
    let mut bytes = Vec::new();
    // A connection may end in the midst of things.
    drop(stream.read_to_end(&mut bytes));
    bytes
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={}", escape(v))).collect();
    pairs.join("&")
}

fn password_form() -> Vec<(&'static str, &'static str)> {
    const PASSWORD_AND_TOKEN: &str = "pa ss+w&r=d%\"ä/Zq7TokenOfAda012345678xY";
    vec![
        ("grant_type", "password"),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("username", USERNAME),
        ("password", PASSWORD_AND_TOKEN),
    ]
}

/// The form with one value changed, or left out.
fn but<'a>(form: &[(&'a str, &'a str)], name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let pairs = form.iter().map(|(n, v)| (*n, if *n == name { value } else { Some(*v) }));
    pairs.filter_map(|(n, v)| Some((n, v?))).collect()
}

fn post_token(org: &Org, path: &str, pairs: &[(&str, &str)]) -> Reply {
    exchange(org, "POST", path, FORM, &form(pairs))
}

#[track_caller]
fn assert_refused(reply: &Reply, error: &str, description: &str) {
    let expected = json!({ "error": error, "error_description": description });
    assert_eq!((reply.status, reply.json()), (400, expected));
}

/// The header of a fresh session.
fn log_in(org: &Org) -> String {
    let reply = post_token(org, TOKEN, &password_form()).json();
    format!("Authorization: Bearer {}\r\n", reply["access_token"].as_str().expect("a token"))
}

/// A request of the API, with JSON if there is a body.
fn api(org: &Org, session: &str, method: &str, path: &str, body: &str) -> Reply {
    let headers = format!("{session}Content-Type: application/json\r\n");
    exchange(org, method, &format!("/services/data/v66.0/{path}"), &headers, body)
}

fn soql(org: &Org, session: &str, soql: &str) -> Reply {
    api(org, session, "GET", &format!("query?q={}", escape(soql)), "")
}

#[track_caller]
fn assert_api_error(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, &reply.json()[0]["errorCode"]), (status, &json!(code)));
}

const TOKEN: &str = "/services/oauth2/token";
const SITE_TOKEN: &str = "/customers/services/oauth2/token";
const SITE_AUTHORIZE: &str = "/customers/services/oauth2/authorize";

// The machinery.

#[test]
fn connections_are_kept_until_one_side_closes() {
    let org = Org::start();
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    let mut buffer = [0; 1000];
    for _ in 0..3 {
        send(&mut stream, "GET", "/nowhere", "Host: localhost\r\n", "");
        let read = stream.read(&mut buffer).expect("read");
        assert!(buffer[..read].starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    }
    assert_eq!((org.connections(), org.open_connections(), org.requests().len()), (1, 1, 3));
    org.answer(Answer::new(200).then_close());
    send(&mut stream, "GET", "/", "", "");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("read");
    assert_eq!(rest, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn requests_are_recorded_as_they_came() {
    let org = Org::start();
    exchange(&org, "POST", "/a%20b?c=d+e", &format!("Host: x\r\nX-Y:  z \r\n{FORM}"), "f=%2B&g=");
    let [request] = &org.take_requests()[..] else { panic!("not one request") };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/a%20b"));
    assert_eq!((request.query.as_str(), request.host(), request.header("X-y")), ("c=d+e", "x", Some("z")));
    assert_eq!(request.form(), [pair("f", "+"), pair("g", "")]);
    assert_eq!(request.param("c").as_deref(), Some("d e"));
    assert!(request.raw_head.starts_with(b"POST /a%20b?c=d+e HTTP/1.1\r\nConnection: close\r\n"));
    assert!(request.raw_head.ends_with(b"\r\n\r\n"));
    assert_eq!(org.requests().len(), 0);
}

#[test]
fn chunked_requests_are_read() {
    let org = Org::start();
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let body = "5\r\nhello\r\n7; x=y\r\n, world\r\n0\r\n\r\n";
    stream.write_all(format!("{head}{body}").as_bytes()).expect("send");
    stream.read_to_end(&mut Vec::new()).expect("read");
    assert_eq!(org.requests()[0].text(), "hello, world");
}

#[test]
fn answers_misbehave_to_the_byte() {
    let org = Org::start();
    let hello = || Answer::new(200).body("hello");
    let cases: [(Answer, &[u8]); 9] = [
        (hello(), b"Content-Length: 5\r\nConnection: close\r\n\r\nhello"),
        (hello().cut_after(2), b"Content-Length: 5\r\nConnection: close\r\n\r\nhe"),
        (hello().content_length(9), b"Content-Length: 9\r\nConnection: close\r\n\r\nhello"),
        (hello().by_close(), b"Connection: close\r\n\r\nhello"),
        (
            hello().chunked(),
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        (hello().chunked().cut_after(2), b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhe"),
        (
            hello().chunked().cut_after(5),
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n",
        ),
        (hello().header("X", b"\xe4"), b"X: \xe4\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
        (
            hello().drip_head(Duration::from_micros(10)),
            b"Content-Length: 5\r\nConnection: close\r\n\r\nhello",
        ),
    ];
    for (answer, expected) in cases {
        org.answer(answer.clone());
        let came = bytes(&org, "GET", "/", "", "");
        let came = came.strip_prefix(b"HTTP/1.1 200 OK\r\n").expect("a status");
        assert_eq!(came, expected, "{answer:?}");
    }
    for (answer, expected) in
        [(Answer::raw("garbage"), &b"garbage"[..]), (Answer::close(), b""), (Answer::close_unread(), b"")]
    {
        org.answer(answer);
        assert_eq!(bytes(&org, "GET", "/", "", ""), expected);
    }
    assert_eq!(org.requests().len(), 12);
    org.answer(Answer::new(204));
    assert!(!exchange(&org, "GET", "/", "", "").head.contains("Content-Length"));
}

#[test]
fn scripted_answers_go_where_they_are_meant_to() {
    let org = Org::start();
    let status = |path: &str| exchange(&org, "GET", path, "", "").status;
    org.answer_to("/a", Answer::new(201));
    org.always("/a", Answer::new(202));
    org.answer(Answer::new(203));
    assert_eq!(
        [status("/b"), status("/b"), status("/a"), status("/a/b?c"), status("/a")],
        [203, 404, 201, 202, 202]
    );
    org.always_with("/", |request| Answer::text(200, &request.path));
    assert_eq!(status("/a"), 200);
    org.behave();
    assert_eq!(status("/a"), 404);
}

#[test]
fn dropping_an_org_ends_whatever_it_is_doing() {
    let slow = Duration::from_secs(3600);
    for answer in [
        Answer::stall(),
        Answer::new(200).body("hello").stall_after(2),
        Answer::new(200).body("hello").drip(slow),
        Answer::new(200).drip_head(slow),
        Answer::new(200).delay(slow),
        // More than the sockets' buffers hold, for a client that does not read.
        Answer::new(200).body(vec![0; 100_000_000]),
    ] {
        let org = Org::start();
        let _idle = TcpStream::connect(org.addr()).expect("connect");
        let mut stream = TcpStream::connect(org.addr()).expect("connect");
        org.answer(answer);
        send(&mut stream, "GET", "/", "", "");
        org.wait_for_requests(1);
        let start = Instant::now();
        drop(org);
        // A busy machine takes its time, but never as much as the answers would.
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn what_is_not_http_is_refused() {
    let org = Org::start();
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    stream.write_all(b"hello\r\n\r\n").expect("send");
    let mut came = Vec::new();
    stream.read_to_end(&mut came).expect("read");
    assert_eq!(Reply::parse(&came).status, 400);
    assert_eq!(exchange(&org, "GET", &format!("/{}", "x".repeat(17_000)), "", "").status, 414);
    let long = format!("X: {}\r\n", "x".repeat(33_000));
    assert_eq!(exchange(&org, "GET", "/", &long, "").status, 431);
}

#[test]
fn chaos_fails_as_often_as_told_and_spares_the_data() {
    let org = Org::start();
    let session = log_in(&org);
    org.chaos(7, 3);
    let mut made = 0;
    for _ in 0..200 {
        let came = bytes(
            &org,
            "POST",
            "/services/data/v66.0/sobjects/Account",
            &format!("{session}Content-Type: application/json\r\n"),
            r#"{"Name":"x"}"#,
        );
        made += usize::from(came.starts_with(b"HTTP/1.1 201"));
    }
    assert!((100..170).contains(&made), "{made}");
    assert_eq!(org.records("Account").len(), made);
    for _ in 0..50 {
        let status = post_token(&org, TOKEN, &password_form()).status;
        assert!([200, 400, 429, 503].contains(&status), "{status}");
    }
}

// Logging in.

#[test]
fn a_login_gets_a_token_as_documented() {
    let org = Org::start();
    let reply = post_token(&org, TOKEN, &password_form());
    let token = reply.json();
    assert_eq!((reply.status, org.logins()), (200, 1));
    assert_eq!(token["instance_url"], org.url());
    assert_eq!(token["id"], format!("{}/id/{ORG_ID}/{USER_ID}", org.url()));
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(token["issued_at"].as_str().map(str::len), Some(13));
    assert!(token.get("scope").is_none());
    org.setup(|setup| {
        setup.token = Some("mine".to_owned());
        setup.instance_url = Some("https://x/".to_owned());
        setup.reply_without = vec!["id".to_owned(), "signature".to_owned(), "issued_at".to_owned()];
        setup.reply_extra.insert("token_type".to_owned(), json!("bearer"));
    });
    let expected = json!({ "access_token": "mine", "instance_url": "https://x/", "token_type": "bearer" });
    assert_eq!(post_token(&org, TOKEN, &password_form()).json(), expected);
}

#[test]
fn wrong_credentials_are_refused_in_salesforces_words() {
    let org = Org::start();
    let right = password_form();
    let refused = |name: &str, value: Option<&str>, error: &str, description: &str| {
        assert_refused(&post_token(&org, TOKEN, &but(&right, name, value)), error, description);
    };
    refused("client_id", Some("x"), "invalid_client_id", "client identifier invalid");
    refused("client_secret", Some("x"), "invalid_client", "invalid client credentials");
    refused("client_secret", None, "invalid_client", "invalid client credentials");
    refused("password", Some(PASSWORD), "invalid_grant", "authentication failure");
    refused("password", Some(SECURITY_TOKEN), "invalid_grant", "authentication failure");
    refused("username", Some("Ada"), "invalid_grant", "authentication failure");
    refused("grant_type", Some("x"), "unsupported_grant_type", "grant type not supported");
    for (change, description) in [
        ((|setup| setup.password_flow_allowed = false) as fn(&mut Setup), "authentication failure"),
        (|setup| setup.user_active = false, "inactive user"),
        (|setup| setup.user_approved = false, "user hasn't approved this consumer"),
    ] {
        org.setup(|setup| *setup = Setup::default());
        org.setup(change);
        assert_refused(&post_token(&org, TOKEN, &right), "invalid_grant", description);
    }
    org.setup(|setup| {
        *setup = Setup { secret_required: false, security_token_required: false, ..Setup::default() };
    });
    let no_secret = but(&but(&right, "client_secret", None), "password", Some(PASSWORD));
    assert_eq!(post_token(&org, TOKEN, &no_secret).status, 200);
}

#[test]
fn right_credentials_are_refused_for_the_reason_that_is_set() {
    let org = Org::start();
    org.setup(|setup| setup.refusal = Some(refusal::APP_BLOCKED));
    let (error, description) = refusal::APP_BLOCKED;
    let client_credentials =
        [("grant_type", "client_credentials"), ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    assert_refused(&post_token(&org, TOKEN, &password_form()), error, description);
    assert_refused(&post_token(&org, TOKEN, &client_credentials), error, description);
    assert_refused(&authorize_bob(&org), error, description);
    let wrong = post_token(&org, TOKEN, &but(&password_form(), "password", Some("x")));
    assert_refused(&wrong, "invalid_grant", "authentication failure");
}

#[test]
fn the_token_endpoint_reads_forms_only_and_strictly() {
    let org = Org::start();
    let body = form(&password_form());
    let not_form = exchange(&org, "POST", TOKEN, "Content-Type: application/json\r\n", "{}");
    assert_refused(&not_form, "unsupported_grant_type", "grant type not supported");
    let get = exchange(&org, "GET", &format!("{TOKEN}?{body}"), "", "");
    assert_refused(&get, "invalid_request", "POST required");
    let twice = exchange(&org, "POST", TOKEN, FORM, &format!("{body}&username=x"));
    assert_eq!((twice.status, &twice.json()["error"]), (400, &json!("invalid_request")));
}

#[test]
fn client_credentials_need_the_app_and_a_my_domain() {
    let org = Org::start();
    let right =
        [("grant_type", "client_credentials"), ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    assert_eq!(post_token(&org, TOKEN, &right).json()["scope"], "api");
    let headers = format!("{FORM}Host: login.salesforce.com\r\n");
    let generic = exchange(&org, "POST", TOKEN, &headers, &form(&right));
    assert_refused(&generic, "invalid_grant", "request not supported on this domain");
    org.setup(|setup| setup.run_as_user = false);
    assert_refused(&post_token(&org, TOKEN, &right), "invalid_grant", "no client credentials user enabled");
    org.setup(|setup| setup.client_credentials_enabled = false);
    assert_refused(&post_token(&org, TOKEN, &right), "invalid_grant", "client credentials flow not enabled");
}

#[test]
fn the_instance_depends_on_where_the_login_went() {
    let org = Org::start();
    for (host, instance) in [
        ("login.salesforce.com", "https://acme.my.salesforce.com"),
        ("test.salesforce.com", "https://acme.my.salesforce.com"),
        ("b--c.sandbox.my.salesforce.com", "https://b--c.sandbox.my.salesforce.com"),
        ("localhost:1", &org.url()),
    ] {
        let headers = format!("{FORM}Host: {host}\r\n");
        let reply = exchange(&org, "POST", TOKEN, &headers, &form(&password_form()));
        assert_eq!(reply.json()["instance_url"], instance);
    }
}

const ASKED: [(&str, &str); 3] =
    [("response_type", "code_credentials"), ("client_id", CLIENT_ID), ("redirect_uri", REDIRECT_URI)];

/// The headers of an authorize request.
fn basic(user: &str, password: &str) -> String {
    let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("{FORM}Auth-Request-Type: Named-User\r\nAuthorization: Basic {credentials}\r\n")
}

fn authorize(org: &Org, headers: &str, pairs: &[(&str, &str)]) -> Reply {
    exchange(org, "POST", SITE_AUTHORIZE, headers, &form(pairs))
}

fn authorize_bob(org: &Org) -> Reply {
    authorize(org, &basic(SITE_USERNAME, SITE_PASSWORD), &ASKED)
}

/// The parameters that a `Location` leads back with.
fn returned(reply: &Reply) -> Vec<(String, String)> {
    let location = reply.header("Location").expect("a location");
    let (uri, query) = location.split_once('?').expect("a query");
    assert_eq!((reply.status, uri), (302, REDIRECT_URI));
    text::query(query).expect("parameters")
}

fn trade(org: &Org, code: &str, redirect_uri: &str, verifier: Option<&str>) -> Reply {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("redirect_uri", redirect_uri),
    ];
    pairs.extend(verifier.map(|verifier| ("code_verifier", verifier)));
    post_token(org, SITE_TOKEN, &pairs)
}

#[test]
fn customers_log_in_with_a_code() {
    let org = Org::start();
    let back = returned(&authorize_bob(&org));
    let names: Vec<&str> = back.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "sfdc_community_url", "sfdc_community_id"]);
    assert_eq!((&back[1].1[..], &back[2].1[..]), ("http://127.0.0.1/customers", SITE_ID));
    let token = trade(&org, &back[0].1, REDIRECT_URI, None).json();
    assert_eq!(token["id"], format!("{}/id/{ORG_ID}/{SITE_USER_ID}", org.url()));
    assert_eq!(token["sfdc_community_id"], SITE_ID);

    let echo = "http://127.0.0.1/customers/services/oauth2/echo";
    let headers = basic(SITE_USERNAME, SITE_PASSWORD);
    let echoed = authorize(&org, &headers, &but(&ASKED, "redirect_uri", Some(echo)));
    assert_eq!((echoed.status, &echoed.json()["sfdc_community_id"]), (200, &json!(SITE_ID)));

    org.setup(|setup| setup.credentials_in_body = true);
    assert_refused(&authorize_bob(&org), "invalid_grant", "authentication failure");
    let mut in_body = ASKED.to_vec();
    in_body.extend([("username", SITE_USERNAME), ("password", SITE_PASSWORD)]);
    let headers = format!("{FORM}Auth-Request-Type: Named-User\r\n");
    assert_eq!(returned(&authorize(&org, &headers, &in_body)).len(), 3);
}

#[test]
fn a_code_is_good_once_and_for_its_callback() {
    let org = Org::start();
    let new_code = || returned(&authorize_bob(&org))[0].1.clone();
    let code = new_code();
    assert_eq!(trade(&org, &code, REDIRECT_URI, None).status, 200);
    let reused = trade(&org, &code, REDIRECT_URI, None);
    assert_refused(&reused, "invalid_grant", "invalid authorization code");
    let elsewhere = trade(&org, &new_code(), "https://x/", None);
    let mismatch = "redirect_uri must match configuration";
    assert_refused(&elsewhere, "redirect_uri_mismatch", mismatch);
    org.setup(|setup| setup.expire_codes = true);
    let expired = trade(&org, &new_code(), REDIRECT_URI, None);
    assert_refused(&expired, "invalid_grant", "expired authorization code");
}

#[test]
fn a_code_challenge_is_checked_against_its_verifier() {
    // RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let org = Org::start();
    let with = |challenge: &str, method: Option<&str>| {
        let mut asked = ASKED.to_vec();
        asked.push(("code_challenge", challenge));
        asked.extend(method.map(|method| ("code_challenge_method", method)));
        authorize(&org, &basic(SITE_USERNAME, SITE_PASSWORD), &asked)
    };
    let exchanged = |challenge: &str, verifier: Option<&str>| {
        trade(&org, &returned(&with(challenge, Some("S256")))[0].1, REDIRECT_URI, verifier)
    };
    let (short, long, odd) = ("x".repeat(42), "x".repeat(129), format!("{}+", "x".repeat(42)));
    assert_eq!(exchanged(CHALLENGE, Some(VERIFIER)).status, 200);
    for (challenge, verifier) in [
        (CHALLENGE, None),
        (CHALLENGE, Some("x".repeat(43).as_str())),
        (&hash(&short), Some(short.as_str())),
        (&hash(&long), Some(&long)),
        (&hash(&odd), Some(&odd)),
    ] {
        let refused = exchanged(challenge, verifier);
        assert_refused(&refused, "invalid_grant", "invalid code verifier");
    }
    let unasked = trade(&org, &returned(&authorize_bob(&org))[0].1, REDIRECT_URI, Some(VERIFIER));
    assert_refused(&unasked, "invalid_grant", "invalid code verifier");
    for refused in [with(CHALLENGE, None), with(VERIFIER, Some("plain")), with("E9Mel", Some("S256"))] {
        assert_refused(&refused, "invalid_request", "invalid code challenge");
    }
    org.setup(|setup| setup.pkce_required = true);
    assert_refused(&authorize_bob(&org), "invalid_request", "missing required code challenge");
    assert_eq!(exchanged(CHALLENGE, Some(VERIFIER)).status, 200);
}

fn hash(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(verifier.as_bytes()))
}

#[test]
fn customers_are_refused_in_salesforces_words() {
    let org = Org::start();
    let right = basic(SITE_USERNAME, SITE_PASSWORD);
    for wrong in [basic(SITE_USERNAME, "x"), basic(USERNAME, PASSWORD)] {
        let reply = authorize(&org, &wrong, &ASKED);
        assert_refused(&reply, "invalid_grant", "authentication failure");
    }
    let elsewhere = authorize(&org, &right, &but(&ASKED, "redirect_uri", Some("https://x/")));
    let mismatch = "redirect_uri must match configuration";
    assert_refused(&elsewhere, "redirect_uri_mismatch", mismatch);
    org.setup(|setup| setup.user_approved = false);
    let not_approved = "user hasn't approved this consumer";
    assert_refused(&authorize_bob(&org), "invalid_grant", not_approved);
    org.setup(|setup| setup.authorize_errors = AuthorizeErrors::Callback);
    assert_eq!(returned(&authorize_bob(&org))[1].1, not_approved);
    let query = "error=invalid_grant&error_description=user%20hasn%27t%20approved%20this%20consumer";
    org.setup(|setup| setup.authorize_errors = AuthorizeErrors::ErrorPage);
    let page = authorize_bob(&org);
    let url = format!("http://127.0.0.1/customers/setup/secur/RemoteAccessErrorPage.apexp?{query}");
    assert_eq!((page.status, page.header("Location")), (302, Some(url.as_str())));
    org.setup(|setup| setup.authorize_errors = AuthorizeErrors::FormText);
    let text = authorize_bob(&org);
    assert_eq!((text.status, text.header("Content-Type"), text.text()), (400, None, query));
    org.setup(|setup| *setup = Setup { code_credentials_enabled: false, ..Setup::default() });
    assert_refused(&authorize_bob(&org), "invalid_client", "code credential flow not enabled");

    // Whoever is not taken for a program sees a page.
    let no_header = authorize(&org, FORM, &ASKED);
    let no_site = exchange(&org, "POST", "/services/oauth2/authorize", &right, &form(&ASKED));
    for page in [no_header, no_site] {
        assert_eq!(page.status, 200);
        assert!(page.text().contains("<title>Login | Salesforce</title>"));
    }
}

#[test]
fn sessions_end_by_revocation_by_expiry_and_by_use() {
    let org = Org::start();
    let session = log_in(&org);
    let status = |session: &str| api(&org, session, "GET", "limits", "").status;
    assert_eq!(status(&session), 200);
    let token = session.trim().rsplit(' ').next().expect("a token");
    let revoke = || exchange(&org, "POST", "/services/oauth2/revoke", FORM, &form(&[("token", token)]));
    assert_eq!((revoke().status, revoke().json()["error"].clone()), (200, json!("invalid_token")));
    assert_api_error(&api(&org, &session, "GET", "limits", ""), 401, "INVALID_SESSION_ID");

    let session = log_in(&org);
    org.expire_sessions();
    assert_eq!((status(&session), status("")), (401, 401));
    let session = log_in(&org);
    org.setup(|setup| setup.session_uses = Some(2));
    assert_eq!([status(&session), status(&session), status(&session)], [200, 200, 401]);
    let basic = "Authorization: Basic eDp5\r\n";
    assert_api_error(&api(&org, basic, "GET", "limits", ""), 401, "INVALID_AUTH_HEADER");
}

// The API.

#[test]
fn the_api_has_versions_limits_and_descriptions() {
    let org = Org::start();
    let versions = exchange(&org, "GET", "/services/data/", "", "").json();
    let newest = json!({ "label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0" });
    assert_eq!(versions[37], newest);
    assert_eq!(versions[38]["url"], "/services/data/latest");
    let session = log_in(&org);
    let limits = api(&org, &session, "GET", "limits", "");
    assert_eq!(limits.json()["DailyApiRequests"]["Remaining"], 14_999);
    assert_eq!(limits.header("Sforce-Limit-Info"), Some("api-usage=1/15000"));
    let account = api(&org, &session, "GET", "sobjects/Account/describe", "").json();
    assert_eq!(account["fields"][5]["picklistValues"][4]["value"], "Food & Beverage");
    let old = exchange(&org, "GET", "/services/data/v30.0/limits", &session, "");
    assert_api_error(&old, 410, "GONE");
    assert_api_error(&api(&org, &session, "GET", "nowhere", ""), 404, "NOT_FOUND");
    let at_login = format!("{session}Host: login.salesforce.com\r\n");
    assert_api_error(&api(&org, &at_login, "GET", "limits", ""), 404, "URL_NOT_RESET");
    let echo = exchange(&org, "PUT", "/services/apexrest/echo?a=b", &session, "c").json();
    assert_eq!((&echo["method"], &echo["query"], &echo["body"]), (&json!("PUT"), &json!("a=b"), &json!("c")));
}

#[test]
fn replies_are_compressed_for_those_who_ask() {
    let org = Org::start();
    let headers = format!("{}Accept-Encoding: gzip\r\n", log_in(&org));
    let path = "/services/data/v66.0/sobjects/Account/describe";
    let compressed = exchange(&org, "GET", path, &headers, "");
    assert_eq!(compressed.header("Content-Encoding"), Some("gzip"));
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&compressed.body[..]);
    decoder.read_to_string(&mut text).expect("gzip");
    org.setup(|setup| setup.gzip = false);
    assert_eq!(exchange(&org, "GET", path, &headers, "").text(), text);
}

#[test]
fn records_are_made_read_changed_and_deleted() {
    let org = Org::start();
    let session = log_in(&org);
    let call = |method: &str, path: &str, body: &str| api(&org, &session, method, path, body);
    let made = call("POST", "sobjects/Account", r#"{"name":"A","Rating":null}"#);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!((made.status, made.json()), (201, json!({ "id": id, "success": true, "errors": [] })));
    let path = format!("sobjects/Account/{id}");
    assert_eq!(call("PATCH", &path, r#"{"Name":"B"}"#).status, 204);
    let read = call("GET", &format!("{path}?fields=Name,Rating"), "");
    let url = format!("/services/data/v66.0/{path}");
    assert_eq!(
        read.text(),
        format!(r#"{{"attributes":{{"type":"Account","url":"{url}"}},"Name":"B","Rating":null}}"#)
    );
    assert_eq!(call("DELETE", &path, "").status, 204);
    assert_api_error(&call("GET", &path, ""), 404, "NOT_FOUND");
    assert_api_error(&call("DELETE", &path, ""), 404, "ENTITY_IS_DELETED");
    assert_api_error(&call("PATCH", &path, "{}"), 404, "ENTITY_IS_DELETED");
    assert_api_error(&call("GET", "sobjects/Account/1", ""), 400, "MALFORMED_ID");
    assert_api_error(&call("GET", "sobjects/Nothing/describe", ""), 404, "NOT_FOUND");
    let refused = |body: &str, code: &str| {
        assert_api_error(&call("POST", "sobjects/Account", body), 400, code);
    };
    refused("{}", "REQUIRED_FIELD_MISSING");
    refused(r#"{"Name":"A","Nome":"B"}"#, "INVALID_FIELD");
    refused(r#"{"Name":"A","Id":"B"}"#, "INVALID_FIELD_FOR_INSERT_UPDATE");
    refused(r#"{"Name":1}"#, "JSON_PARSER_ERROR");
    refused("{", "JSON_PARSER_ERROR");
    assert_eq!(org.records("Account").len(), 0);
}

#[test]
fn records_are_upserted_by_their_external_id() {
    let org = Org::start();
    let session = log_in(&org);
    let upsert = |id: &str, body: &str| {
        api(&org, &session, "PATCH", &format!("sobjects/Account/External_Id__c/{}", escape(id)), body)
    };
    assert_eq!(upsert("a/b", r#"{"Name":"A"}"#).status, 201);
    let updated = upsert("a/b", r#"{"Name":"B"}"#);
    assert_eq!((updated.status, &updated.json()["created"]), (200, &json!(false)));
    let [account] = &org.records("Account")[..] else { panic!("not one account") };
    assert_eq!((&account["Name"], &account["External_Id__c"]), (&json!("B"), &json!("a/b")));
    org.create("Account", json!({ "Name": "C", "External_Id__c": "a/b" }));
    assert_api_error(&upsert("c", r#"{"External_Id__c":"c"}"#), 400, "INVALID_FIELD");
    let several = upsert("a/b", r#"{"Name":"D"}"#);
    let url = |n: u32| format!("/services/data/v66.0/sobjects/Account/0015g0{n:09}AAA");
    assert_eq!((several.status, several.json()), (300, json!([url(1), url(2)])));
}

#[test]
fn collections_have_a_result_for_each_record() {
    let org = Org::start();
    let session = log_in(&org);
    let send = |method: &str, path: &str, body: &Value| {
        let reply = api(&org, &session, method, &format!("composite/sobjects{path}"), &body.to_string());
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    };
    let account = |mut fields: Value| {
        fields["attributes"] = json!({ "type": "Account" });
        fields
    };
    let done = |id: &Value| json!({ "id": id, "success": true, "errors": [] });
    let failed = |code: &str, message: &str, fields: &[&str]| {
        let error = json!({ "statusCode": code, "message": message, "fields": fields });
        json!({ "success": false, "errors": [error] })
    };
    let required = failed("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", &["Name"]);

    let records =
        json!([account(json!({ "Name": "A" })), account(json!({})), account(json!({ "Name": "B" }))]);
    let made = send("POST", "", &json!({ "records": records }));
    let (a, b) = (made[0]["id"].clone(), made[2]["id"].clone());
    assert_eq!(made, json!([done(&a), required, done(&b)]));
    let rolled_back = failed(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using AllOrNone header",
        &[],
    );
    let all_or_none = send("POST", "", &json!({ "allOrNone": true, "records": records }));
    assert_eq!(all_or_none, json!([rolled_back, required, rolled_back]));

    let changes = json!({ "records": [account(json!({ "id": a, "Name": "C" })), account(json!({}))] });
    let no_id = failed("MISSING_ARGUMENT", "Id not specified in an update call", &["Id"]);
    assert_eq!(send("PATCH", "", &changes), json!([done(&a), no_id]));
    let ids = json!({ "ids": [a, "001000000000000AAA"], "fields": ["Name"] });
    let read = send("POST", "/Account", &ids);
    assert_eq!((&read[0]["Name"], &read[1]), (&json!("C"), &Value::Null));
    let query = format!("/Account?ids={}&fields=Id", b.as_str().expect("id"));
    assert_eq!(send("GET", &query, &Value::Null)[0]["Id"], b);
    let keyed = json!({ "records": [account(json!({ "External_Id__c": "e", "Name": "D" }))] });
    let created = |upserted: &Value| upserted[0]["created"].clone();
    assert_eq!(created(&send("PATCH", "/Account/External_Id__c", &keyed)), true);
    assert_eq!(created(&send("PATCH", "/Account/External_Id__c", &keyed)), false);
    let names = || org.records("Account").iter().map(|r| r["Name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(), ["C", "B", "D"]);

    let ids = format!("?allOrNone=false&ids={},{}", a.as_str().expect("id"), b.as_str().expect("id"));
    assert_eq!(send("DELETE", &ids, &Value::Null), json!([done(&a), done(&b)]));
    let gone = failed("ENTITY_IS_DELETED", "entity is deleted", &[]);
    assert_eq!(send("DELETE", &ids, &Value::Null), json!([gone, gone]));
    assert_eq!(names(), ["D"]);
    let many = json!({ "records": vec![account(json!({ "Name": "x" })); 201] }).to_string();
    assert_api_error(&api(&org, &session, "POST", "composite/sobjects", &many), 400, "EXCEEDED_ID_LIMIT");
}

#[test]
fn the_user_and_the_org_are_records() {
    let org = Org::start();
    let session = log_in(&org);
    let user = api(&org, &session, "GET", &format!("sobjects/User/{USER_ID}"), "").json();
    assert_eq!((&user["Username"], &user["IsActive"]), (&json!(USERNAME), &json!(true)));
    let short = api(&org, &session, "GET", &format!("sobjects/User/{}", &SITE_USER_ID[..15]), "").json();
    assert_eq!(short["Username"], SITE_USERNAME);
    let fields = "Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType";
    let found = soql(&org, &session, &format!("SELECT {fields} FROM Organization")).json();
    let record = &found["records"][0];
    assert_eq!((&record["Name"], &record["IsSandbox"]), (&json!("Fake Org"), &json!(false)));

    let userinfo = |session: &str| exchange(&org, "GET", "/services/oauth2/userinfo", session, "");
    let doubled = exchange(&org, "GET", "///services/oauth2/userinfo", &session, "");
    let told = userinfo(&session).json();
    assert_eq!(doubled.json(), told);
    assert_eq!((&told["user_id"], &told["organization_id"]), (&json!(USER_ID), &json!(ORG_ID)));
    assert_eq!(told["preferred_username"], USERNAME);
    let refused = userinfo("Authorization: Bearer x\r\n");
    assert_eq!((refused.status, refused.text()), (403, "Bad_OAuth_Token"));
}

#[test]
fn queries_find_and_page() {
    let org = Org::start();
    org.seed_accounts(5);
    let session = log_in(&org);
    org.setup(|setup| setup.page_size = 2);
    let mut page = soql(&org, &session, "SELECT Name FROM Account").json();
    assert_eq!((&page["totalSize"], &page["done"]), (&json!(5), &json!(false)));
    let mut names = Vec::new();
    loop {
        let records = page["records"].as_array().expect("records").clone();
        names.extend(records.iter().map(|record| record["Name"].as_str().expect("a name").to_owned()));
        let Some(next) = page["nextRecordsUrl"].as_str() else {
            break;
        };
        assert!(next.starts_with("/services/data/v66.0/query/01g"), "{next}");
        page = exchange(&org, "GET", next, &session, "").json();
    }
    assert_eq!(page["done"], true);
    assert_eq!(names, (1..=5).map(|n| format!("Account {n:05}")).collect::<Vec<_>>());

    let total = |query: &str| soql(&org, &session, query).json()["totalSize"].clone();
    assert_eq!(total("SELECT Id FROM Account LIMIT 3"), 3);
    assert_eq!(total("SELECT Id FROM Account WHERE Name = 'Account 00002'"), 1);
    assert_eq!(total("SELECT Id FROM Account WHERE LastModifiedDate >= 2026-01-01T00:03:00Z"), 3);
    let some = |condition: &str| total(&format!("SELECT Id FROM Account WHERE {condition}"));
    assert_eq!(some("NumberOfEmployees > 1 AND Rating = null"), 4);
    assert_eq!(some("Name = 'Account 00002' OR (NumberOfEmployees > 3 AND NOT Rating = 'Hot')"), 3);
    assert_eq!(some("Name LIKE 'account%2'"), 1);
    assert_eq!(some("Name LIKE '_ccount 0000_'"), 5);
    assert_eq!(some("NumberOfEmployees IN (1, 2, 9)"), 2);
    assert_eq!(some("NumberOfEmployees NOT IN (1, 2, 9)"), 3);
    let count = soql(&org, &session, "SELECT COUNT() FROM Account").json();
    assert_eq!(count, json!({ "totalSize": 5, "done": true, "records": [] }));
    let text = |query: &str| soql(&org, &session, query).text().to_owned();
    let one = |name: &str| {
        let record = format!(r#"{{"attributes":{{"type":"AggregateResult"}},"{name}":5}}"#);
        format!(r#"{{"totalSize":1,"done":true,"records":[{record}]}}"#)
    };
    assert_eq!(text("SELECT COUNT(Id) FROM Account"), one("expr0"));
    assert_eq!(text("SELECT COUNT(Industry) n FROM Account"), one("n"));
    let names = |order: &str| {
        let query = format!("SELECT Name FROM Account ORDER BY {order} LIMIT 2");
        let page = soql(&org, &session, &query).json();
        [0, 1].map(|index| page["records"][index]["Name"].as_str().expect("a name").to_owned())
    };
    assert_eq!(names("Name DESC"), ["Account 00005", "Account 00004"]);
    assert_eq!(names("Rating NULLS LAST, NumberOfEmployees"), ["Account 00001", "Account 00002"]);
    let columns = "query/?q=SELECT+Id,Name+FROM+Account&columns=true";
    let columns = api(&org, &session, "GET", columns, "").json();
    assert_eq!((&columns["entityName"], &columns["idSelected"]), (&json!("Account"), &json!(true)));
    let name = &columns["columnMetadata"][1];
    assert_eq!((&name["columnName"], &name["textType"]), (&json!("Name"), &json!(true)));
    let id = org.records("Account")[0]["Id"].as_str().expect("an id").to_owned();
    api(&org, &session, "DELETE", &format!("sobjects/Account/{id}"), "");
    assert_eq!(total("SELECT COUNT() FROM Account"), 4);
    let all = api(&org, &session, "GET", "queryAll?q=SELECT+COUNT()+FROM+Account", "").json();
    assert_eq!(all["totalSize"], 5);

    let refused = |query: &str, code: &str| assert_api_error(&soql(&org, &session, query), 400, code);
    refused("SELECT FROM Account", "MALFORMED_QUERY");
    refused("SELECT Nome FROM Account", "INVALID_FIELD");
    let message = soql(&org, &session, "SELECT Id,\n  Nome\nFROM Account").json()[0]["message"].clone();
    let message = message.as_str().expect("a message");
    let start = "\n  Nome\n  ^\nERROR at Row:2:Column:3\nNo such column 'Nome' on entity 'Account'. ";
    assert!(message.starts_with(start), "{message}");
    refused("SELECT Id FROM Account WHERE NumberOfEmployees LIKE 1", "INVALID_QUERY_FILTER_OPERATOR");
    refused("SELECT Id FROM Account WHERE LastModifiedDate = '2026'", "INVALID_FIELD");
    refused("SELECT Id FROM Nothing", "INVALID_TYPE");
    assert_api_error(&api(&org, &session, "GET", "query/01gX-2", ""), 400, "INVALID_QUERY_LOCATOR");
    org.create("ApexClass", json!({ "Name": "Hello" }));
    let tooling = api(&org, &session, "GET", "tooling/query?q=SELECT+Name+FROM+ApexClass", "").json();
    assert_eq!(tooling["records"][0]["Name"], "Hello");
}

#[test]
fn days_have_names_in_queries() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let org = Org::start();
    let session = log_in(&org);
    // Noon of today and of the days around it.
    for day in -3..=2 {
        let time = text::timestamp(text::now() / DAY * DAY + DAY / 2 + day * DAY);
        org.create("Account", json!({ "Name": day.to_string(), "CreatedDate": time }));
    }
    let found = |condition: &str| {
        let query = format!("SELECT Name FROM Account WHERE CreatedDate {condition}");
        let page = soql(&org, &session, &query).json();
        let records = page["records"].as_array().expect("records").clone();
        records.iter().map(|r| r["Name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("= LAST_N_DAYS:2"), "-2 -1 0");
    assert_eq!(found("> LAST_N_DAYS:2"), "1 2");
    assert_eq!(found(">= last_n_days:1"), "-1 0 1 2");
    assert_eq!(found("< YESTERDAY"), "-3 -2");
    assert_eq!(found("= TODAY"), "0");
    assert_eq!(found("= TOMORROW"), "1");
    assert_eq!(found("= NEXT_N_DAYS:2"), "1 2");
    assert_eq!(found("= N_DAYS_AGO:3"), "-3");
    assert_eq!(found("!= LAST_90_DAYS"), "1 2");
}

#[test]
fn the_rows_of_a_bulk_job_are_written() {
    let org = Org::start();
    let session = log_in(&org);
    let ended = |job: Value, csv: &str| {
        let call = |method: &str, path: &str, body: &str| api(&org, &session, method, path, body);
        let job = call("POST", "jobs/ingest", &job.to_string()).json();
        let path = format!("jobs/ingest/{}", job["id"].as_str().expect("an id"));
        assert_eq!(
            (&job["state"], job["contentUrl"].as_str()),
            (&json!("Open"), Some(&*format!("services/data/v66.0/{path}/batches")))
        );
        let url = format!("/services/data/v66.0/{path}/batches");
        let put = || exchange(&org, "PUT", &url, &format!("{session}Content-Type: text/csv\r\n"), csv);
        assert_eq!((put().status, put().status), (201, 400));
        assert_eq!(call("PATCH", &path, r#"{"state":"UploadComplete"}"#).json()["state"], "UploadComplete");
        assert_api_error(&call("GET", &format!("{path}/failedResults"), ""), 400, "INVALIDJOBSTATE");
        assert_eq!(call("GET", &path, "").json()["state"], "InProgress");
        let job = call("GET", &path, "").json();
        let results = ["successfulResults/", "failedResults/", "unprocessedrecords/"];
        (job, results.map(|results| call("GET", &format!("{path}/{results}"), "").text().to_owned()))
    };
    let job = |operation: &str| json!({ "object": "Account", "operation": operation, "contentType": "CSV", "lineEnding": "LF" });
    let id = |number: u32| format!("0015g0{number:09}AAA");

    let (inserted, [successful, failed, unprocessed]) =
        ended(job("insert"), "Name,NumberOfEmployees\n\"A, \"\"B\"\"\nC\",7\n,1\nD,x\nE,");
    assert_eq!(inserted["state"], "JobComplete");
    assert_eq!(
        (&inserted["numberRecordsProcessed"], &inserted["numberRecordsFailed"]),
        (&json!(4), &json!(2))
    );
    let header = r#""Name","NumberOfEmployees""#;
    assert_eq!(
        successful,
        format!(
            "\"sf__Id\",\"sf__Created\",{header}\n\"{}\",\"true\",\"A, \"\"B\"\"\nC\",\"7\"\n\"{}\",\"true\",\"E\",\"\"\n",
            id(1),
            id(2)
        )
    );
    let missing = "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --";
    let no_number = "INVALID_TYPE_ON_FIELD_IN_RECORD:NumberOfEmployees: value not of required type: x:NumberOfEmployees --";
    assert_eq!(
        failed,
        format!(
            "\"sf__Id\",\"sf__Error\",{header}\n\"\",\"{missing}\",\"\",\"1\"\n\"\",\"{no_number}\",\"D\",\"x\"\n"
        )
    );
    assert_eq!(unprocessed, format!("{header}\n"));
    assert_eq!(org.records("Account")[0]["NumberOfEmployees"], 7);

    let (updated, [_, failed, _]) =
        ended(job("update"), &format!("Id,Name,NumberOfEmployees\n{},,#N/A\n{},F,2\n", id(1), id(9)));
    assert_eq!(updated["numberRecordsFailed"], 1);
    assert!(failed.contains("\",\"NOT_FOUND:The requested resource does not exist: --\",\""), "{failed}");
    let first = org.records("Account")[0].clone();
    assert_eq!((&first["Name"], &first["NumberOfEmployees"]), (&json!("A, \"B\"\nC"), &Value::Null));

    let mut upsert = job("upsert");
    upsert["externalIdFieldName"] = json!("External_Id__c");
    upsert["lineEnding"] = json!("CRLF");
    let csv = "External_Id__c,Name\r\ne,G\r\ne,H\r\n";
    let (_, [successful, ..]) = ended(upsert, csv);
    assert!(
        successful
            .ends_with(&format!("\"{0}\",\"true\",\"e\",\"G\"\n\"{0}\",\"false\",\"e\",\"H\"\n", id(3)))
    );
    ended(job("delete"), &format!("Id\n{}\n", id(1)));
    assert_eq!(org.records("Account").iter().map(|r| &r["Name"]).collect::<Vec<_>>(), ["E", "H"]);

    for (csv, problem) in [
        (
            "Name\r\nx\r\n",
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        ("Nome\nx\n", "InvalidBatch : Field name not found : Nome"),
    ] {
        let (failed, _) = ended(job("insert"), csv);
        assert_eq!((&failed["state"], &failed["errorMessage"]), (&json!("Failed"), &json!(problem)));
    }
    org.setup(|setup| setup.bulk_fails = true);
    assert_eq!(ended(job("insert"), "Name\nx\n").0["state"], "Failed");
    assert_eq!(org.records("Account").len(), 2);
}

#[test]
fn bulk_jobs_take_their_time_and_give_csv() {
    let org = Org::start();
    org.create("Account", json!({ "Name": "a \"b\", c" }));
    org.seed_accounts(2);
    let session = log_in(&org);
    let body = r#"{"operation":"query","query":"SELECT Name, External_Id__c FROM Account"}"#;
    let job = api(&org, &session, "POST", "jobs/query", body).json();
    let path = format!("jobs/query/{}", job["id"].as_str().expect("an id"));
    let get = |rest: &str| api(&org, &session, "GET", &format!("{path}{rest}"), "");
    assert_eq!(job["state"], "UploadComplete");
    assert_api_error(&get("/results"), 400, "INVALIDJOBSTATE");
    assert_eq!(get("").json()["state"], "InProgress");
    assert_eq!(get("").json()["numberRecordsProcessed"], 3);

    let first = get("/results?maxRecords=2");
    assert!(first.text().contains("\"Name\",\"External_Id__c\"\n\"a \"\"b\"\", c\",\"\"\n"));
    assert_eq!(first.header("Sforce-NumberOfRecords"), Some("2"));
    let locator = first.header("Sforce-Locator").expect("a locator");
    let last = get(&format!("/results?maxRecords=2&locator={locator}"));
    assert!(last.text().contains("\"Account 00003\",\"EXT-00003\"\n"));
    assert_eq!(last.header("Sforce-Locator"), Some("null"));

    org.setup(|setup| setup.bulk_fails = true);
    assert_eq!(get("").json()["state"], "Failed");
}
