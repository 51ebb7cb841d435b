//! `import`: clones one project, several, or a whole group.
//!
//! ```text
//! plan -> named -> layout            which project is meant, and which directory is its
//! plan -> reach, waiting             which projects there are
//! plan -> picker                     which of them are wanted
//! plan -> host                       how git gets at a GitLab
//! crew -> folder, part, git -> said  many at a time: look, clone aside, put in place
//! host -> streak                     when the next project would fare no better
//! show -> screen, stop               what the person sees, and Ctrl-C
//! identity                           who commits in the clones are by
//! ```

use std::sync::Mutex;

use super::accounts::Accounts;
use super::arguments::Import;
use super::error::Error;
use super::interrupt::INTERRUPTED;
use super::seen;
use super::status;
use super::terminal::Terminal;
use crate::client::Start;
use crate::credential::printable;
use crate::protocol::{Code, Failure};
use crew::{Crew, Done, Job};
use folder::Folder;
use identity::Clone;
use plan::{Plan, Planned};
use said::{Kind, Reason};
use show::Show;
use stop::Stop;

mod again;
mod crew;
mod folder;
mod git;
mod host;
mod identity;
mod layout;
mod named;
mod part;
mod picker;
mod plan;
mod reach;
mod said;
mod screen;
mod show;
mod stop;
mod streak;
mod waiting;

/// Clones what is wanted.
pub(super) fn run(wanted: &Import, terminal: Terminal) -> Result<u8, Error> {
    let pick = wanted.projects.is_empty() && wanted.group.is_none();
    if pick && !terminal.can_ask() {
        return usage("name projects or, with --group, a group; they can only be chosen from a list on a terminal");
    }
    if wanted.min_access.is_some() && !wanted.projects.is_empty() && wanted.group.is_none() {
        return usage("--min-access is for --group, and for choosing from a list");
    }
    let found = Accounts::ask(None, false, Start::IfAbsent)?;
    if found.accounts.is_empty() {
        return Err(Failure::new(Code::NotLinked, status::not_linked(wanted.host.as_ref())).into());
    }
    let plan = Plan::make(wanted, &found, terminal)?;
    if plan.projects.is_empty() {
        terminal.note("nothing was chosen");
        return Ok(0);
    }
    carry_out(&plan, wanted, terminal)
}

fn usage<T>(text: &str) -> Result<T, Error> {
    Err(Failure::new(Code::Usage, text).into())
}

fn carry_out(plan: &Plan, wanted: &Import, terminal: Terminal) -> Result<u8, Error> {
    let folder = Folder::open(&wanted.dir).map_err(|why| {
        let text = format!("the directory {} can't be used: {why}; choose another --dir", wanted.dir.display());
        Failure::new(Code::Failed, text)
    })?;
    let show = Show::new(terminal, wanted.json, plan.projects.len());
    let (stop, on_signals) = Stop::on_signals();
    let jobs = jobs(plan, wanted.fetch, |path, why| {
        show.done(path, &folder.shown(printable(path, 300).as_ref()), &Done::Failed(Reason::other(why)));
    });
    let here = Mutex::new(Vec::new());
    let done = |job, done| {
        let Job { path, directories, .. }: &Job = job;
        let done = match done {
            Done::Failed(reason) => Done::Failed(named_reason(job, reason)),
            done => done,
        };
        show.done(path, &folder.shown(directories), &done);
        if !matches!(done, Done::Failed(_)) {
            here.lock().expect("nobody panics here").push((job, done));
        }
    };
    let begin = |job| -> Box<dyn FnMut(_)> { show.begin(job) };
    let crew = Crew { folder: &folder, stop: &stop, at_a_time: wanted.jobs, begin: &begin };
    crew.work(&jobs, |job, reason| show.put_off(&job.path, &reason.text), done);
    folder.tidy();
    let (counts, here) = (show.end(), here.into_inner().expect("nobody panics here"));
    let named: Vec<&str> = here.iter().filter_map(|(job, _)| job.typed.as_deref()).collect();
    let (left, again) = (plan.projects.len() - counts.all(), again::command(&plan.chosen, &named));
    if stop.is_now() && left > 0 {
        terminal.say(&format!("stopped: {}, not done {left}; to go on: {again}", counts.phrase()));
        return Ok(INTERRUPTED);
    }
    match counts.failed() {
        0 => terminal.note(&counts.phrase()),
        _ if !counts.may_pass() => terminal.say(&counts.phrase()),
        _ => terminal.say(&format!("{}; to try again what failed: {again}", counts.phrase())),
    }
    drop(on_signals); // nothing is left that Ctrl-C could stop, but a question
    if wanted.identity || !wanted.json {
        let ours = here.iter().filter(|(_, done)| wanted.identity || matches!(done, Done::Cloned { .. }));
        let clone = |job: &Job| Clone {
            instance: job.host.instance.clone(),
            account: job.account.clone(),
            directory: folder.shown(&job.directories),
        };
        identity::offer(ours.map(|(job, _)| clone(job)).collect(), wanted.identity, terminal);
    }
    Ok(counts.exit_code())
}

/// Why a project was refused, with the account that was, and where: nobody else knows which of
/// several it was.
fn named_reason(job: &Job, Reason { kind, text }: Reason) -> Reason {
    let Job { host, path, url, account, typed, .. } = job;
    let instance = &host.instance;
    let who = account.as_ref().map_or_else(|| instance.to_string(), |account| format!("{account} at {instance}"));
    let is_group = || typed.is_some() && seen::group(instance, account.as_deref(), path) == Some(true);
    let text = match kind {
        Kind::Unseen if is_group() => format!("it is a group; to import what is in it: --group {path}"),
        Kind::Unseen => format!("{who} does not see it"),
        Kind::Refused | Kind::Banned => format!("{who}: {text}"),
        Kind::Elsewhere => format!(
            "git did not go to {url} (an insteadOf in its config?): {text} \
             To see where it goes: git credential-gitlab doctor {url}"
        ),
        Kind::Unreachable | Kind::Troubled | Kind::NoToken | Kind::Other => text,
    };
    Reason { kind, text }
}

/// What can be begun; the rest is told, and why.
fn jobs(plan: &Plan, fetch: bool, unfit: impl Fn(&str, String)) -> Vec<Job> {
    let paths: Vec<&str> = plan.projects.iter().map(|project| project.path.as_str()).collect();
    let mut jobs = Vec::new();
    for (Planned { host, path, account, typed }, collision) in plan.projects.iter().zip(layout::collisions(&paths)) {
        match layout::check(path).err().map(|why| why.to_string()).or(collision) {
            Some(why) => unfit(path, why),
            None => jobs.push(Job {
                host: host.clone(),
                path: path.clone(),
                url: host.url(path, account.as_deref()),
                directories: layout::directories(path),
                account: host.label(path, account.as_deref()),
                account_named: account.is_some(),
                fetch,
                typed: typed.clone(),
            }),
        }
    }
    jobs
}
