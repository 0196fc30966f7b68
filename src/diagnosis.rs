//! From a reply, or from none, to the error that a person reads.

use crate::error::{ApiError, Error, ErrorKind, Outcome};
use crate::hints::case::{Case, Odd, Tried};
use crate::hints::hints;
use crate::redact::{Secrets, WITHHELD, lines, printable};
use crate::refusal::passing;
use crate::wire::no_reply::{Cause, NoReply};
use crate::wire::reply::{Misfit, Reply};
use crate::wire::url::is_absolute;
use crate::wire::{Fault, RequestKind};

/// What an error has to know of what was tried.
pub(crate) struct Context<'a> {
    pub(crate) host: &'a str,
    pub(crate) secrets: Secrets,
    pub(crate) tried: Tried<'a>,
    pub(crate) kind: RequestKind,
}

impl Context<'_> {
    /// An error with its `tried:` line and its hints, which are chosen by what was really `said`.
    pub(crate) fn error(&self, kind: ErrorKind, odd: Odd, said: &str, fault: Option<Fault>) -> Error {
        let is_write = self.kind == RequestKind::Write;
        use ErrorKind::{Refused, Unexpected};
        let outcome = match (&kind, fault) {
            (Unexpected { status, .. }, _) if self.tried.is_refused_by(*status) => Outcome::Lasting,
            (Unexpected { status: 200..=299, .. }, _) if is_write => Outcome::Unknown,
            (_, None) => Outcome::Failed,
            (Refused { .. }, _) => Outcome::Transient,
            (_, Some(Fault::Lost | Fault::Unavailable)) if is_write => Outcome::Unknown,
            _ => Outcome::Transient,
        };
        let said = said.to_lowercase();
        let hints = hints(&Case { kind: &kind, odd, said, host: self.host, tried: self.tried, outcome });
        Error::new(kind, Some(self.tried()), hints, outcome)
    }

    /// What was tried, in words; the path may be one that the API made, as that of a query's next page.
    fn tried(&self) -> String {
        match self.tried {
            Tried::Login(login) => login.to_string(),
            Tried::Request { request, .. } => {
                let path = self.secrets.show(request.path.split('?').next().unwrap_or_default());
                format!("{} {path}, host {}", request.method, self.host)
            }
        }
    }

    pub(crate) fn no_reply(&self, error: &NoReply) -> Error {
        use Cause::{Certificate, NotHttp, Other, Proxy, Tls, Unreachable};
        // The words of the TLS library, which can be a certificate's, of a transport or of a parser.
        let is_theirs =
            matches!(error.cause, Certificate | Tls | Unreachable | NotHttp | Proxy(0 | 407) | Other);
        let withheld = is_theirs && self.secrets.stand_in(&error.words);
        let words = if withheld { WITHHELD.to_owned() } else { printable(&error.words) };
        let told = match error.status {
            // Of a reply that was too slow, the status says no more, unless it refuses a login.
            Some(status) if error.cause != Cause::ReplyTimeout || self.tried.is_refused_by(status) => {
                let odd = if error.cause == Cause::TooLarge { Odd::TooLarge } else { Odd::Truncated };
                let kind = ErrorKind::Unexpected { status, problem: words };
                self.error(kind, odd, "", error.fault)
            }
            _ => {
                let kind = ErrorKind::Transport { host: self.host.to_owned(), cause: words };
                self.error(kind, Odd::NoReply(error.cause), &error.words, error.fault)
            }
        };
        told.asks_to_wait(error.retry_after)
    }

    /// A refusal of the API, or what came instead of one.
    pub(crate) fn refused(&self, reply: &Reply, fault: Option<Fault>, mut errors: Vec<ApiError>) -> Error {
        if errors.is_empty() {
            return self.instead_of_json(reply);
        }
        let fault = fault.or_else(|| passing(&errors));
        let said: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.error_code, e.message)).collect();
        for error in &mut errors {
            error.error_code = self.secrets.show(&error.error_code);
            error.message = self.secrets.show_as(&error.message, lines);
            error.fields = error.fields.iter().map(|field| self.secrets.show(field)).collect();
        }
        let kind = ErrorKind::Api { status: reply.status, errors };
        self.error(kind, Odd::Other, &said.join("\n"), fault).asks_to_wait(reply.retry_after)
    }

    /// A reply that is wrong in a way which our own words tell.
    pub(crate) fn unexpected(&self, status: u16, odd: Odd, problem: impl Into<String>) -> Error {
        let problem = problem.into();
        let kind = ErrorKind::Unexpected { status, problem: problem.clone() };
        self.error(kind, odd, &problem, None)
    }

    /// A good reply that cannot be read as what it was asked for.
    pub(crate) fn misfit(&self, reply: &Reply, misfit: Misfit) -> Error {
        match misfit {
            _ if reply.html_title().is_some() => self.instead_of_json(reply),
            Misfit::NotUtf8 => self.unexpected(reply.status, Odd::Truncated, "not UTF-8"),
            Misfit::NotJson(problem) => self.unexpected(reply.status, Odd::Text, problem),
            // Names of fields are not ours.
            Misfit::Unfit(problem) => self.unexpected(reply.status, Odd::Unfit, self.secrets.show(&problem)),
        }
    }

    /// What came instead of JSON of a documented shape.
    pub(crate) fn instead_of_json(&self, reply: &Reply) -> Error {
        let ours = |odd, problem: &str| (odd, String::new(), problem.to_owned());
        let location = reply.location.as_deref().unwrap_or_default();
        let (odd, said, problem) = match reply.status {
            304 => ours(Odd::NotModified, "not modified"),
            300..=399 => match self.leads_elsewhere(location) {
                Some(host) if !host.is_empty() => {
                    let shown = self.secrets.host(&host);
                    (Odd::Elsewhere, host, format!("a redirect to {shown}, which was not followed"))
                }
                None if !location.is_empty() => {
                    ours(Odd::Other, "a redirect within the host, which was not followed")
                }
                _ => ours(Odd::Other, "a redirect that names no place"),
            },
            // Neither status would ask for a repeat by itself.
            404 | 406 if reply.is_blank() && reply.fault().is_some() => ours(Odd::Edge, "empty"),
            _ if reply.is_blank() => ours(Odd::Empty, "empty"),
            _ => self.words_instead(reply),
        };
        let kind = ErrorKind::Unexpected { status: reply.status, problem };
        self.error(kind, odd, &said, reply.fault()).asks_to_wait(reply.retry_after)
    }

    fn words_instead(&self, reply: &Reply) -> (Odd, String, String) {
        if let Some(title) = reply.html_title() {
            let problem = match &*self.secrets.show(&title) {
                "" => "an HTML page".to_owned(),
                title => format!("an HTML page titled \"{title}\""),
            };
            return (Odd::Html, title, problem);
        }
        let (odd, what) = match reply.json() {
            Some(_) => (Odd::Json, "JSON of another shape than documented"),
            None => (Odd::Text, "text that is not JSON"),
        };
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        let problem = match self.tried {
            Tried::Login(_) => what.to_owned(),
            // Some resources, and every Apex class, have a way of their own to say why.
            Tried::Request { .. } => format!("{what}: {}", self.secrets.show(&said)),
        };
        (odd, said, problem)
    }

    /// The host to which a redirect leads, if that is another.
    pub(crate) fn leads_elsewhere(&self, location: &str) -> Option<String> {
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
}
