//! Login History: what Salesforce tells its administrators of a login that it refused.

/// A status of Login History: what it means, and what to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginStatus {
    /// As Salesforce writes it, with "Failed:" before it where it does.
    pub status: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to change, or what else to do.
    pub change: &'static str,
}

impl LoginStatus {
    /// The row of [`LOGIN_STATUSES`] for a status, without regard to case and to "Failed:" before it.
    ///
    /// ```
    /// let known = sf_login::LoginStatus::find("Failed: Invalid password");
    /// assert_eq!(known.map(|known| known.status), Some("Invalid Password"));
    /// ```
    #[must_use]
    pub fn find(status: &str) -> Option<&'static LoginStatus> {
        let wanted = without_failed(status);
        LOGIN_STATUSES.iter().find(|known| without_failed(known.status).eq_ignore_ascii_case(wanted))
    }
}

fn without_failed(status: &str) -> &str {
    let (failed, rest) = status.trim().split_at_checked("Failed:".len()).unwrap_or_default();
    if failed.eq_ignore_ascii_case("Failed:") { rest.trim_start() } else { status.trim() }
}

/// Makes the data and its docs of one table, in which statuses of one meaning share a row.
macro_rules! login_statuses {
    ($($first:literal $(| $other:literal)* : $means:literal, $change:literal;)+) => {
        /// The statuses with which *Setup > Login History* says why a login was refused.
        ///
        /// `sf-login why` asks for them, and so can a query: `SELECT Status FROM LoginHistory WHERE UserId =
        /// '005...' ORDER BY LoginTime DESC LIMIT 5`. With the permission *Manage Users* or *Monitor Login
        /// History* that shows everybody's logins, without it one's own. A login that left no entry did not arrive
        /// at this org: look at the login URL (sandboxes have their own), the username and the consumer key.
        ///
        /// | status | means | change |
        /// |---|---|---|
        $(#[doc = concat!("| ", $first, $("; ", $other,)* " | ", $means, " | ", $change, " |")])+
        ///
        /// A status may follow the reader's language, and new ones may come: [`LoginStatus::find`] gives `None`
        /// for these. The codes of event log files (`LOGIN_ERROR_...`) are others.
        pub const LOGIN_STATUSES: &[LoginStatus] = &[$(
            LoginStatus { status: $first, means: $means, change: $change },
            $(LoginStatus { status: $other, means: $means, change: $change },)*
        )+];
    };
}

login_statuses! {
    "Invalid Password":
        "the password is wrong, or the security token at its end",
        "set both anew: each new password brings a new security token";
    "Failed: API security token required":
        "the address is outside the org's trusted IP ranges, and no security token was sent",
        "send the security token, or add the address in Setup > Network Access";
    "Failed: Computer activation required" | "Failed: Computer activation pending":
        "the user was never verified from this address",
        "log in once in a browser there, or add the address in Setup > Network Access";
    "Multi-factor required" | "Two-factor required":
        "a second factor is wanted (no failure in a browser's logins, a step of them); under the permission \
         Multi-Factor Authentication for API Logins it is a code in the security token's place",
        "use another flow, or take that permission from the user";
    "Username-Password Flow Disabled":
        "the org blocks the flow, or the app is an External Client App, which never has it",
        "use another flow, such as client credentials; the org's switch is in Setup > OAuth and OpenID Connect \
         Settings";
    "Failed: Not approved for access":
        "the app takes only users who were approved beforehand",
        "add the user's profile or a permission set in the app's policies";
    "Failed: Missing Consumer Key Parameter":
        "the app was not recognised: its key is empty, has spaces in it or is another app's, the secret is missing, \
         or the certificate does not fit",
        "check the consumer key, the secret, the certificate";
    "Failed: Consumer Deleted": "the app is gone", "use another app's consumer key";
    "Package for this consumer is not installed in your organization":
        "the app is not installed in this org", "install it, in Setup > Connected Apps OAuth Usage";
    "Password Lockout":
        "too many wrong passwords", "wait for the lockout's end, or unlock the user in Setup > Users";
    "User is Inactive": "an administrator deactivated the user", "set the user active in Setup > Users";
    "User is Frozen":
        "an administrator froze the user, or Salesforce itself, for logins from a VPN, a proxy or an address that it \
         holds for risky",
        "unfreeze the user in Setup > Users, and log in from another network if it was Salesforce";
    "Restricted IP":
        "the address is outside the profile's Login IP Ranges",
        "log in from an address within, or widen the profile's ranges";
    "Failed: IP Address Not Allowed":
        "the app holds the user to the profile's Login IP Ranges or Login Hours, and the login was outside them",
        "relax the app's policy IP Relaxation, or change the profile";
    "Restricted time": "the hour is outside the profile's Login Hours", "change the profile's hours";
    "Restricted domain":
        "the org takes logins at its My Domain only",
        "set the login URL to the one in Setup > My Domain (ACME.my.salesforce.com)";
    "Restricted country": "export rules forbid logins from there", "log in from another network";
    "Login rate exceeded" | "Maximum logins exceeded":
        "the user logged in too often", "keep the token and use it again";
    "Failed: OAuth API access disabled":
        "the org's edition has no API, or OAuth access to it is off", "ask the org's administrator about its edition";
    "Failed: Invalid Code Verifier" | "Failed: Invalid Code Challenge" | "Failed: Invalid Callback URL"
    | "Failed: Invalid Token":
        "a step of a flow with a code did not fit the one before",
        "check the redirect URI against the app's, and log in again";
    "No Experience Cloud site access":
        "the user is no member of the site", "add the user's profile or a permission set to the site's members";
    "Invalid - Experience Cloud site offline": "the site is not active", "activate the site";
    "Mutual authentication failed":
        "the user has to show a client certificate",
        "take the permission Enforce SSL/TLS Mutual Authentication from the user";
    "Failed: Login over insecure channel" | "Failed: Invalid HTTP method":
        "the login did not arrive as a POST over https", "look for what changed it on its way: a proxy, a redirect";
    "Organization locked" | "Organization suspended" | "Organization closed" | "Organization is inactive"
    | "Organization is in maintenance" | "Trial Expired":
        "the org itself takes no logins", "ask its administrator, or Salesforce";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_found_as_people_and_releases_write_it() {
        for known in LOGIN_STATUSES {
            let bare = known.status.trim_start_matches("Failed: ");
            let upper = format!(" FAILED:{} ", bare.to_uppercase());
            for written in [bare.to_lowercase(), format!("Failed: {bare}"), upper] {
                assert_eq!(LoginStatus::find(&written), Some(known), "{written}");
            }
        }
        let event = "LOGIN_ERROR_INVALID_PASSWORD";
        for unknown in ["", "Failed:", "Success", "Fäiled: Invalid Password", event] {
            assert_eq!(LoginStatus::find(unknown), None, "{unknown}");
        }
    }
}
