//! The table of hints: for each failure that is known, what to do next.
//!
//! What sf-login found out itself is told by [`Odd`] and [`Cause`]; only what the other side said is looked at
//! as text, and only for words that are known. Words that nobody knows get no guess at a cause, but the way to it.

pub(crate) mod case;

use self::case::{APP_UNKNOWN, Case, Odd, Tried, UNAPPROVED};
use crate::address::is_generic;
use crate::error::ErrorKind;
use crate::redact::WITHHELD;
use crate::settings::Renewal;
use crate::wire::no_reply::Cause;

/// How many hints an error shows, so that a refusal and its hints stay on a screen of 80x24.
const MOST: usize = 4;

/// When to say it, and what to say: one sentence of some 140 characters. Settings stand in braces, by their variable.
type Hint = (fn(&Case<'_>) -> bool, &'static str);

/// All hints. Those that hold are shown from the top, so the likely ones come first.
#[rustfmt::skip]
const HINTS: &[Hint] = &[
    // Before all else: what must not be repeated blindly.
    (|c| c.may_be_done() && c.login().is_some(),
     "the exchange of the code may have been done or not, and no code is good twice: log in anew, once"),
    (|c| c.may_be_done() && c.login().is_none(),
     "the write may have been done or not, whatever else is said here: look before you repeat it"),

    // Refused logins: guesses, where Salesforce names no cause.
    (|c| (c.is_user_unknown() || c.unknown_key() || c.wrong_secret()) && c.has_quotes(),
     "a setting has quotes around it, which were sent along, as Docker's env files keep them: write it without"),
    (|c| c.no_cause() && c.by("password") && c.host.ends_with(".my.site.com"),
     "the password flow does not serve users of Experience Cloud sites: use {SF_FLOW=code_credentials}"),
    (|c| c.is_user_unknown() && c.value("username").is_some_and(|name| !name.contains('@')),
     "a username has the form of an e-mail address, and this one has no @: Setup > Users shows the usernames"),
    (|c| c.is_user_unknown() && c.is_scratch_user() && is_generic(c.host),
     "a scratch org's users log in at its own host ({SF_LOGIN_URL}), or some minutes after they were made at https://test.salesforce.com"),
    (|c| c.is_user_unknown() && c.is_sandbox_user() == Some(true) && c.host == "login.salesforce.com",
     "the username ends like a sandbox's: sandboxes log in at https://test.salesforce.com or at their My Domain ({SF_LOGIN_URL})"),
    (|c| c.is_user_unknown() && c.is_sandbox_user() == Some(false) && (c.host.contains(".sandbox.my.") || c.host.starts_with("test.s") && is_generic(c.host)),
     "a sandbox's usernames usually end with its name (ada@example.com.uat); production logs in elsewhere ({SF_LOGIN_URL})"),
    (|c| c.no_cause() && c.value("security_token") == Some("") || c.refused("security token required"),
     "outside trusted IP ranges a security token is needed ({SF_SECURITY_TOKEN}): the user's Settings > Reset My Security Token mails one"),
    (|c| c.bad_password() && c.sent_token_twice(),
     "the password already ends with the security token, so it was sent twice: leave it out of one of the two"),
    (|c| c.bad_password() && c.value("security_token") != Some("") && !c.sent_token_twice(),
     "the security token ({SF_SECURITY_TOKEN}) may be old, as each new password brings a new one, or unwanted from a trusted IP address"),
    (|c| c.by("password") && (c.no_cause() || c.refused("unsupported_grant_type") || c.refused(APP_UNKNOWN)),
     "this flow may be off (Setup > OAuth and OpenID Connect Settings), as in External Client Apps: try {SF_FLOW=jwt_bearer} (same user), {client_credentials}"),
    (|c| c.bad_password(),
     "the password or username may be wrong, changed by a shell, dotenv file or CI ($ # ^ % !), or be taken at the org's My Domain only ({SF_LOGIN_URL})"),
    (|c| c.no_cause() && c.by("authorization code"),
     "the username or password may be wrong, or the user no member of the site (its Administration > Members)"),
    (|c| c.no_cause() && c.by("client credentials"),
     "the app's Run As user may be inactive, frozen, or outside the IP ranges and hours of its profile (Setup > Users)"),
    (|c| c.no_cause() && c.by("JWT"),
     "the user may be inactive, unknown at this host ({SF_LOGIN_URL}) or not approved for the app, or the key may not be its certificate's"),

    // Refused logins: causes by the description first, since one error code stands for several.
    (|c| c.refused("ip restricted|login hours"),
     "this IP address (behind a proxy, the proxy's), or the hour, is outside the profile's Login IP Ranges or Hours, or the app's IP Relaxation"),
    (|c| c.refused("inactive user|inactive_user|user is inactive"),
     "the user is deactivated or frozen (Setup > Users undoes it); where Salesforce mailed a security notification, first leave the VPN or proxy"),
    (|c| c.refused("refresh_token scope is required"),
     "the app needs the scope \"Perform requests at any time (refresh_token, offline_access)\" beside \"Manage user data via APIs (api)\""),
    (|c| c.refused(UNAPPROVED),
     "the user may not be approved: in the app's policies (App Manager or External Client App Manager), add the user's profile or permission set"),
    (|c| c.refused("expired access/refresh token") && c.value("username").is_some() || c.refused("approved this consumer") && c.by("JWT"),
     "the username may not be known there: check it, and whether host ({SF_LOGIN_URL}) and a JWT's audience are its org's (sandbox or production)"),
    (|c| c.refused(UNAPPROVED),
     "a permission set of the license Salesforce API Integration cannot hold apps: take the profile, or a second set without that license"),
    (|c| c.refused("audience") && c.by("JWT"),
     "try another audience ({SF_AUDIENCE_URL}): https://login.salesforce.com, a sandbox's https://test.salesforce.com, My Domain, a site's whole URL"),
    (|c| c.refused("invalid assertion") && c.by("JWT"),
     "the key may not be the certificate's: `openssl pkey -in server.key -pubout` and `openssl x509 -in server.crt -pubkey -noout` must print the same"),
    (|c| c.refused("expired authorization code") && c.by("JWT"),
     "this machine's clock is slow: compare `date -u` with the true time, and set it"),
    (|c| c.refused("not supported on this domain"),
     "this host does not serve the flow: set {SF_LOGIN_URL} to the org's My Domain, e.g. https://ACME.my.salesforce.com"),
    (|c| c.refused("no client credentials user|client credentials flow not enabled"),
     "an External Client App has two places: Settings > OAuth Settings > Flow Enablement, and Policies > OAuth Policies (Run As; the flow, if shown)"),
    (|c| c.refused("no client credentials user|client credentials flow not enabled"),
     "a connected app has the flow in App Manager > the app > Edit, and its user in Manage > Edit Policies > Client Credentials Flow > Run As"),
    (|c| c.refused("end-user denied authorization") && c.by("client credentials"),
     "the app's Run As user is probably a portal (Experience Cloud) user, which this flow refuses: choose an internal user"),
    (|c| c.refused("code credential flow not enabled"),
     "allow Authorization Code and Credentials Flows twice: in Setup > OAuth and OpenID Connect Settings, and in the app's settings"),
    (|c| c.refused("recaptcha"),
     "the site wants reCAPTCHA for headless login, which no program can give: switch it off in the site's Login & Registration settings"),
    (|c| c.refused("expired authorization code|invalid authorization code") && c.by("authorization code"),
     "the code expired, was used already, or is another app's or site's ({SF_CLIENT_ID}, {SF_LOGIN_URL}): log in again, once"),
    (|c| c.refused("no valid scopes|invalid_scope"),
     "give the app the scope \"Manage user data via APIs (api)\" in its OAuth settings; \"Full access (full)\" alone is not enough"),
    (|c| c.refused("login rate exceeded|rate_limit_exceeded"),
     "too many logins (3600 an hour and user): keep the token instead of logging in each time, and wait an hour"),
    (|c| c.refused(APP_UNKNOWN),
     "only the org's My Domain ({SF_LOGIN_URL}, as audience too) finds an External Client App; or it is another org's, or a sandbox refresh removed it"),
    (|c| c.refused("oauth_app_blocked|blocked by admin"),
     "an administrator has blocked the app: Setup > Connected Apps OAuth Usage > the app > Unblock"),
    (|c| c.refused("app must be installed|oauth_approval_error_generic"),
     "the app is not installed or not approved in this org (Setup > Connected Apps OAuth Usage), or, with an approval error, may demand PKCE"),
    (|c| c.unknown_key(),
     "the consumer key ({SF_CLIENT_ID}) is unknown at this host ({SF_LOGIN_URL}); a connected app's: App Manager > the app > View > Manage Consumer Details"),
    (|c| c.wrong_secret() && c.value("client_secret").is_some(),
     "the consumer secret ({SF_CLIENT_SECRET}) is not the app's; a connected app has it in App Manager > the app > View > Manage Consumer Details"),
    (|c| c.wrong_secret() && c.value("client_secret").is_none(),
     "no consumer secret ({SF_CLIENT_SECRET}) was sent: add it, unless the app's \"Require Secret for Web Server Flow\" is switched off"),
    (|c| c.unknown_key() || c.wrong_secret(),
     "an External Client App has key and secret in External Client App Manager > the app > Settings > OAuth Settings > Consumer Key and Secret"),
    (|c| c.refused("unsupported_grant_type") && c.by("JWT"),
     "the app may lack the flow: Enable JWT Bearer Flow in its OAuth Settings (in a connected app: Use digital signatures), and upload the certificate"),
    (|c| c.unknown_key() || c.no_cause() || c.by("JWT") && c.refused("invalid assertion|unsupported_grant_type"),
     "an app made or changed less than about 10 minutes ago may not work yet: wait, and try once more"),
    (|c| c.refused("unsupported_grant_type") && !c.by("password") && !c.by("JWT") || c.refused("must use http|https required") || c.refused("code challenge|code verifier") && c.by("authorization code") || c.bare("invalid_request"),
     "the request may have been changed on its way, e.g. by a proxy that turns a POST into a GET: try without the proxy"),
    (|c| c.refused("redirect_uri_mismatch") || c.got(&[Odd::NoCode]) || c.got(&[Odd::Elsewhere]) && c.to_callback(),
     "the app needs the Authorization Code and Credentials Flow, and as a Callback URL exactly the redirect URI ({SF_REDIRECT_URI})"),
    (|c| c.refused("inactive_org|org is locked"),
     "the org is locked, closed or expired: its administrator or Salesforce Support can tell"),
    (|c| c.refused("retry your request|unknown_error|temporarily_unavailable|server_error") || c.api("retry your request") || c.got(&[Odd::Edge]) || c.status() == 429,
     "this passes by itself (too much at one time, or trouble of Salesforce's own): wait a little, then try again"),

    // Refused requests.
    (|c| c.api("not valid for use with the rest api|api_disabled_for_org|api_currently_disabled"),
     "the user needs the permission \"API Enabled\", the app the scope \"Manage user data via APIs (api)\", and the org an edition with the API"),
    (|c| c.has_expired() && !c.can_log_in() || c.got(&[Odd::Text]) && c.says("bad_oauth_token"),
     "the token may have expired, be cut off or another org's: get a new one {where it came from}"),
    (|c| c.api("session expired or invalid") && !c.can_log_in(),
     "if refused at once and always: the org may lock sessions to an IP address (get the token where it is used), or its refresh token was used again"),
    (|c| c.api("invalid_session_id") && (c.can_log_in() || !c.says("session expired or invalid")),
     "a policy may refuse even a new login's token: see the app's IP Relaxation, API Access Control, Session Settings (IP lock, High Assurance)"),
    (|c| c.api("expired_password"),
     "the user's password has expired: a new one is set in a browser, which also mails a new security token"),
    (|c| c.api("mutual_authentication_failed"),
     "the user has the permission \"Enforce SSL/TLS Mutual Authentication\" (a client certificate, at port 8443), or the password has expired"),
    (|c| c.api("apex_rest_services_disabled"),
     "the user needs the permission \"Apex REST Services\""),
    (|c| c.api("txn_security_metering_error"),
     "a Transaction Security policy took too long: make it simpler, or give the user \"Exempt from Transaction Security\""),
    (|c| c.api("invalid_iss|url_not_reset|invalid_token|unsupported_token_type"),
     "this host may not be the token's instance: use the instance_url that came with the token ({SF_ORG_INSTANCE_URL})"),
    (|c| c.api("invalid_auth_header") && !c.says("invalid_iss") && (c.can_log_in() || !c.says("invalid_jwt_format")),
     "the token is damaged, or something between, e.g. a proxy, changed the Authorization header: compare the token, try without the proxy"),
    (|c| c.api("request_limit_exceeded: concurrent"),
     "too many long requests at one time: this passes within seconds, so try again, with fewer at once"),
    (|c| c.api("request_limit_exceeded") && !c.says("request_limit_exceeded: concurrent"),
     "the org's API requests for 24 hours are used up (Setup > Company Information), unless the message names another limit"),
    (|c| c.api("unable_to_lock_row"),
     "somebody else was writing to the record or its parent, and nothing was written: try again"),
    (|c| c.api("malformed_query"),
     "the SOQL has a mistake where the message points: write text with {single quotes}, and name the fields one by one (there is no *)"),
    (|c| c.api("enclosed in quotes"),
     "quotes are for text only: write dates as 2026-11-26, datetimes as 2026-11-26T09:12:03Z, and numbers, true and false as they are"),
    (|c| c.api("invalid_field|invalid_type:") && !c.says("enclosed in quotes"),
     "the field or object does not exist, is misspelt (custom ones end in __c), or this user may not see it or, in a write, set it"),
    (|c| c.api("invalid_type:") && !c.path().contains("/tooling/"),
     "if it is an object of the Tooling API, ask for it there: {`sf-login query --use-tooling-api`}"),
    (|c| c.api("query_timeout"),
     "the query takes longer than Salesforce allows: filter by an indexed field, ask for less, or use Bulk API 2.0"),
    (|c| c.api("invalid_query_locator"),
     "the query's next page is no longer kept: run the query again, without long pauses, and no more than ten of a user at once"),
    (|c| c.api("insufficient_access"),
     "the user lacks a right to this: see the object's and fields' permissions in the profile, and how the record is shared"),
    (|c| c.api("not_found:|entity_is_deleted") || c.login().is_none() && c.got(&[Odd::Html]) && c.says("no longer exists"),
     "the path, API version or record does not exist, is deleted, or hidden from this user; a path without a leading / is below /services/data/vNN.N/"),
    (|c| c.api("") && c.status() == 300,
     "an external id should be unique: mark its field as unique, or ask for one of these records by its id"),
    (|c| c.status() == 410 && c.login().is_none(),
     "Salesforce no longer serves this API version: use 31.0 or later ({SF_ORG_API_VERSION})"),
    (|c| c.status() == 411 && c.login().is_none(),
     "a GET or HEAD has no body: leave it out, or use another method"),
    (|c| matches!(c.status(), 414 | 431) && c.login().is_none(),
     "the URL and headers may have 16,384 bytes: ask for fewer fields, or for fewer ids in IN (...) by several queries"),

    // Replies that are not what Salesforce documents.
    (|c| c.got(&[Odd::Html]) && c.says("maintenance") || matches!(c.status(), 502..=504) && !c.refused(""),
     "Salesforce, or a proxy before it, is unavailable or in maintenance: see https://status.salesforce.com, and try again later"),
    (|c| c.status() == 420,
     "this passes within some minutes, or the host is wrong, or its scratch org or sandbox has expired or is not ready yet"),
    (|c| c.login().is_some() && c.got(&[Odd::Html]) && c.says("no longer exists"),
     "the host has nothing at this path: check {SF_LOGIN_URL}, with the site's path if it has one"),
    (|c| c.by("authorization code") && c.got(&[Odd::Html]) && c.status() == 200 && !c.says("maintenance|no longer exists"),
     "the site's login page: the flow is off (org, app, site), {SF_LOGIN_URL} lacks the path, or the app has \"Require user credentials in the POST body\""),
    (|c| c.reason_lost(),
     "by its status the login was refused, though the reason did not arrive: see Setup > Login History, or `sf-login why`, before you try again"),
    (|c| c.got(&[Odd::Elsewhere]) && !c.to_callback(),
     "nothing secret is sent on to another host: if you trust the one above, set it ({SF_LOGIN_URL}, or {SF_ORG_INSTANCE_URL} of a kept token)"),
    (|c| c.got(&[Odd::NotModified]) || c.status() == 412 && c.login().is_none(),
     "the condition that the request sets (If-Match, If-Modified-Since ...) does not hold: read the record anew, without a condition"),
    (|c| c.login().is_none() && c.got(&[Odd::Html]) && c.status() == 200 && !c.path().starts_with("/services/"),
     "this path is for browsers: the API's begin with /services/data/, and a file's content is at sobjects/ContentVersion/ID/VersionData"),
    (|c| c.got(&[Odd::TooLarge]) && c.login().is_none(),
     "ask for less at a time: fewer fields, or {a smaller page}"),
    (|c| c.got(&[Odd::Unfit]) && c.says("without the field") && !c.says("`done`|`records`"),
     "names are as Salesforce spells them (Id, not id), and what was not asked for, or is unknown, may be absent"),
    (|c| c.got(&[Odd::Unfit]) && c.says("null that does not fit the type asked for at") && !c.says(" at records,"),
     "a field without a value is null: its type has to be an Option, or to have a default for null"),
    (|c| c.got(&[Odd::Unfit]) && c.says("does not fit the type") && !c.says(", expected "),
     "if it is a datetime: Salesforce writes 2026-11-26T09:12:03.000+0000, with no colon in the offset where RFC 3339 wants one"),
    (|c| c.got(&[Odd::Unfit]) && !c.may_be_done(),
     "compare the type that was asked for with the reply itself, as `sf-login query SOQL` or `sf-login get PATH` prints it"),
    (|c| c.got(&[Odd::LoginElsewhere]),
     "the kept token and the login belong to different orgs or users: drop the token, or correct the login"),
    (|c| c.got(&[Odd::Subquery]),
     "a record has more child rows than one page holds: query the child object itself, and filter by its parent's id"),
    (|c| c.got(&[Odd::Truncated, Odd::Pages]) && !c.may_be_done() && !c.reason_lost(),
     "the network, or a proxy, cut the reply or changed it: try again"),

    // No reply.
    (|c| c.no_reply(&[Cause::Proxy(401), Cause::Proxy(407)]),
     "the proxy wants a name and password: HTTPS_PROXY=http://user:password@host:port, with @ : / % # ? in them as %40 %3A %2F %25 %23 %3F"),
    (|c| c.no_reply(&[Cause::Proxy(401), Cause::Proxy(407)]),
     "a proxy that wants NTLM or Kerberos takes none from a URL: name a relay on this machine as the proxy that speaks them (px, cntlm)"),
    (|c| c.says("through the proxy https:") && c.no_reply(&[Cause::Tls, Cause::ConnectionLost, Cause::ConnectTimeout]),
     "the proxy itself may be spoken to in plain http, as most are, for https too: write HTTPS_PROXY=http://host:port"),
    (|c| c.unconnected() && c.says("through the proxy "),
     "the proxy comes from HTTPS_PROXY or ALL_PROXY, or from the program's agent: check it, or put the host in NO_PROXY to go without"),
    (|c| c.no_reply(&[Cause::NameNotFound]) && !c.says("through the proxy "),
     "check the host for a typing error, then this machine's network and DNS; the org may also have renamed its My Domain"),
    (|c| c.unconnected() && !c.no_reply(&[Cause::NameNotFound]) && !c.says("through the proxy "),
     "nothing answers there, or what does speaks no TLS: check host, port and network; if the internet is reached by a proxy, set HTTPS_PROXY"),
    (|c| c.tls("expired|not valid yet|not yet valid"),
     "compare `date -u` with the true time: if this machine's clock is right, whoever runs the server must replace the certificate"),
    (|c| c.tls("not valid for name|mismatch|does not match"),
     "the server cannot prove that it is this host: check the host for a typing error, and whether a proxy or network login stands between"),
    (|c| c.unknown_issuer(),
     "its authority is not trusted (a company proxy's?): put it in SSL_CERT_FILE, or, with the feature native-tls or platform-verifier, in the system"),
    (|c| c.unknown_issuer() && !c.says("self-signed|self signed"),
     "or the server does not send its intermediate certificate: that one and its root may stand in SSL_CERT_FILE, in place of all others"),
    (|c| c.tls("causedasendentity"),
     "the certificate is self-signed as an authority's own, which no SSL_CERT_FILE makes acceptable: the server needs one issued by an authority"),
    (|c| c.tls("badsignature|signature failure|unsupportedsignaturealgorithm|too weak|unsupportedcertversion"),
     "the certificate is of an outdated kind (SHA-1, a key below 2048 bits, version 1), or SSL_CERT_FILE has an older one of its authority"),
    (|c| c.tls("no ca certificates were loaded"),
     "this system has no root certificates: install them (the package ca-certificates), or name them in SSL_CERT_FILE (PEM)"),
    (|c| c.tls("invalidcontenttype|wrong version number|packet length too long|http request") && !c.says("through the proxy https:") || c.no_reply(&[Cause::NotHttp]),
     "what answers at this port does not speak the protocol that was asked for: check the host and the port"),
    (|c| c.no_reply(&[Cause::ReplyTimeout]) && !c.may_be_done(),
     "the host was reached, but did not answer in time: try again {later}"),
];

/// What is said where no row above holds: the failure is one that nobody knows.
#[rustfmt::skip]
const OTHERWISE: &[Hint] = &[
    (|c| c.refused(""),
     "sf-login does not know this error: search Salesforce's help for it, or ask the org's administrator"),
    // What a 400 says of the request is advice enough.
    (|c| c.api("") && c.status() != 400 && !c.is_apex(),
     "sf-login does not know this error: Salesforce's REST API Developer Guide has a page \"Status Codes and Error Responses\""),
    (|c| c.is_apex() && !c.got(&[Odd::Html]),
     "an Apex class answers here in words of its own: ask who wrote it, or look in this user's debug log (Setup > Debug Logs)"),
    // JSON of a resource's own tells why by itself.
    (|c| matches!(c.kind, ErrorKind::Unexpected { .. }) && !(c.got(&[Odd::Json]) && c.login().is_none()) && (!c.is_apex() || c.got(&[Odd::Html])),
     "this is no answer of Salesforce's API: check the host (like https://ACME.my.salesforce.com), and for a proxy or network login between"),
    (|c| c.got(&[Odd::Html]) && c.status() == 200 && c.value("password").is_some() && !c.host.contains("salesforce."),
     "if this is not the host that you meant, change the password: it was sent there"),
    (|c| matches!(c.odd, Odd::NoReply(Cause::Proxy(_))),
     "the proxy does not let this machine reach the host, or cannot: check the host for a typing error, then ask whoever runs the proxy"),
    (|c| c.no_reply(&[Cause::Certificate]),
     "the certificate was not accepted: show these words to whoever runs the server, or the proxy if there is one"),
    (|c| c.no_reply(&[Cause::Tls]),
     "TLS was not agreed on: a firewall or proxy may stand between, the port not be https's, or the server speak only TLS before 1.2"),
    (|c| c.no_reply(&[Cause::ConnectionLost, Cause::Other]) && !c.may_be_done(),
     "try again later; if it stays so, look at this machine's network, and for a firewall or a proxy between"),
];

/// Said of every refused login.
const LOGIN_HISTORY: &str = "before you try again, see what Setup > Login History says of this login: \
                             `sf-login why` prints and explains it";

/// What the words in braces are in a program; where the settings come from the environment, they stand as they are.
const IN_A_PROGRAM: &[(&str, &str)] = &[
    ("SF_CLIENT_ID", "App::new"),
    ("SF_CLIENT_SECRET", "App::new"),
    ("SF_SECURITY_TOKEN", "Login::security_token"),
    ("SF_LOGIN_URL", "Login::login_url"),
    ("SF_REDIRECT_URI", "App::code_credentials"),
    ("SF_AUDIENCE_URL", "Login::audience"),
    ("SF_FLOW=jwt_bearer", "App::jwt_bearer"),
    ("client_credentials", "App::client_credentials"),
    ("SF_FLOW=code_credentials", "App::code_credentials"),
    ("SF_ORG_INSTANCE_URL", "Token::new"),
    ("SF_ORG_API_VERSION", "Session::api_version"),
    ("where it came from", "(Login::token), or let the session log in (Login::resume)"),
    ("`sf-login query --use-tooling-api`", "Session::query_at"),
    ("single quotes", "soql_quote"),
    ("a smaller page", "a stream (Session::run)"),
    ("later", "later, or allow more time (Login::timeout, Session::timeout)"),
];

/// The hints that fit, most likely first, at most four.
pub(crate) fn hints(case: &Case<'_>) -> Vec<String> {
    fn holding(table: &[Hint], case: &Case<'_>) -> Vec<&'static str> {
        table.iter().filter(|(when, _)| when(case)).map(|(_, say)| *say).collect()
    }
    let mut says = holding(HINTS, case);
    let is_withheld = matches!(case.kind, ErrorKind::Refused { description, .. } if description == WITHHELD);
    if says.is_empty() && is_withheld {
        // Words that nobody knows, and that nobody sees, are as good as none.
        let said = case.said.split(':').next().unwrap_or_default().to_owned();
        says = holding(HINTS, &Case { said, ..*case });
    }
    if says.is_empty() {
        says = holding(OTHERWISE, case);
    }
    if case.refused("") {
        says.truncate(MOST - 1);
        says.push(LOGIN_HISTORY);
    }
    let mut hints: Vec<String> = says.into_iter().map(|say| fill(say, case.names_variables())).collect();
    // No other refusal would have led to a new login.
    let is_expired = case.status() == 401 && case.has_expired();
    if let (Tried::Request { renewal: Renewal::Unusable(why), .. }, true) = (case.tried, is_expired) {
        let why = why.to_string();
        // Where there is no room for what to write instead.
        let why = if why.len() > 110 { why.split(": ").next().unwrap_or_default() } else { &why };
        hints.insert(0, format!("no new login was possible: {why}"));
    }
    hints.truncate(MOST);
    hints
}

fn fill(say: &str, from_env: bool) -> String {
    IN_A_PROGRAM.iter().fold(say.to_owned(), |say, (here, there)| {
        say.replace(&format!("{{{here}}}"), if from_env { here } else { there })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(from_env: bool) -> Vec<String> {
        let rows = HINTS.iter().chain(OTHERWISE).map(|(_, say)| *say).chain([LOGIN_HISTORY]);
        rows.map(|say| fill(say, from_env)).collect()
    }

    #[test]
    fn every_hint_is_one_short_line_in_terms_of_its_reader() {
        for hint in [sentences(true), sentences(false)].concat() {
            let is_plain = hint.chars().all(|c| matches!(c, ' '..='~') && c != '{' && c != '}');
            assert!(is_plain && !hint.ends_with('.') && !hint.contains("  ") && hint.len() <= 150, "{hint}");
        }
        let rust = sentences(true).into_iter().find(|hint| hint.contains("::"));
        assert_eq!(rust, None, "where the settings come from the environment");
    }

    /// `hints.txt` is what the real client shows, which another test holds it to.
    #[test]
    fn every_hint_is_shown_in_a_scenario() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/hints.txt");
        let texts = std::fs::read_to_string(path).expect("the scenarios of tests/it/hints.rs");
        let shown = |hint: &String| texts.lines().any(|line| line.strip_prefix("hint: ") == Some(hint));
        let unseen = sentences(false).into_iter().zip(sentences(true)).find(|(a, b)| !shown(a) && !shown(b));
        assert_eq!(unseen, None);
    }
}
