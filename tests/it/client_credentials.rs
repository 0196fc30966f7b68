//! The client credentials flow: the bytes that are sent, where it works, and what it refuses.

use fake_org::{CLIENT_ID, CLIENT_SECRET, ORG_ID, Org, Proxy, Request, USER_ID};
use serde_json::Value;
use sf_login::App;

use crate::support::{
    CLIENT_SECRET_ENCODED, TOKEN_PATH, agent, agent_through, assert_sent, client_credentials, failed,
    sf_login, shown, watch_logs, with, without,
};

#[test]
fn client_credentials_are_one_post_of_exactly_these_bytes() {
    let org = Org::start();
    let run = sf_login(&org.env_for("client_credentials"), &["--format", "json"]);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let reply: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(reply["scope"], "api");
    assert_eq!(reply["instance_url"], org.url());

    let body =
        format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET_ENCODED}");
    let requests = org.take_requests();
    assert_eq!(requests.len(), 1);
    assert_sent(&org, &requests[0], TOKEN_PATH, "", &body);

    let token = client_credentials(&org).token().unwrap();
    assert_eq!((token.organization_id(), token.user_id()), (Some(ORG_ID), Some(USER_ID)));
    let requests = org.take_requests();
    assert_eq!(requests.iter().map(Request::text).collect::<Vec<_>>(), [body]);
}

#[test]
fn client_credentials_work_at_the_my_domain() {
    watch_logs();
    let org = Org::start_tls();
    let proxy = Proxy::start(&org);
    let login = App::new(CLIENT_ID, CLIENT_SECRET)
        .client_credentials()
        .login_url("acme.my.salesforce.com")
        .agent(agent_through(&org, Some(&proxy)));
    let session = login.session().unwrap();
    assert_eq!(session.token().instance_url(), "https://acme.my.salesforce.com");
    let limits: Value = session.get("limits").unwrap();
    assert_eq!(limits["DailyApiRequests"]["Max"], 15_000);
    let hosts: Vec<_> = org.requests().iter().map(|request| request.host().to_owned()).collect();
    assert_eq!(hosts, ["acme.my.salesforce.com", "acme.my.salesforce.com"]);
    // One connection serves both.
    assert_eq!(proxy.connects(), ["acme.my.salesforce.com:443"]);
}

#[test]
fn client_credentials_need_the_secret() {
    let org = Org::start();
    let login = App::without_secret(CLIENT_ID).client_credentials().login_url(org.url()).agent(agent(&org));
    let problem = "is not set: the client credentials flow needs it";
    assert_eq!(shown(&login.token().unwrap_err()), format!("client_secret {problem}"));
    for env in [
        without(&org.env_for("client_credentials"), "SF_CLIENT_SECRET"),
        with(&org.env_for("client_credentials"), "SF_CLIENT_SECRET", ""),
    ] {
        let says = "SF_CLIENT_SECRET is not set: write the app's consumer secret";
        assert_eq!(sf_login(&env, &[]), failed(2, says));
    }
    assert_eq!(org.connections(), 0);
}
