//! Commands of the system: only those that it has are named.

use std::env;
use std::path::Path;

/// The first command whose program is on PATH.
pub(super) fn command_of(choices: &[(&str, &str)]) -> Option<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| env::split_paths(&path).any(|directory| is_file(&directory.join(program)));
    choices.iter().find(|(program, _)| is_there(program)).map(|(_, command)| (*command).to_owned())
}

fn is_file(path: &Path) -> bool {
    path.is_file() || path.with_extension(env::consts::EXE_EXTENSION).is_file()
}

/// Gets git, or a newer one where there is one.
pub(super) fn install_git() -> Option<String> {
    command_of(&[
        ("apt-get", "sudo apt-get install git"),
        ("dnf", "sudo dnf install git"),
        ("zypper", "sudo zypper install git"),
        ("pacman", "sudo pacman -S git"),
        ("apk", "sudo apk add git"),
        ("brew", "brew install git"),
        ("winget", "winget install Git.Git"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_named() {
        let here = env::current_exe().expect("a path");
        assert_eq!(command_of(&[("no-such-program", "x")]), None);
        assert!(is_file(&here) && !is_file(here.parent().expect("a directory")));
        if cfg!(unix) {
            assert_eq!(command_of(&[("no-such-program", "x"), ("sh", "y")]).as_deref(), Some("y"));
        }
    }
}
