//! The first person on a GitLab is guided through making an application; all others are spared it.

use gitlab_stand_in::Application;

use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox, run};

const CLIENT_ID: &str = "Application ID:";
const SECRET: &str = "press Enter):";

/// `link` in a terminal, on a GitLab that nobody has an application on, up to the first question.
fn guided(sandbox: &Sandbox) -> Pty {
    let mut pty = Pty::run(sandbox, &format!("{HELPER} link {} --yes", sandbox.gitlab.url()));
    for part in ["-/user_settings/applications", "Redirect URI: http://127.0.0.1", "Scopes ticked:", CLIENT_ID] {
        pty.wait_for(part);
    }
    pty
}

#[test]
fn the_first_person_is_guided_and_told_what_to_tell_others() {
    let sandbox = Sandbox::new();
    let mut pty = guided(&sandbox);
    // Mistyped: the server does not know it, and that is said before anybody opens a browser.
    pty.type_line("1a2b3c");
    pty.wait_for(SECRET);
    pty.type_line("");
    pty.wait_for("has no application with the id 1a2b3c");
    pty.wait_for(CLIENT_ID);
    pty.type_line(&sandbox.client_id);
    pty.wait_for(SECRET);
    pty.type_line("");
    let address = pty.wait_for_line("/oauth/authorize?");
    sandbox.browser("alice").visit(&address).expect("a visit");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("as alice"), "{screen}");
    let short = sandbox.gitlab.url();
    let line = format!("git credential-gitlab link {short} --client-id {}", sandbox.client_id);
    assert!(screen.contains(&line), "{screen}");
    let last = screen.lines().last().unwrap_or_default();
    assert!(last.ends_with(&format!("configure {short} --system --client-id {}", sandbox.client_id)), "{screen}");
}

#[test]
fn what_is_for_colleagues_comes_after_the_last_question() {
    let sandbox = Sandbox::new();
    let mut pty = Pty::run(&sandbox, &format!("{HELPER} link {}", sandbox.gitlab.url()));
    pty.wait_for(CLIENT_ID);
    pty.type_line(&sandbox.client_id);
    pty.wait_for(SECRET);
    pty.type_line("");
    let address = pty.wait_for_line("/oauth/authorize?");
    sandbox.browser("alice").visit(&address).expect("a visit");
    pty.wait_for("[Y/n]");
    pty.type_line("n");
    pty.wait_for("git does not use it");
    pty.wait_for("Others on this GitLab can use the same application: ");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
}

#[test]
fn who_gives_three_wrong_ids_hears_what_the_server_refused() {
    let sandbox = Sandbox::new();
    let mut pty = guided(&sandbox);
    for wrong in ["1a", "2b", "3c"] {
        pty.type_line(wrong);
        pty.wait_for(SECRET);
        pty.type_line("");
        pty.wait_for(&format!("has no application with the id {wrong} "));
    }
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(6), "{screen}");
    assert!(!screen.contains("Then type"), "{screen}");
}

#[test]
fn the_command_to_go_on_with_keeps_what_was_asked_for() {
    let sandbox = Sandbox::new();
    let url = sandbox.gitlab.url();
    let flags = ["--account", "alice", "--store", "file", "--spare", "--read-only"];
    let told = sandbox.verb(["link", url].into_iter().chain(flags)).ended_with(2);
    let command =
        format!("\ngit credential-gitlab link {url} --client-id ID --account alice --store file --spare --read-only\n");
    for part in [&command, "--client-secret-stdin", &format!("link {url} --client-id ID)"), "/admin/applications"] {
        assert!(told.stderr.contains(part), "{part:?} in {told:?}");
    }
}

#[test]
fn a_confidential_application_is_linked_with_its_secret_which_nobody_sees() {
    let sandbox = Sandbox::new();
    let application = sandbox.gitlab.add_application(Application { confidential: true, ..Application::default() });
    let secret = application.client_secret.expect("it has one");
    let mut pty = guided(&sandbox);
    pty.type_line(&application.client_id);
    pty.wait_for(SECRET);
    pty.wait_for_no_echo();
    pty.type_line(&secret);
    let address = pty.wait_for_line("/oauth/authorize?");
    sandbox.browser("alice").visit(&address).expect("a visit");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains(&secret), "{screen}");
    let (short, id) = (sandbox.gitlab.url(), &application.client_id);
    let others = format!("git credential-gitlab link {short} --client-id {id} --client-secret-stdin");
    assert!(screen.trim_end().ends_with(&others), "{screen}");
    // Its renewals have the secret, too, also in the next daemon; and no file that others could read.
    let dead = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.erase(&dead);
    sandbox.token();
    sandbox.erase(&dead);
    assert!(sandbox.lives(&sandbox.token()));
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    assert!(!std::fs::read_to_string(profile).expect("text").contains(&secret));
}

#[test]
fn a_secret_comes_by_stdin_and_a_renewed_one_is_recognised() {
    let sandbox = Sandbox::new();
    let application = sandbox.gitlab.add_application(Application { confidential: true, ..Application::default() });
    let link = |secret: &str| {
        let mut command = sandbox.command(HELPER);
        command.args(["link", sandbox.gitlab.url(), "--client-id", &application.client_id, "--yes", "--web"]);
        command.arg("--client-secret-stdin").stdin(std::process::Stdio::piped());
        let mut started = run::Started::new(command);
        let mut typed = started.child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut typed, format!("{secret}\n").as_bytes()).expect("written");
        drop(typed);
        started
    };
    let old = application.client_secret.clone().expect("it has one");
    let new = sandbox.gitlab.renew_secret(&application.client_id);
    let refused = link(&old).finish().ended_with(6);
    assert!(refused.stderr.contains("its secret is another one by now"), "{refused:?}");
    assert!(!refused.stderr.contains(&old), "{refused:?}");
    let mut started = link(&new);
    let address = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
    sandbox.browser("alice").visit(address.trim()).expect("a visit");
    started.finish().succeeded();
    assert!(sandbox.lives(&sandbox.token()));
}

#[test]
fn a_secret_that_was_given_once_serves_whoever_links_there_again() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.add_user("bob", "Bob");
    let application = sandbox.gitlab.add_application(Application { confidential: true, ..Application::default() });
    let key = format!("credential.{}.oauthClientSecret", sandbox.gitlab.url());
    sandbox.git(["config", "--global", &key, &application.client_secret.expect("it has one")]).succeeded();
    let url = sandbox.gitlab.url();
    sandbox.link_as("alice", [url, "--client-id", &application.client_id, "--yes"]).succeeded();
    sandbox.git(["config", "--global", "--unset", &key]).succeeded();
    sandbox.link_as("alice", [url, "--yes"]).succeeded();
    sandbox.link_as("bob", [url, "--yes"]).succeeded();
    assert_eq!(sandbox.status()["accounts"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_trusted_application_asks_nobody_for_consent() {
    let sandbox = Sandbox::new();
    for confidential in [false, true] {
        let application = Application { trusted: true, confidential, ..Application::default() };
        let application = sandbox.gitlab.add_application(application);
        if let Some(secret) = &application.client_secret {
            let key = format!("credential.{}.oauthClientSecret", sandbox.gitlab.url());
            sandbox.git(["config", "--global", &key, secret]).succeeded();
        }
        let id = &application.client_id;
        let words = [sandbox.gitlab.url(), "--client-id", id, "--yes"];
        // Somebody who would say no is not asked.
        sandbox.link_with(sandbox.browser("alice").deny(), words).succeeded();
        assert!(sandbox.lives(&sandbox.token()));
    }
}

#[test]
fn an_administrator_spares_everybody_the_id() {
    let mut sandbox = Sandbox::new();
    let system = sandbox.path("gitconfig of the system");
    std::fs::write(&system, "").expect("written");
    sandbox.set("GIT_CONFIG_SYSTEM", &system);
    sandbox.set("GIT_CONFIG_NOSYSTEM", "0");
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let configure = ["configure", &url, "--system", "--client-id", &id];
    let told = sandbox.verb(configure).succeeded();
    assert!(told.stderr.contains("git credential-gitlab link"), "{told:?}");
    sandbox.verb(configure).succeeded();
    let text = std::fs::read_to_string(&system).expect("text");
    assert_eq!(text.matches(&id).count(), 1, "{text}");
    sandbox.link_as("alice", [url.as_str(), "--no-configure"]).succeeded();
    assert!(sandbox.lives(&sandbox.token()));
    sandbox.verb(["unconfigure", &url, "--system", "--client-id", &id]).succeeded();
    assert!(!std::fs::read_to_string(&system).expect("text").contains(&id));
}

#[test]
fn a_deleted_application_is_recognised_before_anybody_opens_a_browser() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.delete_application(&sandbox.client_id);
    let refused = sandbox.verb(["link", sandbox.gitlab.url()]).ended_with(6);
    assert!(refused.stderr.contains("deleted?") && !refused.stderr.contains("/oauth/"), "{refused:?}");
}
