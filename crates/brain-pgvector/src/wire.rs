//! Vectors and rows in the server's binary form: big-endian, each value with its length before it.

use std::error::Error as StdError;

use brain_core::{Error, Item, ItemId, Result, VectorBatch};
use half::f16;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// How a stream of rows begins: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// How it ends: a row of −1 values.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// The length that stands for NULL.
const NULL: i32 = -1;

/// A query, sent as a `vector`.
#[derive(Debug)]
pub(crate) struct QueryVector<'a>(pub(crate) &'a [f32]);

impl ToSql for QueryVector<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let mut bytes = Vec::with_capacity(4 + 4 * self.0.len());
        put_vector(self.0, false, &mut bytes);
        out.extend_from_slice(&bytes);
        Ok(IsNull::No)
    }

    fn accepts(r#type: &Type) -> bool {
        r#type.name() == "vector"
    }

    to_sql_checked!();
}

fn put_vector(vector: &[f32], halves: bool, out: &mut Vec<u8>) {
    // The server refuses longer ones; the dimension was checked when the index was made.
    out.extend_from_slice(&(vector.len() as u16).to_be_bytes());
    out.extend_from_slice(&[0; 2]);
    let start = out.len();
    if halves {
        out.resize(start + 2 * vector.len(), 0);
        for (bytes, x) in out[start..].as_chunks_mut().0.iter_mut().zip(vector) {
            *bytes = f16::from_f32(*x).to_be_bytes();
        }
    } else {
        out.resize(start + 4 * vector.len(), 0);
        for (bytes, x) in out[start..].as_chunks_mut().0.iter_mut().zip(vector) {
            *bytes = x.to_be_bytes();
        }
    }
}

/// Appends the numbers of a vector as the server sends it; `None` where the bytes are no such vector of `dimension` numbers.
pub(crate) fn read_vector(bytes: &[u8], halves: bool, dimension: usize, out: &mut Vec<f32>) -> Option<()> {
    let (head, numbers) = bytes.split_first_chunk::<4>()?;
    let width = if halves { 2 } else { 4 };
    if usize::from(u16::from_be_bytes([head[0], head[1]])) != dimension || numbers.len() != dimension * width {
        return None;
    }
    if halves {
        out.extend(numbers.as_chunks().0.iter().map(|bytes| f16::from_be_bytes(*bytes).to_f32()));
    } else {
        out.extend(numbers.as_chunks().0.iter().map(|bytes| f32::from_be_bytes(*bytes)));
    }
    Some(())
}

/// Rows on their way into a table: id, sample, vector.
pub(crate) struct RowWriter {
    halves: bool,
    bytes: Vec<u8>,
}

impl RowWriter {
    pub(crate) fn new(halves: bool) -> Self {
        Self { halves, bytes: HEADER.to_vec() }
    }

    pub(crate) fn push(&mut self, item: &Item, vector: &[f32]) {
        self.bytes.extend_from_slice(&3_i16.to_be_bytes());
        self.put_id(&item.id);
        self.put_id(&item.sample_id);
        let width = if self.halves { 2 } else { 4 };
        self.bytes.extend_from_slice(&((4 + width * vector.len()) as i32).to_be_bytes());
        put_vector(vector, self.halves, &mut self.bytes);
    }

    fn put_id(&mut self, id: &ItemId) {
        let text = id.to_string();
        self.bytes.extend_from_slice(&(text.len() as i32).to_be_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// How many bytes wait to be sent.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What waits to be sent.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let room = self.bytes.capacity();
        std::mem::replace(&mut self.bytes, Vec::with_capacity(room))
    }

    /// What is left to send.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&TRAILER);
        self.bytes
    }
}

/// Rows on their way out of a table, in pieces that end anywhere.
pub(crate) struct RowReader {
    dimension: usize,
    halves: bool,
    begun: bool,
    /// What was received of a row that is not whole yet.
    rest: Vec<u8>,
    vector: Vec<f32>,
}

/// What one row holds.
type Fields<'a> = [Option<&'a [u8]>; 3];

impl RowReader {
    /// A reader of rows of id, sample and, where `dimension` is not 0, vector.
    pub(crate) fn new(dimension: usize, halves: bool) -> Self {
        Self { dimension, halves, begun: false, rest: Vec::new(), vector: Vec::new() }
    }

    /// How many numbers the vectors have; 0 where none come.
    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Adds the rows that a piece completes to `rows`.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) for what is no stream of rows.
    pub(crate) fn read(&mut self, piece: &[u8], rows: &mut VectorBatch) -> Result<()> {
        // Most pieces of the server are whole rows.
        let joined;
        let mut bytes = if self.rest.is_empty() {
            piece
        } else {
            joined = [&self.rest, piece].concat();
            self.rest.clear();
            &joined
        };
        if !self.begun {
            let Some((_, after)) = bytes.split_at_checked(HEADER.len()) else {
                self.rest.extend_from_slice(bytes);
                return Ok(());
            };
            self.begun = true;
            bytes = after;
        }
        while let Some((fields, after)) = row(bytes)? {
            let [Some(id), sample, vector] = fields else { return Err(broken("a row has no id")) };
            let id = read_id(id)?;
            let sample_id = sample.map_or_else(|| Ok(id.clone()), read_id)?;
            self.vector.clear();
            if self.dimension > 0 {
                let read = vector.and_then(|vector| read_vector(vector, self.halves, self.dimension, &mut self.vector));
                read.ok_or_else(|| broken(&format!("the vector of {id} has not {} numbers", self.dimension)))?;
            }
            rows.push(Item { id, sample_id }, &self.vector)?;
            bytes = after;
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

/// The first row, and what follows it; `None` where it is not whole, or the stream ends.
fn row(bytes: &[u8]) -> Result<Option<(Fields<'_>, &[u8])>> {
    let Some((count, mut bytes)) = bytes.split_first_chunk().map(|(count, after)| (i16::from_be_bytes(*count), after)) else {
        return Ok(None);
    };
    if count < 0 {
        return Ok(None);
    }
    let mut fields = [None; 3];
    if count as usize > fields.len() {
        return Err(broken("a row has too many values"));
    }
    for field in fields.iter_mut().take(count as usize) {
        let Some((length, after)) = bytes.split_first_chunk().map(|(length, after)| (i32::from_be_bytes(*length), after)) else {
            return Ok(None);
        };
        bytes = after;
        if length == NULL {
            continue;
        }
        let length = usize::try_from(length).map_err(|_| broken("a value has a negative length"))?;
        let Some((value, after)) = bytes.split_at_checked(length) else { return Ok(None) };
        *field = Some(value);
        bytes = after;
    }
    Ok(Some((fields, bytes)))
}

pub(crate) fn read_id(bytes: &[u8]) -> Result<ItemId> {
    std::str::from_utf8(bytes).map(ItemId::from_text).map_err(|source| broken("an id is no UTF-8").with_source(source))
}

fn broken(why: &str) -> Error {
    Error::corrupt(format!("the server sent rows that do not read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_back_however_they_are_cut(
            rows in proptest::collection::vec((".{0,30}", proptest::array::uniform3(-1000_i16..1000)), 0..20),
            halves: bool,
            cut in 1_usize..100,
        ) {
            let mut writer = RowWriter::new(halves);
            let mut expected = VectorBatch::with_capacity(rows.len(), 3);
            for (id, numbers) in &rows {
                let item = Item::patch(ItemId::from_text(id), ItemId::generate());
                let vector = numbers.map(f32::from);
                writer.push(&item, &vector);
                expected.push(item, &vector).unwrap();
            }
            let bytes = writer.finish();
            let mut reader = RowReader::new(3, halves);
            let mut found = VectorBatch::with_capacity(rows.len(), 3);
            for piece in bytes.chunks(cut) {
                reader.read(piece, &mut found).unwrap();
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let mut reader = RowReader::new(2, false);
        let mut rows = VectorBatch::with_capacity(0, 2);
        reader.read(HEADER, &mut rows).unwrap();
        assert_eq!(reader.read(&[0, 9], &mut rows).unwrap_err().kind(), brain_core::ErrorKind::Corrupt);
        let mut vector = Vec::new();
        assert_eq!(read_vector(&[0, 2, 0, 0, 1], false, 2, &mut vector), None);
        assert_eq!(read_vector(&[], false, 2, &mut vector), None);
    }
}
