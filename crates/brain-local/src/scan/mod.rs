//! The exact search: every row in scope is compared with every query, in one pass.
//!
//! There are two ways, which find the same rows at the same distances. By [`rows`], all numbers of all rows in scope are read. By [`codes`], a quarter of the
//! bytes is read, which says of most rows that they are too far; the others are then compared by their numbers.

mod codes;
mod rows;

use std::cmp;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use brain_core::{Direction, Metric, Result};
use brain_kernels::{Coding, Neighbor, TopK};
use rayon::prelude::*;

use crate::format::Column;
use crate::scope::Rows;
use crate::segment::Segment;
use crate::snapshot::Snapshot;

/// Below so many bytes one thread is done before others have woken up.
const PARALLEL_FROM: usize = 1 << 19;

/// From so many bytes of rows on, reading the codes first is faster: below, all rows are compared in about the time that the second pass takes.
const CODES_FROM: usize = 1 << 20;

/// Codes are read block by block. Where fewer than so many rows of a block are wanted, all rows are compared in less time than that takes.
const CODES_IN_BLOCK: usize = 16;

/// Up to so many queries are answered by codes. More are compared with the rows as a matrix product, which reads a row once for all of them.
const CODES_QUERIES: usize = 8;

/// Codes are read first where at most one row in so many is asked for: the rows found must be compared in full, wherever they lie.
const CODES_SHARE: usize = 64;

/// A search, ready to run.
pub(crate) struct Scan<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// One after the other.
    pub(crate) queries: &'a [f32],
    pub(crate) k: usize,
    pub(crate) direction: Direction,
}

/// How rows are compared; see the module's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By all their numbers.
    Rows,
    /// By their codes first.
    Codes,
}

/// What was found, and how.
pub(crate) struct Found {
    /// For each query the best rows, the best first.
    pub(crate) best: Vec<Vec<Neighbor>>,
    pub(crate) way: Way,
    /// How many rows were compared by their numbers, over all queries.
    pub(crate) compared: u64,
}

/// A block, and which of its rows are wanted: positions in the list of rows, or `None` for all that are live.
struct Piece<'a> {
    segment: &'a Segment,
    block: usize,
    wanted: Option<&'a [u32]>,
}

impl Piece<'_> {
    /// The numbers of the block's rows in the index.
    fn rows(&self) -> Range<u32> {
        let offsets = self.segment.block(self.block);
        // A segment's offsets fit: all rows of an index are numbered in 32 bits.
        self.segment.first_row() + offsets.start as u32..self.segment.first_row() + offsets.end as u32
    }

    /// How many rows may be found here, dead ones included.
    fn count(&self) -> usize {
        self.wanted.map_or_else(|| self.segment.block(self.block).len(), <[u32]>::len)
    }

    /// The positions in the block of the rows that are wanted.
    fn offsets(&self, wanted: &[u32]) -> Vec<u32> {
        let start = self.rows().start;
        wanted.iter().map(|row| row - start).collect()
    }
}

/// How many of the ascending `rows` are below `end`: looked for from the first on, as mostly a few are.
fn count_below(rows: &[u32], end: u32) -> usize {
    let mut reach = 1;
    while rows.get(reach).is_some_and(|&row| row < end) {
        reach *= 2;
    }
    rows[..rows.len().min(reach)].partition_point(|&row| row < end)
}

/// Works through `parts`, whose work is that of reading so many `bytes`. Each thread takes those of its own share, the same ones in every search, which may
/// still be in its core's cache; then what is left of the others', so that all are done at the same time, however late one of them began.
fn shared<P: Sync, T: Send>(
    bytes: usize,
    parts: &[P],
    nothing: impl Fn() -> T + Sync,
    search: impl Fn(T, &P) -> Result<T> + Sync,
    merge: impl Fn(T, T) -> T + Sync,
) -> Result<T> {
    let threads = rayon::current_num_threads();
    if bytes < PARALLEL_FROM || threads == 1 {
        return parts.iter().try_fold(nothing(), search);
    }
    let shares: Vec<_> = parts.chunks(parts.len().div_ceil(threads).max(1)).map(|share| (share, AtomicUsize::new(0))).collect();
    let take = |own: usize| {
        let mut from_own = (own..own + shares.len()).map(|number| &shares[number % shares.len()]);
        from_own.find_map(|(share, next)| share.get(next.fetch_add(1, Ordering::Relaxed)))
    };
    let found = (0..shares.len()).into_par_iter().with_max_len(1).map(|number| {
        let own = rayon::current_thread_index().unwrap_or(number);
        std::iter::from_fn(|| take(own)).try_fold(nothing(), &search)
    });
    found.try_reduce_with(|a, b| Ok(merge(a, b))).unwrap_or_else(|| Ok(nothing()))
}

impl Scan<'_> {
    /// The best rows for each query.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) when a block in scope does not match its checksum: none of its rows is compared.
    pub(crate) fn run(&self, rows: &Rows) -> Result<Found> {
        let pieces = self.pieces(rows);
        self.run_by(self.way(&pieces), &pieces, rows)
    }

    /// As [`run`](Self::run), by the way that is asked for, where it is open.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) fn run_way(&self, way: Way, rows: &Rows) -> Result<Found> {
        self.run_by(way, &self.pieces(rows), rows)
    }

    fn run_by(&self, way: Way, pieces: &[Piece<'_>], rows: &Rows) -> Result<Found> {
        if way == Way::Codes
            && let Some(coding) = self.snapshot.manifest().coding()
            && let Some(found) = codes::Pass::new(self, coding).run(pieces)?
        {
            return Ok(found);
        }
        let best = rows::Pass::new(self).run(pieces, rows)?;
        let compared = pieces.iter().map(Piece::count).sum::<usize>() * self.query_count();
        Ok(Found { best, way: Way::Rows, compared: compared as u64 })
    }

    fn way(&self, pieces: &[Piece<'_>]) -> Way {
        let count: usize = pieces.iter().map(Piece::count).sum();
        let few = self.k.saturating_mul(CODES_SHARE) <= count && self.query_count() <= CODES_QUERIES;
        let large = count * self.snapshot.manifest().row_bytes() >= CODES_FROM && count >= pieces.len() * CODES_IN_BLOCK;
        let coded = self.snapshot.segments().iter().any(|segment| segment.record().codes.is_some());
        // Under hamming and jaccard the codes say it all: nothing is compared twice.
        let exact = self.snapshot.manifest().coding().is_some_and(|coding: Coding| coding.is_exact());
        if coded && (exact || (few && large)) { Way::Codes } else { Way::Rows }
    }

    fn pieces<'s>(&'s self, rows: &'s Rows) -> Vec<Piece<'s>> {
        let mut rest = match rows {
            Rows::All => None,
            Rows::Some(rows) => Some(rows.as_slice()),
        };
        let mut pieces = Vec::with_capacity(self.snapshot.segments().iter().map(|segment| segment.blocks()).sum());
        for segment in self.snapshot.segments() {
            for block in 0..segment.blocks() {
                let mut piece = Piece { segment, block, wanted: None };
                let rows = piece.rows();
                let is_nothing = match &mut rest {
                    Some(rest) => {
                        let (here, later) = rest.split_at(count_below(rest, rows.end));
                        *rest = later;
                        piece.wanted = Some(here);
                        here.is_empty()
                    }
                    None => self.snapshot.dead().range_cardinality(rows.clone()) == rows.len() as u64,
                };
                if !is_nothing {
                    pieces.push(piece);
                }
            }
        }
        pieces
    }

    fn dimension(&self) -> usize {
        self.snapshot.manifest().spec.dimension
    }

    fn metric(&self) -> Metric {
        self.snapshot.manifest().spec.metric
    }

    fn query_count(&self) -> usize {
        self.queries.len() / self.dimension()
    }

    fn nothing(&self) -> TopK {
        match self.direction {
            Direction::Nearest => TopK::nearest(self.k),
            Direction::Farthest => TopK::farthest(self.k),
        }
    }

    /// Ties are broken by id. Owners are verified before a row of their block is offered, so they can be read here.
    fn by_id(&self, a: u32, b: u32) -> cmp::Ordering {
        self.snapshot.verified_id(a, Column::Item).cmp(&self.snapshot.verified_id(b, Column::Item))
    }
}
