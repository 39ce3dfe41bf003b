//! What stands in for graphs in a program that is built without them.

use brain_core::Result;
use brain_store::Database;
use serde_json::{Value, json};

use super::Walked;
use crate::handle::Handle;
use crate::scan::Scan;
use crate::scope::Rows;
use crate::snapshot::Snapshot;

/// Whether graphs are built and used.
pub(crate) const BUILT_IN: bool = false;

const MISSING: &str = "this program is built without the feature hnsw";

/// No table is needed.
pub(crate) fn migrate(_: &Database) -> Result<()> {
    Ok(())
}

/// Nothing of one index.
#[derive(Default)]
pub(crate) struct Graphs;

impl Graphs {
    pub(crate) fn new(_: u32) -> Self {
        Self
    }

    /// Declines: a graph that another program built stays where it is.
    pub(crate) fn search(&self, _: &Handle, _: &Scan<'_>, _: &Rows) -> Result<Walked> {
        Ok(Walked::Declined(MISSING.to_owned()))
    }

    /// What there is to say of it.
    pub(crate) fn describe(&self, _: &Handle, _: &Snapshot) -> Result<Value> {
        Ok(json!(MISSING))
    }

    /// Nothing is.
    pub(crate) fn is_due(&self, _: &Handle, _: &Snapshot) -> Result<bool> {
        Ok(false)
    }

    /// Builds nothing.
    pub(crate) fn keep_up(&self, _: &Handle) -> Result<()> {
        Ok(())
    }
}
