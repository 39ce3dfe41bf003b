//! Every form of a question, held against the oracle.

use brain_core::oracle::Oracle;
use brain_core::search::{Aggregation, Answer, SearchRequest, search};
use brain_core::{AddReport, Item, ItemId, ItemKind, ItemSet, Metric, OnConflict, Result, Scope, SimilarityIndex, VectorBatch};
use futures::stream::{self, StreamExt as _};

use crate::compare::{Expected, Recall};
use crate::corpus::strangers;

/// What a test put into an index.
pub type Row = (Item, Vec<f32>);

/// An oracle that holds the rows.
pub fn oracle_of(metric: Metric, rows: &[Row]) -> Oracle {
    let mut oracle = Oracle::new(metric);
    rows.iter().cloned().for_each(|(item, vector)| oracle.insert(item, vector));
    oracle
}

/// Adds rows as one batch.
///
/// # Errors
/// Those of the index.
pub async fn add(index: &dyn SimilarityIndex, rows: &[Row], on_conflict: OnConflict) -> Result<AddReport> {
    index.add(stream::iter([Ok(batch_of(rows))]).boxed(), on_conflict).await
}

/// The rows as one batch; there is at least one.
pub fn batch_of(rows: &[Row]) -> VectorBatch {
    let mut batch = VectorBatch::with_capacity(rows.len(), rows[0].1.len());
    rows.iter().for_each(|(item, vector)| batch.push(item.clone(), vector).unwrap());
    batch
}

/// Asks one question: the answer is whole, true and, where it says so, exact; `recall` counts the others.
///
/// # Panics
/// When the answer is wrong.
pub async fn assert_answer(index: &dyn SimilarityIndex, oracle: &Oracle, request: &SearchRequest<'_>, recall: &mut Recall) -> Answer {
    let answer = search(index, request).await.unwrap();
    let expected = Expected::of(oracle, request);
    assert_eq!(answer.results.len(), expected.len(), "one list a query");
    for (list, expected) in answer.results.iter().zip(&expected) {
        if answer.report.exact {
            expected.assert_same(list);
        } else {
            expected.assert_complete(list);
            recall.count(expected, list);
        }
    }
    answer
}

/// Asks for everything and for a few, in both directions, by each aggregation, of all and of views of every kind.
///
/// # Panics
/// When an answer is wrong.
pub async fn assert_answers(index: &dyn SimilarityIndex, rows: &[Row], recall: &mut Recall) {
    let oracle = oracle_of(index.spec().metric, rows);
    let queries: Vec<Vec<f32>> = rows.iter().take(2).map(|(_, vector)| vector.clone()).collect();
    let half = |id: fn(&Item) -> &ItemId| rows.iter().step_by(2).map(|(item, _)| id(item).clone()).chain(strangers(3)).collect::<ItemSet>();
    let (of_items, of_samples, none) = (half(|item| &item.id), half(|item| &item.sample_id), ItemSet::new(Vec::new()));
    let by_samples: &[bool] = if index.spec().items == ItemKind::Patches { &[false, true] } else { &[false] };
    for scope in [Scope::All, Scope::Items(&of_items), Scope::Samples(&of_samples), Scope::Items(&none)] {
        for aggregation in Aggregation::ALL {
            for (k, reverse) in [(None, false), (None, true), (Some(3), false), (Some(3), true), (Some(1_500), false)] {
                for &by_sample in by_samples {
                    let request = SearchRequest { k, reverse, aggregation, scope, by_sample, ..SearchRequest::new(queries.clone()) };
                    assert_answer(index, &oracle, &request, recall).await;
                }
            }
        }
    }
    assert_eq!(index.count(Scope::All).await.unwrap(), rows.len() as u64);
    let samples: ItemSet = rows.iter().map(|(item, _)| item.sample_id.clone()).collect();
    assert_eq!(index.count_samples(Scope::All).await.unwrap(), samples.len() as u64);
}
