//! What is done to a picture before a vision model sees it.

use brain_core::{Error, PreparedImage, Result, RgbImage};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::manifest::{ImageTower, Interpolation, Layout, Resize};

/// Resize, centre crop and normalisation, as a manifest says.
///
/// The picture is resized (its short side to `size / crop` pixels, or both sides, whatever its shape), the middle `size` x `size` pixels are
/// kept, each value becomes `(value - mean) / std`, and the three channels are laid out one plane after another or pixel by pixel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preprocessing {
    size: u32,
    crop: f64,
    resize: Resize,
    filter: FilterType,
    /// How many source pixels the filter reaches to each side when nothing shrinks.
    support: f64,
    layout: Layout,
    /// What each of the 256 values of a channel becomes.
    values: [[f32; 256]; 3],
}

impl Preprocessing {
    /// The steps of an image tower.
    pub(crate) fn of(tower: &ImageTower) -> Self {
        let (filter, support) = match tower.interpolation {
            // Pillow's BICUBIC has the coefficient of Catmull and Rom.
            Interpolation::Bicubic => (FilterType::CatmullRom, 2.0),
            Interpolation::Bilinear => (FilterType::Bilinear, 1.0),
            Interpolation::Lanczos => (FilterType::Lanczos3, 3.0),
        };
        let scaled = |channel: usize, value: usize| {
            let (mean, std) = (tower.mean[channel], tower.std[channel]);
            ((value as f64 * tower.range / 255.0 - mean) / std) as f32
        };
        let values = std::array::from_fn(|channel| std::array::from_fn(|value| scaled(channel, value)));
        Self { size: tower.size, crop: tower.crop, resize: tower.resize, filter, support, layout: tower.layout, values }
    }

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

    /// The shape of one prepared picture, as a batch of one.
    pub(crate) fn shape(&self) -> [usize; 4] {
        let size = self.size as usize;
        match self.layout {
            Layout::Nchw => [1, 3, size, size],
            Layout::Nhwc => [1, size, size, 3],
        }
    }

    /// The middle of the resized picture. Only that part is computed, so that a long panorama costs no more than a square.
    ///
    /// Columns first, then rows, each rounded to 8 bits: Pillow's order. The resizer's own (rows first) gives values that differ by one here
    /// and there, and a small network turns that into a cosine of 0.998 to the embeddings that others have of the same picture.
    fn resize(&self, image: &RgbImage) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let short = image.width.min(image.height);
        let (left, width) = self.kept(image.width, short);
        let (top, height) = self.kept(image.height, short);
        // The rows that the kept part is made from: the filter reaches further where the picture shrinks.
        let reach = self.support * (height / f64::from(self.size)).max(1.0) + 1.0;
        let first = (top - reach).floor().max(0.0);
        let rows = (top + height + reach).ceil().min(f64::from(image.height)) - first;

        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(self.filter));
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
        let resized = match self.resize {
            Resize::ShortSide => (short_resized * f64::from(length) / f64::from(short)).floor(),
            Resize::Squash => short_resized,
        };
        let scale = f64::from(length) / resized;
        let offset = ((resized - f64::from(self.size)) / 2.0).round_ties_even();
        (offset * scale, f64::from(self.size) * scale)
    }

    fn normalise(&self, square: &[u8]) -> Vec<f32> {
        let [reds, greens, blues] = &self.values;
        let scaled = |pixel: &[u8]| [reds[usize::from(pixel[0])], greens[usize::from(pixel[1])], blues[usize::from(pixel[2])]];
        if self.layout == Layout::Nhwc {
            return square.chunks_exact(3).flat_map(scaled).collect();
        }
        let plane = self.size as usize * self.size as usize;
        let mut planes = vec![0.0; 3 * plane];
        let (red, rest) = planes.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        for (((pixel, red), green), blue) in square.chunks_exact(3).zip(red).zip(green).zip(blue) {
            [*red, *green, *blue] = scaled(pixel);
        }
        planes
    }
}

#[cfg(test)]
#[path = "preprocess_tests.rs"]
mod tests;
