//! The server's idea of now, which tests push forward instead of sleeping.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall clock plus what [`crate::StandIn::advance_clock`] added.
///
/// A moment is the time since the Unix epoch; fractions matter, because the first second of a
/// token is special (contract §1.5).
#[derive(Default)]
pub(crate) struct Clock {
    ahead: Duration,
}

impl Clock {
    pub(crate) fn now(&self) -> Duration {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        real + self.ahead
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }
}
