//! Standard output: what it is, and what it is called when it fails.

use std::fs::File;
use std::io::{self, Write as _};
#[cfg(not(windows))]
use std::os::fd::AsFd as _;
#[cfg(windows)]
use std::os::windows::io::AsHandle as _;

use anyhow::Context as _;

/// What a failed write to standard output is called.
pub const STDOUT: &str = "cannot write to standard output";

pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(STDOUT)
}

/// Does what prints a result: who reads no further has seen enough of it.
pub fn result(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    match check().and_then(|()| work()) {
        Err(error) if error.to_string() == STDOUT && error.downcast_ref().is_some_and(closed) => Ok(()),
        outcome => outcome,
    }
}

/// Fails where nothing can be written, as std's own writes do not where it is not open for writing.
pub fn check() -> anyhow::Result<()> {
    if cfg!(unix) {
        let _empty: usize = file().and_then(|mut file| file.write(b"")).context(STDOUT)?;
    }
    Ok(())
}

pub fn is_regular_file() -> bool {
    file().and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

fn file() -> io::Result<File> {
    let out = io::stdout();
    #[cfg(not(windows))]
    let out = out.as_fd();
    #[cfg(windows)]
    let out = out.as_handle();
    Ok(File::from(out.try_clone_to_owned()?))
}
