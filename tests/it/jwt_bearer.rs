//! The JWT bearer flow: the bytes that are sent, what the assertion holds, and how Salesforce refuses it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use fake_org::{
    Answer, CLIENT_ID, JWT_CERTIFICATE, JWT_KEY, ORG_ID, Org, Proxy, Request, SITE_USER_ID, SITE_USERNAME,
    USER_ID, USERNAME,
};
use serde_json::{Value, json};
use sf_login::App;

use crate::support::{
    LIMITS, OLD, TOKEN_PATH, agent, agent_through, assert_sent, failed, headline, host, jwt_bearer,
    only_request, paths, run, sf_login, shown, token, with, without,
};

#[test]
fn jwt_bearer_is_one_post_of_exactly_these_bytes() {
    let org = Org::start();
    let begin = now();
    let printed = sf_login(&org.env_for("jwt_bearer"), &["--format", "json"]);
    assert_eq!((printed.code, &*printed.stderr), (Some(0), ""));
    let reply: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(reply["id"], format!("{}/id/{ORG_ID}/{USER_ID}", org.url()));

    let request = only_request(&org);
    let assertion = assertion(&request);
    let body =
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    assert_sent(&org, &request, TOKEN_PATH, "", &body);
    assert_eq!(part(&assertion, 0), br#"{"alg":"RS256"}"#);
    let claims = claims(&request);
    let exp = claims["exp"].as_u64().unwrap();
    assert_eq!(claims, json!({ "iss": CLIENT_ID, "sub": USERNAME, "aud": org.url(), "exp": exp }));
    assert!((begin + 300..=now() + 300).contains(&exp), "{exp}");

    // By something that is not ours.
    let verify = r#"command -v openssl >/dev/null || exec echo 'Verified OK: skipped, for lack of openssl'
        openssl dgst -sha256 -verify <(openssl x509 -pubkey -noout <<<"$CERTIFICATE") \
            -signature <(base64 -d <<<"$SIGNATURE") <(printf %s "$SIGNED")"#;
    let env = [
        ("CERTIFICATE", JWT_CERTIFICATE.to_owned()),
        ("SIGNATURE", BASE64_STANDARD.encode(part(&assertion, 2))),
        ("SIGNED", assertion.rsplit_once('.').unwrap().0.to_owned()),
        ("PATH", std::env::var("PATH").unwrap()),
    ];
    let openssl = run(&env, "bash", &["-c", verify], b"");
    assert!(openssl.code == Some(0) && openssl.stdout.starts_with("Verified OK"), "{openssl:?}");
}

#[test]
fn what_json_takes_for_its_own_is_escaped_in_claims() {
    let org = Org::start();
    let _ = App::without_secret("3MVG9\"\\/").jwt_bearer("zoë", JWT_KEY).login_url(org.url()).token();
    let claims = claims(&only_request(&org));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("3MVG9\"\\/"), &json!("zoë")));
}

#[test]
fn the_audience_is_the_login_url_unless_one_is_set() {
    let org = Org::start_tls();
    let proxy = Proxy::start(&org);
    let login = |username: &str| {
        // A consumer secret has no part in it, whatever it holds.
        App::new(CLIENT_ID, "line\nend")
            .jwt_bearer(username, JWT_KEY)
            .agent(agent_through(&org, Some(&proxy)))
    };
    let (salesforce, my_domain) = ("https://login.salesforce.com", "https://acme.my.salesforce.com");
    for (login, aud) in [
        (login(USERNAME), salesforce),
        (login(USERNAME).login_url("test.salesforce.com/"), "https://test.salesforce.com"),
        (login(USERNAME).login_url(format!(" {my_domain}{TOKEN_PATH}")), my_domain),
        (login(USERNAME).login_url(my_domain).audience(" / "), my_domain),
        (login(USERNAME).login_url(my_domain).audience(format!("\u{a0}{salesforce} // /\t")), salesforce),
    ] {
        org.setup(|setup| setup.audience = Some(aud.to_owned()));
        assert_eq!(login.token().unwrap().user_id(), Some(USER_ID), "{aud}");
        assert_eq!(claims(&only_request(&org))["aud"], aud);
    }

    // A site's has its path.
    let org = Org::start();
    let customer = App::without_secret(CLIENT_ID).jwt_bearer(format!(" {SITE_USERNAME}\t"), JWT_KEY);
    let token = customer.login_url(org.site_url()).agent(agent(&org)).token().unwrap();
    assert_eq!(token.user_id(), Some(SITE_USER_ID));
    assert_eq!(claims(&only_request(&org))["aud"], org.site_url());

    // All else is sent as it is: what one is to be, Salesforce knows.
    let odd = "HTTPS://Acme.example/a b?c#d";
    let error = jwt_bearer(&org).audience(odd).token().unwrap_err();
    assert_eq!(claims(&only_request(&org))["aud"], odd);
    let tries = format!("tried: JWT bearer flow, user {USERNAME}, host {}, audience {odd}", host(&org));
    assert_eq!(shown(&error).lines().nth(1), Some(&*tries));
    let run = sf_login(&with(&org.env_for("jwt_bearer"), "SF_AUDIENCE_URL", &format!("{odd}/ ")), &[]);
    assert_eq!((run.code, run.stderr.lines().nth(1)), (Some(3), Some(&*tries)));
    let run = sf_login(&with(&org.env_for("jwt_bearer"), "SF_AUDIENCE_URL", "a\nb"), &[]);
    assert!(
        run.stderr.starts_with("sf-login: SF_AUDIENCE_URL holds a line end or a NUL: "),
        "{}",
        run.stderr
    );
}

#[test]
fn a_session_renews_with_a_fresh_assertion() {
    let org = Org::start();
    let session = jwt_bearer(&org).session().unwrap();
    let exp = |request: &Request| claims(request)["exp"].as_u64().unwrap();
    let first = exp(&only_request(&org));
    org.expire_sessions();
    // An assertion has nothing that is new in each but its time, in seconds.
    while now() + 300 <= first {
        std::thread::yield_now();
    }
    let _: Value = session.get("limits").unwrap();
    let requests = org.take_requests();
    assert_eq!(paths(&requests), [LIMITS, TOKEN_PATH, LIMITS]);
    assert!(exp(&requests[1]) > first);
}

#[test]
fn nothing_of_a_key_or_an_assertion_is_shown() {
    let org = Org::start();
    let key: String = JWT_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let login =
        App::new(CLIENT_ID, "a secret").jwt_bearer(USERNAME, JWT_KEY).login_url(org.url()).agent(agent(&org));
    let tries = format!("JWT bearer flow, user {USERNAME}, host {}", host(&org));
    assert_eq!(format!("{login:?}"), format!("Login {{ tries: {tries}, .. }}"));

    // A host that knows the key as well repeats parts of it, and of the assertion it was sent.
    let session = login.clone().resume(token(&org, OLD)).unwrap();
    let withheld = "(withheld: it could hold a secret)";
    for n in 0..6 {
        let key = key.clone();
        let said = move |request: &Request| match n {
            0 => key[100..112].to_owned(),
            1 => key[700..].to_owned(),
            2 => JWT_KEY.to_owned(),
            3 => BASE64_STANDARD.encode(JWT_KEY),
            4 => assertion(request),
            _ => assertion(request).rsplit('.').next().unwrap().to_owned(),
        };
        let told = said.clone();
        org.always_with(TOKEN_PATH, move |request| Answer::oauth_error("invalid_grant", &told(request)));
        let error = login.token().unwrap_err();
        assert_eq!(headline(&error), format!("login refused: {withheld} (invalid_grant, HTTP 400)"), "{n}");
        // The API's host was sent no assertion.
        if n < 3 {
            org.always_with("/services/data/", move |request| Answer::api_error(400, "ECHO", &said(request)));
            let error = session.get::<Value>("limits").unwrap_err();
            assert_eq!(headline(&error), format!("request refused: {withheld} (ECHO) (HTTP 400)"), "{n}");
        }
    }
}

#[test]
fn a_key_is_taken_from_its_variable_or_its_file_and_named_as_it_was_given() {
    let org = Org::start();
    let in_file = org.env_for("jwt_bearer");
    let in_variable = with(&without(&in_file, "SF_JWT_KEY_FILE"), "SF_JWT_KEY", JWT_KEY);
    for env in [&in_file, &in_variable, &with(&in_variable, "SF_JWT_KEY", &JWT_KEY.replace('\n', "\\n"))] {
        let run = sf_login(env, &[]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    }
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake-org/keys/test-only.crt.pem");
    let public =
        "holds a certificate or public key and no private key: give the file that `openssl -keyout` wrote";
    let path =
        "holds a path in place of a key: give what is in that file, or set SF_JWT_KEY_FILE to the path";
    for (env, name, value, problem) in [
        (&in_variable, "SF_JWT_KEY", JWT_CERTIFICATE, public),
        (&in_file, "SF_JWT_KEY_FILE", certificate, public),
        (&in_variable, "SF_JWT_KEY", "/run/secrets/jwt", path),
    ] {
        assert_eq!(sf_login(&with(env, name, value), &[]), failed(2, &format!("{name} {problem}")));
    }
    let missing = "SF_CLIENT_ID, SF_USERNAME, SF_JWT_KEY are not set: write the app's consumer key; the username, e.g. \
                   ada@example.com; the private key's PEM, or its path into SF_JWT_KEY_FILE";
    assert_eq!(sf_login(&[("SF_FLOW", "jwt_bearer".to_owned())], &[]), failed(2, missing));
    assert_eq!(org.logins(), 3);
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}

fn assertion(request: &Request) -> String {
    request.param("assertion").expect("it is sent")
}

fn claims(request: &Request) -> Value {
    serde_json::from_slice(&part(&assertion(request), 1)).expect("claims are JSON")
}

fn part(assertion: &str, n: usize) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD
        .decode(assertion.split('.').nth(n).expect("it has three parts"))
        .expect("it is base64")
}
