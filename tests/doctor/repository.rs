//! A repository: whether it is there, and what the account may do.

use gitlab_stand_in::{Role, Visibility};

use super::{about_app, doctor, doctor_in, mend, mend_in};
use crate::support::Sandbox;

#[test]
fn a_missing_project_is_explained_and_never_made() {
    let sandbox = Sandbox::linked();
    let found = doctor(&sandbox, &[&sandbox.project("group/missing")]);
    found.ended_with(6).expect("project", "fail", "missing, or not for alice").expect("push", "skip", "");
    let asked = sandbox.gitlab.requests();
    assert!(!asked.iter().any(|request| format!("{request:?}").contains("receive-pack")), "GitLab would make it");
}

#[test]
fn a_role_that_is_too_low_names_yours_and_the_one_you_need() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_project("low/app", Visibility::Private);
    for (role, fetch, push) in [
        (Role::Guest, ("fail", "guest there, may not fetch; that needs reporter"), ("skip", "")),
        (Role::Reporter, ("ok", "may fetch"), ("fail", "reporter there, may not push; that needs developer")),
        (Role::Developer, ("ok", ""), ("ok", "")),
    ] {
        sandbox.gitlab.grant("alice", "low/app", role);
        let found = doctor(&sandbox, &[&sandbox.project("low/app")]);
        found.expect("fetch", fetch.0, fetch.1).expect("push", push.0, push.1);
        found.ended_with(if role == Role::Developer { 0 } else { 6 });
    }
    sandbox.gitlab.configure(|modes| modes.protected_default_branch = true);
    let found = doctor(&sandbox, &[&sandbox.project("low/app")]);
    found.ended_with(0).expect("default-branch", "warn", "protected").mended_by("default-branch", "git switch");
}

#[test]
fn an_account_that_can_only_read_is_told_why_it_cannot_push() {
    let sandbox = Sandbox::new();
    let scopes = "read_api write_repository read_repository";
    sandbox.gitlab.set_scopes(&sandbox.client_id, scopes);
    let words =
        [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--scopes", "read_api read_repository"];
    sandbox.link_as("alice", words).succeeded();
    let found = about_app(&sandbox);
    found.ended_with(6).expect("scopes", "warn", "not push").expect("fetch", "ok", "");
    found.expect("push", "fail", "You are not allowed to upload code.").mended_by("push", "link");
}

#[test]
fn the_command_for_scopes_that_lack_something_gives_them() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.set_scopes(&sandbox.client_id, "read_api write_repository read_repository read_user");
    let url = sandbox.gitlab.url().to_owned();
    for (scopes, checks) in
        [("read_api read_repository", &["scopes", "push"][..]), ("read_user", &["scopes", "git-login", "fetch"])]
    {
        for check in checks {
            let words = [&url, "--client-id", &sandbox.client_id, "--yes", "--account", "alice", "--scopes", scopes];
            sandbox.link_as("alice", words).succeeded();
            let found = about_app(&sandbox);
            let fix = found[check]["fix"].as_str().unwrap_or_else(|| panic!("{check}: {:?}", found.finished));
            let (command, scopes) = fix.split_once(" --scopes ").unwrap_or_else(|| panic!("{check}: {fix}"));
            let words = command.split(' ').skip(3).chain(["--scopes", scopes.trim_matches('"')]);
            sandbox.link_as("alice", words).succeeded();
            about_app(&sandbox).ended_with(0).expect(check, "ok", "");
        }
    }
    let clone = sandbox.clone("group/app", "app");
    sandbox.git_in(&clone, ["commit", "--quiet", "--allow-empty", "--message", "x"]).succeeded();
    sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
}

#[test]
fn scopes_for_repositories_alone_are_enough_for_git() {
    let sandbox = Sandbox::new();
    let words = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--scopes", "write_repository"];
    sandbox.link_as("alice", words).succeeded();
    let found = about_app(&sandbox);
    found.ended_with(0).expect("gitlab-version", "skip", "scopes").expect("project", "skip", "scopes");
    found.expect("fetch", "ok", "").expect("push", "ok", "").expect("login", "ok", "");
}

#[test]
fn an_archived_project_a_moved_one_and_an_empty_one_are_told() {
    let sandbox = Sandbox::linked();
    for path in ["old/app", "new/app"] {
        sandbox.gitlab.add_project(path, Visibility::Private);
        sandbox.gitlab.grant("alice", path, Role::Maintainer);
    }
    sandbox.gitlab.archive_project("new/app");
    let archived = doctor(&sandbox, &[&sandbox.project("new/app")]);
    archived.ended_with(0).expect("push", "warn", "archived").expect("fetch", "ok", "");
    sandbox.gitlab.rename_project("old/app", "team/app");
    sandbox.gitlab.configure(|modes| drop(modes.moved.insert("old/app".into(), "team/app".into())));
    let moved = doctor(&sandbox, &[&sandbox.project("old/app")]);
    moved.ended_with(0).expect("project", "warn", &format!("moved to team/app ({})", sandbox.project("team/app")));
    assert!(moved["project"]["fix"].is_null(), "no remote has it: {:#}", moved["project"]);
    sandbox.gitlab.add_project_without_repository("group/none", Visibility::Private);
    sandbox.gitlab.grant("alice", "group/none", Role::Maintainer);
    doctor(&sandbox, &[&sandbox.project("group/none")]).ended_with(6).expect("fetch", "fail", "no repository");
}

#[test]
fn single_sign_on_leads_to_the_page_of_the_group_and_to_no_other_host() {
    let sandbox = Sandbox::linked();
    let page = format!("{}/groups/group/-/saml/sso", sandbox.gitlab.url());
    let at = |url: String| {
        sandbox.gitlab.configure(|modes| drop(modes.sso_enforced.insert("group".into(), url)));
        let found = about_app(&sandbox);
        found.ended_with(4).expect("fetch", "skip", "").expect("git-works", "skip", "");
        assert!(!found.finished.stdout.contains("hunter2"));
        found
    };
    let own = at(format!("{page}?token=hunter2"));
    own.expect("single-sign-on", "fail", &format!("sign in at {page} in"));
    // A browser that only notes where it is sent.
    let seen = sandbox.path("seen");
    let browser = format!("sh -c 'printf %s \"$1\" >{}' browser", seen.display());
    sandbox.git(["config", "--global", "web.browser", "noter"]).succeeded();
    sandbox.git(["config", "--global", "browser.noter.cmd", &browser]).succeeded();
    mend(&sandbox, &own, "single-sign-on");
    assert_eq!(std::fs::read_to_string(seen).expect("it was opened"), page);
    let other = at("https://sso.example/groups/group/-/saml/sso?token=hunter2".into());
    other.expect("single-sign-on", "fail", "sign in at https://sso.example in");
    assert!(other["single-sign-on"]["fix"].is_null(), "{:#}", other["single-sign-on"]);
}

#[test]
fn a_protected_branch_that_is_checked_out_is_told_before_it_is_pushed() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.grant("alice", "group/app", Role::Developer);
    sandbox.gitlab.configure(|modes| modes.protected_branches.push("release/1.0".into()));
    let clone = sandbox.clone("group/app", "app");
    let on = |branch: &str| {
        sandbox.git_in(&clone, ["switch", "--quiet", "--force-create", branch]).succeeded();
        doctor_in(&sandbox, &clone)
    };
    let found = on("release/1.0");
    found.ended_with(0).expect("current-branch", "warn", "may push, but not to release/1.0, which is protected");
    found.expect("default-branch", "ok", "").expect("role", "ok", "integrations take maintainer");
    mend_in(&sandbox, &clone, &found, "current-branch");
    on("my-change").expect("current-branch", "skip", "");
}
