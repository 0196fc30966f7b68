//! Logging out.

use fake_org::{Answer, Org};
use serde_json::json;

use crate::support::{OLD, REVOKE_PATH, expired, headline, host, kept, login, only_request, session};

#[test]
fn revoke_posts_the_token_and_nothing_else() {
    let org = Org::start();
    let session = session(&org);
    let token = session.token();
    drop(org.take_requests());
    session.revoke().unwrap();
    let sent = only_request(&org);
    assert_eq!((&*sent.method, &*sent.path), ("POST", REVOKE_PATH));
    assert_eq!(sent.text(), format!("token={}", token.access_token().replace('!', "%21")));
    assert_eq!(sent.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(sent.header("authorization"), None);

    // It is not valid any more, which is what was wanted.
    login(&org).resume(token).unwrap().revoke().unwrap();
    assert_eq!(only_request(&org).path, REVOKE_PATH, "and nobody logged in for that");
}

#[test]
fn revoking_an_expired_token_counts_as_done() {
    let org = Org::start();
    for answer in [
        Answer::new(200),
        Answer::oauth_error("invalid_token", "token expired"),
        Answer::oauth_error("INVALID_TOKEN", ""),
        Answer::json(400, r#"{"error":"invalid_token"}"#),
        expired(),
    ] {
        org.answer(answer.clone());
        kept(&org).revoke().unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        assert_eq!(only_request(&org).path, REVOKE_PATH);
    }
}

#[test]
fn a_token_that_could_not_be_revoked_is_told() {
    let cases = [
        (
            Answer::oauth_error("unsupported_token_type", "this token type is not supported"),
            "request refused: this token type is not supported (unsupported_token_type) (HTTP 400)",
            1,
        ),
        (
            Answer::html(404, "URL No Longer Exists"),
            "unexpected reply: an HTML page titled \"URL No Longer Exists\" (HTTP 404)",
            1,
        ),
        (
            Answer::api_error(403, "API_DISABLED_FOR_ORG", "no API"),
            "request refused: no API (API_DISABLED_FOR_ORG) (HTTP 403)",
            1,
        ),
        // Not what an expired token is told.
        (
            Answer::api_error(
                401,
                "INVALID_SESSION_ID",
                "This session is not valid for use with the REST API",
            ),
            "request refused: This session is not valid for use with the REST API (INVALID_SESSION_ID) (HTTP 401)",
            1,
        ),
        (
            Answer::json(503, json!({ "error": "invalid_token" })).header("Retry-After", "0"),
            "request refused: invalid_token (HTTP 503)",
            3,
        ),
        (
            Answer::api_error(503, "INVALID_SESSION_ID", "expired").header("Retry-After", "0"),
            "request refused: expired (INVALID_SESSION_ID) (HTTP 503)",
            3,
        ),
        (Answer::close(), "no reply from HOST: the connection was lost", 3),
        (Answer::html(200, "Login"), "unexpected reply: an HTML page titled \"Login\" (HTTP 200)", 1),
        (
            Answer::oauth_error("unsupported_token_type", OLD),
            "request refused: (withheld: it could hold a secret) (unsupported_token_type) (HTTP 400)",
            1,
        ),
    ];
    for (answer, message, tries) in cases {
        let org = Org::start();
        org.always(REVOKE_PATH, answer);
        let error = kept(&org).revoke().unwrap_err();
        assert_eq!(headline(&error).replace(&host(&org), "HOST"), message);
        assert_eq!(org.requests().len(), tries, "{message}");
        // Revoking twice is revoking once.
        assert!(!error.hints().concat().contains("may have been done"), "{error}");
    }
}
