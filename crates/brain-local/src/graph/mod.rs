//! Graph search: `algorithm = hnsw`, behind the feature of that name.
//!
//! A hierarchical navigable small world (Malkov and Yashunin, 2016) leads from any row to a query's neighbours in steps that are few, so that a
//! search compares some thousand rows of a million. It may miss a neighbour: only [`Precision::Approximate`](brain_core::Precision) takes it.
//!
//! *A graph is derived.* It is a file of edges between row numbers, `NNNNNN.graph`, and a row of the table `local_graph` in `brain.db`, published after
//! the file is durable. It holds nothing that the rows do not say, nothing that was acknowledged depends on it, and programs without the feature pass
//! over it. One that is missing, damaged or of rows that were compacted away is not used: the answer is exact and says why, and the upkeep
//! after the next change builds the graph again.
//!
//! *Building* is the work of the library usearch (`builder`), which sees the rows at half precision and gives its edges away; [`mod@file`] keeps them.
//! The upkeep after a change does it, when there are enough rows and a fifth as many as the graph covers have come since. Meanwhile others may
//! search and write: the rows are those of a snapshot, and only publishing takes the writer's lock.
//!
//! Why usearch: it and `hnsw_rs` were measured on one machine of two cores, with 50,000 vectors of 512 numbers in 200 clusters, 16 links and an effort of 128
//! while building. usearch, without its own kernels, built in 15 s and took 115 MB (64 MB at half precision, which serves as well), `hnsw_rs` in 24 s
//! and 221 MB; at an effort of 100 both found 0.999 of the ten nearest or more, in 0.34 and 0.45 ms. Its own file, vectors included, is 110 MB against 133 MB,
//! and is mapped in 15 ms against 1.2 s of reading; `hnsw_rs` ends the process on some damaged files. Neither file is used here: edges alone are
//! 7 MB, need no second copy of the vectors and no trust in bytes that foreign code would follow. Of usearch's edges the walk here finds as much as its own
//! search does, in no more time. usearch needs a C++ compiler, which is why graphs are a feature.
//!
//! *Searching* ([`walk`]) follows the edges over the rows where they lie. Its distances only steer: the rows it ends at, and those that came after the
//! graph, go through the exact scan, which verifies them, computes their distances and breaks ties by id.
//!
//! *Effort*, how many of the best rows a walk keeps in sight, is measured after building ([`calibrate`]): rows that were held out are searched for,
//! and the smallest effort with a recall of 0.99 is recorded. Data that none serves is answered exactly.

#[cfg(not(feature = "hnsw"))]
mod disabled;
#[cfg(feature = "hnsw")]
mod enabled;

#[cfg(feature = "hnsw")]
mod builder;
#[cfg(feature = "hnsw")]
mod calibrate;
#[cfg(feature = "hnsw")]
mod file;
#[cfg(feature = "hnsw")]
mod publish;
#[cfg(feature = "hnsw")]
mod reach;
#[cfg(feature = "hnsw")]
mod record;
#[cfg(all(test, feature = "hnsw"))]
mod tests;
#[cfg(feature = "hnsw")]
mod walk;

use brain_core::{IndexSpec, Metric};
use brain_kernels::Neighbor;

#[cfg(not(feature = "hnsw"))]
pub(crate) use disabled::{BUILT_IN, Graphs, migrate};
#[cfg(feature = "hnsw")]
pub(crate) use enabled::{BUILT_IN, Graphs, migrate};

/// From so many rows on an index has a graph, unless the backend is told otherwise: about as many as are compared one by one in the time that a walk of
/// usual effort takes. Of 20,000 vectors of 512 numbers, two cores compared all in 0.62 ms, by their codes, and a walk took 0.31 ms; of 10,000,
/// 0.50 and 0.27 ms. Fewer gain nothing that anybody notices, for building takes seconds.
pub(crate) const GRAPH_FROM: u32 = 20_000;

/// What graphs can be built for: metrics under which a neighbour's neighbours are near, and that the library computes.
const METRICS: [Metric; 3] = [Metric::Cosine, Metric::DotProduct, Metric::Euclidean];

/// Whether an index was made to be searched by graph.
pub(crate) fn is_asked_for(spec: &IndexSpec) -> bool {
    spec.parameters.get("algorithm").is_some_and(|algorithm| algorithm == "hnsw")
}

/// Whether a graph can serve this metric.
pub(crate) fn serves(metric: Metric) -> bool {
    METRICS.contains(&metric)
}

/// What came of asking the graph.
#[cfg_attr(not(feature = "hnsw"), expect(dead_code, reason = "without graphs nothing is found by one"))]
pub(crate) enum Walked {
    /// The best rows for each query, the best first, and how they were found.
    Found(Vec<Vec<Neighbor>>, String),
    /// The rows must be compared one by one, for this reason.
    Declined(String),
}
