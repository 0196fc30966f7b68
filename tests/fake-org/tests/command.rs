//! The command as a person or a script uses it.
#![cfg(unix)]

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
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
        (&["--refuse", "me"], "no reason \"me\""),
        (&["--refuse", "audience"], "audience concerns --flow jwt_bearer alone"),
        (&["--accounts", "many"], "\"many\" is not a number"),
    ] {
        let output = run(args);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(said, format!("fake-org: {problem}; --help says what there is\n"));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
    let help = run(&["--help"]);
    let help = String::from_utf8(help.stdout).expect("text");
    assert!(help.starts_with("A Salesforce on this machine"), "{help}");
    assert_eq!(help.lines().find(|line| line.len() > 80), None);
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
fn a_refusal_on_purpose_comes_with_a_token_by_which_to_learn_why() {
    let mut command = Command::new(FAKE_ORG);
    command
        .args(["--refuse", "frozen", "--flow", "client_credentials"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut org = Running(command.spawn().expect("it starts"));
    let mut line = String::new();
    BufReader::new(org.0.stderr.take().expect("stderr")).read_line(&mut line).expect("a line");
    let [start, token, name, url, end] = line.split('\'').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let words =
        ["to learn why: SF_ACCESS_TOKEN=", " SF_ORG_INSTANCE_URL=", " sf-login why ada@example.com\n"];
    assert_eq!([start, name, end], words);
    let mut stream = TcpStream::connect(url.replace("http://", "")).expect("it listens");
    let request = format!(
        "GET /services/data/v66.0/query?q=SELECT%20COUNT()%20FROM%20LoginHistory HTTP/1.1\r\n\
         Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let reply = io::read_to_string(stream).expect("a reply");
    assert!(reply.ends_with(r#"{"totalSize":0,"done":true,"records":[]}"#), "{reply}");
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
