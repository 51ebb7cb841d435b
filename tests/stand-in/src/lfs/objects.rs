//! `….git/gitlab-lfs/objects/`: the objects themselves.

use super::{
    OBJECTS,
    door::{self, Pass, Wanted},
    forbidden, not_found, split,
};
use crate::{
    pages,
    server::{Answer, Call},
    world::Shared,
};
use http_body_util::{BodyExt, Limited};
use hyper::{Method, body::Incoming};
use sha2::{Digest, Sha256};
use std::{fmt::Write, fs};

/// Far more than a test sends, and little enough to be held in memory.
const OBJECT_LIMIT: usize = 64 << 20;

/// Takes or gives one object. The body is read only if the doorman lets it pass.
pub(crate) async fn object(shared: &Shared, call: &Call, body: Incoming) -> Answer {
    let Some((path, rest)) = split(&call.path, OBJECTS) else { return pages::not_found() };
    let parts: Vec<&str> = rest.split('/').collect();
    let (wanted, oid, size) = match (&call.method, parts.as_slice()) {
        (&Method::GET, [oid]) => (Wanted::Download, *oid, None),
        (&Method::PUT, [oid, size]) => (Wanted::Upload, *oid, size.parse::<usize>().ok()),
        _ => return pages::not_found(),
    };
    if !is_oid(oid) {
        return pages::not_found();
    }
    let pass = match door::check(&mut shared.lock(), call, &path, wanted) {
        Ok(pass) => pass,
        Err(refusal) => return refusal,
    };
    let answer = match size {
        None => give(shared, &pass, oid),
        Some(size) => match Limited::new(body, OBJECT_LIMIT).collect().await {
            Ok(body) => take(shared, &pass, oid, size, &body.to_bytes()),
            Err(_) => return Answer::text(400, "SHA256 or size mismatch"),
        },
    };
    Answer { who: pass.username, ..answer }
}

/// 64 small hexadecimal digits; anything else could be a path.
fn is_oid(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn give(shared: &Shared, pass: &Pass, oid: &str) -> Answer {
    let world = shared.lock();
    if !world.lfs.links.contains(&(pass.project.id, oid.to_owned())) {
        return not_found(&world);
    }
    let place = world.site.lfs_object(oid);
    drop(world);
    match fs::read(place) {
        Ok(bytes) => Answer::new(200, "application/octet-stream", bytes),
        Err(_) => not_found(&shared.lock()),
    }
}

fn take(shared: &Shared, pass: &Pass, oid: &str, size: usize, bytes: &[u8]) -> Answer {
    let digest = Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes it");
        text
    });
    if bytes.len() != size || digest != oid {
        return Answer::text(400, "SHA256 or size mismatch");
    }
    let place = shared.lock().site.lfs_object(oid);
    if fs::write(place, bytes).is_err() {
        return forbidden(&shared.lock());
    }
    shared.lock().lfs.links.insert((pass.project.id, oid.to_owned()));
    Answer::new(200, super::CONTENT_TYPE, "")
}
