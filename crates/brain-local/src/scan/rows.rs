//! Comparing by all numbers.

use brain_core::Result;
use brain_kernels::{Neighbor, Queries, TopK};

use super::{Piece, Scan, shared};

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
        let groups = groups(pieces);
        let bytes = rows * self.scan.snapshot.manifest().row_bytes() * self.queries.len();
        let found = shared(bytes, &groups, || self.nothing(), |found, group| self.search(found, group), |a, b| self.merge(a, b))?;
        Ok(found.best.into_iter().map(|best| best.into_sorted(|a, b| self.scan.by_id(a, b))).collect())
    }

    fn nothing(&self) -> Found {
        Found { best: vec![self.scan.nothing(); self.queries.len()], distances: Vec::new() }
    }

    fn merge(&self, a: Found, b: Found) -> Found {
        let best = a.best.into_iter().zip(b.best).map(|(a, b)| a.merge(b, |a, b| self.scan.by_id(a, b))).collect();
        Found { best, distances: a.distances }
    }

    fn search(&self, mut found: Found, group: &[Piece<'_>]) -> Result<Found> {
        if group.iter().all(is_apart) {
            self.search_apart(&mut found, group)?;
        } else {
            group.iter().try_for_each(|piece| self.search_whole(&mut found, piece))?;
        }
        Ok(found)
    }

    /// Compares the few rows of some blocks of one segment that are wanted.
    fn search_apart(&self, found: &mut Found, group: &[Piece<'_>]) -> Result<()> {
        let Some(Piece { segment, .. }) = group.first() else { return Ok(()) };
        for piece in group {
            piece.segment.verify_owners(piece.block)?;
            // Verified as a whole even where few rows are wanted: the checksum knows no smaller piece.
            piece.segment.vectors(piece.segment.block(piece.block))?;
        }
        let vectors = segment.unverified_vectors(0..segment.record().rows as usize);
        let wanted: Vec<u32> = group.iter().flat_map(|piece| piece.wanted.unwrap_or_default()).copied().collect();
        let offsets: Vec<u32> = wanted.iter().map(|row| row - segment.first_row()).collect();
        let part = self.part();
        for (wanted, offsets) in wanted.chunks(part).zip(offsets.chunks(part)) {
            found.distances.resize(wanted.len() * self.queries.len(), 0.0);
            self.queries.gather(vectors, offsets, &mut found.distances);
            self.offer(found, wanted);
        }
        Ok(())
    }

    /// Compares all rows of a block, and takes those that are wanted.
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
fn groups<'g, 'p>(pieces: &'g [Piece<'p>]) -> Vec<&'g [Piece<'p>]> {
    let together = |a: &Piece<'_>, b: &Piece<'_>| is_apart(a) && is_apart(b) && std::ptr::eq(a.segment, b.segment);
    let mut groups = Vec::with_capacity(pieces.len());
    for alike in pieces.chunk_by(together) {
        let mut rest = alike;
        while !rest.is_empty() {
            let mut rows = 0;
            let enough = rest.iter().position(|piece| {
                rows += piece.count();
                rows >= APART
            });
            let (group, others) = rest.split_at(enough.map_or(rest.len(), |last| last + 1));
            groups.push(group);
            rest = others;
        }
    }
    groups
}
