//! `sf-login query`: records, one a line, and how far it is.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};

use anyhow::Context as _;
use serde_json::value::RawValue;
use sf_login::Session;

use crate::output::{self, STDOUT};

pub fn query(session: &Session, path: &str, soql: &str) -> anyhow::Result<()> {
    let mut records = session.query_at::<Box<RawValue>>(path, soql);
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    // A pipe's next command may write to the same terminal, and on a terminal the records are the progress.
    let wanted = io::stderr().is_terminal() && output::is_regular_file();
    let mut progress = Progress { wanted, given: 0, shown: false };
    loop {
        if records.size_hint().0 == 0 {
            // The next page may take a while, so what has come goes out.
            out.flush().context(STDOUT)?;
            progress.show(records.total());
        }
        let Some(record) = records.next() else { break };
        // Line ends can only be white space in JSON; inside a string they are written \n.
        for line in record?.get().split('\n').flat_map(|line| line.split('\r')) {
            out.write_all(line.as_bytes()).context(STDOUT)?;
        }
        out.write_all(b"\n").context(STDOUT)?;
        progress.given += 1;
    }
    if counts(soql) {
        let count = records.total().context("unexpected reply: a count without totalSize")?;
        writeln!(out, "{count}").context(STDOUT)?;
    }
    out.flush().context(STDOUT)
}

/// Whether it is `SELECT COUNT() FROM ...`, which has a total and no records.
fn counts(soql: &str) -> bool {
    soql.split_whitespace().collect::<String>().to_ascii_uppercase().starts_with("SELECTCOUNT()")
}

/// `12,000 of 250,000 records`, on a terminal, while a further page is waited for.
struct Progress {
    wanted: bool,
    given: u64,
    shown: bool,
}

impl Progress {
    fn show(&mut self, total: Option<u64>) {
        if let (true, Some(total)) = (self.wanted, total.filter(|total| self.given < *total)) {
            let _ = write!(io::stderr(), "\r{} of {} records", grouped(self.given), grouped(total));
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn grouped(n: u64) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", grouped(n / 1000), n % 1000) }
}
