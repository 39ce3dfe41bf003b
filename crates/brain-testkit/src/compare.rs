//! Holding an answer against the oracle's.

use std::collections::{HashMap, HashSet};

use brain_core::oracle::Oracle;
use brain_core::search::SearchRequest;
use brain_core::{Hit, ItemId, Scope};

/// How far two distances may be apart, measured against the larger of 1 and themselves: what sums of `f32` in another order differ by.
pub const TOLERANCE: f32 = 1e-5;

/// Whether two distances are the same within [`TOLERANCE`].
pub fn close(a: f32, b: f32) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0)
}

/// What one list of an answer must be.
#[derive(Clone, Debug)]
pub struct Expected {
    /// What was asked, for messages.
    what: String,
    /// Everything in scope, in order.
    ranking: Vec<Hit>,
    /// Every item in scope, at its own distance; where answers are samples, these are their patches.
    items: HashMap<ItemId, Hit>,
    /// How many rows the list must have.
    rows: usize,
    by_sample: bool,
    reverse: bool,
}

impl Expected {
    /// What each list of the answer to `request` must be. An index of samples has no patches to group: leave `by_sample` unset there.
    pub fn of(oracle: &Oracle, request: &SearchRequest<'_>) -> Vec<Self> {
        let everything = SearchRequest { k: None, ..request.clone() };
        let of_items = oracle.search(&SearchRequest { by_sample: false, ..everything.clone() });
        let lists = oracle.search(&everything).into_iter().zip(of_items).enumerate();
        lists
            .map(|(number, (ranking, items))| Self {
                what: format!("list {number} of {}", describe(request)),
                rows: request.k.unwrap_or(usize::MAX).min(ranking.len()),
                ranking,
                items: items.into_iter().map(|hit| (hit.item.id.clone(), hit)).collect(),
                by_sample: request.by_sample,
                reverse: request.reverse,
            })
            .collect()
    }

    /// How many rows the list must have.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The list is right: complete, and with the oracle's distance at every rank. So its items are the oracle's too, save that items whose
    /// distances are the same within [`TOLERANCE`] may have changed places, at the end of the list with items that follow it.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn assert_same(&self, answer: &[Hit]) {
        self.assert_complete(answer);
        for (rank, (hit, right)) in answer.iter().zip(&self.ranking).enumerate() {
            let place = format!("{}, rank {rank}", self.what);
            assert!(
                close(hit.distance, right.distance),
                "{place}: found {} at {}, but {} at {} comes here",
                hit.item.id,
                hit.distance,
                right.item.id,
                right.distance
            );
        }
    }

    /// The list is right to the last id: for vectors among which only equal ones tie.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn assert_identical(&self, answer: &[Hit]) {
        self.assert_same(answer);
        for (rank, (hit, right)) in answer.iter().zip(&self.ranking).enumerate() {
            assert_eq!(hit.item, right.item, "{}, rank {rank}: ties come by id; {hit:?} and {right:?}", self.what);
        }
    }

    /// The list has all its rows, and every row is true: see [`assert_true`](Self::assert_true).
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn assert_complete(&self, answer: &[Hit]) {
        assert_eq!(answer.len(), self.rows, "{}: wrong number of rows, of {} in scope", self.what, self.ranking.len());
        self.assert_true(answer);
    }

    /// Every row is in scope, comes once, belongs to its sample and has its own distance; they are in order, equal distances by id. A sample's
    /// patch need not be its best: an approximate search may have missed that one.
    ///
    /// # Panics
    /// When one is not.
    #[track_caller]
    pub fn assert_true(&self, answer: &[Hit]) {
        let mut seen = HashSet::new();
        for (rank, hit) in answer.iter().enumerate() {
            let place = format!("{}, rank {rank}", self.what);
            let Some(truth) = self.items.get(&hit.item.id) else { panic!("{place}: {} is not in scope", hit.item.id) };
            assert!(seen.insert(self.id(hit)), "{place}: {} comes twice", self.id(hit));
            assert_eq!(hit.item.sample_id, truth.item.sample_id, "{place}: the sample of {}", hit.item.id);
            assert!(close(hit.distance, truth.distance), "{place}: {} is at {}, not {}", hit.item.id, truth.distance, hit.distance);
        }
        for (rank, pair) in answer.windows(2).enumerate() {
            let (before, after) = if self.reverse { (&pair[1], &pair[0]) } else { (&pair[0], &pair[1]) };
            let ordered = before.distance < after.distance || (before.distance == after.distance && self.id(&pair[0]) < self.id(&pair[1]));
            assert!(ordered, "{}: ranks {rank} and {} are out of order: {pair:?}", self.what, rank + 1);
        }
    }

    fn id<'a>(&self, hit: &'a Hit) -> &'a ItemId {
        if self.by_sample { &hit.item.sample_id } else { &hit.item.id }
    }

    /// Whether a row is among the first of the ranking, or as good as the last of them.
    fn belongs(&self, hit: &Hit) -> bool {
        self.ranking[..self.rows].last().is_some_and(|last| {
            let inside = if self.reverse { hit.distance > last.distance } else { hit.distance < last.distance };
            inside || close(hit.distance, last.distance)
        })
    }
}

/// The share of rows that belong in their answers, over several answers: one list of ten says little.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recall {
    right: usize,
    given: usize,
}

impl Recall {
    /// Counts the rows of one list, each of which is [true](Expected::assert_true).
    pub fn count(&mut self, expected: &Expected, answer: &[Hit]) {
        self.right += answer.iter().filter(|hit| expected.belongs(hit)).count();
        self.given += answer.len();
    }

    /// The share, 0 to 1; 1 where no row was given.
    pub fn share(&self) -> f64 {
        if self.given == 0 { 1.0 } else { self.right as f64 / self.given as f64 }
    }

    /// The share is at least `least`, or fewer than a hundred rows were counted, of which a few misses say nothing.
    ///
    /// # Panics
    /// When it is less.
    #[track_caller]
    pub fn assert_at_least(&self, least: f64) {
        if self.given < 100 {
            return;
        }
        assert!(self.share() >= least, "recall is {:.3} over {} rows, at least {least} is wanted", self.share(), self.given);
    }
}

/// What was asked, for messages.
pub(crate) fn describe(request: &SearchRequest<'_>) -> String {
    let scope = match request.scope {
        Scope::All => "all items".to_owned(),
        Scope::Items(set) => format!("{} items", set.len()),
        Scope::Samples(set) => format!("{} samples", set.len()),
    };
    let k = request.k.map_or("everything".to_owned(), |k| format!("k = {k}"));
    let reverse = if request.reverse { ", reversed" } else { "" };
    let by_sample = if request.by_sample { ", by sample" } else { "" };
    format!("{k} of {scope} by {} queries ({}{reverse}{by_sample}, {:?})", request.queries.len(), request.aggregation, request.precision)
}

#[cfg(test)]
mod tests {
    use brain_core::{Item, Metric};

    use super::*;

    /// Five rows on a line at 1, 2, 2, 2 and 5 from the query; `c` is a hair further than `b` and `d`.
    fn expected(k: usize, reverse: bool) -> Expected {
        let mut oracle = Oracle::new(Metric::L1);
        for (id, x) in [("a", 1.0), ("b", 2.0), ("d", 2.0), ("c", 2.000_001), ("e", 5.0)] {
            oracle.insert(Item::sample(id.into()), vec![x]);
        }
        Expected::of(&oracle, &SearchRequest { k: Some(k), reverse, ..SearchRequest::new(vec![vec![0.0]]) }).remove(0)
    }

    fn list(rows: &[(&str, f32)]) -> Vec<Hit> {
        rows.iter().map(|&(id, distance)| Hit { item: Item::sample(id.into()), distance }).collect()
    }

    fn is_refused(check: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(check).is_err()
    }

    #[test]
    fn right_lists_pass_whatever_near_ties_do() {
        expected(5, false).assert_identical(&list(&[("a", 1.0), ("b", 2.0), ("d", 2.0), ("c", 2.000_001), ("e", 5.0)]));
        expected(2, true).assert_identical(&list(&[("e", 5.0), ("c", 2.000_001)]));
        // The backend's rounding makes a tie of three, so that they come by id; or cuts the list inside of it.
        expected(5, false).assert_same(&list(&[("a", 1.0), ("b", 2.0), ("c", 2.0), ("d", 2.0), ("e", 5.0)]));
        expected(3, false).assert_same(&list(&[("a", 1.0), ("c", 1.999_999), ("d", 2.0)]));
    }

    #[test]
    fn wrong_lists_do_not() {
        let wrong: [(&str, &[(&str, f32)]); 8] = [
            ("short", &[("a", 1.0), ("b", 2.0)]),
            ("long", &[("a", 1.0), ("b", 2.0), ("d", 2.0), ("c", 2.0)]),
            ("twice", &[("a", 1.0), ("b", 2.0), ("b", 2.0)]),
            ("a stranger", &[("a", 1.0), ("b", 2.0), ("x", 2.0)]),
            ("a wrong distance", &[("a", 1.0), ("b", 2.0), ("d", 2.001)]),
            ("no number", &[("a", 1.0), ("b", 2.0), ("d", f32::NAN)]),
            ("ties against the order of ids", &[("a", 1.0), ("d", 2.0), ("b", 2.0)]),
            ("the wrong row", &[("b", 2.0), ("d", 2.0), ("e", 5.0)]),
        ];
        for (what, rows) in wrong {
            assert!(is_refused(|| expected(3, false).assert_same(&list(rows))), "{what} passed");
        }
        let swapped = list(&[("a", 1.0), ("c", 1.999_999), ("b", 2.0)]);
        assert!(is_refused(|| expected(3, false).assert_identical(&swapped)), "another order than the oracle's is not identical");
    }

    #[test]
    fn recall_counts_what_belongs() {
        let mut recall = Recall::default();
        assert_eq!(recall.share(), 1.0);
        recall.count(&expected(2, false), &list(&[("a", 1.0), ("c", 2.000_001)]));
        recall.count(&expected(2, false), &list(&[("d", 2.0), ("e", 5.0)]));
        assert_eq!(recall.share(), 0.75);
        recall.assert_at_least(0.9); // too few rows to judge by
        (0..50).for_each(|_| recall.count(&expected(2, false), &list(&[("d", 2.0), ("e", 5.0)])));
        assert!(is_refused(move || recall.assert_at_least(0.9)));
    }
}
