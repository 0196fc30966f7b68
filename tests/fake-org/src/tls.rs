//! Certificates made at run time, by an authority that exists only in this process.

use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

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
const NAMES: [&str; 10] = [
    "localhost",
    "127.0.0.1",
    "login.salesforce.com",
    "test.salesforce.com",
    "*.my.salesforce.com",
    "*.sandbox.my.salesforce.com",
    "*.develop.my.salesforce.com",
    "*.scratch.my.salesforce.com",
    "*.my.site.com",
    "*.lightning.force.com",
];

/// The certificate, in PEM, of the authority behind all but [`Certificate::UnknownIssuer`].
pub(crate) fn ca_pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| authority().pem())
}

fn authority() -> &'static CertifiedIssuer<'static, KeyPair> {
    static AUTHORITY: OnceLock<CertifiedIssuer<'static, KeyPair>> = OnceLock::new();
    AUTHORITY.get_or_init(|| new_authority("Fake Org Test Authority"))
}

fn new_authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, new_key()).expect("BUG: could not make an authority")
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("BUG: could not make a key")
}

/// The settings of a server that shows this certificate.
pub(crate) fn server_config(certificate: Certificate) -> Arc<ServerConfig> {
    let names: &[&str] = match certificate {
        Certificate::OtherHost => &["other.example"],
        _ => &NAMES,
    };
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("BUG: a name no certificate can hold");
    params.distinguished_name.push(DnType::CommonName, "Fake Org");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    // Some clients take no certificate of more than 825 days.
    let today = text::now() / 86_400_000;
    let ((y1, m1, d1), (y2, m2, d2)) = match certificate {
        Certificate::Expired => ((2020, 1, 1), (2021, 1, 1)),
        Certificate::NotYetValid => ((2090, 1, 1), (2091, 1, 1)),
        _ => (text::date(today - 1), text::date(today + 90)),
    };
    params.not_before = date_time_ymd(y1, m1, d1);
    params.not_after = date_time_ymd(y2, m2, d2);

    let key = new_key();
    let signed = if certificate == Certificate::UnknownIssuer {
        params.signed_by(&key, &new_authority("Authority That Nobody Trusts"))
    } else {
        params.signed_by(&key, authority())
    };
    let signed = signed.expect("BUG: could not sign a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // The provider is named because a program's dependencies may have brought a second one.
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("BUG: ring knows the default protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![signed.der().clone()], key)
        .expect("BUG: key and certificate do not fit");
    Arc::new(config)
}
