//! `status --short`: what is wrong, in so few words that it fits into a shell prompt.

use super::accounts::Account;
use crate::protocol::State;

/// So many are told; the others are counted. It stands beside everything else in a prompt.
const ROOM: usize = 2;

/// One line; empty if all is well.
pub(super) fn render(accounts: &[Account]) -> String {
    let phrases: Vec<String> = accounts.iter().filter_map(|account| phrase(account, accounts)).collect();
    match phrases.split_at_checked(ROOM) {
        Some((shown, more @ [_, ..])) => format!("{}; {} more", shown.join("; "), more.len()),
        _ => phrases.join("; "),
    }
}

fn phrase(account: &Account, all: &[Account]) -> Option<String> {
    let what = match &account.state {
        State::Relink => "link again",
        State::Unreachable if account.serves => "not renewed",
        State::Unreachable => "no token",
        State::Locked => "locked",
        State::Unsaved => "not saved",
        State::Refused => "refused",
        State::Ok if !account.detail.is_empty() => "ends soon",
        _ if account.spare.as_deref() == Some("ended") => "spare lost",
        _ if !account.notices.is_empty() => "see status",
        _ => return None,
    };
    let host = account.short_host();
    Some(match all.iter().filter(|other| other.host == account.host).count() {
        1 => format!("{host}: {what}"),
        _ => format!("{}@{host}: {what}", account.label),
    })
}

#[cfg(test)]
mod tests {
    use super::super::accounts::example;
    use super::*;

    #[test]
    fn only_what_is_wrong_is_said() {
        let well = example();
        assert_eq!(render(std::slice::from_ref(&well)), "");
        let with = |state| Account { state, ..example() };
        assert_eq!(render(&[with(State::Renewing)]), "");
        assert_eq!(render(&[with(State::Relink)]), "gitlab.example: link again");
        assert_eq!(render(&[Account { spare: Some("ended".into()), ..example() }]), "gitlab.example: spare lost");
        assert_eq!(render(&[Account { notices: vec!["x".into()], ..example() }]), "gitlab.example: see status");
        let ending = Account { detail: "the token ends at 2023-11-20 00:13, in 5 days".into(), ..example() };
        assert_eq!(render(&[ending]), "gitlab.example: ends soon");
        let two = [with(State::Unreachable), Account { label: "bob".into(), ..with(State::Unsaved) }];
        assert_eq!(render(&two), "alice@gitlab.example: no token; bob@gitlab.example: not saved");
        let many: Vec<Account> =
            ('a'..='e').map(|host| Account { host: format!("https://{host}"), ..with(State::Relink) }).collect();
        assert_eq!(render(&many), "a: link again; b: link again; 3 more");
    }
}
