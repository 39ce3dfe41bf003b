//! Several handles on one home at once.

use brain_core::{FieldValue, NoProgress, View};
use brain_dataset::{Datasets, Fields};
use brain_store::Database;

use crate::home::{Home, id, sample, text};

#[test]
fn writers_and_readers_work_on_one_dataset() {
    let home = Home::new();
    home.dataset();
    let path = home.folder.path();
    let open = || Datasets::open(&Database::open(path).unwrap()).unwrap().get("photos").unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3u32 {
            scope.spawn(move || {
                // Small batches, and a field of each writer's own: the schema changes under the others' feet.
                for round in 0..20 {
                    let samples = (0..50).map(|number| {
                        let number = writer * 100_000 + round * 50 + number;
                        sample(number, vec![("shared", FieldValue::Int(1)), (["a", "b", "c"][writer as usize], text("x"))])
                    });
                    open().add_samples(samples, &NoProgress).unwrap();
                }
            });
        }
        scope.spawn(|| {
            let dataset = open();
            for _ in 0..50 {
                let rows: Vec<_> = dataset.samples(&View::new(), Fields::All).unwrap().map(Result::unwrap).collect();
                assert!(rows.len() % 50 == 0 && rows.iter().all(|sample| sample.fields.len() == 2), "half a batch was seen");
            }
        });
    });
    let dataset = open();
    assert_eq!((dataset.count().unwrap(), dataset.resolve(&View::new()).unwrap().set.len()), (3_000, 3_000));
    assert_eq!(dataset.count_view(&View::new().exists("a", true)).unwrap(), 1_000);
}

#[test]
fn one_of_two_writers_of_the_same_id_is_told() {
    let home = Home::new();
    home.dataset();
    let path = home.folder.path();
    let added: u64 = std::thread::scope(|scope| {
        let write = || {
            let dataset = Datasets::open(&Database::open(path).unwrap()).unwrap().get("photos").unwrap();
            (0..200).filter(|&number| dataset.add_samples([sample(number, vec![])], &NoProgress).is_ok()).count() as u64
        };
        let threads = [scope.spawn(write), scope.spawn(write)];
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(added, 200);
    let dataset = home.datasets.get("photos").unwrap();
    assert_eq!(dataset.count().unwrap(), 200);
    assert!(dataset.get_sample(&id(1, 199)).is_ok());
}

#[test]
fn a_writer_gets_in_while_a_long_import_runs() {
    let home = Home::new();
    let dataset = home.dataset();
    let other = home.datasets.create("other").unwrap();
    // The stream itself writes to the home: it would wait for ever if the import held the lock between batches.
    let stream = (0..11_000u32).map(|number| {
        if number % 4_000 == 0 {
            other.add_samples([sample(number, vec![])], &NoProgress).unwrap();
        }
        Ok(sample(number, vec![]))
    });
    dataset.import(stream, brain_dataset::ImportOptions::default(), &NoProgress).unwrap();
    assert_eq!((dataset.count().unwrap(), other.count().unwrap()), (11_000, 3));
}
