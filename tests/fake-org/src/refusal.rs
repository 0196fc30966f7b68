//! Reasons for [`Setup::refusal`](crate::Setup::refusal), in Salesforce's words.

/// `error` and `error_description`.
type Reason = (&'static str, &'static str);

/// Only users with a certain profile or permission set may use the app.
pub const NOT_ADMIN_APPROVED: Reason =
    ("invalid_app_access", "user is not admin approved to access this app");
/// The app has not been installed by an administrator.
pub const APP_NOT_INSTALLED: Reason = ("invalid_client", "app must be installed into org");
/// An administrator has blocked the app.
pub const APP_BLOCKED: Reason = ("OAUTH_APP_BLOCKED", "this app is blocked by admin");
/// The External Client App is another org's.
pub const APP_NOT_FOUND: Reason = ("app_not_found", "External client app is not installed in this org");
/// The same, as others have seen it.
pub const EC_APP_NOT_FOUND: Reason =
    ("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org");
/// The app is not installed or not approved, or wants PKCE.
pub const APPROVAL_ERROR: Reason = (
    "OAUTH_APPROVAL_ERROR_GENERIC",
    "An unexpected error has occured during authentication. Please try again.",
);
/// The app lacks the scope `api`.
pub const NO_VALID_SCOPES: Reason = ("invalid_grant", "no valid scopes defined");
/// The Run As user of the client credentials flow is a portal user.
pub const RUN_AS_PORTAL_USER: Reason = ("access_denied", "end-user denied authorization");
/// The password flow's answer to the user of a sandbox at the wrong host.
pub const EXPIRED_TOKEN: Reason = ("invalid_grant", "expired access/refresh token");
/// Outside the IP ranges or the login hours.
pub const IP_RESTRICTED: Reason = ("invalid_grant", "ip restricted or invalid login hours");
/// Too many logins.
pub const LOGIN_RATE_EXCEEDED: Reason = ("invalid_grant", "login rate exceeded");
/// The site requires a reCAPTCHA for headless login.
pub const RECAPTCHA_REQUIRED: Reason = ("invalid_request", "reCAPTCHA token required");
