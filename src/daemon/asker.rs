//! Who asks: the process at the other end of a connection, and what it runs for.
//!
//! The helper waits for its answer, so the process that the socket names is still there when it
//! is looked at. From it the parents are followed: helper, git, and whatever runs git. Only those
//! that may end with the answer are looked at before it ([`Glimpse`]), because git waits for it.
//! Nothing is invented: what can't be seen, or does not fit, stays empty.

use std::time::Duration;

use interprocess::local_socket::tokio::{Stream, prelude::*};
use serde::Serialize;

use super::words;

/// A system that does not say more within this time is not waited for. (It takes a fraction of a
/// millisecond.)
const LOOK_WITHIN: Duration = Duration::from_millis(200);

/// How far parents are followed: git with submodules in an IDE's terminal has a dozen.
#[cfg(target_os = "linux")]
const LONGEST_CHAIN: usize = 16;

/// Who asks, as far as it can be seen.
#[derive(Debug, Default)]
pub struct Asker {
    /// The process that is connected.
    pub pid: Option<u32>,
    /// That process, its parent, and so on.
    pub chain: Vec<Process>,
    /// Where in the chain git's outermost command is.
    git: Option<usize>,
    /// Where in the chain the program is that runs git.
    program: Option<usize>,
}

/// Whoever is connected, up to the first one who goes on working after the answer.
#[derive(Debug)]
pub struct Glimpse {
    pid: Option<u32>,
    walk: Option<platform::Walk>,
}

impl Glimpse {
    /// Looks at who is connected, while they wait.
    pub fn of(stream: &Stream) -> Self {
        // Linux and Windows say it; macOS does so in a way that interprocess does not ask.
        let pid = stream.peer_creds().ok().and_then(|peer| peer.pid()).and_then(|pid| u32::try_from(pid).ok());
        let Some(pid) = pid.filter(|pid| *pid != 0) else { return Self { pid: None, walk: None } };
        // Here and not in another thread, which would take longer than the look: these wait for us,
        // and what waits is quick to look at.
        let mut walk = platform::Walk::from(pid);
        if let Some(walk) = &mut walk {
            while walk.step().is_some_and(Process::goes_with_the_answer) {}
        }
        // Where the system can be asked and does not know the number, it is another container's.
        let is_sure = walk.is_some() || cfg!(not(target_os = "linux"));
        Self { pid: is_sure.then_some(pid), walk }
    }

    /// Looks at the rest, who have their answer.
    pub async fn rest(self) -> Asker {
        let Some(mut walk) = self.walk else { return Asker { pid: self.pid, ..Asker::default() } };
        let chain = look(move || {
            while walk.step().is_some() {}
            walk.chain
        });
        Asker::in_chain(self.pid, chain.await.unwrap_or_default())
    }
}

/// What the kernel says about a process can be slow to come (its memory may be locked), so a
/// thread waits for it that nobody else needs.
async fn look<T: Send + 'static>(at: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let looking = tokio::task::spawn_blocking(at);
    tokio::time::timeout(LOOK_WITHIN, looking).await.ok()?.ok()
}

/// A process, without anything it was given.
#[derive(Debug, Clone, Serialize)]
pub struct Process {
    pid: u32,
    program: String,
    /// Of git alone: what is safe to keep of its command.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip)]
    kind: Kind,
}

/// What a process is in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// git, or a part of it: our helper too.
    Git,
    /// A shell that runs one command for its parent.
    Between,
    Other,
}

impl Asker {
    fn in_chain(pid: Option<u32>, chain: Vec<Process>) -> Self {
        // git runs git (for a submodule, a hook), perhaps with a shell between them.
        let end = chain.iter().position(|it| it.kind == Kind::Other).unwrap_or(chain.len());
        let inside = &chain[..end];
        let outermost = inside.iter().rposition(|it| it.kind == Kind::Git);
        // An alias that is no verb we know says less than the command that it runs.
        let git = inside.iter().rposition(|it| it.command.is_some()).or(inside.iter().rposition(Process::is_git));
        let beyond = outermost.map_or(0, |at| at + 1);
        let other = (beyond..chain.len()).find(|at| chain[*at].kind != Kind::Between);
        let program = other.or((beyond < chain.len()).then_some(beyond));
        Self { pid, git, program, chain }
    }

    /// The program that ran git; empty if that can't be seen.
    pub fn program(&self) -> &str {
        self.program.map_or("", |at| self.chain[at].program.as_str())
    }

    /// What is kept of git's command; empty if git is not among those who ask.
    pub fn command(&self) -> &str {
        self.git.map_or("", |at| self.chain[at].command.as_deref().unwrap_or("git"))
    }
}

impl Process {
    fn is_git(&self) -> bool {
        self.program == "git"
    }

    /// Whether it may have ended as soon as its answer is read: our helper, and the shell that git
    /// runs it in.
    fn goes_with_the_answer(&self) -> bool {
        self.kind == Kind::Between || self.program.starts_with(crate::endpoint::NAME)
    }

    /// A process by what the system says of it.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    fn new(pid: u32, comm: &str, file: Option<&std::path::Path>, arguments: &[Vec<u8>]) -> Self {
        let name = file.and_then(|file| file.file_name()).and_then(|name| name.to_str());
        let program = words::program(comm, name, arguments);
        let script = arguments.get(1).and_then(|word| str::from_utf8(word).ok()).map(std::path::Path::new);
        let in_git_core = [file, script].into_iter().flatten().any(is_in_git_core);
        let helper = program.starts_with(crate::endpoint::NAME) || program.starts_with("git-remote-");
        let kind = match () {
            () if in_git_core || helper || matches!(program.as_str(), "git" | "git-lfs") => Kind::Git,
            () if words::is_shell_command(&program, arguments) => Kind::Between,
            () => Kind::Other,
        };
        let command = if program == "git" { words::git_command(arguments) } else { None };
        Self { pid, program, command, kind }
    }
}

/// Whether a program is one of git's own, which lie in a directory of theirs.
fn is_in_git_core(file: &std::path::Path) -> bool {
    file.parent().and_then(|parent| parent.file_name()).is_some_and(|name| name == "git-core")
}

#[cfg(target_os = "linux")]
mod platform {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

    use super::{LONGEST_CHAIN, Process};

    /// A command line may be megabytes long; what is kept of it stands in front.
    const MAX_CMDLINE: u64 = 16 * 1024;

    /// The way from a process to its parents.
    #[derive(Debug)]
    pub(super) struct Walk {
        next: u32,
        child_started: u64,
        pub(super) chain: Vec<Process>,
    }

    impl Walk {
        /// None where /proc shows other processes than those that our socket counts, or one that
        /// is not ours: it is of another container then.
        pub(super) fn from(pid: u32) -> Option<Self> {
            let own = fs::read_link("/proc/self").ok()?;
            let same_numbers = own.as_os_str() == std::process::id().to_string().as_str();
            let is_ours = user_of(pid) == Some(crate::endpoint::user_id());
            let walk = Self { next: pid, child_started: u64::MAX, chain: Vec::new() };
            (same_numbers && is_ours).then_some(walk)
        }

        /// The next one; none at the end.
        pub(super) fn step(&mut self) -> Option<&Process> {
            if self.next == 0 || self.chain.len() >= LONGEST_CHAIN {
                return None;
            }
            let pid = self.next;
            let stat = Stat::of(pid)?;
            // A parent is older than its child; else it is somebody who got its number since.
            if stat.started > self.child_started {
                return None;
            }
            let file = fs::read_link(format!("/proc/{pid}/exe")).ok().map(without_mark);
            (self.next, self.child_started) = (stat.parent, stat.started);
            self.chain.push(Process::new(pid, &stat.comm, file.as_deref(), &arguments(pid)));
            self.chain.last()
        }
    }

    /// Whose a process is. The files of one that may not be dumped are root's.
    fn user_of(pid: u32) -> Option<u32> {
        let owner = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        if owner != 0 {
            return Some(owner);
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        users.split_ascii_whitespace().nth(1)?.parse().ok() // the effective one
    }

    struct Stat {
        comm: String,
        parent: u32,
        /// In ticks since the machine started.
        started: u64,
    }

    impl Stat {
        /// `PID (COMM) STATE PPID …`, proc_pid_stat(5). A COMM may have brackets and blanks.
        fn of(pid: u32) -> Option<Self> {
            let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
            let stat = String::from_utf8_lossy(&stat);
            let (before, after) = stat.rsplit_once(')')?;
            let (_, comm) = before.split_once('(')?;
            let mut fields = after.split_ascii_whitespace();
            let parent = fields.nth(1)?.parse().ok()?; // field 4
            let started = fields.nth(17)?.parse().ok()?; // field 22
            Some(Self { comm: comm.into(), parent, started })
        }
    }

    fn arguments(pid: u32) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = fs::File::open(format!("/proc/{pid}/cmdline"))
            .and_then(|file| file.take(MAX_CMDLINE).read_to_end(&mut bytes));
        match read {
            Ok(_) if !bytes.is_empty() => {
                bytes.split(|&b| b == 0).map(<[u8]>::to_vec).filter(|it| !it.is_empty()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The kernel marks a program whose file was replaced while it runs.
    fn without_mark(file: PathBuf) -> PathBuf {
        match file.to_str().and_then(|file| file.strip_suffix(" (deleted)")) {
            Some(file) => file.into(),
            None => file,
        }
    }
}

/// Elsewhere it takes calls that no safe library offers at its cost.
#[cfg(not(target_os = "linux"))]
mod platform {
    #[allow(dead_code)] // none is ever made
    #[derive(Debug)]
    pub(super) struct Walk {
        pub(super) chain: Vec<super::Process>,
    }

    impl Walk {
        pub(super) fn from(_pid: u32) -> Option<Self> {
            None
        }

        pub(super) fn step(&mut self) -> Option<&super::Process> {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// An asker by its command lines, the innermost in front: the file, then what it was given.
    fn asker(lines: &[&str]) -> Asker {
        let process = |(at, line): (usize, &&str)| {
            let arguments: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            let file = Path::new(line.split(' ').next().expect("a word"));
            let comm: String =
                file.file_name().and_then(|name| name.to_str()).expect("a name").chars().take(15).collect();
            Process::new(100 - at as u32, &comm, Some(file), &arguments)
        };
        Asker::in_chain(Some(100), lines.iter().enumerate().map(process).collect())
    }

    #[test]
    fn whoever_runs_git_is_found_behind_its_parts() {
        const HELPER: &str = "/opt/git-credential-gitlab get";
        const REMOTE: &str = "/usr/lib/git-core/git-remote-https origin https://x";
        for (lines, program, command) in [
            (&[HELPER, REMOTE, "/usr/bin/git fetch origin", "/usr/share/code/code"][..], "code", "git fetch origin"),
            (&[HELPER, "/bin/sh -c x", REMOTE, "/usr/bin/git push", "/bin/bash", "/usr/bin/tmux"], "bash", "git push"),
            (
                &[
                    HELPER,
                    REMOTE,
                    "/usr/bin/git clone x",
                    "/usr/bin/git submodule update",
                    "/bin/sh ./deploy",
                    "/bin/bash",
                ],
                "deploy",
                "git submodule update",
            ),
            (&[HELPER, REMOTE, "/usr/bin/git pull", "/usr/bin/git up", "/bin/bash"], "bash", "git pull"),
            (&[HELPER, REMOTE, "/usr/bin/git up", "/bin/bash"], "bash", "git"),
            (&[HELPER, REMOTE, "/usr/bin/git push", "/bin/sh -c x", "/usr/bin/make"], "make", "git push"),
            (&[HELPER, "/bin/sh -c x", "/usr/bin/cargo"], "cargo", ""),
            (&[HELPER, "/bin/bash", "/usr/bin/tmux"], "bash", ""),
            (&[HELPER, REMOTE, "/usr/bin/git push", "/bin/bash --norc", "/usr/bin/tmux"], "bash", "git push"),
            (
                &["/opt/git-credential-gitlab--cli token", "/usr/bin/git credential-gitlab token", "/bin/bash"],
                "bash",
                "git credential-gitlab token",
            ),
            (&["/usr/bin/socat -", "/bin/bash"], "socat", ""),
            (&[HELPER], "", ""),
            (&[], "", ""),
        ] {
            let asker = asker(lines);
            assert_eq!((asker.program(), asker.command()), (program, command), "{lines:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_seen_with_its_parents() {
        let mut walk = platform::Walk::from(std::process::id()).expect("ours");
        assert_eq!(walk.step().expect("there").pid, std::process::id());
        assert!(walk.step().is_some_and(|parent| !parent.program.is_empty()));
        assert!(platform::Walk::from(u32::MAX).is_none(), "nobody");
        if crate::endpoint::user_id() != 0 {
            assert!(platform::Walk::from(1).is_none(), "another user's");
        }
    }
}
