//! The JWT bearer flow: an assertion that the app's certificate proves.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};
use webpki::{EndEntityCert, ring::RSA_PKCS1_2048_8192_SHA256};

use super::{ADA, BOB, Form, Place, Refused, Salesforce, User};
use crate::refusal::NOT_APPROVED;
use crate::{CLIENT_ID, JWT_CERTIFICATE, text};

/// How far a client's clock may be behind, in seconds.
const SKEW: i64 = 3 * 60;

const INVALID_ASSERTION: Refused = ("invalid_grant", "invalid assertion");

impl Salesforce {
    pub(super) fn grant_jwt(&mut self, form: &Form, place: &Place) -> Result<&'static User, Refused> {
        if form.keys().any(|name| !matches!(name.as_str(), "grant_type" | "assertion")) {
            return Err(("invalid_request", "unexpected parameter beside the assertion"));
        }
        let assertion = form.get("assertion").ok_or(INVALID_ASSERTION)?;
        let (signed, signature) = assertion.rsplit_once('.').ok_or(INVALID_ASSERTION)?;
        let (header, claims) = signed.split_once('.').ok_or(INVALID_ASSERTION)?;
        let [header, claims, signature] =
            [header, claims, signature].map(|part| BASE64_URL_SAFE_NO_PAD.decode(part));
        let read = |part: Result<Vec<u8>, _>| serde_json::from_slice(&part.ok()?).ok();
        let header: Value = read(header).ok_or(INVALID_ASSERTION)?;
        if header != json!({ "alg": "RS256" }) && header != json!({ "alg": "RS256", "typ": "JWT" }) {
            return Err(INVALID_ASSERTION);
        }
        let claims: Value = read(claims).ok_or(INVALID_ASSERTION)?;
        // No other claim has a meaning here.
        if claims.as_object().is_none_or(|claims| claims.len() != 4) {
            return Err(INVALID_ASSERTION);
        }
        if claims["iss"] != CLIENT_ID {
            return Err(("invalid_client_id", "client identifier invalid"));
        }
        if !signature.is_ok_and(|signature| is_signed_by_app(signed.as_bytes(), &signature)) {
            return Err(INVALID_ASSERTION);
        }
        let expires = claims["exp"].as_i64().ok_or(INVALID_ASSERTION)?;
        let audience = claims["aud"].as_str().unwrap_or_default();
        let here = format!("{}{}", place.origin, place.site.unwrap_or_default());
        if audience != self.setup.audience.as_deref().unwrap_or(&here) {
            return Err(("invalid_grant", "audience is invalid"));
        }
        if expires.saturating_add(SKEW) < text::now() / 1000 {
            return Err(("invalid_grant", "expired authorization code"));
        }
        let user = if place.site.is_some() { &BOB } else { &ADA };
        if claims["sub"] != user.name {
            return Err(NOT_APPROVED);
        }
        self.admit("jwt_bearer", user, place)
    }
}

/// Whether the app's certificate shows that the signature is of this text.
fn is_signed_by_app(text: &[u8], signature: &[u8]) -> bool {
    let certificate =
        CertificateDer::from_pem_slice(JWT_CERTIFICATE.as_bytes()).expect("BUG: no certificate");
    let certificate = EndEntityCert::try_from(&certificate).expect("BUG: a certificate that cannot be read");
    certificate.verify_signature(RSA_PKCS1_2048_8192_SHA256, text, signature).is_ok()
}
