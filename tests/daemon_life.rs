//! The daemon starts by itself, alone, detached, and may die at any time.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, What};

use crate::support::{HELPER, PATIENCE, Sandbox, Started, eventually, make_private, run};

#[test]
fn many_first_commands_start_one_daemon() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let asking: Vec<_> = (0..40).map(|_| sandbox.start_helper("get", &sandbox.question())).collect();
    for asking in asking {
        assert_eq!(asking.finish().succeeded().attribute("password").as_ref(), Some(&token));
    }
    assert_eq!(sandbox.log().matches("ready").count(), 2, "{}", sandbox.log());
}

#[test]
fn a_killed_daemon_loses_nothing() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    for _ in 0..10 {
        sandbox.kill_daemon();
        assert_eq!(sandbox.token(), token);
    }
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}

#[test]
fn a_daemon_killed_while_gets_run_loses_nothing() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let answered: [AtomicUsize; 4] = Default::default();
    let counts = || answered.each_ref().map(|count| count.load(Ordering::Relaxed));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for count in &answered {
            scope.spawn(|| {
                // The limit is for a test that fails: it must end, too.
                for _ in 0..5_000 {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    assert_eq!(sandbox.token(), token);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..8 {
            let before = counts();
            // A command tries three times, so each of the four is answered between two kills.
            eventually("all are answered", || counts().iter().zip(before).all(|(now, before)| *now > before + 1));
            sandbox.kill_daemon();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}

#[test]
fn a_daemon_killed_before_the_server_began_a_renewal_loses_nothing() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.expire_access_tokens("alice");
    let dead = sandbox.token();
    sandbox.gitlab.fault(Fault::once(Endpoint::Token, What::Silence));
    sandbox.erase(&dead);
    let asking = sandbox.start_helper("get", &sandbox.question());
    sandbox.wait_for_renewal_to_begin();
    sandbox.kill_daemon();
    // The waiting command asks the next daemon by itself, and that one renews.
    let answer = asking.finish().succeeded().token();
    assert_ne!(answer, dead);
    assert_eq!(sandbox.token(), answer);
}

#[test]
fn a_daemon_that_is_terminated_finishes_its_renewal() {
    let sandbox = Sandbox::linked();
    let pid = sandbox.daemon_pid();
    sandbox.gitlab.expire_access_tokens("alice");
    let dead = sandbox.token();
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(1))));
    sandbox.erase(&dead);
    sandbox.wait_for_renewal_to_begin();
    run::signal(pid, "TERM");
    eventually("the daemon has ended", || !run::is_alive(pid));
    assert_ne!(sandbox.token(), dead);
    assert_eq!(sandbox.gitlab.token_requests(), 1, "the pair of the first renewal was saved");
}

#[test]
fn whoever_asks_while_a_daemon_ends_is_answered_by_the_next() {
    let sandbox = Sandbox::linked();
    let pid = sandbox.daemon_pid();
    sandbox.gitlab.expire_access_tokens("alice");
    let dead = sandbox.token();
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(3))));
    sandbox.erase(&dead);
    sandbox.wait_for_renewal_to_begin();
    run::signal(pid, "TERM");
    eventually("it is ending", || sandbox.log().contains("terminated"));
    let answer = sandbox.get().succeeded();
    assert!(sandbox.lives(&answer.token()) && answer.stderr.is_empty(), "{answer:?}");
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    assert_ne!(sandbox.daemon_pid(), pid);
}

#[test]
fn a_daemon_that_takes_long_to_end_is_told_and_not_waited_for() {
    let sandbox = Sandbox::linked();
    let pid = sandbox.daemon_pid();
    let token = sandbox.token();
    sandbox.gitlab.fault(Fault::once(Endpoint::TokenInfo, What::Silence));
    sandbox.erase(&token);
    assert!(sandbox.gitlab.wait_until(PATIENCE, |seen| seen.iter().any(|it| it.endpoint == Endpoint::TokenInfo)));
    run::signal(pid, "TERM");
    eventually("it is ending", || sandbox.log().contains("terminated"));
    let told = sandbox.get().succeeded();
    assert!(told.stdout == "quit=1\n" && told.stderr.contains("the daemon is ending"), "{told:?}");
    assert!(told.stderr.lines().count() == 1 && told.took < Duration::from_secs(10), "{told:?}");
    // Nobody is told to kill it: it may be in the middle of a renewal.
    let status = sandbox.verb(["status"]).ended_with(1);
    assert!(status.stderr.contains(&format!("the daemon (pid {pid}) is ending")), "{status:?}");
    let doctor = sandbox.verb(["doctor", "--json"]);
    assert!(doctor.stdout.contains("is ending") && !doctor.stdout.contains("kill"), "{doctor:?}");
    let mut restart = sandbox.command(HELPER);
    restart.args(["daemon", "restart"]);
    let restart = Started::new(restart);
    run::kill(pid); // as the machine could; or its end would wait for the server's
    restart.finish().succeeded();
    assert_ne!(sandbox.daemon_pid(), pid);
}

/// Row N07.
#[test]
fn the_daemon_holds_nothing_of_whoever_started_it() {
    let sandbox = Sandbox::linked();
    if !run::can_look_into(sandbox.daemon_pid()) {
        return;
    }
    sandbox.verb(["daemon", "stop"]).succeeded();
    // A descriptor that an IDE leaks to git, and git to its helper.
    let leak = fs::File::create(sandbox.path("leak")).expect("a file");
    let mut shell = sandbox.command("sh");
    shell.args(["-c", "exec 9<&0; exec \"$0\" get <<E\n$1\nE\n", HELPER, &sandbox.question()]).stdin(leak);
    run_with_stdin(shell).succeeded();
    let pid = sandbox.daemon_pid();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
    let open: Vec<_> = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
    let leaked = open.iter().filter(|path| path.ends_with("leak")).count();
    assert_eq!(leaked, 0, "{open:?}");
    assert_eq!(open.iter().filter(|path| path.to_string_lossy().starts_with("pipe:")).count(), 0, "{open:?}");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("its status");
    let fields: Vec<_> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    assert_eq!(fields[3], pid.to_string(), "a session of its own");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).expect("a directory").to_str(), Some("/"));
}

fn run_with_stdin(command: std::process::Command) -> run::Finished {
    Started::new(command).finish()
}

#[test]
fn nothing_of_one_git_command_steers_the_daemon() {
    let mut sandbox = Sandbox::linked();
    if !run::can_look_into(sandbox.daemon_pid()) {
        return;
    }
    sandbox.verb(["daemon", "stop"]).succeeded();
    sandbox.set("GIT_DIR", "/nowhere");
    sandbox.set("GIT_SSL_NO_VERIFY", "1");
    sandbox.token();
    let environment = fs::read(format!("/proc/{}/environ", sandbox.daemon_pid())).expect("readable");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(!environment.contains("GIT_DIR") && !environment.contains("GIT_SSL"), "{environment}");
}

#[test]
fn only_this_user_can_reach_the_daemon_and_its_files() {
    let sandbox = Sandbox::linked();
    let socket = sandbox.socket();
    let directory = socket.parent().expect("a directory").metadata().expect("it exists");
    assert_eq!(directory.mode() & 0o777, 0o700);
    assert_eq!(socket.metadata().expect("it exists").mode() & 0o777, 0o600);
    for file in sandbox.state_files("") {
        assert_eq!(file.metadata().expect("it exists").mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn a_client_of_another_user_is_turned_away() {
    let sandbox = Sandbox::linked();
    let socket = sandbox.socket();
    if run::finish(sandbox.command("id"), "").stdout.split(['=', '(']).nth(1) != Some("0") {
        return; // only root can become somebody else
    }
    // Even if every door on the way stood open.
    for door in socket.ancestors().take_while(|door| *door != std::path::Path::new("/tmp")) {
        fs::set_permissions(door, fs::Permissions::from_mode(0o777)).expect("opened");
    }
    let program = "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new($ARGV[0]) or die; \
                   print $s \"action=status\\n\\n\"; print while <$s>;";
    let mut stranger = sandbox.command("setpriv");
    stranger.args(["--reuid=65534", "--clear-groups", "perl", "-e", program]).arg(&socket);
    let heard = run::finish(stranger, "");
    assert_eq!(heard.stdout, "", "{heard:?}");
    assert!(sandbox.log().contains("another user"), "{}", sandbox.log());
}

#[test]
fn an_explicit_socket_starts_nothing() {
    let mut sandbox = Sandbox::linked();
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", sandbox.path("elsewhere"));
    let silent = sandbox.get().succeeded();
    assert_eq!(silent.stdout, "");
    assert!(silent.stderr.contains("no daemon answers at"), "{silent:?}");
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", "relative");
    assert_eq!(sandbox.get().succeeded().stdout, "");
}

#[test]
fn erase_and_store_start_nothing() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    sandbox.erase(&token);
    sandbox.helper("store", format!("{}password={token}\n", sandbox.question())).succeeded();
    sandbox.verb(["daemon", "status"]).ended_with(1);
}

#[test]
fn a_relative_or_foreign_runtime_directory_is_not_used() {
    let mut sandbox = Sandbox::new();
    let foreign = sandbox.path("foreign");
    make_private(&foreign);
    // Root can give a directory away; for everybody else "/" is somebody else's.
    let given = std::os::unix::fs::chown(&foreign, Some(65534), None).is_ok();
    let foreign = if given { foreign } else { "/".into() };
    for runtime in ["relative".into(), "/nonexistent".into(), foreign] {
        sandbox.set("XDG_RUNTIME_DIR", &runtime);
        let socket = sandbox.socket();
        assert!(socket.is_absolute() && socket.parent() != Some(&runtime.join("git-credential-gitlab")), "{socket:?}");
        sandbox.verb(["daemon", "stop"]).succeeded();
    }
}

/// Row N01.
#[test]
fn a_daemon_that_hangs_is_a_line_and_not_a_wait() {
    let sandbox = Sandbox::linked();
    let pid = sandbox.daemon_pid();
    run::signal(pid, "STOP");
    let stopped = sandbox.get();
    run::signal(pid, "CONT");
    assert_eq!(stopped.stdout, "");
    let mend = format!("kill -CONT {pid}\n");
    assert!(stopped.stderr.ends_with(&mend) && stopped.stderr.lines().count() == 1, "{stopped:?}");
    assert!(stopped.took < Duration::from_secs(8), "nobody waits for one that is stopped: {stopped:?}");
    // One that takes everything and says nothing.
    let mut sandbox = Sandbox::new();
    let socket = sandbox.path("socket");
    let _listener = UnixListener::bind(&socket).expect("bound");
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    let silent = sandbox.get();
    assert!(silent.took < Duration::from_secs(12), "{silent:?}");
    assert_eq!(silent.stdout, "");
    assert!(silent.stderr.contains("daemon restart") && silent.stderr.lines().count() == 1, "{silent:?}");
}

#[test]
fn a_stale_socket_is_replaced_and_a_strange_file_is_not_trusted() {
    let mut sandbox = Sandbox::linked();
    let token = sandbox.token();
    let socket = sandbox.socket();
    sandbox.verb(["daemon", "stop"]).succeeded();
    drop(UnixListener::bind(&socket).expect("a socket whose listener is gone"));
    assert_eq!(sandbox.token(), token);
    let directory = sandbox.path("planted");
    make_private(&directory);
    fs::write(directory.join("socket"), "").expect("a file");
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", directory.join("socket"));
    let refused = sandbox.get().succeeded();
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("not a socket of this user"), "{refused:?}");
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
}

#[test]
fn a_restart_ends_even_where_the_daemon_takes_nobody_in_any_more() {
    let sandbox = Sandbox::linked();
    let (pid, socket) = (sandbox.daemon_pid(), sandbox.socket());
    run::signal(pid, "STOP");
    run::fill_queue(socket);
    let restart = sandbox.verb(["daemon", "restart"]).ended_with(1);
    assert!(restart.took < Duration::from_secs(15), "{restart:?}");
    assert!(restart.stderr.contains(&format!("kill -CONT {pid}")), "{restart:?}");
    run::kill(pid); // which lets the queue go
    sandbox.verb(["daemon", "restart"]).succeeded();
    sandbox.token();
}

#[test]
fn starting_stopping_and_restarting_say_what_happened() {
    let sandbox = Sandbox::new();
    sandbox.verb(["daemon", "status"]).ended_with(1);
    sandbox.verb(["daemon", "start"]).succeeded();
    let first = sandbox.daemon_pid();
    sandbox.verb(["daemon", "start"]).succeeded();
    assert_eq!(sandbox.daemon_pid(), first, "one is enough");
    sandbox.verb(["daemon", "restart"]).succeeded();
    assert_ne!(sandbox.daemon_pid(), first);
    assert!(!run::is_alive(first));
    sandbox.verb(["daemon", "stop"]).succeeded();
    sandbox.verb(["daemon", "status"]).ended_with(1);
}

#[test]
fn a_socket_from_systemd_is_used_and_left_in_its_place() {
    use std::os::fd::OwnedFd;
    let mut sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let directory = sandbox.path("systemd");
    make_private(&directory);
    let socket = directory.join("socket");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let notify = std::os::unix::net::UnixDatagram::bind(directory.join("notify")).expect("a socket");
    notify.set_read_timeout(Some(crate::support::PATIENCE)).expect("set");
    let mut daemon = sandbox.command("sh");
    daemon.args(["-c", "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" --foreground --socket \"$1\""]);
    daemon.arg(crate::support::DAEMON).arg(&socket).env("NOTIFY_SOCKET", directory.join("notify"));
    daemon.stdin(Stdio::from(OwnedFd::from(listener)));
    let daemon = Started::new(daemon);
    let mut word = [0; 32];
    let count = notify.recv(&mut word).expect("it says that it is ready");
    assert_eq!(&word[..count], b"READY=1");
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    assert_eq!(sandbox.token(), token);
    sandbox.verb(["daemon", "stop"]).succeeded();
    daemon.finish();
    assert!(socket.exists(), "systemd starts the next daemon through it");
}

#[test]
fn an_account_that_another_daemon_linked_again_works_here_too() {
    let sandbox = Sandbox::linked();
    let other = sandbox.path("other");
    make_private(&other);
    let ask = |socket: &std::path::Path| {
        let mut command = sandbox.command(HELPER);
        command.arg("get").env("GIT_CREDENTIAL_GITLAB_SOCKET", socket);
        run::finish(command, sandbox.question())
    };
    let mut daemon = sandbox.command(crate::support::DAEMON);
    daemon.arg("--foreground").arg("--socket").arg(other.join("socket"));
    let mut daemon = Started::new(daemon);
    daemon.wait_for_line(|line| line.contains("ready"));
    let old = ask(&other.join("socket")).token();
    sandbox.link();
    let new = sandbox.token();
    assert_ne!(old, new);
    assert_eq!(ask(&other.join("socket")).token(), new);
    sandbox.verb(["unlink"]).succeeded();
    assert_eq!(ask(&other.join("socket")).stdout, "", "and gone is gone");
    run::signal(i32::try_from(daemon.child.id()).expect("a process id"), "TERM");
    daemon.finish();
}

#[test]
fn a_daemon_whose_socket_was_taken_away_gives_its_place_to_one_that_can_be_reached() {
    // Logging out removes the runtime directory; the daemon is in a session of its own.
    for whole_directory in [false, true] {
        let sandbox = Sandbox::new().with_runtime_directory();
        sandbox.link();
        let (token, pid, socket) = (sandbox.token(), sandbox.daemon_pid(), sandbox.socket());
        match whole_directory {
            true => fs::remove_dir_all(socket.parent().expect("a directory")).expect("removed"),
            false => fs::remove_file(&socket).expect("removed"),
        }
        assert_eq!(sandbox.token(), token);
        eventually("the old daemon has ended", || !run::is_alive(pid));
        assert_ne!(sandbox.daemon_pid(), pid);
        assert!(socket.exists(), "and took nothing of its successor along");
    }
}

#[test]
fn a_helper_ends_even_where_the_daemon_takes_nobody_in_any_more() {
    let sandbox = Sandbox::linked();
    let (pid, socket) = (sandbox.daemon_pid(), sandbox.socket());
    run::signal(pid, "STOP");
    run::fill_queue(socket);
    let ended = sandbox.get();
    run::signal(pid, "CONT");
    assert!(ended.took < Duration::from_secs(15), "{ended:?}");
    assert_eq!(ended.stdout, "");
    run::kill(pid); // which lets the thread go
}
