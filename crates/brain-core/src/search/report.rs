//! An answer and how it was found.

use serde::Serialize;

use super::Route;
use crate::Hit;

/// Rows in order, and how they were found.
#[derive(Clone, Debug)]
pub struct Answer {
    /// One list a query, or a single one where queries were aggregated.
    pub results: Vec<Vec<Hit>>,
    /// How it was found.
    pub report: Report,
}

/// What every answer says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The `k` that was asked for; `None` for everything.
    pub requested: Option<usize>,
    /// How many rows each list has.
    pub returned: usize,
    /// How many items of the view the index lacks.
    pub missing: usize,
    /// Whether these are surely the right rows.
    pub exact: bool,
    /// Which way was taken.
    pub route: Route,
    /// Why that way.
    pub reason: String,
    /// How long it took, in milliseconds.
    pub elapsed_ms: f64,
    /// The backend's own remark or the server's plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}
