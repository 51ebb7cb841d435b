//! One linked account: a task that owns its token pair and its schedule.
//!
//! Everybody else has an [`Account`], a handle that sends commands. Because one task decides,
//! there is one renewal however many ask, and because the work is the task's own, nobody who
//! stops waiting cancels it.

mod actor;
mod pair;

use std::sync::Arc;

use tokio::sync::{OnceCell, mpsc, oneshot};

use super::clock::Timestamp;
use super::config;
use super::gitlab::GitLab;
use super::places::Places;
use super::profile::Profile;
use super::schedule::Reason;
use super::secret::Secret;
use super::store::{Record, StoreError, Vault};
use crate::protocol::State;
use actor::Actor;

/// Commands that may wait in line; a sender beyond that waits itself.
const COMMANDS: usize = 64;

/// A token for git.
#[derive(Debug, Clone)]
pub struct HandOut {
    /// The password.
    pub token: Secret,
    /// Its end, if it is sure.
    pub expires_at: Option<Timestamp>,
}

/// Why there is none.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// The schedule says so.
    Schedule(Reason),
    /// The pair can't be read.
    Store(StoreError),
    /// The account is being unlinked, or the daemon is ending.
    Ending,
}

/// How an account is.
#[derive(Debug, Clone)]
pub struct Status {
    /// In a word.
    pub state: State,
    /// In a sentence; empty if all is well.
    pub detail: String,
    /// The access token's end.
    pub expires_at: Option<Timestamp>,
    /// When git last got a token, as far as this daemon knows.
    pub last_used_at: Option<Timestamp>,
    /// Since the person linked.
    pub renewals: u64,
}

#[derive(Debug)]
enum Command {
    Get { min_life: Option<i64>, reply: oneshot::Sender<Result<HandOut, Refusal>> },
    GetRest { reply: oneshot::Sender<Option<HandOut>> },
    Refused { token: Secret, reply: oneshot::Sender<()> },
    Status { check: bool, reply: oneshot::Sender<Status> },
    Retire { reply: oneshot::Sender<Option<Retired>> },
}

/// What a retired account held.
#[derive(Debug, Clone)]
pub struct Retired {
    /// Its newest pair.
    pub record: Record,
    /// The store does not have it: why.
    pub unsaved: Option<StoreError>,
}

/// A handle on a running account.
#[derive(Debug, Clone)]
pub struct Account {
    /// What is known of it.
    pub profile: Arc<Profile>,
    /// Where its tokens are.
    pub vault: Vault,
    commands: mpsc::Sender<Command>,
}

impl Account {
    /// Runs the account whose pair is in the store.
    pub fn run(profile: Arc<Profile>, vault: Vault, places: Places) -> Self {
        Self::run_with(profile, vault, places, None)
    }

    /// Runs a retired account again, with what it held.
    pub fn revive(&self, places: Places, held: Option<Retired>) -> Self {
        Self::run_with(self.profile.clone(), self.vault.clone(), places, held)
    }

    fn run_with(profile: Arc<Profile>, vault: Vault, places: Places, held: Option<Retired>) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let server = Arc::new(Server { profile: profile.clone(), gitlab: OnceCell::new() });
        tracing::debug!(account = %profile.who(), "an account runs");
        tokio::spawn(Actor::new(server, vault.clone(), places, held).run(inbox));
        Self { profile, vault, commands }
    }

    /// A token that lives `min_life` seconds, or as long as usual.
    pub async fn get(&self, min_life: Option<i64>) -> Result<HandOut, Refusal> {
        self.ask(|reply| Command::Get { min_life, reply }).await.unwrap_or(Err(Refusal::Ending))
    }

    /// What is left of the token, for somebody who can't wait for its renewal any longer.
    pub async fn get_rest(&self) -> Option<HandOut> {
        self.ask(|reply| Command::GetRest { reply }).await.flatten()
    }

    /// git was refused with this token. Returns once it is certain not to be handed out again
    /// before the server was asked about it.
    pub async fn refused(&self, token: Secret) {
        let _ = self.ask(|reply| Command::Refused { token, reply }).await; // an ending account hands out nothing
    }

    /// How it is; with `check` after asking the server whether the token lives.
    pub async fn status(&self, check: bool) -> Option<Status> {
        self.ask(|reply| Command::Status { check, reply }).await
    }

    /// Ends the account's task after the work that runs is done and saved, and takes its pair.
    /// Nothing is forgotten or revoked.
    pub async fn retire(&self) -> Option<Retired> {
        self.ask(|reply| Command::Retire { reply }).await.flatten()
    }

    /// The server as this account reaches it, for the last words of a retired account.
    pub async fn gitlab(&self, record: &Record) -> GitLab {
        connect(&self.profile, record).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// The server, built when it is first needed: git config is read then, once per daemon.
#[derive(Debug)]
struct Server {
    profile: Arc<Profile>,
    gitlab: OnceCell<GitLab>,
}

impl Server {
    async fn gitlab(&self, record: &Record) -> &GitLab {
        self.gitlab.get_or_init(|| connect(&self.profile, record)).await
    }
}

async fn connect(profile: &Profile, record: &Record) -> GitLab {
    let network = match config::read(&profile.instance).await {
        Ok(found) => found.network.or(&profile.network),
        Err(why) => {
            tracing::warn!(account = %profile.who(), %why, "git config is unreadable; using what link saw");
            profile.network.clone()
        }
    };
    let secret = record.client_secret.clone();
    GitLab::new(profile.instance.clone(), profile.client_id.clone(), secret, profile.endpoints.clone(), network)
}
