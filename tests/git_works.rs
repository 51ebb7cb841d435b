//! After one link, git just works.

use std::path::Path;
use std::process::Command;

use gitlab_stand_in::{Endpoint, Role, StandIn, Visibility};

use crate::support::{DAEMON, Sandbox, Started, gits, run};

/// Clone, commit, push, and fetch what somebody else pushed.
fn clone_push_and_fetch(sandbox: &Sandbox, name: &str) {
    let ours = sandbox.clone("group/app", &format!("{name}-ours"));
    let theirs = sandbox.clone("group/app", &format!("{name}-theirs"));
    sandbox.git_in(&ours, ["commit", "--quiet", "--allow-empty", "-m", name]).succeeded();
    sandbox.git_in(&ours, ["push", "--quiet"]).succeeded();
    sandbox.git_in(&theirs, ["fetch", "--quiet"]).succeeded();
    let subject = sandbox.git_in(&theirs, ["log", "-1", "--format=%s", "origin/main"]).succeeded().stdout;
    assert_eq!(subject.trim(), name);
}

#[test]
fn every_installed_git_clones_pushes_and_fetches() {
    let mut sandbox = Sandbox::linked();
    for (number, git) in gits().into_iter().enumerate() {
        sandbox.use_git(&git);
        clone_push_and_fetch(&sandbox, &format!("git{number}"));
    }
}

#[test]
fn it_works_over_https_with_a_certificate_of_its_own() {
    let mut sandbox = Sandbox::https();
    sandbox.link();
    assert!(sandbox.gitlab.url().starts_with("https://"));
    for (number, git) in gits().into_iter().enumerate() {
        sandbox.use_git(&git);
        clone_push_and_fetch(&sandbox, &format!("git{number}"));
    }
}

#[test]
fn it_works_in_a_login_session_with_a_runtime_directory() {
    let sandbox = Sandbox::new().with_runtime_directory();
    sandbox.link();
    assert_eq!(sandbox.socket(), sandbox.path("runtime").join("git-credential-gitlab/socket"));
    clone_push_and_fetch(&sandbox, "session");
}

#[test]
fn it_works_below_a_path() {
    let sandbox = Sandbox::with(StandIn::builder().base_path("/git/lab").start());
    let linked = sandbox.link();
    assert_eq!(linked.stdout, format!("linked {} as alice\n", sandbox.gitlab.url()));
    clone_push_and_fetch(&sandbox, "sub-path");
}

#[test]
fn it_works_where_gitlab_wants_the_user_name_oauth2() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.configure(|modes| modes.require_oauth2_username = true);
    clone_push_and_fetch(&sandbox, "oauth2");
    let with_name = sandbox.project("group/app").replacen("://", "://alice@", 1);
    sandbox.git(["clone", "--quiet", &with_name, "named"]).succeeded();
}

#[test]
fn it_works_in_a_terminal() {
    let sandbox = Sandbox::linked();
    let mut script = sandbox.command("script");
    let clone = format!("git clone {} in-terminal", sandbox.project("group/app"));
    script.args(["--quiet", "--return", "--command", &clone, "/dev/null"]).env_remove("GIT_TERMINAL_PROMPT");
    let finished = run::finish(script, "").succeeded();
    assert!(!finished.stdout.contains("Username"), "{finished:?}");
}

#[test]
fn two_submodules_are_cloned_at_once() {
    let sandbox = Sandbox::linked();
    let main = sandbox.clone("group/app", "main");
    for name in ["group/one", "group/two"] {
        sandbox.gitlab.add_project(name, Visibility::Private);
        sandbox.gitlab.grant("alice", name, Role::Developer);
        sandbox.git_in(&main, ["submodule", "--quiet", "add", &sandbox.project(name)]).succeeded();
    }
    sandbox.git_in(&main, ["commit", "--quiet", "-m", "two submodules"]).succeeded();
    sandbox.git_in(&main, ["push", "--quiet"]).succeeded();
    let url = sandbox.project("group/app");
    sandbox.git(["clone", "--quiet", "--recurse-submodules", "-j2", &url, "again"]).succeeded();
    for name in ["one", "two"] {
        assert!(sandbox.path("again").join(name).join("README.md").is_file());
    }
}

#[test]
fn parallel_fetches_all_work() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let fetches: Vec<Started> = (0..8)
        .map(|_| {
            let mut git = sandbox.command("git");
            git.args(["ls-remote", "--exit-code", "origin"]).current_dir(&clone);
            Started::new(git)
        })
        .collect();
    for fetch in fetches {
        fetch.finish().succeeded();
    }
    assert_eq!(sandbox.gitlab.failed_logins(), 0);
}

#[test]
fn a_person_may_do_what_gitlab_lets_them_do_and_no_more() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_project("group/read", Visibility::Private);
    sandbox.gitlab.grant("alice", "group/read", Role::Reporter);
    let clone = sandbox.clone("group/read", "read");
    sandbox.git_in(&clone, ["commit", "--quiet", "--allow-empty", "-m", "no"]).succeeded();
    let refused = sandbox.git_in(&clone, ["push", "--quiet"]);
    assert!(refused.code != Some(0) && refused.stderr.contains("403"), "{refused:?}");
    assert_eq!(sandbox.token(), sandbox.token(), "a 403 costs no token");
}

#[test]
fn a_good_get_makes_no_request_and_starts_no_process() {
    let sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let trace = sandbox.path("trace");
    let mut daemon = sandbox.command("strace");
    daemon.args(["-f", "-e", "trace=execve,connect", "-o"]).arg(&trace).arg(DAEMON).arg("--foreground");
    let mut daemon = Started::new(daemon);
    daemon.wait_for_line(|line| line.contains("ready"));
    sandbox.get().succeeded(); // reads the store for the first time
    let calls = |path: &Path| std::fs::read_to_string(path).expect("a trace").matches("execve(").count();
    let (requests, processes) = (sandbox.gitlab.requests().len(), calls(&trace));
    for _ in 0..20 {
        let mut helper = sandbox.command("strace");
        let own = sandbox.path("own-trace");
        helper.args(["-f", "-e", "trace=execve,clone,clone3,fork,vfork", "-o"]).arg(&own);
        helper.arg(crate::support::HELPER).arg("get");
        let answer = run::finish(helper, sandbox.question()).succeeded();
        assert!(answer.attribute("password").is_some());
        let own = std::fs::read_to_string(&own).expect("a trace");
        assert_eq!(own.lines().filter(|line| line.contains("execve(") || line.contains("clone")).count(), 1, "{own}");
    }
    assert_eq!(sandbox.gitlab.requests().len(), requests);
    assert_eq!(calls(&trace), processes);
    sandbox.verb(["daemon", "stop"]).succeeded();
    daemon.finish();
}

#[test]
fn other_hosts_ports_and_schemes_get_silence() {
    let sandbox = Sandbox::linked();
    let port = sandbox.gitlab.url().rsplit(':').next().expect("a port").to_owned();
    for (protocol, host) in [
        ("https", format!("127.0.0.1:{port}")),
        ("http", "127.0.0.1".into()),
        ("http", format!("127.0.0.1:{port}0")),
        ("http", format!("127.0.0.2:{port}")),
        ("http", format!("localhost:{port}")),
        ("http", format!("alice@127.0.0.1:{port}")),
        ("https", "gitlab.com".into()),
        ("https", "github.com".into()),
    ] {
        let silent =
            sandbox.helper("get", format!("protocol={protocol}\nhost={host}\nwwwauth[]=Basic realm=\"GitLab\"\n"));
        assert_eq!(
            (silent.code, silent.stdout.as_str(), silent.stderr.as_str()),
            (Some(0), "", ""),
            "{protocol}://{host}"
        );
    }
    let tokens_sent = |it: &gitlab_stand_in::Request| it.endpoint == Endpoint::TokenInfo && !it.credentials.is_empty();
    assert!(!sandbox.gitlab.requests().iter().any(tokens_sent));
}

#[test]
fn a_token_is_marked_so_that_other_helpers_do_not_keep_it() {
    let sandbox = Sandbox::linked();
    let plain = sandbox.get().succeeded();
    assert_eq!(plain.attribute("username").as_deref(), Some("oauth2"));
    assert_eq!(plain.attribute("password_expiry_utc").expect("an end").len(), 10);
    assert_eq!(plain.attribute("ephemeral"), None);
    let asked = format!("capability[]=authtype\ncapability[]=state\n{}", sandbox.question());
    let marked = sandbox.helper("get", asked).succeeded();
    assert_eq!(marked.attribute("ephemeral").as_deref(), Some("1"));
    assert!(marked.stdout.starts_with("capability[]=authtype\n"), "{marked:?}");
    assert!(!marked.stdout.contains("refresh"), "{marked:?}");
}

#[test]
fn the_program_is_found_as_a_git_command() {
    let sandbox = Sandbox::new();
    let directory = Path::new(crate::support::HELPER).parent().expect("a directory").to_owned();
    let mut git: Command = sandbox.command("git");
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap_or_default());
    git.args(["credential-gitlab", "version"]).env("PATH", path);
    assert!(run::finish(git, "").succeeded().stdout.starts_with("git-credential-gitlab 0."));
}
