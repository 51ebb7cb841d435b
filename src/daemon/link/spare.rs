//! The second consent of `link --spare`: another login of the same person, independent of the first.
//!
//! The browser goes there from the first consent by itself; where GitLab asks, the person clicks
//! once more. Whatever becomes of it, the account is linked already.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::loopback::{Loopback, Page, Return};
use super::request::Plan;
use super::{Login, broke_off, log_in, page};
use crate::daemon::accounts::Accounts;
use crate::daemon::gitlab::{Authorization, GitLab};
use crate::daemon::profile::Profile;
use crate::daemon::secret::Secret;
use crate::protocol::{Code, Failure};

/// A second consent that has begun.
pub(super) struct Spare {
    accounts: Arc<Accounts>,
    plan: Plan,
    gitlab: GitLab,
    loopback: Loopback,
    profile: Arc<Profile>,
    authorization: Authorization,
}

impl Spare {
    /// The way to the second consent, and what waits for the browser to come back from there.
    pub(super) fn begin(
        accounts: Arc<Accounts>,
        plan: Plan,
        gitlab: GitLab,
        loopback: Loopback,
        profile: Arc<Profile>,
    ) -> (Page, Self) {
        let authorization = gitlab.authorize(loopback.redirect_uri(), &plan.scopes);
        let authorization = authorization.expect("the first authorization was made of the same");
        loopback.expect(&authorization.state);
        let onward = Page::Onward(authorization.url.clone());
        (onward, Self { accounts, plan, gitlab, loopback, profile, authorization })
    }

    /// Waits for the browser, then keeps the spare login.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        let failed = |code: Code, why: &str| Err(Failure::new(code, why));
        let Ok(returned) = tokio::time::timeout(self.plan.timeout, self.loopback.next()).await else {
            return failed(Code::Relink, "no browser came back from the second consent");
        };
        let Return { outcome, page } = returned;
        let code = match outcome {
            Ok(code) => code,
            Err(error) => {
                let _ = page.send(page::no_spare(&self.profile, "the second consent was not given"));
                return failed(Code::Relink, &format!("the second consent was not given ({error})"));
            }
        };
        let (sender, done) = oneshot::channel();
        self.accounts.clone().run_errand(async move {
            let Self { accounts, plan, gitlab, loopback: _listening, profile, authorization } = self;
            let done = keep(&accounts, &plan, &gitlab, &profile, authorization, &code).await;
            let _ = page.send(match &done {
                Ok(()) => page::linked_with_spare(&profile),
                Err(failure) => page::no_spare(&profile, &failure.message),
            });
            let _ = sender.send(done); // the person may have given up
        });
        done.await.map_err(|_| broke_off())?
    }
}

/// From the code to the durable pair beside the first one.
async fn keep(
    accounts: &Accounts,
    plan: &Plan,
    gitlab: &GitLab,
    profile: &Profile,
    authorization: Authorization,
    code: &Secret,
) -> Result<(), Failure> {
    let login = log_in(plan, gitlab, authorization, code).await;
    let Login { record, user, .. } = login.map_err(|trouble| Failure::new(trouble.code(), trouble.to_string()))?;
    let give_back = record.revocable_token().clone();
    let kept = match (user.id == profile.user_id, &record.refresh_token) {
        (false, _) => {
            let text = format!("the second consent was given by {}, not by {}", user.username, profile.username);
            Err(Failure::new(Code::Relink, text))
        }
        (true, None) => {
            Err(Failure::new(Code::Refused, "the server gives tokens that are never renewed, so a spare is of no use"))
        }
        (true, Some(_)) => accounts.add_spare(profile, record).await.map_err(|why| {
            let place = plan.vault.place();
            Failure::new(Code::Store, format!("its tokens could not be saved in {place}: {why}"))
        }),
    };
    if kept.is_err() {
        let _ = gitlab.revoke(&give_back).await; // nobody will use the pair
    }
    kept
}
