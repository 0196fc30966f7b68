//! What a person would see, and a watch for secrets in all that is said.

use std::cell::RefCell;
use std::sync::{LazyLock, Once};

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use fake_org::{CLIENT_SECRET, JWT_KEY, PASSWORD, SECURITY_TOKEN, SITE_PASSWORD, SITE_USERNAME, USERNAME};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sf_login::Error;

/// All that must not be said, and each line of the private key. Every token of a fake org has `!AQ` in it, as
/// Salesforce's have, and every assertion begins with the same header.
const SECRETS: [&str; 6] =
    [CLIENT_SECRET, PASSWORD, SECURITY_TOKEN, SITE_PASSWORD, "!AQ", "eyJhbGciOiJSUzI1NiJ9"];

/// What a person would see of this error, once it is sure that there is no secret in it.
#[track_caller]
pub fn shown(error: &Error) -> String {
    let shown = error.to_string();
    assert_eq!(format!("{error:?}"), shown, "Debug says what Display says");
    assert!(std::error::Error::source(error).is_none(), "the cause is told once, in Display");
    assert_no_secret(&shown);
    assert_no_secret(&format!("{:?}", error.kind()));
    shown
}

/// The first line of what a person would see: what failed, why, and the HTTP status.
#[track_caller]
pub fn headline(error: &Error) -> String {
    shown(error).lines().next().unwrap_or_default().to_owned()
}

#[track_caller]
pub fn assert_no_secret(text: &str) {
    static FORMS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let key = JWT_KEY.lines().filter(|line| !line.starts_with('-')).map(str::to_owned);
        SECRETS.into_iter().flat_map(forms).chain(key).collect()
    });
    if let Some(form) = FORMS.iter().find(|form| text.contains(&***form)) {
        panic!("a secret is said, in the form {form:?}: {text}");
    }
}

/// A secret, plain and form-, percent-, base64-, JSON- and HTML-encoded.
pub fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).expect("a string is JSON").trim_matches('"').to_owned();
    let ascii = |c: char| {
        if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }
    };
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let unreserved = percent.replace("%2D", "-").replace("%2E", ".").replace("%5F", "_").replace("%7E", "~");
    vec![
        secret.to_owned(),
        unreserved.replace("%20", "+"),
        percent.to_lowercase(),
        percent,
        unreserved,
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD_NO_PAD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        BASE64_STANDARD.encode(format!("{USERNAME}:{secret}")),
        BASE64_STANDARD.encode(format!("{SITE_USERNAME}:{secret}")),
        secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"),
        json.chars().map(ascii).collect(),
        json.replace('/', "\\/"),
        json,
    ]
}

thread_local! {
    static OWN_RECORDS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What the library itself has logged since somebody asked last, in this thread.
pub fn logged() -> Vec<String> {
    OWN_RECORDS.take()
}

/// Has every log record looked at as it is written, up to the level that the docs promise.
pub fn watch_logs() {
    struct Watch;

    impl log::Log for Watch {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            assert_no_secret(&record.args().to_string());
            if record.target().starts_with("sf_login") {
                OWN_RECORDS.with_borrow_mut(|records| records.push(record.args().to_string()));
            }
        }

        fn flush(&self) {}
    }

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Watch).expect("there is no other logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}
