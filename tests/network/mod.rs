//! The way to the server: proxies, certificates of both ends, headers, redirects, and names, as
//! git config and the environment say. What link used, a renewal uses too, in a daemon that was
//! started somewhere else.

mod certificates;
mod headers;
mod names;
mod proxies;

use std::fs;

use crate::support::{Finished, Sandbox};

/// Links alice at this address, of which the browser need not know where it leads.
fn link(sandbox: &Sandbox, url: &str) -> Finished {
    let (started, address) = sandbox.begin_link([url, "--client-id", &sandbox.client_id, "--yes"]);
    let at = address.find("/oauth/").expect("an address of GitLab");
    let visit = sandbox.browser("alice").visit(&format!("{}{}", sandbox.gitlab.url(), &address[at..]));
    assert!(visit.expect("a visit").ok);
    started.finish().succeeded()
}

/// A token of a GitLab by another name than the sandbox knows it by.
fn token_of(sandbox: &Sandbox, host: &str) -> Option<String> {
    sandbox.helper("get", format!("protocol=https\nhost={host}\n")).succeeded().attribute("password")
}

/// A daemon that starts now, in the sandbox's environment, has to renew, and does.
#[track_caller]
fn renews(sandbox: &Sandbox) {
    let before = sandbox.gitlab.token_requests();
    sandbox.age_token(7200, 0);
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.token();
    assert_eq!(sandbox.gitlab.token_requests(), before + 1);
}

/// A daemon that starts now has to renew, and can't: what it says.
#[track_caller]
fn does_not_renew(sandbox: &Sandbox) -> String {
    let before = sandbox.gitlab.token_requests();
    sandbox.age_token(7200, 0);
    let asked = sandbox.get();
    assert_eq!(asked.attribute("password"), None, "{asked:?}");
    assert_eq!(sandbox.gitlab.token_requests(), before);
    asked.stderr
}

/// Nothing that anybody may read has one of these texts.
#[track_caller]
fn tells_nobody(sandbox: &Sandbox, secrets: &[&str], said: &[&Finished]) {
    let mut open = sandbox.log();
    for file in sandbox.state_files(".json") {
        open += &fs::read_to_string(file).expect("readable");
    }
    for finished in said {
        open += &format!("{}{}", finished.stdout, finished.stderr);
    }
    for secret in secrets {
        assert!(!open.contains(secret), "{secret} is told: {open}");
    }
}
