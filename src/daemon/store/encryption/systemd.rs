//! The data key in systemd's care: `systemd-creds` seals it with the machine's TPM where there is
//! one, else with a key that only root can read. It is asked over pipes alone.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::Key;
use crate::credential::printable;
use crate::endpoint::{NAME, ROOT};

/// Where distributions have it. PATH is not asked: what is run here gets the key.
const PROGRAMS: [&str; 3] =
    ["/usr/bin/systemd-creds", "/bin/systemd-creds", "/run/current-system/sw/bin/systemd-creds"];

/// Without a TPM it takes some 20 ms, with one up to a second or two. Less than a store's call may.
const WITHIN: Duration = Duration::from_millis(4_500);

/// An end of a child can't be awaited for a time without a thread; this is short beside the call.
const POLL: Duration = Duration::from_millis(5);

/// What it says of 32 bytes has under a thousand characters, with a TPM's signature some more.
const LONGEST_ANSWER: u64 = 32 * 1024;

/// Where its own key lies, if not in the usual place: systemd's variable, ENVIRONMENT.md.
const VARIABLE: &str = "SYSTEMD_CREDENTIAL_SECRET";

/// The data key as systemd-creds gave it: base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wrapped {
    credential: String,
}

impl Wrapped {
    /// Wraps the key of the directory with this id, and looks whether it comes back. What is wrong
    /// is for people.
    pub(super) fn wrap(key: &Key, id: &str) -> Result<Self, String> {
        let answer = run("encrypt", id, key.expose())?;
        let wrapped = Self { credential: String::from_utf8_lossy(&answer).trim().to_owned() };
        match wrapped.unwrap(id)?.expose() == key.expose() {
            true => Ok(wrapped),
            false => Err("systemd-creds gives something else back than it was given".into()),
        }
    }

    /// The key.
    pub(super) fn unwrap(&self, id: &str) -> Result<Key, String> {
        let answer = run("decrypt", id, self.credential.as_bytes())?;
        Key::in_bytes(&answer).ok_or_else(|| "systemd-creds gave something that is no key".into())
    }
}

/// Gives something to systemd-creds and takes what it makes of it.
fn run(verb: &str, id: &str, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let program = PROGRAMS.into_iter().find(|path| Path::new(path).is_file());
    let program = program.ok_or("systemd-creds is not installed")?;
    let mut command = Command::new(program);
    command.arg(verb).arg(format!("--name={NAME}-{id}"));
    #[cfg(unix)]
    if crate::endpoint::user_id() != 0 {
        command.arg("--user"); // since systemd 256; before, it is for root alone
    }
    command.args(["-", "-"]).current_dir(ROOT).env_clear().env("LC_ALL", "C").envs(secret_place());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| format!("{program}: {why}"))?;
    // Less than a pipe takes, so nobody waits for anybody.
    let _ = child.stdin.take().expect("it is a pipe").write_all(input); // one that does not read says why
    let ended = ended(&mut child).map_err(|why| format!("{program}: {why}"))?;
    let mut answer = Zeroizing::new(Vec::new());
    let read = child.stdout.take().expect("it is a pipe").take(LONGEST_ANSWER).read_to_end(&mut answer);
    match (ended, read) {
        (true, Ok(_)) => Ok(answer),
        (_, Err(why)) => Err(format!("{program}: {why}")),
        (false, Ok(_)) => Err(reason(child)),
    }
}

/// Its variable, as this daemon was started with it.
fn secret_place() -> Option<(&'static str, OsString)> {
    std::env::var_os(VARIABLE).map(|path| (VARIABLE, path))
}

/// Waits for the end of a child; whether it was a good one.
fn ended(child: &mut Child) -> Result<bool, String> {
    let deadline = Instant::now() + WITHIN;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            failed => {
                let _ = child.kill(); // it may have ended meanwhile
                let _ = child.wait();
                return Err(failed.err().map_or_else(|| "it does not answer".into(), |why| why.to_string()));
            }
        }
    }
}

/// What a child said when it failed: its last line, after what it only remarks.
fn reason(mut child: Child) -> String {
    let mut said = Vec::new();
    let _ = child.stderr.take().expect("it is a pipe").take(LONGEST_ANSWER).read_to_end(&mut said); // or less
    let said = String::from_utf8_lossy(&said);
    if said.contains("unrecognized option '--user'") {
        return "systemd-creds does it for others than root since systemd 256 only".into();
    }
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed without a word");
    printable(&format!("systemd-creds: {}", last.trim()), 300)
}
