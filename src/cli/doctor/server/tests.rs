//! Each check of a server and an account, once where it is well and once where it is not.

use super::super::finding::Outcome::{self, Fail, Ok as Well, Skip, Warn};
use super::*;
use crate::cli::accounts::example;

fn view(facts: &[(&str, &str)]) -> View {
    let facts = facts.iter().fold(Attributes::new(), |all, (key, value)| all.with(key, value));
    let instance = Instance::parse("gitlab.example").expect("a host");
    View { instance, is_linked: true, facts: Ok(facts), elsewhere: None }
}

const GOOD: [(&str, &str); 4] =
    [("status", "401"), ("json", "1"), ("server_time", "1700000000"), ("local_time", "1700000004")];

fn account(facts: &[(&str, &str)], change: impl FnOnce(&mut Account)) -> AccountView {
    let facts = facts.iter().fold(Attributes::new(), |all, (key, value)| all.with(key, value));
    let mut account = example();
    change(&mut account);
    AccountView { account, unchecked: None, facts: Ok(facts) }
}

const TAKEN: [(&str, &str); 3] = [("api_status", "200"), ("version", "19.0.0-ee"), ("git", "missing")];

#[test]
fn all_is_well_where_all_is_well() {
    for check in [linked, name, connection, gitlab, rate_limit, clock] {
        let finding = check(&view(&GOOD));
        assert_eq!((finding.outcome, &finding.fix), (Well, &None), "{finding:?}");
    }
    for check in [login, version, git_login, ip_ban, scopes, expiry] {
        let finding = check(&account(&TAKEN, |_| ()));
        assert_eq!((finding.outcome, &finding.fix), (Well, &None), "{finding:?}");
    }
    assert_eq!(spare(&account(&TAKEN, |account| account.spare = Some("ready".into()))).outcome, Well);
}

#[test]
fn how_far_a_request_came_is_told() {
    let of = |check: fn(&View) -> Finding, phase: &str, why: &str| check(&view(&[("phase", phase), ("why", why)]));
    assert_eq!(of(name, "dns", "no such host").outcome, Fail);
    assert_eq!(of(connection, "dns", "no such host").outcome, Skip);
    let untrusted = of(connection, "tls", "invalid peer certificate: UnknownIssuer");
    assert!(untrusted.detail.contains("not trusted here") && untrusted.fix.expect("one").contains("sslCAInfo"));
    for (why, cause) in [
        ("invalid peer certificate: Expired", "has expired"),
        ("invalid peer certificate: NotValidForName", "another name"),
        ("received corrupt message of type InvalidContentType", "does not speak TLS"),
    ] {
        assert!(of(connection, "tls", why).detail.contains(cause), "{why}");
    }
    for phase in ["proxy", "timeout", "setup", "connect", "of a newer daemon"] {
        let finding = of(connection, phase, "x");
        assert_eq!((finding.outcome, finding.code), (Fail, Some(Code::Unreachable)), "{phase}");
    }
    let nobody = View { facts: Err("no daemon".into()), ..view(&[]) };
    assert_eq!(connection(&nobody).outcome, Skip);
}

#[test]
fn what_answers_there_is_told() {
    let of = |facts: &[(&str, &str)]| gitlab(&view(facts)).outcome;
    assert_eq!(of(&[("status", "401"), ("json", "0")]), Warn);
    assert_eq!(of(&[("status", "404")]), Fail);
    assert_eq!(of(&[("status", "302"), ("redirect", "https://sso.example")]), Fail);
    assert_eq!(of(&[("status", "503")]), Fail);
    assert_eq!(of(&[("status", "200")]), Warn);
    let below = View { elsewhere: Instance::parse("gitlab.example/git").ok(), ..view(&[("status", "404")]) };
    assert_eq!(gitlab(&below).fix.as_deref(), Some("git credential-gitlab link gitlab.example/git"));
    assert_eq!(linked(&View { is_linked: false, ..view(&GOOD) }).code, Some(Code::NotLinked));
    assert_eq!(rate_limit(&view(&[("status", "429"), ("retry_after", "7")])).outcome, Fail);
}

#[test]
fn a_wrong_clock_is_told_by_how_much() {
    let off = |seconds: i64| {
        let local = (1_700_000_000_i64).saturating_add(seconds).to_string();
        clock(&view(&[("server_time", "1700000000"), ("local_time", &local)]))
    };
    assert_eq!(off(-CLOCK_MAY_DIFFER).outcome, Well);
    assert_eq!(off(CLOCK_MAY_DIFFER + 1).outcome, Warn);
    assert_eq!(off(-2 * CLOCK_MUST_NOT_DIFFER).outcome, Fail);
    assert!(off(-600).detail.contains("10 min behind"));
    assert_eq!(clock(&view(&[("server_time", "-9223372036854775808"), ("local_time", "9")])).outcome, Fail);
    assert_eq!(clock(&view(&[])).outcome, Skip);
}

#[test]
fn a_login_that_does_not_work_is_told() {
    let of = |state: State| login(&account(&TAKEN, |account| account.state = state)).code;
    assert_eq!(of(State::Relink), Some(Code::Relink));
    assert_eq!(of(State::Unreachable), Some(Code::Unreachable));
    let serves = login(&account(&TAKEN, |it| (it.state, it.serves) = (State::Unreachable, true)));
    assert_eq!((serves.outcome, serves.code), (Warn, None));
    let by_api = |status: &str, words: &str| login(&account(&[("api_status", status), ("api_words", words)], |_| ()));
    assert_eq!(by_api("401", "").code, Some(Code::Relink));
    assert_eq!(by_api("403", "403 Forbidden - Your account has been blocked.").code, Some(Code::Refused));
    assert_eq!(by_api("403", "insufficient").outcome, Well);
    assert_eq!(by_api("429", "Retry later").code, Some(Code::Unreachable));
    let refused = AccountView { facts: Err((Code::Store, "no token".into())), ..account(&[], |_| ()) };
    assert_eq!((login(&refused).code, version(&refused).outcome), (Some(Code::Store), Skip));
    let unasked = AccountView { unchecked: Some("late".into()), ..account(&TAKEN, |_| ()) };
    assert_eq!(login(&unasked).outcome, Skip);
}

#[test]
fn what_git_is_told_is_told() {
    let of = |check: fn(&AccountView) -> Finding, verdict: &str| check(&account(&[("git", verdict)], |_| ())).outcome;
    for (verdict, here, ban) in
        [("login", Fail, Well), ("scope", Fail, Well), ("banned", Skip, Fail), ("addresses", Warn, Fail)]
    {
        assert_eq!((of(git_login, verdict), of(ip_ban, verdict)), (here, ban), "{verdict}");
    }
    for verdict in ["down", "rate", "unreached", "not-git", "sso", "of a newer daemon"] {
        let finding = git_login(&account(&[("git", verdict)], |_| ()));
        assert!(finding.outcome == Warn && finding.fix.is_some(), "{finding:?}");
    }
    let wait = |facts: &[(&str, &str)]| ip_ban(&account(facts, |_| ())).fix.expect("a command");
    assert_eq!(wait(&[("git", "banned"), ("git_retry_after", "900")]), "sleep 900; git credential-gitlab doctor");
    assert_eq!(wait(&[("git", "banned")]), "sleep 3600; git credential-gitlab doctor");
    assert_eq!(version(&account(&[("api_status", "403")], |_| ())).outcome, Skip);
}

#[test]
fn scopes_expiry_and_spare_are_judged() {
    let with = |check: fn(&AccountView) -> Finding, change: fn(&mut Account)| -> Outcome {
        check(&account(&TAKEN, change)).outcome
    };
    assert_eq!(with(scopes, |account| account.scopes = vec!["read_user".into()]), Fail);
    assert_eq!(with(scopes, |account| account.scopes = vec!["read_repository".into()]), Warn);
    assert_eq!(with(spare, |account| account.spare = Some("ended".into())), Warn);
    assert_eq!(with(spare, |_| ()), Skip);
    let token = |left: i64| {
        let view = account(&TAKEN, |account| (account.kind, account.expires_at) = ("token".into(), Some(1000 + left)));
        expiry_at(&view, &Now::at(1000), 1000).outcome
    };
    assert_eq!([token(-1), token(SOON - 1), token(SOON)], [Fail, Warn, Well]);
}
