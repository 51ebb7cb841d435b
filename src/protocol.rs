//! What the programs say to the daemon: git's own attribute lines.
//!
//! A request is `action=VERB`, attributes, an empty line. A reply is one or more blocks, each
//! ended by an empty line; the last block of a reply that may have several carries `done=1`. A
//! failed reply's block has `error=CODE` and `message=TEXT`. Unknown attributes are ignored,
//! unknown actions answered with `error=unsupported`. It can be typed by hand:
//!
//! ```text
//! printf 'action=get\nprotocol=https\nhost=gitlab.com\n\n' | socat -t10 - UNIX-CONNECT:SOCKET
//! ```

use crate::credential::{Attributes, printable};

/// The variables of a person's shell that say how a server is reached. They go with a link: the
/// daemon may have been started anywhere, and has dropped git's.
pub const NETWORK_VARIABLES: [&str; 15] = [
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy", // curl and git ignore HTTP_PROXY: a web server sets it from a header of its client
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_CERT_TYPE",
    "GIT_SSL_KEY",
    "GIT_SSL_NO_VERIFY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The most bytes a request or one block of a reply may have. A get has no need of more, and a
/// status block of an account has less than a tenth.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The names of attributes that are ours; git's own are in gitcredentials(7).
pub mod key {
    /// The verb of a request.
    pub const ACTION: &str = "action";
    /// In the last block of a reply that may have several.
    pub const DONE: &str = "done";
    /// `NAME=VALUE` in a link: one of [`NETWORK_VARIABLES`](super::NETWORK_VARIABLES).
    pub const ENVIRONMENT: &str = "environment[]";
    /// Why a request failed: see [`Code`](super::Code).
    pub const ERROR: &str = "error";
    /// The same for people: what happened, to which host and account, and what to type.
    pub const MESSAGE: &str = "message";
    /// Seconds a token must live at least; git ignores it, scripts may send it with a get.
    pub const MIN_LIFE: &str = "min_life";
    /// The name of the account that a get is for, and no other; git ignores it.
    pub const ACCOUNT: &str = "account";
}

/// The verbs of requests.
pub mod action {
    /// A credential for git.
    pub const GET: &str = "get";
    /// git says that the server took the password given.
    pub const STORE: &str = "store";
    /// git was refused with the password given.
    pub const ERASE: &str = "erase";
    /// Link an account: a block with `url`, then one with `username` or `error`.
    pub const LINK: &str = "link";
    /// Revoke at the server and forget.
    pub const UNLINK: &str = "unlink";
    /// git's config says anew which account answers where.
    pub const USE: &str = "use";
    /// One block per project that an account may reach, as they come; then the last.
    pub const REPOS: &str = "repos";
    /// One block per account, then one about the daemon.
    pub const STATUS: &str = "status";
    /// What is found at an address or, with `account`, what that account gets there: facts.
    pub const PROBE: &str = "probe";
    /// What the account that git would get can do with a repository: facts.
    pub const PROJECT: &str = "project";
    /// How an account's owner is named in commits: `name` and `email`, if the server says so.
    pub const AUTHOR: &str = "author";
    /// Whether the files with tokens are encrypted, and whether the key is here.
    pub const VAULT_STATUS: &str = "vault_status";
    /// Encrypt them; `with` says how, `passphrase` may go with it.
    pub const VAULT_ENCRYPT: &str = "vault_encrypt";
    /// Get the key; `passphrase` may go with it.
    pub const VAULT_UNLOCK: &str = "vault_unlock";
    /// Forget the key.
    pub const VAULT_LOCK: &str = "vault_lock";
    /// Take the encryption back.
    pub const VAULT_DECRYPT: &str = "vault_decrypt";
    /// Finish what runs, save, and end.
    pub const STOP: &str = "stop";
}

/// Why a request failed, as the word on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The daemon does not know the action.
    Unsupported,
    /// The request lacks something, or something in it can't be.
    Usage,
    /// No such account is linked.
    NotLinked,
    /// Linked, but the person must act: link again, give consent.
    Relink,
    /// The server could not be reached, or answered nonsense.
    Unreachable,
    /// The server answered, and said no.
    Refused,
    /// The place where tokens are kept could not be read or written.
    Store,
    /// Tokens are encrypted, and the person must unlock them.
    Locked,
    /// Anything else.
    Failed,
}

impl Code {
    const ALL: [(Code, &str, u8); 9] = [
        (Code::Unsupported, "unsupported", 1),
        (Code::Usage, "usage", 2),
        (Code::NotLinked, "not-linked", 3),
        (Code::Relink, "relink", 4),
        (Code::Unreachable, "unreachable", 5),
        (Code::Refused, "refused", 6),
        (Code::Store, "store", 1),
        (Code::Locked, "locked", 4),
        (Code::Failed, "failed", 1),
    ];

    fn row(self) -> &'static (Code, &'static str, u8) {
        Self::ALL.iter().find(|(code, _, _)| *code == self).expect("every code has its row")
    }

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        self.row().1
    }

    /// The exit code of a people's verb that failed so.
    pub fn exit_code(self) -> u8 {
        self.row().2
    }

    /// The code of a word; a word from a newer daemon is a plain failure.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.iter().find(|(_, name, _)| *name == word).map_or(Code::Failed, |(code, _, _)| *code)
    }
}

/// How an account is, as the word of `status` on the wire and in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It works.
    Ok,
    /// It works and is being renewed.
    Renewing,
    /// The server or the store can't be reached; what is there stays, and it is tried again.
    Unreachable,
    /// The person must link again.
    Relink,
    /// Its tokens are encrypted, and the person must unlock them.
    Locked,
    /// It works, but its newest tokens are in the daemon's memory alone.
    Unsaved,
    /// Its tokens work, and the server refuses git all the same. Only a check finds that out.
    Refused,
    /// A word of a newer daemon.
    Unknown(String),
}

impl State {
    /// The state of a word.
    pub fn from_word(word: &str) -> Self {
        let known = [
            State::Ok,
            State::Renewing,
            State::Unreachable,
            State::Relink,
            State::Locked,
            State::Unsaved,
            State::Refused,
        ];
        known.into_iter().find(|state| state.word() == word).unwrap_or_else(|| State::Unknown(word.into()))
    }

    /// The word on the wire and in JSON.
    pub fn word(&self) -> &str {
        match self {
            State::Ok => "ok",
            State::Renewing => "renewing",
            State::Unreachable => "unreachable",
            State::Relink => "relink",
            State::Locked => "locked",
            State::Unsaved => "unsaved",
            State::Refused => "refused",
            State::Unknown(word) => word,
        }
    }
}

/// A failed reply: its code, and the sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: Code,
    /// For people: one line.
    pub message: String,
}

impl Failure {
    /// A failure. The message becomes one printable line, whatever a server put into it.
    pub fn new(code: Code, message: impl AsRef<str>) -> Self {
        Self { code, message: printable(message.as_ref(), 1000) }
    }

    /// As a block of a reply, which it ends.
    pub fn to_block(&self) -> Attributes {
        Attributes::new().with(key::ERROR, self.code.word()).with(key::MESSAGE, &self.message).with(key::DONE, "1")
    }

    /// The failure that a block tells of, if it does.
    pub fn in_block(block: &Attributes) -> Option<Self> {
        let word = block.get(key::ERROR)?;
        let code = Code::from_word(&String::from_utf8_lossy(word));
        let message = block.get(key::MESSAGE).filter(|message| !message.is_empty()).map(String::from_utf8_lossy);
        Some(Self::new(code, message.unwrap_or_else(|| "the daemon gave no reason".into())))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A request with its action; attributes are added with [`Attributes::push`].
pub fn request(action: &str) -> Attributes {
    Attributes::new().with(key::ACTION, action)
}

/// A message as it goes over the wire: the lines and the empty line that ends them.
pub fn frame(message: &Attributes) -> Vec<u8> {
    let mut bytes = message.to_bytes();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_wire() {
        for (code, _, _) in Code::ALL {
            let failure = Failure::new(code, "what\nhappened");
            assert_eq!(Failure::in_block(&failure.to_block()), Some(failure));
        }
    }

    #[test]
    fn a_code_of_a_newer_daemon_is_a_plain_failure() {
        assert_eq!(Code::from_word("on-fire"), Code::Failed);
    }
}
