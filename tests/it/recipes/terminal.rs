//! A shell on a terminal, which `script` lends.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::place::Place;
use crate::support::Run;

pub struct Terminal {
    script: Child,
    screen: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    /// How much of it nobody waits for any more.
    past: usize,
}

pub const PROMPT: &str = "what next? ";

impl Terminal {
    pub fn open(place: &Place, shell: &str, env: &[(&'static str, String)]) -> Terminal {
        let options = match shell {
            "bash" => "--norc --noprofile",
            "zsh" => "--no-globalrcs",
            "fish" => "-C 'function fish_prompt; printf \"$PS1\"; end'",
            _ => "",
        };
        let mut script = Command::new("script")
            .args(["-qefc", &format!("exec {shell} {options} -i"), "/dev/null"])
            .current_dir(place.folder.join("here"))
            .env_clear()
            .envs(place.env(env))
            .env("PS1", PROMPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut output = script.stdout.take().expect("stdout is piped");
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut chunk) {
                // A test that has failed looks no more.
                let _ = sender.send(chunk[..length].to_vec());
            }
        });
        let mut terminal = Terminal { script, screen, seen: Vec::new(), past: 0 };
        terminal.wait_for(PROMPT);
        terminal
    }

    pub fn type_in(&mut self, keys: &str) {
        let stdin = self.script.stdin.as_mut().expect("stdin is piped");
        stdin.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// Types what ends the shell with the exit code of the line before, and has its variables noted.
    pub fn note_and_exit(mut self, shell: &str) -> Run {
        let status = if shell == "fish" { "$status" } else { "$?" };
        let note = "sh -c 'env > ../environment; stty -a > ../stty; exit $0'";
        self.type_in(&format!("{note} {status}\nexit {status}\n"));
        while self.look() {}
        let status = self.script.wait().expect("it ends");
        let stdout = String::from_utf8_lossy(&self.seen).replace("\r\n", "\n");
        Run { code: status.code(), stdout, stderr: String::new() }
    }

    /// Waits until this comes on the screen, and not only as what was typed, in quotes.
    pub fn wait_for(&mut self, text: &str) {
        while !self.seen[self.past..].starts_with(text.as_bytes()) || self.seen[..self.past].ends_with(b"\"")
        {
            if self.past + text.len() < self.seen.len() {
                self.past += 1;
            } else {
                assert!(self.look(), "{text:?} does not come: {}", String::from_utf8_lossy(&self.seen));
            }
        }
        self.past += text.len();
    }

    /// Waits for more to be on the screen, where there will be more.
    fn look(&mut self) -> bool {
        // Nothing takes a second; on a busy machine, everything does.
        let chunk = self.screen.recv_timeout(Duration::from_secs(60));
        assert_ne!(chunk, Err(RecvTimeoutError::Timeout), "{}", String::from_utf8_lossy(&self.seen));
        self.seen.extend(chunk.iter().flatten());
        chunk.is_ok()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, but for a test that fails.
        let _ = self.script.kill();
    }
}
