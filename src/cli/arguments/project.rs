//! The verbs that need an account: projects, clones, a token.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::Host;
use super::account::seconds;
use crate::access;

pub(super) const REPOS: &str = "\
List the projects that an account may reach, with its role.

They come in the order in which they were created, and are shown as they come. On a terminal it is \
a table. Elsewhere each line has five values with a tab between them: path, role, visibility, last \
activity, and `archived` or `-`.";

pub(super) const REPOS_EXAMPLES: &str = "\
Examples:
  git credential-gitlab repos
  git credential-gitlab repos gitlab.example.com --group group/sub --min-access developer
  git credential-gitlab repos --search app --limit 10
  git credential-gitlab repos --json | jq -r '.[].http_url'";

pub(super) const TOKEN: &str = "\
Print an access token for scripts: the one that git would get, renewed first if it must be.

It is a secret: whoever reads it can do what `status` says of the account until it ends, two hours \
after it was issued. Other users of the machine can see command lines; the second example has none.";

pub(super) const TOKEN_EXAMPLES: &str = "\
Examples:
  curl -H \"Authorization: Bearer $(git credential-gitlab token)\" \\
    https://gitlab.com/api/v4/user
  printf 'Authorization: Bearer %s' \"$(git credential-gitlab token)\" |
    curl -H @- https://gitlab.com/api/v4/user
  git credential-gitlab token --account alice+read-only --min-life 1800";

pub(super) const IMPORT: &str = "\
Clone one project, several, or a whole group, each to the directories of its path.

Several are cloned at a time, by git itself. A project goes to DIR/its/path, so group/app goes to \
./group/app. One that is there already is left alone, or with --fetch fetched into, and a clone only \
appears when it is whole: type the same command again to get what is missing, after a failure or \
Ctrl-C.";

pub(super) const IMPORT_EXAMPLES: &str = "\
Examples:
  git credential-gitlab import group/app group/sub/tool
  git credential-gitlab import https://gitlab.example.com/group/app
  git credential-gitlab import --group group --dir ~/src
  git credential-gitlab import --group group --min-access developer --jobs 8
  git credential-gitlab import --group group --fetch
  git credential-gitlab import                    choose from what you can reach (on a terminal)";

#[derive(Debug, Args)]
pub(in crate::cli) struct Repos {
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(in crate::cli) host: Option<Host>,
    /// Which account, as status shows it [default: the one that answers where nothing else decides]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) account: Option<String>,
    /// Only those that the server finds with this text
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) search: Option<String>,
    /// Only those below this group
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) group: Option<String>,
    /// Only those with at least this role
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new(access::ROLES.map(|(_, word)| word)))]
    pub(in crate::cli) min_access: Option<String>,
    /// Only archived ones (otherwise they are among the others, and marked)
    #[arg(long)]
    pub(in crate::cli) archived: bool,
    /// No more than so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) limit: Option<u64>,
    /// For programs: as a JSON array
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// A project: its path on the GitLab, or its address from the browser or the Clone button
    #[arg(value_name = "PROJECT")]
    pub(in crate::cli) projects: Vec<String>,
    /// Which GitLab the paths are on [default: the only one linked, or gitlab.com]
    #[arg(long)]
    pub(in crate::cli) host: Option<Host>,
    /// Clone as this account, as status shows it, where several are linked
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) account: Option<String>,
    /// Every project of this group and of the groups in it
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) group: Option<String>,
    /// Below which directory [default: this one]
    #[arg(long, default_value = ".", hide_default_value = true)]
    pub(in crate::cli) dir: PathBuf,
    /// How many to clone at a time
    // Four keep a line busy while one of them unpacks. Each is a few processes here and one on
    // the server, which may lock out an address that asks for too much: hence the limit.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(in crate::cli) jobs: u8,
    /// Of a group, or to choose from: only where you have this role or more
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new(access::ROLES.map(|(_, word)| word)))]
    pub(in crate::cli) min_access: Option<String>,
    /// Fetch into the clones that are there already (otherwise they are left alone)
    #[arg(long)]
    pub(in crate::cli) fetch: bool,
    /// With their submodules
    #[arg(long)]
    pub(in crate::cli) submodules: bool,
    /// Set user.name and user.email in the clones, as GitLab has them (otherwise you are asked where
    /// git has none)
    #[arg(long)]
    pub(in crate::cli) identity: bool,
    /// For programs: an object a line, as projects are done
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Token {
    /// Which GitLab [default: the only one linked, or gitlab.com]
    pub(in crate::cli) host: Option<Host>,
    /// Which account, as status shows it [default: the one that answers where nothing else decides]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) account: Option<String>,
    /// How many seconds it must still live, as far as the server grants that
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(in crate::cli) min_life: Option<u64>,
}
