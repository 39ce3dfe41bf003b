//! Sign bits, and the distances that they say all of.

use super::Records;
use crate::instructions::{Instructions, Kernel, dispatch};
use crate::metric::Metric;
use crate::prepared::jaccard;

/// Bits in a word.
const WORD: usize = 64;

/// A query's sign bits.
#[derive(Clone, Debug)]
pub(super) struct SignQuery {
    metric: Metric,
    words: Vec<u64>,
    ones: u32,
}

pub(super) fn record_bytes(dimension: usize) -> usize {
    dimension.div_ceil(WORD) * size_of::<u64>()
}

/// Writes the sign bits of `row`: bit i of the record, counted from the lowest of the first byte, is set where number i is above 0.
pub(super) fn encode(row: &[f32], record: &mut [u8]) {
    for (bytes, word) in record.as_chunks_mut().0.iter_mut().zip(words(row)) {
        *bytes = word.to_le_bytes();
    }
}

fn words(vector: &[f32]) -> impl Iterator<Item = u64> {
    vector.chunks(WORD).map(|numbers| numbers.iter().rev().fold(0, |word, &x| word << 1 | u64::from(x > 0.0)))
}

impl SignQuery {
    pub(super) fn new(metric: Metric, vector: &[f32]) -> Self {
        let words: Vec<u64> = words(vector).collect();
        let ones = words.iter().map(|word| word.count_ones()).sum();
        Self { metric, words, ones }
    }

    pub(super) fn compare(&self, records: Records<'_>, out: &mut [f32]) {
        dispatch(Counting { query: self, records, out });
    }
}

struct Counting<'a> {
    query: &'a SignQuery,
    records: Records<'a>,
    out: &'a mut [f32],
}

impl Kernel for Counting<'_> {
    type Output = ();

    #[inline(always)]
    fn run_tiled<I: Instructions, const R: usize, const Q: usize>(self, instructions: I) {
        let Self { query, records, out } = self;
        for (position, out) in out.iter_mut().enumerate() {
            let [both, ones] = instructions.count_bits(records.at(position).as_chunks().0, &query.words);
            let ones = query.ones + ones;
            *out = match query.metric {
                Metric::Jaccard => jaccard(f64::from(both), f64::from(ones)),
                _ => (ones - 2 * both) as f32,
            };
        }
    }
}
