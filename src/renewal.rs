//! The token that the clones of a session share, and the one new login for all threads when it has expired.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::diagnosis::Context;
use crate::error::Error;
use crate::exchange::log_in;
use crate::hints::case::{Odd, Tried};
use crate::redact::{Secrets, secret_of};
use crate::settings::{Renewal, Settings};
use crate::token::Token;
use crate::wire::client::Client;
use crate::wire::no_reply::{Cause, NoReply};
use crate::wire::send::Request;
use crate::wire::url::Url;
use crate::wire::{Deadline, Fault, RequestKind};

const MINUTE: Duration = Duration::from_secs(60);

/// How many new logins a session makes within a minute: Salesforce refuses a user's above sixty.
const MOST_LOGINS: usize = 10;

/// What the clones of a session share.
pub(crate) struct Shared {
    pub(crate) instance: Url,
    renewal: Renewal,
    state: Mutex<State>,
    login_ended: Condvar,
}

struct State {
    token: Arc<Token>,
    /// The login's, and every access token that the session has had.
    secrets: Secrets,
    /// When the token was issued, if that was by a new login and no request has been accepted with it yet.
    unproven_since: Option<Instant>,
    /// A thread is logging in again.
    logging_in: bool,
    /// Why the last new login was of no use, and until when that answers whoever meets the same expired token.
    failure: Option<(Error, Instant)>,
    /// How long that is, or was.
    wait: Duration,
    /// When the new logins of the last minute began.
    begun: Vec<Instant>,
}

/// How long to wait after a new login that failed: it may have been a refusal that nobody saw.
fn longer(wait: Duration) -> Duration {
    (2 * wait).clamp(Duration::from_secs(1), MINUTE)
}

impl Shared {
    pub(crate) fn new(token: Token, renewal: Renewal) -> Shared {
        let mut secrets = match &renewal {
            Renewal::Login(login) => login.secrets(),
            Renewal::TokenAlone { .. } | Renewal::Unusable(_) => Secrets::default(),
        };
        secrets.add(secret_of(token.access_token()));
        let state = State {
            secrets,
            token: Arc::new(token),
            unproven_since: None,
            logging_in: false,
            failure: None,
            wait: Duration::ZERO,
            begun: Vec::new(),
        };
        let instance = state.token.instance.clone();
        Shared { instance, renewal, state: Mutex::new(state), login_ended: Condvar::new() }
    }

    /// The current token, whatever became of it.
    pub(crate) fn token(&self) -> Token {
        Token::clone(&self.lock().token)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token, or the failure after which there is no use in sending anything.
    pub(crate) fn usable_token(&self) -> Result<Arc<Token>, Error> {
        let state = self.lock();
        match &state.failure {
            Some((failure, _)) if failure.is_lasting() => Err(failure.clone()),
            _ => Ok(state.token.clone()),
        }
    }

    /// Notes that the API has accepted `token`. If it was rejected before, that reply overtook this one.
    pub(crate) fn accepted(&self, token: &Arc<Token>) {
        let mut state = self.lock();
        if Arc::ptr_eq(&state.token, token) && state.unproven_since.take().is_some() {
            state.failure = None;
        }
    }

    /// Replaces the token `used`, which the API has rejected with `expired`, by one new login for all threads
    /// that have come across it; tells whether it was this thread that logged in, which it may only when
    /// `allowed`: once for a request.
    pub(crate) fn log_in_again(
        &self,
        client: &Client,
        request: &Request<'_>,
        used: &Arc<Token>,
        expired: Error,
        allowed: bool,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        let is_replaced = |state: &State| !Arc::ptr_eq(&state.token, used);
        let is_ahead = |state: &mut State| state.logging_in && !is_replaced(state);
        let state = self.login_ended.wait_timeout_while(self.lock(), deadline.left(), is_ahead);
        let (mut state, _) = state.unwrap_or_else(PoisonError::into_inner);
        if is_replaced(&state) {
            return Ok(false);
        }
        let holds = |(failure, until): &&(Error, Instant)| failure.is_lasting() || Instant::now() < *until;
        if let Some((failure, _)) = state.failure.as_ref().filter(holds) {
            return Err(failure.clone());
        }
        if state.logging_in {
            drop(state);
            let words = "another thread's new login took longer than this request may".to_owned();
            let (cause, fault) = (Cause::ReplyTimeout, Some(Fault::NotDone));
            let late = NoReply { cause, words, status: None, fault, retry_after: None };
            return Err(self.context(request).no_reply(&late));
        }
        // A new token that is rejected so soon will be rejected whenever it is new.
        if state.unproven_since.is_some_and(|issued| issued.elapsed() < MINUTE) {
            state.failure = Some((expired.clone().lasting(), Instant::now()));
            return Err(expired);
        }
        let (Renewal::Login(login), true) = (&self.renewal, allowed) else {
            return Err(expired);
        };
        state.begun.retain(|begun| begun.elapsed() < MINUTE);
        if state.begun.len() >= MOST_LOGINS {
            log::debug!("no new login: there were {MOST_LOGINS} within a minute");
            return Err(expired);
        }
        state.begun.push(Instant::now());
        state.logging_in = true;
        state.unproven_since = None;
        let secrets = state.secrets.clone();
        drop(state);
        let _turn = Turn(self);
        log::debug!("the access token is not valid any more: logging in anew");

        let outcome = log_in(login, client, deadline.at_most(login.timeout), secrets.clone());
        let outcome = outcome.and_then(|token| match used.differs_in(&token) {
            None => Ok(token),
            Some(other) => Err(elsewhere(login, secrets.told(), used, &token, other)),
        });
        let mut state = self.lock();
        match outcome {
            Ok(token) => {
                state.secrets.add(secret_of(token.access_token()));
                state.token = Arc::new(token);
                state.unproven_since = Some(Instant::now());
                state.failure = None;
                state.wait = Duration::ZERO;
                log::debug!("the new login brought a token");
                Ok(true)
            }
            Err(error) => {
                state.wait = longer(state.wait);
                state.failure = Some((error.clone(), Instant::now() + state.wait));
                if error.is_lasting() {
                    log::debug!("the new login failed, and no other is tried");
                } else {
                    log::debug!("the new login failed: the next is tried after {} s", state.wait.as_secs());
                }
                Err(error)
            }
        }
    }

    pub(crate) fn context<'a>(&'a self, request: &'a Request<'_>) -> Context<'a> {
        let secrets = self.lock().secrets.clone();
        let tried = Tried::Request { request, renewal: &self.renewal };
        Context { host: &request.to.authority, secrets, tried, kind: request.kind }
    }
}

/// Why a new login is of no use that arrived at another instance, organization or user.
fn elsewhere(login: &Settings, secrets: Secrets, used: &Token, new: &Token, other: &str) -> Error {
    let (theirs, ours) = (secrets.origin(&new.instance), &used.instance.origin);
    // Of its ids, a login host could make anything.
    let than = match other {
        "instance" => format!("instance ({theirs}) than the session's ({ours})"),
        _ => format!("{other} than the session's"),
    };
    let (host, tried, kind) = (&*used.instance.authority, Tried::Login(login), RequestKind::Login);
    let problem = format!("the new login arrived at another {than}");
    Context { host, secrets, tried, kind }.unexpected(200, Odd::LoginElsewhere, problem).lasting()
}

/// A thread's turn to log in again; it ends however the login ends, by a panic too.
struct Turn<'s>(&'s Shared);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().logging_in = false;
        self.0.login_ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::time::Duration;

    use super::longer;

    #[test]
    fn the_wait_for_the_next_new_login_grows_to_a_minute() {
        let waits = iter::successors(Some(Duration::ZERO), |wait| Some(longer(*wait)));
        let seconds: Vec<u64> = waits.skip(1).take(8).map(|wait| wait.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
