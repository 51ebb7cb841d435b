//! From the path of a project to its directories, for paths that come from a server which may
//! be hostile: what GitLab would never name a project is refused, nothing is repaired.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::part;

/// File systems take 255 bytes for a name, and so does GitLab.
const LONGEST_NAME: usize = 255;

/// GitLab nests groups twenty deep.
const DEEPEST: usize = 21;

/// Why a path can't become directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// There is nothing in it.
    Empty,
    /// A part of it that is no name of a group or project.
    Name(String),
    /// It has more parts than any project's.
    Deep,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Empty => f.write_str("that is no path of a project; give one such as group/app"),
            Unfit::Name(name) => write!(f, "{name:?} is no name of a group or project, so no directory is made for it"),
            Unfit::Deep => f.write_str("that path is deeper than any project's"),
        }
    }
}

/// Whether every part of the path is a name that GitLab gives and that is harmless everywhere.
pub(super) fn check(path: &str) -> Result<(), Unfit> {
    if path.is_empty() {
        return Err(Unfit::Empty);
    }
    if path.split('/').count() > DEEPEST {
        return Err(Unfit::Deep);
    }
    match path.split('/').find(|name| !is_safe(name) || (cfg!(windows) && is_device(name))) {
        Some(name) => Err(Unfit::Name(name.chars().take(LONGEST_NAME).collect())),
        None => Ok(()),
    }
}

/// GitLab's own rule: letters, digits, `_`, `-` and `.`, no `-` in front, no `.` at the end, not
/// ending in `.git`. That leaves out separators, control characters, `..`, and whatever a file
/// system or a shell reads in its own way. And none may look like what we tidy away.
fn is_safe(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let lower = name.to_ascii_lowercase();
    !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !lower.ends_with(".git")
        && !part::is_name(name)
}

/// What Windows takes for a device, with any ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = |port: &str| stem.strip_prefix(port).is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']));
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

/// The directories of a path that was checked.
pub(super) fn directories(path: &str) -> PathBuf {
    path.split('/').collect()
}

/// For each project in turn, why it can't have its directory beside the others: two that differ
/// only in case would be one on many disks, and one inside another would be a part of it.
pub(super) fn collisions(paths: &[&str]) -> Vec<Option<String>> {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for (at, path) in paths.iter().enumerate() {
        first.entry(path.to_ascii_lowercase()).or_insert(at);
    }
    let collision = |(at, path): (usize, &&str)| {
        let lower = path.to_ascii_lowercase();
        let same = first[&lower];
        if same != at {
            return Some(format!("its directory would be that of another project, {}", paths[same]));
        }
        let above = lower.match_indices('/').find_map(|(slash, _)| first.get(&lower[..slash]));
        above.map(|above| format!("its directory would be inside another project, {}", paths[*above]))
    };
    paths.iter().enumerate().map(collision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_gitlab_gives_become_directories() {
        for path in ["group/app", "a", "g/.dot/_x/a.b-c_d", "G/App.net", "g/con.fig2", &"x".repeat(255)] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        assert_eq!(directories("group/sub/app"), PathBuf::from("group").join("sub").join("app"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for path in [
            "..",
            ".",
            "group/..",
            "group/../../x",
            "/etc/cron.d",
            "group//app",
            "group/app/",
            "C:/x",
            "group\\..\\x",
            "~/x",
            "$HOME/x",
            "group/.git",
            "group/.GIT",
            "group/app.git/hooks",
            "group/git~1",
            "group/-x",
            "group/app.",
            "group/app ",
            "group/a\nb",
            "group/a\u{1b}[2Jb",
            "group/a\u{202e}b",
            "group/\u{ff0e}\u{ff0e}",
            "group/.g\u{200c}it",
            "group/.app.part-1-2",
            "a:b",
            "a*",
            &"x".repeat(256),
        ] {
            assert!(matches!(check(path), Err(Unfit::Name(_))), "{path:?}");
        }
        assert_eq!(check(""), Err(Unfit::Empty));
        assert_eq!(check(&["x"; 22].join("/")), Err(Unfit::Deep));
    }

    #[test]
    fn devices_of_windows_are_known() {
        for name in ["con", "NUL", "aux.txt", "Com1", "lpt9.a.b"] {
            assert!(is_device(name), "{name}");
        }
        for name in ["console", "com", "com0", "com10", "nulls", "a.con"] {
            assert!(!is_device(name), "{name}");
        }
    }

    #[test]
    fn of_those_that_collide_the_first_stays() {
        let found = collisions(&["g/app/lib", "g/App", "g/app", "g/ap", "other", "g/App/x"]);
        let inside = Some("its directory would be inside another project, g/App".to_owned());
        let same = Some("its directory would be that of another project, g/App".to_owned());
        assert_eq!(found, [inside.clone(), None, same, None, None, inside]);
    }

    proptest::proptest! {
        #[test]
        fn directories_stay_below(path: String) {
            if check(&path).is_ok() {
                let directories = directories(&path);
                let normal = |part| matches!(part, std::path::Component::Normal(_));
                proptest::prop_assert!(directories.components().all(normal));
                proptest::prop_assert_eq!(directories.components().count(), path.split('/').count());
            }
        }
    }
}
