//! The verbs about accounts: which there are, and which one answers.

use clap::{Args, ValueEnum};

use super::Host;
use crate::place::Place;

pub(super) const LINK_EXAMPLES: &str = "\
Examples:
  git credential-gitlab link gitlab.example.com
  git credential-gitlab link https://example.com/gitlab --client-id 1a2b3c
  git credential-gitlab link gitlab.example.com --device     over SSH, in a container
  git credential-gitlab link --read-only --account alice
  git credential-gitlab link gitlab.example.com --token-stdin <token.txt";

pub(super) const USE: &str = "\
Say which of several accounts answers where.

The first of these that says something decides: GIT_CREDENTIAL_GITLAB_ACCOUNT in the environment, \
the user name in the address (https://bob@gitlab.example.com/...), what was chosen with --for for \
the nearest group or project, the default, the account that was linked first. Choices are kept in \
your git config (credential.URL.gitlabAccount).";

pub(super) const USE_EXAMPLES: &str = "\
Examples:
  git credential-gitlab use bob                                  wherever nothing else decides
  git credential-gitlab use bob gitlab.example.com --for group/sub
  git credential-gitlab use bob --for group/sub --remove
  git credential-gitlab use alice+read-only --for group/scripts";

pub(super) const UNLINK_EXAMPLES: &str = "\
Examples:
  git credential-gitlab unlink                    the only account that is linked
  git credential-gitlab unlink gitlab.example.com --account bob
  git credential-gitlab unlink --all              everything, before it is uninstalled
  git credential-gitlab unlink --local            where the server is gone: nothing is revoked";

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  git credential-gitlab status
  git credential-gitlab status gitlab.example.com --check
  git credential-gitlab status --json | jq -r '.accounts[] | .host + \" \" + .state'";

#[derive(Debug, Args)]
pub(in crate::cli) struct Link {
    /// Which GitLab: a host, host:port or base URL [default: the only one linked, or gitlab.com]
    pub(in crate::cli) host: Option<Host>,
    /// Give consent in a browser on this machine (the default where there is one)
    #[arg(long, group = "flow")]
    pub(in crate::cli) web: bool,
    /// Give consent on any device, by typing a code there (the default where there is no browser)
    #[arg(long, group = "flow")]
    pub(in crate::cli) device: bool,
    /// Give consent in a browser anywhere, and paste here the address that it ends on
    #[arg(long, group = "flow")]
    pub(in crate::cli) paste: bool,
    /// The Application ID, where this program has none for the GitLab
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) client_id: Option<String>,
    /// Read the secret of a confidential application from the first line of stdin, or ask for it in
    /// a terminal
    #[arg(long)]
    pub(in crate::cli) client_secret_stdin: bool,
    /// Where OAuth is not allowed: read an access token that you made from the first line of stdin,
    /// or ask for it in a terminal
    #[arg(long, conflicts_with_all = ["flow", "client_id", "client_secret_stdin", "spare", "scopes", "read_only"])]
    pub(in crate::cli) token_stdin: bool,
    /// What to ask for, separated by blanks [default: read_api write_repository]
    #[arg(long, value_name = "SCOPES", conflicts_with = "read_only")]
    pub(in crate::cli) scopes: Option<String>,
    /// Ask only for what clone and fetch need; an account of its own, named NAME+read-only
    #[arg(long)]
    pub(in crate::cli) read_only: bool,
    /// The account you mean; any other that signs in is refused
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) account: Option<String>,
    /// Where to keep the tokens [default: the keyring; a file of yours where there is none]
    #[arg(long)]
    pub(in crate::cli) store: Option<Store>,
    /// Get a second, spare login in the same sitting: it takes over where the first is lost
    #[arg(long)]
    pub(in crate::cli) spare: bool,
    /// How many seconds a token that is handed out must at least live
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(in crate::cli) min_life: Option<u64>,
    /// Accept an http:// address: everybody on the way can then read your tokens
    #[arg(long)]
    pub(in crate::cli) allow_http: bool,
    /// Leave git's config alone
    #[arg(long)]
    pub(in crate::cli) no_configure: bool,
    /// Ask nothing: yes, git shall use the account
    #[arg(long, conflicts_with = "no_configure")]
    pub(in crate::cli) yes: bool,
    /// How long to wait for your consent
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(in crate::cli) timeout: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Store {
    /// The system's keyring
    Keyring,
    /// A file that only you can read
    File,
    /// Nowhere: gone when the daemon ends
    Memory,
}

impl Store {
    /// The word on the command line and on the wire.
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Store::Keyring => "keyring",
            Store::File => "file",
            Store::Memory => "memory",
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Unlink {
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(in crate::cli) host: Option<Host>,
    /// Which account, as status shows it, where several are linked
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) account: Option<String>,
    /// Every account (of HOST, if it is given)
    #[arg(long, conflicts_with = "account")]
    pub(in crate::cli) all: bool,
    /// Forget only, do not ask the server: what was granted stays valid there
    #[arg(long)]
    pub(in crate::cli) local: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// Show this GitLab only
    pub(in crate::cli) host: Option<Host>,
    /// For programs: the same as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Ask the server too, instead of telling what is known
    #[arg(long)]
    pub(in crate::cli) check: bool,
    /// For a shell prompt: one line about what is wrong, nothing if all is well
    #[arg(long, conflicts_with_all = ["json", "check"])]
    pub(in crate::cli) short: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Use {
    /// The account, as status shows it
    pub(in crate::cli) name: String,
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(in crate::cli) host: Option<Host>,
    /// For every project below this group, or for this one; may be given several times
    #[arg(long = "for", value_name = "GROUP/PATH")]
    pub(in crate::cli) places: Vec<Place>,
    /// Wherever nothing else decides; also if no --for is given
    #[arg(long)]
    pub(in crate::cli) default: bool,
    /// Take it back
    #[arg(long)]
    pub(in crate::cli) remove: bool,
}

pub(super) fn seconds(typed: &str) -> Result<u64, &'static str> {
    typed.parse().map_err(|_| "give a number of seconds")
}
