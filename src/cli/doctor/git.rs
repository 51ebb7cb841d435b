//! git's config and environment, as the person's next git command sees them, for one address.

use std::collections::BTreeMap;
use std::path::Path;

use super::finding::{Finding, Mend};
use super::remote::{Named, Purpose, Remote, rewritten};
use super::tools;
use crate::cli::accounts::Account;
use crate::cli::chain::Chain;
use crate::cli::git_config::GitError;
use crate::cli::helper_path::{is_ours, to_path};
use crate::instance::Instance;
use crate::label;
use crate::protocol::Code;
use crate::shell::quoted;

mod command;
mod network;
mod proxy;
mod settings;
mod urlmatch;
mod works;

use command::COMMAND_LINE;
pub(super) use command::{command_config, ide};
pub(super) use network::{certificate_check, certificate_file, extra_header};
pub(super) use proxy::{proxy, refusal};
pub(super) use settings::Settings;
use settings::{remove, remove_helper, remove_value};
pub(super) use works::{Works, git_works, nowhere, target, try_git};

/// User names for tokens in addresses, as GitLab's documentation has them.
const NOBODY: [&str; 3] = ["oauth2", "gitlab-ci-token", "private-token"];

/// What was found.
pub(super) struct View {
    pub(super) instance: Instance,
    /// Its accounts.
    pub(super) accounts: Vec<Account>,
    /// The remote in the repository here that has this address.
    pub(super) name: Option<Named>,
    /// The repository, as it is written.
    pub(super) remote: Option<String>,
    pub(super) settings: Result<Settings, GitError>,
    pub(super) environment: BTreeMap<String, String>,
    /// Why the proxy that git goes by can't be connected to.
    pub(super) proxy_refusal: Option<String>,
    /// Whether git itself gets there.
    pub(super) works: Works,
}

impl View {
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn settings(&self) -> Result<&Settings, Finding> {
        self.settings.as_ref().map_err(|_| Finding::skip("git's config can't be read"))
    }

    fn configure(&self) -> String {
        format!("git credential-gitlab configure {}", self.instance.short())
    }

    fn remote(&self) -> Option<Remote> {
        self.remote.as_deref().map(Remote::parse)
    }
}

/// `git-config`
pub(super) fn config(view: &View) -> Finding {
    match &view.settings {
        Ok(_) => Finding::ok("git's config can be read"),
        Err(GitError::Missing) => Finding::fail(Code::Failed, "there is no git to ask").fix_if(tools::install_git()),
        Err(why) => {
            let why = why.to_string();
            let command = broken_file(&why).map(|file| format!("{} {}", editor(), quoted(file)));
            Finding::fail(Code::Failed, &why).fix_if(command)
        }
    }
}

/// The file in which git says it can't read on. git itself edits no file that it can't read.
fn broken_file(why: &str) -> Option<&str> {
    let (_, file) = why.lines().find_map(|line| line.rsplit_once(" in file "))?;
    Some(file.trim()).filter(|file| !file.is_empty())
}

/// As a shell finds it, if the person has one.
fn editor() -> &'static str {
    if cfg!(windows) { "notepad" } else { "${EDITOR:-vi}" }
}

/// `helper`: whether git asks us.
pub(super) fn helper(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let (helpers, instance) = (settings.helpers(), &view.instance);
    let chain = Chain::of(&helpers, instance);
    if let Some(ours) = chain.ours() {
        return Finding::ok(format!("git asks git-credential-gitlab ({} in {})", ours.key(), ours.file()));
    }
    if view.accounts.is_empty() {
        return Finding::skip(format!("{instance} is not linked"));
    }
    if let Some(named) = chain.by_name() {
        let text = format!(
            "git finds the helper \"{}\" ({} in {}) by PATH, which is another one in programs that a desktop starts",
            named.shown(),
            named.key(),
            named.file()
        );
        return Finding::warn(text).fix(view.configure()).mend(Mend::Configure(instance.clone()));
    }
    let text = format!("git does not ask git-credential-gitlab for {instance}");
    let Some(cause) = chain.cleared_by.filter(|_| helpers.iter().any(|setting| is_ours(&setting.value))) else {
        return Finding::fail(Code::Failed, text).fix(view.configure()).mend(Mend::Configure(instance.clone()));
    };
    if cause.origin.starts_with(COMMAND_LINE) {
        let text = format!("{text}: the environment of this command empties the list of helpers");
        return Finding::fail(Code::Failed, text).fix("unset GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT");
    }
    let text = format!("{text}: the empty {} in {} comes later", cause.key(), cause.file());
    let finding = Finding::fail(Code::Failed, text);
    match is_in_home(cause.file()) {
        true => finding.fix(view.configure()).mend(Mend::Configure(instance.clone())),
        false => finding.fix_if(remove_helper(cause)),
    }
}

/// Whether a file is the person's config, which ours stands in.
fn is_in_home(file: &str) -> bool {
    let home = std::env::home_dir().unwrap_or_default();
    let path = Path::new(file);
    path.is_absolute() && (path == home.join(".gitconfig") || path.ends_with("git/config") || is_global(path))
}

fn is_global(path: &Path) -> bool {
    std::env::var_os("GIT_CONFIG_GLOBAL").is_some_and(|global| Path::new(&global) == path)
}

/// `helper-program`
pub(super) fn helper_program(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let helpers = settings.helpers();
    let chain = Chain::of(&helpers, &view.instance);
    let Some(ours) = chain.ours() else { return Finding::skip("git does not ask us") };
    let path = to_path(&ours.value);
    match is_program(Path::new(&path)) {
        true => Finding::ok(format!("{path} can be run, whatever PATH a program has")),
        false => {
            let text = format!("git runs {path} ({} in {}), which is no program", ours.key(), ours.file());
            Finding::fail(Code::Failed, text).fix(view.configure()).mend(Mend::Configure(view.instance.clone()))
        }
    }
}

#[cfg(unix)]
pub(super) fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// `helper-order`: who else is told our tokens.
pub(super) fn helper_order(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let (helpers, instance) = (settings.helpers(), &view.instance);
    let chain = Chain::of(&helpers, instance);
    let Some(ours) = chain.helpers.iter().position(|setting| is_ours(&setting.value)) else {
        return Finding::skip("git does not ask us");
    };
    let Some(stranger) = chain.strangers().next() else { return Finding::ok("no other helper is told the tokens") };
    let (value, key, file) = (stranger.shown(), stranger.key(), stranger.file());
    let is_before = chain.helpers[..ours].contains(&stranger);
    let text = match is_before {
        true => format!("git asks the helper \"{value}\" before us, and tells it our tokens ({key} in {file})"),
        false => format!("git tells the helper \"{value}\" our tokens, because it comes later ({key} in {file})"),
    };
    let finding = Finding::warn(text);
    match is_before || is_in_home(file) {
        true => finding.fix(view.configure()).mend(Mend::Configure(instance.clone())),
        false => finding.fix_if(remove_helper(stranger)),
    }
}

/// `user-name`
pub(super) fn user_name(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let in_address = view.remote().and_then(|remote| match remote {
        Remote::Web { username, .. } => username,
        _ => None,
    });
    let (name, place) = match (&in_address, settings.username()) {
        (Some(name), _) => (name.as_str(), "the address"),
        (None, Some(name)) => (name, "git's config (credential.username)"),
        (None, None) => return Finding::ok("none is set; the account is chosen by path, or is the default"),
    };
    let is_linked =
        |account: &Account| account.label.eq_ignore_ascii_case(name) || account.username.eq_ignore_ascii_case(name);
    if view.accounts.iter().any(is_linked) {
        return Finding::ok(format!("{name} in {place} is linked"));
    }
    if view.accounts.is_empty() {
        return Finding::skip("nobody is linked there");
    }
    let linked: Vec<&str> = view.accounts.iter().map(|account| account.label.as_str()).collect();
    let text = format!("{name} in {place} is none of your accounts there ({})", linked.join(", "));
    let link = format!("{} --account {}", view.instance.link_command(), quoted(name));
    match label::parts(name).1 {
        true => Finding::fail(Code::NotLinked, format!("{text}, and no other is taken in its place")).fix(link),
        false => {
            let command = match view.remote().filter(|_| in_address.is_some()) {
                // What tokens' addresses begin with is no person, who could be linked.
                Some(Remote::Web { origin, path, .. }) if NOBODY.contains(&name) => {
                    view.name.as_ref().map(|remote| remote.set_url(&format!("{origin}/{path}")))
                }
                Some(_) => Some(link),
                None => settings.forget_username(name).or(Some(link)),
            };
            Finding::warn(format!("{text}, so it is ignored")).fix_if(command)
        }
    }
}

/// `paths`: whether git tells us the path where the account depends on it.
pub(super) fn paths(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let chosen = view.accounts.iter().find(|account| !account.paths.is_empty());
    match (chosen, settings.sends_paths()) {
        (None, _) => Finding::ok("no account is chosen by path"),
        (Some(_), true) => Finding::ok("git tells helpers the path (useHttpPath)"),
        (Some(account), false) => {
            let text = format!(
                "{} is chosen for {}, but git does not tell helpers the path (useHttpPath)",
                account.label,
                account.paths.join(", ")
            );
            let key = format!("credential.{}.useHttpPath", view.instance);
            Finding::fail(Code::Failed, text).fix(format!("git config --global {key} true"))
        }
    }
}

/// `address-rules`: `insteadOf`.
pub(super) fn address_rules(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let url = view.remote.clone().unwrap_or_else(|| format!("{}/group/app.git", view.instance));
    let written = Remote::parse(&url);
    let purpose = view.name.as_ref().map_or(Purpose::Both, |remote| remote.purpose);
    for push in [false, true].into_iter().filter(|push| !push || purpose == Purpose::Both) {
        // Only an address that is not for pushing alone has rules of its own for that.
        let (now, rule) = rewritten(&url, &settings.lines, push);
        let Some(rule) = rule else { continue };
        let what = if push || purpose == Purpose::Push { "pushes to" } else { "fetches from" };
        let (now, file) = (Remote::parse(&now), rule.origin.strip_prefix("file:").unwrap_or(&rule.origin));
        let consequence = match (&written, &now) {
            (_, Remote::Ssh { .. }) => "over ssh, so it never asks us",
            (Remote::Web { origin: before, .. }, Remote::Web { origin, .. }) if before == origin => continue,
            _ => "instead",
        };
        let text = format!("git {what} {} {consequence} ({} in {file})", now.shown(), shown_key(&rule.key));
        // To push alone over ssh is a custom of many.
        let is_cause = matches!(now, Remote::Ssh { .. }) && !push && view.remote.is_some();
        let finding = if is_cause { Finding::fail(Code::Failed, text) } else { Finding::warn(text) };
        // A password has no place in a command.
        let command = if rule.value.contains('@') { remove(rule) } else { remove_value(rule) };
        return finding.fix_if(command.filter(|_| rule.key == shown_key(&rule.key)));
    }
    Finding::ok("no insteadOf leads elsewhere")
}

/// The key of a rule, whose URL may have a password in it.
fn shown_key(key: &str) -> String {
    let Some((start, end)) = key.rsplit_once('@').and_then(|(_, end)| Some((key.split_once("://")?.0, end))) else {
        return key.to_owned();
    };
    if start.ends_with("ssh") { key.to_owned() } else { format!("{start}://…@{end}") }
}

/// `prompts`: who asks for a password if we don't answer.
pub(super) fn prompts(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let helpers = settings.helpers();
    let asked = Chain::of(&helpers, &view.instance).ours().is_some();
    let configured = settings.lines.iter().any(|line| line.key == "core.askpass" && !line.value.is_empty());
    let source = ["GIT_ASKPASS"].into_iter().find(|name| self::View::variable(view, name).is_some());
    let source = source.or(configured.then_some("core.askPass"));
    let source = source.or_else(|| view.variable("SSH_ASKPASS").map(|_| "SSH_ASKPASS"));
    match (source, asked) {
        (None, _) => Finding::ok("no program is set to ask for passwords"),
        (Some(source), true) => Finding::ok(format!("{source} is set, and is not run where we answer")),
        (Some(_), false) if view.accounts.is_empty() => Finding::skip("nobody is linked there"),
        (Some(source), false) => {
            Finding::warn(format!("git does not ask us, so the program in {source} asks for a password"))
                .fix(view.configure())
                .mend(Mend::Configure(view.instance.clone()))
        }
    }
}

#[cfg(test)]
mod tests;
