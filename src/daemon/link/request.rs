//! What a link is to do: the person's flags, then git config, then what was linked before.

use std::sync::Arc;
use std::time::Duration;

use super::address;
use super::again;
use crate::credential::Attributes;
use crate::daemon::accounts::Accounts;
use crate::daemon::config;
use crate::daemon::gitlab::{Endpoints, GitLab, Network};
use crate::daemon::profile::Profile;
use crate::daemon::secret::Secret;
use crate::daemon::store::{Record, StoreError, StoreKind, Vault};
use crate::idn;
use crate::instance::Instance;
use crate::label;
use crate::protocol::{Code, Failure, key};
use crate::rights::{self, Rights};

use super::environment;

/// Long enough to sign in with a second factor.
const TIMEOUT: u64 = 300;

/// The smallest keyring takes 2,560 bytes for an account, tokens and all.
const KEPT_HEADERS: usize = 512;

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
    /// A token that the person made: no consent is asked for, and no application is needed.
    pub(super) token: Option<Secret>,
    /// Such a token may be renewed by us.
    pub(super) rotate: bool,
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
    /// The account is to be the person's one that can only read.
    pub(super) read_only: bool,
    pub(super) vault: Vault,
    /// Where tokens are kept and, if that is second best, why.
    pub(super) store_place: String,
    /// Seconds a token must live when git gets it; none where the person leaves it as it is.
    pub(super) min_life: Option<i64>,
    /// A second login is wanted too.
    pub(super) spare: bool,
    /// The account that has one already, by its user's number: linked again, it gets another.
    pub(super) spare_before: Option<u64>,
    pub(super) timeout: Duration,
    /// The command that asks for the same once more.
    pub(super) again: String,
}

impl Plan {
    pub(super) async fn make(asked: &Attributes, accounts: &Accounts) -> Result<Self, Refused> {
        let usage = |text: String| Refused::from(Failure::new(Code::Usage, text));
        let instance = match asked.text("host") {
            Some(typed) => idn::parse(typed).map_err(|why| usage(format!("{typed}: {why}")))?,
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
            return Err(usage(format!("{url} in git's config has no TLS; use https, or add --allow-http")));
        }
        let network = environment::complete(config.network, asked, &instance);
        if accounts.list(Some(&instance), None).is_empty() {
            address::check(&instance, &network).await?;
        }
        let text = |name: &str| asked.text(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let Before { profile: before, read_only, username } = Before::of(asked, &instance, accounts);
        let token = text("token").map(Secret::new);
        let granted_before = before.as_ref().filter(|profile| profile.by_hand.is_none());
        let scopes_before = granted_before.map(|profile| profile.scopes.join(" "));
        let scopes = match read_only {
            // What git config asks for is for the other one.
            true => text("scopes").or(scopes_before).unwrap_or_else(|| rights::READING.into()),
            false => text("scopes").or(config.scopes).or(scopes_before).unwrap_or_else(|| rights::EVERYDAY.into()),
        };
        if read_only && token.is_none() && Rights::of(scopes.split_whitespace()).push() {
            return Err(usage(format!("a link that can only read has no use for the scopes {scopes:?}")));
        }
        // Whoever else is linked there: one application serves all.
        let id_of = |profile: &Profile| Some(profile.client_id.clone()).filter(|id| !id.is_empty());
        let others = accounts.list(Some(&instance), None);
        let known_id = granted_before.and_then(|profile| id_of(profile));
        let known_id = known_id.or_else(|| others.iter().find_map(|account| id_of(&account.profile)));
        let client_id = match text("client_id").or(config.client_id).or(known_id) {
            _ if token.is_some() => String::new(),
            Some(id) => id,
            None => {
                address::greet(&instance, &network).await?;
                return Err(Refused(unregistered(&instance, &scopes, config.redirect_uri.as_deref())));
            }
        };
        let rotate = config.rotate.as_deref().map_or(Some(true), truth);
        let rotate = rotate.ok_or_else(|| usage("credential.gitlabRotate in git's config is true or false".into()))?;
        let min_life = asked.text(key::MIN_LIFE).or(config.min_life.as_deref());
        let seconds = |text: &str| text.parse().ok().filter(|seconds| *seconds >= 0);
        let unreadable = || usage("the minimum life is a number of seconds".into());
        let min_life = min_life.map(|text| seconds(text).ok_or_else(unreadable)).transpose()?;
        let timeout = asked.text("timeout").map_or(Ok(TIMEOUT), str::parse);
        let timeout = timeout.map_err(|_| usage("the timeout is a number of seconds".into()))?;
        let store_before = before.as_ref().map(|profile| profile.store.word().to_owned());
        let (vault, store_place) = store(text("store").or(config.store).or(store_before), accounts).await?;
        let flow = text("flow").or(config.flow).unwrap_or_else(|| "auto".into());
        let unknown = || usage(format!("there is no flow {flow:?}: it is auto, web, device or paste"));
        Ok(Self {
            token,
            rotate,
            flow: Flow::from_word(&flow).ok_or_else(unknown)?,
            has_browser: asked.flag("has_browser"),
            instance,
            client_id,
            client_secret: text("client_secret").map(Secret::new).or(config.client_secret),
            scopes,
            redirect_uri: config.redirect_uri,
            endpoints: config.endpoints,
            network,
            account: username,
            read_only,
            vault,
            store_place,
            min_life,
            // Linking again keeps what was chosen before.
            spare: asked.flag("spare"),
            spare_before: before.filter(|profile| profile.spare).map(|profile| profile.user_id),
            timeout: Duration::from_secs(timeout.clamp(1, LONGEST_TIMEOUT)),
            again: again::command(asked),
        })
    }

    /// Puts what is secret of this link, besides the pair, where the pair is kept.
    pub(super) fn add_secrets(&self, record: &mut Record) {
        record.client_secret = self.client_secret.clone();
        record.proxy_credentials = self.network.proxy.as_ref().and_then(|proxy| proxy.credentials().cloned());
        let headers = self.network.headers.as_deref().unwrap_or_default();
        // More than that is only in git config, where it is looked for first.
        if headers.iter().map(|header| header.expose().len()).sum::<usize>() <= KEPT_HEADERS {
            record.extra_headers = headers.to_vec();
        }
    }

    /// Whether this account is to have a spare login.
    pub(super) fn wants_spare(&self, profile: &Profile) -> bool {
        self.spare || self.spare_before == Some(profile.user_id)
    }

    /// What the application has to have as redirect URI.
    pub(super) fn registered_redirect_uri(&self) -> &str {
        self.redirect_uri.as_deref().unwrap_or(REGISTERED_REDIRECT_URI)
    }
}

/// The account that is linked again, as far as that can be told before somebody signs in.
struct Before {
    profile: Option<Arc<Profile>>,
    /// It is the person's one that can only read.
    read_only: bool,
    /// The user name that must sign in.
    username: Option<String>,
}

impl Before {
    fn of(asked: &Attributes, instance: &Instance, accounts: &Accounts) -> Self {
        let name = asked.text("account").filter(|name| !name.is_empty());
        let named = name.map(label::parts);
        let read_only = match named {
            _ if asked.flag("read_only") => true,
            Some((_, read_only)) => read_only,
            // Linking again keeps what was chosen before.
            None => {
                let usual = accounts.first_of(instance);
                asked.text("scopes").is_none() && usual.is_some_and(|account| account.profile.read_only)
            }
        };
        let username = named.map(|(username, _)| username.to_owned());
        let is_it = |profile: &Arc<Profile>| {
            let same_name = username.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(&profile.username));
            same_name && profile.read_only == read_only
        };
        let linked: Vec<_> = accounts.list(Some(instance), None).into_iter().map(|account| account.profile).collect();
        let mut same = linked.iter().filter(|profile| is_it(profile));
        // Of several, nobody knows which one will sign in; and nobody gets what another asked for.
        let profile = match (same.next(), same.next()) {
            (Some(only), None) => Some(only.clone()),
            (Some(first), Some(_)) if username.is_some() => Some(first.clone()),
            _ => None,
        };
        Self { profile, read_only, username }
    }
}

/// A boolean as git writes it.
fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The store the person wants, if it works; else what works here, the keyring first.
async fn store(wanted: Option<String>, accounts: &Accounts) -> Result<(Vault, String), Refused> {
    let failed = |vault: &Vault, why: StoreError| {
        let code = if why == StoreError::VaultLocked { Code::Locked } else { Code::Store };
        Refused::from(Failure::new(code, format!("tokens can't be kept in {}: {why}", vault.place())))
    };
    if let Some(word) = wanted {
        let unknown =
            || Failure::new(Code::Usage, format!("there is no store {word:?}: it is keyring, file or memory"));
        let vault = accounts.vault(StoreKind::from_word(&word).ok_or_else(unknown)?);
        vault.probe().await.map_err(|why| failed(&vault, why))?;
        let place = vault.place();
        return Ok((vault, place));
    }
    let keyring = accounts.vault(StoreKind::Keyring);
    let no_keyring = match keyring.probe().await {
        Ok(()) => {
            let place = keyring.place();
            return Ok((keyring, place));
        }
        Err(why) => why,
    };
    let file = accounts.vault(StoreKind::File);
    file.probe().await.map_err(|why| failed(&file, why))?;
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
