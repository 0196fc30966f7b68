//! A private key as people have it: from the text of its PEM to an RSA key that signs, or what is wrong with it.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;

/// What can be wrong with a key: ends of sentences that begin with the setting's name. None quotes the key.
#[rustfmt::skip]
mod problem {
    pub const UTF_16: &str = "is UTF-16: write it as UTF-8";
    pub const ENCRYPTED: &str = "is an encrypted key, which cannot be used: write it plain with `openssl pkey -in server.key`";
    pub const OPENSSH: &str = "is a key in OpenSSH's own format, which cannot be used: make one with openssl, as the README shows";
    pub const NOT_RSA: &str = "is not an RSA key, and Salesforce takes no other: make one as the README shows";
    pub const SHORT: &str = "is shorter than 2048 bits, or has an exponent below 65537: make a new key as the README shows";
    pub const LONG: &str = "is longer than 4096 bits, or its length is no multiple of 512: make a new key as the README shows";
    pub const PUBLIC: &str = "holds a certificate or public key and no private key: give the file that `openssl -keyout` wrote";
    pub const CUT_OFF: &str = "is cut off: give all of it, from -----BEGIN to the end of the -----END line";
    pub const NOT_BASE64: &str = "holds what is not base64 between its BEGIN and END lines: give the file as openssl wrote it";
    pub const DAMAGED: &str = "cannot be read as an RSA private key: give the file as openssl wrote it";
    pub const PATH: &str = "holds a path in place of a key: give what is in that file, or set SF_JWT_KEY_FILE to the path";
    pub const NO_PEM: &str = "is not a private key in PEM: give the whole file, which begins with -----BEGIN";
}

/// What each reason of ring's for refusing a key means; it tells them only as text.
const REFUSALS: [(&str, &str); 5] = [
    ("TooSmall", problem::SHORT),
    ("TooLarge", problem::LONG),
    ("PrivateModulusLenNotMultipleOf512Bits", problem::LONG),
    ("WrongAlgorithm", problem::NOT_RSA),
    // An elliptic curve's key without PKCS#8 around it has version 1, an RSA key has 0.
    ("VersionNotSupported", problem::NOT_RSA),
];

/// An RSA private key that can sign.
#[derive(Clone)]
pub(crate) struct Key {
    pair: Arc<KeyPair>,
    base64: Arc<str>,
}

impl Key {
    /// Reads PEM, or base64 of PEM or of DER, whatever became of its line breaks on the way.
    pub(crate) fn from_pem(text: &str) -> Result<Key, &'static str> {
        if text.contains('\0') {
            return Err(problem::UTF_16);
        }
        // Variables and secret stores turn line breaks into spaces, `\n` or nothing, so none of it counts.
        let is_noise = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\'' | '\\');
        let packed = text.replace("\\n", "").replace("\\r", "").replace(is_noise, "");
        let mut parts = packed.split("-----");
        match parts.find(|part| part.starts_with("BEGIN") && part.ends_with("PRIVATEKEY")) {
            Some("BEGINENCRYPTEDPRIVATEKEY") => Err(problem::ENCRYPTED),
            Some("BEGINOPENSSHPRIVATEKEY") => Err(problem::OPENSSH),
            Some(_) => match parts.next().unwrap_or_default() {
                body if body.starts_with("Proc-Type:") => Err(problem::ENCRYPTED),
                body => Key::from_der(&decode(body).ok_or(problem::NOT_BASE64)?, body),
            },
            None if packed.contains("-----BEGINCERTIFICATE") || packed.contains("PUBLICKEY-----") => {
                Err(problem::PUBLIC)
            }
            None => {
                let bytes = decode(&packed).unwrap_or_default();
                let inner = String::from_utf8_lossy(&bytes);
                if bytes.starts_with(&[0x30, 0x82]) {
                    Key::from_der(&bytes, &packed)
                } else if inner.replace('\0', "").contains("-----BEGIN") {
                    Key::from_pem(&inner)
                } else if text.len() < 300 && text.contains(['/', '\\', '.']) && !text.contains("BEGIN") {
                    Err(problem::PATH)
                } else {
                    Err(problem::NO_PEM)
                }
            }
        }
    }

    fn from_der(der: &[u8], base64: &str) -> Result<Key, &'static str> {
        let is_whole = match der {
            // DER says its own length, for a key that is long enough in two bytes.
            [0x30, 0x82, high, low, rest @ ..] => rest.len() >= u16::from_be_bytes([*high, *low]).into(),
            der => der.len() >= 4,
        };
        if !is_whole {
            return Err(problem::CUT_OFF);
        }
        // Labels lie: PKCS#8 first, then PKCS#1, and the reason of whichever could say more.
        let pair = KeyPair::from_pkcs8(der).or_else(|pkcs8| {
            KeyPair::from_der(der).map_err(|pkcs1| {
                let reasons = [pkcs8.to_string(), pkcs1.to_string()];
                let known = REFUSALS.iter().find(|(reason, _)| reasons.iter().any(|told| told == reason));
                known.map_or(problem::DAMAGED, |(_, problem)| problem)
            })
        })?;
        Ok(Key { pair: Arc::new(pair), base64: base64.into() })
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256. It fails for a key whose numbers do not fit one another.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| signature).map_err(|_| problem::DAMAGED)
    }

    /// What of the key is secret, as text: its base64 on one line, without the BEGIN and END lines.
    pub(crate) fn secret(&self) -> &str {
        &self.base64
    }
}

/// Reads base64 whose padding was lost; of a text that was cut off, its whole groups of four.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches(['=', '-']);
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')) {
        return None;
    }
    let decode = |text: &str| BASE64_STANDARD_NO_PAD.decode(text).ok();
    decode(text).or_else(|| decode(text.get(..text.len() / 4 * 4)?))
}
