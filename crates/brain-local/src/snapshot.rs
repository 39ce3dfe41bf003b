//! One published state of an index, mapped: what readers work on, whatever writers do meanwhile.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use brain_core::{Item, ItemId, Result};
use brain_kernels::Rows;
use roaring::RoaringBitmap;

use crate::format::Column;
use crate::manifest::Manifest;
use crate::order::{Order, Run};
use crate::segment::Segment;

/// A generation of an index.
#[derive(Debug)]
pub(crate) struct Snapshot {
    folder: PathBuf,
    manifest: Manifest,
    segments: Vec<Arc<Segment>>,
    /// Sorted and mapped when the first id is looked up.
    order: OnceLock<Order>,
    /// Runs that the snapshot before had open.
    known_runs: Vec<Arc<Run>>,
}

impl Snapshot {
    /// Maps what `manifest` publishes in `folder`. What `previous` maps and has verified is taken over.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) when a file is missing or too short.
    pub(crate) fn open(folder: &Path, manifest: Manifest, previous: Option<&Arc<Self>>) -> Result<Self> {
        let mut first_row = 0;
        let mut segments = Vec::with_capacity(manifest.segments.len());
        for record in &manifest.segments {
            let known = previous.and_then(|previous| previous.segments.iter().find(|segment| segment.record().file == record.file));
            segments.push(match known {
                Some(same) if same.record() == record => Arc::clone(same),
                smaller => Arc::new(Segment::open(folder, &manifest, record, first_row, smaller.map(Arc::as_ref))?),
            });
            first_row += record.rows;
        }
        let known_runs = previous.map_or(&[][..], |previous| previous.open_runs()).to_vec();
        Ok(Self { folder: folder.to_owned(), manifest, segments, order: OnceLock::new(), known_runs })
    }

    /// The same rows under the manifest that published them, which differs in its generation and perhaps in its runs.
    pub(crate) fn published_as(self, manifest: Manifest) -> Self {
        if manifest.runs == self.manifest.runs {
            return Self { manifest, ..self };
        }
        let known_runs = self.open_runs().to_vec();
        Self { manifest, order: OnceLock::new(), known_runs, ..self }
    }

    /// The state that is mapped.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The segments, in row order.
    pub(crate) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The rows whose items were removed or written anew.
    pub(crate) fn dead(&self) -> &RoaringBitmap {
        &self.manifest.dead
    }

    /// Whether the row counts.
    pub(crate) fn is_live(&self, row: u32) -> bool {
        !self.manifest.dead.contains(row)
    }

    /// The segment a row is in, and where: all segments but the last are full.
    pub(crate) fn locate(&self, row: u32) -> (&Segment, usize) {
        let full = self.manifest.layout.segment_rows;
        (&self.segments[(row / full) as usize], (row % full) as usize)
    }

    /// Verifies the owners of some rows, after which [`verified_id`](Self::verified_id) may be asked about them.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt), naming the file and the bytes.
    pub(crate) fn verify_owners(&self, rows: Range<u32>) -> Result<()> {
        for row in rows.clone().step_by(self.manifest.layout.block_rows as usize).chain(rows.last()) {
            let (segment, offset) = self.locate(row);
            segment.verify_owners(segment.block_of(offset))?;
        }
        Ok(())
    }

    /// One of the ids of a row whose owners are verified.
    pub(crate) fn verified_id(&self, row: u32, column: Column) -> ItemId {
        let (segment, offset) = self.locate(row);
        segment.id(offset, column)
    }

    /// One of the ids of a row.
    ///
    /// # Errors
    /// As [`verify_owners`](Self::verify_owners).
    pub(crate) fn id(&self, row: u32, column: Column) -> Result<ItemId> {
        let (segment, offset) = self.locate(row);
        segment.verify_owners(segment.block_of(offset))?;
        Ok(segment.id(offset, column))
    }

    /// The owner of a row.
    ///
    /// # Errors
    /// As [`verify_owners`](Self::verify_owners).
    pub(crate) fn owner(&self, row: u32) -> Result<Item> {
        let (segment, offset) = self.locate(row);
        segment.verify_owners(segment.block_of(offset))?;
        Ok(segment.owner(offset))
    }

    /// The vector of a row, as it is stored.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt), naming the file and the bytes.
    pub(crate) fn vector(&self, row: u32) -> Result<Rows<'_>> {
        let (segment, offset) = self.locate(row);
        segment.vectors(offset..offset + 1)
    }

    /// The vector of a row as it lies there, to steer a walk by and not to answer with: its bytes may be wrong.
    #[cfg(feature = "hnsw")]
    pub(crate) fn unverified_vector(&self, row: u32) -> Rows<'_> {
        let (segment, offset) = self.locate(row);
        segment.unverified_vectors(offset..offset + 1)
    }

    /// Puts the vector of a row in the place of what is in `numbers`.
    ///
    /// # Errors
    /// As [`vector`](Self::vector).
    pub(crate) fn read_vector(&self, row: u32, numbers: &mut Vec<f32>) -> Result<()> {
        numbers.clear();
        self.vector(row)?.widen_into(numbers);
        Ok(())
    }

    /// The way from ids to rows.
    ///
    /// # Errors
    /// As [`Order::open`].
    pub(crate) fn order(&self) -> Result<&Order> {
        if let Some(order) = self.order.get() {
            return Ok(order);
        }
        let order = Order::open(self, &self.known_runs)?;
        Ok(self.order.get_or_init(|| order))
    }

    fn open_runs(&self) -> &[Arc<Run>] {
        self.order.get().map_or(&self.known_runs, Order::runs)
    }
}
