//! TLS by rustls: the server's certificate and its name are always checked.
//!
//! Those who may sign are in a file, or the authorities that this machine trusts. A client certificate is shown where one is named.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brain_core::{Error, Result};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// What is known of TLS before a connection.
#[derive(Clone)]
pub(super) struct Tls {
    roots: Option<PathBuf>,
    /// The files of the client's certificate and its key.
    identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    pub(super) fn new(roots: Option<PathBuf>, certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Self> {
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Error::config("ssl_cert is set, and ssl_key is not").with_hint("a client certificate needs its private key"));
            }
            (None, Some(_)) => return Err(Error::config("ssl_key is set, and ssl_cert is not").with_hint("a private key needs its certificate")),
        };
        Ok(Self { roots, identity })
    }

    /// Reads the files and makes what the driver connects by.
    ///
    /// # Errors
    /// [`Config`](brain_core::ErrorKind::Config) naming a certificate or key that cannot be used; that of the file system for a file that cannot be read.
    pub(super) fn config(&self) -> Result<ClientConfig> {
        let roots = self.read_roots()?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::unexpected(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots);
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some((certificate, key)) => {
                let chain = read_certificates(certificate, "ssl_cert")?;
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(error, key, "ssl_key"))?;
                builder.with_client_auth_cert(chain, private).map_err(|error| {
                    Error::config(format!("ssl_cert {} and ssl_key {} cannot be used: {error}", certificate.display(), key.display()))
                        .with_hint("the first certificate of ssl_cert must belong to the key")
                })
            }
        }
    }

    fn read_roots(&self) -> Result<RootCertStore> {
        let mut store = RootCertStore::empty();
        match &self.roots {
            None => {
                let found = rustls_native_certs::load_native_certs();
                store.add_parsable_certificates(found.certs);
                if store.is_empty() {
                    let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
                    return Err(Error::config(format!("this machine trusts no certificates, and ssl_root_cert names none{why}"))
                        .with_hint("install the system's package of authorities (ca-certificates), or name a file with ssl_root_cert"));
                }
            }
            Some(path) => {
                for certificate in read_certificates(path, "ssl_root_cert")? {
                    store.add(certificate).map_err(|error| {
                        Error::config(format!("ssl_root_cert {} holds a certificate that cannot be used: {error}", path.display()))
                    })?;
                }
            }
        }
        Ok(store)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("roots", &self.roots).field("identity", &self.identity).finish()
    }
}

fn read_certificates(path: &Path, parameter: &'static str) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error| unreadable(error, path, parameter);
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(unreadable)?;
    if certificates.is_empty() { Err(unreadable(pem::Error::NoItemsFound)) } else { Ok(certificates) }
}

fn unreadable(error: pem::Error, path: &Path, parameter: &'static str) -> Error {
    match error {
        pem::Error::Io(error) => Error::io(&format!("read {parameter}"), path, error),
        pem::Error::NoItemsFound if parameter == "ssl_key" => {
            Error::config(format!("ssl_key {} holds no private key that can be used", path.display()))
                .with_hint("it is PEM and not encrypted: `openssl pkey -in KEY -out PLAIN` takes a passphrase away")
        }
        pem::Error::NoItemsFound => Error::config(format!("{parameter} {} holds no certificate", path.display())).with_hint("it is PEM"),
        error => Error::config(format!("{parameter} {} is no PEM file: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_will_not_do_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing").unwrap();
        let refused = |tls: Tls| tls.config().err().unwrap();
        let error = refused(Tls::new(Some(empty.clone()), None, None).unwrap());
        assert!(error.message().contains("ssl_root_cert") && error.message().contains("holds no certificate"), "{error}");
        let error = refused(Tls::new(Some(folder.path().join("none.pem")), None, None).unwrap());
        assert_eq!(error.kind(), brain_core::ErrorKind::NotFound);
    }
}
