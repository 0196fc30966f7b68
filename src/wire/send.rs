//! A request: one out, one reply back, repeated as the table allows.

use std::cell::Cell;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use ureq::http::{self, HeaderName, HeaderValue, Method, Response, header};

use super::client::Client;
use super::no_reply::NoReply;
use super::reply::{Reading, Reply};
use super::url::Url;
use super::{CONNECT_TIMEOUT, Deadline, Fault, RequestKind};

/// How long to wait before the second and the third try, when the server does not say.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(750)];

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A request, ready to be sent as often as the table of repeats allows.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) to: &'a Url,
    /// The path at that origin, and a query if there is one.
    pub(crate) path: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// `None` for requests that have no body at all.
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) kind: RequestKind,
    /// Where a body is left to the caller, each phase has the whole timeout: sending, waiting for the headers,
    /// reading.
    pub(crate) reading: Reading,
}

impl<'a> Request<'a> {
    pub(crate) fn form(to: &'a Url, path: String, body: &'a str, kind: RequestKind) -> Request<'a> {
        Request {
            method: Method::POST,
            to,
            path,
            headers: vec![(header::CONTENT_TYPE, FORM), (header::ACCEPT, JSON)],
            body: Some(body.as_bytes()),
            kind,
            reading: Reading::Small,
        }
    }
}

/// A header whose value ureq keeps out of its own `Debug`.
pub(crate) fn secret_header(value: &str) -> HeaderValue {
    // Base64, and tokens, whose characters were checked, are always fit for a header.
    let mut value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

impl Client {
    /// Sends `request`, as often as the table of repeats allows, and gives the last reply. What is wrong with
    /// a reply is for `fault_of` to say.
    pub(crate) fn send(
        &self,
        request: &Request<'_>,
        deadline: Deadline,
        fault_of: fn(&Reply) -> Option<Fault>,
    ) -> Result<Reply, NoReply> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let outcome = self.send_once(request, deadline);
            let (fault, retry_after) = match &outcome {
                Ok(reply) => (fault_of(reply), reply.retry_after),
                Err(error) => (error.fault, error.retry_after),
            };
            let repeat = fault.is_some_and(|fault| request.kind.may_repeat_after(fault));
            let pause = pauses.next().map(|pause| retry_after.unwrap_or(pause));
            let Some(pause) = pause.filter(|pause| repeat && *pause < deadline.left()) else {
                return outcome;
            };
            let why = match &outcome {
                Ok(reply) => format!("HTTP {}", reply.status),
                Err(NoReply { status: Some(status), .. }) => format!("HTTP {status}, truncated"),
                Err(NoReply { fault: Some(Fault::NotDone), .. }) => "nothing was sent".to_owned(),
                Err(_) => "no whole reply came".to_owned(),
            };
            log::debug!("{} is sent again in {} ms: {why}", request.method, pause.as_millis());
            thread::sleep(pause);
        }
    }

    fn send_once(&self, request: &Request<'_>, deadline: Deadline) -> Result<Reply, NoReply> {
        let proxy = self.proxy(request.to);
        let was_read = Cell::new(false);
        let mut body = Noted(request.body.unwrap_or_default(), &was_read);
        let mut http = http::Request::builder()
            .method(&request.method)
            .uri(format!("{}{}", request.to.origin, request.path));
        for (name, value) in &request.headers {
            http = http.header(name, value);
        }
        let run = || match request.body {
            Some(bytes) => {
                let http = http.header(header::CONTENT_LENGTH, bytes.len());
                self.run(request, http.body(ureq::SendBody::from_reader(&mut body))?, deadline, proxy)
            }
            None => self.run(request, http.body(ureq::SendBody::none())?, deadline, proxy),
        };
        let response = run().map_err(|error| {
            // A body that nobody has read yet cannot have been sent. Without one, there is no telling.
            let sent = request.body.filter(|body| !body.is_empty()).map(|_| was_read.get());
            NoReply::of(&error, deadline, sent, proxy, None)
        })?;
        let mut reply = Reply::head(&response, &request.method);
        let Err(error) = reply.read_body(response, request.reading) else {
            return Ok(reply);
        };
        let error = self.broken_off(request.to, reply.status, error, deadline);
        let fault = match (request.kind, reply.fault()) {
            (RequestKind::Read, fault) => fault.or(error.fault),
            // Cut off as it is, it could be a refusal, which nobody must ask for again.
            (_, Some(Fault::NotDone)) => Some(Fault::Passing),
            (_, Some(_)) => Some(Fault::Lost),
            // What was refused is refused, even where the reason got lost.
            (_, None) => error.fault.filter(|_| !(400..500).contains(&reply.status)),
        };
        Err(NoReply { fault, retry_after: reply.retry_after, ..error })
    }

    /// Why the rest of a reply with this status does not come.
    pub(crate) fn broken_off(&self, from: &Url, status: u16, why: io::Error, deadline: Deadline) -> NoReply {
        NoReply::of(&why.into(), deadline, None, self.proxy(from), Some(status))
    }

    /// Hands the request to ureq, with the settings that hold whatever the agent is set to.
    fn run(
        &self,
        request: &Request<'_>,
        http: http::Request<ureq::SendBody<'_>>,
        deadline: Deadline,
        proxy: Option<&ureq::Proxy>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let left = deadline.left().max(Duration::from_millis(1));
        // A little less than all, so that a timeout tells that it was connecting.
        let connect = Some(left.min(CONNECT_TIMEOUT).mul_f32(0.99));
        let (whole, phase) = match request.reading {
            // A timeout for the whole would go on running while the caller reads the body.
            Reading::Streamed => (None, Some(left)),
            _ => (Some(left), None),
        };
        let http = self
            .agent
            .configure_request(http)
            // ureq's error for a refusal would lose the body, which says why.
            .http_status_as_error(false)
            // A redirect would carry the credentials to a host that nobody named.
            .max_redirects(0)
            // `Session::run` takes what its caller chooses.
            .allow_non_standard_methods(true)
            .https_only(request.to.origin.starts_with("https:"))
            .proxy(proxy.cloned())
            // All of them: a caller's own could be one that the clock cannot add.
            .timeout_per_call(None)
            .timeout_per_read(None)
            .timeout_per_write(None)
            .timeout_await_100(None)
            .timeout_resolve(connect)
            .timeout_connect(connect)
            .timeout_global(whole)
            .timeout_send_request(phase)
            .timeout_send_body(phase)
            .timeout_recv_response(phase)
            .timeout_recv_body(phase.and(Some(deadline.timeout)))
            .build();
        self.agent.run(http)
    }
}

/// A body that notes its first read.
struct Noted<'a>(&'a [u8], &'a Cell<bool>);

impl Read for Noted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1.set(true);
        self.0.read(buf)
    }
}
