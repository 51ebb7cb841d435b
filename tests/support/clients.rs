//! What must hold whichever client asks: no prompt, few questions, and nothing left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gitlab_stand_in::StandIn;

use super::{Finished, Sandbox, eventually, run};

/// A linked sandbox whose token has ended, and a trap for whoever asks a person.
pub struct Desk {
    /// Where the client works.
    pub sandbox: Sandbox,
    prompted: PathBuf,
}

impl Desk {
    /// With a GitLab on loopback, by its number.
    pub fn new() -> Self {
        Self::with(Sandbox::new())
    }

    /// With a GitLab that is called `localhost`, for clients that don't take a number for a name.
    pub fn on_localhost() -> Self {
        Self::with(Sandbox::with(StandIn::builder().host("localhost").start()))
    }

    /// With this sandbox, which is not linked yet.
    pub fn with(sandbox: Sandbox) -> Self {
        let desk = Self::at(sandbox);
        desk.sandbox.link();
        desk.expire();
        desk
    }

    /// With a sandbox as it is.
    pub fn at(mut sandbox: Sandbox) -> Self {
        let prompted = sandbox.path("prompted");
        let trap = sandbox.path("trap");
        fs::write(&trap, format!("#!/bin/sh\necho \"$*\" >>'{}'\nexit 1\n", prompted.display())).expect("written");
        fs::set_permissions(&trap, fs::Permissions::from_mode(0o700)).expect("set");
        for name in ["GIT_ASKPASS", "SSH_ASKPASS"] {
            sandbox.set(name, &trap);
        }
        Self { sandbox, prompted }
    }

    /// The token has ended, here and at the server, as on a morning after.
    pub fn expire(&self) {
        self.sandbox.age_token(7200, 0);
        self.sandbox.gitlab.expire_access_tokens("alice");
    }

    /// A program that runs in this directory.
    pub fn command(&self, program: impl AsRef<Path>, directory: &Path) -> Command {
        let mut command = self.sandbox.command(program);
        command.current_dir(directory);
        command
    }

    /// Runs a client to its end. It must work, and it must not say what could be taken for a
    /// credential: some read stdout and stderr of a helper together.
    #[track_caller]
    pub fn works(&self, command: Command) -> Finished {
        let finished = run::finish(command, "").succeeded();
        for line in finished.stderr.lines().chain(finished.stdout.lines()) {
            let key = line.split_once('=').map_or("", |(key, _)| key.trim());
            assert!(!ATTRIBUTES.contains(&key), "{line}: {finished:#?}");
        }
        finished
    }

    /// Whether a person was to be asked for a name or a password.
    pub fn prompted(&self) -> bool {
        self.prompted.exists()
    }

    /// How often git's helper was asked since the sandbox was made.
    pub fn questions(&self) -> usize {
        self.sandbox.verb(["log", "--json"]).succeeded().stdout.lines().count()
    }

    /// It was asked exactly so often; the journal is written after the answer.
    #[track_caller]
    pub fn was_asked(&self, times: usize) {
        eventually("the journal is written", || self.questions() >= times);
        assert_eq!(self.questions(), times, "{}", self.sandbox.verb(["log"]).stdout);
    }

    /// It was asked, and not more often than this: how often exactly is the client's business.
    #[track_caller]
    pub fn was_asked_at_most(&self, times: usize) {
        eventually("the journal is written", || self.questions() > 0);
        assert!(self.questions() <= times, "{}", self.sandbox.verb(["log"]).stdout);
    }

    /// One renewal was enough, no login was refused, nobody was asked anything, and no secret is in
    /// any file but our own.
    #[track_caller]
    pub fn is_clean(&self) {
        let gitlab = &self.sandbox.gitlab;
        assert_eq!((gitlab.token_requests(), gitlab.failed_logins()), (1, 0), "{}", self.sandbox.log());
        self.left_nothing();
    }

    /// Nobody was asked anything, and no secret is in any file but our own.
    #[track_caller]
    pub fn left_nothing(&self) {
        assert!(!self.prompted.exists(), "{}", fs::read_to_string(&self.prompted).unwrap_or_default());
        let (secrets, ours) = (self.sandbox.gitlab.secrets(), self.sandbox.state());
        let files = files_below(&self.sandbox.path(""), &ours);
        assert!(!files.is_empty());
        for file in files {
            let Ok(bytes) = fs::read(&file) else { continue }; // a socket, or gone meanwhile
            let text = String::from_utf8_lossy(&bytes);
            for secret in &secrets {
                assert!(!text.contains(secret), "a secret is in {}", file.display());
            }
        }
    }
}

/// What git's helpers say, as keys.
const ATTRIBUTES: &[&str] = &["protocol", "host", "path", "username", "password", "quit", "password_expiry_utc", "url"];

/// All files below a directory, but for one place.
fn files_below(directory: &Path, without: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let entry = entry.expect("readable");
        let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
        if kind.is_dir() && path != without {
            found.extend(files_below(&path, without));
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found
}
