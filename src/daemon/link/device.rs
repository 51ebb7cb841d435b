//! Consent on any other device (RFC 8628): the person opens a page there and types a code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Claim;
use super::linker::{Linker, Purpose};
use crate::credential::Attributes;
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::{DeviceCode, Trouble};
use crate::daemon::profile::Profile;
use crate::daemon::store::Record;
use crate::protocol::{Code, Failure};

/// A question is answered in a fraction of a second; until then the end waits.
const GIVEN_UP_POLL: Duration = Duration::from_millis(50);

/// A server may ask for any pace; this is the fastest that is no storm...
const SOONEST: Duration = Duration::from_secs(1);

/// ...and the slowest at which a person still waits for it.
const LATEST: Duration = Duration::from_secs(60);

/// GitLab's codes live five minutes, and it wants to be asked about one every five seconds. A server
/// whose codes end at once is asked for the next no oftener.
const SHORTEST_LIFE: Duration = Duration::from_secs(5);

/// A code that the person has not been shown yet, if one was asked for.
#[derive(Default)]
pub(super) struct Device {
    code: Option<Box<DeviceCode>>,
}

impl Device {
    /// Asks for a code; `None` if the server does not know this way.
    pub(super) async fn ask(linker: &Linker) -> Result<Option<Self>, Failure> {
        let code = linker.gitlab.ask_device(&linker.plan.scopes).await;
        let code = code.map_err(|trouble| linker.failed(&Purpose::Link, &trouble))?;
        Ok(code.map(|code| Self { code: Some(Box::new(code)) }))
    }

    /// The same where another way is left: a server that answers anything but that it is the
    /// application's fault has none to offer (an old one may redirect, or break).
    pub(super) async fn offered(linker: &Linker) -> Result<Option<Self>, Failure> {
        match linker.gitlab.ask_device(&linker.plan.scopes).await {
            Ok(code) => Ok(code.map(|code| Self { code: Some(Box::new(code)) })),
            Err(trouble @ Trouble::Refused { .. }) => Err(linker.failed(&Purpose::Link, &trouble)),
            Err(why) => {
                tracing::warn!(%why, "no code is offered");
                Ok(None)
            }
        }
    }

    /// Shows a code, waits until it was typed, and keeps the pair that comes of it.
    pub(super) async fn log_in(&mut self, linker: &Arc<Linker>, purpose: Purpose) -> Result<Arc<Profile>, Failure> {
        let claim = Claim::default();
        self.try_log_in(linker, purpose.clone(), &claim, false)
            .await
            .unwrap_or_else(|trouble| Err(linker.failed(&purpose, &trouble)))
    }

    /// The same, `or_address`: while an address is shown, too. The outer error is that no code was typed.
    /// A code that has expired is followed by another one, for as long as the person wants to wait.
    pub(super) async fn try_log_in(
        &mut self,
        linker: &Arc<Linker>,
        purpose: Purpose,
        claim: &Claim,
        or_address: bool,
    ) -> Result<Result<Arc<Profile>, Failure>, Trouble> {
        let end = Instant::now() + linker.plan.timeout;
        let mut shown = Attributes::new();
        loop {
            let code = match self.code.take() {
                Some(code) => *code,
                None => match linker.gitlab.ask_device(&linker.plan.scopes).await? {
                    Some(code) => code,
                    None => return Ok(Err(linker.no_device_flow())),
                },
            };
            let began = Instant::now();
            let left = end.saturating_duration_since(began);
            let is_longer = left > code.expires_in;
            let within = left.min(code.expires_in);
            let block = shown
                .with("flow", "device")
                .with("user_code", &code.user_code)
                .with("url", linker.gitlab.device_page(None))
                .with("url_with_code", linker.gitlab.device_page(Some(&code.user_code)))
                .with("or_address", if or_address { "1" } else { "0" })
                .with("expires_in", within.as_millis().div_ceil(1000).to_string());
            linker.say(block).await;
            // Held for as long as somebody waits here.
            let (_somebody_waits, nobody_waits) = oneshot::channel::<()>();
            let errand = wait(linker.clone(), purpose.clone(), code, within, claim.clone(), nobody_waits);
            match linker.to_its_end(errand).await {
                // The person wants to wait longer than a code lives.
                Ok(Err(Trouble::Refused { error, .. })) if error == "expired_token" && is_longer => {
                    tokio::time::sleep_until(began + SHORTEST_LIFE).await;
                    shown = Attributes::new().with("note[]", "That code has expired; here is another one.");
                }
                Ok(granted) => return granted.map(Ok),
                Err(broke_off) => return Ok(Err(broke_off)),
            }
        }
    }
}

/// Polls until the code was typed. Ends early when nobody waits any more, but only between two
/// questions: the answer to one may be the only copy of a pair.
async fn wait(
    linker: Arc<Linker>,
    purpose: Purpose,
    code: DeviceCode,
    within: Duration,
    claim: Claim,
    mut nobody_waits: oneshot::Receiver<()>,
) -> Result<Result<Arc<Profile>, Trouble>, Failure> {
    let between = Arc::new(AtomicBool::new(false));
    let is_between = between.clone();
    let sleep = move |time: Duration| {
        let between = between.clone();
        async move {
            between.store(true, Ordering::Relaxed);
            tokio::time::sleep(time.clamp(SOONEST, LATEST)).await;
            between.store(false, Ordering::Relaxed);
        }
    };
    let given_up = async {
        let expired = tokio::select! {
            _ = &mut nobody_waits => false, // its sender is only ever dropped
            () = linker.ending() => false,
            // By a clock that nobody sets; the other end is the wall clock's.
            () = tokio::time::sleep(within + SOONEST) => true,
        };
        while !is_between.load(Ordering::Relaxed) {
            tokio::time::sleep(GIVEN_UP_POLL).await;
        }
        expired
    };
    let granted = tokio::select! {
        granted = linker.gitlab.poll_device(&code, sleep, within) => granted,
        expired = given_up => return match expired {
            true => Ok(Err(linker.gitlab.not_typed())),
            false => Err(Failure::new(Code::Failed, "nobody waits any more")),
        },
    };
    // The person may have given up while the question was on its way.
    let given_up = matches!(nobody_waits.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    match granted {
        Ok(grant) if given_up || !claim.take() => {
            linker.give_back(Record::new(grant.access_token, grant.refresh_token, Timestamp::now(), None));
            Err(Failure::new(Code::Failed, if given_up { "nobody waits any more" } else { "a browser was first" }))
        }
        Ok(grant) => linker.keep(&purpose, grant).await.map(Ok),
        Err(trouble) => Ok(Err(trouble)),
    }
}
