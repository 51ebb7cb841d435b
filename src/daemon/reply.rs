//! What the daemon says of accounts: to git, and to people.

use super::account::{Account, HandOut, Refusal, Spare, Status};
use super::accounts::Unlinked;
use super::clock::Timestamp;
use super::gitlab::GitLab;
use super::profile::Profile;
use super::schedule::Reason;
use super::store::StoreError;
use crate::credential::{Attributes, printable};
use crate::protocol::{Code, Failure};

/// A token as git wants it.
pub fn credential(account: &Account, hand_out: HandOut, request: &Attributes) -> Attributes {
    let mut block = Attributes::new();
    let authtype = request.list("capability[]").contains(&&b"authtype"[..]);
    if authtype {
        block.push("capability[]", "authtype");
    }
    block.push("username", account.profile.git_username());
    block.push("password", hand_out.token.expose());
    if let Some(end) = hand_out.expires_at {
        block.push("password_expiry_utc", end.0.to_string());
    }
    if authtype {
        block.push("ephemeral", "1"); // a cache further down the chain must not keep it
    }
    block
}

/// What a person reads when git gets nothing: what happened, to which account, what to type.
pub fn refused(account: &Account, refusal: Refusal) -> Failure {
    let (who, link) = (account.profile.who(), account.profile.link_command());
    match refusal {
        Refusal::Schedule(Reason::Relink(why)) => {
            Failure::new(Code::Relink, format!("the login of {who} has ended: {why}; to link it again: {link}"))
        }
        Refusal::Schedule(Reason::Failed(why, again_at)) => {
            Failure::new(Code::Unreachable, for_now(&who, &why, again_at))
        }
        Refusal::Schedule(Reason::Disbelieved(why, again_at)) => {
            let text =
                format!("{}; that may pass; to link it again if it lasts: {link}", for_now(&who, &why, again_at));
            Failure::new(Code::Unreachable, text)
        }
        Refusal::Schedule(Reason::Paused(until)) => {
            let wait = until.since(Timestamp::now()).max(1);
            let text = format!(
                "no token for {who}: the server refused several logins within a minute; pausing for {wait} s, \
                 before it bans this address; to see more: git credential-gitlab doctor"
            );
            Failure::new(Code::Refused, text)
        }
        Refusal::Store(StoreError::VaultLocked) => {
            let text = format!("the tokens of {who} are locked; to unlock them: git credential-gitlab vault unlock");
            Failure::new(Code::Locked, text)
        }
        Refusal::Store(why) => {
            let place = account.vault.place();
            match why.needs_link() {
                true => Failure::new(
                    Code::Relink,
                    format!("the tokens of {who} were in {place}, but {why}; to link it again: {link}"),
                ),
                false => Failure::new(Code::Store, format!("no token for {who}: its tokens are in {place}, but {why}")),
            }
        }
        Refusal::Ending => {
            let text =
                format!("no token for {who}: it is being changed, or the daemon is ending; try again in a moment");
            Failure::new(Code::Failed, text)
        }
    }
}

fn for_now(who: &str, why: &str, again_at: Timestamp) -> String {
    let (why, wait) = (why.trim_end_matches('.'), again_at.since(Timestamp::now()).max(1));
    format!("no token for {who} for now (it is tried again in {wait} s): {why}")
}

/// An account that is forgotten here, and what is left of it at the server.
pub fn unlinked(profile: &Profile, unlinked: Unlinked) -> Attributes {
    let revoked = if unlinked == Unlinked::Revoked { "1" } else { "0" };
    let mut block = Attributes::new()
        .with("host", profile.instance.to_string())
        .with("username", &profile.username)
        .with("label", profile.label())
        .with("revoked", revoked);
    let left = match (unlinked, profile.by_hand) {
        (Unlinked::Revoked, _) | (Unlinked::Kept, None) => None,
        (Unlinked::Unreadable, None) => {
            let (name, place) = (&profile.username, GitLab::applications_page(&profile.instance));
            Some(format!(
                "what {name} granted was not revoked at the server, because its tokens can't be read; \
                 to revoke it: {place}"
            ))
        }
        (Unlinked::Kept | Unlinked::Unreadable, Some(token)) => {
            let (name, place) = (token.kind.name(), token.kind.place(&profile.instance));
            Some(format!("the {name} still works at the server; to revoke it: {place}"))
        }
    };
    left.iter().for_each(|left| block.push("not_revoked", left));
    block
}

/// An account in `status`.
pub fn account_status(account: &Account, status: &Status) -> Attributes {
    let profile = &account.profile;
    let mut block = Attributes::new()
        .with("host", profile.instance.to_string())
        .with("username", &profile.username)
        .with("label", profile.label())
        .with("read_only", if profile.read_only { "1" } else { "0" })
        .with("user_id", profile.user_id.to_string())
        .with("name", &profile.name)
        .with("scope", profile.scopes.join(" "))
        .with("kind", &profile.kind)
        .with("client_id", &profile.client_id)
        .with("store", account.vault.kind().word())
        .with("store_place", account.vault.place())
        .with("state", status.state.word())
        .with("detail", &status.detail)
        .with("serves", if status.serves { "1" } else { "0" })
        .with("refused", if status.refused { "1" } else { "0" })
        .with("linked_at", profile.linked_at.0.to_string())
        .with("renewals", status.renewals.to_string());
    let times = [("expires_at", status.expires_at), ("last_used_at", status.last_used_at)];
    match &status.spare {
        None => {}
        Some(Spare::Ready) => block.push("spare", "ready"),
        Some(Spare::Ended(why)) => {
            block.push("spare", "ended");
            block.push("spare_detail", printable(why, 300));
        }
    }
    if let Some(token) = profile.by_hand {
        block.push("token_kind", token.kind.word());
        block.push("token_name", token.kind.name());
        block.push("renewal", profile.renewal(status.kind, status.expires_at.is_some()).unwrap_or_default());
    }
    for (name, time) in times.into_iter().filter_map(|(name, time)| Some((name, time?))) {
        block.push(name, time.0.to_string());
    }
    block
}
