//! The value of `credential.URL.helper` that means our helper: its absolute path.
//!
//! By path, git needs no second git to find it, and a GUI's short PATH does not matter. git
//! hands the value to sh with the operation appended, so what sh would interpret is escaped with
//! backslashes. Quotes would not do: a value that does not begin like a path is to git the name
//! of a `git credential-NAME`.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::client::sibling;

/// The helper's program.
const HELPER: &str = "git-credential-gitlab";

/// Why git can't be told of our helper.
#[derive(Debug)]
pub(super) enum NoHelper {
    /// It is not installed beside us.
    NotInstalled,
    /// Its path holds what a line of config can't.
    BadPath(PathBuf),
}

impl fmt::Display for NoHelper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoHelper::NotInstalled => write!(f, "{HELPER} is not installed beside this program or on PATH"),
            NoHelper::BadPath(path) => {
                write!(f, "git can't be told to run {}: move the program to a path of plain text", path.display())
            }
        }
    }
}

impl std::error::Error for NoHelper {}

/// The value that means our helper.
pub(super) fn value() -> Result<String, NoHelper> {
    let path = program()?;
    to_value(&path).ok_or(NoHelper::BadPath(path))
}

/// Our helper's program.
pub(super) fn program() -> Result<PathBuf, NoHelper> {
    find().ok_or(NoHelper::NotInstalled)
}

/// The helper that is installed with us, by the name under which it will still be found after
/// an update: the link on PATH that leads to it (`/opt/homebrew/bin`, `/usr/bin`) rather than
/// what the link leads to at the moment.
fn find() -> Option<PathBuf> {
    let program = sibling(HELPER)?;
    let real = program.canonicalize().ok()?;
    let path = env::var_os("PATH").unwrap_or_default();
    let file = format!("{HELPER}{}", env::consts::EXE_SUFFIX);
    let on_path = env::split_paths(&path).filter(|directory| directory.is_absolute()).map(|found| found.join(&file));
    let same = |found: &PathBuf| found.canonicalize().is_ok_and(|found| found == real);
    Some(on_path.into_iter().find(same).unwrap_or(program))
}

/// The path as the value of `credential.URL.helper`; `None` for one that no value can hold.
pub(super) fn to_value(path: &Path) -> Option<String> {
    let path = path.to_str().filter(|path| !path.chars().any(char::is_control))?;
    let path = match cfg!(windows) {
        // sh takes a backslash for an escape, and git knows no \\?\ in front.
        true => path.strip_prefix(r"\\?\").unwrap_or(path).replace('\\', "/"),
        false => path.to_owned(),
    };
    let mut value = String::with_capacity(path.len());
    for c in path.chars() {
        let plain = c.is_alphanumeric() || !c.is_ascii() || "/._-+,:=@%".contains(c);
        if !plain {
            value.push('\\');
        }
        value.push(c);
    }
    Some(value)
}

/// The path in a value that [`to_value`] made.
pub(super) fn to_path(value: &str) -> String {
    let mut path = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        path.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    path
}

/// Whether a value is one that [`to_value`] made, of this installation or of an earlier one.
pub(super) fn is_ours(value: &str) -> bool {
    let path = to_path(value);
    let Some((directory, file)) = path.rsplit_once('/') else { return false };
    let after_drive = directory.strip_prefix(|c: char| c.is_ascii_alphabetic()).and_then(|rest| rest.strip_prefix(':'));
    let is_root = |directory: &str| directory.is_empty() || directory.starts_with('/');
    let is_absolute = is_root(directory) || after_drive.is_some_and(is_root);
    is_absolute && file.strip_suffix(".exe").unwrap_or(file) == HELPER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn sh_reads_back_the_path_that_was_written() {
        for path in ["/usr/bin/x", "/a b/it's \"x\"/$(id)`id`;&|<>*?[x]{a,b}~#!\\", "/höme/日本/é", "/~/%41=+@,:-_"]
        {
            let value = to_value(Path::new(path)).expect("a value");
            let output = std::process::Command::new("sh").args(["-c", &format!("printf %s {value}")]).output();
            assert_eq!(String::from_utf8_lossy(&output.expect("sh runs").stdout), path);
            assert!(value.starts_with('/'), "git takes {value} for a name");
        }
        assert_eq!(to_value(Path::new("/a\nb/x")), None);
    }

    #[test]
    fn ours_are_known_by_their_file_name() {
        for value in [
            "/usr/bin/git-credential-gitlab",
            "/git-credential-gitlab",
            "/a\\ b/git-credential-gitlab",
            "C:/Program\\ Files/git-credential-gitlab.exe",
            "C:/git-credential-gitlab.exe",
        ] {
            assert!(is_ours(value), "{value}");
        }
        for value in [
            "",
            "store",
            "gitlab",
            "git-credential-gitlab",
            "!git-credential-gitlab",
            "./git-credential-gitlab",
            "/usr/bin/git-credential-gitlab --verbose",
            "/usr/bin/git-credential-gitlab/x",
            "!/usr/bin/git-credential-gitlab",
            "/usr/bin/git-credential-gitlab-helper",
            "ä/git-credential-gitlab",
            "\\",
        ] {
            assert!(!is_ours(value), "{value}");
        }
    }
}
