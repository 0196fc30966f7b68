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

/// The assertion that the user `sub` logs in, by the app with the consumer key `iss`, to `aud`, one whole URL without
/// a slash at its end; or what is wrong with the key, as [`Key::from_pem`] says it.
//
// Without a `jti`: Salesforce would refuse one that it has seen, and with it a repeated login.
pub(crate) fn assertion(
    key: &Key,
    iss: &str,
    sub: &str,
    aud: &str,
    now: SystemTime,
) -> Result<String, &'static str> {
    // A clock that is before 1970 gives an assertion that has expired, and Salesforce's refusal says so.
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let claims = json!({ "iss": iss, "sub": sub, "aud": aud, "exp": now.saturating_add(LIFETIME).as_secs() })
        .to_string();
    let [header, claims] = [r#"{"alg":"RS256"}"#, &claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_clock_that_is_before_1970_gives_an_assertion_that_has_expired() {
        let key = Key::from_pem(fake_org::JWT_KEY).ok().unwrap();
        let before = SystemTime::UNIX_EPOCH - LIFETIME;
        let assertion =
            assertion(&key, "3MVG9.key", "ada@example.com", "https://login.salesforce.com", before);
        let assertion = assertion.unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&claims).unwrap()["exp"], 300);
    }
}
