//! What is tried again and what is not: the table of the design, each cell counted on the server.

pub mod broken_off;
mod pauses;
mod transient;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_org::{Answer, Org, REDIRECT_URI};
use serde_json::{Value, json};
use sf_login::ureq::http;
use sf_login::{Error, Login, Session, Token};

use crate::support::{
    AUTHORIZE_PATH, EXCHANGES, OLD, REVOKE_PATH, SITE_TOKEN_PATH, TOKEN_PATH, at_once, client_credentials,
    code_credentials, headline, host, jwt_bearer, kept, login, nobody, refusal,
};

/// What is sent, and how often it may be.
struct Row {
    name: &'static str,
    /// Where the answers are scripted, and the requests counted.
    path: &'static str,
    send: fn(&Arc<Org>) -> Result<(), Error>,
    /// Whether it is tried again, in the order of `Fault`.
    again: [bool; 4],
}

/// The columns of the table.
#[derive(Clone, Copy, Debug)]
enum Fault {
    NotSent,
    Lost,
    Unavailable,
    TryLater,
}

const LOGIN: [bool; 4] = [true, false, true, true];
const READ: [bool; 4] = [true, true, true, true];
const WRITE: [bool; 4] = [true, false, false, true];

const API: &str = "/services/data/";

/// The pauses between three tries, 250 and 750 ms, unless the server says when to try again.
const PAUSES: Duration = Duration::from_secs(1);

const ROWS: [Row; 13] = [
    Row { name: "login", path: TOKEN_PATH, send: |org| token(&login(org)), again: LOGIN },
    Row {
        name: "client credentials",
        path: TOKEN_PATH,
        send: |org| token(&client_credentials(org)),
        again: LOGIN,
    },
    Row { name: "JWT bearer", path: TOKEN_PATH, send: |org| token(&jwt_bearer(org)), again: LOGIN },
    Row { name: "authorize", path: AUTHORIZE_PATH, send: |org| token(&code_credentials(org)), again: LOGIN },
    Row { name: "code exchange", path: SITE_TOKEN_PATH, send: exchange_code, again: WRITE },
    Row { name: "get", path: API, send: |org| kept(org).get::<Value>("x").map(drop), again: READ },
    Row {
        name: "query",
        path: API,
        send: |org| kept(org).query::<Value>("SELECT Id FROM X").try_for_each(|record| record.map(drop)),
        again: READ,
    },
    Row { name: "run OPTIONS", path: API, send: |org| run(&kept(org), "OPTIONS", ""), again: READ },
    // Revoking twice is revoking once.
    Row { name: "revoke", path: REVOKE_PATH, send: |org| kept(org).revoke(), again: READ },
    Row { name: "post", path: API, send: |org| kept(org).post::<Value>("x", &1).map(drop), again: WRITE },
    Row { name: "patch", path: API, send: |org| kept(org).patch::<Value>("x", &1).map(drop), again: WRITE },
    Row { name: "delete", path: API, send: |org| kept(org).delete("x"), again: WRITE },
    Row { name: "run POST without a body", path: API, send: |org| run(&kept(org), "POST", ""), again: WRITE },
];

#[test]
fn the_table_of_retries_holds_for_replies() {
    let now = |answer: Answer| answer.header("Retry-After", "0");
    let oauth_later = now(Answer::oauth_error("unknown_error", "Please Retry your request"));
    let edge = |status| now(Answer::new(status).header("Server", "sfdcedge"));
    let columns = [
        (
            Fault::Unavailable,
            now(Answer::html(502, "Bad Gateway")),
            "unexpected reply: an HTML page titled \"Bad Gateway\" (HTTP 502)",
        ),
        (Fault::Unavailable, now(Answer::new(503)), "unexpected reply: empty (HTTP 503)"),
        (Fault::Unavailable, now(Answer::new(504)), "unexpected reply: empty (HTTP 504)"),
        (
            Fault::Unavailable,
            now(Answer::html(420, "No route")),
            "unexpected reply: an HTML page titled \"No route\" (HTTP 420)",
        ),
        (Fault::Unavailable, edge(404), "unexpected reply: empty (HTTP 404)"),
        (Fault::Unavailable, edge(406), "unexpected reply: empty (HTTP 406)"),
        (Fault::TryLater, now(Answer::new(429)), "unexpected reply: empty (HTTP 429)"),
        (Fault::TryLater, oauth_later, "login refused: Please Retry your request (unknown_error, HTTP 400)"),
    ];
    at_once(&ROWS, |row| {
        for (fault, answer, message) in &columns {
            // It counts for logins alone, and revoking is none.
            if message.contains("unknown_error") && row.again != LOGIN {
                continue;
            }
            row.check(*fault, answer, message);
        }
    });
}

#[test]
fn the_table_of_retries_holds_where_the_connection_is_lost() {
    let cut = Answer::json(200, r#"{"access_token":"x"}"#).cut_after(9).header("Retry-After", "0");
    let columns = [
        (Answer::close(), "no reply from HOST: the connection was lost"),
        (
            Answer::raw("what is this?\r\n\r\n"),
            "no reply from HOST: not an HTTP reply (protocol: http parse fail: invalid HTTP version)",
        ),
        (cut, "unexpected reply: truncated or corrupted (HTTP 200)"),
    ];
    at_once(ROWS.iter().flat_map(|row| columns.iter().map(move |column| (row, column))), |(row, column)| {
        let (answer, message) = column;
        // The body of a streamed reply is the caller's to read.
        if !(row.name.starts_with("run") && message.contains("truncated")) {
            row.check(Fault::Lost, answer, message);
        }
    });
}

#[test]
fn the_table_of_retries_holds_where_nothing_was_sent() {
    // A connection that is reset within its handshake is known to have carried nothing only by a body
    // that nobody has read.
    let rows = ROWS.iter().filter(|row| !matches!(row.name, "delete" | "run POST without a body"));
    at_once(rows, |row| {
        assert!(row.again[Fault::NotSent as usize], "{}: or this test is wrong", row.name);
        // The code exchange has a login's first half before it.
        let before = usize::from(row.name == "code exchange");

        let org = Arc::new(Org::start_tls());
        accept(&org, row.path);
        refuse_connections(&org, row, 2);
        (row.send)(&org).unwrap_or_else(|error| panic!("{}: {error}", row.name));
        assert_eq!(org.connections(), before + 3, "{}: two are closed, the third is good", row.name);
        assert_eq!(sent_to(&org, row.path), 1, "{}", row.name);

        let org = Arc::new(Org::start_tls());
        accept(&org, row.path);
        refuse_connections(&org, row, 9);
        let error = (row.send)(&org).unwrap_err();
        let said = headline(&error);
        // Where there is no body, it is not known, and a read is repeated all the same.
        let bare = matches!(row.name, "get" | "query" | "run OPTIONS");
        let when = if bare { "" } else { " before the request was sent" };
        let told = format!("no reply from {}: the connection was lost{when}", host(&org));
        assert_eq!(said, told, "{}", row.name);
        assert!(error.is_transient(), "{}: {said}", row.name);
        assert_eq!(org.connections(), before + 3, "{}: no more than three tries", row.name);
        assert_eq!(sent_to(&org, row.path), 0, "{}", row.name);
    });
}

#[test]
fn a_port_that_refuses_is_tried_three_times() {
    let (unused, _kept) = nobody();
    let url = &format!("http://{unused}");
    let ways: [(&str, Attempt); 3] = [
        ("get", |session| session.get::<Value>("x").map(drop)),
        ("delete", |session| session.delete("x")),
        ("run POST without a body", |session| run(&session, "POST", "")),
    ];
    at_once(ways, |(name, send)| {
        let session = Session::new(Token::new(OLD, url).unwrap()).unwrap();
        let started = Instant::now();
        let error = send(session).unwrap_err();
        let message = format!("no reply from {unused}: the connection was refused");
        assert_eq!(headline(&error), message, "{name}");
        assert!(error.is_transient(), "{name}");
        assert_eq!(error.status(), None, "{name}");
        assert!(started.elapsed() >= PAUSES, "{name}");
    });
}

#[test]
fn nothing_else_is_tried_again() {
    let refused = [
        (Answer::oauth_error("invalid_grant", "authentication failure"), true),
        (Answer::oauth_error("unknown_error", "something else"), true),
        (Answer::api_error(400, "MALFORMED_QUERY", "no"), false),
        (Answer::api_error(403, "REQUEST_LIMIT_EXCEEDED", "no"), false),
        (Answer::api_error(500, "UNKNOWN_EXCEPTION", "no"), false),
        // Customers write messages, too.
        (Answer::api_error(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Please Retry your request"), false),
        (Answer::api_error(500, "unknown_error", "retry your request"), false),
        (Answer::html(500, "Oops"), true),
        (Answer::new(404), true),
        (Answer::html(404, "Gone").header("Server", "sfdcedge"), true),
        (Answer::new(406).header("Server", "nginx"), true),
        (Answer::redirect(302, "/x"), true),
        (Answer::json(200, "[1"), true),
    ];
    for row in &ROWS {
        for (answer, for_logins) in &refused {
            let streamed = row.name.starts_with("run");
            if !for_logins && row.path.contains("oauth2")
                || streamed && format!("{answer:?}").contains("status: 200")
            {
                continue;
            }
            let org = Arc::new(Org::start());
            accept(&org, row.path);
            org.always(row.path, answer.clone().header("Retry-After", "0"));
            let error = (row.send)(&org).expect_err(row.name);
            // A passing refusal of a login or logout; and to a page instead of its reply, what was written is not known.
            let passes = headline(&error).contains("(unknown_error") && row.path.contains("oauth2");
            let unknown = row.again == WRITE && error.status() == Some(200);
            let told = (error.is_transient(), error.may_have_been_done());
            assert_eq!(told, (passes, unknown), "{}: {}", row.name, headline(&error));
            assert_eq!(sent_to(&org, row.path), 1, "{}: {}", row.name, headline(&error));
        }
    }
}

#[test]
fn a_refused_login_is_not_tried_again_whatever_its_status() {
    let passing = ["unknown_error", "rate_limit_exceeded", "temporarily_unavailable"];
    for error in ["invalid_grant", "invalid_client", "inactive_user"].iter().chain(&passing) {
        for status in [200, 201, 400, 401, 403, 429, 500, 502, 503, 504] {
            let tries = if passing.contains(error) && matches!(status, 429 | 502..) { 3 } else { 1 };
            let org = Org::start();
            let reply = json!({ "error": error, "error_description": "no" });
            let refusal = refusal(&org, Answer::json(status, reply));
            assert_eq!(headline(&refusal), format!("login refused: no ({error}, HTTP {status})"));
            assert_eq!(refusal.is_transient(), passing.contains(error), "{error} with {status}");
            assert_eq!(org.logins(), tries, "{error} with {status}");
        }
    }
}

#[test]
fn an_outage_that_is_told_in_json_is_no_refused_login() {
    let outages =
        [(429, "Too Many Requests"), (502, "timeout"), (503, "Service Unavailable"), (504, "GatewayTimeout")];
    for (status, error) in outages {
        let org = Org::start();
        let answer = Answer::json(status, json!({ "status": status, "error": error }));
        let error = refusal(&org, answer);
        let problem = "JSON of another shape than documented";
        assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP {status})"));
        assert!(error.is_transient(), "{status}");
        // It says `error`, so that it could be a refusal in words that nobody knows.
        assert_eq!(org.logins(), 1, "{status}");
    }
}

#[test]
fn a_truncated_refusal_is_one_except_for_those_who_read() {
    for row in &ROWS {
        let tries = if row.again == READ { 3 } else { 1 };
        let org = Arc::new(Org::start());
        accept(&org, row.path);
        org.always(row.path, Answer::oauth_error("x", "y").cut_after(9).header("Retry-After", "0"));
        let error = (row.send)(&org).expect_err(row.name);
        assert_eq!(headline(&error), "unexpected reply: truncated or corrupted (HTTP 400)", "{}", row.name);
        assert_eq!(error.is_transient(), tries > 1, "{}", row.name);
        assert_eq!(sent_to(&org, row.path), tries, "{}", row.name);
    }
}

#[test]
fn what_is_tried_again_is_the_same_request() {
    let org = Org::start();
    org.always("/", Answer::json(200, "1"));
    for _ in 0..2 {
        org.answer(Answer::new(429).header("Retry-After", "0"));
    }
    let session = kept(&org);
    let body = json!({ "Name": "x".repeat(100_000) });
    session.post::<Value>("x", &body).unwrap();
    let requests = org.take_requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.raw_head, requests[0].raw_head);
        assert_eq!(request.text(), body.to_string());
    }
}

#[test]
fn a_refusal_that_cannot_be_read_is_not_asked_for_again() {
    let refusal = r#"{"error":"invalid_grant"}"#;
    let bodies: [(&str, Vec<u8>); 15] = [
        ("a byte order mark", format!("\u{feff}{refusal}").into()),
        ("a lone surrogate", r#"{"error":"invalid_grant","x":"\ud800"}"#.into()),
        ("a number beyond all", r#"{"error":"invalid_grant","x":1e400}"#.into()),
        ("a Latin-1 byte", b"{\"error\":\"invalid_grant\",\"x\":\"\xe9\"}".to_vec()),
        ("text after it", format!("{refusal} x").into()),
        ("not all of it", refusal[..refusal.len() - 1].into()),
        ("an array", format!("[{refusal}]").into()),
        ("an object", format!(r#"{{"x":{refusal}}}"#).into()),
        ("a code that is none", r#"{"Error":7}"#.into()),
        ("a text that is JSON", Value::from(refusal).to_string().into()),
        ("a text in an object", json!({ "x": refusal }).to_string().into()),
        ("a word", r#""invalid_grant""#.into()),
        ("a description alone", r#"{"error_description":"authentication failure"}"#.into()),
        ("the API's words", r#"[{"errorCode":"INVALID_LOGIN"}]"#.into()),
        ("XML", "<OAuth><error>invalid_grant</error></OAuth>".into()),
    ];
    let answer = |status: u16, body: &[u8]| Answer::new(status).body(body).header("Retry-After", "0");
    let mut cases: Vec<_> =
        bodies.iter().map(|(name, body)| (*name, answer(503, body), answer(429, body))).collect();
    let cut = |status| answer(status, refusal.as_bytes()).cut_after(9);
    cases.push(("cut off", cut(503), cut(429)));
    let cut_at_once = |status| answer(status, refusal.as_bytes()).cut_after(0);
    cases.push(("cut off before it began", cut_at_once(503), cut_at_once(429)));
    let requests = EXCHANGES.iter().flat_map(|exchange| cases.iter().map(move |case| (exchange, case)));
    at_once(requests, |(exchange, (name, unavailable, later))| {
        for (status, answer) in [(503, unavailable), (429, later)] {
            let org = Org::start();
            org.always(exchange.path, answer.clone());
            let error = (exchange.login)(&org).token().expect_err(name);
            let case = format!("{}: {name} with {status}", exchange.name);
            assert_eq!(error.status(), Some(status), "{case}");
            let may_be_done = exchange.name == "code exchange" && status == 503;
            let told = (error.is_transient(), error.may_have_been_done());
            assert_eq!(told, (!may_be_done, may_be_done), "{case}");
            assert_eq!(org.requests().len(), exchange.requests, "{case}");
        }
    });
}

type Attempt = fn(Session) -> Result<(), Error>;

impl Row {
    /// Answers so for ever, then twice only.
    fn check(&self, fault: Fault, answer: &Answer, message: &str) {
        let again = self.again[fault as usize];
        let name = format!("{} after {fault:?}: {message}", self.name);

        let org = Arc::new(Org::start());
        accept(&org, self.path);
        org.always(self.path, answer.clone());
        let error = (self.send)(&org).expect_err(&name);
        assert_eq!(headline(&error).replace(&host(&org), "HOST"), message, "{name}");
        // A write may have been done, where it is not sent again.
        let told = (error.is_transient(), error.may_have_been_done());
        let unknown = self.again == WRITE && !again;
        assert_eq!(told, (!unknown, unknown), "{name}");
        let says_so = error.hints()[0].contains("may have been done or not");
        assert_eq!(says_so, unknown, "{name}: {error}");
        assert_eq!(sent_to(&org, self.path), if again { 3 } else { 1 }, "{name}");

        let org = Arc::new(Org::start());
        accept(&org, self.path);
        org.answer_to(self.path, answer.clone());
        org.answer_to(self.path, answer.clone());
        let outcome = (self.send)(&org);
        assert_eq!(outcome.is_ok(), again, "{name}");
        assert_eq!(sent_to(&org, self.path), if again { 3 } else { 1 }, "{name}");
    }
}

/// Has what is asked for there go well.
fn accept(org: &Org, path: &str) {
    if path == API {
        org.always(API, Answer::json(200, r#"{"done":true,"records":[1]}"#));
    } else if path == REVOKE_PATH {
        org.always(path, Answer::new(200));
    } else if path == SITE_TOKEN_PATH {
        let token = json!({ "access_token": OLD, "instance_url": org.url() });
        org.always(path, Answer::json(200, token));
    }
}

/// Closes the next connections that the row's own request would go over.
fn refuse_connections(org: &Arc<Org>, row: &Row, count: usize) {
    if row.name != "code exchange" {
        return org.refuse_next_connections(count);
    }
    let weak = Arc::downgrade(org);
    org.always_with(AUTHORIZE_PATH, move |_| {
        weak.upgrade().expect("the org is in use").refuse_next_connections(count);
        Answer::redirect(302, format!("{REDIRECT_URI}?code=aPrx")).header("Connection", "close")
    });
}

fn sent_to(org: &Org, path: &str) -> usize {
    org.requests().iter().filter(|request| request.path.starts_with(path)).count()
}

fn token(login: &Login) -> Result<(), Error> {
    login.token().map(drop)
}

/// Exchanges a code, which took one request to get.
fn exchange_code(org: &Arc<Org>) -> Result<(), Error> {
    let outcome = token(&code_credentials(org));
    assert_eq!(sent_to(org, AUTHORIZE_PATH), 1, "one code is asked for");
    outcome
}

fn run(session: &Session, method: &str, body: &str) -> Result<(), Error> {
    let request = http::Request::builder().method(method).uri(session.url("x")?);
    session.run(request.body(body).expect("a good request")).map(drop)
}
