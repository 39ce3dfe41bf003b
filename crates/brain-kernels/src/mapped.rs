//! The published part of an append-only file, read through the page cache without a copy.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use half::f16;
use memmap2::{Mmap, MmapOptions};

use crate::rows::Rows;

/// The first bytes of a file, mapped for reading.
///
/// # What the file must be
/// The mapping is sound as long as nobody changes or cuts off the mapped bytes. That holds for files that are only appended to: the mapping covers
/// the length that was published when it was made, and published bytes are never rewritten and never truncated. Bytes may be appended behind it,
/// and the file may be unlinked: the mapping keeps it alive. Somebody who cuts such a file short by hand makes the system end the process
/// (SIGBUS) when the lost part is read; no mapping can guard against that.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("mapped-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("numbers");
/// use brain_kernels::MappedFile;
/// std::fs::write(&path, [0, 0, 128, 63, 7])?; // 1.0, and one byte that is not published yet
/// let file = MappedFile::open(&path, 4)?;
/// assert_eq!(file.as_f32s(), Some([1.0].as_slice()));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MappedFile {
    /// `None` for no bytes: systems refuse an empty mapping.
    map: Option<Mmap>,
}

impl MappedFile {
    /// Maps the first `length` bytes of the file at `path`.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the file is shorter; what opening and mapping may say.
    pub fn open(path: &Path, length: u64) -> io::Result<Self> {
        let file = File::open(path)?;
        let found = file.metadata()?.len();
        if found < length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{found} bytes where {length} were published")));
        }
        let length = usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        if length == 0 {
            return Ok(Self { map: None });
        }
        // SAFETY: the bytes up to `length` are published: they exist, and are never rewritten or truncated (see the type's documentation).
        let map = unsafe { MmapOptions::new().len(length).map(&file)? };
        Ok(Self { map: Some(map) })
    }

    /// The bytes as numbers of the machine's own byte order; `None` where they are no whole count of them.
    pub fn as_f32s(&self) -> Option<&[f32]> {
        // SAFETY: every pattern of four bytes is an f32, and `align_to` checks the alignment.
        let (before, numbers, after) = unsafe { self.align_to::<f32>() };
        (before.is_empty() && after.is_empty()).then_some(numbers)
    }

    /// The bytes as half-precision numbers of the machine's own byte order; `None` where they are no whole count of them.
    pub fn as_f16s(&self) -> Option<&[f16]> {
        // SAFETY: every pattern of two bytes is an f16, and `align_to` checks the alignment.
        let (before, numbers, after) = unsafe { self.align_to::<f16>() };
        (before.is_empty() && after.is_empty()).then_some(numbers)
    }

    /// The bytes as unsigned integers of the machine's own byte order; `None` where they are no whole count of them.
    pub fn as_u32s(&self) -> Option<&[u32]> {
        // SAFETY: every pattern of four bytes is a u32, and `align_to` checks the alignment.
        let (before, numbers, after) = unsafe { self.align_to::<u32>() };
        (before.is_empty() && after.is_empty()).then_some(numbers)
    }
}

impl<'a> Rows<'a> {
    /// The numbers' bytes, in the machine's own byte order, as a [`MappedFile`] reads them back.
    pub fn as_bytes(&self) -> &'a [u8] {
        match *self {
            // SAFETY: an f32 is four bytes without padding, and any byte is a u8.
            Self::Single(numbers) => unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) },
            // SAFETY: an f16 is two bytes without padding, and any byte is a u8.
            Self::Half(numbers) => unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) },
        }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_short_is_refused_and_a_longer_one_is_cut() {
        let path = std::env::temp_dir().join(format!("brain-mapped-{}", std::process::id()));
        std::fs::write(&path, [1, 0, 0, 0, 2, 0, 0, 0, 9]).unwrap();
        assert_eq!(MappedFile::open(&path, 10).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(MappedFile::open(&path, 8).unwrap().as_u32s(), Some([1_u32.to_le(), 2_u32.to_le()].as_slice()));
        assert_eq!(MappedFile::open(&path, 9).unwrap().as_u32s(), None);
        assert_eq!(MappedFile::open(&path, 0).unwrap().as_f32s(), Some([].as_slice()));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        let numbers = [1.5_f32, -0.0, f32::MAX];
        assert_eq!(Rows::Single(&numbers).as_bytes(), numbers.map(f32::to_ne_bytes).as_flattened());
        let halves = [f16::ONE, f16::MIN];
        assert_eq!(Rows::Half(&halves).as_bytes(), halves.map(f16::to_ne_bytes).as_flattened());
    }

    #[test]
    fn an_unlinked_file_stays_readable() {
        let path = std::env::temp_dir().join(format!("brain-unlinked-{}", std::process::id()));
        std::fs::write(&path, [7; 8192]).unwrap();
        let file = MappedFile::open(&path, 8192).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(file.iter().all(|&byte| byte == 7));
    }
}
