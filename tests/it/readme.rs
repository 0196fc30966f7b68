//! What README.md says of itself, or shows; the recipes have tests of their own.

use fake_org::{Answer, Org};
use sf_login::ENV_VARS;

use crate::support::{TOKEN_PATH, host, sf_login, without};

const README: &str = include_str!("../../README.md");
const EXAMPLES: &str = include_str!("../../examples/README.md");

#[test]
fn the_readme_is_short_leads_nowhere_else_and_has_every_setting() {
    let lines = [README, EXAMPLES].map(|page| page.lines().count());
    assert!(lines[0] <= 290 && lines[1] <= 250, "{lines:?}");
    assert_eq!(
        [README, EXAMPLES].into_iter().flat_map(str::lines).find(|line| line.chars().count() > 110),
        None
    );
    // A registry's page of it has no other files beside it.
    for link in README.split("](").skip(1) {
        let heading =
            link.strip_prefix('#').and_then(|link| link.split(')').next()).expect("it leads elsewhere");
        let is_it = |line: &str| line.to_lowercase().replace(' ', "-") == format!("##-{heading}");
        assert!(README.lines().any(is_it), "{heading}");
    }
    let (_, settings) = README.split_once("\n## Settings\n").expect("it lists the settings");
    assert_eq!(ENV_VARS.iter().find(|name| !settings.contains(&format!("`{name}`"))), None);
}

#[test]
fn the_readme_shows_a_refusal_as_it_is() {
    let org = Org::start();
    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    let shown = sf_login(&without(&org.env(), "SF_SECURITY_TOKEN"), &[]).stderr;
    let (_, block) = README.split_once("```text\n").expect("it shows one");
    let (block, _) = block.split_once(" ...\n```").expect("it ends so");
    assert!(shown.replace(&host(&org), "login.salesforce.com").starts_with(block), "{shown}");
}
