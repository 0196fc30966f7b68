//! The code and credentials flow: codes for customers of the Experience Cloud site.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac_sha256::Hash;
use serde_json::json;

use super::{ALPHABET, AUTHENTICATION_FAILURE, BOB, Form, Place, Refused, Salesforce, User, login_page};
use crate::{Answer, CLIENT_ID, REDIRECT_URI, Request, SITE_ID, SITE_PASSWORD, SITE_USERNAME, text};

const ECHO_PATH: &str = "/services/oauth2/echo";
const REDIRECT_URI_MISMATCH: Refused = ("redirect_uri_mismatch", "redirect_uri must match configuration");

/// What the exchange of a code must agree with.
pub(super) struct Code {
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
}

impl Salesforce {
    /// The first half of the code and credentials flow.
    pub(super) fn authorize(&mut self, request: &Request, place: &Place) -> Answer {
        let named_user = request.header("auth-request-type") == Some("Named-User");
        let Some(site) = place.site.filter(|_| request.method == "POST" && named_user) else {
            // Everybody else is taken for a person with a browser.
            return login_page();
        };
        let site_url = format!("{}{site}", place.origin);
        let echo = format!("{site_url}{ECHO_PATH}");
        let form: Form = match text::form(&request.body) {
            Ok(pairs) if request.is_form() => pairs.into_iter().collect(),
            Ok(_) => return Answer::oauth_error("invalid_request", "not a form"),
            Err(problem) => return Answer::oauth_error("invalid_request", &problem),
        };
        if form.get("client_id").map(String::as_str) != Some(CLIENT_ID) {
            return self.refuse_code(("invalid_client_id", "client identifier invalid"), None);
        }
        let redirect_uri = form.get("redirect_uri").filter(|uri| *uri == REDIRECT_URI || **uri == echo);
        let Some(redirect_uri) = redirect_uri else {
            // Nor is anything sent to where nobody knows who listens.
            return self.refuse_code(REDIRECT_URI_MISMATCH, None);
        };
        if let Err(refused) = self.check_customer(request, &form, place) {
            return self.refuse_code(refused, Some(redirect_uri));
        }
        let code = format!("aPrx{}==", self.random.text(ALPHABET, 70));
        let challenge = form.get("code_challenge").cloned().unwrap_or_default();
        self.codes.insert(code.clone(), Code { redirect_uri: redirect_uri.clone(), challenge });
        if *redirect_uri == echo {
            let found = json!({
                "code": code, "sfdc_community_url": site_url, "sfdc_community_id": SITE_ID,
            });
            return Answer::json(200, found);
        }
        let (code, site_url) = (text::escape(&code), text::escape(&site_url));
        Answer::redirect(
            302,
            format!("{redirect_uri}?code={code}&sfdc_community_url={site_url}&sfdc_community_id={SITE_ID}"),
        )
    }

    fn refuse_code(&self, (error, description): Refused, callback: Option<&str>) -> Answer {
        match callback.filter(|_| self.setup.errors_to_callback) {
            Some(callback) => {
                let description = text::escape(description);
                Answer::redirect(302, format!("{callback}?error={error}&error_description={description}"))
            }
            None => Answer::oauth_error(error, description),
        }
    }

    fn check_customer(&mut self, request: &Request, form: &Form, place: &Place) -> Result<(), Refused> {
        if form.get("response_type").map(String::as_str) != Some("code_credentials") {
            return Err(("unsupported_response_type", "response type not supported"));
        }
        match (form.get("code_challenge"), form.get("code_challenge_method").map(String::as_str)) {
            (None, _) => return Err(("invalid_request", "missing required code challenge")),
            (Some(challenge), Some("S256")) if is_sha256(challenge) => {}
            (Some(_), _) => return Err(("invalid_request", "invalid code challenge")),
        }
        let given = if self.setup.credentials_in_body {
            form.get("username").cloned().zip(form.get("password").cloned())
        } else {
            request.header("authorization").and_then(basic_credentials)
        };
        let given = given.filter(|(username, _)| username == SITE_USERNAME);
        let (_, password) = given.ok_or(AUTHENTICATION_FAILURE)?;
        if password != SITE_PASSWORD {
            self.note("code_credentials", &BOB, "Invalid Password", place);
            return Err(AUTHENTICATION_FAILURE);
        }
        self.admit("code_credentials", &BOB, place).map(|_| ())
    }

    pub(super) fn grant_code(&mut self, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        // Taken off the list whatever comes of it: a code is good for one try.
        let code = form.get("code").and_then(|code| self.codes.remove(code));
        let Some(code) = code.filter(|_| place.site.is_some()) else {
            return Err(("invalid_grant", "invalid authorization code"));
        };
        if form.get("redirect_uri") != Some(&code.redirect_uri) {
            return Err(REDIRECT_URI_MISMATCH);
        }
        let verified = form.get("code_verifier").and_then(|verifier| challenge(verifier));
        if verified != Some(code.challenge) {
            self.note("code_credentials", &BOB, "Failed: Invalid Code Verifier", place);
            return Err(("invalid_grant", "invalid code verifier"));
        }
        Ok(&BOB)
    }
}

/// The S256 challenge of a verifier that has the form of RFC 7636.
fn challenge(verifier: &str) -> Option<String> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let fits = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    fits.then(|| BASE64_URL_SAFE_NO_PAD.encode(Hash::hash(verifier.as_bytes())))
}

/// Whether this can be a challenge: 32 bytes in base64url, without padding.
fn is_sha256(challenge: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32)
}

fn basic_credentials(header: &str) -> Option<(String, String)> {
    let decoded = BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}
