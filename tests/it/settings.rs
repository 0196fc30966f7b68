//! Settings of a program: how they are read, and how wrong ones are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::Org;
use sf_login::{App, ErrorKind, Login, Token, ureq};

use crate::support::{OLD, login_with, shown, token};

#[test]
fn login_url_is_taken_as_people_write_it() {
    let cases = [
        ("https://login.salesforce.com", "login.salesforce.com"),
        ("login.salesforce.com", "login.salesforce.com"),
        ("HTTPS://Login.SalesForce.COM", "login.salesforce.com"),
        ("https://login.salesforce.com///", "login.salesforce.com"),
        ("  https://login.salesforce.com \t", "login.salesforce.com"),
        ("https://login.salesforce.com\r\n", "login.salesforce.com"),
        ("https://login.salesforce.com:443", "login.salesforce.com"),
        ("https://login.salesforce.com/services/oauth2/token", "login.salesforce.com"),
        ("login.salesforce.com/services/oauth2/token/", "login.salesforce.com"),
        ("https://login.salesforce.com/services/oauth2/authorize", "login.salesforce.com"),
        ("https://login.salesforce.com:8443", "login.salesforce.com:8443"),
        ("https://ACME.my.salesforce.com", "acme.my.salesforce.com"),
        ("ACME--UAT.sandbox.my.salesforce.com", "acme--uat.sandbox.my.salesforce.com"),
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
        (" \n", "is empty: write e.g. https://ACME.my.salesforce.com"),
        ("http://login.salesforce.com", clear),
        ("http://127.0.0.1.example.com", clear),
        ("http://localhost.example.com", clear),
        ("http://0x7f.1", clear),
        ("http://127.1", clear),
        ("http://128.0.0.1", clear),
        ("http://[::2]", clear),
        ("http://[::ffff:127.0.0.1]", clear),
        ("https://ada:pw@login.salesforce.com", user_info),
        ("ada@login.salesforce.com", user_info),
        ("https://@login.salesforce.com", user_info),
        ("https://login.salesforce.com?un=ada", query),
        ("https://login.salesforce.com/#top", query),
        ("login.salesforce.com#", query),
        ("https://login.salesforce.com:0", port),
        ("https://login.salesforce.com:65536", port),
        ("https://login.salesforce.com:", port),
        ("https://login.salesforce.com:+443", port),
        ("https://login.salesforce.com:443:443", port),
        ("[::1]:99999", port),
        ("https://", no_host),
        ("https://.", no_host),
        ("https://login..salesforce.com", no_host),
        ("https://log in.salesforce.com", no_host),
        ("https://login.salesforce.com\r\nHost: evil.example", port),
        ("https://login.salesf\u{f6}rce.com", no_host),
        ("https://login%2esalesforce.com", no_host),
        ("https://[::1", port),
        ("https://[login.salesforce.com]", no_host),
        ("https://::1", port),
        ("ftp://login.salesforce.com", scheme),
        ("file:///etc/passwd", no_host),
        ("://login.salesforce.com", scheme),
        ("https://login.salesforce.com/a b", character),
        ("https://login.salesforce.com/\u{e4}", character),
        ("https://login.salesforce.com\\@evil.example", character),
        ("https://acme.lightning.force.com", web),
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

/// Those that a password would be lost at, and what was probably meant: at a login, then at an instance.
#[test]
fn host_that_is_none_of_an_orgs_gets_neither_password_nor_token() {
    let org = "https://acme.my.salesforce.com";
    let orgs = "https://acme.my.salesforce.com, or a sandbox's https://acme--NAME.sandbox.my.salesforce.com";
    let own =
        "the org's My Domain, e.g. https://ACME.my.salesforce.com, or to log in https://login.salesforce.com";
    let pages = [
        ("acme.lightning.force.com", org),
        ("lightning.force.com", "https://ACME.my.salesforce.com"),
        ("acme.my.salesforce-setup.com", org),
        ("acme.lightning.crmforce.mil", "https://acme.my.salesforce.mil"),
        ("acme.lightning.sfcrmapps.cn", "https://acme.my.sfcrmproducts.cn"),
        ("acme.setup.sfcrmproducts.cn", "https://acme.my.sfcrmproducts.cn"),
        ("acme.my-lightning.com", "https://acme.my-salesforce.com"),
        ("acme--c.visualforce.com", orgs),
        ("acme--uat--c.sandbox.vf.force.com", orgs),
        ("acme.file.force.com", orgs),
        ("acme--c.documentforce.com", orgs),
        (
            "acme.builder.salesforce-experience.com",
            "https://acme.my.salesforce.com, or the site's address, e.g. https://acme.my.site.com/customers",
        ),
        ("salesforce.com", own),
        ("www.salesforce.com", own),
    ];
    let others = [
        ("login.salesforce.com.example.net", "https://login.salesforce.com"),
        ("acme.my.salesforce.mil.example.net", "https://acme.my.salesforce.mil"),
        ("acme.my.site.com.example.net", "https://acme.my.site.com"),
        ("acme.lightning.force.com.example.net", org),
        ("salesforce.com.example", own),
    ];
    let misspelt = [
        ("login.salesfroce.com", "https://login.salesforce.com"),
        ("test.salesforce.co", "https://test.salesforce.com"),
        ("login.saleforce.com", "https://login.salesforce.com"),
        ("login.sales-force.com", "https://login.salesforce.com"),
        ("LOGIN.SALESFORCES.COM", "https://login.salesforce.com"),
        ("login.salesforce.cm", "https://login.salesforce.com"),
        ("acme--uat.sandbox.my.salseforce.com", "https://acme--uat.sandbox.my.salesforce.com"),
        ("acme.mysalesforce.com", "https://acme.my.salesforce.com"),
        ("acme.my.salesforce.mill", "https://acme.my.salesforce.mil"),
        ("salesforc.com", own),
        ("loginsalesforce.com", "https://login.salesforce.com"),
        ("testsalesforce.com", "https://test.salesforce.com"),
    ];
    let (agent, asked) = counting_agent();
    let site = "the site's address, e.g. https://ACME.my.site.com/customers";
    let cases = [
        ("is the host of web pages, where neither logins nor API requests work", &pages[..]),
        ("is not a host of Salesforce's, though it looks like one", &others),
        ("is probably misspelt, so nothing is sent to it", &misspelt),
    ];
    for (problem, (host, instead)) in
        cases.into_iter().flat_map(|(p, hosts)| hosts.iter().map(move |h| (p, h)))
    {
        let problem = |instead: &str| format!("{problem}: write {instead}");
        let password = password_login().login_url(*host).agent(agent.clone()).token().unwrap_err();
        assert_eq!(shown(&password), format!("login_url {}", problem(instead)), "{host}");
        let token = Token::new(OLD, format!("https://{host}")).unwrap_err();
        assert_eq!(shown(&token), format!("instance_url {}", problem(instead)), "{host}");
        // A site may have a domain of its own, which is not misspelt.
        let code = App::new("id", "a secret").code_credentials("ada", "a password", "https://app.example");
        let code = code.login_url(*host);
        if misspelt.iter().any(|(misspelt, _)| misspelt == host) {
            assert!(code.to_string().ends_with(&host.to_lowercase()), "{host}");
        } else {
            let code = code.agent(agent.clone()).token().unwrap_err();
            assert_eq!(shown(&code), format!("login_url {}", problem(site)), "{host}");
        }
    }
    assert_eq!(asked.load(SeqCst), 0);
}

#[test]
fn host_that_is_not_misspelt_is_taken_whoever_has_it() {
    let hosts = "login.salesforce.com acme.my.salesforce.mil acme.my-salesforce.com \
                 acme.salesforce.ms salesforce.ms login.sfcrmproducts.cn acme.my.sfcrmproducts.cn \
                 acme.my.site.com acme.force.com acme.secure.force.com salesforce.example \
                 salesforce.acme.com login-salesforce.example.com my.salesforce.com-acme.example \
                 mysalesforce.community sales.force.com salesforce.org workforce.com acme.com a.b \
                 192.0.2.1";
    for host in hosts.split(' ') {
        let login = password_login().login_url(host).to_string();
        assert_eq!(login, format!("password flow, user ada, host {host}, security token not set"));
        let instance = format!("https://{host}");
        assert_eq!(Token::new(OLD, &*instance).unwrap().instance_url(), instance);
    }
}

#[test]
fn wrong_setting_is_named_and_nothing_is_sent() {
    let org = Org::start();
    let settings = [
        ("password", vec!["client_id", "client_secret", "username", "password", "security_token"]),
        ("client credentials", vec!["client_id", "client_secret"]),
        ("code", vec!["client_id", "client_secret", "username", "password", "redirect_uri"]),
        ("JWT bearer", vec!["client_id", "username", "audience"]),
    ];
    for (flow, names) in settings {
        for name in names {
            let line_end = "holds a line end or a NUL: write the value alone, on one line";
            let odd = ["\r", "\n", "\0", "a\rb", "a\nb", "a\0b", "end\r\n", "\0start"];
            let values = odd.iter().map(|value| (*value, line_end));
            // An empty security token is none, and an empty audience the login URL.
            let may_be_empty = ["security_token", "audience"].contains(&name);
            for (value, problem) in values.chain((!may_be_empty).then_some(("", "is empty"))) {
                let login = login_with(&org, flow, name, value);
                for error in [
                    login.token().unwrap_err(),
                    login.clone().session().unwrap_err(),
                    login.resume(token(&org, OLD)).unwrap_err(),
                ] {
                    let kind = ErrorKind::Setting { name: name.to_owned(), problem: problem.to_owned() };
                    assert_eq!(*error.kind(), kind, "{flow} {value:?}");
                    assert_eq!(shown(&error), format!("{name} {problem}"), "{flow} {value:?}");
                    assert!(error.hints().is_empty(), "{flow} {value:?}");
                }
            }
        }
    }
    assert_eq!(org.connections(), 0);
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
