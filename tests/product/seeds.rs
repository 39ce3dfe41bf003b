//! The fuzz targets over the inputs they begin with, without a fuzzer: what once failed does not fail again.

use std::path::Path;

use crate::fuzz_targets::ALL;

#[test]
fn every_target_holds_on_every_seed() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, run) in ALL {
        let mut files: Vec<_> = std::fs::read_dir(seeds.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seed");
        for file in files {
            println!("{}", file.display());
            run(&std::fs::read(&file).unwrap());
        }
    }
}
