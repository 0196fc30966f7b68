//! A private key as people have it: from the text of its PEM to an RSA key that signs, or what is wrong with it.

use std::fmt;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;

// Each problem is the end of a sentence that begins with the setting's name, and none quotes the key.
const UTF_16: &str = "is UTF-16: write it as UTF-8";
const ENCRYPTED: &str =
    "is an encrypted key, which cannot be used: write it plain with `openssl pkey -in server.key`";
const OPENSSH: &str =
    "is a key in OpenSSH's own format, which cannot be used: make one with openssl, as the README shows";
const NOT_RSA: &str = "is not an RSA key, and Salesforce takes no other: make one as the README shows";
const SHORT: &str =
    "is shorter than 2048 bits, or has an exponent below 65537: make a new key as the README shows";
const LONG: &str =
    "is longer than 4096 bits, or its length is no multiple of 512: make a new key as the README shows";
const PUBLIC: &str =
    "holds a certificate or public key and no private key: give the file that `openssl -keyout` wrote";
const CUT_OFF: &str = "is cut off: give all of it, from -----BEGIN to the end of the -----END line";
const NOT_BASE64: &str =
    "holds what is not base64 between its BEGIN and END lines: give the file as openssl wrote it";
const DAMAGED: &str = "cannot be read as an RSA private key: give the file as openssl wrote it";
const PATH: &str =
    "holds a path in place of a key: give what is in that file, or set SF_JWT_KEY_FILE to the path";
const NO_PEM: &str = "is not a private key in PEM: give the whole file, which begins with -----BEGIN";

/// What each reason of ring's for refusing a key means; it tells them only as text.
const REFUSALS: [(&str, &str); 5] = [
    ("TooSmall", SHORT),
    ("TooLarge", LONG),
    ("PrivateModulusLenNotMultipleOf512Bits", LONG),
    ("WrongAlgorithm", NOT_RSA),
    // An elliptic curve's key without PKCS#8 around it has version 1, an RSA key has 0.
    ("VersionNotSupported", NOT_RSA),
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
            return Err(UTF_16);
        }
        // Variables and secret stores turn line breaks into spaces, `\n` or nothing, so none of it counts.
        let is_noise = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\'' | '\\');
        let packed = text.replace("\\n", "").replace("\\r", "").replace(is_noise, "");
        let mut parts = packed.split("-----");
        match parts.find(|part| part.starts_with("BEGIN") && part.ends_with("PRIVATEKEY")) {
            Some("BEGINENCRYPTEDPRIVATEKEY") => Err(ENCRYPTED),
            Some("BEGINOPENSSHPRIVATEKEY") => Err(OPENSSH),
            Some(_) => match parts.next().unwrap_or_default() {
                body if body.starts_with("Proc-Type:") => Err(ENCRYPTED),
                body => Key::from_der(&decode(body).ok_or(NOT_BASE64)?, body),
            },
            None if packed.contains("-----BEGINCERTIFICATE") || packed.contains("PUBLICKEY-----") => {
                Err(PUBLIC)
            }
            None => {
                let bytes = decode(&packed).unwrap_or_default();
                let inner = String::from_utf8_lossy(&bytes);
                if bytes.starts_with(&[0x30, 0x82]) {
                    Key::from_der(&bytes, &packed)
                } else if inner.replace('\0', "").contains("-----BEGIN") {
                    Key::from_pem(&inner)
                } else if text.len() < 300 && text.contains(['/', '\\', '.']) && !text.contains("BEGIN") {
                    Err(PATH)
                } else {
                    Err(NO_PEM)
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
            return Err(CUT_OFF);
        }
        // Labels lie: PKCS#8 first, then PKCS#1, and the reason of whichever could say more.
        let pair = KeyPair::from_pkcs8(der).or_else(|pkcs8| {
            KeyPair::from_der(der).map_err(|pkcs1| {
                let reasons = [pkcs8.to_string(), pkcs1.to_string()];
                let known = REFUSALS.iter().find(|(reason, _)| reasons.iter().any(|told| told == reason));
                known.map_or(DAMAGED, |(_, problem)| problem)
            })
        })?;
        Ok(Key { pair: Arc::new(pair), base64: base64.into() })
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256. It fails for a key whose numbers do not fit one another.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| signature).map_err(|_| DAMAGED)
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

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A key of `tests/it/keys/keys.txt`: its PEM on one line.
    pub(crate) fn pem(name: &str) -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/keys.txt");
        let keys = std::fs::read_to_string(path).expect("the keys of the tests");
        let pem = keys.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        pem.expect("a key of this name").to_owned()
    }

    /// The PEM as openssl writes it, with line breaks where it must have them.
    pub(crate) fn wrapped(label: &str, base64: &str) -> String {
        let body: Vec<&str> =
            base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", body.join("\n"))
    }

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        base64::prelude::BASE64_STANDARD.encode(bytes)
    }

    fn utf_16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn every_form_in_which_people_have_a_key_is_taken() {
        let rsa = Key::from_pem(&pem("rsa 2048")).unwrap();
        let base64 = rsa.secret().to_owned();
        let (pem, certificate) = (wrapped("PRIVATE KEY", &base64), pem("certificate"));
        let bag = "Bag Attributes\r\n    friendlyName: Zoë's -- key\nKey Attributes: <No Attributes>\n";
        let pkcs1 = encode(&decode(&base64).unwrap()[26..]);
        for (form, text) in [
            ("as openssl writes it", pem.clone()),
            ("CRLF", pem.replace('\n', "\r\n")),
            ("literal \\n", pem.replace('\n', "\\n")),
            ("literal \\r\\n", pem.replace('\n', "\\r\\n")),
            ("escaped twice", pem.replace('\n', "\\\\n")),
            ("in JSON", format!(r#"{{"key": "{}"}}"#, pem.replace('\n', "\\n").replace('/', "\\/"))),
            ("spaces for line breaks", pem.replace('\n', " ")),
            ("no line breaks", pem.replace('\n', "")),
            ("no white space at all", pem.replace(['\n', ' '], "")),
            ("indented", pem.replace('\n', "\n\t    ")),
            ("byte order mark", format!("\u{feff}{pem}")),
            ("double quotes", format!("\"{pem}\"")),
            ("single quotes", format!("'{pem}'\n")),
            ("base64 of the PEM", encode(&pem)),
            ("base64 of the PEM, quoted", format!("\u{feff}\"{}\"\n", encode(&pem))),
            ("base64 of the PEM in lines", encode(&pem).replace("LS0t", "LS\r\n0t")),
            ("base64 of the PEM without padding", encode(format!("{pem}\n\n")).replace('=', "")),
            ("base64 of the PEM and more", encode([bag.as_bytes(), b"\xe9\n", pem.as_bytes()].concat())),
            ("Bag Attributes", format!("{bag}{pem}")),
            ("a certificate before it", format!("{certificate}\n{bag}{pem}")),
            ("a certificate after it", format!("{pem}{certificate}")),
            ("no BEGIN and END lines", base64.clone()),
            ("no END line", pem.replace("-----END PRIVATE KEY-----\n", "")),
            ("half an END line", pem.replace("-END PRIVATE KEY-----\n", "")),
            ("PKCS#1", wrapped("RSA PRIVATE KEY", &pkcs1)),
            ("PKCS#1 with the label of PKCS#8", wrapped("PRIVATE KEY", &pkcs1)),
            ("PKCS#1 without a label", pkcs1),
            ("PKCS#8 with the label of PKCS#1", wrapped("RSA PRIVATE KEY", &base64)),
        ] {
            let signature = Key::from_pem(&text).and_then(|key| key.sign(b"message"));
            // This kind of signature is the same each time.
            assert_eq!(signature, rsa.sign(b"message"), "{form}");
        }
    }

    #[test]
    fn every_mistake_is_named() {
        let rsa = pem("rsa 2048");
        let base64 = Key::from_pem(&rsa).unwrap().secret().to_owned();
        let wrong_numbers = base64.replacen(&base64[200..204], "AAAA", 1);
        for (mistake, text, problem) in [
            ("encrypted PKCS#8", pem("encrypted PKCS#8"), ENCRYPTED),
            ("encrypted PKCS#1", pem("encrypted PKCS#1"), ENCRYPTED),
            ("encrypted, in base64", encode(pem("encrypted PKCS#1")), ENCRYPTED),
            ("OpenSSH", pem("OpenSSH"), OPENSSH),
            ("EC", pem("ec"), NOT_RSA),
            ("EC, its own form", pem("ec, its own form"), NOT_RSA),
            ("EC with RSA's label", pem("ec, its own form").replace("EC ", "RSA "), NOT_RSA),
            ("Ed25519", pem("ed25519"), NOT_RSA),
            ("a certificate", pem("certificate"), PUBLIC),
            ("a public key", pem("public"), PUBLIC),
            ("a public key, PKCS#1", pem("public").replace("PUBLIC", "RSA PUBLIC"), PUBLIC),
            ("1024 bits", pem("rsa 1024"), SHORT),
            ("exponent 3", pem("exponent 3"), SHORT),
            ("4608 bits", pem("rsa 4608"), LONG),
            ("2080 bits", pem("rsa 2080"), LONG),
            ("the first line only", "-----BEGIN PRIVATE KEY-----".to_owned(), CUT_OFF),
            ("nothing between", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----".to_owned(), CUT_OFF),
            ("a line is missing", rsa.replace(&base64[128..192], ""), CUT_OFF),
            ("first line of base64 of the PEM", encode(&rsa)[..76].to_owned(), CUT_OFF),
            ("half of it without a label", base64[..800].to_owned(), CUT_OFF),
            ("masked", "-----BEGIN PRIVATE KEY----- *** -----END PRIVATE KEY-----".to_owned(), NOT_BASE64),
            ("a stray character", rsa.replace(&base64[99..101], "é"), NOT_BASE64),
            ("a line stands twice", rsa.replace(&base64[128..192], &base64[128..192].repeat(2)), DAMAGED),
            ("other numbers", rsa.replace(&base64, &wrong_numbers), DAMAGED),
            (
                "encrypted, with a plain key's label",
                pem("encrypted PKCS#8").replace("ENCRYPTED ", ""),
                DAMAGED,
            ),
            ("a path", "/run/secrets/jwt".to_owned(), PATH),
            ("a path of Windows", r"C:\keys\new\server.key".to_owned(), PATH),
            ("a file's name", "server.key\n".to_owned(), PATH),
            ("UTF-16", String::from_utf8(utf_16(&rsa)).unwrap(), UTF_16),
            ("UTF-16 in base64", encode(utf_16(&rsa)), UTF_16),
            ("nothing", String::new(), NO_PEM),
            ("a word", "secret".to_owned(), NO_PEM),
            ("BEGIN without its end", "-----BEGIN PRIVATE KEY\nMIIE".to_owned(), NO_PEM),
            ("four dashes for five", "----BEGIN PRIVATE KEY----\nMI/E".to_owned(), NO_PEM),
            ("another tool's key", r#"{"kty": "RSA", "n": "AQAB"}"#.repeat(20), NO_PEM),
        ] {
            assert_eq!(Key::from_pem(&text).err(), Some(problem), "{mistake}");
        }
    }

    #[test]
    fn a_key_that_ends_anywhere_in_its_base64_is_cut_off() {
        let rsa = pem("rsa 2048");
        let base64 = Key::from_pem(&rsa).unwrap().secret().to_owned();
        let start = rsa.find(&base64).unwrap();
        for end in start..start + base64.trim_end_matches('=').len() {
            assert_eq!(Key::from_pem(&rsa[..end]).err(), Some(CUT_OFF), "{end}");
        }
    }

    #[test]
    fn a_key_whose_numbers_do_not_fit_signs_nothing() {
        let mut der = decode(Key::from_pem(&pem("rsa 2048")).unwrap().secret()).unwrap();
        // In the first prime's exponent, which is seen to be wrong only when it is used.
        der[900] ^= 1;
        let key = Key::from_pem(&encode(der)).unwrap();
        assert_eq!(key.sign(b"message"), Err(DAMAGED));
    }

    #[test]
    fn the_longest_key_signs() {
        assert_eq!(Key::from_pem(&pem("rsa 4096")).unwrap().sign(b"message").map(|s| s.len()), Ok(512));
    }

    #[test]
    fn a_key_is_shared_between_threads_and_shows_nothing() {
        fn shared<T: Clone + Send + Sync>(value: T) -> T {
            value
        }
        let key = shared(Key::from_pem(&pem("rsa 2048")).unwrap());
        assert_eq!(format!("{key:?} {:#?}", key.clone()), "Key { .. } Key { .. }");
        assert!(pem("rsa 2048").contains(key.secret()) && key.secret().len() > 1600);
    }
}
