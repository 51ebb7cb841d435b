//! What doctor wants to know of a server: whatever the server says is a fact, and so is silence.
//!
//! Nothing here is tried twice, and nothing here makes anything: GitLab creates a missing project
//! when git asks to push to it, so [`GitLab::ask_git`] may ask that only of one that is known to be.

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;

use super::http::{chain, phase};
use super::{GitLab, Trouble};
use crate::credential::printable;
use crate::daemon::secret::Secret;

/// A person waits for all answers together, and some questions come after others.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A project has 8 KB; what is longer is not read on.
const MAX_BODY: usize = 64 * 1024;

/// GitLab's sentences have less.
const MAX_WORDS: usize = 200;

/// Why no answer came.
#[derive(Debug)]
pub struct Unreached {
    /// How far it came: `setup`, `dns`, `proxy`, `tls`, `timeout`, `connect` or `other`.
    pub phase: &'static str,
    /// The library's words for it.
    pub why: String,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Seen {
    /// The HTTP status.
    pub status: u16,
    /// What the server believes the time to be.
    pub server_time: Option<i64>,
    /// Seconds after which it wants to be asked again.
    pub retry_after: Option<i64>,
    /// Scheme, host and port of the GitLab that was asked.
    home: String,
    location: Option<String>,
    content_type: String,
    body: Vec<u8>,
}

/// A project as the API shows it to a person. What a version does not say is none.
#[derive(Debug, Deserialize)]
pub struct Project {
    id: u64,
    /// Its path today.
    pub path_with_namespace: String,
    /// Who can see it.
    pub visibility: Option<String>,
    /// Nobody can push to it.
    pub archived: Option<bool>,
    /// The branch that a clone checks out.
    pub default_branch: Option<String>,
    /// Nothing was pushed yet.
    pub empty_repo: Option<bool>,
    /// `disabled`, `private` or `enabled`.
    pub repository_access_level: Option<String>,
    #[serde(default)]
    permissions: Value,
}

/// Which of git's two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Clone and fetch.
    Fetch,
    /// Push.
    Push,
}

/// What git would be told.
#[derive(Debug, PartialEq, Eq)]
pub struct GitAnswer {
    /// The HTTP status.
    pub status: u16,
    /// What it means, in a word.
    pub verdict: &'static str,
    /// GitLab's own words, cleaned.
    pub words: String,
    /// Where the repository is now.
    pub moved_to: Option<String>,
    /// Seconds after which it wants to be asked again.
    pub retry_after: Option<i64>,
}

impl Project {
    /// The person's role, if the API tells; it knows nothing of some that come by shared groups.
    pub fn access_level(&self) -> Option<u64> {
        let level = |of: &str| self.permissions[of]["access_level"].as_u64();
        level("project_access").max(level("group_access"))
    }
}

impl Seen {
    /// Whether it is an error as GitLab's applications say it.
    pub fn is_json_error(&self) -> bool {
        serde_json::from_slice::<Value>(&self.body).is_ok_and(|body| body.get("error").is_some())
    }

    /// A text of its JSON.
    pub fn text(&self, key: &str) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(printable(body.get(key)?.as_str()?, MAX_WORDS))
    }

    /// Scheme, host and port of where it redirects to; the rest may carry a secret.
    pub fn redirect_origin(&self) -> Option<String> {
        let to = url::Url::parse(self.location.as_deref()?).ok()?;
        Some(printable(&to.origin().ascii_serialization(), MAX_WORDS))
    }

    /// What the server says in words, if it does so to git or to programs: never a page, never the
    /// token it was asked with, and of an address only the host; of its own pages also the path, so
    /// that a person finds them.
    pub fn words(&self, token: &Secret) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let said = match self.content_type.as_str() {
            kind if kind.starts_with("text/plain") => body.into_owned(),
            kind if kind.contains("json") => {
                let said = ["error_description", "message", "error"].into_iter().find_map(|key| self.text(key));
                said.unwrap_or_default()
            }
            _ => return String::new(),
        };
        let encoded = basic(token);
        if said.contains(token.expose()) || said.contains(&encoded) {
            return String::new();
        }
        let short = |word: &str| match url::Url::parse(word) {
            Ok(url) if url.has_host() && self.home == url.origin().ascii_serialization() => {
                format!("{}{}", self.home, url.path().trim_end_matches(['/', '.', ',', ')']))
            }
            Ok(url) if url.has_host() => url.origin().ascii_serialization(),
            _ => word.to_owned(),
        };
        printable(&said.split_whitespace().map(short).collect::<Vec<_>>().join(" "), MAX_WORDS)
    }
}

/// The token as HTTP Basic would carry it.
fn basic(token: &Secret) -> String {
    // Nothing is sent, so no certificate is read.
    let client = reqwest::Client::builder().tls_certs_only([]).build().ok();
    let login = |request: RequestBuilder| request.basic_auth("oauth2", Some(token.expose())).build().ok();
    let request = client.and_then(|client| login(client.get("http://127.0.0.1/")));
    let header = request.and_then(|request| request.headers().get("authorization")?.to_str().ok().map(str::to_owned));
    header.and_then(|header| header.strip_prefix("Basic ").map(str::to_owned)).unwrap_or_else(|| token.expose().into())
}

impl GitLab {
    /// What answers at the address, to somebody without a token: GitLab says 401, in JSON.
    pub async fn look(&self) -> Result<Seen, Unreached> {
        self.see(&self.instance.page("/oauth/token/info"), |request| request, true).await
    }

    /// The version, which GitLab tells only to those who are logged in.
    pub async fn metadata(&self, token: &Secret) -> Result<Seen, Unreached> {
        self.api("/metadata", token).await
    }

    /// A project; of one that was renamed, under its new name.
    pub async fn project(&self, path: &str, token: &Secret) -> Result<(Seen, Option<Project>), Unreached> {
        let mut seen = self.api(&format!("/projects/{}", path.replace('/', "%2F")), token).await?;
        let prefix = self.instance.page("/api/v4/projects/");
        let moved = seen.location.as_deref().and_then(|to| to.strip_prefix(&prefix)?.parse::<u64>().ok());
        if let Some(id) = moved.filter(|_| (300..400).contains(&seen.status)) {
            seen = self.api(&format!("/projects/{id}"), token).await?;
        }
        let project = serde_json::from_slice::<Project>(&seen.body).ok().filter(|_| seen.status == 200);
        Ok((seen, project))
    }

    /// Whether the person may push to a branch: `yes`, `no`, or nothing where GitLab does
    /// not say.
    pub async fn may_push(&self, project: &Project, branch: &str, token: &Secret) -> Option<&'static str> {
        let branch: String = form_urlencoded::byte_serialize(branch.as_bytes()).collect();
        let page = format!("/projects/{}/repository/branches/{}", project.id, branch.replace('+', "%20"));
        let seen = self.api(&page, token).await.ok().filter(|seen| seen.status == 200)?;
        let branch: Value = serde_json::from_slice(&seen.body).ok()?;
        Some(if branch.get("can_push")?.as_bool()? { "yes" } else { "no" })
    }

    /// What git would be told. [`Service::Push`] only for a project that was fetched from: GitLab
    /// would make one that is missing.
    pub async fn ask_git(&self, path: &str, service: Service, token: &Secret) -> Result<GitAnswer, Unreached> {
        let name = match service {
            Service::Fetch => "git-upload-pack",
            Service::Push => "git-receive-pack",
        };
        let end = format!("/info/refs?service={name}");
        let page = self.instance.page(&format!("/{path}.git{end}"));
        // Version 2 lists no branches, of which there may be very many.
        let login = |request: RequestBuilder| {
            request.basic_auth("oauth2", Some(token.expose())).header("git-protocol", "version=2")
        };
        let seen = self.see(&page, login, false).await?;
        let moved_to = seen.location.as_deref().and_then(|to| {
            let below = to.strip_prefix(&self.instance.page("/"))?.strip_suffix(&end)?;
            Some(self.instance.page(&format!("/{}", printable(below, MAX_WORDS))))
        });
        let words = seen.words(token);
        let verdict = verdict(&seen, name, &words, moved_to.is_some());
        Ok(GitAnswer { status: seen.status, verdict, words, moved_to, retry_after: seen.retry_after })
    }

    async fn api(&self, page: &str, token: &Secret) -> Result<Seen, Unreached> {
        let page = self.instance.page(&format!("/api/v4{page}"));
        self.see(&page, |request| request.bearer_auth(token.expose()), true).await
    }

    /// Asks once. `whole`: the body of a good answer is wanted too.
    async fn see(
        &self,
        url: &str,
        dress: impl FnOnce(RequestBuilder) -> RequestBuilder,
        whole: bool,
    ) -> Result<Seen, Unreached> {
        let not_set_up = |trouble: Trouble| Unreached { phase: "setup", why: trouble.to_string() };
        let client = self.http.client().map_err(not_set_up)?;
        let request = dress(client.get(url).header("accept", "application/json, */*")).timeout(ANSWER_WITHIN);
        let mut request = request.build().map_err(unreached)?;
        self.http.add_extra_headers(&mut request).map_err(not_set_up)?;
        let mut answer = self.http.execute(&client, request).await.map_err(unreached)?;
        let mut seen = Seen::of(answer.status().as_u16(), answer.headers());
        seen.home = origin(url);
        if whole || !answer.status().is_success() {
            while let Some(chunk) = answer.chunk().await.map_err(unreached)? {
                let room = MAX_BODY - seen.body.len();
                seen.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() >= room {
                    break;
                }
            }
        }
        Ok(seen)
    }
}

impl Seen {
    fn of(status: u16, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let date = text(DATE).and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
        Self {
            status,
            server_time: date.map(|date| date.as_second()),
            retry_after: text(RETRY_AFTER).and_then(|after| after.trim().parse().ok()),
            home: String::new(),
            location: text(LOCATION).map(str::to_owned),
            content_type: text(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase(),
            body: Vec::new(),
        }
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> String {
    url::Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// How far a request came that got no answer.
fn unreached(error: reqwest::Error) -> Unreached {
    let error = error.without_url();
    Unreached { phase: phase(&error), why: chain(&error) }
}

/// What git's answer means. GitLab tells most of it in words alone.
fn verdict(seen: &Seen, service: &str, words: &str, moved: bool) -> &'static str {
    let words = words.to_ascii_lowercase();
    match seen.status {
        200..=299 if seen.content_type.starts_with(&format!("application/x-{service}-advertisement")) => "open",
        200..=299 => "not-git",
        300..=399 if moved => "moved",
        300..=399 => "redirect",
        401 => "login",
        403 if words.contains("too many failed authentication attempts") => "banned",
        403 if words.contains("sso session") => "sso",
        403 if words.contains("archived") => "archived",
        403 if words.contains("code from this project") || words.contains("code to this project") => "role",
        403 if words.contains("to download code") || words.contains("to upload code") => "scope",
        403 if seen.retry_after.is_some() => "addresses",
        403 => "refused",
        404 if words.contains("repository for this project does not exist") => "no-repository",
        404 => "missing",
        429 => "rate",
        500.. => "down",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16, content_type: &str, body: &str) -> Seen {
        let (content_type, body) = (content_type.to_owned(), body.as_bytes().to_vec());
        let home = "https://home.example".into();
        Seen { status, server_time: None, retry_after: None, home, location: None, content_type, body }
    }

    #[test]
    fn git_answers_mean_what_gitlab_says_in_words() {
        let token = Secret::new("glpat");
        for (status, body, meant) in [
            (401, "HTTP Basic: Access denied.", "login"),
            (403, "You are not allowed to download code.", "scope"),
            (403, "You are not allowed to upload code.", "scope"),
            (403, "You are not allowed to download code from this project.", "role"),
            (403, "You are not allowed to push code to this project.", "role"),
            (403, "You can't push code to an archived project.", "archived"),
            (403, "Cannot find valid SSO session. Please login via your group's SSO at https://h/x?token=1", "sso"),
            (403, "Too many failed authentication attempts from this IP", "banned"),
            (403, "The repository is read-only", "refused"),
            (404, "The project you were looking for could not be found.", "missing"),
            (404, "A repository for this project does not exist yet.", "no-repository"),
            (429, "Retry later", "rate"),
            (503, "The git server, Gitaly, is not available", "down"),
            (200, "", "not-git"),
        ] {
            let seen = seen(status, "text/plain; charset=utf-8", body);
            assert_eq!(verdict(&seen, "git-upload-pack", &seen.words(&token), false), meant, "{status} {body}");
        }
        let good = seen(200, "application/x-git-upload-pack-advertisement", "");
        assert_eq!(verdict(&good, "git-upload-pack", "", false), "open");
    }

    #[test]
    fn the_words_of_a_server_hold_no_token_no_page_and_no_address() {
        let token = Secret::new("hunter2");
        assert_eq!(seen(403, "text/plain", "no hunter2 here").words(&token), "");
        assert_eq!(seen(403, "text/plain", &format!("you sent {}", basic(&token))).words(&token), "");
        assert_eq!(seen(403, "text/html", "<p>no").words(&token), "");
        assert_eq!(seen(403, "text/plain", "see https://h:1/sso?token=x\u{1b}[2J").words(&token), "see https://h:1");
        let page = "at https://a:b@home.example/groups/x/-/saml/sso?token=x#y.";
        assert_eq!(seen(403, "text/plain", page).words(&token), "at https://home.example/groups/x/-/saml/sso");
        assert_eq!(seen(403, "text/plain", "see https://home.example.").words(&token), "see https://home.example.");
        assert_eq!(seen(403, "text/plain", "a\u{1b}[2J\u{202e}b\nc").words(&token), "a\u{fffd}[2J\u{fffd}b c");
        assert_eq!(seen(403, "text/plain", &"x".repeat(9999)).words(&token).chars().count(), MAX_WORDS + 1);
        assert_eq!(seen(403, "application/json", r#"{"message":"403 Forbidden"}"#).words(&token), "403 Forbidden");
    }
}
