//! What a person typed and read, as a page that is the same in every run.

use std::process::Stdio;

use gitlab_stand_in::browser::Browser;

use crate::support::pty::Pty;
use crate::support::{Finished, HELPER, Sandbox, Started};

/// What differs between two runs or machines, and what stands there instead. The first that fits wins.
const DIFFERS: &[(&str, &str)] = &[
    (r"/oauth/authorize\?\S+", "/oauth/authorize?…"),
    (r"\b[0-9a-f]{64}\b", "<64 hex digits>"),
    (r"gl(pat|dt)-[A-Za-z0-9_.-]+", "gl$1-…"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\b\d{4}-\d\d-\d\d( \d\d:\d\d)?\b", "<day>"),
    (r"\b([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?\b", "hh:mm"),
    (r"\(in [^()]+\)", "(in …)"),
    (r"\((now|[^()]+ ago)\)", "(… ago)"),
    (r"\b(pausing for|tried again in|next try in|within) \d+ (s|min)\b", "$1 … $2"),
    (r"\btried again right now\b", "next try in … s"),
    (r"\b(process|pid|kill -[A-Z]+) \d+", "$1 <pid>"),
    (r#""pid": ?\d+"#, r#""pid": <pid>"#),
    (r"\brun-[^/\s]+", "run-<machine>"),
    (r"(private|internal|public)( +)\d+ \w+", "$1$2<age>"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"version \d+\.\d+\.\d+\S*", "version <version>"),
    (r"git \d+\.\d+\.\d+\S*", "git <version>"),
    (r"  [A-Z0-9]{8}\n", "  <code>\n"),
    (r"user_code=[A-Z0-9]{8}", "user_code=<code>"),
];

/// Lines that were broken where a terminal ends.
fn rejoined(screen: &str) -> String {
    let mut text = String::new();
    for line in screen.lines() {
        match line.strip_prefix("    ") {
            Some(rest) => text += &format!(" {}", rest.trim_start()),
            None => text += &format!("\n{line}"),
        }
    }
    text.trim_start().to_owned() + "\n"
}

/// A page of commands and what they said.
pub struct Transcript<'a> {
    sandbox: &'a Sandbox,
    page: String,
}

impl<'a> Transcript<'a> {
    pub fn new(sandbox: &'a Sandbox) -> Self {
        Self { sandbox, page: String::new() }
    }

    /// What happened, in one line above the commands that follow.
    pub fn after(&mut self, what: &str) -> &mut Self {
        self.page += &format!("\n# {what}\n");
        self
    }

    /// Runs a verb to its end.
    pub fn verb(&mut self, words: &[&str]) -> Finished {
        let finished = self.sandbox.verb(words.iter().copied());
        self.add(words, &finished);
        finished
    }

    /// Links with these flags, consent given in this browser.
    pub fn link(&mut self, words: &[&str], browser: Browser) -> Finished {
        let finished = self.sandbox.link_with(browser, words.iter().copied());
        self.add(&[&["link"], words].concat(), &finished);
        finished
    }

    /// Runs a verb that reads this.
    pub fn verb_with_input(&mut self, words: &[&str], input: &str) -> Finished {
        let mut command = self.sandbox.command(HELPER);
        command.args(words).stdin(Stdio::piped());
        let mut started = Started::new(command);
        let mut stdin = started.child.stdin.take().expect("a pipe");
        // A program that fails early does not read it.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        drop(stdin);
        let finished = started.finish();
        self.add(words, &finished);
        finished
    }

    /// git asks for a token: what it passes on to the person.
    pub fn get(&mut self) {
        let finished = self.sandbox.get();
        assert_eq!(finished.attribute("password"), None, "{finished:?}");
        self.add(&["get"], &finished);
    }

    /// A terminal of this many columns, after a command in it has ended.
    pub fn screen(&mut self, words: &[&str], columns: usize, at_keyboard: impl FnOnce(&mut Pty)) {
        let line = format!("stty rows 24 cols {columns}; {HELPER} {}", words.join(" "));
        let mut pty = Pty::run(self.sandbox, &line);
        at_keyboard(&mut pty);
        let (code, screen) = pty.finish();
        let screen = screen.replace("\r\n", "\n");
        // Where a line ends depends on how long ago something was. That it ends between words is a
        // promise of its own.
        let lines_are_broken = words[0] == "status";
        let finished = Finished {
            code,
            stdout: if lines_are_broken { rejoined(&screen) } else { screen },
            stderr: String::new(),
            took: std::time::Duration::ZERO,
        };
        self.add(words, &finished);
    }

    /// A command and what came of it; stderr is marked.
    pub fn add(&mut self, words: &[&str], finished: &Finished) {
        self.page += &format!("$ git credential-gitlab {}\n", words.join(" "));
        self.page += &finished.stdout;
        for line in finished.stderr.lines() {
            self.page += format!("! {line}").trim_end();
            self.page += "\n";
        }
        if finished.code != Some(0) {
            self.page += &format!("[exit code {}]\n", finished.code.map_or("none".into(), |code| code.to_string()));
        }
    }

    /// The page must be the one that is kept.
    #[track_caller]
    pub fn ends(&mut self, name: &str) {
        let mut page = std::mem::take(&mut self.page);
        let root = self.sandbox.path("");
        let programs = std::path::Path::new(HELPER).parent().expect("a directory");
        for (here, everywhere) in [
            (self.sandbox.home().to_str().expect("text"), "/home/alice"),
            (root.to_str().expect("text").trim_end_matches('/'), "/tmp/sandbox"),
            (programs.to_str().expect("text"), "/home/alice/.cargo/bin"),
            (self.sandbox.gitlab.url(), "https://gitlab.example.com"),
            (self.sandbox.gitlab.url().trim_start_matches("http://"), "gitlab.example.com"),
        ] {
            page = page.replace(here, everywhere);
        }
        kept(name, &page);
    }
}

/// A text must be the one that is kept under this name.
#[track_caller]
pub fn kept(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "kept",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => DIFFERS.to_vec(),
    }, {
        insta::assert_snapshot!(name, text);
    });
}
