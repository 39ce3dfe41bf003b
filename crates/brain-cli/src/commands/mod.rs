//! What each command does, a file each.

mod add_to_index;
mod backends;
mod completions;
mod compute_embeddings;
mod compute_similarity;
mod config;
mod dataset;
mod get_embeddings;
mod index;
mod models;
#[cfg(feature = "models")]
mod quickstart;
mod remove_from_index;
mod runs;
mod similar;
mod sort_by_similarity;

use crate::args::Command;
use crate::failure::Result;
use crate::session::Session;

/// Does what a command asks.
///
/// # Errors
/// Whatever failed first.
pub(crate) async fn run(session: &mut Session<'_>, command: &Command) -> Result<()> {
    match command {
        #[cfg(feature = "models")]
        Command::Quickstart(args) => quickstart::run(session, args).await,
        #[cfg(not(feature = "models"))]
        Command::Quickstart(_) => Err(needs_models("the quickstart").into()),
        Command::Dataset(command) => dataset::run(session, command).await,
        Command::ComputeSimilarity(args) => compute_similarity::run(session, args).await,
        Command::ComputeEmbeddings(args) => compute_embeddings::run(session, args).await,
        Command::SortBySimilarity(args) => sort_by_similarity::run(session, args).await,
        Command::FindDuplicates(args) => similar::find_duplicates(session, args).await,
        Command::FindUnique(args) => similar::find_unique(session, args).await,
        Command::AddToIndex(args) => add_to_index::run(session, args).await,
        Command::RemoveFromIndex(args) => remove_from_index::run(session, args).await,
        Command::GetEmbeddings(args) => get_embeddings::run(session, args).await,
        Command::Index(command) => index::run(session, command).await,
        Command::Runs(command) => runs::run(session, command).await,
        Command::Config(command) => config::run(session, command),
        Command::Backends => backends::run(session).await,
        Command::Models(command) => models::run(session, command),
        Command::Completions(args) => completions::run(session, args),
    }
}

/// The error of what this build leaves out.
#[cfg(not(feature = "models"))]
pub(crate) fn needs_models(what: &str) -> brain::core::Error {
    brain::core::Error::unsupported(format!("{what} needs image models, which this build leaves out")).with_hint("build it with the feature `models`")
}
