//! This machine: git, our programs, our daemon, our directories.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::finding::{Finding, Mend};
use crate::cli::accounts::{Account, Accounts};
use crate::cli::error::Error;
use crate::client::{self, CallError};
use crate::endpoint::{self, Endpoint};
use crate::protocol::{Code, State};
use crate::shell::quoted;

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
        Self {
            git: said(Command::new("git").arg("version")),
            daemon_program: programs[2].as_ref().and_then(|program| said(Command::new(program).arg("--version"))),
            programs,
            endpoint: Endpoint::find().map_err(|why| why.to_string()),
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
        return Finding::fail(Code::Failed, "git is not installed, or not on PATH").fix("sudo apt install git");
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
                .fix("sudo apt install --only-upgrade git")
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
        Err(why) => Finding::fail(Code::Failed, why.to_string()).fix(RESTART),
    }
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

/// `socket`
pub(super) fn socket(machine: &Machine) -> Finding {
    let path = match &machine.endpoint {
        Ok(endpoint) => &endpoint.path,
        Err(why) => return Finding::fail(Code::Failed, why),
    };
    let shown = path.display();
    if let Some((owner, mode)) = owner_and_mode(path) {
        if owner != own_id() {
            return Finding::fail(Code::Failed, format!("{shown} belongs to another user, so it is not used"))
                .fix("unset XDG_RUNTIME_DIR");
        }
        if machine.daemon.is_err() && is_socket(path) {
            return Finding::fail(Code::Failed, format!("nobody answers at {shown}"))
                .fix(format!("rm {}", quoted(&shown.to_string())))
                .mend(Mend::RemoveSocket(path.clone()));
        }
        if mode & 0o077 != 0 {
            return Finding::fail(Code::Failed, format!("{shown} can be used by others")).fix(RESTART);
        }
    }
    let directory = path.parent().unwrap_or(path);
    open_to_others(directory).unwrap_or_else(|| Finding::ok(format!("{shown} is yours alone")))
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
        let link = format!("git credential-gitlab link {} --account {}", account.short_host(), account.label);
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
        let link = format!("git credential-gitlab link {} --account {}", account.short_host(), account.label);
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

/// What is wrong with a directory of ours, if others can enter it, or it is not ours.
fn open_to_others(directory: &Path) -> Option<Finding> {
    let (owner, mode) = owner_and_mode(directory)?;
    let shown = directory.display();
    if owner != own_id() {
        return Some(Finding::fail(Code::Failed, format!("{shown} belongs to another user")));
    }
    (mode & 0o077 != 0).then(|| {
        Finding::fail(Code::Failed, format!("{shown} can be entered by others (mode {:o})", mode & 0o777))
            .fix(format!("chmod 700 {}", quoted(&shown.to_string())))
            .mend(Mend::Close(directory.into()))
    })
}

#[cfg(unix)]
fn owner_and_mode(path: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().ok().map(|found| (found.uid(), found.mode()))
}

#[cfg(unix)]
fn own_id() -> u32 {
    endpoint::user_id()
}

#[cfg(unix)]
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket())
}

/// On Windows a profile directory is the user's alone by inheritance, and the pipe has its list.
#[cfg(not(unix))]
fn owner_and_mode(_path: &Path) -> Option<(u32, u32)> {
    None
}

#[cfg(not(unix))]
fn own_id() -> u32 {
    0
}

#[cfg(not(unix))]
fn is_socket(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;
    use crate::cli::accounts::{Daemon, example};

    fn machine() -> Machine {
        let daemon = Daemon { pid: 1, version: env!("CARGO_PKG_VERSION").into(), socket: "/s".into() };
        Machine {
            git: Some("git version 2.47.3".into()),
            programs: PROGRAMS.map(|name| Some(PathBuf::from("/opt").join(name))),
            daemon_program: Some(format!("x {}", env!("CARGO_PKG_VERSION"))),
            endpoint: Ok(Endpoint { path: "/nowhere/socket".into(), explicit: false }),
            directories: Vec::new(),
            daemon: Ok(Accounts { accounts: vec![example()], daemon, problems: Vec::new() }),
        }
    }

    fn outcome(check: fn(&Machine) -> Finding, change: impl FnOnce(&mut Machine)) -> Outcome {
        let mut machine = machine();
        change(&mut machine);
        check(&machine).outcome
    }

    fn found(machine: &mut Machine) -> &mut Accounts {
        machine.daemon.as_mut().expect("it answers")
    }

    #[test]
    fn all_is_well_where_all_is_well() {
        for check in [git_version, programs, daemon, daemon_version, socket, state_files, token_store] {
            assert_eq!(outcome(check, |_| ()), Outcome::Ok);
        }
    }

    #[test]
    fn an_old_git_or_none_is_told() {
        assert_eq!(outcome(git_version, |it| it.git = None), Outcome::Fail);
        for (said, meant) in [
            ("git version 2.38.1", Outcome::Warn),
            ("git version 1.8.3.1", Outcome::Warn),
            ("git version 2.39.5", Outcome::Ok),
            ("git version 2.39.5 (Apple Git-154)", Outcome::Ok),
            ("git version 3.0.0.windows.1", Outcome::Ok),
            ("hub", Outcome::Warn),
        ] {
            assert_eq!(outcome(git_version, |it| it.git = Some(said.into())), meant, "{said}");
        }
    }

    #[test]
    fn programs_that_do_not_belong_together_are_told() {
        assert_eq!(outcome(programs, |it| it.programs[1] = None), Outcome::Fail);
        assert_eq!(outcome(programs, |it| it.programs[2] = Some("/usr/bin/x".into())), Outcome::Warn);
        assert_eq!(outcome(programs, |it| it.daemon_program = Some("x 0.0.9".into())), Outcome::Warn);
        assert_eq!(outcome(programs, |it| it.daemon_program = None), Outcome::Warn);
    }

    #[test]
    fn a_daemon_of_another_version_is_restarted_by_fix() {
        let mut machine = machine();
        found(&mut machine).daemon.version = "0.0.9".into();
        let finding = daemon_version(&machine);
        assert_eq!((finding.outcome, finding.mend), (Outcome::Warn, Some(Mend::RestartDaemon)));
    }

    #[test]
    fn a_state_file_that_cannot_be_read_is_put_aside() {
        let mut machine = machine();
        found(&mut machine).problems.push("/s/it's.json: no JSON".into());
        let finding = state_files(&machine);
        assert_eq!(finding.fix.as_deref(), Some(r"mv '/s/it'\''s.json' '/s/it'\''s.json.broken'"));
    }

    #[test]
    fn a_store_that_is_locked_or_forgetful_is_told() {
        let with = |state: State, detail: &str, store: &str| {
            let (detail, store) = (detail.to_owned(), store.to_owned());
            outcome(token_store, |it| found(it).accounts[0] = Account { state, detail, store, ..example() })
        };
        assert_eq!(
            with(State::Unreachable, "its tokens are in the keyring, but it is locked", "keyring"),
            Outcome::Fail
        );
        assert_eq!(with(State::Unsaved, "could not be saved", "file"), Outcome::Fail);
        assert_eq!(with(State::Locked, "its tokens are in an encrypted file", "file"), Outcome::Fail);
        assert_eq!(with(State::Ok, "", "memory"), Outcome::Warn);
        assert_eq!(with(State::Unreachable, "the server answered 503", "keyring"), Outcome::Ok);
    }
}
