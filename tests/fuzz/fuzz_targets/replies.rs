//! Any bytes as replies, read by the public API. There is no socket: a connector of our own says
//! what the fuzzer wants said.
//!
//! The first byte of the input chooses what is asked (its lower four bits) and in which flow (its
//! highest two), the second the status, or with its highest bit that the rest is whole replies, HTTP
//! and all. The rest is the replies, one for each request, separated by the byte 0x1e.

#![no_main]

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use sf_login::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use sf_login::ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use sf_login::ureq::{self, Agent, config::Config, http};
use sf_login::{App, Error, Login, Session, Token};

/// Where logins go, and nothing else does.
const SITE: &str = "https://acme.my.site.com";

/// Where a kept token is for.
const INSTANCE: &str = "https://acme.my.salesforce.com";

const CLIENT_SECRET: &str = "S3cret.OfTheApp";
const PASSWORD: &str = "Pa55word.OfAda";
const SECURITY_TOKEN: &str = "T0ken.OfAda";
const ACCESS_TOKEN: &str = "00D000000000001!AQkept.T0ken";

const STATUSES: [u16; 16] = [200, 201, 204, 300, 301, 302, 400, 401, 403, 404, 420, 429, 431, 500, 502, 503];

/// Too short for a second try, whose pause would only cost time.
const ONE_TRY: Duration = Duration::from_millis(200);

fuzz_target!(|input: &[u8]| {
    let [asked, status, replies @ ..] = input else { return };
    let (agent, script) = wire();
    let replies: Vec<Vec<u8>> =
        replies.split(|byte| *byte == 0x1e).rev().map(|reply| http_reply(*status, reply)).collect();
    *script.lock().unwrap() = Script { replies, instance: INSTANCE.to_owned() };

    let app = App::new("key", CLIENT_SECRET);
    let login = match asked >> 6 {
        0 => app.client_credentials(),
        1 => app.code_credentials("ada@example.com", PASSWORD, "https://app.example/callback"),
        _ => app.password("ada@example.com", PASSWORD).security_token(SECURITY_TOKEN),
    };
    let login = login.login_url(format!("{SITE}/customers")).timeout(ONE_TRY).agent(agent.clone());
    let outcome = match asked & 15 {
        0..=3 => login.token().map(|token| keep(&token)),
        4 => login.session().and_then(|session| {
            script.lock().unwrap().instance = session.token().instance_url().to_owned();
            ask(&session.timeout(ONE_TRY), 5)
        }),
        kind => resumed(login).and_then(|session| ask(&session, kind)),
    };
    if let Err(error) = outcome {
        let said = format!("{error}\n{error:?}\n{:?}", error.kind());
        for secret in [CLIENT_SECRET, PASSWORD, SECURITY_TOKEN, ACCESS_TOKEN] {
            assert!(!said.contains(secret), "{secret} is said: {said}");
        }
    }
});

fn resumed(login: Login) -> Result<Session, Error> {
    Ok(login.resume(Token::new(ACCESS_TOKEN, INSTANCE)?)?.timeout(ONE_TRY))
}

fn ask(session: &Session, kind: u8) -> Result<(), Error> {
    match kind {
        5 => session.get::<Value>("limits").map(drop),
        6 => session.get::<Box<RawValue>>("limits").map(drop),
        7 => session.get::<Vec<Option<String>>>("limits").map(drop),
        8 => session.post::<Value>("sobjects/Account", "x").map(drop),
        9 => session.delete("sobjects/Account/1"),
        10 => read_all::<Value>(session),
        11 => read_all::<Box<RawValue>>(session),
        12 => read_all::<(u8, Option<String>)>(session),
        13 => session.run(http::Request::get("/x").body("").unwrap()).map(drop),
        _ => Session::new(session.token())?.agent(wire().0.clone()).timeout(ONE_TRY).revoke(),
    }
}

fn read_all<T: DeserializeOwned>(session: &Session) -> Result<(), Error> {
    let mut records = session.query::<T>("SELECT Id FROM Account");
    let error = records.by_ref().find_map(Result::err);
    assert!(records.next().is_none(), "there is a record after the first error, or after the last record");
    error.map_or(Ok(()), Err)
}

/// A token can be kept, and shows no secret.
fn keep(token: &Token) {
    let json = serde_json::to_string(token).expect("a token is JSON");
    let again: Token = serde_json::from_str(&json).expect("what it wrote, it reads");
    assert_eq!((again.access_token(), again.instance_url()), (token.access_token(), token.instance_url()));
    let at = (again.issued_at(), again.user_id(), again.organization_id());
    assert_eq!(at, (token.issued_at(), token.user_id(), token.organization_id()));
    // A shorter one could be a word of the instance's.
    assert!(token.access_token().len() < 20 || !format!("{token:?}").contains(token.access_token()));
}

fn http_reply(status: u8, reply: &[u8]) -> Vec<u8> {
    if status >= 0x80 {
        return reply.to_vec();
    }
    let status = STATUSES[usize::from(status) % STATUSES.len()];
    // In a redirect, the reply is where it leads.
    let (location, body) = if matches!(status, 301 | 302) { (reply, &b""[..]) } else { (&b""[..], reply) };
    let length = format!("\r\nContent-Length: {}\r\n\r\n", body.len());
    let status = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nLocation: ");
    [status.as_bytes(), location, length.as_bytes(), body].concat()
}

/// What the next requests get, the first of them last; and which instance may see a token.
struct Script {
    replies: Vec<Vec<u8>>,
    instance: String,
}

fn wire() -> &'static (Agent, Arc<Mutex<Script>>) {
    static WIRE: OnceLock<(Agent, Arc<Mutex<Script>>)> = OnceLock::new();
    WIRE.get_or_init(|| {
        let script = Arc::new(Mutex::new(Script { replies: Vec::new(), instance: String::new() }));
        let config = Agent::config_builder().proxy(None).build();
        (Agent::with_parts(config, Connections(Arc::clone(&script)), Names), script)
    })
}

/// Knows every name, because no address is needed.
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(&self, _: &http::Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addrs = self.empty();
        addrs.push(([127, 0, 0, 1], 9).into());
        Ok(addrs)
    }
}

struct Connections(Arc<Mutex<Script>>);

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connections")
    }
}

impl Connector for Connections {
    type Out = Connection;

    fn connect(&self, to: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        let mut script = self.0.lock().unwrap();
        let mut origin = to.uri.clone().into_parts();
        origin.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
        let origin = http::Uri::from_parts(origin).expect("a URL has all parts").to_string();
        Ok(Some(Connection {
            buffers: LazyBuffers::new(to.config.input_buffer_size(), to.config.output_buffer_size()),
            origin: origin.trim_end_matches('/').to_owned(),
            instance: script.instance.clone(),
            reply: script.replies.pop().unwrap_or_default(),
        }))
    }
}

/// A connection for one request, whose reply is known beforehand.
struct Connection {
    buffers: LazyBuffers,
    origin: String,
    instance: String,
    reply: Vec<u8>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let sent = String::from_utf8_lossy(&self.buffers.output()[..amount]).to_lowercase();
        // A server may put any word into the path of a next page.
        let sent = sent.split_once(" http/1.1\r\n").map_or(&*sent, |(_, rest)| rest);
        if sent.contains("authorization: bearer") {
            assert_eq!(self.origin, self.instance, "the token went elsewhere");
        }
        if ["authorization: basic", "client_secret=", "password="].iter().any(|word| sent.contains(word)) {
            assert_eq!(self.origin, SITE, "the credentials went elsewhere");
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let buffer = self.buffers.input_append_buf();
        let amount = buffer.len().min(self.reply.len());
        buffer[..amount].copy_from_slice(&self.reply[..amount]);
        self.reply.drain(..amount);
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}
