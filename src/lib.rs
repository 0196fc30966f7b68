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
//!   description from the server that contains one, in whatever encoding, is withheld whole.
//!   *Tested by collecting all that every scenario prints, logs and formats, and searching it for
//!   every secret in plain, form-, percent-, base64- and JSON-encoded form.*
//! - Credentials go over https only (plain http to `127.0.0.0/8`, `[::1]` and `localhost`, and
//!   there never through a proxy); redirects are not followed. The token goes to the instance's
//!   own origin only. *Tested by counting connections on the servers that must not be asked.*
//! - Every exchange has a deadline and every reply a size limit, after decompression. *Tested with
//!   servers that stall, drip, cut off, and answer with a gzip bomb.*
//! - A refused login is not repeated. *Tested by counting logins on the server.*
//!
//! Not promised: memory is not wiped; at log level trace, ureq's own records are not redacted; a
//! caller's agent may carry middleware, resolvers and connectors, which are the caller's to
//! trust; a body delimited only by the connection's end cannot be told from a cut-off one (JSON
//! that was cut is still an error); and a proxy that drips its answer to `CONNECT` byte by byte is
//! not held to the deadline for connecting.
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
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fmt, fs, str, thread, vec};

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use ureq::http::{self, HeaderName, HeaderValue, Method, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// The HTTP client underneath, for [`Login::agent`] and [`Session::run`].
pub use ureq;

/// The `SF_*` settings that hold no secret, for `cargo::rerun-if-env-changed` in a `build.rs`.
///
/// Cargo writes the values of the variables that it watches into `target/`, so watch only these.
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

/// The API version of requests unless told otherwise: Spring '26, three releases old at most.
const API_VERSION: &str = "v66.0";

const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest timeout there is: ureq panics on longer ones than the clock can add.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long to wait before the second and the third try, when the server does not say.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(750)];

/// A token reply is a few hundred bytes, some thousands with a JWT.
const TOKEN_REPLY_LIMIT: u64 = 1024 * 1024;
const API_REPLY_LIMIT: u64 = 128 * 1024 * 1024;

/// How much of the server's own words a message takes, in characters.
const LONGEST_QUOTE: usize = 500;

/// How the problem of a setting begins that has no value, which `Session::from_env` may forgive.
const NOT_SET: &str = "is not set";

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
    #[must_use]
    pub fn client_credentials(self) -> Login {
        self.by(Flow::ClientCredentials)
    }

    /// The Authorization Code and Credentials flow, for customers and partners of an Experience
    /// Cloud site ("community users").
    ///
    /// [`Login::login_url`] must be the site's address, e.g. `https://ACME.my.site.com/customers`,
    /// and `redirect_uri` exactly one of the app's callback URLs; nothing is ever sent there.
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
    // What the flow does not use, and a security token that there is not, is empty.
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
    /// # let login = sf_login::App::new(fake_org::CLIENT_ID, fake_org::CLIENT_SECRET)
    /// #     .password(fake_org::USERNAME, fake_org::PASSWORD)
    /// #     .security_token(fake_org::SECURITY_TOKEN)
    /// #     .login_url(org.url());
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
    /// # let login = sf_login::App::new(fake_org::CLIENT_ID, fake_org::CLIENT_SECRET)
    /// #     .password(fake_org::USERNAME, fake_org::PASSWORD)
    /// #     .security_token(fake_org::SECURITY_TOKEN)
    /// #     .login_url(org.url());
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
        let fields = [("access_token", access_token.into()), ("instance_url", instance_url.into())];
        let fields = fields.map(|(name, value)| (name.to_owned(), Value::String(value)));
        Token::read(fields.into_iter().collect()).map_err(|(name, problem)| setting(name, problem))
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
            return Err(("access_token", "holds characters that no token has".to_owned()));
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

    /// Whether `other` is for the same instance, organization and user, as far as both say.
    fn is_elsewhere(&self, other: &Token) -> Option<&'static str> {
        // An id is the same with 15 characters and with 18: the last three are a checksum.
        let differ =
            |a: Option<&str>, b: Option<&str>| a.zip(b).is_some_and(|(a, b)| a.get(..15) != b.get(..15));
        if self.instance_url != other.instance_url {
            Some("instance")
        } else if differ(self.organization_id(), other.organization_id()) {
            Some("organization")
        } else if differ(self.user_id(), other.user_id()) {
            Some("user")
        } else {
            None
        }
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
/// unavailable (502, 503, 504), only those that read. `Retry-After` is honoured.
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
                let token = Token::new(token, instance).map_err(|error| match error.kind() {
                    ErrorKind::Setting { name, problem } if name == "access_token" => setting(TOKEN, problem),
                    ErrorKind::Setting { problem, .. } => setting(INSTANCE, problem),
                    _ => error,
                })?;
                match Login::from_env() {
                    Ok(login) => login.resume(token)?,
                    Err(error) if error.is_not_set() => Session::new(token)?,
                    Err(error) => return Err(error),
                }
            }
            (None, None) => Login::from_env()?.session()?,
            (Some(_), None) => {
                let problem = format!("{NOT_SET}: write the instance that {TOKEN} is for");
                return Err(setting(INSTANCE, problem));
            }
            (None, Some(_)) => {
                let problem = format!("{NOT_SET}, but {INSTANCE} is: set both, or unset {INSTANCE}");
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
    /// # let session = sf_login::App::new(fake_org::CLIENT_ID, fake_org::CLIENT_SECRET)
    /// #     .password(fake_org::USERNAME, fake_org::PASSWORD)
    /// #     .security_token(fake_org::SECURITY_TOKEN)
    /// #     .login_url(org.url())
    /// #     .session()?;
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
    /// # let session = sf_login::App::new(fake_org::CLIENT_ID, fake_org::CLIENT_SECRET)
    /// #     .password(fake_org::USERNAME, fake_org::PASSWORD)
    /// #     .security_token(fake_org::SECURITY_TOKEN)
    /// #     .login_url(org.url())
    /// #     .session()?;
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
        if url.parse::<http::Uri>().is_err() {
            let problem = format!(
                "makes a URL of {} bytes, more than can be sent: shorten the SOQL, e.g. by fewer \
                 ids in IN (...) and several queries",
                url.len()
            );
            return Err(setting("path", problem));
        }
        Ok(url)
    }

    /// Sends any other request: CSV, files, headers of the caller's own. `Ok` is a 2xx reply.
    ///
    /// The request's method, URI, headers and body are sent, with the session's `Authorization`. GET,
    /// HEAD and OPTIONS count as reading, all else as writing. The timeout holds until the headers
    /// have come, and then for each read of the body, which is the caller's to limit.
    ///
    /// ```
    /// use sf_login::ureq::http::Request;
    ///
    /// # let org = fake_org::Org::start();
    /// # let session = sf_login::App::new(fake_org::CLIENT_ID, fake_org::CLIENT_SECRET)
    /// #     .password(fake_org::USERNAME, fake_org::PASSWORD)
    /// #     .security_token(fake_org::SECURITY_TOKEN)
    /// #     .login_url(org.url())
    /// #     .session()?;
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
        let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let bodiless = reads || parts.method == Method::DELETE;
        let ask = Ask {
            url: self.url(&parts.uri.to_string())?,
            method: parts.method,
            headers,
            body: (!bodiless || !body.is_empty()).then_some(body),
            repeat: if reads { Repeat::Read } else { Repeat::Write },
        };
        self.send(ask, true, |response, ask, deadline, secrets| {
            if response.status().is_success() {
                return Ok(response);
            }
            let reply = Reply::read(response, API_REPLY_LIMIT, ask, deadline)?;
            Err(api_refusal(&reply, secrets))
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
        let ask = Ask {
            method: Method::POST,
            url: self.url(REVOKE_PATH)?,
            headers: vec![(header::CONTENT_TYPE, FORM)],
            body: Some(body.as_bytes()),
            // Revoking twice is revoking once.
            repeat: Repeat::Read,
        };
        let deadline = Deadline::after(self.timeout);
        let secrets = self.secrets(&token);
        let outcome = self.client.exchange(&ask, &deadline, |response| {
            if response.status().is_success() {
                return Ok(());
            }
            let refusal = api_refusal(&Reply::read(response, TOKEN_REPLY_LIMIT, &ask, &deadline)?, &secrets);
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
    given: u64,
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
                return Some(Err(error));
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
        Error(Arc::new(Failure { kind, tried: None, hints: Vec::new(), fault, retry_after: None }))
    }

    /// With the hints, and with what was tried if it was a login.
    fn explained(self, host: &str, login: Option<&Login>, can_log_in: bool) -> Error {
        if matches!(self.0.kind, ErrorKind::Setting { .. }) {
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

    fn is_not_set(&self) -> bool {
        matches!(&self.0.kind, ErrorKind::Setting { problem, .. } if problem.starts_with(NOT_SET))
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
                for (n, error) in errors.iter().enumerate() {
                    let separator = if n > 0 { "; " } else { "" };
                    write!(f, "{separator}{error}")?;
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
            write!(f, " [fields: {}]", self.fields.join(", "))?;
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
            variable(name)?.ok_or_else(|| setting(name, format!("{NOT_SET}: write {what}")))
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
            let problem = format!("{NOT_SET}: the client credentials flow needs it");
            return Err(self.setting("client_secret", problem));
        }
        if self.flow == Flow::CodeCredentials && self.username.contains(':') {
            let problem = "holds a colon, which HTTP Basic cannot carry in a username";
            return Err(self.setting("username", problem));
        }
        let site = login_place(&self.login_url).map_err(|problem| self.setting("login_url", problem))?;
        match self.flow {
            Flow::ClientCredentials if site.is_generic() => Err(self.setting(
                "login_url",
                "is a generic host, where Salesforce refuses the client credentials flow: write \
                 the org's My Domain, e.g. https://ACME.my.salesforce.com",
            )),
            Flow::CodeCredentials if site.is_generic() => Err(self.setting(
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
        let ask = Ask {
            method: Method::POST,
            url: format!("{}{}{TOKEN_PATH}", site.origin, site.path),
            headers: vec![(header::CONTENT_TYPE, FORM), (header::ACCEPT, JSON)],
            body: Some(body.as_bytes()),
            // The first exchange that arrives spends the code; a password is not spent.
            repeat: match self.flow {
                Flow::CodeCredentials => Repeat::Write,
                _ => Repeat::Login,
            },
        };
        let mut secrets = self.secrets();
        secrets.extend(grant.iter().filter(|(name, _)| *name == "code").map(|(_, code)| (*code).to_owned()));
        client.exchange(&ask, deadline, |response| {
            token_reply(&Reply::read(response, TOKEN_REPLY_LIMIT, &ask, deadline)?, &secrets)
        })
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
        let ask = Ask {
            method: Method::POST,
            url: format!("{}{}{AUTHORIZE_PATH}", site.origin, site.path),
            headers: vec![
                (header::CONTENT_TYPE, FORM),
                (header::ACCEPT, JSON),
                (header::AUTHORIZATION, secret_header(&format!("Basic {}", self.basic()))),
                (HeaderName::from_static("auth-request-type"), HeaderValue::from_static("Named-User")),
            ],
            body: Some(body.as_bytes()),
            repeat: Repeat::Login,
        };
        let secrets = self.secrets();
        client.exchange(&ask, deadline, |response| {
            let reply = Reply::read(response, TOKEN_REPLY_LIMIT, &ask, deadline)?;
            code_reply(&reply, &self.redirect_uri, site, &secrets)
        })
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
    /// How many new logins have ended, and how the last one failed.
    logins: u64,
    failure: Option<Error>,
    /// What no further login would change.
    refusal: Option<Error>,
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
                refusal: None,
            }),
            login_ended: Condvar::new(),
        }
    }

    fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&[u8]>) -> Result<T, Error> {
        let reply = self.fetch(method, self.url(path)?, body)?;
        let empty = reply.body.iter().all(u8::is_ascii_whitespace);
        let text = if empty { "null" } else { reply.text()? };
        serde_json::from_str(text).map_err(|error| reply.unfit(&error))
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
        };
        self.send(ask, false, |response, ask, deadline, secrets| {
            let ok = response.status().is_success();
            let reply = Reply::read(response, API_REPLY_LIMIT, ask, deadline)?;
            if ok { Ok(reply) } else { Err(api_refusal(&reply, secrets)) }
        })
    }

    /// Sends `ask` with the current token, and once more with a new one if that one has expired.
    fn send<R>(
        &self,
        mut ask: Ask<'_>,
        streaming: bool,
        judge: impl Fn(http::Response<ureq::Body>, &Ask<'_>, &Deadline, &[String]) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut deadline = Deadline::after(self.timeout);
        deadline.streaming = streaming;
        let headers = ask.headers.len();
        let mut logged_in = false;
        loop {
            let token = self.usable_token()?;
            let bearer = secret_header(&format!("Bearer {}", token.access_token));
            ask.headers.truncate(headers);
            ask.headers.push((header::AUTHORIZATION, bearer));
            let secrets = self.secrets(&token);
            let outcome = self.client.exchange(&ask, &deadline, |response| {
                if response.status() != http::StatusCode::UNAUTHORIZED {
                    self.proven(&token);
                }
                judge(response, &ask, &deadline, &secrets)
            });
            let error = match outcome {
                Ok(result) => return Ok(result),
                Err(error) => error.explained(authority(&token.instance_url), None, self.login.is_some()),
            };
            if !error.is_expired_session() {
                return Err(error);
            }
            self.log_in_again(&token, error, !logged_in, &deadline)?;
            logged_in = true;
        }
    }

    fn usable_token(&self) -> Result<Arc<Token>, Error> {
        let state = self.lock();
        match &state.refusal {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(state.token.clone()),
        }
    }

    fn proven(&self, token: &Arc<Token>) {
        let mut state = self.lock();
        if Arc::ptr_eq(&state.token, token) {
            state.unproven = false;
        }
    }

    /// Replaces the token `used`, which the API has rejected with `expired`, by one new login for
    /// all threads that have come across it.
    fn log_in_again(
        &self,
        used: &Arc<Token>,
        expired: Error,
        allowed: bool,
        deadline: &Deadline,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        let logins = state.logins;
        loop {
            if let Some(refusal) = &state.refusal {
                return Err(refusal.clone());
            }
            if !Arc::ptr_eq(&state.token, used) {
                return if allowed { Ok(()) } else { Err(expired) };
            }
            if let (true, Some(failure)) = (state.logins != logins, &state.failure) {
                return Err(failure.clone());
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
            state.refusal = Some(expired.clone());
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
                match used.is_elsewhere(&token) {
                    None => Ok(token),
                    Some(what) => {
                        let problem = format!(
                            "the new login arrived at another {what} ({}) than the session's ({})",
                            token.instance_url, used.instance_url
                        );
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
                Ok(())
            }
            Err(error) => {
                state.failure = Some(error.clone());
                // Only what passes by itself is worth another login.
                if !error.is_transient() {
                    state.refusal = Some(error.clone());
                }
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
            if self.total.is_some_and(|total| self.given > total) {
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
    /// All the rest: the path, and a query if there is one.
    path: String,
    /// `127.0.0.0/8`, `[::1]` or `localhost`: what never leaves this machine.
    loopback: bool,
}

impl Place {
    fn is_generic(&self) -> bool {
        matches!(&*self.authority, "login.salesforce.com" | "test.salesforce.com")
    }
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
/// and lets user info pass.
fn place(url: &str) -> Result<Place, String> {
    let (scheme, rest) = url.split_once("://").ok_or("is not an absolute URL")?;
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
        Some(Err(_)) => return Err("holds no host name".to_owned()),
        None => {
            let is_label = |label: &str| {
                !label.is_empty()
                    && label.len() < 64
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            };
            if host.len() > 253 || !host.split('.').all(is_label) {
                return Err("holds no host name".to_owned());
            }
            let loopback = host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
            (host, loopback)
        }
    };
    let usual_port = match &*scheme.to_ascii_lowercase() {
        "https" => 443,
        "http" if loopback => 80,
        "http" => return Err("is http, which would send secrets in clear: write https".to_owned()),
        _ => return Err("is neither https nor a host name alone".to_owned()),
    };
    let authority = match port {
        Some(port) if port != usual_port => format!("{host}:{port}"),
        _ => host,
    };
    Ok(Place {
        origin: format!("{}://{authority}", scheme.to_ascii_lowercase()),
        authority,
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
    for not_an_api in [".lightning.force.com", ".my.salesforce-setup.com"] {
        if let Some(domain) = place.authority.strip_suffix(not_an_api) {
            return Err(format!(
                "is the host of web pages, where nobody can log in by API: write \
                 https://{domain}.my.salesforce.com"
            ));
        }
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
    rest.split_once('/').map_or(rest, |(authority, _)| authority)
}

/// When an exchange must be over.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    /// The whole of it, for messages.
    timeout: Duration,
    /// The deadline is for the headers; then each read of the body has `timeout`.
    streaming: bool,
}

impl Deadline {
    fn after(timeout: Duration) -> Deadline {
        // ureq takes zero for over already, and panics on what the clock cannot add.
        let timeout = timeout.clamp(Duration::from_millis(1), LONGEST);
        Deadline { at: Instant::now() + timeout, timeout, streaming: false }
    }

    fn at_most(&self, timeout: Duration) -> Deadline {
        Deadline::after(timeout.min(self.left()))
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
    NotSent,
    BrokeOff,
    Unavailable,
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
        let problem = if config.tls_config().disable_verification() {
            "has certificate checks turned off: name your authority's certificates as root_certs"
        } else if config.tls_config().provider() == TlsProvider::Rustls && !cfg!(feature = "rustls") {
            "has the TLS provider rustls, which this build lacks: set TlsProvider::NativeTls, or \
             enable sf-login's feature rustls"
        } else if config.tls_config().provider() == TlsProvider::NativeTls && !cfg!(feature = "native-tls") {
            "has the TLS provider native-tls, which this build lacks: set TlsProvider::Rustls, or \
             enable sf-login's feature native-tls"
        } else if config.proxy().is_some_and(is_unusable_socks) {
            "has a SOCKS proxy, which this build lacks: enable sf-login's feature socks-proxy"
        } else {
            return Ok(Client { agent, no_proxy: Vec::new() });
        };
        Err(setting("agent", problem))
    }

    fn from_env() -> Result<Client, Error> {
        let roots = match env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            Some(path) => {
                let pem = fs::read(path).map_err(|error| {
                    setting("SSL_CERT_FILE", format!("names a file that cannot be read: {error}"))
                })?;
                let mut certificates = Vec::new();
                for item in parse_pem(&pem) {
                    match item {
                        Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
                        Ok(_) => {}
                        Err(_) => certificates.clear(),
                    }
                }
                // ureq takes an empty list too, and then trusts nobody without saying why.
                if certificates.is_empty() {
                    let problem = "names a file without a certificate: write the path of a PEM \
                                   file with -----BEGIN CERTIFICATE-----";
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
        let no_proxy = no_proxy.split([',', ' ']).filter(|host| !host.is_empty());
        let config = ureq::Agent::config_builder()
            .user_agent(concat!("sf-login/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .proxy(env_proxy()?)
            .build();
        Ok(Client { agent: config.new_agent(), no_proxy: no_proxy.map(str::to_ascii_lowercase).collect() })
    }

    /// The proxy that a request to `url` goes through.
    fn proxy(&self, url: &str) -> Option<&ureq::Proxy> {
        let host = authority(url);
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let spared = self.no_proxy.iter().any(|entry| {
            let domain = entry.trim_start_matches('*').trim_start_matches('.');
            let within = host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            entry == "*" || !domain.is_empty() && within
        });
        let proxy = self.agent.config().proxy();
        proxy.filter(|_| !spared && !place(url).is_ok_and(|place| place.loopback))
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
            Err(_) => return Err(transport(host, "the request cannot be sent", None)),
        };
        let (cause, connecting, passing) = why(&error, deadline);
        let cause = match proxy {
            Some(proxy) if connecting => {
                format!("through the proxy {}:{}: {cause}", proxy.host(), proxy.port())
            }
            _ => cause,
        };
        // A body that nobody has read yet cannot have been sent. Without one, only an error that
        // belongs to connecting tells as much.
        let sent = match ask.body {
            Some([_, ..]) => read.get(),
            _ => !connecting,
        };
        let fault = if sent { Fault::BrokeOff } else { Fault::NotSent };
        Err(transport(host, cause, passing.then_some(fault)))
    }

    fn run(
        &self,
        request: http::Request<ureq::SendBody<'_>>,
        deadline: &Deadline,
        proxy: Option<&ureq::Proxy>,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let https = request.uri().scheme_str() == Some("https");
        let left = deadline.left().max(Duration::from_millis(1));
        let connect = Some(left.min(CONNECT_TIMEOUT));
        let config = self
            .agent
            .configure_request(request)
            // ureq's error for a refusal would lose the body, which says why.
            .http_status_as_error(false)
            // A redirect would carry the credentials to a host that nobody named.
            .max_redirects(0)
            .https_only(https)
            .proxy(proxy.cloned())
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
        let proxy = ureq::Proxy::new(url.trim())
            .map_err(|_| setting(name, "is not a proxy's URL: write e.g. http://proxy.example.com:3128"))?;
        if is_unusable_socks(&proxy) {
            let problem = "names a SOCKS proxy, which this build lacks: enable sf-login's \
                           feature socks-proxy, or name an http proxy";
            return Err(setting(name, problem));
        }
        return Ok(Some(proxy));
    }
    Ok(None)
}

/// An error of ureq's in words; whether it belongs to connecting; and whether it may pass by itself.
fn why(error: &ureq::Error, deadline: &Deadline) -> (String, bool, bool) {
    use ureq::Timeout::{Connect, PerRead, Resolve};
    let text = printable(error.to_string().trim_start_matches("io: "));
    let lower = text.to_lowercase();
    let within = |timeout: Duration| format!("{} s", timeout.as_secs_f64());
    match error {
        ureq::Error::Timeout(Resolve) => {
            let cause = format!("the name was not resolved within {}", within(CONNECT_TIMEOUT));
            (cause, true, true)
        }
        ureq::Error::Timeout(Connect) => {
            let cause = format!("could not connect within {}", within(CONNECT_TIMEOUT));
            (cause, true, true)
        }
        ureq::Error::Timeout(PerRead) => {
            let cause = format!("nothing came for {}", within(deadline.timeout));
            (cause, false, true)
        }
        ureq::Error::Timeout(_) => {
            let cause = format!("no complete reply within {}", within(deadline.timeout));
            (cause, false, true)
        }
        ureq::Error::ConnectProxyFailed(_) => (text, true, true),
        // A certificate does not become a better one by being asked for again.
        _ if lower.contains("certificate") => (format!("TLS: {text}"), true, false),
        _ if lower.contains("handshake") => (format!("TLS: {text}"), true, true),
        ureq::Error::HostNotFound => ("the host name was not found".to_owned(), true, true),
        _ if lower.contains("lookup address") => ("the host name was not found".to_owned(), true, true),
        ureq::Error::Io(io) => match io.kind() {
            std::io::ErrorKind::ConnectionRefused => ("the connection was refused".to_owned(), true, true),
            std::io::ErrorKind::HostUnreachable
            | std::io::ErrorKind::NetworkUnreachable
            | std::io::ErrorKind::AddrNotAvailable => (text, true, true),
            std::io::ErrorKind::UnexpectedEof
            | std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::ConnectionAborted
            | std::io::ErrorKind::BrokenPipe => ("the connection broke off".to_owned(), false, true),
            _ => (text, false, true),
        },
        ureq::Error::Protocol(_) => (format!("not an HTTP reply ({text})"), false, true),
        _ => (text, false, true),
    }
}

/// A reply, read whole.
struct Reply {
    status: u16,
    location: Option<String>,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Reply {
    fn read(
        mut response: http::Response<ureq::Body>,
        limit: u64,
        ask: &Ask<'_>,
        deadline: &Deadline,
    ) -> Result<Reply, Error> {
        let status = response.status();
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let mut reply = Reply {
            status: status.as_u16(),
            location: headers
                .get(header::LOCATION)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            retry_after: text(header::RETRY_AFTER).and_then(retry_after),
            body: Vec::new(),
        };
        // The body of a redirect may never end, and says nothing that Location does not. A 300, of
        // an external id that is not unique, is no redirect.
        let bodiless = status.is_redirection() && status != http::StatusCode::MULTIPLE_CHOICES
            || matches!(reply.status, 204 | 205);
        if bodiless {
            return Ok(reply);
        }
        let Err(error) = response.body_mut().with_config().limit(limit).reader().read_to_end(&mut reply.body)
        else {
            return Ok(reply);
        };
        let host = authority(&ask.url);
        match ureq::Error::from(error) {
            ureq::Error::BodyExceedsLimit(_) => {
                Err(reply.unexpected(format!("larger than {} MiB", limit >> 20)))
            }
            #[cfg(feature = "gzip")]
            ureq::Error::Decompress(_, error) if reply.body.is_empty() && is_end_of_gzip(&error) => {
                // An empty body that was announced as gzip, which servers do.
                Ok(reply)
            }
            error @ ureq::Error::Timeout(_) => {
                Err(transport(host, why(&error, deadline).0, Some(Fault::BrokeOff)))
            }
            _ => {
                let problem = "cut off or damaged on its way".to_owned();
                let kind = ErrorKind::Unexpected { status: reply.status, problem };
                Err(reply.error(kind, Some(Fault::BrokeOff)))
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
        Error(Arc::new(Failure {
            kind,
            tried: None,
            hints: Vec::new(),
            fault,
            retry_after: self.retry_after,
        }))
    }

    fn unexpected(&self, problem: impl Into<String>) -> Error {
        self.error(ErrorKind::Unexpected { status: self.status, problem: problem.into() }, None)
    }

    fn text(&self) -> Result<&str, Error> {
        str::from_utf8(&self.body).map_err(|_| self.unexpected("not UTF-8"))
    }

    /// Where in the JSON it does not fit, without quoting a value.
    fn unfit(&self, error: &serde_json::Error) -> Error {
        if let Some(page) = self.html_title() {
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

    fn html_title(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if !text.starts_with('<') {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title").and_then(|tag| {
            let start = tag + lower[tag..].find('>')? + 1;
            Some(printable(&text[start..start + lower[start..].find("</title")?]))
        });
        Some(match title {
            Some(title) if !title.is_empty() => format!("an HTML page titled {title:?}"),
            _ => "an HTML page".to_owned(),
        })
    }

    /// What came instead of JSON of a documented shape.
    fn odd(&self, quote_text: bool, secrets: &[String]) -> Error {
        let problem = if (300..400).contains(&self.status) {
            match &self.location {
                Some(to) if is_absolute(to) => {
                    let host = to.split_once("://").map_or("", |(_, rest)| rest);
                    let host = host.split(['/', '?', '#', '\\']).next().unwrap_or_default();
                    let host = host.rsplit('@').next().unwrap_or_default();
                    format!("a redirect to {}, which was not followed", withheld(host, secrets))
                }
                Some(_) => "a redirect within the host, which was not followed".to_owned(),
                None => "a redirect that names no place".to_owned(),
            }
        } else if self.body.iter().all(u8::is_ascii_whitespace) {
            "empty".to_owned()
        } else if let Some(page) = self.html_title() {
            withheld(&page, secrets)
        } else if serde_json::from_slice::<Value>(&self.body).is_ok() {
            "JSON of another shape than documented".to_owned()
        } else if quote_text {
            let text = String::from_utf8_lossy(&self.body);
            format!("text that is not JSON: {}", withheld(&text, secrets))
        } else {
            "text that is not JSON".to_owned()
        };
        self.unexpected(problem)
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
    let ([hour, minute, second], 1970..=9999, 1..=31) = (&time[..], year, day) else {
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

fn token_reply(reply: &Reply, secrets: &[String]) -> Result<Token, Error> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(&reply.body) else {
        return Err(reply.odd(false, secrets));
    };
    if !(200..300).contains(&reply.status) || !fields.contains_key("access_token") {
        if let Some(refusal) = login_refusal(reply, &fields, secrets) {
            return Err(refusal);
        }
    }
    if !(200..300).contains(&reply.status) {
        return Err(reply.odd(false, secrets));
    }
    Token::read(fields).map_err(|(name, problem)| reply.unexpected(format!("{name} {problem}")))
}

fn login_refusal(reply: &Reply, fields: &Map<String, Value>, secrets: &[String]) -> Option<Error> {
    let text = |name: &str| {
        let field = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        field.and_then(|(_, value)| value.as_str())
    };
    let error = withheld(text("error")?, secrets);
    let description = withheld(text("error_description").unwrap_or_default(), secrets);
    let try_later = error.eq_ignore_ascii_case("unknown_error")
        && description.to_lowercase().contains("retry your request");
    let kind = ErrorKind::Refused { status: reply.status, error, description };
    Some(reply.error(kind, try_later.then_some(Fault::TryLater)))
}

/// The code, from the redirect or from JSON, and the place that exchanges it.
fn code_reply(
    reply: &Reply,
    redirect_uri: &str,
    site: &Place,
    secrets: &[String],
) -> Result<(String, Place), Error> {
    let query = reply.location.as_deref().and_then(|location| {
        let rest = location.strip_prefix(redirect_uri)?;
        rest.strip_prefix(if redirect_uri.contains('?') { '&' } else { '?' })
    });
    let fields = match (query, reply.status) {
        (Some(query), 300..=399) => form_fields(query.split('#').next().unwrap_or_default()),
        _ => match serde_json::from_slice(&reply.body) {
            Ok(Value::Object(fields)) => fields,
            _ => return Err(reply.odd(false, secrets)),
        },
    };
    let text = |name| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut secrets = secrets.to_vec();
    secrets.extend(text("code").map(str::to_owned));
    if let Some(refusal) = login_refusal(reply, &fields, &secrets) {
        return Err(refusal);
    }
    let (Some(code), 200..=399) = (text("code"), reply.status) else {
        return Err(reply.unexpected("no code in it"));
    };
    let Some(community) = text("sfdc_community_url") else {
        return Ok((code.to_owned(), site.clone()));
    };
    match login_place(community) {
        Ok(community) if community.origin == site.origin => Ok((code.to_owned(), community)),
        _ => {
            Err(reply.unexpected("sfdc_community_url is not on the site's host, so it was not sent the code"))
        }
    }
}

fn form_fields(query: &str) -> Map<String, Value> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), Value::String(decode(value)))).collect()
}

fn api_refusal(reply: &Reply, secrets: &[String]) -> Error {
    /// Far more than a person reads, and than Salesforce gives in one reply.
    const MOST: usize = 200;
    let text = |value: &Value| withheld(value.as_str().unwrap_or_default(), secrets);
    let error = |value: &Value| {
        let either = |a: &str, b: &str| value.get(a).or(value.get(b)).map(text);
        let error_code = either("errorCode", "error");
        let message = either("message", "error_description");
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
    let errors: Vec<ApiError> = match serde_json::from_slice(&reply.body) {
        Ok(Value::Array(urls)) if reply.status == 300 => {
            let urls: Vec<String> = urls.iter().take(MOST).map(text).collect();
            let message = format!("the external id matches several records: {}", urls.join(", "));
            vec![ApiError { error_code: String::new(), message, fields: Vec::new() }]
        }
        Ok(Value::Array(errors)) => errors.iter().take(MOST).filter_map(error).collect(),
        Ok(value) => error(&value).into_iter().collect(),
        Err(_) => Vec::new(),
    };
    if errors.is_empty() {
        return reply.odd(true, secrets);
    }
    let try_later = |e: &ApiError| e.message.to_lowercase().contains("retry your request");
    let try_later = errors.iter().any(try_later);
    let kind = ErrorKind::Api { status: reply.status, errors };
    reply.error(kind, try_later.then_some(Fault::TryLater))
}

/// Whether a subquery's rows would be taken for all of them: typed records do not show the rest.
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
    let hidden = |c: &char| {
        let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        invisible || c.is_control() && !c.is_whitespace()
    };
    let shown: String = text.chars().filter(|c| !hidden(c)).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The server's words, unless they give a secret away.
fn withheld(text: &str, secrets: &[String]) -> String {
    /// What is longer is no message, and would take long to search.
    const LONGEST_MESSAGE: usize = 64 * 1024;
    if text.len() > LONGEST_MESSAGE {
        "(withheld: too long)".to_owned()
    } else if reveals(text, secrets) || reveals(&one_line(text), secrets) {
        "(withheld: it contains a secret)".to_owned()
    } else {
        printable(text)
    }
}

/// Whether `text` contains a secret: plain, form-, percent-, base64- or JSON-encoded, or two of
/// these one upon the other.
fn reveals(text: &str, secrets: &[String]) -> bool {
    const DECODERS: [fn(&str) -> String; 4] = [
        |text| percent_decode_str(text).decode_utf8_lossy().into_owned(),
        |text| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned(),
        json_unescaped,
        |text| text.replace('-', "+").replace('_', "/"), // URL-safe base64
    ];
    let mut views = vec![text.to_owned()];
    let mut begin = 0;
    for _ in 0..2 {
        let end = views.len();
        for n in begin..end {
            for decode in DECODERS {
                let view = decode(&views[n]);
                if !views.contains(&view) {
                    views.push(view);
                }
            }
        }
        begin = end;
    }
    secrets.iter().filter(|secret| !secret.is_empty()).any(|secret| {
        let mut needles = base64_forms(secret);
        needles.push(secret.clone());
        let is_in = |view: &String| {
            let view = view.to_ascii_lowercase();
            needles.iter().any(|needle| view.contains(&needle.to_ascii_lowercase()))
        };
        views.iter().any(is_in)
    })
}

/// The base64 of `secret` wherever it stands in what was encoded: less the characters at both ends
/// that its neighbours have a part in.
fn base64_forms(secret: &str) -> Vec<String> {
    /// Shorter ones would be found everywhere.
    const SHORTEST: usize = 4;
    let form = |before: usize| {
        let bytes = [&[0; 2][..before], secret.as_bytes()].concat();
        let encoded = BASE64_STANDARD_NO_PAD.encode(&bytes);
        let whole = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        encoded.get(whole).unwrap_or_default().to_owned()
    };
    (0..3).map(form).filter(|form| form.len() >= SHORTEST).collect()
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

/// What a hint may depend on. It holds no secret.
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
    fn flow(&self, flow: Flow) -> bool {
        self.login.is_some_and(|login| login.flow == flow)
    }

    fn no_security_token(&self) -> bool {
        self.login.is_some_and(|login| login.security_token.is_empty())
    }

    fn username(&self) -> &str {
        self.login.map_or("", |login| &login.username)
    }

    fn at_generic_host(&self) -> bool {
        matches!(self.host, "login.salesforce.com" | "test.salesforce.com")
    }

    fn at_sandbox(&self) -> bool {
        self.host == "test.salesforce.com" || self.host.ends_with(".sandbox.my.salesforce.com")
    }

    /// `ada@example.com.uat`: a domain that goes on after its top-level domain. Two letters at the
    /// end are a country.
    fn is_sandbox_user(&self) -> bool {
        const TOP: [&str; 9] = ["com", "org", "net", "edu", "gov", "mil", "int", "info", "biz"];
        let domain = self.username().rsplit('@').next().unwrap_or_default().to_lowercase();
        let labels: Vec<&str> = domain.split('.').collect();
        match labels[..] {
            [_, .., top, last] if labels.len() > 2 => {
                last.len() != 2 && (TOP.contains(&top) || top.len() == 2)
            }
            _ => false,
        }
    }
}

/// What the symptom must contain (`|` parts alternatives), what else must hold, and what to say;
/// `{host}` and `{user}` are filled in.
type Hint = (&'static [&'static str], fn(&Case<'_>) -> bool, &'static str);

/// All hints there are. A person reads those that fit from the top, so the likely ones come first.
#[rustfmt::skip]
const HINTS: &[Hint] = &[
    // Refused logins: the many causes of "authentication failure" first.
    (&["refused", "authentication failure"], |c| c.flow(Flow::Password) && c.no_security_token(),
     "no security token was set: outside the org's trusted IP ranges Salesforce wants one, so set SF_SECURITY_TOKEN (in a program, Login::security_token) to the one it mailed when the password last changed"),
    (&["refused", "authentication failure"], |c| c.flow(Flow::Password) && !c.no_security_token(),
     "the security token may be out of date, since every password change voids it and mails a new one, or may not be wanted where the org trusts this machine's address"),
    (&["refused", "authentication failure"], |c| c.is_sandbox_user() && c.host == "login.salesforce.com",
     "the username {user} ends like a sandbox's, but the login went to {host}: sandboxes log in at https://test.salesforce.com or at their My Domain (SF_LOGIN_URL)"),
    (&["refused", "authentication failure"], |c| c.flow(Flow::Password) && !c.is_sandbox_user() && c.at_sandbox(),
     "the login went to {host}, where sandboxes log in, but the username {user} does not end like a sandbox's: it has the sandbox's name appended there (ada@example.com.uat), and production users log in at https://login.salesforce.com"),
    (&["refused", "authentication failure"], |c| c.login.is_some() && !c.flow(Flow::ClientCredentials) && !c.username().contains('@'),
     "the username {user} has no @, and Salesforce's usernames have the form of an e-mail address: see Setup > Users"),
    (&["refused", "authentication failure"], |c| c.flow(Flow::Password) && c.username().contains('@'),
     "the password may be wrong, or {user} may be the user's e-mail address and not the username, which Setup > Users shows"),
    (&["refused", "authentication failure"], |c| c.flow(Flow::CodeCredentials),
     "username or password may be wrong, or the user may not be a member of this site: try them once on the site's own login page, in a browser"),
    (&["refused", "authentication failure"], |c| c.flow(Flow::Password) && c.at_generic_host(),
     "the org may not accept logins at {host}: set SF_LOGIN_URL to its My Domain, e.g. https://ACME.my.salesforce.com (Setup > My Domain)"),
    (&["refused", "authentication failure"], |c| c.flow(Flow::Password),
     "the org may block this flow, as those created since Summer '23 do by default: Setup > OAuth and OpenID Connect Settings > Allow OAuth Username-Password Flows"),
    (&["refused", "authentication failure"], |c| c.flow(Flow::Password),
     "if the app is an External Client App, it cannot use this flow at all, only client credentials (SF_FLOW=client_credentials, App::client_credentials)"),
    (&["refused", "authentication failure"], |c| c.flow(Flow::Password),
     "if the user is an Experience Cloud (community) user, this flow does not serve them: use SF_FLOW=code_credentials (App::code_credentials) at the site's address"),
    (&["refused", "authentication failure"], |c| c.login.is_some(),
     "an app made or changed less than about 10 minutes ago may not work yet"),
    (&["refused", "ip restricted|login hours"], |_| true,
     "this machine's IP address, or the hour, is outside what the user's profile (Setup > Profiles > Login IP Ranges, Login Hours) or the app (its IP Relaxation policy) allows"),
    (&["refused", "inactive user|inactive_user"], |_| true,
     "the user is deactivated or frozen: an administrator sees and undoes it in Setup > Users"),
    (&["refused", "hasn't approved"], |_| true,
     "the user has not approved the app: under the app's OAuth policies set Permitted Users to \"Admin approved users are pre-authorized\" and add the user's profile or a permission set"),
    (&["refused", "not supported on this domain"], |_| true,
     "{host} does not serve this flow: set SF_LOGIN_URL to the org's My Domain, e.g. https://ACME.my.salesforce.com (Setup > My Domain)"),
    (&["refused", "no client credentials user"], |_| true,
     "the app has no user to run as: Setup > App Manager (or External Client App Manager) > the app > its policies > Client Credentials Flow > Run As"),
    (&["refused", "client credentials flow not enabled"], |_| true,
     "the flow is off for this app: Setup > App Manager (or External Client App Manager) > the app > its OAuth settings > Enable Client Credentials Flow"),
    (&["refused", "expired authorization code"], |_| true,
     "the code lapsed before it was exchanged, which a slow network can cause: log in again"),
    (&["refused", "invalid authorization code"], |_| true,
     "the code was already used or is not this app's: check that SF_CLIENT_ID and SF_LOGIN_URL are of the same org, and log in again"),
    (&["refused", "invalid code verifier"], |_| true,
     "the app demands PKCE, which this crate does not do: switch off \"Require Proof Key for Code Exchange\" in the app's OAuth settings"),
    (&["refused", "invalid_client_id"], |_| true,
     "the consumer key is not known at {host}: compare SF_CLIENT_ID with the app's Consumer Key in Setup, and make sure that the app is in the org that {host} leads to"),
    (&["refused", "invalid_client_id"], |_| true,
     "an app made or changed less than about 10 minutes ago may not work yet"),
    (&["refused", "invalid_client:", "credential flow not enabled"], |_| true,
     "the flow is off: allow it in Setup > OAuth and OpenID Connect Settings > Allow Authorization Code and Credentials Flows, and in the app's own OAuth settings"),
    (&["refused", "invalid_client: "], |c| !c.symptom.contains("flow not enabled"),
     "the consumer secret is wrong or missing: compare SF_CLIENT_SECRET with the app's Consumer Secret in Setup"),
    (&["refused", "unsupported_grant_type"], |c| c.login.is_some(),
     "the request may have been changed on its way, e.g. by a proxy that turns a POST into a GET: try without the proxy"),
    (&["refused", "unsupported_grant_type"], |c| c.flow(Flow::Password),
     "the org or the app may no longer know this flow: use client credentials (SF_FLOW=client_credentials, App::client_credentials)"),
    (&["refused", "invalid_request"], |_| true,
     "{host} did not get the https POST that was sent, so something on the way (a proxy, say) may have changed it, or the app lacks a setting that the description names"),
    (&["refused", "inactive_org"], |_| true,
     "the org is locked, closed or expired: its administrator or Salesforce Support can tell"),
    (&["refused", "rate_limit_exceeded"], |_| true,
     "too many logins: Salesforce takes some 3600 an hour from one user, so keep the token (Login::resume, SF_ACCESS_TOKEN) instead of logging in each time"),
    (&["refused", "invalid_app_access"], |_| true,
     "the app is for pre-authorized users only: add the user's profile or a permission set to the app in Setup"),
    (&["refused", "redirect_uri_mismatch"], |_| true,
     "SF_REDIRECT_URI must be one of the app's Callback URLs, character by character: compare them in Setup"),
    (&["refused", "invalid_scope"], |_| true,
     "give the app the scope \"Manage user data via APIs (api)\" in its OAuth settings"),
    (&["refused", "retry your request"], |_| true,
     "Salesforce asks to try again later, and three tries were not enough"),
    (&["refused", "invalid_grant|inactive_user|invalid_app_access"], |c| c.login.is_some(),
     "only Setup > Login History (for one user: Setup > Users > the user > Login History) names the true cause"),
    (&["refused", "invalid_grant|inactive_user|rate_limit"], |c| c.login.is_some() && !c.flow(Flow::ClientCredentials),
     "do not repeat the login in a loop: failed logins lock the user out, and more of them prolong the lock"),
    (&["refused", "authentication failure|unsupported_grant_type"], |c| c.flow(Flow::Password),
     "Salesforce has announced that it retires this flow (as of November 2026, on 20 February 2027): plan the move to client credentials"),

    // Refused requests.
    (&["api", "invalid_session_id", "not valid for use with the rest api"], |_| true,
     "a policy keeps this session from the REST API, so logging in again does not help: the user's profile or permission set needs \"API Enabled\", and the app the scope \"Manage user data via APIs (api)\""),
    (&["api", "invalid_session_id"], |c| !c.can_log_in && !c.symptom.contains("rest api"),
     "the token has lapsed or was revoked, and this session holds no login to get another: log in again"),
    (&["api", "invalid_session_id"], |c| c.can_log_in && !c.symptom.contains("rest api"),
     "the token of a new login was rejected at once: the session's IP address may be locked (Setup > Session Settings), or the user may lack \"API Enabled\""),
    (&["api", "expired_password"], |_| true,
     "the user must set a new password in a browser first; that also mails a new security token"),
    (&["api", "invalid_auth_header"], |_| true,
     "something on the way, e.g. a proxy, may have changed the Authorization header: try without the proxy"),
    (&["api", "request_limit_exceeded"], |_| true,
     "the org's API requests for these 24 hours, or those at one time, are used up: see Setup > Company Information, and `sf-login get limits`"),
    (&["api", "api_disabled_for_org|api_currently_disabled"], |_| true,
     "the org's edition has no API, or the user's profile or permission set lacks \"API Enabled\""),
    (&["api", "malformed_query"], |_| true,
     "the SOQL has a mistake where the message points: quote values with soql_quote, and name fields one by one (there is no *)"),
    (&["api", "invalid_field"], |_| true,
     "the field does not exist, is misspelt (custom ones end in __c), or is hidden from this user by field-level security"),
    (&["api", "invalid_type"], |_| true,
     "the object does not exist, is misspelt (custom ones end in __c), or is hidden from this user"),
    (&["api", "malformed_id"], |_| true,
     "an id has 15 or 18 letters and digits, and begins with its object's three"),
    (&["api", "not_found"], |_| true,
     "the path or the record does not exist, or is hidden from this user: relative paths begin below /services/data/vNN.N/, others with a /"),
    (&["api", "url_not_reset"], |_| true,
     "the request went to a login host: set SF_ORG_INSTANCE_URL to the instance_url that came with the token"),
    (&["api 300"], |_| true,
     "an external id should be unique: mark its field as unique, or ask for one of the records by its id"),
    (&["api 410|unexpected 410"], |_| true,
     "Salesforce no longer serves this API version: use 31.0 or later (SF_ORG_API_VERSION, Session::api_version)"),
    (&["api 414|api 431|unexpected 414|unexpected 431"], |_| true,
     "the request's URL is too long: shorten the SOQL, e.g. by fewer ids in IN (...) and several queries"),
    (&["api 502|api 503|api 504|server_unavailable"], |_| true,
     "Salesforce is unavailable for the moment: https://status.salesforce.com tells, try again later"),
    (&["api", "invalid_token|unsupported_token_type"], |_| true,
     "the token is not one that can be revoked here: check that SF_ORG_INSTANCE_URL is the instance that SF_ACCESS_TOKEN is for"),

    // Replies that are not Salesforce's usual ones.
    (&["unexpected", "bad_oauth_token"], |_| true,
     "the token has lapsed, is revoked, or is for another org: log in again"),
    (&["unexpected", "html page titled", "maintenance"], |_| true,
     "Salesforce is in maintenance: https://status.salesforce.com tells until when"),
    (&["unexpected", "html page", "no longer exists"], |_| true,
     "{host} has nothing at this path: check the host, and the site's path if there is one, in SF_LOGIN_URL or SF_ORG_INSTANCE_URL"),
    (&["unexpected 420"], |_| true,
     "there is no org behind {host}: a scratch org or sandbox may have expired, or not be ready yet"),
    (&["unexpected 200", "html page"], |c| c.flow(Flow::CodeCredentials),
     "the site showed its login page: allow the flow in Setup > OAuth and OpenID Connect Settings > Allow Authorization Code and Credentials Flows, in the app, and in the site's Login & Registration settings, and check that SF_LOGIN_URL has the site's path"),
    (&["unexpected 200", "html page"], |c| !c.flow(Flow::CodeCredentials),
     "{host} showed a web page, perhaps a login page: check that it is Salesforce's API host, e.g. https://ACME.my.salesforce.com, and that no proxy or network login stands between"),
    (&["unexpected 404", "html page|empty|text"], |c| c.login.is_some(),
     "{host} may not be a Salesforce login host: write e.g. https://ACME.my.salesforce.com in SF_LOGIN_URL"),
    (&["unexpected 502|unexpected 503|unexpected 504"], |_| true,
     "Salesforce, or a proxy before it, is unavailable for the moment: https://status.salesforce.com tells, try again later"),
    (&["unexpected 429"], |_| true,
     "too many requests: wait before the next one"),
    (&["unexpected", "a redirect to"], |_| true,
     "credentials and tokens do not follow redirects: if you trust the host named above, write it in SF_LOGIN_URL (for a token, in SF_ORG_INSTANCE_URL)"),
    (&["unexpected", "a redirect within|a redirect that names"], |_| true,
     "credentials and tokens do not follow redirects: check the path, and that {host} is Salesforce's API host"),
    (&["unexpected", "does not fit the type|json without the field"], |c| c.login.is_none(),
     "compare the type with the reply itself, which `sf-login get PATH` prints; a field that can be null wants an Option"),
    (&["unexpected", "new login arrived"], |_| true,
     "the token and the login settings belong to different orgs or users: unset one of them"),
    (&["unexpected", "is http, which"], |_| true,
     "the reply names an instance without https, which Salesforce does not do: something on the way may have changed it"),
    (&["unexpected", "larger than"], |_| true,
     "ask for less at a time; in a program, Session::run gives replies of any size as a stream"),

    // No reply.
    (&["transport", "through the proxy", "407"], |_| true,
     "the proxy wants a name and a password: write HTTPS_PROXY=http://user:password@host:port, percent-encoded"),
    (&["transport", "through the proxy"], |c| !c.symptom.contains("407"),
     "the proxy is named by HTTPS_PROXY or ALL_PROXY, or by the program's agent: check it, or add {host} to NO_PROXY to go without it"),
    (&["transport", "name was not found"], |c| !c.symptom.contains("proxy"),
     "check {host} for a typing error, and this machine's network and DNS; a My Domain that was renamed stops resolving"),
    (&["transport", "connection was refused"], |c| !c.symptom.contains("proxy"),
     "nothing listens there, or a firewall refuses: if this network reaches the internet by a proxy, set HTTPS_PROXY"),
    (&["transport", "could not connect within|name was not resolved"], |c| !c.symptom.contains("proxy"),
     "the network drops the connection, as firewalls do: if this network reaches the internet by a proxy, set HTTPS_PROXY"),
    (&["transport", "certificate", "expired"], |_| true,
     "{host}'s certificate has expired, or this machine's clock is ahead: compare `date -u` with the true time"),
    (&["transport", "certificate", "not valid yet|not yet valid"], |_| true,
     "{host}'s certificate is not valid yet, so this machine's clock is probably behind: compare `date -u` with the true time"),
    (&["transport", "certificate", "not valid for name|hostname mismatch|doesn't match"], |_| true,
     "the server that answered is not {host}: check the host for a typing error, and whether a proxy or network login stands between"),
    (&["transport", "certificate", "unknownissuer|unknown issuer|self-signed|self signed|unable to get local issuer"], |_| true,
     "the certificate is from an authority that is not trusted here, probably a company proxy's own: set SSL_CERT_FILE to a PEM file with that authority's certificate, or build with the feature platform-verifier"),
    (&["transport", "handshake"], |_| true,
     "the TLS handshake broke off: the port may not be https, or a firewall may cut it"),
    (&["transport", "no complete reply|nothing came"], |_| true,
     "the host was reached but did not answer in time: try again later, or allow more time with Login::timeout or Session::timeout"),
    (&["transport", "broke off"], |_| true,
     "the network or the server cut the exchange: a write may have been done or not, so look before repeating it"),
    (&["transport", "not an http reply"], |_| true,
     "{host} does not speak HTTP there: check the port"),
];

fn hints(case: &Case<'_>) -> Vec<String> {
    let holds = |(words, when, _): &&Hint| {
        let shows = |word: &&str| word.split('|').any(|word| case.symptom.contains(word));
        words.iter().all(shows) && when(case)
    };
    let user = printable(case.username());
    let fill = |(_, _, say): &Hint| say.replace("{host}", case.host).replace("{user}", &user);
    HINTS.iter().filter(holds).map(fill).collect()
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
