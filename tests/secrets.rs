//! No token, code or secret is ever printed, logged, passed in an argument, or left in the open.

use std::fs;

use gitlab_stand_in::{Application, Endpoint, Fault, What};

use crate::support::{DAEMON, HELPER, Sandbox, run};

/// What every process of this machine can see of ours: arguments; and what we can: environments.
fn visible(sandbox: &Sandbox) -> String {
    let pid = sandbox.daemon_pid();
    run::can_look_into(pid); // says so where only the arguments can be seen
    let read =
        |name: &str| String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default()).into_owned();
    format!("{}{}", read("cmdline"), read("environ"))
}

#[test]
fn nothing_secret_is_in_any_log_argument_environment_or_message() {
    let mut sandbox = Sandbox::new();
    for (name, value) in
        [("GIT_CREDENTIAL_GITLAB_LOG", "trace"), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full"), ("GIT_TRACE", "1")]
    {
        sandbox.set(name, value);
    }
    let confidential = sandbox.gitlab.add_application(Application { confidential: true, ..Application::default() });
    let secret = confidential.client_secret.clone().expect("it has one");
    let url = sandbox.gitlab.url().to_owned();
    sandbox.git(["config", "--global", &format!("credential.{url}.oauthClientSecret"), &secret]).succeeded();
    let said = std::cell::RefCell::new(String::new());
    let hear = |finished: run::Finished| *said.borrow_mut() += &(finished.stdout + &finished.stderr);
    hear(
        sandbox
            .link_as("alice", [url.as_str(), "--client-id", &confidential.client_id, "--yes", "-v", "--web"])
            .succeeded(),
    );
    hear(sandbox.verb(["status", "--json", "-v"]));
    hear(sandbox.verb(["repos", "-v"]).succeeded());
    let clone = sandbox.git(["clone", &sandbox.project("group/app"), "app"]).succeeded();
    hear(clone);
    for what in [What::Html, What::BrokenJson, What::TransientInvalidGrant, What::Truncate, What::Reset] {
        let token = sandbox.token();
        sandbox.gitlab.expire_access_tokens("alice");
        sandbox.erase(&token);
        sandbox.gitlab.fault(Fault::once(Endpoint::Token, what));
        let asked = sandbox.get();
        hear(run::Finished { stdout: String::new(), ..asked }); // where the token belongs
        run::kill(sandbox.daemon_pid());
        if sandbox.get().attribute("password").is_none() {
            break; // the truncated answer cost the link, as it does at GitLab
        }
    }
    let visible = visible(&sandbox);
    hear(sandbox.verb(["status"]));
    hear(sandbox.verb(["unlink", "--local"]));
    let open: String = fs::read_dir(sandbox.state().join("accounts"))
        .expect("a directory")
        .map(|entry| fs::read_to_string(entry.expect("readable").path()).expect("text"))
        .collect();
    let (log, said) = (sandbox.log(), said.into_inner());
    assert!(log.contains("renewed") && !said.is_empty() && !visible.is_empty());
    for secret in sandbox.gitlab.secrets() {
        for (place, text) in [("messages", &said), ("the log", &log), ("/proc", &visible), ("a profile", &open)] {
            assert!(!text.contains(&secret), "a secret is in {place}");
        }
    }
}

#[test]
fn no_verb_of_the_helper_prints_the_refresh_token() {
    let sandbox = Sandbox::linked();
    let refresh = sandbox.refresh_token();
    for verb in ["get", "status", "capability"] {
        let said = sandbox.helper(verb, sandbox.question());
        assert!(!said.stdout.contains(&refresh) && !said.stderr.contains(&refresh), "{verb}");
    }
}

#[test]
fn a_daemon_can_not_be_dumped() {
    let sandbox = Sandbox::linked();
    let limits = fs::read_to_string(format!("/proc/{}/limits", sandbox.daemon_pid())).expect("readable");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn usage_errors_of_the_daemon_do_not_start_one() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.command(DAEMON);
    daemon.arg("--nonsense");
    run::finish(daemon, "").ended_with(2);
    let mut unknown = sandbox.command(HELPER);
    unknown.arg("frobnicate");
    run::finish(unknown, "").ended_with(2);
}
