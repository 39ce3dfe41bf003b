//! Mistakes a user makes: each is refused with what was wrong and how to mend it, and nothing is lost.

use brain::core::{ErrorKind, View};
use brain::{Embeddings, Query};
use futures::executor::block_on;

use crate::home::{Home, error, ids};

fn file(npy: std::path::PathBuf, ids: Option<std::path::PathBuf>) -> Embeddings {
    Embeddings::File { npy, ids }
}

#[test]
fn vectors_that_cannot_be_ranked_are_named_before_anything_is_written() {
    let home = Home::new();
    let brain = home.with_photos();
    let two = ids(&brain, "photos", &View::new().limit(2));
    let list = home.file("ids.txt", format!("{}\n{}\n", two[0], two[1]));
    for (rows, part) in [
        ([&[1.0, 2.0][..], &[f32::NAN, 0.0][..]], "has a NaN at position 0"),
        ([&[1.0, 2.0], &[0.0, 0.0]], "is zero"),
        ([&[1.0, 2.0], &[0.0, f32::INFINITY]], "has a inf at position 1"),
    ] {
        let npy = home.npy("bad.npy", &rows);
        let refused = error(block_on(brain.compute_similarity("photos", "k").embeddings(file(npy, Some(list.clone()))).run()));
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert!(refused.message().contains(part) && refused.message().contains(&two[1].to_string()), "{refused}");
        assert!(!block_on(brain.has_brain_run("photos", "k")).unwrap());
    }
}

#[test]
fn matrices_that_do_not_fit_are_refused() {
    let home = Home::new();
    let brain = home.with_photos();
    let two = ids(&brain, "photos", &View::new().limit(2));
    let npy = home.npy("two.npy", &[&[1.0, 2.0], &[3.0, 4.0]]);
    let refused = |embeddings| error(block_on(brain.compute_similarity("photos", "k").embeddings(embeddings).run()));

    assert!(refused(file(npy.clone(), None)).message().contains("2 rows of vectors, but 200 samples"));
    let twice = home.file("twice.txt", format!("{}\n{}\n", two[0], two[0]));
    assert!(refused(file(npy.clone(), Some(twice))).message().contains("comes twice"));
    let unknown = refused(file(npy.clone(), Some(home.file("unknown.txt", format!("{}\nnobody\n", two[0])))));
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert!(unknown.message().contains("nobody"));
    let bytes = std::fs::read(&npy).unwrap();
    let cut = refused(file(home.file("cut.npy", &bytes[..bytes.len() - 4]), None));
    assert!(cut.message().contains("cut off"), "{cut}");

    let list = home.file("ids.txt", format!("{}\n{}\n", two[0], two[1]));
    block_on(brain.compute_similarity("photos", "k").embeddings(file(npy, Some(list.clone()))).run()).unwrap();
    let three = home.npy("three.npy", &[&[1.0, 2.0, 3.0], &[3.0, 4.0, 5.0]]);
    let added = error(block_on(async { brain.add_to_index("photos", "k").await?.embeddings(file(three, Some(list))).run().await }));
    assert_eq!(added.kind(), ErrorKind::DimensionMismatch);
    let similarity = block_on(brain.load_brain_results("photos", "k")).unwrap();
    let query = error(block_on(similarity.sort_by_similarity(Query::Vector(vec![1.0])).run()));
    assert_eq!(query.kind(), ErrorKind::DimensionMismatch);
    let without_model = error(block_on(similarity.sort_by_similarity(Query::Images(vec!["x.jpg".into()])).run()));
    assert_eq!(without_model.kind(), ErrorKind::Unsupported);
}

#[test]
fn names_that_are_wrong_say_what_there_is() {
    let home = Home::new();
    let brain = home.with_photos();
    assert_eq!(error(block_on(brain.compute_similarity("phots", "k").run())).kind(), ErrorKind::NotFound);
    let key = error(block_on(brain.compute_similarity("photos", "not a key").run()));
    assert_eq!(key.kind(), ErrorKind::InvalidInput);
    let model = error(block_on(brain.compute_similarity("photos", "k").model("efficientnet").run()));
    assert!(model.hint().is_some_and(|hint| hint.contains("efficientnet-lite0")));
    let backend = error(block_on(brain.compute_similarity("photos", "k").backend("qdrant").run()));
    assert!(backend.hint().is_some_and(|hint| hint.contains("local")), "{backend:?}");
    let parameter = error(block_on(brain.compute_similarity("photos", "k").parameter("metrik", "l1").run()));
    assert_eq!(parameter.kind(), ErrorKind::Config);
    let field = error(block_on(brain.compute_similarity("photos", "k").patches_field("boxes").run()));
    assert_eq!(field.kind(), ErrorKind::NotFound);
    let regions = error(block_on(brain.compute_similarity("photos", "k").patches_field("ground_truth").run()));
    assert_eq!(regions.kind(), ErrorKind::InvalidInput);
    assert!(block_on(brain.list_brain_runs("photos", &brain::core::RunFilter::default())).unwrap().is_empty());
}

#[test]
fn a_corrupt_segment_is_named_and_never_searched() {
    let home = Home::new();
    let brain = home.with_photos();
    let all = ids(&brain, "photos", &View::new());
    let vectors = (0..200).flat_map(|row| [1.0, row as f32]).collect();
    let matrix = Embeddings::Matrix { vectors, dimension: 2, ids: None };
    block_on(brain.compute_similarity("photos", "k").embeddings(matrix).run()).unwrap();
    drop(brain);

    let mut segments = Vec::new();
    let mut folders = vec![home.path().join("indexes")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { segments.push(path) }
        }
    }
    let rows = segments.into_iter().find(|path| path.metadata().unwrap().len() == 200 * 2 * 4).expect("a file of the rows");
    let mut bytes = std::fs::read(&rows).unwrap();
    bytes[123] ^= 4;
    std::fs::write(&rows, bytes).unwrap();

    let brain = home.brain();
    let similarity = block_on(brain.load_brain_results("photos", "k")).unwrap();
    let corrupt = error(block_on(similarity.sort_by_similarity(Query::Vector(vec![1.0, 1.0])).k(3).run()));
    assert_eq!(corrupt.kind(), ErrorKind::Corrupt);
    assert!(corrupt.message().contains(rows.file_name().unwrap().to_str().unwrap()), "{corrupt}");
    assert!(corrupt.hint().is_some());
    let by_id = error(block_on(similarity.sort_by_similarity(Query::Id(all[5].clone())).run()));
    assert_eq!(by_id.kind(), ErrorKind::Corrupt);
}
