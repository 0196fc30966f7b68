//! The token endpoint: who gets in, and how Salesforce puts it when it refuses.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{
    ADA, ALPHABET, AUTHENTICATION_FAILURE, Form, Place, Refused, Salesforce, Session, User, is_generic,
};
use crate::refusal::SUCCESS;
use crate::{
    APPLICATION, Answer, CLIENT_ID, CLIENT_SECRET, ORG_ID, PASSWORD, Request, SECURITY_TOKEN, SITE_ID,
    USERNAME, text,
};

/// The instance of an org that is reached by Salesforce's own names.
const MY_DOMAIN: &str = "https://acme.my.salesforce.com";

impl Salesforce {
    /// The token endpoint.
    pub(super) fn token(&mut self, request: &Request, place: &Place) -> Answer {
        let turned_into_get = request.method == "GET" && request.param("grant_type").is_none();
        if turned_into_get || (request.method == "POST" && !request.is_form()) {
            return Answer::oauth_error("unsupported_grant_type", "grant type not supported");
        }
        if request.method != "POST" {
            return Answer::oauth_error("invalid_request", "POST required");
        }
        let form: Form = match text::form(&request.body) {
            Ok(pairs) => pairs.into_iter().collect(),
            Err(problem) => return Answer::oauth_error("invalid_request", &problem),
        };
        let flow = match form.get("grant_type").map(String::as_str) {
            Some("password") => "password",
            Some("client_credentials") => "client_credentials",
            Some("authorization_code") => "code_credentials",
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => "jwt_bearer",
            _ => return Answer::oauth_error("unsupported_grant_type", "grant type not supported"),
        };
        match self.grant(flow, &form, place) {
            Ok(user) => {
                let reply = self.log_in(flow, user, place);
                Answer::json(200, Value::Object(reply)).header("Cache-Control", "no-cache, no-store")
            }
            Err((error, description)) => Answer::oauth_error(error, description),
        }
    }

    /// As whom this form logs in.
    fn grant(&mut self, flow: &str, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        if flow == "jwt_bearer" {
            return self.grant_jwt(form, place);
        }
        let user_known = flow == "password" && form.get("username").is_some_and(|name| name == USERNAME);
        let app_known = form.get("client_id").is_some_and(|id| id == CLIENT_ID);
        let secret_required = self.setup.secret_required || flow == "client_credentials";
        let secret = form.get("client_secret");
        if user_known && (!app_known || (secret.is_none() && secret_required)) {
            self.note(flow, &ADA, "Failed: Missing Consumer Key Parameter", place);
        }
        if !app_known {
            return Err(("invalid_client_id", "client identifier invalid"));
        }
        if secret.map_or(secret_required, |secret| secret != CLIENT_SECRET) {
            return Err(("invalid_client", "invalid client credentials"));
        }
        match flow {
            "password" if user_known && place.site.is_none() => self.grant_password(form, place),
            "password" => Err(AUTHENTICATION_FAILURE),
            "client_credentials" if is_generic(place.host) => {
                Err(("invalid_grant", "request not supported on this domain"))
            }
            "client_credentials" => self.admit(flow, &ADA, place),
            _ => self.grant_code(form, place),
        }
    }

    /// Whether the org lets in who has the right credentials.
    pub(super) fn admit(
        &mut self,
        flow: &str,
        user: &'static User,
        place: &Place,
    ) -> Result<&'static User, Refused> {
        let refusal = self.setup.refusal.filter(|refusal| refusal.flows.contains(&flow));
        let Some(refusal) = refusal.filter(|refusal| !refusal.is_of_api()) else { return Ok(user) };
        if matches!(flow, "password" | "code_credentials") {
            // Of the others' refusals nobody has seen an entry.
            refusal.status.inspect(|status| self.note(flow, user, status, place));
        }
        Err((refusal.error, refusal.description))
    }

    fn grant_password(&mut self, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        let token = if self.setup.security_token_required { SECURITY_TOKEN } else { "" };
        let status = match form.get("password").and_then(|password| password.strip_prefix(PASSWORD)) {
            Some(rest) if rest == token => return self.admit("password", &ADA, place),
            Some("") => "Failed: API security token required",
            _ => "Invalid Password",
        };
        self.note("password", &ADA, status, place);
        Err(AUTHENTICATION_FAILURE)
    }

    /// Leaves an entry in Login History.
    pub(super) fn note(&mut self, flow: &str, user: &User, status: &str, place: &Place) {
        // The other flows have no documented name of their own.
        let sub_type = match flow {
            "password" => Some("OAuth Username-Password"),
            "client_credentials" => Some("OAuth Client Credentials"),
            _ => None,
        };
        let entry = json!({
            "UserId": user.id,
            "LoginTime": text::timestamp(text::now() / 1000 * 1000),
            "Status": status,
            "LoginType": "Remote Access 2.0",
            "LoginSubType": sub_type,
            "Application": APPLICATION,
            "SourceIp": "127.0.0.1",
            "LoginUrl": place.host,
        });
        self.data.create("LoginHistory", entry);
    }

    /// Begins a session.
    pub(super) fn begin(&mut self, user: &'static User, administrator: bool) -> String {
        let token = self.setup.token.clone().filter(|_| !administrator);
        let token =
            token.unwrap_or_else(|| format!("{}!AQ{}", &ORG_ID[..15], self.random.text(ALPHABET, 92)));
        self.sessions.insert(token.clone(), Session { user, administrator, uses: 0 });
        token
    }

    /// Begins the session of a user who was let in, and describes it as the token endpoint does.
    fn log_in(&mut self, flow: &str, user: &'static User, place: &Place) -> Map<String, Value> {
        self.note(flow, user, SUCCESS, place);
        let token = self.begin(user, false);
        let (instance_url, id_host) = if is_loopback(place.host) {
            (self.url.clone(), self.url.clone())
        } else if place.host.ends_with(".my.salesforce.com") {
            (format!("https://{}", place.host), "https://login.salesforce.com".to_owned())
        } else if place.host == "test.salesforce.com" {
            (MY_DOMAIN.to_owned(), "https://test.salesforce.com".to_owned())
        } else {
            (MY_DOMAIN.to_owned(), "https://login.salesforce.com".to_owned())
        };
        let signature: Vec<u8> = (0..4).flat_map(|_| self.random.next().to_be_bytes()).collect();
        let mut reply = Map::new();
        let mut put = |name: &str, value: String| reply.insert(name.to_owned(), value.into());
        put("access_token", token);
        put("instance_url", self.setup.instance_url.clone().unwrap_or(instance_url));
        put("id", format!("{id_host}/id/{ORG_ID}/{}", user.id));
        put("token_type", "Bearer".to_owned());
        if flow != "jwt_bearer" {
            put("issued_at", text::now().to_string());
            put("signature", BASE64_STANDARD.encode(signature));
        }
        if flow != "password" {
            put("scope", "api".to_owned());
        }
        if let Some(site) = place.site {
            put("sfdc_community_url", format!("{}{site}", place.origin));
            put("sfdc_community_id", SITE_ID.to_owned());
        }
        reply.extend(self.setup.reply_extra.clone());
        reply.retain(|name, _| !self.setup.reply_without.contains(name));
        reply
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.starts_with("127.")
}
