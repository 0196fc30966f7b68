//! What a login is told: the app, the flow, where to, for how long. Checked here, and not sent.

use std::fmt;
use std::time::Duration;

use crate::address::{is_generic, parse_login_url};
use crate::error::{Error, setting};
#[cfg(feature = "jwt")]
use crate::key::Key;
use crate::redact::{Secrets, printable};
use crate::wire::url::{BadUrl, Url};

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
    /// The variables whose values came from the files that `..._FILE` names.
    pub(crate) from_files: Vec<&'static str>,
}

impl Settings {
    /// Checks all that can be checked without sending anything, and gives where the login goes.
    pub(crate) fn check(&self) -> Result<Url, Error> {
        for (name, value) in self.values() {
            if value.is_empty() && !matches!(name, "security_token" | "audience" | "private_key") {
                return Err(self.setting(name, "is empty"));
            }
            if value.contains(['\r', '\n', '\0']) {
                let problem = "holds a line end or a NUL: write the value alone, on one line";
                return Err(self.setting(name, problem));
            }
        }
        let site = self.site().map_err(|bad| self.setting("login_url", bad.to_string()))?;
        let is_generic = is_generic(&site.host);
        let (name, problem) = match &self.flow {
            Flow::ClientCredentials if self.client_secret.is_none() => {
                ("client_secret", "is not set: the client credentials flow needs it")
            }
            Flow::ClientCredentials if is_generic => (
                "login_url",
                "is a generic host, where Salesforce refuses the client credentials flow: write the org's My \
                 Domain, e.g. https://ACME.my.salesforce.com",
            ),
            Flow::CodeCredentials { username, .. } if username.contains(':') => {
                ("username", "holds a colon, which HTTP Basic cannot carry in a username")
            }
            Flow::CodeCredentials { .. } if is_generic => (
                "login_url",
                "is a generic host, where Experience Cloud users cannot log in: write the site's address, e.g. \
                 https://ACME.my.site.com/customers",
            ),
            #[cfg(feature = "jwt")]
            Flow::JwtBearer { key: Err(problem), .. } => ("private_key", *problem),
            _ => return Ok(site),
        };
        Err(self.setting(name, problem))
    }

    fn site(&self) -> Result<Url, BadUrl> {
        parse_login_url(&self.login_url, matches!(self.flow, Flow::CodeCredentials { .. }))
    }

    /// The settings that the flow uses, by their names.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let of_flow = match &self.flow {
            Flow::Password { username, password, security_token } => {
                vec![("username", &**username), ("password", password), ("security_token", security_token)]
            }
            Flow::ClientCredentials => Vec::new(),
            Flow::CodeCredentials { username, password, redirect_uri } => {
                vec![("username", &**username), ("password", password), ("redirect_uri", redirect_uri)]
            }
            #[cfg(feature = "jwt")]
            Flow::JwtBearer { username, key, audience } => {
                let key = key.as_ref().map_or("", Key::secret);
                vec![("username", &**username), ("private_key", key), ("audience", audience)]
            }
        };
        let of_app =
            [Some(("client_id", &*self.client_id)), Some("client_secret").zip(self.client_secret.as_deref())];
        of_app.into_iter().flatten().chain(of_flow)
    }

    /// A setting by its name, where the flow uses it.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values().find_map(|(setting, value)| (setting == name).then_some(value))
    }

    pub(crate) fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        let is_secret =
            |name| matches!(name, "client_secret" | "password" | "security_token" | "private_key");
        self.values().filter(|(name, _)| is_secret(*name)).for_each(|(_, value)| secrets.add(value));
        secrets
    }

    /// Names the setting as the caller wrote it: `login_url`, `SF_LOGIN_URL` or `SF_PASSWORD_FILE`.
    pub(crate) fn setting(&self, name: &str, problem: impl Into<String>) -> Error {
        let variable = match name {
            "private_key" => "SF_JWT_KEY".to_owned(),
            "audience" => "SF_AUDIENCE_URL".to_owned(),
            _ => format!("SF_{}", name.to_uppercase()),
        };
        let file = if self.from_files.contains(&&*variable) { "_FILE" } else { "" };
        let variable = format!("{variable}{file}");
        setting(if self.from_env { &variable } else { name }, problem)
    }
}

/// What a login proves itself with.
//
// To what a new one needs here and in `exchange` the compiler leads. It does not lead to: a method of `App`; its
// name in `Login::read_env`, and there its variables in `ENV_VARS`; what it demands in `Settings::check`; the
// hints that it needs, and those that must not speak of it (`Case::by`).
#[derive(Clone)]
#[rustfmt::skip]
pub(crate) enum Flow {
    Password { username: String, password: String, security_token: String },
    ClientCredentials,
    CodeCredentials { username: String, password: String, redirect_uri: String },
    /// What is wrong with a key is told when the login is checked; an empty audience is the login URL.
    #[cfg(feature = "jwt")]
    JwtBearer { username: String, key: Result<Key, &'static str>, audience: String },
}

/// What is tried, without secrets.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.flow {
            Flow::Password { .. } => "password flow",
            Flow::ClientCredentials => "client credentials flow",
            Flow::CodeCredentials { .. } => "authorization code and credentials flow",
            #[cfg(feature = "jwt")]
            Flow::JwtBearer { .. } => "JWT bearer flow",
        })?;
        if let Some(username) = self.value("username") {
            write!(f, ", user {}", printable(username))?;
        }
        if let Ok(site) = self.site() {
            write!(f, ", host {}{}", site.authority, site.path)?;
        }
        if let Some(audience) = self.value("audience").filter(|audience| !audience.is_empty()) {
            write!(f, ", audience {}", printable(audience))?;
        }
        match self.value("security_token") {
            Some("") => f.write_str(", security token not set"),
            Some(_) => f.write_str(", security token set"),
            None => Ok(()),
        }
    }
}

/// How a session gets a new token when the present one has expired.
pub(crate) enum Renewal {
    Login(Box<Settings>),
    /// Not at all.
    TokenAlone {
        from_env: bool,
    },
    /// Not at all, because the environment's login beside its token cannot be used.
    Unusable(Error),
}
