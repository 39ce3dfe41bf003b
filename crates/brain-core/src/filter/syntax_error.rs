//! What is wrong with a filter's text, and how that is shown.

use crate::Error;

/// What is wrong, and where.
pub(super) struct SyntaxError {
    what: String,
    column: usize,
    hint: Option<&'static str>,
}

impl SyntaxError {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), column: 0, hint: None }
    }

    pub(super) fn at(mut self, column: usize) -> Self {
        self.column = column;
        self
    }

    pub(super) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The library's error, with the filter's `text` and a caret under the column.
    pub(super) fn into_error(self, text: &str) -> Error {
        let pointer = "-".repeat(self.column.saturating_sub(1));
        let shown = text.replace(['\n', '\t', '\r'], " ");
        Error::invalid(format!("the filter does not parse at column {}: {}\n  {shown}\n  {pointer}^", self.column, self.what))
            .with_operation("parse filter")
            .with_hint(self.hint.unwrap_or("a filter reads like: ground_truth.label == \"dog\" and confidence > 0.5"))
    }
}
