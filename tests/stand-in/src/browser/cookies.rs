//! A cookie jar with the rules that matter on one machine.

use hyper::{HeaderMap, Uri, header};

/// One cookie. Like in every browser the port plays no part: all of `127.0.0.1` shares a jar.
struct Cookie {
    host: String,
    path: String,
    secure: bool,
    name: String,
    value: String,
}

/// The cookies of one browser.
#[derive(Default)]
pub(super) struct Jar(Vec<Cookie>);

impl Jar {
    pub(super) fn keep(&mut self, from: &Uri, headers: &HeaderMap) {
        let lines = headers.get_all(header::SET_COOKIE).iter();
        for line in lines.filter_map(|value| value.to_str().ok()) {
            let mut parts = line.split("; ");
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let mut cookie = Cookie {
                host: from.host().unwrap_or_default().to_owned(),
                path: "/".to_owned(),
                secure: false,
                name: name.to_owned(),
                value: value.to_owned(),
            };
            for attribute in parts {
                match attribute.split_once('=').unwrap_or((attribute, "")) {
                    ("path", path) => path.clone_into(&mut cookie.path),
                    ("Secure", _) => cookie.secure = true,
                    _ => {}
                }
            }
            self.0.retain(|old| (&old.host, &old.path, &old.name) != (&cookie.host, &cookie.path, &cookie.name));
            self.0.push(cookie);
        }
    }

    /// The `Cookie` header for a request; empty if there is nothing to send.
    pub(super) fn header(&self, to: &Uri) -> String {
        let https = to.scheme_str() == Some("https");
        let fits = |cookie: &&Cookie| {
            Some(cookie.host.as_str()) == to.host() && (https || !cookie.secure) && to.path().starts_with(&cookie.path)
        };
        let sent = self.0.iter().filter(fits);
        let sent: Vec<_> = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        sent.join("; ")
    }
}
