//! `doctor` finds what is wrong, says how to mend it, mends what is ours, and tells no secret.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use gitlab_stand_in::{BanLimits, Endpoint, Fault, Role, StandIn, UserFlag, Visibility, What};
use serde_json::Value;

use crate::support::{Finished, Sandbox, run};

/// What doctor found.
struct Diagnosis {
    finished: Finished,
    checks: Vec<Value>,
}

impl Diagnosis {
    fn of(finished: Finished) -> Self {
        let checks = serde_json::from_str(&finished.stdout).unwrap_or_else(|why| panic!("{why}: {finished:?}"));
        Self { finished, checks }
    }

    /// The check of this name that went worst.
    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        let rank = |check: &&Value| match check["result"].as_str() {
            Some("fail") => 3,
            Some("warn") => 2,
            Some("ok") => 1,
            _ => 0,
        };
        let found = self.checks.iter().filter(|check| check["check"] == name).max_by_key(rank);
        found.unwrap_or_else(|| panic!("no {name}: {:?}", self.finished))
    }

    /// The check went so, its sentence says this, and its command is one.
    #[track_caller]
    fn expect(&self, name: &str, result: &str, says: &str) -> &Self {
        let check = self.check(name);
        let detail = check["detail"].as_str().expect("a sentence");
        assert!(check["result"] == result && detail.contains(says), "{check:#}\n{:?}", self.finished);
        self
    }

    #[track_caller]
    fn mended_by(&self, name: &str, command: &str) -> &Self {
        let check = self.check(name);
        assert!(check["fix"].as_str().is_some_and(|fix| fix.contains(command)), "{check:#}");
        self
    }

    /// What fails, by name.
    fn failed(&self) -> Vec<&str> {
        let failed = self.checks.iter().filter(|check| check["result"] == "fail");
        failed.filter_map(|check| check["check"].as_str()).collect()
    }

    #[track_caller]
    fn ended_with(&self, code: i32) -> &Self {
        assert_eq!(self.finished.code, Some(code), "{:#?}", self.finished);
        self
    }
}

impl std::ops::Index<&str> for Diagnosis {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.check(name)
    }
}

fn doctor(sandbox: &Sandbox, words: &[&str]) -> Diagnosis {
    Diagnosis::of(sandbox.verb(["doctor", "--json"].into_iter().chain(words.iter().copied())))
}

/// The same from inside a repository.
fn doctor_in(sandbox: &Sandbox, directory: &Path) -> Diagnosis {
    let mut command = sandbox.command(crate::support::HELPER);
    command.args(["doctor", "--json"]).current_dir(directory);
    Diagnosis::of(run::finish(command, ""))
}

fn about_app(sandbox: &Sandbox) -> Diagnosis {
    doctor(sandbox, &[&sandbox.project("group/app")])
}

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
fn an_entry_that_is_gone_or_stale_is_put_back_by_fix() {
    let sandbox = Sandbox::linked();
    let key = format!("credential.{}.helper", sandbox.gitlab.url());
    let stale = sandbox.path("old/git-credential-gitlab");
    sandbox.git(["config", "--global", "--unset-all", &key]).succeeded();
    doctor(&sandbox, &[]).ended_with(1).expect("helper", "fail", "does not ask").mended_by("helper", "configure");
    let fixed = doctor(&sandbox, &["--fix"]);
    fixed.ended_with(0).expect("helper", "ok", "").expect("helper-program", "ok", "");
    assert!(fixed.finished.stderr.contains("mended: git is to ask us"), "{:?}", fixed.finished);
    sandbox.git(["config", "--global", "--replace-all", &key, stale.to_str().expect("text")]).succeeded();
    doctor(&sandbox, &[]).ended_with(1).expect("helper-program", "fail", "which is no program");
    doctor(&sandbox, &["--fix"]).ended_with(0).expect("helper-program", "ok", "");
    sandbox.clone("group/app", "app");
}

#[test]
fn fix_moves_our_entry_and_leaves_everything_else_as_it_was() {
    let sandbox = Sandbox::linked();
    let file = sandbox.home().join(".gitconfig");
    let theirs = "[credential]\n\thelper = cache # mine\n[alias]\n\tst = status\n";
    let before = fs::read_to_string(&file).expect("text");
    fs::write(&file, before + theirs).expect("written");
    let found = doctor(&sandbox, &[]);
    found.ended_with(0).expect("helper-order", "warn", "comes later").mended_by("helper-order", "configure");
    doctor(&sandbox, &["--fix"]).expect("helper-order", "ok", "");
    let after = fs::read_to_string(&file).expect("text");
    assert!(after.contains(theirs), "{after}");
    let nothing = doctor(&sandbox, &["--fix"]);
    assert!(nothing.finished.stderr.contains("nothing that is ours needs mending"), "{:?}", nothing.finished);
    assert_eq!(fs::read_to_string(&file).expect("text"), after);
}

#[test]
fn fix_mends_the_order_of_helpers_whatever_else_our_section_has() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    sandbox.verb(["use", "alice", "--for", "group/app"]).succeeded();
    sandbox.git(["config", "--global", "--add", "credential.helper", "store"]).succeeded();
    doctor(&sandbox, &[]).expect("helper-order", "warn", "comes later");
    let fixed = doctor(&sandbox, &["--fix"]);
    fixed.expect("helper-order", "ok", "").expect("paths", "ok", "useHttpPath");
    assert!(fixed.finished.stderr.contains("\nmended: git is to ask us"), "{:?}", fixed.finished);
    sandbox.git_in(&clone, ["fetch", "--quiet"]).succeeded();
    assert!(!sandbox.home().join(".git-credentials").exists(), "a token was written there");
}

#[test]
fn what_fix_did_not_mend_is_not_called_mended() {
    let sandbox = Sandbox::linked();
    let file = sandbox.home().join(".gitconfig");
    let key = format!("credential.{}.helper", sandbox.gitlab.url());
    // Only the repository's own config, which is not ours to change, has the older path.
    let clone = sandbox.clone("group/app", "app");
    for value in ["", "/nowhere/git-credential-gitlab"] {
        sandbox.git_in(&clone, ["config", "--local", "--add", &key, value]).succeeded();
    }
    let before = fs::read_to_string(&file).expect("text");
    let mut command = sandbox.command(crate::support::HELPER);
    command.args(["doctor", "--json", "--fix"]).current_dir(&clone);
    let found = Diagnosis::of(run::finish(command, ""));
    found.ended_with(1).expect("helper-program", "fail", "which is no program");
    assert!(found.finished.stderr.contains("\nnot mended: git is to ask us"), "{:?}", found.finished);
    assert_eq!(fs::read_to_string(&file).expect("text"), before);
}

#[test]
fn git_config_that_thwarts_us_is_named_line_by_line() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let url = sandbox.gitlab.url().to_owned();
    for (key, value, check, result, says) in [
        ("http.extraHeader", "Authorization: Bearer hunter2", "extra-header", "fail", "Authorization of its own"),
        ("http.sslVerify", "false", "certificate-check", "warn", "does not check"),
        ("http.sslCAInfo", "/nowhere/ca.pem", "certificate-file", "fail", "/nowhere/ca.pem"),
        ("http.proxy", "", "proxy", "ok", "none"),
        ("credential.username", "bob", "user-name", "warn", "none of your accounts"),
        ("url.git@elsewhere:.insteadOf", &format!("{url}/"), "address-rules", "fail", "over ssh"),
        ("credential.helper", "store", "helper-order", "warn", "store"),
        ("credential.helper", "", "helper", "fail", "comes later"),
    ] {
        sandbox.git_in(&clone, ["config", "--local", key, value]).succeeded();
        let found = doctor_in(&sandbox, &clone);
        found.expect(check, result, says);
        assert!(!found.finished.stdout.contains("hunter2") && !found.finished.stderr.contains("hunter2"));
        if result != "ok" {
            // What is suggested is a command that does it.
            let command = found.check(check)["fix"].as_str().expect("a command").to_owned();
            if command.starts_with("git config") {
                let mut shell = sandbox.command("sh");
                shell.args(["-c", &command]).current_dir(&clone);
                run::finish(shell, "").succeeded();
                let mended = doctor_in(&sandbox, &clone);
                mended.expect(check, "ok", "");
            }
        }
        sandbox.git_in(&clone, ["config", "--local", "--unset-all", key]);
    }
    doctor_in(&sandbox, &clone).ended_with(0);
}

#[test]
fn a_proxy_that_nobody_listens_at_is_told_with_its_place() {
    let mut sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let dead = "http://me:hunter2@127.0.0.1:1";
    for (scope, key) in [("--global", "http.proxy"), ("--local", "remote.origin.proxy")] {
        sandbox.git_in(&clone, ["config", scope, key, dead]).succeeded();
        let found = doctor_in(&sandbox, &clone);
        found.ended_with(5).expect("proxy", "fail", "by the proxy http://127.0.0.1:1").expect("proxy", "fail", key);
        found.mended_by("proxy", key);
        assert!(!found.finished.stdout.contains("hunter2"));
        assert_ne!(sandbox.git_in(&clone, ["fetch"]).code, Some(0));
        let mut shell = sandbox.command("sh");
        shell.args(["-c", found["proxy"]["fix"].as_str().expect("a command")]).current_dir(&clone);
        run::finish(shell, "").succeeded();
        doctor_in(&sandbox, &clone).ended_with(0).expect("proxy", "ok", "none is set");
    }
    sandbox.set("http_proxy", dead);
    doctor_in(&sandbox, &clone).ended_with(5).expect("proxy", "fail", "http_proxy").mended_by("proxy", "unset http_");
    sandbox.set("no_proxy", "127.0.0.1");
    doctor_in(&sandbox, &clone).ended_with(0).expect("proxy", "ok", "no_proxy");
    sandbox.git_in(&clone, ["fetch"]).succeeded();
    sandbox.unset("no_proxy");
    // One that listens is not judged.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    sandbox.set("http_proxy", format!("http://{}", listener.local_addr().expect("an address")));
    doctor_in(&sandbox, &clone).ended_with(0).expect("proxy", "ok", "http_proxy");
}

#[test]
fn a_broken_git_config_is_one_finding() {
    let sandbox = Sandbox::linked();
    fs::write(sandbox.home().join(".gitconfig"), "[user\nname = x\n").expect("written");
    doctor(&sandbox, &[]).ended_with(1).expect("git-config", "fail", ".gitconfig").expect("helper", "skip", "");
}

#[test]
fn an_emptied_list_of_helpers_in_the_environment_is_told() {
    let mut sandbox = Sandbox::linked();
    for (name, value) in [
        ("GIT_CONFIG_PARAMETERS", "'credential.helper='"),
        ("TERMINAL_EMULATOR", "JetBrains-JediTerm"),
        ("GIT_ASKPASS", "/bin/true"),
    ] {
        sandbox.set(name, value);
    }
    let found = doctor(&sandbox, &[]);
    found.ended_with(1).expect("helper", "fail", "environment").expect("command-config", "warn", "JetBrains");
    found.expect("ide", "warn", "Use credential helper").expect("prompts", "warn", "GIT_ASKPASS");
}

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
}

#[test]
fn a_login_that_was_revoked_is_told() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.revoke_tokens("alice");
    let found = doctor(&sandbox, &[]);
    found.expect("login", "fail", "invalid_grant");
    assert_eq!((found.finished.code, sandbox.gitlab.failed_logins()), (Some(5), 0));
}

#[test]
fn a_missing_project_is_explained_and_never_made() {
    let sandbox = Sandbox::linked();
    let found = doctor(&sandbox, &[&sandbox.project("group/missing")]);
    found.ended_with(6).expect("project", "fail", "missing, or not for alice").expect("push", "skip", "");
    let asked = sandbox.gitlab.requests();
    assert!(!asked.iter().any(|request| format!("{request:?}").contains("receive-pack")), "GitLab would make it");
}

#[test]
fn a_role_that_is_too_low_names_yours_and_the_one_you_need() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_project("low/app", Visibility::Private);
    for (role, fetch, push) in [
        (Role::Guest, ("fail", "guest there, may not fetch; that needs reporter"), ("skip", "")),
        (Role::Reporter, ("ok", "may fetch"), ("fail", "reporter there, may not push; that needs developer")),
        (Role::Developer, ("ok", ""), ("ok", "")),
    ] {
        sandbox.gitlab.grant("alice", "low/app", role);
        let found = doctor(&sandbox, &[&sandbox.project("low/app")]);
        found.expect("fetch", fetch.0, fetch.1).expect("push", push.0, push.1);
        found.ended_with(if role == Role::Developer { 0 } else { 6 });
    }
    sandbox.gitlab.configure(|modes| modes.protected_default_branch = true);
    let found = doctor(&sandbox, &[&sandbox.project("low/app")]);
    found.ended_with(0).expect("default-branch", "warn", "protected").mended_by("default-branch", "git switch");
}

#[test]
fn an_account_that_can_only_read_is_told_why_it_cannot_push() {
    let sandbox = Sandbox::new();
    let scopes = "read_api write_repository read_repository";
    sandbox.gitlab.set_scopes(&sandbox.client_id, scopes);
    let words =
        [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--scopes", "read_api read_repository"];
    sandbox.link_as("alice", words).succeeded();
    let found = about_app(&sandbox);
    found.ended_with(6).expect("scopes", "warn", "not push").expect("fetch", "ok", "");
    found.expect("push", "fail", "You are not allowed to upload code.").mended_by("push", "link");
}

#[test]
fn scopes_for_repositories_alone_are_enough_for_git() {
    let sandbox = Sandbox::new();
    let words = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--scopes", "write_repository"];
    sandbox.link_as("alice", words).succeeded();
    let found = about_app(&sandbox);
    found.ended_with(0).expect("gitlab-version", "skip", "scopes").expect("project", "skip", "scopes");
    found.expect("fetch", "ok", "").expect("push", "ok", "").expect("login", "ok", "");
}

#[test]
fn an_archived_project_a_moved_one_and_an_empty_one_are_told() {
    let sandbox = Sandbox::linked();
    for path in ["old/app", "new/app"] {
        sandbox.gitlab.add_project(path, Visibility::Private);
        sandbox.gitlab.grant("alice", path, Role::Maintainer);
    }
    sandbox.gitlab.archive_project("new/app");
    let archived = doctor(&sandbox, &[&sandbox.project("new/app")]);
    archived.ended_with(0).expect("push", "warn", "archived").expect("fetch", "ok", "");
    sandbox.gitlab.rename_project("old/app", "team/app");
    sandbox.gitlab.configure(|modes| drop(modes.moved.insert("old/app".into(), "team/app".into())));
    let moved = doctor(&sandbox, &[&sandbox.project("old/app")]);
    let command = format!("git remote set-url origin {}", sandbox.project("team/app"));
    moved.ended_with(0).expect("project", "warn", "moved to team/app").mended_by("project", &command);
    sandbox.gitlab.add_project_without_repository("group/none", Visibility::Private);
    sandbox.gitlab.grant("alice", "group/none", Role::Maintainer);
    doctor(&sandbox, &[&sandbox.project("group/none")]).ended_with(6).expect("fetch", "fail", "no repository");
}

#[test]
fn single_sign_on_names_the_host_and_not_the_address() {
    let sandbox = Sandbox::linked();
    let url = "https://sso.example/groups/group/-/saml/sso?token=hunter2".to_owned();
    sandbox.gitlab.configure(|modes| drop(modes.sso_enforced.insert("group".into(), url)));
    let found = about_app(&sandbox);
    found.ended_with(4).expect("single-sign-on", "fail", "https://sso.example ").expect("fetch", "skip", "");
    assert!(!found.finished.stdout.contains("hunter2"));
}

#[test]
fn the_account_that_git_would_get_is_asked() {
    let sandbox = crate::accounts::two_accounts();
    let bob = sandbox.project("shared/app").replacen("://", "://bob@", 1);
    doctor(&sandbox, &[&bob]).ended_with(6).expect("account", "ok", "bob").expect(
        "push",
        "fail",
        "bob, who is reporter",
    );
    let default = doctor(&sandbox, &[&sandbox.project("shared/app")]);
    default.ended_with(0).expect("account", "ok", "alice");
    sandbox.verb(["use", "bob", sandbox.gitlab.url(), "--for", "work"]).succeeded();
    doctor(&sandbox, &[&sandbox.project("work/api")]).ended_with(0).expect("account", "ok", "bob");
    let key = format!("credential.{}.useHttpPath", sandbox.gitlab.url());
    sandbox.git(["config", "--global", &key, "false"]).succeeded();
    let untold = doctor(&sandbox, &[&sandbox.project("work/api")]);
    untold.expect("paths", "fail", "useHttpPath").mended_by("paths", &key).expect("account", "ok", "alice");
}

#[test]
fn where_an_address_is_rewritten_to_ssh_that_is_the_failure() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let key = "url.git@elsewhere:.insteadOf";
    sandbox.git(["config", "--global", key, &format!("{}/", sandbox.gitlab.url())]).succeeded();
    let found = doctor_in(&sandbox, &clone);
    found.ended_with(1).expect("account", "skip", "does not ask us").mended_by("address-rules", "insteadof");
    assert_eq!(found.failed(), ["address-rules"]);
}

#[test]
fn who_can_only_read_is_sent_to_the_account_that_can_push() {
    let mut sandbox = Sandbox::linked();
    crate::accounts::link(&sandbox, "alice", &["--read-only"]).succeeded();
    let clone = sandbox.clone("group/app", "app");
    let found = |sandbox: &Sandbox| doctor_in(sandbox, &clone)["push"].clone();
    let url = sandbox.gitlab.url().to_owned();
    // Chosen by path.
    sandbox.verb(["use", "alice+read-only", "--for", "group/app"]).succeeded();
    assert_eq!(found(&sandbox)["fix"], format!("git credential-gitlab use alice {url} --for group/app"));
    sandbox.verb(["use", "alice+read-only", "--remove", "--for", "group/app"]).succeeded();
    assert_eq!(found(&sandbox)["result"], "ok");
    // By the environment.
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "alice+read-only");
    assert_eq!(found(&sandbox)["fix"], "unset GIT_CREDENTIAL_GITLAB_ACCOUNT");
    // By the address.
    sandbox.unset("GIT_CREDENTIAL_GITLAB_ACCOUNT");
    let named = sandbox.project("group/app").replacen("://", "://alice+read-only@", 1);
    sandbox.git_in(&clone, ["remote", "set-url", "origin", &named]).succeeded();
    assert_eq!(found(&sandbox)["fix"], format!("git remote set-url origin {}", sandbox.project("group/app")));
    // Where nothing else is linked, the full account is.
    sandbox.verb(["unlink", "--account", "alice"]).succeeded();
    let fix = found(&sandbox)["fix"].as_str().expect("a command").to_owned();
    assert!(fix.ends_with(&format!("git credential-gitlab link {url} --account alice")), "{fix}");
}

#[test]
fn the_linked_account_that_may_is_named() {
    let sandbox = crate::accounts::two_accounts();
    let url = sandbox.gitlab.url().to_owned();
    sandbox.verb(["use", "bob", &url]).succeeded();
    let role = doctor(&sandbox, &[&sandbox.project("shared/app")]);
    role.ended_with(6).expect("push", "fail", "bob, who is reporter").expect(
        "push",
        "fail",
        "but alice, who is linked",
    );
    role.mended_by("push", &format!("git credential-gitlab use alice {url} --for shared/app"));
    let missing = doctor(&sandbox, &[&sandbox.project("group/app")]);
    missing.ended_with(6).expect("project", "fail", "missing, or not for bob, but alice, who is linked");
    let command = missing["project"]["fix"].as_str().expect("a command");
    assert_eq!(command, format!("git credential-gitlab use alice {url} --for group/app"));
    sandbox.verb(command.split(' ').skip(2)).succeeded();
    doctor(&sandbox, &[&sandbox.project("group/app")]);
    let nobody = doctor(&sandbox, &[&sandbox.project("group/nothing")]);
    nobody.expect("project", "fail", "look for a mistake").mended_by("project", "git credential-gitlab repos");
    assert_eq!(sandbox.gitlab.failed_logins(), 0);
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
fn an_address_over_ssh_is_told_with_the_one_over_https() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let url = format!("ssh://git@gitlab.invalid/{}", "group/app.git");
    sandbox.git_in(&clone, ["remote", "set-url", "origin", &url]).succeeded();
    let found = doctor_in(&sandbox, &clone);
    found.expect("address", "warn", "ssh").expect("git-config", "ok", "");
    found.mended_by("address", "git remote set-url origin https://gitlab.invalid/group/app.git");
}

#[test]
fn a_remote_is_known_by_its_name() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let mut command = sandbox.command(crate::support::HELPER);
    command.args(["doctor", "--json", "origin"]).current_dir(&clone);
    Diagnosis::of(run::finish(command, "")).ended_with(0).expect("push", "ok", "");
}

#[test]
fn directories_that_others_can_enter_are_closed_by_fix() {
    let sandbox = Sandbox::linked();
    let tokens = sandbox.state().join("tokens");
    let mode = |directory: &Path| directory.metadata().expect("there").permissions().mode() & 0o777;
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o755)).expect("opened");
    let found = doctor(&sandbox, &[]);
    found.ended_with(1).expect("state-directory", "fail", "755").mended_by("state-directory", "chmod 700");
    doctor(&sandbox, &["--fix"]).ended_with(0).expect("state-directory", "ok", "");
    assert_eq!(mode(&tokens), 0o700);
    let run = sandbox.socket().parent().expect("a directory").to_owned();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o711)).expect("opened");
    doctor(&sandbox, &[]).ended_with(1).expect("socket", "fail", "711");
    doctor(&sandbox, &["--fix"]).ended_with(0).expect("socket", "ok", "");
}

#[test]
fn a_state_file_that_cannot_be_read_is_told() {
    let sandbox = Sandbox::linked();
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    sandbox.verb(["daemon", "stop"]).succeeded();
    fs::write(profile, "{").expect("written");
    let found = doctor(&sandbox, &[]);
    found.ended_with(4).expect("state-files", "fail", ".json").mended_by("state-files", ".broken");
}

#[test]
fn tokens_that_are_gone_are_told() {
    let sandbox = Sandbox::linked();
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    sandbox.verb(["daemon", "stop"]).succeeded();
    fs::remove_file(tokens).expect("removed");
    doctor(&sandbox, &[]).ended_with(4).expect("token-store", "fail", "its tokens were in").mended_by("login", "link");
}

#[test]
fn a_daemon_that_cannot_be_asked_is_told() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", "/nowhere/socket");
    let found = doctor(&sandbox, &[]);
    found.ended_with(1).expect("daemon", "fail", "no daemon answers").expect("daemon-version", "skip", "");
    assert_eq!(found.failed(), ["daemon"]);
}

#[test]
fn a_socket_that_nobody_listens_at_is_removed_by_fix() {
    let mut sandbox = Sandbox::new();
    let socket = sandbox.path("stale");
    fs::create_dir(&socket).expect("a directory");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o700)).expect("private");
    let socket = socket.join("socket");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("bound"));
    sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    doctor(&sandbox, &[]).ended_with(1).expect("socket", "fail", "nobody answers");
    doctor(&sandbox, &["--fix"]).expect("socket", "ok", "");
    assert!(!socket.exists());
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
    secrets.extend((1..=8).map(|number| format!("planted-{number}")));
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
