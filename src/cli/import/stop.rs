//! Ctrl-C: nothing more is begun, what runs is ended, and the person hears what is done.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::cli::interrupt::{self, InForce};

/// Whether the person has had enough. Clones share one.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// One that Ctrl-C sets, and so does being asked to end, as long as that is in force. git sends
    /// us the terminal's signal a second time, so a second one means no more than the first.
    pub(super) fn on_signals() -> (Self, InForce) {
        let stop = Self::default();
        let ours = stop.clone();
        (stop, interrupt::instead(move || ours.now()))
    }

    /// Enough.
    pub(super) fn now(&self) {
        *self.0.0.lock().expect("nobody panics here") = true;
        self.0.1.notify_all();
    }

    /// Whether it is.
    pub(super) fn is_now(&self) -> bool {
        *self.0.0.lock().expect("nobody panics here")
    }

    /// Waits so long, but not beyond the end.
    pub(super) fn wait(&self, time: Duration) {
        let now = self.0.0.lock().expect("nobody panics here");
        drop(self.0.1.wait_timeout_while(now, time, |now| !*now));
    }
}
