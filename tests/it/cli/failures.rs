//! A failure: all that is said of it, and its exit code.

use fake_org::{Answer, Org, USERNAME};

use crate::support::{LIMITS, TOKEN_PATH, host, kept_env, login, paths, sf_login, with};

#[test]
fn binary_shows_all_of_an_error() {
    let org = Org::start();
    let run = sf_login(&with(&org.env(), "SF_SECURITY_TOKEN", "stale"), &[]);
    assert_eq!((run.code, &*run.stdout), (Some(3), ""));
    let lines: Vec<_> = run.stderr.lines().collect();
    let tried = format!("tried: password flow, user {USERNAME}, host {}, security token set", host(&org));
    assert_eq!(lines[0], "sf-login: login refused: authentication failure (invalid_grant, HTTP 400)");
    assert_eq!(lines[1], tried);
    // The hints speak of variables, where those of the library speak of methods.
    let hint = "hint: the security token (SF_SECURITY_TOKEN) ";
    assert!(lines[2..].iter().all(|line| line.starts_with("hint: ")), "{}", run.stderr);
    assert!(lines[2..].iter().any(|line| line.starts_with(hint)), "{}", run.stderr);
    assert_eq!(org.logins(), 1, "a refused login is not repeated");
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let soon = |answer: Answer| answer.header("Retry-After", "0");
    let refusal = |status, code| Answer::api_error(status, code, "no");
    let get: &[&str] = &["get", "limits"];
    let busy = soon(Answer::oauth_error("unknown_error", "retry your request"));
    // What is answered at which path, to which arguments; the exit code, and how often it was asked.
    let cases = [
        ("a login answered by a page", TOKEN_PATH, Answer::html(200, "Login"), &[][..], 1, 1),
        ("a login answered by nothing", TOKEN_PATH, Answer::new(200), &[], 1, 1),
        ("a login whose reply is truncated", TOKEN_PATH, Answer::json(200, "{}").cut_after(1), &[], 1, 1),
        ("a login redirected", TOKEN_PATH, Answer::redirect(302, "https://x.example/"), &[], 1, 1),
        ("503 to the end", TOKEN_PATH, soon(Answer::html(503, "Maintenance")), &[], 1, 3),
        ("\"retry your request\" to the end", TOKEN_PATH, busy, &[], 1, 3),
        ("429 to the end", LIMITS, soon(Answer::new(429)), get, 1, 3),
        ("502 to the end", LIMITS, soon(refusal(502, "SERVER_UNAVAILABLE")), get, 1, 3),
        ("a page instead of a resource", LIMITS, Answer::redirect(302, "/login"), get, 1, 1),
        ("a login refused", TOKEN_PATH, Answer::oauth_error("invalid_client", "no"), &[], 3, 1),
        ("a login refused by its status", TOKEN_PATH, Answer::new(401), &[], 3, 1),
        (
            "a login refused, its reason truncated",
            TOKEN_PATH,
            Answer::json(400, "{}").cut_after(1),
            get,
            3,
            1,
        ),
        ("a login refused before get", TOKEN_PATH, Answer::oauth_error("invalid_grant", "no"), get, 3, 1),
        ("a request refused", LIMITS, refusal(403, "REQUEST_LIMIT_EXCEEDED"), get, 4, 1),
        ("a URL that is too long", LIMITS, Answer::html(414, "URI Too Long"), get, 4, 1),
        ("headers that are too long", LIMITS, Answer::new(431), get, 4, 1),
        ("a locked row", LIMITS, refusal(400, "UNABLE_TO_LOCK_ROW"), get, 1, 1),
        ("a request not understood", LIMITS, refusal(400, "MALFORMED_ID"), get, 4, 1),
    ];
    for (case, path, answer, args, code, times) in cases {
        let org = Org::start();
        org.always(path, answer);
        let run = sf_login(&org.env(), args);
        assert_eq!((run.code, &*run.stdout), (Some(code), ""), "{case}: {}", run.stderr);
        assert!(run.stderr.starts_with("sf-login: ") && run.stderr.ends_with('\n'), "{case}: {}", run.stderr);
        let asked = org.requests().iter().filter(|request| request.path == path).count();
        assert_eq!(asked, times, "{case}");
    }
}

#[test]
fn an_expired_token_without_a_login_exits_4_and_with_one_logs_in_once() {
    let org = Org::start();
    let expired = login(&org).token().expect("the login is right");
    let alone = kept_env(&org, expired.access_token());
    org.expire_sessions();
    let _ = org.take_requests();
    let run = sf_login(&alone, &["get", "limits"]);
    assert_eq!((run.code, &*run.stdout), (Some(4), ""));
    let first = "sf-login: request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 401)";
    assert_eq!(run.headline(), first);
    assert_eq!(paths(&org.take_requests()), [LIMITS]);

    let run = sf_login(&[org.env(), alone.clone()].concat(), &["get", "limits"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert!(run.stdout.starts_with('{'), "{}", run.stdout);
    assert_eq!(paths(&org.take_requests()), [LIMITS, TOKEN_PATH, LIMITS]);

    org.expire_sessions();
    let wrong = with(&[org.env(), alone].concat(), "SF_PASSWORD", "wrong");
    let run = sf_login(&wrong, &["get", "limits"]);
    assert_eq!((run.code, &*run.stdout), (Some(3), ""), "{}", run.stderr);
    assert_eq!(paths(&org.take_requests()), [LIMITS, TOKEN_PATH]);
}
