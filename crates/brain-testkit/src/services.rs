//! The real servers that tests talk to: PostgreSQL with pgvector, Redis Stack, in the variants that a client can meet.
//!
//! `cargo xtask services up` starts them and describes them in a file; this module reads it. A test that needs a server calls for
//! it by name and panics where it is not there, with one sentence that says which command starts it. All tests share the servers:
//! each keeps to a schema, or to key names, of its own. Those of the two `…_faults` functions may be stopped and filled up, so
//! one test at a time has them, across threads and processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// Names the description's file, where it is not in the target folder that the test was built in.
const VARIABLE: &str = "BRAIN_SERVICES";

const COMMAND: &str = "`cargo xtask services up` starts it";

/// One server: where it listens, and who may come in.
#[derive(Clone, Debug, Deserialize)]
pub struct Server {
    /// `localhost` where the server has a certificate, which is for this name; else `127.0.0.1`.
    pub host: String,
    /// TCP; the same after a restart.
    pub port: u16,
    /// PostgreSQL: the superuser. Redis: a user who may do everything.
    pub user: String,
    /// The user's password: hexadecimal digits, so that it needs no quoting, unless the server is not ours (provider `external`).
    pub password: String,
    /// PostgreSQL: a database that has the extension `vector`. The database `postgres` beside it has not.
    #[serde(default)]
    pub database: String,
    /// Present where the server speaks TLS, and then it speaks nothing else.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// `postgres_faults` alone: a folder for a tablespace that is soon full; absent where the system gives none.
    #[serde(default)]
    pub small_disk: Option<SmallDisk>,
}

/// What a client needs of TLS; all files are PEM.
#[derive(Clone, Debug, Deserialize)]
pub struct Tls {
    /// The authority that signed the server's certificate.
    pub ca_file: PathBuf,
    /// An authority that did not, for the test that it is refused.
    pub other_ca_file: Option<PathBuf>,
    /// A certificate that lets a client in without a password (PostgreSQL).
    pub client: Option<ClientCertificate>,
}

/// A certificate that lets a client in.
#[derive(Clone, Debug, Deserialize)]
pub struct ClientCertificate {
    /// The role it stands for. It has no password, and no rights but to connect and to create schemas in the database.
    pub user: String,
    /// The certificate.
    pub cert_file: PathBuf,
    /// Its private key (PKCS #8).
    pub key_file: PathBuf,
}

/// A folder with little room, as the server sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct SmallDisk {
    /// Empty, and owned by the server's user: right for `CREATE TABLESPACE … LOCATION`.
    pub path: PathBuf,
    /// All the room there is, in bytes.
    pub bytes: u64,
}

impl Server {
    /// The server as one URL: `postgres://user:password@host:port/database`, `redis://user:password@host:port`, `rediss://…` under
    /// TLS. The TLS files are not in it: every client has its own names for them.
    pub fn url(&self) -> String {
        let Self { host, port, user, password, database, tls, .. } = self;
        match (database.as_str(), tls) {
            ("", None) => format!("redis://{user}:{password}@{host}:{port}"),
            ("", Some(_)) => format!("rediss://{user}:{password}@{host}:{port}"),
            _ => format!("postgres://{user}:{password}@{host}:{port}/{database}"),
        }
    }
}

/// PostgreSQL with pgvector: no TLS, passwords by SCRAM.
///
/// # Panics
/// Where it is not up; so do all functions here.
pub fn postgres() -> Server {
    named("postgres")
}

/// PostgreSQL that the network reaches under TLS only: by password, or by client certificate.
pub fn postgres_tls() -> Server {
    named("postgres-tls")
}

/// PostgreSQL for this test alone, to stop, start, and run out of disk.
pub fn postgres_faults() -> Exclusive {
    Exclusive::claim("postgres-faults")
}

/// pgbouncer in transaction mode, in front of [`postgres`].
pub fn pgbouncer() -> Server {
    named("pgbouncer")
}

/// Redis Stack with a password.
pub fn redis() -> Server {
    named("redis")
}

/// Redis Stack under TLS only, with an ACL file.
pub fn redis_tls() -> Server {
    named("redis-tls")
}

/// Redis Stack for this test alone, to stop, start, and run out of memory. It keeps an append-only file: a restart loses nothing.
pub fn redis_faults() -> Exclusive {
    Exclusive::claim("redis-faults")
}

/// Redis without the modules of Redis Stack.
pub fn redis_bare() -> Server {
    named("redis-bare")
}

/// A client program of the servers' own version (`psql`, `pgbench`, `redis-cli`), where the provider has one.
pub fn tool(name: &str) -> Option<PathBuf> {
    found(name).1.tools.remove(name)
}

/// A server that one test has to itself until it drops this.
#[derive(Debug)]
pub struct Exclusive {
    server: Server,
    name: &'static str,
    file: PathBuf,
    program: PathBuf,
    /// Released when it is closed.
    _lock: File,
}

impl Exclusive {
    /// Waits until no other test has the server, and starts it where the last one left it stopped.
    fn claim(name: &'static str) -> Self {
        let (file, mut description) = found(name);
        let lock = File::create(file.with_file_name(format!("{name}.lock"))).expect("the folder of the servers can be written");
        lock.lock().expect("the server can be locked");
        let program = description.program;
        let server = description.servers.remove(name).unwrap_or_else(|| panic!("{}", absent(name)));
        let exclusive = Self { server, name, file, program, _lock: lock };
        exclusive.start();
        exclusive
    }

    /// Starts the server and waits until it answers; nothing happens where it runs.
    pub fn start(&self) {
        self.control("start");
    }

    /// Stops the server as an operator would, and waits until it is gone: sessions are cut off, what was acknowledged is kept.
    pub fn stop(&self) {
        self.control("stop");
    }

    /// Stops and starts it, on the same port.
    pub fn restart(&self) {
        self.control("restart");
    }

    fn control(&self, verb: &str) {
        let output = Command::new(&self.program).args(["services", verb, self.name]).env(VARIABLE, &self.file).output();
        let output = output.unwrap_or_else(|error| panic!("{} could not be started: {error}", self.program.display()));
        assert!(output.status.success(), "{} cannot {verb}: {}", self.name, String::from_utf8_lossy(&output.stderr));
    }
}

impl Deref for Exclusive {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// What `cargo xtask services` writes, as far as tests need it.
#[derive(Deserialize)]
struct Description {
    program: PathBuf,
    tools: BTreeMap<String, PathBuf>,
    servers: BTreeMap<String, Server>,
}

fn named(name: &str) -> Server {
    found(name).1.servers.remove(name).unwrap_or_else(|| panic!("{}", absent(name)))
}

fn found(name: &str) -> (PathBuf, Description) {
    let variable = std::env::var_os(VARIABLE).map(PathBuf::from);
    let built = std::env::current_exe().unwrap_or_default();
    let file = description_file(variable, &built).unwrap_or_else(|| panic!("{}", absent(name)));
    match fs::read_to_string(&file) {
        Ok(text) => match serde_json::from_str(&text) {
            Ok(description) => (file, description),
            Err(error) => panic!("{} does not describe servers ({error}); remove it, then {COMMAND}", file.display()),
        },
        Err(_) => panic!("{}", absent(name)),
    }
}

/// The file that the variable names, else that of the target folder which holds the running test: each checkout, and each target
/// folder of one, has its own.
fn description_file(variable: Option<PathBuf>, test: &Path) -> Option<PathBuf> {
    variable.or_else(|| test.ancestors().map(|folder| folder.join("services/default/services.json")).find(|file| file.exists()))
}

fn absent(name: &str) -> String {
    format!("this test needs the server {name:?}, which is not up; {COMMAND}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_names_the_command_that_starts_it() {
        assert!(absent("redis").contains("\"redis\"") && absent("redis").contains("`cargo xtask services up`"));
    }

    #[test]
    fn the_variable_comes_first_then_the_target_folder_of_the_test() {
        let target = std::env::temp_dir().join(format!("brain-testkit-services-{}", std::process::id()));
        let file = target.join("services/default/services.json");
        let test = target.join("debug/deps/conformance-0123");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        assert_eq!(description_file(None, &test), None);
        fs::write(&file, "{}").unwrap();
        assert_eq!(description_file(None, &test), Some(file));
        assert_eq!(description_file(Some("elsewhere.json".into()), &test), Some("elsewhere.json".into()));
        fs::remove_dir_all(target).unwrap();
    }

    #[test]
    fn a_description_is_read_and_becomes_a_url() {
        let text = r#"{"provider": "native", "program": "xtask", "tools": {}, "servers": {
            "postgres": {"host": "127.0.0.1", "port": 15432, "user": "postgres", "password": "f00", "database": "brain"},
            "redis-tls": {"host": "localhost", "port": 16379, "user": "brain", "password": "ba5", "tls": {"ca_file": "ca.pem"}}}}"#;
        let description: Description = serde_json::from_str(text).unwrap();
        assert_eq!(description.servers["postgres"].url(), "postgres://postgres:f00@127.0.0.1:15432/brain");
        assert_eq!(description.servers["redis-tls"].url(), "rediss://brain:ba5@localhost:16379");
    }
}
