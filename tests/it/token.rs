//! The token: what it takes from a reply, what it can be made of, and that it can be kept.

use std::time::{Duration, SystemTime};

use fake_org::{Answer, ORG_ID, Org, USER_ID};
use serde_json::{Map, Value, json};
use sf_login::{ErrorKind, Token};

use crate::support::{MINIMAL, OLD, assert_no_secret, headline, login, shown};

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
    org.answer(Answer::json(200, MINIMAL));
    let token = login(&org).token().unwrap();
    assert_eq!(token.access_token(), "00D!AQminimal");
    assert_eq!(token.instance_url(), "https://acme.my.salesforce.com");
    assert_eq!((token.user_id(), token.organization_id(), token.issued_at()), (None, None, None));
}

#[test]
fn instance_url_is_an_origin_without_its_slash() {
    let org = Org::start();
    let usable = [
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com/", "https://acme.my.salesforce.com"),
        ("HTTPS://Acme.My.Salesforce.com", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:443/", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:8443", "https://acme.my.salesforce.com:8443"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
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
fn instance_url_that_is_none_is_refused_wherever_it_comes_from() {
    let org = Org::start();
    let clear = "is http, which would send secrets in clear: write https";
    let more = "holds more than https:// and a host";
    let user_info = "holds user info: leave out what is before the @";
    let port = "holds a port that is not from 1 to 65535";
    let no_host = "holds no host name: write e.g. https://ACME.my.salesforce.com";
    let not_absolute = "is not an absolute URL: write e.g. https://ACME.my.salesforce.com";
    let web = "is the host of web pages, where neither logins nor API requests work: write \
               https://acme.my.salesforce.com";
    for (instance, problem) in [
        ("", "is empty"),
        ("http://acme.my.salesforce.com", clear),
        ("https://acme.my.salesforce.com/!AQ", more),
        ("https://acme.my.salesforce.com?x", more),
        ("https://acme.my.salesforce.com\\@evil.example", more),
        ("https://00D!AQ@acme.my.salesforce.com", user_info),
        ("https://acme.my.salesforce.com@evil.example", user_info),
        ("https://acme.my.salesforce.com:99999", port),
        ("https:///x", no_host),
        ("https://acme.lightning.force.com", web),
        ("ftp://acme.my.salesforce.com", "is neither https nor a host name alone"),
        ("https://", not_absolute),
        ("acme.my.salesforce.com!AQ", not_absolute),
        ("//acme.my.salesforce.com", not_absolute),
    ] {
        let error = Token::new(OLD, instance).unwrap_err();
        let kind = ErrorKind::Setting { name: "instance_url".to_owned(), problem: problem.to_owned() };
        assert_eq!(error.kind(), &kind, "{instance}");
        assert_eq!(shown(&error), format!("instance_url {problem}"), "{instance}");

        let kept = json!({ "access_token": OLD, "instance_url": instance });
        let error = serde_json::from_value::<Token>(kept).unwrap_err().to_string();
        assert_eq!(error, format!("instance_url {problem}"), "{instance}");

        org.setup(|setup| setup.instance_url = Some(instance.to_owned()));
        let error = login(&org).token().unwrap_err();
        // What to write instead is for those who write it.
        let problem = problem.split(": ").next().unwrap();
        let message = format!("unexpected reply: instance_url {problem} (HTTP 200)");
        assert_eq!(headline(&error), message, "{instance}");
    }
}

#[test]
fn reply_without_a_usable_token_is_unexpected() {
    let org = Org::start();
    let good = json!("https://acme.my.salesforce.com");
    let token = |token: Value| json!({ "access_token": token, "instance_url": good });
    let instance = |url: Value| json!({ "access_token": "00D!AQodd", "instance_url": url });
    let characters = "access_token holds characters that no token has";
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
        (instance(json!(false)), "instance_url is not a string"),
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
        (json!("18446744073709551616"), None),
        (json!("-1"), None),
        (json!("1.767e12"), None),
        (json!("2026-01-01T00:00:00Z"), None),
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
        (format!("https://login.salesforce.com/id//{USER_ID}"), None),
        (format!("https://login.salesforce.com/id/{ORG_ID}/{USER_ID}/more"), None),
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
    let cases = [("", "access_token is empty"), ("00D!AQ odd", characters), ("00D!AQodd\n", characters)];
    for (access_token, expected) in cases {
        let error = Token::new(access_token, good).unwrap_err();
        assert_eq!(shown(&error), expected);
        let (name, problem) = expected.split_once(' ').unwrap();
        let kind = ErrorKind::Setting { name: name.to_owned(), problem: problem.to_owned() };
        assert_eq!(*error.kind(), kind);

        let kept = json!({ "access_token": access_token, "instance_url": good });
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
