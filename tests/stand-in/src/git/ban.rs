//! The ban after too many failed Basic logins (contract §2.3).

use crate::fault::seconds;
use serde::Deserialize;
use std::{collections::HashMap, net::IpAddr, time::Duration};

/// When an address is banned, and for how long. GitLab's code says 10 failures in 60 seconds, one
/// hour; gitlab.com 300 in a minute, 15 minutes; self-managed installations have it off.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct BanLimits {
    /// The failure with this number trips the ban; it still gets its 401.
    pub failures: u32,
    /// Within this time.
    #[serde(deserialize_with = "seconds")]
    pub window: Duration,
    /// The ban's length.
    #[serde(deserialize_with = "seconds")]
    pub ban: Duration,
}

/// The state of the counter.
#[derive(Default)]
pub(crate) struct Bans {
    pub(crate) limits: Option<BanLimits>,
    /// All failures ever, for tests: successes do not reset this one.
    pub(crate) total: u32,
    counted: HashMap<IpAddr, Vec<Duration>>,
    banned: HashMap<IpAddr, Duration>,
}

impl Bans {
    /// Asked before the credential is looked at: a banned address is refused with good ones too.
    pub(crate) fn is_banned(&self, peer: IpAddr, now: Duration) -> bool {
        self.banned.get(&peer).is_some_and(|until| now < *until)
    }

    pub(crate) fn anyone_banned(&self, now: Duration) -> bool {
        self.banned.values().any(|until| now < *until)
    }

    /// Any success forgets the failures before it.
    pub(crate) fn succeeded(&mut self, peer: IpAddr) {
        self.counted.remove(&peer);
    }

    pub(crate) fn failed(&mut self, peer: IpAddr, now: Duration) {
        self.total += 1;
        let Some(limits) = self.limits else { return };
        let counted = self.counted.entry(peer).or_default();
        counted.retain(|at| now < *at + limits.window);
        counted.push(now);
        if counted.len() >= limits.failures as usize {
            self.counted.remove(&peer);
            self.banned.insert(peer, now + limits.ban);
        }
    }
}
