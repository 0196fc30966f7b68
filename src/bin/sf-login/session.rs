//! The session that `get` and `query` use, and its end.

use sf_login::{Session, Token};

use crate::login::announce;

/// Does `work` with the session of the environment. Each login says who and where.
pub fn with_session(work: impl FnOnce(&Session) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let session = Session::from_env()?;
    let first = session.token();
    // Then the environment has none, and this one is of a login.
    if Token::from_env().is_err() {
        announce("", &first);
    }
    work(&session)?;
    let last = session.token();
    if last.access_token() != first.access_token() {
        announce("the session had expired; ", &last);
    }
    Ok(())
}

/// With the token alone, which does not log in for this.
pub fn revoke() -> anyhow::Result<()> {
    Ok(Session::new(Token::from_env()?)?.revoke()?)
}
