//! `import` never writes where it should not, replaces nothing, and leaves nothing half done.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, Role, Visibility, What};

use crate::importing::{below, import, importing, results, with_projects};
use crate::support::{PATIENCE, Sandbox, Started, run};

#[test]
fn what_is_there_is_left_alone_and_what_is_something_else_is_told() {
    let sandbox = with_projects(&["g/one", "g/two", "g/three", "g/four", "g/five"]);
    sandbox.git(["clone", "--quiet", &sandbox.project("g/one"), "src/g/one"]).succeeded();
    fs::write(sandbox.path("src/g/one/mine"), "mine").expect("written");
    sandbox.git(["clone", "--quiet", &sandbox.project("group/app"), "src/g/two"]).succeeded();
    fs::create_dir_all(sandbox.path("src/g/three/mine")).expect("made");
    fs::write(sandbox.path("src/g/four"), "mine").expect("written");
    fs::create_dir_all(sandbox.path("src/g/five")).expect("made");
    let told = import(&sandbox, ["--json", "g/one", "g/two", "g/three", "g/four", "g/five"]).ended_with(1);
    let expected = [("five", "cloned"), ("four", "failed"), ("one", "present"), ("three", "failed"), ("two", "failed")];
    assert_eq!(results(&told), expected.map(|(name, result)| (format!("g/{name}"), result.to_owned())));
    let other = format!("src/g/two is a clone of {}; move it away", sandbox.project("group/app"));
    assert!(told.stdout.contains(&other), "{told:?}");
    assert!(sandbox.path("src/g/one/mine").is_file() && sandbox.path("src/g/three/mine").is_dir());
    assert_eq!(fs::read_to_string(sandbox.path("src/g/four")).expect("readable"), "mine");
}

#[test]
fn paths_that_lead_elsewhere_are_refused_and_the_others_come() {
    let sandbox = with_projects(&["evil/ok"]);
    let hostile = [
        "evil/../../../outside",
        "evil/.git/hooks",
        "evil/x.git/config",
        "evil/-upload",
        "evil/a\u{1b}[2Jb",
        "evil/\u{202e}txt",
        "evil//etc/passwd",
        "evil/dot.",
        "evil/ok/inside",
        "evil/.ok.part-1-2",
    ];
    for path in hostile {
        sandbox.gitlab.add_project(path, Visibility::Private);
        sandbox.gitlab.grant("alice", path, Role::Developer);
    }
    let told = import(&sandbox, ["--group", "evil"]).ended_with(1);
    assert_eq!(told.stdout, "cloned evil/ok in src/evil/ok\n");
    assert!(!told.stderr.contains('\u{1b}') && !told.stderr.contains('\u{202e}'), "{told:?}");
    // Half of them the daemon leaves out already: they are no paths at all.
    let refused = hostile.len() / 2;
    assert_eq!(told.stderr.lines().filter(|line| line.starts_with("failed ")).count(), refused, "{told:?}");
    assert!(told.stderr.contains("evil/ok/inside: its directory would be inside another project, evil/ok"), "{told:?}");
    assert_eq!(below(&sandbox.path("src")), ["evil", "evil/ok"]);
    let told = import(&sandbox, ["--group", "evil", "--json"]).ended_with(1);
    assert_eq!(results(&told).len(), refused + 1);
}

#[test]
fn a_planted_link_is_not_followed() {
    let sandbox = with_projects(&["links/app", "group/sub/tool"]);
    let outside = sandbox.path("outside");
    fs::create_dir_all(&outside).expect("made");
    fs::create_dir_all(sandbox.path("src/links")).expect("made");
    symlink(&outside, sandbox.path("src/group")).expect("linked");
    symlink(&outside, sandbox.path("src/links/app")).expect("linked");
    let told = import(&sandbox, ["group/app", "group/sub/tool", "links/app"]).ended_with(1);
    assert_eq!(told.stderr.matches("symbolic link").count(), 3, "{told:?}");
    assert_eq!(below(&outside), Vec::<String>::new());
    // One to the directory itself is the person's own.
    symlink(&outside, sandbox.path("mine")).expect("linked");
    sandbox.verb(["import", "--dir", "mine", "group/app"]).succeeded();
    assert!(outside.join("group/app/README.md").is_file());
}

#[test]
fn ctrl_c_leaves_what_is_whole_and_the_same_command_goes_on() {
    let paths: Vec<String> = (0..6).map(|number| format!("many/p{number}")).collect();
    let sandbox = with_projects(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    import(&sandbox, ["many/p0"]).succeeded();
    let before = sandbox.gitlab.count(Endpoint::Git);
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Git, What::Silence) });
    let started = Started::new(importing(&sandbox, &["--group", "many", "--jobs", "3"]));
    assert!(sandbox.gitlab.wait_until(PATIENCE, |requests| {
        requests.iter().filter(|request| request.endpoint == Endpoint::Git).count() >= before + 3
    }));
    run::signal(i32::try_from(started.child.id()).expect("a process id"), "INT");
    let told = started.finish().ended_with(130);
    assert!(told.took < Duration::from_secs(15), "{told:?}");
    assert!(
        told.stderr.contains("not done 5; to go on: git credential-gitlab import --dir src --group many --jobs 3"),
        "{told:?}"
    );
    assert_eq!(below(&sandbox.path("src")), ["many", "many/p0"]);
    sandbox.gitlab.clear_faults();
    let told = import(&sandbox, ["--group", "many"]).succeeded();
    assert!(told.stderr.contains("cloned 5, present 1, failed 0"), "{told:?}");
}

#[test]
fn what_a_crash_left_is_tidied_up() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Git, What::Silence) });
    let mut started = Started::new(importing(&sandbox, &["group/app"]));
    assert!(
        sandbox
            .gitlab
            .wait_until(PATIENCE, |requests| { requests.iter().any(|request| request.endpoint == Endpoint::Git) })
    );
    let group = sandbox.path("src/group");
    let [part] = &below(&group)
        .into_iter()
        .filter(|name| name.starts_with(".app.part-") && !name.contains('/'))
        .collect::<Vec<_>>()[..]
    else {
        panic!("{:?}", below(&group))
    };
    started.child.kill().expect("killed");
    started.child.wait().expect("it was started");
    sandbox.gitlab.clear_faults();
    assert!(group.join(part).is_dir());
    import(&sandbox, ["group/app"]).succeeded();
    assert_eq!(below(&group), ["app"]);
}

#[test]
fn two_imports_of_the_same_do_not_harm_each_other() {
    let sandbox = with_projects(&["group/a", "group/b", "group/c"]);
    let both = [0, 1].map(|_| Started::new(importing(&sandbox, &["--group", "group", "--jobs", "2"])));
    for started in both {
        started.finish().succeeded();
    }
    assert_eq!(below(&sandbox.path("src")), ["group", "group/a", "group/app", "group/b", "group/c"]);
}
#[test]
fn nothing_of_the_repository_around_steers_an_import() {
    let sandbox = Sandbox::linked();
    let around = sandbox.clone("group/app", "around");
    let mut command = importing(&sandbox, &["group/app"]);
    for (name, place) in
        [("GIT_DIR", around.join(".git")), ("GIT_WORK_TREE", around.clone()), ("GIT_INDEX_FILE", around.join("index"))]
    {
        command.env(name, place);
    }
    run::finish(command, "").succeeded();
    assert!(sandbox.path("src/group/app/README.md").is_file() && !around.join("index").exists());
}
