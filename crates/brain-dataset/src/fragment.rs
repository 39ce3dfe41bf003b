//! A piece of SQL with the values bound to it.

use std::rc::Rc;

use brain_core::ItemId;
use brain_store::PooledConnection;
use rusqlite::types::Value;
use rusqlite::{Connection, ToSql};

/// SQL text and the values of its `?`, in the order they stand in it.
///
/// Text only ever comes from this crate; whatever a user wrote is bound.
#[derive(Default)]
pub(crate) struct Fragment {
    text: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Fragment {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Gives the next `?` of the text its value.
    pub(crate) fn bind(mut self, value: impl ToSql + 'static) -> Self {
        self.values.push(Box::new(value));
        self
    }

    /// Adds text that has no `?`.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.values.extend(other.values);
    }

    /// `(a word b word …)`, nested by halves: SQLite bounds the depth of an expression, and a plain chain is as deep as it is long.
    pub(crate) fn joined(mut parts: Vec<Self>, word: &str) -> Self {
        if parts.len() > 1 {
            let right = parts.split_off(parts.len() / 2);
            let mut whole = Self::new("(");
            whole.append(Self::joined(parts, word));
            whole.push(word);
            whole.append(Self::joined(right, word));
            whole.push(")");
            return whole;
        }
        parts.pop().unwrap_or_default()
    }

    /// The condition that this one does not hold: true also where this one is NULL, which keeps the logic two-valued.
    pub(crate) fn negated(self) -> Self {
        let mut whole = Self::new("((");
        whole.append(self);
        whole.push(") IS NOT TRUE)");
        whole
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.values.iter().map(|value| &**value)
    }
}

/// Values bound as a table: `SELECT value FROM rarray(?)`. The connection must be [`with_arrays`].
pub(crate) type Array = Rc<Vec<Value>>;

pub(crate) fn array<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Array {
    Rc::new(values.into_iter().map(Into::into).collect())
}

/// Those of the ids that a dataset could hold, as a table.
pub(crate) fn id_array<'a>(ids: impl IntoIterator<Item = &'a ItemId>) -> Array {
    array(ids.into_iter().filter_map(ItemId::as_bytes).map(|bytes| bytes.to_vec()))
}

/// Makes `rarray` known to a connection; cheap when it already is.
pub(crate) fn with_arrays(connection: &Connection) -> rusqlite::Result<()> {
    let known = connection.prepare_cached("SELECT 1 FROM pragma_module_list WHERE name = 'rarray'")?.exists([])?;
    if known { Ok(()) } else { rusqlite::vtab::array::load_module(connection) }
}

/// A connection that knows `rarray`.
pub(crate) fn connect(database: &brain_store::Database) -> brain_core::Result<PooledConnection> {
    let connection = database.connect()?;
    with_arrays(&connection).map_err(|source| database.error("open dataset", source))?;
    Ok(connection)
}
