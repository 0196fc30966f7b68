//! Log in to Salesforce, hand over the access token, and make API requests with it.
//!
//! One blocking call logs in, by any of four [flows](#which-flow). There is no async runtime and little to
//! compile, so it fits a `build.rs`, a small sync utility or a shell line (the binary `sf-login`). When a login
//! fails, the error says what was tried and what to look at.
//!
//! # Example
//!
//! ```no_run
//! use sf_login::Session;
//!
//! fn main() -> Result<(), sf_login::Error> {
//!     // SF_CLIENT_ID, SF_CLIENT_SECRET and, depending on SF_FLOW, SF_USERNAME, SF_PASSWORD ...
//!     let session = Session::from_env()?;
//!     for account in session.query::<serde_json::Value>("SELECT Id, Name FROM Account") {
//!         println!("{}", account?["Name"]);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! [`Login::from_env`] lists the variables. `README.md`, in this package, says what you need in the org;
//! `examples/README.md` has recipes for CI and the like, and lists the programs there.
//!
//! # Concepts
//!
//! - [`App`]: the connected app or External Client App, its consumer key and secret.
//! - [`Login`]: how to log in, and where.
//! - [`Token`]: what the token endpoint answered. Keep it, print it, or make a [`Session`] of it.
//! - [`Session`]: requests as the user who logged in. It logs in again when the session has expired, repeats
//!   what can safely be repeated, and never locks the user out.
//! - [`Records`]: the records of a query, page by page.
//! - [`Error`]: what failed, why, and what to look at, complete wherever `?` carries it.
//!
//! # Which flow
//!
//! | who logs in | flow | where |
//! |---|---|---|
//! | a program that runs unattended | [`App::client_credentials`] | the org's My Domain |
//! | a program that acts as a certain user | `App::jwt_bearer` | login, test or My Domain |
//! | a Salesforce user, by password, while the org still allows it | [`App::password`] | login, test or My Domain |
//! | a customer or partner, at an Experience Cloud site | [`App::code_credentials`] | the site's address |
//!
//! Salesforce blocks the username-password flow by default in orgs created since Summer '23, and has announced its
//! retirement (for 20 February 2027, as of November 2026). Moving to client credentials, or to the JWT bearer
//! flow, which keeps the user, is one line.
//!
//! # When a login fails
//!
//! Match on [`Error::kind`], or just use `?`: an error's `Display` and its `Debug` both say all of it.
//!
//! ```text
//! login refused: authentication failure (invalid_grant, HTTP 400)
//! tried: password flow, user ada@example.com, host login.salesforce.com, security token not set
//! hint: ...
//! ```
//!
//! Salesforce says `authentication failure` for nearly every cause. Its administrators see the true one in
//! *Setup > Login History*, from which `sf-login why` prints it; [`LOGIN_STATUSES`] has what each status means,
//! and what to change.
//!
//! # Security
//!
//! - Secrets (passwords, security tokens, client secrets, private keys, access tokens, codes) appear in no
//!   `Debug`, `Display`, hint or panic, and in no log record while the logger's maximum level is debug. Of what a
//!   *login* host says, only plain words are shown: letters in words of ordinary length, no part of a secret
//!   among them. What the *API* says is shown unless a part of a secret stands in it. A part is six letters
//!   and digits in a row at a login host, twelve at the API, or all of a shorter secret's, in any case and
//!   whatever stands between them; a secret with fewer than four is looked for as words of its own.
//! - Credentials go over https only (plain http to `127.0.0.0/8`, `[::1]` and `localhost`, and there never
//!   through a proxy); redirects are not followed. The token goes to the instance's own origin only.
//! - Every exchange has a deadline and every reply a size limit, after decompression. A refused login is not
//!   repeated, and a truncated reply is an error.
//!
//! Not covered: memory is not wiped; the API repeating a secret in an encoding (base64, say, or letters that
//! look alike) or in pieces, a few letters to each field; a secret that is plain words and comes back rearranged,
//! or with letters between its own; the instance's name, as the login host gives it; at log level trace, ureq's
//! own records, and at debug what a server writes into headers like `Server`; what a caller's agent is made of
//! (middleware, resolver, connectors); a body delimited only by the connection's end, which cannot be told from a
//! truncated one (JSON that was truncated is still an error); a proxy that sends its answer to `CONNECT` byte by
//! byte, which the deadline does not end.
//!
//! # Memory
//!
//! One reply is in memory at a time, 64 MiB of JSON at most; a page of a query is usually below 2 MiB. Read into
//! [`serde_json::Value`] it takes several times its size, at the worst (objects of one short field) a hundred times,
//! some 6 GiB. [`Session::open`] and [`Session::run`] stream replies of any size.
//!
//! # Versions
//!
//! ureq's types stand in the signatures of [`Login::agent`], [`Session::agent`] and [`Session::run`], nowhere else:
//! use it as `sf_login::ureq`. A new major version of it is a new major version of this crate (a new minor one
//! before 1.0). `ureq::unversioned`, of which a caller's agent may be made, is outside ureq's own promise.
//!
//! # Crate features
//!
//! `rustls`, `gzip` and `jwt` (the JWT bearer flow) are on by default; `native-tls`, `platform-verifier` (rustls
//! with the operating system's roots) and `socks-proxy` pass through to ureq. One of `rustls` and `native-tls`
//! is needed; with both, rustls is used.

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
compile_error!("sf-login needs TLS: enable its feature `rustls` (the default) or `native-tls`");

// The rooms, each of which imports only from rooms below it: tests/it/rooms.rs has the order.

// What is asked for.
mod env;
mod login;

// A login under way, and the token that comes of it.
mod exchange;
#[cfg(feature = "jwt")]
mod jwt;
#[cfg(feature = "jwt")]
mod key;
mod settings;
mod token;

// A session, which logs in again when its token has expired; what it sends, and its queries: in this order,
// in which rustdoc lists its methods.
mod renewal;
mod session;

mod requests;

mod query;

// What went wrong, and what to do about it.
mod diagnosis;
mod error;
mod hints;
mod login_history;
mod redact;
mod refusal;

// Where Salesforce is, and HTTP.
mod address;
mod variable;
mod wire;

pub use env::ENV_VARS;
pub use error::{ApiError, Error, ErrorKind};
pub use login::{App, Login};
pub use login_history::{LOGIN_STATUSES, LoginStatus};
pub use query::{Records, soql_quote};
pub use session::Session;
pub use token::Token;
/// The HTTP client underneath, for [`Login::agent`] and [`Session::run`].
pub use ureq;
pub use wire::url::path_segment;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../examples/README.md")]
struct Readme;
