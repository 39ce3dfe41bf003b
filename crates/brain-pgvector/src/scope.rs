//! Which rows are meant, as SQL.

use brain_core::{ItemId, Scope, Selector};

use crate::table::Ranked;

/// Up to so many ids are looked up one by one, whichever they are. For more, PostgreSQL must know them when it plans: then it may read the table and look
/// each row's id up in a hash of them, where otherwise it would compare it with every one.
const LOOKED_UP: usize = 2_000;

/// Rows that are meant: the SQL that follows the table's name, and the ids that it speaks of.
pub(crate) struct Clause {
    pub(crate) sql: String,
    /// `None` where all rows are meant.
    pub(crate) ids: Option<Vec<String>>,
}

impl Clause {
    /// All rows.
    pub(crate) fn all() -> Self {
        Self { sql: String::new(), ids: None }
    }

    /// A scope, whose ids are the parameter of this number.
    pub(crate) fn of(scope: Scope<'_>, ranked: &Ranked, number: usize) -> Self {
        match scope {
            Scope::All => Self::all(),
            Scope::Items(set) => Self::by("id", set.as_slice(), number),
            Scope::Samples(set) => Self::by(ranked.sample, set.as_slice(), number),
        }
    }

    /// The items of a selector, each once.
    pub(crate) fn selected(selector: Selector<'_>, ranked: &Ranked, number: usize) -> Self {
        let distinct = |ids: &[ItemId]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        match selector {
            Selector::All => Self::all(),
            Selector::Items(ids) => Self::by("id", &distinct(ids), number),
            Selector::Samples(ids) => Self::by(ranked.sample, &distinct(ids), number),
        }
    }

    fn by(column: &str, ids: &[ItemId], number: usize) -> Self {
        Self { sql: format!(" WHERE {column} = ANY(${number})"), ids: Some(ids.iter().map(ItemId::to_string).collect()) }
    }

    /// Whether the statement is worth preparing: its plan does not depend on the ids.
    pub(crate) fn is_lasting(&self) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.len() <= LOOKED_UP)
    }
}
