//! Comparing by codes first.
//!
//! Codes bound each distance from below and above. The pass over them keeps the rows whose lower bound does not exceed the `k`-th smallest upper bound: no
//! other row can be among the `k` nearest. These are then compared by their numbers in the order of their lower bounds, until the next bound exceeds the
//! `k`-th distance found. What comes out is what comparing all rows gives, to the bit. The farthest are found the same way with all signs turned.
//!
//! Where bounds are too wide to tell rows apart (rows that are nearly alike), the pass gives up, and all rows are compared.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use brain_core::{Direction, Result};
use brain_kernels::{CodedQuery, Coding, Neighbor, Query, TopK};
use rayon::prelude::*;

use super::{Piece, Scan, Way, shared};

/// All records of a block are compared when at least one row in this many is in scope.
const WHOLE_BLOCK_FROM: usize = 4;

/// Candidates that one thread keeps for a query before it looks which of them still are candidates, at least.
const CANDIDATES: usize = 1024;

/// The pass gives up when more than one row in so many would have to be compared by its numbers: they lie apart, and reading them costs several times
/// what reading all in a row does.
const GIVE_UP_FROM: usize = 16;

/// The first group of candidates to be compared by numbers; each further group is twice as large.
const FIRST_GROUP: usize = 64;

/// Each core compares so many candidates at a time.
const COMPARED_AT_ONCE: usize = 64;

/// Of so many rows it is seen at once that all of them are too far.
const SEEN_AT_ONCE: usize = 16;

/// A pass over the codes.
pub(super) struct Pass<'a> {
    scan: &'a Scan<'a>,
    /// Whether the bounds are the distances.
    exact: bool,
    queries: Vec<Prepared>,
}

struct Prepared {
    coded: CodedQuery,
    query: Query,
    /// The smallest `k`-th upper bound that any thread has found so far, as bits.
    limit: AtomicU32,
}

/// A row, and how near it is at least.
#[derive(Clone, Copy)]
struct Candidate {
    bound: f32,
    row: u32,
}

/// What one thread has found so far of one query. Where the farthest are wanted, bounds are those of the negated distance.
struct Kept {
    /// The best by their upper bounds; where bounds are distances, the best.
    best: TopK,
    candidates: Vec<Candidate>,
    /// When to look through the candidates again.
    full: usize,
}

/// What one thread has found so far of all queries, and room for the bounds of the block that it is at.
struct Found {
    kept: Vec<Kept>,
    bounds: Bounds,
}

#[derive(Default)]
struct Bounds {
    lower: Vec<f32>,
    upper: Vec<f32>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(scan: &'a Scan<'a>, coding: Coding) -> Self {
        let queries = scan.queries.chunks_exact(scan.dimension()).map(|vector| Prepared {
            coded: coding.query(vector),
            query: Query::new(scan.metric(), vector),
            limit: AtomicU32::new(f32::MAX.to_bits()),
        });
        Self { scan, exact: coding.is_exact(), queries: queries.collect() }
    }

    /// The best rows for each query; `None` when the codes do not tell enough of them apart.
    pub(super) fn run(&self, pieces: &[Piece<'_>]) -> Result<Option<super::Found>> {
        let count: usize = pieces.iter().map(Piece::count).sum();
        let bytes = count * self.scan.snapshot.manifest().coding().map_or(0, |coding| coding.record_bytes());
        let merge = |a, b| self.merge(a, b);
        let Found { kept, .. } = shared(bytes * self.queries.len(), pieces, || self.nothing(), |found, piece| self.search(found, piece), merge)?;
        if self.exact {
            let best = kept.into_iter().map(|kept| kept.best.into_sorted(|a, b| self.scan.by_id(a, b))).collect();
            return Ok(Some(super::Found { best, way: Way::Codes, compared: 0 }));
        }
        let compared = AtomicU64::new(0);
        let mut best = Vec::with_capacity(kept.len());
        for (kept, query) in kept.into_iter().zip(&self.queries) {
            let candidates = self.still_candidates(kept);
            let most = (count / GIVE_UP_FROM).max(self.scan.k.saturating_mul(2)).max(FIRST_GROUP);
            if candidates.len() > most && candidates.len() < count {
                return Ok(None);
            }
            best.push(self.refine(&query.query, candidates, &compared)?);
        }
        Ok(Some(super::Found { best, way: Way::Codes, compared: compared.into_inner() }))
    }

    fn nothing(&self) -> Found {
        // The best by bounds have no order among equals that matters; the best by distance are in the order of the answer.
        let best = if self.exact { self.scan.nothing() } else { TopK::nearest(self.scan.k) };
        let kept = self.queries.iter().map(|_| Kept { best: best.clone(), candidates: Vec::new(), full: CANDIDATES }).collect();
        Found { kept, bounds: Bounds::default() }
    }

    fn merge(&self, a: Found, b: Found) -> Found {
        let merged = a.kept.into_iter().zip(b.kept).map(|(a, b)| {
            let best = a.best.merge(b.best, |a, b| if self.exact { self.scan.by_id(a, b) } else { a.cmp(&b) });
            let (mut longer, shorter) =
                if a.candidates.len() < b.candidates.len() { (b.candidates, a.candidates) } else { (a.candidates, b.candidates) };
            longer.extend(shorter);
            Kept { best, candidates: longer, full: a.full.max(b.full) }
        });
        Found { kept: merged.collect(), bounds: a.bounds }
    }

    fn search(&self, mut found: Found, piece: &Piece<'_>) -> Result<Found> {
        piece.segment.verify_owners(piece.block)?;
        let length = piece.segment.block(piece.block).len();
        let gathered = piece.wanted.filter(|wanted| wanted.len() * WHOLE_BLOCK_FROM < length).map(|wanted| piece.offsets(wanted));
        let count = gathered.as_ref().map_or(length, Vec::len);
        let Found { kept, bounds } = &mut found;
        bounds.lower.resize(count, 0.0);
        bounds.upper.resize(count, 0.0);
        for (query, kept) in self.queries.iter().zip(kept) {
            self.bound(query, piece, gathered.as_deref(), bounds)?;
            let start = piece.rows().start;
            match (piece.wanted, &gathered) {
                (Some(wanted), Some(_)) => self.keep(query, kept, bounds, wanted.iter().copied().zip(0..)),
                (Some(wanted), None) => self.keep(query, kept, bounds, wanted.iter().map(|&row| (row, (row - start) as usize))),
                (None, _) => {
                    let dead = self.scan.snapshot.dead();
                    let rows = near(query, bounds).map(|place| (start + place as u32, place));
                    if dead.range_cardinality(piece.rows()) == 0 {
                        self.keep(query, kept, bounds, rows);
                    } else {
                        self.keep(query, kept, bounds, rows.filter(|&(row, _)| !dead.contains(row)));
                    }
                }
            }
        }
        Ok(found)
    }

    /// The bounds of a block's rows, or of some of them. A block without codes is compared by its numbers, which is as good and takes longer.
    fn bound(&self, query: &Prepared, piece: &Piece<'_>, gathered: Option<&[u32]>, bounds: &mut Bounds) -> Result<()> {
        let Bounds { lower, upper } = bounds;
        match (piece.segment.records(piece.block), gathered) {
            (Some(records), None) => query.coded.bounds(records, lower, upper),
            (Some(records), Some(offsets)) => query.coded.gather(records, offsets, lower, upper),
            (None, gathered) => {
                let vectors = piece.segment.vectors(piece.segment.block(piece.block))?;
                match gathered {
                    None => query.query.distances(vectors, lower),
                    Some(offsets) => query.query.gather(vectors, offsets, lower),
                }
                upper.copy_from_slice(lower);
            }
        }
        if self.scan.direction == Direction::Farthest && !self.exact {
            std::mem::swap(lower, upper);
            lower.iter_mut().chain(upper.iter_mut()).for_each(|bound| *bound = 0.0 - *bound);
        }
        Ok(())
    }

    /// Keeps the rows that may be among the best; each comes with its place among the bounds.
    fn keep(&self, query: &Prepared, kept: &mut Kept, bounds: &Bounds, rows: impl Iterator<Item = (u32, usize)>) {
        if self.exact {
            for (row, place) in rows {
                kept.best.offer(Neighbor { distance: bounds.lower[place], row }, |a, b| self.scan.by_id(a, b));
            }
            return;
        }
        let mut limit = f32::from_bits(query.limit.load(Ordering::Relaxed));
        for (row, place) in rows {
            let bound = bounds.lower[place];
            if bound <= limit {
                kept.best.offer(Neighbor { distance: bounds.upper[place], row }, |a, b| a.cmp(&b));
                limit = limit.min(kept.best.bound());
                kept.candidates.push(Candidate { bound, row });
            }
        }
        let _ = query.limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| (limit < f32::from_bits(bits)).then(|| limit.to_bits()));
        if kept.candidates.len() >= kept.full {
            kept.candidates.retain(|candidate| candidate.bound <= limit);
            kept.full = CANDIDATES.max(2 * kept.candidates.len());
        }
    }

    /// The candidates that the `k`-th upper bound of all threads leaves, the nearest first.
    fn still_candidates(&self, kept: Kept) -> Vec<Candidate> {
        let best = kept.best.into_sorted(|a, b| a.cmp(&b));
        let limit = if best.len() < self.scan.k { f32::MAX } else { best.last().map_or(f32::MAX, |last| last.distance) };
        let mut candidates = kept.candidates;
        candidates.retain(|candidate| candidate.bound <= limit);
        candidates.sort_unstable_by(|a, b| a.bound.total_cmp(&b.bound).then(a.row.cmp(&b.row)));
        candidates
    }

    /// The best of the candidates, compared by their numbers.
    fn refine(&self, query: &Query, mut candidates: Vec<Candidate>, compared: &AtomicU64) -> Result<Vec<Neighbor>> {
        let mut best = self.scan.nothing();
        let (mut start, mut size) = (0, FIRST_GROUP);
        while let Some(next) = candidates.get(start) {
            // Both are negated where the farthest are wanted.
            if next.bound > best.bound() {
                break;
            }
            let end = (start + size).min(candidates.len());
            let group = &mut candidates[start..end];
            // Rows in file order are read forwards, at half the cost of jumping about.
            group.sort_unstable_by_key(|candidate| candidate.row);
            let found = if group.len() <= COMPARED_AT_ONCE {
                // Done before another thread has woken up.
                vec![self.compare(query, group)?]
            } else {
                group.par_chunks(COMPARED_AT_ONCE).map(|part| self.compare(query, part)).collect::<Result<Vec<_>>>()?
            };
            compared.fetch_add(group.len() as u64, Ordering::Relaxed);
            for neighbor in found.into_iter().flatten() {
                best.offer(neighbor, |a, b| self.scan.by_id(a, b));
            }
            best.tighten(|a, b| self.scan.by_id(a, b));
            (start, size) = (end, 2 * size);
        }
        Ok(best.into_sorted(|a, b| self.scan.by_id(a, b)))
    }

    fn compare(&self, query: &Query, candidates: &[Candidate]) -> Result<Vec<Neighbor>> {
        let neighbor =
            |candidate: &Candidate| Ok(Neighbor { distance: query.distance(self.scan.snapshot.vector(candidate.row)?), row: candidate.row });
        candidates.iter().map(neighbor).collect()
    }
}

/// The places of the rows that may be among the best, and of some others: all that are seen at once with one of them.
fn near<'b>(query: &Prepared, bounds: &'b Bounds) -> impl Iterator<Item = usize> + 'b {
    let limit = f32::from_bits(query.limit.load(Ordering::Relaxed));
    bounds.lower.chunks(SEEN_AT_ONCE).zip((0..).step_by(SEEN_AT_ONCE)).flat_map(move |(lower, first)| {
        // No end before the last of them: so they are compared side by side.
        let is_near = lower.iter().fold(false, |is_near, &bound| is_near | (bound <= limit));
        first..if is_near { first + lower.len() } else { first }
    })
}
