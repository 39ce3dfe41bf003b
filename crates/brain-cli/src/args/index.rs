//! `brain index …`

use clap::Subcommand;

use super::RunArgs;

/// Commands on the index of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Show what the backend says of the index, and how much of the dataset it holds
    Info(RunArgs),
    /// Drop the index with all its vectors; the run's record stays
    Cleanup(RunArgs),
}
