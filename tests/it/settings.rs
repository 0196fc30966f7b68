//! Settings, from a program and from the environment: how they are read, and how wrong ones are told.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::{CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, SECURITY_TOKEN, USER_ID, USERNAME};
use sf_login::ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use sf_login::{App, ENV_VARS, ErrorKind, Login, Token, ureq};

use crate::support::{Run, agent, assert_no_secret, headline, login, run, sf_login, shown, with};

const LINE_END: &str = "holds a line end or a NUL: write the value alone, on one line";

#[test]
fn login_url_is_taken_as_people_write_it() {
    let cases = [
        ("https://login.salesforce.com", "login.salesforce.com"),
        ("login.salesforce.com", "login.salesforce.com"),
        ("HTTPS://Login.SalesForce.COM", "login.salesforce.com"),
        ("https://login.salesforce.com/", "login.salesforce.com"),
        ("https://login.salesforce.com///", "login.salesforce.com"),
        ("  https://login.salesforce.com \t", "login.salesforce.com"),
        ("https://login.salesforce.com\r\n", "login.salesforce.com"),
        ("https://login.salesforce.com:443", "login.salesforce.com"),
        ("login.salesforce.com:443/", "login.salesforce.com"),
        ("https://login.salesforce.com/services/oauth2/token", "login.salesforce.com"),
        ("login.salesforce.com/services/oauth2/token/", "login.salesforce.com"),
        ("https://login.salesforce.com/services/oauth2/authorize", "login.salesforce.com"),
        ("https://login.salesforce.com:8443", "login.salesforce.com:8443"),
        ("test.salesforce.com", "test.salesforce.com"),
        ("https://ACME.my.salesforce.com", "acme.my.salesforce.com"),
        ("ACME--UAT.sandbox.my.salesforce.com", "acme--uat.sandbox.my.salesforce.com"),
        ("https://acme.develop.my.salesforce.com/", "acme.develop.my.salesforce.com"),
        ("https://acme.my.salesforce.mil", "acme.my.salesforce.mil"),
        ("https://acme.my.sfcrmproducts.cn", "acme.my.sfcrmproducts.cn"),
        ("https://acme.my.site.com/Customers/", "acme.my.site.com/Customers"),
        ("acme.my.site.com/customers/services/oauth2/token", "acme.my.site.com/customers"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://127.1.2.3", "127.1.2.3"),
        ("http://localhost:80/", "localhost"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("https://[0:0:0:0:0:0:0:1]", "[::1]"),
        ("localhost:8443", "localhost:8443"),
        ("https://salesforce.internal_network.example:1", "salesforce.internal_network.example:1"),
    ];
    for (url, expected) in cases {
        let login = password_login().login_url(url).to_string();
        let expected = format!("password flow, user ada, host {expected}, security token not set");
        assert_eq!(login, expected, "{url:?}");
    }
}

#[test]
fn login_goes_where_the_url_says() {
    let plain = Org::start();
    let url = plain.url();
    let token = "/services/oauth2/token";
    let cases = [
        (url.clone(), token.to_owned()),
        (format!(" {url}// "), token.to_owned()),
        (format!("{url}{token}"), token.to_owned()),
        (format!("{url}{token}/"), token.to_owned()),
        (url.to_uppercase(), token.to_owned()),
        (format!("{url}/customers"), format!("/customers{token}")),
        (format!("{url}/customers/"), format!("/customers{token}")),
        (format!("{url}/a-b/%C3%A4{token}"), format!("/a-b/%C3%A4{token}")),
    ];
    for (url, path) in cases {
        // At a site, or anywhere else, the password flow is refused: where it went is the point.
        let _ = login(&plain).login_url(&url).token();
        let asked: Vec<_> =
            plain.take_requests().into_iter().map(|r| (r.host().to_owned(), r.path)).collect();
        assert_eq!(asked, [(plain.addr().to_string(), path)], "{url:?}");
    }

    let tls = Org::start_tls();
    let authority = tls.url().replace("https://", "");
    for url in [authority.clone(), format!("{authority}/"), authority.to_uppercase()] {
        let token = login(&tls).login_url(&url).token().expect(&url);
        assert_eq!(token.user_id(), Some(USER_ID), "{url}");
    }
    assert_eq!(tls.logins(), 3);
}

#[test]
fn login_url_that_cannot_be_one_is_refused_with_what_to_write() {
    let clear = "is http, which would send secrets in clear: write https";
    let user_info = "holds user info: leave out what is before the @";
    let query = "holds a query or a fragment: leave out all from the ? or # on";
    let port = "holds a port that is not from 1 to 65535";
    let no_host = "holds no host name: write e.g. https://ACME.my.salesforce.com";
    let scheme = "is neither https nor a host name alone";
    let character = "holds a character that no URL path can";
    let web = "is the host of web pages, where neither logins nor API requests work: write \
               https://acme.my.salesforce.com";
    let cases = [
        ("", "is empty: write e.g. https://ACME.my.salesforce.com"),
        (" \n", "is empty: write e.g. https://ACME.my.salesforce.com"),
        ("http://login.salesforce.com", clear),
        ("HTTP://login.salesforce.com/", clear),
        ("http://login.salesforce.com:443", clear),
        ("http://127.0.0.1.example.com", clear),
        ("http://localhost.example.com", clear),
        ("http://0x7f.1", clear),
        ("http://127.1", clear),
        ("http://0.0.0.0", clear),
        ("http://128.0.0.1", clear),
        ("http://[::2]", clear),
        ("http://[::ffff:127.0.0.1]", clear),
        ("https://ada:pw@login.salesforce.com", user_info),
        ("ada@login.salesforce.com", user_info),
        ("https://login.salesforce.com@evil.example/", user_info),
        ("https://@login.salesforce.com", user_info),
        ("https://login.salesforce.com?un=ada", query),
        ("https://login.salesforce.com/?un=ada&pw=b", query),
        ("https://login.salesforce.com/#top", query),
        ("login.salesforce.com#", query),
        ("https://login.salesforce.com:0", port),
        ("https://login.salesforce.com:65536", port),
        ("https://login.salesforce.com:99999/", port),
        ("https://login.salesforce.com:", port),
        ("https://login.salesforce.com:+443", port),
        ("https://login.salesforce.com:-1", port),
        ("https://login.salesforce.com:443:443", port),
        ("https://login.salesforce.com:https", port),
        ("[::1]:99999", port),
        ("https://", no_host),
        ("https:///services", no_host),
        ("https://.", no_host),
        ("https://login..salesforce.com", no_host),
        ("https://.salesforce.com", no_host),
        ("https://log in.salesforce.com", no_host),
        ("https://login.salesforce.com\r\nHost: evil.example", port),
        ("https://login.salesf\u{f6}rce.com", no_host),
        ("https://login%2esalesforce.com", no_host),
        ("https://[::1", port),
        ("https://[login.salesforce.com]", no_host),
        ("https://::1", port),
        ("ftp://login.salesforce.com", scheme),
        ("htps://login.salesforce.com", scheme),
        ("file:///etc/passwd", no_host),
        ("://login.salesforce.com", scheme),
        ("https://login.salesforce.com/a b", character),
        ("https://login.salesforce.com/a\nb", character),
        ("https://login.salesforce.com/\u{e4}", character),
        ("https://login.salesforce.com\\@evil.example", character),
        ("https://acme.lightning.force.com", web),
        ("https://ACME.lightning.force.com/lightning/page/home", web),
        ("acme.lightning.force.com:443", web),
        ("https://acme.my.salesforce-setup.com/lightning/setup/SetupOneHome/home", web),
    ];
    let (agent, asked) = counting_agent();
    for (url, problem) in cases {
        let error = password_login().login_url(url).agent(agent.clone()).token().unwrap_err();
        let kind = ErrorKind::Setting { name: "login_url".to_owned(), problem: problem.to_owned() };
        assert_eq!(*error.kind(), kind, "{url:?}");
        assert_eq!(shown(&error), format!("login_url {problem}"), "{url:?}");
        assert!(!error.is_transient(), "{url:?}");
        // A login that cannot be made tells so whatever it is asked for.
        let token = Token::new("00D!AQ", "https://acme.my.salesforce.com").unwrap();
        let login = password_login().login_url(url).agent(agent.clone());
        assert_eq!(shown(&login.clone().session().unwrap_err()), shown(&error), "{url:?}");
        assert_eq!(shown(&login.resume(token).unwrap_err()), shown(&error), "{url:?}");
    }
    assert_eq!(asked.load(SeqCst), 0);
    // The count does count.
    let org = Org::start();
    let _ = password_login().login_url(org.url()).agent(agent).token();
    assert_eq!(asked.load(SeqCst), 1);
}

#[test]
fn wrong_setting_is_named_and_nothing_is_sent() {
    let org = Org::start();
    let (agent, asked) = counting_agent();
    let app = |id: &str, secret: &str| App::new(id, secret);
    let user = |name: &str, password: &str| app("id", "secret").password(name, password);
    let cases = [
        (app("", "secret").password("ada", "pw"), "client_id is empty".to_owned()),
        (app("id", "").password("ada", "pw"), "client_secret is empty".to_owned()),
        (App::without_secret("").password("ada", "pw"), "client_id is empty".to_owned()),
        (user("", "pw"), "username is empty".to_owned()),
        (user("ada", ""), "password is empty".to_owned()),
        (app("id\n", "secret").password("ada", "pw"), format!("client_id {LINE_END}")),
        (app("id", "se\rcret").password("ada", "pw"), format!("client_secret {LINE_END}")),
        (app("id", "secret\0").password("ada", "pw"), format!("client_secret {LINE_END}")),
        (user("\nada", "pw"), format!("username {LINE_END}")),
        (user("ada", "pw\r\n"), format!("password {LINE_END}")),
        (user("ada", "p\0w"), format!("password {LINE_END}")),
        (user("ada", "pw").security_token("token\n"), format!("security_token {LINE_END}")),
        (user("ada", "pw").security_token("\0"), format!("security_token {LINE_END}")),
    ];
    for (login, expected) in cases {
        let login = login.login_url(org.url()).agent(agent.clone());
        let token = Token::new("00D!AQ", org.url()).unwrap();
        for error in [
            login.token().unwrap_err(),
            login.clone().session().unwrap_err(),
            login.resume(token).unwrap_err(),
        ] {
            assert_eq!(shown(&error), expected);
            let (name, problem) = expected.split_once(' ').unwrap();
            let kind = ErrorKind::Setting { name: name.to_owned(), problem: problem.to_owned() };
            assert_eq!(*error.kind(), kind);
            assert!(error.hints().is_empty());
        }
    }
    assert_eq!((asked.load(SeqCst), org.connections()), (0, 0));
}

#[test]
fn agent_that_checks_no_certificates_is_refused() {
    let org = Org::start_tls();
    let unchecked = tls_agent(TlsConfig::builder().disable_verification(true).build());
    let problem = "has certificate checks turned off: name root_certs instead";
    refuses_agent(&org, &unchecked, problem);
    // Also where there is no certificate to check.
    refuses_agent(&Org::start(), &unchecked, problem);
}

#[test]
fn agent_that_wants_what_is_not_built_in_is_refused() {
    let org = Org::start_tls();
    let provider = |provider| tls_agent(TlsConfig::builder().provider(provider).build());
    if !cfg!(feature = "native-tls") {
        let problem = "wants native-tls: enable sf-login's feature native-tls";
        refuses_agent(&org, &provider(TlsProvider::NativeTls), problem);
    }
    if !cfg!(feature = "rustls") {
        let problem = "wants rustls: enable sf-login's feature rustls";
        refuses_agent(&org, &provider(TlsProvider::Rustls), problem);
    }
    if cfg!(feature = "rustls") && !cfg!(feature = "platform-verifier") {
        let platform = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let problem = "wants the platform's verifier: enable sf-login's feature platform-verifier";
        refuses_agent(&org, &tls_agent(platform), problem);
    }
}

#[test]
#[cfg(not(feature = "socks-proxy"))]
fn agent_with_a_socks_proxy_is_refused_without_the_feature() {
    let proxy = ureq::Proxy::new("socks5://127.0.0.1:1").unwrap();
    let agent = ureq::Agent::config_builder().proxy(Some(proxy)).build().new_agent();
    let problem = "has a SOCKS proxy: enable sf-login's feature socks-proxy";
    refuses_agent(&Org::start_tls(), &agent, problem);
}

#[test]
fn watched_variables_hold_no_secret() {
    assert_eq!(
        ENV_VARS,
        [
            "SF_CLIENT_ID",
            "SF_USERNAME",
            "SF_LOGIN_URL",
            "SF_FLOW",
            "SF_REDIRECT_URI",
            "SF_ORG_INSTANCE_URL",
            "SF_ORG_API_VERSION",
        ]
    );
    let org = Org::start();
    for (name, value) in org.env().iter().filter(|(name, _)| ENV_VARS.contains(name)) {
        assert_no_secret(value);
        assert_ne!(*name, "SF_SECURITY_TOKEN");
    }
}

#[test]
fn missing_variable_is_named_with_what_to_write() {
    let org = Org::start();
    let cases = [
        ("SF_CLIENT_ID", "the connected app's consumer key"),
        ("SF_USERNAME", "the username, e.g. ada@example.com"),
        ("SF_PASSWORD", "the user's password"),
    ];
    for (name, what) in cases {
        let expected = refused(&format!("{name} is not set: write {what}"));
        let env: Vec<_> = org.env().into_iter().filter(|(n, _)| *n != name).collect();
        assert_eq!(sf_login(&env, &[]), expected, "without {name}");
        // Empty means unset.
        assert_eq!(sf_login(&with(&org.env(), name, ""), &[]), expected, "{name} empty");
    }
    let expected = refused("SF_CLIENT_ID is not set: write the connected app's consumer key");
    assert_eq!(sf_login(&[], &[]), expected);
    assert_eq!(org.connections(), 0);
}

#[test]
fn empty_variables_are_unset() {
    let org = Org::start();
    org.setup(|setup| {
        setup.secret_required = false;
        setup.security_token_required = false;
    });
    let mut env = with(&org.env(), "SF_SECURITY_TOKEN", "");
    for name in [
        "SF_CLIENT_SECRET",
        "SF_FLOW",
        "SF_REDIRECT_URI",
        "SF_ACCESS_TOKEN",
        "SF_ORG_INSTANCE_URL",
        "SF_ORG_API_VERSION",
        "SSL_CERT_FILE",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        env = with(&env, name, "");
    }
    let run = sf_login(&env, &[]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let requests = org.take_requests();
    let sent: Vec<(String, String)> = requests[0].form();
    let expected = [
        ("grant_type", "password"),
        ("client_id", CLIENT_ID),
        ("username", USERNAME),
        ("password", PASSWORD),
    ];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    // An empty URL is no URL of ours, but the default: too far away for a test, were it not for the
    // name that the error has.
    let closed = with(&org.env(), "SF_LOGIN_URL", "");
    let closed = with(&closed, "HTTPS_PROXY", "http://127.0.0.1:1");
    let run = sf_login(&closed, &[]);
    assert_eq!(run.code, Some(1));
    let expected = "sf-login: no reply from login.salesforce.com: through the proxy 127.0.0.1:1: ";
    assert!(run.stderr.starts_with(expected), "{}", run.stderr);
}

#[test]
fn what_a_flow_does_not_use_is_ignored() {
    let org = Org::start();
    let mut env = org.env();
    env.push(("SF_FLOW", "password".to_owned()));
    env.push(("SF_REDIRECT_URI", "not a URL\n".to_owned()));
    env.push(("SF_ACCESS_TOKEN", "no token\n".to_owned()));
    env.push(("SF_ORG_INSTANCE_URL", "nowhere".to_owned()));
    env.push(("SF_ORG_API_VERSION", "none".to_owned()));
    env.push(("HTTP_PROXY", "no proxy".to_owned()));
    let run = sf_login(&env, &[]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let names: Vec<_> = org.take_requests()[0].form().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["grant_type", "client_id", "client_secret", "username", "password"]);
}

#[test]
fn wrong_variable_is_named_and_nothing_is_sent() {
    let org = Org::start();
    let flow = "is not a flow: write password, client_credentials or code_credentials";
    let clear = "is http, which would send secrets in clear: write https";
    let web = "is the host of web pages, where neither logins nor API requests work: write https://acme.my.salesforce.com";
    let proxy = "is not a proxy's URL: write e.g. http://proxy.example.com:3128";
    let cases = [
        ("SF_CLIENT_ID", "id\n", LINE_END),
        ("SF_CLIENT_SECRET", "\r\nse cret", LINE_END),
        ("SF_USERNAME", "ada\r", LINE_END),
        ("SF_PASSWORD", "pa ss+w&r=d\n", LINE_END),
        ("SF_SECURITY_TOKEN", "Zq7Token\r\n", LINE_END),
        ("SF_FLOW", "Password", flow),
        ("SF_FLOW", "refresh_token", flow),
        ("SF_FLOW", " password", flow),
        ("SF_LOGIN_URL", " ", "is empty: write e.g. https://ACME.my.salesforce.com"),
        ("SF_LOGIN_URL", "http://login.salesforce.com", clear),
        ("SF_LOGIN_URL", "https://acme.lightning.force.com", web),
        ("HTTPS_PROXY", "://", proxy),
        ("HTTPS_PROXY", "http://", proxy),
        ("HTTPS_PROXY", "ftp://proxy.example.com", proxy),
        ("HTTPS_PROXY", "http://proxy example.com", proxy),
        ("HTTPS_PROXY", "http://proxy.example.com:99999", proxy),
        ("HTTPS_PROXY", "http://proxy.example.com:0", proxy),
        ("HTTPS_PROXY", "http://:3128", proxy),
        ("HTTPS_PROXY", "http://ada:123/4@proxy.example.com:3128", proxy),
        ("HTTPS_PROXY", "http://ada:pa ss+w&r=d@proxy.example.com:port", proxy),
        ("https_proxy", "http://", proxy),
        ("ALL_PROXY", "http://", proxy),
        ("all_proxy", "://", proxy),
    ];
    for (name, value, problem) in cases {
        let run = sf_login(&with(&org.env(), name, value), &[]);
        assert_eq!(run, refused(&format!("{name} {problem}")), "{name}={value:?}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
#[cfg(not(feature = "socks-proxy"))]
fn socks_proxy_is_refused_without_the_feature() {
    let org = Org::start();
    for name in ["HTTPS_PROXY", "ALL_PROXY"] {
        for scheme in ["socks4", "socks4a", "socks5", "SOCKS5"] {
            let run = sf_login(&with(&org.env(), name, &format!("{scheme}://127.0.0.1:1")), &[]);
            let expected = refused(&format!(
                "{name} names a SOCKS proxy, which this build lacks: enable sf-login's feature socks-proxy, \
                 or name an http proxy"
            ));
            assert_eq!(run, expected, "{scheme}");
        }
    }
    assert_eq!(org.connections(), 0);
}

#[test]
#[cfg(unix)]
fn variable_that_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let org = Org::start();
    let names = [
        "SF_CLIENT_ID",
        "SF_CLIENT_SECRET",
        "SF_USERNAME",
        "SF_PASSWORD",
        "SF_SECURITY_TOKEN",
        "SF_LOGIN_URL",
        "SF_FLOW",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ];
    for name in names {
        let value = OsString::from_vec(b"p\xe4ss\xff".to_vec());
        let output = Command::new(env!("CARGO_BIN_EXE_sf-login"))
            .env_clear()
            .envs(org.env())
            .env(name, value)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let run =
            Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert_eq!(run, refused(&format!("{name} is not UTF-8: write it as UTF-8")));
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn certificate_file_without_a_certificate_is_refused() {
    let org = Org::start_tls();
    let none = "SSL_CERT_FILE names a file without a certificate, or with a damaged one: write the path of a PEM file with \
                -----BEGIN CERTIFICATE-----";
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJtuOTClOmOFRkKs1ivXvDDuvqQ7nYDvBf+kYkSqVsaE\n\
               -----END PRIVATE KEY-----\n";
    let damaged = org.ca_pem().replace("-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n!!!!");
    let cut = &org.ca_pem()[..org.ca_pem().len() / 2];
    let cases = [
        ("empty", String::new()),
        ("junk", "not PEM at all\n\0\u{1}".to_owned()),
        ("key", key.to_owned()),
        ("damaged", damaged.clone()),
        ("cut", cut.to_owned()),
        ("one damaged", format!("{damaged}\n{}", org.ca_pem())),
        ("another damaged", format!("{}\n{damaged}", org.ca_pem())),
        ("not X.509", "-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n".to_owned()),
    ];
    for (case, content) in cases {
        let file = File::with(&content);
        let run = sf_login(&with(&org.env(), "SSL_CERT_FILE", &file.path()), &[]);
        assert_eq!(run, refused(none), "{case}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
#[cfg(unix)]
fn certificate_file_that_cannot_be_read_is_refused() {
    let org = Org::start_tls();
    let gone = File::with("").path();
    let directory = std::env::temp_dir().display().to_string();
    for (path, why) in
        [(gone, "No such file or directory (os error 2)"), (directory, "Is a directory (os error 21)")]
    {
        let run = sf_login(&with(&org.env(), "SSL_CERT_FILE", &path), &[]);
        assert_eq!(run, refused(&format!("SSL_CERT_FILE names a file that cannot be read: {why}")), "{path}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn certificate_file_may_hold_more_than_the_authority() {
    let org = Org::start_tls();
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJtuOTClOmOFRkKs1ivXvDDuvqQ7nYDvBf+kYkSqVsaE\n\
               -----END PRIVATE KEY-----\n";
    let content = format!("# Our own authority\r\n{key}\n{}{}", org.ca_pem(), org.ca_pem());
    let file = File::with(&content);
    let run = sf_login(&with(&org.env(), "SSL_CERT_FILE", &file.path()), &[]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(org.logins(), 1);
}

#[test]
fn both_forms_of_main_show_all_of_an_error() {
    let org = Org::start();
    let error = login(&org).security_token("").token().unwrap_err();
    let text = shown(&error);
    assert!(text.lines().count() > 3, "{text}");
    assert_eq!(
        text.lines().take(2).collect::<Vec<_>>(),
        [
            "login refused: authentication failure (invalid_grant, HTTP 400)",
            &format!("tried: password flow, user {USERNAME}, host {}, security token not set", org.addr()),
        ]
    );
    let hints: Vec<String> = text.lines().skip(2).map(str::to_owned).collect();
    assert_eq!(hints, error.hints().iter().map(|hint| format!("hint: {hint}")).collect::<Vec<_>>());

    // fn main() -> Result<(), sf_login::Error>
    assert_eq!(format!("{error:?}"), text);
    assert_eq!(format!("{error:#?}"), text);
    // fn main() -> Result<(), Box<dyn std::error::Error>>
    let boxed: Box<dyn std::error::Error> = Box::new(error.clone());
    assert_eq!(format!("{boxed:?}"), text);
    // fn main() -> anyhow::Result<()>, which may add a backtrace
    let carried = anyhow::Error::from(error);
    assert_eq!(format!("{carried:#}"), text);
    let debug = format!("{carried:?}");
    let rest = debug.strip_prefix(&text).unwrap_or_else(|| panic!("{debug}"));
    assert!(rest.is_empty() || rest.starts_with("\n\nStack backtrace:"), "{debug}");
    // With a word of the caller's own, as anyhow shows it.
    let debug = format!("{:?}", carried.context("could not sync"));
    for line in text.lines() {
        assert!(debug.contains(line), "{line:?} is not in {debug}");
    }
}

#[test]
fn binary_shows_all_of_an_error() {
    let org = Org::start();
    let error = login(&org).security_token("stale").agent(agent(&org)).token().unwrap_err();
    let run = sf_login(&with(&org.env(), "SF_SECURITY_TOKEN", "stale"), &[]);
    let stderr = format!("sf-login: {}\n", shown(&error));
    assert_eq!(run, Run { code: Some(3), stdout: String::new(), stderr });
    assert_eq!(headline(&error), "login refused: authentication failure (invalid_grant, HTTP 400)");
}

#[test]
fn variables_of_the_login_are_all_that_is_needed() {
    let org = Org::start();
    let env = [
        ("SF_CLIENT_ID", CLIENT_ID.to_owned()),
        ("SF_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ("SF_USERNAME", USERNAME.to_owned()),
        ("SF_PASSWORD", format!("{PASSWORD}{SECURITY_TOKEN}")),
        ("SF_LOGIN_URL", org.url()),
    ];
    let run = run(&env, env!("CARGO_BIN_EXE_sf-login"), &[], b"");
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert!(run.stdout.starts_with("00D5g00000FakeO!AQ"), "{} bytes", run.stdout.len());
    assert_eq!(run.stdout.lines().count(), 1);
}

fn password_login() -> Login {
    App::new("id", "a secret").password("ada", "a password")
}

/// An agent, and how many requests it was asked to send.
fn counting_agent() -> (ureq::Agent, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .middleware(
            move |request: ureq::http::Request<ureq::SendBody<'_>>,
                  next: ureq::middleware::MiddlewareNext<'_>| {
                count.fetch_add(1, SeqCst);
                next.handle(request)
            },
        )
        .build();
    (config.new_agent(), asked)
}

fn tls_agent(tls: TlsConfig) -> ureq::Agent {
    ureq::Agent::config_builder().tls_config(tls).build().new_agent()
}

#[track_caller]
fn refuses_agent(org: &Org, agent: &ureq::Agent, problem: &str) {
    let login = login(org).agent(agent.clone());
    let token = Token::new("00D!AQ", org.url()).unwrap();
    for error in
        [login.token().unwrap_err(), login.clone().session().unwrap_err(), login.resume(token).unwrap_err()]
    {
        assert_eq!(shown(&error), format!("agent {problem}"));
        assert!(matches!(error.kind(), ErrorKind::Setting { name, .. } if name == "agent"));
    }
    assert_eq!(org.connections(), 0);
}

/// How the binary ends when a setting is wrong.
fn refused(message: &str) -> Run {
    Run { code: Some(2), stdout: String::new(), stderr: format!("sf-login: {message}\n") }
}

/// A file of this content, until it is dropped.
struct File(PathBuf);

impl File {
    fn with(content: &str) -> File {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, SeqCst);
        let path = std::env::temp_dir().join(format!("sf-login-{}-{number}.pem", std::process::id()));
        fs::write(&path, content).unwrap();
        File(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Somebody else may have tidied up.
        let _ = fs::remove_file(&self.0);
    }
}
