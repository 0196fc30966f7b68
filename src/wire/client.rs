//! The agent that sends: its TLS roots and proxy, from the environment or the caller's.

use std::ffi::OsStr;
use std::sync::Arc;
use std::{env, fs, io};

use ureq::http;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::url::Url;
use crate::error::{Error, setting};
use crate::variable::variable;

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
            Some((_, problem)) => Err(setting("agent", problem)),
            None => Ok(Client { agent, no_proxy: Arc::default() }),
        }
    }

    fn from_env() -> Result<Client, Error> {
        let roots = match env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            Some(path) => {
                let pem = read_pem(&path).map_err(|error| {
                    setting("SSL_CERT_FILE", format!("names a file that cannot be read: {error}"))
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
                    return Err(setting("SSL_CERT_FILE", problem));
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

/// A pipe could keep this waiting, or never end; it is not even opened.
fn read_pem(path: &OsStr) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    // A directory says so itself.
    if !found.is_file() && !found.is_dir() {
        return Err(io::Error::other("not a regular file: write the path of one"));
    }
    if found.len() > 16 * 1024 * 1024 {
        return Err(io::Error::other("larger than 16 MiB: write the path of a file with certificates alone"));
    }
    fs::read(path)
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
                setting(name, problem)
            })?;
        if is_unusable_socks(&proxy) {
            let problem = "names a SOCKS proxy, which this build lacks: enable sf-login's \
                           feature socks-proxy, or name an http proxy";
            return Err(setting(name, problem));
        }
        return Ok(Some(proxy));
    }
    Ok(None)
}
