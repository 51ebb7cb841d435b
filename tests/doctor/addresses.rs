//! The addresses of a repository's remotes.

use gitlab_stand_in::StandIn;

use super::{Diagnosis, doctor_in, mend_in};
use crate::support::{Sandbox, run};

#[test]
fn where_an_address_is_rewritten_to_ssh_that_is_the_failure() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let key = "url.git@elsewhere:.insteadOf";
    sandbox.git(["config", "--global", key, &format!("{}/", sandbox.gitlab.url())]).succeeded();
    let found = doctor_in(&sandbox, &clone);
    found.ended_with(1).expect("account", "skip", "does not ask us").mended_by("address-rules", "insteadof");
    assert_eq!(found.failed(), ["address-rules"]);
}

#[test]
fn an_address_over_ssh_is_told_with_the_one_over_https() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let url = format!("ssh://git@gitlab.invalid/{}", "group/app.git");
    sandbox.git_in(&clone, ["remote", "set-url", "origin", &url]).succeeded();
    let found = doctor_in(&sandbox, &clone);
    found.expect("address", "warn", "ssh").expect("git-config", "ok", "");
    found.mended_by("address", "git remote set-url origin https://gitlab.invalid/group/app.git");
}

#[test]
fn a_remote_is_known_by_its_name() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let mut command = sandbox.command(crate::support::HELPER);
    command.args(["doctor", "--json", "origin"]).current_dir(&clone);
    Diagnosis::of(run::finish(command, "")).ended_with(0).expect("push", "ok", "");
}

#[test]
fn the_address_over_https_is_that_of_the_linked_gitlab_and_works() {
    let sandbox = Sandbox::with(StandIn::builder().base_path("/git").start());
    sandbox.link();
    let clone = sandbox.clone("group/app", "app");
    for url in ["ssh://git@127.0.0.1:2222/group/app.git", "git@127.0.0.1:group/app.git"] {
        sandbox.git_in(&clone, ["remote", "set-url", "origin", url]).succeeded();
        let found = doctor_in(&sandbox, &clone);
        found.expect("address", "warn", "ssh");
        mend_in(&sandbox, &clone, &found, "address");
        sandbox.git_in(&clone, ["fetch", "--quiet"]).succeeded();
    }
}

#[test]
fn a_remote_that_has_another_address_is_not_repointed() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let about = |url: &str| {
        let mut command = sandbox.command(crate::support::HELPER);
        command.args(["doctor", "--json", url]).current_dir(&clone);
        Diagnosis::of(run::finish(command, ""))
    };
    let other = about("git@127.0.0.1:other/x.git");
    other.expect("address", "warn", &format!("over https it is {}", sandbox.project("other/x")));
    assert!(other["address"]["fix"].is_null(), "{:#}", other["address"]);
    // The one that it has can be given by its address, too.
    let secret = sandbox.project("group/app").replacen("://", "://alice:hunter2@", 1);
    sandbox.git_in(&clone, ["remote", "set-url", "origin", &secret]).succeeded();
    let own = about(&secret);
    own.expect("address", "warn", "password").mended_by("address", "git remote set-url origin http");
}

#[test]
fn the_address_that_is_pushed_to_is_looked_at_and_mended_too() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let fork = sandbox.project("group/app").replacen("://", "://alice:hunter2@", 1);
    sandbox.git_in(&clone, ["remote", "set-url", "--push", "origin", &fork]).succeeded();
    let found = doctor_in(&sandbox, &clone);
    found.expect("address", "warn", "password").mended_by("address", "git remote set-url --push origin http");
    assert!(!found.finished.stdout.contains("hunter2"));
    let skipped = |check: &str| {
        let said = found.checks.iter().filter(|it| it["check"] == check && it["result"] == "skip");
        said.map(|it| it["detail"].to_string()).collect::<String>()
    };
    assert!(skipped("push").contains("pushurl") && skipped("fetch").contains("only pushes"), "{:?}", found.finished);
    mend_in(&sandbox, &clone, &found, "address");
    doctor_in(&sandbox, &clone).ended_with(0).expect("address", "ok", "").expect("push", "ok", "alice may push");
    sandbox.git_in(&clone, ["commit", "--quiet", "--allow-empty", "--message", "x"]).succeeded();
    sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
}

#[test]
fn a_remote_of_a_host_that_is_not_linked_is_not_passed_over_in_silence() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let remote = |url: &str| drop(sandbox.git_in(&clone, ["remote", "set-url", "origin", url]).succeeded());
    remote("https://code.invalid/group/app.git");
    let found = doctor_in(&sandbox, &clone);
    found.expect("remote", "warn", "code.invalid is not linked, so the remote origin was not looked at");
    assert_eq!(found["remote"]["fix"], "git credential-gitlab doctor origin");
    let mut looked = sandbox.command(crate::support::HELPER);
    looked.args(["doctor", "--json", "origin"]).current_dir(&clone);
    Diagnosis::of(run::finish(looked, "")).ended_with(3).expect("linked", "fail", "code.invalid");
    remote("git@github.com:group/app.git");
    doctor_in(&sandbox, &clone).ended_with(0).expect("remote", "skip", "is no GitLab");
}

#[test]
fn a_name_that_is_nobodys_is_taken_out_of_the_address() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let named = sandbox.project("group/app").replacen("://", "://oauth2@", 1);
    sandbox.git_in(&clone, ["remote", "set-url", "origin", &named]).succeeded();
    let found = doctor_in(&sandbox, &clone);
    found.ended_with(0).expect("user-name", "warn", "oauth2 in the address is none of your accounts");
    mend_in(&sandbox, &clone, &found, "user-name");
    doctor_in(&sandbox, &clone).expect("user-name", "ok", "none is set");
    sandbox.git_in(&clone, ["fetch", "--quiet"]).succeeded();
}
