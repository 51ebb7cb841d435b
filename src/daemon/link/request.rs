//! What a link is to do: the person's flags, then git config, then what was linked before.

use std::time::Duration;

use crate::credential::Attributes;
use crate::daemon::accounts::Accounts;
use crate::daemon::config;
use crate::daemon::gitlab::{Endpoints, GitLab, Network};
use crate::daemon::schedule::MIN_LIFE;
use crate::daemon::secret::Secret;
use crate::daemon::store::{StoreKind, Vault};
use crate::instance::Instance;
use crate::protocol::{Code, Failure, key};

/// Read everything, push and pull: what a person does every day, and nothing that changes their
/// account.
const SCOPES: &str = "read_api write_repository";

/// Long enough to sign in with a second factor.
const TIMEOUT: u64 = 300;

/// Nobody waits longer than an hour for a browser.
const LONGEST_TIMEOUT: u64 = 3600;

/// GitLab ignores the port of a loopback address, so one registration serves every link.
const REGISTERED_REDIRECT_URI: &str = "http://127.0.0.1";

/// A link that can't begin: the failure, and what the person's program needs to help.
#[derive(Debug)]
pub struct Refused(pub Attributes);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self(failure.to_block())
    }
}

/// How consent is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// As it can work here.
    Auto,
    /// In a browser that can reach this machine.
    Web,
    /// By a code that is typed in a browser anywhere.
    Device,
    /// In a browser anywhere, whose address is then pasted here.
    Paste,
}

impl Flow {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "auto" => Flow::Auto,
            "web" => Flow::Web,
            "device" => Flow::Device,
            "paste" => Flow::Paste,
            _ => return None,
        })
    }
}

/// Everything that is decided before the browser opens.
pub(super) struct Plan {
    pub(super) flow: Flow,
    /// A browser on the person's side can reach this machine.
    pub(super) has_browser: bool,
    pub(super) instance: Instance,
    pub(super) client_id: String,
    pub(super) client_secret: Option<Secret>,
    pub(super) scopes: String,
    pub(super) redirect_uri: Option<String>,
    pub(super) endpoints: Endpoints,
    pub(super) network: Network,
    /// The user name that must sign in.
    pub(super) account: Option<String>,
    pub(super) vault: Vault,
    /// Where tokens are kept and, if that is second best, why.
    pub(super) store_place: String,
    pub(super) min_life: i64,
    /// A second login is wanted too.
    pub(super) spare: bool,
    pub(super) timeout: Duration,
    /// The command that asks for the same once more.
    pub(super) again: String,
}

impl Plan {
    pub(super) async fn make(asked: &Attributes, accounts: &Accounts) -> Result<Self, Refused> {
        let usage = |text: String| Refused::from(Failure::new(Code::Usage, text));
        let instance = match asked.text("host") {
            Some(typed) => Instance::parse(typed).map_err(|why| usage(format!("{typed}: {why}")))?,
            None => accounts.usual_instance(),
        };
        if instance.is_clear_text() && !asked.flag("allow_http") {
            return Err(usage(format!(
                "{instance} has no TLS: everybody on the way could read your tokens and use them; \
                 use https, or add --allow-http if you trust the whole network"
            )));
        }
        let config = config::read(&instance).await.map_err(|why| usage(why.to_string()))?;
        if let Some(url) = config.endpoints.in_clear_text().filter(|_| !asked.flag("allow_http")) {
            return Err(usage(format!("{url} in git config has no TLS; use https, or add --allow-http")));
        }
        let text = |name: &str| asked.text(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let before = accounts.list(Some(&instance), asked.text("account")).into_iter().next();
        let before = before.map(|account| account.profile);
        let scopes_before = before.as_ref().map(|profile| profile.scopes.join(" "));
        let scopes = text("scopes").or(config.scopes).or(scopes_before).unwrap_or_else(|| SCOPES.into());
        let known_id = before.as_ref().map(|profile| profile.client_id.clone());
        let Some(client_id) = text("client_id").or(config.client_id).or(known_id) else {
            return Err(Refused(unregistered(&instance, &scopes, config.redirect_uri.as_deref())));
        };
        let min_life = match asked.text(key::MIN_LIFE).or(config.min_life.as_deref()) {
            Some(seconds) => seconds.parse().ok().filter(|seconds| *seconds >= 0),
            None => Some(before.as_ref().map_or(MIN_LIFE, |profile| profile.min_life)),
        };
        let min_life = min_life.ok_or_else(|| usage("the minimum life is a number of seconds".into()))?;
        let timeout = asked.text("timeout").map_or(Ok(TIMEOUT), str::parse);
        let timeout = timeout.map_err(|_| usage("the timeout is a number of seconds".into()))?;
        let store_before = before.as_ref().map(|profile| profile.store.word().to_owned());
        let (vault, store_place) = store(text("store").or(config.store).or(store_before), accounts).await?;
        let flow = text("flow").or(config.flow).unwrap_or_else(|| "auto".into());
        let unknown = || usage(format!("there is no flow {flow:?}: it is auto, web, device or paste"));
        Ok(Self {
            flow: Flow::from_word(&flow).ok_or_else(unknown)?,
            has_browser: asked.flag("has_browser"),
            instance,
            client_id,
            client_secret: text("client_secret").map(Secret::new).or(config.client_secret),
            scopes,
            redirect_uri: config.redirect_uri,
            endpoints: config.endpoints,
            network: config.network,
            account: text("account"),
            vault,
            store_place,
            min_life,
            // Linking again keeps what was chosen before.
            spare: asked.flag("spare") || before.is_some_and(|profile| profile.spare),
            timeout: Duration::from_secs(timeout.clamp(1, LONGEST_TIMEOUT)),
            again: again(asked),
        })
    }

    /// What the application has to have as redirect URI.
    pub(super) fn registered_redirect_uri(&self) -> &str {
        self.redirect_uri.as_deref().unwrap_or(REGISTERED_REDIRECT_URI)
    }
}

/// The command that asks for the same once more. How long it waits is left out: it was too short, perhaps.
fn again(asked: &Attributes) -> String {
    let mut words = vec!["git credential-gitlab link".to_owned()];
    words.extend(asked.text("host").map(quoted));
    for (name, flag) in [
        ("client_id", "--client-id"),
        ("scopes", "--scopes"),
        ("account", "--account"),
        ("store", "--store"),
        (key::MIN_LIFE, "--min-life"),
    ] {
        words.extend(asked.text(name).map(|value| format!("{flag} {}", quoted(value))));
    }
    // Not how, as the way may have been the mistake; and a secret belongs into no command.
    for (name, flag) in [("spare", "--spare"), ("allow_http", "--allow-http")] {
        words.extend(asked.flag(name).then(|| flag.to_owned()));
    }
    words.join(" ")
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The store the person wants, if it works; else what works here, the keyring first.
async fn store(wanted: Option<String>, accounts: &Accounts) -> Result<(Vault, String), Refused> {
    let failed = |vault: &Vault, why: String| {
        Refused::from(Failure::new(Code::Store, format!("tokens can't be kept in {}: {why}", vault.place())))
    };
    if let Some(word) = wanted {
        let unknown =
            || Failure::new(Code::Usage, format!("there is no store {word:?}: it is keyring, file or memory"));
        let vault = accounts.vault(StoreKind::from_word(&word).ok_or_else(unknown)?);
        vault.probe().await.map_err(|why| failed(&vault, why.to_string()))?;
        let place = vault.place().to_owned();
        return Ok((vault, place));
    }
    let keyring = accounts.vault(StoreKind::Keyring);
    let no_keyring = match keyring.probe().await {
        Ok(()) => {
            let place = keyring.place().to_owned();
            return Ok((keyring, place));
        }
        Err(why) => why,
    };
    let file = accounts.vault(StoreKind::File);
    file.probe().await.map_err(|why| failed(&file, why.to_string()))?;
    let place = format!("{}, because {} can't be used: {no_keyring}", file.place(), keyring.place());
    Ok((file, place))
}

/// No application is known for the instance: what a person needs to register one.
fn unregistered(instance: &Instance, scopes: &str, redirect_uri: Option<&str>) -> Attributes {
    let text = format!("no application id is known for {instance}");
    Attributes::new()
        .with("register", "1")
        .with("host", instance.to_string())
        .with("page", GitLab::applications_page(instance))
        .with("redirect_uri", redirect_uri.unwrap_or(REGISTERED_REDIRECT_URI))
        .with("scopes", scopes)
        .with(key::ERROR, Code::Usage.word())
        .with(key::MESSAGE, text)
        .with(key::DONE, "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_try_again_asks_for_the_same() {
        let asked = Attributes::new().with("timeout", "9").with("client_id", "1a").with("scopes", "read_api it's");
        let asked = asked.with("host", "gitlab.example").with("spare", "1").with(key::MIN_LIFE, "60");
        let expected = r"git credential-gitlab link gitlab.example --client-id 1a --scopes 'read_api it'\''s' --min-life 60 --spare";
        assert_eq!(again(&asked), expected);
    }
}
