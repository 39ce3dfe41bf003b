//! The walk of FiftyOne's documentation: import, compute, query in every form, views, patches, add, remove, sizes, embeddings, rename, delete, clean up.

use std::collections::HashSet;

use brain::core::{ErrorKind, FieldValue, OnMissing, RunFilter, RunState, View};
use brain::dataset::formats::Format;
use brain::{Aggregation, Embeddings, Items, Query, WithIndex};

use crate::home::{Home, block_on, error, ids, import, scenes};

#[test]
fn samples_from_import_to_cleanup() {
    walk_through_samples(&Home::new());
}

#[test]
fn samples_from_import_to_cleanup_on_pgvector() {
    walk_through_samples(&Home::on_pgvector());
}

#[test]
fn samples_from_import_to_cleanup_on_redis() {
    let home = Home::on_redis();
    walk_through_samples(&home);
    assert!(home.keyspace.as_ref().unwrap().keys().is_empty(), "cleanup leaves nothing");
}

fn walk_through_samples(home: &Home) {
    let brain = home.with_photos();
    let computed = block_on(brain.compute_similarity("photos", "img_sim").run()).unwrap();
    assert_eq!((computed.report.added, computed.failures.len()), (200, 0));
    assert_eq!(computed.record.state, RunState::Complete);

    let mut similarity = block_on(brain.load_brain_results("photos", "img_sim")).unwrap();
    assert_eq!(block_on(similarity.total_index_size()).unwrap(), 200);

    // By id: the photo itself comes first, at no distance.
    let all = ids(&brain, "photos", &View::new());
    let dog = View::new().match_filter("ground_truth.label == \"dog\"".parse().unwrap());
    let dogs = ids(&brain, "photos", &dog);
    assert_eq!(dogs.len(), 20);
    let by_id = block_on(similarity.sort_by_similarity(Query::Id(dogs[0].clone())).k(10).run()).unwrap();
    assert_eq!(by_id.results[0].len(), 10);
    assert_eq!(by_id.results[0][0].id, dogs[0]);
    assert!(by_id.results[0][0].distance.abs() < 1e-5);
    assert!(by_id.report.exact && by_id.report.missing == 0);

    // By the image file of the same photo, by its vector: the same answer.
    let file = by_id.results[0][0].filepath.clone().unwrap();
    let by_image = block_on(similarity.sort_by_similarity(Query::Images(vec![file.into()])).k(10).run()).unwrap();
    let vector = block_on(similarity.get_embeddings(&Items::Ids(vec![dogs[0].clone()]))).unwrap().rows.vector(0).to_vec();
    let by_vector = block_on(similarity.sort_by_similarity(Query::Vector(vector)).k(10).run()).unwrap();
    let order = |sorted: &brain::Sorted| sorted.results[0].iter().map(|row| row.id.clone()).collect::<Vec<_>>();
    assert_eq!(order(&by_image), order(&by_id));
    assert_eq!(order(&by_vector), order(&by_id));

    // By several ids, aggregated in each way, and one list for each.
    for aggregation in Aggregation::ALL {
        let several = block_on(similarity.sort_by_similarity(Query::Ids(dogs[..3].to_vec())).k(5).aggregation(aggregation).run()).unwrap();
        assert_eq!(several.results.len(), if aggregation == Aggregation::None { 3 } else { 1 });
        assert!(several.results.iter().all(|list| list.len() == 5));
    }

    // Everything, and in reverse: a mirror, but for ties.
    let everything = block_on(similarity.sort_by_similarity(Query::Id(dogs[0].clone())).run()).unwrap();
    assert_eq!(order(&everything).into_iter().collect::<HashSet<_>>(), all.iter().cloned().collect());
    let reversed = block_on(similarity.sort_by_similarity(Query::Id(dogs[0].clone())).reverse(true).k(1).run()).unwrap();
    assert_eq!(reversed.results[0][0].distance, everything.results[0][199].distance);

    // Within a view that does not hold the query; distances stored on the dataset.
    let cats = View::new().match_filter("ground_truth.label == \"cat\"".parse().unwrap());
    let within =
        block_on(similarity.sort_by_similarity(Query::Id(dogs[0].clone())).k(50).within(cats.clone()).dist_field("dog_likeness").run()).unwrap();
    assert_eq!(within.results[0].len(), 20, "k is more than the view holds");
    let cat_ids: HashSet<_> = ids(&brain, "photos", &cats).into_iter().collect();
    assert!(within.results[0].iter().all(|row| cat_ids.contains(&row.id)));
    let sorted_by_field = ids(&brain, "photos", &View::new().exists("dog_likeness", true).sort_by("dog_likeness", false));
    assert_eq!(sorted_by_field, order(&within));

    // 200, remove 10: 190, add 20: 210.
    let removed = similarity_remove(&mut similarity, &all[..10]);
    assert_eq!(removed, 10);
    assert_eq!(block_on(similarity.total_index_size()).unwrap(), 190);
    assert_eq!(block_on(similarity.missing(&View::new())).unwrap().len(), 10);
    let first_ten = View::new().select(all[..10].to_vec());
    assert_eq!(block_on(similarity.index_size(&first_ten)).unwrap(), 0);
    let partly = block_on(similarity.sort_by_similarity(Query::Id(dogs[1].clone())).k(30).within(View::new().limit(30)).run()).unwrap();
    assert_eq!((partly.report.returned, partly.report.missing), (20, 10));
    let unknown = error(block_on(similarity.sort_by_similarity(Query::Id(all[0].clone())).run()));
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert!(unknown.message().contains(&all[0].to_string()));

    let photos = brain.datasets().get("photos").unwrap();
    let boards = brain::dataset::formats::read(&scenes(), Format::Coco).unwrap().take(20).map(|sample| {
        let mut sample = sample.unwrap();
        sample.fields.clear();
        sample.tags = vec!["board".to_owned()];
        sample
    });
    assert_eq!(photos.add_samples(boards, &brain::core::NoProgress).unwrap(), 20);
    let added =
        block_on(async { brain.add_to_index("photos", "img_sim").await?.only_new().view(View::new().match_tags(["board"])).run().await }).unwrap();
    assert_eq!((added.report.added, added.total), (20, 210));

    // Embeddings in the order asked, missing ones named.
    let asked = vec![all[30].clone(), all[3].clone(), all[20].clone()];
    let fetched = block_on(similarity.get_embeddings(&Items::Ids(asked))).unwrap();
    let owners: Vec<_> = fetched.rows.items().iter().map(|item| item.id.clone()).collect();
    assert_eq!(owners, [all[30].clone(), all[20].clone()]);
    assert_eq!(fetched.missing, [all[3].clone()]);

    block_on(brain.rename_brain_run("photos", "img_sim", "renamed")).unwrap();
    assert!(!block_on(brain.has_brain_run("photos", "img_sim")).unwrap());
    let runs = block_on(brain.list_brain_runs("photos", &RunFilter::default())).unwrap();
    assert_eq!((runs.len(), runs[0].key.as_str()), (1, "renamed"));

    let similarity = block_on(brain.load_brain_results("photos", "renamed")).unwrap();
    assert!(block_on(similarity.cleanup()).unwrap());
    assert_eq!(error(block_on(brain.load_brain_results("photos", "renamed"))).kind(), ErrorKind::NotFound);
    block_on(brain.delete_brain_run("photos", "renamed", WithIndex::Keep)).unwrap();
    assert!(block_on(brain.list_brain_runs("photos", &RunFilter::default())).unwrap().is_empty());
}

fn similarity_remove(similarity: &mut brain::Similarity, ids: &[brain::core::ItemId]) -> u64 {
    block_on(similarity.remove_from_index(&Items::Ids(ids.to_vec()), OnMissing::Error)).unwrap().removed
}

#[test]
fn patches_and_the_samples_they_belong_to() {
    walk_through_patches(&Home::new());
}

#[test]
fn patches_and_the_samples_they_belong_to_on_pgvector() {
    walk_through_patches(&Home::on_pgvector());
}

#[test]
fn patches_and_the_samples_they_belong_to_on_redis() {
    walk_through_patches(&Home::on_redis());
}

fn walk_through_patches(home: &Home) {
    let brain = home.brain();
    import(&brain, "scenes", &scenes(), Format::Coco);
    let computed = block_on(brain.compute_similarity("scenes", "gt_sim").patches_field("ground_truth").force_square(true).alpha(0.1).run()).unwrap();
    assert_eq!((computed.report.added, computed.failures.len()), (406, 0));
    let similarity = block_on(brain.load_brain_results("scenes", "gt_sim")).unwrap();

    let patches = View::new().to_patches("ground_truth");
    let labels = ids(&brain, "scenes", &patches);
    assert_eq!(labels.len(), 406);
    let query = Query::Id(labels[0].clone());

    // Patches of one class.
    let dogs = View::new().filter_labels("ground_truth", "label == \"dog\"".parse().unwrap());
    let dog_patches: HashSet<_> = ids(&brain, "scenes", &dogs.clone().to_patches("ground_truth")).into_iter().collect();
    let within = block_on(similarity.sort_by_similarity(query.clone()).within(dogs.clone().to_patches("ground_truth")).run()).unwrap();
    assert_eq!(within.results[0].iter().map(|row| row.id.clone()).collect::<HashSet<_>>(), dog_patches);

    // Through samples: each sample once, where its best patch stands.
    let samples = ids(&brain, "scenes", &View::new());
    let patchwise = block_on(similarity.sort_by_similarity(query.clone()).run()).unwrap();
    let mut best = Vec::new();
    for row in &patchwise.results[0] {
        if best.iter().all(|(sample, _)| *sample != row.sample_id) {
            best.push((row.sample_id.clone(), row.distance));
        }
    }
    let by_sample = block_on(similarity.sort_by_similarity(query.clone()).within(View::new()).run()).unwrap();
    assert_eq!(by_sample.results[0].len(), samples.len());
    for (row, (sample, distance)) in by_sample.results[0].iter().zip(&best) {
        assert_eq!((&row.id, row.distance), (sample, *distance));
        assert!(row.label_id.is_some());
    }
    // A view that shows only dogs orders its samples by their best dog.
    let best_dogs = block_on(similarity.sort_by_similarity(query.clone()).k(3).within(dogs).run()).unwrap();
    assert!(best_dogs.results[0].iter().all(|row| row.label_id.as_ref().is_some_and(|label| dog_patches.contains(label))));

    // Distances on the labels, found again by a filter on them.
    block_on(similarity.sort_by_similarity(query).k(25).dist_field("near").run()).unwrap();
    let near = View::new().to_patches("ground_truth").match_filter("near exists".parse().unwrap());
    assert_eq!(ids(&brain, "scenes", &near).len(), 25);

    // Removing by sample removes all patches of it.
    let mut similarity = block_on(brain.load_brain_results("scenes", "gt_sim")).unwrap();
    let of_first = ids(&brain, "scenes", &View::new().select([samples[0].clone()]).to_patches("ground_truth"));
    let removed = block_on(similarity.remove_from_index(&Items::Samples(vec![samples[0].clone()]), OnMissing::Error)).unwrap();
    assert_eq!(removed.removed as usize, of_first.len());
    assert_eq!(block_on(similarity.total_index_size()).unwrap() as usize, 406 - of_first.len());

    let orphaned = block_on(brain.delete_dataset("scenes", WithIndex::Keep)).unwrap();
    assert_eq!(orphaned.iter().map(|run| run.key.as_str()).collect::<Vec<_>>(), ["gt_sim"]);
}

#[test]
fn vectors_from_a_field_which_the_model_fills_first() {
    let home = Home::new();
    let brain = home.with_photos();
    let field = |model: Option<&str>| Embeddings::Field { name: "emb".to_owned(), model: model.map(str::to_owned) };
    let few = View::new().take(12, 51);
    let missing = error(block_on(brain.compute_similarity("photos", "a").embeddings(field(None)).run()));
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let filled = block_on(brain.compute_similarity("photos", "a").embeddings(field(Some("efficientnet-lite0"))).view(few.clone()).run()).unwrap();
    assert_eq!(filled.report.added, 12);
    let samples = brain.datasets().get("photos").unwrap();
    let stored = samples.samples(&few, brain::dataset::Fields::All).unwrap().next().unwrap().unwrap();
    assert!(stored.fields.iter().any(|(name, value)| name == "emb" && matches!(value, FieldValue::Vector(vector) if vector.len() == 1280)));
    // Now the field is there, and no model is needed; samples without a vector are counted.
    let again = block_on(brain.compute_similarity("photos", "b").embeddings(field(None)).run()).unwrap();
    assert_eq!((again.report.added, again.without_vector), (12, 188));
}

#[test]
fn regions_of_interest_are_averaged() {
    let home = Home::new();
    let brain = home.brain();
    import(&brain, "scenes", &scenes(), Format::Coco);
    let few = View::new().limit(4);
    block_on(brain.compute_similarity("scenes", "roi").roi_field("ground_truth").view(few.clone()).run()).unwrap();
    block_on(brain.compute_similarity("scenes", "patches").patches_field("ground_truth").view(few.clone()).run()).unwrap();
    let roi = block_on(brain.load_brain_results("scenes", "roi")).unwrap();
    let patches = block_on(brain.load_brain_results("scenes", "patches")).unwrap();
    let first = ids(&brain, "scenes", &few)[0].clone();
    let average = block_on(roi.get_embeddings(&Items::Ids(vec![first.clone()]))).unwrap().rows;
    let parts = block_on(patches.get_embeddings(&Items::Samples(vec![first]))).unwrap().rows;
    for (column, average) in average.vector(0).iter().enumerate() {
        let mean = (0..parts.len()).map(|row| parts.vector(row)[column]).sum::<f32>() / parts.len() as f32;
        assert!((mean - average).abs() < 1e-4, "{mean} {average}");
    }
}
