//! `/projects` (contract §3).

use super::{
    auth::{self, Caller},
    not_found,
};
use crate::{
    server::{Answer, Call},
    world::{Project, Role, UserId, World},
};
use form_urlencoded::Serializer;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// GitLab's page size, and the most one can ask for.
const PER_PAGE: usize = 20;
const MOST_PER_PAGE: usize = 100;

/// `GET /projects/:id`, by number or by encoded path.
pub(super) fn show(world: &World, id: &str, caller: Option<Caller>) -> Result<Answer, Answer> {
    let caller = caller.map(|caller| auth::require(Some(caller), auth::PROJECTS)).transpose()?;
    let user = caller.map(|caller| caller.user);
    let project = visible(world, id, user)?;
    Ok(Answer::json(200, &full(world, project, user)))
}

/// `GET /projects/:id/repository/branches/:branch`: there is `main`, and what is protected beside it.
pub(super) fn branch(world: &World, rest: &str, caller: Option<Caller>) -> Result<Answer, Answer> {
    let caller = auth::require(caller, auth::PROJECTS)?;
    let (id, branch) = rest.split_once("/repository/branches/").unwrap_or((rest, ""));
    let project = visible(world, id, Some(caller.user))?;
    if !world.can_download(Some(caller.user), project) {
        return Err(Answer::json(403, &json!({ "message": "403 Forbidden" })));
    }
    let branch = percent_decode_str(branch).decode_utf8_lossy();
    let beside = world.modes.protected_branches.iter().any(|protected| *protected == branch);
    if branch != "main" && !beside || !project.repository {
        return Err(not_found("404 Branch Not Found"));
    }
    let protected = world.modes.protected_default_branch || beside;
    let needed = if protected { Role::Maintainer } else { Role::Developer };
    let can_push = world.role(caller.user, project) >= Some(needed);
    Ok(Answer::json(200, &json!({ "name": branch, "default": !beside, "protected": protected, "can_push": can_push })))
}

/// A project by its number or its encoded path, for those who may know of it.
fn visible<'a>(world: &'a World, id: &str, user: Option<UserId>) -> Result<&'a Project, Answer> {
    let id = percent_decode_str(id).decode_utf8_lossy();
    let mut projects = world.projects.iter();
    let known = |project: &&Project| world.can_see(user, project);
    if let Some(moved) = world.modes.moved.get(&*id).and_then(|new| world.project(new)).filter(known) {
        let to = world.site.url(&format!("/api/v4/projects/{}", moved.id));
        let text = format!("This resource has been moved permanently to {to}");
        return Err(Answer::json(301, &json!({ "message": text })).with("Location", to));
    }
    let project = match id.parse::<u64>() {
        Ok(number) => projects.find(|project| project.id == number),
        Err(_) => world.project(&id),
    };
    project.filter(known).ok_or_else(|| not_found("404 Project Not Found"))
}

/// `GET /projects`, or `GET /groups/:id/projects`
pub(super) fn list(world: &World, call: &Call, caller: Option<Caller>, group: Option<&str>) -> Result<Answer, Answer> {
    let caller = caller.map(|caller| auth::require(Some(caller), auth::PROJECTS)).transpose()?;
    let user = caller.map(|caller| caller.user);
    let group = group.map(|id| percent_decode_str(id).decode_utf8_lossy().into_owned());
    // GitLab finds a group whatever case its path is written in.
    let as_written = |group: String| {
        let paths = world.projects.iter().filter_map(|project| project.path.get(..group.len()));
        let written = paths.filter(|path| path.eq_ignore_ascii_case(&group)).map(str::to_owned).next();
        written.unwrap_or(group)
    };
    let group = group.map(as_written);
    let below = |project: &Project| group.as_ref().is_none_or(|group| project.is_in(group));
    let deep = call.query.get("include_subgroups") == Some("true");
    let direct = |project: &Project| {
        let parent = project.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        deep || group.as_ref().is_none_or(|group| parent == group)
    };
    if group.is_some() && !world.projects.iter().any(|project| below(project) && world.can_see(user, project)) {
        return Err(not_found("404 Group Not Found"));
    }
    let number = |name: &str| call.query.get(name).and_then(|value| value.parse::<u64>().ok());
    let keyset = call.query.get("pagination") == Some("keyset");
    let ascending = call.query.get("sort") == Some("asc");
    if keyset && call.query.get("order_by") != Some("id") {
        let text = "Keyset pagination is not yet available for this type of request";
        return Err(Answer::json(405, &json!({ "error": text })));
    }
    let min_level = number("min_access_level");
    // A group's list knows neither of these, nor keyset pages.
    let member = group.is_none() && call.query.get("membership") == Some("true");
    let keyset = keyset && group.is_none();
    let cut = |name: &str| number(name).filter(|_| group.is_none());
    let (after, before) = (cut("id_after"), cut("id_before"));
    let archived = call.query.get("archived").map(|text| text == "true");
    let search = call.query.get("search").map(str::to_lowercase);
    // Otherwise only the project's own name counts.
    let around = call.query.get("search_namespaces") == Some("true");
    let mut found: Vec<&Project> = world
        .projects
        .iter()
        .filter(|project| world.can_see(user, project) && below(project) && direct(project))
        .filter(|project| after.is_none_or(|id| project.id > id) && before.is_none_or(|id| project.id < id))
        .filter(|project| archived.is_none_or(|archived| project.archived == archived))
        .filter(|project| {
            let level = user.and_then(|user| world.role(user, project)).map(Role::level);
            (!member || level.is_some())
                && min_level.is_none_or(|min| level.is_some_and(|level| u64::from(level) >= min))
        })
        .filter(|project| {
            let searched = if around { &project.path } else { project.slug() };
            search.as_ref().is_none_or(|text| searched.to_lowercase().contains(text))
        })
        .collect();
    found.sort_by_key(|project| project.id);
    if !ascending {
        found.reverse();
    }
    let per_page = number("per_page").map_or(PER_PAGE, |wanted| wanted as usize);
    let per_page = per_page.clamp(1, MOST_PER_PAGE);
    let (page, next) = if keyset {
        keyset_page(found, ascending, per_page, call)
    } else {
        offset_page(found, per_page, number("page").unwrap_or(1).max(1) as usize)
    };
    let simple = call.query.get("simple") == Some("true") || user.is_none();
    let body: Vec<Value> = page
        .into_iter()
        .map(|project| if simple { brief(world, project) } else { full(world, project, user) })
        .collect();
    let mut answer = Answer::json(200, &Value::Array(body));
    if let Some((name, value)) = next {
        answer = answer.with("Link", link(world, call, name, &value));
    }
    Ok(answer)
}

/// The parameter that leads to the next page.
type Next = Option<(&'static str, String)>;

/// A full page is always followed by another, so the last one can be empty (§8).
fn keyset_page<'a>(found: Vec<&'a Project>, ascending: bool, per_page: usize, call: &Call) -> (Vec<&'a Project>, Next) {
    let name = if ascending { "id_after" } else { "id_before" };
    let seen = call.query.get(name).and_then(|value| value.parse::<u64>().ok());
    let beyond = |project: &&Project| match seen {
        None => true,
        Some(seen) if ascending => project.id > seen,
        Some(seen) => project.id < seen,
    };
    let page: Vec<&Project> = found.into_iter().filter(beyond).take(per_page).collect();
    let last = page.last().filter(|_| page.len() == per_page).map(|last| last.id.to_string());
    (page, last.map(|last| (name, last)))
}

fn offset_page(found: Vec<&Project>, per_page: usize, page: usize) -> (Vec<&Project>, Next) {
    let more = found.len() > page * per_page;
    let page_of = found.into_iter().skip((page - 1) * per_page).take(per_page).collect();
    (page_of, more.then(|| ("page", (page + 1).to_string())))
}

fn link(world: &World, call: &Call, name: &str, value: &str) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(call.query.iter().filter(|(key, _)| *key != name));
    let query = query.append_pair(name, value).finish();
    format!("<{}?{query}>; rel=\"next\"", world.site.url(&call.path))
}

/// What `simple=true` leaves.
fn brief(world: &World, project: &Project) -> Value {
    let path = &project.path;
    json!({
        "id": project.id,
        "description": description(),
        "name": project.slug(),
        "name_with_namespace": path.replace('/', " / "),
        "path": project.slug(),
        "path_with_namespace": path,
        "default_branch": "main",
        "http_url_to_repo": world.site.url(&format!("/{path}.git")),
        "web_url": world.site.url(&format!("/{path}")),
    })
}

/// As long as GitLab lets it be: clients must not count on short pages.
fn description() -> String {
    "All about it. ".repeat(142)
}

fn full(world: &World, project: &Project, user: Option<UserId>) -> Value {
    let mut body = brief(world, project);
    body["visibility"] = json!(project.visibility);
    body["last_activity_at"] = "2026-09-01T12:34:56.789Z".into();
    body["archived"] = project.archived.into();
    body["empty_repo"] = (!project.repository).into();
    if let Some(user) = user {
        let access =
            |role: Option<Role>| role.map(|role| json!({ "access_level": role.level(), "notification_level": 3 }));
        body["permissions"] = json!({
            "project_access": access(world.project_role(user, project)),
            "group_access": access(world.group_role(user, project)),
        });
    }
    body
}
