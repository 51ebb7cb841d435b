//! Where the daemon listens: one socket per person and machine, in a directory of their own.
//!
//! The helper, the cli and the daemon must come to the same answer although their environments
//! differ (a terminal, an IDE, cron, `env -i`), so they share this function. It uses std alone,
//! because the helper has no dependency. Nothing is looked up relative to the current directory,
//! which is often somebody else's work tree.

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The name of our directory below the runtime and state directories.
pub const NAME: &str = "git-credential-gitlab";

/// The journal's name in the state directory: the daemon writes it, `log` reads it.
pub const JOURNAL: &str = "journal";

/// The directory in the state directory that has a file per account, and how their names end.
pub const ACCOUNTS: (&str, &str) = ("accounts", "json");

/// A directory that is always there and holds nobody up: whoever starts a program that must not
/// depend on the current directory, which may be somebody's work tree, starts it here.
pub const ROOT: &str = if cfg!(windows) { r"C:\" } else { "/" };

/// Names a socket to use instead of the usual one; nothing is ever started for it.
pub const SOCKET_VARIABLE: &str = "GIT_CREDENTIAL_GITLAB_SOCKET";

/// The longest path a socket address holds (`sun_path`), without its final NUL: 108 bytes on
/// Linux, 104 on macOS and the BSDs.
#[cfg(unix)]
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The socket's path, or the pipe's name.
    pub path: PathBuf,
    /// The person named it in [`SOCKET_VARIABLE`]: use it, but start nothing for it.
    pub explicit: bool,
}

/// Why there is no place to listen.
#[derive(Debug)]
pub enum NoEndpoint {
    /// Neither HOME nor the user database tells where home is.
    NoHome,
    /// A name in the environment that is not absolute.
    Relative(&'static str),
    /// The path does not fit into a socket address.
    TooLong(PathBuf),
}

impl fmt::Display for NoEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoEndpoint::NoHome => f.write_str("no home directory: set HOME"),
            NoEndpoint::Relative(variable) => write!(f, "{variable} is not an absolute path"),
            NoEndpoint::TooLong(path) => write!(
                f,
                "the socket path {} is too long for a socket address: set XDG_RUNTIME_DIR or {SOCKET_VARIABLE} to a shorter one",
                path.display()
            ),
        }
    }
}

impl std::error::Error for NoEndpoint {}

impl Endpoint {
    /// The endpoint of this process's environment.
    pub fn find() -> Result<Self, NoEndpoint> {
        let path = match absolute(SOCKET_VARIABLE)? {
            Some(path) => return Self { path, explicit: true }.checked(),
            None => default_path()?,
        };
        Self { path, explicit: false }.checked()
    }

    /// An endpoint at a path that another of our programs found.
    pub fn at(path: PathBuf) -> Result<Self, NoEndpoint> {
        Self { path, explicit: false }.checked()
    }

    #[cfg(unix)]
    fn checked(self) -> Result<Self, NoEndpoint> {
        match self.path.as_os_str().len() <= MAX_SOCKET_PATH {
            true => Ok(self),
            false => Err(NoEndpoint::TooLong(self.path)),
        }
    }

    #[cfg(not(unix))]
    fn checked(self) -> Result<Self, NoEndpoint> {
        Ok(self)
    }
}

/// Where accounts, the daemon's log and, without a keyring, the tokens are kept:
/// `$XDG_STATE_HOME/git-credential-gitlab` or what the platform has for it. The daemon asks the
/// `directories` crate; a test holds the two together.
pub fn state_directory() -> Result<PathBuf, NoEndpoint> {
    let home = || env::home_dir().filter(|home| home.is_absolute()).ok_or(NoEndpoint::NoHome);
    let base = if cfg!(windows) {
        // %LOCALAPPDATA%\git-credential-gitlab\data, as `directories` has it.
        match absolute("LOCALAPPDATA")? {
            Some(local) => return Ok(local.join(NAME).join("data")),
            None => return Ok(home()?.join("AppData").join("Local").join(NAME).join("data")),
        }
    } else if cfg!(target_os = "macos") {
        home()?.join("Library").join("Application Support")
    } else {
        // The XDG specification says to ignore a relative path, not to fail on it.
        match env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
            Some(state) => state,
            None => home()?.join(".local").join("state"),
        }
    };
    Ok(base.join(NAME))
}

/// Whether something may be linked: there is the file of an account, or it can't be seen whether
/// there is one.
pub fn may_have_accounts() -> bool {
    let (directory, ending) = ACCOUNTS;
    let Ok(state) = state_directory() else { return true };
    match state.join(directory).read_dir() {
        Ok(mut entries) => entries.any(|entry| {
            entry.map_or(true, |entry| Path::new(&entry.file_name()).extension().is_some_and(|it| it == ending))
        }),
        Err(why) => why.kind() != io::ErrorKind::NotFound,
    }
}

fn absolute(variable: &'static str) -> Result<Option<PathBuf>, NoEndpoint> {
    match env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from) {
        Some(path) if path.is_absolute() || path.starts_with(r"\\.\pipe") => Ok(Some(path)),
        Some(_) => Err(NoEndpoint::Relative(variable)),
        None => Ok(None),
    }
}

/// A pipe of this user. The name is public; who may connect is in the pipe's access list.
#[cfg(windows)]
fn default_path() -> Result<PathBuf, NoEndpoint> {
    let user = env::var_os("USERNAME").unwrap_or_else(|| "default".into());
    let mut name = std::ffi::OsString::from(r"\\.\pipe\git-credential-gitlab-");
    name.push(user);
    Ok(PathBuf::from(name))
}

/// `$XDG_RUNTIME_DIR`; without it `/run/user/UID`, so that cron and GUI programs meet the
/// daemon of the terminal; without that, a directory of the state directory with this machine's
/// name in it, because home directories are shared between machines and sockets are not.
#[cfg(unix)]
fn default_path() -> Result<PathBuf, NoEndpoint> {
    let named = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = || PathBuf::from(format!("/run/user/{}", user_id()));
    let runtime = named.unwrap_or_else(usual);
    let directory = match is_ours(&runtime) {
        true => runtime.join(NAME),
        false => state_directory()?.join(format!("run-{}", host_name())),
    };
    Ok(directory.join("socket"))
}

/// A directory that exists and belongs to this user. `sudo -E` leaves another user's
/// XDG_RUNTIME_DIR in the environment.
#[cfg(unix)]
fn is_ours(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    directory.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user_id())
}

/// The effective user id of this process.
#[cfg(unix)]
pub fn user_id() -> u32 {
    // std has no name for it, and a crate would be the helper's only dependency.
    #[allow(unsafe_code)] // a declaration; geteuid(2) takes nothing and cannot fail
    unsafe extern "C" {
        safe fn geteuid() -> u32;
    }
    geteuid()
}

/// This machine's name, as a part of a file name.
#[cfg(unix)]
fn host_name() -> String {
    // POSIX limits a host name to 255 bytes.
    let mut name = [0_u8; 256];
    #[allow(unsafe_code)] // gethostname(2) writes at most the length it is given
    let status = unsafe {
        unsafe extern "C" {
            fn gethostname(name: *mut std::ffi::c_char, length: usize) -> i32;
        }
        gethostname(name.as_mut_ptr().cast(), name.len() - 1)
    };
    let length = name.iter().position(|&b| b == 0).unwrap_or(0);
    let safe = |&b: &u8| if b.is_ascii_alphanumeric() || b == b'-' { char::from(b) } else { '_' };
    match status == 0 && length > 0 {
        true => name[..length].iter().map(safe).collect(),
        false => "localhost".into(),
    }
}

/// Creates a directory that only this user can enter, parents included. One that exists must
/// be this user's, and is closed to others if it was not.
#[cfg(unix)]
pub fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Not through a link: somebody else could change where it leads.
    let found = directory.symlink_metadata()?;
    if !found.is_dir() || found.uid() != user_id() {
        let why = format!("{} is not a directory of this user", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    if found.mode() & 0o077 != 0 {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Creates a directory. On Windows a profile directory is the user's alone by inheritance.
#[cfg(not(unix))]
pub fn make_private(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_private_directory_is_closed_to_others() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("a/b");
        make_private(&directory).expect("made");
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).expect("opened");
        make_private(&directory).expect("made again");
        let mode = directory.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_planted_link_is_no_private_directory() {
        let home = tempfile::tempdir().expect("a directory");
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path(), &link).expect("linked");
        assert!(make_private(&link).is_err());
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let long = PathBuf::from(format!("/{}", "x".repeat(120)));
        assert!(matches!(Endpoint::at(long), Err(NoEndpoint::TooLong(_))));
    }
}
