//! Logging in at the token endpoint, and what a session is good for.

use serde_json::json;

use super::*;
use crate::Setup;

#[test]
fn a_login_gets_a_token_as_documented() {
    let org = Org::start();
    let reply = post_token(&org, TOKEN, &password_form());
    let token = reply.json();
    assert_eq!((reply.status, org.logins()), (200, 1));
    assert_eq!(token["instance_url"], org.url());
    assert_eq!(token["id"], format!("{}/id/{ORG_ID}/{USER_ID}", org.url()));
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(token["issued_at"].as_str().map(str::len), Some(13));
    assert!(token.get("scope").is_none());
    org.setup(|setup| {
        setup.token = Some("mine".to_owned());
        setup.instance_url = Some("https://x/".to_owned());
        setup.reply_without = vec!["id".to_owned(), "signature".to_owned(), "issued_at".to_owned()];
        setup.reply_extra.insert("token_type".to_owned(), json!("bearer"));
    });
    let expected = json!({ "access_token": "mine", "instance_url": "https://x/", "token_type": "bearer" });
    assert_eq!(post_token(&org, TOKEN, &password_form()).json(), expected);
}

#[test]
fn wrong_credentials_are_refused_in_salesforces_words() {
    let org = Org::start();
    let right = password_form();
    let refused = |name: &str, value: Option<&str>, error: &str, description: &str| {
        assert_refused(&post_token(&org, TOKEN, &but(&right, name, value)), error, description);
    };
    refused("client_id", Some("x"), "invalid_client_id", "client identifier invalid");
    refused("client_secret", Some("x"), "invalid_client", "invalid client credentials");
    refused("client_secret", None, "invalid_client", "invalid client credentials");
    refused("password", Some(PASSWORD), "invalid_grant", "authentication failure");
    refused("password", Some(SECURITY_TOKEN), "invalid_grant", "authentication failure");
    refused("username", Some("Ada"), "invalid_grant", "authentication failure");
    refused("grant_type", Some("x"), "unsupported_grant_type", "grant type not supported");
    org.setup(|setup| {
        *setup = Setup { secret_required: false, security_token_required: false, ..Setup::default() };
    });
    let no_secret = but(&but(&right, "client_secret", None), "password", Some(PASSWORD));
    assert_eq!(post_token(&org, TOKEN, &no_secret).status, 200);
}

#[test]
fn the_token_endpoint_reads_forms_only_and_strictly() {
    let org = Org::start();
    let body = form(&password_form());
    let not_form = exchange(&org, "POST", TOKEN, "Content-Type: application/json\r\n", "{}");
    assert_refused(&not_form, "unsupported_grant_type", "grant type not supported");
    let get = exchange(&org, "GET", &format!("{TOKEN}?{body}"), "", "");
    assert_refused(&get, "invalid_request", "POST required");
    let twice = exchange(&org, "POST", TOKEN, FORM, &format!("{body}&username=x"));
    assert_eq!((twice.status, &twice.json()["error"]), (400, &json!("invalid_request")));
}

#[test]
fn client_credentials_need_the_app_and_a_my_domain() {
    let org = Org::start();
    assert_eq!(post_token(&org, TOKEN, &CLIENT_CREDENTIALS).json()["scope"], "api");
    let headers = format!("{FORM}Host: login.salesforce.com\r\n");
    let generic = exchange(&org, "POST", TOKEN, &headers, &form(&CLIENT_CREDENTIALS));
    assert_refused(&generic, "invalid_grant", "request not supported on this domain");
}

#[test]
fn the_instance_depends_on_where_the_login_went() {
    let org = Org::start();
    for (host, instance) in [
        ("login.salesforce.com", "https://acme.my.salesforce.com"),
        ("test.salesforce.com", "https://acme.my.salesforce.com"),
        ("b--c.sandbox.my.salesforce.com", "https://b--c.sandbox.my.salesforce.com"),
        ("localhost:1", &org.url()),
    ] {
        let headers = format!("{FORM}Host: {host}\r\n");
        let reply = exchange(&org, "POST", TOKEN, &headers, &form(&password_form()));
        assert_eq!(reply.json()["instance_url"], instance);
    }
}

#[test]
fn sessions_end_by_revocation_by_expiry_and_by_use() {
    let org = Org::start();
    let session = log_in(&org);
    let status = |session: &str| api(&org, session, "GET", "limits", "").status;
    assert_eq!(status(&session), 200);
    let token = session.trim().rsplit(' ').next().expect("a token");
    let revoke = || exchange(&org, "POST", "/services/oauth2/revoke", FORM, &form(&[("token", token)]));
    assert_eq!((revoke().status, revoke().json()["error"].clone()), (200, json!("invalid_token")));
    assert_api_error(&api(&org, &session, "GET", "limits", ""), 401, "INVALID_SESSION_ID");

    let session = log_in(&org);
    org.expire_sessions();
    assert_eq!((status(&session), status("")), (401, 401));
    let session = log_in(&org);
    org.setup(|setup| setup.session_uses = Some(2));
    assert_eq!([status(&session), status(&session), status(&session)], [200, 200, 401]);
    let basic = "Authorization: Basic eDp5\r\n";
    assert_api_error(&api(&org, basic, "GET", "limits", ""), 401, "INVALID_AUTH_HEADER");
}
