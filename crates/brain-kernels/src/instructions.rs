//! Which instructions this processor has, and the sweep over rows compiled for each set of them.

use crate::lanes::Separate;
use crate::query::Query;

/// The sweep for the best instructions there are. The question to the processor is asked once per process and remembered by the standard library.
pub(crate) fn sweep(query: &Query, rows: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512F, as was just asked.
            return unsafe { x86_64::avx512(query, rows, out) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has AVX2 and FMA, as was just asked.
            return unsafe { x86_64::avx2(query, rows, out) };
        }
    }
    query.each_row::<Separate>(rows, out);
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use crate::lanes::Fused;
    use crate::query::Query;

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(query: &Query, rows: &[f32], out: &mut [f32]) {
        query.each_row::<Fused>(rows, out);
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(query: &Query, rows: &[f32], out: &mut [f32]) {
        query.each_row::<Fused>(rows, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metric;

    /// Every way the sweep is compiled, as far as this processor can run it.
    #[test]
    fn the_portable_sweep_agrees_with_the_chosen_one() {
        let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        for metric in Metric::ALL {
            for dimension in [1, 31, 32, 33, 515] {
                let rows: Vec<f32> = (0..dimension * 5).map(number).collect();
                let query = Query::new(metric, &rows[dimension..2 * dimension]);
                let (mut chosen, mut portable) = ([0.0; 5], [0.0; 5]);
                sweep(&query, &rows, &mut chosen);
                query.each_row::<Separate>(&rows, &mut portable);
                for (a, b) in chosen.iter().zip(portable) {
                    assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{metric} {dimension}: {a} {b}");
                }
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    let mut narrow = [0.0; 5];
                    // SAFETY: the processor has AVX2 and FMA, as was just asked.
                    unsafe { x86_64::avx2(&query, &rows, &mut narrow) };
                    for (a, b) in narrow.iter().zip(portable) {
                        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{metric} {dimension}: {a} {b}");
                    }
                }
            }
        }
    }
}
