//! `sf-login why`.

use fake_org::refusal::{self, SUCCESS};
use fake_org::{Answer, Org, USERNAME};
use serde_json::{Value, json};
use sf_login::{LOGIN_STATUSES, LoginStatus};

use super::TOKEN;
use crate::support::{QUERY, Run, done, expired, failed, kept_env, paths, sf_login, with};

const MISSING: &str = "\nA login that is missing here did not arrive at this org: check the login URL\n\
                       (sandboxes have their own), the username and the consumer key.\n";

#[test]
fn why_shows_the_newest_logins_and_what_each_kind_of_failure_means() {
    let org = Org::start();
    let lockout = "Password Lockout";
    let entries = [
        entry("Invalid Password", "OauthUsernamePassword", "Data Loader"),
        entry("Success", "OAuth Client Credentials", "Sync"),
        entry("FAILED: Invalid password", "oauth username-password", "Data Loader"),
        json!({ "LoginTime": "2026-11-26T09:12:03.000+0200", "Status": lockout, "LoginType": "Remote Access 2.0" }),
        json!({ "Status": "Gesperrt", "LoginSubType": "OauthWebServer" }),
    ];
    let expected = "\
2026-11-26 09:12:03 UTC  Invalid Password
  password flow, Data Loader, 203.0.113.7, acme.my.salesforce.com
2026-11-26 09:12:03 UTC  Success
  client credentials flow, Sync, 203.0.113.7, acme.my.salesforce.com
2026-11-26 09:12:03 UTC  FAILED: Invalid password
  password flow, Data Loader, 203.0.113.7, acme.my.salesforce.com
2026-11-26T09:12:03.000+0200  Password Lockout
  Remote Access 2.0, -, -, -
-  Gesperrt
  OauthWebServer, -, -, -

Invalid Password
  means: the password is wrong, or the security token at its end
  to do: set both anew: each new password brings a new security token

Password Lockout
  means: too many wrong passwords
  to do: wait for the lockout's end, or unlock the user in Setup > Users

Gesperrt
  means: not known here; it may be in the language of the token's user
  to do: ask Salesforce's help
";
    assert_eq!(why(&org, &["ada@example.com"], &entries), done(&format!("{expected}{MISSING}")));
    let queries: Vec<_> = org.take_requests().iter().map(|request| request.param("q").unwrap()).collect();
    let history = "SELECT LoginTime, Status, LoginType, LoginSubType, Application, SourceIp, LoginUrl \
                   FROM LoginHistory WHERE UserId = '0055g000001AAAA' ORDER BY LoginTime DESC LIMIT 5";
    assert_eq!(queries, ["SELECT Id FROM User WHERE Username = 'ada@example.com'", history]);
}

#[test]
fn what_is_no_failure_or_has_no_status_is_shown_and_not_explained() {
    let entries = [entry("SUCCESS", "OauthWebServer", "App"), json!({ "Status": null, "LoginTime": null })];
    let shown = "2026-11-26 09:12:03 UTC  SUCCESS\n  OauthWebServer, App, 203.0.113.7, acme.my.salesforce.com\n\
                 -  -\n  -, -, -, -\n";
    assert_eq!(why(&Org::start(), &[USERNAME], &entries), done(&format!("{shown}{MISSING}")));
}

#[test]
fn each_status_of_the_table_is_explained() {
    let org = Org::start();
    for known in LOGIN_STATUSES {
        let run = why(&org, &[USERNAME], &[entry(known.status, "OauthUsernamePassword", "App")]);
        let explained =
            format!("\n\n{}\n  means: {}\n  to do: {}\n", known.status, known.means, known.change);
        assert!(run.stdout.contains(&explained), "{}", run.stdout);
    }
}

#[test]
fn each_refusal_that_has_a_status_is_led_to_its_cause() {
    for refusal in refusal::ALL.iter().filter(|refusal| refusal.status.is_some_and(|it| it != SUCCESS)) {
        let org = Org::start();
        org.setup(|setup| setup.refuse(refusal.name));
        assert_eq!(sf_login(&org.env(), &[]).code, Some(3), "{}", refusal.name);
        let run = sf_login(&kept_env(&org, &org.administrator_token()), &["why", USERNAME]);
        let known = refusal.status.and_then(LoginStatus::find).expect(refusal.name);
        let lines: Vec<&str> = run.stdout.lines().collect();
        assert!(lines[0].ends_with(&format!(" UTC  {}", known.status)), "{}", run.stdout);
        assert!(lines[1].starts_with("  password flow, Sync, 127.0.0.1, "), "{}", run.stdout);
        let told =
            ["", known.status, &format!("  means: {}", known.means), &format!("  to do: {}", known.change)];
        assert_eq!(lines[2..6], told);
        assert_eq!(format!("{}\n", lines[6..].join("\n")), MISSING);
    }
}

#[test]
fn what_stands_in_the_history_is_cleaned_and_cut() {
    let org = Org::start();
    let evil = "A\n\r\u{85}\u{2028}\u{1b}[31mB\u{202e}\u{200b}\u{ad}\u{3164}\u{fe0f}\u{e0001}C \u{e4}\u{ab}\u{2019}\u{4e2d}";
    let long = "\u{4e2d}".repeat(60);
    let entries = [
        entry(evil, evil, evil),
        entry("\n  to do: nothing\u{200b} ", "OauthUsernamePassword", "App"),
        entry(&"x".repeat(90), "OauthUsernamePassword", &long),
        entry("Success", &long, &long),
    ];
    let time = "2026-11-26 09:12:03 UTC  ";
    let (clean, far) = ("A     [31mBC \u{e4}\u{ab}\u{2019}\u{4e2d}", "203.0.113.7, acme.my.salesforce.com");
    let application = "\u{4e2d}".repeat(15);
    let lines = [
        format!("{time}{clean}"),
        format!("  {clean}, {clean}, {far}"),
        format!("{time}to do: nothing"),
        format!("  password flow, App, {far}"),
        format!("{time}{}", "x".repeat(55)),
        format!("  password flow, {application}, {}", &far[..31]),
        format!("{time}Success"),
        format!("  {application}, {application}, {}", &far[..14]),
    ];
    let run = why(&org, &[USERNAME], &entries);
    assert_eq!(run.stdout.lines().take(8).collect::<Vec<_>>(), lines);
    assert!(run.stdout.contains("\n\nto do: nothing\n  means: not known here"), "{}", run.stdout);
}

#[test]
fn no_entry_and_no_such_user_are_answers() {
    let org = Org::start();
    let says = "no login of o'hara@example.com in Login History, in six months\n\
                Another user's are shown only to the permission Manage Users or Monitor Login\nHistory.\n";
    assert_eq!(why(&org, &[" o'hara@example.com\n"], &[]), done(&format!("{says}{MISSING}")));
    let asked = org.take_requests().remove(0).param("q");
    assert_eq!(asked.as_deref(), Some(r"SELECT Id FROM User WHERE Username = 'o\'hara@example.com'"));

    org.answer_to(QUERY, page(&[]));
    let run = sf_login(&kept_env(&org, TOKEN), &["why", "nobody@example.com"]);
    let says = format!(
        "no user nobody@example.com, or none that the token's user may see, at\n{}\n\
         Check the org, and the username, to which a sandbox has added its name.\n",
        org.url()
    );
    assert_eq!(run, done(&says));
    assert_eq!(org.requests().len(), 1);
}

#[test]
fn why_never_logs_in() {
    let org = Org::start();
    let kept = [org.env(), kept_env(&org, TOKEN)].concat();
    org.answer_to(QUERY, expired());
    let run = sf_login(&kept, &["why"]);
    assert_eq!((run.code, &*run.stdout), (Some(4), ""), "{}", run.stderr);
    // Nor does it lead to a login, which could be one too many.
    assert!(run.stderr.contains("or another org's: get a new one where it came from\n"), "{}", run.stderr);
    let request = org.take_requests().remove(0);
    let user = format!("SELECT Id FROM User WHERE Username = '{USERNAME}'");
    assert_eq!(request.param("q"), Some(user), "the default is the user of the login");
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {TOKEN}")));

    let no_token = "SF_ACCESS_TOKEN, SF_ORG_INSTANCE_URL are not set: write an access token, and the instance that it \
                    is for";
    let no_user = "why takes a USERNAME, or the one in SF_USERNAME\nsee sf-login --help";
    for (env, says) in [(org.env(), no_token), (with(&kept, "SF_USERNAME", ""), no_user)] {
        assert_eq!(sf_login(&env, &["why"]), failed(2, says));
    }
    assert_eq!(org.requests().len(), 0, "{:?}", paths(&org.requests()));
}

fn why(org: &Org, args: &[&str], entries: &[Value]) -> Run {
    let _ = org.take_requests();
    org.answer_to(QUERY, page(&[json!({ "Id": "0055g000001AAAA" })]));
    org.answer_to(QUERY, page(entries));
    sf_login(&kept_env(org, TOKEN), &[&["why"], args].concat())
}

fn page(records: &[Value]) -> Answer {
    Answer::json(200, json!({ "totalSize": records.len(), "done": true, "records": records }))
}

fn entry(status: &str, flow: &str, application: &str) -> Value {
    json!({
        "LoginTime": "2026-11-26T09:12:03.000+0000", "Status": status, "LoginType": "Remote Access 2.0",
        "LoginSubType": flow, "Application": application, "SourceIp": "203.0.113.7",
        "LoginUrl": "acme.my.salesforce.com",
    })
}
