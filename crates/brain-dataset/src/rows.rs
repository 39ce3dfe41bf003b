//! Reading a view page by page, in bounded memory and without a lock between pages.

use brain_core::Result;
use brain_store::StoreFailure;
use rusqlite::Connection;

use crate::Dataset;
use crate::fragment::{Array, array};
use crate::schema::Schema;

/// How many rows are read at once.
const PAGE: usize = 1_000;

/// Reads what some rows hold, in their order.
type Load<T> = Box<dyn FnMut(&Connection, &Schema, Array) -> Result<Vec<T>, StoreFailure> + Send>;

/// What the items of a view hold, in the view's order: samples, patches or vectors.
///
/// Memory holds 8 bytes an item of the view and one page of what is read. Which items there are was decided when the iteration was asked for;
/// what they hold is read when their page comes, so one that was deleted meanwhile is passed over. After an error the iteration is over.
pub struct Rows<T> {
    dataset: Dataset,
    rows: std::vec::IntoIter<i64>,
    total: u64,
    page: std::vec::IntoIter<T>,
    load: Load<T>,
}

impl<T> Rows<T> {
    pub(crate) fn new(dataset: &Dataset, rows: Vec<i64>, load: Load<T>) -> Self {
        Self { dataset: dataset.clone(), total: rows.len() as u64, rows: rows.into_iter(), page: Vec::new().into_iter(), load }
    }

    /// How many items the view has. Fewer may come where some have nothing to give, such as a vector.
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl<T> Iterator for Rows<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.page.next() {
                return Some(Ok(value));
            }
            if self.rows.len() == 0 {
                return None;
            }
            let rows = array(self.rows.by_ref().take(PAGE));
            match self.dataset.snapshot("read view", |connection, schema| (self.load)(connection, schema, rows)) {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => {
                    self.rows = Vec::new().into_iter();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<T> std::fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("dataset", &self.dataset.name()).field("total", &self.total).finish_non_exhaustive()
    }
}
