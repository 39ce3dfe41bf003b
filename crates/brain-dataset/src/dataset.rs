//! One dataset: the handle whose methods the other modules add.

use std::sync::Arc;

use brain_core::{Error, Item, ItemKind, ResolvedView, Result, View};
use brain_store::{Database, StoreFailure};
use rusqlite::Connection;

use crate::field::Field;
use crate::fragment::connect;
use crate::layout::column;
use crate::schema::Schema;
use crate::view::{Resolution, resolution};

/// A handle on one dataset. It holds no data and no lock; clones are cheap.
#[derive(Clone, Debug)]
pub struct Dataset {
    database: Database,
    id: i64,
    name: Arc<str>,
}

impl Dataset {
    pub(crate) fn new(database: Database, id: i64, name: Arc<str>) -> Self {
        Self { database, id, name }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn id(&self) -> i64 {
        self.id
    }

    pub(crate) fn schema(&self, connection: &Connection) -> Result<Schema, StoreFailure> {
        Schema::load(connection, self.id, &self.name)
    }

    /// Adds to the count of samples.
    pub(crate) fn grow(&self, connection: &Connection, by: u64) -> rusqlite::Result<()> {
        connection.prepare_cached("UPDATE dataset_dataset SET samples = samples + ?1 WHERE id = ?2")?.execute((by, self.id)).map(drop)
    }

    /// Takes from the count of samples.
    pub(crate) fn shrink(&self, connection: &Connection, by: u64) -> rusqlite::Result<()> {
        connection.prepare_cached("UPDATE dataset_dataset SET samples = samples - ?1 WHERE id = ?2")?.execute((by, self.id)).map(drop)
    }

    /// Reads from one state of the dataset, whatever is written meanwhile.
    pub(crate) fn snapshot<T>(&self, operation: &'static str, body: impl FnOnce(&Connection, &Schema) -> Result<T, StoreFailure>) -> Result<T> {
        let connection = connect(&self.database)?;
        let read = || {
            // Nothing is written, so that its rollback at the end is right.
            let transaction = connection.unchecked_transaction()?;
            body(&transaction, &self.schema(&transaction)?)
        };
        read().map_err(|failure| match failure {
            StoreFailure::Sqlite(source) => self.database.error(operation, source),
            StoreFailure::Library(error) => error.with_operation(operation),
        })
    }

    /// What a view means now, as rows of the tables.
    pub(crate) fn rows(&self, view: &View) -> Result<Resolution> {
        self.snapshot("resolve view", |connection, schema| resolution(connection, schema, view))
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many samples there are.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) when the dataset was deleted; those of the storage.
    pub fn count(&self) -> Result<u64> {
        self.snapshot("count samples", |_, schema| Ok(schema.samples))
    }

    /// The fields, in the order they came.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn fields(&self) -> Result<Vec<Field>> {
        self.database.read("read fields", |connection| Ok::<_, StoreFailure>(self.schema(connection)?.into_fields()))
    }

    /// The field of this name.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound), naming the fields there are.
    pub fn field(&self, name: &str) -> Result<Field> {
        self.database.read("read field", |connection| Ok::<_, StoreFailure>(self.schema(connection)?.field(name)?.clone()))
    }

    /// The items of a view: samples, or patches after `to_patches`. Memory holds the items, about 70 bytes each.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for an unknown field, naming those there are;
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a stage that does not fit the field or the stages before it.
    pub fn resolve(&self, view: &View) -> Result<ResolvedView> {
        let items = self.snapshot("resolve view", |connection, schema| crate::view::items(connection, schema, view))?;
        Ok(ResolvedView::new(view.kind(), items))
    }

    /// How many items a view has.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn count_view(&self, view: &View) -> Result<u64> {
        if view.is_whole() { self.count() } else { Ok(self.rows(view)?.rows.len() as u64) }
    }

    /// Makes an index of a scalar field, so that filters for rare values and sorting by it need not scan all samples.
    /// Adding samples becomes a little slower.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a field that is not scalar; as [`field`](Self::field).
    pub fn create_index(&self, field: &str) -> Result<()> {
        self.database.write("create index", |transaction| {
            let schema = self.schema(transaction)?;
            let field = schema.field(field)?;
            if !field.field_type.is_scalar() {
                return Err(StoreFailure::from(
                    Error::invalid(format!("field {:?} is of type {}, which cannot be indexed", field.name, field.field_type))
                        .with_hint("index fields of bool, int, float or text; classes of labels are indexed already"),
                ));
            }
            let (index, table, column) = (schema.layout.field_index(field.id), schema.layout.samples(), column(field.id));
            transaction.execute_batch(&format!("CREATE INDEX IF NOT EXISTS {index} ON {table} ({column})"))?;
            transaction.execute("UPDATE dataset_field SET indexed = 1 WHERE id = ?1", [field.id])?;
            Ok(())
        })
    }
}

/// Whether rows of the tables are samples or labels, told for a message.
pub(crate) fn wrong_kind(wanted: ItemKind) -> Error {
    match wanted {
        ItemKind::Samples => {
            Error::invalid("the view is one of patches, but samples are wanted").with_hint("leave to_patches out of the view, or ask for its patches")
        }
        ItemKind::Patches => Error::invalid("the view is one of samples, but patches are wanted").with_hint("end the view with to_patches(field)"),
    }
}

/// The item of a row: a sample's id, or a label's id with its sample's.
pub(crate) fn item_at(kind: ItemKind, row: &rusqlite::Row<'_>) -> rusqlite::Result<Item> {
    let id = crate::encode::id_at(row, 0)?;
    Ok(match kind {
        ItemKind::Samples => Item::sample(id),
        ItemKind::Patches => Item::patch(id, crate::encode::id_at(row, 1)?),
    })
}
