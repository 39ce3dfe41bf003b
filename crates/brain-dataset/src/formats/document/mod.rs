//! Samples as FiftyOne-shaped JSON documents, both ways: the one place that knows how a field, a label and an id are spelled.
//!
//! Two dialects share the shape. In JSON Lines an id is a plain string and a vector an array of numbers; in a FiftyOne export an id is
//! `{"$oid": …}`, a vector `{"$binary": …}`, and some fields are FiftyOne's own.

mod labels;
mod object;
mod read;
#[cfg(test)]
mod tests;
mod write;

use brain_core::{Result, Sample};

pub(super) use object::{Fault, Object};
pub(super) use read::read_sample;
pub use write::JsonSample;
pub(super) use write::{ExportedSample, Stamp};

/// How ids and vectors are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The contract's JSON Lines.
    JsonLines,
    /// FiftyOne's dataset export (MongoDB's extended JSON).
    Fiftyone,
}

/// The fields of an exported sample that are FiftyOne's own bookkeeping; left out on import and written anew on export.
pub(super) const PRIVATE_FIELDS: [&str; 5] = ["_media_type", "_rand", "_dataset_id", "created_at", "last_modified_at"];

/// The names that no field may take, because a sample's document has them already.
pub(super) const RESERVED_FIELDS: [&str; 4] = ["id", "_id", "filepath", "tags"];

/// The sample of one JSON Lines document; its `filepath` is as it stands there.
///
/// # Errors
/// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) with the column and what is wrong there.
pub fn sample_from_json(text: &str) -> Result<Sample> {
    read_sample(text, Dialect::JsonLines).map_err(|fault| {
        let column = fault.offset + 1;
        fault.into_error(format_args!("column {column}"))
    })
}

/// What kind of JSON value a text is, for messages.
fn type_name(raw: &str) -> &'static str {
    match raw.bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
