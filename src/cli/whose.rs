//! Which account a command is for.

use crate::helper::ACCOUNT_VARIABLE;

/// The one that the command line names, else the environment, as it does for git: a program that
/// was given a weaker account gets no other by asking another way. None: the default.
pub(super) fn account(named: Option<&str>) -> Option<String> {
    let in_environment = || std::env::var(ACCOUNT_VARIABLE).ok().filter(|name| !name.is_empty());
    named.map(str::to_owned).or_else(in_environment)
}
