//! A reply as it came: how much of it is read, its JSON, and the place where that does not fit.

use std::io::{self, Read as _};
use std::time::Duration;
use std::{iter, str};

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{Method, Response, header};

use super::Fault;

/// How much of a good reply is read. Of a refusal it is as much as of a small reply.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Reading {
    /// Of the token endpoint, which gives some thousand bytes at most.
    Small,
    /// Of the API: a page holds at most 2,000 records, of some tens of kilobytes at the worst.
    Large,
    /// The body is left to the caller.
    Streamed,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// Whether Salesforce's edge made it, and with a body that tells why, had it one.
    from_edge: bool,
    pub(crate) body: Vec<u8>,
    /// The response itself, its body unread, where the request wants it streamed and it is a 2xx.
    pub(crate) stream: Option<Response<ureq::Body>>,
}

impl Reply {
    pub(super) fn head(response: &Response<ureq::Body>, method: &Method) -> Reply {
        let headers = response.headers();
        let wait = headers.get(header::RETRY_AFTER);
        let wait = wait.and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
        let server = headers.get(header::SERVER).filter(|_| method != Method::HEAD);
        let location = headers.get(header::LOCATION).filter(|_| response.status().is_redirection());
        Reply {
            status: response.status().as_u16(),
            location: location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            retry_after: wait.map(Duration::from_secs),
            from_edge: server.is_some_and(|server| server.as_bytes().eq_ignore_ascii_case(b"sfdcedge")),
            body: Vec::new(),
            stream: None,
        }
    }

    pub(super) fn read_body(&mut self, response: Response<ureq::Body>, reading: Reading) -> io::Result<()> {
        const MIB: u64 = 1024 * 1024;
        let limit = match reading {
            Reading::Streamed if self.is_success() => {
                self.stream = Some(response);
                return Ok(());
            }
            Reading::Large if self.is_success() => 64 * MIB,
            _ => MIB,
        };
        // The body of a redirect may never end, and says nothing that Location does not. A 300, of an
        // external id that is not unique, is no redirect.
        if matches!(self.status, 204 | 205 | 301..=399) {
            return Ok(());
        }
        let mut body = response.into_body().into_with_config().limit(limit).reader();
        body.read_to_end(&mut self.body).map(drop)
    }

    /// What its status says about repeating the request.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.status {
            420 | 502..=504 => Some(Fault::Unavailable),
            // The edge has lost its way, and finds it again at once.
            404 | 406 if self.from_edge && self.is_blank() => Some(Fault::Unavailable),
            429 => Some(Fault::NotDone),
            _ => None,
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.body.iter().all(u8::is_ascii_whitespace)
    }

    /// The body as JSON, of whatever shape; `None` where it is none.
    pub(crate) fn json(&self) -> Option<Value> {
        self.text().ok()?.parse().ok()
    }

    pub(crate) fn text(&self) -> Result<&str, Misfit> {
        str::from_utf8(&self.body).map_err(|_| Misfit::NotUtf8)
    }

    /// The title, where it is an HTML page; empty where that has none.
    pub(crate) fn html_title(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if !text.starts_with('<') || text.starts_with("<?xml") {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title").and_then(|tag| {
            let start = tag + lower[tag..].find('>')? + 1;
            Some(&text[start..start + lower[start..].find("</title")?])
        });
        Some(title.unwrap_or_default().to_owned())
    }
}

/// The tokens of JSON, each with where it begins: punctuation, strings in their quotes, and all else.
pub(crate) fn json_tokens(json: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = json;
    iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let length = match rest.as_bytes().first()? {
            b'{' | b'}' | b'[' | b']' | b':' | b',' => 1,
            b'"' => {
                let mut escaped = true; // The quote that begins it does not end it.
                let end = rest.bytes().position(|b| {
                    let ends = b == b'"' && !escaped;
                    escaped = b == b'\\' && !escaped;
                    ends
                });
                end.map_or(rest.len(), |end| end + 1)
            }
            _ => rest.bytes().position(|b| b"{}[]:,\" \t\r\n".contains(&b)).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        let begin = json.len() - rest.len();
        rest = after;
        Some((token, begin))
    })
}

/// Why a reply cannot be read as what it was asked for.
pub(crate) enum Misfit {
    NotUtf8,
    NotJson(String),
    Unfit(String),
}

/// Reads JSON, or tells where it does not fit and what was expected there, without quoting a value.
pub(crate) fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, Misfit> {
    serde_json::from_str(text).map_err(|error| misfit(text, &error))
}

fn misfit(json: &str, error: &serde_json::Error) -> Misfit {
    let at = format!("line {} column {}", error.line(), error.column());
    if !error.is_data() {
        return Misfit::NotJson(format!("not JSON at {at}"));
    }
    let place = place_in_json(json, error.line(), error.column());
    let place = if place.is_empty() { place } else { format!(" at {place}") };
    let words = error.to_string();
    let words = words.rsplit_once(" at line ").map_or(&*words, |(words, _)| words);
    // serde's own errors name a value, then what the type expects; what others hold is not known.
    let is_serdes = ["invalid type", "invalid value", "invalid length", "unknown variant"]
        .iter()
        .any(|begin| words.starts_with(begin));
    let what = if let Some(field) = words.strip_prefix("missing field ") {
        format!("without the field {field}{place}")
    } else if let Some(field) = words.strip_prefix("duplicate field ") {
        format!("with the field {field} twice")
    } else if let (Some((value, expected)), true) = (words.rsplit_once(", expected "), is_serdes) {
        // The one value that is worth telling, and never a secret.
        let null = if value == "invalid type: null" { "null " } else { "" };
        format!("{null}that does not fit the type asked for{place}, expected {expected}")
    } else {
        format!("that does not fit the type asked for{place}")
    };
    Misfit::Unfit(format!("JSON {what} ({at})"))
}

/// The path to a place in JSON, such as `records[3].Name`.
fn place_in_json(json: &str, line: usize, column: usize) -> String {
    /// What is read is never deeper; what is skipped can be as deep as the reply is long.
    const DEEPEST: usize = 128;
    let before: usize = json.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let end = before + column;
    // For each object or array around: the name it is at, in quotes, or a bracket; and the commas before.
    let mut path = Vec::new();
    let mut depth = 0_usize;
    let mut last = "";
    for (token, begin) in json_tokens(json).take_while(|(_, begin)| *begin < end) {
        match (token, path.last_mut()) {
            ("{" | "[", _) => {
                depth += 1;
                path.push((token.trim_matches('{'), 0));
                path.truncate(DEEPEST);
            }
            ("}" | "]", _) => {
                depth = depth.saturating_sub(1);
                path.truncate(depth);
            }
            (":", Some((name, _))) => *name = last,
            (",", Some((_, commas))) if begin + 1 < end => *commas += 1,
            _ => {}
        }
        last = token;
    }
    let steps = path.into_iter().map(|step| match step {
        ("", _) => String::new(),
        ("[", n) => format!("[{n}]"),
        (name, _) => format!(".{}", name.trim_matches('"')),
    });
    steps.collect::<String>().trim_start_matches('.').to_owned()
}
