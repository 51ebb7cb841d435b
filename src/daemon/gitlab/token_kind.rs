//! The tokens that people make by hand, told apart by how they begin and whose they are.

use serde::{Deserialize, Serialize};

use crate::instance::Instance;

/// What a deploy token begins with, since GitLab 16.7.
const DEPLOY_PREFIX: &str = "gldt-";

/// The user name of a deploy token begins so, unless its maker chose another.
const DEPLOY_USERNAME: &str = "gitlab+deploy-token-";

/// What else GitLab hands out and git can't use, by how it begins (GitLab's "Token prefixes").
const OTHERS: [(&str, &str); 13] = [
    ("gloas-", "the secret of an OAuth application"),
    ("glrt-", "a runner's token"),
    ("glrtr-", "a runner's token"),
    ("GR1348941", "a token to register runners"),
    ("glcbt-", "the token of a CI/CD job, which ends with the job"),
    ("glptt-", "a pipeline trigger token"),
    ("glft-", "a feed token"),
    ("glimt-", "a token for incoming mail"),
    ("glagent-", "a token of the agent for Kubernetes"),
    ("glwt-", "a workspace's token"),
    ("glsoat-", "a SCIM token"),
    ("glffct-", "a feature flags client's token"),
    ("_gitlab_session=", "a browser's cookie"),
];

/// What kind of token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// A person's.
    Personal,
    /// A project's: it acts as a bot.
    Project,
    /// A group's: it acts as a bot.
    Group,
    /// For repositories alone, with a user name of its own, and unknown to the API.
    Deploy,
}

impl TokenKind {
    /// The kind of a token, by the name of the user that it acts as.
    pub fn of_user(username: &str) -> Self {
        let is_bot = |kind: &str| {
            let rest = username.strip_prefix(kind).and_then(|rest| rest.strip_prefix('_'));
            let rest = rest.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            rest.is_some_and(|rest| rest == "_bot" || rest.starts_with("_bot_"))
        };
        match () {
            () if is_bot("project") => TokenKind::Project,
            () if is_bot("group") => TokenKind::Group,
            () => TokenKind::Personal,
        }
    }

    /// Whether it is a deploy token, by how it begins or what it is called.
    pub fn is_deploy(token: &str, username: Option<&str>) -> bool {
        begins_with(token, DEPLOY_PREFIX) || username.is_some_and(|name| name.starts_with(DEPLOY_USERNAME))
    }

    /// The word in `status --json`.
    pub fn word(self) -> &'static str {
        match self {
            TokenKind::Personal => "personal",
            TokenKind::Project => "project",
            TokenKind::Group => "group",
            TokenKind::Deploy => "deploy",
        }
    }

    /// The same for people, without the article.
    pub fn name(self) -> &'static str {
        match self {
            TokenKind::Personal => "personal access token",
            TokenKind::Project => "project access token",
            TokenKind::Group => "group access token",
            TokenKind::Deploy => "deploy token",
        }
    }

    /// Where a person makes and revokes such tokens: the end of a sentence.
    pub fn place(self, instance: &Instance) -> String {
        match self {
            TokenKind::Personal => instance.page("/-/user_settings/personal_access_tokens"),
            TokenKind::Project => "Settings, Access tokens of its project".into(),
            TokenKind::Group => "Settings, Access tokens of its group".into(),
            TokenKind::Deploy => "Settings, Repository, Deploy tokens of its project or group".into(),
        }
    }
}

/// What a text is, if it is certainly no token that git could use.
pub fn no_token_for_git(text: &str) -> Option<&'static str> {
    let other = OTHERS.iter().find(|(prefix, _)| begins_with(text, prefix)).map(|(_, name)| *name);
    // Access and refresh tokens look the same.
    let is_oauth = || text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    other.or_else(|| is_oauth().then_some("an OAuth token, which ends or changes within two hours"))
}

/// Whether a token begins so. An instance may have a prefix of its own before GitLab's
/// (`acme-glrt-`); in the tokens for git the same characters can be mere chance.
fn begins_with(token: &str, prefix: &str) -> bool {
    let Some(at) = token.find(prefix) else { return false };
    let before = &token[..at];
    at == 0 || before.ends_with('-') && !before.contains("glpat-") && !before.contains(DEPLOY_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_are_known_by_their_names() {
        for (username, kind) in [
            ("project_123_bot_4ffca233d8298ea1", TokenKind::Project),
            ("project_123_bot", TokenKind::Project),
            ("group_7_bot_f00", TokenKind::Group),
            ("alice", TokenKind::Personal),
            ("project_alice_bot", TokenKind::Personal),
            ("project_1_bottle", TokenKind::Personal),
            ("group_1", TokenKind::Personal),
        ] {
            assert_eq!(TokenKind::of_user(username), kind, "{username}");
        }
    }

    #[test]
    fn what_is_pasted_by_mistake_is_named() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, named) in [
            ("glrt-x", Some("a runner's token")),
            ("glrtr-x", Some("a runner's token")),
            ("acme-glft-x", Some("a feed token")),
            ("glpat-x", None),
            ("glpat-ab-glft-x", None),
            ("Zx9glft-aaaaaaaaaaaa", None),
            ("gldt-x", None),
            ("Zx9_aaaaaaaaaaaaaaaa", None),
            (&hex, Some("an OAuth token, which ends or changes within two hours")),
            (&hex[1..], None),
        ] {
            assert_eq!(no_token_for_git(text), named, "{text}");
        }
    }

    #[test]
    fn a_deploy_token_is_known_by_its_beginning_or_its_name() {
        assert!(TokenKind::is_deploy("gldt-x", None) && TokenKind::is_deploy("acme-gldt-x", Some("builder")));
        assert!(TokenKind::is_deploy("Zx9_aaaaaaaaaaaaaaaa", Some("gitlab+deploy-token-7")));
        assert!(!TokenKind::is_deploy("glpat-x", Some("alice")) && !TokenKind::is_deploy("glpat-x", None));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_looked_at_without_panic(text: String) {
            no_token_for_git(&text);
            TokenKind::is_deploy(&text, Some(&text));
            TokenKind::of_user(&text);
        }
    }
}
