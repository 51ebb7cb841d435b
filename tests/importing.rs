//! `import`: projects come in, one or two hundred, whole or not at all, and never anywhere else.

use std::fs;
use std::path::Path;
use std::process::Command;

use gitlab_stand_in::{Role, StandIn, Visibility};
use serde_json::Value;

use crate::accounts::{push, two_accounts};
use crate::support::{Finished, HELPER, Sandbox};

/// A linked sandbox with these projects of alice's besides `group/app`.
pub fn with_projects(paths: &[&str]) -> Sandbox {
    let sandbox = Sandbox::linked();
    for path in paths {
        sandbox.gitlab.add_project(path, Visibility::Private);
        sandbox.gitlab.grant("alice", path, Role::Developer);
    }
    sandbox
}

/// Imports to `src`, with these words.
pub fn import<'a>(sandbox: &Sandbox, words: impl IntoIterator<Item = &'a str>) -> Finished {
    sandbox.verb(["import", "--dir", "src"].into_iter().chain(words))
}

/// A command that imports to `src`.
pub fn importing(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = sandbox.command(HELPER);
    command.args(["import", "--dir", "src"]).args(words);
    command
}

/// Everything below a directory but what is in clones, hidden or not.
pub fn below(directory: &Path) -> Vec<String> {
    fn walk(directory: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.expect("readable").path();
            if path.is_dir() && !path.is_symlink() && !path.join(".git").exists() {
                walk(&path, root, found);
            }
            found.push(path.strip_prefix(root).expect("below").display().to_string());
        }
    }
    let mut found = Vec::new();
    walk(directory, directory, &mut found);
    found.sort();
    found
}

/// The lines of `--json`, sorted: path, result.
pub fn results(finished: &Finished) -> Vec<(String, String)> {
    let result = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        let text = |key: &str| object[key].as_str().unwrap_or_else(|| panic!("no {key}: {line}")).to_owned();
        assert_eq!(object.as_object().map(serde_json::Map::len), Some(4), "{line}");
        assert!(object["dir"].is_string() && object["detail"].is_string(), "{line}");
        (text("path"), text("result"))
    };
    let mut results: Vec<_> = finished.stdout.lines().map(result).collect();
    results.sort();
    results
}

fn origin(clone: &Path, sandbox: &Sandbox) -> String {
    sandbox.git_in(clone, ["config", "--local", "remote.origin.url"]).succeeded().stdout.trim().to_owned()
}

#[test]
fn projects_are_cloned_by_their_paths_and_addresses() {
    let sandbox = with_projects(&["group/sub/tool", "other/lib", "other/web"]);
    let (address, page) =
        (sandbox.project("group/sub/tool"), format!("{}/other/lib/-/tree/main", sandbox.gitlab.url()));
    let told = import(&sandbox, ["group/app", &address, &page, "/Other/web.git", "Group/App"]).succeeded();
    assert_eq!(
        below(&sandbox.path("src")),
        ["Other", "Other/web", "group", "group/app", "group/sub", "group/sub/tool", "other", "other/lib"]
    );
    assert_eq!(told.stdout.lines().count(), 4, "{told:?}");
    assert!(told.stdout.contains("cloned group/app in src/group/app\n"), "{told:?}");
    assert!(told.stderr.contains("cloned 4, present 0, failed 0"), "{told:?}");
    // They are as git clone makes them: nothing of ours is in their config, and they work.
    let clone = sandbox.path("src/group/app");
    let reference = sandbox.clone("group/app", "reference");
    let config = |clone: &Path| fs::read_to_string(clone.join(".git/config")).expect("readable");
    assert_eq!(config(&clone), config(&reference));
    push(&sandbox, &clone).succeeded();
}

#[test]
fn a_single_project_goes_to_its_path_below_this_directory() {
    let sandbox = Sandbox::linked();
    let told = sandbox.verb(["clone", "group/app"]).succeeded();
    assert_eq!(told.stdout, "cloned group/app in ./group/app\n");
    let told = sandbox.verb(["import", "-v", "group/none"]).ended_with(6);
    assert!(told.stderr.contains(&format!("git clone {}\n", sandbox.project("group/none"))), "{told:?}");
    assert!(sandbox.path("group/app/README.md").is_file());
}

#[test]
fn a_group_comes_with_its_subgroups_and_nothing_else() {
    let sandbox = with_projects(&["group/sub/tool", "group/sub/deep/er", "groups/other", "other/group"]);
    sandbox.gitlab.archive_project("group/sub/tool");
    let told = import(&sandbox, ["--group", "Group"]).succeeded();
    assert!(told.stderr.contains("1 of 3 projects is archived"), "{told:?}");
    let all = ["group", "group/app", "group/sub", "group/sub/deep", "group/sub/deep/er", "group/sub/tool"];
    assert_eq!(below(&sandbox.path("src")), all);
    let told = import(&sandbox, ["--group", "group", "--min-access", "maintainer", "--json"]).succeeded();
    assert_eq!(results(&told), [("group/app".into(), "present".into())]);
    let told = import(&sandbox, ["--group", "nobody"]).ended_with(6);
    assert!(told.stderr.contains("there is no group nobody that alice"), "{told:?}");
}

#[test]
fn a_clone_remembers_an_account_that_would_not_answer_by_itself() {
    let sandbox = two_accounts();
    import(&sandbox, ["--account", "bob", "work/api", "shared/app"]).succeeded();
    assert_eq!(
        origin(&sandbox.path("src/work/api"), &sandbox),
        sandbox.project("work/api").replacen("://", "://bob@", 1)
    );
    push(&sandbox, &sandbox.path("src/work/api")).succeeded();
    let told = import(&sandbox, ["--account", "bob", "--group", "work"]).succeeded();
    assert!(told.stderr.contains("cloned 1, present 1"), "bob's are listed: {told:?}");
    // The default account, and one that was chosen for a group, need no name.
    import(&sandbox, ["--account", "alice", "group/app"]).succeeded();
    assert_eq!(origin(&sandbox.path("src/group/app"), &sandbox), sandbox.project("group/app"));
    sandbox.verb(["use", "bob", "--for", "work"]).succeeded();
    fs::remove_dir_all(sandbox.path("src/work")).expect("removed");
    import(&sandbox, ["--account", "bob", "work/api"]).succeeded();
    assert_eq!(origin(&sandbox.path("src/work/api"), &sandbox), sandbox.project("work/api"));
    // An address may name one too.
    let named = sandbox.project("work/sub/Tool").replacen("://", "://bob@", 1);
    import(&sandbox, [named.as_str()]).succeeded();
    let told = import(&sandbox, ["--account", "carol", "group/app"]).ended_with(3);
    assert!(
        told.stderr.contains("linked as alice and bob, not as carol; to link it: git credential-gitlab link"),
        "{told:?}"
    );
}

#[test]
fn submodules_come_if_they_are_wanted() {
    let sandbox = with_projects(&["group/lib"]);
    let main = sandbox.clone("group/app", "main");
    sandbox.git_in(&main, ["submodule", "--quiet", "add", &sandbox.project("group/lib"), "lib"]).succeeded();
    push(&sandbox, &main).succeeded();
    import(&sandbox, ["group/app"]).succeeded();
    assert!(!sandbox.path("src/group/app/lib/README.md").exists());
    fs::remove_dir_all(sandbox.path("src")).expect("removed");
    import(&sandbox, ["--submodules", "group/app"]).succeeded();
    assert!(sandbox.path("src/group/app/lib/README.md").is_file());
    sandbox.git_in(&sandbox.path("src/group/app/lib"), ["fetch", "--quiet"]).succeeded();
    let status = sandbox.git_in(&sandbox.path("src/group/app"), ["submodule", "status"]).succeeded();
    assert!(status.stdout.starts_with(' '), "{status:?}");
}

#[test]
fn import_works_where_git_is_not_set_up_to_ask_us() {
    let sandbox = Sandbox::linked();
    sandbox.verb(["unconfigure"]).succeeded();
    // A helper of somebody else's must not get the token either.
    let theirs = format!("!f() {{ cat >> {}; }}; f", sandbox.path("theirs").display());
    sandbox.git(["config", "--global", "credential.helper", &theirs]).succeeded();
    let told = import(&sandbox, ["group/app"]).succeeded();
    assert!(told.stderr.contains("git credential-gitlab configure"), "{told:?}");
    assert!(!sandbox.path("theirs").exists());
    let config = fs::read_to_string(sandbox.path("src/group/app/.git/config")).expect("readable");
    assert!(!config.contains("credential") && !config.contains("lowSpeed"), "{config}");
}

#[test]
fn why_a_project_is_not_cloned_is_one_line_and_the_others_come() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_project_without_repository("group/bare", Visibility::Private);
    sandbox.gitlab.add_empty_project("group/empty", Visibility::Private);
    sandbox.gitlab.add_project("group/code", Visibility::Private);
    for (path, role) in [("group/bare", Role::Developer), ("group/empty", Role::Developer), ("group/code", Role::Guest)]
    {
        sandbox.gitlab.grant("alice", path, role);
    }
    let words = ["group/missing", "group/bare", "group/empty", "group/code", "group/app"];
    let told = import(&sandbox, words).ended_with(6);
    assert!(told.stdout.contains("cloned group/empty in src/group/empty (the repository is empty)\n"), "{told:?}");
    assert!(told.stdout.contains("cloned group/app in src/group/app\n"), "{told:?}");
    sandbox.gitlab.add_project("group/sub/tool", Visibility::Private);
    sandbox.gitlab.grant("alice", "group/sub/tool", Role::Developer);
    let url = sandbox.gitlab.url();
    for line in [
        format!("failed group/missing: alice at {url} does not see it\n"),
        format!("failed group/bare: alice at {url}: A repository for this project does not exist yet.\n"),
        format!("failed group/code: alice at {url}: You are not allowed to download code from this project.\n"),
        // The same command would get no more.
        "cloned 2, present 0, failed 3\n".into(),
    ] {
        assert!(told.stderr.contains(&line), "{line}: {told:?}");
    }
    assert_eq!(below(&sandbox.path("src")), ["group", "group/app", "group/empty"]);
    let told = import(&sandbox, ["group/sub"]).ended_with(6);
    assert!(
        told.stderr.contains("failed group/sub: it is a group; to import what is in it: --group group/sub\n"),
        "{told:?}"
    );
    let told = import(&sandbox, ["--group", "group/app"]).ended_with(6);
    assert!(
        told.stderr.contains("group/app is a project; to import it: git credential-gitlab import group/app"),
        "{told:?}"
    );
    import(&sandbox, ["nothing/here"]).ended_with(6);
    assert!(!sandbox.path("src/nothing").exists());
}

#[test]
fn wrong_usage_is_told_before_anything_is_cloned() {
    let sandbox = Sandbox::linked();
    for (words, code, why) in [
        (&[][..], 2, "only be chosen from a list on a terminal"),
        (&["group/app", "group"], 2, "--group group"),
        (&["group/app", "../x"], 2, "\"..\" is no name"),
        (&["group/app", "--min-access", "owner"], 2, "--min-access is for --group"),
        (&["group/app", "--jobs", "0"], 2, "--jobs"),
        (&["group/app", "--jobs", "17"], 2, "--jobs"),
        (&["group/app", "https://gitlab.example.com/group/app"], 3, "git credential-gitlab link gitlab.example.com"),
        (&["group/app", "--host", "gitlab.example.com"], 3, "git credential-gitlab link gitlab.example.com"),
    ] {
        let told = import(&sandbox, words.iter().copied()).ended_with(code);
        assert!(told.stderr.contains(why), "{why}: {told:?}");
        assert!(!sandbox.path("src").exists(), "{words:?}");
    }
    let told = Sandbox::new().verb(["import", "group/app"]).ended_with(3);
    assert!(told.stderr.contains("git credential-gitlab link HOST"), "{told:?}");
    let help = sandbox.verb(["import", "--help"]).succeeded();
    assert!(help.stdout.contains("Examples:"), "{help:?}");
}

#[test]
fn why_there_is_no_token_is_told_and_not_for_every_project() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.revoke_tokens("alice");
    sandbox.age_token(7200, -1);
    let projects: Vec<String> = (0..20).map(|number| format!("group/p{number}")).collect();
    let told = import(&sandbox, projects.iter().map(String::as_str)).ended_with(1);
    assert!(told.stderr.contains("failed group/p0: no token for alice"), "{told:?}");
    assert!(told.stderr.matches("no token for alice").count() < 14, "{told:?}");
    assert!(told.stderr.contains("failed group/p19: not tried"), "{told:?}");
    assert_eq!(sandbox.gitlab.failed_logins(), 0);
}

#[test]
fn where_git_is_sent_over_ssh_that_is_told_with_the_address() {
    let sandbox = Sandbox::linked();
    let from = format!("{}/", sandbox.gitlab.url());
    sandbox.git(["config", "--global", "url.ssh://git@127.0.0.1/.insteadOf", &from]).succeeded();
    sandbox.git(["config", "--global", "core.sshCommand", "false"]).succeeded();
    let told = import(&sandbox, ["group/app"]).ended_with(1);
    let url = sandbox.project("group/app");
    assert!(told.stderr.contains(&format!("git did not go to {url} (an insteadOf")), "{told:?}");
    assert!(told.stderr.contains(&format!("git credential-gitlab doctor {url}\n")), "{told:?}");
    assert!(!told.stderr.contains("to try again"), "it would be of no use: {told:?}");
}

#[test]
fn gitlabs_below_a_path_and_behind_tls_are_imported_from() {
    let sandbox = Sandbox::with(StandIn::builder().base_path("/git/lab").start());
    sandbox.link();
    let page = format!("{}/group/app", sandbox.gitlab.url());
    import(&sandbox, [page.as_str()]).succeeded();
    assert_eq!(import(&sandbox, ["group/app"]).succeeded().stdout, "present group/app in src/group/app\n");
    let sandbox = Sandbox::https();
    sandbox.link();
    import(&sandbox, ["group/app"]).succeeded();
}
