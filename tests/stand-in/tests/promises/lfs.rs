//! Git LFS: batch, objects and locks (contract §2.5).

use crate::support::{Scene, basic};
use bytes::Bytes;
use gitlab_stand_in::{Endpoint, Role, Visibility, http::Reply};
use hyper::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

const OBJECT: &[u8] = b"a large object";

/// The name of [`OBJECT`].
fn oid() -> String {
    Sha256::digest(OBJECT).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A call of LFS's API, with Basic credentials or none.
fn call(scene: &Scene, method: Method, path: &str, login: Option<(&str, &str)>, body: &Value) -> Reply {
    let header = login.map(|(user, password)| basic(user, password));
    let header = header.as_ref().map(|value| ("authorization", value.as_str()));
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    scene.http.send(method, &scene.url(path), header.as_slice(), body).unwrap()
}

fn batch(scene: &Scene, operation: &str, login: Option<(&str, &str)>) -> Reply {
    let body = json!({"operation": operation, "objects": [{"oid": oid(), "size": OBJECT.len()}]});
    call(scene, Method::POST, "/group/app.git/info/lfs/objects/batch", login, &body)
}

/// What a batch wants done for its one object.
fn action(reply: &Reply, name: &str) -> (String, String) {
    let action = &reply.json()["objects"][0]["actions"][name];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{}", reply.text())).to_owned();
    (text(&action["href"]), text(&action["header"]["Authorization"]))
}

fn put(scene: &Scene, (href, authorization): &(String, String), body: &'static [u8]) -> Reply {
    scene.http.send(Method::PUT, href, &[("authorization", authorization)], Bytes::from_static(body)).unwrap()
}

/// The status, and the message in LFS's form.
fn refusal(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("content-type"), "application/vnd.git-lfs+json");
    (reply.status.as_u16(), reply.json()["message"].as_str().unwrap().to_owned())
}

#[test]
fn an_object_that_went_up_comes_down_again() {
    let scene = Scene::new();
    let token = scene.pair("write_repository").access_token;
    let login = Some(("oauth2", token.as_str()));
    let missing = batch(&scene, "download", login).json();
    assert_eq!(missing["objects"][0]["error"]["code"], 404);
    let upload = action(&batch(&scene, "upload", login), "upload");
    assert!(!upload.1.contains(&basic("oauth2", &token)), "transfers get a token of their own");
    assert_eq!(put(&scene, &upload, OBJECT).status, 200);
    assert_eq!(batch(&scene, "upload", login).json()["objects"][0]["actions"], Value::Null, "it is there already");
    let (href, authorization) = action(&batch(&scene, "download", login), "download");
    let got = scene.http.get(&href, &[("authorization", &authorization)]).unwrap();
    assert_eq!(&got.body[..], OBJECT);
    let all = scene.gitlab.requests();
    assert!(all.iter().all(|request| request.who.as_deref() == Some("alice")), "{all:?}");
    assert_eq!(scene.gitlab.count(Endpoint::LfsObject), 2);
}

#[test]
fn what_does_not_match_its_name_is_not_kept() {
    let scene = Scene::new();
    let token = scene.pair("write_repository").access_token;
    let login = Some(("oauth2", token.as_str()));
    let upload = action(&batch(&scene, "upload", login), "upload");
    assert_eq!(put(&scene, &upload, b"another object").status, 400);
    assert_eq!(put(&scene, &upload, b"short").status, 400);
    assert_eq!(batch(&scene, "download", login).json()["objects"][0]["error"]["code"], 404);
}

#[test]
fn the_login_is_checked_first_then_the_project_then_the_role() {
    let scene = Scene::new();
    for reply in [batch(&scene, "download", None), batch(&scene, "download", Some(("oauth2", "wrong")))] {
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (401, "Basic realm=\"GitLab\""));
        assert!(reply.header("content-type").starts_with("text/plain"), "GitLab's own form, not LFS's");
    }
    assert_eq!(scene.gitlab.failed_logins(), 1);
    let forbidden = (403, "Access forbidden. Check your access level.".to_owned());
    let not_found = (404, "Not found.".to_owned());
    let token = scene.pair("write_repository").access_token;
    let login = Some(("oauth2", token.as_str()));
    for (role, download, upload) in [
        (Role::Guest, Some(&not_found), Some(&not_found)),
        (Role::Reporter, None, Some(&forbidden)),
        (Role::Developer, None, None),
    ] {
        scene.gitlab.grant("alice", "group/app", role);
        for (operation, expected) in [("download", download), ("upload", upload)] {
            let reply = batch(&scene, operation, login);
            match expected {
                Some(expected) => assert_eq!(&refusal(&reply), expected, "{role:?} {operation}"),
                None => assert_eq!(reply.status, 200, "{role:?} {operation}"),
            }
        }
    }
    assert_eq!(refusal(&batch(&scene, "destroy", login)), forbidden);
    let read_only = scene.pair("read_repository").access_token;
    assert_eq!(refusal(&batch(&scene, "upload", Some(("oauth2", &read_only)))), forbidden);
    scene.gitlab.archive_project("group/app");
    assert_eq!(refusal(&batch(&scene, "upload", login)), forbidden);
    assert_eq!(scene.gitlab.failed_logins(), 1, "a refusal of the role is no failed login");
    let elsewhere = call(&scene, Method::POST, "/no/where.git/info/lfs/objects/batch", login, &json!({}));
    assert_eq!(refusal(&elsewhere), not_found);
    scene.gitlab.configure(|modes| modes.lfs = false);
    assert_eq!(refusal(&batch(&scene, "download", login)).0, 501);
    assert_eq!(batch(&scene, "download", None).status, 401);
}

#[test]
fn everybody_may_download_from_a_public_project_and_nobody_else_upload() {
    let scene = Scene::new();
    scene.gitlab.add_project("group/open", Visibility::Public);
    let ask = |operation: &str| {
        let body = json!({"operation": operation, "objects": [{"oid": oid(), "size": 1}]});
        call(&scene, Method::POST, "/group/open.git/info/lfs/objects/batch", None, &body)
    };
    assert_eq!(ask("download").status, 200);
    assert_eq!(ask("upload").status, 401);
}

#[test]
fn a_transfer_token_outlives_the_pair_it_was_asked_with_is_good_for_lfs_alone_and_ends() {
    let scene = Scene::new();
    let token = scene.pair("write_repository").access_token;
    let upload = action(&batch(&scene, "upload", Some(("oauth2", &token))), "upload");
    scene.gitlab.revoke_tokens("alice");
    assert_eq!(batch(&scene, "upload", Some(("oauth2", &token))).status, 401);
    assert_eq!(put(&scene, &upload, OBJECT).status, 200);
    let refs = scene.url("/group/app.git/info/refs?service=git-upload-pack");
    assert_eq!(scene.http.get(&refs, &[("authorization", &upload.1)]).unwrap().status, 401);
    scene.gitlab.advance_clock(Duration::from_secs(7200));
    assert_eq!(put(&scene, &upload, OBJECT).status, 401);
}

#[test]
fn a_lock_is_made_shown_checked_and_opened_again() {
    let scene = Scene::new();
    scene.gitlab.add_user("bob", "Bob");
    scene.gitlab.grant("bob", "group/app", Role::Developer);
    let tokens = ["alice", "bob"].map(|user| {
        let pair = scene.gitlab.issue_tokens(user, &scene.client_id, "write_repository");
        pair.access_token
    });
    let [alice, bob] = tokens.each_ref().map(|token| Some(("oauth2", token.as_str())));
    let locks = |method, rest: &str, login, body: &Value| {
        call(&scene, method, &format!("/group/app.git/info/lfs/locks{rest}"), login, body)
    };
    let made = locks(Method::POST, "", alice, &json!({"path": "a.bin"}));
    assert_eq!((made.status.as_u16(), made.json()["lock"]["owner"]["name"].as_str()), (201, Some("Alice Doe")));
    let id = made.json()["lock"]["id"].as_str().unwrap().to_owned();
    let again = locks(Method::POST, "", bob, &json!({"path": "a.bin"}));
    assert_eq!((refusal(&again).0, again.json()["lock"]["id"].as_str()), (409, Some(id.as_str())));
    let listed = |query: &str| locks(Method::GET, query, bob, &Value::Null).json()["locks"].as_array().unwrap().len();
    assert_eq!([listed(""), listed("?path=a.bin"), listed("?path=b.bin")], [1, 1, 0]);
    let verified = |login, whose: &str| {
        let reply = locks(Method::POST, "/verify", login, &json!({}));
        reply.json()[whose].as_array().unwrap().len()
    };
    assert_eq!([verified(alice, "ours"), verified(alice, "theirs")], [1, 0]);
    assert_eq!([verified(bob, "ours"), verified(bob, "theirs")], [0, 1]);
    let unlock = |login, force: bool| locks(Method::POST, &format!("/{id}/unlock"), login, &json!({"force": force}));
    assert_eq!(refusal(&unlock(bob, false)), (403, "'a.bin' is locked by Alice Doe".to_owned()));
    assert_eq!(refusal(&unlock(bob, true)).0, 403);
    assert_eq!(unlock(alice, false).status, 200);
    assert_eq!(refusal(&unlock(alice, false)), (404, "Lock not found".to_owned()));
    scene.gitlab.grant("bob", "group/app", Role::Reporter);
    assert_eq!(refusal(&locks(Method::POST, "/verify", bob, &json!({}))).0, 403);
    assert_eq!(listed(""), 0, "a reporter may look");
}
