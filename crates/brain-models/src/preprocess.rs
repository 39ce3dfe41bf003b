//! What is done to a picture before a vision model sees it.

use brain_core::{Error, PreparedImage, Result, RgbImage};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// Resize, centre crop and normalisation.
///
/// The short side is brought to `size / crop` pixels by bicubic convolution (Catmull-Rom, which is Pillow's `BICUBIC`), the middle
/// `size` x `size` pixels are kept, each becomes `(value - mean) / deviation`, and the three channels are laid out one plane after another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Preprocessing {
    /// Pixels a side that the model takes.
    pub(crate) size: u32,
    /// How much of the short side is kept, above 0, at most 1.
    pub(crate) crop: f64,
    /// Subtracted from each value, on the scale of 0 to 255.
    pub(crate) mean: f32,
    /// Divides each value after that.
    pub(crate) deviation: f32,
}

impl Preprocessing {
    /// `3 * size * size` numbers.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a picture without pixels, or with another number than its sides say.
    pub(crate) fn apply(&self, image: &RgbImage) -> Result<PreparedImage> {
        if image.width == 0 || image.height == 0 {
            return Err(Error::invalid(format!("a picture of {} x {} pixels has nothing to embed", image.width, image.height)));
        }
        let square = self.resize(image).map_err(|error| {
            Error::invalid(format!("a picture of {} x {} pixels cannot be resized: {error}", image.width, image.height)).with_source(error)
        })?;
        Ok(PreparedImage(self.normalise(&square)))
    }

    /// The middle of the resized picture. Only that part is computed, so that a long panorama costs no more than a square.
    ///
    /// Columns first, then rows, each rounded to 8 bits: Pillow's order. The resizer's own (rows first) gives values that differ by one here
    /// and there, and a small network turns that into a cosine of 0.998 to the embeddings that others have of the same picture.
    fn resize(&self, image: &RgbImage) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let short = image.width.min(image.height);
        let (left, width) = self.kept(image.width, short);
        let (top, height) = self.kept(image.height, short);
        // The rows that the kept part is made from: bicubic reaches two pixels of the coarser picture to each side.
        let reach = 2.0 * (height / f64::from(self.size)).max(1.0) + 1.0;
        let first = (top - reach).floor().max(0.0);
        let rows = (top + height + reach).ceil().min(f64::from(image.height)) - first;

        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
        let mut resizer = Resizer::new();
        let source = ImageRef::new(image.width, image.height, &image.pixels, PixelType::U8x3)?;
        // Whole numbers of at most the picture's height.
        let mut narrow = Image::new(self.size, rows as u32, PixelType::U8x3);
        resizer.resize(&source, &mut narrow, &options.crop(left, first, width, rows))?;
        let mut square = Image::new(self.size, self.size, PixelType::U8x3);
        resizer.resize(&narrow, &mut square, &options.crop(0.0, top - first, f64::from(self.size), height))?;
        Ok(square.into_vec())
    }

    /// Where along a side of `length` pixels the kept part begins, and how long it is, in pixels of the picture as it came.
    fn kept(&self, length: u32, short: u32) -> (f64, f64) {
        let short_resized = (f64::from(self.size) / self.crop).round();
        // Whole pixels of the resized picture, as a resize followed by a crop would have them.
        let resized = (short_resized * f64::from(length) / f64::from(short)).floor();
        let scale = f64::from(length) / resized;
        let offset = ((resized - f64::from(self.size)) / 2.0).round_ties_even();
        (offset * scale, f64::from(self.size) * scale)
    }

    fn normalise(&self, square: &[u8]) -> Vec<f32> {
        let plane = self.size as usize * self.size as usize;
        let mut planes = vec![0.0; 3 * plane];
        let (red, rest) = planes.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let scaled = |value: u8| (f32::from(value) - self.mean) / self.deviation;
        for (((pixel, red), green), blue) in square.chunks_exact(3).zip(red).zip(green).zip(blue) {
            (*red, *green, *blue) = (scaled(pixel[0]), scaled(pixel[1]), scaled(pixel[2]));
        }
        planes
    }
}

#[cfg(test)]
#[path = "preprocess_tests.rs"]
mod tests;
