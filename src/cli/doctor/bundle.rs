//! `--bundle`: a text file for a bug report, with everything that helps and nothing that is secret.
//!
//! No secret comes to the cli, and the daemon's log has none. What can have one is git's config and
//! the addresses of a repository, so of these only findings go in, and every line is looked at once
//! more on its way out.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::finding::Entry;
use super::{machine::Machine, show};
use crate::cli::error::Error;
use crate::cli::json;
use crate::credential::printable;
use crate::endpoint;

/// Enough to see what led to it.
const LOG_LINES: usize = 200;

/// More than so many lines of the log have.
const LOG_BYTES: u64 = 200 * 1024;

/// The longest line: an authorize URL, or a finding.
const LONGEST_LINE: usize = 2000;

/// Writes the file; one that is there is left alone.
pub(super) fn write(path: &Path, machine: &Machine, entries: &[Entry]) -> Result<(), Error> {
    let failed = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::NotRun(format!("{} is there already, and is left alone; choose another name", path.display()))
        }
        _ => Error::NotRun(format!("{} was not written: {why}", path.display())),
    };
    let mut text = String::new();
    for (title, part) in parts(machine, entries) {
        text += &format!("== {title}\n");
        for line in part.lines() {
            text += &(indentation(line).to_owned() + &printable(&without_secrets(line), LONGEST_LINE) + "\n");
        }
        text.push('\n');
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}

fn parts(machine: &Machine, entries: &[Entry]) -> Vec<(&'static str, String)> {
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let release = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    let (git, ours) = (machine.git.as_deref().unwrap_or("no git"), env!("CARGO_PKG_VERSION"));
    let versions = format!("git-credential-gitlab {ours}\n{git}\n{system} {release}\n");
    let status = match &machine.daemon {
        Ok(found) => json::render(found),
        Err(why) => why.to_string(),
    };
    vec![
        ("versions", versions),
        ("doctor --json", format!("{:#}", show::json(entries))),
        ("status --json", status),
        ("the end of daemon.log", log()),
    ]
}

/// The last lines of the daemon's log.
fn log() -> String {
    let Some(path) = endpoint::state_directory().ok().map(|state| state.join("daemon.log")) else {
        return "there is no home directory".into();
    };
    let read = || {
        let mut file = File::open(&path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES).read_to_end(&mut bytes)?;
        std::io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
        }
        Err(why) => format!("{}: {why}", path.display()),
    }
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches(' ').len()]
}

/// A line without what stands before the `@` of an address, and behind `Authorization:`.
pub(super) fn without_secrets(line: &str) -> String {
    let mut rest = line;
    let mut clean = String::with_capacity(line.len());
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"',;)".contains(c)).unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        clean += before;
        clean += "://";
        clean += host;
        rest = behind;
    }
    clean += rest;
    let lower = clean.to_ascii_lowercase();
    match lower.find("authorization:") {
        Some(at) => clean[..at].to_owned() + "Authorization: …",
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_passwords_and_headers_their_values() {
        for (line, clean) in [
            ("a https://u:hunter2@h/x b", "a https://h/x b"),
            ("https://hunter2@h and http://h2", "https://h and http://h2"),
            ("\"http://me:hun@ter2@proxy:1\",", "\"http://proxy:1\","),
            ("http.extraHeader=AUTHORIZATION: Basic hunter2", "http.extraHeader=Authorization: …"),
            ("alice@example.com", "alice@example.com"),
            ("://", "://"),
        ] {
            assert_eq!(without_secrets(line), clean, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_cleaned_without_panic(line in "\\PC{0,80}") {
            without_secrets(&line);
        }
    }
}
