//! The same photos embedded as Python users do: Pillow and ONNX Runtime.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Subject, Way};
use crate::measure::alone;

const SCRIPT: &str = include_str!("peers.py");

/// Prints Python's photos a second beside ours: as its programs do it, a photo after another, and as the best of them do. `python` needs numpy, pillow and
/// onnxruntime.
pub(super) fn compare(python: &str, subject: &Subject, photos: &[PathBuf], rounds: usize, ours: &[(Way, f64)]) {
    for threads in [1, 2] {
        let work = json!({ "photos": photos, "threads": threads, "rounds": rounds });
        let theirs = ask(python, subject, work);
        println!("\n{} in Python by Pillow and ONNX Runtime, {}", subject.name, count(threads));
        for (how, rate) in theirs["photos_s"].as_object().unwrap() {
            let rate = rate.as_f64().unwrap();
            alone(&format!("  files to embeddings, {how}"), rate, "photos/s");
            for (way, ours) in ours.iter().filter(|(way, _)| way.threads == threads) {
                alone(&format!("  ours by {} to that", way.name), ours / rate, "");
            }
        }
        alone("  peak memory", theirs["peak_mb"].as_f64().unwrap(), "MB");
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
