//! Resizing in the arithmetic of Pillow, to the bit.
//!
//! *Why not a crate:* models are trained and their embeddings compared behind Pillow's resize. It weighs pixels in fixed point of 22 bits, first along
//! the rows, then along the columns, and rounds to 8 bits after each. Crates that weigh in other precisions differ from it by one level here and there,
//! which moves the embedding of a small picture to a cosine of 0.9995.
//!
//! Only the part that is kept is computed, so that a long panorama costs no more than a square. The loops are plain; `rten-simd` compiles them for the
//! widest instructions of several kinds of processors and takes those of the one at hand.

use std::ops::Range;

use rten_simd::{Isa, SimdOp};

/// Bytes of a pixel.
const CHANNELS: usize = 3;

/// Bits behind the point of a weight. Products with 255 and their sums stay below 31 bits: the weights of a pixel sum to 1, and their sizes to less than 2.
const BITS: u32 = 22;

/// One half, which makes cutting off the bits behind the point a rounding.
const HALF: i32 = 1 << (BITS - 1);

/// Lanes that are summed at once: two pixels along a row, of three channels and one that is not used.
const LANES: usize = 8;

/// Numbers of a row that are summed at once down the columns.
const STRIP: usize = 32;

/// What pixels are weighed by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Filter {
    Bilinear,
    Bicubic,
    Lanczos,
}

impl Filter {
    /// How many pixels of the picture it reaches to each side, when nothing shrinks.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight of what lies so far away.
    fn weight(self, distance: f64) -> f64 {
        let x = distance.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            // Keys' cubic with the coefficient -1/2, Catmull and Rom's.
            Self::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Self::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
            Self::Bicubic | Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// One side of a picture: how long it is, how long it becomes, and which part of that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Side {
    pub(crate) length: u32,
    pub(crate) resized: u64,
    pub(crate) kept: Range<u64>,
}

/// The kept part of a resized RGB picture of `width.length * height.length` pixels, none of them 0: rows of three bytes a pixel.
pub(crate) fn resize(pixels: &[u8], filter: Filter, width: &Side, height: &Side) -> Vec<u8> {
    let (across, down) = (Weights::of(filter, width), Weights::of(filter, height));
    let row = width.length as usize * CHANNELS;
    // The rows that the kept ones are made from.
    let first = down.taps.first().map_or(0, |taps| taps.start);
    let end = down.taps.last().map_or(0, |taps| taps.end);
    let narrow = Across { weights: &across, rows: &pixels[first * row..end * row], row }.dispatch();
    Down { weights: &down, rows: &narrow, row: across.taps.len() * CHANNELS, first }.dispatch()
}

/// Which pixels along a side make each kept one, and by how much.
struct Weights {
    taps: Vec<Range<usize>>,
    /// Those of the first kept pixel, then those of the second, and so on.
    values: Vec<i32>,
}

impl Weights {
    fn of(filter: Filter, side: &Side) -> Self {
        let length = side.length as usize;
        let scale = f64::from(side.length) / side.resized as f64;
        // Where the picture shrinks the filter grows with it, and nothing is passed over.
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let (mut taps, mut values, mut row) = (Vec::new(), Vec::new(), Vec::new());
        for kept in side.kept.clone() {
            let center = (kept as f64 + 0.5) * scale;
            // Cut, not rounded; below 0 a cast gives 0.
            let start = ((center - support + 0.5) as usize).min(length);
            let end = ((center + support + 0.5) as usize).clamp(start, length);
            row.clear();
            row.extend((start..end).map(|at| filter.weight((at as f64 - center + 0.5) * stretch.recip())));
            let sum: f64 = row.iter().sum();
            let fixed = |weight: &f64| {
                let exact = if sum == 0.0 { *weight } else { weight / sum } * f64::from(1 << BITS);
                (exact + if exact < 0.0 { -0.5 } else { 0.5 }) as i32
            };
            values.extend(row.iter().map(fixed));
            taps.push(start..end);
        }
        Self { taps, values }
    }

    /// The taps of each kept pixel, with their weights.
    fn each(&self) -> impl Iterator<Item = (Range<usize>, &[i32])> {
        let mut rest = &self.values[..];
        self.taps.iter().map(move |taps| {
            let (weights, behind) = rest.split_at(taps.len());
            rest = behind;
            (taps.clone(), weights)
        })
    }
}

/// Rounds a sum of weighed pixels.
#[inline(always)]
fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// The pass along rows of `row` bytes.
struct Across<'a> {
    weights: &'a Weights,
    rows: &'a [u8],
    row: usize,
}

impl SimdOp for Across<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) -> Vec<u8> {
        let Self { weights, rows, row } = self;
        let start = weights.taps.first().map_or(0, |taps| taps.start);
        let end = weights.taps.last().map_or(0, |taps| taps.end);
        // Each weight once for every lane of its pixel, and each list of them as long as whole steps.
        let (mut steps, mut lanes) = (Vec::with_capacity(weights.taps.len()), Vec::new());
        for (taps, values) in weights.each() {
            let from = lanes.len();
            lanes.extend(values.iter().flat_map(|&weight| [weight; LANES / 2]));
            lanes.resize(lanes.len().next_multiple_of(LANES), 0);
            steps.push(((taps.start - start) * LANES / 2, from..lanes.len()));
        }
        // A row with four bytes a pixel, and one pixel more for lists that were lengthened.
        let mut wide = vec![0; (end - start + 1) * LANES / 2];
        let mut narrow = Vec::with_capacity(rows.len() / row * steps.len() * CHANNELS);
        for row in rows.chunks_exact(row) {
            let pixels = row[start * CHANNELS..end * CHANNELS].chunks_exact(CHANNELS);
            for (wide, pixel) in wide.chunks_exact_mut(LANES / 2).zip(pixels) {
                (wide[0], wide[1], wide[2]) = (pixel[0], pixel[1], pixel[2]);
            }
            for (first, range) in &steps {
                let weights = &lanes[range.clone()];
                let pixels = &wide[*first..first + weights.len()];
                let mut sums = [0_i32; LANES];
                for (weights, pixels) in weights.chunks_exact(LANES).zip(pixels.chunks_exact(LANES)) {
                    for lane in 0..LANES {
                        sums[lane] = sums[lane].wrapping_add(weights[lane].wrapping_mul(i32::from(pixels[lane])));
                    }
                }
                let sum = |channel: usize| rounded(HALF.wrapping_add(sums[channel]).wrapping_add(sums[channel + LANES / 2]));
                narrow.extend([sum(0), sum(1), sum(2)]);
            }
        }
        narrow
    }
}

/// The pass down columns, of rows of `row` bytes of which the first one is the `first` of the picture.
struct Down<'a> {
    weights: &'a Weights,
    rows: &'a [u8],
    row: usize,
    first: usize,
}

impl SimdOp for Down<'_> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) -> Vec<u8> {
        let Self { weights, rows, row, first } = self;
        let mut kept = vec![0; weights.taps.len() * row];
        for ((taps, weights), kept) in weights.each().zip(kept.chunks_exact_mut(row)) {
            let rows = &rows[(taps.start - first) * row..(taps.end - first) * row];
            let whole = row - row % STRIP;
            for at in (0..whole).step_by(STRIP) {
                let mut sums = [HALF; STRIP];
                for (&weight, row) in weights.iter().zip(rows.chunks_exact(row)) {
                    let pixels = &row[at..at + STRIP];
                    for lane in 0..STRIP {
                        sums[lane] = sums[lane].wrapping_add(weight.wrapping_mul(i32::from(pixels[lane])));
                    }
                }
                for (kept, sum) in kept[at..at + STRIP].iter_mut().zip(sums) {
                    *kept = rounded(sum);
                }
            }
            for (at, kept) in kept.iter_mut().enumerate().skip(whole) {
                let products = weights.iter().zip(rows.chunks_exact(row)).map(|(&weight, row)| weight.wrapping_mul(i32::from(row[at])));
                *kept = rounded(products.fold(HALF, i32::wrapping_add));
            }
        }
        kept
    }
}
