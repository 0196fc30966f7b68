//! The assertion of the JWT bearer flow: who logs in, signed with the key whose certificate the app has.

use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::json;

use crate::key::Key;

/// What the token endpoint calls this flow.
pub(crate) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// For how long an assertion is good: long enough for every repeat of its login and a clock that is fast or
/// slow by a few minutes.
const LIFETIME: Duration = Duration::from_secs(300);

/// Who logs in. There is no `jti`: Salesforce would refuse one that it has seen, and with it a repeated login.
pub(crate) struct Claims<'a> {
    /// The app's consumer key.
    pub(crate) iss: &'a str,
    /// The username.
    pub(crate) sub: &'a str,
    /// One whole URL, without a slash at its end.
    pub(crate) aud: &'a str,
}

impl Claims<'_> {
    /// The signed assertion, or what is wrong with the key, as [`Key::from_pem`] says it.
    pub(crate) fn sign(&self, key: &Key, now: SystemTime) -> Result<String, &'static str> {
        // A clock that is before 1970 gives an assertion that has expired, and Salesforce's refusal says so.
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let exp = now.saturating_add(LIFETIME).as_secs();
        let claims = json!({ "iss": self.iss, "sub": self.sub, "aud": self.aud, "exp": exp }).to_string();
        let [header, claims] =
            [r#"{"alg":"RS256"}"#, &claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
        Ok(format!("{signed}.{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_clock_that_is_before_1970_gives_an_assertion_that_has_expired() {
        let key = Key::from_pem(fake_org::JWT_KEY).ok().unwrap();
        let claims = Claims { iss: "3MVG9.key", sub: "ada@example.com", aud: "https://login.salesforce.com" };
        let assertion = claims.sign(&key, SystemTime::UNIX_EPOCH - LIFETIME).unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&claims).unwrap()["exp"], 300);
    }
}
