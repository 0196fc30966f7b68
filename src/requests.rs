//! What a session sends: `get` and its like, `open`, `run`, `revoke`; each with at most one new login.

use std::io::{self, Read};

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use ureq::http::{self, HeaderName, HeaderValue, Method, header};

use crate::address::REVOKE_PATH;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{ApiError, Error, setting};
use crate::hints::case::Odd;
use crate::refusal::{api_errors, is_expired_session, oauth_fault};
use crate::session::{OURS, Session};
use crate::wire::reply::{Reading, Reply, read_json};
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

    /// Changes what is at `path` by the JSON `body`; an empty reply, as for a changed record, reads as JSON null.
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

    /// Reads what is at `path` as it comes, whatever its size: a file, a CSV. The reader may outlive the session.
    ///
    /// Reading may take the [timeout](Session::timeout) once more. A body that is cut off, corrupted or too slow
    /// is an [`io::Error`] that holds an [`Error`], also to who reads on: see [`io::Error::downcast`].
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # let session = include!("../tests/doc/login.rs")(&org).session()?;
    /// # org.answer(fake_org::Answer::text(200, "Id\n"));
    /// let mut csv = session.open("jobs/query/7505g00000AbCdEAAV/results")?;
    /// std::io::copy(&mut csv, &mut std::io::stdout())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get). An HTML page under `/services/data/`, which stands there for an outage or a
    /// proxy's refusal, is [`ErrorKind::Unexpected`] too, unless the path is a file's (`/VersionData`, `/Body`).
    /// What else may be HTML is read with [`run`](Session::run).
    pub fn open(&self, path: &str) -> Result<impl Read + Send + use<>, Error> {
        let (request, mut reply, response) = self.stream(Method::GET, path, None, Vec::new())?;
        let mut body = response.into_body();
        let resource = request.path.split('?').next().unwrap_or_default().to_ascii_lowercase();
        let is_file = resource.ends_with("/versiondata") || resource.ends_with("/body");
        let is_html = body.mime_type().is_some_and(|mime| mime.eq_ignore_ascii_case("text/html"));
        if is_html && !is_file && resource.starts_with("/services/data/") {
            // Enough for a title; where it breaks off before, there is none.
            let _ = body.as_reader().take(64 * 1024).read_to_end(&mut reply.body);
            return Err(self.shared.context(&request).instead_of_json(&reply));
        }
        let (session, path, status) = (self.clone(), request.path, reply.status);
        Ok(Streamed { reader: body.into_reader(), session, path, status, broken: None })
    }

    /// Sends any other request: CSV, files, headers of the caller's own. `Ok` is a 2xx reply.
    ///
    /// It goes out with the session's `Authorization`. GET, HEAD and OPTIONS count as reading, all else as writing.
    /// Sending, waiting for the reply's headers, and reading its body may take the [timeout](Session::timeout)
    /// each: for a long download, a clone of the session can have a longer one. How much to read is up to you.
    ///
    /// ```
    /// # let org = fake_org::Org::start();
    /// # let session = include!("../tests/doc/login.rs")(&org).session()?;
    /// let request = sf_login::ureq::http::Request::get(session.url("limits")?);
    /// let reply = session.run(request.body("").unwrap())?;
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
        let (http::request::Parts { method, uri, headers, .. }, body) = request.into_parts();
        if method == Method::CONNECT {
            return Err(setting("request", "has the method CONNECT, which is for proxies"));
        }
        let path = uri.to_string();
        // `http::Uri` takes a relative path for a host.
        if uri.scheme().is_none() && !path.starts_with('/') {
            return Err(setting("request", "has a URI without a scheme or a leading /: take that of `url`"));
        }
        let theirs = headers.iter().filter(|(name, _)| !OURS.contains(name));
        let theirs = theirs.map(|(name, value)| (name.clone(), value.clone())).collect();
        let bodiless = RequestKind::of(&method) == RequestKind::Read || method == Method::DELETE;
        let body = Some(body.as_ref()).filter(|body| !bodiless || !body.is_empty());
        Ok(self.stream(method, &path, body, theirs)?.2)
    }

    /// Logs out: the token is no longer valid, here or wherever else it is used. One that was not valid any more
    /// counts as done. Several logins of a user and app may share a session: they are logged out too.
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
        Err(self.shared.context(&request).refused(&reply, fault_of(&reply), refusals))
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
        let mut request = self.request(method, path, body.as_deref(), Reading::Large, Vec::new())?;
        let reply = self.send(&mut request)?;
        let read = || read_json(if reply.is_blank() { "null" } else { reply.text()? });
        read().map_err(|misfit| self.shared.context(&request).misfit(&reply, misfit))
    }

    /// Sends a request, and leaves the body of a 2xx to the caller.
    fn stream<'a>(
        &'a self,
        method: Method,
        path: &str,
        body: Option<&'a [u8]>,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<(Request<'a>, Reply, http::Response<ureq::Body>), Error> {
        let mut request = self.request(method, path, body, Reading::Streamed, headers)?;
        let mut reply = self.send(&mut request)?;
        match reply.stream.take() {
            Some(response) => Ok((request, reply, response)),
            // A 2xx of a streamed request always has it.
            None => Err(self.shared.context(&request).unexpected(reply.status, Odd::Empty, "empty")),
        }
    }

    /// A request with these headers, then those of the session, then those of JSON unless the reply is streamed;
    /// the first one of a name wins.
    pub(crate) fn request<'a>(
        &'a self,
        method: Method,
        path: &str,
        body: Option<&'a [u8]>,
        reading: Reading,
        mut headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Request<'a>, Error> {
        let json = [Some(header::ACCEPT), body.map(|_| header::CONTENT_TYPE)].into_iter().flatten();
        let json = json.filter(|_| reading != Reading::Streamed).map(|name| Ok((name, JSON)));
        for header in self.headers.values().cloned().chain(json) {
            let header = header?;
            if headers.iter().all(|(name, _)| *name != header.0) {
                headers.push(header);
            }
        }
        let (to, path, kind) = (&self.shared.instance, self.path(path)?, RequestKind::of(&method));
        Ok(Request { method, to, path, headers, body, kind, reading })
    }

    /// Sends `request` with the current token, and once more with a new one if that has expired. Gives a 2xx.
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
            // The edge and an outage answer before anybody has looked at the token.
            if matches!(reply.status, 200..=299 | 400 | 402..=499) && reply.fault().is_none() {
                self.shared.accepted(&token);
            }
            if reply.is_success() {
                return Ok(reply);
            }
            let refusals = api_errors(&reply);
            let is_expired = is_expired_session(reply.status, &refusals);
            let error = self.shared.context(request).refused(&reply, reply.fault(), refusals);
            if !is_expired {
                return Err(error);
            }
            logged_in |= self.shared.log_in_again(client, request, &token, error, !logged_in, deadline)?;
        }
    }
}

/// A reply's body as it comes, and why it broke off.
struct Streamed {
    reader: ureq::BodyReader<'static>,
    session: Session,
    path: String,
    status: u16,
    broken: Option<Error>,
}

impl Streamed {
    fn why_broken(&self, error: io::Error) -> Result<Error, Error> {
        let session = &self.session;
        let client = session.client.as_ref().map_err(Error::clone)?;
        let request = session.request(Method::GET, &self.path, None, Reading::Streamed, Vec::new())?;
        let broken = client.broken_off(request.to, self.status, error, Deadline::after(session.timeout));
        Ok(session.shared.context(&request).no_reply(&broken))
    }
}

impl Read for Streamed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let error = match &self.broken {
            // ureq would give the end of the body to who reads on.
            Some(error) => error.clone(),
            None => match self.reader.read(buf) {
                // After a signal, reading goes on.
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    let error = self.why_broken(error).unwrap_or_else(|error| error);
                    self.broken.insert(error).clone()
                }
                outcome => return outcome,
            },
        };
        Err(io::Error::other(error))
    }
}
