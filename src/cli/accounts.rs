//! What the daemon says about itself and its accounts.

use std::time::Duration;

use super::call::{self, Reply, needed, number, text};
use super::error::Error;
use crate::absent;
use crate::client::Start;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{self, Code, Failure, State, action, key};

/// The answer to `action=status`.
#[derive(Debug)]
pub(super) struct Accounts {
    pub(super) accounts: Vec<Account>,
    pub(super) daemon: Daemon,
    /// Sentences about state files that could not be read.
    pub(super) problems: Vec<String>,
}

/// The daemon that answered.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) pid: u32,
    pub(super) version: String,
    pub(super) socket: String,
}

/// One linked account. Times are Unix seconds.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// The base URL.
    pub(super) host: String,
    pub(super) username: String,
    /// Its name among the person's accounts: `alice`, or `alice+read-only`.
    pub(super) label: String,
    pub(super) read_only: bool,
    pub(super) user_id: u64,
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    /// `oauth`, or `token` for one that the person made.
    pub(super) kind: String,
    /// Of such a token `personal`, `project`, `group` or `deploy`, and the same for people.
    pub(super) token_kind: Option<String>,
    pub(super) token_name: String,
    /// Whether such a token is renewed: a sentence, if that is known.
    pub(super) renewal: String,
    pub(super) client_id: String,
    pub(super) store: String,
    /// The end of a sentence: where the tokens are.
    pub(super) store_place: String,
    pub(super) state: State,
    /// What is wrong, if something is, or will soon be.
    pub(super) detail: String,
    /// Whether git would get a token that is there already.
    pub(super) serves: bool,
    /// Whether the server refuses to renew it.
    pub(super) refused: bool,
    /// What its owner must know even if nothing is wrong.
    pub(super) warning: String,
    pub(super) expires_at: Option<i64>,
    pub(super) linked_at: Option<i64>,
    pub(super) last_used_at: Option<i64>,
    pub(super) renewals: u64,
    /// `ready`, or `ended` if one of two logins has ended; none if no spare was wanted.
    pub(super) spare: Option<String>,
    /// Why one of the two has ended.
    pub(super) spare_detail: String,
    /// The groups and projects it serves, where the host has several accounts.
    pub(super) paths: Vec<String>,
    pub(super) default: bool,
    /// What the person was told, and the state does not say.
    pub(super) notices: Vec<String>,
}

impl Accounts {
    /// Asks the daemon, which asks the servers only if `check` is set.
    pub(super) fn ask(host: Option<&Instance>, check: bool, start: Start) -> Result<Self, Error> {
        let within = if check { call::AFTER_ASKING_SERVERS } else { call::SOON };
        Self::ask_within(host, check, start, within)
    }

    /// The same for who can't wait so long.
    pub(super) fn ask_within(
        host: Option<&Instance>,
        check: bool,
        start: Start,
        within: Duration,
    ) -> Result<Self, Error> {
        let mut request = protocol::request(action::STATUS);
        if let Some(instance) = host {
            request.push("host", instance.to_string());
        }
        if check {
            request.push("check", "1");
        }
        let mut reply = Reply::to(&request, start, within)?;
        let mut accounts = Vec::new();
        while let Some(block) = reply.good_block()? {
            if !block.flag(key::DONE) {
                accounts.push(Account::in_block(&block)?);
                continue;
            }
            if let Some(instance) = host {
                accounts.retain(|account| account.instance().as_ref() == Some(instance));
            }
            let problems = block.list("problem[]").into_iter().map(lossy).collect();
            return Ok(Self { accounts, daemon: Daemon::in_block(&block)?, problems });
        }
        Err(Error::Incomplete(key::DONE))
    }

    /// The accounts of one GitLab.
    pub(super) fn of(&self, instance: &Instance) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(move |account| account.instance().as_ref() == Some(instance))
    }

    /// Their names.
    pub(super) fn labels(&self, instance: &Instance) -> Vec<&str> {
        self.of(instance).map(|account| account.label.as_str()).collect()
    }

    /// The GitLab that a command about linked accounts is for.
    pub(super) fn meant(&self, named: Option<&Instance>) -> Result<Instance, Failure> {
        match named {
            None if self.accounts.is_empty() && self.problems.is_empty() => {
                Err(Failure::new(Code::NotLinked, absent::NOTHING))
            }
            None => {
                let (usual, mut linked) = (self.usual_instance(), Vec::new());
                linked.extend(self.accounts.iter().map(|account| account.host.as_str()));
                linked.sort_unstable();
                linked.dedup();
                match linked.is_empty() || self.of(&usual).count() > 0 {
                    true => Ok(usual),
                    false => Err(Failure::new(Code::Usage, absent::which_of(&linked))),
                }
            }
            Some(instance) => Ok(instance.clone()),
        }
    }

    /// The GitLab that is meant where none is named: the only one that is linked, or gitlab.com.
    pub(super) fn usual_instance(&self) -> Instance {
        let mut linked: Vec<_> = self.accounts.iter().filter_map(Account::instance).collect();
        linked.sort();
        linked.dedup();
        match linked.as_slice() {
            [only] => only.clone(),
            _ => Instance::parse("gitlab.com").expect("a host name"),
        }
    }
}

impl Daemon {
    fn in_block(block: &Attributes) -> Result<Self, Error> {
        let pid = number(block, "pid").ok_or(Error::Incomplete("pid"))?;
        Ok(Self { pid, version: text(block, "version"), socket: text(block, "socket") })
    }
}

impl Account {
    pub(super) fn in_block(block: &Attributes) -> Result<Self, Error> {
        Ok(Self {
            host: needed(block, "host")?,
            username: needed(block, "username")?,
            label: label(block)?,
            read_only: block.flag("read_only"),
            user_id: number(block, "user_id").ok_or(Error::Incomplete("user_id"))?,
            name: text(block, "name"),
            scopes: text(block, "scope").split_ascii_whitespace().map(str::to_owned).collect(),
            kind: needed(block, "kind")?,
            token_kind: block.text("token_kind").map(str::to_owned),
            token_name: text(block, "token_name"),
            renewal: text(block, "renewal"),
            client_id: text(block, "client_id"),
            store: text(block, "store"),
            store_place: text(block, "store_place"),
            state: State::from_word(&needed(block, "state")?),
            detail: text(block, "detail"),
            serves: block.flag("serves"),
            refused: block.flag("refused"),
            warning: text(block, "warning"),
            expires_at: number(block, "expires_at"),
            linked_at: number(block, "linked_at"),
            last_used_at: number(block, "last_used_at"),
            renewals: number(block, "renewals").unwrap_or(0),
            spare: block.text("spare").map(str::to_owned),
            spare_detail: text(block, "spare_detail"),
            paths: block.list("path[]").into_iter().map(lossy).collect(),
            default: block.flag("default"),
            notices: block.list("notice[]").into_iter().map(lossy).collect(),
        })
    }

    /// The GitLab it belongs to.
    pub(super) fn instance(&self) -> Option<Instance> {
        Instance::parse(&self.host).ok()
    }

    /// Whether it has a token that the person made.
    pub(super) fn is_token(&self) -> bool {
        self.kind == "token"
    }

    /// The command that links an account there.
    pub(super) fn link_command(&self) -> String {
        let link = |instance: Instance| instance.link_command();
        self.instance().map_or_else(|| format!("git credential-gitlab link {}", self.host), link)
    }

    /// What to type to mean its GitLab.
    pub(super) fn short_host(&self) -> String {
        self.instance().map_or_else(|| self.host.clone(), |instance| instance.short())
    }
}

/// What people call the account that a block is about. Daemons before `use` don't say.
pub(super) fn label(block: &Attributes) -> Result<String, Error> {
    needed(block, "label").or_else(|_| needed(block, "username"))
}

fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// An account as the daemon describes it, for the tests of those who show it.
#[cfg(test)]
pub(super) fn example() -> Account {
    let block = Attributes::new()
        .with("host", "https://gitlab.example")
        .with("username", "alice")
        .with("user_id", "7")
        .with("name", "Alice Example")
        .with("scope", "read_api write_repository")
        .with("kind", "oauth")
        .with("client_id", "1a2b3c")
        .with("store", "keyring")
        .with("store_place", "the keyring (Secret Service)")
        .with("state", "ok")
        .with("detail", "")
        .with("expires_at", "1700007200")
        .with("linked_at", "1699913600")
        .with("renewals", "12")
        .with("path[]", "group/sub")
        .with("default", "1");
    Account::in_block(&block).expect("complete")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_not_invented() {
        let account = example();
        assert_eq!((account.last_used_at, account.expires_at), (None, Some(1_700_007_200)));
        assert_eq!(account.short_host(), "gitlab.example");
        let bare = Attributes::new().with("host", "https://gitlab.example");
        assert!(matches!(Account::in_block(&bare), Err(Error::Incomplete("username"))));
    }

    #[test]
    fn a_state_of_a_newer_daemon_is_kept_as_its_word() {
        assert_eq!(State::from_word("paused").word(), "paused");
        assert_eq!(State::from_word("relink"), State::Relink);
    }
}
