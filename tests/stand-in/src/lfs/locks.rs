//! `…/info/lfs/locks`: files that one person alone may change.

use super::{
    door::{self, Pass, Wanted, is_at_least},
    json, trouble,
};
use crate::{
    server::{Answer, Call},
    world::{Lock, Role, World, date_and_time},
};
use serde_json::{Value, json};

/// All locks of the project, or the one with the `path` or `id` in the query. Whoever may fetch may ask.
pub(super) fn list(world: &mut World, call: &Call, path: &str) -> Answer {
    admitted(world, call, path, Wanted::Download, |world, pass| {
        let wanted = |name: &str, value: &str| call.query.get(name).is_none_or(|wanted| wanted == value);
        let locks = of(world, pass).filter(|lock| wanted("path", &lock.path) && wanted("id", &lock.id.to_string()));
        json(200, &json!({"locks": locks.map(|lock| shown(world, lock)).collect::<Vec<_>>()}))
    })
}

pub(super) fn create(world: &mut World, call: &Call, path: &str, body: &Value) -> Answer {
    admitted(world, call, path, Wanted::Upload, |world, pass| {
        let file = body["path"].as_str().unwrap_or_default();
        if let Some(lock) = of(world, pass).find(|lock| lock.path == file) {
            let lock = shown(world, lock);
            let message =
                json!({"lock": lock, "message": "already locked", "documentation_url": world.site.url("/help")});
            return json(409, &message);
        }
        let Some(owner) = pass.user else { return trouble(world, 403, "You have no permissions") };
        let (id, at) = (world.next_id(), world.clock.now());
        let lock = Lock { id, project: pass.project.id, path: file.to_owned(), owner, at };
        world.lfs.locks.push(lock.clone());
        json(201, &json!({"lock": shown(world, &lock)}))
    })
}

/// What `git push` asks: whose locks there are.
pub(super) fn verify(world: &mut World, call: &Call, path: &str) -> Answer {
    admitted(world, call, path, Wanted::Upload, |world, pass| {
        let (ours, theirs): (Vec<_>, Vec<_>) = of(world, pass).partition(|lock| Some(lock.owner) == pass.user);
        let shown = |locks: Vec<&Lock>| locks.into_iter().map(|lock| shown(world, lock)).collect::<Vec<_>>();
        json(200, &json!({"ours": shown(ours), "theirs": shown(theirs)}))
    })
}

pub(super) fn unlock(world: &mut World, call: &Call, path: &str, id: &str, body: &Value) -> Answer {
    admitted(world, call, path, Wanted::Upload, |world, pass| {
        let Some(lock) = of(world, pass).find(|lock| lock.id.to_string() == id).cloned() else {
            return trouble(world, 404, "Lock not found");
        };
        let forced = body["force"].as_bool() == Some(true);
        let maintains = is_at_least(world, pass.user, &pass.project, Role::Maintainer);
        if forced && !maintains {
            return trouble(world, 403, "You must have maintainer access to force delete a lock");
        }
        if !forced && pass.user != Some(lock.owner) {
            let owner = &world.user(lock.owner).name;
            return trouble(world, 403, &format!("'{}' is locked by {owner}", lock.path));
        }
        world.lfs.locks.retain(|kept| kept.id != lock.id);
        json(200, &json!({"lock": shown(world, &lock)}))
    })
}

/// Answers those who may come in.
fn admitted(
    world: &mut World,
    call: &Call,
    path: &str,
    wanted: Wanted,
    answer: impl FnOnce(&mut World, &Pass) -> Answer,
) -> Answer {
    match door::check(world, call, path, wanted) {
        Ok(pass) => Answer { who: pass.username.clone(), ..answer(world, &pass) },
        Err(refusal) => refusal,
    }
}

fn of<'a>(world: &'a World, pass: &Pass) -> impl Iterator<Item = &'a Lock> {
    let project = pass.project.id;
    world.lfs.locks.iter().filter(move |lock| lock.project == project)
}

fn shown(world: &World, lock: &Lock) -> Value {
    let owner = &world.user(lock.owner).name;
    json!({"id": lock.id.to_string(), "path": lock.path, "locked_at": date_and_time(lock.at), "owner": {"name": owner}})
}
