//! Personal access tokens (contract §3).

use crate::support::Scene;
use gitlab_stand_in::http::Reply;
use hyper::Method;
use std::time::Duration;

const OWN: &str = "/api/v4/personal_access_tokens/self";

fn call(scene: &Scene, method: Method, path: &str, token: &str) -> Reply {
    let header = ("private-token", token);
    scene.http.send(method, &scene.url(path), &[header], Vec::new().into()).unwrap()
}

fn rotate(scene: &Scene, token: &str) -> Reply {
    call(scene, Method::POST, &format!("{OWN}/rotate"), token)
}

#[test]
fn a_token_works_for_git_and_the_api() {
    let scene = Scene::new();
    let token = scene.gitlab.add_pat("alice", "api", None).token;
    assert!(token.starts_with("glpat-") && scene.gitlab.secrets().contains(&token));
    assert_eq!(scene.fetch("group/app", &token).status, 200);
    assert_eq!(scene.get("/api/v4/user", &token).status, 200, "also as Bearer");
    let own = call(&scene, Method::GET, OWN, &token).json();
    assert_eq!((&own["active"], &own["scopes"]), (&true.into(), &serde_json::json!(["api"])));
}

#[test]
fn rotating_kills_the_old_token_at_once() {
    let scene = Scene::new();
    let old = scene.gitlab.add_pat("alice", "self_rotate read_repository", None).token;
    let fresh = rotate(&scene, &old).json();
    assert!(fresh["expires_at"].is_string());
    let fresh = fresh["token"].as_str().unwrap();
    assert_eq!(scene.fetch("group/app", &old).status, 401);
    assert_eq!(scene.fetch("group/app", fresh).status, 200);
    // A week, by default.
    scene.gitlab.advance_clock(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(scene.fetch("group/app", fresh).status, 401);
}

#[test]
fn rotating_a_rotated_token_kills_the_family() {
    let scene = Scene::new();
    let old = scene.gitlab.add_pat("alice", "api", None).token;
    let other = scene.gitlab.add_pat("alice", "api", None).token;
    let fresh = rotate(&scene, &old).json()["token"].as_str().unwrap().to_owned();
    assert_eq!(rotate(&scene, &old).status, 401);
    assert_eq!(call(&scene, Method::GET, OWN, &fresh).status, 401);
    assert_eq!(call(&scene, Method::GET, OWN, &other).status, 200);
}

#[test]
fn some_may_not_rotate() {
    let scene = Scene::new();
    let reader = scene.gitlab.add_pat("alice", "read_api", None).token;
    assert_eq!(rotate(&scene, &reader).status, 403);
    assert_eq!(call(&scene, Method::GET, OWN, &reader).status, 200);
    let bearer = format!("Bearer {}", scene.pair("api").access_token);
    let url = scene.url(&format!("{OWN}/rotate"));
    assert_eq!(scene.http.post(&url, &[], &[("authorization", &bearer)]).unwrap().status, 405);
}

#[test]
fn a_token_deletes_itself() {
    let scene = Scene::new();
    let token = scene.gitlab.add_pat("alice", "read_user", None).token;
    assert_eq!(call(&scene, Method::DELETE, OWN, &token).status, 204);
    assert_eq!(call(&scene, Method::GET, OWN, &token).status, 401);
}
