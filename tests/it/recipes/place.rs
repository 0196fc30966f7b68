//! The recipes, and a place to follow them in.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fake_org::{Answer, CLIENT_ID, CLIENT_SECRET, Org, PASSWORD};

use super::terminal::Terminal;
use crate::support::{Env, Run, TOKEN_PATH, run};

pub const PAGES: [&str; 2] =
    [include_str!("../../../README.md"), include_str!("../../../examples/README.md")];
pub const TOKEN: &str = "00D5g00000FakeO!AQ.of_a-test~+/=";

/// The blocks that follow `<!-- recipe: NAME -->`, each with its name.
pub fn recipes() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.into_iter().flat_map(|page| page.split("<!-- recipe: ").skip(1)).map(|rest| {
        let (name, rest) = rest.split_once(" -->\n```").expect("a block follows the name");
        let (_, rest) = rest.split_once('\n').expect("a block has a language");
        (name, rest.split_once("\n```").expect("a block has an end").0)
    })
}

pub fn is_here(program: &str) -> bool {
    let is_here = Command::new(program).arg("--version").stdin(Stdio::null()).output().is_ok();
    if !is_here {
        println!("skipped: this system has no {program}");
    }
    is_here
}

/// An org where every login gets `TOKEN`.
pub fn org() -> Org {
    let org = Org::start();
    org.setup(|setup| setup.token = Some(TOKEN.to_owned()));
    org.seed_accounts(2);
    org
}

/// Has logins fail, as the binary's exit code says.
pub fn fail(org: &Org, code: Option<i32>) {
    match code {
        Some(3) => org.always(TOKEN_PATH, Answer::oauth_error("invalid_grant", "authentication failure")),
        Some(_) => org.always(TOKEN_PATH, Answer::html(503, "Maintenance").header("Retry-After", "0")),
        None => {}
    }
}

/// A folder to follow recipes in, with programs that only note how they were called. `here` is where the
/// shell is, `home` its HOME.
pub struct Place {
    pub folder: PathBuf,
    org: String,
}

impl Place {
    pub fn new(org: &Org) -> Place {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sf-login-recipe-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // Where it lacks the last, fish reads all manuals of the system in the background.
        for new in
            ["here", "bin", "home/.cargo/bin", "home/sf", "home/.local/share/fish/generated_completions"]
        {
            fs::create_dir_all(folder.join(new)).expect("there is room for a folder");
        }
        let noter = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/recipes/noter");
        let noters = ["bin/curl", "bin/sf", "bin/pass", "bin/report", "here/report", "here/deploy"];
        let links = noters.map(|link| (link, noter)).into_iter();
        for (link, to) in links.chain([("home/.cargo/bin/sf-login", env!("CARGO_BIN_EXE_sf-login"))]) {
            symlink(to, folder.join(link)).expect("there is room for a link");
        }
        let place = Place { folder, org: org.url() };
        // It keeps no history unless told to.
        place.write("home/.zshrc", "HISTFILE=~/.history SAVEHIST=9\n");
        place.write("pass.secret", &format!("{CLIENT_SECRET}\n"));
        place.write("pass.password", &format!("{PASSWORD}\n"));
        place
    }

    /// The recipe, for this org's app.
    pub fn text(&self, name: &str) -> String {
        let recipe = recipes().find(|(other, _)| *other == name).expect("there is such a recipe").1;
        recipe.replace("https://ACME.my.salesforce.com", &self.org).replace("3MVG9...", CLIENT_ID)
    }

    /// The recipe as a script that ends where a command fails, with another line that notes the variables.
    pub fn in_script(&self, shell: &str, name: &str, env: &[(&'static str, String)]) -> Run {
        let (before, after) = if shell == "fish" { ("", "or exit $status") } else { ("set -e", "") };
        self.write("script", &format!("{before}\n{}\n{after}\nenv > ../environment\n", self.text(name)));
        self.start(&[shell, "../script"], env)
    }

    /// The recipe typed or pasted into a terminal; what is on its screen then is the output.
    pub fn on_terminal(&self, shell: &str, name: &str, pasted: bool, env: &[(&'static str, String)]) -> Run {
        let mut terminal = Terminal::open(self, shell, env);
        let pasted = pasted && ["bash", "zsh", "fish"].contains(&shell);
        let (before, after) = if pasted { ("\u{1b}[200~", "\u{1b}[201~") } else { ("", "") };
        terminal.type_in(&format!("{before}{}{after}\n", self.text(name)));
        terminal.note_and_exit(shell)
    }

    pub fn start(&self, command: &[&str], env: &[(&'static str, String)]) -> Run {
        let cd = format!("cd '{}' && exec \"$@\"", self.folder.join("here").display());
        run(&self.env(env), "sh", &[&["-c", &cd, "sh"], command].concat(), b"")
    }

    /// These variables, and those that every shell has.
    pub fn env(&self, env: &[(&'static str, String)]) -> Env {
        let folder = self.folder.display();
        let path = std::env::var("PATH").unwrap_or_default();
        let usual = [
            ("PATH", format!("{folder}/home/.cargo/bin:{folder}/bin:{path}")),
            ("HOME", format!("{folder}/home")),
            ("TERM", "xterm".to_owned()),
            // Without it, fish takes letters apart.
            ("LC_ALL", "C.UTF-8".to_owned()),
        ];
        [env, &usual].concat()
    }

    /// The files that a recipe has left, or a program that it started.
    pub fn left(&self) -> String {
        let others = " script settings production uat environment stty pass.* .zshrc *history *fish*";
        let find = format!("find .. -type f{}", others.replace(' ', " ! -name "));
        self.start(&["sh", "-fc", &find], &[]).stdout
    }

    /// Whether the line after the recipe was run, and had a variable like this.
    pub fn noted(&self, variable: &str) -> bool {
        fs::read_to_string(self.folder.join("environment")).is_ok_and(|noted| noted.contains(variable))
    }

    /// What the recipe, or a program that it called, has written: a secret, so that nobody else may read it.
    #[track_caller]
    pub fn read(&self, file: &str) -> String {
        let path = self.folder.join(file);
        if ["secret", "/.env", "token", ".key"].iter().any(|end| file.ends_with(end)) {
            let mode = fs::metadata(&path).expect("it was written").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        fs::read_to_string(path).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).expect("there is room for a file");
    }

    /// That this program was started with the token and without a secret.
    #[track_caller]
    pub fn assert_had_the_token_and_no_secret(&self, program: &str) {
        let environment = self.read(&format!("{program}.environment"));
        let token = format!("SF_ACCESS_TOKEN={TOKEN}\n");
        assert!(environment.contains(&token) && !environment.contains("SECRET"), "{environment}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be deleted is in cargo's folder for such things.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The lines of a shell that set these variables.
pub fn exports(env: &[(&'static str, String)]) -> String {
    env.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect::<Vec<_>>().concat()
}

/// The variables of Salesforce among these lines.
pub fn settings(lines: &str) -> Vec<(&str, String)> {
    let pairs = lines.lines().filter(|line| line.starts_with("SF_")).filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name, value.to_owned())).collect()
}
