//! `status` tells the truth, also as the first command of the day.

use std::fs;

use gitlab_stand_in::{Endpoint, UserFlag};

use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox};

#[test]
fn the_first_status_of_a_daemon_knows_as_much_as_the_last() {
    let sandbox = Sandbox::linked();
    let before = sandbox.account();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let after = sandbox.account();
    assert!(before["expires_at"].is_string());
    assert_eq!(after, before);
}

#[test]
fn the_first_status_of_a_daemon_sees_that_the_tokens_are_gone() {
    let sandbox = Sandbox::linked();
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let kept = fs::read(tokens).expect("readable");
    sandbox.verb(["daemon", "stop"]).succeeded();
    fs::remove_file(tokens).expect("removed");
    let told = sandbox.verb(["status"]).ended_with(4);
    assert!(told.stdout.contains("git credential-gitlab link"), "{told:?}");
    let refused = sandbox.get().succeeded();
    assert!(refused.stdout == "quit=1\n" && refused.stderr.contains("git credential-gitlab link"), "{refused:?}");
    // They come back (a keyring that was closed for a moment), and all is well.
    fs::write(tokens, kept).expect("written");
    assert!(sandbox.get().attribute("password").is_some());
    sandbox.verb(["status"]).succeeded();
}

#[test]
fn a_check_asks_the_server_also_as_the_first_command() {
    let sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let before = sandbox.gitlab.count(Endpoint::TokenInfo);
    sandbox.verb(["status", "--check"]).succeeded();
    assert_eq!(sandbox.gitlab.count(Endpoint::TokenInfo), before + 1);
}

#[test]
fn a_check_renews_what_it_finds_dead() {
    let sandbox = Sandbox::linked();
    let dead = sandbox.token();
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.verb(["status", "--check"]).succeeded();
    assert_ne!(sandbox.token(), dead);
    assert_eq!(sandbox.account()["renewals"], 1);
}

#[test]
fn a_check_says_that_a_revoked_login_does_not_work() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.revoke_tokens("alice");
    let told = sandbox.verb(["status", "--check"]).ended_with(5);
    assert!(told.stdout.contains("invalid_grant"), "{told:?}");
}

#[test]
fn a_check_finds_an_account_that_git_can_not_use_although_its_token_lives() {
    for (harm, why) in [
        (&(|sandbox: &Sandbox| sandbox.gitlab.block_user("alice")) as &dyn Fn(&Sandbox), "the account is blocked"),
        (&|sandbox| sandbox.gitlab.flag_user("alice", UserFlag::PasswordExpired, true), "git is refused"),
    ] {
        let sandbox = Sandbox::linked();
        sandbox.verb(["status", "--check"]).succeeded();
        harm(&sandbox);
        let told = sandbox.verb(["status", "--check"]).ended_with(6);
        assert!(told.stdout.contains("is refused by the GitLab: ") && told.stdout.contains(why), "{told:?}");
        let json = sandbox.verb(["status", "--check", "--json"]).ended_with(6).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["accounts"][0]["state"], "refused");
    }
}

#[test]
fn what_is_shown_in_a_terminal_is_broken_between_words_and_nowhere_else() {
    let mut sandbox = Sandbox::linked();
    sandbox.set("NO_COLOR", "1");
    let clone = sandbox.clone("group/app", "app");
    let secret = sandbox.project("group/app").replacen("://", "://alice:hunter2@", 1);
    sandbox.git_in(&clone, ["remote", "set-url", "origin", &secret]).succeeded();
    let doctor = format!("cd {}; {HELPER} doctor --verbose 2>/dev/null", clone.display());
    for line in [&doctor, &format!("{HELPER} status"), &format!("{HELPER} log")] {
        let whole = sandbox.command("sh").args(["-c", line]).output().expect("sh is installed").stdout;
        let whole = String::from_utf8(whole).expect("text");
        for columns in [40, 80] {
            let (_, screen) = Pty::run(&sandbox, &format!("stty rows 24 cols {columns}; {line}")).finish();
            for shown in screen.lines().map(str::trim_end) {
                // A path or a command stays whole.
                let is_one = !shown.trim().contains(' ') || shown.contains("git ");
                assert!(shown.chars().count() <= columns || is_one, "{columns}: {shown:?} in {screen}");
            }
            // Long words: those of a time change while it passes.
            let names = |text: &str| {
                text.split_whitespace()
                    .filter(|word| word.len() > 3 && word.bytes().all(|b| b.is_ascii_lowercase()))
                    .count()
            };
            assert_eq!(names(&screen), names(&whole), "{screen}\n{whole}");
        }
        assert!(whole.lines().any(|line| line.chars().count() > 40), "{whole}");
    }
}

#[test]
fn status_says_where_git_asks_somebody_else() {
    let sandbox = Sandbox::linked();
    let (url, said) = (sandbox.gitlab.url().to_owned(), || sandbox.verb(["status"]).succeeded().stderr);
    let mend = format!("git credential-gitlab configure {url}");
    assert_eq!(said(), "");
    sandbox.verb(["unconfigure", &url]).succeeded();
    assert!(said().contains(&mend), "{}", said());
    // Found by name, where PATH has it.
    sandbox.git(["config", "--global", "credential.helper", "gitlab"]).succeeded();
    assert_eq!(said(), "");
    sandbox.git(["config", "--global", "--unset", "credential.helper"]).succeeded();
    sandbox.verb(["configure", &url]).succeeded();
    assert_eq!(said(), "");
}
