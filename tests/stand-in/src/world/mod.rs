//! Everything the stand-in remembers, behind one lock.
//!
//! GitLab answers from one database; the stand-in answers from one [`World`]. Each request is
//! decided while the lock is held, so two refreshes that arrive together are serialised exactly
//! as Doorkeeper's row lock serialises them (contract §1.5).

mod applications;
mod calendar;
mod clock;
mod deploy_tokens;
mod lfs;
mod modes;
mod people;
mod personal_tokens;
mod projects;
mod scopes;
mod tokens;

pub(crate) use applications::{AppId, StoredApplication};
pub use applications::{Application, Registered};
pub(crate) use calendar::{DAY, date, date_and_time, day, midnight};
pub(crate) use clock::Clock;
pub use deploy_tokens::DeployToken;
pub(crate) use deploy_tokens::StoredDeployToken;
pub(crate) use lfs::{Lfs, Lock};
pub use modes::Modes;
pub(crate) use people::{Session, User};
pub use people::{UserFlag, UserId};
pub(crate) use personal_tokens::StoredPersonalToken;
pub use personal_tokens::{AccessToken, PersonalToken};
pub(crate) use projects::{Project, Start};
pub use projects::{Role, Visibility};
pub(crate) use scopes::Scopes;
pub use tokens::Pair;
pub(crate) use tokens::{Challenge, Code, DeviceGrant, PairRow};

use crate::{fault::Fault, git::Bans, log::Request};
use std::{
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// A setup that cannot be: the library panics with it, the control interface answers 400.
#[derive(Debug)]
pub(crate) struct Unusable(pub(crate) String);

/// Where the server lives: what it puts before every path it prints.
pub(crate) struct Site {
    /// `http://127.0.0.1:40000`, without a path.
    pub(crate) origin: String,
    /// `/gitlab`, or empty for an installation at the root.
    pub(crate) base_path: String,
    /// The server's private directory.
    pub(crate) home: PathBuf,
}

impl Site {
    /// The absolute address of `path` on this installation.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.base_path)
    }

    /// Where an object of LFS is kept, whichever projects have it.
    pub(crate) fn lfs_object(&self, oid: &str) -> PathBuf {
        self.home.join("lfs").join(oid)
    }

    /// The bare repository of a project.
    pub(crate) fn repository(&self, project: u64) -> PathBuf {
        self.home.join("repositories").join(format!("{project}.git"))
    }
}

/// The state of one server.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) clock: Clock,
    pub(crate) modes: Modes,
    pub(crate) users: Vec<User>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) applications: Vec<StoredApplication>,
    pub(crate) codes: Vec<Code>,
    pub(crate) pairs: Vec<PairRow>,
    pub(crate) device_grants: Vec<DeviceGrant>,
    pub(crate) personal_tokens: Vec<StoredPersonalToken>,
    pub(crate) deploy_tokens: Vec<StoredDeployToken>,
    pub(crate) projects: Vec<Project>,
    /// Who has which role where: a project's path, or a group's.
    pub(crate) roles: Vec<(UserId, String, Role)>,
    /// The same through groups that projects are shared with: `permissions` does not show them (§3).
    pub(crate) shared_roles: Vec<(UserId, String, Role)>,
    pub(crate) lfs: Lfs,
    pub(crate) bans: Bans,
    pub(crate) faults: Vec<Fault>,
    pub(crate) log: Vec<Request>,
    secrets: Vec<String>,
    last_id: u64,
}

impl World {
    pub(crate) fn new(site: Site) -> Self {
        Self {
            site,
            clock: Clock::default(),
            modes: Modes::default(),
            users: Vec::new(),
            sessions: Vec::new(),
            applications: Vec::new(),
            codes: Vec::new(),
            pairs: Vec::new(),
            device_grants: Vec::new(),
            personal_tokens: Vec::new(),
            deploy_tokens: Vec::new(),
            projects: Vec::new(),
            roles: Vec::new(),
            shared_roles: Vec::new(),
            lfs: Lfs::default(),
            bans: Bans::default(),
            faults: Vec::new(),
            log: Vec::new(),
            secrets: Vec::new(),
            last_id: 0,
        }
    }

    /// The next number of a database row; ids never repeat, not even after a deletion.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A fresh secret of 64 hexadecimal characters, the shape of GitLab's tokens (contract §1.4).
    pub(crate) fn mint(&mut self) -> String {
        let secret = random_hex();
        self.remember_secret(&secret);
        secret
    }

    /// Adds to the list that tests grep logs with.
    pub(crate) fn remember_secret(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// Every secret ever handed out, dead ones included.
    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }
}

/// 32 random bytes in hexadecimal.
pub(crate) fn random_hex() -> String {
    random_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes from the operating system.
pub(crate) fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}

/// The world, the lock around it, and the bell that rings whenever the log changes.
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) changed: Condvar,
}

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self { world: Mutex::new(world), changed: Condvar::new() }
    }

    /// Locks the world. A test that panicked while holding it must not hide its own message
    /// behind a second panic, so poisoning is ignored.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
