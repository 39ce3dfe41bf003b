//! The format on disk.
//!
//! ```text
//! <home>/brain.db                        the manifests: what of the files counts (tables local_index, local_segment, local_order,
//!                                        local_graph)
//! <home>/indexes/<24 hex digits>/        one index
//!     changes                            how often the index was changed; without it readers look at the manifest each time
//!     lock                               held by the writer of the moment
//!     000000.rows  .codes  .owners  .names   one segment
//!     000001.rows  …
//!     000002.order                       one run of the order
//!     000003.graph  graph.building       the graph, and one that is being built
//! ```
//!
//! **Segments.** The rows of an index are numbered from 0 in the order they were added, dead ones included. They lie in segments of
//! `segment_rows` rows each; only the last may hold fewer. A segment is two files of fixed stride, a third where codes are kept, and a fourth where ids
//! are free text:
//! - `.rows`: the vectors, `dimension` little-endian numbers a row: `f32`, or `f16` by the parameter `vector_type`;
//! - `.codes`: the same rows as [`Coding`] writes them, bytes or sign bits by the metric. They say nothing that the rows do not: a
//!   search reads them first and compares in full only the rows that may be among the nearest. They are kept where they have at most six tenths of the rows'
//!   bytes. A file that is missing, or a block that does not match, costs time and nothing else: its rows are compared, and the next writer writes
//!   the codes again;
//! - `.owners`: 32 bytes a row, two slots of 16: the item's id and its sample's. A slot is a `u32` tag and 12 bytes. Tag 0: the 12 bytes are an id
//!   of 24 hexadecimal digits. Tag 1: they are a `u64` offset and a `u32` length in
//! - `.names`: the free text ids, UTF-8, one after the other without separators.
//!
//! All integers are little-endian. Files are only appended to. What counts of them is what the manifest says: bytes behind the published length are
//! what a writer left that was killed; readers never map them, and the next writer cuts them off.
//!
//! **Blocks.** `block_rows` rows of a segment, counted from its start, share a checksum for their vectors, one for their owners and one for their
//! codes (CRC-32). The manifest holds them. The names of a segment have one checksum together. A checksum is extended, not computed again, when rows
//! join a block that was not full.
//!
//! **Order.** An id is found through *runs*: a run covers a range of rows, and is a file of their numbers (`u32`) sorted by item id, followed, where
//! some item of the range is not its own sample, by the same numbers sorted by sample id, then item id. Runs have checksums and hold nothing that the
//! owners do not say: one that is missing or does not match is sorted again in memory, and mended by the next writer. Rows behind the last run
//! (fewer than `tail_rows`) are sorted in memory. A new run takes in the runs before it that are no longer than itself, so that there are at most log₂(rows)
//! of them and each row number is written log₂(rows) times.
//!
//! **Dead rows.** A row whose item was removed or written anew is in the manifest's bitmap of dead rows (Roaring). When more than half are dead, the
//! live ones are written to new segments, published in one transaction, and the old files are unlinked; readers keep what they have mapped.
//!
//! **Graph.** An index that is searched by graph has one file of edges, recorded in a table of its own (local_graph) beside the manifest: it covers the rows
//! below some number, and holds nothing but numbers of rows near each other. A node is 136 bytes, little-endian `u32`: a CRC-32 of the others, its row, and
//! up to 32 rows that it leads to, filled up with 2³² − 1. First come the nodes of all rows, in row order, then those of each layer above, sorted by row;
//! the record says how many each layer has. Nothing else depends on it: it may be missing, and programs that know no graphs leave it alone. The record
//! names the first segment too: after compaction, whose segments have other numbers, a graph is of no use.
//!
//! File numbers rise within an index and are never given to another published file, so a reader with an older manifest finds the file it means or
//! none; when it finds none, it reads the manifest again.
//!
//! **The manifest** has a checksum (CRC-32) of all that its tables say of an index, each number and text in a fixed order: one that says what is possible and
//! not what was published is found out when it is read.
//!
//! **Versions.** Programs from before the manifest's checksum read and write on beside newer ones: what they publish has none, and is believed, until a
//! newer one changes it; so is what a graph's publication leaves. The first version had `f32` rows and no codes. Its indexes are
//! read and written on as they are; a writer gives them codes when it tidies up after a change.

use brain_core::{IndexSpec, Item, ItemId};
use brain_kernels::Coding;

#[cfg(target_endian = "big")]
compile_error!("vectors are mapped as they lie on disk, in little-endian order");

/// Bytes of one row of an owners file.
pub(crate) const OWNER_BYTES: usize = 2 * SLOT_BYTES;
const SLOT_BYTES: usize = 16;
const TAG_HEX: u32 = 0;
const TAG_TEXT: u32 = 1;

/// A block is verified whole before the first of its rows is used: large enough that the checksums are few, small enough that fetching one row
/// is quick, and that the block stays in the processor's cache between its verification and its search.
const BLOCK_BYTES: usize = 1 << 20;
const BLOCK_ROWS_MOST: usize = 4096;
/// A segment that grows is mapped anew: large enough that they are few, small enough for compaction to free space as it goes.
const SEGMENT_BYTES: usize = 256 << 20;

/// The kinds of files in an index's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Rows,
    Codes,
    Owners,
    Names,
    Order,
}

impl FileKind {
    pub(crate) const ALL: [Self; 5] = [Self::Rows, Self::Codes, Self::Owners, Self::Names, Self::Order];

    /// The ending of its name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Codes => "codes",
            Self::Owners => "owners",
            Self::Names => "names",
            Self::Order => "order",
        }
    }

    /// The name of the file of this kind with this number.
    pub(crate) fn name(self, number: u32) -> String {
        format!("{number:06}.{}", self.extension())
    }

    /// What a file's name says; `None` for a file that is not ours.
    pub(crate) fn parse(name: &str) -> Option<(Self, u32)> {
        let (number, extension) = name.split_once('.')?;
        let kind = Self::ALL.into_iter().find(|kind| kind.extension() == extension)?;
        Some((kind, number.parse().ok()?))
    }
}

/// How a number of a row is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum VectorType {
    #[default]
    F32,
    F16,
}

impl VectorType {
    /// What the parameter `vector_type` of an index says.
    pub(crate) fn of(spec: &IndexSpec) -> Self {
        if spec.parameters.get("vector_type").and_then(|value| value.as_str()) == Some("f16") { Self::F16 } else { Self::F32 }
    }

    /// The name, as the parameter spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// Bytes of a number.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => size_of::<f32>(),
            Self::F16 => size_of::<u16>(),
        }
    }
}

/// As many rows behind the last run are sorted in memory by each process that looks an id up; sorting them takes about a millisecond.
const TAIL_ROWS: u32 = 4096;

/// How the rows of an index are cut into blocks, segments and runs; fixed when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) block_rows: u32,
    /// A multiple of `block_rows`.
    pub(crate) segment_rows: u32,
    /// From so many rows on, the tail of the order becomes a run.
    pub(crate) tail_rows: u32,
    /// Whether new segments keep codes.
    pub(crate) coded: bool,
}

impl Layout {
    pub(crate) fn of(spec: &IndexSpec) -> Self {
        let stride = spec.dimension.saturating_mul(VectorType::of(spec).bytes());
        let block_rows = (BLOCK_BYTES / stride.max(1)).clamp(1, BLOCK_ROWS_MOST);
        let blocks = (SEGMENT_BYTES / stride.saturating_add(OWNER_BYTES) / block_rows).max(1);
        // Both fit: 256 MiB of rows of at least 34 bytes.
        Self { block_rows: block_rows as u32, segment_rows: (blocks * block_rows) as u32, tail_rows: TAIL_ROWS, coded: is_worth_coding(spec) }
    }
}

/// Whether codes are enough smaller than the rows for a search to gain by reading them first.
pub(crate) fn is_worth_coding(spec: &IndexSpec) -> bool {
    let stride = spec.dimension.saturating_mul(VectorType::of(spec).bytes());
    Coding::of(spec.metric, spec.dimension).is_some_and(|coding| coding.record_bytes() * 10 <= stride * 6)
}

/// The owners' record of `item`; free text goes to the end of `names`, which is `names_before` bytes into its file.
pub(crate) fn encode_owner(item: &Item, names: &mut Vec<u8>, names_before: u64) -> [u8; OWNER_BYTES] {
    let mut record = [0; OWNER_BYTES];
    let (id, sample) = record.split_at_mut(SLOT_BYTES);
    encode_id(&item.id, id, names, names_before);
    if item.sample_id == item.id {
        sample.copy_from_slice(id);
    } else {
        encode_id(&item.sample_id, sample, names, names_before);
    }
    record
}

fn encode_id(id: &ItemId, slot: &mut [u8], names: &mut Vec<u8>, names_before: u64) {
    if let Some(bytes) = id.as_bytes() {
        slot[..4].copy_from_slice(&TAG_HEX.to_le_bytes());
        slot[4..].copy_from_slice(bytes);
    } else {
        let text = id.to_string();
        slot[..4].copy_from_slice(&TAG_TEXT.to_le_bytes());
        slot[4..12].copy_from_slice(&(names_before + names.len() as u64).to_le_bytes());
        slot[12..].copy_from_slice(&(text.len() as u32).to_le_bytes());
        names.extend_from_slice(text.as_bytes());
    }
}

/// Which of a record's two ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Item,
    Sample,
}

/// The id in `column` of an owners' record; `None` where the record is none.
pub(crate) fn decode_id(record: &[u8], column: Column, names: &[u8]) -> Option<ItemId> {
    let slot = match column {
        Column::Item => record.get(..SLOT_BYTES)?,
        Column::Sample => record.get(SLOT_BYTES..OWNER_BYTES)?,
    };
    let (tag, bytes) = slot.split_first_chunk::<4>()?;
    match u32::from_le_bytes(*tag) {
        TAG_HEX => Some(ItemId::from_bytes(bytes.try_into().ok()?)),
        TAG_TEXT => {
            let (offset, length) = bytes.split_first_chunk::<8>()?;
            let offset = usize::try_from(u64::from_le_bytes(*offset)).ok()?;
            let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
            let text = names.get(offset..offset.checked_add(length)?)?;
            Some(ItemId::from_text(std::str::from_utf8(text).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use brain_core::{ItemKind, Metric};

    use super::*;

    #[test]
    fn owners_come_back_as_they_were() {
        let hex = ItemId::from("6b01656cdf05e9355da64f3c");
        let items = [Item::sample(hex.clone()), Item::sample("caf\u{e9}".into()), Item::patch("p".into(), hex), Item::patch("q".into(), "r".into())];
        let mut names = Vec::new();
        let records: Vec<_> = items.iter().map(|item| encode_owner(item, &mut names, 0)).collect();
        assert_eq!(names, "cafépqr".as_bytes());
        for (item, record) in items.iter().zip(&records) {
            assert_eq!(decode_id(record, Column::Item, &names).as_ref(), Some(&item.id));
            assert_eq!(decode_id(record, Column::Sample, &names).as_ref(), Some(&item.sample_id));
        }
        assert_eq!(decode_id(&records[3], Column::Sample, &names[..5]), None);
        assert_eq!(decode_id(&[9; OWNER_BYTES], Column::Item, &names), None);
    }

    fn spec(dimension: usize, vector_type: &str) -> IndexSpec {
        let parameters = [("vector_type".to_owned(), vector_type.into())].into();
        IndexSpec { name: "birds".into(), dimension, metric: Metric::Cosine, items: ItemKind::Samples, parameters }
    }

    #[test]
    fn any_dimension_has_a_layout() {
        for dimension in [1, 2, 512, 2500, 100_000, 100_000_000] {
            let layout = Layout::of(&spec(dimension, "f16"));
            assert!(layout.block_rows >= 1 && layout.segment_rows.is_multiple_of(layout.block_rows) && layout.segment_rows > 0, "{layout:?}");
        }
        assert_eq!(Layout::of(&spec(512, "f32")), Layout { block_rows: 512, segment_rows: 129_024, tail_rows: 4096, coded: true });
        assert_eq!(Layout::of(&spec(512, "f16")).block_rows, 1024);
    }

    #[test]
    fn codes_are_kept_where_they_are_much_smaller() {
        assert!(!is_worth_coding(&spec(8, "f32")) && is_worth_coding(&spec(64, "f32")));
        assert!(!is_worth_coding(&spec(64, "f16")) && is_worth_coding(&spec(512, "f16")));
        assert!(!is_worth_coding(&spec(100_000, "f32")));
        assert!(is_worth_coding(&IndexSpec { metric: Metric::Hamming, ..spec(64, "f16") }));
    }

    #[test]
    fn only_our_files_are_ours() {
        assert_eq!(FileKind::parse(&FileKind::Order.name(7)), Some((FileKind::Order, 7)));
        assert_eq!(FileKind::parse("lock"), None);
        assert_eq!(FileKind::parse("notes.txt"), None);
    }
}
