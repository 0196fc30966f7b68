//! Help, and a command line that cannot be understood.

use fake_org::Org;

use super::{program, text};
use crate::support::{done, failed, sf_login};

#[test]
fn help_has_every_flow_variable_and_exit_code() {
    let help = sf_login(&[], &["--help"]);
    assert_eq!((help.code, &*help.stderr), (Some(0), ""));
    assert_eq!(sf_login(&[], &["-h"]), help);
    let sections: Vec<_> = help.stdout.split("\n\n").collect();
    let [examples, variables, codes] = &sections[sections.len() - 3..] else { panic!("{}", help.stdout) };
    let secrets = ["SF_CLIENT_SECRET", "SF_PASSWORD", "SF_SECURITY_TOKEN", "SF_JWT_KEY"];
    let mut names = secrets.map(|secret| format!("{secret}_FILE")).to_vec();
    let others =
        ["SF_AUDIENCE_URL", "SF_ACCESS_TOKEN", "SSL_CERT_FILE", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
    names.extend(sf_login::ENV_VARS.iter().chain(&secrets).chain(&others).map(|name| (*name).to_owned()));
    let described: Vec<_> = variables.split([' ', '\n', ',']).collect();
    for name in names {
        assert!(described.contains(&&*name), "{name} is not described");
    }
    for code in ["0", "1", "2", "3", "4", "126", "127"] {
        assert!(codes.contains(&format!("\n  {code}  ")), "exit code {code} is not described");
    }
    for flow in ["password", "client_credentials", "code_credentials", "jwt_bearer"] {
        assert!(examples.contains(&format!("export SF_FLOW={flow} ")), "{flow} has no example");
    }
    // Under set -e, no command but the last of a list ends the script, and none in a command's arguments.
    assert!(!examples.contains("&&") && !examples.contains("eval \"$("), "{examples}");
    for format in ["token", "json", "env", "dotenv", "header"] {
        assert!(help.stdout.contains(&format!("\n  {format} ")), "the format {format} is not described");
    }
    for line in help.stdout.lines() {
        assert!(line.chars().count() <= 80, "longer than a terminal's line: {line}");
    }
}

#[test]
fn version_is_the_crates() {
    let version = done(concat!("sf-login ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(sf_login(&[], &["--version"]), version);
    assert_eq!(sf_login(&[], &["-V"]), version);
}

#[test]
fn asking_a_command_for_help_sends_nothing() {
    let org = Org::start();
    let help = sf_login(&[], &["--help"]);
    for command in ["exec", "get", "query", "why", "revoke"] {
        for option in ["--help", "-h"] {
            assert_eq!(sf_login(&org.env(), &[command, option]), help, "{command} {option}");
        }
    }
    assert_eq!(sf_login(&org.env(), &["help"]), help);
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_command_line_that_cannot_be_understood_exits_2_and_sends_nothing() {
    let org = Org::start();
    let no_command = "no such command: there are exec, get, query, why, revoke and help";
    let formats = "--format takes token, json, env, dotenv or header";
    let one_api = "query takes one of --use-tooling-api and --all-rows";
    let rows_elsewhere = "--all-rows does not belong here, but in: sf-login query --all-rows SOQL";
    let password_elsewhere = "--password-stdin does not belong here, but in: sf-login --password-stdin";
    let format_elsewhere = "--format does not belong here, but in: sf-login --format FORMAT";
    let cases: &[(&[&str], &str)] = &[
        (&["login"], no_command),
        (&[""], no_command),
        (&["--format"], formats),
        (&["--format", "yaml"], formats),
        (&["--format=JSON"], formats),
        (&["--quiet"], "no option --quiet"),
        (&["--format", "json", "--quiet"], "no option --quiet"),
        (&["-q"], "no option -q"),
        (&["-ä"], "no option -"),
        (&["--password-stdin=yes"], "--password-stdin takes no value"),
        (&["--password-stdin", "limits"], no_command),
        (&["query", "--all-rows", "--use-tooling-api", "x"], one_api),
        (&["query", "--all-rows=1", "x"], "--all-rows takes no value"),
        (&["get", "x", "--all-rows"], rows_elsewhere),
        (&["why", "ada", "grace"], "why takes one USERNAME"),
        (&["exec"], "exec takes a COMMAND"),
        (&["exec", "-x", "env"], "no option -x"),
        (&["exec", "--format=env", "env"], format_elsewhere),
        (&["exec", "--password-stdin", "env"], password_elsewhere),
        (&["--format", "env", "exec", "env"], format_elsewhere),
        (&["get"], "get takes one PATH"),
        (&["get", "limits", "limits"], "get takes one PATH"),
        (&["query"], "query takes one SOQL, in quotes"),
        (&["query", "SELECT", "Id", "FROM", "Account"], "query takes one SOQL, in quotes"),
        (&["revoke", "all"], "revoke takes no argument"),
        (&["get", "--format", "json", "limits"], format_elsewhere),
        (&["get", "limits", "--format=json"], format_elsewhere),
        (&["query", "--password-stdin"], password_elsewhere),
    ];
    for (args, says) in cases {
        let expected = failed(2, &format!("{says}\nsee sf-login --help"));
        assert_eq!(sf_login(&org.env(), args), expected, "{args:?}");
    }
    assert_eq!(org.connections(), 0);
}

#[test]
fn a_secret_on_the_command_line_is_not_said_again() {
    let org = Org::start();
    let lines = "hunter2|--password hunter2|--password=hunter2|-phunter2|-p=hunter2|--password-stdin=hunter2|\
                 --password-stdin hunter2|--format hunter2|--format=hunter2|revoke hunter2|\
                 get limits hunter2|query x hunter2";
    for line in lines.split('|') {
        let args: Vec<&str> = line.split(' ').collect();
        let run = sf_login(&org.env(), &args);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{args:?}");
        assert!(run.stderr.ends_with("\nsee sf-login --help\n"), "{args:?}: {}", run.stderr);
        assert!(!run.stderr.contains("hunter2"), "{args:?}: {}", run.stderr);
    }
    assert_eq!(org.connections(), 0);
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf_8_exits_2() {
    use std::os::unix::ffi::OsStrExt as _;

    let path = std::ffi::OsStr::from_bytes(b"sobjects/\xff");
    let output = program(&[]).arg("get").arg(path).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "sf-login: an argument is not UTF-8\nsee sf-login --help\n");
}
