//! Every hint there is, as a person sees it: `hints.txt` holds the whole text of each scenario.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, Certificate, Org, PASSWORD, Proxy, REDIRECT_URI, SECURITY_TOKEN,
    SITE_PASSWORD, SITE_USERNAME, USERNAME,
};
use serde_json::{Value, json};
use sf_login::ureq::config::Config;
use sf_login::ureq::http::{Request, Uri};
use sf_login::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use sf_login::ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use sf_login::{App, Error, Login, Session, Token, ureq};

use crate::support::{agent, agent_through, shown, watch_logs};

/// One block for each scenario, in their order.
const TEXTS: &str = include_str!("hints.txt");

const LOGIN: &str = "https://login.salesforce.com";
const TEST: &str = "https://test.salesforce.com";
const MY_DOMAIN: &str = "https://acme.my.salesforce.com";
const SANDBOX: &str = "https://acme--uat.sandbox.my.salesforce.com";
const SITE: &str = "https://acme.my.site.com/customers";

/// A token of some other login.
const KEPT: &str = "00D5g00000FakeO!AQkept.Token_0123456789";

/// For what would take for ever.
const TIMEOUT: Duration = Duration::from_secs(2);

type Scenario = (&'static str, fn(&Stage) -> Error);

/// What Salesforce says to a login in the password flow.
const PASSWORD_LOGINS: &[Scenario] = &[
    ("wrong password, no security token, at the generic host", |s| {
        s.fails(app().password(USERNAME, "wrong").login_url(LOGIN))
    }),
    ("wrong password, with a security token, at the My Domain", |s| {
        s.fails(app().password(USERNAME, "wrong").security_token(SECURITY_TOKEN).login_url(MY_DOMAIN))
    }),
    ("the security token twice", |s| {
        let password = format!("{PASSWORD}{SECURITY_TOKEN}");
        s.fails(app().password(USERNAME, password).security_token(SECURITY_TOKEN).login_url(MY_DOMAIN))
    }),
    ("a sandbox's user at the production host", |s| {
        s.fails(app().password("ada@example.com.uat", PASSWORD).login_url(LOGIN))
    }),
    ("a production user at the sandboxes' host", |s| {
        s.org.setup(|org| org.password_flow_allowed = false);
        s.fails(app().password(USERNAME, PASSWORD).login_url(TEST))
    }),
    ("a production user at a sandbox's My Domain", |s| {
        s.org.setup(|org| org.password_flow_allowed = false);
        s.fails(app().password(USERNAME, PASSWORD).login_url(SANDBOX))
    }),
    ("a username that is not one", |s| {
        s.fails(app().password("ada", PASSWORD).security_token(SECURITY_TOKEN).login_url(MY_DOMAIN))
    }),
    ("the talkative form of a wrong password", |s| {
        s.refused("invalid_grant", "authentication failure - Invalid Password")
    }),
    ("invalid_grant without a description", |s| {
        s.login_gets(Answer::json(400, json!({ "error": "invalid_grant" })))
    }),
    ("an address outside the profile's", |s| s.refused("invalid_grant", "ip restricted")),
    ("an address or an hour outside the profile's", |s| {
        s.refused("invalid_grant", "ip restricted or invalid login hours")
    }),
    ("an inactive user", |s| {
        s.org.setup(|org| org.user_active = false);
        s.fails(s.login())
    }),
    ("an inactive user, by the error's name", |s| s.refused("inactive_user", "user is inactive")),
    ("a user who has not approved the app", |s| {
        s.org.setup(|org| org.user_approved = false);
        s.fails(s.login())
    }),
    ("an app for pre-authorized users", |s| {
        s.refused("invalid_app_access", "user is not admin approved to access this app")
    }),
    ("an unknown consumer key", |s| {
        let app = App::new("3MVG9.unknown", CLIENT_SECRET);
        s.fails(app.password(USERNAME, PASSWORD).security_token(SECURITY_TOKEN).login_url(LOGIN))
    }),
    ("a wrong consumer secret", |s| {
        let app = App::new(CLIENT_ID, "wrong");
        s.fails(app.password(USERNAME, PASSWORD).security_token(SECURITY_TOKEN).login_url(MY_DOMAIN))
    }),
    ("no consumer secret", |s| {
        let app = App::without_secret(CLIENT_ID);
        s.fails(app.password(USERNAME, PASSWORD).security_token(SECURITY_TOKEN).login_url(MY_DOMAIN))
    }),
    ("a grant type that is not supported", |s| {
        s.refused("unsupported_grant_type", "grant type not supported")
    }),
    ("an invalid request", |s| s.refused("invalid_request", "must use HTTP POST")),
    ("an inactive org", |s| s.refused("inactive_org", "org is locked")),
    ("too many logins", |s| s.refused("rate_limit_exceeded", "login rate exceeded")),
    ("try again later", |s| {
        let answer = Answer::oauth_error("unknown_error", "retry your request");
        s.login_gets(answer.header("Retry-After", "0"))
    }),
];

/// What Salesforce says to a login in the two other flows.
const OTHER_LOGINS: &[Scenario] = &[
    ("client credentials: an authentication failure", |s| {
        s.org.answer(Answer::oauth_error("invalid_grant", "authentication failure"));
        s.fails(app().client_credentials().login_url(MY_DOMAIN))
    }),
    ("client credentials: at a wrong domain", |s| {
        let refusal = Answer::oauth_error("invalid_grant", "request not supported on this domain");
        s.org.answer(refusal);
        s.fails(app().client_credentials().login_url("https://acme.my.site.com"))
    }),
    ("client credentials: no Run As user", |s| {
        s.org.setup(|org| org.run_as_user = false);
        s.fails(app().client_credentials().login_url(MY_DOMAIN))
    }),
    ("client credentials: switched off", |s| {
        s.org.setup(|org| org.client_credentials_enabled = false);
        s.fails(app().client_credentials().login_url(MY_DOMAIN))
    }),
    ("client credentials: a wrong consumer secret", |s| {
        s.fails(App::new(CLIENT_ID, "wrong").client_credentials().login_url(MY_DOMAIN))
    }),
    ("client credentials: a grant type that is not supported", |s| {
        s.org.answer(Answer::oauth_error("unsupported_grant_type", "grant type not supported"));
        s.fails(app().client_credentials().login_url(MY_DOMAIN))
    }),
    ("code and credentials: a wrong password", |s| {
        s.fails(app().code_credentials(SITE_USERNAME, "wrong", REDIRECT_URI).login_url(SITE))
    }),
    ("code and credentials: switched off", |s| {
        s.org.setup(|org| org.code_credentials_enabled = false);
        s.fails(site_login())
    }),
    ("code and credentials: a user who has not approved the app", |s| {
        s.org.setup(|org| {
            (org.user_approved, org.authorize_errors) = (false, fake_org::AuthorizeErrors::Callback)
        });
        s.fails(site_login())
    }),
    ("code and credentials: a callback URL that is not the app's", |s| {
        let redirect_uri = "https://app.example/other";
        s.fails(app().code_credentials(SITE_USERNAME, SITE_PASSWORD, redirect_uri).login_url(SITE))
    }),
    ("code and credentials: a scope that is missing", |s| {
        s.org.answer(Answer::oauth_error("invalid_scope", "the requested scope is not allowed"));
        s.fails(site_login())
    }),
    ("code and credentials: an expired code", |s| {
        s.org.setup(|org| org.expire_codes = true);
        s.fails(site_login())
    }),
    ("code and credentials: a code that was used", |s| {
        s.exchange_gets(Answer::oauth_error("invalid_grant", "invalid authorization code"))
    }),
    ("code and credentials: an app that demands PKCE", |s| {
        s.exchange_gets(Answer::oauth_error("invalid_grant", "invalid code verifier"))
    }),
    ("code and credentials: without the site's path", |s| {
        // Salesforce takes whoever is not expected at this address for a person with a browser.
        s.org.answer(Answer::html(200, "Login | Salesforce"));
        s.fails(site_login().login_url("https://acme.my.site.com"))
    }),
    ("code and credentials: a redirect to the app, but not to its callback URL", |s| {
        s.org.answer(Answer::redirect(302, "https://app.example/callback2?code=aPrx"));
        s.fails(site_login())
    }),
    ("code and credentials: a redirect to another host", |s| {
        s.org.answer(Answer::redirect(302, "https://login.acme.example/customers"));
        s.fails(site_login())
    }),
    ("code and credentials: no code", |s| {
        s.org.answer(Answer::redirect(302, format!("{REDIRECT_URI}?state=1")));
        s.fails(site_login())
    }),
    ("code and credentials: a community at another host", |s| {
        let url = "https%3A%2F%2Fcommunity.acme.example%2Fcustomers";
        s.org.answer(Answer::redirect(302, format!("{REDIRECT_URI}?code=aPrx&sfdc_community_url={url}")));
        s.fails(site_login())
    }),
];

/// What is not OAuth's JSON.
const ODD_LOGINS: &[Scenario] = &[
    ("maintenance", |s| {
        s.login_gets(Answer::html(503, "We are down for maintenance.").header("Retry-After", "0"))
    }),
    ("maintenance, but not by its status", |s| {
        s.login_gets(Answer::html(200, "We are down for maintenance."))
    }),
    ("a wrong path", |s| s.fails(s.login().login_url("https://acme.my.salesforce.com/nowhere"))),
    ("a web page's host", |s| s.login_gets(Answer::html(200, "Login | Salesforce"))),
    ("no org behind the host", |s| s.login_gets(Answer::html(420, "Salesforce"))),
    ("a web filter", |s| s.login_gets(Answer::html(403, "Access Denied"))),
    ("a web server that breaks", |s| s.login_gets(Answer::html(500, "Internal Server Error"))),
    ("a web server that knows no such page", |s| {
        s.org.answer(Answer::html(404, "404 Not Found"));
        s.fails(s.login().login_url("https://acme.my.site.com"))
    }),
    ("a web server that says nothing", |s| {
        s.org.answer(Answer::new(404));
        s.fails(s.login().login_url("https://acme.my.site.com"))
    }),
    ("an empty 503", |s| s.login_gets(Answer::new(503).header("Retry-After", "0"))),
    ("too many requests", |s| {
        s.login_gets(Answer::text(429, "Too many requests").header("Retry-After", "0"))
    }),
    ("an empty reply", |s| s.login_gets(Answer::new(200))),
    ("a reply that is text", |s| s.login_gets(Answer::text(200, "It works!"))),
    ("a reply without a token", |s| s.login_gets(Answer::json(200, r#"{"status":"UP"}"#))),
    ("a reply that is cut off", |s| {
        s.login_gets(Answer::json(200, r#"{"access_token":"00D"}"#).cut_after(9))
    }),
    ("a reply without end", |s| s.login_gets(Answer::json(200, " ".repeat(1024 * 1024 + 1)))),
    ("an instance without https", |s| {
        s.org.setup(|org| org.instance_url = Some("http://acme.my.salesforce.com".to_owned()));
        s.fails(s.login())
    }),
    ("a redirect to another host", |s| {
        s.login_gets(Answer::redirect(301, "https://acme.my.salesforce.mil/services/oauth2/token"))
    }),
    ("a redirect to the same host", |s| {
        s.login_gets(Answer::redirect(302, "https://acme.my.salesforce.com/secur/login.jsp"))
    }),
    ("a redirect within the host", |s| s.login_gets(Answer::redirect(302, "/secur/login.jsp"))),
    ("a redirect to nowhere", |s| s.login_gets(Answer::new(302))),
];

/// What Salesforce says to a request.
const REQUESTS: &[Scenario] = &[
    ("a lapsed token, and no login", |s| fails(&s.kept().get::<Value>("limits"))),
    ("a lapsed token, and a login at another instance", |s| {
        let kept = Token::new(KEPT, "https://acme-2024.my.salesforce.com").expect("a token");
        let session = s.login().login_url(LOGIN).resume(kept).expect("a login");
        fails(&session.get::<Value>("limits"))
    }),
    ("a new token that is rejected", |s| {
        let expired = Answer::api_error(401, "INVALID_SESSION_ID", "Session expired or invalid");
        s.org.always("/services/data", expired);
        fails(&s.session().get::<Value>("limits"))
    }),
    ("a policy against the REST API", |s| {
        let message = "This session is not valid for use with the REST API";
        s.request_gets(Answer::api_error(401, "INVALID_SESSION_ID", message))
    }),
    ("an expired password", |s| {
        let code = "INVALID_OPERATION_WITH_EXPIRED_PASSWORD";
        s.request_gets(Answer::api_error(401, code, "The users password has expired"))
    }),
    ("a damaged header", |s| {
        s.request_gets(Answer::api_error(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"))
    }),
    ("the limit of requests", |s| {
        let message = "TotalRequests Limit exceeded.";
        s.request_gets(Answer::api_error(403, "REQUEST_LIMIT_EXCEEDED", message))
    }),
    ("an org without the API", |s| {
        let message = "The REST API is not enabled for this Organization.";
        s.request_gets(Answer::api_error(403, "API_DISABLED_FOR_ORG", message))
    }),
    ("a user without the API", |s| {
        let message = "API is not enabled for this Organization or Partner";
        s.request_gets(Answer::api_error(403, "API_CURRENTLY_DISABLED", message))
    }),
    ("SOQL with a mistake", |s| queries(s, "SELECT * FROM Account")),
    ("a field that there is not", |s| queries(s, "SELECT Nme FROM Account")),
    ("a field that cannot be written", |s| {
        let code = "INVALID_FIELD_FOR_INSERT_UPDATE";
        s.request_gets(Answer::api_error(400, code, "Unable to create/update fields: Id"))
    }),
    ("an object that there is not", |s| queries(s, "SELECT Id FROM Acount")),
    ("an id that is not one", |s| fails(&s.session().get::<Value>("sobjects/Account/001"))),
    ("a record that there is not", |s| {
        fails(&s.session().get::<Value>("sobjects/Account/001000000000000AAA"))
    }),
    ("an API version to come", |s| fails(&s.session().api_version("99").get::<Value>("limits"))),
    ("an API version of old", |s| fails(&s.session().api_version("20").get::<Value>("limits"))),
    ("a request to the login host", |s| {
        let token = Token::new(s.session().token().access_token(), LOGIN).expect("a token");
        fails(&s.session_of(token).get::<Value>("limits"))
    }),
    ("an external id of two records", |s| {
        let urls = json!([
            "/services/data/v66.0/sobjects/Account/0015g00000000001",
            "/services/data/v66.0/sobjects/Account/0015g00000000002",
        ]);
        s.request_gets(Answer::json(300, urls))
    }),
    ("SOQL that is too long", |s| {
        let ids = vec!["'0015g00000000001AAA'"; 1000].join(",");
        queries(s, &format!("SELECT Id FROM Account WHERE Id IN ({ids})"))
    }),
    ("headers that are too long", |s| s.request_gets(Answer::html(431, "Request Header Fields Too Large"))),
    ("a server that is unavailable", |s| {
        let answer = Answer::api_error(503, "SERVER_UNAVAILABLE", "Server too busy");
        s.request_gets(answer.header("Retry-After", "0"))
    }),
    ("a server that is unavailable, in HTML", |s| {
        s.request_gets(Answer::html(502, "Bad Gateway").header("Retry-After", "0"))
    }),
    ("a request to be tried later", |s| {
        let answer = Answer::api_error(400, "UNKNOWN_EXCEPTION", "unable to obtain lock, retry your request");
        s.request_gets(answer.header("Retry-After", "0"))
    }),
    ("too many requests in a short time", |s| {
        let answer = Answer::api_error(429, "TOO_MANY_REQUESTS", "Slow down");
        s.request_gets(answer.header("Retry-After", "0"))
    }),
    ("a lapsed token at the identity endpoint", |s| {
        fails(&s.kept().get::<Value>("/id/00D5g00000FakeOEAR/0055g00000Ada01AAB"))
    }),
    ("a path that there is not", |s| fails(&s.session().get::<Value>("/nowhere"))),
    ("a reply of another shape", |s| fails(&s.session().get::<Vec<String>>("limits"))),
    ("a web page instead of a record", |s| s.request_gets(Answer::html(200, "Login | Salesforce"))),
    ("a redirect to another instance", |s| {
        s.request_gets(Answer::redirect(302, "https://acme-2026.my.salesforce.com/services/data"))
    }),
    ("a reply that is too large", |s| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let addr = listener.local_addr().expect("an address");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n");
            while stream.write_all(&[b' '; 64 * 1024]).is_ok() {}
        });
        let token = Token::new(KEPT, format!("http://{addr}")).expect("a token");
        let session = s.session_of(token).agent(s.agent(Lead::To(addr)));
        let error = fails(&session.get::<Value>("limits"));
        server.join().expect("the client hangs up");
        error
    }),
    ("a reply that is cut off within its JSON", |s| {
        s.org.always("/services/data", Answer::json(200, r#"{"a":1}"#).cut_after(3));
        fails(&s.session().timeout(TIMEOUT).post::<Value>("sobjects/Account", &json!({})))
    }),
    ("a token that cannot be revoked", |s| {
        let refusal = Answer::oauth_error("unsupported_token_type", "this token type is not supported");
        s.org.answer(refusal);
        s.kept().revoke().expect_err("it is refused")
    }),
];

/// What does not come to a reply.
const CONNECTIONS: &[Scenario] = &[
    ("an expired certificate", |_| Stage::with(Certificate::Expired).login_fails()),
    ("a certificate that is not valid yet", |_| Stage::with(Certificate::NotYetValid).login_fails()),
    ("a certificate for another host", |_| Stage::with(Certificate::OtherHost).login_fails()),
    ("a certificate of an unknown authority", |_| Stage::with(Certificate::UnknownIssuer).login_fails()),
    ("a proxy that looks inside, with its own certificate", |_| {
        let s = Stage::with(Certificate::UnknownIssuer);
        s.through(&Proxy::start(&s.org))
    }),
    ("a proxy that wants a password", |s| s.through(&Proxy::start_with_auth(&s.org, "ada", "secret"))),
    ("a proxy that refuses the host", |s| s.through(&Proxy::refusing(403))),
    ("a proxy that cannot reach the host", |s| s.through(&Proxy::refusing(502))),
    ("a proxy that is not there", |s| {
        let held = refuses(&s.org);
        let gone = ureq::Proxy::new(&format!("http://{}", addr_of(&held))).expect("a proxy's URL");
        let agent = ureq::Agent::config_builder().proxy(Some(gone)).build().new_agent();
        fails(&s.login().agent(agent).timeout(TIMEOUT).token())
    }),
    ("a host without an address", |s| s.led(Lead::Nowhere)),
    ("a name server that is silent", |s| s.led(Lead::Silence)),
    ("a network without a way out", |s| s.led(Lead::NoWay)),
    ("a host that refuses", |s| {
        let held = refuses(&s.org);
        s.led(Lead::To(addr_of(&held)))
    }),
    ("a host that does not greet", |s| {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        s.led(Lead::To(silent.local_addr().expect("an address")))
    }),
    ("a host that hangs up at once", |s| {
        s.org.refuse_next_connections(9);
        s.login_fails()
    }),
    ("a port that is not https", |s| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let addr = listener.local_addr().expect("an address");
        // What web servers say to a TLS handshake, to each of the tries.
        let server = thread::spawn(move || {
            for mut stream in listener.incoming().take(3).flatten() {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            }
        });
        let error = s.led(Lead::To(addr));
        drop((TcpStream::connect(addr), TcpStream::connect(addr), server));
        error
    }),
    ("a login without a reply", |s| {
        s.org.always("/", Answer::stall());
        s.login_fails()
    }),
    ("a login that breaks off", |s| s.login_gets(Answer::close())),
    ("a login answered by something else", |s| s.login_gets(Answer::raw("220 mail.example.com ESMTP\r\n"))),
    ("a request without a reply", |s| {
        s.org.always("/services/data", Answer::stall());
        fails(&s.session().timeout(TIMEOUT).get::<Value>("limits"))
    }),
    ("a download that stops", |s| {
        s.org.always("/services/data", Answer::html(500, "Error").stall_after(3));
        let session = s.session().timeout(TIMEOUT);
        let url = session.url("limits").expect("a URL");
        session.run(Request::get(url).body("").expect("a request")).expect_err("it is no 2xx")
    }),
    ("a write that breaks off", |s| {
        s.org.always("/services/data", Answer::close());
        fails(&s.session().post::<Value>("sobjects/Account", &json!({ "Name": "Ada & Co" })))
    }),
];

const ALL: [&[Scenario]; 5] = [PASSWORD_LOGINS, OTHER_LOGINS, ODD_LOGINS, REQUESTS, CONNECTIONS];

#[test]
fn a_person_sees_exactly_these_texts() {
    let (seen, blocks) = (play(), blocks());
    let mut wrong = String::new();
    for (name, text) in &seen {
        let written = blocks.iter().find(|(block, _)| block == name).map(|(_, text)| *text);
        if written != Some(text) {
            write!(wrong, "== {name}\n{text}\n\n").expect("a string");
        }
    }
    assert!(wrong.is_empty(), "hints.txt has other texts than these, or lacks them:\n\n{wrong}");

    let names: Vec<&str> = seen.iter().map(|(name, _)| *name).collect();
    let written: Vec<&str> = blocks.iter().map(|(name, _)| *name).collect();
    assert_eq!(written, names, "hints.txt has the scenarios in their order, and no others");
}

#[test]
fn every_hint_in_the_table_is_seen_in_a_scenario() {
    let table = table();
    // Should the table look otherwise one day, then this is to notice it.
    assert!(table.len() > 60, "found only {} hints in src/lib.rs", table.len());
    // By `hints.txt`, which the other test holds to what is really seen.
    let seen: Vec<&str> = TEXTS.lines().filter_map(|line| line.strip_prefix("hint: ")).collect();
    let unseen: Vec<&String> =
        table.iter().filter(|hint| !seen.iter().any(|seen| is_made_of(seen, hint))).collect();
    assert!(unseen.is_empty(), "no scenario shows these hints: {unseen:#?}");
    let unknown: Vec<&&str> =
        seen.iter().filter(|seen| !table.iter().any(|hint| is_made_of(seen, hint))).collect();
    assert!(unknown.is_empty(), "these hints are not from the table: {unknown:#?}");
}

#[test]
fn every_hint_is_one_line_that_a_person_can_read() {
    for hint in table() {
        let bare = hint.replace("{host}", "host").replace("{user}", "user");
        assert!(!bare.contains(['{', '}', '\n', '\t']) && !bare.contains("  "), "{hint}");
        assert!(!hint.ends_with('.') && hint.trim() == hint, "{hint}");
        assert!(hint.chars().count() < 360, "too long to be read: {hint}");
    }
}

#[test]
fn usernames_are_taken_for_a_sandboxs_only_when_they_look_it() {
    const ENDS_LIKE: &str = "ends like a sandbox's";
    const LACKS_THE_END: &str = "is not for production users";
    // Whether it is said at login.salesforce.com that the user may be a sandbox's, and at
    // test.salesforce.com that the user may not.
    let cases = [
        ("ada@example.com", false, true),
        ("ada@example.com.uat", true, false),
        ("ADA@EXAMPLE.COM.FULL", true, false),
        ("ada@mail.example.com.dev1", true, false),
        ("ada@example.co.uk.uat", true, false),
        ("ada@example.de.uat", true, false),
        ("ada@mail.example.com", false, true),
        ("ada@salesforce", false, true),
        // Of a country, or of a sandbox with its name: who knows.
        ("ada@example.co.uk", false, false),
        ("ada@example.com.au", false, false),
        ("ada@example.com.qa", false, false),
        // Companies with short names.
        ("ada@mail.hp.com", false, false),
    ];
    let s = Stage::with(Certificate::Good);
    for (username, at_login, at_test) in cases {
        for (host, ends_like, lacks_the_end) in [(LOGIN, at_login, false), (TEST, false, at_test)] {
            s.org.answer(Answer::oauth_error("invalid_grant", "authentication failure"));
            let error = s.fails(app().password(username, PASSWORD).login_url(host));
            let says = |words: &str| error.hints().iter().any(|hint| hint.contains(words));
            assert_eq!(
                (says(ENDS_LIKE), says(LACKS_THE_END)),
                (ends_like, lacks_the_end),
                "{username} {host}"
            );
        }
    }
}

/// Has all scenarios happen, each on a stage of its own, and gives what is seen.
fn play() -> Vec<(&'static str, String)> {
    // Some at once, because they mostly wait for the next try; not all, for the sake of their deadlines.
    const AT_ONCE: usize = 8;
    let scenarios: Vec<&Scenario> = ALL.into_iter().flatten().collect();
    let next = AtomicUsize::new(0);
    let play = || {
        let mut seen = Vec::new();
        loop {
            let number = next.fetch_add(1, SeqCst);
            let Some((name, scenario)) = scenarios.get(number) else { return seen };
            let error = scenario(&Stage::with(Certificate::Good));
            seen.push((number, (*name, without_numbers(&shown(&error)))));
        }
    };
    let mut seen: Vec<_> = thread::scope(|scope| {
        let players: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(play)).collect();
        players.into_iter().flat_map(|player| player.join().expect("all fail as they should")).collect()
    });
    seen.sort_by_key(|(number, _)| *number);
    seen.into_iter().map(|(_, seen)| seen).collect()
}

/// `hints.txt`: the name and the text of each block.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let blocks = TEXTS.split("\n== ").skip(1);
    let parts = blocks.map(|block| block.split_once('\n').expect("a block has a text"));
    parts.map(|(name, text)| (name, text.trim_end())).collect()
}

/// The texts of the table of hints, as they stand in the source.
fn table() -> Vec<String> {
    let source = include_str!("../../src/lib.rs");
    let (_, table) = source.split_once("const HINTS: &[Hint] = &[").expect("src/lib.rs has a table of hints");
    let (table, _) = table.split_once("\n];").expect("the table has an end");
    table.split("\n    (").skip(1).map(last_string).collect()
}

/// The last string literal in a piece of Rust.
fn last_string(row: &str) -> String {
    let code: Vec<&str> = row.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let (literal, _) = code.rsplit_once("\"),").expect("a row ends with its hint");
    let quote = literal.rmatch_indices('"').find(|(at, _)| !literal[..*at].ends_with('\\'));
    let (at, _) = quote.expect("a literal has a beginning");
    serde_json::from_str(&format!("{}\"", &literal[at..])).expect("no escapes but JSON's own")
}

/// Whether `seen` is `hint` with its placeholders filled in.
fn is_made_of(seen: &str, hint: &str) -> bool {
    let hint = hint.replace("{user}", "{host}");
    let mut parts = hint.split("{host}");
    let Some(mut rest) = seen.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut ends = true;
    for part in parts {
        match rest.find(part) {
            Some(at) if at > 0 => rest = &rest[at + part.len()..],
            _ => return false,
        }
        ends = part.is_empty();
    }
    ends || rest.is_empty()
}

/// Ports and times differ from run to run.
fn without_numbers(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut rest = text;
    let mut shown = String::new();
    while let Some(at) = rest.find(is_digit) {
        let (before, number) = rest.split_at(at);
        let length = number.find(|c| !is_digit(c)).unwrap_or(number.len());
        shown += before;
        let varies = match &shown {
            so_far if so_far.ends_with("127.0.0.1:") => Some("PORT"),
            so_far if so_far.ends_with([' ', '(']) && length > 8 => Some("N"),
            _ => None,
        };
        shown += varies.unwrap_or(&number[..length]);
        rest = &number[length..];
    }
    shown + rest
}

/// An org that answers to Salesforce's own names.
struct Stage {
    org: Org,
}

impl Stage {
    fn with(certificate: Certificate) -> Stage {
        watch_logs();
        Stage { org: Org::start_with(certificate) }
    }

    /// The login that works.
    fn login(&self) -> Login {
        let login = app().password(USERNAME, PASSWORD).security_token(SECURITY_TOKEN);
        login.login_url(MY_DOMAIN).agent(self.agent(Lead::To(self.org.addr())))
    }

    fn session(&self) -> Session {
        self.login().session().expect("the org takes this login")
    }

    /// A session that cannot log in, with a token that the org does not know.
    fn kept(&self) -> Session {
        self.session_of(Token::new(KEPT, MY_DOMAIN).expect("a token"))
    }

    fn session_of(&self, token: Token) -> Session {
        Session::new(token).expect("a session").agent(self.agent(Lead::To(self.org.addr())))
    }

    fn agent(&self, lead: Lead) -> ureq::Agent {
        let config = agent(&self.org).config().clone();
        ureq::Agent::with_parts(config, DefaultConnector::new(), lead)
    }

    fn fails(&self, login: Login) -> Error {
        fails(&login.agent(self.agent(Lead::To(self.org.addr()))).token())
    }

    fn login_fails(&self) -> Error {
        self.fails(self.login().timeout(TIMEOUT))
    }

    fn login_gets(&self, answer: Answer) -> Error {
        self.org.always("/", answer);
        self.fails(self.login())
    }

    fn refused(&self, error: &str, description: &str) -> Error {
        self.login_gets(Answer::oauth_error(error, description))
    }

    fn exchange_gets(&self, answer: Answer) -> Error {
        self.org.answer_to("/customers/services/oauth2/token", answer);
        self.fails(site_login())
    }

    fn request_gets(&self, answer: Answer) -> Error {
        self.org.always("/services/data", answer);
        fails(&self.session().get::<Value>("limits"))
    }

    fn through(&self, proxy: &Proxy) -> Error {
        let agent = agent_through(&self.org, Some(proxy));
        fails(&self.login().agent(agent).timeout(TIMEOUT).token())
    }

    fn led(&self, lead: Lead) -> Error {
        fails(&self.login().agent(self.agent(lead)).timeout(TIMEOUT).token())
    }
}

/// Where all names lead.
#[derive(Clone, Copy, Debug)]
enum Lead {
    To(SocketAddr),
    Nowhere,
    Silence,
    NoWay,
}

impl Resolver for Lead {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        match self {
            Lead::To(addr) => {
                let mut addrs = self.empty();
                addrs.push(*addr);
                Ok(addrs)
            }
            // Word for word what the system's own resolver gives.
            Lead::Nowhere => Err(ureq::Error::Io(io::Error::other(
                "failed to lookup address information: Name or service not known",
            ))),
            Lead::NoWay => Err(ureq::Error::Io(io::ErrorKind::NetworkUnreachable.into())),
            Lead::Silence => Err(ureq::Error::Timeout(ureq::Timeout::Resolve)),
        }
    }
}

fn app() -> App {
    App::new(CLIENT_ID, CLIENT_SECRET)
}

/// The customer's login that works.
fn site_login() -> Login {
    app().code_credentials(SITE_USERNAME, SITE_PASSWORD, REDIRECT_URI).login_url(SITE)
}

fn queries(stage: &Stage, soql: &str) -> Error {
    let session = stage.session();
    let first = session.query::<Value>(soql).next();
    fails(&first.expect("a query that fails gives its error"))
}

#[track_caller]
fn fails<T>(outcome: &Result<T, Error>) -> Error {
    match outcome {
        Ok(_) => panic!("it should fail"),
        Err(error) => error.clone(),
    }
}

/// An address where nobody listens: the client's end of this connection has its port, so that no
/// other test can get it.
fn refuses(org: &Org) -> TcpStream {
    TcpStream::connect(org.addr()).expect("a connection")
}

fn addr_of(held: &TcpStream) -> SocketAddr {
    held.local_addr().expect("an address")
}
