//! What the shell that a link was typed in says about the network, read as git and curl read it.

use std::path::PathBuf;

use crate::credential::Attributes;
use crate::daemon::gitlab::{Authorities, Network, Proxy, TlsFiles};
use crate::instance::Instance;
use crate::protocol::key;

/// The way to an instance: what git config says of it, with what the shell adds.
pub(super) fn complete(config: Network, asked: &Attributes, instance: &Instance) -> Network {
    let variables = asked.list(key::ENVIRONMENT);
    let get = |name: &str| {
        let value = |line: &&[u8]| str::from_utf8(line).ok()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        variables.iter().find_map(value)
    };
    let path = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // An empty one says: no proxy.
    let of_scheme = match instance.has_tls() {
        true => get("https_proxy").or_else(|| get("HTTPS_PROXY")),
        false => get("http_proxy"),
    };
    let proxy = of_scheme.or_else(|| get("all_proxy")).or_else(|| get("ALL_PROXY"));
    Network {
        overrides: TlsFiles {
            authorities: Authorities { ca_file: path("GIT_SSL_CAINFO"), ca_directory: path("GIT_SSL_CAPATH") },
            certificate: path("GIT_SSL_CERT"),
            key: path("GIT_SSL_KEY"),
            certificate_type: get("GIT_SSL_CERT_TYPE"),
        },
        system: Authorities { ca_file: path("SSL_CERT_FILE"), ca_directory: path("SSL_CERT_DIR") },
        proxy: config.proxy.or_else(|| proxy.as_deref().map(Proxy::parse)),
        no_proxy: get("no_proxy").or_else(|| get("NO_PROXY")),
        // To git, whatever it is set to.
        verify: get("GIT_SSL_NO_VERIFY").map_or(config.verify, |_| Some(false)),
        ..config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(config: Network, url: &str, variables: &[&str]) -> Network {
        let asked = variables.iter().fold(Attributes::new(), |asked, line| asked.with(key::ENVIRONMENT, line));
        complete(config, &asked, &url.parse().expect("an address"))
    }

    #[test]
    fn the_proxy_is_the_one_that_git_would_take() {
        for (url, variables, expected) in [
            ("https://h", &["https_proxy=a:1", "HTTPS_PROXY=b:1", "all_proxy=c:1"][..], Some("http://a:1")),
            ("https://h", &["HTTPS_PROXY=b:1", "all_proxy=c:1", "http_proxy=d:1"], Some("http://b:1")),
            ("https://h", &["all_proxy=c:1", "ALL_PROXY=e:1", "http_proxy=d:1"], Some("http://c:1")),
            ("https://h", &["ALL_PROXY=e:1"], Some("http://e:1")),
            ("https://h", &["https_proxy=", "ALL_PROXY=e:1"], Some("")),
            ("https://h", &["http_proxy=d:1"], None),
            ("http://h", &["http_proxy=d:1", "https_proxy=a:1"], Some("http://d:1")),
            ("http://h", &["HTTP_PROXY=x:1"], None),
        ] {
            let proxy = network(Network::default(), url, variables).proxy;
            assert_eq!(proxy.as_ref().map(Proxy::address), expected, "{url} {variables:?}");
            let config = Network { proxy: Some(Proxy::parse("z:1")), ..Network::default() };
            assert_eq!(network(config, url, variables).proxy.as_ref().map(Proxy::address), Some("http://z:1"));
        }
    }

    #[test]
    fn everything_else_is_read_as_git_reads_it() {
        let variables = ["NO_PROXY=b", "no_proxy=a", "GIT_SSL_CAINFO=", "GIT_SSL_CAPATH=/x", "GIT_SSL_NO_VERIFY=0"];
        let found = network(Network { verify: Some(true), ..Network::default() }, "h", &variables);
        assert_eq!(found.no_proxy.as_deref(), Some("a"));
        assert_eq!(found.overrides.authorities.ca_directory, Some("/x".into()));
        assert_eq!((found.overrides.authorities.ca_file, found.verify), (None, Some(false)));
        let silent = network(Network { verify: Some(false), ..Network::default() }, "h", &[]);
        assert_eq!(silent.verify, Some(false));
    }
}
