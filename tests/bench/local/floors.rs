//! The plain work that figures are compared with.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use brain_kernels::{MappedFile, Rows};
use rayon::prelude::*;

use crate::data::Data;

/// How many bytes one core reads before it takes the next.
const PIECE: usize = 1 << 20;
/// So many numbers are more than a core's own caches hold.
const BEYOND_CACHES: usize = 1 << 23;

/// The files of an index of one kind, mapped: what a search has to read.
pub(crate) struct Files(Vec<MappedFile>);

impl Files {
    pub(crate) fn of(folder: &Path, extension: &str) -> Self {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|found| found == extension));
        paths.sort();
        Self(paths.iter().map(|path| MappedFile::open(path, std::fs::metadata(path).unwrap().len()).unwrap()).collect())
    }

    /// Reads all bytes, on all cores.
    pub(crate) fn read(&self) -> u32 {
        let pieces: Vec<&[u8]> = self.0.iter().flat_map(|file| file.chunks(PIECE)).collect();
        pieces.par_iter().map(|piece| sum(piece)).reduce(|| 0, u32::wrapping_add)
    }

    /// Reads every row whose number is in `rows`, which ascend, where it lies; segments have `segment` rows of `stride` bytes.
    pub(crate) fn read_rows(&self, rows: &[usize], stride: usize) -> u32 {
        let segment = self.0[0].len() / stride;
        let row = |row: usize| &self.0[row / segment][row % segment * stride..][..stride];
        rows.par_chunks(256).map(|rows| rows.iter().map(|&number| sum(row(number))).fold(0, u32::wrapping_add)).reduce(|| 0, u32::wrapping_add)
    }
}

/// Reads something else, and more of it than a core's own caches hold, so that nothing of what is read next is in them.
pub(crate) fn read_another(vectors: &[f32]) -> u32 {
    Rows::Single(&vectors[..vectors.len().min(BEYOND_CACHES)]).as_bytes().par_chunks(PIECE).map(sum).reduce(|| 0, u32::wrapping_add)
}

/// Thirty-two sums side by side, as many as every processor has registers for, so that the read waits for memory and not for an addition.
fn sum(bytes: &[u8]) -> u32 {
    let mut sums = [0_u32; 32];
    let (parts, _) = bytes.as_chunks::<128>();
    for part in parts {
        for (sum, word) in sums.iter_mut().zip(part.as_chunks::<4>().0) {
            *sum = sum.wrapping_add(u32::from_ne_bytes(*word));
        }
    }
    sums.iter().copied().fold(0, u32::wrapping_add)
}

/// Writes the vectors to one file and syncs it, as the rows and ids of an index are.
pub(crate) fn write_and_sync(path: &Path, data: &Data) {
    let mut file = std::fs::File::create(path).unwrap();
    for part in data.vectors.chunks(1 << 18) {
        file.write_all(Rows::Single(part).as_bytes()).unwrap();
    }
    file.sync_all().unwrap();
}

/// The products of all `rows` with all `queries`, and nothing else: the matrix product of a well-kept library, on all cores.
pub(crate) fn products(rows: &[f32], queries: &[f32], dimension: usize, out: &mut [f32]) {
    let count = queries.len() / dimension;
    let queries = ndarray::ArrayView2::from_shape((count, dimension), queries).unwrap();
    rows.par_chunks(dimension * 1024).zip(out.par_chunks_mut(count * 1024)).for_each(|(rows, out)| {
        let rows = ndarray::ArrayView2::from_shape((rows.len() / dimension, dimension), rows).unwrap();
        let mut out = ndarray::ArrayViewMut2::from_shape((rows.nrows(), count), out).unwrap();
        ndarray::linalg::general_mat_mul(1.0, &rows, &queries.t(), 0.0, &mut out);
    });
}
