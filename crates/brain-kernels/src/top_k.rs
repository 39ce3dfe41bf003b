//! The best few of many rows, chosen without sorting them all.

use std::cmp::Ordering;

/// The fewest rows held before the worse half is thrown out: with a small `k`, throwing out after every few would cost more than it saves.
const LEAST_HELD: usize = 64;

/// A row and how far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// The distance from the query; never a NaN.
    pub distance: f32,
    /// The row's number.
    pub row: u32,
}

/// Keeps the best `k` of the rows it is offered: the nearest, or the farthest.
///
/// Rows at the same distance are ranked by a comparison that the caller hands to each call, always the same one; it is asked about equal
/// distances only, so it may be as slow as a look at a file. At most max(2`k`, 64) rows are held: when that many have come, the better `k` are
/// selected in linear time, and from then on a row worse than all of these is turned away at the cost of one comparison. `k` may be as large as
/// the number of rows, or larger.
#[derive(Clone, Debug)]
pub struct TopK {
    k: usize,
    /// 1 for nearest, −1 for farthest: distances times this rank ascending.
    sign: f32,
    held: Vec<Neighbor>,
    /// What a row must not be worse than, in the order of ranking.
    bound: f32,
}

impl TopK {
    /// Keeps the `k` rows at the smallest distances.
    pub fn nearest(k: usize) -> Self {
        Self { k, sign: 1.0, held: Vec::new(), bound: if k == 0 { f32::NEG_INFINITY } else { f32::INFINITY } }
    }

    /// Keeps the `k` rows at the largest distances. Ties are ranked as for [`nearest`](Self::nearest), not the other way round.
    pub fn farthest(k: usize) -> Self {
        Self { sign: -1.0, ..Self::nearest(k) }
    }

    /// Offers one row.
    #[inline]
    pub fn offer(&mut self, found: Neighbor, tie: impl Fn(u32, u32) -> Ordering) {
        if found.distance * self.sign <= self.bound {
            self.hold(found, tie);
        }
    }

    /// Offers the rows `first`, `first + 1`, and so on, at these distances. `admit` is asked last, about rows that are near enough only: it may
    /// look a row up in a mask.
    #[inline]
    pub fn offer_all(&mut self, distances: &[f32], first: u32, admit: impl Fn(u32) -> bool, tie: impl Fn(u32, u32) -> Ordering + Copy) {
        for (row, &distance) in (first..).zip(distances) {
            if distance * self.sign <= self.bound && admit(row) {
                self.hold(Neighbor { distance, row }, tie);
            }
        }
    }

    /// Takes over what another selection holds: of the same direction and `k`, over other rows.
    #[must_use]
    pub fn merge(mut self, mut other: Self, tie: impl Fn(u32, u32) -> Ordering) -> Self {
        // The shorter list moves.
        if other.held.len() > self.held.len() {
            std::mem::swap(&mut self, &mut other);
        }
        self.held.append(&mut other.held);
        self.bound = self.bound.min(other.bound);
        if self.held.len() >= self.limit() {
            self.select(tie);
        }
        self
    }

    /// What the next row must not be worse than to be held: a distance, negated where the farthest are kept; [`f32::INFINITY`] until enough rows are
    /// held. The `k`-th best may be better still: see [`tighten`](Self::tighten).
    #[inline]
    pub fn bound(&self) -> f32 {
        self.bound
    }

    /// Makes [`bound`](Self::bound) the distance of the `k`-th best row, if there are so many.
    pub fn tighten(&mut self, tie: impl Fn(u32, u32) -> Ordering) {
        if self.held.len() >= self.k {
            self.select(tie);
        }
    }

    /// The best rows in order: at most `k`, the best first.
    pub fn into_sorted(mut self, tie: impl Fn(u32, u32) -> Ordering) -> Vec<Neighbor> {
        if self.held.len() > self.k {
            self.select(&tie);
        }
        let sign = self.sign;
        self.held.sort_unstable_by(|a, b| ranking(sign, a, b, &tie));
        self.held
    }

    #[inline(never)]
    fn hold(&mut self, found: Neighbor, tie: impl Fn(u32, u32) -> Ordering) {
        if self.held.is_empty() {
            // Room for a small selection at once, and for a large one as it grows.
            self.held.reserve(LEAST_HELD);
        }
        self.held.push(found);
        if self.held.len() >= self.limit() {
            self.select(tie);
        }
    }

    fn limit(&self) -> usize {
        self.k.saturating_mul(2).max(LEAST_HELD)
    }

    fn select(&mut self, tie: impl Fn(u32, u32) -> Ordering) {
        let Some(last) = self.k.checked_sub(1) else {
            self.held.clear();
            return;
        };
        let sign = self.sign;
        let (_, worst, _) = self.held.select_nth_unstable_by(last, |a, b| ranking(sign, a, b, &tie));
        self.bound = worst.distance * sign;
        self.held.truncate(self.k);
    }
}

/// The order of an answer: by distance in the direction of `sign`, then by `tie`.
fn ranking(sign: f32, a: &Neighbor, b: &Neighbor, tie: impl Fn(u32, u32) -> Ordering) -> Ordering {
    // Adding 0 makes −0 and 0 one distance.
    (a.distance * sign + 0.0).total_cmp(&(b.distance * sign + 0.0)).then_with(|| tie(a.row, b.row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ties by descending row, so that a selection that forgets to ask is found out.
    fn tie(a: u32, b: u32) -> Ordering {
        b.cmp(&a)
    }

    fn by_sorting(distances: &[f32], farthest: bool, k: usize) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..distances.len() as u32).collect();
        rows.sort_by(|&a, &b| {
            let order = distances[a as usize].partial_cmp(&distances[b as usize]).unwrap();
            (if farthest { order.reverse() } else { order }).then(tie(a, b))
        });
        rows.truncate(k);
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn selection_is_the_head_of_a_sort(
            // Few different values, so that ties are everywhere.
            distances in prop::collection::vec((-6_i8..6).prop_map(|x| f32::from(x) / 2.0), 0..400),
            k in prop_oneof![0_usize..12, Just(400), Just(usize::MAX)],
            parts in 1_usize..5,
            farthest: bool,
        ) {
            let start = || if farthest { TopK::farthest(k) } else { TopK::nearest(k) };
            let size = distances.len().div_ceil(parts).max(1);
            let merged = distances
                .chunks(size)
                .enumerate()
                .map(|(part, chunk)| {
                    let mut best = start();
                    best.offer_all(chunk, (part * size) as u32, |_| true, tie);
                    best
                })
                .fold(start(), |all, part| all.merge(part, tie));
            let mut tightened = merged.clone();
            tightened.tighten(tie);
            let last = by_sorting(&distances, farthest, k).get(k.wrapping_sub(1)).map(|&row| distances[row as usize]);
            if let Some(last) = last {
                prop_assert_eq!(tightened.bound(), if farthest { -last } else { last });
            }
            let rows: Vec<u32> = merged.into_sorted(tie).iter().map(|found| found.row).collect();
            prop_assert_eq!(rows, by_sorting(&distances, farthest, k));
        }
    }

    #[test]
    fn rows_not_admitted_are_left_out() {
        let mut best = TopK::nearest(2);
        best.offer_all(&[0.0, 1.0, 2.0, 3.0], 10, |row| row % 2 == 1, tie);
        best.offer(Neighbor { distance: 2.5, row: 7 }, tie);
        let found: Vec<_> = best.into_sorted(tie).iter().map(|found| (found.row, found.distance)).collect();
        assert_eq!(found, [(11, 1.0), (7, 2.5)]);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut best = TopK::nearest(3);
        for row in (0..100_000).rev() {
            best.offer(Neighbor { distance: row as f32, row }, tie);
            assert!(best.held.len() < LEAST_HELD);
        }
    }
}
