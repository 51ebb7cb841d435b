//! The listener that the browser comes back to (RFC 8252, section 7.3), on loopback only.
//!
//! Anybody on this machine can talk to it: port scanners, prefetching browsers, other sites'
//! pages by a rebound name. So it takes only its own path, Host and state; whatever else comes
//! gets a page and does not end the wait.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderValue, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use url::Url;

use super::page;
use crate::daemon::gitlab::error_word;
use crate::daemon::secret::Secret;
use crate::protocol::{Code, Failure};

/// A browser sends its few headers at once.
const HEADERS_WITHIN: Duration = Duration::from_secs(3);

/// A browser waits about five minutes for a page. The link itself (the code's exchange, who it
/// is, the keyring's prompt) ends in three at the worst.
const PAGE_WITHIN: Duration = Duration::from_secs(240);

/// The browser gets its page after the link is done; on loopback that takes milliseconds.
const LAST_PAGE_WITHIN: Duration = Duration::from_secs(5);

/// Connections at a time. A browser opens two or three; the rest is for other local users, who
/// must not be able to keep it out.
const CONNECTIONS: usize = 256;

/// What the browser brought back.
pub(super) struct Return {
    /// The code, or the server's word for why there is none (`access_denied`).
    pub(super) outcome: Result<Secret, String>,
    /// Where the browser's answer goes.
    pub(super) page: oneshot::Sender<Page>,
}

/// What the browser is answered.
pub(super) enum Page {
    /// A page to be read.
    Shown(String),
    /// The way to another consent.
    Onward(String),
}

/// A listener waiting for one browser.
pub(super) struct Loopback {
    redirect_uri: String,
    returns: mpsc::Receiver<Return>,
    shared: Arc<Shared>,
    /// Dropped with this, which closes the listener.
    _open: oneshot::Sender<()>,
}

struct Shared {
    path: String,
    hosts: Vec<String>,
    /// Set by [`Loopback::expect`], taken by the first browser that brings it back.
    state: Mutex<Option<Secret>>,
    returns: mpsc::Sender<Return>,
}

impl Loopback {
    /// Listens at a configured redirect URI, or at a free port.
    pub(super) async fn listen(configured: Option<&str>) -> Result<Self, Failure> {
        let unusable = |why: &str| {
            let uri = configured.unwrap_or_default();
            Failure::new(Code::Usage, format!("the redirect URI {uri} in git config can't be used: {why}"))
        };
        let mut uri = Url::parse(configured.unwrap_or("http://127.0.0.1")).map_err(|_| unusable("it is no URL"))?;
        let (address, named) = match uri.host() {
            Some(url::Host::Ipv4(address)) => (IpAddr::V4(address), false),
            Some(url::Host::Ipv6(address)) => (IpAddr::V6(address), false),
            Some(url::Host::Domain("localhost")) => (IpAddr::V4(Ipv4Addr::LOCALHOST), true),
            _ => return Err(unusable("it does not lead to this machine")),
        };
        if uri.scheme() != "http" || !address.is_loopback() {
            return Err(unusable("it does not lead to this machine over http"));
        }
        // Of a loopback address GitLab ignores the port; of the name localhost it does not.
        let port = uri.port().unwrap_or(if named { 80 } else { 0 });
        let busy = |why: std::io::Error| {
            Failure::new(Code::Failed, format!("no browser can come back to {address}, port {port}: {why}"))
        };
        let listener = TcpListener::bind(SocketAddr::new(address, port)).await.map_err(busy)?;
        let port = listener.local_addr().map_err(busy)?.port();
        uri.set_port(Some(port)).map_err(|()| unusable("it can't have a port"))?;
        let host = uri.host_str().unwrap_or_default();
        let hosts =
            if port == 80 { vec![host.to_owned(), format!("{host}:80")] } else { vec![format!("{host}:{port}")] };
        // An empty path is sent as it is registered, although a browser asks for "/".
        let bare = uri.path() == "/" && !configured.is_some_and(|uri| uri.ends_with('/'));
        let redirect_uri = if bare { uri.as_str().trim_end_matches('/').to_owned() } else { uri.to_string() };
        let (sender, returns) = mpsc::channel(1);
        let shared = Arc::new(Shared { path: uri.path().into(), hosts, state: Mutex::new(None), returns: sender });
        let (open, closed) = oneshot::channel();
        tokio::spawn(serve(listener, shared.clone(), closed));
        Ok(Self { redirect_uri, returns, shared, _open: open })
    }

    /// The redirect URI to send.
    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// From now on the browser that brings this state back is the one.
    pub(super) fn expect(&self, state: &Secret) {
        *self.shared.state.lock().expect("nobody panics while holding it") = Some(state.clone());
    }

    /// Waits for the browser that is expected.
    pub(super) async fn next(&mut self) -> Return {
        self.returns.recv().await.expect("the listener lives as long as this")
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut closed: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted,
            Some(_) = connections.join_next() => continue,
            _ = &mut closed => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, shared.clone()));
            let mut http = hyper::server::conn::http1::Builder::new();
            http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(64 * 1024);
            let _ = http.serve_connection(TokioIo::new(stream), service).await; // the browser's affair
        });
    }
    drop(listener);
    let last_page = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_PAGE_WITHIN, last_page).await; // a browser that does not read loses its page
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Infallible> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !shared.hosts.iter().any(|ours| ours == host) || request.uri().path() != shared.path {
        return Ok(respond(StatusCode::NOT_FOUND, page::html("Nothing here", "This is not a page.")));
    }
    if request.method() != Method::GET {
        return Ok(respond(StatusCode::METHOD_NOT_ALLOWED, page::html("Nothing here", "This is not a form.")));
    }
    let query = request.uri().query().unwrap_or_default();
    let value = |name: &str| {
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let state = value("state").map(Secret::new);
    let outcome = match (value("code"), value("error")) {
        (_, Some(error)) => Err(error_word(&error).into()),
        (Some(code), None) => Ok(Secret::new(code)),
        (None, None) => return Ok(stranger()),
    };
    {
        let mut awaited = shared.state.lock().expect("nobody panics while holding it");
        if state.is_none() || *awaited != state {
            return Ok(stranger());
        }
        *awaited = None;
    }
    let (sender, ready) = oneshot::channel();
    // Room for one, and only the first gets here.
    let _ = shared.returns.send(Return { outcome, page: sender }).await;
    match tokio::time::timeout(PAGE_WITHIN, ready).await {
        Ok(Ok(Page::Shown(page))) => Ok(respond(StatusCode::OK, page)),
        Ok(Ok(Page::Onward(url))) => {
            let mut response = respond(StatusCode::SEE_OTHER, page::html("Onward", "One more consent is needed."));
            match HeaderValue::from_str(&url) {
                Ok(url) => drop(response.headers_mut().insert(LOCATION, url)),
                Err(_) => *response.status_mut() = StatusCode::OK, // a URL is ASCII
            }
            Ok(response)
        }
        _ => Ok(respond(StatusCode::GATEWAY_TIMEOUT, page::html("Not finished", "The terminal tells how it ends."))),
    }
}

/// A browser that nobody waits for: a page loaded again, an old tab, a guess.
fn stranger() -> Response<Full<Bytes>> {
    let text = "No link is waiting for this page: it was used already, or another one was begun since. Type the command again.";
    respond(StatusCode::BAD_REQUEST, page::html("Not linked", text))
}

fn respond(status: StatusCode, page: String) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in page::HEADERS {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(page))).expect("the headers are constants")
}
