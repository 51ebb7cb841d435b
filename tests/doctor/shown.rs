//! How the findings look: to people, to scripts, in a bug report.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gitlab_stand_in::{Endpoint, Fault, What};

use super::{about_app, doctor, doctor_in};
use crate::support::pty::Pty;
use crate::support::{Sandbox, run};

#[test]
fn where_all_is_well_nothing_is_wrong() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let found = doctor_in(&sandbox, &clone);
    found.ended_with(0);
    assert!(
        found.checks.iter().all(|check| check["result"] == "ok" || check["result"] == "skip"),
        "{:?}",
        found.finished
    );
    for name in [
        "git-version",
        "programs",
        "daemon",
        "daemon-version",
        "socket",
        "state-directory",
        "state-files",
        "token-store",
        "git-config",
        "helper",
        "helper-program",
        "helper-order",
        "user-name",
        "paths",
        "address-rules",
        "prompts",
        "proxy",
        "certificate-check",
        "certificate-file",
        "extra-header",
        "git-works",
        "command-config",
        "ide",
        "linked",
        "name",
        "connection",
        "gitlab",
        "rate-limit",
        "clock",
        "login",
        "token-expiry",
        "scopes",
        "gitlab-version",
        "git-login",
        "ip-ban",
        "address",
        "account",
        "project",
        "role",
        "single-sign-on",
        "fetch",
        "push",
        "default-branch",
    ] {
        found.expect(name, "ok", "");
    }
    found.expect("gitlab-version", "ok", "19.0.0").expect("project", "ok", "private");
    let people = sandbox.verb(["diagnose", "--verbose"]).succeeded();
    assert!(people.stdout.starts_with("this machine\n") && people.stdout.contains("  + ok   helper "), "{people:?}");
    assert!(people.stderr.contains("nothing is wrong") && !people.stdout.contains('\u{1b}'), "{people:?}");
    assert_eq!(sandbox.gitlab.failed_logins(), 0);
}

#[test]
fn people_read_what_is_wrong_and_how_much_is_well() {
    let sandbox = Sandbox::linked();
    let well = sandbox.verb(["doctor"]).succeeded();
    assert!(well.stdout.is_empty() && well.stderr.ends_with(" checks, and nothing is wrong\n"), "{well:?}");
    sandbox.git(["config", "--global", "--add", "credential.helper", "store"]).succeeded();
    let shown = sandbox.verb(["doctor"]).succeeded();
    let lines: Vec<&str> = shown.stdout.lines().collect();
    let [heading, warning, command] = lines[..] else { panic!("{shown:?}") };
    assert!(heading.starts_with("git, for ") && warning.starts_with("  ! warn helper-order "), "{shown:?}");
    assert!(command.starts_with("         to mend it: git credential-gitlab configure"), "{shown:?}");
    assert!(
        shown.stderr.contains(" checks: 0 failed, 1 with a warning, ") && shown.stderr.contains(" well"),
        "{shown:?}"
    );
    let all = sandbox.verb(["doctor", "--verbose"]).succeeded().stdout;
    assert!(all.contains("  + ok   helper ") && all.contains("  - skip spare-login "), "{all}");
}

#[test]
fn that_nothing_is_linked_is_a_failure_and_so_is_a_gitlab_that_is_not() {
    let sandbox = Sandbox::new();
    let nothing = doctor(&sandbox, &[]);
    nothing.ended_with(3).expect("token-store", "skip", "nothing is linked").expect("linked", "fail", "no account");
    assert_eq!(nothing["linked"]["fix"], "git credential-gitlab link HOST");
    let url = sandbox.gitlab.url().to_owned();
    let found = doctor(&sandbox, &[&url]);
    found.ended_with(3).expect("linked", "fail", "not linked").mended_by("linked", "git credential-gitlab link http");
    found.expect("gitlab", "ok", "a GitLab answers");
    about_app(&sandbox).ended_with(3).expect("account", "fail", "not linked");
    sandbox.verb(["doctor", "what is this"]).ended_with(2);
}

#[test]
fn no_command_leads_back_to_where_the_person_comes_from() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    let headers = vec![("Content-Type".into(), "application/json".into())];
    let what = What::Status { code: 400, headers, body: r#"{"error":"invalid_request"}"#.into() };
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Token, what) });
    let found = about_app(&sandbox);
    let url = sandbox.gitlab.url();
    found.expect("login", "fail", "invalid_request").mended_by("login", &format!("link {url} --account alice"));
    for check in &found.checks {
        let fix = check["fix"].as_str().unwrap_or_default();
        assert!(!fix.contains("gitlab status") && !fix.starts_with("git credential-gitlab doctor"), "{check:#}");
    }
}

#[test]
fn a_bundle_has_what_a_report_needs_and_no_secret() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GIT_CREDENTIAL_GITLAB_LOG", "trace");
    sandbox.set("https_proxy", "http://me:planted-1@127.0.0.1:1");
    sandbox.link();
    let clone = sandbox.clone("group/app", "app");
    let url = sandbox.gitlab.url().to_owned();
    let secret_url = sandbox.project("group/app").replacen("://", "://oauth2:planted-2@", 1);
    for (key, value) in [
        ("http.extraHeader", "AUTHORIZATION: Basic planted-3"),
        ("remote.origin.url", &secret_url),
        ("http.https://other.example.proxy", "http://u:planted-4@p:1"),
        ("url.https://x:planted-5@other.example/.insteadOf", &format!("{url}/nothing")),
        (&format!("credential.{url}.oauthClientSecret"), "planted-6"),
        ("credential.https://x:planted-7@other.example.helper", "planted-8"),
        (&format!("credential.{url}.helper"), "!f() { echo password=planted-9; }; f"),
    ] {
        sandbox.git_in(&clone, ["config", "--local", key, value]).succeeded();
    }
    let report = sandbox.path("report.txt");
    let mut command = sandbox.command(crate::support::HELPER);
    command.args(["doctor", "-v", "--bundle"]).arg(&report).current_dir(&clone);
    let told = run::finish(command, "");
    let text = fs::read_to_string(&report).unwrap_or_else(|why| panic!("{why}: {told:?}"));
    for part in ["git-credential-gitlab 0", "git version", "\"check\": \"helper\"", "\"accounts\"", "ready"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut secrets = sandbox.gitlab.secrets();
    secrets.extend((1..=9).map(|number| format!("planted-{number}")));
    for secret in secrets {
        for (place, said) in [("the report", &text), ("stdout", &told.stdout), ("stderr", &told.stderr)] {
            assert!(!said.contains(&secret), "{secret} is in {place}: {said}");
        }
    }
    assert_eq!(report.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    fs::write(&report, "mine").expect("written");
    let refused = sandbox.verb(["doctor", "--bundle", report.to_str().expect("text")]).ended_with(1);
    assert!(
        refused.stderr.contains("report.txt is there already, and is left alone; choose another name"),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(&report).expect("text"), "mine");
}

#[test]
fn hostile_words_of_a_server_stay_words() {
    let sandbox = Sandbox::linked();
    let body = format!("\u{1b}[2J\u{202e}{}\nsecond line", "x".repeat(100_000));
    let what = What::Status { code: 403, headers: Vec::new(), body };
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Git, what) });
    let found = about_app(&sandbox);
    found.ended_with(6).expect("fetch", "fail", "GitLab refuses");
    assert!(found.check("fetch")["detail"].as_str().expect("text").chars().count() < 400);
    let people = sandbox.verb(["doctor", &sandbox.project("group/app")]).ended_with(6);
    assert!(!people.stdout.contains(['\u{1b}', '\u{202e}']), "{people:?}");
    sandbox.gitlab.clear_faults();
    let name = "group/app\u{1b}[2J";
    sandbox.verb(["doctor", &format!("{}/{name}", sandbox.gitlab.url())]).stdout.chars().for_each(|c| {
        assert!(c != '\u{1b}');
    });
}

#[test]
fn who_waits_in_a_terminal_reads_what_is_looked_at() {
    let sandbox = Sandbox::linked();
    let (code, screen) = Pty::run(&sandbox, &format!("{} doctor", crate::support::HELPER)).finish();
    assert_eq!(code, Some(0), "{screen}");
    let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
    let looking = format!("looking at {}, for 25 s at most", sandbox.gitlab.url());
    assert_eq!(lines[..2], ["looking at this machine", looking.as_str()], "{screen}");
    let (_, quiet) = Pty::run(&sandbox, &format!("{} doctor --quiet", crate::support::HELPER)).finish();
    assert_eq!(quiet, "");
    let piped = sandbox.verb(["doctor"]).succeeded();
    assert!(!piped.stderr.contains("looking"), "{piped:?}");
}
