//! Consent in a browser that comes back to this machine (RFC 8252): on its own, or by an address
//! that the person copies from it, which their program then visits in its place.

use std::sync::Arc;

use super::Claim;
use super::callback::{Page, Reply, Return};
use super::linker::{Linker, Purpose};
use super::loopback::Loopback;
use super::page;
use crate::credential::Attributes;
use crate::daemon::gitlab::GitLab;
use crate::daemon::profile::Profile;
use crate::protocol::{Code, Failure};

/// The listener, and a browser that waits there to be sent on.
pub(super) struct Browser {
    loopback: Option<Loopback>,
    waiting: Option<Reply>,
}

impl Browser {
    pub(super) async fn listen(linker: &Linker) -> Result<Self, Failure> {
        let loopback = Loopback::listen(linker.plan.redirect_uri.as_deref()).await?;
        Ok(Self { loopback: Some(loopback), waiting: None })
    }

    /// Waits for a consent, and keeps the pair that comes of it.
    pub(super) async fn log_in(
        &mut self,
        linker: &Arc<Linker>,
        purpose: Purpose,
        claim: &Claim,
    ) -> Result<Arc<Profile>, Failure> {
        let mut loopback = self.loopback.take().ok_or_else(|| Failure::new(Code::Failed, "the listener has ended"))?;
        let authorization = linker.gitlab.authorize(loopback.redirect_uri(), &linker.plan.scopes);
        let authorization = authorization.map_err(|why| Failure::new(Code::Usage, why.to_string()))?;
        loopback.expect(&authorization.state);
        // The browser of the first consent goes on to the second one by itself.
        match self.waiting.take() {
            Some(page) => page.send(Page::Onward(authorization.url.clone())),
            None => {
                let plan = &linker.plan;
                let block = Attributes::new()
                    .with("flow", "web")
                    .with("url", &authorization.url)
                    .with("redirect_uri", loopback.redirect_uri())
                    // What the application has to be like, for a person who finds that it is not.
                    .with("client_id", &plan.client_id)
                    .with("registered_redirect_uri", plan.registered_redirect_uri())
                    .with("scopes", &plan.scopes);
                linker.say(block).await;
            }
        }
        let Ok(returned) = tokio::time::timeout(linker.plan.timeout, loopback.next()).await else {
            loopback.expire(match &purpose {
                Purpose::Link => page::too_late(&linker.plan.instance, &linker.plan.again),
                Purpose::Spare(profile) => page::no_spare(profile, "no browser came back from the second consent"),
            });
            return Err(nobody_came(linker, &purpose));
        };
        let Return { outcome, page } = returned;
        let code = match outcome {
            Ok(_) if !claim.take() => {
                page.send(page::not_linked("a code was typed before.", &linker.plan.again));
                return std::future::pending().await; // the code that was typed ends the wait
            }
            Ok(code) => code,
            Err(error) => {
                let why = match &purpose {
                    Purpose::Link => {
                        let again = &linker.plan.again;
                        page.send(page::no_consent(&error, again));
                        format!("consent was not given ({error}); to be asked once more: {again}")
                    }
                    Purpose::Spare(profile) => {
                        page.send(page::no_spare(profile, "the second consent was not given"));
                        format!("the second consent was not given ({error})")
                    }
                };
                return Err(linker.failure(&purpose, Code::Relink, &why));
            }
        };
        let is_first = matches!(purpose, Purpose::Link);
        let errand = {
            let linker = linker.clone();
            async move {
                let granted = linker.gitlab.exchange(authorization, &code).await;
                let kept = match granted {
                    Ok(grant) => linker.keep(&purpose, grant).await,
                    Err(trouble) => Err(linker.failed(&purpose, &trouble)),
                };
                let waiting = match &kept {
                    Ok(profile) if is_first && linker.plan.wants_spare(profile) => Some(page),
                    kept => {
                        page.send(shown(&linker, &purpose, kept));
                        None
                    }
                };
                Ok((kept?, waiting, loopback))
            }
        };
        let (profile, waiting, loopback) = linker.to_its_end(errand).await?;
        (self.waiting, self.loopback) = (waiting, Some(loopback));
        Ok(profile)
    }
}

/// What the browser shows in the end.
fn shown(linker: &Linker, purpose: &Purpose, kept: &Result<Arc<Profile>, Failure>) -> Page {
    match (purpose, kept) {
        (Purpose::Link, Ok(profile)) => page::linked(profile),
        (Purpose::Link, Err(failure)) => page::not_linked(&failure.message, &linker.plan.again),
        (Purpose::Spare(profile), Ok(_)) => page::linked_with_spare(profile),
        (Purpose::Spare(profile), Err(failure)) => page::no_spare(profile, &failure.message),
    }
}

/// GitLab shows a page, and never calls back, when it does not like a request.
fn nobody_came(linker: &Linker, purpose: &Purpose) -> Failure {
    let plan = &linker.plan;
    let text = format!(
        "nobody gave consent within {} s. If the browser showed an error of GitLab, compare the application at {} (or \
         ask whoever registered it): its id is {}, its redirect URI {}, its scopes include {}, and \"Confidential\" is \
         {}ticked. GitLab also stops whoever has not confirmed their e-mail address. To try again: {}",
        plan.timeout.as_secs(),
        GitLab::applications_page(&plan.instance),
        plan.client_id,
        plan.registered_redirect_uri(),
        plan.scopes,
        if plan.client_secret.is_some() { "" } else { "not " },
        plan.again,
    );
    linker.failure(purpose, Code::Relink, &text)
}
