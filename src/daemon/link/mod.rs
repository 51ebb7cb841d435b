//! Linking an account: from "link gitlab.example.com" to a pair in the store.
//!
//! The daemon does all of it, so that no other program ever sees a token. The person's program
//! gets the address for the browser, waits, and then is told who was linked.

mod loopback;
mod page;
mod request;
mod spare;

use std::sync::Arc;

use tokio::sync::oneshot;

use super::accounts::Accounts;
use super::clock::Timestamp;
use super::gitlab::{Authorization, GitLab, Trouble, User};
use super::profile::{Linked, Profile};
use super::secret::Secret;
use super::store::Record;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{Code, Failure, key};

use loopback::{Loopback, Return};
use request::Plan;
pub use request::Refused;
use spare::Spare;

/// A link that has begun: the address is known, and the browser is awaited.
pub struct Begun {
    accounts: Arc<Accounts>,
    plan: Plan,
    gitlab: GitLab,
    /// The server looks like one.
    is_gitlab: bool,
    authorization: Authorization,
    loopback: Loopback,
}

/// Begins a link: finds out what to ask for, opens the loopback listener, makes the address.
pub async fn begin(asked: &Attributes, accounts: Arc<Accounts>) -> Result<Begun, Refused> {
    let plan = Plan::make(asked, &accounts).await?;
    let loopback = Loopback::listen(plan.redirect_uri.as_deref()).await?;
    let gitlab = GitLab::new(
        plan.instance.clone(),
        plan.client_id.clone(),
        plan.client_secret.clone(),
        plan.endpoints.clone(),
        plan.network.clone(),
    );
    let is_gitlab = gitlab.greet().await.map_err(|trouble| not_linked(&plan.instance, &trouble))?;
    let authorization = gitlab.authorize(loopback.redirect_uri(), &plan.scopes);
    let authorization = authorization.map_err(|why| Failure::new(Code::Usage, why.to_string()))?;
    Ok(Begun { accounts, plan, gitlab, is_gitlab, authorization, loopback })
}

impl Begun {
    /// What the person's program shows while the browser is awaited.
    pub fn block(&self) -> Attributes {
        let mut block = Attributes::new()
            .with("url", &self.authorization.url)
            .with("host", self.plan.instance.to_string())
            .with("store", self.plan.vault.kind().word())
            .with("store_place", &self.plan.store_place);
        if !self.is_gitlab {
            block.push(
                "warning",
                "what answers there does not look like a GitLab; if yours is below a path, give its whole address",
            );
        }
        block
    }

    /// Waits for the browser, then finishes the link. Dropping this while it waits cancels the
    /// link and leaves nothing behind; from a code's exchange on it runs to its end by itself,
    /// because then there is a pair that somebody has to keep.
    pub async fn finish(mut self) -> Result<Attributes, Failure> {
        self.loopback.expect(&self.authorization.state);
        let Ok(returned) = tokio::time::timeout(self.plan.timeout, self.loopback.next()).await else {
            return Err(self.nobody_came());
        };
        let Return { outcome, page } = returned;
        let code = match outcome {
            Ok(code) => code,
            Err(error) => {
                let _ = page.send(page::not_linked("Consent was not given. You can close this page."));
                let text = format!("{} was not linked: consent was not given ({error})", self.plan.instance);
                return Err(Failure::new(Code::Relink, text));
            }
        };
        let (sender, done) = oneshot::channel();
        let Begun { accounts, plan, gitlab, authorization, loopback, .. } = self;
        accounts.clone().run_errand(async move {
            let done = complete(&accounts, &plan, &gitlab, authorization, &code).await;
            let (page_sent, done) = match done {
                Ok(profile) if plan.spare => {
                    let (onward, spare) = Spare::begin(accounts, plan, gitlab, loopback, profile.clone());
                    (onward, Ok((profile, Some(spare))))
                }
                Ok(profile) => (page::linked(&profile), Ok((profile, None))),
                Err(failure) => (page::not_linked(&failure.message), Err(failure)),
            };
            let _ = page.send(page_sent);
            let _ = sender.send(done); // the person may have given up
        });
        let (profile, spare) = done.await.map_err(|_| broke_off())??;
        let mut block = Attributes::new()
            .with("host", profile.instance.to_string())
            .with("username", &profile.username)
            .with("user_id", profile.user_id.to_string())
            .with("name", &profile.name)
            .with("scope", profile.scopes.join(" "))
            .with("store", profile.store.word());
        if let Some(spare) = spare {
            match spare.finish().await {
                Ok(()) => block.push("spare", "ready"),
                Err(failure) => {
                    block.push("spare", "failed");
                    block.push("spare_detail", failure.message);
                }
            }
        }
        Ok(block.with(key::DONE, "1"))
    }

    /// GitLab shows a page, and never calls back, when it does not like a request.
    fn nobody_came(&self) -> Failure {
        let text = format!(
            "{} was not linked: no browser came back within {} s. If the browser shows an error of GitLab, compare the \
             application there: its id ({}), redirect URI ({}), scopes ({}), and \"Confidential\" not ticked",
            self.plan.instance,
            self.plan.timeout.as_secs(),
            self.plan.client_id,
            self.plan.registered_redirect_uri(),
            self.plan.scopes,
        );
        Failure::new(Code::Relink, text)
    }
}

/// From the code to the durable pair.
async fn complete(
    accounts: &Accounts,
    plan: &Plan,
    gitlab: &GitLab,
    authorization: Authorization,
    code: &Secret,
) -> Result<Arc<Profile>, Failure> {
    let login = log_in(plan, gitlab, authorization, code).await;
    let Login { record, scopes, user } = login.map_err(|trouble| not_linked(&plan.instance, &trouble))?;
    let give_back = record.revocable_token().clone();
    let user = match is_expected(plan, user) {
        Ok(user) => user,
        Err(failure) => {
            let _ = gitlab.revoke(&give_back).await; // nobody will use the pair
            return Err(failure);
        }
    };
    let linked = Linked {
        instance: plan.instance.clone(),
        user,
        client_id: plan.client_id.clone(),
        scopes,
        store: plan.vault.kind(),
        min_life: plan.min_life,
        endpoints: plan.endpoints.clone(),
        network: plan.network.clone(),
    };
    match accounts.link(linked, record).await {
        Ok(profile) => {
            tracing::info!(account = %profile.who(), store = profile.store.word(), "linked");
            Ok(profile)
        }
        Err(why) => {
            let _ = gitlab.revoke(&give_back).await; // it could not be kept
            let place = plan.vault.place();
            let text = format!("{} was not linked: the tokens could not be saved in {place}: {why}", plan.instance);
            Err(Failure::new(Code::Store, text))
        }
    }
}

/// A login as the server gave it.
struct Login {
    record: Record,
    scopes: Vec<String>,
    user: User,
}

/// From the code to a pair, and whose it is.
async fn log_in(plan: &Plan, gitlab: &GitLab, authorization: Authorization, code: &Secret) -> Result<Login, Trouble> {
    let grant = gitlab.exchange(authorization, code).await?;
    let mut record = Record::new(grant.access_token, grant.refresh_token, Timestamp::now(), grant.expires_in);
    record.client_secret = plan.client_secret.clone();
    let scopes = match grant.scopes.is_empty() {
        true => plan.scopes.split_whitespace().map(str::to_owned).collect(),
        false => grant.scopes,
    };
    match gitlab.current_user(&record.access_token).await {
        Ok(user) => Ok(Login { record, scopes, user }),
        Err(trouble) => {
            let _ = gitlab.revoke(record.revocable_token()).await; // nobody will use the pair
            Err(trouble)
        }
    }
}

fn broke_off() -> Failure {
    Failure::new(Code::Failed, "the link broke off; see daemon.log")
}

/// What a server's answer means for the link.
fn not_linked(instance: &Instance, trouble: &Trouble) -> Failure {
    let advice = match trouble {
        Trouble::Refused { error, .. } if error == "invalid_client" => {
            "; in the application's settings \"Confidential\" must not be ticked, unless its secret is in git config"
        }
        _ => "",
    };
    Failure::new(trouble.code(), format!("{instance} was not linked: {trouble}{advice}"))
}

fn is_expected(plan: &Plan, user: User) -> Result<User, Failure> {
    match &plan.account {
        Some(name) if !name.eq_ignore_ascii_case(&user.username) => {
            let text = format!(
                "{} was not linked: you signed in as {}, and {name} was asked for; sign out of GitLab in the browser first",
                plan.instance, user.username
            );
            Err(Failure::new(Code::Relink, text))
        }
        _ => Ok(user),
    }
}
