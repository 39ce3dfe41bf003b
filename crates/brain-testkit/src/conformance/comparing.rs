//! Comparing the items of an index among themselves: neighbours, duplicates and unique items of brain-core over the backend's primitives.

use std::collections::HashMap;

use brain_core::similar::{Cutoff, Duplicates, Neighbors, SelfJoin, Unique};
use brain_core::{ErrorKind, Item, Metric, Scope, SimilarityBackend, SimilarityIndex};

use super::dimension_fits;
use super::trial::{assert_refused, with_corpus};
use crate::compare::close;
use crate::corpus::{Corpus, Extent, Ids};
use crate::shape::Shape;

/// Room for so few rows that a hundred of them are read in several parts.
const LITTLE_ROWS: usize = 31;

/// The nearest others of every item, duplicates by threshold and by fraction, and unique items, over every metric and shape, of all items and of
/// views, whether the vectors fit the memory or not.
pub async fn compares_all_with_all(backend: &dyn SimilarityBackend) {
    let corpora = [
        Corpus::samples(Shape::Clustered, 110, Ids::Text, 31),
        Corpus::samples(Shape::Lattice, 110, Ids::Hex, 32),
        Corpus::patches(Shape::Isotropic, 110, Ids::Hex, 33),
        Corpus::patches(Shape::Duplicates, 110, Ids::Text, 34),
    ];
    for corpus in corpora.iter().filter(|corpus| dimension_fits(backend, corpus.shape)) {
        let (items, samples) = (Extent::HalfOutside.draw(&corpus.ids(), 35), Extent::Percent(50).draw(&corpus.sample_ids(), 36));
        for &metric in &backend.capabilities().metrics {
            with_corpus(backend, metric, corpus, async |index| {
                for scope in [Scope::All, Scope::Items(&items), Scope::Samples(&samples)] {
                    check_comparison(index, corpus, scope).await;
                }
            })
            .await;
        }
    }
}

/// Thresholds and fractions that mean nothing, no neighbours and no items, and more items than there are, are refused. An index without items has no
/// duplicates.
pub async fn refuses_senseless_comparisons(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Isotropic, 20, Ids::Hex, 37);
    let nothing = Extent::Outside.draw(&corpus.ids(), 38);
    for &metric in &backend.capabilities().metrics {
        with_corpus(backend, metric, &corpus, async |index| {
            let all = SelfJoin::new(index, Scope::All);
            for cutoff in [Cutoff::Threshold(f32::NAN), Cutoff::Threshold(f32::INFINITY), Cutoff::Fraction(-0.1), Cutoff::Fraction(1.1)] {
                assert_refused(all.find_duplicates(cutoff).await, ErrorKind::InvalidInput, &format!("{cutoff:?}"));
            }
            if metric == Metric::DotProduct {
                all.find_duplicates(Cutoff::Threshold(-1.0)).await.unwrap();
            } else {
                assert_refused(all.find_duplicates(Cutoff::Threshold(-1.0)).await, ErrorKind::InvalidInput, "a negative threshold");
            }
            assert_refused(all.neighbors(0).await, ErrorKind::InvalidInput, "no neighbours");
            assert_refused(all.find_unique(0).await, ErrorKind::InvalidInput, "no items");
            assert_refused(all.find_unique(21).await, ErrorKind::InvalidInput, "more items than there are");

            let empty = SelfJoin::new(index, Scope::Items(&nothing));
            for cutoff in [Cutoff::Threshold(0.5), Cutoff::Fraction(0.5)] {
                let found = empty.find_duplicates(cutoff).await.unwrap();
                assert!(found.kept.is_empty() && found.groups.is_empty());
                assert_eq!((found.compared.items, found.compared.missing), (0, nothing.len()));
            }
            assert_eq!(empty.neighbors(3).await.unwrap().items().len(), 0);
        })
        .await;
    }
}

/// Compares the items of `scope`, and holds what is found against the definitions.
pub(crate) async fn check_comparison(index: &dyn SimilarityIndex, corpus: &Corpus, scope: Scope<'_>) {
    let metric = index.spec().metric;
    let among = Among::of(corpus, metric, scope);
    let little = SelfJoin::new(index, scope).memory(LITTLE_ROWS * size_of::<f32>() * index.spec().dimension);
    for (join, few) in [(SelfJoin::new(index, scope), 7), (little, 1_000)] {
        for k in [1, few] {
            among.check_neighbors(&join.neighbors(k).await.unwrap(), k);
        }
        for share in [0.1, 0.6] {
            among.check_duplicates(&join.find_duplicates(Cutoff::Threshold(among.clear_threshold(share))).await.unwrap());
        }
        for fraction in [0.0, 0.3, 1.0] {
            among.check_fraction(&join, fraction).await;
        }
        let all = among.items.len();
        for count in [1, 2, all / 2, all].into_iter().filter(|count| (1..=all).contains(count)) {
            // Whole numbers are compared without rounding, so that the oracle's ties are ties.
            let exact = corpus.shape == Shape::Lattice && metric != Metric::Cosine;
            among.check_unique(&join.find_unique(count).await.unwrap(), count, exact);
        }
    }
}

/// What is compared, by id, with every distance by its definition.
struct Among {
    metric: Metric,
    items: Vec<Item>,
    distances: Vec<Vec<f32>>,
}

impl Among {
    fn of(corpus: &Corpus, metric: Metric, scope: Scope<'_>) -> Self {
        let mut rows: Vec<(&Item, &Vec<f32>)> = corpus.items.iter().zip(&corpus.vectors).filter(|(item, _)| scope.contains(item)).collect();
        rows.sort_by_key(|(item, _)| *item);
        let from = |a: &[f32]| rows.iter().map(|(_, b)| metric.reference(a, b) as f32 + 0.0).collect();
        let distances = rows.iter().map(|(_, vector)| from(vector)).collect();
        Self { metric, distances, items: rows.into_iter().map(|(item, _)| item.clone()).collect() }
    }

    fn position(&self, item: &Item) -> usize {
        self.items.binary_search(item).unwrap_or_else(|_| panic!("{item:?} is not in scope"))
    }

    fn distance(&self, a: usize, b: usize) -> f32 {
        self.distances[a][b]
    }

    /// A threshold within which about this share of all pairs are, and that no pair's distance comes near to: rounding changes nothing.
    fn clear_threshold(&self, share: f64) -> f32 {
        let mut distances: Vec<f32> = (0..self.items.len()).flat_map(|a| (0..a).map(move |b| self.distance(a, b))).collect();
        distances.sort_by(f32::total_cmp);
        let (start, least) = ((distances.len() as f64 * share) as usize, if self.metric == Metric::DotProduct { f32::MIN } else { 0.0 });
        let gap = distances[start..].windows(2).find(|pair| !close(pair[0], pair[1]) && pair[0] >= least);
        gap.map_or(0.5, |pair| pair[0] + (pair[1] - pair[0]) / 2.0)
    }

    fn check_neighbors(&self, found: &Neighbors, k: usize) {
        assert_eq!(found.items(), self.items, "every item in scope, by id");
        assert_eq!(found.k(), k.min(self.items.len().saturating_sub(1)), "{k} neighbours of {} items", self.items.len());
        for item in 0..self.items.len() {
            let mut right: Vec<f32> = (0..self.items.len()).filter(|&other| other != item).map(|other| self.distance(item, other)).collect();
            right.sort_by(f32::total_cmp);
            let list: Vec<(usize, f32)> = found.of(item).map(|(other, distance)| (self.position(other), distance)).collect();
            assert!(list.is_sorted_by(|a, b| a.1 < b.1 || (a.1 == b.1 && a.0 < b.0)), "in order, each once: {list:?}");
            for (&(other, distance), right) in list.iter().zip(right) {
                assert_ne!(other, item, "an item is no neighbour of itself");
                assert!(close(distance, right) && close(distance, self.distance(item, other)), "{other} of {item} is at {distance}, not {right}");
            }
        }
        let nearest = if self.items.len() > 1 { self.items.len() } else { 0 };
        assert_eq!(found.nearest_distances().count(), nearest);
        assert_eq!(found.histogram(10).map_or(0, |histogram| histogram.counts.iter().sum::<u64>()), nearest as u64);
    }

    /// The walk by its definition, for a threshold that is clear of all distances.
    fn check_duplicates(&self, found: &Duplicates) {
        let threshold = found.threshold.unwrap();
        let mut kept: Vec<usize> = Vec::new();
        let mut nearest: HashMap<usize, f32> = HashMap::new();
        for row in 0..self.items.len() {
            match kept.iter().map(|&before| self.distance(before, row)).min_by(f32::total_cmp) {
                Some(distance) if distance <= threshold => {
                    nearest.insert(row, distance);
                }
                _ => kept.push(row),
            }
        }
        assert_eq!(found.kept.iter().map(|item| self.position(item)).collect::<Vec<_>>(), kept, "kept within {threshold} ({})", self.metric);
        self.check_groups(found, &nearest);
        for (group, hit) in found.groups.iter().flat_map(|group| group.duplicates.iter().map(move |hit| (group, hit))) {
            assert!(group.kept.id < hit.item.id && hit.distance <= threshold, "{hit:?} of {}", group.kept.id);
        }
    }

    /// Each row of `nearest` is a duplicate, as far as that from its kept item.
    fn check_groups(&self, found: &Duplicates, nearest: &HashMap<usize, f32>) {
        assert_eq!(found.duplicates().count(), nearest.len(), "each duplicate once");
        assert!(found.groups.is_sorted_by(|a, b| a.kept.id < b.kept.id) && found.kept.is_sorted_by(|a, b| a.id < b.id));
        for group in &found.groups {
            let kept = self.position(&group.kept);
            assert!(found.kept.contains(&group.kept) && !group.duplicates.is_empty());
            assert!(group.duplicates.is_sorted_by(|a, b| (a.distance, &a.item.id) < (b.distance, &b.item.id)), "{group:?}");
            for hit in &group.duplicates {
                let row = self.position(&hit.item);
                assert!(close(hit.distance, nearest[&row]) && close(hit.distance, self.distance(kept, row)), "{hit:?} of {}", group.kept.id);
            }
        }
    }

    async fn check_fraction(&self, join: &SelfJoin<'_>, fraction: f64) {
        let found = join.find_duplicates(Cutoff::Fraction(fraction)).await.unwrap();
        let left = (self.items.len() - (fraction * self.items.len() as f64).round() as usize).max(usize::from(!self.items.is_empty()));
        assert_eq!(found.kept.len(), left, "{fraction} of {} items are duplicates", self.items.len());
        if left == 0 {
            return;
        }
        let unique = join.find_unique(left).await.unwrap();
        assert_eq!(found.threshold, unique.threshold);
        let mut chosen = unique.chosen;
        chosen.sort();
        assert_eq!(found.kept, chosen);
        let kept: Vec<usize> = chosen.iter().map(|item| self.position(item)).collect();
        let others = (0..self.items.len()).filter(|row| kept.binary_search(row).is_err());
        let nearest = |row: usize| kept.iter().map(|&kept| self.distance(kept, row)).min_by(f32::total_cmp).unwrap();
        self.check_groups(&found, &others.map(|row| (row, nearest(row))).collect());
    }

    /// Farthest first by its definition: up to rounding, or to the last id where distances are `exact`.
    fn check_unique(&self, found: &Unique, count: usize, exact: bool) {
        assert_eq!((found.chosen.len(), found.compared.items), (count, self.items.len()));
        let mut nearest: Vec<Option<f32>> = vec![Some(f32::INFINITY); self.items.len()];
        for (turn, item) in found.chosen.iter().enumerate() {
            let chosen = self.position(item);
            let far = nearest[chosen].unwrap_or_else(|| panic!("{} is chosen twice", item.id));
            let (first, farthest) = farthest(&nearest).unwrap();
            assert!(far == farthest || close(far, farthest), "turn {turn}: {} is {far} away, another item {farthest}", item.id);
            if exact || turn == 0 {
                assert_eq!(chosen, first, "turn {turn}: {} is the first of the farthest", self.items[first].id);
            }
            nearest[chosen] = None;
            for (row, nearest) in nearest.iter_mut().enumerate() {
                *nearest = nearest.map(|nearest| nearest.min(self.distance(chosen, row)));
            }
        }
        match (found.threshold, farthest(&nearest)) {
            (Some(threshold), Some((_, farthest))) => assert!(close(threshold, farthest), "{threshold} is not {farthest}"),
            (None, None) => {}
            other => panic!("the threshold and what is left: {other:?}"),
        }
    }
}

/// The first of the farthest rows that are not chosen yet.
fn farthest(nearest: &[Option<f32>]) -> Option<(usize, f32)> {
    let left = nearest.iter().enumerate().filter_map(|(row, nearest)| Some((row, (*nearest)?)));
    left.reduce(|best, other| if other.1 > best.1 { other } else { best })
}
