//! Several accounts on one GitLab: the right one answers, without anybody having to think of it.

use std::fs;
use std::path::{Path, PathBuf};

use gitlab_stand_in::{Role, StandIn, Visibility};
use serde_json::{Value, json};

use crate::support::{Finished, Sandbox, run};

/// Alice's and bob's accounts. Both see `shared/app`, where only alice may push; `work/api` is
/// bob's alone, and `group/app` alice's.
pub fn two_accounts() -> Sandbox {
    let sandbox = Sandbox::linked();
    add_bob(&sandbox);
    sandbox
}

fn add_bob(sandbox: &Sandbox) {
    sandbox.gitlab.add_user("bob", "Bob");
    for (project, person, role) in [
        ("shared/app", "alice", Role::Developer),
        ("shared/app", "bob", Role::Reporter),
        ("work/api", "bob", Role::Maintainer),
        ("work/sub/Tool", "bob", Role::Maintainer),
    ] {
        if person == "alice" || project != "shared/app" {
            sandbox.gitlab.add_project(project, Visibility::Private);
        }
        sandbox.gitlab.grant(person, project, role);
    }
    link(sandbox, "bob", &[]).succeeded();
}

/// Links, with these flags.
pub fn link(sandbox: &Sandbox, person: &str, flags: &[&str]) -> Finished {
    let words = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes"];
    sandbox.link_as(person, words.into_iter().chain(flags.iter().copied()))
}

fn config(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.home().join(".gitconfig")).expect("readable")
}

/// The answer to git with these lines more.
pub fn ask(sandbox: &Sandbox, more: &str) -> Finished {
    sandbox.helper("get", format!("{}{more}\n", sandbox.question())).succeeded()
}

/// The token for git with these lines more.
#[track_caller]
pub fn token(sandbox: &Sandbox, more: &str) -> String {
    ask(sandbox, more).token()
}

/// One line for the person, nothing that git would use, and no prompt.
#[track_caller]
pub fn assert_refused(answer: &Finished, why: &[&str]) {
    assert_eq!((answer.stdout.as_str(), answer.stderr.lines().count()), ("quit=1\n", 1), "{answer:?}");
    for part in why {
        assert!(answer.stderr.contains(part), "{part}: {answer:?}");
    }
}

/// Commits and pushes.
pub fn push(sandbox: &Sandbox, clone: &Path) -> Finished {
    sandbox.git_in(clone, ["commit", "--quiet", "--allow-empty", "-m", "more"]).succeeded();
    sandbox.git_in(clone, ["push", "--quiet"])
}

/// Clones with a name in the address, to a directory of that name.
pub fn clone_as(sandbox: &Sandbox, name: &str, project: &str) -> PathBuf {
    let url = sandbox.project(project).replacen("://", &format!("://{name}@"), 1);
    sandbox.git(["clone", "--quiet", &url, name]).succeeded();
    sandbox.path(name)
}

/// GitLab knew who pushed, and did not let them.
#[track_caller]
pub fn assert_403(pushed: &Finished) {
    assert!(pushed.code != Some(0) && pushed.stderr.contains("403"), "{pushed:?}");
}

/// What `status --json` shows of an account.
pub fn of(sandbox: &Sandbox, label: &str) -> Value {
    let status = sandbox.status();
    let accounts = status["accounts"].as_array().expect("a list");
    accounts.iter().find(|account| account["label"] == label).unwrap_or_else(|| panic!("{label}: {status}")).clone()
}

#[test]
fn the_account_in_the_address_pushes() {
    let sandbox = two_accounts();
    assert_403(&push(&sandbox, &clone_as(&sandbox, "bob", "shared/app")));
    push(&sandbox, &clone_as(&sandbox, "alice", "shared/app")).succeeded();
    let default = sandbox.clone("shared/app", "default");
    push(&sandbox, &default).succeeded();
}

#[test]
fn a_group_that_is_given_to_an_account_is_cloned_and_pushed_by_it() {
    let sandbox = two_accounts();
    let (before, url) = (config(&sandbox), sandbox.project("work/api"));
    let not_hers = sandbox.git(["clone", "--quiet", &url, "no"]);
    assert!(not_hers.stderr.contains("not found"), "{not_hers:?}");
    let told = sandbox.verb(["use", "bob", sandbox.gitlab.url(), "--for", "work"]).succeeded();
    assert_eq!(told.stdout, format!("bob answers for {}/work\n", sandbox.gitlab.url()));
    assert!(told.stderr.contains("useHttpPath") && told.stderr.contains("per repository"), "{told:?}");
    let clone = sandbox.clone("work/api", "api");
    push(&sandbox, &clone).succeeded();
    push(&sandbox, &sandbox.clone("group/app", "app")).succeeded();
    assert_eq!(of(&sandbox, "bob")["paths"], json!(["work"]));
    assert_eq!((&of(&sandbox, "bob")["default"], &of(&sandbox, "alice")["default"]), (&json!(false), &json!(true)));
    assert!(sandbox.verb(["status"]).stdout.contains("  for work\n"));
    // Another daemon knows it too.
    sandbox.verb(["daemon", "restart"]).succeeded();
    push(&sandbox, &clone).succeeded();
    let told = sandbox.verb(["use", "bob", "--for", "/Work/", "--remove"]).succeeded();
    assert!(told.stdout.starts_with("bob is no longer chosen for") && told.stderr.contains("useHttpPath"), "{told:?}");
    assert_eq!(config(&sandbox), before);
    assert_ne!(push(&sandbox, &clone).code, Some(0));
    let nothing = sandbox.verb(["use", "bob", "--for", "work", "--remove"]).ended_with(1);
    assert!(nothing.stderr.contains("does not choose bob"), "{nothing:?}");
}

#[test]
fn the_default_is_who_was_chosen_last_and_else_who_was_linked_first() {
    let sandbox = two_accounts();
    let [alice, bob] = ["username=alice", "username=bob"].map(|name| token(&sandbox, name));
    assert_eq!(sandbox.token(), alice);
    let before = config(&sandbox);
    for words in [&["use", "bob"][..], &["use", "Bob", sandbox.gitlab.url(), "--default"]] {
        let told = sandbox.verb(words.iter().copied()).succeeded();
        assert!(told.stdout.starts_with(&format!("bob answers for {},", sandbox.gitlab.url())), "{told:?}");
        assert_eq!(sandbox.token(), bob);
        assert_eq!(token(&sandbox, "username=stranger"), bob);
        assert_eq!(of(&sandbox, "bob")["default"], true);
    }
    push(&sandbox, &sandbox.clone("work/api", "api")).succeeded();
    sandbox.verb(["use", "alice"]).succeeded();
    assert_eq!(sandbox.token(), alice);
    sandbox.verb(["use", "bob", "--remove"]).ended_with(1);
    sandbox.verb(["use", "alice", "--remove"]).succeeded();
    assert_eq!((sandbox.token(), config(&sandbox)), (alice, before));
}

#[test]
fn the_nearest_path_decides_as_gitlab_compares_paths() {
    let sandbox = two_accounts();
    sandbox.gitlab.add_user("carol", "Carol");
    link(&sandbox, "carol", &[]).succeeded();
    sandbox.verb(["use", "bob", "--for", "work", "--for", "lone/project.git"]).succeeded();
    sandbox.verb(["use", "carol", "--for", "work/sub", "--for", "gone"]).succeeded();
    // The last path is not gone yet, so git goes on sending paths.
    let told = sandbox.verb(["use", "carol", "--for", "gone", "--remove"]).succeeded();
    assert!(!told.stderr.contains("useHttpPath") && config(&sandbox).contains("useHttpPath"), "{told:?}");
    let [alice, bob, carol] = ["username=alice", "username=bob", "username=carol"].map(|name| token(&sandbox, name));
    for (path, expected) in [
        ("work/api.git", &bob),
        ("Work/API", &bob),
        ("work/api.git/info/lfs", &bob),
        ("work/api.wiki.git", &bob),
        ("lone/project", &bob),
        ("lone/project.git/info/lfs/objects/batch", &bob),
        ("work/sub/tool.git", &carol),
        ("WORK/Sub/Tool.git/info/lfs", &carol),
        ("work/subs/tool.git", &bob),
        ("lone/project2.git", &alice),
        ("works/api.git", &alice),
        ("my/work/api.git", &alice),
        ("work/../group/app.git", &alice),
        ("group/../work/api.git", &alice),
        ("work%2fapi.git", &alice),
        ("work/%61pi.git", &alice),
        ("work//api.git", &alice),
    ] {
        assert_eq!(token(&sandbox, &format!("path={path}")), *expected, "{path}");
    }
    assert_eq!(token(&sandbox, "path=work/api.git\nusername=alice"), alice, "the address goes before the path");
    assert_eq!(token(&sandbox, "path=work/api.git\nusername=git"), bob, "a name that is nobody's does not");
}

#[test]
fn below_a_base_path_the_path_begins_behind_it() {
    let sandbox = Sandbox::with(StandIn::builder().base_path("/git/lab").start());
    sandbox.link();
    add_bob(&sandbox);
    sandbox.verb(["use", "bob", "--for", "work/sub"]).succeeded();
    push(&sandbox, &sandbox.clone("work/sub/Tool", "tool")).succeeded();
    assert_eq!(token(&sandbox, "path=git/lab/WORK/sub/tool.git"), token(&sandbox, "username=bob"));
    assert_eq!(token(&sandbox, "path=git/lab/work/api.git"), token(&sandbox, "username=alice"));
    assert_eq!(of(&sandbox, "bob")["paths"], json!(["work/sub"]));
}

#[test]
fn submodules_of_another_group_are_cloned_by_their_own_account() {
    let sandbox = two_accounts();
    sandbox.verb(["use", "bob", "--for", "work"]).succeeded();
    let main = sandbox.clone("group/app", "main");
    for project in ["work/api", "work/sub/Tool", "shared/app"] {
        let name = project.replace('/', "-");
        sandbox.git_in(&main, ["submodule", "--quiet", "add", &sandbox.project(project), &name]).succeeded();
    }
    push(&sandbox, &main).succeeded();
    sandbox
        .git(["clone", "--quiet", "--recurse-submodules", "-j3", &sandbox.project("group/app"), "again"])
        .succeeded();
    for name in ["work-api", "work-sub-Tool", "shared-app"] {
        assert!(sandbox.path("again").join(name).join("README.md").is_file(), "{name}");
    }
}

#[test]
fn a_person_who_has_set_use_http_path_keeps_it() {
    for for_one_host in [false, true] {
        let sandbox = two_accounts();
        let url = if for_one_host { format!("{}.", sandbox.gitlab.url()) } else { String::new() };
        sandbox.git(["config", "--global", &format!("credential.{url}useHttpPath"), "yes"]).succeeded();
        let before = config(&sandbox);
        let told = sandbox.verb(["use", "bob", "--for", "work"]).succeeded();
        assert!(!told.stderr.contains("useHttpPath"), "{told:?}");
        push(&sandbox, &sandbox.clone("work/api", "api")).succeeded();
        sandbox.verb(["use", "bob", "--for", "work", "--remove"]).succeeded();
        assert_eq!(config(&sandbox), before);
    }
}

#[test]
fn a_line_written_by_hand_counts_after_a_restart_and_is_replaced_in_any_spelling() {
    let sandbox = two_accounts();
    let url = sandbox.gitlab.url();
    sandbox.git(["config", "--global", &format!("credential.{url}/Work.gitlabAccount"), "bob"]).succeeded();
    sandbox.verb(["daemon", "restart"]).succeeded();
    let [alice, bob] = ["username=alice", "username=bob"].map(|name| token(&sandbox, name));
    assert_eq!(token(&sandbox, "path=work/api.git"), bob);
    sandbox.verb(["use", "alice", "--for", "work"]).succeeded();
    assert_eq!(token(&sandbox, "path=work/api.git"), alice);
    assert_eq!(config(&sandbox).matches("gitlabAccount").count(), 1, "{}", config(&sandbox));
}

#[test]
fn a_name_that_is_not_linked_is_refused_with_those_that_are() {
    let sandbox = two_accounts();
    let before = config(&sandbox);
    for words in [&["use", "carol"][..], &["use", "alice+read-only", "--for", "group"]] {
        let told = sandbox.verb(words.iter().copied()).ended_with(3);
        assert!(told.stderr.contains(&format!("linked as alice and bob, not as {}", words[1])), "{told:?}");
        assert!(told.stderr.contains("git credential-gitlab link"), "{told:?}");
    }
    let told = sandbox.verb(["use", "bob", "gitlab.example.com"]).ended_with(3);
    assert!(told.stderr.contains("https://gitlab.example.com is not linked"), "{told:?}");
    assert_eq!(config(&sandbox), before);
}

#[test]
fn a_default_that_is_not_linked_is_called_by_its_name() {
    let sandbox = Sandbox::linked();
    let url = sandbox.gitlab.url().to_owned();
    sandbox.git(["config", "--global", &format!("credential.{url}.gitlabAccount"), "bob"]).succeeded();
    sandbox.verb(["daemon", "restart"]).succeeded();
    let told = sandbox.verb(["repos"]).ended_with(3).stderr;
    assert!(told.contains("is linked as alice, not as bob; ") && told.contains(" --account bob"), "{told}");
}

#[test]
fn a_second_link_leaves_the_default_and_says_how_to_choose() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_user("bob", "Bob");
    let told = link(&sandbox, "bob", &[]).succeeded();
    let url = sandbox.gitlab.url();
    assert!(told.stderr.contains(&format!("git credential-gitlab use bob {url} --for group/sub")), "{told:?}");
    assert!(told.stderr.contains(&format!("alice goes on answering for {url}")), "{told:?}");
    assert_eq!(of(&sandbox, "alice")["default"], true);
    assert!(!link(&sandbox, "alice", &[]).succeeded().stderr.contains(" use "));
}

#[test]
fn linking_again_keeps_what_an_account_had() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_user("bob", "Bob");
    link(&sandbox, "bob", &["--min-life", "77", "--store", "memory"]).succeeded();
    sandbox.verb(["use", "bob", "--for", "work", "--default"]).succeeded();
    // Without a name nobody can know before the consent whose store it will be.
    for (name, store) in [(&["--account", "bob"][..], "memory"), (&["--account", "BOB"], "memory"), (&[], "file")] {
        let old = token(&sandbox, "username=bob");
        let words = [sandbox.gitlab.url(), "--yes"].into_iter().chain(name.iter().copied());
        sandbox.link_as("bob", words).succeeded();
        assert_ne!(token(&sandbox, "username=bob"), old);
        let account = of(&sandbox, "bob");
        assert_eq!((&account["paths"], &account["default"]), (&json!(["work"]), &json!(true)), "{account}");
        assert_eq!(account["store"], store);
    }
    let kept = |file: &PathBuf| fs::read_to_string(file).expect("readable").contains("\"min_life\": 77");
    assert_eq!(sandbox.state_files(".json").iter().filter(|file| kept(file)).count(), 1);
    assert_eq!(sandbox.token(), token(&sandbox, "username=bob"));
}

#[test]
fn unlink_takes_the_choices_of_an_account_along() {
    let sandbox = Sandbox::linked();
    let before = config(&sandbox);
    sandbox.gitlab.add_user("bob", "Bob");
    link(&sandbox, "bob", &[]).succeeded();
    sandbox.verb(["use", "bob", "--default", "--for", "work"]).succeeded();
    sandbox.verb(["unlink", "--account", "bob"]).succeeded();
    assert_eq!(config(&sandbox), before);
    assert_eq!(token(&sandbox, "path=work/api.git"), sandbox.token());
    // With the last account nothing of ours is left.
    sandbox.verb(["use", "alice", "--for", "work"]).succeeded();
    sandbox.verb(["unlink"]).succeeded();
    assert!(!config(&sandbox).contains("credential"), "{}", config(&sandbox));
}

#[test]
fn a_user_name_in_git_config_that_goes_before_a_choice_is_told() {
    let sandbox = two_accounts();
    let key = format!("credential.{}.username", sandbox.gitlab.url());
    sandbox.git(["config", "--global", &key, "alice"]).succeeded();
    let told = sandbox.verb(["use", "bob", "--for", "work"]).succeeded();
    assert!(told.stderr.contains("credential.username in git's config is alice"), "{told:?}");
    assert!(!sandbox.verb(["use", "alice", "--for", "work"]).succeeded().stderr.contains("credential.username"));
}

#[test]
fn a_choice_costs_no_process_per_get() {
    let sandbox = two_accounts();
    sandbox.verb(["use", "bob", "--for", "work"]).succeeded();
    let bob = token(&sandbox, "path=work/api.git");
    // A git that would now be asked is a git that fails.
    let broken = sandbox.home().join(".gitconfig");
    fs::write(&broken, "[broken").expect("written");
    for _ in 0..5 {
        assert_eq!(token(&sandbox, "path=work/api.git"), bob);
    }
    // Without git's config nobody can know who is meant.
    run::kill(sandbox.daemon_pid());
    assert_refused(&ask(&sandbox, "path=work/api.git"), &["git config can't be read", ".gitconfig"]);
    assert_eq!(token(&sandbox, "username=bob"), bob);
}

#[test]
fn a_place_that_the_account_does_not_see_is_warned_of_and_kept() {
    let sandbox = two_accounts();
    for seen in ["work", "work/api"] {
        let told = sandbox.verb(["use", "bob", "--for", seen]).succeeded();
        assert!(!told.stderr.contains("sees no"), "{told:?}");
    }
    for unseen in ["wrok", "work/nothing"] {
        let told = sandbox.verb(["use", "bob", "--for", unseen]).succeeded();
        let warning = format!("warning: bob sees no group or project {unseen} at {}", sandbox.gitlab.url());
        assert!(told.stderr.contains(&warning), "{told:?}");
        assert!(told.stdout.starts_with("bob answers for ") && config(&sandbox).contains(unseen), "{told:?}");
    }
}
