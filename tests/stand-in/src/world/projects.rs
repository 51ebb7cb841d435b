//! Projects, and who may do what in them (contract §2.2, §3).

use super::{Shared, Unusable, UserId, World};
use crate::git;
use serde::{Deserialize, Serialize};

/// Who can see a project without being a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Members only.
    #[default]
    Private,
    /// Everyone who is signed in.
    Internal,
    /// Everyone.
    Public,
}

/// A member's role; the numbers are GitLab's access levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are GitLab's own")]
pub enum Role {
    Guest = 10,
    Planner = 15,
    Reporter = 20,
    Developer = 30,
    Maintainer = 40,
    Owner = 50,
}

impl Role {
    /// The access level.
    pub fn level(self) -> u8 {
        self as u8
    }
}

/// One project.
#[derive(Clone)]
pub(crate) struct Project {
    pub(crate) id: u64,
    pub(crate) path: String,
    pub(crate) visibility: Visibility,
    pub(crate) archived: bool,
    /// Off: the project exists but its repository was never made (§2.2).
    pub(crate) repository: bool,
}

impl Project {
    /// The last part of the path.
    pub(crate) fn slug(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether `path` is a group this project is in, at any depth.
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.path.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// How much of a repository a new project has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    #[default]
    Readme,
    Empty,
    NoRepository,
}

impl Shared {
    /// Makes a project. Git runs while the lock is free; the project appears when it is done.
    pub(crate) fn add_project(&self, path: &str, visibility: Visibility, start: Start) -> Result<(), Unusable> {
        let mut world = self.lock();
        if world.project(path).is_some() {
            return Err(Unusable(format!("there is already a project {path}")));
        }
        let id = world.next_id();
        let home = world.site.home.clone();
        let place = world.site.repository(id);
        drop(world);
        let made = match start {
            Start::Readme => git::create_with_readme(&home, &place),
            Start::Empty => git::create_empty(&home, &place),
            Start::NoRepository => Ok(()),
        };
        made.map_err(|error| Unusable(format!("git cannot make {path}: {error}")))?;
        self.lock().projects.push(Project {
            id,
            path: path.to_owned(),
            visibility,
            archived: false,
            repository: start != Start::NoRepository,
        });
        Ok(())
    }
}

impl World {
    pub(crate) fn project(&self, path: &str) -> Option<&Project> {
        // GitLab's paths are case-insensitive.
        self.projects.iter().find(|project| project.path.eq_ignore_ascii_case(path))
    }

    /// Gives a role in a project or a group, or changes it.
    pub(crate) fn grant(&mut self, user: UserId, path: &str, role: Role) -> Result<(), Unusable> {
        let is_group = self.projects.iter().any(|project| project.is_in(path));
        if !is_group && self.project(path).is_none() {
            return Err(Unusable(format!("there is no project or group {path}")));
        }
        self.roles.retain(|(member, place, _)| !(*member == user && place == path));
        self.roles.push((user, path.to_owned(), role));
        Ok(())
    }

    /// The project a test or script names.
    pub(crate) fn project_mut(&mut self, path: &str) -> Result<&mut Project, Unusable> {
        let found = self.projects.iter_mut().find(|project| project.path == path);
        found.ok_or_else(|| Unusable(format!("there is no project {path}")))
    }

    /// The role given in the project itself.
    pub(crate) fn project_role(&self, user: UserId, project: &Project) -> Option<Role> {
        self.role_where(user, |place| place == project.path)
    }

    /// The best role given in a group around the project.
    pub(crate) fn group_role(&self, user: UserId, project: &Project) -> Option<Role> {
        self.role_where(user, |place| project.is_in(place))
    }

    /// The best role through a group that the project, or a group around it, is shared with.
    fn shared_role(&self, user: UserId, project: &Project) -> Option<Role> {
        let own = self.shared_roles.iter();
        let here = own.filter(|(member, place, _)| *member == user && (project.is_in(place) || *place == project.path));
        here.map(|(_, _, role)| *role).max()
    }

    /// The role that counts.
    pub(crate) fn role(&self, user: UserId, project: &Project) -> Option<Role> {
        let own = self.project_role(user, project).max(self.group_role(user, project));
        own.max(self.shared_role(user, project))
    }

    /// Whether `user` (or nobody) may know that the project exists.
    pub(crate) fn can_see(&self, user: Option<UserId>, project: &Project) -> bool {
        match (project.visibility, user) {
            (Visibility::Public, _) | (Visibility::Internal, Some(_)) => true,
            (_, None) => false,
            (Visibility::Private, Some(user)) => self.role(user, project).is_some(),
        }
    }

    /// Whether `user` (or nobody) may fetch: guests and planners see a private project, but not
    /// its code.
    pub(crate) fn can_download(&self, user: Option<UserId>, project: &Project) -> bool {
        let member = user.and_then(|user| self.role(user, project));
        self.can_see(user, project) && (project.visibility != Visibility::Private || member >= Some(Role::Reporter))
    }

    fn role_where(&self, user: UserId, wanted: impl Fn(&str) -> bool) -> Option<Role> {
        let own = self.roles.iter().filter(|(member, place, _)| *member == user && wanted(place));
        own.map(|(_, _, role)| *role).max()
    }
}
