//! `Error`: what failed, why, and what to look at; how it reads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why something failed, and what to look at.
///
/// `Display` is complete: what failed, why and the HTTP status on the first line (the lines of a SOQL
/// mistake, with the caret under it, follow it), then a line `tried: ...`, then a line `hint: ...` for each
/// hint, four at most. `Debug` prints the same, so that a `main` that returns this error, or one of anyhow's,
/// shows a person all of it. The cause is part of that text, so `source()` is `None`. Cheap to clone.
///
/// ```
/// use sf_login::{App, ErrorKind};
///
/// # let org = fake_org::Org::start();
/// let login = App::new("no such key", "s3cret").password("ada@example.com", "hunter2");
/// # let login = login.login_url(org.url());
/// let error = login.token().unwrap_err();
/// match error.kind() {
///     ErrorKind::Refused { error, .. } => println!("refused: {error}"),
///     _ if error.is_transient() => println!("try again later"),
///     _ => println!("{error}"),
/// }
/// # assert!(matches!(error.kind(), ErrorKind::Refused { error, .. } if error == "invalid_client_id"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Failure>);

#[derive(Clone)]
struct Failure {
    kind: ErrorKind,
    tried: Option<String>,
    hints: Vec<String>,
    outcome: Outcome,
    retry_after: Option<Duration>,
}

/// What is known of what was asked for, and what would become of it another time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was not done, and would not be.
    Failed,
    /// It was not done; but the cause may pass by itself.
    Transient,
    /// Nor would a new login be of use.
    Lasting,
    /// A write, or the exchange of a code, that may have been done.
    Unknown,
}

/// What failed, by what a caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, a path or a body is missing or cannot be used; nothing was sent.
    Setting {
        /// The setting as the caller wrote it: `SF_LOGIN_URL` or `login_url`. All variables that are missing,
        /// separated by commas.
        name: String,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// The host could not be reached, or the connection was lost.
    Transport {
        /// The host, with its port when that is not https's own.
        host: String,
        /// Why.
        cause: String,
    },
    /// Salesforce refused the login and said why.
    Refused {
        /// The HTTP status, nearly always 400.
        status: u16,
        /// OAuth's name for the reason, e.g. `invalid_grant`.
        error: String,
        /// Salesforce's description, or nothing where it gave none.
        description: String,
    },
    /// Salesforce refused an API request.
    Api {
        /// The HTTP status.
        status: u16,
        /// What Salesforce said, at least one; where a URL or headers are too long (414, 431), what that means.
        errors: Vec<ApiError>,
    },
    /// Not what Salesforce documents: HTML, bare text, a redirect, a missing field, a reply that is
    /// truncated, too large or does not fit the caller's type.
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// What came instead.
        problem: String,
    },
}

impl ErrorKind {
    pub(crate) fn status(&self) -> Option<u16> {
        use ErrorKind::{Api, Refused, Setting, Transport, Unexpected};
        match *self {
            Setting { .. } | Transport { .. } => None,
            Refused { status, .. } | Api { status, .. } | Unexpected { status, .. } => Some(status),
        }
    }
}

/// One of the reasons for which Salesforce refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// Salesforce's name for the reason, e.g. `INVALID_FIELD`; empty where it gave none.
    pub error_code: String,
    /// Salesforce's message, in the user's language. One about SOQL has several lines, one of them a caret
    /// under the mistake.
    pub message: String,
    /// The fields it is about, often none.
    pub fields: Vec<String>,
}

impl Error {
    /// What failed.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// What to look at, most likely first, one sentence each, four at most.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// The HTTP status, when there was a reply.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.kind.status()
    }

    /// After how long the server asked to be tried again, by a `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same call may be made again later, as it is: what was asked for was not done, and the cause
    /// may pass by itself. Never true together with [`may_have_been_done`](Error::may_have_been_done), so that
    /// a loop which goes by it writes nothing twice. What may be sent again at once has been, twice.
    ///
    /// | what happened | transient |
    /// |---|---|
    /// | no connection was made: the name was not found, nobody answered, the handshake broke off | yes |
    /// | the connection was lost, or no whole reply came in time | yes, but for a write |
    /// | 502, 503, 504, 420, an empty 404 or 406 of Salesforce's edge (`Server: sfdcedge`) | yes, but for a write |
    /// | 429 | yes |
    /// | a login's `rate_limit_exceeded`, `temporarily_unavailable`, `unknown_error`, `server_error` | yes |
    /// | `UNABLE_TO_LOCK_ROW`, `SERVER_UNAVAILABLE`, `REQUEST_LIMIT_EXCEEDED` of a `Concurrent...` limit | yes |
    /// | any other refusal: 500, the day's `REQUEST_LIMIT_EXCEEDED`, credentials | no |
    /// | a certificate that is not trusted, a login that TLS refused, a proxy that refused its password | no |
    /// | a reply of another shape: a page, a redirect, JSON that does not fit, one that is too large | no |
    /// | a setting that is missing or cannot be used | no |
    ///
    /// The exchange of a code, in the flow for Experience Cloud users, counts as a write.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.outcome == Outcome::Transient
    }

    /// Whether a write, or the exchange of a code, was sent and its outcome is not known: the connection was
    /// lost, the time was up, Salesforce was unavailable (see the table of
    /// [`is_transient`](Error::is_transient)), or the reply to what was done was truncated or did not fit the
    /// caller's type. Look whether it was done before you repeat it.
    #[must_use]
    pub fn may_have_been_done(&self) -> bool {
        self.0.outcome == Outcome::Unknown
    }

    /// Whether the credentials were refused, be it by the HTTP status alone (400, 401, 403), because the
    /// reason got lost on its way. They must not be sent again in a loop: failed logins lock the user out.
    #[must_use]
    pub fn is_refused_login(&self) -> bool {
        use ErrorKind::{Refused, Unexpected};
        self.is_lasting()
            && matches!(self.0.kind, Refused { .. } | Unexpected { status: 400 | 401 | 403, .. })
    }

    pub(crate) fn new(kind: ErrorKind, tried: Option<String>, hints: Vec<String>, outcome: Outcome) -> Error {
        Error(Arc::new(Failure { kind, tried, hints, outcome, retry_after: None }))
    }

    pub(crate) fn asks_to_wait(mut self, retry_after: Option<Duration>) -> Error {
        Arc::make_mut(&mut self.0).retry_after = retry_after;
        self
    }

    /// The same error, as one that a new login would meet again.
    pub(crate) fn lasting(mut self) -> Error {
        Arc::make_mut(&mut self.0).outcome = Outcome::Lasting;
        self
    }

    pub(crate) fn is_lasting(&self) -> bool {
        self.0.outcome == Outcome::Lasting
    }
}

pub(crate) fn setting(name: &str, problem: impl Into<String>) -> Error {
    let kind = ErrorKind::Setting { name: name.to_owned(), problem: problem.into() };
    Error::new(kind, None, Vec::new(), Outcome::Failed)
}

/// How many reasons, or fields, are more than a person reads.
const MOST: usize = 10;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = match &self.0.kind {
            ErrorKind::Setting { name, problem } => format!("{name} {problem}"),
            ErrorKind::Transport { host, cause } => format!("no reply from {host}: {cause}"),
            ErrorKind::Refused { status, error, description } => match &**description {
                "" => format!("login refused: {error} (HTTP {status})"),
                _ => format!("login refused: {description} ({error}, HTTP {status})"),
            },
            ErrorKind::Api { status, errors } => {
                let reasons: Vec<String> = errors.iter().take(MOST).map(ApiError::to_string).collect();
                let more = errors.len().saturating_sub(MOST);
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                format!("request refused: {}{more} (HTTP {status})", reasons.join("; "))
            }
            ErrorKind::Unexpected { status, problem } => {
                format!("unexpected reply: {problem} (HTTP {status})")
            }
        };
        f.write_str(&one_line(&first))?;
        if let ErrorKind::Api { errors, .. } = &self.0.kind {
            // What is to be read as lines: the SOQL, and the caret below its mistake.
            for error in errors.iter().take(MOST) {
                let (lines, _) = error.message.rsplit_once('\n').unwrap_or_default();
                lines.lines().try_for_each(|text| write!(f, "\n  {}", one_line(text)))?;
            }
        }
        if let Some(tried) = &self.0.tried {
            write!(f, "\ntried: {}", one_line(tried))?;
        }
        self.0.hints.iter().try_for_each(|hint| write!(f, "\nhint: {}", one_line(hint)))
    }
}

impl fmt::Display for ApiError {
    /// On one line: of a message of several lines, the last, which says what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.lines().next_back().unwrap_or_default().trim();
        let said = match (&*self.error_code, message) {
            (said, "") | ("", said) => said.to_owned(),
            (code, message) => format!("{message} ({code})"),
        };
        f.write_str(&one_line(&said))?;
        match self.fields.split_at(self.fields.len().min(MOST)) {
            ([], _) => Ok(()),
            (fields, _) => write!(f, " [fields: {}]", one_line(&fields.join(", "))),
        }
    }
}

/// Whatever words come into a line, they end none: the next could pass for one of ours.
fn one_line(text: &str) -> String {
    let ends_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if ends_line(c) { ' ' } else { c }).collect()
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
