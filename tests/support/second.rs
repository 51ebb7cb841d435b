//! Another daemon on the same home, as a container or cron has it: another socket, the same state.

use std::path::PathBuf;

use super::{DAEMON, Finished, HELPER, Sandbox, Started, make_private, run};

/// It runs until it is stopped.
pub struct Second<'s> {
    /// What is asked of it.
    pub asker: Asker<'s>,
    daemon: Started,
}

/// Whoever finds this daemon, and not the first.
#[derive(Clone)]
pub struct Asker<'s> {
    sandbox: &'s Sandbox,
    socket: PathBuf,
}

impl<'s> Second<'s> {
    /// Starts it.
    pub fn start(sandbox: &'s Sandbox) -> Self {
        let directory = sandbox.path("second");
        make_private(&directory);
        let socket = directory.join("socket");
        let mut daemon = sandbox.command(DAEMON);
        daemon.arg("--foreground").arg("--socket").arg(&socket);
        let mut daemon = Started::new(daemon);
        daemon.wait_for_line(|line| line.contains("ready"));
        Self { asker: Asker { sandbox, socket }, daemon }
    }

    /// Stops it.
    pub fn stop(self) {
        self.asker.verb(&["daemon", "stop"], "").succeeded();
        self.daemon.finish();
    }
}

impl Asker<'_> {
    fn verb(&self, words: &[&str], input: &str) -> Finished {
        let mut command = self.sandbox.command(HELPER);
        command.args(words).env("GIT_CREDENTIAL_GITLAB_SOCKET", &self.socket);
        run::finish(command, input)
    }

    /// Asks it for a token.
    #[track_caller]
    pub fn token(&self) -> String {
        self.verb(&["get"], &self.sandbox.question()).token()
    }
}
