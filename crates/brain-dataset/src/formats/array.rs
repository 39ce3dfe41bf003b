//! FiftyOne's stored arrays: `.npy` bytes, zlib-compressed, in base64.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::MAX_RECORD_BYTES;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The numbers of a one-dimensional array; `None` when the array has another number of dimensions or holds no numbers.
///
/// Whole numbers, `f2`, `f4` and `f8` are taken; each becomes an `f32`.
///
/// # Errors
/// A sentence, when the text is no array at all.
pub(super) fn decode(base64: &str) -> Result<Option<Vec<f32>>, String> {
    let packed = STANDARD.decode(base64).map_err(|error| format!("its base64 is broken: {error}"))?;
    let mut npy = Vec::new();
    // The limit keeps a few bytes of zlib from filling the memory.
    let read = ZlibDecoder::new(packed.as_slice()).take(MAX_RECORD_BYTES as u64 + 1).read_to_end(&mut npy);
    read.map_err(|error| format!("its zlib data are broken: {error}"))?;
    if npy.len() > MAX_RECORD_BYTES {
        return Err(format!("it unpacks to more than {} MiB", MAX_RECORD_BYTES >> 20));
    }
    parse(&npy)
}

/// A vector as FiftyOne stores it: `<f4`, one-dimensional.
pub(super) fn encode(vector: &[f32]) -> std::io::Result<String> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", vector.len()).into_bytes();
    // Magic, version, length and header together fill whole blocks of 64 bytes, the last of them a line end, as NumPy asks.
    let block = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64);
    header.resize(block - MAGIC.len() - 4 - 1, b' ');
    header.push(b'\n');
    let length = u16::try_from(header.len()).map_err(std::io::Error::other)?;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(MAGIC)?;
    zlib.write_all(&[1, 0])?;
    zlib.write_all(&length.to_le_bytes())?;
    zlib.write_all(&header)?;
    for number in vector {
        zlib.write_all(&number.to_le_bytes())?;
    }
    Ok(STANDARD.encode(zlib.finish()?))
}

fn parse(npy: &[u8]) -> Result<Option<Vec<f32>>, String> {
    let cut = || "its NumPy header is cut off".to_owned();
    let rest = npy.strip_prefix(MAGIC).ok_or("it does not start as a NumPy array does")?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk::<2>().map(|(length, rest)| (usize::from(u16::from_le_bytes(*length)), rest)),
        _ => rest.split_first_chunk::<4>().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
    }
    .ok_or_else(cut)?;
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| "its NumPy header is no text".to_owned())?;
    let kind = entry(header, "descr").ok_or_else(|| format!("its NumPy header names no type: {header:?}"))?;
    let shape = entry(header, "shape").ok_or_else(|| format!("its NumPy header names no shape: {header:?}"))?;
    let mut sizes = shape.trim_matches(['(', ')']).split(',').map(str::trim).filter(|size| !size.is_empty());
    let (Some(size), None) = (sizes.next(), sizes.next()) else {
        return Ok(None);
    };
    let size: usize = size.parse().map_err(|_| format!("its NumPy shape {shape:?} is no shape"))?;
    let Some((stride, number)) = number(kind.trim_matches(['\'', '"'])) else {
        return Ok(None);
    };
    if size.checked_mul(stride) != Some(data.len()) {
        return Err(format!("its NumPy header announces {size} numbers of {stride} bytes, but {} bytes follow", data.len()));
    }
    Ok(Some(data.chunks_exact(stride).map(number).collect()))
}

/// The text of one value of a NumPy header, a Python dictionary of three known keys.
fn entry<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(key)?;
    let value = rest.split_once(':')?.1.trim_start();
    let end = if value.starts_with('(') { value.find(')')? + 1 } else { value.find([',', '}'])? };
    Some(value[..end].trim_end())
}

type Number = fn(&[u8]) -> f32;

/// How many bytes a number of this type has and how to read it. A chunk always has that many, so its conversion cannot fail.
fn number(kind: &str) -> Option<(usize, Number)> {
    macro_rules! little_endian {
        ($type:ty, $convert:expr) => {
            (size_of::<$type>(), |bytes| bytes.try_into().map_or(f32::NAN, |bytes| $convert(<$type>::from_le_bytes(bytes))))
        };
    }
    Some(match kind {
        "<f4" => little_endian!(f32, |x| x),
        "<f8" => little_endian!(f64, |x| x as f32),
        "<f2" => little_endian!(half::f16, half::f16::to_f32),
        "|i1" => little_endian!(i8, f32::from),
        "|u1" => little_endian!(u8, f32::from),
        "<i2" => little_endian!(i16, f32::from),
        "<u2" => little_endian!(u16, f32::from),
        "<i4" => little_endian!(i32, |x| x as f32),
        "<u4" => little_endian!(u32, |x| x as f32),
        "<i8" => little_endian!(i64, |x| x as f32),
        "<u8" => little_endian!(u64, |x| x as f32),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_encoded_is_decoded(vector in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::ZERO, 0..100)) {
            prop_assert_eq!(decode(&encode(&vector).unwrap()), Ok(Some(vector)));
        }
    }

    fn pack(bytes: &[u8]) -> String {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(bytes).unwrap();
        STANDARD.encode(zlib.finish().unwrap())
    }

    fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn a_vector_made_by_fiftyone() {
        let made = "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBuk2airqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RomOpo6CrUKFAAuBjBosAcSDkDkAAASIBza";
        assert_eq!(decode(made), Ok(Some(vec![0.0, 1.0, 2.0, 3.0])));
    }

    #[test]
    fn other_types_become_f32_and_other_shapes_are_left() {
        assert_eq!(parse(&npy("<f8", "(1,)", &0.5_f64.to_le_bytes())), Ok(Some(vec![0.5])));
        assert_eq!(parse(&npy("<f2", "(1,)", &[0, 0xc0])), Ok(Some(vec![-2.0])));
        assert_eq!(parse(&npy("<i8", "(1,)", &(-7_i64).to_le_bytes())), Ok(Some(vec![-7.0])));
        assert_eq!(parse(&npy("|u1", "(2, 1)", &[1, 2])), Ok(None));
        assert_eq!(parse(&npy("|b1", "(1,)", &[1])), Ok(None));
    }

    #[test]
    fn what_is_broken_says_how() {
        let message = |text: &str| decode(text).unwrap_err();
        assert!(message("%%").contains("base64"));
        assert!(message("AAAA").contains("zlib"));
        assert!(message(&pack(b"hello")).contains("does not start as a NumPy array"));
        assert!(message(&pack(&npy("<f4", "(3,)", &[0; 8]))).contains("announces 3 numbers of 4 bytes, but 8 bytes follow"));
        assert!(message(&pack(&vec![0; MAX_RECORD_BYTES + 1])).contains("64 MiB"));
    }
}
