//! `brain models`: the models that can be had by name.

#[cfg(feature = "models")]
mod show;

use crate::args::ModelsCommand;
use crate::failure::Result;
use crate::session::Session;

#[cfg(not(feature = "models"))]
pub(super) fn run(_session: &mut Session<'_>, _command: &ModelsCommand) -> Result<()> {
    Err(super::needs_models("listing models").into())
}

#[cfg(feature = "models")]
pub(super) fn run(session: &mut Session<'_>, command: &ModelsCommand) -> Result<()> {
    use brain::brain_models::{PullOptions, Zoo};

    let zoo = Zoo::of_home(session.config()?.home());
    let progress = session.progress();
    let output = &mut session.output;
    match command {
        ModelsCommand::List => show::list(output, &zoo.list()?),
        ModelsCommand::Info { model, runtime } => show::info(output, &zoo.info(model)?, &runtime.options()?.runtime),
        ModelsCommand::Pull(args) => {
            let mut options = PullOptions::of_process();
            if let Some(endpoint) = &args.endpoint {
                options.endpoint.clone_from(endpoint);
            }
            let zoo = zoo.with_runtime(args.runtime.options()?);
            let fetched = zoo.pull(&args.model, &options, &*progress)?;
            show::pulled(output, &zoo.info(&args.model)?, &fetched)
        }
        ModelsCommand::Add { folder, runtime } => show::added(output, &zoo.with_runtime(runtime.options()?).add(folder)?),
        ModelsCommand::Verify { model, runtime } => {
            let verified = zoo.clone().with_runtime(runtime.options()?).verify(model)?;
            show::verified(output, &zoo.info(model)?, &verified)
        }
        ModelsCommand::Remove { model } => show::removed(output, &zoo.remove(model)?),
    }
}
