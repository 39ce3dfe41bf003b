//! From a file to upright 8-bit RGB, with every way a file can be wrong named.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use brain_core::{Error, Result, RgbImage};
use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::jpeg;

/// The most pixels a picture may have: Pillow's limit for a decompression bomb, about 13,400 x 13,400.
pub const MAX_PIXELS: u64 = 178_956_970;

/// The most bytes an image file may have.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// The most memory one decoder may ask for: the largest allowed picture at 16 bits a channel with alpha fits.
const MAX_DECODER_BYTES: u64 = 2 << 30;

const FORMATS: &str = "JPEG, PNG, GIF, BMP, TIFF or WebP";

/// Reads the picture in a file: upright by its EXIF orientation, 8 bits a channel, RGB.
///
/// The format is told by the content, whatever the file is called. Grey and palette pictures become RGB, 16-bit channels are
/// scaled to 8, alpha is dropped without blending (as Pillow's `convert("RGB")` does), of an animation the first frame counts.
///
/// # Errors
/// Each names the file. [`NotFound`](brain_core::ErrorKind::NotFound) when there is none;
/// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a directory, an empty or truncated file, anything that is not an image,
/// and a picture of more than [`MAX_PIXELS`].
pub fn read_image(path: &Path) -> Result<RgbImage> {
    read_image_in(path, || ())
}

/// As [`read_image`], with what `turn` gives held from when the file has been read until the picture is decoded.
pub(crate) fn read_image_in<T>(path: &Path, turn: impl FnOnce() -> T) -> Result<RgbImage> {
    let decoded = read_file(path).and_then(|bytes| {
        let _turn = turn();
        decode_image(&bytes, &path.display().to_string())
    });
    decoded.map_err(|error| error.with_operation("read image"))
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
    if metadata.is_dir() {
        return Err(Error::invalid(format!("{} is a directory, not an image", path.display())));
    }
    if !metadata.is_file() {
        // Reading a pipe or a device could wait for ever.
        return Err(Error::invalid(format!("{} is not a regular file", path.display())));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(Error::invalid(format!("{} has {} bytes; an image may have {MAX_FILE_BYTES}", path.display(), metadata.len())));
    }
    std::fs::read(path).map_err(|error| Error::io("read", path, error))
}

/// Decodes the bytes of an image file as [`read_image`] does; `name` is what errors call it.
///
/// # Errors
/// As [`read_image`], but for those of the file system.
pub fn decode_image(bytes: &[u8], name: &str) -> Result<RgbImage> {
    // Decoders are other people's code over hostile bytes: one that panics costs one picture, not the run.
    catch_unwind(AssertUnwindSafe(|| decode(bytes, name))).unwrap_or_else(|_| Err(Error::invalid(format!("{name} is damaged: its decoder gave up"))))
}

fn decode(bytes: &[u8], name: &str) -> Result<RgbImage> {
    if bytes.is_empty() {
        return Err(Error::invalid(format!("{name} is empty")));
    }
    let Ok(mut reader) = ImageReader::new(Cursor::new(bytes)).with_guessed_format() else {
        return Err(not_an_image(name));
    };
    let Some(format) = reader.format() else {
        return Err(not_an_image(name));
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| explain(error, name))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Error::invalid(format!("{name} is a picture of {width} x {height} pixels: there is nothing to see")));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Error::invalid(format!("{name} says it has {width} x {height} pixels, more than the {MAX_PIXELS} allowed"))
            .with_hint("scale the picture down first; a small file that unfolds to such a size is a decompression bomb"));
    }
    // A broken EXIF block leaves the picture as it was stored, as viewers do.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::ImageRgb8(pixels(bytes, name, format, decoder)?);
    picture.apply_orientation(orientation);
    Ok(RgbImage { width: picture.width(), height: picture.height(), pixels: picture.into_bytes() })
}

fn pixels(bytes: &[u8], name: &str, format: ImageFormat, decoder: impl ImageDecoder) -> Result<image::RgbImage> {
    if format == ImageFormat::Jpeg {
        if !jpeg::is_complete(bytes) {
            return Err(truncated(name));
        }
        if let Some(RgbImage { width, height, pixels }) = jpeg::decode(bytes, name)? {
            return image::RgbImage::from_raw(width, height, pixels).ok_or_else(|| Error::invalid(format!("{name} is damaged: rows are missing")));
        }
    }
    Ok(DynamicImage::from_decoder(decoder).map_err(|error| explain(error, name))?.into_rgb8())
}

fn not_an_image(name: &str) -> Error {
    Error::invalid(format!("{name} is not an image: its content is none of {FORMATS}"))
}

fn truncated(name: &str) -> Error {
    Error::invalid(format!("{name} is truncated: the image ends before its last row")).with_hint("copy or download the file again")
}

/// What a decoder's error means for the file called `name`.
fn explain(error: ImageError, name: &str) -> Error {
    let message = match &error {
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => return truncated(name).with_source(error),
        ImageError::Limits(_) => format!("{name} would need more than {MAX_DECODER_BYTES} bytes of memory: {error}"),
        ImageError::Unsupported(_) => format!("{name} uses a kind of image that is not read here: {error}"),
        _ => format!("{name} is damaged: {error}"),
    };
    Error::invalid(message).with_source(error)
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
