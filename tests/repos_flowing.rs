//! `repos` flows: page by page, no faster than it is read, and with a token that lives.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, Request, Role, What, When};

use crate::repos::{add, add_many, fault, no_fault, pages, paths, repos};
use crate::support::{HELPER, PATIENCE, Sandbox, Started, run};

#[test]
fn thousands_of_projects_cost_the_daemon_no_memory() {
    let sandbox = Sandbox::linked();
    add_many(&sandbox, 5_000);
    let pid = sandbox.daemon_pid();
    assert_eq!(paths(&sandbox, &["--limit", "100"]).len(), 100);
    let before = run::resident(pid);
    assert_eq!(paths(&sandbox, &[]).len(), 5_001);
    let after = run::resident(pid);
    // All pages together have 13 MB.
    assert!(after < before + 3_000, "{before} KB, {after} KB");
}

#[test]
fn the_first_rows_are_there_before_the_second_page() {
    let sandbox = Sandbox::linked();
    add_many(&sandbox, 5_000);
    for flags in [&["repos"][..], &["repos", "--json"]] {
        no_fault(&sandbox);
        fault(&sandbox, What::Silence);
        let mut command = sandbox.command(HELPER);
        let mut child = command.args(flags).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert!(lines.next().expect("a row").expect("readable").contains("group/app"));
        assert_eq!(lines.by_ref().take(99).count(), 99);
        // Ctrl-C.
        run::signal(i32::try_from(child.id()).expect("a process id"), "INT");
        assert_eq!(child.wait().expect("it ends").code(), None);
    }
    assert!(sandbox.get().attribute("password").is_some());
}

#[test]
fn a_role_that_takes_more_questions_keeps_no_other_row_waiting() {
    let sandbox = Sandbox::linked();
    add(&sandbox, &["lent/app", "own/app"]);
    sandbox.gitlab.share("alice", "lent/app", Role::Developer);
    sandbox.gitlab.grant("alice", "own/app", Role::Owner);
    no_fault(&sandbox);
    fault(&sandbox, What::Silence);
    let mut command = sandbox.command(HELPER);
    let mut child = command.arg("repos").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.next().expect("a row").expect("readable").starts_with("group/app\t"));
    child.kill().expect("it runs");
    child.wait().expect("it was started");
}

#[test]
fn roles_in_a_group_are_found_however_many_other_projects_there_are() {
    let sandbox = Sandbox::linked();
    let lend = |number: usize, role| {
        let path = format!("lent/p{number}");
        add(&sandbox, &[&path]);
        sandbox.gitlab.share("alice", &path, role);
    };
    // A hundred and more of others lie between, in the order in which they were made.
    (0..110).for_each(|number| lend(number, Role::Developer));
    add_many(&sandbox, 150);
    (110..220).for_each(|number| lend(number, Role::Reporter));
    let before = pages(&sandbox);
    let listed = repos(&sandbox, &["--group", "lent"]).succeeded();
    let count = |role: &str| listed.stdout.lines().filter(|line| line.split('\t').nth(1) == Some(role)).count();
    assert_eq!((count("developer"), count("reporter")), (110, 110), "{listed:?}");
    // Three pages of the group, and each at most once more for every role.
    assert!(pages(&sandbox) - before <= 3 * 7, "{}", pages(&sandbox) - before);
}

#[test]
fn whoever_stops_reading_stops_the_fetching() {
    let sandbox = Sandbox::linked();
    add_many(&sandbox, 3_000);
    for shape in ["", "--json"] {
        let line = format!("set -o pipefail; '{HELPER}' repos {shape} | head -1");
        let before = pages(&sandbox);
        let mut command = sandbox.command("bash");
        command.args(["-c", &line]);
        let head = run::finish(command, "").succeeded();
        assert_eq!((head.stdout.lines().count(), head.stderr.as_str()), (1, ""), "{head:?}");
        assert!(pages(&sandbox) - before < 15, "{}", pages(&sandbox) - before);
    }
    // One that stays and does not read: what the pipe and the socket hold, and no more.
    let before = pages(&sandbox);
    let mut command = sandbox.command(HELPER);
    let mut child = command.arg("repos").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("a byte");
    let too_many = |requests: &[Request]| {
        requests.iter().filter(|request| request.endpoint == Endpoint::Api).count() > before + 20
    };
    assert!(!sandbox.gitlab.wait_until(Duration::from_secs(2), too_many), "{}", pages(&sandbox) - before);
    assert!(sandbox.get().attribute("password").is_some(), "whatever else is asked is answered");
    child.kill().expect("it runs");
    child.wait().expect("it was started");
}

#[test]
fn a_token_that_expires_between_pages_is_renewed_once() {
    let sandbox = Sandbox::linked();
    add_many(&sandbox, 350);
    let old = sandbox.token();
    no_fault(&sandbox);
    fault(&sandbox, What::Delay(Duration::from_secs(1)));
    let before = pages(&sandbox);
    let mut command = sandbox.command(HELPER);
    command.arg("repos");
    let listing = Started::new(command);
    let second = |requests: &[Request]| {
        requests.iter().filter(|request| request.endpoint == Endpoint::Api).count() == before + 2
    };
    assert!(sandbox.gitlab.wait_until(PATIENCE, second));
    sandbox.gitlab.expire_access_tokens("alice");
    let listed = listing.finish().succeeded();
    assert_eq!((listed.stdout.lines().count(), listed.stderr.as_str()), (351, ""), "{listed:?}");
    let unauthorized = sandbox.gitlab.requests().iter().filter(|request| request.status == Some(401)).count();
    assert!(unauthorized >= 1, "the page was refused");
    assert_ne!(sandbox.token(), old);
    assert_eq!(sandbox.gitlab.token_requests(), 1);
    // One that is refused again and again is not asked about for ever.
    let expired = r#"{"error":"invalid_token","error_description":"Token is expired."}"#;
    let what = What::Status { code: 401, headers: Vec::new(), body: expired.into() };
    sandbox.gitlab.fault(Fault { on: Endpoint::Api, when: When::Before, what, times: None });
    let before = pages(&sandbox);
    let refused = repos(&sandbox, &[]).ended_with(6);
    assert!(refused.stderr.contains("refuses the token of alice at http"), "{refused:?}");
    assert_eq!((refused.stderr.lines().count(), pages(&sandbox) - before), (1, 2));
}
