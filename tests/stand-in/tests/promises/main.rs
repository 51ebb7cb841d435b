//! What the stand-in promises, one test per fact of the contract.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod api;
mod authorize;
mod ban;
mod code;
mod control;
mod device;
mod faults;
mod git;
mod info;
mod lfs;
mod personal_tokens;
mod program;
mod refresh;
mod support;
