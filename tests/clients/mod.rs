//! Whatever asks git, or asks as git does, just works: a morning after, with a token that has ended.

mod cargo;
mod git;
mod gix;
mod go;
mod npm;
mod pip;
mod surroundings;

use std::fs;
use std::process::Command;

use crate::support::clients::Desk;

/// Puts files into `group/app`, without a login: what a client is to get.
fn fill(desk: &Desk, files: &[(&str, &str)]) {
    let repository = desk.sandbox.gitlab.repository_path("group/app");
    let repository = repository.to_str().expect("text");
    let home = tempfile::tempdir().expect("a directory");
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.args(words).current_dir(home.path()).env("HOME", home.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            git.env(format!("{who}_NAME"), "Alice").env(format!("{who}_EMAIL"), "alice@example.com");
        }
        crate::support::run::finish(git, "").succeeded();
    };
    git(&["clone", "--quiet", repository, "seed"]);
    for (name, text) in files {
        let path = home.path().join("seed").join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("written");
    }
    git(&["-C", "seed", "add", "--all"]);
    git(&["-C", "seed", "commit", "--quiet", "-m", "a package"]);
    git(&["-C", "seed", "push", "--quiet"]);
}

/// Whether a program is there; it is said loudly if not.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}
