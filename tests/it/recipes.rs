//! The README's recipes, run by a shell as a reader would, and what becomes of them when the login fails.
#![cfg(unix)]

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::{Answer, Org, PASSWORD, USER_ID};
use serde_json::Value;

use crate::support::{Run, login, run, sf_login};

const README: &str = include_str!("../../README.md");

/// All recipes that there are.
const KEEP: &str = "keep the token in this shell";
const CURL: &str = "a request with curl, the token on no command line";
const PASS: &str = "the password from a password manager";
const LOG_OUT: &str = "log out";
const GITHUB: &str = "GitHub Actions, masked before anything can print it";
const GITLAB: &str = "GitLab CI, as a dotenv report for the jobs that follow";
const SF: &str = "hand the login to Salesforce's CLI";
const CLIENT_CREDENTIALS: &str = "client credentials";
const ALL: [&str; 8] = [KEEP, CURL, PASS, LOG_OUT, GITHUB, GITLAB, SF, CLIENT_CREDENTIALS];

const TOKEN: &str = "00D5g00000FakeO!AQ.of_a-test~+/=";

#[test]
fn every_recipe_of_the_readme_is_run_here() {
    let found: Vec<&str> = recipes().map(|(name, _)| name).collect();
    assert_eq!(found, ALL);
}

#[test]
fn keep_the_token_leaves_it_to_the_shells_children() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        assert_eq!(place.follow(shell, KEEP, &org.env()), done(""), "{shell}");
        assert_eq!(place.variable("SF_ACCESS_TOKEN").as_deref(), Some(TOKEN), "{shell}");
        assert_eq!(place.variable("SF_ORG_INSTANCE_URL"), Some(org.url()), "{shell}");
    });
}

#[test]
fn curl_gets_the_token_by_its_standard_input() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        let env = [org.env(), vec![("SF_ORG_INSTANCE_URL", org.url())]].concat();
        assert_eq!(place.follow(shell, CURL, &env), done(""), "{shell}");
        let url = format!("{}/services/data/", org.url());
        assert_eq!(
            place.arguments("curl"),
            ["--fail", "--silent", "--show-error", "-H", "@-", &url],
            "{shell}"
        );
        assert_eq!(place.input("curl"), format!("Authorization: Bearer {TOKEN}\n"), "{shell}");
    });
}

#[test]
fn the_password_comes_from_the_password_manager() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        let env = without(&org.env(), "SF_PASSWORD");
        assert_eq!(place.follow(shell, PASS, &env), done(&format!("{TOKEN}\n")), "{shell}");
        assert_eq!(place.arguments("pass"), ["show", "salesforce"], "{shell}");

        // A password manager that has none is not taken for an empty password.
        let env = [env, vec![("PASS_FAILS", "1".to_owned())]].concat();
        let run = place.follow(shell, PASS, &env);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{shell}");
        assert_eq!(org.logins(), 1, "{shell}");
    });
}

#[test]
fn log_out_ends_the_session() {
    in_each_shell(|shell| {
        let org = Org::start();
        let token = login(&org).token().expect("the login is right");
        let kept =
            vec![("SF_ACCESS_TOKEN", token.access_token().to_owned()), ("SF_ORG_INSTANCE_URL", org.url())];
        assert_eq!(Place::new(&org).follow(shell, LOG_OUT, &kept), done(""), "{shell}");
        assert_eq!(sf_login(&kept, &["get", "limits"]).code, Some(4), "{shell}: it was logged out");
    });
}

#[test]
fn github_masks_the_token_and_gives_the_next_step_all_that_it_needs() {
    // As the runner starts it, and as those who look for a mistake do.
    for options in [&[][..], &["-e"], &["-ex"]] {
        in_each_shell(|shell| {
            let org = org();
            let place = Place::new(&org);
            let run = place.follow_with(shell, options, GITHUB, &org.env());
            // Only the trace's own lines from before `set +x` are on standard error, which `run` has searched.
            assert_eq!((run.code, &*run.stdout), (Some(0), &*format!("::add-mask::{TOKEN}\n")), "{shell}");
            let next_step = place.pairs("github.env");
            assert!(next_step.contains(&("SF_ACCESS_TOKEN".to_owned(), TOKEN.to_owned())), "{shell}");
            let next_step: Vec<(&str, String)> =
                next_step.iter().map(|(name, value)| (&**name, value.clone())).collect();
            let run = sf_login(&next_step, &["get", "limits"]);
            assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{shell}");
        });
    }
}

#[test]
fn gitlab_gives_the_jobs_that_follow_all_that_they_need() {
    for options in [&[][..], &["-ex"]] {
        in_each_shell(|shell| {
            let org = org();
            let place = Place::new(&org);
            let run = place.follow_with(shell, options, GITLAB, &org.env());
            assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{shell}");
            let report = [
                ("SF_ACCESS_TOKEN".to_owned(), TOKEN.to_owned()),
                ("SF_ORG_INSTANCE_URL".to_owned(), org.url()),
            ];
            assert_eq!(place.pairs("login.env"), report, "{shell}");
        });
    }
}

#[test]
fn salesforces_cli_gets_the_token_by_its_environment() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        assert_eq!(place.follow(shell, SF, &org.env()), done(""), "{shell}");
        let arguments = ["org", "login", "access-token", "--instance-url", &org.url(), "--no-prompt"];
        assert_eq!(place.arguments("sf"), arguments, "{shell}");
        assert_eq!(place.read("sf.token"), TOKEN, "{shell}");
    });
}

#[test]
fn client_credentials_needs_two_variables_and_ignores_the_user() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        let run = place.follow(shell, CLIENT_CREDENTIALS, &org.env());
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{shell}");
        let reply: Value = serde_json::from_str(&run.stdout).expect("it prints JSON");
        let user = reply["id"].as_str().and_then(|id| id.rsplit('/').next());
        assert_eq!(user, Some(USER_ID), "{shell}");
        let form = org.requests()[0].form();
        let names: Vec<&str> = form.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["grant_type", "client_id", "client_secret"], "{shell}");
    });
}

#[test]
fn a_recipe_fails_as_its_login_fails_and_leaves_nothing_behind() {
    // What is wrong, how the org shows it, and the exit code of sf-login.
    let cases = [
        ("a refused login", Answer::oauth_error("invalid_grant", "authentication failure"), 3),
        ("an org in maintenance", Answer::html(503, "Maintenance").header("Retry-After", "0"), 1),
    ];
    for (case, answer, code) in cases {
        in_each_shell(|shell| {
            for name in ALL.iter().filter(|name| **name != LOG_OUT) {
                for options in [&[][..], &["-ex"]] {
                    let case = format!("{name}: {case}, {shell} {options:?}");
                    let org = org();
                    org.always("/services/oauth2/token", answer.clone());
                    let place = Place::new(&org);
                    let run = place.follow_with(shell, options, name, &org.env());
                    assert_eq!((run.code, &*run.stdout), (Some(code), ""), "{case}: {}", run.stderr);
                    assert!(run.stderr.contains("sf-login: "), "{case}: {}", run.stderr);
                    assert_eq!(place.variable("SF_ACCESS_TOKEN"), None, "{case}");
                    assert_eq!(
                        place.files(),
                        if *name == PASS { vec!["pass.arguments"] } else { vec![] },
                        "{case}"
                    );
                    assert_eq!(org.logins(), if code == 3 { 1 } else { 3 }, "{case}");
                }
            }
        });
    }
}

#[test]
fn a_recipe_fails_when_the_org_cannot_be_reached() {
    std::thread::scope(|scope| {
        for name in ALL {
            scope.spawn(move || {
                let org = org();
                // A port that no server can get while this connection has it.
                let taken = TcpStream::connect(org.addr()).expect("the org is there");
                let nobody = format!("http://{}", taken.local_addr().expect("it has a port"));
                let mut place = Place::new(&org);
                place.my_domain.clone_from(&nobody);
                let env = if name == LOG_OUT {
                    vec![("SF_ACCESS_TOKEN", TOKEN.to_owned()), ("SF_ORG_INSTANCE_URL", nobody)]
                } else {
                    [without(&org.env(), "SF_LOGIN_URL"), vec![("SF_LOGIN_URL", nobody)]].concat()
                };
                let run = place.follow("sh", name, &env);
                assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{name}: {}", run.stderr);
                assert!(
                    run.stderr.starts_with("sf-login: no reply from 127.0.0.1:"),
                    "{name}: {}",
                    run.stderr
                );
                assert_eq!(
                    place.files(),
                    if name == PASS { vec!["pass.arguments"] } else { vec![] },
                    "{name}"
                );
            });
        }
    });
}

#[test]
fn log_out_without_a_token_fails_and_logs_nobody_in() {
    in_each_shell(|shell| {
        let org = org();
        let run = Place::new(&org).follow(shell, LOG_OUT, &org.env());
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{shell}");
        assert!(run.stderr.starts_with("sf-login: SF_ACCESS_TOKEN is not set"), "{shell}: {}", run.stderr);
        assert_eq!(org.connections(), 0, "{shell}");
    });
}

#[test]
fn the_readmes_reason_for_not_writing_eval_of_a_substitution_holds() {
    let org = org();
    org.always("/services/oauth2/token", Answer::oauth_error("invalid_grant", "authentication failure"));
    let place = Place::new(&org);
    let run = place.run_script("sh", &[], "eval \"$(sf-login --format env)\"\n", &org.env());
    assert_eq!(run.code, Some(0), "it hides that the login was refused");
}

// What these tests speak of.

/// The README's recipes: what follows `# recipe:`, and the script.
fn recipes() -> impl Iterator<Item = (&'static str, &'static str)> {
    README.split("```sh\n").skip(1).filter_map(|block| {
        let (script, _) = block.split_once("\n```").expect("every block has an end");
        let name = script.strip_prefix("# recipe: ")?.lines().next()?;
        Some((name, script))
    })
}

fn in_each_shell(test: impl Fn(&str)) {
    let is_here = |shell: &&str| {
        let mut shell = Command::new(shell);
        shell.args(["-c", ":"]).stdin(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    // POSIX has the first; a README's reader probably uses the second.
    for shell in ["sh", "bash"].iter().filter(|shell| is_here(shell)) {
        test(shell);
    }
}

/// An org where every login gets `TOKEN`.
fn org() -> Org {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(TOKEN.to_owned()));
    org
}

fn done(stdout: &str) -> Run {
    Run { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() }
}

fn without(env: &[(&'static str, String)], name: &str) -> Vec<(&'static str, String)> {
    env.iter().filter(|(other, _)| *other != name).cloned().collect()
}

/// Stands in for the programs that recipes call, and notes how it was called.
const NOTER: &str = r#"#!/bin/sh
program=${0##*/}
for argument; do printf '%s\n' "$argument"; done > "$program.arguments"
case $program in
    curl) cat > curl.input ;;
    sf) printf %s "$SF_ACCESS_TOKEN" > sf.token ;;
    pass) [ -z "$PASS_FAILS" ] && printf '%s\n' "$PASS_KNOWS" ;;
esac
"#;

/// The file that holds it, in place of any program. Made by a shell rather than by this process, whose
/// threads start children all the time: what a child holds open for writing cannot be run.
fn noter() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("noter");
        let make = "cat > \"$FILE.$$\" && chmod +x \"$FILE.$$\" && mv \"$FILE.$$\" \"$FILE\"";
        let env = [("FILE", file.display().to_string()), ("PATH", path())];
        assert_eq!(run(&env, "sh", &["-c", make], NOTER.as_bytes()), done(""));
        file
    })
}

fn path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

/// An empty folder to follow recipes in, with programs that only note how they were called.
struct Place {
    folder: PathBuf,
    my_domain: String,
}

impl Place {
    fn new(org: &Org) -> Place {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sf-login-recipe-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(folder.join("here")).expect("there is room for a folder");
        for program in ["curl", "sf", "pass"] {
            symlink(noter(), folder.join(program)).expect("there is room for a link");
        }
        Place { folder, my_domain: org.url() }
    }

    fn follow(&self, shell: &str, name: &str, env: &[(&'static str, String)]) -> Run {
        self.follow_with(shell, &[], name, env)
    }

    /// Follows the README's recipe of that name, at this org where it names one.
    fn follow_with(&self, shell: &str, options: &[&str], name: &str, env: &[(&'static str, String)]) -> Run {
        let (_, script) = recipes().find(|(other, _)| *other == name).expect("the README has this recipe");
        let script = script.replace("https://ACME.my.salesforce.com", &self.my_domain);
        self.run_script(shell, options, &script, env)
    }

    fn run_script(&self, shell: &str, options: &[&str], script: &str, env: &[(&'static str, String)]) -> Run {
        let folder = self.folder.display();
        // A trap, because some recipes end the shell. It notes what the shell's children would see.
        let script = format!("trap 'env > ../environment' EXIT\n{script}\n");
        let file = self.folder.join("recipe.sh");
        fs::write(&file, script).expect("there is room for a file");
        let programs = Path::new(env!("CARGO_BIN_EXE_sf-login")).parent().expect("a program is in a folder");
        let path = format!("{folder}:{}:{}", programs.display(), path());
        let surroundings = [
            ("PATH", path),
            ("GITHUB_ENV", "github.env".to_owned()),
            ("PASS_KNOWS", PASSWORD.to_owned()),
            ("SHELL_TO_USE", shell.to_owned()),
            ("SCRIPT", file.display().to_string()),
        ];
        let env = [env, &surroundings].concat();
        let start = format!("cd '{folder}/here' && exec \"$SHELL_TO_USE\" \"$@\" \"$SCRIPT\"");
        run(&env, "sh", &[&["-c", &start, "sh"], options].concat(), b"")
    }

    /// What the shell's children would have seen of this variable, when the recipe was through.
    fn variable(&self, name: &str) -> Option<String> {
        let environment = fs::read_to_string(self.folder.join("environment")).expect("the recipe has ended");
        let line = environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(str::to_owned)
    }

    /// What the recipe has left in its folder.
    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.join("here")).expect("the folder is ours");
        files
            .map(|file| file.expect("the folder is ours").file_name().to_string_lossy().into_owned())
            .collect()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join("here").join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    fn arguments(&self, program: &str) -> Vec<String> {
        self.read(&format!("{program}.arguments")).lines().map(str::to_owned).collect()
    }

    fn input(&self, program: &str) -> String {
        self.read(&format!("{program}.input"))
    }

    /// The variables that a file sets.
    fn pairs(&self, file: &str) -> Vec<(String, String)> {
        let text = self.read(file);
        let pair = |line: &str| {
            let (name, value) = line.split_once('=').expect("a line sets a variable");
            (name.to_owned(), value.to_owned())
        };
        text.lines().map(pair).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be deleted is in cargo's folder for such things.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
