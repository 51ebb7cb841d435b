//! A scene, a client's loopback listener, and git with a home of its own.

use gitlab_stand_in::{
    Application, Builder, Pair, Registered, Role, StandIn, Visibility,
    browser::{Browser, Visit},
    http::{Client, Reply},
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    sync::mpsc::{Receiver, channel},
    thread,
};
use tempfile::TempDir;

/// The verifier and S256 challenge of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// `invalid_grant` as seen on the wire: 213 bytes (contract §1.6).
pub(crate) const INVALID_GRANT: &str = "{\"error\":\"invalid_grant\",\"error_description\":\"The provided \
    authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization \
    request, or was issued to another client.\"}";

/// Alice maintains the private project `group/app`; a public application is registered.
pub(crate) struct Scene {
    pub(crate) gitlab: StandIn,
    pub(crate) client_id: String,
    pub(crate) http: Client,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(StandIn::builder())
    }

    pub(crate) fn with(builder: Builder) -> Self {
        let gitlab = builder.start();
        gitlab.add_user("alice", "Alice Doe");
        gitlab.add_project("group/app", Visibility::Private);
        gitlab.grant("alice", "group/app", Role::Maintainer);
        let client_id = gitlab.add_application(Application::default()).client_id;
        let http = gitlab.ca_pem().map(|ca| Client::trusting(ca).unwrap()).unwrap_or_default();
        Self { gitlab, client_id, http }
    }

    pub(crate) fn confidential(&self) -> Registered {
        self.gitlab.add_application(Application { confidential: true, ..Application::default() })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gitlab.url())
    }

    pub(crate) fn pair(&self, scopes: &str) -> Pair {
        self.gitlab.issue_tokens("alice", &self.client_id, scopes)
    }

    pub(crate) fn post(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        self.http.post(&self.url(path), form, &[]).unwrap()
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        self.http.get(&self.url(path), &[("authorization", &bearer)]).unwrap()
    }

    pub(crate) fn token(&self, form: &[(&str, &str)]) -> Reply {
        self.post("/oauth/token", form)
    }

    pub(crate) fn refresh(&self, refresh_token: &str) -> Reply {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_id", &self.client_id)])
    }

    pub(crate) fn browser(&self, username: &str) -> Browser {
        let browser = Browser::new(username);
        match self.gitlab.ca_pem() {
            Some(ca) => browser.trusting(ca).unwrap(),
            None => browser,
        }
    }

    /// A good authorization request for the public application, with `changes` made to it; an
    /// empty value leaves the parameter out.
    pub(crate) fn authorize_url(&self, redirect_uri: &str, changes: &[(&str, &str)]) -> String {
        let mut params = BTreeMap::from([
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("scope", "read_repository"),
            ("state", "st&te=?"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        params.extend(changes.iter().copied());
        params.retain(|_, value| !value.is_empty());
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        self.url(&format!("/oauth/authorize?{query}"))
    }

    /// Alice logs in through the browser; the answer is the authorization code.
    pub(crate) fn code(&self, callback: &Callback, changes: &[(&str, &str)]) -> String {
        let visit = self.browser("alice").visit(&self.authorize_url(&callback.uri, changes)).unwrap();
        assert!(visit.ok, "{visit:?}");
        callback.take()["code"].clone()
    }

    pub(crate) fn exchange(&self, code: &str, redirect_uri: &str, verifier: &str) -> Reply {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("client_id", &self.client_id),
            ("code_verifier", verifier),
        ])
    }

    /// The start of a fetch or push, with Basic credentials or none.
    pub(crate) fn info_refs(&self, project: &str, service: &str, login: Option<(&str, &str)>) -> Reply {
        let url = self.url(&format!("/{project}.git/info/refs?service={service}"));
        let header = login.map(|(user, password)| basic(user, password));
        let header = header.as_ref().map(|value| ("authorization", value.as_str()));
        self.http.get(&url, header.as_slice()).unwrap()
    }

    pub(crate) fn fetch(&self, project: &str, token: &str) -> Reply {
        self.info_refs(project, "git-upload-pack", Some(("oauth2", token)))
    }

    pub(crate) fn push(&self, project: &str, token: &str) -> Reply {
        self.info_refs(project, "git-receive-pack", Some(("oauth2", token)))
    }

    /// A remote with the token in its address.
    pub(crate) fn remote(&self, project: &str, token: &str) -> String {
        self.url(&format!("/{project}")).replace("://", &format!("://oauth2:{token}@"))
    }
}

/// The header of Basic authentication.
pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// What is wrong with a page on which a visit ended.
pub(crate) fn complaint(visit: &Visit) -> &str {
    assert!(!visit.ok, "this page should complain: {visit:?}");
    &visit.text
}

/// A client's listener on the loopback interface.
pub(crate) struct Callback {
    /// Without a path, as registered.
    pub(crate) uri: String,
    calls: Receiver<BTreeMap<String, String>>,
}

impl Callback {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let (sender, calls) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let target = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let query = target.split([' ', '?']).nth(2).unwrap_or_default();
                let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                let page = "<title>All done</title>";
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                    page.len()
                )
                .unwrap();
                if sender.send(query).is_err() {
                    return;
                }
            }
        });
        Self { uri, calls }
    }

    /// The query of the call that has come.
    pub(crate) fn take(&self) -> BTreeMap<String, String> {
        self.calls.recv().unwrap()
    }

    /// Whether nobody has called.
    pub(crate) fn silent(&self) -> bool {
        self.calls.try_recv().is_err()
    }
}

/// A directory with a clone in it, and git that knows nothing of this machine's settings.
pub(crate) struct Desk {
    pub(crate) home: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { home: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn git(&self, gitlab: &StandIn, args: &[&str]) -> Output {
        let mut git = Command::new("git");
        git.env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "Alice")
            .env("GIT_AUTHOR_EMAIL", "alice@example.com")
            .env("GIT_COMMITTER_NAME", "Alice")
            .env("GIT_COMMITTER_EMAIL", "alice@example.com")
            .current_dir(self.path())
            .args(args);
        if let Some(ca) = gitlab.ca_pem() {
            git.env("GIT_SSL_CAINFO", ca);
        }
        git.output().unwrap()
    }

    pub(crate) fn git_ok(&self, gitlab: &StandIn, args: &[&str]) -> String {
        let output = self.git(gitlab, args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
