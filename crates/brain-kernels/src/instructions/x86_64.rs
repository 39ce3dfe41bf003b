//! AVX2 with FMA and F16C, and AVX-512 with VNNI and VPOPCNTDQ.

use std::arch::x86_64::*;

use half::f16;

use super::{CODED_ROWS, CODES, CodePlanes, Instructions, Kernel, LANES, Portable};

/// Intel since 2013 (Haswell), AMD since 2015.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The proof, if this processor has them.
    pub(super) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        all.then_some(Self(()))
    }

    /// Runs a kernel compiled for them. Sixteen registers of eight: six pairs of a row and a query, and what they are made of.
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c,popcnt")]
        fn compiled<K: Kernel>(avx2: Avx2, kernel: K) -> K::Output {
            kernel.run_tiled::<_, 2, 3>(avx2)
        }
        // SAFETY: `self` proves that the processor has AVX2, FMA and F16C; every processor with AVX2 has POPCNT.
        unsafe { compiled(self, kernel) }
    }
}

// In every block below: `self` proves that the processor has the instructions; loads read exactly the array they are given, and need no alignment.
impl Instructions for Avx2 {
    type Floats = [__m256; 2];

    #[inline(always)]
    fn prefetch<T>(self, place: &T) {
        // SAFETY: it reads nothing that the program sees.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) }
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Self::Floats {
        // SAFETY: see above; 8 and 8 of the 16 numbers.
        unsafe { [_mm256_loadu_ps(numbers.as_ptr()), _mm256_loadu_ps(numbers.as_ptr().add(8))] }
    }

    #[inline(always)]
    fn load_half(self, numbers: &[f16; LANES]) -> Self::Floats {
        let halves = numbers.as_ptr().cast::<__m128i>();
        // SAFETY: see above; 8 and 8 of the 16 numbers.
        unsafe { [_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves.add(1)))] }
    }

    #[inline(always)]
    fn load_codes(self, codes: &[u8; LANES]) -> Self::Floats {
        // SAFETY: see above; 16 bytes.
        unsafe {
            let codes = _mm_loadu_si128(codes.as_ptr().cast());
            let (first, second) = (_mm256_cvtepi8_epi32(codes), _mm256_cvtepi8_epi32(_mm_srli_si128::<8>(codes)));
            [_mm256_cvtepi32_ps(first), _mm256_cvtepi32_ps(second)]
        }
    }

    #[inline(always)]
    fn splat(self, number: f32) -> Self::Floats {
        // SAFETY: see above.
        unsafe { [_mm256_set1_ps(number); 2] }
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn subtract(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn absolute(self, a: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            [_mm256_andnot_ps(sign, a[0]), _mm256_andnot_ps(sign, a[1])]
        }
    }

    #[inline(always)]
    fn multiply_add(self, a: Self::Floats, b: Self::Floats, sum: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], sum[0]), _mm256_fmadd_ps(a[1], b[1], sum[1])] }
    }

    #[inline(always)]
    fn sign_bits(self, a: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe {
            let (zero, one) = (_mm256_setzero_ps(), _mm256_set1_ps(1.0));
            [_mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a[0], zero), one), _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a[1], zero), one)]
        }
    }

    #[inline(always)]
    fn sum(self, a: Self::Floats) -> f32 {
        // SAFETY: see above.
        unsafe { sum_of_eight(_mm256_add_ps(a[0], a[1])) }
    }

    #[inline(always)]
    fn dot_codes(self, rows: [&[[u8; CODES]]; CODED_ROWS], query: &CodePlanes, next: [&[[u8; CODES]]; CODED_ROWS]) -> [[i32; CODED_ROWS]; 2] {
        next.iter().copied().flatten().for_each(|group| self.prefetch(group));
        // Compiled with these instructions, it widens to sixteen bits and multiplies pairs.
        Portable.dot_codes(rows, query, next)
    }

    #[inline(always)]
    fn count_bits(self, row: &[[u8; 8]], query: &[u64]) -> [u32; 2] {
        Portable.count_bits(row, query)
    }
}

/// Intel since 2019 (Ice Lake), AMD since 2022 (Zen 4).
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The proof, if this processor has them.
    pub(super) fn detect() -> Option<Self> {
        let floats = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl");
        let counts = is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vpopcntdq");
        // What is written in AVX2 is compiled along.
        (floats && counts && Avx2::detect().is_some()).then_some(Self(()))
    }

    /// Runs a kernel compiled for them. Thirty-two registers of sixteen: twenty-four pairs of a row and a query, and what they are made of.
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // VL lets the narrower instructions, which fold sums, use all thirty-two registers.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vpopcntdq,avx2,fma,f16c,popcnt")]
        fn compiled<K: Kernel>(avx512: Avx512, kernel: K) -> K::Output {
            kernel.run_tiled::<_, 6, 4>(avx512)
        }
        // SAFETY: `self` proves that the processor has them all.
        unsafe { compiled(self, kernel) }
    }
}

// As above: `self` proves that the processor has the instructions; loads read exactly the array they are given, and need no alignment.
impl Instructions for Avx512 {
    type Floats = __m512;

    #[inline(always)]
    fn prefetch<T>(self, place: &T) {
        // SAFETY: it reads nothing that the program sees.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) }
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Self::Floats {
        // SAFETY: see above.
        unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
    }

    #[inline(always)]
    fn load_half(self, numbers: &[f16; LANES]) -> Self::Floats {
        // SAFETY: see above; 32 bytes.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(numbers.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_codes(self, codes: &[u8; LANES]) -> Self::Floats {
        // SAFETY: see above; 16 bytes.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(codes.as_ptr().cast()))) }
    }

    #[inline(always)]
    fn splat(self, number: f32) -> Self::Floats {
        // SAFETY: see above.
        unsafe { _mm512_set1_ps(number) }
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn subtract(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn absolute(self, a: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe { _mm512_abs_ps(a) }
    }

    #[inline(always)]
    fn multiply_add(self, a: Self::Floats, b: Self::Floats, sum: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe { _mm512_fmadd_ps(a, b, sum) }
    }

    #[inline(always)]
    fn sign_bits(self, a: Self::Floats) -> Self::Floats {
        // SAFETY: see above.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, _mm512_setzero_ps()), _mm512_set1_ps(1.0)) }
    }

    #[inline(always)]
    fn sum(self, a: Self::Floats) -> f32 {
        // SAFETY: see above.
        unsafe {
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(a)));
            sum_of_eight(_mm256_add_ps(_mm512_castps512_ps256(a), high))
        }
    }

    #[inline(always)]
    fn dot_codes(self, rows: [&[[u8; CODES]]; CODED_ROWS], query: &CodePlanes, next: [&[[u8; CODES]]; CODED_ROWS]) -> [[i32; CODED_ROWS]; 2] {
        let groups = query.high.len();
        let (low, rows, next) = (&query.low[..groups], rows.map(|row| &row[..groups]), next.map(|row| &row[..groups]));
        // SAFETY: see above; 64 bytes a load.
        unsafe {
            // The instruction multiplies bytes without a sign by bytes with one: the rows' codes are shifted up by 128, and 128 times the sum of the
            // query's codes is taken off again.
            let shift = _mm512_set1_epi8(i8::MIN);
            let mut sums = [[_mm512_setzero_si512(); CODED_ROWS]; 2];
            for group in 0..groups {
                let high = _mm512_loadu_si512(query.high[group].as_ptr().cast());
                let low = _mm512_loadu_si512(low[group].as_ptr().cast());
                for number in 0..CODED_ROWS {
                    self.prefetch(&next[number][group]);
                    let row = _mm512_xor_si512(_mm512_loadu_si512(rows[number][group].as_ptr().cast()), shift);
                    sums[0][number] = _mm512_dpbusd_epi32(sums[0][number], row, high);
                    sums[1][number] = _mm512_dpbusd_epi32(sums[1][number], row, low);
                }
            }
            [fold(sums[0], query.sums[0]), fold(sums[1], query.sums[1])]
        }
    }

    #[inline(always)]
    fn count_bits(self, row: &[[u8; 8]], query: &[u64]) -> [u32; 2] {
        // Compiled with these instructions, it counts eight words at once.
        Portable.count_bits(row, query)
    }
}

/// The sums of four registers, each without what the shift of its codes added.
#[inline(always)]
unsafe fn fold([a, b, c, d]: [__m512i; CODED_ROWS], query: i32) -> [i32; CODED_ROWS] {
    // SAFETY: the caller has AVX-512; the transmuted types are sixteen bytes each.
    unsafe {
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        let quarters = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let halves = _mm256_add_epi32(_mm512_castsi512_si256(quarters), _mm512_extracti64x4_epi64::<1>(quarters));
        let sums = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
        std::mem::transmute(_mm_sub_epi32(sums, _mm_set1_epi32(128 * query)))
    }
}

/// The sum of eight numbers: the halves added to each other, again and again.
#[inline(always)]
unsafe fn sum_of_eight(eight: __m256) -> f32 {
    // SAFETY: the caller has AVX.
    unsafe {
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
}
