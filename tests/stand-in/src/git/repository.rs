//! Bare repositories on disk.

use std::{
    ffi::OsStr,
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
};

/// The first commit of every project that has one.
const README: &str = "\
commit refs/heads/main
committer GitLab <gitlab@localhost> 1700000000 +0000
data 14
Initial commit
M 100644 inline README.md
data 11
# Stand-in

";

/// Git with nothing of this machine's configuration in it.
fn git(home: &Path) -> Command {
    let mut git = Command::new("git");
    git.env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    git
}

/// A repository without a commit, as a project has it before the first push.
pub(crate) fn create_empty(home: &Path, path: &Path) -> io::Result<()> {
    let init = ["init", "--quiet", "--bare", "--initial-branch=main"].map(OsStr::new);
    run(git(home).args(init).arg(path), "")?;
    run(git(home).arg("-C").arg(path).args(["config", "http.receivepack", "true"]), "")
}

/// A repository with a README on `main`.
pub(crate) fn create_with_readme(home: &Path, path: &Path) -> io::Result<()> {
    create_empty(home, path)?;
    run(git(home).arg("-C").arg(path).args(["fast-import", "--quiet"]), README)
}

fn run(command: &mut Command, input: &str) -> io::Result<()> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let status = child.wait()?;
    if !status.success() {
        return Err(io::Error::other(format!("{command:?} failed: {status}")));
    }
    Ok(())
}
