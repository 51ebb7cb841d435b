//! What a person or a program sees while projects are imported: a line as each is done, and on a
//! terminal a bar for each that is under way.
//!
//! The bars are plain ASCII without colour, so that every terminal shows them.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::crew::{Done, Job};
use super::said::{Kind, Progress};
use super::screen::Screen;
use crate::cli::error::Error;
use crate::cli::terminal::Terminal;
use crate::credential::printable;
use crate::protocol::Code;

/// Below it there is room for a name and a number only.
const WIDE: u16 = 60;

/// Often enough for the eye, and seldom enough for a slow line to a remote terminal.
const REDRAWS_PER_SECOND: u8 = 10;

/// Longer than any line of a terminal; a bar cuts it to the width.
const LONGEST_NAME: usize = 500;

/// What is shown.
pub(super) struct Show {
    terminal: Terminal,
    json: bool,
    bars: Option<Bars>,
    counts: Mutex<Counts>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    each: ProgressStyle,
}

/// How many projects ended in which way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) cloned: usize,
    pub(super) present: usize,
    /// Of those that were present.
    pub(super) fetched: usize,
    pub(super) refused: usize,
    pub(super) unreached: usize,
    pub(super) otherwise: usize,
    /// Of those that failed: the same command would get no more.
    pub(super) for_good: usize,
    /// stdout could not be written.
    pub(super) unheard: bool,
}

impl Counts {
    fn add(&mut self, done: &Done) {
        let reason = match done {
            Done::Cloned { .. } => return self.cloned += 1,
            Done::Present { fetched } => {
                self.present += 1;
                return self.fetched += usize::from(*fetched);
            }
            Done::Failed(reason) => reason,
        };
        *match reason.kind {
            Kind::Refused | Kind::Unseen | Kind::Banned => &mut self.refused,
            Kind::Unreachable | Kind::Troubled => &mut self.unreached,
            Kind::NoToken | Kind::Elsewhere | Kind::Other => &mut self.otherwise,
        } += 1;
        self.for_good += usize::from(matches!(reason.kind, Kind::Refused | Kind::Unseen | Kind::Elsewhere));
    }

    pub(super) fn failed(&self) -> usize {
        self.refused + self.unreached + self.otherwise
    }

    /// Whether the same command could get more than this one did.
    pub(super) fn may_pass(&self) -> bool {
        self.failed() > self.for_good
    }

    pub(super) fn all(&self) -> usize {
        self.cloned + self.present + self.failed()
    }

    /// The exit code of an import that ended so.
    pub(super) fn exit_code(&self) -> u8 {
        match self.failed() {
            0 if self.unheard => Code::Failed.exit_code(),
            0 => 0,
            failed if failed == self.refused => Code::Refused.exit_code(),
            failed if failed == self.unreached => Code::Unreachable.exit_code(),
            _ => Code::Failed.exit_code(),
        }
    }

    /// `cloned 3, present 1 (fetched 1), failed 2`
    pub(super) fn phrase(&self) -> String {
        let fetched = if self.fetched > 0 { format!(" (fetched {})", self.fetched) } else { String::new() };
        format!("cloned {}, present {}{fetched}, failed {}", self.cloned, self.present, self.failed())
    }
}

impl Show {
    /// For so many projects.
    pub(super) fn new(terminal: Terminal, json: bool, projects: usize) -> Self {
        let bars = terminal.draws().then(|| Bars::new(projects));
        Self { terminal, json, bars, counts: Mutex::default() }
    }

    /// A project is begun; the result is told how far it is.
    pub(super) fn begin(&self, job: &Job) -> Box<dyn FnMut(Progress)> {
        let Job { path, url, .. } = job;
        let _ = self.aside(|| {
            self.terminal.detail(&format!("git clone {url}"));
            Ok(())
        });
        let Some(bars) = &self.bars else { return Box::new(|_| {}) };
        let bar = bars.all.insert_before(&bars.total, ProgressBar::new(100));
        bar.set_style(bars.each.clone());
        bar.set_message(printable(path, LONGEST_NAME));
        bar.set_prefix("starting");
        bar.tick();
        let bar = Bar(bar);
        Box::new(move |progress| {
            let Bar(bar) = &bar;
            bar.set_prefix(progress.phase);
            bar.set_position(progress.percent.into());
        })
    }

    /// A project failed, and will be tried again.
    pub(super) fn put_off(&self, path: &str, why: &str) {
        let _ = self.aside(|| {
            self.terminal.detail(&format!("{path}: {why}; it is tried again when the others are done"));
            Ok(())
        });
    }

    /// A project is done.
    pub(super) fn done(&self, path: &str, directory: &Path, done: &Done) {
        let (result, detail) = match done {
            Done::Cloned { empty: true } => ("cloned", "the repository is empty"),
            Done::Cloned { empty: false } => ("cloned", ""),
            Done::Present { fetched: true } => ("present", "fetched"),
            Done::Present { fetched: false } => ("present", ""),
            Done::Failed(reason) => ("failed", reason.text.as_str()),
        };
        let directory = directory.display().to_string();
        let said = self.aside(|| match self.json {
            true => {
                let object = json!({ "path": path, "dir": directory, "result": result, "detail": detail });
                self.terminal.print(&object.to_string())
            }
            false if result == "failed" => {
                self.terminal.say(&format!("failed {}: {detail}", printable(path, LONGEST_NAME)));
                Ok(())
            }
            false if detail.is_empty() => self.terminal.print(&format!("{result} {path} in {directory}")),
            false => self.terminal.print(&format!("{result} {path} in {directory} ({detail})")),
        });
        let mut counts = self.counts.lock().expect("nobody panics here");
        counts.add(done);
        counts.unheard |= said.is_err();
        if let Some(bars) = &self.bars {
            bars.total.set_message(if counts.failed() > 0 {
                format!(", {} failed", counts.failed())
            } else {
                String::new()
            });
            bars.total.set_position(counts.all() as u64);
        }
    }

    /// Says something where the bars do not overwrite it.
    fn aside(&self, say: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        match &self.bars {
            Some(bars) => bars.all.suspend(say),
            None => say(),
        }
    }

    /// Takes the bars away.
    pub(super) fn end(&self) -> Counts {
        if let Some(bars) = &self.bars {
            bars.total.finish_and_clear();
            let _ = bars.all.clear(); // nobody may look any more
        }
        *self.counts.lock().expect("nobody panics here")
    }
}

impl Bars {
    fn new(projects: usize) -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Screen::stderr()), REDRAWS_PER_SECOND);
        let wide = Term::stderr().size_checked().is_none_or(|(_, columns)| columns >= WIDE);
        let style = |template: &str| {
            let style = ProgressStyle::with_template(template).expect("a constant");
            style.progress_chars("=> ").tick_chars("|/-\\ ")
        };
        let (each, whole) = match wide {
            true => {
                ("  {wide_msg} {prefix:>12} [{bar:20}] {percent:>3}%", "{spinner} {pos} of {len} done{msg}, {elapsed}")
            }
            false => ("{wide_msg} {percent:>3}%", "{spinner} {pos} of {len} done{msg}"),
        };
        let all = MultiProgress::with_draw_target(target);
        let total = all.add(ProgressBar::new(projects as u64));
        total.set_style(style(whole));
        total.enable_steady_tick(Duration::from_millis(250)); // something moves, also while a server thinks
        Self { all, total, each: style(each) }
    }
}

/// The bar of a project, which goes with it.
struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
