//! The index in Redis Stack against the same work done by plain commands on one connection.

mod raw;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use brain::core::config::{Environment, Sources};
use brain::core::search::{Aggregation, SearchRequest, search};
use brain::core::{
    IndexSpec, Item, ItemId, ItemKind, ItemSet, Metric, NoProgress, OnConflict, Precision, Scope, Selector, SimilarityBackend, SimilarityIndex,
    VectorBatch,
};
use brain_testkit::services::{Server, redis};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::Flags;
use crate::data::Data;
use crate::measure::{against, alone, peak_mb, reset_peak, resident_mb};
use raw::{Asked, Piece, Raw, Within, reads, writes};

const K: usize = 10;
const ASKED: usize = 200;
/// How many rows are fetched by their ids at a time.
const FETCHED: usize = 10_000;
/// The field that a filter looks at, where a plain layout has one.
const TAG: &str = "id";

pub(crate) fn run(flags: &Flags) {
    let (rows, dimension) = (flags.number("rows", 50_000), flags.number("dim", 512));
    let data = Data::new(rows, dimension, flags.text("data").unwrap_or("clustered") == "clustered");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (home, server) = (tempfile::tempdir().unwrap(), redis());
    for algorithm in ["FLAT", "HNSW"] {
        println!("Redis Stack, {rows} rows of {dimension}, cosine, {algorithm}, hashes");
        runtime.block_on(measure(&data, algorithm, &server, home.path()));
    }
}

struct Bench<'a> {
    data: &'a Data,
    ids: &'a [ItemId],
    index: Box<dyn SimilarityIndex>,
    raw: Raw,
    /// The names of our index and the floor's; the keys of each begin with its name and a colon.
    ours: String,
    floor: String,
    /// The effort of our index, where it has one.
    effort: Option<u32>,
}

async fn measure(data: &Data, algorithm: &str, server: &Server, home: &std::path::Path) {
    let backend = backend(server, home);
    let ids = data.ids();
    let ours = format!("bench_{:x}_{}", std::process::id(), algorithm.to_lowercase());
    let floor = format!("{ours}_floor");
    let mut raw = Raw::connect(server);

    let graph = if algorithm == "HNSW" { "10 M 16 EF_CONSTRUCTION 200" } else { "6" };
    let create = format!(
        "FT.CREATE {floor} ON HASH PREFIX 1 {floor}: SKIPINITIALSCAN SCHEMA vector VECTOR {algorithm} {graph} \
         TYPE FLOAT32 DIM {} DISTANCE_METRIC COSINE",
        data.dimension
    );
    let ready = writes(data, &ids, &format!("{floor}:"), None);
    let parameters = [("algorithm".to_owned(), algorithm.into())].into();
    let spec = IndexSpec { name: ours.clone(), dimension: data.dimension, metric: Metric::Cosine, items: ItemKind::Samples, parameters };

    // In turn, as the machine is not always as fast; a graph takes too long for that, and long enough.
    let rounds = if algorithm == "HNSW" { 1 } else { 7 };
    let (mut made, mut floor_ms, mut added, mut memory) = (Vec::new(), Vec::new(), Vec::new(), (0.0, 0.0, 0.0));
    let mut index = None;
    for round in 0..rounds {
        if round > 0 {
            raw.say(&format!("FT.DROPINDEX {floor} DD"));
            backend.drop_index(&(&spec).into()).await.unwrap();
        }
        let empty = raw.memory_mb();
        raw.say(&create);
        let started = Instant::now();
        raw.pipeline(&ready);
        raw.wait_for(&floor, data.rows());
        floor_ms.push(started.elapsed().as_secs_f64() * 1e3);
        let floor_mb = raw.memory_mb() - empty;

        let (before, empty) = (resident_mb(), raw.memory_mb());
        reset_peak();
        let started = Instant::now();
        let ours = backend.create(&spec).await.unwrap();
        made.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        ours.add(data.batches(&ids), OnConflict::Overwrite).await.unwrap();
        added.push(started.elapsed().as_secs_f64() * 1e3);
        memory = (floor_mb, raw.memory_mb() - empty, peak_mb() - before);
        index = Some(ours);
    }
    drop(ready);
    let (index, (floor_mb, ours_mb, peak)) = (index.unwrap(), memory);
    alone(&format!("{algorithm}: making it, and seeing that no key is in the way"), median(made), "ms");
    against(&format!("{algorithm}: add"), median(added), "HSET in pipelines, into the same index", median(floor_ms));
    let started = Instant::now();
    index.build(&NoProgress).await.unwrap();
    alone("  measuring recall after it", started.elapsed().as_secs_f64() * 1e3, "ms");
    alone("  memory while adding, beyond the rows", peak, "MB (peak)");
    alone("  memory of the server", ours_mb, &format!("MB, {:.3}x the {floor_mb:.1} MB of the plain hashes and index", ours_mb / floor_mb));
    let info = index.info().await.unwrap();
    let effort = info.details.get("effort for the nearest").and_then(|efforts| efforts["10"].as_u64()).map(|effort| effort as u32);
    println!("  {}", serde_json::to_string(&info.details).unwrap());
    let effort = effort.filter(|_| algorithm == "HNSW");

    let mut bench = Bench { data, ids: &ids, index, raw, ours: ours.clone(), floor: floor.clone(), effort };
    bench.queries(algorithm).await;
    bench.views(algorithm).await;
    bench.fetching(algorithm).await;
    bench.at_once(algorithm).await;
    bench.adding(algorithm).await;
    bench.raw.say(&format!("FT.DROPINDEX {floor} DD"));
    backend.drop_index(&(&spec).into()).await.unwrap();
}

fn backend(server: &Server, home: &std::path::Path) -> Arc<dyn SimilarityBackend> {
    let variable = ("FIFTYONE_BRAIN_SIMILARITY_REDIS_URL".to_owned(), server.url());
    let sources = Sources { home: Some(home.join("home")), environment: Environment::from_iter([variable]), ..Default::default() };
    brain::Brain::with(&sources, Arc::new(NoProgress)).unwrap().backends().get("redis").unwrap()
}

impl Bench<'_> {
    async fn ask(&self, query: &[f32], scope: Scope<'_>, precision: Precision) -> (f64, Vec<String>, String) {
        let request = SearchRequest { k: Some(K), aggregation: Aggregation::None, scope, precision, ..SearchRequest::new(vec![query.to_vec()]) };
        let started = Instant::now();
        let mut answer = search(&*self.index, &request).await.unwrap();
        let ms = started.elapsed().as_secs_f64() * 1e3;
        let keys = answer.results.remove(0).iter().map(|hit| self.key(&hit.item.id)).collect();
        (ms, keys, format!("{}: {}", answer.report.route, answer.report.reason))
    }

    fn key(&self, id: &ItemId) -> String {
        format!("{}:{id}", self.ours)
    }

    fn keys(&self) -> Vec<String> {
        self.ids.iter().map(|id| self.key(id)).collect()
    }

    /// Queries that are no rows, but lie among them.
    fn queries_near_rows(&self, count: usize) -> Vec<Vec<f32>> {
        let row = |number: usize| self.data.row(number * self.data.rows() / count);
        (0..count).map(|number| row(number).iter().zip(row((number + 1) % count)).map(|(a, b)| a + 0.1 * b).collect()).collect()
    }

    async fn queries(&mut self, algorithm: &str) {
        let queries = self.queries_near_rows(ASKED);
        let (index, effort) = (self.ours.clone(), self.effort);
        let (mut ours, mut floor, mut found) = (Vec::new(), Vec::new(), 0);
        let mut answers = Vec::new();
        for query in &queries {
            floor.push(self.raw.search(&Asked { index: &index, effort, within: Within::All, k: K }, query).0);
            let (ms, keys, _) = self.ask(query, Scope::All, Precision::Approximate).await;
            ours.push(ms);
            answers.push(keys);
        }
        for (query, keys) in queries.iter().zip(&answers).step_by(4) {
            found += common(keys, &self.ask(query, Scope::All, Precision::Exact).await.1);
        }
        against(&format!("{algorithm}: query, p50"), median(ours), "the command, one connection", median(floor));
        let with = effort.map(|effort| format!("at EF_RUNTIME {effort}")).unwrap_or_default();
        alone("  recall@10 of it", found as f64 / (queries.len().div_ceil(4) * K) as f64, &with);
    }

    async fn views(&mut self, algorithm: &str) {
        let all = self.keys();
        // A layout that a filter can be put to: our index holds no tags, so a plain one stands beside it.
        let tagged = format!("{}_tagged", self.floor);
        let vector = format!("vector VECTOR FLAT 6 TYPE FLOAT32 DIM {} DISTANCE_METRIC COSINE", self.data.dimension);
        self.raw.say(&format!("FT.CREATE {tagged} ON HASH PREFIX 1 {tagged}: SKIPINITIALSCAN SCHEMA {TAG} TAG {vector}"));
        self.raw.pipeline(&writes(self.data, self.ids, &format!("{tagged}:"), Some(TAG)));
        for (percent, count) in [(1, 60), (10, 24), (50, 24)] {
            let queries = self.queries_near_rows(count);
            let rows: Vec<usize> = (0..self.data.rows()).step_by(100 / percent).collect();
            let set: ItemSet = rows.iter().map(|&row| self.ids[row].clone()).collect();
            let keys: Vec<String> = rows.iter().map(|&row| all[row].clone()).collect();
            let view: HashSet<String> = keys.iter().cloned().collect();
            let ids: Vec<String> = rows.iter().map(|&row| self.ids[row].to_string()).collect();
            let filter = format!("(@{TAG}:{{{}}})", ids.join("|"));
            let vectors = reads(&keys, &["vector"]);
            let (index, effort) = (self.ours.clone(), self.effort);
            let asked = |within| Asked { index: &index, effort, within, k: K };
            let by_tag = Asked { index: &tagged, effort: None, within: Within::Filter(&filter), k: K };
            let more = (K * 100 / percent * 2).clamp(K + 10, 1_000);

            let (mut ours, mut found, mut route) = (Vec::new(), 0, String::new());
            let mut plain = ["INKEYS", "TAG, ADHOC_BF", "asking for more", "fetch and compare"].map(|name| (name, Vec::new(), 0));
            for (number, query) in queries.iter().enumerate() {
                let truth = self.truth(query, &rows, &all);
                // Who comes after another finds in the server's nearer memory what that one read: each comes after each equally often.
                for turn in 0..=plain.len() {
                    let way = (number + turn * (1 + number % plain.len())) % (plain.len() + 1);
                    let (ms, keys) = match way {
                        0 => self.raw.search(&asked(Within::Keys(&keys)), query),
                        1 => self.raw.search(&by_tag, query),
                        2 => self.raw.search_more(&asked(Within::All), more, &view, query),
                        3 => (self.raw.search_here(&vectors, query), truth.clone()),
                        _ => {
                            let (ms, keys, way) = self.ask(query, Scope::Items(&set), Precision::Approximate).await;
                            route = way;
                            (ms, keys)
                        }
                    };
                    let keys: Vec<String> = keys.iter().map(|key| key.replace(&tagged, &self.ours)).collect();
                    let right = common(&keys, &truth);
                    if let Some((_, times, found)) = plain.get_mut(way) {
                        times.push(ms);
                        *found += right;
                    } else {
                        ours.push(ms);
                        found += right;
                    }
                }
            }
            let share = |found: usize| found as f64 / (queries.len() * K) as f64;
            let plain = plain.map(|(name, times, right)| (name, median(times), share(right)));
            // A faster route that finds too little is no floor.
            let good = plain.iter().filter(|(_, _, recall)| *recall >= 0.99);
            let (name, floor, _) = good.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            against(&format!("{algorithm}: view of {percent} %, p50"), median(ours), &format!("the best plain route, {name},"), *floor);
            println!("  recall {:.3}, {route}", share(found));
            let told: Vec<String> = plain.iter().map(|(name, ms, recall)| format!("{name} {ms:.2} ms (recall {recall:.3})")).collect();
            println!("  plain: {}", told.join(", "));
        }
        self.raw.say(&format!("FT.DROPINDEX {tagged} DD"));
    }

    /// The nearest of some rows, compared one by one.
    fn truth(&self, query: &[f32], rows: &[usize], keys: &[String]) -> Vec<String> {
        let query = brain_kernels::Query::new(Metric::Cosine, query);
        let mut ranked: Vec<(f32, usize)> = rows.iter().map(|&row| (query.distance(self.data.row(row)), row)).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranked[..K].iter().map(|&(_, row)| keys[row].clone()).collect()
    }

    /// Fetching all rows: by ids that are known, as the plain commands know their keys, and all that there are, whose keys must be asked for where the index
    /// has changed.
    async fn fetching(&mut self, algorithm: &str) {
        let commands = reads(&self.keys(), &["vector"]);
        let index = self.ours.clone();
        let (mut by_ids, mut read) = (Vec::new(), Vec::new());
        let (mut first, mut listed, mut again) = (Vec::new(), Vec::new(), Vec::new());
        let before = resident_mb();
        reset_peak();
        for _ in 0..5 {
            // One row is written anew, so that what was known of the index is out of date.
            let row = VectorBatch::new(vec![Item::sample(self.ids[0].clone())], self.data.dimension, self.data.row(0).to_vec()).unwrap();
            self.index.add(stream::iter([Ok(row)]).boxed(), OnConflict::Overwrite).await.unwrap();
            let started = Instant::now();
            self.raw.list(&index, self.data.rows());
            self.read_all(&commands);
            listed.push(started.elapsed().as_secs_f64() * 1e3);
            first.push(self.stream_all().await);
            let started = Instant::now();
            self.read_all(&commands);
            read.push(started.elapsed().as_secs_f64() * 1e3);
            again.push(self.stream_all().await);
        }
        let memory = peak_mb() - before;
        for _ in 0..5 {
            let started = Instant::now();
            self.read_all(&commands);
            read.push(started.elapsed().as_secs_f64() * 1e3);
            let started = Instant::now();
            for ids in self.ids.chunks(FETCHED) {
                assert_eq!(self.index.fetch(Selector::Items(ids)).await.unwrap().rows.len(), ids.len());
            }
            by_ids.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let (read_is, read) = ("HMGET in pipelines, of keys that are known", median(read));
        against(&format!("{algorithm}: fetching all by their ids"), median(by_ids), read_is, read);
        against(&format!("{algorithm}: fetching all, again"), median(again), read_is, read);
        let (first, listed_is) = (median(first), "FT.SEARCH for the keys, then HMGET in pipelines");
        against(&format!("{algorithm}: fetching all, once it was changed"), first, listed_is, median(listed));
        against(&format!("{algorithm}: fetching all, once it was changed"), first, read_is, read);
        alone("  memory while fetching", memory, "MB (peak)");
    }

    fn read_all(&mut self, commands: &[Piece]) {
        assert_eq!(self.raw.pipeline(commands), 4 * self.data.vectors.len());
    }

    /// How long it takes to stream all rows, in milliseconds.
    async fn stream_all(&self) -> f64 {
        let started = Instant::now();
        let rows = self.index.stream().try_fold(0, |rows, batch| async move { Ok(rows + batch.len()) }).await.unwrap();
        assert_eq!(rows, self.data.rows());
        started.elapsed().as_secs_f64() * 1e3
    }

    /// Several queries at once, against one after the other: the server has one thread for searches.
    async fn at_once(&mut self, algorithm: &str) {
        let queries = self.queries_near_rows(64);
        let (index, effort) = (self.ours.clone(), self.effort);
        let floor = queries.iter().map(|query| self.raw.search(&Asked { index: &index, effort, within: Within::All, k: K }, query).0);
        let floor = median(floor.collect());
        for clients in [8, 32] {
            let count = 1_000;
            let started = Instant::now();
            let this = &*self;
            stream::iter(0..count)
                .map(|number| {
                    let query = &queries[number % queries.len()];
                    async move { this.ask(query, Scope::All, Precision::Approximate).await.1.len() }
                })
                .buffer_unordered(clients)
                .for_each(|found| async move { assert_eq!(found, K) })
                .await;
            let ours = started.elapsed().as_secs_f64() * 1e3 / count as f64;
            against(&format!("{algorithm}: {clients} queries at once, each"), ours, "one after the other, by the command", floor);
        }
    }

    /// A thousand new rows, and then a thousand that are there, into an index that is full.
    async fn adding(&mut self, algorithm: &str) {
        for (what, first_id) in [("new", self.data.rows()), ("replaced", 0)] {
            let more = Data::new(3_000, self.data.dimension, true);
            let (mut ours, mut floor) = (Vec::new(), Vec::new());
            for round in 0..3 {
                let from = round * 1_000;
                let ids: Vec<ItemId> = (0..1_000).map(|row| ItemId::from_text(&format!("{:024x}", first_id + from + row))).collect();
                let part = Data { dimension: more.dimension, vectors: more.vectors[from * more.dimension..(from + 1_000) * more.dimension].to_vec() };
                let ready = writes(&part, &ids, &format!("{}:", self.floor), None);
                let started = Instant::now();
                self.raw.pipeline(&ready);
                floor.push(started.elapsed().as_secs_f64() * 1e3);
                let items: Vec<Item> = ids.into_iter().map(Item::sample).collect();
                let batch = VectorBatch::new(items, part.dimension, part.vectors).unwrap();
                let started = Instant::now();
                let report = self.index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Overwrite).await.unwrap();
                ours.push(started.elapsed().as_secs_f64() * 1e3);
                assert_eq!(report.added + report.replaced, 1_000);
            }
            against(&format!("{algorithm}: adding 1,000 rows, {what}"), median(ours), "HSET in pipelines", median(floor));
        }
    }
}

fn common(a: &[String], b: &[String]) -> usize {
    let b: HashSet<&String> = b.iter().collect();
    a.iter().filter(|key| b.contains(key)).count()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
