//! The README's recipes, typed into the shells that it is for, and what becomes of them when the login fails.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::{Answer, CLIENT_ID, CLIENT_SECRET, Org, PASSWORD, SECURITY_TOKEN};
use serde_json::{Value, json};

use crate::support::{
    Run, TOKEN_PATH, assert_no_secret, client_credentials_env, done, kept_env, login, run, sf_login, without,
};

const README: &str = include_str!("../../README.md");

const TOKEN: &str = "00D5g00000FakeO!AQ.of_a-test~+/=";

#[test]
fn every_recipe_of_the_readme_is_run_here() {
    assert_eq!(recipes().count(), 14);
    for (name, _) in recipes() {
        assert!(include_str!("recipes.rs").contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn no_shell_block_has_a_comment_which_zsh_would_take_for_a_command() {
    let blocks = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    assert!(blocks.clone().count() > 10);
    for block in blocks {
        assert!(
            !block.lines().any(|line| line.trim_start().starts_with('#') || line.contains(" #")),
            "{block}"
        );
    }
}

#[test]
fn secrets_that_are_typed_are_exported_and_in_no_history() {
    let asks = "consumer secret: \npassword: \nsecurity token: \n";
    let cases = [
        ("client credentials", "consumer secret: \n", format!("{CLIENT_SECRET}\n"), true),
        ("username and password", asks, format!("{CLIENT_SECRET}\n{PASSWORD}\n{SECURITY_TOKEN}\n"), true),
        ("username and password", asks, format!("{CLIENT_SECRET}\n{PASSWORD}\n\n"), false),
    ];
    in_each_shell(|shell| {
        for (name, asks, answers, security_token) in &cases {
            let org = org();
            org.setup(|setup| setup.security_token_required = *security_token);
            let place = Place::new(&org);
            let run = place.type_in(shell, name, answers, &[]);
            assert_eq!((run.code, &*run.stdout), (Some(0), *asks), "{shell}: {}", run.stderr);
            assert_eq!(
                with_these(&place.environment("SF_"), &[]),
                done(&format!("{TOKEN}\n")),
                "{shell}: {name}"
            );
            let history = place.read("../history");
            assert!(history.contains("read -rs SF_CLIENT_SECRET"), "{shell}: {history}");
            assert_no_secret(&history);
        }
    });
}

#[test]
fn query_and_get_print_records_and_a_resource() {
    in_each_shell(|shell| {
        let org = org();
        org.seed_accounts(2);
        let run = Place::new(&org).type_in(shell, "query and get", "", &org.env());
        let lines: Vec<Value> =
            run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((run.code, lines.len()), (Some(0), 3), "{shell}: {}", run.stderr);
        assert_eq!(lines[1]["Name"], "Account 00002", "{shell}");
        assert!(lines[2]["DailyApiRequests"]["Remaining"].is_u64(), "{shell}");
        assert_eq!(org.logins(), 2, "{shell}: as the README says");
    });
}

#[test]
fn the_token_is_there_for_the_shells_children() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        let run = place.type_in(shell, "the token", "", &org.env());
        assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{shell}: {}", run.stderr);
        assert_eq!(place.token(), Some((TOKEN.to_owned(), org.url())), "{shell}");
    });
}

#[test]
fn fish_has_a_line_of_its_own() {
    if !is_here("fish") {
        return;
    }
    let org = org();
    let place = Place::new(&org);
    assert_eq!(place.in_fish("the token, fish", &org.env()), done(""));
    assert_eq!(place.token(), Some((TOKEN.to_owned(), org.url())));

    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    let place = Place::new(&org);
    let run = place.in_fish("the token, fish", &org.env());
    assert_eq!((run.code, &*run.stdout), (Some(3), ""));
    assert_eq!(place.token(), None);
}

#[test]
fn salesforces_cli_gets_the_token_by_its_environment() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        let run = place.type_in(shell, "sf", "", &client_credentials_env(&org));
        assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{shell}: {}", run.stderr);
        place.assert_sf_got_the_token(&org);
    });
}

#[test]
fn curl_gets_the_token_by_its_standard_input() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        let run = place.type_in(shell, "curl", "", &kept_env(&org, TOKEN));
        assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{shell}: {}", run.stderr);
        let url = format!("{}/services/data/v66.0/sobjects/Account", org.url());
        let header = "Content-Type: application/json";
        let body = r#"{"Name":"Ada & Co"}"#;
        let options = ["--fail-with-body", "--silent", "--show-error", "-H", "@-"];
        let arguments = [&options[..], &["-H", header, "--data", body, &url]].concat();
        assert_eq!(place.arguments("curl"), arguments, "{shell}");
        assert_eq!(place.read("curl.input"), format!("Authorization: Bearer {TOKEN}\n"), "{shell}");
    });
}

#[test]
fn a_password_manager_gives_the_secrets() {
    in_each_shell(|shell| {
        let org = org();
        let knows = |what: &str| vec![("PASS_KNOWS", what.to_owned())];
        let name = "secret from a password manager";
        let place = Place::new(&org);
        assert_eq!(place.type_in(shell, name, "", &knows(CLIENT_SECRET)).code, Some(0), "{shell}");
        let exported = vec![("SF_CLIENT_SECRET".to_owned(), CLIENT_SECRET.to_owned())];
        assert_eq!(place.environment("SF_"), exported, "{shell}");
        assert_eq!(place.arguments("pass"), ["show", "salesforce/secret"], "{shell}");
        // One that has none says so itself.
        let place = Place::new(&org);
        assert_eq!(place.type_in(shell, name, "", &[]).code, Some(1), "{shell}");
        assert_eq!(place.environment("SF_"), [], "{shell}");

        let name = "password from a password manager";
        let env = without(&org.env(), "SF_PASSWORD");
        let run = place.type_in(shell, name, "", &[env.clone(), knows(PASSWORD)].concat());
        assert_eq!((run.code, run.stdout), (Some(0), format!("{TOKEN}\n")), "{shell}");
        assert_eq!(place.arguments("pass"), ["show", "salesforce/password"], "{shell}");
        // Nothing is not taken for an empty password.
        let run = place.type_in(shell, name, "", &env);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{shell}");
        assert_eq!(org.logins(), 1, "{shell}");
    });
}

#[test]
fn log_out_ends_the_session_and_never_begins_one() {
    in_each_shell(|shell| {
        let org = Org::start();
        let token = login(&org).token().expect("the login is right");
        let kept = kept_env(&org, token.access_token());
        let place = Place::new(&org);
        assert_eq!(place.type_in(shell, "log out", "", &kept).code, Some(0), "{shell}");
        assert_eq!(place.token(), None, "{shell}");
        assert_eq!(sf_login(&kept, &["get", "limits"]).code, Some(4), "{shell}: it was logged out");

        let run = place.type_in(shell, "log out", "", &org.env());
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{shell}: without a token");
        assert_eq!(org.logins(), 1, "{shell}");
    });
}

#[test]
fn cron_repeats_an_outage_but_not_a_refused_login() {
    let org = org();
    org.seed_accounts(2);
    let place = Place::new(&org);
    let sf = place.folder.join("home/sf");
    fs::create_dir_all(&sf).expect("there is room for a folder");
    let settings: Vec<String> =
        org.env().iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    fs::write(sf.join("settings"), settings.concat()).expect("there is room for a file");
    let (_, command) = recipe("cron").split_once("* * * * ").expect("it has a time");
    // As cron starts it.
    let home = place.folder.join("home").display().to_string();
    let env = [("HOME", home), ("PATH", "/usr/bin:/bin".to_owned())];
    let cron = || run(&env, "/bin/sh", &["-c", command], b"");
    let accounts = || fs::read_to_string(sf.join("accounts.jsonl")).map_or(0, |text| text.lines().count());

    assert_eq!((cron(), accounts(), org.logins()), (done(""), 2, 1));
    org.seed_accounts(1);
    org.always(TOKEN_PATH, Answer::html(503, "Maintenance").header("Retry-After", "0"));
    for _ in 0..2 {
        assert!(cron().stderr.starts_with("sf-login: unexpected reply: "));
    }
    assert_eq!((accounts(), org.logins()), (2, 7), "two times three tries");
    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    assert!(cron().stderr.starts_with("sf-login: login refused: authentication failure "));
    org.behave();
    assert_eq!(cron().stderr, "");
    assert_eq!((accounts(), org.logins()), (2, 8), "it was not repeated");
    fs::remove_file(sf.join("refused")).expect("it remembers the refusal");
    assert_eq!((cron(), accounts(), org.logins()), (done(""), 3, 9));
}

#[test]
fn github_masks_the_token_and_gives_the_next_step_all_that_it_needs() {
    as_in_ci(|shell, options| {
        let org = org();
        let place = Place::new(&org);
        let run = place.in_ci(shell, options, "GitHub", &org.env());
        // Only the trace's own lines from before `set +x` are on standard error, which `run` has searched.
        assert_eq!(
            (run.code, run.stdout),
            (Some(0), format!("::add-mask::{TOKEN}\n")),
            "{shell} {options:?}"
        );
        let next_step = pairs(&place.read("github.env"), "");
        assert_eq!(with_these(&next_step, &["get", "limits"]).code, Some(0), "{shell} {options:?}");
    });
}

#[test]
fn gitlab_logs_in_inside_the_job_and_keeps_the_token_there() {
    as_in_ci(|shell, options| {
        let org = org();
        let place = Place::new(&org);
        let run = place.in_ci(shell, options, "GitLab", &org.env());
        assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{shell} {options:?}");
        place.assert_sf_got_the_token(&org);
        assert_eq!(place.token(), Some((TOKEN.to_owned(), org.url())), "for the lines that follow");
    });
}

#[test]
fn the_describe_is_replaced_as_a_whole() {
    in_each_shell(|shell| {
        let org = org();
        let place = Place::new(&org);
        fs::write(place.folder.join("here/account.json"), "committed").expect("there is room for a file");
        let cut = Answer::json(200, json!({ "fields": [] })).cut_after(5);
        org.answer_to("/services/data/v66.0/sobjects/Account/describe", cut);
        let run = place.type_in(shell, "describe", "", &org.env());
        assert_eq!((run.code, place.read("account.json")), (Some(1), "committed".to_owned()), "{shell}");

        let run = place.type_in(shell, "describe", "", &org.env());
        assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{shell}: {}", run.stderr);
        let describe: Value = serde_json::from_str(&place.read("account.json")).expect("it is JSON");
        assert_eq!(describe["name"], "Account", "{shell}");
    });
}

#[test]
fn a_recipe_fails_as_its_login_fails_and_leaves_nothing_behind() {
    let refused = |org: &Org| {
        let answer = Answer::oauth_error("invalid_grant", "authentication failure");
        org.always(TOKEN_PATH, answer);
    };
    let away = |org: &Org| {
        let answer = Answer::html(503, "Maintenance").header("Retry-After", "0");
        org.always(TOKEN_PATH, answer);
    };
    let assert_failed = |case: &str, place: &Place, run: Run, code: i32| {
        assert_eq!((run.code, &*run.stdout), (Some(code), ""), "{case}: {}", run.stderr);
        assert!(run.stderr.contains("sf-login: "), "{case}: {}", run.stderr);
        assert_eq!((place.token(), place.files()), (None, vec![]), "{case}");
    };
    for (set, code, logins) in [(&refused as &dyn Fn(&Org), 3, 1), (&away, 1, 3)] {
        in_each_shell(|shell| {
            for name in ["the token", "sf", "describe"] {
                let org = org();
                set(&org);
                let place = Place::new(&org);
                let run = place.type_in(shell, name, "", &org.env());
                assert_failed(&format!("{shell}, {name}"), &place, run, code);
                assert_eq!(org.logins(), logins, "{shell}, {name}");
            }
        });
        as_in_ci(|shell, options| {
            for name in ["GitHub", "GitLab"] {
                let org = org();
                set(&org);
                let place = Place::new(&org);
                let run = place.in_ci(shell, options, name, &org.env());
                assert_failed(&format!("{shell} {options:?}, {name}"), &place, run, code);
                assert_eq!(org.logins(), logins, "{shell} {options:?}, {name}");
            }
        });
    }
}

#[test]
fn the_readmes_reason_for_not_writing_eval_of_a_substitution_holds() {
    let org = org();
    org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure"));
    let run = Place::new(&org).start(&["sh", "-c", "eval \"$(sf-login --format env)\""], "", &org.env());
    assert_eq!(run.code, Some(0), "it hides that the login was refused");
}

// What these tests speak of.

/// The README's blocks that follow `<!-- recipe: NAME -->`, each with its name.
fn recipes() -> impl Iterator<Item = (&'static str, &'static str)> {
    README.split("<!-- recipe: ").skip(1).map(|rest| {
        let (name, rest) = rest.split_once(" -->\n```").expect("a block follows the name");
        let (_, rest) = rest.split_once('\n').expect("a block has a language");
        let (text, _) = rest.split_once("\n```").expect("a block has an end");
        (name, text)
    })
}

fn recipe(name: &str) -> &'static str {
    recipes().find(|(other, _)| *other == name).expect("the README has this recipe").1
}

/// The script in a recipe of YAML: what follows the first `|`, as far as it is indented.
fn script(yaml: &str) -> String {
    let (_, rest) = yaml.split_once("|\n").expect("there is a script");
    let indent = &rest[..rest.len() - rest.trim_start().len()];
    rest.lines().map_while(|line| line.strip_prefix(indent)).collect::<Vec<_>>().join("\n")
}

fn is_here(shell: &str) -> bool {
    let outcome = Command::new(shell).args(["-c", ":"]).stdin(Stdio::null()).status();
    let is_here = outcome.is_ok_and(|status| status.success());
    if !is_here {
        println!("skipped: this system has no {shell}");
    }
    is_here
}

/// The shells that README's blocks are for, as far as they are here.
fn in_each_shell(test: impl Fn(&str)) {
    ["bash", "zsh"].into_iter().filter(|shell| is_here(shell)).for_each(test);
}

/// As runners start a script, with and without a trace.
fn as_in_ci(test: impl Fn(&str, &[&str])) {
    for shell in ["sh", "bash"].into_iter().filter(|shell| is_here(shell)) {
        test(shell, &["-e"]);
        test(shell, &["-ex"]);
    }
}

/// An org where every login gets `TOKEN`.
fn org() -> Org {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(TOKEN.to_owned()));
    org
}

/// The variables that these lines set, if their names begin so.
fn pairs(lines: &str, prefix: &str) -> Vec<(String, String)> {
    let pairs = lines.lines().filter(|line| line.starts_with(prefix)).filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Runs the binary with these variables.
fn with_these(variables: &[(String, String)], args: &[&str]) -> Run {
    let env: Vec<(&str, String)> = variables.iter().map(|(name, value)| (&**name, value.clone())).collect();
    sf_login(&env, args)
}

/// Stands in for the programs that recipes call, and notes how it was called.
const NOTER: &str = r#"#!/bin/sh
program=${0##*/}
for argument; do printf '%s\n' "$argument"; done > "../$program.arguments"
case $program in
    curl) cat > ../curl.input ;;
    sf) printf %s "$SF_ACCESS_TOKEN" > ../sf.token ;;
    pass) [ -n "$PASS_KNOWS" ] && printf '%s\n' "$PASS_KNOWS" ;;
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

/// A folder to follow recipes in, with programs that only note how they were called. `here` is where the
/// shell is, `home` its HOME.
struct Place {
    folder: PathBuf,
    org: String,
}

impl Place {
    fn new(org: &Org) -> Place {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sf-login-recipe-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let bin = folder.join("home/.cargo/bin");
        for new in [&bin, &folder.join("here")] {
            fs::create_dir_all(new).expect("there is room for a folder");
        }
        symlink(env!("CARGO_BIN_EXE_sf-login"), bin.join("sf-login")).expect("there is room for a link");
        for program in ["curl", "sf", "pass"] {
            symlink(noter(), bin.join(program)).expect("there is room for a link");
        }
        Place { folder, org: org.url() }
    }

    /// Types the recipe into the shell, what it asks for, and at last what notes the variables that the
    /// shell's children see, and its history.
    fn type_in(&self, shell: &str, name: &str, answers: &str, env: &[(&'static str, String)]) -> Run {
        let options: &[&str] = if shell == "bash" { &["--norc", "--noprofile", "-i"] } else { &["-f", "-i"] };
        let typed = format!(
            "{}\n{answers}code=$?; env > ../environment; fc -l 1 > ../history; exit $code\n",
            self.text(name)
        );
        self.start(&[&[shell], options].concat(), &typed, env)
    }

    fn in_fish(&self, name: &str, env: &[(&'static str, String)]) -> Run {
        let script = format!("{}\nset code $status; env > ../environment; exit $code", self.text(name));
        self.start(&["fish", "--no-config", "-c", &script], "", env)
    }

    /// Runs the script that a recipe has in its YAML.
    fn in_ci(&self, shell: &str, options: &[&str], name: &str, env: &[(&'static str, String)]) -> Run {
        // A trap, because the script may end the shell.
        let script = format!("trap 'env > ../environment' EXIT\n{}", script(&self.text(name)));
        self.start(&[&[shell], options, &["-c", &script]].concat(), "", env)
    }

    fn start(&self, command: &[&str], input: &str, env: &[(&'static str, String)]) -> Run {
        let folder = self.folder.display();
        let surroundings = [
            ("PATH", format!("{folder}/home/.cargo/bin:{}", path())),
            ("HOME", format!("{folder}/home")),
            // Without it, fish takes letters apart.
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("PS1", String::new()),
            ("PS2", String::new()),
            ("GITHUB_ENV", "github.env".to_owned()),
        ];
        let cd = format!("cd '{folder}/here' && exec \"$@\"");
        run(
            &[env, &surroundings[..]].concat(),
            "sh",
            &[&["-c", &cd, "sh"], command].concat(),
            input.as_bytes(),
        )
    }

    /// The recipe, for this org's app.
    fn text(&self, name: &str) -> String {
        let text = recipe(name).replace("https://ACME.my.salesforce.com", &self.org);
        text.replace("https://login.salesforce.com", &self.org).replace("3MVG9...", CLIENT_ID)
    }

    /// The variables that the shell's children saw, when the recipe was through, if their names begin so.
    fn environment(&self, prefix: &str) -> Vec<(String, String)> {
        let environment = fs::read_to_string(self.folder.join("environment")).expect("the recipe has ended");
        pairs(&environment, prefix)
    }

    /// The token that the shell's children saw, and its instance.
    fn token(&self) -> Option<(String, String)> {
        let value = |name: &str| Some(self.environment(&format!("{name}=")).pop()?.1);
        value("SF_ACCESS_TOKEN").zip(value("SF_ORG_INSTANCE_URL"))
    }

    /// What the recipe has left in its folder.
    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.join("here")).expect("the folder is ours");
        files
            .map(|file| file.expect("the folder is ours").file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// What the recipe, or a program that it called, has written.
    fn read(&self, file: &str) -> String {
        let text = fs::read_to_string(self.folder.join("here").join(file));
        text.or_else(|_| fs::read_to_string(self.folder.join(file))).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    fn arguments(&self, program: &str) -> Vec<String> {
        self.read(&format!("{program}.arguments")).lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn assert_sf_got_the_token(&self, org: &Org) {
        let url = org.url();
        let arguments =
            ["org", "login", "access-token", "--instance-url", &url, "--set-default", "--no-prompt"];
        assert_eq!(self.arguments("sf"), arguments);
        assert_eq!(self.read("sf.token"), TOKEN);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be deleted is in cargo's folder for such things.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
