//! The inner loop: a row and a query walked together over independent accumulators.

use std::ops::Add;

/// How many accumulators run side by side. A sum in one accumulator waits for the addition before it; 32 of them fill four AVX registers or two
/// of AVX-512, which is enough for the loop to wait for memory instead.
const LANES: usize = 32;

/// How a product is added to a sum. Chosen once per processor, so that all rows of one process are computed alike.
pub(crate) trait Arithmetic {
    /// `x * y + sum`.
    fn multiply_add(x: f32, y: f32, sum: f32) -> f32;
}

/// Two instructions, two roundings: for processors without a fused one, where `f32::mul_add` would be a slow function call.
pub(crate) struct Separate;

impl Arithmetic for Separate {
    #[inline(always)]
    fn multiply_add(x: f32, y: f32, sum: f32) -> f32 {
        x * y + sum
    }
}

/// One instruction, one rounding.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Fused;

#[cfg(target_arch = "x86_64")]
impl Arithmetic for Fused {
    #[inline(always)]
    fn multiply_add(x: f32, y: f32, sum: f32) -> f32 {
        x.mul_add(y, sum)
    }
}

/// Folds `row` and `query`, which are equally long, into `S` sums.
///
/// `step` takes the sums of one lane and the next pair to the lane's new sums. A pair of zeros must leave them as they are: the last, partial
/// group of lanes is filled up with zeros.
#[inline(always)]
pub(crate) fn fold<A, B, const S: usize>(row: &[f32], query: &[B], step: impl Fn([A; S], f32, B) -> [A; S]) -> [A; S]
where
    A: Copy + Default + Add<Output = A>,
    B: Copy + Default,
{
    let mut sums = [[A::default(); LANES]; S];
    let (row, row_rest) = row.as_chunks::<LANES>();
    let (query, query_rest) = query.as_chunks::<LANES>();
    for (x, y) in row.iter().zip(query) {
        advance(&mut sums, x, y, &step);
    }
    if !row_rest.is_empty() {
        advance(&mut sums, &padded(row_rest), &padded(query_rest), &step);
    }
    sums.map(total)
}

#[inline(always)]
fn advance<A: Copy, B: Copy, const S: usize>(
    sums: &mut [[A; LANES]; S],
    row: &[f32; LANES],
    query: &[B; LANES],
    step: &impl Fn([A; S], f32, B) -> [A; S],
) {
    for lane in 0..LANES {
        let next = step(std::array::from_fn(|sum| sums[sum][lane]), row[lane], query[lane]);
        for sum in 0..S {
            sums[sum][lane] = next[sum];
        }
    }
}

#[inline(always)]
fn padded<T: Copy + Default>(rest: &[T]) -> [T; LANES] {
    let mut full = [T::default(); LANES];
    full[..rest.len()].copy_from_slice(rest);
    full
}

/// The lanes' sum, halved again and again: fewer roundings than one after the other, and always in the same order.
#[inline(always)]
fn total<A: Copy + Add<Output = A>>(mut lanes: [A; LANES]) -> A {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = lanes[lane] + lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}
