//! `Token`: what the token endpoint answered.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::address::parse_salesforce_url;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, setting};
use crate::wire::url::{BadUrl, Url};

/// What the token endpoint answered, all of it.
///
/// `Serialize` and `Deserialize` are that JSON object, so that it can be kept and [resumed](crate::Login::resume);
/// `Debug` shows no secret, and there is no `Display`.
#[derive(Clone)]
pub struct Token {
    access_token: String,
    pub(crate) instance: Url,
    fields: Map<String, Value>,
    /// Whether it came from the environment, so that hints name variables and not methods.
    pub(crate) from_env: bool,
}

impl Token {
    /// A token that was kept elsewhere, and the instance it is for.
    ///
    /// ```
    /// let token = sf_login::Token::new("00D5f!AQoAQ", "https://acme.my.salesforce.com/")?;
    /// assert_eq!(token.instance_url(), "https://acme.my.salesforce.com");
    /// # Ok::<(), sf_login::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`] when the token holds what no token can hold, or the instance URL is not an
    /// https origin (http on loopback).
    pub fn new(access_token: impl Into<String>, instance_url: impl Into<String>) -> Result<Token, Error> {
        let token = Token::of(access_token.into(), &instance_url.into());
        token.map_err(|(name, bad)| setting(name, bad.to_string()))
    }

    /// The token itself: a secret.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// Where requests go, without a slash at the end.
    #[must_use]
    pub fn instance_url(&self) -> &str {
        &self.instance.origin
    }

    /// Any other field of the reply that is a string: `id`, `scope`, `signature`, `sfdc_community_url` and so on;
    /// which there are depends on the flow.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// When Salesforce issued the token; `None` when it did not say, or not in milliseconds since 1970.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        const YEAR_9999: u64 = 253_402_300_799_999;
        let millis = self.field("issued_at")?.parse().ok().filter(|millis| *millis <= YEAR_9999)?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
    }

    /// The id of the user who logged in (`005...`), from the reply's `id`.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        Some(self.identity()?.1)
    }

    /// The id of the user's org (`00D...`), from the reply's `id`.
    #[must_use]
    pub fn organization_id(&self) -> Option<&str> {
        Some(self.identity()?.0)
    }

    pub(crate) fn of(access_token: String, instance_url: &str) -> Result<Token, (&'static str, BadUrl)> {
        let fields = [("access_token", access_token), ("instance_url", instance_url.trim().to_owned())];
        Token::read(fields.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect())
    }

    /// Takes the reply's fields, or tells which one cannot be used and why.
    pub(crate) fn read(fields: Map<String, Value>) -> Result<Token, (&'static str, BadUrl)> {
        let bad = |name, problem, instead| (name, BadUrl::new(problem, instead));
        let text = |name| match fields.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Some(Value::String(_)) => Err(bad(name, "is empty", "")),
            Some(_) => Err(bad(name, "is not a string", "")),
            None => Err(bad(name, "is missing", "")),
        };
        let access_token = text("access_token")?;
        // RFC 6750's characters, and the ! of Salesforce's session ids.
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=!".contains(&b);
        if !access_token.bytes().all(is_token) {
            let problem = "holds characters that no token has";
            return Err(bad("access_token", problem, "write it alone, on one line"));
        }
        let instance = parse_salesforce_url(text("instance_url")?.trim_end_matches('/'))
            .map_err(|bad| ("instance_url", bad))?;
        if !instance.path.is_empty() {
            return Err(bad("instance_url", "holds more than https:// and a host", ""));
        }
        Ok(Token { access_token, instance, fields, from_env: false })
    }

    /// `https://HOST/id/ORGID/USERID`
    fn identity(&self) -> Option<(&str, &str)> {
        let (_, ids) = self.field("id")?.split_once("/id/")?;
        let (organization, user) = ids.split_once('/')?;
        let is_id = |id: &str| matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_id(organization) && is_id(user)).then_some((organization, user))
    }

    /// Which of instance, organization and user is another one in `other`, as far as both tell.
    pub(crate) fn differs_in(&self, other: &Token) -> Option<&'static str> {
        // Of an id's 18 characters, the last three are a checksum, and may be missing.
        let differ = |a: Option<&str>, b: Option<&str>| a.zip(b).is_some_and(|(a, b)| a[..15] != b[..15]);
        let differences = [
            ("instance", self.instance.origin != other.instance.origin),
            ("organization", differ(self.organization_id(), other.organization_id())),
            ("user", differ(self.user_id(), other.user_id())),
        ];
        differences.into_iter().find_map(|(name, differs)| differs.then_some(name))
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Token, D::Error> {
        // By way of `Value`, because serde's own errors would quote a misplaced token.
        let Value::Object(fields) = Value::deserialize(deserializer)? else {
            return Err(D::Error::custom("a token is a JSON object"));
        };
        Token::read(fields).map_err(|(name, bad)| D::Error::custom(format_args!("{name} {bad}")))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("instance_url", &self.instance.origin).finish_non_exhaustive()
    }
}
