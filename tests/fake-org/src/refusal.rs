//! Why the org refuses whoever has the right credentials: reasons for
//! [`Setup::refuse`](crate::Setup::refuse) and `--refuse`, in Salesforce's words.

/// A reason, and what Salesforce says of it.
#[derive(Debug)]
pub struct Refusal {
    /// What it is asked for by, e.g. `flow-off`.
    pub name: &'static str,
    /// The flows that it concerns, by the names that `SF_FLOW` has for them.
    pub flows: &'static [&'static str],
    /// The token endpoint's `error`, or with [`SUCCESS`] the API's code.
    pub error: &'static str,
    /// The token endpoint's `error_description`, or with [`SUCCESS`] the API's message.
    pub description: &'static str,
    /// What Login History says of a login with a password; `None` where it has no entry.
    pub status: Option<&'static str>,
    /// What has happened.
    pub means: &'static str,
}

/// Login History's status of a login that was not refused. A refusal with it is one by the API.
pub const SUCCESS: &str = "Success";

const ALL_FLOWS: &[&str] = &crate::FLOWS;
const PASSWORD: &[&str] = &["password"];
const PASSWORDS: &[&str] = &["password", "code_credentials"];
const CLIENT: &[&str] = &["client_credentials"];
const CODE: &[&str] = &["code_credentials"];
const JWT: &[&str] = &["jwt_bearer"];

/// No status.
const UNTOLD: &str = "";

/// All of them.
#[rustfmt::skip]
pub static ALL: [Refusal; 29] = [
    // Login History alone knows which.
    refusal("wrong-password", PASSWORDS, FAILURE, "Invalid Password",
        "the password is wrong, or the security token at its end"),
    refusal("no-security-token", PASSWORD, FAILURE, "Failed: API security token required",
        "the address is unknown, and no security token came"),
    refusal("activation", PASSWORD, FAILURE, "Failed: Computer activation required",
        "the user was never verified from this address"),
    refusal("multi-factor", PASSWORD, FAILURE, "Multi-factor required", "a second factor is wanted"),
    refusal("flow-off", PASSWORD, FAILURE, "Username-Password Flow Disabled",
        "the org has the password flow switched off"),
    refusal("locked", PASSWORDS, FAILURE, "Password Lockout", "there were too many wrong passwords"),
    refusal("my-domain", PASSWORD, FAILURE, "Restricted domain", "the org takes logins at its My Domain only"),
    // The user.
    refusal("frozen", ALL_FLOWS, INACTIVE, "User is Frozen", "the user is frozen"),
    refusal("inactive", ALL_FLOWS, INACTIVE, "User is Inactive", "the user is not active"),
    refusal("ip", ALL_FLOWS, ("invalid_grant", "ip restricted"), "Restricted IP",
        "the address is outside the profile's ranges"),
    refusal("app-ip", ALL_FLOWS, RESTRICTED, "Failed: IP Address Not Allowed",
        "the app holds the user to the profile's ranges"),
    refusal("hours", ALL_FLOWS, RESTRICTED, "Restricted time", "it is outside the profile's login hours"),
    refusal("rate", ALL_FLOWS, ("invalid_grant", "login rate exceeded"), "Login rate exceeded",
        "there were too many logins"),
    refusal("expired-password", PASSWORDS,
        ("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired"), SUCCESS,
        "the user must change the password: the API says so"),
    // The app.
    refusal("not-approved", ALL_FLOWS, NOT_APPROVED, "Failed: Not approved for access",
        "the user has not approved the app, nor anyone else"),
    refusal("not-admin-approved", ALL_FLOWS,
        ("invalid_app_access", "user is not admin approved to access this app"),
        "Failed: Not approved for access", "the app takes users approved beforehand"),
    refusal("no-scope", ALL_FLOWS, ("invalid_grant", "no valid scopes defined"), UNTOLD,
        "the app lacks the scope api"),
    refusal("app-blocked", ALL_FLOWS, ("OAUTH_APP_BLOCKED", "this app is blocked by admin"), UNTOLD,
        "an administrator has blocked the app"),
    refusal("app-not-installed", ALL_FLOWS, ("invalid_client", "app must be installed into org"), UNTOLD,
        "no administrator has installed the app"),
    refusal("app-not-found", ALL_FLOWS, ("app_not_found", "External client app is not installed in this org"),
        UNTOLD, "the External Client App is another org's"),
    // One flow.
    refusal("client-credentials-off", CLIENT, ("invalid_grant", "client credentials flow not enabled"), UNTOLD,
        "the app has the flow switched off"),
    refusal("no-run-as", CLIENT, ("invalid_grant", "no client credentials user enabled"), UNTOLD,
        "the app has no Run As user"),
    refusal("run-as-portal", CLIENT, ("access_denied", "end-user denied authorization"), UNTOLD,
        "the Run As user is a customer"),
    refusal("code-flow-off", CODE, ("invalid_client", "code credential flow not enabled"), UNTOLD,
        "the app has the flow switched off"),
    refusal("recaptcha", CODE, ("invalid_request", "reCAPTCHA token required"), UNTOLD,
        "the site wants a reCAPTCHA"),
    refusal("offline-access", JWT, ("invalid_request",
        "refresh_token scope is required and the connected app should be installed and preauthorized"), UNTOLD,
        "the app lacks the scope refresh_token, offline_access"),
    refusal("audience", JWT, ("invalid_grant", "audience is invalid"), UNTOLD, "the org wants another audience"),
    refusal("slow-clock", JWT, ("invalid_grant", "expired authorization code"), UNTOLD,
        "this machine's clock is slow"),
    refusal("other-key", JWT, ("invalid_grant", "invalid assertion"), UNTOLD,
        "the key does not fit the app's certificate"),
];

type Words = (&'static str, &'static str);

const FAILURE: Words = ("invalid_grant", "authentication failure");
const INACTIVE: Words = ("invalid_grant", "inactive user");
const RESTRICTED: Words = ("invalid_grant", "ip restricted or invalid login hours");
pub(crate) const NOT_APPROVED: Words = ("invalid_grant", "user hasn't approved this consumer");

const fn refusal(
    name: &'static str,
    flows: &'static [&'static str],
    (error, description): Words,
    status: &'static str,
    means: &'static str,
) -> Refusal {
    let status = if status.is_empty() { None } else { Some(status) };
    Refusal { name, flows, error, description, status, means }
}

/// The refusal of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Refusal> {
    ALL.iter().find(|refusal| refusal.name == name)
}

impl Refusal {
    /// Whether logins succeed, and the API refuses.
    pub(crate) fn is_of_api(&self) -> bool {
        self.status == Some(SUCCESS)
    }
}
