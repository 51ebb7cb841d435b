//! Settings that differ between installations and versions.

use std::{collections::BTreeMap, time::Duration};

/// How this installation is set up. Change it with [`crate::StandIn::configure`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Modes {
    /// Which GitLab this is. Only what personal access tokens can do by themselves depends on it:
    /// look at themselves since 15.5, revoke since 15.4, rotate since 16.10 (§3).
    pub version: (u16, u16),
    /// Before mid-2024 git accepted an OAuth token only with the user name `oauth2` (§2.1).
    pub require_oauth2_username: bool,
    /// Off: a failed git login gets its 401 *without* a challenge (§2.2, the
    /// `MissingPersonalAccessTokenError` path), and account passwords never work.
    pub git_passwords: bool,
    /// Admins see a "forbidden" page for applications with powerful scopes (§1.3).
    pub disable_admin_oauth_scopes: bool,
    /// Off: `/oauth/authorize_device` is a 404, as before 17.2 (§1.7).
    pub device_grant: bool,
    /// Whether a *confidential* application skips consent the second time; versions differ
    /// (§1.3, §8).
    pub confidential_skips_consent: bool,
    /// The life of rows made by a login from now on; `None` makes rows that never expire, as
    /// possible before 15.0 (§5). Refreshed rows inherit the old row's life (§8).
    pub token_lifetime: Option<Duration>,
    /// Leaves `expires_in` out of token answers although the token does expire.
    pub omit_expires_in: bool,
    /// For how long git and the API do not know a new access token yet: GitLab's replicas can lag
    /// through a token's first second (§1.5).
    pub unseen_for: Duration,
    /// Something in front of GitLab lets only requests with this header through, name and value.
    /// (People sign in there in another way, so the pages for them stay open.)
    pub gateway: Option<(String, String)>,
    /// Off: LFS is switched off for the whole installation, and answers 501.
    pub lfs: bool,
    /// Groups that demand a live SAML session for git, with the address the refusal prints (§2.2).
    pub sso_enforced: BTreeMap<String, String>,
    /// Old paths of renamed projects that GitLab still remembers, with the new ones: git and the
    /// API are redirected from there, with a 301.
    pub moved: BTreeMap<String, String>,
    /// For how many requests of git the storage of a project is away still: GitLab answers 503 where
    /// Gitaly does not (§2.2), and serves the projects on its other storages.
    pub storage_away: BTreeMap<String, u32>,
    /// Only maintainers may push to the default branch, as GitLab sets up new projects. It shows in
    /// the API alone; git is not stopped.
    pub protected_default_branch: bool,
    /// Branches besides the default one, to which only maintainers can push.
    pub protected_branches: Vec<String>,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            version: (19, 0),
            require_oauth2_username: false,
            git_passwords: true,
            disable_admin_oauth_scopes: false,
            device_grant: true,
            confidential_skips_consent: true,
            token_lifetime: Some(Duration::from_secs(7200)),
            omit_expires_in: false,
            unseen_for: Duration::ZERO,
            gateway: None,
            lfs: true,
            sso_enforced: BTreeMap::new(),
            moved: BTreeMap::new(),
            storage_away: BTreeMap::new(),
            protected_default_branch: false,
            protected_branches: Vec::new(),
        }
    }
}
