//! One transaction's worth of rows on their way into an index.

use brain_core::{AddReport, Item, ItemId, ItemKind, OnConflict, Patience, Result, Selector, VectorBatch, already_indexed};
use fred::error::Error as DriverError;

use crate::command::Command;
use crate::connect::line::{self, Line, Part};
use crate::index::RedisIndex;
use crate::options::{Number, Storage};
use crate::row_words::RowWords;
use crate::scope::KeyWords;
use crate::{error, keys, note};

/// Looks for all keys, and writes only where there is none of them. Of each row come its number of arguments, the command and what follows the key.
const UNLESS_TAKEN: &str = "\
    local taken = {} \
    for i, key in ipairs(KEYS) do if redis.call('EXISTS', key) == 1 then taken[#taken + 1] = i end end \
    if #taken > 0 then return taken end \
    local command, fields = ARGV[1], tonumber(ARGV[2]) \
    for i, key in ipairs(KEYS) do redis.call(command, key, unpack(ARGV, 3 + (i - 1) * fields, 2 + i * fields)) end \
    return taken";

pub(crate) struct Write<'a> {
    pub(crate) index: &'a RedisIndex,
    pub(crate) batches: Vec<VectorBatch>,
    pub(crate) on_conflict: OnConflict,
    /// How many items were acknowledged since the note was last told.
    pub(crate) acknowledged: u64,
}

/// What became of it.
pub(crate) struct Outcome {
    pub(crate) report: AddReport,
    /// Whether an earlier try may have written the rows, and its counts are lost.
    pub(crate) is_doubtful: bool,
}

/// What corrects the number of acknowledged items.
pub(crate) fn note_rows(name: &str, by: i64) -> Command {
    Command::new("HINCRBY").arg(keys::note(name)).arg(note::ROWS).arg(by.to_string())
}

impl Write<'_> {
    /// Writes it; again on another line where one is lost, in which case nobody knows whether the transaction was done.
    pub(crate) async fn until_done(self) -> Result<Outcome> {
        let (pool, name) = (&self.index.pool, &self.index.options.name);
        let mut patience = Patience::default();
        let mut is_lost = false;
        let rows = if self.on_conflict == OnConflict::Error { self.script() } else { self.commands() };
        let extremes = self.index.note_extremes(&self.batches);
        let extremes = extremes.then(|| Command::new("HSET").arg(keys::note(name)).arg(note::EXTREME).arg("1"));
        loop {
            // Should the first try have been done, it has told the note.
            let acknowledged = (self.index.is_ours() && self.acknowledged > 0 && !is_lost).then(|| note_rows(name, self.acknowledged as i64));
            let notes: Vec<&Command> = acknowledged.iter().chain(&extremes).collect();
            match self.once(&rows, &notes, &mut is_lost).await {
                Ok(report) => return Ok(Outcome { report: report?, is_doubtful: is_lost && self.on_conflict != OnConflict::Error }),
                Err(failure) => pool.wait(&mut patience, failure).await?,
            }
        }
    }

    /// One try; within it what refuses the rows for good.
    async fn once(&self, rows: &[u8], notes: &[&Command], is_lost: &mut bool) -> Result<Result<AddReport>> {
        if self.on_conflict == OnConflict::Error && *is_lost && self.was_done().await? {
            return Ok(Ok(AddReport { added: self.count() as u64, ..AddReport::default() }));
        }
        let pool = &self.index.pool;
        let _turn = pool.turn().await;
        let mut line = pool.line().await?;
        let done = match self.on_conflict {
            OnConflict::Error => self.unless_taken(&mut line, rows, notes).await,
            OnConflict::Overwrite | OnConflict::Skip => self.transaction(&mut line, rows, notes).await.map(Ok),
        };
        match done {
            Ok(report) => {
                pool.keep(line);
                Ok(report)
            }
            Err(failure) => {
                *is_lost |= error::is_lost(&failure);
                Err(self.index.failed("add vectors to", failure))
            }
        }
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.batches.iter().flat_map(VectorBatch::items)
    }

    fn count(&self) -> usize {
        self.batches.iter().map(VectorBatch::len).sum()
    }

    fn key_words(&self) -> KeyWords {
        KeyWords::new(&self.index.schema.prefix, self.items().map(|item| &item.id))
    }

    /// Whether the server has to be asked how many of the keys there are, as writing a document does not say whether there was one.
    fn asks_first(&self) -> bool {
        self.index.schema.storage == Storage::Json && self.on_conflict == OnConflict::Overwrite
    }

    /// The commands that write the rows, to the end of a transaction.
    fn commands(&self) -> Vec<u8> {
        let (schema, skips) = (&self.index.schema, self.on_conflict == OnConflict::Skip);
        let mut rows = RowWords::new(schema, self.room());
        if self.asks_first() {
            let keys = self.key_words();
            line::write_head(&mut rows.out, 1 + keys.count);
            line::write_word(&mut rows.out, &[b"EXISTS"]);
            rows.out.extend_from_slice(&keys.words);
        }
        for (item, vector) in self.batches.iter().flat_map(VectorBatch::rows) {
            match (schema.storage, skips) {
                (Storage::Json, _) => {
                    rows.begin(b"JSON.SET", if skips { 5 } else { 4 }, item);
                    rows.put(item, vector);
                    if skips {
                        line::write_word(&mut rows.out, &[b"NX"]);
                    }
                }
                (Storage::Hash, false) => {
                    rows.begin(b"HSET", 2 + rows.per_row(), item);
                    rows.put(item, vector);
                }
                (Storage::Hash, true) => {
                    rows.begin(b"HSETNX", 4, item);
                    rows.put_vector(vector);
                    if let Some(field) = &schema.sample {
                        rows.begin(b"HSETNX", 4, item);
                        rows.put_sample(field, item);
                    }
                }
            }
        }
        line::write(&mut rows.out, &[b"EXEC"]);
        rows.out
    }

    /// The script that writes the rows, unless there is one of them.
    fn script(&self) -> Vec<u8> {
        let schema = &self.index.schema;
        let (keys, mut rows) = (self.key_words(), RowWords::new(schema, self.room()));
        let per_row = rows.per_row();
        line::write_head(&mut rows.out, 5 + keys.count * (1 + per_row));
        line::write_word(&mut rows.out, &[b"EVAL"]);
        line::write_word(&mut rows.out, &[UNLESS_TAKEN.as_bytes()]);
        line::write_word(&mut rows.out, &[keys.count.to_string().as_bytes()]);
        rows.out.extend_from_slice(&keys.words);
        line::write_word(&mut rows.out, &[if schema.storage == Storage::Json { b"JSON.SET" } else { b"HSET" }]);
        line::write_word(&mut rows.out, &[per_row.to_string().as_bytes()]);
        self.batches.iter().flat_map(VectorBatch::rows).for_each(|(item, vector)| rows.put(item, vector));
        rows.out
    }

    /// How long the commands become, about.
    fn room(&self) -> usize {
        let number = if self.index.schema.storage == Storage::Json { 12 } else { self.index.schema.number.width() };
        self.count() * (self.index.spec.dimension * number + 2 * self.index.schema.prefix.len() + 192)
    }

    async fn transaction(&self, line: &mut Line, rows: &[u8], notes: &[&Command]) -> Result<AddReport, DriverError> {
        let mut head = Vec::new();
        line::write(&mut head, &[b"MULTI"]);
        notes.iter().for_each(|note| note.write(&mut head));
        let (count, schema, overwrites) = (self.count(), &self.index.schema, self.on_conflict == OnConflict::Overwrite);
        let per_row = if schema.storage == Storage::Hash && schema.sample.is_some() && !overwrites { 2 } else { 1 };
        line.transact([&head, rows], notes.len() + usize::from(self.asks_first()) + count * per_row).await?;
        for _ in notes {
            line.pass().await?;
        }
        let mut old = if self.asks_first() { whole(line.next().await?)? } else { 0 };
        for _ in 0..count {
            let mut is_new = true;
            for _ in 0..per_row {
                // A field that was there, or a document that was not written.
                is_new &= match line.next().await? {
                    Part::Bytes(result) => result != b"0",
                    Part::Nothing => false,
                    Part::Refusal(says) => return Err(line::refusal(says)),
                    Part::Several(_) => return Err(line::not_understood()),
                };
            }
            old += usize::from(!is_new);
        }
        let (old, count) = (old.min(count) as u64, count as u64);
        let report = AddReport { added: count - old, ..AddReport::default() };
        Ok(if overwrites { AddReport { replaced: old, ..report } } else { AddReport { skipped: old, ..report } })
    }

    async fn unless_taken(&self, line: &mut Line, rows: &[u8], notes: &[&Command]) -> Result<Result<AddReport>, DriverError> {
        for note in notes {
            let mut command = Vec::new();
            note.write(&mut command);
            line.send(&command).await?;
            line.pass().await?;
        }
        line.send(rows).await?;
        let taken = match line.next().await? {
            Part::Several(taken) => taken,
            Part::Refusal(says) => return Err(line::refusal(says)),
            Part::Nothing | Part::Bytes(_) => return Err(line::not_understood()),
        };
        let mut first = 0;
        for number in 0..taken {
            let at = whole(line.next().await?)?;
            first = if number == 0 { at } else { first };
        }
        Ok(match self.items().nth(first.saturating_sub(1)) {
            Some(item) if taken > 0 => Err(already_indexed(&item.id, taken)),
            _ => Ok(AddReport { added: self.count() as u64, ..AddReport::default() }),
        })
    }

    /// Whether the index holds exactly these rows: then the script whose end was never heard of was run.
    async fn was_done(&self) -> Result<bool> {
        let halves = self.index.schema.number == Number::Half;
        let stored = |given: f32| if halves { half::f16::from_f32(given).to_f32() } else { given };
        for batch in &self.batches {
            let ids: Vec<ItemId> = batch.items().iter().map(|item| item.id.clone()).collect();
            let found = self.index.fetch_rows(Selector::Items(&ids)).await?;
            let same_items = self.index.spec.items == ItemKind::Samples || found.rows.items() == batch.items();
            let same_numbers = found.rows.vectors().iter().zip(batch.vectors()).all(|(&found, &given)| found == stored(given));
            if !found.missing.is_empty() || !same_items || !same_numbers {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A whole number.
fn whole(part: Part<'_>) -> Result<usize, DriverError> {
    match part {
        Part::Bytes(digits) => std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(line::not_understood),
        Part::Refusal(says) => Err(line::refusal(says)),
        Part::Nothing | Part::Several(_) => Err(line::not_understood()),
    }
}
