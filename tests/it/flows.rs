//! The client credentials flow, the code and credentials flow, and the rules that hold in all
//! three.

use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, Certificate, ORG_ID, Org, PASSWORD, Proxy, REDIRECT_URI, Request,
    SECURITY_TOKEN, SITE_ID, SITE_PASSWORD, SITE_USER_ID, SITE_USERNAME, USER_ID, USERNAME,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sf_login::{App, Login, Token};

use crate::support::{
    Run, agent, agent_through, forms, headline, login, sf_login, sf_login_with_input, shown, watch_logs,
};

const TOKEN_PATH: &str = "/services/oauth2/token";
const SITE_TOKEN_PATH: &str = "/customers/services/oauth2/token";
const AUTHORIZE_PATH: &str = "/customers/services/oauth2/authorize";

/// `CLIENT_SECRET`, form-encoded once.
const CLIENT_SECRET_ENCODED: &str = "se+cret%2B1955%2627%3D99%25%22%5C%C3%B6%2F";

/// A token of some other login.
const KEPT: &str = "00D5g00000FakeO!AQkept.Token_0123456789";

type MakeLogin = fn(&Org) -> Login;

/// Every flow, as it works at the org.
const FLOWS: [(&str, MakeLogin); 3] =
    [("password", login), ("client credentials", client_credentials), ("code", code_credentials)];

/// Every exchange in which credentials are sent: its flow, and where it goes.
struct Exchange {
    name: &'static str,
    login: MakeLogin,
    path: &'static str,
    /// How many requests a login has made when this one is answered.
    requests: usize,
}

const EXCHANGES: [Exchange; 4] = [
    Exchange { name: "password", login, path: TOKEN_PATH, requests: 1 },
    Exchange { name: "client credentials", login: client_credentials, path: TOKEN_PATH, requests: 1 },
    Exchange { name: "authorize", login: code_credentials, path: AUTHORIZE_PATH, requests: 1 },
    Exchange { name: "code exchange", login: code_credentials, path: SITE_TOKEN_PATH, requests: 2 },
];

// Client credentials.

#[test]
fn client_credentials_are_one_post_of_exactly_these_bytes() {
    let org = Org::start();
    let run = sf_login(&client_credentials_env(&org), &["--format", "json"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let reply: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(reply["scope"], "api");
    assert_eq!(reply["instance_url"], org.url());

    let body =
        format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET_ENCODED}");
    let requests = org.take_requests();
    assert_eq!(requests.len(), 1);
    assert_sent(&org, &requests[0], TOKEN_PATH, "", &body);

    let token = client_credentials(&org).token().unwrap();
    assert_eq!((token.organization_id(), token.user_id()), (Some(ORG_ID), Some(USER_ID)));
    let requests = org.take_requests();
    assert_eq!(requests.iter().map(Request::text).collect::<Vec<_>>(), [body]);
}

#[test]
fn generic_hosts_are_refused_before_anything_is_sent() {
    const CLIENT: &str = "is a generic host, where Salesforce refuses the client credentials flow: \
                          write the org's My Domain, e.g. https://ACME.my.salesforce.com";
    const CODE: &str = "is a generic host, where Experience Cloud users cannot log in: write the \
                        site's address, e.g. https://ACME.my.site.com/customers";
    let org = Org::start_tls();
    let proxy = Proxy::start(&org);
    let hosts = [
        None,
        Some("https://login.salesforce.com"),
        Some("https://test.salesforce.com"),
        Some(" LOGIN.Salesforce.com:443/ "),
        Some("https://test.salesforce.com/services/oauth2/token"),
        Some("https://login.salesforce.com/customers"),
    ];
    for host in hosts {
        let app = || App::new(CLIENT_ID, CLIENT_SECRET);
        let logins = [
            (app().client_credentials(), CLIENT),
            (app().code_credentials(SITE_USERNAME, SITE_PASSWORD, REDIRECT_URI), CODE),
        ];
        for (login, problem) in logins {
            let login = login.agent(agent_through(&org, Some(&proxy)));
            let login = match host {
                Some(host) => login.login_url(host),
                None => login,
            };
            assert_eq!(shown(&login.token().unwrap_err()), format!("login_url {problem}"), "{host:?}");
            let kept = Token::new(KEPT, "https://acme.my.salesforce.com").unwrap();
            assert_eq!(shown(&login.resume(kept).unwrap_err()), format!("login_url {problem}"), "{host:?}");
        }
        for (env, problem) in [(client_credentials_env(&org), CLIENT), (code_env(&org), CODE)] {
            let mut env = without(env, "SF_LOGIN_URL");
            env.push(("HTTPS_PROXY", proxy.url()));
            env.extend(host.map(|host| ("SF_LOGIN_URL", host.to_owned())));
            let run = sf_login(&env, &[]);
            assert_eq!(run, failed(2, &format!("SF_LOGIN_URL {problem}")), "{host:?}");
        }
    }
    assert_eq!((proxy.seen().len(), org.connections()), (0, 0));
}

#[test]
fn moving_from_the_password_flow_is_one_variable() {
    let org = Org::start();
    let mut env = org.env();
    assert_eq!(sf_login(&env, &[]).code, Some(0));
    env.push(("SF_FLOW", "client_credentials".to_owned()));
    assert_eq!(sf_login(&env, &[]).code, Some(0));
    let sent: Vec<_> = org.take_requests().iter().map(|request| names(&request.form())).collect();
    assert_eq!(
        sent,
        ["grant_type client_id client_secret username password", "grant_type client_id client_secret"]
    );
}

#[test]
fn leftover_settings_of_another_flow_are_ignored_whatever_they_hold() {
    let org = Org::start();
    let env = [
        ("SF_USERNAME", "with:colon\n"),
        ("SF_PASSWORD", "line\nend"),
        ("SF_SECURITY_TOKEN", "line\nend"),
        ("SF_REDIRECT_URI", "\r"),
    ];
    let mut env: Vec<_> = env.map(|(name, value)| (name, value.to_owned())).to_vec();
    env.extend(client_credentials_env(&org));
    let run = sf_login(&env, &[]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let mut env = code_env(&org);
    env.push(("SF_SECURITY_TOKEN", "line\nend".to_owned()));
    let run = sf_login(&env, &[]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(org.logins(), 2);

    // A security token given in a program has no part in the other flows either.
    for login in [client_credentials(&org), code_credentials(&org)] {
        login.security_token("line\nend").token().unwrap();
    }
    assert!(org.requests().iter().all(|request| !request.text().contains("end")));
}

#[test]
fn client_credentials_work_at_the_my_domain() {
    watch_logs();
    let org = Org::start_tls();
    let proxy = Proxy::start(&org);
    let login = App::new(CLIENT_ID, CLIENT_SECRET)
        .client_credentials()
        .login_url("acme.my.salesforce.com")
        .agent(agent_through(&org, Some(&proxy)));
    let session = login.session().unwrap();
    assert_eq!(session.token().instance_url(), "https://acme.my.salesforce.com");
    let limits: Value = session.get("limits").unwrap();
    assert_eq!(limits["DailyApiRequests"]["Max"], 15_000);
    let hosts: Vec<_> = org.requests().iter().map(|request| request.host().to_owned()).collect();
    assert_eq!(hosts, ["acme.my.salesforce.com", "acme.my.salesforce.com"]);
    // One connection serves both.
    assert_eq!(proxy.connects(), ["acme.my.salesforce.com:443"]);

    let mut env = without(client_credentials_env(&org), "SF_LOGIN_URL");
    env.push(("SF_LOGIN_URL", "https://acme--uat.sandbox.my.salesforce.com".to_owned()));
    env.push(("HTTPS_PROXY", proxy.url()));
    let run = sf_login(&env, &["--format", "dotenv"]);
    let (_, url) = run.stdout.split_once("SF_ORG_INSTANCE_URL=").expect("it is printed");
    assert_eq!((run.code, url, &*run.stderr), (Some(0), "https://acme--uat.sandbox.my.salesforce.com\n", ""));
}

#[test]
fn client_credentials_need_the_secret() {
    let org = Org::start();
    let login = App::without_secret(CLIENT_ID).client_credentials().login_url(org.url()).agent(agent(&org));
    let problem = "is not set: the client credentials flow needs it";
    assert_eq!(shown(&login.token().unwrap_err()), format!("client_secret {problem}"));
    for env in [
        without(client_credentials_env(&org), "SF_CLIENT_SECRET"),
        changed(client_credentials_env(&org), "SF_CLIENT_SECRET", ""),
    ] {
        assert_eq!(sf_login(&env, &[]), failed(2, &format!("SF_CLIENT_SECRET {problem}")));
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn client_credentials_are_refused_as_salesforce_does() {
    let org = Org::start();
    let refused = |login: Login| headline(&login.token().unwrap_err());
    org.setup(|org| org.run_as_user = false);
    assert_eq!(
        refused(client_credentials(&org)),
        "login refused: no client credentials user enabled (invalid_grant, HTTP 400)"
    );
    org.setup(|org| org.client_credentials_enabled = false);
    assert_eq!(
        refused(client_credentials(&org)),
        "login refused: client credentials flow not enabled (invalid_grant, HTTP 400)"
    );
    org.answer(Answer::oauth_error("invalid_grant", "request not supported on this domain"));
    assert_eq!(
        refused(client_credentials(&org)),
        "login refused: request not supported on this domain (invalid_grant, HTTP 400)"
    );
    let app = App::new(CLIENT_ID, "wrong").client_credentials().login_url(org.url()).agent(agent(&org));
    assert_eq!(refused(app), "login refused: invalid client credentials (invalid_client, HTTP 400)");
    assert_eq!(org.logins(), 4);
}

// Code and credentials.

#[test]
fn code_credentials_are_two_posts_of_exactly_these_bytes() {
    let org = Org::start();
    let run = sf_login(&code_env(&org), &["--format", "json"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let reply: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(reply["sfdc_community_url"], org.site_url());
    assert_eq!(reply["sfdc_community_id"], SITE_ID);

    let requests = org.take_requests();
    assert_eq!(requests.len(), 2);
    let basic = BASE64_STANDARD.encode(format!("{SITE_USERNAME}:{SITE_PASSWORD}"));
    let headers = format!("auth-request-type: Named-User\r\nauthorization: Basic {basic}\r\n");
    let redirect_uri = "https%3A%2F%2Fapp.example%2Fcallback";
    let body = format!("response_type=code_credentials&client_id={CLIENT_ID}&redirect_uri={redirect_uri}");
    assert_sent(&org, &requests[0], AUTHORIZE_PATH, &headers, &body);

    let code = requests[1].param("code").expect("the code is sent");
    assert!(code.starts_with("aPrx") && code.ends_with("=="), "{code}");
    let body = format!(
        "grant_type=authorization_code&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET_ENCODED}\
         &code={}&redirect_uri={redirect_uri}",
        code.replace('=', "%3D")
    );
    assert_sent(&org, &requests[1], SITE_TOKEN_PATH, "", &body);
    assert_eq!(org.connections(), 1);

    let token = code_credentials(&org).token().unwrap();
    assert_eq!(token.user_id(), Some(SITE_USER_ID));
    assert_eq!(token.field("sfdc_community_id"), Some(SITE_ID));
    assert_eq!(token.field("scope"), Some("api"));
    assert_eq!(token.instance_url(), org.url());
}

#[test]
fn site_is_found_however_its_address_is_written() {
    let org = Org::start();
    let url = org.site_url();
    for url in [
        format!("{url}/"),
        format!(" {url}// "),
        format!("{url}/services/oauth2/authorize"),
        format!("{url}/services/oauth2/token/"),
    ] {
        code_credentials(&org).login_url(&*url).token().unwrap();
        assert_eq!(paths(&org.take_requests()), [AUTHORIZE_PATH, SITE_TOKEN_PATH], "{url}");
    }

    let org = Org::start_tls();
    let proxy = Proxy::start(&org);
    for (url, paths_asked) in [
        ("https://acme.my.site.com", ["/services/oauth2/authorize", TOKEN_PATH]),
        ("acme.my.site.com/customers", [AUTHORIZE_PATH, SITE_TOKEN_PATH]),
    ] {
        let login = code_credentials(&org).login_url(url).agent(agent_through(&org, Some(&proxy)));
        let token = login.token().unwrap();
        assert_eq!(token.instance_url(), "https://acme.my.salesforce.com");
        let requests = org.take_requests();
        assert_eq!(paths(&requests), paths_asked);
        assert!(requests.iter().all(|request| request.host() == "acme.my.site.com"));
    }
}

#[test]
fn code_is_read_from_the_redirect_as_it_was_meant() {
    let org = Org::start();
    let site = utf8_percent_encode(&org.site_url(), NON_ALPHANUMERIC).to_string();
    let with_site = |rest: &str| format!("{REDIRECT_URI}?{rest}&sfdc_community_url={site}");
    let cases = [
        // Location, and the code that it brings.
        (with_site("code=aPrx%2B%2F%3D%3D%26%25%C3%A4"), "aPrx+/==&%ä"),
        (with_site("code=aPrx%2b%2f%3d"), "aPrx+/="),
        // A form's space, and an equals sign that nobody encoded.
        (with_site("code=a+b=="), "a b=="),
        (with_site("state=code%3Dwrong&sfdc_community_id=0DB&code=right"), "right"),
        (with_site("c%6Fde=encoded"), "encoded"),
        (format!("{REDIRECT_URI}?code=before#code=after"), "before"),
        // Without sfdc_community_url, the site that was asked is the one that exchanges the code.
        (format!("{REDIRECT_URI}?code=alone"), "alone"),
    ];
    for (location, code) in cases {
        for status in [301, 302, 303, 307, 308] {
            org.answer(Answer::redirect(status, &location));
            // The org does not know the code, but it is what was sent.
            let error = code_credentials(&org).token().unwrap_err();
            assert_eq!(
                headline(&error),
                "login refused: invalid authorization code (invalid_grant, HTTP 400)",
                "{status} {location}"
            );
            let requests = org.take_requests();
            assert_eq!(paths(&requests), [AUTHORIZE_PATH, SITE_TOKEN_PATH], "{location}");
            assert_eq!(requests[1].param("code").as_deref(), Some(code), "{location}");
        }
    }
}

#[test]
fn code_comes_as_json_when_the_callback_is_the_sites_own() {
    let org = Org::start();
    let echo = format!("{}/services/oauth2/echo", org.site_url());
    let login = App::new(CLIENT_ID, CLIENT_SECRET)
        .code_credentials(SITE_USERNAME, SITE_PASSWORD, &*echo)
        .login_url(org.site_url())
        .agent(agent(&org));
    let token = login.token().unwrap();
    assert_eq!(token.user_id(), Some(SITE_USER_ID));
    let requests = org.take_requests();
    assert_eq!(paths(&requests), [AUTHORIZE_PATH, SITE_TOKEN_PATH]);
    assert_eq!(requests[1].param("redirect_uri"), Some(echo));

    let replies = [
        (200, "{}", "no code in it (HTTP 200)"),
        (200, r#"{"code":""}"#, "no code in it (HTTP 200)"),
        (200, r#"{"code":12}"#, "no code in it (HTTP 200)"),
        (400, r#"{"code":"aPrx"}"#, "no code in it (HTTP 400)"),
        (200, r#"["aPrx"]"#, "JSON of another shape than documented (HTTP 200)"),
        (200, "code=aPrx", "text that is not JSON (HTTP 200)"),
        (200, "", "empty (HTTP 200)"),
    ];
    for (status, json, problem) in replies {
        org.answer(Answer::json(status, json));
        let error = login.token().unwrap_err();
        assert_eq!(headline(&error), format!("unexpected reply: {problem}"), "{json}");
        assert_eq!(org.take_requests().len(), 1, "{json}");
    }
}

#[test]
fn code_is_taken_only_from_a_redirect_to_the_callback() {
    let org = Org::start();
    let app = "a redirect to app.example, which was not followed";
    let elsewhere = [
        ("https://app.example/callbackevil?code=aPrx", app),
        ("https://app.example/callback.evil?code=aPrx", app),
        ("https://app.example/callback/?code=aPrx", app),
        ("https://app.example/callback/evil?code=aPrx", app),
        ("https://app.example/callback;evil?code=aPrx", app),
        ("https://app.example/callback&code=aPrx", app),
        ("https://app.example/callback%3Fcode=aPrx", app),
        ("https://app.example/callback#code=aPrx", app),
        ("https://app.example/callback#?code=aPrx", app),
        ("https://app.example/callback", app),
        ("https://app.example/Callback?code=aPrx", app),
        ("https://app.example/?u=https://app.example/callback?code=aPrx", app),
        ("http://app.example/callback?code=aPrx", app),
        ("HTTPS://app.example/callback?code=aPrx", app),
        ("https://ada@app.example/callback?code=aPrx", app),
        ("https://APP.example/callback?code=aPrx", "a redirect to APP.example, which was not followed"),
        (
            "https://app.example:443/callback?code=aPrx",
            "a redirect to app.example:443, which was not followed",
        ),
        (
            "https://app.example.evil.example/callback?code=aPrx",
            "a redirect to app.example.evil.example, which was not followed",
        ),
        ("/callback?code=aPrx", "a redirect within the host, which was not followed"),
    ];
    for (location, problem) in elsewhere {
        org.answer(Answer::redirect(302, location));
        let error = code_credentials(&org).token().unwrap_err();
        assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP 302)"), "{location}");
        assert_eq!(paths(&org.take_requests()), [AUTHORIZE_PATH], "{location}");
    }

    for location in ["https://app.example/callback?", "https://app.example/callback?code=&scope=api"] {
        org.answer(Answer::redirect(302, location));
        let error = code_credentials(&org).token().unwrap_err();
        assert_eq!(headline(&error), "unexpected reply: no code in it (HTTP 302)", "{location}");
        assert_eq!(paths(&org.take_requests()), [AUTHORIZE_PATH], "{location}");
    }
}

#[test]
fn callback_may_have_a_query_of_its_own() {
    let org = Org::start();
    let redirect_uri = "https://app.example/callback?tenant=7";
    let login = App::new(CLIENT_ID, CLIENT_SECRET)
        .code_credentials(SITE_USERNAME, SITE_PASSWORD, redirect_uri)
        .login_url(org.site_url())
        .agent(agent(&org));
    let sent = |location: &str| {
        org.answer(Answer::redirect(302, location));
        org.answer_to(SITE_TOKEN_PATH, Answer::oauth_error("unknown", "enough"));
        let headline = headline(&login.token().unwrap_err());
        org.behave();
        let requests = org.take_requests();
        assert_eq!(requests[0].param("redirect_uri").as_deref(), Some(redirect_uri));
        (headline, requests.get(1).and_then(|request| request.param("code")))
    };
    let told = "login refused: enough (unknown, HTTP 400)";
    assert_eq!(
        sent("https://app.example/callback?tenant=7&code=aPrx"),
        (told.to_owned(), Some("aPrx".to_owned()))
    );
    let told = "unexpected reply: a redirect to app.example, which was not followed (HTTP 302)";
    for location in [
        "https://app.example/callback?tenant=77&code=aPrx",
        "https://app.example/callback?tenant=7?code=aPrx",
        "https://app.example/callback?code=aPrx&tenant=7",
        "https://app.example/callback?code=aPrx",
    ] {
        assert_eq!(sent(location), (told.to_owned(), None), "{location}");
    }
}

#[test]
fn code_goes_to_the_sites_own_host_only() {
    let org = Org::start();
    let other = Org::start();
    let port = org.addr().port();
    let elsewhere = [
        other.site_url(),
        "https://community.acme.example/customers".to_owned(),
        format!("https://127.0.0.1:{port}/customers"),
        format!("http://localhost:{port}/customers"),
        format!("http://ada@127.0.0.1:{port}/customers"),
        format!("http://127.0.0.1:{port}/customers?x=1"),
        format!("http://127.0.0.1:{port}@{}/customers", other.addr()),
        format!("//127.0.0.1:{port}/customers"),
        "/customers".to_owned(),
        "http://community.acme.example/customers".to_owned(),
        "javascript:alert(1)".to_owned(),
    ];
    for url in &elsewhere {
        let in_json = json!({ "code": "aPrx", "sfdc_community_url": url });
        let url = utf8_percent_encode(url, NON_ALPHANUMERIC);
        let in_redirect = format!("{REDIRECT_URI}?code=aPrx&sfdc_community_url={url}");
        for answer in [Answer::redirect(302, in_redirect), Answer::json(200, in_json)] {
            org.answer(answer);
            let told = headline(&code_credentials(&org).token().unwrap_err());
            assert!(told.starts_with("unexpected reply: sfdc_community_url "), "{told}");
            assert!(!told.contains("aPrx"), "{told}");
            assert_eq!(paths(&org.take_requests()), [AUTHORIZE_PATH], "{url}");
        }
    }
    assert_eq!(other.connections(), 0);

    // Another site on the same host is asked, with the code that is meant for it.
    let url = utf8_percent_encode(&org.url(), NON_ALPHANUMERIC).to_string();
    org.answer(Answer::redirect(
        302,
        format!("{REDIRECT_URI}?code=aPrx&sfdc_community_url={url}%2Fpartners%2F"),
    ));
    code_credentials(&org).token().unwrap_err();
    let requests = org.take_requests();
    assert_eq!(paths(&requests), [AUTHORIZE_PATH, "/partners/services/oauth2/token"]);
}

#[test]
fn code_credentials_are_refused_as_salesforce_does() {
    struct Case {
        login: MakeLogin,
        told: &'static str,
        /// The status of a refusal that comes in the query of a redirect where the org does that.
        /// What is wrong with the app itself is never told to its callback.
        status: u16,
        requests: usize,
    }

    let cases = [
        Case {
            login: |org| login_with(org, "code", "password", "wrong"),
            told: "authentication failure (invalid_grant",
            status: 302,
            requests: 1,
        },
        Case {
            login: |org| login_with(org, "code", "username", USERNAME),
            told: "authentication failure (invalid_grant",
            status: 302,
            requests: 1,
        },
        Case {
            login: |org| {
                org.setup(|org| org.credentials_in_body = true);
                code_credentials(org)
            },
            told: "authentication failure (invalid_grant",
            status: 302,
            requests: 1,
        },
        Case {
            login: |org| {
                org.setup(|org| org.code_credentials_enabled = false);
                code_credentials(org)
            },
            told: "code credential flow not enabled (invalid_client",
            status: 302,
            requests: 1,
        },
        Case {
            login: |org| {
                org.setup(|org| org.user_approved = false);
                code_credentials(org)
            },
            told: "user hasn't approved this consumer (invalid_grant",
            status: 302,
            requests: 1,
        },
        Case {
            login: |org| {
                org.setup(|org| org.user_active = false);
                code_credentials(org)
            },
            told: "inactive user (invalid_grant",
            status: 302,
            requests: 1,
        },
        Case {
            login: |org| login_with(org, "code", "redirect_uri", "https://app.example/other"),
            told: "redirect_uri must match configuration (redirect_uri_mismatch",
            status: 400,
            requests: 1,
        },
        Case {
            login: |org| login_with(org, "code", "client_id", "3MVG9.unknown"),
            told: "client identifier invalid (invalid_client_id",
            status: 400,
            requests: 1,
        },
        Case {
            login: |org| login_with(org, "code", "client_secret", "wrong"),
            told: "invalid client credentials (invalid_client",
            status: 400,
            requests: 2,
        },
        Case {
            login: |org| {
                org.setup(|org| org.expire_codes = true);
                code_credentials(org)
            },
            told: "expired authorization code (invalid_grant",
            status: 400,
            requests: 2,
        },
    ];
    for case in cases {
        use fake_org::AuthorizeErrors::{Callback, Json};
        for (arrive, status) in [(Json, 400), (Callback, case.status)] {
            let org = Org::start();
            org.setup(|org| org.authorize_errors = arrive);
            let error = (case.login)(&org).token().unwrap_err();
            assert_eq!(headline(&error), format!("login refused: {}, HTTP {status})", case.told));
            assert_eq!(error.status(), Some(status), "{}", case.told);
            assert_eq!(org.requests().len(), case.requests, "{}", case.told);
        }
    }
}

#[test]
fn code_that_was_used_is_refused_and_not_tried_again() {
    let org = Org::start();
    code_credentials(&org).token().unwrap();
    let code = org.take_requests()[1].param("code").expect("the code is sent");
    let code = utf8_percent_encode(&code, NON_ALPHANUMERIC);
    org.answer(Answer::redirect(302, format!("{REDIRECT_URI}?code={code}")));
    let error = code_credentials(&org).token().unwrap_err();
    assert_eq!(headline(&error), "login refused: invalid authorization code (invalid_grant, HTTP 400)");
    assert_eq!(paths(&org.take_requests()), [AUTHORIZE_PATH, SITE_TOKEN_PATH]);
}

#[test]
fn login_page_instead_of_a_code_is_explained() {
    let org = Org::start();
    // Where there is no site, everybody is taken for a person with a browser.
    let error = code_credentials(&org).login_url(org.url()).token().unwrap_err();
    assert_eq!(headline(&error), "unexpected reply: an HTML page titled \"Login | Salesforce\" (HTTP 200)");
    assert_eq!(error.hints().len(), 1);
    for words in ["Allow Authorization Code and Credentials Flows", "in the app", "has the site's path"] {
        assert!(error.hints()[0].contains(words), "{words:?} is not in {:?}", error.hints());
    }
    assert_eq!(org.requests().len(), 1);
}

#[test]
fn colon_may_be_in_the_password_but_not_in_the_username() {
    assert!(SITE_PASSWORD.contains(':'), "else the logins that work would not show it");
    let org = Org::start();
    let problem = "holds a colon, which HTTP Basic cannot carry in a username";
    let login = App::new(CLIENT_ID, CLIENT_SECRET)
        .code_credentials("bob:customer@example", SITE_PASSWORD, REDIRECT_URI)
        .login_url(org.site_url())
        .agent(agent(&org));
    assert_eq!(shown(&login.token().unwrap_err()), format!("username {problem}"));
    let env = changed(code_env(&org), "SF_USERNAME", "bob:customer@example");
    assert_eq!(sf_login(&env, &[]), failed(2, &format!("SF_USERNAME {problem}")));
    assert_eq!(org.connections(), 0);
}

#[test]
fn variables_of_the_code_flow_are_asked_for_one_by_one() {
    let org = Org::start();
    let cases = [
        ("SF_CLIENT_ID", "the connected app's consumer key"),
        ("SF_USERNAME", "the username, e.g. ada@example.com"),
        ("SF_PASSWORD", "the user's password"),
        ("SF_REDIRECT_URI", "one of the app's callback URLs"),
    ];
    for (name, what) in cases {
        let run = sf_login(&without(code_env(&org), name), &[]);
        assert_eq!(run, failed(2, &format!("{name} is not set: write {what}")));
    }
    let run = sf_login(&changed(code_env(&org), "SF_REDIRECT_URI", "https://app.example/callback\n"), &[]);
    let problem = "SF_REDIRECT_URI holds a line end or a NUL: write the value alone, on one line";
    assert_eq!(run, failed(2, problem));
    assert_eq!(org.connections(), 0);

    let env = without(code_env(&org), "SF_PASSWORD");
    let run = sf_login_with_input(&env, &["--password-stdin"], format!("{SITE_PASSWORD}\n").as_bytes());
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(org.logins(), 1);
}

// All flows.

#[test]
fn app_without_a_secret_works_where_the_org_lets_it() {
    for (flow, sent) in [
        ("password", "grant_type client_id username password"),
        ("code", "grant_type client_id code redirect_uri"),
    ] {
        let org = Org::start();
        let app = App::without_secret(CLIENT_ID);
        let login = match flow {
            "password" => {
                app.password(USERNAME, PASSWORD).security_token(SECURITY_TOKEN).login_url(org.url())
            }
            _ => app.code_credentials(SITE_USERNAME, SITE_PASSWORD, REDIRECT_URI).login_url(org.site_url()),
        };
        let login = login.agent(agent(&org));
        assert_eq!(
            headline(&login.token().unwrap_err()),
            "login refused: invalid client credentials (invalid_client, HTTP 400)",
            "{flow}"
        );
        let _ = org.take_requests();
        org.setup(|org| org.secret_required = false);
        login.token().unwrap();
        let requests = org.take_requests();
        assert_eq!(names(&requests.last().expect("a request").form()), sent, "{flow}");
    }
}

#[test]
fn session_logs_in_again_in_every_flow() {
    for (flow, login) in FLOWS {
        let org = Org::start();
        let session = login(&org).session().unwrap();
        let first = session.token().access_token().to_owned();
        assert_eq!(org.logins(), 1, "{flow}");
        for _ in 0..2 {
            let _: Value = session.get("limits").unwrap();
        }
        assert_eq!((org.logins(), session.token().access_token()), (1, &*first), "{flow}");

        let _ = org.take_requests();
        org.expire_sessions();
        for _ in 0..2 {
            let _: Value = session.get("limits").unwrap();
        }
        assert_eq!(org.logins(), 2, "{flow}");
        assert_ne!(session.token().access_token(), first, "{flow}");
        let limits = "/services/data/v66.0/limits";
        let again: &[&str] = if flow == "code" { &[AUTHORIZE_PATH, SITE_TOKEN_PATH] } else { &[TOKEN_PATH] };
        assert_eq!(paths(&org.take_requests()), [&[limits], again, &[limits, limits]].concat(), "{flow}");
    }
}

#[test]
fn session_does_not_repeat_a_refused_login_in_any_flow() {
    let refusals = [
        ("authentication failure (invalid_grant, HTTP 400)", 1),
        ("client credentials flow not enabled (invalid_grant, HTTP 400)", 1),
        ("code credential flow not enabled (invalid_client, HTTP 400)", 1),
    ];
    for ((flow, login), (told, sent)) in FLOWS.into_iter().zip(refusals) {
        let org = Org::start();
        let session = login(&org).session().unwrap();
        org.expire_sessions();
        org.setup(|org| {
            org.password_flow_allowed = false;
            org.client_credentials_enabled = false;
            org.code_credentials_enabled = false;
        });
        let _ = org.take_requests();
        for _ in 0..3 {
            let error = session.get::<Value>("limits").unwrap_err();
            assert_eq!(headline(&error), format!("login refused: {told}"), "{flow}");
        }
        let (asked, logins): (Vec<_>, Vec<_>) =
            org.requests().into_iter().partition(|request| request.path.starts_with("/services/data/"));
        assert_eq!((asked.len(), logins.len()), (1, sent), "{flow}");
    }
}

#[test]
fn kept_token_is_used_until_it_has_lapsed_in_every_flow() {
    for (flow, login) in FLOWS {
        let org = Org::start();
        let kept = login(&org).token().unwrap();
        let _ = org.take_requests();
        let session = login(&org).resume(kept.clone()).unwrap();
        assert_eq!(org.requests().len(), 0, "{flow}");
        let _: Value = session.get("limits").unwrap();
        assert_eq!(org.logins(), 1, "{flow}");
        assert_eq!(session.token().access_token(), kept.access_token(), "{flow}");

        let lapsed = Token::new(KEPT, org.url()).unwrap();
        let session = login(&org).resume(lapsed).unwrap();
        let _: Value = session.get("limits").unwrap();
        assert_eq!(org.logins(), 2, "{flow}");
        assert!(session.token().user_id().is_some(), "{flow}");
    }
}

#[test]
fn secrets_that_a_refusal_repeats_are_withheld_in_every_exchange() {
    for exchange in EXCHANGES {
        let org = Org::start();
        (exchange.login)(&org).token().unwrap();
        let secrets = secrets_of(&org.take_requests()[exchange.requests - 1]).len();
        assert_eq!(secrets, if exchange.name == "client credentials" { 1 } else { 2 }, "{}", exchange.name);
        for n in 0..secrets {
            for form in 0..forms("x").len() {
                for in_redirect in [false, true] {
                    if in_redirect && exchange.path != AUTHORIZE_PATH {
                        continue;
                    }
                    org.always_with(exchange.path, move |request| {
                        let secret = &secrets_of(request)[n];
                        let told = format!("no user, {} was given", forms(secret)[form]);
                        if in_redirect {
                            let told = utf8_percent_encode(&told, NON_ALPHANUMERIC);
                            let query = format!("error=invalid_grant&error_description={told}");
                            Answer::redirect(302, format!("{REDIRECT_URI}?{query}"))
                        } else {
                            Answer::oauth_error("invalid_grant", &told)
                        }
                    });
                    let error = (exchange.login)(&org).token().unwrap_err();
                    let status = if in_redirect { 302 } else { 400 };
                    assert_eq!(
                        headline(&error),
                        format!(
                            "login refused: (withheld: it contains a secret) (invalid_grant, HTTP {status})"
                        ),
                        "secret {n}, form {form}, in {}",
                        exchange.name
                    );
                }
            }
        }
    }
}

#[test]
fn code_in_the_very_reply_that_brings_it_is_withheld() {
    let org = Org::start();
    let reply = json!({
        "code": "aPrx.secret", "error": "access_denied", "error_description": "aPrx.secret is not for you",
    });
    let query = "code=aPrx.secret&error=access_denied&error_description=aPrx.secret+is+not+for+you";
    let answers = [
        (Answer::json(403, &reply), 403),
        (Answer::json(200, &reply), 200),
        (Answer::redirect(302, format!("{REDIRECT_URI}?{query}")), 302),
    ];
    for (answer, status) in answers {
        org.answer(answer);
        let error = code_credentials(&org).token().unwrap_err();
        let told = format!("login refused: (withheld: it contains a secret) (access_denied, HTTP {status})");
        assert_eq!(headline(&error), told);
        assert!(!shown(&error).contains("aPrx"), "{error}");
    }
    assert_eq!(org.logins(), 0);
}

#[test]
fn redirects_are_not_followed_in_any_exchange() {
    let other = Org::start();
    for exchange in EXCHANGES {
        for status in [301, 302, 303, 307, 308] {
            let org = Org::start();
            let to = format!("{}{}", other.url(), exchange.path);
            org.always(exchange.path, Answer::redirect(status, to));
            let error = (exchange.login)(&org).token().unwrap_err();
            assert_eq!(
                headline(&error),
                format!(
                    "unexpected reply: a redirect to {}, which was not followed (HTTP {status})",
                    other.addr()
                ),
                "{}",
                exchange.name
            );
            assert_eq!(org.requests().len(), exchange.requests, "{}", exchange.name);
        }
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn every_exchange_ends_at_the_deadline() {
    let timeout = Duration::from_millis(600);
    let run = |exchange: &Exchange, answer: Answer| {
        let org = Org::start();
        org.always(exchange.path, answer);
        let login = (exchange.login)(&org).timeout(timeout);
        let (error, took) = timed(|| login.token().unwrap_err());
        assert_eq!(
            headline(&error),
            format!("no reply from {}: no complete reply within 0.6 s", org.addr()),
            "{}",
            exchange.name
        );
        assert!(took >= timeout && took < 5 * timeout, "{} took {took:?}", exchange.name);
        assert_eq!(org.requests().len(), exchange.requests, "{}", exchange.name);
    };
    thread::scope(|scope| {
        for exchange in &EXCHANGES {
            let pace = Duration::from_millis(20);
            for answer in [
                Answer::stall(),
                Answer::json(200, r#"{"access_token":"#).stall_after(5),
                Answer::json(200, " ".repeat(1000)).drip(pace),
                Answer::json(200, " ").drip_head(pace),
            ] {
                scope.spawn(move || run(exchange, answer));
            }
        }
    });
}

#[test]
fn both_requests_of_the_code_flow_share_one_deadline() {
    let org = Org::start();
    let timeout = Duration::from_millis(1500);
    let location = format!("{REDIRECT_URI}?code=aPrx");
    org.always(AUTHORIZE_PATH, Answer::redirect(302, location).delay(Duration::from_secs(1)));
    org.always(SITE_TOKEN_PATH, Answer::stall());
    let (error, took) = timed(|| code_credentials(&org).timeout(timeout).token().unwrap_err());
    assert_eq!(headline(&error), format!("no reply from {}: no complete reply within 1.5 s", org.addr()));
    // A deadline for each request would end after 2.5 seconds.
    assert!(took >= timeout && took < Duration::from_millis(2400), "it took {took:?}");
    assert_eq!(paths(&org.requests()), [AUTHORIZE_PATH, SITE_TOKEN_PATH]);
}

#[test]
fn replies_are_capped_in_every_exchange() {
    let large = " ".repeat(2 * 1024 * 1024);
    for exchange in EXCHANGES {
        for (answer, what) in [
            (Answer::json(200, &large), "plain"),
            (Answer::json(200, &large).chunked(), "chunked"),
            (Answer::json(400, &large), "refusal"),
            (Answer::json(200, &large).gzip(), "bomb"),
        ] {
            let org = Org::start();
            let status = if what == "refusal" { 400 } else { 200 };
            org.always(exchange.path, answer);
            let error = (exchange.login)(&org).token().unwrap_err();
            assert_eq!(
                headline(&error),
                format!("unexpected reply: larger than 1 MiB (HTTP {status})"),
                "{}, {what}",
                exchange.name
            );
            assert_eq!(org.requests().len(), exchange.requests, "{}, {what}", exchange.name);
        }
    }
}

#[test]
fn cut_off_replies_are_errors_in_every_exchange() {
    let whole = json!({
        "access_token": "00D!AQ", "instance_url": "https://acme.my.salesforce.com", "code": "aPrx",
    });
    let whole = whole.to_string();
    for exchange in EXCHANGES {
        for (answer, what) in [
            (Answer::json(200, &whole).cut_after(whole.len() - 1), "length"),
            (Answer::json(200, &whole).chunked().cut_after(whole.len()), "chunks"),
            (Answer::json(200, &whole).gzip().cut_after(20), "gzip"),
        ] {
            let org = Org::start();
            org.always(exchange.path, answer);
            let error = (exchange.login)(&org).token().unwrap_err();
            assert_eq!(
                headline(&error),
                "unexpected reply: cut off or damaged on its way (HTTP 200)",
                "{}, {what}",
                exchange.name
            );
            assert_eq!(org.requests().len(), exchange.requests, "{}, {what}", exchange.name);
        }
    }
}

#[test]
fn bad_certificate_gets_nothing_in_any_flow() {
    for (certificate, why) in [
        (Certificate::Expired, "certificate expired"),
        (Certificate::UnknownIssuer, "UnknownIssuer"),
        (Certificate::OtherHost, "certificate not valid for name"),
    ] {
        for (flow, login) in FLOWS {
            let org = Org::start_with(certificate);
            let told = headline(&login(&org).token().unwrap_err());
            let begins = format!(
                "no reply from localhost:{}: TLS: invalid peer certificate: {why}",
                org.addr().port()
            );
            assert!(told.starts_with(&begins), "{flow}: {told}");
            assert_eq!((org.requests().len(), org.connections()), (0, 1), "{flow}");
        }
    }
}

#[test]
fn good_certificate_serves_every_flow() {
    for (flow, login) in FLOWS {
        let org = Org::start_tls();
        let session = login(&org).session().unwrap();
        let _: Value = session.get("limits").unwrap();
        assert_eq!(org.connections(), 1, "{flow}");
    }
}

#[test]
fn refusal_is_never_repeated_in_any_exchange() {
    let refusals = [
        ("invalid_grant", "authentication failure"),
        ("invalid_client", "invalid client credentials"),
        ("inactive_user", "user is inactive"),
        ("rate_limit_exceeded", "login rate exceeded"),
        ("unknown_error", "something else"),
    ];
    for exchange in EXCHANGES {
        for (error, description) in refusals {
            let org = Org::start();
            org.always(exchange.path, Answer::oauth_error(error, description).header("Retry-After", "0"));
            let told = headline(&(exchange.login)(&org).token().unwrap_err());
            assert_eq!(
                told,
                format!("login refused: {description} ({error}, HTTP 400)"),
                "{}",
                exchange.name
            );
            assert_eq!(org.requests().len(), exchange.requests, "{}: {error}", exchange.name);
        }
    }
}

#[test]
fn only_what_spends_no_code_is_repeated() {
    let unavailable = || Answer::html(503, "We are down for maintenance.").header("Retry-After", "0");
    let later = || Answer::oauth_error("unknown_error", "retry your request").header("Retry-After", "0");
    for exchange in EXCHANGES {
        let spends = exchange.name == "code exchange";
        let before = exchange.requests - 1;
        for (answer, tries) in [(unavailable(), if spends { 1 } else { 3 }), (later(), 3)] {
            let org = Org::start();
            org.always(exchange.path, answer);
            let error = (exchange.login)(&org).token().unwrap_err();
            assert!(error.is_transient(), "{}: {error}", exchange.name);
            assert_eq!(org.requests().len(), before + tries, "{}", exchange.name);
        }
        // The one that is tried again is as good as any.
        let org = Org::start();
        org.answer_to(exchange.path, later());
        (exchange.login)(&org).token().unwrap();
        assert_eq!(org.logins(), if exchange.path == AUTHORIZE_PATH { 1 } else { 2 }, "{}", exchange.name);
    }
}

#[test]
fn http_is_refused_before_a_connection_in_every_flow() {
    let org = Org::start();
    let proxy = Proxy::start(&org);
    for (flow, login) in FLOWS {
        for url in [
            "http://acme.my.salesforce.com",
            "http://acme.my.site.com/customers",
            "http://127.0.0.1.nip.example",
        ] {
            let login = login(&org).login_url(url).agent(agent_through(&org, Some(&proxy)));
            assert_eq!(
                shown(&login.token().unwrap_err()),
                "login_url is http, which would send secrets in clear: write https",
                "{flow} {url}"
            );
        }
    }
    assert_eq!((org.connections(), proxy.seen().len()), (0, 0));
}

#[test]
fn http_on_this_machine_never_goes_through_a_proxy() {
    for (flow, login) in FLOWS {
        let org = Org::start();
        let proxy = Proxy::start(&org);
        login(&org).agent(agent_through(&org, Some(&proxy))).token().unwrap();
        assert_eq!((org.logins(), proxy.seen().len()), (1, 0), "{flow}");
    }
}

#[test]
fn line_ends_and_nuls_are_refused_in_every_setting() {
    let org = Org::start();
    let settings = [
        ("password", vec!["client_id", "client_secret", "username", "password", "security_token"]),
        ("client credentials", vec!["client_id", "client_secret"]),
        ("code", vec!["client_id", "client_secret", "username", "password", "redirect_uri"]),
    ];
    for (flow, names) in settings {
        for name in names {
            for value in ["\r", "\n", "\0", "a\rb", "a\nb", "a\0b", "end\r\n", "\0start"] {
                let error = login_with(&org, flow, name, value).token().unwrap_err();
                assert_eq!(
                    shown(&error),
                    format!("{name} holds a line end or a NUL: write the value alone, on one line"),
                    "{flow} {value:?}"
                );
            }
            // An empty security token is none.
            if name != "security_token" {
                let error = login_with(&org, flow, name, "").token().unwrap_err();
                assert_eq!(shown(&error), format!("{name} is empty"), "{flow}");
            }
        }
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn login_shows_what_it_tries_and_no_secret() {
    let org = Org::start();
    let (host, site) = (org.addr(), format!("{}/customers", org.addr()));
    let tries = [
        format!("password flow, user {USERNAME}, host {host}, security token set"),
        format!("client credentials flow, host {host}"),
        format!("authorization code and credentials flow, user {SITE_USERNAME}, host {site}"),
    ];
    for ((flow, login), tries) in FLOWS.into_iter().zip(tries) {
        let login = login(&org);
        assert_eq!(login.to_string(), tries, "{flow}");
        assert_eq!(format!("{login:?}"), format!("Login {{ tries: {tries}, .. }}"), "{flow}");
        org.answer(Answer::oauth_error("invalid_grant", "authentication failure"));
        let error = login.token().unwrap_err();
        assert_eq!(shown(&error).lines().nth(1), Some(&*format!("tried: {tries}")), "{flow}");
    }
}

#[test]
fn no_secret_is_in_an_address_in_any_flow() {
    for (flow, login) in FLOWS {
        let org = Org::start();
        login(&org).token().unwrap();
        for request in org.requests() {
            assert_eq!((&*request.method, &*request.query), ("POST", ""), "{flow}");
        }
    }
}

fn client_credentials(org: &Org) -> Login {
    watch_logs();
    App::new(CLIENT_ID, CLIENT_SECRET).client_credentials().login_url(org.url()).agent(agent(org))
}

fn code_credentials(org: &Org) -> Login {
    watch_logs();
    App::new(CLIENT_ID, CLIENT_SECRET)
        .code_credentials(SITE_USERNAME, SITE_PASSWORD, REDIRECT_URI)
        .login_url(org.site_url())
        .agent(agent(org))
}

/// The login of a flow with one setting changed.
fn login_with(org: &Org, flow: &str, setting: &str, value: &str) -> Login {
    let given = |name: &str, usual: &str| if name == setting { value.to_owned() } else { usual.to_owned() };
    let app = App::new(given("client_id", CLIENT_ID), given("client_secret", CLIENT_SECRET));
    let login = match flow {
        "password" => app
            .password(given("username", USERNAME), given("password", PASSWORD))
            .security_token(given("security_token", SECURITY_TOKEN)),
        "client credentials" => app.client_credentials(),
        _ => app.code_credentials(
            given("username", SITE_USERNAME),
            given("password", SITE_PASSWORD),
            given("redirect_uri", REDIRECT_URI),
        ),
    };
    login.login_url(org.site_url()).agent(agent(org))
}

type Env = Vec<(&'static str, String)>;

fn client_credentials_env(org: &Org) -> Env {
    let user = ["SF_USERNAME", "SF_PASSWORD", "SF_SECURITY_TOKEN"];
    let mut env: Env = org.env().into_iter().filter(|(name, _)| !user.contains(name)).collect();
    env.push(("SF_FLOW", "client_credentials".to_owned()));
    env
}

fn code_env(org: &Org) -> Env {
    let mut env = changed(client_credentials_env(org), "SF_FLOW", "code_credentials");
    env.push(("SF_USERNAME", SITE_USERNAME.to_owned()));
    env.push(("SF_PASSWORD", SITE_PASSWORD.to_owned()));
    env.push(("SF_REDIRECT_URI", REDIRECT_URI.to_owned()));
    changed(env, "SF_LOGIN_URL", &org.site_url())
}

fn without(env: Env, name: &str) -> Env {
    env.into_iter().filter(|(n, _)| *n != name).collect()
}

fn changed(env: Env, name: &'static str, value: &str) -> Env {
    let mut env = without(env, name);
    env.push((name, value.to_owned()));
    env
}

fn failed(code: i32, message: &str) -> Run {
    Run { code: Some(code), stdout: String::new(), stderr: format!("sf-login: {message}\n") }
}

/// That the binary sent this and no other byte.
#[track_caller]
fn assert_sent(org: &Org, request: &Request, path: &str, headers: &str, body: &str) {
    assert_eq!(request.text(), body);
    let head = format!(
        "POST {path} HTTP/1.1\r\n\
         accept-encoding: gzip\r\n\
         user-agent: sf-login/{}\r\n\
         host: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\
         accept: application/json\r\n\
         {headers}\
         content-length: {}\r\n\
         \r\n",
        env!("CARGO_PKG_VERSION"),
        org.addr(),
        body.len()
    );
    assert_eq!(String::from_utf8_lossy(&request.raw_head), head);
}

fn paths(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| &*request.path).collect()
}

fn names(form: &[(String, String)]) -> String {
    form.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(" ")
}

/// What a request has given away to the server.
fn secrets_of(request: &Request) -> Vec<String> {
    let form = request.form().into_iter();
    let secret = |name: &String| ["client_secret", "password", "code"].contains(&&**name);
    let mut secrets: Vec<String> = form.filter(|(name, _)| secret(name)).map(|(_, value)| value).collect();
    if let Some(basic) = request.header("authorization").and_then(|value| value.strip_prefix("Basic ")) {
        secrets.push(basic.to_owned());
        let decoded = BASE64_STANDARD.decode(basic).expect("it is base64");
        let decoded = String::from_utf8(decoded).expect("it is UTF-8");
        secrets.push(decoded.split_once(':').expect("it has a colon").1.to_owned());
    }
    secrets
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (run(), start.elapsed())
}
