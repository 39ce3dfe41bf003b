//! Redis with the two modules that a vector index needs, or without; nothing is kept over a restart, except by the server whose restarts are tested.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::Site;
use crate::services::description::Server;

/// The server on its port.
pub(super) fn command(site: &Site<'_>, server: &Server) -> Result<Command> {
    let programs = site.cache.redis()?;
    let port = server.port;
    let mut settings = format!("bind 127.0.0.1 -::1\ndir {}\nsave \"\"\n", site.folder.display());
    settings.push_str(if site.instance.faults { "appendonly yes\n" } else { "appendonly no\n" });
    for module in programs.modules.iter().filter(|_| site.instance.has_modules()) {
        settings.push_str(&format!("loadmodule {}\n", module.display()));
    }
    // A server with an ACL file refuses `requirepass`: it is one or the other.
    match &site.certificates {
        Some(certificates) => {
            let key = site.write("server.key", &fs::read_to_string(certificates.server_key())?)?;
            let acl = site.write("users.acl", &format!("user default off\nuser {} on >{} ~* &* +@all\n", server.user, server.password))?;
            settings.push_str(&format!("port 0\ntls-port {port}\ntls-auth-clients no\ntls-key-file {}\n", key.display()));
            settings.push_str(&format!("tls-cert-file {}\ntls-ca-cert-file {}\n", certificates.server().display(), certificates.ca().display()));
            settings.push_str(&format!("aclfile {}\n", acl.display()));
        }
        None => settings.push_str(&format!("port {port}\nrequirepass {}\n", server.password)),
    }
    let configuration = site.write("redis.conf", &settings)?;
    let mut command = site.program(&programs.server);
    command.arg(configuration);
    Ok(command)
}
