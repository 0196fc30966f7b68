//! The JWT bearer flow.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rustls::SignatureScheme::RSA_PKCS1_SHA256;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};

use super::*;

const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");

fn claims() -> Value {
    let expires = text::now() / 1000 + 300;
    json!({ "iss": CLIENT_ID, "sub": USERNAME, "aud": "http://127.0.0.1", "exp": expires })
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

fn assertion(claims: &Value) -> String {
    signed(&json!({ "alg": "RS256" }), claims)
}

fn post_assertion(org: &Org, assertion: &str) -> Reply {
    post_token(org, TOKEN, &[GRANT, ("assertion", assertion)])
}

#[test]
fn what_is_wrong_with_an_assertion_is_told_in_salesforces_words() {
    let org = Org::start();
    let now = text::now() / 1000;
    for (claim, value, told) in [
        ("iss", json!("x"), json!("client identifier invalid")),
        ("aud", json!("127.0.0.1"), json!("audience is invalid")),
        ("aud", json!(["http://127.0.0.1"]), json!("audience is invalid")),
        ("aud", json!("http://127.0.0.1/"), json!("audience is invalid")),
        ("sub", json!(SITE_USERNAME), json!("user hasn't approved this consumer")),
        ("jti", json!("1"), json!("invalid assertion")),
        ("exp", json!("1"), json!("invalid assertion")),
        ("exp", json!(now - 170), Value::Null),
        ("exp", json!(now - 190), json!("expired authorization code")),
    ] {
        let mut claims = claims();
        claims[claim] = value;
        let reply = post_assertion(&org, &assertion(&claims)).json();
        assert_eq!(reply["error_description"], told, "{claim}");
    }

    let right = claims();
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

#[cfg(unix)]
#[test]
fn the_key_is_in_a_file_for_its_owner_alone_as_long_as_the_org_lives() {
    use std::os::unix::fs::PermissionsExt as _;
    let org = Org::start();
    let file = org.jwt_key_file().to_owned();
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), JWT_KEY);
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    drop(org);
    assert!(!file.exists());
}
