//! Settings from the environment: those of a login, and a kept token.

use fake_org::{Answer, CLIENT_ID, Org, PASSWORD, Proxy, USERNAME};
use sf_login::ENV_VARS;

use crate::support::{
    LIMITS, OLD, TOKEN_PATH, expired, failed, kept_env, only_request, paths, sf_login, with, without,
};

const NOTHING_SET: &str = "SF_CLIENT_ID, SF_CLIENT_SECRET, SF_USERNAME, SF_PASSWORD are not set: write the app's consumer key; the app's \
     consumer secret, unless the app needs none; the username, e.g. ada@example.com; the user's password; \
     SF_FLOW=client_credentials needs no user";

const PROXIES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

const LINE_END: &str = "holds a line end or a NUL: write the value alone, on one line";

#[test]
fn watched_variables_hold_no_secret() {
    let names = "SF_CLIENT_ID SF_USERNAME SF_LOGIN_URL SF_FLOW SF_REDIRECT_URI SF_AUDIENCE_URL SF_CLIENT_SECRET_FILE \
                 SF_PASSWORD_FILE SF_SECURITY_TOKEN_FILE SF_JWT_KEY_FILE SF_ORG_INSTANCE_URL SF_ORG_API_VERSION";
    assert_eq!(ENV_VARS.join(" "), names);
}

#[test]
fn missing_variable_is_named_with_what_to_write() {
    let org = Org::start();
    let cases = [
        ("SF_CLIENT_ID", "the app's consumer key"),
        ("SF_USERNAME", "the username, e.g. ada@example.com"),
        ("SF_PASSWORD", "the user's password"),
        ("SF_REDIRECT_URI", "one of the app's callback URLs"),
    ];
    for (all, cases) in [(org.env(), &cases[..3]), (org.env_for("code_credentials"), &cases)] {
        for (name, what) in cases {
            let expected = failed(2, &format!("{name} is not set: write {what}"));
            assert_eq!(sf_login(&without(&all, name), &[]), expected, "without {name}");
            // Empty means unset.
            assert_eq!(sf_login(&with(&all, name, ""), &[]), expected, "{name} empty");
        }
    }
    let all = "SF_CLIENT_ID, SF_CLIENT_SECRET, SF_USERNAME, SF_PASSWORD, SF_REDIRECT_URI are not set: write the app's \
               consumer key; the app's consumer secret, unless the app needs none; the username, e.g. ada@example.com; \
               the user's password; one of the app's callback URLs";
    let flow = ("SF_FLOW", "code_credentials".to_owned());
    assert_eq!(sf_login(&[flow], &[]), failed(2, all), "no other flow is spoken of where one is named");
    assert_eq!(sf_login(&[], &[]), failed(2, NOTHING_SET));
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
    let own = ["SF_CLIENT_SECRET", "SF_FLOW", "SF_REDIRECT_URI", "SF_ACCESS_TOKEN", "SF_ORG_INSTANCE_URL"];
    for name in [&own[..], &["SF_ORG_API_VERSION", "SSL_CERT_FILE"], &PROXIES].concat() {
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
fn wrong_variable_is_named_and_nothing_is_sent() {
    let org = Org::start();
    let clear = "is http, which would send secrets in clear: write https";
    let web = "is the host of web pages, where neither logins nor API requests work: write https://acme.my.salesforce.com";
    let proxy = "is not a proxy's URL: write e.g. http://proxy.example.com:3128, with special characters of a password percent-encoded";
    let cases = [
        ("SF_CLIENT_ID", "id\n", LINE_END),
        ("SF_CLIENT_SECRET", "\r\nse cret", LINE_END),
        ("SF_USERNAME", "ada\r", LINE_END),
        ("SF_PASSWORD", "pa ss+w&r=d\n", LINE_END),
        ("SF_SECURITY_TOKEN", "Zq7Token\r\n", LINE_END),
        ("SF_LOGIN_URL", " ", "is empty: write e.g. https://ACME.my.salesforce.com"),
        ("SF_LOGIN_URL", "http://login.salesforce.com", clear),
        ("SF_LOGIN_URL", "https://acme.lightning.force.com", web),
        ("HTTPS_PROXY", "http://", proxy),
        ("HTTPS_PROXY", "ftp://proxy.example.com", proxy),
        ("HTTPS_PROXY", "http://proxy example.com", proxy),
        ("HTTPS_PROXY", "http://proxy.example.com:99999", proxy),
        ("HTTPS_PROXY", "http://:3128", proxy),
        ("HTTPS_PROXY", "http://ada:pa ss+w&r=d@proxy.example.com:port", proxy),
        ("ALL_PROXY", "http://", proxy),
        ("all_proxy", "://", proxy),
    ];
    for (name, value, problem) in cases {
        let run = sf_login(&with(&org.env(), name, value), &[]);
        assert_eq!(run, failed(2, &format!("{name} {problem}")), "{name}={value:?}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_flow_that_is_none_is_shown_as_it_is() {
    for (flow, shown) in [
        ("Password", r#""Password""#),
        (" password", r#"" password""#),
        ("\"jwt_bearer\"", r#""\"jwt_bearer\"""#),
        ("client_credentials\r", r#""client_credentials\r""#),
        ("pass\u{200b}word", r#""pass\u{200b}word""#),
    ] {
        let flows = "which is no flow: write password, client_credentials, code_credentials or jwt_bearer";
        let run = sf_login(&[("SF_FLOW", flow.to_owned())], &[]);
        assert_eq!(run, failed(2, &format!("SF_FLOW is {shown}, {flows}")));
    }
}

#[test]
#[cfg(not(feature = "socks-proxy"))]
fn socks_proxy_is_refused_without_the_feature() {
    let org = Org::start();
    for name in ["HTTPS_PROXY", "ALL_PROXY"] {
        for scheme in ["socks4", "socks4a", "SOCKS5"] {
            let run = sf_login(&with(&org.env(), name, &format!("{scheme}://127.0.0.1:1")), &[]);
            let problem = "names a SOCKS proxy, which this build lacks: enable sf-login's feature socks-proxy, \
                           or name an http proxy";
            assert_eq!(run, failed(2, &format!("{name} {problem}")), "{scheme}");
        }
    }
    assert_eq!(org.connections(), 0);
}

#[test]
#[cfg(unix)]
fn variable_that_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStrExt as _;

    let org = Org::start();
    let own = [
        "SF_CLIENT_ID",
        "SF_CLIENT_SECRET",
        "SF_USERNAME",
        "SF_PASSWORD",
        "SF_SECURITY_TOKEN",
        "SF_LOGIN_URL",
    ];
    for name in [&own[..], &["SF_FLOW"], &PROXIES].concat() {
        let value = std::ffi::OsStr::from_bytes(b"p\xe4ss\xff");
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_sf-login"));
        let output = program.env_clear().envs(org.env()).env(name, value).output().unwrap();
        let says = format!("sf-login: {name} is not UTF-8: write it as UTF-8\n");
        assert_eq!((output.status.code(), String::from_utf8(output.stderr)), (Some(2), Ok(says)));
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_kept_token_in_the_environment_is_used_without_logging_in() {
    let org = Org::start();
    org.always("/services/data/", Answer::json(200, "{}"));
    let run = sf_login(&kept_env(&org, OLD), &["get", "limits"]);
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""));
    let sent = only_request(&org);
    assert_eq!((&*sent.path, sent.header("authorization")), (LIMITS, Some(&*format!("Bearer {OLD}"))));

    // Nor when it could log in.
    let run = sf_login(&[kept_env(&org, OLD), org.env()].concat(), &["get", "limits"]);
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""));
    assert_eq!(only_request(&org).header("authorization"), Some(&*format!("Bearer {OLD}")));

    // Nor is half a login in the way, or one that cannot be used.
    let mut odd = org.env();
    odd.extend([
        ("SF_FLOW", "implicit".to_owned()),
        ("SF_LOGIN_URL", "http://acme.my.salesforce.com".to_owned()),
    ]);
    let half = ["SF_CLIENT_ID", "SF_USERNAME", "SF_SECURITY_TOKEN", "SF_LOGIN_URL", "SF_FLOW"];
    let half = half.map(|name| vec![(name, "x.example".to_owned())]);
    for more in half.iter().chain([&odd]) {
        let run = sf_login(&[kept_env(&org, OLD), more.clone()].concat(), &["get", "limits"]);
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""), "{more:?}");
    }
    assert_eq!(org.logins(), 0);
}

#[test]
fn without_a_token_in_the_environment_the_session_logs_in() {
    let org = Org::start();
    org.always("/services/data/", Answer::json(200, "{}"));
    for empty in [false, true] {
        let mut env = org.env();
        if empty {
            let unset = ["SF_ACCESS_TOKEN", "SF_ORG_INSTANCE_URL", "SF_ORG_API_VERSION"];
            env.extend(unset.map(|name| (name, String::new())));
        }
        let run = sf_login(&env, &["get", "limits"]);
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""), "empty ones: {empty}");
        assert_eq!(paths(&org.take_requests()), [TOKEN_PATH, LIMITS]);
    }
}

#[test]
fn why_an_expired_token_cannot_be_replaced_is_told() {
    let org = Org::start();
    org.always("/services/data/", expired());
    let wrong = [
        (
            "SF_FLOW",
            "pasword",
            "is \"pasword\", which is no flow: write password, client_credentials, code_credentials or jwt_bearer",
        ),
        (
            "SF_LOGIN_URL",
            "http://acme.my.salesforce.com",
            "is http, which would send secrets in clear: write https",
        ),
        ("SF_USERNAME", "", "is not set: write the username, e.g. ada@example.com"),
    ];
    for (name, value, problem) in wrong {
        let env = [kept_env(&org, OLD), with(&org.env(), name, value)].concat();
        let run = sf_login(&env, &["get", "limits"]);
        let said = format!(
            "sf-login: request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 401)\n\
             tried: GET {LIMITS}, host {}\n\
             hint: no new login was possible: {name} {problem}\n\
             hint: the token may have expired, be cut off or another org's: get a new one where \
             it came from\n\
             hint: if refused at once and always: the org may lock sessions to an IP address (get the token \
             where it is used), or its refresh token was used again\n",
            org.addr()
        );
        assert_eq!((run.code, &*run.stdout, run.stderr), (Some(4), "", said));
    }
    assert_eq!(org.logins(), 0);
}

#[test]
fn no_login_is_missed_where_none_would_be_the_cure() {
    let org = Org::start();
    let refusals = [
        ("INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
        ("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired"),
        ("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
    ];
    for command in [&["get", "limits"][..], &["revoke"]] {
        for (code, message) in refusals {
            org.always("/services/", Answer::api_error(401, code, message));
            let run = sf_login(&kept_env(&org, OLD), command);
            assert_eq!(run.code, Some(4), "{command:?}: {code}");
            let hints: Vec<&str> = run.stderr.lines().skip(2).collect();
            assert!(!hints.is_empty(), "{command:?}: {code}: {}", run.stderr);
            assert!(!run.stderr.contains("no new login was possible"), "{command:?}: {}", run.stderr);
        }
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused_before_anything_is_sent() {
    let org = Org::start();
    let token = ("SF_ACCESS_TOKEN", OLD.to_owned());
    let instance = ("SF_ORG_INSTANCE_URL", org.url());
    let with = |name, value: &str| vec![token.clone(), instance.clone(), (name, value.to_owned())];
    let no_instance = "SF_ORG_INSTANCE_URL is not set: write the instance that SF_ACCESS_TOKEN is for";
    let no_token =
        "SF_ACCESS_TOKEN is not set, but SF_ORG_INSTANCE_URL is: set both, or unset SF_ORG_INSTANCE_URL";
    let cases = [
        (vec![token.clone()], no_instance),
        (vec![instance.clone()], no_token),
        // One of them empty is one of them unset, credentials or not.
        ([&org.env()[..], &[token.clone(), ("SF_ORG_INSTANCE_URL", String::new())]].concat(), no_instance),
        ([&org.env()[..], std::slice::from_ref(&instance)].concat(), no_token),
        (vec![], NOTHING_SET),
        (
            vec![("SF_ACCESS_TOKEN", format!("{OLD} ")), instance.clone()],
            "SF_ACCESS_TOKEN holds characters that no token has: write it alone, on one line",
        ),
        (
            vec![token.clone(), ("SF_ORG_INSTANCE_URL", "http://acme.my.salesforce.com".to_owned())],
            "SF_ORG_INSTANCE_URL is http, which would send secrets in clear: write https",
        ),
        (
            vec![token.clone(), ("SF_ORG_INSTANCE_URL", format!("{}/lightning", org.url()))],
            "SF_ORG_INSTANCE_URL holds more than https:// and a host",
        ),
        (with("SF_ORG_API_VERSION", "latest"), "SF_ORG_API_VERSION is not an API version: write e.g. 66.0"),
    ];
    for (env, message) in cases {
        let run = sf_login(&env, &["get", "limits"]);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{message}");
        assert_eq!(run.stderr, format!("sf-login: {message}\n"));
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_token_of_one_org_beside_a_login_at_another_is_refused() {
    let org = Org::start_tls();
    let proxy = Proxy::start(&org);
    let env = |instance: &str, login_url: &str| {
        let mut env = with(&kept_env(&org, OLD), "SF_ORG_INSTANCE_URL", instance);
        env.extend([("SF_LOGIN_URL", login_url.to_owned()), ("HTTPS_PROXY", proxy.url())]);
        with(&env, "SSL_CERT_FILE", &org.ca_file().display().to_string())
    };
    let acme = "https://acme.my.salesforce.com";
    for (login_url, name) in [
        ("https://other.my.salesforce.com", "other"),
        ("ACME--Uat.sandbox.my.salesforce.com/services/oauth2/token", "acme--uat"),
    ] {
        let says = format!(
            "SF_ORG_INSTANCE_URL is the org acme, but SF_LOGIN_URL is {name}: unset SF_ACCESS_TOKEN and \
             SF_ORG_INSTANCE_URL, or correct SF_LOGIN_URL"
        );
        assert_eq!(sf_login(&env(acme, login_url), &["get", "limits"]), failed(2, &says));
        assert_eq!(
            sf_login(&env(&acme.replace("acme", "ACME"), login_url), &["query", "x"]),
            failed(2, &says)
        );
    }
    assert_eq!(org.connections(), 0);
    // Sites, generic hosts and instances have no org's name, and a URL that cannot be one is told when it is used.
    org.always("/services/data/", Answer::json(200, "{}"));
    for (instance, login_url) in [
        (acme, "ACME.my.salesforce.com"),
        (acme, "https://other.my.site.com/customers"),
        (acme, "https://portal.example.com.my"),
        (acme, "https://login.salesforce.com"),
        (acme, "http://other.my.salesforce.com"),
        (&org.url(), "https://other.my.salesforce.com"),
    ] {
        let run = sf_login(&env(instance, login_url), &["get", "limits"]);
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (Some(0), "{}", ""), "{instance} {login_url}");
    }
    // A login, and a token alone, use one of the two.
    org.always("/services/oauth2/revoke", Answer::new(200));
    let other = env(acme, "https://other.my.salesforce.com");
    let both = [without(&org.env(), "SF_LOGIN_URL"), other].concat();
    for args in [&[][..], &["exec", "true"], &["revoke"]] {
        assert_eq!(sf_login(&both, args).code, Some(0), "{args:?}");
    }
}
