//! What can lie where our files should be: half a file, a huge one, something else altogether.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::is_one_line_at_most;
use crate::support::{Sandbox, eventually};

/// What lies in a file's place.
#[derive(Debug, Clone)]
enum Lies {
    Bytes(&'static str, Vec<u8>),
    Directory,
    Pipe,
    /// A link to there.
    Link(&'static str),
    /// A file that nobody may open (root may).
    Locked,
}

fn lies(good: &[u8]) -> Vec<Lies> {
    let bytes = |name, bytes: &[u8]| Lies::Bytes(name, bytes.to_vec());
    let text = String::from_utf8_lossy(good).into_owned();
    vec![
        bytes("empty", b""),
        bytes("half", &good[..good.len() / 2]),
        bytes("binary", &[0, 0xff, 0x1b, b'[', b'2', b'J'].repeat(100)),
        bytes("huge", &vec![b' '; 32 << 20]),
        bytes("deep", "[".repeat(60_000).as_bytes()),
        bytes("a list", b"[]"),
        bytes("newer", br#"{"version":99}"#),
        bytes("wrong types", br#"{"version":1,"username":7,"instance":[],"access_token":{},"at":"soon","text":7}"#),
        bytes("a name that climbs", text.replace("\"alice\"", "\"../../../alice\"").as_bytes()),
        bytes("escapes", text.replace("alice", "\\u001b[2J\\u202e").as_bytes()),
        Lies::Directory,
        Lies::Pipe,
        Lies::Link("/dev/zero"),
        Lies::Link("/dev/tty"),
        Lies::Link("/nowhere/at/all"),
        Lies::Link("."),
        Lies::Locked,
    ]
}

fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).expect("removed"),
        Ok(_) => fs::remove_file(path).expect("removed"),
        Err(_) => {}
    }
}

impl Lies {
    /// Puts it there, also where a daemon is about to write.
    fn at(&self, path: &Path) {
        let beside = path.with_extension("lie");
        self.make(&beside);
        eventually("it lies there", || {
            remove(path);
            fs::rename(&beside, path).is_ok()
        });
    }

    fn make(&self, path: &Path) {
        match self {
            Lies::Bytes(_, bytes) => fs::write(path, bytes).expect("written"),
            Lies::Directory => fs::create_dir(path).expect("made"),
            Lies::Pipe => assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo is there").success()),
            Lies::Link(to) => std::os::unix::fs::symlink(to, path).expect("linked"),
            Lies::Locked => {
                fs::write(path, "").expect("written");
                fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).expect("set");
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Lies::Bytes(name, _) => (*name).into(),
            other => format!("{other:?}"),
        }
    }
}

/// A linked sandbox without a daemon, its token, and the file of that kind.
fn stopped(kind: fn(&Sandbox) -> PathBuf) -> (Sandbox, String, PathBuf, Option<Vec<u8>>) {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let path = kind(&sandbox);
    let good = fs::read(&path).ok();
    (sandbox, token, path, good)
}

/// Whatever lies there, everything ends soon and says what is wrong; and once it is mended, it works.
fn survives(name: &str, kind: fn(&Sandbox) -> PathBuf, costs_the_token: bool) {
    let (sandbox, token, path, good) = stopped(kind);
    for lie in lies(good.as_deref().unwrap_or(b"{\"alice\":1}")) {
        let shown = format!("{name}: {}", lie.name());
        // Met by a daemon that starts, and by one that runs.
        for running in [false, true] {
            if running {
                remove(&path);
                good.iter().for_each(|good| fs::write(&path, good).expect("written"));
                assert_eq!(sandbox.token(), token, "{shown}");
            }
            lie.at(&path);
            let got = sandbox.get();
            assert_eq!(got.code, Some(0), "{shown}: {got:?}");
            assert!(is_one_line_at_most(&got.stderr), "{shown}: {got:?}");
            assert!(got.took < Duration::from_secs(10), "{shown}: {got:?}");
            match got.attribute("password") {
                Some(served) => assert_eq!(served, token, "{shown}"),
                // A link to nowhere is no file, and then nobody is linked.
                None if matches!(lie, Lies::Link("/nowhere/at/all")) => assert!(costs_the_token, "{shown}"),
                None => assert!(costs_the_token && !got.stderr.is_empty(), "{shown}: {got:?}"),
            }
            for words in [&["status"][..], &["log"]] {
                let told = sandbox.verb(words.iter().copied());
                let harmful = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
                assert!(!(told.stdout.clone() + &told.stderr).contains(harmful), "{shown}: {words:?} {told:?}");
                assert!(told.code.is_some_and(|code| code <= 6), "{shown}: {words:?} {told:?}");
                assert!(told.took < Duration::from_secs(10), "{shown}: {words:?} {told:?}");
            }
        }
        // Where it is the log, the test would wait for its end.
        let log = if name == "log" { String::new() } else { sandbox.log() };
        assert!(!log.contains("panicked"), "{shown}: {log}");
        sandbox.verb(["daemon", "stop"]);
        remove(&path);
        good.iter().for_each(|good| fs::write(&path, good).expect("written"));
        assert_eq!(sandbox.get().attribute("password").as_ref(), Some(&token), "{shown}, mended");
        sandbox.verb(["daemon", "stop"]).succeeded();
    }
    assert!(!sandbox.home().join("alice.json").exists() && !sandbox.path("alice.json").exists());
}

fn only(sandbox: &Sandbox, ending: &str) -> PathBuf {
    let [path] = &sandbox.state_files(ending)[..] else { panic!("one account") };
    path.clone()
}

#[test]
fn whatever_lies_in_the_place_of_a_profile_is_named_and_waited_for_by_nobody() {
    survives("profile", |sandbox| only(sandbox, ".json"), true);
}

#[test]
fn whatever_lies_in_the_place_of_tokens_is_named_and_waited_for_by_nobody() {
    survives("tokens", |sandbox| only(sandbox, ".tokens"), true);
}

#[test]
fn whatever_lies_in_the_place_of_the_journal_costs_no_token() {
    survives("journal", |sandbox| sandbox.state().join("journal"), false);
}

#[test]
fn whatever_lies_in_the_place_of_the_log_keeps_nobody_waiting() {
    survives("log", |sandbox| sandbox.state().join("daemon.log"), true);
}

#[test]
fn whatever_lies_in_the_place_of_a_notice_costs_no_token() {
    let notice = |sandbox: &Sandbox| {
        let id = only(sandbox, ".json").file_stem().and_then(|stem| stem.to_str()).expect("text").to_owned();
        sandbox.state().join("notices").join(format!("{id}.ended"))
    };
    survives("notice", notice, false);
}

#[test]
fn whatever_lies_in_the_place_of_a_lease_costs_a_renewal_and_not_the_login() {
    let (sandbox, token, tokens, _) = stopped(|sandbox| only(sandbox, ".tokens"));
    let lease = tokens.with_extension("lock");
    for lie in lies(b"{}") {
        let shown = lie.name();
        sandbox.age_token(7200, 0);
        lie.at(&lease);
        let got = sandbox.get();
        assert!(got.took < Duration::from_secs(10) && is_one_line_at_most(&got.stderr), "{shown}: {got:?}");
        assert_ne!(got.attribute("password").as_ref(), Some(&token), "{shown}: it is dead");
        assert!(got.attribute("password").is_some() || got.stdout == "quit=1\n", "{shown}: {got:?}");
        sandbox.kill_daemon();
        remove(&lease);
        sandbox.age_token(7200, 0);
        let got = sandbox.get();
        assert!(got.attribute("password").is_some(), "{shown}, mended: {got:?}");
    }
}

#[test]
fn whatever_lies_in_the_place_of_the_daemons_lock_or_socket_is_one_line_at_most() {
    let socket = |sandbox: &Sandbox| {
        sandbox.verb(["daemon", "start"]).succeeded();
        let socket = sandbox.socket();
        sandbox.verb(["daemon", "stop"]).succeeded();
        socket
    };
    let (sandbox, token, socket, _) = stopped(socket);
    for path in [socket.clone(), socket.with_extension("lock")] {
        for lie in lies(b"{}") {
            let shown = format!("{}: {}", path.display(), lie.name());
            lie.at(&path);
            let got = sandbox.get();
            assert_eq!(got.code, Some(0), "{shown}: {got:?}");
            assert!(got.took < Duration::from_secs(12) && is_one_line_at_most(&got.stderr), "{shown}: {got:?}");
            assert!(got.attribute("password").is_none_or(|served| served == token), "{shown}: {got:?}");
            assert!(got.attribute("password").is_some() || !got.stderr.is_empty(), "{shown}: {got:?}");
            sandbox.verb(["daemon", "stop"]);
            remove(&path);
            assert_eq!(sandbox.token(), token, "{shown}, mended");
            sandbox.verb(["daemon", "stop"]).succeeded();
        }
    }
}
