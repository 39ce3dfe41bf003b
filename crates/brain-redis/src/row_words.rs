//! Rows as words of the commands that write them.

use std::fmt::Write as _;

use brain_core::Item;

use crate::connect::line;
use crate::options::Storage;
use crate::schema::{Field, Schema};
use crate::wire;

/// Commands, as far as they are written.
pub(crate) struct RowWords<'a> {
    pub(crate) out: Vec<u8>,
    schema: &'a Schema,
    text: String,
    document: Vec<u8>,
}

impl<'a> RowWords<'a> {
    pub(crate) fn new(schema: &'a Schema, room: usize) -> Self {
        Self { out: Vec::with_capacity(room), schema, text: String::new(), document: Vec::new() }
    }

    /// Begins a command of so many words with its name and the key of an item.
    pub(crate) fn begin(&mut self, name: &[u8], words: usize, item: &Item) {
        line::write_head(&mut self.out, words);
        line::write_word(&mut self.out, &[name]);
        self.text.clear();
        // Writing to memory does not fail.
        let _ = write!(self.text, "{}", item.id);
        line::write_word(&mut self.out, &[self.schema.prefix.as_bytes(), self.text.as_bytes()]);
    }

    /// How many words [`put`](Self::put) writes.
    pub(crate) fn per_row(&self) -> usize {
        if self.schema.storage == Storage::Hash && self.schema.sample.is_some() { 4 } else { 2 }
    }

    /// What follows the key of a row: fields and their values, or a path and a document.
    pub(crate) fn put(&mut self, item: &Item, vector: &[f32]) {
        match self.schema.storage {
            Storage::Json => {
                self.document.clear();
                wire::put_document(item, vector, self.schema.number, &mut self.document);
                line::write_word(&mut self.out, &[b"$"]);
                line::write_word(&mut self.out, &[&self.document]);
            }
            Storage::Hash => {
                if let Some(field) = &self.schema.sample {
                    self.put_sample(field, item);
                }
                self.put_vector(vector);
            }
        }
    }

    /// The field of the vector, and its numbers.
    pub(crate) fn put_vector(&mut self, vector: &[f32]) {
        let number = self.schema.number;
        line::write_word(&mut self.out, &[self.schema.vector.path.as_bytes()]);
        line::write_long_word(&mut self.out, vector.len() * number.width(), |out| wire::put(vector, number, out));
    }

    /// The field of the sample, and the sample.
    pub(crate) fn put_sample(&mut self, field: &Field, item: &Item) {
        self.text.clear();
        // Writing to memory does not fail.
        let _ = write!(self.text, "{}", item.sample_id);
        line::write_word(&mut self.out, &[field.path.as_bytes()]);
        line::write_word(&mut self.out, &[self.text.as_bytes()]);
    }
}
