//! The browser of this machine: whether it was started, and what is said while nothing comes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::clock;
use crate::support::pty::Pty;
use crate::support::{CLI, HELPER, Sandbox, Started};

/// A link whose end the test brings about.
fn begin(sandbox: &Sandbox) -> (Started, String) {
    let (url, id) = (sandbox.gitlab.url(), sandbox.client_id.as_str());
    sandbox.begin_link([url, "--client-id", id, "--yes", "--web"])
}

/// What is said from there to the end of the link.
fn end(sandbox: &Sandbox, (mut started, address): (Started, String)) -> String {
    started.wait_for_line(|line| line.contains("Waiting for your consent"));
    sandbox.browser("alice").visit(&address).expect("a visit");
    started.finish().succeeded().stderr
}

/// A program in front of all others.
fn program(sandbox: &mut Sandbox, names: &[&str], script: &str) {
    let programs = sandbox.path("programs");
    fs::create_dir_all(&programs).expect("a directory");
    for name in names {
        let program = programs.join(name);
        fs::write(&program, script).expect("written");
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("executable");
    }
    let path = std::env::var("PATH").expect("text");
    sandbox.set("PATH", format!("{}:{path}", programs.display()));
}

#[test]
fn a_browser_that_can_not_be_started_is_not_said_to_have_been() {
    let mut sandbox = Sandbox::new();
    let by_code = format!("link {} --client-id {} --device", sandbox.gitlab.url(), sandbox.client_id);
    for (browser, why) in [
        ("/nonexistent", "the command in BROWSER (/nonexistent) was not found"),
        ("/nonexistent:false", "the command in BROWSER (/nonexistent:false) ended with exit code 1"),
        ("/dev/null", "the command in BROWSER (/dev/null) is not a program"),
        ("exit 3; true", "the command in BROWSER (exit 3; true) ended with exit code 3"),
    ] {
        sandbox.set("BROWSER", browser);
        let said = end(&sandbox, begin(&sandbox));
        assert!(said.contains(&format!("No browser could be started: {why}. ")), "{said}");
        assert!(said.contains(&by_code) && !said.contains("was asked to open it"), "{said}");
    }
}

#[test]
fn a_desktop_that_has_no_browser_is_told_in_a_sentence_without_the_address() {
    let mut sandbox = Sandbox::new();
    sandbox.set("DISPLAY", ":77");
    let openers = ["xdg-open", "gio", "gnome-open", "kde-open", "kde-open5", "kde-open6"];
    program(&mut sandbox, &openers, "#!/bin/sh\nexit 3\n");
    let said = end(&sandbox, begin(&sandbox));
    let line = said.lines().find(|line| line.contains("No browser could be started: this desktop's program"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(!line.contains("/oauth/authorize") && !line.contains("unix_wait_status"), "{said}");
}

#[test]
fn a_browser_that_stays_counts_as_started() {
    let mut sandbox = Sandbox::new();
    let closed = sandbox.path("closed");
    // The file goes with its directory, perhaps before this looks.
    let stays = "#!/bin/sh\nwhile [ -d \"${CLOSED%/*}\" ] && [ ! -e \"$CLOSED\" ]; do sleep 0.05; done\n";
    program(&mut sandbox, &["browser"], stays);
    sandbox.set("CLOSED", &closed);
    sandbox.set("BROWSER", "browser");
    let begun = begin(&sandbox);
    let said = end(&sandbox, begun);
    fs::write(closed, "").expect("written");
    assert!(said.contains("A browser was asked to open it."), "{said}");
}

#[test]
fn in_a_terminal_who_has_no_browser_here_is_told_what_to_do_with_one_elsewhere() {
    let mut sandbox = Sandbox::new();
    sandbox.set("BROWSER", "/nonexistent");
    let line = format!("{HELPER} link {} --client-id {} --yes", sandbox.gitlab.url(), sandbox.client_id);
    let mut pty = Pty::run(&sandbox, &line);
    let address = pty.wait_for_line("/oauth/authorize?");
    pty.wait_for("was not found. Open it yourself.");
    pty.wait_for("To use another device, type d.");
    let landed = sandbox.browser("alice").elsewhere().visit(&address).expect("a visit").url;
    pty.type_line(&landed);
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
}

#[test]
fn who_waits_long_is_told_once_what_to_look_for() {
    let sandbox = Sandbox::new();
    sandbox.verb(["daemon", "start"]).succeeded();
    let (url, id) = (sandbox.gitlab.url(), sandbox.client_id.as_str());
    // A minute lasts a second. Not through the helper: libfaketime tidies up after who does not exec.
    let mut link = sandbox.command(CLI);
    link.args(["link", url, "--client-id", id, "--web", "--yes"]);
    link.env("LD_PRELOAD", clock::library(&sandbox)).env("FAKETIME", "+0 x60");
    let mut started = Started::new(link);
    let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
    let hint = started.wait_for_line(|line| line.starts_with("No browser has come back yet."));
    for part in [&format!("its id ({id})"), "redirect URI (http://127.0.0.1)", "scopes (read_api write_repository)"] {
        assert!(hint.contains(part), "{part} in {hint}");
    }
    assert!(hint.contains(&format!("git credential-gitlab link {url} --client-id {id} --device")), "{hint}");
    sandbox.browser("alice").visit(address.trim()).expect("a visit");
    let finished = started.finish().succeeded();
    assert_eq!(finished.stderr.matches("No browser has come back").count(), 1, "{finished:?}");
}
