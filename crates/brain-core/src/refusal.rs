//! What every backend refuses in the same words.

use crate::{Error, ErrorKind, ExistingIndex, IndexSpec, ItemId, Result, enumerate};

impl ExistingIndex {
    /// Refuses an index that is not what is expected; `what` names it: `the local index "birds"`.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict), which says both sides.
    pub fn check(&self, found: &IndexSpec, what: &str) -> Result<()> {
        let mut differences = Vec::new();
        if let Some(expected) = self.dimension.filter(|&expected| expected != found.dimension) {
            differences.push(format!("has vectors of {} numbers, not {expected}", found.dimension));
        }
        if let Some(expected) = self.metric.filter(|&expected| expected != found.metric) {
            differences.push(format!("ranks by {}, not {expected}", found.metric));
        }
        if self.items != found.items {
            differences.push(format!("holds {}, not {}", found.items.plural(), self.items.plural()));
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, format!("{what} {}", differences.join(", and ")))
            .with_hint("ask for what is there, or choose another index"))
    }
}

/// The error of a batch of which the index holds `count` items already, `first` among them, under [`OnConflict::Error`](crate::OnConflict::Error).
pub fn already_indexed(first: &ItemId, count: usize) -> Error {
    let others = if count > 1 { format!(", and so are {} others of the batch", count - 1) } else { String::new() };
    Error::new(ErrorKind::Conflict, format!("{first} is indexed already{others}"))
        .with_hint("nothing of the batch was written; choose to overwrite or to skip what is there, or leave these items out")
}

/// The error of ids to remove that an index does not hold, under [`OnMissing::Error`](crate::OnMissing::Error); `what` names the index.
pub fn not_indexed(what: &str, missing: &[ItemId]) -> Error {
    Error::not_found(format!("{what} does not hold {}", enumerate(missing)))
        .with_hint("nothing was removed; leave these ids out, or choose to ignore what is missing")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ItemKind, Metric};

    #[test]
    fn a_mismatch_says_both_sides() {
        let found = IndexSpec { name: "x".into(), dimension: 3, metric: Metric::L1, items: ItemKind::Samples, parameters: Default::default() };
        ExistingIndex::from(&found).check(&found, "it").unwrap();
        ExistingIndex::default().check(&found, "it").unwrap();
        let expected = ExistingIndex { dimension: Some(4), metric: Some(Metric::Cosine), ..ExistingIndex::default() };
        let error = expected.check(&found, "it").unwrap_err();
        assert_eq!(error.message(), "it has vectors of 3 numbers, not 4, and ranks by l1, not cosine");
    }

    #[test]
    fn the_first_and_the_others_are_told() {
        assert_eq!(already_indexed(&"a".into(), 1).message(), "a is indexed already");
        assert_eq!(already_indexed(&"a".into(), 3).message(), "a is indexed already, and so are 2 others of the batch");
        assert_eq!(not_indexed("it", &["b".into()]).message(), "it does not hold b");
    }
}
