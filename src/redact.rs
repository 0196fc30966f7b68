//! Which words of the other side a message may show, and in what shape.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use crate::wire::url::Url;

/// How many letters and digits of a secret, in a row among its letters and digits, are a part of it.
const WINDOW: usize = 6;

/// As `WINDOW`, in what the API says: that is mostly about the customer's own words, and six letters of a
/// passphrase are an ordinary word.
const API_WINDOW: usize = 12;

/// What stands in place of words that are not shown.
pub(crate) const WITHHELD: &str = "(withheld: it could hold a secret)";

/// What no message may show.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    // Shared, since each message has its own `Secrets`, and a session may have had many tokens.
    known: Arc<Known>,
    /// Whether the words are those of a host that has just been told them: a login host, which may repeat
    /// them in any encoding. Of what it says, only plain words are shown.
    told: bool,
}

#[derive(Clone, Default)]
struct Known {
    secrets: Vec<String>,
    /// Made for the first text: most logins have none to be searched, and a private key is long.
    forms: OnceLock<Forms>,
}

/// The secrets, in the forms in which a text is searched for them.
#[derive(Clone, Default)]
struct Forms {
    /// Each `WINDOW` letters and digits of a secret; and how many of these, one beginning a letter after the
    /// other, are a part of it in what the API says.
    windows: HashMap<Vec<char>, usize>,
    /// What is shorter, and the shape of a text in which it is to be found.
    short: Vec<(Shape, String)>,
}

type Shape = fn(&str) -> String;

impl Secrets {
    pub(crate) fn add(&mut self, secret: &str) {
        let known = Arc::make_mut(&mut self.known);
        known.secrets.push(secret.to_owned());
        known.forms = OnceLock::new();
    }

    /// For the words of a login host.
    pub(crate) fn told(self) -> Secrets {
        Secrets { told: true, ..self }
    }

    /// The other side's words on one line, unless they could give a secret away.
    pub(crate) fn show(&self, said: &str) -> String {
        self.show_as(said, printable)
    }

    pub(crate) fn show_as(&self, said: &str, shape: Shape) -> String {
        if self.may_show(said) { shape(said) } else { WITHHELD.to_owned() }
    }

    fn may_show(&self, said: &str) -> bool {
        (!self.told || is_plain(&one_line(said))) && !self.stand_in(said)
    }

    /// Whether a part of a secret stands in `said`, in any case and whatever stands between its letters.
    pub(crate) fn stand_in(&self, said: &str) -> bool {
        let forms = self.known.forms.get_or_init(|| Forms::of(&self.known.secrets));
        let letters: Vec<char> = letters(said).chars().collect();
        let mut in_a_row = 0;
        let has_part = letters.windows(WINDOW).any(|window| {
            let needed = forms.windows.get(window);
            in_a_row = if needed.is_some() { in_a_row + 1 } else { 0 };
            needed.is_some_and(|needed| self.told || in_a_row >= *needed)
        });
        has_part || forms.short.iter().any(|(shape, secret)| shape(said).contains(secret))
    }

    pub(crate) fn origin(&self, url: &Url) -> String {
        let host = self.host(&url.authority);
        if host == url.authority { url.origin.clone() } else { host }
    }

    /// A host, whose words may end with a few digits, as `na139` does, and a port.
    pub(crate) fn host(&self, authority: &str) -> String {
        let parts = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = parts.map_or(authority, |(host, _)| host);
        let names = host.split(['.', '-']).map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()));
        let name = names.collect::<Vec<_>>().join(".");
        let is_loopback = host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        let is_plain = is_loopback || host.len() - name.len() <= 4 && self.may_show(&name);
        // As a whole as well: the digits that were left out can be a secret's.
        if is_plain && !self.stand_in(authority) { one_line(authority) } else { WITHHELD.to_owned() }
    }
}

impl Forms {
    fn of(secrets: &[String]) -> Forms {
        let mut forms = Forms::default();
        for secret in secrets {
            let letters = letters(secret);
            let each: Vec<char> = letters.chars().collect();
            match each.len() {
                // What is never shown needs no search.
                0 if one_line(secret).is_empty() => {}
                0 => forms.short.push((one_line, one_line(secret))),
                // Within other words, three letters stand in nearly every message.
                1..4 => forms.short.extend([secret, &letters].map(|secret| (words as _, words(secret)))),
                4..WINDOW => forms.short.push((self::letters, letters)),
                length => {
                    let in_a_row = length.min(API_WINDOW) - WINDOW + 1;
                    for window in each.windows(WINDOW) {
                        let needed = forms.windows.entry(window.to_vec()).or_insert(in_a_row);
                        *needed = in_a_row.min(*needed);
                    }
                }
            }
        }
        forms
    }
}

/// What is secret in a token: of Salesforce's session ids, what follows the org's id and the `!`.
pub(crate) fn secret_of(token: &str) -> &str {
    let is_org = |org: &str| org.starts_with("00D") && org.len() <= 18;
    let parts = token.split_once('!').filter(|(org, secret)| is_org(org) && !secret.is_empty());
    parts.map_or(token, |(_, secret)| secret)
}

/// Whether all of `text` is plain words: ASCII letters in words of ordinary length, in capitals, in small
/// letters or in capitals and then small letters, and a little punctuation. Hardly any encoding of a secret
/// looks like that.
fn is_plain(text: &str) -> bool {
    const LONGEST_WORD: usize = 20;
    let is_between = |c: char| c == ' ' || ".,:;-_/|'\"()!?".contains(c);
    text.split(is_between).all(|word| {
        let small = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
        word.len() <= LONGEST_WORD && (small.bytes().all(|b| b.is_ascii_lowercase()) || word == "reCAPTCHA")
    })
}

/// The letters and digits of a text, one after another.
fn letters(text: &str) -> String {
    // In capitals, `ß` is `SS`, and every sigma the same.
    text.to_lowercase().to_uppercase().chars().filter(|c| is_letter(*c)).collect()
}

/// The letters and digits of a text, with a space before and after each word.
fn words(text: &str) -> String {
    let words = text.split(|c| !is_letter(c)).map(letters).filter(|word| !word.is_empty());
    format!(" {} ", words.collect::<Vec<_>>().join(" "))
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && is_visible(c)
}

/// How much of the other side's words a message takes, in characters.
const LONGEST_QUOTE: usize = 500;

/// Words as a message may show them: on one line, without what moves a terminal's cursor or hides text, and
/// not too long.
pub(crate) fn printable(text: &str) -> String {
    capped(&one_line(text))
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().map(|word| word.chars().filter(|c| is_visible(*c)).collect());
    words.filter(|word: &String| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// As `printable`, but lines stay lines, and what stands below another thing stays below it.
pub(crate) fn lines(text: &str) -> String {
    const MOST: usize = 10;
    let text = text.trim_matches(['\r', '\n']);
    if !text.contains('\n') {
        return printable(text);
    }
    let show = |c: char| if c.is_whitespace() { Some(' ') } else { is_visible(c).then_some(c) };
    let lines = text.lines().map(|line| line.chars().filter_map(show).collect::<String>());
    let lines = lines.map(|line| capped(line.trim_end())).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    lines[lines.len().saturating_sub(MOST)..].join("\n")
}

fn capped(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether a character takes room on a terminal and leaves the order of the others as it is.
fn is_visible(c: char) -> bool {
    /// Unicode's `Default_Ignorable_Code_Point`.
    #[rustfmt::skip]
    const HIDDEN: [RangeInclusive<char>; 17] = [
        '\u{ad}'..='\u{ad}', '\u{34f}'..='\u{34f}', '\u{61c}'..='\u{61c}', '\u{115f}'..='\u{1160}',
        '\u{17b4}'..='\u{17b5}', '\u{180b}'..='\u{180f}', '\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}',
        '\u{2060}'..='\u{206f}', '\u{3164}'..='\u{3164}', '\u{fe00}'..='\u{fe0f}', '\u{feff}'..='\u{feff}',
        '\u{ffa0}'..='\u{ffa0}', '\u{fff0}'..='\u{fff8}', '\u{1bca0}'..='\u{1bca3}', '\u{1d173}'..='\u{1d17a}',
        '\u{e0000}'..='\u{e0fff}',
    ];
    !c.is_control() && !HIDDEN.iter().any(|range| range.contains(&c))
}
