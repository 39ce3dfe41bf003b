//! Batches that become durable together: making something durable takes milliseconds, however little it is.

use std::collections::HashSet;
use std::mem::take;
use std::time::{Duration, Instant};

use brain_core::{AddReport, ErrorKind, ItemId, OnConflict, Result, VectorBatch};

use crate::handle::Handle;
use crate::write;

/// A group of so many bytes of vectors is written at once: most of the time is then writing and not waiting.
const BYTES: usize = 128 << 20;

/// A group is written with the batch that comes so long after its first: where batches come slowly, each is durable before the next is waited for.
const WAIT: Duration = Duration::from_millis(200);

/// The batches that wait to be written, and what came of those before them.
pub(crate) struct Group<'a> {
    handle: &'a Handle,
    on_conflict: OnConflict,
    total: AddReport,
    batches: Vec<VectorBatch>,
    /// The items of all batches: one that comes again must find the row that it had before.
    ids: HashSet<ItemId>,
    bytes: usize,
    since: Instant,
}

impl<'a> Group<'a> {
    pub(crate) fn new(handle: &'a Handle, on_conflict: OnConflict) -> Self {
        Self { handle, on_conflict, total: AddReport::default(), batches: Vec::new(), ids: HashSet::new(), bytes: 0, since: Instant::now() }
    }

    /// Takes a batch, and writes the group when it is large or old enough.
    ///
    /// # Errors
    /// That of the batch itself, and then the batches before it are written; else as [`finish`](Self::finish).
    pub(crate) fn take(&mut self, batch: Result<VectorBatch>) -> Result<()> {
        let checked = batch.and_then(|batch| write::check(self.handle, &batch).map(|()| batch));
        let batch = match checked {
            Ok(batch) => batch,
            Err(error) => {
                self.write()?;
                return Err(error);
            }
        };
        let ids = || batch.items().iter().map(|item| item.id.clone());
        if !ids().all(|id| self.ids.insert(id)) {
            self.write()?;
            self.ids.extend(ids());
        }
        if self.batches.is_empty() {
            self.since = Instant::now();
        }
        self.bytes += size_of_val(batch.vectors());
        self.batches.push(batch);
        if self.bytes >= BYTES || self.since.elapsed() >= WAIT { self.write() } else { Ok(()) }
    }

    /// Writes what is left; what came of all batches.
    ///
    /// # Errors
    /// Those of [`write::add`].
    pub(crate) fn finish(mut self) -> Result<AddReport> {
        self.write()?;
        Ok(self.total)
    }

    fn write(&mut self) -> Result<()> {
        let batches = take(&mut self.batches);
        self.ids.clear();
        self.bytes = 0;
        match write::add(self.handle, &batches, self.on_conflict) {
            // Nothing was written. The batches before the one that is refused are to stay.
            Err(error) if error.kind() == ErrorKind::Conflict && batches.len() > 1 && self.on_conflict == OnConflict::Error => {
                batches.chunks(1).try_for_each(|batch| self.add_up(write::add(self.handle, batch, self.on_conflict)))
            }
            outcome => self.add_up(outcome),
        }
    }

    fn add_up(&mut self, outcome: Result<AddReport>) -> Result<()> {
        let report = outcome.map_err(|error| error.with_operation("add to index"))?;
        self.total.added += report.added;
        self.total.replaced += report.replaced;
        self.total.skipped += report.skipped;
        Ok(())
    }
}
