//! One linked account: a task that owns its logins and their schedules.
//!
//! Everybody else has an [`Account`], a handle that sends commands. Because one task decides,
//! there is one renewal however many ask, and because the work is the task's own, nobody who
//! stops waiting cancels it.

mod actor;
mod login;
mod logins;
mod outcome;
mod telling;
mod work;

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::clock::Timestamp;
use super::config;
use super::gitlab::{GitLab, Network};
use super::lid::Lid;
use super::places::Places;
use super::profile::Profile;
use super::schedule::Reason;
use super::secret::Secret;
use super::store::{Kind, NotSaved, Record, Slot, StoreError, Vault};
use crate::protocol::State;
use actor::Actor;
pub use login::end_of_token;
pub use logins::Spare;
use work::Means;

/// Commands that may wait in line; a sender beyond that waits itself.
const COMMANDS: usize = 64;

/// What a person agreed to with `--allow-http`, so that nobody forgets it.
pub const CLEAR_TEXT: &str = "it has no TLS: everybody on the way can read your tokens and use them";

/// A token for git.
#[derive(Debug, Clone)]
pub struct HandOut {
    /// The password.
    pub token: Secret,
    /// Its end, if it is sure.
    pub expires_at: Option<Timestamp>,
    /// It was renewed for whoever gets it now.
    pub renewed: bool,
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
    /// Whether git would get a token that is there already.
    pub serves: bool,
    /// Whether the server refuses to renew it, and not just anything between here and there.
    pub refused: bool,
    /// How the spare login is; `None` if the person wanted none.
    pub spare: Option<Spare>,
    /// What the access token is.
    pub kind: Kind,
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
    Worked { token: Secret, reply: oneshot::Sender<()> },
    Refused { token: Secret, reply: oneshot::Sender<()> },
    Status { check: bool, reply: oneshot::Sender<Status> },
    Api { reply: oneshot::Sender<GitLab> },
    Retire { reply: oneshot::Sender<Option<Retired>> },
}

/// What a retired account held.
#[derive(Debug, Clone)]
pub struct Retired {
    /// Its logins: one or two.
    pub logins: Vec<Kept>,
}

impl Retired {
    /// The same, where the first login was overwritten by one that nobody may use: it has to be saved again.
    pub fn saved_over(mut self, by: &Record, why: &StoreError) -> Self {
        for kept in self.logins.iter_mut().filter(|kept| kept.slot == Slot::First) {
            kept.unsaved = Some(NotSaved { why: why.clone(), replaces: by.access_token.mark() });
        }
        self
    }

    /// The login in a slot.
    pub fn get(&self, slot: Slot) -> Option<&Kept> {
        self.logins.iter().find(|kept| kept.slot == slot)
    }
}

/// A login that a retired account held.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Which of the two.
    pub slot: Slot,
    /// Its newest pair.
    pub record: Record,
    /// The store does not have it: why.
    pub unsaved: Option<NotSaved>,
}

/// A handle on a running account.
#[derive(Debug, Clone)]
pub struct Account {
    /// What is known of it.
    pub profile: Arc<Profile>,
    /// Where its tokens are.
    pub vault: Vault,
    lid: Arc<Lid>,
    server: Arc<Server>,
    commands: mpsc::Sender<Command>,
}

impl Account {
    /// Runs the account whose logins are in the store. `lid`: its server's.
    pub fn run(profile: Arc<Profile>, vault: Vault, places: Places, lid: Arc<Lid>) -> Self {
        Self::run_with(profile, vault, places, lid, None)
    }

    /// Runs a retired account again, with what it held.
    pub fn revive(&self, places: Places, held: Option<Retired>) -> Self {
        self.revive_as(self.profile.clone(), places, held)
    }

    /// The same, after something was found out about it.
    pub fn revive_as(&self, profile: Arc<Profile>, places: Places, held: Option<Retired>) -> Self {
        Self::run_with(profile, self.vault.clone(), places, self.lid.clone(), held)
    }

    fn run_with(profile: Arc<Profile>, vault: Vault, places: Places, lid: Arc<Lid>, held: Option<Retired>) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let server = Arc::new(Server::new(profile.clone()));
        tracing::debug!(account = %profile.who(), "an account runs");
        let means = Means { id: profile.id(), vault: vault.clone(), places, server: server.clone() };
        tokio::spawn(Actor::new(means, lid.clone(), held).run(inbox));
        Self { profile, vault, lid, server, commands }
    }

    /// A token that lives `min_life` seconds, or as long as usual.
    pub async fn get(&self, min_life: Option<i64>) -> Result<HandOut, Refusal> {
        self.ask(|reply| Command::Get { min_life, reply }).await.unwrap_or(Err(Refusal::Ending))
    }

    /// What is left of the token, for somebody who can't wait for its renewal any longer.
    pub async fn get_rest(&self) -> Option<HandOut> {
        self.ask(|reply| Command::GetRest { reply }).await.flatten()
    }

    /// git says that the server took this token.
    pub async fn worked(&self, token: Secret) {
        let _ = self.ask(|reply| Command::Worked { token, reply }).await; // an ending account need not know
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

    /// Whether its task runs, or has not begun to end.
    pub fn runs(&self) -> bool {
        !self.commands.is_closed()
    }

    /// The server as this account reaches it, for the last words of a retired account.
    pub async fn gitlab(&self, record: &Record) -> GitLab {
        Server::new(self.profile.clone()).connect(Some(record)).await
    }

    /// The same for what needs a token alone.
    pub async fn api(&self) -> GitLab {
        match self.ask(|reply| Command::Api { reply }).await {
            Some(gitlab) => gitlab,
            None => Server::new(self.profile.clone()).connect(None).await,
        }
    }

    /// What its owner must know about the way to its server, whatever else is well.
    pub async fn warning(&self) -> Option<&'static str> {
        match self.profile.instance.has_tls() {
            true => self.server.network().await.warning(),
            false => self.profile.instance.is_clear_text().then_some(CLEAR_TEXT),
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// The server, and the way to it, which is found out when it is first needed: git config is read
/// then, and again after something has failed.
#[derive(Debug)]
struct Server {
    profile: Arc<Profile>,
    way: Mutex<Way>,
}

/// What is known of the way.
#[derive(Debug, Default)]
struct Way {
    network: Option<Arc<Network>>,
    gitlab: Option<Arc<GitLab>>,
}

impl Server {
    fn new(profile: Arc<Profile>) -> Self {
        Self { profile, way: Mutex::default() }
    }

    async fn gitlab(&self, record: &Record) -> Arc<GitLab> {
        if let Some(gitlab) = &self.way.lock().await.gitlab {
            return gitlab.clone();
        }
        let gitlab = Arc::new(self.connect(Some(record)).await);
        self.way.lock().await.gitlab.insert(gitlab).clone()
    }

    /// The person may mend what has failed, in their git config.
    async fn forget_way(&self) {
        *self.way.lock().await = Way::default();
    }

    async fn connect(&self, record: Option<&Record>) -> GitLab {
        let Profile { instance, client_id, endpoints, network: seen, .. } = &*self.profile;
        let credentials = record.and_then(|record| record.proxy_credentials.clone());
        let headers = record.map_or(&[][..], |record| &record.extra_headers);
        let seen = seen.clone().with_secrets(credentials, headers);
        let network = Network::clone(&*self.network().await).or(&seen);
        let secret = record.and_then(|record| record.client_secret.clone());
        GitLab::new(instance.clone(), client_id.clone(), secret, endpoints.clone(), network)
    }

    /// The way to it as git config has it now.
    async fn network(&self) -> Arc<Network> {
        // Held while git is asked: whoever comes meanwhile wants the same answer.
        let mut way = self.way.lock().await;
        if let Some(network) = &way.network {
            return network.clone();
        }
        let read = config::network(&self.profile.instance).await.unwrap_or_else(|why| {
            tracing::warn!(account = %self.profile.who(), %why, "git config is unreadable; using what link saw");
            Network::default()
        });
        way.network.insert(Arc::new(read)).clone()
    }
}
