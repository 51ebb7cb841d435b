//! Which helpers git asks for a GitLab, given all that is set: git collects them in the order in
//! which it reads them, generic and host-scoped alike, and an empty one clears the list.
//!
//! Every helper in the list is told the credential that another one gave, so one that comes
//! after ours gets our tokens, and may write them to disk.

use super::git_config::Setting;
use super::helper_list::RESET;
use super::helper_path::is_ours;
use crate::instance::Instance;

/// What git does for one GitLab.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain<'a> {
    /// The helpers that git asks, in turn.
    pub(super) helpers: Vec<&'a Setting>,
    /// The empty value that cleared the list last.
    pub(super) cleared_by: Option<&'a Setting>,
}

impl<'a> Chain<'a> {
    /// The chain that the settings make.
    pub(super) fn of(settings: &'a [Setting], instance: &Instance) -> Self {
        let mut chain = Self { helpers: Vec::new(), cleared_by: None };
        for setting in settings {
            if !setting.pattern.as_deref().is_none_or(|pattern| matches(pattern, instance)) {
                continue;
            }
            match setting.value == RESET {
                true => chain = Self { helpers: Vec::new(), cleared_by: Some(setting) },
                false => chain.helpers.push(setting),
            }
        }
        chain
    }

    /// Whether git asks us.
    pub(super) fn asks_us(&self) -> bool {
        self.ours().is_some()
    }

    /// Our place in it.
    pub(super) fn ours(&self) -> Option<&'a Setting> {
        self.helpers.iter().rev().find(|setting| is_ours(&setting.value)).copied()
    }

    /// One that git finds on PATH by our name: whichever program that is.
    pub(super) fn by_name(&self) -> Option<&'a Setting> {
        self.strangers().find(|setting| {
            let program = setting.value.split_whitespace().next();
            program.is_some_and(|word| word == "gitlab" || word.ends_with("git-credential-gitlab"))
        })
    }

    /// Those that are told our tokens.
    pub(super) fn strangers(&self) -> impl Iterator<Item = &'a Setting> {
        self.helpers.iter().filter(|setting| !is_ours(&setting.value)).copied()
    }

    /// What of git's config thwarts our entry for the instance: a line for each, with what mends it.
    pub(super) fn warnings(&self, instance: &Instance) -> Vec<String> {
        let header = format!("[credential \"{instance}\"]");
        let Some(ours) = self.ours() else {
            let cause = self.cleared_by.map_or_else(String::new, |setting| {
                format!(
                    ", because the empty {} in {} comes later; move it above {header}",
                    setting.key(),
                    setting.file()
                )
            });
            return vec![format!("git does not ask git-credential-gitlab for {instance}{cause}")];
        };
        let warn = |stranger: &Setting| {
            let (value, key, file) = (stranger.shown(), stranger.key(), stranger.file());
            let mend = match file == ours.file() {
                true => format!("move that line above {header}"),
                false => format!("remove that line, or move it to a file that git reads before {}", ours.file()),
            };
            format!(
                "git also gives the tokens of {instance} to the helper \"{value}\" ({key} in {file}), \
                 because it comes later; {mend}"
            )
        };
        self.strangers().map(warn).collect()
    }
}

/// Whether git applies a section to any repository of the instance. As gitcredentials(7) has
/// it: each part of the pattern that is there must agree, and `*` stands for one label of a host.
fn matches(pattern: &str, instance: &Instance) -> bool {
    let url = instance.to_string();
    let (scheme, authority, path) = parts(&url);
    let (wanted_scheme, wanted_authority, wanted_path) = parts(pattern);
    let default = if scheme == Some("http") { ":80" } else { ":443" };
    let bare = |authority: &str| authority.strip_suffix(default).unwrap_or(authority).to_ascii_lowercase();
    let (host, wanted_host) = (bare(authority), bare(wanted_authority));
    let same_label = |(wanted, label): (&str, &str)| wanted == "*" || wanted == label;
    let same_host = wanted_host.is_empty()
        || (host.split('.').count() == wanted_host.split('.').count()
            && wanted_host.split('.').zip(host.split('.')).all(same_label));
    // A longer path than the base is that of some of its repositories.
    let same_path = is_below(path, wanted_path) || is_below(wanted_path, path);
    wanted_scheme.is_none_or(|wanted| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(wanted)))
        && same_host
        && same_path
}

/// Scheme, host with port, and path, without slashes at its end. A user name is left out: it may
/// be that of any request.
fn parts(url: &str) -> (Option<&str>, &str, &str) {
    let (scheme, rest) = url.split_once("://").map_or((None, url), |(scheme, rest)| (Some(scheme), rest));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (scheme, authority, path.trim_end_matches('/'))
}

fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(typed: &str) -> Instance {
        Instance::parse(typed).expect(typed)
    }

    fn setting(pattern: Option<&str>, value: &str) -> Setting {
        Setting { origin: "file:/c".into(), pattern: pattern.map(str::to_owned), value: value.into() }
    }

    fn names<'a>(chain: &Chain<'a>) -> Vec<&'a str> {
        chain.helpers.iter().map(|setting| setting.value.as_str()).collect()
    }

    const OURS: &str = "/usr/bin/git-credential-gitlab";
    const HOST: Option<&str> = Some("https://gitlab.example");

    #[test]
    fn order_decides_and_not_how_special_a_section_is() {
        let gitlab = instance("gitlab.example");
        let settings =
            [setting(None, "store"), setting(HOST, ""), setting(HOST, OURS), setting(Some("https://x"), "x")];
        assert_eq!(names(&Chain::of(&settings, &gitlab)), [OURS]);
        let settings = [setting(HOST, ""), setting(HOST, OURS), setting(None, "store")];
        let chain = Chain::of(&settings, &gitlab);
        assert_eq!(names(&chain), [OURS, "store"]);
        assert_eq!(chain.strangers().map(Setting::key).collect::<Vec<_>>(), ["credential.helper"]);
        let settings = [setting(HOST, OURS), setting(None, "")];
        let chain = Chain::of(&settings, &gitlab);
        assert_eq!((chain.ours(), chain.cleared_by), (None, Some(&settings[1])));
    }

    #[test]
    fn a_section_applies_as_git_applies_it() {
        let gitlab = instance("https://gitlab.example/git");
        for pattern in [
            "https://gitlab.example",
            "https://gitlab.example/",
            "HTTPS://GitLab.Example:443",
            "https://*.example",
            "gitlab.example",
            "https://",
            "https://alice@gitlab.example",
            "https://gitlab.example/git/",
            "https://gitlab.example/git/group/app.git",
        ] {
            assert!(matches(pattern, &gitlab), "{pattern}");
        }
        for pattern in [
            "http://gitlab.example",
            "https://example",
            "https://*.gitlab.example",
            "https://*",
            "https://gitlab.example:8443",
            "https://gitlab.example/gitea",
            "https://gitlab.example/other",
            "github.com",
        ] {
            assert!(!matches(pattern, &gitlab), "{pattern}");
        }
        assert!(matches("http://h:80", &instance("http://h")));
    }
}
