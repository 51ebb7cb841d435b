//! What other programs, of this user and of others, try with the daemon and its files. What
//! each of these promises is in contrib/docs/threat-model.md.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use gitlab_stand_in::{Application, StandIn};

use crate::support::by_hand::{callback, value};
use crate::support::{DAEMON, HELPER, Sandbox, Started, make_private, run};

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

#[test]
fn whoever_starts_the_daemon_does_not_choose_whom_it_trusts() {
    // An authority that git config does not know, as an attacker's.
    let mut sandbox = Sandbox::with(StandIn::builder().https(true).start());
    let url = sandbox.gitlab.url().to_owned();
    let authority = sandbox.gitlab.ca_pem().expect("it has one").to_owned();
    sandbox.set("SSL_CERT_FILE", authority);
    sandbox.verb(["daemon", "start"]).succeeded();
    sandbox.unset("SSL_CERT_FILE");
    let refused = sandbox.verb(["link", &url, "--client-id", &sandbox.client_id.clone(), "--yes"]).ended_with(5);
    assert!(refused.stderr.contains("certificate"), "{refused:?}");
}

#[test]
fn nothing_that_steers_programs_reaches_the_daemon() {
    let mut sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let (notify, ran) = (sandbox.path("notify"), sandbox.path("ran"));
    // A service that starts git must not be told that it is ready.
    let told = UnixDatagram::bind(&notify).expect("a socket");
    told.set_nonblocking(true).expect("set");
    sandbox.set("NOTIFY_SOCKET", &notify);
    // A D-Bus that is a program: whoever asks the keyring would run it.
    let program = sandbox.path("program");
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", ran.display())).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
    sandbox.set("DBUS_SESSION_BUS_ADDRESS", format!("unixexec:path={}", program.display()));
    for name in ["GCONV_PATH", "MALLOC_TRACE", "BASH_ENV", "GIT_EXEC_PATH", "https_proxy", "SSL_CERT_DIR", "ANYTHING"] {
        sandbox.set(name, sandbox.path("evil"));
    }
    sandbox.verb(["daemon", "start"]).succeeded();
    sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", "unknown", "--yes", "--store", "keyring"]).ended_with(1);
    assert_eq!(told.recv(&mut [0; 32]).map_err(|why| why.kind()), Err(std::io::ErrorKind::WouldBlock));
    assert!(!ran.exists(), "the daemon ran it");
    let pid = sandbox.daemon_pid();
    if run::can_look_into(pid) {
        let environment = fs::read(format!("/proc/{pid}/environ")).expect("readable");
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let mut names: Vec<_> = environment.split_terminator('\0').filter_map(|line| line.split('=').next()).collect();
        // Debug builds take these two besides, for tests.
        names.retain(|name| !["LLVM_PROFILE_FILE", "SYSTEMD_CREDENTIAL_SECRET"].contains(name));
        names.sort_unstable();
        assert_eq!(names, ["GIT_CONFIG_NOSYSTEM", "HOME", "LC_ALL", "PATH"]);
    }
}

#[test]
fn a_client_of_another_container_is_known_by_its_user() {
    let mut sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let directory = sandbox.path("shared");
    make_private(&directory);
    let socket = directory.join("socket");
    // For the daemon the client's process has no number.
    let mut daemon = sandbox.command("unshare");
    if !is_root() {
        daemon.args(["--user", "--map-current-user"]);
    }
    daemon.args(["--pid", "--fork", "--kill-child", DAEMON, "--foreground", "--socket"]).arg(&socket);
    if !is_root() && !run::finish(unshared_true(&sandbox), "").stderr.is_empty() {
        eprintln!("skipped: no containers for this user here");
        return;
    }
    let mut daemon = Started::new(daemon);
    daemon.wait_for_line(|line| line.contains("ready"));
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    assert_eq!(sandbox.token(), token);
    sandbox.verb(["daemon", "stop"]).succeeded();
    daemon.finish();
}

fn unshared_true(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.command("unshare");
    command.args(["--user", "--map-current-user", "--pid", "--fork", "true"]);
    command
}

#[test]
fn a_socket_at_which_another_user_listens_is_told_nothing() {
    let mut sandbox = Sandbox::new();
    if !is_root() {
        return; // only root can give a file away, or become somebody else
    }
    let directory = sandbox.path("planted");
    make_private(&directory);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("opened");
    fs::set_permissions(sandbox.home().parent().expect("a directory"), fs::Permissions::from_mode(0o711))
        .expect("opened");
    let socket = directory.join("socket");
    let program = "use IO::Socket::UNIX; my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die; \
                   print STDERR \"listening\\n\"; my $c = $l->accept; print while <$c>;";
    let mut stranger = sandbox.command("setpriv");
    stranger.args(["--reuid=65534", "--clear-groups", "perl", "-e", program]).arg(&socket);
    let mut stranger = Started::new(stranger);
    stranger.wait_for_line(|line| line.contains("listening"));
    // The file is ours, as if it had been exchanged right after it was looked at.
    std::os::unix::fs::chown(&socket, Some(0), None).expect("taken");
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    let refused = sandbox.get().succeeded();
    assert!(refused.stdout.is_empty() && refused.stderr.contains("is not a socket of this user"), "{refused:?}");
    assert_eq!(stranger.finish().stdout, "", "what was asked is nobody else's business");
}

#[test]
fn a_link_that_was_planted_among_our_files_is_not_followed() {
    let sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let precious = sandbox.home().join(".profile");
    fs::write(&precious, "precious\n").expect("written");
    let plant = |at: &Path| {
        let _ = fs::remove_file(at); // it may not be there yet
        symlink(&precious, at).expect("planted");
    };
    let journal = sandbox.state().join("journal");
    plant(&journal);
    sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    fs::remove_file(&journal).expect("removed");
    for name in ["daemon.log", "lock"] {
        let at = match name {
            "lock" => sandbox.state_files(".lock").pop().expect("a lease"),
            name => sandbox.state().join(name),
        };
        plant(&at);
        let started = sandbox.verb(["daemon", "start"]);
        match name {
            "lock" => drop(started.succeeded()),
            _ => assert!(started.ended_with(1).stderr.contains("it is no file of this user"), "{name}"),
        }
        sandbox.verb(["daemon", "stop"]);
        fs::remove_file(&at).expect("removed");
    }
    assert_eq!(fs::read_to_string(&precious).expect("there"), "precious\n");
}

#[test]
fn an_account_that_another_user_planted_is_not_used() {
    let sandbox = Sandbox::linked();
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    if std::os::unix::fs::chown(profile, Some(65534), None).is_err() {
        return; // only root can give a file away
    }
    sandbox.verb(["daemon", "restart"]).succeeded();
    let answer = sandbox.get().succeeded();
    assert!(answer.attribute("password").is_none(), "{answer:?}");
    let said = sandbox.verb(["status"]);
    assert!(said.stderr.contains("it is no file of this user"), "{said:?}");
}

#[test]
fn a_file_in_the_sockets_place_is_left_alone() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("mine");
    make_private(&directory);
    let place = directory.join("socket");
    fs::write(&place, "precious").expect("written");
    let mut daemon = sandbox.command(DAEMON);
    daemon.arg("--socket").arg(&place);
    let refused = run::finish(daemon, "").ended_with(1);
    assert!(refused.stdout.contains("no socket is in the socket's place"), "{refused:?}");
    assert_eq!(fs::read(&place).expect("there"), b"precious");
}

#[test]
fn no_umask_opens_or_spoils_our_files() {
    for umask in ["000", "777"] {
        let sandbox = Sandbox::linked();
        sandbox.verb(["daemon", "stop"]).succeeded();
        fs::remove_file(sandbox.state().join("daemon.log")).expect("removed");
        fs::remove_dir_all(sandbox.state().join("notices")).expect("removed");
        let mut get = sandbox.command("sh");
        get.args(["-c", &format!("umask {umask}; exec \"$0\" get"), HELPER]);
        run::finish(get, sandbox.question()).token();
        sandbox.verb(["daemon", "stop"]).succeeded();
        let mut seen = 0;
        let mut todo = vec![sandbox.state()];
        while let Some(path) = todo.pop() {
            let found = path.symlink_metadata().expect("there");
            assert_eq!(found.mode() & 0o077, 0, "{umask}: {}", path.display());
            assert_eq!(found.mode() & 0o600, 0o600, "{umask}: {}", path.display());
            if found.is_dir() {
                todo.extend(fs::read_dir(&path).expect("readable").map(|entry| entry.expect("readable").path()));
            }
            seen += 1;
        }
        assert!(seen > 8, "{seen}");
    }
}

#[test]
fn an_open_state_directory_is_closed_at_the_next_start() {
    let sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let socket_directory = sandbox.state().join("tokens");
    let opened = [sandbox.state(), sandbox.state().join("accounts"), socket_directory];
    let run_directory = fs::read_dir(sandbox.state())
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-")));
    let opened: Vec<_> = opened.into_iter().chain(run_directory).collect();
    assert_eq!(opened.len(), 4);
    for directory in &opened {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("opened");
    }
    sandbox.token();
    for directory in &opened {
        assert_eq!(directory.metadata().expect("there").mode() & 0o777, 0o700, "{}", directory.display());
    }
}

#[test]
fn a_build_with_a_home_of_its_own_takes_no_daemons_place() {
    let sandbox = Sandbox::new().with_runtime_directory();
    sandbox.link();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let elsewhere = sandbox.path("build");
    fs::create_dir(&elsewhere).expect("a directory");
    let mut get = sandbox.command(HELPER);
    get.arg("get").env("HOME", &elsewhere);
    let silent = run::finish(get, sandbox.question()).succeeded();
    assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""));
    // One that serves the build's home would answer here with silence.
    sandbox.token();
}

#[test]
fn what_a_shell_adds_to_the_way_is_told_at_link() {
    let mut sandbox = Sandbox::new();
    let quiet = sandbox.link();
    assert!(!quiet.stderr.contains("this shell"), "{quiet:?}");
    // A project's settings may have put them there.
    sandbox.set("SSL_CERT_FILE", "/nonexistent");
    sandbox.set("https_proxy", "http://alice:hunter2@proxy.example:1");
    let told = sandbox.link();
    assert!(
        told.stderr.contains("reached as this shell says, also from elsewhere (https_proxy and SSL_CERT_FILE)"),
        "{told:?}"
    );
    assert!(!told.stderr.contains("hunter2"), "{told:?}");
}

#[test]
fn the_config_of_a_repository_is_not_read() {
    let mut sandbox = Sandbox::linked();
    let url = sandbox.gitlab.url().to_owned();
    let repository = sandbox.path("evil");
    sandbox.git(["init", "--quiet", "evil"]).succeeded();
    // Nobody listens at port 1.
    for (key, value) in [
        ("http.proxy", "http://127.0.0.1:1"),
        ("http.sslVerify", "false"),
        (&format!("credential.{url}.gitlabAccount"), "mallory"),
        (&format!("credential.{url}.gitlabStore"), "memory"),
        (&format!("credential.{url}.oauthClientId"), "evil"),
        (&format!("credential.{url}.oauthTokenURL"), "http://127.0.0.1:1/token"),
        (&format!("credential.{url}.oauthAuthURL"), "http://127.0.0.1:1/authorize"),
        ("core.fsmonitor", "touch ran"),
        ("alias.config", "!touch ran"),
    ] {
        sandbox.git_in(&repository, ["config", key, value]).succeeded();
    }
    sandbox.verb(["daemon", "stop"]).succeeded();
    sandbox.set("GIT_DIR", repository.join(".git"));
    let in_repository = |verb: &str| {
        let mut command = sandbox.command(HELPER);
        command.arg(verb).current_dir(&repository);
        command
    };
    // The daemon is started from there; then it renews, and links, on the way it knows.
    let old = run::finish(in_repository("get"), sandbox.question()).token();
    sandbox.gitlab.expire_access_tokens("alice");
    run::finish(in_repository("erase"), format!("{}username=oauth2\npassword={old}\n", sandbox.question())).succeeded();
    assert_ne!(run::finish(in_repository("get"), sandbox.question()).token(), old);
    let mut link = in_repository("link");
    link.args([&url, "--yes"]);
    let mut link = Started::new(link);
    let address = link.wait_for_line(|line| line.contains("/oauth/authorize?"));
    assert!(address.trim().starts_with(&url), "{address}");
    sandbox.browser("alice").visit(address.trim()).expect("a visit");
    link.finish().succeeded();
    assert_eq!(sandbox.account()["store"], "file");
    assert!(!repository.join("ran").exists() && !sandbox.path("ran").exists());
}

#[test]
fn another_user_who_has_seen_the_address_can_not_answer_in_the_browsers_place() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let (started, address) = sandbox.begin_link([url.as_str(), "--client-id", &id, "--yes"]);
    let to = callback(&address);
    let path = format!("/?error=access_denied&state={}", value(&address, "state"));
    if is_root() {
        // One that waits for its answer, one that goes at once, and one that hangs up.
        for manner in
            ["print while <$s>", "close $s", "setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)); close $s"]
        {
            let program = format!(
                "use IO::Socket::INET; use Socket; my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die; \
                 syswrite $s, \"GET $ARGV[1] HTTP/1.1\\r\\nHost: $ARGV[0]\\r\\nConnection: close\\r\\n\\r\\n\"; {manner};"
            );
            let mut stranger = sandbox.command("setpriv");
            stranger.args(["--reuid=65534", "--clear-groups", "perl", "-e", &program, &to, &path]);
            let answer = run::finish(stranger, "").succeeded();
            assert!(answer.stdout.is_empty() || answer.stdout.contains("Nobody waits for this page"), "{answer:?}");
        }
    }
    let visit = sandbox.browser("alice").visit(&address).expect("a visit");
    assert!(visit.ok && visit.text.contains("alice"), "{visit:?}");
    started.finish().succeeded();
}

#[test]
fn nobody_else_can_listen_where_a_browser_may_look_for_localhost() {
    let sandbox = Sandbox::new();
    let Ok(free) = TcpListener::bind("[::1]:0") else {
        return; // this machine has no such address
    };
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let url = sandbox.gitlab.url().to_owned();
    let key = format!("credential.{url}.oauthRedirectURL");
    sandbox.git(["config", "--global", &key, &format!("http://localhost:{port}")]).succeeded();
    let application = Application { redirect_uris: vec![format!("http://localhost:{port}")], ..Application::default() };
    let id = sandbox.gitlab.add_application(application).client_id;
    let (started, address) = sandbox.begin_link([url.as_str(), "--client-id", &id, "--yes"]);
    for place in ["127.0.0.1", "[::1]"] {
        let taken = TcpListener::bind(format!("{place}:{port}")).expect_err(place);
        assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse, "{place}");
    }
    let visit = sandbox.browser("alice").visit(&address).expect("a visit");
    assert!(visit.ok && visit.text.contains("alice"), "{visit:?}");
    started.finish().succeeded();
}

#[test]
fn a_host_that_calls_itself_a_gitlab_gets_neither_a_token_nor_a_visit() {
    let mut sandbox = Sandbox::linked();
    let host = TcpListener::bind("127.0.0.1:0").expect("a port");
    host.set_nonblocking(true).expect("set");
    let address = host.local_addr().expect("an address").to_string();
    for name in ["GITLAB_TOKEN", "CI_JOB_TOKEN", "GITLAB_HOST", "CI_SERVER_URL", "OAUTH_TOKEN"] {
        sandbox.set(name, &address);
    }
    for place in [address.as_str(), "gitlab.evil.example", "gitlab.com.evil.example"] {
        for challenge in [r#"Basic realm="GitLab""#, r#"Bearer realm="GitLab", authorize_uri="http://127.0.0.1/x""#] {
            let question = format!("protocol=http\nhost={place}\nwwwauth[]={challenge}\n");
            let silent = sandbox.helper("get", question).succeeded();
            assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""), "{place}");
        }
    }
    assert_eq!(host.accept().map_err(|why| why.kind()).err(), Some(std::io::ErrorKind::WouldBlock), "nobody came");
}
