//! REST (contract §3).

use crate::support::Scene;
use gitlab_stand_in::{Role, Visibility};
use serde_json::json;

#[test]
fn three_kinds_of_401_and_one_403() {
    let scene = Scene::new();
    let (expired, revoked) = (scene.pair("api"), scene.pair("api"));
    scene.post("/oauth/revoke", &[("token", &revoked.refresh_token), ("client_id", &scene.client_id)]);
    let error = |token: &str| {
        let reply = scene.get("/api/v4/user", token);
        (reply.status.as_u16(), reply.json())
    };
    let invalid = |text: &str| (401, json!({"error": "invalid_token", "error_description": text}));
    assert_eq!(error(&revoked.access_token), invalid("Token was revoked. You have to re-authorize from the user."));
    scene.gitlab.expire_access_tokens("alice");
    let text = "Token is expired. You can either do re-authorization or token refresh.";
    assert_eq!(error(&expired.access_token), invalid(text));
    let unauthorized = json!({"message": "401 Unauthorized"});
    assert_eq!(error("unknown"), (401, unauthorized.clone()));
    let anonymous = scene.http.get(&scene.url("/api/v4/version"), &[]).unwrap();
    assert_eq!((anonymous.status.as_u16(), anonymous.json()), (401, unauthorized));
    let (status, body) = error(&scene.pair("read_repository write_repository").access_token);
    assert_eq!((status, &body["error"]), (403, &json!("insufficient_scope")));
    assert_eq!(body["scope"], "read_user read_api api");
}

#[test]
fn user_and_version_need_any_reading_scope() {
    let scene = Scene::new();
    for scope in ["read_user", "read_api", "api"] {
        let token = scene.pair(scope).access_token;
        assert_eq!(scene.get("/api/v4/user", &token).json()["username"], "alice");
        assert!(scene.get("/api/v4/metadata", &token).json()["version"].is_string());
        assert!(scene.get("/api/v4/version", &token).json()["version"].is_string());
    }
}

#[test]
fn an_oauth_token_is_no_private_token() {
    let scene = Scene::new();
    let token = scene.pair("api").access_token;
    let url = scene.url("/api/v4/user");
    assert_eq!(scene.http.get(&url, &[("private-token", &token)]).unwrap().status, 401);
}

#[test]
fn simple_drops_permissions() {
    let scene = Scene::new();
    scene.gitlab.grant("alice", "group", Role::Reporter);
    let token = scene.pair("read_api").access_token;
    let full = scene.get("/api/v4/projects?membership=true", &token).json();
    assert_eq!(full[0]["permissions"]["project_access"]["access_level"], 40);
    assert_eq!(full[0]["permissions"]["group_access"]["access_level"], 20);
    let simple = scene.get("/api/v4/projects?membership=true&simple=true", &token).json();
    assert!(simple[0].get("permissions").is_none());
    assert_eq!(simple[0]["http_url_to_repo"], scene.url("/group/app.git"));
    assert_eq!(simple[0]["path_with_namespace"], "group/app");
    assert_eq!(scene.get("/api/v4/projects", &scene.pair("read_user").access_token).status, 403);
}

#[test]
fn min_access_level_is_obeyed() {
    let scene = Scene::new();
    for (path, role) in [("a/guest", Role::Guest), ("a/reporter", Role::Reporter), ("a/owner", Role::Owner)] {
        scene.gitlab.add_project_without_repository(path, Visibility::Private);
        scene.gitlab.grant("alice", path, role);
    }
    scene.gitlab.add_project_without_repository("a/public", Visibility::Public);
    let token = scene.pair("api").access_token;
    let count = |query: &str| scene.get(&format!("/api/v4/projects?{query}"), &token).json().as_array().unwrap().len();
    assert_eq!(count(""), 5);
    assert_eq!(count("membership=true"), 4);
    assert_eq!(count("min_access_level=20"), 3);
    assert_eq!(count("membership=true&min_access_level=40&search=own"), 1);
}

#[test]
fn a_shared_project_is_reached_without_permissions_that_say_so() {
    let scene = Scene::new();
    scene.gitlab.add_project_without_repository("lent/app", Visibility::Private);
    scene.gitlab.share("alice", "lent", Role::Developer);
    let token = scene.pair("read_api").access_token;
    let list = |query: &str| scene.get(&format!("/api/v4/projects?membership=true&{query}"), &token).json();
    assert_eq!(list("search=lent"), json!([]), "only the project's own name is searched");
    let lent = list("search=lent&search_namespaces=true");
    assert_eq!(lent[0]["permissions"], json!({"project_access": null, "group_access": null}));
    let found = |query: &str| list(&format!("search=lent&search_namespaces=true&{query}")).as_array().unwrap().len();
    assert_eq!((found("min_access_level=30"), found("min_access_level=40")), (1, 0));
    let id = lent[0]["id"].as_u64().unwrap();
    assert_eq!((found(&format!("id_after={id}")), found(&format!("id_before={}", id + 1))), (0, 1));
}

#[test]
fn a_group_lists_what_is_below_it_and_knows_no_keyset_pages() {
    let scene = Scene::new();
    for path in ["team/a", "team/sub/b", "teams/c"] {
        scene.gitlab.add_project_without_repository(path, Visibility::Private);
    }
    scene.gitlab.add_project_without_repository("team/open", Visibility::Public);
    scene.gitlab.grant("alice", "team/a", Role::Guest);
    scene.gitlab.grant("alice", "team/sub", Role::Guest);
    scene.gitlab.archive_project("team/a");
    let token = scene.pair("read_api").access_token;
    let count = |query: &str| {
        let reply = scene.get(&format!("/api/v4/groups/team/projects?{query}"), &token);
        reply.json().as_array().unwrap().len()
    };
    assert_eq!((count(""), count("include_subgroups=true")), (2, 3));
    assert_eq!(count("include_subgroups=true&min_access_level=10"), 2);
    assert_eq!((count("archived=true"), count("archived=false")), (1, 1));
    let page = scene.get("/api/v4/groups/team/projects?pagination=keyset&order_by=id&per_page=1", &token);
    assert!(page.header("link").contains("page=2"), "{}", page.header("link"));
    let sub = scene.get("/api/v4/groups/team%2Fsub/projects", &token).json();
    assert_eq!(sub[0]["path_with_namespace"], "team/sub/b");
    let missing = scene.get("/api/v4/groups/nobody/projects", &token);
    assert_eq!((missing.status.as_u16(), missing.json()), (404, json!({"message": "404 Group Not Found"})));
}

#[test]
fn keyset_paging_can_end_on_an_empty_page() {
    let scene = Scene::new();
    for number in 1..4 {
        scene.gitlab.add_project_without_repository(&format!("group/p{number}"), Visibility::Private);
    }
    scene.gitlab.grant("alice", "group", Role::Developer);
    let token = scene.pair("read_api").access_token;
    let mut next = "/api/v4/projects?pagination=keyset&order_by=id&sort=asc&per_page=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let reply = scene.get(&next, &token);
        pages.push(reply.json().as_array().unwrap().len());
        let link = reply.header("link");
        let Some(url) = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")) else { break };
        next = url.strip_prefix(scene.gitlab.url()).unwrap().to_owned();
    }
    assert_eq!(pages, [2, 2, 0]);
    let unsupported = scene.get("/api/v4/projects?pagination=keyset&order_by=name", &token);
    let text = "Keyset pagination is not yet available for this type of request";
    assert_eq!((unsupported.status.as_u16(), unsupported.json()), (405, json!({ "error": text })));
}

#[test]
fn a_project_is_found_by_number_and_by_encoded_path() {
    let scene = Scene::new();
    let token = scene.pair("api").access_token;
    let project = scene.get("/api/v4/projects/group%2Fapp", &token).json();
    let by_id = scene.get(&format!("/api/v4/projects/{}", project["id"]), &token).json();
    assert_eq!(by_id["path_with_namespace"], "group/app");
    let missing = scene.get("/api/v4/projects/group%2Fmissing", &token);
    assert_eq!((missing.status.as_u16(), missing.json()), (404, json!({"message": "404 Project Not Found"})));
    scene.gitlab.add_user("eve", "Eve");
    let eve = scene.gitlab.issue_tokens("eve", &scene.client_id, "api").access_token;
    assert_eq!(scene.get("/api/v4/projects/group%2Fapp", &eve).status, 404);
}

#[test]
fn a_path_that_gitlab_remembers_leads_to_the_new_one() {
    let scene = Scene::new();
    let token = scene.pair("api").access_token;
    scene.gitlab.rename_project("group/app", "team/app");
    scene.gitlab.configure(|modes| drop(modes.moved.insert("group/app".into(), "team/app".into())));
    let moved = scene.get("/api/v4/projects/group%2Fapp", &token);
    assert_eq!(moved.status, 301);
    let to = moved.header("location").to_owned();
    let number = to.strip_prefix(&scene.url("/api/v4/projects/")).expect("of the same installation");
    let found = scene.get(&format!("/api/v4/projects/{number}"), &token).json();
    assert_eq!(found["path_with_namespace"], "team/app");
    let git = scene.fetch("group/app", &token);
    assert_eq!(git.status, 301);
    assert!(git.header("location").contains("/team/app.git/info/refs?service="));
    scene.gitlab.add_user("mallory", "Mallory");
    let token = scene.gitlab.issue_tokens("mallory", &scene.client_id, "api").access_token;
    assert_eq!(scene.get("/api/v4/projects/group%2Fapp", &token).status, 404);
}

#[test]
fn a_branch_tells_whether_the_caller_may_push_to_it() {
    let scene = Scene::new();
    scene.gitlab.add_user("bob", "Bob");
    scene.gitlab.grant("bob", "group/app", Role::Developer);
    let token = scene.gitlab.issue_tokens("bob", &scene.client_id, "read_api").access_token;
    let branch = || scene.get("/api/v4/projects/group%2Fapp/repository/branches/main", &token).json();
    assert_eq!((&branch()["protected"], &branch()["can_push"]), (&json!(false), &json!(true)));
    scene.gitlab.configure(|modes| modes.protected_default_branch = true);
    assert_eq!((&branch()["protected"], &branch()["can_push"]), (&json!(true), &json!(false)));
    let missing = scene.get("/api/v4/projects/group%2Fapp/repository/branches/other", &token);
    assert_eq!(missing.status, 404);
}

#[test]
fn the_date_header_follows_the_clock_that_tests_move() {
    let scene = Scene::new();
    let date = || {
        let reply = scene.get("/api/v4/version", "unknown");
        httpdate::parse_http_date(reply.header("date")).expect("a date")
    };
    let before = date();
    scene.gitlab.advance_clock(std::time::Duration::from_secs(86400));
    assert!(date().duration_since(before).expect("later").as_secs() >= 86400);
}
