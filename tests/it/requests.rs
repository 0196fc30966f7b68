//! Requests with the token: what goes over the wire, and what comes back.

use std::collections::HashMap;
use std::thread;
use std::time::Instant;

use fake_org::{Answer, Org};
use serde::Deserialize;
use serde_json::{Value, json};
use sf_login::{Error, ErrorKind, Session};

use crate::support::{
    CALLS, Call, LIMITS, OLD, SOON, expired, headers_but_the_agents_name, headline, host, kept, only_request,
    session, shown,
};

#[test]
fn each_method_sends_its_json_and_the_token() {
    let org = Org::start();
    org.always("/services/data/v66.0/things", Answer::json(200, r#"{"id":"001","size":1.5}"#));
    let session = kept(&org);
    let bodies = ["", r#"{"Name":"Ähre \"& Söhne\n","Rating":null}"#, r#"["1.10"]"#, "", r#""x""#];
    let put: (&str, Call) = ("PUT", |session| session.put("things", "x"));
    for ((method, call), body) in CALLS[..4].iter().copied().chain([put]).zip(bodies) {
        let reply = call(&session).unwrap();
        let sent = only_request(&org);

        assert_eq!((&*sent.method, &*sent.path, &*sent.query), (method, "/services/data/v66.0/things", ""));
        assert_eq!(sent.text(), body, "{method}");
        let (bearer, host) = (format!("Bearer {OLD}"), host(&org));
        let length = body.len().to_string();
        let mut headers = vec![
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("authorization", &*bearer),
            ("host", &*host),
        ];
        if !body.is_empty() {
            headers.extend([("content-length", &*length), ("content-type", "application/json")]);
        }
        headers.sort_unstable();
        assert_eq!(headers_but_the_agents_name(&sent), headers, "{method}");
        if method != "DELETE" {
            assert_eq!(reply, json!({ "id": "001", "size": 1.5 }), "{method}");
        }
    }
}

#[test]
fn an_empty_reply_reads_as_null() {
    let empty = [
        ("nothing at all", 204, Answer::new(204)),
        ("nothing", 200, Answer::new(200)),
        ("nothing, compressed", 200, Answer::new(200).gzip()),
        ("no chunk", 201, Answer::new(201).chunked()),
        ("the connection's end", 200, Answer::new(200).by_close()),
        ("white space", 200, Answer::text(200, "\r\n \t")),
        ("null", 200, Answer::json(200, "null")),
    ];
    let org = Org::start();
    let session = kept(&org);
    for (name, status, answer) in empty {
        org.always("/services/data/", answer);
        assert_eq!(session.get::<Value>("x").unwrap(), Value::Null, "{name}");
        session.post::<()>("x", &1).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(session.patch::<Option<Account>>("x", &1).unwrap(), None, "{name}");
        session.delete("x").unwrap_or_else(|error| panic!("{name}: {error}"));

        let error = session.get::<Account>("x").unwrap_err();
        let problem =
            "JSON null that does not fit the type asked for, expected struct Account (line 1 column 4)";
        assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP {status})"), "{name}");
    }
}

#[test]
fn a_reply_that_does_not_fit_says_where_and_quotes_nothing() {
    let org = Org::start();
    let session = kept(&org);
    let says = |body: &str, problem: &str| {
        org.answer(Answer::json(200, body));
        let error = session.get::<Account>("x").unwrap_err();
        assert_eq!(headline(&error), format!("unexpected reply: {problem} (HTTP 200)"), "{body}");
        let kind = ErrorKind::Unexpected { status: 200, problem: problem.to_owned() };
        assert_eq!(error.kind(), &kind, "{body}");
        assert!(!shown(&error).contains("4711"), "a value is quoted: {error}");
        assert!(!error.is_transient(), "{body}");
    };
    let unfit = "JSON that does not fit the type asked for";
    says(
        r#"{"Name":"Ann","Employees":"4711"}"#,
        &format!("{unfit} at Employees, expected u32 (line 1 column 32)"),
    );
    says(
        "{\n \"Name\":4711,\n \"Employees\":1}",
        &format!("{unfit} at Name, expected a string (line 2 column 12)"),
    );
    says(
        r#"{"Name":"Ann","Employees":-4711}"#,
        &format!("{unfit} at Employees, expected u32 (line 1 column 31)"),
    );
    says(r#"["4711"]"#, &format!("{unfit}, expected struct Account with 2 elements (line 1 column 8)"));
    says("{\n \"Name\":\"4711\"\n}", "JSON without the field `Employees` (line 3 column 1)");
    says(r#"{"Name":"4711"#, "not JSON at line 1 column 13");
    says(r#"{"Name":"Ann","Employees":1} 4711"#, "not JSON at line 1 column 30");
    says("4711 is the answer", &format!("{unfit}, expected struct Account (line 1 column 4)"));

    org.answer(Answer::json(200, "").body(b"\"\xff4711\"".to_vec()));
    assert_eq!(headline(&session.get::<Value>("x").unwrap_err()), "unexpected reply: not UTF-8 (HTTP 200)");

    org.answer(Answer::html(200, "Login | Salesforce"));
    let error = session.get::<Account>("x").unwrap_err();
    let page = r#"unexpected reply: an HTML page titled "Login | Salesforce" (HTTP 200)"#;
    assert_eq!(headline(&error), page);
}

#[test]
fn api_versions_are_written_in_three_ways() {
    let org = Org::start();
    org.always("/", Answer::json(200, "1"));
    for (version, path) in
        [("v66.0", "v66.0"), ("61.0", "v61.0"), ("31", "v31.0"), ("V100.0", "v100.0"), (" 60 ", "v60.0")]
    {
        kept(&org).api_version(version).get::<Value>("limits").unwrap();
        assert_eq!(only_request(&org).path, format!("/services/data/{path}/limits"), "{version:?}");
    }
    kept(&org).get::<Value>("limits").unwrap();
    assert_eq!(only_request(&org).path, LIMITS, "the default, which must not change in this version");
    kept(&org).api_version("latest").api_version("61.0").get::<Value>("limits").unwrap();
    assert_eq!(only_request(&org).path, "/services/data/v61.0/limits", "the last one counts");
}

#[test]
fn a_bad_api_version_is_told_by_the_first_request() {
    let org = Org::start();
    for version in ["", "latest", "v", "66.1", "66.0.0", "-1", "99999", "66/../..", "v66.0?"] {
        for (method, call) in CALLS {
            let error = call(&kept(&org).api_version(version)).unwrap_err();
            let message = "api_version is not an API version: write e.g. 66.0";
            assert_eq!(shown(&error), message, "{method} {version:?}");
        }
        let mut records = all_records(&kept(&org).api_version(version));
        assert_eq!(records.len(), 1, "{version:?}");
        let error = records.remove(0).unwrap_err();
        assert_eq!(shown(&error), "api_version is not an API version: write e.g. 66.0", "{version:?}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_body_that_is_no_json_is_a_setting_and_nothing_is_sent() {
    let org = Org::start();
    let keys_are_no_text = HashMap::from([((1, 2), 4711)]);
    for error in [
        kept(&org).post::<Value>("x", &keys_are_no_text).unwrap_err(),
        kept(&org).put::<Value>("x", &keys_are_no_text).unwrap_err(),
        kept(&org).patch::<Value>("x", &keys_are_no_text).unwrap_err(),
    ] {
        assert_eq!(shown(&error), "body cannot be written as JSON");
        let kind =
            ErrorKind::Setting { name: "body".to_owned(), problem: "cannot be written as JSON".to_owned() };
        assert_eq!(error.kind(), &kind);
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn replies_of_more_than_64_mebibytes_are_refused() {
    let org = Org::start();
    let session = session(&org);
    // Compressed, a bomb of some hundred kilobytes: its members follow each other.
    let mebibyte = fake_org::gzip(&vec![b' '; 1024 * 1024]);
    let bomb = Answer::new(200).header("Content-Encoding", "gzip").body(mebibyte.repeat(65));
    org.answer_to("/services/apexrest/", bomb);
    let error = session.get::<Value>("/services/apexrest/bomb").unwrap_err();
    assert_eq!(headline(&error), "unexpected reply: larger than 64 MiB (HTTP 200)");
}

#[test]
fn refusals_keep_what_salesforce_said() {
    let one = |error_code: &'static str, message: &'static str, fields: &[&'static str]| {
        (error_code, message, fields.to_vec())
    };
    let cases = [
        (
            Answer::api_error(400, "MALFORMED_ID", "bad id 4711"),
            vec![one("MALFORMED_ID", "bad id 4711", &[])],
            "bad id 4711 (MALFORMED_ID) (HTTP 400)",
        ),
        (
            Answer::json(403, r#"{"message":"No access","errorCode":"INSUFFICIENT_ACCESS"}"#),
            vec![one("INSUFFICIENT_ACCESS", "No access", &[])],
            "No access (INSUFFICIENT_ACCESS) (HTTP 403)",
        ),
        (
            Answer::json(
                400,
                r#"[{"message":"Pflichtfelder fehlen: [Name, Öl__c]","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name","Öl__c"]},
                    {"message":"too long","errorCode":"STRING_TOO_LONG","fields":[]},{"errorCode":"OTHER"}]"#,
            ),
            vec![
                one("REQUIRED_FIELD_MISSING", "Pflichtfelder fehlen: [Name, Öl__c]", &["Name", "Öl__c"]),
                one("STRING_TOO_LONG", "too long", &[]),
                one("OTHER", "", &[]),
            ],
            "Pflichtfelder fehlen: [Name, Öl__c] (REQUIRED_FIELD_MISSING) [fields: Name, Öl__c]; too long \
             (STRING_TOO_LONG); OTHER (HTTP 400)",
        ),
        (
            Answer::json(400, r#"{"error":"invalid_request","error_description":"must be https"}"#),
            vec![one("invalid_request", "must be https", &[])],
            "must be https (invalid_request) (HTTP 400)",
        ),
        (
            Answer::json(400, r#"[{"message":"a message alone","errorCode":null,"fields":null}]"#),
            vec![one("", "a message alone", &[])],
            "a message alone (HTTP 400)",
        ),
        (
            Answer::json(
                300,
                r#"["/services/data/v66.0/sobjects/Account/001A","/services/data/v66.0/sobjects/Account/001B"]"#,
            ),
            vec![one(
                "",
                "the external id matches several records: /services/data/v66.0/sobjects/Account/001A, \
                 /services/data/v66.0/sobjects/Account/001B",
                &[],
            )],
            "the external id matches several records: /services/data/v66.0/sobjects/Account/001A, \
             /services/data/v66.0/sobjects/Account/001B (HTTP 300)",
        ),
        (
            Answer::json(
                400,
                r#"[{"message":"a\u001b[31m red\u0007 line \u2028and\u202e back","errorCode":"A\u0000B","fields":["x\ny"]}]"#,
            ),
            vec![one("AB", "a[31m red line and back", &["x y"])],
            "a[31m red line and back (AB) [fields: x y] (HTTP 400)",
        ),
        (
            Answer::json(
                400,
                json!([{ "message": "m", "errorCode": OLD.replace('!', "%21"), "fields": [OLD] }]),
            ),
            vec![one("(withheld: it could hold a secret)", "m", &["(withheld: it could hold a secret)"])],
            "m ((withheld: it could hold a secret)) [fields: (withheld: it could hold a secret)] (HTTP 400)",
        ),
    ];
    let org = Org::start();
    let session = kept(&org);
    for (answer, errors, message) in cases {
        for (method, call) in CALLS {
            org.answer(answer.clone());
            let error = call(&session).unwrap_err();
            assert_eq!(headline(&error), format!("request refused: {message}"), "{method}");
            let status = error.status().unwrap();
            assert!(message.ends_with(&format!("HTTP {status})")), "{method}: {message}");
            let ErrorKind::Api { status: told, errors: said } = error.kind() else { panic!("{error}") };
            assert_eq!(*told, status, "{method}");
            let said =
                said.iter().map(|e| (&*e.error_code, &*e.message, e.fields.iter().map(|f| &**f).collect()));
            assert_eq!(said.collect::<Vec<_>>(), errors, "{method}");
            assert!(!error.is_transient(), "{method}: {message}");
        }
    }
}

#[test]
fn lines_that_are_sent_to_be_read_as_lines_stay_lines() {
    let org = Org::start();
    let message = "\nSELECT Idd FROM A\n       ^\nERROR at Row:1:Column:8\nNo such column 'Idd'";
    org.answer(Answer::api_error(400, "INVALID_FIELD", message));
    let error = kept(&org).get::<Value>("x").unwrap_err();
    let ErrorKind::Api { errors, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(errors[0].message, message.trim_start());
    // What is wrong comes first, and below it where.
    let lines = [
        "request refused: No such column 'Idd' (INVALID_FIELD) (HTTP 400)",
        "  SELECT Idd FROM A",
        "         ^",
        "  ERROR at Row:1:Column:8",
    ];
    assert_eq!(shown(&error).lines().take(4).collect::<Vec<_>>(), lines);
}

#[test]
fn refusals_of_another_shape_say_what_came() {
    let cases = [
        (Answer::text(403, "Bad_OAuth_Token"), "text that is not JSON: Bad_OAuth_Token (HTTP 403)"),
        (Answer::text(400, " two\u{1b}[2J\nlines "), "text that is not JSON: two[2J lines (HTTP 400)"),
        (
            Answer::text(400, &format!("token {OLD}")),
            "text that is not JSON: (withheld: it could hold a secret) (HTTP 400)",
        ),
        (
            Answer::text(500, &"é".repeat(501)),
            &format!("text that is not JSON: {}... (HTTP 500)", "é".repeat(500)),
        ),
        (
            Answer::html(404, "URL No Longer Exists"),
            r#"an HTML page titled "URL No Longer Exists" (HTTP 404)"#,
        ),
        (Answer::text(404, "\n\n <html><body>x"), "an HTML page (HTTP 404)"),
        (
            Answer::html(500, &format!("Error for {OLD}")),
            "an HTML page titled \"(withheld: it could hold a secret)\" (HTTP 500)",
        ),
        (Answer::new(500), "empty (HTTP 500)"),
        (Answer::text(400, " \r\n"), "empty (HTTP 400)"),
        (Answer::json(400, "{}"), "JSON of another shape than documented: {} (HTTP 400)"),
        (
            Answer::json(400, r#"["an error"]"#),
            r#"JSON of another shape than documented: ["an error"] (HTTP 400)"#,
        ),
        // As composite/tree refuses, and Apex classes as they like.
        (
            Answer::json(
                400,
                r#"{"hasErrors":true,"results":[{"errors":[{"statusCode":"INVALID_EMAIL"}]}]}"#,
            ),
            r#"JSON of another shape than documented: {"hasErrors":true,"results":[{"errors":[{"statusCode":"INVALID_EMAIL"}]}]} (HTTP 400)"#,
        ),
        (
            Answer::json(400, json!({ "reason": format!("no order for {OLD}") })),
            "JSON of another shape than documented: (withheld: it could hold a secret) (HTTP 400)",
        ),
        (Answer::json(400, r#"{"message""#), r#"text that is not JSON: {"message" (HTTP 400)"#),
    ];
    let org = Org::start();
    let session = kept(&org);
    for (answer, problem) in cases {
        for (method, call) in CALLS {
            org.answer(answer.clone());
            let error = call(&session).unwrap_err();
            assert_eq!(headline(&error), format!("unexpected reply: {problem}"), "{method}");
            assert!(matches!(error.kind(), ErrorKind::Unexpected { .. }), "{method}: {problem}");
            assert!(!error.is_transient(), "{method}: {problem}");
        }
    }
}

#[test]
fn the_login_and_all_requests_share_one_connection() {
    for org in [Org::start(), Org::start_tls()] {
        let session = session(&org);
        org.always("/services/data/", Answer::json(200, "1").gzip());
        for (method, call) in CALLS {
            call(&session).unwrap_or_else(|error| panic!("{method}: {error}"));
        }
        for refusal in [
            Answer::api_error(404, "NOT_FOUND", "no"),
            Answer::html(500, "Oops"),
            Answer::new(204),
            Answer::json(400, "[]").chunked(),
        ] {
            org.answer(refusal);
            drop(session.get::<Value>("x"));
        }
        org.answer(expired());
        assert_eq!(session.get::<u8>("x").unwrap(), 1);
        session.revoke().unwrap();
        assert_eq!(org.requests().len(), 1 + CALLS.len() + 4 + 3 + 1);
        assert_eq!(org.connections(), 1, "{}", org.url());
    }
}

#[test]
fn a_connection_that_the_server_has_closed_meanwhile_is_no_error() {
    for org in [Org::start(), Org::start_tls()] {
        let session = kept(&org);
        org.always("/services/data/", Answer::json(200, "1").then_close());
        for (number, (method, call)) in CALLS.into_iter().cycle().take(10).enumerate() {
            call(&session).unwrap_or_else(|error| panic!("{method}: {error}"));
            assert_eq!(org.requests().len(), number + 1, "{method} was sent once");
            let soon = Instant::now() + SOON;
            while org.open_connections() > 0 {
                assert!(Instant::now() < soon, "the connection stays open");
                thread::yield_now();
            }
        }
        assert_eq!(org.connections(), 10, "{}", org.url());
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Account {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Employees")]
    employees: u32,
}

fn all_records(session: &Session) -> Vec<Result<Value, Error>> {
    session.query("SELECT Id FROM Account").collect()
}
