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
    use brain::brain_models::{PullOptions, RuntimeOptions, Zoo};

    let zoo = Zoo::of_home(session.config()?.home()).with_runtime(RuntimeOptions::of_environment()?);
    let progress = session.progress();
    let output = &mut session.output;
    match command {
        ModelsCommand::List => show::list(output, &zoo.list()?),
        ModelsCommand::Info { model } => show::info(output, &zoo.info(model)?),
        ModelsCommand::Pull(args) => {
            let mut options = PullOptions::of_process();
            if let Some(endpoint) = &args.endpoint {
                options.endpoint.clone_from(endpoint);
            }
            let fetched = zoo.pull(&args.model, &options, &*progress)?;
            show::pulled(output, &zoo.info(&args.model)?, &fetched)
        }
        ModelsCommand::Add { folder } => show::added(output, &zoo.add(folder)?),
        ModelsCommand::Verify { model } => show::verified(output, &zoo.info(model)?, &zoo.verify(model)?),
    }
}
