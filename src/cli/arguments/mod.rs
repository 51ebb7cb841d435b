//! The command line: verbs, flags, and the help that explains them.

mod account;
mod host;
mod project;
mod setup;
mod trouble;

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use account::{LINK_EXAMPLES, STATUS_EXAMPLES, UNLINK_EXAMPLES, USE, USE_EXAMPLES};
use project::{IMPORT, IMPORT_EXAMPLES, REPOS, REPOS_EXAMPLES, TOKEN, TOKEN_EXAMPLES};
use setup::{
    COMPLETION_EXAMPLES, CONFIGURE, CONFIGURE_EXAMPLES, DAEMON_EXAMPLES, MAN_EXAMPLES, UNCONFIGURE_EXAMPLES, VAULT,
    VAULT_EXAMPLES, VERSION_EXAMPLES,
};
use trouble::{DOCTOR_EXAMPLES, LOG, LOG_EXAMPLES};

pub(super) use account::{Link, Status, Unlink, Use};
pub(super) use host::Host;
pub(super) use project::{Import, Repos, Token};
pub(super) use setup::{Configure, Daemon, Shell, Unconfigure, Vault, VaultVerb, With};
pub(super) use trouble::{Doctor, Log};

const EXAMPLES: &str = "\
Examples:
  git credential-gitlab link                      link your account on gitlab.com
  git credential-gitlab link gitlab.example.com   link one on another GitLab
  git credential-gitlab status                    who is linked, and what is wrong
  git credential-gitlab help link                 everything about one command

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not linked, 4 you must act (link again), \
5 the server could not be reached, 6 the server refused.";

/// Link your GitLab account once; git, IDEs and scripts then act with your own permissions.
#[derive(Debug, Parser)]
#[command(name = "git-credential-gitlab", bin_name = "git credential-gitlab", version, after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Say only what you must know
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 100)]
    pub(super) quiet: bool,
    /// Say more, such as the git commands that are run
    #[arg(short, long, global = true, display_order = 101)]
    pub(super) verbose: bool,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Link an account, then let git use it
    #[command(alias = "login", after_help = LINK_EXAMPLES)]
    Link(Link),
    /// Revoke what was granted, and forget the account
    #[command(alias = "logout", after_help = UNLINK_EXAMPLES)]
    Unlink(Unlink),
    /// Show who is linked, until when, what is wrong and what to do
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Status),
    /// Show which program got a token for what, and when
    #[command(long_about = LOG, after_help = LOG_EXAMPLES)]
    Log(Log),
    /// Find what is wrong, explain it, and name the command that mends it
    #[command(alias = "diagnose", after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Say which of several accounts answers where
    #[command(long_about = USE, after_help = USE_EXAMPLES)]
    Use(Use),
    /// List the projects that an account may reach, with its role
    #[command(long_about = REPOS, after_help = REPOS_EXAMPLES)]
    Repos(Repos),
    /// Print an access token for scripts
    #[command(long_about = TOKEN, after_help = TOKEN_EXAMPLES)]
    Token(Token),
    /// Clone one project, several, or a whole group, each to the directories of its path
    #[command(alias = "clone", long_about = IMPORT, after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Encrypt the files with tokens, where no keyring keeps them; lock and unlock them
    #[command(long_about = VAULT, after_help = VAULT_EXAMPLES)]
    Vault(Vault),
    /// Let git ask this program for a GitLab
    #[command(long_about = CONFIGURE, after_help = CONFIGURE_EXAMPLES)]
    Configure(Configure),
    /// Take back what configure wrote into git's config, and nothing else
    #[command(after_help = UNCONFIGURE_EXAMPLES)]
    Unconfigure(Unconfigure),
    /// Run, start or stop the program that keeps the tokens (it starts by itself when needed)
    #[command(after_help = DAEMON_EXAMPLES)]
    Daemon {
        #[command(subcommand)]
        verb: Daemon,
    },
    /// Print what a shell needs to complete this command line
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion {
        /// Which shell
        shell: Shell,
    },
    /// What could come next; for the scripts of `completion`
    #[command(hide = true)]
    Complete {
        /// Which word is being typed
        index: usize,
        /// The words so far, the program's name first
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// Write man pages
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// Into this directory (a man1 on man's path is found by `git help credential-gitlab`)
        directory: std::path::PathBuf,
    },
    /// Print the version
    #[command(after_help = VERSION_EXAMPLES)]
    Version,
}

/// Whether the first word after the program's name that is no flag is a verb of ours. (No flag
/// that may stand before the verb has a value.)
pub(super) fn names_a_verb(words: &[OsString]) -> bool {
    let word = words.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    let Some(word) = word.and_then(|word| word.to_str()) else { return false };
    word == "help" || Arguments::command().find_subcommand(word).is_some()
}

/// The verbs of a person, by all their names.
#[cfg(all(test, feature = "daemon"))]
pub(crate) fn verbs() -> Vec<String> {
    let arguments = Arguments::command();
    let verbs = arguments.get_subcommands().filter(|verb| !verb.is_hide_set());
    verbs
        .flat_map(|verb| verb.get_name_and_visible_aliases().into_iter().chain(verb.get_all_aliases()))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_verb_is_known_by_its_names_wherever_flags_stand() {
        let names_a_verb = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            names_a_verb(&words)
        };
        for words in
            [&["x", "link"][..], &["x", "login"], &["x", "-q", "status"], &["x", "help"], &["x", "daemon", "no"]]
        {
            assert!(names_a_verb(words), "{words:?}");
        }
        for words in [&["x"][..], &["x", ""], &["x", "GET"], &["x", "get\n"], &["x", "-q"], &["x", "list", "link"]] {
            assert!(!names_a_verb(words), "{words:?}");
        }
    }

    #[test]
    fn every_verb_has_an_example_and_none_is_wrapped_so_each_can_be_copied() {
        for verb in Arguments::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let examples = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains("  git credential-gitlab "), "{}", verb.get_name());
            for line in examples.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() < 100, "{line}");
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for words in [
            &["x", "link", "--scopes", "api", "--read-only"][..],
            &["x", "link", "--yes", "--no-configure"],
            &["x", "link", "--store", "cloud"],
            &["x", "link", "--web", "--device"],
            &["x", "link", "--device", "--paste"],
            &["x", "link", "--token-stdin", "--device"],
            &["x", "link", "--token-stdin", "--client-id", "1a"],
            &["x", "link", "--token-stdin", "--client-secret-stdin"],
            &["x", "link", "--token-stdin", "--spare"],
            &["x", "link", "--token-stdin", "--scopes", "api"],
            &["x", "link", "--token-stdin", "--read-only"],
            &["x", "link", "alice@host"],
            &["x", "status", "--short", "--json"],
            &["x", "log", "--since", "soon"],
            &["x", "use"],
            &["x", "use", "bob", "--for", "https://h/group"],
            &["x", "unlink", "--all", "--account", "alice"],
            &["x", "repos", "--min-access", "admin"],
            &["x", "repos", "--limit", "0"],
            &["x", "token", "--min-life", "-1"],
            &["x", "-q", "-v", "status"],
        ] {
            assert!(Arguments::try_parse_from(words).is_err(), "{words:?}");
        }
    }
}
