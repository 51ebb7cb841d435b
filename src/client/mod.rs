//! Talking to the daemon: connect, start it if it is absent, send a request, read the reply, and
//! never wait longer than asked.

mod environment;
mod silent;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::credential::{Attributes, Malformed, Parser, printable};
use crate::endpoint::{self, Endpoint, NoEndpoint};
use crate::protocol::{self, MAX_MESSAGE};

pub use environment::{GIT_VARIABLES_KEPT, for_daemon};
pub use silent::Silent;

/// The daemon's program, looked for beside our own.
pub const DAEMON: &str = "git-credential-gitlab--daemon";

/// What the daemon prints when its socket answers.
pub const READY: &str = "ok";

/// The daemon that ends, the one that is killed right after, and the one that answers.
const TRIES: u32 = 3;

/// A process that is killed is gone after a few milliseconds.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// After so long a wait it is looked whether there is any use in more. A get that renews takes less,
/// mostly.
const WONDERS_AFTER: Duration = Duration::from_secs(1);

/// Whether to start a daemon where none answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// No: `erase` and `store` have nothing to say to a daemon that was not there.
    Never,
    /// Yes, if something may be linked: else git gets silence, which takes no daemon. So a build or
    /// a test with a home of its own starts none in the place of the person's.
    IfLinked,
    /// Yes, unless the person named the socket.
    IfAbsent,
}

/// Why the daemon could not be asked.
#[derive(Debug)]
pub enum CallError {
    /// There is no place where it could listen.
    NoEndpoint(NoEndpoint),
    /// None answers there, and none may be started.
    Absent(PathBuf),
    /// None answers there, and it would have nothing to say.
    NothingLinked,
    /// The socket belongs to another user, or is no socket.
    NotOurs(PathBuf),
    /// It was started and said why it can't run, or its program is missing.
    CannotStart(String),
    /// It took the request and did not answer in time.
    Silent(Duration),
    /// It is stopped, and answers nobody before it is told to go on.
    Stopped(Silent),
    /// It answered something that is no message.
    Garbage(Malformed),
    /// The connection failed or broke off.
    Broken(io::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::NoEndpoint(why) => write!(f, "{why}"),
            CallError::Absent(path) => write!(f, "no daemon answers at {}", path.display()),
            CallError::NothingLinked => f.write_str("nothing is linked"),
            CallError::NotOurs(path) => write!(
                f,
                "{} is not a socket of this user, so it is not used; to see more: git credential-gitlab doctor",
                path.display()
            ),
            CallError::CannotStart(why) => write!(f, "the daemon could not be started: {why}"),
            CallError::Silent(waited) => {
                let seconds = waited.as_secs();
                write!(f, "the daemon did not answer within {seconds} s; try: git credential-gitlab daemon restart")
            }
            CallError::Stopped(silent) => f.write_str(&silent.advice()),
            CallError::Garbage(why) => write!(f, "the daemon's answer is broken: {why}"),
            CallError::Broken(why) => write!(f, "the connection to the daemon broke off: {why}"),
        }
    }
}

impl std::error::Error for CallError {}

impl From<NoEndpoint> for CallError {
    fn from(why: NoEndpoint) -> Self {
        CallError::NoEndpoint(why)
    }
}

impl From<io::Error> for CallError {
    fn from(why: io::Error) -> Self {
        CallError::Broken(why)
    }
}

/// A request that was sent; its reply is read block by block.
#[derive(Debug)]
pub struct Conversation {
    stream: Stream,
    parser: Parser,
    unread: Vec<u8>,
    answered: bool,
    started: Instant,
    within: Duration,
}

/// What came of waiting for a while.
#[derive(Debug)]
pub enum Heard {
    /// The next block.
    Block(Attributes),
    /// The daemon has closed the connection after a block.
    End,
    /// Not even a whole block.
    Nothing,
}

/// Sends a request and reads its reply of one block. `None`: the daemon has nothing to say.
pub fn ask(request: &Attributes, start: Start, within: Duration) -> Result<Option<Attributes>, CallError> {
    match begin(request, start, within) {
        Ok((_, block)) => Ok(Some(block).filter(|block| !block.is_empty())),
        Err(CallError::NothingLinked) => Ok(None),
        Err(why) => Err(why),
    }
}

/// Sends a request and reads the first block of its reply; the rest is left to be read.
///
/// A daemon that is just ending closes the connection without a word, and one that is killed may
/// do so twice: its listener takes us in once more while it goes. Then the next one is asked.
pub fn begin(request: &Attributes, start: Start, within: Duration) -> Result<(Conversation, Attributes), CallError> {
    let started = Instant::now();
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let answered = send(request, start, within.saturating_sub(started.elapsed())).and_then(|mut conversation| {
            let block = conversation.first()?.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
            Ok((conversation, block))
        });
        match answered {
            Err(CallError::Broken(_)) if tries > 0 => std::thread::sleep(BETWEEN_TRIES),
            answered => return answered,
        }
    }
}

/// Sends a request, and leaves the reply to be read.
fn send(request: &Attributes, start: Start, within: Duration) -> Result<Conversation, CallError> {
    let started = Instant::now();
    let endpoint = Endpoint::find()?;
    let stream = match Stream::connect(&endpoint.path)? {
        Some(stream) => stream,
        None if endpoint.explicit || start == Start::Never => return Err(CallError::Absent(endpoint.path)),
        None if start == Start::IfLinked && !endpoint::may_have_accounts() => return Err(CallError::NothingLinked),
        None => {
            start_daemon(&endpoint, within)?;
            Stream::connect(&endpoint.path)?.ok_or(CallError::Absent(endpoint.path))?
        }
    };
    let mut conversation =
        Conversation { stream, parser: Parser::new(MAX_MESSAGE), unread: Vec::new(), answered: false, started, within };
    let left = conversation.left()?;
    conversation.stream.write(&protocol::frame(request), left)?;
    Ok(conversation)
}

impl CallError {
    /// The daemon that listens and says nothing, if that is why.
    pub fn silent(&self) -> Option<Silent> {
        match self {
            Self::Stopped(silent) => Some(*silent),
            Self::Silent(_) => Some(Silent::find()),
            _ => None,
        }
    }
}

impl Conversation {
    /// The first block of the reply. A daemon that is stopped is not waited for.
    fn first(&mut self) -> Result<Option<Attributes>, CallError> {
        match self.next_within(WONDERS_AFTER)? {
            Heard::Block(block) => Ok(Some(block)),
            Heard::End => Ok(None),
            Heard::Nothing => match Silent::find() {
                silent if silent.is_stopped() => Err(CallError::Stopped(silent)),
                _ => self.next(),
            },
        }
    }

    /// The next block of the reply; `None` once the daemon has closed the connection after a
    /// block. A connection that closes before the first block, or inside one, is broken.
    #[allow(clippy::should_implement_trait)] // an iterator would hide that each step can fail
    pub fn next(&mut self) -> Result<Option<Attributes>, CallError> {
        let left = self.left()?;
        match self.next_within(left)? {
            Heard::Block(block) => Ok(Some(block)),
            Heard::End => Ok(None),
            Heard::Nothing => Err(CallError::Silent(self.within)),
        }
    }

    /// Gives the daemon its whole time again: for a reply that is as long as somebody reads.
    pub fn wait_anew(&mut self) {
        self.started = Instant::now();
    }

    /// What is heard of the daemon within a while, for somebody who has other things to look at
    /// meanwhile.
    pub fn next_within(&mut self, within: Duration) -> Result<Heard, CallError> {
        let started = Instant::now();
        loop {
            let unread = std::mem::take(&mut self.unread);
            if let Some(end) = self.parser.feed(&unread).map_err(CallError::Garbage)? {
                self.unread = unread[end..].to_vec();
                self.answered = true;
                return Ok(Heard::Block(self.parser.take()));
            }
            let left = self.left()?.min(within.saturating_sub(started.elapsed()));
            if left.is_zero() {
                return Ok(Heard::Nothing); // a zero would mean "for ever" to the system
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer, left) {
                Ok(0) if self.answered && self.parser.is_fresh() => return Ok(Heard::End),
                Ok(0) => return Err(CallError::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) if is_timeout(&why) => return Ok(Heard::Nothing),
                Err(why) => return Err(CallError::Broken(why)),
            }
        }
    }

    /// The time that is left.
    fn left(&self) -> Result<Duration, CallError> {
        match self.within.checked_sub(self.started.elapsed()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(CallError::Silent(self.within)),
        }
    }
}

fn is_timeout(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Starts a daemon for the endpoint and waits until its socket answers. Several may do so at
/// once: the daemon's lock lets one win, and the others' daemons say `ok` when it is ready.
pub fn start_daemon(endpoint: &Endpoint, within: Duration) -> Result<(), CallError> {
    let program = sibling(DAEMON).ok_or_else(|| CallError::CannotStart(format!("{DAEMON} is not installed")))?;
    let mut command = Command::new(&program);
    command.arg("--socket").arg(&endpoint.path);
    // The daemon outlives this git command: nothing of ours may stay open in it, and nothing of
    // this git command's environment may steer it.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.current_dir(endpoint::ROOT).env_clear().envs(for_daemon());
    #[cfg(windows)]
    {
        std::os::windows::process::CommandExt::creation_flags(&mut command, windows::DETACHED);
        windows::keep_own_output();
    }
    let cannot = |why: String| CallError::CannotStart(printable(&why, 500));
    let mut child = command.spawn().map_err(|why| cannot(format!("{}: {why}", program.display())))?;
    let output = child.stdout.take().expect("its stdout is a pipe");
    let (sender, ready) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        // A line of 4 KiB is more than any reason needs.
        let read = BufReader::new(output.take(4096)).read_line(&mut line);
        let _ = sender.send(read.map(|_| line)); // the asker may have given up
    });
    match ready.recv_timeout(within) {
        Ok(Ok(line)) if line.trim_end() == READY => Ok(()),
        Ok(Ok(line)) if !line.is_empty() => Err(cannot(line)),
        Ok(_) => Err(cannot("it ended without a word; see daemon.log in its state directory".into())),
        Err(_) => Err(CallError::Silent(within)),
    }
}

/// Becomes another program; returns only if that failed.
#[cfg(unix)]
pub fn become_program(command: &mut Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

/// Runs another program and ends with its exit code; returns only if it did not run.
#[cfg(not(unix))]
pub fn become_program(command: &mut Command) -> io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(why) => why,
    }
}

/// A program of ours: beside this one (links resolved), in `../libexec/git-credential-gitlab`,
/// or on PATH.
pub fn sibling(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let own = std::env::current_exe().and_then(|exe| exe.canonicalize()).ok();
    let beside = own.as_deref().and_then(Path::parent);
    let libexec = beside.and_then(Path::parent).map(|prefix| prefix.join("libexec").join(endpoint::NAME));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter(|directory| directory.is_absolute());
    let directories = beside.map(Path::to_path_buf).into_iter().chain(libexec).chain(on_path);
    directories.map(|directory| directory.join(&file)).find(|program| program.is_file())
}

#[cfg(unix)]
use unix::Stream;
#[cfg(unix)]
pub use unix::end_after;
#[cfg(windows)]
use windows::Stream;
#[cfg(windows)]
pub use windows::end_after;
