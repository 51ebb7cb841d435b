//! What every way to link needs: the server, the plan, and how a pair is kept.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::request::Plan;
use crate::absent;
use crate::credential::Attributes;
use crate::daemon::account::CLEAR_TEXT;
use crate::daemon::accounts::{Accounts, names};
use crate::daemon::clock::Timestamp;
use crate::daemon::gitlab::{GitLab, Grant, Trouble, User};
use crate::daemon::profile::{Linked, Profile};
use crate::daemon::store::{Record, StoreError};
use crate::protocol::{Code, Failure};
use crate::rights::Rights;

/// What a login is for.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    /// It makes or replaces an account.
    Link,
    /// It is the second one of this account, which is linked already whatever becomes of it.
    Spare(Arc<Profile>),
}

/// One link.
pub(super) struct Linker {
    pub(super) plan: Plan,
    pub(super) gitlab: GitLab,
    pub(super) accounts: Arc<Accounts>,
    says: mpsc::Sender<Attributes>,
}

impl Linker {
    pub(super) fn new(accounts: Arc<Accounts>, plan: Plan, says: mpsc::Sender<Attributes>) -> Self {
        let gitlab = plan.gitlab();
        Self { plan, gitlab, accounts, says }
    }

    /// Something for the person's program to show. If it is gone, so will be this link.
    pub(super) async fn say(&self, block: Attributes) {
        let block = block
            .with("host", self.plan.instance.to_string())
            .with("store", self.plan.vault.kind().word())
            .with("store_place", &self.plan.store_place)
            .with("twice", if self.plan.spare || self.plan.spare_before.is_some() { "1" } else { "0" });
        let _ = self.says.send(block).await;
    }

    /// Looks whether a GitLab answers, before a person is sent there.
    pub(super) async fn greet(&self) -> Result<(), Failure> {
        let is_gitlab = self.gitlab.greet().await.map_err(|trouble| self.failed(&Purpose::Link, &trouble))?;
        let strange =
            "what answers there does not look like a GitLab; if yours is below a path, give its whole address";
        let clear_text = self.plan.instance.is_clear_text().then_some(CLEAR_TEXT);
        for warning in [clear_text, self.plan.network.warning(), (!is_gitlab).then_some(strange)].into_iter().flatten()
        {
            self.say(Attributes::new().with("warning", warning)).await;
        }
        Ok(())
    }

    /// Looks whether the server knows the application, before a person is sent there.
    pub(super) async fn check_client(&self) -> Result<(), Failure> {
        self.gitlab
            .check_client(self.plan.registered_redirect_uri())
            .await
            .map_err(|trouble| self.failed(&Purpose::Link, &trouble))
    }

    /// Does what must not break off once it has begun, although the person may give up.
    pub(super) async fn to_its_end<T: Send + 'static>(
        &self,
        errand: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, done) = oneshot::channel();
        self.accounts.run_errand(async move {
            let _ = sender.send(errand.await); // the person may have given up
        });
        done.await.unwrap_or_else(|_| Err(Failure::new(Code::Failed, "the link broke off; see daemon.log")))
    }

    /// From a pair to a durable one.
    pub(super) async fn keep(&self, purpose: &Purpose, grant: Grant) -> Result<Arc<Profile>, Failure> {
        let mut record = Record::new(grant.access_token, grant.refresh_token, Timestamp::now(), grant.expires_in);
        self.plan.add_secrets(&mut record);
        let give_back = record.clone();
        let kept = match self.gitlab.current_user(&record.access_token).await {
            Ok(user) => self.keep_as(purpose, record, grant.scopes, self.known(user)).await,
            Err(trouble) => Err(self.failed(purpose, &trouble)),
        };
        if kept.is_err() {
            self.give_back(give_back);
        }
        kept
    }

    /// Revokes what nobody will use.
    pub(super) fn give_back(&self, record: Record) {
        self.accounts.give_back(self.plan.gitlab(), record, self.plan.instance.to_string());
    }

    /// Returns when the daemon is to end.
    pub(super) async fn ending(&self) {
        self.accounts.ended().await;
    }

    async fn keep_as(
        &self,
        purpose: &Purpose,
        record: Record,
        scopes: Vec<String>,
        user: User,
    ) -> Result<Arc<Profile>, Failure> {
        match purpose {
            Purpose::Link => {
                let scopes = match scopes.is_empty() {
                    true => self.plan.scopes.split_whitespace().map(str::to_owned).collect(),
                    false => scopes,
                };
                let user = self.named(user, &scopes).await;
                self.expect(&user, &scopes)?;
                self.keep_account(self.plan.linked(user, scopes), record).await
            }
            Purpose::Spare(profile) => {
                if user.id != profile.user_id {
                    let text =
                        format!("the second consent was given by {}, not by {}", user.username, profile.username);
                    return Err(self.failure(purpose, Code::Relink, &text));
                }
                if self.plan.read_only && Rights::of(scopes.iter().map(String::as_str)).push() {
                    let text = format!("its token can push ({}), not only read", scopes.join(" "));
                    return Err(self.failure(purpose, Code::Refused, &text));
                }
                if record.refresh_token.is_none() {
                    let text = "the server gives tokens that are never renewed, so a spare is of no use";
                    return Err(self.failure(purpose, Code::Refused, text));
                }
                let added = self.accounts.add_spare(profile, record).await;
                added.map_err(|why| self.not_saved(purpose, &why))?;
                tracing::info!(account = %profile.who(), "a spare login");
                Ok(profile.clone())
            }
        }
    }

    /// Makes an account of a record that is good, or replaces one.
    pub(super) async fn keep_account(&self, linked: Linked, record: Record) -> Result<Arc<Profile>, Failure> {
        let linked = self.accounts.link(linked, record).await;
        let (profile, replaced) = linked.map_err(|why| self.not_saved(&Purpose::Link, &why))?;
        tracing::info!(account = %profile.who(), store = profile.store.word(), "linked");
        if let Some(kind) = replaced {
            let (name, place) = (kind.name(), kind.place(&profile.instance));
            let note = format!("The {name} that was linked before was not revoked; to do that: {place}");
            self.say(Attributes::new().with("note[]", note)).await;
        }
        Ok(profile)
    }

    fn not_saved(&self, purpose: &Purpose, why: &StoreError) -> Failure {
        let text = format!("the tokens could not be saved in {}: {why}", self.plan.vault.place());
        self.failure(purpose, Code::Store, &text)
    }

    /// Why there is no login, for the person.
    pub(super) fn failure(&self, purpose: &Purpose, code: Code, why: &str) -> Failure {
        match purpose {
            Purpose::Link => {
                let instance = &self.plan.instance;
                // Before the reason, which may end with a command.
                let as_before = match self.at_stake().as_slice() {
                    [] => String::new(),
                    there => format!(" (nothing has changed for {})", absent::list(there)),
                };
                Failure::new(code, format!("{instance} was not linked{as_before}: {why}"))
            }
            Purpose::Spare(_) => Failure::new(code, why), // the account is linked, and that is said
        }
    }

    /// The accounts that a person could fear for: the one that was asked for or, if none was, all there.
    fn at_stake(&self) -> Vec<String> {
        let plan = &self.plan;
        let there = self.accounts.list(Some(&plan.instance), None);
        let is_meant = |profile: &Profile| {
            plan.account
                .as_ref()
                .is_none_or(|name| name.eq_ignore_ascii_case(&profile.username) && profile.read_only == plan.read_only)
        };
        names(&there.into_iter().filter(|account| is_meant(&account.profile)).collect::<Vec<_>>())
    }

    /// The same for what a server answered, with advice where it has a usual cause.
    pub(super) fn failed(&self, purpose: &Purpose, trouble: &Trouble) -> Failure {
        let Trouble::Refused { error, .. } = trouble else {
            return self.failure(purpose, trouble.code(), &trouble.to_string());
        };
        let (plan, id, again) = (&self.plan, &self.plan.client_id, &self.plan.again);
        let page = GitLab::applications_page(&plan.instance);
        let advice = match (error.as_str(), &plan.client_secret) {
            ("invalid_client", None) => format!(
                "; it has no application with the id {id} (mistyped, or deleted? {page}; --client-id names another), or the application is \
                 \"Confidential\": then untick that, or give its secret: {again} --client-secret-stdin"
            ),
            ("invalid_client", Some(_)) => format!(
                "; it has no application with the id {id} (mistyped, or deleted? {page}; --client-id names another), or its secret is another \
                 one by now: then give the new one: {again} --client-secret-stdin"
            ),
            ("unauthorized_client", _) => "; its administrator has not allowed this way of linking".to_owned(),
            ("invalid_scope", _) => format!(
                "; the application there lacks some of these scopes: {}. Tick them at {page}, then: {again}",
                plan.scopes
            ),
            ("access_denied", _) if matches!(purpose, Purpose::Link) => format!("; to be asked once more: {again}"),
            _ => String::new(),
        };
        let code = match error.as_str() {
            "expired_token" | "access_denied" => Code::Relink, // that was the person
            _ => trouble.code(),
        };
        self.failure(purpose, code, &format!("{trouble}{advice}"))
    }

    pub(super) fn no_device_flow(&self) -> Failure {
        let text = "the server has no device flow (GitLab has it since 17.3); use --paste, or --web in a browser on \
                    this machine";
        self.failure(&Purpose::Link, Code::Refused, text)
    }
}

impl Plan {
    fn gitlab(&self) -> GitLab {
        GitLab::new(
            self.instance.clone(),
            self.client_id.clone(),
            self.client_secret.clone(),
            self.endpoints.clone(),
            self.network.clone(),
        )
    }

    pub(super) fn linked(&self, user: User, scopes: Vec<String>) -> Linked {
        Linked {
            instance: self.instance.clone(),
            user,
            read_only: self.read_only,
            by_hand: None,
            client_id: self.client_id.clone(),
            scopes,
            store: self.vault.kind(),
            min_life: self.min_life,
            endpoints: self.endpoints.clone(),
            network: self.network.clone(),
        }
    }
}
