//! A row as bytes, and what was lost by it.

use crate::instructions::{CODES, Instructions, Kernel, LANES, dispatch};
use crate::metric::Metric;

/// The largest code: −128 is left out, so that codes have no sign to themselves.
pub(super) const CODE_MOST: f32 = 127.0;

/// Behind the codes: scale, error, square and length.
const TRAILER_BYTES: usize = 16;

/// What a record says beside the codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trailer {
    /// What a code is multiplied by. Under cosine rows are coded as of length 1.
    pub(super) scale: f32,
    /// How far the coded row is from the row, at most: by the metric's own measure, the sum of differences under l1, the length of the difference else.
    pub(super) error: f32,
    /// Σ of the squares of the codes.
    pub(super) square: u32,
    /// How long the coded row is, at most.
    pub(super) length: f32,
}

impl Trailer {
    /// Reads the end of a record.
    #[inline(always)]
    pub(super) fn of(record: &[u8]) -> Self {
        let (_, words) = record.split_at(record.len() - TRAILER_BYTES);
        let word = |number: usize| u32::from_le_bytes([words[4 * number], words[4 * number + 1], words[4 * number + 2], words[4 * number + 3]]);
        Self { scale: f32::from_bits(word(0)), error: f32::from_bits(word(1)), square: word(2), length: f32::from_bits(word(3)) }
    }
}

pub(super) fn record_bytes(dimension: usize) -> usize {
    dimension.next_multiple_of(CODES) + TRAILER_BYTES
}

/// The codes of a record, in groups; the last is filled up with zeros.
#[inline(always)]
pub(super) fn codes(record: &[u8]) -> &[[u8; CODES]] {
    record.as_chunks().0
}

/// Appends the record of `row`.
pub(super) fn encode(metric: Metric, row: &[f32], records: &mut Vec<u8>) {
    let start = records.len();
    records.resize(start + record_bytes(row.len()), 0);
    dispatch(Encoding { metric, row, record: &mut records[start..] });
}

struct Encoding<'a> {
    metric: Metric,
    row: &'a [f32],
    record: &'a mut [u8],
}

impl Kernel for Encoding<'_> {
    type Output = ();

    #[inline(always)]
    fn run_tiled<I: Instructions, const R: usize, const Q: usize>(self, _: I) {
        let Self { metric, row, record } = self;
        let mut largest = 0.0_f32;
        for &x in row {
            largest = if x.abs() > largest { x.abs() } else { largest };
        }
        let scale = largest / CODE_MOST;
        // Numbers too small for a scale are all lost: their codes are zeros, which is within the error.
        let (scale, inverse) = if scale.is_normal() { (scale, 1.0 / scale) } else { (0.0, 0.0) };
        let mut square = 0;
        for (&x, code) in row.iter().zip(&mut *record) {
            // A largest number at the end of f32 may round to a code beyond the last.
            let rounded = (x * inverse).round_ties_even();
            let rounded = if rounded > CODE_MOST { CODE_MOST } else { rounded };
            let rounded = if rounded < -CODE_MOST { -CODE_MOST } else { rounded };
            let value = rounded as i32;
            *code = value as i8 as u8;
            square += value * value;
        }
        let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
        let (groups, rest) = row.as_chunks::<LANES>();
        let codes = record.as_chunks::<LANES>().0;
        for (numbers, codes) in groups.iter().zip(codes) {
            add_lost(metric, f64::from(scale), numbers, codes, &mut sums, &mut squares);
        }
        if !rest.is_empty() {
            let mut last = [0.0; LANES];
            last[..rest.len()].copy_from_slice(rest);
            add_lost(metric, f64::from(scale), &last, &codes[groups.len()], &mut sums, &mut squares);
        }
        let (lost, square_of_row) = (sums.iter().sum::<f64>(), squares.iter().sum::<f64>());
        let (scale, error) = match metric {
            Metric::L1 => (f64::from(scale), lost),
            // A zero vector has no direction; no index under cosine holds one.
            Metric::Cosine if square_of_row > 0.0 => (f64::from(scale) / square_of_row.sqrt(), (lost / square_of_row).sqrt()),
            _ => (f64::from(scale), lost.sqrt()),
        };
        let codes = record.len() - TRAILER_BYTES;
        let trailer = &mut record[codes..];
        // Rounding the scale to f32 moves the coded row a little farther; so does every sum. All of it is within a millionth of its length.
        let length = scale * f64::from(square).sqrt();
        let margin = length * if metric == Metric::L1 { (row.len() as f64).sqrt() } else { 1.0 } * 1e-6;
        trailer[..4].copy_from_slice(&(scale as f32).to_le_bytes());
        trailer[4..8].copy_from_slice(&((error * (1.0 + 1e-6) + margin) as f32).to_le_bytes());
        trailer[8..12].copy_from_slice(&(square as u32).to_le_bytes());
        trailer[12..].copy_from_slice(&((length * (1.0 + 1e-6)) as f32).to_le_bytes());
    }
}

/// Adds to sixteen sums, none of which waits for another, what the codes lost of the numbers, and the numbers' squares.
#[inline(always)]
fn add_lost(metric: Metric, scale: f64, numbers: &[f32; LANES], codes: &[u8; LANES], sums: &mut [f64; LANES], squares: &mut [f64; LANES]) {
    for lane in 0..LANES {
        let x = f64::from(numbers[lane]);
        let lost = x - scale * f64::from(codes[lane] as i8);
        sums[lane] += if metric == Metric::L1 { lost.abs() } else { lost * lost };
        squares[lane] += x * x;
    }
}
