//! Samples, read whole or in part.

use brain_core::{Error, FieldValue, ItemId, ItemKind, Labels, Result, Sample, View, enumerate};
use brain_store::StoreFailure;
use rusqlite::{Connection, params_from_iter};

use crate::Dataset;
use crate::dataset::wrong_kind;
use crate::encode::{LABEL_COLUMNS, id_at, label_at, scalar, tags_at, vector_at};
use crate::field::{Field, FieldType};
use crate::fragment::{Array, Fragment, array, id_array};
use crate::layout::{column, is_label_of};
use crate::rows::Rows;
use crate::schema::Schema;
use crate::view::{LabelFilter, left_labels};

/// Which fields of samples are read. What is not asked for is not read from disk: leave vectors out where they are not needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fields<'a> {
    /// All of them.
    #[default]
    All,
    /// These; the id, the filepath and the tags always come.
    Only(&'a [&'a str]),
}

impl Dataset {
    /// The samples of a view, in its order, with what `filter_labels` left of their labels. A field without a value is not listed.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a view of patches: see [`patches`](Self::patches).
    pub fn samples(&self, view: &View, fields: Fields<'_>) -> Result<Rows<Sample>> {
        let resolution = self.rows(view)?;
        if resolution.kind == ItemKind::Patches {
            return Err(wrong_kind(ItemKind::Samples).with_operation("read samples"));
        }
        let wanted = self.wanted(fields)?;
        let filters = resolution.label_filters;
        Ok(Rows::new(self, resolution.rows, Box::new(move |connection, schema, rows| page(connection, schema, &rows, wanted.as_deref(), &filters))))
    }

    /// The samples with these ids, in the order asked; an id asked twice comes twice.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound), naming ids that the dataset does not have, or an unknown field.
    pub fn get_samples(&self, ids: &[ItemId], fields: Fields<'_>) -> Result<Vec<Sample>> {
        let wanted = self.wanted(fields)?;
        self.snapshot("read samples", |connection, schema| {
            let mut rows = Vec::with_capacity(ids.len());
            let mut unknown = Vec::new();
            let mut statement = connection.prepare_cached(&format!("SELECT pk FROM {} WHERE id = ?1", schema.layout.samples()))?;
            for id in ids {
                let found = match id.as_bytes() {
                    Some(bytes) => statement.query([bytes.as_slice()])?.next()?.map(|row| row.get::<_, i64>(0)).transpose()?,
                    None => None,
                };
                match found {
                    Some(row) => rows.push(row),
                    None => unknown.push(id),
                }
            }
            if !unknown.is_empty() {
                return Err(unknown_ids("sample", self.name(), &unknown).into());
            }
            page(connection, schema, &array(rows), wanted.as_deref(), &[])
        })
    }

    /// The sample with this id.
    ///
    /// # Errors
    /// As [`get_samples`](Self::get_samples).
    pub fn get_sample(&self, id: &ItemId) -> Result<Sample> {
        let mut samples = self.get_samples(std::slice::from_ref(id), Fields::All)?;
        samples.pop().ok_or_else(|| unknown_ids("sample", self.name(), &[id]))
    }

    /// Those of these ids that no sample has, in the order asked.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn unknown_samples(&self, ids: &[ItemId]) -> Result<Vec<ItemId>> {
        self.snapshot("find samples", |connection, schema| {
            let sql = format!("SELECT id FROM {} WHERE id IN (SELECT value FROM rarray(?))", schema.layout.samples());
            let known: std::collections::HashSet<ItemId> =
                connection.prepare_cached(&sql)?.query_map([id_array(ids)], |row| id_at(row, 0))?.collect::<Result<_, _>>()?;
            Ok(ids.iter().filter(|id| !known.contains(id)).cloned().collect())
        })
    }

    /// The names asked for, made sure of; `None` for all.
    fn wanted(&self, fields: Fields<'_>) -> Result<Option<Vec<String>>> {
        let Fields::Only(names) = fields else { return Ok(None) };
        self.snapshot("read samples", |_, schema| {
            for name in names {
                schema.field(name)?;
            }
            Ok(Some(names.iter().map(|name| (*name).to_owned()).collect()))
        })
    }
}

/// The error of ids that a dataset does not have.
pub(crate) fn unknown_ids(what: &str, dataset: &str, unknown: &[&ItemId]) -> Error {
    Error::not_found(format!("dataset {dataset:?} has no {what} {}", enumerate(unknown)))
        .with_hint("check the ids; `brain dataset samples` lists them")
}

/// The samples of these rows that are still there, in order.
fn page(
    connection: &Connection,
    schema: &Schema,
    rows: &Array,
    wanted: Option<&[String]>,
    filters: &[LabelFilter],
) -> Result<Vec<Sample>, StoreFailure> {
    let is_wanted = |field: &&Field| wanted.is_none_or(|names| names.contains(&field.name));
    let fields: Vec<&Field> = schema.fields().iter().filter(is_wanted).collect();
    let mut page = Page::read(connection, schema, rows, &fields)?;
    for (at, field) in fields.iter().enumerate() {
        match field.field_type {
            FieldType::Labels(_) => page.read_labels(connection, schema, rows, at, field, filters)?,
            FieldType::Vector => page.read_vectors(connection, schema, rows, at, field)?,
            _ => {}
        }
    }
    Ok(page.finish(&fields))
}

struct Page {
    samples: Vec<Sample>,
    /// Of each sample its fields' values.
    values: Vec<Vec<Option<FieldValue>>>,
    /// Of each row asked for its sample; `None` for one that is gone.
    sample_of: Vec<Option<usize>>,
}

impl Page {
    fn read(connection: &Connection, schema: &Schema, rows: &Array, fields: &[&Field]) -> Result<Self, StoreFailure> {
        let columns: String = fields.iter().map(|field| format!(", s.{}", column(field.id))).collect();
        let samples = schema.layout.samples();
        let sql = format!("SELECT r.rowid, s.id, s.filepath, s.tags{columns} FROM rarray(?) AS r CROSS JOIN {samples} AS s ON s.pk = r.value");
        let mut page = Self { samples: Vec::with_capacity(rows.len()), values: Vec::with_capacity(rows.len()), sample_of: vec![None; rows.len()] };
        let mut statement = connection.prepare_cached(&sql)?;
        let mut found = statement.query([rows])?;
        while let Some(row) = found.next()? {
            page.sample_of[position(row)?] = Some(page.samples.len());
            page.samples.push(Sample { id: Some(id_at(row, 1)?), filepath: row.get(2)?, tags: tags_at(row, 3)?, fields: Vec::new() });
            let value = |(at, field): (usize, &&Field)| {
                let is_there = row.get_ref(4 + at)? != rusqlite::types::ValueRef::Null;
                match field.field_type {
                    // A list may be there and empty.
                    FieldType::Labels(class) if is_there => Ok(Some(FieldValue::Labels(Labels { class, labels: Vec::new() }))),
                    field_type => scalar(field_type, row, 4 + at),
                }
            };
            page.values.push(fields.iter().enumerate().map(value).collect::<rusqlite::Result<_>>()?);
        }
        Ok(page)
    }

    fn read_labels(
        &mut self,
        connection: &Connection,
        schema: &Schema,
        rows: &Array,
        at: usize,
        field: &Field,
        filters: &[LabelFilter],
    ) -> Result<(), StoreFailure> {
        let condition = is_label_of("l.pk", "r.value");
        let labels = schema.layout.labels(field.id);
        let mut select =
            Fragment::new(format!("SELECT r.rowid, {LABEL_COLUMNS} FROM rarray(?) AS r CROSS JOIN {labels} AS l NOT INDEXED ON {condition}"))
                .bind(rows.clone());
        if let Some(left) = left_labels(schema, field, filters)? {
            select.push(" WHERE ");
            select.append(left);
        }
        select.push(" ORDER BY r.rowid, l.pk");
        let mut statement = connection.prepare_cached(select.text())?;
        let mut found = statement.query(params_from_iter(select.values()))?;
        while let Some(row) = found.next()? {
            if let Some(sample) = self.sample_of[position(row)?]
                && let Some(FieldValue::Labels(labels)) = &mut self.values[sample][at]
            {
                labels.labels.push(label_at(row, 1)?);
            }
        }
        Ok(())
    }

    fn read_vectors(&mut self, connection: &Connection, schema: &Schema, rows: &Array, at: usize, field: &Field) -> Result<(), StoreFailure> {
        let vectors = schema.layout.vectors(field.id);
        let sql = format!("SELECT r.rowid, v.vector FROM rarray(?) AS r CROSS JOIN {vectors} AS v ON v.sample = r.value");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut found = statement.query([rows])?;
        while let Some(row) = found.next()? {
            if let Some(sample) = self.sample_of[position(row)?] {
                self.values[sample][at] = Some(FieldValue::Vector(vector_at(row, 1)?));
            }
        }
        Ok(())
    }

    fn finish(mut self, fields: &[&Field]) -> Vec<Sample> {
        for (sample, values) in self.samples.iter_mut().zip(self.values) {
            sample.fields = fields.iter().zip(values).filter_map(|(field, value)| Some((field.name.clone(), value?))).collect();
        }
        self.samples
    }
}

/// Which of the rows asked for this one is, from 0; `rarray` counts from 1.
fn position(row: &rusqlite::Row<'_>) -> rusqlite::Result<usize> {
    Ok(row.get::<_, usize>(0)? - 1)
}
