//! The PEM files of TLS: who may vouch for the server, and who we are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, Client, Identity};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::http::chain;
use crate::daemon::files;

/// The bundle of all public authorities has 220 KB. What is larger is none.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// Certificates of authorities, to be trusted instead of the system's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Authorities {
    /// A file.
    pub ca_file: Option<PathBuf>,
    /// A directory of files, or several in the form of PATH.
    pub ca_directory: Option<PathBuf>,
}

/// The files that one place names: git config, or the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsFiles {
    /// Who may vouch for the server.
    #[serde(flatten)]
    pub authorities: Authorities,
    /// Our own certificate.
    pub certificate: Option<PathBuf>,
    /// Its key, if that is in a file of its own.
    pub key: Option<PathBuf>,
    /// What kind of file the certificate is in, if that was said.
    pub certificate_type: Option<String>,
}

impl Authorities {
    /// These and, where there are none, those.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            ca_file: self.ca_file.or_else(|| other.ca_file.clone()),
            ca_directory: self.ca_directory.or_else(|| other.ca_directory.clone()),
        }
    }

    /// All of them; `None` if no place is named.
    pub(super) fn load(&self) -> Result<Option<Vec<Certificate>>, String> {
        let file = self.ca_file.as_deref().map(in_file).transpose();
        let file = file.map_err(|why| format!("http.sslCAInfo {why}"))?;
        let directory = self.ca_directory.as_deref().map(in_directories).transpose();
        let directory = directory.map_err(|why| format!("http.sslCAPath {why}"))?;
        Ok(match (file, directory) {
            (Some(file), Some(directory)) => Some([file, directory].concat()),
            (file, directory) => file.or(directory),
        })
    }
}

impl TlsFiles {
    /// These and, where there are none, those.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            authorities: self.authorities.or(&other.authorities),
            certificate: self.certificate.or_else(|| other.certificate.clone()),
            key: self.key.or_else(|| other.key.clone()),
            certificate_type: self.certificate_type.or_else(|| other.certificate_type.clone()),
        }
    }

    /// Who we are, if the server wants to know.
    pub(super) fn identity(&self) -> Result<Option<Identity>, String> {
        let Some(certificate) = &self.certificate else { return Ok(None) };
        let in_certificate = |why: String| format!("http.sslCert {why}");
        let mut pem = Zeroizing::new(read(certificate).map_err(in_certificate)?);
        let is_pem = self.certificate_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("PEM"));
        if !is_pem || !holds(&pem, "-BEGIN CERTIFICATE-") {
            return Err(in_certificate(format!(
                "{} is no PEM file with a certificate, and no other kind can be read here; write what is in a PKCS#12 \
                 file into one that only you can read, and let http.sslCert name that: {}",
                certificate.display(),
                converting("pkcs12 -nodes", certificate),
            )));
        }
        let key = self.key.as_ref().unwrap_or(certificate);
        let in_key = |why: String| format!("http.sslKey {why}");
        if key != certificate {
            pem.push(b'\n');
            pem.extend_from_slice(&Zeroizing::new(read(key).map_err(in_key)?));
        }
        if holds(&pem, "ENCRYPTED PRIVATE KEY") || holds(&pem, "Proc-Type: 4,ENCRYPTED") {
            return Err(in_key(format!(
                "{} is encrypted, and nobody is there to type its password when a token is renewed; write the key \
                 without a password into a file that only you can read, and let http.sslKey name that: {}",
                key.display(),
                converting("pkey", key),
            )));
        }
        if !holds(&pem, "PRIVATE KEY-") {
            return Err(in_key(format!("{}: there is no key in it; say which file has the key", key.display())));
        }
        let (at, key) = (certificate.display(), key.display());
        let unusable = |why| in_certificate(format!("{at}, with the key in {key}: {}", chain(&why)));
        let identity = Identity::from_pem(&pem).map_err(unusable)?;
        // Whether the two belong together is only looked at here.
        Client::builder().tls_certs_only([]).identity(identity.clone()).build().map_err(unusable)?;
        Ok(Some(identity))
    }
}

/// The command line that writes a file as one that can be used.
fn converting(how: &str, path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&b);
    let quoted = match path.bytes().all(plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    };
    format!("(umask 077; openssl {how} -in {quoted} -out {quoted}.pem)")
}

fn in_file(path: &Path) -> Result<Vec<Certificate>, String> {
    let unusable = |why| format!("{}: {}", path.display(), chain(&why));
    let certificates = Certificate::from_pem_bundle(&read(path)?).map_err(unusable)?;
    if certificates.is_empty() {
        return Err(format!("{}: there is no certificate in it", path.display()));
    }
    vouch(certificates.clone()).map_err(unusable)?;
    Ok(certificates)
}

/// Whether certificates are such that they can vouch for others.
fn vouch(certificates: Vec<Certificate>) -> Result<(), reqwest::Error> {
    Client::builder().tls_certs_only(certificates).build().map(|_| ())
}

/// Every certificate in every file. `openssl rehash` gives each a second name; what is no
/// certificate, or one that can't vouch for anybody, is left out, as openssl does.
fn in_directories(paths: &Path) -> Result<Vec<Certificate>, String> {
    let mut files = BTreeSet::new();
    for directory in std::env::split_paths(paths) {
        let entries = directory.read_dir().map_err(|why| format!("{}: {why}", directory.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            files.extend(read(&path));
        }
    }
    let certificates = files.iter().filter_map(|pem| Certificate::from_pem_bundle(pem).ok()).flatten();
    let certificates: Vec<_> = certificates.filter(|it| vouch(vec![it.clone()]).is_ok()).collect();
    match certificates.is_empty() {
        true => Err(format!("{}: there is no PEM file with a certificate in it", paths.display())),
        false => Ok(certificates),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    files::read_theirs(path, LARGEST_FILE).map_err(|why| format!("{}: {why}", path.display()))
}

fn holds(pem: &[u8], text: &str) -> bool {
    pem.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_is_missing_or_empty_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("ca.pem");
        let named = |why: String| assert!(why.contains(&path.display().to_string()), "{why}");
        let in_file = || Authorities { ca_file: Some(path.clone()), ca_directory: None }.load().map(|_| ());
        named(in_file().expect_err("it is not there"));
        fs::write(&path, "no certificate").expect("written");
        named(in_file().expect_err("it has none"));
        let files = TlsFiles { certificate: Some(path.clone()), ..TlsFiles::default() };
        named(files.identity().map(|_| ()).expect_err("it has none"));
        let nowhere = Authorities { ca_file: None, ca_directory: Some(directory.path().into()) };
        assert!(nowhere.load().is_err(), "the directory has none");
        assert!(Authorities::default().load().expect("nothing to read").is_none());
    }

    #[test]
    fn a_key_that_is_encrypted_says_how_to_help() {
        let directory = tempfile::tempdir().expect("a directory");
        let (certificate, key) = (directory.path().join("me.pem"), directory.path().join("alice's key"));
        fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").expect("written");
        for text in
            ["-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"]
        {
            fs::write(&key, text).expect("written");
            let files =
                TlsFiles { certificate: Some(certificate.clone()), key: Some(key.clone()), ..TlsFiles::default() };
            let why = files.identity().map(|_| ()).expect_err("nobody knows its password");
            let quoted = format!("'{}'", key.display().to_string().replace('\'', r"'\''"));
            assert!(why.ends_with(&format!("(umask 077; openssl pkey -in {quoted} -out {quoted}.pem)")), "{why}");
        }
    }
}
