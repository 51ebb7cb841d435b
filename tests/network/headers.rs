//! What every request has with it: extra headers, and the user agent.

use std::fs;

use gitlab_stand_in::{Endpoint, StandIn};

use super::{renews, tells_nobody};
use crate::support::Sandbox;

#[test]
fn extra_headers_open_a_gateway_for_link_and_renewal_and_are_told_nobody() {
    let mut sandbox = Sandbox::https();
    sandbox.set("GIT_CREDENTIAL_GITLAB_LOG", "trace");
    sandbox.gitlab.configure(|modes| modes.gateway = Some(("X-Gateway".into(), "hunter2".into())));
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.verb(["link", &url, "--client-id", &id, "--timeout", "1"]).ended_with(4);
    sandbox.git(["config", "--global", "http.extraHeader", "X-Gateway: wrong"]).succeeded();
    sandbox.set_http("extraHeader", "");
    sandbox.set_http("extraHeader", "X-Other: more");
    sandbox.set_http("extraHeader", "x-gateway:hunter2 ");
    let linked = sandbox.link();
    sandbox.clone("group/app", "app");
    renews(&sandbox);
    assert!(sandbox.gitlab.requests().iter().all(|request| request.status != Some(403) || request.who.is_none()));
    // A daemon that does not see the person's config knows them from link.
    let config = sandbox.path("config of link");
    fs::rename(sandbox.home().join(".gitconfig"), &config).expect("moved");
    renews(&sandbox);
    fs::rename(&config, sandbox.home().join(".gitconfig")).expect("moved");
    tells_nobody(&sandbox, &["hunter2"], &[&linked, &sandbox.verb(["status", "-v"])]);
    sandbox.verb(["unlink"]).succeeded();
}

#[test]
fn extra_headers_are_those_that_git_would_send() {
    for (settings, passes) in [
        (&[("http.extraHeader", "X-Gateway: open")][..], true),
        (&[("http.extraHeader", "X-Gateway: open"), ("http.extraHeader", "")], false),
        (&[("http.https://127.0.0.1.extraHeader", "X-Gateway: open")], false), // another port
        (&[("http.URL.extraHeader", "X-Gateway: open"), ("http.extraHeader", "")], true), // fits less well
        (&[("http.extraHeader", "X-Gateway: open"), ("http.URL.extraHeader", "X-Other: \"\\ =")], true),
        (&[("http.URL/group.extraHeader", "X-Gateway: open")], false), // of some repositories
        (&[("http.https://other.example.extraHeader", "X-Gateway: open")], false),
    ] {
        let sandbox = Sandbox::new();
        sandbox.gitlab.configure(|modes| modes.gateway = Some(("X-Gateway".into(), "open".into())));
        for (key, value) in settings {
            let key = key.replace("URL", sandbox.gitlab.url());
            sandbox.git(["config", "--global", "--add", &key, value]).succeeded();
        }
        // git is the judge: the gateway says 403, GitLab itself 401.
        let refs = format!("{}/group/app.git", sandbox.gitlab.url());
        sandbox.git(["ls-remote", &refs]).ended_with(128);
        let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
        drop(sandbox.begin_link([url.as_str(), "--client-id", &id])); // the server was asked, and that is enough
        let passed = |endpoint| {
            let requests = sandbox.gitlab.requests();
            requests.iter().rfind(|request| request.endpoint == endpoint).expect("asked").status != Some(403)
        };
        let outside = settings.iter().any(|(key, _)| key.contains("/group"));
        assert_eq!(passed(Endpoint::Git), passes || outside, "git: {settings:?}");
        assert_eq!(passed(Endpoint::TokenInfo), passes, "{settings:?}");
    }
}

#[test]
fn extra_headers_do_not_leave_for_another_host() {
    let elsewhere = StandIn::builder().start();
    elsewhere.configure(|modes| modes.gateway = Some(("X-Gateway".into(), "open".into())));
    let sandbox = Sandbox::new();
    let url = sandbox.gitlab.url().to_owned();
    sandbox.git(["config", "--global", "http.extraHeader", "X-Gateway: open"]).succeeded();
    let token_url = format!("{}/oauth/token", elsewhere.url());
    sandbox.git(["config", "--global", &format!("credential.{url}.oauthTokenURL"), &token_url]).succeeded();
    let id = sandbox.client_id.clone();
    sandbox.link_as("alice", [url.as_str(), "--client-id", &id]).ended_with(5);
    let seen = elsewhere.requests();
    assert!(seen.iter().any(|request| request.endpoint == Endpoint::Token && request.status == Some(403)), "{seen:?}");
}

#[test]
fn a_header_that_is_none_is_named_and_not_quoted() {
    let sandbox = Sandbox::new();
    for nonsense in ["hunter2", "hun ter2: x", "X: hunter2\u{7f}"] {
        sandbox.git(["config", "--global", "http.extraHeader", nonsense]).succeeded();
        let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", "x"]).ended_with(5);
        assert!(refused.stderr.contains("http.extraHeader") && !refused.stderr.contains("ter2"), "{refused:?}");
    }
}

#[test]
fn the_user_agent_of_git_config_is_sent() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.configure(|modes| modes.gateway = Some(("User-Agent".into(), "company/1 (allowed)".into())));
    sandbox.set_http("userAgent", "company/1 (allowed)");
    sandbox.link();
    sandbox.clone("group/app", "app");
    renews(&sandbox);
}

#[test]
fn an_authorization_for_git_is_none_for_the_token_endpoint() {
    let sandbox = Sandbox::linked();
    sandbox.set_http("extraHeader", "Authorization: Basic aHVudGVyMg==");
    sandbox.verb(["daemon", "stop"]).succeeded();
    let old = sandbox.token();
    sandbox.age_token(7200, 0);
    assert_ne!(sandbox.token(), old, "it was renewed");
}

#[test]
fn a_way_that_was_mended_in_git_config_counts_without_a_restart() {
    let sandbox = Sandbox::linked();
    sandbox.set_http("extraHeader", "nonsense");
    sandbox.age_token(7200, 0);
    let refused = sandbox.get();
    assert!(refused.stderr.contains("http.extraHeader"), "{refused:?}");
    sandbox
        .git(["config", "--global", "--unset-all", &format!("http.{}/.extraHeader", sandbox.gitlab.url())])
        .succeeded();
    crate::support::eventually("it is tried again", || sandbox.get().attribute("password").is_some());
}
