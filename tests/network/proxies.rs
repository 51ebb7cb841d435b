//! Proxies: those of git config, and those that the shell of a link knew.

use std::fs;

use super::{link, renews, tells_nobody};
use crate::support::proxy::{Proxy, SECRETS};
use crate::support::{Sandbox, age_token_in};

#[test]
fn git_and_the_daemon_go_through_the_proxy_of_git_config_with_its_password() {
    let mut sandbox = Sandbox::https();
    sandbox.set("GIT_CREDENTIAL_GITLAB_LOG", "trace");
    let proxy = Proxy::before(sandbox.gitlab.url());
    sandbox.set_http("proxy", proxy.url_with_password());
    let linked = sandbox.link();
    assert!(proxy.count() > 0 && proxy.refused() == 0, "it was not asked for a second time");
    let before = proxy.count();
    sandbox.clone("group/app", "app");
    assert!(proxy.count() > before, "git goes there, too");
    let before = proxy.count();
    renews(&sandbox);
    assert!(proxy.count() > before);
    tells_nobody(&sandbox, &SECRETS, &[&linked, &sandbox.verb(["status", "-v"]), &sandbox.verb(["status", "--json"])]);
    sandbox.verb(["unlink"]).succeeded();
}

#[test]
fn a_renewal_goes_through_the_proxy_that_link_saw() {
    let mut sandbox = Sandbox::https();
    let proxy = Proxy::before(sandbox.gitlab.url());
    sandbox.set("HTTPS_PROXY", "http://127.0.0.1:1"); // the other spelling goes before it
    sandbox.set("https_proxy", proxy.url_with_password());
    sandbox.link();
    sandbox.clone("group/app", "app");
    sandbox.unset("https_proxy");
    sandbox.unset("HTTPS_PROXY");
    let before = proxy.count();
    renews(&sandbox);
    assert!(proxy.count() > before);
    // Another one, of the shell that happens to start the daemon, is not taken.
    sandbox.set("https_proxy", "http://127.0.0.1:1");
    renews(&sandbox);
    tells_nobody(&sandbox, &SECRETS, &[]);
}

#[test]
fn both_logins_know_the_proxy_that_link_saw() {
    let mut sandbox = Sandbox::https();
    let proxy = Proxy::before(sandbox.gitlab.url());
    sandbox.set("all_proxy", proxy.url_with_password());
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.link_as("alice", [url.as_str(), "--client-id", &id, "--yes", "--spare"]).succeeded();
    sandbox.unset("all_proxy");
    let [one, other] = &sandbox.state_files(".tokens")[..] else { panic!("two logins") };
    for (first, lost) in [(one, other), (other, one)] {
        // What a login knows it has of its own: whichever is left, it reaches the server.
        sandbox.verb(["daemon", "stop"]).succeeded();
        let kept = fs::read(lost).expect("readable");
        fs::remove_file(lost).expect("removed");
        age_token_in(first, 7200, 0);
        let before = (proxy.count(), sandbox.gitlab.token_requests());
        sandbox.token();
        assert!(proxy.count() > before.0 && sandbox.gitlab.token_requests() == before.1 + 1);
        sandbox.verb(["daemon", "stop"]).succeeded();
        fs::write(lost, kept).expect("written");
    }
    tells_nobody(&sandbox, &SECRETS, &[]);
}

#[test]
fn a_host_of_no_proxy_is_reached_without_one_at_link_and_ever_after() {
    let mut sandbox = Sandbox::https();
    let proxy = Proxy::open_before(sandbox.gitlab.url());
    proxy.close();
    sandbox.set("https_proxy", proxy.url());
    sandbox.set("NO_PROXY", "gitlab.example");
    sandbox.set("no_proxy", "gitlab.example localhost,127.0.0.1");
    sandbox.link();
    sandbox.unset("https_proxy");
    sandbox.unset("NO_PROXY");
    sandbox.unset("no_proxy");
    renews(&sandbox);
    // It counts for the proxy of git config too, as it does with git.
    sandbox.set_http("proxy", proxy.url());
    renews(&sandbox);
    assert_eq!((proxy.count(), proxy.refused()), (0, 0));
}

#[test]
fn an_empty_proxy_in_git_config_means_none() {
    let mut sandbox = Sandbox::https();
    sandbox.set("https_proxy", "http://127.0.0.1:1");
    sandbox.git(["config", "--global", "http.proxy", "http://127.0.0.1:1"]).succeeded();
    sandbox.set_http("proxy", "");
    sandbox.link();
    sandbox.clone("group/app", "app");
    renews(&sandbox);
}

#[test]
fn a_server_that_only_the_proxy_knows_is_linked_and_cloned_from() {
    let sandbox = Sandbox::https();
    let proxy = Proxy::before(sandbox.gitlab.url());
    let authority = sandbox.gitlab.ca_pem().expect("it has one").to_str().expect("text");
    sandbox.git(["config", "--global", "http.https://gitlab.test.sslCAInfo", authority]).succeeded();
    sandbox.git(["config", "--global", "http.https://gitlab.test.proxy", &proxy.url_with_password()]).succeeded();
    let linked = link(&sandbox, "https://gitlab.test");
    assert_eq!(linked.stdout, "linked https://gitlab.test as alice\n");
    sandbox.git(["clone", "--quiet", "https://gitlab.test/group/app.git", "app"]).succeeded();
    assert!(proxy.tunnels().iter().all(|target| target == "gitlab.test:443"), "{:?}", proxy.tunnels());
}

#[test]
fn a_proxy_that_wants_another_password_is_named_and_the_password_is_not() {
    let sandbox = Sandbox::https();
    let proxy = Proxy::before(sandbox.gitlab.url());
    for wrong in ["alice:hunter2@", "alice@", ""] {
        sandbox
            .git(["config", "--global", "http.proxy", &proxy.url().replace("://", &format!("://{wrong}"))])
            .succeeded();
        let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", "x", "-v"]).ended_with(5);
        let mend = format!("git config --global http.proxy {}", proxy.url().replace("://", "://USER:PASSWORD@"));
        assert!(refused.stderr.contains(&proxy.url()) && refused.stderr.contains(&mend), "{refused:?}");
        tells_nobody(&sandbox, &["hunter2"], &[&refused]);
    }
    assert_eq!(proxy.count(), 0);
}

#[test]
fn a_proxy_that_does_not_let_through_is_named() {
    let sandbox = Sandbox::https();
    sandbox.set_http("proxy", "http://127.0.0.1:1");
    let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", "x"]).ended_with(5);
    assert!(refused.stderr.contains("through the proxy http://127.0.0.1:1"), "{refused:?}");
    let proxy = Proxy::open_before(sandbox.gitlab.url());
    proxy.close();
    sandbox.git(["config", "--global", &format!("http.{}/.proxy", sandbox.gitlab.url()), &proxy.url()]).succeeded();
    let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", "x"]).ended_with(5);
    assert!(refused.stderr.contains(&format!("through the proxy {}", proxy.url())), "{refused:?}");
    let nonsense = "ftp://alice:hunter2@proxy";
    sandbox.git(["config", "--global", &format!("http.{}/.proxy", sandbox.gitlab.url()), nonsense]).succeeded();
    let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", "x"]).ended_with(5);
    assert!(refused.stderr.contains("ftp://proxy") && !refused.stderr.contains("hunter2"), "{refused:?}");
}

#[test]
fn a_socks_proxy_is_gone_through() {
    for scheme in ["socks5", "socks5h"] {
        let sandbox = Sandbox::https();
        let proxy = Proxy::before(sandbox.gitlab.url());
        sandbox.set_http("proxy", proxy.url_as(scheme));
        let linked = sandbox.link();
        assert!(proxy.count() > 0);
        sandbox.clone("group/app", "app");
        renews(&sandbox);
        tells_nobody(&sandbox, &SECRETS, &[&linked]);
    }
}

#[test]
fn the_settings_of_the_best_fitting_url_count() {
    let sandbox = Sandbox::https();
    let proxy = Proxy::open_before(sandbox.gitlab.url());
    let port = sandbox.gitlab.url().rsplit(':').next().expect("a port").to_owned();
    for (url, value) in [
        ("http.proxy".to_owned(), "http://127.0.0.1:1"),
        (format!("http.https://127.0.0.1:{port}/.proxy"), &proxy.url()),
        ("http.https://127.0.0.1/.proxy".into(), "http://127.0.0.1:2"),
        ("http.https://*.example/.proxy".into(), "http://127.0.0.1:3"),
        (format!("http.http://127.0.0.1:{port}/.proxy"), "http://127.0.0.1:4"),
        (format!("http.https://127.0.0.1:{port}/other/.proxy"), "http://127.0.0.1:5"),
    ] {
        sandbox.git(["config", "--global", &url, value]).succeeded();
    }
    sandbox.link();
    assert!(proxy.count() > 0);
    renews(&sandbox);
}
