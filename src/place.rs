//! A place on a GitLab that an account can answer for: all of it, or what is below the path of a
//! group or project.
//!
//! Compared as GitLab does: segment by segment, without regard to ASCII case. Nothing is decoded
//! or resolved: a path that would need it is below no group.

use std::fmt;
use std::str::FromStr;

use crate::instance::Instance;

/// The path in lower case; empty for all of the GitLab. The longer of two that hold a project is
/// the nearer one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    path: String,
}

/// The text is no path of a group or project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPlace;

impl fmt::Display for NotAPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("give the path of a group or project below the GitLab, such as group/sub")
    }
}

impl std::error::Error for NotAPlace {}

impl Place {
    /// All of a GitLab.
    pub fn everywhere() -> Self {
        Self::default()
    }

    /// Whether it is all of a GitLab.
    pub fn is_everywhere(&self) -> bool {
        self.path.is_empty()
    }

    /// The place that an address in git config means on this instance.
    pub fn in_url(url: &str, instance: &Instance) -> Option<Self> {
        let below = Instance::parse(url).ok()?;
        let path = instance.rest_of(&below)?;
        if path.is_empty() { Some(Self::everywhere()) } else { path.parse().ok() }
    }

    /// The address of the place.
    pub fn url(&self, instance: &Instance) -> String {
        if self.is_everywhere() { instance.to_string() } else { format!("{instance}/{self}") }
    }

    /// Its key in git config, whose value is the name of an account.
    pub fn key(&self, instance: &Instance) -> String {
        format!("credential.{}.gitlabAccount", self.url(instance))
    }

    /// Whether a repository is here: its path as git sends it, below the instance, such as
    /// `group/app.git` or, from git-lfs, `group/app.git/info/lfs`.
    pub fn holds(&self, repository: &[u8]) -> bool {
        if self.is_everywhere() {
            return true;
        }
        let Some(project) = project(repository) else { return false };
        let rest = project.strip_prefix(self.path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    /// As a person types it, or copies it from an address.
    fn from_str(typed: &str) -> Result<Self, NotAPlace> {
        project(typed.trim().trim_matches('/').as_bytes()).map(|path| Self { path }).ok_or(NotAPlace)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// GitLab lets a path have 255 characters per group, and twenty groups; nobody does.
const LONGEST: usize = 1024;

/// The key of git config, in lower case as git prints it.
const KEY: &str = "gitlabaccount";

/// The regular expression that finds every key.
pub fn key_pattern() -> String {
    format!(r"^credential\..+\.{KEY}$")
}

/// The URL in such a key.
pub fn url_in_key(key: &str) -> Option<&str> {
    key.strip_prefix("credential.")?.strip_suffix(KEY)?.strip_suffix('.')
}

/// The path of a repository as it was sent, if it is nothing but a path: in an address that
/// somebody pasted together there may be more.
pub fn plain(repository: &[u8]) -> Option<&str> {
    project(repository)?;
    str::from_utf8(repository).ok().filter(|path| path.len() <= LONGEST)
}

/// The path of the project whose repository, wiki or LFS store this is, in lower case. (No
/// group's and no project's name ends with `.git`.)
fn project(repository: &[u8]) -> Option<String> {
    let path = str::from_utf8(repository).ok()?.to_ascii_lowercase();
    let plain = |segment: &str| {
        let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(safe)
    };
    if !path.split('/').all(plain) {
        return None;
    }
    let mut project: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        if let Some(name) = segment.strip_suffix(".git") {
            project.push(name.strip_suffix(".wiki").unwrap_or(name));
            break;
        }
        project.push(segment);
    }
    project.iter().all(|segment| plain(segment)).then(|| project.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(typed: &str) -> Place {
        typed.parse().unwrap_or_else(|_| panic!("{typed} is a place"))
    }

    #[test]
    fn a_place_holds_what_is_below_it_in_whole_segments() {
        for (typed, repository) in [
            ("group", "group/app.git"),
            ("group", "group/sub/app.git"),
            ("group/sub", "Group/SUB/app"),
            ("Group/Sub/", "group/sub/app.git/info/lfs"),
            ("group/app", "group/app.git"),
            ("group/app.git", "group/app"),
            ("group/app", "group/app.git/info/lfs/objects/batch"),
            ("group/app", "group/app.wiki.git"),
            ("group/a.b", "group/a.b.git"),
        ] {
            assert!(place(typed).holds(repository.as_bytes()), "{typed}: {repository}");
        }
        for (typed, repository) in [
            ("group", "groups/app.git"),
            ("group", "my/group/app.git"),
            ("group/sub", "group/subs/app.git"),
            ("group/sub", "group"),
            ("group/app", "group/app2.git"),
            ("group/app", "group/app-2.git"),
            ("group", ""),
        ] {
            assert!(!place(typed).holds(repository.as_bytes()), "{typed}: {repository}");
        }
    }

    #[test]
    fn a_path_that_climbs_or_hides_is_below_no_group() {
        for repository in [
            "group/../other/app.git",
            "group/./app.git",
            "group//app.git",
            "/group/app.git",
            "group/%2e%2e/other/app.git",
            "group%2fapp.git",
            "group/app.git/../../other",
            "group/app .git",
            "group/app\\..\\x.git",
            "group/\u{212a}.git",
            "group/.git",
            "group/..git",
        ] {
            assert!(!place("group").holds(repository.as_bytes()), "{repository}");
            assert!(Place::everywhere().holds(repository.as_bytes()), "{repository}");
        }
        assert!(!place("group").holds(b"group/\xff.git"));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for typed in ["", "/", "..", "group/..", "a//b", "https://h/group", "a b", "gr%6fup", "a?b", ".git", "gröup"] {
            assert_eq!(typed.parse::<Place>(), Err(NotAPlace), "{typed}");
        }
    }

    #[test]
    fn git_config_names_a_place_by_its_address() {
        let below = Instance::parse("https://h/Git/lab").expect("an address");
        for (url, path) in [
            ("https://h/Git/lab", ""),
            ("https://H:443/Git/lab/Group/sub/", "group/sub"),
            ("https://h/Git/lab/group/app.git", "group/app"),
        ] {
            assert_eq!(Place::in_url(url, &below).expect(url).to_string(), path, "{url}");
        }
        for url in ["https://h", "https://h/Git/labs/group", "http://h/Git/lab/group", "https://h:8443/Git/lab", "*"] {
            assert_eq!(Place::in_url(url, &below), None, "{url}");
        }
        let key = place("Group/sub").key(&below);
        assert_eq!(key, "credential.https://h/Git/lab/group/sub.gitlabAccount");
        assert_eq!(url_in_key(&key.replace("A", "a")), Some("https://h/Git/lab/group/sub"));
    }

    /// Group, project: what GitLab takes for a name.
    fn name() -> impl Strategy<Value = String> {
        "[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}[A-Za-z0-9_]".prop_filter("reserved", |name| {
            let name = name.to_ascii_lowercase();
            ![".git", ".wiki"].iter().any(|end| name.ends_with(end))
        })
    }

    proptest! {
        /// The rule, said once more in another way: the names agree one by one as far as the
        /// place goes, whatever their case, and whatever git and git-lfs put behind the last.
        #[test]
        fn names_are_compared_one_by_one(
            names in prop::collection::vec(name(), 1..5),
            others in prop::collection::vec(name(), 1..5),
            depth in 1usize..5,
            upper: bool,
            behind in prop::sample::select(vec!["", ".git", ".GIT", ".git/info/lfs", ".wiki.git"]),
        ) {
            let depth = depth.min(names.len());
            let here = place(&names[..depth].join("/"));
            let repository = |names: &[String]| {
                let path = names.join("/") + behind;
                if upper { path.to_ascii_uppercase() } else { path }
            };
            prop_assert!(here.holds(repository(&names).as_bytes()));
            let same = |(a, b): (&String, &String)| a.eq_ignore_ascii_case(b);
            let agree = others.len() >= depth && others.iter().zip(&names[..depth]).all(same);
            prop_assert_eq!(here.holds(repository(&others).as_bytes()), agree);
        }

        #[test]
        fn any_bytes_are_compared_without_panic(typed: String, repository: Vec<u8>) {
            if let Ok(found) = typed.parse::<Place>() {
                found.holds(&repository);
                prop_assert!(found.holds(found.to_string().as_bytes()));
                prop_assert_eq!(found.to_string().parse::<Place>(), Ok(found));
            }
        }
    }
}
