//! `sf-login get`: one resource, as it came.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use anyhow::Context as _;
use sf_login::Session;

use crate::output::STDOUT;

pub fn get(session: &Session, path: &str) -> anyhow::Result<()> {
    let mut body = session.open(path)?;
    let mut out = io::stdout().lock();
    let mut buffer = vec![0; 64 * 1024];
    let mut last = b'\n';
    while let n @ 1.. = body.read(&mut buffer)? {
        out.write_all(&buffer[..n]).context(STDOUT)?;
        last = buffer[n - 1];
    }
    if out.is_terminal() && last != b'\n' {
        // The prompt belongs on a line of its own.
        out.write_all(b"\n").context(STDOUT)?;
    }
    out.flush().context(STDOUT)
}
