//! A wall clock that a test sets, for one daemon: libfaketime is loaded into it.
//!
//! Its timers go on as they are, so to the daemon a jump looks exactly like a machine that slept,
//! or whose clock was set.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{DAEMON, Sandbox, Started, now, run};

/// Longer than a daemon takes to end that has nothing to wait for.
const END_WITHIN: Duration = Duration::from_secs(5);

/// A daemon on the sandbox's usual socket, whose clock the test sets. It ends with this.
pub struct Clock {
    daemon: Started,
    setting: PathBuf,
}

impl Clock {
    /// Starts the daemon; its clock is ahead of everybody else's by so many seconds.
    pub fn start(sandbox: &Sandbox, ahead: i64) -> Self {
        let setting = sandbox.path("clock");
        set(&setting, ahead);
        // Not through a helper: it lets no LD_* through to a daemon that it starts.
        let mut daemon = sandbox.command(DAEMON);
        daemon.arg("--foreground").env("LD_PRELOAD", library(sandbox));
        daemon.env("FAKETIME_TIMESTAMP_FILE", &setting).env("FAKETIME_NO_CACHE", "1");
        daemon.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        let mut clock = Self { daemon: Started::new(daemon), setting };
        clock.daemon.wait_for_line(|line| line.contains("ready"));
        assert_eq!(sandbox.daemon_pid(), clock.pid(), "the helpers ask this one");
        clock
    }

    /// Sets the daemon's clock: ahead of everybody else's by so many seconds, or behind.
    pub fn set(&self, ahead: i64) {
        set(&self.setting, ahead);
    }

    /// What the daemon's clock shows, in seconds.
    pub fn now(&self) -> i64 {
        now() + self.ahead()
    }

    /// By how many seconds it is ahead of everybody else's.
    pub fn ahead(&self) -> i64 {
        fs::read_to_string(&self.setting).expect("readable").parse().expect("a number")
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.daemon.child.id()).expect("a process id")
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // SIGKILL, which it gets otherwise, would leave libfaketime's shared memory behind, and
        // the next process with the same id could not start with it.
        run::signal(self.pid(), "TERM");
        let deadline = Instant::now() + END_WITHIN;
        while matches!(self.daemon.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The file is replaced as a whole, because the daemon may read it at any time.
fn set(setting: &PathBuf, ahead: i64) {
    let new = setting.with_extension("new");
    fs::write(&new, format!("{ahead:+}")).expect("written");
    fs::rename(&new, setting).expect("renamed");
}

/// Where libfaketime is, as its own program knows it; the variant for more than one thread.
pub fn library(sandbox: &Sandbox) -> String {
    let mut ask = sandbox.command("faketime");
    ask.args(["-m", "-f", "+0", "sh", "-c", "printf %s \"$LD_PRELOAD\""]);
    let library = run::finish(ask, "").succeeded().stdout;
    assert!(library.contains("libfaketime"), "{library:?}");
    library
}
