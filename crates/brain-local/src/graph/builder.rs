//! The graph while it is built, by the library usearch.

use brain_core::{Error, Metric, Result};
use rayon::prelude::*;
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::file::EDGES;
use crate::snapshot::Snapshot;

/// How many rows a row is linked to when it is inserted; on the ground it may come to have twice as many.
const LINKS: usize = EDGES / 2;
/// How many of the nearest rows are kept in sight while a row's links are chosen.
const EFFORT: usize = 128;

/// So many rows are inserted one after the other.
const INSERTED_ALONE: usize = 1024;

/// Rows and their links, in memory: two bytes a number (bfloat16, which has the range of `f32`), and about 250 a row.
pub(super) struct Builder<'a> {
    snapshot: &'a Snapshot,
    index: Index,
    /// What numbers are multiplied with, so that no sum of squares overflows; neither ranking by distance nor by angle depends on it.
    scale: f32,
}

impl<'a> Builder<'a> {
    /// An empty graph over the rows of `snapshot`.
    ///
    /// # Errors
    /// [`Unexpected`](brain_core::ErrorKind::Unexpected) when the memory cannot be had; those of reading the rows.
    pub(super) fn new(snapshot: &'a Snapshot) -> Result<Self> {
        let spec = &snapshot.manifest().spec;
        let metric = match spec.metric {
            Metric::Cosine => MetricKind::Cos,
            Metric::DotProduct => MetricKind::IP,
            // Squared, which ranks alike.
            _ => MetricKind::L2sq,
        };
        let options = IndexOptions {
            dimensions: spec.dimension,
            metric,
            quantization: ScalarKind::BF16,
            connectivity: LINKS,
            expansion_add: EFFORT,
            ..IndexOptions::default()
        };
        let index = Index::new(&options).map_err(refused)?;
        index.reserve_capacity_and_threads(snapshot.manifest().rows() as usize, rayon::current_num_threads()).map_err(refused)?;
        Ok(Self { snapshot, index, scale: scale(snapshot)? })
    }

    /// Inserts rows, on all cores once there are some: rows that are inserted at the same moment do not see each other, and the very first ones would
    /// make islands.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn insert(&self, rows: &[u32]) -> Result<()> {
        let (first, rest) = rows.split_at(rows.len().min(INSERTED_ALONE.saturating_sub(self.index.size())));
        let mut scaled = Vec::new();
        first.iter().try_for_each(|&row| self.insert_one(row, &mut scaled))?;
        rest.par_iter().try_for_each_init(Vec::new, |scaled, &row| self.insert_one(row, scaled))
    }

    fn insert_one(&self, row: u32, scaled: &mut Vec<f32>) -> Result<()> {
        self.snapshot.read_vector(row, scaled)?;
        scaled.iter_mut().for_each(|x| *x *= self.scale);
        self.index.add(u64::from(row), scaled).map_err(refused)
    }

    /// The highest layer that a row is in; 0 for a row that was not inserted.
    pub(super) fn top_layer(&self, row: u32) -> usize {
        self.index.level_of_key(u64::from(row))
    }

    /// Puts the rows that `row` is linked to in a layer into `edges`; none for a row that was not inserted.
    pub(super) fn edges(&self, layer: usize, row: u32, edges: &mut Vec<u32>) {
        edges.clear();
        // Keys are row numbers.
        edges.extend(self.index.neighbors(u64::from(row), layer).map(|key| key as u32).take(EDGES));
    }
}

/// What brings the largest number of the live rows to 1.
fn scale(snapshot: &Snapshot) -> Result<f32> {
    let live = (0..snapshot.manifest().rows()).into_par_iter().filter(|&row| snapshot.is_live(row));
    let largest = |vector: &mut Vec<f32>, row| {
        snapshot.read_vector(row, vector)?;
        Ok(vector.iter().fold(0.0, |largest: f32, x| largest.max(x.abs())))
    };
    let largest = live.map_init(Vec::new, largest).try_reduce(|| 0.0, |a, b| Ok(a.max(b)))?;
    // One over a denormal is no number to multiply with.
    Ok(if largest > f32::MIN_POSITIVE { 1.0 / largest } else { 1.0 })
}

fn refused(source: impl std::fmt::Display) -> Error {
    Error::unexpected(format!("the graph cannot be built: {source}")).with_hint("searches stay exact; free some memory and add again")
}
