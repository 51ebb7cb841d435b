//! The daemon's socket, and who else can come near it and our directories.

use std::path::Path;
#[cfg(unix)]
use std::{os::unix::net::UnixStream, path::PathBuf, sync::mpsc, thread, time::Duration};

use super::{Machine, RESTART};
use crate::cli::doctor::finding::{Finding, Mend};
use crate::endpoint::{self, Endpoint};
use crate::protocol::Code;
use crate::shell::quoted;

/// A socket of this machine takes a connection at once, or never.
#[cfg(unix)]
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);

/// `socket`
pub(in crate::cli::doctor) fn socket(machine: &Machine) -> Finding {
    let Endpoint { path, explicit } = match &machine.endpoint {
        Ok(endpoint) => endpoint,
        Err(why) => return Finding::fail(Code::Failed, why),
    };
    let shown = path.display();
    if let Some((owner, mode)) = owner_and_mode(path) {
        if owner != own_id() {
            let variable = if *explicit { endpoint::SOCKET_VARIABLE } else { "XDG_RUNTIME_DIR" };
            return Finding::fail(Code::Failed, format!("{shown} belongs to another user, so it is not used"))
                .fix(format!("unset {variable}"));
        }
        if machine.abandoned {
            return Finding::fail(Code::Failed, format!("nobody answers at {shown}"))
                .fix(format!("rm {}", quoted(&shown.to_string())))
                .mend(Mend::RemoveSocket(path.clone()));
        }
        if mode & 0o077 != 0 {
            return Finding::fail(Code::Failed, format!("{shown} can be used by others")).fix(RESTART);
        }
    }
    if *explicit {
        // Its directory is not ours: /tmp or /run may be open, and must be.
        return Finding::ok(format!("{shown}, as {} names it", endpoint::SOCKET_VARIABLE));
    }
    let directory = path.parent().unwrap_or(path);
    open_to_others(directory).unwrap_or_else(|| Finding::ok(format!("{shown} is yours alone")))
}

/// Whether a socket is there that no process listens at: only then it is of no use to anybody. One
/// whose daemon hangs takes connections, or keeps us waiting for that.
#[cfg(unix)]
pub(in crate::cli::doctor) fn is_abandoned(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket());
    let path = path.to_owned();
    if !is_socket(&path) {
        return false;
    }
    let (sender, answer) = mpsc::channel();
    // std has no limit for a connect to a socket, so nobody waits for this thread.
    thread::spawn(move || drop(sender.send(UnixStream::connect(path))));
    let refused = |why: std::io::Error| why.kind() == std::io::ErrorKind::ConnectionRefused;
    answer.recv_timeout(CONNECTED_WITHIN).is_ok_and(|connected| connected.is_err_and(refused))
}

/// A pipe is gone with its daemon.
#[cfg(not(unix))]
pub(in crate::cli::doctor) fn is_abandoned(_path: &Path) -> bool {
    false
}

/// What is wrong with a directory of ours, if others can enter it, or it is not ours.
pub(super) fn open_to_others(directory: &Path) -> Option<Finding> {
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

/// On Windows a profile directory is the user's alone by inheritance, and the pipe has its list.
#[cfg(not(unix))]
fn owner_and_mode(_path: &Path) -> Option<(u32, u32)> {
    None
}

#[cfg(not(unix))]
fn own_id() -> u32 {
    0
}
