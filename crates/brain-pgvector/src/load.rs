//! Adding: rows come by binary COPY, straight into the table.
//!
//! A transaction first removes what it overwrites, then copies; so a batch is there whole or not at all, no staging table is filled twice, and an attached
//! table needs no constraint. Where another session adds the same item at the same moment, the table's key refuses one of them, which looks again; a table
//! without such a key is locked against other writers instead.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use brain_core::{AddReport, Error, ItemId, Metric, OnConflict, Result, Selector, VectorBatch, already_indexed, validate};
use futures::SinkExt as _;
use futures::stream::{BoxStream, StreamExt as _};
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::index::PgvectorIndex;
use crate::quote::literal;
use crate::table::{Note, VECTOR_COLUMN};
use crate::wire::RowWriter;

/// Batches that come fast are committed together, up to so many bytes of vectors.
const GROUP_BYTES: usize = 32 << 20;
/// Batches that come slower than this are committed each on its own.
const GROUP_WAIT: Duration = Duration::from_millis(200);
/// So many bytes are handed to the driver at once.
const PIECE: usize = 256 << 10;
/// How often others may have added the same items at the same moment.
const RACES: usize = 10;

/// Batches that are committed together.
#[derive(Default)]
struct Group {
    batches: Vec<VectorBatch>,
    ids: HashSet<ItemId>,
    bytes: usize,
    since: Option<Instant>,
}

impl Group {
    fn has(&self, batch: &VectorBatch) -> bool {
        batch.items().iter().any(|item| self.ids.contains(&item.id))
    }

    fn push(&mut self, batch: VectorBatch) {
        self.bytes += size_of_val(batch.vectors());
        self.ids.extend(batch.items().iter().map(|item| item.id.clone()));
        self.batches.push(batch);
        self.since.get_or_insert_with(Instant::now);
    }

    fn is_due(&self) -> bool {
        self.bytes >= GROUP_BYTES || self.since.is_some_and(|since| since.elapsed() >= GROUP_WAIT)
    }
}

impl PgvectorIndex {
    /// Adds batches as they come.
    pub(crate) async fn load(&self, mut batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        let mut report = AddReport::default();
        let mut group = Group::default();
        // What is known to hold nothing needs no look at what it holds. Should others add meanwhile, the table's key says so.
        let mut is_empty = None;
        while let Some(batch) = batches.next().await {
            let checked = batch.and_then(|batch| self.check(&batch).map(|()| batch));
            let batch = match checked {
                Ok(batch) if batch.is_empty() => continue,
                Ok(batch) => batch,
                Err(error) => {
                    self.commit(&mut group, on_conflict, &mut is_empty, &mut report).await?;
                    return Err(error.with_operation("add to index"));
                }
            };
            // Those before a batch that is refused are to stay.
            if group.has(&batch) || on_conflict == OnConflict::Error {
                self.commit(&mut group, on_conflict, &mut is_empty, &mut report).await?;
            }
            group.push(batch);
            if group.is_due() {
                self.commit(&mut group, on_conflict, &mut is_empty, &mut report).await?;
            }
        }
        self.commit(&mut group, on_conflict, &mut is_empty, &mut report).await?;
        Ok(report)
    }

    fn check(&self, batch: &VectorBatch) -> Result<()> {
        validate::batch(batch, self.spec.dimension, self.spec.metric)?;
        if let Some(item) =
            batch.items().iter().find(|item| [&item.id, &item.sample_id].iter().any(|id| id.as_bytes().is_none() && id.to_string().contains('\0')))
        {
            return Err(Error::invalid(format!("the id {:?} holds a NUL, which PostgreSQL stores in no text", item.id.to_string())));
        }
        if self.table().halves { validate::half_precision(batch, self.spec.metric) } else { Ok(()) }
    }

    async fn commit(&self, group: &mut Group, on_conflict: OnConflict, is_empty: &mut Option<bool>, report: &mut AddReport) -> Result<()> {
        let Group { batches, .. } = std::mem::take(group);
        if batches.is_empty() {
            return Ok(());
        }
        let expects_nothing = match *is_empty {
            Some(known) => known,
            None => self.is_empty().await?,
        };
        let write = Write { index: self, batches: &batches, on_conflict };
        let done = write.until_done(expects_nothing && self.table().keyed).await.map_err(|error| error.with_operation("add to index"))?;
        // Items that come again in a later group are found by the key, and then all groups look.
        *is_empty = Some(expects_nothing && !done.looked);
        self.changed();
        report.added += done.report.added;
        report.replaced += done.report.replaced;
        report.skipped += done.report.skipped;
        Ok(())
    }

    async fn is_empty(&self) -> Result<bool> {
        let sql = format!("SELECT NOT EXISTS (SELECT FROM {})", self.ranked.table);
        let sql = &sql;
        let rows =
            self.pool.retrying(|connection| async move { connection.query_once(&[], sql, &[]).await.map_err(|error| self.failed("read", error)) });
        Ok(rows.await?.first().is_some_and(|row| row.get(0)))
    }

    /// Whether the server's single precision can compare a vector: the sum of its squares neither overflows nor, where it divides, vanishes.
    pub(crate) fn is_plain(&self, vector: &[f32]) -> bool {
        if matches!(self.spec.metric, Metric::Hamming | Metric::Jaccard) {
            return true;
        }
        let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        square < 1e34 && (square > 1e-28 || self.spec.metric != Metric::Cosine)
    }
}

/// One transaction's worth.
struct Write<'a> {
    index: &'a PgvectorIndex,
    batches: &'a [VectorBatch],
    on_conflict: OnConflict,
}

struct Done {
    report: AddReport,
    /// Whether the table was asked which items it holds.
    looked: bool,
}

/// Which ids are taken.
#[derive(Default)]
struct Held {
    /// By items of the index.
    items: HashSet<ItemId>,
    /// By rows of others' tables that are none, as no metric ranks their vectors: they make room.
    others: Vec<String>,
}

/// What became of a transaction.
enum Outcome {
    Committed(AddReport),
    /// An item was there that was not expected, as the server says.
    Taken(tokio_postgres::Error),
}

impl Write<'_> {
    /// Writes it; again on a fresh connection where one is lost, in which case nobody knows whether the transaction was committed.
    async fn until_done(&self, expects_nothing: bool) -> Result<Done> {
        let looks = AtomicBool::new(!expects_nothing);
        let lost = Mutex::new(None::<AddReport>);
        self.index
            .pool
            .retrying(|mut connection| {
                let (looks, lost) = (&looks, &lost);
                async move {
                    let before = *lost.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(report) = before {
                        // Looking takes a connection of its own, and this may be the only one.
                        drop(connection);
                        if self.was_committed().await? {
                            return Ok(Done { report, looked: true });
                        }
                        connection = self.index.pool.get().await?;
                    }
                    let mut races = 0;
                    loop {
                        let looked = looks.load(Ordering::Relaxed);
                        let refused = match self.once(&mut connection, looked, lost).await {
                            Ok(Outcome::Committed(report)) => return Ok(Done { report, looked }),
                            Ok(Outcome::Taken(refusal)) => Ok(refusal),
                            Err(error) => Err(error),
                        };
                        // The transaction that was lost may have ended just now: then its own rows are in the way.
                        if let Some(report) = before {
                            drop(connection);
                            if self.was_committed().await? {
                                return Ok(Done { report, looked: true });
                            }
                            connection = self.index.pool.get().await?;
                        }
                        let refusal = refused?;
                        if races == RACES {
                            // Not by a race: a key of the table that is not the id's.
                            return Err(self.index.failed("add rows to", refusal));
                        }
                        // Another session was faster, and its items are visible now.
                        looks.store(true, Ordering::Relaxed);
                        races += 1;
                    }
                }
            })
            .await
    }

    async fn once(&self, connection: &mut Connection, looks: bool, lost: &Mutex<Option<AddReport>>) -> Result<Outcome> {
        let failed = |error| self.index.failed("add rows to", error);
        let ids: Vec<String> = self.batches.iter().flat_map(VectorBatch::items).map(|item| item.id.to_string()).collect();
        let transaction = connection.transaction(&[]).await.map_err(failed)?;
        if !self.index.table().keyed {
            let sql = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", self.index.ranked.table);
            transaction.batch_execute(&sql).await.map_err(failed)?;
        }
        let Held { items: held, others: mut gone } = if looks { self.held(&transaction, &ids).await? } else { Held::default() };
        let mut report = AddReport::default();
        match self.on_conflict {
            OnConflict::Error if !held.is_empty() => return Err(self.taken(&held)),
            OnConflict::Skip => report.skipped = held.len() as u64,
            OnConflict::Overwrite | OnConflict::Error => report.replaced = held.len() as u64,
        }
        report.added = (ids.len() - held.len()) as u64;
        if self.on_conflict == OnConflict::Overwrite {
            gone.extend(held.iter().map(ItemId::to_string));
        }
        if !gone.is_empty() {
            let sql = format!("DELETE FROM {} WHERE id = ANY($1)", self.index.ranked.table);
            transaction.execute_typed(&sql, &[(&gone, Type::TEXT_ARRAY)]).await.map_err(failed)?;
        }
        let skipped = (self.on_conflict == OnConflict::Skip).then_some(&held);
        match self.copy(&transaction, skipped).await {
            Ok(()) => {}
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                transaction.rollback().await.map_err(failed)?;
                return Ok(Outcome::Taken(error));
            }
            Err(error) => return Err(failed(error)),
        }
        self.note_extremes(&transaction).await?;
        // From here on a lost connection leaves it open whether this was committed; what was counted before is what is reported.
        let first = *lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(report);
        match transaction.commit().await {
            Ok(()) => Ok(Outcome::Committed(first)),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(Outcome::Taken(error)),
            Err(error) => Err(failed(error)),
        }
    }

    /// Which of `ids` the table holds.
    async fn held(&self, transaction: &Transaction<'_>, ids: &Vec<String>) -> Result<Held> {
        let rankable = self.index.ranked.rankable.as_deref().unwrap_or("true");
        let sql = format!("SELECT id, {rankable} FROM {} WHERE id = ANY($1)", self.index.ranked.table);
        let rows = transaction.query_typed(&sql, &[(ids, Type::TEXT_ARRAY)]).await.map_err(|error| self.index.failed("look for items in", error))?;
        let mut held = Held::default();
        for row in &rows {
            let id: &str = row.get(0);
            if row.get(1) {
                held.items.insert(ItemId::from_text(id));
            } else {
                held.others.push(id.to_owned());
            }
        }
        held.others.retain(|id| !held.items.contains(&ItemId::from_text(id)));
        Ok(held)
    }

    async fn copy(&self, transaction: &Transaction<'_>, skipped: Option<&HashSet<ItemId>>) -> Result<(), tokio_postgres::Error> {
        let sql = format!("COPY {} (id, sample_id, {VECTOR_COLUMN}) FROM STDIN BINARY", self.index.ranked.table);
        let sink = transaction.copy_in(&sql).await?;
        let mut sink = std::pin::pin!(sink);
        let mut writer = RowWriter::new(self.index.table().halves);
        for (item, vector) in self.batches.iter().flat_map(VectorBatch::rows) {
            if skipped.is_some_and(|skipped| skipped.contains(&item.id)) {
                continue;
            }
            writer.push(item, vector);
            if writer.len() >= PIECE {
                sink.send(std::io::Cursor::new(writer.take())).await?;
            }
        }
        sink.send(std::io::Cursor::new(writer.finish())).await?;
        sink.finish().await.map(|_| ())
    }

    /// Writes down that the table holds vectors which the server cannot compare, so that no search leaves it to the server.
    async fn note_extremes(&self, transaction: &Transaction<'_>) -> Result<()> {
        let table = self.index.table();
        let Some(note) = table.note.filter(|note| !note.extreme) else { return Ok(()) };
        if self.batches.iter().flat_map(VectorBatch::rows).all(|(_, vector)| self.index.is_plain(vector)) {
            return Ok(());
        }
        let note = Note { extreme: true, ..note };
        let text = serde_json::to_string(&note).map_err(|source| Error::unexpected("a note does not serialise").with_source(source))?;
        let sql = format!("COMMENT ON TABLE {} IS {}", self.index.ranked.table, literal(&text));
        transaction.batch_execute(&sql).await.map_err(|error| self.index.failed("describe", error))?;
        self.index.set_note(note);
        Ok(())
    }

    /// Whether the table holds exactly these rows: then the transaction whose end was never heard of was committed.
    async fn was_committed(&self) -> Result<bool> {
        for batch in self.batches {
            let ids: Vec<ItemId> = batch.items().iter().map(|item| item.id.clone()).collect();
            let found = self.index.fetch_rows(Selector::Items(&ids)).await?;
            let halves = self.index.table().halves;
            let same = |stored: f32, given: f32| stored == if halves { half::f16::from_f32(given).to_f32() } else { given };
            let equal = found.missing.is_empty()
                && found.rows.items() == batch.items()
                && found.rows.vectors().iter().zip(batch.vectors()).all(|(&stored, &given)| same(stored, given));
            if !equal {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn taken(&self, held: &HashSet<ItemId>) -> Error {
        let first = self.batches.iter().flat_map(VectorBatch::items).map(|item| &item.id).find(|id| held.contains(id));
        first.map_or_else(|| Error::unexpected("an item is taken, and none is"), |first| already_indexed(first, held.len()))
    }
}
