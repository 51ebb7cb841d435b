//! One renewal, from the lease to the durable pair.
//!
//! The order is the promise. Read the pair again: another daemon may have renewed it. Write the
//! mark: a store that can't be written must not cost the refresh token. Spend the token once.
//! Save the new pair before anybody sees it.
//!
//! A token that is exchanged itself goes the same way, with one question more: whether it lives. If
//! another machine has exchanged it, GitLab would take a second exchange for theft, and revoke what
//! that machine has.

use super::clock::Timestamp;
use super::fault;
use super::gitlab::{GitLab, Liveness, Trouble};
use super::places::Places;
use super::schedule::next_end;
use super::secret::{Mark, Secret};
use super::store::{Kind, NotSaved, Prompt, Record, Slot, StoreError, Vault};

/// The status with which GitLab refuses a token that it does not know, or not any more.
const DEAD: &str = "401";

/// How a renewal ended.
#[derive(Debug)]
pub enum Renewal {
    /// A new pair, saved.
    Renewed(Record),
    /// A new pair that could not be saved: it lives in memory until it can.
    Unsaved(Record, NotSaved),
    /// Somebody else renewed it; nothing was spent.
    Adopted(Record),
    /// The server does not exchange this token, and the record says so now.
    Fixed(Record, Trouble),
    /// The store could not be read or written, or has no such pair; nothing was spent.
    Store(StoreError),
    /// The server was not reached, or refused.
    Failed(Trouble),
}

/// Renews the pair `held` of an account's login, which came after the access token `replaced`. The store
/// may still have that one, or have it again (a backup that was played back): it is spent.
pub async fn renew(
    places: &Places,
    vault: &Vault,
    gitlab: &GitLab,
    id: &str,
    slot: Slot,
    held: Record,
    replaced: Option<Mark>,
) -> Renewal {
    let lease = match places.lease(id).await {
        Ok(lease) => lease,
        Err(why) => return Renewal::Store(StoreError::Unavailable(format!("no lease on the account: {why}"))),
    };
    let done = renew_leased(vault, gitlab, id, slot, held, replaced).await;
    if !matches!(done, Renewal::Renewed(_) | Renewal::Adopted(_)) {
        vault.keep_until_done(lease);
    }
    done
}

async fn renew_leased(
    vault: &Vault,
    gitlab: &GitLab,
    id: &str,
    slot: Slot,
    held: Record,
    replaced: Option<Mark>,
) -> Renewal {
    let entry = &slot.entry(id);
    let stored = match vault.load(entry).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Renewal::Store(StoreError::Gone),
        Err(why) => return Renewal::Store(why),
    };
    if !held.may_replace(&stored, replaced) {
        return Renewal::Adopted(stored);
    }
    let spent = match spendable(gitlab, &held).await {
        Ok(spent) => spent,
        Err(trouble) => return Renewal::Failed(trouble),
    };
    fault::point("before-mark");
    let now = Timestamp::now();
    let before = match spent {
        // The time of an answer that was lost earlier stays: it is what a person will be told.
        Spent::RefreshToken(_) => stored.refreshing_since,
        // The server has just said that nothing was lost.
        Spent::Itself => None,
    };
    let marked = held.clone().marked(before.unwrap_or(now));
    if let Err(why) = vault.save(entry, &marked, Prompt::Forbidden).await {
        return Renewal::Store(why);
    }
    fault::point("after-mark");
    let pair = match spent {
        Spent::RefreshToken(token) => refreshed(gitlab, &token).await,
        Spent::Itself => rotated(gitlab, &held, now).await,
    };
    let pair = match pair {
        Ok(pair) => pair,
        Err(trouble) => return failed(vault, entry, held, before.is_some(), trouble).await,
    };
    fault::point("after-answer");
    let renewed = marked.renewed(pair);
    match vault.save(entry, &renewed, Prompt::Forbidden).await {
        Ok(()) => {
            fault::point("after-save");
            Renewal::Renewed(renewed)
        }
        Err(why) => Renewal::Unsaved(renewed, NotSaved { why, replaces: held.access_token.mark() }),
    }
}

/// What buys the next token.
enum Spent {
    RefreshToken(Secret),
    Itself,
}

async fn spendable(gitlab: &GitLab, held: &Record) -> Result<Spent, Trouble> {
    let refused = |error: &str, why: &str| Err(Trouble::Refused { error: error.into(), why: why.into() });
    match (held.kind, &held.refresh_token) {
        (Kind::Rotating, _) => match gitlab.token_lives(&held.access_token).await.map_err(Trouble::of_question)? {
            Liveness::Dead => refused(DEAD, "the server says that the token is dead"),
            _ => Ok(Spent::Itself),
        },
        (_, Some(refresh_token)) => Ok(Spent::RefreshToken(refresh_token.clone())),
        (_, None) => refused("no_refresh_token", "it has no end and was revoked"),
    }
}

async fn refreshed(gitlab: &GitLab, refresh_token: &Secret) -> Result<Record, Trouble> {
    let grant = gitlab.refresh(refresh_token).await?;
    // An answer without one leaves the old one as it is (RFC 6749, section 6).
    let next = grant.refresh_token.unwrap_or_else(|| refresh_token.clone());
    Ok(Record::new(grant.access_token, Some(next), Timestamp::now(), grant.expires_in))
}

async fn rotated(gitlab: &GitLab, held: &Record, now: Timestamp) -> Result<Record, Trouble> {
    let end = next_end(now, held.received_at, held.expires_at.unwrap_or(now));
    let next = gitlab.rotate(&held.access_token, end).await?;
    Ok(Record::made_by_hand(next.token, held.kind, Timestamp::now(), next.expires_at))
}

/// The server gave nothing. If nothing was spent either, the next daemon need not wonder, and the
/// mark goes, unless it was there before. If it stays all the same, the server is asked once more
/// than it must.
async fn failed(vault: &Vault, entry: &str, held: Record, was_marked: bool, trouble: Trouble) -> Renewal {
    match &trouble {
        Trouble::Refused { error, .. } if held.kind == Kind::Rotating && error != DEAD => {
            let fixed = held.fixed();
            let _ = vault.save(entry, &fixed, Prompt::Forbidden).await;
            return Renewal::Fixed(fixed, trouble);
        }
        Trouble::Transient { lost: true, .. } => {}
        _ if was_marked => {}
        _ => drop(vault.save(entry, &held.unmarked(), Prompt::Forbidden).await),
    }
    Renewal::Failed(trouble)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::gitlab::{Endpoints, Network};
    use crate::daemon::secret::Secret;
    use crate::daemon::store::StoreKind;
    use gitlab_stand_in::{Application, StandIn};

    /// One daemon's view: its own store, its own connection, its own idea of the pair.
    struct Daemon {
        places: Places,
        vault: Vault,
        gitlab: GitLab,
        held: Record,
    }

    impl Daemon {
        /// Renews as an actor does; true if it was this one that spent the refresh token.
        async fn renew(&mut self) -> bool {
            match renew(&self.places, &self.vault, &self.gitlab, "alice", Slot::First, self.held.clone(), None).await {
                Renewal::Renewed(record) => {
                    self.held = record;
                    true
                }
                Renewal::Adopted(record) => {
                    self.held = record;
                    false
                }
                other => panic!("the link is lost: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn two_daemons_and_a_thousand_expiries_never_spend_a_refresh_token_twice() {
        let server = StandIn::builder().start();
        server.add_user("alice", "Alice");
        let application = server.add_application(Application::default());
        let pair = server.issue_tokens("alice", &application.client_id, "read_api");
        let directory = tempfile::tempdir().expect("a directory");
        let places = Places::at(directory.path());
        std::fs::create_dir_all(places.tokens()).expect("made");
        let record = Record::new(
            Secret::new(pair.access_token),
            Some(Secret::new(pair.refresh_token)),
            Timestamp::now(),
            Some(7200),
        );
        let daemon = || {
            let instance = server.url().parse().expect("an address");
            let gitlab =
                GitLab::new(instance, application.client_id.clone(), None, Endpoints::default(), Network::default());
            let vault = Vault::open(StoreKind::File, &places.tokens());
            Daemon { places: places.clone(), vault, gitlab, held: record.clone() }
        };
        let (mut one, mut two) = (daemon(), daemon());
        one.vault.save("alice", &record, Prompt::Forbidden).await.expect("saved");
        for expiry in 1..=1000 {
            // Both find the token expired at the same moment.
            let spent = tokio::join!(one.renew(), two.renew());
            assert!(spent.0 != spent.1, "one spends, the other adopts");
            assert_eq!(one.held.access_token, two.held.access_token);
            assert_eq!(server.token_requests(), expiry);
        }
        assert_eq!(server.live_pairs("alice"), 1);
    }
}
