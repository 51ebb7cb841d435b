//! Why a verb failed, in words for the person, and the exit code that goes with it.

use std::fmt;
use std::io;

use super::git_config::GitError;
use super::helper_path::NoHelper;
use crate::client::CallError;
use crate::protocol::{Code, Failure};

/// Why a verb failed.
#[derive(Debug)]
pub(super) enum Error {
    /// The daemon could not be asked.
    Call(CallError),
    /// The daemon said no, and why.
    Refused(Failure),
    /// The daemon's answer lacks an attribute: it is of a version that we don't know.
    Incomplete(&'static str),
    /// git's config could not be read or written.
    Git(GitError),
    /// git can't be told of our helper.
    NoHelper(NoHelper),
    /// A program of ours is not where it belongs.
    NotInstalled(&'static str),
    /// A program of ours did not run.
    NotRun(String),
    /// stdin or stdout failed.
    Terminal(io::Error),
}

impl Error {
    /// The exit code of a verb that failed so.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Error::Refused(failure) => failure.code.exit_code(),
            _ => Code::Failed.exit_code(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Call(why) => write!(f, "{why}"),
            Error::Refused(failure) => write!(f, "{failure}"),
            Error::Incomplete(key) => {
                write!(f, "the daemon's answer has no {key}; try: git credential-gitlab daemon restart")
            }
            Error::Git(why) => write!(f, "{why}"),
            Error::NoHelper(why) => write!(f, "{why}"),
            Error::NotInstalled(program) => write!(f, "{program} is not installed beside this program or on PATH"),
            Error::NotRun(why) => f.write_str(why),
            Error::Terminal(why) => write!(f, "stdin or stdout failed: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<CallError> for Error {
    fn from(why: CallError) -> Self {
        Error::Call(why)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::Refused(failure)
    }
}

impl From<GitError> for Error {
    fn from(why: GitError) -> Self {
        Error::Git(why)
    }
}

impl From<NoHelper> for Error {
    fn from(why: NoHelper) -> Self {
        Error::NoHelper(why)
    }
}
