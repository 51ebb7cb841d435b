//! What is read when something is wrong.

use std::os::unix::net::UnixListener;

use gitlab_stand_in::{Endpoint, Fault, What};

use super::transcript::Transcript;
use crate::support::{Sandbox, run};

#[test]
fn what_is_read_when_a_login_has_ended() {
    let sandbox = Sandbox::linked();
    let dead = sandbox.token();
    sandbox.gitlab.revoke_tokens("alice");
    sandbox.erase(&dead);
    let mut page = Transcript::new(&sandbox);
    page.after("Revoked, and asked again for some minutes").get();
    page.verb(&["status"]);
    page.verb(&["status", "--check"]);
    page.verb(&["status", "--short"]);
    page.verb(&["repos"]);
    page.verb(&["token"]);
    page.verb(&["doctor"]);
    page.ends("ended");
}

#[test]
fn what_is_read_after_a_lost_answer() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Close));
    sandbox.get();
    crate::support::eventually("it is found out", || sandbox.account()["state"] == "relink");
    let mut page = Transcript::new(&sandbox);
    page.get();
    page.verb(&["status"]);
    page.verb(&["status", "--short"]);
    page.ends("lost-answer");
}

#[test]
fn what_is_read_when_the_server_is_down() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Any, maintenance()) });
    let mut page = Transcript::new(&sandbox);
    page.get();
    page.verb(&["status"]);
    page.verb(&["status", "--check"]);
    page.verb(&["repos"]);
    page.verb(&["token"]);
    page.verb(&["import", "group/app"]);
    page.ends("down");
}

fn maintenance() -> What {
    What::Status { code: 503, headers: Vec::new(), body: "GitLab is down for maintenance".into() }
}

#[test]
fn what_is_read_while_a_token_outlives_its_server() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Any, maintenance()) });
    let mut page = Transcript::new(&sandbox);
    page.verb(&["status", "--check"]);
    page.verb(&["status", "--short"]);
    page.ends("outlives");
}

#[test]
fn what_is_read_when_tokens_are_refused_again_and_again() {
    let sandbox = Sandbox::linked();
    for _ in 0..3 {
        let token = sandbox.token();
        sandbox.erase(&token);
    }
    let mut page = Transcript::new(&sandbox);
    page.get();
    page.verb(&["status"]);
    page.ends("refused");
}

#[test]
fn what_is_read_when_our_own_things_are_broken() {
    let mut sandbox = Sandbox::linked();
    let mut page = Transcript::new(&sandbox);
    sandbox.verb(["daemon", "stop"]).succeeded();
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    for (what, bytes) in [("damaged", &b"{"[..]), ("newer", br#"{"version":99}"#)] {
        std::fs::write(tokens, bytes).expect("written");
        page.after(&format!("The tokens are {what}")).get();
        page.verb(&["status"]);
        sandbox.verb(["daemon", "stop"]).succeeded();
    }
    std::fs::remove_file(tokens).expect("removed");
    page.after("The tokens are gone").get();
    page.verb(&["status"]);
    sandbox.verb(["daemon", "stop"]).succeeded();
    std::fs::write(tokens, b"{").expect("written");
    page.after("Unlinked with damaged tokens").verb(&["unlink"]);
    sandbox.link();
    let pid = sandbox.daemon_pid();
    run::signal(pid, "STOP");
    page.after("The daemon is stopped").get();
    page.verb(&["status"]);
    run::signal(pid, "CONT");
    page.ends("broken");
    // A socket that nobody of us made.
    let socket = sandbox.path("socket");
    let _listener = UnixListener::bind(&socket).expect("bound");
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", sandbox.path("absent"));
    let mut page = Transcript::new(&sandbox);
    page.after("The socket that was named is not there").get();
    page.verb(&["status"]);
    page.ends("no-socket");
}
