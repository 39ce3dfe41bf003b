//! What a dataset holds, counted.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use brain_core::Result;
use brain_store::StoreFailure;
use rusqlite::{Connection, OptionalExtension};

use crate::Dataset;
use crate::encode::tags_at;
use crate::field::{Field, FieldType};
use crate::layout::column;
use crate::schema::Schema;

/// What a dataset holds.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetInfo {
    /// The dataset's name.
    pub name: String,
    /// When it was made, to the second.
    pub created_at: SystemTime,
    /// How many samples it has.
    pub samples: u64,
    /// How many samples have each tag.
    pub tags: BTreeMap<String, u64>,
    /// The fields, in the order they came.
    pub fields: Vec<FieldInfo>,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldInfo {
    /// Name and type.
    pub field: Field,
    /// How many samples have a value.
    pub values: u64,
    /// For a vector field with a value: how many numbers its first vector has.
    pub dimension: Option<usize>,
    /// For a label field: its labels.
    pub labels: Option<LabelCounts>,
}

/// The labels of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// How many there are.
    pub total: u64,
    /// How many there are of each class, most first; those that name no class are only in the total.
    pub classes: Vec<(String, u64)>,
}

impl Dataset {
    /// Counts what the dataset holds. Reads every sample's row and every label's class: about a second for a million samples.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn info(&self) -> Result<DatasetInfo> {
        self.snapshot("read dataset info", |connection, schema| {
            let created: u64 = connection.query_row("SELECT created_at FROM dataset_dataset WHERE id = ?1", [self.id()], |row| row.get(0))?;
            let values = value_counts(connection, schema)?;
            let fields = schema.fields().iter().zip(values).map(|(field, values)| {
                let labels = if field.field_type.is_labels() { Some(label_counts(connection, schema, field)?) } else { None };
                let dimension = if field.field_type == FieldType::Vector { dimension(connection, schema, field)? } else { None };
                Ok::<_, StoreFailure>(FieldInfo { field: field.clone(), values, dimension, labels })
            });
            Ok(DatasetInfo {
                name: self.name().to_owned(),
                created_at: UNIX_EPOCH + Duration::from_secs(created),
                samples: schema.samples,
                fields: fields.collect::<Result<_, _>>()?,
                tags: tag_counts(connection, schema)?,
            })
        })
    }
}

/// Of each field, how many samples have a value; one pass over the samples.
fn value_counts(connection: &Connection, schema: &Schema) -> rusqlite::Result<Vec<u64>> {
    let counts: String = schema.fields().iter().map(|field| format!(", count({})", column(field.id))).collect();
    let sql = format!("SELECT 1{counts} FROM {}", schema.layout.samples());
    connection.query_row(&sql, [], |row| (1..=schema.fields().len()).map(|at| row.get(at)).collect())
}

fn label_counts(connection: &Connection, schema: &Schema, field: &Field) -> rusqlite::Result<LabelCounts> {
    let sql = format!("SELECT label, count(*) FROM {} GROUP BY label ORDER BY count(*) DESC, label", schema.layout.labels(field.id));
    let mut counts = LabelCounts::default();
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (class, count): (Option<String>, u64) = (row.get(0)?, row.get(1)?);
        counts.total += count;
        counts.classes.extend(class.map(|class| (class, count)));
    }
    Ok(counts)
}

fn dimension(connection: &Connection, schema: &Schema, field: &Field) -> rusqlite::Result<Option<usize>> {
    let sql = format!("SELECT length(vector) / 4 FROM {} ORDER BY sample LIMIT 1", schema.layout.vectors(field.id));
    connection.query_row(&sql, [], |row| row.get(0)).optional()
}

/// Lists of tags are counted as they are stored first: there are few different ones.
fn tag_counts(connection: &Connection, schema: &Schema) -> rusqlite::Result<BTreeMap<String, u64>> {
    let sql = format!("SELECT tags, count(*) FROM {} WHERE tags IS NOT NULL GROUP BY tags", schema.layout.samples());
    let mut counts = BTreeMap::new();
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let samples: u64 = row.get(1)?;
        let mut tags = tags_at(row, 0)?;
        tags.sort_unstable();
        tags.dedup();
        for tag in tags {
            *counts.entry(tag).or_default() += samples;
        }
    }
    Ok(counts)
}
