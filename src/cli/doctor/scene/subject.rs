//! Which GitLabs and repositories a person means.

use std::process::{Command, Stdio};

use crate::cli::accounts::Account;
use crate::cli::doctor::remote::{Named, Purpose, Remote, remotes, rewritten};
use crate::cli::error::Error;
use crate::cli::git_config::Git;
use crate::instance::Instance;
use crate::protocol::{Code, Failure};

/// More remotes than a repository has, and fewer than would flood a server.
const MOST_REMOTES: usize = 8;

/// A repository or GitLab that is looked at.
pub(super) struct Subject {
    /// The remote in the repository here that has this address.
    pub(super) name: Option<Named>,
    /// The address as it is written; none for a GitLab.
    pub(super) url: Option<String>,
    pub(super) instance: Option<Instance>,
    pub(super) remote: Remote,
    /// What git makes of the address (`insteadOf`).
    pub(super) effective: Remote,
    /// The branch that is checked out here, if it would be pushed there.
    pub(super) branch: Option<String>,
}

/// What is to be looked at.
pub(super) struct Subjects {
    pub(super) found: Vec<Subject>,
    /// Remotes here whose hosts nobody knows to be a GitLab.
    pub(super) passed_over: Vec<Subject>,
}

/// What is named; else the remotes here that are for a GitLab; else all that is linked.
pub(super) fn subjects(wanted: Option<&str>, known: &[Account], here: &Git) -> Result<Subjects, Error> {
    let mut linked: Vec<Instance> = known.iter().filter_map(Account::instance).collect();
    linked.dedup();
    // A broken config is a finding, not the end.
    let lines = here.lines().unwrap_or_default();
    let remotes = remotes(&lines);
    let current = if remotes.is_empty() { None } else { current_branch() };
    let subject = |name: Option<Named>, written: &str| {
        let remote = Remote::parse(written);
        // Whom git asks is decided by the address that it makes of it.
        let effective = Remote::parse(&rewritten(written, &lines, false).0);
        // Who is led away to ssh means the GitLab that is written.
        let first = if matches!(effective, Remote::Ssh { .. }) { &remote } else { &effective };
        let instance = instance_of(first, &linked).or_else(|| instance_of(&remote, &linked));
        let has_path = !matches!(&remote, Remote::Web { path, origin, .. } if is_base(origin, path, &linked));
        let url = has_path.then(|| written.to_owned());
        let branch = name.as_ref().filter(|named| named.purpose != Purpose::Fetch).and(current.clone());
        Subject { name, url, instance, remote, effective, branch }
    };
    let all = || remotes.iter().map(|(named, url)| subject(Some(named.clone()), url));
    if let Some(word) = wanted {
        let mut found: Vec<Subject> = all().filter(|it| it.name.as_ref().is_some_and(|it| it.name == word)).collect();
        if found.is_empty() {
            let typed = Remote::parse(word);
            // The address of a remote here can be changed here.
            found.push(all().find(|it| it.remote == typed).unwrap_or_else(|| subject(None, word)));
        }
        return match found[0].remote {
            Remote::Other if found[0].name.is_none() => {
                let text = "that is neither a remote here nor an address of a GitLab, such as https://gitlab.com/group/app.git";
                Err(Failure::new(Code::Usage, text).into())
            }
            _ => Ok(Subjects { found, passed_over: Vec::new() }),
        };
    }
    let is_for_gitlab = |subject: &Subject| {
        let is_linked = subject.instance.as_ref().is_some_and(|instance| linked.contains(instance));
        is_linked || subject.remote.looks_like_gitlab()
    };
    let mut different: Vec<Subject> = Vec::new();
    for subject in all().filter(|subject| subject.remote != Remote::Other) {
        if !different.iter().any(|other| other.url == subject.url) {
            different.push(subject);
        }
    }
    let (mut found, mut passed_over): (Vec<_>, Vec<_>) = different.into_iter().partition(is_for_gitlab);
    found.truncate(MOST_REMOTES);
    passed_over.truncate(MOST_REMOTES);
    // Who has a GitLab and something else beside it knows that.
    match found.is_empty() {
        true => found.extend(linked.into_iter().map(|instance| {
            let remote = Remote::parse(&instance.to_string());
            let (instance, effective) = (Some(instance), remote.clone());
            Subject { name: None, url: None, instance, effective, remote, branch: None }
        })),
        false => passed_over.clear(),
    }
    Ok(Subjects { found, passed_over })
}

/// The branch that is checked out here.
fn current_branch() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["symbolic-ref", "--quiet", "--short", "HEAD"]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = git.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned()).filter(|branch| !branch.is_empty())
}

/// Whether an address is that of a GitLab and not of a repository there.
fn is_base(origin: &Instance, path: &str, linked: &[Instance]) -> bool {
    let base = |instance: &Instance| origin.rest_of(instance) == Some(path);
    path.is_empty() || linked.iter().any(base) || !path.contains('/')
}

/// The GitLab that an address is for: of those that are linked, the one with the longest base.
fn instance_of(remote: &Remote, linked: &[Instance]) -> Option<Instance> {
    match remote {
        Remote::Web { origin, path, .. } => {
            let (url, authority) = (origin.to_string(), origin.authority());
            let scheme = url.split("://").next().unwrap_or_default();
            let covers =
                |instance: &&Instance| instance.covers(scheme.as_bytes(), authority.as_bytes(), Some(path.as_bytes()));
            let nearest = linked.iter().filter(covers).max_by_key(|instance| instance.base_path().len());
            // A person may mean the base of a GitLab below a path.
            let typed = || {
                Instance::parse(&format!("{origin}/{path}")).ok().filter(|_| !path.is_empty() && !path.contains('/'))
            };
            nearest.cloned().or_else(typed).or_else(|| Some(origin.clone()))
        }
        Remote::Ssh { host, .. } => {
            let name = |instance: &&Instance| instance.authority().split(':').next() == Some(host.as_str());
            linked.iter().find(name).cloned().or_else(|| Instance::parse(host).ok())
        }
        Remote::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(typed: &str) -> Instance {
        Instance::parse(typed).expect(typed)
    }

    #[test]
    fn the_nearest_linked_gitlab_is_meant() {
        let linked = [instance("h"), instance("h/git"), instance("other")];
        for (typed, meant) in [
            ("https://h/git/group/app.git", Some("https://h/git")),
            ("https://h/group/app.git", Some("https://h")),
            ("https://alice@h/group/app.git", Some("https://h")),
            ("git@other:group/app.git", Some("https://other")),
            ("https://new.example/group/app.git", Some("https://new.example")),
            ("https://new.example/gitlab", Some("https://new.example/gitlab")),
            ("/srv/app.git", None),
        ] {
            let found = instance_of(&Remote::parse(typed), &linked);
            assert_eq!(found.map(|found| found.to_string()).as_deref(), meant, "{typed}");
        }
    }
}
