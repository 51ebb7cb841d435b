//! Who may do what with a project's LFS store: the order of GitLab's checks.

use super::{forbidden, not_found, trouble};
use crate::{
    git::login::{Abilities, Guest, Place, access_denied, log_in},
    server::{Answer, Call},
    world::{Project, Role, UserId, World},
};

/// What a request is about. One that is about neither, a batch with a strange operation, may nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Download,
    Upload,
    Neither,
}

/// Leave to go on.
pub(super) struct Pass {
    pub(super) project: Project,
    /// `None` for a deploy token, and for an anonymous download.
    pub(super) user: Option<UserId>,
    pub(super) username: Option<String>,
}

/// The login comes first (401), then whether there is LFS at all (501), then the project: 403 for
/// those who may fetch from it, 404 for the others, even if they may know of it (`lfs_check_access!`).
pub(super) fn check(world: &mut World, call: &Call, path: &str, wanted: Wanted) -> Result<Pass, Answer> {
    let project = world.project(path).cloned();
    let (guest, abilities, username) = match call.basic() {
        Some((login, password)) => {
            let (guest, abilities) = log_in(world, call, &login, &password, Place::Lfs)?;
            let username = guest.user().map_or(login, |user| world.user(user).username.clone());
            (Some(guest), abilities, Some(username))
        }
        None => {
            let open = project.as_ref().is_some_and(|project| world.can_download(None, project));
            if !open || wanted != Wanted::Download {
                return Err(access_denied(world, true));
            }
            (None, Abilities::DOWNLOAD, None)
        }
    };
    let refused = |answer: Answer| Answer { who: username.clone(), ..answer };
    if !world.modes.lfs {
        let text = "Git LFS is not enabled on this GitLab server, contact your admin.";
        return Err(refused(trouble(world, 501, text)));
    }
    let user = guest.and_then(Guest::user);
    let Some(project) = project else { return Err(refused(not_found(world))) };
    let deployed = guest.is_some_and(|guest| guest.is_deployed_to(&project));
    let may_fetch = abilities.download && (world.can_download(user, &project) || deployed);
    let allowed = match wanted {
        Wanted::Download => may_fetch,
        Wanted::Upload => abilities.push && !project.archived && is_at_least(world, user, &project, Role::Developer),
        Wanted::Neither => false,
    };
    if !allowed {
        return Err(refused(if may_fetch { forbidden(world) } else { not_found(world) }));
    }
    Ok(Pass { project, user, username })
}

/// Whether the user has this role there, or a better one.
pub(super) fn is_at_least(world: &World, user: Option<UserId>, project: &Project, role: Role) -> bool {
    user.and_then(|user| world.role(user, project)) >= Some(role)
}
