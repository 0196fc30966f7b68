//! Standard output, and what it is called when it fails.

use std::io::{self, Write as _};

use anyhow::Context as _;

/// What a failed write to standard output is called.
pub const STDOUT: &str = "cannot write to standard output";

pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(STDOUT)
}

pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    error.to_string() == STDOUT && io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
