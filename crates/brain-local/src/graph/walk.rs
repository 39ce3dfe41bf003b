//! The walk along a graph's edges to the rows nearest to a query.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use brain_kernels::Query;

use super::file::{Damaged, Graph};
use crate::snapshot::Snapshot;

/// A layer of so many nodes or fewer is compared as a whole before the descent: about a tenth of what a walk compares.
const WHOLE_LAYER: usize = 256;

/// A row and its distance, which only steers: the bytes it was computed from are not verified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) distance: f32,
    pub(super) row: u32,
}

impl Eq for Place {}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A query on its way.
pub(super) struct Walk<'a> {
    pub(super) graph: &'a Graph,
    pub(super) snapshot: &'a Snapshot,
    pub(super) query: &'a Query,
}

impl Walk<'_> {
    /// The `effort` nearest rows that are `wanted`, the nearest first, or those of them that the walk comes by. Rows that are not wanted are walked
    /// over: without them the graph would fall apart.
    ///
    /// # Errors
    /// [`Damaged`] when a node on the way is.
    pub(super) fn nearest(&self, effort: usize, wanted: impl Fn(u32) -> bool) -> Result<Vec<Place>, Damaged> {
        let Some(start) = self.descend()? else { return Ok(Vec::new()) };
        let mut seen = Seen::new(self.graph.rows());
        seen.insert(start.row);
        let mut open = BinaryHeap::from([Reverse(start)]);
        let mut best = BinaryHeap::with_capacity(effort + 1);
        if wanted(start.row) {
            best.push(start);
        }
        while let Some(Reverse(here)) = open.pop() {
            if best.len() >= effort && best.peek().is_some_and(|worst| here > *worst) {
                break;
            }
            for &row in self.graph.edges(0, here.row)? {
                if !seen.insert(row) {
                    continue;
                }
                let place = self.place(row);
                if best.len() >= effort && best.peek().is_some_and(|worst| place > *worst) {
                    continue;
                }
                open.push(Reverse(place));
                if wanted(row) {
                    best.push(place);
                    if best.len() > effort {
                        best.pop();
                    }
                }
            }
        }
        Ok(best.into_sorted_vec())
    }

    /// Down the layers above the ground, in each as near as its edges lead. It begins with the best of a whole layer: clusters that are far apart are not
    /// always linked, and a walk that begins in the wrong one would stay there.
    fn descend(&self) -> Result<Option<Place>, Damaged> {
        let layers = self.graph.layers();
        let whole = (0..layers).find(|&layer| self.graph.nodes(layer) <= WHOLE_LAYER).unwrap_or(layers.saturating_sub(1));
        let rows = self.graph.rows_of(whole).take(WHOLE_LAYER).collect::<Result<Vec<_>, _>>()?;
        let Some(mut here) = rows.into_iter().map(|row| self.place(row)).min() else { return Ok(None) };
        for layer in (1..whole).rev() {
            loop {
                let nearest = self.graph.edges(layer, here.row)?.iter().map(|&row| self.place(row)).min();
                match nearest {
                    Some(nearer) if nearer < here => here = nearer,
                    _ => break,
                }
            }
        }
        Ok(Some(here))
    }

    fn place(&self, row: u32) -> Place {
        Place { distance: self.query.distance(self.snapshot.unverified_vector(row)), row }
    }
}

/// The rows that a walk has compared.
struct Seen(Vec<u64>);

impl Seen {
    fn new(rows: u32) -> Self {
        Self(vec![0; rows.div_ceil(u64::BITS) as usize])
    }

    /// Whether the row is new.
    fn insert(&mut self, row: u32) -> bool {
        let (word, bit) = (&mut self.0[(row / u64::BITS) as usize], 1 << (row % u64::BITS));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}
