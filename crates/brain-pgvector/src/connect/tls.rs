//! TLS as libpq understands `sslmode`, by rustls.
//!
//! | sslmode | encrypted | certificate checked | name checked |
//! |---|---|---|---|
//! | `disable` | no | | |
//! | `allow`, `prefer` (default) | where the server offers it | with a root certificate | no |
//! | `require` | yes | with a root certificate | no |
//! | `verify-ca` | yes | yes | no |
//! | `verify-full` | yes | yes | yes |
//!
//! A root certificate is a file, or `system`, which stands for the authorities that this machine trusts and asks for `verify-full`, as anyone can get
//! a certificate of those. A server's certificate that is itself in the file is trusted as it is: PostgreSQL's manual makes such a one, signed by
//! itself, and no chain leads from it. Names are those of `subjectAltName`; the common name, long out of use, is not looked at.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brain_core::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What `sslmode` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    /// Reads `sslmode`; with the system's roots the default is `verify-full`, as in libpq, and nothing weaker is taken.
    pub(super) fn of(sslmode: Option<&str>, roots: Option<&Roots>) -> Result<Self> {
        let by_system = roots == Some(&Roots::System);
        let mode = match sslmode {
            None if by_system => Self::VerifyFull,
            Some("disable") => Self::Disable,
            None | Some("allow" | "prefer") => Self::Prefer,
            Some("require") => Self::Require,
            Some("verify-ca") => Self::VerifyCa,
            Some("verify-full") => Self::VerifyFull,
            Some(_) => {
                return Err(Error::config("connection_string has an sslmode that PostgreSQL does not know")
                    .with_hint("it is one of disable, allow, prefer, require, verify-ca, verify-full"));
            }
        };
        if by_system && !matches!(mode, Self::Disable | Self::VerifyFull) {
            return Err(Error::config("ssl_root_cert=system checks nothing without the server's name").with_hint("use sslmode=verify-full with it"));
        }
        if roots.is_none() && matches!(mode, Self::VerifyCa | Self::VerifyFull) {
            return Err(Error::config("sslmode=verify-ca and verify-full need a certificate to check against, and there is no ssl_root_cert").with_hint(
                "set ssl_root_cert to the file of the authority that signed the server's certificate, or to `system` for those that this machine trusts",
            ));
        }
        Ok(mode)
    }
}

/// Who may sign a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Roots {
    System,
    File(PathBuf),
}

/// What is known of TLS before a connection.
#[derive(Clone)]
pub(super) struct Tls {
    mode: Mode,
    roots: Option<Roots>,
    /// The files of the client's certificate and its key.
    identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    pub(super) fn new(mode: Mode, roots: Option<Roots>, certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Self> {
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Error::config("ssl_cert is set, and ssl_key is not").with_hint("a client certificate needs its private key"));
            }
            (None, Some(_)) => return Err(Error::config("ssl_key is set, and ssl_cert is not").with_hint("a private key needs its certificate")),
        };
        Ok(Self { mode, roots, identity })
    }

    /// Reads the files and makes what the driver connects by.
    ///
    /// # Errors
    /// [`Config`](brain_core::ErrorKind::Config) naming a certificate or key that cannot be used; that of the file system for a file that cannot be read.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(ring::default_provider());
        // Without TLS no file is read: one that is not there must not be in the way.
        let roots = self.roots.as_ref().filter(|_| self.mode != Mode::Disable).map(read_roots).transpose()?;
        let verifier = Verifier { roots, name: self.mode == Mode::VerifyFull, algorithms: provider.signature_verification_algorithms };
        let builder = builder(provider)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.identity.as_ref().filter(|_| self.mode != Mode::Disable) {
            Some((certificate, key)) => {
                let chain = read_certificates(certificate, "ssl_cert")?;
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(error, key, "ssl_key"))?;
                builder.with_client_auth_cert(chain, private).map_err(|error| {
                    Error::config(format!("ssl_cert {} and ssl_key {} cannot be used: {error}", certificate.display(), key.display()))
                        .with_hint("the first certificate of ssl_cert must belong to the key")
                })?
            }
            None => builder.with_no_client_auth(),
        };
        // The name of PostgreSQL's protocol within TLS; `sslnegotiation=direct` needs it.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(MakeRustlsConnect::new(config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("mode", &self.mode).field("roots", &self.roots).field("identity", &self.identity).finish()
    }
}

fn builder(provider: Arc<CryptoProvider>) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::unexpected(format!("TLS cannot be set up: {error}")))
}

fn read_roots(roots: &Roots) -> Result<Trusted> {
    let mut store = RootCertStore::empty();
    let certificates = match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
                return Err(Error::config(format!("this machine trusts no certificates, which ssl_root_cert=system asks for{why}"))
                    .with_hint("install the system's package of authorities (ca-certificates), or name a file"));
            }
            Vec::new()
        }
        Roots::File(path) => {
            let certificates = read_certificates(path, "ssl_root_cert")?;
            for certificate in &certificates {
                // One that cannot be an authority may still be the server's own.
                let _ = store.add(certificate.clone());
            }
            certificates
        }
    };
    Ok(Trusted { store, certificates })
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

#[derive(Debug)]
struct Trusted {
    store: RootCertStore,
    /// What a file holds, for a server's certificate that is in it itself.
    certificates: Vec<CertificateDer<'static>>,
}

/// Checks what `sslmode` asks for, and the handshake's signature always.
#[derive(Debug)]
struct Verifier {
    roots: Option<Trusted>,
    name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let parsed = ParsedCertificate::try_from(certificate)?;
            if !roots.certificates.iter().any(|trusted| trusted == certificate) {
                verify_server_cert_signed_by_trust_anchor(&parsed, &roots.store, intermediates, now, self.algorithms.all)?;
            }
            if self.name {
                verify_server_name(&parsed, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
