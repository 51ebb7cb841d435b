//! `doctor`: finds what is wrong, explains it, and names the one command that mends it.
//!
//! First everything is looked at, then judged: a check is a function from what was found to a
//! finding, and all of them are listed here. What waits for a server does so at the same time as
//! its siblings, and never long. Nothing is changed; with `--fix` only what is ours is.
//!
//! ```text
//! mod -> scene -> machine, git, server, repository -> finding, instead, remote, tools    look, and judge
//!     -> mend                                                                            --fix
//!     -> bundle -> show                                                                  how it looks
//! ```

mod bundle;
mod finding;
mod git;
mod instead;
mod machine;
mod mend;
mod remote;
mod repository;
mod scene;
mod server;
mod show;
mod tools;

use super::arguments::Doctor;
use super::error::Error;
use super::terminal::Terminal;
use finding::{Entry, Finding};
use scene::Scene;

/// A check by its name, which is a promise to scripts.
type Check<View> = (&'static str, fn(&View) -> Finding);

/// Of this machine.
const MACHINE: [Check<machine::Machine>; 8] = [
    ("git-version", machine::git_version),
    ("programs", machine::programs),
    ("daemon", machine::daemon),
    ("daemon-version", machine::daemon_version),
    ("socket", machine::socket),
    ("state-directory", machine::state_directory),
    ("state-files", machine::state_files),
    ("token-store", machine::token_store),
];

/// Of git's config, for each GitLab and repository.
const GIT: [Check<git::View>; 15] = [
    ("git-config", git::config),
    ("helper", git::helper),
    ("helper-program", git::helper_program),
    ("helper-order", git::helper_order),
    ("user-name", git::user_name),
    ("paths", git::paths),
    ("address-rules", git::address_rules),
    ("prompts", git::prompts),
    ("proxy", git::proxy),
    ("certificate-check", git::certificate_check),
    ("certificate-file", git::certificate_file),
    ("extra-header", git::extra_header),
    ("git-works", git::git_works),
    ("command-config", git::command_config),
    ("ide", git::ide),
];

/// Of each GitLab.
const SERVER: [Check<server::View>; 6] = [
    ("linked", server::linked),
    ("name", server::name),
    ("connection", server::connection),
    ("gitlab", server::gitlab),
    ("rate-limit", server::rate_limit),
    ("clock", server::clock),
];

/// Of each account there.
const ACCOUNT: [Check<server::AccountView>; 7] = [
    ("login", server::login),
    ("token-expiry", server::expiry),
    ("spare-login", server::spare),
    ("scopes", server::scopes),
    ("gitlab-version", server::version),
    ("git-login", server::git_login),
    ("ip-ban", server::ip_ban),
];

/// Of each repository.
const REPOSITORY: [Check<repository::View>; 9] = [
    ("address", repository::address),
    ("account", repository::account),
    ("project", repository::project),
    ("role", repository::role),
    ("single-sign-on", repository::single_sign_on),
    ("fetch", repository::fetch),
    ("push", repository::push),
    ("default-branch", repository::default_branch),
    ("current-branch", repository::current_branch),
];

/// Looks, mends what it may, and shows what there is.
pub(super) fn run(wanted: &Doctor, terminal: Terminal) -> Result<u8, Error> {
    let mut scene = Scene::look(wanted.remote.as_deref(), terminal)?;
    let mut entries = judge(&scene);
    let attempts = if wanted.fix { mend::apply(&entries, terminal) } else { Vec::new() };
    if !attempts.is_empty() {
        scene = Scene::look(wanted.remote.as_deref(), terminal)?;
        entries = judge(&scene);
        mend::tell(&attempts, &entries, terminal);
    }
    if let Some(path) = &wanted.bundle {
        bundle::write(path, &scene.machine, &entries)?;
        terminal.note(&format!("{} has what a bug report needs; read it before you send it", path.display()));
    }
    match wanted.json {
        true => terminal.print(&format!("{:#}", show::json(&entries)))?,
        false => show::people(&entries, terminal)?,
    }
    Ok(finding::exit_code(&entries))
}

fn judge(scene: &Scene) -> Vec<Entry> {
    let mut entries = checked("this machine", &MACHINE, &scene.machine);
    if scene.servers.is_empty()
        && let Some(finding) = machine::linked(&scene.machine)
    {
        entries.push(Entry { subject: "this machine".into(), check: "linked", finding });
    }
    for (named, remote) in &scene.passed_over {
        let finding = remote::passed_over(named, remote);
        entries.push(Entry { subject: remote.shown(), check: "remote", finding });
    }
    for view in &scene.git {
        let address =
            view.remote.as_deref().map_or_else(|| view.instance.to_string(), |url| remote::Remote::parse(url).shown());
        entries.extend(checked(&format!("git, for {address}"), &GIT, view));
    }
    for view in &scene.servers {
        entries.extend(checked(&view.instance.to_string(), &SERVER, view));
    }
    for view in &scene.accounts {
        let subject = format!("{} as {}", view.account.host, view.account.label);
        entries.extend(checked(&subject, &ACCOUNT, view));
    }
    for view in &scene.repositories {
        entries.extend(checked(&view.remote.shown(), &REPOSITORY, view));
    }
    entries
}

fn checked<View>(subject: &str, checks: &[Check<View>], view: &View) -> Vec<Entry> {
    let entry = |(name, check): &Check<View>| Entry { subject: subject.into(), check: name, finding: check(view) };
    checks.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let names = MACHINE.iter().map(|it| it.0).chain(GIT.iter().map(|it| it.0)).chain(SERVER.iter().map(|it| it.0));
        let names =
            names.chain(["remote"]).chain(ACCOUNT.iter().map(|it| it.0)).chain(REPOSITORY.iter().map(|it| it.0));
        let mut names: Vec<&str> = names.collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && name.len() <= 17));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
