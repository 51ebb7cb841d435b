//! The address of a GitLab, and which of git's requests are for it.
//!
//! This comparison is the whole security model of a credential helper: everything else in a
//! request (realm, path, user name) is under an attacker's control. So it compares bytes, folds
//! ASCII case only, decodes nothing, trims nothing but the dot of the DNS root, and guesses nothing
//! from names or realms.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// `scheme://host[:port][/path]`, normalised: lower case, no default port, no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance {
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
}

/// How the instance is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// With TLS.
    Https,
    /// In clear text: for a loopback address, or where the person insisted.
    Http,
}

/// Why a text is no address of a GitLab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAnInstance {
    /// A scheme other than https and http.
    Scheme,
    /// A user name or password before the host: they have no place here.
    UserInfo,
    /// A host that is empty or has characters no host name has.
    Host,
    /// A port that is no number from 1 to 65535.
    Port,
    /// A path with something other than plain segments.
    Path,
}

impl fmt::Display for NotAnInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotAnInstance::Scheme => "the address of a GitLab begins with https://",
            NotAnInstance::UserInfo => "leave the user name out of the address",
            NotAnInstance::Host => "that is not a host name (write an international one in its xn-- form)",
            NotAnInstance::Port => "that port is not a number from 1 to 65535",
            NotAnInstance::Path => "that path can't be the base of a GitLab",
        })
    }
}

impl std::error::Error for NotAnInstance {}

impl Scheme {
    fn word(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Https => 443,
            Scheme::Http => 80,
        }
    }

    fn from_bytes(word: &[u8]) -> Option<Self> {
        [Scheme::Https, Scheme::Http].into_iter().find(|scheme| word.eq_ignore_ascii_case(scheme.word().as_bytes()))
    }
}

impl Instance {
    /// Reads what a person types: `gitlab.example.com`, `host:8443`, or a base URL.
    pub fn parse(typed: &str) -> Result<Self, NotAnInstance> {
        let typed = typed.trim();
        let (scheme, rest) = match typed.split_once("://") {
            Some((word, rest)) => (Scheme::from_bytes(word.as_bytes()).ok_or(NotAnInstance::Scheme)?, rest),
            None => (Scheme::Https, typed),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(NotAnInstance::UserInfo);
        }
        let (host, port) = split_port(authority.as_bytes()).ok_or(NotAnInstance::Port)?;
        let host = str::from_utf8(without_root(host)).expect("split between ASCII characters").to_ascii_lowercase();
        if !is_host(&host) {
            return Err(NotAnInstance::Host);
        }
        let host = ipv6(host.as_bytes()).map_or(host, |address| format!("[{address}]"));
        let path = path.trim_end_matches('/');
        let plain = |segment: &str| {
            let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !segment.is_empty() && segment.bytes().all(safe) && segment != "." && segment != ".."
        };
        if !path.is_empty() && !path[1..].split('/').all(plain) {
            return Err(NotAnInstance::Path);
        }
        let port = port.unwrap_or(scheme.default_port());
        Ok(Self { scheme, host, port, path: path.into() })
    }

    /// Whether a request of git is for this instance: the same scheme, host and port, and, where
    /// git sends a path, one below the base path. (git sends none unless
    /// `credential.useHttpPath` is set; then the section of git's config decides.)
    pub fn covers(&self, scheme: &[u8], host: &[u8], path: Option<&[u8]>) -> bool {
        let Some((name, port)) = split_port(host) else { return false };
        let same_host = match ipv6(name) {
            Some(address) => ipv6(self.host.as_bytes()) == Some(address),
            None => without_root(name).eq_ignore_ascii_case(self.host.as_bytes()),
        };
        Scheme::from_bytes(scheme) == Some(self.scheme)
            && same_host
            && port.unwrap_or(self.scheme.default_port()) == self.port
            && path.is_none_or(|path| self.below_base(path).is_some())
    }

    /// What of a path that git sends is below the base path.
    pub fn below_base<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let base = self.path.trim_start_matches('/').as_bytes();
        if base.is_empty() {
            return Some(path);
        }
        // curl resolves `..` before it connects, which would leave the base; and a proxy may decode what
        // is encoded twice, or take `\` for `/`, or `..;` for `..`. No GitLab has these in a path.
        let climbs = path.split(|&b| b == b'/').any(|segment| segment == b"..");
        let odd = path.iter().any(|b| matches!(b, b'%' | b'\\' | b';'));
        match path.strip_prefix(base).filter(|_| !climbs && !odd)? {
            b"" => Some(b""),
            rest => rest.strip_prefix(b"/"),
        }
    }

    /// The path of an address that is below this one, without slashes around it.
    pub fn rest_of<'a>(&self, below: &'a Self) -> Option<&'a str> {
        let same = (self.scheme, &self.host, self.port) == (below.scheme, &below.host, below.port);
        match below.path.strip_prefix(&self.path).filter(|_| same)? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        }
    }

    /// Whether it is spoken to with TLS.
    pub fn has_tls(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Whether a token would cross a network in clear text.
    pub fn is_clear_text(&self) -> bool {
        !self.has_tls() && !self.is_loopback()
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let literal = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host == "localhost" || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The name or address alone, without port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Host and port, as git sends them.
    pub fn authority(&self) -> String {
        match self.port == self.scheme.default_port() {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The command that links an account there, as far as it is the same for every account.
    pub fn link_command(&self) -> String {
        let allow_http = if self.is_clear_text() { " --allow-http" } else { "" };
        format!("git credential-gitlab link {}{allow_http}", self.short())
    }

    /// What a person types to mean this instance, as short as it can be said.
    pub fn short(&self) -> String {
        match self.scheme {
            Scheme::Https => format!("{}{}", self.authority(), self.path),
            Scheme::Http => self.to_string(),
        }
    }

    /// The instances that there could be if this path were one of their pages: the shortest first.
    pub fn above(&self) -> Vec<Instance> {
        let ends = self.path.match_indices('/').map(|(at, _)| at);
        ends.map(|end| Instance { path: self.path[..end].to_owned(), ..self.clone() }).collect()
    }

    /// A page of the instance: `/oauth/token` below the base path.
    pub fn page(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The path below which the instance lives: empty, or with a leading slash.
    pub fn base_path(&self) -> &str {
        &self.path
    }

    /// Stands between the parts of a slug; no host and no base path has it.
    pub const SLUG_SEPARATOR: char = '+';

    /// The address as part of a file name: another one for every instance.
    pub fn slug(&self) -> String {
        // An IPv6 literal has colons, which Windows does not take.
        let parts = format!("{}/{}/{}{}", self.scheme.word(), self.host.replace(':', "-"), self.port, self.path);
        parts.replace('/', &Self::SLUG_SEPARATOR.to_string())
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.word(), self.authority(), self.path)
    }
}

impl std::str::FromStr for Instance {
    type Err = NotAnInstance;

    fn from_str(text: &str) -> Result<Self, NotAnInstance> {
        Self::parse(text)
    }
}

/// Splits `host[:port]`. The port is digits alone, without leading zeros, from 1 to 65535.
fn split_port(authority: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let bracket = authority.iter().rposition(|&b| b == b']').map_or(0, |at| at + 1);
    let Some(colon) = authority[bracket..].iter().position(|&b| b == b':').map(|at| at + bracket) else {
        return Some((authority, None));
    };
    let digits = &authority[colon + 1..];
    if digits.is_empty() || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let port = str::from_utf8(digits).ok()?.parse().ok()?;
    Some((&authority[..colon], Some(port)))
}

/// A name without the dot of the DNS root, with which it is the same name. An address has none.
fn without_root(host: &[u8]) -> &[u8] {
    let is_name = |host: &[u8]| {
        let end = host.rsplit(|&b| b == b'.').next().unwrap_or_default();
        !end.ends_with(b"]") && !end.iter().all(u8::is_ascii_digit)
    };
    match host.strip_suffix(b".") {
        Some(name) if is_name(name) => name,
        _ => host,
    }
}

/// The address of an IPv6 literal: it may be written in several ways.
fn ipv6(host: &[u8]) -> Option<Ipv6Addr> {
    str::from_utf8(host.strip_prefix(b"[")?.strip_suffix(b"]")?).ok()?.parse().ok()
}

/// A DNS name or an IP literal, in lower case.
fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        return ipv6(host.as_bytes()).is_some();
    }
    let label = |label: &str| {
        let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inside)
    };
    host.len() <= 253 && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(typed: &str) -> Instance {
        Instance::parse(typed).expect(typed)
    }

    #[test]
    fn an_address_is_read_as_people_type_it() {
        for (typed, meant) in [
            ("gitlab.example.com", "https://gitlab.example.com"),
            ("GitLab.Example.com:443/", "https://gitlab.example.com"),
            ("https://example.com:8443/git/lab/", "https://example.com:8443/git/lab"),
            ("HTTP://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "https://[::1]:8080"),
            ("https://[0:0::0:1]:443/", "https://[::1]"),
            ("[2001:DB8::A]", "https://[2001:db8::a]"),
            ("gitlab.example.com.", "https://gitlab.example.com"),
            ("https://GitLab.example.com.:443/x/", "https://gitlab.example.com/x"),
            ("http://localhost:80", "http://localhost"),
        ] {
            assert_eq!(instance(typed).to_string(), meant);
            assert_eq!(instance(meant), instance(typed));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (typed, why) in [
            ("", NotAnInstance::Host),
            ("ssh://h", NotAnInstance::Scheme),
            ("https://alice@h", NotAnInstance::UserInfo),
            ("h..", NotAnInstance::Host),
            (".", NotAnInstance::Host),
            ("127.0.0.1.", NotAnInstance::Host),
            ("[::1].", NotAnInstance::Host),
            ("[fe80::1%25eth0]", NotAnInstance::Host),
            ("-h o", NotAnInstance::Host),
            ("gitlab.exämple", NotAnInstance::Host),
            ("h:0", NotAnInstance::Port),
            ("h:065", NotAnInstance::Port),
            ("h:99999", NotAnInstance::Port),
            ("h:", NotAnInstance::Port),
            ("h/../x", NotAnInstance::Path),
            ("h/a//b", NotAnInstance::Path),
            ("h/a?b", NotAnInstance::Path),
        ] {
            assert_eq!(Instance::parse(typed), Err(why), "{typed:?}");
        }
    }

    #[test]
    fn only_its_own_scheme_host_and_port_are_covered() {
        let gitlab = instance("gitlab.example");
        for host in ["gitlab.example", "GITLAB.example", "gitlab.example:443", "gitlab.example.", "gitlab.EXAMPLE.:443"]
        {
            assert!(gitlab.covers(b"https", host.as_bytes(), None), "{host}");
        }
        for host in [
            "",
            ".",
            "gitlab.example..",
            "gitlab..example",
            "gitlab.example.evil",
            "evilgitlab.example",
            "itlab.example",
            ".gitlab.example",
            "xgitlab.example",
            "user@gitlab.example",
            "gitlab.example@evil",
            "gitlab.example/",
            "gitlab.example?",
            "gitlab.example#",
            "gitlab.example\\",
            "//gitlab.example",
            "https://gitlab.example",
            "gitlab%2eexample",
            " gitlab.example",
            "gitlab.example ",
            "\tgitlab.example",
            "\"gitlab.example\"",
            "g\u{456}tlab.example",
            "gitlab.example:80",
            "gitlab.example:",
            "gitlab.example:x",
            "gitlab.example:0443",
            "gitlab.example:+443",
            "gitlab.example:65979",
            "gitlab.example:443:443",
            "gitlab.\u{ff45}xample",
            "gitlab.example\u{2028}",
            "localhost",
            "169.254.169.254",
            "github.com",
            "gitlab.example\u{b}",
            "gitlab.e\u{17f}ample",
        ] {
            assert!(!gitlab.covers(b"https", host.as_bytes(), None), "{host:?}");
        }
        assert!(!gitlab.covers(b"https", b"gitlab.ex\xff", None));
        for scheme in [&b"http"[..], b"", b"https:", b"ssh", b"ftp", b"cert"] {
            assert!(!gitlab.covers(scheme, b"gitlab.example", None));
        }
    }

    #[test]
    fn an_address_is_covered_however_it_is_written() {
        let gitlab = instance("https://[::1]:8443");
        for host in ["[::1]:8443", "[0:0:0:0:0:0:0:1]:8443", "[0::1]:8443"] {
            assert!(gitlab.covers(b"https", host.as_bytes(), None), "{host}");
        }
        for host in ["[::1]", "[::2]:8443", "::1:8443", "[::1].:8443", "[::ffff:0:1]:8443", "[::1%25lo]:8443"] {
            assert!(!gitlab.covers(b"https", host.as_bytes(), None), "{host}");
        }
        assert!(!instance("http://127.0.0.1:1").covers(b"http", b"127.0.0.1.:1", None));
    }

    #[test]
    fn a_base_path_covers_what_is_below_it() {
        let gitlab = instance("https://h/git/lab");
        for path in ["git/lab/group/app.git", "git/lab"] {
            assert!(gitlab.covers(b"https", b"h", Some(path.as_bytes())), "{path}");
        }
        for path in
            ["git/labs/x", "git", "", "other/git/lab", "git/lab/../../other", "git/lab/..;/x", "git/lab/%2e%2e/x"]
        {
            assert!(!gitlab.covers(b"https", b"h", Some(path.as_bytes())), "{path}");
        }
        assert!(!gitlab.covers(b"https", b"h", Some(br"git/lab/..\x")));
        assert!(gitlab.covers(b"https", b"h", None));
        assert_eq!(gitlab.below_base(b"git/lab/group/app.git"), Some(&b"group/app.git"[..]));
    }

    #[test]
    fn the_command_that_links_says_that_tls_is_missing() {
        for (typed, command) in [
            ("https://gitlab.example", "git credential-gitlab link gitlab.example"),
            ("http://127.0.0.1:1", "git credential-gitlab link http://127.0.0.1:1"),
            ("http://gitlab.example", "git credential-gitlab link http://gitlab.example --allow-http"),
        ] {
            assert_eq!(instance(typed).link_command(), command);
        }
    }

    #[test]
    fn clear_text_is_for_this_machine() {
        for typed in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://example.com"] {
            assert!(!instance(typed).is_clear_text(), "{typed}");
        }
        for typed in ["http://example.com", "http://127.0.0.1.example.com", "http://10.0.0.1"] {
            assert!(instance(typed).is_clear_text(), "{typed}");
        }
    }

    #[test]
    fn every_instance_has_a_slug_of_its_own() {
        let all =
            ["h", "http://h", "h:8443", "https://h/8443", "https://h/a/b", "https://h/a_b", "https://h/a-b", "[::1]"];
        let mut slugs: Vec<_> = all.iter().map(|typed| instance(typed).slug()).collect();
        slugs.sort();
        slugs.dedup();
        assert_eq!(slugs.len(), all.len(), "{slugs:?}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_compared_without_panic(scheme: Vec<u8>, host: Vec<u8>, path: Vec<u8>) {
            instance("gitlab.example").covers(&scheme, &host, Some(&path));
        }

        #[test]
        fn what_parses_prints_back(typed in "\\PC{0,40}") {
            if let Ok(found) = Instance::parse(&typed) {
                proptest::prop_assert_eq!(Instance::parse(&found.to_string()), Ok(found.clone()));
                proptest::prop_assert!(found.covers(found.scheme.word().as_bytes(), found.authority().as_bytes(), None));
            }
        }
    }
}
