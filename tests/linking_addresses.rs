//! What a person typed as the address of a GitLab is looked at before anything is asked of them.

use std::net::TcpListener;

use gitlab_stand_in::{Endpoint, Fault, StandIn, What};

use crate::support::Sandbox;

#[test]
fn a_server_that_is_not_there_is_named_before_a_browser_opens() {
    let sandbox = Sandbox::new();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let host = format!("http://127.0.0.1:{free}");
    let refused = sandbox.verb(["link", &host, "--client-id", "x"]).ended_with(5);
    assert!(
        refused.stderr.contains(&host) && refused.stderr.contains("nothing listens there (connection refused)"),
        "{refused:?}"
    );
    assert!(!refused.stderr.contains("/oauth/authorize"), "{refused:?}");
}

#[test]
fn a_server_without_tls_is_told_from_one_whose_certificate_is_wrong() {
    let sandbox = Sandbox::new();
    let host = sandbox.gitlab.url().replace("http://", "https://");
    let refused = sandbox.verb(["link", &host, "--client-id", "x"]).ended_with(5);
    assert!(refused.stderr.contains("what answers there does not speak TLS"), "{refused:?}");
}

#[test]
fn an_address_without_a_gitlab_is_refused_before_anybody_is_asked_for_anything() {
    let sandbox = Sandbox::with(StandIn::builder().base_path("/git/lab").start());
    let root = sandbox.gitlab.url().trim_end_matches("/git/lab").to_owned();
    for more in [&[][..], &["--client-id", "x", "--timeout", "1"]] {
        let refused = sandbox.verb([&["link", root.as_str()], more].concat()).ended_with(6);
        let mend = format!("its whole address is needed: git credential-gitlab link {root}/PATH\n");
        assert!(refused.stderr.contains("no GitLab answers there") && refused.stderr.ends_with(&mend), "{refused:?}");
        assert!(!refused.stderr.contains("/oauth/") && !refused.stderr.contains("Redirect URI"), "{refused:?}");
    }
}

#[test]
fn what_may_be_a_gitlab_behind_something_else_is_warned_of() {
    let sandbox = Sandbox::new();
    let login_page = What::Status { code: 200, headers: Vec::new(), body: "<title>Sign in</title>".into() };
    let hidden = What::Status { code: 404, headers: Vec::new(), body: "not here".into() };
    for strange in [login_page, hidden] {
        sandbox.gitlab.fault(Fault::once(Endpoint::TokenInfo, strange));
        let link = ["link", sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--web", "--timeout", "1"];
        let told = sandbox.verb(link).ended_with(4);
        assert!(told.stderr.contains("warning: what answers there does not look like a GitLab"), "{told:?}");
    }
}

#[test]
fn a_mistyped_host_is_noticed_before_a_form_is_to_be_filled_in() {
    let sandbox = Sandbox::new();
    let refused = sandbox.verb(["link", "gitlab.exmaple.invalid"]).ended_with(5);
    let expected = "error: https://gitlab.exmaple.invalid was not linked: no host has that name (mistyped?)\n";
    assert_eq!(refused.stderr, expected, "{refused:?}");
}

#[test]
fn the_address_of_a_project_is_told_from_that_of_a_gitlab() {
    for base in ["", "/git/lab"] {
        let sandbox = Sandbox::with(StandIn::builder().base_path(base).start());
        let url = sandbox.gitlab.url();
        for typed in [format!("{url}/group/app"), format!("{url}/group")] {
            let told = sandbox.verb(["link", &typed]).ended_with(2);
            let expected =
                format!("is a page of the GitLab at {url}; to link that: git credential-gitlab link {url}\n");
            assert!(told.stderr.contains(&expected), "{told:?}");
        }
        // Nobody doubts one that is right.
        let told = sandbox.verb(["link", url]).ended_with(2);
        assert!(!told.stderr.contains("is a page") && told.stderr.contains("has no application"), "{told:?}");
    }
}
