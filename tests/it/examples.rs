//! The example programs, run as a reader of them would run them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::{Answer, CLIENT_ID, ORG_ID, Org, USER_ID, USERNAME};
use serde_json::{Value, json};

use crate::support::{QUERY, Run, TOKEN_PATH, assert_no_secret, done, host, run, with};

const API: &str = "/services/data/v66.0";
const JOBS: &str = "/services/data/v66.0/jobs/query";

// quickstart

#[test]
fn quickstart_shows_the_three_steps_with_nothing_set_up() {
    let shown = quickstart(&[]);
    assert_eq!((shown.code, &*shown.stderr), (Some(0), ""));
    let port = shown.stdout.split("127.0.0.1:").nth(1).expect("it names its org");
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let expected = format!(
        "SF_CLIENT_ID is not set, so this logs in to a small Salesforce on this machine:
password flow, user {USERNAME}, host 127.0.0.1:PORT, security token set

1. What was sent

    POST /services/oauth2/token HTTP/1.1
    accept-encoding: gzip
    user-agent: ...
    host: 127.0.0.1:PORT
    content-type: application/x-www-form-urlencoded
    accept: application/json
    content-length: 215

    grant_type=password
    client_id={CLIENT_ID}
    client_secret=********
    username={USERNAME}
    password=********

2. What came back

    access_token: ********
    id: https://127.0.0.1:PORT/id/{ORG_ID}/{USER_ID}
    instance_url: https://127.0.0.1:PORT
    issued_at: ...
    signature: ********
    token_type: Bearer

3. A request made with the token: the names of some accounts

    Account 00001
    Account 00002
    Account 00003

What next: README.md, \"What you need in the org\"; cargo run -- --help; cargo doc --open
"
    );
    assert_eq!(shown.stdout.replace(&port, "PORT"), expected);
}

#[test]
fn quickstart_logs_in_with_the_settings_and_masks_what_it_does_not_know() {
    let org = Org::start_tls();
    let url = org.url();
    org.seed_accounts(1);
    org.setup(|setup| {
        setup.reply_extra.insert("id_token".to_owned(), json!("eyJ!AQ"));
        setup.reply_extra.insert("scope".to_owned(), json!("api"));
    });
    let expected = format!(
        "Logging in: password flow, user {USERNAME}, host {host}, security token set

2. What came back

    access_token: ********
    id: {url}/id/{ORG_ID}/{USER_ID}
    id_token: ********
    instance_url: {url}
    issued_at: ...
    scope: api
    signature: ********
    token_type: Bearer

3. A request made with the token: the names of some accounts

    Account 00001

What next: README.md, \"What you need in the org\"; cargo run -- --help; cargo doc --open
",
        host = host(&org)
    );
    assert_eq!(quickstart(&org.env()), done(&expected));
    assert_eq!(paths(&org), [TOKEN_PATH, QUERY]);
}

// sync_accounts

#[test]
fn sync_accounts_rates_what_has_changed_and_finds_nothing_to_do_then() {
    let org = Org::start();
    org.seed_accounts(4);
    let account = |id: Value, employees: Value, rating: Value| {
        let fields =
            json!({ "Name": "X", "External_Id__c": id, "NumberOfEmployees": employees, "Rating": rating });
        org.create("Account", fields);
    };
    account(json!("A/7 #2"), json!(100), json!("Cold"));
    account(json!("big"), json!(1000), json!("Hot"));
    account(json!("ä'?"), Value::Null, Value::Null);
    account(Value::Null, json!(5000), Value::Null);
    let since = "2026-01-01T00:03:00+00:00";
    let run = example(&org.env(), "sync_accounts", &[since], "");
    assert_eq!(run, done("5 accounts changed since 2026-01-01T00:03:00+00:00, 4 rated anew\n"));

    let records = org.records("Account");
    let ratings: Vec<_> = records.iter().map(|record| record.get("Rating").and_then(Value::as_str)).collect();
    let cold = Some("Cold");
    assert_eq!(ratings, [None, None, cold, cold, Some("Warm"), Some("Hot"), cold, None]);
    let requests = org.take_requests();
    let soql = "SELECT External_Id__c, NumberOfEmployees, Rating FROM Account WHERE LastModifiedDate >= \
                2026-01-01T00:03:00+00:00 AND External_Id__c != null";
    assert_eq!(requests[1].param("q").as_deref(), Some(soql));
    let writes = requests.iter().filter(|request| request.method == "PATCH");
    let writes: Vec<_> = writes.map(|request| (request.path.rsplit('/').next(), request.text())).collect();
    let expected = [
        (Some("EXT-00003"), r#"{"Rating":"Cold"}"#),
        (Some("EXT-00004"), r#"{"Rating":"Cold"}"#),
        (Some("A%2F7%20%232"), r#"{"Rating":"Warm"}"#),
        (Some("%C3%A4%27%3F"), r#"{"Rating":"Cold"}"#),
    ];
    assert_eq!(writes, expected);

    let run = example(&org.env(), "sync_accounts", &[since], "");
    assert_eq!(run, done("5 accounts changed since 2026-01-01T00:03:00+00:00, 0 rated anew\n"));
    assert_eq!(paths(&org), [TOKEN_PATH, QUERY]);
}

#[test]
fn sync_accounts_begins_with_yesterday() {
    let org = Org::start();
    org.seed_accounts(1);
    let run = example(&org.env(), "sync_accounts", &[], "");
    assert_eq!(run, done("0 accounts changed since YESTERDAY, 0 rated anew\n"));
    let soql = org.requests()[1].param("q").expect("it asks");
    assert!(soql.contains(" WHERE LastModifiedDate >= YESTERDAY AND "), "{soql}");
}

#[test]
fn sync_accounts_takes_nothing_but_a_time() {
    let org = Org::start();
    for since in ["2026-01-01 OR Name != null", "'2026'", "a,b", "(SELECT Id FROM User)"] {
        let run = example(&org.env(), "sync_accounts", &[since], "");
        assert_eq!(run, failed("Error: SINCE is not a time: write e.g. 2026-11-23T00:00:00Z\n"), "{since}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn sync_accounts_survives_sessions_that_expire() {
    let org = Org::start();
    org.seed_accounts(10);
    org.setup(|setup| {
        setup.page_size = 4;
        setup.session_uses = Some(3);
    });
    let run = example(&org.env(), "sync_accounts", &["2026-01-01T00:00:00Z"], "");
    assert_eq!(run, done("10 accounts changed since 2026-01-01T00:00:00Z, 10 rated anew\n"));
    assert!(org.records("Account").iter().all(|record| record["Rating"] == "Cold"));
    assert_eq!(org.logins(), 5, "three pages and ten writes, three requests a session");
    let writes = org.requests().iter().filter(|request| request.method == "PATCH").count();
    assert_eq!(writes, 14, "four of them met an expired session first");
}

// bulk_query

#[test]
fn bulk_query_waits_for_its_job_and_prints_the_csv() {
    let org = Org::start();
    org.seed_accounts(2);
    org.create("Account", json!({ "Name": "Ada, \"Countess\"\nof Lovelace" }));
    let run = example(&org.env(), "bulk_query", &["SELECT Name, External_Id__c FROM Account"], "");
    let csv = "\"Name\",\"External_Id__c\"\n\"Account 00001\",\"EXT-00001\"\n\"Account 00002\",\"EXT-00002\"\n\
               \"Ada, \"\"Countess\"\"\nof Lovelace\",\"\"\n";
    assert_eq!(run, done(csv));
    let requests = org.requests();
    let soql = "SELECT Name, External_Id__c FROM Account";
    let job: Value = serde_json::from_slice(&requests[1].body).expect("the job is JSON");
    assert_eq!(job, json!({ "operation": "query", "query": soql }));
    let lines: Vec<String> =
        requests.iter().map(|r| format!("{} {}?{}", r.method, r.path, r.query)).collect();
    let job = format!("{JOBS}/7505g0000000001AAA");
    let expected = [
        format!("POST {TOKEN_PATH}?"),
        format!("POST {JOBS}?"),
        format!("GET {job}?"),
        format!("GET {job}?"),
        format!("GET {job}/results?maxRecords=50000"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(requests[4].header("accept"), Some("text/csv"));
}

#[test]
fn bulk_query_joins_the_pages_and_survives_an_expired_session() {
    let org = Org::start();
    org.seed_accounts(50_003);
    // Creating and asking twice; then the two pages.
    org.setup(|setup| setup.session_uses = Some(4));
    let run = example(&org.env(), "bulk_query", &[], "");
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!((lines.len(), lines[0]), (50_004, "\"Id\",\"Name\""));
    for (n, line) in lines.iter().enumerate().skip(1) {
        assert_eq!(*line, format!("\"0015g0{n:09}AAA\",\"Account {n:05}\""));
    }
    let pages: Vec<String> = org.requests().into_iter().map(|request| request.query).skip(4).collect();
    let (first, second) = ("maxRecords=50000", "maxRecords=50000&locator=NTAwMDA");
    assert_eq!(pages, [first, second, "", second], "with a new login before the second page");
}

#[test]
fn bulk_query_prints_what_has_come_while_the_rest_is_on_its_way() {
    let org = Org::start();
    let csv = "\"Id\"\n\"1\"\n\"2\"\n";
    org.answer_to(JOBS, Answer::json(200, r#"{"id":"750","state":"UploadComplete"}"#));
    org.answer_to(&format!("{JOBS}/750"), Answer::json(200, r#"{"id":"750","state":"JobComplete"}"#));
    let results = Answer::new(200).header("Sforce-Locator", "null").body(csv).chunked().stall_after(10);
    org.answer_to(&format!("{JOBS}/750/results"), results);
    let mut bulk = Command::new(path("bulk_query"))
        .env_clear()
        .envs(org.env())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(bulk.stdout.take().expect("stdout is piped")).lines();
    let mut line = || lines.next().expect("there is a line").expect("it is UTF-8");
    assert_eq!((line(), line()), ("\"Id\"".to_owned(), "\"1\"".to_owned()));
    drop(org);
    assert_eq!(bulk.wait().expect("it ends").code(), Some(1));
}

#[test]
fn bulk_query_says_why_there_is_no_result() {
    const JOB: &str = "jobs/query/7505g0000000001AAA";
    let state = |state: &str| Answer::json(200, json!({ "state": state }));
    let results = |answer: Answer| (format!("/services/data/v66.0/{JOB}/results"), answer);
    let job = |answer: Answer| (format!("/services/data/v66.0/{JOB}"), answer);
    let csv = || Answer::new(200).body("\"Id\"\n\"1\"\n\"2\"\n");
    let cases = [
        ("aborted", job(state("Aborted")), "", format!("{JOB} is Aborted: no reason given")),
        (
            "truncated",
            results(csv().header("Sforce-Locator", "null").cut_after(10)),
            "\"Id\"\n\"1\"\n\"",
            "the results were not copied to their end".to_owned(),
        ),
        ("without a locator", results(csv()), "", "no Sforce-Locator".to_owned()),
        (
            "refused",
            (JOBS.to_owned(), Answer::api_error(400, "INVALIDJOB", "no such operation")),
            "",
            "request refused: no such operation (INVALIDJOB) (HTTP 400)".to_owned(),
        ),
        ("without an id", (JOBS.to_owned(), state("UploadComplete")), "", "the job has no id".to_owned()),
    ];
    for (case, (path, answer), stdout, says) in cases {
        let org = Org::start();
        org.answer_to(&path, answer);
        let run = example(&org.env(), "bulk_query", &[], "");
        assert_eq!((run.code, &*run.stdout), (Some(1), stdout), "{case}: {}", run.stderr);
        assert_eq!(run.headline(), format!("Error: {says}"), "{case}");
    }
    let org = Org::start();
    org.setup(|setup| setup.bulk_fails = true);
    let run = example(&org.env(), "bulk_query", &[], "");
    assert_eq!(run, failed(&format!("Error: {JOB} is Failed: InternalServerError : the job failed\n")));
}

// bulk_load

#[test]
fn bulk_load_writes_the_rows_and_prints_those_that_were_refused() {
    // The file's own line ends are told to Salesforce.
    for end in ["\n", "\r\n"] {
        let org = Org::start();
        org.create("Account", json!({ "Name": "Old", "External_Id__c": "A/7" }));
        let csv =
            ["External_Id__c,Name,NumberOfEmployees", "A/7,\"New, ä\",7", "B,,1", "C,Other,2", ""].join(end);
        let run = bulk_load(&org, &csv);
        let failed = "\"sf__Id\",\"sf__Error\",\"External_Id__c\",\"Name\",\"NumberOfEmployees\"\n\
                      \"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\",\"B\",\"\",\"1\"\n";
        assert_eq!((run.code, &*run.stdout), (Some(1), failed), "{}", run.stderr);
        assert_eq!(run.stderr, "Error: 1 records refused\n");
        let names: Vec<_> = org.records("Account").iter().map(|record| record["Name"].clone()).collect();
        assert_eq!(names, ["New, ä", "Other"]);
        let job = format!("{API}/jobs/ingest/7505g0000000001AAA");
        let expected = [
            TOKEN_PATH.to_owned(),
            format!("{API}/jobs/ingest"),
            format!("{job}/batches"),
            job.clone(),
            job.clone(),
            job.clone(),
            format!("{job}/failedResults"),
        ];
        assert_eq!(paths(&org), expected);
    }
}

#[test]
fn bulk_load_succeeds_when_all_rows_were_written() {
    let org = Org::start();
    let run = bulk_load(&org, "External_Id__c,Name\nA,One\nB,Two\n");
    assert_eq!(run, done("\"sf__Id\",\"sf__Error\",\"External_Id__c\",\"Name\"\n"));
    assert_eq!(org.records("Account").len(), 2);
}

#[test]
fn bulk_load_says_why_a_job_failed_or_did_not_begin() {
    let org = Org::start();
    let run = bulk_load(&org, "External_Id__c,Nome\nA,One\n");
    let says = "jobs/ingest/7505g0000000001AAA is Failed: InvalidBatch : Field name not found : Nome";
    assert_eq!(run, failed(&format!("Error: {says}\n")));
    let run = example(&org.env(), "bulk_load", &["Account", "External_Id__c", "/no/such/file"], "");
    assert_eq!(run.headline(), "Error: /no/such/file cannot be read");
    let run = example(&org.env(), "bulk_load", &[], "");
    assert_eq!(run, failed("Error: usage: bulk_load OBJECT FIELD FILE\n"));
    assert_eq!(org.logins(), 1);
}

// upsert_records

#[test]
fn upsert_records_writes_200_a_request() {
    let org = Org::start();
    org.create("Account", json!({ "Name": "Old", "External_Id__c": "EXT-001" }));
    let lines: Vec<String> = (1..=401)
        .map(|n| format!(r#"{{"attributes":{{"type":"Account","url":"/x"}},"External_Id__c":"EXT-{n:03}","Name":"N{n}"}}"#))
        .collect();
    let upsert = |input: &str| example(&org.env(), "upsert_records", &["Account", "External_Id__c"], input);
    assert_eq!(upsert(&lines.join("\n")), done("401 records written\n"));
    let records = org.records("Account");
    assert_eq!((records.len(), &records[0]["Name"]), (401, &json!("N1")));
    let requests = org.take_requests();
    let sizes: Vec<usize> = requests[1..]
        .iter()
        .map(|request| {
            assert_eq!(request.path, format!("{API}/composite/sobjects/Account/External_Id__c"));
            let body: Value = serde_json::from_slice(&request.body).expect("it is JSON");
            assert_eq!(body["records"][0]["attributes"], json!({ "type": "Account" }));
            body["records"].as_array().map_or(0, Vec::len)
        })
        .collect();
    assert_eq!(sizes, [200, 200, 1]);
    // Once more, as after a lost connection: nothing is there twice.
    assert_eq!(upsert(&lines.join("\n")), done("401 records written\n"));
    assert_eq!(org.records("Account").len(), 401);
}

#[test]
fn upsert_records_sees_refusals_within_a_status_of_200() {
    let org = Org::start();
    let lines = r#"{"External_Id__c":"A","Name":"One"}
{"External_Id__c":"B"}
{"External_Id__c":"C","Name":"Three"}"#;
    let upsert = |input: &str| example(&org.env(), "upsert_records", &["Account", "External_Id__c"], input);
    let run = upsert(lines);
    assert_eq!((run.code, &*run.stdout), (Some(1), "2 records written\n"));
    let told: Vec<&str> = run.stderr.lines().collect();
    let (line, errors) = told[0].split_once(": ").expect("it says where and why");
    let errors: Value = serde_json::from_str(errors).expect("it is JSON");
    assert_eq!((line, &errors[0]["statusCode"]), ("line 2", &json!("REQUIRED_FIELD_MISSING")));
    assert_eq!(told[1..], ["Error: 1 records refused"]);

    let run = upsert("{\"External_Id__c\":\"D\",\"Name\":\"Four\"}\n[]");
    assert_eq!(run.headline(), "Error: line 2 is not a JSON object");
    assert_eq!(org.records("Account").len(), 2, "a request is sent as a whole, or not at all");
}

// jwt_login

#[test]
fn jwt_login_keeps_the_token_of_its_user_and_drops_that_of_another() {
    let org = Org::start();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("jwt-login-{}", std::process::id()));
    let path = file.to_str().expect("the path is UTF-8");
    let run = || example(&org.env_for("jwt_bearer"), "jwt_login", &[path], "");
    let says = || done(&format!("requests run as {USERNAME}\n"));
    assert_eq!((run(), run(), org.logins()), (says(), says(), 1));
    org.expire_sessions();
    assert_eq!((run(), run(), org.logins()), (says(), says(), 2));
    let kept = fs::read_to_string(path).expect("it is there");
    fs::write(path, kept.replace(USERNAME, "eve@example.com")).expect("it is ours");
    assert_eq!((run(), org.logins()), (says(), 3));
    fs::remove_file(path).expect("it is still there");
    assert_eq!(example(&[], "jwt_login", &[], ""), failed("Error: usage: jwt_login FILE\n"));
}

#[test]
fn a_login_that_fails_in_an_example_shows_the_hints() {
    for name in ["sync_accounts", "bulk_query"] {
        let org = Org::start();
        let run = example(&with(&org.env(), "SF_PASSWORD", "wrong"), name, &[], "");
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{name}");
        let lines: Vec<&str> = run.stderr.lines().collect();
        assert_eq!(lines[0], "Error: login refused: authentication failure (invalid_grant, HTTP 400)");
        let tried = format!("password flow, user {USERNAME}, host {}, security token set", host(&org));
        assert_eq!(lines[1], format!("tried: {tried}"));
        assert!(lines.len() > 3 && lines[2..].iter().all(|line| line.starts_with("hint: ")), "{lines:?}");
        assert_eq!(org.logins(), 1, "a refused login is not repeated");
    }
}

// build_script

#[test]
fn the_build_script_watches_no_secret() {
    const SCRIPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/build_script/build.rs"));
    let watched: Vec<&str> = SCRIPT.split("cargo::rerun-if-env-changed=").skip(1).collect();
    assert_eq!(watched.len(), 2, "all that is watched for changes in the environment");
    assert!(watched[0].starts_with("SF_REFRESH\""), "{}", watched[0]);
    assert!(watched[0].contains("    for name in sf_login::ENV_VARS {\n"), "{}", watched[0]);
    assert!(watched[1].starts_with("{name}\""), "{}", watched[1]);
    assert!(!SCRIPT.contains("cargo:rerun"), "the old form would escape this test");
    for secret in ["SF_CLIENT_SECRET", "SF_PASSWORD", "SF_SECURITY_TOKEN", "SF_ACCESS_TOKEN"] {
        assert!(!SCRIPT.contains(secret) && !sf_login::ENV_VARS.contains(&secret), "{secret}");
    }
    assert!(SCRIPT.contains(r#"env::var_os("SF_REFRESH").is_some_and(|value| value == "1")"#));
    assert!(SCRIPT.contains(r#"env::var_os("DOCS_RS").is_none()"#));
}

// What these tests speak of.

/// Runs an example in an environment of these variables alone. What it prints holds no secret.
fn example(env: &[(&'static str, String)], name: &str, args: &[&str], input: &str) -> Run {
    let run = run(env, path(name), args, input.as_bytes());
    assert_no_secret(&run.stdout);
    run
}

/// Loads this CSV into Account.
fn bulk_load(org: &Org, csv: &str) -> Run {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("bulk-load-{}-{}.csv", std::process::id(), COUNT.fetch_add(1, SeqCst));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, csv).expect("there is room for a file");
    let path = file.to_str().expect("the path is UTF-8");
    let run = example(&org.env(), "bulk_load", &["Account", "External_Id__c", path], "");
    fs::remove_file(file).expect("it is still there");
    run
}

/// Where an example's program is. Cargo says it, and builds the example if nobody has: `cargo test` has,
/// `cargo test --test it` has not.
fn path(name: &str) -> PathBuf {
    static BUILT: OnceLock<Vec<Value>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--examples", "--offline", "--message-format=json"]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        // What cargo tells a test of its package would have dependencies built anew that watch it.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&*name);
            }
        }
        let cargo = cargo.output().expect("cargo starts");
        assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
        let messages = serde_json::Deserializer::from_slice(&cargo.stdout).into_iter();
        messages.collect::<Result<_, _>>().expect("cargo speaks JSON")
    });
    let example =
        built.iter().find(|made| made["target"]["kind"][0] == "example" && made["target"]["name"] == name);
    example.and_then(|made| made["executable"].as_str()).expect("there is such an example").into()
}

/// What quickstart shows, without that which is different each time.
fn quickstart(env: &[(&'static str, String)]) -> Run {
    let run = example(env, "quickstart", &[], "");
    let mut stdout = String::new();
    for line in run.stdout.lines() {
        let varies = ["    user-agent: ", "    issued_at: "].iter().find(|name| line.starts_with(**name));
        stdout += &varies.map_or(line.to_owned(), |name| format!("{name}..."));
        stdout.push('\n');
    }
    Run { stdout, ..run }
}

fn failed(stderr: &str) -> Run {
    Run { code: Some(1), stdout: String::new(), stderr: stderr.to_owned() }
}

/// The paths of the requests since they were last asked for.
fn paths(org: &Org) -> Vec<String> {
    org.take_requests().into_iter().map(|request| request.path).collect()
}
