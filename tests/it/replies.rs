//! What the token endpoint answers, from the documented to the hostile, and what becomes of it.

use std::time::{Duration, SystemTime};

use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, ORG_ID, Org, PASSWORD, SECURITY_TOKEN, USER_ID, USERNAME, gzip,
};
use serde_json::{Map, Value, json};
use sf_login::{App, Error, ErrorKind, Session, Token};

use crate::support::{agent, assert_no_secret, forms, headline, login, shown};

const TOKEN_PATH: &str = "/services/oauth2/token";

/// The smallest reply that is a token.
const MINIMAL: &str = r#"{"access_token":"00D!AQminimal","instance_url":"https://acme.my.salesforce.com"}"#;

const MIB: usize = 1024 * 1024;

#[test]
fn every_documented_refusal_is_told_as_it_came() {
    // error, error_description, and how often the login is tried
    let refusals = [
        ("invalid_grant", "authentication failure", 1),
        ("invalid_grant", "authentication failure - Invalid Password", 1),
        ("invalid_grant", "ip restricted", 1),
        ("invalid_grant", "ip restricted or invalid login hours", 1),
        ("invalid_grant", "inactive user", 1),
        ("invalid_grant", "user hasn't approved this consumer", 1),
        ("invalid_grant", "request not supported on this domain", 1),
        ("invalid_grant", "no client credentials user enabled", 1),
        ("invalid_grant", "client credentials flow not enabled", 1),
        ("invalid_grant", "expired authorization code", 1),
        ("invalid_grant", "invalid authorization code", 1),
        ("invalid_grant", "invalid code verifier", 1),
        ("invalid_client_id", "client identifier invalid", 1),
        ("invalid_client", "invalid client credentials", 1),
        ("invalid_client", "code credential flow not enabled", 1),
        ("unsupported_grant_type", "grant type not supported", 1),
        ("invalid_request", "https required", 1),
        ("invalid_request", "POST required", 1),
        ("inactive_user", "user is inactive", 1),
        ("inactive_org", "organization is inactive", 1),
        ("rate_limit_exceeded", "login rate exceeded", 1),
        ("invalid_app_access", "user is not admin approved to access this app", 1),
        ("redirect_uri_mismatch", "redirect_uri must match configuration", 1),
        ("invalid_scope", "the requested scope is invalid", 1),
        ("unknown_error", "retry your request", 3),
        ("unknown_error", "something else", 1),
        ("unsupported_token_type", "this token type is not supported", 1),
        ("invalid_token", "invalid token", 1),
        ("not_yet_documented", "Grund in der Sprache des Benutzers: ä 😀", 1),
    ];
    let org = Org::start();
    for (error, description, tries) in refusals {
        let upper = (error.to_uppercase(), description.to_uppercase());
        let cases = [
            (format!(r#"{{"error":"{error}","error_description":"{description}"}}"#), error, description),
            (
                format!(r#"{{"error_description":"{description}","error":"{error}","error_uri":null}}"#),
                error,
                description,
            ),
            (
                format!(" {{\r\n\"Error_Description\" : \"{}\",\n\"ERROR\" : \"{}\" }}\n", upper.1, upper.0),
                &upper.0,
                &upper.1,
            ),
        ];
        for (body, error, description) in cases {
            let got = refusal(&org, Answer::json(400, &body));
            let kind = ErrorKind::Refused {
                status: 400,
                error: error.to_owned(),
                description: description.to_owned(),
            };
            assert_eq!(*got.kind(), kind, "{body}");
            assert_eq!(got.status(), Some(400), "{body}");
            assert_eq!(headline(&got), format!("login refused: {description} ({error}, HTTP 400)"), "{body}");
            assert_eq!(got.is_transient(), tries > 1, "{body}");
            assert_eq!(org.take_requests().len(), tries, "{body}");
        }
        let got = refusal(&org, Answer::json(400, json!({ "error": error })));
        let kind = ErrorKind::Refused { status: 400, error: error.to_owned(), description: String::new() };
        assert_eq!(*got.kind(), kind);
        assert_eq!(headline(&got), format!("login refused: {error} (HTTP 400)"));
        // Without its description there is no word of trying later.
        assert_eq!(org.take_requests().len(), 1, "{error} alone");
    }
}

#[test]
fn refusal_is_one_under_any_status() {
    let org = Org::start();
    for status in [200, 201, 400, 401, 403, 429, 500, 502, 503, 504] {
        let error = refusal(&org, Answer::json(status, json!({ "error": "invalid_grant" })));
        assert_eq!(headline(&error), format!("login refused: invalid_grant (HTTP {status})"));
        // Whatever the status says: more failed logins lock the user out.
        assert!(!error.is_transient(), "{status}");
        assert_eq!(org.take_requests().len(), 1, "{status}");
    }
    // Unless it is no refusal of the credentials.
    let cases = [
        ("unknown_error", 400, 1),
        ("unknown_error", 503, 3),
        ("rate_limit_exceeded", 400, 1),
        ("rate_limit_exceeded", 429, 3),
        ("temporarily_unavailable", 503, 3),
    ];
    for (name, status, tries) in cases {
        let error = refusal(&org, Answer::json(status, json!({ "error": name })));
        assert_eq!(headline(&error), format!("login refused: {name} (HTTP {status})"));
        assert_eq!(error.is_transient(), tries > 1, "{name} {status}");
        assert_eq!(org.take_requests().len(), tries, "{name} {status}");
    }
}

#[test]
fn refusal_with_values_of_other_types_is_still_told() {
    let org = Org::start();
    let cases = [
        (r#"{"error":"invalid_grant","error_description":null}"#, "login refused: invalid_grant (HTTP 400)"),
        (r#"{"error":"invalid_grant","error_description":17}"#, "login refused: invalid_grant (HTTP 400)"),
        (
            r#"{"error":"invalid_grant","error_description":["no"]}"#,
            "login refused: invalid_grant (HTTP 400)",
        ),
        (
            r#"{"error":{"code":"invalid_grant"}}"#,
            "unexpected reply: JSON of another shape than documented (HTTP 400)",
        ),
        (r#"{"error":null}"#, "unexpected reply: JSON of another shape than documented (HTTP 400)"),
        (
            r#"{"error_description":"authentication failure"}"#,
            "unexpected reply: JSON of another shape than documented (HTTP 400)",
        ),
        (
            r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#,
            "unexpected reply: JSON of another shape than documented (HTTP 400)",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(headline(&refusal(&org, Answer::json(400, body))), expected, "{body}");
    }
}

#[test]
fn token_of_a_reply_that_is_also_a_refusal_is_not_used_and_not_shown() {
    let org = Org::start();
    for status in [400, 403] {
        let body = json!({
            "access_token": "00D!AQrefused",
            "instance_url": "https://acme.my.salesforce.com",
            "error": "invalid_grant",
            "error_description": "no use for 00D!AQrefused",
        });
        let got = refusal(&org, Answer::json(status, body));
        let expected =
            format!("login refused: (withheld: it contains a secret) (invalid_grant, HTTP {status})");
        assert_eq!(headline(&got), expected);
    }
    let got = refusal(&org, Answer::json(400, MINIMAL));
    let expected = "unexpected reply: JSON of another shape than documented (HTTP 400)";
    assert_eq!(headline(&got), expected);
}

#[test]
fn token_gives_every_field_of_the_reply() {
    let org = Org::start();
    let reply = json!({
        "access_token": "00D5g00000FakeO!AQ.fields",
        "instance_url": "https://ACME.my.salesforce.com",
        "id": format!("https://login.salesforce.com/id/{ORG_ID}/{USER_ID}"),
        "token_type": "Bearer",
        "issued_at": "1767225600123",
        "signature": "c2lnbmF0dXJl",
        "scope": "api web",
        "sfdc_community_url": "https://acme.my.site.com/customers",
        "sfdc_community_id": "0DB5g00000Site1GAB",
        "api_instance_url": "https://api.salesforce.com",
        "token_format": "opaque",
        "id_token": "eyJ.eyJ.c2ln",
        "not yet documented": { "a": [1.10, 12_345_678_901_234_567_890_u64, null] },
        "number": 17,
        "empty": "",
    });
    org.answer(Answer::json(200, &reply));
    let token = login(&org).token().unwrap();
    assert_eq!(token.access_token(), "00D5g00000FakeO!AQ.fields");
    assert_eq!(token.instance_url(), "https://acme.my.salesforce.com");
    assert_eq!(token.organization_id(), Some(ORG_ID));
    assert_eq!(token.user_id(), Some(USER_ID));
    assert_eq!(token.issued_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_600_123)));
    for (name, value) in reply.as_object().unwrap() {
        assert_eq!(token.field(name), value.as_str(), "{name}");
    }
    assert_eq!(token.field("absent"), None);
    // Kept and read back, nothing is lost.
    let kept = serde_json::to_string(&token).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), reply);
    let again: Token = serde_json::from_str(&kept).unwrap();
    assert_eq!(again.access_token(), token.access_token());
    assert_eq!(again.instance_url(), token.instance_url());
    assert_eq!(again.user_id(), token.user_id());
    assert_eq!(serde_json::to_string(&again).unwrap(), kept);
    let value: Token = serde_json::from_value(reply).unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), kept);
}

#[test]
fn only_access_token_and_instance_url_are_needed() {
    let org = Org::start();
    let whole = login(&org).token().unwrap();
    let optional = ["id", "token_type", "issued_at", "signature"];
    for absent in optional {
        org.setup(|setup| setup.reply_without = vec![absent.to_owned()]);
        let token = login(&org).token().unwrap();
        assert_eq!(token.instance_url(), org.url(), "{absent}");
        for name in optional {
            assert_eq!(token.field(name).is_some(), name != absent, "{name} without {absent}");
        }
        assert_eq!(token.field("token_type"), whole.field("token_type").filter(|_| absent != "token_type"));
        assert_eq!(token.user_id(), Some(USER_ID).filter(|_| absent != "id"));
        assert_eq!(token.organization_id(), Some(ORG_ID).filter(|_| absent != "id"));
        assert_eq!(token.issued_at().is_some(), absent != "issued_at");
    }
    org.answer(Answer::json(200, MINIMAL));
    let token = login(&org).token().unwrap();
    assert_eq!(token.access_token(), "00D!AQminimal");
    assert_eq!(token.instance_url(), "https://acme.my.salesforce.com");
    assert_eq!((token.user_id(), token.organization_id(), token.issued_at()), (None, None, None));
}

#[test]
fn token_comes_through_any_framing() {
    let org = Org::start();
    let answers = [
        Answer::json(200, MINIMAL),
        Answer::json(200, MINIMAL).chunked(),
        Answer::json(200, MINIMAL).by_close(),
        Answer::json(200, MINIMAL).gzip(),
        Answer::json(200, MINIMAL).gzip().chunked(),
        Answer::json(200, MINIMAL).gzip().by_close(),
        Answer::json(200, MINIMAL).then_close(),
        Answer::json(201, MINIMAL),
        Answer::text(200, MINIMAL),
        Answer::new(200).body(format!("\r\n\t {MINIMAL}\n\n")),
    ];
    for answer in answers {
        let case = format!("{answer:?}");
        org.answer(answer);
        let token = login(&org).token().expect(&case);
        assert_eq!(token.access_token(), "00D!AQminimal", "{case}");
    }
}

#[test]
fn instance_url_is_an_origin_without_its_slash() {
    let org = Org::start();
    let usable = [
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com/", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com//", "https://acme.my.salesforce.com"),
        ("HTTPS://Acme.My.Salesforce.com", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:443/", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:8443", "https://acme.my.salesforce.com:8443"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ];
    for (url, expected) in usable {
        org.setup(|setup| setup.instance_url = Some(url.to_owned()));
        let token = login(&org).token().expect(url);
        assert_eq!(token.instance_url(), expected, "{url}");
        // As it came.
        assert_eq!(token.field("instance_url"), Some(url));
    }
}

#[test]
fn reply_without_a_usable_token_is_unexpected() {
    let org = Org::start();
    let good = json!("https://acme.my.salesforce.com");
    let token = |token: Value| json!({ "access_token": token, "instance_url": good });
    let instance = |url: Value| json!({ "access_token": "00D!AQodd", "instance_url": url });
    let characters = "access_token holds characters that no token has";
    let more = "instance_url holds more than https:// and a host";
    let no_host = "instance_url holds no host name";
    let cases = [
        (json!({}), "access_token is missing"),
        (json!({ "instance_url": good }), "access_token is missing"),
        (json!({ "Access_Token": "00D!AQodd", "instance_url": good }), "access_token is missing"),
        (token(json!("")), "access_token is empty"),
        (token(json!(null)), "access_token is not a string"),
        (token(json!(17)), "access_token is not a string"),
        (token(json!(["00D!AQodd"])), "access_token is not a string"),
        (token(json!("00D!AQ odd")), characters),
        (token(json!("00D!AQodd\r\nX-Header: 1")), characters),
        (token(json!("00D!AQodd\n")), characters),
        (token(json!("00D!AQ\u{0}odd")), characters),
        (token(json!("00D!AQödd")), characters),
        (token(json!("00D!AQ\"odd'")), characters),
        (token(json!("00D!AQ$(odd)")), characters),
        (json!({ "access_token": "00D!AQodd" }), "instance_url is missing"),
        (instance(json!("")), "instance_url is empty"),
        (instance(json!(false)), "instance_url is not a string"),
        (instance(json!("acme.my.salesforce.com")), "instance_url is not an absolute URL"),
        (instance(json!("//acme.my.salesforce.com")), "instance_url is not an absolute URL"),
        (
            instance(json!("http://acme.my.salesforce.com")),
            "instance_url is http, which would send secrets in clear",
        ),
        (
            instance(json!("http://127.0.0.1.example.com")),
            "instance_url is http, which would send secrets in clear",
        ),
        (
            instance(json!("http://localhost.example.com")),
            "instance_url is http, which would send secrets in clear",
        ),
        (
            instance(json!("ftp://acme.my.salesforce.com")),
            "instance_url is neither https nor a host name alone",
        ),
        (instance(json!("https://acme.my.salesforce.com/path")), more),
        (instance(json!("https://acme.my.salesforce.com?query")), more),
        (instance(json!("https://acme.my.salesforce.com#fragment")), more),
        (instance(json!("https://acme.my.salesforce.com\\evil.example")), more),
        (instance(json!("https://acme.my.salesforce.com@evil.example")), "instance_url holds user info"),
        (
            instance(json!("https://acme.my.salesforce.com:99999")),
            "instance_url holds a port that is not from 1 to 65535",
        ),
        (instance(json!("https://")), "instance_url is not an absolute URL"),
        (instance(json!("https://acme my.salesforce.com")), no_host),
        (instance(json!("https://acme.my.salesforce.com\n")), no_host),
        (instance(json!("https://äcme.my.salesforce.com")), no_host),
        (instance(json!("https://[::g]")), no_host),
    ];
    for (reply, problem) in cases {
        org.answer(Answer::json(200, &reply));
        let error = login(&org).token().unwrap_err();
        assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP 200)"), "{reply}");
        let kind = ErrorKind::Unexpected { status: 200, problem: problem.to_owned() };
        assert_eq!(*error.kind(), kind, "{reply}");
        assert!(!error.is_transient(), "{reply}");
        assert_eq!(org.take_requests().len(), 1, "{reply}");
    }
}

#[test]
fn issued_at_is_a_time_or_nothing() {
    let millis = |n| Some(SystemTime::UNIX_EPOCH + Duration::from_millis(n));
    let cases = [
        (json!("1767225600123"), millis(1_767_225_600_123)),
        (json!("0"), millis(0)),
        (json!("253402300799999"), millis(253_402_300_799_999)),
        (json!("253402300800000"), None),
        (json!("18446744073709551615"), None),
        (json!("18446744073709551616"), None),
        (json!("-1"), None),
        (json!("-1767225600123"), None),
        (json!("1.767e12"), None),
        (json!("2026-01-01T00:00:00Z"), None),
        (json!("yesterday"), None),
        (json!(""), None),
        (json!(null), None),
        (json!({}), None),
    ];
    let org = Org::start();
    for (issued_at, expected) in cases {
        org.setup(|setup| {
            setup.reply_extra = Map::from_iter([("issued_at".to_owned(), issued_at.clone())]);
        });
        assert_eq!(login(&org).token().unwrap().issued_at(), expected, "{issued_at}");
    }
}

#[test]
fn ids_are_read_from_the_identity_url_or_not_at_all() {
    let org15 = &ORG_ID[..15];
    let user15 = &USER_ID[..15];
    let both = |org, user| Some((org, user));
    let cases = [
        (format!("https://login.salesforce.com/id/{ORG_ID}/{USER_ID}"), both(ORG_ID, USER_ID)),
        (format!("https://login.salesforce.com/id/{org15}/{user15}"), both(org15, user15)),
        (format!("https://acme.my.salesforce.com/id/{org15}/{USER_ID}"), both(org15, USER_ID)),
        (format!("https://acme.my.site.com/customers/id/{ORG_ID}/{user15}"), both(ORG_ID, user15)),
        (format!("https://login.salesforce.com/id/{ORG_ID}"), None),
        (format!("https://login.salesforce.com/id/{ORG_ID}/"), None),
        (format!("https://login.salesforce.com/id//{USER_ID}"), None),
        (format!("https://login.salesforce.com/id/{ORG_ID}/{USER_ID}/more"), None),
        (format!("https://login.salesforce.com/id/{ORG_ID}/{USER_ID}?query"), None),
        (format!("https://login.salesforce.com/id/{org15}A/{USER_ID}"), None),
        (format!("https://login.salesforce.com/id/{ORG_ID}/0055g00000Ada-1AAB"), None),
        (format!("https://login.salesforce.com/id/{ORG_ID}/0055g0000Ädaa"), None),
        (format!("https://login.salesforce.com/{ORG_ID}/{USER_ID}"), None),
        (String::new(), None),
    ];
    let org = Org::start();
    for (id, expected) in cases {
        org.setup(|setup| setup.reply_extra = Map::from_iter([("id".to_owned(), json!(id))]));
        let token = login(&org).token().unwrap();
        assert_eq!(token.organization_id().zip(token.user_id()), expected, "{id}");
        assert_eq!(token.field("id"), Some(&*id));
    }
}

#[test]
fn token_made_by_hand_is_as_good_as_a_reply() {
    let token = Token::new("00D!AQ-._~+/=", "HTTPS://Acme.my.salesforce.com:443/").unwrap();
    assert_eq!(token.access_token(), "00D!AQ-._~+/=");
    assert_eq!(token.instance_url(), "https://acme.my.salesforce.com");
    assert_eq!((token.user_id(), token.organization_id(), token.issued_at()), (None, None, None));
    let kept = serde_json::to_value(&token).unwrap();
    let expected = json!({
        "access_token": "00D!AQ-._~+/=",
        "instance_url": "HTTPS://Acme.my.salesforce.com:443/",
    });
    assert_eq!(kept, expected);
}

#[test]
fn unusable_token_is_refused_without_being_quoted() {
    let good = "https://acme.my.salesforce.com";
    let characters = "access_token holds characters that no token has: write it alone, on one line";
    let cases = [
        ("", good, "access_token is empty"),
        ("00D!AQ odd", good, characters),
        ("00D!AQodd\n", good, characters),
        ("00D!AQodd", "", "instance_url is empty"),
        (
            "00D!AQodd",
            "acme!AQ",
            "instance_url is not an absolute URL: write e.g. https://ACME.my.salesforce.com",
        ),
        (
            "00D!AQodd",
            "https://00D!AQodd@acme.my.salesforce.com",
            "instance_url holds user info: leave out what is before the @",
        ),
        (
            "00D!AQodd",
            "https://acme.my.salesforce.com/!AQ",
            "instance_url holds more than https:// and a host",
        ),
        (
            "00D!AQodd",
            "http://acme.my.salesforce.com",
            "instance_url is http, which would send secrets in clear: write https",
        ),
    ];
    for (access_token, instance_url, expected) in cases {
        let error = Token::new(access_token, instance_url).unwrap_err();
        assert_eq!(shown(&error), expected);
        let (name, problem) = expected.split_once(' ').unwrap();
        let kind = ErrorKind::Setting { name: name.to_owned(), problem: problem.to_owned() };
        assert_eq!(*error.kind(), kind);

        let kept = json!({ "access_token": access_token, "instance_url": instance_url });
        let error = serde_json::from_value::<Token>(kept.clone()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{kept}");
        let error = serde_json::from_str::<Token>(&kept.to_string()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_no_secret(&format!("{error} {error:?}"));
    }
    let misplaced = [
        (json!("00D!AQodd"), "a token is a JSON object"),
        (json!(["00D!AQodd"]), "a token is a JSON object"),
        (json!(null), "a token is a JSON object"),
        (json!({ "access_token": { "00D!AQodd": 1 }, "instance_url": good }), "access_token is not a string"),
        (
            json!({ "access_token": "00D!AQodd", "instance_url": ["00D!AQodd"] }),
            "instance_url is not a string",
        ),
        (json!({ "accessToken": "00D!AQodd", "instance_url": good }), "access_token is missing"),
    ];
    for (kept, expected) in misplaced {
        assert_eq!(
            serde_json::from_value::<Token>(kept.clone()).unwrap_err().to_string(),
            expected,
            "{kept}"
        );
    }
    // What is not JSON at all is serde_json's to tell, and it tells no more than the place.
    for cut in [r#"{"access_token":"00D!AQodd"#, r#"{"access_token":"00D!AQodd" 00D!AQodd"#, "00D!AQodd"] {
        let error = serde_json::from_str::<Token>(cut).unwrap_err();
        assert_no_secret(&format!("{error} {error:?}"));
        assert!(error.to_string().contains(" at line 1 column "), "{error}");
    }
}

#[test]
fn page_instead_of_a_token_is_told_by_its_title() {
    let org = Org::start();
    let page =
        |title: &str| format!("<!DOCTYPE html><html><head>{title}</head><body>00D!AQbody</body></html>");
    let bodies = [
        (page("<title>Login | Salesforce</title>"), "an HTML page titled \"Login | Salesforce\""),
        (page("<TITLE lang=\"en\">\n  We are\tdown </TITLE>"), "an HTML page titled \"We are down\""),
        (page("<title></title>"), "an HTML page"),
        (page("<title>\u{1b}[31m\u{202e}odd\u{7}</title>"), "an HTML page titled \"[31modd\""),
        (page(""), "an HTML page"),
        (
            format!("\r\n\r\n \t\n{}", page("<title>after lines</title>")),
            "an HTML page titled \"after lines\"",
        ),
        (format!("\u{feff}{}", page("<title>after a BOM</title>")), "an HTML page titled \"after a BOM\""),
        ("<title>never ends".to_owned(), "an HTML page"),
        ("<".to_owned(), "an HTML page"),
    ];
    for (status, tries) in [(200, 1), (404, 1), (420, 1), (500, 1), (502, 3), (503, 3), (504, 3)] {
        for (body, problem) in &bodies {
            // Whatever it says that it is.
            for media_type in ["text/html; charset=UTF-8", "application/json"] {
                let answer = Answer::new(status).header("Content-Type", media_type).body(body.as_str());
                let error = refusal(&org, answer);
                let expected = format!("unexpected reply: {problem} (HTTP {status})");
                assert_eq!(headline(&error), expected, "{body}");
                assert_eq!(error.status(), Some(status), "{body}");
                assert_eq!(error.is_transient(), tries > 1, "{status}");
                assert_eq!(org.take_requests().len(), tries, "{status}");
            }
        }
    }
}

#[test]
fn long_title_is_capped() {
    let org = Org::start();
    let error = refusal(&org, Answer::html(200, &"ä".repeat(501)));
    let title = format!("{}...", "ä".repeat(500));
    let expected = format!("unexpected reply: an HTML page titled {title:?} (HTTP 200)");
    assert_eq!(headline(&error), expected);
}

#[test]
fn reply_that_is_not_a_json_object_is_never_quoted() {
    let org = Org::start();
    let shape = "JSON of another shape than documented";
    let text = "text that is not JSON";
    let bodies: [(&[u8], &str); 20] = [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"[]", shape),
        (b"null", shape),
        (b"\"00D!AQtext\"", shape),
        (b"[{\"access_token\":\"00D!AQtext\",\"instance_url\":\"https://acme.my.salesforce.com\"}]", shape),
        (b"17", shape),
        (b"true", shape),
        (b"access_token=00D!AQtext&instance_url=https%3A%2F%2Facme.my.salesforce.com", text),
        (b"Bad_OAuth_Token 00D!AQtext", text),
        (b"{\"access_token\":\"00D!AQtext\"", text),
        (b"{\"access_token\":\"00D!AQtext\",}", text),
        (b"{'access_token':'00D!AQtext'}", text),
        (
            b"{\"access_token\":\"00D!AQtext\\ud800\",\"instance_url\":\"https://acme.my.salesforce.com\"}",
            text,
        ),
        (
            b"{\"access_token\":\"00D!AQtext\",\"instance_url\":\"https://acme.my.salesforce.com\"} 00D!AQ",
            text,
        ),
        (b"{\"access_token\":\"00D!AQ\xff\",\"instance_url\":\"https://acme.my.salesforce.com\"}", text),
        (b"while(1);{\"access_token\":\"00D!AQtext\"}", text),
        (b"\0\0\0\0", text),
        (b"\xff\xfe{\0\"\0", text),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", text),
    ];
    for (body, problem) in bodies {
        let case = String::from_utf8_lossy(body);
        // An empty 503 is documented, an empty anything conceivable.
        for (status, tries) in [(200, 1), (400, 1), (404, 1), (503, 3)] {
            let error = refusal(&org, Answer::new(status).body(body));
            assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP {status})"), "{case}");
            assert_eq!(org.take_requests().len(), tries, "{case}");
        }
    }
    // Deeper than any parser's stack.
    let error = refusal(&org, Answer::json(200, "[".repeat(200_000)));
    assert_eq!(headline(&error), format!("unexpected reply: {text} (HTTP 200)"));
    for status in [204, 205, 304] {
        let error = refusal(&org, Answer::new(status));
        let problem = if status == 304 { "not modified" } else { "empty" };
        assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP {status})"));
    }
}

#[test]
fn cut_off_reply_is_an_error_and_not_repeated() {
    let org = Org::start();
    let cut = "unexpected reply: cut off or damaged on its way (HTTP 200)";
    // Without a length nobody can tell that it was cut; but JSON that was cut is none.
    let not_json = "unexpected reply: text that is not JSON (HTTP 200)";
    for after in [1, 20, MINIMAL.len() - 1] {
        let cases = [
            (Answer::json(200, MINIMAL).cut_after(after), cut),
            (Answer::json(200, MINIMAL).chunked().cut_after(after), cut),
            (Answer::json(200, MINIMAL).by_close().cut_after(after), not_json),
            (Answer::json(200, MINIMAL).gzip().cut_after(after.min(60)), cut),
            (Answer::json(200, MINIMAL).gzip().chunked().cut_after(after.min(60)), cut),
            (Answer::json(200, MINIMAL).gzip().by_close().cut_after(after.min(60)), cut),
        ];
        for (answer, expected) in cases {
            let case = format!("{answer:?}");
            let error = refusal(&org, answer);
            assert_eq!(headline(&error), expected, "{case}");
            // It may have been a login.
            assert_eq!(org.take_requests().len(), 1, "{case}");
            assert_eq!(error.is_transient(), expected == cut, "{case}");
        }
    }
    // All of the JSON came, but not all of the reply.
    for answer in [
        Answer::json(200, MINIMAL).content_length(MINIMAL.len() + 1).then_close(),
        Answer::json(200, MINIMAL).chunked().cut_after(MINIMAL.len()),
    ] {
        assert_eq!(headline(&refusal(&org, answer)), cut);
    }
}

#[test]
fn damaged_compression_is_an_error() {
    let org = Org::start();
    let mut wrong_sum = gzip(MINIMAL.as_bytes());
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 1;
    let gzipped = |body: Vec<u8>| Answer::new(200).header("Content-Encoding", "gzip").body(body);
    let short = gzip(MINIMAL.as_bytes())[..20].to_vec();
    for answer in [gzipped(wrong_sum), gzipped(MINIMAL.into()), gzipped(short)] {
        let error = refusal(&org, answer);
        assert_eq!(headline(&error), "unexpected reply: cut off or damaged on its way (HTTP 200)");
    }
}

#[test]
fn reply_of_more_than_a_mebibyte_is_refused() {
    let org = Org::start();
    // JSON that goes on in spaces, so that its size is all that is wrong with it.
    let sized = |bytes: usize| {
        let mut body = MINIMAL.as_bytes().to_vec();
        body.resize(bytes, b' ');
        Answer::new(200).body(body)
    };
    for answer in [sized(MIB), sized(MIB).chunked(), sized(MIB).gzip()] {
        org.answer(answer);
        assert_eq!(login(&org).token().unwrap().access_token(), "00D!AQminimal");
    }
    drop(org.take_requests());
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(4 * MIB));
    let cases = [
        ("one byte too many", sized(MIB + 1)),
        ("2 MiB", sized(2 * MIB)),
        ("2 MiB in chunks", sized(2 * MIB).chunked()),
        ("2 MiB until the end", sized(2 * MIB).by_close()),
        ("2 MiB announced", sized(2 * MIB).stall_after(MIB + 1)),
        ("gzip bomb", sized(16 * MIB).gzip()),
        ("gzip bomb in chunks", sized(16 * MIB).gzip().chunked()),
        ("raw", Answer::raw(endless)),
    ];
    for (case, answer) in cases {
        let error = refusal(&org, answer);
        assert_eq!(headline(&error), "unexpected reply: larger than 1 MiB (HTTP 200)", "{case}");
        assert_eq!(org.take_requests().len(), 1, "{case}");
    }
}

#[test]
fn garbage_instead_of_http_is_named_and_not_repeated() {
    let org = Org::start();
    let broke_off = "the connection broke off";
    let cases = [
        (Answer::close(), broke_off),
        (Answer::raw(""), broke_off),
        (Answer::raw("HTTP/1.1 200 OK\r\nContent-Le"), broke_off),
        (
            Answer::raw("SSH-2.0-OpenSSH_9.6\r\n"),
            "not an HTTP reply (protocol: http parse fail: invalid HTTP version)",
        ),
        (
            Answer::raw([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3]),
            "not an HTTP reply (protocol: http parse fail: invalid HTTP version)",
        ),
        (
            Answer::raw("HTTP/1.1 999999 OK\r\n\r\n"),
            "not an HTTP reply (protocol: http parse fail: invalid response status)",
        ),
    ];
    for (answer, cause) in cases {
        let case = format!("{answer:?}");
        let error = refusal(&org, answer);
        assert_eq!(headline(&error), format!("no reply from {}: {cause}", org.addr()), "{case}");
        assert_eq!(error.status(), None, "{case}");
        assert_eq!(org.take_requests().len(), 1, "{case}");
    }
}

#[test]
fn secret_in_a_broken_head_is_not_shown() {
    let org = Org::start();
    for secret in forms(PASSWORD).into_iter().chain(forms(CLIENT_SECRET)) {
        for head in [
            secret.clone(),
            format!("HTTP/1.1 200 {secret}\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\n{secret}\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{secret}\r\n"),
            format!("HTTP/1.1 302 Found\r\nLocation: {secret}\r\nContent-Length: 0\r\n\r\n"),
            format!("HTTP/1.1 302 Found\r\nLocation: https://{secret}/\r\nContent-Length: 0\r\n\r\n"),
            format!("HTTP/1.1 503 Busy\r\nRetry-After: 0{secret}\r\nContent-Length: 0\r\n\r\n"),
        ] {
            org.answer(Answer::raw(head.as_bytes()));
            let error = login(&org).timeout(Duration::from_millis(240)).token();
            // Busy once, the org is itself again the second time.
            if let Err(error) = error {
                assert!(shown(&error).len() < 4000, "{head}");
            }
            org.behave();
        }
    }
}

#[test]
fn redirect_is_not_followed() {
    let org = Org::start();
    let other = Org::start();
    let other_tls = Org::start_tls();
    let (host, tls_host) = (other.addr().to_string(), other_tls.url().replace("https://", ""));
    let elsewhere = |host: &str| format!("a redirect to {host}, which was not followed");
    let within = "a redirect within the host, which was not followed".to_owned();
    let places = [
        (format!("{}{TOKEN_PATH}", other.url()), elsewhere(&host)),
        (format!("{}{TOKEN_PATH}", other_tls.url()), elsewhere(&tls_host)),
        (format!("http://{tls_host}{TOKEN_PATH}"), elsewhere(&tls_host)),
        (format!("http://user:00D!AQ@{host}/00D!AQ?00D!AQ#00D!AQ"), elsewhere(&host)),
        ("https://acme.my.salesforce.com".to_owned(), elsewhere("acme.my.salesforce.com")),
        ("http://acme.my.salesforce.com/".to_owned(), elsewhere("acme.my.salesforce.com")),
        ("https://acme.my.salesforce.com\\@evil.example".to_owned(), elsewhere("acme.my.salesforce.com")),
        (format!("//{host}{TOKEN_PATH}"), elsewhere(&host)),
        (TOKEN_PATH.to_owned(), within.clone()),
        ("/00D!AQ?00D!AQ".to_owned(), within.clone()),
        ("?again".to_owned(), within),
    ];
    for status in [301, 302, 303, 307, 308] {
        for (location, problem) in &places {
            let error = refusal(&org, Answer::redirect(status, location));
            assert_eq!(
                headline(&error),
                format!("unexpected reply: {problem} (HTTP {status})"),
                "{location}"
            );
            let kind = ErrorKind::Unexpected { status, problem: problem.clone() };
            assert_eq!(*error.kind(), kind, "{location}");
            assert!(!error.is_transient(), "{location}");
            let asked: Vec<_> = org.take_requests().into_iter().map(|r| (r.method, r.path)).collect();
            assert_eq!(asked, [("POST".to_owned(), TOKEN_PATH.to_owned())], "{location}");
        }
        let error = refusal(&org, Answer::new(status));
        let expected = format!("unexpected reply: a redirect that names no place (HTTP {status})");
        assert_eq!(headline(&error), expected);
        // Its body, which may never end, is not waited for.
        let body = Answer::redirect(status, TOKEN_PATH).body("x").content_length(1000).stall_after(1);
        assert_eq!(refusal(&org, body).status(), Some(status));
        drop(org.take_requests());
    }
    assert_eq!((other.connections(), other_tls.connections()), (0, 0));
}

#[test]
fn redirect_to_itself_is_asked_once() {
    for org in [Org::start(), Org::start_tls()] {
        for status in [301, 302, 307, 308] {
            let error = refusal(&org, Answer::redirect(status, format!("{}{TOKEN_PATH}", org.url())));
            let problem = "a redirect within the host, which was not followed";
            assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP {status})"));
            assert_eq!(org.take_requests().len(), 1, "{status}");
        }
    }
}

#[test]
fn description_with_a_secret_is_withheld_whole() {
    let org = Org::start();
    let both = format!("{PASSWORD}{SECURITY_TOKEN}");
    let withheld = "(withheld: it contains a secret)";
    for secret in [CLIENT_SECRET, PASSWORD, SECURITY_TOKEN, &both] {
        // Servers change the case of what they echo.
        for form in forms(secret).into_iter().chain([secret.to_ascii_uppercase()]) {
            for text in [
                form.clone(),
                format!("authentication failure for ada@example.com with {form}."),
                format!("grant_type=password&password={form}&x=y"),
                format!("{}{form}", "x".repeat(600)),
                form.chars().flat_map(|c| [c, '\u{200b}']).collect(),
            ] {
                let error = refusal(&org, Answer::oauth_error("invalid_grant", &text));
                let expected = format!("login refused: {withheld} (invalid_grant, HTTP 400)");
                assert_eq!(headline(&error), expected, "{text}");
                let kind = ErrorKind::Refused {
                    status: 400,
                    error: "invalid_grant".to_owned(),
                    description: withheld.to_owned(),
                };
                assert_eq!(*error.kind(), kind, "{text}");
            }
            let error = refusal(&org, Answer::oauth_error(&form, "authentication failure"));
            let expected = format!("login refused: authentication failure ({withheld}, HTTP 400)");
            assert_eq!(headline(&error), expected, "{form}");
            let error = refusal(&org, Answer::html(200, &form));
            assert!(headline(&error).contains("withheld"), "{form}: {}", headline(&error));
        }
    }
}

#[test]
fn description_without_a_secret_is_shown() {
    let org = Org::start();
    let cases = [
        (format!("no user {USERNAME} here"), format!("no user {USERNAME} here")),
        // A piece of a secret is none.
        ("the password begins with pa".to_owned(), "the password begins with pa".to_owned()),
        ("100 % sure: 1+1=2 & \"more\" \\".to_owned(), "100 % sure: 1+1=2 & \"more\" \\".to_owned()),
        ("%zz %4 \\u12 \\ud800".to_owned(), "%zz %4 \\u12 \\ud800".to_owned()),
    ];
    for (description, expected) in cases {
        let error = refusal(&org, Answer::oauth_error("invalid_grant", &description));
        assert_eq!(headline(&error), format!("login refused: {expected} (invalid_grant, HTTP 400)"));
    }
}

#[test]
fn documented_words_are_told_even_where_a_tiny_secret_is_part_of_them() {
    let org = Org::start();
    let tiny = || App::new(CLIENT_ID, "i").password(USERNAME, "a").login_url(org.url()).agent(agent(&org));
    org.answer(Answer::oauth_error("invalid_grant", "authentication failure"));
    let error = tiny().token().unwrap_err();
    assert_eq!(headline(&error), "login refused: authentication failure (invalid_grant, HTTP 400)");
    org.answer(Answer::oauth_error("invalid_grant", "authentication failed"));
    let error = tiny().token().unwrap_err();
    let withheld = "login refused: (withheld: it contains a secret) (invalid_grant, HTTP 400)";
    assert_eq!(headline(&error), withheld);

    // What is done about a refusal hangs on the words as well.
    let session = login(&org).resume(Token::new("E", org.url()).unwrap()).unwrap();
    let _: Value = session.get("limits").unwrap();
    assert_eq!(org.logins(), 3);
    Session::new(Token::new("i", org.url()).unwrap()).unwrap().agent(agent(&org)).revoke().unwrap();
}

#[test]
fn description_loses_control_characters_and_is_capped() {
    let org = Org::start();
    let cases = [
        ("a\r\nhint: b\tc\u{0}\u{7}\u{8}".to_owned(), "a hint: b c".to_owned()),
        ("\u{1b}]0;title\u{7}\u{1b}[2Jx\u{9b}31m".to_owned(), "]0;title[2Jx31m".to_owned()),
        ("a\u{202e}b\u{200f}c\u{feff}d\u{2028}e\u{2066}f".to_owned(), "abcd ef".to_owned()),
        ("  a \u{a0} b  ".to_owned(), "a b".to_owned()),
        ("x".repeat(500), "x".repeat(500)),
        ("x".repeat(501), format!("{}...", "x".repeat(500))),
        ("😀".repeat(600), format!("{}...", "😀".repeat(500))),
        ("x".repeat(500_000), "(withheld: too long)".to_owned()),
        ("\n\u{7}".to_owned(), String::new()),
    ];
    for (description, expected) in cases {
        let error = refusal(&org, Answer::oauth_error("invalid_grant", &description));
        let text = match &*expected {
            "" => "login refused: invalid_grant (HTTP 400)".to_owned(),
            _ => format!("login refused: {expected} (invalid_grant, HTTP 400)"),
        };
        assert_eq!(headline(&error), text);
        let kind =
            ErrorKind::Refused { status: 400, error: "invalid_grant".to_owned(), description: expected };
        assert_eq!(*error.kind(), kind);
    }
    let error = refusal(&org, Answer::oauth_error(&"x\u{1b}\n".repeat(400), ""));
    let ErrorKind::Refused { error: name, .. } = error.kind() else { panic!("{}", shown(&error)) };
    assert_eq!(*name, format!("{}...", "x ".repeat(250)));
}

/// The error of a login that gets this answer as often as it asks.
#[track_caller]
fn refusal(org: &Org, answer: Answer) -> Error {
    // So that a retry, where there is one, does not wait.
    org.always(TOKEN_PATH, answer.header("Retry-After", "0"));
    let outcome = login(org).token();
    org.behave();
    let error = outcome.expect_err("this answer is no token");
    shown(&error);
    error
}
