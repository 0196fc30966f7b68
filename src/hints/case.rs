//! A failure as the table of hints looks at it: what kind it is, what was said, what was tried.

use crate::error::{ErrorKind, Outcome};
use crate::settings::{Renewal, Settings};
use crate::wire::no_reply::Cause;
use crate::wire::send::Request;

pub(crate) struct Case<'a> {
    pub(crate) kind: &'a ErrorKind,
    pub(crate) odd: Odd,
    /// What the other side really said, in lower case, before anything of it is withheld: "`invalid_grant`:
    /// authentication failure" (the description may be empty), of a refused request one such line for each
    /// error; an HTML page's title; text that is not JSON; the host of a redirect; why there is no reply.
    pub(crate) said: String,
    /// The host that was asked, with its port when that is not https's own.
    pub(crate) host: &'a str,
    pub(crate) tried: Tried<'a>,
    pub(crate) outcome: Outcome,
}

/// What came instead of a documented reply, or of any.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    Empty,
    /// Nothing, from Salesforce's edge instead of the org.
    Edge,
    Html,
    Text,
    /// JSON of another shape than documented.
    Json,
    NotModified,
    /// A redirect, or the URL of a site, that leads to another host.
    Elsewhere,
    /// Or corrupted on its way.
    Truncated,
    TooLarge,
    /// JSON, but not of the caller's type.
    Unfit,
    /// No code in the reply of the authorize endpoint.
    NoCode,
    /// A new login arrived at another instance, organization or user.
    LoginElsewhere,
    /// Pages of a query that repeat, never end or lead elsewhere.
    Pages,
    /// A subquery with more rows than the page holds.
    Subquery,
    NoReply(Cause),
    /// What has no hint of its own: a refusal is known by its words.
    Other,
}

#[derive(Clone, Copy)]
pub(crate) enum Tried<'a> {
    Login(&'a Settings),
    Request { request: &'a Request<'a>, renewal: &'a Renewal },
}

impl Tried<'_> {
    /// Whether a reply with this status refuses a login, though its reason got lost.
    pub(crate) fn is_refused_by(self, status: u16) -> bool {
        matches!((self, status), (Tried::Login(_), 400 | 401 | 403))
    }
}

/// What is said of a user whom the app's policies may not know.
pub(super) const UNAPPROVED: &str = "approved this consumer|admin approved|preauthorized|invalid_app_access";

/// What is said of an External Client App that is not there.
pub(super) const APP_UNKNOWN: &str = "app_not_found|not installed in this org";

/// What the table asks. Words are parted by `|`, and one of them must have been said.
impl Case<'_> {
    pub(super) fn says(&self, words: &str) -> bool {
        words.split('|').any(|words| self.said.contains(words))
    }

    pub(super) fn refused(&self, words: &str) -> bool {
        matches!(self.kind, ErrorKind::Refused { .. }) && self.says(words)
    }

    pub(super) fn api(&self, words: &str) -> bool {
        matches!(self.kind, ErrorKind::Api { .. }) && self.says(words)
    }

    pub(super) fn tls(&self, words: &str) -> bool {
        self.no_reply(&[Cause::Certificate, Cause::Tls]) && self.says(words)
    }

    pub(super) fn got(&self, odds: &[Odd]) -> bool {
        odds.contains(&self.odd)
    }

    pub(super) fn no_reply(&self, causes: &[Cause]) -> bool {
        matches!(self.odd, Odd::NoReply(cause) if causes.contains(&cause))
    }

    pub(super) fn status(&self) -> u16 {
        self.kind.status().unwrap_or_default()
    }

    /// A refusal with this error code, whose description says no more than the code.
    pub(super) fn bare(&self, code: &str) -> bool {
        let (said, description) = self.said.split_once(':').unwrap_or((&self.said, ""));
        let description = description.trim();
        let empty = matches!(description, "" | "authentication failure");
        self.refused("") && said == code && (empty || description.replace(' ', "_") == code)
    }

    /// The answer to nearly every login that Salesforce does not take.
    pub(super) fn no_cause(&self) -> bool {
        self.bare("invalid_grant")
    }

    /// A refusal that may mean that nobody has this username there.
    pub(super) fn is_user_unknown(&self) -> bool {
        self.no_cause() || self.by("JWT") && self.refused(UNAPPROVED)
    }

    pub(super) fn bad_password(&self) -> bool {
        self.by("password") && (self.no_cause() || self.refused("invalid password"))
    }

    /// Whether the security token stands at the password's end as well.
    pub(super) fn sent_token_twice(&self) -> bool {
        let token = self.value("security_token").filter(|token| !token.is_empty());
        token.zip(self.value("password")).is_some_and(|(token, password)| password.ends_with(token))
    }

    pub(super) fn unknown_key(&self) -> bool {
        self.bare("invalid_client_id") || self.refused("client identifier invalid")
    }

    pub(super) fn wrong_secret(&self) -> bool {
        !self.by("JWT") && (self.bare("invalid_client") || self.refused("invalid client credentials"))
    }

    /// A refusal by its status, whose words were lost.
    pub(super) fn reason_lost(&self) -> bool {
        let lost = [Odd::Truncated, Odd::Empty, Odd::TooLarge, Odd::Text, Odd::Json];
        self.outcome == Outcome::Lasting && self.got(&lost)
    }

    pub(super) fn unknown_issuer(&self) -> bool {
        self.tls("unknownissuer|issuer certificate|verify the first|self-signed|self signed|not trusted")
    }

    /// Nobody was reached: the proxy, or without one the host.
    pub(super) fn unconnected(&self) -> bool {
        use Cause::{ConnectTimeout, ConnectionRefused, NameNotFound, Unreachable};
        self.no_reply(&[NameNotFound, ConnectTimeout, ConnectionRefused, Unreachable])
    }

    /// A redirect to the callback's host, but not to the callback.
    pub(super) fn to_callback(&self) -> bool {
        let callback = self.value("redirect_uri").and_then(|uri| uri.split('/').nth(2));
        callback.is_some_and(|host| host.eq_ignore_ascii_case(&self.said))
    }

    pub(super) fn login(&self) -> Option<&Settings> {
        match self.tried {
            Tried::Login(login) => Some(login),
            Tried::Request { .. } => None,
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.login()?.value(name)
    }

    /// The path that was asked for; none of a login.
    pub(super) fn path(&self) -> &str {
        match self.tried {
            Tried::Request { request, .. } => &request.path,
            Tried::Login(_) => "",
        }
    }

    pub(super) fn is_apex(&self) -> bool {
        self.path().starts_with("/services/apexrest/")
    }

    /// Whether the API's refusal is, or may be, that of an expired session.
    pub(super) fn has_expired(&self) -> bool {
        self.api("invalid_session_id|invalid_jwt_format") && !self.says("the rest api")
    }

    pub(super) fn can_log_in(&self) -> bool {
        matches!(self.tried, Tried::Request { renewal: Renewal::Login(_), .. })
    }

    pub(super) fn may_be_done(&self) -> bool {
        self.outcome == Outcome::Unknown
    }

    /// Whether the settings came from the environment, so that hints name variables and not methods.
    pub(super) fn names_variables(&self) -> bool {
        match self.tried {
            Tried::Login(login) => login.from_env,
            Tried::Request { renewal, .. } => match renewal {
                Renewal::Login(login) => login.from_env,
                Renewal::Unusable(_) => true,
                Renewal::TokenAlone { from_env } => *from_env,
            },
        }
    }

    /// Whether it is a login by this flow, as the `tried:` line begins.
    pub(super) fn by(&self, flow: &str) -> bool {
        self.login().is_some_and(|login| login.to_string().starts_with(flow))
    }

    /// Whether a setting was sent with quotes around it.
    pub(super) fn has_quotes(&self) -> bool {
        let is_in = |value: &str, quote| value.strip_prefix(quote).is_some_and(|rest| rest.ends_with(quote));
        let is_quoted = |value: &str| is_in(value, '"') || is_in(value, '\'');
        self.login().is_some_and(|login| login.values().any(|(_, value)| is_quoted(value)))
    }

    /// `test-x1y2z3@example.com`: as Salesforce's CLI names a scratch org's users.
    pub(super) fn is_scratch_user(&self) -> bool {
        self.value("username").is_some_and(|name| name.starts_with("test-") && name.ends_with("@example.com"))
    }

    /// `ada@example.com.uat`: whether the domain goes on after its top-level domain, as far as can be told.
    pub(super) fn is_sandbox_user(&self) -> Option<bool> {
        const TOP: [&str; 9] = ["com", "org", "net", "edu", "gov", "mil", "int", "info", "biz"];
        // Two letters may be a country's.
        let is_top = |label: &str| label.len() == 2 || TOP.contains(&label);
        let (_, domain) = self.value("username").filter(|_| !self.is_scratch_user())?.rsplit_once('@')?;
        let domain = domain.to_lowercase();
        match domain.split('.').collect::<Vec<_>>()[..] {
            [_, .., top, last] if is_top(top) => (!is_top(last)).then_some(true),
            _ => Some(false),
        }
    }
}
