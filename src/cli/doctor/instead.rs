//! Which other account of the person may do what the one that git gets may not, and the command
//! that lets it.

use crate::cli::call::text;
use crate::credential::Attributes;

/// More accounts at one GitLab than a person has, and fewer than would flood it.
pub(super) const MOST_OTHERS: usize = 3;

/// What decides which account git gets, before anything that `use` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chooser {
    Nothing,
    /// It can be taken back, by this command if one is known.
    Named(Option<String>),
}

/// The other accounts.
#[derive(Debug)]
pub(super) struct Others {
    pub(super) chooser: Chooser,
    /// What each of them gets; of several, in front the one that answers once nothing is named.
    pub(super) facts: Vec<Attributes>,
    /// Whose name that is.
    pub(super) unnamed: Option<String>,
}

impl Others {
    pub(super) fn none() -> Self {
        Self { chooser: Chooser::Nothing, facts: Vec::new(), unnamed: None }
    }

    /// The name of one that may fetch, or push, and the command that lets it answer.
    pub(super) fn who_may(&self, which: &str, host: &str, project: &str) -> Option<(String, Option<String>)> {
        let able = self.facts.iter().find(|facts| facts.text(which) == Some("open"))?;
        let label = text(able, "label");
        let choose = format!("git credential-gitlab use {label} {host} --for {project}");
        let command = match self.unnamed.as_ref() == Some(&label) {
            true => self.undo(None),
            false => self.undo(Some(choose)),
        };
        Some((label, command))
    }

    /// What takes back the name that decides, and then the command.
    pub(super) fn undo(&self, then: Option<String>) -> Option<String> {
        match (&self.chooser, then) {
            (Chooser::Nothing, then) => then,
            (Chooser::Named(undo), None) => undo.clone(),
            (Chooser::Named(undo), Some(then)) => undo.as_ref().map(|undo| format!("{undo} && {then}")),
        }
    }
}

/// Whether an account lacks something there that another one may have.
pub(super) fn is_wanted(facts: &Attributes) -> bool {
    let lacks = |which: &str| matches!(facts.text(which), Some("role" | "scope" | "missing"));
    lacks("fetch") || lacks("push")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_an_account_is_taken_back_before_another_is_chosen() {
        let facts = |label: &str, push: &str| Attributes::new().with("label", label).with("push", push);
        let others = |chooser, unnamed: Option<&str>| Others {
            chooser,
            facts: vec![facts("carol", "role"), facts("bob", "open")],
            unnamed: unnamed.map(str::to_owned),
        };
        let named = || Chooser::Named(Some("unset X".into()));
        let choose = "git credential-gitlab use bob h --for group/app";
        for (others, command) in [
            (others(Chooser::Nothing, None), Some(choose.to_owned())),
            (others(named(), Some("bob")), Some("unset X".into())),
            (others(named(), Some("carol")), Some(format!("unset X && {choose}"))),
            (others(Chooser::Named(None), None), None),
        ] {
            assert_eq!(others.who_may("push", "h", "group/app"), Some(("bob".into(), command)));
        }
        assert_eq!(others(named(), None).who_may("fetch", "h", "group/app"), None);
    }
}
