//! What each target does with its input, and what must hold whatever the input is.
//!
//! | target | input | what must hold |
//! |---|---|---|
//! | `npy` | a `.npy` file | rows × dimension numbers come out, and the same again after they were written anew; a NaN is refused by name |
//! | `filter` | a filter's text | it prints and parses to itself; a view and its negation share a dataset out between them |
//! | `jsonl` | a JSON Lines file | good samples are written and read back equal, and stored; a bad line is named |
//! | `coco` | a COCO file | boxes are finite; samples are stored; a bad record is named |
//! | `segment` | changes to the files of a local index | the original rows or an error: never other rows |
//!
//! Everywhere: no panic, and a refusal is an error of the expected kind that says how to mend the input.

mod coco;
mod filter;
mod jsonl;
mod npy;
mod segment;
mod store;

use std::path::PathBuf;
use std::sync::LazyLock;

use brain::core::{Error, ErrorKind};

/// What a target does with an input; it panics where something does not hold.
pub(crate) type Body = fn(&[u8]);

/// The targets by name; each has a folder of seeds of that name.
pub(crate) const ALL: [(&str, Body); 5] =
    [("npy", npy::run), ("filter", filter::run), ("jsonl", jsonl::run), ("coco", coco::run), ("segment", segment::run)];

/// Where inputs become files: one folder a process, in memory where the machine has such a folder.
static SCRATCH: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
});

/// The input as a file of that name.
fn file(name: &str, data: &[u8]) -> PathBuf {
    let path = SCRATCH.path().join(name);
    std::fs::write(&path, data).unwrap();
    path
}

/// Asserts that an input was refused as one: a kind that callers can branch on, and a hint.
fn assert_refused(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(error.hint().is_some(), "no hint: {error:?}");
}
