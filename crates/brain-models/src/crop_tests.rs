use brain_core::ErrorKind;
use proptest::prelude::*;

use super::*;

fn square(alpha: f64) -> PatchShape {
    PatchShape { force_square: true, alpha }
}

fn pixels(left: u32, top: u32, width: u32, height: u32) -> Window {
    Window { left, top, width, height }
}

#[test]
fn the_pixels_of_a_box() {
    let at = |bounding_box, shape| window(bounding_box, shape, 100, 50).unwrap();
    let plain = PatchShape::default();
    assert_eq!(at([0.0, 0.0, 1.0, 1.0], plain), pixels(0, 0, 100, 50));
    assert_eq!(at([0.1, 0.2, 0.2, 0.4], plain), pixels(10, 10, 20, 20));
    // Whole pixels come back whole, whichever way the fractions round.
    assert_eq!(at([0.29, 0.0, 0.28, 1.0], plain), pixels(29, 0, 28, 50));
    // Boxes over the edge are clipped; the smallest patch is one pixel.
    assert_eq!(at([-0.5, 0.5, 0.6, 2.0], plain), pixels(0, 25, 10, 25));
    assert_eq!(at([0.999, 0.999, 1e-9, 1e-9], plain), pixels(99, 49, 1, 1));
}

#[test]
fn alpha_changes_each_side_about_the_centre() {
    let at = |alpha| window([0.4, 0.4, 0.2, 0.2], PatchShape { alpha, ..PatchShape::default() }, 100, 100).unwrap();
    assert_eq!(at(1.0), pixels(30, 30, 40, 40));
    assert_eq!(at(-0.5), pixels(45, 45, 10, 10));
    assert_eq!(at(-1.0), pixels(50, 50, 1, 1));
    assert_eq!(at(1e9), pixels(0, 0, 100, 100));
}

#[test]
fn squares_grow_the_shorter_side_slide_inwards_and_shrink_at_last() {
    let at = |bounding_box| window(bounding_box, square(0.0), 100, 50).unwrap();
    assert_eq!(at([0.4, 0.4, 0.2, 0.2]), pixels(40, 15, 20, 20));
    assert_eq!(at([0.4, 0.0, 0.2, 0.2]), pixels(40, 0, 20, 20));
    assert_eq!(at([0.4, 0.8, 0.2, 0.2]), pixels(40, 30, 20, 20));
    assert_eq!(at([0.0, 0.4, 1.0, 0.2]), pixels(25, 0, 50, 50));
}

#[test]
fn boxes_that_hold_nothing_are_named() {
    let image = RgbImage { width: 10, height: 10, pixels: vec![0; 300] };
    for (bounding_box, message) in [
        ([0.5, 0.5, 0.0, 0.2], "the box [0.5, 0.5, 0, 0.2] has no area"),
        ([0.5, 0.5, 0.2, -0.2], "the box [0.5, 0.5, 0.2, -0.2] has no area"),
        ([1.0, 0.0, 0.2, 0.2], "the box [1, 0, 0.2, 0.2] lies outside its picture"),
        ([0.0, -0.2, 0.2, 0.2], "the box [0, -0.2, 0.2, 0.2] lies outside its picture"),
        ([f64::NAN, 0.0, 0.2, 0.2], "the box [NaN, 0, 0.2, 0.2] holds a value that is not a finite number"),
    ] {
        let error = crop(&image, bounding_box, PatchShape::default()).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidInput, message));
    }
    for alpha in [-1.1, f64::NAN, f64::INFINITY] {
        assert!(crop(&image, [0.0, 0.0, 1.0, 1.0], square(alpha)).unwrap_err().message().contains("alpha"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The patch holds the picture's own pixels, lies inside it, and is square when asked.
    #[test]
    fn a_patch_is_a_part_of_its_picture(
        (width, height) in (1_u32..40, 1_u32..40),
        x in -0.5_f64..0.99, y in -0.5_f64..0.99, w in 0.6_f64..1.5, h in 0.6_f64..1.5,
        alpha in -1.0_f64..2.0, force_square: bool,
    ) {
        // Every pixel says where it is.
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 0])).collect();
        let image = RgbImage { width, height, pixels };
        let patch = crop(&image, [x, y, w, h], PatchShape { force_square, alpha }).unwrap();
        prop_assert!(patch.width >= 1 && patch.height >= 1 && patch.width <= width && patch.height <= height);
        prop_assert!(!force_square || patch.width == patch.height);
        let (left, top) = (u32::from(patch.pixels[0]), u32::from(patch.pixels[1]));
        for (index, pixel) in patch.pixels.chunks_exact(3).enumerate() {
            let (x, y) = (index as u32 % patch.width, index as u32 / patch.width);
            prop_assert_eq!((u32::from(pixel[0]), u32::from(pixel[1])), (left + x, top + y));
        }
    }
}
