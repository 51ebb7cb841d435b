//! The device grant (contract §1.7).

use crate::support::{Scene, complaint};
use gitlab_stand_in::{StandIn, http::Reply};
use serde_json::{Value, json};
use std::time::Duration;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn start(scene: &Scene) -> Value {
    let form = [("client_id", scene.client_id.as_str()), ("scope", "read_repository")];
    let reply = scene.post("/oauth/authorize_device", &form);
    assert_eq!(reply.status, 200);
    reply.json()
}

fn poll(scene: &Scene, grant: &Value) -> Reply {
    let code = grant["device_code"].as_str().unwrap();
    scene.token(&[("grant_type", GRANT), ("device_code", code), ("client_id", &scene.client_id)])
}

fn error(reply: &Reply) -> String {
    assert_eq!(reply.status, 400, "{}", reply.text());
    reply.json()["error"].as_str().unwrap().to_owned()
}

fn pass(scene: &Scene, seconds: u64) {
    scene.gitlab.advance_clock(Duration::from_secs(seconds));
}

#[test]
fn a_confirmed_code_gives_a_pair_once() {
    let scene = Scene::new();
    let grant = start(&scene);
    assert_eq!((&grant["expires_in"], &grant["interval"]), (&json!(300), &json!(5)));
    let code = grant["user_code"].as_str().unwrap();
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    let pending = poll(&scene, &grant);
    assert_eq!(error(&pending), "authorization_pending");
    assert!(pending.json()["error_description"].as_str().unwrap().contains("unexpected condition"));

    let visit = scene.browser("alice").visit(grant["verification_uri_complete"].as_str().unwrap()).unwrap();
    assert!(visit.ok && visit.text.contains("The device was authorized."), "{visit:?}");
    pass(&scene, 5);
    let pair = poll(&scene, &grant);
    assert_eq!(pair.status, 200);
    assert!(pair.json()["refresh_token"].is_string());
    assert_eq!(error(&poll(&scene, &grant)), "invalid_grant");
}

#[test]
fn polling_faster_than_five_seconds_slows_down() {
    let scene = Scene::new();
    let grant = start(&scene);
    assert_eq!(error(&poll(&scene, &grant)), "authorization_pending");
    assert_eq!(error(&poll(&scene, &grant)), "slow_down");
    pass(&scene, 4);
    assert_eq!(error(&poll(&scene, &grant)), "slow_down");
    // Counted from the last *accepted* poll, and the interval does not grow.
    pass(&scene, 1);
    assert_eq!(error(&poll(&scene, &grant)), "authorization_pending");
}

#[test]
fn expiry_is_said_once_or_not_at_all() {
    let scene = Scene::new();
    let grant = start(&scene);
    pass(&scene, 300);
    assert_eq!(error(&poll(&scene, &grant)), "expired_token");
    assert_eq!(error(&poll(&scene, &grant)), "invalid_grant");
    // Any other device's request sweeps expired grants out.
    let grant = start(&scene);
    pass(&scene, 300);
    start(&scene);
    assert_eq!(error(&poll(&scene, &grant)), "invalid_grant");
}

#[test]
fn the_page_knows_wrong_and_expired_codes() {
    let scene = Scene::new();
    let page = scene.url("/oauth/device");
    let visit = scene.browser("alice").code("WRONG123").visit(&page).unwrap();
    assert!(complaint(&visit).contains("The user code is invalid"));
    let grant = start(&scene);
    pass(&scene, 300);
    let visit = scene.browser("alice").code(grant["user_code"].as_str().unwrap()).visit(&page).unwrap();
    assert!(complaint(&visit).contains("The user code has expired"));
}

#[test]
fn walking_away_leaves_it_pending() {
    let scene = Scene::new();
    let grant = start(&scene);
    let url = grant["verification_uri_complete"].as_str().unwrap();
    assert!(scene.browser("alice").deny().visit(url).unwrap().ok);
    assert_eq!(error(&poll(&scene, &grant)), "authorization_pending");
}

#[test]
fn the_verification_uri_loses_the_sub_path() {
    let scene = Scene::with(StandIn::builder().base_path("/gitlab"));
    let grant = start(&scene);
    let wrong = grant["verification_uri"].as_str().unwrap();
    assert_eq!(wrong, scene.gitlab.url().replace("/gitlab", "/oauth/device"));
    assert_eq!(scene.browser("alice").visit(wrong).unwrap().status, 404);
    let code = grant["user_code"].as_str().unwrap();
    let visit = scene.browser("alice").code(code).visit(&scene.url("/oauth/device")).unwrap();
    assert!(visit.ok, "{visit:?}");
    assert_eq!(poll(&scene, &grant).status, 200);
}

#[test]
fn requests_are_checked() {
    let scene = Scene::new();
    let nobody = scene.post("/oauth/authorize_device", &[("client_id", "nobody")]);
    assert_eq!((nobody.status.as_u16(), &nobody.json()["error"]), (401, &json!("invalid_client")));
    let app = scene.confidential();
    let without_secret = scene.post("/oauth/authorize_device", &[("client_id", &app.client_id)]);
    assert_eq!(without_secret.status, 401);
    let scope = [("client_id", scene.client_id.as_str()), ("scope", "sudo")];
    let refused = scene.post("/oauth/authorize_device", &scope);
    assert_eq!((refused.status.as_u16(), refused.json()), (422, Value::Null), "a page, not invalid_scope");
}

#[test]
fn an_old_server_has_no_device_grant() {
    let scene = Scene::new();
    scene.gitlab.configure(|modes| modes.device_grant = false);
    assert_eq!(scene.post("/oauth/authorize_device", &[("client_id", &scene.client_id)]).status, 404);
    assert_eq!(error(&scene.token(&[("grant_type", GRANT)])), "unsupported_grant_type");
}
