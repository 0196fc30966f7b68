//! Log in to Salesforce, hand over the access token, and make API requests with it.
//!
//! One blocking call logs in with the OAuth 2.0 username-password flow, the client credentials flow or, for
//! Experience Cloud users, the Authorization Code and Credentials flow. There is no async runtime and little
//! to compile, so it fits a `build.rs`, a small sync utility or a shell line (the binary `sf-login`). When a
//! login fails, the error says what was tried and what to look at, because Salesforce itself says little more
//! than "authentication failure".
//!
//! # Example
//!
//! ```no_run
//! use sf_login::Session;
//!
//! fn main() -> Result<(), sf_login::Error> {
//!     // SF_CLIENT_ID, SF_CLIENT_SECRET and, depending on SF_FLOW, SF_USERNAME, SF_PASSWORD ...
//!     let session = Session::from_env()?;
//!     for account in session.query::<serde_json::Value>("SELECT Id, Name FROM Account") {
//!         println!("{}", account?["Name"]);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! `README.md` says what you need in the org, has recipes for the shell, for CI and for a `build.rs`, and
//! lists the programs in `examples/`; both are part of this package. [`Login::from_env`] lists the variables.
//!
//! # Concepts
//!
//! - [`App`]: the connected app or External Client App, its consumer key and secret.
//! - [`Login`]: how to log in, and where; [`Login::from_env`] reads it from `SF_*` variables.
//! - [`Token`]: what the token endpoint answered. Keep it, print it, or make a [`Session`] of it.
//! - [`Session`]: requests as the user who logged in. It logs in again when the session has expired, repeats
//!   what can safely be repeated, and never locks the user out.
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
//! The username-password flow still works for connected apps in orgs that allow it. Salesforce blocks it by
//! default in orgs created since Summer '23, External Client Apps never had it, and its retirement is
//! announced (for 20 February 2027, as of November 2026). Moving to client credentials is one line.
//!
//! # When a login fails
//!
//! Every fallible call gives an [`Error`]: match on [`Error::kind`], or just use `?`, since its `Display` and
//! its `Debug` both say all of it:
//!
//! ```text
//! login refused: authentication failure (invalid_grant, HTTP 400)
//! tried: password flow, user ada@example.com, host login.salesforce.com, security token not set
//! hint: ...
//! ```
//!
//! Salesforce says `authentication failure` for nearly every cause. Its administrators see the true one in
//! *Setup > Login History*, in the column *Status*:
//!
//! | Status | means | change |
//! |---|---|---|
//! | *no entry at all* | the login did not arrive at this org | the login URL, the username, or the app's consumer key |
//! | Invalid Password | the password is wrong, or the security token at its end | the password; the security token, which every new password replaces |
//! | Invalid Login | no such user there | the username, or the login URL: sandboxes have their own |
//! | Failed: API security token required | the address is outside the org's trusted IP ranges, and no security token was sent | `SF_SECURITY_TOKEN`, or *Setup > Network Access* |
//! | Failed: Computer activation required | the user was never confirmed at this address | *Setup > Network Access*: add the address to the trusted IP ranges |
//! | Username-Password Flow Disabled | the org blocks the flow, or the app is an External Client App | client credentials; or *Setup > OAuth and OpenID Connect Settings* |
//! | Failed: Not approved for access | the app takes only users whom an administrator approved | the app's policies: add the user's profile or a permission set |
//! | Password Lockout | too many wrong passwords | *Setup > Users > the user > Unlock*, or wait for the end of the lockout |
//! | User is Inactive, User is Frozen | an administrator deactivated or froze the user | *Setup > Users > the user*: Active, Unfreeze |
//! | Restricted IP, Failed: IP Address Not Allowed | the address is outside the profile's Login IP Ranges or what the app allows | the profile; the app's policy *IP Relaxation* |
//! | Restricted Time | the hour is outside the profile's Login Hours | the profile |
//! | Restricted Domain | the org takes logins at its My Domain only | `SF_LOGIN_URL=https://ACME.my.salesforce.com` (*Setup > My Domain*) |
//! | Login Rate Exceeded | more than 3,600 logins of the user in an hour | keep the token and use it again; wait an hour |
//! | Failed: Consumer Deleted, Package for this consumer is not installed | the app is gone, or not installed in this org | *Setup > Connected Apps OAuth Usage*: install it; or another app's key |
//! | Failed: OAuth API access disabled | the org or the user has no access to the API | the permission *API Enabled*; the org's edition |
//! | No Experience Cloud site access, Invalid - Experience Cloud site offline | the user is no member of the site, or the site is not active | the site's members; its activation |
//!
//! The wording varies a little between releases and kinds of login, with or without "Failed:" before it.
//!
//! # Security
//!
//! - Secrets (passwords, security tokens, client secrets, access tokens, codes) appear in no `Debug`,
//!   `Display`, hint or panic, and in no log record while the logger's maximum level is debug. Of what a
//!   *login* host says, only plain words are shown: letters in words of ordinary length, none of them a part
//!   of a secret. What the *API* says is shown unless six letters and digits that stand together in a secret,
//!   or all of its letters and digits, stand in it.
//! - Credentials go over https only (plain http to `127.0.0.0/8`, `[::1]` and `localhost`, and there never
//!   through a proxy); redirects are not followed. The token goes to the instance's own origin only.
//! - Every exchange has a deadline and every reply a size limit, after decompression. A refused login is not
//!   repeated, and a truncated reply is an error.
//!
//! Not covered: memory is not wiped; the API repeating a token in an encoding (base64, say); a secret that is
//! one plain word and comes back rearranged; the instance's name, as the login host gives it; at log level
//! trace, ureq's own records, and at debug what a server writes into headers like `Server`; a caller's agent,
//! whose middleware, resolver and connectors are the caller's to trust; a body delimited only by the
//! connection's end, which cannot be told from a truncated one (JSON that was truncated is still an error); a
//! proxy that sends its answer to `CONNECT` byte by byte, which the deadline does not end.
//!
//! # Memory
//!
//! One reply is in memory at a time, 64 MiB of JSON at most. A page of a query holds at most 2,000 records,
//! so it is usually below 2 MiB; read into [`serde_json::Value`] it takes several times its size, and in the
//! worst case (objects of one short field) a hundred times, some 6 GiB; raw records take 25 times at the
//! worst. [`Session::run`] streams replies of any size.
//!
//! # Crate features
//!
//! `rustls` and `gzip` are on by default; `native-tls`, `platform-verifier` (rustls with the operating
//! system's roots) and `socks-proxy` pass through to ureq. One of `rustls` and `native-tls` is needed; with
//! both, rustls is used.

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
compile_error!("sf-login needs TLS: enable its feature `rustls` (the default) or `native-tls`");

mod hints;
mod wire;

use std::collections::HashSet;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, iter, str, vec};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use percent_encoding::utf8_percent_encode;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use ureq::http::{self, HeaderName, HeaderValue, Method, header};

use hints::{Case, Odd, Symptom, hints};
use wire::{
    API_REPLY, BadSetting, BadUrl, Cause, Client, Deadline, Fault, JSON, Misfit, NoReply, Reading, Reply,
    Request, RequestKind, UNRESERVED, Url, form, is_absolute, is_url_char, json_tokens, read_form, read_json,
    secret_header,
};

/// The HTTP client underneath, for [`Login::agent`] and [`Session::run`].
pub use ureq;

/// The `SF_*` settings that hold no secret, for `cargo::rerun-if-env-changed` in a `build.rs`.
///
/// Cargo writes the values of the variables that it watches into `target/`, so watch only these. And it runs
/// a build script that fails again at every check: commit what the script fetches, let it log in only when
/// told to (by `SF_REFRESH=1`, say), and do not let a refused login be what it fails with, because failed
/// logins lock the user out.
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

/// The API version of requests unless told otherwise: Spring '26. Pinned, since a program that was tried with
/// one version's replies should not meet another's.
const API_VERSION: &str = "v66.0";

const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// For how long the failure of a new login answers whoever meets the same expired token.
const SHARED_FAILURE: Duration = Duration::from_secs(1);

/// A new token that is rejected sooner than this will be rejected whenever it is new.
const AT_ONCE: Duration = Duration::from_secs(60);

/// How many pages a query may have when Salesforce does not say how many records it has.
const MOST_UNCOUNTED_PAGES: usize = 10_000;

const TOKEN_PATH: &str = "/services/oauth2/token";
const AUTHORIZE_PATH: &str = "/services/oauth2/authorize";
const REVOKE_PATH: &str = "/services/oauth2/revoke";

/// A connected app or External Client App: its consumer key and secret.
///
/// Salesforce shows both in Setup: *External Client App Manager > the app > Settings > OAuth Settings >
/// Consumer Key and Secret*, or, for a connected app, *App Manager > the app > View > Manage Consumer
/// Details*.
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
    /// An app with its consumer key and consumer secret. Spaces around them are taken off.
    #[must_use]
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> App {
        App { client_id: trimmed(client_id), client_secret: Some(trimmed(client_secret)) }
    }

    /// An app that is trusted without its secret: Salesforce allows it when the app's *Require Secret for Web
    /// Server Flow* is off, and never in the client credentials flow.
    #[must_use]
    pub fn without_secret(client_id: impl Into<String>) -> App {
        App { client_id: trimmed(client_id), client_secret: None }
    }

    /// The OAuth 2.0 username-password flow: a Salesforce user's own name and password.
    ///
    /// Salesforce blocks it by default in orgs created since Summer '23, never had it for External Client
    /// Apps and Experience Cloud users, and has announced its retirement.
    #[must_use]
    pub fn password(self, username: impl Into<String>, password: impl Into<String>) -> Login {
        self.login_by(Flow::Password {
            username: trimmed(username),
            password: password.into(),
            security_token: String::new(),
        })
    }

    /// The OAuth 2.0 client credentials flow: no user; requests run as the app's *Run As* user.
    ///
    /// Salesforce wants the flow switched on for the app, and [`Login::login_url`] to be the org's My Domain,
    /// e.g. `https://ACME.my.salesforce.com`.
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
        self.login_by(Flow::ClientCredentials)
    }

    /// The Authorization Code and Credentials flow, for customers and partners of an Experience Cloud site
    /// ("community users"). PKCE is always used.
    ///
    /// [`Login::login_url`] must be the site's address, e.g. `https://ACME.my.site.com/customers`, and
    /// `redirect_uri` exactly one of the app's callback URLs; nothing is ever sent there.
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
        self.login_by(Flow::CodeCredentials {
            username: trimmed(username),
            password: password.into(),
            redirect_uri: trimmed(redirect_uri),
        })
    }

    fn login_by(self, flow: Flow) -> Login {
        Login {
            app: self,
            flow,
            login_url: LOGIN_URL.to_owned(),
            timeout: LOGIN_TIMEOUT,
            agent: None,
            from_env: false,
        }
    }
}

/// Without the spaces that pasting leaves around, those of web pages among them.
fn trimmed(value: impl Into<String>) -> String {
    value.into().trim_matches([' ', '\t', '\u{a0}']).to_owned()
}

/// What a login proves itself with.
//
// A new one is chosen by a method of `App` and by its name in `Login::read_env`; to all else the compiler
// leads.
#[derive(Clone)]
enum Flow {
    Password { username: String, password: String, security_token: String },
    ClientCredentials,
    CodeCredentials { username: String, password: String, redirect_uri: String },
}

impl Flow {
    fn name(&self) -> &'static str {
        match self {
            Flow::Password { .. } => "password flow",
            Flow::ClientCredentials => "client credentials flow",
            Flow::CodeCredentials { .. } => "authorization code and credentials flow",
        }
    }

    fn username(&self) -> Option<&str> {
        match self {
            Flow::Password { username, .. } | Flow::CodeCredentials { username, .. } => Some(username),
            Flow::ClientCredentials => None,
        }
    }
}

/// How to log in, and where.
///
/// Made by [`App`]'s methods or [`Login::from_env`]. Nothing is sent before [`token`](Login::token),
/// [`session`](Login::session), or the expiry of a [resumed](Login::resume) session. `Display` says what is
/// tried, without secrets: the words of an error's `tried:` line.
#[derive(Clone)]
pub struct Login {
    app: App,
    flow: Flow,
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
    /// What a flow does not use is ignored. `SSL_CERT_FILE`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are
    /// read when the login is made.
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
    /// [`ErrorKind::Setting`] names all variables that are missing, or the one that cannot be used.
    pub fn from_env() -> Result<Login, Error> {
        Login::read_env(None)
    }

    /// As [`from_env`](Login::from_env), with a password that the caller got elsewhere (from standard input,
    /// say) in place of `SF_PASSWORD`.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Login::from_env).
    pub fn from_env_with_password(password: impl Into<String>) -> Result<Login, Error> {
        Login::read_env(Some(password.into()))
    }

    /// The security token, appended to the password with nothing between them.
    ///
    /// Salesforce wants it when the caller's address is outside the org's trusted IP ranges, and mails a new
    /// one whenever the password changes. None by default; it has no part in the other flows.
    #[must_use]
    pub fn security_token(mut self, token: impl Into<String>) -> Login {
        if let Flow::Password { security_token, .. } = &mut self.flow {
            *security_token = token.into();
        }
        self
    }

    /// Where to log in; `https://login.salesforce.com` by default.
    ///
    /// `https://test.salesforce.com` for a sandbox, the org's My Domain (`https://ACME.my.salesforce.com`),
    /// or an Experience Cloud site (`https://ACME.my.site.com/customers`). The scheme may be left out;
    /// slashes at the end, spaces around and the token endpoint's own path are taken off.
    #[must_use]
    pub fn login_url(mut self, url: impl Into<String>) -> Login {
        self.login_url = url.into();
        self
    }

    /// How long the whole login may take, retries included; 30 seconds by default, of which connecting may
    /// take 10.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Login {
        self.timeout = timeout;
        self
    }

    /// An agent of the caller's own, for its proxy, TLS roots or resolver.
    ///
    /// By default the agent is made from `SSL_CERT_FILE`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. Whatever
    /// the agent is set to, redirects are not followed, plain http is for loopback only and without a proxy,
    /// and [`timeout`](Login::timeout) takes the place of the agent's own timeouts. An agent with certificate
    /// checks turned off is refused.
    #[must_use]
    pub fn agent(mut self, agent: ureq::Agent) -> Login {
        self.agent = Some(agent);
        self
    }

    /// Logs in and gives what the token endpoint answered: by one POST, in the flow with a code by two.
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
    /// [`ErrorKind::Setting`] before anything is sent, [`ErrorKind::Refused`] when Salesforce says no,
    /// [`ErrorKind::Transport`] when it cannot be reached, and [`ErrorKind::Unexpected`] when it answers with
    /// anything else. A refused login must not be repeated in a loop: failed logins lock the user out.
    pub fn token(&self) -> Result<Token, Error> {
        let client = new_client(self.agent.clone())?;
        self.log_in(&client, Deadline::after(self.timeout), Vec::new())
    }

    /// Logs in and makes the session, ready for requests.
    ///
    /// # Errors
    ///
    /// As [`token`](Login::token).
    pub fn session(self) -> Result<Session, Error> {
        let client = new_client(self.agent.clone())?;
        let token = self.log_in(&client, Deadline::after(self.timeout), Vec::new())?;
        Ok(Session::made_of(client, token, Renewal::Login(Box::new(self))))
    }

    /// Begins with a token that was kept, and logs in only when it has expired.
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
        let client = new_client(self.agent.clone())?;
        Ok(Session::made_of(client, token, Renewal::Login(Box::new(self))))
    }
}

impl Login {
    fn read_env(password: Option<String>) -> Result<Login, Error> {
        let mut env = Env { missing: Vec::new(), password };
        let client_id = env.needed("SF_CLIENT_ID", "the app's consumer key")?;
        let app =
            App { client_id: trimmed(client_id), client_secret: variable("SF_CLIENT_SECRET")?.map(trimmed) };
        let flow = variable("SF_FLOW")?;
        let mut login = match flow.as_deref().unwrap_or("password") {
            "password" => {
                let (username, password) = env.user()?;
                let security_token = variable("SF_SECURITY_TOKEN")?.unwrap_or_default();
                app.password(username, password).security_token(security_token)
            }
            "client_credentials" => {
                env.needed("SF_CLIENT_SECRET", "the app's consumer secret")?;
                app.client_credentials()
            }
            "code_credentials" => {
                let (username, password) = env.user()?;
                let redirect_uri = env.needed("SF_REDIRECT_URI", "one of the app's callback URLs")?;
                app.code_credentials(username, password, redirect_uri)
            }
            _ => {
                let problem = "is not a flow: write password, client_credentials or code_credentials";
                return Err(setting("SF_FLOW", problem));
            }
        };
        env.complete(flow.is_none())?;
        login.from_env = true;
        if let Some(url) = variable("SF_LOGIN_URL")? {
            login = login.login_url(url);
        }
        login.check()?;
        Ok(login)
    }

    /// Checks all that can be checked without sending anything, and gives where the login goes.
    fn check(&self) -> Result<Url, Error> {
        for (name, value, _) in self.settings() {
            if value.is_empty() && name != "security_token" {
                return Err(self.setting(name, "is empty"));
            }
            if value.contains(['\r', '\n', '\0']) {
                let problem = "holds a line end or a NUL: write the value alone, on one line";
                return Err(self.setting(name, problem));
            }
        }
        let site =
            parse_login_url(&self.login_url).map_err(|bad| self.setting("login_url", bad.to_string()))?;
        let is_generic = matches!(&*site.host, "login.salesforce.com" | "test.salesforce.com");
        match &self.flow {
            Flow::ClientCredentials if self.app.client_secret.is_none() => {
                Err(self.setting("client_secret", "is not set: the client credentials flow needs it"))
            }
            Flow::ClientCredentials if is_generic => Err(self.setting(
                "login_url",
                "is a generic host, where Salesforce refuses the client credentials flow: write the org's My \
                 Domain, e.g. https://ACME.my.salesforce.com",
            )),
            Flow::CodeCredentials { username, .. } if username.contains(':') => {
                Err(self.setting("username", "holds a colon, which HTTP Basic cannot carry in a username"))
            }
            Flow::CodeCredentials { .. } if is_generic => Err(self.setting(
                "login_url",
                "is a generic host, where Experience Cloud users cannot log in: write the site's address, e.g. \
                 https://ACME.my.site.com/customers",
            )),
            Flow::Password { .. } | Flow::ClientCredentials | Flow::CodeCredentials { .. } => Ok(site),
        }
    }

    /// Logs in by this login's flow. `secrets` are others that no message may show.
    fn log_in(&self, client: &Client, deadline: Deadline, mut secrets: Vec<String>) -> Result<Token, Error> {
        let site = self.check()?;
        secrets.extend(self.secrets());
        let mut exchange = Exchange { login: self, client, deadline, site, secrets };
        match &self.flow {
            Flow::Password { username, password, security_token } => {
                let password = format!("{password}{security_token}");
                let grant = [("username", &**username), ("password", &password)];
                exchange.token(RequestKind::Login, "password", &grant)
            }
            Flow::ClientCredentials => exchange.token(RequestKind::Login, "client_credentials", &[]),
            Flow::CodeCredentials { username, password, redirect_uri } => {
                let verifier = code_verifier()?;
                let basic = BASE64_STANDARD.encode(format!("{username}:{password}"));
                exchange.secrets.extend([verifier.clone(), basic.clone()]);
                let code = exchange.code(&basic, redirect_uri, &verifier)?;
                let grant = [("code", &*code), ("redirect_uri", redirect_uri), ("code_verifier", &verifier)];
                // A code is spent by the first exchange that arrives, a password is not.
                exchange.token(RequestKind::Write, "authorization_code", &grant)
            }
        }
    }

    /// The settings that its flow uses: name, value, and whether it is a secret.
    fn settings(&self) -> Vec<(&'static str, &str, bool)> {
        let mut settings = vec![("client_id", &*self.app.client_id, false)];
        settings.extend(self.app.client_secret.as_deref().map(|secret| ("client_secret", secret, true)));
        match &self.flow {
            Flow::Password { username, password, security_token } => settings.extend([
                ("username", &**username, false),
                ("password", password, true),
                ("security_token", security_token, true),
            ]),
            Flow::ClientCredentials => {}
            Flow::CodeCredentials { username, password, redirect_uri } => settings.extend([
                ("username", &**username, false),
                ("password", password, true),
                ("redirect_uri", redirect_uri, false),
            ]),
        }
        settings
    }

    fn secrets(&self) -> Vec<String> {
        let secrets =
            self.settings().into_iter().filter(|(_, value, is_secret)| *is_secret && !value.is_empty());
        secrets.map(|(_, value, _)| value.to_owned()).collect()
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

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.flow.name())?;
        if let Some(username) = self.flow.username() {
            write!(f, ", user {}", printable(username))?;
        }
        if let Ok(site) = parse_login_url(&self.login_url) {
            write!(f, ", host {}{}", site.authority, site.path)?;
        }
        match &self.flow {
            Flow::Password { security_token, .. } if security_token.is_empty() => {
                f.write_str(", security token not set")
            }
            Flow::Password { .. } => f.write_str(", security token set"),
            Flow::ClientCredentials | Flow::CodeCredentials { .. } => Ok(()),
        }
    }
}

/// The environment, as a login is read from it: what is missing is told all at once.
struct Env {
    /// Names, and what to write.
    missing: Vec<(&'static str, &'static str)>,
    /// What stands for `SF_PASSWORD`.
    password: Option<String>,
}

impl Env {
    fn needed(&mut self, name: &'static str, what: &'static str) -> Result<String, Error> {
        let value = variable(name)?;
        if value.is_none() {
            self.missing.push((name, what));
        }
        Ok(value.unwrap_or_default())
    }

    fn user(&mut self) -> Result<(String, String), Error> {
        let username = self.needed("SF_USERNAME", "the username, e.g. ada@example.com")?;
        let password = match self.password.take() {
            Some(password) => password,
            None => self.needed("SF_PASSWORD", "the user's password")?,
        };
        Ok((username, password))
    }

    fn complete(self, flow_is_unset: bool) -> Result<(), Error> {
        let (names, whats): (Vec<_>, Vec<_>) = self.missing.into_iter().unzip();
        match names.len() {
            0 => Ok(()),
            1 => Err(setting(names[0], format!("is not set: write {}", whats[0]))),
            _ => {
                let other_flow = if flow_is_unset && names.contains(&"SF_USERNAME") {
                    "; SF_FLOW=client_credentials needs no user"
                } else {
                    ""
                };
                Err(setting(
                    &names.join(", "),
                    format!("are not set: write {}{other_flow}", whats.join("; ")),
                ))
            }
        }
    }
}

/// Reads a login URL as people write it, and tells what to write where it cannot be one.
fn parse_login_url(url: &str) -> Result<Url, BadUrl> {
    let url = url.trim();
    if url.is_empty() {
        return Err(BadUrl::new("is empty", "write e.g. https://ACME.my.salesforce.com"));
    }
    let url = if url.contains("://") { url } else { &format!("https://{url}") };
    let mut url = parse_salesforce_url(url)?;
    if url.path.contains(['?', '#']) {
        return Err(BadUrl::new("holds a query or a fragment", "leave out all from the ? or # on"));
    }
    if !url.path.chars().all(is_url_char) {
        return Err(BadUrl::new("holds a character that no URL path can", ""));
    }
    let mut path = url.path.trim_end_matches('/');
    while let Some(site) = [TOKEN_PATH, AUTHORIZE_PATH].iter().find_map(|p| path.strip_suffix(p)) {
        path = site.trim_end_matches('/');
    }
    url.path = path.to_owned();
    Ok(url)
}

/// A URL of Salesforce's, but of none of the hosts that serve web pages only.
fn parse_salesforce_url(url: &str) -> Result<Url, BadUrl> {
    let url = Url::parse(url)?;
    for not_an_api in [".lightning.force.com", ".my.salesforce-setup.com"] {
        if let Some(domain) = url.host.strip_suffix(not_an_api) {
            return Err(BadUrl::new(
                "is the host of web pages, where neither logins nor API requests work",
                format!("write https://{domain}.my.salesforce.com"),
            ));
        }
    }
    Ok(url)
}

/// RFC 7636: 43 random characters, of which the authorize endpoint is told the hash.
fn code_verifier() -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes)
        .map_err(|error| setting("code_verifier", format!("wants random numbers, which failed: {error}")))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn code_challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(verifier.as_bytes()))
}

/// A login under way: its requests, and what their replies mean.
struct Exchange<'a> {
    login: &'a Login,
    client: &'a Client,
    deadline: Deadline,
    /// Where its requests go; for a site, the code's reply may name another path.
    site: Url,
    secrets: Vec<String>,
}

impl Exchange<'_> {
    /// The POST to the token endpoint, with which every flow ends.
    fn token(&self, kind: RequestKind, grant_type: &str, grant: &[(&str, &str)]) -> Result<Token, Error> {
        let app = &self.login.app;
        let mut fields = vec![("grant_type", grant_type), ("client_id", &*app.client_id)];
        fields.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
        fields.extend(grant);
        let body = form(&fields);
        let reply = self.send(Request::form(&self.site, self.path(TOKEN_PATH), &body, kind))?;
        match reply.json() {
            Some(Value::Object(fields)) if reply.is_success() => {
                Token::read(fields).map_err(|(name, bad)| {
                    // What to write instead is for people, and nobody wrote this.
                    let problem = format!("{name} {}", bad.problem);
                    self.context().unexpected(reply.status, Odd::BadToken, problem)
                })
            }
            _ => Err(self.context().instead_of_json(&reply)),
        }
    }

    /// The first half of the Authorization Code and Credentials flow: the code, from a redirect or from JSON.
    fn code(&mut self, basic: &str, redirect_uri: &str, verifier: &str) -> Result<String, Error> {
        let body = form(&[
            ("response_type", "code_credentials"),
            ("client_id", &self.login.app.client_id),
            ("redirect_uri", redirect_uri),
            ("code_challenge", &code_challenge(verifier)),
            ("code_challenge_method", "S256"),
        ]);
        let mut request = Request::form(&self.site, self.path(AUTHORIZE_PATH), &body, RequestKind::Login);
        let named_user = HeaderValue::from_static("Named-User");
        request.headers.push((HeaderName::from_static("auth-request-type"), named_user));
        request.headers.push((header::AUTHORIZATION, secret_header(&format!("Basic {basic}"))));
        let reply = self.send(request)?;

        let query = reply.location.as_deref().and_then(|location| {
            let rest = location.strip_prefix(redirect_uri)?;
            rest.strip_prefix(if redirect_uri.contains('?') { '&' } else { '?' })
        });
        let fields = match (query, reply.json()) {
            (Some(query), _) => fields_of(query),
            (None, Some(Value::Object(fields))) if reply.status < 500 => fields,
            _ => return Err(self.context().instead_of_json(&reply)),
        };
        let text = |name| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(code), 200..=399) = (text("code"), reply.status) else {
            return Err(self.context().unexpected(reply.status, Odd::NoCode, "no code in it"));
        };
        self.secrets.push(code.to_owned());
        match text("sfdc_community_url").map(parse_login_url) {
            None => {}
            Some(Ok(community)) if community.origin == self.site.origin => self.site = community,
            Some(community) => {
                let context = self.context();
                let named = community.map_or_else(|_| "no https URL".to_owned(), |url| context.origin(&url));
                let site = &self.site.origin;
                let problem =
                    format!("sfdc_community_url names {named}, not {site}, so it was not sent the code");
                return Err(context.unexpected(reply.status, Odd::CommunityElsewhere, problem));
            }
        }
        Ok(code.to_owned())
    }

    /// Sends a request of the login, and tells a refusal from all other replies.
    fn send(&self, request: Request<'_>) -> Result<Reply, Error> {
        let request = Request { fault: oauth_fault, ..request };
        let outcome = self.client.send(&request, self.deadline);
        let reply = outcome.map_err(|error| self.context().no_reply(&error))?;
        let Some(refusal) = Refusal::read(&reply).or_else(|| self.redirected_refusal(&reply)) else {
            return Ok(reply);
        };
        let mut context = self.context();
        context.secrets.extend(refusal.secrets.clone());
        let kind = ErrorKind::Refused {
            status: reply.status,
            error: context.show(&refusal.error),
            description: context.show(&refusal.description),
        };
        let said = format!("{}: {}", refusal.error, refusal.description);
        let error = context.error(kind, Symptom::Refused(reply.status), &said, refusal.fault(&reply));
        Err(if refusal.may_pass() { error } else { error.lasting() })
    }

    /// A refusal in the query of a redirect, to the callback or to an error page of the same host.
    fn redirected_refusal(&self, reply: &Reply) -> Option<Refusal> {
        let location = reply.location.as_deref()?;
        let is_callback = match &self.login.flow {
            Flow::CodeCredentials { redirect_uri, .. } => location.starts_with(redirect_uri),
            Flow::Password { .. } | Flow::ClientCredentials => false,
        };
        if !is_callback && self.context().leads_elsewhere(location).is_some() {
            return None;
        }
        Refusal::of(&fields_of(location.split_once('?')?.1))
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.site.path)
    }

    fn context(&self) -> Context<'_> {
        let secrets = self.secrets.clone();
        Context { host: &self.site.authority, secrets, tried: Tried::Login(self.login) }
    }
}

/// Why Salesforce refused a login, in its own words.
struct Refusal {
    error: String,
    description: String,
    /// What came with it all the same: a token or a code.
    secrets: Vec<String>,
}

impl Refusal {
    /// Finds a refusal in a reply's body, where it stands as JSON or as form text.
    fn read(reply: &Reply) -> Option<Refusal> {
        let fields = match reply.json() {
            Some(Value::Object(fields)) => fields,
            Some(_) => return None,
            None => fields_of(reply.text().ok().map(str::trim).filter(|text| text.starts_with("error"))?),
        };
        if reply.is_success() && fields.contains_key("access_token") {
            return None;
        }
        // What a server that is down says in JSON, or a proxy before it, is no word about the credentials.
        let is_outage = |refusal: &Refusal| !(300..=403).contains(&reply.status) && !refusal.is_known();
        Refusal::of(&fields).filter(|refusal| !is_outage(refusal))
    }

    fn of(fields: &Map<String, Value>) -> Option<Refusal> {
        let text = |name: &str| {
            let field = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            field.and_then(|(_, value)| value.as_str()).map(str::to_owned)
        };
        Some(Refusal {
            error: text("error")?,
            description: text("error_description").unwrap_or_default(),
            secrets: ["access_token", "code"].into_iter().filter_map(text).map(|s| secret_of(&s)).collect(),
        })
    }

    /// Whether its code is one of OAuth's or of Salesforce's.
    fn is_known(&self) -> bool {
        const BEGINNINGS: [&str; 8] = [
            "invalid_",
            "inactive_",
            "unsupported_",
            "unauthorized_client",
            "access_denied",
            "redirect_uri_",
            "app_not_found",
            "oauth_",
        ];
        let error = self.error.to_ascii_lowercase();
        self.may_pass() || BEGINNINGS.iter().any(|beginning| error.starts_with(beginning))
    }

    /// Whether it says nothing against the credentials.
    fn may_pass(&self) -> bool {
        let passing = ["rate_limit_exceeded", "temporarily_unavailable", "unknown_error", "server_error"];
        passing.iter().any(|error| self.error.eq_ignore_ascii_case(error))
    }

    /// Whatever the status says, refused credentials must not be sent again.
    fn fault(&self, reply: &Reply) -> Option<Fault> {
        let asks = self.error.eq_ignore_ascii_case("unknown_error")
            && self.description.to_lowercase().contains("retry your request");
        reply.fault().or(asks.then_some(Fault::AskedToRetry)).filter(|_| self.may_pass())
    }
}

/// What is wrong with a reply of an OAuth endpoint, as far as repeating goes.
fn oauth_fault(reply: &Reply) -> Option<Fault> {
    Refusal::read(reply).map_or_else(|| reply.fault(), |refusal| refusal.fault(reply))
}

/// The pairs of form text or of a query, as JSON has them.
fn fields_of(form: &str) -> Map<String, Value> {
    let form = form.split('#').next().unwrap_or_default();
    let mut fields = Map::new();
    read_form(form).for_each(|(name, value)| drop(fields.insert(name, Value::String(value))));
    fields
}

/// What the token endpoint answered, all of it.
///
/// `Serialize` and `Deserialize` are that JSON object, so that it can be kept and [resumed](Login::resume);
/// `Debug` shows no secret, and there is no `Display`.
#[derive(Clone)]
pub struct Token {
    access_token: String,
    instance: Url,
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
    /// [`ErrorKind::Setting`] when the token holds what no token can hold, or the instance URL is not an
    /// https origin (http on loopback).
    pub fn new(access_token: impl Into<String>, instance_url: impl Into<String>) -> Result<Token, Error> {
        Token::of(access_token.into(), &instance_url.into())
            .map_err(|(name, bad)| setting(name, bad.to_string()))
    }

    /// The token itself: a secret.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// Where requests go, without a slash at the end.
    #[must_use]
    pub fn instance_url(&self) -> &str {
        &self.instance.origin
    }

    /// Any other field of the reply that is a string: `id`, `scope`, `signature`, `sfdc_community_url` and so
    /// on. Salesforce leaves some out, depending on the flow.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// When Salesforce issued the token; `None` when it did not say, or not as a number of milliseconds since
    /// 1970.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        const YEAR_9999: u64 = 253_402_300_799_999;
        let millis = self.field("issued_at")?.parse().ok().filter(|millis| *millis <= YEAR_9999)?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
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
}

impl Token {
    fn of(access_token: String, instance_url: &str) -> Result<Token, (&'static str, BadUrl)> {
        let mut fields = Map::new();
        fields.insert("access_token".to_owned(), access_token.into());
        fields.insert("instance_url".to_owned(), instance_url.trim().into());
        Token::read(fields)
    }

    /// Takes the reply's fields, or tells which one cannot be used and why.
    fn read(fields: Map<String, Value>) -> Result<Token, (&'static str, BadUrl)> {
        let bad = |name, problem, instead| (name, BadUrl::new(problem, instead));
        let text = |name| match fields.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Some(Value::String(_)) => Err(bad(name, "is empty", "")),
            Some(_) => Err(bad(name, "is not a string", "")),
            None => Err(bad(name, "is missing", "")),
        };
        let access_token = text("access_token")?;
        // RFC 6750's characters, and the ! of Salesforce's session ids.
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=!".contains(&b);
        if !access_token.bytes().all(is_token) {
            let problem = "holds characters that no token has";
            return Err(bad("access_token", problem, "write it alone, on one line"));
        }
        let instance = parse_salesforce_url(text("instance_url")?.trim_end_matches('/'))
            .map_err(|bad| ("instance_url", bad))?;
        if !instance.path.is_empty() {
            return Err(bad("instance_url", "holds more than https:// and a host", ""));
        }
        Ok(Token { access_token, instance, fields })
    }

    /// `https://HOST/id/ORGID/USERID`
    fn identity(&self) -> Option<(&str, &str)> {
        let (_, ids) = self.field("id")?.split_once("/id/")?;
        let (organization, user) = ids.split_once('/')?;
        let is_id = |id: &str| matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_id(organization) && is_id(user)).then_some((organization, user))
    }

    /// Which of instance, organization and user is another one in `other`, as far as both tell.
    fn differs_in(&self, other: &Token) -> Option<&'static str> {
        // An id is the same with 15 characters and with 18: the last three are a checksum.
        let differ = |a: Option<&str>, b: Option<&str>| a.zip(b).is_some_and(|(a, b)| a[..15] != b[..15]);
        let differences = [
            ("instance", self.instance.origin != other.instance.origin),
            ("organization", differ(self.organization_id(), other.organization_id())),
            ("user", differ(self.user_id(), other.user_id())),
        ];
        differences.into_iter().find_map(|(name, differs)| differs.then_some(name))
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
        Token::read(fields).map_err(|(name, bad)| D::Error::custom(format_args!("{name} {bad}")))
    }
}

/// Requests as the user who logged in.
///
/// `Send + Sync`, and all requests take `&self`: threads share one session, and one login. Cheap to clone:
/// clones share token and login, and may have a [timeout](Session::timeout) or an [API
/// version](Session::api_version) of their own.
///
/// A `path` that begins with `/` is taken from the instance's root, any other is relative to
/// `/services/data/vNN.N/`; an absolute URL is accepted on the instance's own origin only. What is not plain
/// ASCII in it must be percent-encoded, see [`path_segment`].
///
/// **An expired session** is replaced by one new login, and the request is sent again; threads that meet it
/// together share that login. Refused credentials, and a new token that is rejected within a minute, are
/// remembered and not tried again, so that a loop of requests cannot lock the user out. A new login that
/// failed for another reason, an outage say, is tried again by the first request after a second.
///
/// **Retries**, at most two and within the timeout: when nothing was sent yet, and when the API is asked too
/// much (429), every request; when the connection was lost or Salesforce is unavailable (502, 503, 504), only
/// those that read. `Retry-After` in seconds is honoured. A request without a body, a DELETE say, is repeated
/// only when no connection was made.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    // A setting that cannot be used is told by the first request, unless it is set anew.
    client: Result<Client, Error>,
    version: Result<String, Error>,
    timeout: Duration,
}

/// What the clones of a session share.
struct Shared {
    instance: Url,
    renewal: Renewal,
    state: Mutex<State>,
    login_ended: Condvar,
}

/// How a session gets a new token when the present one has expired.
enum Renewal {
    Login(Box<Login>),
    /// Not at all.
    TokenAlone,
    /// Not at all, because the environment's login beside its token cannot be used.
    Unusable(Error),
}

struct State {
    token: Arc<Token>,
    /// Every access token that the session has had, for messages to withhold.
    secrets: Vec<String>,
    /// When the token was issued, if that was by a new login and no request has been accepted with it yet.
    unproven_since: Option<Instant>,
    /// A thread is logging in again.
    logging_in: bool,
    /// Why the last new login was of no use, and when.
    failure: Option<(Error, Instant)>,
}

impl Session {
    /// A session of a kept token alone: it cannot log in again by itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] when `SSL_CERT_FILE` or a proxy variable cannot be used.
    pub fn new(token: Token) -> Result<Session, Error> {
        Ok(Session::made_of(new_client(None)?, token, Renewal::TokenAlone))
    }

    /// `SF_ACCESS_TOKEN` with `SF_ORG_INSTANCE_URL` when both are set, else [`Login::from_env`] and
    /// [`Login::session`].
    ///
    /// With a token, the login from the environment, if it is complete, is kept for when the token has
    /// expired. `SF_ORG_API_VERSION` sets the [API version](Session::api_version).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`], also when only one of the two is set, and those of [`Login::session`].
    pub fn from_env() -> Result<Session, Error> {
        const TOKEN: &str = "SF_ACCESS_TOKEN";
        const INSTANCE: &str = "SF_ORG_INSTANCE_URL";
        const VERSION: &str = "SF_ORG_API_VERSION";
        let version = variable(VERSION)?;
        let version = api_version(VERSION, version.as_deref().unwrap_or(API_VERSION))?;
        let session = match (variable(TOKEN)?, variable(INSTANCE)?) {
            (Some(token), Some(instance)) => {
                let token = Token::of(token, &instance).map_err(|(name, bad)| {
                    setting(if name == "access_token" { TOKEN } else { INSTANCE }, bad.to_string())
                })?;
                // What a login lacks matters only once the token has expired.
                let renewal =
                    Login::from_env().map_or_else(Renewal::Unusable, |login| Renewal::Login(Box::new(login)));
                Session::made_of(new_client(None)?, token, renewal)
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
        Ok(Session { version: Ok(version), ..session })
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

    /// An agent of the caller's own, see [`Login::agent`]; new logins use it too.
    #[must_use]
    pub fn agent(mut self, agent: ureq::Agent) -> Session {
        self.client = new_client(Some(agent));
        self
    }

    /// The current token, the newest if the session has logged in again.
    #[must_use]
    pub fn token(&self) -> Token {
        Token::clone(&self.shared.lock().token)
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
    /// [`ErrorKind::Api`] when Salesforce refuses, [`ErrorKind::Unexpected`] also when the reply does not fit
    /// `T`, [`ErrorKind::Setting`] for a path that cannot be used, and all those of a login.
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

    /// Changes what is at `path` by the JSON `body`; an empty reply, which is what Salesforce gives for a
    /// changed record, reads as JSON null.
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
        self.call(Method::DELETE, path, None).map(|_: IgnoredAny| ())
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
    #[must_use]
    pub fn query<T: DeserializeOwned>(&self, soql: &str) -> Records<'_, T> {
        self.query_at("query", soql)
    }

    /// As [`query`](Session::query), at another resource: `queryAll` (deleted records too) or
    /// `tooling/query`.
    #[must_use]
    pub fn query_at<T: DeserializeOwned>(&self, path: &str, soql: &str) -> Records<'_, T> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let soql = utf8_percent_encode(soql, UNRESERVED);
        Records {
            session: self,
            next: Some(self.path(&format!("{path}{separator}q={soql}"))),
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
        Ok(format!("{}{}", self.shared.instance.origin, self.path(path)?))
    }

    /// Sends any other request: CSV, files, headers of the caller's own. `Ok` is a 2xx reply.
    ///
    /// The request's method, URI, headers and body are sent, with the session's `Authorization`. GET, HEAD
    /// and OPTIONS count as reading, all else as writing. Sending the request, waiting for the reply's
    /// headers, and reading its body may take the [timeout](Session::timeout) each: a long download wants a
    /// longer one, which a clone of the session can have. How much of the body to read is the caller's to
    /// say.
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
        if parts.method == Method::CONNECT {
            return Err(setting("request", "has the method CONNECT, which is for proxies"));
        }
        let ours = [
            header::AUTHORIZATION,
            header::HOST,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::EXPECT,
        ];
        let headers = parts.headers.iter().filter(|(name, _)| !ours.contains(name));
        let bodiless = RequestKind::of(&parts.method) == RequestKind::Read || parts.method == Method::DELETE;
        let body = (!bodiless || !body.is_empty()).then_some(body);
        let mut request = Request {
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
            reading: Reading::Streamed,
            ..self.request(parts.method, self.path(&parts.uri.to_string())?, body)
        };
        let reply = self.send(&mut request)?;
        // A good reply to a streamed request always is its response.
        reply.stream.ok_or_else(|| self.context(&request).unexpected(reply.status, Odd::Empty, "empty"))
    }

    /// Logs out: the token is no longer valid, here or wherever else it is used. A token that was not valid
    /// any more counts as done.
    ///
    /// Salesforce may give one session to several logins of a user and app, so this may log out others too.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn revoke(self) -> Result<(), Error> {
        let client = self.client.as_ref().map_err(Error::clone)?;
        let token = self.token();
        let body = form(&[("token", &token.access_token)]);
        // Revoking twice is revoking once.
        let request = Request::form(&self.shared.instance, REVOKE_PATH.to_owned(), &body, RequestKind::Read);
        let request = Request { fault: |reply| reply.fault().or_else(|| oauth_fault(reply)), ..request };
        let outcome = client.send(&request, Deadline::after(self.timeout));
        let reply = outcome.map_err(|error| self.context(&request).no_reply(&error))?;
        let refusals = api_errors(&reply);
        let invalid = |e: &ApiError| e.error_code.eq_ignore_ascii_case("invalid_token");
        if reply.is_success() && reply.is_blank()
            || is_expired_session(reply.status, &refusals)
            || reply.status == 400 && refusals.iter().any(invalid)
        {
            return Ok(());
        }
        Err(self.context(&request).refused(&reply, refusals))
    }
}

impl Session {
    fn made_of(client: Client, token: Token, renewal: Renewal) -> Session {
        let state = State {
            secrets: vec![secret_of(&token.access_token)],
            token: Arc::new(token),
            unproven_since: None,
            logging_in: false,
            failure: None,
        };
        let instance = state.token.instance.clone();
        let (state, login_ended) = (Mutex::new(state), Condvar::new());
        Session {
            shared: Arc::new(Shared { instance, renewal, state, login_ended }),
            client: Ok(client),
            version: Ok(API_VERSION.to_owned()),
            timeout: REQUEST_TIMEOUT,
        }
    }

    /// Where `path` goes at the instance.
    fn path(&self, path: &str) -> Result<String, Error> {
        let version = self.version.as_ref().map_err(Error::clone)?;
        let instance = &self.shared.instance;
        let path = if is_absolute(path) {
            let url = parse_salesforce_url(path).map_err(|bad| setting("path", bad.to_string()))?;
            if url.origin != instance.origin {
                let problem = format!("is a URL of {}, not of {}", url.authority, instance.origin);
                return Err(setting("path", problem));
            }
            url.path
        } else if path.starts_with("//") {
            return Err(setting("path", "begins with //, which names another host"));
        } else if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/services/data/{version}/{path}")
        };
        if let Some(odd) = path.chars().find(|c| !is_url_char(*c)) {
            let problem = format!(
                "holds {odd:?}, which no URL can: percent-encode it (a space is %20), and send SOQL with query"
            );
            return Err(setting("path", problem));
        }
        // `http::Uri` takes no more.
        let length = instance.origin.len() + path.len();
        if length >= usize::from(u16::MAX)
            || format!("{}{path}", instance.origin).parse::<http::Uri>().is_err()
        {
            let problem = format!(
                "makes a URL of {length} bytes that cannot be sent: if it is long, shorten the SOQL, e.g. by fewer ids in \
                 IN (...) and several queries"
            );
            return Err(setting("path", problem));
        }
        Ok(path)
    }

    fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&[u8]>) -> Result<T, Error> {
        let mut request = self.request(method, self.path(path)?, body);
        let reply = self.send(&mut request)?;
        let read = || read_json(if reply.is_blank() { "null" } else { reply.text()? });
        read().map_err(|misfit| self.context(&request).misfit(&reply, misfit))
    }

    fn request<'a>(&'a self, method: Method, path: String, body: Option<&'a [u8]>) -> Request<'a> {
        let mut headers = vec![(header::ACCEPT, JSON)];
        if body.is_some() {
            headers.push((header::CONTENT_TYPE, JSON));
        }
        Request {
            kind: RequestKind::of(&method),
            method,
            to: &self.shared.instance,
            path,
            headers,
            body,
            reading: Reading::Whole { limit: API_REPLY },
            fault: Reply::fault,
        }
    }

    /// Sends `request` with the current token, and once more with a new one if that one has expired. Gives a
    /// 2xx.
    fn send(&self, request: &mut Request<'_>) -> Result<Reply, Error> {
        let client = self.client.as_ref().map_err(Error::clone)?;
        let deadline = Deadline::after(self.timeout);
        let without_token = request.headers.len();
        let mut logged_in = false;
        loop {
            let token = self.shared.usable_token()?;
            let bearer = secret_header(&format!("Bearer {}", token.access_token));
            request.headers.truncate(without_token);
            request.headers.push((header::AUTHORIZATION, bearer));
            let outcome = client.send(request, deadline);
            let reply = outcome.map_err(|error| self.context(request).no_reply(&error))?;
            if matches!(reply.status, 200..=299 | 400 | 402..=499) {
                self.shared.accepted(&token);
            }
            if reply.is_success() {
                return Ok(reply);
            }
            let refusals = api_errors(&reply);
            let is_expired = is_expired_session(reply.status, &refusals);
            let error = self.context(request).refused(&reply, refusals);
            if !is_expired {
                return Err(error);
            }
            logged_in |= self.log_in_again(client, request, &token, error, !logged_in, deadline)?;
        }
    }

    /// Replaces the token `used`, which the API has rejected with `expired`, by one new login for all threads
    /// that have come across it; tells whether it was this thread that logged in, which it may only when
    /// `allowed`: once for a request.
    fn log_in_again(
        &self,
        client: &Client,
        request: &Request<'_>,
        used: &Arc<Token>,
        expired: Error,
        allowed: bool,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        let shared = &*self.shared;
        let mut state = shared
            .login_ended
            .wait_timeout_while(shared.lock(), deadline.left(), |state| {
                state.logging_in && Arc::ptr_eq(&state.token, used)
            })
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        if !Arc::ptr_eq(&state.token, used) {
            return Ok(false);
        }
        match &state.failure {
            Some((failure, at)) if failure.0.lasting || at.elapsed() < SHARED_FAILURE => {
                return Err(failure.clone());
            }
            _ => {}
        }
        if state.logging_in {
            drop(state);
            let words = "another thread's new login took longer than this request may".to_owned();
            let (cause, fault) = (Cause::ReplyTimeout, Some(Fault::NotSent));
            let late = NoReply { cause, words, proxy: false, status: None, fault };
            return Err(self.context(request).no_reply(&late));
        }
        if state.unproven_since.is_some_and(|issued| issued.elapsed() < AT_ONCE) {
            state.failure = Some((expired.clone().lasting(), Instant::now()));
            return Err(expired);
        }
        let (Renewal::Login(login), true) = (&shared.renewal, allowed) else {
            return Err(expired);
        };
        state.logging_in = true;
        state.unproven_since = None;
        let secrets = state.secrets.clone();
        drop(state);
        let _turn = Turn(shared);

        let outcome =
            login.log_in(client, deadline.at_most(login.timeout), secrets.clone()).and_then(|token| {
                let Some(other) = used.differs_in(&token) else {
                    return Ok(token);
                };
                let context = Context { host: &used.instance.authority, secrets, tried: Tried::Login(login) };
                let (theirs, ours) = (context.origin(&token.instance), &used.instance.origin);
                // Of its ids, a login host could make anything.
                let problem = match other {
                    "instance" => format!("at another instance ({theirs}) than the session's ({ours})"),
                    _ => format!("at another {other} than the session's"),
                };
                let problem = format!("the new login arrived {problem}");
                Err(context.unexpected(200, Odd::LoginElsewhere, problem).lasting())
            });
        let mut state = shared.lock();
        match outcome {
            Ok(token) => {
                state.secrets.push(secret_of(&token.access_token));
                state.token = Arc::new(token);
                state.unproven_since = Some(Instant::now());
                state.failure = None;
                Ok(true)
            }
            Err(error) => {
                state.failure = Some((error.clone(), Instant::now()));
                Err(error)
            }
        }
    }

    fn context<'a>(&'a self, request: &'a Request<'_>) -> Context<'a> {
        let mut secrets = self.shared.lock().secrets.clone();
        if let Renewal::Login(login) = &self.shared.renewal {
            secrets.extend(login.secrets());
        }
        let tried = Tried::Request { request, shared: &self.shared };
        Context { host: &request.to.authority, secrets, tried }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token, or the failure after which there is no use in sending anything.
    fn usable_token(&self) -> Result<Arc<Token>, Error> {
        let state = self.lock();
        match &state.failure {
            Some((failure, _)) if failure.0.lasting => Err(failure.clone()),
            _ => Ok(state.token.clone()),
        }
    }

    /// Notes that the API has accepted `token`. If it was rejected before, then by a reply that overtook this
    /// one.
    fn accepted(&self, token: &Arc<Token>) {
        let mut state = self.lock();
        if Arc::ptr_eq(&state.token, token) && state.unproven_since.take().is_some() {
            state.failure = None;
        }
    }
}

/// A thread's turn to log in again; it ends however the login ends, by a panic too.
struct Turn<'s>(&'s Shared);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().logging_in = false;
        self.0.login_ended.notify_all();
    }
}

/// `66`, `66.0` and `v66.0` are all `v66.0`.
fn api_version(name: &str, version: &str) -> Result<String, Error> {
    let number = version.trim().trim_start_matches(['v', 'V']);
    match number.strip_suffix(".0").unwrap_or(number).parse::<u16>() {
        Ok(number) => Ok(format!("v{number}.0")),
        Err(_) => Err(setting(name, "is not an API version: write e.g. 66.0")),
    }
}

fn json_body(body: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    // serde's own words could quote a value.
    serde_json::to_vec(body).map_err(|_| setting("body", "cannot be written as JSON"))
}

/// The reasons for which the API refused a request, as it said them.
fn api_errors(reply: &Reply) -> Vec<ApiError> {
    /// More than a person reads.
    const MOST: usize = 50;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let error = |value: &Value| {
        let either = |a: &str, b: &str| value.get(a).or(value.get(b)).map(text);
        let (code, message) = (either("errorCode", "error"), either("message", "error_description"));
        if code.is_none() && message.is_none() {
            return None;
        }
        let fields = value.get("fields").and_then(Value::as_array).into_iter().flatten();
        Some(ApiError {
            error_code: code.unwrap_or_default(),
            message: message.unwrap_or_default(),
            fields: fields.take(MOST).map(text).collect(),
        })
    };
    match reply.json() {
        Some(Value::Array(urls)) if reply.status == 300 => {
            let urls: Vec<String> = urls.iter().take(MOST).map(text).collect();
            let message = format!("the external id matches several records: {}", urls.join(", "));
            vec![ApiError { error_code: String::new(), message, fields: Vec::new() }]
        }
        Some(Value::Array(errors)) => errors.iter().take(MOST).filter_map(error).collect(),
        Some(value) => error(&value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The one refusal that a new login can heal. The policy that bars a session from the REST API has the same
/// code.
fn is_expired_session(status: u16, errors: &[ApiError]) -> bool {
    let is_policy = |e: &ApiError| e.message.to_lowercase().contains("not valid for use with the rest api");
    status == 401 && errors.iter().any(|e| e.error_code == "INVALID_SESSION_ID" && !is_policy(e))
}

/// The records of a [query](Session::query): an iterator that asks for a page when it needs one, and has one
/// page in memory.
///
/// It ends after its first error, so a result without an error is whole: a page that repeats, a query that
/// never ends or goes on without saying where is an error. So is, when the records are JSON as it came
/// ([`serde_json::Value`], `Box<RawValue>`, or a type made of these, such as `Map<String, Value>`), a
/// subquery with more rows than Salesforce put into the page: query the child object itself instead. A type
/// of the caller's own must have a place for the subquery's `done` to know.
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
    /// How many records the query has in all, once the first page has come; for `SELECT COUNT() FROM ...`,
    /// which has no records, the count.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}

impl<T: DeserializeOwned> Records<'_, T> {
    fn turn_page(&mut self, path: String) -> Result<(), Error> {
        // What the last page took is given back before the next one comes.
        self.page = Vec::new().into_iter();
        let session = self.session;
        let mut request = session.request(Method::GET, path.clone(), None);
        let reply = session.send(&mut request)?;
        let broken = |odd, problem| session.context(&request).unexpected(reply.status, odd, problem);
        let read = || {
            let text = reply.text()?;
            Ok((text, read_json::<Page<T>>(text)?))
        };
        let (text, page) = read().map_err(|misfit| session.context(&request).misfit(&reply, misfit))?;
        if keeps_json::<T>() && has_unfinished_subquery(text) {
            return Err(broken(Odd::Subquery, "a subquery has more rows than the page holds"));
        }
        self.seen.insert(path);
        self.total = self.total.or(page.total_size.and_then(|n| u64::try_from(n).ok()));
        self.given += page.records.len() as u64;
        if !page.done {
            let next = self.path_after(&page).map_err(|problem| broken(Odd::Pages, problem))?;
            self.next = Some(Ok(next));
        }
        self.page = page.records.into_iter();
        Ok(())
    }

    /// Where the query goes on after `page`, or why that cannot be.
    fn path_after(&self, page: &Page<T>) -> Result<String, &'static str> {
        let next = page.next_records_url.as_deref();
        let next = next.ok_or("the query is not done, but has no nextRecordsUrl")?;
        let next = self.session.path(next);
        let next = next.map_err(|_| "nextRecordsUrl leads elsewhere than to the session's instance")?;
        if self.seen.contains(&next) {
            Err("the query repeats a page: nextRecordsUrl leads back")
        } else if page.records.is_empty() {
            Err("the query goes on with a page without records")
        } else if self.total.map_or(self.seen.len() > MOST_UNCOUNTED_PAGES, |total| self.given > total) {
            Err("the query goes on after all its records")
        } else {
            Ok(next)
        }
    }
}

impl<T: DeserializeOwned> Iterator for Records<'_, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            if let Err(error) = self.next.take()?.and_then(|path| self.turn_page(path)) {
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

impl<T: DeserializeOwned> iter::FusedIterator for Records<'_, T> {}

/// A page of a query, as Salesforce writes it.
struct Page<T> {
    // Salesforce counts some objects as -1.
    total_size: Option<i64>,
    done: bool,
    next_records_url: Option<String>,
    records: Vec<T>,
}

// By hand: serde's derive would double the time that the library takes to build.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Page<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Page<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a page of records")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page<T>, A::Error> {
                let (mut total_size, mut done, mut next_records_url, mut records) = (None, None, None, None);
                while let Some(name) = map.next_key::<String>()? {
                    match &*name {
                        "totalSize" => total_size = map.next_value()?,
                        "done" => done = Some(map.next_value()?),
                        "nextRecordsUrl" => next_records_url = map.next_value()?,
                        "records" => records = Some(map.next_value()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let missing = A::Error::missing_field;
                Ok(Page {
                    total_size,
                    done: done.ok_or_else(|| missing("done"))?,
                    next_records_url,
                    records: records.ok_or_else(|| missing("records"))?,
                })
            }
        }

        // Not as a map: serde_json tells the place of an error in a struct only.
        deserializer.deserialize_struct("Page", &[], Fields(PhantomData))
    }
}

/// Whether `T` keeps JSON as it came, so that a subquery's first rows would be taken for all of them.
//
// By name, because comparing `TypeId`s would demand `'static` of every caller's type.
fn keeps_json<T>() -> bool {
    let name = std::any::type_name::<T>();
    name.contains(std::any::type_name::<Value>()) || name.contains(std::any::type_name::<RawValue>())
}

/// Whether an object within the page holds `records` and is not `done`.
//
// By its tokens, which all JSON has that serde_json lets pass: not all of it makes a `Value`.
fn has_unfinished_subquery(page: &str) -> bool {
    // A page has one `done` of its own; only with a second one is it worth another look.
    if !page.split_once("\"done\"").is_some_and(|(_, rest)| rest.contains("\"done\"")) {
        return false;
    }
    // For each object and array around: whether it has records, and is not done.
    let mut around = Vec::new();
    let (mut before, mut last) = ("", "");
    for (token, _) in json_tokens(page) {
        match token {
            "{" | "[" => around.push((false, false)),
            "}" | "]" => {
                let ended = around.pop();
                if ended == Some((true, true)) && !around.is_empty() {
                    return true;
                }
            }
            _ => {
                if let Some((has_records, not_done)) = around.last_mut() {
                    *has_records |= token == ":" && last == "\"records\"";
                    *not_done |= token == "false" && last == ":" && before == "\"done\"";
                }
            }
        }
        (before, last) = (last, token);
    }
    false
}

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
/// `Display` is complete: what failed, why and the HTTP status on the first line (the lines of a SOQL
/// mistake, with the caret under it, follow it), then a line `tried: ...`, then a line `hint: ...` for each
/// hint, four at most. `Debug` prints the same, so that a `main` that returns this error, or one of anyhow's,
/// shows a person all of it. The cause is part of that text, so `source()` is `None`. Cheap to clone.
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
    /// Set when the cause may pass by itself; which requests to repeat is `RequestKind`'s to say.
    fault: Option<Fault>,
    /// A new login would fail as well.
    lasting: bool,
}

/// What failed, by what a caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, a path or a body is missing or cannot be used; nothing was sent.
    Setting {
        /// The setting as the caller wrote it: `SF_LOGIN_URL` or `login_url`. All variables that are missing,
        /// separated by commas.
        name: String,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// The host could not be reached, or the connection was lost.
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
    /// Not what Salesforce documents: HTML, bare text, a redirect, a missing field, a reply that is
    /// truncated, too large or does not fit the caller's type.
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
    /// Salesforce's message, in the user's language. One about SOQL has several lines, one of them a caret
    /// under the mistake.
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

    /// What to look at, most likely first, one sentence each, four at most.
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

    /// Whether the cause may pass by itself: the host was not reached, the connection was lost, or Salesforce
    /// was unavailable (502, 503, 504) or said to try later (429, or `retry your request` to a login). What
    /// can safely be repeated has been repeated already. After a write whose connection was lost, look
    /// whether it was done before repeating it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.fault.is_some()
    }

    /// Whether the credentials were refused, be it by the HTTP status alone (400, 401, 403), because the
    /// reason got lost on its way. They must not be sent again in a loop: failed logins lock the user out.
    #[must_use]
    pub fn is_refused_login(&self) -> bool {
        let is_refusal = match self.0.kind {
            ErrorKind::Refused { .. } => true,
            ErrorKind::Unexpected { status, .. } => matches!(status, 400 | 401 | 403),
            _ => false,
        };
        is_refusal && self.0.lasting
    }
}

impl Error {
    /// The same error, as one that a new login would meet again.
    fn lasting(self) -> Error {
        Error(Arc::new(Failure { fault: None, lasting: true, ..Arc::unwrap_or_clone(self.0) }))
    }
}

fn setting(name: &str, problem: impl Into<String>) -> Error {
    let kind = ErrorKind::Setting { name: name.to_owned(), problem: problem.into() };
    Error(Arc::new(Failure { kind, tried: None, hints: Vec::new(), fault: None, lasting: false }))
}

fn new_client(agent: Option<ureq::Agent>) -> Result<Client, Error> {
    Client::new(agent).map_err(unusable)
}

/// One variable of the environment; an empty one is unset.
fn variable(name: &'static str) -> Result<Option<String>, Error> {
    wire::variable(name).map_err(unusable)
}

// No `From`: it would keep `?` in a caller's closure from knowing its error type.
fn unusable(bad: BadSetting) -> Error {
    setting(bad.name, bad.problem)
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
                /// More than fits a screen.
                const MOST: usize = 10;
                f.write_str("request refused: ")?;
                for (n, error) in errors.iter().take(MOST).enumerate() {
                    write!(f, "{}{error}", if n > 0 { "; " } else { "" })?;
                }
                if errors.len() > MOST {
                    write!(f, "; and {} more", errors.len() - MOST)?;
                }
                write!(f, " (HTTP {status})")?;
                // What is to be read as lines: the SOQL, and the caret below its mistake.
                for error in errors.iter().take(MOST) {
                    let (lines, _) = error.message.rsplit_once('\n').unwrap_or_default();
                    lines.lines().try_for_each(|line| write!(f, "\n{line}"))?;
                }
                Ok(())
            }
            ErrorKind::Unexpected { status, problem } => {
                write!(f, "unexpected reply: {problem} (HTTP {status})")
            }
        }?;
        if let Some(tried) = &self.0.tried {
            write!(f, "\ntried: {tried}")?;
        }
        self.0.hints.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

impl fmt::Display for ApiError {
    /// On one line: of a message of several lines, the last, which says what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.lines().next_back().unwrap_or_default().trim();
        match (&*self.error_code, message) {
            (code, "") => f.write_str(code),
            ("", message) => f.write_str(message),
            (code, message) => write!(f, "{message} ({code})"),
        }?;
        if self.fields.is_empty() {
            return Ok(());
        }
        /// More than a person reads.
        const MOST: usize = 10;
        write!(f, " [fields: {}]", self.fields[..self.fields.len().min(MOST)].join(", "))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// What an error has to know of what was tried.
struct Context<'a> {
    host: &'a str,
    /// What no message may show.
    secrets: Vec<String>,
    tried: Tried<'a>,
}

#[derive(Clone, Copy)]
enum Tried<'a> {
    Login(&'a Login),
    Request { request: &'a Request<'a>, shared: &'a Shared },
}

impl Tried<'_> {
    /// Whether a reply with this status refuses a login, though its reason got lost.
    fn is_refused_by(self, status: u16) -> bool {
        matches!((self, status), (Tried::Login(_), 400 | 401 | 403))
    }
}

impl Context<'_> {
    /// An error with its `tried:` line and its hints, which are chosen by what was really `said`.
    fn error(&self, kind: ErrorKind, symptom: Symptom, said: &str, fault: Option<Fault>) -> Error {
        let withheld = matches!(&kind, ErrorKind::Refused { description, .. } if description == WITHHELD);
        let case = Case { symptom, said: said.to_lowercase(), withheld, host: self.host, tried: self.tried };
        let lasting = matches!(symptom, Symptom::Unexpected(status, _) if self.tried.is_refused_by(status));
        let fault = fault.filter(|_| !lasting);
        Error(Arc::new(Failure { kind, tried: Some(self.tried()), hints: hints(&case), fault, lasting }))
    }

    /// What was tried, in words; the path may be one that the API made, as that of a query's next page.
    fn tried(&self) -> String {
        match self.tried {
            Tried::Login(login) => login.to_string(),
            Tried::Request { request, .. } => {
                let path = self.show(request.path.split('?').next().unwrap_or_default());
                format!("{} {path}, host {}", request.method, self.host)
            }
        }
    }

    fn no_reply(&self, error: &NoReply) -> Error {
        // The TLS library's words can be a certificate's, which the other side has made.
        let is_theirs = matches!(error.cause, Cause::Certificate | Cause::Tls | Cause::Other);
        let withheld = is_theirs && self.secrets.iter().any(|secret| holds(&error.words, secret));
        let words = if withheld { WITHHELD.to_owned() } else { printable(&error.words) };
        match error.status {
            // Of a reply that was too slow, the status says no more than the words, unless it refuses a
            // login.
            Some(status) if error.cause != Cause::ReplyTimeout || self.tried.is_refused_by(status) => {
                let odd = if error.cause == Cause::TooLarge { Odd::TooLarge } else { Odd::Truncated };
                let kind = ErrorKind::Unexpected { status, problem: words };
                self.error(kind, Symptom::Unexpected(status, odd), "", error.fault)
            }
            _ => {
                let kind = ErrorKind::Transport { host: self.host.to_owned(), cause: words };
                let symptom = Symptom::NoReply { cause: error.cause, proxy: error.proxy };
                self.error(kind, symptom, &error.words, error.fault)
            }
        }
    }

    /// A refusal of the API, or what came instead of one.
    fn refused(&self, reply: &Reply, mut errors: Vec<ApiError>) -> Error {
        if errors.is_empty() {
            return self.instead_of_json(reply);
        }
        let said: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.error_code, e.message)).collect();
        for error in &mut errors {
            error.error_code = self.show(&error.error_code);
            error.message = self.show_as(&error.message, lines);
            error.fields = error.fields.iter().map(|field| self.show(field)).collect();
        }
        let kind = ErrorKind::Api { status: reply.status, errors };
        self.error(kind, Symptom::Api(reply.status), &said.join("\n"), reply.fault())
    }

    fn unexpected(&self, status: u16, odd: Odd, problem: impl Into<String>) -> Error {
        let kind = ErrorKind::Unexpected { status, problem: problem.into() };
        self.error(kind, Symptom::Unexpected(status, odd), "", None)
    }

    /// A good reply that cannot be read as what it was asked for.
    fn misfit(&self, reply: &Reply, misfit: Misfit) -> Error {
        let (odd, problem) = match misfit {
            _ if reply.html_title().is_some() => return self.instead_of_json(reply),
            Misfit::NotUtf8 => (Odd::NotUtf8, "not UTF-8".to_owned()),
            Misfit::NotJson(problem) => (Odd::Text, problem),
            Misfit::Unfit(problem) => (Odd::Unfit, self.show(&problem)),
        };
        self.unexpected(reply.status, odd, problem)
    }

    /// What came instead of JSON of a documented shape.
    fn instead_of_json(&self, reply: &Reply) -> Error {
        let mut said = String::new();
        let (odd, problem) = if reply.status == 304 {
            (Odd::NotModified, "not modified".to_owned())
        } else if (300..400).contains(&reply.status) {
            let location = reply.location.as_deref().unwrap_or_default();
            if let Some(host) = self.leads_elsewhere(location) {
                let problem = format!("a redirect to {}, which was not followed", self.host(&host));
                said = host;
                (Odd::RedirectElsewhere, problem)
            } else if location.is_empty() {
                (Odd::Redirect, "a redirect that names no place".to_owned())
            } else {
                (Odd::Redirect, "a redirect within the host, which was not followed".to_owned())
            }
        } else if reply.is_blank() {
            (Odd::Empty, "empty".to_owned())
        } else if let Some(title) = reply.html_title() {
            said = title;
            let problem = match &*self.show(&said) {
                "" => "an HTML page".to_owned(),
                title => format!("an HTML page titled \"{title}\""),
            };
            (Odd::Html, problem)
        } else {
            said = String::from_utf8_lossy(&reply.body).into_owned();
            let (odd, what) = if reply.json().is_some() {
                (Odd::Json, "JSON of another shape than documented")
            } else {
                (Odd::Text, "text that is not JSON")
            };
            let problem = match self.tried {
                Tried::Login(_) => what.to_owned(),
                // Some resources, and every Apex class, have a way of their own to say why.
                Tried::Request { .. } => format!("{what}: {}", self.show(&said)),
            };
            (odd, problem)
        };
        let kind = ErrorKind::Unexpected { status: reply.status, problem };
        self.error(kind, Symptom::Unexpected(reply.status, odd), &said, reply.fault())
    }

    /// The host to which a redirect leads, if that is another.
    fn leads_elsewhere(&self, location: &str) -> Option<String> {
        // Browsers take a backslash for a slash.
        let location = location.replace('\\', "/");
        let (scheme, rest) = location.split_once("//")?;
        if !scheme.is_empty() && !is_absolute(&location) {
            return None;
        }
        let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
        let named = host.strip_suffix(":443").unwrap_or(host);
        (!named.eq_ignore_ascii_case(self.host)).then(|| host.to_owned())
    }

    /// The other side's words on one line, unless they could give a secret away.
    fn show(&self, said: &str) -> String {
        self.show_as(said, printable)
    }

    fn show_as(&self, said: &str, shape: fn(&str) -> String) -> String {
        if self.may_show(&one_line(said)) { shape(said) } else { WITHHELD.to_owned() }
    }

    /// A login host has just been told the secrets, and may repeat them in any encoding; so of what it says,
    /// only plain words are shown.
    fn may_show(&self, said: &str) -> bool {
        let is_login = matches!(self.tried, Tried::Login(_));
        let gives_away = |secret: &String| holds(said, secret) || is_login && shares_word(said, secret);
        (!is_login || is_plain(said)) && !self.secrets.iter().any(gives_away)
    }

    fn origin(&self, url: &Url) -> String {
        let host = self.host(&url.authority);
        if host == url.authority { url.origin.clone() } else { host }
    }

    /// A host, whose words may end with a few digits, as `na139` does, and a port.
    fn host(&self, authority: &str) -> String {
        let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
        let (host, _) =
            authority.rsplit_once(':').filter(|(_, port)| is_port(port)).unwrap_or((authority, ""));
        let name = |word: &str| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let name = host.split(['.', '-']).map(name).collect::<Vec<_>>().join(".");
        let is_loopback = host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        let is_plain = is_loopback || host.len() - name.len() <= 4 && self.may_show(&name);
        // As a whole as well: the digits that were left out can be a secret's.
        if is_plain && !self.secrets.iter().any(|secret| holds(authority, secret)) {
            one_line(authority)
        } else {
            WITHHELD.to_owned()
        }
    }
}

const WITHHELD: &str = "(withheld: it could hold a secret)";

/// What is secret in a token: of Salesforce's session ids, what follows the org's id and the `!`.
fn secret_of(token: &str) -> String {
    token.split_once('!').map_or(token, |(_, secret)| secret).to_owned()
}

/// Whether all of `text` is plain words: ASCII letters in words of ordinary length, in capitals, in small
/// letters or in capitals and then small letters, and a little punctuation. Hardly any encoding of a secret
/// looks like that.
fn is_plain(text: &str) -> bool {
    const LONGEST_WORD: usize = 20;
    let is_between = |c: char| c == ' ' || ".,:;-_/|'\"()!?".contains(c);
    text.split(is_between).all(|word| {
        let small = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
        word.len() <= LONGEST_WORD && (small.bytes().all(|b| b.is_ascii_lowercase()) || word == "reCAPTCHA")
    })
}

/// Whether one of the words of `text` stands in the secret, as a word of it.
fn shares_word(text: &str, secret: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() >= 4);
        words.map(str::to_lowercase).collect()
    };
    let secret = words(secret);
    words(text).iter().any(|word| secret.contains(word))
}

/// Whether letters and digits of the secret stand in `text`, in any case: six or more that stand together in
/// it, or all of them one after another.
fn holds(text: &str, secret: &str) -> bool {
    let (text, secret) = (text.to_lowercase(), secret.to_lowercase());
    let is_between = |c: char| !c.is_alphanumeric();
    let whole = letters_and_digits(&secret);
    let has_whole = match whole.chars().count() {
        0 => text.contains(&secret),
        1..4 => text.split(is_between).any(|word| word == whole),
        _ => letters_and_digits(&text).contains(&whole),
    };
    has_whole || secret.split(is_between).any(|run| run.chars().count() >= 6 && text.contains(run))
}

fn letters_and_digits(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// How much of the other side's words a message takes, in characters.
const LONGEST_QUOTE: usize = 500;

/// Words as a message may show them: on one line, without what moves a terminal's cursor or hides text, and
/// not too long.
fn printable(text: &str) -> String {
    capped(one_line(text))
}

fn one_line(text: &str) -> String {
    let shown: String = text.chars().filter(|c| c.is_whitespace() || is_visible(*c)).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// As `printable`, but lines stay lines, and what stands below another thing stays below it.
fn lines(text: &str) -> String {
    const MOST: usize = 10;
    let text = text.trim_matches(['\r', '\n']);
    if !text.contains('\n') {
        return printable(text);
    }
    let show = |c: char| if c.is_whitespace() { Some(' ') } else { is_visible(c).then_some(c) };
    let lines = text.lines().map(|line| line.chars().filter_map(show).collect::<String>());
    let lines = lines.map(|line| capped(line.trim_end().to_owned())).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    lines[lines.len().saturating_sub(MOST)..].join("\n")
}

fn capped(text: String) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Whether a character takes room on a terminal and leaves the order of the others as it is.
fn is_visible(c: char) -> bool {
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
    !c.is_control() && !HIDDEN.iter().any(|range| range.contains(&c))
}

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
        f.debug_struct("Token").field("instance_url", &self.instance.origin).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_deref().unwrap_or("unusable");
        f.debug_struct("Session")
            .field("instance_url", &self.shared.instance.origin)
            .field("version", &version)
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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::code_challenge;

    #[test]
    fn the_code_challenge_is_that_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(code_challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
