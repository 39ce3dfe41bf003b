//! The right answer, by the shortest way: what searches are tested against.
//!
//! An [`Oracle`] holds its rows in memory, computes every distance by [`Metric::reference`] in `f64`, sorts all of them and cuts the list. It
//! shares no code with the planner, the rankings or any backend; of [`search`](crate::search) it only reads the question.
//!
//! ```
//! use brain_core::{Item, Metric, oracle::Oracle, search::SearchRequest};
//! let mut oracle = Oracle::new(Metric::Euclidean);
//! oracle.insert(Item::sample("near".into()), vec![1.0, 0.0]);
//! oracle.insert(Item::sample("far".into()), vec![3.0, 4.0]);
//! let answer = &oracle.search(&SearchRequest::new(vec![vec![0.0, 0.0]]))[0];
//! assert_eq!((answer[0].item.id.to_string(), answer[1].distance), ("near".to_owned(), 5.0));
//! ```

use std::collections::{BTreeMap, HashMap};

use crate::search::{Aggregation, SearchRequest};
use crate::{Hit, Item, ItemId, Metric};

/// Rows in memory, searched exactly.
#[derive(Clone, Debug)]
pub struct Oracle {
    metric: Metric,
    rows: BTreeMap<ItemId, (Item, Vec<f32>)>,
}

impl Oracle {
    /// An oracle without rows.
    pub fn new(metric: Metric) -> Self {
        Self { metric, rows: BTreeMap::new() }
    }

    /// Adds a row, in place of the one with this id if there is one.
    pub fn insert(&mut self, item: Item, vector: Vec<f32>) {
        self.rows.insert(item.id.clone(), (item, vector));
    }

    /// Removes a row; whether there was one.
    pub fn remove(&mut self, id: &ItemId) -> bool {
        self.rows.remove(id).is_some()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows' owners, by id.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.rows.values().map(|(item, _)| item)
    }

    /// The answer to `request`: a list for each query, or one list where queries are aggregated. [`SearchRequest::precision`] is of no concern.
    ///
    /// Distances tie where they are equal as `f32`, the precision that users see. Ties are in order of item id; where answers are samples, of
    /// sample id, and of equally good patches the one with the smallest id stands for its sample.
    pub fn search(&self, request: &SearchRequest<'_>) -> Vec<Vec<Hit>> {
        let queries = match request.aggregation {
            Aggregation::Mean => vec![mean(&request.queries)],
            _ => request.queries.clone(),
        };
        match request.aggregation {
            Aggregation::None | Aggregation::Mean => {
                queries.iter().map(|query| self.ranking(request, |vector| self.metric.reference(query, vector))).collect()
            }
            Aggregation::PostMean | Aggregation::PostMin | Aggregation::PostMax => {
                let distance = |vector: &[f32]| {
                    let distances: Vec<f64> = queries.iter().map(|query| self.metric.reference(query, vector)).collect();
                    match request.aggregation {
                        Aggregation::PostMin => distances.into_iter().fold(f64::INFINITY, f64::min),
                        Aggregation::PostMax => distances.into_iter().fold(f64::NEG_INFINITY, f64::max),
                        _ => distances.iter().sum::<f64>() / distances.len() as f64,
                    }
                };
                vec![self.ranking(request, distance)]
            }
        }
    }

    fn ranking(&self, request: &SearchRequest<'_>, distance: impl Fn(&[f32]) -> f64) -> Vec<Hit> {
        let in_scope = self.rows.values().filter(|(item, _)| request.scope.contains(item));
        // Adding 0.0 turns a negative zero into zero: the two are the same distance.
        let mut hits: Vec<Hit> = in_scope.map(|(item, vector)| Hit { item: item.clone(), distance: distance(vector) as f32 + 0.0 }).collect();
        if request.by_sample {
            hits = best_patches(hits);
        }
        hits.sort_by(|a, b| {
            let order = a.distance.total_cmp(&b.distance);
            let order = if request.reverse { order.reverse() } else { order };
            let id = |hit: &Hit| if request.by_sample { hit.item.sample_id.clone() } else { hit.item.id.clone() };
            order.then_with(|| id(a).cmp(&id(b)))
        });
        hits.truncate(request.k.unwrap_or(usize::MAX));
        hits
    }
}

/// Of each sample the patch at the smallest distance; `hits` come by item id, so the first of equals has the smallest.
fn best_patches(hits: Vec<Hit>) -> Vec<Hit> {
    let mut best: HashMap<ItemId, Hit> = HashMap::new();
    for hit in hits {
        let sample = hit.item.sample_id.clone();
        if best.get(&sample).is_none_or(|kept| hit.distance < kept.distance) {
            best.insert(sample, hit);
        }
    }
    best.into_values().collect()
}

/// The average of vectors of equal length, rounded to `f32` once, as any query vector is.
fn mean(vectors: &[Vec<f32>]) -> Vec<f32> {
    let dimension = vectors.first().map_or(0, Vec::len);
    let sum = |at: usize| vectors.iter().map(|vector| f64::from(vector[at])).sum::<f64>();
    (0..dimension).map(|at| (sum(at) / vectors.len() as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ItemSet, Scope};

    /// Two samples with two patches each on a line, and the query at 0.
    fn line() -> Oracle {
        let mut oracle = Oracle::new(Metric::L1);
        for (id, sample, x) in [("p1", "s1", 1.0), ("p2", "s1", 9.0), ("p3", "s0", 1.0), ("p4", "s0", 4.0)] {
            oracle.insert(Item::patch(id.into(), sample.into()), vec![x]);
        }
        oracle
    }

    fn ask(request: &SearchRequest<'_>) -> Vec<(String, f32)> {
        line().search(request).remove(0).into_iter().map(|hit| (hit.item.id.to_string(), hit.distance)).collect()
    }

    fn expected(rows: &[(&str, f32)]) -> Vec<(String, f32)> {
        rows.iter().map(|&(id, distance)| (id.to_owned(), distance)).collect()
    }

    #[test]
    fn ties_go_by_id_in_both_directions() {
        let request = SearchRequest::new(vec![vec![0.0]]);
        assert_eq!(ask(&request), expected(&[("p1", 1.0), ("p3", 1.0), ("p4", 4.0), ("p2", 9.0)]));
        let last = SearchRequest { reverse: true, k: Some(3), ..request };
        assert_eq!(ask(&last), expected(&[("p2", 9.0), ("p4", 4.0), ("p1", 1.0)]));
    }

    #[test]
    fn a_sample_stands_where_its_best_patch_does() {
        let request = SearchRequest { by_sample: true, ..SearchRequest::new(vec![vec![5.0]]) };
        assert_eq!(ask(&request), expected(&[("p4", 1.0), ("p1", 4.0)]));
        // Equally far: by sample id, not by patch id.
        let tied = SearchRequest { queries: vec![vec![0.0]], ..request };
        assert_eq!(ask(&tied), expected(&[("p3", 1.0), ("p1", 1.0)]));
    }

    #[test]
    fn aggregations_and_scopes() {
        let samples = ItemSet::new(vec!["s1".into(), "nowhere".into()]);
        let request = SearchRequest { scope: Scope::Samples(&samples), ..SearchRequest::new(vec![vec![0.0], vec![10.0]]) };
        let with = |aggregation| ask(&SearchRequest { aggregation, ..request.clone() });
        assert_eq!(with(Aggregation::Mean), expected(&[("p1", 4.0), ("p2", 4.0)]));
        assert_eq!(with(Aggregation::PostMean), expected(&[("p1", 5.0), ("p2", 5.0)]));
        assert_eq!(with(Aggregation::PostMin), expected(&[("p1", 1.0), ("p2", 1.0)]));
        assert_eq!(with(Aggregation::PostMax), expected(&[("p1", 9.0), ("p2", 9.0)]));
        assert_eq!(line().search(&SearchRequest { aggregation: Aggregation::None, ..request }).len(), 2);
    }

    #[test]
    fn a_removed_row_is_gone() {
        let mut oracle = line();
        assert!(oracle.remove(&"p1".into()) && !oracle.remove(&"p1".into()));
        assert_eq!((oracle.len(), oracle.is_empty(), oracle.items().count()), (3, false, 3));
    }
}
