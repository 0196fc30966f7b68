//! `sf-login query`: records, one a line, and how far it is.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};

use anyhow::Context as _;
use serde_json::value::RawValue;
use sf_login::Session;

use crate::output::STDOUT;

pub fn query(session: &Session, soql: &str) -> anyhow::Result<()> {
    let mut records = session.query::<Box<RawValue>>(soql);
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    // On the same terminal, the line must go before a record comes.
    let among_records = io::stdout().is_terminal();
    let mut progress = Progress { given: 0, shown: false };
    loop {
        if records.size_hint().0 == 0 {
            // The next page may take a while, so what has come goes out.
            out.flush().context(STDOUT)?;
            progress.show(records.total());
        }
        let Some(record) = records.next() else {
            return Ok(());
        };
        if among_records {
            progress.wipe();
        }
        // Line ends can only be white space in JSON; inside a string they are written \n.
        for line in record?.get().lines() {
            out.write_all(line.as_bytes()).context(STDOUT)?;
        }
        out.write_all(b"\n").context(STDOUT)?;
        progress.given += 1;
    }
}

/// `12,000 of 250,000 records`, on a terminal, while a page is waited for.
struct Progress {
    given: u64,
    shown: bool,
}

impl Progress {
    fn show(&mut self, total: Option<u64>) {
        if let (true, Some(total)) = (io::stderr().is_terminal(), total) {
            let _ = write!(io::stderr(), "\r{} of {} records", grouped(self.given), grouped(total));
            self.shown = true;
        }
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.wipe();
    }
}

fn grouped(n: u64) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", grouped(n / 1000), n % 1000) }
}
