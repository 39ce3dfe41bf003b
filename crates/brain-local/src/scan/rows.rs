//! Comparing by all numbers.

use brain_core::Result;
use brain_kernels::{Neighbor, Queries, TopK};

use super::{Piece, Scan, shared};
use crate::scope::Rows;
use crate::segment::Segment;

/// A whole block is compared when at least one row in this many is in scope; else only those rows are. Comparing a row that is not wanted costs a read
/// at the speed of memory; jumping to one that is wanted costs about as much again as reading it.
const WHOLE_BLOCK_FROM: usize = 2;

/// Rows that lie apart are compared so many at a time, at least, whatever blocks they are in: a processor that knows what comes next need not wait for it.
const APART: usize = 64;

/// Distances that one thread holds at a time, at most: they and the rows must stay in its nearest caches.
const DISTANCES: usize = 1 << 16;

/// A pass over the rows.
pub(super) struct Pass<'a> {
    scan: &'a Scan<'a>,
    queries: Queries,
}

/// What a thread does before it takes more.
enum Work<'a> {
    /// Compares all rows of a block, and takes those that are wanted.
    Whole(&'a Piece<'a>),
    /// Compares the few rows of some blocks of one segment that are wanted.
    Apart { segment: &'a Segment, pieces: &'a [Piece<'a>], wanted: &'a [u32] },
}

/// What one thread has found so far, and room for what it is at.
struct Found {
    best: Vec<TopK>,
    offsets: Vec<u32>,
    distances: Vec<f32>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(scan: &'a Scan<'a>) -> Self {
        Self { scan, queries: Queries::new(scan.metric(), scan.queries, scan.dimension()) }
    }

    /// The best rows for each query, the best first. The pieces are those of `rows`.
    pub(super) fn run(&self, pieces: &[Piece<'_>], rows: &Rows) -> Result<Vec<Vec<Neighbor>>> {
        let count: usize = pieces.iter().map(Piece::count).sum();
        let bytes = count * self.scan.snapshot.manifest().row_bytes() * self.queries.len();
        let work = work(pieces, rows);
        let found = shared(bytes, &work, || self.nothing(), |found, work| self.search(found, work), |a, b| self.merge(a, b))?;
        Ok(found.best.into_iter().map(|best| best.into_sorted(|a, b| self.scan.by_id(a, b))).collect())
    }

    fn nothing(&self) -> Found {
        Found { best: vec![self.scan.nothing(); self.queries.len()], offsets: Vec::new(), distances: Vec::new() }
    }

    fn merge(&self, a: Found, b: Found) -> Found {
        let best = a.best.into_iter().zip(b.best).map(|(a, b)| a.merge(b, |a, b| self.scan.by_id(a, b))).collect();
        Found { best, ..a }
    }

    fn search(&self, mut found: Found, work: &Work<'_>) -> Result<Found> {
        match work {
            Work::Whole(piece) => self.search_whole(&mut found, piece)?,
            Work::Apart { segment, pieces, wanted } => self.search_apart(&mut found, segment, pieces, wanted)?,
        }
        Ok(found)
    }

    fn search_apart(&self, found: &mut Found, segment: &Segment, pieces: &[Piece<'_>], wanted: &[u32]) -> Result<()> {
        for piece in pieces {
            segment.verify_owners(piece.block)?;
            // Verified as a whole even where few rows are wanted: the checksum knows no smaller piece.
            segment.vectors(segment.block(piece.block))?;
        }
        let vectors = segment.unverified_vectors(0..segment.record().rows as usize);
        for wanted in wanted.chunks(self.part()) {
            found.offsets.clear();
            found.offsets.extend(wanted.iter().map(|row| row - segment.first_row()));
            found.distances.resize(wanted.len() * self.queries.len(), 0.0);
            self.queries.gather(vectors, &found.offsets, &mut found.distances);
            self.offer(found, wanted);
        }
        Ok(())
    }

    fn search_whole(&self, found: &mut Found, piece: &Piece<'_>) -> Result<()> {
        piece.segment.verify_owners(piece.block)?;
        let block = piece.segment.block(piece.block);
        let first = piece.rows().start - block.start as u32;
        let part = self.part();
        for start in block.clone().step_by(part) {
            let rows = start..(start + part).min(block.end);
            found.distances.resize(rows.len() * self.queries.len(), 0.0);
            self.queries.distances(piece.segment.vectors(rows.clone())?, &mut found.distances);
            self.offer_all(found, piece, first + rows.start as u32, rows.len());
        }
        Ok(())
    }

    /// How many rows are compared before their distances are looked through: while they are at hand.
    fn part(&self) -> usize {
        (DISTANCES / self.queries.len()).max(1)
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

/// Whether so few of the block's rows are wanted that only they are read.
fn is_apart(piece: &Piece<'_>) -> bool {
    piece.wanted.is_some_and(|wanted| wanted.len() * WHOLE_BLOCK_FROM < piece.segment.block(piece.block).len())
}

/// The pieces as threads take them: each alone, but those of which few rows are wanted together, as long as they are of one segment.
fn work<'a>(pieces: &'a [Piece<'a>], rows: &'a Rows) -> Vec<Work<'a>> {
    // The rows that are wanted lie in the list of them one piece's after the other's.
    let mut wanted = match rows {
        Rows::All => [].as_slice(),
        Rows::Some(rows) => rows,
    };
    let together = |a: &Piece<'_>, b: &Piece<'_>| is_apart(a) && is_apart(b) && std::ptr::eq(a.segment, b.segment);
    let mut work = Vec::with_capacity(pieces.len());
    for alike in pieces.chunk_by(together) {
        let mut rest = alike;
        while let Some(first) = rest.first() {
            let mut count = 0;
            let enough = rest.iter().position(|piece| {
                count += piece.count();
                count >= APART
            });
            let (pieces, others) = rest.split_at(enough.map_or(rest.len(), |last| last + 1));
            rest = others;
            let (here, later) = wanted.split_at(count.min(wanted.len()));
            wanted = later;
            work.push(if is_apart(first) { Work::Apart { segment: first.segment, pieces, wanted: here } } else { Work::Whole(first) });
        }
    }
    work
}
