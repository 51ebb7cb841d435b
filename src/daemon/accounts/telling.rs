//! What a person was told of an account, for those who ask.

use super::Accounts;
use crate::daemon::account::{Account, Spare, Status};
use crate::daemon::clock::Timestamp;
use crate::daemon::log;
use crate::daemon::notices::{Cause, Notices};
use crate::protocol::{Code, Failure, State};

impl Accounts {
    /// What is noted of the accounts here.
    pub fn notices(&self) -> Notices {
        Notices::in_directory(self.places.notices())
    }

    /// What holds of an account and its status does not say.
    pub fn notices_beside(&self, account: &Account, status: &Status) -> Vec<String> {
        let is_said = |cause: Cause| match cause {
            Cause::Ended | Cause::Gone => status.state == State::Relink,
            Cause::Unsaved => status.state == State::Unsaved,
            Cause::Spare(_) => matches!(status.spare, Some(Spare::Ended(_))) || status.state == State::Relink,
            Cause::Expiring => status.state == State::Ok && !status.detail.is_empty(),
        };
        let now = Timestamp::now();
        let open = self.notices().open(&account.profile.id()).into_iter().filter(|(cause, _)| !is_said(*cause));
        open.map(|(_, notice)| format!("{} (since {})", notice.text, notice.at.for_people(now))).collect()
    }

    /// What keeps all of them from being renewed, perhaps.
    pub fn unwritable(&self) -> Option<String> {
        log::problem(&self.places)
    }

    /// Why git gets no token of an account, with whatever else its person has not been told in a
    /// terminal yet.
    pub fn with_notices(&self, account: &Account, failure: Failure) -> Failure {
        let is_said = |cause: Cause| failure.code == Code::Relink && matches!(cause, Cause::Ended | Cause::Gone);
        let others = self.notices().new_to_git(&account.profile.id());
        let others = others.into_iter().filter(|(cause, _)| !is_said(*cause)).map(|(_, notice)| notice.text);
        let sentences: Vec<String> = std::iter::once(failure.message.clone()).chain(others).collect();
        Failure::new(failure.code, sentences.join(". Besides: "))
    }
}
