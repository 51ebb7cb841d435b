//! The verbs of `vault`: what they ask of the accounts, and what is said of the outcome.

use super::accounts::{Accounts, Found, Rewritten};
use super::secret::Secret;
use super::store::{Refused, StoreError, Wish};
use crate::credential::Attributes;
use crate::protocol::{Code, Failure, action, key};

/// Answers one of them, whose last word is how the files are now.
pub async fn answer(accounts: &Accounts, request: &Attributes) -> Attributes {
    let passphrase = request.text("passphrase").map(Secret::new);
    if passphrase.as_ref().is_some_and(|it| it.expose().is_empty()) {
        return Failure::new(Code::Usage, "an empty passphrase protects nothing").to_block();
    }
    let done = match request.text(key::ACTION).unwrap_or_default() {
        action::VAULT_ENCRYPT => match wish(request.text("with"), passphrase) {
            Ok(wish) => accounts.encrypt(wish).await.and_then(|failed| all(failed, "encrypt")),
            Err(failure) => return failure.to_block(),
        },
        action::VAULT_DECRYPT => accounts.decrypt().await.and_then(|failed| all(failed, "decrypt")),
        action::VAULT_UNLOCK => accounts.unlock(passphrase).await.map(|()| Vec::new()),
        action::VAULT_LOCK => accounts.lock().await.map(|kept| kept.into_iter().map(still_held).collect()),
        _ => Ok(Vec::new()),
    };
    let found = match done {
        Ok(notes) => accounts.encryption_found().await.map(|found| (found, notes)),
        Err(why) => Err(why),
    };
    match found {
        Ok((found, notes)) => notes.iter().fold(block(&found), |block, note| block.with("note[]", note)),
        Err(why) => refused(why),
    }
}

fn wish(with: Option<&str>, passphrase: Option<Secret>) -> Result<Wish, Failure> {
    match (with, passphrase) {
        (None | Some("passphrase"), Some(passphrase)) => Ok(Wish::Passphrase(passphrase)),
        (None, None) => Ok(Wish::Any),
        (Some("systemd"), None) => Ok(Wish::Systemd),
        (Some("passphrase"), None) => Err(Failure::new(Code::Usage, "no passphrase was given")),
        (Some(with), _) => Err(Failure::new(Code::Usage, format!("there is no encryption with {with:?} like that"))),
    }
}

/// All records were written once more, or it is not done.
fn all(failed: Rewritten, verb: &str) -> Result<Vec<String>, Refused> {
    let Some((whose, why)) = failed.first() else { return Ok(Vec::new()) };
    let others = match failed.len() - 1 {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    let text = format!(
        "not all is done: the tokens of {whose} are as they were, because {why}{others}; link or unlink that account \
         (or remove the file, if it is nobody's), then go on: git credential-gitlab vault {verb}"
    );
    Err(Refused::Store(StoreError::Unavailable(text)))
}

fn still_held(who: String) -> String {
    format!("the newest tokens of {who} could not be saved, and stay in the daemon's memory")
}

/// How the files are.
fn block(found: &Found) -> Attributes {
    let flag = |on: bool| if on { "1" } else { "0" };
    let mut block = Attributes::new()
        .with("place", &found.place)
        .with("encrypted", flag(found.state.is_some()))
        .with("sealed", found.count.sealed.to_string())
        .with("plain", found.count.plain.to_string());
    if let Some(state) = found.state {
        block.push("with", state.with);
        block.push("locked", flag(state.locked));
        block.push("leaving", flag(state.leaving));
    }
    block.with(key::DONE, "1")
}

/// Why it was not done; `needs_passphrase` where one would help.
fn refused(why: Refused) -> Attributes {
    let (code, text) = match why {
        Refused::NeedsPassphrase(why) => {
            let failure = Failure::new(Code::Locked, format!("it takes a passphrase: {why}"));
            return failure.to_block().with("needs_passphrase", "1").with("why", why);
        }
        Refused::Wrong => (Code::Failed, "the passphrase is wrong; nothing was changed".into()),
        Refused::Busy => {
            (Code::Failed, "other programs of yours are trying passphrases; try again in half a minute".into())
        }
        Refused::Otherwise(with) => (
            Code::Usage,
            format!(
                "the tokens are encrypted already, with {}; for another way, decrypt them first: git \
                 credential-gitlab vault decrypt",
                if with == "systemd" { "systemd" } else { "a passphrase" }
            ),
        ),
        Refused::Plain => (
            Code::Usage,
            "the files with tokens are not encrypted; to do that: git credential-gitlab vault encrypt".into(),
        ),
        Refused::Needed(why) => {
            let (code, text) = match why {
                StoreError::VaultLocked => (
                    Code::Locked,
                    "the tokens are locked; to unlock them: git \
                                                           credential-gitlab vault unlock"
                        .to_owned(),
                ),
                why => (Code::Store, why.to_string()),
            };
            let lost = "if the key is lost for good, forget what it was for (git credential-gitlab unlink --local), \
                        then go on: git credential-gitlab vault decrypt";
            (code, format!("{text}; {lost}"))
        }
        Refused::Systemd(why) => (Code::Store, format!("systemd can't be used for the key here: {why}")),
        Refused::Store(StoreError::VaultLocked) => {
            (Code::Locked, "the tokens are locked; to unlock them: git credential-gitlab vault unlock".into())
        }
        Refused::Store(why) => (Code::Store, why.to_string()),
    };
    Failure::new(code, text).to_block()
}
