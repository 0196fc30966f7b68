//! Why there is no reply, or no whole one: what ureq's errors mean.

use std::io;
use std::time::Duration;

use super::{CONNECT_TIMEOUT, Deadline, Fault};

/// Why there is no reply, or no whole one.
pub(crate) struct NoReply {
    pub(crate) cause: Cause,
    /// The cause in words, those of the TLS library or the operating system among them; and the proxy, where
    /// the cause can be its.
    pub(crate) words: String,
    /// The HTTP status, where the reply was lost after its headers.
    pub(crate) status: Option<u16>,
    /// `None` where asking again would change nothing.
    pub(crate) fault: Option<Fault>,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    NameNotFound,
    /// Or the name was not resolved in time.
    ConnectTimeout,
    ConnectionRefused,
    Unreachable,
    /// The certificate was not accepted.
    Certificate,
    /// Any other failure of TLS.
    Tls,
    ReplyTimeout,
    ConnectionLost,
    NotHttp,
    /// The proxy's answer to CONNECT, its HTTP status; 0 where it gave none.
    Proxy(u16),
    /// The reply is truncated or corrupted.
    Truncated,
    TooLarge,
    Other,
}

impl NoReply {
    /// What an error of ureq's means. `sent` tells whether anything of the request was sent, as far as known.
    pub(super) fn of(
        error: &ureq::Error,
        deadline: Deadline,
        sent: Option<bool>,
        proxy: Option<&ureq::Proxy>,
        status: Option<u16>,
    ) -> NoReply {
        let (cause, mut words) = cause_of(error, deadline, sent, proxy.is_some(), status);
        let is_connected = matches!(
            cause,
            Cause::ReplyTimeout | Cause::ConnectionLost | Cause::NotHttp | Cause::Truncated | Cause::TooLarge
        );
        if let Some(proxy) = proxy.filter(|_| !is_connected || sent == Some(false)) {
            let scheme = if proxy.protocol() == ureq::ProxyProtocol::Https { "https://" } else { "" };
            words = format!("through the proxy {scheme}{}:{}: {words}", proxy.host(), proxy.port());
        }
        NoReply { cause, words, status, fault: fault_of(error, cause, sent), retry_after: None }
    }
}

/// Which cause an error of ureq's has, and how to say it.
//
// By its words where ureq gives no type: see the arms that look into `text`.
fn cause_of(
    error: &ureq::Error,
    deadline: Deadline,
    sent: Option<bool>,
    through_proxy: bool,
    status: Option<u16>,
) -> (Cause, String) {
    use io::ErrorKind as Io;
    use ureq::Error::{BodyExceedsLimit, ConnectProxyFailed, HostNotFound, Protocol, Timeout};
    use ureq::Timeout::{Connect, Resolve};

    let text = error.to_string();
    let text = text.trim_start_matches("io: ");
    let says = |words: &str| text.to_ascii_lowercase().contains(words);
    let io = io_error(error);
    let kind = io.map(io::Error::kind);
    let code = io.and_then(io::Error::raw_os_error);
    // A SOCKS proxy that takes no name and password, or not these. The operating system's own denials, a
    // firewall's say, have its number.
    let is_denied =
        kind == Some(Io::PermissionDenied) && code.is_none() || text == "no acceptable auth methods";
    // Windows says it in the user's language, under numbers of its own.
    let is_name_unknown = matches!(error, HostNotFound)
        || io.is_some() && says("lookup address")
        || cfg!(windows) && matches!(code, Some(11001..=11004));
    let is_tls = matches!(error, ureq::Error::Tls(_) | ureq::Error::TlsRequired)
        || kind == Some(Io::InvalidData)
        || ["rustls: ", "native-tls: "].iter().any(|begin| text.starts_with(begin));
    let unsent = sent == Some(false);
    let within = |timeout: Duration| format!("within {} s", timeout.as_secs_f64());
    let (connecting, whole) = (within(CONNECT_TIMEOUT.min(deadline.timeout)), within(deadline.timeout));
    let is = |cause, words: &str| (cause, words.to_owned());
    match error {
        Timeout(Resolve) => is(Cause::ConnectTimeout, &format!("the name was not resolved {connecting}")),
        Timeout(Connect) => is(Cause::ConnectTimeout, &format!("could not connect {connecting}")),
        Timeout(_) if unsent => is(Cause::ConnectTimeout, &format!("could not connect {whole}")),
        Timeout(_) => is(Cause::ReplyTimeout, &format!("no complete reply {whole}")),
        BodyExceedsLimit(limit) => is(Cause::TooLarge, &format!("larger than {} MiB", limit >> 20)),
        _ if status.is_some() => is(Cause::Truncated, "truncated or corrupted"),
        ConnectProxyFailed(_) => {
            let answer = text.rsplit_once(" responded ").and_then(|(_, status)| status.split('/').next());
            match answer.and_then(|status| status.parse().ok()) {
                Some(status) => is(Cause::Proxy(status), &format!("it answered {status} to CONNECT")),
                None => is(Cause::Proxy(0), text),
            }
        }
        _ if through_proxy && sent != Some(true) && is_denied => is(Cause::Proxy(407), text),
        _ if is_name_unknown => is(Cause::NameNotFound, "the host name was not found"),
        Protocol(_) => is(Cause::NotHttp, &format!("not an HTTP reply ({text})")),
        // An alert is the server's word about this side.
        _ if says("certificate") && !says("alert") => {
            // rustls goes on with times in seconds since 1970, and with all algorithms that it knows.
            let text = text.split(": verification time").next().unwrap_or_default();
            let text = text.split(" {").next().unwrap_or_default();
            is(Cause::Certificate, &format!("TLS: {text}"))
        }
        _ if is_tls => is(Cause::Tls, &format!("TLS: {text}")),
        _ => match kind {
            Some(Io::ConnectionRefused) => is(Cause::ConnectionRefused, "the connection was refused"),
            Some(Io::HostUnreachable | Io::NetworkUnreachable | Io::NetworkDown | Io::AddrNotAvailable) => {
                is(Cause::Unreachable, text)
            }
            Some(Io::UnexpectedEof | Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe) => {
                let when = if unsent { " before the request was sent" } else { "" };
                is(Cause::ConnectionLost, &format!("the connection was lost{when}"))
            }
            _ => is(Cause::Other, text),
        },
    }
}

/// Whether the request may have been sent, and whether asking again could change anything.
fn fault_of(error: &ureq::Error, cause: Cause, sent: Option<bool>) -> Option<Fault> {
    let unsent = sent == Some(false);
    // Words prove nothing; but the operating system refuses only to connect, and its own errors are never of
    // the kind `Other`.
    let is_proven = io_error(error).is_none_or(|io| match io.kind() {
        io::ErrorKind::ConnectionRefused => io.raw_os_error().is_some(),
        kind => kind != io::ErrorKind::Other,
    });
    let is_connecting = matches!(cause, Cause::NameNotFound | Cause::ConnectionRefused | Cause::Proxy(_));
    match cause {
        Cause::TooLarge => None,
        _ if sent == Some(true) => Some(Fault::Lost),
        // A wrong password can lock out at a proxy as well.
        Cause::Certificate | Cause::Proxy(401 | 407) => None,
        Cause::Tls if unsent => None,
        // Who has waited for ten seconds is not to wait for thirty.
        Cause::ConnectTimeout => Some(Fault::Passing),
        _ if unsent || is_connecting && is_proven => Some(Fault::NotDone),
        _ => Some(Fault::Lost),
    }
}

fn io_error(error: &ureq::Error) -> Option<&io::Error> {
    match error {
        ureq::Error::Io(io) => Some(io),
        _ => None,
    }
}
