//! A server that gives one answer to every question, made of any bytes. See [`crate::fuzzing`].

use reqwest::Response;
use reqwest::header::{HeaderName, HeaderValue};

use super::projects::Wanted;
use super::{Endpoints, GitLab, Liveness, Network, Own, Service, Trouble};
use crate::credential::printable;
use crate::daemon::clock::Timestamp;
use crate::daemon::secret::Secret;
use crate::instance::Instance;
use crate::label;

/// What is sent along and must come back in no error. (As the name of a host, which is shown where a
/// redirect leads to, it can't come back.)
const SECRET: &str = "hunter2^alice";

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads it as a person writes it: a status, lines of headers, an empty line, the body. What has no
    /// status is a body.
    pub fn parse(bytes: &[u8]) -> Self {
        let whole = || Self { status: 200, headers: Vec::new(), body: bytes.to_vec() };
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let Some((head, body)) = end.map(|at| (&bytes[..at], &bytes[at + 2..])) else { return whole() };
        let mut lines = head.split(|&b| b == b'\n');
        let status = lines.next().and_then(|line| str::from_utf8(line).ok()?.parse().ok());
        let Some(status) = status.filter(|status| (200..600).contains(status)) else { return whole() };
        let header = |line: &[u8]| {
            let colon = line.iter().position(|&b| b == b':')?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            Some((HeaderName::from_bytes(&line[..colon]).ok()?, value))
        };
        Self { status, headers: lines.filter_map(header).collect(), body: body.to_vec() }
    }

    pub(super) fn to_response(&self) -> Response {
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        response.body(self.body.clone()).expect("its parts are checked").into()
    }
}

/// A GitLab that is nowhere.
pub fn gitlab() -> GitLab {
    let instance = Instance::parse("https://gitlab.example/base").expect("an address");
    GitLab::new(instance, "id".into(), Some(Secret::new(SECRET)), Endpoints::default(), Network::default())
}

/// Whether a text can be shown, and has no secret.
fn is_harmless(text: &str) {
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(printable(text, usize::MAX), text.trim(), "{text:?}");
}

fn is_small(text: &str, max: usize) {
    assert!(text.chars().count() <= max, "{} characters", text.chars().count());
    is_harmless(text);
}

fn is_token(token: &Secret) {
    assert!(super::could_be_token(token.expose()));
}

fn checked<T>(answer: Result<T, Trouble>) -> Option<T> {
    answer
        .map_err(|trouble| {
            is_harmless(&trouble.to_string());
            if let Trouble::Refused { error, .. } = trouble {
                is_small(&error, 50);
            }
        })
        .ok()
}

/// Asks everything that can be asked. Whatever comes back, what is made of it has its promised form.
pub async fn ask_everything(gitlab: &GitLab, answer: Answer) {
    *gitlab.http.told.lock().expect("nobody panics while holding it") = Some(answer);
    let token = Secret::new(SECRET);
    if let Some(grant) = checked(gitlab.refresh(&token).await) {
        is_token(&grant.access_token);
        grant.refresh_token.iter().for_each(is_token);
        assert!(grant.expires_in.is_none_or(|life| (1..=super::oauth::MAX_LIFE).contains(&life)));
        assert!(grant.scopes.len() <= super::oauth::MAX_SCOPES);
        grant.scopes.iter().for_each(|scope| is_small(scope, 101));
    }
    checked(gitlab.check_client("http://127.0.0.1").await);
    checked(gitlab.revoke(&token).await);
    checked(gitlab.greet().await);
    if let Some(Liveness::Alive { expires_in, .. }) = checked(gitlab.token_info(&token).await) {
        Timestamp::now().plus(expires_in.unwrap_or(0)).rfc3339();
    }
    if let Some(Some(user)) = checked(gitlab.user_of(&token).await) {
        assert!(label::is_plain(&user.username) && user.username.len() <= 255);
        is_small(&user.name, 201);
    }
    for own in [checked(gitlab.own_token(&token).await), None].into_iter().flatten() {
        if let Own::Known(facts) = own {
            facts.scopes.iter().for_each(|scope| is_small(scope, 101));
        }
    }
    if let Some(rotated) = checked(gitlab.rotate(&token, Timestamp::now()).await) {
        is_token(&rotated.token);
    }
    checked(gitlab.revoke_own(&token).await);
    let first = gitlab.first_page(&Wanted::default(), 100, true).expect("an address");
    if let Some(page) = checked(gitlab.projects(&token, &first).await) {
        for project in &page.projects {
            assert!(project.path.contains('/') && !project.path.starts_with('-'), "{}", project.path);
            assert!(!project.path.split('/').any(|segment| matches!(segment, "" | "." | "..")), "{}", project.path);
            for text in [&project.path, &project.name, &project.visibility] {
                is_small(text, 256);
            }
            for url in [&project.http_url, &project.web_url] {
                is_small(url, 2000);
                assert!(url.starts_with("https://") || url.starts_with("http://"), "{url}");
            }
        }
        assert!(page.next.is_none_or(|next| next.origin() == first.origin()));
    }
    if let Some(Some(code)) = checked(gitlab.ask_device("read_api").await) {
        is_small(&code.user_code, 40);
        let no_wait = |_| std::future::ready(());
        if let Some(grant) = checked(gitlab.poll_device(&code, no_wait, std::time::Duration::ZERO).await) {
            is_token(&grant.access_token);
        }
    }
    look(gitlab, &token).await;
}

/// What doctor asks.
async fn look(gitlab: &GitLab, token: &Secret) {
    for seen in [gitlab.look().await, gitlab.metadata(token).await].into_iter().flatten() {
        seen.is_json_error();
        is_small(&seen.words(token), 201);
        if let Some(origin) = seen.redirect_origin() {
            is_small(&origin, 201);
        }
        if let Some(version) = seen.text("version") {
            assert!(version.chars().count() <= 201);
        }
    }
    if let Ok((_, Some(project))) = gitlab.project("group/app", token).await {
        project.access_level();
        gitlab.may_push(&project, "main", token).await;
    }
    for service in [Service::Fetch, Service::Push] {
        if let Ok(answer) = gitlab.ask_git("group/app", service, token).await {
            is_small(&answer.words, 201);
            if let Some(to) = answer.moved_to {
                is_small(&to, 1000);
            }
        }
    }
}
