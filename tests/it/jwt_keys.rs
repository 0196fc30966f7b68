//! A private key: every form in which people have one is taken, and every mistake is named before anything is sent.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use fake_org::{Answer, CLIENT_ID, JWT_CERTIFICATE, JWT_KEY, Org, USERNAME};
use sf_login::{App, ErrorKind, Login, Token};

use crate::support::{MINIMAL, OLD, only_request, shown};

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

#[test]
fn every_form_in_which_people_have_a_key_is_taken() {
    let (pem, base64) = (JWT_KEY, body(JWT_KEY));
    let bag = "Bag Attributes\r\n    friendlyName: Zoë's -- key\nKey Attributes: <No Attributes>\n";
    let pkcs1 = encode(&decode(&base64)[26..]);
    let org = Org::start();
    for (form, text) in [
        ("as openssl writes it", pem.to_owned()),
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
        ("base64 of the PEM", encode(pem)),
        ("base64 of the PEM, quoted", format!("\u{feff}\"{}\"\n", encode(pem))),
        ("base64 of the PEM in lines", encode(pem).replace("LS0t", "LS\r\n0t")),
        ("base64 of the PEM without padding", encode(format!("{pem}\n\n")).replace('=', "")),
        ("base64 of the PEM and more", encode([bag.as_bytes(), b"\xe9\n", pem.as_bytes()].concat())),
        ("Bag Attributes", format!("{bag}{pem}")),
        ("a certificate before it", format!("{JWT_CERTIFICATE}\n{bag}{pem}")),
        ("a certificate after it", format!("{pem}{JWT_CERTIFICATE}")),
        ("no BEGIN and END lines", base64.clone()),
        ("no END line", pem.replace("-----END PRIVATE KEY-----\n", "")),
        ("half an END line", pem.replace("-END PRIVATE KEY-----\n", "")),
        ("PKCS#1", wrapped("RSA PRIVATE KEY", &pkcs1)),
        ("PKCS#1 with the label of PKCS#8", wrapped("PRIVATE KEY", &pkcs1)),
        ("PKCS#1 without a label", pkcs1),
        ("PKCS#8 with the label of PKCS#1", wrapped("RSA PRIVATE KEY", &base64)),
    ] {
        // The org has the certificate of this key alone.
        login(&text).login_url(org.url()).token().unwrap_or_else(|error| panic!("{form}: {error}"));
    }
}

#[test]
fn every_mistake_with_a_key_is_named() {
    let (rsa, base64) = (JWT_KEY, body(JWT_KEY));
    let wrong_numbers = base64.replacen(&base64[200..204], "AAAA", 1);
    let line = &base64[128..192];
    let utf_16: Vec<u8> = rsa.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (mistake, text, problem) in [
        ("encrypted PKCS#8", key("encrypted PKCS#8"), ENCRYPTED),
        ("encrypted PKCS#1", key("encrypted PKCS#1"), ENCRYPTED),
        ("encrypted, in base64", encode(key("encrypted PKCS#1")), ENCRYPTED),
        ("OpenSSH", key("OpenSSH"), OPENSSH),
        ("EC", key("ec"), NOT_RSA),
        ("EC, its own form", key("ec, its own form"), NOT_RSA),
        ("EC with RSA's label", key("ec, its own form").replace("EC ", "RSA "), NOT_RSA),
        ("Ed25519", key("ed25519"), NOT_RSA),
        ("a certificate", JWT_CERTIFICATE.to_owned(), PUBLIC),
        ("a public key", key("public"), PUBLIC),
        ("a public key, PKCS#1", key("public").replace("PUBLIC", "RSA PUBLIC"), PUBLIC),
        ("1024 bits", key("rsa 1024"), SHORT),
        ("exponent 3", key("exponent 3"), SHORT),
        ("4608 bits", key("rsa 4608"), LONG),
        ("2080 bits", key("rsa 2080"), LONG),
        ("the first line only", "-----BEGIN PRIVATE KEY-----".to_owned(), CUT_OFF),
        ("nothing between", wrapped("PRIVATE KEY", ""), CUT_OFF),
        ("a line is missing", rsa.replace(line, ""), CUT_OFF),
        ("first line of base64 of the PEM", encode(rsa)[..76].to_owned(), CUT_OFF),
        ("half of it without a label", base64[..800].to_owned(), CUT_OFF),
        ("masked", wrapped("PRIVATE KEY", "***"), NOT_BASE64),
        ("a stray character", rsa.replace(&base64[99..101], "é"), NOT_BASE64),
        ("a line stands twice", rsa.replace(line, &line.repeat(2)), DAMAGED),
        ("other numbers", wrapped("PRIVATE KEY", &wrong_numbers), DAMAGED),
        ("encrypted, with a plain key's label", key("encrypted PKCS#8").replace("ENCRYPTED ", ""), DAMAGED),
        ("a path", "/run/secrets/jwt".to_owned(), PATH),
        ("a path of Windows", r"C:\keys\new\server.key".to_owned(), PATH),
        ("a file's name", "server.key\n".to_owned(), PATH),
        ("UTF-16 in base64", encode(&utf_16), UTF_16),
        ("UTF-16", String::from_utf8(utf_16).expect("all of it is ASCII"), UTF_16),
        ("nothing", String::new(), NO_PEM),
        ("a word", "secret".to_owned(), NO_PEM),
        ("BEGIN without its end", "-----BEGIN PRIVATE KEY\nMIIE".to_owned(), NO_PEM),
        ("four dashes for five", "----BEGIN PRIVATE KEY----\nMI/E".to_owned(), NO_PEM),
        ("another tool's key", r#"{"kty": "RSA", "n": "AQAB"}"#.repeat(20), NO_PEM),
    ] {
        assert_eq!(problem_with(&text), problem, "{mistake}");
    }
}

#[test]
fn a_key_that_ends_anywhere_in_its_base64_is_cut_off() {
    let base64 = body(JWT_KEY);
    for end in 0..base64.trim_end_matches('=').len() {
        assert_eq!(
            problem_with(&format!("-----BEGIN PRIVATE KEY----- {}", &base64[..end])),
            CUT_OFF,
            "{end}"
        );
    }
}

#[test]
fn a_key_whose_numbers_do_not_fit_signs_nothing() {
    let mut der = decode(&body(JWT_KEY));
    // In the first prime's exponent, which is seen to be wrong only when it is used.
    der[900] ^= 1;
    let org = Org::start();
    let error = login(&encode(der)).login_url(org.url()).token().unwrap_err();
    assert_eq!(shown(&error), format!("private_key {DAMAGED}"));
    assert_eq!(org.connections(), 0);
}

#[test]
fn the_longest_key_signs() {
    let org = Org::start();
    org.answer(Answer::json(200, MINIMAL));
    login(&key("rsa 4096")).login_url(org.url()).token().unwrap();
    let assertion = only_request(&org).param("assertion").expect("it is sent");
    let signature = assertion.rsplit('.').next().expect("it is signed");
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(signature).map(|signature| signature.len()), Ok(512));
}

fn login(private_key: &str) -> Login {
    App::without_secret(CLIENT_ID).jwt_bearer(USERNAME, private_key)
}

/// What is wrong with a key, as a session says that is made with it and sends nothing.
#[track_caller]
fn problem_with(private_key: &str) -> String {
    let token = Token::new(OLD, "https://acme.my.salesforce.com").expect("a good token");
    let error = login(private_key).resume(token).expect_err("no key for this flow");
    shown(&error);
    match error.kind() {
        ErrorKind::Setting { name, problem } if name == "private_key" => problem.clone(),
        other => panic!("{other:?}"),
    }
}

/// A key of `keys/keys.txt`: its PEM on one line.
fn key(name: &str) -> String {
    let pem =
        include_str!("keys/keys.txt").lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    pem.expect("a key of this name").to_owned()
}

/// The base64 of a PEM, on one line.
fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// The PEM as openssl writes it.
fn wrapped(label: &str, base64: &str) -> String {
    let lines = base64.as_bytes().chunks(64).map(String::from_utf8_lossy);
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.collect::<Vec<_>>().join("\n"))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn decode(base64: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(base64).expect("it is base64")
}
