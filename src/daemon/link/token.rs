//! A token that the person made, where OAuth is not allowed: looked at, and kept if git can use it.

use std::sync::Arc;

use super::identity::taken_on_your_word;
use super::linker::{Linker, Purpose};
use crate::credential::Attributes;
use crate::daemon::account::end_of_token;
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::{Facts, Own, TokenKind, Trouble, User, could_be_token, no_token_for_git};
use crate::daemon::profile::{ByHand, Linked, Profile, ROTATING_SCOPES};
use crate::daemon::schedule::warning;
use crate::daemon::secret::Secret;
use crate::daemon::store::{Kind, Record};
use crate::label;
use crate::protocol::{Code, Failure};
use crate::rights::Rights;

/// What was found out of a token.
struct Found {
    user: User,
    kind: TokenKind,
    /// What the server says of it, if it does.
    facts: Option<Facts>,
    /// What the person is told.
    notes: Vec<String>,
}

/// Looks at a token, and makes an account of it.
pub(super) async fn link(linker: &Arc<Linker>, token: Secret) -> Result<Arc<Profile>, Failure> {
    let Found { user, kind, facts, mut notes } = look_at(linker, &token).await?;
    let (now, plan) = (Timestamp::now(), &linker.plan);
    let (mut record, scopes) = record(token, facts, plan.rotate, now);
    plan.add_secrets(&mut record);
    let mut block = Attributes::new().with("flow", "token");
    match record.expires_at {
        Some(_) if record.kind == Kind::Rotating => notes.push(format!(
            "It will be renewed by itself before it ends; your own copy of it stops working then. To prevent that: git \
             config --global credential.{}.gitlabRotate false, and link again.",
            plan.instance
        )),
        Some(end) if warning(end.since(now)).is_some() => block.push("warning", end_of_token(end, now)),
        _ => {}
    }
    notes.iter().for_each(|note| block.push("note[]", note));
    linker.say(block).await;
    let by_hand = Some(ByHand { kind, rotate: plan.rotate });
    let linked = Linked { by_hand, ..plan.linked(user, scopes) };
    let keeper = linker.clone();
    linker.to_its_end(async move { keeper.keep_account(linked, record).await }).await
}

/// The token as it is kept, and its scopes.
fn record(token: Secret, facts: Option<Facts>, rotate: bool, now: Timestamp) -> (Record, Vec<String>) {
    let Some(Facts { scopes, created_at, expires_at, .. }) = facts else {
        return (Record::made_by_hand(token, Kind::Fixed, now, None), Vec::new());
    };
    let may_rotate = scopes.iter().any(|scope| ROTATING_SCOPES.contains(&scope.as_str()));
    let rotates = rotate && may_rotate && expires_at.is_some();
    let kind = if rotates { Kind::Rotating } else { Kind::Fixed };
    // The server's clock may be ahead of ours.
    let made_at = created_at.map_or(now, |at| at.min(now));
    (Record::made_by_hand(token, kind, made_at, expires_at), scopes)
}

/// What can be known of a token without a login of git, which could count as a failed one.
async fn look_at(linker: &Linker, token: &Secret) -> Result<Found, Failure> {
    let refused = |code, why: &str| linker.failure(&Purpose::Link, code, why);
    if !could_be_token(token.expose()) {
        return Err(refused(Code::Usage, "what was given is no token: it is too long, or has blanks in it"));
    }
    if let Some(what) = no_token_for_git(token.expose()) {
        let text = format!("what was given is {what}; it takes a personal, project, group or deploy token");
        return Err(refused(Code::Usage, &text));
    }
    if TokenKind::is_deploy(token.expose(), linker.plan.account.as_deref()) {
        return deploy_token(linker).await;
    }
    let unknown = || {
        let place = TokenKind::Personal.place(&linker.plan.instance);
        refused(
            Code::Refused,
            &format!("the server knows no such token: it is mistyped, revoked or expired; for a new one: {place}"),
        )
    };
    let failed = |trouble: Trouble| linker.failed(&Purpose::Link, &trouble);
    let facts = match linker.gitlab.own_token(token).await.map_err(failed)? {
        Own::Known(facts) => Some(facts),
        Own::Untold => None,
        Own::Dead => return Err(unknown()),
    };
    if let Some(facts) = facts.as_ref().filter(|facts| !allow_git(&facts.scopes)) {
        let text = format!(
            "the token's scopes ({}) allow git nothing; make one with read_repository, or to push with \
             write_repository: {}",
            facts.scopes.join(", "),
            TokenKind::Personal.place(&linker.plan.instance),
        );
        return Err(refused(Code::Refused, &text));
    }
    let mut notes = Vec::new();
    let user = match linker.gitlab.user_of(token).await {
        Ok(Some(user)) => expected(linker, user)?,
        Ok(None) => nameless(linker, facts.as_ref(), &mut notes)?,
        Err(Trouble::Refused { error, .. }) if error == "401" => return Err(unknown()),
        Err(trouble) => return Err(failed(trouble)),
    };
    let kind = TokenKind::of_user(&user.username);
    if kind != TokenKind::Personal {
        notes.push(format!("This is a {}; git acts as the bot {}.", kind.name(), user.username));
    }
    if facts.is_none() {
        notes.push("The server does not say what the token may do, nor when it ends (GitLab does since 15.5).".into());
    }
    Ok(Found { user, kind, facts, notes })
}

fn allow_git(scopes: &[String]) -> bool {
    Rights::of(scopes.iter().map(String::as_str)).git()
}

/// The owner, if it is the one that was asked for.
fn expected(linker: &Linker, user: User) -> Result<User, Failure> {
    match &linker.plan.account {
        Some(name) if !name.eq_ignore_ascii_case(&user.username) => {
            let text = format!("the token is one of {}, and {name} was asked for", user.username);
            Err(linker.failure(&Purpose::Link, Code::Relink, &text))
        }
        _ => Ok(user),
    }
}

/// The owner of a token whose scopes don't allow to ask for the name. What is not known is taken on
/// the person's word.
fn nameless(linker: &Linker, facts: Option<&Facts>, notes: &mut Vec<String>) -> Result<User, Failure> {
    let id = facts.and_then(|facts| facts.user_id);
    match (name(linker)?, id) {
        (Some(username), id) => {
            notes.push(taken_on_your_word(&username));
            Ok(User { id: id.unwrap_or_default(), username, name: String::new() })
        }
        (None, Some(id)) => Ok(User::nameless(id)),
        (None, None) => {
            let text = "the server does not say whose token it is; say it with --account NAME";
            Err(linker.failure(&Purpose::Link, Code::Usage, text))
        }
    }
}

async fn deploy_token(linker: &Linker) -> Result<Found, Failure> {
    let Some(username) = name(linker)? else {
        let text = "this is a deploy token, which works with its own user name only: give that with --account \
                    gitlab+deploy-token-NUMBER (GitLab showed it with the token)";
        return Err(linker.failure(&Purpose::Link, Code::Usage, text));
    };
    linker.greet().await?;
    let note = format!(
        "This is a deploy token, for git as {username}. The server can't be asked about it: whether it lives, what it \
         may do and when it ends will show when git uses it."
    );
    let user = User { id: 0, username, name: String::new() };
    Ok(Found { user, kind: TokenKind::Deploy, facts: None, notes: vec![note] })
}

/// The name that the person gave. It becomes part of a file's name, so it has to be one.
fn name(linker: &Linker) -> Result<Option<String>, Failure> {
    let Some(name) = &linker.plan.account else { return Ok(None) };
    match label::is_username(name) {
        true => Ok(Some(name.clone())),
        false => {
            let text = format!("{name} is no user name: those have letters, digits and . _ - + only");
            Err(linker.failure(&Purpose::Link, Code::Usage, &text))
        }
    }
}
