//! The program git runs: its four verbs, and the door to everything else.
//!
//! `git credential-gitlab VERB` comes here too. A verb that is not git's is handed, with all its
//! arguments, to git-credential-gitlab--cli.

use std::env;
use std::io::{self, Write};
use std::process::{Command, ExitCode};

use git_credential_gitlab::client::{become_program, sibling};
use git_credential_gitlab::helper::{self, Verb};

/// The program with the people's verbs.
const CLI: &str = "git-credential-gitlab--cli";

fn main() -> ExitCode {
    let word = env::args_os().nth(1);
    match word.as_ref().and_then(|word| word.to_str()).and_then(Verb::from_word) {
        Some(verb) => ExitCode::from(helper::run(verb, io::stdin(), io::stdout(), io::stderr())),
        None => people(),
    }
}

/// Hands over to the cli, which knows the people's verbs and what to do with unknown ones.
fn people() -> ExitCode {
    let Some(program) = sibling(CLI) else {
        if helper::asked_by_a_program() {
            return ExitCode::SUCCESS;
        }
        let _ = helper::no_people_verbs(&mut io::stderr()); // nobody may be left to read it
        return ExitCode::from(2);
    };
    let mut command = Command::new(&program);
    command.args(env::args_os().skip(1));
    let why = become_program(&mut command);
    let _ = writeln!(io::stderr(), "git-credential-gitlab: {}: {why}", program.display());
    ExitCode::FAILURE
}
