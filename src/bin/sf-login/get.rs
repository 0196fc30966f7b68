//! `sf-login get`: one resource, as it came.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use sf_login::Session;
use sf_login::ureq::http::header::CONTENT_TYPE;
use sf_login::ureq::http::{HeaderValue, Request};

use crate::output::STDOUT;

pub fn get(session: &Session, path: &str) -> anyhow::Result<()> {
    let url = session.url(path)?;
    let reply = session.run(Request::get(&url).header("Accept", "*/*").body("")?)?;
    let html = |kind: &HeaderValue| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html");
    if reply.headers().get(CONTENT_TYPE).is_some_and(html) && has_no_pages(&url) {
        bail!("unexpected reply: an HTML page (HTTP {})", reply.status().as_u16());
    }
    let mut body = reply.into_body().into_reader();
    let mut out = io::stdout().lock();
    let mut buffer = vec![0; 64 * 1024];
    let mut last = b'\n';
    while let n @ 1.. = body.read(&mut buffer).context("the reply did not arrive whole")? {
        out.write_all(&buffer[..n]).context(STDOUT)?;
        last = buffer[n - 1];
    }
    if out.is_terminal() && last != b'\n' {
        // The prompt belongs on a line of its own.
        out.write_all(b"\n").context(STDOUT)?;
    }
    out.flush().context(STDOUT)
}

/// The REST API has none, but for a file that is one.
fn has_no_pages(url: &str) -> bool {
    let path = url.splitn(4, '/').last().unwrap_or_default().to_ascii_lowercase();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.starts_with("services/data/") && !path.ends_with("/versiondata") && !path.ends_with("/body")
}
