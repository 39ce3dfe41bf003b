//! Files that a killed writer left behind, or that somebody damaged.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use brain_core::{ErrorKind, Item, ItemSet, OnConflict, OnMissing, Scope, Selector, VectorBatch};
use futures::executor::block_on;
use futures::{StreamExt, stream};

use crate::home::{DIMENSION, Home, add, assert_holds, id, local, nearest};

const EXTENSIONS: [&str; 2] = ["rows", "owners"];

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_a_killed_writer_left_is_never_seen() {
    let home = Home::new();
    add(&*home.create(), 0..100, OnConflict::Error).unwrap();
    for extension in EXTENSIONS {
        append(&home.file(extension), &[0xAB; 10_001]);
    }
    let stray = home.file("rows").with_file_name("000009.rows");
    fs::write(&stray, "never published").unwrap();
    let opened = home.open().unwrap();
    assert_holds(&*opened, 0..100);
    add(&*opened, 100..200, OnConflict::Error).unwrap();
    assert_holds(&*home.open().unwrap(), 0..200);
    assert_eq!(fs::metadata(home.file("rows")).unwrap().len(), 200 * DIMENSION as u64 * 4);
    assert!(!stray.exists());
}

#[test]
fn a_changed_byte_is_found_named_and_never_searched() {
    let home = Home::new();
    // Two blocks of 4,096 rows; the second is damaged.
    add(&*home.create(), 0..5000, OnConflict::Error).unwrap();
    flip(&home.file("rows"), 4500 * DIMENSION * 4 + 1);
    let opened = home.open().unwrap();
    let error = nearest(&*opened, 4500, 1, Scope::All).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("000000.rows: bytes 1048576 to 1280000 do not match"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("cleanup")));
    // Not only the first time.
    assert!(nearest(&*opened, 4500, 1, Scope::All).is_err());
    assert!(block_on(opened.fetch(Selector::Items(&[id(4999)]))).is_err());
    // The other block is as good as ever.
    let good: ItemSet = (0..4096).map(id).collect();
    assert_eq!(nearest(&*opened, 70, 1, Scope::Items(&good)).unwrap()[0].item.id, id(70));
    assert_eq!(block_on(opened.fetch(Selector::Items(&[id(3)]))).unwrap().rows.len(), 1);
}

#[test]
fn changed_owners_are_found() {
    let home = Home::new();
    add(&*home.create(), 0..100, OnConflict::Error).unwrap();
    flip(&home.file("owners"), 32 * 50 + 7);
    let opened = home.open().unwrap();
    let errors = [
        nearest(&*opened, 0, 1, Scope::All).unwrap_err(),
        block_on(opened.fetch(Selector::Items(&[id(1)]))).unwrap_err(),
        block_on(opened.ids().next()).unwrap().unwrap_err(),
        add(&*opened, 100..101, OnConflict::Overwrite).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains("000000.owners"), "{error}");
    }
}

#[test]
fn changed_names_are_found() {
    let home = Home::new();
    let index = home.create();
    let mut batch = VectorBatch::with_capacity(1, DIMENSION);
    batch.push(Item::sample("photo-7".into()), &[1.0; DIMENSION]).unwrap();
    block_on(index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Error)).unwrap();
    assert_eq!(nearest(&*home.open().unwrap(), 0, 1, Scope::All).unwrap()[0].item.id, "photo-7".into());
    flip(&home.file("names"), 0);
    let error = nearest(&*home.open().unwrap(), 0, 1, Scope::All).unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("000000.names"), "{error}");
}

#[test]
fn short_and_missing_files_are_found_when_the_index_is_opened() {
    for extension in EXTENSIONS {
        let home = Home::new();
        let index = home.create();
        add(&*index, 0..100, OnConflict::Error).unwrap();
        drop(index);
        let path = home.file(extension);
        let length = fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
        let error = home.open().err().unwrap();
        assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("cut short"), "{error}");
        fs::remove_file(&path).unwrap();
        let error = home.open().err().unwrap();
        assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("is missing"), "{error}");
    }
}

#[test]
fn an_order_that_is_no_good_is_rebuilt_and_mended() {
    let damages: [fn(&Path); 3] =
        [|path| fs::remove_file(path).unwrap(), |path| fs::write(path, [0xFF; 20_000]).unwrap(), |path| fs::write(path, "").unwrap()];
    for damage in damages {
        let home = Home::new();
        add(&*home.create(), 0..5000, OnConflict::Error).unwrap();
        damage(&home.file("order"));
        let opened = home.open().unwrap();
        assert_holds(&*opened, 0..5000);
        add(&*opened, 0..5010, OnConflict::Skip).unwrap();
        assert_holds(&*home.open().unwrap(), 0..5010);
        assert_eq!(fs::metadata(home.file("order")).unwrap().len(), 5000 * 4, "written again");
    }
}

#[test]
fn a_manifest_that_says_what_it_may_and_is_wrong_is_found_out() {
    let changes = [
        // No row is dead.
        "UPDATE local_index SET dead = x'3A30000000000000'",
        "UPDATE local_index SET generation = generation + 1",
        "UPDATE local_index SET next_file = next_file + 1",
        "UPDATE local_index SET tail_rows = tail_rows + 1",
        "UPDATE local_index SET spec = spec || ' '",
        "UPDATE local_segment SET rows = rows - 1",
        "UPDATE local_segment SET names_checksum = 7",
        "DELETE FROM local_order",
        "UPDATE local_order SET checksum = 7",
        "UPDATE local_index SET checksum = checksum / 2",
    ];
    for change in changes {
        let home = Home::new();
        let index = home.create();
        add(&*index, 0..5000, OnConflict::Error).unwrap();
        block_on(index.remove(Selector::Items(&[id(3), id(4700)]), OnMissing::Error)).unwrap();
        // A fault is nothing that the database notices.
        home.change("DROP TRIGGER local_index_unchecked");
        home.change(change);
        let error = home.open().err().unwrap();
        assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("does not match its checksum"), "{change}: {error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("cleanup")));
        // A handle that knows an older state says so too, where it looks again.
        if change.contains("generation") {
            assert_eq!(add(&*index, 0..1, OnConflict::Overwrite).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}

#[test]
fn a_program_that_knows_no_checksum_is_believed_until_the_next_change() {
    let home = Home::new();
    let index = home.create();
    add(&*index, 0..10, OnConflict::Error).unwrap();
    // It changes an index, and gives out the number of a file that came to nothing.
    home.change("UPDATE local_index SET generation = generation + 1, next_file = next_file + 1, coded = NULL");
    assert_holds(&*index, 0..10);
    add(&*home.open().unwrap(), 10..20, OnConflict::Error).unwrap();
    assert_holds(&*home.open().unwrap(), 0..20);
    home.change("UPDATE local_index SET next_file = next_file + 1");
    assert_eq!(home.open().err().unwrap().kind(), ErrorKind::Corrupt);
}

/// A full disk, played by a device on which every write fails as on one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_and_leaves_nothing() {
    let home = Home::new();
    let index = home.create();
    // Nothing to remove; but now this handle has looked for what others left, and will not take the device away.
    block_on(index.remove(Selector::Items(&[]), OnMissing::Error)).unwrap();
    std::os::unix::fs::symlink("/dev/full", local(&*index).folder().join("000000.rows")).unwrap();
    let error = add(&*index, 0..100, OnConflict::Error).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("free some space")));
    assert_holds(&*index, 0..0);
    // There is space again.
    add(&*index, 0..100, OnConflict::Error).unwrap();
    assert_holds(&*home.open().unwrap(), 0..100);
}
