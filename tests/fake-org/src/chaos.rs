//! Bad luck, the same for the same seed.

use crate::{Answer, Request, gzip};

/// Numbers that look random (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `count` numbers from zero.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let number = self.next() % count as u64;
        usize::try_from(number).expect("BUG: larger than a usize")
    }

    /// So many characters of the alphabet.
    pub(crate) fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

/// Which requests fail, and how.
#[derive(Debug)]
pub(crate) struct Chaos {
    random: Random,
    one_in: usize,
}

/// What goes wrong with one request.
pub(crate) enum Mishap {
    /// It gets this, and has no effect.
    Instead(Answer),
    /// It gets a part of its answer.
    Cut(fn(Answer) -> Answer),
}

impl Chaos {
    pub(crate) fn new(seed: u64, one_in: u32) -> Chaos {
        Chaos { random: Random(seed), one_in: one_in.max(1) as usize }
    }

    /// What befalls this request, if anything.
    pub(crate) fn befalls(&mut self, request: &Request) -> Option<Mishap> {
        if self.random.below(self.one_in) != 0 {
            return None;
        }
        let unavailable = Answer::html(503, "We are down for maintenance.");
        let too_many = Answer::text(429, "Too many requests").header("Retry-After", "0");
        let retry = Answer::oauth_error("unknown_error", "retry your request");
        if request.path.contains("/services/oauth2/") {
            // A code is good for one exchange, so its client must not try again after a 503.
            let is_exchange = request.path.ends_with("/authorize")
                || request.param("grant_type").as_deref() == Some("authorization_code");
            let ways = if is_exchange { 2 } else { 3 };
            return Some(Mishap::Instead(match self.random.below(ways) {
                // Words could be a refusal's, after which no client may try again.
                0 => Answer::new(429).header("Retry-After", "0"),
                1 => retry,
                _ => unavailable,
            }));
        }
        let mishap = match self.random.below(8) {
            0 => Mishap::Instead(unavailable),
            1 => Mishap::Instead(Answer::new(502)),
            2 => Mishap::Instead(too_many),
            3 => Mishap::Instead(Answer::close()),
            4 => Mishap::Instead(Answer::raw("\u{0}\u{1}garbage, not HTTP\r\n\r\n")),
            5 => Mishap::Cut(cut),
            6 => Mishap::Cut(|answer| cut(answer.chunked())),
            _ => Mishap::Cut(cut_gzip),
        };
        // Whatever is cut short must have had no effect either, if it is a write.
        Some(match mishap {
            Mishap::Cut(cut) if request.method != "GET" => {
                Mishap::Instead(cut(Answer::json(200, r#"{"success":true,"errors":[]}"#)))
            }
            mishap => mishap,
        })
    }
}

fn cut(answer: Answer) -> Answer {
    let middle = answer.body_len() / 2;
    answer.uncompressed().cut_after(middle)
}

/// HTTP in order, but the compressed data in it lack their end.
fn cut_gzip(mut answer: Answer) -> Answer {
    let mut body = gzip(&answer.take_body());
    body.truncate(body.len() / 2);
    answer.uncompressed().header("Content-Encoding", "gzip").body(body)
}
