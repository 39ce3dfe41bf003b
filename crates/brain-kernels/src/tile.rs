//! The inner loop: a few rows and a few queries walked together, a sum for each pair.
//!
//! Rows and queries that are walked together are read once for several pairs, and their sums do not wait for each other. A pair's sum has the same bits
//! in a tile of any size: sixteen lanes, each summed from the first number to the last, and folded in one order.

use crate::instructions::{Instructions, LANES};
use crate::rows::Stored;

/// What is summed over a row and a query, and over a row alone.
pub(crate) trait Form {
    /// What a pair of numbers adds to a sum. A pair of zeros must add nothing: the last lanes are filled up with them.
    fn pair<I: Instructions>(instructions: I, row: I::Floats, query: I::Floats, sum: I::Floats) -> I::Floats;

    /// What a number of a row adds to the row's own sum.
    fn own<I: Instructions>(instructions: I, row: I::Floats, sum: I::Floats) -> I::Floats;
}

/// Σxy, and Σx².
pub(crate) struct Products;

impl Form for Products {
    #[inline(always)]
    fn pair<I: Instructions>(instructions: I, row: I::Floats, query: I::Floats, sum: I::Floats) -> I::Floats {
        instructions.multiply_add(row, query, sum)
    }

    #[inline(always)]
    fn own<I: Instructions>(instructions: I, row: I::Floats, sum: I::Floats) -> I::Floats {
        instructions.multiply_add(row, row, sum)
    }
}

/// Σ(x−y)².
pub(crate) struct SquaredDifferences;

impl Form for SquaredDifferences {
    #[inline(always)]
    fn pair<I: Instructions>(instructions: I, row: I::Floats, query: I::Floats, sum: I::Floats) -> I::Floats {
        let difference = instructions.subtract(row, query);
        instructions.multiply_add(difference, difference, sum)
    }

    #[inline(always)]
    fn own<I: Instructions>(_: I, _: I::Floats, sum: I::Floats) -> I::Floats {
        sum
    }
}

/// Σ|x−y|.
pub(crate) struct Differences;

impl Form for Differences {
    #[inline(always)]
    fn pair<I: Instructions>(instructions: I, row: I::Floats, query: I::Floats, sum: I::Floats) -> I::Floats {
        instructions.add(sum, instructions.absolute(instructions.subtract(row, query)))
    }

    #[inline(always)]
    fn own<I: Instructions>(_: I, _: I::Floats, sum: I::Floats) -> I::Floats {
        sum
    }
}

/// How many sign bits are set in both, and in the row; the query's are given as ones and zeros. Counted in `f32`, exactly up to 2²⁴.
pub(crate) struct SharedSigns;

impl Form for SharedSigns {
    #[inline(always)]
    fn pair<I: Instructions>(instructions: I, row: I::Floats, query: I::Floats, sum: I::Floats) -> I::Floats {
        instructions.multiply_add(instructions.sign_bits(row), query, sum)
    }

    #[inline(always)]
    fn own<I: Instructions>(instructions: I, row: I::Floats, sum: I::Floats) -> I::Floats {
        instructions.add(sum, instructions.sign_bits(row))
    }
}

/// The sums of `R` rows with `Q` queries, and the rows' own sums where `OWN` asks for them. All are of one length, and so are the rows that come `next`,
/// if any, which are asked for ahead of their use.
#[inline(always)]
pub(crate) fn pairs<I: Instructions, F: Form, S: Stored, const R: usize, const Q: usize, const OWN: bool>(
    instructions: I,
    rows: [&[S]; R],
    queries: [&[f32]; Q],
    next: Option<[&[S]; R]>,
) -> ([[f32; Q]; R], [f32; R]) {
    let length = queries[0].len();
    let whole = length / LANES;
    let mut sums = [[instructions.zero(); Q]; R];
    let mut owns = [instructions.zero(); R];
    // Cut to one length, which spares a check of bounds for each load.
    let mut row_groups: [&[[S; LANES]]; R] = [&[]; R];
    for r in 0..R {
        row_groups[r] = &rows[r].as_chunks().0[..whole];
    }
    let mut query_groups: [&[[f32; LANES]]; Q] = [&[]; Q];
    for q in 0..Q {
        query_groups[q] = &queries[q].as_chunks().0[..whole];
    }
    let mut next_groups = row_groups;
    if let Some(next) = next {
        for r in 0..R {
            next_groups[r] = &next[r].as_chunks().0[..whole];
        }
    }
    for group in 0..whole {
        let mut y = [instructions.zero(); Q];
        for q in 0..Q {
            y[q] = instructions.load(&query_groups[q][group]);
        }
        for r in 0..R {
            if next.is_some() {
                instructions.prefetch(&next_groups[r][group]);
            }
            let x = S::load(instructions, &row_groups[r][group]);
            if OWN {
                owns[r] = F::own(instructions, x, owns[r]);
            }
            for q in 0..Q {
                sums[r][q] = F::pair(instructions, x, y[q], sums[r][q]);
            }
        }
    }
    if whole * LANES < length {
        for r in 0..R {
            let x = S::load(instructions, &filled(&rows[r][whole * LANES..]));
            if OWN {
                owns[r] = F::own(instructions, x, owns[r]);
            }
            for q in 0..Q {
                let y = instructions.load(&filled(&queries[q][whole * LANES..]));
                sums[r][q] = F::pair(instructions, x, y, sums[r][q]);
            }
        }
    }
    let mut out = ([[0.0; Q]; R], [0.0; R]);
    for r in 0..R {
        // No closure: it would be compiled apart.
        for (out, sum) in out.0[r].iter_mut().zip(sums[r]) {
            *out = instructions.sum(sum);
        }
        if OWN {
            out.1[r] = instructions.sum(owns[r]);
        }
    }
    out
}

/// The own sum of one row.
#[inline(always)]
pub(crate) fn own<I: Instructions, F: Form, S: Stored>(instructions: I, row: &[S]) -> f32 {
    let (groups, rest) = row.as_chunks::<LANES>();
    let mut sum = instructions.zero();
    for group in groups {
        sum = F::own(instructions, S::load(instructions, group), sum);
    }
    if !rest.is_empty() {
        sum = F::own(instructions, S::load(instructions, &filled(rest)), sum);
    }
    instructions.sum(sum)
}

#[inline(always)]
fn filled<S: Stored>(rest: &[S]) -> [S; LANES] {
    let mut full = [S::default(); LANES];
    full[..rest.len()].copy_from_slice(rest);
    full
}
