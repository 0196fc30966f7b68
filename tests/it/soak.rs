//! Logins and requests from eight threads at once, at an org that fails one reply in ten.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use fake_org::{ORG_ID, Org, SITE_USER_ID, USER_ID};
use serde::Deserialize;
use serde_json::{Value, json};
use sf_login::ureq::Agent;
use sf_login::{Error, Session};

use crate::support::{FLOWS, agent, at_once, login, shown, within};

const THREADS: usize = 8;
const ACCOUNTS: usize = 200;
const PAGE: usize = 25;

/// After so many requests of it, a session has expired.
const SESSION_USES: u32 = 100;

const REQUESTS: usize = 600;

#[test]
fn eight_threads_lose_nothing_at_an_org_that_fails_one_reply_in_ten() {
    within(Duration::from_secs(60), soak);
}

/// Makes the requests, and looks at what has become of each.
fn soak() {
    let org = &Org::start();
    org.seed_accounts(ACCOUNTS);
    org.setup(|setup| {
        setup.page_size = PAGE;
        setup.session_uses = Some(SESSION_USES);
    });
    org.chaos(1, 10);
    let (agent, tally) = (agent(org), Tally::default());
    let session = loop {
        match login(org).agent(agent.clone()).session() {
            Ok(session) => break session,
            Err(error) => tally.failed(&error),
        }
    };
    let workers = at_once(0..THREADS as u64, |random| {
        let (agent, session, tally) = (&agent, &session, &tally);
        let worker = Worker { org, agent, session, tally, random, made: 0, created: BTreeMap::new() };
        worker.work(random)
    });
    org.behave();

    // Every write that was Ok was done once, and no other.
    let last_name =
        |contact: &serde_json::Map<String, Value>| contact["LastName"].as_str().map(str::to_owned);
    let mut there: Vec<String> = org.records("Contact").iter().filter_map(last_name).collect();
    there.sort();
    let mut done: Vec<String> = workers.into_iter().flat_map(|worker| worker.created.into_keys()).collect();
    done.sort();
    assert_eq!(there, done, "the contacts in the org are those that were created");

    let asked = tally.requests.load(SeqCst);
    let (failed, own) = (tally.failed.load(SeqCst), tally.logins.load(SeqCst));
    let logins = org.logins();
    // A login has three tries, of which chaos leaves it the first nine times in ten.
    let expiries = asked / SESSION_USES as usize + 1;
    assert!(logins >= own, "{logins} logins of at least {own}");
    assert!(
        logins <= (own + expiries) * 3 / 2 + 5,
        "{logins} logins, of which {own} asked for, and {expiries} expiries"
    );
    assert!(failed > 0, "the chaos did not come to pass");
    assert!(failed < asked / 10, "{failed} of {asked} requests failed in the end");
    let expired_twice = tally.expired_twice.load(SeqCst);
    assert!(expired_twice <= 1 + asked / 1000, "{expired_twice} requests met a second expired session");
    assert!(tally.most_open.load(SeqCst) <= 2 * THREADS, "{} open connections", tally.most_open.load(SeqCst));
}

/// What all workers did together.
#[derive(Default)]
struct Tally {
    requests: AtomicUsize,
    /// Separate logins, beside those that replace a session that expired.
    logins: AtomicUsize,
    failed: AtomicUsize,
    /// Requests that logged in again, had to pause, and found the new session used up by the others.
    expired_twice: AtomicUsize,
    most_open: AtomicUsize,
}

impl Tally {
    /// Lets that pass which a caller is told to try again later.
    #[track_caller]
    fn failed(&self, error: &Error) {
        let said = shown(error);
        // Whether a write was done, nobody looks.
        if error.is_transient() || error.may_have_been_done() {
            self.failed.fetch_add(1, SeqCst);
        } else {
            assert_eq!(
                said.lines().next(),
                Some("request refused: Session expired or invalid (INVALID_SESSION_ID) (HTTP 401)"),
                "{said}"
            );
            self.expired_twice.fetch_add(1, SeqCst);
        }
    }
}

struct Worker<'a> {
    org: &'a Org,
    agent: &'a Agent,
    session: &'a Session,
    tally: &'a Tally,
    made: usize,
    random: u64,
    /// The contacts that there must be, by last name, with their ids.
    created: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    name: String,
    number_of_employees: usize,
}

#[derive(Deserialize)]
struct Saved {
    id: String,
    success: bool,
}

impl Worker<'_> {
    fn work(mut self, number: u64) -> Self {
        while self.tally.requests.load(SeqCst) < REQUESTS {
            let made = match self.below(16) {
                0 => self.log_in(),
                1 => self.query(),
                2..=7 => self.create(number),
                8 => self.delete(),
                _ => self.read(),
            };
            match made {
                Ok(requests) => self.tally.requests.fetch_add(requests, SeqCst),
                Err(error) => {
                    self.tally.failed(&error);
                    self.tally.requests.fetch_add(1, SeqCst)
                }
            };
            self.tally.most_open.fetch_max(self.org.open_connections(), SeqCst);
        }
        self
    }

    /// A login of its own, in each flow in turn, with a request and a logout.
    fn log_in(&mut self) -> Result<usize, Error> {
        self.tally.logins.fetch_add(1, SeqCst);
        let (_, login) = FLOWS[self.below(FLOWS.len())];
        let session = login(self.org).agent(self.agent.clone()).session()?;
        let token = session.token();
        assert!(matches!(token.user_id(), Some(USER_ID | SITE_USER_ID)), "{token:?}");
        assert_eq!(token.organization_id(), Some(ORG_ID));
        assert_eq!(token.instance_url(), self.org.url());
        let limits: Value = session.get("limits")?;
        assert_eq!(limits["DailyApiRequests"]["Max"], 15_000);
        session.revoke()?;
        Ok(3)
    }

    /// Every record exactly once, in order.
    fn query(&mut self) -> Result<usize, Error> {
        let soql = "SELECT Name, NumberOfEmployees FROM Account";
        let mut records = self.session.query::<Account>(soql);
        for number in 1..=ACCOUNTS {
            let account = records.next().expect("a record is lost")?;
            assert_eq!((account.name, account.number_of_employees), (format!("Account {number:05}"), number));
        }
        assert_eq!(records.total(), Some(ACCOUNTS as u64));
        assert!(records.next().is_none(), "there are more records than there are");
        Ok(ACCOUNTS / PAGE)
    }

    fn read(&mut self) -> Result<usize, Error> {
        let number = self.below(ACCOUNTS) + 1;
        let path = format!("sobjects/Account/External_Id__c/EXT-{number:05}");
        let account: Account = self.session.get(&path)?;
        assert_eq!((account.name, account.number_of_employees), (format!("Account {number:05}"), number));
        Ok(1)
    }

    fn create(&mut self, number: u64) -> Result<usize, Error> {
        self.made += 1;
        let name = format!("{number}-{}", self.made);
        let saved: Saved = self.session.post("sobjects/Contact", &json!({ "LastName": name }))?;
        assert!(saved.success);
        self.created.insert(name, saved.id);
        Ok(1)
    }

    fn delete(&mut self) -> Result<usize, Error> {
        let Some((name, id)) = self.created.first_key_value() else { return Ok(0) };
        self.session.delete(&format!("sobjects/Contact/{id}"))?;
        let name = name.clone();
        self.created.remove(&name);
        Ok(1)
    }

    /// A number that looks random, and is the same in each run.
    fn below(&mut self, end: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).expect("31 bits") % end
    }
}
