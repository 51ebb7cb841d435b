//! What the command above us, or an IDE, puts into git's config for its own commands.

use super::View;
use crate::cli::doctor::finding::Finding;
use crate::cli::git_config::Line;

/// Where `git -c` says that a line stands, also that of the environment of the commands below.
pub(super) const COMMAND_LINE: &str = "command line:";

/// Whether a line of the command above us is about helpers.
fn is_helper(line: &Line) -> bool {
    let key = line.key.strip_prefix("credential.");
    line.origin.starts_with(COMMAND_LINE) && key.is_some_and(|key| key == "helper" || key.ends_with(".helper"))
}

/// `command-config`: what `git -c` above us, or an IDE, put into the environment.
pub(in crate::cli::doctor) fn command_config(view: &View) -> Finding {
    let variables = ["GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"];
    let Some(name) = variables.into_iter().find(|name| view.variable(name).is_some()) else {
        return Finding::ok("no setting comes from the environment");
    };
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    match settings.lines.iter().find(|line| is_helper(line)) {
        Some(line) => {
            let text =
                format!("{name} in the environment changes {}, as JetBrains IDEs and GitHub Desktop do", line.key);
            Finding::warn(text).fix(format!("unset {name}"))
        }
        None => Finding::ok(format!("{name} is set, and changes no helper")),
    }
}

/// `ide`: programs that run git with other helpers than yours.
pub(in crate::cli::doctor) fn ide(view: &View) -> Finding {
    let jetbrains = view.variable("TERMINAL_EMULATOR") == Some("JetBrains-JediTerm")
        || view.variable("__INTELLIJ_COMMAND_HISTFILE__").is_some();
    // However git writes it into the environment, which has changed with 2.31.
    let given = |value: &str| {
        let lines = view.settings.iter().flat_map(|settings| &settings.lines);
        lines.filter(|line| is_helper(line)).any(|line| line.value == value)
    };
    match () {
        () if given("desktop") => Finding::warn(
            "GitHub Desktop puts its own helper in place of yours and has no setting for it: use git in a terminal",
        ),
        () if jetbrains && given("") => Finding::warn(
            "the IDE empties the list of helpers: in Settings, Version Control, Git tick \"Use credential helper\"",
        ),
        // Its terminal leaves the list alone, and nothing here tells what its menus do.
        () if jetbrains => Finding::ok(
            "git asks us in this terminal; if the IDE itself asks for passwords, tick \"Use credential helper\" in \
             Settings, Version Control, Git",
        ),
        () if view.variable("VSCODE_GIT_IPC_HANDLE").is_some() => {
            Finding::ok("Visual Studio Code leaves the list of helpers alone")
        }
        () => Finding::ok("no program that is known to replace helpers runs this"),
    }
}
