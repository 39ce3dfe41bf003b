//! One run of the command: what was asked, what is opened for it, where it prints.

use brain::Brain;
use brain::core::Error;
use brain::core::config::Config;

use crate::args::{Cli, Global};
use crate::commands;
use crate::failure::Result;
use crate::output::Output;
use crate::progress;

/// What every command works with. The home is opened by those that need it, and models are loaded when they are used.
pub(crate) struct Session<'a> {
    global: &'a Global,
    /// Where the command prints.
    pub(crate) output: Output,
}

impl Session<'_> {
    /// The home, opened: datasets, runs, indexes.
    ///
    /// # Errors
    /// Those of the configuration and of the home.
    pub(crate) fn brain(&self) -> Result<Brain, Error> {
        Brain::from_config(self.config()?, progress::of(self.global))
    }

    /// Where long work tells how far it is.
    #[cfg(feature = "models")]
    pub(crate) fn progress(&self) -> std::sync::Arc<dyn brain::core::Progress> {
        progress::of(self.global)
    }

    /// The configuration; nothing is opened for it.
    ///
    /// # Errors
    /// Those of the configuration.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        Config::load(&self.global.sources(), &brain::declared())
    }
}

/// Where there are servers, what was sent goes on while this thread works.
#[cfg(any(feature = "pgvector", feature = "redis"))]
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

#[cfg(not(any(feature = "pgvector", feature = "redis")))]
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().build()
}

/// Does what a command line asks.
///
/// # Errors
/// Whatever failed first; what was printed before it is printed.
pub(crate) fn run(cli: &Cli) -> Result<()> {
    let runtime = runtime().map_err(|source| Error::unexpected(format!("the runtime does not start: {source}")).with_source(source))?;
    let mut session = Session { global: &cli.global, output: Output::new(&cli.global) };
    let done = runtime.block_on(commands::run(&mut session, &cli.command));
    let flushed = session.output.flush();
    done?;
    Ok(flushed?)
}
