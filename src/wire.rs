//! What goes over the wire: URLs, requests, deadlines, proxies, repeats, and the reply as it came.
//!
//! The one place that opens connections. It knows HTTP and which requests may be repeated, but nothing of
//! what Salesforce means by a reply.

use std::cell::Cell;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fmt, fs, iter, str, thread};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{self, HeaderName, HeaderValue, Method, Response, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A year, for any longer timeout: ureq panics on one that the clock cannot add.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long to wait before the second and the third try, when the server does not say.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(750)];

/// For token replies, which have some thousand bytes at most, and for refusals.
const SMALL_REPLY: u64 = 1024 * 1024;

/// For replies of the API: a page holds at most 2,000 records, of some tens of kilobytes at the worst.
pub(crate) const API_REPLY: u64 = 64 * 1024 * 1024;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// What RFC 3986 never needs encoded, and nothing else.
pub(crate) const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A setting that cannot be used, and why.
pub(crate) struct BadSetting {
    pub(crate) name: &'static str,
    pub(crate) problem: String,
}

impl BadSetting {
    fn new(name: &'static str, problem: impl Into<String>) -> BadSetting {
        BadSetting { name, problem: problem.into() }
    }
}

/// Reads one variable of the environment; an empty one is unset.
pub(crate) fn variable(name: &'static str) -> Result<Option<String>, BadSetting> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(BadSetting::new(name, "is not UTF-8: write it as UTF-8")),
    }
}

/// An absolute URL, in the parts that decide where a request goes.
#[derive(Clone)]
pub(crate) struct Url {
    /// `https://host:port`, in lower case and without https's own port.
    pub(crate) origin: String,
    /// The origin without its scheme.
    pub(crate) authority: String,
    /// The authority without its port.
    pub(crate) host: String,
    /// All the rest: the path, and a query if there is one.
    pub(crate) path: String,
    /// `127.0.0.0/8`, `[::1]` or `localhost`: what never leaves this machine.
    loopback: bool,
}

/// Why a URL cannot be used, as the end of a sentence, and what to write instead.
pub(crate) struct BadUrl {
    pub(crate) problem: &'static str,
    pub(crate) instead: String,
}

impl BadUrl {
    pub(crate) fn new(problem: &'static str, instead: impl Into<String>) -> BadUrl {
        BadUrl { problem, instead: instead.into() }
    }
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)?;
        if self.instead.is_empty() { Ok(()) } else { write!(f, ": {}", self.instead) }
    }
}

impl Url {
    /// Reads a URL strictly: `http::Uri` drops a port that is out of range, loses fragments, and lets user
    /// info pass.
    pub(crate) fn parse(url: &str) -> Result<Url, BadUrl> {
        const EXAMPLE: &str = "write e.g. https://ACME.my.salesforce.com";
        let no_host = || BadUrl::new("holds no host name", EXAMPLE);
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| BadUrl::new("is not an absolute URL", EXAMPLE))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(BadUrl::new("holds user info", "leave out what is before the @"));
        }
        let after_brackets = authority.rfind(']').map_or(0, |n| n + 1);
        let (host, port) = match authority[after_brackets..].find(':') {
            Some(n) => (&authority[..after_brackets + n], Some(&authority[after_brackets + n + 1..])),
            None => (authority, None),
        };
        let port = match port.map(|port| (port.starts_with('+'), port.parse::<u16>())) {
            None => None,
            Some((false, Ok(port @ 1..))) => Some(port),
            Some(_) => return Err(BadUrl::new("holds a port that is not from 1 to 65535", "")),
        };
        let host = host.to_ascii_lowercase();
        let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let (host, loopback) = match ipv6.map(str::parse::<Ipv6Addr>) {
            Some(Ok(ip)) => (format!("[{ip}]"), ip.is_loopback()),
            Some(Err(_)) => return Err(no_host()),
            None => {
                let is_label = |label: &str| {
                    matches!(label.len(), 1..64)
                        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
                };
                if host.len() > 253 || !host.split('.').all(is_label) {
                    return Err(no_host());
                }
                let ip = host.parse::<Ipv4Addr>();
                let loopback = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
                (host, loopback)
            }
        };
        let scheme = scheme.to_ascii_lowercase();
        let usual_port = match &*scheme {
            "https" => 443,
            "http" if loopback => 80,
            "http" => return Err(BadUrl::new("is http, which would send secrets in clear", "write https")),
            _ => return Err(BadUrl::new("is neither https nor a host name alone", "")),
        };
        let authority = match port {
            Some(port) if port != usual_port => format!("{host}:{port}"),
            _ => host.clone(),
        };
        Ok(Url {
            origin: format!("{scheme}://{authority}"),
            authority,
            host,
            path: path.to_owned(),
            loopback,
        })
    }
}

/// Whether it names a place by itself: anything that begins with a scheme.
pub(crate) fn is_absolute(url: &str) -> bool {
    let is_scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    url.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme))
}

pub(crate) fn is_url_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?[]@!$&'()*+,;=%".contains(c)
}

/// Encodes each value once, as `application/x-www-form-urlencoded`.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    const FORM_SAFE: &AsciiSet = &UNRESERVED.remove(b' ').remove(b'*').add(b'~');
    let encode = |text: &str| utf8_percent_encode(text, FORM_SAFE).to_string().replace(' ', "+");
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// The pairs of a form, or of a URL's query.
pub(crate) fn read_form(form: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(move |(name, value)| (decode(name), decode(value)))
}

/// A header whose value ureq keeps out of its own `Debug`.
pub(crate) fn secret_header(value: &str) -> HeaderValue {
    // Base64, and tokens, whose characters were checked, are always fit for a header.
    let mut value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// When an exchange must be over.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    /// The whole of it, for messages.
    timeout: Duration,
}

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Deadline {
        // ureq takes zero for over already.
        let timeout = timeout.clamp(Duration::from_millis(1), LONGEST);
        Deadline { at: Instant::now() + timeout, timeout }
    }

    /// The earlier of this one and a new one.
    pub(crate) fn at_most(self, timeout: Duration) -> Deadline {
        if timeout < self.left() { Deadline::after(timeout) } else { self }
    }

    pub(crate) fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// A request, ready to be sent as often as the table of repeats allows.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) to: &'a Url,
    /// The path at that origin, and a query if there is one.
    pub(crate) path: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// `None` for requests that have no body at all.
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) kind: RequestKind,
    /// How many bytes a good reply may have, and whether its body is left to the caller to read, who then has
    /// the whole timeout for each phase: sending, waiting for the headers, reading.
    pub(crate) reading: Reading,
    /// What is wrong with a reply, as far as repeating goes.
    pub(crate) fault: fn(&Reply) -> Option<Fault>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Reading {
    Whole { limit: u64 },
    Streamed,
}

impl<'a> Request<'a> {
    pub(crate) fn form(to: &'a Url, path: String, body: &'a str, kind: RequestKind) -> Request<'a> {
        Request {
            method: Method::POST,
            to,
            path,
            headers: vec![(header::CONTENT_TYPE, FORM), (header::ACCEPT, JSON)],
            body: Some(body.as_bytes()),
            kind,
            reading: Reading::Whole { limit: SMALL_REPLY },
            fault: Reply::fault,
        }
    }
}

/// What a request is, as far as repeating it goes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum RequestKind {
    Login,
    Read,
    /// A write, or the exchange of a code, which is spent by the first one that arrives.
    Write,
}

/// What went wrong, as far as repeating goes.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Certainly nothing was sent.
    NotSent,
    /// Something may have been sent, and no whole reply came.
    ConnectionLost,
    /// 502, 503 or 504.
    Unavailable,
    /// 429.
    TryLater,
    /// A reply that asks to be tried again, in words that its sender understands.
    AskedToRetry,
}

impl RequestKind {
    /// What a request with this method is, unless more is known of it.
    pub(crate) fn of(method: &Method) -> RequestKind {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => RequestKind::Read,
            _ => RequestKind::Write,
        }
    }

    // A table reads better with every row.
    #[rustfmt::skip]
    #[allow(clippy::match_same_arms)]
    fn may_repeat_after(self, fault: Fault) -> bool {
        let [login, read, write] = match fault {
            //                         login  read  write
            Fault::NotSent =>         [true,  true, true],
            Fault::ConnectionLost =>  [false, true, false],
            Fault::Unavailable =>     [true,  true, false],
            Fault::TryLater =>        [true,  true, true],
            Fault::AskedToRetry =>    [true,  true, false],
        };
        match self {
            RequestKind::Login => login,
            RequestKind::Read => read,
            RequestKind::Write => write,
        }
    }
}

/// A reply as it came.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
    /// The response itself, its body unread, where the request wants it streamed and it is a 2xx.
    pub(crate) stream: Option<Response<ureq::Body>>,
}

impl Reply {
    fn head(response: &Response<ureq::Body>) -> Reply {
        let headers = response.headers();
        let seconds =
            headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let location = headers.get(header::LOCATION).filter(|_| response.status().is_redirection());
        Reply {
            status: response.status().as_u16(),
            location: location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            retry_after: seconds.map(Duration::from_secs),
            body: Vec::new(),
            stream: None,
        }
    }

    fn read_body(&mut self, response: Response<ureq::Body>, reading: Reading) -> io::Result<()> {
        let limit = match reading {
            Reading::Streamed if self.is_success() => {
                self.stream = Some(response);
                return Ok(());
            }
            Reading::Whole { limit } if self.is_success() => limit,
            _ => SMALL_REPLY,
        };
        // The body of a redirect may never end, and says nothing that Location does not. A 300, of an
        // external id that is not unique, is no redirect.
        if matches!(self.status, 204 | 205 | 301..=399) {
            return Ok(());
        }
        let mut body = response.into_body().into_with_config().limit(limit).reader();
        body.read_to_end(&mut self.body).map(drop)
    }

    /// What its status says about repeating the request.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.status {
            502..=504 => Some(Fault::Unavailable),
            429 => Some(Fault::TryLater),
            _ => None,
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.body.iter().all(u8::is_ascii_whitespace)
    }

    /// The body as JSON, of whatever shape; `None` where it is none.
    pub(crate) fn json(&self) -> Option<Value> {
        self.text().ok()?.parse().ok()
    }

    pub(crate) fn text(&self) -> Result<&str, Misfit> {
        str::from_utf8(&self.body).map_err(|_| Misfit::NotUtf8)
    }

    /// The title, where it is an HTML page; empty where that has none.
    pub(crate) fn html_title(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if !text.starts_with('<') || text.starts_with("<?xml") {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title").and_then(|tag| {
            let start = tag + lower[tag..].find('>')? + 1;
            Some(&text[start..start + lower[start..].find("</title")?])
        });
        Some(title.unwrap_or_default().to_owned())
    }
}

/// The tokens of JSON, each with where it begins: punctuation, strings in their quotes, and all else.
pub(crate) fn json_tokens(json: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = json;
    iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let length = match rest.as_bytes().first()? {
            b'{' | b'}' | b'[' | b']' | b':' | b',' => 1,
            b'"' => {
                let mut escaped = true; // The quote that begins it does not end it.
                let end = rest.bytes().position(|b| {
                    let ends = b == b'"' && !escaped;
                    escaped = b == b'\\' && !escaped;
                    ends
                });
                end.map_or(rest.len(), |end| end + 1)
            }
            _ => rest.find(['{', '}', '[', ']', ':', ',', '"', ' ', '\t', '\r', '\n']).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        let begin = json.len() - rest.len();
        rest = after;
        Some((token, begin))
    })
}

/// Why a reply cannot be read as what it was asked for.
pub(crate) enum Misfit {
    NotUtf8,
    NotJson(String),
    Unfit(String),
}

/// Reads JSON, or tells where it does not fit and what was expected there, without quoting a value.
pub(crate) fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, Misfit> {
    serde_json::from_str(text).map_err(|error| {
        let at = format!("line {} column {}", error.line(), error.column());
        if !error.is_data() {
            return Misfit::NotJson(format!("not JSON at {at}"));
        }
        let place = place_in_json(text, error.line(), error.column());
        let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
        let words = error.to_string();
        let words = words.rsplit_once(" at line ").map_or(&*words, |(words, _)| words);
        // serde's own errors name a value, then what the type expects; what others hold is not known.
        let expected = ["invalid type", "invalid value", "invalid length", "unknown variant"]
            .iter()
            .any(|begin| words.starts_with(begin))
            .then(|| words.rsplit_once(", expected "))
            .flatten();
        Misfit::Unfit(match (words.strip_prefix("missing field "), expected) {
            (Some(field), _) => format!("JSON without the field {field}{place} ({at})"),
            (None, Some((_, expected))) => {
                format!("JSON that does not fit the type asked for{place}, expected {expected} ({at})")
            }
            (None, None) => format!("JSON that does not fit the type asked for{place} ({at})"),
        })
    })
}

/// The path to a place in JSON, such as `records[3].Name`.
fn place_in_json(json: &str, line: usize, column: usize) -> String {
    let before: usize = json.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let end = before + column;
    /// What is read is never deeper; what is skipped can be as deep as the reply is long.
    const DEEPEST: usize = 128;
    // For each object or array around: the name it is at, in quotes, or a bracket; and the commas before.
    let mut path = Vec::new();
    let mut deeper = 0_usize;
    let mut last = "";
    for (token, begin) in json_tokens(json).take_while(|(_, begin)| *begin < end) {
        let is_deepest = path.len() == DEEPEST;
        match (token, path.last_mut()) {
            ("{" | "[", _) if is_deepest => deeper += 1,
            ("}" | "]", _) if deeper > 0 => deeper -= 1,
            _ if deeper > 0 => {}
            ("{", _) => path.push(("", 0)),
            ("[", _) => path.push(("[", 0)),
            ("}" | "]", _) => drop(path.pop()),
            (":", Some((name, _))) => *name = last,
            (",", Some((_, commas))) if begin + 1 < end => *commas += 1,
            _ => {}
        }
        last = token;
    }
    let steps = path.into_iter().map(|step| match step {
        ("", _) => String::new(),
        ("[", n) => format!("[{n}]"),
        (name, _) => format!(".{}", name.trim_matches('"')),
    });
    steps.collect::<String>().trim_start_matches('.').to_owned()
}

/// Why there is no reply, or no whole one.
pub(crate) struct NoReply {
    pub(crate) cause: Cause,
    /// The cause in words, those of the TLS library or the operating system among them.
    pub(crate) words: String,
    /// Whether a proxy stood between.
    pub(crate) proxy: bool,
    /// The HTTP status, where the reply was lost after its headers.
    pub(crate) status: Option<u16>,
    /// `None` where asking again would change nothing.
    pub(crate) fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    NameNotFound,
    NameTimeout,
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

/// Sends requests. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    /// `NO_PROXY`'s entries, in lower case.
    no_proxy: Arc<[String]>,
}

impl Client {
    /// A client of the caller's agent, or of one made from the environment.
    pub(crate) fn new(agent: Option<ureq::Agent>) -> Result<Client, BadSetting> {
        let Some(agent) = agent else {
            return Client::from_env();
        };
        let config = agent.config();
        let tls = config.tls_config();
        let platform = matches!(tls.root_certs(), RootCerts::PlatformVerifier);
        let rustls = tls.provider() == TlsProvider::Rustls;
        // All but the first would make ureq panic, or go without the proxy.
        let problems = [
            (tls.disable_verification(), "has certificate checks turned off: name root_certs instead"),
            (rustls && !cfg!(feature = "rustls"), "wants rustls: enable sf-login's feature rustls"),
            (
                !rustls && !cfg!(feature = "native-tls"),
                "wants native-tls: enable sf-login's feature native-tls",
            ),
            (
                rustls && platform && !cfg!(feature = "platform-verifier"),
                "wants the platform's verifier: enable sf-login's feature platform-verifier",
            ),
            (
                config.proxy().is_some_and(is_unusable_socks),
                "has a SOCKS proxy: enable sf-login's feature socks-proxy",
            ),
        ];
        match problems.into_iter().find(|(is_so, _)| *is_so) {
            Some((_, problem)) => Err(BadSetting::new("agent", problem)),
            None => Ok(Client { agent, no_proxy: Arc::default() }),
        }
    }

    fn from_env() -> Result<Client, BadSetting> {
        let roots = match env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            Some(path) => {
                let pem = fs::read(path).map_err(|error| {
                    BadSetting::new("SSL_CERT_FILE", format!("names a file that cannot be read: {error}"))
                })?;
                // Behind a byte order mark, the first certificate would not be seen.
                let pem = pem.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&pem);
                let certificates = parse_pem(pem).filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(_) => Some(Err(())),
                });
                let certificates: Vec<_> = certificates.collect::<Result<_, ()>>().unwrap_or_default();
                // ureq takes an empty list, and then trusts nobody without saying why.
                if certificates.is_empty() {
                    let problem = "names a file without a certificate, or with a damaged one: write the \
                                   path of a PEM file with -----BEGIN CERTIFICATE-----";
                    return Err(BadSetting::new("SSL_CERT_FILE", problem));
                }
                RootCerts::from(certificates)
            }
            // Who chooses the operating system's TLS or verifier wants its roots as well.
            None if cfg!(feature = "platform-verifier") || !cfg!(feature = "rustls") => {
                RootCerts::PlatformVerifier
            }
            None => RootCerts::WebPki,
        };
        // ureq's default is rustls even in a build without it, and then panics.
        let provider = if cfg!(feature = "rustls") { TlsProvider::Rustls } else { TlsProvider::NativeTls };
        let tls = TlsConfig::builder().provider(provider).root_certs(roots).build();
        let no_proxy = match variable("NO_PROXY")? {
            Some(hosts) => hosts,
            None => variable("no_proxy")?.unwrap_or_default(),
        };
        let no_proxy = no_proxy.split(|c: char| c == ',' || c.is_whitespace());
        let no_proxy = no_proxy.filter(|host| !host.is_empty()).map(str::to_ascii_lowercase).collect();
        let config = ureq::Agent::config_builder()
            .user_agent(concat!("sf-login/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .proxy(env_proxy()?)
            .build();
        Ok(Client { agent: config.new_agent(), no_proxy })
    }

    /// The proxy that requests to `url` go through.
    fn proxy(&self, url: &Url) -> Option<&ureq::Proxy> {
        let proxy = self.agent.config().proxy().filter(|_| !url.loopback)?;
        let spared = self.no_proxy.iter().any(|entry| {
            // In an IPv6 address without brackets, :443 is no port.
            let named = entry.strip_suffix(":443").filter(|host| host.ends_with(']') || !host.contains(':'));
            let entry = named.unwrap_or(entry).trim_end_matches('.');
            let domain = entry.trim_start_matches('*').trim_start_matches('.');
            let rest = url.host.strip_suffix(domain).filter(|_| !domain.is_empty());
            let within = rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            within || entry == "*" || entry == url.authority || url.host == format!("[{entry}]")
        });
        // A caller's proxy may spare hosts of its own.
        let origin = url.origin.parse::<http::Uri>().ok()?;
        (!spared && !proxy.is_no_proxy(&origin)).then_some(proxy)
    }

    /// Sends `request`, as often as the table of repeats allows, and gives the last reply.
    pub(crate) fn send(&self, request: &Request<'_>, deadline: Deadline) -> Result<Reply, NoReply> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let outcome = self.send_once(request, deadline);
            let (fault, retry_after) = match &outcome {
                Ok(reply) => ((request.fault)(reply), reply.retry_after),
                Err(error) => (error.fault, None),
            };
            let repeat = fault.is_some_and(|fault| request.kind.may_repeat_after(fault));
            let pause = pauses.next().map(|pause| retry_after.unwrap_or(pause));
            match pause.filter(|pause| repeat && *pause < deadline.left()) {
                Some(pause) => thread::sleep(pause),
                None => return outcome,
            }
        }
    }

    fn send_once(&self, request: &Request<'_>, deadline: Deadline) -> Result<Reply, NoReply> {
        let proxy = self.proxy(request.to);
        let was_read = Cell::new(false);
        let mut body = Noted(request.body.unwrap_or_default(), &was_read);
        let no_reply = |error: &ureq::Error, status| {
            // A body that nobody has read yet cannot have been sent. Without one, there is no telling.
            let sent = request.body.filter(|body| !body.is_empty()).map(|_| was_read.get());
            NoReply::of(error, deadline, sent, proxy, status)
        };
        let mut http = http::Request::builder()
            .method(&request.method)
            .uri(format!("{}{}", request.to.origin, request.path));
        for (name, value) in &request.headers {
            http = http.header(name, value);
        }
        let run = || match request.body {
            Some(bytes) => {
                let http = http.header(header::CONTENT_LENGTH, bytes.len());
                self.run(request, http.body(ureq::SendBody::from_reader(&mut body))?, deadline, proxy)
            }
            None => self.run(request, http.body(ureq::SendBody::none())?, deadline, proxy),
        };
        let response = run().map_err(|error| no_reply(&error, None))?;
        let mut reply = Reply::head(&response);
        match reply.read_body(response, request.reading) {
            Ok(()) => Ok(reply),
            Err(error) => {
                let error = no_reply(&error.into(), Some(reply.status));
                // What was refused is refused, even where the reason got lost.
                let refused = (400..500).contains(&reply.status) && request.kind != RequestKind::Read;
                Err(NoReply { fault: reply.fault().or(error.fault.filter(|_| !refused)), ..error })
            }
        }
    }

    /// Hands the request to ureq, with the settings that hold whatever the agent is set to.
    fn run(
        &self,
        request: &Request<'_>,
        http: http::Request<ureq::SendBody<'_>>,
        deadline: Deadline,
        proxy: Option<&ureq::Proxy>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let left = deadline.left().max(Duration::from_millis(1));
        // A little less than all, so that a timeout tells that it was connecting.
        let connect = Some(left.min(CONNECT_TIMEOUT).mul_f32(0.99));
        let (whole, phase) = match request.reading {
            Reading::Whole { .. } => (Some(left), None),
            // A timeout for the whole would go on running while the caller reads the body.
            Reading::Streamed => (None, Some(left)),
        };
        let http = self
            .agent
            .configure_request(http)
            // ureq's error for a refusal would lose the body, which says why.
            .http_status_as_error(false)
            // A redirect would carry the credentials to a host that nobody named.
            .max_redirects(0)
            // `Session::run` takes what its caller chooses.
            .allow_non_standard_methods(true)
            .https_only(request.to.origin.starts_with("https:"))
            .proxy(proxy.cloned())
            // All of them: a caller's own could be one that the clock cannot add.
            .timeout_per_call(None)
            .timeout_per_read(None)
            .timeout_per_write(None)
            .timeout_await_100(None)
            .timeout_resolve(connect)
            .timeout_connect(connect)
            .timeout_global(whole)
            .timeout_send_request(phase)
            .timeout_send_body(phase)
            .timeout_recv_response(phase)
            .timeout_recv_body(phase.and(Some(deadline.timeout)))
            .build();
        self.agent.run(http)
    }
}

/// A body that notes its first read.
struct Noted<'a>(&'a [u8], &'a Cell<bool>);

impl Read for Noted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1.set(true);
        self.0.read(buf)
    }
}

fn is_unusable_socks(proxy: &ureq::Proxy) -> bool {
    use ureq::ProxyProtocol::{Http, Https};
    !matches!(proxy.protocol(), Http | Https) && !cfg!(feature = "socks-proxy")
}

/// The proxy that the environment names.
//
// By hand, because ureq lets ALL_PROXY win over HTTPS_PROXY and goes direct where a URL is unusable.
fn env_proxy() -> Result<Option<ureq::Proxy>, BadSetting> {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let Some(url) = variable(name)? else {
            continue;
        };
        let url = url.trim().trim_end_matches('/');
        // After an unencoded / in a password, what is before it would be the host.
        let has_path = url.split_once("://").map_or(url, |(_, rest)| rest).contains(['/', '?', '#']);
        // A port that is none would silently be 80.
        let has_bad_port = |proxy: &ureq::Proxy| {
            let authority = proxy.uri().authority().map_or("", |authority| authority.as_str());
            let end = authority.rsplit(['@', ']']).next().unwrap_or_default();
            end.contains(':') && proxy.uri().port_u16().is_none_or(|port| port == 0)
        };
        let proxy = ureq::Proxy::new(url)
            .ok()
            .filter(|proxy| !has_path && !proxy.host().is_empty() && !has_bad_port(proxy))
            .ok_or_else(|| {
                let problem = "is not a proxy's URL: write e.g. http://proxy.example.com:3128, with \
                               special characters of a password percent-encoded";
                BadSetting::new(name, problem)
            })?;
        if is_unusable_socks(&proxy) {
            let problem = "names a SOCKS proxy, which this build lacks: enable sf-login's \
                           feature socks-proxy, or name an http proxy";
            return Err(BadSetting::new(name, problem));
        }
        return Ok(Some(proxy));
    }
    Ok(None)
}

impl NoReply {
    /// What an error of ureq's means. `sent` tells whether anything of the request was sent, as far as known.
    //
    // By its words where ureq gives no type: see the arms that look into `text`.
    fn of(
        error: &ureq::Error,
        deadline: Deadline,
        sent: Option<bool>,
        proxy: Option<&ureq::Proxy>,
        status: Option<u16>,
    ) -> NoReply {
        use io::ErrorKind as Io;
        use ureq::Timeout::{Connect, Resolve};

        let text = error.to_string();
        let text = text.trim_start_matches("io: ");
        let says = |words: &str| text.to_ascii_lowercase().contains(words);
        let io = match error {
            ureq::Error::Io(io) => Some(io),
            _ => None,
        };
        let is_name_unknown = matches!(error, ureq::Error::HostNotFound)
            || io.is_some_and(|io| says("lookup address") || is_windows_unknown_host(io));
        let is_tls = matches!(error, ureq::Error::Tls(_) | ureq::Error::TlsRequired)
            || io.is_some_and(|io| io.kind() == Io::InvalidData)
            || text.starts_with("rustls: ")
            || text.starts_with("native-tls: ");
        let within = |timeout: Duration| format!("within {} s", timeout.as_secs_f64());
        let connecting = within(CONNECT_TIMEOUT.min(deadline.timeout));
        let unsent = sent == Some(false);
        let (cause, words) = match error {
            ureq::Error::Timeout(Resolve) => {
                (Cause::NameTimeout, format!("the name was not resolved {connecting}"))
            }
            ureq::Error::Timeout(Connect) => {
                (Cause::ConnectTimeout, format!("could not connect {connecting}"))
            }
            ureq::Error::Timeout(_) if unsent => {
                (Cause::ConnectTimeout, format!("could not connect {}", within(deadline.timeout)))
            }
            ureq::Error::Timeout(_) => {
                (Cause::ReplyTimeout, format!("no complete reply {}", within(deadline.timeout)))
            }
            ureq::Error::BodyExceedsLimit(limit) => {
                (Cause::TooLarge, format!("larger than {} MiB", limit >> 20))
            }
            _ if status.is_some() => (Cause::Truncated, "truncated or corrupted".to_owned()),
            ureq::Error::ConnectProxyFailed(_) => {
                let answer = text.rsplit_once(" responded ").and_then(|(_, status)| status.split('/').next());
                match answer.and_then(|status| status.parse().ok()) {
                    Some(status) => (Cause::Proxy(status), format!("it answered {status} to CONNECT")),
                    None => (Cause::Proxy(0), text.to_owned()),
                }
            }
            _ if is_name_unknown => (Cause::NameNotFound, "the host name was not found".to_owned()),
            ureq::Error::Protocol(_) => (Cause::NotHttp, format!("not an HTTP reply ({text})")),
            // An alert is the server's word about this side.
            _ if says("certificate") && !says("alert") => {
                // rustls goes on with times in seconds since 1970, and with all algorithms that it knows.
                let text = text.split(": verification time").next().unwrap_or_default();
                let text = text.split(" {").next().unwrap_or_default();
                (Cause::Certificate, format!("TLS: {text}"))
            }
            _ if is_tls => (Cause::Tls, format!("TLS: {text}")),
            _ => match io.map(io::Error::kind) {
                Some(Io::ConnectionRefused) => {
                    (Cause::ConnectionRefused, "the connection was refused".to_owned())
                }
                Some(
                    Io::HostUnreachable | Io::NetworkUnreachable | Io::NetworkDown | Io::AddrNotAvailable,
                ) => (Cause::Unreachable, text.to_owned()),
                Some(Io::UnexpectedEof | Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe) => {
                    let when = if unsent { " before the request was sent" } else { "" };
                    (Cause::ConnectionLost, format!("the connection was lost{when}"))
                }
                _ => (Cause::Other, text.to_owned()),
            },
        };
        // Words prove nothing; but the operating system refuses only to connect, and its own errors are never
        // of the kind `Other`.
        let is_proven = io.is_none_or(|io| match io.kind() {
            Io::ConnectionRefused => io.raw_os_error().is_some(),
            kind => kind != Io::Other,
        });
        let is_connecting = matches!(
            cause,
            Cause::NameNotFound
                | Cause::NameTimeout
                | Cause::ConnectTimeout
                | Cause::ConnectionRefused
                | Cause::Proxy(_)
        );
        let fault = match cause {
            // A wrong password can lock out at a proxy as well.
            Cause::Certificate | Cause::TooLarge | Cause::Proxy(401 | 407) => None,
            Cause::Tls if unsent => None,
            _ if unsent || is_connecting && is_proven && sent.is_none() => Some(Fault::NotSent),
            _ => Some(Fault::ConnectionLost),
        };
        let after_connecting = matches!(
            cause,
            Cause::ReplyTimeout | Cause::ConnectionLost | Cause::NotHttp | Cause::Truncated | Cause::TooLarge
        );
        let words = match proxy {
            Some(proxy) if !after_connecting || unsent => {
                format!("through the proxy {}:{}: {words}", proxy.host(), proxy.port())
            }
            _ => words,
        };
        NoReply { cause, words, proxy: proxy.is_some(), status, fault }
    }
}

/// Windows' own numbers for a host that is not known; the words are in the user's language.
fn is_windows_unknown_host(error: &io::Error) -> bool {
    cfg!(windows) && error.raw_os_error().is_some_and(|code| (11001..=11004).contains(&code))
}
