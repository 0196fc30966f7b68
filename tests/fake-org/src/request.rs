//! Requests, as they are read and as tests look at them.

use std::io::{self, BufRead, Read};

use crate::{Answer, text};

/// Longer request lines are answered with 414.
const REQUEST_LINE_MAX: usize = 16 * 1024;

/// Longer heads are answered with 431.
const HEAD_MAX: usize = 32 * 1024;

/// Larger requests end the connection.
const REQUEST_MAX: usize = 256 * 1024 * 1024;

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method, e.g. `POST`.
    pub method: String,
    /// The request's target without its query. A proxy sees `host:port` or a whole URL here.
    pub path: String,
    /// What follows the `?`, as it came.
    pub query: String,
    /// Names in lower case, values as they came, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Request line and headers, byte for byte, with the empty line at their end.
    pub raw_head: Vec<u8>,
}

impl Request {
    /// The first header of that name, in whichever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The `Host` header, empty without one.
    #[must_use]
    pub fn host(&self) -> &str {
        self.header("host").unwrap_or_default()
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the request's body is not UTF-8")
    }

    /// The names and values of a form body, in their order.
    ///
    /// # Panics
    ///
    /// When the body is not a strictly encoded form.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        match text::form(&self.body) {
            Ok(pairs) => pairs,
            Err(problem) => panic!("the request's body is not a form: {problem}"),
        }
    }

    /// A parameter by name: from a form body, else from the query.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<String> {
        let form = if self.is_form() { text::form(&self.body) } else { Ok(vec![]) };
        let query = text::query(&self.query);
        let mut pairs = form.into_iter().flatten().chain(query.into_iter().flatten());
        pairs.find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Whether the body says that it is a form.
    pub(crate) fn is_form(&self) -> bool {
        let media_type = self.header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// Whether a header that is a list names the word.
    pub(crate) fn lists(&self, header: &str, word: &str) -> bool {
        let list = self.header(header).unwrap_or_default();
        list.split([',', ';']).any(|item| item.trim().eq_ignore_ascii_case(word))
    }

    /// Reads a head; `None` when the client has closed the connection instead.
    pub(crate) fn read_head(from: &mut impl BufRead) -> io::Result<Option<Request>> {
        let mut raw_head = Vec::new();
        let mut from = from.take(1024 * 1024);
        loop {
            let line_start = raw_head.len();
            if from.read_until(b'\n', &mut raw_head)? == 0 {
                return if line_start == 0 { Ok(None) } else { Err(bad("truncated head")) };
            }
            if matches!(&raw_head[line_start..], b"\r\n" | b"\n") {
                break;
            }
        }
        let head = String::from_utf8_lossy(&raw_head);
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(bad("not a request line"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Request::default()
        };
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| bad("a header without colon"))?;
            request.headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        request.raw_head = raw_head;
        Ok(Some(request))
    }

    /// Reads the body that the head announced.
    pub(crate) fn read_body(&mut self, from: &mut impl BufRead) -> io::Result<()> {
        // No client here sends one.
        if self.header("transfer-encoding").is_some() {
            return Err(bad("a body in chunks"));
        }
        match self.header("content-length").map(str::parse) {
            None => Ok(()),
            Some(Ok(length)) => self.read_exactly(length, from),
            Some(Err(_)) => Err(bad("not a content length")),
        }
    }

    fn read_exactly(&mut self, length: usize, from: &mut impl BufRead) -> io::Result<()> {
        if length > REQUEST_MAX - self.body.len() {
            return Err(bad("body too large"));
        }
        let wanted = self.body.len() + length;
        from.take(length as u64).read_to_end(&mut self.body)?;
        if self.body.len() == wanted { Ok(()) } else { Err(bad("truncated body")) }
    }

    /// Why no resource will look at this request, if so.
    pub(crate) fn too_long(&self) -> Option<Answer> {
        let request_line = self.raw_head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if request_line.len() > REQUEST_LINE_MAX {
            return Some(Answer::html(414, "URI Too Long"));
        }
        (self.raw_head.len() > HEAD_MAX).then(|| Answer::html(431, "Request Header Fields Too Large"))
    }

    pub(crate) fn wants_close(&self) -> bool {
        let http_1_0 = self.raw_head.split(|b| *b == b'\n').next().unwrap_or_default();
        http_1_0.trim_ascii_end().ends_with(b"HTTP/1.0") || self.lists("connection", "close")
    }
}

fn bad(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
