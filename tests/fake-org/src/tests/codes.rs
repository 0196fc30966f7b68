//! The code and credentials flow of customers of the Experience Cloud site.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;
use crate::AuthorizeErrors;

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
    let location = reply.header("Location").expect("a location");
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
fn customers_log_in_with_a_code() {
    let org = Org::start();
    let back = returned(&authorize_bob(&org));
    let names: Vec<&str> = back.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "sfdc_community_url", "sfdc_community_id"]);
    assert_eq!((&back[1].1[..], &back[2].1[..]), ("http://127.0.0.1/customers", SITE_ID));
    let token = trade(&org, &back[0].1, REDIRECT_URI, Some(VERIFIER)).json();
    assert_eq!(token["id"], format!("{}/id/{ORG_ID}/{SITE_USER_ID}", org.url()));
    assert_eq!(token["sfdc_community_id"], SITE_ID);

    let echo = "http://127.0.0.1/customers/services/oauth2/echo";
    let headers = basic(SITE_USERNAME, SITE_PASSWORD);
    let echoed = authorize(&org, &headers, &but(&ASKED, "redirect_uri", Some(echo)));
    assert_eq!((echoed.status, &echoed.json()["sfdc_community_id"]), (200, &json!(SITE_ID)));

    org.setup(|setup| setup.credentials_in_body = true);
    assert_refused(&authorize_bob(&org), "invalid_grant", "authentication failure");
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
    org.setup(|setup| setup.expire_codes = true);
    let expired = trade(&org, &new_code(), REDIRECT_URI, Some(VERIFIER));
    assert_refused(&expired, "invalid_grant", "expired authorization code");
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

#[test]
fn customers_are_refused_in_salesforces_words() {
    let org = Org::start();
    let right = basic(SITE_USERNAME, SITE_PASSWORD);
    for wrong in [basic(SITE_USERNAME, "x"), basic(USERNAME, PASSWORD)] {
        let reply = authorize(&org, &wrong, &ASKED);
        assert_refused(&reply, "invalid_grant", "authentication failure");
    }
    let elsewhere = authorize(&org, &right, &but(&ASKED, "redirect_uri", Some("https://x/")));
    let mismatch = "redirect_uri must match configuration";
    assert_refused(&elsewhere, "redirect_uri_mismatch", mismatch);
    org.setup(|setup| setup.refuse("not-approved"));
    let not_approved = "user hasn't approved this consumer";
    org.setup(|setup| setup.authorize_errors = AuthorizeErrors::Callback);
    assert_eq!(returned(&authorize_bob(&org))[1].1, not_approved);

    // Whoever is not taken for a program sees a page.
    let no_header = authorize(&org, FORM, &ASKED);
    let no_site = exchange(&org, "POST", "/services/oauth2/authorize", &right, &form(&ASKED));
    for page in [no_header, no_site] {
        assert_eq!(page.status, 200);
        assert!(page.text().contains("<title>Login | Salesforce</title>"));
    }
}
