//! What a person calls a project: its path, or an address of it.
//!
//! The same reads the remote of a clone that is there already.

use std::fmt;

use super::layout::{self, Unfit};
use crate::instance::Instance;

/// A project or a group, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Where it is; none for a path alone.
    pub(super) instance: Option<Instance>,
    /// The user name in the address.
    pub(super) user: Option<String>,
    /// Without slashes around it, and without `.git`.
    pub(super) path: String,
}

/// Why a text names no project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotNamed {
    /// It is an address of no GitLab that is linked: of this host.
    Elsewhere(String),
    /// No project has such a path.
    Unfit(Unfit),
}

impl fmt::Display for NotNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotNamed::Elsewhere(host) => {
                write!(f, "{host} is not linked; to link it: git credential-gitlab link {host}")
            }
            NotNamed::Unfit(why) => write!(f, "{why}"),
        }
    }
}

/// Reads a path, a web address, or a clone address of one of the GitLabs that are linked.
pub(super) fn read(typed: &str, linked: &[Instance]) -> Result<Named, NotNamed> {
    let typed = typed.trim();
    if let Some((scheme, rest)) = typed.split_once("://") {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (user.split(':').next().filter(|user| !user.is_empty()), host),
            None => (None, authority),
        };
        return match scheme.to_ascii_lowercase().as_str() {
            // Its user is the same for everybody, and its port says nothing about the GitLab's.
            "ssh" | "git+ssh" => over_ssh(host.split(':').next().unwrap_or(host), path, linked),
            _ => on_web(&format!("{scheme}://{host}"), path, user, linked),
        };
    }
    let first = typed.split('/').next().unwrap_or_default();
    // As ssh and scp have it.
    if let Some((before, path)) = typed.split_once(':')
        && let Some((_, host)) = before.split_once('@').filter(|_| !before.contains('/'))
    {
        return over_ssh(host, path, linked);
    }
    if let Some(instance) = linked.iter().find(|instance| instance.authority().eq_ignore_ascii_case(first)) {
        let url = instance.to_string();
        let origin = &url[..url.len() - instance.base_path().len()];
        return on_web(origin, &typed[first.len()..], None, linked);
    }
    Ok(Named { instance: None, user: None, path: project(typed)? })
}

/// What was typed, for showing: an address may have a password in it.
pub(super) fn without_password(typed: &str) -> String {
    let hidden = || {
        let (scheme, rest) = typed.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}://{name}@{host}{path}"))
    };
    hidden().unwrap_or_else(|| typed.to_owned())
}

/// An address for showing: a password may stand in it.
pub(super) fn without_user(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some(format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default()))
}

/// `https://host/base/group/app.git`, or a page of a project.
fn on_web(origin: &str, path: &str, user: Option<&str>, linked: &[Instance]) -> Result<Named, NotNamed> {
    let elsewhere = || NotNamed::Elsewhere(origin.trim_start_matches("https://").into());
    let here = Instance::parse(origin).map_err(|_| elsewhere())?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let same = |instance: &&Instance| {
        let root = instance.to_string();
        root.strip_suffix(instance.base_path()) == Some(&here.to_string())
    };
    let below = |instance: &Instance| -> Option<String> {
        let rest = path.strip_prefix(instance.base_path())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    };
    let found = linked.iter().filter(same).filter_map(|instance| Some((instance, below(instance)?)));
    let (instance, rest) = found.max_by_key(|(instance, _)| instance.base_path().len()).ok_or_else(elsewhere)?;
    Ok(Named { instance: Some(instance.clone()), user: user.map(str::to_owned), path: project(&rest)? })
}

/// `git@host:group/app.git`: whose key it is, we don't ask; the project is the same.
fn over_ssh(host: &str, path: &str, linked: &[Instance]) -> Result<Named, NotNamed> {
    let found = linked.iter().find(|instance| instance.host().eq_ignore_ascii_case(host));
    let instance = found.ok_or_else(|| NotNamed::Elsewhere(host.into()))?;
    Ok(Named { instance: Some(instance.clone()), user: None, path: project(path)? })
}

/// The path, of a page below the project too.
fn project(path: &str) -> Result<String, NotNamed> {
    let path = path.trim_matches('/');
    let path = path.split("/-/").next().unwrap_or(path).trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    layout::check(path).map_err(NotNamed::Unfit)?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked() -> Vec<Instance> {
        let all = ["gitlab.example", "https://h:8443/git/lab", "http://127.0.0.1:1234", "https://h:8443"];
        all.iter().map(|typed| Instance::parse(typed).expect(typed)).collect()
    }

    #[test]
    fn a_project_is_known_by_every_address_that_people_copy() {
        for (typed, instance, user, path) in [
            ("group/app", None, None, "group/app"),
            (" /group/sub/app.git/ ", None, None, "group/sub/app"),
            ("https://gitlab.example/group/app", Some(0), None, "group/app"),
            ("HTTPS://GitLab.Example:443/Group/app.git", Some(0), None, "Group/app"),
            ("https://gitlab.example/group/app/-/tree/main/src?ref=x#L1", Some(0), None, "group/app"),
            ("https://bob@gitlab.example/group/app.git", Some(0), Some("bob"), "group/app"),
            ("https://bob:secret@gitlab.example/group/app.git", Some(0), Some("bob"), "group/app"),
            ("gitlab.example/group/app", Some(0), None, "group/app"),
            ("git@gitlab.example:group/app.git", Some(0), None, "group/app"),
            ("ssh://git@gitlab.example:2222/group/app.git", Some(0), None, "group/app"),
            ("https://h:8443/git/lab/group/app", Some(1), None, "group/app"),
            ("https://h:8443/git/labs/app", Some(3), None, "git/labs/app"),
            ("127.0.0.1:1234/group/app", Some(2), None, "group/app"),
        ] {
            let linked = linked();
            let named = read(typed, &linked).unwrap_or_else(|why| panic!("{typed}: {why}"));
            let expected = instance.map(|at: usize| linked[at].clone());
            assert_eq!((named.instance, named.user.as_deref(), named.path.as_str()), (expected, user, path), "{typed}");
        }
    }

    #[test]
    fn an_address_of_another_host_is_told_with_the_host() {
        for (typed, host) in [
            ("https://other.example/group/app", "other.example"),
            ("http://gitlab.example/group/app", "http://gitlab.example"),
            ("https://gitlab.example:444/group/app", "gitlab.example:444"),
            ("git@other.example:group/app", "other.example"),
            ("https://gitlab.example@evil.example/group/app", "evil.example"),
        ] {
            assert_eq!(read(typed, &linked()), Err(NotNamed::Elsewhere(host.into())), "{typed}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (typed, shown) in [
            ("https://bob:hunter2@h/group/app", "https://bob@h/group/app"),
            ("https://bob:a@hunter2@h/x", "https://bob@h/x"),
            ("https://bob@h:8443/x", "https://bob@h:8443/x"),
            ("https://h:8443/x@y:z", "https://h:8443/x@y:z"),
            ("group/app", "group/app"),
        ] {
            assert_eq!(without_password(typed), shown);
        }
    }

    #[test]
    fn what_climbs_or_steers_is_no_project() {
        for typed in
            ["", "/", "../x", "group/../..", "group//app", "-x/app", "group/a\u{1b}b", "https://gitlab.example/"]
        {
            assert!(matches!(read(typed, &linked()), Err(NotNamed::Unfit(_))), "{typed:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(typed in "\\PC{0,60}") {
            if let Ok(named) = read(&typed, &linked()) {
                proptest::prop_assert!(layout::check(&named.path).is_ok());
            }
        }
    }
}
