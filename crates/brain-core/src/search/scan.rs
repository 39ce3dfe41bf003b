//! The exact route over any backend: read the vectors, a batch at a time, and compare them here.

use std::collections::HashMap;

use futures::TryStreamExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};

use brain_kernels::Queries;

use super::{Aggregation, Ranking};
use crate::{Direction, Hit, Item, ItemId, Result, Scope, Selector, SimilarityIndex, VectorBatch};

/// How many rows are fetched at once where a view is read by its ids.
const FETCH: usize = 1024;

/// So many distances are held at once, at most: however many queries there are, they stay in the processor's caches.
const DISTANCES: usize = 1 << 18;

/// The first `k` rows in scope for each query, found by reading their vectors and comparing them here: for a backend whose own search cannot answer, or has to
/// be measured.
///
/// # Errors
/// Those of the index.
pub async fn compare(index: &dyn SimilarityIndex, queries: &[Vec<f32>], k: usize, scope: Scope<'_>, direction: Direction) -> Result<Vec<Vec<Hit>>> {
    let collect = Collect { direction, k: Some(k), by_sample: false };
    Scan { index, scope, queries, aggregation: Aggregation::None, collect }.run().await
}

/// What to keep of the rows that pass by.
#[derive(Clone, Copy)]
pub(super) struct Collect {
    pub(super) direction: Direction,
    pub(super) k: Option<usize>,
    pub(super) by_sample: bool,
}

/// A pass over the vectors in scope.
pub(super) struct Scan<'a> {
    pub(super) index: &'a dyn SimilarityIndex,
    pub(super) scope: Scope<'a>,
    pub(super) queries: &'a [Vec<f32>],
    pub(super) aggregation: Aggregation,
    pub(super) collect: Collect,
}

impl Scan<'_> {
    /// One list a query, or a single one where the distances are aggregated.
    pub(super) async fn run(&self) -> Result<Vec<Vec<Hit>>> {
        let spec = self.index.spec();
        let queries = Queries::new(spec.metric, &self.queries.concat(), spec.dimension);
        let aggregate = self.aggregation.is_post();
        let lists = if aggregate { 1 } else { self.queries.len() };
        let mut collectors: Vec<Collector> = (0..lists).map(|_| Collector::new(self.collect)).collect();
        let part = (DISTANCES / queries.len().max(1)).max(1);
        let mut distances = Vec::new();
        let mut batches = self.batches().await?;
        while let Some(batch) = batches.try_next().await? {
            let items = batch.items();
            let wanted: Vec<u32> = (0..).zip(items).filter(|(_, item)| self.scope.contains(item)).map(|(row, _)| row).collect();
            for rows in wanted.chunks(part) {
                distances.resize(rows.len() * queries.len(), 0.0);
                queries.gather(batch.vectors(), rows, &mut distances);
                if aggregate {
                    for (place, &row) in rows.iter().enumerate() {
                        let of_row = distances.iter().skip(place).step_by(rows.len()).copied();
                        collectors[0].push(self.aggregation.distance(of_row), &items[row as usize]);
                    }
                } else {
                    for (collector, of_query) in collectors.iter_mut().zip(distances.chunks_exact(rows.len())) {
                        rows.iter().zip(of_query).for_each(|(&row, &distance)| collector.push(distance, &items[row as usize]));
                    }
                }
            }
        }
        Ok(collectors.into_iter().map(Collector::into_hits).collect())
    }

    /// The vectors in scope and perhaps more: by id where the view is a small part of the index, else all.
    async fn batches(&self) -> Result<BoxStream<'_, Result<VectorBatch>>> {
        let all = self.index.count(Scope::All).await?;
        let few = |view: usize| (view as u64).saturating_mul(4) < all;
        let index = self.index;
        Ok(match self.scope {
            Scope::Items(set) if few(set.len()) => chunks(set.as_slice(), move |ids| index.fetch(Selector::Items(ids))),
            Scope::Samples(set) if few(set.len()) => chunks(set.as_slice(), move |ids| index.fetch(Selector::Samples(ids))),
            _ => self.index.stream(),
        })
    }
}

fn chunks<'a, F>(ids: &'a [ItemId], fetch: impl Fn(&'a [ItemId]) -> F + Send + 'a) -> BoxStream<'a, Result<VectorBatch>>
where
    F: Future<Output = Result<crate::Fetched>> + Send + 'a,
{
    stream::iter(ids.chunks(FETCH)).then(fetch).map_ok(|fetched| fetched.rows).boxed()
}

enum Collector {
    Items(Ranking),
    /// The best patch of each sample seen so far.
    Samples(Collect, HashMap<ItemId, Hit>),
}

impl Collector {
    fn new(collect: Collect) -> Self {
        if collect.by_sample {
            Self::Samples(collect, HashMap::new())
        } else {
            Self::Items(Ranking::new(collect.direction, collect.k.unwrap_or(usize::MAX)))
        }
    }

    fn push(&mut self, distance: f32, item: &Item) {
        match self {
            Self::Items(ranking) => ranking.push(distance, || item.clone()),
            Self::Samples(_, best) => match best.get_mut(&item.sample_id) {
                Some(kept) => {
                    if (distance, &item.id) < (kept.distance, &kept.item.id) {
                        *kept = Hit { item: item.clone(), distance };
                    }
                }
                None => {
                    best.insert(item.sample_id.clone(), Hit { item: item.clone(), distance });
                }
            },
        }
    }

    fn into_hits(self) -> Vec<Hit> {
        match self {
            Self::Items(ranking) => ranking.into_hits(),
            Self::Samples(collect, best) => {
                let mut hits: Vec<Hit> = best.into_values().collect();
                hits.sort_by(|a, b| {
                    let order = (a.distance + 0.0).total_cmp(&(b.distance + 0.0));
                    let order = if collect.direction == Direction::Farthest { order.reverse() } else { order };
                    order.then_with(|| a.item.sample_id.cmp(&b.item.sample_id))
                });
                hits.truncate(collect.k.unwrap_or(usize::MAX));
                hits
            }
        }
    }
}
