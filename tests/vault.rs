//! The files with tokens can be encrypted: with a passphrase that is asked for once, or by systemd.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use gitlab_stand_in::Endpoint;

use crate::support::pty::Pty;
use crate::support::vault::{PASSPHRASE, Vaulted};
use crate::support::{HELPER, Sandbox, Started, run};

pub const UNLOCK: &str = "git credential-gitlab vault unlock";

/// The bytes of alice's file.
pub fn record(vaulted: &Vaulted) -> Vec<u8> {
    let [file] = &vaulted.state_files(".tokens")[..] else { panic!("one login") };
    fs::read(file).expect("readable")
}

pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"git-credential-gitlab sealed\n\x01")
}

#[test]
fn what_is_there_and_what_comes_is_encrypted_and_git_notices_nothing() {
    let vaulted = Vaulted::new();
    let token = vaulted.token();
    let shown = vaulted.vault([]).succeeded();
    assert!(shown.stdout.starts_with("not encrypted: 1 login in "), "{shown:?}");
    assert!(shown.stderr.contains("vault encrypt"), "{shown:?}");
    let told = vaulted.encrypt().succeeded();
    assert!(told.stdout.starts_with("encrypted with a passphrase, unlocked: 1 login in "), "{told:?}");
    for honest in ["may still be on the disk", "spent at the next renewal", UNLOCK, "link again"] {
        assert!(told.stderr.contains(honest), "{honest}: {told:?}");
    }
    let first = record(&vaulted);
    assert!(is_sealed(&first));
    assert_eq!(vaulted.token(), token);
    let account = vaulted.account();
    assert_eq!((&account["store"], &account["state"]), (&"file".into(), &"ok".into()));
    assert!(vaulted.verb(["status"]).succeeded().stdout.contains("in an encrypted file in "));
    vaulted.renewed();
    let second = record(&vaulted);
    assert!(is_sealed(&second) && second != first);
    // Who links later is encrypted from the start.
    vaulted.gitlab.add_user("bob", "Bob");
    vaulted.link_as("bob", [vaulted.gitlab.url(), "--yes", "--store", "file"]).succeeded();
    for file in vaulted.state_files(".tokens") {
        assert!(is_sealed(&fs::read(&file).expect("readable")), "{}", file.display());
    }
    assert!(vaulted.vault([]).succeeded().stdout.contains(", unlocked: 2 logins in "));
}

#[test]
fn the_same_command_goes_on_after_a_reboot() {
    let vaulted = Vaulted::with_passphrase();
    let token = vaulted.token();
    vaulted.reboot();
    vaulted.type_passphrase("encrypt", "another one, long enough").ended_with(1);
    let told = vaulted.encrypt().succeeded();
    assert!(told.stdout.contains(", unlocked: 1 login in "), "{told:?}");
    assert_eq!(vaulted.token(), token);
}

#[test]
fn without_the_key_git_is_told_what_to_type_and_nothing_is_spent() {
    let vaulted = Vaulted::with_passphrase();
    let token = vaulted.token();
    vaulted.reboot();
    let refused = vaulted.get().succeeded();
    let host = vaulted.gitlab.url();
    assert_eq!(refused.stdout, "quit=1\n");
    assert!(refused.stderr.contains(&format!("the tokens of alice at {host} are locked; to unlock them: {UNLOCK}")));
    assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    assert!(refused.took < Duration::from_secs(5), "{refused:?}");
    vaulted.verb(["token"]).ended_with(4);
    let shown = vaulted.verb(["status"]).ended_with(4).stdout;
    assert!(shown.contains("is locked") && shown.contains(&format!("to mend it: {UNLOCK}\n")), "{shown}");
    assert_eq!(vaulted.account()["state"], "locked");
    assert!(vaulted.verb(["status", "--short"]).ended_with(4).stdout.contains("locked"));
    let shown = vaulted.vault([]).ended_with(4);
    assert!(shown.stdout.contains(", locked: 1 login in ") && shown.stderr.contains(UNLOCK), "{shown:?}");
    let looked = vaulted.verb(["doctor", "--json", host]).ended_with(4).stdout;
    assert!(looked.contains(&format!("\"{UNLOCK}\"")), "{looked}");
    // Nobody is sent to a browser for tokens that could not be kept.
    let seen = vaulted.gitlab.count(Endpoint::Authorize);
    let link = vaulted.verb(["link", host, "--yes"]).ended_with(4);
    assert!(link.stderr.contains("locked") && link.stderr.contains(UNLOCK), "{link:?}");
    let unlink = vaulted.verb(["unlink"]).ended_with(1);
    assert!(unlink.stderr.contains(UNLOCK) && unlink.stderr.contains("still linked"), "{unlink:?}");
    vaulted.vault(["decrypt"]).ended_with(4);
    assert_eq!(vaulted.gitlab.count(Endpoint::Authorize), seen);
    let daemon = vaulted.daemon_pid();
    vaulted.unlock().succeeded();
    assert_eq!(vaulted.account()["state"], "ok");
    assert_eq!((vaulted.token(), vaulted.daemon_pid()), (token, daemon));
    assert_eq!(vaulted.gitlab.token_requests(), 0);
}

#[test]
fn a_wrong_passphrase_is_told_and_tries_become_slow() {
    let vaulted = Vaulted::with_passphrase();
    vaulted.reboot();
    let mut took = Vec::new();
    for wrong in ["wrong", "Correct horse battery staple", PASSPHRASE.split_once(' ').expect("words").0] {
        let told = vaulted.type_passphrase("unlock", wrong).ended_with(1);
        assert!(told.stderr.contains("the passphrase is wrong"), "{told:?}");
        took.push(told.took);
    }
    assert!(took[2] >= Duration::from_secs(2), "{took:?}");
    // Encrypting once more is no way to try faster.
    let told = vaulted.type_passphrase("encrypt", "wrong, and long enough").ended_with(1);
    assert!(told.stderr.contains("the passphrase is wrong") && told.took >= Duration::from_secs(3), "{told:?}");
    assert_eq!(vaulted.get().stdout, "quit=1\n");
    vaulted.unlock().succeeded();
    vaulted.token();
    let told = vaulted.type_passphrase("unlock", "wrong").ended_with(1);
    assert!(told.took < Duration::from_secs(3), "counted from the right one: {told:?}");
}

#[test]
fn whoever_guesses_passphrases_keeps_nobody_from_typing_theirs() {
    let vaulted = Vaulted::with_passphrase();
    vaulted.reboot();
    std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..20)
            .map(|_| {
                let mut command = vaulted.command(HELPER);
                command.args(["vault", "unlock", "--passphrase-stdin"]);
                scope.spawn(move || run::finish(command, "wrong\n").ended_with(1))
            })
            .collect();
        let told = guesses.into_iter().map(|guess| guess.join().expect("no panic").stderr).collect::<Vec<_>>();
        assert!(told.iter().any(|told| told.contains("are trying passphrases")), "{told:?}");
    });
    vaulted.unlock().succeeded();
    vaulted.token();
}

#[test]
fn locked_stays_locked_until_it_is_unlocked() {
    let vaulted = Vaulted::with_passphrase();
    let token = vaulted.token();
    let told = vaulted.vault(["lock"]).succeeded();
    assert!(told.stdout.contains(", locked: 1 login") && told.stderr.contains(UNLOCK), "{told:?}");
    assert_eq!(vaulted.get().stdout, "quit=1\n", "not even what the daemon held");
    assert!(!vaulted.kernel_forgets(), "the kernel has forgotten it already");
    vaulted.kill_daemon();
    assert_eq!(vaulted.get().stdout, "quit=1\n");
    vaulted.unlock().succeeded();
    assert_eq!(vaulted.token(), token);
    vaulted.vault(["unlock"]).succeeded(); // it is
}

#[test]
fn both_logins_of_an_account_are_encrypted_and_come_back() {
    let vaulted = Vaulted::of(Sandbox::new());
    let words = [vaulted.gitlab.url(), "--client-id", &vaulted.client_id, "--yes", "--spare"];
    vaulted.link_as("alice", words).succeeded();
    let [first, second] = {
        let mut files = vaulted.state_files(".tokens");
        files.sort_by_key(|file| file.to_string_lossy().contains("~second"));
        <[PathBuf; 2]>::try_from(files).expect("two logins")
    };
    let plain = fs::read(&first).expect("readable");
    let told = vaulted.encrypt().succeeded();
    assert!(told.stdout.contains(", unlocked: 2 logins in "), "{told:?}");
    assert_eq!(vaulted.account()["spare"], "ready");
    // As a crash leaves it: one can be read without the key, the other can't.
    vaulted.verb(["daemon", "stop"]).succeeded();
    assert!(is_sealed(&fs::read(&second).expect("readable")));
    fs::write(&first, plain).expect("written");
    vaulted.kernel_forgets();
    vaulted.token();
    vaulted.unlock().succeeded();
    assert_eq!(vaulted.account()["spare"], "ready");
    vaulted.encrypt().succeeded();
    assert!(is_sealed(&fs::read(&first).expect("readable")));
    assert_eq!(vaulted.account()["spare"], "ready");
}

#[test]
fn a_damaged_login_does_not_leave_the_other_one_in_the_clear() {
    let vaulted = Vaulted::of(Sandbox::new());
    let words = [vaulted.gitlab.url(), "--client-id", &vaulted.client_id, "--yes", "--spare"];
    vaulted.link_as("alice", words).succeeded();
    let mut files = vaulted.state_files(".tokens");
    files.sort_by_key(|file| file.to_string_lossy().contains("~second"));
    vaulted.verb(["daemon", "stop"]).succeeded();
    fs::write(&files[0], b"git-credential-gitlab sealed\n\x01 and damaged").expect("written");
    vaulted.encrypt().ended_with(1);
    assert!(is_sealed(&fs::read(&files[1]).expect("readable")));
    // A record of nobody that nobody can read is named.
    fs::write(files[0].with_file_name("x~9.tokens"), b"git-credential-gitlab sealed\n\x01").expect("written");
    vaulted.link();
    let told = vaulted.encrypt().ended_with(1);
    assert!(told.stderr.contains("x~9") && told.stderr.contains("remove the file"), "{told:?}");
}

#[test]
fn a_passphrase_that_protects_nothing_is_refused_and_a_short_one_warned_of() {
    let vaulted = Vaulted::new();
    let refused = vaulted.type_passphrase("encrypt", "").ended_with(2);
    assert!(refused.stderr.contains("no passphrase was given"), "{refused:?}");
    let nobody = vaulted.vault(["encrypt", "--with", "passphrase"]).ended_with(2);
    assert!(nobody.stderr.contains("--passphrase-stdin"), "{nobody:?}");
    assert!(!vaulted.key_file().exists());
    let warned = vaulted.type_passphrase("encrypt", "short").succeeded();
    assert!(warned.stderr.contains("warning: with 5 characters"), "{warned:?}");
    // Another one does not go on where this one ended.
    let other = vaulted.vault(["encrypt", "--with", "systemd"]).ended_with(2);
    assert!(other.stderr.contains("encrypted already, with a passphrase"), "{other:?}");
}

#[test]
fn on_a_terminal_a_new_passphrase_is_asked_for_twice_and_not_shown() {
    let vaulted = Vaulted::new();
    let encrypt = format!("{HELPER} vault encrypt --with passphrase");
    let type_both = |first: &str, second: &str| {
        let mut pty = Pty::run(&vaulted, &encrypt);
        pty.wait_for("Passphrase (it is not shown):");
        pty.wait_for_no_echo();
        pty.type_line(first);
        pty.wait_for("Once more:");
        pty.wait_for_no_echo();
        pty.type_line(second);
        pty.finish()
    };
    let (code, screen) = type_both(PASSPHRASE, "another");
    assert!(code == Some(2) && screen.contains("not the same"), "{screen}");
    assert!(!vaulted.key_file().exists());
    let (code, screen) = type_both(PASSPHRASE, PASSPHRASE);
    assert!(code == Some(0) && screen.contains("encrypted with a passphrase"), "{screen}");
    assert!(!screen.contains("horse"), "{screen}");
    vaulted.reboot();
    let mut pty = Pty::run(&vaulted, &format!("{HELPER} vault unlock"));
    pty.wait_for("Passphrase (it is not shown):");
    pty.wait_for_no_echo();
    pty.type_line(PASSPHRASE);
    let (code, screen) = pty.finish();
    assert!(code == Some(0) && !screen.contains("Once more") && !screen.contains("horse"), "{screen}");
    vaulted.token();
}

#[test]
fn the_encryption_can_be_taken_back() {
    let vaulted = Vaulted::with_passphrase();
    let token = vaulted.token();
    let told = vaulted.vault(["decrypt"]).succeeded();
    assert!(told.stdout.starts_with("not encrypted: 1 login in "), "{told:?}");
    assert!(record(&vaulted).starts_with(b"{") && !vaulted.key_file().exists());
    assert!(!vaulted.kernel_forgets(), "the kernel has forgotten it already");
    vaulted.kill_daemon();
    assert_eq!(vaulted.token(), token);
    vaulted.renewed();
    for verb in ["decrypt", "lock", "unlock"] {
        let refused = vaulted.vault([verb]).ended_with(2);
        assert!(refused.stderr.contains("not encrypted"), "{refused:?}");
    }
    // And a new encryption has a new key.
    vaulted.type_passphrase("encrypt", "another one, long enough").succeeded();
    vaulted.reboot();
    vaulted.unlock().ended_with(1);
    vaulted.type_passphrase("unlock", "another one, long enough").succeeded();
    vaulted.token();
}

#[test]
fn where_the_encryption_is_being_taken_back_nobody_is_told_of_one() {
    let mut vaulted = Vaulted::with_passphrase();
    vaulted.verb(["daemon", "stop"]).succeeded();
    vaulted.sandbox.set("GIT_CREDENTIAL_GITLAB_FAULT", "after-leaving");
    vaulted.vault(["decrypt"]);
    vaulted.sandbox.unset("GIT_CREDENTIAL_GITLAB_FAULT");
    let told = vaulted.link();
    assert!(record(&vaulted).starts_with(b"{"));
    assert!(!(told.stdout + &told.stderr).contains("an encrypted file"));
    assert!(!vaulted.verb(["status"]).stdout.contains("an encrypted file"));
}

#[test]
fn a_key_file_that_is_damaged_newer_or_greedy_is_named_and_left_alone() {
    let vaulted = Vaulted::with_passphrase();
    vaulted.reboot();
    let good: serde_json::Value =
        serde_json::from_slice(&fs::read(vaulted.key_file()).expect("readable")).expect("JSON");
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.to_string()
    };
    let greedy = with(&|it| it["wrapped"]["memory"] = (64 << 20).into()); // 64 GiB
    let newer = with(&|it| it["version"] = 2.into());
    for (bad, says) in [("{".to_owned(), "is damaged"), (greedy, "is damaged"), (newer, "a newer version")] {
        fs::write(vaulted.key_file(), &bad).expect("written");
        let refused = vaulted.get().succeeded();
        assert!(refused.stdout == "quit=1\n" && refused.stderr.contains(says), "{refused:?}");
        let told = vaulted.unlock().ended_with(1);
        assert!(told.stderr.contains(says) && told.took < Duration::from_secs(5), "{told:?}");
        vaulted.encrypt().ended_with(1);
        assert_eq!(fs::read_to_string(vaulted.key_file()).expect("readable"), bad);
    }
    // Nobody who can write there makes us write in the clear.
    fs::write(vaulted.key_file(), with(&|it| it["leaving"] = true.into())).expect("written");
    let told = vaulted.unlock().ended_with(1);
    assert!(told.stderr.contains("changed by somebody else"), "{told:?}");
    fs::write(vaulted.key_file(), good.to_string()).expect("written");
    vaulted.unlock().succeeded();
    vaulted.token();
    // Gone for good: one command mends it.
    vaulted.verb(["daemon", "stop"]).succeeded();
    fs::remove_file(vaulted.key_file()).expect("removed");
    let refused = vaulted.get().succeeded();
    assert!(refused.stderr.contains("the file with their key is gone; to link it again: "), "{refused:?}");
    vaulted.link();
    vaulted.token();
}

#[test]
fn the_passphrase_is_in_no_argument_environment_log_or_file() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GIT_CREDENTIAL_GITLAB_LOG", "trace");
    let vaulted = Vaulted::of(sandbox);
    vaulted.link();
    let mut command = vaulted.command(HELPER);
    command.args(["vault", "encrypt", "--passphrase-stdin"]).stdin(Stdio::piped());
    let mut started = Started::new(command);
    let mut typed = started.child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut typed, PASSPHRASE.as_bytes()).expect("written");
    drop(typed);
    let told = started.finish().succeeded();
    vaulted.vault([]); // notes what the kernel keeps
    let pid = vaulted.daemon_pid();
    run::can_look_into(pid);
    let mut seen = told.stdout + &told.stderr;
    for name in ["cmdline", "environ"] {
        seen += &String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default());
    }
    for file in files_below(vaulted.home()) {
        seen += &String::from_utf8_lossy(&fs::read(&file).expect("readable"));
    }
    assert!(seen.contains("are encrypted") && !seen.contains("horse"));
}

/// Every file below a directory.
pub fn files_below(directory: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("readable").path());
    entries
        .flat_map(|path| if path.is_dir() { files_below(path) } else { vec![path] })
        .filter(|it| it.is_file())
        .collect()
}
