//! The flags that every command takes.

use std::path::PathBuf;

use brain::core::config::Sources;
use clap::Args;

/// Flags of every command.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Every command")]
pub(crate) struct Global {
    /// Print one JSON document, or JSON Lines for streams; errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where the data lives [default: FIFTYONE_BRAIN_HOME, else ~/.fiftyone/brain]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// The configuration file [default: FIFTYONE_BRAIN_CONFIG_PATH, else ~/.fiftyone/brain_config.json]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Leave out progress and hints
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more: the causes of errors, every failure
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
}

impl Global {
    /// Where the configuration is read from: these flags over the environment.
    pub(crate) fn sources(&self) -> Sources {
        Sources { file: self.config.clone(), home: self.home.clone(), ..Sources::of_process() }
    }
}
