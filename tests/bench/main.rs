//! Measurements, each as a ratio to a floor from the same run: `cargo xtask bench <what> [flags]`.
//!
//! | what | measured | floor |
//! |---|---|---|
//! | `local` | queries, views, adding, opening; `--duplicates yes` and `--peers PYTHON` add to it | a parallel read of the same bytes; a matrix product; a plain write and sync |
//! | `pgvector` | building, queries, views, adding, fetching, many at once, memory | the same done by plain SQL and COPY; pgbench |
//! | `redis` | adding, queries, views, fetching, many at once, memory of both sides, for FLAT and HNSW | the same commands by a client that does nothing else |
//! | `dataset` | import of JSON Lines, resolving views, memory | reading the same lines |
//! | `embed` | photos a second through the whole pipeline, by two runtimes; patches found; `--peers PYTHON` adds Pillow and ONNX Runtime | the runtime alone, on tensors in memory |
//! | `cli` | how soon the program answers | starting a program that does nothing |
//!
//! `--json yes` ends with the figures as one JSON document.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod cli;
mod data;
mod dataset;
mod embed;
mod local;
mod measure;
mod pgvector;
mod redis;

use std::collections::BTreeMap;

/// `--name value` pairs.
struct Flags(BTreeMap<String, String>);

impl Flags {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &str, default: usize) -> usize {
        self.0.get(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("--{name} wants a number, not {value:?}")))
    }
}

fn main() {
    // Cargo adds --bench to what the user wrote.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let what = arguments.next().unwrap_or_default();
    let mut flags = BTreeMap::new();
    while let Some(flag) = arguments.next() {
        let name = flag.strip_prefix("--").unwrap_or_else(|| panic!("{flag:?} is no flag")).to_owned();
        flags.insert(name, arguments.next().unwrap_or_default());
    }
    let flags = Flags(flags);
    match what.as_str() {
        "local" => local::run(&flags),
        "pgvector" => pgvector::run(&flags),
        "redis" => redis::run(&flags),
        "dataset" => dataset::run(&flags),
        "embed" => embed::run(&flags),
        "cli" => cli::run(&flags),
        other => {
            println!("there is no benchmark {other:?}: choose local, pgvector, redis, dataset, embed or cli");
            std::process::exit(2);
        }
    }
    if flags.text("json").is_some() {
        println!("{}", serde_json::Value::Array(measure::figures()));
    }
}
