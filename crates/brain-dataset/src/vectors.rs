//! The vectors of a field, as a stream.

use brain_core::{Error, ItemId, ItemKind, Result, View};
use rusqlite::Connection;

use crate::Dataset;
use crate::dataset::wrong_kind;
use crate::encode::{id_at, vector_at};
use crate::field::FieldType;
use crate::rows::Rows;
use crate::schema::Schema;

impl Dataset {
    /// The vectors of a field, each with its sample's id, in the order of the view. Samples without one are passed over.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for an unknown field; [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a field that
    /// holds no vectors, or a view of patches; as [`resolve`](Self::resolve).
    pub fn vectors(&self, field: &str, view: &View) -> Result<Rows<(ItemId, Vec<f32>)>> {
        let field = self.field(field)?;
        if !matches!(field.field_type, FieldType::Vector | FieldType::Null) {
            return Err(Error::invalid(format!("field {:?} is of type {}, not vector", field.name, field.field_type))
                .with_operation("read vectors")
                .with_hint("`brain dataset info` shows which fields hold vectors"));
        }
        let resolution = self.rows(view)?;
        if resolution.kind == ItemKind::Patches {
            return Err(wrong_kind(ItemKind::Samples).with_operation("read vectors"));
        }
        // A field without a value yet has no table.
        let rows = if field.field_type == FieldType::Null { Vec::new() } else { resolution.rows };
        let load = move |connection: &Connection, schema: &Schema, rows| {
            let (samples, vectors) = (schema.layout.samples(), schema.layout.vectors(field.id));
            let sql = format!(
                "SELECT s.id, v.vector FROM rarray(?) AS r CROSS JOIN {vectors} AS v ON v.sample = r.value CROSS JOIN {samples} AS s ON s.pk = v.sample"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map([rows], |row| Ok((id_at(row, 0)?, vector_at(row, 1)?)))?.collect::<Result<_, _>>()?)
        };
        Ok(Rows::new(self, rows, Box::new(load)))
    }
}
