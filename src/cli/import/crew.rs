//! Several projects at a time: each is looked for, cloned beside its place, and put there whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::folder::{self, Folder, There};
use super::git::Ended;
use super::host::Host;
use super::part::{self, Part};
use super::said::{Kind, Progress, Reason};
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
    Present,
    /// It could not be cloned.
    Failed(Reason),
}

/// Works on all of them, so many at a time. `worker` makes what tells of one worker's progress;
/// `done` is told of each that is done. Those that were not begun, or not finished, are told
/// nowhere.
pub(super) fn work<'a>(
    jobs: &'a [Job],
    at_a_time: u8,
    folder: &Folder,
    stop: &Stop,
    begin: impl Fn(&'a Job) -> Box<dyn FnMut(Progress) + 'a> + Sync,
    done: impl Fn(&'a Job, Done) + Sync,
) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..usize::from(at_a_time).min(jobs.len()) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.is_now() {
                        return;
                    }
                    let mut tell = begin(job);
                    let outcome = one(job, folder, stop, &mut tell);
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

/// One project; nothing if somebody ended it.
fn one(job: &Job, folder: &Folder, stop: &Stop, tell: &mut dyn FnMut(Progress)) -> Option<Done> {
    let failed = |why: String| Some(Done::Failed(Reason::other(why)));
    let target = match folder.prepare(&job.directories) {
        Ok(target) => target,
        Err(why) => return failed(why),
    };
    match here(job, &target) {
        None => {}
        found => return found,
    }
    let (parent, name) = (target.parent().expect("--dir is above"), target.file_name().expect("it has a name"));
    let name = name.to_str().expect("it was checked");
    let disk = |why: std::io::Error| failed(format!("{} can't be written: {why}", parent.display()));
    let part = match part::clear_stale(parent, name).and_then(|()| Part::new(parent, name)) {
        Ok(part) => part,
        Err(why) => return disk(why),
    };
    let mut pauses = PAUSES.iter();
    loop {
        if let Some(kind) = job.host.is_hopeless() {
            let text = "not tried, because several projects in a row failed before it".into();
            return Some(Done::Failed(Reason { kind, text }));
        }
        let reason = match job.host.git.clone(&job.url, &part.clone(), stop, &mut *tell) {
            Ended::Stopped => return None,
            Ended::Well { empty } => {
                job.host.note(None);
                return match part.finish(&target) {
                    Ok(()) => Some(Done::Cloned { empty }),
                    // Somebody was faster.
                    Err(why) => here(job, &target).map_or_else(|| disk(why), Some),
                };
            }
            Ended::Badly(reason) => reason,
        };
        match (reason.kind, pauses.next()) {
            (Kind::Unreachable, Some(pause)) => {
                stop.wait(*pause);
                if stop.is_now() {
                    return None;
                }
                if let Err(why) = part.clear() {
                    return disk(why);
                }
            }
            (kind, _) => {
                job.host.note(Some(kind));
                return Some(Done::Failed(reason));
            }
        }
    }
}

/// What is said of a project whose place is taken.
fn here(job: &Job, target: &Path) -> Option<Done> {
    let shown = target.display();
    match folder::look(target, &job.host.instance, &job.path) {
        Ok(There::Nothing) => None,
        Ok(There::Clone) => Some(Done::Present),
        Ok(There::Other(what)) => {
            Some(Done::Failed(Reason::other(format!("{shown} is {what}; move it away, or import to another --dir"))))
        }
        Err(why) => Some(Done::Failed(Reason::other(format!("{shown} can't be read: {why}")))),
    }
}
