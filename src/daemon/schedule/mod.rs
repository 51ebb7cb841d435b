//! When to serve a token, when to renew it, when to doubt it, and when to give up.
//!
//! Pure: it is told what happened and what time it is, and says what to do. Nothing here reads a
//! clock, waits, or talks to anyone, so every promise about time can be tested as a table.
//!
//! A refresh kills the access token at the server at once, under the feet of any git command
//! that still uses it, and git does not retry after a 401. So a renewal never comes earlier than
//! it must: when somebody asks and too little life is left, or near the token's end in a quiet
//! moment. With a spare login it never comes earlier at all: see [`turns`].

mod login;
#[cfg(test)]
mod model_tests;
mod rotation;
#[cfg(test)]
mod rotation_tests;
mod trouble;
pub mod turns;

use super::clock::Timestamp;
pub use login::{MIN_LIFE, Schedule};
pub use rotation::{next_end, warning};

/// What comes after a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// Nothing.
    None,
    /// Its refresh token buys the next pair: as often as one likes, and once more after an answer
    /// was lost.
    Refreshed,
    /// It is itself exchanged for the next one, once: with a token that was exchanged already,
    /// GitLab revokes all that came of it. So after an answer was lost the server is asked whether
    /// the token lives, and if it does not, that was its end.
    Rotated,
}

/// What to do for somebody who asks for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Hand out the token.
    Serve,
    /// Ask the server whether the token is alive, then ask again here.
    Verify,
    /// Renew, then ask again here.
    Renew,
    /// There is nothing to hand out now.
    Refuse(Reason),
}

/// Why there is nothing to hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Only the person can help.
    Relink(Ended),
    /// It failed; who asks again then starts another try.
    Failed(String, Timestamp),
    /// The server does not take the refresh token, which may pass; as before.
    Disbelieved(String, Timestamp),
    /// The server refuses our tokens again and again; nothing is sent until then.
    Paused(Timestamp),
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The server refuses the refresh token, and goes on refusing it.
    #[error("{0}")]
    Refused(String),
    /// The server spent the refresh token, and nobody has what it gave for it.
    #[error("the server renewed it, but its answer was lost at {}", .0.clock_time())]
    AnswerLost(Timestamp),
    /// A token that can't be renewed was revoked.
    #[error("the server has revoked the token")]
    Revoked,
    /// A token came to its end that was not renewed.
    #[error("the token expired at {}", .0.date_and_time())]
    Expired(Timestamp),
    /// git was refused with a token that the server can't be asked about. It is handed out all the
    /// same: who refused it may not have been the server.
    #[error("git was refused with it at {}, and such a token can't be asked about", .0.clock_time())]
    Disbelieved(Timestamp),
}
