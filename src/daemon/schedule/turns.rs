//! Two logins of one account that take turns.
//!
//! A renewal kills the access token it replaces, under the feet of who uses it; and if its answer
//! is lost, the login is lost. A spare login takes the sting out of both. When too little is left
//! of the token in use, the *other* login is renewed, whose token is in nobody's hands, and takes
//! its turn; the first one's token lives on to its end. And a login that is lost leaves the other.
//!
//! Which of the two is in use is the caller's affair: whoever is told to serve the spare's token
//! lets them change places first, and whoever has renewed one puts that one in use.

use super::{Reason, Schedule, Step};
use crate::daemon::clock::Timestamp;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The login whose token is handed out.
    InUse,
    /// The one that rests, if the person wanted one.
    Spare,
}

/// Somebody asks for a token that lives `min_life` seconds, or as long as usual.
pub fn on_get(in_use: &Schedule, spare: Option<&Schedule>, now: Timestamp, min_life: Option<i64>) -> (Turn, Step) {
    let own = in_use.on_get(now, min_life);
    let can_help = match own {
        Step::Verify => false,
        Step::Renew => true,
        // What is left of a token that can't be renewed is the second best.
        Step::Serve => !in_use.lasts(now, min_life),
        Step::Refuse(Reason::Relink(_)) => true,
        // A server that can't be reached concerns both.
        Step::Refuse(_) => in_use.is_refused(),
    };
    let Some(spare) = spare.filter(|_| can_help) else { return (Turn::InUse, own) };
    match spare.on_get(now, min_life) {
        // It can't be renewed now, and what is left of the one is as good as that of the other.
        Step::Serve if in_use.is_alive(now) && !spare.lasts(now, min_life) => (Turn::InUse, Step::Serve),
        // Nobody can be using a token that is dead, but somebody may still be using the other.
        Step::Renew if own == Step::Renew && spare.is_alive(now) && !in_use.is_alive(now) => (Turn::InUse, own),
        // The spare may recover, and meanwhile nobody's token is killed.
        Step::Refuse(_) if spare.can_be_renewed(now) && in_use.is_alive(now) => (Turn::InUse, Step::Serve),
        // It is refused, so the server is there, and nobody uses the old token any more.
        Step::Refuse(_) if spare.is_refused() && own == Step::Renew => (Turn::InUse, own),
        Step::Refuse(Reason::Relink(_)) => (Turn::InUse, own),
        step => (Turn::Spare, step),
    }
}

/// When to look again without being asked; `None`: never.
///
/// A spare is renewed when its turn has come, and not before, whatever state it is in: then the
/// two tokens end far apart, and none is in use when it is its login's turn to be renewed.
pub fn wake_at(in_use: &Schedule, spare: Option<&Schedule>, now: Timestamp) -> Option<Timestamp> {
    let Some(spare) = spare else { return in_use.wake_at(now) };
    if !spare.can_be_renewed(now) {
        return [in_use.wake_at(now), spare.retry_at(now)].into_iter().flatten().min();
    }
    [check_at(in_use, now), check_at(spare, now), turn_at(in_use, spare, now)].into_iter().flatten().min()
}

/// The timer rings: what is to be done, if anything.
pub fn on_timer(in_use: &Schedule, spare: Option<&Schedule>, now: Timestamp) -> Option<(Turn, Step)> {
    let due = |at: Option<Timestamp>| at.is_some_and(|at| now >= at);
    let Some(spare) = spare else { return in_use.on_timer(now).map(|step| (Turn::InUse, step)) };
    if !spare.can_be_renewed(now) {
        // It has ended, and is tried once more.
        let again = || due(spare.retry_at(now)).then_some((Turn::Spare, Step::Renew));
        return in_use.on_timer(now).map(|step| (Turn::InUse, step)).or_else(again);
    }
    if due(check_at(in_use, now)) {
        return Some((Turn::InUse, Step::Verify));
    }
    if due(check_at(spare, now)) {
        return Some((Turn::Spare, Step::Verify));
    }
    if !due(turn_at(in_use, spare, now)) {
        return None;
    }
    match on_get(in_use, Some(spare), now, None) {
        (Turn::InUse, Step::Serve) | (_, Step::Refuse(_)) => None,
        turn => Some(turn),
    }
}

/// When the spare's turn comes: when the other has too little left, but not while either is in a
/// trouble that has its own time.
fn turn_at(in_use: &Schedule, spare: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let short_at = in_use.short_at()?;
    [Some(short_at), in_use.retry_at(now), spare.retry_at(now)].into_iter().max().flatten()
}

/// When to ask about a token without being asked; that kills nothing.
fn check_at(login: &Schedule, now: Timestamp) -> Option<Timestamp> {
    login.retry_at(now).filter(|_| login.needs_check(now))
}
