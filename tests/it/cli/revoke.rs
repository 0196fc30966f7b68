//! `sf-login revoke`.

use fake_org::{Answer, Org};

use super::TOKEN;
use crate::support::{REVOKE_PATH, done, failed, kept_env, login, sf_login, with};

#[test]
fn revoke_logs_the_token_out_and_again_is_as_good() {
    let org = Org::start();
    let token = login(&org).token().expect("the login is right");
    // With the login's settings as well, which it must not use.
    for env in
        [kept_env(&org, token.access_token()), [org.env(), kept_env(&org, token.access_token())].concat()]
    {
        let _ = org.take_requests();
        assert_eq!(sf_login(&env, &["revoke"]), done(""));
        let request = org.take_requests().remove(0);
        assert_eq!((&*request.method, &*request.path), ("POST", REVOKE_PATH));
        assert_eq!(request.form(), [("token".to_owned(), token.access_token().to_owned())]);
    }
    let run = sf_login(&kept_env(&org, token.access_token()), &["get", "limits"]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert_eq!(org.logins(), 1, "only the one that made the token");
}

#[test]
fn revoke_never_logs_in() {
    let org = Org::start();
    let not_set = "SF_ACCESS_TOKEN, SF_ORG_INSTANCE_URL are not set: write an access token, and the instance that it \
                   is for";
    let cases = [
        ("no token", org.env(), not_set),
        ("an empty token", with(&org.env(), "SF_ACCESS_TOKEN", ""), not_set),
    ];
    for (case, env, says) in cases {
        assert_eq!(sf_login(&env, &["revoke"]), failed(2, says), "{case}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_revoke_that_fails_says_so() {
    let cases = [
        (
            Answer::html(503, "Maintenance").header("Retry-After", "0"),
            1,
            "sf-login: unexpected reply: an HTML page titled \"Maintenance\" (HTTP 503)",
        ),
        (
            Answer::oauth_error("unsupported_token_type", "not this one"),
            4,
            "sf-login: request refused: not this one (unsupported_token_type) (HTTP 400)",
        ),
    ];
    for (answer, code, says) in cases {
        let org = Org::start();
        org.always(REVOKE_PATH, answer);
        let run = sf_login(&kept_env(&org, TOKEN), &["revoke"]);
        assert_eq!((run.code, &*run.stdout), (Some(code), ""));
        assert_eq!(run.headline(), says);
    }
}
