//! One request, parsed as far as every handler needs it.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyper::{HeaderMap, Method, header};
use std::net::IpAddr;

/// A request to the installation, or to what is beside it.
pub(crate) struct Call {
    /// Whether the address is below the base path.
    pub(crate) inside: bool,
    pub(crate) method: Method,
    /// Without the base path, still percent-encoded.
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) query: Params,
    /// Empty unless the body was form-encoded.
    pub(crate) form: Params,
    /// Empty where the body is a stream.
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: IpAddr,
}

impl Call {
    /// The text of a header, if it is text.
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The method Rails sees: a form may ask for DELETE through `_method`.
    pub(crate) fn verb(&self) -> Method {
        match self.form.get("_method") {
            Some("delete") if self.method == Method::POST => Method::DELETE,
            _ => self.method.clone(),
        }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.header(header::COOKIE)?.split("; ");
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v)
    }

    /// The credentials of an `Authorization` header of this scheme.
    fn authorization(&self, scheme: &str) -> Option<&str> {
        let (own, rest) = self.header(header::AUTHORIZATION)?.split_once(' ')?;
        own.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        self.authorization("Bearer")
    }

    /// User name and password. Something unreadable still counts as an attempt, with names that
    /// match nothing.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let bytes = BASE64_STANDARD.decode(self.authorization("Basic")?).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let (user, password) = text.split_once(':').unwrap_or((&text, ""));
        Some((user.to_owned(), password.to_owned()))
    }
}

/// Decoded parameters in order.
#[derive(Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The last value of this name; like Rails' `blank?`, only space counts as missing.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
        found.map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
