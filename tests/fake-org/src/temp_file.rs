//! Files that live as long as their org.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A file in the temporary directory that its owner alone may read, removed when it is dropped.
pub(crate) struct TempFile(pub(crate) PathBuf);

impl TempFile {
    /// Of that content; its name is told from others' by the org's address and by `kind`.
    pub(crate) fn create(addr: SocketAddr, kind: &str, content: &str) -> TempFile {
        let name = format!("fake-org-{}-{}-{kind}.pem", std::process::id(), addr.port());
        let path = std::env::temp_dir().join(name);
        // What a process of the same id has left, if anything.
        drop(fs::remove_file(&path));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(content.as_bytes()));
        written.expect("could not write to the temporary directory");
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // Somebody else may have tidied up.
        drop(fs::remove_file(&self.0));
    }
}
