//! An org that answers to Salesforce's own names, and the ways that do not lead there.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fake_org::{
    Answer, CLIENT_ID, CLIENT_SECRET, Certificate, JWT_KEY, Org, PASSWORD, Proxy, REDIRECT_URI,
    SECURITY_TOKEN, SITE_PASSWORD, SITE_USERNAME, USERNAME,
};
use sf_login::{App, Error, Login, Session, Token, ureq};

use crate::support::{agent, agent_by, agent_through, watch_logs};

pub const LOGIN: &str = "https://login.salesforce.com";
pub const TEST: &str = "https://test.salesforce.com";
pub const MY_DOMAIN: &str = "https://acme.my.salesforce.com";
pub const SITE: &str = "https://acme.my.site.com/customers";

/// For what would take for ever.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// A token of some other login.
pub const KEPT: &str = "00D5g00000FakeO!AQkeptK3p7.xY2_0123456789";

pub fn app() -> App {
    App::new(CLIENT_ID, CLIENT_SECRET)
}

pub fn password(username: &str) -> Login {
    app().password(username, PASSWORD).login_url(MY_DOMAIN)
}

pub fn usual() -> Login {
    password(USERNAME).security_token(SECURITY_TOKEN)
}

pub fn client_credentials() -> Login {
    app().client_credentials().login_url(MY_DOMAIN)
}

pub fn jwt_bearer() -> Login {
    app().jwt_bearer(USERNAME, JWT_KEY).login_url(MY_DOMAIN)
}

pub fn code_credentials() -> Login {
    app().code_credentials(SITE_USERNAME, SITE_PASSWORD, REDIRECT_URI).login_url(SITE)
}

#[track_caller]
pub fn failure<T>(outcome: Result<T, Error>) -> Error {
    outcome.err().expect("it fails")
}

/// An org that answers to Salesforce's own names.
pub struct Stage {
    pub org: Org,
}

impl Stage {
    pub fn with(certificate: Certificate) -> Stage {
        watch_logs();
        Stage { org: Org::start_with(certificate) }
    }

    /// An org that has this answer to all that it is asked, and would like to have it asked again soon.
    pub fn answering(answer: Answer) -> Stage {
        let stage = Stage::with(Certificate::Good);
        stage.org.always("/", answer.header("Retry-After", "0"));
        stage
    }

    pub fn here(&self, login: Login) -> Login {
        login.agent(self.agent(Lead::To(self.org.addr())))
    }

    pub fn fails(&self, login: Login) -> Error {
        failure(self.here(login).token())
    }

    /// A session that cannot log in.
    pub fn kept(&self) -> Session {
        let session = Session::new(Token::new(KEPT, MY_DOMAIN).expect("a token")).expect("a session");
        session.agent(self.agent(Lead::To(self.org.addr())))
    }

    pub fn through(&self, proxy: &Proxy) -> Error {
        failure(usual().agent(agent_through(&self.org, Some(proxy))).timeout(TIMEOUT).token())
    }

    pub fn led(&self, lead: Lead) -> Error {
        failure(usual().agent(self.agent(lead)).timeout(TIMEOUT).token())
    }

    fn agent(&self, lead: Lead) -> ureq::Agent {
        agent_by(&agent(&self.org), move |_, _| lead.find())
    }
}

/// Where all names lead.
#[derive(Clone, Copy, Debug)]
pub enum Lead {
    To(SocketAddr),
    Nowhere,
    Silence,
    Stuck,
    NoWay,
    /// To a failure of TLS.
    Tls(&'static str),
    Unknown(&'static str),
}

impl Lead {
    fn find(self) -> Result<SocketAddr, ureq::Error> {
        Err(match self {
            Lead::To(addr) => return Ok(addr),
            // Word for word what the system's own resolver gives.
            Lead::Nowhere => {
                io::Error::other("failed to lookup address information: Name or service not known").into()
            }
            Lead::NoWay => io::Error::from(io::ErrorKind::NetworkUnreachable).into(),
            Lead::Silence => ureq::Error::Timeout(ureq::Timeout::Resolve),
            Lead::Stuck => ureq::Error::Timeout(ureq::Timeout::Connect),
            Lead::Tls(words) => io::Error::new(io::ErrorKind::InvalidData, words).into(),
            Lead::Unknown(words) => io::Error::other(words).into(),
        })
    }
}
