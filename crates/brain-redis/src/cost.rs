//! What the ways to search a view cost the server, and which of them is tried.
//!
//! A graph does not know a view: it is asked for more of the nearest than are wanted, and those outside are passed over. Of a view that is spread like the
//! rest it finds enough. Of one that lies apart from the question it does not, and was asked in vain; so a view of which it fell short is remembered, and
//! the graph is asked again only where that costs little beside comparing all of the view.

use std::sync::{Mutex, PoisonError};

use brain_core::Scope;

use crate::options::Algorithm;

/// What the server spends, in nanoseconds, as measured on 50,000 rows of 512 numbers: on finding the row of a key, on a row that it compares in an index of
/// either algorithm, on a number of it, and on a row of an answer.
const KEY: f64 = 900.0;
const FLAT_ROW: f64 = 0.0;
const GRAPH_ROW: f64 = 550.0;
const NUMBER: f64 = 0.2;
const ROW: f64 = 1_500.0;
/// And on a search through a graph at all, and on a number for each row that it keeps in sight.
const GRAPH: f64 = 200_000.0;
const GRAPH_NUMBER: f64 = 3.0;

/// A view of an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// How many rows there are in all, and within it.
    pub(crate) rows: f64,
    pub(crate) within: f64,
    /// Of how many rows enough are within, if it is spread like the rest.
    pub(crate) wanted: usize,
    /// Whether its keys have to be found first.
    pub(crate) by_sample: bool,
    pub(crate) dimension: usize,
}

impl View {
    pub(crate) fn by_keys(&self) -> f64 {
        self.within * if self.by_sample { 4.0 * KEY } else { KEY }
    }

    pub(crate) fn by_all(&self, algorithm: Algorithm) -> f64 {
        let row = if algorithm == Algorithm::Hnsw { GRAPH_ROW } else { FLAT_ROW };
        self.rows * (row + self.dimension as f64 * NUMBER) + self.wanted as f64 * ROW
    }

    pub(crate) fn through_graph(&self, candidates: usize, effort: u32) -> f64 {
        GRAPH + f64::from(effort) * self.dimension as f64 * GRAPH_NUMBER + candidates as f64 * ROW
    }
}

/// How often the graph was asked for the last view, and fell short.
#[derive(Debug, Default)]
pub(crate) struct Shortfalls(Mutex<Option<Tally>>);

#[derive(Clone, Copy, Debug)]
struct Tally {
    view: Name,
    asked: f64,
    short: f64,
}

type Name = (bool, u64, usize);

fn name(scope: Scope<'_>) -> Option<Name> {
    match scope {
        Scope::All => None,
        Scope::Items(set) => Some((false, set.digest(), set.len())),
        Scope::Samples(set) => Some((true, set.digest(), set.len())),
    }
}

impl Shortfalls {
    /// How likely the graph falls short of a view.
    pub(crate) fn likely(&self, scope: Scope<'_>) -> f64 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).filter(|tally| Some(tally.view) == name(scope));
        known.map_or(0.5, |Tally { asked, short, .. }| (short + 0.5) / (asked + 1.0))
    }

    pub(crate) fn note(&self, scope: Scope<'_>, is_short: bool) {
        let Some(view) = name(scope) else { return };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.filter(|tally| tally.view == view).unwrap_or(Tally { view, asked: 0.0, short: 0.0 });
        *last = Some(Tally { asked: known.asked + 1.0, short: known.short + f64::from(u8::from(is_short)), ..known });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brain_core::ItemSet;

    fn view(share: f64) -> View {
        View { rows: 50_000.0, within: 50_000.0 * share, wanted: (23.0 / share) as usize, by_sample: false, dimension: 512 }
    }

    #[test]
    fn small_views_go_by_their_keys_and_large_ones_by_all() {
        for (share, flat, hnsw) in [(0.01, true, true), (0.1, true, true), (0.5, false, true), (0.9, false, false)] {
            let view = view(share);
            assert_eq!(view.by_keys() < view.by_all(Algorithm::Flat), flat, "{share}");
            assert_eq!(view.by_keys() < view.by_all(Algorithm::Hnsw), hnsw, "{share}");
        }
    }

    #[test]
    fn a_graph_that_fell_short_is_asked_again_where_that_costs_little() {
        let (apart, other) = (ItemSet::new(vec!["a".into()]), ItemSet::new(vec!["b".into()]));
        let (apart, other) = (Scope::Items(&apart), Scope::Items(&other));
        let shortfalls = Shortfalls::default();
        let pays = |share: f64, scope| view(share).through_graph(230, 300) < (1.0 - shortfalls.likely(scope)) * view(share).by_keys();
        assert!(pays(0.1, apart) && pays(0.5, apart));
        shortfalls.note(apart, true);
        assert!(!pays(0.1, apart) && pays(0.5, apart) && pays(0.1, other));
        (0..3).for_each(|_| shortfalls.note(apart, false));
        assert!(pays(0.1, apart));
    }
}
