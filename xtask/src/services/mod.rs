//! `services`: the real servers that tests and benchmarks talk to, up and down by one command.
//!
//! A *run* is a set of servers that come up and go down together; its [`description`] says where they listen and who may come in. A
//! [`provider`] runs them, and whichever does, the description is the same: tests read it, and never ask where a server came from.
//!
//! | module | its idea |
//! |---|---|
//! | [`instance`] | which servers there are, and what each is for |
//! | [`arguments`] | what may be asked on the command line |
//! | [`run`] | where a run keeps its things |
//! | [`description`] | what a run says of itself |
//! | [`native`] | the provider that needs no container engine |
//! | [`ready`], [`daemon`], [`port`] | whether a server answers; processes that outlive us; ports that stay free |
//! | [`certificates`], [`secret`] | what TLS and passwords are made of |

mod arguments;
mod certificates;
mod daemon;
mod description;
mod instance;
mod native;
mod port;
mod provider;
mod ready;
mod run;
mod secret;

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
use self::provider::{Choice, Provider};
use self::run::Run;
use crate::workspace::Workspace;

/// The run of a developer at work; `cargo xtask test` makes one of its own where this one is down.
const DEFAULT: &str = "default";

/// Does what the command line asks; nothing where it asks wrongly, with the reason.
pub(crate) fn run(arguments: &[String]) -> Result<Result<ExitCode, String>> {
    let request = match Request::parse(arguments) {
        Ok(request) => request,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let code = match request {
        Request::Up { names, choice } => {
            let workspace = Workspace::load()?;
            sweep(&workspace.target)?;
            let run = current(&workspace.target);
            let _lock = run.lock()?;
            let failures = up(&run, &workspace.root, &names, choice, None)?;
            print_status(&run)?;
            if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Request::Down => {
            let target = Workspace::load()?.target;
            sweep(&target)?;
            let run = current(&target);
            let _lock = run.lock()?;
            down(&run)?;
            ExitCode::SUCCESS
        }
        Request::Status => {
            if print_status(&known()?)? {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Request::Env => {
            let run = known()?;
            print!("{}", described(&run)?.shell(&run.file()));
            ExitCode::SUCCESS
        }
        Request::Start(instance) => control(instance, true, false)?,
        Request::Stop(instance) => control(instance, false, true)?,
        Request::Restart(instance) => control(instance, true, true)?,
    };
    Ok(Ok(code))
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

/// Brings up what is asked for and not there yet, and returns how many servers could not be.
fn up(run: &Run, root: &Path, instances: &[&'static Instance], _choice: Choice, owner: Option<Process>) -> Result<usize> {
    let began = Instant::now();
    // What stands in front of another is of no use without it.
    let instances: Vec<&Instance> =
        INSTANCES.iter().filter(|instance| instances.iter().any(|asked| *asked == *instance || asked.behind() == Some(*instance))).collect();
    let mut description = match run.description()? {
        Some(description) => description,
        None => Description {
            provider: Provider::Native,
            program: std::env::current_exe().context("this program does not know where it is")?,
            root: root.to_owned(),
            data: native::data_folder(run.folder())?,
            owner,
            tools: BTreeMap::new(),
            servers: BTreeMap::new(),
        },
    };
    description.tools.extend(native::tools(&instances)?);
    // Before anything starts: what is interrupted now can be taken down.
    description.save(&run.file())?;
    let mut failures = 0;
    for first in [true, false] {
        let wave: Vec<_> = instances.iter().copied().filter(|instance| instance.behind().is_none() == first).collect();
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let description = &description;
            let threads: Vec<_> = wave.iter().map(|instance| scope.spawn(move || raise(instance, description))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("the thread that started it ended in a panic"))).collect()
        });
        for (instance, outcome) in wave.into_iter().zip(outcomes) {
            match outcome {
                Ok(server) => _ = description.servers.insert(instance.name.to_owned(), server),
                Err(error) => {
                    failures += 1;
                    println!("services: {} could not be started: {error:#}", instance.name);
                }
            }
        }
        description.save(&run.file())?;
    }
    println!("services: {} of {} up after {:.1} s", instances.len() - failures, instances.len(), began.elapsed().as_secs_f64());
    Ok(failures)
}

/// One server: left alone where it answers, started where it was made before, else made.
fn raise(instance: &Instance, description: &Description) -> Result<description::Server> {
    let Some(server) = description.servers.get(instance.name) else {
        return native::create(instance, description);
    };
    if ready::ask(instance, server, description).is_err() {
        native::stop(instance, description)?;
        native::start(instance, description)?;
    }
    Ok(server.clone())
}

/// Takes every server of a run down, and removes what they left.
fn down(run: &Run) -> Result<()> {
    let Some(description) = run.description()? else {
        println!("services: nothing is up");
        return Ok(());
    };
    // Those in front first.
    for instance in INSTANCES.iter().rev() {
        native::remove(instance, &description)?;
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
        let _lock = run.lock()?;
        if run.description()?.and_then(|description| description.owner).is_some_and(|owner| !owner.is_alive()) {
            println!("services: {} was left over", run.folder().display());
            down(&run)?;
        }
    }
    Ok(())
}

fn control(instance: &Instance, start: bool, stop: bool) -> Result<ExitCode> {
    let run = known()?;
    let description = described(&run)?;
    description.server(instance)?;
    if stop {
        native::stop(instance, &description)?;
    }
    if start {
        native::start(instance, &description)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each server; true where all answer.
fn print_status(run: &Run) -> Result<bool> {
    let description = described(run)?;
    let mut good = true;
    println!("{} · {}", description.provider, run.file().display());
    for (name, server) in &description.servers {
        let Some(instance) = Instance::named(name) else { continue };
        let answer = match ready::ask(instance, server, &description) {
            Ok(()) => "answers".to_owned(),
            Err(error) => {
                good = false;
                format!("does not answer: {error:#}; `cargo xtask services up` starts it again")
            }
        };
        println!("{name:16} {}:{} {answer}", server.host, server.port);
    }
    Ok(good && !description.servers.is_empty())
}
