//! What becomes of an expired session: the new login, what is remembered of it, and threads that share it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use fake_org::{Answer, ORG_ID, Org, Proxy, Request, USER_ID};
use serde_json::{Value, json};
use sf_login::{Session, Token, ureq};

use crate::support::{
    CALLS, LIMITS, NEW, OLD, SOON, TOKEN_PATH, agent, at_once, expired, headline, host, kept, login,
    only_request, paths, session, shown, token, within,
};

const EXPIRED: &str = "request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 401)";

const THREADS: usize = 8;

#[test]
fn an_expired_session_is_replaced_and_the_request_sent_again() {
    for (method, call) in CALLS {
        let org = Org::start();
        let session = expired_session(&org, Answer::json(200, r#"{"id":"001"}"#));
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
fn a_session_without_a_login_tells_that_it_has_expired() {
    let org = Org::start();
    only_new_token(&org, Answer::json(200, "1"));
    let session = kept(&org);
    for (method, call) in CALLS {
        let error = call(&session).unwrap_err();
        assert_eq!(headline(&error), EXPIRED, "{method}");
        assert_eq!(error.hints().len(), 1, "{method}: {error}");
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
    let session = expired_session(&org, Answer::json(200, "1"));
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
        let session = expired_session(&org, Answer::json(200, "1"));
        org.always("/services/data/", expired());
        let first = call(&session).unwrap_err();
        assert_eq!(headline(&first), EXPIRED, "{method}");
        assert_eq!(first.hints().len(), 1, "{method}: {first}");
        assert_eq!(org.take_requests().len(), 3, "{method}: the request, a login, the request");

        for (again, call) in CALLS {
            assert_eq!(shown(&call(&session).unwrap_err()), shown(&first), "{again} after {method}");
        }
        assert_eq!(org.requests().len(), 0, "{method}: nothing more was sent");
    }
}

#[test]
fn a_new_login_that_failed_for_the_moment_is_tried_again_after_a_second() {
    let later = |answer: Answer| answer.header("Retry-After", "0");
    let passing = [
        ("a maintenance page", Answer::html(200, "Maintenance")),
        ("a portal", Answer::redirect(302, "https://portal.example/")),
        ("nothing", Answer::new(200)),
        ("408", Answer::new(408)),
        ("420", Answer::html(420, "No route")),
        ("500", Answer::html(500, "Oops")),
        ("503", later(Answer::new(503))),
        ("520", Answer::html(520, "Unknown error")),
        ("500 in JSON", Answer::json(500, json!({ "status": 500, "error": "Internal Server Error" }))),
        ("503 in JSON", later(Answer::json(503, json!({ "status": 503, "error": "Service Unavailable" })))),
        ("503 in a word", later(Answer::json(503, json!({ "error": "unavailable" })))),
        ("404 in JSON", Answer::json(404, json!({ "error": "Not Found" }))),
        ("a portal's JSON", Answer::json(200, json!({ "error": "portal" }))),
        ("a lost connection", Answer::close()),
        ("garbage", Answer::raw("SSH-2.0-OpenSSH_9.6\r\n")),
        ("rate_limit_exceeded", Answer::oauth_error("rate_limit_exceeded", "login rate exceeded")),
        ("temporarily_unavailable", Answer::oauth_error("temporarily_unavailable", "later")),
        ("unknown_error", Answer::oauth_error("unknown_error", "something else")),
    ];
    at_once(passing, |(name, answer)| {
        let org = Org::start();
        let session = expired_session(&org, Answer::json(200, "1"));
        org.always(TOKEN_PATH, answer);
        session.get::<u8>("x").expect_err(name);
        let logins = org.logins();

        // It is the time that is tested.
        thread::sleep(MORE_THAN_A_SECOND);
        org.behave();
        only_new_token(&org, Answer::json(200, "1"));
        assert_eq!(session.get::<u8>("x").unwrap_or_else(|error| panic!("{name}: {error}")), 1, "{name}");
        assert_eq!(org.logins(), logins + 1, "{name}");
    });
}

#[test]
fn a_new_login_that_tls_or_a_proxy_refused_for_the_moment_is_tried_again_after_a_second() {
    // Logins take another way than requests, by the door that is shut for a while.
    let alert = b"\x15\x03\x03\x00\x02\x02\x28";
    let wants_a_password = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    at_once([("TLS", &alert[..]), ("a proxy", wants_a_password)], |(name, refusal)| {
        let org = Org::start_tls();
        let proxy = Proxy::start(&org);
        let to = if name == "TLS" { org.addr() } else { proxy.url().replace("http://", "").parse().unwrap() };
        let door = Door::before(to, refusal);
        let (session, instance) = if name == "TLS" {
            let url = format!("https://localhost:{}", door.addr.port());
            (login(&org).login_url(url).resume(token(&org, OLD)).unwrap(), org.url())
        } else {
            let instance = "https://acme.my.salesforce.com".to_owned();
            let roots = agent(&org).config().tls_config().clone();
            let proxy = ureq::Proxy::new(&format!("http://{}", door.addr)).unwrap();
            let agent = ureq::Agent::config_builder().tls_config(roots).proxy(Some(proxy)).build();
            let login = login(&org).agent(agent.new_agent()).login_url("https://login.salesforce.com");
            (login.resume(Token::new(OLD, &instance).unwrap()).unwrap(), instance)
        };
        org.setup(|setup| setup.instance_url = Some(instance));
        // The connection that requests have from now on.
        org.answer(Answer::json(200, "1"));
        assert_eq!(session.get::<u8>("x").unwrap(), 1, "{name}");
        only_new_token(&org, Answer::json(200, "2"));

        door.shut(true);
        session.get::<u8>("x").expect_err(name);
        assert_eq!(org.logins(), 0, "{name}");
        thread::sleep(MORE_THAN_A_SECOND);
        door.shut(false);
        assert_eq!(session.get::<u8>("x").unwrap_or_else(|error| panic!("{name}: {error}")), 2, "{name}");
        assert_eq!(org.logins(), 1, "{name}");
    });
}

#[test]
fn a_new_login_whose_credentials_are_refused_is_never_tried_again() {
    let truncated = |status| Answer::json(status, json!({ "error": "invalid_grant" })).cut_after(9);
    let refused = [
        ("invalid_grant", Answer::oauth_error("invalid_grant", "authentication failure")),
        ("invalid_client", Answer::oauth_error("invalid_client", "invalid client credentials")),
        ("inactive_user", Answer::oauth_error("inactive_user", "user is inactive")),
        ("inactive_org", Answer::oauth_error("inactive_org", "organization is inactive")),
        ("a code nobody knows", Answer::oauth_error("not_yet_documented", "")),
        ("401", Answer::json(401, json!({ "error": "invalid_grant" }))),
        ("a truncated 400", truncated(400)),
        ("a truncated 401", truncated(401)),
        ("a truncated 403", truncated(403)),
        ("an empty 400", Answer::new(400)),
        ("an empty 401", Answer::new(401)),
        ("a page with 403", Answer::html(403, "Forbidden")),
    ];
    at_once(refused, |(name, answer)| {
        let org = Org::start();
        let session = expired_session(&org, Answer::json(200, "1"));
        org.always(TOKEN_PATH, answer);
        let first = session.get::<u8>("x").expect_err(name);
        assert_eq!(org.logins(), 1, "{name}");
        drop(org.take_requests());

        // It is the time that is tested.
        thread::sleep(MORE_THAN_A_SECOND);
        org.behave();
        only_new_token(&org, Answer::json(200, "1"));
        assert_eq!(shown(&session.get::<u8>("x").expect_err(name)), shown(&first), "{name}");
        assert_eq!(org.requests().len(), 0, "{name}: nothing more was sent");
    });
}

#[test]
fn a_request_that_is_overtaken_by_a_new_login_uses_its_token() {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    let (release, held) = mpsc::channel();
    let held = Mutex::new(held);
    org.always_with("/services/data/", move |request| {
        let new = request.header("authorization") == Some(&*format!("Bearer {NEW}"));
        if new {
            return Answer::json(200, "1");
        }
        if request.path.ends_with("/slow") {
            held.lock().unwrap().recv().expect("the test goes on");
        }
        expired()
    });
    let session = login(&org).resume(token(&org, OLD)).unwrap();
    thread::scope(|scope| {
        let slow = scope.spawn(|| session.get::<u8>("slow"));
        org.wait_for_requests(1);
        assert_eq!(session.get::<u8>("quick").unwrap(), 1);
        release.send(()).expect("the answer waits");
        assert_eq!(slow.join().unwrap().unwrap(), 1);
    });
    assert_eq!(org.logins(), 1);
}

#[test]
fn a_new_login_that_arrives_elsewhere_is_an_error_and_remembered() {
    let org = Org::start();
    let elsewhere = Org::start();
    let id = |org_id: &str, user_id: &str| format!("https://login.salesforce.com/id/{org_id}/{user_id}");
    let theirs = id(ORG_ID, USER_ID);
    let (other_org, other_user) = ("00D5g00000OtherEAR", "0055g00000OtherAAB");
    let instances = format!("instance ({}) than the session's ({})", elsewhere.url(), org.url());
    let cases = [
        ("instance", elsewhere.url(), theirs.clone(), &*instances),
        ("organization", org.url(), id(other_org, USER_ID), "organization than the session's"),
        ("user", org.url(), id(ORG_ID, other_user), "user than the session's"),
    ];
    for (what, instance, new_id, told) in cases {
        org.behave();
        only_new_token(&org, Answer::json(200, "1"));
        org.setup(|setup| {
            setup.instance_url = Some(instance.clone());
            setup.reply_extra.insert("id".to_owned(), Value::from(new_id));
        });
        let kept = json!({ "access_token": OLD, "instance_url": org.url(), "id": theirs });
        let session = login(&org).resume(serde_json::from_value(kept).unwrap()).unwrap();
        drop(org.take_requests());

        let first = session.get::<u8>("x").unwrap_err();
        let message = format!("unexpected reply: the new login arrived at another {told} (HTTP 200)");
        assert_eq!(headline(&first), message);
        assert_eq!(first.hints().len(), 1, "{what}: {first}");
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
    only_new_token(&org, Answer::json(200, "1"));
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
    let session = expired_for_threads(&org);
    let results = at_once(0..THREADS, |number| session.post::<Value>(&format!("things/{number}"), &number));
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
fn threads_share_a_login_that_fails() {
    let maintenance = Answer::html(503, "Maintenance");
    for (answer, message, tries) in [
        (Answer::oauth_error("invalid_grant", "no"), "login refused: no (invalid_grant, HTTP 400)", 1),
        (maintenance, "unexpected reply: an HTML page titled \"Maintenance\" (HTTP 503)", 3),
    ] {
        let org = Org::start();
        let session = expired_for_threads(&org);
        org.always(TOKEN_PATH, answer);
        for result in at_once(0..THREADS, |_| session.get::<Value>("x")) {
            let error = result.unwrap_err();
            assert_eq!((headline(&error), error.is_transient()), (message.to_owned(), tries > 1));
        }
        assert_eq!(org.logins(), tries, "{message}");
    }
}

#[test]
fn clones_share_the_token_and_the_login_and_have_settings_of_their_own() {
    let org = Org::start();
    let session = expired_session(&org, Answer::json(200, "1"));
    let clone = session.clone().api_version("61.0").timeout(Duration::from_secs(5));
    assert_eq!(clone.get::<u8>("limits").unwrap(), 1);
    let old = "/services/data/v61.0/limits";
    assert_eq!(paths(&org.take_requests()), [old, TOKEN_PATH, old]);
    // The other has the new token without asking for it.
    assert_eq!(session.token().access_token(), NEW);
    assert_eq!(session.get::<u8>("limits").unwrap(), 1);
    assert_eq!(paths(&org.take_requests()), [LIMITS]);

    // They share a refusal as well.
    let session = login(&org).resume(token(&org, OLD)).unwrap();
    let clone = session.clone();
    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    let first = session.get::<u8>("x").unwrap_err();
    assert_eq!(headline(&first), "login refused: authentication failure (invalid_grant, HTTP 400)");
    drop(org.take_requests());
    assert_eq!(shown(&clone.get::<u8>("x").unwrap_err()), shown(&first));
    assert_eq!(org.requests().len(), 0, "nothing more was sent");
}

#[test]
fn a_thread_gives_up_on_a_login_that_has_more_time_than_itself() {
    let org = Org::start();
    let session = expired_session(&org, Answer::json(200, "1"));
    let (release, held) = mpsc::channel();
    let (held, url) = (Mutex::new(held), org.url());
    org.always_with(TOKEN_PATH, move |_| {
        held.lock().unwrap().recv().expect("the test goes on");
        Answer::json(200, json!({ "access_token": NEW, "instance_url": url }))
    });
    let hasty = session.clone().timeout(Duration::from_millis(500));
    thread::scope(|scope| {
        let patient = scope.spawn(|| session.get::<u8>("x"));
        // Its request, and its login.
        org.wait_for_requests(2);
        let error = within(SOON, move || hasty.get::<u8>("x").unwrap_err());
        assert!(error.is_transient(), "{error}");
        let cause = "another thread's new login took longer than this request may";
        assert_eq!(headline(&error), format!("no reply from {}: {cause}", host(&org)));
        release.send(()).expect("the login waits");
        assert_eq!(patient.join().unwrap().unwrap(), 1);
    });
    assert_eq!(org.logins(), 1);

    // Nor has its own login more time than its request.
    let session = expired_session(&org, Answer::json(200, "1")).timeout(Duration::from_secs(1));
    org.always(TOKEN_PATH, Answer::stall());
    let error = within(SOON, move || session.get::<u8>("x").unwrap_err());
    assert_eq!(headline(&error), format!("no reply from {}: no complete reply within 1 s", host(&org)));
}

/// Takes for valid only the token of a new login, and answers this to requests that have it.
fn only_new_token(org: &Org, answer: Answer) {
    org.setup(|setup| setup.token = Some(NEW.to_owned()));
    org.always_with("/services/data/", move |request| {
        if request.header("authorization") == Some(&*format!("Bearer {NEW}")) {
            answer.clone()
        } else {
            expired()
        }
    });
}

/// A session whose token has expired, and which can log in again.
fn expired_session(org: &Org, answer: Answer) -> Session {
    only_new_token(org, answer);
    login(org).resume(token(org, OLD)).expect("good settings")
}

/// As `expired_session`, for threads that all meet the old token before any has a new one.
fn expired_for_threads(org: &Org) -> Session {
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

/// For how long a failure that passes is shared, and a little more.
const MORE_THAN_A_SECOND: Duration = Duration::from_millis(1200);

/// A port that leads to another one, or says no while it is shut.
struct Door {
    addr: SocketAddr,
    shut: Arc<AtomicBool>,
}

impl Door {
    /// Whoever comes while it is shut gets `refusal`.
    fn before(to: SocketAddr, refusal: &'static [u8]) -> Door {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (addr, shut) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let is_shut = Arc::clone(&shut);
        thread::spawn(move || {
            for came in listener.incoming().map_while(Result::ok) {
                let is_shut = is_shut.load(SeqCst);
                thread::spawn(move || if is_shut { refuse(came, refusal) } else { lead(came, to) });
            }
        });
        Door { addr, shut }
    }

    fn shut(&self, shut: bool) {
        self.shut.store(shut, SeqCst);
    }
}

/// Once the client has said something, and until it goes.
fn refuse(mut client: TcpStream, refusal: &[u8]) {
    let mut first = [0; 4096];
    let _ = client.read(&mut first).and_then(|_| client.write_all(refusal));
    let _ = client.read_to_end(&mut Vec::new());
}

fn lead(client: TcpStream, to: SocketAddr) {
    let server = TcpStream::connect(to).expect("it leads somewhere");
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        // However it ends, the other end hears of it.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    };
    let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || copy(back, forth));
    copy(client, server);
}
