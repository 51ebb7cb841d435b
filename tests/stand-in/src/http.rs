//! A small blocking HTTP client: one request, one connection. The browser is built on it, and tests
//! use it for raw requests, since it follows and retries nothing.

use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{io, path::Path, sync::Arc, thread};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

/// The client, and the one authority it trusts for HTTPS.
#[derive(Clone, Default)]
pub struct Client {
    tls: Option<TlsConnector>,
}

/// A complete response.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's text, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Client {
    /// A client that trusts the authority in this PEM file, and nobody else.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds no certificate.
    pub fn trusting(ca_pem: &Path) -> io::Result<Self> {
        Self::identified_by(ca_pem, None)
    }

    /// The same, which shows this certificate with its key.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or does not hold what it should.
    pub fn identified_by(ca_pem: &Path, client_pem: Option<(&Path, &Path)>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_pem).map_err(io::Error::other)? {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        let config = match client_pem {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
                config.with_client_auth_cert(vec![certificate], key).map_err(io::Error::other)?
            }
        };
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// GET with headers.
    ///
    /// # Errors
    ///
    /// If no complete response arrives.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> io::Result<Reply> {
        self.send(Method::GET, url, headers, Bytes::new())
    }

    /// POST of a form, with headers.
    ///
    /// # Errors
    ///
    /// If no complete response arrives.
    pub fn post(&self, url: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> io::Result<Reply> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers: Vec<_> = headers.iter().copied().chain([kind]).collect();
        self.send(Method::POST, url, &headers, Bytes::from(body))
    }

    /// Any request.
    ///
    /// # Errors
    ///
    /// If no complete response arrives.
    pub fn send(&self, method: Method, url: &str, headers: &[(&str, &str)], body: Bytes) -> io::Result<Reply> {
        let uri: Uri = url.parse().map_err(io::Error::other)?;
        let authority = uri.authority().ok_or(io::ErrorKind::InvalidInput)?;
        // `http://host?query` has an empty path, which may not be sent as such.
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", uri.path());
        let mut request = Request::builder().method(method).uri(target).header(header::HOST, authority.as_str());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // On a thread of its own, so that it also works inside somebody's asynchronous test.
        thread::scope(|scope| {
            let exchange = scope.spawn(|| runtime.block_on(self.exchange(&uri, request)));
            exchange.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    async fn exchange(&self, uri: &Uri, request: Request<Full<Bytes>>) -> io::Result<Reply> {
        let host = uri.host().ok_or(io::ErrorKind::InvalidInput)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if !https {
            return converse(stream, request).await;
        }
        let tls = self.tls.as_ref().ok_or_else(|| io::Error::other("https needs an authority"))?;
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        converse(tls.connect(name, stream).await?, request).await
    }
}

async fn converse<S>(stream: S, request: Request<Full<Bytes>>) -> io::Result<Reply>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Reply { status: parts.status, headers: parts.headers, body })
}
