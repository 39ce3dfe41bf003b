//! The same search by the libraries that Python users know, on the same vectors, in the same run.

use std::path::Path;
use std::process::Command;

use brain::core::Scope;
use serde_json::Value;

use super::{ASKED, Bench, floors};
use crate::measure::median_ms;

const SCRIPT: &str = include_str!("peers.py");

/// Prints a table: exact search of one query and of 200 at once. `python` needs numpy, and is asked for usearch, faiss and scikit-learn.
pub(crate) fn compare(python: &str, bench: &Bench<'_>, folder: &Path) {
    let file = folder.join("vectors.f32");
    floors::write_and_sync(&file, bench.data);
    let many = 200.min(bench.data.rows());
    let one = bench.data.row(bench.data.rows() / 2);
    let ours = [
        median_ms(bench.times, || bench.ask(one, Scope::All)),
        median_ms(bench.times.min(5), || bench.ask(&bench.data.vectors[..many * bench.data.dimension], Scope::All)),
    ];
    println!("{:<44} {:>12} {:>16}", "exact search, k = 10, ms", "one query", "200 at once");
    println!("{:<44} {:>12.2} {:>16.1}", "ours", ours[0], ours[1]);
    let output = Command::new(python)
        .args(["-c", SCRIPT])
        .arg(&file)
        .args([bench.data.dimension, many, ASKED].map(|number| number.to_string()))
        .output()
        .unwrap_or_else(|error| panic!("{python} does not start: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let peer: Value = serde_json::from_str(line).unwrap();
        let times = [&peer["one_ms"], &peer["many_ms"]].map(|ms| ms.as_f64().unwrap());
        let name = format!("{}, {:.1}x and {:.1}x of ours", peer["name"].as_str().unwrap(), times[0] / ours[0], times[1] / ours[1]);
        println!("{name:<44} {:>12.2} {:>16.1}", times[0], times[1]);
    }
}
