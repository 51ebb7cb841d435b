//! The control interface for scripts.

use crate::support::Scene;
use gitlab_stand_in::http::Reply;
use hyper::Method;
use serde_json::{Value, json};

fn control(scene: &Scene, path: &str, body: &Value) -> Reply {
    let url = format!("{}{path}", scene.gitlab.control_url());
    scene.http.send(Method::POST, &url, &[], body.to_string().into()).unwrap()
}

fn ask(scene: &Scene, path: &str) -> Value {
    scene.http.get(&format!("{}{path}", scene.gitlab.control_url()), &[]).unwrap().json()
}

#[test]
fn a_script_can_set_the_whole_scene() {
    let scene = Scene::new();
    let act = |path: &str, body: Value| {
        let reply = control(&scene, path, &body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    };
    act("/user", json!({"user": "bob"}));
    act("/project", json!({"path": "group/new", "visibility": "private"}));
    act("/grant", json!({"user": "bob", "path": "group/new", "role": "developer"}));
    let app = act("/application", json!({"name": "Other", "confidential": true}));
    assert!(app["client_secret"].is_string());
    let scopes = "api";
    let pair = act("/tokens", json!({"user": "bob", "client_id": app["client_id"], "scopes": scopes}));
    let token = pair["access_token"].as_str().unwrap();
    assert_eq!(scene.push("group/new", token).status, 200);
    act("/flag", json!({"user": "bob", "flag": "blocked", "on": true}));
    assert_eq!(scene.push("group/new", token).status, 401);
    act("/flag", json!({"user": "bob", "flag": "blocked", "on": false}));
    act("/expire", json!({"user": "bob"}));
    assert_eq!(scene.push("group/new", token).status, 401);
    act("/revoke", json!({"user": "bob"}));
    assert_eq!(scene.gitlab.live_pairs("bob"), 0);
    act("/ban", json!({"failures": 1, "window": 60, "ban": 60}));
    scene.fetch("group/app", "wrong");
    assert_eq!(ask(&scene, "/stats")["banned"], true);
    act("/advance", json!({"seconds": 60}));
    assert_eq!(ask(&scene, "/stats")["banned"], false);
    act("/ban", Value::Null);
    let what = json!({"status": {"code": 503}});
    act("/fault", json!({"on": "token", "when": "before", "what": what}));
    assert_eq!(scene.refresh("x").status, 503);
    act("/clear-faults", json!({}));
    assert_eq!(scene.refresh("x").status, 400);
}

#[test]
fn a_script_can_look_behind_the_scene() {
    let scene = Scene::new();
    scene.refresh("x");
    let requests = ask(&scene, "/requests");
    assert_eq!(requests[0]["form"]["refresh_token"], "[secret]");
    let stats = ask(&scene, "/stats");
    assert_eq!((&stats["token_requests"], &stats["failed_logins"]), (&json!(1), &json!(0)));
    let token = scene.pair("api").access_token;
    assert!(ask(&scene, "/secrets").as_array().unwrap().contains(&json!(token)));
}

#[test]
fn mistakes_are_explained() {
    let scene = Scene::new();
    for (path, body) in [
        ("/expire", json!({"user": "nobody"})),
        ("/user", json!({"user": "alice"})),
        ("/user", json!({"username": "typo"})),
        ("/fault", json!({"on": "tokn", "what": "reset"})),
        ("/nothing", json!({})),
    ] {
        let reply = control(&scene, path, &body);
        assert_eq!(reply.status, 400, "{path}");
        assert!(reply.json()["error"].is_string());
    }
    assert_eq!(scene.http.get(&scene.url("/stats"), &[]).unwrap().status, 404, "GitLab has no controls");
}
