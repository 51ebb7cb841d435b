//! A GitLab as it is reached from here, and what each account gets there.

use super::finding::{Finding, without_command};
use super::tools;
use crate::cli::accounts::Account;
use crate::cli::call::{number, text};
use crate::cli::time::Now;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{Code, State};
use crate::rights::{self, Rights};
use crate::unreached;

/// A token lives two hours and is renewed ten minutes before; half of that is lost to a wrong clock.
const CLOCK_MAY_DIFFER: i64 = 5 * 60;

/// Beyond this, living tokens look dead, and certificates too.
const CLOCK_MUST_NOT_DIFFER: i64 = 60 * 60;

/// Enough to make a new one of what is not renewed by itself.
const SOON: i64 = 7 * 24 * 3600;

/// Nobody waits for another day.
const LONGEST_WAIT: u64 = 86400;

/// GitLab's own setting for a ban; gitlab.com has a quarter of it.
const USUAL_BAN: u64 = 3600;

/// What was found at an address.
pub(super) struct View {
    pub(super) instance: Instance,
    pub(super) is_linked: bool,
    /// What the daemon saw there, or why it could not look.
    pub(super) facts: Result<Attributes, String>,
    /// A base URL at which a GitLab does answer, if none does at this one.
    pub(super) elsewhere: Option<Instance>,
}

/// What was found of an account.
pub(super) struct AccountView {
    pub(super) account: Account,
    /// Why its server could not be asked.
    pub(super) unchecked: Option<String>,
    pub(super) facts: Result<Attributes, (Code, String)>,
}

impl View {
    fn facts(&self) -> Result<&Attributes, Finding> {
        self.facts.as_ref().map_err(|why| Finding::skip(why.clone()))
    }

    /// The HTTP status, if something answered.
    fn status(&self) -> Result<u16, Finding> {
        number(self.facts()?, "status").ok_or_else(|| Finding::skip("the server was not reached"))
    }
}

/// Whether an answer is one that only GitLab gives.
pub(super) fn is_gitlab(facts: &Attributes) -> bool {
    number(facts, "status") == Some(401)
}

/// `linked`
pub(super) fn linked(view: &View) -> Finding {
    let link = view.elsewhere.as_ref().unwrap_or(&view.instance).link_command();
    match view.is_linked {
        true => Finding::ok("an account is linked"),
        false => Finding::fail(Code::NotLinked, format!("{} is not linked", view.instance)).fix(link),
    }
}

/// `name`
pub(super) fn name(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let host = view.instance.authority();
    match facts.text("phase") {
        Some("dns") => {
            Finding::fail(Code::Unreachable, format!("{host}: {}", unreached::cause("dns", &text(facts, "why"))))
                .fix(format!("getent hosts {}", host.split(':').next().unwrap_or_default()))
        }
        Some("setup" | "proxy" | "timeout") => Finding::skip(format!("{host} was not looked up, or by the proxy")),
        _ => Finding::ok(format!("{host} has an address")),
    }
}

/// `connection`
pub(super) fn connection(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let (host, why) = (&view.instance, text(facts, "why"));
    let see = format!("curl -sSI {host}");
    let fail = |text: String| Finding::fail(Code::Unreachable, text);
    match facts.text("phase") {
        None => {
            Finding::ok(if host.to_string().starts_with("https:") { "TLS works" } else { "it is reached, without TLS" })
        }
        Some("dns") => Finding::skip("the name leads to no address"),
        Some("tls") => {
            let mend = unreached::mend(&why, &host.to_string());
            fail(format!("TLS fails: {}", unreached::cause("tls", &why)))
                .fix(mend.unwrap_or_else(|| format!("curl -sSvI {host}")))
        }
        Some("proxy") => fail(format!("the proxy does not lead there: {why}"))
            .fix(format!("git config --show-origin --get-urlmatch http.proxy {host}")),
        Some("timeout") => fail(format!("{host} did not answer in time ({why})")).fix(see),
        Some("setup") => fail(why).fix(format!("git config --show-origin --get-urlmatch http {host}")),
        Some(phase) => fail(format!("{host} could not be reached: {}", unreached::cause(phase, &why))).fix(see),
    }
}

/// `gitlab`
pub(super) fn gitlab(view: &View) -> Finding {
    let (facts, status) = match (view.facts(), view.status()) {
        (Ok(facts), Ok(status)) => (facts, status),
        (Err(skip), _) | (_, Err(skip)) => return skip,
    };
    let host = &view.instance;
    match status {
        401 if facts.flag("json") => Finding::ok(format!("a GitLab answers at {host}")),
        401 => Finding::warn(format!("something in front of {host} asks for a login of its own"))
            .fix(format!("curl -sSI {host}")),
        404 => {
            let text = format!("no GitLab answers at {host} (404)");
            match &view.elsewhere {
                Some(base) => {
                    Finding::fail(Code::Refused, format!("{text}, but one does at {base}")).fix(base.link_command())
                }
                None => {
                    Finding::fail(Code::Refused, format!("{text}; if it lives below a path, give all of its base URL"))
                        .fix(format!("git credential-gitlab link {host}/PATH"))
                }
            }
        }
        300..=399 => {
            let to = facts.text("redirect").map_or_else(|| "elsewhere".into(), |origin| format!("to {origin}"));
            Finding::fail(Code::Refused, format!("{host} redirects {to}: another address, or a login in front of it"))
                .fix(format!("curl -sSI {host}/oauth/token/info"))
        }
        429 => Finding::skip("it wants to be asked later"),
        500.. => Finding::fail(Code::Unreachable, format!("{host} is down: it answers {status}"))
            .fix(format!("curl -sSI {host}/users/sign_in")),
        _ => Finding::warn(format!("{host} answers {status}, as no GitLab does")).fix(format!("curl -sSI {host}")),
    }
}

/// `rate-limit`
pub(super) fn rate_limit(view: &View) -> Finding {
    let (facts, status) = match (view.facts(), view.status()) {
        (Ok(facts), Ok(status)) => (facts, status),
        (Err(skip), _) | (_, Err(skip)) => return skip,
    };
    if status != 429 {
        return Finding::ok("it answers as often as it is asked");
    }
    let text = format!("{} says that it was asked too often (429)", view.instance);
    Finding::fail(Code::Unreachable, text).fix(later(facts))
}

/// `clock`
pub(super) fn clock(view: &View) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let (Some(there), Some(here)) = (number::<i64>(facts, "server_time"), number::<i64>(facts, "local_time")) else {
        return Finding::skip("the server did not tell the time");
    };
    let ahead = here.saturating_sub(there);
    let (distance, which) = (ahead.unsigned_abs(), if ahead > 0 { "ahead of" } else { "behind" });
    let text = format!("the clock of this machine is {} min {which} that of {}", distance / 60, view.instance);
    let finding = match distance {
        _ if distance > CLOCK_MUST_NOT_DIFFER.unsigned_abs() => Finding::fail(Code::Failed, text),
        _ if distance > CLOCK_MAY_DIFFER.unsigned_abs() => Finding::warn(text),
        _ => return Finding::ok("this machine and the server agree about the time"),
    };
    finding.fix_if(tools::command_of(&[("timedatectl", "sudo timedatectl set-ntp true")]))
}

impl AccountView {
    fn link(&self) -> String {
        let token = if self.account.is_token() { " --token-stdin" } else { "" };
        format!("{} --account {}{token}", self.account.link_command(), self.account.label)
    }

    /// The same where its scopes are too few.
    fn link_with_scopes(&self) -> String {
        match self.account.is_token() {
            true => self.link(),
            false => rights::link_with_scopes(&self.link(), self.account.read_only),
        }
    }

    /// What another program gets there: `status` sends people here.
    fn see(&self) -> String {
        format!("curl -sSI {}", self.account.host)
    }

    /// What the server was heard to say, with its token.
    fn facts(&self) -> Result<&Attributes, Finding> {
        self.facts.as_ref().map_err(|_| Finding::skip("there is no token to ask with"))
    }
}

/// `login`: whether there is a token that lives.
pub(super) fn login(view: &AccountView) -> Finding {
    let account = &view.account;
    let why = if account.detail.is_empty() { String::new() } else { format!(": {}", account.detail) };
    match account.state {
        State::Relink => Finding::fail(Code::Relink, format!("it does not work any more{why}")).fix(view.link()),
        State::Locked => {
            Finding::fail(Code::Locked, "its tokens are encrypted and locked").fix("git credential-gitlab vault unlock")
        }
        State::Unreachable => {
            let fix = if account.refused { view.link() } else { view.see() };
            match account.serves {
                // What there is may live for hours.
                true => Finding::warn(format!("it works, but could not be checked{why}")).fix(fix),
                false => Finding::fail(Code::Unreachable, format!("no new token could be had{why}")).fix(fix),
            }
        }
        State::Unsaved => Finding::warn(format!("it works, but its newest tokens are not saved{why}"))
            .fix(format!("{} --store file", view.link())),
        State::Unknown(ref word) => Finding::warn(format!("the daemon says {word}{why}")),
        State::Ok | State::Renewing | State::Refused => match (&view.unchecked, &view.facts) {
            (Some(why), _) => Finding::skip(format!("the server was not asked: {why}")),
            (None, Err((code, why))) => {
                let (why, command) = without_command(why);
                Finding::fail(*code, why).fix(command.map_or_else(|| view.link(), str::to_owned))
            }
            (None, Ok(facts)) => of_api(view, facts),
        },
    }
}

/// What GitLab's API says to the token.
fn of_api(view: &AccountView, facts: &Attributes) -> Finding {
    let words = text(facts, "api_words");
    let said = said(&words);
    match number::<u16>(facts, "api_status") {
        Some(401) => Finding::fail(Code::Relink, format!("the server does not know the token{said}")).fix(view.link()),
        Some(403) if words.contains("blocked") => Finding::fail(
            Code::Refused,
            format!("the account is blocked (\"{words}\"); only an administrator of that GitLab can help"),
        ),
        Some(429) => {
            Finding::fail(Code::Unreachable, format!("the server wants to be asked later{said}")).fix(later(facts))
        }
        Some(500..) | None => {
            Finding::warn(format!("whether it works is not known: the API gave no answer{said}")).fix(view.see())
        }
        Some(_) => Finding::ok("the server takes its token"),
    }
}

/// `gitlab-version`
pub(super) fn version(view: &AccountView) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    match facts.text("version") {
        Some(version) => Finding::ok(format!("GitLab {version}")),
        None => Finding::skip(match number::<u16>(facts, "api_status") {
            Some(403) => "its scopes don't allow to ask",
            Some(404) => "it is older than 15.2, which tells no version",
            _ => "it does not say",
        }),
    }
}

/// `git-login`: whether git may log in at all.
pub(super) fn git_login(view: &AccountView) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    let words = text(facts, "git_words");
    match facts.text("git") {
        None => Finding::skip("git was not tried"),
        Some("open" | "missing" | "no-repository" | "role" | "archived") => Finding::ok("git may log in"),
        Some("banned") => Finding::skip("this address is banned"),
        Some("scope") => Finding::fail(Code::Refused, format!("its scopes don't allow git: \"{words}\""))
            .fix(view.link_with_scopes()),
        Some("login") => Finding::fail(
            Code::Relink,
            "the API takes the token, but git is refused with it (a password that must be changed, an old user name?)",
        )
        .fix(view.link()),
        Some("rate") => Finding::warn(format!("git is to ask later{}", said(&words))).fix(later(facts)),
        Some("down") => {
            let status = text(facts, "git_status");
            Finding::warn(format!("git is answered {status}, so it is down{}", said(&words))).fix(view.see())
        }
        Some("unreached") => Finding::warn(format!("git gets no answer{}", said(&words))).fix(view.see()),
        Some(_) => {
            let status = text(facts, "git_status");
            Finding::warn(format!("git is answered {status}{}", said(&words))).fix(view.see())
        }
    }
}

/// `ip-ban`
pub(super) fn ip_ban(view: &AccountView) -> Finding {
    let facts = match view.facts() {
        Ok(facts) => facts,
        Err(skip) => return skip,
    };
    match facts.text("git") {
        None => Finding::skip("git was not tried"),
        Some("banned" | "addresses") => banned(&text(facts, "git_words"), number(facts, "git_retry_after")),
        Some(_) => Finding::ok("this address is not banned"),
    }
}

/// What a person reads whose address GitLab has banned, and how long they had better wait.
pub(super) fn banned(words: &str, seconds: Option<u64>) -> Finding {
    let seconds = seconds.filter(|seconds| *seconds < LONGEST_WAIT);
    let text = format!(
        "GitLab takes no login from this address for a while, good ones neither{}: find who sends wrong passwords \
         (git credential-gitlab log names those that we gave), end it, then wait{}",
        said(words),
        if seconds.is_some() { "" } else { " (15 minutes on gitlab.com, usually an hour elsewhere)" }
    );
    Finding::fail(Code::Refused, text).fix(wait(seconds.unwrap_or(USUAL_BAN)))
}

/// The command that waits and looks again.
fn wait(seconds: u64) -> String {
    format!("sleep {seconds}; git credential-gitlab doctor")
}

/// The same, as long as a server wants it; of one that does not say, or names another day, a minute.
pub(super) fn later(facts: &Attributes) -> String {
    wait(number::<u64>(facts, "retry_after").filter(|seconds| *seconds < LONGEST_WAIT).unwrap_or(60))
}

/// A server's own words, for the end of a sentence.
pub(super) fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": \"{words}\"") }
}

/// `scopes`
pub(super) fn scopes(view: &AccountView) -> Finding {
    let account = &view.account;
    if account.scopes.is_empty() {
        return Finding::skip(format!("the server does not tell what the token of {} may do", account.label));
    }
    let rights = Rights::of(account.scopes.iter().map(String::as_str));
    let text = format!("{} may {} ({})", account.label, rights.phrase(), account.scopes.join(", "));
    match (rights.git(), rights.push(), account.read_only) {
        (false, _, _) => Finding::fail(Code::Refused, text).fix(view.link_with_scopes()),
        (true, false, false) => Finding::warn(text).fix(view.link_with_scopes()),
        _ => Finding::ok(text),
    }
}

/// `token-expiry`
pub(super) fn expiry(view: &AccountView) -> Finding {
    expiry_at(view, &Now::here(), jiff::Timestamp::now().as_second())
}

fn expiry_at(view: &AccountView, now: &Now, seconds: i64) -> Finding {
    let account = &view.account;
    let renews = account.kind == "oauth";
    match account.expires_at {
        _ if account.state == State::Unreachable && !account.serves => Finding::skip("git gets no token now"),
        None => Finding::ok("the token does not expire"),
        Some(at) if renews => Finding::ok(format!("the token lives until {}, and is then renewed", now.show(at))),
        Some(at) if now.is_past(at) => {
            Finding::fail(Code::Relink, format!("the token expired at {}", now.show(at))).fix(view.link())
        }
        Some(at) if at - seconds < SOON => {
            Finding::warn(format!("the token lives until {}, and is not renewed", now.show(at))).fix(view.link())
        }
        Some(at) => Finding::ok(format!("the token lives until {}", now.show(at))),
    }
}

/// `spare-login`
pub(super) fn spare(view: &AccountView) -> Finding {
    match view.account.spare.as_deref() {
        None => Finding::skip("none was wanted"),
        Some("ready") => Finding::ok("it is ready"),
        Some(_) => {
            let text = format!("one of the two logins has ended: {}", view.account.spare_detail);
            Finding::warn(text).fix(format!("{} --spare", view.link()))
        }
    }
}

#[cfg(test)]
mod tests;
