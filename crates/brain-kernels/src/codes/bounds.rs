//! What codes say of a distance: at least this, at most that.

use super::Records;
use super::encode::{CODE_MOST, Trailer, codes};
use crate::instructions::{CODED_ROWS, CODES, CodePlanes, Instructions, Kernel, LANES, dispatch};
use crate::metric::Metric;

/// How many rows are multiplied before their products become bounds.
const PANEL: usize = 64;

/// How many rows ahead codes are asked for.
const AHEAD: usize = 8;

/// A query whose codes have fifteen bits: what rounding it loses is a hundredth of what rounding the rows does.
#[derive(Clone, Debug)]
pub(super) struct ByteQuery {
    metric: Metric,
    planes: CodePlanes,
    /// The numbers, filled up with zeros to whole groups; for l1.
    vector: Vec<f32>,
    /// What a code is multiplied by. Under cosine the query is coded as of length 1.
    scale: f64,
    /// How far the coded query is from the query.
    error: f64,
    /// The length of the query, and of the coded one.
    length: f64,
    coded_length: f64,
    /// What sums in `f32` may be off by, as a share of the sum of the absolute terms: a rounding for every addition, here and in the exact comparison.
    rounding: f64,
}

impl ByteQuery {
    pub(super) fn new(metric: Metric, vector: &[f32]) -> Self {
        let length = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        let unit = if metric == Metric::Cosine && length > 0.0 { length } else { 1.0 };
        let numbers: Vec<f64> = vector.iter().map(|&x| f64::from(x) / unit).collect();
        let most = f64::from(CODE_MOST) * 128.0;
        let scale = numbers.iter().fold(0.0, |most: f64, x| most.max(x.abs())) / most;
        let mut planes = CodePlanes::default();
        let (mut error, mut coded) = (0.0, 0.0);
        for group in numbers.chunks(CODES) {
            let (mut high, mut low) = ([0; CODES], [0; CODES]);
            for (lane, &x) in group.iter().enumerate() {
                let code = if scale > 0.0 { (x / scale).round() } else { 0.0 };
                error += (x - scale * code) * (x - scale * code);
                coded += scale * code * scale * code;
                // Both planes fit a byte: |code| is at most 127 · 128, and the low one is from −64 to 63.
                let upper = (code as i32 + 64) >> 7;
                (high[lane], low[lane]) = (upper as i8, (code as i32 - (upper << 7)) as i8);
            }
            planes.high.push(high);
            planes.low.push(low);
        }
        let sum = |plane: &[[i8; CODES]]| plane.iter().flatten().map(|&code| i32::from(code)).sum();
        planes.sums = [sum(&planes.high), sum(&planes.low)];
        let mut filled = vector.to_vec();
        filled.resize(vector.len().next_multiple_of(CODES), 0.0);
        let rounding = 2.0 * (vector.len() as f64 / LANES as f64 + 16.0) * f64::from(f32::EPSILON);
        Self { metric, planes, vector: filled, scale, error: f64::sqrt(error), length: length / unit, coded_length: f64::sqrt(coded), rounding }
    }

    pub(super) fn compare(&self, records: Records<'_>, lower: &mut [f32], upper: &mut [f32]) {
        dispatch(Bounding { query: self, records, lower, upper });
    }

    /// The distance from the coded row, and how far off it may be, under euclidean.
    #[inline(always)]
    fn euclidean(&self, product: f64, row: Trailer) -> (f64, f64) {
        let scale = f64::from(row.scale);
        let (square, length) = (scale * scale * f64::from(row.square), f64::from(row.length));
        let square = square + self.coded_length * self.coded_length - 2.0 * product * scale * self.scale;
        let distance = if square > 0.0 { square.sqrt() } else { 0.0 };
        // By the triangle's inequality; the last two terms are the roundings of the root's argument, and of the exact comparison.
        (distance, f64::from(row.error) + self.error + 4e-8 * (length + self.coded_length) + self.rounding * distance)
    }

    /// The product with the coded row, and how far off it may be.
    #[inline(always)]
    fn product(&self, product: f64, row: Trailer) -> (f64, f64) {
        let (error, length) = (f64::from(row.error), f64::from(row.length));
        // ⟨r,q⟩ − ⟨r̂,q̂⟩ = ⟨r − r̂, q⟩ + ⟨r̂, q − q̂⟩, each at most the product of two lengths.
        let off = error * self.length + length * self.error + self.rounding * (length + error) * self.length;
        (product * f64::from(row.scale) * self.scale, off)
    }

    /// The distance from the coded row, and how far off it may be, under l1.
    #[inline(always)]
    fn l1(&self, differences: f64, row: Trailer) -> (f64, f64) {
        (differences, f64::from(row.error) + self.rounding * (differences + f64::from(row.error)))
    }
}

/// Some rows on the way from sums to bounds, each of their numbers in an array of its own, as instructions want them that compute several rows in one step.
struct Panel {
    sums: [f64; PANEL],
    scales: [f32; PANEL],
    errors: [f32; PANEL],
    squares: [u32; PANEL],
    lengths: [f32; PANEL],
    lower: [f32; PANEL],
    upper: [f32; PANEL],
}

impl Panel {
    #[inline(always)]
    fn new() -> Self {
        let zeros = [0.0; PANEL];
        Self { sums: [0.0; PANEL], scales: zeros, errors: zeros, squares: [0; PANEL], lengths: zeros, lower: zeros, upper: zeros }
    }

    #[inline(always)]
    fn take(&mut self, position: usize, trailer: Trailer) {
        self.scales[position] = trailer.scale;
        self.errors[position] = trailer.error;
        self.squares[position] = trailer.square;
        self.lengths[position] = trailer.length;
    }

    #[inline(always)]
    fn trailer(&self, position: usize) -> Trailer {
        let (scale, error) = (self.scales[position], self.errors[position]);
        Trailer { scale, error, square: self.squares[position], length: self.lengths[position] }
    }

    #[inline(always)]
    fn bound(&mut self, position: usize, (distance, off): (f64, f64)) {
        self.lower[position] = finite(distance - off, f32::MIN);
        self.upper[position] = finite(distance + off, f32::MAX);
    }
}

struct Bounding<'a> {
    query: &'a ByteQuery,
    records: Records<'a>,
    lower: &'a mut [f32],
    upper: &'a mut [f32],
}

impl Kernel for Bounding<'_> {
    type Output = ();

    #[inline(always)]
    fn run_tiled<I: Instructions, const R: usize, const Q: usize>(self, instructions: I) {
        let Self { query, records, lower, upper } = self;
        let (mut bounds, last) = (Panel::new(), lower.len().saturating_sub(1));
        let mut start = 0;
        while start < lower.len() {
            let panel = PANEL.min(lower.len() - start);
            let record = |position: usize| records.at(start + position);
            if query.metric == Metric::L1 {
                for (position, sum) in bounds.sums[..panel].iter_mut().enumerate() {
                    *sum = differences(instructions, record(position), &query.vector);
                }
            } else {
                let mut first = 0;
                while first < panel {
                    // The last group is filled up with the last row, whose products are dropped.
                    let mut rows: [&[[u8; CODES]]; CODED_ROWS] = [&[]; CODED_ROWS];
                    let mut next = rows;
                    for (number, (row, next)) in rows.iter_mut().zip(&mut next).enumerate() {
                        *row = codes(record((first + number).min(panel - 1)));
                        *next = codes(records.at((start + first + AHEAD + number).min(last)));
                    }
                    let [high, low] = instructions.dot_codes(rows, &query.planes, next);
                    for (number, sum) in bounds.sums[first..].iter_mut().enumerate().take(CODED_ROWS) {
                        *sum = 128.0 * f64::from(high[number]) + f64::from(low[number]);
                    }
                    first += CODED_ROWS;
                }
            }
            for position in 0..panel {
                bounds.take(position, Trailer::of(record(position)));
            }
            // One loop for each metric, so that the choice is made once for all rows, and always over a whole panel, so that several are computed in one
            // step: places behind the last row have bounds that nobody looks at.
            match query.metric {
                Metric::Euclidean => {
                    for position in 0..PANEL {
                        bounds.bound(position, query.euclidean(bounds.sums[position], bounds.trailer(position)));
                    }
                }
                Metric::L1 => {
                    for position in 0..PANEL {
                        bounds.bound(position, query.l1(bounds.sums[position], bounds.trailer(position)));
                    }
                }
                metric => {
                    let one = if metric == Metric::Cosine { 1.0 } else { 0.0 };
                    for position in 0..PANEL {
                        let (product, off) = query.product(bounds.sums[position], bounds.trailer(position));
                        bounds.bound(position, (one - product, off));
                    }
                }
            }
            lower[start..start + panel].copy_from_slice(&bounds.lower[..panel]);
            upper[start..start + panel].copy_from_slice(&bounds.upper[..panel]);
            start += panel;
        }
    }
}

/// The nearest finite number, as exact distances saturate; a NaN, where even `f64` was not enough, bounds nothing.
#[inline(always)]
fn finite(bound: f64, nothing: f32) -> f32 {
    let bound = bound as f32;
    let bound = if bound > f32::MAX { f32::MAX } else { bound };
    let bound = if bound < f32::MIN { f32::MIN } else { bound };
    if bound.is_nan() { nothing } else { bound }
}

/// Σ|scale · code − y|.
#[inline(always)]
fn differences<I: Instructions>(instructions: I, record: &[u8], query: &[f32]) -> f64 {
    let scale = instructions.splat(Trailer::of(record).scale);
    let mut sum = instructions.zero();
    for (group, query) in codes(record).iter().zip(query.as_chunks::<CODES>().0) {
        for (codes, query) in group.as_chunks::<LANES>().0.iter().zip(query.as_chunks::<LANES>().0) {
            let row = instructions.multiply_add(instructions.load_codes(codes), scale, instructions.zero());
            sum = instructions.add(sum, instructions.absolute(instructions.subtract(row, instructions.load(query))));
        }
    }
    f64::from(instructions.sum(sum))
}
