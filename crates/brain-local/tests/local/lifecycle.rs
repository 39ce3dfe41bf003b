//! Making, opening, attaching, dropping; and what a new process finds.

use brain_core::{ErrorKind, ExistingIndex, IndexSpec, ItemSet, Metric, OnConflict, OnMissing, Scope, Selector, SimilarityBackend};
use futures::executor::block_on;

use crate::home::{Home, add, assert_holds, id, local, nearest, spec};

#[test]
fn a_new_process_finds_everything() {
    let home = Home::new();
    let index = home.create();
    // Enough for a run of the order, and some for its tail.
    assert_eq!(add(&*index, 0..5000, OnConflict::Error).unwrap().added, 5000);
    add(&*index, 5000..5100, OnConflict::Error).unwrap();
    let opened = home.open().unwrap();
    assert_holds(&*opened, 0..5100);
    let view: ItemSet = (0..5100).filter(|number| number % 1000 == 7).map(id).collect();
    let hits = nearest(&*opened, 2000, 2, Scope::Items(&view)).unwrap();
    assert_eq!(hits.iter().map(|hit| hit.distance).collect::<Vec<_>>(), [7.0, 993.0]);
}

#[test]
fn a_long_lived_handle_sees_what_others_write() {
    let home = Home::new();
    let (writer, reader) = (home.create(), home.open().unwrap());
    assert_holds(&*reader, 0..0);
    for end in [10, 11, 5000, 5001] {
        add(&*writer, 0..end, OnConflict::Skip).unwrap();
        assert_holds(&*reader, 0..end);
    }
    block_on(writer.remove(Selector::Items(&(0..4500).map(id).collect::<Vec<_>>()), OnMissing::Error)).unwrap();
    assert_holds(&*reader, 4500..5001);
    // A command waits for the upkeep that it began.
    drop(writer);
    assert_eq!(block_on(reader.info()).unwrap().details["dead_rows"], 0, "compacted");
}

#[test]
fn a_name_is_taken_once() {
    let home = Home::new();
    home.create();
    let taken = block_on(home.backend().create(&spec())).err().unwrap();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    // Also when several are about to.
    let race = IndexSpec { name: "race".into(), ..spec() };
    let made = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4).map(|_| scope.spawn(|| block_on(home.backend().create(&race)).map(drop))).collect();
        tries.into_iter().map(|made| made.join().unwrap()).filter(Result::is_ok).count()
    });
    assert_eq!(made, 1);
}

#[test]
fn what_is_there_must_be_what_is_asked_for() {
    let home = Home::new();
    let backend = home.backend();
    assert_eq!(home.open().err().unwrap().kind(), ErrorKind::NotFound);
    home.create();
    let other = IndexSpec { dimension: 3, metric: Metric::Cosine, ..spec() };
    let error = block_on(backend.open(&other)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.message(), "the local index \"numbers\" has vectors of 64 numbers, not 3, and ranks by l1, not cosine");
    let existing = ExistingIndex { name: "numbers".into(), ..ExistingIndex::default() };
    assert_eq!(block_on(backend.attach(&existing)).unwrap().spec(), &spec());
    let existing = ExistingIndex { metric: Some(Metric::Hamming), ..existing };
    assert_eq!(block_on(backend.attach(&existing)).err().unwrap().kind(), ErrorKind::Conflict);
}

#[test]
fn parameters_that_are_not_served_are_refused() {
    let home = Home::new();
    for (name, value, kind) in
        [("algorithm", "hnsw", ErrorKind::Unsupported), ("vector_type", "f64", ErrorKind::Config), ("vektor_type", "f32", ErrorKind::Config)]
    {
        let spec = IndexSpec { parameters: [(name.to_owned(), value.into())].into(), ..spec() };
        let error = block_on(home.backend().create(&spec)).err().unwrap();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.hint().is_some());
    }
    let spec = IndexSpec { parameters: [("vector_type".to_owned(), "f16".into()), ("algorithm".to_owned(), "exact".into())].into(), ..spec() };
    block_on(home.backend().create(&spec)).unwrap();
}

#[test]
fn dropping_leaves_nothing_and_may_be_repeated() {
    let home = Home::new();
    let index = home.create();
    add(&*index, 0..10, OnConflict::Error).unwrap();
    let folder = local(&*index).folder().to_owned();
    assert!(block_on(home.backend().drop_index(&ExistingIndex { name: "numbers".into(), ..Default::default() })).unwrap());
    assert!(!folder.exists());
    assert!(!block_on(home.backend().drop_index(&ExistingIndex { name: "numbers".into(), ..Default::default() })).unwrap());
    for error in [add(&*index, 10..20, OnConflict::Error).err().unwrap(), nearest(&*index, 0, 1, Scope::All).err().unwrap()] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert!(!folder.exists());
    assert_holds(&*home.create(), 0..0);
}

#[test]
fn a_drop_that_was_killed_is_finished_by_the_next() {
    let home = Home::new();
    let index = home.create();
    add(&*index, 0..10, OnConflict::Error).unwrap();
    let folder = local(&*index).folder().to_owned();
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    block_on(home.backend().drop_index(&ExistingIndex { name: "numbers".into(), ..Default::default() })).unwrap();
    // As if the process had been killed between the transaction and the files.
    std::fs::create_dir_all(&folder).unwrap();
    files.iter().for_each(|file| std::fs::write(file, "left").unwrap());
    brain_store::Database::open(home.folder.path())
        .unwrap()
        .write("kill", |transaction| transaction.execute("INSERT INTO local_dropped VALUES (?1)", [folder.file_name().unwrap().to_str().unwrap()]))
        .unwrap();
    home.create();
    assert!(!folder.exists());
}
