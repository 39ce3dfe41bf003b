//! Similar things: what the items of an index are to one another.
//!
//! A [`SelfJoin`] compares the items of a [`Scope`] among themselves, over the primitives of any backend:
//!
//! - [`neighbors`](SelfJoin::neighbors): the nearest other items of every item, and from them a [`Histogram`] of how near things are;
//! - [`find_duplicates`](SelfJoin::find_duplicates): items that lie within a threshold of one that is kept, or a given fraction of all;
//! - [`find_unique`](SelfJoin::find_unique): a number of items spread as widely as they can be.
//!
//! All are exact, and depend on nothing but the vectors and the order of the ids: not on the order in which a backend streams, not on the memory
//! allowed, not on the number of threads. Distances come as matrix products of blocks of rows, on all cores of rayon's pool; what is done with them
//! is kept so cheap that the products decide the time.
//!
//! *Memory:* the vectors are read once where they fit [`MEMORY`], else again and again, a part at a time. Beside them stand the items, a few
//! numbers for each, and some blocks of distances. No list of pairs is ever made: a hundred thousand equal photos are one group.

mod duplicates;
mod histogram;
mod nearest;
mod neighbors;
mod rows;
mod unique;

use std::time::Instant;

use serde::Serialize;

use crate::{Error, Item, Metric, NoProgress, Progress, Result, Scope, SimilarityIndex};

pub use duplicates::{Cutoff, Duplicates, Group};
pub use histogram::{Histogram, Quantile};
pub use neighbors::Neighbors;
pub use unique::Unique;

use rows::Rows;

/// How many bytes of vectors are held at once, unless said otherwise: a hundred thousand vectors of 512 numbers fit, and no laptop notices.
pub const MEMORY: usize = 256 << 20;

/// How many rows are compared with others at once: enough that a matrix product reads each number from the cache many times.
const BLOCK: usize = 1024;

/// How many rows one thread takes at a time: their distances from a block, a megabyte, stay in its cache until they are looked at.
const TILE: usize = 256;

/// The items of a scope, to be compared among themselves.
#[derive(Clone, Copy)]
pub struct SelfJoin<'a> {
    index: &'a dyn SimilarityIndex,
    scope: Scope<'a>,
    progress: &'a dyn Progress,
    memory: usize,
}

/// What was compared, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Compared {
    /// How many items were compared among themselves.
    pub items: usize,
    /// How many items (or samples, in a scope of samples) of the scope the index lacks.
    pub missing: usize,
    /// How long it took, in milliseconds.
    pub elapsed_ms: f64,
}

impl<'a> SelfJoin<'a> {
    /// The items of `index` that are in `scope`.
    pub fn new(index: &'a dyn SimilarityIndex, scope: Scope<'a>) -> Self {
        Self { index, scope, progress: &NoProgress, memory: MEMORY }
    }

    /// Tells `progress` how many items are done.
    #[must_use]
    pub fn progress(self, progress: &'a dyn Progress) -> Self {
        Self { progress, ..self }
    }

    /// Holds at most this many bytes of vectors at once, or a single row if that is more, beside blocks of 1,024 rows. Results are the same.
    #[must_use]
    pub fn memory(self, bytes: usize) -> Self {
        Self { memory: bytes, ..self }
    }

    /// The `k` nearest other items of every item; all others where there are fewer.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for `k` of 0; [`Conflict`](crate::ErrorKind::Conflict) when the index changed meanwhile;
    /// those of the index.
    pub async fn neighbors(&self, k: usize) -> Result<Neighbors> {
        if k == 0 {
            return Err(Error::invalid("k is 0, which asks for no neighbours").with_hint("ask for at least 1"));
        }
        let run = Run::start(self).await?;
        self.progress.start("comparing all with all", Some(neighbors::pairs(run.rows.len())));
        let nearest = neighbors::all_pairs(&run.rows, k, self.progress).await?;
        let (items, compared) = run.finish();
        Ok(Neighbors::new(items, nearest, compared))
    }

    /// Finds the items that are much like others.
    ///
    /// With a [`Threshold`](Cutoff::Threshold) the items are walked in the order of their ids: one within the threshold of an item kept before is a
    /// duplicate of the nearest such, any other is kept. So kept items are pairwise farther apart than the threshold. With a
    /// [`Fraction`](Cutoff::Fraction) that share of the items become duplicates, and the threshold is found: those are kept that
    /// [`find_unique`](Self::find_unique) finds, and the others are duplicates of the nearest of them. One item is always kept.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a threshold that no distance can be within, or a fraction outside 0 to 1;
    /// [`Conflict`](crate::ErrorKind::Conflict) when the index changed meanwhile; those of the index.
    pub async fn find_duplicates(&self, cutoff: Cutoff) -> Result<Duplicates> {
        cutoff.check(self.metric())?;
        let run = Run::start(self).await?;
        self.progress.start("looking for duplicates", Some(run.rows.len() as u64));
        let (threshold, kept, found) = match cutoff {
            Cutoff::Threshold(threshold) => {
                let (kept, found) = duplicates::walk(&run.rows, threshold, self.progress).await?;
                (Some(threshold), kept, found)
            }
            Cutoff::Fraction(fraction) => {
                let traversal = unique::traverse(&run.rows, duplicates::left_by(fraction, run.rows.len()), self.progress).await?;
                let mut kept = traversal.order;
                kept.sort_unstable();
                (traversal.threshold, kept, traversal.others)
            }
        };
        let (items, compared) = run.finish();
        Ok(Duplicates::group(&items, threshold, &kept, found, compared))
    }

    /// Finds `count` items that are spread as widely as they can be: the first by id, then again and again the item that is farthest from all
    /// chosen so far, of equals the first by id.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a `count` of 0 or of more items than there are;
    /// [`Conflict`](crate::ErrorKind::Conflict) when the index changed meanwhile; those of the index.
    pub async fn find_unique(&self, count: usize) -> Result<Unique> {
        if count == 0 {
            return Err(Error::invalid("0 unique items were asked for").with_hint("ask for at least 1"));
        }
        let run = Run::start(self).await?;
        self.progress.start("looking for unique items", Some(count as u64));
        let there = run.rows.len();
        if count > there {
            return Err(Error::invalid(format!("{count} unique items were asked for, but there are {there}"))
                .with_hint(format!("ask for at most {there}, or widen the view, or add what is missing to the index")));
        }
        let traversal = unique::traverse(&run.rows, count, self.progress).await?;
        let (items, compared) = run.finish();
        let chosen = traversal.order.iter().map(|&row| items[row as usize].clone()).collect();
        Ok(Unique { chosen, threshold: traversal.threshold, compared })
    }

    fn metric(&self) -> Metric {
        self.index.spec().metric
    }
}

/// One piece of work: the rows that it is about, and since when.
struct Run<'a> {
    rows: Rows<'a>,
    progress: &'a dyn Progress,
    started: Instant,
}

impl<'a> Run<'a> {
    async fn start(join: &SelfJoin<'a>) -> Result<Self> {
        let started = Instant::now();
        let rows = Rows::list(join.index, join.scope, join.memory).await?;
        Ok(Self { rows, progress: join.progress, started })
    }

    fn finish(mut self) -> (Vec<Item>, Compared) {
        let items = std::mem::take(&mut self.rows.items);
        let compared = Compared { items: items.len(), missing: self.rows.missing, elapsed_ms: self.started.elapsed().as_secs_f64() * 1e3 };
        (items, compared)
    }
}

impl Drop for Run<'_> {
    /// The progress ends also where the work failed.
    fn drop(&mut self) {
        self.progress.finish();
    }
}
