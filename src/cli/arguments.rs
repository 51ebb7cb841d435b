//! The command line: verbs, flags, and the help that explains them.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::time::Ago;
use crate::access;
use crate::idn;
use crate::instance::{Instance, NotAnInstance};
use crate::place::Place;

const EXAMPLES: &str = "\
Examples:
  git credential-gitlab link                      link your account on gitlab.com
  git credential-gitlab link gitlab.example.com   link one on another GitLab
  git credential-gitlab status                    who is linked, and what is wrong
  git credential-gitlab help link                 everything about one command

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not linked, 4 you must act (link again),
5 the server could not be reached, 6 the server refused.";

const LINK_EXAMPLES: &str = "\
Examples:
  git credential-gitlab link gitlab.example.com
  git credential-gitlab link https://example.com/gitlab --client-id 1a2b3c
  git credential-gitlab link gitlab.example.com --device     over SSH, in a container
  git credential-gitlab link --read-only --account alice
  git credential-gitlab link gitlab.example.com --token-stdin <token.txt";

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
    #[command(alias = "logout")]
    Unlink(Unlink),
    /// Show who is linked, until when, what is wrong and what to do
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
    #[command(long_about = CONFIGURE)]
    Configure(Configure),
    /// Take back what configure wrote into git's config, and nothing else
    Unconfigure(Unconfigure),
    /// Run, start or stop the program that keeps the tokens (it starts by itself when needed)
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
    Man {
        /// Into this directory (a man1 on man's path is found by `git help credential-gitlab`)
        directory: std::path::PathBuf,
    },
    /// Print the version
    Version,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    /// bash, with git's own completion
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

const COMPLETION_EXAMPLES: &str = "\
Examples:
  eval \"$(git credential-gitlab completion bash)\"          in ~/.bashrc
  eval \"$(git credential-gitlab completion zsh)\"           in ~/.zshrc, after compinit
  git credential-gitlab completion fish | source            in ~/.config/fish/config.fish";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  git credential-gitlab doctor                    this machine, git, and the repository you are in
  git credential-gitlab doctor https://gitlab.example.com/group/app.git
  git credential-gitlab doctor gitlab.example.com
  git credential-gitlab doctor --fix              mend what is ours, then look again
  git credential-gitlab doctor --bundle report.txt    for a bug report, without secrets

Exit codes: 0 nothing fails, 3 not linked, 4 you must act, 5 the server could not be reached,
6 the server refused, 1 anything else.";

const USE: &str = "\
Say which of several accounts answers where.

The first of these that says something decides: GIT_CREDENTIAL_GITLAB_ACCOUNT in the environment,
the user name in the address (https://bob@gitlab.example.com/...), what was chosen with --for for
the nearest group or project, the default, the account that was linked first. Choices are kept in
your git config (credential.URL.gitlabAccount).";

const USE_EXAMPLES: &str = "\
Examples:
  git credential-gitlab use bob                                  wherever nothing else decides
  git credential-gitlab use bob gitlab.example.com --for group/sub
  git credential-gitlab use bob --for group/sub --remove
  git credential-gitlab use alice+read-only --for group/scripts";

const REPOS: &str = "\
List the projects that an account may reach, with its role.

They come in the order in which they were created, and are shown as they come. On a terminal it is
a table. Elsewhere each line has five values with a tab between them: path, role, visibility, last
activity, and `archived` or `-`.";

const REPOS_EXAMPLES: &str = "\
Examples:
  git credential-gitlab repos
  git credential-gitlab repos gitlab.example.com --group group/sub --min-access developer
  git credential-gitlab repos --search app --limit 10
  git credential-gitlab repos --json | jq -r '.[].http_url'";

const TOKEN: &str = "\
Print an access token for scripts: the one that git would get, renewed first if it must be.

It is a secret: whoever reads it can do what `status` says of the account until it ends, two hours
after it was issued. Other users of the machine can see command lines; the second example has none.";

const TOKEN_EXAMPLES: &str = "\
Examples:
  curl -H \"Authorization: Bearer $(git credential-gitlab token)\" https://gitlab.com/api/v4/user
  printf 'Authorization: Bearer %s' \"$(git credential-gitlab token)\" | curl -H @- https://gitlab.com/api/v4/user
  git credential-gitlab token gitlab.example.com --account alice+read-only --min-life 1800";
const IMPORT: &str = "\
Clone one project, several, or a whole group, each to the directories of its path.

Several are cloned at a time, by git itself. A project goes to DIR/its/path, so group/app goes to
./group/app. One that is there already is left alone, and a clone only appears when it is whole:
type the same command again to get what is missing, after a failure or Ctrl-C.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  git credential-gitlab import group/app group/sub/tool
  git credential-gitlab import https://gitlab.example.com/group/app
  git credential-gitlab import --group group --dir ~/src
  git credential-gitlab import --group group --min-access developer --jobs 8
  git credential-gitlab import                    choose from what you can reach (on a terminal)";

const LOG: &str = "\
Show which program got a token for what, and when; the newest last.

The daemon notes every token that it hands to git, and every time it does not: the program that ran
git, git's command, the account, and the project if git tells it (credential.useHttpPath). Of
commands only words without secrets are noted; the rest is shown as \u{2026}. git config can turn it
off: credential.gitlabJournal=false.";

const LOG_EXAMPLES: &str = "\
Examples:
  git credential-gitlab log --since 2h
  git credential-gitlab log --since 7d --json | jq -r .program | sort | uniq -c";

const VAULT: &str = "\
Encrypt the files with tokens, where no keyring keeps them; lock and unlock them.

Without a verb it says how they are. The key is kept by systemd, sealed with the machine's TPM where
there is one, or wrapped with a passphrase, which is asked for once until the machine is switched
off. While it is locked git gets no token, and is told what to type.";

const VAULT_EXAMPLES: &str = "\
Examples:
  git credential-gitlab vault                     encrypted? locked?
  git credential-gitlab vault encrypt             with systemd's key, where that works
  git credential-gitlab vault encrypt --with passphrase
  git credential-gitlab vault unlock --passphrase-stdin <passphrase.txt";

const CONFIGURE: &str = "\
Let git ask this program for a GitLab.

Writes credential.URL.helper into git's config: an empty line, which keeps helpers that were
set up for every host out of this one, and the path of our helper. Nothing of anybody else is
changed, and unconfigure takes it back.";

#[derive(Debug, Args)]
pub(super) struct Link {
    /// Which GitLab: a host, host:port or base URL [default: gitlab.com, or the only one linked]
    pub(super) host: Option<Host>,
    /// Give consent in a browser on this machine (the default where there is one)
    #[arg(long, group = "flow")]
    pub(super) web: bool,
    /// Give consent on any device, by typing a code there (the default where there is no browser)
    #[arg(long, group = "flow")]
    pub(super) device: bool,
    /// Give consent in a browser anywhere, and paste here the address that it ends on
    #[arg(long, group = "flow")]
    pub(super) paste: bool,
    /// The Application ID, where this program has none for the GitLab
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// Read the secret of a confidential application from the first line of stdin
    #[arg(long)]
    pub(super) client_secret_stdin: bool,
    /// Where OAuth is not allowed: read an access token that you made from the first line of stdin,
    /// or ask for it in a terminal
    #[arg(long, conflicts_with_all = ["flow", "client_id", "client_secret_stdin", "spare", "scopes", "read_only"])]
    pub(super) token_stdin: bool,
    /// What to ask for, separated by blanks [default: read_api write_repository]
    #[arg(long, value_name = "SCOPES", conflicts_with = "read_only")]
    pub(super) scopes: Option<String>,
    /// Ask only for what clone and fetch need; an account of its own, named NAME+read-only
    #[arg(long)]
    pub(super) read_only: bool,
    /// The account you mean; any other that signs in is refused
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// Where to keep the tokens [default: the keyring; a file of yours where there is none]
    #[arg(long)]
    pub(super) store: Option<Store>,
    /// Get a second, spare login in the same sitting: it takes over where the first is lost
    #[arg(long)]
    pub(super) spare: bool,
    /// How many seconds a token that is handed out must at least live
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) min_life: Option<u64>,
    /// Accept an http:// address: everybody on the way can then read your tokens
    #[arg(long)]
    pub(super) allow_http: bool,
    /// Leave git's config alone
    #[arg(long)]
    pub(super) no_configure: bool,
    /// Ask nothing: yes, git shall use the account
    #[arg(long, conflicts_with = "no_configure")]
    pub(super) yes: bool,
    /// How long to wait for your consent
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) timeout: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Store {
    /// The system's keyring
    Keyring,
    /// A file that only you can read
    File,
    /// Nowhere: gone when the daemon ends
    Memory,
}

impl Store {
    /// The word on the command line and on the wire.
    pub(super) fn word(self) -> &'static str {
        match self {
            Store::Keyring => "keyring",
            Store::File => "file",
            Store::Memory => "memory",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Unlink {
    /// Which GitLab [default: gitlab.com, or the only one linked]
    pub(super) host: Option<Host>,
    /// Which account, as status shows it, where several are linked
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// Every account (of HOST, if it is given)
    #[arg(long, conflicts_with = "account")]
    pub(super) all: bool,
    /// Forget only, do not ask the server: what was granted stays valid there
    #[arg(long)]
    pub(super) local: bool,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Show this GitLab only
    pub(super) host: Option<Host>,
    /// For programs: the same as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Ask the server too, instead of telling what is known
    #[arg(long)]
    pub(super) check: bool,
    /// For a shell prompt: one line about what is wrong, nothing if all is well
    #[arg(long, conflicts_with_all = ["json", "check"])]
    pub(super) short: bool,
}

#[derive(Debug, Args)]
pub(super) struct Log {
    /// Only what is not older than this: 30min, 2h, 1d, 7d
    #[arg(long, value_name = "DURATION")]
    pub(super) since: Option<Ago>,
    /// For programs: one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// A repository, a remote's name or a GitLab [default: the remotes of the repository here, else all that is linked]
    pub(super) remote: Option<String>,
    /// Mend what is ours: our entry in git's config, our daemon, our directories
    #[arg(long)]
    pub(super) fix: bool,
    /// For programs: a list of checks as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Write everything that a bug report needs, and no secret, to a new file
    #[arg(long, value_name = "FILE")]
    pub(super) bundle: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Use {
    /// The account, as status shows it
    pub(super) name: String,
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(super) host: Option<Host>,
    /// For every project below this group, or for this one; may be given several times
    #[arg(long = "for", value_name = "GROUP/PATH")]
    pub(super) places: Vec<Place>,
    /// Wherever nothing else decides; also if no --for is given
    #[arg(long)]
    pub(super) default: bool,
    /// Take it back
    #[arg(long)]
    pub(super) remove: bool,
}

#[derive(Debug, Args)]
pub(super) struct Repos {
    /// Which GitLab [default: gitlab.com, or the only one linked]
    pub(super) host: Option<Host>,
    /// Which account, as status shows it [default: the one that answers where nothing else decides]
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// Only those that the server finds with this text
    #[arg(long, value_name = "TEXT")]
    pub(super) search: Option<String>,
    /// Only those below this group
    #[arg(long, value_name = "PATH")]
    pub(super) group: Option<String>,
    /// Only those with at least this role
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new(access::ROLES.map(|(_, word)| word)))]
    pub(super) min_access: Option<String>,
    /// Only archived ones (otherwise they are among the others, and marked)
    #[arg(long)]
    pub(super) archived: bool,
    /// No more than so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    /// For programs: as a JSON array
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A project: its path on the GitLab, or its address from the browser or the Clone button
    #[arg(value_name = "PROJECT")]
    pub(super) projects: Vec<String>,
    /// Which GitLab the paths are on [default: the only one linked, or gitlab.com]
    #[arg(long)]
    pub(super) host: Option<Host>,
    /// Clone as this account, as status shows it, where several are linked
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// Every project of this group and of the groups in it
    #[arg(long, value_name = "PATH")]
    pub(super) group: Option<String>,
    /// Below which directory [default: this one]
    #[arg(long, default_value = ".", hide_default_value = true)]
    pub(super) dir: PathBuf,
    /// How many to clone at a time
    // Four keep a line busy while one of them unpacks. Each is a few processes here and one on
    // the server, which may lock out an address that asks for too much: hence the limit.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(super) jobs: u8,
    /// Of a group, or to choose from: only where you have this role or more
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new(access::ROLES.map(|(_, word)| word)))]
    pub(super) min_access: Option<String>,
    /// With their submodules
    #[arg(long)]
    pub(super) submodules: bool,
    /// Set user.name and user.email in the clones, as GitLab has them (otherwise you are asked where
    /// git has none)
    #[arg(long)]
    pub(super) identity: bool,
    /// For programs: an object a line, as projects are done
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Token {
    /// Which GitLab [default: gitlab.com, or the only one linked]
    pub(super) host: Option<Host>,
    /// Which account, as status shows it [default: the one that answers where nothing else decides]
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// How many seconds it must still live, as far as the server grants that
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) min_life: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Vault {
    #[command(subcommand)]
    pub(super) verb: Option<VaultVerb>,
}

#[derive(Debug, Subcommand)]
pub(super) enum VaultVerb {
    /// Encrypt what is there, and all that comes; or go on where that broke off
    Encrypt {
        /// What the key is wrapped with [default: systemd where it works, else a passphrase]
        #[arg(long)]
        with: Option<With>,
        /// Read a passphrase from the first line of stdin
        #[arg(long)]
        passphrase_stdin: bool,
    },
    /// Get the key: asks for the passphrase, if there is one
    Unlock {
        /// Read the passphrase from the first line of stdin
        #[arg(long)]
        passphrase_stdin: bool,
    },
    /// Forget the key: nobody gets a token before it is unlocked
    Lock,
    /// Take the encryption back: the tokens are in plain files again
    Decrypt,
}

/// What the key is wrapped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum With {
    /// A passphrase, asked for once until the machine is switched off
    Passphrase,
    /// systemd-creds: the machine's TPM, or a key that only root can read
    Systemd,
}

impl With {
    /// The word on the command line and on the wire.
    pub(super) fn word(self) -> &'static str {
        match self {
            With::Passphrase => "passphrase",
            With::Systemd => "systemd",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Configure {
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(super) host: Option<Host>,
    /// In the config of everybody on this machine, not only yours
    #[arg(long)]
    pub(super) system: bool,
    /// Write this Application ID too, so that `link HOST` is enough for everybody who reads that config
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Unconfigure {
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(super) host: Option<Host>,
    /// In the config of everybody on this machine, not only yours
    #[arg(long)]
    pub(super) system: bool,
    /// Take this Application ID back too
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Daemon {
    /// Become the daemon
    Run {
        /// Stay in the foreground, with the log on stderr
        #[arg(long)]
        foreground: bool,
    },
    /// Start it, if it does not run
    Start,
    /// Let it save and end
    Stop,
    /// Stop it and start the installed version
    Restart,
    /// Say whether it runs
    Status,
}

/// The GitLab that the person means. As typed, because that is how they know it.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) typed: String,
    pub(super) instance: Instance,
}

impl FromStr for Host {
    type Err = NotAnInstance;

    fn from_str(typed: &str) -> Result<Self, NotAnInstance> {
        Ok(Self { typed: typed.trim().into(), instance: idn::parse(typed)? })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Whether the first word after the program's name that is no flag is a verb of ours. (No flag
/// that may stand before the verb has a value.)
pub(super) fn names_a_verb(words: &[OsString]) -> bool {
    let word = words.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    let Some(word) = word.and_then(|word| word.to_str()) else { return false };
    word == "help" || Arguments::command().find_subcommand(word).is_some()
}

fn seconds(typed: &str) -> Result<u64, &'static str> {
    typed.parse().map_err(|_| "give a number of seconds")
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
