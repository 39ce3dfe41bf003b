//! Puts single samples into the tables, inside somebody's transaction.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use brain_core::{Error, ErrorKind, FieldValue, ItemId, Label, LabelClass, Labels, Region, Sample};
use brain_store::StoreFailure;
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{OptionalExtension, Transaction, params_from_iter};

use crate::encode::{attributes_cell, cell, id_bytes, region_cell, tags_cell, vector_bytes};
use crate::field::FieldType;
use crate::import::OnExisting;
use crate::layout::{MOST_LABELS, column, is_label_of, label_pk};
use crate::schema::Schema;

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    Added,
    Skipped,
}

/// Writes samples in one transaction.
pub(crate) struct Inserter<'a> {
    transaction: &'a Transaction<'a>,
    pub(crate) schema: Schema,
    on_existing: OnExisting,
    has_filepath_index: bool,
    /// The statement of a sample's row, made anew when a field comes.
    statement: String,
}

impl<'a> Inserter<'a> {
    pub(crate) fn new(transaction: &'a Transaction<'a>, schema: Schema, on_existing: OnExisting) -> rusqlite::Result<Self> {
        let statement = statement(&schema);
        // New keys follow the last one: those that samples deleted from the end have left are given again.
        let sql = format!("DELETE FROM {} WHERE pk > coalesce((SELECT max(pk) FROM {}), 0)", schema.layout.gaps(), schema.layout.samples());
        transaction.prepare_cached(&sql)?.execute([])?;
        Ok(Self { transaction, schema, on_existing, has_filepath_index: false, statement })
    }

    /// Adds a sample whole, or leaves no trace of it.
    pub(crate) fn insert(&mut self, sample: &Sample) -> Result<Inserted, StoreFailure> {
        check(sample, &self.schema)?;
        let filepath = absolute(&sample.filepath)?;
        if self.on_existing == OnExisting::Skip && self.exists(sample.id.as_ref(), &filepath)? {
            return Ok(Inserted::Skipped);
        }
        let positions = self.admit(sample)?;
        let id = sample.id.clone().unwrap_or_else(ItemId::generate);
        let mut row: Vec<ToSqlOutput<'_>> = vec![ToSqlOutput::Owned(Value::Null); 3 + self.schema.fields().len()];
        row[0] = id_bytes(&id, "sample")?.as_slice().into();
        row[1] = filepath.as_ref().into();
        row[2] = ToSqlOutput::Owned(tags_cell(&sample.tags));
        for (position, (_, value)) in positions.iter().zip(&sample.fields) {
            row[3 + position] = cell(value);
        }
        if self.transaction.prepare_cached(&self.statement)?.execute(params_from_iter(row))? == 0 {
            return Err(Error::new(ErrorKind::Conflict, format!("sample id {id} ({filepath}) is in the dataset already"))
                .with_hint("skip what exists to finish an interrupted import, or give the sample another id")
                .into());
        }
        let pk = self.transaction.last_insert_rowid();
        for (position, (_, value)) in positions.iter().zip(&sample.fields) {
            if let Err(failure) = put(self.transaction, &mut self.schema, pk, *position, value) {
                remove(self.transaction, &self.schema, pk)?;
                return Err(failure);
            }
        }
        Ok(Inserted::Added)
    }

    fn admit(&mut self, sample: &Sample) -> Result<Vec<usize>, StoreFailure> {
        let known = self.schema.fields().len();
        let admit = |(name, value): &(String, FieldValue)| self.schema.admit(self.transaction, name, FieldType::of(value));
        let positions = sample.fields.iter().map(admit).collect::<Result<_, _>>()?;
        if self.schema.fields().len() > known {
            self.statement = statement(&self.schema);
        }
        Ok(positions)
    }

    fn exists(&mut self, id: Option<&ItemId>, filepath: &str) -> Result<bool, StoreFailure> {
        let samples = self.schema.layout.samples();
        if let Some(id) = id {
            let bytes = id_bytes(id, "sample")?;
            return Ok(self.transaction.prepare_cached(&format!("SELECT 1 FROM {samples} WHERE id = ?1"))?.exists([bytes.as_slice()])?);
        }
        if !self.has_filepath_index {
            self.transaction.execute_batch(&self.schema.layout.create_filepath_index())?;
            self.has_filepath_index = true;
        }
        Ok(self.transaction.prepare_cached(&format!("SELECT 1 FROM {samples} WHERE filepath = ?1"))?.exists([filepath])?)
    }
}

fn statement(schema: &Schema) -> String {
    let columns: String = schema.fields().iter().map(|field| format!(", {}", column(field.id))).collect();
    let values = ", ?".repeat(schema.fields().len());
    format!("INSERT INTO {} (id, filepath, tags{columns}) VALUES (?, ?, ?{values}) ON CONFLICT (id) DO NOTHING", schema.layout.samples())
}

/// Puts the labels or the vector of a field of a sample where they belong; scalars are in the sample's row already.
pub(crate) fn put(transaction: &Transaction<'_>, schema: &mut Schema, sample: i64, position: usize, value: &FieldValue) -> Result<(), StoreFailure> {
    let (layout, field) = (schema.layout, schema.fields()[position].id);
    match value {
        FieldValue::Labels(labels) => {
            let sql = format!(
                "INSERT INTO {} (pk, id, label, confidence, region, tags, attributes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, jsonb(?7)) ON CONFLICT (id) DO NOTHING",
                layout.labels(field)
            );
            let mut statement = transaction.prepare_cached(&sql)?;
            for (at, label) in labels.labels.iter().enumerate() {
                let id = label.id.clone().unwrap_or_else(ItemId::generate);
                let added = statement.execute((
                    label_pk(sample, at),
                    id_bytes(&id, "label")?.as_slice(),
                    label.label.as_deref(),
                    label.confidence,
                    region_cell(label.region.as_ref()),
                    tags_cell(&label.tags),
                    attributes_cell(&label.attributes),
                ))?;
                if added == 0 {
                    let name = &schema.fields()[position].name;
                    return Err(Error::new(ErrorKind::Conflict, format!("label id {id} is in field {name:?} of the dataset already"))
                        .with_hint("give every label an id of its own, or none to have one made")
                        .into());
                }
                for (name, value) in &label.attributes {
                    schema.note_attribute(position, name, FieldType::of_attribute(value));
                }
            }
        }
        FieldValue::Vector(vector) => {
            let sql = format!("INSERT OR REPLACE INTO {} (sample, vector) VALUES (?1, ?2)", layout.vectors(field));
            transaction.prepare_cached(&sql)?.execute((sample, vector_bytes(vector)))?;
        }
        _ => {}
    }
    Ok(())
}

/// Removes a sample's labels or vector of one field.
pub(crate) fn clear(transaction: &Transaction<'_>, schema: &Schema, sample: i64, position: usize) -> rusqlite::Result<()> {
    let field = &schema.fields()[position];
    let sql = match field.field_type {
        FieldType::Labels(_) => format!("DELETE FROM {} WHERE {}", schema.layout.labels(field.id), is_label_of("pk", "?1")),
        FieldType::Vector => format!("DELETE FROM {} WHERE sample = ?1", schema.layout.vectors(field.id)),
        _ => return Ok(()),
    };
    transaction.prepare_cached(&sql)?.execute([sample])?;
    Ok(())
}

/// Removes a sample with everything it has.
pub(crate) fn remove(transaction: &Transaction<'_>, schema: &Schema, sample: i64) -> rusqlite::Result<()> {
    for position in 0..schema.fields().len() {
        clear(transaction, schema, sample, position)?;
    }
    transaction.prepare_cached(&format!("DELETE FROM {} WHERE pk = ?1", schema.layout.samples()))?.execute([sample])?;
    Ok(())
}

/// The `pk` of a sample.
pub(crate) fn pk_of(transaction: &Transaction<'_>, schema: &Schema, id: &ItemId) -> rusqlite::Result<Option<i64>> {
    let Some(bytes) = id.as_bytes() else { return Ok(None) };
    let sql = format!("SELECT pk FROM {} WHERE id = ?1", schema.layout.samples());
    transaction.prepare_cached(&sql)?.query_row([bytes.as_slice()], |row| row.get(0)).optional()
}

/// Says which sample a refused value belongs to.
struct Whose<'a>(&'a Sample);

impl std::fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0.id {
            Some(id) => write!(f, "sample {id} ({})", self.0.filepath),
            None => write!(f, "sample {}", self.0.filepath),
        }
    }
}

fn check(sample: &Sample, schema: &Schema) -> Result<(), Error> {
    let whose = Whose(sample);
    if sample.filepath.is_empty() {
        return Err(Error::invalid(format!("{whose} has an empty filepath")).with_hint("give every sample the path of its photo"));
    }
    if let Some(id) = &sample.id {
        id_bytes(id, "sample")?;
    }
    for (position, (name, value)) in sample.fields.iter().enumerate() {
        schema.check(name, value, &whose)?;
        if sample.fields[..position].iter().any(|(earlier, _)| earlier == name) {
            return Err(Error::invalid(format!("{whose} has field {name:?} twice")).with_hint("give every field one value"));
        }
        check_value(name, value, &whose)?;
    }
    Ok(())
}

/// Refuses a value that could not be stored as it is.
pub(crate) fn check_value(name: &str, value: &FieldValue, whose: &dyn std::fmt::Display) -> Result<(), Error> {
    match value {
        FieldValue::Float(number) if number.is_nan() => {
            Err(Error::invalid(format!("field {name:?} of {whose} is NaN, which is no value"))
                .with_hint("leave the field out where there is no number"))
        }
        FieldValue::Labels(labels) => check_labels(labels)
            .map_err(|error| Error::invalid(format!("field {name:?} of {whose}: {error}")).with_hint(error.hint().unwrap_or("mend the label"))),
        _ => Ok(()),
    }
}

fn check_labels(labels: &Labels) -> Result<(), Error> {
    let count = labels.labels.len();
    if labels.class == LabelClass::Classification && count != 1 {
        return Err(Error::invalid(format!("a Classification holds one label, not {count}"))
            .with_hint("use Classifications for several, and no value for none"));
    }
    if count > MOST_LABELS {
        return Err(Error::unsupported(format!("{count} labels in one field, but one holds at most {MOST_LABELS}")));
    }
    let mut ids = HashSet::new();
    for label in &labels.labels {
        check_label(label)?;
        if let Some(id) = &label.id
            && !ids.insert(id)
        {
            return Err(Error::invalid(format!("label id {id} comes twice")).with_hint("give every label an id of its own"));
        }
    }
    Ok(())
}

fn check_label(label: &Label) -> Result<(), Error> {
    if let Some(id) = &label.id {
        id_bytes(id, "label")?;
    }
    let region_is_finite = match &label.region {
        None => true,
        Some(Region::Box(sides)) => sides.iter().all(|side| side.is_finite()),
        Some(Region::Lines(lines)) => lines.iter().flatten().flatten().all(|side| side.is_finite()),
    };
    if region_is_finite && label.confidence.is_none_or(f64::is_finite) {
        return Ok(());
    }
    Err(Error::invalid("a confidence or a region has a number that is not finite").with_hint("leave the label out, or mend its numbers"))
}

/// The path as it is stored: absolute, unless it is a URL.
fn absolute(filepath: &str) -> Result<Cow<'_, str>, Error> {
    if filepath.contains("://") || Path::new(filepath).is_absolute() {
        return Ok(Cow::Borrowed(filepath));
    }
    let whole = std::path::absolute(filepath).map_err(|source| Error::io("find", Path::new(filepath), source))?;
    Ok(Cow::Owned(whole.to_string_lossy().into_owned()))
}
