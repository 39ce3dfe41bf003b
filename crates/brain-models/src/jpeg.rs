//! JPEG files, decoded by libjpeg.
//!
//! *Why a C library:* Pillow and OpenCV decode with libjpeg-turbo, so the embeddings that models and their users are compared with come from its
//! pixels. Decoders that round the enlarged colour planes otherwise differ from it by up to four levels, which moves a photo's embedding to a cosine
//! of 0.99. With libjpeg the pixels are the same to the bit. It builds with the C compiler that SQLite needs anyway.

use brain_core::{Error, Result, RgbImage};
use mozjpeg::{ColorSpace, Decompress};

/// The pixels of a whole JPEG file whose size was looked at before; `None` for four-colour files, which libjpeg does not turn into RGB.
pub(crate) fn decode(bytes: &[u8], name: &str) -> Result<Option<RgbImage>> {
    let damaged = |source: std::io::Error| Error::invalid(format!("{name} is damaged: {source}")).with_source(source);
    let decoder = Decompress::new_mem(bytes).map_err(damaged)?;
    if matches!(decoder.color_space(), ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK) {
        return Ok(None);
    }
    let mut rows = decoder.rgb().map_err(damaged)?;
    let (width, height) = (rows.width() as u32, rows.height() as u32);
    let pixels = rows.read_scanlines::<u8>().map_err(damaged)?;
    rows.finish().map_err(damaged)?;
    Ok(Some(RgbImage { width, height, pixels }))
}

/// Whether the stream reaches its end-of-image marker.
///
/// JPEG decoders fill what is missing with grey and call it a picture; a photo cut off half way must not be embedded as if it were whole.
/// The segments are walked (ITU T.81, annex B), because a thumbnail inside an EXIF block has an end marker of its own.
pub(crate) fn is_complete(bytes: &[u8]) -> bool {
    const START_OF_IMAGE: u8 = 0xD8;
    const END_OF_IMAGE: u8 = 0xD9;
    let mut at = 0;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            END_OF_IMAGE => return true,
            START_OF_IMAGE => {}
            // All other markers that `next_marker` stops at lead a segment that says how long it is, itself included.
            _ => match bytes.get(at..at + 2) {
                Some(&[high, low]) => at += usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
        }
    }
    false
}

/// Moves past the next marker, over entropy-coded data, stuffed zeros, restart markers and fill bytes.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    const STUFFED: u8 = 0x00;
    const TEMPORARY: u8 = 0x01;
    loop {
        *at += bytes.get(*at..)?.iter().position(|&byte| byte == 0xFF)? + 1;
        match *bytes.get(*at)? {
            STUFFED | TEMPORARY | 0xD0..=0xD7 => *at += 1,
            0xFF => {}
            marker => {
                *at += 1;
                return Some(marker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    /// Start, a segment that holds a whole thumbnail's end marker, a scan with a stuffed zero and a restart marker.
    const HEAD: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 1, 2, 0xFF, 0xDA, 0, 3, 7, 9, 0xFF, 0x00, 9, 0xFF, 0xD0, 9];

    #[test]
    fn the_end_marker_of_the_image_itself_counts() {
        let whole = [HEAD, &[0xFF, 0xFF, 0xD9]].concat();
        assert!(is_complete(&whole));
        assert!(is_complete(&[&whole[..], b"trailing"].concat()));
        for end in 0..whole.len() - 1 {
            assert!(!is_complete(&whole[..end]), "cut after {end} bytes");
        }
    }
}
