//! Interrupted work: visible, and finished by the same command.

use brain::core::{ErrorKind, Metric, RunState, View};
use brain::{Embeddings, Query};
use futures::executor::block_on;

use crate::home::{Home, error, ids};

#[test]
fn a_failed_run_is_visible_and_goes_on_where_it_stopped() {
    let home = Home::new();
    let brain = home.brain();
    let good = std::fs::read(crate::home::photos().join("cat/cat-000.jpg")).unwrap();
    let photos = home.folder.path().join("mixed");
    std::fs::create_dir(&photos).unwrap();
    for name in ["a", "b", "c", "d"] {
        std::fs::write(photos.join(format!("{name}.jpg")), &good).unwrap();
    }
    std::fs::write(photos.join("c.jpg"), &good[..good.len() / 3]).unwrap();
    crate::home::import(&brain, "mixed", &photos, brain::dataset::formats::Format::ImageDir);

    let failed = error(block_on(brain.compute_similarity("mixed", "k").skip_failures(false).batch_size(1).run()));
    assert_eq!(failed.kind(), ErrorKind::InvalidInput);
    assert!(failed.message().contains("c.jpg"), "{failed}");
    let record = block_on(brain.get_brain_info("mixed", "k")).unwrap();
    assert_eq!(record.state, RunState::Failed);
    assert!(record.error.is_some_and(|why| why.contains("c.jpg")));
    let taken = error(block_on(brain.compute_similarity("mixed", "k").run()));
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    assert!(taken.hint().is_some_and(|hint| hint.contains("--resume")));

    std::fs::write(photos.join("c.jpg"), &good).unwrap();
    let plan = block_on(brain.compute_similarity("mixed", "k").resume(true).plan()).unwrap();
    assert_eq!((plan.total, plan.done), (4, 2));
    let resumed = block_on(brain.compute_similarity("mixed", "k").resume(true).run()).unwrap();
    assert_eq!((resumed.report.added, resumed.done_before, resumed.record.state), (2, 2, RunState::Complete));
}

#[test]
fn unreadable_photos_are_left_out_and_listed() {
    let home = Home::new();
    let brain = home.with_photos();
    let file = home.file("broken.jpg", b"no photo");
    let line = serde_json::json!({ "filepath": file.display().to_string() }).to_string();
    let lines = home.file("broken.jsonl", format!("{line}\n{{\"filepath\": \"gone.jpg\"}}\n"));
    crate::home::import(&brain, "broken", &lines, brain::dataset::formats::Format::Jsonl);
    let computed = block_on(brain.compute_similarity("broken", "k").run()).unwrap();
    assert_eq!((computed.report.added, computed.failures.len()), (0, 2));
    assert!(computed.failures.iter().any(|failure| failure.filepath.ends_with("gone.jpg")));
    assert_eq!(computed.record.counts["failed"], 2);
}

#[test]
fn an_empty_run_gets_its_index_with_its_first_vectors() {
    let home = Home::new();
    let brain = home.with_photos();
    block_on(brain.compute_similarity("photos", "empty").embeddings(Embeddings::None).metric(Metric::L1).run()).unwrap();
    let empty = block_on(brain.load_brain_results("photos", "empty")).unwrap();
    assert_eq!(block_on(empty.total_index_size()).unwrap(), 0);
    let nothing = block_on(empty.sort_by_similarity(Query::Vector(vec![1.0, 2.0])).run()).unwrap();
    assert!(nothing.results[0].is_empty());

    let two = ids(&brain, "photos", &View::new().limit(2));
    let matrix = Embeddings::Matrix { vectors: vec![1.0, 0.0, 0.0, 1.0], dimension: 2, ids: Some(two.clone()) };
    let added = block_on(async { brain.add_to_index("photos", "empty").await?.embeddings(matrix).run().await }).unwrap();
    assert_eq!(added.total, 2);
    let sorted = block_on(async {
        let filled = brain.load_brain_results("photos", "empty").await?;
        filled.sort_by_similarity(Query::Vector(vec![0.1, 1.0])).run().await
    });
    assert_eq!(sorted.unwrap().results[0][0].id, two[1]);

    // Attaching to an index by its name reads what is really there.
    let record = block_on(brain.get_brain_info("photos", "empty")).unwrap();
    let name = record.config_text("index_name").unwrap().to_owned();
    let attached = brain.compute_similarity("photos", "again").embeddings(Embeddings::None).parameter("index_name", &name);
    let computed = block_on(attached.run()).unwrap();
    assert_eq!((computed.record.counts["indexed"], computed.record.config_text("metric")), (2, Some("l1")));
    let wrong = brain.compute_similarity("photos", "wrong").embeddings(Embeddings::None).parameter("index_name", &name).metric(Metric::Cosine);
    assert_eq!(error(block_on(wrong.run())).kind(), ErrorKind::Conflict);
}
