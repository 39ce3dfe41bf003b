//! Which rows are meant, as keys.

use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{ItemId, ItemSet};
use bytes::Bytes;

/// The keys of the last set of ids: a view is asked more than once.
#[derive(Default)]
pub(crate) struct Keys(Mutex<Option<(u64, Arc<Vec<Bytes>>)>>);

impl Keys {
    pub(crate) fn of(&self, prefix: &str, set: &ItemSet) -> Arc<Vec<Bytes>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((digest, keys)) if *digest == set.digest() && keys.len() == set.len() => Arc::clone(keys),
            _ => {
                let keys = Arc::new(keys(prefix, set.as_slice()));
                *last = Some((set.digest(), Arc::clone(&keys)));
                keys
            }
        }
    }
}

/// The keys of items, cut out of one piece of memory.
pub(crate) fn keys(prefix: &str, ids: &[ItemId]) -> Vec<Bytes> {
    use std::io::Write as _;
    let mut text = Vec::with_capacity(ids.len() * (prefix.len() + 24));
    let mut ends = Vec::with_capacity(ids.len());
    for id in ids {
        text.extend_from_slice(prefix.as_bytes());
        // Writing to memory does not fail.
        let _ = write!(text, "{id}");
        ends.push(text.len());
    }
    let text = Bytes::from(text);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(&ends).map(|(start, &end)| text.slice(start..end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_prefix_and_the_id() {
        let set = ItemSet::new(vec!["b".into(), "6b01656cdf05e9355da64f3c".into()]);
        let known = Keys::default();
        assert_eq!(*known.of("birds:", &set), ["birds:6b01656cdf05e9355da64f3c", "birds:b"]);
        assert!(Arc::ptr_eq(&known.of("birds:", &set), &known.of("birds:", &set)));
    }
}
