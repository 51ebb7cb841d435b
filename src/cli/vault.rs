//! `vault`: the daemon encrypts, locks and unlocks; here the person is asked for a passphrase, which
//! goes to it once, through the socket.

use std::time::Duration;

use super::arguments::{Vault, VaultVerb, With};
use super::call::{Reply, needed, number, text};
use super::error::Error;
use super::terminal::Terminal;
use crate::client::Start;
use crate::credential::Attributes;
use crate::protocol::{self, Code, Failure, action};

/// A renewal that runs is let through before its account's files are written once more, and one
/// that waits for a server takes as long as that.
const WITHIN: Duration = Duration::from_secs(300);

/// Shorter ones are guessed by whoever has the files and a few graphics cards.
const SHORT: usize = 12;

const QUESTION: &str = "Passphrase (it is not shown):";

const UNLOCK: &str = "git credential-gitlab vault unlock";
const ENCRYPT: &str = "git credential-gitlab vault encrypt";
const DECRYPT: &str = "git credential-gitlab vault decrypt";

/// How the files are, as the daemon says.
struct Found {
    place: String,
    /// `passphrase` or `systemd`; none if they are not encrypted.
    with: Option<String>,
    locked: bool,
    leaving: bool,
    sealed: u64,
    plain: u64,
    notes: Vec<String>,
}

/// Runs one of the verbs.
pub(super) fn run(wanted: &Vault, terminal: Terminal) -> Result<u8, Error> {
    let asker = Asker { terminal, twice: matches!(wanted.verb, Some(VaultVerb::Encrypt { .. })) };
    let found = match &wanted.verb {
        None => ask(&protocol::request(action::VAULT_STATUS))?,
        Some(VaultVerb::Encrypt { with, passphrase_stdin }) => encrypt(*with, *passphrase_stdin, asker)?,
        Some(VaultVerb::Unlock { passphrase_stdin }) => {
            let request = protocol::request(action::VAULT_UNLOCK);
            match passphrase_stdin {
                true => ask(&request.with("passphrase", asker.read()?))?,
                false => ask_or_type(request, asker)?,
            }
        }
        Some(VaultVerb::Lock) => ask(&protocol::request(action::VAULT_LOCK))?,
        Some(VaultVerb::Decrypt) => ask(&protocol::request(action::VAULT_DECRYPT))?,
    };
    terminal.print(&found.describe())?;
    for note in &found.notes {
        terminal.say(note);
    }
    explain(wanted.verb.as_ref(), &found, terminal);
    let asked_only = wanted.verb.is_none();
    Ok(if found.locked && asked_only { Code::Locked.exit_code() } else { 0 })
}

fn encrypt(with: Option<With>, passphrase_stdin: bool, asker: Asker) -> Result<Found, Error> {
    let request = protocol::request(action::VAULT_ENCRYPT);
    let usage = |text| Err(Failure::new(Code::Usage, text).into());
    let with_passphrase = |passphrase| request.clone().with("with", "passphrase").with("passphrase", passphrase);
    match (with, passphrase_stdin) {
        (Some(With::Systemd), true) => usage("systemd takes no passphrase"),
        (Some(With::Systemd), false) => ask(&request.with("with", With::Systemd.word())),
        (_, true) => ask(&with_passphrase(asker.read()?)),
        (Some(With::Passphrase), false) => ask(&with_passphrase(asker.typed()?)),
        (None, false) => ask_or_type(request, asker),
    }
}

/// Asks the daemon, and once more with a passphrase if it takes one.
fn ask_or_type(request: Attributes, asker: Asker) -> Result<Found, Error> {
    let block = block(&request)?;
    if !block.flag("needs_passphrase") {
        return found(&block);
    }
    if asker.twice {
        asker.terminal.note(&format!("{}, so it takes a passphrase.", text(&block, "why")));
    }
    ask(&request.with("passphrase", asker.typed()?))
}

fn ask(request: &Attributes) -> Result<Found, Error> {
    found(&block(request)?)
}

fn block(request: &Attributes) -> Result<Attributes, Error> {
    let mut reply = Reply::to(request, Start::IfAbsent, WITHIN)?;
    reply.block()?.ok_or(Error::Incomplete("block"))
}

fn found(block: &Attributes) -> Result<Found, Error> {
    if let Some(failure) = Failure::in_block(block) {
        return Err(failure.into());
    }
    Ok(Found {
        place: needed(block, "place")?,
        with: block.flag("encrypted").then(|| text(block, "with")),
        locked: block.flag("locked"),
        leaving: block.flag("leaving"),
        sealed: number(block, "sealed").unwrap_or_default(),
        plain: number(block, "plain").unwrap_or_default(),
        notes: block.list("note[]").into_iter().map(|note| String::from_utf8_lossy(note).into_owned()).collect(),
    })
}

/// Whoever knows the passphrase.
#[derive(Clone, Copy)]
struct Asker {
    terminal: Terminal,
    /// It is a new one, and a slip would lock everybody out.
    twice: bool,
}

impl Asker {
    fn read(self) -> Result<String, Error> {
        self.usable(self.terminal.take_secret(QUESTION)?, "its place is the first line of stdin")
    }

    fn typed(self) -> Result<String, Error> {
        let usage = |text| Err(Failure::new(Code::Usage, text).into());
        if !self.terminal.can_ask() {
            return usage("nobody can be asked for the passphrase here: give it on stdin, with --passphrase-stdin");
        }
        let typed = self.terminal.ask_secret(QUESTION)?.unwrap_or_default();
        let typed = self.usable(typed, "an empty one protects nothing")?;
        if self.twice && self.terminal.ask_secret("Once more:")?.as_ref() != Some(&typed) {
            return usage("the two are not the same; nothing was changed");
        }
        Ok(typed)
    }

    fn usable(self, passphrase: String, or_else: &str) -> Result<String, Error> {
        let length = passphrase.chars().count();
        if length == 0 {
            return Err(Failure::new(Code::Usage, format!("no passphrase was given: {or_else}")).into());
        }
        if self.twice && length < SHORT {
            let text = format!(
                "warning: with {length} characters the passphrase can be guessed by whoever gets the files; take \
                 several words"
            );
            self.terminal.say(&text);
        }
        Ok(passphrase)
    }
}

impl Found {
    fn describe(&self) -> String {
        let Self { place, sealed, plain, .. } = self;
        let Some(with) = &self.with else {
            return format!("not encrypted: {} in {place}, which only you can read", logins(*plain));
        };
        let with = if with == "systemd" { "a key that systemd keeps" } else { "a passphrase" };
        let lock = if self.locked { "locked" } else { "unlocked" };
        format!("encrypted with {with}, {lock}: {} in {place}", logins(*sealed))
    }
}

fn logins(count: u64) -> String {
    match count {
        1 => "1 login".into(),
        count => format!("{count} logins"),
    }
}

/// What else the person has to know, and what to type next.
fn explain(verb: Option<&VaultVerb>, found: &Found, terminal: Terminal) {
    const REMAINS: &str = "What was written before may still be on the disk, in freed blocks, snapshots and backups. \
                           The refresh tokens in it are spent at the next renewal of each login; tokens that you made \
                           live on.";
    const LOST: &str = "If the passphrase is lost, nothing brings the tokens back: unlink --local, vault decrypt, \
                        and link again then.";
    let Some(with) = &found.with else {
        match verb {
            None => terminal.note(&format!("to encrypt them: {ENCRYPT}")),
            _ => terminal.note("From now on tokens are written as they are."),
        }
        return;
    };
    match verb {
        Some(VaultVerb::Encrypt { .. }) => {
            if found.sealed > 0 {
                terminal.note(REMAINS);
            }
            if with == "systemd" {
                terminal.note(
                    "systemd keeps the key: in this machine's TPM or, without one, in /var/lib/systemd/credential.secret, \
                     which only root can read; without a TPM whoever takes the whole disk has both.",
                );
            }
            if with == "passphrase" {
                terminal.note(&format!("After the machine was switched off: {UNLOCK}. {LOST}"));
            }
        }
        Some(VaultVerb::Lock) if with == "systemd" => {
            terminal.note(&format!("to unlock them: {UNLOCK} (a daemon that starts anew does it by itself)"));
        }
        _ if found.locked => terminal.note(&format!("to unlock them: {UNLOCK}")),
        _ => {}
    }
    if found.leaving {
        terminal.say(&format!("decrypting them broke off; to go on: {DECRYPT}; to stay encrypted: {ENCRYPT}"));
    } else if found.plain > 0 {
        let count = logins(found.plain);
        terminal.say(&format!("{count} of them not encrypted yet; to go on: {ENCRYPT}"));
    }
}
