//! The patches of a view, as a stream.

use brain_core::{Item, ItemKind, Label, Result, View};
use rusqlite::{Connection, Row};

use crate::Dataset;
use crate::dataset::wrong_kind;
use crate::encode::{LABEL_COLUMNS, id_at, label_at};
use crate::layout::sample_of;
use crate::rows::Rows;
use crate::schema::Schema;

/// A label with its photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The label's id and its sample's.
    pub item: Item,
    /// Where the photo lies.
    pub filepath: String,
    /// The label, its region in fractions of the photo.
    pub label: Label,
}

impl Dataset {
    /// The patches of a view that ends in patches, in its order.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a view of samples; as [`resolve`](Self::resolve).
    pub fn patches(&self, view: &View) -> Result<Rows<Patch>> {
        let resolution = self.rows(view)?;
        let Some(field) = resolution.patches else { return Err(wrong_kind(ItemKind::Patches).with_operation("read patches")) };
        let load = move |connection: &Connection, schema: &Schema, rows| {
            let (samples, labels, sample) = (schema.layout.samples(), schema.layout.labels(field.id), sample_of("l.pk"));
            let sql = format!(
                "SELECT s.id, s.filepath, {LABEL_COLUMNS} FROM rarray(?) AS r CROSS JOIN {labels} AS l ON l.pk = r.value \
                 CROSS JOIN {samples} AS s ON s.pk = {sample}"
            );
            let patch =
                |row: &Row<'_>| Ok(Patch { item: Item::patch(id_at(row, 2)?, id_at(row, 0)?), filepath: row.get(1)?, label: label_at(row, 2)? });
            Ok(connection.prepare_cached(&sql)?.query_map([rows], patch)?.collect::<Result<_, _>>()?)
        };
        Ok(Rows::new(self, resolution.rows, Box::new(load)))
    }
}
