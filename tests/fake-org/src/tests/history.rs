//! Login History.

use super::codes::authorize_bob;
use super::*;

/// The column of all entries that this session sees, newest first.
fn column(org: &Org, session: &str, field: &str) -> Vec<Value> {
    let query = format!("SELECT {field} FROM LoginHistory ORDER BY LoginTime DESC");
    let page = soql(org, session, &query).json();
    page["records"].as_array().expect("records").iter().map(|entry| entry[field].clone()).collect()
}

#[test]
fn entries_say_by_which_flow_and_where_a_login_came_and_how_it_ended() {
    let org = Org::start();
    let administrator = session(&org.administrator_token());
    let with = |name: &str, value: Option<&str>| post_token(&org, TOKEN, &but(&PASSWORD_FORM, name, value));
    for name in ["client_id", "client_secret", "password", "username"] {
        with(name, Some("x"));
    }
    with("password", Some(PASSWORD));
    with("client_secret", None);
    post_token(&org, TOKEN, &CLIENT_CREDENTIALS);
    authorize_bob(&org);
    let host = format!("{FORM}Host: acme.my.salesforce.com\r\n");
    exchange(&org, "POST", TOKEN, &host, &form(&PASSWORD_FORM));
    let statuses = [
        "Success",
        "Success",
        "Failed: Missing Consumer Key Parameter",
        "Failed: API security token required",
        "Invalid Password",
        "Failed: Missing Consumer Key Parameter",
    ];
    assert_eq!(column(&org, &administrator, "Status"), statuses);
    let flows = ["OAuth Username-Password", "OAuth Client Credentials"];
    assert_eq!(column(&org, &administrator, "LoginSubType")[..2], flows);
    assert_eq!(column(&org, &administrator, "LoginUrl")[..2], ["acme.my.salesforce.com", "127.0.0.1"]);

    // By these an administrator finds who still uses the password flow.
    let query = "SELECT Application, UserId, LoginSubType, COUNT(Id) n, MAX(LoginTime) last FROM LoginHistory \
                 WHERE LoginTime = LAST_N_DAYS:30 GROUP BY Application, UserId, LoginSubType";
    let times = column(&org, &administrator, "LoginTime");
    let group = |flow: usize, n: u32| {
        json!({
            "attributes": { "type": "AggregateResult" }, "Application": APPLICATION, "UserId": USER_ID,
            "LoginSubType": flows[flow], "n": n, "last": times[flow],
        })
    };
    assert_eq!(soql(&org, &administrator, query).json()["records"], json!([group(0, 5), group(1, 1)]));
}

#[test]
fn users_see_their_own_entries_and_administrators_all() {
    let org = Org::start();
    let old = "2026-01-01T00:00:00.000+0000";
    org.create("LoginHistory", json!({ "UserId": SITE_USER_ID, "LoginTime": old }));
    let ada = log_in(&org);
    assert_eq!(column(&org, &ada, "UserId"), [USER_ID]);
    let administrator = session(&org.administrator_token());
    assert_eq!(column(&org, &administrator, "UserId"), [USER_ID, SITE_USER_ID]);
    let short = &USER_ID[..15];
    for (condition, found) in [
        (format!("UserId = '{SITE_USER_ID}'"), 0),
        (format!("UserId = '{short}' AND LoginType = 'Remote Access 2.0'"), 1),
    ] {
        let query = format!("SELECT COUNT() FROM LoginHistory WHERE {condition}");
        assert_eq!(soql(&org, &ada, &query).json()["totalSize"], found, "{condition}");
    }
    let refused = soql(&org, &ada, "SELECT Id FROM LoginHistory WHERE Status = 'Success'");
    let message = refused.json()[0]["message"].as_str().expect("a message").to_owned();
    assert!(message.ends_with("\nfield 'Status' can not be filtered in a query call"), "{message}");
}
