//! Every hint there is, as a person sees it: `hints.txt` holds the whole text of each failure; those that
//! lead to the same advice stand together above it. A test in `src/hints.rs` holds that no hint is missing.

mod stage;

use std::collections::HashMap;
use std::net::IpAddr;

use fake_org::{
    Answer, CLIENT_ID, Certificate, PASSWORD, Proxy, REDIRECT_URI, SECURITY_TOKEN, SITE_PASSWORD,
    SITE_USERNAME, USERNAME,
};
use serde_json::{Value, json};
use sf_login::{App, Error, Login, Token, ureq};

use self::stage::*;
use crate::support::{SITE_TOKEN_PATH, at_once, nobody, shown};

/// What is sent, and the error code and the description in answer to it.
type Refusal = (fn() -> Login, &'static str, &'static str);

#[rustfmt::skip]
const REFUSED_LOGINS: &[Refusal] = &[
    // No cause is named.
    (|| password(USERNAME).login_url(LOGIN), "invalid_grant", "authentication failure"),
    (|| password(USERNAME).security_token(SECURITY_TOKEN), "invalid_grant", "authentication failure"),
    (|| app().password(USERNAME, format!("{PASSWORD}{SECURITY_TOKEN}")).security_token(SECURITY_TOKEN).login_url(MY_DOMAIN),
     "invalid_grant", "authentication failure"),
    (|| password("ada@example.com.uat").login_url(LOGIN), "invalid_grant", "authentication failure"),
    (|| password(USERNAME).login_url(TEST), "invalid_grant", "authentication failure"),
    (|| password(USERNAME).login_url("https://acme--uat.sandbox.my.salesforce.com"), "invalid_grant", "authentication failure"),
    (|| password("test-x1y2z3@example.com").login_url(TEST), "invalid_grant", "authentication failure"),
    (|| app().password(USERNAME, format!("\"{PASSWORD}\"")).login_url(MY_DOMAIN), "invalid_grant", "authentication failure"),
    (|| password("ada").security_token(SECURITY_TOKEN), "invalid_grant", ""),
    (|| password(USERNAME).login_url(SITE), "invalid_grant", "invalid_grant"),
    (client_credentials, "invalid_grant", "authentication failure"),
    (code_credentials, "invalid_grant", "authentication failure"),
    (jwt_bearer, "invalid_grant", "authentication failure"),

    // The description names it.
    (usual, "invalid_grant", "authentication failure - Invalid Password"),
    (usual, "invalid_grant", "authentication failure - Failed: API security token required"),
    (usual, "invalid_grant", "expired access/refresh token"),
    (usual, "invalid_grant", "ip restricted"),
    (usual, "invalid_grant", "ip restricted or invalid login hours"),
    (usual, "invalid_grant", "inactive user"),
    (usual, "inactive_user", "user is inactive"),
    (usual, "invalid_grant", "user hasn't approved this consumer"),
    (usual, "invalid_app_access", "user is not admin approved to access this app"),
    (|| client_credentials().login_url(SITE), "invalid_grant", "request not supported on this domain"),
    (client_credentials, "invalid_grant", "no client credentials user enabled"),
    (client_credentials, "invalid_grant", "client credentials flow not enabled"),
    (client_credentials, "access_denied", "end-user denied authorization"),
    (code_credentials, "invalid_client", "code credential flow not enabled"),
    (code_credentials, "invalid_request", "reCAPTCHA token is required"),
    (code_credentials, "invalid_request", "missing required code challenge"),
    (code_credentials, "invalid_grant", "invalid code verifier"),
    (code_credentials, "invalid_grant", "expired authorization code"),
    (code_credentials, "invalid_grant", "invalid authorization code"),
    (jwt_bearer, "invalid_grant", "user hasn't approved this consumer"),
    (jwt_bearer, "invalid_request", "refresh_token scope is required and the connected app should be installed and preauthorized"),
    (jwt_bearer, "invalid_grant", "audience is invalid"),
    (|| jwt_bearer().audience(TEST), "invalid_grant", "Audience validation failed"),
    (jwt_bearer, "invalid_grant", "invalid assertion"),
    (jwt_bearer, "invalid_grant", "expired authorization code"),
    (|| jwt_bearer().login_url(LOGIN), "app_not_found", "External client app is not installed in this org"),
    (jwt_bearer, "invalid_client", "invalid client credentials"),
    (jwt_bearer, "unsupported_grant_type", "grant type not supported"),
    (usual, "invalid_grant", "no valid scopes defined"),
    (code_credentials, "invalid_scope", "the requested scope is not allowed"),
    (usual, "invalid_grant", "login rate exceeded"),
    (usual, "rate_limit_exceeded", "login rate exceeded"),
    (usual, "invalid_client", "app must be installed into org"),
    (client_credentials, "app_not_found", "External client app is not installed in this org"),
    (|| usual().login_url(LOGIN), "app_not_found", "External client app is not installed in this org"),
    (client_credentials, "OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org"),
    (usual, "OAUTH_APP_BLOCKED", "this app is blocked by admin"),
    (usual, "OAUTH_APPROVAL_ERROR_GENERIC", "An unexpected error has occurred during authentication. Please try again."),
    (usual, "invalid_client_id", "client identifier invalid"),
    (usual, "invalid_client", "invalid client credentials"),
    (|| App::without_secret(CLIENT_ID).password(USERNAME, PASSWORD).login_url(MY_DOMAIN), "invalid_client", "invalid client credentials"),
    (usual, "unsupported_grant_type", "grant type not supported"),
    (client_credentials, "unsupported_grant_type", "grant type not supported"),
    (usual, "invalid_request", "must use HTTP POST"),
    (code_credentials, "redirect_uri_mismatch", "redirect_uri must match configuration"),
    (usual, "inactive_org", "org is locked"),
    (usual, "unknown_error", "retry your request"),

    // Nobody knows it.
    (usual, "invalid_grant", "the moon is full"),
    (usual, "invalid_client", "the moon is full"),
    (client_credentials, "moon_is_full", ""),
];

/// What is sent, and what comes in answer to it instead of OAuth's JSON.
type Oddity = (fn() -> Login, fn() -> Answer);

#[rustfmt::skip]
const ODD_LOGINS: &[Oddity] = &[
    (usual, || Answer::html(503, "We are down for maintenance.")),
    (usual, || Answer::html(200, "We are down for maintenance.")),
    (usual, || Answer::new(503)),
    (usual, || Answer::text(429, "Too many requests")),
    (usual, || Answer::html(200, "Login | Salesforce")),
    (|| usual().login_url(SITE), || Answer::html(200, "")),
    (usual, || Answer::html(404, "URL No Longer Exists")),
    (usual, || Answer::html(420, "Salesforce")),
    (usual, || Answer::new(404).header("Server", "sfdcedge")),
    (usual, || Answer::html(403, "Access Denied")),
    (usual, || Answer::new(401)),
    (usual, || Answer::text(400, "\u{feff}{\"error\":\"invalid_grant\"}")),
    (usual, || Answer::json(400, r#"{"error":"invalid_grant"}"#).cut_after(9)),
    (usual, || Answer::json(200, r#"{"access_token":"00D"}"#).cut_after(9)),
    (usual, || Answer::json(200, r#"{"status":"UP"}"#)),
    (usual, || Answer::json(200, " ".repeat(1024 * 1024 + 1))),
    (usual, || Answer::redirect(301, "https://acme.my.salesforce.mil/services/oauth2/token")),
    (usual, || Answer::redirect(302, "/secur/login.jsp")),
    (usual, || Answer::redirect(302, "https:///error")),
    (code_credentials, || Answer::html(200, "Login | Partners")),
    (|| app().code_credentials(SITE_USERNAME, SITE_PASSWORD, "https://App.Example/callback").login_url(SITE),
     || Answer::redirect(302, "https://app.example/callback2?code=aPrx")),
    (code_credentials, || Answer::redirect(302, "https://login.acme.example/customers")),
    (code_credentials, || Answer::redirect(302, format!("{REDIRECT_URI}?state=1"))),
    (code_credentials, || {
        let site = "https%3A%2F%2Fcommunity.acme.example%2Fcustomers";
        Answer::redirect(302, format!("{REDIRECT_URI}?code=aPrx&sfdc_community_url={site}"))
    }),
];

/// What the API answers a request whose session cannot log in: HTTP status, error code and message.
#[rustfmt::skip]
const REFUSED_REQUESTS: &[(u16, &str, &str)] = &[
    (401, "INVALID_SESSION_ID", "Session expired or invalid"),
    (401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
    (401, "INVALID_SESSION_ID", "The agent is not attached to this app"),
    (401, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired"),
    (401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
    (401, "INVALID_AUTH_HEADER", "INVALID_ISS"),
    (401, "INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT"),
    (404, "URL_NOT_RESET", "Destination URL not reset. The URL returned from login must be set"),
    (400, "unsupported_token_type", "this token type is not supported"),
    (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
    (403, "MUTUAL_AUTHENTICATION_FAILED", "This session requires mutual authentication"),
    (403, "APEX_REST_SERVICES_DISABLED", "Apex REST services are disabled"),
    (403, "TXN_SECURITY_METERING_ERROR", "The Transaction Security policy took too long"),
    (403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."),
    (403, "API_CURRENTLY_DISABLED", "API is not enabled for this Organization or Partner"),
    (400, "MALFORMED_QUERY", "\nSELECT * FROM Account\n       ^\nERROR at Row:1:Column:8\nunexpected token: '*'"),
    (400, "INVALID_FIELD", "\nSELECT Nme FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Nme' on entity 'Account'."),
    (400, "INVALID_FIELD", "value of filter criterion for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes"),
    (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: Id"),
    (400, "INVALID_TYPE", "sObject type 'Acount' is not supported."),
    (400, "QUERY_TIMEOUT", "Your query request was running for too long."),
    (400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    (404, "NOT_FOUND", "The requested resource does not exist"),
    (404, "ENTITY_IS_DELETED", "entity is deleted"),
    (403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
    (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"),
    (410, "GONE", "API version v20.0 is no longer supported"),
    (503, "SERVER_UNAVAILABLE", "Server too busy"),
    (429, "TOO_MANY_REQUESTS", "Slow down"),
    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "An account needs a name"),
    (409, "CONFLICT", "The moon is full"),
];

/// What comes in answer to a request that is neither a good reply nor one of those refusals.
const ODD_REQUESTS: &[fn() -> Answer] = &[
    || Answer::json(300, json!(["/services/data/v66.0/sobjects/Account/0015g00000000001"])),
    || Answer::text(403, "Bad_OAuth_Token"),
    || Answer::html(404, "URL No Longer Exists"),
    || Answer::new(411),
    || Answer::new(412),
    || Answer::html(414, "URI Too Long"),
    || Answer::html(431, "Request Header Fields Too Large"),
    || Answer::html(502, "Bad Gateway"),
    || Answer::html(200, "Login | Salesforce"),
    || Answer::redirect(302, "https://acme-2026.my.salesforce.com/services/data"),
    || Answer::new(304),
    || Answer::json(400, r#"{"moon":"full"}"#),
    || Answer::json(200, "[[]]"),
    || Answer::json(200, "[null]"),
    || Answer::text(400, &" ".repeat(1024 * 1024 + 1)),
    || Answer::json(200, r#"{"a":1}"#).cut_after(3),
];

/// What does not come to a reply.
const UNREACHED: &[fn(&Stage) -> Error] = &[
    |_| Stage::with(Certificate::Expired).fails(usual()),
    |_| Stage::with(Certificate::NotYetValid).fails(usual()),
    |_| Stage::with(Certificate::OtherHost).fails(usual()),
    |_| Stage::with(Certificate::UnknownIssuer).fails(usual()),
    // Word for word what rustls, its verifiers and OpenSSL say of certificates that are hard to make.
    |s| s.led(Lead::Tls("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))")),
    |s| s.led(Lead::Tls("invalid peer certificate: Other(OtherError(UnsupportedCertVersion))")),
    |s| s.led(Lead::Tls("invalid peer certificate: UnsupportedSignatureAlgorithmContext { .. }")),
    |s| s.led(Lead::Tls("invalid peer certificate: BadSignature")),
    |s| s.led(Lead::Tls("invalid peer certificate: Revoked")),
    |s| s.led(Lead::Tls("unexpected error: No CA certificates were loaded from the system")),
    |s| s.led(Lead::Tls("certificate verify failed (self-signed certificate)")),
    |s| s.led(Lead::Tls("certificate verify failed (self-signed certificate in certificate chain)")),
    |s| s.led(Lead::Tls("certificate verify failed (unable to get local issuer certificate)")),
    |s| s.led(Lead::Tls("certificate verify failed (unable to get issuer certificate)")),
    |s| s.led(Lead::Tls("certificate verify failed (certificate has expired)")),
    |s| s.led(Lead::Tls("certificate verify failed (hostname mismatch)")),
    |s| s.led(Lead::Tls("certificate verify failed (CA signature digest algorithm too weak)")),
    |s| s.led(Lead::Tls("received corrupt message of type InvalidContentType")),
    |s| s.led(Lead::Tls("error:0A00010B:SSL routines:ssl3_get_record:wrong version number")),
    |s| s.led(Lead::Tls("received fatal alert: HandshakeFailure")),
    |s| s.through(&Proxy::refusing(401)),
    |s| s.through(&Proxy::start_with_auth(&s.org, "ada", "secret")),
    |s| s.through(&Proxy::refusing(403)),
    |s| s.through(&Proxy::refusing(500)),
    |s| s.through(&Proxy::refusing(502)),
    |_| {
        let (addr, _held) = nobody();
        let gone = ureq::Proxy::new(&format!("http://{addr}")).expect("a proxy's URL");
        let agent = ureq::Agent::config_builder().proxy(Some(gone)).build().new_agent();
        failure(usual().agent(agent).timeout(TIMEOUT).token())
    },
    |s| s.led(Lead::Nowhere),
    |s| s.led(Lead::Silence),
    |s| s.led(Lead::NoWay),
    |s| {
        let (addr, _held) = nobody();
        s.led(Lead::To(addr))
    },
    |s| s.led(Lead::Stuck),
    |_| Stage::answering(Answer::stall()).fails(usual().timeout(TIMEOUT)),
    |_| Stage::answering(Answer::close()).fails(usual()),
    |_| Stage::answering(Answer::raw("220 mail.example.com ESMTP\r\n")).fails(usual()),
    |s| {
        let plain = Proxy::start(&s.org);
        let proxy = ureq::Proxy::new(&plain.url().replace("http:", "https:")).expect("a proxy's URL");
        let agent = ureq::Agent::config_builder().proxy(Some(proxy)).build().new_agent();
        failure(usual().agent(agent).timeout(TIMEOUT).token())
    },
    |_| failure(Stage::answering(Answer::close()).kept().post::<Value>("sobjects/Account", &json!({}))),
    |_| failure(Stage::answering(Answer::html(503, "")).kept().post::<Value>("sobjects/Account", &json!({}))),
    |_| {
        let s = Stage::answering(Answer::json(201, r#"{"id":null}"#));
        failure(s.kept().post::<HashMap<String, String>>("sobjects/Account", &json!({})))
    },
    |_| {
        let s = Stage::with(Certificate::Good);
        s.org.always(SITE_TOKEN_PATH, Answer::new(503));
        s.fails(code_credentials())
    },
    |_| {
        let cut = Answer::json(201, r#"{"id":"001"}"#).cut_after(3);
        failure(Stage::answering(cut).kept().post::<Value>("sobjects/Account", &json!({})))
    },
    |s| s.led(Lead::Unknown("the moon is full")),
];

#[test]
fn a_person_sees_exactly_these_texts_on_a_screen_of_80_by_24() {
    let errors = [logins(), requests(), sessions(), unreached()].concat();
    let texts: Vec<String> = errors.iter().map(|error| without_ports(&shown(error))).collect();
    for text in &texts {
        // The program's name goes before it, and a prompt comes after it.
        let rows = |line: &str| line.chars().count().div_ceil(80).max(1);
        let height: usize = format!("sf-login: {text}").lines().map(rows).sum();
        assert!(height < 24, "{height} rows of 80 columns:\n{text}");
    }
    let mut seen: Vec<(String, &str)> = Vec::new();
    for text in &texts {
        let (failure, advice) = text.split_at(text.find("\ntried: ").unwrap_or(text.len()));
        match seen.iter_mut().find(|(_, known)| *known == advice) {
            Some((failures, _)) => failures.extend(["\n", failure]),
            None => seen.push((failure.to_owned(), advice)),
        }
    }
    let seen: Vec<String> = seen.into_iter().map(|(failures, advice)| failures + advice).collect();
    let seen = seen.join("\n\n") + "\n";
    assert!(seen == include_str!("hints.txt"), "hints.txt should be:\n{seen}");
}

fn logins() -> Vec<Error> {
    let refused = REFUSED_LOGINS.iter().map(|(login, error, description)| {
        Stage::answering(Answer::oauth_error(error, description)).fails(login())
    });
    let odd = ODD_LOGINS.iter().map(|(login, answer)| Stage::answering(answer()).fails(login()));
    refused.chain(odd).collect()
}

fn requests() -> Vec<Error> {
    let refusal = |(status, code, message): &(u16, &str, &str)| Answer::api_error(*status, code, message);
    let answers = REFUSED_REQUESTS.iter().map(refusal).chain(ODD_REQUESTS.iter().map(|answer| answer()));
    answers.map(|answer| failure(Stage::answering(answer).kept().get::<Vec<String>>("limits"))).collect()
}

/// What depends on what the session did before.
fn sessions() -> Vec<Error> {
    let s = Stage::with(Certificate::Good);
    let session = s.here(usual()).session().expect("the org takes this login");
    let expired = Answer::api_error(401, "INVALID_SESSION_ID", "Session expired or invalid");
    s.org.always("/services/data", expired);
    let rejected = failure(session.get::<Value>("limits"));
    let elsewhere = Token::new(KEPT, "https://acme-2024.my.salesforce.com").expect("a token");
    let session = s.here(usual()).resume(elsewhere).expect("a login");
    let elsewhere = failure(session.get::<Value>("limits"));
    let contacts = json!({ "done": false, "records": [] });
    let page = |record| json!({ "totalSize": 1, "done": true, "records": [record] });
    let s = Stage::answering(Answer::json(200, page(json!({ "Id": "001", "Contacts": contacts }))));
    let soql = "SELECT (SELECT Id FROM Contacts) FROM Account";
    let subquery = failure(s.kept().query::<Value>(soql).next().expect("an error"));
    let s = Stage::answering(Answer::json(200, page(json!({ "Id": "001" }))));
    let misspelt = failure(s.kept().query::<Record>(soql).next().expect("an error"));
    let s = Stage::answering(Answer::json(200, r#"["2026-11-26T09:12:03.000+0000"]"#));
    // A type of another crate that reads text, as those of dates are.
    let datetime = failure(s.kept().get::<Vec<IpAddr>>("limits"));
    let s = Stage::answering(Answer::html(200, "Files"));
    let page = failure(s.kept().get::<Value>("/sfc/servlet.shepherd/version/download/068"));
    let s = Stage::answering(Answer::text(500, "the moon is full"));
    let apex = failure(s.kept().get::<Value>("/services/apexrest/moon"));
    vec![rejected, elsewhere, subquery, misspelt, datetime, page, apex]
}

/// As people write it who do not know how Salesforce spells its fields.
#[derive(serde::Deserialize)]
struct Record {
    #[serde(rename = "id")]
    _id: String,
}

fn unreached() -> Vec<Error> {
    let s = Stage::with(Certificate::Good);
    // They mostly wait.
    at_once(UNREACHED, |fails| fails(&s))
}

#[test]
fn usernames_are_taken_for_a_sandboxs_only_when_they_look_it() {
    const ENDS_LIKE: &str = "the username ends like a sandbox's";
    const LACKS_THE_END: &str = "a sandbox's usernames usually end with its name";
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
        ("ada@mail.example.de", false, true),
        ("ada@salesforce", false, true),
        // Of a scratch org.
        ("test-x1y2z3@example.com", false, false),
        // Of a country, or of a sandbox with its name: who knows.
        ("ada@example.co.uk", false, false),
        ("ada@example.com.au", false, false),
        ("ada@example.com.qa", false, false),
        // Companies with short names.
        ("ada@mail.hp.com", false, false),
    ];
    let s = Stage::answering(Answer::oauth_error("invalid_grant", "authentication failure"));
    for (username, at_login, at_test) in cases {
        let says = |host: &str, words: &str| {
            s.fails(password(username).login_url(host)).hints().iter().any(|hint| hint.contains(words))
        };
        assert_eq!((says(LOGIN, ENDS_LIKE), says(TEST, ENDS_LIKE)), (at_login, false), "{username}");
        assert_eq!((says(LOGIN, LACKS_THE_END), says(TEST, LACKS_THE_END)), (false, at_test), "{username}");
    }
}

/// Ports differ from run to run.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown += "127.0.0.1:PORT";
        shown += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    shown
}
