//! Linking from any seat: with a code on another device, with a pasted address, in a terminal.

use std::io::Write;
use std::process::Stdio;

use gitlab_stand_in::{Endpoint, Fault, StandIn, What, When};

use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox, Started, eventually, run};

/// Begins to link with these flags, and with a pipe to type into.
fn begin(sandbox: &Sandbox, flags: &[&str]) -> Started {
    let mut command = sandbox.command(HELPER);
    command.args(["link", sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes"]).args(flags);
    command.stdin(Stdio::piped());
    Started::new(command)
}

/// The page and the code that the person is shown.
fn code(started: &mut Started) -> (String, String) {
    let page = started.wait_for_line(|line| line.trim_end().ends_with("/oauth/device")).trim().to_owned();
    let is_code = |line: &str| line.starts_with("  ") && line.trim().len() == 8 && !line.contains('/');
    (page, started.wait_for_line(is_code).trim().to_owned())
}

/// Types the code on the page.
fn enter(sandbox: &Sandbox, username: &str, page: &str, code: &str) {
    let visit = sandbox.browser(username).code(code).visit(page).expect("a visit");
    assert!(visit.ok, "{visit:?}");
}

#[test]
fn a_code_typed_on_another_device_links() {
    for gitlab in [StandIn::builder().start(), StandIn::builder().base_path("/gitlab").start()] {
        let sandbox = Sandbox::with(gitlab);
        let mut started = begin(&sandbox, &["--device"]);
        let (page, code) = code(&mut started);
        // Below a path the server itself names a page that does not exist.
        assert_eq!(page, format!("{}/oauth/device", sandbox.gitlab.url()));
        enter(&sandbox, "alice", &page, &code);
        let finished = started.finish().succeeded();
        assert_eq!(finished.stdout, format!("linked {} as alice\n", sandbox.gitlab.url()));
        assert!(sandbox.lives(&sandbox.token()));
        assert_eq!(sandbox.gitlab.live_pairs("alice"), 1);
        let slow_down = sandbox.gitlab.requests().iter().filter(|it| it.status == Some(400)).count();
        assert!(slow_down <= 2, "it asks no oftener than it may");
    }
}

#[test]
fn without_a_browser_both_ways_are_open_and_the_first_counts() {
    let sandbox = Sandbox::new();
    let mut started = begin(&sandbox, &[]);
    let (page, code) = code(&mut started);
    let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
    enter(&sandbox, "alice", &page, &code);
    started.finish().succeeded();
    assert!(sandbox.browser("alice").visit(address.trim()).is_err(), "nobody waits there any more");
    // And the other way round.
    let mut started = begin(&sandbox, &[]);
    let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
    sandbox.browser("alice").visit(address.trim()).expect("a visit");
    started.finish().succeeded();
    eventually("one login is left", || sandbox.gitlab.live_pairs("alice") == 1);
}

#[test]
fn a_desktop_with_a_browser_is_shown_no_code() {
    let mut sandbox = Sandbox::new();
    sandbox.set("BROWSER", "true");
    let mut started = begin(&sandbox, &[]);
    let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
    sandbox.browser("alice").visit(address.trim()).expect("a visit");
    let finished = started.finish().succeeded();
    assert!(!finished.stderr.contains("/oauth/device"), "{finished:?}");
    assert_eq!(sandbox.gitlab.count(Endpoint::AuthorizeDevice), 0);
}

#[test]
fn the_flow_of_git_config_is_taken_and_a_wrong_one_named() {
    let sandbox = Sandbox::new();
    let key = format!("credential.{}.gitlabFlow", sandbox.gitlab.url());
    sandbox.git(["config", "--global", &key, "device"]).succeeded();
    let mut started = begin(&sandbox, &[]);
    let (page, code) = code(&mut started);
    enter(&sandbox, "alice", &page, &code);
    let finished = started.finish().succeeded();
    assert!(!finished.stderr.contains("/oauth/authorize?"), "{finished:?}");
    sandbox.git(["config", "--global", &key, "telepathy"]).succeeded();
    let refused = sandbox.verb(["link", sandbox.gitlab.url()]).ended_with(2);
    assert!(refused.stderr.contains("telepathy"), "{refused:?}");
}

#[test]
fn a_server_without_a_device_flow_is_linked_by_a_pasted_address() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.configure(|modes| modes.device_grant = false);
    let refused = begin(&sandbox, &["--device"]).finish().ended_with(6);
    assert!(refused.stderr.contains("no device flow") && refused.stderr.contains("--paste"), "{refused:?}");
    let mut started = begin(&sandbox, &["--paste"]);
    let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
    let mut typed = started.child.stdin.take().expect("a pipe");
    let landed = sandbox.browser("alice").elsewhere().visit(address.trim()).expect("a visit").url;
    // What a person pastes by mistake is told apart, and the wait goes on.
    for (mistake, told) in [
        (address.trim().to_owned(), "this is the address to open"),
        ("hello".to_owned(), "no code in it"),
        (landed.replace("state=", "state=x"), "used already, or belongs to an older attempt"),
        (landed.split('&').next().unwrap_or_default().to_owned(), "missing"),
    ] {
        writeln!(typed, "{mistake}").expect("typed");
        started.wait_for_line(|line| line.contains(told));
    }
    writeln!(typed, "{landed}").expect("typed");
    started.finish().succeeded();
    assert!(sandbox.lives(&sandbox.token()));
}

#[test]
fn scopes_that_the_application_lacks_are_named_before_anybody_types_a_code() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.set_scopes(&sandbox.client_id, "read_api");
    let refused = begin(&sandbox, &["--device"]).finish().ended_with(6);
    assert!(refused.stderr.contains("scopes: read_api write_repository"), "{refused:?}");
}

#[test]
fn a_terminal_that_can_shows_a_picture_for_a_phone() {
    for (locale, shows) in [("C.UTF-8", true), ("C", false)] {
        let mut sandbox = Sandbox::new();
        sandbox.set("LC_ALL", locale);
        let line = format!("{HELPER} link {} --client-id {} --device", sandbox.gitlab.url(), sandbox.client_id);
        let mut pty = Pty::run(&sandbox, &line);
        pty.wait_for("Waiting for your consent until");
        assert_eq!(pty.screen.contains('█'), shows, "{}", pty.screen);
        assert!(pty.screen.lines().filter(|line| line.contains('█')).all(|line| line.chars().count() < 80));
    }
}

#[test]
fn a_spare_login_comes_by_either_way() {
    let sandbox = Sandbox::new();
    let mut started = begin(&sandbox, &["--device", "--spare"]);
    for _ in 0..2 {
        let (page, code) = code(&mut started);
        enter(&sandbox, "alice", &page, &code);
    }
    started.finish().succeeded();
    assert_eq!(sandbox.account()["spare"], "ready");
    let mut started = begin(&sandbox, &["--paste", "--spare"]);
    let mut typed = started.child.stdin.take().expect("a pipe");
    for _ in 0..2 {
        let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
        let landed = sandbox.browser("alice").elsewhere().visit(address.trim()).expect("a visit").url;
        writeln!(typed, "{landed}").expect("typed");
    }
    started.finish().succeeded();
    assert_eq!(sandbox.account()["spare"], "ready");
    eventually("the old ones are revoked", || sandbox.gitlab.live_pairs("alice") == 2);
}

#[test]
fn a_code_that_nobody_types_ends_the_wait_with_a_clear_word() {
    let sandbox = Sandbox::new();
    let told = begin(&sandbox, &["--device", "--timeout", "1"]).finish().ended_with(4);
    assert!(told.stderr.contains("was not linked") && told.stderr.contains("typed in time"), "{told:?}");
    // The server's own end comes first.
    let mut started = begin(&sandbox, &["--device"]);
    code(&mut started);
    sandbox.gitlab.advance_clock(std::time::Duration::from_secs(301));
    let told = started.finish().ended_with(4);
    assert!(told.stderr.contains("typed in time"), "{told:?}");
    assert_eq!(sandbox.state_files("").len(), 0);
}

#[test]
fn whoever_wants_to_wait_longer_than_a_code_lives_gets_another_one() {
    // Alone, and beside an address.
    for flags in [&["--device", "--timeout", "900"][..], &["--timeout", "900"]] {
        let sandbox = Sandbox::new();
        let mut started = begin(&sandbox, flags);
        let (_, first) = code(&mut started);
        sandbox.gitlab.advance_clock(std::time::Duration::from_secs(301));
        started.wait_for_line(|line| line.contains("That code has expired"));
        let (page, second) = code(&mut started);
        assert_ne!(first, second);
        enter(&sandbox, "alice", &page, &second);
        started.finish().succeeded();
        assert!(sandbox.lives(&sandbox.token()));
    }
}

#[test]
fn a_server_that_does_anything_but_give_a_code_is_linked_by_an_address() {
    let status =
        |code| What::Status { code, headers: vec![("Location".into(), "/users/sign_in".into())], body: "".into() };
    for what in [status(302), status(404), status(500), What::Html, What::BrokenJson, What::Empty, What::Reset] {
        let sandbox = Sandbox::new();
        sandbox.gitlab.fault(Fault { on: Endpoint::AuthorizeDevice, when: When::Before, what, times: None });
        let mut started = begin(&sandbox, &[]);
        let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
        sandbox.browser("alice").visit(address.trim()).expect("a visit");
        started.finish().succeeded();
    }
}

#[test]
fn a_redirect_address_that_is_not_this_machines_leaves_the_code() {
    let sandbox = Sandbox::new();
    let key = format!("credential.{}.oauthRedirectURL", sandbox.gitlab.url());
    sandbox.git(["config", "--global", &key, "https://elsewhere.example/callback"]).succeeded();
    let mut started = begin(&sandbox, &[]);
    let (page, code) = code(&mut started);
    enter(&sandbox, "alice", &page, &code);
    let finished = started.finish().succeeded();
    assert!(!finished.stderr.contains("/oauth/authorize?"), "{finished:?}");
}

#[test]
fn giving_up_while_a_code_is_awaited_leaves_nothing() {
    let sandbox = Sandbox::new();
    let mut started = begin(&sandbox, &["--device"]);
    let (page, code) = code(&mut started);
    run::signal(i32::try_from(started.child.id()).expect("a process id"), "INT");
    started.finish();
    enter(&sandbox, "alice", &page, &code);
    // Whoever ends the daemon waits for what it has begun.
    sandbox.verb(["daemon", "stop"]).succeeded();
    assert_eq!(sandbox.gitlab.live_pairs("alice"), 0);
    sandbox.verb(["status"]).ended_with(3);
}

#[test]
fn another_person_at_the_other_device_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.add_user("bob", "Bob");
    let mut started = begin(&sandbox, &["--account", "alice"]);
    let (page, code) = code(&mut started);
    enter(&sandbox, "bob", &page, &code);
    let told = started.finish().ended_with(4);
    assert!(told.stderr.contains("you signed in as bob, and alice was asked for"), "{told:?}");
    eventually("nothing is left", || sandbox.gitlab.live_pairs("bob") == 0);
}

#[test]
fn a_server_that_stumbles_while_a_code_is_awaited_does_not_end_the_wait() {
    let sandbox = Sandbox::new();
    let mut started = begin(&sandbox, &["--device"]);
    let (page, code) = code(&mut started);
    let busy = What::Status { code: 503, headers: Vec::new(), body: String::new() };
    sandbox.gitlab.fault(Fault::once(Endpoint::Token, busy));
    enter(&sandbox, "alice", &page, &code);
    started.finish().succeeded();
}

#[test]
fn in_a_terminal_one_can_change_ones_mind() {
    let mut sandbox = Sandbox::new();
    sandbox.set("BROWSER", "true");
    let line = format!("{HELPER} link {} --client-id {}", sandbox.gitlab.url(), sandbox.client_id);
    let mut pty = Pty::run(&sandbox, &line);
    pty.wait_for("To use another device, type d");
    pty.type_line("d");
    let page = pty.wait_for_line("/oauth/device");
    pty.wait_for("Waiting for your consent until");
    let code = pty
        .screen
        .lines()
        .map(str::trim)
        .rfind(|line| line.len() == 8 && line.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
    enter(&sandbox, "alice", &page, code.expect("a code"));
    // The question after that is answered by the same keyboard.
    pty.wait_for("[Y/n]");
    pty.type_line("n");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("as alice") && screen.contains("git does not use it"), "{screen}");
}

#[test]
fn who_wants_a_code_where_there_is_none_keeps_the_address_that_was_shown() {
    let mut sandbox = Sandbox::new();
    sandbox.gitlab.configure(|modes| modes.device_grant = false);
    sandbox.set("BROWSER", "true");
    let line = format!("{HELPER} link {} --client-id {} --yes", sandbox.gitlab.url(), sandbox.client_id);
    let mut pty = Pty::run(&sandbox, &line);
    let address = pty.wait_for_line("/oauth/authorize?");
    pty.wait_for("Waiting for your consent until");
    for _ in 0..2 {
        pty.type_line("d");
        pty.wait_for("There is no code: the server has no device flow");
        pty.wait_for("The address above is still good");
    }
    sandbox.browser("alice").visit(&address).expect("a visit");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("as alice"), "{screen}");
}

#[test]
fn who_has_nothing_to_paste_with_is_not_told_to() {
    let sandbox = Sandbox::new();
    let url = sandbox.gitlab.url();
    let by_code = format!("git credential-gitlab link {url} --client-id {} --device", sandbox.client_id);
    // Nothing comes from the beginning, or the end comes while a browser is awaited.
    for from_the_beginning in [true, false] {
        let mut started = match from_the_beginning {
            true => {
                let mut command = sandbox.command(HELPER);
                command.args(["link", url, "--client-id", &sandbox.client_id, "--yes", "--paste"]);
                Started::new(command)
            }
            false => begin(&sandbox, &["--paste"]),
        };
        let typed = started.child.stdin.take();
        let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
        drop(typed);
        started.wait_for_line(|line| line.contains("Nothing can be pasted here") && line.contains(&by_code));
        sandbox.browser("alice").visit(address.trim()).expect("a visit");
        let finished = started.finish().succeeded();
        assert_eq!(finished.stderr.contains("paste it here"), !from_the_beginning, "{finished:?}");
        assert_eq!(finished.stderr.matches("Nothing can be pasted").count(), 1, "{finished:?}");
    }
}

#[test]
fn a_terminal_without_a_browser_says_that_an_address_can_be_pasted_before_it_waits() {
    let sandbox = Sandbox::new();
    let line = format!("{HELPER} link {} --client-id {} --yes", sandbox.gitlab.url(), sandbox.client_id);
    let mut pty = Pty::run(&sandbox, &line);
    pty.wait_for("paste here the address that it ends on:");
    let address = pty.wait_for_line("/oauth/authorize?");
    pty.wait_for("Waiting for your consent until");
    let place = |part: &str| pty.screen.find(part).expect("it is there");
    assert!(place("/oauth/authorize?") < place("Waiting for your consent"), "{}", pty.screen);
    assert!(!pty.screen.contains("on this machine"), "{}", pty.screen);
    let landed = sandbox.browser("alice").elsewhere().visit(&address).expect("a visit").url;
    pty.type_line(&landed);
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(screen.matches("Waiting for your consent").count(), 1, "{screen}");
}

#[test]
fn where_nobody_can_paste_an_address_nobody_is_told_to() {
    let sandbox = Sandbox::new();
    for flags in [&[][..], &["--web"]] {
        let mut started = begin(&sandbox, flags);
        started.wait_for_line(|line| line.contains("pen this address in a browser on this machine"));
        let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
        sandbox.browser("alice").visit(address.trim()).expect("a visit");
        let finished = started.finish().succeeded();
        assert!(finished.stderr.contains("--paste") && !finished.stderr.contains("paste it here"), "{finished:?}");
    }
}

#[test]
fn without_a_browser_one_can_change_to_a_code_too() {
    let sandbox = Sandbox::new();
    for flag in ["--web", "--paste"] {
        let url = sandbox.gitlab.url();
        let line = format!("{HELPER} link {url} --client-id {} {flag} --yes", sandbox.client_id);
        let mut pty = Pty::run(&sandbox, &line);
        pty.wait_for("To enter a code instead, type d");
        pty.wait_for("Waiting for your consent until");
        pty.type_line("d");
        pty.wait_for_line("/oauth/device");
    }
}

#[test]
fn in_a_terminal_the_address_of_a_browser_elsewhere_can_be_pasted() {
    let mut sandbox = Sandbox::new();
    sandbox.set("BROWSER", "true");
    let line = format!("{HELPER} link {} --client-id {} --yes", sandbox.gitlab.url(), sandbox.client_id);
    let mut pty = Pty::run(&sandbox, &line);
    let address = pty.wait_for_line("/oauth/authorize?");
    pty.wait_for("Waiting for your consent until");
    let landed = sandbox.browser("alice").elsewhere().visit(&address).expect("a visit").url;
    pty.type_line(&landed);
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("as alice"), "{screen}");
}

#[test]
fn a_daemon_that_is_told_to_end_does_not_wait_for_somebody_to_type_a_code() {
    let sandbox = Sandbox::new();
    let mut started = begin(&sandbox, &["--device"]);
    code(&mut started);
    let stopped = sandbox.verb(["daemon", "stop"]).succeeded();
    assert!(stopped.took < std::time::Duration::from_secs(10), "{stopped:?}");
    started.finish();
}
