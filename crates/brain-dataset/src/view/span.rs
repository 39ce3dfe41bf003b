//! A stretch of a whole dataset, where positions are arithmetic instead of a scan.

use std::ops::Range;

use rusqlite::Connection;

use crate::schema::Schema;

/// The samples whose primary keys lie in a range. Keys follow each other except for the gaps that deleted samples left.
#[derive(Clone)]
pub(super) struct Span {
    keys: Range<i64>,
    has_gaps: bool,
    is_whole: bool,
}

impl Span {
    pub(super) fn whole(connection: &Connection, schema: &Schema) -> rusqlite::Result<Self> {
        let table = schema.layout.samples();
        let sql = format!("SELECT coalesce((SELECT min(pk) FROM {table}), 1), coalesce((SELECT max(pk) FROM {table}), 0)");
        let (first, last): (i64, i64) = connection.prepare_cached(&sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { keys: first..last + 1, has_gaps: last - first + 1 != schema.samples as i64, is_whole: true })
    }

    /// The range of keys; `None` where it is that of the whole dataset.
    pub(super) fn part(&self) -> Option<&Range<i64>> {
        (!self.is_whole).then_some(&self.keys)
    }

    /// All keys, where that needs no look at the gaps.
    pub(super) fn known_keys(&self) -> Option<Vec<i64>> {
        (!self.has_gaps).then(|| self.keys.clone().collect())
    }

    /// At most this many samples.
    pub(super) fn at_most(&self) -> usize {
        usize::try_from(self.keys.end - self.keys.start).unwrap_or(0)
    }

    pub(super) fn skip(&mut self, connection: &Connection, schema: &Schema, count: u64) -> rusqlite::Result<()> {
        let gaps = self.gaps(connection, schema)?;
        self.keys.start = if count < self.len(&gaps) { self.keys_at(&gaps, [count])[0] } else { self.keys.end };
        self.is_whole = false;
        Ok(())
    }

    pub(super) fn limit(&mut self, connection: &Connection, schema: &Schema, count: u64) -> rusqlite::Result<()> {
        let gaps = self.gaps(connection, schema)?;
        if count < self.len(&gaps) {
            self.keys.end = self.keys_at(&gaps, [count])[0];
            self.is_whole = false;
        }
        Ok(())
    }

    /// The keys at the positions that `choose` names, ascending, of the number there are.
    pub(super) fn choose(&self, connection: &Connection, schema: &Schema, choose: impl FnOnce(u64) -> Vec<u64>) -> rusqlite::Result<Vec<i64>> {
        let gaps = self.gaps(connection, schema)?;
        Ok(self.keys_at(&gaps, choose(self.len(&gaps))))
    }

    fn gaps(&self, connection: &Connection, schema: &Schema) -> rusqlite::Result<Vec<i64>> {
        if !self.has_gaps {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT pk FROM {} WHERE pk >= ?1 AND pk < ?2 ORDER BY pk", schema.layout.gaps());
        connection.prepare_cached(&sql)?.query_map([self.keys.start, self.keys.end], |row| row.get(0))?.collect()
    }

    fn len(&self, gaps: &[i64]) -> u64 {
        (self.at_most() - gaps.len()) as u64
    }

    fn keys_at(&self, gaps: &[i64], positions: impl IntoIterator<Item = u64>) -> Vec<i64> {
        let mut gaps = gaps.iter().peekable();
        let mut passed = 0;
        let key = |position| {
            let mut key = self.keys.start + position as i64 + passed;
            while gaps.next_if(|gap| **gap <= key).is_some() {
                passed += 1;
                key += 1;
            }
            key
        };
        positions.into_iter().map(key).collect()
    }
}
