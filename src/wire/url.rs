//! URLs, taken apart strictly, and the encodings of what stands in them and in forms.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};

/// What RFC 3986 never needs encoded, and nothing else.
pub(crate) const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
    pub(crate) loopback: bool,
}

impl Url {
    /// Reads a URL strictly: `http::Uri` drops a port that is out of range, loses fragments, and lets user
    /// info pass.
    pub(crate) fn parse(url: &str) -> Result<Url, BadUrl> {
        let example = |problem| BadUrl::new(problem, "write e.g. https://ACME.my.salesforce.com");
        let (scheme, rest) = url.split_once("://").ok_or_else(|| example("is not an absolute URL"))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(BadUrl::new("holds user info", "leave out what is before the @"));
        }
        // The colons of an IPv6 address begin no port.
        let after_brackets = authority.rfind(']').map_or(0, |n| n + 1);
        let host_end = authority[after_brackets..].find(':').map_or(authority.len(), |n| after_brackets + n);
        let (host, port) = authority.split_at(host_end);
        let port = match port.strip_prefix(':').map(|port| (port.starts_with('+'), port.parse::<u16>())) {
            None => None,
            Some((false, Ok(port @ 1..))) => Some(port),
            Some(_) => return Err(BadUrl::new("holds a port that is not from 1 to 65535", "")),
        };
        let host = host.to_ascii_lowercase();
        let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let (host, loopback) = match ipv6.map(str::parse::<Ipv6Addr>) {
            Some(Ok(ip)) => (format!("[{ip}]"), ip.is_loopback()),
            None if is_host_name(&host) => {
                let loopback = host == "localhost" || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback());
                (host, loopback)
            }
            _ => return Err(example("holds no host name")),
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
        let origin = format!("{scheme}://{authority}");
        Ok(Url { origin, authority, host, path: path.to_owned(), loopback })
    }
}

fn is_host_name(host: &str) -> bool {
    let is_fit = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    host.len() <= 253
        && host.split('.').all(|label| matches!(label.len(), 1..64) && label.bytes().all(is_fit))
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
        let colon = if self.instead.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}", self.problem, self.instead)
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

/// The pairs of a form, or of a URL's query, as JSON has them.
pub(crate) fn read_form(form: &str) -> Map<String, Value> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let form = form.split('#').next().unwrap_or_default();
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value).into())).collect()
}

/// Writes `value` as one segment of a path, e.g. an external id.
///
/// ```
/// use sf_login::path_segment;
///
/// let path = format!("sobjects/Account/External_Id__c/{}", path_segment("A/7 #2"));
/// assert_eq!(path, "sobjects/Account/External_Id__c/A%2F7%20%232");
/// ```
#[must_use]
pub fn path_segment(value: &str) -> String {
    match value {
        // As they are, these would climb the path.
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => utf8_percent_encode(value, UNRESERVED).to_string(),
    }
}
