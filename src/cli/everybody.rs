//! What is for everybody on this machine: a program that all of them can run, and the rights of root.

use std::path::{Path, PathBuf};

use super::helper_path;
use crate::shell::quoted;

/// Where everybody's programs are that no package brought.
const PROGRAMS: &str = "/usr/local/bin";

/// The command for a verb that only root may do. By its path, because sudo looks for programs, and
/// so for git's, only where root's are.
pub(super) fn command(words: &str) -> String {
    match helper_path::program() {
        Ok(program) if !is_root() => format!("sudo {} {words}", quoted(&program.to_string_lossy())),
        _ => format!("git credential-gitlab {words}"),
    }
}

/// Whether this process is root. Windows has no sudo that could be named.
pub(super) fn is_root() -> bool {
    #[cfg(unix)]
    return crate::endpoint::user_id() == 0;
    #[cfg(not(unix))]
    true
}

/// What keeps others from running the program that git is told to run, and the command that mends
/// it, with these words of ours.
pub(super) fn in_the_way(words: &str) -> Option<String> {
    let program = helper_path::program().ok()?;
    let real = program.canonicalize().ok()?;
    // The way to a link, and the way to what it leads to.
    let closed = [&program, &real].into_iter().find_map(|path| closed_part(path, is_open))?;
    let sudo = if is_root() { "" } else { "sudo " };
    let directory = quoted(&real.parent()?.to_string_lossy());
    Some(format!(
        "others on this machine can't run {}, because {} is closed to them, and git will tell them so; to put it where \
         they can: {sudo}cp {directory}/git-credential-gitlab* {PROGRAMS} && {sudo}{PROGRAMS}/git-credential-gitlab {words}",
        program.display(),
        closed.display(),
    ))
}

/// The first part of a path that is not open.
fn closed_part(path: &Path, is_open: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let parts: Vec<&Path> = path.ancestors().collect();
    parts.into_iter().rev().find(|part| !is_open(part)).map(Path::to_path_buf)
}

/// Whether everybody may go through a directory, or run a program. What access lists add to that is
/// not looked at.
#[cfg(unix)]
fn is_open(part: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    part.metadata().is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
}

/// Nobody's home is opened to others by its mode there.
#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_door_that_is_shut_is_named() {
        let path = Path::new("/home/alice/.cargo/bin/x");
        let shut =
            |doors: &'static [&str]| closed_part(path, move |part| !doors.iter().any(|door| Path::new(door) == part));
        assert_eq!(shut(&[]), None);
        assert_eq!(shut(&["/home/alice/.cargo", "/home/alice"]), Some("/home/alice".into()));
        assert_eq!(shut(&["/home/alice/.cargo/bin/x"]), Some(path.into()));
    }
}
