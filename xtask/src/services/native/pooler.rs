//! pgbouncer in transaction mode, in front of the plain PostgreSQL server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Site;
use crate::process;
use crate::services::description::{Description, Server};
use crate::services::instance::{MAX_CONNECTIONS, SUPERUSER};

/// Fewer connections than clients: that is what a pooler is for, and what tests want to see.
const POOL: u32 = 20;

/// The pooler on its port.
pub(super) fn command(site: &Site<'_>, server: &Server, description: &Description) -> Result<Command> {
    let behind = site.instance.behind().context("a pooler has a server behind it")?;
    let postgres = description.server(behind)?;
    let users = site.write("users.txt", &users(&postgres.password))?;
    let settings = site.write("pgbouncer.ini", &settings(&postgres.host, postgres.port, "127.0.0.1", server.port, &users))?;
    let mut command = match on_path("pgbouncer") {
        Some(program) => site.program(&program),
        None => {
            let unpacked = site.cache.pgbouncer()?;
            let mut command = site.program(&unpacked.join("usr/sbin/pgbouncer"));
            // The libraries lie in a folder named for the architecture.
            let folders = fs::read_dir(unpacked.join("usr/lib"))?.filter_map(|entry| Some(entry.ok()?.path()));
            command.env("LD_LIBRARY_PATH", std::env::join_paths(folders)?);
            command
        }
    };
    command.arg(settings);
    Ok(command)
}

/// Who may come in, and as whom the pooler goes on. In clear: with a SCRAM secret alone it could let clients in, but not log in itself.
pub(crate) fn users(password: &str) -> String {
    format!("\"{SUPERUSER}\" \"{password}\"\n")
}

/// Between a server and the address to listen at.
pub(crate) fn settings(host: &str, port: u16, listen: &str, listen_port: u16, users: &Path) -> String {
    let users = users.display();
    format!(
        "[databases]\n* = host={host} port={port}\n[pgbouncer]\nlisten_addr = {listen}\nlisten_port = {listen_port}\nunix_socket_dir =\n\
         auth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\ndefault_pool_size = {POOL}\nmax_client_conn = {MAX_CONNECTIONS}\n"
    )
}

/// Fetches the distribution's package, and those of the libraries that are not installed; needs no root, for nothing is installed.
pub(super) fn unpack_distribution_package(folder: &Path) -> Result<()> {
    println!("services: fetching pgbouncer from the distribution");
    let wrong = "pgbouncer is not installed, and the distribution's package could not be fetched; install it, or bring up the other servers by name";
    let depends = process::stdout(Command::new("apt-cache").args(["depends", "--important", "pgbouncer"])).context(wrong)?;
    let mut packages = vec!["pgbouncer".to_owned()];
    packages.extend(libraries(&depends).filter(|library| !is_installed(library)).map(str::to_owned));
    process::stdout(Command::new("apt-get").arg("download").args(&packages).current_dir(folder)).context(wrong)?;
    for file in fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()? {
        if file.path().extension().is_some_and(|extension| extension == "deb") {
            process::stdout(Command::new("dpkg").arg("-x").arg(file.path()).arg(folder))?;
            fs::remove_file(file.path())?;
        }
    }
    if !folder.join("usr/sbin/pgbouncer").exists() {
        bail!("the distribution's package holds no pgbouncer");
    }
    Ok(())
}

/// The libraries that `apt-cache depends` names.
fn libraries(depends: &str) -> impl Iterator<Item = &str> {
    depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).filter(|package| package.starts_with("lib"))
}

fn is_installed(package: &str) -> bool {
    process::stdout(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    // Daemons are kept where ordinary users do not look.
    let folders = std::env::split_paths(&folders).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_from_other_dependencies() {
        let depends = "pgbouncer\n  Depends: libc6\n |Depends: debconf\n  Depends: libevent-2.1-7\n  Depends: <debconf-2.0>\n";
        assert_eq!(libraries(depends).collect::<Vec<_>>(), ["libc6", "libevent-2.1-7"]);
    }
}
