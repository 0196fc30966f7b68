//! The JWT bearer flow.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rustls::SignatureScheme::RSA_PKCS1_SHA256;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};

use super::*;
use crate::Setup;

const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");

/// The claims of a client at that URL.
pub(super) fn claims(audience: &str) -> Value {
    let expires = text::now() / 1000 + 300;
    json!({ "iss": CLIENT_ID, "sub": USERNAME, "aud": audience, "exp": expires })
}

fn signed(header: &Value, claims: &Value) -> String {
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let text = format!("{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()));
    let key = PrivateKeyDer::from_pem_slice(JWT_KEY.as_bytes()).expect("a key");
    let key =
        any_supported_type(&key).expect("an RSA key").choose_scheme(&[RSA_PKCS1_SHA256]).expect("RS256");
    let signature = key.sign(text.as_bytes()).expect("a signature");
    format!("{text}.{}", part(&signature))
}

pub(super) fn assertion(claims: &Value) -> String {
    signed(&json!({ "alg": "RS256" }), claims)
}

pub(super) fn post_assertion(org: &Org, assertion: &str) -> Reply {
    post_token(org, TOKEN, &[GRANT, ("assertion", assertion)])
}

/// What a client is told to whose claims that happens.
fn refusal(org: &Org, change: impl Fn(&mut Value)) -> Value {
    let mut claims = claims("http://127.0.0.1");
    change(&mut claims);
    post_assertion(org, &assertion(&claims)).json()["error_description"].clone()
}

#[test]
fn an_assertion_logs_its_user_in() {
    let org = Org::start();
    let right = assertion(&claims("http://127.0.0.1"));
    // It has no number of its own, so that it is as good the second time.
    for _ in 0..2 {
        let token = post_assertion(&org, &right).json();
        let names: Vec<&str> = token.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(names, ["access_token", "id", "instance_url", "scope", "token_type"]);
        assert_eq!(token["id"], format!("{}/id/{ORG_ID}/{USER_ID}", org.url()));
    }
    let mut at_site = claims("http://127.0.0.1/customers");
    at_site["sub"] = json!(SITE_USERNAME);
    let pairs = [GRANT, ("assertion", &assertion(&at_site))];
    let token = post_token(&org, "/customers/services/oauth2/token", &pairs).json();
    assert_eq!(token["sfdc_community_id"], SITE_ID);
}

#[test]
fn what_is_wrong_with_an_assertion_is_told_in_salesforces_words() {
    let org = Org::start();
    assert_eq!(refusal(&org, |c| c["iss"] = json!("x")), "client identifier invalid");
    for audience in [json!("127.0.0.1"), json!(["http://127.0.0.1"]), json!("http://127.0.0.1/")] {
        assert_eq!(refusal(&org, |c| c["aud"] = audience.clone()), "audience is invalid");
    }
    assert_eq!(refusal(&org, |c| c["sub"] = json!(SITE_USERNAME)), "user hasn't approved this consumer");
    assert_eq!(refusal(&org, |c| c["jti"] = json!("1")), "invalid assertion");
    assert_eq!(refusal(&org, |c| c["exp"] = json!("1")), "invalid assertion");
    let late = |seconds: i64| move |c: &mut Value| c["exp"] = json!(text::now() / 1000 - seconds);
    assert_eq!(refusal(&org, late(170)), Value::Null);
    assert_eq!(refusal(&org, late(190)), "expired authorization code");

    let right = claims("http://127.0.0.1");
    let whole = assertion(&right);
    let (text, signature) = whole.rsplit_once('.').expect("a signature");
    let of_other = assertion(&json!({ "iss": CLIENT_ID }));
    let of_other = of_other.rsplit('.').next().expect("a signature");
    for wrong in [
        &format!("{text}.{of_other}"),
        text,
        &format!("{text}.{signature}="),
        &signed(&json!({ "alg": "none" }), &right),
        "",
    ] {
        assert_refused(&post_assertion(&org, wrong), "invalid_grant", "invalid assertion");
    }
    let more = post_token(&org, TOKEN, &[GRANT, ("assertion", &whole), ("client_id", CLIENT_ID)]);
    assert_refused(&more, "invalid_request", "unexpected parameter beside the assertion");
}

#[test]
fn what_the_org_has_set_decides_about_assertions() {
    let org = Org::start();
    let with = |change: fn(&mut Setup)| {
        org.setup(|setup| *setup = Setup::default());
        org.setup(change);
        refusal(&org, |_| {})
    };
    assert_eq!(with(|setup| setup.clock_ahead = 470), Value::Null);
    assert_eq!(with(|setup| setup.clock_ahead = 490), "expired authorization code");
    assert_eq!(
        with(|setup| setup.audience = Some("https://login.salesforce.com".to_owned())),
        "audience is invalid"
    );
    assert_eq!(refusal(&org, |c| c["aud"] = json!("https://login.salesforce.com")), Value::Null);
}

#[cfg(unix)]
#[test]
fn the_key_is_in_a_file_for_its_owner_alone_as_long_as_the_org_lives() {
    use std::os::unix::fs::PermissionsExt as _;
    let org = Org::start();
    let file = org.jwt_key_file().to_owned();
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), JWT_KEY);
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert!(org.env_for("jwt_bearer").contains(&("SF_JWT_KEY_FILE", file.display().to_string())));
    drop(org);
    assert!(!file.exists());
}
