//! The proxy on the way to a GitLab: its address, which may be shown, and what it knows us by,
//! which may not.

use hyper_util::client::proxy::matcher::Matcher;
use serde::{Deserialize, Serialize};

use super::Trouble;
use crate::credential::printable;
use crate::daemon::secret::Secret;

/// The kinds that reqwest speaks. Another one it would pass by in silence.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// Of an address that is none.
const LONGEST_SHOWN: usize = 100;

/// curl's, where a proxy's address has none (but for https, which has its own).
const DEFAULT_PORT: u16 = 1080;

/// A proxy; one without an address says that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Proxy {
    /// `http://proxy.example:3128`.
    address: String,
    /// `user:password`, percent-encoded as in a URL.
    credentials: Option<Secret>,
}

impl Proxy {
    /// Reads it as git and curl do: without a scheme it is http.
    pub fn parse(text: &str) -> Self {
        let (scheme, rest) = text.trim().split_once("://").unwrap_or(("http", text.trim()));
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(Secret::new(credentials)), authority),
            None => (None, rest),
        };
        let authority = authority.trim();
        let scheme = match scheme.to_ascii_lowercase() {
            socks if socks == "socks" => "socks4".into(), // as curl has it
            scheme => scheme,
        };
        let host_end = authority.rfind(']').unwrap_or(0);
        let port = match authority[host_end..].contains(':') || scheme == "https" {
            true => String::new(),
            false => format!(":{DEFAULT_PORT}"),
        };
        match authority.is_empty() {
            true => Self { address: String::new(), credentials: None },
            false => Self { address: format!("{scheme}://{authority}{port}"), credentials },
        }
    }

    /// What it is called in sentences; empty if there is none.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it knows us by.
    pub fn credentials(&self) -> Option<&Secret> {
        self.credentials.as_ref()
    }

    /// The same proxy, which knows us by these.
    pub fn with_credentials(self, credentials: Option<Secret>) -> Self {
        Self { credentials, ..self }
    }

    /// Whether it stands before a URL, for hosts that are not in the list.
    pub(super) fn is_before(&self, url: &url::Url, no_proxy: &str) -> bool {
        let matcher = Matcher::builder().all(self.address.as_str()).no(for_reqwest(no_proxy)).build();
        url.as_str().parse().is_ok_and(|url| matcher.intercept(&url).is_some())
    }

    /// The same for reqwest, for all hosts that are not in the list.
    pub(super) fn to_reqwest(&self, no_proxy: &str) -> Result<reqwest::Proxy, Trouble> {
        // Never an error of a library's: it may quote the password.
        let unusable = |what: &str| {
            let address = printable(&self.address, LONGEST_SHOWN);
            Trouble::transient(format!("{address} is {what} (http.proxy, or https_proxy where you linked)"))
        };
        let (scheme, rest) = self.address.split_once("://").ok_or_else(|| unusable("not the address of a proxy"))?;
        if !SCHEMES.contains(&scheme) {
            return Err(unusable("a kind of proxy that can't be used here"));
        }
        let credentials = self.credentials.as_ref().map_or(String::new(), |it| format!("{}@", it.expose()));
        let url = url::Url::parse(&format!("{scheme}://{credentials}{rest}")).ok();
        // What its matcher can't read, reqwest would pass by in silence.
        let url = url.filter(|url| url.as_str().parse::<http::Uri>().is_ok());
        let proxy = url.and_then(|url| reqwest::Proxy::all(url).ok());
        let proxy = proxy.ok_or_else(|| unusable("not the address of a proxy"))?;
        Ok(proxy.no_proxy(reqwest::NoProxy::from_string(&for_reqwest(no_proxy))))
    }
}

/// curl takes blanks between the hosts too, and brackets around an IPv6 address.
fn for_reqwest(no_proxy: &str) -> String {
    let hosts = no_proxy.split([',', ' ', '\t']).map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    hosts.filter(|host| !host.is_empty()).collect::<Vec<_>>().join(",")
}

impl From<String> for Proxy {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<Proxy> for String {
    fn from(proxy: Proxy) -> Self {
        proxy.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_as_curl_reads_it() {
        for (text, address, credentials) in [
            ("http://proxy:3128", "http://proxy:3128", None),
            ("proxy:3128/", "http://proxy:3128", None),
            ("proxy", "http://proxy:1080", None),
            ("HTTPS://proxy", "https://proxy", None),
            ("http://proxy:80", "http://proxy:80", None),
            ("http://u:p%40ss@[::1]:3128/x", "http://[::1]:3128", Some("u:p%40ss")),
            ("u:p@ss@[::1]", "http://[::1]:1080", Some("u:p@ss")),
            ("socks5h://u@proxy", "socks5h://proxy:1080", Some("u")),
            ("socks://proxy:1", "socks4://proxy:1", None),
            ("http://u@ proxy:1 /x", "http://proxy:1", Some("u")),
            ("", "", None),
        ] {
            let proxy = Proxy::parse(text);
            assert_eq!(proxy.address(), address, "{text}");
            assert_eq!(proxy.credentials().map(Secret::expose), credentials, "{text}");
            assert!(proxy.to_reqwest("").is_ok() || address.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_and_its_password_is_not_quoted() {
        for text in
            ["ftp://u:hunter2@proxy", "http://u:hunter2@pro xy:3128", "u:hunter2@proxy:port", "//", "u:hunter2@:1"]
        {
            let proxy = Proxy::parse(text);
            let why = proxy.to_reqwest("").expect_err(text).to_string();
            assert!(!why.contains("hunter2") && !format!("{proxy:?}").contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn some_hosts_are_reached_without_it() {
        let proxy = Proxy::parse("http://proxy:3128");
        let is_before = |url: &str, no_proxy| proxy.is_before(&url.parse().expect("a URL"), no_proxy);
        for no_proxy in ["gitlab.example", ".example", "localhost 127.0.0.1,gitlab.example", "*", "x, GitLab.Example"] {
            assert!(!is_before("https://gitlab.example/", no_proxy), "{no_proxy}");
        }
        for no_proxy in ["", "lab.example", "gitlab.example.com"] {
            assert!(is_before("https://gitlab.example/", no_proxy), "{no_proxy}");
        }
        assert!(!is_before("https://[::1]:8443/", "[::1]"));
        assert!(!is_before("https://10.1.2.3/", "10.0.0.0/8"));
    }
}
