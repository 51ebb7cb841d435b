//! Who got a token for what, and who did not: a line of JSON for each get of an account of ours.
//!
//! Nobody waits for it. A line is written by a thread of its own after git has its answer, and
//! where it can't be written git never notices. There is no secret in it: no token, and of what
//! programs were given only words that are the same for everybody (see [`super::words`]).

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use serde::Serialize;

use super::account::Account;
use super::asker::{Asker, Process};
use super::clock::Timestamp;
use super::config;
use super::files;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::place;
use crate::protocol::{Code, Failure};

/// Some ten thousand lines. Then the file is set aside, and the one set aside before goes.
const MAX_JOURNAL: u64 = 4 << 20;

/// Lines that wait for a slow disk; those beyond are lost, because a get does not wait.
const WAITING: usize = 1024;

/// What the daemon's end may take for lines that still wait.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Turns the journal off: `credential.<url>.gitlabJournal`.
const SWITCH: &str = "gitlabJournal";

/// The journal of one daemon.
#[derive(Debug)]
pub struct Journal {
    lines: Mutex<Option<SyncSender<String>>>,
    /// Says nothing; ends when every line is written.
    written: Mutex<Receiver<()>>,
    /// Whether git config lets it be written, by GitLab; asked until there is an answer.
    on: tokio::sync::Mutex<HashMap<String, bool>>,
}

/// What a get came to, as far as its answer does not say it.
#[derive(Debug, Default)]
pub struct Handing {
    /// The account's user name and its label.
    account: Option<(String, String)>,
    /// The token was renewed for this get.
    renewed: bool,
}

impl Handing {
    /// This account answers.
    pub fn by(&mut self, account: &Account) {
        self.account = Some((account.profile.username.clone(), account.profile.label()));
    }

    /// It hands out a token.
    pub fn handed_out(&mut self, renewed: bool) {
        self.renewed = renewed;
    }
}

/// One line. The names of its fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: String,
    host: String,
    username: &'a str,
    path: Option<&'a str>,
    pid: Option<u32>,
    program: &'a str,
    command: &'a str,
    result: &'a str,
    label: &'a str,
    chain: &'a [Process],
}

impl Journal {
    /// A journal in this file.
    pub fn at(path: PathBuf) -> Self {
        let (sender, lines) = mpsc::sync_channel(WAITING);
        let (done, written) = mpsc::channel();
        std::thread::spawn(move || {
            write_all(&path, &lines);
            drop(done);
        });
        Self { lines: Mutex::new(Some(sender)), written: Mutex::new(written), on: tokio::sync::Mutex::default() }
    }

    /// Whether the person lets it be written. What git config says can't be read: then not.
    pub async fn is_on(&self, instance: &Instance) -> bool {
        let mut on = self.on.lock().await;
        match on.get(&instance.to_string()) {
            Some(on) => *on,
            None => match config::is_on(instance, SWITCH).await {
                Some(read) => *on.entry(instance.to_string()).or_insert(read),
                None => false,
            },
        }
    }

    /// Notes how a request was answered. Silence is not noted: it is for what is not ours.
    pub fn note(&self, instance: &Instance, request: &Attributes, answer: &Attributes, handing: &Handing, by: &Asker) {
        let result = match Failure::in_block(answer).map(|failure| failure.code) {
            None if answer.get("password").is_none() => return,
            None if handing.renewed => "renewed",
            None => "served",
            // We said no, or the server did; nothing is broken.
            Some(Code::NotLinked | Code::Relink | Code::Refused) => "declined",
            Some(_) => "failed",
        };
        // Who was asked for and is not linked stays unsaid: a name in an address may be a secret.
        let (username, label) = handing.account.as_ref().map_or(("", ""), |(username, label)| (username, label));
        let path = request.get("path").and_then(|path| place::plain(instance.below_base(path)?));
        let (program, command) = (by.program(), by.command());
        let (at, host) = (Timestamp::now().rfc3339(), instance.to_string());
        let line = Line { at, host, username, path, pid: by.pid, program, command, result, label, chain: &by.chain };
        let Ok(line) = serde_json::to_string(&line) else { return };
        if let Some(lines) = &*self.lines.lock().expect("nobody panics while holding it") {
            let _ = lines.try_send(line + "\n"); // too many wait: this one is lost
        }
    }

    /// Lets what waits be written.
    pub fn close(&self) {
        self.lines.lock().expect("nobody panics while holding it").take();
        let written = self.written.lock().expect("nobody panics while holding it");
        if written.recv_timeout(CLOSE_WITHIN) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the journal could not be written in time");
        }
    }
}

/// Writes lines as they come. What can't be written is lost, and said once.
fn write_all(path: &Path, lines: &Receiver<String>) {
    let mut broken = false;
    while let Ok(line) = lines.recv() {
        // Half a line may have been written before; it must not spoil this one.
        let line = if broken { format!("\n{line}") } else { line };
        match append(path, &line) {
            Ok(()) => broken = false,
            Err(why) => {
                if !broken {
                    tracing::warn!(path = %path.display(), %why, "the journal can't be written");
                }
                broken = true;
            }
        }
    }
}

/// Opened for each line, so that a file that was removed or set aside comes anew. Not flushed to
/// the disk: a line is not worth the wait.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = open(path)?;
    if file.metadata()?.len() >= MAX_JOURNAL {
        // Another daemon may do the same: whoever comes second finds a new file.
        if file.try_lock().is_ok() && path.metadata().is_ok_and(|found| found.len() >= MAX_JOURNAL) {
            fs::rename(path, path.with_extension("old"))?;
        }
        file = open(path)?;
    }
    file.write_all(line.as_bytes())
}

fn open(path: &Path) -> io::Result<File> {
    files::open(OpenOptions::new().create(true).append(true), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_never_grows_beyond_two_files_of_its_size() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        let line = format!("{}\n", "x".repeat(1 << 18));
        for _ in 0..50 {
            append(&path, &line).expect("written");
        }
        let files: Vec<u64> = fs::read_dir(directory.path())
            .expect("a directory")
            .map(|file| file.and_then(|file| file.metadata()).expect("readable").len())
            .collect();
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|size| *size <= MAX_JOURNAL + line.len() as u64), "{files:?}");
    }
}
