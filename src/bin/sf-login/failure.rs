//! What the binary itself complains of, and the exit code of each kind of failure.

use std::fmt;

use sf_login::ErrorKind;

/// A complaint of the binary's own.
#[derive(Debug)]
struct Failure {
    exit_code: u8,
    says: String,
}

pub fn failure(exit_code: u8, says: String) -> anyhow::Error {
    anyhow::Error::msg(Failure { exit_code, says })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

/// A command line, or what goes with it, that cannot be understood.
pub fn usage<T>(problem: &str) -> anyhow::Result<T> {
    Err(failure(2, format!("{problem}\nsee sf-login --help")))
}

pub fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.exit_code;
    }
    match error.downcast_ref::<sf_login::Error>() {
        Some(error) if !error.is_transient() => match error.kind() {
            ErrorKind::Setting { .. } => 2,
            ErrorKind::Refused { .. } => 3,
            ErrorKind::Api { .. } => 4,
            _ if error.is_refused_login() => 3,
            _ => 1,
        },
        _ => 1,
    }
}
