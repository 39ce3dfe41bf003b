//! Changes to what is stored: values, attributes of labels, tags, fields, samples.

use brain_core::{Error, FieldValue, ItemId, ItemKind, Result, View};
use brain_store::StoreFailure;
use rusqlite::{OptionalExtension, Transaction};

use crate::Dataset;
use crate::encode::{cell, tags_at, tags_cell};
use crate::field::FieldType;
use crate::insert::{check_value, clear, pk_of, put, remove};
use crate::layout::column;
use crate::read::unknown_ids;
use crate::schema::Schema;
use crate::view::attribute_path;

/// How many rows one transaction changes at most.
const BATCH: usize = 5_000;

/// Attributes of a label that are what it is, and cannot be set one by one.
const FIXED: [&str; 4] = ["id", "tags", "bounding_box", "points"];

impl Dataset {
    /// Sets a field of samples, making the field if there is none of this name; [`FieldValue::Null`] takes a value away. How many values were set.
    ///
    /// Batches of 5,000 are stored whole or not at all; what came before an error stays.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for an id that the dataset does not have; [`InvalidInput`](brain_core::ErrorKind::InvalidInput)
    /// for a value that does not fit the field.
    pub fn set_values(&self, field: &str, values: impl IntoIterator<Item = (ItemId, FieldValue)>) -> Result<u64> {
        self.in_batches("set values", values, |transaction, schema, (id, value)| {
            let whose = format!("sample {id}");
            schema.check(field, value, &whose)?;
            check_value(field, value, &whose)?;
            let position = schema.admit(transaction, field, FieldType::of(value))?;
            let pk = pk_of(transaction, schema, id)?.ok_or_else(|| unknown_ids("sample", self.name(), &[id]))?;
            clear(transaction, schema, pk, position)?;
            let sql = format!("UPDATE {} SET {} = ?1 WHERE pk = ?2", schema.layout.samples(), column(schema.fields()[position].id));
            transaction.prepare_cached(&sql)?.execute((cell(value), pk))?;
            put(transaction, schema, pk, position, value)
        })
    }

    /// Sets an attribute of labels of a field, such as a distance on patches; [`FieldValue::Null`] takes it away. How many were set.
    ///
    /// Batches are as in [`set_values`](Self::set_values).
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for an unknown field or label id; [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a
    /// value that does not fit (`label` is text, `confidence` a number) or an attribute that cannot be set (`id`, `tags`, the region).
    pub fn set_label_values(&self, field: &str, attribute: &str, values: impl IntoIterator<Item = (ItemId, FieldValue)>) -> Result<u64> {
        if FIXED.contains(&attribute) || !brain_core::is_identifier(attribute) {
            return Err(Error::invalid(format!("attribute {attribute:?} of labels cannot be set"))
                .with_operation("set label values")
                .with_hint("choose an identifier other than id, tags, bounding_box and points; tags are added to a view of patches"));
        }
        self.in_batches("set label values", values, |transaction, schema, (id, value)| {
            let labels = schema.layout.labels(schema.label_field(field)?.id);
            let Some(bytes) = id.as_bytes() else { return Err(unknown_ids("label", self.name(), &[id]).into()) };
            let id_bytes = bytes.as_slice();
            check_value(attribute, value, &format!("label {id}"))?;
            let changed = match (attribute, value) {
                ("label", FieldValue::Text(_) | FieldValue::Null) | ("confidence", FieldValue::Int(_) | FieldValue::Float(_) | FieldValue::Null) => {
                    let sql = format!("UPDATE {labels} SET {attribute} = ?1 WHERE id = ?2");
                    transaction.prepare_cached(&sql)?.execute((cell(value), id_bytes))?
                }
                ("label" | "confidence", _) | (_, FieldValue::Labels(_)) => {
                    let found = FieldType::of(value);
                    return Err(Error::invalid(format!("attribute {attribute:?} of label {id} cannot be of type {found}"))
                        .with_hint("label is text, confidence a number, and no attribute holds labels")
                        .into());
                }
                (_, FieldValue::Null) => {
                    let sql = format!("UPDATE {labels} SET attributes = jsonb_remove(attributes, ?1) WHERE id = ?2");
                    transaction.prepare_cached(&sql)?.execute((attribute_path(attribute)?, id_bytes))?
                }
                (_, value) => {
                    let json = json_of(value);
                    if let Some(position) = schema.position(field) {
                        schema.note_attribute(position, attribute, FieldType::of_attribute(&json));
                    }
                    let sql = format!("UPDATE {labels} SET attributes = jsonb_set(coalesce(attributes, '{{}}'), ?1, json(?2)) WHERE id = ?3");
                    transaction.prepare_cached(&sql)?.execute((attribute_path(attribute)?, json.to_string(), id_bytes))?
                }
            };
            if changed == 0 { Err(unknown_ids("label", self.name(), &[id]).into()) } else { Ok(()) }
        })
    }

    /// Adds tags to the samples of a view, or to the labels in a view of patches. How many items changed.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn add_tags(&self, view: &View, tags: &[&str]) -> Result<u64> {
        self.change_tags(view, |have| {
            for tag in tags {
                if !have.iter().any(|known| known == tag) {
                    have.push((*tag).to_owned());
                }
            }
        })
    }

    /// Takes tags from the samples of a view, or from the labels in a view of patches. How many items changed.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn remove_tags(&self, view: &View, tags: &[&str]) -> Result<u64> {
        self.change_tags(view, |have| have.retain(|tag| !tags.contains(&tag.as_str())))
    }

    fn change_tags(&self, view: &View, change: impl Fn(&mut Vec<String>)) -> Result<u64> {
        let resolution = self.rows(view)?;
        let mut changed = 0;
        for rows in resolution.rows.chunks(BATCH) {
            changed += self.database().write("change tags", |transaction| {
                let schema = self.schema(transaction)?;
                let table = match (resolution.kind, &resolution.patches) {
                    (ItemKind::Patches, Some(field)) => schema.layout.labels(field.id),
                    _ => schema.layout.samples(),
                };
                let mut read = transaction.prepare_cached(&format!("SELECT tags FROM {table} WHERE pk = ?1"))?;
                let mut write = transaction.prepare_cached(&format!("UPDATE {table} SET tags = ?1 WHERE pk = ?2"))?;
                let mut changed = 0;
                for row in rows {
                    let Some(before) = read.query_row([row], |row| tags_at(row, 0)).optional()? else { continue };
                    let mut after = before.clone();
                    change(&mut after);
                    if after != before {
                        write.execute((tags_cell(&after), row))?;
                        changed += 1;
                    }
                }
                Ok::<_, StoreFailure>(changed)
            })?;
        }
        Ok(changed)
    }

    /// Deletes samples with everything they have; ids that the dataset does not have are passed over. How many were deleted.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn delete_samples(&self, ids: impl IntoIterator<Item = ItemId>) -> Result<u64> {
        let mut deleted = 0;
        self.in_batches("delete samples", ids, |transaction, schema, id| {
            if let Some(pk) = pk_of(transaction, schema, id)? {
                remove(transaction, schema, pk)?;
                transaction.prepare_cached(&format!("INSERT INTO {} VALUES (?1)", schema.layout.gaps()))?.execute([pk])?;
                self.shrink(transaction, 1)?;
                deleted += 1;
            }
            Ok(())
        })?;
        Ok(deleted)
    }

    /// Drops a field with all its values. Takes seconds in a dataset of a million samples.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound), naming the fields there are.
    pub fn drop_field(&self, name: &str) -> Result<()> {
        self.database().write("drop field", |transaction| {
            let schema = self.schema(transaction)?;
            let field = schema.field(name)?;
            match field.field_type {
                FieldType::Labels(_) => transaction.execute_batch(&format!("DROP TABLE {}", schema.layout.labels(field.id)))?,
                FieldType::Vector => transaction.execute_batch(&format!("DROP TABLE {}", schema.layout.vectors(field.id)))?,
                _ => transaction.execute_batch(&format!("DROP INDEX IF EXISTS {}", schema.layout.field_index(field.id)))?,
            }
            transaction.execute_batch(&format!("ALTER TABLE {} DROP COLUMN {}", schema.layout.samples(), column(field.id)))?;
            transaction.execute("DELETE FROM dataset_field WHERE id = ?1", [field.id])?;
            Ok::<_, StoreFailure>(())
        })
    }

    /// Does something to each value, some thousand in a transaction. How many there were.
    fn in_batches<T>(
        &self,
        operation: &'static str,
        values: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&Transaction<'_>, &mut Schema, &T) -> Result<(), StoreFailure>,
    ) -> Result<u64> {
        let mut values = values.into_iter();
        let mut done = 0;
        loop {
            // Taken out of the stream before the write lock is.
            let batch: Vec<T> = values.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(done);
            }
            self.database().write(operation, |transaction| {
                let mut schema = self.schema(transaction)?;
                for value in &batch {
                    each(transaction, &mut schema, value)?;
                }
                schema.save_attributes(transaction)
            })?;
            done += batch.len() as u64;
        }
    }
}

/// A value as an attribute of a label holds it.
fn json_of(value: &FieldValue) -> serde_json::Value {
    match value {
        FieldValue::Null | FieldValue::Labels(_) => serde_json::Value::Null,
        FieldValue::Bool(value) => (*value).into(),
        FieldValue::Int(value) => (*value).into(),
        FieldValue::Float(value) => (*value).into(),
        FieldValue::Text(value) => value.as_str().into(),
        FieldValue::Vector(vector) => vector.iter().copied().collect(),
        FieldValue::Other(value) => value.clone(),
    }
}
