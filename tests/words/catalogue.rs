//! Every sentence in our sources, kept as one list: what no page shows (an error that is hard to
//! bring about, a line of the log) is read here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, Lit};

use super::transcript::kept;
use crate::support::Sandbox;

/// The Rust files below a directory, in order.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

/// Whether a file has nothing but tests in it.
fn is_test(path: &Path) -> bool {
    path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem == "tests" || stem.ends_with("_tests"))
}

/// The sentences of a file: what has several words. Names, keys and patterns have one.
fn sentences(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("text");
    let mut found = Vec::new();
    for item in syn::parse_file(&text).expect("Rust").items {
        if !is_for_tests(attributes(&item)) {
            literals(item.to_token_stream(), &mut found);
        }
    }
    found.retain(|text| text.split(' ').filter(|word| word.chars().any(char::is_alphabetic)).count() > 1);
    found
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && attribute.to_token_stream().to_string().contains("test"))
}

/// The text literals of some code. Attributes are documentation (the help of the verbs is kept as
/// they print it), but for the texts of errors.
fn literals(code: TokenStream, found: &mut Vec<String>) {
    let (mut after_hash, mut after_expect) = (false, false);
    for token in code {
        match token {
            // Why something can't happen.
            TokenTree::Group(_) if after_expect => {}
            TokenTree::Group(group) => {
                let is_attribute = after_hash && group.delimiter() == Delimiter::Bracket;
                let is_error = || group.stream().to_string().starts_with("error");
                if !is_attribute || is_error() {
                    literals(group.stream(), found);
                }
            }
            TokenTree::Literal(literal) => {
                if let Lit::Str(text) = Lit::new(literal) {
                    found.push(text.value());
                }
            }
            TokenTree::Punct(ref mark) if matches!(mark.as_char(), '#' | '!') => {
                after_hash = mark.as_char() == '#' || after_hash;
                continue;
            }
            TokenTree::Ident(ref name) if name == "expect" => {
                after_expect = true;
                continue;
            }
            _ => {}
        }
        (after_hash, after_expect) = (false, false);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_sentence_is_kept_where_its_change_is_seen() {
    let mut page = String::new();
    for file in sources(&root().join("src")) {
        let sentences = sentences(&file);
        if !sentences.is_empty() {
            page += &format!("\n## {}\n", file.strip_prefix(root()).expect("below").display());
        }
        for text in sentences {
            page += &format!("{}\n", text.replace('\n', "\n    "));
        }
    }
    kept("catalogue", &page);
}

/// What somebody might write, and what all of us write.
const TERMS: [(&str, &str); 15] = [
    (", type: ", ": "),
    (" type: git", " git, after a colon"),
    ("log in again", "link again"),
    ("re-link", "link again"),
    ("cannot", "can't"),
    ("unable to", "could not"),
    ("failed to", "could not"),
    ("please", "nothing"),
    (" username ", "user name"),
    ("folder", "directory"),
    ("in git config ", "in git's config "),
    ("authorize", "give consent"),
    ("gitlab instance", "GitLab"),
    ("oauth app ", "application"),
    ("background process", "daemon"),
];

/// These know the words of git, of GitLab and of the layers below us.
const WORDS_OF_OTHERS: [&str; 3] = ["cli/import/said.rs", "gitlab/look.rs", "gitlab/http.rs"];

#[test]
fn one_thing_has_one_name() {
    for file in sources(&root().join("src")) {
        if WORDS_OF_OTHERS.iter().any(|others| file.ends_with(others)) {
            continue;
        }
        for text in sentences(&file) {
            for (other, ours) in TERMS {
                let words = format!(" {} ", text.to_lowercase());
                assert!(!words.contains(other), "{}: {other:?} is {ours:?} here: {text}", file.display());
            }
        }
    }
}

#[test]
fn every_command_that_is_named_can_be_typed() {
    let sandbox = Sandbox::new();
    let mut named = BTreeSet::new();
    let pages = ["README.md", "CHANGELOG.md"].map(|name| root().join(name)).into_iter();
    let docs = fs::read_dir(root().join("contrib/docs")).expect("pages").map(|entry| entry.expect("readable").path());
    let mut texts: Vec<String> = pages.chain(docs).map(|page| fs::read_to_string(page).expect("text")).collect();
    texts.extend(sources(&root().join("src")).iter().flat_map(|file| sentences(file)));
    for text in &texts {
        named.extend(text.split("git credential-gitlab ").skip(1).map(command));
    }
    assert!(named.len() > 40, "few are named: {named:?}");
    for words in named {
        let mut verb: Vec<&str> = words.iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
        if verb.is_empty() || verb[0] == "help" {
            continue; // a sentence about the program, a placeholder, or clap's own
        }
        verb.truncate(if verb[0] == "daemon" { 2 } else { 1 });
        let help = sandbox.verb(verb.iter().copied().chain(["--help"]));
        assert_eq!(help.code, Some(0), "{words:?}: {help:?}");
        for flag in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
            assert!(help.stdout.contains(flag.as_str()), "{words:?}: {} has no {flag}", verb.join(" "));
        }
    }
}

/// The verb and the flags at the beginning of a text.
fn command(text: &str) -> Vec<String> {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(['`', '"', ')', ';', '|', '<', '\\', '#']).next().unwrap_or_default();
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let mut words = line.split_whitespace();
    let verb = words.next().filter(is_word).map(str::to_owned);
    let below = words.clone().next().filter(|_| verb.as_deref() == Some("daemon")).filter(is_word).map(str::to_owned);
    let flags = words.filter(|word| word.starts_with("--") && is_word(word)).map(str::to_owned);
    verb.into_iter().chain(below).chain(flags).collect()
}
