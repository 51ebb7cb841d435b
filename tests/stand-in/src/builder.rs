//! Starting a server.

use crate::{
    StandIn,
    server::{Authority, Listeners, Server},
    stand_in::Files,
    world::{Shared, Site, World},
};
use std::{fs, io, net::TcpListener, sync::Arc};

/// Options of a server; all have defaults.
#[derive(Clone, Debug)]
pub struct Builder {
    https: bool,
    client_certificates: bool,
    base_path: String,
    address: String,
    host: Option<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            https: false,
            client_certificates: false,
            base_path: String::new(),
            address: "127.0.0.1:0".to_owned(),
            host: None,
        }
    }
}

impl Builder {
    /// Serves HTTPS with a certificate for `127.0.0.1`, `::1`, `localhost`, and the names
    /// `gitlab.test` and `gitlab.bücher.test`, which lead nowhere without a proxy; it is signed by
    /// an authority made for this server alone. Default: plain HTTP.
    pub fn https(mut self, https: bool) -> Self {
        self.https = https;
        self
    }

    /// Serves HTTPS to those alone who show [`StandIn::client_pem`].
    pub fn client_certificates(mut self) -> Self {
        self.client_certificates = true;
        self.https(true)
    }

    /// Installs GitLab below a path, such as `/gitlab`. Default: at the root.
    pub fn base_path(mut self, path: &str) -> Self {
        self.base_path = path.trim_end_matches('/').to_owned();
        self
    }

    /// Where to listen. Default: a free port of `127.0.0.1`.
    pub fn address(mut self, address: &str) -> Self {
        self.address = address.to_owned();
        self
    }

    /// The name in every address it prints, such as `localhost`. Default: the number it listens on.
    pub fn host(mut self, name: &str) -> Self {
        self.host = Some(name.to_owned());
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// With the reason, if it cannot be started.
    pub fn start(self) -> StandIn {
        self.try_start().unwrap_or_else(|error| panic!("the stand-in cannot start: {error}"))
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// If the address is taken, or there is no room for temporary files.
    pub fn try_start(self) -> io::Result<StandIn> {
        if !self.base_path.is_empty() && !self.base_path.starts_with('/') {
            return Err(io::Error::other("a base path begins with a slash"));
        }
        let home = tempfile::Builder::new().prefix("gitlab-stand-in-").tempdir()?;
        fs::create_dir(home.path().join("repositories"))?;
        fs::create_dir(home.path().join("lfs"))?;
        // The repositories may belong to another user, in a container or under sudo; and GitLab lets
        // clients leave blobs out, and ask for any commit.
        let git_config = "[safe]\n\tdirectory = *\n[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n";
        fs::write(home.path().join(".gitconfig"), git_config)?;

        let gitlab = TcpListener::bind(&self.address)?;
        // A port of its own: nothing that looks for GitLab can stumble into the controls.
        let control = TcpListener::bind("127.0.0.1:0")?;
        let scheme = if self.https { "https" } else { "http" };
        let listens = gitlab.local_addr()?;
        let host = self.host.map_or_else(|| listens.to_string(), |name| format!("{name}:{}", listens.port()));
        let origin = format!("{scheme}://{host}");
        let control_url = format!("http://{}", control.local_addr()?);

        let authority = self.https.then(|| Authority::new(self.client_certificates)).transpose()?;
        let ca_pem = home.path().join("ca.pem");
        if let Some(authority) = &authority {
            fs::write(&ca_pem, &authority.certificate_pem)?;
        }
        let client_pem = (home.path().join("client.pem"), home.path().join("client.key"));
        let shown = authority.as_ref().and_then(|authority| authority.client_pem.as_ref());
        if let Some((certificate, key)) = shown {
            fs::write(&client_pem.0, certificate)?;
            fs::write(&client_pem.1, key)?;
        }
        let client_pem = shown.is_some().then_some(client_pem);
        let ca_pem = authority.is_some().then_some(ca_pem);
        let acceptor = authority.map(|authority| authority.acceptor);

        let site = Site { origin, base_path: self.base_path, home: home.path().to_owned() };
        let url = site.url("");
        let shared = Arc::new(Shared::new(World::new(site)));
        let listeners = Listeners { gitlab, control };
        let server = Server::start(Arc::clone(&shared), listeners, acceptor)?;
        Ok(StandIn::new(server, shared, url, control_url, Files { ca_pem, client_pem, _home: home }))
    }
}
