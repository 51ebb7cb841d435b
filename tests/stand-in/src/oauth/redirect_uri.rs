//! Doorkeeper's redirect URI check (contract §1.2).

use std::net::{Ipv4Addr, Ipv6Addr};

/// A URI in the parts that are compared.
#[derive(PartialEq, Eq)]
struct Parts<'a> {
    scheme: String,
    host: String,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Only absolute URIs with a host and without a fragment are redirect URIs.
    fn parse(uri: &'a str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        if uri.contains(|c: char| c == '#' || c.is_whitespace() || c.is_control()) {
            return None;
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let digits = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        let valid = digits && !scheme.is_empty() && !host.is_empty() && !host.contains('@');
        valid.then(|| Self {
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_ascii_lowercase(),
            port: port.filter(|port| *port != default_port(scheme)),
            path: if path.is_empty() { "/" } else { path },
            query,
        })
    }

    /// Whether the host is a loopback address *literal*: `localhost` is a name, and gets no port
    /// freedom.
    fn is_loopback(&self) -> bool {
        let v6 = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match v6 {
            Some(v6) => v6.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()),
            None => self.host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback()),
        }
    }
}

fn default_port(scheme: &str) -> &'static str {
    if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" }
}

/// Whether a request's redirect URI is one of the registered ones.
pub(super) fn allowed(uri: &str, registered: &[String]) -> bool {
    registered.iter().any(|registered| matches(uri, registered))
}

fn matches(uri: &str, registered: &str) -> bool {
    let (Some(mut uri), Some(mut registered)) = (Parts::parse(uri), Parts::parse(registered)) else {
        return false;
    };
    // A registered query must be there, in any order; any other query may be.
    if registered.query.is_some() && sorted(uri.query) != sorted(registered.query) {
        return false;
    }
    (uri.query, registered.query) = (None, None);
    if uri.is_loopback() && registered.is_loopback() {
        (uri.port, registered.port) = (None, None);
    }
    uri == registered
}

fn sorted(query: Option<&str>) -> Vec<&str> {
    let mut parts: Vec<&str> = query.unwrap_or_default().split('&').collect();
    parts.sort_unstable();
    parts
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn loopback_literals_have_port_freedom() {
        assert!(matches("http://127.0.0.1:43123/", "http://127.0.0.1"));
        assert!(matches("http://127.0.0.1:43123", "http://127.0.0.1/"));
        assert!(matches("http://127.0.0.1:43123/cb", "http://127.0.0.1:7000/cb"));
        assert!(matches("http://[::1]:43123/", "http://[::1]"));
    }

    #[test]
    fn everything_else_must_be_equal() {
        for (uri, registered) in [
            ("http://localhost:43123/", "http://localhost/"),
            ("http://localhost/", "http://127.0.0.1/"),
            ("http://127.0.0.2/", "http://127.0.0.1/"),
            ("http://[::1]/", "http://127.0.0.1/"),
            ("https://127.0.0.1/", "http://127.0.0.1/"),
            ("http://127.0.0.1/cb", "http://127.0.0.1/"),
            ("http://127.0.0.1/cb/", "http://127.0.0.1/cb"),
            ("http://127.0.0.1/#x", "http://127.0.0.1/"),
            ("http://127.0.0.1@evil.example/", "http://127.0.0.1/"),
            ("http://127.0.0.1/", "http://127.0.0.1/?a=b"),
            ("/", "http://127.0.0.1/"),
        ] {
            assert!(!matches(uri, registered), "{uri} against {registered}");
        }
        assert!(matches("https://app.example:443/cb?b&a", "https://app.example/cb?a&b"));
    }
}
