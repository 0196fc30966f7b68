//! The password flow: the bytes that are sent.

use fake_org::{CLIENT_ID, Org, PASSWORD, SECURITY_TOKEN};
use sf_login::App;

use crate::support::{TOKEN_PATH, agent, assert_sent, forms, headline, login, sf_login, with};

/// All that a form, a URL, a shell or JSON might take for its own.
const AWKWARD: &str = "space + & = % # \" ' \\ / ; < > ä 😀";

/// The same, form-encoded once.
const AWKWARD_ENCODED: &str = "space+%2B+%26+%3D+%25+%23+%22+%27+%5C+%2F+%3B+%3C+%3E+%C3%A4+%F0%9F%98%80";

#[test]
fn login_encodes_each_value_once_and_takes_spaces_off_all_but_the_password() {
    let org = Org::start();
    let login = App::new(format!(" id {AWKWARD}\u{a0}"), format!("\tsecret {AWKWARD} "))
        .password(format!("\u{a0} user {AWKWARD}\t"), format!(" password {AWKWARD}"))
        .security_token(format!(" token {AWKWARD} "))
        .login_url(org.url())
        .agent(agent(&org));
    let error = login.token().unwrap_err();
    assert_eq!(headline(&error), "login refused: client identifier invalid (invalid_client_id, HTTP 400)");

    let requests = org.take_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].text(),
        format!(
            "grant_type=password\
             &client_id=id+{AWKWARD_ENCODED}\
             &client_secret=secret+{AWKWARD_ENCODED}\
             &username=user+{AWKWARD_ENCODED}\
             &password=+password+{AWKWARD_ENCODED}+token+{AWKWARD_ENCODED}+"
        )
    );
    // And the other way round, by somebody else's decoder.
    let field = |name: &str, value: String| (name.to_owned(), value);
    assert_eq!(
        requests[0].form(),
        [
            field("grant_type", "password".to_owned()),
            field("client_id", format!("id {AWKWARD}")),
            field("client_secret", format!("secret {AWKWARD}")),
            field("username", format!("user {AWKWARD}")),
            field("password", format!(" password {AWKWARD} token {AWKWARD} ")),
        ]
    );
}

#[test]
fn binary_sends_exactly_these_bytes() {
    let org = Org::start();
    let env = with(&with(&org.env(), "SF_CLIENT_SECRET", AWKWARD), "SF_PASSWORD", AWKWARD);
    let run = sf_login(&env, &[]);
    assert_eq!((run.code, &*run.stdout), (Some(3), ""));
    assert!(forms(AWKWARD).iter().all(|form| !run.stderr.contains(form)), "{}", run.stderr);

    let requests = org.take_requests();
    assert_eq!(requests.len(), 1);
    let body = format!(
        "grant_type=password&client_id={CLIENT_ID}&client_secret={AWKWARD_ENCODED}\
         &username=ada%40example.com&password={AWKWARD_ENCODED}{SECURITY_TOKEN}"
    );
    assert_sent(&org, &requests[0], TOKEN_PATH, "", &body);
}

#[test]
fn latest_security_token_counts() {
    let org = Org::start();
    login(&org).security_token("an old one").security_token(SECURITY_TOKEN).token().unwrap();
    assert_eq!(org.take_requests()[0].param("password"), Some(format!("{PASSWORD}{SECURITY_TOKEN}")));
}
