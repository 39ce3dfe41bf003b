//! The exact search: every row in scope is compared with every query, in one pass over the rows.

use std::cmp::Ordering;
use std::ops::Range;

use brain_core::{Direction, Result};
use brain_kernels::{Neighbor, Query, TopK};
use rayon::prelude::*;

use crate::format::Column;
use crate::scope::Rows;
use crate::segment::Segment;
use crate::snapshot::Snapshot;

/// Below so many bytes of vectors one thread is done before others have woken up.
const PARALLEL_FROM: usize = 1 << 20;

/// A whole block is compared when at least one row in this many is in scope; else only those rows are, each stretch of neighbours at once. Comparing a
/// row that is not wanted costs a read at the speed of memory; jumping to one that is wanted costs about as much again as reading it.
const WHOLE_BLOCK_FROM: usize = 2;

/// A search, ready to run.
pub(crate) struct Scan<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) queries: &'a [Query],
    pub(crate) k: usize,
    pub(crate) direction: Direction,
}

/// A block, and which of its rows are wanted: positions in the list of rows, or `None` for all that are live.
struct Piece<'a> {
    segment: &'a Segment,
    block: usize,
    wanted: Option<&'a [u32]>,
}

/// What one thread has found so far.
struct Found {
    best: Vec<TopK>,
    distances: Vec<f32>,
}

impl Scan<'_> {
    /// The best rows for each query, the best first.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) when a block in scope does not match its checksum: none of its rows is compared.
    pub(crate) fn run(&self, rows: &Rows) -> Result<Vec<Vec<Neighbor>>> {
        let pieces = self.pieces(rows);
        let bytes: usize = pieces.iter().map(|piece| self.bytes(piece)).sum();
        let found = if bytes < PARALLEL_FROM {
            pieces.iter().try_fold(self.nothing(), |found, piece| self.search(found, piece))?
        } else {
            pieces
                .par_iter()
                .try_fold(|| self.nothing(), |found, piece| self.search(found, piece))
                .try_reduce(|| self.nothing(), |a, b| Ok(self.merge(a, b)))?
        };
        Ok(found.best.into_iter().map(|best| best.into_sorted(|a, b| self.by_id(a, b))).collect())
    }

    fn pieces<'s>(&'s self, rows: &'s Rows) -> Vec<Piece<'s>> {
        let mut rest = match rows {
            Rows::All => None,
            Rows::Some(rows) => Some(rows.as_slice()),
        };
        let blocks = self.snapshot.segments().iter().flat_map(|segment| (0..segment.blocks()).map(move |block| (segment.as_ref(), block)));
        let pieces = blocks.filter_map(|(segment, block)| {
            let wanted = rest.map(|rows| {
                let end = rows.partition_point(|&row| row < block_rows(segment, block).end);
                let (here, later) = rows.split_at(end);
                rest = Some(later);
                here
            });
            let rows = block_rows(segment, block);
            let nothing = match wanted {
                Some(wanted) => wanted.is_empty(),
                None => self.snapshot.dead().range_cardinality(rows.clone()) == rows.len() as u64,
            };
            (!nothing).then_some(Piece { segment, block, wanted })
        });
        pieces.collect()
    }

    fn bytes(&self, piece: &Piece<'_>) -> usize {
        let rows = piece.wanted.map_or_else(|| piece.segment.block(piece.block).len(), <[u32]>::len);
        rows * self.snapshot.manifest().spec.dimension * size_of::<f32>()
    }

    fn nothing(&self) -> Found {
        let best = match self.direction {
            Direction::Nearest => TopK::nearest(self.k),
            Direction::Farthest => TopK::farthest(self.k),
        };
        Found { best: vec![best; self.queries.len()], distances: Vec::new() }
    }

    fn merge(&self, a: Found, b: Found) -> Found {
        let best = a.best.into_iter().zip(b.best).map(|(a, b)| a.merge(b, |a, b| self.by_id(a, b))).collect();
        Found { best, distances: a.distances }
    }

    /// Ties are broken by id. Owners are verified before a row of their block is offered, so they can be read here.
    fn by_id(&self, a: u32, b: u32) -> Ordering {
        self.snapshot.verified_id(a, Column::Item).cmp(&self.snapshot.verified_id(b, Column::Item))
    }

    fn search(&self, mut found: Found, piece: &Piece<'_>) -> Result<Found> {
        piece.segment.verify_owners(piece.block)?;
        let block = piece.segment.block(piece.block);
        // Verified as a whole even where few rows are wanted: the checksum knows no smaller piece.
        let vectors = piece.segment.vectors(block.clone())?;
        let rows = block_rows(piece.segment, piece.block);
        match piece.wanted {
            None => self.compare_all(&mut found, vectors, rows),
            Some(wanted) if wanted.len() * WHOLE_BLOCK_FROM >= block.len() => self.compare_masked(&mut found, vectors, rows, wanted),
            Some(wanted) => self.compare_gathered(&mut found, vectors, rows, wanted),
        }
        Ok(found)
    }

    fn compare_all(&self, found: &mut Found, vectors: &[f32], rows: Range<u32>) {
        let dead = self.snapshot.dead();
        let all_live = dead.range_cardinality(rows.clone()) == 0;
        found.distances.resize(rows.len(), 0.0);
        for (query, best) in self.queries.iter().zip(&mut found.best) {
            query.distances(vectors, &mut found.distances);
            best.offer_all(&found.distances, rows.start, |row| all_live || !dead.contains(row), |a, b| self.by_id(a, b));
        }
    }

    fn compare_masked(&self, found: &mut Found, vectors: &[f32], rows: Range<u32>, wanted: &[u32]) {
        found.distances.resize(rows.len(), 0.0);
        for (query, best) in self.queries.iter().zip(&mut found.best) {
            query.distances(vectors, &mut found.distances);
            for &row in wanted {
                best.offer(Neighbor { distance: found.distances[(row - rows.start) as usize], row }, |a, b| self.by_id(a, b));
            }
        }
    }

    fn compare_gathered(&self, found: &mut Found, vectors: &[f32], rows: Range<u32>, wanted: &[u32]) {
        let dimension = self.snapshot.manifest().spec.dimension;
        for (query, best) in self.queries.iter().zip(&mut found.best) {
            for stretch in wanted.chunk_by(|a, b| a + 1 == *b) {
                let start = (stretch[0] - rows.start) as usize;
                found.distances.resize(stretch.len(), 0.0);
                query.distances(&vectors[start * dimension..(start + stretch.len()) * dimension], &mut found.distances);
                best.offer_all(&found.distances, stretch[0], |_| true, |a, b| self.by_id(a, b));
            }
        }
    }
}

/// The numbers of a block's rows in the index.
fn block_rows(segment: &Segment, block: usize) -> Range<u32> {
    let offsets = segment.block(block);
    // A segment's offsets fit: all rows of an index are numbered in 32 bits.
    segment.first_row() + offsets.start as u32..segment.first_row() + offsets.end as u32
}
