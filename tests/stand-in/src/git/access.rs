//! Who may fetch or push: the order of GitLab's checks (contract §2.1, §2.2).

use super::{
    Service,
    login::{Abilities, Guest, Place, access_denied, log_in},
};
use crate::{
    server::{Answer, Call},
    world::{Project, Role, World},
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

/// Decides about one request.
pub(super) fn check(world: &mut World, call: &Call, path: &str, service: Option<Service>) -> Result<Pass, Answer> {
    let project = world.project(path).cloned();
    let (guest, abilities, username) = match call.basic() {
        Some((login, password)) => {
            let (guest, abilities) = log_in(world, call, &login, &password, Place::Git)?;
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
