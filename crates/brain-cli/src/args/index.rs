//! `brain index …`

use clap::{Args, Subcommand};

use super::RunArgs;

/// Commands on the index of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Show what the backend says of the index, and how much of the dataset it holds
    Info(RunArgs),
    /// Drop the index with all its vectors; the run's record stays
    Cleanup(CleanupArgs),
}

/// Flags of `brain index cleanup`.
#[derive(Debug, Args)]
pub(crate) struct CleanupArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Drop also an index that somebody else made and the run is attached to
    #[arg(long)]
    pub(crate) attached: bool,
}
