//! An agent of the caller's own: what it may change, and what it may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use fake_org::{Answer, Org};
use serde_json::Value;
use sf_login::ureq::http::{self, HeaderValue};
use sf_login::ureq::middleware::MiddlewareNext;
use sf_login::ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use sf_login::{ErrorKind, ureq};

use crate::support::{MINIMAL, OLD, SOON, TOKEN_PATH, agent, headline, kept, login, shown, token, within};

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
fn middleware_of_the_callers_agent_works() {
    let org = Org::start_tls();
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let config = ureq::Agent::config_builder()
        .tls_config(agent(&org).config().tls_config().clone())
        .user_agent("a caller/1.0")
        .middleware(move |mut request: ureq::http::Request<ureq::SendBody<'_>>, next: MiddlewareNext<'_>| {
            count.fetch_add(1, SeqCst);
            request.headers_mut().insert("x-caller", HeaderValue::from_static("was here"));
            next.handle(request)
        })
        .build();
    let session = login(&org).agent(config.new_agent()).session().unwrap();
    session.get::<Value>("limits").unwrap();
    let requests = org.requests();
    assert_eq!((requests.len(), handled.load(SeqCst), org.connections()), (2, 2, 1));
    for request in requests {
        assert_eq!(request.header("x-caller"), Some("was here"), "{}", request.path);
        assert_eq!(request.header("user-agent"), Some("a caller/1.0"), "{}", request.path);
    }
}

#[test]
fn settings_of_the_callers_agent_do_not_loosen_the_rules() {
    let org = Org::start();
    let other = Org::start();
    let redirect = Answer::redirect(307, format!("{}/services/oauth2/token", other.url()));
    org.answer_to(TOKEN_PATH, redirect);
    let config = ureq::Agent::config_builder()
        .max_redirects(10)
        .http_status_as_error(true)
        .timeout_global(Some(Duration::from_secs(60)))
        .https_only(true)
        .build();
    let login = login(&org).agent(config.new_agent()).timeout(Duration::from_millis(300));
    let error = login.token().unwrap_err();
    let expected = format!("a redirect to {}, which was not followed (HTTP 307)", other.addr());
    assert_eq!(headline(&error), format!("unexpected reply: {expected}"));
    assert_eq!(other.connections(), 0);
    // The body of a refusal is read, whatever the agent makes of its status.
    let error = login.clone().security_token("stale").token().unwrap_err();
    assert_eq!(headline(&error), "login refused: authentication failure (invalid_grant, HTTP 400)");
    // And the login's own deadline counts.
    org.answer_to(TOKEN_PATH, Answer::stall());
    let error = within(SOON, move || login.token().unwrap_err());
    assert_eq!(headline(&error), format!("no reply from {}: no complete reply within 0.3 s", org.addr()));
}

#[test]
fn phase_timeouts_of_any_length_are_taken() {
    let org = Org::start();
    for timeout in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(60)] {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .timeout_per_call(Some(timeout))
            .timeout_resolve(Some(timeout))
            .timeout_connect(Some(timeout))
            .timeout_send_request(Some(timeout))
            .timeout_send_body(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_recv_body(Some(timeout))
            .build();
        let session = login(&org).agent(config.new_agent()).session().unwrap();
        session.get::<Value>("limits").unwrap();
        let request = http::Request::post(session.url("sobjects/Contact").unwrap());
        let request = request.header("Content-Type", "application/json").body(r#"{"LastName":"x"}"#).unwrap();
        session.run(request).unwrap().body_mut().read_to_vec().unwrap();
    }
    assert_eq!(org.logins(), 3);
}

#[test]
fn timeouts_of_the_callers_agent_give_way_to_ours() {
    let org = Org::start();
    org.always("/", Answer::json(200, MINIMAL).delay(Duration::from_millis(300)));
    let config =
        ureq::Agent::config_builder().timeout_recv_response(Some(Duration::from_millis(100))).build();
    let agent = config.new_agent();
    login(&org).agent(agent.clone()).token().unwrap();
    kept(&org).agent(agent).post::<Value>("x", &1).unwrap();
}

fn tls_agent(tls: TlsConfig) -> ureq::Agent {
    ureq::Agent::config_builder().tls_config(tls).build().new_agent()
}

/// Whatever is to be done with it, this agent is refused before anything is sent.
#[track_caller]
fn refuses_agent(org: &Org, agent: &ureq::Agent, problem: &str) {
    let login = login(org).agent(agent.clone());
    for error in [
        login.token().unwrap_err(),
        login.clone().session().unwrap_err(),
        login.resume(token(org, OLD)).unwrap_err(),
        kept(org).agent(agent.clone()).get::<Value>("limits").unwrap_err(),
    ] {
        assert_eq!(shown(&error), format!("agent {problem}"));
        assert!(matches!(error.kind(), ErrorKind::Setting { name, .. } if name == "agent"));
    }
    assert_eq!(org.connections(), 0);
}
