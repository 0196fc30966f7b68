//! Prints what `build.rs` generated from Account; with `--describe`, the describe that it used, to be
//! committed as `account.json`.

#[allow(dead_code, reason = "generated for whatever a program needs")]
mod account {
    include!(concat!(env!("OUT_DIR"), "/account.rs"));
}

fn main() {
    if std::env::args().any(|argument| argument == "--describe") {
        print!("{}", include_str!(concat!(env!("OUT_DIR"), "/account.json")));
        return;
    }
    println!("SELECT {}, {} FROM Account", account::fields::NAME, account::fields::INDUSTRY);
    println!("WHERE Industry = '{}'", account::Industry::Agriculture.as_str());
}
