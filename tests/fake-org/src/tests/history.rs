//! Login History, and the refusals that a person can ask for.

use serde_json::{Value, json};

use super::codes::authorize_bob;
use super::jwt::{assertion, claims, post_assertion};
use super::*;
use crate::refusal::{self, Refusal};

/// What each flow is told by that org first.
fn tried(org: &Org, flow: &str) -> Reply {
    match flow {
        "password" => post_token(org, TOKEN, &password_form()),
        "client_credentials" => post_token(org, TOKEN, &CLIENT_CREDENTIALS),
        "code_credentials" => authorize_bob(org),
        _ => post_assertion(org, &assertion(&claims("http://127.0.0.1"))),
    }
}

fn session(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The column of all entries that this session sees, newest first.
fn column(org: &Org, session: &str, field: &str) -> Vec<Value> {
    let query = format!("SELECT {field} FROM LoginHistory ORDER BY LoginTime DESC");
    let page = soql(org, session, &query).json();
    page["records"].as_array().expect("records").iter().map(|entry| entry[field].clone()).collect()
}

#[test]
fn every_reason_to_refuse_is_told_as_the_table_says_and_kept_where_it_has_a_status() {
    for Refusal { name, flows, error, description, status, .. } in &refusal::ALL {
        for flow in *flows {
            let org = Org::start();
            org.setup(|setup| setup.refuse(name));
            let administrator = session(&org.administrator_token());
            let reply = tried(&org, flow);
            if *status == Some(refusal::SUCCESS) {
                assert!(matches!(reply.status, 200 | 302), "{name} {flow}");
            } else {
                assert_refused(&reply, error, description);
            }
            if *flow == "password" && reply.status == 200 {
                let session = session(reply.json()["access_token"].as_str().expect("a token"));
                let refused = api(&org, &session, "GET", "limits", "");
                assert_eq!((refused.status, &refused.json()[0]["errorCode"]), (401, &json!(error)));
            }
            let is_kept = matches!(*flow, "password" | "code_credentials") && reply.status != 302;
            let kept: Vec<Value> = status.filter(|_| is_kept).map(Value::from).into_iter().collect();
            assert_eq!(column(&org, &administrator, "Status"), kept, "{name} {flow}");
        }
    }
}

#[test]
fn entries_say_who_came_by_which_flow_and_how_it_ended() {
    let org = Org::start();
    let administrator = session(&org.administrator_token());
    let with = |name: &str, value: Option<&str>| post_token(&org, TOKEN, &but(&password_form(), name, value));
    let wrong = ["client_id", "client_secret", "password", "username"];
    for name in wrong {
        with(name, Some("x"));
    }
    with("password", Some(PASSWORD));
    with("client_secret", None);
    let ada = log_in(&org);
    post_token(&org, TOKEN, &CLIENT_CREDENTIALS);
    authorize_bob(&org);
    let host = format!("{FORM}Host: acme.my.salesforce.com\r\n");
    exchange(&org, "POST", TOKEN, &host, &form(&password_form()));
    assert_eq!(
        column(&org, &administrator, "Status"),
        [
            "Success",
            "Success",
            "Success",
            "Failed: Missing Consumer Key Parameter",
            "Failed: API security token required",
            "Invalid Password",
            "Failed: Missing Consumer Key Parameter",
        ]
    );
    let (password, client) = (json!("OAuth Username-Password"), json!("OAuth Client Credentials"));
    assert_eq!(column(&org, &ada, "LoginSubType")[..3], [password.clone(), client.clone(), password.clone()]);
    assert_eq!(column(&org, &ada, "LoginUrl")[..2], ["acme.my.salesforce.com", "127.0.0.1"]);
    let query = "SELECT UserId, Application, SourceIp, LoginType, LoginTime FROM LoginHistory LIMIT 1";
    let mut entry = soql(&org, &ada, query).json()["records"][0].clone();
    entry.as_object_mut().expect("an entry").retain(|name, _| name != "attributes");
    let time = entry["LoginTime"].clone();
    assert!(time.as_str().expect("a time").ends_with(".000+0000"), "{time}");
    let expected = json!({
        "UserId": USER_ID, "Application": APPLICATION, "SourceIp": "127.0.0.1",
        "LoginType": "Remote Access 2.0", "LoginTime": time,
    });
    assert_eq!(entry, expected);

    // By these an administrator finds who still uses the password flow.
    let query = "SELECT Application, UserId, LoginSubType, COUNT(Id) n, MAX(LoginTime) last FROM LoginHistory \
                 WHERE LoginTime = LAST_N_DAYS:30 GROUP BY Application, UserId, LoginSubType";
    let group = |sub_type: Value, n: u32, last: &Value| {
        json!({
            "attributes": { "type": "AggregateResult" }, "Application": APPLICATION, "UserId": USER_ID,
            "LoginSubType": sub_type, "n": n, "last": last,
        })
    };
    let times = column(&org, &ada, "LoginTime");
    let records = [group(password, 6, &times[0]), group(client, 1, &times[1])];
    let groups = json!({ "totalSize": 2, "done": true, "records": records });
    assert_eq!(soql(&org, &administrator, query).json(), groups);
}

#[test]
fn users_see_their_own_entries_and_administrators_all() {
    let org = Org::start();
    org.create(
        "LoginHistory",
        json!({ "UserId": SITE_USER_ID, "LoginTime": "2026-01-01T00:00:00.000+0000" }),
    );
    let ada = log_in(&org);
    assert_eq!(column(&org, &ada, "UserId"), [USER_ID]);
    let administrator = session(&org.administrator_token());
    assert_eq!(column(&org, &administrator, "UserId"), [USER_ID, SITE_USER_ID]);
    let count = |condition: &str| {
        let query = format!("SELECT COUNT() FROM LoginHistory WHERE {condition}");
        soql(&org, &ada, &query).json()["totalSize"].clone()
    };
    assert_eq!(count(&format!("UserId = '{SITE_USER_ID}'")), 0);
    let short = &USER_ID[..15];
    assert_eq!(count(&format!("UserId = '{short}' AND LoginType = 'Remote Access 2.0'")), 1);
    let user = soql(&org, &ada, &format!("SELECT Id FROM User WHERE Username = '{SITE_USERNAME}'")).json();
    assert_eq!(user["records"][0]["Id"], SITE_USER_ID);

    let refused = soql(&org, &ada, "SELECT Id FROM LoginHistory WHERE Status = 'Success'");
    let message = refused.json()[0]["message"].as_str().expect("a message").to_owned();
    assert!(message.ends_with("\nfield 'Status' can not be filtered in a query call"), "{message}");
    for query in
        ["SELECT ForwardedForIp FROM LoginHistory", "SELECT Id FROM LoginHistory WHERE SourceIp = 'x'"]
    {
        assert_api_error(&soql(&org, &ada, query), 400, "INVALID_FIELD");
    }
    let path = "tooling/query?q=SELECT+Id+FROM+LoginHistory";
    assert_api_error(&api(&org, &ada, "GET", path, ""), 400, "INVALID_TYPE");
    assert_api_error(&api(&org, &ada, "POST", "sobjects/LoginHistory", "{}"), 404, "NOT_FOUND");
}
