//! The authorization code and credentials flow: the bytes that are sent, the code and where it goes.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, Org, Proxy, REDIRECT_URI, SITE_ID, SITE_PASSWORD, SITE_USER_ID,
    SITE_USERNAME,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sf_login::{App, path_segment};

use crate::support::{
    AUTHORIZE_PATH, CLIENT_SECRET_ENCODED, SITE_TOKEN_PATH, TOKEN_PATH, agent, agent_through, assert_sent,
    code_credentials, headline, host, login_with, only_request, paths, sf_login, sf_login_with_input, shown,
    without,
};

#[test]
fn code_credentials_are_two_posts_of_exactly_these_bytes() {
    let org = Org::start();
    let run = sf_login(&org.env_for("code_credentials"), &["--format", "json"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let reply: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(reply["sfdc_community_url"], org.site_url());
    assert_eq!(reply["sfdc_community_id"], SITE_ID);

    let requests = org.take_requests();
    assert_eq!(requests.len(), 2);
    let basic = BASE64_STANDARD.encode(format!("{SITE_USERNAME}:{SITE_PASSWORD}"));
    let headers = format!("auth-request-type: Named-User\r\nauthorization: Basic {basic}\r\n");
    let redirect_uri = "https%3A%2F%2Fapp.example%2Fcallback";
    // RFC 7636. Whether the one fits the other, the org has looked at.
    let challenge = requests[0].param("code_challenge").expect("it is sent");
    let verifier = requests[1].param("code_verifier").expect("it is sent");
    let base64url =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    assert!(challenge.len() == 43 && base64url(&challenge), "{challenge}");
    assert!(verifier.len() >= 43 && base64url(&verifier), "{verifier}");
    let body = format!(
        "response_type=code_credentials&client_id={CLIENT_ID}&redirect_uri={redirect_uri}\
         &code_challenge={challenge}&code_challenge_method=S256"
    );
    assert_sent(&org, &requests[0], AUTHORIZE_PATH, &headers, &body);

    let code = requests[1].param("code").expect("the code is sent");
    assert!(code.starts_with("aPrx") && code.ends_with("=="), "{code}");
    let body = format!(
        "grant_type=authorization_code&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET_ENCODED}\
         &code={}&redirect_uri={redirect_uri}&code_verifier={verifier}",
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

    // An outage says nothing about the callback.
    org.always(AUTHORIZE_PATH, Answer::json(503, "{}").header("Retry-After", "0"));
    let error = login.token().unwrap_err();
    assert_eq!(headline(&error), "unexpected reply: JSON of another shape than documented (HTTP 503)");
    assert!(error.is_transient() && !error.hints().concat().contains("Callback"), "{error}");
    assert_eq!(org.take_requests().len(), 3);
}

#[test]
fn code_is_taken_only_from_a_redirect_to_the_callback() {
    let org = Org::start();
    let app = "a redirect to app.example, which was not followed";
    let elsewhere = [
        ("https://app.example/callbackevil?code=aPrx", app),
        ("https://app.example/callback/?code=aPrx", app),
        ("https://app.example/callback;evil?code=aPrx", app),
        ("https://app.example/callback&code=aPrx", app),
        ("https://app.example/callback%3Fcode=aPrx", app),
        ("https://app.example/callback#code=aPrx", app),
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
        .code_credentials(format!(" {SITE_USERNAME} "), SITE_PASSWORD, format!(" {redirect_uri} "))
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
    let elsewhere = Org::start();
    let (own, other, port) = (host(&org), host(&elsewhere), org.addr().port());
    let no_url = || "no https URL".to_owned();
    for (community, named) in [
        (format!("http://{other}/customers"), elsewhere.url()),
        (format!("https://{own}/customers"), format!("https://{own}")),
        (format!("http://localhost:{port}/customers"), format!("http://localhost:{port}")),
        ("https://elsewhere.my.site.com".to_owned(), "https://elsewhere.my.site.com".to_owned()),
        (format!("http://{own}@{other}/customers"), no_url()),
        (format!("http://ada@{own}/customers"), no_url()),
        (format!("http://{own}/customers?x=1"), no_url()),
        (format!("//{own}/customers"), no_url()),
        ("/customers".to_owned(), no_url()),
        ("http://elsewhere.my.site.com".to_owned(), no_url()),
        ("javascript:alert(1)".to_owned(), no_url()),
    ] {
        let encoded = path_segment(&community);
        let in_redirect = format!("{REDIRECT_URI}?code=aPrx%21AQ%3D%3D&sfdc_community_url={encoded}");
        let in_json = json!({ "code": "aPrx!AQ==", "sfdc_community_url": community });
        for (status, answer) in [(302, Answer::redirect(302, in_redirect)), (200, Answer::json(200, in_json))]
        {
            org.answer(answer);
            let error = code_credentials(&org).token().unwrap_err();
            let problem = format!("names {named}, not {}, so it was not sent the code", org.url());
            let message = format!("unexpected reply: sfdc_community_url {problem} (HTTP {status})");
            assert_eq!(headline(&error), message, "{community}");
            assert_eq!(only_request(&org).path, AUTHORIZE_PATH, "{community}");
        }
    }
    assert_eq!((elsewhere.connections(), org.logins()), (0, 0));

    // Another site on the same host is asked, with the code that is meant for it.
    let partners = path_segment(&format!("{}/partners/", org.url()));
    org.answer(Answer::redirect(302, format!("{REDIRECT_URI}?code=aPrx&sfdc_community_url={partners}")));
    code_credentials(&org).token().unwrap_err();
    let asked = org.take_requests();
    assert_eq!(paths(&asked), [AUTHORIZE_PATH, "/partners/services/oauth2/token"]);
}

#[test]
fn code_credentials_are_refused_as_salesforce_does() {
    // What is wrong, what is told, how many requests it took; and the status where the org tells it in
    // the query of a redirect. What is wrong with the app itself is never told to its callback.
    let cases = [
        ("password", "authentication failure (invalid_grant", 1, 302),
        ("client_id", "client identifier invalid (invalid_client_id", 1, 400),
        ("client_secret", "invalid client credentials (invalid_client", 2, 400),
    ];
    for (setting, told, requests, redirect_status) in cases {
        for (to_callback, status) in [(false, 400), (true, redirect_status)] {
            let org = Org::start();
            org.setup(|org| org.errors_to_callback = to_callback);
            let error = login_with(&org, "code", setting, "wrong").token().unwrap_err();
            assert_eq!(headline(&error), format!("login refused: {told}, HTTP {status})"));
            assert_eq!(error.status(), Some(status), "{told}");
            assert_eq!(org.requests().len(), requests, "{told}");
        }
    }
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
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_customers_password_may_come_from_standard_input() {
    let org = Org::start();
    let env = without(&org.env_for("code_credentials"), "SF_PASSWORD");
    let run = sf_login_with_input(&env, &["--password-stdin"], format!("{SITE_PASSWORD}\n").as_bytes());
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert_eq!(org.logins(), 1);
}
