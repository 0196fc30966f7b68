//! What the token endpoint answers, from the documented to the hostile, and what a person is told.

use fake_org::{Answer, Org, gzip};
use serde_json::json;
use sf_login::ErrorKind;

use crate::support::{MINIMAL, TOKEN_PATH, headline, login, refusal, shown};

const MIB: usize = 1024 * 1024;

#[test]
fn refusal_is_told_as_it_came() {
    // error, error_description, and how often the login is tried; hints.txt has the others
    let refusals = [
        ("invalid_grant", "authentication failure", 1),
        ("invalid_grant", "authentication failure - Invalid Password", 1),
        ("invalid_grant", "user hasn't approved this consumer", 1),
        ("invalid_client", "invalid client credentials", 1),
        ("invalid_request", "POST required", 1),
        ("rate_limit_exceeded", "login rate exceeded", 1),
        ("redirect_uri_mismatch", "redirect_uri must match configuration", 1),
        ("unknown_error", "retry your request", 3),
        ("unknown_error", "something else", 1),
        ("not_yet_documented", "a reason that nobody knows yet", 1),
    ];
    let org = Org::start();
    for (error, description, tries) in refusals {
        let got = refusal(&org, Answer::oauth_error(error, description));
        let kind =
            ErrorKind::Refused { status: 400, error: error.to_owned(), description: description.to_owned() };
        assert_eq!(*got.kind(), kind);
        assert_eq!(got.status(), Some(400), "{error}");
        assert_eq!(headline(&got), format!("login refused: {description} ({error}, HTTP 400)"));
        let may_pass = matches!(error, "rate_limit_exceeded" | "unknown_error");
        assert_eq!(got.is_transient(), may_pass, "{error}");
        assert_eq!(org.take_requests().len(), tries, "{error}");

        let got = refusal(&org, Answer::json(400, json!({ "error": error })));
        let kind = ErrorKind::Refused { status: 400, error: error.to_owned(), description: String::new() };
        assert_eq!(*got.kind(), kind);
        assert_eq!(headline(&got), format!("login refused: {error} (HTTP 400)"));
        // Without its description there is no word of trying later.
        assert_eq!(org.take_requests().len(), 1, "{error} alone");
    }
}

#[test]
fn refusal_is_told_however_its_json_is_written() {
    let org = Org::start();
    for body in [
        r#"{"error_description":"AUTHENTICATION FAILURE","error":"INVALID_GRANT","error_uri":null}"#,
        " {\r\n\"Error_Description\" : \"AUTHENTICATION FAILURE\",\n\"ERROR\" : \"INVALID_GRANT\" }\n",
    ] {
        let error = refusal(&org, Answer::json(400, body));
        let message = "login refused: AUTHENTICATION FAILURE (INVALID_GRANT, HTTP 400)";
        assert_eq!(headline(&error), message, "{body}");
    }
}

#[test]
fn refusal_with_values_of_other_types_is_still_told() {
    let org = Org::start();
    let shape = "unexpected reply: JSON of another shape than documented (HTTP 400)";
    let cases = [
        (r#"{"error":"invalid_grant","error_description":null}"#, "login refused: invalid_grant (HTTP 400)"),
        (r#"{"error":"invalid_grant","error_description":17}"#, "login refused: invalid_grant (HTTP 400)"),
        (r#"{"error":{"code":"invalid_grant"}}"#, shape),
        (r#"{"error_description":"authentication failure"}"#, shape),
        (r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#, shape),
    ];
    for (body, expected) in cases {
        assert_eq!(headline(&refusal(&org, Answer::json(400, body))), expected, "{body}");
    }
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
fn page_instead_of_a_token_is_told_by_its_title() {
    let org = Org::start();
    let page =
        |title: &str| format!("<!DOCTYPE html><html><head>{title}</head><body>00D!AQbody</body></html>");
    let bodies = [
        (page("<title>Login | Salesforce</title>"), "an HTML page titled \"Login | Salesforce\""),
        (page("<TITLE lang=\"en\">\n  We are\tdown </TITLE>"), "an HTML page titled \"We are down\""),
        (page("<title></title>"), "an HTML page"),
        (
            page("<title>\u{1b}[31m\u{202e}odd\u{7}</title>"),
            "an HTML page titled \"(withheld: it could hold a secret)\"",
        ),
        (page(""), "an HTML page"),
        (
            format!("\r\n\r\n \t\n{}", page("<title>after lines</title>")),
            "an HTML page titled \"after lines\"",
        ),
        (format!("\u{feff}{}", page("<title>after a BOM</title>")), "an HTML page titled \"after a BOM\""),
        ("<html><title>never ends".to_owned(), "an HTML page"),
        ("<html".to_owned(), "an HTML page"),
    ];
    for (status, tries) in [(200, 1), (404, 1), (420, 3), (500, 1), (502, 3), (503, 3), (504, 3)] {
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
    let error = refusal(&org, Answer::html(200, &"so many words ".repeat(40)));
    let title = format!("{}...", &"so many words ".repeat(40)[..500]);
    let expected = format!("unexpected reply: an HTML page titled {title:?} (HTTP 200)");
    assert_eq!(headline(&error), expected);
}

#[test]
fn reply_that_is_not_a_json_object_is_never_quoted() {
    let org = Org::start();
    let shape = "JSON of another shape than documented";
    let text = "text that is not JSON";
    let bodies: [(&[u8], &str); 16] = [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"null", shape),
        (b"\"00D!AQtext\"", shape),
        (b"[{\"access_token\":\"00D!AQtext\",\"instance_url\":\"https://acme.my.salesforce.com\"}]", shape),
        (b"17", shape),
        (b"access_token=00D!AQtext&instance_url=https%3A%2F%2Facme.my.salesforce.com", text),
        (b"{\"access_token\":\"00D!AQtext\"", text),
        (b"{\"access_token\":\"00D!AQtext\",}", text),
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
        // An empty 503 is documented, an empty anything conceivable. What cannot be read may be a refusal.
        for (status, tries) in [(200, 1), (400, 1), (404, 1), (503, if problem == "empty" { 3 } else { 1 })] {
            let error = refusal(&org, Answer::new(status).body(body));
            assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP {status})"), "{case}");
            assert_eq!(error.is_transient(), status == 503, "{case}");
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
fn truncated_or_corrupted_reply_is_an_error_and_not_repeated() {
    let org = Org::start();
    let cut = "unexpected reply: truncated or corrupted (HTTP 200)";
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
    // All of the JSON came, but not all of the reply, or not as it was sent.
    let mut wrong_sum = gzip(MINIMAL.as_bytes());
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 1;
    let gzipped = |body: Vec<u8>| Answer::new(200).header("Content-Encoding", "gzip").body(body);
    for answer in [
        gzipped(wrong_sum),
        gzipped(MINIMAL.into()),
        Answer::json(200, MINIMAL).content_length(MINIMAL.len() + 1).then_close(),
        Answer::json(200, MINIMAL).chunked().cut_after(MINIMAL.len()),
    ] {
        assert_eq!(headline(&refusal(&org, answer)), cut);
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
    let broke_off = "the connection was lost";
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
        (format!("http://user:00D!AQ@{host}/00D!AQ?00D!AQ#00D!AQ"), elsewhere(&host)),
        ("https://acme.my.salesforce.com".to_owned(), elsewhere("acme.my.salesforce.com")),
        ("http://acme.my.salesforce.com/".to_owned(), elsewhere("acme.my.salesforce.com")),
        ("https://acme.my.salesforce.com\\@evil.example".to_owned(), elsewhere("acme.my.salesforce.com")),
        (format!("//{host}{TOKEN_PATH}"), elsewhere(&host)),
        (TOKEN_PATH.to_owned(), within.clone()),
        (format!("{}{TOKEN_PATH}", org.url()), within.clone()),
        ("/00D!AQ?00D!AQ".to_owned(), within),
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
fn description_loses_control_characters_and_is_capped() {
    let org = Org::start();
    let withheld = || "(withheld: it could hold a secret)".to_owned();
    let cases = [
        ("a\r\nhint: b\tc\u{0}\u{7}\u{8}".to_owned(), "a hint: b c".to_owned()),
        ("\u{1b}]0;title\u{7}\u{1b}[2Jx\u{9b}31m".to_owned(), withheld()),
        ("a\u{202e}b\u{200f}c\u{feff}d\u{2028}e\u{2066}f".to_owned(), "abcd ef".to_owned()),
        ("  a \u{a0} b  ".to_owned(), "a b".to_owned()),
        ("word ".repeat(100), "word ".repeat(100).trim_end().to_owned()),
        ("words ".repeat(100), format!("{}...", &"words ".repeat(100)[..500])),
        ("x".repeat(500_000), withheld()),
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
