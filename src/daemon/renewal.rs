//! One renewal, from the lease to the durable pair.
//!
//! The order is the promise. Read the pair again: another daemon may have renewed it. Write the
//! mark: a store that can't be written must not cost the refresh token. Spend the token once.
//! Save the new pair before anybody sees it.

use super::clock::Timestamp;
use super::gitlab::{GitLab, Trouble};
use super::places::Places;
use super::store::{Prompt, Record, StoreError, Vault};

/// How a renewal ended.
#[derive(Debug)]
pub enum Renewal {
    /// A new pair, saved.
    Renewed(Record),
    /// A new pair that could not be saved: it lives in memory until it can.
    Unsaved(Record, StoreError),
    /// Somebody else renewed it; nothing was spent.
    Adopted(Record),
    /// The store could not be read or written, or has no such pair; nothing was spent.
    Store(StoreError),
    /// The server was not reached, or refused.
    Failed(Trouble),
}

/// Renews the pair `held`. `unsaved`: it is newer than what the store has.
pub async fn renew(places: &Places, vault: &Vault, gitlab: &GitLab, id: &str, held: Record, unsaved: bool) -> Renewal {
    let _lease = match places.lease(id).await {
        Ok(lease) => lease,
        Err(why) => return Renewal::Store(StoreError::Unavailable(format!("no lease on the account: {why}"))),
    };
    let stored = match vault.load(id).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Renewal::Store(StoreError::Gone),
        Err(why) => return Renewal::Store(why),
    };
    let newer = match unsaved {
        true => stored.received_at > held.received_at,
        false => stored.access_token != held.access_token,
    };
    if newer {
        return Renewal::Adopted(stored);
    }
    let Some(refresh_token) = held.refresh_token.clone() else {
        return Renewal::Failed(Trouble::Refused {
            error: "no_refresh_token".into(),
            why: "it has no end and was revoked".into(),
        });
    };
    let marked = held.marked(Timestamp::now());
    if let Err(why) = vault.save(id, &marked, Prompt::Forbidden).await {
        return Renewal::Store(why);
    }
    let grant = match gitlab.refresh(&refresh_token).await {
        Ok(grant) => grant,
        Err(trouble) => return Renewal::Failed(trouble),
    };
    let pair = Record::new(grant.access_token, grant.refresh_token, Timestamp::now(), grant.expires_in);
    let renewed = marked.renewed(pair);
    match vault.save(id, &renewed, Prompt::Forbidden).await {
        Ok(()) => Renewal::Renewed(renewed),
        Err(why) => Renewal::Unsaved(renewed, why),
    }
}
