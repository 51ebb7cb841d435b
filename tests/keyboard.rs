//! A person at the keyboard, or a pipe in their place: what is hidden, what is read, and what Ctrl-C
//! and Ctrl-D mean.

use std::io::Write;
use std::process::{ChildStdin, Stdio};

use gitlab_stand_in::{Application, Endpoint, Fault, What, When};

use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox, Started, run};

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

/// An application with a secret.
fn confidential(sandbox: &Sandbox) -> (String, String) {
    let application = sandbox.gitlab.add_application(Application { confidential: true, ..Application::default() });
    (application.client_id, application.client_secret.expect("it has one"))
}

/// Begins to link with these flags; what is typed goes through a pipe that stays open.
fn begin(sandbox: &Sandbox, flags: &[&str]) -> (Started, ChildStdin) {
    let mut command = sandbox.command(HELPER);
    command.args(["link", sandbox.gitlab.url(), "--yes"]).args(flags).stdin(Stdio::piped());
    let mut started = Started::new(command);
    let typed = started.child.stdin.take().expect("a pipe");
    (started, typed)
}

#[test]
fn whatever_ends_a_question_for_a_secret_the_terminal_shows_what_is_typed_again() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url(), &sandbox.client_id);
    let token = format!("link {url} --token-stdin");
    let secret = format!("link {url} --client-id {id} --client-secret-stdin");
    let passphrase = "vault encrypt --with passphrase".to_owned();
    for (verb, signal) in [
        (&token, None),
        (&secret, None),
        #[cfg(target_os = "linux")]
        (&passphrase, None),
        (&token, Some("INT")),
        (&token, Some("TERM")),
        (&token, Some("HUP")),
    ] {
        let line = format!("sh -c 'echo pid $$ .; exec {HELPER} {verb}'; echo \"ended: $?.\"; stty -a");
        let mut pty = Pty::run(&sandbox, &line);
        let pid = pty.wait_for_line("pid ").split(' ').nth(1).and_then(|pid| pid.parse().ok()).expect("a number");
        pty.wait_for("(it is not shown):");
        pty.wait_for_no_echo();
        match signal {
            None => pty.press(CTRL_C),
            Some(name) => run::signal(pid, name),
        }
        pty.wait_for("ended: 130.");
        let (_, screen) = pty.finish();
        for setting in [" echo ", " icanon ", "isig "] {
            assert!(screen.contains(setting), "{verb} after {signal:?}, {setting:?}: {screen}");
        }
    }
    assert_eq!(sandbox.verb(["status"]).code, Some(3), "nothing came of it");
}

#[test]
fn the_secret_of_an_application_is_asked_for_in_a_terminal_and_not_shown() {
    let sandbox = Sandbox::new();
    let (id, secret) = confidential(&sandbox);
    let url = sandbox.gitlab.url();
    let line = format!("{HELPER} link {url} --client-id {id} --client-secret-stdin --yes");
    let mut pty = Pty::run(&sandbox, &line);
    pty.wait_for("The secret of the application (it is not shown):");
    pty.wait_for_no_echo();
    pty.type_line(&secret);
    let address = pty.wait_for_line("/oauth/authorize?");
    sandbox.browser("alice").visit(&address).expect("a visit");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("as alice") && !screen.contains(&secret), "{screen}");
}

#[test]
fn a_secret_is_one_line_and_nobody_waits_for_the_end_of_what_brings_it() {
    let sandbox = Sandbox::new();
    let token = sandbox.gitlab.add_pat("alice", "read_api write_repository", None).token;
    let (started, mut typed) = begin(&sandbox, &["--token-stdin"]);
    writeln!(typed, "{token}").expect("typed");
    started.finish().succeeded();
    drop(typed);
    assert_eq!(sandbox.token(), token);
}

#[test]
fn behind_the_secret_an_address_can_be_pasted() {
    let sandbox = Sandbox::new();
    let (id, secret) = confidential(&sandbox);
    let (mut started, mut typed) = begin(&sandbox, &["--client-id", &id, "--client-secret-stdin", "--paste"]);
    // Both at once: what is behind the first line is not lost.
    write!(typed, "{secret}\nhello\n").expect("typed");
    let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
    started.wait_for_line(|line| line.contains("there is no code in it"));
    let landed = sandbox.browser("alice").elsewhere().visit(address.trim()).expect("a visit").url;
    writeln!(typed, "{landed}").expect("typed");
    started.finish().succeeded();
    assert!(sandbox.lives(&sandbox.token()));
}

#[test]
fn no_secret_is_not_taken_for_one() {
    let sandbox = Sandbox::new();
    let (id, _) = confidential(&sandbox);
    let (started, typed) = begin(&sandbox, &["--client-id", &id, "--client-secret-stdin"]);
    drop(typed);
    let refused = started.finish().ended_with(2);
    assert!(refused.stderr.contains("no secret of the application was given"), "{refused:?}");
}

#[test]
fn the_end_of_input_agrees_to_nothing() {
    let sandbox = Sandbox::new();
    let config = || std::fs::read_to_string(sandbox.home().join(".gitconfig")).expect("it exists");
    let (before, url) = (config(), sandbox.gitlab.url());
    let token = sandbox.gitlab.add_pat("alice", "read_api write_repository", None).token;
    // Whether the keyboard was read beside other things before, or not.
    let by_token = format!("link {url} --token-stdin");
    let by_browser = format!("link {url} --client-id {}", sandbox.client_id);
    for verb in [by_token, by_browser] {
        let mut pty = Pty::run(&sandbox, &format!("{HELPER} {verb}"));
        match verb.contains("--token-stdin") {
            true => {
                pty.wait_for("(it is not shown):");
                pty.wait_for_no_echo();
                pty.type_line(&token);
            }
            false => {
                let address = pty.wait_for_line("/oauth/authorize?");
                sandbox.browser("alice").visit(&address).expect("a visit");
            }
        }
        pty.wait_for("[Y/n]");
        pty.press(CTRL_D);
        let (code, screen) = pty.finish();
        assert_eq!(code, Some(0), "{screen}");
        assert!(screen.contains("git does not use it; to change that: "), "{screen}");
        assert_eq!(config(), before, "{verb}");
    }
}

#[test]
fn ctrl_c_ends_a_question_after_an_import() {
    let sandbox = Sandbox::linked();
    for key in ["user.name", "user.email"] {
        sandbox.git(["config", "--global", "--unset", key]).succeeded();
    }
    let line = format!("{HELPER} import --dir {} group/app", sandbox.path("src").display());
    let mut pty = Pty::run(&sandbox, &line);
    pty.wait_for("[Y/n]");
    pty.press(CTRL_C);
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(130), "{screen}");
    assert!(sandbox.path("src/group/app/.git").is_dir());
}

#[test]
fn who_waits_for_a_silent_server_reads_that_and_can_end_it() {
    for (endpoint, verb) in [
        (Endpoint::TokenInfo, "status --check"),
        (Endpoint::Api, "repos"),
        (Endpoint::Revoke, "unlink"),
        (Endpoint::TokenInfo, "link HOST"),
    ] {
        let sandbox = Sandbox::linked();
        sandbox.gitlab.fault(Fault { on: endpoint, when: When::Before, what: What::Silence, times: None });
        let verb = verb.replace("HOST", sandbox.gitlab.url());
        let mut pty = Pty::run(&sandbox, &format!("{HELPER} {verb}"));
        pty.wait_for("still waiting for the answer");
        pty.press(CTRL_C);
        let (code, screen) = pty.finish();
        assert_eq!(code, Some(130), "{verb}: {screen}");
        sandbox.kill_daemon(); // or its end would wait for the server's
    }
}
