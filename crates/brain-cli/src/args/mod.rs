//! The command line as it is typed: flags and their help, parsed and nothing more.
//!
//! What a group of flags means is built from it once, by the group's own method: [`ViewArgs::view`] makes the view,
//! `QueryArgs::query` the query, and so on. Commands see only what was built.

mod compute;
mod compute_embeddings;
mod dataset;
mod embeddings;
mod global;
mod index;
mod models;
mod runs;
mod runtime;
mod similar;
mod sort;
mod view;
mod weights;

use clap::{Args, Parser, Subcommand};

pub(crate) use compute::ComputeArgs;
pub(crate) use compute_embeddings::ComputeEmbeddingsArgs;
pub(crate) use dataset::{DatasetCommand, DeleteArgs, ExportArgs, ImportArgs, SamplesArgs};
pub(crate) use embeddings::{AddArgs, GetArgs, RemoveArgs};
pub(crate) use global::Global;
pub(crate) use index::{CleanupArgs, IndexCommand};
pub(crate) use models::ModelsCommand;
pub(crate) use runs::{RunsCommand, RunsListArgs};
pub(crate) use runtime::RuntimeArgs;
pub(crate) use similar::{DuplicatesArgs, FoundArgs, UniqueArgs};
pub(crate) use sort::{Asked, SortArgs};
pub(crate) use view::ViewArgs;

/// Similarity search over photos: embed a dataset, index it, and sort it by similarity to a photo, a vector or a text.
#[derive(Debug, Parser)]
#[command(name = "brain", version, term_width = 100, infer_subcommands = false, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

const EXAMPLES: &str = "\
Examples:
  brain quickstart
  brain dataset import birds photos/birds
  brain compute-similarity birds --brain-key img_sim
  brain sort-by-similarity birds --brain-key img_sim --image query.jpg -k 10

`brain help COMMAND` says more about each command.";

/// What `brain` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Do the main job end to end on the photos that ship with the program
    Quickstart(QuickstartArgs),
    /// Import, list, show, export and delete datasets
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Embed a dataset and index it under a brain key
    ComputeSimilarity(Box<ComputeArgs>),
    /// Embed a dataset into one of its fields
    ComputeEmbeddings(Box<ComputeEmbeddingsArgs>),
    /// Sort a dataset, or a view of it, by similarity to a query
    SortBySimilarity(Box<SortArgs>),
    /// Find photos or patches that are much like others
    FindDuplicates(Box<DuplicatesArgs>),
    /// Find photos or patches that differ as much as they can
    FindUnique(Box<UniqueArgs>),
    /// Add vectors to the index of a run
    AddToIndex(AddArgs),
    /// Remove vectors from the index of a run
    RemoveFromIndex(Box<RemoveArgs>),
    /// Write the vectors of an index to a .npy file
    GetEmbeddings(Box<GetArgs>),
    /// Show or drop the index of a run
    #[command(subcommand)]
    Index(IndexCommand),
    /// List, show, rename and delete runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Show and check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List the backends of this build, what they can do, and whether they answer
    Backends,
    /// List, show, fetch, add, verify and remove models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Print a script that completes commands in a shell
    Completions(CompletionsArgs),
}

/// `brain quickstart`
#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// The backend that holds the indexes [default: the configured one]
    #[arg(long, value_name = "BACKEND")]
    pub(crate) backend: Option<String>,
    /// Where to write the picture of queries and answers [default: HOME/quickstart/contact-sheet.png]
    #[arg(long, value_name = "FILE.png")]
    pub(crate) out: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
}

/// A dataset and one of its runs.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The dataset's name
    pub(crate) name: String,
    /// The brain key: the run's name on its dataset
    #[arg(long, value_name = "KEY")]
    pub(crate) brain_key: String,
}

/// `brain config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the values in force; credentials are left out
    Show {
        /// Say of each value where it came from
        #[arg(long)]
        origin: bool,
    },
    /// Read the configuration, and list what means nothing to this program
    Check,
}

/// `brain completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Parses the command line of this process.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    Cli::try_parse()
}

#[cfg(test)]
pub(crate) fn parse_words(words: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("brain").chain(words.split_whitespace()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn clap_finds_no_fault() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_does_not_depend_on_the_terminal_and_fits_it() {
        let help = Cli::command().render_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        assert!(help.contains("brain quickstart"), "{help}");
    }

    #[test]
    fn global_flags_stand_anywhere() {
        let cli = parse_words("runs list --json --home /data -vv").unwrap();
        assert!(cli.global.json && cli.global.verbose == 2);
        assert_eq!(cli.global.home.as_deref(), Some(std::path::Path::new("/data")));
        assert!(parse_words("--json runs list -q").unwrap().global.quiet);
    }

    #[test]
    fn a_wrong_flag_is_bad_usage() {
        assert_eq!(parse_words("runs list --jsn").unwrap_err().exit_code(), 2);
        assert_eq!(parse_words("dataset").unwrap_err().exit_code(), 2);
    }
}
