//! The variables of the environment, one at a time.

use std::env;

use crate::error::{Error, setting};

/// Reads one variable of the environment; an empty one is unset.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(setting(name, "is not UTF-8: write it as UTF-8")),
    }
}
