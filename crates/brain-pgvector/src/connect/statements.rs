//! The prepared statements of one connection, by their text: as many as are worth keeping, the least lately used given up first.

use std::collections::HashMap;

use tokio_postgres::Statement;

/// A workload has a dozen texts; each statement costs the server some memory, and texts that name many tables must not pile up.
const KEPT: usize = 64;

#[derive(Default)]
pub(super) struct Statements {
    by_text: HashMap<Box<str>, (Statement, u64)>,
    clock: u64,
}

impl Statements {
    pub(super) fn get(&mut self, sql: &str) -> Option<Statement> {
        self.clock += 1;
        let (statement, used) = self.by_text.get_mut(sql)?;
        *used = self.clock;
        Some(statement.clone())
    }

    pub(super) fn keep(&mut self, sql: &str, statement: Statement) {
        if self.by_text.len() >= KEPT
            && let Some(oldest) = self.by_text.iter().min_by_key(|(_, (_, used))| used).map(|(text, _)| text.clone())
        {
            // The driver closes a statement on the server when it is dropped.
            self.by_text.remove(&oldest);
        }
        self.by_text.insert(sql.into(), (statement, self.clock));
    }

    pub(super) fn forget(&mut self, sql: &str) {
        self.by_text.remove(sql);
    }
}
