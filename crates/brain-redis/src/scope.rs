//! Which rows are meant, as keys.

use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{ItemId, ItemSet};
use bytes::Bytes;

use crate::connect::line;

/// Keys as words of a command.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct KeyWords {
    pub(crate) count: usize,
    pub(crate) words: Vec<u8>,
}

impl KeyWords {
    pub(crate) fn new<'a>(prefix: &str, ids: impl IntoIterator<Item = &'a ItemId>) -> Self {
        use std::fmt::Write as _;
        let ids = ids.into_iter();
        let (mut count, mut words) = (0, Vec::with_capacity(ids.size_hint().0 * (prefix.len() + 24 + 8)));
        let mut text = String::new();
        for id in ids {
            count += 1;
            text.clear();
            // Writing to memory does not fail.
            let _ = write!(text, "{id}");
            line::write_word(&mut words, &[prefix.as_bytes(), text.as_bytes()]);
        }
        Self { count, words }
    }
}

/// The keys of the last set of ids: a view is asked more than once.
#[derive(Default)]
pub(crate) struct Keys(Mutex<Option<(u64, Arc<KeyWords>)>>);

impl Keys {
    pub(crate) fn of(&self, prefix: &str, set: &ItemSet) -> Arc<KeyWords> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((digest, keys)) if *digest == set.digest() && keys.count == set.len() => Arc::clone(keys),
            _ => {
                let keys = Arc::new(KeyWords::new(prefix, set.as_slice()));
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
        assert_eq!(keys("birds:", set.as_slice()), ["birds:6b01656cdf05e9355da64f3c", "birds:b"]);
        let words = known.of("birds:", &set);
        assert_eq!((words.count, words.words.as_slice()), (2, &b"$30\r\nbirds:6b01656cdf05e9355da64f3c\r\n$7\r\nbirds:b\r\n"[..]));
        assert!(Arc::ptr_eq(&known.of("birds:", &set), &known.of("birds:", &set)));
    }
}
