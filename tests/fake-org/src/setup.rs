//! What an administrator, or a user, has set.

use serde_json::{Map, Value};

use crate::refusal::{self, Refusal};

/// What the org's administrator, or a user, has set.
///
/// The default lets everyone in who has the right credentials.
//
// As in the pages of Setup that this stands for, many settings are check boxes.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
pub struct Setup {
    /// "Require Secret for Web Server Flow" on the app. The client credentials flow always requires
    /// it. Default: true.
    pub secret_required: bool,
    /// Whether the caller's address is outside the trusted IP ranges, so that the password must be
    /// followed by the security token. Default: true.
    pub security_token_required: bool,
    /// "Require user credentials in the POST body" on the app. Default: false.
    pub credentials_in_body: bool,
    /// Whether the errors of the authorize endpoint arrive in the query of a redirect to the callback URL,
    /// where that is the app's. Default: as JSON.
    pub errors_to_callback: bool,
    /// Why logins with the right credentials, or requests, are refused; [`Setup::refuse`] sets it by its
    /// name. Default: they are not.
    pub refusal: Option<&'static Refusal>,
    /// The one audience that assertions may have. Default: the URL to which they are sent.
    pub audience: Option<String>,
    /// The access token that every login gets. Default: a new one each time.
    pub token: Option<String>,
    /// How many requests a session is good for. Default: any number.
    pub session_uses: Option<u32>,
    /// The `instance_url` of token replies. Default: [`Org::url`](crate::Org::url), or a My Domain for
    /// a request that came to one of Salesforce's own names.
    pub instance_url: Option<String>,
    /// Further fields of token replies, or other values for the usual ones.
    pub reply_extra: Map<String, Value>,
    /// Fields that token replies lack.
    pub reply_without: Vec<String>,
    /// Records in a page of a query. Default: 2000.
    pub page_size: usize,
    /// Whether bulk jobs fail in the end. Default: false.
    pub bulk_fails: bool,
    /// At least how many of the latest requests are kept. Default: all.
    pub keep_requests: usize,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            secret_required: true,
            security_token_required: true,
            credentials_in_body: false,
            errors_to_callback: false,
            refusal: None,
            audience: None,
            token: None,
            session_uses: None,
            instance_url: None,
            reply_extra: Map::new(),
            reply_without: Vec::new(),
            page_size: 2000,
            bulk_fails: false,
            keep_requests: usize::MAX,
        }
    }
}

impl Setup {
    /// Has logins refused, or requests, for the reason of that name in [`refusal::ALL`].
    ///
    /// # Panics
    ///
    /// When there is no such reason.
    pub fn refuse(&mut self, name: &str) {
        self.refusal = Some(refusal::find(name).unwrap_or_else(|| panic!("no refusal {name}")));
    }
}
