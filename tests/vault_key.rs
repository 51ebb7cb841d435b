//! Who has the key to the files with tokens, and for how long: the kernel, the daemon, systemd, or
//! nobody but the person.

use std::fs;

use crate::support::vault::{Vaulted, in_no_login_session, kernel_keeps_keys, systemd_keeps_secrets};
use crate::support::{DAEMON, Sandbox, Started};
use crate::vault::{UNLOCK, is_sealed, record};

#[test]
fn a_daemon_that_starts_anew_asks_nobody_while_the_kernel_has_the_key() {
    if !kernel_keeps_keys() {
        return;
    }
    let vaulted = Vaulted::with_passphrase();
    let token = vaulted.token();
    vaulted.kill_daemon();
    assert_eq!(vaulted.token(), token);
    vaulted.verb(["daemon", "stop"]).succeeded();
    let token = vaulted.renewed();
    vaulted.kill_daemon();
    assert_eq!(vaulted.token(), token);
    assert!(is_sealed(&record(&vaulted)));
}

#[test]
fn where_the_kernel_keeps_nothing_the_daemon_does() {
    let vaulted = Vaulted::new();
    let token = vaulted.token();
    vaulted.verb(["daemon", "stop"]).succeeded();
    // As a container's filter does it.
    let mut daemon = vaulted.command("strace");
    daemon.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=add_key,keyctl,request_key"]);
    daemon.args(["-e", "inject=add_key,keyctl,request_key:error=EPERM", DAEMON, "--foreground"]);
    let mut daemon = Started::new(daemon);
    daemon.wait_for_line(|line| line.contains("ready"));
    vaulted.encrypt().succeeded();
    assert_eq!(vaulted.token(), token);
    vaulted.renewed();
    vaulted.vault(["lock"]).succeeded();
    assert_eq!(vaulted.get().stdout, "quit=1\n");
    vaulted.unlock().succeeded();
    let token = vaulted.token();
    vaulted.verb(["daemon", "stop"]).succeeded();
    daemon.finish();
    assert!(!vaulted.kernel_forgets(), "it kept nothing");
    assert_eq!(vaulted.get().stdout, "quit=1\n", "a new daemon has to ask");
    vaulted.unlock().succeeded();
    assert_eq!(vaulted.token(), token);
}

/// A daemon as systemd or cron starts it.
fn daemon_in_no_login_session(vaulted: &Vaulted) -> Option<Started> {
    vaulted.verb(["daemon", "stop"]);
    let mut daemon = in_no_login_session(vaulted, DAEMON)?;
    daemon.arg("--foreground");
    let mut daemon = Started::new(daemon);
    daemon.wait_for_line(|line| line.contains("ready"));
    Some(daemon)
}

#[test]
fn a_daemon_in_no_login_session_asks_once_too() {
    let vaulted = Vaulted::new();
    let token = vaulted.token();
    if !kernel_keeps_keys() {
        return;
    }
    let Some(_first) = daemon_in_no_login_session(&vaulted) else { return };
    vaulted.encrypt().succeeded();
    let _second = daemon_in_no_login_session(&vaulted);
    assert_eq!(vaulted.token(), token);
    // Nor does one that is in a session.
    vaulted.verb(["daemon", "stop"]).succeeded();
    assert_eq!(vaulted.token(), token);
}

#[test]
fn what_a_daemon_in_no_login_session_has_locked_stays_locked() {
    let vaulted = Vaulted::new();
    let token = vaulted.token();
    let Some(_first) = daemon_in_no_login_session(&vaulted) else { return };
    vaulted.encrypt().succeeded();
    vaulted.vault(["lock"]).succeeded();
    vaulted.verb(["daemon", "stop"]).succeeded();
    assert_eq!(vaulted.get().stdout, "quit=1\n");
    assert!(!vaulted.kernel_forgets(), "the kernel has forgotten it already");
    vaulted.unlock().succeeded();
    assert_eq!(vaulted.token(), token);
}

/// What is left to those who have lost the passphrase, or systemd's key.
fn begin_anew(vaulted: &Vaulted, code: i32) {
    let refused = vaulted.vault(["decrypt"]).ended_with(code);
    assert!(refused.stderr.contains("--local"), "{refused:?}");
    vaulted.verb(["unlink", "--local"]).succeeded();
    vaulted.vault(["decrypt"]).succeeded();
    assert!(!vaulted.key_file().exists());
    vaulted.encrypt().succeeded();
    vaulted.link();
    assert!(is_sealed(&record(vaulted)));
    vaulted.token();
}

#[test]
fn a_lost_passphrase_costs_the_logins_and_no_more() {
    let vaulted = Vaulted::with_passphrase();
    vaulted.reboot();
    begin_anew(&vaulted, 4);
}

#[test]
fn a_key_that_systemd_has_lost_costs_the_logins_and_no_more() {
    let vaulted = Vaulted::new();
    if !systemd_keeps_secrets(&vaulted) {
        return;
    }
    vaulted.vault(["encrypt"]).succeeded();
    vaulted.kill_daemon();
    fs::remove_file(vaulted.path("credential.secret")).expect("removed");
    begin_anew(&vaulted, 1);
}

#[test]
fn with_systemd_nobody_is_asked_not_even_after_a_reboot() {
    let vaulted = Vaulted::new();
    if !systemd_keeps_secrets(&vaulted) {
        return;
    }
    let token = vaulted.token();
    let told = vaulted.vault(["encrypt"]).succeeded();
    assert!(told.stdout.starts_with("encrypted with a key that systemd keeps, unlocked: 1 login"), "{told:?}");
    assert!(is_sealed(&record(&vaulted)));
    assert!(!vaulted.kernel_forgets(), "no copy more than it needs");
    vaulted.reboot();
    assert_eq!(vaulted.token(), token);
    vaulted.renewed();
    // Locked it is all the same.
    vaulted.vault(["lock"]).succeeded();
    let refused = vaulted.get().succeeded();
    assert!(refused.stdout == "quit=1\n" && refused.stderr.contains(UNLOCK), "{refused:?}");
    vaulted.vault(["unlock"]).succeeded();
    vaulted.token();
    // On another machine, or without its key, the files open for nobody, and that is said.
    vaulted.kill_daemon();
    let secret = vaulted.path("credential.secret");
    fs::rename(&secret, vaulted.path("elsewhere")).expect("moved");
    let requests = vaulted.gitlab.requests().len();
    let refused = vaulted.get().succeeded();
    assert!(refused.stdout == "quit=1\n" && refused.stderr.contains("systemd-creds: "), "{refused:?}");
    assert_eq!(vaulted.gitlab.requests().len(), requests);
    fs::remove_file(&secret).ok(); // it may have made a new one
    fs::rename(vaulted.path("elsewhere"), &secret).expect("moved back");
    vaulted.token();
    vaulted.vault(["decrypt"]).succeeded();
    assert!(record(&vaulted).starts_with(b"{"));
}

#[test]
fn where_systemd_can_not_keep_a_key_a_passphrase_is_asked_for() {
    let mut sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    sandbox.set("SYSTEMD_CREDENTIAL_SECRET", "/dev/null/secret");
    let refused = sandbox.verb(["vault", "encrypt", "--with", "systemd"]).ended_with(1);
    assert!(refused.stderr.contains("systemd can't be used"), "{refused:?}");
    let refused = sandbox.verb(["vault", "encrypt"]).ended_with(2);
    assert!(refused.stderr.contains("so it takes a passphrase"), "{refused:?}");
    assert!(refused.stderr.contains("--passphrase-stdin"), "{refused:?}");
    assert!(!sandbox.state().join("tokens/key").exists());
    sandbox.token();
}

#[test]
fn with_the_last_account_the_key_leaves_memory_but_not_the_wish() {
    let vaulted = Vaulted::with_passphrase();
    vaulted.verb(["unlink"]).succeeded();
    assert!(!vaulted.kernel_forgets(), "the kernel has forgotten it already");
    let link = ["link", vaulted.gitlab.url(), "--client-id", &vaulted.client_id, "--yes"];
    let refused = vaulted.verb(link).ended_with(4);
    assert!(refused.stderr.contains(UNLOCK), "{refused:?}");
    vaulted.unlock().succeeded();
    vaulted.link();
    assert!(is_sealed(&record(&vaulted)));
}

#[test]
fn with_the_last_account_goes_a_key_that_this_daemon_never_used() {
    let vaulted = Vaulted::with_passphrase();
    vaulted.verb(["daemon", "stop"]).succeeded();
    let [file] = &vaulted.state_files(".tokens")[..] else { panic!("one login") };
    fs::write(file, "damaged").expect("written");
    vaulted.verb(["unlink"]).succeeded();
    assert!(!vaulted.kernel_forgets(), "the kernel has forgotten it already");
}
