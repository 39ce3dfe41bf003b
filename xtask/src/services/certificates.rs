//! Certificates for the servers that speak TLS: two authorities, a server's certificate, a client's.
//!
//! They are made for one run and thrown away with it; the authorities' keys are never written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::description::{ClientCertificate, Tls};
use super::instance::CERTIFIED;

/// The names under which a client of this machine reaches a server.
const SERVER_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Where the files are, all PEM.
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// The files in this folder, made where they are not there yet.
    pub(crate) fn in_folder(folder: PathBuf) -> Result<Self> {
        let certificates = Self { folder };
        // Written last, so that its presence says that all are there.
        if !certificates.ca().exists() {
            certificates.make().with_context(|| format!("no certificates could be made in {}", certificates.folder.display()))?;
        }
        Ok(certificates)
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub(crate) fn server(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.folder.join("server.key")
    }

    /// What a client has to know.
    pub(crate) fn for_clients(&self) -> Tls {
        let client = ClientCertificate::certified(self.folder.join("client.pem"), self.folder.join("client.key"));
        Tls { ca_file: self.ca(), other_ca_file: Some(self.folder.join("other-ca.pem")), client: Some(client) }
    }

    fn make(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        let (ca, ca_pem) = authority("brain test authority")?;
        let (_, other_pem) = authority("another authority")?;
        write(&self.folder.join("other-ca.pem"), &other_pem, 0o644)?;

        let mut server = CertificateParams::new(SERVER_NAMES.map(str::to_owned).to_vec())?;
        server.distinguished_name.push(DnType::CommonName, SERVER_NAMES[0]);
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&ca, server, "server")?;

        // PostgreSQL takes the common name for the role.
        let mut client = CertificateParams::new(Vec::new())?;
        client.distinguished_name.push(DnType::CommonName, CERTIFIED);
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&ca, client, "client")?;

        write(&self.ca(), &ca_pem, 0o644)
    }

    fn sign(&self, ca: &Issuer<'_, KeyPair>, mut params: CertificateParams, name: &str) -> Result<()> {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        write(&self.folder.join(format!("{name}.key")), &key.serialize_pem(), 0o600)?;
        write(&self.folder.join(format!("{name}.pem")), &params.signed_by(&key, ca)?.pem(), 0o644)
    }
}

fn authority(name: &str) -> Result<(Issuer<'static, KeyPair>, String)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

fn write(file: &Path, text: &str, mode: u32) -> Result<()> {
    fs::write(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(mode))?;
    Ok(())
}
