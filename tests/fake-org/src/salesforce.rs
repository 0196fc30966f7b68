//! The org behind the endpoints: its sessions, its users, and where a request went.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use serde_json::json;

use crate::chaos::Random;
use crate::rest::{self, Refusal, Rest};
use crate::{Answer, ORG_ID, Request, SITE_USER_ID, SITE_USERNAME, Setup, USER_ID, USERNAME, text};

mod code;
mod jwt;
mod login;

use code::Code;

/// What tokens and codes are made of.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// Where the Experience Cloud site begins.
pub(crate) const SITE_PATH: &str = "/customers";

pub(crate) const TOKEN_PATH: &str = "/services/oauth2/token";
const AUTHORIZE_PATH: &str = "/services/oauth2/authorize";
const REVOKE_PATH: &str = "/services/oauth2/revoke";
const USERINFO_PATH: &str = "/services/oauth2/userinfo";

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
    /// Whether it is one to which Login History shows everybody's entries, and nothing is refused.
    administrator: bool,
    uses: u32,
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

    pub(crate) fn administrator_token(&mut self) -> String {
        self.begin(&ADA, true)
    }

    /// What the org says to a request.
    pub(crate) fn respond(&mut self, request: &Request) -> Answer {
        if let Some(answer) = request.too_long() {
            return answer;
        }
        let place = self.place(request);
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
            Ok((user, _)) => Answer::json(
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
        let compress = request.lists("accept-encoding", "gzip");
        let versions = matches!(place.path, "/services/data" | "/services/data/");
        let answer = if is_generic(place.host) && !versions {
            let problem = "Destination URL not reset. The URL returned from login must be set";
            Refusal::new(404, "URL_NOT_RESET", problem).into()
        } else if versions {
            rest::versions()
        } else {
            self.user(request)
                .and_then(|(user, administrator)| {
                    let viewer = if administrator { None } else { Some(user.id) };
                    self.data.respond(request, place.path, &self.setup, viewer)
                })
                .unwrap_or_else(Answer::from)
        };
        if compress && answer.body_len() > 200 { answer.gzip() } else { answer }
    }

    /// Who sent this request, which counts as a use of the session, and whether as an administrator.
    fn user(&mut self, request: &Request) -> Result<(&'static User, bool), Refusal> {
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
        match self.setup.refusal {
            Some(refusal) if refusal.is_of_api() && !session.administrator => {
                Err(Refusal::new(401, refusal.error, refusal.description))
            }
            _ => Ok((session.user, session.administrator)),
        }
    }
}

/// What a person with a browser would see, and a program does not expect.
fn login_page() -> Answer {
    Answer::html(200, "Login | Salesforce")
}

fn is_generic(host: &str) -> bool {
    matches!(host, "login.salesforce.com" | "test.salesforce.com")
}
