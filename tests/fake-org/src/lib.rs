//! A Salesforce on 127.0.0.1, for tests, examples and benchmarks.
//!
//! It knows one app, one user and one customer of an Experience Cloud site, logs them in by the
//! username-password, the client credentials, the JWT bearer and the code and credentials flow, keeps
//! a Login History of that, and answers the REST API from memory. It is strict: what Salesforce does
//! not document, it refuses. Everything it received can be asked for, and it can be told to refuse for
//! any reason, or to answer anything at all.
//!
//! # Example
//!
//! ```
//! use fake_org::{Answer, Org};
//!
//! let org = Org::start();
//! org.answer_to("/services/oauth2/token", Answer::html(503, "We are down for maintenance."));
//! // ... a client logs in at `org.url()` ...
//! assert_eq!(org.logins(), 0);
//! ```
//!
//! # Concepts
//!
//! - [`Org`]: the server. [`Org::start_tls`] has it speak TLS, with a [`Certificate`] of choice.
//! - [`Setup`]: what its administrator can change.
//! - [`refusal`]: why it lets nobody in, on purpose; [`Org::administrator_token`] asks Login History.
//! - [`Answer`]: what a test has it say instead of the truth.
//! - [`Request`]: what it received.
//! - [`Proxy`]: leads here whatever is asked for `https://login.salesforce.com` and the like.
#![doc = include_str!("../API.md")]

mod answer;
mod chaos;
mod org;
mod proxy;
pub mod refusal;
mod request;
mod rest;
mod salesforce;
mod schema;
mod server;
mod setup;
mod soql;
mod temp_file;
mod text;
mod tls;

pub use answer::{Answer, gzip};
pub use org::Org;
pub use proxy::Proxy;
pub use request::Request;
pub use setup::Setup;
pub use tls::Certificate;

/// The flows, by the names that `SF_FLOW` has for them.
pub const FLOWS: [&str; 4] = ["password", "client_credentials", "code_credentials", "jwt_bearer"];

/// The app's consumer key.
pub const CLIENT_ID: &str = "3MVG9fakeOrg.ConsumerKey_0123456789";

/// The app's name, as Login History has it.
pub const APPLICATION: &str = "Sync";

/// The app's consumer secret. Like [`PASSWORD`], it looks different in every encoding.
pub const CLIENT_SECRET: &str = "se cret+1955&27=99%\"\\ö/";

/// The user's name.
pub const USERNAME: &str = "ada@example.com";

/// The user's password.
pub const PASSWORD: &str = "pa ss+w&r=d%\"ä/";

/// The user's security token, which belongs after the password.
pub const SECURITY_TOKEN: &str = "Zq7TokenOfAda012345678xY";

/// The private key with which the app's assertions are signed, in PEM (PKCS#8, 2048 bits). It was made for
/// these tests and opens nothing else.
pub const JWT_KEY: &str = include_str!("../keys/test-only.key.pem");

/// The certificate of [`JWT_KEY`], in PEM, as it is uploaded to the app.
pub const JWT_CERTIFICATE: &str = include_str!("../keys/test-only.crt.pem");

/// A customer of the Experience Cloud site.
pub const SITE_USERNAME: &str = "bob@customer.example";

/// The customer's password.
pub const SITE_PASSWORD: &str = "cu:st&om er=%ü/";

/// The app's callback URL.
pub const REDIRECT_URI: &str = "https://app.example/callback";

/// The org's id.
pub const ORG_ID: &str = "00D5g00000FakeOEAR";

/// The id of [`USERNAME`], as which the app runs in the client credentials flow as well.
pub const USER_ID: &str = "0055g00000Ada01AAB";

/// The id of [`SITE_USERNAME`].
pub const SITE_USER_ID: &str = "0055g00000Bob02AAB";

/// The id of the Experience Cloud site.
pub const SITE_ID: &str = "0DB5g00000Site1GAB";

#[cfg(test)]
mod tests;
