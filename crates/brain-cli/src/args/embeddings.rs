//! `brain add-to-index`, `remove-from-index` and `get-embeddings`

use std::path::PathBuf;

use brain::core::{OnConflict, OnMissing, Result};
use brain::{Embeddings, Items};
use clap::{ArgGroup, Args, ValueEnum};

use super::{RunArgs, RuntimeArgs, ViewArgs};
use crate::ids;

/// Flags of `brain add-to-index`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").args(["embeddings", "model", "new"]).required(true).multiple(true))]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Vectors from a NumPy file, for the ids of --ids
    #[arg(long, value_name = "FILE.npy", requires = "ids", conflicts_with_all = ["model", "new"])]
    embeddings: Option<PathBuf>,
    /// The ids that the rows of --embeddings belong to, one a line
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    ids: Option<PathBuf>,
    /// Embed the photos with this model, which must be the one the index was made with
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Embed only what the index does not hold yet, with the run's own model
    #[arg(long)]
    pub(crate) new: bool,
    /// What to do with items that the index holds already
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_conflict: Conflict,
    /// End at the first photo that cannot be embedded, instead of leaving it out
    #[arg(long)]
    pub(crate) stop_on_failure: bool,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
}

impl AddArgs {
    /// Where the vectors come from; `None` for the run's own model.
    pub(crate) fn embeddings(&self) -> Option<Embeddings> {
        match &self.embeddings {
            Some(npy) => Some(Embeddings::File { npy: npy.clone(), ids: self.ids.clone() }),
            None => self.model.clone().map(Embeddings::Model),
        }
    }

    pub(crate) fn on_conflict(&self) -> OnConflict {
        match self.on_conflict {
            Conflict::Overwrite => OnConflict::Overwrite,
            Conflict::Skip => OnConflict::Skip,
            Conflict::Error => OnConflict::Error,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Conflict {
    /// The new vector takes the place of the old
    #[default]
    Overwrite,
    /// The old vector stays
    Skip,
    /// Nothing is added, and the command fails
    Error,
}

/// Flags of `brain remove-from-index`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) items: ItemsArgs,
    /// What to do with ids that the index does not hold
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_missing: Missing,
}

impl RemoveArgs {
    pub(crate) fn on_missing(&self) -> OnMissing {
        match self.on_missing {
            Missing::Ignore => OnMissing::Ignore,
            Missing::Warn => OnMissing::Warn,
            Missing::Error => OnMissing::Error,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Missing {
    /// Pass over them
    #[default]
    Ignore,
    /// Pass over them, and list them
    Warn,
    /// Remove nothing, and fail
    Error,
}

/// Flags of `brain get-embeddings`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) items: ItemsArgs,
    /// Where to write the vectors: a NumPy file of float32, one row an item
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) out: PathBuf,
    /// Where to write the ids of the rows, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) ids_out: Option<PathBuf>,
}

/// Which items of an index are meant: by id, by a file of ids, or by a view.
#[derive(Debug, Args)]
pub(crate) struct ItemsArgs {
    /// The items with these ids: samples, or labels in an index of patches
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["sample_id", "ids", "ViewArgs"])]
    id: Vec<String>,
    /// The items of these samples: in an index of patches, all their patches
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["ids", "ViewArgs"])]
    sample_id: Vec<String>,
    /// The items with the ids of this file, one a line
    #[arg(long, value_name = "FILE", conflicts_with = "ViewArgs")]
    ids: Option<PathBuf>,
    #[command(flatten)]
    view: ViewArgs,
}

impl ItemsArgs {
    /// The items that the flags mean; [`Items::All`] without any.
    ///
    /// # Errors
    /// Those of the file of ids and of the view's filters.
    pub(crate) fn items(&self) -> Result<Items> {
        if let Some(path) = &self.ids {
            return Ok(Items::Ids(ids::read(path)?));
        }
        if !self.id.is_empty() {
            return Ok(Items::Ids(ids::parse(&self.id)?));
        }
        if !self.sample_id.is_empty() {
            return Ok(Items::Samples(ids::parse(&self.sample_id)?));
        }
        Ok(self.view.some_view()?.map_or(Items::All, Items::View))
    }
}

#[cfg(test)]
mod tests {
    use brain::core::View;

    use super::*;
    use crate::args::{Command, parse_words};

    fn remove(words: &str) -> Result<Box<RemoveArgs>, clap::Error> {
        match parse_words(&format!("remove-from-index birds --brain-key k {words}"))?.command {
            Command::RemoveFromIndex(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    fn items(words: &str) -> Items {
        remove(words).unwrap().items.items().unwrap()
    }

    #[test]
    fn items_are_named_by_ids_or_by_a_view() {
        assert_eq!(items(""), Items::All);
        assert_eq!(items("--id a b"), Items::Ids(vec!["a".into(), "b".into()]));
        assert_eq!(items("--sample-id a"), Items::Samples(vec!["a".into()]));
        assert_eq!(items("--limit 3"), Items::View(View::new().limit(3)));
        for words in ["--limit 3 --id a", "--id a --ids f", "--ids f --sample-id a", "--match-tags t --ids f"] {
            assert_eq!(remove(words).unwrap_err().exit_code(), 2, "{words}");
        }
    }

    fn add(words: &str) -> Result<AddArgs, clap::Error> {
        match parse_words(&format!("add-to-index birds --brain-key k {words}"))?.command {
            Command::AddToIndex(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_added_has_one_source() {
        assert!(matches!(add("--embeddings a.npy --ids b").unwrap().embeddings(), Some(Embeddings::File { .. })));
        assert!(add("--new").unwrap().embeddings().is_none());
        assert!(matches!(add("--new --model m").unwrap().embeddings(), Some(Embeddings::Model(_))));
        for words in ["", "--embeddings a.npy", "--embeddings a.npy --ids b --model m"] {
            assert_eq!(add(words).unwrap_err().exit_code(), 2, "{words}");
        }
    }

    #[test]
    fn conflicts_overwrite_unless_told() {
        assert_eq!(add("--new").unwrap().on_conflict(), OnConflict::Overwrite);
        assert_eq!(add("--new --on-conflict skip").unwrap().on_conflict(), OnConflict::Skip);
    }
}
