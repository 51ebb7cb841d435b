//! The authorize page (contract §1.2, §1.3, §8).

use crate::support::{CHALLENGE, Callback, Scene, complaint};
use gitlab_stand_in::{Application, Endpoint, UserFlag};

#[test]
fn deny_redirects_but_a_bad_scope_shows_a_page() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let url = scene.authorize_url(&callback.uri, &[]);
    assert!(scene.browser("alice").deny().visit(&url).unwrap().ok);
    let query = callback.take();
    assert_eq!(query["error"], "access_denied");
    assert_eq!(query["error_description"], "The resource owner or authorization server denied the request.");
    assert_eq!(query["state"], "st&te=?");

    let url = scene.authorize_url(&callback.uri, &[("scope", "sudo")]);
    let visit = scene.browser("alice").visit(&url).unwrap();
    assert!(complaint(&visit).contains("The requested scope is invalid, unknown, or malformed."));
    assert_eq!(visit.status, 200, "GitLab renders its error page with 200");
    assert!(callback.silent());
}

#[test]
fn no_request_error_ever_calls_back() {
    let scene = Scene::new();
    let callback = Callback::listen();
    for (name, value, text) in [
        ("client_id", "", "Missing required parameter: client_id."),
        ("client_id", "nobody", "Client authentication failed"),
        ("redirect_uri", "http://evil.example/", "The redirect URI included is not valid."),
        ("redirect_uri", "", "The redirect URI included is not valid."),
        ("response_type", "", "Missing required parameter: response_type."),
        ("response_type", "token", "does not support this response type"),
        ("scope", "read_everything", "The requested scope is invalid"),
        ("code_challenge_method", "", "The code challenge method must be plain or S256."),
        ("code_challenge_method", "S512", "The code challenge method must be plain or S256."),
    ] {
        let url = scene.authorize_url(&callback.uri, &[(name, value)]);
        let visit = scene.browser("alice").visit(&url).unwrap();
        assert!(complaint(&visit).contains(text), "{name}={value}: {}", visit.text);
    }
    assert!(callback.silent());
}

#[test]
fn people_are_turned_away_on_pages_too() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let url = scene.authorize_url(&callback.uri, &[]);
    let visit = scene.browser("alice").password("wrong").visit(&url).unwrap();
    assert!(complaint(&visit).contains("Invalid login or password."));

    scene.gitlab.flag_user("alice", UserFlag::UnconfirmedEmail, true);
    assert!(complaint(&scene.browser("alice").visit(&url).unwrap()).contains("email"));
    scene.gitlab.flag_user("alice", UserFlag::UnconfirmedEmail, false);

    scene.gitlab.flag_user("alice", UserFlag::Admin, true);
    scene.gitlab.configure(|modes| modes.disable_admin_oauth_scopes = true);
    assert!(complaint(&scene.browser("alice").visit(&url).unwrap()).contains("administrator"));

    scene.gitlab.block_user("alice");
    assert!(complaint(&scene.browser("alice").visit(&url).unwrap()).contains("blocked"));
    assert!(callback.silent());
}

#[test]
fn localhost_gets_no_port_freedom() {
    let scene = Scene::new();
    let redirect_uris = vec!["http://localhost".to_owned(), "http://127.0.0.1/".to_owned()];
    let app = scene.gitlab.add_application(Application { redirect_uris, ..Application::default() });
    let url = scene.authorize_url("http://localhost:43123/", &[("client_id", &app.client_id)]);
    let visit = scene.browser("alice").visit(&url).unwrap();
    assert!(complaint(&visit).contains("redirect URI"));

    let callback = Callback::listen();
    scene.code(&callback, &[("client_id", &app.client_id)]);
}

#[test]
fn public_applications_ask_every_time_and_confidential_ones_once() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let app = scene.confidential();
    scene.gitlab.issue_tokens("alice", &scene.client_id, "read_repository");
    scene.gitlab.issue_tokens("alice", &app.client_id, "read_repository");
    let consents = || {
        let approved =
            |request: &&gitlab_stand_in::Request| request.method == "POST" && request.endpoint == Endpoint::Authorize;
        scene.gitlab.requests().iter().filter(approved).count()
    };
    scene.code(&callback, &[]);
    assert_eq!(consents(), 1);
    let confidential = ("client_id", app.client_id.as_str());
    scene.code(&callback, &[confidential]);
    assert_eq!(consents(), 1, "spared");
    scene.code(&callback, &[confidential, ("scope", "read_user")]);
    assert_eq!(consents(), 2, "other scopes are another question");
    scene.gitlab.configure(|modes| modes.confidential_skips_consent = false);
    scene.code(&callback, &[confidential]);
    assert_eq!(consents(), 3);
}

#[test]
fn a_trusted_application_gets_a_page_that_redirects_by_script() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let app = scene.gitlab.add_application(Application { trusted: true, ..Application::default() });
    let code = scene.code(&callback, &[("client_id", &app.client_id)]);
    assert_eq!(code.len(), 64);
    let last = scene.gitlab.requests().pop().unwrap();
    assert_eq!((last.method.as_str(), last.endpoint, last.status), ("GET", Endpoint::Authorize, Some(200)));
}

#[test]
fn a_form_without_the_sessions_token_is_rejected() {
    let scene = Scene::new();
    let reply = scene.post("/users/sign_in", &[("user[login]", "alice"), ("user[password]", "alice-password")]);
    assert_eq!(reply.status, 422);
}

#[test]
fn omitting_the_scope_asks_for_everything() {
    let scene = Scene::new();
    let callback = Callback::listen();
    let code = scene.code(&callback, &[("scope", ""), ("code_challenge", "")]);
    let reply = scene.token(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &callback.uri),
        ("client_id", &scene.client_id),
    ]);
    assert_eq!(reply.json()["scope"], "api");
    // An application without `api` has nothing to give then.
    let app = Application { scopes: vec!["read_user".to_owned()], ..Application::default() };
    let app = scene.gitlab.add_application(app);
    let url = scene.authorize_url(&callback.uri, &[("scope", ""), ("client_id", &app.client_id)]);
    assert!(complaint(&scene.browser("alice").visit(&url).unwrap()).contains("scope"));
}

#[test]
fn a_sub_path_installation_with_its_own_authority_works_all_the_way() {
    let scene = Scene::with(gitlab_stand_in::StandIn::builder().https(true).base_path("/gitlab"));
    let callback = Callback::listen();
    let code = scene.code(&callback, &[("code_challenge", CHALLENGE)]);
    let reply = scene.exchange(&code, &callback.uri, crate::support::VERIFIER);
    assert_eq!(reply.status, 200);
    // Nothing of GitLab answers outside of the path.
    let root = scene.gitlab.url().replace("/gitlab", "/oauth/token/info");
    assert_eq!(scene.http.get(&root, &[]).unwrap().status, 404);
}
