//! A repository: who you are there, and what you may do.

use super::finding::Finding;
use super::remote::Remote;
use super::server::banned;
use crate::cli::call::{number, text};
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::Code;
use crate::shell::quoted;

/// GitLab's roles, the lowest in front; new ones may come between.
const ROLES: [(u64, &str); 8] = [
    (5, "minimal access"),
    (10, "guest"),
    (15, "planner"),
    (20, "reporter"),
    (30, "developer"),
    (40, "maintainer"),
    (50, "owner"),
    (60, "administrator"),
];

/// What was found.
pub(super) struct View {
    /// The name of the remote in the repository here.
    pub(super) name: Option<String>,
    pub(super) remote: Remote,
    /// What the daemon learnt with the account that git would get.
    pub(super) facts: Result<Attributes, (Code, String)>,
}

impl View {
    fn facts(&self) -> Result<&Attributes, Finding> {
        self.facts.as_ref().map_err(|_| Finding::skip("GitLab was not asked"))
    }

    /// The command that gives the remote another address.
    fn set_url(&self, url: &str) -> String {
        let name = self.name.as_deref().unwrap_or("origin");
        format!("git remote set-url {} {}", quoted(name), quoted(url))
    }

    /// Whose token was asked with.
    fn who(&self) -> String {
        self.facts.as_ref().map(|facts| text(facts, "label")).unwrap_or_default()
    }

    fn host(&self) -> String {
        let host = self.facts.as_ref().map(|facts| text(facts, "host")).unwrap_or_default();
        Instance::parse(&host).map_or(host, |instance| instance.short())
    }
}

/// The name of a role.
fn role_name(level: u64) -> String {
    let known = ROLES.iter().find(|(known, _)| *known == level);
    known.map_or_else(|| format!("role {level}"), |(_, name)| (*name).to_owned())
}

/// The role that GitLab's API shows, for the end of a sentence.
fn role(facts: &Attributes) -> String {
    number(facts, "access_level")
        .map_or_else(|| "whose role there is not known".into(), |level| format!("who is {} there", role_name(level)))
}

/// `address`
pub(super) fn address(view: &View) -> Finding {
    match &view.remote {
        Remote::Web { has_password: true, origin, path, .. } => Finding::warn(
            "the address has a password in it: git uses that one, never asks us, and shows it to every program",
        )
        .fix(view.set_url(&format!("{origin}/{path}"))),
        Remote::Web { .. } => Finding::ok("git asks its helpers for it"),
        Remote::Ssh { .. } => {
            let finding = Finding::warn("git uses ssh and keys there, and never asks this program");
            match view.remote.over_https() {
                Some(url) => finding.fix(view.set_url(&url)),
                None => finding,
            }
        }
        Remote::Other => Finding::skip("that is no address of a GitLab"),
    }
}

/// `account`
pub(super) fn account(view: &View) -> Finding {
    match (&view.facts, &view.remote) {
        (_, Remote::Ssh { .. } | Remote::Other) => Finding::skip("git does not ask us"),
        (Ok(_), _) => Finding::ok(format!("git gets the token of {}", view.who())),
        (Err((code, why)), Remote::Web { origin, .. }) => {
            let link = format!("git credential-gitlab link {}", origin.short());
            Finding::fail(*code, why).fix(match code {
                Code::NotLinked | Code::Relink => link,
                Code::Locked => "git credential-gitlab vault unlock".into(),
                Code::Unsupported => "git credential-gitlab daemon restart".into(),
                _ => "git credential-gitlab status --check".into(),
            })
        }
    }
}

/// `project`
pub(super) fn project(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let (asked, now, words) = (text(facts, "project"), text(facts, "path_now"), text(facts, "api_words"));
    if !now.is_empty() {
        let visibility = text(facts, "visibility");
        let empty = if facts.flag("empty") { ", empty" } else { "" };
        return match now.eq_ignore_ascii_case(&asked) {
            true => Finding::ok(format!("{now} is there for {} ({visibility}{empty})", view.who())),
            false => Finding::warn(format!("{asked} has moved to {now}"))
                .fix(view.set_url(&format!("{}/{now}.git", text(facts, "host")))),
        };
    }
    if let Some(url) = facts.text("fetch_moved_to") {
        return Finding::warn(format!("{asked} has moved to {url}")).fix(view.set_url(&format!("{url}.git")));
    }
    if let Some(phase) = facts.text("phase") {
        return Finding::fail(Code::Unreachable, format!("GitLab was not reached ({phase}): {}", text(facts, "why")))
            .fix(format!("git credential-gitlab doctor {}", view.host()));
    }
    match number::<u16>(facts, "api_status") {
        Some(404) if facts.text("fetch") == Some("open") => Finding::ok(format!("{asked} is there")),
        Some(404) => Finding::fail(
            Code::Refused,
            format!(
                "{asked} is missing, or not for {}: GitLab says the same of both, so look for a mistake in the address, \
                 or ask its owner to add {}",
                view.who(),
                view.who()
            ),
        )
        .fix(format!("git credential-gitlab status {}", view.host())),
        Some(401) => Finding::fail(Code::Relink, format!("GitLab does not take the token of {}", view.who()))
            .fix(format!("git credential-gitlab status {} --check", view.host())),
        Some(403) if words.contains("blocked") => {
            Finding::fail(Code::Refused, format!("the account of {} is blocked (\"{words}\")", view.who()))
        }
        Some(403) => Finding::skip("the scopes of the token don't allow to ask for projects"),
        Some(429) => Finding::fail(Code::Unreachable, "GitLab wants to be asked later (429)")
            .fix("sleep 60; git credential-gitlab doctor"),
        Some(status) => Finding::skip(format!("the API answered {status}")),
        None => Finding::fail(Code::Unreachable, "GitLab took too long to answer")
            .fix(format!("git credential-gitlab doctor {}", view.host())),
    }
}

/// `single-sign-on`
pub(super) fn single_sign_on(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let answers = ["fetch", "push"];
    let Some(which) = answers.into_iter().find(|which| facts.text(which) == Some("sso")) else {
        return match facts.text("fetch") {
            Some(_) => Finding::ok("none is asked for"),
            None => Finding::skip("git was not tried"),
        };
    };
    let words = text(facts, &format!("{which}_words"));
    let at = words.split_whitespace().find(|word| word.contains("://")).unwrap_or("that GitLab");
    let text = format!(
        "the group wants you to be signed in by its single sign-on: sign in at {at} in a browser, again from time to time"
    );
    Finding::fail(Code::Relink, text).fix(format!("git credential-gitlab doctor {}", quoted(&view.remote.shown())))
}

/// `fetch`
pub(super) fn fetch(view: &View) -> Finding {
    service(view, "fetch", "reporter")
}

/// `push`
pub(super) fn push(view: &View) -> Finding {
    service(view, "push", "developer")
}

/// What git is answered when it wants to fetch, or to push.
fn service(view: &View, which: &str, needed: &str) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let (who, words) = (view.who(), text(facts, &format!("{which}_words")));
    let status = format!("git credential-gitlab status {}", view.host());
    let again = format!("git credential-gitlab link {} --account {who}", view.host());
    let said = if words.is_empty() { String::new() } else { format!(": \"{words}\"") };
    let Some(verdict) = facts.text(which) else {
        return Finding::skip(format!("git was not asked whether {who} may {which}"));
    };
    let refused = |text: String| Finding::fail(Code::Refused, text);
    match verdict {
        "open" => Finding::ok(format!("{who} may {which}")),
        "moved" => Finding::skip("it has moved"),
        "sso" => Finding::skip("single sign-on comes before"),
        "banned" | "addresses" => banned(&words),
        "missing" => Finding::skip("it is missing, or not for you"),
        "role" => {
            let disabled = facts.text("repository_access") == Some("disabled");
            let role = role(facts);
            refused(match disabled {
                true => format!("the project has its repository switched off{said}"),
                false => format!("{who}, {role}, may not {which}; that needs {needed}{said}"),
            })
            .fix(status)
        }
        "scope" => refused(format!("the scopes that {who} linked with don't allow to {which}{said}")).fix(again),
        "archived" => Finding::warn(format!("the project is archived: nobody can push to it{said}")),
        "no-repository" => refused(format!("the project has no repository yet{said}")),
        "login" => Finding::fail(
            Code::Relink,
            format!(
                "git is refused with the token of {who} (an account that is blocked or must change its password?){said}"
            ),
        )
        .fix(again),
        "rate" => Finding::fail(Code::Unreachable, format!("GitLab wants to be asked later{said}"))
            .fix("sleep 60; git credential-gitlab doctor"),
        "down" | "unreached" => Finding::fail(Code::Unreachable, format!("git gets no answer{said}"))
            .fix(format!("git credential-gitlab doctor {}", view.host())),
        "not-git" | "redirect" => {
            Finding::fail(Code::Refused, format!("something in front of GitLab answers in its place{said}"))
                .fix(format!("curl -sSI {}", quoted(&format!("https://{}", view.host()))))
        }
        _ => refused(format!("GitLab refuses to let {who} {which}{said}")).fix(status),
    }
}

/// `default-branch`: protected branches let fewer people push.
pub(super) fn default_branch(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let branch = text(facts, "default_branch");
    if branch.is_empty() {
        return Finding::skip("there is none, or GitLab does not say");
    }
    if facts.flag("archived") {
        return Finding::skip("the project is archived");
    }
    match facts.text("branch_push") {
        Some("yes") => Finding::ok(format!("{} may push to {branch}", view.who())),
        Some(_) if facts.text("push") == Some("open") => {
            let text = format!("{}, {}, may push, but not to {branch}, which is protected", view.who(), role(facts));
            Finding::warn(text).fix("git switch --create my-change && git push --set-upstream origin my-change")
        }
        Some(_) => Finding::skip(format!("{} may not push at all", view.who())),
        None => Finding::skip(format!("GitLab does not say who may push to {branch}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome::{self, Fail, Ok as Well, Skip, Warn};
    use super::*;

    const GOOD: [(&str, &str); 10] = [
        ("host", "https://gitlab.example"),
        ("label", "alice"),
        ("project", "Group/App"),
        ("path_now", "group/app"),
        ("visibility", "private"),
        ("access_level", "30"),
        ("fetch", "open"),
        ("push", "open"),
        ("default_branch", "main"),
        ("branch_push", "yes"),
    ];

    /// The good facts, with these in place of those of their names; an empty one is gone.
    fn view(changed: &[(&str, &str)]) -> View {
        let kept = GOOD.iter().filter(|(key, _)| !changed.iter().any(|(other, _)| other == key));
        let all = kept.chain(changed.iter().filter(|(_, value)| !value.is_empty()));
        let facts = all.fold(Attributes::new(), |all, (key, value)| all.with(key, value));
        View { name: None, remote: Remote::parse("https://gitlab.example/Group/App.git"), facts: Ok(facts) }
    }

    fn of(check: fn(&View) -> Finding, changed: &[(&str, &str)]) -> Outcome {
        check(&view(changed)).outcome
    }

    #[test]
    fn all_is_well_where_all_is_well() {
        for check in [address, account, project, single_sign_on, fetch, push, default_branch] {
            let finding = check(&view(&[]));
            assert_eq!((finding.outcome, &finding.fix), (Well, &None), "{finding:?}");
        }
    }

    #[test]
    fn an_address_that_bypasses_us_is_told_without_its_password() {
        let with =
            |url: &str| address(&View { remote: Remote::parse(url), name: Some("up stream".into()), ..view(&[]) });
        let secret = with("https://alice:hunter2@gitlab.example/group/app.git");
        let fix = "git remote set-url 'up stream' https://gitlab.example/group/app.git";
        assert_eq!((secret.outcome, secret.fix.as_deref()), (Warn, Some(fix)));
        let ssh = with("git@gitlab.example:group/app.git");
        assert_eq!((ssh.outcome, ssh.fix.as_deref()), (Warn, Some(fix)));
        assert_eq!(with("/srv/app.git").outcome, Skip);
    }

    #[test]
    fn a_project_that_moved_or_is_missing_is_told() {
        let moved = project(&view(&[("path_now", "team/app")]));
        assert_eq!(moved.fix.as_deref(), Some("git remote set-url origin https://gitlab.example/team/app.git"));
        let by_git = project(&view(&[("path_now", ""), ("fetch_moved_to", "https://gitlab.example/team/app")]));
        assert_eq!(by_git.fix.as_deref(), Some("git remote set-url origin https://gitlab.example/team/app.git"));
        let missing = project(&view(&[("path_now", ""), ("api_status", "404"), ("fetch", "missing")]));
        assert!(missing.outcome == Fail && missing.detail.contains("missing, or not for alice"), "{missing:?}");
        for (status, code) in [("401", Code::Relink), ("429", Code::Unreachable)] {
            assert_eq!(project(&view(&[("path_now", ""), ("api_status", status)])).code, Some(code));
        }
        assert_eq!(project(&view(&[("path_now", ""), ("late", "1")])).code, Some(Code::Unreachable));
    }

    #[test]
    fn what_git_is_told_is_explained() {
        for (verdict, outcome, code) in [
            ("role", Fail, Some(Code::Refused)),
            ("scope", Fail, Some(Code::Refused)),
            ("archived", Warn, None),
            ("banned", Fail, Some(Code::Refused)),
            ("login", Fail, Some(Code::Relink)),
            ("rate", Fail, Some(Code::Unreachable)),
            ("down", Fail, Some(Code::Unreachable)),
            ("unreached", Fail, Some(Code::Unreachable)),
            ("not-git", Fail, Some(Code::Refused)),
            ("no-repository", Fail, Some(Code::Refused)),
            ("of a newer daemon", Fail, Some(Code::Refused)),
            ("missing", Skip, None),
            ("moved", Skip, None),
            ("sso", Skip, None),
        ] {
            let finding = push(&view(&[("push", verdict)]));
            assert_eq!((finding.outcome, finding.code), (outcome, code), "{verdict}");
        }
        let role = push(&view(&[("push", "role"), ("access_level", "20"), ("push_words", "You are not allowed.")]));
        assert!(role.detail.contains("reporter") && role.detail.contains("needs developer"), "{role:?}");
        let off = fetch(&view(&[("fetch", "role"), ("repository_access", "disabled")]));
        assert!(off.detail.contains("switched off"), "{off:?}");
        assert_eq!(of(push, &[("push", "")]), Skip);
    }

    #[test]
    fn single_sign_on_names_the_host_alone() {
        let words = "Cannot find valid SSO session. Please login via your group's SSO at https://gitlab.example";
        let finding = single_sign_on(&view(&[("fetch", "sso"), ("fetch_words", words)]));
        assert_eq!(finding.code, Some(Code::Relink));
        assert!(finding.detail.contains("sign in at https://gitlab.example in a browser"), "{finding:?}");
    }

    #[test]
    fn a_protected_branch_is_told() {
        let finding = default_branch(&view(&[("branch_push", "no")]));
        assert!(finding.outcome == Warn && finding.detail.contains("developer"), "{finding:?}");
        assert_eq!(of(default_branch, &[("branch_push", "no"), ("push", "role")]), Skip);
        assert_eq!(of(default_branch, &[("branch_push", "")]), Skip);
        assert_eq!(of(default_branch, &[("archived", "1")]), Skip);
    }

    #[test]
    fn a_repository_whose_gitlab_is_not_linked_says_how_to_link() {
        let none = View { facts: Err((Code::NotLinked, "that GitLab is not linked".into())), ..view(&[]) };
        let finding = account(&none);
        assert_eq!(finding.code, Some(Code::NotLinked));
        assert_eq!(finding.fix.as_deref(), Some("git credential-gitlab link gitlab.example"));
        assert_eq!(push(&none).outcome, Skip);
    }
}
