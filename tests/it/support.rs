//! What all tests need: logins and sessions at a fake org, requests and answers, and time.

mod binary;
mod said;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, JWT_KEY, Org, PASSWORD, Proxy, REDIRECT_URI, Request, SECURITY_TOKEN,
    SITE_PASSWORD, SITE_USERNAME, USERNAME,
};
use serde_json::{Value, json};
use sf_login::ureq::config::Config;
use sf_login::ureq::http::{self, Uri};
use sf_login::ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use sf_login::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use sf_login::ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use sf_login::{App, Error, Login, Session, Token, ureq};

pub use binary::*;
pub use said::*;

/// A token that has expired, or was kept, and the one that a new login gives.
pub const OLD: &str = "00D5g00000FakeO!AQold.Token_0123456789";
pub const NEW: &str = "00D5g00000FakeO!AQnew.Token_0123456789";

/// `CLIENT_SECRET`, form-encoded once.
pub const CLIENT_SECRET_ENCODED: &str = "se+cret%2B1955%2627%3D99%25%22%5C%C3%B6%2F";

pub const TOKEN_PATH: &str = "/services/oauth2/token";
pub const SITE_TOKEN_PATH: &str = "/customers/services/oauth2/token";
pub const AUTHORIZE_PATH: &str = "/customers/services/oauth2/authorize";
pub const REVOKE_PATH: &str = "/services/oauth2/revoke";
pub const LIMITS: &str = "/services/data/v66.0/limits";
pub const QUERY: &str = "/services/data/v66.0/query";

/// The smallest reply that is a token.
pub const MINIMAL: &str =
    r#"{"access_token":"00D!AQminimal","instance_url":"https://acme.my.salesforce.com"}"#;

/// The error of a login that gets this answer as often as it asks.
#[track_caller]
pub fn refusal(org: &Org, answer: Answer) -> Error {
    // So that a retry, where there is one, does not wait.
    org.always(TOKEN_PATH, answer.header("Retry-After", "0"));
    let outcome = login(org).token();
    org.behave();
    let error = outcome.expect_err("this answer is no token");
    shown(&error);
    error
}

/// How long a thing may take that has a deadline of a second or two, on a busy machine.
pub const SOON: Duration = Duration::from_secs(5);

// Logins and sessions.

pub type MakeLogin = fn(&Org) -> Login;

/// Every flow, as it works at the org.
pub const FLOWS: [(&str, MakeLogin); 4] = [
    ("password", login),
    ("client credentials", client_credentials),
    ("code", code_credentials),
    ("JWT bearer", jwt_bearer),
];

/// The password flow of the user whom the org knows.
pub fn login(org: &Org) -> Login {
    watch_logs();
    App::new(CLIENT_ID, CLIENT_SECRET)
        .password(USERNAME, PASSWORD)
        .security_token(SECURITY_TOKEN)
        .login_url(org.url())
        .agent(agent(org))
}

/// The client credentials flow of the app that the org knows.
pub fn client_credentials(org: &Org) -> Login {
    watch_logs();
    App::new(CLIENT_ID, CLIENT_SECRET).client_credentials().login_url(org.url()).agent(agent(org))
}

/// The code and credentials flow of the customer whom the org's site knows.
pub fn code_credentials(org: &Org) -> Login {
    watch_logs();
    App::new(CLIENT_ID, CLIENT_SECRET)
        .code_credentials(SITE_USERNAME, SITE_PASSWORD, REDIRECT_URI)
        .login_url(org.site_url())
        .agent(agent(org))
}

/// The JWT bearer flow of the user whom the org knows.
pub fn jwt_bearer(org: &Org) -> Login {
    watch_logs();
    App::without_secret(CLIENT_ID).jwt_bearer(USERNAME, JWT_KEY).login_url(org.url()).agent(agent(org))
}

/// The login of a flow with one setting changed.
pub fn login_with(org: &Org, flow: &str, setting: &str, value: &str) -> Login {
    let given = |name: &str, usual: &str| if name == setting { value.to_owned() } else { usual.to_owned() };
    let app = App::new(given("client_id", CLIENT_ID), given("client_secret", CLIENT_SECRET));
    let login = match flow {
        "password" => app
            .password(given("username", USERNAME), given("password", PASSWORD))
            .security_token(given("security_token", SECURITY_TOKEN)),
        "client credentials" => app.client_credentials(),
        "JWT bearer" => app.jwt_bearer(given("username", USERNAME), JWT_KEY).audience(given("audience", "")),
        _ => app.code_credentials(
            given("username", SITE_USERNAME),
            given("password", SITE_PASSWORD),
            given("redirect_uri", REDIRECT_URI),
        ),
    };
    login.login_url(org.site_url()).agent(agent(org))
}

/// Every exchange in which credentials are sent: its flow, and where it goes.
pub struct Exchange {
    pub name: &'static str,
    pub login: MakeLogin,
    pub path: &'static str,
    /// How many requests a login has made when this one is answered.
    pub requests: usize,
}

pub const EXCHANGES: [Exchange; 5] = [
    Exchange { name: "password", login, path: TOKEN_PATH, requests: 1 },
    Exchange { name: "client credentials", login: client_credentials, path: TOKEN_PATH, requests: 1 },
    Exchange { name: "JWT bearer", login: jwt_bearer, path: TOKEN_PATH, requests: 1 },
    Exchange { name: "authorize", login: code_credentials, path: AUTHORIZE_PATH, requests: 1 },
    Exchange { name: "code exchange", login: code_credentials, path: SITE_TOKEN_PATH, requests: 2 },
];

pub fn session(org: &Org) -> Session {
    login(org).session().expect("the fake org takes this login")
}

pub fn token(org: &Org, access_token: &str) -> Token {
    Token::new(access_token, org.url()).expect("a good token")
}

/// A session of a token alone, which cannot log in.
pub fn kept(org: &Org) -> Session {
    watch_logs();
    Session::new(token(org, OLD)).expect("an environment that can be used").agent(agent(org))
}

/// An agent that trusts the org's authority, whatever the environment says.
pub fn agent(org: &Org) -> ureq::Agent {
    agent_through(org, None)
}

/// An agent that reaches `org` by every name, through `proxy`.
pub fn agent_through(org: &Org, proxy: Option<&Proxy>) -> ureq::Agent {
    let roots = parse_pem(org.ca_pem().as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let proxy = proxy.map(|proxy| ureq::Proxy::new(&proxy.url()).expect("a proxy has a good URL"));
    ureq::Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build())
        .proxy(proxy)
        .build()
        .new_agent()
}

/// An agent like this one, to which names lead where `names` says.
pub fn agent_by(agent: &ureq::Agent, names: impl Resolve) -> ureq::Agent {
    ureq::Agent::with_parts(agent.config().clone(), DefaultConnector::new(), Names(names))
}

pub trait Resolve: Fn(&Uri, NextTimeout) -> Result<SocketAddr, ureq::Error> + Send + Sync + 'static {}

impl<F: Fn(&Uri, NextTimeout) -> Result<SocketAddr, ureq::Error> + Send + Sync + 'static> Resolve for F {}

/// A resolver that is a function.
pub struct Names<R>(pub R);

impl<R> fmt::Debug for Names<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

impl<R: Resolve> Resolver for Names<R> {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        within: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addrs = self.empty();
        addrs.push((self.0)(uri, within)?);
        Ok(addrs)
    }
}

// Requests and answers.

pub type Call = fn(&Session) -> Result<Value, Error>;

/// A request of each kind; all but the first write.
pub const CALLS: [(&str, Call); 5] = [
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

/// What Salesforce says to a token that has expired.
pub fn expired() -> Answer {
    Answer::api_error(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

/// The one request that has come since somebody asked last.
#[track_caller]
pub fn only_request(org: &Org) -> Request {
    let mut requests = org.take_requests();
    let lines: Vec<_> = requests.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    requests.remove(0)
}

pub fn paths(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| &*request.path).collect()
}

/// The names of the fields that were sent, in their order.
pub fn names(request: &Request) -> String {
    request.form().iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(" ")
}

/// That the binary sent this and no other byte.
#[track_caller]
pub fn assert_sent(org: &Org, request: &Request, path: &str, headers: &str, body: &str) {
    assert_eq!(request.text(), body);
    let head = format!(
        "POST {path} HTTP/1.1\r\n\
         accept-encoding: gzip\r\n\
         user-agent: sf-login/{}\r\n\
         host: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\
         accept: application/json\r\n\
         {headers}\
         content-length: {}\r\n\
         \r\n",
        env!("CARGO_PKG_VERSION"),
        org.addr(),
        body.len()
    );
    assert_eq!(String::from_utf8_lossy(&request.raw_head), head);
}

pub fn headers_but_the_agents_name(request: &Request) -> Vec<(&str, &str)> {
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut headers: Vec<_> = headers.filter(|(name, _)| *name != "user-agent").collect();
    headers.sort_unstable();
    headers
}

/// The org's URL by the name `localhost`; `None`, with a word of it, where that has no address.
pub fn by_name(org: &Org) -> Option<String> {
    if ("localhost", 0).to_socket_addrs().is_err() {
        println!("skipped: localhost has no address here");
        return None;
    }
    Some(org.url().replace("127.0.0.1", "localhost"))
}

/// `127.0.0.1:4567`, as messages have it.
pub fn host(org: &Org) -> String {
    let url = org.url();
    url.split("//").nth(1).expect("a URL has a host").to_owned()
}

/// An address at which nobody listens, as long as the connection is kept: it is its client's own.
pub fn nobody() -> (SocketAddr, (TcpListener, TcpStream)) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a port");
    let stream = TcpStream::connect(listener.local_addr().expect("it has a port")).expect("it listens");
    (stream.local_addr().expect("it has a port"), (listener, stream))
}

// Time.

/// Does the work, and fails if it takes longer than `limit`.
#[track_caller]
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, receiver) = channel();
    let worker = thread::spawn(move || {
        // Nobody waits any more when it is too late.
        let _ = done.send(work());
    });
    match receiver.recv_timeout(limit) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("it hangs: not done within {limit:?}"),
        Err(RecvTimeoutError::Disconnected) => {
            resume_unwind(worker.join().expect_err("the worker ended early"))
        }
    }
}

/// Calls it with each of these at the same time, and gives the results in their order.
pub fn at_once<C: Send, T: Send>(cases: impl IntoIterator<Item = C>, call: impl Fn(C) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let call = &call;
        let threads: Vec<_> = cases.into_iter().map(|case| scope.spawn(move || call(case))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, T>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}
