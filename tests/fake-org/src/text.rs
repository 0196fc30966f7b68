//! Forms, escapes and dates: the small print that a Salesforce is strict about.

use std::time::{SystemTime, UNIX_EPOCH};

/// Undoes percent-encoding, strictly: only ASCII in, complete escapes, UTF-8 out.
///
/// In forms and queries a `+` is a space, in paths it is itself.
pub(crate) fn unescape(text: &[u8], plus_is_space: bool) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'%' => {
                let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok());
                let digits = digits.filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
                let value = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
                out.push(value.ok_or("a % without two hex digits")?);
                rest = &rest[2..];
            }
            b'+' if plus_is_space => out.push(b' '),
            b'!'..=b'~' => out.push(*byte),
            _ => return Err(format!("byte {byte:#04x} is not escaped")),
        }
    }
    String::from_utf8(out).map_err(|_| "not UTF-8".to_owned())
}

/// Escapes everything but unreserved characters, as in a query or a form.
pub(crate) fn escape(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// A form as `application/x-www-form-urlencoded` has it. Whatever a client that
/// encodes correctly never sends is refused: a raw delimiter, a name twice, an empty pair.
pub(crate) fn form(body: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in body.split(|byte| *byte == b'&').filter(|_| !body.is_empty()) {
        if let Some(byte) = pair.iter().find(|byte| b"\"<>#".contains(byte)) {
            return Err(format!("byte {byte:#04x} is not escaped"));
        }
        let mut parts = pair.split(|byte| *byte == b'=');
        let (Some(name), Some(value), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("a pair that is not name=value".to_owned());
        };
        let name = unescape(name, true)?;
        if name.is_empty() || pairs.iter().any(|(seen, _)| *seen == name) {
            return Err(format!("parameter \"{name}\" twice or without a name"));
        }
        pairs.push((name, unescape(value, true)?));
    }
    Ok(pairs)
}

/// The parameters of a URL's query, where a value may hold a raw `=`.
pub(crate) fn query(query: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((unescape(name.as_bytes(), true)?, unescape(value.as_bytes(), true)?))
        })
        .collect()
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// Year, month and day of the day that many days after 1970-01-01.
//
// Howard Hinnant's `civil_from_days`: years begin in March, so that leap days come last.
pub(crate) fn date(days: i64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let small = |number: i64| u8::try_from(number).expect("BUG: a day or a month");
    let year = i32::try_from(year + era * 400 + next).expect("BUG: a year out of range");
    (year, small(month), small(day))
}

/// How Salesforce writes a time, e.g. `2026-11-23T18:58:00.000+0000`.
pub(crate) fn timestamp(millis: i64) -> String {
    let (year, month, day) = date(millis.div_euclid(86_400_000));
    let of_day = millis.rem_euclid(86_400_000);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}+0000")
}

/// Reads a time as SOQL and JSON have it: seconds with or without a fraction, then `Z`,
/// `+01:00` or `+0100`.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok()
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !separators.iter().all(|(at, byte)| text.as_bytes().get(*at) == Some(byte)) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("0", rest),
    };
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let offset = match zone.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let digits: Vec<u8> = digits.iter().copied().filter(|b| *b != b':').collect();
            let digits = std::str::from_utf8(&digits).ok().filter(|d| d.len() == 4)?;
            let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    // Days since 1970, the reverse of `date`.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = y / 4 - y / 100 + y / 400;
    let days = 365 * y + leap_days + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1_000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_strictly() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(form(b"a=1+2%2B&b="), Ok(vec![pair("a", "1 2+"), pair("b", "")]));
        assert_eq!(form(b""), Ok(vec![]));
        let pair = "a pair that is not name=value";
        let escape = "a % without two hex digits";
        let name = |name: &str| format!("parameter \"{name}\" twice or without a name");
        for (bad, problem) in [
            ("a", pair.to_owned()),
            ("a=b=c", pair.to_owned()),
            ("a=1&a=2", name("a")),
            ("=1", name("")),
            ("a=%4", escape.to_owned()),
            ("a=%+1", escape.to_owned()),
            ("a= ", "byte 0x20 is not escaped".to_owned()),
            ("a=%E4", "not UTF-8".to_owned()),
        ] {
            assert_eq!(form(bad.as_bytes()), Err(problem), "{bad}");
        }
    }

    #[test]
    fn times_are_written_and_read_back() {
        assert_eq!(timestamp(951_782_400_123), "2000-02-29T00:00:00.123+0000");
        assert_eq!(parse_timestamp("2000-02-29T00:00:00.123+0000"), Some(951_782_400_123));
        assert_eq!(parse_timestamp("2000-02-29T01:00:00+01:00"), Some(951_782_400_000));
        assert_eq!(parse_timestamp("2000-02-29T00:00:00Z"), Some(951_782_400_000));
        for bad in ["2000-02-29", "2000-02-29T00:00:00", "2000-02-29 00:00:00Z", ""] {
            assert_eq!(parse_timestamp(bad), None, "{bad}");
        }
        for days in (-40_000..40_000).step_by(37) {
            assert_eq!(parse_timestamp(&timestamp(days * 86_400_000)), Some(days * 86_400_000));
        }
    }
}
