//! `…/info/lfs/objects/batch`: where each object goes, or comes from.

use super::{
    door::{self, Pass, Wanted},
    json, not_found,
};
use crate::{
    server::{Answer, Call},
    world::World,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

pub(super) fn answer(world: &mut World, call: &Call, path: &str, body: &Value) -> Answer {
    let wanted = match body["operation"].as_str() {
        Some("download") => Wanted::Download,
        Some("upload") => Wanted::Upload,
        _ => Wanted::Neither,
    };
    let pass = match door::check(world, call, path, wanted) {
        Ok(pass) => pass,
        Err(refusal) => return refusal,
    };
    let asked = body["objects"].as_array().filter(|objects| !objects.is_empty());
    let Some(asked) = asked else { return not_found(world) };
    let authorization = authorization(world, call, &pass);
    let store = format!("{}/gitlab-lfs/objects", world.site.url(&format!("/{}.git", pass.project.path)));
    let objects = asked.iter().map(|object| {
        let (oid, size) = (object["oid"].as_str().unwrap_or_default(), object["size"].as_u64().unwrap_or_default());
        let mut object = json!({"oid": oid, "size": size});
        match (wanted, world.lfs.links.contains(&(pass.project.id, oid.to_owned()))) {
            (Wanted::Download, true) => {
                let mut header = json!({});
                if let Some(authorization) = &authorization {
                    header["Authorization"] = json!(authorization);
                }
                object["actions"] = json!({"download": {"href": format!("{store}/{oid}"), "header": header}});
                if world.can_download(None, &pass.project) {
                    object["authenticated"] = json!(true);
                }
            }
            (Wanted::Download, false) => {
                let message = "Object does not exist on the server or you don't have permissions to access it";
                object["error"] = json!({"code": 404, "message": message});
            }
            // GitLab offers no `verify`: it hashes what it gets, and refuses what does not match.
            (_, false) => {
                let header = json!({
                    "Authorization": authorization,
                    "Content-Type": "application/octet-stream",
                    "Transfer-Encoding": "chunked",
                });
                object["actions"] = json!({"upload": {"href": format!("{store}/{oid}/{size}"), "header": header}});
            }
            // An object that is there already gets no action.
            (_, true) => {}
        }
        object
    });
    let objects: Vec<Value> = objects.collect();
    let answer = json(200, &json!({"objects": objects}));
    Answer { who: pass.username, ..answer }
}

/// What the transfers are to log in with: a token made for LFS, for people; what they came with,
/// for deploy tokens.
fn authorization(world: &mut World, call: &Call, pass: &Pass) -> Option<String> {
    let Some(user) = pass.user else { return call.header("authorization").map(str::to_owned) };
    let token = world.issue_lfs_token(user);
    let login = format!("{}:{token}", world.user(user).username);
    Some(format!("Basic {}", BASE64_STANDARD.encode(login)))
}
