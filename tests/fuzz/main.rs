//! The fuzz targets as a libFuzzer program: `cargo xtask fuzz TARGET [--seconds N]`.
//!
//! One program holds them all; the environment variable `BRAIN_FUZZ_TARGET` says which one it is. What a target does with its input, and what must hold
//! then, is in [`targets`]; an ordinary test runs the same over every seed.

#![no_main]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<targets::Body> = LazyLock::new(|| {
    let name = std::env::var("BRAIN_FUZZ_TARGET").expect("BRAIN_FUZZ_TARGET names the target");
    let found = targets::ALL.into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no fuzz target {name:?}")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
