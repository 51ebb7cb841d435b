//! Linking with a token that a person made.

use std::process::Stdio;
use std::time::Duration;

use gitlab_stand_in::Endpoint;

use super::{Finished, HELPER, Sandbox, Started};

/// Seconds.
pub const DAY: i64 = 24 * 3600;

/// So many days.
pub fn days(count: i64) -> Duration {
    Duration::from_secs((count * DAY).unsigned_abs())
}

/// Begins to link with a token on stdin, and with these flags.
pub fn begin_with_token(sandbox: &Sandbox, token: &str, flags: &[&str]) -> Started {
    let mut command = sandbox.command(HELPER);
    command.args(["link", sandbox.gitlab.url(), "--token-stdin", "--yes"]).args(flags).stdin(Stdio::piped());
    let mut started = Started::new(command);
    let mut typed = started.child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut typed, format!("{token}\n").as_bytes()).expect("written");
    started
}

/// Links with a token.
pub fn link_with_token(sandbox: &Sandbox, token: &str, flags: &[&str]) -> Finished {
    begin_with_token(sandbox, token, flags).finish()
}

/// A sandbox with a token of alice that lives thirty days.
pub fn linked_with_token(scopes: &str) -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let token = sandbox.gitlab.add_pat("alice", scopes, Some(days(30))).token;
    link_with_token(&sandbox, &token, &[]).succeeded();
    (sandbox, token)
}

/// How often a token was asked to be exchanged.
pub fn rotations(sandbox: &Sandbox) -> usize {
    sandbox.gitlab.count(Endpoint::Rotate)
}
