use std::fs;
use std::path::PathBuf;

use brain_core::ErrorKind;
use image::codecs::jpeg::JpegEncoder;
use image::{ColorType, ImageEncoder, Luma, Rgb};

use super::*;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The colours in the middles of the quarters: top left, top right, bottom left, bottom right; each channel 0 or 255.
fn quarters(image: &RgbImage) -> [[u8; 3]; 4] {
    let at = |x: u32, y: u32| {
        let start = ((y * image.width + x) * 3) as usize;
        [0, 1, 2].map(|channel| if image.pixels[start + channel] > 127 { 255 } else { 0 })
    };
    let (left, right) = (image.width / 4, image.width * 3 / 4);
    let (top, bottom) = (image.height / 4, image.height * 3 / 4);
    [at(left, top), at(right, top), at(left, bottom), at(right, bottom)]
}

/// A JPEG of 32 x 16 pixels, red and green over blue and white, with an EXIF orientation.
fn oriented_jpeg(orientation: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(32, 16, |x, y| {
        Rgb(match (x < 16, y < 8) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => WHITE,
        })
    });
    let mut exif = vec![b'I', b'I', 42, 0, 8, 0, 0, 0, 1, 0];
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&picture, 32, 16, ColorType::Rgb8.into()).unwrap();
    bytes
}

#[test]
fn all_eight_orientations_stand_upright() {
    // EXIF 2.3, tag 0x0112: which sides of the scene the stored first row and first column are.
    let expected = [
        (1, [RED, GREEN, BLUE, WHITE]), // top, left
        (2, [GREEN, RED, WHITE, BLUE]), // top, right
        (3, [WHITE, BLUE, GREEN, RED]), // bottom, right
        (4, [BLUE, WHITE, RED, GREEN]), // bottom, left
        (5, [RED, BLUE, GREEN, WHITE]), // left, top
        (6, [BLUE, RED, WHITE, GREEN]), // right, top
        (7, [WHITE, GREEN, BLUE, RED]), // right, bottom
        (8, [GREEN, WHITE, RED, BLUE]), // left, bottom
    ];
    for (orientation, colours) in expected {
        let image = decode_image(&oriented_jpeg(orientation), "photo.jpg").unwrap();
        assert_eq!(quarters(&image), colours, "orientation {orientation}");
        assert_eq!((image.width, image.height), if orientation < 5 { (32, 16) } else { (16, 32) });
    }
    // Values outside the standard are no orientation.
    for orientation in [0, 9, 255] {
        assert_eq!(quarters(&decode_image(&oriented_jpeg(orientation), "photo.jpg").unwrap()), expected[0].1);
    }
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn grey_deep_and_transparent_pictures() {
    let grey = png(image::GrayImage::from_pixel(2, 1, Luma([7])));
    assert_eq!(decode_image(&grey, "grey").unwrap().pixels, [7; 6]);
    let deep = png(image::ImageBuffer::<Rgb<u16>, _>::from_pixel(1, 1, Rgb([65535, 32768, 255])));
    assert_eq!(decode_image(&deep, "deep").unwrap().pixels, [255, 128, 1]);
    let clear = png(image::RgbaImage::from_pixel(1, 1, image::Rgba([10, 20, 30, 0])));
    assert_eq!(decode_image(&clear, "clear").unwrap().pixels, [10, 20, 30]);
}

#[test]
fn a_file_cut_off_anywhere_is_truncated() {
    let photo = fs::read(fixture("photos/cat-000.jpg")).unwrap();
    for end in [photo.len() / 2, photo.len() * 9 / 10, photo.len() - 2] {
        let error = decode_image(&photo[..end], "cat.jpg").unwrap_err();
        assert_eq!(error.message(), "cat.jpg is truncated: the image ends before its last row");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    for name in ["kinds/palette.png", "kinds/lossless.webp", "kinds/animated.gif", "kinds/turned.tiff", "resize/97x61.png"] {
        let bytes = fs::read(fixture(name)).unwrap();
        let error = decode_image(&bytes[..bytes.len() / 2], name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}: {error}");
        assert!(error.message().starts_with(name), "{error}");
    }
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let mut bomb = png(image::GrayImage::from_pixel(1, 1, Luma([0])));
    // Width and height are the first fields of the header chunk, whose checksum covers them.
    bomb[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let checksum = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = decode_image(&bomb, "bomb.png").unwrap_err();
    assert!(error.message().contains("16384 x 16384 pixels"), "{error}");
    assert!(error.hint().unwrap().contains("decompression bomb"));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())))
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let mut empty = png(image::GrayImage::from_pixel(1, 1, Luma([0])));
    empty[16..24].fill(0);
    let checksum = crc32(&empty[12..29]);
    empty[29..33].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(decode_image(&empty, "empty.png").unwrap_err().kind(), ErrorKind::InvalidInput);
    let bmp = [b"BM".as_slice(), &[58, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40], &[0; 11], &[1, 0, 24, 0], &[0; 30]].concat();
    assert!(decode_image(&bmp, "empty.bmp").is_err());
}

#[test]
fn files_that_are_no_images_are_named() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    fs::write(path("empty.jpg"), b"").unwrap();
    fs::write(path("text.jpg"), b"this is not a photo").unwrap();
    fs::write(path("head.jpg"), [0xFF, 0xD8, 0xFF]).unwrap();
    fs::write(path("noise.png"), [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 100]].concat()).unwrap();

    let error = |name: &str| read_image(&path(name)).unwrap_err();
    for (name, kind, message) in [
        ("none.jpg", ErrorKind::NotFound, "cannot read"),
        ("", ErrorKind::InvalidInput, "is a directory, not an image"),
        ("empty.jpg", ErrorKind::InvalidInput, "is empty"),
        ("text.jpg", ErrorKind::InvalidInput, "is not an image: its content is none of JPEG, PNG"),
        ("head.jpg", ErrorKind::InvalidInput, "head.jpg is"),
        ("noise.png", ErrorKind::InvalidInput, "is damaged"),
    ] {
        let error = error(name);
        assert_eq!(error.kind(), kind, "{name}");
        assert!(error.message().contains(message), "{name}: {error}");
        assert!(error.message().contains(path(name).to_str().unwrap()), "{name}: {error}");
        assert_eq!(error.operation(), Some("read image"));
    }
}
