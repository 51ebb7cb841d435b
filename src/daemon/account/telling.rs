//! What an account has to tell its person without being asked, and when that has gone.

use super::logins::{Held, Logins, Spare};
use super::work::Done;
use crate::credential::printable;
use crate::daemon::clock::Timestamp;
use crate::daemon::notices::Cause;
use crate::daemon::profile::Profile;
use crate::daemon::renewal::Renewal;
use crate::daemon::store::{Kind, Slot};
use crate::protocol::State;

/// A token that can't be renewed is told of a week before its end, in seconds: time for a person
/// who is away for some days.
const EXPIRES_SOON: i64 = 7 * 86_400;

/// A server's reason is a sentence.
const LONGEST_REASON: usize = 300;

/// Everything that is wrong now, in sentences: what happened, to which account, the one command.
pub(super) fn present(profile: &Profile, logins: &Logins, place: &str, now: Timestamp) -> Vec<(Cause, String)> {
    let (who, link) = (profile.who(), profile.link_command());
    match logins {
        Logins::Unread => Vec::new(),
        Logins::Absent(why) if why.needs_link() => {
            let text = format!("The tokens of {who} were in {place}, but {why}; to link it again: {link}");
            vec![(Cause::Gone, text)]
        }
        Logins::Absent(_) => Vec::new(), // it may pass
        Logins::Held(held) => {
            let (state, why) = held.state(place, false, now);
            let why = printable(&why, LONGEST_REASON);
            let mut found = Vec::new();
            match state {
                State::Relink => {
                    let text = format!("The login of {who} has ended: {why}; to link it again: {link}");
                    return vec![(Cause::Ended, text)];
                }
                State::Unsaved => {
                    let text = format!("{who}: {why}; if that can't be mended: {link} --store file");
                    found.push((Cause::Unsaved, text));
                }
                _ => {}
            }
            if let (Some(Spare::Ended(why)), Some(slot)) = (held.spare(now), ended_slot(held, now)) {
                let why = printable(&why, LONGEST_REASON);
                let text = format!(
                    "One of the two logins of {who} has ended, and the other one serves: {why}; \
                     for a new spare: {link} --spare"
                );
                found.push((Cause::Spare(slot), text));
            }
            if let Some(end) = short_end(profile, held, now) {
                let end = end.for_people(now);
                let text = format!("The personal access token of {who} ends {end}; for a new one: {link}");
                found.push((Cause::Expiring, text));
            }
            found
        }
    }
}

/// What a piece of work that ended proves to be over, unless it is still [`present`]. That nothing
/// is wrong is no proof: a daemon that has just started does not know yet.
pub(super) fn over_after(done: &Done) -> Vec<Cause> {
    match done {
        Done::Loaded(_) => vec![Cause::Gone, Cause::Expiring],
        Done::Renewed(slot, Renewal::Renewed(_) | Renewal::Adopted(_)) => {
            vec![Cause::Ended, Cause::Gone, Cause::Unsaved, Cause::Spare(*slot)]
        }
        Done::Renewed(slot, Renewal::Unsaved(..)) => vec![Cause::Ended, Cause::Gone, Cause::Spare(*slot)],
        Done::Saved(_, Ok(())) => vec![Cause::Unsaved],
        Done::Renewed(..) | Done::Verified(..) | Done::Saved(..) => Vec::new(),
    }
}

/// The login that has ended, or that the store has lost, while the other one serves.
fn ended_slot(held: &Held, now: Timestamp) -> Option<Slot> {
    let ended = held.all().find(|login| login.schedule.ended(now).is_some());
    let lost = || Slot::ALL.into_iter().find(|slot| held.get(*slot).is_none());
    ended.map(|login| login.slot).or_else(lost)
}

/// The near end of a token that nothing follows.
fn short_end(profile: &Profile, held: &Held, now: Timestamp) -> Option<Timestamp> {
    let record = &held.in_use().record;
    let lasting = profile.kind == "token" && record.kind != Kind::Rotating && record.refresh_token.is_none();
    let end = held.in_use().record.expires_at.filter(|_| lasting)?;
    (end.since(now) <= EXPIRES_SOON).then_some(end)
}
