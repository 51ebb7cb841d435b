//! How many clients are served at a time: many short questions, and few errands that take long. So
//! whatever is under way, git has a place.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at a time; the rest wait in the socket's queue. Well below the usual limit of
/// 1,024 open files.
const CONNECTIONS: usize = 512;

/// Errands at a time: a link waits for a person, a list of projects for whoever reads it. More than
/// a person and their scripts begin; each may hold a port and a few connections.
const ERRANDS: usize = 32;

/// The places for clients.
#[derive(Debug)]
pub struct Admission {
    connections: Arc<Semaphore>,
    errands: Arc<Semaphore>,
}

/// A client that was let in, until this is dropped.
#[derive(Debug)]
pub struct Visit {
    place: OwnedSemaphorePermit,
    errands: Arc<Semaphore>,
}

impl Admission {
    /// All places are free.
    pub fn new() -> Self {
        Self { connections: Arc::new(Semaphore::new(CONNECTIONS)), errands: Arc::new(Semaphore::new(ERRANDS)) }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Visit {
        let place = self.connections.clone().acquire_owned().await.expect("it is never closed");
        Visit { place, errands: self.errands.clone() }
    }

    /// Whether no client is connected, but for one place that is held for the next.
    pub fn is_idle(&self) -> bool {
        self.connections.available_permits() + 1 >= CONNECTIONS && self.errands.available_permits() == ERRANDS
    }
}

impl Visit {
    /// The client is on an errand, so its place goes to the next one. False if too many are already.
    pub fn stay(&mut self) -> bool {
        match self.errands.clone().try_acquire_owned() {
            Ok(place) => {
                self.place = place;
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn errands_leave_the_places_of_git_free() {
        let admission = Admission::new();
        let mut visits = Vec::new();
        for number in 0..2 * CONNECTIONS {
            let mut visit = admission.enter().await;
            let stays = visit.stay();
            assert_eq!(stays, number < ERRANDS);
            visits.extend(stays.then_some(visit));
        }
        assert!(!admission.is_idle());
        drop(visits);
        assert!(admission.is_idle());
    }
}
