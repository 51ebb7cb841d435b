//! What is to be cloned from where: what was named, a group, or what is chosen from a list.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::git::Git;
use super::host::Host;
use super::named::{self, Named, NotNamed};
use super::reach::{self, Project};
use super::waiting::Waiting;
use super::{picker, usage};
use crate::cli::accounts::Accounts;
use crate::cli::arguments::Import;
use crate::cli::error::Error;
use crate::cli::seen;
use crate::cli::terminal::Terminal;
use crate::cli::whose;
use crate::instance::Instance;
use crate::protocol::{Code, Failure};

/// What is to be cloned.
pub(super) struct Plan {
    pub(super) projects: Vec<Planned>,
    /// The projects that were chosen from a list, to be named in a command.
    pub(super) chosen: Vec<String>,
}

/// One project of it.
pub(super) struct Planned {
    pub(super) host: Arc<Host>,
    pub(super) path: String,
    pub(super) account: Option<String>,
    /// The word of the command line that names it alone.
    pub(super) typed: Option<String>,
}

/// The GitLabs that are linked, those that are needed looked at once.
struct Hosts<'a> {
    wanted: &'a Import,
    found: &'a Accounts,
    terminal: Terminal,
    linked: Vec<Instance>,
    opened: BTreeMap<Instance, Arc<Host>>,
}

impl Plan {
    /// Asks the servers, and the person, only for what was not named.
    pub(super) fn make(wanted: &Import, found: &Accounts, terminal: Terminal) -> Result<Self, Error> {
        let mut hosts = Hosts::new(wanted, found, terminal);
        let mut plan = Self { projects: Vec::new(), chosen: Vec::new() };
        for typed in &wanted.projects {
            plan.projects.push(hosts.project(typed)?);
        }
        if let Some(group) = &wanted.group {
            plan.projects.extend(hosts.group(group)?);
        } else if wanted.projects.is_empty() {
            plan.projects.extend(hosts.choice()?);
            plan.chosen = plan.projects.iter().map(|project| project.path.clone()).collect();
        }
        // What is named twice is cloned once. GitLab does not look at the case of a path.
        let mut seen = HashSet::new();
        plan.projects.retain(|it| seen.insert((it.host.instance.clone(), it.path.to_ascii_lowercase())));
        Ok(plan)
    }
}

impl<'a> Hosts<'a> {
    fn new(wanted: &'a Import, found: &'a Accounts, terminal: Terminal) -> Self {
        let mut linked: Vec<Instance> = found.accounts.iter().filter_map(|account| account.instance()).collect();
        linked.sort();
        linked.dedup();
        Self { wanted, found, terminal, linked, opened: BTreeMap::new() }
    }

    fn open(&mut self, instance: &Instance) -> Result<Arc<Host>, Error> {
        if let Some(host) = self.opened.get(instance) {
            return Ok(host.clone());
        }
        let Self { wanted, terminal, .. } = self;
        let git = Git { submodules: wanted.submodules, progress: terminal.draws(), ..Git::default() };
        let host = Arc::new(Host::new(instance, self.found, wanted.account.as_deref(), git, *terminal)?);
        if host.unconfigured {
            terminal.note(&format!(
                "git does not ask git-credential-gitlab for {instance} yet; this import does without, to push \
                 and fetch: git credential-gitlab configure {}",
                instance.short()
            ));
        }
        self.opened.insert(instance.clone(), host.clone());
        Ok(host)
    }

    /// The GitLab of an address, else the one that --host names, else the usual one.
    fn meant(&self, addressed: Option<Instance>) -> Result<Instance, Error> {
        let named = addressed.or_else(|| self.wanted.host.as_ref().map(|host| host.instance.clone()));
        Ok(self.found.meant(named.as_ref())?)
    }

    /// One that was named.
    fn project(&mut self, typed: &str) -> Result<Planned, Error> {
        let named = self.read(typed)?;
        if !named.path.contains('/') {
            return usage(&format!("{typed} is no path of a project, such as group/app; for a group: --group {typed}"));
        }
        let instance = self.meant(named.instance)?;
        let host = self.open(&instance)?;
        let account = self.wanted.account.clone().or(named.user);
        Ok(Planned { host, path: named.path, account, typed: Some(typed.to_owned()) })
    }

    /// All of a group.
    fn group(&mut self, typed: &str) -> Result<Vec<Planned>, Error> {
        let group = self.read(typed)?;
        let instance = self.meant(group.instance)?;
        let projects = self.reach(&instance, Some(&group.path));
        let projects = projects.map_err(|why| self.rather_a_project(&instance, &group.path, why))?;
        self.planned(&instance, below(projects, &group.path, self.terminal)?)
    }

    /// Why there is no such group: it may be a project's path.
    fn rather_a_project(&mut self, instance: &Instance, path: &str, why: Error) -> Error {
        let Error::Refused(said) = &why else { return why };
        let account = self.open(instance).ok().and_then(|host| host.label(path, self.wanted.account.as_deref()));
        let is_project = |account: String| seen::project(instance, &account, path) == Some(true);
        match seen::is_no_group(said) && account.is_some_and(is_project) {
            true => {
                let text = format!("{path} is a project; to import it: git credential-gitlab import {path}");
                Failure::new(Code::Refused, text).into()
            }
            false => why,
        }
    }

    /// Those that the person chooses from all.
    fn choice(&mut self) -> Result<Vec<Planned>, Error> {
        let instance = self.meant(None)?;
        let projects = self.reach(&instance, None)?;
        if projects.is_empty() {
            return Err(Failure::new(Code::Failed, format!("there is no project that you reach at {instance}")).into());
        }
        self.planned(&instance, picker::choose(projects)?)
    }

    fn reach(&mut self, instance: &Instance, group: Option<&str>) -> Result<Vec<Project>, Error> {
        self.open(instance)?;
        let Import { account, min_access, .. } = self.wanted;
        let (account, waiting) = (whose::account(account.as_deref()), Waiting::on(self.terminal, instance));
        reach::projects(instance, account.as_deref(), group, min_access.as_deref(), |count| waiting.so_far(count))
    }

    fn planned(&mut self, instance: &Instance, projects: Vec<Project>) -> Result<Vec<Planned>, Error> {
        let (host, account) = (self.open(instance)?, &self.wanted.account);
        let planned =
            |Project { path, .. }| Planned { host: host.clone(), path, account: account.clone(), typed: None };
        Ok(projects.into_iter().map(planned).collect())
    }

    /// A project or group as it was typed.
    fn read(&self, typed: &str) -> Result<Named, Error> {
        let shown = named::without_password(typed);
        let named = named::read(typed, &self.linked).map_err(|why| {
            let code = match why {
                NotNamed::Elsewhere(_) => Code::NotLinked,
                NotNamed::Unfit(_) => Code::Usage,
            };
            Failure::new(code, format!("{shown}: {why}"))
        })?;
        match (&named.instance, &self.wanted.host) {
            (Some(instance), Some(host)) if *instance != host.instance => {
                usage(&format!("{shown} is on {instance}, and --host says {host}"))
            }
            _ => Ok(named),
        }
    }
}

/// Those that are in the group: GitLab also lists projects that are only shared with it, which
/// belong elsewhere.
fn below(projects: Vec<Project>, group: &str, terminal: Terminal) -> Result<Vec<Project>, Error> {
    let group = format!("{}/", group.to_ascii_lowercase());
    let (mut inside, outside): (Vec<_>, Vec<_>) =
        projects.into_iter().partition(|project| project.path.to_ascii_lowercase().starts_with(&group));
    inside.sort_by_cached_key(|project| project.path.to_ascii_lowercase());
    let (archived, all) = (inside.iter().filter(|project| project.archived).count(), inside.len());
    if archived > 0 {
        let are = if archived == 1 { "is" } else { "are" };
        terminal.note(&format!("{archived} of {all} projects {are} archived: to be cloned, not pushed to"));
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
