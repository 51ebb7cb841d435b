//! A terminal of 40 columns, without colours and without UTF-8: all of our words can be read there,
//! and what is to be copied is one line.

use gitlab_stand_in::Application;

use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox};

const COLUMNS: usize = 40;

/// A verb in such a terminal.
fn narrow(sandbox: &Sandbox, words: &str) -> Pty {
    let line = format!("stty rows 24 cols {COLUMNS}; NO_COLOR=1 LC_ALL=C {HELPER} {words}");
    Pty::run(sandbox, &line)
}

/// Ends well, and shows nothing that such a terminal would break or could not show.
#[track_caller]
fn ends_readable(pty: Pty, typed: &[&str]) -> String {
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.is_ascii() && !screen.contains('\u{1b}'), "{screen:?}");
    for line in screen.lines().filter(|line| line.chars().count() > COLUMNS) {
        let is_one_word = !line.trim().contains(' ');
        let is_command = ["git credential-gitlab ", "git config --", "sudo "].iter().any(|word| line.starts_with(word));
        let was_typed = typed.iter().any(|typed| line.ends_with(typed));
        assert!(is_one_word || is_command || was_typed, "{line:?} is broken by the terminal: {screen}");
    }
    screen
}

#[test]
fn a_link_by_code_or_address_can_be_read_and_no_picture_is_drawn() {
    let sandbox = Sandbox::new();
    let mut pty = narrow(&sandbox, &format!("link {} --client-id {}", sandbox.gitlab.url(), sandbox.client_id));
    pty.wait_for("/oauth/device");
    let address = pty.wait_for_line("/oauth/authorize?");
    pty.wait_for("Waiting for your consent until");
    let landed = sandbox.browser("alice").elsewhere().visit(&address).expect("a visit").url;
    pty.type_line("hello");
    pty.wait_for("paste the whole");
    pty.type_line(&landed);
    pty.wait_for("[Y/n]");
    pty.type_line("y");
    let screen = ends_readable(pty, &["hello", &landed]);
    assert!(screen.contains("as alice") && !screen.contains("The picture"), "{screen}");
}

#[test]
fn a_link_in_a_browser_can_be_read() {
    let mut sandbox = Sandbox::new();
    sandbox.gitlab.configure(|modes| modes.device_grant = false);
    sandbox.set("BROWSER", "/nonexistent");
    let words = format!("link {} --client-id {} --spare --yes", sandbox.gitlab.url(), sandbox.client_id);
    let mut pty = narrow(&sandbox, &words);
    let address = pty.wait_for_line("/oauth/authorize?");
    pty.wait_for("Waiting for your consent until");
    pty.type_line("d");
    pty.wait_for("waited for.");
    sandbox.browser("alice").visit(&address).expect("a visit");
    let screen = ends_readable(pty, &[]);
    assert!(screen.contains("as alice"), "{screen}");
}

#[test]
fn the_registration_of_an_application_can_be_read() {
    let sandbox = Sandbox::new();
    let application = sandbox.gitlab.add_application(Application::default()).client_id;
    let mut pty = narrow(&sandbox, &format!("link {} --yes", sandbox.gitlab.url()));
    pty.wait_for("Application ID:");
    pty.type_line("wrong");
    pty.wait_for("Enter):");
    pty.type_line("");
    pty.wait_for("Application ID:");
    pty.type_line(&application);
    pty.wait_for("Enter):");
    pty.type_line("");
    let address = pty.wait_for_line("/oauth/authorize?");
    sandbox.browser("alice").visit(&address).expect("a visit");
    let screen = ends_readable(pty, &[&application]);
    let for_colleagues = format!("\ngit credential-gitlab link {} --client-id {application}\r\n", sandbox.gitlab.url());
    assert!(screen.contains(&for_colleagues), "{screen}");
}

#[test]
fn a_picture_that_does_not_fit_is_left_out() {
    let mut sandbox = Sandbox::new();
    sandbox.set("LC_ALL", "C.UTF-8");
    let link = format!("{HELPER} link {} --client-id {} --device", sandbox.gitlab.url(), sandbox.client_id);
    for (columns, shows) in [(30, false), (80, true)] {
        let mut pty = Pty::run(&sandbox, &format!("stty rows 24 cols {columns}; {link}"));
        pty.wait_for("Waiting for your consent until");
        assert_eq!(pty.screen.contains('█'), shows, "{}", pty.screen);
    }
}
