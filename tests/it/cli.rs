//! The binary: what it prints for each command, what it says when it fails, and how it exits.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};

use fake_org::{Answer, Org, PASSWORD, SECURITY_TOKEN, USERNAME};
use serde_json::json;

use crate::support::{
    LIMITS, QUERY, REVOKE_PATH, TOKEN_PATH, done, failed, host, kept_env, login, nobody, paths, run,
    sf_login, sf_login_with_input, with, without,
};

const TOKEN: &str = "00D5g00000FakeO!AQ.of_a-test~+/=";

// Logging in.

#[test]
fn each_format_prints_the_login_exactly() {
    let org = Org::start();
    org.setup(|setup| {
        setup.token = Some(TOKEN.to_owned());
        setup.reply_without = ["id", "issued_at", "signature"].map(str::to_owned).to_vec();
        setup.reply_extra.insert("scope".to_owned(), json!("api \"web\"\n"));
        setup.reply_extra.insert("later".to_owned(), json!({ "list": [1, null] }));
    });
    let url = org.url();
    let json = format!(
        r#"{{"access_token":"{TOKEN}","instance_url":"{url}","later":{{"list":[1,null]}},"scope":"api \"web\"\n","token_type":"Bearer"}}"#
    );
    let cases = [
        ("token", TOKEN.to_owned()),
        ("json", json),
        ("env", format!("export SF_ACCESS_TOKEN='{TOKEN}'\nexport SF_ORG_INSTANCE_URL='{url}'")),
        ("dotenv", format!("SF_ACCESS_TOKEN={TOKEN}\nSF_ORG_INSTANCE_URL={url}")),
        ("header", format!("Authorization: Bearer {TOKEN}")),
    ];
    for (format, expected) in cases {
        let together = format!("--format={format}");
        for args in [&["--format", format][..], &[&together]] {
            assert_eq!(sf_login(&org.env(), args), done(&format!("{expected}\n")), "{args:?}");
        }
    }
    assert_eq!(sf_login(&org.env(), &[]), done(&format!("{TOKEN}\n")), "the default");
    let last_counts = ["--format", "json", "--format=header"];
    let header = format!("Authorization: Bearer {TOKEN}\n");
    assert_eq!(sf_login(&org.env(), &last_counts), done(&header), "the last one counts");
    assert_eq!(org.logins(), 12);
}

#[test]
fn the_password_is_the_first_line_of_standard_input() {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(TOKEN.to_owned()));
    let cases = [
        ("a newline", format!("{PASSWORD}\n")),
        ("a Windows line end", format!("{PASSWORD}\r\n")),
        ("no line end", PASSWORD.to_owned()),
        ("a byte order mark", format!("\u{feff}{PASSWORD}\r\n")),
        ("more lines", format!("{PASSWORD}\nuser: ada\n\0\n")),
    ];
    for (case, input) in cases {
        for password in [None, Some("wrong"), Some("")] {
            let mut env = without(&org.env(), "SF_PASSWORD");
            env.extend(password.map(|password| ("SF_PASSWORD", password.to_owned())));
            let run = sf_login_with_input(&env, &["--password-stdin"], input.as_bytes());
            assert_eq!(run, done(&format!("{TOKEN}\n")), "{case}, SF_PASSWORD {password:?}");
        }
    }
}

#[test]
fn nothing_else_is_taken_off_the_password() {
    let org = Org::start();
    for (line, sent) in [
        (" \tpass word \u{feff}", " \tpass word \u{feff}"),
        ("'quoted'\n", "'quoted'"),
        ("\u{feff}\u{feff}x\n", "\u{feff}x"),
    ] {
        let run = sf_login_with_input(&org.env(), &["--password-stdin"], line.as_bytes());
        assert_eq!(run.code, Some(3), "{line:?} is another password: {}", run.stderr);
        let request = org.take_requests().remove(0);
        assert_eq!(request.param("password"), Some(format!("{sent}{SECURITY_TOKEN}")), "{line:?}");
    }
}

#[test]
fn a_password_that_cannot_be_used_is_not_sent() {
    let org = Org::start();
    let none = "--password-stdin got no password on standard input\nsee sf-login --help";
    let nul = "SF_PASSWORD holds a line end or a NUL: write the value alone, on one line";
    let endless = vec![b'x'; 64 * 1024 + 1];
    let cases: [(&str, &[u8], &str); 9] = [
        ("nothing", b"", none),
        ("an empty line", b"\nsecond\n", none),
        ("an empty Windows line", b"\r\n", none),
        ("a byte order mark alone", b"\xef\xbb\xbf\n", none),
        ("Latin-1", b"p\xe4ss\n", "--password-stdin got a password that is not UTF-8\nsee sf-login --help"),
        ("a NUL", b"pa\0ss\n", nul),
        ("a carriage return within", b"pa\rss\n", nul),
        (
            "UTF-16",
            b"\xff\xfep\0a\0\n\0",
            "--password-stdin got a password that is not UTF-8\nsee sf-login --help",
        ),
        ("no password at all", &endless, "--password-stdin got more than a password\nsee sf-login --help"),
    ];
    for (case, input, says) in cases {
        let run = sf_login_with_input(&org.env(), &["--password-stdin"], input);
        assert_eq!(run, failed(2, says), "{case}");
    }
    assert_eq!(org.connections(), 0);
}

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

// Help and usage.

#[test]
fn help_has_every_flow_variable_and_exit_code() {
    let help = sf_login(&[], &["--help"]);
    assert_eq!((help.code, &*help.stderr), (Some(0), ""));
    assert_eq!(sf_login(&[], &["-h"]), help);
    let secret = ["SF_CLIENT_SECRET", "SF_PASSWORD", "SF_SECURITY_TOKEN", "SF_ACCESS_TOKEN", "SSL_CERT_FILE"];
    let described = |name: &str| help.stdout.lines().any(|line| line.starts_with(&format!("  {name}  ")));
    for name in sf_login::ENV_VARS.iter().chain(&secret) {
        assert!(described(name), "{name} is not described");
    }
    assert!(help.stdout.contains("\n  HTTPS_PROXY, ALL_PROXY, NO_PROXY"));
    for code in 0..=4 {
        assert!(help.stdout.contains(&format!("\n  {code}  ")), "exit code {code} is not described");
    }
    let examples = [
        "\n    sf-login\n",
        "export SF_FLOW=client_credentials\n    export SF_LOGIN_URL=https://ACME.my.salesforce.com\n",
        "export SF_FLOW=code_credentials\n    export SF_LOGIN_URL=https://ACME.my.site.com/customers\n",
        "\n    out=$(sf-login --format env) && eval \"$out\"\n",
        "\n    sf-login --password-stdin < password.txt\n",
        "\n    sf-login query 'SELECT Id, Name FROM Account' | jq -r .Name\n",
    ];
    for example in examples {
        assert!(help.stdout.contains(example), "{example:?} is missing");
    }
    for format in ["token", "json", "env", "dotenv", "header"] {
        assert!(help.stdout.contains(&format!("\n  {format} ")), "the format {format} is not described");
    }
    for line in help.stdout.lines() {
        assert!(line.chars().count() <= 80, "longer than a terminal's line: {line}");
    }
}

#[test]
fn version_is_the_crates() {
    let version = done(concat!("sf-login ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(sf_login(&[], &["--version"]), version);
    assert_eq!(sf_login(&[], &["-V"]), version);
}

#[test]
fn asking_a_command_for_help_sends_nothing() {
    let org = Org::start();
    let help = sf_login(&[], &["--help"]);
    for args in [["get", "--help"], ["query", "--help"], ["query", "-h"], ["revoke", "--help"]] {
        assert_eq!(sf_login(&org.env(), &args), help, "{args:?}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_command_line_that_cannot_be_understood_exits_2_and_sends_nothing() {
    let org = Org::start();
    let formats = "--format takes token, json, env, dotenv or header";
    let cases: &[(&[&str], &str)] = &[
        (&["login"], "no such command: there are get, query, revoke and help"),
        (&[""], "no such command: there are get, query, revoke and help"),
        (&["--format"], formats),
        (&["--format="], formats),
        (&["--format", "yaml"], formats),
        (&["--format=JSON"], formats),
        (&["--quiet"], "no option --quiet"),
        (&["--format", "json", "--quiet"], "no option --quiet"),
        (&["-q"], "no option -q"),
        (&["-quiet"], "no option -q"),
        (&["-ä"], "no option -"),
        (&["--password-stdin=yes"], "--password-stdin takes no value"),
        (&["--password-stdin", "limits"], "no such command: there are get, query, revoke and help"),
        (&["get"], "get takes one PATH"),
        (&["get", "limits", "limits"], "get takes one PATH"),
        (&["query"], "query takes one SOQL, in quotes"),
        (&["query", "SELECT", "Id", "FROM", "Account"], "query takes one SOQL, in quotes"),
        (&["revoke", "all"], "revoke takes no argument"),
    ];
    for (args, says) in cases {
        let expected = failed(2, &format!("{says}\nsee sf-login --help"));
        assert_eq!(sf_login(&org.env(), args), expected, "{args:?}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_secret_on_the_command_line_is_not_said_again() {
    let org = Org::start();
    let cases: &[&[&str]] = &[
        &["hunter2"],
        &["--password", "hunter2"],
        &["--password=hunter2"],
        &["-phunter2"],
        &["-p=hunter2"],
        &["--password-stdin=hunter2"],
        &["--password-stdin", "hunter2"],
        &["--format", "hunter2"],
        &["--format=hunter2"],
        &["revoke", "hunter2"],
        &["get", "limits", "hunter2"],
        &["query", "SELECT Id FROM Account", "hunter2"],
    ];
    for args in cases {
        let run = sf_login(&org.env(), args);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{args:?}");
        assert!(run.stderr.ends_with("\nsee sf-login --help\n"), "{args:?}: {}", run.stderr);
        assert!(!run.stderr.contains("hunter2"), "{args:?}: {}", run.stderr);
    }
    assert_eq!(org.connections(), 0);
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf_8_exits_2() {
    use std::os::unix::ffi::OsStrExt as _;

    let path = std::ffi::OsStr::from_bytes(b"sobjects/\xff");
    let output = program(&[]).arg("get").arg(path).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "sf-login: an argument is not UTF-8\nsee sf-login --help\n");
}

// Exit codes.

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
fn an_org_that_cannot_be_reached_exits_1() {
    let org = Org::start();
    let (host, _kept) = nobody();
    let env = with(&org.env(), "SF_LOGIN_URL", &format!("http://{host}"));
    let run = sf_login(&env, &[]);
    assert_eq!((run.code, &*run.stdout), (Some(1), ""));
    let first = format!("sf-login: no reply from {host}: the connection was refused");
    assert_eq!(run.headline(), first);
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

// get

#[test]
fn get_prints_a_resource_byte_for_byte() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let cases: [(&str, Answer, &[u8]); 7] = [
        ("every byte", Answer::new(200).body(every_byte.clone()), &every_byte),
        ("every byte, chunked", Answer::new(200).body(every_byte.clone()).chunked(), &every_byte),
        ("every byte, compressed", Answer::new(200).body(every_byte.clone()).gzip(), &every_byte),
        (
            "every byte, by the connection's end",
            Answer::new(200).body(every_byte.clone()).by_close(),
            &every_byte,
        ),
        ("JSON as it is written", Answer::json(200, "{ \"a\":\r\n 1.10 }\n"), b"{ \"a\":\r\n 1.10 }\n"),
        ("no line end", Answer::text(200, "no line end"), b"no line end"),
        ("nothing", Answer::new(204), b""),
    ];
    let org = Org::start();
    for (case, answer, expected) in cases {
        org.answer_to("/services/data/v66.0/file", answer);
        let output = program(&org.env()).args(["get", "file"]).output().expect("it runs");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{case}");
        assert!(output.stdout == expected, "{case}: {} bytes", output.stdout.len());
    }
}

#[test]
fn get_goes_to_the_path_that_it_is_given() {
    let org = Org::start();
    let token = login(&org).token().expect("the login is right");
    let env = kept_env(&org, token.access_token());
    let _ = org.take_requests();
    let whole = format!("{}/services/apexrest/echo?a=1", org.url());
    let cases = [
        ("limits", "v66.0", LIMITS),
        ("limits", "60", "/services/data/v60.0/limits"),
        ("sobjects/Account/describe", "v58.0", "/services/data/v58.0/sobjects/Account/describe"),
        ("/services/data/", "66.0", "/services/data/"),
        (&whole, "v66.0", "/services/apexrest/echo"),
    ];
    for (path, version, arrived) in cases {
        let run = sf_login(&with(&env, "SF_ORG_API_VERSION", version), &["get", path]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{path}");
        let request = org.take_requests().remove(0);
        assert_eq!((&*request.method, &*request.path), ("GET", arrived));
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {}", token.access_token())));
    }
    let elsewhere = sf_login(&env, &["get", "https://x.example/limits"]);
    let says = format!("path is a URL of x.example, not of {}", org.url());
    assert_eq!(elsewhere, failed(2, &says));
    assert_eq!(org.requests().len(), 0);
}

#[test]
fn a_truncated_resource_is_printed_as_far_as_it_came() {
    let body = "0123456789".repeat(20_000);
    let whole = || Answer::text(200, &body);
    let org = Org::start();
    let cases = [
        ("by its length", whole().cut_after(100_005)),
        ("by its chunks", whole().chunked().cut_after(100_005)),
    ];
    for (case, answer) in cases {
        org.answer_to("/services/data/v66.0/file", answer);
        let run = sf_login(&org.env(), &["get", "file"]);
        assert_eq!(run.code, Some(1), "{case}");
        assert_eq!(run.stdout.len(), 100_005, "{case}");
        assert!(body.starts_with(&run.stdout), "{case}");
        assert_eq!(run.stderr.lines().count(), 1, "{case}: {}", run.stderr);
        assert!(
            run.stderr.starts_with("sf-login: the reply did not arrive whole: "),
            "{case}: {}",
            run.stderr
        );
        assert_eq!(org.take_requests().len(), 2, "{case}: what was printed is not asked for again");
    }
}

// query

#[test]
fn query_prints_each_record_on_a_line_as_salesforce_wrote_it() {
    let org = Org::start();
    let page = |next: &str, records: &str| {
        Answer::json(200, format!("{{\n \"totalSize\" : 3, {next}\n \"records\" : [ {records} ]\n}}\n"))
    };
    let first = "{ \"attributes\": {\"type\":\"X\"},\r\n  \"Amount\" : 1.10,\n\t\"Big\":12345678901234567890.00,\
                 \"Text\":\"a\\nb\\u00e4\\/ \u{e4}\" }, {\"Exp\":1E5,\"Rate\":-0.0}";
    org.answer_to(QUERY, page(&format!("\"done\":false, \"nextRecordsUrl\":\"{QUERY}/01g-2\","), first));
    org.answer_to(QUERY, page("\"done\":true,", "\n{\n}\n").gzip());
    let run = sf_login(&org.env(), &["query", "SELECT X FROM Y WHERE Z = 'a+b & ä'"]);
    let lines = [
        "{ \"attributes\": {\"type\":\"X\"},  \"Amount\" : 1.10,\t\"Big\":12345678901234567890.00,\
         \"Text\":\"a\\nb\\u00e4\\/ \u{e4}\" }",
        "{\"Exp\":1E5,\"Rate\":-0.0}",
        "{}",
        "",
    ];
    assert_eq!(run, done(&lines.join("\n")));
    let requests = org.requests();
    assert_eq!(requests[1].param("q").as_deref(), Some("SELECT X FROM Y WHERE Z = 'a+b & ä'"));
    assert_eq!(requests[2].path, format!("{QUERY}/01g-2"));
}

#[test]
fn query_goes_through_all_pages() {
    let org = Org::start();
    org.seed_accounts(25);
    org.setup(|setup| setup.page_size = 10);
    let run = sf_login(&org.env(), &["query", "SELECT Name FROM Account"]);
    let line = |n| {
        let url = format!("/services/data/v66.0/sobjects/Account/0015g0{n:09}AAA");
        format!(r#"{{"attributes":{{"type":"Account","url":"{url}"}},"Name":"Account {n:05}"}}"#) + "\n"
    };
    assert_eq!(run, done(&(1..=25).map(line).collect::<String>()));
    assert_eq!(org.take_requests().len(), 4, "one login, three pages");
}

#[test]
fn a_query_without_records_prints_nothing() {
    let org = Org::start();
    org.seed_accounts(5);
    for soql in ["SELECT COUNT() FROM Account", "SELECT Id FROM Account WHERE Name = 'nobody'"] {
        assert_eq!(sf_login(&org.env(), &["query", soql]), done(""), "{soql}");
    }
}

#[test]
fn a_query_that_fails_later_has_printed_what_came_before() {
    let cases = [
        (
            "a refusal",
            Answer::api_error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
            4,
            "sf-login: request refused: invalid query locator (INVALID_QUERY_LOCATOR) (HTTP 400)",
        ),
        (
            "a page that is truncated",
            Answer::json(200, "{\"records\":[]}").cut_after(5).header("Retry-After", "0"),
            1,
            "sf-login: unexpected reply: truncated or corrupted (HTTP 200)",
        ),
        (
            "a web page",
            Answer::html(200, "Maintenance"),
            1,
            "sf-login: unexpected reply: an HTML page titled \"Maintenance\" (HTTP 200)",
        ),
        (
            "the first page again",
            Answer::json(
                200,
                json!({ "totalSize": 2, "done": false, "nextRecordsUrl": format!("{QUERY}/01g-1"), "records": [{}] }),
            ),
            1,
            "sf-login: unexpected reply: the query repeats a page: nextRecordsUrl leads back (HTTP 200)",
        ),
    ];
    for (case, answer, code, says) in cases {
        let org = Org::start();
        org.answer_to(QUERY, first_page());
        org.always(&format!("{QUERY}/01g-1"), answer);
        let run = sf_login(&org.env(), &["query", "SELECT Id FROM Account"]);
        assert_eq!((run.code, &*run.stdout), (Some(code), "{\"Id\":\"1\"}\n"), "{case}: {}", run.stderr);
        assert_eq!(run.headline(), says, "{case}");
    }
}

#[test]
fn a_subquery_that_goes_on_elsewhere_is_no_shorter_record() {
    let org = Org::start();
    let contacts = json!({ "totalSize": 300, "done": false, "nextRecordsUrl": "/x", "records": [{}] });
    let record = json!({ "Id": "1", "Contacts": contacts });
    let page = json!({ "totalSize": 1, "done": true, "records": [record] });
    org.answer_to(QUERY, Answer::json(200, page));
    let run = sf_login(&org.env(), &["query", "SELECT Id, (SELECT Id FROM Contacts) FROM Account"]);
    assert_eq!((run.code, &*run.stdout), (Some(1), ""));
    let says = "sf-login: unexpected reply: a subquery has more rows than the page holds (HTTP 200)";
    assert_eq!(run.headline(), says);
}

#[test]
fn a_query_logs_in_anew_between_pages() {
    let org = Org::start();
    org.seed_accounts(30);
    org.setup(|setup| {
        setup.page_size = 10;
        setup.session_uses = Some(2);
    });
    let run = sf_login(&org.env(), &["query", "SELECT Id FROM Account"]);
    assert_eq!((run.code, &*run.stderr, run.stdout.lines().count()), (Some(0), "", 30));
    assert_eq!(org.logins(), 2);
}

#[test]
fn a_page_is_printed_before_the_next_one_is_asked_for() {
    let org = Org::start();
    org.answer_to(QUERY, first_page());
    org.always(&format!("{QUERY}/01g-1"), Answer::stall());
    let mut query = started(program(&org.env()).args(["query", "SELECT Id FROM Account"]));
    assert_eq!(first_line(&mut query), "{\"Id\":\"1\"}\n");
    drop(org);
    assert_eq!(query.wait().expect("it ends").code(), Some(1));
}

// revoke

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
    let not_set = "SF_ACCESS_TOKEN is not set: write the token that is to be logged out\nsee sf-login --help";
    let no_instance = "SF_ORG_INSTANCE_URL is not set: write the instance that SF_ACCESS_TOKEN is for";
    let cases = [
        ("no token", org.env(), not_set),
        ("an empty token", with(&org.env(), "SF_ACCESS_TOKEN", ""), not_set),
        ("an instance alone", with(&org.env(), "SF_ORG_INSTANCE_URL", &org.url()), not_set),
        ("a token alone", with(&org.env(), "SF_ACCESS_TOKEN", TOKEN), no_instance),
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

// Where the output goes.

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let org = Org::start();
    org.seed_accounts(3000);
    let line = "x".repeat(99) + "\n";
    org.always("/services/data/v66.0/file", Answer::text(200, &line.repeat(10_000)));
    for args in [["query", "SELECT Id, Name FROM Account"], ["get", "file"]] {
        let mut child = started(program(&org.env()).args(args));
        assert!(first_line(&mut child).len() > 90, "{args:?}");
        let output = ended(child);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{args:?}");
    }
}

#[cfg(unix)]
#[test]
fn standard_output_that_nobody_reads_is_an_error_for_a_token() {
    use std::net::Shutdown;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let org = Org::start();
    for format in ["token", "json", "env", "dotenv", "header"] {
        // A socket, because shutting it down ends it also for a child that another test is just starting.
        let (reader, writer) = UnixStream::pair().unwrap();
        reader.shutdown(Shutdown::Both).unwrap();
        let mut login = program(&org.env());
        let login = login.args(["--format", format]).stdout(OwnedFd::from(writer)).stderr(Stdio::piped());
        let output = ended(login.spawn().expect("the binary starts"));
        let error = "sf-login: cannot write to standard output: Broken pipe (os error 32)\n";
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), error), "{format}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        println!("skipped: this system has no /dev/full");
        return;
    };
    let org = Org::start();
    org.seed_accounts(3);
    let cases: [&[&str]; 4] = [&[], &["get", "limits"], &["query", "SELECT Id FROM Account"], &["--help"]];
    for args in cases {
        let full = full.try_clone().expect("a file can be opened twice");
        let output = program(&org.env()).args(args).stdout(full).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let says = "sf-login: cannot write to standard output: No space left on device (os error 28)\n";
        assert_eq!(text(&output.stderr), says, "{args:?}");
    }
}

#[test]
fn a_terminal_sees_who_logged_in_where_and_how_far_a_query_is() {
    let version = Command::new("script").arg("--version").stdin(Stdio::null()).output();
    if !version.is_ok_and(|version| version.stdout.windows(10).any(|word| word == b"util-linux")) {
        println!("skipped: this system lacks the program that lends a terminal");
        return;
    }
    let org = Org::start();
    org.setup(|setup| {
        setup.token = Some(TOKEN.to_owned());
        setup.page_size = 1000;
    });
    org.seed_accounts(2500);
    let host = org.url().replace("http://", "");
    let who = format!("password flow, user {USERNAME}, host {host}, security token set");
    let who = format!("sf-login: logged in to {} ({who})\r\n", org.url());
    let progress = ["1,000", "2,000", "2,500"].map(|n| format!("\r{n} of 2,500 records")).concat();
    let token = login(&org).token().expect("the login is right");
    let kept = [org.env(), kept_env(&org, token.access_token())].concat();
    let cases = [
        ("", org.env(), who.clone(), 1),
        ("get limits", org.env(), who.clone(), 1),
        ("get limits", kept.clone(), String::new(), 1),
        ("query 'SELECT Name FROM Account'", org.env(), format!("{who}{progress}\r\u{1b}[K"), 2500),
        ("query 'SELECT COUNT() FROM Account'", kept.clone(), String::new(), 0),
    ];
    let on_terminal = |env: &[(&'static str, String)], args: &str| {
        let command = format!("'{}' {args}; echo >&3", env!("CARGO_BIN_EXE_sf-login"));
        let env =
            [&with(env, "COMMAND", &command)[..], &[("PATH", std::env::var("PATH").unwrap_or_default())]]
                .concat();
        run(&env, "sh", &["-c", "exec 3>&1; script -qec \"$COMMAND\" /dev/null >&2"], b"")
    };
    for (args, env, says, lines) in cases {
        // Standard output goes around the terminal, which standard error is left with.
        let run = on_terminal(&env, &format!("{args} >&3"));
        assert_eq!((run.code, &*run.stderr), (Some(0), &*says), "{args}");
        assert_eq!(run.stdout.trim_end().lines().count(), lines, "{args}: {}", run.stdout);
        assert!(!run.stdout.contains(['\r', '\u{1b}']), "{args}: {}", run.stdout);
    }
    // A kept token that is of no use any more is told, since every command would log in anew.
    let expired = with(&kept, "SF_ACCESS_TOKEN", "expired");
    let new_login = who.replace("logged in", "the session had expired; logged in");
    let run = on_terminal(&expired, "get limits >&3");
    assert_eq!((run.code, &*run.stderr), (Some(0), &*new_login));

    // A password that is typed would be seen, and nobody asked for it.
    let logins = org.logins();
    let run = on_terminal(&org.env(), "--password-stdin >&3");
    let refused = "sf-login: --password-stdin does not ask: pipe the password in, or set SF_PASSWORD by read -rs\r\n\
                   see sf-login --help\r\n";
    assert_eq!((run.stdout.trim(), &*run.stderr, org.logins()), ("", refused, logins));

    // Where the records go to the terminal as well, the progress has a line of its own and is wiped.
    let run = on_terminal(&kept, "query 'SELECT Name FROM Account LIMIT 1'");
    let record = r#"{"attributes":{"type":"Account","url":"/services/data/v66.0/sobjects/Account/0015g0000000001AAA"},"Name":"Account 00001"}"#;
    let progress = "\r1 of 1 records\r\u{1b}[K";
    assert_eq!((run.code, run.stderr), (Some(0), format!("{record}\r\n{progress}")));
}

// What these tests speak of.

/// One record, and more to come.
fn first_page() -> Answer {
    let page = json!({ "totalSize": 2, "done": false, "nextRecordsUrl": format!("{QUERY}/01g-1"), "records": [{ "Id": "1" }] });
    Answer::json(200, page)
}

fn program(env: &[(&'static str, String)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sf-login"));
    program.env_clear().envs(env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    program
}

fn started(program: &mut Command) -> Child {
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Reads one line and no more of what it prints; the pipe stays open as long as the child is held.
fn first_line(child: &mut Child) -> String {
    let mut stdout = BufReader::with_capacity(1024, child.stdout.as_mut().expect("stdout is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("it prints UTF-8");
    line
}

/// Closes the pipe from which nothing more is read, and waits.
fn ended(mut child: Child) -> Output {
    drop(child.stdout.take());
    let mut stderr = Vec::new();
    child.stderr.take().expect("stderr is piped").read_to_end(&mut stderr).expect("stderr can be read");
    let status = child.wait().expect("it ends");
    Output { status, stdout: Vec::new(), stderr }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it writes UTF-8")
}
