//! Which of several accounts git gets, and which one may.

use super::{doctor, doctor_in};
use crate::support::Sandbox;

#[test]
fn the_account_that_git_would_get_is_asked() {
    let sandbox = crate::accounts::two_accounts();
    let bob = sandbox.project("shared/app").replacen("://", "://bob@", 1);
    doctor(&sandbox, &[&bob]).ended_with(6).expect("account", "ok", "bob").expect(
        "push",
        "fail",
        "bob, who is reporter",
    );
    let default = doctor(&sandbox, &[&sandbox.project("shared/app")]);
    default.ended_with(0).expect("account", "ok", "alice");
    sandbox.verb(["use", "bob", sandbox.gitlab.url(), "--for", "work"]).succeeded();
    doctor(&sandbox, &[&sandbox.project("work/api")]).ended_with(0).expect("account", "ok", "bob");
    let key = format!("credential.{}.useHttpPath", sandbox.gitlab.url());
    sandbox.git(["config", "--global", &key, "false"]).succeeded();
    let untold = doctor(&sandbox, &[&sandbox.project("work/api")]);
    untold.expect("paths", "fail", "useHttpPath").mended_by("paths", &key).expect("account", "ok", "alice");
}

#[test]
fn who_can_only_read_is_sent_to_the_account_that_can_push() {
    let mut sandbox = Sandbox::linked();
    crate::accounts::link(&sandbox, "alice", &["--read-only"]).succeeded();
    let clone = sandbox.clone("group/app", "app");
    let found = |sandbox: &Sandbox| doctor_in(sandbox, &clone)["push"].clone();
    let url = sandbox.gitlab.url().to_owned();
    // Chosen by path.
    sandbox.verb(["use", "alice+read-only", "--for", "group/app"]).succeeded();
    assert_eq!(found(&sandbox)["fix"], format!("git credential-gitlab use alice {url} --for group/app"));
    sandbox.verb(["use", "alice+read-only", "--remove", "--for", "group/app"]).succeeded();
    assert_eq!(found(&sandbox)["result"], "ok");
    // By the environment.
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "alice+read-only");
    assert_eq!(found(&sandbox)["fix"], "unset GIT_CREDENTIAL_GITLAB_ACCOUNT");
    // By the address.
    sandbox.unset("GIT_CREDENTIAL_GITLAB_ACCOUNT");
    let named = sandbox.project("group/app").replacen("://", "://alice+read-only@", 1);
    sandbox.git_in(&clone, ["remote", "set-url", "origin", &named]).succeeded();
    assert_eq!(found(&sandbox)["fix"], format!("git remote set-url origin {}", sandbox.project("group/app")));
    // Where nothing else is linked, the full account is.
    sandbox.verb(["unlink", "--account", "alice"]).succeeded();
    let fix = found(&sandbox)["fix"].as_str().expect("a command").to_owned();
    assert!(fix.ends_with(&format!("git credential-gitlab link {url} --account alice")), "{fix}");
}

#[test]
fn the_linked_account_that_may_is_named() {
    let sandbox = crate::accounts::two_accounts();
    let url = sandbox.gitlab.url().to_owned();
    sandbox.verb(["use", "bob", &url]).succeeded();
    let role = doctor(&sandbox, &[&sandbox.project("shared/app")]);
    role.ended_with(6).expect("push", "fail", "bob, who is reporter").expect(
        "push",
        "fail",
        "but alice, who is linked",
    );
    role.mended_by("push", &format!("git credential-gitlab use alice {url} --for shared/app"));
    let missing = doctor(&sandbox, &[&sandbox.project("group/app")]);
    missing.ended_with(6).expect("project", "fail", "missing, or not for bob, but alice, who is linked");
    let command = missing["project"]["fix"].as_str().expect("a command");
    assert_eq!(command, format!("git credential-gitlab use alice {url} --for group/app"));
    sandbox.verb(command.split(' ').skip(2)).succeeded();
    doctor(&sandbox, &[&sandbox.project("group/app")]);
    let nobody = doctor(&sandbox, &[&sandbox.project("group/nothing")]);
    nobody.expect("project", "fail", "look for a mistake").mended_by("project", "git credential-gitlab repos");
    assert_eq!(sandbox.gitlab.failed_logins(), 0);
}
