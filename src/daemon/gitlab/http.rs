//! One HTTP request at a time, bounded in time and size, that follows no redirect.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Request, Response, StatusCode, Url};
use tokio::runtime::Runtime;

use super::network::Network;
use super::{Trouble, redirect};
use crate::credential::printable;
use crate::instance::Instance;
use crate::unreached;

/// A connection over a slow VPN takes a few seconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A renewal that the server has begun is worth waiting for: its answer is the only copy of the
/// new pair.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A token response has 300 bytes, a user 3 KB.
const MAX_BODY: usize = 64 * 1024;

/// Rails' status for a record that can't be saved. oauth2 would lose it.
pub(super) const UNPROCESSABLE: &str = "422";

/// A client that is built when it is first needed: without any CA certificate it can't be built,
/// and that is a sentence for the person, not a reason to not start.
#[derive(Debug)]
pub(super) struct Http {
    network: Network,
    instance: Instance,
    client: Mutex<Option<Client>>,
    /// What every request is answered, where there is no server.
    #[cfg(any(test, fuzzing))]
    pub(super) told: Mutex<Option<super::fuzzing::Answer>>,
}

impl Http {
    pub(super) fn new(network: Network, instance: Instance) -> Self {
        Self {
            network,
            instance,
            client: Mutex::new(None),
            #[cfg(any(test, fuzzing))]
            told: Mutex::default(),
        }
    }

    /// The server is this machine: no proxy must see what goes there without TLS.
    fn is_direct(&self) -> bool {
        self.instance.is_loopback() && !self.instance.has_tls()
    }

    fn kept_client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().expect("nobody panics while holding it")
    }

    pub(super) fn client(&self) -> Result<Client, Trouble> {
        if let Some(client) = &*self.kept_client() {
            return Ok(client.clone());
        }
        let client = self.build()?;
        Ok(self.kept_client().insert(client).clone())
    }

    fn build(&self) -> Result<Client, Trouble> {
        let builder = Client::builder()
            .user_agent(concat!("git-credential-gitlab/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // A refresh token is spent by one POST. Neither a retry nor a connection that died
            // while it was idle may make two of it, or lose its answer.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN);
        let builder = self.network.equip(builder, self.is_direct())?;
        builder.build().map_err(|why| Trouble::transient(chain(&why)))
    }

    /// Sends a request. Statuses that say nothing about it become [`Trouble::Transient`] here.
    pub(super) async fn send(&self, request: Request) -> Result<HttpResponse, Trouble> {
        self.send_up_to(request, MAX_BODY).await
    }

    /// The same, for an answer that may be larger.
    pub(super) async fn send_up_to(&self, mut request: Request, max: usize) -> Result<HttpResponse, Trouble> {
        let url = request.url().clone();
        let place = format!("{} {}", request.method(), url.path());
        self.add_extra_headers(&mut request)?;
        let is_bare = redirect::is_bare(&request);
        let mut answer = self.execute(&self.client()?, request).await.map_err(|why| self.failed(&url, why))?;
        let status = answer.status();
        tracing::debug!(%place, status = status.as_u16(), "answered");
        if let Some(mut trouble) = says_nothing(status, answer.headers()) {
            match answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()) {
                Some(to) if status.is_redirection() => {
                    trouble.add(&redirect::explained(&self.instance, &url, to, is_bare));
                }
                _ if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                    trouble.add(&self.about_proxy(&url, true));
                }
                _ => {}
            }
            return Err(trouble);
        }
        if status.as_str() == UNPROCESSABLE {
            return Err(Trouble::Refused { error: UNPROCESSABLE.into(), why: format!("the server answered {status}") });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|why| self.failed(&url, why))? {
            if body.len() + chunk.len() > max {
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

    /// Sends a request as it is, and returns when the answer begins.
    pub(super) async fn execute(&self, client: &Client, request: Request) -> reqwest::Result<Response> {
        #[cfg(any(test, fuzzing))]
        if let Some(told) = &*self.told.lock().expect("nobody panics while holding it") {
            return Ok(told.to_response());
        }
        on_its_own(client.execute(request)).await
    }

    /// Adds what git config wants every request to the instance to have. What a request has
    /// already, it needs as it is; and an `Authorization` is for git's own requests: the token
    /// endpoint takes one for the name and secret of another application.
    pub(super) fn add_extra_headers(&self, request: &mut Request) -> Result<(), Trouble> {
        let own = Url::parse(&self.instance.to_string()).is_ok_and(|own| own.origin() == request.url().origin());
        if own {
            let mut extra = self.network.extra_headers()?;
            extra.remove(AUTHORIZATION);
            for name in request.headers().keys() {
                extra.remove(name);
            }
            request.headers_mut().extend(extra);
        }
        Ok(())
    }

    fn failed(&self, url: &Url, why: reqwest::Error) -> Trouble {
        // Certificates and keys are replaced in their files: the next try reads them anew.
        *self.kept_client() = None;
        let connecting = why.is_connect();
        let lost = !connecting && !why.is_builder();
        let error = why.without_url();
        let (phase, said) = (phase(&error), chain(&error));
        let proxy = match connecting {
            true => self.about_proxy(url, said.contains("proxy authorization required")),
            false => String::new(),
        };
        let mut why = match phase {
            "dns" | "connect" if !proxy.is_empty() => said.clone(), // that is about the proxy
            _ => unreached::cause(phase, &said),
        };
        why += &proxy;
        if said.contains("fatal alert") {
            why += &self.about_certificate(said.contains("CertificateRequired"));
        }
        let own = self.instance.to_string();
        let place =
            if url.as_str().starts_with(&self.instance.page("/")) { own } else { url.origin().ascii_serialization() };
        if let Some(command) = unreached::mend(&said, &place) {
            let _ = write!(why, "; to trust it: {command}");
        }
        Trouble::Transient { why, retry_after: None, lost }
    }

    /// What to know of our own certificate where TLS failed; `wanted`: the server wants one.
    pub(super) fn about_certificate(&self, wanted: bool) -> String {
        match self.network.certificate() {
            Some(path) => format!(" (it was shown the certificate in {})", path.display()),
            None if wanted => {
                let url = &self.instance;
                format!(
                    "; the server wants to see a certificate of yours: git config --global http.{url}/.sslCert \
                     CERTIFICATE.pem, and the same with sslKey for the file of its key"
                )
            }
            None => String::new(),
        }
    }

    /// What to know of the proxy before a URL, if there is one: which it is and, if it did not let
    /// us in, what to do.
    fn about_proxy(&self, url: &Url, not_let_in: bool) -> String {
        match self.network.proxy_before(url, self.is_direct()) {
            Some(proxy) if not_let_in => {
                let (scheme, host) = proxy.split_once("://").unwrap_or(("http", proxy));
                format!(
                    "; the proxy {proxy} does not let us in without the right user name and password: git config \
                     --global http.proxy {scheme}://USER:PASSWORD@{host}"
                )
            }
            Some(proxy) => format!(" (through the proxy {proxy})"),
            None => String::new(),
        }
    }

    pub(super) fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<Request, Trouble> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client()?.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        request.build().map_err(|why| Trouble::transient(chain(&why)))
    }

    pub(super) fn get(&self, url: &str, token: Option<&str>) -> Result<Request, Trouble> {
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

/// Runs a request, and all that comes of its connection, in threads that do nothing else: hyper takes
/// what a server sends as fast as it comes, and one that sends without end must keep nobody waiting
/// but who asked it. Whoever stops waiting ends it.
async fn on_its_own<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> T {
    struct EndWithMe<T>(tokio::task::JoinHandle<T>);
    impl<T> Drop for EndWithMe<T> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    static THREADS: OnceLock<Runtime> = OnceLock::new();
    let threads = THREADS.get_or_init(|| {
        // One that such a server keeps busy, and one for the others.
        let threads =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("http").enable_all().build();
        threads.expect("threads can be started")
    });
    let mut running = EndWithMe(threads.spawn(request));
    (&mut running.0).await.unwrap_or_else(|why| std::panic::resume_unwind(why.into_panic()))
}

/// Redirects, overload and failures: whoever sent them did not answer the question. oauth2 would
/// read a proxy's HTML page as a broken token and lose Retry-After.
fn says_nothing(status: StatusCode, headers: &HeaderMap) -> Option<Trouble> {
    let redirect = status.is_redirection();
    let passing = matches!(status.as_u16(), 407 | 408 | 425 | 429) || status.is_server_error();
    if !redirect && !passing {
        return None;
    }
    let why = format!("the server answered {status}");
    let retry_after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.trim().parse().ok());
    // A proxy may have lost the answer of a server that has done what it was asked. Only who names a
    // time has not passed the question on; and these few say that they have not reached the server.
    let unreached = matches!(status.as_u16(), 521..=523 | 525 | 526) || retry_after.is_some();
    let lost = matches!(status.as_u16(), 500 | 502 | 504) || (status.is_server_error() && !unreached);
    Some(Trouble::Transient { why, retry_after, lost })
}

/// What the layers between us and the network say of themselves; the last cause says it all.
const LAYERS: [&str; 7] = [
    "error sending request: ",
    "client error (Connect): ",
    "client error (SendRequest): ",
    "tcp connect error: ",
    "dns error: ",
    "error resolving DNS: ",
    "failed to lookup address information: ",
];

/// An error with its causes, for people: what is wrong with a certificate is only said in the last one.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = causes(error);
    for layer in LAYERS {
        text = text.replace(layer, "");
    }
    printable(&text, 400)
}

/// How far a request came that got no answer. reqwest's own words are the only place that says it.
pub(super) fn phase(error: &reqwest::Error) -> &'static str {
    let causes = causes(error);
    let says = |parts: &[&str]| parts.iter().any(|part| causes.contains(part));
    match () {
        () if says(&["tunnel", "proxy"]) => "proxy",
        () if says(&["dns error", "failed to lookup"]) => "dns",
        () if says(&["certificate", "TLS", "tls", "handshake", "corrupt message"]) => "tls",
        () if error.is_timeout() => "timeout",
        () if says(&["Connect", "connect error"]) => "connect",
        () => "other",
    }
}

/// An error with its causes and the layers they came through.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            let _ = write!(text, ": {part}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_that_say_nothing_about_the_request_are_transient() {
        for status in [301, 302, 307, 308, 407, 408, 425, 429, 500, 502, 503, 504] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert!(says_nothing(status, &HeaderMap::new()).is_some(), "{status}");
        }
        for status in [200, 400, 401, 403, 404] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert!(says_nothing(status, &HeaderMap::new()).is_none(), "{status}");
        }
    }

    #[test]
    fn an_answer_that_may_have_been_lost_on_the_way_is_told_from_one_that_was_never_given() {
        let named = HeaderMap::from_iter([(RETRY_AFTER, "5".parse().expect("a header"))]);
        for (status, may_be_lost, if_time_is_named) in [
            (408, false, false),
            (429, false, false),
            (500, true, true),
            (502, true, true),
            (503, true, false), // a service mesh says so of a connection that broke off
            (504, true, true),
            (520, true, false), // from here on they are Cloudflare's
            (521, false, false),
            (522, false, false),
            (524, true, false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            for (headers, may_be_lost) in [(HeaderMap::new(), may_be_lost), (named.clone(), if_time_is_named)] {
                let trouble = says_nothing(status, &headers);
                assert!(matches!(trouble, Some(Trouble::Transient { lost, .. }) if lost == may_be_lost), "{status}");
            }
        }
    }

    #[test]
    fn retry_after_is_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "17".parse().expect("a header"));
        let trouble = says_nothing(StatusCode::TOO_MANY_REQUESTS, &headers);
        assert!(matches!(trouble, Some(Trouble::Transient { retry_after: Some(17), .. })));
    }
}
