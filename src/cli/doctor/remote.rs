//! The address of a repository as a person or git's config has it.
//!
//! It may have a password in it, so it is taken apart at once, and only what is no secret is shown.

use super::finding::Finding;
use crate::cli::git_config::Line;
use crate::instance::Instance;
use crate::shell::quoted;

/// Where many repositories are that no GitLab has.
const FOREIGN: [&str; 5] = ["github.com", "bitbucket.org", "codeberg.org", "dev.azure.com", "ssh.dev.azure.com"];

/// An address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remote {
    /// git asks its helpers for it.
    Web {
        /// Scheme, host and port.
        origin: Instance,
        username: Option<String>,
        has_password: bool,
        /// Without slashes around it; empty if only a GitLab is meant.
        path: String,
    },
    /// git uses keys, and asks no helper.
    Ssh { host: String, path: String },
    /// A directory, or something else that is no GitLab.
    Other,
}

/// What git does with one address of a remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Both,
    /// It pushes to the other one.
    Fetch,
    /// `remote.NAME.pushurl`
    Push,
}

/// A remote of the repository here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) purpose: Purpose,
}

impl Named {
    /// The command that gives it another address.
    pub(super) fn set_url(&self, url: &str) -> String {
        let push = if self.purpose == Purpose::Push { "--push " } else { "" };
        format!("git remote set-url {push}{} {}", quoted(&self.name), quoted(url))
    }
}

/// The remotes of the repository here, with each of their addresses as it is written.
pub(super) fn remotes(lines: &[Line]) -> Vec<(Named, &str)> {
    let name = |line: &Line, end: &str| line.key.strip_prefix("remote.")?.strip_suffix(end).map(str::to_owned);
    let pushes_elsewhere = |url: &Line, wanted: &str| {
        let mut own = lines.iter().filter(|line| name(line, ".pushurl").is_some_and(|name| name == wanted)).peekable();
        own.peek().is_some() && own.all(|line| line.value != url.value)
    };
    let remote = |line| match (name(line, ".url"), name(line, ".pushurl")) {
        (Some(name), _) if pushes_elsewhere(line, &name) => Some(Named { name, purpose: Purpose::Fetch }),
        (Some(name), _) => Some(Named { name, purpose: Purpose::Both }),
        (None, Some(name)) => Some(Named { name, purpose: Purpose::Push }),
        (None, None) => None,
    };
    lines.iter().filter_map(|line| Some((remote(line)?, line.value.as_str()))).collect()
}

impl Remote {
    pub(super) fn parse(typed: &str) -> Self {
        let typed = typed.trim();
        let Some((scheme, rest)) = typed.split_once("://") else { return Self::without_scheme(typed) };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let path = path.trim_matches('/').to_owned();
        match scheme.to_ascii_lowercase().as_str() {
            scheme @ ("https" | "http") => {
                let Ok(origin) = Instance::parse(&format!("{scheme}://{host}")) else { return Self::Other };
                let (name, password) = user.map_or(("", None), |user| {
                    user.split_once(':').map_or((user, None), |(name, password)| (name, Some(password)))
                });
                let username = Some(name.to_owned()).filter(|name| !name.is_empty());
                Self::Web { origin, username, has_password: password.is_some(), path }
            }
            "ssh" | "git+ssh" | "ssh+git" => {
                let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
                Self::Ssh { host: host.to_owned(), path }
            }
            _ => Self::Other,
        }
    }

    /// `git@host:group/app.git`, or a host as people type it.
    fn without_scheme(typed: &str) -> Self {
        let is_local = typed.starts_with(['/', '.', '~']) || typed.contains('\\') || typed.is_empty();
        if is_local {
            return Self::Other;
        }
        let before_path = typed.split('/').next().unwrap_or_default();
        if let Some((host, path)) = typed.split_once(':')
            && before_path.contains(':')
            && !path.starts_with(|c: char| c.is_ascii_digit())
        {
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            return Self::Ssh { host: host.to_owned(), path: path.trim_matches('/').to_owned() };
        }
        match before_path.contains('.') || before_path.starts_with("localhost") {
            true => Self::parse(&format!("https://{typed}")),
            false => Self::Other,
        }
    }

    /// As it may be shown.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Web { origin, path, .. } if path.is_empty() => origin.to_string(),
            Self::Web { origin, path, .. } => format!("{origin}/{path}"),
            Self::Ssh { host, path } => format!("ssh://{host}/{path}"),
            Self::Other => "an address that is no GitLab's".into(),
        }
    }

    /// With the user name, which decides what of git's config counts, and without the password.
    pub(super) fn without_password(&self) -> String {
        match self {
            Self::Web { username: Some(name), .. } => self.shown().replacen("://", &format!("://{name}@"), 1),
            _ => self.shown(),
        }
    }

    /// The address with which git would ask its helpers. ssh has a port of its own, and no base path.
    pub(super) fn over_https(&self, instance: &Instance) -> Option<String> {
        match self {
            Self::Ssh { path, .. } => Some(format!("{instance}/{path}")),
            _ => None,
        }
    }

    /// The host that is asked.
    pub(super) fn host(&self) -> Option<String> {
        match self {
            Self::Web { origin, .. } => Some(origin.authority()),
            Self::Ssh { host, .. } => Some(host.clone()),
            Self::Other => None,
        }
    }

    /// Whether it looks like a GitLab: by its name, as far as that goes.
    pub(super) fn looks_like_gitlab(&self) -> bool {
        self.host().is_some_and(|host| host.contains("gitlab"))
    }
}

/// `remote`: one that is not looked at, because nothing says that it is a GitLab's.
pub(super) fn passed_over(named: &Named, remote: &Remote) -> Finding {
    let host = remote.host().unwrap_or_default();
    match FOREIGN.contains(&host.as_str()) {
        true => Finding::skip(format!("{} is no GitLab", host)),
        false => Finding::warn(format!("{host} is not linked, so the remote {} was not looked at", named.name))
            .fix(format!("git credential-gitlab doctor {}", quoted(&named.name))),
    }
}

/// What git makes of an address: the longest `insteadOf` that it begins with is replaced; for a
/// push the longest `pushInsteadOf` goes before that. The second is the line that did it.
pub(super) fn rewritten<'l>(url: &str, lines: &'l [Line], push: bool) -> (String, Option<&'l Line>) {
    let longest = |end: &str| {
        let fits = |line: &&Line| {
            let is_rule = line.key.starts_with("url.") && line.key.ends_with(end);
            is_rule && !line.value.is_empty() && url.starts_with(line.value.as_str())
        };
        lines.iter().filter(fits).max_by_key(|line| line.value.len())
    };
    let rule = longest(".pushinsteadof").filter(|_| push).map(|line| (line, ".pushinsteadof"));
    let Some((line, end)) = rule.or_else(|| longest(".insteadof").map(|line| (line, ".insteadof"))) else {
        return (url.to_owned(), None);
    };
    let base = line.key.strip_prefix("url.").and_then(|key| key.strip_suffix(end)).unwrap_or_default();
    (format!("{base}{}", &url[line.value.len()..]), Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_its_password_is_not_shown() {
        for (typed, shown) in [
            ("https://alice:hunter2@gitlab.example/group/app.git", "https://gitlab.example/group/app.git"),
            ("https://gitlab.example:8443/", "https://gitlab.example:8443"),
            ("gitlab.example/group/app", "https://gitlab.example/group/app"),
            ("gitlab.example:8443", "https://gitlab.example:8443"),
            ("git@gitlab.example:group/app.git", "ssh://gitlab.example/group/app.git"),
            ("ssh://git@gitlab.example:2222/group/app.git", "ssh://gitlab.example/group/app.git"),
            ("/srv/git/app.git", "an address that is no GitLab's"),
            ("../app", "an address that is no GitLab's"),
            ("origin", "an address that is no GitLab's"),
            ("https://b\u{1b}d/x", "an address that is no GitLab's"),
        ] {
            assert_eq!(Remote::parse(typed).shown(), shown, "{typed}");
        }
        let Remote::Web { username, has_password, .. } = Remote::parse("https://alice:hunter2@h/x") else {
            panic!("web")
        };
        assert_eq!((username.as_deref(), has_password), (Some("alice"), true));
        assert_eq!(Remote::parse("https://alice:hunter2@h/x").without_password(), "https://alice@h/x");
    }

    #[test]
    fn git_rewrites_by_the_longest_rule() {
        let line = |key: &str, value: &str| Line { origin: "file:/c".into(), key: key.into(), value: value.into() };
        let lines = [
            line("url.git@gitlab.example:.insteadof", "https://gitlab.example/"),
            line("url.https://mirror.example/.insteadof", "https://gitlab.example/group/"),
            line("url.ssh://git@gitlab.example/.pushinsteadof", "https://gitlab.example/"),
        ];
        let url = |url: &str, push| rewritten(url, &lines, push).0;
        assert_eq!(url("https://gitlab.example/a/b.git", false), "git@gitlab.example:a/b.git");
        assert_eq!(url("https://gitlab.example/group/b.git", false), "https://mirror.example/b.git");
        assert_eq!(url("https://gitlab.example/group/b.git", true), "ssh://git@gitlab.example/group/b.git");
        assert_eq!(url("https://other.example/b.git", true), "https://other.example/b.git");
    }

    proptest::proptest! {
        #[test]
        fn any_address_is_taken_apart_without_panic(typed in "\\PC{0,60}") {
            Remote::parse(&typed).shown();
        }
    }
}
