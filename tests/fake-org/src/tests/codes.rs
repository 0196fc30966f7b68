//! The code and credentials flow of customers of the Experience Cloud site.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};

use super::*;

const SITE_TOKEN: &str = "/customers/services/oauth2/token";
const SITE_AUTHORIZE: &str = "/customers/services/oauth2/authorize";

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const ASKED: [(&str, &str); 5] = [
    ("response_type", "code_credentials"),
    ("client_id", CLIENT_ID),
    ("redirect_uri", REDIRECT_URI),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

/// The headers of an authorize request.
fn basic(user: &str, password: &str) -> String {
    let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("{FORM}Auth-Request-Type: Named-User\r\nAuthorization: Basic {credentials}\r\n")
}

fn authorize(org: &Org, headers: &str, pairs: &[(&str, &str)]) -> Reply {
    exchange(org, "POST", SITE_AUTHORIZE, headers, &form(pairs))
}

pub(super) fn authorize_bob(org: &Org) -> Reply {
    authorize(org, &basic(SITE_USERNAME, SITE_PASSWORD), &ASKED)
}

/// The parameters that a `Location` leads back with.
fn returned(reply: &Reply) -> Vec<(String, String)> {
    let mut lines = reply.head.lines();
    let location = lines.find_map(|line| line.strip_prefix("Location: ")).expect("a location");
    let (uri, query) = location.split_once('?').expect("a query");
    assert_eq!((reply.status, uri), (302, REDIRECT_URI));
    text::query(query).expect("parameters")
}

fn trade(org: &Org, code: &str, redirect_uri: &str, verifier: Option<&str>) -> Reply {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("redirect_uri", redirect_uri),
    ];
    pairs.extend(verifier.map(|verifier| ("code_verifier", verifier)));
    post_token(org, SITE_TOKEN, &pairs)
}

#[test]
fn an_org_may_want_the_credentials_in_the_body() {
    let org = Org::start();
    org.setup(|setup| setup.credentials_in_body = true);
    let mut in_body = ASKED.to_vec();
    in_body.extend([("username", SITE_USERNAME), ("password", SITE_PASSWORD)]);
    let headers = format!("{FORM}Auth-Request-Type: Named-User\r\n");
    assert_eq!(returned(&authorize(&org, &headers, &in_body)).len(), 3);
}

#[test]
fn a_code_is_good_once_and_for_its_callback() {
    let org = Org::start();
    let new_code = || returned(&authorize_bob(&org))[0].1.clone();
    let code = new_code();
    assert_eq!(trade(&org, &code, REDIRECT_URI, Some(VERIFIER)).status, 200);
    let reused = trade(&org, &code, REDIRECT_URI, Some(VERIFIER));
    assert_refused(&reused, "invalid_grant", "invalid authorization code");
    let elsewhere = trade(&org, &new_code(), "https://x/", Some(VERIFIER));
    let mismatch = "redirect_uri must match configuration";
    assert_refused(&elsewhere, "redirect_uri_mismatch", mismatch);
}

#[test]
fn a_code_challenge_is_checked_against_its_verifier() {
    let org = Org::start();
    let with = |challenge: Option<&str>, method: &str| {
        let asked = but(&but(&ASKED, "code_challenge", challenge), "code_challenge_method", Some(method));
        authorize(&org, &basic(SITE_USERNAME, SITE_PASSWORD), &asked)
    };
    let (short, long, odd) = ("x".repeat(42), "x".repeat(129), format!("{}+", "x".repeat(42)));
    for (challenge, verifier) in [
        (CHALLENGE, None),
        (CHALLENGE, Some("x".repeat(43).as_str())),
        (&hash(&short), Some(short.as_str())),
        (&hash(&long), Some(&long)),
        (&hash(&odd), Some(&odd)),
    ] {
        let code = returned(&with(Some(challenge), "S256"))[0].1.clone();
        let refused = trade(&org, &code, REDIRECT_URI, verifier);
        assert_refused(&refused, "invalid_grant", "invalid code verifier");
    }
    for refused in [with(Some(VERIFIER), "plain"), with(Some("E9Mel"), "S256")] {
        assert_refused(&refused, "invalid_request", "invalid code challenge");
    }
    assert_refused(&with(None, "S256"), "invalid_request", "missing required code challenge");
}

fn hash(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(verifier.as_bytes()))
}
