//! Who answers where, in the person's git config: `credential.URL.gitlabAccount`.
//!
//! The URL is that of the GitLab, or of a group or project there. For the latter git has to tell
//! its helpers the path of a repository, which it does only with `useHttpPath`.

use std::collections::BTreeSet;

use super::call::{Reply, SOON};
use super::error::Error;
use super::git_config::{Git, GitError, Scope};
use super::helper_list::Edit;
use super::terminal::Terminal;
use crate::client::{CallError, Start};
use crate::instance::Instance;
use crate::place::Place;
use crate::protocol::{self, action};

/// The choices on one GitLab.
pub(super) struct Choices {
    instance: Instance,
    git: Git,
    terminal: Terminal,
}

/// One line of the person's git config.
struct Choice {
    /// As it is written there, which may differ from how we would.
    key: String,
    place: Place,
    name: String,
}

impl Choices {
    pub(super) fn on(instance: &Instance, terminal: Terminal) -> Self {
        Self { instance: instance.clone(), git: Git::new(terminal), terminal }
    }

    /// Lets an account answer for a place, and no other.
    pub(super) fn set(&self, place: &Place, label: &str) -> Result<(), Error> {
        let key = place.key(&self.instance);
        let written = self.written()?;
        let others = written.iter().filter(|it| it.place == *place && it.key != key).map(|it| it.key.as_str());
        for other in others.collect::<BTreeSet<_>>() {
            self.git.edit(Scope::Global, other, &Edit::RemoveAll)?;
        }
        self.git.set(Scope::Global, &key, label)?;
        if !place.is_everywhere() {
            self.send_paths()?;
        }
        Ok(())
    }

    /// Takes back that an account answers for a place; false if it does not.
    pub(super) fn remove(&self, place: &Place, label: &str) -> Result<bool, Error> {
        self.remove_all(label, |chosen| chosen == place)
    }

    /// Takes back everything that an account answers for; false if there is nothing.
    pub(super) fn forget(&self, label: &str) -> Result<bool, Error> {
        self.remove_all(label, |_| true)
    }

    fn remove_all(&self, label: &str, wanted: impl Fn(&Place) -> bool) -> Result<bool, Error> {
        let mut choices = self.written()?;
        choices.retain(|choice| wanted(&choice.place));
        // Of several lines for a place the last one counts.
        let is_its = |choice: &&Choice| {
            let last = choices.iter().rfind(|other| other.place == choice.place);
            last.is_some_and(|last| last.name.eq_ignore_ascii_case(label))
        };
        let taken: Vec<&Choice> = choices.iter().filter(is_its).collect();
        for key in taken.iter().map(|choice| choice.key.as_str()).collect::<BTreeSet<_>>() {
            self.git.edit(Scope::Global, key, &Edit::RemoveAll)?;
        }
        if taken.iter().any(|choice| !choice.place.is_everywhere()) {
            self.stop_sending_paths()?;
        }
        Ok(!taken.is_empty())
    }

    /// A user name in git's config that goes before what is chosen for a place.
    pub(super) fn username_in_the_way(&self, place: &Place) -> Result<Option<String>, GitError> {
        self.git.value_for("credential.username", &place.url(&self.instance), None)
    }

    fn written(&self) -> Result<Vec<Choice>, GitError> {
        self.choices(Some(Scope::Global))
    }

    fn choices(&self, scope: Option<Scope>) -> Result<Vec<Choice>, GitError> {
        let here = |(url, name): (String, String)| {
            let place = Place::in_url(&url, &self.instance)?;
            Some(Choice { key: format!("credential.{url}.gitlabAccount"), place, name })
        };
        Ok(self.git.accounts(scope)?.into_iter().filter_map(here).collect())
    }

    /// The key that makes git tell helpers the path, and ours, which remembers that we set it.
    fn path_keys(&self) -> [String; 2] {
        ["useHttpPath", "gitlabSetHttpPath"].map(|name| format!("credential.{}.{name}", self.instance))
    }

    fn send_paths(&self) -> Result<(), Error> {
        let url = self.instance.to_string();
        if self.git.value_for("credential.useHttpPath", &url, Some("--bool"))?.as_deref() == Some("true") {
            return Ok(());
        }
        for key in self.path_keys() {
            self.git.set(Scope::Global, &key, "true")?;
        }
        self.terminal.note(&format!(
            "git now tells its helpers for {url} the path of each repository (useHttpPath), because the account depends \
             on it; a helper beside ours would keep a password per repository from now on"
        ));
        Ok(())
    }

    /// If it was us who began, and nobody needs it any more.
    fn stop_sending_paths(&self) -> Result<(), Error> {
        let [_, marker] = &self.path_keys();
        let needed = self.choices(None)?.iter().any(|choice| !choice.place.is_everywhere());
        if needed || self.git.values(Scope::Global, marker)?.is_empty() {
            return Ok(());
        }
        for key in self.path_keys() {
            self.git.edit(Scope::Global, &key, &Edit::RemoveAll)?;
        }
        self.terminal.note(&format!(
            "git no longer tells its helpers for {} the path of each repository (useHttpPath)",
            self.instance
        ));
        Ok(())
    }
}

/// Lets a daemon that runs read git's config again.
pub(super) fn tell_daemon(terminal: Terminal) -> Result<(), Error> {
    let told = Reply::to(&protocol::request(action::USE), Start::Never, SOON).and_then(|mut reply| reply.good_block());
    match told {
        Ok(_) | Err(Error::Call(CallError::Absent(_))) => Ok(()),
        Err(why) => {
            terminal.say("git's config is changed; to let the daemon know: git credential-gitlab daemon restart");
            Err(why)
        }
    }
}
