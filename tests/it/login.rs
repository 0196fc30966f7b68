//! The password flow: the bytes that are sent, the deadlines that are kept, and what is shown.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use fake_org::{Answer, CLIENT_ID, CLIENT_SECRET, ORG_ID, Org, PASSWORD, SECURITY_TOKEN, USER_ID, USERNAME};
use serde_json::Value;
use sf_login::ureq::http::Uri;
use sf_login::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use sf_login::ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use sf_login::{ApiError, App, Error, ErrorKind, Login, Records, Session, Token, ureq};

use crate::support::{agent, assert_no_secret, forms, headline, login, session, sf_login, shown, watch_logs};

/// All that a form, a URL, a shell or JSON might take for its own.
const AWKWARD: &str = "space + & = % # \" ' \\ / ; < > ä 😀";

/// The same, form-encoded once.
const AWKWARD_ENCODED: &str = "space+%2B+%26+%3D+%25+%23+%22+%27+%5C+%2F+%3B+%3C+%3E+%C3%A4+%F0%9F%98%80";

/// How much later than its deadline a login may end, on a busy machine.
const SLACK: Duration = Duration::from_millis(1500);

#[test]
fn login_encodes_each_value_once_and_appends_the_security_token() {
    let org = Org::start();
    let login = App::new(format!("id {AWKWARD}"), format!("secret {AWKWARD}"))
        .password(format!("user {AWKWARD}"), format!("password {AWKWARD}"))
        .security_token(format!(" token {AWKWARD}"))
        .login_url(org.url())
        .agent(agent(&org));
    let error = login.token().unwrap_err();
    assert_eq!(headline(&error), "login refused: client identifier invalid (invalid_client_id, HTTP 400)");

    let requests = org.take_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].text(),
        format!(
            "grant_type=password\
             &client_id=id+{AWKWARD_ENCODED}\
             &client_secret=secret+{AWKWARD_ENCODED}\
             &username=user+{AWKWARD_ENCODED}\
             &password=password+{AWKWARD_ENCODED}+token+{AWKWARD_ENCODED}"
        )
    );
    // And the other way round, by somebody else's decoder.
    let field = |name: &str, value: String| (name.to_owned(), value);
    assert_eq!(
        requests[0].form(),
        [
            field("grant_type", "password".to_owned()),
            field("client_id", format!("id {AWKWARD}")),
            field("client_secret", format!("secret {AWKWARD}")),
            field("username", format!("user {AWKWARD}")),
            field("password", format!("password {AWKWARD} token {AWKWARD}")),
        ]
    );
}

#[test]
fn binary_sends_exactly_these_bytes() {
    let org = Org::start();
    let mut env = org.env();
    env.retain(|(name, _)| *name != "SF_CLIENT_SECRET" && *name != "SF_PASSWORD");
    env.push(("SF_CLIENT_SECRET", AWKWARD.to_owned()));
    env.push(("SF_PASSWORD", AWKWARD.to_owned()));
    let run = sf_login(&env, &[]);
    assert_eq!((run.code, &*run.stdout), (Some(3), ""));
    assert!(forms(AWKWARD).iter().all(|form| !run.stderr.contains(form)), "{}", run.stderr);

    let requests = org.take_requests();
    assert_eq!(requests.len(), 1);
    let body = format!(
        "grant_type=password&client_id={CLIENT_ID}&client_secret={AWKWARD_ENCODED}\
         &username=ada%40example.com&password={AWKWARD_ENCODED}{SECURITY_TOKEN}"
    );
    assert_eq!(requests[0].text(), body);
    let head = format!(
        "POST /services/oauth2/token HTTP/1.1\r\n\
         accept-encoding: gzip\r\n\
         user-agent: sf-login/{}\r\n\
         host: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\
         accept: application/json\r\n\
         content-length: {}\r\n\
         \r\n",
        env!("CARGO_PKG_VERSION"),
        org.addr(),
        body.len()
    );
    assert_eq!(String::from_utf8_lossy(&requests[0].raw_head), head);
}

#[test]
fn login_is_one_post_on_one_connection() {
    for org in [Org::start(), Org::start_tls()] {
        let token = login(&org).token().unwrap();
        assert_eq!(token.instance_url(), org.url());
        assert_eq!(token.organization_id(), Some(ORG_ID));
        assert_eq!(token.user_id(), Some(USER_ID));
        let requests = org.take_requests();
        let lines: Vec<_> = requests.iter().map(|r| (&*r.method, &*r.path, &*r.query)).collect();
        assert_eq!(lines, [("POST", "/services/oauth2/token", "")]);
        assert_eq!((org.logins(), org.connections()), (1, 1));
    }
}

#[test]
fn making_a_login_sends_nothing() {
    let org = Org::start();
    let kept = Token::new("00D!AQkept", org.url()).unwrap();
    drop(login(&org).resume(kept).unwrap());
    drop(login(&org).timeout(Duration::ZERO));
    assert_eq!(org.connections(), 0);
}

#[test]
fn app_without_a_secret_sends_none() {
    let org = Org::start();
    org.setup(|setup| setup.secret_required = false);
    let token = App::without_secret(CLIENT_ID)
        .password(USERNAME, PASSWORD)
        .security_token(SECURITY_TOKEN)
        .login_url(org.url())
        .agent(agent(&org))
        .token()
        .unwrap();
    assert_eq!(token.user_id(), Some(USER_ID));
    let names = names_sent(&org);
    assert_eq!(names, ["grant_type", "client_id", "username", "password"]);
}

#[test]
fn empty_security_token_changes_nothing() {
    let org = Org::start();
    org.setup(|setup| setup.security_token_required = false);
    login(&org).security_token("").token().unwrap();
    let requests = org.take_requests();
    assert_eq!(requests[0].param("password").as_deref(), Some(PASSWORD));
    assert_eq!(requests[0].form().len(), 5);
}

#[test]
fn latest_security_token_counts() {
    let org = Org::start();
    login(&org).security_token("an old one").security_token(SECURITY_TOKEN).token().unwrap();
    assert_eq!(org.take_requests()[0].param("password"), Some(format!("{PASSWORD}{SECURITY_TOKEN}")));
}

#[test]
fn one_login_can_be_used_again() {
    let org = Org::start();
    let login = login(&org);
    let tokens: HashSet<String> =
        (0..3).map(|_| login.clone().token().unwrap().access_token().to_owned()).collect();
    assert_eq!(tokens.len(), 3);
    // All clones share the agent and so its connection.
    assert_eq!((org.logins(), org.connections()), (3, 1));
}

#[test]
fn server_that_does_not_answer_in_time_is_left_at_the_deadline() {
    let reply = r#"{"access_token":"00D!AQ","instance_url":"https://acme.my.salesforce.com"}"#;
    let pace = Duration::from_millis(40);
    let cases = [
        ("stalled", Answer::stall()),
        ("late", Answer::json(200, reply).delay(Duration::from_secs(60))),
        ("dripped head", Answer::json(200, reply).drip_head(pace)),
        ("dripped body", Answer::json(200, reply).drip(pace)),
        ("dripped chunks", Answer::json(200, reply).chunked().drip(pace)),
        ("dripped gzip", Answer::json(200, reply).gzip().drip(pace)),
        ("dripped until the end", Answer::json(200, reply).by_close().drip(pace)),
        ("endless header", Answer::raw(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1000))).drip(pace)),
        ("dripped page", Answer::html(503, "Maintenance").drip(pace)),
        ("stalled body", Answer::json(200, reply).stall_after(20)),
    ];
    for (case, answer) in cases {
        let org = Org::start();
        org.answer(answer);
        let error = ends_at(Duration::from_millis(200), case, |timeout| login(&org).timeout(timeout));
        let cause = "no complete reply within 0.2 s".to_owned();
        let host = org.addr().to_string();
        assert_eq!(headline(&error), format!("no reply from {host}: {cause}"), "{case}");
        assert_eq!(*error.kind(), ErrorKind::Transport { host, cause }, "{case}");
        assert_eq!(error.status(), None, "{case}");
        assert!(error.is_transient(), "{case}");
        // What was sent may have been a login.
        assert_eq!(org.logins(), 1, "{case}");
    }
}

#[test]
fn refusal_whose_reason_does_not_come_is_a_refusal() {
    let org = Org::start();
    let slow = Answer::oauth_error("invalid_grant", "authentication failure").drip(Duration::from_millis(40));
    org.answer(slow);
    let error = ends_at(Duration::from_millis(200), "slow", |timeout| login(&org).timeout(timeout));
    assert_eq!(headline(&error), "unexpected reply: cut off or damaged on its way (HTTP 400)");
    assert_eq!(error.status(), Some(400));
    assert!(!error.is_transient());
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
        let org = Org::start();
        let error =
            ends_at(Duration::from_millis(200), &url, |timeout| login(&org).login_url(&url).timeout(timeout));
        assert_eq!(headline(&error), format!("no reply from {addr}: {cause}"), "{url}");
    }
}

#[test]
fn deadline_counts_retries_and_their_pauses() {
    let org = Org::start();
    org.always("/services/oauth2/token", Answer::html(503, "Maintenance"));
    // The first pause, of a quarter of a second, still fits in; the second one does not.
    let error = ends_at(Duration::from_millis(600), "retries", |timeout| login(&org).timeout(timeout));
    assert_eq!(headline(&error), "unexpected reply: an HTML page titled \"Maintenance\" (HTTP 503)");
    assert_eq!(org.logins(), 2);
}

#[test]
fn shortest_timeout_is_over_at_once() {
    let org = Org::start();
    org.always("/services/oauth2/token", Answer::stall());
    let error = ends_at(Duration::ZERO, "zero", |timeout| login(&org).timeout(timeout));
    let headline = headline(&error);
    // On a busy machine a millisecond is over before the connection is there.
    let causes = ["no complete reply", "could not connect", "the name was not resolved"];
    let expected = causes.map(|cause| format!("no reply from {}: {cause} within 0.001 s", org.addr()));
    assert!(expected.contains(&headline), "{headline}");
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

#[test]
fn refused_connection_is_named_once() {
    let org = Org::start();
    let (addr, _kept) = nobody();
    for url in [format!("http://{addr}"), format!("https://{addr}/")] {
        let error = login(&org).login_url(&url).timeout(Duration::from_millis(200)).token().unwrap_err();
        assert_eq!(headline(&error), format!("no reply from {addr}: the connection was refused"), "{url}");
        assert!(error.is_transient(), "{url}");
        assert_eq!(shown(&error).matches("the connection was refused").count(), 1, "{url}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn unknown_host_is_named() {
    let org = Org::start();
    let error = login(&org).login_url("https://acme.invalid").token().unwrap_err();
    assert_eq!(headline(&error), "no reply from acme.invalid: the host name was not found");
    assert!(error.is_transient());
    let tried = shown(&error).lines().nth(1).map(str::to_owned);
    let expected = "tried: password flow, user ada@example.com, host acme.invalid, security token set";
    assert_eq!(tried.as_deref(), Some(expected));
}

#[test]
fn name_that_is_not_resolved_in_time_is_left_at_the_deadline() {
    let org = Org::start();
    let agent = ureq::Agent::with_parts(ureq::config::Config::default(), DefaultConnector::new(), SlowNames);
    let error = ends_at(Duration::from_millis(200), "slow names", |timeout| {
        login(&org).agent(agent.clone()).timeout(timeout)
    });
    assert_eq!(
        headline(&error),
        format!("no reply from {}: the name was not resolved within 0.2 s", org.addr())
    );
    assert!(error.is_transient());
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
        (
            format!("{login:?}"),
            format!("Login {{ tries: password flow, user {USERNAME}, host {host}, security token set, .. }}"),
        ),
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
fn login_says_what_it_tries() {
    let user = || App::new("id", "a secret").password("ada@example.com", "a password");
    let cases = [
        (user(), "password flow, user ada@example.com, host login.salesforce.com, security token not set"),
        (
            user().security_token("a token").login_url("ACME.my.salesforce.com/"),
            "password flow, user ada@example.com, host acme.my.salesforce.com, security token set",
        ),
        (
            user().login_url("http://salesforce.com"),
            "password flow, user ada@example.com, security token not set",
        ),
        (
            App::new("id", "a secret").password("ada\r\n\u{1b}[31m\u{202e}", "a password"),
            "password flow, user ada [31m, host login.salesforce.com, security token not set",
        ),
    ];
    for (login, expected) in cases {
        assert_eq!(login.to_string(), expected);
        assert_eq!(format!("{login:?}"), format!("Login {{ tries: {expected}, .. }}"));
    }
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
fn error_is_small_and_cheap_to_clone() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    let org = Org::start();
    let error = login(&org).security_token("stale").token().unwrap_err();
    let clone = error.clone();
    assert_eq!(shown(&clone), shown(&error));
    // The same, not an equal one.
    assert!(std::ptr::eq(clone.kind(), error.kind()));
    assert!(std::error::Error::source(&error).is_none());
}

/// A resolver that takes all the time it is given.
#[derive(Debug)]
struct SlowNames;

impl Resolver for SlowNames {
    fn resolve(
        &self,
        _: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        std::thread::sleep(*timeout.after);
        Err(ureq::Error::Timeout(timeout.reason))
    }
}

/// Logs in with this timeout, and gives the error once it is sure that it came in time.
#[track_caller]
fn ends_at(timeout: Duration, case: &str, login: impl Fn(Duration) -> Login) -> Error {
    watch_logs();
    let login = login(timeout);
    let begin = Instant::now();
    let error = login.token().expect_err(case);
    let elapsed = begin.elapsed();
    assert!(elapsed < timeout + SLACK, "{case}: it took {elapsed:?}");
    error
}

fn names_sent(org: &Org) -> Vec<String> {
    org.take_requests()[0].form().into_iter().map(|(name, _)| name).collect()
}

/// An address at which nobody listens, as long as the connection is kept: it is its client's own.
fn nobody() -> (SocketAddr, (TcpListener, TcpStream)) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (stream.local_addr().unwrap(), (listener, stream))
}
