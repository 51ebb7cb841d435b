//! `import` where not all goes well at once: what passes is waited for, what is missing comes with
//! the same command, and what is there can be fetched into.

use std::fs;
use std::path::Path;

use gitlab_stand_in::{Endpoint, Fault, Role, Visibility, What};

use crate::accounts::{push, two_accounts};
use crate::importing::{below, import, results, with_projects};
use crate::support::Sandbox;

fn status(code: u16, times: u32, body: &str) -> Fault {
    let what = What::Status { code, headers: Vec::new(), body: body.into() };
    Fault { times: Some(times), ..Fault::once(Endpoint::Git, what) }
}

#[test]
fn of_two_hundred_half_fail_at_first_and_all_are_there_in_the_end() {
    let sandbox = Sandbox::linked();
    let path = |number: usize| format!("many/p{number:03}");
    std::thread::scope(|scope| {
        for part in 0..4 {
            let gitlab = &sandbox.gitlab;
            scope.spawn(move || {
                for number in (part..200).step_by(4) {
                    gitlab.add_empty_project(&path(number), Visibility::Private);
                }
            });
        }
    });
    sandbox.gitlab.grant("alice", "many", Role::Developer);
    // A hundred are on a storage that is away: most for a moment, some for longer than they are
    // waited for in one go, and two until the first run is over.
    sandbox.gitlab.configure(|modes| {
        let times = |number| match number {
            0..2 => 1000,
            2..16 => 3,
            _ => 1,
        };
        modes.storage_away.extend((0..100).map(|number| (path(number), times(number))));
    });
    let words = ["--group", "many", "--jobs", "8", "--json", "-v"]; // -v: while it says something it is alive
    let count = |results: &[(String, String)], wanted: &str| results.iter().filter(|(_, it)| it == wanted).count();
    let told = import(&sandbox, words).ended_with(5);
    let first = results(&told);
    assert_eq!((first.len(), count(&first, "cloned"), count(&first, "failed")), (200, 198, 2), "{told:?}");
    assert_eq!(told.stdout.matches("the server answered 503").count(), 2, "{told:?}");
    assert_eq!(below(&sandbox.path("src")).len(), 199, "nothing is left of those that failed");
    let put_off = told.stderr.matches("503; it is tried again when the others are done").count();
    assert!(put_off > 80, "{put_off}"); // some come the second or the third time
    sandbox.gitlab.configure(|modes| modes.storage_away.clear());
    let second = results(&import(&sandbox, words).succeeded());
    assert_eq!((second.len(), count(&second, "cloned"), count(&second, "present")), (200, 2, 198));
    assert_eq!(below(&sandbox.path("src")).len(), 201);
    assert_eq!(sandbox.gitlab.token_requests(), 0, "all with the first token");
}

#[test]
fn trouble_that_passes_is_waited_for() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.fault(status(503, 1, "hunter2"));
    sandbox.gitlab.fault(Fault::once(Endpoint::Git, What::Reset));
    let told = import(&sandbox, ["group/app"]).succeeded();
    assert_eq!(told.stderr, "cloned 1, present 0, failed 0\n");
    assert!(!told.stdout.contains("hunter2"), "{told:?}");
}

#[test]
fn a_server_that_is_gone_or_bans_us_is_soon_given_up() {
    let sandbox = Sandbox::linked();
    let projects: Vec<String> = (0..40).map(|number| format!("group/p{number}")).collect();
    let reset = Fault::once(Endpoint::Git, What::Reset);
    let banned = status(403, 1, "Too many failed authentication attempts from this IP");
    for (fault, code, why) in [(reset, 5, "Connection reset"), (banned, 6, "Too many failed authentication attempts")] {
        sandbox.gitlab.fault(Fault { times: None, ..fault });
        let before = sandbox.gitlab.count(Endpoint::Git);
        let words = projects.iter().map(String::as_str).chain(["--jobs", "16", "--json"]);
        let told = import(&sandbox, words).ended_with(code);
        assert_eq!(results(&told).len(), 40);
        assert!(told.stdout.contains(why) && told.stdout.contains("not tried, because"), "{told:?}");
        let asked = sandbox.gitlab.count(Endpoint::Git) - before;
        assert!(asked < 60, "{asked}");
        assert!(!sandbox.path("src").exists());
        sandbox.gitlab.clear_faults();
    }
}

#[test]
fn a_server_in_trouble_is_asked_for_each_project_and_waited_for_only_at_first() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.fault(Fault { times: None, ..status(502, 1, "") });
    let projects: Vec<String> = (0..40).map(|number| format!("group/p{number}")).collect();
    let words = projects.iter().map(String::as_str).chain(["--jobs", "16", "--json"]);
    let told = import(&sandbox, words).ended_with(5);
    assert_eq!(results(&told).len(), 40);
    assert_eq!(told.stdout.matches("the server answered 502").count(), 40, "{told:?}");
    // Each in its turn and once more in the end; three times only those of the beginning.
    let asked = sandbox.gitlab.count(Endpoint::Git);
    assert!((80..40 * 4).contains(&asked), "{asked}");
    assert!(!sandbox.path("src").exists());
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for_forever() {
    let sandbox = Sandbox::linked();
    // What the person has set is not overruled.
    for (key, value) in [("lowSpeedLimit", "1"), ("lowSpeedTime", "1")] {
        sandbox.git(["config", "--global", &format!("http.{key}"), value]).succeeded();
    }
    sandbox.gitlab.fault(Fault::once(Endpoint::Git, What::Silence));
    import(&sandbox, ["group/app"]).succeeded();
}

/// The commit that a name means in a clone.
fn commit(sandbox: &Sandbox, clone: &Path, name: &str) -> String {
    sandbox.git_in(clone, ["rev-parse", name]).succeeded().stdout.trim().to_owned()
}

#[test]
fn clones_that_are_there_are_fetched_into_if_that_is_wanted() {
    let sandbox = with_projects(&["group/tool"]);
    import(&sandbox, ["group/app", "group/tool"]).succeeded();
    let clone = sandbox.path("src/group/app");
    let mine = commit(&sandbox, &clone, "HEAD");
    let other = sandbox.clone("group/app", "other");
    push(&sandbox, &other).succeeded();
    let new = commit(&sandbox, &other, "HEAD");
    assert_ne!(mine, new);
    // Not unless it is asked for.
    import(&sandbox, ["group/app"]).succeeded();
    assert_eq!(commit(&sandbox, &clone, "origin/main"), mine);
    fs::remove_dir_all(sandbox.path("src/group/tool")).expect("removed");
    sandbox.gitlab.fault(status(503, 1, ""));
    let told = import(&sandbox, ["--fetch", "--group", "group"]).succeeded();
    assert_eq!(
        told.stdout.lines().collect::<std::collections::BTreeSet<_>>(),
        ["cloned group/tool in src/group/tool", "present group/app in src/group/app (fetched)"].into()
    );
    assert_eq!(told.stderr, "cloned 1, present 1 (fetched 1), failed 0\n");
    assert_eq!((commit(&sandbox, &clone, "origin/main"), commit(&sandbox, &clone, "HEAD")), (new, mine));
    let told = import(&sandbox, ["--fetch", "--json", "group/app"]).succeeded();
    assert_eq!(results(&told), [("group/app".into(), "present".into())]);
    assert!(told.stdout.contains(r#""detail":"fetched""#), "{told:?}");
    // One that is gone at the server stays here.
    sandbox.gitlab.rename_project("group/app", "group/new");
    let told = import(&sandbox, ["--fetch", "group/app"]).ended_with(6);
    assert!(told.stderr.contains("failed group/app: alice at "), "{told:?}");
    assert!(clone.join("README.md").is_file());
}

#[test]
fn a_clone_is_fetched_over_http_by_the_account_that_it_remembers() {
    let sandbox = two_accounts();
    import(&sandbox, ["--account", "bob", "work/api"]).succeeded();
    import(&sandbox, ["group/app"]).succeeded();
    // bob's stays bob's, although nobody names him.
    import(&sandbox, ["--fetch", "work/api"]).succeeded();
    let told = import(&sandbox, ["--fetch", "--account", "alice", "work/api"]).ended_with(6);
    assert!(told.stderr.contains("failed work/api: alice at "), "{told:?}");
    // One that was cloned over ssh is fetched without ssh.
    let clone = sandbox.path("src/group/app");
    sandbox.git(["config", "--global", "core.sshCommand", "false"]).succeeded();
    let ssh = "git@127.0.0.1:group/app.git";
    sandbox.git_in(&clone, ["remote", "set-url", "origin", ssh]).succeeded();
    sandbox.git_in(&clone, ["fetch"]).ended_with(128);
    let told = import(&sandbox, ["--fetch", "group/app"]).succeeded();
    assert!(told.stdout.contains("(fetched)"), "{told:?}");
    let url = sandbox.git_in(&clone, ["config", "remote.origin.url"]).succeeded();
    assert_eq!(url.stdout.trim(), ssh);
}
