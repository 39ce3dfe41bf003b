//! The index in PostgreSQL against the same work done by plain SQL on one connection.

mod raw;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brain::core::config::{Environment, Sources};
use brain::core::search::{Aggregation, SearchRequest, search};
use brain::core::{
    IndexSpec, Item, ItemId, ItemKind, ItemSet, Metric, NoProgress, OnConflict, Precision, Progress, Scope, SimilarityBackend, SimilarityIndex,
    VectorBatch,
};
use brain_testkit::services::{Server, postgres};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::Flags;
use crate::data::{Data, Random};
use crate::measure::{against, alone, peak_mb, reset_peak, resident_mb};
use raw::{Raw, Vector, pieces};

const K: usize = 10;
const ASKED: usize = 200;
/// Every order of three ways.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

pub(crate) fn run(flags: &Flags) {
    let (rows, dimension) = (flags.number("rows", 50_000), flags.number("dim", 512));
    // As pgbench does: one thread for all connections.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let home = tempfile::tempdir().unwrap();
    let data = Data::new(rows, dimension, flags.text("data").unwrap_or("clustered") == "clustered");
    // Both sides build with the same memory. The server's own 64 MB hold 20,000 rows of 512; a graph that does not fit takes more than an hour.
    runtime.block_on(measure(data, home.path(), flags.text("maintenance-work-mem").unwrap_or("1GB")));
}

struct Bench<'a> {
    data: &'a Data,
    ids: &'a [ItemId],
    index: Box<dyn SimilarityIndex>,
    raw: Raw,
    /// Our table, and the floor's.
    ours: String,
    floor: String,
    /// The effort that our index was given.
    ef: u32,
}

async fn measure(data: Data, home: &std::path::Path, memory: &str) {
    let server = postgres();
    println!("pgvector, {} rows of {}, cosine, hnsw of 16 and 64, maintenance_work_mem of {memory}", data.rows(), data.dimension);
    let backend = backend(&server, home);
    let ids = data.ids();
    let name = format!("bench_{:x}", std::process::id());
    let raw = Raw::connect(&server).await;
    let floor = format!("public.{name}_floor");

    let x = data.dimension;
    let create = format!(
        "CREATE TABLE {floor} (id text COLLATE \"C\" PRIMARY KEY, sample_id text COLLATE \"C\" NOT NULL, embedding_vector vector({x}) NOT NULL) \
         WITH (autovacuum_enabled = false); ALTER TABLE {floor} ALTER COLUMN embedding_vector SET STORAGE PLAIN"
    );
    raw.run(&format!("SET maintenance_work_mem = '{memory}'")).await;
    let parameters = [("maintenance_work_mem".to_owned(), memory.into())].into_iter().collect();
    let spec = IndexSpec { name: name.clone(), dimension: x, metric: Metric::Cosine, items: ItemKind::Samples, parameters };

    // In turn, and the best of each, as the machine is not always as fast. What one has left to write the other shall not wait for.
    let rounds = if data.rows() > 100_000 { 2 } else { 3 };
    let ready = pieces(&data, &ids);
    let (mut plain, mut ours, mut memory) = (Built::default(), Built::default(), 0.0_f64);
    let mut index = None;
    for round in 0..rounds {
        if round > 0 {
            raw.run(&format!("DROP TABLE {floor}")).await;
            backend.drop_index(&(&spec).into()).await.unwrap();
        }
        raw.run("CHECKPOINT").await;
        let started = Instant::now();
        raw.run(&create).await;
        raw.copy(&floor, &ready).await;
        let added = started.elapsed();
        raw.run(&format!("CREATE INDEX ON {floor} USING hnsw (embedding_vector vector_cosine_ops) WITH (m = 16, ef_construction = 64)")).await;
        plain.better(added, started.elapsed(), started.elapsed());

        raw.run("CHECKPOINT").await;
        let before = resident_mb();
        reset_peak();
        let started = Instant::now();
        let made = backend.create(&spec).await.unwrap();
        made.add(data.batches(&ids), OnConflict::Overwrite).await.unwrap();
        let added = started.elapsed();
        let stages = Stages(Mutex::default());
        made.build(&stages).await.unwrap();
        let whole = started.elapsed();
        let indexed = stages.0.into_inner().unwrap().iter().find(|(what, _)| what.starts_with("measuring")).map(|(_, at)| *at - started).unwrap();
        ours.better(added, indexed, whole);
        memory = memory.max(peak_mb() - before);
        index = Some(made);
    }
    drop(ready);
    let index = index.unwrap();
    against("build: add and index", ours.indexed, &format!("binary COPY and CREATE INDEX, best of {rounds}"), plain.indexed);
    against("  with vacuum, and recall measured", ours.whole, "binary COPY and CREATE INDEX", plain.whole);
    against("  adding alone, durable as it goes", ours.added, "binary COPY, one transaction", plain.added);
    alone("  memory while building, beyond the rows", memory, "MB (peak)");
    let info = index.info().await.unwrap();
    let efforts = &info.details["effort for the nearest"];
    println!("  effort {efforts}, recall measured on the sample {}", info.details["recall of 10, measured"]);
    let ef = efforts["10"].as_u64().unwrap_or(200) as u32;
    raw.run(&format!("VACUUM (ANALYZE) {floor}")).await;
    raw.run("SET enable_seqscan = off; SET jit = off").await;
    raw.run(&format!("SET hnsw.ef_search = {ef}")).await;

    let bench = Bench { data: &data, ids: &ids, index, raw, ours: format!("public.{name}"), floor: floor.clone(), ef };
    bench.queries().await;
    bench.views().await;
    bench.fetching().await;
    bench.at_once(&server, home).await;
    bench.adding().await;
    bench.raw.run(&format!("DROP TABLE {floor}")).await;
    backend.drop_index(&(&spec).into()).await.unwrap();
}

/// How many milliseconds it took from the start until the rows were there, until they were indexed, and until all was done.
struct Built {
    added: f64,
    indexed: f64,
    whole: f64,
}

impl Default for Built {
    fn default() -> Self {
        Self { added: f64::MAX, indexed: f64::MAX, whole: f64::MAX }
    }
}

impl Built {
    fn better(&mut self, added: Duration, indexed: Duration, whole: Duration) {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        *self = Self { added: self.added.min(ms(added)), indexed: self.indexed.min(ms(indexed)), whole: self.whole.min(ms(whole)) };
    }
}

/// When each piece of the work began.
struct Stages(Mutex<Vec<(String, Instant)>>);

impl Progress for Stages {
    fn start(&self, what: &str, _total: Option<u64>) {
        self.0.lock().unwrap().push((what.to_owned(), Instant::now()));
    }

    fn advance(&self, _units: u64) {}

    fn finish(&self) {}
}

fn backend(server: &Server, home: &std::path::Path) -> Arc<dyn SimilarityBackend> {
    let variable = ("FIFTYONE_BRAIN_SIMILARITY_PGVECTOR_CONNECTION_STRING".to_owned(), server.url());
    let pool = ("FIFTYONE_BRAIN_SIMILARITY_PGVECTOR_POOL_SIZE".to_owned(), "32".to_owned());
    let sources = Sources { home: Some(home.join("home")), environment: Environment::from_iter([variable, pool]), ..Default::default() };
    brain::Brain::with(&sources, Arc::new(NoProgress)).unwrap().backends().get("pgvector").unwrap()
}

impl Bench<'_> {
    fn request<'r>(&self, query: &[f32], scope: Scope<'r>, precision: Precision) -> SearchRequest<'r> {
        SearchRequest { k: Some(K), aggregation: Aggregation::None, scope, precision, ..SearchRequest::new(vec![query.to_vec()]) }
    }

    async fn ask(&self, query: &[f32], scope: Scope<'_>, precision: Precision) -> (f64, Vec<String>, String) {
        let started = Instant::now();
        let mut answer = search(&*self.index, &self.request(query, scope, precision)).await.unwrap();
        let ms = started.elapsed().as_secs_f64() * 1e3;
        let ids = answer.results.remove(0).iter().map(|hit| hit.item.id.to_string()).collect();
        (ms, ids, format!("{}: {}", answer.report.route, answer.report.reason))
    }

    /// Queries that are no rows, but lie among them.
    fn queries_near_rows(&self, count: usize) -> Vec<Vec<f32>> {
        let row = |number: usize| self.data.row(number * self.data.rows() / count);
        (0..count).map(|number| row(number).iter().zip(row((number + 1) % count)).map(|(a, b)| a + 0.1 * b).collect()).collect()
    }

    async fn queries(&self) {
        let statement = self.raw.prepare(&nearest(&self.ours, "")).await;
        let queries = self.queries_near_rows(ASKED);
        let (mut ours, mut floor, mut found) = (Vec::new(), Vec::new(), 0);
        let mut answers = Vec::new();
        for query in &queries {
            floor.push(self.raw.ask(&statement, &[&Vector(query)]).await.0);
            let (ms, ids, _) = self.ask(query, Scope::All, Precision::Approximate).await;
            ours.push(ms);
            answers.push(ids);
        }
        for (query, ids) in queries.iter().zip(&answers).step_by(4) {
            found += common(ids, &self.ask(query, Scope::All, Precision::Exact).await.1);
        }
        against("query, p50", median(ours), "the statement, prepared, one connection", median(floor));
        alone("  recall@10 of it", found as f64 / (queries.len().div_ceil(4) * K) as f64, &format!("at ef_search {}", self.ef));
    }

    async fn views(&self) {
        let ranked = format!("SELECT id, (embedding_vector <=> $1)::float4 AS d FROM {} WHERE id = ANY($2)", self.ours);
        let exact = self.raw.prepare(&format!("SELECT id, id, d FROM ({ranked}) AS r ORDER BY d LIMIT {K}")).await;
        let filtered = self.raw.prepare(&nearest(&self.ours, "WHERE id = ANY($2)")).await;
        let queries = self.queries_near_rows(24);
        for percent in [1, 10, 50] {
            let set: ItemSet = (0..self.data.rows()).step_by(100 / percent).map(|row| self.ids[row].clone()).collect();
            let ids: Vec<String> = set.as_slice().iter().map(ItemId::to_string).collect();
            let (mut ours, mut by_exact, mut by_index, mut found, mut found_raw) = (Vec::new(), Vec::new(), Vec::new(), 0, 0);
            let mut route = String::new();
            for (number, query) in queries.iter().enumerate() {
                let truth = self.raw.ask(&exact, &[&Vector(query), &ids]).await.1;
                // Who comes after another finds at hand what that one read: each comes after each equally often.
                for way in ORDERS[number % ORDERS.len()] {
                    match way {
                        0 => by_exact.push(self.raw.ask(&exact, &[&Vector(query), &ids]).await.0),
                        1 => {
                            // Through the graph indeed: left to itself, the planner reads the ids' rows and sorts them.
                            self.raw.run("SET hnsw.iterative_scan = strict_order; SET enable_sort = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_custom_plan").await;
                            let (ms, found_here) = self.raw.ask(&filtered, &[&Vector(query), &ids]).await;
                            self.raw.run("RESET hnsw.iterative_scan; RESET enable_sort; RESET enable_bitmapscan; RESET plan_cache_mode").await;
                            by_index.push(ms);
                            found_raw += common(&found_here, &truth);
                        }
                        _ => {
                            let (ms, answer, way) = self.ask(query, Scope::Items(&set), Precision::Approximate).await;
                            ours.push(ms);
                            found += common(&answer, &truth);
                            route = way;
                        }
                    }
                }
            }
            let (by_exact, by_index) = (median(by_exact), median(by_index));
            let share = |found: usize| found as f64 / (queries.len() * K) as f64;
            // A faster route that finds too little is no floor.
            let floor = if share(found_raw) >= 0.99 { by_exact.min(by_index) } else { by_exact };
            against(&format!("view of {percent} %, p50"), median(ours), "the best plain route", floor);
            println!("  recall {:.3}, {route}", share(found));
            println!("  plain: {by_exact:.2} ms comparing the ids' rows, {by_index:.2} ms by the index, filtered (recall {:.3})", share(found_raw));
        }
    }

    async fn fetching(&self) {
        let mut floor = Vec::new();
        let mut ours = Vec::new();
        let before = resident_mb();
        reset_peak();
        for _ in 0..3 {
            let started = Instant::now();
            self.raw.copy_out(&self.ours).await;
            floor.push(started.elapsed().as_secs_f64() * 1e3);
            let started = Instant::now();
            let rows = self.index.stream().try_fold(0, |rows, batch| async move { Ok(rows + batch.len()) }).await.unwrap();
            assert_eq!(rows, self.data.rows());
            ours.push(started.elapsed().as_secs_f64() * 1e3);
        }
        against("fetching all", median(ours), "COPY OUT BINARY", median(floor));
        alone("  memory while fetching", peak_mb() - before, "MB (peak)");
    }

    async fn at_once(&self, server: &Server, folder: &std::path::Path) {
        let queries = self.queries_near_rows(64);
        let shown: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        for clients in [8, 32] {
            let Some(floor) = raw::pgbench(server, &self.ours, &shown, self.ef, clients, folder) else { continue };
            // As pgbench draws its scripts: what was asked a moment ago may be at hand.
            let mut random = Random::new(clients as u64);
            let drawn: Vec<&Vec<f32>> = (0..4_000).map(|_| &queries[((random.number() + 1.0) / 2.0 * queries.len() as f32) as usize]).collect();
            let started = Instant::now();
            stream::iter(&drawn)
                .map(|query| async move { self.ask(query, Scope::All, Precision::Approximate).await.1.len() })
                .buffer_unordered(clients)
                .for_each(|found| async move { assert_eq!(found, K) })
                .await;
            let ours = started.elapsed().as_secs_f64() * 1e3 / drawn.len() as f64;
            against(&format!("{clients} queries at once, each"), ours, "pgbench, the same statement", floor);
        }
    }

    /// A thousand new rows, and then a thousand that are there, into an index that is full.
    async fn adding(&self) {
        let merge = format!(
            "INSERT INTO {} SELECT * FROM staging ON CONFLICT (id) DO UPDATE SET sample_id = excluded.sample_id, \
             embedding_vector = excluded.embedding_vector",
            self.floor
        );
        for (what, first_id) in [("new", self.data.rows()), ("replaced", 0)] {
            let more = Data::new(3_000, self.data.dimension, true);
            let (mut ours, mut floor) = (Vec::new(), Vec::new());
            for round in 0..3 {
                let from = round * 1_000;
                let ids: Vec<ItemId> = (0..1_000).map(|row| ItemId::from_text(&format!("{:024x}", first_id + from + row))).collect();
                let part = Data { dimension: more.dimension, vectors: more.vectors[from * more.dimension..(from + 1_000) * more.dimension].to_vec() };
                let ready = pieces(&part, &ids);
                let started = Instant::now();
                self.raw.run(&format!("BEGIN; CREATE TEMP TABLE staging (LIKE {}) ON COMMIT DROP", self.floor)).await;
                self.raw.copy("staging", &ready).await;
                self.raw.run(&merge).await;
                self.raw.run("COMMIT").await;
                floor.push(started.elapsed().as_secs_f64() * 1e3);
                let items: Vec<Item> = ids.into_iter().map(Item::sample).collect();
                let batch = VectorBatch::new(items, part.dimension, part.vectors).unwrap();
                let started = Instant::now();
                let report = self.index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Overwrite).await.unwrap();
                ours.push(started.elapsed().as_secs_f64() * 1e3);
                assert_eq!(report.added + report.replaced, 1_000);
            }
            against(&format!("adding 1,000 rows, {what}"), median(ours), "a staging table and one merge", median(floor));
        }
    }
}

/// The statement that a search through the index is.
fn nearest(table: &str, filter: &str) -> String {
    format!("SELECT id, id, (embedding_vector <=> $1)::float4 FROM {table} {filter} ORDER BY embedding_vector <=> $1 LIMIT {K}")
}

fn common(a: &[String], b: &[String]) -> usize {
    let b: HashSet<&String> = b.iter().collect();
    a.iter().filter(|id| b.contains(id)).count()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
