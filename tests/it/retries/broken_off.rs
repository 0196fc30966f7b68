//! Connections that break off once the request was read.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::{CLIENT_ID, CLIENT_SECRET};
use serde_json::Value;
use sf_login::ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use sf_login::ureq::{self, http};
use sf_login::{App, Session, Token};

use super::{Attempt, run};
use crate::support::{Names, OLD, headline};

#[test]
fn an_error_after_the_request_was_read_is_never_nothing_sent_whatever_words_it_has() {
    let words = [
        (ErrorKind::InvalidData, "received fatal alert: HandshakeFailure"),
        (ErrorKind::InvalidData, "received fatal alert: the handshake failed"),
        (ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer"),
        (ErrorKind::UnexpectedEof, "tls handshake eof"),
        (ErrorKind::HostUnreachable, "No route to host (os error 113)"),
        (ErrorKind::NetworkUnreachable, "Network is unreachable (os error 101)"),
        (ErrorKind::ConnectionRefused, "Connection refused (os error 111)"),
        (ErrorKind::TimedOut, "could not connect"),
        (ErrorKind::Other, "failed to lookup address information: Name or service not known"),
    ];
    for (kind, words) in words {
        let ways: [(&str, Attempt); 4] = [
            ("post", |session| session.post::<Value>("x", &1).map(drop)),
            ("patch", |session| session.patch::<Value>("x", &1).map(drop)),
            ("delete", |session| session.delete("x")),
            ("run POST", |session| run(&session, "POST", "x")),
        ];
        for (name, send) in ways {
            let (agent, sent) = dying_agent(kind, words);
            let token = Token::new(OLD, "https://acme.my.salesforce.com").unwrap();
            let error = send(Session::new(token).unwrap().agent(agent)).expect_err(words);
            // Without a body, nobody knows whether it was the handshake.
            let unknown = error.may_have_been_done() || name == "delete" && words.contains("certificate");
            assert!(unknown, "{name}: {words}");
            assert_eq!(sent.load(SeqCst), 1, "{name}: {words}");
        }
        let (agent, sent) = dying_agent(kind, words);
        let login = App::new(CLIENT_ID, CLIENT_SECRET).password("ada", "a password").agent(agent);
        login.token().expect_err(words);
        assert_eq!(sent.load(SeqCst), 1, "login: {words}");
    }
}

#[test]
fn a_connect_that_used_up_its_time_is_left_to_the_caller() {
    let timeouts = [
        ((|| ureq::Error::Timeout(ureq::Timeout::Connect)) as Refuse, "could not connect within 10 s"),
        (|| ureq::Error::Timeout(ureq::Timeout::Resolve), "the name was not resolved within 10 s"),
    ];
    for (refuse, cause) in timeouts {
        for (name, send) in [
            ("get", (|session| session.get::<Value>("x").map(drop)) as Attempt),
            ("post", |session| session.post::<Value>("x", &1).map(drop)),
            ("delete", |session| session.delete("x")),
        ] {
            let (agent, tries) = refusing_agent(refuse, None);
            let token = Token::new(OLD, "https://acme.my.salesforce.com").unwrap();
            let error = send(Session::new(token).unwrap().agent(agent)).unwrap_err();
            assert_eq!(headline(&error), format!("no reply from acme.my.salesforce.com: {cause}"), "{name}");
            assert!(error.is_transient(), "{name}");
            assert_eq!(tries.load(SeqCst), 1, "{name}: {cause}");
        }
    }
}

/// Why there is no connection.
pub type Refuse = fn() -> ureq::Error;

/// An agent whose connections take a request and then fail so, and how many they have taken.
pub fn dying_agent(kind: ErrorKind, words: &'static str) -> (ureq::Agent, Arc<AtomicUsize>) {
    agent(Connections { refuse: None, kind, words, sent: Arc::default() }, None)
}

/// An agent that cannot connect, for this reason, and how often it has tried.
pub fn refusing_agent(refuse: Refuse, proxy: Option<ureq::Proxy>) -> (ureq::Agent, Arc<AtomicUsize>) {
    let refuse = Some(refuse);
    agent(Connections { refuse, kind: ErrorKind::Other, words: "", sent: Arc::default() }, proxy)
}

fn agent(connections: Connections, proxy: Option<ureq::Proxy>) -> (ureq::Agent, Arc<AtomicUsize>) {
    let sent = Arc::clone(&connections.sent);
    let config = ureq::Agent::config_builder().proxy(proxy).build();
    let names = Names(|_: &http::Uri, _| Ok(([127, 0, 0, 1], 9).into()));
    (ureq::Agent::with_parts(config, connections, names), sent)
}

#[derive(Clone, Debug)]
struct Connections {
    refuse: Option<Refuse>,
    kind: ErrorKind,
    words: &'static str,
    sent: Arc<AtomicUsize>,
}

impl Connector for Connections {
    type Out = Connection;

    fn connect(&self, to: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        if let Some(refuse) = self.refuse {
            self.sent.fetch_add(1, SeqCst);
            return Err(refuse());
        }
        let buffers = LazyBuffers::new(to.config.input_buffer_size(), to.config.output_buffer_size());
        Ok(Some(Connection { buffers, fate: self.clone(), read: false }))
    }
}

struct Connection {
    buffers: LazyBuffers,
    fate: Connections,
    /// Whether the request was read.
    read: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        if !std::mem::replace(&mut self.read, true) {
            self.fate.sent.fetch_add(1, SeqCst);
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        Err(io::Error::new(self.fate.kind, self.fate.words).into())
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}
