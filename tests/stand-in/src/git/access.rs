//! Who may fetch or push: the order of GitLab's checks (contract §2.1, §2.2).

use super::Service;
use crate::{
    server::{Answer, Call},
    world::{Project, Role, Scopes, User, UserFlag, UserId, World},
};
use std::path::PathBuf;

/// Leave to run git.
pub(crate) struct Pass {
    /// The bare repository.
    pub(crate) repository: PathBuf,
    /// The directory that is git's home.
    pub(crate) home: PathBuf,
    /// `None` for an anonymous fetch.
    pub(crate) username: Option<String>,
}

/// What a credential allows, before it is asked where.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Abilities {
    download: bool,
    push: bool,
}

impl Abilities {
    const ALL: Self = Self { download: true, push: true };
    const DOWNLOAD: Self = Self { download: true, push: false };

    fn of(scopes: &Scopes) -> Self {
        Self {
            push: scopes.contains_any(&["api", "write_repository"]),
            download: scopes.contains_any(&["api", "read_api", "read_repository", "write_repository"]),
        }
    }
}

/// Who has logged in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guest {
    User(UserId),
    /// A deploy token's bearer, who may see this project and the public ones.
    Deploy {
        project: u64,
    },
}

impl Guest {
    fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Deploy { .. } => None,
        }
    }

    fn is_deployed_to(self, project: &Project) -> bool {
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

/// Decides about one request.
pub(super) fn check(world: &mut World, call: &Call, path: &str, service: Option<Service>) -> Result<Pass, Answer> {
    let project = world.project(path).cloned();
    let (guest, abilities, username) = match call.basic() {
        Some((login, password)) => {
            let (guest, abilities) = log_in(world, call, &login, &password)?;
            let username = guest.user().map_or(login, |user| world.user(user).username.clone());
            (Some(guest), abilities, Some(username))
        }
        // `Authorization: Bearer` is not looked at: such a request is an anonymous one.
        None => {
            let open = project.as_ref().is_some_and(|project| world.can_download(None, project));
            if !open || service != Some(Service::UploadPack) {
                return Err(access_denied(world, true));
            }
            (None, Abilities::DOWNLOAD, None)
        }
    };
    authorize(world, guest, abilities, project.as_ref(), service)
        .map(|repository| Pass { repository, home: world.site.home.clone(), username: username.clone() })
        .map_err(|refusal| Answer { who: username, ..refusal })
}

/// Basic authentication, with the ban in front of it.
fn log_in(world: &mut World, call: &Call, login: &str, password: &str) -> Result<(Guest, Abilities), Answer> {
    let now = world.clock.now();
    if world.bans.is_banned(call.peer, now) {
        return Err(Answer::text(403, "Too many failed authentication attempts from this IP"));
    }
    match find_login(world, login, password) {
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
fn find_login(world: &World, login: &str, password: &str) -> Result<(Guest, Abilities), Failure> {
    if login.ends_with("-ci-token") {
        return Err(Failure::Wrong);
    }
    let now = world.clock.now();
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
fn access_denied(world: &World, challenge: bool) -> Answer {
    let help = world.site.url("/help/topics/git/troubleshooting_git.md#error-on-git-fetch-http-basic-access-denied");
    let text = "HTTP Basic: Access denied. If a password was provided for Git authentication, the \
                password was incorrect or you're required to use a token instead of a password. If \
                a token was provided, it was either incorrect, expired, or improperly scoped.";
    let answer = Answer::text(401, format!("{text} See {help}"));
    if challenge { answer.with("Www-Authenticate", "Basic realm=\"GitLab\"") } else { answer }
}

/// What the user may do there. The credential's scope is tested before the project, so it is 403
/// even for projects that do not exist.
fn authorize(
    world: &World,
    guest: Option<Guest>,
    abilities: Abilities,
    project: Option<&Project>,
    service: Option<Service>,
) -> Result<PathBuf, Answer> {
    let user = guest.and_then(Guest::user);
    let deployed = |project: &Project| guest.is_some_and(|guest| guest.is_deployed_to(project));
    let forbidden = |text: &str| Err(Answer::text(403, text));
    match service {
        Some(Service::UploadPack) if !abilities.download => {
            return forbidden("You are not allowed to download code.");
        }
        Some(Service::ReceivePack) if !abilities.push => {
            return forbidden("You are not allowed to upload code.");
        }
        Some(_) => {}
        None => return forbidden("The command you're trying to execute is not allowed."),
    }
    let project = project.filter(|project| world.can_see(user, project) || deployed(project)).ok_or_else(|| {
        Answer::text(
            404,
            "The project you were looking for could not be found or you don't have permission to \
             view it.",
        )
    })?;
    let mut enforced = world.modes.sso_enforced.iter();
    if let Some((_, url)) = enforced.find(|(group, _)| project.is_in(group)) {
        return forbidden(&format!("Cannot find valid SSO session. Please login via your group's SSO at {url}"));
    }
    if !project.repository {
        return Err(Answer::text(404, "A repository for this project does not exist yet."));
    }
    match service {
        Some(Service::ReceivePack) => {
            let role = user.and_then(|user| world.role(user, project));
            if project.archived {
                return forbidden("You can't push code to an archived project.");
            }
            if role < Some(Role::Developer) {
                return forbidden("You are not allowed to push code to this project.");
            }
        }
        _ if !world.can_download(user, project) && !deployed(project) => {
            return forbidden("You are not allowed to download code from this project.");
        }
        _ => {}
    }
    Ok(world.site.repository(project.id))
}
