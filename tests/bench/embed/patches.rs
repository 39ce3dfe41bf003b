//! How often the nearest patches are of the same class: what is asked of embeddings, whatever their numbers.

use std::collections::BTreeMap;
use std::path::Path;

use brain::brain_models::{EmbedJob, Pipeline, PipelineOptions, Zoo, zoo};
use futures::executor::block_on_stream;
use serde_json::Value;

use super::item;

/// How many neighbours are looked at.
const NEAREST: usize = 10;

/// The mean share of the ten nearest patches of the scenes, by cosine, that have the class of the one asked for; and how many patches there are.
pub(super) fn share(zoo: &Zoo, scenes: &Path) -> (f64, usize) {
    let labels: Value = serde_json::from_slice(&std::fs::read(scenes.join("labels.json")).unwrap()).unwrap();
    let (mut jobs, mut classes) = (Vec::new(), Vec::new());
    let mut boxes: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for annotation in labels["annotations"].as_array().unwrap() {
        boxes.entry(annotation["image_id"].as_u64().unwrap()).or_default().push(annotation);
    }
    for image in labels["images"].as_array().unwrap() {
        let (width, height) = (image["width"].as_f64().unwrap(), image["height"].as_f64().unwrap());
        let mut patches = Vec::new();
        for annotation in boxes.get(&image["id"].as_u64().unwrap()).into_iter().flatten() {
            let side = |at: usize| annotation["bbox"][at].as_f64().unwrap();
            patches.push((item(classes.len()), [side(0) / width, side(1) / height, side(2) / width, side(3) / height]));
            classes.push(annotation["category_id"].as_u64().unwrap());
        }
        jobs.push(EmbedJob::patches(scenes.join(image["file_name"].as_str().unwrap()), patches));
    }
    let pipeline = Pipeline::new(zoo.load(zoo::DEFAULT_MODEL).unwrap(), PipelineOptions::default()).unwrap();
    let vectors: Vec<Vec<f32>> = block_on_stream(pipeline.run(jobs).unwrap())
        .flat_map(|batch| {
            let batch = batch.unwrap();
            assert!(batch.failures.is_empty());
            (0..batch.rows.len()).map(|row| unit(batch.rows.vector(row))).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(vectors.len(), classes.len());
    let shares = vectors.iter().enumerate().map(|(asked, vector)| {
        let mut others: Vec<_> = vectors.iter().enumerate().filter(|(row, _)| *row != asked).map(|(row, other)| (dot(vector, other), row)).collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0));
        others[..NEAREST].iter().filter(|(_, row)| classes[*row] == classes[asked]).count() as f64 / NEAREST as f64
    });
    (shares.sum::<f64>() / vectors.len() as f64, vectors.len())
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = dot(vector, vector).sqrt();
    vector.iter().map(|x| x / length).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
