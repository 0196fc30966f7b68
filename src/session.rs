//! `Session`: what it is, its settings, its token, and where its paths go.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use ureq::http::{self, HeaderName, HeaderValue};

use crate::address::parse_salesforce_url;
use crate::error::{Error, setting};
use crate::renewal::Shared;
use crate::settings::Renewal;
use crate::token::Token;
use crate::wire::client::Client;
use crate::wire::url::{is_absolute, is_url_char};
#[cfg(doc)]
use crate::{error::ErrorKind, wire::url::path_segment};

/// The API version of requests unless told otherwise: Spring '26. Pinned, since a program that was tried with
/// one version's replies should not meet another's.
pub(crate) const API_VERSION: &str = "v66.0";

const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// The headers that are the session's own, or the connection's: a caller cannot set them.
pub(crate) const OURS: [HeaderName; 6] =
    [AUTHORIZATION, HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, EXPECT];

/// Requests as the user who logged in.
///
/// `Send + Sync`, and all requests take `&self`: threads share one session, and one login. Clones are cheap, share
/// token and login, and may have a [timeout](Session::timeout), an [API version](Session::api_version) or
/// [headers](Session::header) of their own.
///
/// A `path` that begins with `/` is taken from the instance's root, any other is relative to
/// `/services/data/vNN.N/`; an absolute URL is accepted on the instance's own origin only. What is not plain
/// ASCII in it must be percent-encoded, see [`path_segment`].
///
/// **An expired session** is replaced by one new login, which threads share, and the request is sent again. Refused
/// credentials, and a new token that is rejected within a minute, are remembered and not tried again, so that a
/// loop of requests cannot lock the user out. After a new login that failed for another reason, an outage say, the
/// next one waits for 1 s, then 2, 4 and so on to 60 s, until a token comes; requests in between get that failure.
/// There are ten new logins a minute at most.
///
/// **Retries**, at most two and within the timeout: when nothing was sent yet, and when the API is asked too
/// much (429), every request; when the connection was lost or Salesforce is unavailable (502, 503, 504, 420),
/// only those that read. `Retry-After` in seconds is honoured. A request without a body, a DELETE say, is
/// repeated only when no connection was made. Repeats and new logins are logged at debug, by the crate `log`.
#[derive(Clone)]
pub struct Session {
    pub(crate) shared: Arc<Shared>,
    // A setting that cannot be used is told by the first request, unless it is set anew.
    pub(crate) client: Result<Client, Error>,
    pub(crate) version: Result<String, Error>,
    pub(crate) timeout: Duration,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, Result<(HeaderName, HeaderValue), Error>>,
}

impl Session {
    /// A session of a kept token alone: it cannot log in again by itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] when `SSL_CERT_FILE` or a proxy variable cannot be used.
    pub fn new(token: Token) -> Result<Session, Error> {
        let renewal = Renewal::TokenAlone { from_env: token.from_env };
        Ok(Session::made_of(Client::new(None)?, token, renewal))
    }

    /// The API version of relative paths: `66.0`, `66` or `v66.0`. Default `66.0`, which stays the same
    /// through all releases of this crate that are compatible.
    #[must_use]
    pub fn api_version(mut self, version: impl AsRef<str>) -> Session {
        self.version = api_version("api_version", version.as_ref());
        self
    }

    /// How long each request may take, retries and a new login included; 120 seconds by default, of which
    /// connecting may take 10.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Session {
        self.timeout = timeout;
        self
    }

    /// A header that every request of this session, or of this clone, has; the same name again replaces it. For
    /// pages of 200 records: `session.header("Sforce-Query-Options", "batchSize=200")`.
    ///
    /// Neither a login nor [`revoke`](Session::revoke) has it. It takes the place of this crate's own `Accept`
    /// and `Content-Type`; a header of a request that is given to [`run`](Session::run) takes its place.
    /// `Authorization`, `Host`, `Content-Length`, `Transfer-Encoding`, `Connection` and `Expect` are the
    /// session's own: the first request tells that they cannot be set.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Session {
        self.headers.insert(name.to_ascii_lowercase(), checked_header(name, value));
        self
    }

    /// An agent of the caller's own, see [`Login::agent`](crate::Login::agent); new logins use it too.
    #[must_use]
    pub fn agent(mut self, agent: ureq::Agent) -> Session {
        self.client = Client::new(Some(agent));
        self
    }

    /// The current token, the newest if the session has logged in again.
    #[must_use]
    pub fn token(&self) -> Token {
        self.shared.token()
    }

    /// Where `path` goes, for [`run`](Session::run).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] when `path` is a URL of another origin, or holds what no URL can.
    pub fn url(&self, path: &str) -> Result<String, Error> {
        Ok(format!("{}{}", self.shared.instance.origin, self.path(path)?))
    }

    pub(crate) fn made_of(client: Client, token: Token, renewal: Renewal) -> Session {
        let (shared, version) = (Arc::new(Shared::new(token, renewal)), Ok(API_VERSION.to_owned()));
        Session { shared, client: Ok(client), version, timeout: REQUEST_TIMEOUT, headers: BTreeMap::new() }
    }

    /// Where `path` goes at the instance.
    pub(crate) fn path(&self, path: &str) -> Result<String, Error> {
        let bad = |problem: String| setting("path", problem);
        let version = self.version.as_ref().map_err(Error::clone)?;
        let origin = &self.shared.instance.origin;
        let path = if is_absolute(path) {
            let url = parse_salesforce_url(path).map_err(|why| bad(why.to_string()))?;
            if url.origin != *origin {
                return Err(bad(format!("is a URL of {}, not of {origin}", url.authority)));
            }
            url.path
        } else if path.starts_with("//") {
            return Err(bad("begins with //, which names another host".to_owned()));
        } else if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/services/data/{version}/{path}")
        };
        if let Some(odd) = path.chars().find(|c| !is_url_char(*c)) {
            let instead = "percent-encode it (a space is %20), and send SOQL with query";
            return Err(bad(format!("holds {odd:?}, which no URL can: {instead}")));
        }
        let url = format!("{origin}{path}");
        // It takes 65,534 bytes.
        if url.parse::<http::Uri>().is_err() {
            let instead =
                "if it is long, ask for fewer fields, or for fewer ids in IN (...) by several queries";
            return Err(bad(format!("makes a URL of {} bytes that cannot be sent: {instead}", url.len())));
        }
        Ok(path)
    }
}

/// `66`, `66.0` and `v66.0` are all `v66.0`.
pub(crate) fn api_version(name: &str, version: &str) -> Result<String, Error> {
    let number = version.trim().trim_start_matches(['v', 'V']);
    match number.strip_suffix(".0").unwrap_or(number).parse::<u16>() {
        Ok(number) => Ok(format!("v{number}.0")),
        Err(_) => Err(setting(name, "is not an API version: write e.g. 66.0")),
    }
}

/// A header that a request can have; what cannot be one may hold a secret, and is not quoted.
fn checked_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let problem = match (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        (Err(_), _) => "has a name that no header can have: write e.g. Sforce-Query-Options".to_owned(),
        (Ok(name), _) if OURS.contains(&name) => {
            format!("sets {name}, which the session sets itself: leave it out")
        }
        (Ok(name), Err(_)) => format!("gives {name} a value with a line break or another control character"),
        (Ok(name), Ok(value)) => return Ok((name, value)),
    };
    Err(setting("header", problem))
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut session = f.debug_struct("Session");
        session.field("instance_url", &self.shared.instance.origin);
        session.field("version", &self.version.as_deref().unwrap_or("unusable")).finish_non_exhaustive()
    }
}
