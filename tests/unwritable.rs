//! A home where nothing can be written: a token that lives is served, and the person is told.

use std::fs::File;
use std::path::Path;

use crate::support::{DAEMON, Sandbox, Started, eventually, make_private, run};

/// Nothing can be changed: an image, or a file system that the kernel has found to be damaged.
const READ_ONLY: &str = r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1""#;

/// Not a byte is left, not even in the last block of the log.
const FULL: &str = r#"cp -a "$1" "$1.copy" && mount -t tmpfs -o size=2m tmpfs "$1" && chmod 700 "$1" &&
    cp -a "$1.copy/." "$1" && { cat /dev/zero > "$1/fill" || head -c 8192 /dev/zero >> "$2" || true; } 2>/dev/null"#;

/// A daemon to which this was done to its home alone, and what to ask it by. `None`: this user may not.
fn daemon_with(sandbox: &mut Sandbox, script: &str) -> Option<Started> {
    let directory = sandbox.path("shared");
    make_private(&directory);
    let socket = directory.join("socket");
    let unshared = |sandbox: &Sandbox, script: &str| {
        let mut command = sandbox.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, DAEMON]);
        command.arg(sandbox.home()).arg(sandbox.state().join("daemon.log")).arg(&socket);
        command
    };
    if !run::finish(unshared(sandbox, READ_ONLY), "").stderr.is_empty() {
        eprintln!("skipped: no containers for this user here");
        return None;
    }
    let daemon = Started::new(unshared(sandbox, &format!("{script} && exec \"$0\" --socket \"$3\"")));
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    eventually("it listens", || socket.exists());
    Some(daemon)
}

fn is_empty(path: &Path) -> bool {
    File::open(path).and_then(|file| file.metadata()).is_ok_and(|found| found.len() == 0)
}

#[test]
fn a_home_that_is_read_only_costs_no_token_that_lives_and_is_told() {
    let mut sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    std::fs::write(sandbox.state().join("daemon.log"), "").expect("written");
    let Some(daemon) = daemon_with(&mut sandbox, READ_ONLY) else { return };
    for _ in 0..2 {
        assert_eq!(sandbox.token(), token);
    }
    let told = sandbox.verb(["status"]).succeeded();
    assert!(told.stdout.contains("note: ") && told.stdout.contains("can't be written: Read-only"), "{told:?}");
    assert!(is_empty(&sandbox.state().join("daemon.log")));
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(daemon.finish().code, Some(0));
}

#[test]
fn a_disk_that_is_full_or_read_only_costs_no_refresh_token() {
    for (script, word) in [(FULL, "No space"), (READ_ONLY, "Read-only")] {
        let mut sandbox = Sandbox::linked();
        sandbox.age_token(7200, 0);
        let spent = sandbox.refresh_token();
        let Some(daemon) = daemon_with(&mut sandbox, script) else { return };
        let refused = sandbox.get().succeeded();
        assert!(refused.stdout == "quit=1\n" && refused.stderr.contains(word), "{refused:?}");
        assert_eq!(sandbox.gitlab.token_requests(), 0);
        sandbox.verb(["daemon", "stop"]).succeeded();
        daemon.finish();
        // With a disk that takes it, all is well.
        sandbox.unset("GIT_CREDENTIAL_GITLAB_SOCKET");
        assert_eq!(sandbox.refresh_token(), spent);
        sandbox.token();
    }
}

#[test]
fn a_full_disk_ends_no_daemon() {
    let mut sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let Some(daemon) = daemon_with(&mut sandbox, FULL) else { return };
    for _ in 0..2 {
        assert_eq!(sandbox.token(), token);
    }
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(daemon.finish().code, Some(0), "it did not panic for a line of its log");
}
