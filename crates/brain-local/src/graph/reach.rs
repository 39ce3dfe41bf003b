//! The rows in scope, as a graph sees them.

use super::file::Graph;
use crate::scope::Rows;
use crate::snapshot::Snapshot;

/// Which rows a search may end at.
pub(super) struct Reach<'a> {
    /// `None` for all that are live.
    rows: Option<&'a [u32]>,
    /// How many the graph covers.
    pub(super) covered: usize,
    /// Those that it does not.
    pub(super) behind: Vec<u32>,
}

impl<'a> Reach<'a> {
    /// The part of `rows` that `graph` covers, and the rest.
    pub(super) fn of(snapshot: &Snapshot, graph: &Graph, rows: &'a Rows) -> Self {
        let end = graph.rows();
        match rows {
            Rows::All => {
                let dead = snapshot.dead().range_cardinality(..end);
                let behind = (end..snapshot.manifest().rows()).filter(|&row| snapshot.is_live(row)).collect();
                Self { rows: None, covered: (u64::from(end) - dead) as usize, behind }
            }
            Rows::Some(rows) => {
                let (covered, behind) = rows.split_at(rows.partition_point(|&row| row < end));
                Self { rows: Some(covered), covered: covered.len(), behind: behind.to_vec() }
            }
        }
    }

    /// Whether a walk may end at the row.
    pub(super) fn contains(&self, snapshot: &Snapshot, row: u32) -> bool {
        match self.rows {
            None => snapshot.is_live(row),
            Some(rows) => rows.binary_search(&row).is_ok(),
        }
    }
}
