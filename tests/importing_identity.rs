//! `import` and the name in commits: as the GitLab has it, where git has none and the person agrees.

use std::path::Path;

use gitlab_stand_in::Endpoint;

use crate::accounts::two_accounts;
use crate::importing::{import, with_projects};
use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox};

/// git knows nobody's name.
fn nameless(sandbox: Sandbox) -> Sandbox {
    for key in ["user.name", "user.email"] {
        sandbox.git(["config", "--global", "--unset", key]).succeeded();
    }
    sandbox
}

/// `user.name` and `user.email` of a clone's own config.
fn named(sandbox: &Sandbox, clone: &str) -> [String; 2] {
    let clone = sandbox.path("src").join(clone);
    ["user.name", "user.email"].map(|key| own(sandbox, &clone, key))
}

fn own(sandbox: &Sandbox, clone: &Path, key: &str) -> String {
    sandbox.git_in(clone, ["config", "--local", "--get", key]).stdout.trim().to_owned()
}

const ALICE: [&str; 2] = ["Alice Doe", "1-alice@users.noreply.example.com"];
const NOBODY: [&str; 2] = ["", ""];

/// Imports `group/app` and `group/tool` on a terminal, and answers the question.
fn answering(sandbox: &Sandbox, answer: &str) -> String {
    let src = sandbox.path("src");
    let mut pty = Pty::run(sandbox, &format!("{HELPER} import --dir {} group/app group/tool", src.display()));
    pty.wait_for("Let commits in these 2 clones be by Alice Doe <1-alice@users.noreply.example.com>? [Y/n]");
    // A slip is no answer.
    pty.type_line("x");
    pty.wait_for("answer y or n");
    pty.wait_for("[Y/n]");
    pty.type_line(answer);
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    screen
}

#[test]
fn where_git_knows_no_name_the_one_that_gitlab_knows_is_offered() {
    let sandbox = nameless(with_projects(&["group/tool"]));
    answering(&sandbox, "");
    assert_eq!(named(&sandbox, "group/app"), ALICE);
    assert_eq!(named(&sandbox, "group/tool"), ALICE);
    assert_eq!(sandbox.git(["config", "--global", "--get", "user.email"]).stdout, "", "only the clones have it");
    // git is content with it.
    let clone = sandbox.path("src/group/tool");
    sandbox.git_in(&clone, ["commit", "--allow-empty", "--message", "hello"]).succeeded();
    let author = sandbox.git_in(&clone, ["log", "-1", "--format=%an <%ae>"]).succeeded().stdout;
    assert_eq!(author.trim(), "Alice Doe <1-alice@users.noreply.example.com>");
}

#[test]
fn who_says_no_gets_the_clones_as_git_made_them_and_the_command() {
    let sandbox = nameless(with_projects(&["group/tool"]));
    let screen = answering(&sandbox, "n");
    assert_eq!(named(&sandbox, "group/app"), NOBODY);
    assert!(screen.contains("git config --global user.name 'Alice Doe' && git config --global user.email"), "{screen}");
}

#[test]
fn without_a_terminal_nothing_is_set_and_nobody_waits() {
    let sandbox = nameless(Sandbox::linked());
    let told = import(&sandbox, ["group/app"]).succeeded();
    assert!(told.stderr.contains("git config --global user.email 1-alice@users.noreply.example.com"), "{told:?}");
    assert_eq!(named(&sandbox, "group/app"), NOBODY);
    // Programs that read JSON are told nothing.
    let sandbox = nameless(Sandbox::linked());
    let told = import(&sandbox, ["--json", "group/app"]).succeeded();
    assert!(!told.stderr.contains("your name"), "{told:?}");
}

#[test]
fn who_has_a_name_is_not_asked_and_the_server_neither() {
    let sandbox = Sandbox::linked();
    let asked = |sandbox: &Sandbox| sandbox.gitlab.count(Endpoint::User);
    let before = asked(&sandbox);
    let told = import(&sandbox, ["group/app"]).succeeded();
    assert_eq!((asked(&sandbox), told.stderr.contains("your name")), (before, false), "{told:?}");
    assert_eq!(named(&sandbox, "group/app"), NOBODY);
}

#[test]
fn a_name_that_is_asked_for_is_set_in_what_is_there_too_and_is_that_of_the_account_that_clones() {
    let sandbox = two_accounts();
    import(&sandbox, ["group/app"]).succeeded();
    import(&sandbox, ["--identity", "group/app"]).succeeded();
    assert_eq!(named(&sandbox, "group/app"), ALICE);
    sandbox.verb(["use", "bob", "--for", "group"]).succeeded();
    let told = import(&sandbox, ["--identity", "group/app"]).succeeded();
    assert_eq!(named(&sandbox, "group/app"), ["Bob", "5-bob@users.noreply.example.com"], "{told:?}");
    let told = import(&sandbox, ["--identity", "--account", "alice", "group/app"]).succeeded();
    assert_eq!(named(&sandbox, "group/app"), ALICE, "{told:?}");
}
