//! A certificate authority of the stand-in's own, as a company's internal GitLab has one.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use std::{io, sync::Arc};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    },
};

/// Whom the certificate is for: this machine, and names that no name server knows, which only a
/// proxy of a test's can reach.
const NAMES: [&str; 5] = ["localhost", "127.0.0.1", "::1", "gitlab.test", "gitlab.xn--bcher-kva.test"];

/// The authority's certificate and an acceptor with a server certificate signed by it.
pub(crate) struct Authority {
    pub(crate) certificate_pem: String,
    pub(crate) acceptor: TlsAcceptor,
    /// What a client must show, if it must show anything: its certificate and key.
    pub(crate) client_pem: Option<(String, String)>,
}

impl Authority {
    pub(crate) fn new(client_certificates: bool) -> io::Result<Self> {
        Self::generate(client_certificates).map_err(io::Error::other)
    }

    fn generate(client_certificates: bool) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Stand-in authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let own = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "Stand-in GitLab");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));

        let provider = Arc::new(aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let config = if client_certificates {
            let mut roots = RootCertStore::empty();
            roots.add(own.der().clone())?;
            config.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?,
            )
        } else {
            config.with_no_client_auth()
        };
        let mut config = config.with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client_pem = client_certificates.then(|| client(&issuer)).transpose()?;
        Ok(Self { certificate_pem: own.pem(), acceptor: TlsAcceptor::from(Arc::new(config)), client_pem })
    }
}

/// A certificate for a client, and its key.
fn client(issuer: &Issuer<'_, KeyPair>) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "A client of the stand-in");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}
