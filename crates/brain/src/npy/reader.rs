//! Reads a matrix row by row.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use brain_core::{Error, Result};
use half::f16;

use super::header::{self, Header, Type};

/// A `.npy` file that was looked at and found whole. Numbers become `f32`.
#[derive(Debug)]
pub struct NpyReader {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
    next: usize,
    bytes: Vec<u8>,
}

impl NpyReader {
    /// Opens a file and checks that it holds all the rows it announces.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound); [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for what is no matrix of floats, or is cut off.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::io("read", path, source).with_operation("read .npy");
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let header = header::read(&mut file).map_err(|why| refuse(path, &why))?;
        let size = file.get_ref().metadata().map_err(io)?.len();
        let numbers = header.rows.checked_mul(header.dimension).and_then(|count| count.checked_mul(header.kind.size()));
        let expected =
            numbers.and_then(|bytes| header.offset.checked_add(bytes as u64)).ok_or_else(|| refuse(path, "its shape is beyond any file"))?;
        if size < expected {
            let whole = (size - header.offset) as usize / (header.kind.size() * header.dimension.max(1));
            let why = format!("it is cut off: its head says {} rows of {}, but it holds {whole}", header.rows, header.dimension);
            return Err(refuse(path, &why));
        }
        file.seek(SeekFrom::Start(header.offset)).map_err(io)?;
        Ok(Self { path: path.to_owned(), file, header, next: 0, bytes: Vec::new() })
    }

    /// How many rows there are; 1 for a single vector.
    pub fn rows(&self) -> usize {
        self.header.rows
    }

    /// How many numbers a row has.
    pub fn dimension(&self) -> usize {
        self.header.dimension
    }

    /// Whether the file holds one vector, not a matrix.
    pub fn is_vector(&self) -> bool {
        self.header.is_vector
    }

    /// The next rows, at most `most`, row after row; empty at the end.
    ///
    /// # Errors
    /// Those of the file.
    pub fn read_rows(&mut self, most: usize) -> Result<Vec<f32>> {
        let rows = most.min(self.header.rows - self.next);
        let kind = self.header.kind;
        self.bytes.resize(rows * self.header.dimension * kind.size(), 0);
        self.file.read_exact(&mut self.bytes).map_err(|source| Error::io("read", &self.path, source))?;
        self.next += rows;
        let numbers = self.bytes.chunks_exact(kind.size());
        Ok(match kind {
            Type::F2 => numbers.map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            Type::F4 => numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Type::F8 => numbers.map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32).collect(),
        })
    }

    /// All rows, one vector each; for a few query vectors.
    ///
    /// # Errors
    /// Those of the file.
    pub fn read_vectors(mut self) -> Result<Vec<Vec<f32>>> {
        let dimension = self.header.dimension.max(1);
        let rows = self.header.rows;
        Ok(self.read_rows(rows)?.chunks_exact(dimension).map(<[f32]>::to_vec).collect())
    }
}

fn refuse(path: &Path, why: &str) -> Error {
    Error::invalid(format!("{} is no usable matrix of embeddings: {why}", path.display()))
        .with_operation("read .npy")
        .with_hint("numpy.save writes one: a C-order array of float32, shape (rows, dimensions)")
}
