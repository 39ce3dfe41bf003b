//! A table of vectors as it is: what was read of it from the catalog, and the SQL that follows from that.

use brain_core::search::Calibration;
use brain_core::{IndexSpec, ItemKind, Metric};
use serde::{Deserialize, Serialize};

use crate::options::{Method, Over};
use crate::quote::{identifier, qualified};

/// The columns of a table that FiftyOne or this library made.
pub(crate) const VECTOR_COLUMN: &str = "embedding_vector";

/// What a table of this library says of itself, in its comment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The version of the note.
    pub(crate) brain: u32,
    pub(crate) metric: Metric,
    pub(crate) items: ItemKind,
    /// Whether it holds a vector that the server's arithmetic in single precision cannot compare.
    #[serde(default)]
    pub(crate) extreme: bool,
}

/// An index on the vectors.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VectorIndex {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) over: Over,
    /// What it ranks by: for sign bits hamming or jaccard.
    pub(crate) metric: Metric,
    /// A build that was cut off leaves one that is not.
    pub(crate) valid: bool,
    pub(crate) calibration: Option<Calibration>,
}

/// A table of vectors.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// In half precision.
    pub(crate) halves: bool,
    /// As the column declares it.
    pub(crate) dimension: Option<usize>,
    /// What this library wrote about it; `None` where others made it.
    pub(crate) note: Option<Note>,
    pub(crate) indexes: Vec<VectorIndex>,
    /// Whether the server keeps two rows from having one id.
    pub(crate) keyed: bool,
    /// Whether samples are found by an index.
    pub(crate) samples_indexed: bool,
    /// Whether `sample_id` may be missing.
    pub(crate) samples_optional: bool,
}

impl Table {
    /// The table's name in SQL.
    pub(crate) fn sql(&self) -> String {
        qualified(Some(&self.schema), &self.name)
    }

    /// The index that serves a metric: its own, or one of fewer bits whose candidates are compared in full.
    pub(crate) fn index_for(&self, metric: Metric, dimension: usize) -> Option<&VectorIndex> {
        let serves = |index: &&VectorIndex| {
            index.valid
                && (index.metric == metric
                    || (index.over == Over::Signs && index.metric == Metric::Hamming && Over::best(metric, self.halves, dimension) == Over::Signs))
        };
        self.indexes.iter().find(serves)
    }
}

/// The SQL of one index: its table, ranked by its metric. `$1` is the query, a `vector`.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    pub(crate) table: String,
    /// The schema of the extension.
    extension: String,
    halves: bool,
    dimension: usize,
    metric: Metric,
    /// The expression of the sample's id.
    pub(crate) sample: &'static str,
    /// Whether an index finds an id.
    pub(crate) ids_indexed: bool,
    /// Whether an index finds a sample.
    pub(crate) samples_indexed: bool,
    /// What keeps rows out that no metric, or not this one, can rank. `None` for tables that hold no such rows.
    pub(crate) rankable: Option<String>,
}

impl Ranked {
    pub(crate) fn new(table: &Table, spec: &IndexSpec, extension: &str) -> Self {
        let extension = identifier(extension);
        let sample = match spec.items {
            ItemKind::Samples => "id",
            ItemKind::Patches if table.samples_optional => "coalesce(sample_id, id)",
            ItemKind::Patches => "sample_id",
        };
        let norm = if table.halves { "l2_norm" } else { "vector_norm" };
        let rankable = table.note.is_none().then(|| match spec.metric {
            Metric::Cosine => format!("{VECTOR_COLUMN} IS NOT NULL AND {extension}.{norm}({VECTOR_COLUMN}) <> 0"),
            _ => format!("{VECTOR_COLUMN} IS NOT NULL"),
        });
        Self {
            table: table.sql(),
            extension,
            halves: table.halves,
            dimension: spec.dimension,
            metric: spec.metric,
            sample,
            ids_indexed: table.keyed,
            // A table of this library gets that index when it is built.
            samples_indexed: table.samples_indexed || table.note.is_some(),
            rankable,
        }
    }

    fn operator(&self, metric: Metric) -> String {
        let symbol = match metric {
            Metric::Cosine => "<=>",
            Metric::DotProduct => "<#>",
            Metric::Euclidean => "<->",
            Metric::L1 => "<+>",
            Metric::Hamming => "<~>",
            Metric::Jaccard => "<%>",
        };
        format!("OPERATOR({}.{symbol})", self.extension)
    }

    /// The distance of a row to the query, by the whole of both. No index is used for it.
    pub(crate) fn distance(&self) -> String {
        let (x, operator) = (&self.extension, self.operator(self.metric));
        match self.metric {
            Metric::Hamming | Metric::Jaccard => {
                format!("({x}.binary_quantize({VECTOR_COLUMN}) {operator} {x}.binary_quantize($1))::float4")
            }
            // The query keeps its precision.
            _ if self.halves => format!("({VECTOR_COLUMN}::{x}.vector {operator} $1)::float4"),
            _ => format!("({VECTOR_COLUMN} {operator} $1)::float4"),
        }
    }

    /// What an index holds of a row, as its definition has it.
    pub(crate) fn indexed(&self, over: Over) -> String {
        let (x, d) = (&self.extension, self.dimension);
        match over {
            Over::Column => VECTOR_COLUMN.to_owned(),
            Over::Halves => format!("({VECTOR_COLUMN}::{x}.halfvec({d}))"),
            Over::Signs => format!("({x}.binary_quantize({VECTOR_COLUMN})::bit({d}))"),
        }
    }

    /// The operator class of such an index.
    pub(crate) fn operator_class(&self, over: Over) -> String {
        let of = match (over, self.halves) {
            (Over::Signs, _) => "bit",
            (Over::Halves, _) | (Over::Column, true) => "halfvec",
            (Over::Column, false) => "vector",
        };
        let by = match (over, self.metric) {
            (_, Metric::Jaccard) => "jaccard",
            (Over::Signs, _) | (_, Metric::Hamming) => "hamming",
            (_, Metric::Cosine) => "cosine",
            (_, Metric::DotProduct) => "ip",
            (_, Metric::Euclidean) => "l2",
            (_, Metric::L1) => "l1",
        };
        format!("{}.{of}_{by}_ops", self.extension)
    }

    /// What a search through an index sorts by.
    fn order(&self, index: &VectorIndex) -> String {
        let (x, d, operator) = (&self.extension, self.dimension, self.operator(index.metric));
        let query = match index.over {
            Over::Column if !self.halves => "$1".to_owned(),
            Over::Column | Over::Halves => format!("($1::{x}.halfvec({d}))"),
            Over::Signs => format!("({x}.binary_quantize($1)::bit({d}))"),
        };
        format!("{} {operator} {query}", self.indexed(index.over))
    }

    /// Whether the candidates of an index are compared in full.
    pub(crate) fn compares(&self, index: &VectorIndex) -> bool {
        !self.ranks_by_distance(index)
    }

    /// Whether what the index sorts by is the distance itself.
    fn ranks_by_distance(&self, index: &VectorIndex) -> bool {
        index.metric == self.metric && (index.over == Over::Signs || (index.over == Over::Column && !self.halves))
    }

    /// The statement of a search through an index: id, sample and distance of `candidates` rows, not yet in their final order.
    pub(crate) fn through(&self, index: &VectorIndex, candidates: usize) -> String {
        let Self { table, sample, .. } = self;
        let order = self.order(index);
        if self.ranks_by_distance(index) {
            return format!("SELECT id, {sample}, ({order})::float4 FROM {table} ORDER BY {order} LIMIT {candidates}");
        }
        let nearest = format!("SELECT id, sample_id, {VECTOR_COLUMN} FROM {table} ORDER BY {order} LIMIT {candidates}");
        format!("SELECT id, {sample}, {} FROM ({nearest}) AS candidates", self.distance())
    }

    /// The statement of a search that compares every row, or those that `scope` lets through: id, sample and distance, in order.
    pub(crate) fn every(&self, scope: &str, farthest: bool, k: Option<usize>) -> String {
        let Self { table, sample, .. } = self;
        let descending = if farthest { " DESC" } else { "" };
        let limit = k.map(|k| format!(" LIMIT {k}")).unwrap_or_default();
        let rows = format!("SELECT id, {sample} AS sample, {} AS distance FROM {table}{}", self.distance(), self.filtered(scope));
        format!("SELECT id, sample, distance FROM ({rows}) AS ranked ORDER BY distance{descending}, id COLLATE \"C\"{limit}")
    }

    /// A scope with what can be ranked: what follows the table's name.
    pub(crate) fn filtered(&self, scope: &str) -> String {
        match &self.rankable {
            None => scope.to_owned(),
            Some(rankable) => format!("{scope}{}{rankable}", if scope.contains(" WHERE ") { " AND " } else { " WHERE " }),
        }
    }
}
