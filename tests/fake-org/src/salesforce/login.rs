//! The token endpoint: who gets in, and how Salesforce puts it when it refuses.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    ADA, ALPHABET, AUTHENTICATION_FAILURE, Form, Place, Refused, Salesforce, Session, User, is_generic,
};
use crate::{
    Answer, CLIENT_ID, CLIENT_SECRET, ORG_ID, PASSWORD, Request, SECURITY_TOKEN, SITE_ID, USERNAME, text,
};

/// The instance of an org that is reached by Salesforce's own names.
const MY_DOMAIN: &str = "https://acme.my.salesforce.com";

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

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
        match self.grant(&form, place) {
            Ok(user) => {
                let reply = self.log_in(user, &form, place);
                Answer::json(200, Value::Object(reply)).header("Cache-Control", "no-cache, no-store")
            }
            Err((error, description)) => Answer::oauth_error(error, description),
        }
    }

    /// As whom this form logs in.
    pub(super) fn grant(&mut self, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        let grant_type = form.get("grant_type").map(String::as_str);
        if grant_type == Some(JWT_BEARER) {
            return self.grant_jwt(form, place);
        }
        let Some(grant_type @ ("password" | "client_credentials" | "authorization_code")) = grant_type else {
            return Err(("unsupported_grant_type", "grant type not supported"));
        };
        if form.get("client_id").map(String::as_str) != Some(CLIENT_ID) {
            return Err(("invalid_client_id", "client identifier invalid"));
        }
        let secret_required = self.setup.secret_required || grant_type == "client_credentials";
        match form.get("client_secret") {
            Some(secret) if secret == CLIENT_SECRET => {}
            None if !secret_required => {}
            _ => return Err(("invalid_client", "invalid client credentials")),
        }
        match grant_type {
            "password" => self.grant_password(form, place),
            "client_credentials" => self.grant_client_credentials(place),
            _ => self.grant_code(form, place),
        }
    }

    /// Whether the org lets in who has the right credentials.
    pub(super) fn admit(&self) -> Result<(), Refused> {
        if !self.setup.user_active {
            return Err(("invalid_grant", "inactive user"));
        }
        if !self.setup.user_approved {
            return Err(("invalid_grant", "user hasn't approved this consumer"));
        }
        self.setup.refusal.map_or(Ok(()), Err)
    }

    pub(super) fn grant_password(&self, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        let setup = &self.setup;
        let token = if setup.security_token_required { SECURITY_TOKEN } else { "" };
        let right = form.get("username").is_some_and(|username| username == USERNAME)
            && form.get("password").and_then(|p| p.strip_prefix(PASSWORD)) == Some(token);
        if !setup.password_flow_allowed || setup.external_client_app || place.site.is_some() || !right {
            return Err(AUTHENTICATION_FAILURE);
        }
        self.admit().map(|()| &ADA)
    }

    pub(super) fn grant_client_credentials(&self, place: &Place) -> Result<&'static User, Refused> {
        if is_generic(place.host) {
            Err(("invalid_grant", "request not supported on this domain"))
        } else if !self.setup.client_credentials_enabled {
            Err(("invalid_grant", "client credentials flow not enabled"))
        } else if !self.setup.run_as_user {
            Err(("invalid_grant", "no client credentials user enabled"))
        } else {
            self.admit().map(|()| &ADA)
        }
    }

    /// Begins a session, and describes it as the token endpoint does.
    pub(super) fn log_in(&mut self, user: &'static User, form: &Form, place: &Place) -> Map<String, Value> {
        let token = self.setup.token.clone();
        let token =
            token.unwrap_or_else(|| format!("{}!AQ{}", &ORG_ID[..15], self.random.text(ALPHABET, 92)));
        self.sessions.insert(token.clone(), Session { user, uses: 0 });

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
        if form["grant_type"] != JWT_BEARER {
            put("issued_at", text::now().to_string());
            put("signature", BASE64_STANDARD.encode(signature));
        }
        if form["grant_type"] != "password" {
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
