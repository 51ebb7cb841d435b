//! Answers, and the bodies they travel in.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::{Body, Frame},
    header::{HeaderName, HeaderValue},
};
use serde_json::Value;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// The body of every response; git's is streamed, all others are at hand.
pub(crate) type Payload = UnsyncBoxBody<Bytes, io::Error>;

/// A complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// The user it was given to, for the log.
    pub(crate) who: Option<String>,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), who: None }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    pub(crate) fn html(status: u16, page: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", page)
    }

    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into())
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        let body = format!("<html><body>You are being <a href=\"{to}\">redirected</a>.</body></html>");
        Self::html(status, body).with("Location", to)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Notes whom the answer was given to.
    pub(crate) fn to(mut self, who: &str) -> Self {
        self.who = Some(who.to_owned());
        self
    }

    fn response(&self, payload: Payload) -> Response<Payload> {
        let mut response = Response::new(payload);
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a status of three digits");
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
            response.headers_mut().append(name, value);
        }
        response
    }

    pub(crate) fn whole(self) -> Response<Payload> {
        let body = Full::new(self.body.clone()).map_err(|never| match never {});
        self.response(body.boxed_unsync())
    }

    /// The same answer, of which only the first half of the body ever leaves the server.
    pub(crate) fn cut(self) -> Response<Payload> {
        let half = self.body.slice(..self.body.len() / 2);
        let length = self.body.len().to_string();
        self.with("Content-Length", length).response(Cut::AtStart(half).boxed_unsync())
    }
}

/// A body that breaks off. It pauses once in between, because hyper writes out what it has only
/// when the body has nothing to give.
enum Cut {
    AtStart(Bytes),
    Paused,
    Broken,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match std::mem::replace(&mut *self, Self::Broken) {
            Self::AtStart(half) => {
                *self = Self::Paused;
                Poll::Ready(Some(Ok(Frame::data(half))))
            }
            Self::Paused => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Broken => Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into()))),
        }
    }
}
