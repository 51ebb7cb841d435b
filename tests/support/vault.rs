//! Encrypted files with tokens: what tests need of the machine, and what they must not leave there.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use linux_keyutils::{KeyRing, KeyRingIdentifier};

use super::{Finished, HELPER, Sandbox, run};

/// What everybody types in these tests.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// A sandbox whose files may be encrypted. What the kernel keeps for it goes with it.
pub struct Vaulted {
    pub sandbox: Sandbox,
    ids: RefCell<Vec<String>>,
}

impl std::ops::Deref for Vaulted {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Vaulted {
    /// alice is linked, with her tokens in a file.
    pub fn new() -> Self {
        Self::of(Sandbox::linked())
    }

    /// The same of a sandbox that the test has made.
    pub fn of(sandbox: Sandbox) -> Self {
        Self { sandbox, ids: RefCell::default() }
    }

    /// The same, encrypted with the passphrase.
    pub fn with_passphrase() -> Self {
        let vaulted = Self::new();
        vaulted.encrypt().succeeded();
        vaulted
    }

    /// Runs a verb of `vault` with a passphrase on stdin.
    pub fn type_passphrase(&self, verb: &str, passphrase: &str) -> Finished {
        let mut command = self.command(HELPER);
        command.args(["vault", verb, "--passphrase-stdin"]);
        let finished = run::finish(command, format!("{passphrase}\n"));
        self.note_id();
        finished
    }

    /// Encrypts with the passphrase.
    pub fn encrypt(&self) -> Finished {
        self.type_passphrase("encrypt", PASSPHRASE)
    }

    /// Unlocks with the passphrase.
    pub fn unlock(&self) -> Finished {
        self.type_passphrase("unlock", PASSPHRASE)
    }

    /// A verb of `vault` without a passphrase.
    pub fn vault<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Finished {
        let finished = self.verb(["vault"].into_iter().chain(words));
        self.note_id();
        finished
    }

    /// The file with the wrapped key.
    pub fn key_file(&self) -> PathBuf {
        self.state().join("tokens/key")
    }

    /// Makes the kernel forget what it keeps for this sandbox, as a reboot does; whether it kept it.
    pub fn kernel_forgets(&self) -> bool {
        self.note_id();
        let mut kept = false;
        for id in self.ids.borrow().iter() {
            let ring = KeyRing::from_special_id(KeyRingIdentifier::User, false);
            let entry = ring.and_then(|ring| ring.search(&format!("git-credential-gitlab:{id}")));
            kept |= entry.and_then(|entry| entry.invalidate()).is_ok();
        }
        kept
    }

    /// A new daemon on a machine that was switched off.
    pub fn reboot(&self) {
        self.kill_daemon();
        self.kernel_forgets();
    }

    /// The key, if the kernel keeps it.
    pub fn key_in_kernel(&self) -> Option<Vec<u8>> {
        self.note_id();
        let name = format!("git-credential-gitlab:{}", self.ids.borrow().last()?);
        let ring = KeyRing::from_special_id(KeyRingIdentifier::User, false).ok()?;
        ring.search(&name).and_then(|entry| entry.read_to_vec()).ok()
    }

    fn note_id(&self) {
        let header = fs::read(self.key_file()).unwrap_or_default();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
        if let Some(id) = header["id"].as_str() {
            self.ids.borrow_mut().push(id.to_owned());
        }
    }
}

impl Drop for Vaulted {
    fn drop(&mut self) {
        self.kernel_forgets();
    }
}

/// Whether the kernel keeps keys here: some containers forbid it.
pub fn kernel_keeps_keys() -> bool {
    let ring = KeyRing::from_special_id(KeyRingIdentifier::User, true);
    let name = format!("git-credential-gitlab:test-{}", std::process::id());
    let kept = ring.and_then(|ring| ring.add_key(&name, b"x").and_then(|_| ring.search(&name)?.invalidate()));
    if let Err(why) = kept {
        eprintln!("skipped: the kernel keeps no keys here: {why:?}");
    }
    kept.is_ok()
}

/// Makes the programs of a sandbox that are started so run as systemd or cron run theirs: in a
/// session keyring of their own, from which nothing leads to the user's. `None` where that can't be done.
pub fn in_no_login_session(sandbox: &Sandbox, program: &str) -> Option<std::process::Command> {
    let keyctl = match std::env::consts::ARCH {
        "x86_64" => 250,
        "aarch64" => 219,
        _ => return None,
    };
    let mut command = sandbox.command("perl");
    command.args(["-e", &format!("syscall({keyctl}, 1, 0) > 0 or die; exec @ARGV or die"), program]);
    Some(command)
}

/// Whether systemd keeps secrets for this user here: for root since 250, for others since 256.
pub fn systemd_keeps_secrets(sandbox: &Sandbox) -> bool {
    let program = Path::new("/usr/bin/systemd-creds");
    let works = program.exists() && {
        let mut command = sandbox.command(program);
        command.args(["encrypt", "--name=test", "-", "-"]);
        if fs::metadata("/proc/self").expect("there").uid() != 0 {
            command.arg("--user");
        }
        run::finish(command, "x").code == Some(0)
    };
    if !works {
        eprintln!("skipped: systemd-creds does not work for this user here");
    }
    works
}
