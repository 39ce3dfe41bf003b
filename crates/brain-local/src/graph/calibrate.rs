//! How much effort a graph takes to find what it should.

use brain_core::{Direction, Result};
use brain_kernels::{Neighbor, Query};

use super::file::Graph;
use super::walk::Walk;
use crate::scan::Scan;
use crate::scope::Rows;
use crate::snapshot::Snapshot;

/// The share of a query's true neighbours that a walk must find.
const RECALL: f64 = 0.99;
/// Recall is that of the first ten.
pub(super) const K: usize = 10;
/// How many rows are searched for.
const QUERIES: usize = 128;
/// At most one row in so many is held out, where there are few.
const HELD_OUT: usize = 4;
/// What is tried, each at least a quarter more than the one before; where the last does not serve, data has no structure to be walked along, and comparing all
/// rows is not much slower.
const EFFORTS: [u32; 13] = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];

/// Some of `rows`, evenly spread: those whose vectors will be searched for, and that the graph must not know yet. A row of the graph is found with less
/// effort than a new query near it, for its own edges lead to its neighbours.
pub(super) fn hold_out(rows: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let step = rows.len().div_ceil(QUERIES).max(HELD_OUT);
    let (held_out, rest): (Vec<_>, Vec<_>) = rows.iter().enumerate().partition(|(position, _)| position % step == step / 2);
    let numbers = |rows: Vec<(usize, &u32)>| rows.into_iter().map(|(_, &row)| row).collect();
    (numbers(held_out), numbers(rest))
}

/// The effort above the smallest with which the vectors of `held_out` find enough of their true neighbours among the other live rows; `None` where there
/// is none. The smallest that passes on a sample is as often too small as not.
///
/// # Errors
/// Those of reading rows. A graph that is damaged already serves with no effort.
pub(super) fn calibrate(graph: &Graph, snapshot: &Snapshot, held_out: &[u32]) -> Result<Option<u32>> {
    let spec = &snapshot.manifest().spec;
    let mut vectors = Vec::with_capacity(held_out.len() * spec.dimension);
    for &row in held_out {
        snapshot.vector(row)?.widen_into(&mut vectors);
    }
    let queries: Vec<Query> = vectors.chunks_exact(spec.dimension).map(|vector| Query::new(spec.metric, vector)).collect();
    // Of so many, ten are not held out.
    let scan = Scan { snapshot, queries: &vectors, k: K + held_out.len(), direction: Direction::Nearest };
    let mut right = scan.run(&Rows::All)?.best;
    for list in &mut right {
        list.retain(|found| found.row < graph.rows() && held_out.binary_search(&found.row).is_err());
        list.truncate(K);
    }
    let wanted: usize = right.iter().map(Vec::len).sum();
    let enough = (wanted as f64 * RECALL).ceil() as usize;
    let enough_is_found = |effort: u32| {
        let found = |(query, right): (&Query, &Vec<Neighbor>)| {
            let walk = Walk { graph, snapshot, query };
            let Ok(found) = walk.nearest(effort as usize, |row| snapshot.is_live(row)) else { return 0 };
            // As good as the last of the right ones is right: ties are no loss.
            let Some(last) = right.last() else { return 0 };
            found.iter().take(right.len()).filter(|place| place.distance <= last.distance).count()
        };
        queries.iter().zip(&right).map(found).sum::<usize>() >= enough
    };
    let smallest = EFFORTS.into_iter().position(enough_is_found);
    Ok(smallest.map(|position| EFFORTS[(position + 1).min(EFFORTS.len() - 1)]))
}
