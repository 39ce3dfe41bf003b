//! Writes a matrix row by row, without knowing how many there will be.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use brain_core::{Error, Result};

use super::header;

/// A `.npy` file being written. It appears under its name when it is [`finish`](Self::finish)ed, whole or not at all.
#[derive(Debug)]
pub struct NpyWriter {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    dimension: usize,
    rows: u64,
}

impl NpyWriter {
    /// Begins a file of rows of `dimension` numbers.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path, dimension: usize) -> Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let io = |source| Error::io("write", &partial, source).with_operation("write .npy");
        let mut file = BufWriter::new(File::create(&partial).map_err(io)?);
        file.write_all(&header::write(0, dimension)).map_err(io)?;
        Ok(Self { path: path.to_owned(), file, dimension, rows: 0, partial: partial.clone() })
    }

    /// Adds rows, row after row.
    ///
    /// # Errors
    /// Those of the file system; [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a part of a row.
    pub fn write_rows(&mut self, numbers: &[f32]) -> Result<()> {
        if self.dimension == 0 || !numbers.len().is_multiple_of(self.dimension) {
            return Err(Error::invalid(format!("{} numbers are no rows of {}", numbers.len(), self.dimension)));
        }
        for number in numbers {
            self.file.write_all(&number.to_le_bytes()).map_err(|source| Error::io("write", &self.partial, source))?;
        }
        self.rows += (numbers.len() / self.dimension) as u64;
        Ok(())
    }

    /// Writes the count of rows into the head and gives the file its name; how many rows it has.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(mut self) -> Result<u64> {
        let io = |source| Error::io("write", &self.path, source).with_operation("write .npy");
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        self.file.write_all(&header::write(self.rows, self.dimension)).map_err(io)?;
        self.file.flush().map_err(io)?;
        self.file.get_ref().sync_all().map_err(io)?;
        std::fs::rename(&self.partial, &self.path).map_err(io)?;
        Ok(self.rows)
    }
}

impl Drop for NpyWriter {
    fn drop(&mut self) {
        // Gone already when the file was finished; what is left is half a file that nobody asked for.
        let _ = std::fs::remove_file(&self.partial);
    }
}

#[cfg(test)]
mod tests {
    use super::super::NpyReader;
    use super::*;
    use brain_core::ErrorKind;

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.npy");
        let mut writer = NpyWriter::create(&path, 2).unwrap();
        writer.write_rows(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        writer.write_rows(&[5.0, 6.0]).unwrap();
        assert!(writer.write_rows(&[5.0]).is_err());
        assert!(!path.exists());
        assert_eq!(writer.finish().unwrap(), 3);
        drop(NpyWriter::create(&folder.path().join("left.npy"), 2).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut reader = NpyReader::open(&path).unwrap();
        assert_eq!((reader.rows(), reader.dimension(), reader.is_vector()), (3, 2, false));
        assert_eq!(reader.read_rows(2).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(reader.read_rows(2).unwrap(), [5.0, 6.0]);
        assert!(reader.read_rows(2).unwrap().is_empty());
    }

    fn file(head: &str, data: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.as_bytes());
        bytes.extend(data);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn the_three_types_and_one_vector() {
        let (_folder, path) =
            file("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", &[0.5_f64.to_le_bytes(), 2.0_f64.to_le_bytes()].concat());
        let reader = NpyReader::open(&path).unwrap();
        assert!(reader.is_vector());
        assert_eq!(reader.read_vectors().unwrap(), [[0.5, 2.0]]);
        let (_folder, path) = file("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2), }", &[0x00, 0x3c, 0x00, 0xc0]);
        assert_eq!(NpyReader::open(&path).unwrap().read_vectors().unwrap(), [[1.0, -2.0]]);
    }

    #[test]
    fn what_is_no_matrix_says_why() {
        let refused = |head: &str, data: &[u8], part: &str| {
            let (_folder, path) = file(head, data);
            let error = NpyReader::open(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().contains(part), "{error}");
        };
        refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", &[0; 8], "says 3 rows of 1, but it holds 2");
        refused("{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1), }", &[0; 8], "numbers are <i8");
        refused("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }", &[0; 8], "Fortran order");
        refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 1), }", &[0; 8], "not (rows, dimensions)");
        refused("{'fortran_order': False, 'shape': (2, 1), }", &[0; 8], "no descr");
        refused("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", &[0; 8], "beyond any file");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.npy");
        std::fs::write(&path, "hello, world").unwrap();
        assert!(NpyReader::open(&path).unwrap_err().message().contains("magic"));
        assert_eq!(NpyReader::open(&folder.path().join("gone.npy")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
