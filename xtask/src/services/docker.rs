//! Servers in containers: the official images, as `deploy/compose.yaml` says, in a compose project of this run alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::certificates::Certificates;
use super::description::{Description, Server, SmallDisk};
use super::instance::{Engine, INSTANCES, Instance, REDIS_USER};
use super::native::pooler;
use super::{daemon, port, ready, secret};
use crate::process;

/// How long a container may take to be healthy; pulling its image comes before.
const START: Duration = Duration::from_secs(90);

/// What compose fills in: ports, the password, the run's folder.
const SETTINGS: &str = "compose.env";

/// The port of the pooler inside its container, and PostgreSQL's.
const POOLER_PORT: u16 = 6432;
const POSTGRES_PORT: u16 = 5432;

/// Whether an engine really answers, and compose is there to talk to it.
pub(super) fn check() -> Result<()> {
    process::stdout(Command::new("docker").args(["info", "--format", "{{.ServerVersion}}"])).context("no container engine answers")?;
    program().map(drop)
}

/// Compose is a plugin of docker's, or a program beside it; asked for once, for the asking takes a second.
fn program() -> Result<&'static [&'static str]> {
    static PROGRAM: OnceLock<Option<&[&str]>> = OnceLock::new();
    let known: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
    let answers = |words: &&[&str]| process::stdout(Command::new(words[0]).args(&words[1..]).arg("version")).is_ok();
    PROGRAM.get_or_init(|| known.into_iter().find(answers)).context("docker has no compose; its plugin is a package of its own")
}

/// Brings the servers up; their images are pulled where they are not there.
pub(super) fn up(instances: &[&'static Instance], description: &Description) -> Result<Vec<(&'static Instance, Result<Server>)>> {
    let settings = prepare(&description.data)?;
    let create = |names: &mut dyn Iterator<Item = &str>| process::stdout(compose(description)?.args(["up", "--detach", "--no-deps"]).args(names));
    // All at once is fast; where that fails, one by one says which it is, and the others come up.
    let together = create(&mut instances.iter().map(|instance| instance.name)).is_ok();
    let server = |instance: &'static Instance| {
        if !together {
            create(&mut std::iter::once(instance.name))?;
        }
        described(instance, &settings, description)
    };
    Ok(instances.iter().map(|instance| (*instance, server(instance))).collect())
}

pub(super) fn start(instance: &Instance, description: &Description) -> Result<()> {
    process::stdout(compose(description)?.args(["start", instance.name]))?;
    healthy(instance, description.server(instance)?, description)
}

pub(super) fn stop(instance: &Instance, description: &Description) -> Result<()> {
    process::stdout(compose(description)?.args(["stop", instance.name])).map(drop)
}

/// Removes the containers, their volumes and their network.
pub(super) fn down(description: &Description) -> Result<()> {
    process::stdout(compose(description)?.args(["down", "--volumes", "--remove-orphans"])).map(drop)
}

fn compose(description: &Description) -> Result<Command> {
    let words = program()?;
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg("--project-name").arg(project(&description.data));
    command.arg("--file").arg(description.root.join("deploy/compose.yaml")).arg("--env-file").arg(description.data.join(SETTINGS));
    Ok(command)
}

/// A name that no other run has, for its folder is its own.
fn project(run: &Path) -> String {
    let digest = Sha256::digest(run.as_os_str().as_encoded_bytes());
    digest.iter().take(6).fold("brain-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// Writes what the containers are given, once in a run: ports stay when a container is stopped, which a port that docker chose would not.
fn prepare(run: &Path) -> Result<String> {
    let file = run.join(SETTINGS);
    if let Ok(settings) = fs::read_to_string(&file) {
        return Ok(settings);
    }
    fs::create_dir_all(run).with_context(|| format!("{} cannot be made", run.display()))?;
    fs::set_permissions(run, fs::Permissions::from_mode(0o700))?;
    Certificates::in_folder(run.join("tls"))?;
    let password = secret::password()?;
    let folder = |name: &str| -> Result<_> {
        let folder = run.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    let (redis, pgbouncer) = (folder("redis")?, folder("pgbouncer")?);
    fs::write(redis.join("users.acl"), format!("user default off\nuser {REDIS_USER} on >{password} ~* &* +@all\n"))?;
    fs::write(pgbouncer.join("users.txt"), pooler::users(&password))?;
    fs::write(
        pgbouncer.join("pgbouncer.ini"),
        pooler::settings("postgres", POSTGRES_PORT, "0.0.0.0", POOLER_PORT, Path::new("/etc/brain/users.txt")),
    )?;
    let mut settings = format!("BRAIN_RUN={}\nBRAIN_PASSWORD={password}\n", run.display());
    for instance in &INSTANCES {
        settings.push_str(&format!("BRAIN_{}_PORT={}\n", instance.variable(), port::free()?));
    }
    fs::write(&file, &settings).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(settings)
}

fn described(instance: &Instance, settings: &str, description: &Description) -> Result<Server> {
    let value = |name: &str| settings.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let port = value(&format!("BRAIN_{}_PORT", instance.variable())).context("the run has no port for it")?.parse()?;
    let tls = instance.tls.then(|| Certificates::in_folder(description.data.join("tls"))).transpose()?;
    let mut server = Server::local(instance, port, value("BRAIN_PASSWORD").unwrap_or_default(), tls.map(|tls| tls.for_clients()));
    if instance.engine == Engine::Postgres && instance.faults {
        server.small_disk = Some(SmallDisk::at("/small".into()));
    }
    healthy(instance, &server, description)?;
    Ok(server)
}

/// Waits until the image's own health check is content, and the server answers us.
fn healthy(instance: &Instance, server: &Server, description: &Description) -> Result<()> {
    let labels = [format!("project={}", project(&description.data)), format!("service={}", instance.name)];
    let filters = labels.iter().flat_map(|label| ["--filter".to_owned(), format!("label=com.docker.compose.{label}")]);
    let id = process::stdout(Command::new("docker").args(["ps", "--all", "--quiet"]).args(filters))?;
    // A container without a health check has nothing to say but that it runs.
    let format = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}";
    let (mut state, mut answer) = (String::new(), Ok(()));
    daemon::until(START, || {
        state = process::stdout(Command::new("docker").args(["inspect", "--format", format, id.trim()])).unwrap_or_default();
        answer = ready::ask(instance, server, description);
        (state.trim() == "running healthy" && answer.is_ok()) || state.starts_with("exited")
    });
    if state.trim() == "running healthy" && answer.is_ok() {
        return Ok(());
    }
    let log = process::stdout(Command::new("docker").args(["logs", "--tail", "5", id.trim()])).unwrap_or_default();
    answer.with_context(|| format!("its container is {}: {}", state.trim(), log.trim()))?;
    bail!("its container is {}: {}", state.trim(), log.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_a_service_of_the_compose_file_with_a_port_of_its_own() {
        let compose = include_str!("../../../deploy/compose.yaml");
        for instance in &INSTANCES {
            assert!(compose.contains(&format!("\n  {}:\n", instance.name)), "{}", instance.name);
            assert!(compose.contains(&format!("${{BRAIN_{}_PORT:-0}}", instance.variable())), "{}", instance.name);
        }
    }

    #[test]
    fn two_runs_are_two_projects() {
        assert_ne!(project(Path::new("a/target/services/default")), project(Path::new("b/target/services/default")));
        assert_eq!(project(Path::new("a")).len(), "brain-".len() + 12);
    }
}
