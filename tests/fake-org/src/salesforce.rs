//! Who may log in, and how Salesforce puts it when it refuses.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac_sha256::Hash;
use serde_json::{Map, Value, json};

use crate::chaos::Random;
use crate::rest::{self, Refusal, Rest};
use crate::{
    Answer, CLIENT_ID, CLIENT_SECRET, ORG_ID, PASSWORD, REDIRECT_URI, Request, SECURITY_TOKEN, SITE_ID,
    SITE_PASSWORD, SITE_USER_ID, SITE_USERNAME, USER_ID, USERNAME, text,
};

/// What tokens and codes are made of.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// Where the Experience Cloud site begins.
pub(crate) const SITE_PATH: &str = "/customers";

pub(crate) const TOKEN_PATH: &str = "/services/oauth2/token";
const AUTHORIZE_PATH: &str = "/services/oauth2/authorize";
const REVOKE_PATH: &str = "/services/oauth2/revoke";
const USERINFO_PATH: &str = "/services/oauth2/userinfo";
const ECHO_PATH: &str = "/services/oauth2/echo";

/// The instance of an org that is reached by Salesforce's own names.
const MY_DOMAIN: &str = "https://acme.my.salesforce.com";

/// What the org's administrator, or a user, has set.
///
/// The default lets everyone in who has the right credentials.
//
// As in the pages of Setup that this stands for, most settings are check boxes.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
pub struct Setup {
    /// "Allow OAuth Username-Password Flows". Default: true.
    pub password_flow_allowed: bool,
    /// "Enable Client Credentials Flow" on the app. Default: true.
    pub client_credentials_enabled: bool,
    /// Whether the app has a Run As user for that flow. Default: true.
    pub run_as_user: bool,
    /// "Enable Authorization Code and Credentials Flow" on the app. Default: true.
    pub code_credentials_enabled: bool,
    /// Whether the user may use the app. Default: true.
    pub user_approved: bool,
    /// Whether the user is active. Default: true.
    pub user_active: bool,
    /// "Require Secret for Web Server Flow" on the app. The client credentials flow always requires
    /// it. Default: true.
    pub secret_required: bool,
    /// Whether the caller's address is outside the trusted IP ranges, so that the password must be
    /// followed by the security token. Default: true.
    pub security_token_required: bool,
    /// "Require user credentials in the POST body" on the app. Default: false.
    pub credentials_in_body: bool,
    /// How the errors of the authorize endpoint arrive. Default: as JSON.
    pub authorize_errors: AuthorizeErrors,
    /// Why logins with the right credentials are refused: `error` and `error_description`, e.g.
    /// [`refusal::APP_BLOCKED`]. Default: they are not.
    pub refusal: Option<(&'static str, &'static str)>,
    /// "Require Proof Key for Code Exchange (PKCE)" on the app. A challenge that is sent is checked
    /// in any case. Default: false.
    pub pkce_required: bool,
    /// Whether codes have expired before they are exchanged. Default: false.
    pub expire_codes: bool,
    /// The access token that every login gets. Default: a new one each time.
    pub token: Option<String>,
    /// How many requests a session is good for. Default: any number.
    pub session_uses: Option<u32>,
    /// The `instance_url` of token replies. Default: [`Org::url`](crate::Org::url), or a My Domain for
    /// a request that came to one of Salesforce's own names.
    pub instance_url: Option<String>,
    /// Further fields of token replies, or other values for the usual ones.
    pub reply_extra: Map<String, Value>,
    /// Fields that token replies lack.
    pub reply_without: Vec<String>,
    /// Records in a page of a query. Default: 2000.
    pub page_size: usize,
    /// How often a bulk job is still in progress when it is asked for. Default: 1.
    pub bulk_polls: usize,
    /// Whether bulk jobs fail in the end. Default: false.
    pub bulk_fails: bool,
    /// Whether replies of the API are compressed for clients that accept it. Default: true.
    pub gzip: bool,
    /// At least how many of the latest requests are kept. Default: all.
    pub keep_requests: usize,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            password_flow_allowed: true,
            client_credentials_enabled: true,
            run_as_user: true,
            code_credentials_enabled: true,
            user_approved: true,
            user_active: true,
            secret_required: true,
            security_token_required: true,
            credentials_in_body: false,
            authorize_errors: AuthorizeErrors::Json,
            refusal: None,
            pkce_required: false,
            expire_codes: false,
            token: None,
            session_uses: None,
            instance_url: None,
            reply_extra: Map::new(),
            reply_without: Vec::new(),
            page_size: 2000,
            bulk_polls: 1,
            bulk_fails: false,
            gzip: true,
            keep_requests: usize::MAX,
        }
    }
}

/// The ways in which an error of the authorize endpoint arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizeErrors {
    /// HTTP 400 with JSON.
    Json,
    /// In the query of a redirect to the callback URL; as JSON when that is not the app's.
    Callback,
    /// In the query of a redirect to a page of the same host.
    ErrorPage,
    /// HTTP 400 with `error=..&error_description=..`, and no `Content-Type`.
    FormText,
}

/// Reasons for [`Setup::refusal`], in Salesforce's words.
pub mod refusal {
    /// `error` and `error_description`.
    type Reason = (&'static str, &'static str);

    /// Only users with a certain profile or permission set may use the app.
    pub const NOT_ADMIN_APPROVED: Reason =
        ("invalid_app_access", "user is not admin approved to access this app");
    /// The app has not been installed by an administrator.
    pub const APP_NOT_INSTALLED: Reason = ("invalid_client", "app must be installed into org");
    /// An administrator has blocked the app.
    pub const APP_BLOCKED: Reason = ("OAUTH_APP_BLOCKED", "this app is blocked by admin");
    /// The External Client App is another org's.
    pub const APP_NOT_FOUND: Reason = ("app_not_found", "External client app is not installed in this org");
    /// The same, as others have seen it.
    pub const EC_APP_NOT_FOUND: Reason =
        ("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org");
    /// The app is not installed or not approved, or wants PKCE.
    pub const APPROVAL_ERROR: Reason = (
        "OAUTH_APPROVAL_ERROR_GENERIC",
        "An unexpected error has occured during authentication. Please try again.",
    );
    /// The app lacks the scope `api`.
    pub const NO_VALID_SCOPES: Reason = ("invalid_grant", "no valid scopes defined");
    /// The Run As user of the client credentials flow is a portal user.
    pub const RUN_AS_PORTAL_USER: Reason = ("access_denied", "end-user denied authorization");
    /// The password flow's answer to the user of a sandbox at the wrong host.
    pub const EXPIRED_TOKEN: Reason = ("invalid_grant", "expired access/refresh token");
    /// Outside the IP ranges or the login hours.
    pub const IP_RESTRICTED: Reason = ("invalid_grant", "ip restricted or invalid login hours");
    /// Too many logins.
    pub const LOGIN_RATE_EXCEEDED: Reason = ("invalid_grant", "login rate exceeded");
    /// The site requires a reCAPTCHA for headless login.
    pub const RECAPTCHA_REQUIRED: Reason = ("invalid_request", "reCAPTCHA token required");
}

/// The org behind the endpoints.
pub(crate) struct Salesforce {
    pub(crate) setup: Setup,
    pub(crate) data: Rest,
    url: String,
    sessions: HashMap<String, Session>,
    /// Codes that were given and not yet used.
    codes: HashMap<String, Code>,
    random: Random,
}

struct Session {
    user: &'static User,
    uses: u32,
}

/// What the exchange of a code must agree with.
struct Code {
    redirect_uri: String,
    challenge: Option<String>,
}

struct User {
    id: &'static str,
    name: &'static str,
}

static ADA: User = User { id: USER_ID, name: USERNAME };
static BOB: User = User { id: SITE_USER_ID, name: SITE_USERNAME };

/// Where a request was sent to.
struct Place<'a> {
    host: &'a str,
    /// Scheme, host and port as the client sees them.
    origin: String,
    /// The path of the Experience Cloud site, or of the site's own host, that the request is for.
    site: Option<&'static str>,
    /// The path from there.
    path: &'a str,
}

/// Why there is no token: `error` and `error_description`.
type Refused = (&'static str, &'static str);

type Form = HashMap<String, String>;

const AUTHENTICATION_FAILURE: Refused = ("invalid_grant", "authentication failure");
const REDIRECT_URI_MISMATCH: Refused = ("redirect_uri_mismatch", "redirect_uri must match configuration");

impl Salesforce {
    pub(crate) fn new(url: &str) -> Salesforce {
        // Different in each org, so that one's token is worth nothing in another.
        static SEED: AtomicU64 = AtomicU64::new(0);
        Salesforce {
            setup: Setup::default(),
            data: Rest::new(),
            url: url.to_owned(),
            sessions: HashMap::new(),
            codes: HashMap::new(),
            random: Random(SEED.fetch_add(1 << 32, SeqCst)),
        }
    }

    pub(crate) fn expire_sessions(&mut self) {
        self.sessions.clear();
    }

    /// What the org says to a request.
    pub(crate) fn respond(&mut self, request: &Request) -> Answer {
        if let Some(answer) = request.too_long() {
            return answer;
        }
        let place = self.place(request);
        if place.host.ends_with(".lightning.force.com") {
            return login_page();
        }
        match place.path {
            TOKEN_PATH => self.token(request, &place),
            AUTHORIZE_PATH => self.authorize(request, &place),
            REVOKE_PATH => self.revoke(request),
            path if path == USERINFO_PATH || path.starts_with("/id/") => self.identity(request),
            path if path.starts_with("/services/data") || path.starts_with("/services/apexrest/") => {
                self.api(request, &place)
            }
            _ => Answer::html(404, "URL No Longer Exists"),
        }
    }

    fn place<'a>(&self, request: &'a Request) -> Place<'a> {
        let scheme = self.url.split("//").next().unwrap_or_default();
        let authority = request.host();
        let host = authority.split(':').next().unwrap_or_default();
        // Salesforce's own CLI begins its paths with two slashes.
        let doubled = request.path.bytes().take_while(|byte| *byte == b'/').count().saturating_sub(1);
        let path = &request.path[doubled..];
        let in_site = path.strip_prefix(SITE_PATH).filter(|rest| rest.starts_with('/'));
        let (site, path) = match in_site {
            Some(rest) => (Some(SITE_PATH), rest),
            None if host.ends_with(".my.site.com") => (Some(""), path),
            None => (None, path),
        };
        Place { host, origin: format!("{scheme}//{authority}"), site, path }
    }

    /// The token endpoint.
    fn token(&mut self, request: &Request, place: &Place) -> Answer {
        let turned_into_get = request.method == "GET" && request.param("grant_type").is_none();
        if turned_into_get || (request.method == "POST" && !request.is_form()) {
            return Answer::oauth_error("unsupported_grant_type", "grant type not supported");
        }
        if request.method != "POST" {
            return Answer::oauth_error("invalid_request", "POST required");
        }
        let form: Form = match text::form(&request.body) {
            Ok(pairs) => pairs.into_iter().collect(),
            Err(problem) => return Answer::oauth_error("invalid_request", &problem),
        };
        match self.grant(&form, place) {
            Ok(user) => {
                let reply = self.log_in(user, &form, place);
                Answer::json(200, Value::Object(reply)).header("Cache-Control", "no-cache, no-store")
            }
            Err((error, description)) => Answer::oauth_error(error, description),
        }
    }

    /// As whom this form logs in.
    fn grant(&mut self, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        let grant_type = form.get("grant_type").map(String::as_str);
        let Some(grant_type @ ("password" | "client_credentials" | "authorization_code")) = grant_type else {
            return Err(("unsupported_grant_type", "grant type not supported"));
        };
        if form.get("client_id").map(String::as_str) != Some(CLIENT_ID) {
            return Err(("invalid_client_id", "client identifier invalid"));
        }
        let secret_required = self.setup.secret_required || grant_type == "client_credentials";
        match form.get("client_secret") {
            Some(secret) if secret == CLIENT_SECRET => {}
            None if !secret_required => {}
            _ => return Err(("invalid_client", "invalid client credentials")),
        }
        match grant_type {
            "password" => self.grant_password(form, place),
            "client_credentials" => self.grant_client_credentials(place),
            _ => self.grant_code(form, place),
        }
    }

    /// Whether the org lets in who has the right credentials.
    fn admit(&self) -> Result<(), Refused> {
        if !self.setup.user_active {
            return Err(("invalid_grant", "inactive user"));
        }
        if !self.setup.user_approved {
            return Err(("invalid_grant", "user hasn't approved this consumer"));
        }
        self.setup.refusal.map_or(Ok(()), Err)
    }

    fn grant_password(&self, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        let setup = &self.setup;
        let token = if setup.security_token_required { SECURITY_TOKEN } else { "" };
        let right = form.get("username").is_some_and(|username| username == USERNAME)
            && form.get("password").and_then(|p| p.strip_prefix(PASSWORD)) == Some(token);
        if !setup.password_flow_allowed || place.site.is_some() || !right {
            return Err(AUTHENTICATION_FAILURE);
        }
        self.admit().map(|()| &ADA)
    }

    fn grant_client_credentials(&self, place: &Place) -> Result<&'static User, Refused> {
        if is_generic(place.host) {
            Err(("invalid_grant", "request not supported on this domain"))
        } else if !self.setup.client_credentials_enabled {
            Err(("invalid_grant", "client credentials flow not enabled"))
        } else if !self.setup.run_as_user {
            Err(("invalid_grant", "no client credentials user enabled"))
        } else {
            self.admit().map(|()| &ADA)
        }
    }

    fn grant_code(&mut self, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        // Taken off the list whatever comes of it: a code is good for one try.
        let code = form.get("code").and_then(|code| self.codes.remove(code));
        let Some(code) = code.filter(|_| place.site.is_some()) else {
            return Err(("invalid_grant", "invalid authorization code"));
        };
        if self.setup.expire_codes {
            return Err(("invalid_grant", "expired authorization code"));
        }
        if form.get("redirect_uri") != Some(&code.redirect_uri) {
            return Err(REDIRECT_URI_MISMATCH);
        }
        let verified = match (&code.challenge, form.get("code_verifier")) {
            (None, None) => true,
            (Some(expected), Some(verifier)) => challenge(verifier).as_ref() == Some(expected),
            // A verifier without a challenge is a client's mistake as well.
            _ => false,
        };
        if !verified {
            return Err(("invalid_grant", "invalid code verifier"));
        }
        Ok(&BOB)
    }

    /// Begins a session, and describes it as the token endpoint does.
    fn log_in(&mut self, user: &'static User, form: &Form, place: &Place) -> Map<String, Value> {
        let token = self.setup.token.clone();
        let token =
            token.unwrap_or_else(|| format!("{}!AQ{}", &ORG_ID[..15], self.random.text(ALPHABET, 92)));
        self.sessions.insert(token.clone(), Session { user, uses: 0 });

        let (instance_url, id_host) = if is_loopback(place.host) {
            (self.url.clone(), self.url.clone())
        } else if place.host.ends_with(".my.salesforce.com") {
            (format!("https://{}", place.host), "https://login.salesforce.com".to_owned())
        } else if place.host == "test.salesforce.com" {
            (MY_DOMAIN.to_owned(), "https://test.salesforce.com".to_owned())
        } else {
            (MY_DOMAIN.to_owned(), "https://login.salesforce.com".to_owned())
        };
        let signature: Vec<u8> = (0..4).flat_map(|_| self.random.next().to_be_bytes()).collect();
        let mut reply = Map::new();
        let mut put = |name: &str, value: String| reply.insert(name.to_owned(), value.into());
        put("access_token", token);
        put("instance_url", self.setup.instance_url.clone().unwrap_or(instance_url));
        put("id", format!("{id_host}/id/{ORG_ID}/{}", user.id));
        put("token_type", "Bearer".to_owned());
        put("issued_at", text::now().to_string());
        put("signature", BASE64_STANDARD.encode(signature));
        if form["grant_type"] != "password" {
            put("scope", "api".to_owned());
        }
        if let Some(site) = place.site {
            put("sfdc_community_url", format!("{}{site}", place.origin));
            put("sfdc_community_id", SITE_ID.to_owned());
        }
        reply.extend(self.setup.reply_extra.clone());
        reply.retain(|name, _| !self.setup.reply_without.contains(name));
        reply
    }

    /// The first half of the code and credentials flow.
    fn authorize(&mut self, request: &Request, place: &Place) -> Answer {
        let named_user = request.header("auth-request-type") == Some("Named-User");
        let Some(site) = place.site.filter(|_| request.method == "POST" && named_user) else {
            // Everybody else is taken for a person with a browser.
            return login_page();
        };
        let site_url = format!("{}{site}", place.origin);
        let echo = format!("{site_url}{ECHO_PATH}");
        let form: Form = match text::form(&request.body) {
            Ok(pairs) if request.is_form() => pairs.into_iter().collect(),
            Ok(_) => return Answer::oauth_error("invalid_request", "not a form"),
            Err(problem) => return Answer::oauth_error("invalid_request", &problem),
        };
        if form.get("client_id").map(String::as_str) != Some(CLIENT_ID) {
            return self.refuse_code(("invalid_client_id", "client identifier invalid"), None, &site_url);
        }
        let redirect_uri = form.get("redirect_uri").filter(|uri| *uri == REDIRECT_URI || **uri == echo);
        let Some(redirect_uri) = redirect_uri else {
            // Nor is anything sent to where nobody knows who listens.
            return self.refuse_code(REDIRECT_URI_MISMATCH, None, &site_url);
        };
        if let Err(refused) = self.check_customer(request, &form) {
            return self.refuse_code(refused, Some(redirect_uri), &site_url);
        }
        let code = format!("aPrx{}==", self.random.text(ALPHABET, 70));
        let challenge = form.get("code_challenge").cloned();
        self.codes.insert(code.clone(), Code { redirect_uri: redirect_uri.clone(), challenge });
        if *redirect_uri == echo {
            let found = json!({
                "code": code, "sfdc_community_url": site_url, "sfdc_community_id": SITE_ID,
            });
            return Answer::json(200, found);
        }
        let (code, site_url) = (text::escape(&code), text::escape(&site_url));
        Answer::redirect(
            302,
            format!("{redirect_uri}?code={code}&sfdc_community_url={site_url}&sfdc_community_id={SITE_ID}"),
        )
    }

    fn refuse_code(&self, (error, description): Refused, callback: Option<&str>, site_url: &str) -> Answer {
        let query = format!("error={error}&error_description={}", text::escape(description));
        match (self.setup.authorize_errors, callback) {
            (AuthorizeErrors::Callback, Some(callback)) => {
                Answer::redirect(302, format!("{callback}?{query}"))
            }
            (AuthorizeErrors::Json | AuthorizeErrors::Callback, _) => Answer::oauth_error(error, description),
            (AuthorizeErrors::ErrorPage, _) => {
                Answer::redirect(302, format!("{site_url}/setup/secur/RemoteAccessErrorPage.apexp?{query}"))
            }
            (AuthorizeErrors::FormText, _) => Answer::new(400).body(query),
        }
    }

    fn check_customer(&self, request: &Request, form: &Form) -> Result<(), Refused> {
        if form.get("response_type").map(String::as_str) != Some("code_credentials") {
            return Err(("unsupported_response_type", "response type not supported"));
        }
        match (form.get("code_challenge"), form.get("code_challenge_method").map(String::as_str)) {
            (None, None) if !self.setup.pkce_required => {}
            (None, _) => return Err(("invalid_request", "missing required code challenge")),
            (Some(challenge), Some("S256")) if is_sha256(challenge) => {}
            (Some(_), _) => return Err(("invalid_request", "invalid code challenge")),
        }
        if !self.setup.code_credentials_enabled {
            return Err(("invalid_client", "code credential flow not enabled"));
        }
        let given = if self.setup.credentials_in_body {
            form.get("username").cloned().zip(form.get("password").cloned())
        } else {
            request.header("authorization").and_then(basic_credentials)
        };
        let right = (SITE_USERNAME.to_owned(), SITE_PASSWORD.to_owned());
        if given != Some(right) {
            return Err(AUTHENTICATION_FAILURE);
        }
        self.admit()
    }

    /// Ends a session.
    fn revoke(&mut self, request: &Request) -> Answer {
        if request.method != "POST" || !request.is_form() {
            return Answer::oauth_error("invalid_request", "POST of a form required");
        }
        let form = match text::form(&request.body) {
            Ok(pairs) => pairs,
            Err(problem) => return Answer::oauth_error("invalid_request", &problem),
        };
        let token = form.iter().find(|(name, _)| name == "token");
        match token.and_then(|(_, token)| self.sessions.remove(token)) {
            Some(_) => Answer::new(200),
            None => Answer::oauth_error("invalid_token", "invalid token"),
        }
    }

    /// What the `id` of a token reply leads to, and `OpenID` Connect's view of the same, which have
    /// errors of their own kind.
    fn identity(&mut self, request: &Request) -> Answer {
        match self.user(request) {
            Ok(user) => Answer::json(
                200,
                json!({
                    "sub": format!("{}/id/{ORG_ID}/{}", self.url, user.id),
                    "user_id": user.id,
                    "organization_id": ORG_ID,
                    "preferred_username": user.name,
                    "username": user.name,
                }),
            ),
            Err(_) => Answer::text(403, "Bad_OAuth_Token"),
        }
    }

    fn api(&mut self, request: &Request, place: &Place) -> Answer {
        let compress = self.setup.gzip && request.lists("accept-encoding", "gzip");
        let versions = matches!(place.path, "/services/data" | "/services/data/");
        let answer = if is_generic(place.host) && !versions {
            let problem = "Destination URL not reset. The URL returned from login must be set";
            Refusal::new(404, "URL_NOT_RESET", problem).into()
        } else if versions {
            rest::versions()
        } else {
            self.user(request)
                .and_then(|_| self.data.respond(request, place.path, &self.setup))
                .unwrap_or_else(Answer::from)
        };
        if compress && answer.body_len() > 200 { answer.gzip() } else { answer }
    }

    /// Who sent this request, which counts as a use of the session.
    fn user(&mut self, request: &Request) -> Result<&'static User, Refusal> {
        let expired = || Refusal::new(401, "INVALID_SESSION_ID", "Session expired or invalid");
        let header = request.header("authorization").ok_or_else(expired)?;
        let Some(token) = header.strip_prefix("Bearer ").filter(|token| !token.contains(' ')) else {
            return Err(Refusal::new(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"));
        };
        let session = self.sessions.get_mut(token).ok_or_else(expired)?;
        if self.setup.session_uses.is_some_and(|most| session.uses >= most) {
            self.sessions.remove(token);
            return Err(expired());
        }
        session.uses += 1;
        Ok(session.user)
    }
}

/// What a person with a browser would see, and a program does not expect.
fn login_page() -> Answer {
    Answer::html(200, "Login | Salesforce")
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.starts_with("127.")
}

fn is_generic(host: &str) -> bool {
    matches!(host, "login.salesforce.com" | "test.salesforce.com")
}

/// The S256 challenge of a verifier that has the form of RFC 7636.
fn challenge(verifier: &str) -> Option<String> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let fits = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    fits.then(|| BASE64_URL_SAFE_NO_PAD.encode(Hash::hash(verifier.as_bytes())))
}

/// Whether this can be a challenge: 32 bytes in base64url, without padding.
fn is_sha256(challenge: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32)
}

fn basic_credentials(header: &str) -> Option<(String, String)> {
    let decoded = BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}
