//! The listener that the browser comes back to (RFC 8252, section 7.3), on loopback only.
//!
//! It is open while a browser is awaited, and then until that browser has seen its page.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use url::Url;

use super::callback::{self, Callback, Page, Return};
use super::visitor::Visitor;
use crate::daemon::secret::Secret;
use crate::protocol::{Code, Failure};

/// A browser sends its few headers at once.
const HEADERS_WITHIN: Duration = Duration::from_secs(3);

/// What is answered is on its way; a browser that does not read it loses it.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// Connections at a time. A browser opens two or three; the rest is for other local users, who
/// must not be able to keep it out.
const CONNECTIONS: usize = 256;

/// Listeners that are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Whether a browser may still come.
pub fn is_open() -> bool {
    OPEN.load(Ordering::Relaxed) > 0
}

/// A listener waiting for one browser.
pub(super) struct Loopback {
    redirect_uri: String,
    callback: Arc<Callback>,
    returns: mpsc::Receiver<Return>,
    /// The port is a free one, not one of the person's that the next link will need.
    any_port: bool,
    /// Dropped with this: then each listener closes as soon as the browser has what it came for.
    _open: Vec<oneshot::Sender<()>>,
}

/// Longer than a listener stays after its browser was answered (five seconds for the page, three
/// for what follows).
const FREE_WITHIN: Duration = Duration::from_secs(10);

/// Nobody notices a tenth of a second.
const FREE_POLL: Duration = Duration::from_millis(100);

impl Loopback {
    /// Listens at a configured redirect URI, or at a free port.
    pub(super) async fn listen(configured: Option<&str>) -> Result<Self, Failure> {
        let unusable = |why: &str| {
            let uri = configured.unwrap_or_default();
            Failure::new(Code::Usage, format!("the redirect URI {uri} in git's config can't be used: {why}"))
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
        let any_port = port == 0;
        let listener = bind(SocketAddr::new(address, port)).await.map_err(busy)?;
        let port = listener.local_addr().map_err(busy)?.port();
        let mut listeners = vec![listener];
        if named {
            // A browser goes to the sixth version's first. Nobody else must wait for it there.
            match bind(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port)).await {
                Ok(listener) => listeners.push(listener),
                Err(why) if why.kind() == std::io::ErrorKind::AddrInUse => return Err(busy(why)),
                Err(_) => {} // this machine does not have it
            }
        }
        uri.set_port(Some(port)).map_err(|()| unusable("it can't have a port"))?;
        let host = uri.host_str().unwrap_or_default();
        let hosts =
            if port == 80 { vec![host.to_owned(), format!("{host}:80")] } else { vec![format!("{host}:{port}")] };
        // An empty path is sent as it is registered, although a browser asks for "/".
        let bare = uri.path() == "/" && !configured.is_some_and(|uri| uri.ends_with('/'));
        let redirect_uri = if bare { uri.as_str().trim_end_matches('/').to_owned() } else { uri.to_string() };
        let (callback, returns) = Callback::new(uri.path(), hosts);
        let callback = Arc::new(callback);
        let serving = listeners.into_iter().map(|listener| {
            let (open, closed) = oneshot::channel();
            OPEN.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(listener, callback.clone(), closed));
            open
        });
        Ok(Self { redirect_uri, any_port, _open: serving.collect(), callback, returns })
    }

    /// The redirect URI to send.
    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// From now on the browser that brings this state back is the one.
    pub(super) fn expect(&self, state: &Secret) {
        self.callback.expect(state);
    }

    /// Nobody waits for that browser any more. Should it come all the same, it gets this page.
    pub(super) fn expire(self, page: Page) {
        if self.any_port {
            self.callback.expire(page);
        }
    }

    /// Waits for the browser that is expected.
    pub(super) async fn next(&mut self) -> Return {
        self.returns.recv().await.expect("the listener lives as long as this")
    }
}

/// Binds the address. One that is configured may still be held by the listener of the link before,
/// which stays for its browser for some seconds.
async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let started = tokio::time::Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Err(why) if why.kind() == std::io::ErrorKind::AddrInUse && started.elapsed() < FREE_WITHIN => {
                tokio::time::sleep(FREE_POLL).await;
            }
            bound => return bound,
        }
    }
}

async fn serve(listener: TcpListener, callback: Arc<Callback>, closed: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    let settled = async {
        let _ = closed.await; // the end of the link is that nobody holds the sender
        callback.settled().await;
    };
    tokio::pin!(settled);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut settled => break,
        };
        let Ok((stream, theirs)) = accepted else {
            // Out of file descriptors, most likely.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(ours) = stream.local_addr() else { continue }; // it is gone already
        let (callback, visitor) = (callback.clone(), Visitor { theirs, ours });
        connections.spawn(async move {
            let service = service_fn(move |request| callback::answer(request, visitor, callback.clone()));
            let mut http = hyper::server::conn::http1::Builder::new();
            http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(64 * 1024);
            let _ = http.serve_connection(TokioIo::new(stream), service).await; // the browser's affair
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN_WITHIN, drained).await;
    OPEN.fetch_sub(1, Ordering::Relaxed);
}
