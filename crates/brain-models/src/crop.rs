//! Cutting patches out of pictures, as FiftyOne does.

use brain_core::{Error, Result, RgbImage};

/// How a label's box becomes the patch that is embedded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PatchShape {
    /// Make the patch square, changing the box as little as possible: the shorter side grows about the centre; a box at the edge
    /// slides inwards; a side that would not fit into the picture is cut to it.
    pub force_square: bool,
    /// How much larger (above 0) or smaller (below 0) the box is made about its centre, as a fraction of each side: 0.1 makes it
    /// 10 % wider and higher. At least -1.
    pub alpha: f64,
}

impl PatchShape {
    /// Checks `alpha`.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) when it is below -1, infinite or not a number.
    pub fn validate(&self) -> Result<()> {
        if self.alpha.is_finite() && self.alpha >= -1.0 {
            return Ok(());
        }
        Err(Error::invalid(format!("alpha is {}, but a box can only be expanded by a number of at least -1", self.alpha))
            .with_hint("0.1 expands boxes by 10 %, -0.1 contracts them"))
    }
}

/// Where a patch lies in a picture, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// The patch of `image` in `bounding_box`, `[x, y, w, h]` in fractions of the picture from its top left corner.
///
/// The box is expanded by `shape.alpha`, clipped to the picture, brought to whole pixels (at least one), and squared if asked.
///
/// # Errors
/// [`InvalidInput`](brain_core::ErrorKind::InvalidInput), naming the box, when it has no area, lies outside the picture or holds
/// something that is not a number, and when `shape` is not valid.
pub fn crop(image: &RgbImage, bounding_box: [f64; 4], shape: PatchShape) -> Result<RgbImage> {
    let Window { left, top, width, height } = window(bounding_box, shape, image.width, image.height)?;
    let (stride, row) = (image.width as usize * 3, width as usize * 3);
    let mut pixels = Vec::with_capacity(row * height as usize);
    for line in image.pixels.chunks_exact(stride).skip(top as usize).take(height as usize) {
        pixels.extend_from_slice(&line[left as usize * 3..][..row]);
    }
    Ok(RgbImage { width, height, pixels })
}

fn window(bounding_box: [f64; 4], shape: PatchShape, width: u32, height: u32) -> Result<Window> {
    shape.validate()?;
    let [x, y, w, h] = bounding_box;
    let refuse = |what: &str| Err(Error::invalid(format!("the box [{x}, {y}, {w}, {h}] {what}")));
    if !bounding_box.iter().all(|side| side.is_finite()) {
        return refuse("holds a value that is not a finite number");
    }
    if w <= 0.0 || h <= 0.0 {
        return refuse("has no area");
    }
    if x >= 1.0 || y >= 1.0 || x + w <= 0.0 || y + h <= 0.0 || width == 0 || height == 0 {
        return refuse("lies outside its picture");
    }
    let (left, right) = span(x, w, shape.alpha, width);
    let (top, bottom) = span(y, h, shape.alpha, height);
    if !shape.force_square {
        return Ok(Window { left, top, width: right - left, height: bottom - top });
    }
    let side = (right - left).max(bottom - top).min(width).min(height);
    Ok(Window { left: centred(left, right, side, width), top: centred(top, bottom, side, height), width: side, height: side })
}

/// The pixels `start..end` of one side of a box within a picture `limit` pixels long.
fn span(start: f64, length: f64, alpha: f64, limit: u32) -> (u32, u32) {
    // A box that was made from whole pixels must give them back: 0.1 + 0.2 is a little more than 0.3, 0.29 * 100 a little less than 29.
    const ROUNDING: f64 = 1e-6;
    let pad = 0.5 * alpha * length;
    let pixel = |at: f64| (at.clamp(0.0, 1.0) * f64::from(limit) + ROUNDING).floor() as u32;
    let first = pixel(start - pad).min(limit - 1);
    let end = pixel(start + length + pad).clamp(first + 1, limit);
    (first, end)
}

/// Where `start..end` begins when it is brought to `side` pixels about its centre, inside a picture `limit` pixels long.
fn centred(start: u32, end: u32, side: u32, limit: u32) -> u32 {
    let growth = i64::from(side) - i64::from(end - start);
    // Between 0 and `limit - side`, so it fits.
    (i64::from(start) - growth / 2).clamp(0, i64::from(limit - side)) as u32
}

#[cfg(test)]
#[path = "crop_tests.rs"]
mod tests;
