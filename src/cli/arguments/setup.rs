//! The verbs about this machine: git's config, the daemon, the files with tokens, the shell.

use clap::{Args, Subcommand, ValueEnum};

use super::Host;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Shell {
    /// bash, with git's own completion
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

pub(super) const COMPLETION_EXAMPLES: &str = "\
Examples:
  eval \"$(git credential-gitlab completion bash)\"          in ~/.bashrc
  eval \"$(git credential-gitlab completion zsh)\"           in ~/.zshrc, after compinit
  git credential-gitlab completion fish | source            in ~/.config/fish/config.fish
  git credential-gitlab completion powershell | Out-String | Invoke-Expression    in $PROFILE";

pub(super) const CONFIGURE_EXAMPLES: &str = "\
Examples:
  git credential-gitlab configure                            the only GitLab that is linked
  git credential-gitlab configure https://example.com/gitlab
  sudo \"$(command -v git-credential-gitlab)\" configure HOST --system --client-id ID";

pub(super) const UNCONFIGURE_EXAMPLES: &str = "\
Examples:
  git credential-gitlab unconfigure gitlab.example.com
  sudo \"$(command -v git-credential-gitlab)\" unconfigure HOST --system";

pub(super) const DAEMON_EXAMPLES: &str = "\
Examples:
  git credential-gitlab daemon status
  git credential-gitlab daemon restart            after another version was installed
  git credential-gitlab daemon run --foreground   with its log here, to look for a mistake";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  git credential-gitlab man ~/.local/share/man/man1
  git help credential-gitlab                      then shows the first of them";

pub(super) const VERSION_EXAMPLES: &str = "\
Examples:
  git credential-gitlab version";

pub(super) const VAULT: &str = "\
Encrypt the files with tokens, where no keyring keeps them; lock and unlock them.

Without a verb it says how they are. The key is kept by systemd, sealed with the machine's TPM where \
there is one, or wrapped with a passphrase, which is asked for once until the machine is switched \
off. While it is locked git gets no token, and is told what to type.";

pub(super) const VAULT_EXAMPLES: &str = "\
Examples:
  git credential-gitlab vault                     encrypted? locked?
  git credential-gitlab vault encrypt             with systemd's key, where that works
  git credential-gitlab vault encrypt --with passphrase
  git credential-gitlab vault unlock --passphrase-stdin <passphrase.txt";

pub(super) const CONFIGURE: &str = "\
Let git ask this program for a GitLab.

Writes credential.URL.helper into git's config: an empty line, which keeps helpers that were \
set up for every host out of this one, and the path of our helper. Nothing of anybody else is \
changed, and unconfigure takes it back.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Vault {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<VaultVerb>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum VaultVerb {
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
pub(in crate::cli) enum With {
    /// A passphrase, asked for once until the machine is switched off
    Passphrase,
    /// systemd-creds: the machine's TPM, or a key that only root can read
    Systemd,
}

impl With {
    /// The word on the command line and on the wire.
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            With::Passphrase => "passphrase",
            With::Systemd => "systemd",
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Configure {
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(in crate::cli) host: Option<Host>,
    /// In the config of everybody on this machine, not only yours
    #[arg(long)]
    pub(in crate::cli) system: bool,
    /// Write this Application ID too, so that `link HOST` is enough for everybody who reads that config
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) client_id: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Unconfigure {
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(in crate::cli) host: Option<Host>,
    /// In the config of everybody on this machine, not only yours
    #[arg(long)]
    pub(in crate::cli) system: bool,
    /// Take this Application ID back too
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) client_id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Daemon {
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
