//! `App` and `Login`: all that a caller meets of them.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::exchange::log_in;
#[cfg(feature = "jwt")]
use crate::key::Key;
use crate::session::Session;
use crate::settings::{Flow, Renewal, Settings};
use crate::token::Token;
use crate::wire::Deadline;
use crate::wire::client::Client;

/// Where a login goes unless told otherwise: production and Developer Edition orgs.
const LOGIN_URL: &str = "https://login.salesforce.com";

const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A connected app or External Client App: its consumer key and secret.
///
/// Salesforce shows both in Setup: *External Client App Manager > the app > Settings > OAuth Settings >
/// Consumer Key and Secret*, or, for a connected app, *App Manager > the app > View > Manage Consumer
/// Details*. Spaces around them, usernames and URLs are taken off; those of a password are not.
#[derive(Clone)]
pub struct App {
    client_id: String,
    client_secret: Option<String>,
}

impl App {
    /// An app with its consumer key and consumer secret.
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
    /// Salesforce blocks it by default in newer orgs, never had it for External Client Apps and Experience Cloud
    /// users, and has [announced its retirement](crate#which-flow).
    ///
    /// ```
    /// let login = sf_login::App::new("3MVG9...", "1955...").password("ada@example.com", "correct horse");
    /// ```
    #[must_use]
    pub fn password(self, username: impl Into<String>, password: impl Into<String>) -> Login {
        let (username, password, security_token) = (trimmed(username), password.into(), String::new());
        self.login_by(Flow::Password { username, password, security_token })
    }

    /// The OAuth 2.0 client credentials flow: no user; requests run as the app's *Run As* user.
    ///
    /// Salesforce wants the flow switched on for the app, and the org's My Domain as [`Login::login_url`].
    ///
    /// ```
    /// let app = sf_login::App::new("3MVG9...", "1955...");
    /// let login = app.client_credentials().login_url("https://ACME.my.salesforce.com");
    /// ```
    #[must_use]
    pub fn client_credentials(self) -> Login {
        self.login_by(Flow::ClientCredentials)
    }

    /// The Authorization Code and Credentials flow, for customers and partners of an Experience Cloud site
    /// ("community users"). PKCE is always used.
    ///
    /// [`Login::login_url`] must be the site's address, and `redirect_uri` exactly one of the app's callback URLs;
    /// nothing is ever sent there.
    ///
    /// ```
    /// let callback = "https://app.example.com/callback";
    /// let app = sf_login::App::new("3MVG9...", "1955...");
    /// let login = app.code_credentials("grace@example.com", "correct horse", callback);
    /// let login = login.login_url("https://ACME.my.site.com/customers");
    /// ```
    #[must_use]
    pub fn code_credentials(
        self,
        username: impl Into<String>,
        password: impl Into<String>,
        redirect_uri: impl Into<String>,
    ) -> Login {
        let (username, password, redirect_uri) = (trimmed(username), password.into(), trimmed(redirect_uri));
        self.login_by(Flow::CodeCredentials { username, password, redirect_uri })
    }

    /// The JWT bearer flow: as that user, without a password. Instead, a private key signs who logs in, and the
    /// app has the key's certificate. Exists with the feature `jwt`, which is on by default.
    ///
    /// `private_key` is the text of its PEM: RSA, 2048 to 4096 bits, not encrypted, in PKCS#8 or PKCS#1, whatever
    /// became of its line breaks on the way. Salesforce wants the user approved beforehand for the app, which
    /// has the scopes `api` and `refresh_token`. The consumer secret has no part in this flow.
    ///
    /// ```no_run
    /// let app = sf_login::App::without_secret("3MVG9...");
    /// let login = app.jwt_bearer("ada@example.com", std::fs::read_to_string("server.key")?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn jwt_bearer(self, username: impl Into<String>, private_key: impl AsRef<str>) -> Login {
        let (username, key, audience) =
            (trimmed(username), Key::from_pem(private_key.as_ref()), String::new());
        // A consumer secret that is set and wrong must not matter.
        App { client_secret: None, ..self }.login_by(Flow::JwtBearer { username, key, audience })
    }

    fn login_by(self, flow: Flow) -> Login {
        let App { client_id, client_secret } = self;
        let (login_url, timeout) = (LOGIN_URL.to_owned(), LOGIN_TIMEOUT);
        let (agent, from_env, from_files) = (None, false, Vec::new());
        Login(Settings { client_id, client_secret, flow, login_url, timeout, agent, from_env, from_files })
    }
}

/// Without the spaces that pasting leaves around, those of web pages among them.
fn trimmed(value: impl Into<String>) -> String {
    value.into().trim_matches([' ', '\t', '\u{a0}']).to_owned()
}

/// How to log in, and where.
///
/// Made by [`App`]'s methods or [`Login::from_env`]. Nothing is sent before [`token`](Login::token),
/// [`session`](Login::session), or the expiry of a [resumed](Login::resume) session. `Display` has the words of an
/// error's `tried:` line, without secrets.
#[derive(Clone)]
pub struct Login(pub(crate) Settings);

impl Login {
    /// The security token, appended to the password with nothing between them.
    ///
    /// Salesforce wants it when the caller's address is outside the org's trusted IP ranges, and mails a new
    /// one whenever the password changes. None by default; it has no part in the other flows.
    #[must_use]
    pub fn security_token(mut self, token: impl Into<String>) -> Login {
        if let Flow::Password { security_token, .. } = &mut self.0.flow {
            *security_token = token.into();
        }
        self
    }

    /// Where to log in; `https://login.salesforce.com` by default.
    ///
    /// `https://test.salesforce.com` for a sandbox, the org's My Domain (`https://ACME.my.salesforce.com`),
    /// or an Experience Cloud site (`https://ACME.my.site.com/customers`). The scheme may be left out; slashes at
    /// the end and the token endpoint's own path are taken off. Refused are hosts of web pages, and such as look
    /// like Salesforce's: misspelt by a letter or two (but for a site, which may have a domain of its own), or
    /// with its name in the middle.
    #[must_use]
    pub fn login_url(mut self, url: impl Into<String>) -> Login {
        self.0.login_url = url.into();
        self
    }

    /// Whom the JWT bearer flow's assertion is for, its `aud`; the login URL by default.
    ///
    /// Older orgs and connected apps that log in at their My Domain may want `https://login.salesforce.com` or
    /// `https://test.salesforce.com` here; slashes at the end are taken off. Exists with the feature `jwt`.
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn audience(mut self, url: impl Into<String>) -> Login {
        if let Flow::JwtBearer { audience, .. } = &mut self.0.flow {
            trimmed(url).trim_end_matches([' ', '/']).clone_into(audience);
        }
        self
    }

    /// How long the whole login may take, retries included; 30 seconds by default, of which connecting may
    /// take 10.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Login {
        self.0.timeout = timeout;
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
        self.0.agent = Some(agent);
        self
    }

    /// Logs in and gives what the token endpoint answered: by one POST, in the flow with a code by two.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] before anything is sent, [`ErrorKind::Refused`] when Salesforce says no,
    /// [`ErrorKind::Transport`] when it cannot be reached, and [`ErrorKind::Unexpected`] when it answers with
    /// anything else. A refused login must not be repeated in a loop: failed logins lock the user out.
    pub fn token(&self) -> Result<Token, Error> {
        self.token_by(&Client::new(self.0.agent.clone())?)
    }

    /// Logs in and makes the session, ready for requests.
    ///
    /// # Errors
    ///
    /// As [`token`](Login::token).
    pub fn session(self) -> Result<Session, Error> {
        let client = Client::new(self.0.agent.clone())?;
        let token = self.token_by(&client)?;
        Ok(Session::made_of(client, token, Renewal::Login(Box::new(self.0))))
    }

    /// Begins with a [`Token`] that was kept, and logs in only when it has expired.
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
        self.0.check()?;
        let client = Client::new(self.0.agent.clone())?;
        Ok(Session::made_of(client, token, Renewal::Login(Box::new(self.0))))
    }

    fn token_by(&self, client: &Client) -> Result<Token, Error> {
        log_in(&self.0, client, Deadline::after(self.0.timeout), self.0.secrets())
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
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
