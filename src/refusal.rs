//! What Salesforce says when it says no: OAuth's words, and the API's.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::wire::Fault;
use crate::wire::reply::Reply;
use crate::wire::url::read_form;

/// Why Salesforce refused a login, in its own words.
pub(crate) struct Refusal {
    pub(crate) error: String,
    pub(crate) description: String,
    /// What came with it all the same: a token or a code.
    pub(crate) secrets: Vec<String>,
}

impl Refusal {
    /// Finds a refusal in a reply's body, where it stands as JSON or as form text.
    pub(crate) fn read(reply: &Reply) -> Option<Refusal> {
        let fields = match reply.json() {
            Some(Value::Object(fields)) => fields,
            Some(_) => return None,
            None => read_form(reply.text().ok().map(str::trim).filter(|text| text.starts_with("error"))?),
        };
        let token = fields.get("access_token").map(|token| token.as_str().unwrap_or_default().trim());
        if reply.is_success() && token.is_some_and(|token| !token.is_empty()) {
            return None;
        }
        // What a server that is down says in JSON, or a proxy before it, is no word about the credentials; but
        // what names a token it does not give is the token endpoint's.
        let is_its_own = token.is_some() || (300..=403).contains(&reply.status);
        Refusal::of(&fields).filter(|refusal| is_its_own || refusal.is_known())
    }

    pub(crate) fn of(fields: &Map<String, Value>) -> Option<Refusal> {
        let text = |name: &str| {
            let field = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            field.and_then(|(_, value)| value.as_str()).map(str::to_owned)
        };
        Some(Refusal {
            error: text("error")?,
            description: text("error_description").unwrap_or_default(),
            secrets: ["access_token", "code"].into_iter().filter_map(text).collect(),
        })
    }

    /// Whether its code is one of OAuth's or of Salesforce's.
    fn is_known(&self) -> bool {
        let beginnings = "invalid_ inactive_ unsupported_ unauthorized_client access_denied redirect_uri_ \
                          app_not_found oauth_";
        let error = self.error.to_ascii_lowercase();
        self.may_pass() || beginnings.split(' ').any(|beginning| error.starts_with(beginning))
    }

    /// Whether it says nothing against the credentials.
    pub(crate) fn may_pass(&self) -> bool {
        let passing = ["rate_limit_exceeded", "temporarily_unavailable", "unknown_error", "server_error"];
        passing.iter().any(|error| self.error.eq_ignore_ascii_case(error))
    }

    /// Whatever the status says, refused credentials must not be sent again.
    pub(crate) fn fault(&self, reply: &Reply) -> Option<Fault> {
        let is_unknown = self.error.eq_ignore_ascii_case("unknown_error");
        let asks = is_unknown && self.description.to_lowercase().contains("retry your request");
        let passing = if asks { Fault::Unavailable } else { Fault::Passing };
        self.may_pass().then(|| reply.fault().unwrap_or(passing))
    }
}

/// What is wrong with a reply of an OAuth endpoint, as far as repeating goes.
pub(crate) fn oauth_fault(reply: &Reply) -> Option<Fault> {
    match Refusal::read(reply) {
        Some(refusal) => refusal.fault(reply),
        None => reply.fault().map(|fault| if cannot_refuse(reply) { fault } else { Fault::Passing }),
    }
}

/// Whether it is surely no refusal: what cannot be read could be one, and is not asked for again.
fn cannot_refuse(reply: &Reply) -> bool {
    // Other markup could be a refusal in XML.
    let has_html = || String::from_utf8_lossy(&reply.body).to_ascii_lowercase().contains("<html");
    // Written anew, so that a name has one form; it may stand in a text, too, which is JSON itself.
    let has_error = |json: &Value| json.to_string().to_ascii_lowercase().contains("\"error");
    reply.is_blank()
        || reply.html_title().is_some() && has_html()
        || reply.json().is_some_and(|json| json.is_object() && !has_error(&json))
}

/// The reasons for which the API refused a request, as it said them.
pub(crate) fn api_errors(reply: &Reply) -> Vec<ApiError> {
    /// More than a person reads.
    const MOST: usize = 50;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let error = |value: &Value| {
        let either = |a: &str, b: &str| value.get(a).or(value.get(b)).map(text);
        let (code, message) = (either("errorCode", "error"), either("message", "error_description"));
        let fields = value.get("fields").and_then(Value::as_array).into_iter().flatten();
        let fields = fields.take(MOST).map(text).collect();
        let is_one = code.is_some() || message.is_some();
        let (error_code, message) = (code.unwrap_or_default(), message.unwrap_or_default());
        is_one.then_some(ApiError { error_code, message, fields })
    };
    let alone = |message: &str| {
        vec![ApiError { error_code: String::new(), message: message.to_owned(), fields: Vec::new() }]
    };
    let told = match reply.json() {
        Some(Value::Array(urls)) if reply.status == 300 => {
            let urls: Vec<String> = urls.iter().take(MOST).map(text).collect();
            alone(&format!("the external id matches several records: {}", urls.join(", ")))
        }
        Some(Value::Array(errors)) => errors.iter().take(MOST).filter_map(error).collect(),
        Some(value) => error(&value).into_iter().collect(),
        None => Vec::new(),
    };
    // These come without a body, or with a page.
    match reply.status {
        414 if told.is_empty() => alone("URI Too Long"),
        431 if told.is_empty() => alone("Request Header Fields Too Large"),
        _ => told,
    }
}

/// What passes by itself, though the same request is not sent again unasked.
pub(crate) fn passing(errors: &[ApiError]) -> Option<Fault> {
    let passes = |error: &ApiError| match &*error.error_code {
        "UNABLE_TO_LOCK_ROW" | "SERVER_UNAVAILABLE" => true,
        // The message begins with the limit's name; the day's is another.
        "REQUEST_LIMIT_EXCEEDED" => error.message.starts_with("Concurrent"),
        _ => false,
    };
    errors.iter().all(passes).then_some(Fault::Passing)
}

/// The refusals that a new login can heal: of a session that has expired, and of a token that has aged. The
/// policy that bars a session from the REST API has the first one's code.
pub(crate) fn is_expired_session(status: u16, errors: &[ApiError]) -> bool {
    let is_healed = |error: &ApiError| match &*error.error_code {
        "INVALID_SESSION_ID" => !error.message.to_lowercase().contains("not valid for use with the rest api"),
        "INVALID_AUTH_HEADER" => error.message.contains("INVALID_JWT_FORMAT"),
        _ => false,
    };
    status == 401 && errors.iter().any(is_healed)
}
