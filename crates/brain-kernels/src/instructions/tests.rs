//! Every set of instructions that this processor has does what the portable one does.

use half::f16;
use proptest::prelude::*;

use super::*;

/// All that [`Instructions`] can do, once.
#[derive(Clone, Copy)]
struct Everything<'a> {
    a: &'a [f32; LANES],
    b: &'a [f32; LANES],
    halves: &'a [f16; LANES],
    rows: [&'a [[u8; CODES]]; CODED_ROWS],
    planes: &'a CodePlanes,
}

#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    /// To the bit.
    same: Vec<u32>,
    /// Rounded once or twice.
    fused: f32,
    codes: [[i32; CODED_ROWS]; 2],
    bits: [u32; 2],
}

impl Kernel for Everything<'_> {
    type Output = Outcome;

    #[inline(always)]
    fn run_tiled<I: Instructions, const R: usize, const Q: usize>(self, i: I) -> Outcome {
        let (a, b) = (i.load(self.a), i.load(self.b));
        let sums = [
            i.sum(i.add(a, b)),
            i.sum(i.subtract(a, b)),
            i.sum(i.absolute(i.subtract(a, b))),
            i.sum(i.sign_bits(a)),
            i.sum(i.load_half(self.halves)),
            i.sum(i.load_codes(self.rows[0][0].first_chunk().unwrap())),
            i.sum(i.add(i.zero(), i.splat(self.a[0]))),
        ];
        let words: Vec<u64> =
            self.planes.low.as_flattened().chunks(8).map(|bytes| bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte as u8))).collect();
        Outcome {
            same: sums.iter().map(|sum| (sum + 0.0).to_bits()).collect(),
            fused: i.sum(i.multiply_add(a, b, a)),
            codes: i.dot_codes(self.rows, self.planes, self.rows),
            bits: i.count_bits(self.rows[0].as_flattened().as_chunks().0, &words),
        }
    }
}

fn lanes<T: std::fmt::Debug>(number: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(number, LANES)
}

fn groups(code: impl Strategy<Value = i8>) -> impl Strategy<Value = Vec<i8>> {
    prop::collection::vec(code, 3 * CODES)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    #[test]
    fn all_sets_agree(
        a in lanes(-2.0..2.0_f32),
        b in lanes(-2.0..2.0_f32),
        // Half-precision bits without those of infinities and NaN: denormals and zeros of both signs are among them.
        halves in lanes((0..0x7c00_u16, any::<bool>()).prop_map(|(bits, negative)| f16::from_bits(bits | u16::from(negative) << 15))),
        rows in prop::array::uniform4(groups(-127..=127_i8)),
        high in groups(-127..=127_i8),
        low in groups(-64..=63_i8),
    ) {
        let group = |codes: &[i8]| codes.as_chunks::<CODES>().0.to_vec();
        let sum = |codes: &[i8]| codes.iter().map(|&code| i32::from(code)).sum();
        let planes = CodePlanes { high: group(&high), low: group(&low), sums: [sum(&high), sum(&low)] };
        let bytes = rows.clone().map(|row| row.into_iter().map(|code| code as u8).collect::<Vec<u8>>());
        let everything = Everything {
            a: a.first_chunk().unwrap(),
            b: b.first_chunk().unwrap(),
            halves: halves.first_chunk().unwrap(),
            rows: std::array::from_fn(|number| bytes[number].as_chunks().0),
            planes: &planes,
        };
        let outcomes = with_each(everything);
        for (number, row) in rows.iter().enumerate() {
            let product = |plane: &[i8]| row.iter().zip(plane).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum::<i32>();
            prop_assert_eq!(outcomes[0].codes.map(|plane| plane[number]), [product(&high), product(&low)]);
        }
        for outcome in &outcomes[1..] {
            prop_assert!((outcome.fused - outcomes[0].fused).abs() < 1e-4);
            prop_assert_eq!(outcome, &Outcome { fused: outcome.fused, ..outcomes[0].clone() });
        }
        // Each half alone: the sum would hide two that were exchanged.
        for (lane, &half) in halves.iter().enumerate() {
            let mut alone = [f16::ZERO; LANES];
            alone[lane] = half;
            for outcome in with_each(Everything { halves: &alone, ..everything }) {
                prop_assert_eq!(outcome.same[4], (half.to_f32() + 0.0).to_bits());
            }
        }
    }
}
