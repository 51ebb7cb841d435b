//! contrib/docs/threat-model.md promises nothing without a test, and names none that is not there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../contrib/docs/threat-model.md");

/// The names of all tests of this package.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut todo: Vec<PathBuf> = vec![root.join("src"), root.join("tests")];
    let mut names = BTreeSet::new();
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            names.extend(tests_in(&fs::read_to_string(&path).expect("text")));
        }
    }
    names
}

/// The functions behind `#[test]` and its like, and those of `proptest!`.
fn tests_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ").filter(|_| marked) {
            names.extend(rest.split_once('(').map(|(name, _)| name.to_owned()));
            marked = false;
        }
    }
    names
}

/// The cells of a line of a table.
fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_promise_of_the_threat_model_has_a_test_that_exists() {
    let tests = tests();
    let is_rule = |line: &str| line.trim_start_matches('|').starts_with("---");
    let is_heading = |line: &str| cells(line).last() == Some(&"tests");
    let rows: Vec<&str> =
        PAGE.lines().filter(|line| line.starts_with('|') && !is_rule(line) && !is_heading(line)).collect();
    assert!(rows.len() > 40, "the tables are found");
    for row in rows {
        let cells = cells(row);
        assert_eq!(cells.len(), 4, "{row}");
        let named: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "a promise without a test: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
    }
}
