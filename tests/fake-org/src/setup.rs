//! What an administrator, or a user, has set.

use serde_json::{Map, Value};

/// What the org's administrator, or a user, has set.
///
/// The default lets everyone in who has the right credentials.
//
// As in the pages of Setup that this stands for, most settings are check boxes.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
pub struct Setup {
    /// "Allow OAuth Username-Password Flows". Default: true.
    pub password_flow_allowed: bool,
    /// "Enable Client Credentials Flow" on the app. Default: true.
    pub client_credentials_enabled: bool,
    /// Whether the app has a Run As user for that flow. Default: true.
    pub run_as_user: bool,
    /// "Enable Authorization Code and Credentials Flow" on the app. Default: true.
    pub code_credentials_enabled: bool,
    /// Whether the user may use the app. Default: true.
    pub user_approved: bool,
    /// Whether the user is active. Default: true.
    pub user_active: bool,
    /// "Require Secret for Web Server Flow" on the app. The client credentials flow always requires
    /// it. Default: true.
    pub secret_required: bool,
    /// Whether the caller's address is outside the trusted IP ranges, so that the password must be
    /// followed by the security token. Default: true.
    pub security_token_required: bool,
    /// "Require user credentials in the POST body" on the app. Default: false.
    pub credentials_in_body: bool,
    /// How the errors of the authorize endpoint arrive. Default: as JSON.
    pub authorize_errors: AuthorizeErrors,
    /// Why logins with the right credentials are refused: `error` and `error_description`, e.g.
    /// [`refusal::APP_BLOCKED`]. Default: they are not.
    pub refusal: Option<(&'static str, &'static str)>,
    /// Whether the app is an External Client App: it has no password flow, and is not looked up at the
    /// generic login hosts. Default: false.
    pub external_client_app: bool,
    /// Whether the app has the scope `refresh_token, offline_access`. Default: true.
    pub offline_access: bool,
    /// The one audience that assertions may have. Default: the URL to which they are sent.
    pub audience: Option<String>,
    /// How far the org's clock is ahead of this machine's, in seconds. Default: 0.
    pub clock_ahead: i64,
    /// Whether codes have expired before they are exchanged. Default: false.
    pub expire_codes: bool,
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
            password_flow_allowed: true,
            client_credentials_enabled: true,
            run_as_user: true,
            code_credentials_enabled: true,
            user_approved: true,
            user_active: true,
            secret_required: true,
            security_token_required: true,
            credentials_in_body: false,
            authorize_errors: AuthorizeErrors::Json,
            refusal: None,
            external_client_app: false,
            offline_access: true,
            audience: None,
            clock_ahead: 0,
            expire_codes: false,
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

/// The ways in which an error of the authorize endpoint arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizeErrors {
    /// HTTP 400 with JSON.
    Json,
    /// In the query of a redirect to the callback URL; as JSON when that is not the app's.
    Callback,
}
