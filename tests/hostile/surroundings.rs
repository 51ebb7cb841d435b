//! How git's verbs can be started: H57, H58, H65 to H69, H73, and N09.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use gitlab_stand_in::{Endpoint, Fault, What};

use super::token_of;
use crate::support::{HELPER, Sandbox, Started, eventually, make_private, run};

/// Row H57.
#[test]
fn operations_of_the_future_get_silence() {
    let sandbox = Sandbox::linked();
    let long = "x".repeat(100_000);
    for verb in [
        "",
        "GET",
        "list",
        "get\n",
        " get",
        "approve",
        "reject",
        "fill",
        "get\0get".split('\0').next().expect("one"),
        &long,
    ] {
        if verb == "get" {
            continue;
        }
        let silent = sandbox.helper(verb, sandbox.question());
        let shown = &verb[..verb.len().min(20)];
        assert_eq!((silent.code, silent.stdout.as_str(), silent.stderr.as_str()), (Some(0), "", ""), "{shown:?}");
    }
    let mut broken = sandbox.command(HELPER);
    broken.arg(std::ffi::OsString::from_vec(vec![0xff, 0xfe]));
    let silent = run::finish(broken, sandbox.question());
    assert_eq!((silent.code, silent.stdout.as_str(), silent.stderr.as_str()), (Some(0), "", ""));
    // Without any: as git2 once did with a path.
    let silent = run::finish(sandbox.command(HELPER), sandbox.question());
    assert_eq!((silent.code, silent.stdout.as_str()), (Some(0), ""), "{silent:?}");
    assert_eq!(sandbox.helper("capability", "x").stdout, "version 0\ncapability authtype\n");
}

/// Rows H58, H65 and H67.
#[test]
fn neither_arguments_nor_the_environment_keep_an_answer_away_or_make_us_talk() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let mut surplus = sandbox.command(HELPER);
    surplus.args(["get", "extra", "--help", "\u{1b}[2J"]);
    assert_eq!(token_of(&run::finish(surplus, sandbox.question())), token);
    for restart in [false, true] {
        for variables in [
            &[
                ("RUST_LOG", "trace"),
                ("RUST_BACKTRACE", "full"),
                ("GIT_TRACE", "1"),
                ("GIT_TRACE_CURL", "1"),
                ("GIT_CREDENTIAL_GITLAB_LOG", "trace"),
            ][..],
            &[("LC_ALL", "xx_YY.nonsense"), ("LANG", "\u{1b}[2J"), ("LANGUAGE", "x")],
            &[
                ("GIT_DIR", "/nowhere"),
                ("GIT_CONFIG_PARAMETERS", "nonsense"),
                ("GIT_CONFIG_COUNT", "x"),
                ("TMPDIR", "/nowhere"),
            ],
            &[("COLUMNS", "-1"), ("TERM", "\u{1b}"), ("TZ", "nonsense"), ("RUST_MIN_STACK", "x")],
        ] {
            if restart {
                sandbox.verb(["daemon", "stop"]).succeeded();
            }
            let mut helper = sandbox.command(HELPER);
            helper.arg("get").envs(variables.iter().copied());
            assert_eq!(token_of(&run::finish(helper, sandbox.question())), token, "{variables:?}");
        }
    }
    // cron and `env -i`: no PATH, and a home at most.
    sandbox.verb(["daemon", "stop"]).succeeded();
    let mut bare = sandbox.command(HELPER);
    bare.arg("get").env_clear().env("HOME", sandbox.home());
    assert_eq!(token_of(&run::finish(bare, sandbox.question())), token);
}

/// Row H66.
#[test]
fn a_hostile_working_directory_is_not_looked_into() {
    let mut sandbox = Sandbox::linked();
    let token = sandbox.token();
    let tree = sandbox.path("tree");
    make_private(&tree);
    // Sockets of somebody who hopes that we take a relative path, and one beside a repository's config.
    let planted: Vec<UnixListener> = ["run", "config", "state", "."]
        .map(|name| {
            let directory = tree.join(name).join("git-credential-gitlab");
            fs::create_dir_all(&directory).expect("a directory");
            UnixListener::bind(directory.join("socket")).expect("a socket")
        })
        .into();
    fs::write(tree.join("git-credential-gitlab--daemon"), "#!/bin/sh\ntouch ../planted\n").expect("written");
    fs::write(tree.join("git"), "#!/bin/sh\ntouch ../planted\n").expect("written");
    for name in ["git-credential-gitlab--daemon", "git"] {
        fs::set_permissions(tree.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    }
    for (name, value) in [("XDG_RUNTIME_DIR", "run"), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state")] {
        sandbox.set(name, value);
    }
    for restart in [false, true] {
        if restart {
            sandbox.verb(["daemon", "stop"]).succeeded();
        }
        let mut helper = sandbox.command(HELPER);
        helper.arg("get").current_dir(&tree);
        assert_eq!(token_of(&run::finish(helper, sandbox.question())), token);
    }
    for listener in planted {
        listener.set_nonblocking(true).expect("set");
        assert!(listener.accept().is_err(), "somebody came");
    }
    assert!(!sandbox.path("planted").exists(), "what lies there was run");
}

/// Row H68.
#[test]
fn closed_descriptors_harm_nothing() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    for restart in [false, true] {
        for closed in ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"] {
            if restart {
                sandbox.verb(["daemon", "stop"]).succeeded();
            }
            let mut shell = sandbox.command("sh");
            shell.args(["-c", &format!("exec \"$0\" get {closed}"), HELPER]);
            let ended = run::finish(shell, sandbox.question());
            assert_eq!(ended.code, Some(0), "{closed}: {ended:?}");
            assert!(!ended.stderr.contains(&token) && !ended.stderr.contains("panic"), "{closed}: {ended:?}");
            let answered =
                !closed.contains("<&-") && !closed.contains("> &-") && !closed.split(' ').any(|it| it == ">&-");
            assert_eq!(ended.stdout.contains(&token), answered, "{closed}: {ended:?}");
        }
    }
    assert!(!sandbox.log().contains(&token), "it went into what took the descriptor's number");
    assert_eq!(sandbox.token(), token);
}

/// Row H69.
#[test]
fn a_reader_who_is_gone_ends_it_quietly() {
    let sandbox = Sandbox::linked();
    for verb in ["get", "capability"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut helper = sandbox.command(HELPER);
        helper.arg(verb).stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
        let mut helper = helper.spawn().expect("it starts");
        let mut stdin = helper.stdin.take().expect("a pipe");
        let _ = std::io::Write::write_all(&mut stdin, sandbox.question().as_bytes()); // it may not read it
        drop(stdin);
        let mut said = String::new();
        helper.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        assert!(
            helper.wait().expect("it ends").code().is_none_or(|code| code == 0) && said.is_empty(),
            "{verb}: {said}"
        );
    }
}

/// Row H73.
#[test]
fn forty_at_once_are_all_answered() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let asking: Vec<Started> = (0..40).map(|_| sandbox.start_helper("get", &sandbox.question())).collect();
    for asking in asking {
        assert_eq!(token_of(&asking.finish()), token);
    }
}

/// Row N09.
#[test]
fn a_client_that_is_killed_while_it_waits_takes_nothing_along() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.age_token(7200, 0);
    // Before there is a daemon: it renews unasked.
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(std::time::Duration::from_secs(1))));
    let pid = sandbox.daemon_pid();
    let waiting: Vec<Started> = (0..20).map(|_| sandbox.start_helper("get", &sandbox.question())).collect();
    sandbox.wait_for_renewal_to_begin();
    for mut client in waiting {
        client.child.kill().expect("it ran");
        client.child.wait().expect("it ends");
    }
    // The renewal goes on for whoever comes next, and is one.
    let new = token_of(&sandbox.get());
    assert_ne!(new, old);
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    assert_eq!(sandbox.daemon_pid(), pid);
    let connections = || {
        let table = fs::read_to_string("/proc/net/unix").expect("readable");
        table.lines().filter(|line| line.ends_with(sandbox.socket().to_str().expect("text"))).count()
    };
    eventually("the daemon has let go of them", || connections() <= 2);
}
