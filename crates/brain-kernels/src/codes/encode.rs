//! A row as bytes, and what was lost by it.

use crate::instructions::{CODES, Instructions, Kernel, LANES, dispatch};
use crate::metric::Metric;

/// The largest code: −128 is left out, so that codes have no sign to themselves.
pub(super) const CODE_MOST: f32 = 127.0;

/// Added to a number below 2²², it pushes the fraction out of an `f32`.
const TO_WHOLE: f32 = (3 << 22) as f32;

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

/// Writes the record of `row`.
pub(super) fn encode(metric: Metric, row: &[f32], record: &mut [u8]) {
    dispatch(Encoding { metric, row, record });
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
        let (groups, rest) = row.as_chunks::<LANES>();
        let mut most = [0.0_f32; LANES];
        for numbers in groups {
            for lane in 0..LANES {
                most[lane] = larger(most[lane], numbers[lane].abs());
            }
        }
        let mut largest = 0.0;
        for &x in most.iter().chain(rest) {
            largest = larger(largest, x.abs());
        }
        let scale = largest / CODE_MOST;
        // Numbers too small for a scale are all lost: their codes are zeros, which is within the error.
        let (scale, inverse) = if scale.is_normal() { (scale, 1.0 / scale) } else { (0.0, 0.0) };
        let (codes, trailer) = record.split_at_mut(record.len() - TRAILER_BYTES);
        let codes = codes.as_chunks_mut::<LANES>().0;
        let mut sums = Sums::default();
        for (numbers, codes) in groups.iter().zip(&mut *codes) {
            sums.add(metric, scale, inverse, numbers, codes);
        }
        // Behind the last number come zeros, to the end of its group of codes.
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        for codes in &mut codes[groups.len()..] {
            sums.add(metric, scale, inverse, &last, codes);
            last = [0.0; LANES];
        }
        let square: i32 = sums.codes.iter().sum();
        let (lost, square_of_row) = (sums.lost.iter().sum::<f64>(), sums.numbers.iter().sum::<f64>());
        let (scale, error) = match metric {
            Metric::L1 => (f64::from(scale), lost),
            // A zero vector has no direction; no index under cosine holds one.
            Metric::Cosine if square_of_row > 0.0 => (f64::from(scale) / square_of_row.sqrt(), (lost / square_of_row).sqrt()),
            _ => (f64::from(scale), lost.sqrt()),
        };
        // Rounding the scale to f32 moves the coded row a little farther; so does every sum. All of it is within a millionth of its length.
        let length = scale * f64::from(square).sqrt();
        let margin = length * if metric == Metric::L1 { (row.len() as f64).sqrt() } else { 1.0 } * 1e-6;
        trailer[..4].copy_from_slice(&(scale as f32).to_le_bytes());
        trailer[4..8].copy_from_slice(&((error * (1.0 + 1e-6) + margin) as f32).to_le_bytes());
        trailer[8..12].copy_from_slice(&(square as u32).to_le_bytes());
        trailer[12..].copy_from_slice(&((length * (1.0 + 1e-6)) as f32).to_le_bytes());
    }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Sixteen of each sum, none of which waits for another.
#[derive(Default)]
struct Sums {
    /// The squares of the codes.
    codes: [i32; LANES],
    /// What the codes lost of the numbers.
    lost: [f64; LANES],
    /// The squares of the numbers.
    numbers: [f64; LANES],
}

impl Sums {
    /// Codes sixteen numbers, and adds them up.
    #[inline(always)]
    fn add(&mut self, metric: Metric, scale: f32, inverse: f32, numbers: &[f32; LANES], codes: &mut [u8; LANES]) {
        for lane in 0..LANES {
            // A largest number at the end of f32 may round to a code beyond the last; a NaN, which no index holds, becomes the largest code.
            let number = numbers[lane] * inverse;
            let number = if number < CODE_MOST { number } else { CODE_MOST };
            let number = if number > -CODE_MOST { number } else { -CODE_MOST };
            // Rounds to the nearest, ties to even, and leaves the whole number in the last bits. `as` would look at each number for itself.
            let value = (number + TO_WHOLE).to_bits().wrapping_sub(TO_WHOLE.to_bits()).cast_signed();
            codes[lane] = value as i8 as u8;
            self.codes[lane] += value * value;
            let x = f64::from(numbers[lane]);
            let lost = x - f64::from(scale) * f64::from(value);
            self.lost[lane] += if metric == Metric::L1 { lost.abs() } else { lost * lost };
            self.numbers[lane] += x * x;
        }
    }
}
