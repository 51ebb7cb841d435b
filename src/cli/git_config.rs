//! Reading and writing git's config, by git itself: it knows the files, the quoting and the lock.
//!
//! Every command runs in the root directory and without git's environment, because no
//! repository's config and no `git -c` of the command above us is any of our business; but for
//! `doctor`, which looks at what the person's git sees.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::helper_list::Edit;
use super::terminal::Terminal;
use crate::client::GIT_VARIABLES_KEPT;
use crate::endpoint::ROOT;
use crate::place;

/// git answers in milliseconds; with a home on a dead network drive, or a pipe for a file of its config, never.
const GIT_WITHIN: Duration = Duration::from_secs(5);

/// Whose config is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The person's.
    Global,
    /// That of everybody on this machine.
    System,
}

impl Scope {
    fn flag(self) -> String {
        format!("--{self}")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Global => "global",
            Scope::System => "system",
        })
    }
}

/// Why git's config could not be read or written.
#[derive(Debug)]
pub(super) enum GitError {
    /// There is no git.
    Missing,
    /// It could not be run.
    NotRun(io::Error),
    /// It ran and said why not: a broken file with its line.
    Refused(String),
    /// It ran and said why it wrote nothing: a file that may not be written.
    NotWritten(String),
    /// It did not answer.
    Silent,
    /// A value that we can neither compare nor write back.
    NotText(String),
}

impl fmt::Display for GitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GitError::Missing => f.write_str("git is not installed, or not on PATH"),
            GitError::NotRun(why) => write!(f, "git could not be run: {why}"),
            GitError::Refused(why) => write!(f, "git could not read its config: {why}"),
            GitError::NotWritten(why) => write!(f, "git could not write its config: {why}"),
            GitError::Silent => {
                write!(f, "git config did not answer within {} s; is one of its files a pipe?", GIT_WITHIN.as_secs())
            }
            GitError::NotText(key) => write!(f, "git config was not changed: {key} has a value that is not UTF-8"),
        }
    }
}

impl std::error::Error for GitError {}

/// One `credential.helper` or `credential.URL.helper`, as git reads them from all its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// Where it stands: `file:/home/alice/.gitconfig`.
    pub(super) origin: String,
    /// The URL or host in the middle of the key; `None` for every host.
    pub(super) pattern: Option<String>,
    pub(super) value: String,
}

impl Setting {
    /// Its key, as a person writes it.
    pub(super) fn key(&self) -> String {
        match &self.pattern {
            Some(pattern) => format!("credential.{pattern}.helper"),
            None => "credential.helper".into(),
        }
    }

    /// What of its value can be shown: a snippet for the shell may have a password in it, and so may
    /// what a program is given.
    pub(super) fn shown(&self) -> String {
        let program = self.program();
        if program.len() == self.value.trim_end().len() { program.into() } else { format!("{program} …") }
    }

    /// The beginning of its value: the program, or `!` of a snippet.
    pub(super) fn program(&self) -> &str {
        match self.value.starts_with('!') {
            true => &self.value[..1],
            false => self.value.split_whitespace().next().unwrap_or_default(),
        }
    }

    /// The file it stands in, if it stands in one.
    pub(super) fn file(&self) -> &str {
        self.origin.strip_prefix("file:").unwrap_or(&self.origin)
    }
}

/// git, for its config.
#[derive(Debug)]
pub(super) struct Git {
    terminal: Terminal,
    environment: Vec<(&'static str, OsString)>,
    /// In the current directory and environment, as the person's next git command.
    here: bool,
}

/// One line of git's config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it stands: `file:/home/alice/.gitconfig`.
    pub(super) origin: String,
    /// In lower case but for its middle.
    pub(super) key: String,
    /// It may be a secret.
    pub(super) value: String,
}

impl Git {
    pub(super) fn new(terminal: Terminal) -> Self {
        Self { terminal, environment: Vec::new(), here: false }
    }

    /// One that sees what a test wants it to see.
    #[cfg(test)]
    pub(super) fn in_environment(environment: Vec<(&'static str, OsString)>, terminal: Terminal) -> Self {
        Self { terminal, environment, here: false }
    }

    /// One that sees what the person's next git command sees, a repository's config included:
    /// to look at, never to act by.
    pub(super) fn here(terminal: Terminal) -> Self {
        Self { here: true, ..Self::new(terminal) }
    }

    /// Every line, in the order in which git reads them.
    pub(super) fn lines(&self) -> Result<Vec<Line>, GitError> {
        let found = self.read(&["-z", "--show-origin", "--list"])?;
        let found = String::from_utf8_lossy(&found);
        let fields: Vec<&str> = found.split_terminator('\0').collect();
        let line = |pair: &[&str]| {
            let (key, value) = pair[1].split_once('\n').unwrap_or((pair[1], ""));
            Line { origin: pair[0].into(), key: key.into(), value: value.into() }
        };
        Ok(fields.chunks_exact(2).map(line).collect())
    }

    /// What counts of a section for a URL: keys in lower case, without the URL.
    pub(super) fn section_for(&self, section: &str, url: &str) -> Result<Vec<(String, String)>, GitError> {
        let found = self.read(&["-z", "--get-urlmatch", section, url])?;
        let found = String::from_utf8_lossy(&found);
        let entry =
            |entry: &str| entry.split_once('\n').map_or((entry.into(), String::new()), |(k, v)| (k.into(), v.into()));
        Ok(found.split_terminator('\0').map(entry).collect())
    }

    /// The values of a key in one config file, in their order.
    pub(super) fn values(&self, scope: Scope, key: &str) -> Result<Vec<String>, GitError> {
        let found = self.read(&[&scope.flag(), "-z", "--get-all", "--", key])?;
        fields(&found, key)
    }

    /// The file that a key stands in.
    pub(super) fn file_of(&self, scope: Scope, key: &str) -> Result<Option<PathBuf>, GitError> {
        let found = self.read(&[&scope.flag(), "-z", "--show-origin", "--get-all", "--", key])?;
        let origin = fields(&found, key)?.into_iter().next();
        Ok(origin.and_then(|origin| origin.strip_prefix("file:").map(PathBuf::from)))
    }

    /// Changes one value of a key.
    pub(super) fn edit(&self, scope: Scope, key: &str, edit: &Edit) -> Result<(), GitError> {
        let scope = &scope.flag();
        match edit {
            Edit::Add(value) => self.write(&[scope, "--add", "--", key, value]),
            Edit::Replace { old, new } => self.write(&[scope, "--fixed-value", "--", key, new, old]),
            Edit::Remove(value) => self.write(&[scope, "--fixed-value", "--unset", "--", key, value]),
            Edit::RemoveAll => self.write(&[scope, "--unset-all", "--", key]),
        }
    }

    /// Gives a key one value, whatever it had.
    pub(super) fn set(&self, scope: Scope, key: &str, value: &str) -> Result<(), GitError> {
        self.write(&[&scope.flag(), "--replace-all", "--", key, value])
    }

    /// The value that counts for a URL, of all that is set for it or for more than it. A boolean
    /// is `true` or `false`, however it is written.
    pub(super) fn value_for(&self, key: &str, url: &str, kind: Option<&str>) -> Result<Option<String>, GitError> {
        let question = ["-z", "--get-urlmatch", "--", key, url];
        let found = self.read(&kind.into_iter().chain(question).collect::<Vec<_>>())?;
        Ok(fields(&found, key)?.into_iter().next())
    }

    /// Every `credential.URL.gitlabAccount`, as its URL and value; of all files, or of one.
    pub(super) fn accounts(&self, scope: Option<Scope>) -> Result<Vec<(String, String)>, GitError> {
        let (flag, pattern) = (scope.map(Scope::flag), place::key_pattern());
        let question = ["-z", "--get-regexp", "--", &pattern];
        let found = self.read(&flag.as_deref().into_iter().chain(question).collect::<Vec<_>>())?;
        let entry = |entry: String| {
            let (key, value) = entry.split_once('\n').unwrap_or((&entry, ""));
            Some((place::url_in_key(key)?.to_owned(), value.to_owned()))
        };
        Ok(fields(&found, "gitlabAccount")?.into_iter().filter_map(entry).collect())
    }

    /// Removes a section with all that is in it.
    pub(super) fn remove_section(&self, scope: Scope, section: &str) -> Result<(), GitError> {
        self.write(&[&scope.flag(), "--remove-section", "--", section])
    }

    /// Gives a section another name.
    pub(super) fn rename_section(&self, scope: Scope, from: &str, to: &str) -> Result<(), GitError> {
        self.write(&[&scope.flag(), "--rename-section", "--", from, to])
    }

    /// Every helper that is set for any host, in the order in which git reads them.
    pub(super) fn helpers(&self) -> Result<Vec<Setting>, GitError> {
        self.helpers_of(&[])
    }

    /// Those of one config, with the files that it includes.
    pub(super) fn helpers_in(&self, scope: Scope) -> Result<Vec<Setting>, GitError> {
        self.helpers_of(&[&scope.flag(), "--includes"])
    }

    fn helpers_of(&self, which: &[&str]) -> Result<Vec<Setting>, GitError> {
        let question = ["-z", "--show-origin", "--get-regexp", "--", r"^credential\.(.*\.)?helper$"];
        let found = self.read(&[which, &question].concat())?;
        let fields = fields(&found, "credential.helper")?;
        Ok(fields.chunks_exact(2).map(|pair| setting(&pair[0], &pair[1])).collect())
    }

    /// git's answer; nothing if it found nothing.
    fn read(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let output = self.run(arguments)?;
        match output.status.code() {
            Some(0) => Ok(output.stdout),
            Some(1) if output.stderr.is_empty() => Ok(Vec::new()),
            _ => Err(GitError::Refused(said(&output))),
        }
    }

    fn write(&self, arguments: &[&str]) -> Result<(), GitError> {
        let output = self.run(arguments)?;
        if output.status.success() { Ok(()) } else { Err(GitError::NotWritten(said(&output))) }
    }

    fn run(&self, arguments: &[&str]) -> Result<Output, GitError> {
        self.terminal.detail(&format!("git config {}", arguments.join(" ")));
        let mut command = Command::new("git");
        command.arg("config").args(arguments);
        command.stdin(Stdio::null());
        if self.here {
            return run(command);
        }
        command.current_dir(ROOT);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("GIT_") && !GIT_VARIABLES_KEPT.contains(&name.as_ref()) {
                command.env_remove(name.as_ref());
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        run(command)
    }
}

fn run(mut command: Command) -> Result<Output, GitError> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => GitError::Missing,
        _ => GitError::NotRun(why),
    })?;
    let number = child.id();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output())); // the other end may have given up
    match ended.recv_timeout(GIT_WITHIN) {
        Ok(output) => output.map_err(GitError::NotRun),
        Err(_) => {
            end(number);
            Err(GitError::Silent)
        }
    }
}

#[cfg(unix)]
fn end(number: u32) {
    let process = i32::try_from(number).ok().and_then(rustix::process::Pid::from_raw);
    // So asked, git takes away its locks. It may have ended by itself.
    let _ = process.map(|process| rustix::process::kill_process(process, rustix::process::Signal::TERM));
}

#[cfg(not(unix))]
fn end(_number: u32) {}

/// git's own words: they name the file and the line.
fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if said.is_empty() { output.status.to_string() } else { said }
}

/// What git printed with `-z`: fields that end in NUL.
fn fields(printed: &[u8], key: &str) -> Result<Vec<String>, GitError> {
    let text = str::from_utf8(printed).map_err(|_| GitError::NotText(key.into()))?;
    Ok(text.split_terminator('\0').map(str::to_owned).collect())
}

/// A setting from its origin and its `key\nvalue`; a key without `=` has no value.
fn setting(origin: &str, entry: &str) -> Setting {
    let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
    let pattern = key.strip_prefix("credential.").and_then(|rest| rest.strip_suffix(".helper"));
    Setting { origin: origin.into(), pattern: pattern.map(str::to_owned), value: value.into() }
}
