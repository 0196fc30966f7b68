//! Proxies: which way a login goes, and who sees what.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use fake_org::{Certificate, Org, Proxy};
use sf_login::{Login, ureq};

use crate::retries::broken_off::{Refuse, refusing_agent};
use crate::support::{
    SOON, TOKEN_PATH, agent, agent_through, assert_no_secret, at_once, by_name, headline, login, nobody,
    sf_login, shown, with, within,
};

const LOGIN_HOST: &str = "login.salesforce.com";
const MY_DOMAIN: &str = "acme.my.salesforce.com";

#[test]
fn https_goes_through_the_proxy_that_the_environment_names() {
    let org = Org::start_tls();
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        for (url, host) in [("", LOGIN_HOST), ("acme.my.salesforce.com/", MY_DOMAIN)] {
            let proxy = Proxy::start(&org);
            let env = with(&with(&org.env(), "SF_LOGIN_URL", url), name, &proxy.url());
            let run = sf_login(&env, &["--format", "dotenv"]);
            assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{name} {host}");
            let instance = run.stdout.lines().nth(1);
            assert_eq!(instance, Some("SF_ORG_INSTANCE_URL=https://acme.my.salesforce.com"));
            assert_eq!(proxy.connects(), [format!("{host}:443")], "{name}");
            let requests = org.take_requests();
            let asked: Vec<_> = requests.iter().map(|r| (r.method.as_str(), r.host(), &*r.path)).collect();
            assert_eq!(asked, [("POST", host, TOKEN_PATH)], "{name}");
            // What the proxy itself gets to see.
            for request in proxy.seen() {
                assert_eq!(request.body, b"", "{name}");
                assert_no_secret(&String::from_utf8_lossy(&request.raw_head));
            }
        }
    }
}

#[test]
fn requests_with_the_token_go_through_the_proxy_as_well() {
    let org = Org::start_tls();
    let proxy = Proxy::start(&org);
    let env = with(&with(&org.env(), "SF_LOGIN_URL", ""), "HTTPS_PROXY", &proxy.url());
    let run = sf_login(&env, &["get", "/services/data"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(proxy.connects(), [format!("{LOGIN_HOST}:443"), format!("{MY_DOMAIN}:443")]);
    for request in proxy.seen() {
        assert_no_secret(&String::from_utf8_lossy(&request.raw_head));
    }
    assert_eq!(org.requests().len(), 2);
}

#[test]
fn https_proxy_wins_over_all_proxy() {
    let org = Org::start_tls();
    let (https, all) = (Proxy::start(&org), Proxy::start(&org));
    let env = with(&with(&org.env(), "SF_LOGIN_URL", ""), "ALL_PROXY", &all.url());
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let run = sf_login(&with(&env, name, &https.url()), &[]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{name}");
    }
    assert_eq!((https.connects().len(), all.seen().len()), (2, 0));
    // Another one that cannot be used does not matter then.
    let env = with(&with(&env, "ALL_PROXY", "http://"), "HTTPS_PROXY", &https.url());
    let run = sf_login(&env, &[]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
}

#[test]
fn hosts_of_no_proxy_are_reached_without_it() {
    let org = Org::start_tls();
    let proxy = Proxy::start(&org);
    let spared = [
        ("NO_PROXY", "acme.invalid"),
        ("NO_PROXY", "invalid"),
        ("NO_PROXY", ".invalid"),
        ("NO_PROXY", "*.invalid"),
        ("NO_PROXY", "*"),
        ("NO_PROXY", "ACME.Invalid"),
        ("NO_PROXY", "example.com, ,acme.invalid"),
        ("NO_PROXY", "acme.invalid:443"),
        ("NO_PROXY", "acme.invalid."),
        ("NO_PROXY", "example.com\tacme.invalid"),
        ("no_proxy", "example.com acme.invalid"),
    ];
    let env = with(&with(&org.env(), "HTTPS_PROXY", &proxy.url()), "SF_LOGIN_URL", "acme.invalid");
    at_once(spared, |(name, hosts)| {
        let run = sf_login(&with(&env, name, hosts), &[]);
        let expected = "sf-login: no reply from acme.invalid: the host name was not found";
        assert_eq!((run.code, run.headline()), (Some(1), expected), "{name}={hosts}");
    });
    assert_eq!(proxy.seen().len(), 0);

    let env = with(&env, "SF_LOGIN_URL", MY_DOMAIN);
    let others = ["salesforce.org", "cme.my.salesforce.com", "x.acme.my.salesforce.com", ".", ",", "**x"];
    for hosts in others {
        let run = sf_login(&with(&env, "NO_PROXY", hosts), &[]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{hosts}");
    }
    assert_eq!(proxy.connects().len(), others.len());
}

#[test]
fn loopback_is_never_reached_through_a_proxy() {
    for org in [Org::start(), Org::start_tls()] {
        let proxy = Proxy::start(&org);
        let mut env = org.env();
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            env = with(&env, name, &proxy.url());
        }
        let urls = [Some(org.url()), by_name(&org)].into_iter().flatten();
        let logins = 1 + 2 * urls.clone().count();
        for url in urls {
            let run = sf_login(&with(&env, "SF_LOGIN_URL", &url), &[]);
            assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{url}");
            // Nor by an agent that has one.
            let agent = agent_through(&org, Some(&proxy));
            login(&org).login_url(&url).agent(agent).token().expect(&url);
        }
        let run = sf_login(&env, &["get", "limits"]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""));
        assert_eq!(org.logins(), logins);
        assert_eq!(proxy.seen().len(), 0);
    }
}

#[test]
fn proxy_that_refuses_is_named_with_its_answer() {
    let org = Org::start_tls();
    let env = with(&org.env(), "SF_LOGIN_URL", "");
    at_once([401, 407, 403, 502, 503], |status| {
        let proxy = Proxy::refusing(status);
        let run = sf_login(&with(&env, "HTTPS_PROXY", &proxy.url()), &[]);
        let expected = format!(
            "sf-login: no reply from {LOGIN_HOST}: through the proxy {}: it answered {status} \
             to CONNECT",
            authority(&proxy)
        );
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{status}");
        assert_eq!(run.headline(), expected);
        // Nothing was sent yet, so it is tried again; but credentials are no better the next time.
        let tries = if matches!(status, 401 | 407) { 1 } else { 3 };
        assert_eq!(proxy.connects(), vec![format!("{LOGIN_HOST}:443"); tries]);
    });
    assert_eq!(org.connections(), 0);
}

#[test]
fn socks_proxy_that_refuses_its_password_is_asked_once() {
    // As ureq tells of it, with its feature for such proxies.
    let denied = [
        (
            (|| io::Error::new(io::ErrorKind::PermissionDenied, "password authentication failed").into())
                as Refuse,
            "password authentication failed",
        ),
        (|| io::Error::other("no acceptable auth methods").into(), "no acceptable auth methods"),
    ];
    for (refuse, cause) in denied {
        let proxy = ureq::Proxy::new("http://ada:wrong-pw@127.0.0.1:1080").unwrap();
        let (agent, tries) = refusing_agent(refuse, Some(proxy));
        let error = login(&Org::start()).agent(agent).login_url(LOGIN_HOST).token().unwrap_err();
        let expected = format!("no reply from {LOGIN_HOST}: through the proxy 127.0.0.1:1080: {cause}");
        assert_eq!(headline(&error), expected);
        assert!(error.hints()[0].starts_with("the proxy wants a name and password: "), "{error}");
        assert_eq!((error.is_transient(), tries.load(SeqCst)), (false, 1));
    }
}

#[test]
fn proxy_gets_its_credentials_and_nobody_sees_them() {
    let org = Org::start_tls();
    let proxy = Proxy::start_with_auth(&org, "ada", "pr:oxy @pw");
    let env = with(&org.env(), "SF_LOGIN_URL", "");
    let named = |credentials: &str| proxy.url().replace("://", &format!("://{credentials}@"));
    let run = sf_login(&with(&env, "HTTPS_PROXY", &named("ada:pr%3Aoxy%20%40pw")), &[]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(proxy.connects().len(), 1);
    // They are the proxy's alone.
    let requests = org.take_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("proxy-authorization"), None);

    at_once([proxy.url(), named("ada:wr%C3%B6ng-pw"), named("wr%C3%B6ng-pw")], |url| {
        let run = sf_login(&with(&env, "HTTPS_PROXY", &url), &[]);
        let expected = format!(
            "sf-login: no reply from {LOGIN_HOST}: through the proxy {}: it answered 407 to CONNECT",
            authority(&proxy)
        );
        assert_eq!((run.code, run.headline()), (Some(1), &*expected), "{url}");
        for form in ["wröng-pw", "wr%C3%B6ng-pw", "YWRh", "d3LDtm5n"] {
            assert!(!run.stderr.contains(form), "{form} in {}", run.stderr);
        }
    });
    assert_eq!(org.connections(), 1);

    let login = through(&org, &named("ada:wr%C3%B6ng-pw"), LOGIN_HOST);
    let said = format!("{}{login:?}", shown(&login.token().unwrap_err()));
    assert!(!said.contains("wr%C3%B6ng") && !said.contains("wröng"), "{said}");
}

#[test]
fn proxy_that_is_not_there_is_named() {
    let org = Org::start_tls();
    let (closed, _kept) = nobody();
    let env = with(&org.env(), "SF_LOGIN_URL", "");
    let cases = [
        (closed.to_string(), "the connection was refused"),
        ("proxy.invalid:3128".to_owned(), "the host name was not found"),
    ];
    at_once(cases, |(proxy, cause)| {
        let run = sf_login(&with(&env, "ALL_PROXY", &format!("http://{proxy}")), &[]);
        let expected = format!("sf-login: no reply from {LOGIN_HOST}: through the proxy {proxy}: {cause}");
        assert_eq!((run.code, run.headline()), (Some(1), &*expected));
    });
    assert_eq!(org.connections(), 0);
}

#[test]
fn proxy_that_says_nothing_is_left_at_the_deadline() {
    let org = Org::start_tls();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = silent.local_addr().unwrap();
    let login = through(&org, &format!("http://{addr}"), LOGIN_HOST).timeout(Duration::from_millis(300));
    let error = within(SOON, move || login.token().unwrap_err());
    let expected =
        format!("no reply from {LOGIN_HOST}: through the proxy {addr}: could not connect within 0.3 s");
    assert_eq!(headline(&error), expected);
    assert!(error.is_transient());
}

#[test]
fn certificate_behind_a_proxy_is_checked_for_the_host_that_was_asked_for() {
    let cases = [
        (Certificate::Good, "www.example.com", "certificate not valid for name \"www.example.com\""),
        (Certificate::Expired, LOGIN_HOST, "certificate expired"),
        (Certificate::UnknownIssuer, LOGIN_HOST, "UnknownIssuer"),
    ];
    for (certificate, host, cause) in cases {
        let org = Org::start_with(certificate);
        let proxy = Proxy::start(&org);
        let error = through(&org, &proxy.url(), host).token().unwrap_err();
        let expected = format!(
            "no reply from {host}: through the proxy {}: TLS: invalid peer certificate: {cause}",
            authority(&proxy)
        );
        let headline = headline(&error);
        assert!(headline.starts_with(&expected), "{certificate:?}: {headline}");
        assert_eq!(proxy.connects(), [format!("{host}:443")], "{certificate:?}");
        assert_eq!(org.requests().len(), 0, "{certificate:?}");
    }
}

/// The login at `host`, by an agent with this proxy.
fn through(org: &Org, proxy: &str, host: &str) -> Login {
    let tls = agent(org).config().tls_config().clone();
    let proxy = ureq::Proxy::new(proxy).unwrap();
    let config = ureq::Agent::config_builder().tls_config(tls).proxy(Some(proxy)).build();
    login(org).agent(config.new_agent()).login_url(host)
}

fn authority(proxy: &Proxy) -> String {
    proxy.url().replace("http://", "")
}
