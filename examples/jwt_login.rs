//! Logs in as one user by a private key in place of a password, keeps the token between runs, and prints as whom it
//! runs.
//!
//! `jwt_login FILE`, with `SF_FLOW=jwt_bearer`, `SF_CLIENT_ID`, `SF_USERNAME`, `SF_JWT_KEY_FILE` and
//! `SF_LOGIN_URL`. FILE keeps the token, which is as secret as a password: who may read it is yours to see to.

use std::{env, fs};

use anyhow::Context as _;
use serde::Deserialize as _;
use serde_json::{Value, json};
use sf_login::{Login, Session, Token, soql_quote};

fn main() -> anyhow::Result<()> {
    let file = env::args().nth(1).context("usage: jwt_login FILE")?;
    let login = Login::from_env()?;
    // Flow, user and host: a token of another login, as after a move to another user, would go on as that one.
    let login_words = login.to_string();
    let kept = fs::read(&file).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let kept = kept.filter(|kept| kept["login"] == *login_words);
    let session = match kept.and_then(|kept| Token::deserialize(&kept["token"]).ok()) {
        Some(token) => login.resume(token)?, // Logs in when the token turns out to have expired.
        None => login.session()?,
    };
    let username = username(&session);
    // The newest token, whatever the outcome.
    fs::write(&file, json!({ "login": login_words, "token": session.token() }).to_string())?;
    println!("requests run as {}", username?);
    Ok(())
}

fn username(session: &Session) -> anyhow::Result<String> {
    let token = session.token();
    let id = token.user_id().context("the token does not say whose it is")?;
    let users = session.query::<Value>(&format!("SELECT Username FROM User WHERE Id = {}", soql_quote(id)));
    let user = users.into_iter().next().context("the user may not see itself")??;
    Ok(user["Username"].as_str().unwrap_or_default().to_owned())
}
