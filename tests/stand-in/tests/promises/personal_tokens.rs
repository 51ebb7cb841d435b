//! Personal access tokens, those of projects and groups, and deploy tokens (contract §2.1, §3).

use crate::support::Scene;
use gitlab_stand_in::{Role, Visibility, http::Reply};
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

#[test]
fn a_token_ends_at_midnight_and_says_so() {
    let scene = Scene::new();
    let token = scene.gitlab.add_pat("alice", "read_api", Some(Duration::from_secs(36 * 3600))).token;
    let own = call(&scene, Method::GET, OWN, &token).json();
    assert_eq!(own["expires_at"].as_str().unwrap().len(), "2026-11-22".len());
    assert!(own["created_at"].as_str().unwrap().ends_with('Z'));
    scene.gitlab.advance_clock(Duration::from_secs(36 * 3600 - 60));
    assert_eq!(call(&scene, Method::GET, OWN, &token).status, 200);
    scene.gitlab.advance_clock(Duration::from_secs(24 * 3600 + 60));
    assert_eq!(call(&scene, Method::GET, OWN, &token).status, 401);
}

#[test]
fn a_rotated_token_lives_no_longer_than_a_year() {
    let scene = Scene::new();
    let token = scene.gitlab.add_pat("alice", "api", None).token;
    let rotate_to = |date: &str| {
        let header = ("private-token", token.as_str());
        scene.http.post(&scene.url(&format!("{OWN}/rotate")), &[("expires_at", date)], &[header]).unwrap()
    };
    assert_eq!(rotate_to("2999-01-01").status, 400);
    assert_eq!(rotate_to("tomorrow").status, 400);
    assert_eq!(call(&scene, Method::GET, OWN, &token).status, 200, "nothing was processed");
}

#[test]
fn older_servers_lack_the_routes_whoever_asks() {
    let scene = Scene::new();
    let token = scene.gitlab.add_pat("alice", "api", None).token;
    for (version, look, revoke, turn) in [((16, 9), 200, 204, 404), ((15, 4), 404, 204, 404), ((15, 3), 404, 404, 404)]
    {
        scene.gitlab.configure(|modes| modes.version = version);
        let unknown = "unknown";
        for (method, path, status) in
            [(Method::GET, OWN, look), (Method::DELETE, OWN, revoke), (Method::POST, &format!("{OWN}/rotate"), turn)]
        {
            let expected = if status == 404 { 404 } else { 401 };
            assert_eq!(call(&scene, method, path, unknown).status, expected, "{version:?} {path}");
        }
        assert_eq!(call(&scene, Method::GET, OWN, &token).status, look, "{version:?}");
        assert_eq!(rotate(&scene, &token).status, turn, "{version:?}");
        assert_eq!(scene.get("/api/v4/user", &token).status, 200, "{version:?}");
    }
}

#[test]
fn tokens_of_projects_and_groups_act_as_bots() {
    let scene = Scene::new();
    let life = Duration::from_secs(30 * 24 * 3600);
    for (path, name) in [("group/app", "project_"), ("group", "group_")] {
        let token = scene.gitlab.add_access_token(path, "self_rotate write_repository", Role::Developer, life);
        assert!(token.username.starts_with(name) && token.username.contains("_bot_"), "{token:?}");
        assert_eq!(scene.push("group/app", &token.token).status, 200);
        assert_eq!(scene.get("/api/v4/user", &token.token).status, 403, "a repository scope does not tell whose");
        let fresh = rotate(&scene, &token.token).json();
        assert_eq!(scene.push("group/app", fresh["token"].as_str().unwrap()).status, 200);
    }
}

#[test]
fn a_deploy_token_fetches_its_project_under_its_own_name_only() {
    let scene = Scene::new();
    scene.gitlab.add_project("group/other", Visibility::Private);
    let token = scene.gitlab.add_deploy_token("group/app", "read_repository");
    let fetch = |project: &str, login: &str| {
        scene.info_refs(project, "git-upload-pack", Some((login, &token.token))).status.as_u16()
    };
    assert_eq!(fetch("group/app", &token.username), 200);
    assert_eq!(fetch("group/app", "oauth2"), 401);
    assert_eq!(fetch("group/other", &token.username), 404);
    let push = scene.info_refs("group/app", "git-receive-pack", Some((&token.username, &token.token)));
    assert_eq!(push.status, 403);
    assert_eq!(scene.get("/api/v4/user", &token.token).status, 401);
    assert_eq!(call(&scene, Method::GET, OWN, &token.token).status, 401);
    scene.gitlab.revoke_token(&token.token);
    assert_eq!(fetch("group/app", &token.username), 401);
}
