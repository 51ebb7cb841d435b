//! Which GitLabs and repositories a person means.

use crate::cli::accounts::Account;
use crate::cli::doctor::remote::{Remote, rewritten};
use crate::cli::error::Error;
use crate::cli::git_config::Git;
use crate::instance::Instance;
use crate::protocol::{Code, Failure};

/// More remotes than a repository has, and fewer than would flood a server.
const MOST_REMOTES: usize = 8;

/// A repository or GitLab that is looked at.
pub(super) struct Subject {
    /// The remote's name in the repository here.
    pub(super) name: Option<String>,
    /// The address as it is written; none for a GitLab.
    pub(super) url: Option<String>,
    pub(super) instance: Option<Instance>,
    pub(super) remote: Remote,
    /// What git makes of the address (`insteadOf`).
    pub(super) effective: Remote,
}

/// What is to be looked at: what is named; else the remotes here that are for a GitLab; else all
/// that is linked.
pub(super) fn subjects(wanted: Option<&str>, known: &[Account], here: &Git) -> Result<Vec<Subject>, Error> {
    let mut linked: Vec<Instance> = known.iter().filter_map(Account::instance).collect();
    linked.dedup();
    // A broken config is a finding, not the end.
    let (remotes, lines) = (here.remotes().unwrap_or_default(), here.lines().unwrap_or_default());
    let subject = |name: Option<String>, written: &str| {
        let remote = Remote::parse(written);
        // Whom git asks is decided by the address that it makes of it.
        let effective = Remote::parse(&rewritten(written, &lines, false).0);
        // Who is led away to ssh means the GitLab that is written.
        let first = if matches!(effective, Remote::Ssh { .. }) { &remote } else { &effective };
        let instance = instance_of(first, &linked).or_else(|| instance_of(&remote, &linked));
        let has_path = !matches!(&remote, Remote::Web { path, origin, .. } if is_base(origin, path, &linked));
        Subject { name, url: has_path.then(|| written.to_owned()), instance, remote, effective }
    };
    if let Some(word) = wanted {
        if let Some((name, url)) = remotes.iter().find(|(name, _)| name == word) {
            return Ok(vec![subject(Some(name.clone()), url)]);
        }
        let subject = subject(None, word);
        return match subject.remote {
            Remote::Other => {
                let text = "that is neither a remote here nor an address of a GitLab, such as https://gitlab.com/group/app.git";
                Err(Failure::new(Code::Usage, text).into())
            }
            _ => Ok(vec![subject]),
        };
    }
    let is_for_gitlab = |subject: &Subject| {
        let is_linked = subject.instance.as_ref().is_some_and(|instance| linked.contains(instance));
        subject.remote != Remote::Other && (is_linked || subject.remote.looks_like_gitlab())
    };
    let mut found: Vec<Subject> = Vec::new();
    for (name, url) in remotes {
        let subject = subject(Some(name), &url);
        if is_for_gitlab(&subject) && !found.iter().any(|other| other.url == subject.url) {
            found.push(subject);
        }
    }
    found.truncate(MOST_REMOTES);
    if found.is_empty() {
        let all = linked.into_iter().map(|instance| {
            let remote = Remote::parse(&instance.to_string());
            Subject { name: None, url: None, instance: Some(instance), effective: remote.clone(), remote }
        });
        found.extend(all);
    }
    Ok(found)
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
