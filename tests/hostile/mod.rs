//! What hostile and broken hands can give to us, family by family, and what must come of it.
//!
//! The families of input to git's verbs have names: H01 to H77 for what the helper alone can be
//! given, N01 to N10 for what takes a daemon or a server besides. A test says which it is about:
//! `row("H05", …)` in a table, or `/// Row N05.` above a test elsewhere.

mod callbacks;
mod git_config;
mod judging;
mod questions;
mod repositories;
mod servers;
mod socket;
mod starting;
mod state_files;
mod surroundings;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Finished, Sandbox};

/// A GitLab with the name and the port that most have. Nothing listens there: whoever asks it a
/// question finds out.
const NAMED: &str = "protocol=https\nhost=gitlab.example\n";

/// A linked sandbox whose account is linked at `https://gitlab.example`, too.
fn linked_and_named() -> Sandbox {
    let sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let ([profile], [tokens]) = (&sandbox.state_files(".json")[..], &sandbox.state_files(".tokens")[..]) else {
        panic!("one account")
    };
    let text = fs::read_to_string(profile).expect("readable");
    let text = text.replace(sandbox.gitlab.url(), "https://gitlab.example");
    let name = profile.file_name().and_then(|name| name.to_str()).expect("text");
    let name = name.replace(&sandbox.slug(), "https+gitlab.example+443");
    fs::write(profile.with_file_name(&name), text).expect("written");
    fs::copy(tokens, tokens.with_file_name(name.replace(".json", ".tokens"))).expect("written");
    sandbox
}

impl Sandbox {
    /// How the names of the state files of its GitLab begin.
    fn slug(&self) -> String {
        self.gitlab.url().replace("://", "+").replace(':', "+")
    }
}

/// The token of an answer, which must be one in which nothing is wrong. Rows H70 and H71 are checked here.
#[track_caller]
fn token_of(answer: &Finished) -> String {
    let end = answer.attribute("password_expiry_utc").unwrap_or_default();
    assert!(end.len() == 10 && end.bytes().all(|b| b.is_ascii_digit()), "{answer:?}");
    assert!(!answer.stdout.contains("refresh") && !answer.stdout.contains("quit"), "{answer:?}");
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{answer:?}");
    assert_eq!(answer.attribute("username").as_deref(), Some("oauth2"), "{answer:?}");
    answer.token()
}

/// Whether stderr has nothing, or one line that can steer no terminal and looks like no attribute.
fn is_one_line_at_most(stderr: &str) -> bool {
    let plain = |c: char| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
    stderr.lines().count() <= 1
        && stderr.trim_end_matches('\n').chars().all(plain)
        && !stderr.lines().any(|line| line.split_once('=').is_some_and(|(key, _)| !key.contains(' ')))
}

/// All files of the tests.
fn sources(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below).expect("a directory").map(|entry| entry.expect("readable").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The families that stand in a text.
fn rows_in(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_row = |word: &&str| word.len() == 3 && word.starts_with(['H', 'N']) && word[1..].parse::<u8>().is_ok();
    words.filter(is_row).map(str::to_owned)
}

/// The families that a file's tests name.
fn rows_of(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mut rows = Vec::new();
    for table in source.split("row(").skip(1) {
        rows.extend(table.trim_start().strip_prefix('"').and_then(|id| rows_in(id.split('"').next()?).next()));
    }
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with("/// Row") {
            let next = lines[number..].iter().find(|line| !line.starts_with("///"));
            assert_eq!(next, Some(&"#[test]"), "{line} is above no test");
            rows.extend(rows_in(line));
        }
    }
    rows
}

#[test]
fn every_family_of_hostile_input_has_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let ours = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("hostile/mod.rs")
    };
    let read = |path: PathBuf| fs::read_to_string(path).expect("readable");
    let mut tested: BTreeSet<String> =
        sources(&tests).into_iter().filter(ours).flat_map(|path| rows_of(&read(path))).collect();
    tested.extend(["H70".into(), "H71".into()]); // see `token_of`
    let families: BTreeSet<String> =
        (1..=77).map(|number| format!("H{number:02}")).chain((1..=10).map(|number| format!("N{number:02}"))).collect();
    assert_eq!(families.difference(&tested).collect::<Vec<_>>(), [""; 0], "these have no test");
    assert_eq!(tested.difference(&families).collect::<Vec<_>>(), [""; 0], "these are unknown");
}
