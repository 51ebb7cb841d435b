//! What comes to the loopback listener, and what it is answered.
//!
//! Anybody on this machine can come: port scanners, prefetching browsers, other sites' pages by
//! a rebound name. So only one path, Host and state is taken, of this user's programs alone;
//! whatever else comes gets a page and does not end the wait.
//!
//! No address with a code in it stays in the browser: it is answered with the way to one without.
//! The page that tells how it went has a path that only this browser is told, so that nobody
//! else can read it, or make us believe that it was read.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use oauth2::CsrfToken;
use tokio::sync::{mpsc, watch};

use super::page;
use super::visitor::Visitor;
use crate::daemon::gitlab::error_word;
use crate::daemon::secret::Secret;

/// A browser waits about five minutes for a page. The link itself (the code's exchange, who it
/// is, the keyring's prompt) ends in three at the worst.
const PAGE_WITHIN: Duration = Duration::from_secs(240);

/// The browser asks for its page when it is told where; on loopback that takes milliseconds.
const ASKS_WITHIN: Duration = Duration::from_secs(5);

/// Somebody who was called away from the consent comes back to it within minutes.
const LATE_BY: Duration = Duration::from_secs(600);

/// The browser wants an icon too, and a person may load the page again at once.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// How browsers say that nobody has asked for a page yet: the standard's header, that of
/// Chromium and Safari before it, and Firefox's.
const PURPOSE: [&str; 3] = ["sec-purpose", "purpose", "x-moz"];

/// What the browser brought back.
pub(super) struct Return {
    /// The code, or the server's word for why there is none (`access_denied`).
    pub(super) outcome: Result<Secret, String>,
    /// Where the browser's answer goes.
    pub(super) page: Reply,
}

/// What the browser is answered.
#[derive(Clone)]
pub(super) enum Page {
    /// A page to be read.
    Shown(String),
    /// The way to another consent.
    Onward(String),
}

/// Where the browser's answer goes. It stays there for a browser that asks again.
pub(super) struct Reply(watch::Sender<Option<Page>>);

impl Reply {
    pub(super) fn send(self, page: Page) {
        self.0.send_replace(Some(page));
    }
}

/// Whom the listener waits for.
enum Turn {
    Nobody,
    /// The browser that brings this state back.
    Awaited(Secret),
    /// That browser was here. It may ask again, because a page that takes its time invites to that.
    Here {
        state: Secret,
        page: watch::Receiver<Option<Page>>,
        /// For how long the listener stays for it, until it has seen how it went.
        owed: Option<Duration>,
    },
}

impl Turn {
    fn owed(&self) -> Option<Duration> {
        match self {
            Turn::Here { owed, .. } => *owed,
            _ => None,
        }
    }
}

/// The one page that is served, and its one visitor.
pub(super) struct Callback {
    path: String,
    hosts: Vec<String>,
    /// The path at which the visitor reads how it went.
    result: String,
    turn: watch::Sender<Turn>,
    returns: mpsc::Sender<Return>,
}

impl Callback {
    /// For this path at any of these hosts.
    pub(super) fn new(path: &str, hosts: Vec<String>) -> (Self, mpsc::Receiver<Return>) {
        let result = format!("/{}", CsrfToken::new_random().secret());
        let (sender, returns) = mpsc::channel(1);
        (Self { path: path.into(), hosts, result, turn: watch::Sender::new(Turn::Nobody), returns: sender }, returns)
    }

    /// From now on the browser that brings this state back is the one.
    pub(super) fn expect(&self, state: &Secret) {
        self.turn.send_replace(Turn::Awaited(state.clone()));
    }

    /// From now on that browser is too late: this is what it gets.
    pub(super) fn expire(&self, page: Page) {
        self.turn.send_if_modified(|turn| {
            let Turn::Awaited(state) = turn else { return false };
            let (_, page) = watch::channel(Some(page));
            *turn = Turn::Here { state: state.clone(), page, owed: Some(LATE_BY) };
            true
        });
    }

    /// Returns when no browser has a page to see any more, or it did not come for it.
    pub(super) async fn settled(&self) {
        let mut turn = self.turn.subscribe();
        let Some(within) = turn.borrow().owed() else { return };
        let seen = turn.wait_for(|turn| turn.owed().is_none());
        if tokio::time::timeout(within, seen).await.is_ok() {
            tokio::time::sleep(AFTERWARDS).await;
        }
    }

    /// Whether a browser with this state is awaited, or was here.
    fn knows(&self, state: &Secret) -> bool {
        match &*self.turn.borrow() {
            Turn::Nobody => false,
            Turn::Awaited(known) | Turn::Here { state: known, .. } => known == state,
        }
    }

    /// Takes the browser that is awaited, once. It is given what its page will be, also if it
    /// comes again.
    fn take(&self, state: &Secret, outcome: Result<Secret, String>) -> Option<watch::Receiver<Option<Page>>> {
        let mut coming = None;
        self.turn.send_if_modified(|turn| match turn {
            Turn::Here { state: known, page, .. } if known == state => {
                coming = Some(page.clone());
                false
            }
            Turn::Awaited(known) if known == state => {
                let (sender, page) = watch::channel(None);
                coming = Some(page.clone());
                // Room for one, and there is one for each that is awaited.
                let _ = self.returns.try_send(Return { outcome, page: Reply(sender) });
                *turn = Turn::Here { state: state.clone(), page, owed: Some(ASKS_WITHIN) };
                true
            }
            _ => false,
        });
        coming
    }

    /// The page that tells how it went.
    fn result(&self) -> Option<String> {
        let mut html = None;
        self.turn.send_if_modified(|turn| {
            let Turn::Here { page, owed, .. } = turn else { return false };
            match &*page.borrow() {
                Some(Page::Shown(page)) => {
                    html = Some(page.clone());
                    owed.take().is_some()
                }
                Some(Page::Onward(_)) => false,
                None => {
                    html = Some(page::unfinished());
                    false
                }
            }
        });
        html
    }
}

pub(super) async fn answer(
    request: Request<Incoming>,
    from: Visitor,
    to: Arc<Callback>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !to.hosts.iter().any(|ours| ours == host) {
        return Ok(respond(StatusCode::MISDIRECTED_REQUEST, page::nothing()));
    }
    if request.method() != Method::GET {
        let refused = respond(StatusCode::METHOD_NOT_ALLOWED, page::nothing());
        return Ok(with(refused, ALLOW, "GET"));
    }
    // A code is used once, and for a person who looks. The browser comes again when there is one.
    if is_prefetch(headers) {
        return Ok(respond(StatusCode::SERVICE_UNAVAILABLE, page::nothing()));
    }
    Ok(match request.uri().path() {
        path if path == to.result => match to.result() {
            Some(page) => respond(StatusCode::OK, page),
            None => respond(StatusCode::BAD_REQUEST, page::stranger()),
        },
        path if path == to.path => come_back(request.uri().query(), from, &to).await,
        "/favicon.ico" => respond(StatusCode::NO_CONTENT, String::new()),
        _ => respond(StatusCode::NOT_FOUND, page::nothing()),
    })
}

/// A browser at the path of the redirect URI.
async fn come_back(query: Option<&str>, from: Visitor, to: &Callback) -> Response<Full<Bytes>> {
    let Some(query) = query else { return respond(StatusCode::BAD_REQUEST, page::stranger()) };
    let value = |name: &str| {
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let outcome = match (value("code"), value("error")) {
        (_, Some(error)) => Some(Err(error_word(&error).into())),
        (code, None) => code.map(|code| Ok(Secret::new(code))),
    };
    let state = value("state").map(Secret::new);
    let coming = match outcome.zip(state) {
        Some((outcome, state)) if to.knows(&state) => match from.is_welcome().await {
            true => to.take(&state, outcome),
            false => {
                tracing::warn!("what another user brought in the place of a browser was not taken");
                None
            }
        },
        _ => None,
    };
    let Some(mut coming) = coming else { return see_other(&to.path, page::stranger()) };
    let page = match tokio::time::timeout(PAGE_WITHIN, coming.wait_for(Option::is_some)).await {
        Ok(Ok(page)) => page.clone(),
        _ => None,
    };
    match page {
        Some(Page::Shown(page)) => see_other(&to.result, page),
        Some(Page::Onward(url)) => see_other(&url, page::onward(&url)),
        None => see_other(&to.result, page::unfinished()),
    }
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let is_one = |value: &HeaderValue| value.as_bytes().starts_with(b"prefetch");
    PURPOSE.iter().any(|name| headers.get(*name).is_some_and(is_one))
}

/// The way to another page, for a browser that does not take it a page all the same.
fn see_other(location: &str, page: String) -> Response<Full<Bytes>> {
    with(respond(StatusCode::SEE_OTHER, page), LOCATION, location)
}

fn respond(status: StatusCode, page: String) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in page::HEADERS {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(page))).expect("the headers are constants")
}

fn with(mut response: Response<Full<Bytes>>, name: HeaderName, value: &str) -> Response<Full<Bytes>> {
    let value = HeaderValue::from_str(value).expect("a URL, or a constant: ASCII");
    response.headers_mut().insert(name, value);
    response
}
