//! Whose login it is, as far as the server tells, and whether it is the one that was asked for.

use super::linker::{Linker, Purpose};
use crate::credential::Attributes;
use crate::daemon::gitlab::User;
use crate::label;
use crate::protocol::{Code, Failure};
use crate::rights::Rights;

impl Linker {
    /// Where the server names nobody but a number, the name that we know for it.
    pub(super) fn known(&self, user: User) -> User {
        let accounts = self.accounts.list(Some(&self.plan.instance), None);
        let mut known = accounts.iter().filter(|account| account.profile.user_id == user.id).map(|account| User {
            username: account.profile.username.clone(),
            name: account.profile.name.clone(),
            ..user
        });
        known.find(|known| user.is_nameless() && !known.is_nameless()).unwrap_or(user)
    }

    /// Where the scopes don't allow to ask for the name (those of git-credential-oauth and Git
    /// Credential Manager don't), it is what the person says, unless somebody else is called so.
    pub(super) async fn named(&self, user: User, scopes: &[String]) -> User {
        if !user.is_nameless() {
            return user;
        }
        let (plan, scopes) = (&self.plan, scopes.join(" "));
        let label = |name: &str| label::of(name, plan.read_only);
        let (user, note) = match &plan.account {
            Some(name) if label::is_plain(name) => {
                if !self.accounts.list(Some(&plan.instance), Some(&label(name))).is_empty() {
                    return user;
                }
                (User { username: name.clone(), ..user }, taken_on_your_word(name))
            }
            Some(_) => return user,
            None => {
                let note = format!(
                    "The server tells nobody's name to a token of these scopes ({scopes}), so the account is called \
                     {}; to give it your user name: {} --account NAME",
                    user.username, plan.again
                );
                (user, note)
            }
        };
        self.say(Attributes::new().with("note[]", note)).await;
        user
    }

    /// Whether it is what was asked for.
    pub(super) fn expect(&self, user: &User, scopes: &[String]) -> Result<(), Failure> {
        match &self.plan.account {
            // Its name would promise what its token does not keep.
            _ if self.plan.read_only && Rights::of(scopes.iter().map(String::as_str)).push() => {
                let text = format!("its token can push ({}), not only read", scopes.join(" "));
                Err(self.failure(&Purpose::Link, Code::Refused, &text))
            }
            Some(name) if !name.eq_ignore_ascii_case(&user.username) => {
                let text = format!(
                    "you signed in as {}, and {name} was asked for; sign out of GitLab in the browser, then type: {}",
                    user.username, self.plan.again
                );
                Err(self.failure(&Purpose::Link, Code::Relink, &text))
            }
            _ => Ok(()),
        }
    }
}

/// For people: where a name is not known to be true.
pub(super) fn taken_on_your_word(username: &str) -> String {
    format!("The server does not say whose token it is: {username} is taken on your word.")
}
