//! A terminal with a person at it: `script` gives a program one.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use super::{PATIENCE, Sandbox, eventually};

/// A program in a terminal.
pub struct Pty {
    child: Child,
    typed: ChildStdin,
    shown: Receiver<Vec<u8>>,
    /// Everything that was shown.
    pub screen: String,
    /// How much of it was waited for.
    seen: usize,
}

impl Pty {
    /// Runs a command line in a terminal.
    pub fn run(sandbox: &Sandbox, line: &str) -> Self {
        let mut script = sandbox.command("script");
        script.args(["--quiet", "--return", "--flush", "--command", line, "/dev/null"]);
        // In a terminal stdout and stderr are one, so everything comes on stdout.
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = script.spawn().expect("script is installed");
        let typed = child.stdin.take().expect("a pipe");
        let shown = read(child.stdout.take().expect("a pipe"));
        Self { child, typed, shown, screen: String::new(), seen: 0 }
    }

    /// Waits until this is shown.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        while !self.screen[self.seen..].contains(text) {
            assert!(self.more(), "{text:?} never came: {}", self.screen);
        }
        self.seen += self.screen[self.seen..].find(text).expect("it is there") + text.len();
    }

    /// Waits until a line with this in it is shown, to its end.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str) -> String {
        self.wait_for(text);
        let start = self.screen[..self.seen - text.len()].rfind('\n').map_or(0, |newline| newline + 1);
        self.wait_for("\n");
        self.screen[start..self.seen].trim().to_owned()
    }

    /// Waits until what is typed is not shown: that comes a moment after the question for it.
    pub fn wait_for_no_echo(&self) {
        let pid = self.child.id();
        let inside = || fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        eventually("what is typed is not shown", || {
            let inside = inside();
            let Some(first) = inside.split_whitespace().next() else { return false };
            let asked = Command::new("stty").args(["-a", "-F", &format!("/proc/{first}/fd/0")]).output();
            String::from_utf8_lossy(&asked.expect("stty is installed").stdout).contains(" -echo ")
        });
    }

    fn more(&mut self) -> bool {
        let bytes = self.shown.recv_timeout(PATIENCE).unwrap_or_default();
        self.screen += &String::from_utf8_lossy(&bytes);
        !bytes.is_empty()
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        writeln!(self.typed, "{line}").expect("typed");
    }

    /// Presses keys, without Enter.
    pub fn press(&mut self, keys: &str) {
        write!(self.typed, "{keys}").expect("typed");
    }

    /// Waits for the end; the result is the exit code.
    pub fn finish(mut self) -> (Option<i32>, String) {
        while self.more() {}
        (self.child.wait().expect("it ends").code(), std::mem::take(&mut self.screen))
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

fn read(mut from: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, shown) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    shown
}
