//! What a person is told without having asked: once for each cause, whoever runs meanwhile.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use gitlab_stand_in::{Endpoint, Fault, What, When};
use serde_json::Value;

use crate::support::notifications::Windows;
use crate::support::{Sandbox, age_token_in, eventually, now};

/// The login is lost: the answer of a renewal does not come.
fn lose(sandbox: &Sandbox) {
    sandbox.age_token(7200, 0);
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Reset));
    sandbox.get().succeeded();
    until_ended(sandbox);
}

fn until_ended(sandbox: &Sandbox) {
    eventually("the login has ended", || {
        sandbox.get();
        sandbox.account()["state"] == "relink"
    });
}

/// Changes what a daemon that starts later reads of the account.
fn change_profile(sandbox: &Sandbox, change: impl Fn(&mut Value)) {
    sandbox.verb(["daemon", "stop"]).succeeded();
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    let mut text: Value = serde_json::from_slice(&fs::read(profile).expect("readable")).expect("JSON");
    change(&mut text);
    fs::write(profile, text.to_string()).expect("written");
}

fn told(sandbox: &Sandbox) -> Vec<String> {
    let directory = fs::read_dir(sandbox.state().join("notices")).expect("a directory");
    directory.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_login_that_ends_is_told_once_whoever_asks_and_whichever_daemon_runs() {
    let mut sandbox = Sandbox::new();
    let windows = Windows::of(&mut sandbox);
    sandbox.link();
    lose(&sandbox);
    let (title, text) = windows.wait_for(1);
    let url = sandbox.gitlab.url();
    assert_eq!(title, format!("GitLab login of alice at {url}"));
    assert!(text.contains("has ended: the server renewed it, but its answer was lost at"), "{text}");
    assert!(
        text.contains("to link it again: git credential-gitlab link") && text.contains("--account alice"),
        "{text}"
    );
    for secret in sandbox.gitlab.secrets() {
        assert!(!title.contains(&secret) && !text.contains(&secret));
    }
    for _ in 0..3 {
        sandbox.get();
    }
    for _ in 0..2 {
        sandbox.kill_daemon();
        until_ended(&sandbox); // a new daemon finds it out by itself
    }
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(windows.shown().len(), 1);
    // Linked again, all is forgotten; and the next loss is another one.
    sandbox.link();
    assert_eq!(told(&sandbox), Vec::<String>::new());
    lose(&sandbox);
    windows.wait_for(2);
    // With the account goes what was told of it.
    sandbox.verb(["unlink", "--local"]).succeeded();
    assert_eq!(told(&sandbox), Vec::<String>::new());
}

#[test]
fn a_failing_server_that_comes_back_is_nothing_to_tell() {
    let mut sandbox = Sandbox::new();
    let windows = Windows::of(&mut sandbox);
    sandbox.link();
    sandbox.age_token(7200, 0);
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what: What::Close, times: None });
    sandbox.get().succeeded();
    assert_eq!(sandbox.account()["state"], "unreachable");
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!((windows.shown(), told(&sandbox)), (Vec::new(), Vec::new()));
}

#[test]
fn a_spare_that_had_to_serve_is_told() {
    let mut sandbox = Sandbox::new();
    let windows = Windows::of(&mut sandbox);
    let words = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--spare"];
    sandbox.link_as("alice", words).succeeded();
    sandbox.verb(["daemon", "stop"]).succeeded();
    for (file, left) in sandbox.state_files(".tokens").iter().zip([0, -10]) {
        age_token_in(file, 7200, left);
    }
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Reset));
    eventually("git gets a token", || sandbox.get().attribute("password").is_some());
    let (_, text) = windows.wait_for(1);
    assert!(text.starts_with("One of the two logins of alice") && text.ends_with("--account alice --spare"), "{text}");
    sandbox.kill_daemon();
    // A new daemon does not know, because it has no need of the lost one; it knows what was told.
    sandbox.token();
    let shown = sandbox.verb(["status"]).succeeded().stdout;
    assert_eq!(shown.matches("One of the two logins of alice").count(), 1, "{shown}");
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(windows.shown().len(), 1);
}

#[test]
fn tokens_that_can_not_be_saved_are_told_and_forgotten_when_they_are() {
    let mut sandbox = Sandbox::new();
    let windows = Windows::of(&mut sandbox);
    sandbox.link();
    sandbox.age_token(7200, 0);
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let in_the_way = tokens.with_extension("tokens.new");
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(2))));
    let asking = sandbox.start_helper("get", &sandbox.question());
    sandbox.wait_for_renewal_to_begin();
    fs::create_dir_all(in_the_way.join("x")).expect("a directory");
    asking.finish().token();
    let (_, text) = windows.wait_for(1);
    assert!(text.contains("could not be saved in") && text.contains("--store file"), "{text}");
    // A get that fails meanwhile says it too, once.
    let refused = Fault { on: Endpoint::Any, when: When::Before, what: What::Close, times: None };
    sandbox.gitlab.fault(refused);
    sandbox.erase(&sandbox.token());
    let first = sandbox.get().succeeded();
    assert!(first.stderr.contains(". Besides: alice at") && first.stderr.lines().count() == 1, "{first:?}");
    assert!(!sandbox.get().succeeded().stderr.contains("Besides"));
    sandbox.gitlab.clear_faults();
    fs::remove_dir_all(&in_the_way).expect("removed");
    sandbox.verb(["daemon", "stop"]).succeeded(); // its end is a chance to save
    assert_eq!((windows.shown().len(), told(&sandbox)), (1, Vec::new()));
}

#[test]
fn a_token_that_nothing_follows_is_told_of_in_time() {
    let mut sandbox = Sandbox::new();
    let windows = Windows::of(&mut sandbox);
    sandbox.link();
    change_profile(&sandbox, |profile| {
        profile["kind"] = "token".into();
        profile["by_hand"] = serde_json::json!({ "kind": "personal", "rotate": false });
    });
    let [file] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let ends_in = |days: i64| {
        sandbox.verb(["daemon", "stop"]).succeeded();
        let mut record: Value = serde_json::from_slice(&fs::read(file).expect("readable")).expect("JSON");
        record["refresh_token"] = Value::Null;
        record["expires_at"] = (now() + days * 86_400).into();
        fs::write(file, record.to_string()).expect("written");
        sandbox.token();
    };
    ends_in(30);
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(windows.shown().len(), 0);
    for days in [6, 5] {
        ends_in(days);
        let (_, text) = windows.wait_for(1);
        assert!(text.contains("ends 2") && text.ends_with("--token-stdin"), "{text}");
    }
    let shown = sandbox.verb(["status"]).succeeded().stdout;
    assert!(shown.contains("works, but the token ends at") && !shown.contains("note:"), "said once: {shown}");
    assert!(sandbox.verb(["status", "--short"]).succeeded().stdout.contains(": ends soon"));
    ends_in(60); // a new one
    assert_eq!(sandbox.account()["notices"], Value::Array(Vec::new()));
}

#[test]
fn what_was_told_is_in_status_before_a_new_daemon_has_found_it_out() {
    let sandbox = Sandbox::linked();
    lose(&sandbox);
    // status says it by itself, once.
    let shown = sandbox.verb(["status"]).ended_with(4).stdout;
    assert!(!shown.contains("note:"), "{shown}");
    sandbox.verb(["daemon", "stop"]).succeeded();
    let shown = sandbox.verb(["status"]);
    let is_noted = |shown: &str| shown.contains("note: The login of alice") && !shown.contains("works");
    assert!(shown.code == Some(4) || is_noted(&shown.stdout), "{shown:?}");
}

#[test]
fn names_and_reasons_are_no_markup() {
    let mut sandbox = Sandbox::new();
    let windows = Windows::of(&mut sandbox);
    sandbox.link();
    change_profile(&sandbox, |profile| profile["username"] = "<a href='x'>&\u{1b}[2J".into());
    lose(&sandbox);
    let (title, text) = windows.wait_for(1);
    assert!(text.contains("&lt;a href='x'&gt;&amp;\u{fffd}[2J") && !text.contains('<'), "{text}");
    assert!(!title.contains('\u{1b}'), "{title:?}");
}

#[test]
fn git_config_turns_the_windows_off_and_nothing_else() {
    for key in ["credential.gitlabNotify", "credential.HOST.gitlabNotify"] {
        let mut sandbox = Sandbox::new();
        let windows = Windows::of(&mut sandbox);
        sandbox.git(["config", "--global", &key.replace("HOST", sandbox.gitlab.url()), "false"]).succeeded();
        sandbox.link();
        lose(&sandbox);
        assert!(sandbox.get().stderr.contains("has ended"));
        sandbox.verb(["daemon", "stop"]).succeeded();
        assert_eq!((windows.shown().len(), told(&sandbox).len()), (0, 1 + 1), "{key}: {:?}", told(&sandbox));
    }
}

#[test]
fn without_a_desktop_nobody_waits_and_nothing_fails() {
    let sandbox = Sandbox::linked();
    lose(&sandbox);
    assert!(sandbox.get().succeeded().stderr.contains("has ended"));
    eventually("the log says why", || sandbox.log().contains("no window could be shown"));
    // A bus that takes connections and never answers.
    let mut sandbox = Sandbox::new();
    let dead = UnixListener::bind(sandbox.path("dead")).expect("free");
    sandbox.set("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", sandbox.path("dead").display()));
    sandbox.set("GIT_CREDENTIAL_GITLAB_STORE", "file");
    sandbox.link();
    lose(&sandbox);
    let asked = Instant::now();
    assert!(sandbox.get().succeeded().stderr.contains("has ended"));
    assert!(asked.elapsed() < Duration::from_secs(3));
    eventually("it is given up", || sandbox.log().contains("the desktop did not answer"));
    drop(dead);
}

#[test]
fn what_can_not_be_noted_is_told_all_the_same() {
    let mut sandbox = Sandbox::new();
    let windows = Windows::of(&mut sandbox);
    sandbox.link();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    let id = profile.file_stem().expect("a name").to_str().expect("text");
    // Damaged, as a full disk leaves it: it still says that it was told.
    fs::write(sandbox.state().join(format!("notices/{id}.ended")), "").expect("written");
    lose(&sandbox);
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(windows.shown().len(), 0);
}

#[test]
fn a_prompt_shows_only_what_is_wrong() {
    let sandbox = Sandbox::linked();
    let short = || sandbox.verb(["status", "--short"]);
    let well = short().succeeded();
    assert_eq!((well.stdout.as_str(), well.stderr.as_str()), ("", ""));
    lose(&sandbox);
    let requests = sandbox.gitlab.requests().len();
    let ended = short().ended_with(4);
    assert!(ended.stdout.ends_with(": link again\n") && ended.stderr.is_empty(), "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 1);
    assert_eq!(sandbox.gitlab.requests().len(), requests);
    // Where no daemon runs, none is started for a prompt.
    let socket = sandbox.socket();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let absent = short().succeeded();
    assert_eq!((absent.stdout.as_str(), absent.stderr.as_str()), ("", ""));
    assert!(!socket.exists());
}
