//! The way to a GitLab, and what an account gets there.

use std::time::Duration;

use gitlab_stand_in::{BanLimits, Endpoint, Fault, StandIn, UserFlag, What};

use super::{about_app, doctor, doctor_in, mend};
use crate::support::Sandbox;

#[test]
fn a_name_that_leads_nowhere_and_a_closed_port_are_told_apart() {
    let sandbox = Sandbox::new();
    let found = doctor(&sandbox, &["https://gitlab.invalid/group/app.git"]);
    // Not linked, which the person must mend first.
    found.ended_with(3).expect("name", "fail", "gitlab.invalid").expect("connection", "skip", "");
    let closed = doctor(&sandbox, &["http://127.0.0.1:1"]);
    closed.ended_with(3).expect("connection", "fail", "could not be reached").expect("gitlab", "skip", "");
}

#[test]
fn a_certificate_of_an_unknown_authority_is_told_with_its_cause() {
    let sandbox = Sandbox::https();
    sandbox.link();
    doctor(&sandbox, &[]).ended_with(0).expect("connection", "ok", "TLS works").expect(
        "certificate-file",
        "ok",
        "ca.pem",
    );
    let key = format!("http.{}/.sslCAInfo", sandbox.gitlab.url());
    let other = StandIn::builder().https(true).start();
    let authority = other.ca_pem().expect("it has one").display().to_string();
    sandbox.git(["config", "--global", &key, &authority]).succeeded();
    sandbox.verb(["daemon", "restart"]).succeeded();
    let found = doctor(&sandbox, &[]);
    found.ended_with(5).expect("connection", "fail", "certificate").expect("gitlab", "skip", "");
}

#[test]
fn a_gitlab_below_a_path_is_found() {
    let sandbox = Sandbox::with(StandIn::builder().base_path("/git").start());
    let (root, base) = (sandbox.gitlab.url().replace("/git", ""), sandbox.gitlab.url().to_owned());
    let found = about_app(&sandbox);
    found.expect("gitlab", "fail", &base).mended_by("gitlab", &format!("link {base}")).mended_by("linked", &base);
    doctor(&sandbox, &[&root]).expect("gitlab", "fail", "if it lives below a path");
    sandbox.link();
    about_app(&sandbox).ended_with(0).expect("push", "ok", "");
}

#[test]
fn a_clock_that_is_wrong_is_told_by_the_server() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.advance_clock(Duration::from_secs(600));
    doctor(&sandbox, &[]).expect("clock", "warn", "behind").mended_by("clock", "timedatectl");
    sandbox.gitlab.advance_clock(Duration::from_secs(86400));
    let found = doctor(&sandbox, &[]);
    found.expect("clock", "fail", "behind");
}

#[test]
fn what_a_server_says_when_it_is_down_or_busy_is_told() {
    let sandbox = Sandbox::linked();
    let status = |code: u16, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        What::Status { code, headers, body: "Retry later".into() }
    };
    for (what, check, says) in [
        (status(503, &[]), "gitlab", "is down"),
        (status(429, &[("Retry-After", "7")]), "rate-limit", "too often"),
        (status(302, &[("Location", "https://sso.example/hunter2")]), "gitlab", "https://sso.example"),
    ] {
        sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::TokenInfo, what) });
        let found = doctor(&sandbox, &[]);
        found.expect(check, "fail", says);
        assert!(!found.finished.stdout.contains("hunter2"));
        sandbox.gitlab.clear_faults();
    }
    sandbox.gitlab.fault(Fault::once(Endpoint::TokenInfo, What::Html));
    doctor(&sandbox, &[]).expect("gitlab", "warn", "as no GitLab does");
}

#[test]
fn a_token_that_lives_is_not_said_to_be_none_while_the_server_is_down() {
    let sandbox = Sandbox::linked();
    let what = What::Status { code: 503, headers: Vec::new(), body: "GitLab is down for maintenance".into() };
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Any, what) });
    let found = about_app(&sandbox);
    found.ended_with(5).expect("gitlab", "fail", "it answers 503").expect("fetch", "fail", "it answers git 503");
    assert!(!found.failed().contains(&"login"), "{:#}", found["login"]);
}

#[test]
fn a_silent_server_does_not_hang_it() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Api, What::Silence) });
    let found = about_app(&sandbox);
    found.ended_with(5).expect("connection", "ok", "").expect("project", "fail", "timeout");
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Any, What::Silence) });
    let dead = about_app(&sandbox);
    dead.ended_with(5).expect("connection", "fail", "in time");
    assert!(found.finished.took.max(dead.finished.took) < Duration::from_secs(30), "{:?}", dead.finished);
}

#[test]
fn a_blocked_account_is_told_and_its_token_is_not_shown_to_git() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.block_user("alice");
    let found = about_app(&sandbox);
    found.ended_with(6).expect("login", "fail", "blocked").expect("project", "fail", "blocked");
    found.expect("fetch", "skip", "");
    assert_eq!(sandbox.gitlab.failed_logins(), 0);
}

#[test]
fn an_account_that_git_refuses_although_the_api_does_not_is_told() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.flag_user("alice", UserFlag::PasswordExpired, true);
    let found = doctor(&sandbox, &[]);
    found.ended_with(4).expect("login", "ok", "").expect("git-login", "fail", "git is refused");
    assert_eq!(sandbox.gitlab.failed_logins(), 1);
}

#[test]
fn a_banned_address_is_told() {
    let sandbox = Sandbox::linked();
    let limits = BanLimits { failures: 1, window: Duration::from_secs(60), ban: Duration::from_secs(3600) };
    sandbox.gitlab.set_ban_limits(Some(limits));
    assert!(!sandbox.lives("not-a-token") && sandbox.gitlab.is_banned());
    let found = about_app(&sandbox);
    found.ended_with(6).expect("ip-ban", "fail", "Too many failed").expect("fetch", "fail", "from this address");
    found.mended_by("ip-ban", "sleep ").mended_by("fetch", "; git credential-gitlab doctor");
}

#[test]
fn a_login_that_was_revoked_is_told() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.revoke_tokens("alice");
    let found = doctor(&sandbox, &[]);
    found.expect("login", "fail", "invalid_grant");
    let link = format!("git credential-gitlab link {} --account alice", sandbox.gitlab.url());
    about_app(&sandbox).expect("account", "fail", "invalid_grant").mended_by("account", &link);
    assert_eq!((found.finished.code, sandbox.gitlab.failed_logins()), (Some(5), 0));
}

#[test]
fn that_git_itself_does_not_trust_the_server_is_told_although_the_daemon_does() {
    let sandbox = Sandbox::https();
    sandbox.link();
    let clone = sandbox.clone("group/app", "app");
    let authority = sandbox.gitlab.ca_pem().expect("it has one").display().to_string();
    let key = format!("http.{}/.sslCAInfo", sandbox.gitlab.url());
    sandbox.git(["config", "--global", "--unset-all", &key]).succeeded();
    sandbox.verb(["daemon", "restart"]).succeeded();
    assert_ne!(sandbox.git_in(&clone, ["ls-remote"]).code, Some(0));
    for found in [doctor_in(&sandbox, &clone), doctor(&sandbox, &[])] {
        found.ended_with(5).expect("connection", "ok", "TLS works").expect("git-works", "fail", "certificate");
        assert_eq!(found["git-works"]["fix"], format!("git config --global {key} FILE"));
    }
    // The way to a project that is not there is the same.
    let missing = sandbox.project("group/missing");
    doctor(&sandbox, &[&missing]).expect("project", "fail", "missing").expect("git-works", "fail", "certificate");
    sandbox.git(["config", "--global", &key, &authority]).succeeded();
    doctor(&sandbox, &[&missing]).expect("git-works", "ok", "");
    sandbox.git_in(&clone, ["ls-remote"]).succeeded();
    for found in [doctor_in(&sandbox, &clone), doctor(&sandbox, &[])] {
        found.ended_with(0).expect("git-works", "ok", "");
    }
}

#[test]
fn a_certificate_of_git_that_is_not_there_is_told_and_taken_out() {
    let sandbox = Sandbox::https();
    sandbox.link();
    let clone = sandbox.clone("group/app", "app");
    for key in ["sslCert", "sslKey", "sslCAPath"] {
        sandbox.set_http(key, "/nowhere/at/all");
        let found = doctor_in(&sandbox, &clone);
        found.ended_with(5).expect("certificate-file", "fail", &format!("http.{key} names /nowhere/at/all"));
        mend(&sandbox, &found, "certificate-file");
        doctor_in(&sandbox, &clone).ended_with(0).expect("certificate-file", "ok", "ca.pem");
    }
    sandbox.git_in(&clone, ["ls-remote"]).succeeded();
}
