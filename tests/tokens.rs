//! Tokens that people make, where OAuth is not allowed: looked at, served as long as they live, and
//! never revoked behind the person's back.

use std::time::Duration;

use gitlab_stand_in::{BanLimits, Endpoint, Fault, Role, What, When};

use crate::support::pty::Pty;
use crate::support::tokens::{
    DAY, begin_with_token as begin, days, link_with_token as link, linked_with_token as linked, rotations,
};
use crate::support::{HELPER, Sandbox, eventually, now};

/// Questions about a token itself.
fn questions(sandbox: &Sandbox) -> usize {
    sandbox.gitlab.count(Endpoint::PersonalToken)
}

/// The token dies at the server, and git is refused with it.
fn refuse(sandbox: &Sandbox, token: &str) {
    sandbox.gitlab.revoke_token(token);
    sandbox.erase(token);
}

#[test]
fn a_personal_token_is_linked_and_git_works() {
    let sandbox = Sandbox::new();
    let token = sandbox.gitlab.add_pat("alice", "read_api write_repository", Some(days(100))).token;
    let told = link(&sandbox, &token, &[]).succeeded();
    assert_eq!(told.stdout, format!("linked {} as alice\n", sandbox.gitlab.url()));
    assert!(told.stderr.contains("will be kept in a file") && !told.stderr.contains("warning"), "{told:?}");
    let clone = sandbox.clone("group/app", "app");
    sandbox.git_in(&clone, ["commit", "--quiet", "--allow-empty", "-m", "x"]).succeeded();
    sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    let answer = sandbox.get().succeeded();
    assert_eq!((answer.token(), answer.attribute("username").as_deref()), (token, Some("oauth2")));
    let end: i64 = answer.attribute("password_expiry_utc").expect("an end").parse().expect("a number");
    assert!(end % DAY == 0 && (100 * DAY..=101 * DAY).contains(&(end - now())), "{end}");
    let account = sandbox.account();
    for (field, value) in [("kind", "token"), ("token_kind", "personal"), ("username", "alice"), ("client_id", "")] {
        assert_eq!(account[field], value, "{account}");
    }
    assert_eq!(account["scopes"], serde_json::json!(["read_api", "write_repository"]));
    assert_eq!((&account["state"], &account["detail"]), (&"ok".into(), &"".into()));
    let shown = sandbox.verb(["status", "--check"]).succeeded().stdout;
    for part in
        ["a personal access token; may read_api, write_repository", "lives until", "takes the scope self_rotate"]
    {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}

#[test]
fn nothing_of_oauth_is_needed() {
    let sandbox = Sandbox::new();
    let token = sandbox.gitlab.add_pat("alice", "api", Some(days(90))).token;
    let oauth = [Endpoint::TokenInfo, Endpoint::Token, Endpoint::Revoke, Endpoint::Authorize];
    let forbidden = |on| {
        let what = What::Status { code: 403, headers: Vec::new(), body: "no".into() };
        sandbox.gitlab.fault(Fault { on, when: When::Before, what, times: None });
    };
    oauth.into_iter().for_each(forbidden);
    let told = link(&sandbox, &token, &[]).succeeded();
    assert!(!told.stderr.contains("warning"), "{told:?}");
    sandbox.erase(&token);
    assert_eq!(sandbox.token(), token);
    sandbox.verb(["status", "--check"]).succeeded();
    sandbox.verb(["unlink"]).succeeded();
    assert_eq!(oauth.map(|endpoint| sandbox.gitlab.count(endpoint)), [0; 4]);
}

#[test]
fn the_token_is_in_no_argument_environment_log_profile_or_message() {
    let mut sandbox = Sandbox::new();
    for (name, value) in [("GIT_CREDENTIAL_GITLAB_LOG", "trace"), ("RUST_LOG", "trace"), ("GIT_TRACE", "1")] {
        sandbox.set(name, value);
    }
    let token = sandbox.gitlab.add_pat("alice", "api", Some(days(30))).token;
    let started = begin(&sandbox, &token, &["-v"]);
    let read = |pid: i32, name| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let pid = i32::try_from(started.child.id()).expect("a process id");
    let mut seen = vec![read(pid, "cmdline"), read(pid, "environ")];
    let told = started.finish().succeeded();
    sandbox.age_token(30 * DAY - DAY / 2, DAY / 2);
    sandbox.gitlab.fault(Fault::once(Endpoint::Rotate, What::Html));
    sandbox.token();
    eventually("it is renewed", || sandbox.account()["renewals"] == 1);
    let status = sandbox.verb(["status", "-v"]).succeeded();
    seen.extend(["cmdline", "environ"].map(|name| read(sandbox.daemon_pid(), name)));
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    seen.push(std::fs::read(profile).expect("readable"));
    seen.extend([sandbox.log(), told.stdout, told.stderr, status.stdout, status.stderr].map(String::into_bytes));
    assert!(sandbox.log().contains("renewed"));
    for secret in sandbox.gitlab.secrets() {
        assert!(!seen.iter().any(|text| String::from_utf8_lossy(text).contains(&secret)), "a secret is to be seen");
    }
}

#[test]
fn in_a_terminal_the_token_is_asked_for_and_not_shown() {
    let sandbox = Sandbox::new();
    let token = sandbox.gitlab.add_pat("alice", "read_repository read_user", None).token;
    let line = format!("{HELPER} link {} --token-stdin --yes", sandbox.gitlab.url());
    let mut pty = Pty::run(&sandbox, &line);
    pty.wait_for("it is not shown");
    pty.wait_for_no_echo();
    pty.type_line(&token);
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("as alice") && !screen.contains(&token), "{screen}");
    assert_eq!(sandbox.token(), token);
    assert!(sandbox.get().attribute("password_expiry_utc").is_none());
    assert!(sandbox.verb(["status"]).stdout.contains("the token does not expire"));
}

#[test]
fn a_token_that_git_can_not_use_is_refused_before_anything_is_stored() {
    let sandbox = Sandbox::new();
    let url = sandbox.gitlab.url().to_owned();
    let useless = sandbox.gitlab.add_pat("alice", "read_user openid", None).token;
    let told = link(&sandbox, &useless, &[]).ended_with(6);
    for part in [&format!("{url} was not linked"), "(read_user, openid)", "read_repository", "/-/user_settings/"] {
        assert!(told.stderr.contains(part), "{part:?} in {told:?}");
    }
    let revoked = sandbox.gitlab.add_pat("alice", "api", None).token;
    sandbox.gitlab.revoke_token(&revoked);
    for dead in [revoked.as_str(), "glpat-mistyped"] {
        let told = link(&sandbox, dead, &[]).ended_with(6);
        assert!(told.stderr.contains("mistyped, revoked or expired") && !told.stderr.contains(dead), "{told:?}");
    }
    assert_eq!(sandbox.state_files("").len(), 0, "{:?}", sandbox.state_files(""));
}

#[test]
fn what_is_pasted_by_mistake_is_named_and_sent_nowhere() {
    let sandbox = Sandbox::linked();
    let pair = sandbox.refresh_token();
    let before = sandbox.gitlab.requests().iter().filter(|request| !request.credentials.is_empty()).count();
    for (mistake, named) in [
        ("glrt-t1_abcdef", "a runner's token"),
        ("glcbt-64_abcdef", "the token of a CI/CD job"),
        ("glft-abcdef", "a feed token"),
        ("gloas-abcdef", "the secret of an OAuth application"),
        ("acme-glptt-abcdef", "a pipeline trigger token"),
        (&pair, "an OAuth token"),
        ("two words", "is no token"),
        ("", "no access token was given"),
    ] {
        let told = link(&sandbox, mistake, &[]).ended_with(2);
        assert!(told.stderr.contains(named), "{mistake}: {told:?}");
        assert!(mistake.is_empty() || !told.stderr.contains(mistake), "{told:?}");
    }
    let after = sandbox.gitlab.requests().iter().filter(|request| !request.credentials.is_empty()).count();
    assert_eq!(after, before);
    assert_eq!(sandbox.account()["kind"], "oauth", "and what was linked before stays");
}

#[test]
fn somebody_elses_token_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.add_user("bob", "Bob");
    let token = sandbox.gitlab.add_pat("bob", "api", None).token;
    let told = link(&sandbox, &token, &["--account", "alice"]).ended_with(4);
    assert!(told.stderr.contains("one of bob, and alice was asked for"), "{told:?}");
    assert_eq!(sandbox.gitlab.living_personal_tokens("bob"), 1);
    link(&sandbox, &token, &["--account", "Bob"]).succeeded();
}

#[test]
fn tokens_of_projects_and_groups_act_as_their_bots_and_that_is_said() {
    for (path, kind) in [("group/app", "project"), ("group", "group")] {
        let sandbox = Sandbox::new();
        let made = sandbox.gitlab.add_access_token(path, "read_api write_repository", Role::Developer, days(60));
        let told = link(&sandbox, &made.token, &[]).succeeded();
        assert_eq!(told.stdout, format!("linked {} as {}\n", sandbox.gitlab.url(), made.username));
        let sentence = format!("a {kind} access token; git acts as the bot {}", made.username);
        assert!(told.stderr.contains(&sentence), "{told:?}");
        assert_eq!(sandbox.account()["token_kind"], kind);
        let clone = sandbox.clone("group/app", "app");
        sandbox.git_in(&clone, ["commit", "--quiet", "--allow-empty", "-m", "x"]).succeeded();
        sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    }
}

#[test]
fn a_deploy_token_works_under_its_own_name() {
    let sandbox = Sandbox::new();
    let made = sandbox.gitlab.add_deploy_token("group/app", "read_repository");
    let nameless = link(&sandbox, &made.token, &[]).ended_with(2);
    assert!(nameless.stderr.contains("deploy token") && nameless.stderr.contains("--account"), "{nameless:?}");
    let bad = link(&sandbox, &made.token, &["--account", "../../x"]).ended_with(2);
    assert!(bad.stderr.contains("no user name"), "{bad:?}");
    let told = link(&sandbox, &made.token, &["--account", &made.username]).succeeded();
    assert!(told.stderr.contains("can't be asked about it"), "{told:?}");
    let answer = sandbox.get().succeeded();
    assert_eq!((answer.attribute("username"), answer.token()), (Some(made.username.clone()), made.token.clone()));
    let clone = sandbox.clone("group/app", "app");
    sandbox.git_in(&clone, ["fetch", "--quiet"]).succeeded();
    sandbox.verb(["status", "--check"]).succeeded();
    let account = sandbox.account();
    assert_eq!((&account["token_kind"], &account["scopes"]), (&"deploy".into(), &serde_json::json!([])));
    // Another one beside it, known by its name alone.
    let other = sandbox.gitlab.add_deploy_token("group/app", "read_repository");
    link(&sandbox, &other.token, &["--account", &other.username]).succeeded();
    let question = format!("{}username={}\n", sandbox.question(), other.username);
    assert_eq!(sandbox.helper("get", question).token(), other.token);
    assert_eq!(sandbox.gitlab.failed_logins(), 0);
}

#[test]
fn a_deploy_token_that_git_is_refused_with_is_reported_but_still_tried() {
    let sandbox = Sandbox::new();
    let made = sandbox.gitlab.add_deploy_token("group/app", "read_repository");
    link(&sandbox, &made.token, &["--account", &made.username]).succeeded();
    let clone = sandbox.clone("group/app", "app");
    let requests = sandbox.gitlab.count(Endpoint::Api) + questions(&sandbox);
    sandbox.gitlab.revoke_token(&made.token);
    sandbox.git_in(&clone, ["fetch", "--quiet"]).ended_with(128);
    eventually("it is known", || sandbox.account()["state"] == "relink");
    let told = sandbox.verb(["status"]).ended_with(4);
    let command = format!("--account {} --token-stdin", made.username);
    assert!(told.stdout.contains("git was refused with it at") && told.stdout.contains(&command), "{told:?}");
    assert_eq!(sandbox.token(), made.token, "it may have been a proxy");
    assert_eq!(sandbox.gitlab.count(Endpoint::Api) + questions(&sandbox), requests, "nobody was asked");
    let credential = format!("{}username={}\npassword={}\n", sandbox.question(), made.username, made.token);
    sandbox.helper("store", credential).succeeded();
    sandbox.verb(["status"]).succeeded();
}

#[test]
fn an_older_server_says_less_and_that_is_said() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.configure(|modes| modes.version = (15, 4));
    let token = sandbox.gitlab.add_pat("alice", "read_api write_repository", Some(days(30))).token;
    let told = link(&sandbox, &token, &[]).succeeded();
    assert!(told.stdout.contains("as alice") && told.stderr.contains("does not say what the token may do"), "{told:?}");
    sandbox.clone("group/app", "app");
    let shown = sandbox.verb(["status", "--check"]).succeeded().stdout;
    assert!(
        shown.contains("when the token ends is not known") && shown.contains("does not say what it may"),
        "{shown}"
    );
    refuse(&sandbox, &token);
    assert_eq!(sandbox.get().succeeded().stdout, "quit=1\n");
    // And of a token for repositories alone not even whose it is.
    let sandbox = Sandbox::new();
    sandbox.gitlab.configure(|modes| modes.version = (15, 4));
    let token = sandbox.gitlab.add_pat("alice", "write_repository", None).token;
    let told = link(&sandbox, &token, &[]).ended_with(2);
    assert!(told.stderr.contains("--account NAME"), "{told:?}");
    let told = link(&sandbox, &token, &["--account", "alice"]).succeeded();
    assert!(told.stderr.contains("alice is taken on your word"), "{told:?}");
    sandbox.clone("group/app", "app");
    sandbox.erase(&token);
    assert_eq!(sandbox.token(), token, "it lives, although it may not ask");
}

#[test]
fn a_token_for_repositories_alone_is_looked_at_all_the_same() {
    let sandbox = Sandbox::new();
    let token = sandbox.gitlab.add_pat("alice", "write_repository", Some(days(90))).token;
    let told = link(&sandbox, &token, &[]).succeeded();
    assert!(told.stdout.contains("as user-"), "{told:?}");
    let account = sandbox.account();
    assert!(account["expires_at"].is_string() && account["scopes"][0] == "write_repository", "{account}");
    sandbox.clone("group/app", "app");
    // The same account, by its name.
    link(&sandbox, &token, &["--account", "alice"]).succeeded();
    let accounts = sandbox.status()["accounts"].clone();
    assert_eq!((accounts.as_array().expect("a list").len(), &accounts[0]["username"]), (1, &"alice".into()));
}

#[test]
fn a_token_that_ends_is_told_of_a_month_a_week_and_a_day_before() {
    let (sandbox, _) = linked("read_api");
    for (left, stage, told) in [(31, false, 0), (29, true, 1), (6, true, 1), (1, true, 1)] {
        let before = sandbox.log().matches("ends soon").count();
        sandbox.age_token(60 * DAY, left * DAY - 60);
        sandbox.token();
        let account = sandbox.account();
        assert_eq!(account["state"], "ok");
        assert_eq!(account["detail"].as_str().is_some_and(|it| it.contains("the token ends at")), stage, "{account}");
        let shown = sandbox.verb(["status"]).succeeded().stdout;
        assert_eq!(shown.contains("works, but the token ends at"), stage, "{shown}");
        assert_eq!(shown.contains("to mend it, with a new token: git credential-gitlab link"), stage, "{shown}");
        sandbox.token();
        assert_eq!(sandbox.log().matches("ends soon").count() - before, told, "{left} days");
    }
    let token = sandbox.gitlab.add_pat("alice", "read_api", Some(days(5))).token;
    let told = link(&sandbox, &token, &[]).succeeded();
    let warnings: Vec<_> = told.stderr.lines().filter(|line| line.contains("warning: the token ends at")).collect();
    assert_eq!(warnings.len(), 1, "{told:?}");
}

#[test]
fn an_expired_token_says_that_it_expired_and_what_to_type() {
    let (sandbox, _) = linked("read_api");
    sandbox.age_token(31 * DAY, -DAY);
    sandbox.gitlab.advance_clock(days(32));
    let command = format!("git credential-gitlab link {} --account alice --token-stdin", sandbox.gitlab.url());
    let refused = sandbox.get().succeeded();
    assert_eq!(refused.stdout, "quit=1\n");
    assert!(refused.stderr.contains("the token expired at 2") && refused.stderr.contains(&command), "{refused:?}");
    for flags in [&["status"][..], &["status", "--check"]] {
        let shown = sandbox.verb(flags.iter().copied()).ended_with(4).stdout;
        assert!(shown.contains("the token expired at 2") && shown.contains(&command), "{shown}");
    }
    assert_eq!(rotations(&sandbox), 0);
    // One command mends it.
    let token = sandbox.gitlab.add_pat("alice", "read_api", None).token;
    link(&sandbox, &token, &[]).succeeded();
    assert_eq!(sandbox.token(), token);
}

#[test]
fn a_refused_token_is_asked_about_where_no_login_counts() {
    let (sandbox, token) = linked("read_api");
    let limits = BanLimits { failures: 1, window: Duration::from_secs(60), ban: Duration::from_secs(3600) };
    sandbox.gitlab.set_ban_limits(Some(limits));
    let before = (questions(&sandbox), sandbox.gitlab.count(Endpoint::Git));
    sandbox.erase(&token);
    assert_eq!(sandbox.token(), token);
    assert_eq!((questions(&sandbox), sandbox.gitlab.count(Endpoint::Git)), (before.0 + 1, before.1));
    refuse(&sandbox, &token);
    let told = sandbox.get().succeeded();
    let command = format!("git credential-gitlab link {} --account alice --token-stdin", sandbox.gitlab.url());
    assert!(told.stdout == "quit=1\n" && told.stderr.contains("the server has revoked the token"), "{told:?}");
    assert!(told.stderr.contains(&command), "{told:?}");
    assert_eq!(sandbox.account()["state"], "relink");
    assert_eq!((sandbox.gitlab.failed_logins(), sandbox.gitlab.count(Endpoint::Git)), (0, before.1));
}

#[test]
fn linking_again_in_another_way_replaces_the_token_and_leaves_it_alone() {
    let (sandbox, token) = linked("api");
    let told = sandbox.link();
    assert!(told.stderr.contains("The personal access token that was linked before was not revoked"), "{told:?}");
    assert_eq!(sandbox.account()["kind"], "oauth");
    assert!(sandbox.lives(&token));
    assert_ne!(sandbox.token(), token);
    // And back: what the application was granted is revoked, nobody else has it.
    let told = link(&sandbox, &token, &[]).succeeded();
    assert!(!told.stderr.contains("linked before"), "{told:?}");
    eventually("the pair is revoked", || sandbox.gitlab.live_pairs("alice") == 0);
    assert_eq!(sandbox.token(), token);
    // The same token again is none that was left.
    let told = link(&sandbox, &token, &[]).succeeded();
    assert!(!told.stderr.contains("linked before"), "{told:?}");
    // What the daemon itself has renewed nobody else has.
    sandbox.age_token(30 * DAY - 3600, 3600);
    let renewed = sandbox.token();
    let told = sandbox.link();
    assert!(!told.stderr.contains("linked before"), "{told:?}");
    eventually("it is revoked", || sandbox.gitlab.living_personal_tokens("alice") == 0);
    assert!(!sandbox.lives(&renewed));
}

#[test]
fn unlink_revokes_the_token_and_local_leaves_it() {
    let (sandbox, token) = linked("read_repository");
    let told = sandbox.verb(["unlink", "--local"]).succeeded();
    assert!(told.stderr.contains("still works at the server") && told.stderr.contains("/-/user_settings/"), "{told:?}");
    assert!(sandbox.lives(&token));
    link(&sandbox, &token, &[]).succeeded();
    let told = sandbox.verb(["unlink"]).succeeded();
    assert_eq!(told.stdout.lines().count(), 1, "{told:?}");
    assert!(!sandbox.lives(&token));
    assert_eq!(sandbox.gitlab.living_personal_tokens("alice"), 0);
    assert_eq!(sandbox.state_files("").len(), 0, "{:?}", sandbox.state_files(""));
}

#[test]
fn a_token_that_the_server_does_not_revoke_stays_linked() {
    let (sandbox, token) = linked("read_repository");
    let lie = Fault { on: Endpoint::PersonalToken, when: When::Before, what: What::Empty, times: Some(1) };
    sandbox.gitlab.fault(lie);
    let kept = sandbox.verb(["unlink"]).ended_with(6);
    assert!(kept.stderr.contains("still work"), "{kept:?}");
    sandbox.gitlab.configure(|modes| modes.version = (15, 3));
    let kept = sandbox.verb(["unlink"]).ended_with(6);
    assert!(kept.stderr.contains("15.4") && kept.stderr.contains("--local"), "{kept:?}");
    assert_eq!(sandbox.token(), token);
    sandbox.gitlab.configure(|modes| modes.version = (15, 4));
    sandbox.verb(["unlink"]).succeeded();
    assert!(!sandbox.lives(&token));
}

#[test]
fn a_dead_token_is_unlinked_without_ado() {
    let (sandbox, token) = linked("read_repository");
    refuse(&sandbox, &token);
    sandbox.verb(["unlink"]).succeeded();
}

#[test]
fn a_deploy_token_is_forgotten_here_and_that_is_said() {
    let sandbox = Sandbox::new();
    let made = sandbox.gitlab.add_deploy_token("group/app", "read_repository");
    link(&sandbox, &made.token, &["--account", &made.username]).succeeded();
    let told = sandbox.verb(["unlink"]).succeeded();
    assert!(told.stderr.contains("deploy token still works") && told.stderr.contains("Deploy tokens"), "{told:?}");
    assert_eq!(sandbox.state_files("").len(), 0);
}

#[test]
fn a_server_that_stumbles_at_link_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let token = sandbox.gitlab.add_pat("alice", "api", Some(days(90))).token;
    let status = |code| What::Status { code, headers: Vec::new(), body: "no".into() };
    let nonsense = What::Body(br#"{"scopes":["api"],"expires_at":"soon"}"#.to_vec());
    for what in
        [What::Html, What::BrokenJson, What::Close, What::Empty, status(503), status(401), status(418), nonsense]
    {
        let shown = format!("{what:?}");
        sandbox.gitlab.fault(Fault::once(Endpoint::PersonalToken, what));
        let told = link(&sandbox, &token, &[]).ended_with(5);
        assert!(told.stderr.contains("was not linked") && told.stderr.lines().count() == 1, "{shown}: {told:?}");
        assert_eq!(sandbox.state_files("").len(), 0, "{shown}");
    }
    link(&sandbox, &token, &[]).succeeded();
}

#[test]
fn a_check_that_gets_no_answer_says_so_and_keeps_the_token() {
    let (sandbox, token) = linked("read_api");
    let down = What::Status { code: 503, headers: Vec::new(), body: "no".into() };
    sandbox.gitlab.fault(Fault { on: Endpoint::PersonalToken, when: When::Before, what: down, times: None });
    let told = sandbox.verb(["status", "--check"]).ended_with(5);
    assert!(told.stdout.contains("503") && told.stdout.contains("works until "), "{told:?}");
    assert_eq!(sandbox.token(), token);
    sandbox.gitlab.clear_faults();
    eventually("it is asked again by itself", || sandbox.account()["state"] == "ok");
}
