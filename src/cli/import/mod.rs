//! `import`: clones one project, several, or a whole group.
//!
//! ```text
//! named -> layout                    which project is meant, and which directory is its
//! reach, picker                      which projects there are, and which of them
//! host                               how git gets at a GitLab
//! crew -> folder, part, git -> said  many at a time: look, clone aside, put in place
//! show, stop                         what the person sees, and Ctrl-C
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::accounts::Accounts;
use super::arguments::Import;
use super::error::Error;
use super::status;
use super::terminal::Terminal;
use crate::client::Start;
use crate::credential::printable;
use crate::helper::ACCOUNT_VARIABLE;
use crate::instance::Instance;
use crate::protocol::{Code, Failure};
use crew::{Done, Job};
use folder::Folder;
use git::Git;
use host::Host;
use named::Named;
use reach::Project;
use said::Reason;
use show::Show;
use stop::Stop;

mod again;
mod crew;
mod folder;
mod git;
mod host;
mod layout;
mod named;
mod part;
mod picker;
mod reach;
mod said;
mod show;
mod stop;

/// What a shell says of a command that Ctrl-C ended; `link` ends so too.
const INTERRUPTED: u8 = 130;

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
    plan.carry_out(wanted, terminal)
}

fn usage<T>(text: &str) -> Result<T, Error> {
    Err(Failure::new(Code::Usage, text).into())
}

/// What is to be cloned from where.
struct Plan {
    projects: Vec<Planned>,
    /// The projects that were chosen from a list, to be named in a command.
    chosen: Vec<String>,
}

struct Planned {
    host: Arc<Host>,
    path: String,
    account: Option<String>,
}

impl Plan {
    fn make(wanted: &Import, found: &Accounts, terminal: Terminal) -> Result<Self, Error> {
        let mut linked: Vec<Instance> = found.accounts.iter().filter_map(|account| account.instance()).collect();
        linked.sort();
        linked.dedup();
        let usual = wanted.host.as_ref().map_or_else(|| found.usual_instance(), |host| host.instance.clone());
        let account = wanted.account.as_deref();
        let mut hosts: BTreeMap<Instance, Arc<Host>> = BTreeMap::new();
        let mut host = |instance: &Instance| -> Result<Arc<Host>, Error> {
            if let Some(host) = hosts.get(instance) {
                return Ok(host.clone());
            }
            let git = Git { submodules: wanted.submodules, progress: terminal.draws(), ..Git::default() };
            let host = Arc::new(Host::new(instance, found, account, git, terminal)?);
            if host.unconfigured {
                terminal.note(&format!(
                    "git does not ask git-credential-gitlab for {instance} yet; this import does without, to push \
                     and fetch: git credential-gitlab configure {}",
                    instance.short()
                ));
            }
            hosts.insert(instance.clone(), host.clone());
            Ok(host)
        };
        let mut plan = Self { projects: Vec::new(), chosen: Vec::new() };
        for typed in &wanted.projects {
            let named = read(typed, wanted, &linked)?;
            if !named.path.contains('/') {
                return usage(&format!(
                    "{typed} is no path of a project, such as group/app; for a group: --group {typed}"
                ));
            }
            let host = host(named.instance.as_ref().unwrap_or(&usual))?;
            plan.projects.push(Planned { host, path: named.path, account: wanted.account.clone().or(named.user) });
        }
        let pick = wanted.projects.is_empty() && wanted.group.is_none();
        if pick || wanted.group.is_some() {
            let group = wanted.group.as_ref().map(|typed| read(typed, wanted, &linked)).transpose()?;
            let instance = group.as_ref().and_then(|group| group.instance.clone()).unwrap_or_else(|| usual.clone());
            let host = host(&instance)?;
            let group = group.map(|group| group.path);
            let from_environment = std::env::var(ACCOUNT_VARIABLE).ok().filter(|name| !name.is_empty());
            let lister = account.or(from_environment.as_deref());
            terminal.detail(&format!("asking {instance} for projects"));
            let mut projects = reach::projects(&instance, lister, group.as_deref(), wanted.min_access.as_deref())?;
            match &group {
                Some(group) => projects = below(projects, group, terminal)?,
                None => {
                    projects = picker::choose(projects)?;
                    plan.chosen = projects.iter().map(|project| project.path.clone()).collect();
                }
            }
            let projects = projects.into_iter().map(|project| project.path);
            let planned = |path| Planned { host: host.clone(), path, account: wanted.account.clone() };
            plan.projects.extend(projects.map(planned));
        }
        plan.drop_repeated();
        Ok(plan)
    }

    /// A project that is named twice is cloned once. GitLab does not look at the case of a path.
    fn drop_repeated(&mut self) {
        let mut seen = std::collections::HashSet::new();
        self.projects.retain(|it| seen.insert((it.host.instance.clone(), it.path.to_ascii_lowercase())));
    }

    fn carry_out(self, wanted: &Import, terminal: Terminal) -> Result<u8, Error> {
        let folder = Folder::open(&wanted.dir).map_err(|why| {
            let text = format!("the directory {} can't be used: {why}; choose another --dir", wanted.dir.display());
            Failure::new(Code::Failed, text)
        })?;
        let (show, stop) = (Show::new(terminal, wanted.json, self.projects.len()), Stop::on_signals());
        let paths: Vec<&str> = self.projects.iter().map(|project| project.path.as_str()).collect();
        let collisions = layout::collisions(&paths);
        let mut jobs = Vec::new();
        let all = self.projects.len();
        for (Planned { host, path, account }, collision) in self.projects.iter().zip(collisions) {
            let unfit = layout::check(path).err().map(|why| why.to_string());
            if let Some(why) = unfit.or(collision) {
                let shown = printable(path, 300);
                show.done(path, &folder.shown(shown.as_ref()), &Done::Failed(Reason::other(why)));
                continue;
            }
            let (url, directories) = (host.url(path, account.as_deref()), layout::directories(path));
            jobs.push(Job { host: host.clone(), path: path.clone(), url, directories });
        }
        let done = |job: &Job, done| show.done(&job.path, &folder.shown(&job.directories), &done);
        crew::work(&jobs, wanted.jobs, &folder, &stop, |job| show.begin(&job.path), done);
        folder.tidy();
        let counts = show.end();
        let left = all - counts.all();
        let again = again::command(&self.chosen);
        if stop.is_now() && left > 0 {
            terminal.say(&format!("stopped: {}, not done {left}; to go on: {again}", counts.phrase()));
            return Ok(INTERRUPTED);
        }
        match counts.failed() {
            0 => terminal.note(&counts.phrase()),
            _ => terminal.say(&format!("{}; to try again what failed: {again}", counts.phrase())),
        }
        Ok(counts.exit_code())
    }
}

/// A project or group as it was typed.
fn read(typed: &str, wanted: &Import, linked: &[Instance]) -> Result<Named, Error> {
    let shown = named::without_password(typed);
    let named = named::read(typed, linked).map_err(|why| {
        let code = match why {
            named::NotNamed::Elsewhere(_) => Code::NotLinked,
            named::NotNamed::Unfit(_) => Code::Usage,
        };
        Failure::new(code, format!("{shown}: {why}"))
    })?;
    match (&named.instance, &wanted.host) {
        (Some(instance), Some(host)) if *instance != host.instance => {
            usage(&format!("{shown} is on {instance}, and --host says {host}"))
        }
        _ => Ok(named),
    }
}

/// Those that are in the group: GitLab also lists projects that are only shared with it, which
/// belong elsewhere.
fn below(projects: Vec<Project>, group: &str, terminal: Terminal) -> Result<Vec<Project>, Error> {
    let group = format!("{}/", group.to_ascii_lowercase());
    let (mut inside, outside): (Vec<_>, Vec<_>) =
        projects.into_iter().partition(|project| project.path.to_ascii_lowercase().starts_with(&group));
    inside.sort_by_cached_key(|project| project.path.to_ascii_lowercase());
    let archived = inside.iter().filter(|project| project.archived).count();
    if archived > 0 {
        terminal
            .note(&format!("{archived} of {} projects are archived: they can be cloned, not pushed to", inside.len()));
    }
    if !outside.is_empty() {
        terminal.note(&format!("left out {} that the group only shares", outside.len()));
    }
    if inside.is_empty() {
        let text =
            format!("there is no project that you reach in {group}; to see those you do: git credential-gitlab repos");
        return Err(Failure::new(Code::Failed, text).into());
    }
    Ok(inside)
}
