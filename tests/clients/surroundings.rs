//! What IDEs and other programs put around git: variables, settings, a short PATH.

use super::fill;
use crate::support::clients::Desk;
use crate::support::run;

/// A program, the variables that it sets, and the words it puts before git's verb.
type Surroundings<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

/// Every desk has `GIT_ASKPASS` and `SSH_ASKPASS`, as IDEs set them.
const LEAVE_HELPERS_ALONE: &[Surroundings] = &[
    ("VS Code", &[("VSCODE_GIT_COMMAND", "fetch"), ("VSCODE_GIT_FETCH_SILENT", "true")], &[]),
    ("JetBrains, told to use helpers", &[("SSH_ASKPASS_REQUIRE", "force")], &["-c", "core.quotepath=false"]),
    ("npm", &[("GIT_ASKPASS", "echo")], &[]),
    ("go", &[("GIT_TERMINAL_PROMPT", "0"), ("GCM_INTERACTIVE", "never")], &[]),
    ("cron and launchd", &[("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")], &[]),
    ("a shell that prompts nobody", &[("GIT_ASKPASS", ""), ("SSH_ASKPASS", ""), ("TERM", "dumb")], &[]),
];

const EMPTY_THE_LIST: &[Surroundings] = &[
    ("JetBrains, as it comes", &[], &["-c", "credential.helper="]),
    ("GitHub Desktop", &[("GIT_CONFIG_PARAMETERS", "'credential.helper=' 'credential.helper=nobody'")], &[]),
];

fn fetch(desk: &Desk, (_, variables, words): &Surroundings) -> run::Finished {
    let mut git = desk.command("git", &desk.sandbox.path("app"));
    git.envs(variables.iter().copied()).args(*words).args(["fetch", "--quiet"]);
    run::finish(git, "")
}

#[test]
fn git_works_wherever_the_list_of_helpers_is_left_alone() {
    let desk = Desk::new();
    fill(&desk, &[("one.txt", "one\n")]);
    desk.sandbox.clone("group/app", "app");
    for (count, surroundings) in LEAVE_HELPERS_ALONE.iter().enumerate() {
        let finished = fetch(&desk, surroundings);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{}", surroundings.0);
        desk.was_asked(1 + count + 1);
    }
    desk.is_clean();
}

#[test]
fn nobody_is_asked_where_a_program_empties_the_list_of_helpers() {
    let desk = Desk::new();
    desk.sandbox.clone("group/app", "app");
    for surroundings in EMPTY_THE_LIST {
        assert_ne!(fetch(&desk, surroundings).code, Some(0), "{}", surroundings.0);
    }
    desk.was_asked(1);
    assert!(desk.prompted(), "the program asks the person instead");
}
