//! Sets of OAuth scopes.

use super::Unusable;
use std::fmt;

/// The scopes GitLab defines. An application or a request naming any other is refused.
const KNOWN: &[&str] = &[
    "api",
    "read_api",
    "read_user",
    "create_runner",
    "manage_runner",
    "k8s_proxy",
    "self_rotate",
    "mcp",
    "read_repository",
    "write_repository",
    "read_registry",
    "write_registry",
    "read_virtual_registry",
    "write_virtual_registry",
    "read_observability",
    "write_observability",
    "ai_features",
    "sudo",
    "admin_mode",
    "read_service_ping",
    "openid",
    "profile",
    "email",
];

/// An ordered set of scopes, written with spaces between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<String>);

impl Scopes {
    /// The names of all scopes there are.
    pub(crate) fn all_names() -> &'static [&'static str] {
        KNOWN
    }

    pub(crate) fn parse(text: &str) -> Self {
        text.split_whitespace().collect()
    }

    /// What a test or script names; a scope GitLab does not have is a mistake in the test.
    pub(crate) fn known<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Unusable> {
        let scopes: Self = names.into_iter().collect();
        let known = scopes.all_known();
        known.then_some(scopes).ok_or_else(|| Unusable("GitLab has no such scope".to_owned()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|own| own == scope)
    }

    pub(crate) fn contains_any(&self, scopes: &[&str]) -> bool {
        scopes.iter().any(|scope| self.contains(scope))
    }

    pub(crate) fn within(&self, others: &Self) -> bool {
        self.0.iter().all(|scope| others.contains(scope))
    }

    pub(crate) fn common(&self, others: &Self) -> Self {
        Self(self.0.iter().filter(|scope| others.contains(scope)).cloned().collect())
    }

    /// Equal as sets: the order in which they were asked for is of no account.
    pub(crate) fn same(&self, others: &Self) -> bool {
        self.within(others) && others.within(self)
    }

    pub(crate) fn all_known(&self) -> bool {
        self.0.iter().all(|scope| KNOWN.contains(&scope.as_str()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(scopes: I) -> Self {
        let mut set = Self::default();
        for scope in scopes {
            if !set.contains(scope) {
                set.0.push(scope.to_owned());
            }
        }
        set
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
