//! What is done to a picture before a vision model sees it.

use brain_core::{Error, PreparedImage, Result, RgbImage};

use crate::manifest::{ImageTower, Interpolation, Layout, Resize};
use crate::resize::{Filter, Side, resize};

/// Resize, centre crop and normalisation, as a manifest says.
///
/// The picture is resized (its short side to `size / crop` pixels, or both sides, whatever its shape), the middle `size` x `size` pixels are
/// kept, each value becomes `(value - mean) / std`, and the three channels are laid out one plane after another or pixel by pixel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preprocessing {
    size: u32,
    crop: f64,
    resize: Resize,
    filter: Filter,
    layout: Layout,
    /// What each of the 256 values of a channel becomes.
    values: [[f32; 256]; 3],
}

impl Preprocessing {
    /// The steps of an image tower.
    pub(crate) fn of(tower: &ImageTower) -> Self {
        let filter = match tower.interpolation {
            Interpolation::Bicubic => Filter::Bicubic,
            Interpolation::Bilinear => Filter::Bilinear,
            Interpolation::Lanczos => Filter::Lanczos,
        };
        let scaled = |channel: usize, value: usize| {
            let (mean, std) = (tower.mean[channel], tower.std[channel]);
            ((value as f64 * tower.range / 255.0 - mean) / std) as f32
        };
        let values = std::array::from_fn(|channel| std::array::from_fn(|value| scaled(channel, value)));
        Self { size: tower.size, crop: tower.crop, resize: tower.resize, filter, layout: tower.layout, values }
    }

    /// `3 * size * size` numbers.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a picture without pixels, or with another number than its sides say.
    pub(crate) fn apply(&self, image: &RgbImage) -> Result<PreparedImage> {
        if image.width == 0 || image.height == 0 {
            return Err(Error::invalid(format!("a picture of {} x {} pixels has nothing to embed", image.width, image.height)));
        }
        let there = image.pixels.len();
        if there as u64 != 3 * u64::from(image.width) * u64::from(image.height) {
            return Err(Error::invalid(format!("a picture of {} x {} pixels has {there} bytes instead of three a pixel", image.width, image.height)));
        }
        Ok(PreparedImage(self.normalise(&self.square(image))))
    }

    /// The shape of one prepared picture, as a batch of one.
    pub(crate) fn shape(&self) -> [usize; 4] {
        let size = self.size as usize;
        match self.layout {
            Layout::Nchw => [1, 3, size, size],
            Layout::Nhwc => [1, size, size, 3],
        }
    }

    /// The middle of the resized picture.
    fn square(&self, image: &RgbImage) -> Vec<u8> {
        let short = image.width.min(image.height);
        resize(&image.pixels, self.filter, &self.side(image.width, short), &self.side(image.height, short))
    }

    /// What becomes of a side, and which part of it is kept: whole pixels of the resized picture, as a resize followed by a crop has them.
    fn side(&self, length: u32, short: u32) -> Side {
        let short_resized = (f64::from(self.size) / self.crop).round();
        let resized = match self.resize {
            Resize::ShortSide => (short_resized * f64::from(length) / f64::from(short)).floor(),
            Resize::Squash => short_resized,
        };
        let offset = ((resized - f64::from(self.size)) / 2.0).round_ties_even() as u64;
        Side { length, resized: resized as u64, kept: offset..offset + u64::from(self.size) }
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
