//! Everything that an index can be asked, and what it says.

use brain::core::{Direction, Item, ItemId, ItemSet, NearestRequest, Precision, Result, Scope, Selector, SimilarityIndex, VectorBatch};
use futures::TryStreamExt;
use futures::executor::block_on;

use super::home::Original;

/// One row of an answer: an item with its vector, with its distance, or with nothing. Numbers are the bits of an `f32`.
pub(super) type Row = (Option<Item>, What, Vec<u32>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Vector,
    Distance,
    Missing,
    Owner,
    Count,
}

/// The answers to the same questions in the same order.
pub(super) struct Answers(pub(super) Vec<Result<Vec<Row>>>);

impl Answers {
    pub(super) fn of(index: &dyn SimilarityIndex, original: &Original) -> Self {
        let ids = original.some_ids();
        let samples: Vec<ItemId> = original.written.values().flatten().map(|(item, _)| item.sample_id.clone()).step_by(5).collect();
        let view = ItemSet::new(ids.clone());
        Self(vec![
            stream(index),
            owners(index),
            fetch(index, Selector::Items(&ids)),
            fetch(index, Selector::Samples(&samples)),
            fetch(index, Selector::All),
            nearest(index, Scope::All, Direction::Nearest),
            nearest(index, Scope::All, Direction::Farthest),
            nearest(index, Scope::Items(&view), Direction::Nearest),
            count(index, Scope::All),
            count(index, Scope::Items(&view)),
        ])
    }
}

fn vectors(batch: &VectorBatch) -> impl Iterator<Item = Row> {
    batch.rows().map(|(item, vector)| (Some(item.clone()), What::Vector, vector.iter().map(|number| number.to_bits()).collect()))
}

fn stream(index: &dyn SimilarityIndex) -> Result<Vec<Row>> {
    let batches: Vec<VectorBatch> = block_on(index.stream().try_collect())?;
    Ok(batches.iter().flat_map(vectors).collect())
}

fn owners(index: &dyn SimilarityIndex) -> Result<Vec<Row>> {
    let batches: Vec<Vec<Item>> = block_on(index.ids().try_collect())?;
    Ok(batches.into_iter().flatten().map(|item| (Some(item), What::Owner, Vec::new())).collect())
}

fn fetch(index: &dyn SimilarityIndex, selector: Selector<'_>) -> Result<Vec<Row>> {
    let found = block_on(index.fetch(selector))?;
    let missing = found.missing.into_iter().map(|id| (Some(Item::sample(id)), What::Missing, Vec::new()));
    Ok(vectors(&found.rows).chain(missing).collect())
}

fn nearest(index: &dyn SimilarityIndex, scope: Scope<'_>, direction: Direction) -> Result<Vec<Row>> {
    // Two queries, the second one as far from the first as it can be.
    let dimension = index.spec().dimension;
    let queries: Vec<f32> = [0.5, -0.5].into_iter().flat_map(|number| std::iter::repeat_n(number, dimension)).collect();
    let request = NearestRequest { queries: &queries, k: 7, scope, direction, precision: Precision::Exact };
    let hits = block_on(index.nearest(request))?.hits;
    Ok(hits.into_iter().flatten().map(|hit| (Some(hit.item), What::Distance, vec![hit.distance.to_bits()])).collect())
}

fn count(index: &dyn SimilarityIndex, scope: Scope<'_>) -> Result<Vec<Row>> {
    let counts = [block_on(index.count(scope))?, block_on(index.count_samples(scope))?];
    Ok(counts.into_iter().map(|count| (None, What::Count, vec![count as u32])).collect())
}
