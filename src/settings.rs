//! What a login is told: the app, the flow, where to, for how long. Checked here, and not sent.

use std::fmt;
use std::time::Duration;

use crate::address::parse_login_url;
use crate::error::{Error, setting};
use crate::redact::printable;
use crate::wire::url::Url;

/// All settings of a login.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) flow: Flow,
    pub(crate) login_url: String,
    pub(crate) timeout: Duration,
    pub(crate) agent: Option<ureq::Agent>,
    /// Whether errors name settings as the variables they came from.
    pub(crate) from_env: bool,
}

impl Settings {
    /// Checks all that can be checked without sending anything, and gives where the login goes.
    pub(crate) fn check(&self) -> Result<Url, Error> {
        for (name, value, _) in self.values() {
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
            Flow::ClientCredentials if self.client_secret.is_none() => {
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

    /// The settings that its flow uses: name, value, and whether it is a secret.
    fn values(&self) -> Vec<(&'static str, &str, bool)> {
        let mut settings = vec![("client_id", &*self.client_id, false)];
        settings.extend(self.client_secret.as_deref().map(|secret| ("client_secret", secret, true)));
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

    pub(crate) fn secrets(&self) -> Vec<String> {
        let secrets =
            self.values().into_iter().filter(|(_, value, is_secret)| *is_secret && !value.is_empty());
        secrets.map(|(_, value, _)| value.to_owned()).collect()
    }

    /// Names the setting as the caller wrote it: `login_url`, or `SF_LOGIN_URL`.
    pub(crate) fn setting(&self, name: &str, problem: impl Into<String>) -> Error {
        if self.from_env {
            setting(&format!("SF_{}", name.to_uppercase()), problem)
        } else {
            setting(name, problem)
        }
    }
}

/// What a login proves itself with.
//
// A new one is chosen by a method of `App` and by its name in `Login::read_env`; to all else the compiler
// leads.
#[derive(Clone)]
pub(crate) enum Flow {
    Password { username: String, password: String, security_token: String },
    ClientCredentials,
    CodeCredentials { username: String, password: String, redirect_uri: String },
}

impl Flow {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Flow::Password { .. } => "password flow",
            Flow::ClientCredentials => "client credentials flow",
            Flow::CodeCredentials { .. } => "authorization code and credentials flow",
        }
    }

    pub(crate) fn username(&self) -> Option<&str> {
        match self {
            Flow::Password { username, .. } | Flow::CodeCredentials { username, .. } => Some(username),
            Flow::ClientCredentials => None,
        }
    }
}

/// What is tried, without secrets.
impl fmt::Display for Settings {
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

/// How a session gets a new token when the present one has expired.
pub(crate) enum Renewal {
    Login(Box<Settings>),
    /// Not at all.
    TokenAlone,
    /// Not at all, because the environment's login beside its token cannot be used.
    Unusable(Error),
}
