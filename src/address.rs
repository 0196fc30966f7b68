//! Salesforce's addresses: its URLs as people write them, and the paths of OAuth.

use crate::wire::url::{BadUrl, Url, is_url_char};

pub(crate) const TOKEN_PATH: &str = "/services/oauth2/token";

pub(crate) const AUTHORIZE_PATH: &str = "/services/oauth2/authorize";

pub(crate) const REVOKE_PATH: &str = "/services/oauth2/revoke";

/// Where Salesforce takes logins of all orgs, production and then sandboxes; in China it has two of its own.
const GENERIC: [&str; 4] =
    ["login.salesforce.com", "test.salesforce.com", "login.sfcrmproducts.cn", "test.sfcrmproducts.cn"];

const ORG: &str =
    "https://{org}.my.salesforce.com, or a sandbox's https://{org}--NAME.sandbox.my.salesforce.com";

/// The ends of hosts that serve web pages only, and what to write in place of one: `{host}` is what stands
/// before the end, `{org}` that without the name of a sandbox or a package.
#[rustfmt::skip]
const PAGES: &[(&str, &str)] = &[
    (".lightning.force.com", "https://{host}.my.salesforce.com"),
    (".lightning.crmforce.mil", "https://{host}.my.salesforce.mil"),
    (".lightning.sfcrmapps.cn", "https://{host}.my.sfcrmproducts.cn"),
    (".setup.sfcrmproducts.cn", "https://{host}.my.sfcrmproducts.cn"),
    (".my-lightning.com", "https://{host}.my-salesforce.com"),
    (".my.salesforce-setup.com", "https://{host}.my.salesforce.com"),
    (".visualforce.com", ORG),
    (".vf.force.com", ORG),
    (".file.force.com", ORG),
    (".documentforce.com", ORG),
    (".salesforce-experience.com", "https://{org}.my.salesforce.com, or the site's address, e.g. https://{org}.my.site.com/customers"),
    (".www.salesforce.com", "the org's My Domain, e.g. https://ACME.my.salesforce.com, or to log in https://login.salesforce.com"),
];

/// Salesforce's own, as the last two labels of a host, which others look like.
const DOMAINS: [&str; 4] = ["salesforce.com", "salesforce.mil", "salesforce.ms", "my-salesforce.com"];

/// The ends of My Domains. A site's host may have the label `my`, too, which is Malaysia's top-level domain.
const MY_DOMAINS: [&str; 4] =
    ["my.salesforce.com", "my.salesforce.mil", "my.sfcrmproducts.cn", "my-salesforce.com"];

/// What is misspelt.
const MISSPELT: [&str; 4] = ["salesforce.com", "salesforce.mil", "my.salesforce.com", "my.salesforce.mil"];

/// Ends of Salesforce's hosts, which another's may have in its middle.
const ENDS: [&str; 4] = ["salesforce.com", "salesforce.mil", "my.site.com", "lightning.force.com"];

/// Reads a login URL as people write it, and tells what to write where it cannot be one. A site may have a domain
/// of its own, which is misspelt only by chance.
pub(crate) fn parse_login_url(url: &str, is_site: bool) -> Result<Url, BadUrl> {
    let url = url.trim();
    if url.is_empty() {
        return Err(BadUrl::new("is empty", "write e.g. https://ACME.my.salesforce.com"));
    }
    let url = if url.contains("://") { url } else { &format!("https://{url}") };
    let mut url = Url::parse(url)?;
    check_host(&url.host, is_site)?;
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

/// A URL that a token may go to.
pub(crate) fn parse_salesforce_url(url: &str) -> Result<Url, BadUrl> {
    let url = Url::parse(url)?;
    check_host(&url.host, false)?;
    Ok(url)
}

pub(crate) fn is_generic(host: &str) -> bool {
    GENERIC.contains(&host)
}

/// Refuses hosts that nothing secret should be sent to: those of web pages, and those that look like Salesforce's
/// and are not. All others may be a site's or a new region's.
fn check_host(host: &str, is_site: bool) -> Result<(), BadUrl> {
    let instead = |meant: &str| match page(meant) {
        _ if is_site => "write the site's address, e.g. https://ACME.my.site.com/customers".to_owned(),
        Some(instead) => format!("write {instead}"),
        None => format!("write https://{meant}"),
    };
    if page(host).is_some() {
        let problem = "is the host of web pages, where neither logins nor API requests work";
        return Err(BadUrl::new(problem, instead(host)));
    }
    let (subdomain, domain) = host.split_at(host.rmatch_indices('.').nth(1).map_or(0, |(dot, _)| dot + 1));
    // Most hosts are Salesforce's own.
    if DOMAINS.contains(&domain) || domain == "site.com" {
        return Ok(());
    }
    let at_borders = |(at, end): &(usize, &str)| {
        let before = host.get(..*at).unwrap_or_default();
        let after = host.get(at + end.len()..).unwrap_or_default();
        (before.is_empty() || before.ends_with('.')) && after.starts_with('.')
    };
    if let Some((at, end)) = ENDS.iter().flat_map(|end| host.match_indices(end)).find(at_borders) {
        let meant = instead(host.get(..at + end.len()).unwrap_or_default());
        return Err(BadUrl::new("is not a host of Salesforce's, though it looks like one", meant));
    }
    if is_site {
        return Ok(());
    }
    // A dot can be what is missing.
    let ends = MISSPELT.iter().map(|right| (typing_errors(domain, right), subdomain, right));
    let hosts = GENERIC[..2].iter().map(|right| (typing_errors(host, right), "", right));
    let problem = "is probably misspelt, so nothing is sent to it";
    match ends.chain(hosts).min_by_key(|(errors, ..)| *errors) {
        Some((..=2, subdomain, right)) => Err(BadUrl::new(problem, instead(&format!("{subdomain}{right}")))),
        _ => Ok(()),
    }
}

/// What to write in place of a host that serves web pages only.
fn page(host: &str) -> Option<String> {
    let dotted = if host == DOMAINS[0] { format!(".www.{host}") } else { format!(".{host}") };
    PAGES.iter().find_map(|(end, instead)| {
        let host = dotted.strip_suffix(end)?.trim_start_matches('.');
        let host = if host.is_empty() { "ACME" } else { host };
        let org = host.split('.').next().and_then(|label| label.split("--").next()).unwrap_or_default();
        Some(instead.replace("{host}", host).replace("{org}", org))
    })
}

/// How many letters one has to change, add or leave out to make `right` of `written` (Levenshtein).
fn typing_errors(written: &str, right: &str) -> usize {
    // At least so many, which is too many, and most hosts need no closer look.
    let longer = written.len().abs_diff(right.len());
    if longer > 2 {
        return longer;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (n, a) in written.bytes().enumerate() {
        let mut last = n + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(last);
        for (above, b) in row.windows(2).zip(right.bytes()) {
            last = (last + 1).min(above[1] + 1).min(above[0] + usize::from(a != b));
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// An org's name, where the host is its My Domain: `acme` in `acme.my.salesforce.com`.
pub(crate) fn my_domain(url: &Url) -> Option<&str> {
    let (name, rest) = url.host.split_once('.')?;
    MY_DOMAINS.iter().any(|end| rest.ends_with(end)).then_some(name)
}
