//! Git LFS, as GitLab serves it: batch, locks and the objects (contract §2.5; GitLab's
//! `lfs_api_controller`, `lfs_locks_api_controller`, `lfs_storage_controller`).

mod batch;
mod door;
mod locks;
mod objects;

pub(crate) use objects::object;

use crate::{
    pages,
    server::{Answer, Call},
    world::World,
};
use hyper::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// What GitLab puts above its answers; those of the login are plain text.
const CONTENT_TYPE: &str = "application/vnd.git-lfs+json";

/// What stands between a repository's address and LFS's own.
const API: &str = ".git/info/lfs/";
const OBJECTS: &str = ".git/gitlab-lfs/objects/";

pub(crate) fn is_lfs(path: &str) -> bool {
    path.contains(API)
}

pub(crate) fn is_object(path: &str) -> bool {
    path.contains(OBJECTS)
}

/// A project's path, and the address behind it.
fn split(path: &str, at: &str) -> Option<(String, String)> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let (project, rest) = path.strip_prefix('/')?.split_once(at)?;
    Some((project.to_owned(), rest.to_owned()))
}

/// Answers about batches and locks.
pub(crate) fn answer(world: &mut World, call: &Call) -> Answer {
    let Some((project, rest)) = split(&call.path, API) else { return pages::not_found() };
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let parts: Vec<&str> = rest.split('/').collect();
    match (&call.method, parts.as_slice()) {
        (&Method::POST, ["objects", "batch"]) => batch::answer(world, call, &project, &body),
        (&Method::POST, ["objects"]) | (&Method::GET, ["objects", _]) => {
            let text = "Server supports batch API only, please update your Git LFS client to version 1.0.1 and up.";
            trouble(world, 501, text)
        }
        (&Method::GET, ["locks"]) => locks::list(world, call, &project),
        (&Method::POST, ["locks"]) => locks::create(world, call, &project, &body),
        (&Method::POST, ["locks", "verify"]) => locks::verify(world, call, &project),
        (&Method::POST, ["locks", id, "unlock"]) => locks::unlock(world, call, &project, id, &body),
        _ => pages::not_found(),
    }
}

fn json(status: u16, body: &Value) -> Answer {
    Answer::new(status, CONTENT_TYPE, body.to_string())
}

/// What went wrong, in the form LFS asks for.
fn trouble(world: &World, status: u16, message: &str) -> Answer {
    json(status, &serde_json::json!({"message": message, "documentation_url": world.site.url("/help")}))
}

fn not_found(world: &World) -> Answer {
    trouble(world, 404, "Not found.")
}

fn forbidden(world: &World) -> Answer {
    trouble(world, 403, "Access forbidden. Check your access level.")
}
