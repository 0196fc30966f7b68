//! The token endpoint, asked as sf-login does not ask.

use super::*;

#[test]
fn the_token_endpoint_reads_forms_only_and_strictly() {
    let org = Org::start();
    let body = form(&PASSWORD_FORM);
    let not_form = exchange(&org, "POST", TOKEN, "Content-Type: application/json\r\n", "{}");
    assert_refused(&not_form, "unsupported_grant_type", "grant type not supported");
    let other = post_token(&org, TOKEN, &but(&PASSWORD_FORM, "grant_type", Some("x")));
    assert_refused(&other, "unsupported_grant_type", "grant type not supported");
    let get = exchange(&org, "GET", &format!("{TOKEN}?{body}"), "", "");
    assert_refused(&get, "invalid_request", "POST required");
    let twice = exchange(&org, "POST", TOKEN, FORM, &format!("{body}&username=x"));
    assert_refused(&twice, "invalid_request", "parameter \"username\" twice or without a name");
    let generic = format!("{FORM}Host: login.salesforce.com\r\n");
    let generic = exchange(&org, "POST", TOKEN, &generic, &form(&CLIENT_CREDENTIALS));
    assert_refused(&generic, "invalid_grant", "request not supported on this domain");
}
