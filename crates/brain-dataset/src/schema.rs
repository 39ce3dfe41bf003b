//! The fields of a dataset as one transaction sees them.

use std::collections::{BTreeMap, HashMap, HashSet};

use brain_core::{Error, FieldValue, is_identifier};
use brain_store::StoreFailure;
use rusqlite::{Connection, OptionalExtension};

use crate::encode::json;
use crate::field::{Field, FieldType};
use crate::layout::{Layout, column};
use crate::names::did_you_mean;

/// Names that every sample has, so that no field can.
pub(crate) const RESERVED: [&str; 3] = ["id", "filepath", "tags"];

/// SQLite allows 2,000 columns; this leaves room for the fixed ones.
const MOST_FIELDS: usize = 1_900;

/// A dataset's fields and count. Read inside a transaction, it stays true until the transaction ends.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) layout: Layout,
    pub(crate) samples: u64,
    fields: Vec<Field>,
    by_name: HashMap<String, usize>,
    /// The fields whose attributes have changed since they were read.
    changed: HashSet<usize>,
}

impl Schema {
    pub(crate) fn load(connection: &Connection, dataset: i64, name: &str) -> Result<Self, StoreFailure> {
        let samples = connection
            .prepare_cached("SELECT samples FROM dataset_dataset WHERE id = ?1")?
            .query_row([dataset], |row| row.get(0))
            .optional()?
            .ok_or_else(|| Error::not_found(format!("dataset {name:?} was deleted")).with_hint("open it again, if it was made anew"))?;
        let mut statement =
            connection.prepare_cached("SELECT id, name, type, indexed, attributes FROM dataset_field WHERE dataset = ?1 ORDER BY id")?;
        let mut rows = statement.query([dataset])?;
        let mut fields = Vec::new();
        while let Some(row) = rows.next()? {
            // A type that this version does not know is still kept and exported.
            let known = |name: &str| FieldType::from_name(name).unwrap_or(FieldType::Other);
            let attributes: BTreeMap<String, String> = json(row, 4)?;
            fields.push(Field {
                id: row.get(0)?,
                name: row.get(1)?,
                field_type: known(&row.get::<_, String>(2)?),
                indexed: row.get(3)?,
                attributes: attributes.into_iter().map(|(name, field_type)| (name, known(&field_type))).collect(),
            });
        }
        let by_name = fields.iter().enumerate().map(|(position, field)| (field.name.clone(), position)).collect();
        Ok(Self { layout: Layout { dataset }, samples, fields, by_name, changed: HashSet::new() })
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn into_fields(self) -> Vec<Field> {
        self.fields
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).map(|&position| &self.fields[position])
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The field of this name; the error names those that exist.
    pub(crate) fn field(&self, name: &str) -> Result<&Field, Error> {
        self.find(name).ok_or_else(|| {
            let names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).chain(RESERVED).collect();
            Error::not_found(format!("the dataset has no field {name:?}")).with_hint(did_you_mean(name, &names, "it has"))
        })
    }

    /// The label field of this name.
    pub(crate) fn label_field(&self, name: &str) -> Result<&Field, Error> {
        let field = self.field(name)?;
        if field.field_type.is_labels() {
            return Ok(field);
        }
        let fields: Vec<&str> = self.fields.iter().filter(|field| field.field_type.is_labels()).map(|field| field.name.as_str()).collect();
        let hint =
            if fields.is_empty() { "the dataset has no label field".to_owned() } else { format!("the label fields are {}", fields.join(", ")) };
        Err(Error::invalid(format!("{name:?} is no label field, but of type {}", field.field_type)).with_hint(hint))
    }

    /// Refuses a value that the field `name` cannot hold; `whose` says which sample it is of.
    pub(crate) fn check(&self, name: &str, value: &FieldValue, whose: &dyn std::fmt::Display) -> Result<(), Error> {
        let incoming = FieldType::of(value);
        match self.find(name) {
            Some(field) if field.field_type.with(incoming).is_none() => {
                Err(Error::invalid(format!("field {name:?} of {whose} is of type {incoming}, but the dataset holds it as {}", field.field_type))
                    .with_hint("give the value the field's type, or import it under another name"))
            }
            Some(_) => Ok(()),
            None if RESERVED.contains(&name) => {
                Err(Error::invalid(format!("{whose} has a field {name:?}, which is the name of a part of every sample"))
                    .with_hint("give the field another name"))
            }
            None if !is_identifier(name) => Err(Error::invalid(format!("{whose} has a field {name:?}, which is no identifier"))
                .with_hint("name fields with letters, digits and underscores, not beginning with a digit")),
            None => Ok(()),
        }
    }

    /// Makes room for values of a type that [`check`](Self::check) let pass; the field's position.
    pub(crate) fn admit(&mut self, connection: &Connection, name: &str, incoming: FieldType) -> Result<usize, StoreFailure> {
        let Some(position) = self.position(name) else { return self.declare(connection, name, incoming) };
        let field = &mut self.fields[position];
        let wanted = field.field_type.with(incoming).unwrap_or(field.field_type);
        if wanted != field.field_type {
            field.field_type = wanted;
            connection.execute("UPDATE dataset_field SET type = ?1 WHERE id = ?2", (wanted.as_str(), field.id))?;
            // Of all changes of type only the one from null needs a table of its own.
            create_table(connection, self.layout, field)?;
        }
        Ok(position)
    }

    fn declare(&mut self, connection: &Connection, name: &str, field_type: FieldType) -> Result<usize, StoreFailure> {
        if self.fields.len() >= MOST_FIELDS {
            return Err(Error::unsupported(format!("field {name:?} would be number {}, but a dataset holds at most {MOST_FIELDS}", MOST_FIELDS + 1))
                .with_hint("drop fields that are not needed, or keep several values as one document")
                .into());
        }
        connection
            .execute("INSERT INTO dataset_field (dataset, name, type) VALUES (?1, ?2, ?3)", (self.layout.dataset, name, field_type.as_str()))?;
        let field = Field { id: connection.last_insert_rowid(), name: name.to_owned(), field_type, indexed: false, attributes: BTreeMap::new() };
        connection.execute_batch(&format!("ALTER TABLE {} ADD COLUMN {}", self.layout.samples(), column(field.id)))?;
        create_table(connection, self.layout, &field)?;
        self.by_name.insert(name.to_owned(), self.fields.len());
        self.fields.push(field);
        Ok(self.fields.len() - 1)
    }

    /// Notes that a label of the field at `position` has this attribute; kept by [`save_attributes`](Self::save_attributes).
    pub(crate) fn note_attribute(&mut self, position: usize, name: &str, field_type: FieldType) {
        let attributes = &mut self.fields[position].attributes;
        match attributes.get_mut(name) {
            Some(known) => {
                let wanted = known.with(field_type).unwrap_or(FieldType::Other);
                if *known != wanted {
                    *known = wanted;
                    self.changed.insert(position);
                }
            }
            None => {
                attributes.insert(name.to_owned(), field_type);
                self.changed.insert(position);
            }
        }
    }

    pub(crate) fn save_attributes(&mut self, connection: &Connection) -> Result<(), StoreFailure> {
        for position in self.changed.drain() {
            let field = &self.fields[position];
            let text = serde_json::to_string(&field.attributes).map_err(|source| Error::unexpected(source.to_string()))?;
            connection.execute("UPDATE dataset_field SET attributes = ?1 WHERE id = ?2", (text, field.id))?;
        }
        Ok(())
    }
}

fn create_table(connection: &Connection, layout: Layout, field: &Field) -> rusqlite::Result<()> {
    match field.field_type {
        FieldType::Labels(_) => connection.execute_batch(&layout.create_labels(field.id)),
        FieldType::Vector => connection.execute_batch(&layout.create_vectors(field.id)),
        _ => Ok(()),
    }
}
