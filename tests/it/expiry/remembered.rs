//! What is remembered of a new login that brought no session, and for how long.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use fake_org::{Answer, Org, Proxy};
use serde_json::{Value, json};
use sf_login::{Token, ureq};

use super::{EXPIRED, expired_session, only_new_token};
use crate::support::{CALLS, OLD, TOKEN_PATH, agent, at_once, expired, headline, host, login, shown, token};

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
            let url = format!("https://{}", door.addr);
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
