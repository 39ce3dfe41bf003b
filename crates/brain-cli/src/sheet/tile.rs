//! One tile: a photo made to fit, its frame and its caption.

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder as _, ImageReader, Rgb, RgbImage};

use super::{Part, Tile, font};

/// The side of the square that a photo is fitted into, its frame included, in pixels.
const SIDE: u32 = 144;

/// How thick the frame is.
const FRAME: u32 = 4;

/// Between the photo and the caption, and between the caption's lines, in pixels.
const LEADING: u32 = 4;

/// The size of a tile: the photo, and two lines of text below.
pub(super) const WIDTH: u32 = SIDE;
pub(super) const HEIGHT: u32 = SIDE + 2 * (LEADING + font::HEIGHT);

const INK: Rgb<u8> = Rgb([40, 40, 40]);
const EMPTY: Rgb<u8> = Rgb([225, 225, 222]);

pub(super) fn draw(tile: &Tile) -> RgbImage {
    let mut drawn = RgbImage::from_pixel(WIDTH, HEIGHT, super::PAPER);
    fill(&mut drawn, [0, 0, SIDE, SIDE], tile.frame.colour());
    fill(&mut drawn, [FRAME, FRAME, SIDE - 2 * FRAME, SIDE - 2 * FRAME], EMPTY);
    // A photo that cannot be read leaves its place empty; the caption still says which it was.
    if let Some(photo) = tile.photo.as_deref().and_then(open) {
        let shown = fitted(&photo, tile.part);
        let centred = |side: u32| i64::from((SIDE - side) / 2);
        imageops::replace(&mut drawn, &shown, centred(shown.width()), centred(shown.height()));
    }
    for (line, top) in tile.caption.iter().zip((SIDE + LEADING..).step_by((LEADING + font::HEIGHT) as usize)) {
        font::write(&mut drawn, line, 1, top, INK);
    }
    drawn
}

/// The photo, upright.
fn open(path: &Path) -> Option<DynamicImage> {
    let mut decoder = ImageReader::open(path).ok()?.with_guessed_format().ok()?.into_decoder().ok()?;
    let orientation = decoder.orientation().ok()?;
    let mut photo = DynamicImage::from_decoder(decoder).ok()?;
    photo.apply_orientation(orientation);
    Some(photo)
}

/// The part of the photo that is shown, as large as the frame allows.
fn fitted(photo: &DynamicImage, part: Part) -> RgbImage {
    let inside = SIDE - 2 * FRAME;
    let fit = |photo: &DynamicImage| photo.resize(inside, inside, FilterType::Triangle).to_rgb8();
    match part {
        Part::Whole => fit(photo),
        Part::Crop(sides) => {
            let [x, y, width, height] = pixels(sides, photo.width(), photo.height());
            fit(&photo.crop_imm(x, y, width, height))
        }
        Part::Boxed(sides) => {
            let mut shown = fit(photo);
            let sides = pixels(sides, shown.width(), shown.height());
            outline(&mut shown, sides, Rgb([255, 210, 0]));
            shown
        }
    }
}

/// A box in fractions as `[x, y, width, height]` in pixels, inside the photo and at least one pixel large.
fn pixels(sides: [f64; 4], width: u32, height: u32) -> [u32; 4] {
    // Casts from floats saturate, so that a wild box becomes a small one.
    let span = |start: f64, length: f64, whole: u32| {
        let from = ((start * f64::from(whole)).round() as u32).min(whole.saturating_sub(1));
        let to = (((start + length) * f64::from(whole)).round() as u32).clamp(from + 1, whole.max(from + 1));
        (from, to - from)
    };
    let ((x, width), (y, height)) = (span(sides[0], sides[2], width), span(sides[1], sides[3], height));
    [x, y, width, height]
}

fn outline(photo: &mut RgbImage, [x, y, width, height]: [u32; 4], colour: Rgb<u8>) {
    let thick = 2.min(width).min(height);
    fill(photo, [x, y, width, thick], colour);
    fill(photo, [x, y + height - thick, width, thick], colour);
    fill(photo, [x, y, thick, height], colour);
    fill(photo, [x + width - thick, y, thick, height], colour);
}

fn fill(picture: &mut RgbImage, [x, y, width, height]: [u32; 4], colour: Rgb<u8>) {
    for row in y..(y + height).min(picture.height()) {
        for column in x..(x + width).min(picture.width()) {
            picture.put_pixel(column, row, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_stay_inside_the_photo() {
        assert_eq!(pixels([0.25, 0.5, 0.5, 0.25], 100, 40), [25, 20, 50, 10]);
        assert_eq!(pixels([0.9, -0.5, 0.5, 2.0], 10, 10), [9, 0, 1, 10]);
        assert_eq!(pixels([2.0, 2.0, 0.0, 0.0], 10, 10), [9, 9, 1, 1]);
        assert_eq!(pixels([f64::NAN; 4], 10, 10), [0, 0, 1, 1]);
    }

    #[test]
    fn a_crop_fills_the_frame_and_a_box_is_drawn_in() {
        let mut photo = RgbImage::from_pixel(100, 100, Rgb([10, 10, 10]));
        fill(&mut photo, [0, 0, 50, 100], Rgb([200, 0, 0]));
        let photo = DynamicImage::from(photo);
        let crop = fitted(&photo, Part::Crop([0.0, 0.0, 0.5, 0.5]));
        assert!(crop.pixels().all(|pixel| pixel.0 == [200, 0, 0]));
        let boxed = fitted(&photo, Part::Boxed([0.5, 0.5, 0.5, 0.5]));
        assert_eq!(boxed.get_pixel(boxed.width() - 1, boxed.height() - 1).0, [255, 210, 0]);
        assert_eq!(boxed.get_pixel(2, 2).0, [200, 0, 0]);
    }
}
