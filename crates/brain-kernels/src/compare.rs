//! Rows against queries: the walk over tiles, and distances out of sums.

use crate::instructions::{Instructions, Kernel, dispatch};
use crate::metric::Metric;
use crate::prepared::Prepared;
use crate::rows::{Rows, Stored};
use crate::tile::{Differences, Form, Products, SharedSigns, SquaredDifferences, own, pairs};

/// How many rows are compared before their sums become distances: few enough that rows and sums are still in the processor's nearest caches, a multiple of
/// the rows of every tile.
const PANEL: usize = 48;

/// How many queries a panel is compared with before the next: they stay in the second cache while the panel's rows pass by. A multiple of the queries of
/// every tile.
const QUERIES: usize = 96;

/// As many rows against one query fill the time in which each waits for memory.
const ROWS_AT_ONCE: usize = 4;

/// Which of the rows are compared.
#[derive(Clone, Copy)]
pub(crate) enum Which<'a> {
    /// The first so many.
    First(usize),
    /// Those with these numbers.
    These(&'a [u32]),
}

impl Which<'_> {
    fn count(&self) -> usize {
        match self {
            Self::First(count) => *count,
            Self::These(rows) => rows.len(),
        }
    }

    #[inline(always)]
    pub(crate) fn row(&self, position: usize) -> usize {
        match self {
            Self::First(_) => position,
            Self::These(rows) => rows[position] as usize,
        }
    }
}

/// The distances of some rows from all queries, which are of one metric and one length, not 0: `out[query * rows + row]`.
pub(crate) fn compare(queries: &[Prepared], rows: Rows<'_>, which: Which<'_>, out: &mut [f32]) {
    if let Some(first) = queries.first() {
        debug_assert_eq!(out.len(), queries.len() * which.count());
        dispatch(Comparison { metric: first.metric, dimension: first.vector.len(), queries, rows, which, out });
    }
}

struct Comparison<'a> {
    metric: Metric,
    dimension: usize,
    queries: &'a [Prepared],
    rows: Rows<'a>,
    which: Which<'a>,
    out: &'a mut [f32],
}

impl Kernel for Comparison<'_> {
    type Output = ();

    #[inline(always)]
    fn run_tiled<I: Instructions, const R: usize, const Q: usize>(self, instructions: I) {
        match self.rows {
            Rows::Single(rows) => self.by_metric::<I, f32, R, Q>(instructions, rows),
            Rows::Half(rows) => self.by_metric::<I, half::f16, R, Q>(instructions, rows),
        }
    }
}

impl Comparison<'_> {
    #[inline(always)]
    fn by_metric<I: Instructions, S: Stored, const R: usize, const Q: usize>(self, instructions: I, rows: &[S]) {
        match self.metric {
            Metric::Cosine | Metric::DotProduct => self.panels::<I, Products, S, R, Q>(instructions, rows),
            Metric::Euclidean => self.panels::<I, SquaredDifferences, S, R, Q>(instructions, rows),
            Metric::L1 => self.panels::<I, Differences, S, R, Q>(instructions, rows),
            Metric::Hamming | Metric::Jaccard => self.panels::<I, SharedSigns, S, R, Q>(instructions, rows),
        }
    }

    #[inline(always)]
    fn panels<I: Instructions, F: Form, S: Stored, const R: usize, const Q: usize>(self, instructions: I, rows: &[S]) {
        let Self { metric, dimension, queries, which, out, .. } = self;
        let count = which.count();
        let row_at = |position: usize| {
            let start = which.row(position) * dimension;
            &rows[start..start + dimension]
        };
        let mut owns = [0.0; PANEL];
        let mut start = 0;
        while start < count {
            let panel = PANEL.min(count - start);
            let positions = start..start + panel;
            if let [query] = queries {
                if metric.has_own_sum() {
                    one_query::<I, F, S, true>(instructions, row_at, positions, query, out, &mut owns);
                    owns[..panel].iter_mut().for_each(|sum| *sum = metric.own(*sum as f32));
                } else {
                    one_query::<I, F, S, false>(instructions, row_at, positions, query, out, &mut owns);
                }
            } else {
                if metric.has_own_sum() {
                    for (position, sum) in owns[..panel].iter_mut().enumerate() {
                        *sum = metric.own(own::<I, F, S>(instructions, row_at(start + position)));
                    }
                }
                let mut first = 0;
                while first < queries.len() {
                    let some = first..(first + QUERIES).min(queries.len());
                    let mut position = start;
                    while position < start + panel {
                        let rows = position..(position + R).min(start + panel);
                        many_queries::<I, F, S, R, Q>(instructions, row_at, rows, count, queries, some.clone(), out);
                        position += R;
                    }
                    first += QUERIES;
                }
            }
            for (number, query) in queries.iter().enumerate() {
                let place = number * count + start;
                let out = &mut out[place..place + panel];
                if metric.finish(&owns[..panel], query.own, out) {
                    query.by_reference(out, |position| row_at(start + position));
                }
            }
            start += panel;
        }
    }
}

/// A panel against one query: several rows at a time, and those that are left one by one.
#[inline(always)]
fn one_query<'r, I: Instructions, F: Form, S: Stored + 'r, const OWN: bool>(
    instructions: I,
    row_at: impl Fn(usize) -> &'r [S] + Copy,
    positions: std::ops::Range<usize>,
    query: &Prepared,
    out: &mut [f32],
    owns: &mut [f64; PANEL],
) {
    let (mut position, count) = (positions.start, out.len());
    while position + ROWS_AT_ONCE <= positions.end {
        some_rows::<I, F, S, ROWS_AT_ONCE, OWN>(instructions, row_at, position..count, query, out, &mut owns[position - positions.start..]);
        position += ROWS_AT_ONCE;
    }
    while position < positions.end {
        some_rows::<I, F, S, 1, OWN>(instructions, row_at, position..count, query, out, &mut owns[position - positions.start..]);
        position += 1;
    }
}

#[inline(always)]
fn some_rows<'r, I: Instructions, F: Form, S: Stored + 'r, const R: usize, const OWN: bool>(
    instructions: I,
    row_at: impl Fn(usize) -> &'r [S],
    std::ops::Range { start, end }: std::ops::Range<usize>,
    query: &Prepared,
    out: &mut [f32],
    owns: &mut [f64],
) {
    let last = end - 1;
    let (mut rows, mut next): ([&[S]; R], [&[S]; R]) = ([&[]; R], [&[]; R]);
    for r in 0..R {
        rows[r] = row_at(start + r);
        next[r] = row_at((start + R + r).min(last));
    }
    let (sums, row_sums) = pairs::<I, F, S, R, 1, OWN>(instructions, rows, [query.operand()], Some(next));
    for r in 0..R {
        out[start + r] = sums[r][0];
        owns[r] = f64::from(row_sums[r]);
    }
}

/// A group of rows against some of the queries, `Q` at a time. Tiles at the edges are filled up with a row or a query once more, whose sums are dropped.
#[inline(always)]
fn many_queries<'r, I: Instructions, F: Form, S: Stored + 'r, const R: usize, const Q: usize>(
    instructions: I,
    row_at: impl Fn(usize) -> &'r [S],
    positions: std::ops::Range<usize>,
    count: usize,
    queries: &[Prepared],
    some: std::ops::Range<usize>,
    out: &mut [f32],
) {
    let mut rows: [&[S]; R] = [&[]; R];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = row_at((positions.start + r).min(positions.end - 1));
    }
    let mut first = some.start;
    while first < some.end {
        let mut operands: [&[f32]; Q] = [&[]; Q];
        for (q, operand) in operands.iter_mut().enumerate() {
            *operand = queries[(first + q).min(some.end - 1)].operand();
        }
        let (sums, _) = pairs::<I, F, S, R, Q, false>(instructions, rows, operands, None);
        for (r, sums) in sums.iter().enumerate().take(positions.len()) {
            for (q, sum) in sums.iter().enumerate().take(some.end - first) {
                out[(first + q) * count + positions.start + r] = *sum;
            }
        }
        first += Q;
    }
}

/// The own sum of one vector, by the very code that rows go through.
pub(crate) fn own_sum(metric: Metric, vector: &[f32]) -> f32 {
    struct OwnSum<'a>(Metric, &'a [f32]);
    impl Kernel for OwnSum<'_> {
        type Output = f32;

        #[inline(always)]
        fn run_tiled<I: Instructions, const R: usize, const Q: usize>(self, instructions: I) -> f32 {
            match self.0 {
                Metric::Hamming | Metric::Jaccard => own::<I, SharedSigns, f32>(instructions, self.1),
                _ => own::<I, Products, f32>(instructions, self.1),
            }
        }
    }
    dispatch(OwnSum(metric, vector))
}
