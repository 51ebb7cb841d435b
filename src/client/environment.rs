//! What a daemon is started with of this process's environment.
//!
//! Whoever asks first starts the daemon, and it then serves every command to come: of every
//! repository, for weeks. So it gets what says who the person is and where their things are, and
//! nothing that describes one repository or command (`GIT_DIR`, `NOTIFY_SOCKET`), that replaces
//! code (`LD_PRELOAD`, `GCONV_PATH`) or that changes whom it trusts (`SSL_CERT_FILE`,
//! `https_proxy`: `link` hands on those of the shell that it was typed in). A list of what is
//! forbidden would never be complete.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::endpoint;

/// The variables of git's that say where a person's config is. All others describe a repository
/// or a single command.
pub const GIT_VARIABLES_KEPT: [&str; 3] = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];

/// Begins the names of our own variables.
const OURS: &str = "GIT_CREDENTIAL_GITLAB_";

/// Where the session's D-Bus is: the keyring and the desktop.
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// Words, and parts of paths. Windows' are those that its programs can't do without.
const WORDS: [&str; 10] = [
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "GIT_CONFIG_NOSYSTEM",
    "USERNAME",
    "HOMEDRIVE",
    "HOMEPATH",
    "SystemDrive",
    "PATHEXT",
];

/// Paths of the person and of the system.
const PATHS: [&str; 15] = [
    "HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME", // git reads its config there
    "TMPDIR",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "SystemRoot",
    "windir",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramData",
    "TEMP",
    "TMP",
];

/// The variables of this process that a daemon, or a program that it runs, may have.
pub fn for_daemon() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter_map(|(name, value)| {
        let value = kept(name.to_str()?, &value)?;
        Some((name, value))
    })
}

/// The value that a daemon may have of a variable, if any.
fn kept(name: &str, value: &OsStr) -> Option<OsString> {
    // The system's own names differ in case from one Windows to the next.
    let is = |known: &&str| if cfg!(windows) { known.eq_ignore_ascii_case(name) } else { *known == name };
    let is_safe = match name {
        _ if is(&"PATH") => return Some(absolute_parts(value)),
        BUS => is_bus_of_a_socket(value),
        endpoint::SOCKET_VARIABLE => false, // it names the socket of one command; the daemon is told which is its own
        _ if PATHS.iter().any(is) => value.is_empty() || Path::new(value).is_absolute(),
        _ if WORDS.iter().any(is) => true,
        // Where the measuring of a test's coverage goes, and the secret of the systemd of tests. The
        // programs that people have are release builds.
        "LLVM_PROFILE_FILE" | "SYSTEMD_CREDENTIAL_SECRET" => cfg!(debug_assertions),
        name => name.starts_with(OURS) || name.starts_with("LC_"),
    };
    is_safe.then(|| value.to_owned())
}

/// PATH without what means another directory in the daemon, which works elsewhere.
fn absolute_parts(path: &OsStr) -> OsString {
    let parts = env::split_paths(path).filter(|part| part.is_absolute());
    env::join_paths(parts).unwrap_or_default() // no part has a separator in it: they were split there
}

/// Whether every address of a D-Bus is a socket. One may also be a program to be run.
fn is_bus_of_a_socket(addresses: &OsStr) -> bool {
    addresses.to_str().is_some_and(|all| all.split(';').all(|address| address.starts_with("unix:")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_kept(name: &str, value: &str) -> bool {
        kept(name, OsStr::new(value)).is_some_and(|kept| kept == value)
    }

    #[test]
    fn what_changes_code_or_trust_never_reaches_a_daemon() {
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "DYLD_INSERT_LIBRARIES",
            "GCONV_PATH",
            "MALLOC_TRACE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "OPENSSL_CONF",
            "https_proxy",
            "ALL_PROXY",
            "no_proxy",
            "GIT_DIR",
            "GIT_EXEC_PATH",
            "GIT_CONFIG_PARAMETERS",
            "GIT_CONFIG_COUNT",
            "GIT_SSL_NO_VERIFY",
            "GIT_TRACE",
            "NOTIFY_SOCKET",
            "LISTEN_FDS",
            "LISTEN_PID",
            "CREDENTIALS_DIRECTORY",
            "RUST_LOG",
            "BASH_ENV",
            "NEW_AND_UNKNOWN",
            endpoint::SOCKET_VARIABLE,
        ] {
            assert!(!is_kept(name, "/x"), "{name}");
        }
    }

    #[test]
    fn who_the_person_is_and_where_their_things_are_reaches_a_daemon() {
        for name in
            [&PATHS[..], &GIT_VARIABLES_KEPT, &["GIT_CREDENTIAL_GITLAB_STORE", "LC_ALL", "LANG", "USER"]].concat()
        {
            assert!(is_kept(name, if cfg!(windows) { r"C:\x" } else { "/x" }), "{name}");
        }
    }

    #[cfg(unix)] // the separator, and what is absolute
    #[test]
    fn a_path_that_means_something_else_elsewhere_is_left_out() {
        for name in PATHS {
            assert!(!is_kept(name, "x") && !is_kept(name, "./x") && is_kept(name, ""), "{name}");
        }
        assert_eq!(kept("PATH", OsStr::new(".:/usr/bin::node_modules/.bin:/bin")), Some("/usr/bin:/bin".into()));
    }

    #[test]
    fn a_bus_is_a_socket_and_never_a_program() {
        for (addresses, safe) in [
            ("unix:path=/run/user/1000/bus", true),
            ("unix:abstract=/tmp/dbus-x,guid=1;unix:path=/x", true),
            ("unixexec:path=/tmp/evil", false),
            ("unix:path=/x;unixexec:path=/tmp/evil", false),
            ("tcp:host=evil.example,port=1", false),
            ("autolaunch:", false),
            ("", false),
        ] {
            assert_eq!(is_kept(BUS, addresses), safe, "{addresses}");
        }
    }
}
