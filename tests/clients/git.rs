//! git itself, in every version that is installed: how often it asks, and that it is enough.

use std::path::Path;

use gitlab_stand_in::{Role, Visibility};

use super::fill;
use crate::support::clients::Desk;
use crate::support::gits;

/// A desk for each git, whose `group/app` has a file or two.
fn for_each_git(check: impl Fn(&Desk)) {
    for git in gits() {
        let mut desk = Desk::new();
        desk.sandbox.use_git(&git);
        fill(&desk, &[("one.txt", "one\n"), ("more/two.txt", "two\n")]);
        check(&desk);
    }
}

/// Runs commands of git; the helper must be asked so often by each.
fn asks(desk: &Desk, directory: &Path, commands: &[(usize, &[&str])]) {
    let mut total = desk.questions();
    for (times, words) in commands {
        desk.sandbox.git_in(directory, words.iter().copied()).succeeded();
        total += times;
        desk.was_asked(total);
    }
}

#[test]
fn every_git_asks_once_per_connection() {
    for_each_git(|desk| {
        let url = desk.sandbox.project("group/app");
        let top = desk.sandbox.path("");
        asks(
            desk,
            &top,
            &[
                (1, &["ls-remote", &url]),
                (1, &["clone", "--quiet", &url, "app"]),
                (1, &["clone", "--quiet", "--depth", "1", &url, "shallow"]),
                (1, &["clone", "--quiet", "--mirror", &url, "mirror"]),
                // What a partial clone lacks is fetched when it is checked out.
                (2, &["clone", "--quiet", "--filter=blob:none", &url, "partial"]),
            ],
        );
        let work: &[(usize, &[&str])] = &[
            (0, &["commit", "--quiet", "--allow-empty", "-m", "x"]),
            (1, &["push", "--quiet"]),
            (1, &["fetch", "--quiet"]),
            (1, &["pull", "--quiet"]),
        ];
        asks(desk, &top.join("app"), work);
        desk.is_clean();
    });
}

#[test]
fn every_git_asks_once_for_each_submodule() {
    for_each_git(|desk| {
        let main = desk.sandbox.clone("group/app", "main");
        for name in ["group/one", "group/two"] {
            desk.sandbox.gitlab.add_project(name, Visibility::Private);
            desk.sandbox.gitlab.grant("alice", name, Role::Developer);
            desk.sandbox.git_in(&main, ["submodule", "--quiet", "add", &desk.sandbox.project(name)]).succeeded();
        }
        desk.sandbox.git_in(&main, ["commit", "--quiet", "-m", "two submodules"]).succeeded();
        desk.sandbox.git_in(&main, ["push", "--quiet"]).succeeded();
        desk.was_asked(4);
        let url = desk.sandbox.project("group/app");
        let clone: &[&str] = &["clone", "--quiet", "--recurse-submodules", "-j2", &url, "again"];
        asks(desk, &desk.sandbox.path(""), &[(3, clone)]);
        let again = desk.sandbox.path("again");
        let fetch: &[&str] = &["fetch", "--quiet", "--recurse-submodules=yes", "--jobs=3"];
        asks(desk, &again, &[(3, fetch), (2, &["submodule", "--quiet", "update", "--remote"])]);
        desk.is_clean();
    });
}

#[test]
fn every_git_fails_once_after_the_server_ended_a_token() {
    for_each_git(|desk| {
        let clone = desk.sandbox.clone("group/app", "app");
        for round in 1..=2 {
            desk.sandbox.gitlab.expire_access_tokens("alice");
            desk.sandbox.git_in(&clone, ["fetch", "--quiet"]).ended_with(128);
            desk.sandbox.git_in(&clone, ["fetch", "--quiet"]).succeeded();
            assert_eq!(desk.sandbox.gitlab.failed_logins(), round);
        }
        desk.left_nothing();
    });
}

#[test]
fn a_program_without_helpers_of_its_own_gets_a_token_through_git_credential() {
    // What libgit2, JGit, dulwich and others can be told to do.
    for_each_git(|desk| {
        let mut git = desk.sandbox.git_command();
        git.args(["credential", "fill"]);
        let told = crate::support::run::finish(git, desk.sandbox.question()).succeeded();
        assert!(desk.sandbox.lives(&told.token()));
        assert_eq!(told.stderr, "");
        desk.is_clean();
    });
}
