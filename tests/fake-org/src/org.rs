//! The server: what tests see of it, and how it answers one connection.

use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::chaos::{Chaos, Mishap};
use crate::salesforce::{self, Salesforce};
use crate::server::{self, Connection, Server, Stop, lock};
use crate::temp_file::TempFile;
use crate::{
    Answer, CLIENT_ID, CLIENT_SECRET, Certificate, JWT_KEY, PASSWORD, REDIRECT_URI, Request, SECURITY_TOKEN,
    SITE_PASSWORD, SITE_USERNAME, Setup, USERNAME, tls,
};

/// How long [`Org::wait_for_requests`] waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Salesforce org at a port of 127.0.0.1, until it is dropped.
pub struct Org {
    // Dropped first, so that no thread outlives the rest.
    server: Server,
    inner: Arc<Inner>,
    ca_file: OnceLock<TempFile>,
    jwt_key_file: OnceLock<TempFile>,
}

struct Inner {
    url: String,
    tls: Option<Arc<rustls::ServerConfig>>,
    state: Mutex<State>,
    recorded: Condvar,
}

struct State {
    salesforce: Salesforce,
    /// Answers for the next requests, in order; those with a prefix only for paths that have it.
    script: Vec<(Option<String>, Answer)>,
    /// Answers until further notice.
    always: Vec<(String, Respond)>,
    chaos: Option<Chaos>,
    refuse_connections: usize,
    requests: Vec<Request>,
    logins: usize,
}

type Respond = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

impl Org {
    /// Starts an org that speaks plain HTTP.
    #[must_use]
    pub fn start() -> Org {
        Org::start_at("http://127.0.0.1", None)
    }

    /// Starts an org that speaks TLS, with a certificate from its own authority.
    #[must_use]
    pub fn start_tls() -> Org {
        Org::start_with(Certificate::Good)
    }

    /// Starts an org that speaks TLS with that certificate.
    #[must_use]
    pub fn start_with(certificate: Certificate) -> Org {
        Org::start_at("https://127.0.0.1", Some(tls::server_config(certificate)))
    }

    fn start_at(origin: &str, tls: Option<Arc<rustls::ServerConfig>>) -> Org {
        let (listener, addr) = server::listen();
        let url = format!("{origin}:{}", addr.port());
        let inner = Arc::new(Inner {
            tls,
            state: Mutex::new(State {
                salesforce: Salesforce::new(&url),
                script: Vec::new(),
                always: Vec::new(),
                chaos: None,
                refuse_connections: 0,
                requests: Vec::new(),
                logins: 0,
            }),
            url,
            recorded: Condvar::new(),
        });
        let serving = Arc::clone(&inner);
        let server = Server::start(listener, move |stream, stop| serving.serve(stream, stop));
        Org { server, inner, ca_file: OnceLock::new(), jwt_key_file: OnceLock::new() }
    }

    /// Where the org is, e.g. `http://127.0.0.1:4567` or, with TLS, `https://127.0.0.1:4567`.
    #[must_use]
    pub fn url(&self) -> String {
        self.inner.url.clone()
    }

    /// Where the org's Experience Cloud site is.
    #[must_use]
    pub fn site_url(&self) -> String {
        format!("{}{}", self.inner.url, salesforce::SITE_PATH)
    }

    /// The address at which the org listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    /// The certificate of the org's authority, in PEM. One for all orgs of a process.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        tls::ca_pem()
    }

    /// A file that holds [`Org::ca_pem`], as long as the org lives.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file.get_or_init(|| TempFile::create(self.server.addr, "ca", tls::ca_pem())).0
    }

    /// A file that holds [`JWT_KEY`], as long as the org lives.
    #[must_use]
    pub fn jwt_key_file(&self) -> &Path {
        &self.jwt_key_file.get_or_init(|| TempFile::create(self.server.addr, "key", JWT_KEY)).0
    }

    /// The variables with which a program logs in here by the username-password flow.
    #[must_use]
    pub fn env(&self) -> Vec<(&'static str, String)> {
        self.env_for("password").split_off(1)
    }

    /// The variables with which a program logs in here by one of the [`FLOWS`](crate::FLOWS), `SF_FLOW` first.
    #[must_use]
    pub fn env_for(&self, flow: &str) -> Vec<(&'static str, String)> {
        let (username, password, url) = match flow {
            "code_credentials" => (SITE_USERNAME, SITE_PASSWORD, self.site_url()),
            _ => (USERNAME, PASSWORD, self.url()),
        };
        let mut env = vec![("SF_FLOW", flow.to_owned()), ("SF_CLIENT_ID", CLIENT_ID.to_owned())];
        let mut put = |name, value: &str| env.push((name, value.to_owned()));
        if flow == "jwt_bearer" {
            put("SF_JWT_KEY_FILE", &self.jwt_key_file().display().to_string());
        } else {
            put("SF_CLIENT_SECRET", CLIENT_SECRET);
        }
        if flow != "client_credentials" {
            put("SF_USERNAME", username);
        }
        if matches!(flow, "password" | "code_credentials") {
            put("SF_PASSWORD", password);
        }
        match flow {
            "password" => put("SF_SECURITY_TOKEN", SECURITY_TOKEN),
            "code_credentials" => put("SF_REDIRECT_URI", REDIRECT_URI),
            _ => {}
        }
        put("SF_LOGIN_URL", &url);
        if self.inner.tls.is_some() {
            put("SSL_CERT_FILE", &self.ca_file().display().to_string());
        }
        env
    }

    /// All requests so far. A request is here before its client has the first byte of its answer.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// All requests so far, which are then forgotten.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }

    /// Waits until so many requests are recorded, answered or not.
    ///
    /// # Panics
    ///
    /// When they have not come after ten seconds.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        let state = self.state();
        let waited = self.inner.recorded.wait_timeout_while(state, PATIENCE, |s| s.requests.len() < count);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let came = state.requests.len();
        drop(state);
        assert!(came >= count, "waited for {count} requests, but only {came} came");
    }

    /// How many TCP connections the org has accepted so far. One on which nothing came back yet may
    /// still wait to be accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.server.open_connections()
    }

    /// How many requests have reached a token endpoint so far, whatever became of them.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.state().logins
    }

    /// The next request, whichever it is, gets this answer. Further ones queue up.
    pub fn answer(&self, answer: Answer) {
        self.state().script.push((None, answer));
    }

    /// The next request whose path begins so gets this answer. Further ones queue up.
    pub fn answer_to(&self, path_prefix: &str, answer: Answer) {
        self.state().script.push((Some(path_prefix.to_owned()), answer));
    }

    /// Every request whose path begins so gets this answer. The latest such rule wins.
    pub fn always(&self, path_prefix: &str, answer: Answer) {
        self.always_with(path_prefix, move |_| answer.clone());
    }

    /// Every request whose path begins so gets an answer made for it.
    pub fn always_with(
        &self,
        path_prefix: &str,
        respond: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) {
        self.state().always.push((path_prefix.to_owned(), Arc::new(respond)));
    }

    /// Forgets all scripted answers, refusals of connections, and chaos.
    pub fn behave(&self) {
        let mut state = self.state();
        state.script.clear();
        state.always.clear();
        state.chaos = None;
        state.refuse_connections = 0;
    }

    /// Accepts the next connections only to close them, before TLS or anything else.
    pub fn refuse_next_connections(&self, count: usize) {
        self.state().refuse_connections = count;
    }

    /// From now on one request in `one_in` fails, in a way that does not stop a patient client:
    /// 503 with HTML, an empty 502, 429 with `Retry-After: 0`, a connection closed instead of an
    /// answer, something that is not HTTP, a reply truncated under a content length, under chunks,
    /// or within its compressed data. No write that fails has had an effect.
    ///
    /// Logins meet 503, 429 and `retry your request`, of which a code exchange is spared the 503.
    pub fn chaos(&self, seed: u64, one_in: u32) {
        self.state().chaos = Some(Chaos::new(seed, one_in));
    }

    /// Changes what the org is like.
    pub fn setup(&self, change: impl FnOnce(&mut Setup)) {
        change(&mut self.state().salesforce.setup);
    }

    /// A token of an administrator's, to whom Login History shows the entries of all users. It is no
    /// login: nothing counts it, and no [`refusal`](crate::refusal) concerns it.
    #[must_use]
    pub fn administrator_token(&self) -> String {
        self.state().salesforce.administrator_token()
    }

    /// Every token given so far is invalid from now on.
    pub fn expire_sessions(&self) {
        self.state().salesforce.expire_sessions();
    }

    /// Makes accounts: `Account 00001` with the external id `EXT-00001`, and so on. They were
    /// modified a minute apart, the first at 2026-01-01T00:01:00Z.
    pub fn seed_accounts(&self, count: usize) {
        self.state().salesforce.data.seed_accounts(count);
    }

    /// Makes a record of these fields, whatever the API would say to them, and gives its id.
    ///
    /// # Panics
    ///
    /// When there is no such object, or the fields are not a JSON object.
    pub fn create(&self, object: &str, fields: Value) -> String {
        self.state().salesforce.data.create(object, fields)
    }

    /// The records of an object, oldest first, without the deleted ones.
    #[must_use]
    pub fn records(&self, object: &str) -> Vec<Map<String, Value>> {
        self.state().salesforce.data.records(object)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.inner.state)
    }
}

impl fmt::Debug for Org {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Org").field("url", &self.inner.url).finish_non_exhaustive()
    }
}

impl Inner {
    /// Serves one connection until either side closes it.
    fn serve(&self, stream: TcpStream, stop: &Stop) {
        if lock(&self.state).refuses_connection() {
            return;
        }
        let mut connection = Connection::new(stream, self.tls.as_ref());
        loop {
            let mut request = match Request::read_head(&mut connection) {
                Ok(Some(request)) => request,
                Ok(None) => return connection.close(),
                Err(problem) => return Inner::complain(&problem, connection, stop),
            };
            let scripted = lock(&self.state).scripted(&request.path);
            if request.lists("expect", "100-continue") {
                // A client that is gone will show at the next read.
                drop(std::io::Write::write_all(&mut connection, b"HTTP/1.1 100 Continue\r\n\r\n"));
            }
            if let Err(problem) = request.read_body(&mut connection) {
                return Inner::complain(&problem, connection, stop);
            }
            // Before the answer, so that a client that has its answer finds the request here.
            self.record(&request);
            let answer = match scripted {
                Some(Scripted::Answer(answer)) => answer,
                // Without the lock: a test may talk to the org from in there.
                Some(Scripted::Respond(respond)) => respond(&request),
                None => lock(&self.state).respond(&request),
            };
            match answer.send(&request, &mut connection, stop) {
                Ok(true) => {}
                Ok(false) if answer.ends_cleanly() => return connection.close(),
                _ => return,
            }
        }
    }

    fn record(&self, request: &Request) {
        lock(&self.state).record(request);
        self.recorded.notify_all();
    }

    /// Answers what is not a request, if there is anyone to answer.
    fn complain(problem: &std::io::Error, mut connection: Connection, stop: &Stop) {
        if problem.kind() == std::io::ErrorKind::InvalidData {
            let answer = Answer::text(400, &problem.to_string()).header("Connection", "close");
            if answer.send(&Request::default(), &mut connection, stop).is_ok() {
                connection.close();
            }
        }
    }
}

enum Scripted {
    Answer(Answer),
    Respond(Respond),
}

impl State {
    fn refuses_connection(&mut self) -> bool {
        let refuses = self.refuse_connections > 0;
        self.refuse_connections = self.refuse_connections.saturating_sub(1);
        refuses
    }

    /// What a test wants this path to be answered.
    fn scripted(&mut self, path: &str) -> Option<Scripted> {
        let fits = |prefix: &Option<String>| prefix.as_deref().is_none_or(|p| path.starts_with(p));
        if let Some(index) = self.script.iter().position(|(prefix, _)| fits(prefix)) {
            return Some(Scripted::Answer(self.script.remove(index).1));
        }
        let mut rules = self.always.iter().rev();
        let rule = rules.find(|(prefix, _)| path.starts_with(prefix.as_str()));
        rule.map(|(_, respond)| Scripted::Respond(Arc::clone(respond)))
    }

    fn record(&mut self, request: &Request) {
        if request.path.ends_with(salesforce::TOKEN_PATH) {
            self.logins += 1;
        }
        self.requests.push(request.clone());
        let keep = self.salesforce.setup.keep_requests;
        // Rarely, because it moves all that stay.
        if self.requests.len() / 2 > keep {
            self.requests.drain(..self.requests.len() - keep);
        }
    }

    fn respond(&mut self, request: &Request) -> Answer {
        match self.chaos.as_mut().and_then(|chaos| chaos.befalls(request)) {
            None => self.salesforce.respond(request),
            Some(Mishap::Instead(answer)) => answer,
            Some(Mishap::Cut(cut)) => cut(self.salesforce.respond(request)),
        }
    }
}
