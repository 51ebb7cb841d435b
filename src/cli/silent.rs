//! Asking a daemon that may be silent.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::accounts::Accounts;
use super::error::Error;
use crate::client::{CallError, Start};

/// What std does not limit: a connect to a daemon that takes nobody in any more, once its queue is full.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);

/// Asks for the accounts, and comes back whatever the daemon does.
pub(super) fn accounts_within(start: Start, within: Duration) -> Result<Accounts, Error> {
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || drop(sender.send(Accounts::ask_within(None, false, start, within))));
    answer.recv_timeout(within + CONNECTED_WITHIN).unwrap_or_else(|_| Err(CallError::Silent(within).into()))
}
