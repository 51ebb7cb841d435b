//! The addresses of a repository's remotes.

use super::{Diagnosis, doctor_in};
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
