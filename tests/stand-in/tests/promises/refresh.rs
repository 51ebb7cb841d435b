//! Refresh: one row, no grace (contract §1.5, §1.6, §8).

use crate::support::{INVALID_GRANT, Scene};
use gitlab_stand_in::{Endpoint, Fault, What};
use std::{sync::Barrier, thread, time::Duration};

#[test]
fn eight_refreshes_at_once_give_one_success() {
    let scene = Scene::new();
    let pair = scene.pair("read_repository");
    let start = Barrier::new(8);
    let replies: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    scene.refresh(&pair.refresh_token)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for reply in lost {
        assert_eq!((reply.status.as_u16(), reply.text().as_str()), (400, INVALID_GRANT));
    }
    // A spent refresh token does not hurt its successor.
    let successor = won[0].json();
    assert_eq!(scene.get("/oauth/token/info", successor["access_token"].as_str().unwrap()).status, 200);
    assert_eq!(scene.refresh(successor["refresh_token"].as_str().unwrap()).status, 200);
    assert_eq!(scene.gitlab.token_requests(), 9);
    assert_eq!(scene.gitlab.live_pairs("alice"), 1);
}

#[test]
fn invalid_grant_is_213_bytes() {
    assert_eq!(INVALID_GRANT.len(), 213);
    let scene = Scene::new();
    assert_eq!(scene.refresh("unknown").text(), INVALID_GRANT);
}

#[test]
fn a_lost_refresh_answer_leaves_both_old_tokens_dead() {
    let scene = Scene::new();
    let pair = scene.pair("read_repository");
    scene.gitlab.fault(Fault::once_after(Endpoint::Token, What::Close));
    let url = scene.url("/oauth/token");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", pair.refresh_token.as_str()),
        ("client_id", scene.client_id.as_str()),
    ];
    assert!(scene.http.post(&url, &form, &[]).is_err());
    assert_eq!(scene.get("/oauth/token/info", &pair.access_token).status, 401);
    assert_eq!(scene.refresh(&pair.refresh_token).text(), INVALID_GRANT);
    assert_eq!(scene.gitlab.live_pairs("alice"), 1, "the successor nobody knows");
}

#[test]
fn an_answer_lost_before_processing_costs_nothing() {
    let scene = Scene::new();
    let pair = scene.pair("read_repository");
    scene.gitlab.fault(Fault::once(Endpoint::Token, What::Close));
    let form = [("grant_type", "refresh_token"), ("refresh_token", pair.refresh_token.as_str())];
    assert!(scene.http.post(&scene.url("/oauth/token"), &form, &[]).is_err());
    assert_eq!(scene.refresh(&pair.refresh_token).status, 200);
}

#[test]
fn a_transient_invalid_grant_leaves_the_token_alive() {
    let scene = Scene::new();
    let pair = scene.pair("read_repository");
    scene.gitlab.fault(Fault::once(Endpoint::Token, What::TransientInvalidGrant));
    assert_eq!(scene.refresh(&pair.refresh_token).text(), INVALID_GRANT);
    assert_eq!(scene.refresh(&pair.refresh_token).status, 200);
}

#[test]
fn refresh_outlives_the_access_token_and_inherits_its_life() {
    let scene = Scene::new();
    scene.gitlab.set_token_lifetime(Duration::from_secs(60));
    let pair = scene.pair("read_repository");
    scene.gitlab.set_token_lifetime(Duration::from_secs(7200));
    scene.gitlab.expire_access_tokens("alice");
    assert_eq!(scene.get("/oauth/token/info", &pair.access_token).status, 401);
    let fresh = scene.refresh(&pair.refresh_token);
    assert_eq!((fresh.status.as_u16(), &fresh.json()["expires_in"]), (200, &60.into()));
}

#[test]
fn the_checks_come_in_doorkeepers_order() {
    let scene = Scene::new();
    let other = scene.gitlab.add_application(gitlab_stand_in::Application::default()).client_id;
    let pair = scene.pair("read_repository");
    let error = |token: &str, client: Option<&str>, scope: &str| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        form.extend(client.map(|client| ("client_id", client)));
        let reply = scene.token(&form);
        (reply.status.as_u16(), reply.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    let is = |status: u16, error: &str| (status, error.to_owned());
    assert_eq!(error("", Some("nobody"), ""), is(400, "invalid_request"));
    assert_eq!(error("dead", Some("nobody"), ""), is(400, "invalid_grant"));
    assert_eq!(error(&pair.refresh_token, Some("nobody"), ""), is(401, "invalid_client"));
    assert_eq!(error(&pair.refresh_token, None, ""), is(400, "invalid_grant"));
    assert_eq!(error(&pair.refresh_token, Some(&other), ""), is(400, "invalid_grant"));
    assert_eq!(error(&pair.refresh_token, Some(&scene.client_id), "api"), is(400, "invalid_scope"));
    // None of these consumed the token.
    assert_eq!(error(&pair.refresh_token, Some(&scene.client_id), ""), is(200, ""));
    scene.gitlab.delete_application(&scene.client_id);
    assert_eq!(error(&pair.refresh_token, Some(&scene.client_id), ""), is(400, "invalid_grant"));
}

#[test]
fn narrowing_is_permanent_and_widening_impossible() {
    let scene = Scene::new();
    let pair = scene.pair("read_repository read_user");
    let narrowed = scene
        .token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &pair.refresh_token),
            ("client_id", &scene.client_id),
            ("scope", "read_user"),
        ])
        .json();
    assert_eq!(narrowed["scope"], "read_user");
    let again = scene.refresh(narrowed["refresh_token"].as_str().unwrap()).json();
    assert_eq!(again["scope"], "read_user");
    // Editing the application: removed scopes go at the next refresh, added ones never come.
    let pair = scene.pair("read_repository read_user");
    scene.gitlab.set_scopes(&scene.client_id, "read_user api");
    assert_eq!(scene.refresh(&pair.refresh_token).json()["scope"], "read_user");
}

#[test]
fn a_blocked_user_still_refreshes_for_nothing() {
    let scene = Scene::new();
    let pair = scene.pair("api");
    scene.gitlab.block_user("alice");
    let fresh = scene.refresh(&pair.refresh_token);
    assert_eq!(fresh.status, 200);
    let token = fresh.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(scene.get("/oauth/token/info", &token).status, 200);
    assert_eq!(scene.get("/api/v4/user", &token).status, 403);
    assert_eq!(scene.fetch("group/app", &token).status, 401);
}

#[test]
fn machines_have_rows_of_their_own_until_the_user_revokes_all() {
    let scene = Scene::new();
    let (laptop, desktop) = (scene.pair("api"), scene.pair("api"));
    assert_eq!(scene.refresh(&laptop.refresh_token).status, 200);
    assert_eq!(scene.get("/oauth/token/info", &desktop.access_token).status, 200);
    scene.gitlab.revoke_application("alice", &scene.client_id);
    assert_eq!(scene.gitlab.live_pairs("alice"), 0);
    assert_eq!(scene.refresh(&desktop.refresh_token).text(), INVALID_GRANT);
}
