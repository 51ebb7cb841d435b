//! The promises, kept: real git, real daemons, a strict stand-in for GitLab, a home of its own for
//! each test. A file per area; the name of a test is the promise.

mod support;

mod accounts;
mod attacks;
mod bad_input;
mod browsers;
mod clients;
mod clock;
mod completing;
mod configuring;
mod daemon_life;
mod doctor;
mod doubts;
mod faults;
mod flows;
mod git_works;
mod hostile;
mod importing;
mod importing_again;
mod importing_identity;
mod importing_safely;
mod importing_seen;
mod journal;
mod keyboard;
mod keyring;
mod lfs;
mod linking;
mod linking_addresses;
mod linking_again;
mod listener;
mod memory;
mod narrow;
mod network;
mod notices;
mod pages;
mod plain;
mod read_only;
mod registering;
mod renewing;
mod repos;
mod repos_flowing;
mod rotating;
mod secrets;
mod soak;
mod spare;
mod status;
mod supply;
mod threat_model;
mod token;
mod tokens;
mod unlinking;
#[cfg(target_os = "linux")]
mod unwritable;
#[cfg(target_os = "linux")]
mod vault;
#[cfg(target_os = "linux")]
mod vault_key;
#[cfg(target_os = "linux")]
mod vault_safely;
mod words;
