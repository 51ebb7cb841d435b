//! What is read from day to day, when all is well.

use gitlab_stand_in::{Role, Visibility};

use super::transcript::Transcript;
use crate::support::Sandbox;

#[test]
fn what_is_read_when_nothing_is_linked() {
    let sandbox = Sandbox::new();
    let mut page = Transcript::new(&sandbox);
    for words in [&["status"][..], &["status", "gitlab.example.org"], &["repos"], &["token"], &["use", "alice"]] {
        page.verb(words);
    }
    for words in [&["import", "group/app"][..], &["log"], &["unlink"], &["status", "--short"]] {
        page.verb(words);
    }
    page.ends("nothing-linked");
}

#[test]
fn what_is_read_of_accounts() {
    let sandbox = crate::accounts::two_accounts();
    let mut page = Transcript::new(&sandbox);
    page.verb(&["status"]);
    page.verb(&["status", "--json"]);
    page.verb(&["status", "gitlab.example.org"]);
    page.after("Who answers where").verb(&["use", "bob", "--for", "group/sub"]);
    page.verb(&["use", "bob"]);
    page.verb(&["use", "carol"]);
    page.verb(&["use", "bob", "--for", "group/../sub"]);
    page.verb(&["use", "bob", "--for", "group/sub", "--remove"]);
    page.verb(&["use", "bob", "--for", "group/sub", "--remove"]);
    page.after("Nobody of that name").verb(&["token", "--account", "carol"]);
    page.verb(&["repos", "--account", "carol"]);
    page.ends("accounts");
}

#[test]
fn what_is_read_of_projects() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_project("group/old", Visibility::Internal);
    sandbox.gitlab.grant("alice", "group/old", Role::Reporter);
    sandbox.gitlab.archive_project("group/old");
    sandbox.gitlab.add_empty_project("group/sub/empty", Visibility::Private);
    sandbox.gitlab.grant("alice", "group/sub/empty", Role::Guest);
    let mut page = Transcript::new(&sandbox);
    page.verb(&["repos"]);
    page.verb(&["repos", "--archived"]);
    page.verb(&["repos", "--search", "nothing like it"]);
    page.verb(&["repos", "--group", "elsewhere"]);
    page.screen(&["repos"], 80, |_| ());
    page.screen(&["repos"], 40, |_| ());
    page.after("Brought in").verb(&["import", "group/app", "group/missing"]);
    page.verb(&["import", "--group", "group"]);
    page.verb(&["import", "--group", "elsewhere"]);
    page.verb(&["import", "../escape"]);
    page.verb(&["import"]);
    page.ends("projects");
}

#[test]
fn what_is_read_of_the_daemon() {
    let sandbox = Sandbox::linked();
    let mut page = Transcript::new(&sandbox);
    page.verb(&["daemon", "status"]);
    page.verb(&["daemon", "start"]);
    page.verb(&["daemon", "stop"]);
    page.verb(&["daemon", "stop"]);
    page.verb(&["daemon", "status"]);
    page.verb(&["daemon", "restart"]);
    page.verb(&["version"]);
    page.ends("daemon");
}

#[test]
fn what_a_narrow_terminal_shows() {
    let sandbox = Sandbox::linked();
    let mut page = Transcript::new(&sandbox);
    for columns in [80, 40] {
        page.after(&format!("{columns} columns")).screen(&["status"], columns, |_| ());
        page.screen(&["unlink", "--account", "nobody"], columns, |_| ());
    }
    page.ends("terminal");
}
