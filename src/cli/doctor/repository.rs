//! A repository: who you are there, and what you may do.

use super::finding::{Finding, without_command};
use super::instead::Others;
use super::remote::{Named, Purpose, Remote};
use super::server::{banned, later, said};
use crate::cli::call::{number, text};
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::label;
use crate::protocol::Code;
use crate::rights;
use crate::shell::quoted;

mod branches;
mod role;

pub(super) use branches::{current_branch, default_branch};
pub(super) use role::role;

/// What was found.
pub(super) struct View {
    /// The remote in the repository here that has this address.
    pub(super) name: Option<Named>,
    pub(super) remote: Remote,
    pub(super) instance: Option<Instance>,
    /// The branch that is checked out here.
    pub(super) branch: Option<String>,
    /// What the daemon learnt with the account that git would get.
    pub(super) facts: Result<Attributes, (Code, String)>,
    /// What other accounts get there, if that one is short of something.
    pub(super) others: Others,
}

impl View {
    fn facts(&self) -> Result<&Attributes, Finding> {
        self.facts.as_ref().map_err(|_| Finding::skip("GitLab was not asked"))
    }

    /// The command that gives the remote another address, where there is a remote that has this one.
    fn set_url(&self, url: &str) -> Option<String> {
        self.name.as_ref().map(|remote| remote.set_url(url))
    }

    /// Whether the address is there for something.
    fn is_for(&self, purpose: Purpose) -> bool {
        self.name.as_ref().is_none_or(|remote| [Purpose::Both, purpose].contains(&remote.purpose))
    }

    /// Whose token was asked with.
    fn who(&self) -> String {
        self.facts.as_ref().map(|facts| text(facts, "label")).unwrap_or_default()
    }

    fn url(&self) -> String {
        self.facts.as_ref().map(|facts| text(facts, "host")).unwrap_or_default()
    }

    fn host(&self) -> String {
        Instance::parse(&self.url()).map_or_else(|_| self.url(), |instance| instance.short())
    }

    /// The command that links accounts there.
    fn link_command(&self) -> String {
        let link = |instance: Instance| instance.link_command();
        Instance::parse(&self.url()).map_or_else(|_| format!("git credential-gitlab link {}", self.url()), link)
    }

    /// The command that links its account again.
    fn link(&self) -> String {
        let is_token = self.facts.as_ref().is_ok_and(|facts| facts.text("kind") == Some("token"));
        let token = if is_token { " --token-stdin" } else { "" };
        format!("{} --account {}{token}", self.link_command(), self.who())
    }

    /// A failure that another account does not have, if there is one.
    fn unless_another(&self, which: &str, why: &str) -> Option<Finding> {
        let project = self.facts.as_ref().map(|facts| text(facts, "project")).unwrap_or_default();
        let (other, command) = self.others.who_may(which, &self.host(), &quoted(&project))?;
        let finding = Finding::fail(Code::Refused, format!("{why}, but {other}, who is linked too, may"));
        Some(Finding { fix: command, ..finding })
    }
}

/// `address`
pub(super) fn address(view: &View) -> Finding {
    match &view.remote {
        Remote::Web { has_password: true, origin, path, .. } => Finding::warn(
            "the address has a password in it: git uses that one, never asks us, and shows it to every program",
        )
        .fix_if(view.set_url(&format!("{origin}/{path}"))),
        Remote::Web { .. } => Finding::ok("git asks its helpers for it"),
        Remote::Ssh { .. } => {
            let text = "git uses ssh and keys there, and never asks this program";
            match view.instance.as_ref().and_then(|instance| view.remote.over_https(instance)) {
                Some(url) => Finding::warn(format!("{text}; over https it is {url}")).fix_if(view.set_url(&url)),
                None => Finding::warn(text),
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
        (Err((Code::Usage, why)), _) => Finding::skip(why),
        (Err((code, why)), Remote::Web { origin, .. }) => {
            // The daemon's sentence ends with the command, which knows whose login it is.
            let (why, command) = without_command(why);
            let link = || origin.link_command();
            Finding::fail(*code, why).fix(command.map(str::to_owned).unwrap_or_else(|| match code {
                Code::NotLinked | Code::Relink => link(),
                Code::Locked => "git credential-gitlab vault unlock".into(),
                Code::Unsupported => "git credential-gitlab daemon restart".into(),
                _ => format!("curl -sSI {}", quoted(&origin.to_string())),
            }))
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
            false => {
                let url = format!("{}/{now}.git", text(facts, "host"));
                Finding::warn(format!("{asked} has moved to {now} ({url})")).fix_if(view.set_url(&url))
            }
        };
    }
    if let Some(url) = facts.text("fetch_moved_to") {
        return Finding::warn(format!("{asked} has moved to {url}")).fix_if(view.set_url(&format!("{url}.git")));
    }
    if let Some(phase) = facts.text("phase") {
        return Finding::fail(Code::Unreachable, format!("GitLab was not reached ({phase}): {}", text(facts, "why")))
            .fix(format!("curl -sSI {}", view.url()));
    }
    if let Some(finding) = view.unless_another("fetch", &format!("{asked} is missing, or not for {}", view.who()))
        && facts.text("fetch") != Some("open")
    {
        return finding;
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
        .fix(format!(
            "git credential-gitlab repos {} --search {}",
            view.host(),
            quoted(asked.rsplit('/').next().unwrap_or_default())
        )),
        Some(401) => Finding::fail(Code::Relink, format!("GitLab does not take the token of {}", view.who()))
            .fix(view.link()),
        Some(403) if words.contains("blocked") => {
            Finding::fail(Code::Refused, format!("the account of {} is blocked (\"{words}\")", view.who()))
        }
        Some(403) => Finding::skip("the scopes of the token don't allow to ask for projects"),
        Some(429) => Finding::fail(Code::Unreachable, "GitLab wants to be asked later (429)")
            .fix(later(facts)),
        Some(status) => Finding::skip(format!("the API answered {status}")),
        None => Finding::fail(Code::Unreachable, "GitLab took too long to answer")
            .fix(format!("curl -sSI {}", view.url())),
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
    // What another host says of itself is for the person to judge; and a page is whole, or none.
    let is_own_page = Instance::parse(&view.url()).is_ok_and(|home| {
        let page = Instance::parse(at).ok();
        page.is_some_and(|page| page.authority() == home.authority()) && !at.ends_with('\u{2026}')
    });
    Finding::fail(Code::Relink, text).fix_if(is_own_page.then(|| format!("git web--browse {}", quoted(at))))
}

/// `fetch`
pub(super) fn fetch(view: &View) -> Finding {
    if !view.is_for(Purpose::Fetch) {
        return Finding::skip("git only pushes there");
    }
    service(view, "fetch", "reporter")
}

/// `push`
pub(super) fn push(view: &View) -> Finding {
    if !view.is_for(Purpose::Push) {
        return Finding::skip("git pushes elsewhere (pushurl)");
    }
    service(view, "push", "developer")
}

/// What git is answered when it wants to fetch, or to push.
fn service(view: &View, which: &str, needed: &str) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let (who, words) = (view.who(), text(facts, &format!("{which}_words")));
    let see = format!("curl -sSI {}", view.url());
    let said = said(&words);
    let Some(verdict) = facts.text(which) else {
        return Finding::skip(format!("git was not asked whether {who} may {which}"));
    };
    let refused = |text: String| Finding::fail(Code::Refused, text);
    match verdict {
        "open" => Finding::ok(format!("{who} may {which}")),
        "moved" => Finding::skip("it has moved"),
        "sso" => Finding::skip("single sign-on comes before"),
        "banned" | "addresses" => banned(&words, number(facts, &format!("{which}_retry_after"))),
        "missing" => Finding::skip("it is missing, or not for you"),
        "role" => {
            let disabled = facts.text("repository_access") == Some("disabled");
            let why = match disabled {
                true => format!("the project has its repository switched off{said}"),
                false => format!("{who}, {}, may not {which}; that needs {needed}{said}", role::phrase(facts)),
            };
            // Nothing that is typed here gives a person another role.
            view.unless_another(which, &why).unwrap_or_else(|| refused(why))
        }
        "scope" => {
            let (person, read_only) = label::parts(&who);
            let why = match read_only {
                true => format!("{who} can only clone and fetch{said}"),
                false => format!("the scopes that {who} linked with don't allow to {which}{said}"),
            };
            // To link the account that can only read again gives the same.
            let full = format!("{} --account {person}", view.link_command());
            let fix = match (read_only, facts.text("kind")) {
                (true, _) if which == "push" => view.others.undo(Some(full)),
                (_, Some("token")) => Some(view.link()),
                (read_only, _) => Some(rights::link_with_scopes(&view.link(), read_only)),
            };
            view.unless_another(which, &why).unwrap_or_else(|| Finding { fix, ..refused(why) })
        }
        "archived" => Finding::warn(format!("the project is archived: nobody can push to it{said}")),
        "no-repository" => refused(format!("the project has no repository yet{said}")),
        "login" => Finding::fail(
            Code::Relink,
            format!(
                "git is refused with the token of {who} (an account that is blocked or must change its password?){said}"
            ),
        )
        .fix(view.link()),
        "rate" => Finding::fail(Code::Unreachable, format!("GitLab wants to be asked later{said}")).fix(later(facts)),
        "down" => {
            let status = text(facts, &format!("{which}_status"));
            Finding::fail(Code::Unreachable, format!("GitLab is down: it answers git {status}{said}")).fix(see)
        }
        "unreached" => Finding::fail(Code::Unreachable, format!("git gets no answer{said}")).fix(see),
        "not-git" | "redirect" => {
            Finding::fail(Code::Refused, format!("something in front of GitLab answers in its place{said}")).fix(see)
        }
        _ => refused(format!("GitLab refuses to let {who} {which}{said}")).fix(see),
    }
}

#[cfg(test)]
mod tests;
