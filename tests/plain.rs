//! What a terminal shows that has no colour, no UTF-8, or few columns.

use gitlab_stand_in::{Role, Visibility};

use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox};

/// A linked sandbox with a project whose path does not fit, and a journal.
fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::linked();
    let long = format!("group/{}/the-end", ["a-rather-long-name"; 6].join("/"));
    sandbox.gitlab.add_project_without_repository(&long, Visibility::Private);
    sandbox.gitlab.grant("alice", &long, Role::Guest);
    sandbox.clone("group/app", "app");
    sandbox.set("TERM", "xterm-256color");
    sandbox
}

/// What a verb shows on a terminal that is so wide.
fn shown(sandbox: &Sandbox, verb: &str, columns: usize) -> String {
    let (_, screen) = Pty::run(sandbox, &format!("stty cols {columns} rows 24; '{HELPER}' {verb}")).finish();
    screen
}

/// Whether a sequence that sets colours or bold letters is in it.
fn is_coloured(screen: &str) -> bool {
    screen.split("\u{1b}[").skip(1).any(|rest| rest.chars().find(char::is_ascii_alphabetic) == Some('m'))
}

#[test]
fn with_no_color_no_table_and_no_bar_is_coloured() {
    let mut sandbox = sandbox();
    assert!(is_coloured(&shown(&sandbox, "doctor -v", 80)), "elsewhere there is colour");
    sandbox.set("NO_COLOR", "1");
    let src = sandbox.path("src").display().to_string();
    for verb in ["status", "repos", "log", "doctor -v", &format!("import --dir {src} --group group")] {
        let screen = shown(&sandbox, verb, 80);
        assert!(!is_coloured(&screen) && !screen.is_empty(), "{verb}: {screen:?}");
    }
}

#[test]
fn without_utf8_everything_that_is_ours_is_ascii() {
    let mut sandbox = sandbox();
    for (locale, mark) in [("C", "..."), ("C.UTF-8", "…")] {
        sandbox.set("LC_ALL", locale);
        for verb in ["repos", "log"] {
            let screen = shown(&sandbox, verb, 72);
            assert!(screen.contains(mark), "{locale}: {screen}");
            assert_eq!(screen.is_ascii(), locale == "C", "{screen}");
        }
    }
}

#[test]
fn the_log_fits_the_terminal_and_json_is_whole() {
    let sandbox = sandbox();
    for columns in [40, 60, 80] {
        let screen = shown(&sandbox, "log", columns);
        // Where the table does not fit, the words of a line go on below it. Nothing is left out.
        let fits = |line: &str| line.trim_end().chars().count() <= columns || !line.trim().contains(' ');
        assert!(screen.lines().all(fits), "{columns}: {screen}");
        assert!(screen.contains(sandbox.gitlab.url().trim_start_matches("https://")), "{screen}");
    }
    let json = shown(&sandbox, "log --json", 40);
    let line: serde_json::Value =
        serde_json::from_str(json.lines().next().expect("a line")).expect("one object a line");
    assert_eq!(line["result"], "served", "{line}");
}
