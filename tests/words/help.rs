//! `--help` of every verb, and what is said to a mistyped one.

use super::transcript::Transcript;
use crate::support::Sandbox;

/// The verbs that `--help` names, and those of `daemon`.
fn verbs(help: &str) -> Vec<String> {
    let commands = help.split_once("Commands:\n").expect("a list").1;
    let listed = commands.lines().take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

#[test]
fn what_help_says() {
    let sandbox = Sandbox::new();
    let mut page = Transcript::new(&sandbox);
    let all = page.verb(&["help"]).stdout;
    for verb in verbs(&all) {
        let text = page.verb(&[&verb, "--help"]).stdout;
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{verb}: a line is too long: {text}");
        if text.contains("\nCommands:\n") {
            for below in verbs(&text) {
                page.verb(&[&verb, &below, "--help"]);
            }
        }
    }
    page.ends("help");
}

#[test]
fn what_is_said_to_mistakes() {
    let sandbox = Sandbox::new();
    let mut page = Transcript::new(&sandbox);
    for words in [
        &["lnik"][..],
        &["link", "--clientid", "x"],
        &["link", "a", "b"],
        &["repos", "--min-access", "king"],
        &["token", "--min-life", "soon"],
        &["log", "--since", "ever"],
        &["status", "--quiet", "--verbose"],
        &["use"],
        &["import", "--jobs", "0", "group/app"],
        &["daemon"],
        &["daemon", "run", "--force"],
        &["completion", "tcsh"],
    ] {
        page.verb(words).ended_with(2);
    }
    page.ends("mistakes");
}
