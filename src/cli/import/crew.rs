//! Several projects at a time: each is looked for, cloned beside its place, and put there whole.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::folder::{self, Folder, Remote, There};
use super::git::Ended;
use super::host::Host;
use super::part::{self, Part};
use super::said::{Progress, Reason};
use super::stop::Stop;

/// Before the second and the third try: a proxy that is restarted takes a second, a server some.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// A project to clone.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) host: Arc<Host>,
    pub(super) path: String,
    pub(super) url: String,
    /// Below `--dir`.
    pub(super) directories: PathBuf,
    /// The name of the account that clones it.
    pub(super) account: Option<String>,
    /// The person named it, so it goes before the one that a clone remembers.
    pub(super) account_named: bool,
    /// What is there already is fetched into.
    pub(super) fetch: bool,
    /// The word of the command line that names it alone.
    pub(super) typed: Option<String>,
}

/// What became of a project.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It is here now.
    Cloned {
        /// There is nothing in it.
        empty: bool,
    },
    /// It was here.
    Present {
        /// What is new at the server is here now, too.
        fetched: bool,
    },
    /// It could not be cloned.
    Failed(Reason),
}

/// What all who work have in common.
pub(super) struct Crew<'a> {
    pub(super) folder: &'a Folder,
    pub(super) stop: &'a Stop,
    /// How many work at a time.
    pub(super) at_a_time: u8,
    /// Makes what is told how far a project is.
    pub(super) begin: &'a (dyn Fn(&'a Job) -> Box<dyn FnMut(Progress) + 'a> + Sync),
}

impl<'a> Crew<'a> {
    /// Works on all of them. `later` is told of each that failed for a reason that may pass: those
    /// are tried again when the others are done. `done` is told of each that is done. Those that
    /// were not begun, or not finished, are told nowhere.
    pub(super) fn work(
        &self,
        jobs: &'a [Job],
        later: impl Fn(&'a Job, &Reason) + Sync,
        done: impl Fn(&'a Job, Done) + Sync,
    ) {
        let put_off = Mutex::new(Vec::new());
        let all: Vec<_> = jobs.iter().map(|job| (job, None)).collect();
        self.round(&all, |job, outcome| match outcome {
            Done::Failed(reason) if reason.kind.may_pass() => {
                later(job, &reason);
                put_off.lock().expect("nobody panics here").push((job, Some(reason)));
            }
            outcome => done(job, outcome),
        });
        self.round(&put_off.into_inner().expect("nobody panics here"), done);
    }

    /// Each has its turn; with why it failed before, if it did.
    fn round(&self, jobs: &[(&'a Job, Option<Reason>)], done: impl Fn(&'a Job, Done) + Sync) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..usize::from(self.at_a_time).min(jobs.len()) {
                scope.spawn(|| {
                    while let Some((job, before)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.stop.is_now() {
                            return;
                        }
                        let mut tell = (self.begin)(job);
                        let outcome = one(job, before.as_ref(), self.folder, self.stop, &mut tell);
                        drop(tell);
                        match outcome {
                            Some(outcome) => done(job, outcome),
                            None => return,
                        }
                    }
                });
            }
        });
    }
}

/// One project; nothing if somebody ended it.
fn one(
    job: &Job,
    before: Option<&Reason>,
    folder: &Folder,
    stop: &Stop,
    tell: &mut dyn FnMut(Progress),
) -> Option<Done> {
    let failed = |why: String| Some(Done::Failed(Reason::other(why)));
    let target = match folder.prepare(&job.directories) {
        Ok(target) => target,
        Err(why) => return failed(why),
    };
    match here(job, &target) {
        Here::Nothing => {}
        Here::Clone(remote) if job.fetch => return fetch(job, before, &target, &remote, stop, tell),
        Here::Clone(_) => return Some(Done::Present { fetched: false }),
        Here::Other(why) => return failed(why),
    }
    let (parent, name) = (target.parent().expect("--dir is above"), target.file_name().expect("it has a name"));
    let name = name.to_str().expect("it was checked");
    let disk = |why: std::io::Error| format!("{} can't be written: {why}", parent.display());
    let part = match part::clear_stale(parent, name).and_then(|()| Part::new(parent, name)) {
        Ok(part) => part,
        Err(why) => return failed(disk(why)),
    };
    let cloned = persist(job, before, stop, || match part.clear() {
        Ok(()) => job.host.git.clone(&job.url, &part.clone(), stop, &mut *tell),
        Err(why) => Ended::Badly(Reason::other(disk(why))),
    });
    let Well { empty } = match cloned? {
        Ok(well) => well,
        Err(reason) => return Some(Done::Failed(reason)),
    };
    match part.finish(&target) {
        Ok(()) => Some(Done::Cloned { empty }),
        // Somebody was faster.
        Err(why) => match here(job, &target) {
            Here::Nothing => failed(disk(why)),
            Here::Clone(_) => Some(Done::Present { fetched: false }),
            Here::Other(why) => failed(why),
        },
    }
}

/// What is new comes into a clone that is there; its own files stay as they are.
fn fetch(
    job: &Job,
    before: Option<&Reason>,
    clone: &Path,
    remote: &Remote,
    stop: &Stop,
    tell: &mut dyn FnMut(Progress),
) -> Option<Done> {
    // ssh would ask for other keys, and may ask the person.
    let is_http = remote.url.starts_with("https://") || remote.url.starts_with("http://");
    let url = (job.account_named || !is_http).then_some(job.url.as_str());
    let ended = persist(job, before, stop, || job.host.git.fetch(clone, remote, url, stop, &mut *tell))?;
    Some(ended.map_or_else(Done::Failed, |_| Done::Present { fetched: true }))
}

/// git did what it was asked for.
struct Well {
    /// There is nothing in the repository.
    empty: bool,
}

/// Tries until it works, or until trying again makes no sense; nothing if somebody ended it.
/// `before` is why it failed the last time.
fn persist(
    job: &Job,
    before: Option<&Reason>,
    stop: &Stop,
    mut attempt: impl FnMut() -> Ended,
) -> Option<Result<Well, Reason>> {
    let (mut pauses, mut before) = (PAUSES.iter(), before.cloned());
    loop {
        if let Some(kind) = job.host.streak().is_hopeless() {
            let text = "not tried, because several projects in a row failed before it".into();
            return Some(Err(before.unwrap_or(Reason { kind, text })));
        }
        let reason = match attempt() {
            Ended::Stopped => return None,
            Ended::Well { empty } => {
                job.host.streak().note(None);
                return Some(Ok(Well { empty }));
            }
            Ended::Badly(reason) => reason,
        };
        let pause = pauses.next().filter(|_| reason.kind.may_pass() && !job.host.streak().is_troubled());
        let Some(pause) = pause else {
            job.host.streak().note(Some(reason.kind));
            return Some(Err(reason));
        };
        before = Some(reason);
        stop.wait(*pause);
        if stop.is_now() {
            return None;
        }
    }
}

/// What is where a project belongs.
enum Here {
    Nothing,
    Clone(Remote),
    /// Something that is left alone, and why.
    Other(String),
}

fn here(job: &Job, target: &Path) -> Here {
    let shown = target.display();
    match folder::look(target, &job.host.instance, &job.path) {
        Ok(There::Nothing) => Here::Nothing,
        Ok(There::Clone(remote)) => Here::Clone(remote),
        Ok(There::Other(what)) => Here::Other(format!("{shown} is {what}; move it away, or import to another --dir")),
        Err(why) => Here::Other(format!("{shown} can't be read: {why}")),
    }
}
