//! What a token may do, by its scopes, as git's users think of it.

/// Read everything, push and pull: what a person does every day, and nothing that changes their
/// account.
pub const EVERYDAY: &str = "read_api write_repository";

/// Enough for clone and fetch, and for us to know who you are.
pub const READING: &str = "read_api read_repository";

/// The command that gives an account the scopes it lacks. Without them a link that is made again
/// has those of the one before.
pub fn link_with_scopes(link: &str, read_only: bool) -> String {
    format!("{link} --scopes \"{}\"", if read_only { READING } else { EVERYDAY })
}

/// Clone and fetch, push, and what goes beyond git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Everything that its person may do.
    everything: bool,
    fetch: bool,
    push: bool,
    list: bool,
}

impl Rights {
    /// The rights that GitLab ties to these scopes.
    pub fn of<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut rights = Self { everything: false, fetch: false, push: false, list: false };
        for scope in scopes {
            rights = match scope {
                "api" => Self { everything: true, fetch: true, push: true, list: true },
                "read_api" => Self { fetch: true, list: true, ..rights },
                "write_repository" => Self { fetch: true, push: true, ..rights },
                "read_repository" => Self { fetch: true, ..rights },
                _ => rights,
            };
        }
        rights
    }

    /// Whether git can push with it.
    pub fn push(self) -> bool {
        self.push
    }

    /// Whether git can do anything with it.
    pub fn git(self) -> bool {
        self.fetch
    }

    /// What comes behind "alice may".
    pub fn phrase(self) -> &'static str {
        match self {
            Self { everything: true, .. } => "clone, fetch and push, and everything else (the whole API)",
            Self { push: true, list: true, .. } => "clone, fetch and push, and list projects",
            Self { push: true, .. } => "clone, fetch and push",
            Self { fetch: true, .. } => "clone and fetch, not push",
            _ => "do nothing with git",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_told_as_what_git_can_do() {
        for (scopes, phrase) in [
            ("read_api write_repository", "clone, fetch and push, and list projects"),
            ("write_repository", "clone, fetch and push"),
            ("read_api read_repository", "clone and fetch, not push"),
            ("read_repository", "clone and fetch, not push"),
            ("read_user api", "clone, fetch and push, and everything else (the whole API)"),
            ("api read_api", "clone, fetch and push, and everything else (the whole API)"),
            ("read_user openid", "do nothing with git"),
            ("", "do nothing with git"),
        ] {
            let rights = Rights::of(scopes.split_whitespace());
            assert_eq!(rights.phrase(), phrase, "{scopes}");
            assert_eq!(rights.push(), phrase.contains("and push"), "{scopes}");
            assert_eq!(rights.git(), !phrase.contains("nothing"), "{scopes}");
        }
    }
}
