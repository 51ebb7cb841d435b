//! Linking an account: from "link gitlab.example.com" to a pair in the store.
//!
//! The daemon does all of it, so that no other program ever sees a token. The person's program
//! is told what to show, waits, and then is told who was linked.

mod address;
mod application;
mod browser;
mod callback;
mod device;
mod environment;
mod identity;
mod linker;
mod loopback;
mod page;
mod request;
mod token;
mod visitor;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::accounts::Accounts;
use super::profile::Profile;
use crate::credential::Attributes;
use crate::protocol::{Failure, key};

use browser::Browser;
use device::Device;
use linker::{Linker, Purpose};
pub use loopback::is_open;
use request::{Flow, Plan, Refused};

/// What of a request is read before anything is done. See [`crate::fuzzing`].
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(asked: &Attributes, instance: &crate::instance::Instance) {
    let _ = environment::complete(super::gitlab::Network::default(), asked, instance);
    assert_eq!(crate::again::command(asked).lines().count(), 1);
}

/// Links an account. What the person's program is to show goes to `says`; the result is the last
/// block of the reply. Dropping this while it waits for the person cancels the link and leaves
/// nothing behind; from the moment when there is a pair it runs to its end by itself, because
/// somebody has to keep it.
pub async fn run(asked: &Attributes, accounts: Arc<Accounts>, says: mpsc::Sender<Attributes>) -> Attributes {
    match link(asked, accounts, says).await {
        Ok(block) => block.with(key::DONE, "1"),
        Err(Refused(block)) => block,
    }
}

async fn link(
    asked: &Attributes,
    accounts: Arc<Accounts>,
    says: mpsc::Sender<Attributes>,
) -> Result<Attributes, Refused> {
    let plan = Plan::make(asked, &accounts).await?;
    let linker = Arc::new(Linker::new(accounts, plan, says));
    if let Some(token) = linker.plan.token.clone() {
        let profile = token::link(&linker, token).await?;
        return Ok(linked(&profile));
    }
    linker.greet().await?;
    let mut way = Way::choose(&linker).await?;
    let profile = way.log_in(&linker, Purpose::Link).await?;
    let mut block = linked(&profile);
    if linker.plan.wants_spare(&profile) {
        let note = format!("{} is linked; what comes next is for the spare login.", profile.label());
        linker.say(Attributes::new().with("note[]", note)).await;
        match way.log_in(&linker, Purpose::Spare(profile)).await {
            Ok(_) => block.push("spare", "ready"),
            Err(failure) => {
                block.push("spare", "failed");
                block.push("spare_detail", failure.message);
            }
        }
    }
    Ok(block)
}

fn linked(profile: &Profile) -> Attributes {
    Attributes::new()
        .with("host", profile.instance.to_string())
        .with("username", &profile.username)
        .with("label", profile.label())
        .with("user_id", profile.user_id.to_string())
        .with("name", &profile.name)
        .with("scope", profile.scopes.join(" "))
        .with("store", profile.store.word())
}

/// The first of two ways that brings a consent has it; the other one's is given back.
#[derive(Debug, Clone, Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    /// True for the first who asks.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// How the person gives consent.
enum Way {
    Browser(Browser),
    Device(Device),
    /// Whichever comes first: nobody knows what the person has at hand.
    Either(Browser, Device),
}

impl Way {
    /// What was asked for; else a browser where one can reach this machine, and where not, a code
    /// to type elsewhere too, if the server knows that.
    async fn choose(linker: &Linker) -> Result<Self, Failure> {
        let plan = &linker.plan;
        let device = match plan.flow {
            Flow::Device => Some(Device::ask(linker).await?.ok_or_else(|| linker.no_device_flow())?),
            Flow::Auto if !plan.has_browser => Device::offered(linker).await?,
            Flow::Auto | Flow::Web | Flow::Paste => None,
        };
        Ok(match (device, plan.flow) {
            (Some(device), Flow::Device) => Way::Device(device),
            (Some(device), _) => match Browser::listen(linker).await {
                Ok(browser) => Way::Either(browser, device),
                // Where the address that git config names can't be listened at, the code is enough.
                Err(why) => {
                    tracing::warn!(why = %why.message, "no browser is waited for");
                    Way::Device(device)
                }
            },
            (None, _) => {
                linker.check_client().await?;
                Way::Browser(Browser::listen(linker).await?)
            }
        })
    }

    async fn log_in(&mut self, linker: &Arc<Linker>, purpose: Purpose) -> Result<Arc<Profile>, Failure> {
        match self {
            Way::Browser(browser) => browser.log_in(linker, purpose, &Claim::default()).await,
            Way::Device(device) => device.log_in(linker, purpose).await,
            Way::Either(browser, device) => {
                let claim = Claim::default();
                let by_device = async {
                    match device.try_log_in(linker, purpose.clone(), &claim, true).await {
                        Ok(done) => done,
                        // A code that was not typed in time is no reason to end the wait for a browser.
                        Err(trouble) if trouble.is_about_time() => std::future::pending().await,
                        Err(trouble) => Err(linker.failed(&purpose, &trouble)),
                    }
                };
                let (done, by_browser) = tokio::select! {
                    biased; // the code is shown first: it is the shorter one
                    done = by_device => (done, false),
                    done = browser.log_in(linker, purpose.clone(), &claim) => (done, true),
                };
                // A second consent is given in the same way.
                let Way::Either(browser, device) = std::mem::replace(self, Way::Device(Device::default())) else {
                    unreachable!("it is one of the two just used")
                };
                *self = if by_browser { Way::Browser(browser) } else { Way::Device(device) };
                done
            }
        }
    }
}
