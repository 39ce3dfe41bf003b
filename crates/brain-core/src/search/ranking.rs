//! The first `k` rows by distance, kept while rows pass by.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};

use crate::{Direction, Hit, Item, ItemId};

/// The first `k` rows seen so far: by distance in one direction, ties by item id ascending.
///
/// ```
/// use brain_core::{Direction, Item, search::Ranking};
/// let mut ranking = Ranking::new(Direction::Nearest, 2);
/// for (id, distance) in [("c", 0.5), ("b", 0.1), ("a", 0.5)] {
///     ranking.push(distance, || Item::sample(id.into()));
/// }
/// let ids: Vec<_> = ranking.into_hits().into_iter().map(|hit| hit.item.id.to_string()).collect();
/// assert_eq!(ids, ["b", "a"]);
/// ```
#[derive(Clone, Debug)]
pub struct Ranking {
    direction: Direction,
    k: usize,
    /// The last of the kept rows on top.
    kept: BinaryHeap<Ranked>,
}

/// A row; the greater comes later in the ranking.
#[derive(Clone, Debug)]
struct Ranked {
    /// The distance, negated where the farthest come first.
    key: f32,
    hit: Hit,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.total_cmp(&other.key).then_with(|| self.hit.item.id.cmp(&other.hit.item.id))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

impl Ranking {
    /// Keeps the first `k` rows in `direction`.
    pub fn new(direction: Direction, k: usize) -> Self {
        Self { direction, k, kept: BinaryHeap::new() }
    }

    /// Shows one row; `item` is only called for a row that is kept or ties with the last.
    pub fn push(&mut self, distance: f32, item: impl FnOnce() -> Item) {
        // Adding 0.0 turns a negative zero into zero, so that the two tie.
        let key = match self.direction {
            Direction::Nearest => distance + 0.0,
            Direction::Farthest => -distance + 0.0,
        };
        if self.kept.len() < self.k {
            self.kept.push(Ranked { key, hit: Hit { item: item(), distance } });
        } else if let Some(mut last) = self.kept.peek_mut()
            && key <= last.key
        {
            let row = Ranked { key, hit: Hit { item: item(), distance } };
            if row < *last {
                *last = row;
            }
        }
    }

    /// The kept rows, in order.
    pub fn into_hits(self) -> Vec<Hit> {
        self.kept.into_sorted_vec().into_iter().map(|ranked| ranked.hit).collect()
    }
}

/// Of a list of patches in order, the first patch of each sample, at most `k`.
pub(super) fn best_of_samples(list: &[Hit], k: usize) -> Vec<Hit> {
    let mut seen: HashSet<&ItemId> = HashSet::with_capacity(k);
    let mut samples: Vec<Hit> = list.iter().filter(|hit| seen.insert(&hit.item.sample_id)).cloned().collect();
    // Among equal distances the list is ordered by patch; answers that are samples tie by sample.
    samples.sort_by(|a, b| (a.distance + 0.0).total_cmp(&(b.distance + 0.0)).then_with(|| a.item.sample_id.cmp(&b.item.sample_id)));
    samples.truncate(k);
    samples
}
