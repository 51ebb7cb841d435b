//! `status --check`, for the account itself: its token may live while GitLab lets nobody log in as it.

use super::accounts::Account;
use super::call::{AFTER_ASKING_SERVERS, Reply, text};
use crate::client::Start;
use crate::protocol::{self, State, action, key};

/// Marks the accounts that work, as far as their tokens tell, and that git can't use all the same.
pub(super) fn check(accounts: &mut [Account]) {
    for account in accounts.iter_mut().filter(|account| account.state == State::Ok) {
        if let Some(why) = refusal(account) {
            (account.state, account.detail) = (State::Refused, why);
        }
    }
}

/// Why git is refused as this account, if that is known. Whatever goes wrong here says nothing of it.
fn refusal(account: &Account) -> Option<String> {
    let request = protocol::request(action::PROBE).with("host", &account.host).with(key::ACCOUNT, &account.label);
    let facts = Reply::to(&request, Start::Never, AFTER_ASKING_SERVERS).ok()?.good_block().ok()??;
    let words = text(&facts, "api_words");
    match facts.text("git") {
        _ if words.contains("blocked") => {
            Some(format!("the account is blocked (\"{words}\"); only an administrator of that GitLab can help"))
        }
        Some("login") => {
            Some("it takes the token, and git is refused (a password that must be changed, an old user name?)".into())
        }
        _ => None,
    }
}
