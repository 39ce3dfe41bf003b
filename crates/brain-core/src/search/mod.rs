//! Searching: everything about an answer that must be the same on every backend.
//!
//! [`search`] takes query vectors and a [`SearchRequest`] and asks the index's primitives. It validates the input, chooses a [`Route`], reverses
//! and aggregates where that is asked, counts the rows, and repairs by an exact route whatever a backend's cap or filter lost. What it did and
//! why stands in the [`Report`].
//!
//! *Invariant:* an answer holds exactly min(k, items of the scope that are indexed) rows, or it is an error.

mod aggregation;
mod calibration;
mod estimates;
mod plan;
mod ranking;
mod report;
mod scan;

use std::time::Instant;

use crate::{Direction, Error, Hit, ItemKind, Metric, NearestRequest, Precision, Result, Scope, SimilarityIndex};

pub use aggregation::Aggregation;
pub use calibration::{Asked, Calibrating, Calibration, QUESTIONS, depth_of_question, questions_between};
pub use estimates::Estimates;
pub use plan::Route;
pub use ranking::Ranking;
pub use report::{Answer, Report};
pub use scan::compare;

use plan::Plan;
use scan::{Collect, Scan};

/// A question to an index.
#[derive(Clone, Debug)]
pub struct SearchRequest<'a> {
    /// The query vectors; at least one.
    pub queries: Vec<Vec<f32>>,
    /// How many rows an answer has; `None` sorts everything in scope.
    pub k: Option<usize>,
    /// The least similar first.
    pub reverse: bool,
    /// What becomes of several queries.
    pub aggregation: Aggregation,
    /// Which items may be answers.
    pub scope: Scope<'a>,
    /// Answers are samples, each standing where its best patch does: for an index of patches seen through a view of samples.
    pub by_sample: bool,
    /// [`Precision::Approximate`] leaves it to the index whether to answer approximately; [`Precision::Exact`] forbids it.
    pub precision: Precision,
    /// Whether the report shall hold the server's own plan.
    pub explain: bool,
}

impl<'a> SearchRequest<'a> {
    /// Everything in the index, nearest first; several queries are averaged.
    pub fn new(queries: Vec<Vec<f32>>) -> Self {
        Self {
            queries,
            k: None,
            reverse: false,
            aggregation: Aggregation::default(),
            scope: Scope::All,
            by_sample: false,
            precision: Precision::Approximate,
            explain: false,
        }
    }

    fn direction(&self) -> Direction {
        if self.reverse { Direction::Farthest } else { Direction::Nearest }
    }
}

/// Answers `request` from `index`: completely, nearest first (or farthest, reversed), ties by item id.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for no query, `k` of 0, a NaN, or a zero query under cosine;
/// [`DimensionMismatch`](crate::ErrorKind::DimensionMismatch); those of the index.
pub async fn search(index: &dyn SimilarityIndex, request: &SearchRequest<'_>) -> Result<Answer> {
    let started = Instant::now();
    let spec = index.spec();
    let queries = aggregation::queries(request, spec.dimension, spec.metric)?;
    if request.k == Some(0) {
        return Err(Error::invalid("k is 0, which asks for nothing").with_hint("ask for at least 1 row, or leave k out to sort everything"));
    }
    // On an index of samples an item is its sample: there is nothing to group.
    let by_sample = request.by_sample && spec.items == ItemKind::Patches;
    let mut search = Search { index, request, queries, by_sample, total: Total::default() };
    // A full answer needs no count that is up to the moment.
    let estimated = request.k.is_some();
    search.total = if estimated { search.estimate().await? } else { search.count().await? };
    let mut found = search.run().await?;
    if estimated && found.shortest() < request.k.unwrap_or(usize::MAX) {
        let counted = search.count().await?;
        if counted != search.total {
            search.total = counted;
            found = search.run().await?;
        }
    }
    let Total { items, rows } = search.total;
    let missing = match request.scope {
        Scope::All => 0,
        Scope::Items(set) | Scope::Samples(set) => {
            // Patches of a sample outnumber it; only like is counted against like.
            let like = match request.scope {
                Scope::Samples(_) if by_sample => rows,
                Scope::Samples(_) if estimated => saturating(index.estimate_samples(request.scope).await?),
                Scope::Samples(_) => saturating(index.count_samples(request.scope).await?),
                Scope::All | Scope::Items(_) => items,
            };
            set.len().saturating_sub(like)
        }
    };
    let returned = found.results.first().map_or(0, Vec::len);
    let report = Report {
        requested: request.k,
        returned,
        missing,
        exact: found.exact,
        route: found.route,
        reason: found.reason,
        elapsed_ms: started.elapsed().as_secs_f64() * 1e3,
        plan: found.remark,
    };
    Ok(Answer { results: found.results, report })
}

/// How many items are in scope, and how many rows a full answer has (samples, where answers are samples).
#[derive(Clone, Copy, Default, PartialEq)]
struct Total {
    items: usize,
    rows: usize,
}

struct Search<'a> {
    index: &'a dyn SimilarityIndex,
    request: &'a SearchRequest<'a>,
    queries: Vec<Vec<f32>>,
    by_sample: bool,
    total: Total,
}

struct Found {
    results: Vec<Vec<Hit>>,
    exact: bool,
    route: Route,
    reason: String,
    remark: Option<String>,
}

impl Found {
    fn nothing(search: &Search<'_>) -> Self {
        let lists = if search.request.aggregation == Aggregation::None { search.queries.len() } else { 1 };
        Self {
            results: vec![Vec::new(); lists],
            exact: true,
            route: Route::of(search.request.scope),
            reason: "no item in scope is indexed".to_owned(),
            remark: None,
        }
    }

    fn shortest(&self) -> usize {
        self.results.iter().map(Vec::len).min().unwrap_or_default()
    }
}

impl Search<'_> {
    async fn estimate(&self) -> Result<Total> {
        let items = self.index.estimate(self.request.scope).await?;
        let rows = if self.by_sample { self.index.estimate_samples(self.request.scope).await? } else { items };
        Ok(Total { items: saturating(items), rows: saturating(rows) })
    }

    async fn count(&self) -> Result<Total> {
        let items = self.index.count(self.request.scope).await?;
        let rows = if self.by_sample { self.index.count_samples(self.request.scope).await? } else { items };
        Ok(Total { items: saturating(items), rows: saturating(rows) })
    }

    fn k(&self) -> usize {
        self.request.k.map_or(self.total.rows, |k| k.min(self.total.rows))
    }

    async fn run(&self) -> Result<Found> {
        if self.total.rows == 0 {
            return Ok(Found::nothing(self));
        }
        // Only the smallest of minima and the largest of maxima can be put together from the queries' own lists.
        let mergeable = match self.request.aggregation {
            Aggregation::None | Aggregation::Mean => true,
            Aggregation::PostMin => !self.request.reverse,
            Aggregation::PostMax => self.request.reverse,
            Aggregation::PostMean => false,
        };
        let alone = self.queries.len() == 1;
        if !alone && !mergeable {
            return self.scan(format!("{} needs every query's distance to every item", self.request.aggregation)).await;
        }
        if self.by_sample {
            // The least similar samples are those whose best patch is far: that takes every patch.
            return if self.request.reverse || (!alone && self.request.aggregation.is_post()) {
                self.scan("the best patch of every sample is needed".to_owned()).await
            } else {
                self.nearest_samples().await
            };
        }
        let found = self.nearest(self.k()).await?;
        Ok(if alone || !self.request.aggregation.is_post() { found } else { self.merge(found) })
    }

    /// One list per query from the index's own search, complete: a short list is repaired.
    async fn nearest(&self, k: usize) -> Result<Found> {
        let plan = Plan::choose(self.index.capabilities(), self.index.spec().metric, self.request, self.total.items, k);
        let found = self.ask(&plan, k).await?;
        let expected = k.min(self.total.items);
        let shortest = found.shortest();
        if shortest >= expected {
            // An index without an exact route of its own answers approximately whatever it is asked for.
            return if self.request.precision == Precision::Exact && !found.exact {
                self.scan("an exact answer was asked for, and the index answers approximately".to_owned()).await
            } else {
                Ok(found)
            };
        }
        let lost = format!("{} returned {shortest} of {expected} rows, so the answer was completed exactly", plan.route);
        match plan.exact() {
            Some(exact) => {
                let repaired = self.ask(&exact, k).await?;
                let whole = repaired.results.iter().all(|list| list.len() >= expected);
                if whole { Ok(Found { reason: lost, ..repaired }) } else { self.scan(lost).await }
            }
            None => self.scan(lost).await,
        }
    }

    async fn ask(&self, plan: &Plan, k: usize) -> Result<Found> {
        let plan::Attempt::Ask { precision, negate, direction } = plan.attempt else {
            return self.scan(plan.reason.clone()).await;
        };
        let sign = if negate { -1.0 } else { 1.0 };
        let queries: Vec<f32> = self.queries.iter().flatten().map(|x| x * sign).collect();
        let request = NearestRequest { queries: &queries, k, scope: self.request.scope, direction, precision };
        let mut response = self.index.nearest(request).await?;
        if self.request.explain
            && let Some(plan) = self.index.explain(request).await?
        {
            response.remark = Some(response.remark.map_or_else(|| plan.clone(), |remark| format!("{remark}\n{plan}")));
        }
        if response.hits.len() != self.queries.len() {
            return Err(Error::unexpected(format!(
                "the index {} answered {} of {} queries",
                self.index.spec().name,
                response.hits.len(),
                self.queries.len()
            )));
        }
        if negate {
            for hit in response.hits.iter_mut().flatten() {
                hit.distance = match self.index.spec().metric {
                    Metric::Cosine => 2.0 - hit.distance,
                    _ => -hit.distance,
                };
            }
            // Small distances tell rows apart that 2 minus them, rounded, does not: those tie now, and ties come by id.
            for list in &mut response.hits {
                list.sort_by(|a, b| b.distance.total_cmp(&a.distance).then_with(|| a.item.id.cmp(&b.item.id)));
            }
        }
        for list in &mut response.hits {
            list.truncate(k);
        }
        let (route, reason) = match response.declined {
            Some(why) => (Route::of(self.request.scope), why),
            None => (plan.route, plan.reason.clone()),
        };
        Ok(Found { results: response.hits, exact: response.exact, route, reason, remark: response.remark })
    }

    /// The samples of the nearest patches: asks for more patches until there are enough samples.
    async fn nearest_samples(&self) -> Result<Found> {
        let k = self.k();
        let mut patches = k.saturating_mul(2).min(self.total.items);
        loop {
            let found = self.nearest(patches).await?;
            let grouped: Vec<Vec<Hit>> = found.results.iter().map(|list| ranking::best_of_samples(list, k)).collect();
            // A patch beyond the list may tie with the last sample's and come before it by id: only a list that goes on past the tie decides.
            let enough = found.results.iter().zip(&grouped).all(|(patches_found, samples)| {
                samples.len() >= k
                    && (patches >= self.total.items
                        || samples.last().zip(patches_found.last()).is_some_and(|(sample, patch)| sample.distance < patch.distance))
            });
            if enough {
                return Ok(Found { results: grouped, ..found });
            }
            if patches >= self.total.items {
                // Every patch was seen and there are still too few samples: the index changed meanwhile, or its answer lost some.
                return self.scan("too few samples came back from all patches".to_owned()).await;
            }
            patches = patches.saturating_mul(4).min(self.total.items);
        }
    }

    /// One list out of several: each item at its smallest (or largest) distance.
    fn merge(&self, found: Found) -> Found {
        let mut best: std::collections::HashMap<crate::ItemId, Hit> = std::collections::HashMap::new();
        for hit in found.results.into_iter().flatten() {
            best.entry(hit.item.id.clone())
                .and_modify(|kept| {
                    let better = if self.request.reverse { hit.distance > kept.distance } else { hit.distance < kept.distance };
                    if better {
                        *kept = hit.clone();
                    }
                })
                .or_insert(hit);
        }
        let mut ranking = Ranking::new(self.request.direction(), self.k());
        best.into_values().for_each(|hit| ranking.push(hit.distance, || hit.item));
        Found { results: vec![ranking.into_hits()], ..found }
    }

    /// Every vector in scope passes by, in bounded memory, and is compared here.
    async fn scan(&self, reason: String) -> Result<Found> {
        let collect = Collect { direction: self.request.direction(), k: self.request.k, by_sample: self.by_sample };
        let scan = Scan { index: self.index, scope: self.request.scope, queries: &self.queries, aggregation: self.request.aggregation, collect };
        Ok(Found { results: scan.run().await?, exact: true, route: Route::StreamedScan, reason, remark: None })
    }
}

fn saturating(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
