//! This machine: git, our programs, our daemon, our directories.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::finding::{Finding, Mend};
use super::tools;
use crate::cli::accounts::{Account, Accounts};
use crate::cli::error::Error;
use crate::client::{self, CallError, Silent};
use crate::endpoint::{self, Endpoint};
use crate::protocol::{Code, State};
use crate::shell::quoted;

mod socket;

use socket::open_to_others;
pub(super) use socket::{is_abandoned, socket};

/// The oldest git that this is tested with.
const OLDEST_GIT: (u32, u32) = (2, 39);

/// More than the daemon's state files have together: a disk that takes it is not full.
static PROBE: [u8; 64 * 1024] = [0; 64 * 1024];

/// The three programs, which belong together.
const PROGRAMS: [&str; 3] = ["git-credential-gitlab", "git-credential-gitlab--cli", client::DAEMON];

const RESTART: &str = "git credential-gitlab daemon restart";

/// What was found.
pub(super) struct Machine {
    /// What `git version` says.
    pub(super) git: Option<String>,
    /// Where each program is, and the daemon's version.
    pub(super) programs: [Option<PathBuf>; 3],
    pub(super) daemon_program: Option<String>,
    pub(super) endpoint: Result<Endpoint, String>,
    /// Our directories, the state directory in front.
    pub(super) directories: Vec<PathBuf>,
    /// Nobody listens at the socket that is there.
    pub(super) abandoned: bool,
    /// What the daemon says of itself and its accounts.
    pub(super) daemon: Result<Accounts, Error>,
}

impl Machine {
    /// Looks around. `daemon` is what it said.
    pub(super) fn look(daemon: Result<Accounts, Error>) -> Self {
        let state = endpoint::state_directory().ok();
        let below = |name: &str| state.as_ref().map(|state| state.join(name));
        let directories = [state.clone(), below("accounts"), below("tokens")].into_iter().flatten().collect();
        let programs = PROGRAMS.map(client::sibling);
        let endpoint = Endpoint::find().map_err(|why| why.to_string());
        Self {
            git: said(Command::new("git").arg("version")),
            daemon_program: programs[2].as_ref().and_then(|program| said(Command::new(program).arg("--version"))),
            programs,
            abandoned: daemon.is_err() && endpoint.as_ref().is_ok_and(|endpoint| is_abandoned(&endpoint.path)),
            endpoint,
            directories,
            daemon,
        }
    }
}

/// The first line that a program prints, if it ends well.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).current_dir(endpoint::ROOT).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned();
    output.status.success().then_some(text)
}

/// `linked`, where there is no GitLab to look at: told only if something is wrong.
pub(super) fn linked(machine: &Machine) -> Option<Finding> {
    let found = machine.daemon.as_ref().ok()?;
    let nothing = found.accounts.is_empty() && found.problems.is_empty();
    let finding = || Finding::fail(Code::NotLinked, "no account is linked").fix("git credential-gitlab link HOST");
    nothing.then(finding)
}

/// `git-version`
pub(super) fn git_version(machine: &Machine) -> Finding {
    let Some(said) = &machine.git else {
        return Finding::fail(Code::Failed, "git is not installed, or not on PATH").fix_if(tools::install_git());
    };
    let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or("");
    let mut parts = number.split('.').map_while(|part| part.parse::<u32>().ok());
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let lacks = "it does not heed how long a token lives (password_expiry_utc, 2.40)";
    match version {
        (0, _) => Finding::warn(format!("git says {said:?}, which is no version")),
        version if version < OLDEST_GIT => {
            let lacks = if version < (2, 3) { "it knows no quit=1 (2.3), so it asks for a password" } else { lacks };
            Finding::warn(format!("git {number} is older than what this is tested with (2.39): {lacks}"))
                .fix_if(tools::install_git())
        }
        version if version < (2, 40) => Finding::ok(format!("git {number}; {lacks}, which harms little")),
        _ => Finding::ok(format!("git {number}")),
    }
}

/// `programs`
pub(super) fn programs(machine: &Machine) -> Finding {
    let install = "cargo install --path . --locked";
    let missing = PROGRAMS.iter().zip(&machine.programs).find(|(_, path)| path.is_none());
    if let Some((name, _)) = missing {
        return Finding::fail(Code::Failed, format!("{name} is not installed beside this program or on PATH"))
            .fix(install);
    }
    let directories: Vec<_> = machine.programs.iter().flatten().filter_map(|path| path.parent()).collect();
    if directories.windows(2).any(|pair| pair[0] != pair[1]) {
        let places = machine.programs.iter().flatten().map(|path| path.display().to_string()).collect::<Vec<_>>();
        return Finding::warn(format!("our programs are in different places: {}", places.join(", "))).fix(install);
    }
    let ours = env!("CARGO_PKG_VERSION");
    let theirs = machine.daemon_program.as_deref().and_then(|said| said.split_whitespace().nth(1)).unwrap_or("unknown");
    match theirs == ours {
        true => {
            let place = directories.first().map(|place| place.display().to_string()).unwrap_or_default();
            Finding::ok(format!("all three are in {place}, version {ours}"))
        }
        false => Finding::warn(format!("the daemon's program has version {theirs}, this one {ours}")).fix(install),
    }
}

/// `daemon`
pub(super) fn daemon(machine: &Machine) -> Finding {
    match &machine.daemon {
        Ok(found) => Finding::ok(format!("runs: pid {}, socket {}", found.daemon.pid, found.daemon.socket)),
        Err(why @ Error::Call(CallError::Absent(_))) => {
            let text = format!("{why}, and none is started where {} names the socket", endpoint::SOCKET_VARIABLE);
            Finding::fail(Code::Failed, text).fix(format!("unset {}", endpoint::SOCKET_VARIABLE))
        }
        Err(why) => match silent_daemon(why) {
            Some(silent) => Finding::fail(Code::Failed, silent.to_string()).fix_if(silent.command()),
            None => Finding::fail(Code::Failed, why.to_string()).fix(RESTART),
        },
    }
}

fn silent_daemon(why: &Error) -> Option<Silent> {
    if let Error::Call(why) = why { why.silent() } else { None }
}

/// `daemon-version`
pub(super) fn daemon_version(machine: &Machine) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    match &machine.daemon {
        Err(_) => Finding::skip("no daemon answers"),
        Ok(found) if found.daemon.version == ours => Finding::ok(format!("it has our version, {ours}")),
        Ok(found) => {
            let text = format!("the daemon that runs has version {}, this program {ours}", found.daemon.version);
            Finding::warn(text).fix(RESTART).mend(Mend::RestartDaemon)
        }
    }
}

/// `state-directory`
pub(super) fn state_directory(machine: &Machine) -> Finding {
    let Some(state) = machine.directories.first() else {
        return Finding::fail(Code::Failed, "there is no home directory").fix("export HOME=~");
    };
    let there: Vec<_> = machine.directories.iter().filter(|directory| directory.exists()).collect();
    if let Some(open) = there.iter().find_map(|directory| open_to_others(directory)) {
        return open;
    }
    let shown = state.display();
    if there.is_empty() {
        return Finding::skip(format!("{shown} is not there yet"));
    }
    for directory in there {
        if let Err(why) = try_to_write(directory) {
            let text = format!("nothing can be written to {}: {why}", directory.display());
            return Finding::fail(Code::Store, text).fix(format!("df -h {}", quoted(&shown.to_string())));
        }
    }
    Finding::ok(format!("{shown} is yours alone and can be written to"))
}

fn try_to_write(directory: &Path) -> std::io::Result<()> {
    let path = directory.join(format!(".doctor-{}", std::process::id()));
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(&PROBE)?;
        file.sync_all() // some file systems say only here that they are full
    });
    let _ = fs::remove_file(&path); // what could not be made need not go
    written
}

/// `state-files`
pub(super) fn state_files(machine: &Machine) -> Finding {
    let found = match &machine.daemon {
        Ok(found) => found,
        Err(_) => return Finding::skip("no daemon answers"),
    };
    match found.problems.as_slice() {
        [] => Finding::ok("all can be read"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            let path = first.split(": ").next().unwrap_or_default();
            let text = format!("{first}{more}; put the file aside, then link again");
            Finding::fail(Code::Relink, text).fix(format!("mv {} {}", quoted(path), quoted(&format!("{path}.broken"))))
        }
    }
}

/// `token-store`
pub(super) fn token_store(machine: &Machine) -> Finding {
    let accounts = match &machine.daemon {
        Ok(found) => &found.accounts,
        Err(_) => return Finding::skip("no daemon answers"),
    };
    let troubled = accounts
        .iter()
        .find(|account| matches!(account.state, State::Unsaved | State::Locked) || is_about_store(account));
    if let Some(account) = troubled {
        let text = format!("{} as {}: {}", account.host, account.label, account.detail);
        let link = format!("{} --account {}", account.link_command(), account.label);
        return match account.state {
            State::Relink => Finding::fail(Code::Relink, text).fix(link),
            State::Locked => {
                Finding::fail(Code::Locked, text + " and locked").fix("git credential-gitlab vault unlock")
            }
            _ => Finding::fail(Code::Store, text).fix(format!("{link} --store file")),
        };
    }
    let in_memory = accounts.iter().find(|account| account.store == "memory");
    if let Some(account) = in_memory {
        let text = format!("the tokens of {} as {} are gone when the daemon ends", account.host, account.label);
        let link = format!("{} --account {}", account.link_command(), account.label);
        return Finding::warn(text).fix(format!("{link} --store file"));
    }
    let mut places: Vec<&str> = accounts.iter().map(|account| account.store_place.as_str()).collect();
    places.sort_unstable();
    places.dedup();
    let is_open = |account: &&Account| account.store == "file" && !account.store_place.starts_with("an encrypted");
    let in_open_file = accounts.iter().any(|account| is_open(&account));
    match places.is_empty() {
        true => Finding::skip("nothing is linked"),
        false => {
            let note = if in_open_file { ", not encrypted" } else { "" };
            Finding::ok(format!("the tokens are in {}{note}", places.join(" and ")))
        }
    }
}

fn is_about_store(account: &Account) -> bool {
    matches!(account.state, State::Relink | State::Unreachable) && account.detail.starts_with("its tokens ")
}

#[cfg(test)]
mod tests;
