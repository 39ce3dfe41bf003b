//! `services`: the real servers that tests and benchmarks talk to, up and down by one command.
//!
//! A *run* is a set of servers that come up and go down together; its [`description`] says where they listen and who may come in. A
//! [`provider`] runs them, and whichever does, the description is the same: tests read it, and never ask where a server came from.
//!
//! | module | its idea |
//! |---|---|
//! | [`instance`] | which servers there are, and what each is for |
//! | [`arguments`] | what may be asked on the command line |
//! | [`mod@run`] | where a run keeps its things |
//! | [`description`] | what a run says of itself |
//! | [`native`], [`docker`], [`external`] | the providers: programs of this machine, containers, servers of somebody else |
//! | [`ready`], [`daemon`], [`port`] | whether a server answers; processes that outlive us; ports that stay free |
//! | [`testing`] | the servers of one test run |
//! | [`certificates`], [`secret`] | what TLS and passwords are made of |

mod arguments;
mod certificates;
mod daemon;
mod description;
mod docker;
mod external;
mod instance;
mod native;
mod port;
mod provider;
mod ready;
mod run;
mod secret;
mod testing;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::arguments::Request;
use self::daemon::Process;
use self::description::Description;
use self::instance::{INSTANCES, Instance};
pub(crate) use self::native::keep_cache;
use self::provider::{Choice, Provider};
use self::run::Run;
pub(crate) use self::testing::ForTests;
use crate::workspace::Workspace;

/// The run of a developer at work; `cargo xtask test` makes one of its own where this one is down.
const DEFAULT: &str = "default";

/// Does what the command line asks; nothing where it asks wrongly, with the reason.
pub(crate) fn run(arguments: &[String]) -> Result<Result<ExitCode, String>> {
    let request = match Request::parse(arguments) {
        Ok(request) => request,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let good = match request {
        Request::Up { names, choice } => {
            let workspace = Workspace::load()?;
            let run = current(&workspace.target);
            let _lock = run.lock()?;
            sweep(&workspace.target)?;
            let all_up = up(&run, &workspace.root, &names, choice, None)?;
            print_status(&run)? && all_up
        }
        Request::Down => {
            let target = Workspace::load()?.target;
            let run = current(&target);
            let _lock = run.lock()?;
            sweep(&target)?;
            down(&run)?;
            true
        }
        Request::Status => print_status(&known()?)?,
        Request::Env => {
            let run = known()?;
            print!("{}", described(&run)?.shell(&run.file()));
            true
        }
        Request::Start(instance) => control(instance, &[start])?,
        Request::Stop(instance) => control(instance, &[stop])?,
        Request::Restart(instance) => control(instance, &[stop, start])?,
    };
    Ok(Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// The run a command is about: that of the environment, else this checkout's.
fn current(target: &Path) -> Run {
    Run::from_environment().unwrap_or_else(|| Run::named(target, DEFAULT))
}

/// The same without asking cargo where the environment tells, as it does for tests that restart a server.
fn known() -> Result<Run> {
    match Run::from_environment() {
        Some(run) => Ok(run),
        None => Ok(current(&Workspace::load()?.target)),
    }
}

fn described(run: &Run) -> Result<Description> {
    run.description()?.context("no servers are up; `cargo xtask services up` starts them")
}

/// Brings up what is asked for and does not answer yet; false where a server could not be had, which is said.
fn up(run: &Run, root: &Path, asked: &[&'static Instance], choice: Option<Choice>, owner: Option<Process>) -> Result<bool> {
    let began = Instant::now();
    let mut description = match run.description()? {
        Some(description) => continued(description, choice)?,
        None => begun(run, root, choice, owner)?,
    };
    // Before anything starts: what is interrupted now can be taken down.
    description.save(&run.file())?;

    // A server that another stands in front of is wanted with it.
    let wanted = |instance: &&Instance| asked.iter().any(|asked| asked == instance || asked.behind() == Some(*instance));
    let instances: Vec<_> = INSTANCES.iter().filter(wanted).filter(|instance| !answers(instance, &description)).collect();
    let raised = match description.provider {
        Provider::Docker => docker::up(&instances, &description)?,
        Provider::Native => {
            description.tools.extend(native::tools(&instances)?);
            native::up(&instances, &description)?
        }
        Provider::External => external::up(&instances)?,
    };
    let (asked, mut failed) = (raised.len(), 0);
    for (instance, server) in raised {
        match server {
            Ok(server) => _ = description.servers.insert(instance.name.to_owned(), server),
            Err(error) => {
                failed += 1;
                eprintln!("services: {} is not up: {error:#}", instance.name);
            }
        }
    }
    description.save(&run.file())?;
    if asked == 0 {
        println!("services: all answer already");
        return Ok(true);
    }
    println!("services: {} of {asked} brought up in {:.1} s ({})", asked - failed, began.elapsed().as_secs_f64(), description.provider);
    Ok(failed == 0)
}

/// The description of a new run.
fn begun(run: &Run, root: &Path, choice: Option<Choice>, owner: Option<Process>) -> Result<Description> {
    let provider = choice.map_or_else(Choice::from_environment, Ok)?.decide()?;
    Ok(Description {
        provider,
        program: std::env::current_exe().context("this program does not know where it is")?,
        root: root.to_owned(),
        data: if provider == Provider::Native { native::data_folder(run.folder())? } else { run.folder().to_owned() },
        owner,
        tools: BTreeMap::new(),
        servers: BTreeMap::new(),
    })
}

/// A run goes on with the provider it began with.
fn continued(description: Description, choice: Option<Choice>) -> Result<Description> {
    match choice {
        Some(Choice::Only(other)) if other != description.provider => {
            bail!("the servers come from {} already, not from {other}; `cargo xtask services down` first", description.provider)
        }
        _ => Ok(description),
    }
}

fn answers(instance: &Instance, description: &Description) -> bool {
    description.servers.get(instance.name).is_some_and(|server| ready::ask(instance, server).is_ok())
}

/// Takes every server of a run down, and removes what they left.
fn down(run: &Run) -> Result<()> {
    let Some(description) = run.description()? else {
        println!("services: nothing is up");
        return Ok(());
    };
    match description.provider {
        Provider::Docker => docker::down(&description)?,
        Provider::Native => native::down(&description)?,
        Provider::External => {}
    }
    for folder in [&description.data, run.folder()] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
        }
    }
    println!("services: down");
    Ok(())
}

/// Takes down the runs whose owner ended without doing so.
fn sweep(target: &Path) -> Result<()> {
    for run in Run::all(target) {
        if run.description()?.and_then(|description| description.owner).is_some_and(|owner| !owner.is_alive()) {
            println!("services: {} was left over", run.folder().display());
            down(&run)?;
        }
    }
    Ok(())
}

/// Does these things to one server of the run.
fn control(instance: &Instance, steps: &[fn(&Instance, &Description) -> Result<()>]) -> Result<bool> {
    let description = described(&known()?)?;
    description.server(instance)?;
    steps.iter().try_for_each(|step| step(instance, &description)).map(|()| true)
}

fn start(instance: &Instance, description: &Description) -> Result<()> {
    match description.provider {
        Provider::Docker => docker::start(instance, description),
        Provider::Native => native::start(instance, description),
        Provider::External => bail!("{} is somebody else's to start", instance.name),
    }
}

fn stop(instance: &Instance, description: &Description) -> Result<()> {
    match description.provider {
        Provider::Docker => docker::stop(instance, description),
        Provider::Native => native::stop(instance, description),
        Provider::External => bail!("{} is somebody else's to stop", instance.name),
    }
}

/// A line for each server; true where all answer.
fn print_status(run: &Run) -> Result<bool> {
    let description = described(run)?;
    println!("{} servers, described in {}", description.provider, run.file().display());
    let mut good = !description.servers.is_empty();
    for (name, server) in &description.servers {
        let Some(instance) = Instance::named(name) else { continue };
        let answer = ready::ask(instance, server);
        good &= answer.is_ok();
        let said = answer.map_or_else(|error| format!("does not answer: {error:#}"), |()| "answers".to_owned());
        println!("{name:16} {}:{} {said}", server.host, server.port);
    }
    if !good {
        println!("`cargo xtask services up` starts what does not answer");
    }
    Ok(good)
}

/// Where programs look for ONNX Runtime's shared library.
const ONNXRUNTIME: &str = "ORT_DYLIB_PATH";

/// Tells a command where ONNX Runtime is, unless the user did. Where it cannot be had that is said here, and again by each test that needs it.
pub(crate) fn tell_onnxruntime(command: &mut std::process::Command) {
    if std::env::var_os(ONNXRUNTIME).is_some_and(|value| !value.is_empty()) {
        return;
    }
    match native::onnxruntime() {
        Ok(folder) => {
            command.env(ONNXRUNTIME, folder);
        }
        Err(error) => eprintln!("services: {error:#}"),
    }
}
