//! Plain arithmetic on arrays, which compilers turn into the vector instructions that every processor of a kind has: SSE2, NEON.

use half::f16;

use super::{CODED_ROWS, CODES, CodePlanes, Instructions, LANES};

/// What every processor can do.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Instructions for Portable {
    type Floats = [f32; LANES];

    #[inline(always)]
    fn prefetch<T>(self, _: &T) {}

    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Self::Floats {
        *numbers
    }

    #[inline(always)]
    fn load_half(self, numbers: &[f16; LANES]) -> Self::Floats {
        // The exponent and the digits moved into their places leave an exponent 112 too small, which one product mends, denormals included.
        let rebias = f32::from_bits((127 + 112) << 23);
        std::array::from_fn(|lane| {
            let bits = u32::from(numbers[lane].to_bits());
            let magnitude = f32::from_bits((bits & 0x7fff) << 13) * rebias;
            f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
        })
    }

    #[inline(always)]
    fn load_codes(self, codes: &[u8; LANES]) -> Self::Floats {
        std::array::from_fn(|lane| f32::from(codes[lane] as i8))
    }

    #[inline(always)]
    fn splat(self, number: f32) -> Self::Floats {
        [number; LANES]
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn subtract(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn absolute(self, a: Self::Floats) -> Self::Floats {
        a.map(f32::abs)
    }

    #[inline(always)]
    fn multiply_add(self, a: Self::Floats, b: Self::Floats, sum: Self::Floats) -> Self::Floats {
        // Where a fused instruction is not there for sure, `mul_add` is a slow function call.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            std::array::from_fn(|lane| a[lane].mul_add(b[lane], sum[lane]))
        } else {
            std::array::from_fn(|lane| a[lane] * b[lane] + sum[lane])
        }
    }

    #[inline(always)]
    fn sign_bits(self, a: Self::Floats) -> Self::Floats {
        a.map(|x| if x > 0.0 { 1.0 } else { 0.0 })
    }

    #[inline(always)]
    fn sum(self, mut a: Self::Floats) -> f32 {
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                a[lane] += a[lane + width];
            }
            width /= 2;
        }
        a[0]
    }

    #[inline(always)]
    fn dot_codes(self, rows: [&[[u8; CODES]]; CODED_ROWS], query: &CodePlanes, _: [&[[u8; CODES]]; CODED_ROWS]) -> [[i32; CODED_ROWS]; 2] {
        let mut sums = [[0; CODED_ROWS]; 2];
        for (number, row) in rows.into_iter().enumerate() {
            for ((row, high), low) in row.iter().zip(&query.high).zip(&query.low) {
                for lane in 0..CODES {
                    sums[0][number] += i32::from(row[lane] as i8) * i32::from(high[lane]);
                    sums[1][number] += i32::from(row[lane] as i8) * i32::from(low[lane]);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn count_bits(self, row: &[[u8; 8]], query: &[u64]) -> [u32; 2] {
        let mut counts = [0; 2];
        for (&x, &y) in row.iter().zip(query) {
            let x = u64::from_le_bytes(x);
            counts[0] += (x & y).count_ones();
            counts[1] += x.count_ones();
        }
        counts
    }
}
