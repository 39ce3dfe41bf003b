//! Servers in containers: the official images, as `deploy/compose.yaml` says, in a compose project of this run alone.

use std::collections::BTreeMap;
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

/// The services, and the images they are made from.
const COMPOSE: &str = include_str!("../../../deploy/compose.yaml");

/// How long a container may take to be healthy; pulling its image comes before.
const START: Duration = Duration::from_secs(90);

/// What compose fills in: ports, the password, the run's folder.
const SETTINGS: &str = "compose.env";

/// A port that was lost between looking and listening is replaced this many times.
const PORTS_TRIED: usize = 3;

/// The port of the pooler inside its container, and PostgreSQL's.
const POOLER_PORT: u16 = 6432;
const POSTGRES_PORT: u16 = 5432;

/// Whether an engine really answers, and compose is there to talk to it.
pub(super) fn check() -> Result<()> {
    process::stdout(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"])).context("no container engine answers")?;
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
    check()?;
    prepare(&description.data)?;
    let missing: Vec<_> = images().filter(|image| process::stdout(Command::new("docker").args(["image", "inspect", image])).is_err()).collect();
    if !missing.is_empty() {
        println!("services: docker fetches what it has not got of {}", missing.join(", "));
    }
    // All at once is fast; where that fails, one by one says which it is, and the others come up.
    let together = create(instances, description).is_ok();
    let server = |instance: &'static Instance| {
        if !together {
            create_on_a_free_port(instance, description)?;
        }
        described(instance, description)
    };
    Ok(instances.iter().map(|instance| (*instance, server(instance))).collect())
}

/// The images that the compose file names.
fn images() -> impl Iterator<Item = &'static str> {
    COMPOSE.lines().filter_map(|line| line.trim().strip_prefix("image: "))
}

/// Makes the containers, or makes them anew where their settings changed, and starts them.
fn create(instances: &[&Instance], description: &Description) -> Result<()> {
    let names = instances.iter().map(|instance| instance.name);
    process::stdout(compose(description)?.args(["up", "--detach", "--no-deps"]).args(names)).map(drop)
}

/// The same for one server, which gets another port where somebody took the one it was given.
fn create_on_a_free_port(instance: &Instance, description: &Description) -> Result<()> {
    for _ in 1..PORTS_TRIED {
        match create(&[instance], description) {
            Err(error) if is_port_lost(&error.to_string()) => {
                println!("services: {}: somebody took its port; trying another", instance.name);
                move_port(instance, &description.data)?;
            }
            result => return result,
        }
    }
    create(&[instance], description)
}

/// Whether another program, or another container, listens where the engine was to.
fn is_port_lost(error: &str) -> bool {
    ["address already in use", "port is already allocated"].iter().any(|words| error.contains(words))
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
    let wrong = || format!("the containers are not removed; if they went with their engine, remove {}", description.data.display());
    // The engine first, for compose has a page to say where it is gone.
    check().with_context(wrong)?;
    process::stdout(compose(description)?.args(["down", "--volumes", "--remove-orphans"])).with_context(wrong).map(drop)
}

fn compose(description: &Description) -> Result<Command> {
    let words = program()?;
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg("--project-name").arg(project(&description.data));
    command.arg("--file").arg(description.root.join("deploy/compose.yaml"));
    // As variables, for to compose the caller's shell comes before a file; and always a password, for compose wants every line
    // to make sense, even when it is to remove what an interrupted start left.
    command.env("BRAIN_PASSWORD", "none").envs(settings(&description.data)?);
    Ok(command)
}

/// A name that no other run has, for its folder is its own.
fn project(run: &Path) -> String {
    let digest = Sha256::digest(run.as_os_str().as_encoded_bytes());
    digest.iter().take(6).fold("brain-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// Writes what the containers are given, once in a run: ports stay when a container is stopped, which a port that docker chose would not.
fn prepare(run: &Path) -> Result<()> {
    if run.join(SETTINGS).exists() {
        return Ok(());
    }
    folder(run, 0o700)?;
    // Within it all can be read, whatever the umask: the users in the containers are not ours.
    let [tls, redis, pgbouncer] = ["tls", "redis", "pgbouncer"].map(|name| run.join(name));
    for inner in [&tls, &redis, &pgbouncer] {
        folder(inner, 0o755)?;
    }
    Certificates::in_folder(tls)?;
    let password = secret::password()?;
    file(&redis.join("users.acl"), &format!("user default off\nuser {REDIS_USER} on >{password} ~* &* +@all\n"))?;
    file(&pgbouncer.join("users.txt"), &pooler::users(&password))?;
    let pooler = pooler::settings("postgres", POSTGRES_PORT, "0.0.0.0", POOLER_PORT, Path::new("/etc/brain/users.txt"));
    file(&pgbouncer.join("pgbouncer.ini"), &pooler)?;
    let mut settings = format!("BRAIN_RUN={}\nBRAIN_PASSWORD={password}\n", run.display());
    for instance in &INSTANCES {
        settings.push_str(&format!("{}={}\n", port_variable(instance), port::free()?));
    }
    file(&run.join(SETTINGS), &settings)
}

fn folder(path: &Path, mode: u32) -> Result<()> {
    let made = fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    made.with_context(|| format!("{} cannot be made", path.display()))
}

fn file(path: &Path, content: &str) -> Result<()> {
    let written = fs::write(path, content).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o644)));
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// What [`prepare`] wrote, by name; nothing where it did not come to that.
fn settings(run: &Path) -> Result<BTreeMap<String, String>> {
    let file = run.join(SETTINGS);
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.with_context(|| format!("{} cannot be read", file.display()))?,
    };
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn port_variable(instance: &Instance) -> String {
    format!("BRAIN_{}_PORT", instance.variable())
}

fn move_port(instance: &Instance, run: &Path) -> Result<()> {
    let mut settings = settings(run)?;
    settings.insert(port_variable(instance), port::free()?.to_string());
    let lines: String = settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    file(&run.join(SETTINGS), &lines)
}

fn described(instance: &Instance, description: &Description) -> Result<Server> {
    let settings = settings(&description.data)?;
    let port = settings.get(&port_variable(instance)).context("the run has no port for it")?.parse()?;
    let password = settings.get("BRAIN_PASSWORD").context("the run has no password")?;
    let tls = instance.tls.then(|| Certificates::in_folder(description.data.join("tls"))).transpose()?;
    let mut server = Server::local(instance, port, password, tls.map(|tls| tls.for_clients()));
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
    let format = "{{.State.Status}}{{if .State.Health}} {{.State.Health.Status}}{{end}}";
    let (mut state, mut answer) = (String::new(), Ok(()));
    let well = |state: &str| matches!(state.trim(), "running" | "running healthy");
    daemon::until(START, || {
        state = process::stdout(Command::new("docker").args(["inspect", "--format", format, id.trim()])).unwrap_or_default();
        answer = ready::ask(instance, server);
        (well(&state) && answer.is_ok()) || state.starts_with("exited")
    });
    if well(&state) && answer.is_ok() {
        return Ok(());
    }
    let wrong = format!("its container is {}: {}", state.trim(), last_lines(id.trim()));
    answer.with_context(|| wrong.clone())?;
    bail!(wrong)
}

/// The end of a container's log, where the reason is; most servers complain on stderr.
fn last_lines(id: &str) -> String {
    let Ok(output) = Command::new("docker").args(["logs", "--tail", "5", id]).output() else { return String::new() };
    let lines = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).trim().replace('\n', " / "));
    lines.iter().filter(|lines| !lines.is_empty()).cloned().collect::<Vec<_>>().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_a_service_of_the_compose_file_with_a_port_of_its_own() {
        for instance in &INSTANCES {
            assert!(COMPOSE.contains(&format!("\n  {}:\n", instance.name)), "{}", instance.name);
            assert!(COMPOSE.contains(&format!("${{BRAIN_{}_PORT:-0}}", instance.variable())), "{}", instance.name);
        }
    }

    #[test]
    fn every_image_is_pinned() {
        assert_eq!(images().count(), 3);
        assert!(
            images().all(|image| image.split_once(':').is_some_and(|(_, tag)| tag.starts_with(|first: char| first.is_ascii_digit() || first == 'v')))
        );
    }

    #[test]
    fn what_is_written_for_the_containers_is_read_back_and_a_port_can_move() {
        let run = tempfile::tempdir().unwrap();
        assert!(settings(run.path()).unwrap().is_empty(), "an interrupted start");
        prepare(run.path()).unwrap();
        let before = settings(run.path()).unwrap();
        assert_eq!(before["BRAIN_RUN"], run.path().to_str().unwrap());
        assert_eq!(before["BRAIN_PASSWORD"].len(), 32);
        let _somebody = std::net::TcpListener::bind(("127.0.0.1", before["BRAIN_POSTGRES_PORT"].parse().unwrap())).unwrap();
        move_port(&INSTANCES[0], run.path()).unwrap();
        let after = settings(run.path()).unwrap();
        let changed: Vec<_> = before.keys().filter(|name| before[*name] != after[*name]).collect();
        assert_eq!(changed, ["BRAIN_POSTGRES_PORT"]);
        let mode = |name: &str| fs::metadata(run.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("tls"), mode("pgbouncer/users.txt")), (0o700, 0o755, 0o644));
    }

    #[test]
    fn a_lost_port_is_told_from_other_errors() {
        assert!(is_port_lost("Error starting userland proxy: listen tcp4 127.0.0.1:27280: bind: address already in use"));
        assert!(is_port_lost("Bind for 127.0.0.1:27280 failed: port is already allocated"));
        assert!(!is_port_lost("Cannot connect to the Docker daemon"));
    }

    #[test]
    fn two_runs_are_two_projects() {
        assert_ne!(project(Path::new("a/target/services/default")), project(Path::new("b/target/services/default")));
        assert_eq!(project(Path::new("a")).len(), "brain-".len() + 12);
    }
}
