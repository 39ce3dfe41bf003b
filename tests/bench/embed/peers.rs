//! The same photos embedded as Python users do: Pillow and ONNX Runtime.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use brain::brain_models::Zoo;
use serde_json::{Value, json};

use super::{Subject, through_the_pipeline, ways};
use crate::measure::{alone, once_ms};

const SCRIPT: &str = include_str!("peers.py");

/// Prints Python's photos a second beside ours: as its programs do it, a photo after another, and as the best of them do. Each round all of them run, one after
/// the other, so that the machine's moods fall on all, and the best of each counts. `python` needs numpy, pillow and onnxruntime.
pub(super) fn compare(python: &str, zoo: &Zoo, subject: &Subject, photos: &[PathBuf], rounds: usize) {
    let a_second = |ms: f64| photos.len() as f64 / ms * 1e3;
    for threads in [1, 2] {
        let ways = ways().into_iter().filter(|way| way.threads == threads);
        let ours: Vec<_> = ways.map(|way| (zoo.clone().with_runtime(way.options.clone()).load(subject.name).unwrap(), way)).collect();
        let (mut best, mut theirs, mut peak) = (vec![0.0_f64; ours.len()], BTreeMap::new(), 0.0_f64);
        for _ in 0..rounds {
            for ((model, _), best) in ours.iter().zip(&mut best) {
                *best = best.max(a_second(once_ms(|| through_the_pipeline(model, photos)).0));
            }
            let answer = ask(python, subject, json!({ "photos": photos, "threads": threads, "rounds": 1 }));
            for (how, rate) in answer["photos_s"].as_object().unwrap() {
                let best = theirs.entry(how.clone()).or_insert(0.0_f64);
                *best = best.max(rate.as_f64().unwrap());
            }
            peak = peak.max(answer["peak_mb"].as_f64().unwrap());
        }
        println!("\n{} in Python by Pillow and ONNX Runtime, {}, and ours in turns", subject.name, count(threads));
        for (how, rate) in theirs {
            alone(&format!("  files to embeddings, {how}"), rate, "photos/s");
            for ((_, way), ours) in ours.iter().zip(&best) {
                alone(&format!("  ours by {} to that", way.name), ours / rate, &format!("({ours:.1} photos/s)"));
            }
        }
        alone("  peak memory", peak, "MB");
    }
}

/// Prints how well patches are found in Python.
pub(super) fn patches(python: &str, subject: &Subject, scenes: &Path, ours: f64) {
    let theirs = ask(python, subject, json!({ "scenes": scenes, "threads": 2 }))["share"].as_f64().unwrap();
    alone("same class among the ten nearest, in Python", theirs, "");
    alone("apart (at most 0.02 is wanted)", (ours - theirs).abs(), "");
}

/// `1 thread`.
pub(super) fn count(threads: usize) -> String {
    format!("{threads} {}", if threads == 1 { "thread" } else { "threads" })
}

fn ask(python: &str, subject: &Subject, mut work: Value) -> Value {
    let (crop, mean, deviation) = subject.preprocessing;
    work["model"] = json!(subject.file);
    work["preprocessing"] = json!({ "crop": crop, "mean": mean, "deviation": deviation });
    let output =
        Command::new(python).args(["-c", SCRIPT, &work.to_string()]).output().unwrap_or_else(|error| panic!("{python} does not start: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
