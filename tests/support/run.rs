//! Running programs: to their end, or while a test does something else.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
    /// From its start to the end of its output.
    pub took: Duration,
}

impl Finished {
    fn new(status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8>, took: Duration) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr), took }
    }

    /// It must have ended well.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        self.ended_with(0)
    }

    /// It must have ended with this exit code.
    #[track_caller]
    pub fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The token on stdout.
    #[track_caller]
    pub fn token(&self) -> String {
        self.attribute("password").unwrap_or_else(|| panic!("no token: {self:#?}"))
    }

    /// The value of an attribute on stdout.
    pub fn attribute(&self, key: &str) -> Option<String> {
        let lines = self.stdout.lines().filter_map(|line| line.split_once('='));
        lines.filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).next_back()
    }
}

/// Runs a program to its end, and fails if it takes too long.
pub fn finish(mut command: Command, input: impl AsRef<[u8]>) -> Finished {
    command.stdin(if input.as_ref().is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut started = Started::new(command);
    if let Some(mut stdin) = started.child.stdin.take() {
        let input = input.as_ref().to_vec();
        // In a thread, because the program may stop reading; then a broken pipe is right.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
    }
    started.finish()
}

/// A program that runs.
pub struct Started {
    /// The process.
    pub child: Child,
    started: Instant,
    stdout: Option<JoinHandle<Vec<u8>>>,
    lines: Receiver<String>,
    stderr: Vec<u8>,
}

impl Started {
    /// Starts a program; its output is collected.
    pub fn new(mut command: Command) -> Self {
        let started = Instant::now();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"));
        let mut stdout = child.stdout.take().expect("a pipe");
        let stdout = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).expect("readable");
            bytes
        });
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Self { child, started, stdout: Some(stdout), lines, stderr: Vec::new() }
    }

    /// Waits for a line on stderr.
    #[track_caller]
    pub fn wait_for_line(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                let _ = self.child.kill();
                panic!("the line never came; before it: {}", String::from_utf8_lossy(&self.stderr));
            };
            self.stderr.extend_from_slice(line.as_bytes());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// Waits for the end of the program and of its output.
    pub fn finish(mut self) -> Finished {
        // The lines end when nobody holds stderr any more: a daemon that kept it would be found here.
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.stderr.extend_from_slice(line.as_bytes()),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("stderr is still open; so far: {}", String::from_utf8_lossy(&self.stderr));
                }
            }
        }
        let stdout = self.stdout.take().expect("taken once").join().expect("readable");
        let status = self.child.wait().expect("it was started");
        Finished::new(status, stdout, std::mem::take(&mut self.stderr), self.started.elapsed())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.stdout.is_some() {
            let _ = self.child.kill(); // the test failed meanwhile
            let _ = self.child.wait();
        }
    }
}

/// Connects to a daemon that is stopped until it takes nobody in any more: whoever connects then
/// waits in the queue, and when it is full, before it.
pub fn fill_queue(socket: std::path::PathBuf) {
    let (sender, full) = channel();
    std::thread::spawn(move || {
        let mut queue = Vec::new();
        while let Ok(stream) = std::os::unix::net::UnixStream::connect(&socket) {
            queue.push(stream);
            let _ = sender.send(());
        }
    });
    while full.recv_timeout(std::time::Duration::from_secs(1)).is_ok() {}
}

/// Sends a signal by its name.
pub fn signal(pid: i32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
    status.expect("kill is installed");
}

/// Whether we may read the files of a process that made itself undumpable: only root may.
pub fn can_look_into(pid: i32) -> bool {
    let can = std::fs::read(format!("/proc/{pid}/environ")).is_ok();
    if !can {
        eprintln!("skipped: only root can look into the daemon");
    }
    can
}

/// How much memory a process has, in kilobytes.
pub fn resident(pid: i32) -> usize {
    of_status(pid, "VmRSS:")
}

/// How many descriptors a process has had open at most, rounded up. The list itself is closed to us.
pub fn descriptors(pid: i32) -> usize {
    of_status(pid, "FDSize:")
}

fn of_status(pid: i32, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
    line.split_whitespace().nth(1).and_then(|size| size.parse().ok()).expect("a number")
}

/// Whether a process runs (a zombie does not).
pub fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !matches!(rest.trim().chars().next(), Some('Z' | 'X') | None))
}

/// Kills a process with SIGKILL and waits until it is gone.
pub fn kill(pid: i32) {
    signal(pid, "KILL");
    super::eventually("the process is gone", || !is_alive(pid));
}
