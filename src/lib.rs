//! git-credential-gitlab: link a GitLab account once, then git just works.
//!
//! Three programs from one library. git runs `git-credential-gitlab` ([`helper`], std only) on
//! every fetch and push; people type its other verbs, which are handed to
//! `git-credential-gitlab--cli` ([`cli`]); both ask `git-credential-gitlab--daemon` ([`daemon`]),
//! the only one that ever sees a refresh token or speaks HTTP.
//!
//! Imports go downward only:
//!
//! ```text
//! helper, cli -> client -> endpoint, protocol, place -> instance, credential
//! cli, daemon -> access, absent, unreached, again -> label, rights, idn -> instance; shell
//! daemon/server -> admission; journal -> asker -> words
//! daemon/server -> link, examine, vault, accounts -> account -> renewal, notices -> schedule, lid, gitlab, store -> secret, clock
//! ```
//!
//! Each of these has one job that no other room does: only `credential` knows `=` and newline;
//! only an account's task (`daemon::account` with its `daemon::renewal`) and, while that task is
//! retired, `daemon::accounts::changes` and `daemon::accounts::encrypting` write to
//! `daemon::store`; only `daemon::gitlab` knows URLs and HTTP; `daemon::schedule` does no input or
//! output. What differs between platforms is in `endpoint`, `client`, `daemon::listener`,
//! `daemon::hardening`, `daemon::systemd`, `daemon::asker`, `daemon::notices`, `daemon::files`,
//! `daemon::link::visitor`, `daemon::store::keyring` and `daemon::store::encryption::kernel`;
//! elsewhere it is a line or two (file modes, signals, the browser).

#[cfg(any(feature = "cli", feature = "daemon"))]
pub mod absent;
pub mod access;
#[cfg(any(feature = "cli", feature = "daemon"))]
pub mod again;
pub mod client;
pub mod credential;
pub mod endpoint;
pub mod helper;
#[cfg(any(feature = "cli", feature = "daemon"))]
pub mod idn;
pub mod instance;
pub mod label;
pub mod place;
pub mod protocol;
pub mod rights;
#[cfg(any(feature = "cli", feature = "daemon"))]
pub mod shell;
#[cfg(any(feature = "cli", feature = "daemon"))]
pub mod unreached;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(all(any(test, fuzzing), feature = "cli", feature = "daemon"))]
pub mod fuzzing;
