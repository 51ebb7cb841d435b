//! Basic logins of git and git-lfs: who it is, and what the credential allows (contract §2.1, §2.3).

use crate::{
    server::{Answer, Call},
    world::{Project, Scopes, User, UserFlag, UserId, World},
};

/// Where somebody logs in: the tokens that LFS hands out are good for LFS alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Git,
    Lfs,
}

/// What a credential allows, before it is asked where.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub(crate) download: bool,
    pub(crate) push: bool,
}

impl Abilities {
    pub(crate) const ALL: Self = Self { download: true, push: true };
    pub(crate) const DOWNLOAD: Self = Self { download: true, push: false };

    fn of(scopes: &Scopes) -> Self {
        Self {
            push: scopes.contains_any(&["api", "write_repository"]),
            download: scopes.contains_any(&["api", "read_api", "read_repository", "write_repository"]),
        }
    }
}

/// Who has logged in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    User(UserId),
    /// A deploy token's bearer, who may see this project and the public ones.
    Deploy {
        project: u64,
    },
}

impl Guest {
    pub(crate) fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Deploy { .. } => None,
        }
    }

    pub(crate) fn is_deployed_to(self, project: &Project) -> bool {
        self == Self::Deploy { project: project.id }
    }
}

/// Why a Basic login failed.
enum Failure {
    /// Counts for the ban.
    Wrong,
    /// An account password that two-factor authentication has retired; GitLab gives up before it
    /// counts, and sends no challenge.
    NeedsToken,
}

/// Basic authentication, with the ban in front of it.
pub(crate) fn log_in(
    world: &mut World,
    call: &Call,
    login: &str,
    password: &str,
    place: Place,
) -> Result<(Guest, Abilities), Answer> {
    let now = world.clock.now();
    if world.bans.is_banned(call.peer, now) {
        return Err(Answer::text(403, "Too many failed authentication attempts from this IP"));
    }
    match find_login(world, login, password, place) {
        Ok(found) => {
            world.bans.succeeded(call.peer);
            Ok(found)
        }
        Err(Failure::Wrong) => {
            world.bans.failed(call.peer, now);
            Err(access_denied(world, world.modes.git_passwords))
        }
        Err(Failure::NeedsToken) => Err(access_denied(world, false)),
    }
}

/// The token is the password; only old versions look at the user name, except that a name like a
/// CI job's is looked up elsewhere, and a deploy token has its own.
fn find_login(world: &World, login: &str, password: &str, place: Place) -> Result<(Guest, Abilities), Failure> {
    if login.ends_with("-ci-token") {
        return Err(Failure::Wrong);
    }
    let now = world.clock.now();
    if let Some(row) = world.lfs_token(password).filter(|_| place == Place::Lfs) {
        let user = world.user(row.user);
        return accept(!row.expired(now) && user.username == login, user, Abilities::ALL);
    }
    if let Some(row) = world.pair_by_access(password) {
        let named = login == "oauth2" || !world.modes.require_oauth2_username;
        let good = named && row.accessible(now) && !world.too_new(row.created);
        return accept(good, world.user(row.user), Abilities::of(&row.scopes));
    }
    if let Some(token) = world.personal_token(password) {
        let good = !token.revoked && !token.expired(now);
        return accept(good, world.user(token.user), Abilities::of(&token.scopes));
    }
    if let Some(token) = world.deploy_token(password) {
        let good = !token.revoked && token.token.username == login;
        let found = (Guest::Deploy { project: token.project }, Abilities::of(&token.scopes));
        return good.then_some(found).ok_or(Failure::Wrong);
    }
    let user = world.user_named(login).filter(|user| user.password == password);
    let user = user.filter(|_| world.modes.git_passwords).ok_or(Failure::Wrong)?;
    if user.is(UserFlag::TwoFactor) {
        return Err(Failure::NeedsToken);
    }
    accept(true, user, Abilities::ALL)
}

fn accept(good: bool, user: &User, abilities: Abilities) -> Result<(Guest, Abilities), Failure> {
    let good = good && user.may_use_git();
    good.then_some((Guest::User(user.id), abilities)).ok_or(Failure::Wrong)
}

/// 401. Some failures come without a challenge, and git then says so instead of asking again.
pub(crate) fn access_denied(world: &World, challenge: bool) -> Answer {
    let help = world.site.url("/help/topics/git/troubleshooting_git.md#error-on-git-fetch-http-basic-access-denied");
    let text = "HTTP Basic: Access denied. If a password was provided for Git authentication, the \
                password was incorrect or you're required to use a token instead of a password. If \
                a token was provided, it was either incorrect, expired, or improperly scoped.";
    let answer = Answer::text(401, format!("{text} See {help}"));
    if challenge { answer.with("Www-Authenticate", "Basic realm=\"GitLab\"") } else { answer }
}
