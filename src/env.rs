//! Every `SF_*` variable: what a login, a session and a token read from the environment.

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, setting};
use crate::login::{App, Login, trimmed};
use crate::session::{API_VERSION, Session, api_version};
use crate::settings::Renewal;
use crate::token::Token;
use crate::variable::variable;
use crate::wire::client::Client;

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
        login.0.from_env = true;
        if let Some(url) = variable("SF_LOGIN_URL")? {
            login = login.login_url(url);
        }
        login.0.check()?;
        Ok(login)
    }
}

impl Session {
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
                let renewal = Login::from_env()
                    .map_or_else(Renewal::Unusable, |login| Renewal::Login(Box::new(login.0)));
                Session::made_of(Client::new(None)?, token, renewal)
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
