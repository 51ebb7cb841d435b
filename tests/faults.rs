//! Whatever happens at the token endpoint, or to the daemon in the middle of a renewal, the link
//! survives as far as GitLab lets it, and the person is told the truth.

use std::time::Duration;

use gitlab_stand_in::{BanLimits, Endpoint, Fault, StandIn, What, When};

use crate::support::{DAEMON, Sandbox, Started, eventually};

fn status(code: u16) -> What {
    What::Status { code, headers: Vec::new(), body: "no".into() }
}

fn json(body: &str) -> What {
    What::Body(body.as_bytes().to_vec())
}

/// Faults before the server processes anything. None of them says anything about the tokens.
fn passing() -> Vec<What> {
    let mut faults: Vec<What> = [408, 425, 429, 500, 502, 503, 504, 301, 404].into_iter().map(status).collect();
    faults.extend([What::Reset, What::Close, What::Empty, What::Html, What::BrokenJson]);
    faults.extend([
        json("{}"),
        json(r#"{"access_token":"x"}"#),
        json(r#"{"access_token":"a\u0000b","token_type":"Bearer","expires_in":7200}"#),
        json(r#"{"access_token":"a\nb","token_type":"Bearer","expires_in":7200}"#),
        json(r#"{"error":42}"#),
    ]);
    faults
}

/// Runs a check for every fault, all at once: each has a sandbox of its own, and mostly waits.
fn for_each(faults: Vec<What>, check: impl Fn(What, &str) + Sync) {
    std::thread::scope(|scope| {
        for what in faults {
            let check = &check;
            scope.spawn(move || check(what.clone(), &format!("{what:?}")));
        }
    });
}

#[test]
fn a_living_token_is_served_through_every_fault_and_then_renewed() {
    for_each(passing(), |what, shown| {
        let sandbox = Sandbox::linked();
        let old = sandbox.token();
        sandbox.age_token(6900, 300);
        sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what, times: None });
        assert_eq!(sandbox.get().token(), old, "{shown}");
        let account = sandbox.account();
        assert_eq!(account["state"], "unreachable", "{shown}: {account}");
        let detail = account["detail"].as_str().expect("text");
        let again = detail.contains("next try in") || detail.contains("tried again right now");
        assert!(again && detail.len() > 40, "{shown}: {account}");
        sandbox.gitlab.clear_faults();
        eventually("it is renewed", || sandbox.token() != old);
        assert_eq!(sandbox.account()["state"], "ok", "{shown}");
    });
}

#[test]
fn a_login_that_failed_is_not_called_well_while_it_is_tried_again() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what: status(503), times: None });
    sandbox.get().succeeded();
    sandbox.gitlab.clear_faults();
    sandbox.gitlab.fault(Fault::once(Endpoint::Token, What::Silence));
    let account = || sandbox.account();
    eventually("it is tried again", || account()["detail"].as_str().is_some_and(|it| it.contains("right now")));
    assert_eq!(account()["state"], "unreachable");
    sandbox.kill_daemon(); // or its end would wait for the server's
}

/// Row N03.
#[test]
fn an_expired_token_is_never_served_and_every_fault_passes() {
    for_each(passing(), |what, shown| {
        let sandbox = Sandbox::linked();
        sandbox.age_token(7200, 0);
        sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what, times: None });
        let refused = sandbox.get().succeeded();
        assert_eq!((refused.stdout.as_str(), refused.stderr.lines().count()), ("quit=1\n", 1), "{shown}: {refused:?}");
        sandbox.gitlab.clear_faults();
        eventually("it is renewed", || sandbox.get().attribute("password").is_some());
        assert_eq!(sandbox.account()["state"], "ok", "{shown}");
    });
}

#[test]
fn a_server_that_names_a_time_is_not_asked_before() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    let busy =
        What::Status { code: 429, headers: vec![("Retry-After".into(), "3".into())], body: "Retry later".into() };
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what: busy, times: Some(1) });
    let told = sandbox.get().succeeded();
    assert!(told.stderr.contains("429") && told.stderr.contains("tried again in 3 s"), "{told:?}");
    sandbox.get().succeeded();
    assert_eq!(sandbox.gitlab.token_requests(), 1, "whoever asks meanwhile causes nothing");
    eventually("it is renewed", || sandbox.get().attribute("password").is_some());
    assert_eq!(sandbox.gitlab.token_requests(), 2);
}

#[test]
fn a_silent_server_does_not_keep_a_living_token_from_git() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.age_token(6900, 300);
    sandbox.gitlab.fault(Fault::once(Endpoint::Token, What::Silence));
    let answer = sandbox.get().succeeded();
    assert_eq!(answer.token(), old);
    assert!(answer.took < Duration::from_secs(10), "{answer:?}");
    sandbox.kill_daemon(); // or its end would wait for the server's
}

#[test]
fn a_lost_answer_is_told_as_what_it_is() {
    let faults = vec![What::Reset, What::Close, What::Truncate, What::Html, What::Empty, status(502)];
    for_each(faults, |what, shown| {
        let sandbox = Sandbox::linked();
        let old = sandbox.token();
        sandbox.age_token(6900, 300);
        sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, what));
        let first = sandbox.get().succeeded();
        assert_ne!(first.attribute("password"), Some(old), "the old token is dead: {shown}");
        // One more try with the old refresh token, and then the truth.
        eventually("the login has ended", || sandbox.account()["state"] == "relink");
        let told = sandbox.get().succeeded();
        assert_eq!(told.stdout, "quit=1\n", "{shown}");
        assert!(told.stderr.contains("its answer was lost at"), "{shown}: {told:?}");
        assert!(told.stderr.contains("git credential-gitlab link"), "{shown}: {told:?}");
        let requests = sandbox.gitlab.token_requests();
        assert_eq!(requests, 2, "{shown}");
        for _ in 0..3 {
            sandbox.get().succeeded();
        }
        assert_eq!(sandbox.gitlab.token_requests(), requests, "no further requests: {shown}");
        // One command mends it.
        sandbox.link();
        assert!(sandbox.get().attribute("password").is_some());
    });
}

#[test]
fn a_daemon_that_dies_at_any_step_of_a_renewal_loses_no_more_than_gitlab_does() {
    for (step, survives) in [("before-mark", true), ("after-mark", true), ("after-answer", false), ("after-save", true)]
    {
        let mut sandbox = Sandbox::linked();
        let old = sandbox.token();
        sandbox.age_token(7200, 0);
        sandbox.gitlab.expire_access_tokens("alice");
        sandbox.set("GIT_CREDENTIAL_GITLAB_FAULT", step);
        let cut_off = sandbox.get().succeeded();
        assert_ne!(cut_off.attribute("password"), Some(old), "{step}");
        sandbox.set("GIT_CREDENTIAL_GITLAB_FAULT", "nowhere");
        sandbox.verb(["daemon", "stop"]).succeeded();
        let next = sandbox.get().succeeded();
        match survives {
            true => assert!(next.attribute("password").is_some(), "{step}: {next:?}"),
            false => assert!(next.stderr.contains("its answer was lost at"), "{step}: {next:?}"),
        }
        assert_eq!(sandbox.gitlab.live_pairs("alice"), 1, "{step}");
    }
}

#[test]
fn git_lfs_that_asks_in_a_loop_gets_nobody_banned() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
                   oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    std::fs::write(clone.join("large.bin"), pointer).expect("written");
    sandbox.git_in(&clone, ["add", "large.bin"]).succeeded();
    sandbox.git_in(&clone, ["commit", "--quiet", "-m", "a pointer"]).succeeded();
    std::fs::write(clone.join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n").expect("written");
    sandbox.git_in(&clone, ["add", ".gitattributes"]).succeeded();
    sandbox.git_in(&clone, ["commit", "--quiet", "-m", "kept by LFS"]).succeeded();
    // GitLab's defaults where an administrator turns the ban on; and a blocked user, whose token
    // lives and is refused all the same.
    let limits = BanLimits { failures: 10, window: Duration::from_secs(60), ban: Duration::from_secs(3600) };
    sandbox.gitlab.set_ban_limits(Some(limits));
    sandbox.gitlab.block_user("alice");
    for _ in 0..5 {
        let pull = sandbox.git_in(&clone, ["lfs", "pull"]);
        assert_ne!(pull.code, Some(0), "{pull:?}");
        sandbox.git_in(&clone, ["fetch", "--quiet"]).ended_with(128);
    }
    assert!(sandbox.gitlab.failed_logins() <= 6, "{} failed logins", sandbox.gitlab.failed_logins());
    assert!(!sandbox.gitlab.is_banned());
    let told = sandbox.get().succeeded();
    assert!(told.stdout == "quit=1\n" && told.stderr.contains("pausing for"), "{told:?}");
    assert_eq!(sandbox.account()["state"], "unreachable");
}

/// git is refused with living tokens, in turn of each account, until nothing is handed out any more.
fn refused_until_paused(sandbox: &Sandbox, names: &[&str]) -> usize {
    let ask = |name: &str| sandbox.helper("get", format!("{}username={name}\n", sandbox.question())).succeeded();
    for (count, name) in names.iter().cycle().enumerate().take(20) {
        let answer = ask(name);
        let Some(token) = answer.attribute("password") else {
            assert!(answer.stdout == "quit=1\n" && answer.stderr.contains("pausing for"), "{answer:?}");
            return count;
        };
        sandbox.erase(&token);
    }
    panic!("it never paused")
}

#[test]
fn refused_logins_count_per_server_because_it_is_the_address_that_is_banned() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_user("bob", "Bob");
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.link_as("bob", [url.as_str(), "--client-id", &id, "--yes"]).succeeded();
    assert_eq!(refused_until_paused(&sandbox, &["alice", "bob"]), 3);
    for account in sandbox.status()["accounts"].as_array().expect("two") {
        assert_eq!(account["state"], "unreachable", "{account}");
    }
}

#[test]
fn a_success_or_a_link_ends_the_pause() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    refused_until_paused(&sandbox, &["alice"]);
    // A job that has run all the while gets through: GitLab forgets its count, and so do we.
    let credential = format!("{}username=oauth2\npassword=", sandbox.question());
    sandbox.helper("store", format!("{credential}another\n")).succeeded();
    assert_eq!(sandbox.get().stdout, "quit=1\n", "what somebody else stores says nothing");
    sandbox.helper("store", format!("{credential}{token}\n")).succeeded();
    assert_eq!(sandbox.token(), token);
    refused_until_paused(&sandbox, &["alice"]);
    sandbox.link();
    assert_ne!(sandbox.token(), token);
}

#[test]
fn git_itself_tells_of_its_successes() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    for _ in 0..8 {
        // Less than a ban's worth of refusals, and then a success, for as long as one likes.
        sandbox.erase(&sandbox.token());
        sandbox.git_in(&clone, ["fetch", "--quiet"]).succeeded();
    }
}

#[test]
fn a_long_transfer_outlives_what_is_fetched_beside_it() {
    let sandbox = Sandbox::new();
    // Half of a token's life is what is left of it at the least for who asks: ten seconds here.
    sandbox.gitlab.set_token_lifetime(Duration::from_secs(20));
    sandbox.link();
    // A clone whose last request is answered late, with the token of its first.
    let slow =
        Fault { on: Endpoint::Git, when: When::Before, what: What::Delay(Duration::from_secs(2)), times: Some(3) };
    sandbox.gitlab.fault(slow);
    let mut clone = sandbox.command("git");
    clone.args(["clone", "--quiet", &sandbox.project("group/app"), "slow"]);
    let clone = Started::new(clone);
    let is_over = || sandbox.path("slow/.git/refs/remotes/origin").exists();
    let mut number = 0;
    while !is_over() {
        sandbox.clone("group/app", &format!("beside{number}"));
        assert!(number < 100, "it never ends");
        number += 1;
    }
    clone.finish().succeeded();
    assert_eq!(sandbox.gitlab.token_requests(), 0, "nothing was renewed under its feet");
    // It is renewed as soon as less is left than the next one may need.
    eventually("the next one gets another token", || {
        sandbox.get().token();
        sandbox.gitlab.token_requests() == 1
    });
}

/// Moves the token endpoint of the linked account, as git config could have.
pub fn move_token_endpoint(sandbox: &Sandbox, to: &str) {
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(profile).expect("readable")).expect("JSON");
    text["endpoints"]["token"] = to.into();
    std::fs::write(profile, text.to_string()).expect("written");
}

#[test]
fn a_server_that_can_not_be_reached_costs_nothing() {
    let stranger = StandIn::builder().https(true).start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number");
    for (to, named) in [
        (format!("http://{closed}/oauth/token"), "onnect"),
        ("http://nowhere.invalid/oauth/token".to_owned(), ""),
        (format!("{}/oauth/token", stranger.url()), "certificate"),
    ] {
        let sandbox = Sandbox::linked();
        let token = sandbox.token();
        sandbox.age_token(6900, 300);
        move_token_endpoint(&sandbox, &to);
        assert_eq!(sandbox.get().token(), token, "{to}");
        eventually("it is seen", || sandbox.account()["state"] == "unreachable");
        let account = sandbox.account();
        assert!(account["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{to}: {account}");
        sandbox.kill_daemon();
        move_token_endpoint(&sandbox, &format!("{}/oauth/token", sandbox.gitlab.url()));
        assert_ne!(sandbox.get().token(), token, "{to}: and then it is renewed");
    }
}

#[test]
fn a_server_that_names_no_end_is_asked_for_it() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.configure(|modes| modes.omit_expires_in = true);
    sandbox.link();
    assert!(sandbox.account()["expires_at"].is_string());
    assert!(sandbox.get().attribute("password_expiry_utc").is_some());
}

#[test]
fn an_address_with_a_name_costs_two_logins_a_refusal_and_bans_nobody_either() {
    let sandbox = Sandbox::linked();
    let limits = BanLimits { failures: 10, window: Duration::from_secs(60), ban: Duration::from_secs(3600) };
    sandbox.gitlab.set_ban_limits(Some(limits));
    sandbox.gitlab.block_user("alice");
    let named = sandbox.project("group/app").replacen("://", "://alice@", 1);
    // After the pause has begun, git's own first try with an empty password goes on: one a command.
    for _ in 0..5 {
        sandbox.git(["ls-remote", &named]).ended_with(128);
    }
    assert!(!sandbox.gitlab.is_banned(), "{} failed logins", sandbox.gitlab.failed_logins());
}

#[test]
fn an_answer_without_a_refresh_token_does_not_cost_the_one_we_have() {
    let sandbox = Sandbox::linked();
    let kept = sandbox.refresh_token();
    sandbox.age_token(7200, 0);
    let bare = json(r#"{"access_token":"x","token_type":"Bearer","expires_in":7200}"#);
    sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what: bare, times: Some(1) });
    let dead = sandbox.token();
    assert_eq!(dead, "x");
    assert_eq!(sandbox.refresh_token(), kept);
    sandbox.erase(&dead);
    eventually("it is renewed with the old one", || sandbox.get().attribute("password").is_some_and(|it| it != "x"));
}

#[test]
fn a_token_that_can_not_be_used_may_have_replaced_the_old_one() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.age_token(6900, 300);
    let unfit = json(r#"{"access_token":"a\nb","refresh_token":"c","token_type":"Bearer","expires_in":7200}"#);
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, unfit));
    assert_ne!(sandbox.get().attribute("password"), Some(old), "the server has spent it");
}

/// What a power cut leaves is the old record or the new one, whole: the new bytes are on the disk before
/// they have the name, and so is the name before anybody sees the token.
#[test]
fn a_new_pair_is_on_the_disk_before_anybody_sees_it() {
    let sandbox = Sandbox::linked();
    sandbox.age_token(7200, 0);
    let trace = sandbox.path("trace");
    let mut daemon = sandbox.command("strace");
    daemon.args(["-f", "-qq", "-yy", "-s", "0", "-e", "trace=openat,fsync,rename,sendto,write,connect", "-o"]);
    let mut daemon = Started::new({
        daemon.arg(&trace).args([DAEMON, "--foreground"]);
        daemon
    });
    daemon.wait_for_line(|line| line.contains("ready"));
    sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    daemon.finish();
    let trace = std::fs::read_to_string(trace).expect("text");
    let lines: Vec<&str> = trace.lines().collect();
    let is_about = |line: &str, call: &str, what: &str| line.contains(&format!(" {call}(")) && line.contains(what);
    let named: Vec<usize> = (0..lines.len()).filter(|at| is_about(lines[*at], "rename", ".tokens.new\"")).collect();
    assert_eq!(named.len(), 2, "the mark, and the pair: {trace}");
    for at in &named {
        let flushed = lines[..*at].iter().rposition(|line| is_about(line, "fsync", ".tokens.new>"));
        let written = lines[..*at].iter().rposition(|line| is_about(line, "write", ".tokens.new>"));
        assert!(written.expect("written") < flushed.expect("flushed"), "{trace}");
        let directory = lines[*at..].iter().position(|line| is_about(line, "fsync", "/tokens>"));
        assert!(directory.is_some(), "the name is flushed too: {trace}");
    }
    // The refresh token is sent after the mark, and the token is handed out after the pair.
    let flushed = |from: usize| {
        from + lines[from..].iter().position(|line| is_about(line, "fsync", "/tokens>")).expect("flushed")
    };
    let posted = flushed(named[0])
        + lines[flushed(named[0])..].iter().position(|line| is_about(line, "connect", "sin_port")).expect("sent");
    assert!(posted < named[1], "{trace}");
    let is_answer = |line: &&str| line.contains("<UNIX") && (line.contains(" sendto(") || line.contains(" write("));
    let answered = named[0] + lines[named[0]..].iter().position(is_answer).expect("answered");
    assert!(answered > flushed(named[1]), "{trace}");
}
