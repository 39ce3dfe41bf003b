use std::path::Path;

use brain_core::ErrorKind;

use super::*;
use crate::read_image;

fn small() -> Preprocessing {
    of(serde_json::json!({"file": "m.onnx", "size": 16, "crop": 0.875, "range": 255, "mean": [127, 127, 127], "std": [128, 128, 128]}))
}

fn of(tower: serde_json::Value) -> Preprocessing {
    Preprocessing::of(&serde_json::from_value(tower).unwrap())
}

#[test]
fn resizing_and_cropping_agree_with_pillow() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/resize");
    // Shrunk, enlarged, far from square, and square.
    for name in ["97x61", "9x13", "150x20", "40x40"] {
        let image = read_image(&folder.join(format!("{name}.png"))).unwrap();
        for filter in ["bilinear", "bicubic", "lanczos"] {
            let tower =
                serde_json::json!({"file": "m.onnx", "size": 16, "crop": 0.875, "interpolation": filter, "mean": [0, 0, 0], "std": [1, 1, 1]});
            let pillow = std::fs::read(folder.join(format!("{name}-{filter}.rgb"))).unwrap();
            assert!(of(tower).square(&image) == pillow, "{name} by {filter}");
        }
    }
}

#[test]
fn values_are_scaled_and_laid_out_in_planes() {
    let image = RgbImage { width: 3, height: 2, pixels: [255, 127, 0].repeat(6) };
    let PreparedImage(planes) = small().apply(&image).unwrap();
    assert_eq!(planes.len(), 3 * 16 * 16);
    for (plane, value) in planes.chunks(256).zip([1.0, 0.0, -127.0 / 128.0]) {
        assert!(plane.iter().all(|&element| element == value));
    }
}

#[test]
fn the_thinnest_picture_is_prepared_and_an_empty_one_refused() {
    let line = RgbImage { width: 60_000, height: 1, pixels: vec![9; 180_000] };
    assert_eq!(small().apply(&line).unwrap().0.len(), 768);
    let empty = RgbImage { width: 0, height: 4, pixels: vec![] };
    assert_eq!(small().apply(&empty).unwrap_err().kind(), ErrorKind::InvalidInput);
    let short = RgbImage { width: 4, height: 4, pixels: vec![0; 5] };
    assert_eq!(small().apply(&short).unwrap_err().kind(), ErrorKind::InvalidInput);
}
