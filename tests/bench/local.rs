//! The embedded index against the bytes it has to read.

use std::io::Write as _;

use brain::core::{Direction, IndexSpec, Item, ItemId, ItemKind, ItemSet, Metric, NearestRequest, OnConflict, Precision, Scope, VectorBatch};
use futures::executor::block_on;
use futures::stream::{self, StreamExt as _};
use rayon::prelude::*;

use crate::Flags;
use crate::measure::{against, alone, median_ms, once_ms, peak_mb, resident_mb};

const BATCH: usize = 1000;

pub(crate) fn run(flags: &Flags) {
    let (rows, dimension) = (flags.number("rows", 50_000), flags.number("dim", 512));
    println!("local index, {rows} rows of {dimension}, cosine, {} threads", rayon::current_num_threads());
    let home = tempfile::tempdir().unwrap();
    let sources = brain::core::config::Sources { home: Some(home.path().join("home")), ..Default::default() };
    let brain = brain::Brain::with(&sources, std::sync::Arc::new(brain::core::NoProgress)).unwrap();
    let backend = brain.backends().get("local").unwrap();
    let spec = IndexSpec { name: "bench".into(), dimension, metric: Metric::Cosine, items: ItemKind::Samples, parameters: Default::default() };
    let index = block_on(backend.create(&spec)).unwrap();

    // The same bytes in memory: the floor of a scan, and the source of the batches.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let vectors: Vec<f32> = (0..rows * dimension).map(|_| random()).collect();
    let ids: Vec<ItemId> = (0..rows).map(|row| ItemId::from_text(&format!("{row:024x}"))).collect();
    let batch = |from: usize| {
        let to = (from + BATCH).min(rows);
        let items = ids[from..to].iter().cloned().map(Item::sample).collect();
        VectorBatch::new(items, dimension, vectors[from * dimension..to * dimension].to_vec())
    };

    let bytes: &[u8] = &vectors.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let (write, ()) = once_ms(|| {
        let mut file = std::fs::File::create(home.path().join("floor")).unwrap();
        file.write_all(bytes).unwrap();
        file.sync_all().unwrap();
    });
    let before = resident_mb();
    let (add, report) = once_ms(|| block_on(index.add(stream::iter((0..rows).step_by(BATCH)).map(batch).boxed(), OnConflict::Overwrite)).unwrap());
    assert_eq!(report.added, rows as u64);
    against("add all rows, batches of 1000, each durable", add, "write and sync once", write);
    alone("  memory while adding, beyond the rows", peak_mb() - before, "MB (peak, with one batch)");
    let (open, _) = once_ms(|| block_on(backend.open(&spec)).unwrap());
    alone("open", open, "ms");

    let query = &vectors[..dimension];
    let ask = |k: usize, scope: Scope<'_>| {
        let request = NearestRequest { queries: query, k, scope, direction: Direction::Nearest, precision: Precision::Exact };
        let response = block_on(index.nearest(request)).unwrap();
        assert_eq!(response.hits[0].len() as u64, (k as u64).min(block_on(index.count(scope)).unwrap()));
        response
    };
    let (first, _) = once_ms(|| ask(10, Scope::All));
    alone("first query, checksums verified", first, "ms");
    let floor = median_ms(20, || read(&vectors));
    against("query, k = 10, all rows", median_ms(20, || ask(10, Scope::All)), "parallel read of the same bytes", floor);
    for percent in [1, 10, 50] {
        let set = ItemSet::new(ids.iter().step_by(100 / percent).cloned().collect());
        let part: Vec<f32> = (0..rows).step_by(100 / percent).flat_map(|row| vectors[row * dimension..(row + 1) * dimension].to_vec()).collect();
        let floor = median_ms(20, || read(&part));
        against(&format!("query within a view of {percent} %"), median_ms(20, || ask(10, Scope::Items(&set))), "read of its rows", floor);
    }
}

fn read(numbers: &[f32]) -> f32 {
    // Thirty-two sums side by side, so that the read waits for memory and not for an addition.
    numbers
        .par_chunks(1 << 16)
        .map(|chunk| {
            let mut sums = [0.0_f32; 32];
            for part in chunk.chunks_exact(32) {
                sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
            }
            sums.iter().sum::<f32>()
        })
        .sum()
}
