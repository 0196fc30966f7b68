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
    use std::io::Write as _;
    use std::process::{self, Command, Stdio};
    use std::{env, fs};

    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;
    use crate::key::tests::{pem, wrapped};

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn assertion(now: SystemTime) -> String {
        let claims =
            Claims { iss: "3MVG9.key", sub: "zoë\"@example.com", aud: "https://login.salesforce.com" };
        claims.sign(&Key::from_pem(&pem("rsa 2048")).unwrap(), now).unwrap()
    }

    fn part(assertion: &str, n: usize) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(n).unwrap()).unwrap()
    }

    #[test]
    fn the_assertion_holds_who_logs_in_and_ends_after_five_minutes() {
        let assertion = assertion(SystemTime::UNIX_EPOCH + NOW);
        assert_eq!(part(&assertion, 0), br#"{"alg":"RS256"}"#);
        let claims: Value = serde_json::from_slice(&part(&assertion, 1)).unwrap();
        let (sub, aud) = ("zoë\"@example.com", "https://login.salesforce.com");
        assert_eq!(claims, json!({ "iss": "3MVG9.key", "sub": sub, "aud": aud, "exp": 1_800_000_300 }));
        assert_eq!(assertion.split('.').count(), 3);
    }

    #[test]
    fn a_clock_that_is_before_1970_gives_an_assertion_that_has_expired() {
        let claims: Value =
            serde_json::from_slice(&part(&assertion(SystemTime::UNIX_EPOCH - NOW), 1)).unwrap();
        assert_eq!(claims["exp"], 300);
    }

    #[test]
    fn the_signature_is_good_for_the_public_key() {
        let assertion = assertion(SystemTime::UNIX_EPOCH + NOW);
        let (signed, signature) = (assertion.rsplit_once('.').unwrap().0, part(&assertion, 2));
        // ring reads an RSA public key as PKCS#1, which is what stands in the other form after 24 bytes.
        let public = pem("public");
        let public = public.split("-----").nth(2).unwrap().replace(' ', "");
        let der = base64::prelude::BASE64_STANDARD.decode(&public).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der[24..]);
        assert_eq!(key.verify(signed.as_bytes(), &signature), Ok(()));

        // And by something that is not ours.
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("skipped: openssl is not installed");
            return;
        }
        let dir = env::temp_dir().join(format!("sf-login-jwt-{}", process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("public.pem"), wrapped("PUBLIC KEY", &public)).unwrap();
        fs::write(dir.join("signature"), signature).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature"]);
        let openssl = openssl.current_dir(&dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut openssl = openssl.spawn().unwrap();
        openssl.stdin.take().unwrap().write_all(signed.as_bytes()).unwrap();
        let output = openssl.wait_with_output().unwrap();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "Verified OK\n");
    }
}
