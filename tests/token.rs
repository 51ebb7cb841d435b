//! `token`: what git would get, for scripts; and nothing beside it.

use gitlab_stand_in::{Endpoint, Fault, What, When};

use crate::accounts::{link, token as git_token, two_accounts};
use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox};

#[test]
fn a_script_gets_the_token_and_nothing_else() {
    let sandbox = Sandbox::linked();
    let told = sandbox.verb(["token"]).succeeded();
    assert_eq!((told.stdout, told.stderr.as_str()), (format!("{}\n", sandbox.token()), ""));
    let url = sandbox.gitlab.url();
    assert_eq!(sandbox.verb(["token", url]).succeeded().stdout.trim(), sandbox.token());
}

#[test]
fn a_person_is_told_that_it_is_a_secret() {
    let sandbox = Sandbox::linked();
    let (code, screen) = Pty::run(&sandbox, &format!("'{HELPER}' token")).finish();
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = screen.lines().map(str::trim).collect();
    assert!(lines[0].starts_with("warning: ") && lines[0].contains("secret"), "{screen}");
    assert_eq!(lines[1..], [sandbox.token()]);
}

#[test]
fn a_token_that_ends_too_soon_is_renewed_first() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.age_token(5_400, 1_800);
    assert_eq!(sandbox.verb(["token", "--min-life", "1000"]).succeeded().stdout.trim(), old);
    let new = sandbox.verb(["token", "--min-life", "3000"]).succeeded().stdout;
    assert!(new.trim() != old && new.trim() == sandbox.token());
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

#[test]
fn the_account_that_is_named_gives_it_and_no_other() {
    let mut sandbox = two_accounts();
    let (alice, bob) = (git_token(&sandbox, "username=alice"), git_token(&sandbox, "username=bob"));
    let token = |sandbox: &Sandbox, flags: &[&str]| {
        sandbox.verb(["token"].into_iter().chain(flags.iter().copied())).succeeded().stdout.trim().to_owned()
    };
    assert_eq!((token(&sandbox, &[]), token(&sandbox, &["--account", "Bob"])), (alice.clone(), bob.clone()));
    sandbox.verb(["use", "bob"]).succeeded();
    assert_eq!((token(&sandbox, &[]), token(&sandbox, &["--account", "alice"])), (bob.clone(), alice.clone()));
    for (account, more) in [("carol", "--account carol"), ("alice+read-only", "--account alice+read-only")] {
        let told = sandbox.verb(["token", "--account", account]).ended_with(3);
        assert!(told.stdout.is_empty() && told.stderr.contains(more), "{told:?}");
    }
    // What the environment gives to a program, it gets this way too.
    link(&sandbox, "alice", &["--read-only"]).succeeded();
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "alice+read-only");
    let weak = token(&sandbox, &[]);
    assert!(weak != alice && weak != bob);
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "carol");
    sandbox.verb(["token"]).ended_with(3);
}

#[test]
fn the_exit_code_says_why_there_is_none() {
    let sandbox = Sandbox::linked();
    let told = sandbox.verb(["token", "gitlab.example"]).ended_with(3);
    assert_eq!((told.stdout.as_str(), told.stderr.lines().count()), ("", 1), "{told:?}");
    assert!(told.stderr.contains("git credential-gitlab link gitlab.example"), "{told:?}");
    sandbox.age_token(7_200, 0);
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what: What::Reset, times: Some(1) });
    let told = sandbox.verb(["token"]).ended_with(5);
    assert_eq!((told.stdout.as_str(), told.stderr.lines().count()), ("", 1), "{told:?}");
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    sandbox.verb(["daemon", "stop"]).succeeded();
    std::fs::remove_file(tokens).expect("removed");
    let told = sandbox.verb(["token"]).ended_with(4);
    assert!(told.stdout.is_empty() && told.stderr.contains("git credential-gitlab link"), "{told:?}");
    sandbox.verb(["unlink", "--local"]).succeeded();
    sandbox.verb(["token"]).ended_with(3);
}

#[test]
fn a_server_that_refused_too_often_is_left_alone() {
    let sandbox = Sandbox::linked();
    for _ in 0..3 {
        sandbox.erase(&sandbox.token());
    }
    let told = sandbox.verb(["token"]).ended_with(6);
    assert!(told.stdout.is_empty() && told.stderr.contains("pausing"), "{told:?}");
}

#[test]
fn a_gitlab_below_a_path_gives_its_own() {
    let sandbox = Sandbox::with(gitlab_stand_in::StandIn::builder().base_path("/gitlab").start());
    sandbox.link();
    let told = sandbox.verb(["token", sandbox.gitlab.url()]).succeeded();
    assert_eq!(told.stdout.trim(), sandbox.token());
}
