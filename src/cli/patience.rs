//! What a person at a terminal reads while something takes long: what is waited for.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::arguments::Host;
use super::terminal::Terminal;

/// Nobody who waits less wonders; a server across the world answers several times in it.
const WONDERS_AFTER: Duration = Duration::from_secs(3);

/// Says it once, unless it is dropped before.
#[derive(Debug)]
pub(super) struct Patience(#[expect(dead_code, reason = "its end is the message")] Option<Sender<()>>);

impl Patience {
    /// While a server is waited for; `None`: any that is linked. Without a terminal nobody is there to
    /// wonder.
    pub(super) fn with_server(host: Option<&Host>, terminal: Terminal) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let host = host.map(|host| format!(" of {}", host.instance)).unwrap_or_default();
        let text = format!("still waiting for the answer{host}; Ctrl-C ends that");
        let (until, ended) = mpsc::channel::<()>();
        thread::spawn(move || {
            if ended.recv_timeout(WONDERS_AFTER) == Err(RecvTimeoutError::Timeout) {
                terminal.note(&text);
            }
        });
        Self(Some(until))
    }
}
