//! Every exchange ends at its deadline, whatever the server does instead of answering.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

use fake_org::{Answer, Org, REDIRECT_URI, gzip};
use serde_json::Value;
use sf_login::ureq::http;
use sf_login::{Error, ErrorKind, Login, Session, ureq};

use crate::support::{
    AUTHORIZE_PATH, CALLS, EXCHANGES, MINIMAL, SITE_TOKEN_PATH, SOON, TOKEN_PATH, agent, agent_by, at_once,
    code_credentials, headline, host, kept, login, paths, within,
};

#[test]
fn every_exchange_of_a_login_ends_at_the_deadline() {
    let pace = Duration::from_millis(40);
    let cases = [
        ("stalled", Answer::stall()),
        ("late", Answer::json(200, MINIMAL).delay(Duration::from_secs(60))),
        ("dripped head", Answer::json(200, MINIMAL).drip_head(pace)),
        ("endless header", Answer::raw(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1000))).drip(pace)),
        ("dripped body", Answer::json(200, MINIMAL).drip(pace)),
        ("dripped page", Answer::html(503, "Maintenance").drip(pace)),
        ("stalled body", Answer::json(200, MINIMAL).stall_after(20)),
    ];
    let cases = EXCHANGES.iter().flat_map(|exchange| cases.iter().map(move |case| (exchange, case)));
    at_once(cases, |(exchange, (way, answer))| {
        let context = format!("{}: {way}", exchange.name);
        let org = Org::start();
        org.always(exchange.path, answer.clone());
        let error = fails_at(Duration::from_secs(1), (exchange.login)(&org));
        let (server, cause) = (host(&org), "no complete reply within 1 s".to_owned());
        assert_eq!(headline(&error), format!("no reply from {server}: {cause}"), "{context}");
        assert_eq!(*error.kind(), ErrorKind::Transport { host: server, cause }, "{context}");
        assert_eq!(error.status(), None, "{context}");
        let is_exchange = exchange.name == "code exchange";
        assert_eq!(
            (error.is_transient(), error.may_have_been_done()),
            (!is_exchange, is_exchange),
            "{context}"
        );
        // What was sent may have been a login.
        assert_eq!(org.requests().len(), exchange.requests, "{context}");
    });
}

#[test]
fn refusal_whose_reason_does_not_come_is_a_refusal() {
    let org = Org::start();
    org.answer(
        Answer::oauth_error("invalid_grant", "authentication failure").drip(Duration::from_millis(40)),
    );
    let error = fails_at(Duration::from_millis(200), login(&org));
    assert_eq!(headline(&error), "unexpected reply: no complete reply within 0.2 s (HTTP 400)");
    assert_eq!(error.status(), Some(400));
    assert!(error.is_refused_login() && !error.is_transient());
    assert_eq!(org.logins(), 1);
}

#[test]
fn server_that_accepts_and_says_nothing_is_left_at_the_deadline() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    for (url, cause) in [
        (format!("http://{addr}"), "no complete reply within 0.2 s"),
        // The handshake comes before anything else, and belongs to connecting.
        (format!("https://{addr}"), "could not connect within 0.2 s"),
    ] {
        let error = fails_at(Duration::from_millis(200), login(&Org::start()).login_url(&*url));
        assert_eq!(headline(&error), format!("no reply from {addr}: {cause}"), "{url}");
    }
}

#[test]
fn both_requests_of_the_code_flow_share_one_deadline() {
    let org = Org::start();
    let location = format!("{REDIRECT_URI}?code=aPrx");
    org.always(AUTHORIZE_PATH, Answer::redirect(302, location).delay(Duration::from_secs(1)));
    org.always(SITE_TOKEN_PATH, Answer::json(200, MINIMAL).delay(Duration::from_secs(1)));
    // Enough for each of them.
    let error = fails_at(Duration::from_millis(1900), code_credentials(&org));
    assert_eq!(headline(&error), format!("no reply from {}: no complete reply within 1.9 s", host(&org)));
    assert_eq!(paths(&org.requests()), [AUTHORIZE_PATH, SITE_TOKEN_PATH]);
}

#[test]
fn deadline_counts_retries_and_their_pauses() {
    let org = Org::start();
    org.always(TOKEN_PATH, Answer::html(503, "Maintenance"));
    // The first pause, of a quarter of a second, still fits in; the second one does not.
    let error = fails_at(Duration::from_millis(900), login(&org));
    assert_eq!(headline(&error), "unexpected reply: an HTML page titled \"Maintenance\" (HTTP 503)");
    assert_eq!(org.logins(), 2);
}

#[test]
fn name_that_is_not_resolved_in_time_is_left_at_the_deadline() {
    let org = Org::start();
    let slow = agent_by(&agent(&org), |_, timeout| {
        thread::sleep(*timeout.after);
        Err(ureq::Error::Timeout(timeout.reason))
    });
    let error = fails_at(Duration::from_millis(200), login(&org).agent(slow));
    let message = format!("no reply from {}: the name was not resolved within 0.2 s", host(&org));
    assert_eq!(headline(&error), message);
    assert!(error.is_transient());
}

#[test]
fn every_request_has_a_deadline() {
    let pace = Duration::from_millis(50);
    let cases = [
        ("says nothing", Answer::stall()),
        ("drips its head", Answer::json(200, "1").drip_head(pace)),
        ("drips its body", Answer::json(200, "0".repeat(1000)).drip(pace)),
        ("stops midway", Answer::json(200, "12345").stall_after(2)),
    ];
    let cases = CALLS.iter().flat_map(|call| cases.iter().map(move |case| (call, case)));
    // What `run` streams has its own test; its head must come in time, too.
    let cases = cases.filter(|((method, _), (case, _))| {
        *method != "PUT" || matches!(*case, "says nothing" | "drips its head")
    });
    at_once(cases, |(&(method, call), (case, answer))| {
        let org = Org::start();
        org.always("/services/data/", answer.clone());
        let session = kept(&org).timeout(Duration::from_secs(1));
        let error = within(SOON, move || call(&session).unwrap_err());
        let message = format!("no reply from {}: no complete reply within 1 s", host(&org));
        assert_eq!(headline(&error), message, "{method} {case}");
        let is_write = method != "GET";
        assert_eq!(
            (error.is_transient(), error.may_have_been_done()),
            (!is_write, is_write),
            "{method} {case}"
        );
        assert_eq!(org.requests().len(), 1, "{method} {case}");
    });
}

#[test]
fn every_exchange_ends_whatever_is_dripped_inside_its_framing() {
    let requests: [(&str, Fails); 8] = [
        ("get", |session| headline(&session.get::<Value>("x").unwrap_err())),
        ("post", |session| headline(&session.post::<Value>("x", &1).unwrap_err())),
        ("delete", |session| headline(&session.delete("x").unwrap_err())),
        ("query", |session| {
            headline(&session.query::<Value>("SELECT Id FROM A").find_map(Result::err).unwrap())
        }),
        ("open", |session| match session.open("x").map(io::read_to_string) {
            Ok(read) => headline(&read.unwrap_err().downcast().expect("it holds one of ours")),
            Err(error) => headline(&error),
        }),
        ("run GET", |session| run_fails(&session, "GET")),
        ("run POST", |session| run_fails(&session, "POST")),
        ("revoke", |session| headline(&session.revoke().unwrap_err())),
    ];
    let slow = |org: &Org| format!("no reply from {}: no complete reply within 1 s", host(org));
    for status in [200, 404] {
        let drips = drips(status);
        let cases = requests.iter().flat_map(|request| drips.iter().map(move |drip| (request, drip)));
        at_once(cases, |(&(name, fails), (way, answer))| {
            let org = Org::start();
            org.always("/services/", answer.clone());
            let session = kept(&org).timeout(SHORT);
            // Sending, waiting and reading may take as long each, and a read is tried again.
            let said = within(3 * SHORT + SOON, move || fails(session));
            // What has begun to come is the caller's to read.
            let streamed = name.starts_with("run") && status == 200;
            let expected = if streamed { "timeout: receive body".to_owned() } else { slow(&org) };
            assert_eq!(said, expected, "{name}: {way} with {status}");
        });
        let cases = EXCHANGES.iter().flat_map(|exchange| drips.iter().map(move |drip| (exchange, drip)));
        at_once(cases, |(exchange, (way, answer))| {
            let org = Org::start();
            org.always(exchange.path, answer.clone());
            let error = fails_at(SHORT, (exchange.login)(&org));
            assert_eq!(headline(&error), slow(&org), "{}: {way} with {status}", exchange.name);
            assert_eq!(org.requests().len(), exchange.requests, "{}: {way} with {status}", exchange.name);
        });
    }
}

#[test]
fn shortest_timeout_is_over_at_once() {
    let org = Org::start();
    org.always("/", Answer::stall());
    let session = kept(&org).timeout(Duration::ZERO);
    let request = within(SOON, move || session.get::<u8>("x").unwrap_err());
    // On a busy machine a millisecond is over before the connection is there.
    let causes = ["no complete reply", "could not connect", "the name was not resolved"];
    let expected = causes.map(|cause| format!("no reply from {}: {cause} within 0.001 s", host(&org)));
    for error in [request, fails_at(Duration::ZERO, login(&org))] {
        assert!(expected.contains(&headline(&error)), "{error}");
        assert!(error.is_transient());
    }
}

#[test]
fn longest_timeout_is_as_good_as_any() {
    let org = Org::start();
    for timeout in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(1 << 40)] {
        let session = login(&org).timeout(timeout).session().unwrap().timeout(timeout);
        session.get::<Value>("limits").unwrap();
    }
    assert_eq!(org.logins(), 3);
}

type Fails = fn(Session) -> String;

/// A timeout for those who wait for drips.
const SHORT: Duration = Duration::from_secs(1);

/// Bodies that never end, in all places where a byte now and then can stand, under this status.
fn drips(status: u16) -> Vec<(&'static str, Answer)> {
    let chunked = |body: String| Answer::new(status).header("Transfer-Encoding", "chunked").body(body);
    let gzipped = |body: Vec<u8>| Answer::new(status).header("Content-Encoding", "gzip").body(body);
    // A header whose name field goes on and on.
    let endless_name = [&b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"[..], &[b'x'; 4000]].concat();
    let drips = [
        ("bytes", Answer::new(status).body(" ".repeat(4000))),
        ("bytes until the end", Answer::new(status).body(" ".repeat(4000)).by_close()),
        ("chunks", chunked("1\r\n \r\n".repeat(1000))),
        ("a chunk's size", chunked("0".repeat(4000))),
        ("a chunk's extension", chunked(format!("1;{}", "x".repeat(4000)))),
        ("chunks with extensions", chunked("1;a=b\r\n \r\n".repeat(400))),
        ("a trailer", chunked(format!("0\r\nX-Trailer: {}", "x".repeat(4000)))),
        ("trailers", chunked(format!("0\r\n{}", "X-A: b\r\n".repeat(500)))),
        ("empty gzip members", gzipped(gzip(b"").repeat(200))),
        ("empty gzip members in chunks", gzipped(gzip(b"").repeat(200)).chunked()),
        ("a gzip member's name", gzipped(endless_name)),
    ];
    drips.map(|(way, answer)| (way, answer.drip(Duration::from_millis(100)))).to_vec()
}

/// Why a request that is sent by `run`, or the reading of its reply, fails.
fn run_fails(session: &Session, method: &str) -> String {
    let uri = session.url("x").expect("a good path");
    let request = http::Request::builder().method(method).uri(uri).body("").expect("a good request");
    match session.run(request) {
        Ok(mut reply) => reply.body_mut().read_to_vec().unwrap_err().to_string(),
        Err(error) => headline(&error),
    }
}

/// The error of a login with this timeout, which comes soon.
#[track_caller]
fn fails_at(timeout: Duration, login: Login) -> Error {
    within(SOON, move || login.timeout(timeout).token().expect_err("there is no token in time"))
}
