//! Which rows are meant, as SQL.

use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{ItemId, ItemSet, Scope, Selector};

use crate::table::Ranked;

/// More ids than these are worth a plan of their own: reading the table and looking each row's id up in a hash of them.
const LOOKED_UP: usize = 10_000;
/// And so many where no index finds them: a plan that is made without knowing them compares each row with every one.
const COMPARED: usize = 50;

/// Rows that are meant: the SQL that follows the table's name, and the ids that it speaks of.
pub(crate) struct Clause {
    pub(crate) sql: String,
    /// `None` where all rows are meant.
    pub(crate) ids: Option<Arc<Vec<String>>>,
    is_indexed: bool,
}

/// The ids of the last scope, as text: a view is asked more than once.
#[derive(Default)]
pub(crate) struct Texts(Mutex<Option<(u64, Arc<Vec<String>>)>>);

impl Texts {
    fn of(&self, set: &ItemSet) -> Arc<Vec<String>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((digest, texts)) if *digest == set.digest() && texts.len() == set.len() => Arc::clone(texts),
            _ => {
                let texts = Arc::new(text(set.as_slice()));
                *last = Some((set.digest(), Arc::clone(&texts)));
                texts
            }
        }
    }
}

fn text(ids: &[ItemId]) -> Vec<String> {
    ids.iter().map(ItemId::to_string).collect()
}

impl Clause {
    /// All rows.
    pub(crate) fn all() -> Self {
        Self { sql: String::new(), ids: None, is_indexed: true }
    }

    /// A scope, whose ids are the parameter of this number.
    pub(crate) fn of(scope: Scope<'_>, ranked: &Ranked, number: usize, texts: &Texts) -> Self {
        match scope {
            Scope::All => Self::all(),
            Scope::Items(set) => Self::by("id", texts.of(set), ranked, number),
            Scope::Samples(set) => Self::by(ranked.sample, texts.of(set), ranked, number),
        }
    }

    /// The items of a selector, each once.
    pub(crate) fn selected(selector: Selector<'_>, ranked: &Ranked, number: usize) -> Self {
        let distinct = |ids: &[ItemId]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids.dedup();
            Arc::new(text(&ids))
        };
        match selector {
            Selector::All => Self::all(),
            Selector::Items(ids) => Self::by("id", distinct(ids), ranked, number),
            Selector::Samples(ids) => Self::by(ranked.sample, distinct(ids), ranked, number),
        }
    }

    fn by(column: &str, ids: Arc<Vec<String>>, ranked: &Ranked, number: usize) -> Self {
        let is_indexed = if column == "id" { ranked.ids_indexed } else { ranked.samples_indexed };
        Self { sql: format!(" WHERE {column} = ANY(${number})"), ids: Some(ids), is_indexed }
    }

    /// Whether the statement is worth preparing: its plan does not depend on the ids.
    pub(crate) fn is_lasting(&self) -> bool {
        let most = if self.is_indexed { LOOKED_UP } else { COMPARED };
        self.ids.as_ref().is_none_or(|ids| ids.len() <= most)
    }
}
