//! What goes over the wire: the time it may take, and which requests may be sent again.
//!
//! The one place that opens connections. It knows HTTP, but nothing of what Salesforce means by a reply.

pub(crate) mod client;
pub(crate) mod no_reply;
pub(crate) mod reply;
pub(crate) mod send;
pub(crate) mod url;

use std::time::{Duration, Instant};

use ureq::http::Method;

/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// When an exchange must be over.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    /// The whole of it, for messages.
    timeout: Duration,
}

/// A year, for any longer timeout: ureq panics on one that the clock cannot add.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Deadline {
        // ureq takes zero for over already.
        let timeout = timeout.clamp(Duration::from_millis(1), LONGEST);
        Deadline { at: Instant::now() + timeout, timeout }
    }

    /// The earlier of this one and a new one.
    pub(crate) fn at_most(self, timeout: Duration) -> Deadline {
        if timeout < self.left() { Deadline::after(timeout) } else { self }
    }

    pub(crate) fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// What a request is, as far as repeating it goes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum RequestKind {
    Login,
    Read,
    /// A write, or the exchange of a code, which is spent by the first one that arrives.
    Write,
}

impl RequestKind {
    /// What a request with this method is, unless more is known of it.
    pub(crate) fn of(method: &Method) -> RequestKind {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => RequestKind::Read,
            _ => RequestKind::Write,
        }
    }

    fn may_repeat_after(self, fault: Fault) -> bool {
        use RequestKind::{Login, Read, Write};
        let repeated: &[RequestKind] = match fault {
            Fault::NotDone => &[Login, Read, Write],
            Fault::Lost => &[Read],
            Fault::Unavailable => &[Login, Read],
            Fault::Passing => &[],
        };
        repeated.contains(&self)
    }
}

/// What went wrong, as far as repeating goes.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Certainly nothing was done: nothing was sent, or the answer is 429.
    NotDone,
    /// Something may have been sent, and no whole reply came.
    Lost,
    /// Salesforce is unavailable, or asks for a login once more.
    Unavailable,
    /// It may pass by itself; but the request is not sent again unasked.
    Passing,
}
