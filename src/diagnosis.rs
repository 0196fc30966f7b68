//! From a reply, or from none, to the error that a person reads.

use crate::error::{ApiError, Error, ErrorKind, Outcome};
use crate::hints::case::{Case, Odd, Symptom, Tried};
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
    pub(crate) fn error(&self, kind: ErrorKind, symptom: Symptom, said: &str, fault: Option<Fault>) -> Error {
        let withheld = matches!(&kind, ErrorKind::Refused { description, .. } if description == WITHHELD);
        let may_be_done = self.kind == RequestKind::Write
            && match symptom {
                Symptom::Refused(_) => false,
                Symptom::Unexpected(200..=299, _) => true,
                _ => matches!(fault, Some(Fault::Lost | Fault::Unavailable)),
            };
        let outcome = match symptom {
            Symptom::Unexpected(status, _) if self.tried.is_refused_by(status) => Outcome::Lasting,
            _ if may_be_done => Outcome::Unknown,
            _ if fault.is_some() => Outcome::Transient,
            _ => Outcome::Failed,
        };
        let said = said.to_lowercase();
        let case = Case { symptom, said, withheld, host: self.host, tried: self.tried, outcome };
        Error::new(kind, self.tried(), hints(&case), outcome)
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
        };
        told.asks_to_wait(error.retry_after)
    }

    /// A refusal of the API, or what came instead of one.
    pub(crate) fn refused(&self, reply: &Reply, mut errors: Vec<ApiError>) -> Error {
        if errors.is_empty() {
            return self.instead_of_json(reply);
        }
        let fault = reply.fault().or_else(|| passing(&errors));
        let said: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.error_code, e.message)).collect();
        for error in &mut errors {
            error.error_code = self.secrets.show(&error.error_code);
            error.message = self.secrets.show_as(&error.message, lines);
            error.fields = error.fields.iter().map(|field| self.secrets.show(field)).collect();
        }
        let kind = ErrorKind::Api { status: reply.status, errors };
        let error = self.error(kind, Symptom::Api(reply.status), &said.join("\n"), fault);
        error.asks_to_wait(reply.retry_after)
    }

    pub(crate) fn unexpected(&self, status: u16, odd: Odd, problem: impl Into<String>) -> Error {
        let kind = ErrorKind::Unexpected { status, problem: problem.into() };
        self.error(kind, Symptom::Unexpected(status, odd), "", None)
    }

    /// A good reply that cannot be read as what it was asked for.
    pub(crate) fn misfit(&self, reply: &Reply, misfit: Misfit) -> Error {
        let (odd, problem) = match misfit {
            _ if reply.html_title().is_some() => return self.instead_of_json(reply),
            Misfit::NotUtf8 => (Odd::NotUtf8, "not UTF-8".to_owned()),
            Misfit::NotJson(problem) => (Odd::Text, problem),
            Misfit::Unfit(problem) => (Odd::Unfit, self.secrets.show(&problem)),
        };
        // These words are our own, but for names of fields.
        let said = problem.clone();
        let kind = ErrorKind::Unexpected { status: reply.status, problem };
        self.error(kind, Symptom::Unexpected(reply.status, odd), &said, None)
    }

    /// What came instead of JSON of a documented shape.
    pub(crate) fn instead_of_json(&self, reply: &Reply) -> Error {
        let mut said = String::new();
        let (odd, problem) = if reply.status == 304 {
            (Odd::NotModified, "not modified".to_owned())
        } else if (300..400).contains(&reply.status) {
            let location = reply.location.as_deref().unwrap_or_default();
            let elsewhere = self.leads_elsewhere(location);
            if location.is_empty() || elsewhere.as_deref() == Some("") {
                (Odd::Redirect, "a redirect that names no place".to_owned())
            } else if let Some(host) = elsewhere {
                let problem = format!("a redirect to {}, which was not followed", self.secrets.host(&host));
                said = host;
                (Odd::RedirectElsewhere, problem)
            } else {
                (Odd::Redirect, "a redirect within the host, which was not followed".to_owned())
            }
        } else if reply.is_blank() {
            // Neither status would ask for a repeat by itself.
            let is_edge = matches!(reply.status, 404 | 406) && reply.fault().is_some();
            (if is_edge { Odd::Edge } else { Odd::Empty }, "empty".to_owned())
        } else if let Some(title) = reply.html_title() {
            said = title;
            let problem = match &*self.secrets.show(&said) {
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
                Tried::Request { .. } => format!("{what}: {}", self.secrets.show(&said)),
            };
            (odd, problem)
        };
        let kind = ErrorKind::Unexpected { status: reply.status, problem };
        let error = self.error(kind, Symptom::Unexpected(reply.status, odd), &said, reply.fault());
        error.asks_to_wait(reply.retry_after)
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
