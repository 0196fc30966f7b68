//! The agent that sends: its TLS roots and proxy, from the environment or the caller's.

use std::ffi::OsStr;
use std::sync::Arc;
use std::{env, fmt, fs};

use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::url::Url;
use crate::error::{Error, setting};
use crate::variable::variable;

const PLATFORM_VERIFIER: bool = cfg!(feature = "platform-verifier");

/// Sends requests. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Client {
    pub(super) agent: ureq::Agent,
    /// `NO_PROXY`'s entries, in lower case.
    no_proxy: Arc<[String]>,
}

impl Client {
    /// A client of the caller's agent, or of one made from the environment.
    pub(crate) fn new(agent: Option<ureq::Agent>) -> Result<Client, Error> {
        let Some(agent) = agent else {
            return Client::from_env();
        };
        let config = agent.config();
        let tls = config.tls_config();
        let rustls = tls.provider() == TlsProvider::Rustls;
        let verifier = rustls && matches!(tls.root_certs(), RootCerts::PlatformVerifier);
        if tls.disable_verification() {
            return Err(setting("agent", "has certificate checks turned off: name root_certs instead"));
        }
        // These would make ureq panic, or go without the proxy.
        let lacking = [
            (rustls && !cfg!(feature = "rustls"), "wants rustls", "rustls"),
            (!rustls && !cfg!(feature = "native-tls"), "wants native-tls", "native-tls"),
            (verifier && !PLATFORM_VERIFIER, "wants the platform's verifier", "platform-verifier"),
            (config.proxy().is_some_and(is_unusable_socks), "has a SOCKS proxy", "socks-proxy"),
        ];
        if let Some((_, what, feature)) = lacking.into_iter().find(|(is_so, ..)| *is_so) {
            return Err(setting("agent", format!("{what}: enable sf-login's feature {feature}")));
        }
        Ok(Client { agent, no_proxy: Arc::default() })
    }

    fn from_env() -> Result<Client, Error> {
        let roots = match env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            Some(path) => read_roots(&path).map_err(|problem| setting("SSL_CERT_FILE", problem))?,
            // Who chooses the operating system's TLS or verifier wants its roots as well.
            None if PLATFORM_VERIFIER || !cfg!(feature = "rustls") => RootCerts::PlatformVerifier,
            None => RootCerts::WebPki,
        };
        // ureq's default is rustls even in a build without it, and then panics.
        let provider = if cfg!(feature = "rustls") { TlsProvider::Rustls } else { TlsProvider::NativeTls };
        let tls = TlsConfig::builder().provider(provider).root_certs(roots).build();
        let no_proxy = variable("NO_PROXY")?.or(variable("no_proxy")?).unwrap_or_default();
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
    pub(super) fn proxy(&self, url: &Url) -> Option<&ureq::Proxy> {
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
}

/// The certificates of a file, or what is wrong with it.
fn read_roots(path: &OsStr) -> Result<RootCerts, String> {
    let unreadable = |why: &dyn fmt::Display| format!("names a file that cannot be read: {why}");
    let found = fs::metadata(path).map_err(|error| unreadable(&error))?;
    // A pipe could keep this waiting, or never end; it is not even opened. A directory says so itself.
    if !found.is_file() && !found.is_dir() {
        return Err(unreadable(&"not a regular file: write the path of one"));
    }
    if found.len() > 16 * 1024 * 1024 {
        return Err(unreadable(&"larger than 16 MiB: write the path of a file with certificates alone"));
    }
    let pem = fs::read(path).map_err(|error| unreadable(&error))?;
    // Behind a byte order mark, the first certificate would not be seen.
    let pem = pem.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&pem);
    let certificates = parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Some(certificate)),
        Ok(_) => None,
        Err(_) => Some(None),
    });
    let certificates: Option<Vec<_>> = certificates.collect();
    // ureq takes an empty list, and then trusts nobody without saying why.
    let certificates = certificates.filter(|certificates| !certificates.is_empty()).ok_or(
        "names a file without a certificate, or with a damaged one: write the path of a PEM file with \
         -----BEGIN CERTIFICATE-----",
    )?;
    Ok(RootCerts::from(certificates))
}

fn is_unusable_socks(proxy: &ureq::Proxy) -> bool {
    use ureq::ProxyProtocol::{Http, Https};
    !matches!(proxy.protocol(), Http | Https) && !cfg!(feature = "socks-proxy")
}

/// The proxy that the environment names.
//
// By hand, because ureq lets ALL_PROXY win over HTTPS_PROXY and goes direct where a URL is unusable.
fn env_proxy() -> Result<Option<ureq::Proxy>, Error> {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        if let Some(url) = variable(name)? {
            let proxy = parse_proxy(url.trim().trim_end_matches('/'));
            return proxy.map(Some).map_err(|problem| setting(name, problem));
        }
    }
    Ok(None)
}

/// Reads a proxy's URL, where it means what it seems to mean.
fn parse_proxy(url: &str) -> Result<ureq::Proxy, &'static str> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = authority.rsplit(['@', ']']).next().unwrap_or_default();
    let port = host.split_once(':').map(|(_, port)| port.parse::<u16>());
    // After an unencoded / in a password, what is before it would be the host; a port that is none, 80.
    let is_clear = !authority.contains(['/', '?', '#']) && matches!(port, None | Some(Ok(1..)));
    match ureq::Proxy::new(url) {
        Ok(proxy) if is_unusable_socks(&proxy) => Err("names a SOCKS proxy, which this build lacks: enable \
             sf-login's feature socks-proxy, or name an http proxy"),
        Ok(proxy) if is_clear && !proxy.host().is_empty() => Ok(proxy),
        _ => Err(
            "is not a proxy's URL: write e.g. http://proxy.example.com:3128, with special characters of a \
             password percent-encoded",
        ),
    }
}
