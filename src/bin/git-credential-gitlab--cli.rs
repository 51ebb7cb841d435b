//! The program with the people's verbs: `git credential-gitlab link`, `status` and the others.

use std::env;
use std::process::ExitCode;

use git_credential_gitlab::cli;

fn main() -> ExitCode {
    ExitCode::from(cli::run(env::args_os()))
}
