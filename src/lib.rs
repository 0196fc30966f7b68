//! Log in to Salesforce, hand over the access token, and make API requests with it.
//!
//! One blocking call logs in with the OAuth 2.0 username-password flow, the client credentials
//! flow, or, for Experience Cloud users, the Authorization Code and Credentials flow. There is no
//! async runtime and next to nothing to compile, so it fits a `build.rs`, a small sync utility
//! or a shell line (the binary `sf-login`). When a login fails, the error says what was tried and
//! what to look at, because Salesforce itself says little more than "authentication failure".
//!
//! **The username-password flow is on its way out.** Salesforce blocks it by default in orgs
//! created since Summer '23, External Client Apps never had it, and its retirement is announced
//! (for 20 February 2027, as of November 2026). Programs that run unattended should use
//! [client credentials](App::client_credentials); moving is one line.
//!
//! # Example
//!
//! ```
//! use sf_login::App;
//!
//! # let org = fake_org::Org::start();
//! # let login_url = org.url();
//! # let (key, secret) = (fake_org::CLIENT_ID, fake_org::CLIENT_SECRET);
//! # let (username, password, security_token) =
//! #     (fake_org::USERNAME, fake_org::PASSWORD, fake_org::SECURITY_TOKEN);
//! let session = App::new(key, secret)
//!     .password(username, password)
//!     .security_token(security_token)
//!     .login_url(login_url) // https://login.salesforce.com unless set
//!     .session()?;
//!
//! for account in session.query::<serde_json::Value>("SELECT Id, Name FROM Account") {
//!     println!("{}", account?["Name"]);
//! }
//! # Ok::<(), sf_login::Error>(())
//! ```
//!
//! # Concepts
//!
//! - [`App`]: the connected app (or External Client App), its consumer key and secret.
//! - [`Login`]: how to log in, and where; [`Login::from_env`] reads it from `SF_*` variables.
//! - [`Token`]: what the token endpoint answered. Keep it, print it, or make a [`Session`] of it.
//! - [`Session`]: requests as the user who logged in. It logs in again when the session has
//!   expired, repeats what can safely be repeated, and never locks the user out.
//! - [`Records`]: the records of a query, page by page.
//! - [`Error`]: what failed, why, and what to look at, complete wherever `?` carries it.
//!
//! # Which flow
//!
//! | who logs in | flow | where |
//! |---|---|---|
//! | a program that runs unattended | [`App::client_credentials`] | the org's My Domain |
//! | a Salesforce user, by password, while the org still allows it | [`App::password`] | login, test or My Domain |
//! | a customer or partner, at an Experience Cloud site | [`App::code_credentials`] | the site's address |
//!
//! # Errors
//!
//! Every fallible call gives an [`Error`]: match on [`Error::kind`], or just use `?`, since its
//! `Display` and its `Debug` both carry the whole story:
//!
//! ```text
//! login refused: authentication failure (invalid_grant, HTTP 400)
//! tried: password flow, user ada@example.com, host login.salesforce.com, security token not set
//! hint: no security token was set: ...
//! ```
//!
//! # Security
//!
//! Each promise is held by tests that talk to a Salesforce of their own on 127.0.0.1.
//!
//! - Passwords, security tokens, client secrets, access tokens and codes appear in no `Debug`,
//!   `Display`, hint or panic, and in no log record while the logger's maximum level is debug. A
//!   description from the server that contains one, plain or form-, percent-, base64-, JSON- or
//!   HTML-encoded, is withheld whole. *Tested by searching all that every scenario prints, logs and
//!   formats for every secret in each of these forms.*
//! - Credentials go over https only (plain http to `127.0.0.0/8`, `[::1]` and `localhost`, and
//!   there never through a proxy); redirects are not followed. The token goes to the instance's
//!   own origin only. *Tested by counting connections on the servers that must not be asked.*
//! - Every exchange has a deadline and every reply a size limit, after decompression; the body of a
//!   reply to [`Session::run`] is its caller's. *Tested with servers that stall, drip, cut off, and
//!   answer with a gzip bomb.*
//! - A refused login is not repeated, a cut-off reply is an error, and nothing that a server sends
//!   causes a panic. *Tested by counting logins on the server, and with arbitrary bytes as replies,
//!   headers and settings.*
//!
//! Not promised: memory is not wiped; at log level trace, ureq's own records are not redacted, and at
//! debug they show what a server wrote into headers like `Server` and `Content-Type`; a caller's
//! agent may carry middleware, resolvers and connectors, which are the caller's to trust; a body
//! delimited only by the connection's end cannot be told from a cut-off one (JSON that was cut is
//! still an error); and a proxy that drips its answer to `CONNECT` byte by byte is not held to the
//! deadline for connecting.
//!
//! # Crate features
//!
//! `rustls` and `gzip` are on by default; `native-tls`, `platform-verifier` (rustls with the
//! operating system's roots) and `socks-proxy` pass through to ureq. One of `rustls` and
//! `native-tls` is needed; with both, rustls is used.

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
compile_error!("sf-login needs TLS: enable its feature `rustls` (the default) or `native-tls`");

use std::cell::Cell;
use std::collections::HashSet;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fmt, fs, str, thread, vec};

use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use ureq::config::AutoHeaderValue;
use ureq::http::{self, HeaderName, HeaderValue, Method, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// The HTTP client underneath, for [`Login::agent`] and [`Session::run`].
pub use ureq;

/// The `SF_*` settings that hold no secret, for `cargo::rerun-if-env-changed` in a `build.rs`.
///
/// Cargo writes the values of the variables that it watches into `target/`, so watch only these. And
/// it runs a build script that fails again at every check: commit what the script fetches, let it log in
/// only when told to (by `SF_REFRESH=1`, say), and do not let a refused login be what it fails with,
/// because failed logins lock the user out.
///
/// ```
/// for name in sf_login::ENV_VARS {
///     println!("cargo::rerun-if-env-changed={name}");
/// }
/// ```
pub const ENV_VARS: &[&str] = &[
    "SF_CLIENT_ID",
    "SF_USERNAME",
    "SF_LOGIN_URL",
    "SF_FLOW",
    "SF_REDIRECT_URI",
    "SF_ORG_INSTANCE_URL",
    "SF_ORG_API_VERSION",
];

/// Where a login goes unless told otherwise: production and Developer Edition orgs.
const LOGIN_URL: &str = "https://login.salesforce.com";

/// The API version of requests unless told otherwise: Spring '26. Pinned, since a program that was
/// tried with one version's replies should not meet another's.
const API_VERSION: &str = "v66.0";

const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A year, for any longer timeout: ureq panics on one that the clock cannot add.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long to wait before the second and the third try, when the server does not say.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(750)];

/// For token replies, which have some thousand bytes at most, and for refusals.
const REPLY_LIMIT: u64 = 1024 * 1024;
const API_REPLY_LIMIT: u64 = 128 * 1024 * 1024;

/// How much of the server's own words a message takes, in characters.
const LONGEST_QUOTE: usize = 500;

/// How many pages a query may have when Salesforce does not say how many records it has.
const MOST_UNCOUNTED_PAGES: usize = 10_000;

/// How many of a refusal's reasons, and of a reason's fields, a message takes.
const MOST_SHOWN: usize = 10;

/// Salesforce's own words, as documented or often seen: quoted even where a very short secret happens
/// to be part of them, because the hints, and what is done about a refusal, depend on them.
#[rustfmt::skip]
const DOCUMENTED: &[&str] = &[
    "invalid_grant", "invalid_client_id", "invalid_client", "unsupported_grant_type", "invalid_request",
    "inactive_user", "inactive_org", "rate_limit_exceeded", "invalid_app_access", "redirect_uri_mismatch",
    "invalid_scope", "unknown_error", "unsupported_token_type", "invalid_token",
    "authentication failure", "authentication failure - Invalid Password", "ip restricted",
    "ip restricted or invalid login hours", "inactive user", "user hasn't approved this consumer",
    "request not supported on this domain", "no client credentials user enabled",
    "client credentials flow not enabled", "expired authorization code", "invalid authorization code",
    "invalid code verifier", "client identifier invalid", "invalid client credentials",
    "code credential flow not enabled", "grant type not supported",
    "user is not admin approved to access this app", "retry your request",
    "INVALID_SESSION_ID", "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "INVALID_AUTH_HEADER",
    "REQUEST_LIMIT_EXCEEDED", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "MALFORMED_QUERY",
    "INVALID_FIELD", "INVALID_TYPE", "MALFORMED_ID", "NOT_FOUND", "URL_NOT_RESET", "SERVER_UNAVAILABLE",
    "Session expired or invalid", "This session is not valid for use with the REST API", "Bad_OAuth_Token",
];

const TOKEN_PATH: &str = "/services/oauth2/token";
const AUTHORIZE_PATH: &str = "/services/oauth2/authorize";
const REVOKE_PATH: &str = "/services/oauth2/revoke";

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// What RFC 3986 never needs encoded, and nothing else.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A connected app (or External Client App): its consumer key and secret.
///
/// ```
/// use sf_login::App;
///
/// let login = App::new("3MVG9...", "1955...").password("ada@example.com", "correct horse");
/// # let _ = login;
/// ```
#[derive(Clone)]
pub struct App {
    client_id: String,
    client_secret: Option<String>,
}

impl App {
    /// An app with its consumer key and consumer secret.
    #[must_use]
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> App {
        App { client_id: client_id.into(), client_secret: Some(client_secret.into()) }
    }

    /// An app that is trusted without its secret: Salesforce allows it when the app's *Require
    /// Secret for Web Server Flow* is off, and never in the client credentials flow.
    #[must_use]
    pub fn without_secret(client_id: impl Into<String>) -> App {
        App { client_id: client_id.into(), client_secret: None }
    }

    /// The OAuth 2.0 username-password flow: a Salesforce user's own name and password.
    ///
    /// Salesforce blocks it by default in orgs created since Summer '23, never had it for External
    /// Client Apps and Experience Cloud users, and has announced its retirement.
    #[must_use]
    pub fn password(self, username: impl Into<String>, password: impl Into<String>) -> Login {
        let mut login = self.by(Flow::Password);
        login.username = username.into();
        login.password = password.into();
        login
    }

    /// The OAuth 2.0 client credentials flow: no user; requests run as the app's *Run As* user.
    ///
    /// Salesforce wants the flow switched on for the app, and [`Login::login_url`] to be the org's
    /// My Domain, e.g. `https://ACME.my.salesforce.com`.
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # let (key, secret, my_domain) = (fake_org::CLIENT_ID, fake_org::CLIENT_SECRET, org.url());
    /// let app = sf_login::App::new(key, secret);
    /// let session = app.client_credentials().login_url(my_domain).session()?;
    /// println!("requests run as {:?}", session.token().user_id());
    /// # assert_eq!(session.token().user_id(), Some(fake_org::USER_ID));
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    #[must_use]
    pub fn client_credentials(self) -> Login {
        self.by(Flow::ClientCredentials)
    }

    /// The Authorization Code and Credentials flow, for customers and partners of an Experience
    /// Cloud site ("community users").
    ///
    /// [`Login::login_url`] must be the site's address, e.g. `https://ACME.my.site.com/customers`,
    /// and `redirect_uri` exactly one of the app's callback URLs; nothing is ever sent there.
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # let (key, secret, site) = (fake_org::CLIENT_ID, fake_org::CLIENT_SECRET, org.site_url());
    /// # let (username, password) = (fake_org::SITE_USERNAME, fake_org::SITE_PASSWORD);
    /// # let callback = fake_org::REDIRECT_URI;
    /// let app = sf_login::App::new(key, secret);
    /// let token = app.code_credentials(username, password, callback).login_url(site).token()?;
    /// println!("{:?}", token.field("sfdc_community_url"));
    /// # assert_eq!(token.user_id(), Some(fake_org::SITE_USER_ID));
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    #[must_use]
    pub fn code_credentials(
        self,
        username: impl Into<String>,
        password: impl Into<String>,
        redirect_uri: impl Into<String>,
    ) -> Login {
        let mut login = self.by(Flow::CodeCredentials);
        login.username = username.into();
        login.password = password.into();
        login.redirect_uri = redirect_uri.into();
        login
    }

    fn by(self, flow: Flow) -> Login {
        Login {
            app: self,
            flow,
            username: String::new(),
            password: String::new(),
            security_token: String::new(),
            redirect_uri: String::new(),
            login_url: LOGIN_URL.to_owned(),
            timeout: LOGIN_TIMEOUT,
            agent: None,
            from_env: false,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Flow {
    Password,
    ClientCredentials,
    CodeCredentials,
}

/// How to log in, and where.
///
/// Made by [`App`]'s methods or [`Login::from_env`]. Nothing is sent before [`token`](Login::token),
/// [`session`](Login::session), or the expiry of a [resumed](Login::resume) session.
#[derive(Clone)]
pub struct Login {
    app: App,
    flow: Flow,
    // Empty where the flow has no use for it, or where no security token is set.
    username: String,
    password: String,
    security_token: String,
    redirect_uri: String,
    login_url: String,
    timeout: Duration,
    agent: Option<ureq::Agent>,
    /// Whether errors name settings as the variables they came from.
    from_env: bool,
}

impl Login {
    /// Reads the login from the environment; an empty variable counts as unset.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `SF_FLOW` | `password` (the default), `client_credentials` or `code_credentials` |
    /// | `SF_CLIENT_ID` | the app's consumer key |
    /// | `SF_CLIENT_SECRET` | the app's consumer secret |
    /// | `SF_USERNAME`, `SF_PASSWORD` | the user, in the flows that have one |
    /// | `SF_SECURITY_TOKEN` | appended to the password, in the password flow |
    /// | `SF_LOGIN_URL` | default `https://login.salesforce.com` |
    /// | `SF_REDIRECT_URI` | one of the app's callback URLs, in the flow with a code |
    ///
    /// What a flow does not use is ignored. `SSL_CERT_FILE`, `HTTPS_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY` are read when the login is made.
    ///
    /// ```no_run
    /// // no_run: it would log in with whatever this machine's environment holds.
    /// let token = sf_login::Login::from_env()?.token()?;
    /// println!("logged in at {}", token.instance_url());
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] names the variable that is missing or cannot be used.
    pub fn from_env() -> Result<Login, Error> {
        Login::read_env(None)
    }

    /// As [`from_env`](Login::from_env), with a password that the caller got elsewhere (from
    /// standard input, say) in place of `SF_PASSWORD`.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Login::from_env).
    pub fn from_env_with_password(password: impl Into<String>) -> Result<Login, Error> {
        Login::read_env(Some(password.into()))
    }

    /// The security token, appended to the password with nothing between them.
    ///
    /// Salesforce wants it when the caller's address is outside the org's trusted IP ranges, and
    /// mails a new one whenever the password changes. None by default; it has no part in the other
    /// flows.
    #[must_use]
    pub fn security_token(mut self, token: impl Into<String>) -> Login {
        self.security_token = token.into();
        self
    }

    /// Where to log in; `https://login.salesforce.com` by default.
    ///
    /// `https://test.salesforce.com` for a sandbox, the org's My Domain
    /// (`https://ACME.my.salesforce.com`), or an Experience Cloud site
    /// (`https://ACME.my.site.com/customers`). The scheme may be left out; slashes at the end,
    /// spaces around and the token endpoint's own path are taken off.
    #[must_use]
    pub fn login_url(mut self, url: impl Into<String>) -> Login {
        self.login_url = url.into();
        self
    }

    /// How long the whole login may take, retries included; 30 seconds by default, of which
    /// connecting may take 10.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Login {
        self.timeout = timeout;
        self
    }

    /// An agent of the caller's own, for its proxy, TLS roots or resolver.
    ///
    /// By default the agent is made from `SSL_CERT_FILE`, `HTTPS_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY`. Whatever the agent is set to, redirects are not followed, deadlines are kept,
    /// plain http is for loopback only and without a proxy; and an agent with certificate
    /// checks turned off is refused.
    #[must_use]
    pub fn agent(mut self, agent: ureq::Agent) -> Login {
        self.agent = Some(agent);
        self
    }

    /// Logs in and gives what the token endpoint answered: the one POST.
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # let login = include!("../tests/doc/login.rs")(&org);
    /// let token = login.token()?;
    /// println!("organization {:?}", token.organization_id());
    /// # assert_eq!(token.organization_id(), Some(fake_org::ORG_ID));
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] before anything is sent, [`ErrorKind::Refused`] when Salesforce says
    /// no, [`ErrorKind::Transport`] when it cannot be reached, and [`ErrorKind::Unexpected`] when
    /// it answers with anything else. A refused login must not be repeated in a loop: failed
    /// logins lock the user out.
    pub fn token(&self) -> Result<Token, Error> {
        let client = Client::new(self.agent.clone())?;
        self.log_in(&client, &Deadline::after(self.timeout))
    }

    /// Logs in and makes the session, ready for requests.
    ///
    /// # Errors
    ///
    /// As [`token`](Login::token).
    pub fn session(self) -> Result<Session, Error> {
        let client = Client::new(self.agent.clone())?;
        let token = self.log_in(&client, &Deadline::after(self.timeout))?;
        Ok(Session::made_of(client, token, Some(self)))
    }

    /// Begins with a token that was kept, and logs in only when it has lapsed.
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # let login = include!("../tests/doc/login.rs")(&org);
    /// # let kept = serde_json::to_string(&login.token()?).unwrap();
    /// let token: sf_login::Token = serde_json::from_str(&kept).unwrap();
    /// let session = login.resume(token)?;
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`]; nothing is sent.
    pub fn resume(self, token: Token) -> Result<Session, Error> {
        self.check()?;
        let client = Client::new(self.agent.clone())?;
        Ok(Session::made_of(client, token, Some(self)))
    }
}

/// What the token endpoint answered, all of it.
///
/// `Serialize` and `Deserialize` are that JSON object, so that it can be kept and
/// [resumed](Login::resume); `Debug` shows no secret, and there is no `Display`.
#[derive(Clone)]
pub struct Token {
    access_token: String,
    instance_url: String,
    fields: Map<String, Value>,
}

impl Token {
    /// A token that was kept elsewhere, and the instance it is for.
    ///
    /// ```
    /// let token = sf_login::Token::new("00D5f!AQoAQ", "https://acme.my.salesforce.com/")?;
    /// assert_eq!(token.instance_url(), "https://acme.my.salesforce.com");
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] when the token holds what no token can hold, or the instance URL is
    /// not an https origin (http on loopback).
    pub fn new(access_token: impl Into<String>, instance_url: impl Into<String>) -> Result<Token, Error> {
        Token::of([("access_token", access_token.into()), ("instance_url", instance_url.into())])
            .map_err(|(name, problem)| setting(name, problem))
    }

    /// The token itself: a secret.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// Where requests go, without a slash at the end.
    #[must_use]
    pub fn instance_url(&self) -> &str {
        &self.instance_url
    }

    /// Any other field of the reply that is a string: `id`, `scope`, `signature`,
    /// `sfdc_community_url` and so on. Salesforce leaves some out, depending on the flow.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// When Salesforce issued the token; `None` when it did not say, or not as a number.
    ///
    /// Salesforce writes milliseconds since 1970; a number too small for that is read as seconds.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        const YEAR_5138_IN_SECONDS: u64 = 100_000_000_000;
        const YEAR_9999_IN_MILLISECONDS: u64 = 253_402_300_799_999;
        let since_1970 = match self.field("issued_at")?.parse().ok()? {
            seconds if seconds < YEAR_5138_IN_SECONDS => Duration::from_secs(seconds),
            millis if millis <= YEAR_9999_IN_MILLISECONDS => Duration::from_millis(millis),
            _ => return None,
        };
        SystemTime::UNIX_EPOCH.checked_add(since_1970)
    }

    /// The id of the user who logged in (`005...`), from the reply's `id`.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        Some(self.identity()?.1)
    }

    /// The id of the user's org (`00D...`), from the reply's `id`.
    #[must_use]
    pub fn organization_id(&self) -> Option<&str> {
        Some(self.identity()?.0)
    }

    /// `https://HOST/id/ORGID/USERID`
    fn identity(&self) -> Option<(&str, &str)> {
        let (_, ids) = self.field("id")?.split_once("/id/")?;
        let (organization, user) = ids.split_once('/')?;
        let is_id = |id: &str| matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_id(organization) && is_id(user)).then_some((organization, user))
    }

    fn of(fields: [(&str, String); 2]) -> Result<Token, (&'static str, String)> {
        Token::read(fields.map(|(name, value)| (name.to_owned(), Value::String(value))).into_iter().collect())
    }

    /// Takes the reply's fields, or tells which one cannot be used and why.
    fn read(fields: Map<String, Value>) -> Result<Token, (&'static str, String)> {
        let text = |name| match fields.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Some(Value::String(_)) => Err((name, "is empty".to_owned())),
            Some(_) => Err((name, "is not a string".to_owned())),
            None => Err((name, "is missing".to_owned())),
        };
        let access_token = text("access_token")?;
        // RFC 6750's characters, and the ! of Salesforce's session ids.
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=!".contains(&b);
        if !access_token.bytes().all(is_token) {
            return Err((
                "access_token",
                "holds characters that no token has: write it alone, on one line".to_owned(),
            ));
        }
        let instance = text("instance_url")?;
        let instance = place(instance.trim_end_matches('/'))
            .and_then(|place| match &*place.path {
                "" => Ok(place),
                _ => Err("holds more than https:// and a host".to_owned()),
            })
            .map_err(|problem| ("instance_url", problem))?;
        Ok(Token { access_token, instance_url: instance.origin, fields })
    }

    /// In words, where `other` leads if not to this token's instance, organization and user, as far
    /// as both tell.
    fn elsewhere(&self, other: &Token) -> Option<String> {
        let instances = (Some(self.instance_url()), Some(other.instance_url()));
        let organizations = (self.organization_id(), other.organization_id());
        let users = (self.user_id(), other.user_id());
        for (what, pair) in [("instance", instances), ("organization", organizations), ("user", users)] {
            let (Some(ours), Some(theirs)) = pair else {
                continue;
            };
            // An id is the same with 15 characters and with 18: the last three are a checksum.
            let same_id = what != "instance" && ours.get(..15) == theirs.get(..15);
            if ours != theirs && !same_id {
                return Some(format!("at another {what} ({theirs}) than the session's ({ours})"));
            }
        }
        None
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Token, D::Error> {
        // By way of `Value`, because serde's own errors would quote a misplaced token.
        let Value::Object(fields) = Value::deserialize(deserializer)? else {
            return Err(D::Error::custom("a token is a JSON object"));
        };
        Token::read(fields).map_err(|(name, problem)| D::Error::custom(format_args!("{name} {problem}")))
    }
}

/// Requests as the user who logged in.
///
/// `Send + Sync`, and all requests take `&self`: threads share one session, and one login.
///
/// A `path` that begins with `/` is taken from the instance's root, any other is relative to
/// `/services/data/vNN.N/`; an absolute URL is accepted on the instance's own origin only. What is
/// not plain ASCII in it must be percent-encoded, see [`path_segment`].
///
/// **An expired session** is replaced by one new login, and the request is sent again; threads that
/// meet it together share that login. A refused login, and a new token that is rejected at once,
/// are remembered and not tried again, so that a loop of requests cannot lock the user out.
///
/// **Retries**, at most two and within the timeout: when nothing was sent yet, and when Salesforce
/// says to try later (429), every request; when the exchange broke off or the server was
/// unavailable (502, 503, 504), only those that read. `Retry-After` is honoured. Of a write without a
/// body, a DELETE say, it is only sometimes known that nothing was sent; otherwise it is not repeated.
pub struct Session {
    client: Client,
    version: String,
    timeout: Duration,
    login: Option<Login>,
    /// A setting that cannot be used, told by the first request.
    unusable: Option<Error>,
    state: Mutex<State>,
    login_ended: Condvar,
}

impl Session {
    /// A session of a kept token alone: it cannot log in again by itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] when `SSL_CERT_FILE` or a proxy variable cannot be used.
    pub fn new(token: Token) -> Result<Session, Error> {
        Ok(Session::made_of(Client::new(None)?, token, None))
    }

    /// `SF_ACCESS_TOKEN` with `SF_ORG_INSTANCE_URL` when both are set, else
    /// [`Login::from_env`] and [`Login::session`].
    ///
    /// With a token, the login from the environment, if it is complete, is kept for when the token
    /// has lapsed. `SF_ORG_API_VERSION` sets the [API version](Session::api_version).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`], also when only one of the two is set, and those of
    /// [`Login::session`].
    pub fn from_env() -> Result<Session, Error> {
        const TOKEN: &str = "SF_ACCESS_TOKEN";
        const INSTANCE: &str = "SF_ORG_INSTANCE_URL";
        let version = variable("SF_ORG_API_VERSION")?
            .map(|version| api_version(&version).map_err(|p| setting("SF_ORG_API_VERSION", p)))
            .transpose()?;
        let mut session = match (variable(TOKEN)?, variable(INSTANCE)?) {
            (Some(token), Some(instance)) => {
                let fields = [("access_token", token), ("instance_url", instance)];
                let token = Token::of(fields).map_err(|(name, problem)| {
                    setting(if name == "access_token" { TOKEN } else { INSTANCE }, problem)
                })?;
                // What a login lacks matters only to those who rely on it.
                Session::made_of(Client::new(None)?, token, Login::from_env().ok())
            }
            (None, None) => Login::from_env()?.session()?,
            (Some(_), None) => {
                let problem = format!("is not set: write the instance that {TOKEN} is for");
                return Err(setting(INSTANCE, problem));
            }
            (None, Some(_)) => {
                let problem = format!("is not set, but {INSTANCE} is: set both, or unset {INSTANCE}");
                return Err(setting(TOKEN, problem));
            }
        };
        if let Some(version) = version {
            session.version = version;
        }
        Ok(session)
    }

    /// The API version of relative paths: `v66.0`, `66.0` or `66`. Default `v66.0`, which stays
    /// the same through all releases of this crate that are compatible.
    #[must_use]
    pub fn api_version(mut self, version: impl AsRef<str>) -> Session {
        match api_version(version.as_ref()) {
            Ok(version) => self.version = version,
            Err(problem) => self.unusable = Some(setting("api_version", problem)),
        }
        self
    }

    /// How long each request may take, retries and a new login included; 120 seconds by default,
    /// of which connecting may take 10.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Session {
        self.timeout = timeout;
        self
    }

    /// An agent of the caller's own, see [`Login::agent`]; new logins use it too.
    #[must_use]
    pub fn agent(mut self, agent: ureq::Agent) -> Session {
        match Client::new(Some(agent)) {
            Ok(client) => self.client = client,
            Err(error) => self.unusable = Some(error),
        }
        self
    }

    /// The current token, the newest if the session has logged in again.
    #[must_use]
    pub fn token(&self) -> Token {
        Token::clone(&self.lock().token)
    }

    /// Reads what is at `path`.
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # let session = include!("../tests/doc/login.rs")(&org).session()?;
    /// let limits: serde_json::Value = session.get("limits")?;
    /// println!("{} API requests left today", limits["DailyApiRequests"]["Remaining"]);
    /// # assert!(limits["DailyApiRequests"]["Remaining"].is_u64());
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Api`] when Salesforce refuses, [`ErrorKind::Unexpected`] also when the reply does
    /// not fit `T`, [`ErrorKind::Setting`] for a path that cannot be used, and all those of a login.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.call(Method::GET, path, None)
    }

    /// Posts `body` as JSON to `path`; an empty reply reads as JSON null.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, Error> {
        self.call(Method::POST, path, Some(&json_body(body)?))
    }

    /// Changes what is at `path` by the JSON `body`; an empty reply, which is what Salesforce gives
    /// for a changed record, reads as JSON null.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, Error> {
        self.call(Method::PATCH, path, Some(&json_body(body)?))
    }

    /// Deletes what is at `path`.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn delete(&self, path: &str) -> Result<(), Error> {
        self.call(Method::DELETE, path, None).map(|_: Value| ())
    }

    /// Runs a SOQL query and gives its records, page by page as they are iterated.
    ///
    /// Nothing is sent before the first `next`. For values inside the SOQL see [`soql_quote`].
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # org.seed_accounts(3);
    /// # let session = include!("../tests/doc/login.rs")(&org).session()?;
    /// #[derive(serde::Deserialize)]
    /// struct Account {
    ///     #[serde(rename = "Name")]
    ///     name: String,
    /// }
    ///
    /// let accounts = session.query::<Account>("SELECT Name FROM Account");
    /// let names: Vec<String> = accounts.map(|account| Ok(account?.name)).collect::<Result<_, _>>()?;
    /// # assert_eq!(names.len(), 3);
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    pub fn query<T: DeserializeOwned>(&self, soql: &str) -> Records<'_, T> {
        self.query_at("query", soql)
    }

    /// As [`query`](Session::query), at another resource: `queryAll` (deleted records too) or
    /// `tooling/query`.
    pub fn query_at<T: DeserializeOwned>(&self, path: &str, soql: &str) -> Records<'_, T> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let soql = utf8_percent_encode(soql, UNRESERVED);
        Records {
            session: self,
            next: Some(self.url(&format!("{path}{separator}q={soql}"))),
            page: Vec::new().into_iter(),
            total: None,
            given: 0,
            seen: HashSet::new(),
        }
    }

    /// Where `path` goes, for [`run`](Session::run).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] when `path` is a URL of another origin, or holds what no URL can.
    pub fn url(&self, path: &str) -> Result<String, Error> {
        if let Some(error) = &self.unusable {
            return Err(error.clone());
        }
        let instance = self.lock().token.instance_url.clone();
        let url = if is_absolute(path) {
            let place = place(path).map_err(|problem| setting("path", problem))?;
            if place.origin != instance {
                let problem = format!("is a URL of {}, not of {instance}", place.authority);
                return Err(setting("path", problem));
            }
            format!("{instance}{}", place.path)
        } else if path.starts_with("//") {
            return Err(setting("path", "begins with //, which names another host"));
        } else if path.starts_with('/') {
            format!("{instance}{path}")
        } else {
            format!("{instance}/services/data/{}/{path}", self.version)
        };
        if let Some(odd) = url.chars().find(|c| !is_url_char(*c)) {
            let problem = format!(
                "holds {odd:?}, which no URL can: percent-encode values with path_segment, and \
                 send SOQL with query"
            );
            return Err(setting("path", problem));
        }
        // `http::Uri` takes no more.
        if url.len() >= usize::from(u16::MAX) || url.parse::<http::Uri>().is_err() {
            let problem = format!(
                "makes a URL of {} bytes that cannot be sent: if it is long, shorten the SOQL, e.g. by \
                 fewer ids in IN (...) and several queries",
                url.len()
            );
            return Err(setting("path", problem));
        }
        Ok(url)
    }

    /// Sends any other request: CSV, files, headers of the caller's own. `Ok` is a 2xx reply.
    ///
    /// The request's method, URI, headers and body are sent, with the session's `Authorization`. GET,
    /// HEAD and OPTIONS count as reading, all else as writing. Sending the request may take the
    /// timeout, waiting for the reply's headers too, and then each read of the body, which is the
    /// caller's to limit.
    ///
    /// ```
    /// use sf_login::ureq::http::Request;
    ///
    /// # let org = fake_org::Org::start();
    /// # let session = include!("../tests/doc/login.rs")(&org).session()?;
    /// let request = Request::get(session.url("limits")?).body("").unwrap();
    /// let reply = session.run(request)?;
    /// println!("{:?}", reply.headers().get("Sforce-Limit-Info"));
    /// # assert!(reply.headers().get("Sforce-Limit-Info").is_some());
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn run(&self, request: http::Request<impl AsRef<[u8]>>) -> Result<http::Response<ureq::Body>, Error> {
        // Built anew: an extension of the caller's request could turn certificate checks off.
        let (parts, body) = request.into_parts();
        let body = body.as_ref();
        let ours = [
            header::AUTHORIZATION,
            header::HOST,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::EXPECT,
        ];
        let mut headers = Vec::new();
        for (name, value) in &parts.headers {
            if !ours.contains(name) {
                headers.push((name.clone(), value.clone()));
            }
        }
        if parts.method == Method::CONNECT {
            return Err(setting("request", "has the method CONNECT, which is for proxies"));
        }
        let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let bodiless = reads || parts.method == Method::DELETE;
        let ask = Ask {
            url: self.url(&parts.uri.to_string())?,
            method: parts.method,
            headers,
            body: (!bodiless || !body.is_empty()).then_some(body),
            repeat: if reads { Repeat::Read } else { Repeat::Write },
            limit: API_REPLY_LIMIT,
            secrets: Vec::new(),
        };
        self.send(ask, true, |response, ask, deadline| {
            if response.status().is_success() {
                return Ok(response);
            }
            Err(Reply::read(response, ask, deadline)?.api_refusal())
        })
    }

    /// Logs out: the token is no longer valid, here or wherever else it is used. A token that was
    /// not valid any more counts as done.
    ///
    /// Salesforce may give one session to several logins of a user and app, so this may log out
    /// others too.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn revoke(self) -> Result<(), Error> {
        let token = self.lock().token.clone();
        let body = form(&[("token", &token.access_token)]);
        // Revoking twice is revoking once.
        let ask = Ask::form(self.url(REVOKE_PATH)?, &body, Repeat::Read, self.secrets(&token));
        let deadline = Deadline::after(self.timeout);
        let outcome = self.client.ask(&ask, &deadline, |reply| {
            if reply.is_success() && reply.is_blank() {
                return Ok(());
            }
            let refusal = reply.api_refusal();
            let lapsed = |e: &ApiError| {
                e.error_code == "INVALID_SESSION_ID" || e.error_code.eq_ignore_ascii_case("invalid_token")
            };
            match refusal.kind() {
                ErrorKind::Api { errors, .. } if errors.iter().any(lapsed) => Ok(()),
                _ => Err(refusal),
            }
        });
        outcome.map_err(|error| error.explained(authority(&token.instance_url), None, true))
    }
}

/// The records of a [query](Session::query): an iterator that asks for a page when it needs one,
/// and has one page in memory.
///
/// It ends after its first error, so a result without an error is whole: a page that repeats, a
/// query that never ends or goes on without saying where is an error. When the records are
/// [`serde_json::Value`] or `Box<RawValue>`, so is a subquery with more rows than Salesforce put
/// into the page (query the child object itself instead).
pub struct Records<'s, T> {
    session: &'s Session,
    /// Where the next page is, or why there is no asking for it; `None` when there is no more.
    next: Option<Result<String, Error>>,
    page: vec::IntoIter<T>,
    total: Option<u64>,
    /// How many records the pages so far held, this one included.
    given: u64,
    /// Where these pages were.
    seen: HashSet<String>,
}

impl<T> Records<'_, T> {
    /// How many records the query has in all, once the first page has come; for
    /// `SELECT COUNT() FROM ...`, which has no records, the count.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}

impl<T: DeserializeOwned> Iterator for Records<'_, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            if let Err(error) = self.next.take()?.and_then(|url| self.turn_page(url)) {
                self.next = None;
                return Some(Err(self.session.explain(error)));
            }
        }
    }

    /// At least what is left of this page.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.page.len(), None)
    }
}

impl<T: DeserializeOwned> std::iter::FusedIterator for Records<'_, T> {}

/// Writes `value` as a SOQL string, quotes included.
///
/// ```
/// use sf_login::soql_quote;
///
/// let soql = format!("SELECT Id FROM Account WHERE Name = {}", soql_quote("O'Hara"));
/// assert_eq!(soql, r"SELECT Id FROM Account WHERE Name = 'O\'Hara'");
/// ```
///
/// Inside a `LIKE` pattern, `%` and `_` keep their meaning.
#[must_use]
pub fn soql_quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('\'');
    for c in value.chars() {
        match c {
            '\'' | '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
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

/// Why something failed, and what to look at.
///
/// `Display` is complete: what failed, why and the HTTP status on the first line, then, where a
/// login failed, a line `tried: ...`, then a line `hint: ...` for each hint. `Debug` prints the
/// same, so that a `main` that returns this error, or one of anyhow's, shows a person all of it. The
/// cause is part of that text, so `source()` is `None`. Cheap to clone.
///
/// ```
/// use sf_login::{App, ErrorKind};
///
/// # let org = fake_org::Org::start();
/// let login = App::new("no such key", "s3cret").password("ada@example.com", "hunter2");
/// # let login = login.login_url(org.url());
/// let error = login.token().unwrap_err();
/// match error.kind() {
///     ErrorKind::Refused { error, .. } => println!("refused: {error}"),
///     _ if error.is_transient() => println!("try again later"),
///     _ => println!("{error}"),
/// }
/// # assert!(matches!(error.kind(), ErrorKind::Refused { error, .. } if error == "invalid_client_id"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Failure>);

#[derive(Clone)]
struct Failure {
    kind: ErrorKind,
    tried: Option<String>,
    hints: Vec<String>,
    /// Set when the cause may pass by itself; which requests to repeat is `Repeat`'s to say.
    fault: Option<Fault>,
    retry_after: Option<Duration>,
}

/// What failed, by what a caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, a path or a body is missing or cannot be used; nothing was sent.
    Setting {
        /// The setting as the caller wrote it: `SF_LOGIN_URL` or `login_url`.
        name: String,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// The host could not be reached, or the exchange broke off.
    Transport {
        /// The host, with its port when that is not https's own.
        host: String,
        /// Why.
        cause: String,
    },
    /// Salesforce refused the login and said why.
    Refused {
        /// The HTTP status, nearly always 400.
        status: u16,
        /// OAuth's name for the reason, e.g. `invalid_grant`.
        error: String,
        /// Salesforce's description, or nothing where it gave none.
        description: String,
    },
    /// Salesforce refused an API request.
    Api {
        /// The HTTP status.
        status: u16,
        /// What Salesforce said, at least one.
        errors: Vec<ApiError>,
    },
    /// Not what Salesforce documents: HTML, bare text, a redirect, a missing field, a reply that
    /// was cut off or is too large or does not fit the caller's type.
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// What came instead.
        problem: String,
    },
}

/// One of the reasons for which Salesforce refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// Salesforce's name for the reason, e.g. `INVALID_FIELD`; empty where it gave none.
    pub error_code: String,
    /// Salesforce's message, in the user's language.
    pub message: String,
    /// The fields it is about, often none.
    pub fields: Vec<String>,
}

impl Error {
    /// What failed.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// What to look at, most likely first, one sentence each.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// The HTTP status, when there was a reply.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.0.kind {
            ErrorKind::Setting { .. } | ErrorKind::Transport { .. } => None,
            ErrorKind::Refused { status, .. }
            | ErrorKind::Api { status, .. }
            | ErrorKind::Unexpected { status, .. } => Some(*status),
        }
    }

    /// Whether the cause may pass by itself: the host was not reached, the exchange broke off, or
    /// Salesforce was unavailable or said to try later. What can safely be repeated has been
    /// repeated already. After a write that broke off, look whether it was done before repeating it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.fault.is_some()
    }

    fn new(kind: ErrorKind, fault: Option<Fault>) -> Error {
        Error::with(kind, fault, None)
    }

    fn with(kind: ErrorKind, fault: Option<Fault>, retry_after: Option<Duration>) -> Error {
        Error(Arc::new(Failure { kind, tried: None, hints: Vec::new(), fault, retry_after }))
    }

    /// With the hints, and with what was tried if it was a login.
    fn explained(self, host: &str, login: Option<&Login>, can_log_in: bool) -> Error {
        let explained = self.0.tried.is_some() || !self.0.hints.is_empty();
        if explained || matches!(self.0.kind, ErrorKind::Setting { .. }) {
            return self;
        }
        let case = Case { symptom: self.symptom(), host, login, can_log_in };
        let mut failure = Failure::clone(&self.0);
        failure.tried = login.map(Login::to_string);
        failure.hints = hints(&case);
        Error(Arc::new(failure))
    }

    /// What the table of hints is searched with: the kind, then the server's words, in lower case.
    fn symptom(&self) -> String {
        match &self.0.kind {
            ErrorKind::Setting { name, problem } => format!("setting {name} {problem}"),
            ErrorKind::Transport { cause, .. } => format!("transport {cause}"),
            ErrorKind::Refused { status, error, description } => {
                format!("refused {status} {error}: {description}")
            }
            ErrorKind::Api { status, errors } => {
                let errors = errors.iter().map(|e| format!(" {}: {}", e.error_code, e.message));
                format!("api {status}{}", errors.collect::<String>())
            }
            ErrorKind::Unexpected { status, problem } => format!("unexpected {status} {problem}"),
        }
        .to_lowercase()
    }

    /// The one refusal that a new login can heal. The policy that bars a session from the REST API
    /// has the same code.
    fn is_expired_session(&self) -> bool {
        let ErrorKind::Api { status: 401, errors } = &self.0.kind else {
            return false;
        };
        errors.iter().any(|e| {
            e.error_code == "INVALID_SESSION_ID"
                && !e.message.to_lowercase().contains("not valid for use with the rest api")
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            ErrorKind::Setting { name, problem } => write!(f, "{name} {problem}"),
            ErrorKind::Transport { host, cause } => write!(f, "no reply from {host}: {cause}"),
            ErrorKind::Refused { status, error, description } => match &**description {
                "" => write!(f, "login refused: {error} (HTTP {status})"),
                _ => write!(f, "login refused: {description} ({error}, HTTP {status})"),
            },
            ErrorKind::Api { status, errors } => {
                f.write_str("request refused: ")?;
                for (n, error) in errors.iter().take(MOST_SHOWN).enumerate() {
                    let separator = if n > 0 { "; " } else { "" };
                    write!(f, "{separator}{error}")?;
                }
                if errors.len() > MOST_SHOWN {
                    write!(f, "; and {} more", errors.len() - MOST_SHOWN)?;
                }
                write!(f, " (HTTP {status})")
            }
            ErrorKind::Unexpected { status, problem } => {
                write!(f, "unexpected reply: {problem} (HTTP {status})")
            }
        }?;
        if let Some(tried) = &self.0.tried {
            write!(f, "\ntried: {tried}")?;
        }
        for hint in &self.0.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.error_code, &*self.message) {
            (code, "") => f.write_str(code),
            ("", message) => f.write_str(message),
            (code, message) => write!(f, "{message} ({code})"),
        }?;
        if !self.fields.is_empty() {
            let shown = &self.fields[..self.fields.len().min(MOST_SHOWN)];
            write!(f, " [fields: {}]", shown.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("tries", &format_args!("{self}")).finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("instance_url", &self.instance_url).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("instance_url", &self.lock().token.instance_url)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Records<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("given", &self.given)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// What is tried, without its secrets: the same words as in an error.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.flow {
            Flow::Password => "password flow",
            Flow::ClientCredentials => "client credentials flow",
            Flow::CodeCredentials => "authorization code and credentials flow",
        })?;
        if self.flow != Flow::ClientCredentials {
            write!(f, ", user {}", printable(&self.username))?;
        }
        if let Ok(site) = login_place(&self.login_url) {
            write!(f, ", host {}{}", site.authority, site.path)?;
        }
        match self.flow {
            Flow::Password if self.security_token.is_empty() => f.write_str(", security token not set"),
            Flow::Password => f.write_str(", security token set"),
            _ => Ok(()),
        }
    }
}

impl Login {
    fn read_env(password: Option<String>) -> Result<Login, Error> {
        let needed = |name: &str, what: &str| {
            variable(name)?.ok_or_else(|| setting(name, format!("is not set: write {what}")))
        };
        let app = App {
            client_id: needed("SF_CLIENT_ID", "the connected app's consumer key")?,
            client_secret: variable("SF_CLIENT_SECRET")?,
        };
        let user = || {
            let username = needed("SF_USERNAME", "the username, e.g. ada@example.com")?;
            let password = match password {
                Some(password) => password,
                None => needed("SF_PASSWORD", "the user's password")?,
            };
            Ok((username, password))
        };
        let flow = variable("SF_FLOW")?;
        let mut login = match flow.as_deref().unwrap_or("password") {
            "password" => {
                let (username, password) = user()?;
                app.password(username, password)
                    .security_token(variable("SF_SECURITY_TOKEN")?.unwrap_or_default())
            }
            "client_credentials" => app.client_credentials(),
            "code_credentials" => {
                let (username, password) = user()?;
                let redirect_uri = needed("SF_REDIRECT_URI", "one of the app's callback URLs")?;
                app.code_credentials(username, password, redirect_uri)
            }
            _ => {
                let problem = "is not a flow: write password, client_credentials or \
                               code_credentials";
                return Err(setting("SF_FLOW", problem));
            }
        };
        login.from_env = true;
        if let Some(url) = variable("SF_LOGIN_URL")? {
            login = login.login_url(url);
        }
        login.check()?;
        Ok(login)
    }

    /// The settings that this flow uses, by name; an empty one is missing.
    fn settings(&self) -> Vec<(&'static str, &str)> {
        let mut settings = vec![("client_id", self.app.client_id.as_str())];
        if let Some(secret) = &self.app.client_secret {
            settings.push(("client_secret", secret));
        }
        if self.flow != Flow::ClientCredentials {
            settings.push(("username", &self.username));
            settings.push(("password", &self.password));
        }
        if self.flow == Flow::Password && !self.security_token.is_empty() {
            settings.push(("security_token", &self.security_token));
        }
        if self.flow == Flow::CodeCredentials {
            settings.push(("redirect_uri", &self.redirect_uri));
        }
        settings
    }

    /// Checks all that can be checked without sending anything, and gives where the login goes.
    fn check(&self) -> Result<Place, Error> {
        for (name, value) in self.settings() {
            if value.is_empty() {
                return Err(self.setting(name, "is empty"));
            }
            if value.contains(['\r', '\n', '\0']) {
                let problem = "holds a line end or a NUL: write the value alone, on one line";
                return Err(self.setting(name, problem));
            }
        }
        if self.flow == Flow::ClientCredentials && self.app.client_secret.is_none() {
            let problem = "is not set: the client credentials flow needs it";
            return Err(self.setting("client_secret", problem));
        }
        if self.flow == Flow::CodeCredentials && self.username.contains(':') {
            let problem = "holds a colon, which HTTP Basic cannot carry in a username";
            return Err(self.setting("username", problem));
        }
        let site = login_place(&self.login_url).map_err(|problem| self.setting("login_url", problem))?;
        match self.flow {
            Flow::ClientCredentials if is_generic(&site.host) => Err(self.setting(
                "login_url",
                "is a generic host, where Salesforce refuses the client credentials flow: write \
                 the org's My Domain, e.g. https://ACME.my.salesforce.com",
            )),
            Flow::CodeCredentials if is_generic(&site.host) => Err(self.setting(
                "login_url",
                "is a generic host, where Experience Cloud users cannot log in: write the site's \
                 address, e.g. https://ACME.my.site.com/customers",
            )),
            _ => Ok(site),
        }
    }

    fn log_in(&self, client: &Client, deadline: &Deadline) -> Result<Token, Error> {
        let site = self.check()?;
        let outcome = match self.flow {
            Flow::Password => {
                let password = format!("{}{}", self.password, self.security_token);
                let user = [("username", &*self.username), ("password", &password)];
                self.ask_for_token(client, deadline, &site, "password", &user)
            }
            Flow::ClientCredentials => self.ask_for_token(client, deadline, &site, "client_credentials", &[]),
            Flow::CodeCredentials => self.ask_for_code(client, deadline, &site).and_then(|(code, site)| {
                let grant = [("code", &*code), ("redirect_uri", &self.redirect_uri)];
                self.ask_for_token(client, deadline, &site, "authorization_code", &grant)
            }),
        };
        outcome.map_err(|error| error.explained(&site.authority, Some(self), true))
    }

    /// The POST to the token endpoint, with which every flow ends.
    fn ask_for_token(
        &self,
        client: &Client,
        deadline: &Deadline,
        site: &Place,
        grant_type: &str,
        grant: &[(&str, &str)],
    ) -> Result<Token, Error> {
        let mut fields = vec![("grant_type", grant_type), ("client_id", &self.app.client_id)];
        if let Some(secret) = &self.app.client_secret {
            fields.push(("client_secret", secret));
        }
        fields.extend(grant);
        let body = form(&fields);
        let mut secrets = self.secrets();
        secrets.extend(grant.iter().filter(|(name, _)| *name == "code").map(|(_, code)| (*code).to_owned()));
        // The first exchange that arrives spends the code; a password is not spent.
        let repeat = if self.flow == Flow::CodeCredentials { Repeat::Write } else { Repeat::Login };
        let ask = Ask::form(format!("{}{}{TOKEN_PATH}", site.origin, site.path), &body, repeat, secrets);
        client.ask(&ask, deadline, Reply::token)
    }

    /// The first half of the Authorization Code and Credentials flow: the code, and the place
    /// that exchanges it.
    fn ask_for_code(
        &self,
        client: &Client,
        deadline: &Deadline,
        site: &Place,
    ) -> Result<(String, Place), Error> {
        let body = form(&[
            ("response_type", "code_credentials"),
            ("client_id", &self.app.client_id),
            ("redirect_uri", &self.redirect_uri),
        ]);
        let url = format!("{}{}{AUTHORIZE_PATH}", site.origin, site.path);
        let mut ask = Ask::form(url, &body, Repeat::Login, self.secrets());
        let named_user = HeaderValue::from_static("Named-User");
        ask.headers.push((HeaderName::from_static("auth-request-type"), named_user));
        ask.headers.push((header::AUTHORIZATION, secret_header(&format!("Basic {}", self.basic()))));
        client.ask(&ask, deadline, |reply| reply.code(&self.redirect_uri, site))
    }

    fn basic(&self) -> String {
        BASE64_STANDARD.encode(format!("{}:{}", self.username, self.password))
    }

    /// All that no message may contain.
    fn secrets(&self) -> Vec<String> {
        let secret =
            |(name, _): &(&str, &str)| matches!(*name, "client_secret" | "password" | "security_token");
        let settings = self.settings().into_iter().filter(secret);
        let mut secrets: Vec<String> = settings.map(|(_, value)| value.to_owned()).collect();
        if self.flow == Flow::CodeCredentials {
            secrets.push(self.basic());
        }
        secrets
    }

    /// Names the setting as the caller wrote it: `login_url`, or `SF_LOGIN_URL`.
    fn setting(&self, name: &str, problem: impl Into<String>) -> Error {
        if self.from_env {
            setting(&format!("SF_{}", name.to_uppercase()), problem)
        } else {
            setting(name, problem)
        }
    }
}

struct State {
    token: Arc<Token>,
    /// The token is from a new login, and no request has been accepted with it yet.
    unproven: bool,
    /// A thread is logging in again.
    logging_in: bool,
    /// How many new logins have ended, by which a waiting thread knows that one has.
    logins: u64,
    /// Why the last one was of no use: it failed, or the API rejected its token at once. And whether
    /// the next request may log in again; where it may not, every request gives this error.
    failure: Option<(Error, bool)>,
}

impl Session {
    fn made_of(client: Client, token: Token, login: Option<Login>) -> Session {
        Session {
            client,
            version: API_VERSION.to_owned(),
            timeout: REQUEST_TIMEOUT,
            login,
            unusable: None,
            state: Mutex::new(State {
                token: Arc::new(token),
                unproven: false,
                logging_in: false,
                logins: 0,
                failure: None,
            }),
            login_ended: Condvar::new(),
        }
    }

    fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&[u8]>) -> Result<T, Error> {
        let reply = self.fetch(method, self.url(path)?, body)?;
        let read = |text| serde_json::from_str(text).map_err(|error| reply.unfit(&error));
        let outcome = if reply.is_blank() { read("null") } else { reply.text().and_then(read) };
        outcome.map_err(|error| self.explain(error))
    }

    /// With the hints for a request that failed, unless it has hints already.
    fn explain(&self, error: Error) -> Error {
        error.explained(authority(&self.lock().token.instance_url), None, self.login.is_some())
    }

    fn fetch(&self, method: Method, url: String, body: Option<&[u8]>) -> Result<Reply, Error> {
        let mut headers = vec![(header::ACCEPT, JSON)];
        if body.is_some() {
            headers.push((header::CONTENT_TYPE, JSON));
        }
        let ask = Ask {
            repeat: if method == Method::GET { Repeat::Read } else { Repeat::Write },
            method,
            url,
            headers,
            body,
            limit: API_REPLY_LIMIT,
            secrets: Vec::new(),
        };
        self.send(ask, false, |response, ask, deadline| {
            let reply = Reply::read(response, ask, deadline)?;
            if reply.is_success() { Ok(reply) } else { Err(reply.api_refusal()) }
        })
    }

    /// Sends `ask` with the current token, and once more with a new one if that one has expired.
    fn send<R>(
        &self,
        mut ask: Ask<'_>,
        streaming: bool,
        judge: impl Fn(http::Response<ureq::Body>, &Ask<'_>, &Deadline) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut deadline = Deadline::after(self.timeout);
        deadline.streaming = streaming;
        let without_token = ask.headers.len();
        let mut logged_in = false;
        loop {
            let token = self.usable_token()?;
            let bearer = secret_header(&format!("Bearer {}", token.access_token));
            ask.headers.truncate(without_token);
            ask.headers.push((header::AUTHORIZATION, bearer));
            ask.secrets = self.secrets(&token);
            let outcome = self.client.exchange(&ask, &deadline, |response| {
                let status = response.status();
                if status.is_success() || status.is_client_error() && status != http::StatusCode::UNAUTHORIZED
                {
                    self.proven(&token);
                }
                judge(response, &ask, &deadline)
            });
            let error = match outcome {
                Ok(result) => return Ok(result),
                Err(error) => self.explain(error),
            };
            if !error.is_expired_session() {
                return Err(error);
            }
            logged_in |= self.log_in_again(&token, error, !logged_in, &deadline)?;
        }
    }

    /// The token, or the failure after which there is no use in sending anything.
    fn usable_token(&self) -> Result<Arc<Token>, Error> {
        let state = self.lock();
        match &state.failure {
            Some((failure, false)) => Err(failure.clone()),
            _ => Ok(state.token.clone()),
        }
    }

    /// Notes that the API has accepted `token`.
    fn proven(&self, token: &Arc<Token>) {
        let mut state = self.lock();
        if Arc::ptr_eq(&state.token, token) {
            state.unproven = false;
        }
    }

    /// Replaces the token `used`, which the API has rejected with `expired`, by one new login for
    /// all threads that have come across it; tells whether it was this thread that logged in, which
    /// it may only when `allowed`: once for a request.
    fn log_in_again(
        &self,
        used: &Arc<Token>,
        expired: Error,
        allowed: bool,
        deadline: &Deadline,
    ) -> Result<bool, Error> {
        let mut state = self.lock();
        let logins = state.logins;
        loop {
            match &state.failure {
                Some((failure, may_pass)) if !may_pass || state.logins != logins => {
                    return Err(failure.clone());
                }
                _ => {}
            }
            if !Arc::ptr_eq(&state.token, used) {
                return Ok(false);
            }
            if !state.logging_in {
                break;
            }
            let left = deadline.left();
            if left.is_zero() {
                let cause = "another thread's new login took longer than this request may";
                return Err(transport(authority(&used.instance_url), cause, Some(Fault::NotSent)));
            }
            let woken = self.login_ended.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.unproven {
            state.failure = Some((expired.clone(), false));
            return Err(expired);
        }
        let (Some(login), true) = (&self.login, allowed) else {
            return Err(expired);
        };
        state.logging_in = true;
        drop(state);
        let _turn = Turn(self);

        let outcome =
            login.log_in(&self.client, &deadline.at_most(login.timeout)).and_then(|token| {
                match used.elsewhere(&token) {
                    None => Ok(token),
                    Some(place) => {
                        let told = !reveals(&place, &self.secrets(used));
                        let place = if told { &*place } else { "elsewhere" };
                        let problem = format!("the new login arrived {place}");
                        let error = Error::new(ErrorKind::Unexpected { status: 200, problem }, None);
                        Err(error.explained(authority(&used.instance_url), Some(login), true))
                    }
                }
            });
        let mut state = self.lock();
        match outcome {
            Ok(token) => {
                state.token = Arc::new(token);
                state.unproven = true;
                state.failure = None;
                Ok(true)
            }
            Err(error) => {
                state.failure = Some((error.clone(), error.is_transient()));
                Err(error)
            }
        }
    }

    fn secrets(&self, token: &Token) -> Vec<String> {
        let mut secrets = self.login.as_ref().map_or_else(Vec::new, Login::secrets);
        secrets.push(token.access_token.clone());
        secrets
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's turn to log in again; it ends however the login ends, by a panic too.
struct Turn<'s>(&'s Session);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.logging_in = false;
        state.logins += 1;
        self.0.login_ended.notify_all();
    }
}

/// A page of a query, as Salesforce writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    // Salesforce counts some objects as -1.
    total_size: Option<i64>,
    done: bool,
    next_records_url: Option<String>,
    records: Vec<T>,
}

impl<T: DeserializeOwned> Records<'_, T> {
    fn turn_page(&mut self, url: String) -> Result<(), Error> {
        // What the last page took is given back before the next one comes.
        self.page = Vec::new().into_iter();
        let reply = self.session.fetch(Method::GET, url.clone(), None)?;
        let text = reply.text()?;
        if shows_subqueries::<T>() && has_unfinished_subquery(text) {
            let problem = "a subquery has more rows than the page holds: query the child object \
                           itself, with the parent's id in WHERE";
            return Err(reply.unexpected(problem));
        }
        let page: Page<T> = serde_json::from_str(text).map_err(|error| reply.unfit(&error))?;
        self.seen.insert(url);
        self.total = self.total.or(page.total_size.and_then(|n| u64::try_from(n).ok()));
        self.given += page.records.len() as u64;
        if !page.done {
            let Some(next) = page.next_records_url else {
                return Err(reply.unexpected("the query is not done, but has no nextRecordsUrl"));
            };
            let next = self.session.url(&next).map_err(|_| {
                reply.unexpected("nextRecordsUrl leads elsewhere than to the session's instance")
            })?;
            if self.seen.contains(&next) {
                return Err(reply.unexpected("the query repeats a page: nextRecordsUrl leads back"));
            }
            if page.records.is_empty() {
                return Err(reply.unexpected("the query goes on with a page without records"));
            }
            let endless =
                self.total.map_or(self.seen.len() > MOST_UNCOUNTED_PAGES, |total| self.given > total);
            if endless {
                return Err(reply.unexpected("the query goes on after all its records"));
            }
            self.next = Some(Ok(next));
        }
        self.page = page.records.into_iter();
        Ok(())
    }
}

fn setting(name: &str, problem: impl Into<String>) -> Error {
    let kind = ErrorKind::Setting { name: name.to_owned(), problem: problem.into() };
    Error::new(kind, None)
}

fn transport(host: &str, cause: impl Into<String>, fault: Option<Fault>) -> Error {
    let kind = ErrorKind::Transport { host: host.to_owned(), cause: cause.into() };
    Error::new(kind, fault)
}

/// Reads one variable of the environment; an empty one is unset.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(setting(name, "is not UTF-8: write it as UTF-8")),
    }
}

/// `66`, `66.0` and `v66.0` are all `v66.0`.
fn api_version(version: &str) -> Result<String, String> {
    let number = version.trim().trim_start_matches(['v', 'V']);
    match number.strip_suffix(".0").unwrap_or(number).parse::<u16>() {
        Ok(number) => Ok(format!("v{number}.0")),
        Err(_) => Err("is not an API version: write e.g. v66.0".to_owned()),
    }
}

fn json_body(body: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    // serde's own words could quote a value.
    serde_json::to_vec(body).map_err(|_| setting("body", "cannot be written as JSON"))
}

/// Encodes each value once, as `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> String {
    const FORM_SAFE: &AsciiSet = &UNRESERVED.remove(b' ').remove(b'*').add(b'~');
    let encode = |text: &str| utf8_percent_encode(text, FORM_SAFE).to_string().replace(' ', "+");
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A header whose value ureq keeps out of its own `Debug`.
fn secret_header(value: &str) -> HeaderValue {
    // Base64, and tokens that `Token::read` has checked, are always fit for a header.
    let mut value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The parts of an absolute URL that decide where a request goes.
#[derive(Clone)]
struct Place {
    /// `https://host:port`, in lower case and without a port that goes without saying.
    origin: String,
    /// The origin without its scheme.
    authority: String,
    /// The authority without its port.
    host: String,
    /// All the rest: the path, and a query if there is one.
    path: String,
    /// `127.0.0.0/8`, `[::1]` or `localhost`: what never leaves this machine.
    loopback: bool,
}

/// A host where the users of all orgs log in.
fn is_generic(host: &str) -> bool {
    matches!(host, "login.salesforce.com" | "test.salesforce.com")
}

fn is_absolute(url: &str) -> bool {
    let is_scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    url.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme))
}

fn is_url_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?[]@!$&'()*+,;=%".contains(c)
}

/// Reads an absolute URL, strictly: `http::Uri` drops a port that is out of range, loses fragments,
/// and lets user info pass. What cannot be used is told as the end of a sentence: "holds ...".
fn place(url: &str) -> Result<Place, String> {
    const NO_HOST: &str = "holds no host name: write e.g. https://ACME.my.salesforce.com";
    let (scheme, rest) =
        url.split_once("://").ok_or("is not an absolute URL: write e.g. https://ACME.my.salesforce.com")?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err("holds user info: leave out what is before the @".to_owned());
    }
    let after_brackets = authority.rfind(']').map_or(0, |n| n + 1);
    let (host, port) = match authority[after_brackets..].find(':') {
        Some(n) => {
            let (host, port) = authority.split_at(after_brackets + n);
            let number = port[1..].parse::<u16>().ok().filter(|_| !port.starts_with(":+"));
            let number = number.filter(|n| *n > 0);
            (host, Some(number.ok_or("holds a port that is not from 1 to 65535")?))
        }
        None => (authority, None),
    };
    let host = host.to_ascii_lowercase();
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let (host, loopback) = match ipv6.map(str::parse::<Ipv6Addr>) {
        Some(Ok(ip)) => (format!("[{ip}]"), ip.is_loopback()),
        Some(Err(_)) => return Err(NO_HOST.to_owned()),
        None => {
            let is_label = |label: &str| {
                !label.is_empty()
                    && label.len() < 64
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            };
            if host.len() > 253 || !host.split('.').all(is_label) {
                return Err(NO_HOST.to_owned());
            }
            let loopback = host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
            (host, loopback)
        }
    };
    for not_an_api in [".lightning.force.com", ".my.salesforce-setup.com"] {
        if let Some(domain) = host.strip_suffix(not_an_api) {
            return Err(format!(
                "is the host of web pages, where neither logins nor API requests work: write \
                 https://{domain}.my.salesforce.com"
            ));
        }
    }
    let usual_port = match &*scheme.to_ascii_lowercase() {
        "https" => 443,
        "http" if loopback => 80,
        "http" => return Err("is http, which would send secrets in clear: write https".to_owned()),
        _ => return Err("is neither https nor a host name alone".to_owned()),
    };
    let authority = match port {
        Some(port) if port != usual_port => format!("{host}:{port}"),
        _ => host.clone(),
    };
    Ok(Place {
        origin: format!("{}://{authority}", scheme.to_ascii_lowercase()),
        authority,
        host,
        path: path.to_owned(),
        loopback,
    })
}

/// Reads a login URL as people write it, and tells what to write where it cannot be one.
fn login_place(url: &str) -> Result<Place, String> {
    let url = url.trim();
    if url.is_empty() {
        return Err("is empty: write e.g. https://ACME.my.salesforce.com".to_owned());
    }
    let mut place = if url.contains("://") { place(url) } else { place(&format!("https://{url}")) }?;
    if place.path.contains(['?', '#']) {
        return Err("holds a query or a fragment: leave out all from the ? or # on".to_owned());
    }
    if !place.path.chars().all(is_url_char) {
        return Err("holds a character that no URL path can".to_owned());
    }
    let mut path = place.path.trim_end_matches('/');
    while let Some(site) = [TOKEN_PATH, AUTHORIZE_PATH].iter().find_map(|p| path.strip_suffix(p)) {
        path = site.trim_end_matches('/');
    }
    place.path = path.to_owned();
    Ok(place)
}

/// The authority of a URL that `place` has made.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once(['/', '?']).map_or(rest, |(authority, _)| authority)
}

/// When an exchange must be over.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    /// The whole of it, for messages.
    timeout: Duration,
    /// The deadline is for the reply's headers, or all of a refusal; the body of a 2xx reply is the
    /// caller's, who has `timeout` for each read.
    streaming: bool,
}

impl Deadline {
    fn after(timeout: Duration) -> Deadline {
        // ureq takes zero for over already, and panics on what the clock cannot add.
        let timeout = timeout.clamp(Duration::from_millis(1), LONGEST);
        Deadline { at: Instant::now() + timeout, timeout, streaming: false }
    }

    /// The earlier of this one and a new one.
    fn at_most(&self, timeout: Duration) -> Deadline {
        if timeout < self.left() { Deadline::after(timeout) } else { Deadline { streaming: false, ..*self } }
    }

    fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// A request, ready to be sent as often as the table of retries allows.
struct Ask<'a> {
    method: Method,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// `None` for requests that have no body at all.
    body: Option<&'a [u8]>,
    repeat: Repeat,
    /// How many bytes the reply may have.
    limit: u64,
    /// What must not be quoted from the reply.
    secrets: Vec<String>,
}

impl<'a> Ask<'a> {
    fn form(url: String, body: &'a str, repeat: Repeat, secrets: Vec<String>) -> Ask<'a> {
        Ask {
            method: Method::POST,
            url,
            headers: vec![(header::CONTENT_TYPE, FORM), (header::ACCEPT, JSON)],
            body: Some(body.as_bytes()),
            repeat,
            limit: REPLY_LIMIT,
            secrets,
        }
    }
}

/// What a request is, as far as repeating it goes.
#[derive(Clone, Copy)]
enum Repeat {
    Login,
    Read,
    /// A write, or the exchange of a code.
    Write,
}

/// What went wrong, as far as repeating goes.
#[derive(Clone, Copy)]
enum Fault {
    /// Certainly nothing was sent.
    NotSent,
    /// Something may have been sent, and no whole reply came.
    BrokeOff,
    /// 502, 503 or 504.
    Unavailable,
    /// 429, or Salesforce's `retry your request`.
    TryLater,
}

impl Repeat {
    // A table reads better with every row.
    #[rustfmt::skip]
    #[allow(clippy::match_same_arms)]
    fn after(self, fault: Fault) -> bool {
        let [login, read, write] = match fault {
            //                     login  read  write
            Fault::NotSent =>     [true,  true, true],
            Fault::BrokeOff =>    [false, true, false],
            Fault::Unavailable => [true,  true, false],
            Fault::TryLater =>    [true,  true, true],
        };
        match self {
            Repeat::Login => login,
            Repeat::Read => read,
            Repeat::Write => write,
        }
    }
}

/// Sends requests: the one place that opens connections.
struct Client {
    agent: ureq::Agent,
    /// `NO_PROXY`'s entries, in lower case.
    no_proxy: Vec<String>,
}

impl Client {
    fn new(agent: Option<ureq::Agent>) -> Result<Client, Error> {
        let Some(agent) = agent else {
            return Client::from_env();
        };
        let config = agent.config();
        let tls = config.tls_config();
        let platform = matches!(tls.root_certs(), RootCerts::PlatformVerifier);
        let rustls = tls.provider() == TlsProvider::Rustls;
        let is_fit = |value: &AutoHeaderValue| match value {
            AutoHeaderValue::Provided(text) => HeaderValue::from_str(text).is_ok(),
            _ => true,
        };
        // All but the first would make ureq panic.
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
            (
                ![config.user_agent(), config.accept(), config.accept_encoding()].into_iter().all(is_fit),
                "has a header that cannot be sent: write visible ASCII",
            ),
            (
                config.input_buffer_size() == 0 || config.output_buffer_size() == 0,
                "has a buffer of no bytes: leave the sizes as they are",
            ),
        ];
        match problems.into_iter().find(|(is_so, _)| *is_so) {
            Some((_, problem)) => Err(setting("agent", problem)),
            None => Ok(Client { agent, no_proxy: Vec::new() }),
        }
    }

    fn from_env() -> Result<Client, Error> {
        let roots = match env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            Some(path) => {
                let pem = fs::read(path).map_err(|error| {
                    setting("SSL_CERT_FILE", format!("names a file that cannot be read: {error}"))
                })?;
                let certificates = parse_pem(&pem).filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(_) => Some(Err(())),
                });
                let certificates: Vec<_> = certificates.collect::<Result<_, ()>>().unwrap_or_default();
                // ureq takes an empty list, and junk too, and then trusts nobody without saying why.
                // X.509 is an ASN.1 sequence.
                if certificates.is_empty() || certificates.iter().any(|c| c.der().first() != Some(&0x30)) {
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
        let no_proxy =
            no_proxy.split(|c: char| c == ',' || c.is_whitespace()).filter(|host| !host.is_empty());
        let config = ureq::Agent::config_builder()
            .user_agent(concat!("sf-login/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .proxy(env_proxy()?)
            .build();
        Ok(Client { agent: config.new_agent(), no_proxy: no_proxy.map(str::to_ascii_lowercase).collect() })
    }

    /// The proxy that a request to `url` goes through.
    fn proxy(&self, url: &str) -> Option<&ureq::Proxy> {
        let place = place(url).ok()?;
        let spared = self.no_proxy.iter().any(|entry| {
            // In an IPv6 address without brackets, :443 is no port.
            let named = entry.strip_suffix(":443").filter(|host| host.ends_with(']') || !host.contains(':'));
            let entry = named.unwrap_or(entry).trim_end_matches('.');
            let domain = entry.trim_start_matches('*').trim_start_matches('.');
            let rest = place.host.strip_suffix(domain).filter(|_| !domain.is_empty());
            let within = rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            within || entry == "*" || entry == place.authority || place.host == format!("[{entry}]")
        });
        // A caller's proxy may spare hosts of its own.
        let uri = url.parse::<http::Uri>().ok()?;
        self.agent.config().proxy().filter(|proxy| !spared && !place.loopback && !proxy.is_no_proxy(&uri))
    }

    /// Sends `ask`, as often as the table of retries allows, until `judge` is content with the
    /// response.
    fn exchange<R>(
        &self,
        ask: &Ask<'_>,
        deadline: &Deadline,
        judge: impl Fn(http::Response<ureq::Body>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let error = match self.send(ask, deadline).and_then(&judge) {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            let repeat = error.0.fault.is_some_and(|fault| ask.repeat.after(fault));
            let pause = pauses.next().map(|pause| error.0.retry_after.unwrap_or(pause));
            match pause.filter(|pause| repeat && *pause < deadline.left()) {
                Some(pause) => thread::sleep(pause),
                None => return Err(error),
            }
        }
    }

    /// As `exchange`, with replies that are read whole.
    fn ask<R>(
        &self,
        ask: &Ask<'_>,
        deadline: &Deadline,
        judge: impl Fn(Reply) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.exchange(ask, deadline, |response| judge(Reply::read(response, ask, deadline)?))
    }

    /// Sends `ask` once.
    fn send(&self, ask: &Ask<'_>, deadline: &Deadline) -> Result<http::Response<ureq::Body>, Error> {
        let host = authority(&ask.url);
        let proxy = self.proxy(&ask.url);
        let mut request = http::Request::builder().method(&ask.method).uri(&ask.url);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let read = Cell::new(false);
        let mut body = Noted(ask.body.unwrap_or_default(), &read);
        let outcome = if let Some(bytes) = ask.body {
            let request = request.header(header::CONTENT_LENGTH, bytes.len());
            let request = request.body(ureq::SendBody::from_reader(&mut body));
            request.map(|request| self.run(request, deadline, proxy))
        } else {
            let request = request.body(ureq::SendBody::none());
            request.map(|request| self.run(request, deadline, proxy))
        };
        let error = match outcome {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(setting("request", "cannot be sent: its method, URI or a header is not HTTP's"));
            }
        };
        // A body that nobody has read yet cannot have been sent. Without one, only an error that
        // belongs to connecting tells as much.
        let unread = matches!(ask.body, Some([_, ..])) && !read.get();
        let (cause, fault) = why(&error, deadline, unread);
        let cause = match proxy {
            Some(proxy) if !matches!(fault, Some(Fault::BrokeOff)) => {
                format!("through the proxy {}:{}: {cause}", proxy.host(), proxy.port())
            }
            _ => cause,
        };
        Err(transport(host, cause, fault))
    }

    /// Hands the request to ureq with the settings that hold whatever the agent is set to.
    fn run(
        &self,
        request: http::Request<ureq::SendBody<'_>>,
        deadline: &Deadline,
        proxy: Option<&ureq::Proxy>,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let https = request.uri().scheme_str() == Some("https");
        let left = deadline.left().max(Duration::from_millis(1));
        // A little less than all, so that a timeout tells that it was connecting.
        let connect = Some(left.min(CONNECT_TIMEOUT).mul_f32(0.99));
        let config = self
            .agent
            .configure_request(request)
            // ureq's error for a refusal would lose the body, which says why.
            .http_status_as_error(false)
            // A redirect would carry the credentials to a host that nobody named.
            .max_redirects(0)
            // `Session::run` takes what its caller chooses.
            .allow_non_standard_methods(true)
            .https_only(https)
            .proxy(proxy.cloned())
            // The deadline is ours; a caller's could be one that the clock cannot add.
            .timeout_per_call(None)
            .timeout_resolve(connect)
            .timeout_connect(connect);
        let config = if deadline.streaming {
            // A global timeout would go on running while the caller reads the body.
            config
                .timeout_global(None)
                .timeout_send_request(Some(left))
                .timeout_send_body(Some(left))
                .timeout_recv_response(Some(left))
                .timeout_per_read(Some(deadline.timeout))
        } else {
            config.timeout_global(Some(left))
        };
        self.agent.run(config.build())
    }
}

/// A body that notes its first read.
struct Noted<'a>(&'a [u8], &'a Cell<bool>);

impl Read for Noted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
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
            .ok_or_else(|| setting(name, "is not a proxy's URL: write e.g. http://proxy.example.com:3128"))?;
        if is_unusable_socks(&proxy) {
            let problem = "names a SOCKS proxy, which this build lacks: enable sf-login's \
                           feature socks-proxy, or name an http proxy";
            return Err(setting(name, problem));
        }
        return Ok(Some(proxy));
    }
    Ok(None)
}

/// An error of ureq's in words, and its fault; none where asking again would change nothing.
fn why(error: &ureq::Error, deadline: &Deadline, unread: bool) -> (String, Option<Fault>) {
    use std::io::ErrorKind as Io;
    use ureq::Timeout::{Connect, PerRead, Resolve};

    let text = printable(error.to_string().trim_start_matches("io: "));
    let lower = text.to_lowercase();
    let says = |words: &str| lower.contains(words);
    let within = |timeout: Duration| format!("{} s", timeout.as_secs_f64());
    let (timeout, connect) = (within(deadline.timeout), within(CONNECT_TIMEOUT.min(deadline.timeout)));
    let (not_sent, broke_off) = (Some(Fault::NotSent), Some(Fault::BrokeOff));
    match error {
        ureq::Error::Timeout(Resolve) => (format!("the name was not resolved within {connect}"), not_sent),
        ureq::Error::Timeout(Connect) => (format!("could not connect within {connect}"), not_sent),
        ureq::Error::Timeout(_) if unread => (format!("could not connect within {timeout}"), not_sent),
        ureq::Error::Timeout(PerRead) => (format!("nothing came for {timeout}"), broke_off),
        ureq::Error::Timeout(_) => (format!("no complete reply within {timeout}"), broke_off),
        ureq::Error::ConnectProxyFailed(_) => {
            let answer = lower.rsplit_once(" responded ").and_then(|(_, status)| status.split('/').next());
            match answer {
                // A wrong password can lock out there as well.
                Some("407") => ("it answered 407 to CONNECT".to_owned(), None),
                Some(status) => (format!("it answered {status} to CONNECT"), not_sent),
                None => (text, not_sent),
            }
        }
        _ if says("certificate") => {
            // rustls goes on with times in seconds since 1970, which nobody reads.
            (format!("TLS: {}", text.split(": verification time").next().unwrap_or_default()), None)
        }
        _ if says("corrupt message") || says("alert") => (format!("TLS: {text}"), None),
        _ if says("handshake") => (format!("TLS: {text}"), not_sent),
        ureq::Error::HostNotFound => ("the host name was not found".to_owned(), not_sent),
        _ if says("lookup address") => ("the host name was not found".to_owned(), not_sent),
        ureq::Error::Protocol(_) => (format!("not an HTTP reply ({text})"), broke_off),
        ureq::Error::Io(io) => match io.kind() {
            Io::ConnectionRefused => ("the connection was refused".to_owned(), not_sent),
            Io::HostUnreachable | Io::NetworkUnreachable | Io::AddrNotAvailable => (text, not_sent),
            Io::UnexpectedEof | Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe => {
                if unread {
                    ("the connection broke off before the request was sent".to_owned(), not_sent)
                } else {
                    ("the connection broke off".to_owned(), broke_off)
                }
            }
            _ => (text, if unread { not_sent } else { broke_off }),
        },
        _ => (text, if unread { not_sent } else { broke_off }),
    }
}

/// Reads until a deadline: a streaming request is not held to one by ureq, and its reply may be a
/// refusal, which is read whole.
struct Until<'a, R>(R, &'a Deadline);

impl<R: Read> Read for Until<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self.1.left() {
            Duration::ZERO => Err(ureq::Error::Timeout(ureq::Timeout::Global).into_io()),
            _ => self.0.read(buf),
        }
    }
}

/// A reply, read whole.
struct Reply {
    /// Whom it is from.
    host: String,
    status: u16,
    location: Option<String>,
    retry_after: Option<Duration>,
    body: Vec<u8>,
    /// What must not be quoted from it.
    secrets: Vec<String>,
}

impl Reply {
    fn read(
        mut response: http::Response<ureq::Body>,
        ask: &Ask<'_>,
        deadline: &Deadline,
    ) -> Result<Reply, Error> {
        let status = response.status();
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let mut reply = Reply {
            host: authority(&ask.url).to_owned(),
            status: status.as_u16(),
            location: headers
                .get(header::LOCATION)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            retry_after: text(header::RETRY_AFTER).and_then(retry_after),
            body: Vec::new(),
            secrets: ask.secrets.clone(),
        };
        // The body of a redirect may never end, and says nothing that Location does not. A 300, of
        // an external id that is not unique, is no redirect.
        let bodiless = status.is_redirection() && status != http::StatusCode::MULTIPLE_CHOICES
            || matches!(reply.status, 204 | 205);
        if bodiless {
            return Ok(reply);
        }
        let limit = if status.is_success() { ask.limit } else { REPLY_LIMIT };
        let reader = response.body_mut().with_config().limit(limit).reader();
        let Err(error) = Until(reader, deadline).read_to_end(&mut reply.body) else {
            return Ok(reply);
        };
        // A login that was refused is refused, even where the reason got lost.
        let refused = status.is_client_error() && !matches!(ask.repeat, Repeat::Read);
        match ureq::Error::from(error) {
            ureq::Error::BodyExceedsLimit(_) => {
                Err(reply.unexpected(format!("larger than {} MiB", limit >> 20)))
            }
            #[cfg(feature = "gzip")]
            // An empty body that was announced as gzip. It cannot be told from a cut one, so it counts
            // only where nothing is read, and where an error would have a write repeated.
            ureq::Error::Decompress(_, error)
                if matches!(ask.repeat, Repeat::Write) && reply.body.is_empty() && is_end_of_gzip(&error) =>
            {
                Ok(reply)
            }
            error @ ureq::Error::Timeout(_) if !refused => {
                Err(transport(&reply.host, why(&error, deadline, false).0, Some(Fault::BrokeOff)))
            }
            _ => {
                let problem = "cut off or damaged on its way".to_owned();
                let kind = ErrorKind::Unexpected { status: reply.status, problem };
                Err(reply.error(kind, (!refused).then_some(Fault::BrokeOff)))
            }
        }
    }

    /// An error made of this reply; its status tells most faults.
    fn error(&self, kind: ErrorKind, fault: Option<Fault>) -> Error {
        let fault = match self.status {
            502..=504 => Some(Fault::Unavailable),
            429 => Some(Fault::TryLater),
            _ => fault,
        };
        Error::with(kind, fault, self.retry_after)
    }

    fn unexpected(&self, problem: impl Into<String>) -> Error {
        self.error(ErrorKind::Unexpected { status: self.status, problem: problem.into() }, None)
    }

    fn is_blank(&self) -> bool {
        self.body.iter().all(u8::is_ascii_whitespace)
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn text(&self) -> Result<&str, Error> {
        str::from_utf8(&self.body).map_err(|_| self.unexpected("not UTF-8"))
    }

    /// Where in the JSON it does not fit, without quoting a value.
    fn unfit(&self, error: &serde_json::Error) -> Error {
        if let Some(page) = self.html_page() {
            return self.unexpected(page);
        }
        let place = format!("at line {} column {}", error.line(), error.column());
        let words = error.to_string();
        let missing = words.strip_prefix("missing field ").and_then(|w| w.split_once(" at line"));
        self.unexpected(match (error.classify(), missing) {
            (serde_json::error::Category::Data, Some((field, _))) => {
                format!("JSON without the field {} {place}", printable(field))
            }
            (serde_json::error::Category::Data, None) => {
                format!("JSON that does not fit the type asked for {place}")
            }
            _ => format!("not JSON {place}"),
        })
    }

    /// The server's words, unless they give a secret away.
    fn quoted(&self, text: &str) -> String {
        /// What is longer is no message, and would take long to search.
        const LONGEST_MESSAGE: usize = 64 * 1024;
        if DOCUMENTED.iter().any(|words| text.eq_ignore_ascii_case(words)) {
            text.to_owned()
        } else if text.len() > LONGEST_MESSAGE {
            "(withheld: too long)".to_owned()
        } else if reveals(text, &self.secrets) || reveals(&one_line(text), &self.secrets) {
            "(withheld: it contains a secret)".to_owned()
        } else {
            printable(text)
        }
    }

    fn html_page(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if !text.starts_with('<') || text.starts_with("<?xml") {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title").and_then(|tag| {
            let start = tag + lower[tag..].find('>')? + 1;
            Some(self.quoted(&text[start..start + lower[start..].find("</title")?]))
        });
        Some(match title.as_deref() {
            None | Some("") => "an HTML page".to_owned(),
            Some(title) => format!("an HTML page titled \"{title}\""),
        })
    }

    /// What came instead of JSON of a documented shape.
    fn odd(&self, quote_text: bool) -> Error {
        self.unexpected(if self.status == 304 {
            "not modified".to_owned()
        } else if (300..400).contains(&self.status) {
            // Browsers take a backslash for a slash.
            let location = self.location.as_deref().unwrap_or_default().replace('\\', "/");
            let elsewhere =
                location.split_once("//").filter(|(scheme, _)| scheme.is_empty() || is_absolute(&location));
            let asked = |host: &str| host.eq_ignore_ascii_case(&self.host);
            match elsewhere.map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default()) {
                Some(host) if !asked(host) => {
                    let host = host.rsplit('@').next().unwrap_or_default();
                    format!("a redirect to {}, which was not followed", self.quoted(host))
                }
                None if location.is_empty() => "a redirect that names no place".to_owned(),
                _ => "a redirect within the host, which was not followed".to_owned(),
            }
        } else if self.is_blank() {
            "empty".to_owned()
        } else if let Some(page) = self.html_page() {
            page
        } else if serde_json::from_slice::<Value>(&self.body).is_ok() {
            "JSON of another shape than documented".to_owned()
        } else if quote_text {
            format!("text that is not JSON: {}", self.quoted(&String::from_utf8_lossy(&self.body)))
        } else {
            "text that is not JSON".to_owned()
        })
    }

    fn token(mut self) -> Result<Token, Error> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(&self.body) else {
            return Err(self.odd(false));
        };
        if !self.is_success() || fields.contains_key("error") && !fields.contains_key("access_token") {
            self.secrets.extend(fields.get("access_token").and_then(Value::as_str).map(str::to_owned));
            return Err(self.login_refusal(&fields).unwrap_or_else(|| self.odd(false)));
        }
        Token::read(fields).map_err(|(name, problem)| {
            // What to write instead is for people, and nobody wrote this.
            let problem = problem.split(": ").next().unwrap_or_default();
            self.unexpected(format!("{name} {problem}"))
        })
    }

    fn login_refusal(&self, fields: &Map<String, Value>) -> Option<Error> {
        let text = |name: &str| {
            let field = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            field.and_then(|(_, value)| value.as_str())
        };
        let error = self.quoted(text("error")?);
        let description = self.quoted(text("error_description").unwrap_or_default());
        let lower = error.to_ascii_lowercase();
        let try_later = lower == "unknown_error" && description.to_lowercase().contains("retry your request");
        let passing = matches!(&*lower, "unknown_error" | "rate_limit_exceeded" | "temporarily_unavailable");
        let kind = ErrorKind::Refused { status: self.status, error, description };
        // Whatever the status says, a refusal of the credentials must not be tried again.
        Some(if passing {
            self.error(kind, try_later.then_some(Fault::TryLater))
        } else {
            Error::new(kind, None)
        })
    }

    /// The code, from the redirect or from JSON, and the place that exchanges it.
    fn code(mut self, redirect_uri: &str, site: &Place) -> Result<(String, Place), Error> {
        let query = self.location.as_deref().and_then(|location| {
            let rest = location.strip_prefix(redirect_uri)?;
            rest.strip_prefix(if redirect_uri.contains('?') { '&' } else { '?' })
        });
        let fields = match (query, self.status) {
            (Some(query), 300..=399) => form_fields(query.split('#').next().unwrap_or_default()),
            _ => match serde_json::from_slice(&self.body) {
                Ok(Value::Object(fields)) => fields,
                _ => return Err(self.odd(false)),
            },
        };
        let text = |name| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        self.secrets.extend(text("code").map(str::to_owned));
        if let Some(refusal) = self.login_refusal(&fields) {
            return Err(refusal);
        }
        let (Some(code), 200..=399) = (text("code"), self.status) else {
            return Err(self.unexpected("no code in it"));
        };
        let site = match text("sfdc_community_url").map(login_place) {
            None => site.clone(),
            Some(Ok(community)) if community.origin == site.origin => community,
            Some(community) => {
                let named = community.map_or_else(|_| "no https URL".to_owned(), |c| self.quoted(&c.origin));
                return Err(self.unexpected(format!(
                    "sfdc_community_url names {named}, not {}, so it was not sent the code",
                    site.origin
                )));
            }
        };
        Ok((code.to_owned(), site))
    }

    fn api_refusal(&self) -> Error {
        /// More than a person reads; each takes a search for secrets.
        const MOST: usize = 50;
        let text = |value: &Value| self.quoted(value.as_str().unwrap_or_default());
        let error = |value: &Value| {
            let either = |a: &str, b: &str| value.get(a).or(value.get(b)).map(text);
            let (error_code, message) =
                (either("errorCode", "error"), either("message", "error_description"));
            if error_code.is_none() && message.is_none() {
                return None;
            }
            let fields = value.get("fields").and_then(Value::as_array);
            Some(ApiError {
                error_code: error_code.unwrap_or_default(),
                message: message.unwrap_or_default(),
                fields: fields.into_iter().flatten().take(MOST).map(text).collect(),
            })
        };
        let errors: Vec<ApiError> = match serde_json::from_slice(&self.body) {
            Ok(Value::Array(urls)) if self.status == 300 => {
                let urls: Vec<String> = urls.iter().take(MOST).map(text).collect();
                let message = format!("the external id matches several records: {}", urls.join(", "));
                vec![ApiError { error_code: String::new(), message, fields: Vec::new() }]
            }
            Ok(Value::Array(errors)) => errors.iter().take(MOST).filter_map(error).collect(),
            Ok(value) => error(&value).into_iter().collect(),
            Err(_) => Vec::new(),
        };
        if errors.is_empty() {
            return self.odd(true);
        }
        let try_later = |e: &ApiError| e.message.to_lowercase().contains("retry your request");
        let fault = errors.iter().any(try_later).then_some(Fault::TryLater);
        self.error(ErrorKind::Api { status: self.status, errors }, fault)
    }
}

/// Reads `Retry-After`: seconds, or the date in the one form that RFC 9110 lets servers write.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    // Sun, 06 Nov 1994 08:49:37 GMT
    let words: Vec<&str> = value.split_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(month).filter(|n| n % 3 == 0 && month.len() == 3)? as u64 / 3;
    let time: Vec<u64> = time.split(':').map_while(|n| n.parse().ok()).collect();
    let ([hour @ 0..=23, minute @ 0..=59, second @ 0..=60], 1970..=9999, 1..=31) = (&time[..], year, day)
    else {
        return None;
    };
    // Years that begin in March have their leap day last, and then months have a pattern.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let seconds = ((days - 719_469) * 24 + hour) * 3600 + minute * 60 + second;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// The end of the reply inside gzip's own header, where the transfer itself was whole.
#[cfg(feature = "gzip")]
fn is_end_of_gzip(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::UnexpectedEof && !error.to_string().contains("disconnected")
}

fn form_fields(query: &str) -> Map<String, Value> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), Value::String(decode(value)))).collect()
}

/// Whether `T` keeps a record as it came, so that a subquery's first rows are taken for all of them.
/// A type of the caller's own has a place for `done`, or has chosen to do without.
//
// By name, because comparing `TypeId`s would demand `'static` of every caller's type.
fn shows_subqueries<T>() -> bool {
    let name = std::any::type_name::<T>();
    name == std::any::type_name::<Value>() || name == std::any::type_name::<Box<RawValue>>()
}

fn has_unfinished_subquery(page: &str) -> bool {
    fn unfinished(value: &Value) -> bool {
        match value {
            Value::Object(fields) => {
                fields.contains_key("records") && fields.get("done") == Some(&Value::Bool(false))
                    || fields.values().any(unfinished)
            }
            Value::Array(values) => values.iter().any(unfinished),
            _ => false,
        }
    }
    // A page has one `done` of its own; only a second one is worth another look.
    page.matches("\"done\"").nth(1).is_some()
        && serde_json::from_str::<Page<Value>>(page).is_ok_and(|page| page.records.iter().any(unfinished))
}

/// The server's words as a message may show them: on one line, without what moves a terminal's
/// cursor or hides text, and not too long.
fn printable(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn one_line(text: &str) -> String {
    /// Takes no room on a terminal, or changes the order of what does.
    const HIDDEN: [RangeInclusive<char>; 9] = [
        '\u{ad}'..='\u{ad}',
        '\u{61c}'..='\u{61c}',
        '\u{180e}'..='\u{180e}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{fe00}'..='\u{fe0f}',
        '\u{feff}'..='\u{feff}',
        '\u{e0000}'..='\u{e0fff}',
    ];
    let is_shown =
        |c: &char| c.is_whitespace() || !c.is_control() && !HIDDEN.iter().any(|range| range.contains(c));
    let shown: String = text.chars().filter(is_shown).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `text` contains a secret: plain, form-, percent-, base64-, JSON- or HTML-encoded, or two
/// of these one upon the other.
fn reveals(text: &str, secrets: &[String]) -> bool {
    const DECODERS: [fn(&str) -> String; 5] = [
        |text| percent_decode_str(text).decode_utf8_lossy().into_owned(),
        |text| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned(),
        base64_decoded,
        json_unescaped,
        |text| {
            const ENTITIES: [(&str, &str); 9] = [
                ("&lt;", "<"),
                ("&gt;", ">"),
                ("&quot;", "\""),
                ("&#34;", "\""),
                ("&#39;", "'"),
                ("&#039;", "'"),
                ("&#x27;", "'"),
                ("&apos;", "'"),
                // Last, so that nothing is decoded twice.
                ("&amp;", "&"),
            ];
            ENTITIES.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
        },
    ];
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    let secrets: Vec<String> = secrets.map(|secret| secret.to_ascii_lowercase()).collect();
    let decoded = |views: &[String]| -> Vec<String> {
        views.iter().flat_map(|view| DECODERS.map(|decode| decode(view))).collect()
    };
    let plain = vec![text.to_owned()];
    let once = decoded(&plain);
    let twice = decoded(&once);
    [plain, once, twice].iter().flatten().any(|view| {
        let view = view.to_ascii_lowercase();
        secrets.iter().any(|secret| view.contains(secret))
    })
}

/// All that `text` may hold in base64, of either alphabet and wherever in a run it begins.
fn base64_decoded(text: &str) -> String {
    const ANY_END: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_END);
    let text = text.replace('-', "+").replace('_', "/");
    // Long base64 is often broken into lines.
    let text = format!("{text} {}", text.split_whitespace().collect::<String>());
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '/');
    let mut decoded = Vec::new();
    for run in runs.filter(|run| run.len() > 3) {
        for begin in 0..4 {
            let run = &run[begin..];
            // One character alone is no byte yet.
            let end = if run.len() % 4 == 1 { run.len() - 1 } else { run.len() };
            decoded.extend(BASE64.decode(&run[..end]).unwrap_or_default());
            decoded.push(b' ');
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn json_unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        // The longest escape is a pair of surrogates; serde_json knows which are whole.
        let whole = |len: &usize| {
            let escape = after.get(..*len)?;
            serde_json::from_str::<String>(&format!("\"\\{escape}\"")).ok().map(|c| (c, *len))
        };
        let (c, len) = [11, 5, 1].iter().find_map(whole).unwrap_or(("\\".to_owned(), 0));
        plain.push_str(&c);
        rest = &after[len..];
    }
    plain + rest
}

/// What a hint may depend on.
struct Case<'a> {
    /// See `Error::symptom`.
    symptom: String,
    host: &'a str,
    /// The login that failed, if it was a login.
    login: Option<&'a Login>,
    /// Whether a failed request's session could log in again.
    can_log_in: bool,
}

impl Case<'_> {
    fn says(&self, words: &str) -> bool {
        words.split('|').any(|words| self.symptom.contains(words))
    }

    fn flow(&self, flow: Flow) -> bool {
        self.login.is_some_and(|login| login.flow == flow)
    }

    /// For `invalid_grant`: the description names no cause, or none that is known.
    fn unexplained(&self) -> bool {
        !self.says("ip restricted|login hours|inactive user|approved this consumer|on this domain")
            && !self.says("credentials user|flow not enabled|authorization code|code verifier")
    }

    /// A password login refused without a cause, so that every likely one is worth a hint.
    fn any_guess(&self) -> bool {
        self.flow(Flow::Password) && self.unexplained() && !self.says("invalid password")
    }

    fn username(&self) -> &str {
        self.login.map_or("", |login| &login.username)
    }

    fn security_token(&self) -> &str {
        self.login.map_or("", |login| &login.security_token)
    }

    fn token_twice(&self) -> bool {
        let twice = |login: &Login| login.password.ends_with(&login.security_token);
        !self.security_token().is_empty() && self.login.is_some_and(twice)
    }

    fn has_secret(&self) -> bool {
        self.login.is_some_and(|login| login.app.client_secret.is_some())
    }

    fn at_sandbox(&self) -> bool {
        self.host == "test.salesforce.com" || self.host.ends_with(".sandbox.my.salesforce.com")
    }

    /// `ada@example.com.uat`: whether the domain goes on after its top-level domain, as far as can be
    /// told. Two letters at the end may be a country's.
    fn is_sandbox_user(&self) -> Option<bool> {
        const TOP: [&str; 9] = ["com", "org", "net", "edu", "gov", "mil", "int", "info", "biz"];
        let (_, domain) = self.username().rsplit_once('@')?;
        let domain = domain.to_lowercase();
        let labels: Vec<&str> = domain.split('.').collect();
        match labels[..] {
            [_, .., _, last] if last.len() == 2 => None,
            [_, .., top, last] if top.len() == 2 && TOP.contains(&last) => None,
            [_, .., top, last] => Some((TOP.contains(&top) || top.len() == 2) && !TOP.contains(&last)),
            _ => Some(false),
        }
    }

    /// A redirect to the callback's host, but not to the callback.
    fn at_callback(&self) -> bool {
        let callback = self.login.and_then(|login| place(&login.redirect_uri).ok());
        callback.is_some_and(|place| self.says(&format!("a redirect to {},", place.authority)))
    }
}

/// How the symptom begins, what else it must contain (`|` parts alternatives), what else must hold,
/// and what to say; `{host}` and `{user}` are filled in.
type Hint = (&'static str, &'static str, fn(&Case<'_>) -> bool, &'static str);

/// All hints there are. A person reads those that fit from the top, so the likely ones come first.
#[rustfmt::skip]
const HINTS: &[Hint] = &[
    // Refused logins: the many causes of "authentication failure" first.
    ("refused", "invalid_grant", |c| c.unexplained() && !c.username().is_empty() && !c.username().contains('@'),
     "the username {user} has no @, and Salesforce's usernames have the form of an e-mail address: Setup > Users shows them"),
    ("refused", "invalid_grant", |c| c.any_guess() && c.is_sandbox_user() == Some(true) && c.host == "login.salesforce.com",
     "the username {user} ends like a sandbox's, but the login went to {host}: sandboxes log in at https://test.salesforce.com or at their My Domain (SF_LOGIN_URL)"),
    ("refused", "invalid_grant", |c| c.any_guess() && c.is_sandbox_user() == Some(false) && c.at_sandbox(),
     "{host} is not for production users, who log in at https://login.salesforce.com or their My Domain; a sandbox's username usually has the sandbox's name at its end (ada@example.com.uat), which {user} has not"),
    ("refused", "invalid_grant", |c| c.flow(Flow::Password) && c.unexplained() && c.token_twice(),
     "the password already ends with the security token, so it was sent twice: leave it out of one of them"),
    ("refused", "invalid password", |_| true,
     "the password is wrong, or the security token after it: try the password once in a browser"),
    ("refused", "invalid_grant", |c| c.flow(Flow::Password) && c.unexplained() && c.security_token().is_empty(),
     "no security token was set: unless the password was written with it, Salesforce wants one outside the org's trusted IP ranges, so set SF_SECURITY_TOKEN (Login::security_token) to the one it mailed when the password last changed, or have it mail another (the user's Settings > Reset My Security Token)"),
    ("refused", "invalid_grant", |c| c.flow(Flow::Password) && c.unexplained() && !c.security_token().is_empty(),
     "the security token may be out of date, since every password change voids it and mails a new one (the user's Settings > Reset My Security Token mails another), or not wanted where the org trusts this machine's address: then leave SF_SECURITY_TOKEN unset"),
    ("refused", "invalid_grant", |c| c.any_guess() && c.username().contains('@'),
     "the password may be wrong, or {user} may be the user's e-mail address and not the username, which Setup > Users shows"),
    ("refused", "invalid_grant", |c| c.flow(Flow::CodeCredentials) && c.unexplained(),
     "username or password may be wrong, or the user may not be a member of this site: try them once on the site's own login page, in a browser"),
    ("refused", "invalid_grant", |c| c.flow(Flow::ClientCredentials) && c.unexplained(),
     "the app's Run As user may be inactive, frozen or restricted: Setup > Users shows it"),
    ("refused", "invalid_grant", |c| c.any_guess() && is_generic(c.host),
     "the org may not accept logins at {host}: set SF_LOGIN_URL to its My Domain, e.g. https://ACME.my.salesforce.com (Setup > My Domain)"),
    ("refused", "invalid_grant", |c| c.any_guess(),
     "the org may block this flow, as those created since Summer '23 do by default: Setup > OAuth and OpenID Connect Settings > Allow OAuth Username-Password Flows"),
    ("refused", "invalid_grant", |c| c.any_guess(),
     "if the app is an External Client App, it cannot use this flow at all, only client credentials (SF_FLOW=client_credentials, App::client_credentials)"),
    ("refused", "invalid_grant", |c| c.any_guess(),
     "if the user is an Experience Cloud (community) user, this flow does not serve them: use SF_FLOW=code_credentials (App::code_credentials) at the site's address"),
    ("refused", "invalid_grant", |c| !c.flow(Flow::ClientCredentials) && c.unexplained() && !c.says("invalid password"),
     "the user may be locked out after failed logins: an administrator sees and undoes it in Setup > Users"),
    ("refused", "ip restricted|login hours", |_| true,
     "this machine's IP address, or the hour, is outside what the user's profile (Setup > Profiles > Login IP Ranges, Login Hours) or the app (its IP Relaxation policy) allows"),
    ("refused", "inactive user|inactive_user", |_| true,
     "the user is deactivated or frozen: an administrator sees and undoes it in Setup > Users"),
    ("refused", "approved this consumer", |_| true,
     "the user has not approved the app: in Setup, in the app's OAuth policies, set Permitted Users to \"Admin approved users are pre-authorized\" and add the user's profile or a permission set"),
    ("refused", "not supported on this domain", |_| true,
     "{host} does not serve this flow: set SF_LOGIN_URL to the org's My Domain, e.g. https://ACME.my.salesforce.com (Setup > My Domain)"),
    ("refused", "no client credentials user", |_| true,
     "the app has no user to run as: Setup > App Manager (or External Client App Manager) > the app > its policies > Client Credentials Flow > Run As"),
    ("refused", "client credentials flow not enabled", |_| true,
     "the flow is off for this app: Setup > App Manager (or External Client App Manager) > the app > its OAuth settings > Enable Client Credentials Flow"),
    ("refused", "expired authorization code", |_| true,
     "the code lapsed before it was exchanged, which a slow network can cause: log in again"),
    ("refused", "invalid authorization code", |_| true,
     "the code was already used or is not this app's: check that SF_CLIENT_ID and SF_LOGIN_URL are of the same org, and log in again"),
    ("refused", "invalid code verifier", |_| true,
     "the app demands PKCE, which this crate does not do: switch off \"Require Proof Key for Code Exchange\" in the app's OAuth settings"),
    ("refused", "invalid_client_id", |_| true,
     "the consumer key is not known at {host}: compare SF_CLIENT_ID with the app's (Setup > App Manager > the app > View > Manage Consumer Details), and make sure that the app is in the org that {host} leads to"),
    ("refused", "invalid_grant|invalid_client_id", |c| c.unexplained() && !c.says("invalid password"),
     "an app made or changed less than about 10 minutes ago may not work yet: wait, and try once more"),
    ("refused", "invalid_client:", |c| c.says("flow not enabled"),
     "the flow is off: allow it in Setup > OAuth and OpenID Connect Settings > Allow Authorization Code and Credentials Flows, and in the app's own OAuth settings"),
    ("refused", "invalid_client:", |c| !c.says("flow not enabled") && c.has_secret(),
     "the consumer secret is wrong: compare SF_CLIENT_SECRET with the app's (Setup > App Manager > the app > View > Manage Consumer Details)"),
    ("refused", "invalid_client:", |c| !c.says("flow not enabled") && !c.has_secret(),
     "no consumer secret was sent: set SF_CLIENT_SECRET (App::new), unless the app's \"Require Secret for Web Server Flow\" is switched off"),
    ("refused", "unsupported_grant_type", |c| c.flow(Flow::Password),
     "the org or the app may no longer know this flow: use client credentials (SF_FLOW=client_credentials, App::client_credentials)"),
    ("refused", "unsupported_grant_type", |_| true,
     "the request may have been changed on its way, e.g. by a proxy that turns a POST into a GET: try without the proxy"),
    ("refused", "invalid_request", |_| true,
     "{host} may not have got the https POST that was sent: try without the proxy if there is one, or see whether the description names a setting of the app"),
    ("refused", "inactive_org", |_| true,
     "the org is locked, closed or expired: its administrator or Salesforce Support can tell"),
    ("refused", "rate_limit_exceeded", |_| true,
     "too many logins: Salesforce takes some 3600 an hour from one user, so keep the token (Login::resume, SF_ACCESS_TOKEN) instead of logging in each time"),
    ("refused", "invalid_app_access", |_| true,
     "the app is for pre-authorized users only: add the user's profile or a permission set to it (Setup > Manage Connected Apps, or External Client App Manager, > the app)"),
    ("refused", "redirect_uri_mismatch", |_| true,
     "SF_REDIRECT_URI must be one of the app's Callback URLs, character by character: compare them in Setup"),
    ("refused", "invalid_scope", |_| true,
     "give the app the scope \"Manage user data via APIs (api)\" in its OAuth settings"),
    ("refused", "invalid_grant", |c| c.unexplained() || c.says("ip restricted|login hours"),
     "only Setup > Login History (for one user: Setup > Users > the user > Login History) names the true cause"),
    ("refused", "invalid_grant|inactive_user|rate_limit", |c| !c.flow(Flow::ClientCredentials) && (c.unexplained() || c.says("ip restricted|login hours|inactive")),
     "do not repeat the login in a loop: failed logins lock the user out, and more of them prolong the lock"),
    ("refused", "invalid_grant|unsupported_grant_type", |c| c.any_guess(),
     "Salesforce has announced that it retires this flow (as of November 2026, on 20 February 2027): plan the move to client credentials"),

    // Refused requests.
    ("api", "invalid_session_id", |c| c.says("rest api"),
     "a policy keeps this session from the REST API, so logging in again does not help: the user's profile or permission set needs \"API Enabled\", and the app the scope \"Manage user data via APIs (api)\""),
    ("api 401", "invalid_session_id", |c| !c.can_log_in && !c.says("rest api"),
     "the token has lapsed, was revoked, or is for another instance, and this session holds no login to get another: get a new one (`sf-login --format env`, Login::token), or set the login's own SF_* variables too"),
    ("api 401", "invalid_session_id", |c| c.can_log_in && !c.says("rest api"),
     "the token of a new login was rejected at once: the org may lock sessions to an IP address (Setup > Session Settings), or the user may lack \"API Enabled\""),
    ("api", "expired_password", |_| true,
     "the user must set a new password in a browser first; that also mails a new security token"),
    ("api", "invalid_auth_header", |_| true,
     "something on the way, e.g. a proxy, may have changed the Authorization header: try without the proxy"),
    ("api", "request_limit_exceeded", |_| true,
     "the org's API requests for these 24 hours, or those at one time, are used up: Setup > Company Information shows them, and `sf-login get limits` while some are left"),
    ("api", "api_disabled_for_org|api_currently_disabled", |_| true,
     "the org's edition has no API, or the user's profile or permission set lacks \"API Enabled\""),
    ("api", "malformed_query", |_| true,
     "the SOQL has a mistake where the message points: quote values with soql_quote, and name fields one by one (there is no *)"),
    ("api", "invalid_field:", |_| true,
     "the field does not exist, is misspelt (custom ones end in __c), or is hidden from this user by field-level security"),
    ("api", "invalid_field_for_insert_update", |_| true,
     "the field cannot be written, at least not by this user: leave it out of the body"),
    ("api", "invalid_type:", |_| true,
     "the object does not exist, is misspelt (custom ones end in __c), or is hidden from this user"),
    ("api", "malformed_id:", |_| true,
     "an id has 15 or 18 letters and digits, and begins with its object's three, e.g. 001 for an Account"),
    ("api", "not_found:", |_| true,
     "the path or the record does not exist, or is hidden from this user; relative paths begin below /services/data/vNN.N/, others with a /, and `sf-login get /services/data/` lists the API versions"),
    ("api", "url_not_reset", |_| true,
     "the request went to a login host: set SF_ORG_INSTANCE_URL to the instance_url that came with the token"),
    ("api 300", "", |_| true,
     "an external id should be unique: mark its field as unique, or ask for one of the records by its id"),
    ("api 410|unexpected 410", "", |_| true,
     "Salesforce no longer serves this API version: use 31.0 or later (SF_ORG_API_VERSION, Session::api_version)"),
    ("api 414|api 431|unexpected 414|unexpected 431", "", |_| true,
     "the request's URL, or its headers, are too long: shorten the SOQL, e.g. by fewer ids in IN (...) and several queries"),
    ("api", "api 502|api 503|api 504|server_unavailable", |_| true,
     "Salesforce is unavailable for the moment: https://status.salesforce.com tells, try again later"),
    ("api", "invalid_token|unsupported_token_type", |_| true,
     "the token is not one that can be revoked here: check that SF_ORG_INSTANCE_URL is the instance that SF_ACCESS_TOKEN is for"),
    ("refused|api", "retry your request", |_| true,
     "Salesforce asks to try again later, and the tries that the timeout allowed were not enough"),

    // Replies that are not Salesforce's usual ones.
    ("unexpected", "bad_oauth_token", |_| true,
     "the token has lapsed, is revoked, or is for another org: log in again"),
    ("unexpected", "maintenance", |c| c.says("html page"),
     "Salesforce is in maintenance: https://status.salesforce.com tells until when"),
    ("unexpected", "no longer exists", |c| c.says("html page") && c.login.is_some(),
     "{host} has nothing at this path: check SF_LOGIN_URL, the site's path in it included"),
    ("unexpected", "no longer exists", |c| c.says("html page") && c.login.is_none(),
     "{host} has nothing at this path: relative paths begin below /services/data/vNN.N/, others with a /"),
    ("unexpected 420", "", |_| true,
     "there is no org behind {host}: a scratch org or sandbox may have expired, or not be ready yet"),
    ("unexpected 200", "html page", |c| c.flow(Flow::CodeCredentials) && !c.says("maintenance|no longer exists"),
     "the site probably showed its login page, which it does where the flow is off: allow it in Setup > OAuth and OpenID Connect Settings > Allow Authorization Code and Credentials Flows, in the app, and in the site's Login & Registration settings, and check that SF_LOGIN_URL has the site's path"),
    ("unexpected 200", "html page", |c| !c.flow(Flow::CodeCredentials) && !c.says("maintenance|no longer exists"),
     "{host} showed a web page, perhaps a login page: check that it is Salesforce's API host, e.g. https://ACME.my.salesforce.com, and that no proxy or network login stands between"),
    ("unexpected 40|unexpected 500", "html page", |c| !c.says("maintenance|no longer exists"),
     "{host} answered with a web page: a proxy, web filter or network login may stand between, or {host} is not Salesforce's API host"),
    ("unexpected 2|unexpected 404", "empty|text that is not|another shape|is missing|is not a string|larger than", |c| c.login.is_some(),
     "{host} may not be Salesforce's, or something between has changed its reply: check SF_LOGIN_URL, and the proxy if there is one"),
    ("unexpected 502|unexpected 503|unexpected 504", "", |c| !c.says("maintenance"),
     "Salesforce, or a proxy before it, is unavailable for the moment: https://status.salesforce.com tells, try again later"),
    ("unexpected 429|api 429|refused 429", "", |_| true,
     "too many requests: wait before the next one"),
    ("unexpected", "a redirect to", |c| c.at_callback(),
     "the site redirects to another address than SF_REDIRECT_URI, so no code was read from it: write SF_REDIRECT_URI exactly as the app's Callback URL is in Setup"),
    ("unexpected", "a redirect to", |c| !c.at_callback() && c.login.is_some(),
     "credentials do not follow redirects: if you trust the host named above, write it (for a site, its address there) in SF_LOGIN_URL"),
    ("unexpected", "a redirect to", |c| c.login.is_none(),
     "tokens do not follow redirects: if the host named above is the org's instance, write it in SF_ORG_INSTANCE_URL"),
    ("unexpected", "a redirect within|a redirect that names", |_| true,
     "credentials and tokens do not follow redirects: check the path, and that {host} is Salesforce's API host"),
    ("unexpected", "sfdc_community_url names", |_| true,
     "if you trust that host, write the site's address there in SF_LOGIN_URL"),
    ("unexpected", "no code in it", |_| true,
     "see that the app allows the Authorization Code and Credentials Flow, and that SF_REDIRECT_URI is one of its Callback URLs"),
    ("unexpected", "does not fit the type|json without the field", |c| c.login.is_none(),
     "compare the type with the reply itself, which `sf-login get PATH` prints; a field that can be null wants an Option"),
    ("unexpected", "new login arrived", |_| true,
     "the token and the login settings belong to different orgs or users: unset one of them"),
    ("unexpected", "instance_url is http", |_| true,
     "Salesforce names its instances with https, so something on the way may have changed the reply: check SF_LOGIN_URL, and the proxy if there is one"),
    ("unexpected", "larger than", |c| c.login.is_none(),
     "ask for less at a time; in a program, Session::run gives replies of any size as a stream"),
    ("unexpected", "cut off", |c| c.login.is_some(),
     "the network, or a proxy, cut the reply or changed it: try again"),
    ("unexpected", "cut off", |c| c.login.is_none(),
     "the network, or a proxy, cut the reply or changed it: try again, but if it was a write, look first whether it was done"),

    // No reply.
    ("transport", "answered 407", |_| true,
     "the proxy wants a name and a password: write HTTPS_PROXY=http://user:password@host:port, percent-encoded"),
    ("transport", "answered 403|answered 405", |_| true,
     "the proxy does not let this machine reach {host}: ask whoever runs it"),
    ("transport", "answered 502|answered 503|answered 504", |_| true,
     "the proxy cannot reach {host}: check {host} for a typing error, then ask whoever runs the proxy"),
    ("transport", "through the proxy", |c| !c.says("answered|tls"),
     "the proxy is named by HTTPS_PROXY or ALL_PROXY, or by the program's agent: check it, or add {host} to NO_PROXY to go without it"),
    ("transport", "name was not found", |c| !c.says("proxy"),
     "check {host} for a typing error, then this machine's network and DNS; the org may also have renamed its My Domain"),
    ("transport", "connection was refused", |c| !c.says("proxy"),
     "nothing listens there, or a firewall refuses: if this network reaches the internet by a proxy, set HTTPS_PROXY"),
    ("transport", "unreachable|no route", |c| !c.says("proxy"),
     "this machine has no way to {host}: check its network, and if it reaches the internet by a proxy, set HTTPS_PROXY"),
    ("transport", "name was not resolved", |c| !c.says("proxy"),
     "this machine's DNS does not answer: check its network; where a proxy resolves names, set HTTPS_PROXY"),
    ("transport", "could not connect within", |c| !c.says("proxy"),
     "the network may drop the connection, as firewalls do: if this network reaches the internet by a proxy, set HTTPS_PROXY"),
    ("transport", "certificate", |c| c.says("expired"),
     "{host}'s certificate has expired, or this machine's clock is ahead: compare `date -u` with the true time"),
    ("transport", "certificate", |c| c.says("not valid yet|not yet valid"),
     "{host}'s certificate is not valid yet, so this machine's clock is probably behind: compare `date -u` with the true time"),
    ("transport", "certificate", |c| c.says("not valid for name|hostname mismatch|doesn't match"),
     "the server that answered cannot prove that it is {host}: check the host for a typing error, and whether a proxy or network login stands between"),
    ("transport", "certificate", |c| c.says("unknownissuer|self-signed|self signed|unable to get local issuer"),
     "the certificate is from an authority that is not trusted here, probably a company proxy's own: set SSL_CERT_FILE to a PEM file with that authority's certificate, or build with the feature platform-verifier"),
    ("transport", "handshake|corrupt message|alert|before the request", |c| !c.says("certificate"),
     "TLS could not be agreed on: the port may not be https, or a firewall may cut it"),
    ("transport", "no complete reply|nothing came|another thread", |_| true,
     "the host was reached but did not answer in time: try again later, or allow more time with Login::timeout or Session::timeout"),
    ("transport", "broke off", |c| c.login.is_some() && !c.says("before the request|handshake"),
     "the network or the server cut the exchange: try again later; if it stays so, a firewall or proxy may be cutting it"),
    ("transport", "broke off", |c| c.login.is_none() && !c.says("before the request|handshake"),
     "the network or the server cut the exchange: if it was a write, it may have been done or not, so look before repeating it"),
    ("transport", "not an http reply", |_| true,
     "{host} does not speak HTTP there: check the port"),
];

fn hints(case: &Case<'_>) -> Vec<String> {
    let fits = |(kinds, words, when, _): &&Hint| {
        kinds.split('|').any(|kind| case.symptom.starts_with(kind)) && case.says(words) && when(case)
    };
    let user = printable(case.username());
    let fill = |(.., say): &Hint| say.replace("{host}", case.host).replace("{user}", &user);
    HINTS.iter().filter(fits).map(fill).collect()
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
