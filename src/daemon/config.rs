//! git config is our config: read at link, and once per account and daemon.
//!
//! git itself is asked, from the root directory (where only root could put a repository) and
//! without the variables that describe one, so that no repository's own config is read: it
//! belongs to whoever wrote it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::gitlab::{Authorities, Endpoints, Network, Proxy, TlsFiles};
use super::secret::Secret;
use crate::client::for_daemon;
use crate::credential::printable;
use crate::endpoint::ROOT;
use crate::instance::Instance;
use crate::place;

/// git answers in milliseconds; a home directory on a dead network drive does not.
const GIT_WITHIN: Duration = Duration::from_secs(5);

/// What git may say. Its settings for one GitLab have less than a hundredth.
const MAX_OUTPUT: u64 = 1 << 20;

/// Somebody with several proxies and gateways needs a handful of `http.extraHeader`. The question
/// to git which of them count grows with the square of their number.
const MAX_HEADERS: usize = 100;

/// What git config says about one GitLab.
#[derive(Debug, Default)]
pub struct Config {
    /// `oauthClientId`, or Git Credential Manager's `gitLabDevClientId`.
    pub client_id: Option<String>,
    /// The secret of that application: `oauthClientSecret`, or `gitLabDevClientSecret`.
    pub client_secret: Option<Secret>,
    /// The application is Git Credential Manager's.
    pub is_managers: bool,
    /// `oauthScopes`.
    pub scopes: Option<String>,
    /// `oauthRedirectURL` or `gitLabDevRedirectUri`.
    pub redirect_uri: Option<String>,
    /// `oauthAuthURL` and `oauthTokenURL`.
    pub endpoints: Endpoints,
    /// `gitlabFlow`.
    pub flow: Option<String>,
    /// `gitlabStore`.
    pub store: Option<String>,
    /// `gitlabMinLife`, in seconds.
    pub min_life: Option<String>,
    /// `gitlabRotate`.
    pub rotate: Option<String>,
    /// `http.<url>.*`.
    pub network: Network,
}

/// Why git config could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConfigError {
    /// git's own words, which name the file and the line.
    #[error("git config can't be read: {0}")]
    Broken(String),
    /// More than anybody has set by hand.
    #[error("git config can't be read: {0}")]
    TooMuch(&'static str),
    /// It did not answer.
    #[error("git config did not answer within {} s", GIT_WITHIN.as_secs())]
    Silent,
}

/// Reads what is configured for an instance. Without git nothing is configured.
pub async fn read(instance: &Instance) -> Result<Config, ConfigError> {
    let credential = section("credential", instance).await?;
    Ok(Config::of(instance, &credential, network(instance).await?))
}

impl Config {
    /// What the section `credential` says, with the rest.
    fn of(instance: &Instance, credential: &[(String, String)], network: Network) -> Self {
        let ours = |names: &[&str]| names.iter().find_map(|name| value(credential, &format!("credential.{name}")));
        // Id and secret belong together: the other helper's are those of another application.
        let is_managers = ours(&["oauthclientid"]).is_none() && ours(&["gitlabdevclientid"]).is_some();
        let [client_id, client_secret] = match is_managers {
            true => ["gitlabdevclientid", "gitlabdevclientsecret"],
            false => ["oauthclientid", "oauthclientsecret"],
        };
        Self {
            client_id: ours(&[client_id]),
            client_secret: ours(&[client_secret]).map(Secret::new),
            is_managers,
            scopes: ours(&["oauthscopes"]),
            redirect_uri: ours(&["oauthredirecturl", "gitlabdevredirecturi"]),
            endpoints: Endpoints {
                authorize: ours(&["oauthauthurl"]).map(|url| absolute(instance, &url)),
                token: ours(&["oauthtokenurl"]).map(|url| absolute(instance, &url)),
                device: ours(&["oauthdeviceauthurl"]).map(|url| absolute(instance, &url)),
            },
            flow: ours(&["gitlabflow"]),
            store: ours(&["gitlabstore"]),
            min_life: ours(&["gitlabminlife"]),
            rotate: ours(&["gitlabrotate"]),
            network,
        }
    }
}

/// Reads what is configured about the way to an instance.
pub async fn network(instance: &Instance) -> Result<Network, ConfigError> {
    let http = section("http", instance).await?;
    let headers = match last(&http, "http.extraheader") {
        Some(_) => Some(extra_headers(instance).await?),
        None => None,
    };
    Ok(network_of(&http, headers))
}

/// What the section `http` says.
fn network_of(http: &[(String, String)], headers: Option<Vec<Secret>>) -> Network {
    let value = |name: &str| value(http, name);
    Network {
        files: TlsFiles {
            authorities: Authorities {
                ca_file: value("http.sslcainfo").map(home_path),
                ca_directory: value("http.sslcapath").map(home_path),
            },
            certificate: value("http.sslcert").map(home_path),
            key: value("http.sslkey").map(home_path),
            certificate_type: value("http.sslcerttype"),
        },
        // An empty one says: no proxy for this host.
        proxy: last(http, "http.proxy").map(Proxy::parse),
        user_agent: value("http.useragent"),
        headers,
        verify: last(http, "http.sslverify").map(|word| !is_off(word)),
        ..Network::default()
    }
}

/// The value that counts.
fn last<'a>(section: &'a [(String, String)], name: &str) -> Option<&'a str> {
    section.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The same, where an empty value says nothing.
fn value(section: &[(String, String)], name: &str) -> Option<String> {
    last(section, name).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// Whether a switch is off. What is no word of git's, and what can't be told from a key without
/// a value, which is on, leaves certificates checked.
fn is_off(word: &str) -> bool {
    ["false", "no", "off", "0"].iter().any(|off| word.eq_ignore_ascii_case(off))
}

/// git-credential-oauth takes a path for an endpoint too: `/oauth/authorize`.
fn absolute(instance: &Instance, url: &str) -> String {
    if url.starts_with('/') { instance.page(url) } else { url.into() }
}

/// git expands `~/` in paths.
fn home_path(path: String) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

/// Every `credential.<url>.gitlabAccount`, as its URL and value, in the order of the files.
pub async fn accounts() -> Result<Vec<(String, String)>, ConfigError> {
    Ok(accounts_in(&git(&["--get-regexp", "--", &place::key_pattern()], "").await?))
}

fn accounts_in(answer: &[u8]) -> Vec<(String, String)> {
    let found = pairs(answer).into_iter();
    found.filter_map(|(key, name)| Some((place::url_in_key(&key)?.to_owned(), name))).collect()
}

/// Whether a switch of ours, `credential.<url>.NAME`, is on for an instance: yes, unless git config says no,
/// or something that can't be read, of which nothing comes. What somebody may have forbidden is not done.
pub async fn is_on(instance: &Instance, name: &str) -> Option<bool> {
    let key = format!("credential.{name}");
    match git(&["--type=bool", "--get-urlmatch", &key, &instance.to_string()], "").await.map(|found| pairs(&found)) {
        // Asked for one key, git prints the value alone.
        Ok(found) => Some(found.last().is_none_or(|(value, _)| value == "true")),
        Err(why) => {
            tracing::warn!(%why, key, "taken as switched off for now");
            None
        }
    }
}

/// All variables of a section that apply to the instance, as git matches URLs.
async fn section(name: &str, instance: &Instance) -> Result<Vec<(String, String)>, ConfigError> {
    Ok(pairs(&git(&["--get-urlmatch", name, &instance.to_string()], "").await?))
}

/// `http.extraHeader` has several values, and `--get-urlmatch` tells but the last. git takes, in
/// the order of its files, each value whose URL fits at least as well as any before it. So git is
/// asked about a config made for the question: for each value there is a key, set once for the
/// URL of each value up to that one. If what counts there is the last, the value counts here.
async fn extra_headers(instance: &Instance) -> Result<Vec<Secret>, ConfigError> {
    let all = pairs(&git(&["--get-regexp", r"^http\.(.*\.)?extraheader$"], "").await?);
    if all.len() > MAX_HEADERS {
        return Err(ConfigError::TooMuch("http.extraHeader is set more than a hundred times"));
    }
    let mut question = String::new();
    for value in 0..all.len() {
        for (place, (key, _)) in all[..=value].iter().enumerate() {
            let section = match key.strip_prefix("http.").and_then(|rest| rest.strip_suffix(".extraheader")) {
                Some(url) => format!("http \"{}\"", url.replace('\\', r"\\").replace('"', r#"\""#)),
                None => "http".into(),
            };
            question += &format!("[{section}]\n\tvalue{value} = {place}\n");
        }
    }
    let url = instance.to_string();
    let answer = pairs(&git(&["--file", "-", "--get-urlmatch", "http", &url], &question).await?);
    let mut headers = Vec::new();
    for (value, (_, header)) in all.into_iter().enumerate() {
        let counts = last(&answer, &format!("http.value{value}")) == Some(value.to_string().as_str());
        match header.is_empty() {
            _ if !counts => {}
            true => headers.clear(),
            false => headers.push(Secret::new(header)),
        }
    }
    Ok(headers)
}

/// What `git config -z` answers. Nothing, if it finds nothing, or if there is no git.
async fn git(question: &[&str], input: &str) -> Result<Vec<u8>, ConfigError> {
    let mut git = Command::new("git");
    git.args(["config", "-z"]).args(question);
    git.current_dir(ROOT).env_clear().envs(for_daemon()).env("LC_ALL", "C");
    git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let answer = async {
        let mut git = git.spawn()?;
        let mut stdin = git.stdin.take().expect("it is a pipe");
        let (stdout, stderr) = (git.stdout.take(), git.stderr.take());
        let told = async {
            let _ = stdin.write_all(input.as_bytes()).await; // a git that does not read says why
            drop(stdin);
        };
        let ((), stdout, stderr) = tokio::join!(told, beginning(stdout), beginning(stderr));
        // Of a git that says more, nobody listens to the rest, and that ends it.
        let (stdout, stderr) = (stdout?, stderr?);
        Ok::<_, std::io::Error>((git.wait().await?, stdout, stderr))
    };
    let (status, stdout, stderr) = match tokio::time::timeout(GIT_WITHIN, answer).await {
        Err(_) => return Err(ConfigError::Silent),
        Ok(Err(why)) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(Err(why)) => return Err(ConfigError::Broken(why.to_string())),
        Ok(Ok(output)) => output,
    };
    match status.code() {
        _ if stdout.len() as u64 > MAX_OUTPUT => Err(ConfigError::TooMuch("it has more than 1 MiB for one GitLab")),
        Some(0) => Ok(stdout),
        Some(1) if stderr.is_empty() => Ok(Vec::new()),
        _ => Err(ConfigError::Broken(printable(&String::from_utf8_lossy(&stderr), 300))),
    }
}

/// What comes through a pipe, and a byte more than is taken if it is too much.
async fn beginning(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.expect("it is a pipe").take(MAX_OUTPUT + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// `git config -z`: key, newline, value, NUL. A key without a value has no newline. Of a key, git
/// prints all in lower case but the URL.
fn pairs(output: &[u8]) -> Vec<(String, String)> {
    let entries = output.split(|&b| b == 0).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let entry = String::from_utf8_lossy(entry);
            let (key, value) = entry.split_once('\n').unwrap_or((&entry, ""));
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

/// What is made of any answer of git. See [`crate::fuzzing`].
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(answer: &[u8], instance: &Instance) {
    let section = pairs(answer);
    let headers = section.iter().filter(|(key, _)| key.contains("extraheader"));
    let headers = headers.map(|(_, value)| Secret::new(value.as_str())).collect();
    let config = Config::of(instance, &section, network_of(&section, Some(headers)));
    let _ = config.endpoints.in_clear_text();
    config.network.fuzz();
    for (url, _) in accounts_in(answer) {
        let _ = place::Place::in_url(&url, instance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_have_any_character() {
        let found = pairs(b"credential.oauthclientid\nabc\0http.proxy\na=b\nc\0http.sslverify\0");
        assert_eq!(found[0], ("credential.oauthclientid".into(), "abc".into()));
        assert_eq!(found[1], ("http.proxy".into(), "a=b\nc".into()));
        assert_eq!(found[2], ("http.sslverify".into(), String::new()));
    }

    #[test]
    fn a_secret_goes_with_the_id_of_the_same_helper() {
        let config = |set: &[&str]| {
            let section: Vec<_> = set.iter().map(|name| (format!("credential.{name}"), (*name).to_owned())).collect();
            let instance = Instance::parse("gitlab.example").expect("an address");
            let Config { client_id, client_secret, is_managers, .. } =
                Config::of(&instance, &section, Network::default());
            (client_id, client_secret.map(|secret| secret.expose().to_owned()), is_managers)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            config(&["gitlabdevclientid", "gitlabdevclientsecret"]),
            (text("gitlabdevclientid"), text("gitlabdevclientsecret"), true)
        );
        assert_eq!(config(&["oauthclientid", "gitlabdevclientsecret"]), (text("oauthclientid"), None, false));
        assert_eq!(config(&["gitlabdevclientid", "oauthclientsecret"]), (text("gitlabdevclientid"), None, true));
        assert_eq!(
            config(&["oauthclientid", "oauthclientsecret", "gitlabdevclientid"]),
            (text("oauthclientid"), text("oauthclientsecret"), false)
        );
        // The id may come from the command line.
        assert_eq!(config(&["oauthclientsecret"]), (None, text("oauthclientsecret"), false));
    }

    proptest::proptest! {
        #[test]
        fn any_output_is_read_without_panic(output: Vec<u8>) {
            pairs(&output);
        }
    }
}
