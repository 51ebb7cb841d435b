//! `status` for people: a paragraph per account, and what to type where something is wrong.

use super::accounts::Account;
use super::time::Now;
use crate::protocol::State;
use crate::rights::Rights;

/// The paragraphs of all accounts.
pub(super) fn render(accounts: &[Account], now: &Now) -> String {
    let paragraphs: Vec<String> = accounts.iter().map(|account| paragraph(account, accounts, now)).collect();
    paragraphs.join("\n")
}

fn paragraph(account: &Account, all: &[Account], now: &Now) -> String {
    let mut lines = vec![title(account, all), format!("  {}", condition(account, now))];
    if !account.warning.is_empty() {
        lines.push(format!("  warning: {}", account.warning));
    }
    if account.state == State::Ok && !account.renewal.is_empty() {
        lines.push(format!("  {}", account.renewal));
    }
    if let Some(remedy) = remedy(account, all) {
        lines.push(format!("  {remedy}"));
    }
    lines.extend(spare(account));
    lines.extend(account.notices.iter().map(|notice| format!("  note: {notice}")));
    if !account.paths.is_empty() {
        lines.push(format!("  for {}", account.paths.join(", ")));
    }
    let place = if account.store_place.is_empty() { &account.store } else { &account.store_place };
    match account.is_token() {
        true => lines.push(format!("  a {}; {}; it is in {place}", account.token_name, rights(account))),
        false => {
            let may = Rights::of(account.scopes.iter().map(String::as_str)).phrase();
            lines.push(format!("  may {may} ({})", account.scopes.join(", ")));
            if !account.detail.contains(place) {
                lines.push(format!("  its tokens are in {place}"));
            }
        }
    }
    lines.push(format!("  {}", history(account, now)));
    lines.into_iter().map(|line| line + "\n").collect()
}

fn title(account: &Account, all: &[Account]) -> String {
    let Account { host, username, label, name, .. } = account;
    let name = if name.is_empty() || name == username { String::new() } else { format!(" ({name})") };
    let default = if account.default && has_siblings(account, all) { ", the default" } else { "" };
    format!("{host} as {label}{name}{default}")
}

fn condition(account: &Account, now: &Now) -> String {
    let because = match account.detail.is_empty() {
        true => String::new(),
        false => format!(": {}", account.detail),
    };
    match &account.state {
        // What was told before the daemon started may be over, or not.
        State::Ok if account.detail.is_empty() && !account.notices.is_empty() => {
            let host = account.short_host();
            format!("not known yet; to ask the server: git credential-gitlab status {host} --check")
        }
        State::Ok if account.detail.is_empty() => format!("works; {}", life(account, now)),
        State::Ok => format!("works, but {}", account.detail),
        State::Renewing if account.serves => "works; its access token is being renewed".into(),
        State::Renewing => "its access token is being renewed".into(),
        State::Unreachable if account.serves => {
            let until = account.expires_at.map(|at| format!(" until {}", now.show(at))).unwrap_or_default();
            format!("works{until}, but could not be renewed or asked about{because}; that is tried again by itself")
        }
        State::Unreachable if account.is_token() => {
            format!("could not be renewed or asked about{because}; it stays linked, and is tried again by itself")
        }
        State::Unreachable => {
            format!("no new token could be had{because}; the account stays linked, and is tried again by itself")
        }
        State::Relink => format!("does not work any more{because}"),
        State::Locked => "is locked: its tokens are encrypted, and the key is not here".into(),
        State::Refused => format!("is refused by the GitLab{because}"),
        State::Unsaved => format!("works, but its newest tokens could not be saved{because}; that is tried again"),
        State::Unknown(word) => format!("{word}{because}"),
    }
}

fn life(account: &Account, now: &Now) -> String {
    let renews = !account.is_token();
    match account.expires_at {
        // Of such a token the server says nothing at all.
        None if !renews && account.scopes.is_empty() => "when the token ends is not known".into(),
        None => "the token does not expire".into(),
        Some(at) if now.is_past(at) && renews => "the access token is renewed at the next use".into(),
        Some(at) if now.is_past(at) => format!("the token expired at {}", now.show(at)),
        Some(at) if renews => format!("the access token lives until {} and is then renewed by itself", now.show(at)),
        Some(at) => format!("the token lives until {}", now.show(at)),
    }
}

/// What a token that the person made may do.
fn rights(account: &Account) -> String {
    match account.scopes.as_slice() {
        [] => "the server does not say what it may do".into(),
        scopes => format!("may {}", scopes.join(", ")),
    }
}

/// How the spare login is, if there should be one.
fn spare(account: &Account) -> Option<String> {
    let ended = account.spare.as_deref()? != "ready";
    Some(match ended {
        false => "  a spare login is ready".into(),
        true => format!(
            "  one of its two logins has ended: {}; for a new spare: {} --account {} --spare",
            account.spare_detail,
            account.link_command(),
            account.label
        ),
    })
}

/// The one command that mends it, or shows more.
fn remedy(account: &Account, all: &[Account]) -> Option<String> {
    let mut link = account.link_command();
    match (account.is_token(), has_siblings(account, all)) {
        // A deploy token can't be linked without its name.
        (true, _) => link += &format!(" --account {} --token-stdin", account.username),
        (false, true) => link += &format!(" --account {}", account.label),
        (false, false) => {}
    }
    match account.state {
        // Something that works will end soon.
        State::Ok if !account.detail.is_empty() => Some(format!("to mend it, with a new token: {link}")),
        State::Ok | State::Renewing | State::Unknown(_) => None,
        State::Relink => Some(format!("to mend it: {link}")),
        State::Locked => Some("to mend it: git credential-gitlab vault unlock".into()),
        State::Unreachable if account.refused => Some(format!("if it lasts, to mend it: {link}")),
        State::Unreachable | State::Refused => {
            Some(format!("to see more: git credential-gitlab doctor {}", account.short_host()))
        }
        State::Unsaved => Some(format!("to mend it, if it can't be saved at all: {link} --store file")),
    }
}

fn history(account: &Account, now: &Now) -> String {
    let linked = account.linked_at.map_or_else(|| "linked".into(), |at| format!("linked {}", now.show(at)));
    let renewed = match account.renewals {
        0 if account.is_token() => String::new(),
        1 => ", renewed once".into(),
        count => format!(", renewed {count} times"),
    };
    let used = account
        .last_used_at
        .map_or_else(|| "not used since the daemon started".into(), |at| format!("last used {}", now.show(at)));
    format!("{linked}{renewed}, {used}")
}

/// Whether its host has other accounts.
fn has_siblings(account: &Account, all: &[Account]) -> bool {
    all.iter().filter(|other| other.host == account.host).count() > 1
}

#[cfg(test)]
mod tests {
    use super::super::accounts::example;
    use super::*;

    const NOW: i64 = 1_700_000_000;

    #[test]
    fn an_account_that_works_is_a_short_paragraph() {
        let expected = "\
https://gitlab.example as alice (Alice Example)
  works; the access token lives until 2023-11-15 00:13 (in 2 h 0 min) and is then renewed by itself
  for group/sub
  may clone, fetch and push, and list projects (read_api, write_repository)
  its tokens are in the keyring (Secret Service)
  linked 2023-11-13 22:13 (1 day 0 h ago), renewed 12 times, not used since the daemon started
";
        assert_eq!(render(&[example()], &Now::at(NOW)), expected);
    }

    #[test]
    fn an_account_that_must_be_linked_again_says_how() {
        let mut alice = example();
        alice.state = State::Relink;
        alice.detail = "access was revoked".into();
        let text = render(std::slice::from_ref(&alice), &Now::at(NOW));
        assert!(text.contains("  does not work any more: access was revoked\n"), "{text}");
        assert!(text.contains("  to mend it: git credential-gitlab link gitlab.example\n"), "{text}");
        let mut bob = example();
        (bob.username, bob.label) = ("bob".into(), "bob".into());
        let text = render(&[alice, bob], &Now::at(NOW));
        assert!(text.contains("link gitlab.example --account alice\n"), "{text}");
    }

    #[test]
    fn a_spare_login_is_shown_and_its_loss_is_told() {
        let mut account = example();
        account.spare = Some("ready".into());
        assert_eq!(spare(&account).as_deref(), Some("  a spare login is ready"));
        account.spare = Some("ended".into());
        account.spare_detail = "its answer was lost at 14:02".into();
        let told = spare(&account).expect("something");
        assert!(told.contains(
            "lost at 14:02; for a new spare: git credential-gitlab link gitlab.example --account alice --spare"
        ));
    }

    #[test]
    fn only_what_can_be_renewed_is_said_to_be() {
        let mut account = example();
        let now = Now::at(NOW);
        account.expires_at = Some(NOW - 60);
        assert_eq!(life(&account, &now), "the access token is renewed at the next use");
        account.kind = "token".into();
        assert_eq!(life(&account, &now), "the token expired at 22:12 (1 min ago)");
        account.expires_at = None;
        assert_eq!(life(&account, &now), "the token does not expire");
        account.scopes.clear();
        assert_eq!(life(&account, &now), "when the token ends is not known");
        account.renewals = 0;
        assert!(!history(&account, &now).contains("renewed"));
    }

    #[test]
    fn a_token_that_ends_soon_is_told_with_the_command_that_mends_it() {
        let mut account = example();
        (account.kind, account.token_name) = ("token".into(), "personal access token".into());
        (account.scopes, account.renewals) = (vec!["read_api".into()], 0);
        account.renewal = "it is not renewed by itself: that takes the scope self_rotate or api".into();
        account.detail = "the token ends at 2023-11-15 00:13, in 2 hours".into();
        let expected = "\
https://gitlab.example as alice (Alice Example)
  works, but the token ends at 2023-11-15 00:13, in 2 hours
  it is not renewed by itself: that takes the scope self_rotate or api
  to mend it, with a new token: git credential-gitlab link gitlab.example --account alice --token-stdin
  for group/sub
  a personal access token; may read_api; it is in the keyring (Secret Service)
  linked 2023-11-13 22:13 (1 day 0 h ago), not used since the daemon started
";
        assert_eq!(render(&[account], &Now::at(NOW)), expected);
    }
}
