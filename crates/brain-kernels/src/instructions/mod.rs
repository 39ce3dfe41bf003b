//! The instructions that kernels are written in, and the choice of the best that this processor has.
//!
//! A [`Kernel`] is written once over [`Instructions`]. [`dispatch`] compiles it for each set of them and runs the one that fits. A value of a set is a proof
//! that the processor has it: only the question to the processor makes one, which is what makes the machine instructions behind it sound to run.
//!
//! *Architecture invariant:* nothing outside this folder names an instruction set.

mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use half::f16;

pub(crate) use portable::Portable;

/// How many numbers lie side by side in [`Instructions::Floats`]: one AVX-512 register, two of AVX, four of SSE or NEON.
pub(crate) const LANES: usize = 16;

/// How many codes are multiplied at once: rows of codes are filled up with zeros to a multiple of it.
pub(crate) const CODES: usize = 64;

/// How many rows of codes are multiplied together.
pub(crate) const CODED_ROWS: usize = 4;

/// A query as codes in two planes: the number is `128 · high + low`, in units of the query's scale.
#[derive(Clone, Debug, Default)]
pub(crate) struct CodePlanes {
    pub(crate) high: Vec<[i8; CODES]>,
    pub(crate) low: Vec<[i8; CODES]>,
    /// Of the codes of each plane.
    pub(crate) sums: [i32; 2],
}

/// What a processor does to sixteen numbers at once, and to codes.
///
/// Every set sums in the same order, so that results differ by the rounding of [`multiply_add`](Self::multiply_add) alone.
pub(crate) trait Instructions: Copy {
    /// Sixteen `f32`.
    type Floats: Copy;

    /// Asks for the memory at `place` ahead of its use, where the processor can.
    fn prefetch<T>(self, place: &T);
    /// Sixteen zeros.
    #[inline(always)]
    fn zero(self) -> Self::Floats {
        self.splat(0.0)
    }
    /// Sixteen numbers from memory.
    fn load(self, numbers: &[f32; LANES]) -> Self::Floats;
    /// Sixteen half-precision numbers from memory, widened; infinities and NaN do not come.
    fn load_half(self, numbers: &[f16; LANES]) -> Self::Floats;
    /// Sixteen codes from memory, as numbers.
    fn load_codes(self, codes: &[u8; LANES]) -> Self::Floats;
    /// The same number sixteen times.
    fn splat(self, number: f32) -> Self::Floats;
    /// `a + b`.
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a − b`.
    fn subtract(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `|a|`.
    fn absolute(self, a: Self::Floats) -> Self::Floats;
    /// `a · b + sum`, rounded once where the processor can.
    fn multiply_add(self, a: Self::Floats, b: Self::Floats, sum: Self::Floats) -> Self::Floats;
    /// 1 where the number is above 0, else 0.
    fn sign_bits(self, a: Self::Floats) -> Self::Floats;
    /// The sum of the sixteen: the halves added to each other, again and again.
    fn sum(self, a: Self::Floats) -> f32;
    /// The sums of products of some rows' codes, bytes with a sign, with the planes of a query, which is as long: first those with the high plane. Codes
    /// of −128 do not come. The rows that come `next`, which are as long, are asked for meanwhile.
    fn dot_codes(self, rows: [&[[u8; CODES]]; CODED_ROWS], query: &CodePlanes, next: [&[[u8; CODES]]; CODED_ROWS]) -> [[i32; CODED_ROWS]; 2];
    /// How many bits are set in both, and in `row`; both in words of 64, those of the row as they lie in memory, little-endian.
    fn count_bits(self, row: &[[u8; 8]], query: &[u64]) -> [u32; 2];
}

/// Work to be done with the best instructions there are. Everything it calls must be inlined into [`run_tiled`](Self::run_tiled), which takes plain loops and
/// `#[inline(always)]`: what is compiled apart is compiled without the instructions.
pub(crate) trait Kernel {
    /// What comes out.
    type Output;
    /// Does the work; that of many rows and many queries in tiles of `R` rows and `Q` queries, as many as fit the registers.
    fn run_tiled<I: Instructions, const R: usize, const Q: usize>(self, instructions: I) -> Self::Output;
}

/// Runs `kernel` with the best instructions that this processor has. The question is asked once per process and remembered by the standard library.
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(avx512) = x86_64::Avx512::detect() {
            return avx512.run(kernel);
        }
        if let Some(avx2) = x86_64::Avx2::detect() {
            return avx2.run(kernel);
        }
    }
    // NEON has thirty-two registers of four; SSE2 has sixteen.
    if cfg!(target_arch = "aarch64") { kernel.run_tiled::<_, 2, 3>(Portable) } else { kernel.run_tiled::<_, 1, 2>(Portable) }
}

/// Runs a kernel with every set of instructions that this processor has, the portable one first: they must agree.
#[cfg(test)]
pub(crate) fn with_each<K: Kernel + Copy>(kernel: K) -> Vec<K::Output> {
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
    let mut outputs = vec![kernel.run_tiled::<_, 1, 2>(Portable)];
    #[cfg(target_arch = "x86_64")]
    {
        outputs.extend(x86_64::Avx2::detect().map(|avx2| avx2.run(kernel)));
        outputs.extend(x86_64::Avx512::detect().map(|avx512| avx512.run(kernel)));
    }
    outputs
}
