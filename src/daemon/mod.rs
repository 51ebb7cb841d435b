//! The daemon: the only program that sees refresh tokens and speaks HTTP.
//!
//! Its life: harden, lock, listen, say `ok`, serve, drain. See the map in the crate's root for
//! the rooms below.

mod account;
mod accounts;
mod admission;
mod asker;
mod clock;
mod config;
mod examine;
mod fault;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gitlab;
mod hardening;
mod journal;
mod lid;
mod link;
mod listener;
mod log;
mod notices;
mod places;
mod profile;
mod renewal;
mod reply;
mod repos;
mod schedule;
mod secret;
mod server;
mod store;
mod systemd;
mod vault;
mod words;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use accounts::Accounts;
use journal::Journal;
use listener::{Lead, Start};
use places::Places;
use server::Server;

use crate::client::READY;
use crate::endpoint::{Endpoint, NoEndpoint, make_private};

/// A daemon without accounts is of no use; the next command starts another.
const IDLE: Duration = Duration::from_secs(60);

/// Less than a client waits for a daemon to start, which it does when ours can't be found.
const IN_PLACE_POLL: Duration = Duration::from_secs(2);

/// A renewal may wait 45 s for its lease, 30 s for its answer, and twice 5 s for the store: it is
/// let through, because its answer is the only copy of a pair. (systemd kills after 90 s.)
const DRAIN_WITHIN: Duration = Duration::from_secs(88);

/// How the daemon is to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Stay in the terminal, and log there.
    pub foreground: bool,
    /// The socket that whoever starts us will ask.
    pub socket: Option<PathBuf>,
}

/// Why the daemon can't run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// There is nowhere to listen.
    #[error(transparent)]
    NoEndpoint(#[from] NoEndpoint),
    /// There is nowhere to keep state.
    #[error("no home directory: set HOME")]
    NoHome,
    /// The system says why.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs until told to end, or until another daemon turns out to serve already.
pub fn run(options: &Options) -> Result<(), DaemonError> {
    let passed = systemd::listen_fd();
    hardening::begin(!options.foreground, passed);
    let endpoint = match &options.socket {
        Some(path) => Endpoint::at(path.clone())?,
        None => Endpoint::find()?,
    };
    let places = Places::find().ok_or(DaemonError::NoHome)?;
    for directory in [places.state(), &places.accounts(), &places.tokens(), &places.notices()] {
        let named = |why: io::Error| io::Error::new(why.kind(), format!("{}: {why}", directory.display()));
        make_private(directory).map_err(named)?;
    }
    let log = log::begin(&places, options.foreground)?;
    match listener::start(&endpoint, places.state(), passed)? {
        Start::Follow => {
            say_ready();
            Ok(())
        }
        Start::Lead(lead) => {
            // One thread: every wait is somebody else's, and the keyring has its own.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let socket = endpoint.path.display().to_string();
            runtime.block_on(live(lead, places, socket, || {
                systemd::notify_ready();
                say_ready();
                if options.foreground { Ok(()) } else { hardening::let_go_of_output(log.as_ref()) }
            }))?;
            // A keyring call that hangs must not keep us.
            runtime.shutdown_background();
            Ok(())
        }
    }
}

/// Whoever started us may have given up waiting.
fn say_ready() {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{READY}").and_then(|()| stdout.flush());
}

async fn live(lead: Lead, places: Places, socket: String, ready: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let listener = lead.listen()?;
    let journal = Arc::new(Journal::at(places.journal()));
    let accounts = Arc::new(Accounts::new(places));
    let server = Server::new(accounts.clone(), journal.clone(), socket);
    ready()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "ready");
    tokio::select! {
        () = server.serve(&listener) => {}
        () = server.stopped() => tracing::info!("asked to end"),
        () = terminated() => tracing::info!("terminated"),
        () = idle(&accounts, &server) => tracing::info!("nothing is linked"),
        () = displaced(&lead) => tracing::warn!("the socket was taken away"),
    }
    // Nobody can take our place before we have ended; whoever asks meanwhile is kept waiting here, and
    // turns to the next daemon when their connection ends with this one.
    tokio::select! {
        () = server.serve(&listener) => {}
        drained = tokio::time::timeout(DRAIN_WITHIN, accounts.retire_all()) => if drained.is_err() {
            tracing::warn!("an account did not finish in time");
        },
    }
    lead.close(listener);
    journal.close();
    tracing::info!("ended");
    Ok(())
}

/// Returns when clients can't find this daemon any more.
async fn displaced(lead: &Lead) {
    while lead.is_in_place() {
        tokio::time::sleep(IN_PLACE_POLL).await;
    }
}

/// Returns when nothing was linked, nobody connected, and no browser awaited, for a while.
async fn idle(accounts: &Accounts, server: &Server) {
    loop {
        tokio::time::sleep(IDLE).await;
        if accounts.list(None, None).is_empty() && server.is_idle() && !link::is_open() {
            return;
        }
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn terminated() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_daemon_with_nothing_linked_ends() {
        let directory = tempfile::tempdir().expect("a directory");
        let endpoint = Endpoint::at(directory.path().join("git-credential-gitlab/socket")).expect("short enough");
        let Start::Lead(lead) = listener::start(&endpoint, directory.path(), None).expect("free") else {
            panic!("nobody else is there")
        };
        let listener = lead.listen().expect("free");
        let accounts = Arc::new(Accounts::new(Places::at(directory.path())));
        let journal = Arc::new(Journal::at(directory.path().join("journal")));
        let server = Server::new(accounts.clone(), journal, String::new());
        tokio::select! {
            () = server.serve(&listener) => panic!("nobody asked it to end"),
            () = idle(&accounts, &server) => {}
        }
        lead.close(listener);
        assert!(!endpoint.path.exists());
    }
}
