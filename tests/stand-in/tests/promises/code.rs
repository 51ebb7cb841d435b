//! The code exchange and the token answer (contract §1.3, §1.4, §1.6).

use crate::support::{Callback, INVALID_GRANT, Scene, VERIFIER, basic};
use std::time::Duration;

#[test]
fn a_token_answer_has_the_documented_keys_and_headers() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let code = scene.code(&callback, &[]);
    let reply = scene.exchange(&code, &callback.uri, VERIFIER);
    assert_eq!(reply.status, 200);
    assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
    let body = reply.json();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["access_token", "created_at", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&"Bearer".into(), &7200.into()));
    assert_eq!(body["scope"], "read_repository");
    for token in [&body["access_token"], &body["refresh_token"]] {
        let token = token.as_str().unwrap();
        assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(scene.gitlab.secrets().iter().any(|secret| secret == token));
    }
}

#[test]
fn a_code_is_good_once_and_its_replay_harms_nothing() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let code = scene.code(&callback, &[]);
    let pair = scene.exchange(&code, &callback.uri, VERIFIER).json();
    let replay = scene.exchange(&code, &callback.uri, VERIFIER);
    assert_eq!((replay.status.as_u16(), replay.text().as_str()), (400, INVALID_GRANT));
    assert_eq!(scene.get("/oauth/token/info", pair["access_token"].as_str().unwrap()).status, 200);
}

#[test]
fn a_wrong_verifier_does_not_burn_the_code() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let code = scene.code(&callback, &[]);
    assert_eq!(scene.exchange(&code, &callback.uri, "wrong").json()["error"], "invalid_grant");
    let missing = scene.exchange(&code, &callback.uri, "");
    assert_eq!(missing.json()["error"], "invalid_request");
    assert_eq!(missing.json()["error_description"], "Missing required parameter: code_verifier.");
    assert_eq!(scene.exchange(&code, &callback.uri, VERIFIER).status, 200);
}

#[test]
fn pkce_is_optional_but_never_half() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let code = scene.code(&callback, &[("code_challenge", ""), ("code_challenge_method", "")]);
    assert_eq!(scene.exchange(&code, &callback.uri, VERIFIER).json()["error"], "invalid_grant");
    assert_eq!(scene.exchange(&code, &callback.uri, "").status, 200);
    let code = scene.code(&callback, &[("code_challenge", "plain-text"), ("code_challenge_method", "plain")]);
    assert_eq!(scene.exchange(&code, &callback.uri, "plain-text").status, 200);
}

#[test]
fn the_redirect_uri_is_mandatory_and_the_same() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let code = scene.code(&callback, &[]);
    let missing = scene.exchange(&code, "", VERIFIER).json();
    assert_eq!(missing["error_description"], "Missing required parameter: redirect_uri.");
    let other = scene.exchange(&code, "http://127.0.0.1/other", VERIFIER).json();
    assert_eq!(other["error"], "invalid_grant");
    assert_eq!(scene.exchange(&code, &callback.uri, VERIFIER).status, 200);
}

#[test]
fn a_code_lives_ten_minutes() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let (young, old) = (scene.code(&callback, &[]), scene.code(&callback, &[]));
    scene.gitlab.advance_clock(Duration::from_secs(590));
    assert_eq!(scene.exchange(&young, &callback.uri, VERIFIER).status, 200);
    scene.gitlab.advance_clock(Duration::from_secs(10));
    assert_eq!(scene.exchange(&old, &callback.uri, VERIFIER).json()["error"], "invalid_grant");
}

#[test]
fn clients_prove_themselves_in_one_way_only() {
    let scene = Scene::new();
    let app = scene.confidential();
    let secret = app.client_secret.unwrap();
    let refresh = |form: &[(&str, &str)], header: Option<&str>| {
        let pair = scene.gitlab.issue_tokens("alice", &app.client_id, "api");
        let mut all = vec![("grant_type", "refresh_token"), ("refresh_token", pair.refresh_token.as_str())];
        all.extend(form);
        let header = header.map(|value| ("authorization", value));
        let reply = scene.http.post(&scene.url("/oauth/token"), &all, header.as_slice()).unwrap();
        (reply.status.as_u16(), reply.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    let id = ("client_id", app.client_id.as_str());
    let header = basic(&app.client_id, &secret);
    let ok = (200, String::new());
    assert_eq!(refresh(&[id, ("client_secret", &secret)], None), ok);
    assert_eq!(refresh(&[], Some(&header)), ok);
    assert_eq!(refresh(&[id, ("client_secret", &secret)], Some(&header)), (400, "invalid_request".to_owned()));
    let refused = (401, "invalid_client".to_owned());
    assert_eq!(refresh(&[id], None), refused);
    assert_eq!(refresh(&[id, ("client_secret", "wrong")], None), refused);
    let fresh = scene.gitlab.renew_secret(&app.client_id);
    assert_eq!(refresh(&[id, ("client_secret", &secret)], None), refused);
    assert_eq!(refresh(&[id, ("client_secret", &fresh)], None), ok);
}

#[test]
fn each_mistake_has_its_status_and_error() {
    let scene = Scene::new();
    let id = ("client_id", scene.client_id.as_str());
    for (form, status, error, text) in [
        (vec![id], 400, "invalid_request", "Missing required parameter: grant_type."),
        (vec![id, ("grant_type", "authorization_code")], 400, "invalid_request", "Missing required parameter: code."),
        (vec![id, ("grant_type", "magic")], 400, "unsupported_grant_type", "The authorization grant type"),
        (vec![id, ("grant_type", "password")], 401, "unauthorized_client", "The client is not authorized"),
        (
            vec![("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", "x"), ("client_id", "x")],
            401,
            "invalid_client",
            "Client authentication failed due to unknown client",
        ),
    ] {
        let reply = scene.token(&form);
        let body = reply.json();
        assert_eq!((reply.status.as_u16(), &body["error"]), (status, &error.into()), "{form:?}");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(text), "{description}");
        let challenge = format!("Bearer realm=\"Doorkeeper\", error=\"{error}\", error_description=\"{description}\"");
        assert_eq!(reply.header("www-authenticate"), challenge);
    }
    let reply = scene.token(&[("grant_type", "magic"), ("state", "mine")]);
    assert_eq!(reply.json()["state"], "mine");
}

#[test]
fn tokens_can_lack_an_expiry_in_two_ways() {
    let scene = Scene::new();
    let callback = Callback::listen();
    scene.gitlab.configure(|modes| modes.omit_expires_in = true);
    let hidden = scene.exchange(&scene.code(&callback, &[]), &callback.uri, VERIFIER).json();
    assert!(hidden.get("expires_in").is_none());
    let info = scene.get("/oauth/token/info", hidden["access_token"].as_str().unwrap()).json();
    assert_eq!(info["expires_in"], 7200);

    scene.gitlab.configure(|modes| modes.token_lifetime = None);
    let endless = scene.exchange(&scene.code(&callback, &[]), &callback.uri, VERIFIER).json();
    scene.gitlab.advance_clock(Duration::from_secs(1_000_000));
    let info = scene.get("/oauth/token/info", endless["access_token"].as_str().unwrap()).json();
    assert!(info["expires_in"].is_null() && info["created_at"].is_u64());
}
