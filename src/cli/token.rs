//! `token`: an access token for a script, such as git would get.

use super::accounts::Accounts;
use super::arguments::Token;
use super::call::{AFTER_ASKING_SERVERS, Reply};
use super::error::Error;
use super::terminal::Terminal;
use super::whose;
use crate::absent;
use crate::client::Start;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::protocol::{self, Code, Failure, action, key};

/// Prints a token and nothing else.
pub(super) fn run(wanted: &Token, terminal: Terminal) -> Result<u8, Error> {
    let account = whose::account(wanted.account.as_deref());
    let host = wanted.host.as_ref().map(|host| &host.instance);
    let found = Accounts::ask(host, false, Start::IfAbsent)?;
    let instance = found.meant(host)?;
    let is_it = |label: &str| account.as_ref().is_none_or(|account| account.eq_ignore_ascii_case(label));
    if !found.of(&instance).any(|account| is_it(&account.label)) {
        return Err(missing(&found, &instance, account.as_deref()).into());
    }
    let request = request(&instance, account.as_deref(), wanted.min_life);
    let answer = Reply::to(&request, Start::IfAbsent, AFTER_ASKING_SERVERS)?.good_block()?;
    let token = answer.as_ref().and_then(|answer| answer.text("password")).ok_or(Error::Incomplete("password"))?;
    terminal.print_secret(token)?;
    Ok(0)
}

/// What git would ask for all of this GitLab.
fn request(instance: &Instance, account: Option<&str>, min_life: Option<u64>) -> Attributes {
    let url = instance.to_string();
    let (scheme, rest) = url.split_once("://").expect("a URL has a scheme");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut request = protocol::request(action::GET).with("protocol", scheme).with("host", host);
    if !path.is_empty() {
        request.push("path", path);
    }
    if let Some(account) = account {
        request.push(key::ACCOUNT, account);
    }
    if let Some(seconds) = min_life {
        request.push(key::MIN_LIFE, seconds.to_string());
    }
    request
}

fn missing(found: &Accounts, instance: &Instance, account: Option<&str>) -> Failure {
    let labels = found.labels(instance);
    match found.problems.first().filter(|_| labels.is_empty()) {
        Some(problem) => Failure::new(Code::Store, problem),
        None => Failure::new(Code::NotLinked, absent::from(instance, account, &labels)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gitlab_below_a_path_is_asked_for_with_its_path() {
        let instance = Instance::parse("https://example.com:8443/git/lab").expect("an address");
        let request = request(&instance, Some("alice"), Some(60));
        let of = |key: &str| request.text(key).unwrap_or_default().to_owned();
        assert_eq!([of("protocol"), of("host"), of("path")], ["https", "example.com:8443", "git/lab"]);
        assert_eq!([of(key::ACCOUNT), of(key::MIN_LIFE)], ["alice", "60"]);
    }
}
