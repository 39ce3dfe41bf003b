//! One transaction's worth of rows on their way into an index.

use std::sync::atomic::{AtomicBool, Ordering};

use brain_core::{AddReport, ItemId, ItemKind, OnConflict, Result, Selector, VectorBatch, already_indexed};
use bytes::Bytes;
use fred::types::Value;

use crate::command::{Command, execute, send};
use crate::connect::Connection;
use crate::index::RedisIndex;
use crate::options::{Number, Storage};
use crate::{error, keys, note, reply, scope, wire};

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

/// Rows as arguments of commands.
struct Encoded {
    keys: Vec<Bytes>,
    /// What follows the key of each row: fields and their values, or a path and a document.
    values: Vec<Bytes>,
    /// The samples, where they are written.
    samples: Option<Vec<String>>,
}

impl Write<'_> {
    /// Writes it; again on another connection where one is lost, in which case nobody knows whether the transaction was done.
    pub(crate) async fn until_done(self) -> Result<Outcome> {
        let encoded = &self.encode();
        let lost = &AtomicBool::new(false);
        let write = &self;
        let done = self.index.pool.retrying(|connection| async move {
            if write.on_conflict == OnConflict::Error && lost.load(Ordering::Relaxed) && write.was_done().await? {
                return Ok(AddReport { added: encoded.keys.len() as u64, ..AddReport::default() });
            }
            // Should the first try have been done, it has told the note.
            let acknowledged = if lost.load(Ordering::Relaxed) { 0 } else { write.acknowledged };
            write.once(&connection, encoded, acknowledged, lost).await
        });
        Ok(Outcome { report: done.await?, is_doubtful: lost.load(Ordering::Relaxed) && self.on_conflict != OnConflict::Error })
    }

    fn encode(&self) -> Encoded {
        let schema = &self.index.schema;
        let rows: usize = self.batches.iter().map(VectorBatch::len).sum();
        let ids: Vec<ItemId> = self.batches.iter().flat_map(VectorBatch::items).map(|item| item.id.clone()).collect();
        let mut bytes =
            Vec::with_capacity(rows * self.index.spec.dimension * if schema.storage == Storage::Json { 12 } else { schema.number.width() });
        let mut ends = Vec::with_capacity(rows);
        for (item, vector) in self.batches.iter().flat_map(VectorBatch::rows) {
            match schema.storage {
                Storage::Hash => wire::put(vector, schema.number, &mut bytes),
                Storage::Json => wire::put_document(item, vector, schema.number, &mut bytes),
            }
            ends.push(bytes.len());
        }
        let bytes = Bytes::from(bytes);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let values = starts.zip(&ends).map(|(start, &end)| bytes.slice(start..end)).collect();
        let with_samples = schema.storage == Storage::Hash && schema.sample.is_some();
        let samples = with_samples.then(|| self.batches.iter().flat_map(VectorBatch::items).map(|item| item.sample_id.to_string()).collect());
        Encoded { keys: scope::keys(&schema.prefix, &ids), values, samples }
    }

    async fn once(&self, connection: &Connection, encoded: &Encoded, acknowledged: u64, lost: &AtomicBool) -> Result<AddReport> {
        let done = match self.on_conflict {
            OnConflict::Error => self.unless_taken(connection, encoded).await,
            OnConflict::Overwrite | OnConflict::Skip => self.transaction(connection, encoded, acknowledged).await,
        };
        done.map_err(|failure| {
            if error::is_lost(&failure) {
                lost.store(true, Ordering::Relaxed);
            }
            self.index.failed("add vectors to", failure)
        })?
    }

    async fn transaction(&self, connection: &Connection, encoded: &Encoded, acknowledged: u64) -> Result<Result<AddReport>, fred::error::Error> {
        let index = self.index;
        let count = encoded.keys.len();
        let mut commands = Vec::with_capacity(2 * count + 3);
        let mut head = 0;
        if index.is_ours() && acknowledged > 0 {
            commands.push(note_rows(&index.options.name, acknowledged as i64));
            head += 1;
        }
        commands.extend(self.extremes(&mut head));
        let json = index.schema.storage == Storage::Json;
        let overwrites = self.on_conflict == OnConflict::Overwrite;
        if json && overwrites {
            // Writing a document does not say whether there was one.
            commands.push(Command::with_room("EXISTS", count).args(encoded.keys.iter().cloned()));
        }
        for (row, (key, value)) in encoded.keys.iter().zip(&encoded.values).enumerate() {
            self.put_row(&mut commands, encoded, row, key, value);
        }
        let results = execute(connection, commands).await?;
        let results = &results[head.min(results.len())..];
        let mut report = AddReport::default();
        let old = if json && overwrites {
            results.first().and_then(reply::number).unwrap_or_default()
        } else if json {
            results.iter().filter(|result| result.is_null()).count() as u64
        } else {
            let per_row = results.len() / count.max(1);
            let is_new = |row: &[Value]| row.iter().all(|result| reply::number(result).is_some_and(|new| new > 0));
            count as u64 - results.chunks(per_row.max(1)).filter(|row| is_new(row)).count() as u64
        };
        report.added = count as u64 - old.min(count as u64);
        if overwrites {
            report.replaced = old
        } else {
            report.skipped = old
        }
        Ok(Ok(report))
    }

    fn put_row(&self, commands: &mut Vec<Command>, encoded: &Encoded, row: usize, key: &Bytes, value: &Bytes) {
        let schema = &self.index.schema;
        let sample = schema.sample.as_ref().zip(encoded.samples.as_ref().map(|samples| &samples[row]));
        match (schema.storage, self.on_conflict) {
            (Storage::Json, OnConflict::Skip) => {
                commands.push(Command::with_room("JSON.SET", 4).arg(key.clone()).arg("$").arg(value.clone()).arg("NX"));
            }
            (Storage::Json, _) => commands.push(Command::with_room("JSON.SET", 3).arg(key.clone()).arg("$").arg(value.clone())),
            (Storage::Hash, OnConflict::Skip) => {
                commands.push(Command::with_room("HSETNX", 3).arg(key.clone()).arg(&schema.vector.path).arg(value.clone()));
                if let Some((field, sample)) = sample {
                    commands.push(Command::with_room("HSETNX", 3).arg(key.clone()).arg(&field.path).arg(sample));
                }
            }
            (Storage::Hash, _) => {
                let mut command = Command::with_room("HSET", 5).arg(key.clone());
                if let Some((field, sample)) = sample {
                    command = command.arg(&field.path).arg(sample);
                }
                commands.push(command.arg(&schema.vector.path).arg(value.clone()));
            }
        }
    }

    /// What notes that there are vectors which the server cannot compare, where that is news.
    fn extremes(&self, head: &mut usize) -> Option<Command> {
        let index = self.index;
        if !index.note_extremes(&self.batches) {
            return None;
        }
        *head += 1;
        Some(Command::new("HSET").arg(keys::note(&index.options.name)).arg(note::EXTREME).arg("1"))
    }

    async fn unless_taken(&self, connection: &Connection, encoded: &Encoded) -> Result<Result<AddReport>, fred::error::Error> {
        let schema = &self.index.schema;
        if let Some(command) = self.extremes(&mut 0) {
            send(connection, command).await?;
        }
        let count = encoded.keys.len();
        let with_sample = encoded.samples.is_some();
        let (name, fields): (&'static str, usize) = match schema.storage {
            Storage::Json => ("JSON.SET", 2),
            Storage::Hash => ("HSET", if with_sample { 4 } else { 2 }),
        };
        let mut command = Command::with_room("EVAL", 4 + count * (1 + fields)).arg(UNLESS_TAKEN).arg(count).args(encoded.keys.iter().cloned());
        command = command.arg(name).arg(fields);
        for (row, value) in encoded.values.iter().enumerate() {
            command = match (schema.storage, schema.sample.as_ref().zip(encoded.samples.as_ref())) {
                (Storage::Json, _) => command.arg("$"),
                (Storage::Hash, Some((field, samples))) => command.arg(&field.path).arg(&samples[row]).arg(&schema.vector.path),
                (Storage::Hash, None) => command.arg(&schema.vector.path),
            };
            command = command.arg(value.clone());
        }
        let taken: Vec<usize> = reply::list(send(connection, command).await?).iter().filter_map(reply::number).map(|at| at as usize).collect();
        let ids: Vec<&ItemId> = self.batches.iter().flat_map(VectorBatch::items).map(|item| &item.id).collect();
        Ok(match taken.first().and_then(|at| ids.get(at.saturating_sub(1))) {
            Some(first) => Err(already_indexed(first, taken.len())),
            None => Ok(AddReport { added: count as u64, ..AddReport::default() }),
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
