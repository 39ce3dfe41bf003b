//! What a search starts from, and how ids become vectors.

use std::path::PathBuf;

use serde::Serialize;

use crate::{Error, ItemId, ItemKind, Result, Selector, SimilarityIndex, Weighted};

/// What a search starts from. Which one it is, is said, never guessed from a string.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Query {
    /// The stored vector of one item: a sample's id, or a label's id in an index of patches.
    Id(ItemId),
    /// The stored vectors of several items.
    Ids(Vec<ItemId>),
    /// The stored vectors of these samples; in an index of patches, of all their patches.
    Samples(Vec<ItemId>),
    /// A vector.
    Vector(Vec<f32>),
    /// Several vectors.
    Vectors(Vec<Vec<f32>>),
    /// Sentences, embedded by the run's model.
    Text(Vec<String>),
    /// Image files, embedded by the run's model.
    Images(Vec<PathBuf>),
    /// Sentences, image files, items and vectors as one query, each with a weight.
    Weighted(Weighted),
}

impl From<Weighted> for Query {
    fn from(parts: Weighted) -> Self {
        Self::Weighted(parts)
    }
}

/// The stored vectors of `selector`'s items, in the order asked.
///
/// # Errors
/// [`NotFound`](crate::ErrorKind::NotFound) naming the ids that the index does not hold.
pub async fn stored_vectors(index: &dyn SimilarityIndex, selector: Selector<'_>) -> Result<Vec<Vec<f32>>> {
    let fetched = index.fetch(selector).await?;
    if !fetched.missing.is_empty() {
        return Err(unknown_ids(index, &selector, &fetched.missing));
    }
    Ok(fetched.rows.rows().map(|(_, vector)| vector.to_vec()).collect())
}

fn unknown_ids(index: &dyn SimilarityIndex, selector: &Selector<'_>, missing: &[ItemId]) -> Error {
    let (what, hint) = match (selector, index.spec().items) {
        (Selector::Items(_), ItemKind::Patches) => ("label", "ids of an index of patches are label ids; name samples with --sample-id"),
        _ => ("sample", "`brain dataset samples NAME --json` lists the ids; add new samples with `brain add-to-index NAME --brain-key K --new`"),
    };
    Error::not_found(format!("the index {} holds no {what} with id {}", index.spec().name, enumerate(missing))).with_hint(hint)
}

/// Names the first few of a list of ids, and says how many more there are.
pub fn enumerate(ids: &[impl std::fmt::Display]) -> String {
    const SHOWN: usize = 5;
    let mut text = ids.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if ids.len() > SHOWN {
        text.push_str(&format!(" and {} more", ids.len() - SHOWN));
    }
    text
}
