//! `Session::run`: any request, and its reply as a stream.

use std::io::Read as _;
use std::time::Duration;

use fake_org::{Answer, Certificate, Org};
use sf_login::ureq::http;
use sf_login::ureq::tls::TlsConfig;
use sf_login::{Error, Session, ureq};

use crate::support::{
    LIMITS, OLD, SOON, headers_but_the_agents_name, headline, host, kept, only_request, shown, within,
};

#[test]
fn run_sends_everything_but_what_is_the_sessions() {
    let org = Org::start();
    org.answer(Answer::json(201, "{}").header("Sforce-Limit-Info", "api-usage=18/5000"));
    let session = kept(&org);
    let csv = b"Name\n\"\xc4hre, S\xf6hne\"\n".to_vec();
    let request = http::Request::put(session.url("jobs/ingest/750/batches?x=1").unwrap())
        .header("Content-Type", "text/csv; charset=ISO-8859-1")
        .header("Accept", "text/csv")
        .header("Authorization", "Bearer forged")
        .header("Host", "elsewhere.example")
        .header("Content-Length", "3")
        .header("Transfer-Encoding", "chunked")
        .header("Connection", "close")
        .header("Expect", "100-continue")
        .header("Sforce-Call-Options", "client=sync")
        .header("X-Twice", "1")
        .header("X-Twice", "2")
        .body(csv.clone())
        .unwrap();
    let reply = session.run(request).unwrap();
    assert_eq!(reply.status(), 201);
    assert_eq!(reply.headers()["Sforce-Limit-Info"], "api-usage=18/5000");

    let sent = only_request(&org);
    assert_eq!(
        (&*sent.method, &*sent.path, &*sent.query),
        ("PUT", "/services/data/v66.0/jobs/ingest/750/batches", "x=1")
    );
    assert_eq!(sent.body, csv);
    assert_eq!(
        headers_but_the_agents_name(&sent),
        [
            ("accept", "text/csv"),
            ("accept-encoding", "gzip"),
            ("authorization", &*format!("Bearer {OLD}")),
            ("content-length", "19"),
            ("content-type", "text/csv; charset=ISO-8859-1"),
            ("host", &host(&org)),
            ("sforce-call-options", "client=sync"),
            ("x-twice", "1"),
            ("x-twice", "2"),
        ]
    );
}

#[test]
fn run_takes_any_method() {
    let org = Org::start();
    org.always("/", Answer::text(200, "a body"));
    let session = kept(&org);
    for (method, body, length) in [
        ("GET", "", None),
        ("HEAD", "", None),
        ("OPTIONS", "", None),
        ("DELETE", "", None),
        ("DELETE", "x", Some("1")),
        ("POST", "", Some("0")),
        ("POST", "x=1", Some("3")),
        ("PUT", "", Some("0")),
        ("PATCH", "{}", Some("2")),
        ("SEARCH", "<x/>", Some("4")),
    ] {
        let request = http::Request::builder().method(method).uri(session.url("x").unwrap());
        let mut reply = session.run(request.body(body).unwrap()).unwrap_or_else(|e| panic!("{method}: {e}"));
        let wanted = if method == "HEAD" { "" } else { "a body" };
        assert_eq!(reply.body_mut().read_to_string().unwrap(), wanted, "{method}");
        let sent = only_request(&org);
        assert_eq!((&*sent.method, sent.text()), (method, body));
        assert_eq!(sent.header("content-length"), length, "{method} {body:?}");
        assert_eq!(sent.header("transfer-encoding"), None, "{method}");
    }
    assert_eq!(org.connections(), 1, "each of them left the connection in order");
}

#[test]
fn run_does_not_connect_proxies() {
    let org = Org::start();
    let session = kept(&org);
    let request = http::Request::builder().method("CONNECT").uri(session.url("x").unwrap());
    let error = session.run(request.body("").unwrap()).unwrap_err();
    assert_eq!(shown(&error), "request has the method CONNECT, which is for proxies");
    assert_eq!(org.connections(), 0);
}

#[test]
fn run_takes_a_path_as_well_as_a_url() {
    let org = Org::start();
    org.always("/", Answer::new(200));
    let session = kept(&org);
    for (uri, path) in [
        (LIMITS.to_owned(), LIMITS),
        ("/services/apexrest/echo".to_owned(), "/services/apexrest/echo"),
        (format!("{}{LIMITS}", org.url()), LIMITS),
        (org.url(), "/"),
        (format!("{}{LIMITS}#fragment", org.url().replace("http", "HTTP")), LIMITS),
    ] {
        session.run(http::Request::get(&uri).body("").unwrap()).unwrap();
        assert_eq!(only_request(&org).path, path, "{uri}");
    }
}

#[test]
fn run_takes_no_relative_path() {
    let org = Org::start();
    for uri in ["limits", "example.com", "example.com:443", "*"] {
        let error = kept(&org).run(http::Request::get(uri).body("").unwrap()).unwrap_err();
        let message = "request has a URI without a scheme or a leading /: take that of `url`";
        assert_eq!(shown(&error), message, "{uri}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn run_ignores_settings_that_hide_in_the_request() {
    let org = Org::start_with(Certificate::Expired);
    let session = kept(&org);
    let request = http::Request::get(session.url("limits").unwrap()).body("").unwrap();
    let unchecked = TlsConfig::builder().disable_verification(true).build();
    let request = ureq::agent().configure_request(request).tls_config(unchecked).build();
    let error = session.run(request).unwrap_err();
    let reason = format!("no reply from {}: TLS: ", host(&org));
    assert!(headline(&error).starts_with(&reason), "{error}");
    assert!(headline(&error).to_lowercase().contains("expired"), "{error}");
    assert_eq!(org.requests().len(), 0);

    let org = Org::start();
    let elsewhere = Org::start();
    org.answer(Answer::redirect(302, format!("{}/x", elsewhere.url())));
    let session = kept(&org);
    let request = http::Request::get(session.url("limits").unwrap()).body("").unwrap();
    let request = ureq::agent().configure_request(request).max_redirects(5).https_only(true).build();
    let error = session.run(request).unwrap_err();
    assert_eq!(
        headline(&error),
        format!("unexpected reply: a redirect to {}, which was not followed (HTTP 302)", host(&elsewhere))
    );
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_streamed_reply_that_stops_coming_is_an_error() {
    let org = Org::start();
    org.answer(Answer::text(200, "0123456789").stall_after(5));
    let session = kept(&org).timeout(Duration::from_millis(200));
    let mut body = run_get(&session).unwrap().into_body().into_reader();
    let (came, error) = within(SOON, move || {
        let mut came = Vec::new();
        let error = body.read_to_end(&mut came).unwrap_err();
        (came, error)
    });
    assert_eq!(error.to_string(), "timeout: receive body");
    assert_eq!(came, b"01234");

    org.answer(Answer::text(200, "0123456789").cut_after(5));
    let mut body = run_get(&session).unwrap().into_body().into_reader();
    let error = body.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
}

fn run_get(session: &Session) -> Result<http::Response<ureq::Body>, Error> {
    session.run(http::Request::get(session.url("x")?).body("").expect("a good request"))
}
