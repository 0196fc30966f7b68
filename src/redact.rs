//! Which words of the other side a message may show, and in what shape.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use crate::wire::url::Url;

/// What no message may show.
#[derive(Clone)]
pub(crate) struct Secrets {
    pub(crate) known: Vec<String>,
    /// Whether the words are those of a host that has just been told them: a login host, which may repeat
    /// them in any encoding. Of what it says, only plain words are shown.
    pub(crate) told: bool,
}

impl Secrets {
    /// The other side's words on one line, unless they could give a secret away.
    pub(crate) fn show(&self, said: &str) -> String {
        self.show_as(said, printable)
    }

    pub(crate) fn show_as(&self, said: &str, shape: fn(&str) -> String) -> String {
        if self.may_show(&one_line(said)) { shape(said) } else { WITHHELD.to_owned() }
    }

    fn may_show(&self, said: &str) -> bool {
        let shares_word = |secret: &String| self.told && shares_word(said, secret);
        (!self.told || is_plain(said)) && !self.stand_in(said) && !self.known.iter().any(shares_word)
    }

    pub(crate) fn stand_in(&self, said: &str) -> bool {
        self.known.iter().any(|secret| holds(said, secret))
    }

    pub(crate) fn origin(&self, url: &Url) -> String {
        let host = self.host(&url.authority);
        if host == url.authority { url.origin.clone() } else { host }
    }

    /// A host, whose words may end with a few digits, as `na139` does, and a port.
    pub(crate) fn host(&self, authority: &str) -> String {
        let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
        let (host, _) =
            authority.rsplit_once(':').filter(|(_, port)| is_port(port)).unwrap_or((authority, ""));
        let name = |word: &str| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let name = host.split(['.', '-']).map(name).collect::<Vec<_>>().join(".");
        let is_loopback = host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        let is_plain = is_loopback || host.len() - name.len() <= 4 && self.may_show(&name);
        // As a whole as well: the digits that were left out can be a secret's.
        if is_plain && !self.stand_in(authority) { one_line(authority) } else { WITHHELD.to_owned() }
    }
}

pub(crate) const WITHHELD: &str = "(withheld: it could hold a secret)";

/// What is secret in a token: of Salesforce's session ids, what follows the org's id and the `!`.
pub(crate) fn secret_of(token: &str) -> String {
    token.split_once('!').map_or(token, |(_, secret)| secret).to_owned()
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

/// Whether one of the words of `text` stands in the secret, as a word of it.
fn shares_word(text: &str, secret: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() >= 4);
        words.map(str::to_lowercase).collect()
    };
    let secret = words(secret);
    words(text).iter().any(|word| secret.contains(word))
}

/// Whether letters and digits of the secret stand in `text`, in any case: six or more that stand together in
/// it, or all of them one after another.
fn holds(text: &str, secret: &str) -> bool {
    let (text, secret) = (text.to_lowercase(), secret.to_lowercase());
    let is_between = |c: char| !c.is_alphanumeric();
    let whole = letters_and_digits(&secret);
    let has_whole = match whole.chars().count() {
        0 => text.contains(&secret),
        1..4 => text.split(is_between).any(|word| word == whole),
        _ => letters_and_digits(&text).contains(&whole),
    };
    has_whole || secret.split(is_between).any(|run| run.chars().count() >= 6 && text.contains(run))
}

fn letters_and_digits(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// How much of the other side's words a message takes, in characters.
const LONGEST_QUOTE: usize = 500;

/// Words as a message may show them: on one line, without what moves a terminal's cursor or hides text, and
/// not too long.
pub(crate) fn printable(text: &str) -> String {
    capped(one_line(text))
}

fn one_line(text: &str) -> String {
    let shown: String = text.chars().filter(|c| c.is_whitespace() || is_visible(*c)).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
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
    let lines = lines.map(|line| capped(line.trim_end().to_owned())).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    lines[lines.len().saturating_sub(MOST)..].join("\n")
}

fn capped(text: String) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
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
