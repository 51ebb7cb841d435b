//! What is known of an account and is not secret: a small JSON file per account.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::files;
use super::gitlab::{Endpoints, Network, TokenKind};
use super::schedule::MIN_LIFE;
use super::store::{Kind, StoreKind};
use crate::credential::printable;
use crate::endpoint::{ACCOUNTS, make_private};
use crate::instance::Instance;
use crate::label;

/// The format this version writes. A higher one is left alone.
const VERSION: u32 = 1;

/// Either of them lets a token exchange itself for its successor.
pub const ROTATING_SCOPES: [&str; 2] = ["self_rotate", "api"];

/// One linked account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profile {
    version: u32,
    /// Base URL of the instance.
    #[serde(with = "as_text")]
    pub instance: Instance,
    /// The GitLab user name.
    pub username: String,
    /// GitLab's number of the user.
    pub user_id: u64,
    /// The person's name.
    pub name: String,
    /// Linked with `--read-only`: an account of its own, beside the one that may do more.
    #[serde(default)]
    pub read_only: bool,
    /// `oauth`, or `token` for a token that the person made.
    pub kind: String,
    /// What is known of such a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ByHand>,
    /// The application; none for a token that the person made.
    pub client_id: String,
    /// What the tokens may do; empty if the server does not say.
    pub scopes: Vec<String>,
    /// Where they are kept.
    pub store: StoreKind,
    /// When the person linked, the last time.
    pub linked_at: Timestamp,
    /// How often the person linked: tells a link of another daemon from ours of the same second.
    pub links: u32,
    /// When the person linked, the first time: where nobody chose, the oldest account answers.
    pub first_linked_at: Timestamp,
    /// Seconds a token must live when git gets it.
    pub min_life: i64,
    /// There is a second login, which takes turns with the first.
    #[serde(default)]
    pub spare: bool,
    /// The endpoints that link used, where git config moved them.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// How link reached the server, for a daemon that can't read the person's git config and has
    /// another environment.
    #[serde(default)]
    pub network: Network,
}

/// A token that the person made, instead of a pair that an application was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHand {
    /// What kind of token.
    pub kind: TokenKind,
    /// The person lets us renew it, where the server does that.
    pub rotate: bool,
}

/// What a link finds out.
#[derive(Debug)]
pub struct Linked {
    /// Base URL of the instance.
    pub instance: Instance,
    /// Whose account it is.
    pub user: super::gitlab::User,
    /// It is the one that can only read.
    pub read_only: bool,
    /// What is known of a token that the person made.
    pub by_hand: Option<ByHand>,
    /// The application.
    pub client_id: String,
    /// What the tokens may do.
    pub scopes: Vec<String>,
    /// Where they are to be kept.
    pub store: StoreKind,
    /// Seconds a token must live when git gets it, if the person said so this time.
    pub min_life: Option<i64>,
    /// Endpoints that git config moved.
    pub endpoints: Endpoints,
    /// How the server is reached.
    pub network: Network,
}

impl Linked {
    /// The id of the account.
    pub fn id(&self) -> String {
        id(&self.instance, self.user.id, &self.user.username, self.read_only)
    }
}

/// Why a profile could not be read. The file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The system says why.
    #[error("{path}: {why}")]
    Unreadable {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl ProfileError {
    /// The id of the account whose file it is, or the name of the directory.
    pub fn id(&self) -> &str {
        let ProfileError::Unreadable { path, .. } = self;
        Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }

    /// Whether this may be why an account is not among those that were read.
    pub fn could_be(&self, id: &str) -> bool {
        let ProfileError::Unreadable { path, .. } = self;
        self.id() == id || !path.ends_with(".json") // the whole directory
    }
}

impl Profile {
    /// The profile of an account linked now; one that was linked before keeps its place in the
    /// list, and what the person did not change.
    pub fn new(linked: Linked, before: Option<&Self>, now: Timestamp) -> Self {
        let Linked { instance, user, read_only, by_hand, client_id, scopes, store, min_life, endpoints, network } =
            linked;
        Self {
            version: VERSION,
            instance,
            username: user.username,
            user_id: user.id,
            name: user.name,
            read_only,
            kind: if by_hand.is_some() { "token" } else { "oauth" }.into(),
            by_hand,
            client_id,
            scopes,
            store,
            linked_at: now,
            links: before.map_or(1, |before| before.links.saturating_add(1)),
            first_linked_at: before.map_or(now, |before| before.first_linked_at),
            min_life: min_life.or(before.map(|before| before.min_life)).unwrap_or(MIN_LIFE),
            spare: false,
            endpoints,
            network: network.without_secrets(),
        }
    }

    /// Stands before the user's number in an account's id; no slug has it.
    pub const ID_SEPARATOR: char = '~';

    /// The same, with a second login.
    pub fn with_spare(self) -> Self {
        Self { spare: true, ..self }
    }

    /// Whether this and that one are one link, not just one account.
    pub fn is_same_link(&self, other: &Self) -> bool {
        let link = |it: &Self| (it.id(), it.linked_at, it.links, it.spare);
        link(self) == link(other)
    }

    /// The account's name among state files and in the store.
    pub fn id(&self) -> String {
        id(&self.instance, self.user_id, &self.username, self.read_only)
    }

    /// Whether git logs in with a deploy token.
    pub fn is_deploy_token(&self) -> bool {
        self.by_hand.is_some_and(|token| token.kind == TokenKind::Deploy)
    }

    /// The user name that goes with the token. GitLab takes any with most tokens, and before 17.1 no
    /// other than `oauth2` with OAuth's; only a deploy token has one of its own.
    pub fn git_username(&self) -> &str {
        if self.is_deploy_token() { &self.username } else { "oauth2" }
    }

    /// What people and git config call it.
    pub fn label(&self) -> String {
        label::of(&self.username, self.read_only)
    }

    /// Whether that is its name; GitLab's don't differ in case alone.
    pub fn is_called(&self, label: &str) -> bool {
        self.label().eq_ignore_ascii_case(label)
    }

    /// Where it stands in lists: the oldest link first, and always in the same order.
    pub fn rank(&self) -> impl Ord + use<> {
        (self.first_linked_at, self.user_id, self.read_only)
    }

    /// `alice at https://gitlab.example.com`, for people.
    pub fn who(&self) -> String {
        format!("{} at {}", self.label(), self.instance)
    }

    /// The command that links this account again, and no other of this person's.
    pub fn link_command(&self) -> String {
        let token = if self.by_hand.is_some() { " --token-stdin" } else { "" };
        format!("{} --account {}{token}", self.instance.link_command(), self.label())
    }

    /// Whether the token is renewed, for people; `None` for OAuth's, and where nothing is known.
    pub fn renewal(&self, kind: Kind, expires: bool) -> Option<String> {
        let token = self.by_hand.filter(|token| token.kind != TokenKind::Deploy && expires)?;
        let may = self.scopes.iter().any(|scope| ROTATING_SCOPES.contains(&scope.as_str()));
        Some(match (kind, token.rotate, may) {
            (Kind::Rotating, ..) => "it is renewed by itself before it ends".into(),
            (_, false, _) => "it is not renewed by itself: credential.gitlabRotate is false".into(),
            (_, _, false) => {
                format!("it is not renewed by itself: that takes the scope {}", ROTATING_SCOPES.join(" or "))
            }
            _ => "it is not renewed by itself: the server did not do it (GitLab does since 16.10)".into(),
        })
    }

    fn path(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}.{}", self.id(), ACCOUNTS.1))
    }

    /// Whether it is among those in a directory.
    pub fn is_in(&self, directory: &Path) -> bool {
        self.path(directory).exists()
    }

    /// Writes the profile durably.
    pub fn save(&self, directory: &Path) -> std::io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).expect("a profile is plain data");
        make_private(directory)?; // somebody may have cleaned up while the daemon ran
        files::write(&self.path(directory), &bytes)
    }

    /// Removes the profile.
    pub fn remove(&self, directory: &Path) -> std::io::Result<()> {
        files::remove(&self.path(directory))
    }

    /// Reads every profile of a directory, and says of those that can't be read why.
    pub fn load_all(directory: &Path) -> (Vec<Profile>, Vec<ProfileError>) {
        let (mut profiles, mut problems) = (Vec::new(), Vec::new());
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return (profiles, problems),
            Err(why) => return (profiles, vec![unreadable(directory, &why.to_string())]),
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == ACCOUNTS.1));
        paths.sort();
        for path in paths {
            match Self::load(&path) {
                Ok(Some(profile)) if profile.path(directory) == path => profiles.push(profile),
                // A sync tool names so what it finds in two versions.
                Ok(Some(_)) => problems.push(unreadable(&path, "a copy under another name; it can be removed")),
                Ok(None) => {} // unlinked a moment ago
                Err(problem) => problems.push(problem),
            }
        }
        (profiles, problems)
    }

    fn load(path: &Path) -> Result<Option<Profile>, ProfileError> {
        let Some(bytes) = files::read(path).map_err(|why| unreadable(path, &why.to_string()))? else {
            return Ok(None);
        };
        Self::from_bytes(&bytes).map(Some).map_err(|why| unreadable(path, &format!("{why}; it was left as it is")))
    }

    /// Reads a profile, and says what is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |why: serde_json::Error| format!("damaged ({why})");
        let Version { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if version > VERSION {
            return Err("written by a newer version of git-credential-gitlab".into());
        }
        let profile: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        // Where there is no number, the name is a part of files' names.
        match profile.user_id != 0 || label::is_username(&profile.username) {
            true => Ok(profile),
            false => Err("damaged (the user name is none)".into()),
        }
    }
}

/// Instance and user number, so that an account that is linked again takes its own place. Another
/// one that can only read has a name of its own.
fn id(instance: &Instance, user_id: u64, username: &str, read_only: bool) -> String {
    let separator = Profile::ID_SEPARATOR;
    let kind = if read_only { format!("{separator}read-only") } else { String::new() };
    // Where there is no number (a deploy token), the name stands for it.
    let user = if user_id == 0 { format!("@{username}") } else { user_id.to_string() };
    format!("{}{separator}{user}{kind}", instance.slug())
}

fn unreadable(path: &Path, why: &str) -> ProfileError {
    ProfileError::Unreadable { path: path.display().to_string(), why: printable(why, 300) }
}

mod as_text {
    use crate::instance::Instance;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(instance: &Instance, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(instance)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instance, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
