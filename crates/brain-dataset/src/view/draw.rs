//! Chance that is the same on every machine: for `take` and `shuffle`.
//!
//! Both work on positions, not on ids, so that two imports of the same files give the same samples even where the ids were made up.

/// SplitMix64 (Steele, Lea, Flood 2014): a few operations on whole numbers, the same everywhere.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, by multiplying: the bias is at most `bound` in 2⁶⁴.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// `count` of the positions `0..total`, ascending (all, where there are fewer); Knuth's algorithm S, one draw a position.
pub(super) fn positions(total: u64, count: u64, seed: u64) -> Vec<u64> {
    let mut draws = Draws(seed);
    let mut wanted = count.min(total);
    let mut chosen = Vec::with_capacity(wanted as usize);
    for position in 0..total {
        if wanted == 0 {
            break;
        }
        if draws.below(total - position) < wanted {
            chosen.push(position);
            wanted -= 1;
        }
    }
    chosen
}

/// Puts the rows in a random order; Fisher and Yates.
pub(super) fn shuffle<T>(rows: &mut [T], seed: u64) {
    let mut draws = Draws(seed);
    for last in (1..rows.len()).rev() {
        rows.swap(last, draws.below(last as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn positions_are_as_many_as_asked_and_rise(total in 0u64..200, count in 0u64..220, seed: u64) {
            let chosen = positions(total, count, seed);
            prop_assert_eq!(chosen.len() as u64, count.min(total));
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(chosen.last().is_none_or(|last| *last < total));
        }

        #[test]
        fn a_shuffle_loses_nothing(total in 0u64..200, seed: u64) {
            let mut rows: Vec<u64> = (0..total).collect();
            shuffle(&mut rows, seed);
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..total).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_seed_means_the_same_on_every_machine() {
        // Reference values of SplitMix64 for the seed 1234567.
        let mut draws = Draws(1_234_567);
        assert_eq!([draws.next(), draws.next(), draws.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        assert_eq!(positions(1_000_000, 3, 51), positions(1_000_000, 3, 51));
        assert_ne!(positions(1_000_000, 3, 51), positions(1_000_000, 3, 52));
    }

    #[test]
    fn every_position_is_drawn_equally_often() {
        let mut times = [0u32; 10];
        for seed in 0..10_000 {
            for position in positions(10, 3, seed) {
                times[position as usize] += 1;
            }
        }
        assert!(times.iter().all(|&times| (2_800..3_200).contains(&times)), "{times:?}");
    }
}
