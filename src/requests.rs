//! What a session sends: `get`, `post`, `put`, `patch`, `delete`, `run`, `revoke`; each with its one
//! renewal.

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use ureq::http::{self, HeaderName, HeaderValue, Method, header};

use crate::address::REVOKE_PATH;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{ApiError, Error, setting};
use crate::hints::case::Odd;
use crate::refusal::{api_errors, is_expired_session, oauth_fault};
use crate::session::Session;
use crate::wire::reply::{API_REPLY, Reading, Reply, read_json};
use crate::wire::send::{JSON, Request, secret_header};
use crate::wire::url::form;
use crate::wire::{Deadline, RequestKind};

impl Session {
    /// Reads what is at `path`.
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # let session = include!("../tests/doc/login.rs")(&org).session()?;
    /// let limits: serde_json::Value = session.get("limits")?;
    /// println!("{} API requests left today", limits["DailyApiRequests"]["Remaining"]);
    /// # assert!(limits["DailyApiRequests"]["Remaining"].is_u64());
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Api`] when Salesforce refuses, [`ErrorKind::Unexpected`] also when the reply does not fit
    /// `T`, [`ErrorKind::Setting`] for a path that cannot be used, and all those of a login.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.call(Method::GET, path, None::<&()>)
    }

    /// Posts `body` as JSON to `path`; an empty reply reads as JSON null.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, Error> {
        self.call(Method::POST, path, Some(body))
    }

    /// Puts `body` as JSON at `path`, in place of what is there; an empty reply reads as JSON null.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<T, Error> {
        self.call(Method::PUT, path, Some(body))
    }

    /// Changes what is at `path` by the JSON `body`; an empty reply, which is what Salesforce gives for a
    /// changed record, reads as JSON null.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, Error> {
        self.call(Method::PATCH, path, Some(body))
    }

    /// Deletes what is at `path`.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn delete(&self, path: &str) -> Result<(), Error> {
        self.call(Method::DELETE, path, None::<&()>).map(|_: IgnoredAny| ())
    }

    /// Sends any other request: CSV, files, headers of the caller's own. `Ok` is a 2xx reply.
    ///
    /// The request's method, URI, headers and body are sent, with the session's `Authorization`. GET, HEAD
    /// and OPTIONS count as reading, all else as writing. Sending the request, waiting for the reply's
    /// headers, and reading its body may take the [timeout](Session::timeout) each: a long download wants a
    /// longer one, which a clone of the session can have. How much of the body to read is the caller's to
    /// say.
    ///
    /// ```
    /// use sf_login::ureq::http::Request;
    ///
    /// # let org = fake_org::Org::start();
    /// # let session = include!("../tests/doc/login.rs")(&org).session()?;
    /// let request = Request::get(session.url("limits")?).body("").unwrap();
    /// let reply = session.run(request)?;
    /// println!("{:?}", reply.headers().get("Sforce-Limit-Info"));
    /// # assert!(reply.headers().get("Sforce-Limit-Info").is_some());
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn run(&self, request: http::Request<impl AsRef<[u8]>>) -> Result<http::Response<ureq::Body>, Error> {
        // Built anew: an extension of the caller's request could turn certificate checks off.
        let (parts, body) = request.into_parts();
        let body = body.as_ref();
        if parts.method == Method::CONNECT {
            return Err(setting("request", "has the method CONNECT, which is for proxies"));
        }
        let ours = [
            header::AUTHORIZATION,
            header::HOST,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::EXPECT,
        ];
        let headers = parts.headers.iter().filter(|(name, _)| !ours.contains(name));
        let headers = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
        let bodiless = RequestKind::of(&parts.method) == RequestKind::Read || parts.method == Method::DELETE;
        let body = (!bodiless || !body.is_empty()).then_some(body);
        let uri = parts.uri.to_string();
        let mut request = self.request(parts.method, self.path(&uri)?, body, Reading::Streamed, headers);
        Ok(self.send_streamed(&mut request)?.1)
    }

    /// Logs out: the token is no longer valid, here or wherever else it is used. A token that was not valid
    /// any more counts as done.
    ///
    /// Salesforce may give one session to several logins of a user and app, so this may log out others too.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get).
    pub fn revoke(self) -> Result<(), Error> {
        let client = self.client.as_ref().map_err(Error::clone)?;
        let token = self.token();
        let body = form(&[("token", token.access_token())]);
        // Revoking twice is revoking once.
        let request = Request::form(&self.shared.instance, REVOKE_PATH.to_owned(), &body, RequestKind::Read);
        let fault_of = |reply: &Reply| reply.fault().or_else(|| oauth_fault(reply));
        let outcome = client.send(&request, Deadline::after(self.timeout), fault_of);
        let reply = outcome.map_err(|error| self.shared.context(&request).no_reply(&error))?;
        let refusals = api_errors(&reply);
        let invalid = |e: &ApiError| e.error_code.eq_ignore_ascii_case("invalid_token");
        if reply.is_success() && reply.is_blank()
            || is_expired_session(reply.status, &refusals)
            || reply.status == 400 && refusals.iter().any(invalid)
        {
            return Ok(());
        }
        Err(self.shared.context(&request).refused(&reply, refusals))
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<T, Error> {
        let body = body.map(serde_json::to_vec).transpose();
        // serde's own words could quote a value.
        let body = body.map_err(|_| setting("body", "cannot be written as JSON"))?;
        let mut request = self.request(method, self.path(path)?, body.as_deref(), API_REPLY, Vec::new());
        let reply = self.send(&mut request)?;
        let read = || read_json(if reply.is_blank() { "null" } else { reply.text()? });
        read().map_err(|misfit| self.shared.context(&request).misfit(&reply, misfit))
    }

    /// A request with these headers, and those of JSON unless the reply is streamed.
    pub(crate) fn request<'a>(
        &'a self,
        method: Method,
        path: String,
        body: Option<&'a [u8]>,
        reading: Reading,
        mut headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Request<'a> {
        let json = [Some(header::ACCEPT), body.map(|_| header::CONTENT_TYPE)].into_iter().flatten();
        headers.extend(json.filter(|_| reading != Reading::Streamed).map(|name| (name, JSON)));
        Request {
            kind: RequestKind::of(&method),
            method,
            to: &self.shared.instance,
            path,
            headers,
            body,
            reading,
        }
    }

    fn send_streamed(&self, request: &mut Request<'_>) -> Result<(Reply, http::Response<ureq::Body>), Error> {
        let mut reply = self.send(request)?;
        match reply.stream.take() {
            Some(response) => Ok((reply, response)),
            // A good reply to a streamed request always is its response.
            None => Err(self.shared.context(request).unexpected(reply.status, Odd::Empty, "empty")),
        }
    }

    /// Sends `request` with the current token, and once more with a new one if that one has expired. Gives a
    /// 2xx.
    pub(crate) fn send(&self, request: &mut Request<'_>) -> Result<Reply, Error> {
        let client = self.client.as_ref().map_err(Error::clone)?;
        let deadline = Deadline::after(self.timeout);
        let without_token = request.headers.len();
        let mut logged_in = false;
        loop {
            let token = self.shared.usable_token()?;
            let bearer = secret_header(&format!("Bearer {}", token.access_token()));
            request.headers.truncate(without_token);
            request.headers.push((header::AUTHORIZATION, bearer));
            let outcome = client.send(request, deadline, Reply::fault);
            let reply = outcome.map_err(|error| self.shared.context(request).no_reply(&error))?;
            if matches!(reply.status, 200..=299 | 400 | 402..=499) {
                self.shared.accepted(&token);
            }
            if reply.is_success() {
                return Ok(reply);
            }
            let refusals = api_errors(&reply);
            let is_expired = is_expired_session(reply.status, &refusals);
            let error = self.shared.context(request).refused(&reply, refusals);
            if !is_expired {
                return Err(error);
            }
            logged_in |= self.shared.log_in_again(client, request, &token, error, !logged_in, deadline)?;
        }
    }
}
