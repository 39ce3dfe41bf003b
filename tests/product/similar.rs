//! Duplicates and unique photos, among photos with copies planted between them.

use std::path::PathBuf;

use brain::Cutoff;
use brain::core::View;
use brain::dataset::formats::Format;
use futures::executor::block_on;
use serde_json::Value;

use crate::home::{Home, ids, import, photos, scenes};

/// How many photos have a copy.
const COPIES: usize = 4;

/// A folder of twenty photos, and of copies of the first four of them that are not the same to the byte: smaller, or with another quality.
fn with_copies(home: &Home) -> PathBuf {
    let folder = home.folder.path().join("photos");
    std::fs::create_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> =
        ["dog", "ship", "horse", "cat"].iter().flat_map(|class| (1..=5).map(move |n| photos().join(format!("{class}/{class}-{n:03}.jpg")))).collect();
    files.sort_by_key(|file| file.file_name().map(|name| name.to_string_lossy().chars().rev().collect::<String>()));
    for (at, file) in files.iter().enumerate() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        std::fs::copy(file, folder.join(&name)).unwrap();
        if at < COPIES {
            let photo = image::open(file).unwrap();
            let (width, height) = if at % 2 == 0 { (photo.width(), photo.height()) } else { (photo.width() * 3 / 4, photo.height() * 3 / 4) };
            photo.thumbnail(width, height).to_rgb8().save(folder.join(format!("copy-of-{}.png", name.trim_end_matches(".jpg")))).unwrap();
        }
    }
    folder
}

#[test]
fn planted_copies_are_found_tagged_and_drawn() {
    let home = Home::new();
    let folder = with_copies(&home);
    home.says(&["dataset", "import", "photos", folder.to_str().unwrap()]);
    home.says(&["compute-similarity", "photos", "--brain-key", "img_sim"]);
    let run = |more: &[&'static str]| [&["find-duplicates", "photos", "--brain-key", "img_sim"], more].concat();

    // Which threshold? The first bar of the chart holds the copies.
    let chart = home.says(&run(&[]));
    assert!(chart.contains("nearest other, by cosine") && chart.contains("duplicates, about"), "{chart}");
    let shown = home.json(&run(&[]));
    let counts: u64 = shown["histogram"]["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counts, 24);
    assert!(shown["suggestions"].as_array().unwrap().iter().any(|suggestion| suggestion["about_duplicates"] == COPIES), "{shown}");

    // A sixth of 24 are duplicates: the copies, each of its own photo.
    let sheet = home.folder.path().join("duplicates.png");
    let found = home.json(&run(&["--fraction", "0.1667", "--sheet", "duplicates.png", "--tag", "duplicate"]));
    assert_eq!((&found["kept"], &found["duplicates"]), (&Value::from(20), &Value::from(COPIES)), "{found}");
    let stem = |value: &Value| PathBuf::from(value["filepath"].as_str().unwrap()).file_stem().unwrap().to_string_lossy().replace("copy-of-", "");
    for group in found["groups"].as_array().unwrap() {
        assert_eq!(group["duplicates"].as_array().unwrap().len(), 1);
        assert_eq!(stem(group), stem(&group["duplicates"][0]), "{group}");
    }
    assert!(image::open(&sheet).unwrap().height() > 4 * 144);
    assert_eq!(home.says(&["dataset", "samples", "photos", "--match-tags", "duplicate", "--json"]).lines().count(), COPIES);

    // The threshold that was found finds the same groups: each member of a pair is alone otherwise.
    let threshold = found["threshold"].to_string();
    let mut by_threshold = run(&["--json", "--thresh"]).into_iter().map(str::to_owned).collect::<Vec<_>>();
    by_threshold.push(threshold);
    let again: Value = serde_json::from_str(&home.says(&by_threshold.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
    assert_eq!((again["kept"].as_u64(), again["duplicates"].as_u64()), (Some(20), Some(COPIES as u64)));

    let unique = home.json(&["find-unique", "photos", "--brain-key", "img_sim", "--count", "20", "--sheet", "unique.png"]);
    let mut stems: Vec<String> = unique["unique"].as_array().unwrap().iter().map(stem).collect();
    stems.sort();
    stems.dedup();
    assert_eq!(stems.len(), 20, "no photo is chosen with its copy: {unique}");

    let (code, error) = home.refuses(&run(&["--tag", "duplicate"]));
    assert!(code == 1 && error.contains("--thresh"), "{error}");
    let (code, error) = home.refuses(&["find-unique", "photos", "--brain-key", "img_sim", "--count", "25"]);
    assert!(code == 1 && error.contains("there are 24"), "{error}");
    let (code, error) = home.refuses(&run(&["--fraction", "10"]));
    assert!(code == 1 && error.contains("not 0 to 1"), "{error}");
}

#[test]
fn patches_are_compared_within_a_view_of_samples() {
    let home = Home::new();
    let brain = home.brain();
    import(&brain, "scenes", &scenes(), Format::Coco);
    block_on(brain.compute_similarity("scenes", "gt_sim").patches_field("ground_truth").view(View::new().limit(12)).run()).unwrap();
    let similarity = block_on(brain.load_brain_results("scenes", "gt_sim")).unwrap();

    let view = View::new().limit(6);
    let patches = ids(&brain, "scenes", &view.clone().to_patches("ground_truth"));
    let neighbors = block_on(similarity.neighbors(2, Some(&view))).unwrap();
    assert_eq!(neighbors.items().len(), patches.len());

    let found = block_on(similarity.find_duplicates(Cutoff::Fraction(0.25), Some(&view))).unwrap();
    assert_eq!(found.kept.len() + found.duplicates().count(), patches.len());
    // What was found is a view: of patches, since the index holds these.
    let duplicates: Vec<_> = found.duplicates().map(|hit| hit.item.id.clone()).collect();
    let shown = ids(&brain, "scenes", &similarity.view_of(duplicates.clone()));
    assert_eq!(shown.len(), duplicates.len());
    assert!(shown.iter().all(|id| patches.contains(id)));

    let unique = block_on(similarity.find_unique(5, Some(&view))).unwrap();
    assert!(unique.chosen.iter().all(|item| patches.contains(&item.id)) && unique.compared.missing == 0);
}
