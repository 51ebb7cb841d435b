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
        Step::Serve | Step::Verify => false,
        Step::Renew => true,
        // A server that can't be reached concerns both.
        Step::Refuse(_) => in_use.is_refused(),
    };
    let Some(spare) = spare.filter(|_| can_help) else { return (Turn::InUse, own) };
    match spare.on_get(now, min_life) {
        // The spare may recover, and meanwhile nobody's token is killed.
        Step::Refuse(_) if spare.can_be_renewed() && in_use.is_alive(now) => (Turn::InUse, Step::Serve),
        // It is refused, so the server is there, and nobody uses the old token any more.
        Step::Refuse(_) if spare.is_refused() && own == Step::Renew => (Turn::InUse, own),
        Step::Refuse(Reason::Relink(_)) => (Turn::InUse, own),
        step => (Turn::Spare, step),
    }
}

/// When to look again without being asked; `None`: never.
pub fn wake_at(in_use: &Schedule, spare: Option<&Schedule>) -> Option<Timestamp> {
    let Some(spare) = spare.filter(|spare| spare.can_be_renewed()) else { return in_use.wake_at() };
    let check_at = in_use.retry_at().filter(|_| in_use.needs_check());
    // A spare in trouble is tried again in its own time, and then takes its turn.
    let next = spare.retry_at().or(in_use.short_at());
    [check_at, next].into_iter().flatten().min()
}

/// The timer rings: what is to be done, if anything.
pub fn on_timer(in_use: &Schedule, spare: Option<&Schedule>, now: Timestamp) -> Option<(Turn, Step)> {
    let due = |at: Option<Timestamp>| at.is_some_and(|at| now >= at);
    let Some(spare) = spare.filter(|spare| spare.can_be_renewed()) else {
        return in_use.on_timer(now).map(|step| (Turn::InUse, step));
    };
    if in_use.needs_check() && due(in_use.retry_at()) {
        return Some((Turn::InUse, Step::Verify));
    }
    if spare.retry_at().is_some() {
        return spare.on_timer(now).map(|step| (Turn::Spare, step));
    }
    let step = due(in_use.short_at()).then(|| spare.on_get(now, None))?;
    Some((Turn::Spare, step)).filter(|(_, step)| !matches!(step, Step::Refuse(_)))
}
