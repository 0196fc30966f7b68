//! What all tests need: logins and sessions at a fake org, the binary, what a person would see of an
//! error, and a watch for secrets in all that is said.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::panic::resume_unwind;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{LazyLock, Once};
use std::thread;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, Proxy, REDIRECT_URI, Request, SECURITY_TOKEN,
    SITE_PASSWORD, SITE_USERNAME, USERNAME,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sf_login::ureq::config::Config;
use sf_login::ureq::http::{self, Uri};
use sf_login::ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use sf_login::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use sf_login::ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use sf_login::{App, Error, Login, Session, Token, ureq};

/// All that must not be said. Every token of a fake org has `!AQ` in it, as Salesforce's have.
pub const SECRETS: [&str; 5] = [CLIENT_SECRET, PASSWORD, SECURITY_TOKEN, SITE_PASSWORD, "!AQ"];

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
pub const FLOWS: [(&str, MakeLogin); 3] =
    [("password", login), ("client credentials", client_credentials), ("code", code_credentials)];

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

/// The login of a flow with one setting changed.
pub fn login_with(org: &Org, flow: &str, setting: &str, value: &str) -> Login {
    let given = |name: &str, usual: &str| if name == setting { value.to_owned() } else { usual.to_owned() };
    let app = App::new(given("client_id", CLIENT_ID), given("client_secret", CLIENT_SECRET));
    let login = match flow {
        "password" => app
            .password(given("username", USERNAME), given("password", PASSWORD))
            .security_token(given("security_token", SECURITY_TOKEN)),
        "client credentials" => app.client_credentials(),
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

pub const EXCHANGES: [Exchange; 4] = [
    Exchange { name: "password", login, path: TOKEN_PATH, requests: 1 },
    Exchange { name: "client credentials", login: client_credentials, path: TOKEN_PATH, requests: 1 },
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

// What is said.

/// What a person would see of this error, once it is sure that there is no secret in it.
#[track_caller]
pub fn shown(error: &Error) -> String {
    let shown = error.to_string();
    assert_eq!(format!("{error:?}"), shown, "Debug says what Display says");
    assert!(std::error::Error::source(error).is_none(), "the cause is told once, in Display");
    assert_no_secret(&shown);
    assert_no_secret(&format!("{:?}", error.kind()));
    shown
}

/// The first line of what a person would see: what failed, why, and the HTTP status.
#[track_caller]
pub fn headline(error: &Error) -> String {
    shown(error).lines().next().unwrap_or_default().to_owned()
}

#[track_caller]
pub fn assert_no_secret(text: &str) {
    static FORMS: LazyLock<Vec<String>> = LazyLock::new(|| SECRETS.into_iter().flat_map(forms).collect());
    if let Some(form) = FORMS.iter().find(|form| text.contains(&***form)) {
        panic!("a secret is said, in the form {form:?}: {text}");
    }
}

/// A secret, plain and form-, percent-, base64-, JSON- and HTML-encoded.
pub fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).expect("a string is JSON").trim_matches('"').to_owned();
    let ascii = |c: char| {
        if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }
    };
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let unreserved = percent.replace("%2D", "-").replace("%2E", ".").replace("%5F", "_").replace("%7E", "~");
    vec![
        secret.to_owned(),
        unreserved.replace("%20", "+"),
        percent.to_lowercase(),
        percent,
        unreserved,
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD_NO_PAD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        BASE64_STANDARD.encode(format!("{USERNAME}:{secret}")),
        BASE64_STANDARD.encode(format!("{SITE_USERNAME}:{secret}")),
        secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"),
        json.chars().map(ascii).collect(),
        json.replace('/', "\\/"),
        json,
    ]
}

/// Has every log record looked at as it is written, up to the level that the docs promise.
pub fn watch_logs() {
    struct Watch;

    impl log::Log for Watch {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            assert_no_secret(&record.args().to_string());
        }

        fn flush(&self) {}
    }

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Watch).expect("there is no other logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}

// The binary and its environment.

pub type Env = Vec<(&'static str, String)>;

/// The environment with this variable set.
pub fn with(env: &[(&'static str, String)], name: &'static str, value: &str) -> Env {
    let mut env = without(env, name);
    env.push((name, value.to_owned()));
    env
}

/// The environment without this variable.
pub fn without(env: &[(&'static str, String)], name: &str) -> Env {
    env.iter().filter(|(other, _)| *other != name).cloned().collect()
}

/// A kept token, and no login.
pub fn kept_env(org: &Org, token: &str) -> Env {
    vec![("SF_ACCESS_TOKEN", token.to_owned()), ("SF_ORG_INSTANCE_URL", org.url())]
}

pub fn client_credentials_env(org: &Org) -> Env {
    let user = ["SF_USERNAME", "SF_PASSWORD", "SF_SECURITY_TOKEN"];
    let env: Env = org.env().into_iter().filter(|(name, _)| !user.contains(name)).collect();
    with(&env, "SF_FLOW", "client_credentials")
}

pub fn code_env(org: &Org) -> Env {
    let mut env = with(&client_credentials_env(org), "SF_FLOW", "code_credentials");
    env.push(("SF_USERNAME", SITE_USERNAME.to_owned()));
    env.push(("SF_PASSWORD", SITE_PASSWORD.to_owned()));
    env.push(("SF_REDIRECT_URI", REDIRECT_URI.to_owned()));
    with(&env, "SF_LOGIN_URL", &org.site_url())
}

/// How the binary ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The first line of what it said.
    pub fn headline(&self) -> &str {
        self.stderr.lines().next().unwrap_or_default()
    }
}

/// The binary did what it was asked, printed this and said nothing.
pub fn done(stdout: &str) -> Run {
    Run { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() }
}

/// The binary failed, said this and printed nothing.
pub fn failed(code: i32, message: &str) -> Run {
    Run { code: Some(code), stdout: String::new(), stderr: format!("sf-login: {message}\n") }
}

/// Runs the binary in an environment of these variables alone.
pub fn sf_login(env: &[(&str, String)], args: &[&str]) -> Run {
    sf_login_with_input(env, args, b"")
}

pub fn sf_login_with_input(env: &[(&str, String)], args: &[&str], input: &[u8]) -> Run {
    run(env, env!("CARGO_BIN_EXE_sf-login"), args, input)
}

/// Runs `program`, and looks for secrets in what it says on standard error.
pub fn run(env: &[(&str, String)], program: impl AsRef<OsStr>, args: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that reads nothing may have closed its end already.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    let run = Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert_no_secret(&run.stderr);
    run
}
