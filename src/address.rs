//! Salesforce's addresses: its URLs as people write them, and the paths of OAuth.

use crate::wire::url::{BadUrl, Url, is_url_char};

pub(crate) const TOKEN_PATH: &str = "/services/oauth2/token";

pub(crate) const AUTHORIZE_PATH: &str = "/services/oauth2/authorize";

pub(crate) const REVOKE_PATH: &str = "/services/oauth2/revoke";

/// Reads a login URL as people write it, and tells what to write where it cannot be one.
pub(crate) fn parse_login_url(url: &str) -> Result<Url, BadUrl> {
    let url = url.trim();
    if url.is_empty() {
        return Err(BadUrl::new("is empty", "write e.g. https://ACME.my.salesforce.com"));
    }
    let url = if url.contains("://") { url } else { &format!("https://{url}") };
    let mut url = parse_salesforce_url(url)?;
    if url.path.contains(['?', '#']) {
        return Err(BadUrl::new("holds a query or a fragment", "leave out all from the ? or # on"));
    }
    if !url.path.chars().all(is_url_char) {
        return Err(BadUrl::new("holds a character that no URL path can", ""));
    }
    let mut path = url.path.trim_end_matches('/');
    while let Some(site) = [TOKEN_PATH, AUTHORIZE_PATH].iter().find_map(|p| path.strip_suffix(p)) {
        path = site.trim_end_matches('/');
    }
    url.path = path.to_owned();
    Ok(url)
}

/// A URL of Salesforce's, but of none of the hosts that serve web pages only.
pub(crate) fn parse_salesforce_url(url: &str) -> Result<Url, BadUrl> {
    let url = Url::parse(url)?;
    for not_an_api in [".lightning.force.com", ".my.salesforce-setup.com"] {
        if let Some(domain) = url.host.strip_suffix(not_an_api) {
            return Err(BadUrl::new(
                "is the host of web pages, where neither logins nor API requests work",
                format!("write https://{domain}.my.salesforce.com"),
            ));
        }
    }
    Ok(url)
}

/// An org's name, where the host is its My Domain: `acme` in `acme.my.salesforce.com`.
pub(crate) fn my_domain(url: &Url) -> Option<&str> {
    let (name, rest) = url.host.split_once('.')?;
    let is_my_domain = rest.split('.').any(|label| label == "my") && !rest.ends_with("site.com");
    is_my_domain.then_some(name)
}
