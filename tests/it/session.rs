//! Requests with the token: what goes over the wire, what comes back, and what becomes of an
//! expired session.

use std::collections::HashMap;
use std::fmt::Debug;
use std::io::Read as _;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use fake_org::{Answer, Certificate, ORG_ID, Org, Request, USER_ID};
use serde::Deserialize;
use serde_json::{Value, json};
use sf_login::ureq::http;
use sf_login::ureq::tls::TlsConfig;
use sf_login::{ApiError, Error, ErrorKind, Session, Token, ureq};

use crate::support::{self, agent, headline, login, session, sf_login, shown, watch_logs};

/// A token from long ago, and the one that a new login gives.
pub const OLD: &str = "00D5g00000FakeO!AQold.Token_0123456789";
pub const NEW: &str = "00D5g00000FakeO!AQnew.Token_0123456789";

const LIMITS: &str = "/services/data/v66.0/limits";
const TOKEN_PATH: &str = "/services/oauth2/token";

const EXPIRED: &str = "request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 401)";

type Call = fn(&Session) -> Result<Value, Error>;

/// A request of each kind; all but the first write.
const CALLS: [(&str, Call); 5] = [
    ("GET", |session| session.get("things")),
    ("POST", |session| session.post("things", &json!({ "Name": "Ähre \"& Söhne\n", "Rating": null }))),
    ("PATCH", |session| session.patch("things", &["1.10"])),
    ("DELETE", |session| session.delete("things").map(|()| Value::Null)),
    ("PUT", |session| {
        let request = http::Request::put(session.url("things")?).body("a,b\n1,2\n").expect("a good request");
        let mut reply = session.run(request)?;
        reply.body_mut().read_to_string().expect("a whole reply");
        Ok(Value::Null)
    }),
];

#[test]
fn each_method_sends_its_json_and_the_token() {
    let org = Org::start();
    org.always("/services/data/v66.0/things", Answer::json(200, r#"{"id":"001","size":1.5}"#));
    let session = kept(&org);
    let bodies = ["", r#"{"Name":"Ähre \"& Söhne\n","Rating":null}"#, r#"["1.10"]"#, ""];
    for ((method, call), body) in CALLS.into_iter().zip(bodies) {
        let reply = call(&session).unwrap();
        let sent = only_request(&org);

        assert_eq!((&*sent.method, &*sent.path, &*sent.query), (method, "/services/data/v66.0/things", ""));
        assert_eq!(sent.text(), body, "{method}");
        let bearer = format!("Bearer {OLD}");
        let length = body.len().to_string();
        let mut headers = vec![
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("authorization", &*bearer),
            ("host", host(&org)),
        ];
        if !body.is_empty() {
            headers.extend([("content-length", &*length), ("content-type", "application/json")]);
        }
        headers.sort_unstable();
        assert_eq!(headers_but_the_agents_name(&sent), headers, "{method}");
        if method != "DELETE" {
            assert_eq!(reply, json!({ "id": "001", "size": 1.5 }), "{method}");
        }
    }
}

#[test]
fn an_empty_reply_reads_as_null() {
    let empty = [
        ("204", Answer::new(204)),
        ("200", Answer::new(200)),
        ("200 with nothing, compressed", Answer::new(200).gzip()),
        ("201 without a chunk", Answer::new(201).chunked()),
        ("200 that ends with the connection", Answer::new(200).by_close()),
        ("200 with white space", Answer::text(200, "\r\n \t")),
        ("200 with null", Answer::json(200, "null")),
    ];
    let org = Org::start();
    let session = kept(&org);
    for (name, answer) in empty {
        org.always("/services/data/", answer);
        assert_eq!(session.get::<Value>("x").unwrap(), Value::Null, "{name}");
        session.post::<()>("x", &1).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(session.patch::<Option<Account>>("x", &1).unwrap(), None, "{name}");
        session.delete("x").unwrap_or_else(|error| panic!("{name}: {error}"));

        let error = session.get::<Account>("x").unwrap_err();
        let wanted = if name.starts_with("201") { 201 } else { error.status().unwrap() };
        assert_eq!(
            headline(&error),
            format!(
                "unexpected reply: JSON that does not fit the type asked for at line 1 column 4 (HTTP {wanted})"
            ),
            "{name}"
        );
    }
}

#[test]
fn a_reply_that_does_not_fit_says_where_and_quotes_nothing() {
    let org = Org::start();
    let session = kept(&org);
    let says = |body: &str, problem: &str| {
        org.answer(Answer::json(200, body));
        let error = session.get::<Account>("x").unwrap_err();
        assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP 200)"), "{body}");
        let kind = ErrorKind::Unexpected { status: 200, problem: problem.to_owned() };
        assert_eq!(error.kind(), &kind, "{body}");
        assert!(!shown(&error).contains("4711"), "a value is quoted: {error}");
        assert!(!error.is_transient(), "{body}");
    };
    let unfit = "JSON that does not fit the type asked for at line";
    says(r#"{"Name":"Ann","Employees":"4711"}"#, &format!("{unfit} 1 column 32"));
    says("{\n \"Name\":4711,\n \"Employees\":1}", &format!("{unfit} 2 column 12"));
    says(r#"{"Name":"Ann","Employees":-4711}"#, &format!("{unfit} 1 column 31"));
    says(r#"["4711"]"#, &format!("{unfit} 1 column 8"));
    says("{\n \"Name\":\"4711\"\n}", "JSON without the field `Employees` at line 3 column 1");
    says(r#"{"Name":"4711"#, "not JSON at line 1 column 13");
    says(r#"{"Name":"Ann","Employees":1} 4711"#, "not JSON at line 1 column 30");
    says("4711 is the answer", &format!("{unfit} 1 column 4"));

    org.answer(Answer::json(200, "").body(b"\"\xff4711\"".to_vec()));
    assert_eq!(headline(&session.get::<Value>("x").unwrap_err()), "unexpected reply: not UTF-8 (HTTP 200)");

    org.answer(Answer::html(200, "Login | Salesforce"));
    let error = session.get::<Account>("x").unwrap_err();
    let page = r#"unexpected reply: an HTML page titled "Login | Salesforce" (HTTP 200)"#;
    assert_eq!(headline(&error), page);
}

#[test]
fn a_reply_that_does_not_fit_comes_with_a_hint_for_the_programmer() {
    let org = Org::start();
    org.answer(Answer::json(200, r#"{"Name":null,"Employees":1}"#));
    let error = kept(&org).get::<Account>("x").unwrap_err();
    let hint = "compare the type with the reply itself, which `sf-login get PATH` prints; a field that can \
                be null wants an Option";
    assert_eq!(error.hints(), [hint]);
}

#[test]
fn api_versions_are_written_in_three_ways() {
    let org = Org::start();
    org.always("/", Answer::json(200, "1"));
    for (version, path) in
        [("v66.0", "v66.0"), ("61.0", "v61.0"), ("31", "v31.0"), ("V100.0", "v100.0"), (" 60 ", "v60.0")]
    {
        kept(&org).api_version(version).get::<Value>("limits").unwrap();
        assert_eq!(only_request(&org).path, format!("/services/data/{path}/limits"), "{version:?}");
    }
    kept(&org).get::<Value>("limits").unwrap();
    assert_eq!(only_request(&org).path, LIMITS, "the default, which must not change in this version");
}

#[test]
fn a_bad_api_version_is_told_by_the_first_request() {
    let org = Org::start();
    for version in ["", "latest", "v", "66.1", "66.0.0", "-1", "99999", "66/../..", "v66.0?"] {
        for (method, call) in CALLS {
            let error = call(&kept(&org).api_version(version)).unwrap_err();
            let message = "api_version is not an API version: write e.g. v66.0";
            assert_eq!(shown(&error), message, "{method} {version:?}");
        }
        let mut records = all_records(&kept(&org).api_version(version));
        assert_eq!(records.len(), 1, "{version:?}");
        let error = records.remove(0).unwrap_err();
        assert_eq!(shown(&error), "api_version is not an API version: write e.g. v66.0", "{version:?}");
        let error = kept(&org).api_version(version).revoke().unwrap_err();
        assert_eq!(shown(&error), "api_version is not an API version: write e.g. v66.0", "{version:?}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_body_that_is_no_json_is_a_setting_and_nothing_is_sent() {
    let org = Org::start();
    let keys_are_no_text = HashMap::from([((1, 2), 4711)]);
    for error in [
        kept(&org).post::<Value>("x", &keys_are_no_text).unwrap_err(),
        kept(&org).patch::<Value>("x", &keys_are_no_text).unwrap_err(),
    ] {
        assert_eq!(shown(&error), "body cannot be written as JSON");
        let kind =
            ErrorKind::Setting { name: "body".to_owned(), problem: "cannot be written as JSON".to_owned() };
        assert_eq!(error.kind(), &kind);
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn an_agent_without_certificate_checks_is_refused() {
    let org = Org::start();
    let tls = TlsConfig::builder().disable_verification(true).build();
    let agent = ureq::Agent::config_builder().tls_config(tls).build().new_agent();
    let error = kept(&org).agent(agent).get::<Value>("limits").unwrap_err();
    let message = "agent has certificate checks turned off: name root_certs instead";
    assert_eq!(shown(&error), message);
    assert_eq!(org.connections(), 0);
}

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
            ("host", host(&org)),
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
fn run_gives_refusals_as_errors() {
    let org = Org::start();
    let session = kept(&org);
    let run = |method: &str| {
        let request = http::Request::builder().method(method).uri(session.url("x").unwrap());
        session.run(request.body("").unwrap()).unwrap_err()
    };
    org.answer(Answer::api_error(404, "NOT_FOUND", "no such thing"));
    assert_eq!(headline(&run("GET")), "request refused: no such thing (NOT_FOUND) (HTTP 404)");
    org.answer(Answer::api_error(404, "NOT_FOUND", "a body that is not sent"));
    assert_eq!(headline(&run("HEAD")), "unexpected reply: empty (HTTP 404)");
}

#[test]
fn a_streamed_reply_that_stops_coming_is_an_error() {
    let org = Org::start();
    org.answer(Answer::text(200, "0123456789").stall_after(5));
    let session = kept(&org).timeout(Duration::from_millis(200));
    let mut body = run_get(&session).unwrap().into_body().into_reader();
    let mut came = Vec::new();
    let error = within(Duration::from_secs(3), || body.read_to_end(&mut came).unwrap_err());
    assert_eq!(error.to_string(), "timeout: per read");
    assert_eq!(came, b"01234");

    org.answer(Answer::text(200, "0123456789").cut_after(5));
    let mut body = run_get(&session).unwrap().into_body().into_reader();
    let error = body.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
}

#[test]
fn replies_of_more_than_128_mebibytes_are_refused() {
    let org = Org::start();
    let session = session(&org);
    // Compressed, a bomb of some hundred kilobytes: its members follow each other.
    let mebibyte = fake_org::gzip(&vec![b' '; 1024 * 1024]);
    let bomb = Answer::new(200).header("Content-Encoding", "gzip").body(mebibyte.repeat(129));
    org.answer_to("/services/apexrest/", bomb);
    let error = session.get::<Value>("/services/apexrest/bomb").unwrap_err();
    assert_eq!(headline(&error), "unexpected reply: larger than 128 MiB (HTTP 200)");
}

#[test]
fn every_request_has_a_deadline() {
    let pace = Duration::from_millis(50);
    let slow: [(&str, Answer, &str); 4] = [
        ("says nothing", Answer::stall(), "no complete reply within 0.5 s"),
        ("drips its head", Answer::json(200, "1").drip_head(pace), "no complete reply within 0.5 s"),
        ("drips its body", Answer::json(200, "0".repeat(90)).drip(pace), "no complete reply within 0.5 s"),
        ("stops midway", Answer::json(200, "12345").stall_after(2), "no complete reply within 0.5 s"),
    ];
    thread::scope(|scope| {
        for (name, answer, cause) in &slow {
            for (method, call) in CALLS {
                // What `run` streams has its own tests; its head must come in time, too.
                if method == "PUT" && (name.contains("body") || name.contains("midway")) {
                    continue;
                }
                scope.spawn(move || {
                    let org = Org::start();
                    org.always("/services/data/", answer.clone());
                    let session = kept(&org).timeout(Duration::from_millis(500));
                    let error = within(Duration::from_secs(3), || call(&session).unwrap_err());
                    assert_eq!(
                        headline(&error),
                        format!("no reply from {}: {cause}", host(&org)),
                        "{method} {name}"
                    );
                    assert!(error.is_transient(), "{method} {name}");
                    assert_eq!(org.requests().len(), 1, "{method} {name}");
                });
            }
        }
    });
}

#[test]
fn timeouts_of_any_length_are_taken() {
    let org = Org::start();
    org.always("/", Answer::json(200, "1"));
    for timeout in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(1)] {
        assert_eq!(kept(&org).timeout(timeout).get::<u8>("x").unwrap(), 1, "{timeout:?}");
    }
    org.always("/", Answer::stall());
    let error = kept(&org).timeout(Duration::ZERO).get::<u8>("x").unwrap_err();
    assert!(error.is_transient());
    assert!(matches!(error.kind(), ErrorKind::Transport { .. }), "{error}");
}

#[test]
fn revoke_posts_the_token_and_nothing_else() {
    let org = Org::start();
    let session = session(&org);
    let token = session.token();
    drop(org.take_requests());
    session.revoke().unwrap();
    let sent = only_request(&org);
    assert_eq!((&*sent.method, &*sent.path), ("POST", "/services/oauth2/revoke"));
    assert_eq!(sent.text(), format!("token={}", token.access_token().replace('!', "%21")));
    assert_eq!(sent.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(sent.header("authorization"), None);

    // It is not valid any more, which is what was wanted.
    login(&org).resume(token).unwrap().revoke().unwrap();
    assert_eq!(only_request(&org).path, "/services/oauth2/revoke", "and nobody logged in for that");
}

#[test]
fn revoking_what_has_lapsed_counts_as_done() {
    let org = Org::start();
    for answer in [
        Answer::new(200),
        Answer::oauth_error("invalid_token", "token expired"),
        Answer::oauth_error("INVALID_TOKEN", ""),
        Answer::json(400, r#"{"error":"invalid_token"}"#),
        expired(),
    ] {
        org.answer(answer.clone());
        kept(&org).revoke().unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        assert_eq!(only_request(&org).path, "/services/oauth2/revoke");
    }
}

#[test]
fn a_token_that_could_not_be_revoked_is_told() {
    let cases = [
        (
            Answer::oauth_error("unsupported_token_type", "this token type is not supported"),
            "request refused: this token type is not supported (unsupported_token_type) (HTTP 400)",
            1,
        ),
        (
            Answer::html(404, "URL No Longer Exists"),
            "unexpected reply: an HTML page titled \"URL No Longer Exists\" (HTTP 404)",
            1,
        ),
        (
            Answer::api_error(403, "API_DISABLED_FOR_ORG", "no API"),
            "request refused: no API (API_DISABLED_FOR_ORG) (HTTP 403)",
            1,
        ),
        (
            Answer::redirect(302, "https://login.salesforce.com/"),
            "unexpected reply: a redirect to login.salesforce.com, which was not followed (HTTP 302)",
            1,
        ),
        (Answer::new(503).header("Retry-After", "0"), "unexpected reply: empty (HTTP 503)", 3),
        (Answer::close(), "no reply from HOST: the connection broke off", 3),
        (Answer::html(200, "Login"), "unexpected reply: an HTML page titled \"Login\" (HTTP 200)", 1),
        (
            Answer::oauth_error("unsupported_token_type", OLD),
            "request refused: (withheld: it contains a secret) (unsupported_token_type) (HTTP 400)",
            1,
        ),
    ];
    for (answer, message, tries) in cases {
        let org = Org::start();
        org.always("/services/oauth2/revoke", answer);
        let error = kept(&org).revoke().unwrap_err();
        assert_eq!(headline(&error).replace(host(&org), "HOST"), message);
        assert_eq!(org.requests().len(), tries, "{message}");
    }
}

#[test]
fn a_kept_token_in_the_environment_is_used_without_logging_in() {
    let org = Org::start();
    org.always("/services/data/", Answer::json(200, "{}"));
    let run = sf_login(&with_token(&org, &[]), &["get", "limits"]);
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""));
    let sent = only_request(&org);
    assert_eq!((&*sent.path, sent.header("authorization")), (LIMITS, Some(&*format!("Bearer {OLD}"))));

    // Nor when it could log in.
    let run = sf_login(&with_token(&org, &org.env()), &["get", "limits"]);
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""));
    assert_eq!(only_request(&org).header("authorization"), Some(&*format!("Bearer {OLD}")));

    // Nor is half a login in the way, or one that cannot be used.
    let mut odd = org.env();
    odd.extend([
        ("SF_FLOW", "implicit".to_owned()),
        ("SF_LOGIN_URL", "http://acme.my.salesforce.com".to_owned()),
    ]);
    let half = ["SF_CLIENT_ID", "SF_USERNAME", "SF_SECURITY_TOKEN", "SF_LOGIN_URL", "SF_FLOW"];
    let half = half.map(|name| vec![(name, "x.example".to_owned())]);
    for more in half.iter().chain([&odd]) {
        let run = sf_login(&with_token(&org, more), &["get", "limits"]);
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""), "{more:?}");
    }
    assert_eq!(org.logins(), 0);
}

#[test]
fn without_a_token_in_the_environment_the_session_logs_in() {
    let org = Org::start();
    org.always("/services/data/", Answer::json(200, "{}"));
    for empty in [false, true] {
        let mut env = org.env();
        if empty {
            let unset = ["SF_ACCESS_TOKEN", "SF_ORG_INSTANCE_URL", "SF_ORG_API_VERSION"];
            env.extend(unset.map(|name| (name, String::new())));
        }
        let run = sf_login(&env, &["get", "limits"]);
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""), "empty ones: {empty}");
        let paths: Vec<_> = org.take_requests().into_iter().map(|request| request.path).collect();
        assert_eq!(paths, [TOKEN_PATH, LIMITS]);
    }
}

#[test]
fn the_environment_names_the_api_version() {
    let org = Org::start();
    org.always("/services/data/", Answer::json(200, "{}"));
    for version in ["v61.0", "61.0", "61"] {
        let env = with_token(&org, &[("SF_ORG_API_VERSION", version.to_owned())]);
        assert_eq!(sf_login(&env, &["get", "limits"]).code, Some(0));
        assert_eq!(only_request(&org).path, "/services/data/v61.0/limits", "{version}");
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused_before_anything_is_sent() {
    let org = Org::start();
    let token = ("SF_ACCESS_TOKEN", OLD.to_owned());
    let instance = ("SF_ORG_INSTANCE_URL", org.url());
    let with = |name, value: &str| vec![token.clone(), instance.clone(), (name, value.to_owned())];
    let cases = [
        (
            vec![token.clone()],
            "SF_ORG_INSTANCE_URL is not set: write the instance that SF_ACCESS_TOKEN is for",
        ),
        (
            vec![instance.clone()],
            "SF_ACCESS_TOKEN is not set, but SF_ORG_INSTANCE_URL is: set both, or unset SF_ORG_INSTANCE_URL",
        ),
        // One of them empty is one of them unset, credentials or not.
        (
            [&org.env()[..], &[token.clone(), ("SF_ORG_INSTANCE_URL", String::new())]].concat(),
            "SF_ORG_INSTANCE_URL is not set: write the instance that SF_ACCESS_TOKEN is for",
        ),
        (
            [&org.env()[..], std::slice::from_ref(&instance)].concat(),
            "SF_ACCESS_TOKEN is not set, but SF_ORG_INSTANCE_URL is: set both, or unset SF_ORG_INSTANCE_URL",
        ),
        (vec![], "SF_CLIENT_ID is not set: write the connected app's consumer key"),
        (
            vec![("SF_ACCESS_TOKEN", format!("{OLD} ")), instance.clone()],
            "SF_ACCESS_TOKEN holds characters that no token has: write it alone, on one line",
        ),
        (
            vec![token.clone(), ("SF_ORG_INSTANCE_URL", "http://acme.my.salesforce.com".to_owned())],
            "SF_ORG_INSTANCE_URL is http, which would send secrets in clear: write https",
        ),
        (
            vec![token.clone(), ("SF_ORG_INSTANCE_URL", format!("{}/lightning", org.url()))],
            "SF_ORG_INSTANCE_URL holds more than https:// and a host",
        ),
        (with("SF_ORG_API_VERSION", "latest"), "SF_ORG_API_VERSION is not an API version: write e.g. v66.0"),
    ];
    for (env, message) in cases {
        let run = sf_login(&env, &["get", "limits"]);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{message}");
        assert_eq!(run.stderr, format!("sf-login: {message}\n"));
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_lapsed_token_in_the_environment_is_replaced_if_that_can_be() {
    let org = Org::start();
    lapse(&org, Answer::json(200, "{}"));
    let run = sf_login(&with_token(&org, &org.env()), &["get", "limits"]);
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""));
    let requests: Vec<_> = org.take_requests().into_iter().map(|r| (r.path, r.headers)).collect();
    let paths: Vec<_> = requests.iter().map(|(path, _)| &**path).collect();
    assert_eq!(paths, [LIMITS, TOKEN_PATH, LIMITS]);

    let run = sf_login(&with_token(&org, &[]), &["get", "limits"]);
    assert_eq!((run.code, &*run.stdout), (Some(4), ""));
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(
        lines[0],
        "sf-login: request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 401)"
    );
    assert!(
        lines.len() == 2 && lines[1].starts_with("hint: the token has lapsed, was revoked, or "),
        "{lines:?}"
    );
    assert_eq!(only_request(&org).path, LIMITS);
}

#[test]
fn an_expired_session_is_replaced_and_the_request_sent_again() {
    for (method, call) in CALLS {
        let org = Org::start();
        let session = lapsed(&org, Answer::json(200, r#"{"id":"001"}"#));
        call(&session).unwrap_or_else(|error| panic!("{method}: {error}"));

        let requests = org.take_requests();
        let bearer = |request: &Request| request.header("authorization").map(str::to_owned);
        let log: Vec<_> = requests.iter().map(|r| (r.method.as_str(), r.path.as_str(), bearer(r))).collect();
        let things = "/services/data/v66.0/things";
        assert_eq!(
            log,
            [
                (method, things, Some(format!("Bearer {OLD}"))),
                ("POST", TOKEN_PATH, None),
                (method, things, Some(format!("Bearer {NEW}"))),
            ],
            "{method}"
        );
        assert_eq!(requests[0].body, requests[2].body, "{method}");
        assert_eq!(requests[0].headers.len(), requests[2].headers.len(), "{method}: each header once");
        assert_eq!(session.token().access_token(), NEW);

        // And is not asked for again.
        call(&session).unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(only_request(&org).header("authorization"), Some(&*format!("Bearer {NEW}")), "{method}");
        assert_eq!(org.logins(), 1, "{method}");
    }
}

#[test]
fn a_session_that_expires_again_and_again_is_replaced_each_time() {
    let org = Org::start();
    let session = session(&org);
    org.always("/services/data/", Answer::json(200, "1"));
    for round in 1..=3 {
        org.answer_to("/services/data/", expired());
        assert_eq!(session.get::<u8>("x").unwrap(), 1);
        assert_eq!(session.get::<u8>("x").unwrap(), 1);
        assert_eq!(org.logins(), 1 + round);
    }
}

#[test]
fn a_session_that_expires_between_two_pages_loses_no_record() {
    let org = Org::start();
    let session = login(&org).resume(token(&org, OLD)).unwrap();
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    org.always_with("/services/data/", |request| {
        let page = request.path.rsplit('-').next().unwrap_or_default();
        match (page, request.header("authorization") == Some(&*format!("Bearer {NEW}"))) {
            ("2", false) => expired(),
            ("2", true) => Answer::json(200, r#"{"totalSize":3,"done":true,"records":[3]}"#),
            _ => Answer::json(
                200,
                r#"{"totalSize":3,"done":false,"nextRecordsUrl":"/services/data/v66.0/query/01g-2","records":[1,2]}"#,
            ),
        }
    });
    let records: Result<Vec<u8>, Error> = session.query("SELECT Id FROM Account").collect();
    assert_eq!(records.unwrap(), [1, 2, 3]);
    let paths: Vec<_> = org.take_requests().into_iter().map(|request| request.path).collect();
    let (first, second) = ("/services/data/v66.0/query", "/services/data/v66.0/query/01g-2");
    assert_eq!(paths, [first, second, TOKEN_PATH, second]);
}

#[test]
fn a_session_without_a_login_tells_that_it_has_expired() {
    let org = Org::start();
    lapse(&org, Answer::json(200, "1"));
    let session = kept(&org);
    for (method, call) in CALLS {
        let error = call(&session).unwrap_err();
        assert_eq!(headline(&error), EXPIRED, "{method}");
        assert_eq!(error.hints().len(), 1, "{method}: {error}");
        assert!(error.hints()[0].starts_with("the token has lapsed, was revoked, or "), "{method}: {error}");
        assert_eq!(only_request(&org).method, method);
    }
}

#[test]
fn no_other_refusal_leads_to_a_login() {
    let org = Org::start();
    let session = session(&org);
    drop(org.take_requests());
    let policy = "This session is not valid for use with the REST API";
    for (answer, message) in [
        (
            Answer::api_error(401, "INVALID_SESSION_ID", policy),
            "request refused: This session is not valid for use with the REST API (INVALID_SESSION_ID) (HTTP 401)",
        ),
        (
            Answer::api_error(401, "INVALID_SESSION_ID", &policy.to_uppercase()),
            "request refused: THIS SESSION IS NOT VALID FOR USE WITH THE REST API (INVALID_SESSION_ID) (HTTP 401)",
        ),
        (
            Answer::api_error(401, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "the password has expired"),
            "request refused: the password has expired (INVALID_OPERATION_WITH_EXPIRED_PASSWORD) (HTTP 401)",
        ),
        (
            Answer::api_error(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
            "request refused: INVALID_HEADER_TYPE (INVALID_AUTH_HEADER) (HTTP 401)",
        ),
        (
            Answer::api_error(403, "INVALID_SESSION_ID", "Session expired or invalid"),
            "request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 403)",
        ),
        (
            Answer::api_error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            "request refused: TotalRequests Limit exceeded. (REQUEST_LIMIT_EXCEEDED) (HTTP 403)",
        ),
        (
            Answer::api_error(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled"),
            "request refused: The REST API is not enabled (API_DISABLED_FOR_ORG) (HTTP 403)",
        ),
        (
            Answer::api_error(500, "INVALID_SESSION_ID", "Session expired or invalid"),
            "request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 500)",
        ),
        (
            Answer::html(401, "Unauthorized"),
            "unexpected reply: an HTML page titled \"Unauthorized\" (HTTP 401)",
        ),
        (
            Answer::text(401, "INVALID_SESSION_ID"),
            "unexpected reply: text that is not JSON: INVALID_SESSION_ID (HTTP 401)",
        ),
        (
            Answer::text(403, "Bad_OAuth_Token"),
            "unexpected reply: text that is not JSON: Bad_OAuth_Token (HTTP 403)",
        ),
        (Answer::new(401), "unexpected reply: empty (HTTP 401)"),
    ] {
        org.answer(answer);
        let error = session.get::<Value>("limits").unwrap_err();
        assert_eq!(headline(&error), message);
        assert_eq!(only_request(&org).path, LIMITS, "{message}");
    }
    assert_eq!(org.logins(), 1);
}

#[test]
fn an_expired_session_may_be_told_in_an_object_or_beside_other_errors() {
    let org = Org::start();
    org.always("/services/data/", Answer::json(200, "1"));
    let error = json!({ "errorCode": "INVALID_SESSION_ID", "message": "Sitzung abgelaufen" });
    let other = json!({ "errorCode": "OTHER", "message": "besides" });
    for reply in [error.clone(), json!([other, error])] {
        let session = session(&org);
        let logins = org.logins();
        org.answer(Answer::json(401, &reply));
        assert_eq!(session.get::<u8>("x").unwrap(), 1, "{reply}");
        assert_eq!(org.logins(), logins + 1, "{reply}");
    }
}

#[test]
fn a_refused_login_is_remembered() {
    let org = Org::start();
    let session = lapsed(&org, Answer::json(200, "1"));
    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    let first = session.get::<u8>("things").unwrap_err();
    assert_eq!(headline(&first), "login refused: authentication failure (invalid_grant, HTTP 400)");
    assert_eq!(
        shown(&first).lines().nth(1).unwrap(),
        format!("tried: password flow, user ada@example.com, host {}, security token set", host(&org))
    );
    assert_eq!(org.take_requests().len(), 2);

    // Not even when it would be taken now.
    org.behave();
    for (method, call) in CALLS {
        assert_eq!(shown(&call(&session).unwrap_err()), shown(&first), "{method}");
    }
    let records: Vec<_> = session.query::<Value>("SELECT Id FROM Account").collect();
    assert_eq!(records.len(), 1);
    assert_eq!(shown(records[0].as_ref().unwrap_err()), shown(&first));
    assert_eq!(org.requests().len(), 0, "nothing more was sent");
}

#[test]
fn a_new_token_that_is_rejected_at_once_is_remembered() {
    for (method, call) in CALLS {
        let org = Org::start();
        let session = lapsed(&org, Answer::json(200, "1"));
        org.always("/services/data/", expired());
        let first = call(&session).unwrap_err();
        assert_eq!(headline(&first), EXPIRED, "{method}");
        assert_eq!(first.hints().len(), 1, "{method}: {first}");
        let hint = "the token of a new login was rejected at once: ";
        assert!(first.hints()[0].starts_with(hint), "{method}: {first}");
        assert_eq!(org.take_requests().len(), 3, "{method}: the request, a login, the request");

        for (again, call) in CALLS {
            assert_eq!(shown(&call(&session).unwrap_err()), shown(&first), "{again} after {method}");
        }
        assert_eq!(org.requests().len(), 0, "{method}: nothing more was sent");
    }
}

#[test]
fn a_login_that_failed_for_the_moment_is_tried_again_by_the_next_request() {
    let org = Org::start();
    let session = lapsed(&org, Answer::json(200, "1"));
    for _ in 0..3 {
        org.answer_to(TOKEN_PATH, Answer::new(503).header("Retry-After", "0"));
    }
    let error = session.get::<u8>("x").unwrap_err();
    assert_eq!(headline(&error), "unexpected reply: empty (HTTP 503)");
    assert!(error.is_transient());
    assert_eq!(org.logins(), 3);
    assert_eq!(session.get::<u8>("x").unwrap(), 1);
    assert_eq!(org.logins(), 4);
}

#[test]
fn a_new_login_that_arrives_elsewhere_is_an_error_and_remembered() {
    let org = Org::start();
    let elsewhere = Org::start();
    let id = |org_id: &str, user_id: &str| format!("https://login.salesforce.com/id/{org_id}/{user_id}");
    let theirs = id(ORG_ID, USER_ID);
    let (other_org, other_user) = ("00D5g00000OtherEAR", "0055g00000OtherAAB");
    let urls = (elsewhere.url(), org.url());
    let cases = [
        ("instance", elsewhere.url(), theirs.clone(), (&*urls.0, &*urls.1)),
        ("organization", org.url(), id(other_org, USER_ID), (other_org, ORG_ID)),
        ("user", org.url(), id(ORG_ID, other_user), (other_user, USER_ID)),
    ];
    for (what, instance, new_id, (new, old)) in cases {
        org.behave();
        lapse(&org, Answer::json(200, "1"));
        org.setup(|setup| {
            setup.instance_url = Some(instance.clone());
            setup.reply_extra.insert("id".to_owned(), Value::from(new_id));
        });
        let kept = json!({ "access_token": OLD, "instance_url": org.url(), "id": theirs });
        let session = login(&org).resume(serde_json::from_value(kept).unwrap()).unwrap();
        drop(org.take_requests());

        let first = session.get::<u8>("x").unwrap_err();
        let problem = format!("the new login arrived at another {what} ({new}) than the session's ({old})");
        assert_eq!(headline(&first), format!("unexpected reply: {problem} (HTTP 200)"));
        let hint = "the token and the login settings belong to different orgs or users: unset one of them";
        assert_eq!(first.hints(), [hint], "{what}");
        assert!(!first.is_transient(), "{what}");
        assert_eq!(session.token().access_token(), OLD, "{what}");
        assert_eq!(org.take_requests().len(), 2, "{what}: the request and a login");

        assert_eq!(shown(&session.get::<u8>("x").unwrap_err()), shown(&first), "{what}");
        assert_eq!(org.requests().len(), 0, "{what}: nothing more was sent");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn an_id_is_the_same_with_and_without_its_checksum() {
    let org = Org::start();
    lapse(&org, Answer::json(200, "1"));
    let id = format!("https://test.salesforce.com/id/{}/{}", &ORG_ID[..15], &USER_ID[..15]);
    for id in [Value::from(id), Value::Null, Value::from("https://login.salesforce.com/id/odd")] {
        let kept = json!({ "access_token": OLD, "instance_url": format!("{}/", org.url()), "id": id });
        let session = login(&org).resume(serde_json::from_value(kept).unwrap()).unwrap();
        assert_eq!(session.get::<u8>("x").unwrap(), 1, "{id}");
    }
}

#[test]
fn threads_that_meet_the_same_expired_token_log_in_once() {
    let org = Org::start();
    let session = lapsed_for_threads(&org);
    let results = at_once(|number| session.post::<Value>(&format!("things/{number}"), &number));
    for (number, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap(), json!(format!("/services/data/v66.0/things/{number}")));
    }
    assert_eq!(org.logins(), 1);
    let requests = org.requests();
    let with = |token: &str| {
        let bearer = format!("Bearer {token}");
        requests.iter().filter(|r| r.header("authorization") == Some(&*bearer)).count()
    };
    assert_eq!((with(OLD), with(NEW), requests.len()), (THREADS, THREADS, 2 * THREADS + 1));
}

#[test]
fn threads_share_a_login_that_is_refused() {
    let org = Org::start();
    let session = lapsed_for_threads(&org);
    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    for result in at_once(|_| session.get::<Value>("x")) {
        let message = "login refused: authentication failure (invalid_grant, HTTP 400)";
        assert_eq!(headline(&result.unwrap_err()), message);
    }
    assert_eq!(org.logins(), 1);
}

#[test]
fn threads_share_a_login_that_fails_for_the_moment() {
    let org = Org::start();
    let session = lapsed_for_threads(&org);
    org.always(TOKEN_PATH, Answer::html(503, "We are down for maintenance."));
    for result in at_once(|_| session.get::<Value>("x")) {
        let error = result.unwrap_err();
        let message = r#"unexpected reply: an HTML page titled "We are down for maintenance." (HTTP 503)"#;
        assert_eq!(headline(&error), message);
        assert!(error.is_transient());
    }
    assert_eq!(org.logins(), 3, "one login with its three tries");
}

#[test]
fn threads_wait_no_longer_than_their_deadline_for_a_login() {
    let org = Org::start();
    let session = lapsed_for_threads(&org).timeout(Duration::from_secs(1));
    org.always(TOKEN_PATH, Answer::stall());
    let results = within(Duration::from_secs(3), || at_once(|_| session.get::<Value>("x")));
    let own = format!("no reply from {}: no complete reply within 1 s", host(&org));
    let others =
        format!("no reply from {}: another thread's new login took longer than this request may", host(&org));
    for result in results {
        let error = result.unwrap_err();
        assert!([&own, &others].contains(&&headline(&error)), "{error}");
        assert!(error.is_transient());
    }
    assert_eq!(org.logins(), 1);
}

#[test]
fn a_thread_gives_up_on_a_login_that_has_more_time_than_itself() {
    let org = Org::start();
    let (release, held) = std::sync::mpsc::channel();
    let held = std::sync::Mutex::new(held);
    org.always_with("/services/data/v66.0/early", move |_| {
        held.lock().unwrap().recv().unwrap();
        expired()
    });
    org.always("/services/data/v66.0/late", expired());
    org.always(TOKEN_PATH, Answer::stall());
    let session = login(&org).resume(token(&org, OLD)).unwrap().timeout(Duration::from_millis(800));
    thread::scope(|scope| {
        let early = scope.spawn(|| (session.get::<Value>("early").unwrap_err(), Instant::now()));
        org.wait_for_requests(1);
        // So that the second request may take longer than the first.
        thread::sleep(Duration::from_millis(400));
        let late = scope.spawn(|| (session.get::<Value>("late").unwrap_err(), Instant::now()));
        org.wait_for_requests(3);
        release.send(()).unwrap();
        let (early, early_ended) = early.join().unwrap();
        let (late, late_ended) = late.join().unwrap();
        let message = "another thread's new login took longer than this request may";
        assert_eq!(headline(&early), format!("no reply from {}: {message}", host(&org)));
        let message = "no complete reply within 0.8 s";
        assert_eq!(headline(&late), format!("no reply from {}: {message}", host(&org)));
        assert!(early_ended < late_ended);
    });
    assert_eq!(org.logins(), 1);
}

#[test]
fn the_login_and_all_requests_share_one_connection() {
    for org in [Org::start(), Org::start_tls()] {
        let session = session(&org);
        org.always("/services/data/", Answer::json(200, "1").gzip());
        for (method, call) in CALLS {
            call(&session).unwrap_or_else(|error| panic!("{method}: {error}"));
        }
        for refusal in [
            Answer::api_error(404, "NOT_FOUND", "no"),
            Answer::html(500, "Oops"),
            Answer::new(204),
            Answer::json(400, "[]").chunked(),
        ] {
            org.answer(refusal);
            drop(session.get::<Value>("x"));
        }
        org.answer(expired());
        assert_eq!(session.get::<u8>("x").unwrap(), 1);
        session.revoke().unwrap();
        assert_eq!(org.requests().len(), 1 + CALLS.len() + 4 + 3 + 1);
        assert_eq!(org.connections(), 1, "{}", org.url());
    }
}

#[test]
fn a_connection_that_the_server_has_closed_meanwhile_is_no_error() {
    for org in [Org::start(), Org::start_tls()] {
        let session = kept(&org);
        org.always("/services/data/", Answer::json(200, "1").then_close());
        for (number, (method, call)) in CALLS.into_iter().cycle().take(10).enumerate() {
            call(&session).unwrap_or_else(|error| panic!("{method}: {error}"));
            assert_eq!(org.requests().len(), number + 1, "{method} was sent once");
            within(Duration::from_secs(5), || {
                while org.open_connections() > 0 {
                    thread::yield_now();
                }
            });
        }
        assert_eq!(org.connections(), 10, "{}", org.url());
    }
}

#[test]
fn refusals_keep_what_salesforce_said() {
    let one = |error_code: &str, message: &str, fields: &[&str]| ApiError {
        error_code: error_code.to_owned(),
        message: message.to_owned(),
        fields: fields.iter().map(|&field| field.to_owned()).collect(),
    };
    let cases = [
        (
            Answer::api_error(400, "MALFORMED_ID", "bad id 4711"),
            vec![one("MALFORMED_ID", "bad id 4711", &[])],
            "bad id 4711 (MALFORMED_ID) (HTTP 400)",
        ),
        (
            Answer::json(403, r#"{"message":"No access","errorCode":"INSUFFICIENT_ACCESS"}"#),
            vec![one("INSUFFICIENT_ACCESS", "No access", &[])],
            "No access (INSUFFICIENT_ACCESS) (HTTP 403)",
        ),
        (
            Answer::json(
                400,
                r#"[{"message":"Pflichtfelder fehlen: [Name, Öl__c]","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name","Öl__c"]},
                    {"message":"too long","errorCode":"STRING_TOO_LONG","fields":[]},{"errorCode":"OTHER"}]"#,
            ),
            vec![
                one("REQUIRED_FIELD_MISSING", "Pflichtfelder fehlen: [Name, Öl__c]", &["Name", "Öl__c"]),
                one("STRING_TOO_LONG", "too long", &[]),
                one("OTHER", "", &[]),
            ],
            "Pflichtfelder fehlen: [Name, Öl__c] (REQUIRED_FIELD_MISSING) [fields: Name, Öl__c]; too long \
             (STRING_TOO_LONG); OTHER (HTTP 400)",
        ),
        (
            Answer::json(400, r#"{"error":"invalid_request","error_description":"must be https"}"#),
            vec![one("invalid_request", "must be https", &[])],
            "must be https (invalid_request) (HTTP 400)",
        ),
        (
            Answer::json(400, r#"[{"message":"a message alone","errorCode":null,"fields":null}]"#),
            vec![one("", "a message alone", &[])],
            "a message alone (HTTP 400)",
        ),
        (
            Answer::json(
                300,
                r#"["/services/data/v66.0/sobjects/Account/001A","/services/data/v66.0/sobjects/Account/001B"]"#,
            ),
            vec![one(
                "",
                "the external id matches several records: /services/data/v66.0/sobjects/Account/001A, \
                 /services/data/v66.0/sobjects/Account/001B",
                &[],
            )],
            "the external id matches several records: /services/data/v66.0/sobjects/Account/001A, \
             /services/data/v66.0/sobjects/Account/001B (HTTP 300)",
        ),
        (
            Answer::json(
                400,
                r#"[{"message":"a\u001b[31m red\u0007\r\n line \u2028and\u202e back","errorCode":"A\u0000B","fields":["x\ny"]}]"#,
            ),
            vec![one("AB", "a[31m red line and back", &["x y"])],
            "a[31m red line and back (AB) [fields: x y] (HTTP 400)",
        ),
        (
            Answer::api_error(500, "UNKNOWN_EXCEPTION", &format!("no session {OLD} here")),
            vec![one("UNKNOWN_EXCEPTION", "(withheld: it contains a secret)", &[])],
            "(withheld: it contains a secret) (UNKNOWN_EXCEPTION) (HTTP 500)",
        ),
        (
            Answer::json(
                400,
                json!([{ "message": "m", "errorCode": OLD.replace('!', "%21"), "fields": [OLD] }]),
            ),
            vec![one("(withheld: it contains a secret)", "m", &["(withheld: it contains a secret)"])],
            "m ((withheld: it contains a secret)) [fields: (withheld: it contains a secret)] (HTTP 400)",
        ),
    ];
    let org = Org::start();
    let session = kept(&org);
    for (answer, errors, message) in cases {
        for (method, call) in CALLS {
            org.answer(answer.clone());
            let error = call(&session).unwrap_err();
            assert_eq!(headline(&error), format!("request refused: {message}"), "{method}");
            let status = error.status().unwrap();
            assert!(message.ends_with(&format!("HTTP {status})")), "{method}: {message}");
            assert_eq!(error.kind(), &ErrorKind::Api { status, errors: errors.clone() }, "{method}");
            assert!(!error.is_transient(), "{method}: {message}");
        }
    }
}

#[test]
fn refusals_of_another_shape_say_what_came() {
    let cases = [
        (Answer::text(403, "Bad_OAuth_Token"), "text that is not JSON: Bad_OAuth_Token (HTTP 403)"),
        (Answer::text(400, " two\u{1b}[2J\nlines "), "text that is not JSON: two[2J lines (HTTP 400)"),
        (
            Answer::text(400, &format!("token {OLD}")),
            "text that is not JSON: (withheld: it contains a secret) (HTTP 400)",
        ),
        (
            Answer::text(500, &"é".repeat(501)),
            &format!("text that is not JSON: {}... (HTTP 500)", "é".repeat(500)),
        ),
        (
            Answer::html(404, "URL No Longer Exists"),
            r#"an HTML page titled "URL No Longer Exists" (HTTP 404)"#,
        ),
        (Answer::text(404, "\n\n <html><body>x"), "an HTML page (HTTP 404)"),
        (
            Answer::html(500, &format!("Error for {OLD}")),
            "an HTML page titled \"(withheld: it contains a secret)\" (HTTP 500)",
        ),
        (Answer::new(500), "empty (HTTP 500)"),
        (Answer::text(400, " \r\n"), "empty (HTTP 400)"),
        (Answer::json(400, "[]"), "JSON of another shape than documented (HTTP 400)"),
        (Answer::json(400, "{}"), "JSON of another shape than documented (HTTP 400)"),
        (Answer::json(400, r#"["an error"]"#), "JSON of another shape than documented (HTTP 400)"),
        (Answer::json(400, "4711"), "JSON of another shape than documented (HTTP 400)"),
        (Answer::json(400, r#"{"message""#), r#"text that is not JSON: {"message" (HTTP 400)"#),
        (Answer::html(420, "Unknown"), r#"an HTML page titled "Unknown" (HTTP 420)"#),
    ];
    let org = Org::start();
    let session = kept(&org);
    for (answer, problem) in cases {
        for (method, call) in CALLS {
            org.answer(answer.clone());
            let error = call(&session).unwrap_err();
            assert_eq!(headline(&error), format!("unexpected reply: {problem}"), "{method}");
            assert!(matches!(error.kind(), ErrorKind::Unexpected { .. }), "{method}: {problem}");
            assert!(!error.is_transient(), "{method}: {problem}");
        }
    }
}

#[test]
fn what_a_session_is_shows_no_secret() {
    let org = Org::start();
    let session = kept(&org);
    let says = |thing: &dyn Debug, wanted: String| {
        let said = format!("{thing:?}");
        support::assert_no_secret(&said);
        assert_eq!(said, wanted);
    };
    says(&session, format!("Session {{ instance_url: {:?}, version: \"v66.0\", .. }}", org.url()));
    says(&session.token(), format!("Token {{ instance_url: {:?}, .. }}", org.url()));
    let records = session.query::<Value>(&format!("SELECT Id FROM X WHERE Y = '{OLD}'"));
    says(&records, "Records { given: 0, total: None, .. }".to_owned());
}

const THREADS: usize = 8;

#[derive(Debug, Deserialize, PartialEq)]
struct Account {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Employees")]
    employees: u32,
}

pub fn token(org: &Org, access_token: &str) -> Token {
    Token::new(access_token, org.url()).expect("a good token")
}

/// A session of a token alone, which cannot log in.
pub fn kept(org: &Org) -> Session {
    watch_logs();
    Session::new(token(org, OLD)).expect("an environment that can be used").agent(agent(org))
}

/// The host as messages have it.
pub fn host(org: &Org) -> &'static str {
    let url = org.url();
    let host = url.split("//").nth(1).expect("a URL has a host");
    host.to_owned().leak()
}

pub fn expired() -> Answer {
    Answer::api_error(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

/// Takes for valid only the token of a new login, and answers this to requests that have it.
fn lapse(org: &Org, answer: Answer) {
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    org.always_with("/services/data/", move |request| {
        if request.header("authorization") == Some(&*format!("Bearer {NEW}")) {
            answer.clone()
        } else {
            expired()
        }
    });
}

/// A session whose token has lapsed, and which can log in again.
fn lapsed(org: &Org, answer: Answer) -> Session {
    lapse(org, answer);
    login(org).resume(token(org, OLD)).expect("good settings")
}

/// As `lapsed`, for threads that all meet the old token before any has a new one.
fn lapsed_for_threads(org: &Org) -> Session {
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    let all = Barrier::new(THREADS);
    org.always_with("/services/data/", move |request| {
        if request.header("authorization") == Some(&*format!("Bearer {NEW}")) {
            Answer::json(200, json!(request.path))
        } else {
            all.wait();
            expired()
        }
    });
    login(org).resume(token(org, OLD)).expect("good settings").timeout(Duration::from_secs(20))
}

/// Calls it from all threads at once.
fn at_once<T: Send>(call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let call = &call;
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || call(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// The result, if it comes in time.
#[track_caller]
pub fn within<T>(limit: Duration, act: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = act();
    assert!(started.elapsed() < limit, "it took {:?}", started.elapsed());
    result
}

/// The one request that has come since somebody asked last.
#[track_caller]
pub fn only_request(org: &Org) -> Request {
    let mut requests = org.take_requests();
    let lines: Vec<_> = requests.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    requests.remove(0)
}

fn headers_but_the_agents_name(request: &Request) -> Vec<(&str, &str)> {
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut headers: Vec<_> = headers.filter(|(name, _)| *name != "user-agent").collect();
    headers.sort_unstable();
    headers
}

fn run_get(session: &Session) -> Result<http::Response<ureq::Body>, Error> {
    session.run(http::Request::get(session.url("x")?).body("").expect("a good request"))
}

fn all_records(session: &Session) -> Vec<Result<Value, Error>> {
    session.query("SELECT Id FROM Account").collect()
}

fn with_token<'a>(org: &Org, more: &[(&'a str, String)]) -> Vec<(&'a str, String)> {
    let mut env = vec![("SF_ACCESS_TOKEN", OLD.to_owned()), ("SF_ORG_INSTANCE_URL", org.url())];
    env.extend(more.iter().cloned());
    env
}
