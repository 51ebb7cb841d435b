//! One `git clone` or `git fetch`: started, watched, ended if the person wants it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::folder::Remote;
use super::said::{self, Progress, Reason};
use super::stop::Stop;

/// How often is looked whether the person has had enough.
const LOOK: Duration = Duration::from_millis(50);

/// git removes what it made when it is asked to end, and that takes a moment for a large clone.
const END_WITHIN: Duration = Duration::from_secs(5);

/// A process that git left may hold its stderr open: nothing more is expected there.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// git's and GitLab's lines are much shorter; of a longer one the rest is not kept.
const LONGEST_LINE: usize = 2000;

/// The last lines say why git failed, all before them only how far it was.
const LINES_KEPT: usize = 30;

/// git describes one repository to its children with these: that of the command above us.
pub(super) const OF_A_REPOSITORY: [&str; 9] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// How projects of one GitLab are cloned.
#[derive(Debug, Default)]
pub(super) struct Git {
    /// `git -c`: for this command alone, so nothing of it gets into the clone's config.
    pub(super) settings: Vec<(String, String)>,
    /// Variables that must not reach git.
    pub(super) without: Vec<&'static str>,
    pub(super) submodules: bool,
    /// Somebody looks.
    pub(super) progress: bool,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is whole.
    Well {
        /// There is nothing in it.
        empty: bool,
    },
    /// It failed.
    Badly(Reason),
    /// Somebody ended it.
    Stopped,
}

impl Git {
    /// Clones, and tells how far it is.
    pub(super) fn clone(&self, url: &str, to: &Path, stop: &Stop, tell: impl FnMut(Progress)) -> Ended {
        let mut git = self.command("clone", None);
        git.arg("--").arg(url).arg(to);
        run(git, stop, tell)
    }

    /// Fetches into a clone; with `url`, from there in place of the remote's own address.
    pub(super) fn fetch(
        &self,
        clone: &Path,
        remote: &Remote,
        url: Option<&str>,
        stop: &Stop,
        tell: impl FnMut(Progress),
    ) -> Ended {
        // The longest wins, and no other is as long as the whole address.
        let instead = url.map(|url| format!("url.{url}.insteadOf={}", remote.url));
        let mut git = self.command("fetch", instead);
        git.current_dir(clone).arg("--").arg(&remote.name);
        run(git, stop, tell)
    }

    fn command(&self, verb: &str, setting: Option<String>) -> Command {
        let mut git = Command::new("git");
        let settings = self.settings.iter().map(|(key, value)| format!("{key}={value}"));
        for setting in settings.chain(setting) {
            git.arg("-c").arg(setting);
        }
        git.arg(verb);
        git.args(self.progress.then_some("--progress"));
        git.args(self.submodules.then_some("--recurse-submodules"));
        // Nobody could tell which of several clones asks, so none does: our helper has the
        // token or says why not.
        git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "").env("LC_ALL", "C");
        for name in OF_A_REPOSITORY.iter().chain(&self.without) {
            git.env_remove(name);
        }
        git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        git
    }
}

fn run(mut git: Command, stop: &Stop, tell: impl FnMut(Progress)) -> Ended {
    let mut child = match git.spawn() {
        Ok(child) => child,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            return Ended::Badly(Reason::other("git is not installed, or not on PATH"));
        }
        Err(why) => return Ended::Badly(Reason::other(format!("git could not be run: {why}"))),
    };
    let said = read(child.stderr.take().expect("it is a pipe"));
    let (ended, lines) = watch(&mut child, &said, stop, tell);
    match ended {
        Some(status) if status.success() => Ended::Well { empty: said::is_empty(&lines) },
        // Ctrl-C may reach git before us.
        Some(status) if was_interrupted(status) => {
            stop.now();
            Ended::Stopped
        }
        Some(_) if stop.is_now() => Ended::Stopped,
        Some(status) if status.code().is_none() => Ended::Badly(Reason::other(format!("git was ended: {status}"))),
        Some(_) => Ended::Badly(said::reason(&lines)),
        None => Ended::Stopped,
    }
}

/// Waits for the end; the result is git's last lines, and no status if it had to be killed.
fn watch(
    child: &mut Child,
    said: &Receiver<String>,
    stop: &Stop,
    mut tell: impl FnMut(Progress),
) -> (Option<ExitStatus>, Vec<String>) {
    let mut lines = Vec::new();
    let mut hear = |line: String| match said::progress(&line) {
        Some(progress) => tell(progress),
        None => {
            lines.push(line);
            if lines.len() > LINES_KEPT {
                lines.remove(0);
            }
        }
    };
    let (mut asked_at, mut ended) = (None, None);
    loop {
        match said.recv_timeout(LOOK) {
            Ok(line) => hear(line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(1)), // it ends
        }
        if let (None, Ok(Some(status))) = (ended, child.try_wait()) {
            ended = Some(status);
            break;
        }
        match asked_at {
            None if stop.is_now() => {
                asked_at = Some(Instant::now());
                ask_to_end(child);
            }
            Some(moment) if Instant::elapsed(&moment) > END_WITHIN => {
                let _ = child.kill(); // it may just have ended
                let _ = child.wait();
                break;
            }
            _ => {}
        }
    }
    let deadline = Instant::now() + LAST_WORDS_WITHIN;
    while let Ok(line) = said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        hear(line);
    }
    (ended, lines)
}

/// So that git removes what it made, and ends its own children.
#[cfg(unix)]
fn ask_to_end(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM); // it may just have ended
    }
}

#[cfg(not(unix))]
fn ask_to_end(child: &mut Child) {
    let _ = child.kill(); // it may just have ended
}

#[cfg(unix)]
fn was_interrupted(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(rustix::process::Signal::INT.as_raw())
}

#[cfg(not(unix))]
fn was_interrupted(_: ExitStatus) -> bool {
    false
}

/// git's lines as they come. A carriage return ends one too: git redraws its progress so.
fn read(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = sync_channel(100); // a server that says much waits, instead of filling memory
    std::thread::spawn(move || read_lines(BufReader::new(stderr), &sender));
    lines
}

fn read_lines(mut from: impl BufRead, sender: &SyncSender<String>) {
    let mut line = Vec::new();
    while let Ok(bytes) = from.fill_buf()
        && !bytes.is_empty()
    {
        for &byte in bytes {
            if !matches!(byte, b'\n' | b'\r') {
                if line.len() < LONGEST_LINE {
                    line.push(byte);
                }
            } else if !line.is_empty() && sender.send(text(&mut line)).is_err() {
                return;
            }
        }
        let count = bytes.len();
        from.consume(count);
    }
    if !line.is_empty() {
        let _ = sender.send(text(&mut line)); // nobody may wait for it any more
    }
}

fn text(line: &mut Vec<u8>) -> String {
    String::from_utf8_lossy(&std::mem::take(line)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_git_ends_them_and_are_bounded() {
        let (sender, lines) = sync_channel(10);
        let long = "x".repeat(LONGEST_LINE * 3);
        read_lines(format!("one\rtwo\r\n\nthree  \n{long}\nno end").as_bytes(), &sender);
        drop(sender);
        let lines: Vec<String> = lines.iter().collect();
        assert_eq!(lines[..3], ["one", "two", "three"]);
        assert_eq!((lines[3].len(), lines[4].as_str()), (LONGEST_LINE, "no end"));
    }
}
