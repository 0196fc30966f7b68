//! TLS: whom a login trusts, and `SSL_CERT_FILE`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use fake_org::{Certificate, Org, USER_ID};
use sf_login::ureq;
use sf_login::ureq::tls::{RootCerts, TlsConfig};

use crate::support::{FLOWS, by_name, failed, headline, host, login, sf_login, with};

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJtuOTClOmOFRkKs1ivXvDDuvqQ7nYDvBf+kYkSqVsaE\n\
                   -----END PRIVATE KEY-----\n";

#[test]
fn good_certificate_of_a_known_authority_is_trusted() {
    let org = Org::start_tls();
    let urls = [Some(org.url()), by_name(&org)].into_iter().flatten();
    let logins = 2 * urls.clone().count();
    for url in urls {
        let run = sf_login(&with(&org.env(), "SF_LOGIN_URL", &url), &[]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{url}");
        assert_eq!(login(&org).login_url(&url).token().unwrap().user_id(), Some(USER_ID), "{url}");
    }
    assert_eq!((org.logins(), org.connections()), (logins, logins));
}

#[test]
fn bad_certificate_ends_the_login_before_anything_is_sent() {
    let cases = [
        (Certificate::Expired, "invalid peer certificate: certificate expired"),
        (Certificate::NotYetValid, "invalid peer certificate: certificate not valid yet"),
        (Certificate::OtherHost, "invalid peer certificate: certificate not valid for name \"127.0.0.1\""),
        (Certificate::UnknownIssuer, "invalid peer certificate: UnknownIssuer"),
    ];
    for (certificate, cause) in cases {
        let org = Org::start_with(certificate);
        let expected = format!("no reply from {}: TLS: {cause}", host(&org));
        for (flow, login) in FLOWS {
            let error = login(&org).token().unwrap_err();
            // Which name it is for, and since when it is valid, may follow.
            let headline = headline(&error);
            assert!(headline.starts_with(&expected), "{certificate:?} {flow}: {headline}");
            assert!(!error.is_transient(), "{certificate:?} {flow}");
            assert_eq!(error.status(), None, "{certificate:?} {flow}");
        }
        let run = sf_login(&org.env(), &[]);
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{certificate:?}");
        assert!(run.stderr.starts_with(&format!("sf-login: {expected}")), "{certificate:?}: {}", run.stderr);
        // It does not become a better one by being asked for again.
        assert_eq!((org.connections(), org.requests().len()), (FLOWS.len() + 1, 0), "{certificate:?}");
    }
}

#[test]
fn authority_that_nobody_named_is_not_trusted() {
    let org = Org::start_tls();
    let expected = format!("no reply from {}: TLS: invalid peer certificate: UnknownIssuer", host(&org));
    let unnamed: Vec<_> = org.env().into_iter().filter(|(name, _)| *name != "SSL_CERT_FILE").collect();
    let run = sf_login(&unnamed, &[]);
    assert_eq!((run.code, run.headline()), (Some(1), &*format!("sf-login: {expected}")));

    let nobody = TlsConfig::builder().root_certs(RootCerts::from(std::iter::empty())).build();
    let nobody = ureq::Agent::config_builder().tls_config(nobody).build().new_agent();
    for agent in [nobody, ureq::Agent::new_with_defaults()] {
        assert_eq!(headline(&login(&org).agent(agent).token().unwrap_err()), expected);
    }
    assert_eq!((org.connections(), org.requests().len()), (3, 0));
}

#[test]
fn server_that_does_not_speak_tls_is_told() {
    let org = Org::start_tls();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let (url, cause) =
        (format!("https://{addr}"), "TLS: received corrupt message of type InvalidContentType");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            // What other servers say to a ClientHello.
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
            // Until the client closes its end.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let error = login(&org).login_url(url).timeout(Duration::from_secs(5)).token().unwrap_err();
        assert_eq!(headline(&error), format!("no reply from {addr}: {cause}"));
        assert!(!error.is_transient());
    });
}

#[test]
fn certificate_file_without_a_certificate_is_refused() {
    let org = Org::start_tls();
    let none = "SSL_CERT_FILE names a file without a certificate, or with a damaged one: write the path of a PEM file with \
                -----BEGIN CERTIFICATE-----";
    let damaged = org.ca_pem().replace("-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n!!!!");
    let cut = &org.ca_pem()[..org.ca_pem().len() / 2];
    let cases = [
        ("empty", String::new()),
        ("junk", "not PEM at all\n\0\u{1}".to_owned()),
        ("key", KEY.to_owned()),
        ("damaged", damaged.clone()),
        ("cut", cut.to_owned()),
        ("one damaged", format!("{damaged}\n{}", org.ca_pem())),
        ("another damaged", format!("{}\n{damaged}", org.ca_pem())),
    ];
    for (case, content) in cases {
        let run = sf_login(&with(&org.env(), "SSL_CERT_FILE", &file(case, &content)), &[]);
        assert_eq!(run, failed(2, none), "{case}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
#[cfg(unix)]
fn certificate_file_that_cannot_be_read_or_may_never_end_is_refused() {
    use crate::support::{SOON, within};

    let org = Org::start_tls();
    let pipe = format!("{}/pipe.pem", env!("CARGO_TARGET_TMPDIR"));
    // It may be there already, from another run.
    std::process::Command::new("mkfifo").arg(&pipe).output().unwrap();
    assert!(!fs::metadata(&pipe).unwrap().is_file());
    let huge = file("huge", "");
    fs::File::options().write(true).open(&huge).unwrap().set_len((16 << 20) + 1).unwrap();
    let regular = "not a regular file: write the path of one";
    let large = "larger than 16 MiB: write the path of a file with certificates alone";
    for (path, why) in [
        ("/no/such/file", "No such file or directory (os error 2)"),
        ("/", "Is a directory (os error 21)"),
        ("/dev/zero", regular),
        (&pipe, regular),
        (&huge, large),
    ] {
        let env = with(&org.env(), "SSL_CERT_FILE", path);
        let run = within(SOON, move || sf_login(&env, &[]));
        let expected = format!("SSL_CERT_FILE names a file that cannot be read: {why}");
        assert_eq!(run, failed(2, &expected), "{path}");
    }
    assert_eq!(org.connections(), 0);
    fs::remove_file(huge).unwrap();
}

#[test]
fn certificate_file_may_hold_more_than_the_authority() {
    let org = Org::start_tls();
    let more = format!("# Our own authority\r\n{KEY}\n{}{}", org.ca_pem(), org.ca_pem());
    let marked = format!("\u{feff}{}", org.ca_pem());
    for (case, content) in [("more", more), ("a byte order mark", marked)] {
        let run = sf_login(&with(&org.env(), "SSL_CERT_FILE", &file(case, &content)), &[]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{case}");
    }
    assert_eq!(org.logins(), 2);
}

/// The path of a file with this content.
fn file(name: &str, content: &str) -> String {
    let path = format!("{}/{name}.pem", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, content).unwrap();
    path
}
