//! The command as a person or a script uses it.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const FAKE_ORG: &str = env!("CARGO_BIN_EXE_fake-org");

fn run(args: &[&str]) -> Output {
    Command::new(FAKE_ORG).args(args).output().expect("it runs")
}

#[test]
fn mistakes_are_told_with_the_way_to_help() {
    for (args, problem) in [
        (&["--port"][..], "no option --port"),
        (&["--flow", "jwt"], "no flow \"jwt\""),
        (&["--flow"], "no flow \"\""),
        (&["--accounts", "many"], "\"many\" is not a number"),
    ] {
        let output = run(args);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(said, format!("fake-org: {problem}; --help says what there is\n"));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
    let help = run(&["--help"]);
    assert!(help.status.success() && help.stdout.starts_with(b"A Salesforce on this machine"));
}

/// Ends it, whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts it, and asks a shell what the lines that it prints have set.
fn start(args: &[&str], ask: &str) -> (Running, String) {
    let child = Command::new(FAKE_ORG).args(args).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut running = Running(child);
    let stdout = running.0.stdout.take().expect("stdout");
    let mut lines = String::new();
    for line in BufReader::new(stdout).lines().map(|line| line.expect("a line")) {
        assert!(line.starts_with("export "), "{line}");
        lines.push_str(&line);
        lines.push('\n');
        let last = if args.contains(&"--tls") { "export SSL_CERT_FILE" } else { "export SF_LOGIN_URL" };
        if line.starts_with(last) {
            break;
        }
    }
    let script = format!("{lines}printf %s \"{ask}\"");
    let output = Command::new("sh").args(["-euc", &script]).env_clear().output().expect("a shell");
    assert!(output.status.success(), "{output:?}");
    (running, String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn lines_to_paste_set_what_a_flow_needs() {
    let secret = fake_org::CLIENT_SECRET;
    let (_org, set) = start(&[], "$SF_FLOW|$SF_CLIENT_SECRET|$SF_PASSWORD|$SF_SECURITY_TOKEN");
    let (password, token) = (fake_org::PASSWORD, fake_org::SECURITY_TOKEN);
    assert_eq!(set, format!("password|{secret}|{password}|{token}"));
    let ask = "$SF_FLOW|$SF_CLIENT_SECRET|${SF_USERNAME-}${SF_PASSWORD-}${SF_SECURITY_TOKEN-}";
    let (_org, set) = start(&["--flow", "client_credentials"], ask);
    assert_eq!(set, format!("client_credentials|{secret}|"));
    let ask = "$SF_FLOW|$SF_USERNAME|$SF_PASSWORD|${SF_LOGIN_URL##*/}|${SF_SECURITY_TOKEN-}";
    let (_org, set) = start(&["--flow", "code_credentials"], ask);
    let (username, password) = (fake_org::SITE_USERNAME, fake_org::SITE_PASSWORD);
    assert_eq!(set, format!("code_credentials|{username}|{password}|customers|"));
    let ask = "$SF_FLOW|$SF_USERNAME|$(cat \"$SF_JWT_KEY_FILE\")|${SF_CLIENT_SECRET-}${SF_PASSWORD-}";
    let (_org, set) = start(&["--flow", "jwt_bearer"], ask);
    assert_eq!(set, format!("jwt_bearer|{}|{}|", fake_org::USERNAME, fake_org::JWT_KEY.trim_end()));
}

#[test]
fn its_files_are_gone_however_the_command_is_ended() {
    for signal in ["INT", "TERM", "HUP"] {
        let args = ["--tls", "--accounts", "3", "--flow", "jwt_bearer"];
        let (mut org, files) = start(&args, "$SSL_CERT_FILE $SF_JWT_KEY_FILE");
        let there = || files.split(' ').filter(|file| Path::new(file).exists()).count();
        assert_eq!(there(), 2, "{files}");
        // By the shell's own `kill`: not every machine has it as a program.
        let kill = format!("kill -{signal} {}", org.0.id());
        let killed = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(killed.success());
        assert!(org.0.wait().expect("it ends").success());
        assert_eq!(there(), 0, "{files}");
    }
}
