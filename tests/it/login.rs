//! Logging in: what holds in every flow.

use std::collections::HashSet;
use std::time::Duration;

use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, Proxy, REDIRECT_URI, SECURITY_TOKEN, SITE_PASSWORD,
    SITE_USERNAME, USERNAME, refusal,
};
use serde_json::Value;
use sf_login::{App, Token};

use crate::support::{
    AUTHORIZE_PATH, EXCHANGES, FLOWS, LIMITS, OLD, SITE_TOKEN_PATH, TOKEN_PATH, agent, agent_through,
    client_credentials, code_credentials, failed, headline, jwt_bearer, login, names, paths, sf_login, shown,
    without,
};

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
        Some("https://login.sfcrmproducts.cn"),
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
            let kept = Token::new(OLD, "https://acme.my.salesforce.com").unwrap();
            assert_eq!(shown(&login.resume(kept).unwrap_err()), format!("login_url {problem}"), "{host:?}");
        }
        for (env, problem) in
            [(org.env_for("client_credentials"), CLIENT), (org.env_for("code_credentials"), CODE)]
        {
            let mut env = without(&env, "SF_LOGIN_URL");
            env.push(("HTTPS_PROXY", proxy.url()));
            env.extend(host.map(|host| ("SF_LOGIN_URL", host.to_owned())));
            let run = sf_login(&env, &[]);
            assert_eq!(run, failed(2, &format!("SF_LOGIN_URL {problem}")), "{host:?}");
        }
    }
    assert_eq!((proxy.seen().len(), org.connections()), (0, 0));
}

#[test]
fn http_is_refused_before_a_connection_in_every_flow() {
    let org = Org::start();
    let proxy = Proxy::start(&org);
    for (flow, login) in FLOWS {
        let login = login(&org).login_url("http://acme.my.site.com/customers");
        let error = login.agent(agent_through(&org, Some(&proxy))).token().unwrap_err();
        let problem = "login_url is http, which would send secrets in clear: write https";
        assert_eq!(shown(&error), problem, "{flow}");
    }
    assert_eq!((org.connections(), proxy.seen().len()), (0, 0));
}

#[test]
fn leftover_settings_of_another_flow_are_ignored_whatever_they_hold() {
    let org = Org::start();
    let token = [
        ("SF_ACCESS_TOKEN", "no token\n"),
        ("SF_ORG_INSTANCE_URL", "nowhere"),
        ("SF_ORG_API_VERSION", "none"),
        ("HTTP_PROXY", "no proxy"),
    ];
    let user = [("SF_USERNAME", "with:colon\n"), ("SF_PASSWORD", "line\nend")];
    let key = ("SF_JWT_KEY_FILE", "none");
    for (mut env, leftover) in [
        (org.env(), &[("SF_FLOW", "password"), ("SF_REDIRECT_URI", "not a URL\n"), key][..]),
        (org.env_for("client_credentials"), &[user[0], user[1], ("SF_SECURITY_TOKEN", "line\nend"), key]),
        (
            org.env_for("code_credentials"),
            &[("SF_SECURITY_TOKEN", "line\nend"), ("SF_AUDIENCE_URL", "line\nend")],
        ),
        (
            org.env_for("jwt_bearer"),
            &[user[1], ("SF_CLIENT_SECRET", "line\nend"), ("SF_CLIENT_SECRET_FILE", "none")],
        ),
    ] {
        env.extend(token.iter().chain(leftover).map(|(name, value)| (*name, (*value).to_owned())));
        let run = sf_login(&env, &[]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    }
    assert_eq!(org.logins(), 4);

    // A security token or an audience given in a program has no part in the other flows either.
    for login in [client_credentials(&org), code_credentials(&org), jwt_bearer(&org)] {
        login.security_token("line\nend").token().unwrap();
    }
    for login in [login(&org), client_credentials(&org), code_credentials(&org)] {
        login.audience("line\nend").token().unwrap();
    }
    assert!(org.requests().iter().all(|request| !request.text().contains("end")));
}

#[test]
fn app_without_a_secret_works_where_the_org_lets_it() {
    for (flow, sent) in [
        ("password", "grant_type client_id username password"),
        ("code", "grant_type client_id code redirect_uri code_verifier"),
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
        assert_eq!(names(requests.last().expect("a request")), sent, "{flow}");
    }
}

#[test]
fn every_reason_to_refuse_is_told_in_every_flow() {
    for ((_, login), flow) in FLOWS.into_iter().zip(fake_org::FLOWS) {
        let org = Org::start();
        for reason in refusal::ALL.iter().filter(|reason| reason.flows.contains(&flow)) {
            org.setup(|setup| setup.refusal = Some(reason));
            let (code, description) = (reason.error, reason.description);
            if reason.status == Some(refusal::SUCCESS) {
                let error = login(&org).session().unwrap().get::<Value>("limits").unwrap_err();
                assert_eq!(headline(&error), format!("request refused: {description} ({code}) (HTTP 401)"));
            } else {
                let _ = org.take_requests();
                let error = login(&org).token().unwrap_err();
                let told = format!("login refused: {description} ({code}, HTTP 400)");
                assert_eq!(headline(&error), told, "{flow}");
                assert!(error.is_refused_login() && !error.is_transient(), "{flow}: {told}");
                assert_eq!(org.requests().len(), 1, "{flow}: {told}");
            }
        }
    }
}

#[test]
fn making_a_login_sends_nothing() {
    let org = Org::start();
    let kept = Token::new("00D!AQkept", org.url()).unwrap();
    drop(login(&org).resume(kept).unwrap());
    drop(login(&org).timeout(Duration::ZERO));
    assert_eq!(org.connections(), 0);
}

#[test]
fn one_login_can_be_used_again() {
    let org = Org::start();
    let login = login(&org);
    let tokens: HashSet<String> =
        (0..3).map(|_| login.clone().token().unwrap().access_token().to_owned()).collect();
    assert_eq!(tokens.len(), 3);
    // All clones share the agent and so its connection.
    assert_eq!((org.logins(), org.connections()), (3, 1));
}

#[test]
fn session_logs_in_again_and_once_in_every_flow() {
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
        let again: &[&str] = if flow == "code" { &[AUTHORIZE_PATH, SITE_TOKEN_PATH] } else { &[TOKEN_PATH] };
        assert_eq!(paths(&org.take_requests()), [&[LIMITS], again, &[LIMITS, LIMITS]].concat(), "{flow}");

        // A refused one is not repeated.
        org.expire_sessions();
        org.always(again[0], Answer::oauth_error("invalid_grant", "no"));
        for _ in 0..2 {
            let error = session.get::<Value>("limits").unwrap_err();
            assert_eq!(headline(&error), "login refused: no (invalid_grant, HTTP 400)", "{flow}");
        }
        assert_eq!(paths(&org.requests()), [LIMITS, again[0]], "{flow}");
    }
}

#[test]
fn redirects_are_not_followed_and_replies_are_capped_in_every_exchange() {
    let other = Org::start();
    let large = " ".repeat(2 * 1024 * 1024);
    for exchange in EXCHANGES {
        let to = format!("{}{}", other.url(), exchange.path);
        let not_followed = &*format!("a redirect to {}, which was not followed", other.addr());
        let redirects =
            [301, 302, 303, 307, 308].map(|status| (status, Answer::redirect(status, &to), not_followed));
        let capped = [200, 400].map(|status| (status, Answer::json(status, &large), "larger than 1 MiB"));
        for (status, answer, problem) in redirects.into_iter().chain(capped) {
            let org = Org::start();
            org.always(exchange.path, answer);
            let error = (exchange.login)(&org).token().unwrap_err();
            let message = format!("unexpected reply: {problem} (HTTP {status})");
            assert_eq!(headline(&error), message, "{}", exchange.name);
            assert_eq!(org.requests().len(), exchange.requests, "{}", exchange.name);
        }
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn login_shows_what_it_tries_and_no_secret() {
    let org = Org::start();
    let (host, site) = (org.addr(), format!("{}/customers", org.addr()));
    let tries = [
        format!("password flow, user {USERNAME}, host {host}, security token set"),
        format!("client credentials flow, host {host}"),
        format!("authorization code and credentials flow, user {SITE_USERNAME}, host {site}"),
        format!("JWT bearer flow, user {USERNAME}, host {host}"),
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
fn login_that_cannot_be_made_says_what_it_tries_as_well() {
    let user = |name: &str| App::new("id", "a secret").password(name, "a password");
    for (login, tries) in [
        (user("ada"), "password flow, user ada, host login.salesforce.com, security token not set"),
        (user("ada").login_url("http://x.example"), "password flow, user ada, security token not set"),
        (
            user("ada\r\n\u{1b}[31m\u{202e}"),
            "password flow, user ada [31m, host login.salesforce.com, security token not set",
        ),
    ] {
        assert_eq!(login.to_string(), tries);
        assert_eq!(format!("{login:?}"), format!("Login {{ tries: {tries}, .. }}"));
    }
}

#[test]
fn unknown_host_is_named_and_may_be_found_later() {
    let error = login(&Org::start()).login_url("https://acme.invalid").token().unwrap_err();
    assert_eq!(headline(&error), "no reply from acme.invalid: the host name was not found");
    assert!(error.is_transient());
}
