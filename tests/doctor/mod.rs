//! `doctor` finds what is wrong, says how to mend it, mends what is ours, and tells no secret.

mod addresses;
mod git;
mod machine;
mod others;
mod repository;
mod server;
mod shown;

use std::path::Path;

use serde_json::Value;

use crate::support::{Finished, Sandbox, run};

/// What doctor found.
struct Diagnosis {
    finished: Finished,
    checks: Vec<Value>,
}

impl Diagnosis {
    fn of(finished: Finished) -> Self {
        let checks = serde_json::from_str(&finished.stdout).unwrap_or_else(|why| panic!("{why}: {finished:?}"));
        Self { finished, checks }
    }

    /// The check of this name that went worst.
    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        let rank = |check: &&Value| match check["result"].as_str() {
            Some("fail") => 3,
            Some("warn") => 2,
            Some("ok") => 1,
            _ => 0,
        };
        let found = self.checks.iter().filter(|check| check["check"] == name).max_by_key(rank);
        found.unwrap_or_else(|| panic!("no {name}: {:?}", self.finished))
    }

    /// The check went so, its sentence says this, and its command is one.
    #[track_caller]
    fn expect(&self, name: &str, result: &str, says: &str) -> &Self {
        let check = self.check(name);
        let detail = check["detail"].as_str().expect("a sentence");
        assert!(check["result"] == result && detail.contains(says), "{check:#}\n{:?}", self.finished);
        self
    }

    #[track_caller]
    fn mended_by(&self, name: &str, command: &str) -> &Self {
        let check = self.check(name);
        assert!(check["fix"].as_str().is_some_and(|fix| fix.contains(command)), "{check:#}");
        self
    }

    /// What fails, by name.
    fn failed(&self) -> Vec<&str> {
        let failed = self.checks.iter().filter(|check| check["result"] == "fail");
        failed.filter_map(|check| check["check"].as_str()).collect()
    }

    #[track_caller]
    fn ended_with(&self, code: i32) -> &Self {
        assert_eq!(self.finished.code, Some(code), "{:#?}", self.finished);
        self
    }
}

impl std::ops::Index<&str> for Diagnosis {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.check(name)
    }
}

fn doctor(sandbox: &Sandbox, words: &[&str]) -> Diagnosis {
    Diagnosis::of(sandbox.verb(["doctor", "--json"].into_iter().chain(words.iter().copied())))
}

/// The same from inside a repository.
fn doctor_in(sandbox: &Sandbox, directory: &Path) -> Diagnosis {
    let mut command = sandbox.command(crate::support::HELPER);
    command.args(["doctor", "--json"]).current_dir(directory);
    Diagnosis::of(run::finish(command, ""))
}

/// Types the command that a check names.
#[track_caller]
fn mend(sandbox: &Sandbox, found: &Diagnosis, name: &str) -> Finished {
    mend_in(sandbox, &sandbox.path(""), found, name)
}

/// The same inside a repository.
#[track_caller]
fn mend_in(sandbox: &Sandbox, directory: &Path, found: &Diagnosis, name: &str) -> Finished {
    let command = found.check(name)["fix"].as_str().unwrap_or_else(|| panic!("no command: {:?}", found.finished));
    let mut shell = sandbox.command("sh");
    shell.args(["-c", command]).current_dir(directory);
    run::finish(shell, "").succeeded()
}

fn about_app(sandbox: &Sandbox) -> Diagnosis {
    doctor(sandbox, &[&sandbox.project("group/app")])
}
