//! How this machine reaches a GitLab: what git's `http.<url>.*` and the environment say.

use std::path::Path;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{ClientBuilder, Url};
use serde::{Deserialize, Serialize};

use super::Trouble;
use super::proxy::Proxy;
use super::tls::{Authorities, TlsFiles};
use crate::daemon::secret::Secret;

/// The way to one GitLab. What of it may not be kept in the open is not written out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `http.sslCAInfo` and its siblings.
    #[serde(flatten)]
    pub files: TlsFiles,
    /// `GIT_SSL_CAINFO` and its siblings, as link saw them: they go before git config.
    pub overrides: TlsFiles,
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`, as link saw them: they stand for the system's.
    pub system: Authorities,
    /// `http.proxy` or, as link saw it, the environment's.
    pub proxy: Option<Proxy>,
    /// `no_proxy`, as link saw it.
    pub no_proxy: Option<String>,
    /// `http.userAgent`.
    pub user_agent: Option<String>,
    /// `http.extraHeader`: lines. Their values may be secret.
    #[serde(skip)]
    pub headers: Option<Vec<Secret>>,
    /// `http.sslVerify`. Certificates are checked unless it is off now.
    #[serde(skip)]
    pub verify: Option<bool>,
}

impl Network {
    /// What is said here and, where nothing is, what link saw: a daemon that systemd started may
    /// not see the person's git config, and has another environment.
    pub fn or(self, seen: &Self) -> Self {
        Self {
            files: self.files.or(&seen.files),
            overrides: self.overrides.or(&seen.overrides),
            system: self.system.or(&seen.system),
            proxy: self.proxy.or_else(|| seen.proxy.clone()),
            no_proxy: self.no_proxy.or_else(|| seen.no_proxy.clone()),
            user_agent: self.user_agent.or_else(|| seen.user_agent.clone()),
            headers: self.headers.or_else(|| seen.headers.clone()),
            verify: self.verify.or(seen.verify),
        }
    }

    /// What may be kept in the open, exactly as it will be read again.
    pub fn without_secrets(self) -> Self {
        let proxy = self.proxy.map(|proxy| proxy.with_credentials(None));
        Self { proxy, headers: None, verify: None, ..self }
    }

    /// The whole again, with what was kept in secret.
    pub fn with_secrets(self, proxy_credentials: Option<Secret>, headers: &[Secret]) -> Self {
        let proxy = self.proxy.map(|proxy| proxy.with_credentials(proxy_credentials));
        Self { proxy, headers: Some(headers.to_vec()).filter(|headers| !headers.is_empty()), ..self }
    }

    /// What a person must know who uses it.
    pub fn warning(&self) -> Option<&'static str> {
        (self.verify == Some(false)).then_some(
            "the server's certificate is not checked (sslVerify is off): everybody on the way can read your tokens \
             and use them",
        )
    }

    /// Lets a client go this way; `direct`: past every proxy.
    pub(super) fn equip(&self, mut builder: ClientBuilder, direct: bool) -> Result<ClientBuilder, Trouble> {
        let files = self.overrides.clone().or(&self.files);
        if self.verify == Some(false) {
            builder = builder.tls_danger_accept_invalid_certs(true);
        } else if let Some(certificates) = files.authorities.load().map_err(Trouble::transient)? {
            builder = builder.tls_certs_only(certificates);
        } else if let Ok(Some(certificates)) = self.system.load() {
            // If they are gone (a shell of Nix's that was left, say), the system has others.
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(identity) = files.identity().map_err(Trouble::transient)? {
            builder = builder.identity(identity);
        }
        if let Some(user_agent) = &self.user_agent {
            let unusable = |_| Trouble::transient("http.userAgent has characters that no header can have");
            builder = builder.user_agent(HeaderValue::from_str(user_agent).map_err(unusable)?);
        }
        match self.wanted_proxy(direct) {
            None => Ok(builder.no_proxy()),
            Some(proxy) => Ok(builder.proxy(proxy.to_reqwest(self.no_proxy())?)),
        }
    }

    /// The certificate that is shown to servers.
    pub(super) fn certificate(&self) -> Option<&Path> {
        self.overrides.certificate.as_deref().or(self.files.certificate.as_deref())
    }

    fn wanted_proxy(&self, direct: bool) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| !direct && !proxy.address().is_empty())
    }

    fn no_proxy(&self) -> &str {
        self.no_proxy.as_deref().unwrap_or_default()
    }

    /// The address of the proxy that stands before a URL.
    pub(super) fn proxy_before(&self, url: &Url, direct: bool) -> Option<&str> {
        self.wanted_proxy(direct).filter(|proxy| proxy.is_before(url, self.no_proxy())).map(Proxy::address)
    }

    /// `http.extraHeader`, read as curl does: `Name;` is a header without a value, `Name:` is none.
    pub(super) fn extra_headers(&self) -> Result<HeaderMap, Trouble> {
        let unusable = || Trouble::transient("a value of http.extraHeader is not of the form \"Name: value\"");
        let mut headers = HeaderMap::new();
        for line in self.headers.iter().flatten() {
            let (name, value) = match (line.expose().split_once(':'), line.expose().trim_end().strip_suffix(';')) {
                (Some((_, value)), _) if value.trim().is_empty() => continue,
                (Some((name, value)), _) => (name, value.trim()),
                (None, Some(name)) => (name, ""),
                (None, None) => return Err(unusable()),
            };
            let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| unusable())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| unusable())?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(headers)
    }

    /// What is made of any values, as far as no file is opened. See [`crate::fuzzing`].
    #[cfg(any(test, fuzzing))]
    pub fn fuzz(&self) {
        let url = Url::parse("https://gitlab.example/").expect("an address");
        if let Err(trouble) = self.extra_headers() {
            let mut secrets = self.headers.iter().flatten().map(Secret::expose).filter(|it| it.contains("hunter2"));
            assert!(!secrets.any(|secret| trouble.to_string().contains(secret)), "{trouble}");
        }
        if let Some(proxy) = &self.proxy
            && let Err(trouble) = proxy.to_reqwest(self.no_proxy())
        {
            let trouble = trouble.to_string();
            assert!(!trouble.contains(char::is_control), "{trouble:?}");
            let secret = proxy.credentials().map(Secret::expose).filter(|secret| secret.contains("hunter2"));
            assert!(secret.is_none_or(|it| proxy.address().contains(it) || !trouble.contains(it)), "{trouble}");
        }
        self.proxy_before(&url, false);
        let kept = self.clone().without_secrets();
        let written = serde_json::to_string(&kept).expect("it is plain data");
        assert_eq!(serde_json::from_str::<Self>(&written).expect("what was written is read"), kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Network {
        let files = |name: &str| TlsFiles {
            authorities: Authorities { ca_file: Some(name.into()), ca_directory: Some(name.into()) },
            certificate: Some(name.into()),
            key: Some(name.into()),
            certificate_type: Some("PEM".into()),
        };
        Network {
            files: files("/config"),
            overrides: files("/environment"),
            system: files("/system").authorities,
            proxy: Some(Proxy::parse("http://alice:hunter2@proxy:3128")),
            no_proxy: Some("localhost".into()),
            user_agent: Some("company".into()),
            headers: Some(vec![Secret::new("X: hunter2")]),
            verify: Some(false),
        }
    }

    #[test]
    fn what_is_kept_in_the_open_has_no_secret_and_comes_back_as_it_was() {
        let open = serde_json::to_string(&full()).expect("plain data");
        assert!(!open.contains("hunter2") && !format!("{:?}", full()).contains("hunter2"), "{open}");
        let back: Network = serde_json::from_str(&open).expect("readable");
        assert_eq!(back, full().without_secrets());
        let whole = back.with_secrets(Some(Secret::new("alice:hunter2")), &[Secret::new("X: hunter2")]);
        assert_eq!(whole, Network { verify: None, ..full() });
    }

    #[test]
    fn a_proxy_of_now_has_nothing_of_the_one_that_link_saw() {
        let now = Network { proxy: Some(Proxy::parse("http://other:1")), ..Network::default() };
        let proxy = now.or(&full()).proxy.expect("one");
        assert_eq!((proxy.address(), proxy.credentials()), ("http://other:1", None));
        assert_eq!(Network::default().or(&full()), full());
    }

    #[test]
    fn extra_headers_are_read_as_curl_reads_them() {
        let headers = |lines: &[&str]| {
            let headers = Some(lines.iter().map(|line| Secret::new(*line)).collect());
            Network { headers, ..Network::default() }.extra_headers()
        };
        let found = headers(&["X-One: a: b ", "x-one:c", "X-Empty;", "X-None:", "X-None: "]).expect("all are good");
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        assert_eq!(found, [("x-one", "a: b"), ("x-one", "c"), ("x-empty", "")]);
        assert!(!format!("{:?}", headers(&["X: hunter2"])).contains("hunter2"));
        for line in ["hunter2", "X Y: hunter2", "X: hunter2\u{7f}", ": hunter2"] {
            let why = headers(&[line]).expect_err(line).to_string();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
