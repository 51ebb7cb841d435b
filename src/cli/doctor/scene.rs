//! Looking at everything that the checks judge: which GitLabs and repositories are meant, what git
//! and the daemon say about them, all servers at the same time.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use super::finding::Finding;
use super::instead::{self, Others};
use super::remote::{Named, Remote};
use super::{git, machine, repository, server};
use crate::cli::accounts::{Account, Accounts};
use crate::cli::call::{self, Reply};
use crate::cli::error::Error;
use crate::cli::git_config::Git;
use crate::cli::silent;
use crate::cli::terminal::Terminal;
use crate::client::Start;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{self, Code, action, key};

mod question;
mod subject;
mod trial;

use question::{others, question};
use subject::{Subject, Subjects, subjects};

/// All that waits for servers has ended by then. A person waits so long, and not longer.
const SERVERS_WITHIN: Duration = Duration::from_secs(25);

/// The daemon looks at one address for 5 s at most.
const PROBE_WITHIN: Duration = Duration::from_secs(7);

/// Whether a token lives: what is late is left out.
const CHECK_WITHIN: Duration = Duration::from_secs(8);

/// git asks a server twice or three times, and a proxy and a helper before that.
const GIT_WITHIN: Duration = Duration::from_secs(10);

/// Less says nothing about a server that is slow.
const GIT_NEEDS: Duration = Duration::from_secs(3);

/// All that was found.
pub(super) struct Scene {
    pub(super) machine: machine::Machine,
    pub(super) git: Vec<git::View>,
    pub(super) servers: Vec<server::View>,
    pub(super) accounts: Vec<server::AccountView>,
    pub(super) repositories: Vec<repository::View>,
    /// Remotes here that were not looked at.
    pub(super) passed_over: Vec<(Named, Remote)>,
}

/// What was learnt at one GitLab.
struct Visit {
    server: server::View,
    accounts: Vec<server::AccountView>,
    repositories: Vec<repository::View>,
}

impl Scene {
    pub(super) fn look(wanted: Option<&str>, terminal: Terminal) -> Result<Self, Error> {
        tell("looking at this machine", terminal);
        let daemon = silent::accounts_within(Start::IfAbsent, call::SOON);
        let known: Vec<Account> = daemon.as_ref().map(|found| found.accounts.clone()).unwrap_or_default();
        let unreachable = daemon.as_ref().err().map(ToString::to_string);
        let here = Git::here(terminal);
        let Subjects { found: subjects, passed_over } = subjects(wanted, &known, &here)?;
        let machine = machine::Machine::look(daemon);
        let environment: std::collections::BTreeMap<String, String> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let (git, servers, accounts, repositories) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let passed_over = passed_over.into_iter().filter_map(|subject| Some((subject.name?, subject.remote))).collect();
        let mut scene = Self { machine, git, servers, accounts, repositories, passed_over };
        let mut instances: Vec<Instance> = subjects.iter().filter_map(|subject| subject.instance.clone()).collect();
        instances.sort();
        instances.dedup();
        for subject in &subjects {
            let Some(instance) = &subject.instance else {
                // Nobody can be asked about it.
                let facts = Err((Code::Usage, Finding::skip("it is no address of a GitLab").detail));
                let (name, remote) = (subject.name.clone(), subject.remote.clone());
                let others = Others::none();
                scene.repositories.push(repository::View { name, remote, instance: None, branch: None, facts, others });
                continue;
            };
            // What git would look up; an ssh address has nothing to look up.
            let url = match (&subject.effective, &subject.url) {
                (effective @ Remote::Web { .. }, Some(_)) => effective.without_password(),
                _ => instance.to_string(),
            };
            scene.git.push(git::View {
                instance: instance.clone(),
                accounts: of(&known, instance),
                name: subject.name.clone(),
                remote: subject.url.clone(),
                settings: git::Settings::read(&here, &url),
                environment: environment.clone(),
                proxy_refusal: None,
                works: git::Works::NotTried("the server was not reached"),
            });
        }
        thread::scope(|scope| {
            for view in &mut scene.git {
                scope.spawn(move || view.proxy_refusal = git::refusal(view));
            }
        });
        if !instances.is_empty() {
            let hosts = instances.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            tell(&format!("looking at {hosts}, for {} s at most", SERVERS_WITHIN.as_secs()), terminal);
        }
        let deadline = Instant::now() + SERVERS_WITHIN;
        let visits: Vec<Visit> = thread::scope(|scope| {
            let visits: Vec<_> = instances
                .iter()
                .map(|instance| {
                    let (subjects, views) = (&subjects, &scene.git);
                    let known = of(&known, instance);
                    let unreachable = unreachable.clone();
                    scope.spawn(move || visit(instance, known, unreachable, subjects, views, deadline))
                })
                .collect();
            visits.into_iter().map(|visit| visit.join().expect("nothing panics there")).collect()
        });
        for visit in visits {
            scene.servers.push(visit.server);
            scene.accounts.extend(visit.accounts);
            scene.repositories.extend(visit.repositories);
        }
        scene.try_git(deadline);
        Ok(scene)
    }
}

/// What is being looked at, for somebody who waits in front of it.
fn tell(text: &str, terminal: Terminal) {
    if io::stderr().is_terminal() {
        terminal.note(text);
    }
}

impl Scene {
    /// Lets git itself try, wherever that harms nobody.
    fn try_git(&mut self, deadline: Instant) {
        let Self { git, accounts, repositories, .. } = self;
        thread::scope(|scope| {
            for view in git {
                match trial::target(view, accounts, repositories) {
                    Err(why) => view.works = git::Works::NotTried(why),
                    Ok(_) if left(GIT_WITHIN, deadline) < GIT_NEEDS => {
                        view.works = git::Works::NotTried("there was no time left");
                    }
                    Ok(target) => {
                        scope.spawn(move || view.works = git::try_git(&target, left(GIT_WITHIN, deadline)));
                    }
                }
            }
        });
    }
}

fn of(accounts: &[Account], instance: &Instance) -> Vec<Account> {
    accounts.iter().filter(|account| account.instance().as_ref() == Some(instance)).cloned().collect()
}

/// Everything about one GitLab, in the order in which it may be asked: what a renewal would kill
/// is not used while the login is checked.
fn visit(
    instance: &Instance,
    known: Vec<Account>,
    unreachable: Option<String>,
    subjects: &[Subject],
    views: &[git::View],
    deadline: Instant,
) -> Visit {
    let is_linked = !known.is_empty();
    let labels: Vec<String> = known.iter().map(|account| account.label.clone()).collect();
    let own = || subjects.iter().filter(|subject| subject.instance.as_ref() == Some(instance));
    let facts = match unreachable {
        Some(why) => Err(why),
        None => ask(&about(instance), PROBE_WITHIN, deadline).map_err(|(_, why)| why),
    };
    let elsewhere = facts.as_ref().ok().filter(|facts| facts.text("status") == Some("404")).and_then(|_| {
        let below = own().filter_map(|subject| Instance::parse(subject.url.as_deref()?.split('?').next()?).ok());
        below_paths(instance, below.collect())
            .into_iter()
            .find(|base| ask(&about(base), PROBE_WITHIN, deadline).is_ok_and(|facts| server::is_gitlab(&facts)))
    });
    let answers = facts.as_ref().is_ok_and(|facts| facts.get("status").is_some());
    let server = server::View { instance: instance.clone(), is_linked, facts, elsewhere };
    let not_asked = || (Code::Unreachable, "the server was not reached".to_owned());
    let (checked, unchecked) = match is_linked && answers {
        false => (known, Some("it was not reached".to_owned())),
        true => match Accounts::ask_within(Some(instance), true, Start::Never, left(CHECK_WITHIN, deadline)) {
            Ok(found) => (found.accounts, None),
            Err(why) => (known, Some(why.to_string())),
        },
    };
    let asked = |request: &Attributes| match answers {
        true => ask(request, SERVERS_WITHIN, deadline),
        false => Err(not_asked()),
    };
    let labels = &labels;
    thread::scope(|scope| {
        let accounts: Vec<_> = checked
            .into_iter()
            .map(|account| {
                let unchecked = unchecked.clone();
                scope.spawn(move || {
                    let facts = asked(&about(instance).with(key::ACCOUNT, &account.label));
                    server::AccountView { account, unchecked, facts }
                })
            })
            .collect();
        let repositories: Vec<_> = own()
            .filter(|subject| subject.url.is_some())
            .map(|subject| {
                scope.spawn(move || {
                    let view = views.iter().find(|view| view.remote == subject.url);
                    let facts = match (is_linked, question(subject, view)) {
                        (true, Some(request)) => asked(&request),
                        (false, _) => Err((Code::NotLinked, format!("{instance} is not linked"))),
                        (_, None) => Err((Code::Usage, "git does not ask us".into())),
                    };
                    let others = match &facts {
                        Ok(facts) if instead::is_wanted(facts) => others(facts, labels, subject, view, &asked),
                        _ => Others::none(),
                    };
                    let (name, remote) = (subject.name.clone(), subject.remote.clone());
                    let (instance, branch) = (Some(instance.clone()), subject.branch.clone());
                    repository::View { name, remote, instance, branch, facts, others }
                })
            })
            .collect();
        let end = "nothing panics there";
        let accounts = accounts.into_iter().map(|thread| thread.join().expect(end)).collect();
        let repositories = repositories.into_iter().map(|thread| thread.join().expect(end)).collect();
        Visit { server, accounts, repositories }
    })
}

/// The base URLs that the address of a repository could have, the shortest in front.
fn below_paths(instance: &Instance, repositories: Vec<Instance>) -> Vec<Instance> {
    let mut bases = Vec::new();
    for repository in repositories {
        let parts: Vec<&str> = instance.rest_of(&repository).unwrap_or_default().split('/').collect();
        // The last two are a group and a project.
        for count in 1..parts.len().saturating_sub(1) {
            bases.extend(Instance::parse(&format!("{instance}/{}", parts[..count].join("/"))));
        }
    }
    bases.dedup();
    bases.truncate(3); // who has deeper ones knows of it
    bases
}

fn about(instance: &Instance) -> Attributes {
    protocol::request(action::PROBE).with("host", instance.to_string())
}

fn left(within: Duration, deadline: Instant) -> Duration {
    within.min(deadline.saturating_duration_since(Instant::now()))
}

/// One question to the daemon, and its one block.
fn ask(request: &Attributes, within: Duration, deadline: Instant) -> Result<Attributes, (Code, String)> {
    let within = left(within.min(call::AFTER_ASKING_SERVERS), deadline);
    let answered = Reply::to(request, Start::Never, within).and_then(|mut reply| reply.good_block());
    match answered {
        Ok(block) => Ok(block.unwrap_or_default()),
        Err(Error::Refused(failure)) => Err((failure.code, failure.message)),
        Err(why) => Err((Code::Failed, why.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(typed: &str) -> Instance {
        Instance::parse(typed).expect(typed)
    }

    #[test]
    fn a_base_below_a_path_is_looked_for_in_the_address() {
        let bases = below_paths(&instance("h"), vec![instance("https://h/git/lab/group/app.git")]);
        assert_eq!(bases, [instance("h/git"), instance("h/git/lab")]);
        assert_eq!(below_paths(&instance("h"), vec![instance("h/group/app")]), []);
    }
}
