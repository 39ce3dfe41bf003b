//! PostgreSQL: a copy of the template cluster, and a configuration that is written anew at every start.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Site, small_disk};
use crate::process;
use crate::services::description::Server;
use crate::services::instance::MAX_CONNECTIONS;

/// Who may come in: those with a password. The server listens on this machine's own addresses only.
const PASSWORDS: &str = "host all all all scram-sha-256\n";

/// The same under TLS only, and one role by its certificate alone.
const PASSWORDS_AND_CERTIFICATES: &str = include_str!("../../../../deploy/services/tls_hba.conf");

/// Copies the template; 50 MB, and a tenth of the time of `initdb`.
pub(super) fn create_cluster(site: &Site<'_>) -> Result<()> {
    let template = site.cache.postgres()?.cluster;
    process::stdout(site.program(Path::new("cp")).arg("-R").arg("-p").arg(template).arg("data"))?;
    let data = site.folder.join("data");
    let main = data.join("postgresql.conf");
    let configuration = fs::read_to_string(&main).context("the template cluster has no configuration")?;
    site.write("data/postgresql.conf", &format!("{configuration}\ninclude '../server.conf'\n"))?;
    Ok(())
}

/// The server on its port.
pub(super) fn command(site: &Site<'_>, server: &Server) -> Result<Command> {
    let mut settings = format!(
        "listen_addresses = '127.0.0.1,::1'\nport = {}\nunix_socket_directories = ''\nmax_connections = {MAX_CONNECTIONS}\nshared_buffers = 128MB\n",
        server.port
    );
    let mut hba = PASSWORDS;
    if let Some(certificates) = &site.certificates {
        // The key must be the server's own: PostgreSQL refuses one that others can read.
        site.write("server.key", &fs::read_to_string(certificates.server_key())?)?;
        let (certificate, ca) = (certificates.server(), certificates.ca());
        settings.push_str("ssl = on\nssl_key_file = '../server.key'\n");
        settings.push_str(&format!("ssl_cert_file = '{}'\nssl_ca_file = '{}'\n", certificate.display(), ca.display()));
        hba = PASSWORDS_AND_CERTIFICATES;
    }
    site.write("server.conf", &settings)?;
    site.write("data/pg_hba.conf", hba)?;
    let mut command = site.program(&site.cache.postgres()?.server);
    command.arg("-D").arg(site.folder.join("data"));
    Ok(match &server.small_disk {
        Some(disk) => small_disk::with(site, disk, command),
        None => command,
    })
}
