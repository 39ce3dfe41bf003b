//! Medians, memory, and lines of a table.

use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};

/// What was printed, for programs.
static FIGURES: Mutex<Vec<Value>> = Mutex::new(Vec::new());

/// The figures so far, and their floors.
pub(crate) fn figures() -> Vec<Value> {
    std::mem::take(&mut FIGURES.lock().unwrap())
}

/// Runs `body` once to warm up and then `times` times; the median in milliseconds.
pub(crate) fn median_ms<T>(times: usize, body: impl FnMut() -> T) -> f64 {
    median_after_ms(times, || (), body)
}

/// As [`median_ms`], with something done before each run, whose time does not count.
pub(crate) fn median_after_ms<B, T>(times: usize, mut before: impl FnMut() -> B, mut body: impl FnMut() -> T) -> f64 {
    std::hint::black_box(body());
    let mut runs: Vec<f64> = (0..times)
        .map(|_| {
            std::hint::black_box(before());
            let started = Instant::now();
            std::hint::black_box(body());
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

/// How long `body` takes once, in milliseconds, and what it gives.
pub(crate) fn once_ms<T>(body: impl FnOnce() -> T) -> (f64, T) {
    let started = Instant::now();
    let value = body();
    (started.elapsed().as_secs_f64() * 1e3, value)
}

/// Prints a figure beside its floor.
pub(crate) fn against(what: &str, ms: f64, floor: &str, floor_ms: f64) {
    FIGURES.lock().unwrap().push(json!({ "what": what.trim(), "ms": ms, "floor": floor, "floor_ms": floor_ms, "ratio": ms / floor_ms }));
    println!("{what:<44} {ms:>10.2} ms   {:>6.2}x   {floor} {floor_ms:.2} ms", ms / floor_ms);
}

/// Prints a figure alone.
pub(crate) fn alone(what: &str, value: f64, unit: &str) {
    FIGURES.lock().unwrap().push(json!({ "what": what.trim(), "value": value, "unit": unit }));
    println!("{what:<44} {value:>10.2} {unit}");
}

/// The most memory this process has held, in MB; 0 where the system does not say.
pub(crate) fn peak_mb() -> f64 {
    status("VmHWM:")
}

/// Forgets the peak: from now on [`peak_mb`] is that of what follows. Linux only; elsewhere there is no peak to forget.
pub(crate) fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The memory this process holds now, in MB.
pub(crate) fn resident_mb() -> f64 {
    status("VmRSS:")
}

fn status(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}
