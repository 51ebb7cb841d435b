//! `token/info`, `introspect`, `revoke`, `userinfo`, discovery (contract §1.1, §1.8, §8).

use crate::support::Scene;
use serde_json::json;

#[test]
fn token_info_answers_whatever_the_scope() {
    let scene = Scene::new();
    let pair = scene.pair("read_repository write_repository");
    let body = scene.get("/oauth/token/info", &pair.access_token).json();
    assert_eq!(body["scope"], json!(["read_repository", "write_repository"]));
    assert_eq!(body["scopes"], body["scope"]);
    assert_eq!(body["application"]["uid"], scene.client_id);
    assert_eq!((&body["expires_in"], &body["expires_in_seconds"]), (&json!(7200), &json!(7200)));
    assert!(body["resource_owner_id"].is_u64() && body["created_at"].is_u64());

    let dead = scene.get("/oauth/token/info", "unknown");
    assert_eq!(dead.status, 401);
    let text = "The access token is invalid";
    assert_eq!(dead.json(), json!({"error": "invalid_token", "error_description": text, "state": "unauthorized"}));
    assert_eq!(scene.gitlab.failed_logins(), 0, "outside git's ban counter");
}

#[test]
fn revoking_with_an_expired_access_token_says_yes_and_does_nothing() {
    let scene = Scene::new();
    let pair = scene.pair("api");
    scene.gitlab.expire_access_tokens("alice");
    let revoke = |token: &str| scene.post("/oauth/revoke", &[("token", token), ("client_id", &scene.client_id)]);
    let reply = revoke(&pair.access_token);
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (200, "{}"));
    assert_eq!(scene.gitlab.live_pairs("alice"), 1);
    assert_eq!(revoke(&pair.refresh_token).status, 200);
    assert_eq!(scene.gitlab.live_pairs("alice"), 0);
    assert_eq!(revoke("unknown").text(), "{}");
}

#[test]
fn only_the_owner_revokes() {
    let scene = Scene::new();
    let pair = scene.pair("api");
    for client in [&[][..], &[("client_id", "nobody")]] {
        let form = [&[("token", pair.access_token.as_str())], client].concat();
        let reply = scene.post("/oauth/revoke", &form);
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (403, &json!("unauthorized_client")));
    }
    assert_eq!(scene.gitlab.live_pairs("alice"), 1);
    // Either token kills the row.
    scene.post("/oauth/revoke", &[("token", &pair.access_token), ("client_id", &scene.client_id)]);
    assert_eq!(scene.refresh(&pair.refresh_token).json()["error"], "invalid_grant");
}

#[test]
fn introspection_misjudges_a_refresh_token_whose_access_token_expired() {
    let scene = Scene::new();
    let pair = scene.pair("api");
    let ask =
        |token: &str| scene.post("/oauth/introspect", &[("token", token), ("client_id", &scene.client_id)]).json();
    assert_eq!(ask(&pair.refresh_token)["active"], true);
    scene.gitlab.expire_access_tokens("alice");
    assert_eq!(ask(&pair.refresh_token), json!({ "active": false }));
    assert_eq!(scene.refresh(&pair.refresh_token).status, 200);
    assert_eq!(scene.post("/oauth/introspect", &[("token", "x")]).status, 400);
}

#[test]
fn userinfo_needs_openid() {
    let scene = Scene::new();
    assert_eq!(scene.get("/oauth/userinfo", &scene.pair("api").access_token).status, 403);
    let body = scene.get("/oauth/userinfo", &scene.pair("openid").access_token).json();
    assert_eq!((&body["nickname"], &body["name"]), (&json!("alice"), &json!("Alice Doe")));
    assert!(body["sub"].is_string() && body["groups"].is_array());
}

#[test]
fn discovery_keeps_quiet_about_the_device_grant() {
    let scene = Scene::with(gitlab_stand_in::StandIn::builder().base_path("/gitlab"));
    let get = |path: &str| scene.http.get(&scene.url(path), &[]).unwrap().json();
    let openid = get("/.well-known/openid-configuration");
    assert_eq!(openid["token_endpoint"], scene.url("/oauth/token"));
    assert!(openid.get("device_authorization_endpoint").is_none());
    assert!(openid.get("registration_endpoint").is_none());
    assert!(openid["grant_types_supported"].as_array().unwrap().contains(&json!("device_code")));
    let server = get("/.well-known/oauth-authorization-server");
    let registration = server["registration_endpoint"].as_str().unwrap();
    assert!(!registration.contains("/gitlab"), "loses the sub-path");
}
