//! The graph of one index: kept up by writers, walked by searches.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{IndexSpec, Result};
use brain_kernels::{Neighbor, Query};
use brain_store::Database;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::calibrate::K;
use super::file::{Damaged, Graph};
use super::publish::{build, publish, take_turn};
use super::reach::Reach;
use super::record::GraphRecord;
use super::walk::{Place, Walk};
use super::{Walked, is_asked_for};
use crate::format::Column;
use crate::handle::Handle;
use crate::manifest::Manifest;
use crate::scan::Scan;
use crate::scope::Rows;
use crate::snapshot::Snapshot;

/// Whether graphs are built and used.
pub(crate) const BUILT_IN: bool = true;

/// A graph is built anew when the rows behind it are more than one in so many of those it covers. Until then they are compared one by one. An index that
/// grows steadily is built six times over in all.
const GROWTH: u32 = 5;

/// The effort that the size from which graphs are used is measured with.
const USUAL_EFFORT: f64 = 64.0;

/// The graph that is being built; held by the process that builds it.
const BUILDING: &str = "graph.building";

/// Makes the table of graphs.
///
/// # Errors
/// Those of [`Database::migrate`].
pub(crate) fn migrate(database: &Database) -> Result<()> {
    super::record::migrate(database)
}

/// The graph of one index, as this process knows it.
pub(crate) struct Graphs {
    /// As many rows are compared one by one in the time that a walk of usual effort takes.
    from: u32,
    newest: Mutex<Option<(i64, Arc<Known>)>>,
}

/// What is known of the graph at a generation of the index.
struct Known {
    record: Option<GraphRecord>,
    /// `None` where the record names no file, or the file cannot be mapped.
    graph: Option<Graph>,
    /// A walk came by a node that is not what was written.
    damaged: AtomicBool,
}

impl Graphs {
    /// A graph that is worth having from so many rows on.
    pub(crate) fn new(from: u32) -> Self {
        Self { from, newest: Mutex::default() }
    }

    /// The rows of `rows` that come first in `scan`, by way of the graph where there is one and it pays.
    ///
    /// # Errors
    /// Those of the storage, and of the scan over the rows that the walks end at.
    pub(crate) fn search(&self, handle: &Handle, scan: &Scan<'_>, rows: &Rows) -> Result<Walked> {
        let manifest = scan.snapshot.manifest();
        let known = self.known(handle, scan.snapshot)?;
        let (graph, effort) = match known.usable(manifest) {
            Ok(usable) => usable,
            Err(_) if manifest.live_rows() < u64::from(self.from) => {
                return Ok(Walked::Declined(format!("a graph does not pay below {} rows", self.from)));
            }
            Err(why) => return Ok(Walked::Declined(why.to_owned())),
        };
        let effort = effort as usize * scan.k.div_ceil(K);
        let reach = Reach::of(scan.snapshot, graph, rows);
        if !self.pays(effort, reach.covered + reach.behind.len(), manifest.live_rows()) {
            return Ok(Walked::Declined("comparing these rows takes less than walking the graph".to_owned()));
        }
        let IndexSpec { dimension, metric, .. } = handle.spec;
        let walk = |vector: &[f32]| {
            let walk = Walk { graph, snapshot: scan.snapshot, query: &Query::new(metric, vector) };
            Ok(candidates(&walk.nearest(effort, |row| reach.contains(scan.snapshot, row))?, scan.k))
        };
        let queries = scan.queries.par_chunks_exact(dimension);
        let Ok(ends) = queries.clone().map(walk).collect::<std::result::Result<Vec<_>, Damaged>>() else {
            known.damaged.store(true, Ordering::Relaxed);
            return Ok(Walked::Declined(DAMAGED.to_owned()));
        };
        if ends.iter().any(|ends| ends.len() < scan.k.min(reach.covered)) {
            return Ok(Walked::Declined("the graph did not lead to enough rows".to_owned()));
        }
        let verified = |(vector, ends)| Ok(Scan { queries: vector, ..*scan }.run(&Rows::Some(Arc::new(ends)))?.best.concat());
        let mut found: Vec<Vec<Neighbor>> = queries.zip(ends).map(verified).collect::<Result<_>>()?;
        let behind = reach.behind.len();
        if behind > 0 {
            let others = scan.run(&Rows::Some(Arc::new(reach.behind)))?.best;
            found = found.into_iter().zip(others).map(|(found, others)| merge(scan, found, others)).collect();
        }
        let behind = if behind == 0 { String::new() } else { format!(", and compared {behind} newer rows") };
        Ok(Walked::Found(found, format!("walked the graph of {} rows with effort {effort}{behind}", graph.rows())))
    }

    /// Whether walking pays, rather than comparing the `scope` of `live` rows: a walk for rows of which every other is in scope goes twice as far.
    fn pays(&self, effort: usize, scope: usize, live: u64) -> bool {
        let scope = scope as f64;
        scope * scope / (live as f64) >= f64::from(self.from) * effort as f64 / USUAL_EFFORT
    }

    /// Whether the upkeep should build the graph: it is asked for, and there is none, or one that has fallen behind.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) fn is_due(&self, handle: &Handle, snapshot: &Snapshot) -> Result<bool> {
        let manifest = snapshot.manifest();
        if !is_asked_for(&handle.spec) || manifest.live_rows() < u64::from(self.from) {
            return Ok(false);
        }
        let known = self.known(handle, snapshot)?;
        Ok(match &known.record {
            Some(record) if record.fits(manifest) && (record.effort.is_none() || known.usable(manifest).is_ok()) => {
                manifest.rows() - record.rows > record.rows / GROWTH
            }
            _ => true,
        })
    }

    /// Builds the graph if it is due and nobody else is about it.
    ///
    /// # Errors
    /// Those of the storage. They leave searches exact, and the next change tries again.
    pub(crate) fn keep_up(&self, handle: &Handle) -> Result<()> {
        if !self.is_due(handle, &*handle.snapshot()?)? {
            return Ok(());
        }
        let path = handle.folder.join(BUILDING);
        let Some(_turn) = take_turn(&path)? else { return Ok(()) };
        // Somebody may have built it since the look above.
        let snapshot = handle.snapshot()?;
        if self.is_due(handle, &snapshot)? {
            let (layers, effort) = build(&snapshot, &path)?;
            publish(handle, &snapshot, &path, layers, effort)?;
        }
        // Gone already where it was published.
        let _ = std::fs::remove_file(&path);
        Ok(())
    }

    /// What there is to say of the graph.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) fn describe(&self, handle: &Handle, snapshot: &Snapshot) -> Result<Value> {
        let known = self.known(handle, snapshot)?;
        Ok(match known.usable(snapshot.manifest()) {
            Ok((graph, effort)) => json!({ "rows": graph.rows(), "effort": effort, "bytes": graph.bytes() }),
            Err(why) => json!(why),
        })
    }

    /// What `brain.db` says at the generation of `snapshot`; the file is mapped once.
    fn known(&self, handle: &Handle, snapshot: &Snapshot) -> Result<Arc<Known>> {
        let generation = snapshot.manifest().generation;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, graph)) = &*newest
            && *known == generation
        {
            return Ok(Arc::clone(graph));
        }
        let record = GraphRecord::load(&handle.database, handle.id)?;
        let known = match &*newest {
            Some((_, known)) if known.record == record && (known.graph.is_some() || record.is_none()) => Arc::clone(known),
            _ => Arc::new(Known::open(&handle.folder, record)),
        };
        *newest = Some((generation, Arc::clone(&known)));
        Ok(known)
    }
}

const DAMAGED: &str = "the graph's file is damaged; the upkeep after the next change builds it again";

impl Known {
    fn open(folder: &Path, record: Option<GraphRecord>) -> Self {
        let named = record.as_ref().filter(|record| record.effort.is_some());
        let graph = named.and_then(|record| Graph::open(&folder.join(record.name()), &record.layers).ok());
        Self { record, graph, damaged: AtomicBool::new(false) }
    }

    /// The graph and its effort; or why it cannot be walked.
    fn usable(&self, manifest: &Manifest) -> std::result::Result<(&Graph, u32), &'static str> {
        let Some(record) = &self.record else { return Err("the graph is not built yet; the upkeep after the next change builds it") };
        if !record.fits(manifest) {
            return Err("the graph is of rows that were compacted since; the upkeep after the next change builds it again");
        }
        let Some(effort) = record.effort else { return Err("no effort finds 99 % of the neighbours in these vectors by graph") };
        match &self.graph {
            None => Err("the graph's file is missing; the upkeep after the next change builds it again"),
            Some(_) if self.damaged.load(Ordering::Relaxed) => Err(DAMAGED),
            Some(graph) => Ok((graph, effort)),
        }
    }
}

/// The first `k` rows and those as near as the last of them, in file order: which of these come first is decided by their ids.
fn candidates(places: &[Place], k: usize) -> Vec<u32> {
    let last = k.min(places.len()).checked_sub(1).map(|last| places[last].distance);
    let end = last.map_or(0, |last| places.partition_point(|place| place.distance <= last));
    let mut rows: Vec<u32> = places[..end].iter().map(|place| place.row).collect();
    rows.sort_unstable();
    rows
}

/// The first `k` of two lists of verified rows.
fn merge(scan: &Scan<'_>, mut a: Vec<Neighbor>, b: Vec<Neighbor>) -> Vec<Neighbor> {
    a.extend(b);
    let id = |row| scan.snapshot.verified_id(row, Column::Item);
    a.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| id(a.row).cmp(&id(b.row))));
    a.truncate(scan.k);
    a
}
