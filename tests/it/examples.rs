//! The example programs, run as a reader of them would run them.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, ORG_ID, Org, REDIRECT_URI, SITE_ID, SITE_PASSWORD, SITE_USER_ID,
    SITE_USERNAME, USER_ID, USERNAME,
};
use serde_json::{Value, json};

use crate::support::{Run, assert_no_secret, run, with};

const TOKEN_PATH: &str = "/services/oauth2/token";
const QUERY: &str = "/services/data/v66.0/query";
const JOBS: &str = "/services/data/v66.0/jobs/query";

// quickstart

#[test]
fn quickstart_shows_the_three_steps_with_nothing_set_up() {
    let shown = quickstart(&[]);
    assert_eq!((shown.code, &*shown.stderr), (Some(0), ""));
    let port = shown.stdout.split("localhost:").nth(1).expect("it names its org");
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let expected = format!(
        "SF_CLIENT_ID is not set, so this logs in to a small Salesforce on this machine, started
for the purpose: password flow, user ada@example.com, host localhost:PORT, security token set

1. What was sent

    POST /services/oauth2/token HTTP/1.1
    accept-encoding: gzip
    user-agent: ...
    host: localhost:PORT
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
    id: https://localhost:PORT/id/{ORG_ID}/{USER_ID}
    instance_url: https://localhost:PORT
    issued_at: ...
    signature: ********
    token_type: Bearer

3. A request made with the token

    GET https://localhost:PORT/services/data/v66.0/query?q=SELECT%20Name%20FROM%20Account%20LIMIT%203
    Authorization: Bearer ********

And its answer: the names of some accounts

    Account 00001
    Account 00002
    Account 00003

What next

    From a program: README.md, \"From a program\", or cargo doc --open
    From a shell: cargo run -- --help
    With your org: set SF_CLIENT_ID, SF_CLIENT_SECRET, SF_USERNAME, SF_PASSWORD and, outside its
    trusted IP ranges, SF_SECURITY_TOKEN, then run this again
"
    );
    assert_eq!(shown.stdout.replace(&port, "PORT"), expected);
}

#[test]
fn quickstart_does_the_same_with_the_org_of_the_settings() {
    let org = Org::start_tls();
    let url = org.url();
    org.seed_accounts(2);
    org.setup(|setup| {
        setup.reply_extra.insert("id_token".to_owned(), json!("eyJ!AQ"));
        setup.reply_extra.insert("scope".to_owned(), json!("api"));
    });
    let shown = quickstart(&org.env());
    let expected = format!(
        "Logging in: password flow, user {USERNAME}, host {host}, security token set

1. What was sent

    POST /services/oauth2/token

    grant_type=password
    client_id={CLIENT_ID}
    client_secret=********
    username={USERNAME}
    password=********

2. What came back

    access_token: ********
    id: {url}/id/{ORG_ID}/{USER_ID}
    id_token: ********
    instance_url: {url}
    issued_at: ...
    scope: api
    signature: ********
    token_type: Bearer

3. A request made with the token

    GET {url}/services/data/v66.0/query?q=SELECT%20Name%20FROM%20Account%20LIMIT%203
    Authorization: Bearer ********

And its answer: the names of some accounts

    Account 00001
    Account 00002

What next

    From a program: README.md, \"From a program\", or cargo doc --open
    From a shell: cargo run -- --help
",
        host = url.replace("https://", "")
    );
    assert_eq!(shown, Run { code: Some(0), stdout: expected, stderr: String::new() });
    assert_eq!(paths(&org), [TOKEN_PATH, QUERY]);
}

#[test]
fn quickstart_speaks_the_other_flows_too() {
    let org = Org::start();
    let app = [
        ("SF_CLIENT_ID", CLIENT_ID.to_owned()),
        ("SF_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ("SF_USERNAME", SITE_USERNAME.to_owned()),
        ("SF_PASSWORD", SITE_PASSWORD.to_owned()),
        ("SF_REDIRECT_URI", REDIRECT_URI.to_owned()),
    ];
    let client_credentials = format!(
        "
    POST /services/oauth2/token

    grant_type=client_credentials
    client_id={CLIENT_ID}
    client_secret=********

2. "
    );
    let code_credentials = format!(
        "
    POST /services/oauth2/authorize
    Authorization: Basic ********

    response_type=code_credentials
    client_id={CLIENT_ID}
    redirect_uri={REDIRECT_URI}

    POST /services/oauth2/token

    grant_type=authorization_code
    client_id={CLIENT_ID}
    client_secret=********
    code=********
    redirect_uri={REDIRECT_URI}

2. "
    );
    let cases = [
        ("client_credentials", org.url(), client_credentials, USER_ID, ""),
        ("code_credentials", org.site_url(), code_credentials, SITE_USER_ID, SITE_ID),
    ];
    for (flow, url, sent, user, site) in cases {
        let settings = [("SF_FLOW", flow.to_owned()), ("SF_LOGIN_URL", url)];
        let shown = quickstart(&[&app[..], &settings].concat());
        assert_eq!((shown.code, &*shown.stderr), (Some(0), ""), "{flow}");
        for part in [&*sent, user, site] {
            assert!(shown.stdout.contains(part), "{flow}: {part} is not in {}", shown.stdout);
        }
    }
}

#[test]
fn quickstart_shows_what_it_sent_and_the_hints_when_the_login_fails() {
    let org = Org::start();
    let shown = quickstart(&with(&org.env(), "SF_PASSWORD", "wrong"));
    assert!(
        shown.stdout.ends_with("    username=ada@example.com\n    password=********\n"),
        "{}",
        shown.stdout
    );
    assert_refused(&shown, &org);

    let unset = quickstart(&with(&org.env(), "SF_USERNAME", ""));
    assert_eq!((unset.code, &*unset.stdout), (Some(1), ""));
    assert_eq!(unset.stderr, "Error: SF_USERNAME is not set: write the username, e.g. ada@example.com\n");
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
    let run = example(&org.env(), "sync_accounts", &[since]);
    assert_eq!(run, printed("5 accounts changed since 2026-01-01T00:03:00+00:00, 4 rated anew\n"));

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

    let run = example(&org.env(), "sync_accounts", &[since]);
    assert_eq!(run, printed("5 accounts changed since 2026-01-01T00:03:00+00:00, 0 rated anew\n"));
    assert_eq!(paths(&org), [TOKEN_PATH, QUERY]);
}

#[test]
fn sync_accounts_begins_with_yesterday() {
    let org = Org::start();
    org.answer_to(QUERY, Answer::json(200, r#"{"totalSize":0,"done":true,"records":[]}"#));
    let run = example(&org.env(), "sync_accounts", &[]);
    assert_eq!(run, printed("0 accounts changed since YESTERDAY, 0 rated anew\n"));
    let soql = org.requests()[1].param("q").expect("it asks");
    assert!(soql.contains(" WHERE LastModifiedDate >= YESTERDAY AND "), "{soql}");
}

#[test]
fn sync_accounts_takes_nothing_but_a_time() {
    let org = Org::start();
    for since in ["2026-01-01 OR Name != null", "'2026'", "a,b", "(SELECT Id FROM User)"] {
        let run = example(&org.env(), "sync_accounts", &[since]);
        let says = "Error: SINCE is not a time: write e.g. 2026-11-23T00:00:00Z\n".to_owned();
        assert_eq!(run, Run { code: Some(1), stdout: String::new(), stderr: says }, "{since}");
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
    let run = example(&org.env(), "sync_accounts", &["2026-01-01T00:00:00Z"]);
    assert_eq!(run, printed("10 accounts changed since 2026-01-01T00:00:00Z, 10 rated anew\n"));
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
    let run = example(&org.env(), "bulk_query", &["SELECT Name, External_Id__c FROM Account"]);
    let csv = "\"Name\",\"External_Id__c\"\n\"Account 00001\",\"EXT-00001\"\n\"Account 00002\",\"EXT-00002\"\n\
               \"Ada, \"\"Countess\"\"\nof Lovelace\",\"\"\n";
    assert_eq!(run, printed(csv));
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
    let run = example(&org.env(), "bulk_query", &[]);
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
            "cut off",
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
        let run = example(&org.env(), "bulk_query", &[]);
        assert_eq!((run.code, &*run.stdout), (Some(1), stdout), "{case}: {}", run.stderr);
        assert_eq!(run.stderr.lines().next(), Some(&*format!("Error: {says}")), "{case}");
    }
    let org = Org::start();
    org.setup(|setup| setup.bulk_fails = true);
    let run = example(&org.env(), "bulk_query", &[]);
    let says = format!("Error: {JOB} is Failed: InternalServerError : the job failed\n");
    assert_eq!(run, Run { code: Some(1), stdout: String::new(), stderr: says });
}

#[test]
fn bulk_query_waits_longer_each_time_and_not_for_ever() {
    let org = Org::start();
    org.setup(|setup| setup.bulk_polls = 1000);
    let run = example(&org.env(), "bulk_query", &["SELECT Id FROM Account", "1"]);
    let says = "Error: jobs/query/7505g0000000001AAA is InProgress after 1s\n".to_owned();
    assert_eq!(run, Run { code: Some(1), stdout: String::new(), stderr: says });
    // After 0, 100, 300 and 700 ms; a slow machine gets less far.
    let asked = org.requests().iter().filter(|request| request.method == "GET").count();
    assert!((2..=4).contains(&asked), "asked {asked} times");

    let run = example(&org.env(), "bulk_query", &["SELECT Id FROM Account", "soon"]);
    assert_eq!((run.code, &*run.stdout), (Some(1), ""));
    assert_eq!(run.stderr.lines().next(), Some("Error: SECONDS is not a number"));
}

#[test]
fn a_login_that_fails_in_an_example_shows_the_hints() {
    for name in ["sync_accounts", "bulk_query"] {
        let org = Org::start();
        let run = example(&with(&org.env(), "SF_PASSWORD", "wrong"), name, &[]);
        assert_eq!(run.stdout, "", "{name}");
        assert_refused(&run, &org);
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
fn example(env: &[(&'static str, String)], name: &str, args: &[&str]) -> Run {
    let run = run(env, path(name), args, b"");
    assert_no_secret(&run.stdout);
    run
}

/// Cargo builds the examples beside the tests.
fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let target = test.ancestors().nth(2).expect("tests are in target/debug/deps");
    let path = target.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built: `cargo test` does, or `cargo build --examples`", path.display());
    path
}

/// What quickstart shows, without that which is different each time.
fn quickstart(env: &[(&'static str, String)]) -> Run {
    let run = example(env, "quickstart", &[]);
    let mut stdout = String::new();
    for line in run.stdout.lines() {
        let varies = ["    user-agent: ", "    issued_at: "].iter().find(|name| line.starts_with(**name));
        stdout += &varies.map_or(line.to_owned(), |name| format!("{name}..."));
        stdout.push('\n');
    }
    Run { stdout, ..run }
}

fn printed(stdout: &str) -> Run {
    Run { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() }
}

#[track_caller]
fn assert_refused(run: &Run, org: &Org) {
    assert_eq!(run.code, Some(1));
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines[0], "Error: login refused: authentication failure (invalid_grant, HTTP 400)");
    let host = org.url().replace("http://", "");
    let tried = format!("tried: password flow, user {USERNAME}, host {host}, security token set");
    assert_eq!(lines[1], tried);
    assert!(lines.len() > 3 && lines[2..].iter().all(|line| line.starts_with("hint: ")), "{}", run.stderr);
    assert_eq!(org.logins(), 1, "a refused login is not repeated");
}

/// The paths of the requests since they were last asked for.
fn paths(org: &Org) -> Vec<String> {
    org.take_requests().into_iter().map(|request| request.path).collect()
}
