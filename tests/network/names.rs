//! What a GitLab is called: where it has moved to, and in how many ways its name is spelled.

use std::fs;

use gitlab_stand_in::{Endpoint, Fault, StandIn, What};

use super::{link, renews, token_of};
use crate::support::Sandbox;
use crate::support::proxy::Proxy;

#[test]
fn a_gitlab_that_has_moved_is_not_followed_and_its_new_address_is_told() {
    let sandbox = Sandbox::new();
    let url = sandbox.gitlab.url().to_owned();
    for (location, there) in [
        ("https://new.example/oauth/token/info", Some("https://new.example")),
        ("https://new.example/gitlab/users/sign_in", Some("https://new.example/gitlab")),
        ("https://sso.example/login?state=hunter2", None),
    ] {
        let headers = vec![("Location".to_owned(), location.to_owned())];
        sandbox
            .gitlab
            .fault(Fault::once(Endpoint::TokenInfo, What::Status { code: 301, headers, body: String::new() }));
        let refused = sandbox.verb(["link", &url, "--client-id", "x"]).ended_with(5);
        let mend = there.map(|there| format!("link that address instead: git credential-gitlab link {there}\n"));
        assert_eq!(refused.stderr.contains("link that address"), there.is_some(), "{refused:?}");
        assert!(mend.is_none_or(|mend| refused.stderr.ends_with(&mend)), "{refused:?}");
        assert!(
            refused.stderr.contains("a redirect to https://") && !refused.stderr.contains("hunter2"),
            "{refused:?}"
        );
    }
    assert_eq!(sandbox.gitlab.count(Endpoint::Any), 3, "nothing else was asked");
}

#[test]
fn an_international_name_is_the_same_gitlab_in_both_spellings() {
    let mut sandbox = Sandbox::https();
    let proxy = Proxy::open_before(sandbox.gitlab.url());
    sandbox.set("https_proxy", proxy.url());
    sandbox.set("LC_ALL", "C.UTF-8"); // curl converts names only where they are text
    let (unicode, ascii) = ("gitlab.bücher.test", "gitlab.xn--bcher-kva.test");
    let authority = sandbox.gitlab.ca_pem().expect("it has one").to_str().expect("text").to_owned();
    // For every host: git applies http.<url>.* to no address with a name in Unicode.
    sandbox.git(["config", "--global", "http.sslCAInfo", &authority]).succeeded();
    let linked = link(&sandbox, "https://GitLab.Bücher.test/");
    assert_eq!(linked.stdout, format!("linked https://{ascii} as alice\n"));
    assert_eq!(sandbox.status()["accounts"].as_array().map(Vec::len), Some(1));
    let token = token_of(&sandbox, ascii).expect("a token");
    assert_eq!(token_of(&sandbox, unicode).as_ref(), Some(&token));
    assert_eq!(token_of(&sandbox, "gitlab.bu\u{308}cher.test"), None);
    for (host, to) in [(ascii, "one"), (unicode, "other")] {
        sandbox.git(["clone", "--quiet", &format!("https://{host}/group/app.git"), to]).succeeded();
    }
    sandbox.verb(["status", unicode]).succeeded();
    sandbox.verb(["unlink", unicode]).succeeded();
    let left = fs::read_to_string(sandbox.home().join(".gitconfig")).expect("readable");
    assert!(!left.contains("credential"), "{left}");
}

#[test]
fn a_name_is_the_same_in_upper_case_with_a_final_dot_and_with_its_default_port() {
    let mut sandbox = Sandbox::https();
    let proxy = Proxy::open_before(sandbox.gitlab.url());
    sandbox.set("https_proxy", proxy.url());
    let authority = sandbox.gitlab.ca_pem().expect("it has one").to_str().expect("text").to_owned();
    sandbox.git(["config", "--global", "http.sslCAInfo", &authority]).succeeded();
    let linked = link(&sandbox, "HTTPS://GitLab.Test.:443/");
    assert_eq!(linked.stdout, "linked https://gitlab.test as alice\n");
    for host in ["gitlab.test", "GITLAB.test", "gitlab.test.", "gitlab.test:443", "GitLab.Test.:443"] {
        assert!(token_of(&sandbox, host).is_some(), "{host}");
        // Not every curl leaves the dot out where it compares the name with the certificate's.
        if !host.contains("est.") {
            sandbox.git(["ls-remote", "--quiet", &format!("https://{host}/group/app.git")]).succeeded();
        }
    }
    for host in ["gitlab.test..", "gitlab.test:8443", "gitlab.test.example", ".gitlab.test"] {
        assert_eq!(token_of(&sandbox, host), None, "{host}");
    }
}

#[test]
fn an_ipv6_address_with_a_port_is_linked_and_cloned_from() {
    let gitlab = StandIn::builder().https(true).address("[::1]:0").start();
    let sandbox = Sandbox::with(gitlab);
    sandbox.set_http("sslCAInfo", sandbox.gitlab.ca_pem().expect("it has one"));
    sandbox.link();
    sandbox.clone("group/app", "app");
    let port = sandbox.gitlab.url().rsplit(':').next().expect("a port").to_owned();
    assert_eq!(token_of(&sandbox, &format!("[0:0::0:1]:{port}")), token_of(&sandbox, &format!("[::1]:{port}")));
    renews(&sandbox);
}
