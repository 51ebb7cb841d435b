//! The sockets: accepting, TLS, and the thread it all runs on.

mod answer;
mod call;
mod connection;
mod service;
mod tls;

pub(crate) use answer::{Answer, Payload};
pub(crate) use call::{Call, Params};
pub(crate) use service::Who;
pub(crate) use tls::Authority;

use crate::{control, world::Shared};
use connection::Wire;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn as serve_with};
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::{IpAddr, TcpListener as StdListener},
    sync::Arc,
    thread::{self, JoinHandle},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

/// The running server; dropping it stops everything, requests in flight included.
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The two listening sockets.
pub(crate) struct Listeners {
    pub(crate) gitlab: StdListener,
    pub(crate) control: StdListener,
}

impl Server {
    pub(crate) fn start(shared: Arc<Shared>, listeners: Listeners, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        listeners.gitlab.set_nonblocking(true)?;
        listeners.control.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("gitlab-stand-in".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    end = accept_all(shared, listeners, tls) => {
                        end.expect("the stand-in's listening sockets work");
                    }
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server thread was printed where it happened.
            thread.join().ok();
        }
    }
}

async fn accept_all(shared: Arc<Shared>, listeners: Listeners, tls: Option<TlsAcceptor>) -> io::Result<()> {
    let gitlab = TcpListener::from_std(listeners.gitlab)?;
    let control = TcpListener::from_std(listeners.control)?;
    loop {
        // A connection that was gone before it was accepted is no news.
        tokio::select! {
            Ok((stream, peer)) = gitlab.accept() => welcome(&shared, stream, peer.ip(), tls.clone()),
            Ok((stream, _)) = control.accept() => obey(&shared, stream),
            else => {}
        }
    }
}

/// Serves one connection of a client.
fn welcome(shared: &Arc<Shared>, stream: TcpStream, peer: IpAddr, tls: Option<TlsAcceptor>) {
    let (wire, reset) = Wire::new(stream);
    let visit = Visit { shared: Arc::clone(shared), peer, reset };
    tokio::spawn(async move {
        match tls {
            None => visit.run(wire).await,
            Some(tls) => {
                // A client that does not trust the authority ends here.
                if let Ok(stream) = tls.accept(wire).await {
                    visit.run(stream).await;
                }
            }
        }
    });
}

/// Serves one connection of a script.
fn obey(shared: &Arc<Shared>, stream: TcpStream) {
    let shared = Arc::clone(shared);
    let service = serve_with(move |request| control::serve(Arc::clone(&shared), request));
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
}

/// One connection of a client.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: IpAddr,
    reset: connection::Reset,
}

/// Ends a connection without an answer.
#[derive(Debug)]
pub(crate) struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stand-in hangs up")
    }
}

impl std::error::Error for HangUp {}

impl Visit {
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = serve_with(move |request| self.clone().answer(request));
        let mut server = http1::Builder::new();
        let connection = server.title_case_headers(true).serve_connection(TokioIo::new(stream), service);
        // Errors are clients that left and faults that hang up: both intended.
        connection.await.ok();
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Payload>, HangUp> {
        // In a task of its own: like GitLab, the server finishes what it began, even if the client
        // has lost patience and left.
        let answer = tokio::spawn(async move { service::answer(&self, request).await });
        answer.await.unwrap_or(Err(HangUp))
    }

    /// Makes the end of this connection a TCP reset.
    pub(crate) fn reset(&self) {
        self.reset.arm();
    }
}
