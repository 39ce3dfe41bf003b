//! `sort_by_similarity`: from a query to rows with their samples, and a report.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use brain_core::search::{Aggregation, Answer, Report, Route, SearchRequest, search};
use brain_core::{Error, FieldValue, Hit, ItemId, ItemKind, Precision, Result, Scope, View, enumerate};
use brain_dataset::{Dataset, Fields};
use serde::Serialize;

use crate::{Query, Similarity, query};

/// A search being put together; [`run`](Self::run) answers it.
pub struct SortBySimilarity<'a> {
    similarity: &'a Similarity,
    query: Query,
    k: Option<usize>,
    reverse: bool,
    aggregation: Aggregation,
    view: Option<View>,
    dist_field: Option<String>,
    precision: Precision,
    explain: bool,
}

/// Rows nearest first, and how they were found.
#[derive(Clone, Debug)]
pub struct Sorted {
    /// One list a query, or a single one where queries were aggregated.
    pub results: Vec<Vec<SortedRow>>,
    /// How they were found.
    pub report: Report,
}

/// One row of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SortedRow {
    /// From 1.
    pub rank: usize,
    /// The item: the sample's id, or the label's where answers are patches.
    pub id: ItemId,
    /// Its sample.
    pub sample_id: ItemId,
    /// The patch's label; of an answer that is a sample, its best patch. `None` in an index of samples.
    pub label_id: Option<ItemId>,
    /// The sample's photo; `None` where the dataset no longer has the sample.
    pub filepath: Option<String>,
    /// By the index's metric; smaller is nearer.
    pub distance: f32,
}

impl<'a> SortBySimilarity<'a> {
    pub(crate) fn new(similarity: &'a Similarity, query: Query) -> Self {
        Self {
            similarity,
            query,
            k: None,
            reverse: false,
            aggregation: Aggregation::default(),
            view: None,
            dist_field: None,
            precision: Precision::Approximate,
            explain: false,
        }
    }

    /// How many rows; `None`, the default, sorts everything.
    #[must_use]
    pub fn k(mut self, k: impl Into<Option<usize>>) -> Self {
        self.k = k.into();
        self
    }

    /// The least similar first.
    #[must_use]
    pub fn reverse(mut self, reverse: bool) -> Self {
        self.reverse = reverse;
        self
    }

    /// What becomes of several queries; by default they are averaged.
    #[must_use]
    pub fn aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }

    /// Answers lie in this view. In an index of patches a view of samples orders the samples by their best patch.
    #[must_use]
    pub fn within(mut self, view: View) -> Self {
        self.view = Some(view);
        self
    }

    /// Stores the distances on the dataset, under this field of the samples (or of the labels, where answers are patches).
    #[must_use]
    pub fn dist_field(mut self, field: impl Into<String>) -> Self {
        self.dist_field = Some(field.into());
        self
    }

    /// Forbids an approximate answer.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.precision = Precision::Exact;
        self
    }

    /// Has the report hold the server's own plan, where the backend has a server.
    #[must_use]
    pub fn explain(mut self, explain: bool) -> Self {
        self.explain = explain;
        self
    }

    /// Answers.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) naming unknown ids; [`Unsupported`](brain_core::ErrorKind::Unsupported) for a prompt to a model
    /// without text; those of the view, of the image file, and of the backend.
    pub async fn run(self) -> Result<Sorted> {
        let started = Instant::now();
        if let Some(field) = &self.dist_field
            && self.aggregation == Aggregation::None
        {
            return Err(Error::invalid(format!("several lists of distances cannot all be stored in {field:?}"))
                .with_hint("aggregate the queries, or ask one by one with a field each"));
        }
        if matches!(self.query, Query::Weighted(_)) && self.aggregation != Aggregation::Mean {
            return Err(Error::invalid(format!("a weighted query is one vector, which leaves {} nothing to aggregate", self.aggregation))
                .with_hint("leave the aggregation out, or the weights"));
        }
        let within = match &self.view {
            Some(view) => Some(self.similarity.within(view).await?),
            None => None,
        };
        let by_sample = within.as_ref().is_some_and(|within| within.by_sample);
        let Some(index) = self.similarity.index() else {
            return self.of_nothing(within.as_ref().map_or(0, |within| within.set().len()), started);
        };
        let request = SearchRequest {
            queries: query::vectors(self.similarity, index, &self.query).await?,
            k: self.k,
            reverse: self.reverse,
            aggregation: self.aggregation,
            scope: within.as_ref().map_or(Scope::All, |within| within.scope()),
            by_sample,
            precision: self.precision,
            explain: self.explain,
        };
        let Answer { results, mut report } = search(index, &request).await?;
        if let Some(field) = &self.dist_field {
            self.store(field, by_sample, results.first().map_or(&[][..], Vec::as_slice))?;
        }
        let results = results.into_iter().map(|hits| self.rows(hits, by_sample)).collect::<Result<_>>()?;
        report.elapsed_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(Sorted { results, report })
    }

    fn of_nothing(&self, missing: usize, started: Instant) -> Result<Sorted> {
        if let Query::Id(id) = &self.query {
            return Err(Error::not_found(format!("the index is empty: it holds no {id}")));
        }
        if let Query::Ids(ids) | Query::Samples(ids) = &self.query {
            return Err(Error::not_found(format!("the index is empty: it holds no {}", enumerate(ids))));
        }
        let report = Report {
            requested: self.k,
            returned: 0,
            missing,
            exact: true,
            route: Route::FullScan,
            reason: "nothing was added to the index yet".to_owned(),
            elapsed_ms: started.elapsed().as_secs_f64() * 1e3,
            plan: None,
        };
        Ok(Sorted { results: vec![Vec::new()], report })
    }

    fn rows(&self, hits: Vec<Hit>, by_sample: bool) -> Result<Vec<SortedRow>> {
        let dataset = self.similarity.brain().datasets().get(&self.similarity.record().dataset)?;
        let filepaths = filepaths(&dataset, &hits)?;
        let patches = self.similarity.items() == ItemKind::Patches;
        let row = |(position, hit): (usize, Hit)| SortedRow {
            rank: position + 1,
            filepath: filepaths.get(&hit.item.sample_id).cloned(),
            id: if by_sample { hit.item.sample_id.clone() } else { hit.item.id.clone() },
            label_id: patches.then_some(hit.item.id),
            sample_id: hit.item.sample_id,
            distance: hit.distance,
        };
        Ok(hits.into_iter().enumerate().map(row).collect())
    }

    fn store(&self, field: &str, by_sample: bool, hits: &[Hit]) -> Result<()> {
        let dataset = self.similarity.brain().datasets().get(&self.similarity.record().dataset)?;
        let distance = |hit: &Hit| FieldValue::Float(f64::from(hit.distance));
        match (&self.similarity.config().patches_field, by_sample) {
            (Some(label_field), false) => {
                dataset.set_label_values(label_field, field, hits.iter().map(|hit| (hit.item.id.clone(), distance(hit))))?;
            }
            _ => {
                dataset.set_values(field, hits.iter().map(|hit| (hit.item.sample_id.clone(), distance(hit))))?;
            }
        }
        Ok(())
    }
}

/// The photos of the samples that the dataset still has.
fn filepaths(dataset: &Dataset, hits: &[Hit]) -> Result<HashMap<ItemId, String>> {
    let ids: HashSet<&ItemId> = hits.iter().map(|hit| &hit.item.sample_id).collect();
    let ids: Vec<ItemId> = ids.into_iter().cloned().collect();
    let gone: HashSet<ItemId> = dataset.unknown_samples(&ids)?.into_iter().collect();
    let there: Vec<ItemId> = ids.into_iter().filter(|id| !gone.contains(id)).collect();
    let mut filepaths = HashMap::with_capacity(there.len());
    for chunk in there.chunks(4096) {
        let samples = dataset.get_samples(chunk, Fields::Only(&[]))?;
        filepaths.extend(samples.into_iter().filter_map(|sample| Some((sample.id?, sample.filepath))));
    }
    Ok(filepaths)
}
