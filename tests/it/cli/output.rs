//! Standard output that cannot be written to.

use std::fs::OpenOptions;
use std::process::Stdio;

use fake_org::{Answer, Org};

use super::{TOKEN, ended, first_line, program, started, text};
use crate::support::kept_env;

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let org = Org::start();
    org.seed_accounts(3000);
    let line = "x".repeat(99) + "\n";
    org.always("/services/data/v66.0/file", Answer::text(200, &line.repeat(10_000)));
    for args in [["query", "SELECT Id, Name FROM Account"], ["get", "file"]] {
        let mut child = started(program(&org.env()).args(args));
        assert!(first_line(&mut child).len() > 90, "{args:?}");
        let output = ended(child);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{args:?}");
    }
}

#[cfg(unix)]
#[test]
fn standard_output_that_nobody_reads_is_an_error_for_a_token() {
    use std::net::Shutdown;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let org = Org::start();
    for format in ["token", "json", "env", "dotenv", "header"] {
        // A socket, because shutting it down ends it also for a child that another test is just starting.
        let (reader, writer) = UnixStream::pair().unwrap();
        reader.shutdown(Shutdown::Both).unwrap();
        let mut login = program(&org.env());
        let login = login.args(["--format", format]).stdout(OwnedFd::from(writer)).stderr(Stdio::piped());
        let output = ended(login.spawn().expect("the binary starts"));
        let error = "sf-login: cannot write to standard output: Broken pipe (os error 32)\n";
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), error), "{format}");
    }
    if cfg!(target_os = "linux") {
        assert_eq!(org.connections(), 0, "found before anything is sent");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        println!("skipped: this system has no /dev/full");
        return;
    };
    let org = Org::start();
    org.seed_accounts(3);
    let cases: [&[&str]; 4] = [&[], &["get", "limits"], &["query", "SELECT Id FROM Account"], &["--help"]];
    for args in cases {
        let full = full.try_clone().expect("a file can be opened twice");
        let output = program(&org.env()).args(args).stdout(full).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let says = "sf-login: cannot write to standard output: No space left on device (os error 28)\n";
        assert_eq!(text(&output.stderr), says, "{args:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_not_open_for_writing_is_an_error_before_anything_is_sent() {
    let org = Org::start();
    let env = [org.env(), kept_env(&org, TOKEN)].concat();
    let cases: [&[&str]; 5] =
        [&[], &["get", "limits"], &["query", "SELECT Id FROM X"], &["why"], &["--help"]];
    for args in cases {
        let null = std::fs::File::open("/dev/null").expect("it can be read");
        let output = program(&env).args(args).stdout(null).output().expect("it runs");
        let says = "sf-login: cannot write to standard output: Bad file descriptor (os error 9)\n";
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), says), "{args:?}");
    }
    assert_eq!(org.connections(), 0);
}
