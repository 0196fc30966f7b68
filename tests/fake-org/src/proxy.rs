//! A proxy that leads everywhere to one place.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::server::{self, Connection, Server, Stop, lock};
use crate::{Answer, Org, Request};

/// An HTTP proxy at a port of 127.0.0.1, until it is dropped. Whatever host a client names in its
/// `CONNECT`, the tunnel ends at the org.
///
/// Requests in clear are refused, and recorded.
#[derive(Debug)]
pub struct Proxy {
    server: Server,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// What a proxy does.
struct Duty {
    to: Result<SocketAddr, u16>,
    /// The `Proxy-Authorization` that is demanded.
    authorization: Option<String>,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Proxy {
    /// Starts a proxy to that org.
    #[must_use]
    pub fn start(org: &Org) -> Proxy {
        Proxy::start_with(Ok(org.addr()), None)
    }

    /// Starts a proxy to that org that answers 407 without these credentials.
    #[must_use]
    pub fn start_with_auth(org: &Org, user: &str, password: &str) -> Proxy {
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Proxy::start_with(Ok(org.addr()), Some(format!("Basic {credentials}")))
    }

    /// Starts a proxy that answers every `CONNECT` with this status.
    #[must_use]
    pub fn refusing(status: u16) -> Proxy {
        Proxy::start_with(Err(status), None)
    }

    fn start_with(to: Result<SocketAddr, u16>, authorization: Option<String>) -> Proxy {
        let seen = Arc::default();
        let duty = Duty { to, authorization, seen: Arc::clone(&seen) };
        let (listener, _) = server::listen();
        Proxy { server: Server::start(listener, move |stream, stop| duty.serve(stream, stop)), seen }
    }

    /// The proxy's URL, e.g. `http://127.0.0.1:4567`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.addr)
    }

    /// The targets of all `CONNECT`s so far, e.g. `login.salesforce.com:443`.
    #[must_use]
    pub fn connects(&self) -> Vec<String> {
        let seen = lock(&self.seen);
        let connects = seen.iter().filter(|request| request.method == "CONNECT");
        connects.map(|request| request.path.clone()).collect()
    }

    /// All that was sent to the proxy itself so far, `CONNECT` or not.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        lock(&self.seen).clone()
    }
}

impl Duty {
    fn serve(&self, stream: TcpStream, stop: &Stop) {
        let Ok(twin) = stream.try_clone() else { return };
        let mut client = Connection::new(stream, None);
        // A client that has gone, or does not speak HTTP, needs no answer.
        while let Ok(Some(mut request)) = Request::read_head(&mut client) {
            if request.read_body(&mut client).is_err() {
                return;
            }
            lock(&self.seen).push(request.clone());
            let answer = match self.tunnel(&request) {
                Ok(org) => return drop(carry(client, &twin, &org)),
                Err(answer) => answer,
            };
            if !matches!(answer.send(&request, &mut client, stop), Ok(true)) {
                return;
            }
        }
    }

    /// Opens the other end of a tunnel.
    fn tunnel(&self, request: &Request) -> Result<TcpStream, Box<Answer>> {
        if self.authorization.as_deref().is_some_and(|a| request.header("proxy-authorization") != Some(a)) {
            let challenge = r#"Basic realm="fake-org""#;
            return Err(Box::new(Answer::new(407).header("Proxy-Authenticate", challenge)));
        }
        if request.method != "CONNECT" {
            return Err(Box::new(Answer::text(501, "this proxy makes tunnels only")));
        }
        let org = self.to.map_err(|status| Answer::text(status, "refused by the proxy"))?;
        TcpStream::connect(org).map_err(|_| Box::new(Answer::text(502, "the org is gone")))
    }
}

/// Carries bytes both ways until one side closes.
fn carry(mut client: Connection, client_socket: &TcpStream, org: &TcpStream) -> io::Result<()> {
    org.set_nodelay(true)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    // What the client sent along with its CONNECT.
    let mut to_org = org;
    to_org.write_all(client.buffered())?;
    std::thread::scope(|scope| {
        scope.spawn(|| copy(org, client_socket));
        copy(client_socket, org);
    });
    Ok(())
}

/// Carries bytes one way, and closes both sides when there are no more.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // They may be closed already, which is as good.
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
