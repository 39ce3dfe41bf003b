//! The file of a graph: its edges, and nothing else.
//!
//! The nodes of the ground layer come first, one for each row that the graph covers, in row order; then those of each layer above, sorted by row. A node
//! takes [`NODE_BYTES`]: a CRC-32 of the rest, its row, and the rows it leads to, all `u32`, with [`NONE`] behind the last. A node is verified whenever
//! it is read, which costs less than comparing one row: opening a graph reads nothing of it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use brain_core::{Error, Result};
use brain_kernels::MappedFile;

use super::builder::Builder;

/// The most edges of a node: twice the links that a row gets when it is inserted, as usual on the ground.
pub(super) const EDGES: usize = 32;
const NODE_WORDS: usize = 2 + EDGES;
const NODE_BYTES: usize = NODE_WORDS * size_of::<u32>();
/// No row.
const NONE: u32 = u32::MAX;

/// A graph, mapped.
#[derive(Debug)]
pub(super) struct Graph {
    file: MappedFile,
    /// The number of the first node of each layer, and behind the last the count of all.
    starts: Vec<usize>,
}

/// A node that is not what was written.
#[derive(Debug)]
pub(super) struct Damaged;

impl Graph {
    /// Maps the graph at `path` with so many nodes in each layer.
    ///
    /// # Errors
    /// When the file is missing or too short.
    pub(super) fn open(path: &Path, layers: &[u32]) -> std::io::Result<Self> {
        let mut starts = vec![0];
        starts.extend(layers.iter().scan(0, |sum, &count| {
            *sum += count as usize;
            Some(*sum)
        }));
        let nodes: u64 = layers.iter().map(|&count| u64::from(count)).sum();
        Ok(Self { file: MappedFile::open(path, nodes * NODE_BYTES as u64)?, starts })
    }

    /// How many rows it covers.
    pub(super) fn rows(&self) -> u32 {
        // Row numbers have 32 bits.
        self.starts.get(1).map_or(0, |&ground| ground as u32)
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.file.len()
    }

    /// How many layers there are.
    pub(super) fn layers(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many nodes a layer has.
    pub(super) fn nodes(&self, layer: usize) -> usize {
        self.starts[layer + 1] - self.starts[layer]
    }

    /// The rows of a layer that lead anywhere, in row order; a row that was dead when the graph was built leads nowhere.
    pub(super) fn rows_of(&self, layer: usize) -> impl Iterator<Item = Result<u32, Damaged>> {
        let nodes = (self.starts[layer]..self.starts[layer + 1]).map(|number| self.node(number));
        nodes.filter(|node| !matches!(node, Ok((_, [])))).map(|node| node.map(|(row, _)| row))
    }

    /// The rows that `row` leads to in a layer; all are rows of the graph.
    ///
    /// # Errors
    /// [`Damaged`], also when the layer lacks the row.
    pub(super) fn edges(&self, layer: usize, row: u32) -> Result<&[u32], Damaged> {
        let (first, end) = (self.starts[layer], self.starts[layer + 1]);
        let node = if layer == 0 { row as usize } else { self.find(first, end, row)? };
        match self.node(node)? {
            (found, edges) if found == row => Ok(edges),
            _ => Err(Damaged),
        }
    }

    fn find(&self, first: usize, end: usize, row: u32) -> Result<usize, Damaged> {
        let (mut low, mut high) = (first, end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.node(middle)?.0 < row {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low < end { Ok(low) } else { Err(Damaged) }
    }

    fn node(&self, number: usize) -> Result<(u32, &[u32]), Damaged> {
        let numbers = self.file.as_u32s().ok_or(Damaged)?;
        let words = numbers.get(number * NODE_WORDS..(number + 1) * NODE_WORDS).ok_or(Damaged)?;
        let bytes = &self.file[number * NODE_BYTES..(number + 1) * NODE_BYTES];
        let [checksum, row, edges @ ..] = words else { return Err(Damaged) };
        let count = edges.iter().position(|&edge| edge == NONE).unwrap_or(EDGES);
        let rows = self.rows();
        let sound = *checksum == crc32fast::hash(&bytes[size_of::<u32>()..]) && *row < rows && edges[..count].iter().all(|&edge| edge < rows);
        if sound { Ok((*row, &edges[..count])) } else { Err(Damaged) }
    }
}

/// Writes the edges of `builder` over `rows` rows to `path`, durably; how many nodes each layer has.
///
/// # Errors
/// Those of the file system.
pub(super) fn write(path: &Path, builder: &Builder<'_>, rows: u32) -> Result<Vec<u32>> {
    let failed = |source| Error::io("write", path, source);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    let mut layers = vec![rows];
    let mut edges = Vec::with_capacity(EDGES);
    for row in 0..rows {
        builder.edges(0, row, &mut edges);
        file.write_all(&node(row, &edges)).map_err(failed)?;
    }
    let mut above: Vec<u32> = (0..rows).filter(|&row| builder.top_layer(row) > 0).collect();
    while !above.is_empty() {
        let layer = layers.len();
        for &row in &above {
            builder.edges(layer, row, &mut edges);
            file.write_all(&node(row, &edges)).map_err(failed)?;
        }
        // No more than `rows`, whose numbers have 32 bits.
        layers.push(above.len() as u32);
        above.retain(|&row| builder.top_layer(row) > layer);
    }
    file.into_inner().map_err(|error| failed(error.into_error()))?.sync_data().map_err(failed)?;
    Ok(layers)
}

fn node(row: u32, edges: &[u32]) -> [u8; NODE_BYTES] {
    let mut words = [NONE; NODE_WORDS];
    words[1] = row;
    words[2..].iter_mut().zip(edges).for_each(|(word, &edge)| *word = edge);
    let mut bytes = [0; NODE_BYTES];
    for (bytes, word) in bytes.chunks_exact_mut(size_of::<u32>()).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let checksum = crc32fast::hash(&bytes[size_of::<u32>()..]);
    bytes[..size_of::<u32>()].copy_from_slice(&checksum.to_le_bytes());
    bytes
}
