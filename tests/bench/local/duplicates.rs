//! Near-duplicates among all items, against the matrix products that they take.

use brain::Cutoff;
use brain::core::Scope;
use brain::core::similar::SelfJoin;
use futures::executor::block_on;

use super::{Bench, floors};
use crate::measure::{against, once_ms};

/// How many rows are multiplied with all rows before them at once.
const BLOCK: usize = 1024;

impl Bench<'_> {
    /// Compares every item with every other: nothing is near enough to be a duplicate, so that no pair is spared.
    pub(super) fn duplicates(&self) {
        let (dimension, rows) = (self.data.dimension, self.data.rows());
        let mut out = vec![0.0; rows * BLOCK];
        let (floor, ()) = once_ms(|| {
            for start in (0..rows).step_by(BLOCK) {
                let end = (start + BLOCK).min(rows);
                let block = &self.data.vectors[start * dimension..end * dimension];
                floors::products(&self.data.vectors[..end * dimension], block, dimension, &mut out[..end * (end - start)]);
            }
        });
        drop(out);
        let all = SelfJoin::new(self.index, Scope::All);
        let (found, duplicates) = once_ms(|| block_on(all.find_duplicates(Cutoff::Threshold(1e-6))).unwrap());
        assert_eq!(duplicates.kept.len(), rows, "random rows are no duplicates");
        against("duplicates among all rows", found, "the matrix products alone", floor);
    }
}
