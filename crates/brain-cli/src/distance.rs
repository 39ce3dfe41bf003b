//! How people are shown a distance.

/// Four digits behind the point, and no sign before a zero: the same item may lie a rounding below its own distance of 0.
pub(crate) fn shown(distance: f32) -> String {
    let digits = format!("{distance:.4}");
    if digits == "-0.0000" { digits[1..].to_owned() } else { digits }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn only_what_rounds_to_zero_loses_its_sign() {
        let cases = [
            (0.0, "0.0000"),
            (-0.0, "0.0000"),
            (-1e-7, "0.0000"),
            (-0.000_06, "-0.0001"),
            (-3.25, "-3.2500"),
            (1e-7, "0.0000"),
            (0.571_44, "0.5714"),
        ];
        for (distance, digits) in cases {
            assert_eq!(shown(distance), digits);
        }
    }
}
