//! A GitLab, as it is typed.

use std::fmt;
use std::str::FromStr;

use crate::idn;
use crate::instance::{Instance, NotAnInstance};

/// The GitLab that the person means. As typed, because that is how they know it.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Host {
    pub(in crate::cli) typed: String,
    pub(in crate::cli) instance: Instance,
}

impl FromStr for Host {
    type Err = NotAnInstance;

    fn from_str(typed: &str) -> Result<Self, NotAnInstance> {
        Ok(Self { typed: typed.trim().into(), instance: idn::parse(typed)? })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}
