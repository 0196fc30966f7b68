//! Every `SF_*` variable: what a login, a session and a token read from the environment.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::{env, str};

use crate::address::{my_domain, parse_login_url};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, setting};
use crate::login::{App, Login};
use crate::session::{API_VERSION, Session, api_version};
use crate::settings::Renewal;
use crate::token::Token;
use crate::variable::variable;
use crate::wire::client::Client;

/// The `SF_*` settings that hold no secret, for `cargo::rerun-if-env-changed` in a `build.rs`.
///
/// Cargo writes the values of the variables that it watches into `target/`, so watch only these. And it runs a
/// build script that fails again at every check, while failed logins lock the user out: commit what the script
/// fetches, and let it log in only when told to (by `SF_REFRESH=1`, say).
///
/// ```
/// for name in sf_login::ENV_VARS {
///     println!("cargo::rerun-if-env-changed={name}");
/// }
/// ```
#[rustfmt::skip]
pub const ENV_VARS: &[&str] = &[
    "SF_CLIENT_ID", "SF_USERNAME", "SF_LOGIN_URL", "SF_FLOW", "SF_REDIRECT_URI", "SF_AUDIENCE_URL",
    "SF_CLIENT_SECRET_FILE", "SF_PASSWORD_FILE", "SF_SECURITY_TOKEN_FILE", "SF_JWT_KEY_FILE",
    "SF_ORG_INSTANCE_URL", "SF_ORG_API_VERSION",
];

impl Login {
    /// Reads the login from the environment; an empty variable counts as unset.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `SF_FLOW` | `password` (the default), `client_credentials`, `code_credentials` or `jwt_bearer` |
    /// | `SF_CLIENT_ID` | the app's consumer key |
    /// | `SF_CLIENT_SECRET` | the app's consumer secret |
    /// | `SF_USERNAME`, `SF_PASSWORD` | the user, in the flows that have one |
    /// | `SF_SECURITY_TOKEN` | appended to the password, in the password flow |
    /// | `SF_LOGIN_URL` | default `https://login.salesforce.com` |
    /// | `SF_REDIRECT_URI` | one of the app's callback URLs, in the flow with a code |
    /// | `SF_JWT_KEY` | the private key's PEM, in the JWT bearer flow |
    /// | `SF_AUDIENCE_URL` | whom the JWT is for; default: the login URL |
    ///
    /// Each secret may stand in a file instead, which `SF_CLIENT_SECRET_FILE`, `SF_PASSWORD_FILE`,
    /// `SF_SECURITY_TOKEN_FILE` or `SF_JWT_KEY_FILE` names: its whole content, at most 64 KiB, less a byte order
    /// mark and one line end at its end. It may be a pipe, which is waited for.
    ///
    /// What a flow does not use is ignored. `SSL_CERT_FILE`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are
    /// read when the login is made.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] names all variables that are missing, or the one that cannot be used.
    pub fn from_env() -> Result<Login, Error> {
        Login::read_env(None)
    }

    /// As [`from_env`](Login::from_env), with a password from elsewhere (standard input, say) in place of
    /// `SF_PASSWORD`.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Login::from_env).
    pub fn from_env_with_password(password: impl Into<String>) -> Result<Login, Error> {
        Login::read_env(Some(password.into()))
    }

    fn read_env(password: Option<String>) -> Result<Login, Error> {
        let mut env = Env { password, ..Env::default() };
        let client_id = env.needed("SF_CLIENT_ID", "the app's consumer key")?;
        let flow = variable("SF_FLOW")?;
        let mut login = match flow.as_deref().unwrap_or("password") {
            "password" => {
                let (app, username, password) = env.app_and_user(client_id)?;
                let security_token = env.value("SF_SECURITY_TOKEN")?.unwrap_or_default();
                app.password(username, password).security_token(security_token)
            }
            "client_credentials" => {
                let secret = env.needed("SF_CLIENT_SECRET", "the app's consumer secret")?;
                App::new(client_id, secret).client_credentials()
            }
            "code_credentials" => {
                let (app, username, password) = env.app_and_user(client_id)?;
                let redirect_uri = env.needed("SF_REDIRECT_URI", "one of the app's callback URLs")?;
                app.code_credentials(username, password, redirect_uri)
            }
            #[cfg(feature = "jwt")]
            "jwt_bearer" => {
                let username = env.username()?;
                let key =
                    env.needed("SF_JWT_KEY", "the private key's PEM, or its path into SF_JWT_KEY_FILE")?;
                let login = App::without_secret(client_id).jwt_bearer(username, key);
                login.audience(variable("SF_AUDIENCE_URL")?.unwrap_or_default())
            }
            #[cfg(not(feature = "jwt"))]
            "jwt_bearer" => {
                let problem = "names a flow that this build lacks: enable sf-login's feature jwt";
                return Err(setting("SF_FLOW", problem));
            }
            other => {
                let flows = "write password, client_credentials, code_credentials or jwt_bearer";
                return Err(setting("SF_FLOW", format!("is {other:?}, which is no flow: {flows}")));
            }
        };
        login.0.from_env = true;
        login.0.from_files = env.complete(flow.is_none())?;
        if let Some(url) = variable("SF_LOGIN_URL")? {
            login = login.login_url(url);
        }
        login.0.check()?;
        Ok(login)
    }
}

impl Token {
    /// `SF_ACCESS_TOKEN` with `SF_ORG_INSTANCE_URL`, e.g. for a [session that never logs in](Session::new).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] when one of the two is not set, or cannot be used.
    pub fn from_env() -> Result<Token, Error> {
        env_token()?.ok_or_else(|| {
            let problem = "are not set: write an access token, and the instance that it is for";
            setting("SF_ACCESS_TOKEN, SF_ORG_INSTANCE_URL", problem)
        })
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
    /// [`ErrorKind::Setting`], also when only one of the two is set, or when `SF_ORG_INSTANCE_URL` and `SF_LOGIN_URL`
    /// are the My Domains of two orgs, and those of [`Login::session`].
    pub fn from_env() -> Result<Session, Error> {
        const VERSION: &str = "SF_ORG_API_VERSION";
        let version = variable(VERSION)?;
        let version = api_version(VERSION, version.as_deref().unwrap_or(API_VERSION))?;
        let session = match env_token()? {
            Some(token) => {
                one_org(&token)?;
                // What a login lacks matters only once the token has expired.
                let renewal = Login::from_env()
                    .map_or_else(Renewal::Unusable, |login| Renewal::Login(Box::new(login.0)));
                Session::made_of(Client::new(None)?, token, renewal)
            }
            None => Login::from_env()?.session()?,
        };
        Ok(Session { version: Ok(version), ..session })
    }
}

/// What may stand in a file, which `..._FILE` names.
const SECRETS: [&str; 4] = ["SF_CLIENT_SECRET", "SF_PASSWORD", "SF_SECURITY_TOKEN", "SF_JWT_KEY"];

/// The environment, as a login is read from it: what is missing is told all at once.
#[derive(Default)]
struct Env {
    /// Names, and what to write.
    missing: Vec<(&'static str, &'static str)>,
    /// Whether one of them is always needed.
    is_incomplete: bool,
    /// What stands for `SF_PASSWORD`.
    password: Option<String>,
    /// The secrets that came from a file.
    from_files: Vec<&'static str>,
}

impl Env {
    fn value(&mut self, name: &'static str) -> Result<Option<String>, Error> {
        if name == "SF_PASSWORD" && self.password.is_some() {
            return Ok(self.password.take());
        }
        let value = variable(name)?;
        let file = format!("{name}_FILE");
        match env::var_os(&file).filter(|path| !path.is_empty() && SECRETS.contains(&name)) {
            None => Ok(value),
            Some(_) if value.is_some() => {
                Err(setting(&file, format!("is set beside {name}: unset one of the two")))
            }
            Some(path) => {
                self.from_files.push(name);
                let secret = read_secret(&path, name == "SF_JWT_KEY");
                secret.map(Some).map_err(|problem| setting(&file, problem))
            }
        }
    }

    /// A value that is named with what is missing; by itself, it may be missing.
    fn wanted(&mut self, name: &'static str, what: &'static str) -> Result<Option<String>, Error> {
        let value = self.value(name)?;
        if value.is_none() {
            self.missing.push((name, what));
        }
        Ok(value)
    }

    fn needed(&mut self, name: &'static str, what: &'static str) -> Result<String, Error> {
        let value = self.wanted(name, what)?;
        self.is_incomplete |= value.is_none();
        Ok(value.unwrap_or_default())
    }

    fn username(&mut self) -> Result<String, Error> {
        self.needed("SF_USERNAME", "the username, e.g. ada@example.com")
    }

    fn app_and_user(&mut self, client_id: String) -> Result<(App, String, String), Error> {
        let what = "the app's consumer secret, unless the app needs none";
        let app = match self.wanted("SF_CLIENT_SECRET", what)? {
            Some(secret) => App::new(client_id, secret),
            None => App::without_secret(client_id),
        };
        Ok((app, self.username()?, self.needed("SF_PASSWORD", "the user's password")?))
    }

    /// The secrets that came from a file, where nothing is missing.
    fn complete(self, flow_is_unset: bool) -> Result<Vec<&'static str>, Error> {
        if !self.is_incomplete {
            return Ok(self.from_files);
        }
        let (names, whats): (Vec<_>, Vec<_>) = self.missing.into_iter().unzip();
        let are = if names.len() == 1 { "is" } else { "are" };
        let needs_user = flow_is_unset && names.len() > 1 && names.contains(&"SF_USERNAME");
        let other_flow = if needs_user { "; SF_FLOW=client_credentials needs no user" } else { "" };
        Err(setting(&names.join(", "), format!("{are} not set: write {}{other_flow}", whats.join("; "))))
    }
}

/// The whole content of a file or pipe, less a byte order mark and one line end at its end; or the end of the
/// sentence that says what is wrong with it.
fn read_secret(path: &OsStr, is_key: bool) -> Result<String, String> {
    const LONGEST: usize = 64 * 1024;
    let mut bytes = Vec::new();
    // The path is not shown: the secret itself may stand there by mistake.
    File::open(path)
        .and_then(|file| file.take(LONGEST as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("names a file that cannot be read: {error}"))?;
    let problem =
        |problem| Err(format!("names a file that {problem}: write the path of one with the secret alone"));
    if bytes.len() > LONGEST {
        return problem("is larger than 64 KiB");
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return problem("is UTF-16, not UTF-8");
    }
    let Ok(text) = str::from_utf8(&bytes) else { return problem("is not UTF-8") };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    match text.strip_suffix('\r').unwrap_or(text) {
        "" => problem("is empty"),
        lines if !is_key && lines.contains(['\r', '\n']) => problem("has several lines"),
        secret => Ok(secret.to_owned()),
    }
}

fn env_token() -> Result<Option<Token>, Error> {
    const TOKEN: &str = "SF_ACCESS_TOKEN";
    const INSTANCE: &str = "SF_ORG_INSTANCE_URL";
    match (variable(TOKEN)?, variable(INSTANCE)?) {
        (Some(token), Some(instance)) => match Token::of(token, &instance) {
            Ok(mut token) => {
                token.from_env = true;
                Ok(Some(token))
            }
            Err(("access_token", bad)) => Err(setting(TOKEN, bad.to_string())),
            Err((_, bad)) => Err(setting(INSTANCE, bad.to_string())),
        },
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(setting(INSTANCE, "is not set: write the instance that SF_ACCESS_TOKEN is for"))
        }
        (None, Some(_)) => {
            let problem = "is not set, but SF_ORG_INSTANCE_URL is: set both, or unset SF_ORG_INSTANCE_URL";
            Err(setting(TOKEN, problem))
        }
    }
}

/// A token that was left from another org would answer for it, and nobody would notice.
fn one_org(token: &Token) -> Result<(), Error> {
    let login_url = variable("SF_LOGIN_URL")?.and_then(|url| parse_login_url(&url, true).ok());
    match login_url.as_ref().and_then(my_domain).zip(my_domain(&token.instance)) {
        Some((login, instance)) if login != instance => {
            let problem = format!(
                "is the org {instance}, but SF_LOGIN_URL is {login}: unset SF_ACCESS_TOKEN and SF_ORG_INSTANCE_URL, \
                 or correct SF_LOGIN_URL"
            );
            Err(setting("SF_ORG_INSTANCE_URL", problem))
        }
        _ => Ok(()),
    }
}
