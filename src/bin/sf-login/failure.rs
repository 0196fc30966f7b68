//! What the binary itself complains of, and the exit code of each kind of failure.

use std::fmt;

use sf_login::ErrorKind;

/// A complaint of the binary's own.
#[derive(Debug)]
struct Failure {
    exit_code: u8,
    says: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

pub fn failure(exit_code: u8, says: String) -> anyhow::Error {
    anyhow::Error::msg(Failure { exit_code, says })
}

/// A command line, or what goes with it, that cannot be understood.
pub fn usage<T>(problem: &str) -> anyhow::Result<T> {
    Err(failure(2, format!("{problem}\nsee sf-login --help")))
}

pub fn exit_code(error: &anyhow::Error) -> u8 {
    let Some(error) = error.downcast_ref::<sf_login::Error>() else {
        return error.downcast_ref::<Failure>().map_or(1, |failure| failure.exit_code);
    };
    match error.kind() {
        _ if error.is_transient() => 1,
        ErrorKind::Setting { .. } => 2,
        ErrorKind::Refused { .. } => 3,
        ErrorKind::Api { .. } => 4,
        _ if error.is_refused_login() => 3,
        _ => 1,
    }
}
