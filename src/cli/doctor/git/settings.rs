//! What git's config says for one address, where each line of it stands, and the commands that
//! take a line out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::urlmatch::covers;
use crate::cli::git_config::{Git, GitError, Line, Setting};
use crate::shell::quoted;

/// Begins the place of a line that stands in a file.
const FILE: &str = "file:";

/// git's config for one address.
pub(in crate::cli::doctor) struct Settings {
    pub(in crate::cli::doctor) lines: Vec<Line>,
    /// The address that git looks them up for.
    pub(super) url: String,
    /// `http.*`, of which the last of a name counts.
    pub(super) http: Vec<(String, String)>,
    pub(super) credential: Vec<(String, String)>,
}

impl Settings {
    pub(in crate::cli::doctor) fn read(git: &Git, url: &str) -> Result<Self, GitError> {
        let (http, credential) = (git.section_for("http", url)?, git.section_for("credential", url)?);
        Ok(Self { lines: with_whole_paths(git.lines()?), url: url.into(), http, credential })
    }

    /// The value that counts, if there is one.
    pub(super) fn value<'s>(section: &'s [(String, String)], key: &str) -> Option<&'s str> {
        section.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(in crate::cli::doctor) fn sends_paths(&self) -> bool {
        is_true(Self::value(&self.credential, "credential.usehttppath"))
    }

    /// The command that takes a user name out of git's config.
    pub(in crate::cli::doctor) fn forget_username(&self, name: &str) -> Option<String> {
        self.line("credential", "username", name).and_then(remove)
    }

    pub(in crate::cli::doctor) fn username(&self) -> Option<&str> {
        Self::value(&self.credential, "credential.username").filter(|name| !name.is_empty())
    }

    pub(in crate::cli::doctor) fn helpers(&self) -> Vec<Setting> {
        let helper = |line: &Line| {
            let rest = line.key.strip_prefix("credential.")?;
            let pattern = if rest == "helper" { None } else { Some(rest.strip_suffix(".helper")?.to_owned()) };
            Some(Setting { origin: line.origin.clone(), pattern, value: line.value.clone() })
        };
        self.lines.iter().filter_map(helper).collect()
    }

    /// The lines of a section that count for the address, in the order in which git reads them,
    /// each with the length of its URL.
    fn counting(&self, section: &str, name: &str) -> impl DoubleEndedIterator<Item = (usize, &Line)> {
        let (front, end) = (format!("{section}."), format!(".{}", name.to_ascii_lowercase()));
        self.lines.iter().filter_map(move |line| {
            let rest = line.key.strip_prefix(&front)?;
            let pattern = if rest == &end[1..] { "" } else { rest.strip_suffix(&end)? };
            (pattern.is_empty() || covers(pattern, &self.url)).then_some((pattern.len(), line))
        })
    }

    /// The line that gives a setting this value: the one whose URL says most, and of those the last.
    pub(super) fn line(&self, section: &str, name: &str, value: &str) -> Option<&Line> {
        let saying = self.counting(section, name).filter(|(_, line)| line.value == value);
        saying.max_by_key(|(length, _)| *length).map(|(_, line)| line)
    }

    /// The lines of a setting that adds up, after the last one that is empty and clears those before.
    pub(super) fn list(&self, section: &str, name: &str) -> Vec<&Line> {
        self.counting(section, name).rev().map(|(_, line)| line).take_while(|line| !line.value.is_empty()).collect()
    }
}

/// The command that takes a setting out of a file; none where it stands in no file.
pub(super) fn remove(line: &Line) -> Option<String> {
    let file = line.origin.strip_prefix(FILE)?;
    Some(format!("git config --file {} --unset-all {}", quoted(file), quoted(&line.key)))
}

/// The same for one of several values.
pub(super) fn remove_value(line: &Line) -> Option<String> {
    let file = line.origin.strip_prefix(FILE)?;
    let (file, key, value) = (quoted(file), quoted(&line.key), quoted(&line.value));
    Some(format!("git config --file {file} --fixed-value --unset-all {key} {value}"))
}

/// The same for a header, whose value may be a secret: by its name as it is written.
pub(super) fn remove_header(line: &Line) -> Option<String> {
    let name = line.value.split(':').next().unwrap_or_default();
    Some(format!("{} {}", remove(line)?, quoted(&format!("^{name}:"))))
}

/// The same for one of several helpers.
pub(super) fn remove_helper(setting: &Setting) -> Option<String> {
    let line = Line { origin: setting.origin.clone(), key: setting.key(), value: setting.value.clone() };
    match setting.shown() == setting.value {
        true => remove_value(&line),
        // The rest of it may be a secret. Of a snippet, its first word stands for it, unless that sets something.
        false => {
            let first = setting.value.split_whitespace().next().unwrap_or_default();
            let first = if first.contains('=') { setting.program() } else { first };
            Some(format!("{} {}", remove(&line)?, quoted(&format!("^{}( |$)", pattern(first)))))
        }
    }
}

/// The pattern (an extended regular expression) that is this text.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if ".[]{}()*+?^$|\\".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// git names a repository's files from the top of the work tree, wherever it is run.
fn with_whole_paths(mut lines: Vec<Line>) -> Vec<Line> {
    let is_relative = |line: &Line| line.origin.strip_prefix(FILE).is_some_and(|file| Path::new(file).is_relative());
    if !lines.iter().any(is_relative) {
        return lines;
    }
    let bases: Vec<PathBuf> = std::env::current_dir().ok().into_iter().chain(top()).collect();
    for line in lines.iter_mut().filter(|line| is_relative(line)) {
        let file = line.origin[FILE.len()..].to_owned();
        let mut whole = bases.iter().map(|base| base.join(&file));
        if let Some(path) = whole.find(|path| path.exists()) {
            line.origin = format!("{FILE}{}", path.display());
        }
    }
    lines
}

/// The top of the work tree here, if there is one.
fn top() -> Option<PathBuf> {
    let mut command = Command::new("git");
    command.args(["rev-parse", "--show-toplevel"]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end_matches(['\r', '\n']).into())
}

/// A boolean as git reads it; a key without a value is true, but cannot be told from an empty one.
fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1"))
}
