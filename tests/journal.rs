//! `log` tells which program got a token for what, and never a secret.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gitlab_stand_in::{Endpoint, Fault, Role, Visibility, What, When};
use serde_json::Value;

use crate::support::{Sandbox, eventually, run};

fn journal(sandbox: &Sandbox) -> PathBuf {
    sandbox.state().join("journal")
}

/// What `log --json` prints.
fn log(sandbox: &Sandbox) -> Vec<Value> {
    let shown = sandbox.verb(["log", "--json"]).succeeded();
    shown.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The same, once it has so many lines.
fn log_of(sandbox: &Sandbox, count: usize) -> Vec<Value> {
    eventually("the journal is written", || log(sandbox).len() >= count);
    let lines = log(sandbox);
    assert_eq!(lines.len(), count, "{lines:#?}");
    lines
}

/// A program of the sandbox, run to its end.
fn program(sandbox: &Sandbox, name: &str, text: &str) -> run::Finished {
    let path = sandbox.path(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("set");
    run::finish(sandbox.command(&path), "")
}

#[test]
fn a_script_that_pushes_is_named_with_what_it_ran() {
    let sandbox = Sandbox::linked();
    sandbox.clone("group/app", "app");
    log_of(&sandbox, 1);
    let push = "#!/bin/sh\ncd app && git commit --quiet --allow-empty -m x && git push --quiet origin\n";
    program(&sandbox, "deploy.sh", push).succeeded();
    let lines = log_of(&sandbox, 2);
    let line = lines[1].as_object().expect("an object");
    let mut names: Vec<&str> = line.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = ["at", "chain", "command", "host", "label", "path", "pid", "program", "result", "username"];
    assert_eq!(names, expected);
    for (name, value) in [
        ("host", sandbox.gitlab.url()),
        ("username", "alice"),
        ("label", "alice"),
        ("program", "deploy.sh"),
        ("command", "git push --quiet origin"),
        ("result", "served"),
    ] {
        assert_eq!(line[name], value, "{name}: {line:#?}");
    }
    assert_eq!(line["path"], Value::Null);
    assert!(line["pid"].as_u64().is_some_and(|pid| pid > 1) && line["at"].as_str().is_some_and(|at| at.ends_with('Z')));
    let programs: Vec<&str> =
        line["chain"].as_array().expect("a list").iter().filter_map(|process| process["program"].as_str()).collect();
    assert_eq!(programs[0], "git-credential-gitlab");
    assert!(programs.iter().any(|program| program.starts_with("git-remote-http")), "{programs:?}");
    assert!(programs.contains(&"git") && programs.contains(&"deploy.sh"), "{programs:?}");
    let table = sandbox.verb(["log"]).succeeded().stdout;
    let last = table.lines().last().expect("a line");
    assert!(last.contains("deploy.sh") && last.contains("git push --quiet origin"), "{table}");
}

#[test]
fn submodules_are_fetched_by_whoever_cloned() {
    let sandbox = Sandbox::linked();
    let main = sandbox.clone("group/app", "main");
    sandbox.gitlab.add_project("group/one", Visibility::Private);
    sandbox.gitlab.grant("alice", "group/one", Role::Developer);
    sandbox.git_in(&main, ["submodule", "--quiet", "add", &sandbox.project("group/one")]).succeeded();
    sandbox.git_in(&main, ["commit", "--quiet", "-m", "a submodule"]).succeeded();
    sandbox.git_in(&main, ["push", "--quiet"]).succeeded();
    let before = log_of(&sandbox, 3).len();
    let clone = format!("#!/bin/sh\ngit clone --quiet --recurse-submodules {} again\n", sandbox.project("group/app"));
    program(&sandbox, "nightly", &clone).succeeded();
    for line in &log_of(&sandbox, before + 2)[before..] {
        assert_eq!(
            (&line["program"], &line["command"]),
            (&"nightly".into(), &"git clone --quiet --recurse-submodules …".into())
        );
    }
}

#[test]
fn nothing_that_was_typed_configured_or_put_into_an_address_is_noted() {
    let sandbox = Sandbox::linked();
    let secret = "glpat-PLANTED";
    let clone = sandbox.clone("group/app", "app");
    let token = sandbox.token();
    let header = format!("http.extraHeader=X-Planted: {secret}");
    let config = format!("credential.username={secret}");
    let url = sandbox.project("group/app");
    let with_user = url.replacen("://", &format!("://{secret}@"), 1);
    let with_query = format!("{url}?private_token={secret}");
    let mut log_before = log_of(&sandbox, 2).len();
    let mut asked = |words: &[&str]| {
        let finished = sandbox.git_in(&clone, words.iter().copied());
        eventually("it is noted", || log(&sandbox).len() > log_before);
        log_before = log(&sandbox).len();
        finished
    };
    asked(&["-c", &header, "fetch", "origin"]).succeeded();
    asked(&["-c", &config, "fetch", "--quiet"]).succeeded();
    asked(&["ls-remote", &with_user]).succeeded();
    sandbox.git_in(&clone, ["-c", "credential.useHttpPath=true", "ls-remote", &with_query]);
    sandbox.git_in(&clone, ["remote", "add", secret, &url]).succeeded();
    asked(&["fetch", secret]).succeeded();
    asked(&["push", "--quiet", "-o", secret, "origin", &format!("HEAD:refs/heads/{secret}")]);
    sandbox.git(["config", "--global", &format!("alias.{secret}"), "fetch"]).succeeded();
    asked(&[secret]);
    program(&sandbox, "script", &format!("#!/bin/sh\nexport PLANTED={secret}\ncd app\nsh -c 'git fetch # {secret}'\n"));
    // And who asks without git, with everything in the question.
    let question = format!("{}path={secret}?x={secret}\nusername={secret}\npassword={secret}\n", sandbox.question());
    sandbox.helper("get", question);
    let names = format!("{}username={secret}+read-only\n", sandbox.question());
    sandbox.helper("get", names);
    eventually("all is noted", || log(&sandbox).len() >= log_before + 3);
    sandbox.verb(["daemon", "stop"]).succeeded();
    let kept = fs::read_to_string(journal(&sandbox)).expect("readable");
    let shown = sandbox.verb(["log"]).succeeded().stdout + &sandbox.verb(["log", "--json"]).succeeded().stdout;
    for secret in [secret, &token].into_iter().chain(sandbox.gitlab.secrets().iter().map(String::as_str)) {
        for (place, text) in [("the journal", &kept), ("log", &shown)] {
            let at = text.lines().find(|line| line.contains(secret));
            assert!(at.is_none(), "a secret is in {place}: {at:?}");
        }
    }
}

#[test]
fn what_became_of_a_request_is_told() {
    let sandbox = Sandbox::linked();
    sandbox.token();
    sandbox.age_token(6900, 300);
    sandbox.token();
    let account = |name: &str| format!("{}username={name}+read-only\n", sandbox.question());
    sandbox.helper("get", account("bob"));
    sandbox.age_token(7200, 0);
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what: What::Close, times: None });
    sandbox.get();
    let results: Vec<Value> = log_of(&sandbox, 4).into_iter().map(|line| line["result"].clone()).collect();
    assert_eq!(results, ["served", "renewed", "declined", "failed"]);
    // What is not ours is not noted.
    sandbox.helper("get", "protocol=https\nhost=github.com\n").succeeded();
    sandbox.verb(["daemon", "stop"]).succeeded();
    log_of(&sandbox, 4);
}

#[test]
fn a_path_is_noted_if_git_sends_one() {
    let sandbox = Sandbox::linked();
    for (path, noted) in [
        ("group/app.git", Some("group/app.git")),
        ("group/app.git/info/lfs", Some("group/app.git/info/lfs")),
        ("group/../app.git", None),
        ("group/app.git?token=x", None),
        ("group/\u{1b}[2J", None),
        (&"a".repeat(5000), None),
    ] {
        let before = log(&sandbox).len();
        sandbox.helper("get", format!("{}path={path}\n", sandbox.question())).succeeded();
        assert_eq!(log_of(&sandbox, before + 1)[before]["path"].as_str(), noted);
    }
}

#[test]
fn whoever_asks_without_git_is_named_too() {
    let sandbox = Sandbox::linked();
    let mut socat = sandbox.command("socat");
    socat.args(["-t10", "-"]).arg(format!("UNIX-CONNECT:{}", sandbox.socket().display()));
    let answer = run::finish(socat, format!("action=get\n{}\n", sandbox.question())).succeeded();
    assert!(answer.attribute("password").is_some());
    let line = &log_of(&sandbox, 1)[0];
    assert_eq!((&line["program"], &line["command"]), (&"socat".into(), &"".into()));
}

#[test]
fn a_program_can_not_steer_the_terminal_by_its_name() {
    let sandbox = Sandbox::linked();
    let clone = format!("#!/bin/sh\ngit ls-remote --quiet {}\n", sandbox.project("group/app"));
    program(&sandbox, "x\u{1b}[2J\n\u{202e}y", &clone).succeeded();
    let line = &log_of(&sandbox, 1)[0];
    let name = line["program"].as_str().expect("text");
    assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()), "{name:?}");
    assert_eq!(sandbox.verb(["log"]).succeeded().stdout.lines().count(), 2);
}

#[test]
fn only_what_is_recent_is_shown_if_that_is_asked_for() {
    let sandbox = Sandbox::linked();
    sandbox.token();
    log_of(&sandbox, 1);
    let old = fs::read_to_string(journal(&sandbox)).expect("readable").replacen("\"at\":\"2", "\"at\":\"1", 1);
    // An old line, half a line as a crash leaves it, and what is no line at all.
    let recent = fs::read_to_string(journal(&sandbox)).expect("readable");
    fs::write(journal(&sandbox), format!("{old}{recent}{}\n\u{0}\nnull\n{{}}\n", &recent[..40])).expect("written");
    assert_eq!(log(&sandbox).len(), 2);
    for since in ["2h", "30min", "1d", "7d"] {
        let shown = sandbox.verb(["log", "--json", "--since", since]).succeeded();
        assert_eq!(shown.stdout.lines().count(), 1, "{since}");
    }
    let refused = sandbox.verb(["log", "--since", "yesterday"]).ended_with(2);
    assert!(refused.stderr.contains("30min, 2h, 1d or 7d"), "{refused:?}");
}

#[test]
fn the_journal_is_private_and_read_without_a_daemon() {
    let sandbox = Sandbox::new();
    let nothing = sandbox.verb(["log"]).succeeded();
    assert_eq!(nothing.stdout, "");
    assert!(nothing.stderr.contains("nothing to show"), "{nothing:?}");
    sandbox.link();
    sandbox.token();
    let socket = sandbox.socket();
    // At its end the daemon writes what is still to be written.
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(journal(&sandbox).metadata().expect("there").mode() & 0o777, 0o600);
    assert_eq!(log(&sandbox).len(), 1);
    assert!(!socket.exists(), "log starts none");
}

#[test]
fn the_journal_is_set_aside_before_it_grows_too_large() {
    let sandbox = Sandbox::linked();
    sandbox.token();
    let line = log_of(&sandbox, 1).remove(0).to_string();
    let lines = (4 << 20) / (line.len() + 1) + 1;
    fs::write(journal(&sandbox), format!("{line}\n").repeat(lines)).expect("written");
    sandbox.token();
    let old = sandbox.state().join("journal.old");
    eventually("it is set aside", || old.exists() && journal(&sandbox).exists());
    log_of(&sandbox, lines + 1);
    let new = fs::read_to_string(journal(&sandbox)).expect("readable");
    assert_eq!(new.lines().count(), 1, "{new}");
    assert_eq!(journal(&sandbox).metadata().expect("there").mode() & 0o777, 0o600);
}

#[test]
fn a_journal_that_can_not_be_written_costs_no_token() {
    let sandbox = Sandbox::linked();
    let in_the_way = |what: &dyn Fn(&Path)| {
        let beside = sandbox.path("in the way");
        what(&beside);
        // The last line may still be on its way to the journal's place.
        eventually("it is in the way", || {
            let _ = fs::remove_file(journal(&sandbox));
            fs::rename(&beside, journal(&sandbox)).is_ok()
        });
        for _ in 0..3 {
            let answer = sandbox.get().succeeded();
            assert!(answer.attribute("password").is_some() && answer.stderr.is_empty(), "{answer:?}");
        }
    };
    in_the_way(&|path| fs::create_dir(path).expect("made"));
    eventually("it is said once", || sandbox.log().matches("journal can't be written").count() == 1);
    fs::remove_dir(journal(&sandbox)).expect("removed");
    // A disk that is full.
    in_the_way(&|path| std::os::unix::fs::symlink("/dev/full", path).expect("linked"));
    fs::remove_file(journal(&sandbox)).expect("removed");
    sandbox.token();
    eventually("it is written again", || !log(&sandbox).is_empty());
    // A pipe that nobody reads: the thread hangs, and nobody else does.
    in_the_way(&|path| {
        let mut mkfifo = sandbox.command("mkfifo");
        mkfifo.arg(path);
        run::finish(mkfifo, "").succeeded();
    });
    sandbox.verb(["daemon", "stop"]).succeeded();
}

#[test]
fn git_config_turns_the_journal_off() {
    for (key, value) in [
        ("credential.gitlabJournal", "false"),
        ("credential.HOST.gitlabJournal", "no"),
        ("credential.gitlabJournal", "broken"),
    ] {
        let sandbox = Sandbox::linked();
        sandbox.git(["config", "--global", &key.replace("HOST", sandbox.gitlab.url()), value]).succeeded();
        sandbox.token();
        sandbox.verb(["daemon", "stop"]).succeeded();
        assert!(!journal(&sandbox).exists(), "{key}={value}");
    }
    let sandbox = Sandbox::linked();
    sandbox.git(["config", "--global", "credential.https://other.example.gitlabJournal", "false"]).succeeded();
    sandbox.token();
    log_of(&sandbox, 1);
}
