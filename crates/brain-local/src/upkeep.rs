//! Upkeep: what makes an index faster or smaller and changes nothing of what it holds. It runs in a thread of its own after a change, never in a search; the
//! command that made the change ends when it is done. A kill in the middle of it loses nothing, and the next change begins it again.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use brain_core::Result;

use crate::append::{Appender, encoded};
use crate::disk::{AppendFile, Syncing};
use crate::format::FileKind;
use crate::handle::Handle;
use crate::manifest::{BlockChecksums, SegmentRecord};
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::write::Writer;

/// How often the upkeep looks again whether something is due, before it leaves the rest to the next change.
const ROUNDS: usize = 4;

/// The upkeep of one index that this process has begun.
#[derive(Debug, Default)]
pub(crate) struct Upkeep(Mutex<Option<JoinHandle<()>>>);

impl Upkeep {
    /// Begins what is due, unless it has begun already. Its failures leave the index as it was; an error of the storage comes up again where it matters:
    /// in the next search or change.
    pub(crate) fn begin(handle: &Arc<Handle>) {
        let due = |snapshot: Arc<Snapshot>| Work::due(&snapshot).is_some() || handle.graphs.is_due(handle, &snapshot).unwrap_or(false);
        let due = handle.snapshot().is_ok_and(due);
        let mut running = handle.upkeep.0.lock().unwrap_or_else(PoisonError::into_inner);
        if due && running.as_ref().is_none_or(JoinHandle::is_finished) {
            let handle = Arc::clone(handle);
            *running = Builder::new().name("brain-upkeep".to_owned()).spawn(move || drop(run(&handle))).ok();
        }
    }

    /// Waits for what has begun.
    pub(crate) fn finish(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic over there has been reported over there.
        let _ = running.map(JoinHandle::join);
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Write the live rows anew: more than half of the rows are dead, and at least a block of them, for less is not worth it.
    Compact,
    /// Write codes for segments that have none, or have lost them.
    Code,
}

impl Work {
    fn due(snapshot: &Snapshot) -> Option<Self> {
        let manifest = snapshot.manifest();
        if manifest.dead.len() >= u64::from(manifest.layout.block_rows) && manifest.dead.len() > manifest.live_rows() {
            Some(Self::Compact)
        } else if manifest.layout.coded && manifest.coding().is_some() && snapshot.segments().iter().any(|segment| is_without_codes(segment)) {
            Some(Self::Code)
        } else {
            None
        }
    }
}

fn is_without_codes(segment: &Segment) -> bool {
    segment.record().codes.is_none() || segment.lost_codes()
}

fn run(handle: &Handle) -> Result<()> {
    for _ in 0..ROUNDS {
        let writer = Writer::begin(handle)?;
        // Asked again, under the lock: another process may have done it, or made more of it.
        match Work::due(&writer.old) {
            Some(Work::Compact) => compact(writer)?,
            Some(Work::Code) => code(writer)?,
            None => break,
        }
    }
    // Last, for compaction would undo it, and without the writer's lock, for it may take minutes.
    handle.graphs.keep_up(handle)
}

fn compact(writer: Writer<'_>) -> Result<()> {
    let old = Arc::clone(&writer.old);
    let mut manifest = old.manifest().clone();
    manifest.segments.clear();
    manifest.runs.clear();
    manifest.dead.clear();
    let block_rows = manifest.layout.block_rows as usize;
    let mut appender = Appender::new(&writer.handle.folder, &mut manifest);
    let live: Vec<u32> = (0..old.manifest().rows()).filter(|&row| old.is_live(row)).collect();
    let (mut owners, mut vectors, mut vector) = (Vec::new(), Vec::new(), Vec::new());
    let copied = live.chunks(block_rows).try_for_each(|rows| {
        owners.clear();
        vectors.clear();
        for &row in rows {
            old.read_vector(row, &mut vector)?;
            vectors.extend_from_slice(&vector);
            owners.push(old.owner(row)?);
        }
        appender.append(&owners, &vectors)
    });
    let syncing = copied.and_then(|()| appender.finish()).inspect_err(|_| writer.tidy())?;
    writer.publish(manifest, syncing)?.tidy();
    Ok(())
}

fn code(writer: Writer<'_>) -> Result<()> {
    let mut manifest = writer.old.manifest().clone();
    let Some(coding) = manifest.coding() else { return Ok(()) };
    let mut syncing = Syncing::default();
    syncing.made_files(&writer.handle.folder);
    let coded = writer.old.segments().iter().enumerate().filter(|(_, segment)| is_without_codes(segment)).try_for_each(|(position, segment)| {
        let number = manifest.next_file;
        manifest.next_file += 1;
        let mut file = AppendFile::open(writer.handle.folder.join(FileKind::Codes.name(number)), 0)?;
        let mut checksums = segment.record().checksums.clone();
        let mut numbers = Vec::new();
        for (block, checksums) in checksums.iter_mut().enumerate() {
            let rows = segment.block(block);
            numbers.clear();
            segment.vectors(rows.clone())?.widen_into(&mut numbers);
            let records = encoded(coding, &numbers, rows.len());
            *checksums = BlockChecksums { codes: crc32fast::hash(&records), ..*checksums };
            file.append(&records)?;
        }
        manifest.segments[position] = SegmentRecord { codes: Some(number), checksums, ..segment.record().clone() };
        syncing.begin(file)
    });
    coded.inspect_err(|_| writer.tidy())?;
    writer.publish(manifest, syncing)?.tidy();
    Ok(())
}
