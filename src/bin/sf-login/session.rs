//! The session that `get` and `query` use, and its end.

use std::env;

use sf_login::{Login, Session, Token};

use crate::failure::usage;
use crate::login::announce;

/// Does `work` with the session of the environment. Each login says who and where.
pub fn with_session(work: impl FnOnce(&Session) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let session = Session::from_env()?;
    let first = session.token();
    if !has_token() {
        announce("", &first, || Login::from_env().ok());
    }
    work(&session)?;
    let last = session.token();
    if last.access_token() != first.access_token() {
        announce("the session had expired; ", &last, || Login::from_env().ok());
    }
    Ok(())
}

fn has_token() -> bool {
    env::var_os("SF_ACCESS_TOKEN").is_some_and(|token| !token.is_empty())
}

/// What `revoke` and `why` use, which never log in.
pub fn kept_token(which: &str) -> anyhow::Result<Token> {
    if !has_token() {
        return usage(&format!("SF_ACCESS_TOKEN is not set: write {which}"));
    }
    Ok(Token::from_env()?)
}

pub fn revoke() -> anyhow::Result<()> {
    Ok(Session::new(kept_token("the token that is to be logged out")?)?.revoke()?)
}
