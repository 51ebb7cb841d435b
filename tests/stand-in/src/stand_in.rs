//! The handle with which tests set the scene and look behind it.

use crate::{
    AccessToken, Application, BanLimits, Builder, DeployToken, Endpoint, Fault, Modes, Pair, PersonalToken, Registered,
    Request, Role, UserFlag, UserId, Visibility,
    server::Server,
    world::{Scopes, Shared, Start, Unusable, World},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::Duration,
};
use tempfile::TempDir;

/// A running server. It stops when this is dropped, and its files are gone.
///
/// Methods that name a user, an application or a project panic if there is none: the test is
/// wrong then.
pub struct StandIn {
    // Fields are dropped in order: the server must be gone before its directory.
    _server: Server,
    shared: Arc<Shared>,
    url: String,
    control_url: String,
    files: Files,
}

/// What of the server's directory others may read.
pub(crate) struct Files {
    pub(crate) ca_pem: Option<PathBuf>,
    pub(crate) client_pem: Option<(PathBuf, PathBuf)>,
    pub(crate) _home: TempDir,
}

/// Unwraps what a test or script asked for.
fn must<T>(outcome: Result<T, Unusable>) -> T {
    outcome.unwrap_or_else(|Unusable(why)| panic!("{why}"))
}

/// # The server
impl StandIn {
    /// Options for a new server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(server: Server, shared: Arc<Shared>, url: String, control_url: String, files: Files) -> Self {
        Self { _server: server, shared, url, control_url, files }
    }

    /// The address a person would type, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The control interface for shell scripts; see the README.
    pub fn control_url(&self) -> &str {
        &self.control_url
    }

    /// The certificate of the authority to trust, if this is HTTPS.
    pub fn ca_pem(&self) -> Option<&Path> {
        self.files.ca_pem.as_deref()
    }

    /// What a client must show, if it must show anything: the files of its certificate and key.
    pub fn client_pem(&self) -> Option<(&Path, &Path)> {
        self.files.client_pem.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()))
    }

    /// Changes settings that differ between installations and versions.
    pub fn configure(&self, change: impl FnOnce(&mut Modes)) {
        change(&mut self.shared.lock().modes);
    }

    /// Sets the life of token rows made by logins from now on; see [`Modes::token_lifetime`].
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.configure(|modes| modes.token_lifetime = Some(lifetime));
    }

    /// Moves the server's clock forward, for every expiry, interval, window and ban at once.
    pub fn advance_clock(&self, by: Duration) {
        self.shared.lock().clock.advance(by);
    }
}

/// # People and applications
impl StandIn {
    /// Adds an account; its password is `<username>-password`.
    pub fn add_user(&self, username: &str, name: &str) -> UserId {
        must(self.shared.lock().add_user(username, name))
    }

    /// Sets or clears a property of an account.
    pub fn flag_user(&self, username: &str, flag: UserFlag, on: bool) {
        let world = &mut *self.shared.lock();
        let user = must(world.user_id(username));
        world.flag_user(user, flag, on);
    }

    /// Blocks an account: its rows stay, and refresh, and are good for nothing (§1.9, §8).
    pub fn block_user(&self, username: &str) {
        self.flag_user(username, UserFlag::Blocked, true);
    }

    /// Registers an application.
    pub fn add_application(&self, application: Application) -> Registered {
        must(self.shared.lock().add_application(application))
    }

    /// Deletes an application and its rows: their tokens are afterwards unknown.
    pub fn delete_application(&self, client_id: &str) {
        let world = &mut *self.shared.lock();
        let id = must(world.application_id(client_id));
        world.delete_application(id);
    }

    /// Gives an application a new secret; the old one is wrong from now on.
    pub fn renew_secret(&self, client_id: &str) -> String {
        let world = &mut *self.shared.lock();
        let id = must(world.application_id(client_id));
        let secret = world.mint();
        world.application_mut(id).secret.clone_from(&secret);
        secret
    }

    /// Edits an application's scopes. Existing tokens are never widened by it, but a refresh
    /// narrows them (§1.5).
    pub fn set_scopes(&self, client_id: &str, scopes: &str) {
        let world = &mut *self.shared.lock();
        let id = must(world.application_id(client_id));
        world.application_mut(id).scopes = must(Scopes::known(scopes.split_whitespace()));
    }
}

/// # Tokens
impl StandIn {
    /// Makes a pair as if the user had just logged in.
    pub fn issue_tokens(&self, username: &str, client_id: &str, scopes: &str) -> Pair {
        let world = &mut *self.shared.lock();
        let user = must(world.user_id(username));
        let application = must(world.application_id(client_id));
        let scopes = must(Scopes::known(scopes.split_whitespace()));
        let row = world.issue(user, application, scopes, world.modes.token_lifetime);
        Pair { access_token: row.access.clone(), refresh_token: row.refresh.clone() }
    }

    /// Adds a personal access token, valid for `lifetime`, and to the midnight (UTC) after that, or
    /// for ever.
    pub fn add_pat(&self, username: &str, scopes: &str, lifetime: Option<Duration>) -> PersonalToken {
        let world = &mut *self.shared.lock();
        let user = must(world.user_id(username));
        let scopes = must(Scopes::known(scopes.split_whitespace()));
        let expires = lifetime.map(|life| world.end_of_life(life));
        world.add_personal_token(user, "test", scopes, expires, None)
    }

    /// Adds an access token of a project or group, with the bot as which it acts.
    pub fn add_access_token(&self, path: &str, scopes: &str, role: Role, lifetime: Duration) -> AccessToken {
        let world = &mut *self.shared.lock();
        let scopes = must(Scopes::known(scopes.split_whitespace()));
        must(world.add_access_token(path, scopes, role, lifetime))
    }

    /// Adds a deploy token of a project.
    pub fn add_deploy_token(&self, project: &str, scopes: &str) -> DeployToken {
        let world = &mut *self.shared.lock();
        let scopes = must(Scopes::known(scopes.split_whitespace()));
        must(world.add_deploy_token(project, scopes))
    }

    /// Somebody presses *Revoke* beside a personal, project, group or deploy token.
    pub fn revoke_token(&self, token: &str) {
        let world = &mut *self.shared.lock();
        let own = world.personal_tokens.iter_mut().filter(|row| row.token == token).map(|row| &mut row.revoked);
        let deploy = world.deploy_tokens.iter_mut().filter(|row| row.token.token == token).map(|row| &mut row.revoked);
        *own.chain(deploy).next().expect("a token of this server") = true;
    }

    /// How many personal access tokens of the user live.
    pub fn living_personal_tokens(&self, username: &str) -> usize {
        let world = self.shared.lock();
        let (user, now) = (must(world.user_id(username)), world.clock.now());
        world.personal_tokens.iter().filter(|row| row.user == user && !row.revoked && !row.expired(now)).count()
    }

    /// Expires the user's access tokens; the refresh tokens stay good. Rows that never expire
    /// stay as they are.
    pub fn expire_access_tokens(&self, username: &str) {
        let world = &mut *self.shared.lock();
        let user = must(world.user_id(username));
        world.expire_access_tokens(user);
    }

    /// Kills all rows and grants of the user. (There is no way to kill only half of a row.)
    pub fn revoke_tokens(&self, username: &str) {
        let world = &mut *self.shared.lock();
        let user = must(world.user_id(username));
        world.revoke_tokens(user, None);
    }

    /// Kills one row, and leaves the user's others.
    pub fn revoke_pair(&self, refresh_token: &str) {
        let world = &mut *self.shared.lock();
        let id = world.pair_by_refresh(refresh_token).expect("a living pair").id;
        world.revoke_pair(id);
    }

    /// The user presses *Revoke* beside one application (§1.9).
    pub fn revoke_application(&self, username: &str, client_id: &str) {
        let world = &mut *self.shared.lock();
        let user = must(world.user_id(username));
        let application = must(world.application_id(client_id));
        world.revoke_tokens(user, Some(application));
    }

    /// How many unrevoked rows the user has, expired or not: a client that logs in twice for
    /// nothing, or forgets to revoke, shows here.
    pub fn live_pairs(&self, username: &str) -> usize {
        let world = self.shared.lock();
        let user = must(world.user_id(username));
        world.pairs.iter().filter(|pair| pair.user == user && !pair.revoked).count()
    }

    /// The access token of the row that the user was given last, dead or alive.
    pub fn newest_access_token(&self, username: &str) -> String {
        let world = self.shared.lock();
        let user = must(world.user_id(username));
        world.pairs.iter().rfind(|pair| pair.user == user).expect("a login").access.clone()
    }

    /// Every secret ever handed out (tokens, codes, passwords, client secrets), dead or alive, to
    /// search logs and files for.
    pub fn secrets(&self) -> Vec<String> {
        self.shared.lock().secrets().to_vec()
    }
}

/// # Projects
impl StandIn {
    /// Adds a project with a README on `main`.
    pub fn add_project(&self, path: &str, visibility: Visibility) {
        must(self.shared.add_project(path, visibility, Start::Readme));
    }

    /// Adds a project nobody has pushed to yet.
    pub fn add_empty_project(&self, path: &str, visibility: Visibility) {
        must(self.shared.add_project(path, visibility, Start::Empty));
    }

    /// Adds a project whose repository was never made: 404 for those who may see it (§2.2).
    pub fn add_project_without_repository(&self, path: &str, visibility: Visibility) {
        must(self.shared.add_project(path, visibility, Start::NoRepository));
    }

    /// Archives a project: it can be fetched, not pushed to.
    pub fn archive_project(&self, path: &str) {
        must(self.shared.lock().project_mut(path)).archived = true;
    }

    /// Renames a project; the old path is a 404 at once. Roles given in the project move along.
    pub fn rename_project(&self, path: &str, new_path: &str) {
        let world = &mut *self.shared.lock();
        must(world.project_mut(path)).path = new_path.to_owned();
        for (_, place, _) in world.roles.iter_mut().filter(|(_, place, _)| place == path) {
            *place = new_path.to_owned();
        }
    }

    /// Gives a role in a project, or in a group by its path.
    pub fn grant(&self, username: &str, path: &str, role: Role) {
        let world = &mut *self.shared.lock();
        let user = must(world.user_id(username));
        must(world.grant(user, path, role));
    }

    /// Gives a role in a project, or below a group, through another group that it is shared with.
    pub fn share(&self, username: &str, path: &str, role: Role) {
        let world = &mut *self.shared.lock();
        let user = must(world.user_id(username));
        world.shared_roles.push((user, path.to_owned(), role));
    }

    /// The bare repository on disk.
    pub fn repository_path(&self, path: &str) -> PathBuf {
        let world = &mut *self.shared.lock();
        let id = must(world.project_mut(path)).id;
        world.site.repository(id)
    }
}

/// # Trouble
impl StandIn {
    /// Adds a fault; they are used up in the order in which they were added.
    pub fn fault(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Ends all faults. Requests already held in silence stay unanswered.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Switches the ban on, with these limits, or off (the default).
    pub fn set_ban_limits(&self, limits: Option<BanLimits>) {
        self.shared.lock().bans.limits = limits;
    }

    /// How many Basic logins of git have failed, ever.
    pub fn failed_logins(&self) -> u32 {
        self.shared.lock().bans.total
    }

    /// Whether any address is banned now.
    pub fn is_banned(&self) -> bool {
        let world = self.shared.lock();
        world.bans.anyone_banned(world.clock.now())
    }
}

/// # What happened
impl StandIn {
    /// All requests in the order of their arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().log.clone()
    }

    /// How many requests an endpoint got.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        let world = self.shared.lock();
        let hit = |request: &&Request| endpoint == Endpoint::Any || request.endpoint == endpoint;
        world.log.iter().filter(hit).count()
    }

    /// How many refreshes were asked for.
    pub fn token_requests(&self) -> usize {
        self.shared.lock().log.iter().filter(|request| request.is_refresh()).count()
    }

    /// Waits until the log satisfies `ready`, and says whether it did before `timeout`. The log is
    /// looked at whenever a request arrives or is answered, and locked meanwhile: `ready` must not
    /// use this handle.
    pub fn wait_until(&self, timeout: Duration, ready: impl Fn(&[Request]) -> bool) -> bool {
        let world = self.shared.lock();
        let waiting = |world: &mut World| !ready(&world.log);
        let outcome = self.shared.changed.wait_timeout_while(world, timeout, waiting);
        let (_world, outcome) = outcome.unwrap_or_else(PoisonError::into_inner);
        !outcome.timed_out()
    }
}
