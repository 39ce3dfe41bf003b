//! Comparing by all numbers.

use brain_core::Result;
use brain_kernels::{Neighbor, Queries, TopK};
use rayon::prelude::*;

use super::{PARALLEL_FROM, Piece, Scan};

/// A whole block is compared when at least one row in this many is in scope; else only those rows are. Comparing a row that is not wanted costs a read
/// at the speed of memory; jumping to one that is wanted costs about as much again as reading it.
const WHOLE_BLOCK_FROM: usize = 2;

/// Distances that one thread holds at a time, at most: they and the rows must stay in its nearest caches.
const DISTANCES: usize = 1 << 16;

/// A pass over the rows.
pub(super) struct Pass<'a> {
    scan: &'a Scan<'a>,
    queries: Queries,
}

/// What one thread has found so far.
struct Found {
    best: Vec<TopK>,
    distances: Vec<f32>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(scan: &'a Scan<'a>) -> Self {
        Self { scan, queries: Queries::new(scan.metric(), scan.queries, scan.dimension()) }
    }

    /// The best rows for each query, the best first.
    pub(super) fn run(&self, pieces: &[Piece<'_>]) -> Result<Vec<Vec<Neighbor>>> {
        let rows: usize = pieces.iter().map(Piece::count).sum();
        let found = if rows * self.scan.snapshot.manifest().row_bytes() * self.queries.len() < PARALLEL_FROM {
            pieces.iter().try_fold(self.nothing(), |found, piece| self.search(found, piece))?
        } else {
            pieces
                .par_iter()
                .try_fold(|| self.nothing(), |found, piece| self.search(found, piece))
                .try_reduce(|| self.nothing(), |a, b| Ok(self.merge(a, b)))?
        };
        Ok(found.best.into_iter().map(|best| best.into_sorted(|a, b| self.scan.by_id(a, b))).collect())
    }

    fn nothing(&self) -> Found {
        Found { best: vec![self.scan.nothing(); self.queries.len()], distances: Vec::new() }
    }

    fn merge(&self, a: Found, b: Found) -> Found {
        let best = a.best.into_iter().zip(b.best).map(|(a, b)| a.merge(b, |a, b| self.scan.by_id(a, b))).collect();
        Found { best, distances: a.distances }
    }

    fn search(&self, mut found: Found, piece: &Piece<'_>) -> Result<Found> {
        piece.segment.verify_owners(piece.block)?;
        let block = piece.segment.block(piece.block);
        // Many queries take the block in parts, so that their distances are looked through while they are at hand.
        let part = (DISTANCES / self.queries.len()).clamp(1, block.len());
        match piece.wanted {
            Some(wanted) if wanted.len() * WHOLE_BLOCK_FROM < block.len() => {
                // Verified as a whole even where few rows are wanted: the checksum knows no smaller piece.
                let vectors = piece.segment.vectors(block)?;
                for wanted in wanted.chunks(part) {
                    found.distances.resize(wanted.len() * self.queries.len(), 0.0);
                    self.queries.gather(vectors, &piece.offsets(wanted), &mut found.distances);
                    self.offer(&mut found, wanted);
                }
            }
            _ => {
                let first = piece.rows().start - block.start as u32;
                for start in block.clone().step_by(part) {
                    let rows = start..(start + part).min(block.end);
                    found.distances.resize(rows.len() * self.queries.len(), 0.0);
                    self.queries.distances(piece.segment.vectors(rows.clone())?, &mut found.distances);
                    self.offer_all(&mut found, piece, first + rows.start as u32, rows.len());
                }
            }
        }
        Ok(found)
    }

    /// Offers the rows of `wanted`, which the distances are of.
    fn offer(&self, found: &mut Found, wanted: &[u32]) {
        for (distances, best) in found.distances.chunks_exact(wanted.len()).zip(&mut found.best) {
            for (&row, &distance) in wanted.iter().zip(distances) {
                best.offer(Neighbor { distance, row }, |a, b| self.scan.by_id(a, b));
            }
        }
    }

    /// Offers those of the `count` rows from `first` on that are in scope.
    fn offer_all(&self, found: &mut Found, piece: &Piece<'_>, first: u32, count: usize) {
        let rows = first..first + count as u32;
        for (distances, best) in found.distances.chunks_exact(count).zip(&mut found.best) {
            match piece.wanted {
                Some(wanted) => {
                    let wanted = &wanted[wanted.partition_point(|&row| row < rows.start)..];
                    for &row in wanted.iter().take_while(|&&row| row < rows.end) {
                        best.offer(Neighbor { distance: distances[(row - first) as usize], row }, |a, b| self.scan.by_id(a, b));
                    }
                }
                None => {
                    let dead = self.scan.snapshot.dead();
                    let all_live = dead.range_cardinality(rows.clone()) == 0;
                    best.offer_all(distances, first, |row| all_live || !dead.contains(row), |a, b| self.scan.by_id(a, b));
                }
            }
        }
    }
}
