//! Git over HTTP (contract §2.1, §2.2).

use crate::support::{Desk, Scene};
use gitlab_stand_in::{Endpoint, Role, StandIn, UserFlag, Visibility, http::Reply};
use hyper::Method;
use std::{fs, time::Duration};

const CHALLENGE: &str = "Basic realm=\"GitLab\"";
const MISSING: &str = "The project you were looking for could not be found or you don't have permission to view it.";

fn is(reply: &Reply, status: u16, text: &str) {
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (status, text));
    assert!(reply.header("content-type").starts_with("text/plain"));
}

/// Status and whether there was a challenge.
fn denied(reply: &Reply) -> bool {
    assert_eq!(reply.status, 401);
    assert!(reply.text().starts_with("HTTP Basic: Access denied. If a password was provided"));
    reply.header("www-authenticate") == CHALLENGE
}

#[test]
fn real_git_clones_and_pushes_with_basic_oauth2() {
    let scene = Scene::with(StandIn::builder().https(true).base_path("/gitlab"));
    let desk = Desk::new();
    let git = |args: &[&str]| desk.git_ok(&scene.gitlab, args);
    let pair = scene.pair("write_repository");
    git(&["clone", "--quiet", &scene.remote("group/app.git", &pair.access_token), "app"]);
    assert_eq!(fs::read_to_string(desk.path().join("app/README.md")).unwrap(), "# Stand-in\n");
    // Larger than http.postBuffer, so that git streams it in chunks, after a probe.
    let noise: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(desk.path().join("app/noise"), &noise).unwrap();
    git(&["-C", "app", "add", "noise"]);
    git(&["-C", "app", "commit", "--quiet", "--message=Noise"]);
    git(&["-C", "app", "push", "--quiet"]);
    git(&["clone", "--quiet", &scene.remote("group/app.git", &pair.access_token), "again"]);
    assert_eq!(fs::read(desk.path().join("again/noise")).unwrap(), noise);
    let head = git(&["-C", "app", "rev-parse", "HEAD"]);
    let repository = scene.gitlab.repository_path("group/app");
    assert_eq!(git(&["-C", repository.to_str().unwrap(), "rev-parse", "main"]), head);
    assert!(scene.gitlab.requests().iter().any(|request| request.who.as_deref() == Some("alice")));
}

#[test]
fn protocol_version_2_is_spoken_when_asked_for() {
    let scene = Scene::new();
    scene.gitlab.add_project("group/open", Visibility::Public);
    let url = scene.url("/group/open.git/info/refs?service=git-upload-pack");
    let first_line = |headers: &[(&str, &str)]| {
        let text = scene.http.get(&url, headers).unwrap().text();
        text.contains("version 2")
    };
    assert!(first_line(&[("git-protocol", "version=2")]));
    assert!(!first_line(&[]));
}

#[test]
fn a_gzipped_request_is_understood() {
    let scene = Scene::new();
    let desk = Desk::new();
    let git = |args: &[&str]| desk.git_ok(&scene.gitlab, args);
    let remote = scene.remote("group/app.git", &scene.pair("api").access_token);
    git(&["clone", "--quiet", &remote, "app"]);
    // Git compresses a request once it names this many commits.
    for number in 0..40 {
        git(&["-C", "app", "commit", "--quiet", "--allow-empty", &format!("--message={number}")]);
        git(&["-C", "app", "branch", &format!("b{number}")]);
    }
    git(&["-C", "app", "push", "--quiet", "--all"]);
    let trace = desk.path().join("trace");
    let traced = format!("alias.traced=!GIT_TRACE_CURL={} git", trace.to_str().unwrap());
    git(&["-c", &traced, "traced", "clone", "--quiet", &remote, "again"]);
    let trace = fs::read_to_string(trace).unwrap().to_lowercase();
    assert!(trace.contains("=> send header: content-encoding: gzip"));
    assert_eq!(git(&["-C", "again", "branch", "--remotes"]).lines().count(), 42);
}

#[test]
fn an_address_without_git_is_sent_to_the_one_with_it() {
    let scene = Scene::new();
    let desk = Desk::new();
    let token = scene.pair("read_repository").access_token;
    let url = scene.url("/group/app/info/refs?service=git-upload-pack");
    let reply = scene.http.get(&url, &[]).unwrap();
    assert_eq!(reply.status, 301);
    assert_eq!(reply.header("location"), scene.url("/group/app.git/info/refs?service=git-upload-pack"));
    desk.git_ok(&scene.gitlab, &["clone", "--quiet", &scene.remote("group/app", &token), "app"]);
}

#[test]
fn empty_projects_take_a_first_push() {
    let scene = Scene::new();
    let desk = Desk::new();
    let git = |args: &[&str]| desk.git_ok(&scene.gitlab, args);
    scene.gitlab.add_empty_project("group/new", Visibility::Private);
    scene.gitlab.grant("alice", "group", Role::Developer);
    git(&["init", "--quiet", "new"]);
    git(&["-C", "new", "commit", "--quiet", "--allow-empty", "--message=First"]);
    let remote = scene.remote("group/new.git", &scene.pair("api").access_token);
    git(&["-C", "new", "push", "--quiet", &remote, "HEAD:main"]);
    assert!(git(&["ls-remote", &remote]).contains("refs/heads/main"));
}

#[test]
fn private_and_missing_look_alike_to_strangers() {
    let scene = Scene::new();
    for project in ["group/app", "group/missing"] {
        assert!(denied(&scene.info_refs(project, "git-upload-pack", None)));
        assert!(denied(&scene.fetch(project, "wrong")));
    }
}

#[test]
fn bearer_is_not_read_for_git() {
    let scene = Scene::new();
    let token = scene.pair("api").access_token;
    assert!(denied(&scene.get("/group/app.git/info/refs?service=git-upload-pack", &token)));
    assert_eq!(scene.gitlab.failed_logins(), 0, "an anonymous request, not a failed login");
}

#[test]
fn dead_tokens_and_blocked_users_are_denied() {
    let scene = Scene::new();
    let (expired, revoked) = (scene.pair("api"), scene.pair("api"));
    scene.post("/oauth/revoke", &[("token", &revoked.refresh_token), ("client_id", &scene.client_id)]);
    assert!(denied(&scene.fetch("group/app", &revoked.access_token)));
    scene.gitlab.expire_access_tokens("alice");
    assert!(denied(&scene.fetch("group/app", &expired.access_token)));
    let live = scene.pair("api").access_token;
    for flag in [UserFlag::Blocked, UserFlag::PasswordExpired] {
        scene.gitlab.flag_user("alice", flag, true);
        assert!(denied(&scene.fetch("group/app", &live)));
        scene.gitlab.flag_user("alice", flag, false);
    }
    assert_eq!(scene.fetch("group/app", &live).status, 200);
}

#[test]
fn scope_is_checked_before_the_project() {
    let scene = Scene::new();
    let reader = scene.pair("read_repository").access_token;
    let user = scene.pair("read_user").access_token;
    for project in ["group/app", "group/missing"] {
        is(&scene.push(project, &reader), 403, "You are not allowed to upload code.");
        is(&scene.fetch(project, &user), 403, "You are not allowed to download code.");
    }
    is(&scene.fetch("group/missing", &reader), 404, MISSING);
    assert_eq!(scene.gitlab.failed_logins(), 0, "too little scope is a successful login");
}

#[test]
fn scopes_map_to_abilities() {
    let scene = Scene::new();
    for (scope, fetch, push) in [
        ("api", 200, 200),
        ("read_api", 200, 403),
        ("read_repository", 200, 403),
        ("write_repository", 200, 200),
        ("openid", 403, 403),
    ] {
        let token = scene.pair(scope).access_token;
        let statuses = (scene.fetch("group/app", &token).status, scene.push("group/app", &token).status);
        assert_eq!((statuses.0.as_u16(), statuses.1.as_u16()), (fetch, push), "{scope}");
    }
}

#[test]
fn roles_decide_in_private_projects() {
    let scene = Scene::new();
    scene.gitlab.add_user("bob", "Bob");
    let token = scene.gitlab.issue_tokens("bob", &scene.client_id, "api").access_token;
    is(&scene.fetch("group/app", &token), 404, MISSING);
    for (role, fetch, push) in
        [(Role::Guest, 403, 403), (Role::Planner, 403, 403), (Role::Reporter, 200, 403), (Role::Developer, 200, 200)]
    {
        scene.gitlab.grant("bob", "group/app", role);
        assert_eq!(scene.fetch("group/app", &token).status, fetch, "{role:?}");
        assert_eq!(scene.push("group/app", &token).status, push, "{role:?}");
    }
    scene.gitlab.grant("bob", "group/app", Role::Guest);
    let text = "You are not allowed to download code from this project.";
    is(&scene.fetch("group/app", &token), 403, text);
    is(&scene.push("group/app", &token), 403, "You are not allowed to push code to this project.");
}

#[test]
fn public_projects_are_open_but_bad_credentials_are_not_ignored() {
    let scene = Scene::new();
    scene.gitlab.add_project("group/open", Visibility::Public);
    assert_eq!(scene.info_refs("group/open", "git-upload-pack", None).status, 200);
    assert!(denied(&scene.info_refs("group/open", "git-receive-pack", None)));
    assert!(denied(&scene.fetch("group/open", "wrong")));
    scene.gitlab.add_project("group/inside", Visibility::Internal);
    assert!(denied(&scene.info_refs("group/inside", "git-upload-pack", None)));
    assert_eq!(scene.fetch("group/inside", &scene.pair("read_repository").access_token).status, 200);
}

#[test]
fn some_projects_refuse_with_words() {
    let scene = Scene::new();
    let token = scene.pair("api").access_token;
    scene.gitlab.grant("alice", "group", Role::Owner);
    scene.gitlab.add_project_without_repository("group/bare", Visibility::Private);
    is(&scene.fetch("group/bare", &token), 404, "A repository for this project does not exist yet.");
    scene.gitlab.archive_project("group/app");
    assert_eq!(scene.fetch("group/app", &token).status, 200);
    assert_eq!(scene.push("group/app", &token).status, 403);
    let url = "https://gitlab.example/groups/group/-/saml/sso";
    scene.gitlab.configure(|modes| drop(modes.sso_enforced.insert("group".to_owned(), url.to_owned())));
    let text = format!("Cannot find valid SSO session. Please login via your group's SSO at {url}");
    is(&scene.fetch("group/app", &token), 403, &text);
}

#[test]
fn a_renamed_project_is_found_under_its_new_path_only() {
    let scene = Scene::new();
    let token = scene.pair("api").access_token;
    scene.gitlab.rename_project("group/app", "team/app");
    assert_eq!(scene.fetch("group/app", &token).status, 404);
    assert_eq!(scene.fetch("team/app", &token).status, 200);
}

#[test]
fn head_on_info_refs_is_forbidden() {
    let scene = Scene::new();
    let url = scene.url("/group/app.git/info/refs?service=git-upload-pack");
    let reply = scene.http.send(Method::HEAD, &url, &[], Vec::new().into()).unwrap();
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (403, ""));
}

#[test]
fn the_user_name_matters_to_old_servers_only() {
    let scene = Scene::new();
    let token = scene.pair("api").access_token;
    let fetch = |name: &str| scene.info_refs("group/app", "git-upload-pack", Some((name, &token)));
    assert_eq!(fetch("anything").status, 200);
    assert!(denied(&fetch("gitlab-ci-token")), "a CI job's name is looked up elsewhere");
    scene.gitlab.configure(|modes| modes.require_oauth2_username = true);
    assert!(denied(&fetch("anything")));
    assert_eq!(fetch("oauth2").status, 200);
}

#[test]
fn some_denials_come_without_a_challenge() {
    let scene = Scene::new();
    let login = Some(("alice", "alice-password"));
    let fetch = || scene.info_refs("group/app", "git-upload-pack", login);
    assert_eq!(fetch().status, 200, "account passwords work by default");
    scene.gitlab.flag_user("alice", UserFlag::TwoFactor, true);
    assert!(!denied(&fetch()));
    assert_eq!(scene.fetch("group/app", &scene.pair("api").access_token).status, 200);
    scene.gitlab.flag_user("alice", UserFlag::TwoFactor, false);
    scene.gitlab.configure(|modes| modes.git_passwords = false);
    assert!(!denied(&fetch()));
    assert!(!denied(&scene.fetch("group/app", "wrong")));
    // Without credentials there is always one.
    assert!(denied(&scene.info_refs("group/app", "git-upload-pack", None)));
}

#[test]
fn a_token_can_be_too_new_for_the_replicas() {
    let scene = Scene::new();
    scene.gitlab.configure(|modes| modes.unseen_for = Duration::from_secs(1));
    let token = scene.pair("api").access_token;
    assert!(denied(&scene.fetch("group/app", &token)));
    assert_eq!(scene.get("/api/v4/user", &token).status, 401);
    scene.gitlab.advance_clock(Duration::from_secs(1));
    assert_eq!(scene.fetch("group/app", &token).status, 200);
    assert_eq!(scene.gitlab.count(Endpoint::Git), 2);
}

#[test]
fn a_refresh_in_the_middle_of_a_fetch_kills_it() {
    let scene = Scene::new();
    let pair = scene.pair("api");
    assert_eq!(scene.fetch("group/app", &pair.access_token).status, 200);
    assert_eq!(scene.refresh(&pair.refresh_token).status, 200);
    assert!(denied(&scene.fetch("group/app", &pair.access_token)));
}
