//! A login under way: its requests, and what their replies mean.

#[cfg(feature = "jwt")]
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::Value;
use ureq::http::{HeaderName, HeaderValue, header};

use crate::address::{AUTHORIZE_PATH, TOKEN_PATH, parse_login_url};
use crate::diagnosis::Context;
use crate::error::{Error, ErrorKind, setting};
use crate::hints::case::{Odd, Tried};
#[cfg(feature = "jwt")]
use crate::jwt::{GRANT_TYPE, assertion};
use crate::redact::{Secrets, secret_of};
use crate::refusal::{Refusal, oauth_fault};
use crate::settings::{Flow, Settings};
use crate::token::Token;
use crate::wire::client::Client;
use crate::wire::reply::Reply;
use crate::wire::send::{Request, secret_header};
use crate::wire::url::{Url, form, read_form};
use crate::wire::{Deadline, RequestKind};

/// Logs in by the settings' flow. `secrets` are those of the settings, and others that no message may show.
pub(crate) fn log_in(
    settings: &Settings,
    client: &Client,
    deadline: Deadline,
    secrets: Secrets,
) -> Result<Token, Error> {
    let site = settings.check()?;
    let secrets = secrets.told();
    let mut exchange = Exchange { settings, client, deadline, site, secrets, kind: RequestKind::Login };
    let mut fields = vec![("client_id", &*settings.client_id)];
    fields.extend(settings.client_secret.as_deref().map(|secret| ("client_secret", secret)));
    match &settings.flow {
        Flow::Password { username, password, security_token } => {
            let password = format!("{password}{security_token}");
            fields.extend([("username", &**username), ("password", &password)]);
            exchange.token("password", &fields)
        }
        Flow::ClientCredentials => exchange.token("client_credentials", &fields),
        Flow::CodeCredentials { username, password, redirect_uri } => {
            let verifier = code_verifier()?;
            let basic = BASE64_STANDARD.encode(format!("{username}:{password}"));
            exchange.secrets.add(&verifier);
            exchange.secrets.add(&basic);
            let code = exchange.code(&basic, redirect_uri, &verifier)?;
            fields.extend([("code", &*code), ("redirect_uri", redirect_uri), ("code_verifier", &verifier)]);
            // A code is spent by the first exchange that arrives, a password is not.
            exchange.kind = RequestKind::Write;
            exchange.token("authorization_code", &fields)
        }
        #[cfg(feature = "jwt")]
        Flow::JwtBearer { username, key, audience } => {
            let login_url = format!("{}{}", exchange.site.origin, exchange.site.path);
            let aud = if audience.is_empty() { &login_url } else { audience };
            let sign = |key| assertion(key, &settings.client_id, username, aud, SystemTime::now());
            let signed = key.as_ref().map_err(|problem| *problem).and_then(sign);
            let assertion = signed.map_err(|problem| settings.setting("private_key", problem))?;
            exchange.secrets.add(&assertion);
            // The assertion says which app it is.
            exchange.token(GRANT_TYPE, &[("assertion", &assertion)])
        }
    }
}

/// What the requests of one login share.
struct Exchange<'a> {
    settings: &'a Settings,
    client: &'a Client,
    deadline: Deadline,
    /// Where its requests go; for a site, the code's reply may name another path.
    site: Url,
    secrets: Secrets,
    kind: RequestKind,
}

impl Exchange<'_> {
    /// The POST to the token endpoint, with which every flow ends.
    fn token(&self, grant_type: &str, fields: &[(&str, &str)]) -> Result<Token, Error> {
        let body = form(&[&[("grant_type", grant_type)], fields].concat());
        let reply = self.send(&Request::form(&self.site, self.path(TOKEN_PATH), &body, self.kind))?;
        match reply.json() {
            // What to write instead is for people, and nobody wrote this.
            Some(Value::Object(fields)) if reply.is_success() => {
                Token::read(fields).map_err(|(name, bad)| {
                    let problem = format!("{name} {}", bad.problem);
                    self.context().unexpected(reply.status, Odd::Other, problem)
                })
            }
            _ => Err(self.context().instead_of_json(&reply)),
        }
    }

    /// The first half of the Authorization Code and Credentials flow: the code, from a redirect or from JSON.
    fn code(&mut self, basic: &str, redirect_uri: &str, verifier: &str) -> Result<String, Error> {
        let body = form(&[
            ("response_type", "code_credentials"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", redirect_uri),
            ("code_challenge", &code_challenge(verifier)),
            ("code_challenge_method", "S256"),
        ]);
        let mut request = Request::form(&self.site, self.path(AUTHORIZE_PATH), &body, self.kind);
        let request_type = HeaderName::from_static("auth-request-type");
        request.headers.push((request_type, HeaderValue::from_static("Named-User")));
        request.headers.push((header::AUTHORIZATION, secret_header(&format!("Basic {basic}"))));
        let reply = self.send(&request)?;

        let query = reply.location.as_deref().and_then(|location| {
            let rest = location.strip_prefix(redirect_uri)?;
            rest.strip_prefix(if redirect_uri.contains('?') { '&' } else { '?' })
        });
        let fields = match (query, reply.json()) {
            (Some(query), _) => read_form(query),
            (None, Some(Value::Object(fields))) if reply.status < 500 && reply.fault().is_none() => fields,
            _ => return Err(self.context().instead_of_json(&reply)),
        };
        let text = |name| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(code), 200..=399) = (text("code"), reply.status) else {
            return Err(self.context().unexpected(reply.status, Odd::NoCode, "no code in it"));
        };
        self.secrets.add(code);
        match text("sfdc_community_url").map(|url| parse_login_url(url, true)) {
            None => {}
            Some(Ok(community)) if community.origin == self.site.origin => self.site = community,
            Some(community) => {
                let site = &self.site.origin;
                let named = community.map_or("no https URL".to_owned(), |url| self.secrets.origin(&url));
                let problem =
                    format!("sfdc_community_url names {named}, not {site}, so it was not sent the code");
                return Err(self.context().unexpected(reply.status, Odd::Elsewhere, problem));
            }
        }
        Ok(code.to_owned())
    }

    /// Sends a request of the login, and tells a refusal from all other replies.
    fn send(&self, request: &Request<'_>) -> Result<Reply, Error> {
        let outcome = self.client.send(request, self.deadline, oauth_fault);
        let reply = outcome.map_err(|error| self.context().no_reply(&error))?;
        let Some(refusal) = Refusal::read(&reply).or_else(|| self.redirected_refusal(&reply)) else {
            return Ok(reply);
        };
        let mut context = self.context();
        refusal.secrets.iter().for_each(|secret| context.secrets.add(secret_of(secret)));
        let kind = ErrorKind::Refused {
            status: reply.status,
            error: context.secrets.show(&refusal.error),
            description: context.secrets.show(&refusal.description),
        };
        let said = format!("{}: {}", refusal.error, refusal.description);
        let error = context.error(kind, Odd::Other, &said, refusal.fault(&reply));
        let error = error.asks_to_wait(reply.retry_after);
        Err(if refusal.may_pass() { error } else { error.lasting() })
    }

    /// A refusal in the query or the fragment of a redirect, to the callback or to an error page of the same
    /// host.
    fn redirected_refusal(&self, reply: &Reply) -> Option<Refusal> {
        let location = reply.location.as_deref()?;
        let callback = self.settings.value("redirect_uri");
        let is_callback = callback.is_some_and(|callback| location.starts_with(callback));
        if !is_callback && self.context().leads_elsewhere(location).is_some() {
            return None;
        }
        Refusal::of(&read_form(&location.split_once(['?', '#'])?.1.replace(['?', '#'], "&")))
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.site.path)
    }

    fn context(&self) -> Context<'_> {
        let secrets = self.secrets.clone();
        Context { host: &self.site.authority, secrets, tried: Tried::Login(self.settings), kind: self.kind }
    }
}

/// RFC 7636: 43 random characters, of which the authorize endpoint is told the hash.
fn code_verifier() -> Result<String, Error> {
    let mut bytes = [0; 32];
    let problem = |error| setting("code_verifier", format!("wants random numbers, which failed: {error}"));
    getrandom::getrandom(&mut bytes).map_err(problem)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn code_challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::code_challenge;

    #[test]
    fn the_code_challenge_is_that_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(code_challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
