//! Certificates made at run time, by an authority that exists only in this process.

use std::sync::{Arc, OnceLock};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::text;

/// What a TLS org shows to its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For localhost, 127.0.0.1, and the names under which Salesforce is reached through a
    /// [`Proxy`](crate::Proxy).
    Good,
    /// Good until 2021.
    Expired,
    /// Good from 2090.
    NotYetValid,
    /// For `other.example` alone.
    OtherHost,
    /// As good, but from an authority that [`Org::ca_pem`](crate::Org::ca_pem) does not hold.
    UnknownIssuer,
}

/// The names of Salesforce that a proxy leads here.
const NAMES: [&str; 9] = [
    "localhost",
    "127.0.0.1",
    "login.salesforce.com",
    "test.salesforce.com",
    "*.my.salesforce.com",
    "*.sandbox.my.salesforce.com",
    "*.develop.my.salesforce.com",
    "*.scratch.my.salesforce.com",
    "*.my.site.com",
];

/// The certificate, in PEM, of the authority behind all but [`Certificate::UnknownIssuer`].
pub(crate) fn ca_pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| {
        let base64 = BASE64_STANDARD.encode(&authority().certificate);
        let lines: String = base64
            .as_bytes()
            .chunks(64)
            .flat_map(|line| [line, b"\n"])
            .flatten()
            .map(|b| char::from(*b))
            .collect();
        format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    })
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("Fake Org Test Authority"))
}

/// The settings of a server that shows this certificate.
pub(crate) fn server_config(certificate: Certificate) -> Arc<ServerConfig> {
    let names: &[&str] = match certificate {
        Certificate::OtherHost => &["other.example"],
        _ => &NAMES,
    };
    // Some clients take no certificate of more than 825 days.
    let today = text::now() / 86_400_000;
    let validity = match certificate {
        Certificate::Expired => [(2020, 1, 1), (2021, 1, 1)],
        Certificate::NotYetValid => [(2090, 1, 1), (2091, 1, 1)],
        _ => [text::date(today - 1), text::date(today + 90)],
    };
    let key = Key::new();
    let signed = if certificate == Certificate::UnknownIssuer {
        Authority::new("Authority That Nobody Trusts").sign(&key, names, validity)
    } else {
        authority().sign(&key, names, validity)
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.pkcs8));
    // The provider is named because a program's dependencies may have brought a second one.
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("BUG: ring knows the default protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(signed)], key)
        .expect("BUG: key and certificate do not fit");
    Arc::new(config)
}

struct Key {
    pkcs8: Vec<u8>,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new() -> Key {
        let (kind, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("BUG: could not make a key");
        let pair =
            EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).expect("BUG: the key is ring's own");
        Key { pkcs8: pkcs8.as_ref().to_vec(), pair }
    }

    fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// What tells it from others.
    fn id(&self) -> Vec<u8> {
        hmac_sha256::Hash::hash(self.public())[..20].to_vec()
    }
}

struct Authority {
    name: &'static str,
    key: Key,
    certificate: Vec<u8>,
}

impl Authority {
    fn new(name: &'static str) -> Authority {
        let mut authority = Authority { name, key: Key::new(), certificate: Vec::new() };
        let is_ca = [
            extension(BASIC_CONSTRAINTS, &seq(&[der(BOOLEAN, &[0xff])])),
            extension(KEY_USAGE, &der(BIT_STRING, &[1, 0b0000_0110])),
        ];
        authority.certificate = authority.issue(&authority.key, name, [(1975, 1, 1), (4096, 1, 1)], &is_ca);
        authority
    }

    fn sign(&self, key: &Key, names: &[&str], validity: [(i32, u8, u8); 2]) -> Vec<u8> {
        let names: Vec<_> = names
            .iter()
            .map(|name| match name.parse::<std::net::Ipv4Addr>() {
                Ok(ip) => der(0x87, &ip.octets()),
                Err(_) => der(0x82, name.as_bytes()),
            })
            .collect();
        let extensions = [
            extension(KEY_USAGE, &der(BIT_STRING, &[7, 0b1000_0000])),
            extension(EXTENDED_KEY_USAGE, &seq(&[der(OID, SERVER_AUTH)])),
            extension(SUBJECT_ALT_NAME, &seq(&names)),
        ];
        self.issue(key, "Fake Org", validity, &extensions)
    }

    /// RFC 5280's certificate, signed by this authority.
    fn issue(&self, key: &Key, name: &str, validity: [(i32, u8, u8); 2], extensions: &[Vec<u8>]) -> Vec<u8> {
        let algorithm = seq(&[der(OID, ECDSA_WITH_SHA256)]);
        let named =
            |name: &str| seq(&[der(SET, &seq(&[der(OID, COMMON_NAME), der(UTF8_STRING, name.as_bytes())]))]);
        let [from, until] = validity.map(|(year, month, day)| match year {
            // In two digits, a year is one from 1950 to 2049.
            1950..2050 => der(UTC_TIME, format!("{:02}{month:02}{day:02}000000Z", year % 100).as_bytes()),
            _ => der(GENERALIZED_TIME, format!("{year}{month:02}{day:02}000000Z").as_bytes()),
        });
        let ids = [
            extension(SUBJECT_KEY_ID, &der(OCTET_STRING, &key.id())),
            extension(AUTHORITY_KEY_ID, &seq(&[der(0x80, &self.key.id())])),
        ];
        let public = seq(&[
            seq(&[der(OID, EC_PUBLIC_KEY), der(OID, P256)]),
            der(BIT_STRING, &[&[0], key.public()].concat()),
        ]);
        let to_be_signed = seq(&[
            der(0xa0, &der(INTEGER, &[2])),
            der(INTEGER, &[&[1], &key.id()[..15]].concat()),
            algorithm.clone(),
            named(self.name),
            seq(&[from, until]),
            named(name),
            public,
            der(0xa3, &seq(&[&ids[..], extensions].concat())),
        ]);
        let signature = self.key.pair.sign(&SystemRandom::new(), &to_be_signed).expect("BUG: could not sign");
        seq(&[to_be_signed, algorithm, der(BIT_STRING, &[&[0], signature.as_ref()].concat())])
    }
}

// By hand, because a library for it needs a newer Rust than the rest of the tests.

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("BUG: no certificate is so long").to_be_bytes();
    let length = match content.len() {
        0..0x80 => &length[1..],
        0x80..0x100 => &[0x81, length[1]],
        _ => &[0x82, length[0], length[1]],
    };
    [&[tag], length, content].concat()
}

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    der(SEQUENCE, &parts.concat())
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    let is_critical = matches!(id, BASIC_CONSTRAINTS | KEY_USAGE).then(|| der(BOOLEAN, &[0xff]));
    seq(&[der(OID, id), is_critical.unwrap_or_default(), der(OCTET_STRING, value)])
}
