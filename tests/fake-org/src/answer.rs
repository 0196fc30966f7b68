//! Answers: well behaved HTTP/1.1 unless a test asks for something else.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::time::Duration;

use flate2::{Compression, read::GzEncoder};

use crate::{Request, server::Stop};

/// What a request gets back, down to the last byte if need be.
///
/// ```
/// # use fake_org::Answer;
/// Answer::html(503, "We are down for maintenance.").header("Retry-After", "1");
/// Answer::json(200, r#"{"records":[]}"#).gzip().chunked().cut_after(10);
/// ```
#[derive(Clone, Debug)]
pub struct Answer {
    kind: Kind,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    gzip: bool,
    framing: Framing,
    /// How many bytes of the body are sent, and what comes then.
    stop_short: Option<(usize, Short)>,
    delay: Duration,
    head_pace: Option<Duration>,
    body_pace: Option<Duration>,
    then_close: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Http,
    Raw(Vec<u8>),
    Stall,
    Close,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(Option<usize>),
    Chunked,
    ByClose,
}

#[derive(Clone, Copy, Debug)]
enum Short {
    Close,
    Stall,
}

impl Answer {
    /// An answer without a body.
    #[must_use]
    pub fn new(status: u16) -> Answer {
        Answer {
            kind: Kind::Http,
            status,
            headers: Vec::new(),
            body: Vec::new(),
            gzip: false,
            framing: Framing::Length(None),
            stop_short: None,
            delay: Duration::ZERO,
            head_pace: None,
            body_pace: None,
            then_close: false,
        }
    }

    /// JSON: a `serde_json::Value`, or the text of it just as it is to be sent.
    #[must_use]
    pub fn json(status: u16, json: impl Display) -> Answer {
        let answer = Answer::new(status).header("Content-Type", "application/json;charset=UTF-8");
        answer.body(json.to_string())
    }

    /// A page with that title.
    #[must_use]
    pub fn html(status: u16, title: &str) -> Answer {
        let page = format!(
            "<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n\
             <body><h1>{title}</h1></body>\n</html>\n"
        );
        Answer::new(status).header("Content-Type", "text/html; charset=UTF-8").body(page)
    }

    /// Bare text.
    #[must_use]
    pub fn text(status: u16, text: &str) -> Answer {
        Answer::new(status).header("Content-Type", "text/plain;charset=UTF-8").body(text)
    }

    /// A redirect, or whatever else has a `Location`.
    #[must_use]
    pub fn redirect(status: u16, location: impl AsRef<[u8]>) -> Answer {
        Answer::new(status).header("Location", location)
    }

    /// A refusal by the token endpoint: 400 with `error` and `error_description`.
    #[must_use]
    pub fn oauth_error(error: &str, description: &str) -> Answer {
        Answer::json(400, serde_json::json!({ "error": error, "error_description": description }))
    }

    /// A refusal by the API: an array of one error.
    #[must_use]
    pub fn api_error(status: u16, error_code: &str, message: &str) -> Answer {
        Answer::json(status, serde_json::json!([{ "errorCode": error_code, "message": message }]))
    }

    /// These bytes, HTTP or not, and then the end of the connection.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Answer {
        Answer { kind: Kind::Raw(bytes.into()), ..Answer::new(0) }
    }

    /// Reads the request and says nothing until the org stops.
    #[must_use]
    pub fn stall() -> Answer {
        Answer { kind: Kind::Stall, ..Answer::new(0) }
    }

    /// Reads the request and closes the connection.
    #[must_use]
    pub fn close() -> Answer {
        Answer { kind: Kind::Close, ..Answer::new(0) }
    }

    /// Adds a header. `Content-Length`, `Transfer-Encoding` and `Connection` replace those that
    /// would be sent otherwise.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Answer {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The body, before compression.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Answer {
        self.body = body.into();
        self
    }

    /// Compresses the body and says so, whether the request accepts that or not.
    #[must_use]
    pub fn gzip(mut self) -> Answer {
        self.gzip = true;
        self
    }

    /// Sends the body in chunks of at most 1000 bytes.
    #[must_use]
    pub fn chunked(mut self) -> Answer {
        self.framing = Framing::Chunked;
        self
    }

    /// Sends the body without a length, delimited by the connection's end.
    #[must_use]
    pub fn by_close(mut self) -> Answer {
        self.framing = Framing::ByClose;
        self
    }

    /// Announces this length, whatever the body's is.
    #[must_use]
    pub fn content_length(mut self, length: usize) -> Answer {
        self.framing = Framing::Length(Some(length));
        self
    }

    /// Closes the connection after that many bytes of the (compressed) body. What the head says
    /// stays as it was; chunks lack their end.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Answer {
        self.stop_short = Some((bytes, Short::Close));
        self
    }

    /// Says no more after that many bytes of the (compressed) body, until the org stops.
    #[must_use]
    pub fn stall_after(mut self, bytes: usize) -> Answer {
        self.stop_short = Some((bytes, Short::Stall));
        self
    }

    /// Waits so long before the first byte.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Answer {
        self.delay = delay;
        self
    }

    /// Sends the body one byte at a time, so far apart.
    #[must_use]
    pub fn drip(mut self, pace: Duration) -> Answer {
        self.body_pace = Some(pace);
        self
    }

    /// Sends the head one byte at a time, so far apart, and the body likewise.
    #[must_use]
    pub fn drip_head(mut self, pace: Duration) -> Answer {
        self.head_pace = Some(pace);
        self.drip(pace)
    }

    /// Closes the connection after the answer without having announced it.
    #[must_use]
    pub fn then_close(mut self) -> Answer {
        self.then_close = true;
        self
    }

    pub(crate) fn body_len(&self) -> usize {
        self.body.len()
    }

    /// As if the request had not asked for compression.
    pub(crate) fn uncompressed(mut self) -> Answer {
        self.gzip = false;
        self
    }

    pub(crate) fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// Sends the answer; whether the connection can take another request then.
    pub(crate) fn send(&self, request: &Request, to: &mut impl Write, stop: &Stop) -> io::Result<bool> {
        if stop.wait(self.delay) {
            return Ok(false);
        }
        match &self.kind {
            Kind::Http => {}
            Kind::Close => return Ok(false),
            Kind::Stall => {
                stop.wait_for_ever();
                return Ok(false);
            }
            Kind::Raw(bytes) => {
                paced(to, bytes, self.body_pace, stop)?;
                return Ok(false);
            }
        }
        let body = if self.gzip { gzip(&self.body) } else { self.body.clone() };
        let keep = !request.wants_close() && !matches!(self.framing, Framing::ByClose);
        let mut bytes = self.head(body.len(), keep);
        let head_len = bytes.len();
        if request.method != "HEAD" {
            self.frame(&body, &mut bytes);
        }
        if self.head_pace.is_some() || self.body_pace.is_some() {
            paced(to, &bytes[..head_len], self.head_pace, stop)?;
            paced(to, &bytes[head_len..], self.body_pace, stop)?;
        } else {
            paced(to, &bytes, None, stop)?;
        }
        match self.stop_short {
            None => Ok(keep && !self.then_close),
            Some((_, Short::Close)) => Ok(false),
            Some((_, Short::Stall)) => {
                stop.wait_for_ever();
                Ok(false)
            }
        }
    }

    /// Whether the connection ends as it should after this answer, rather than in the midst of it.
    pub(crate) fn ends_cleanly(&self) -> bool {
        matches!(self.kind, Kind::Http) && self.stop_short.is_none()
    }

    fn head(&self, body_len: usize, keep: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                head.extend_from_slice(part);
            }
        };
        for (name, value) in &self.headers {
            line(name, value);
        }
        let own = |names: &[&str]| {
            self.headers.iter().any(|(name, _)| names.iter().any(|n| name.eq_ignore_ascii_case(n)))
        };
        if self.gzip {
            line("Content-Encoding", b"gzip");
        }
        if !own(&["Content-Length", "Transfer-Encoding"]) {
            match self.framing {
                // These have no body, and so no length.
                Framing::Length(None) if matches!(self.status, 204 | 304) && body_len == 0 => {}
                Framing::Length(length) => {
                    line("Content-Length", length.unwrap_or(body_len).to_string().as_bytes());
                }
                Framing::Chunked => line("Transfer-Encoding", b"chunked"),
                Framing::ByClose => {}
            }
        }
        if !keep && !own(&["Connection"]) {
            line("Connection", b"close");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    fn frame(&self, body: &[u8], out: &mut Vec<u8>) {
        let sent = self.stop_short.map_or(body.len(), |(bytes, _)| bytes.min(body.len()));
        if !matches!(self.framing, Framing::Chunked) {
            out.extend_from_slice(&body[..sent]);
            return;
        }
        for (index, chunk) in body.chunks(1000).enumerate() {
            let Some(left) = sent.checked_sub(index * 1000).filter(|left| *left > 0) else {
                break;
            };
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(&chunk[..left.min(chunk.len())]);
            if left >= chunk.len() {
                out.extend_from_slice(b"\r\n");
            }
        }
        if self.stop_short.is_none() {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

/// Compresses, e.g. to send only a part of it.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    // What reads from memory does not fail.
    drop(GzEncoder::new(bytes, Compression::fast()).read_to_end(&mut compressed));
    compressed
}

/// Writes at once, or one byte at a time.
fn paced(to: &mut impl Write, bytes: &[u8], pace: Option<Duration>, stop: &Stop) -> io::Result<()> {
    let Some(pace) = pace else {
        to.write_all(bytes)?;
        return to.flush();
    };
    for byte in bytes {
        to.write_all(&[*byte])?;
        to.flush()?;
        if stop.wait(pace) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    Ok(())
}

/// What clients do not read; the usual ones are for people who do.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Other",
    }
}
