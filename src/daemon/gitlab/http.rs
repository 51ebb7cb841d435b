//! One HTTP request at a time, bounded in time and size, that follows no redirect.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};

use super::Trouble;
use crate::credential::printable;

/// A connection over a slow VPN takes a few seconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A renewal that the server has begun is worth waiting for: its answer is the only copy of the
/// new pair.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A token response has 300 bytes, a user 3 KB.
const MAX_BODY: usize = 64 * 1024;

/// Rails' status for a record that can't be saved. oauth2 would lose it.
pub(super) const UNPROCESSABLE: &str = "422";

/// How this machine reaches the server: git's own `http.<url>.*`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `http.sslCAInfo`: trusted instead of the system's certificates, as git does.
    pub ca_file: Option<PathBuf>,
    /// `http.proxy`; empty: none. Without it the environment's proxy variables count.
    pub proxy: Option<String>,
}

impl Network {
    /// What is said here and, where nothing is, what link saw: a daemon that systemd started may
    /// not see the person's git config.
    pub fn or(self, seen: &Self) -> Self {
        Self {
            ca_file: self.ca_file.or_else(|| seen.ca_file.clone()),
            proxy: self.proxy.or_else(|| seen.proxy.clone()),
        }
    }
}

/// A client that is built when it is first needed: without any CA certificate it can't be built,
/// and that is a sentence for the person, not a reason to not start.
#[derive(Debug)]
pub(super) struct Http {
    network: Network,
    /// The server is this machine: no proxy must see what goes there without TLS.
    direct: bool,
    client: OnceLock<Client>,
}

impl Http {
    pub(super) fn new(network: Network, direct: bool) -> Self {
        Self { network, direct, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&Client, Trouble> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.build()?;
        Ok(self.client.get_or_init(|| client))
    }

    fn build(&self) -> Result<Client, Trouble> {
        let mut builder = Client::builder()
            .user_agent(concat!("git-credential-gitlab/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // A refresh token is spent by one POST. Neither a retry nor a connection that died
            // while it was idle may make two of it, or lose its answer.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN);
        if let Some(path) = &self.network.ca_file {
            let unusable = |why: String| Trouble::transient(format!("http.sslCAInfo {}: {why}", path.display()));
            let pem = std::fs::read(path).map_err(|why| unusable(why.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|why| unusable(chain(&why)))?;
            if certificates.is_empty() {
                return Err(unusable("there is no certificate in it".into()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        builder = match self.network.proxy.as_deref() {
            _ if self.direct => builder.no_proxy(),
            None => builder,
            Some("") => builder.no_proxy(),
            Some(proxy) => {
                let unusable = |_| Trouble::transient("http.proxy is not the address of a proxy");
                builder.proxy(reqwest::Proxy::all(proxy).map_err(unusable)?)
            }
        };
        builder.build().map_err(|why| Trouble::transient(chain(&why)))
    }

    /// Sends a request. Statuses that say nothing about it become [`Trouble::Transient`] here.
    pub(super) async fn send(&self, request: reqwest::Request) -> Result<HttpResponse, Trouble> {
        let place = format!("{} {}", request.method(), request.url().path());
        let failed = |why: reqwest::Error| {
            let lost = !why.is_connect() && !why.is_builder();
            Trouble::Transient { why: chain(&why.without_url()), retry_after: None, lost }
        };
        let mut answer = self.client()?.execute(request).await.map_err(failed)?;
        let status = answer.status();
        tracing::debug!(%place, status = status.as_u16(), "answered");
        if let Some(trouble) = says_nothing(status, answer.headers()) {
            return Err(trouble);
        }
        if status.as_str() == UNPROCESSABLE {
            return Err(Trouble::Refused { error: UNPROCESSABLE.into(), why: format!("the server answered {status}") });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                let why = format!("the answer to {place} is far too long");
                return Err(Trouble::Transient { why, retry_after: None, lost: true });
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }

    pub(super) fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<reqwest::Request, Trouble> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client()?.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        request.build().map_err(|why| Trouble::transient(chain(&why)))
    }

    pub(super) fn get(&self, url: &str, token: Option<&str>) -> Result<reqwest::Request, Trouble> {
        let request = self.client()?.get(url).header("accept", "application/json");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.build().map_err(|why| Trouble::transient(chain(&why)))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Trouble>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = request.try_into().map_err(|why: reqwest::Error| Trouble::transient(chain(&why)))?;
            self.send(request).await
        })
    }
}

/// Redirects, overload and failures: whoever sent them did not answer the question. oauth2 would
/// read a proxy's HTML page as a broken token and lose Retry-After.
fn says_nothing(status: StatusCode, headers: &HeaderMap) -> Option<Trouble> {
    let redirect = status.is_redirection();
    let passing = matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error();
    if !redirect && !passing {
        return None;
    }
    let mut why = format!("the server answered {status}");
    if let Some(to) = headers.get("location").and_then(|to| to.to_str().ok()).filter(|_| redirect) {
        // Only which host: the rest may carry a code, or repeat what was sent.
        if let Ok(to) = url::Url::parse(to) {
            let _ = write!(why, ", a redirect to {}", printable(&to.origin().ascii_serialization(), 200));
        }
    }
    let retry_after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
    // A proxy may have lost the answer of a server that has done what it was asked.
    let lost = matches!(status.as_u16(), 500 | 502 | 504);
    Some(Trouble::Transient { why, retry_after, lost })
}

/// An error with its causes: what is wrong with a certificate is only said in the last one.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            let _ = write!(text, ": {part}");
        }
        cause = error.source();
    }
    printable(&text, 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_that_say_nothing_about_the_request_are_transient() {
        for status in [301, 302, 307, 308, 408, 425, 429, 500, 502, 503, 504] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert!(says_nothing(status, &HeaderMap::new()).is_some(), "{status}");
        }
        for status in [200, 400, 401, 403, 404] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert!(says_nothing(status, &HeaderMap::new()).is_none(), "{status}");
        }
    }

    #[test]
    fn retry_after_is_kept_and_a_redirect_loses_all_but_its_host() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "17".parse().expect("a header"));
        let trouble = says_nothing(StatusCode::TOO_MANY_REQUESTS, &headers);
        assert!(matches!(trouble, Some(Trouble::Transient { retry_after: Some(17), .. })));
        headers.insert("location", "https://sso.example/hunter2?code=hunter2".parse().expect("a header"));
        let trouble = says_nothing(StatusCode::FOUND, &headers).expect("transient").to_string();
        assert!(trouble.contains("https://sso.example") && !trouble.contains("hunter2"), "{trouble}");
    }
}
