//! A listener, a thread for each connection, and an end to all of them.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long dropping waits for the threads of connections, all of whose sockets are shut down.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Locks; what a test's closure left when it panicked is good enough for the tests after it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the server is to stop, for those who would wait longer than that.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    /// Waits; whether the server stopped meanwhile.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let guard = lock(&self.stopped);
        if time.is_zero() {
            return *guard;
        }
        let (guard, _) = self
            .bell
            .wait_timeout_while(guard, time, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }

    /// Waits until the server stops.
    pub(crate) fn wait_for_ever(&self) {
        let guard = lock(&self.stopped);
        drop(self.bell.wait_while(guard, |stopped| !*stopped).unwrap_or_else(PoisonError::into_inner));
    }

    fn ring(&self) {
        *lock(&self.stopped) = true;
        self.bell.notify_all();
    }
}

/// Accepts connections until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: Stop,
    accepted: AtomicUsize,
    /// The sockets of the connections that have a thread, so that they can be shut down.
    open: Mutex<HashMap<usize, TcpStream>>,
    closed: Condvar,
}

/// Takes the connection off the list when its thread ends, however it ends.
struct Registered<'a>(&'a Shared, usize);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        lock(&self.0.open).remove(&self.1);
        self.0.closed.notify_all();
    }
}

/// A port of this machine that the system chose.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("no port on 127.0.0.1");
    let addr = listener.local_addr().expect("a listener without an address");
    (listener, addr)
}

impl Server {
    /// Calls `serve` on a thread of its own for each connection.
    pub(crate) fn start(
        listener: TcpListener,
        serve: impl Fn(TcpStream, &Stop) + Send + Sync + 'static,
    ) -> Server {
        let addr = listener.local_addr().expect("a listener without an address");
        let shared = Arc::new(Shared::default());
        let (for_acceptor, serve) = (Arc::clone(&shared), Arc::new(serve));
        let acceptor = std::thread::spawn(move || {
            loop {
                let accepted = listener.accept();
                // Not counted: stopping connects once, to be noticed here.
                if for_acceptor.stop.wait(Duration::ZERO) {
                    break;
                }
                match accepted {
                    Ok((stream, _)) => for_acceptor.connected(stream, Arc::clone(&serve)),
                    // Out of file descriptors, say: some may be free again in a moment.
                    Err(_) => drop(for_acceptor.stop.wait(Duration::from_millis(10))),
                }
            }
        });
        Server { addr, shared, acceptor: Some(acceptor) }
    }

    /// How many connections have been accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.accepted.load(SeqCst)
    }

    /// How many of them are open.
    pub(crate) fn open_connections(&self) -> usize {
        lock(&self.shared.open).len()
    }
}

impl Shared {
    fn connected(
        self: &Arc<Self>,
        stream: TcpStream,
        serve: Arc<impl Fn(TcpStream, &Stop) + Send + Sync + 'static>,
    ) {
        let number = self.accepted.fetch_add(1, SeqCst);
        let Ok(twin) = stream.try_clone() else { return };
        // Each answer goes out when it is written, a drip's every byte included.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        lock(&self.open).insert(number, twin);
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let registered = Registered(&shared, number);
            serve(stream, &shared.stop);
            drop(registered);
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.ring();
        drop(TcpStream::connect(self.addr));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
        let open = lock(&self.shared.open);
        for stream in open.values() {
            // It may be closed already, which is as good.
            drop(stream.shutdown(Shutdown::Both));
        }
        drop(self.shared.closed.wait_timeout_while(open, STOP_WITHIN, |open| !open.is_empty()));
    }
}

/// One client's connection, with or without TLS.
pub(crate) struct Connection {
    stream: BufReader<Stream>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Connection {
    /// The handshake, if any, takes place at the first read.
    pub(crate) fn new(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> Connection {
        let stream = match tls {
            None => Stream::Plain(stream),
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config)).expect("BUG: TLS settings");
                Stream::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        };
        Connection { stream: BufReader::new(stream) }
    }

    /// What has been received and not yet read.
    pub(crate) fn buffered(&self) -> &[u8] {
        self.stream.buffer()
    }

    /// Says goodbye as TLS has it, so that the client can tell this from a cut, and closes.
    pub(crate) fn close(mut self) {
        let socket = match self.stream.get_mut() {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                // The client may have gone first.
                drop(stream.flush());
                &mut stream.sock
            }
        };
        // Dropping it would not do: a child process that is just being started has it as well.
        drop(socket.shutdown(Shutdown::Both));
    }
}

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }
}

impl BufRead for Connection {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.stream.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.stream.consume(amount);
    }
}

impl Write for Connection {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.stream.get_mut() {
            Stream::Plain(stream) => stream.write(buf),
            Stream::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.stream.get_mut() {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buf),
            Stream::Tls(stream) => stream.read(buf),
        }
    }
}
