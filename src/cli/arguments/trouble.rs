//! The verbs that say what happened, and what is wrong.

use std::path::PathBuf;

use clap::Args;

use crate::cli::time::Ago;

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  git credential-gitlab doctor                    this machine, git, and the repository you are in
  git credential-gitlab doctor https://gitlab.example.com/group/app.git
  git credential-gitlab doctor gitlab.example.com
  git credential-gitlab doctor --verbose          what is well, too
  git credential-gitlab doctor --fix              mend what is ours, then look again
  git credential-gitlab doctor --bundle report.txt    for a bug report, without secrets

Exit codes: 0 nothing fails, 3 not linked, 4 you must act, 5 the server could not be reached, \
6 the server refused, 1 anything else.";

pub(super) const LOG: &str = "\
Show which program got a token for what, and when; the newest last.

The daemon notes every token that it hands to git, and every time it does not: the program that ran \
git, git's command, the account, and the project if git tells it (credential.useHttpPath). Of \
commands only words without secrets are noted, and dots for the rest. git config can turn it off: \
credential.gitlabJournal=false.";

pub(super) const LOG_EXAMPLES: &str = "\
Examples:
  git credential-gitlab log --since 2h
  git credential-gitlab log --since 7d --json | jq -r .program | sort | uniq -c";

#[derive(Debug, Args)]
pub(in crate::cli) struct Log {
    /// Only what is not older than this: 30min, 2h, 1d, 7d
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) since: Option<Ago>,
    /// For programs: one JSON object a line
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Doctor {
    /// A repository, a remote's name or a GitLab [default: the remotes of the repository here, else all that is linked]
    pub(in crate::cli) remote: Option<String>,
    /// Mend what is ours: our entry in git's config, our daemon, our directories
    #[arg(long)]
    pub(in crate::cli) fix: bool,
    /// For programs: a list of checks as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Write everything that a bug report needs, and no secret, to a new file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) bundle: Option<PathBuf>,
}
