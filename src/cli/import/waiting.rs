//! What a person sees while a list of projects comes: how many there are so far.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::Screen;
use crate::cli::terminal::Terminal;
use crate::instance::Instance;

/// A hundred come at a time, seldom faster than this.
const REDRAWS_PER_SECOND: u8 = 10;

/// The line, which goes with it.
pub(super) struct Waiting {
    line: Option<ProgressBar>,
    begin: String,
}

impl Waiting {
    /// For the projects of a GitLab.
    pub(super) fn on(terminal: Terminal, instance: &Instance) -> Self {
        let begin = format!("asking {instance} for projects");
        let line = terminal.draws().then(|| {
            let target = ProgressDrawTarget::term_like_with_hz(Box::new(Screen::stderr()), REDRAWS_PER_SECOND);
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("a constant");
            let line = ProgressBar::with_draw_target(None, target);
            line.set_style(style.tick_chars("|/-\\ "));
            line.set_message(begin.clone());
            line.enable_steady_tick(Duration::from_millis(250)); // something moves, also while a server thinks
            line
        });
        match line {
            Some(_) => {}
            None if terminal.can_ask() => terminal.note(&begin),
            None => terminal.detail(&begin),
        }
        Self { line, begin }
    }

    /// So many have come.
    pub(super) fn so_far(&self, count: usize) {
        if let Some(line) = &self.line {
            line.set_message(format!("{}: {count} so far", self.begin));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
