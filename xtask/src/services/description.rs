//! What a run says of itself: where each server listens, and who may come in. Every provider writes the same description.
//!
//! The file is `services.json` in the folder of the run, readable by its owner alone, for it holds passwords.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::daemon::Process;
use super::instance::{CERTIFIED, DATABASE, Engine, Instance, REDIS_DEFAULT_USER, REDIS_USER, SMALL_DISK_MIB, SUPERUSER};
use super::provider::Provider;

/// Everything a test has to know of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) provider: Provider,
    /// This program, for tests that stop and start a server: `PROGRAM services restart NAME`.
    pub(crate) program: PathBuf,
    /// The repository's root, where the compose file is.
    pub(crate) root: PathBuf,
    /// Where the servers' data lies: the folder of the run, or another where the servers' user cannot reach that.
    pub(crate) data: PathBuf,
    /// The process that takes this run down when it ends; a run whose owner is gone is left over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Process>,
    /// Client programs of the servers' versions, by name: `psql`, `pgbench`, `redis-cli`.
    pub(crate) tools: BTreeMap<String, PathBuf>,
    /// The servers by name.
    pub(crate) servers: BTreeMap<String, Server>,
}

/// One server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
    /// Present where the server speaks TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<Tls>,
    /// A folder of the server with little room, for a tablespace; absent where none can be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) small_disk: Option<SmallDisk>,
}

/// The files that go with a server that speaks TLS, all PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tls {
    /// The authority that signed the server's certificate.
    pub(crate) ca_file: PathBuf,
    /// An authority that did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other_ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<ClientCertificate>,
}

/// A certificate that the server lets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientCertificate {
    /// The role it stands for.
    pub(crate) user: String,
    pub(crate) cert_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

/// A folder with little room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SmallDisk {
    /// As the server sees it.
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl SmallDisk {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, bytes: SMALL_DISK_MIB << 20 }
    }
}

impl Server {
    /// A server of this machine as native and docker set it up.
    pub(crate) fn local(instance: &Instance, port: u16, password: &str, tls: Option<Tls>) -> Self {
        let postgres = instance.engine != Engine::Redis;
        let user = match instance.engine {
            Engine::Postgres | Engine::Pgbouncer => SUPERUSER,
            Engine::Redis if instance.tls => REDIS_USER,
            Engine::Redis => REDIS_DEFAULT_USER,
        };
        Self {
            // Certificates are for names; without one, a name could only be looked up wrongly.
            host: if instance.tls { "localhost" } else { "127.0.0.1" }.to_owned(),
            port,
            user: user.to_owned(),
            password: password.to_owned(),
            database: postgres.then(|| DATABASE.to_owned()),
            tls: tls.map(|tls| Tls { client: tls.client.filter(|_| postgres), ..tls }),
            small_disk: None,
        }
    }

    /// `postgres://user:password@host:port/database`, or `redis[s]://…`.
    pub(crate) fn url(&self, engine: Engine) -> String {
        let scheme = match engine {
            Engine::Redis if self.tls.is_some() => "rediss",
            Engine::Redis => "redis",
            Engine::Postgres | Engine::Pgbouncer => "postgres",
        };
        let database = self.database.as_deref().map(|name| format!("/{}", encoded(name))).unwrap_or_default();
        format!("{scheme}://{}:{}@{}:{}{database}", encoded(&self.user), encoded(&self.password), self.host, self.port)
    }
}

impl ClientCertificate {
    pub(crate) fn certified(cert_file: PathBuf, key_file: PathBuf) -> Self {
        Self { user: CERTIFIED.to_owned(), cert_file, key_file }
    }
}

impl Description {
    /// The description of a run, or nothing where there is none.
    pub(crate) fn load(file: &Path) -> Result<Option<Self>> {
        match fs::read_to_string(file) {
            Ok(text) => {
                let hint = || format!("{} is no description of servers; remove it, then `cargo xtask services up`", file.display());
                serde_json::from_str(&text).with_context(hint).map(Some)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }

    /// The server of that name, which must be part of this run.
    pub(crate) fn server(&self, instance: &Instance) -> Result<&Server> {
        let name = instance.name;
        self.servers.get(name).with_context(|| format!("{name} is not part of this run; `cargo xtask services up {name}` adds it"))
    }

    /// Writes it whole or not at all.
    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        let draft = file.with_extension("draft");
        let wrong = || format!("{} cannot be written", file.display());
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(wrong)?;
        }
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&draft).with_context(wrong)?;
        out.write_all(serde_json::to_string_pretty(self)?.as_bytes()).with_context(wrong)?;
        fs::rename(&draft, file).with_context(wrong)
    }

    /// Lines for a shell: where the description is, a URL per server, and the settings that make `brain` use the plain ones.
    pub(crate) fn shell(&self, file: &Path) -> String {
        let mut lines = export("BRAIN_SERVICES", &file.to_string_lossy());
        for (name, server) in &self.servers {
            let Some(instance) = Instance::named(name) else { continue };
            let url = server.url(instance.engine);
            lines.push_str(&export(&format!("BRAIN_SERVICES_{}_URL", instance.variable()), &url));
            if let Some(tls) = &server.tls {
                lines.push_str(&export(&format!("BRAIN_SERVICES_{}_CA", instance.variable()), &tls.ca_file.to_string_lossy()));
            }
            match *name {
                _ if name == "postgres" => lines.push_str(&export("FIFTYONE_BRAIN_SIMILARITY_PGVECTOR_CONNECTION_STRING", &url)),
                _ if name == "redis" => lines.push_str(&export("FIFTYONE_BRAIN_SIMILARITY_REDIS_URL", &url)),
                _ => {}
            }
        }
        lines
    }
}

fn export(name: &str, value: &str) -> String {
    format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
}

/// Percent-encodes what has a meaning in a URL.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
